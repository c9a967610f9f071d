"""The questions of lab 3."""
