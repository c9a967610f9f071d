"""The command line, `autoencoder-lab`: a file a command, or a few of one kind.

Size: at most 970 lines of code, 240 a file.
"""
