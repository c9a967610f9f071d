"""The command line, `autoencoder-lab`: a file a command, or a few of one kind.

Size: at most 900 lines of code, 215 a file.
"""
