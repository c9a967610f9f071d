"""What runs inside the sandbox, on the standard library and the course's packages alone. Nothing here is trusted.

Size: at most 260 lines of code, 170 a file.
"""
