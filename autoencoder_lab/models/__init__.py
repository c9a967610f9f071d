"""The models of the course, one idea a file."""

from autoencoder_lab.models.base import Autoencoder, Loss
from autoencoder_lab.models.convolutional import ConvAutoencoder, ResidualAutoencoder
from autoencoder_lab.models.linear import PCA, DenseAutoencoder, LinearAutoencoder

__all__ = [
    "PCA",
    "Autoencoder",
    "ConvAutoencoder",
    "DenseAutoencoder",
    "LinearAutoencoder",
    "Loss",
    "ResidualAutoencoder",
]
