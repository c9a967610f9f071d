"""The questions of lab 2."""
