"""What runs inside the sandbox, on the standard library and the course's packages alone. Nothing here is trusted.

Size: at most 550 lines of code, 260 a file.
"""
