"""The checks of the notebooks' exercises, a file a notebook.

Size: at most 530 lines of code a file.
"""
