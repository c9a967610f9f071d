"""C16: autoencoders fill in missing parts from their context.

A 10×10 hole at a random place, filled with grey, so that a model which is not told where it is can see it. Code of 64
numbers, width 16, hidden 128, 3,500 digits, 400 steps of 64 at rate 3e-3. Controls, which are told where the hole is:
the mean image, PCA fitted to the known pixels (k chosen on 300 validation images), biharmonic inpainting. That it is
the context: the same hole amid another image's surroundings; and a model trained on a ring of 3 pixels round the hole
alone.

Faces as well, of which there are 100: skips around the code (width 8, hidden 64), 70 faces, turned and moved a little,
600 steps of 32 at rate 4e-3. The verdict rests on the digits; 20 test faces are too few to rank methods that lie close.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from autoencoder_lab import metrics
from autoencoder_lab.data.augmentations import affine
from autoencoder_lab.data.corruptions import box_mask
from autoencoder_lab.data.datasets import load
from autoencoder_lab.models import ConvAutoencoder, ResidualAutoencoder
from autoencoder_lab.models.controls import Biharmonic, MeanFill, PCAFill
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
    over_seeds,
    reconstructions,
    shuffled_rows,
    train,
)

SLIDE = "001, 002, 004"
CLAIM = "Autoencoders fill in missing parts from their context"
NOTEBOOK, SECTION = "03", "5"
EXPECTED = RIGHT
HOLE = box_mask(10, fill=0.5)
CONTROLS = {"mean": "the mean image", "pca": "PCA", "biharmonic": "biharmonic inpainting"}


@dataclass(frozen=True)
class ring_only:
    """Everything is grey but a ring of `width` pixels round the hole."""

    width: int

    def mask(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """The holes: (B, 1, H, W)."""
        return HOLE.mask(x, generator)

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        hole = self.mask(x, generator)
        near = F.max_pool2d(hole.float(), 2 * self.width + 1, stride=1, padding=self.width).bool()
        return x.masked_fill(hole | ~near, HOLE.fill)


def another_of_its_class(labels: Tensor) -> Tensor:
    """For each image the index of another one with the same label."""
    other = torch.empty_like(labels)
    for label in labels.unique():
        mine = (labels == label).nonzero()[:, 0]
        other[mine] = mine.roll(1)
    return other


def amid_others(model: Any, split: Any, other: Tensor) -> float:
    """Error inside each image's hole where the model sees the surroundings of image `other` instead of its own."""
    x = split.images
    hole = HOLE.mask(x, torch.Generator().manual_seed(metrics.CORRUPTION_SEED))
    filled = reconstructions(model, x[other].masked_fill(hole, HOLE.fill))
    return float((filled - x)[hole].square().mean())


def experiment(seed: int) -> Figures:
    """Squared error per pixel of the hole on the test images, by method and by what surrounds the hole."""
    data = digits()
    ae, from_ring = (ConvAutoencoder(64, width=16, hidden=128) for _ in range(2))
    ring = ring_only(3)
    train(ae, data, seed, 400, 3e-3, corrupt=HOLE)
    train(from_ring, data, seed, 400, 3e-3, corrupt=ring)
    tried = [PCAFill(k).fit(data.train) for k in (32, 128, 256)]
    pca = min(tried, key=lambda one: metrics.hole_errors(one, data.val[:300], HOLE)[0].value)
    methods = {"ae": ae, "mean": MeanFill().fit(data.train), "pca": pca, "biharmonic": Biharmonic()}
    figures = {name: metrics.hole_errors(method, data.test, HOLE)[0].value for name, method in methods.items()}
    return (
        figures
        | {f"faces_{name}": error for name, error in in_faces(seed).items()}
        | {
            "outside": metrics.hole_errors(ae, data.test, HOLE)[1].value,
            "ring": metrics.hole_errors(from_ring, data.test, ring)[0].value,
            "same_class": amid_others(ae, data.test, another_of_its_class(data.test.labels)),
            "any_class": amid_others(ae, data.test, shuffled_rows(len(data.test))),
        }
    )


def in_faces(seed: int) -> Figures:
    """The same error on the test faces, by method; the controls are chosen on the ten validation faces."""
    faces = load("faces")
    around = ResidualAutoencoder(64, width=8, hidden=64, skips="around")
    train(around, faces, seed, 600, 4e-3, batch_size=32, corrupt=HOLE, augment=affine(padding="border"))
    tried = [PCAFill(k).fit(faces.train) for k in (8, 16, 32, 64)]
    pca = min(tried, key=lambda one: metrics.hole_errors(one, faces.val, HOLE)[0].value)
    methods = {"ae": around, "mean": MeanFill().fit(faces.train), "pca": pca, "biharmonic": Biharmonic()}
    return {name: metrics.hole_errors(method, faces.test, HOLE)[0].value for name, method in methods.items()}


def verdict(rows: Rows) -> Verdict:
    """Right where the autoencoder beats every control and loses that with another image's context, conditional where it
    beats the mean image but not every control, wrong where it does not even beat that."""
    from_context = all(difference(rows, f"{whose}_class", "ae").above() for whose in ("same", "any"))
    beaten = [name for name in CONTROLS if difference(rows, name, "ae").above()]
    unbeaten = [name for name in CONTROLS if difference(rows, name, "ae").below()]
    sentence = (
        f"Inside a 10×10 hole the autoencoder errs by {over_seeds(rows, 'ae')}, PCA fitted to the known pixels by "
        f"{over_seeds(rows, 'pca')}, biharmonic inpainting by {over_seeds(rows, 'biharmonic')}, the mean image by "
        f"{over_seeds(rows, 'mean')}; it beats {', '.join(CONTROLS[n] for n in beaten) or 'none of them'}. It is the "
        f"context: amid the surroundings of another image of the same digit the error is "
        f"{over_seeds(rows, 'same_class')}, amid those of any image {over_seeds(rows, 'any_class')}. A "
        f"network that is shown a ring of 3 pixels round the hole and nothing else errs by {over_seeds(rows, 'ring')}. "
        f"What it fills in is a guess all the same: outside the hole the error is {over_seeds(rows, 'outside')}. "
        f"In faces, with 70 to train on: {over_seeds(rows, 'faces_ae')}, PCA {over_seeds(rows, 'faces_pca')}, "
        f"biharmonic {over_seeds(rows, 'faces_biharmonic')}, the mean image {over_seeds(rows, 'faces_mean')}."
    )
    if from_context and len(beaten) == len(CONTROLS):
        return Verdict(RIGHT, sentence)
    if from_context and "mean" in beaten and unbeaten:
        return Verdict(CONDITION, sentence)
    return Verdict(WRONG if "mean" in unbeaten else UNDECIDED, sentence)
