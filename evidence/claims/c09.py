"""C09: PCA is analytic (SVD), the autoencoder is optimised by gradients.

Linear autoencoders on 3,500 digits, batch 128, rate 1e-2, 3,500 steps, k = 2, 8, 32.
"""

from autoencoder_lab import metrics
from autoencoder_lab.models import PCA, LinearAutoencoder
from evidence.common import RIGHT, UNDECIDED, Figures, Rows, Verdict, digits, over_seeds, train

SLIDE = "001"
CLAIM = "PCA is analytic (SVD), the autoencoder is optimised by gradients"
NOTEBOOK, SECTION = "01", "2"
EXPECTED = RIGHT


def experiment(seed: int) -> Figures:
    """Gap to PCA's training error (a share of it), the largest principal angle in degrees, the mean squared cosine."""
    data = digits()
    figures = {}
    for k in (2, 8, 32):
        pca, model = PCA(k).fit(data.train), LinearAutoencoder(k)
        train(model, data, seed, steps=3500, learning_rate=1e-2, batch_size=128)
        best = metrics.mse(pca, data.train).value
        angles = metrics.principal_angles(model, pca)
        figures[f"gap_{k}"] = metrics.mse(model, data.train).value / best - 1
        figures[f"angle_{k}"] = float(angles.max())
        figures[f"cosine2_{k}"] = float(angles.deg2rad().cos().square().mean())
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where the gap stays under 1 %, angles under 1° at k = 2 and 8, mean squared cosine above 0.99 at k = 32."""
    met = (
        all(over_seeds(rows, f"gap_{k}").below(0.01) for k in (2, 8, 32))
        and all(over_seeds(rows, f"angle_{k}").below(1.0) for k in (2, 8))
        and over_seeds(rows, "cosine2_32").above(0.99)
    )
    sentence = (
        "Both ways end in the same place. On the training images the linear autoencoder's error exceeds the SVD's by "
        f"{over_seeds(rows, 'gap_2').percent} at k = 2, {over_seeds(rows, 'gap_8').percent} at 8 and "
        f"{over_seeds(rows, 'gap_32').percent} at 32; the largest angle between the subspaces is "
        f"{over_seeds(rows, 'angle_2')}° and {over_seeds(rows, 'angle_8')}° at k = 2 and 8. At 32, where eigenvalues "
        f"32 and 33 nearly agree, the last direction is loose ({over_seeds(rows, 'angle_32')}°) while the mean squared "
        f"cosine is {over_seeds(rows, 'cosine2_32')}."
    )
    return Verdict(RIGHT if met else UNDECIDED, sentence)
