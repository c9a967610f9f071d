"""What learning platforms give and take: their bulk downloads (downloads.py) and their files of marks.

cells.py finds the cells of a table in its text, so that all but a few stay as they are; mark_files.py knows the
platforms' columns; filling.py finds every student's row and writes the marks.

Size: at most 450 lines of code, 200 a file.
"""
