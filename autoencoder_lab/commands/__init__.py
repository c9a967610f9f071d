"""The command line, `autoencoder-lab`: a file a command, or a few of one kind."""
