"""The questions of lab 5."""
