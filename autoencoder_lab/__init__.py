"""A course on autoencoders and their relatives, trained live on a laptop.

    import autoencoder_lab as lab
    data = lab.load("mnist-5k")
    ae = lab.ConvAutoencoder(latent=32)
    lab.fit(ae, data)
"""

from autoencoder_lab import augmentations as augment
from autoencoder_lab import checks, classroom, datasets, losses, metrics
from autoencoder_lab import corruptions as corrupt
from autoencoder_lab import plotting as plot
from autoencoder_lab.classroom import calibration, outcome, predict, quiz, setup, show_source
from autoencoder_lab.comparison import compare
from autoencoder_lab.datasets import ImageData, Split, load, load_folder
from autoencoder_lab.models import PCA, Autoencoder, ConvAutoencoder, DenseAutoencoder, LinearAutoencoder, ResidualAutoencoder
from autoencoder_lab.training import History, TrainingDiverged, fit

__version__ = "0.1.0"
