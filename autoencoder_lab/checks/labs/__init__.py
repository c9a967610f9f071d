"""The checks of the graded labs, a file a lab.

Size: at most 510 lines of code a file.
"""
