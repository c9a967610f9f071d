"""The command line, `autoencoder-lab`: a file a command, or a few of one kind.

Size: at most 800 lines of code, 190 a file.
"""
