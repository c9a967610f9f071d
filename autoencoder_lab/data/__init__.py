"""Images to learn from: splits that never change, their sources, and what is done to them on the way.

Size: at most 1,150 lines of code, 350 a file.
"""
