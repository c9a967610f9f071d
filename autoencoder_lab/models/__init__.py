"""The models of the course, one idea a file.

Size: at most 200 lines of code a file, one idea each.
"""

from autoencoder_lab.models.adversarial import GAN
from autoencoder_lab.models.base import Autoencoder, LatentModel, Loss, Model
from autoencoder_lab.models.contrastive import CCAE, VICReg
from autoencoder_lab.models.convolutional import ConvAutoencoder, ResidualAutoencoder
from autoencoder_lab.models.latent_density import LatentMixture, OnCodes, codes
from autoencoder_lab.models.linear import PCA, DenseAutoencoder, LinearAutoencoder
from autoencoder_lab.models.planar_game import PlanarGAN
from autoencoder_lab.models.variational import VAE, MixturePriorVAE

__all__ = [
    "CCAE",
    "GAN",
    "PCA",
    "VAE",
    "Autoencoder",
    "ConvAutoencoder",
    "DenseAutoencoder",
    "LatentMixture",
    "LatentModel",
    "LinearAutoencoder",
    "Loss",
    "MixturePriorVAE",
    "Model",
    "OnCodes",
    "PlanarGAN",
    "ResidualAutoencoder",
    "VICReg",
    "codes",
]
