"""The checks of the graded labs, a file a lab."""
