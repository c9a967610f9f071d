"""The latent explorer: drag through a latent space, in the notebook and in an exported page."""

from autoencoder_lab.explorer.widget import Explorer, explore

__all__ = ["Explorer", "explore"]
