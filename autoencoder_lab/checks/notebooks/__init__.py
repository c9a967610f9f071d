"""The checks of the notebooks' exercises, a file a notebook.

Size: at most 500 lines of code a file.
"""
