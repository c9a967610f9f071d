"""The questions of lab 6."""
