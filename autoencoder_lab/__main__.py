"""python -m autoencoder_lab COMMAND: the command `autoencoder-lab`, where a shell does not find it by its name."""

from autoencoder_lab.commands.cli import main

main()
