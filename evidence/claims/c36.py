"""C36: autoencoders are data-specific: digits in, digits out.

Dense autoencoder 784-128-32-128-784 on 3,500 digits, 1,500 steps of 64, given other images of 28×28; a second one
trained on 3,500 grey shapes and PCA of the digits as controls. Letters are set in the twelve DejaVu faces that
matplotlib brings.
"""

from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from autoencoder_lab.data.datasets import load
from autoencoder_lab.models import PCA
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    Figures,
    Rows,
    Verdict,
    dense,
    difference,
    digits,
    over_seeds,
    reconstructions,
)

SLIDE = "004"
CLAIM = "Autoencoders are data-specific: a digits autoencoder takes digits in and gives digits out"
NOTEBOOK, SECTION = "00", "4"
EXPECTED = CONDITION
FOREIGN = ("letters", "shapes", "faces")


@cache
def letters() -> Tensor:
    """A–Z, white on black, in every DejaVu face: (N, 1, 28, 28)."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    pictures = []
    for file in sorted((Path(matplotlib.get_data_path()) / "fonts" / "ttf").glob("DejaVuSans*.ttf")):
        if "Display" in file.stem:
            continue
        font = ImageFont.truetype(str(file), 22)
        for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            picture = Image.new("L", (28, 28))
            ImageDraw.Draw(picture).text((14, 14), letter, fill=255, font=font, anchor="mm")
            pictures.append(np.asarray(picture, np.float32) / 255)
    return torch.from_numpy(np.stack(pictures))[:, None]


def grey_28(x: Tensor) -> Tensor:
    """Colour 32×32 → the brightest channel at 28×28."""
    return F.interpolate(x.max(dim=1, keepdim=True).values, size=28, mode="bilinear", antialias=True).clamp(0, 1)


def unexplained(model: object, x: Tensor) -> float:
    """Squared error as a share of the images' own variance about their mean image; 1 is no better than that image."""
    error = (reconstructions(model, x) - x).square().mean()
    return float(error / (x - x.mean(dim=0)).square().mean())


def experiment(seed: int) -> Figures:
    """Unexplained share on digits, another source of digits, letters, shapes and faces, for the model and the
    controls."""
    data, shapes = digits(), load("shapes", 3500).map(grey_28)
    upscaled = F.interpolate(load("digits").test.images, size=20, mode="bilinear")
    tests = {
        "digits": data.test.images,
        "other_digits": F.pad(upscaled, (4, 4, 4, 4)),
        "letters": letters(),
        "shapes": shapes.test.images[:1000],
        "faces": load("faces").train.images,
    }
    models = {
        "ae": dense(data, 32, seed, steps=1500),
        "pca": PCA(32).fit(data.train),
        "own": dense(shapes, 32, seed, steps=1500),
    }
    return {f"{name}_{kind}": unexplained(model, x) for name, model in models.items() for kind, x in tests.items()}


def verdict(rows: Rows) -> Verdict:
    """Right where all that is foreign costs more, and digits of another source less than what is no digit; conditional
    where only the first holds: what counts are then the pixels' statistics, not that they show digits."""
    specific = all(difference(rows, f"ae_{kind}", "ae_digits").above(0.05) for kind in FOREIGN)
    mended = difference(rows, "ae_shapes", "own_shapes").above(0.05)
    about_digits = all(difference(rows, f"ae_{kind}", "ae_other_digits").above() for kind in FOREIGN)
    beaten = [kind for kind in FOREIGN if difference(rows, f"ae_{kind}", f"pca_{kind}").above()]
    aside = f" PCA of the same digits, worse on digits, does better on {' and '.join(beaten)}." if beaten else ""
    sentence = (
        f"An autoencoder trained on digits leaves {over_seeds(rows, 'ae_digits').percent} of the variance of new "
        f"digits unexplained, but {over_seeds(rows, 'ae_letters').percent} of printed letters, "
        f"{over_seeds(rows, 'ae_shapes').percent} of shapes and {over_seeds(rows, 'ae_faces').percent} of faces (100 % "
        "is what the mean image of that kind leaves). The same network trained on shapes leaves "
        f"{over_seeds(rows, 'own_shapes').percent} of shapes. Specific means to the statistics of the training images, "
        "not to digits as such: digits of another source, coarser ones, leave "
        f"{over_seeds(rows, 'ae_other_digits').percent}.{aside}"
    )
    return Verdict(UNDECIDED if not (specific and mended) else RIGHT if about_digits else CONDITION, sentence)
