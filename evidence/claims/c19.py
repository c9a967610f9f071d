"""C19: an autoencoder's output is blurrier than its input.

Convolutional autoencoders (width 8, hidden 64), 3,500 digits, 500 steps of 64, codes of 4, 16 and 64 numbers; beside
them PCA, which no longer training would help. What is lost at a frequency is the power of the error, |FFT(x − x̂)|², as
a share of the mean image's, |FFT(x − x̄)|². The power that a reconstruction *keeps* would not do: that of another digit
keeps all of it.
"""

from torch import Tensor

from autoencoder_lab import metrics
from autoencoder_lab.models import PCA, ConvAutoencoder
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    Figures,
    Rows,
    Verdict,
    difference,
    digits,
    over_seeds,
    reconstructions,
    test_mse,
    train,
)

SLIDE = "002"
CLAIM = "An autoencoder's output is blurrier than its input"
NOTEBOOK, SECTION = "02", "6"
EXPECTED = RIGHT
CODES = (4, 16, 64)


def experiment(seed: int) -> Figures:
    """Sharpness (mean absolute Laplacian) of the reconstructions, as a share of the images' own, and the power lost at
    1–3 and at 8 and more cycles an image, by code size; "other" is what a wrong digit loses."""
    data = digits()
    x = data.test.images
    sharp, unknown = metrics.sharpness(x).value, metrics.power_spectrum(x - data.train.images.mean(dim=0))
    figures = {}
    for latent in CODES:
        model = ConvAutoencoder(latent, width=8, hidden=64)
        train(model, data, seed, steps=500)
        figures[f"mse_{latent}"] = test_mse(model, data)
        for name, method in (("", model), ("pca_", PCA(latent).fit(data.train))):
            x_hat = reconstructions(method, x)
            lost = metrics.power_spectrum(x - x_hat) / unknown
            figures[f"sharpness_{name}{latent}"] = metrics.sharpness(x_hat).value / sharp
            figures[f"low_{name}{latent}"], figures[f"high_{name}{latent}"] = by_speed(lost)
    figures["low_other"], figures["high_other"] = by_speed(metrics.power_spectrum(x - x.roll(1, dims=0)) / unknown)
    return figures


def by_speed(lost: Tensor) -> tuple[float, float]:
    """The mean share at 1–3 and at 8 and more cycles an image, of the shares at each frequency (15,)."""
    return float(lost[1:4].mean()), float(lost[8:].mean())


def verdict(rows: Rows) -> Verdict:
    """Right where every code size loses sharpness, and a larger share of high than of low frequencies; else
    conditional."""
    blurred = all(over_seeds(rows, f"sharpness_{k}").below(1) for k in CODES)
    high_first = all(difference(rows, f"high_{k}", f"low_{k}").above() for k in CODES)
    grows = difference(rows, "sharpness_16", "sharpness_4").above()

    def along(figure: str) -> str:
        return ", ".join(over_seeds(rows, f"{figure}_{k}").percent for k in CODES)

    more = "64 less than 16" if difference(rows, "sharpness_64", "sharpness_16").above() else "64 no less than 16 yet"
    sentence = (
        f"Codes of 4, 16 and 64 numbers keep {along('sharpness')} of the images' sharpness. They lose {along('low')} "
        f"of the power at 1–3 cycles an image and {along('high')} at 8 and more, where the mean image loses all: fine "
        f"detail goes first (PCA: {along('low_pca')} and {along('high_pca')}; another digit in place of the right one: "
        f"{over_seeds(rows, 'low_other').percent} and {over_seeds(rows, 'high_other').percent}). A code of 16 blurs "
        f"less than one of 4; at this budget {more}."
    )
    return Verdict(UNDECIDED if not blurred else RIGHT if high_first and grows else CONDITION, sentence)
