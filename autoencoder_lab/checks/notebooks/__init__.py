"""The checks of the notebooks' exercises, a file a notebook."""
