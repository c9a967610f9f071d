"""The questions of lab 4."""
