"""C39: the CCAE: Y = f(X), Z = p(Y), X' = d(Y), Y' = f(X'), Z' = p(Y'), trained by VICReg between Z and Z'.

3,500 digits, codes of 32, width 8, projector 64-64, 500 steps of 128 at 3e-3. The slide to the letter, and what it
leaves open, one change a row: the same random crop of X and X', or the whole images; a judge of X' that is frozen, so
that the decoder alone learns from the comparison, or live; variance and covariance asked of X and X', or of real images
alone; how much two crops of a real image should embed alike (agreement, as a share of the weight of invariance). The
slide to the letter plus a squared error per pixel, at four weights. The inversion of an encoder that VICReg trained
before, and, as a control, of one that nobody trained. On test images: squared error per pixel and correlation of X'
with X, linear probe and vote of the 5 nearest codes.
"""

from typing import Any

import torch
from torch import Tensor

from autoencoder_lab import losses, metrics
from autoencoder_lab.data.augmentations import crop
from autoencoder_lab.models import CCAE, VICReg
from autoencoder_lab.models.base import Loss
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    WRONG,
    Figures,
    Rows,
    Verdict,
    difference,
    digits,
    mean_image_mse,
    over_seeds,
    ratio,
    reconstructions,
    test_mse,
    train,
    unwatched,
)

SLIDE = "000"
CLAIM = "The CCAE: Y = f(X), Z = p(Y), X' = d(Y), Y' = f(X'), Z' = p(Y'), trained by VICReg between Z and Z'"
NOTEBOOK, SECTION = "06", "5"
EXPECTED = CONDITION
SIZE: dict[str, Any] = {"width": 8, "hidden": 128, "projector": (64, 64), "weights": (25.0, 25.0, 1.0)}
STEPS: dict[str, Any] = {"steps": 500, "learning_rate": 3e-3, "batch_size": 128}
BOTH: dict[str, Any] = {"shared": True, "frozen": True}
OURS: dict[str, Any] = BOTH | {"real": True, "agreement": 0.2}
READINGS: dict[str, dict[str, Any]] = {
    "literal": {},
    "crop": {"shared": True},
    "frozen": {"frozen": True},
    "both": BOTH,
    "both_some": BOTH | {"agreement": 0.2},
    "both_full": BOTH | {"agreement": 1.0},
    "real_none": BOTH | {"real": True},
    "real_some": OURS,
    "real_full": OURS | {"agreement": 1.0},
    "real_whole": OURS | {"shared": False},
    "real_live": OURS | {"frozen": False},
}
PIXELS = (100, 300, 1000, 5000)
WITHOUT_PIXELS = (*READINGS, "inversion")


class Reading(CCAE):
    """The slide's loss with a switch for each of the four things; notebook 06, section 5, has the same."""

    def __init__(
        self, shared: bool = False, frozen: bool = False, real: bool = False, agreement: float = 0.0, pixel: float = 0.0
    ) -> None:
        super().__init__(32, judge="frozen" if frozen else "live", agreement=agreement, pixel=pixel, **SIZE)
        self.shared, self.real = shared, real

    def loss(self, x: Tensor, target: Tensor | None = None) -> Loss:
        """VICReg between Z and Z', changed as the switches say."""
        x_hat = self.reconstruct(x)
        pair = torch.cat([x, x_hat], dim=1)
        seen, seen_hat = (crop()(pair) if self.shared else pair).chunk(2, dim=1)
        z, z_hat = self.projector(self.encoder(seen)), self.judged(seen_hat)
        another = self.projector(self.encoder(crop()(x))) if self.agreement else z
        follows = losses.vicreg_invariance(z.detach() if self.judge == "frozen" else z, z_hat)
        variance, invariance, covariance = self.weights
        total = invariance * (follows + self.agreement * losses.vicreg_invariance(z, another))
        for batch in (z, another if self.real else z_hat):
            total = total + variance * losses.vicreg_variance(batch) + covariance * losses.vicreg_covariance(batch)
        return Loss(total + self.pixel * (x_hat - x).square().mean(), {"invariance": follows})


def correlation(x_hat: Tensor, x: Tensor) -> float:
    """Pearson's r between the pixels of two sets of images, over all of them at once."""
    return float(torch.corrcoef(torch.stack([x_hat.flatten(), x.flatten()]).double())[0, 1])


def inversion(seed: int, trained: bool) -> CCAE:
    """A decoder for whole images, not trained yet, of an encoder that VICReg has trained, or nobody."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = VICReg(32, **SIZE)
    if trained:
        train(encoder, unwatched(digits()), seed, **STEPS)
    return CCAE(32, views="none", judge="frozen", encoder=encoder, **SIZE)


def experiment(seed: int) -> Figures:
    """Error, correlation, probe and 5-NN of each reading; the mean image's error."""
    data = digits()
    models: dict[str, CCAE] = {name: Reading(**switches) for name, switches in READINGS.items()}
    models |= {f"pixel_{weight}": Reading(pixel=weight) for weight in PIXELS}
    models |= {"inversion": inversion(seed, True), "untrained": inversion(seed, False)}
    figures = {"mse_mean_image": mean_image_mse(data)}
    for name, model in models.items():
        train(model, unwatched(data), seed, **STEPS)
        figures |= {
            f"mse_{name}": test_mse(model, data),
            f"correlation_{name}": correlation(reconstructions(model, data.test.images), data.test.images),
            f"probe_{name}": metrics.probe(model, data).value,
            f"knn_{name}": metrics.knn(model, data).value,
        }
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where the slide to the letter makes less than half the mean image's error; conditional where it does worse
    than the mean image, but another reading without pixels less than half; wrong where none does better than it."""
    half = {name: ratio(rows, f"mse_{name}", "mse_mean_image") for name in WITHOUT_PIXELS}
    worse = difference(rows, "mse_literal", "mse_mean_image").above()
    error = {name: over_seeds(rows, f"mse_{name}") for name in (*WITHOUT_PIXELS, "untrained")}
    probe, knn = ({name: over_seeds(rows, f"{key}_{name}").percent for name in READINGS} for key in ("probe", "knn"))
    pixels = ", ".join(f"{over_seeds(rows, f'mse_pixel_{weight}')} at {weight:,}" for weight in PIXELS)
    image, r = over_seeds(rows, "mse_mean_image"), over_seeds(rows, "correlation_both")
    sentence = (
        f"To the letter the error is {error['literal']} (probe {probe['literal']}, 5-NN {knn['literal']}), the mean "
        f"image's {image}. One change a time: the same crop of X and X' "
        f"{error['crop']}; a frozen judge {error['frozen']}; both {error['both']} (r = {r}; probe {probe['both']}, "
        f"5-NN {knn['both']}). From there, if two crops of a real image are to embed alike with 0.2 of VICReg's weight "
        f"{error['both_some']}, with all of it {error['both_full']}; with variance and covariance asked of real images "
        f"alone, without it, with 0.2 and with all: {error['real_none']}, {error['real_some']}, {error['real_full']}. "
        f"The middle one is the course's CCAE (probe {probe['real_some']}, 5-NN {knn['real_some']}); with whole images "
        f"it makes {error['real_whole']}, with a live judge {error['real_live']}. To the letter plus a squared error "
        f"per pixel: {pixels}. A decoder for an encoder that VICReg trained before, judged by whole images, makes "
        f"{error['inversion']}, for one that nobody trained {error['untrained']}."
    )
    if worse and all(share.above(1) for share in half.values()):
        return Verdict(WRONG, sentence)
    found = worse and any(share.below(0.5) for share in half.values())
    return Verdict(RIGHT if half["literal"].below(0.5) else CONDITION if found else UNDECIDED, sentence)
