"""C56: the filters of a CNN are feature detectors: low levels find edges and blobs, high levels patterns.

The encoder of a convolutional autoencoder (code of 32 numbers, width 16, hidden 128), 3,500 digits, 800 steps of 64 at
rate 4e-3, beside the same encoder before training and, in the first layer, 16 filters made by hand (edges in eight
directions, four blobs, bars in four directions) and 16 drawn at random. Low levels: the share of a 4×4 kernel's power
in the four plain directions of sixteen, brightness, the two edges and a round blob; a kernel that points anywhere has a
quarter. High levels: of the nine test digits that excite a unit most, how many show the same digit. And what a linear
classifier reads off the maps, each averaged over its four quarters.
"""

import copy
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from autoencoder_lab import metrics
from autoencoder_lab.models import ConvAutoencoder
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
    train,
)

SLIDE = "004"
CLAIM = "The filters of a CNN are feature detectors: low levels find edges and blobs, high levels patterns"
NOTEBOOK, SECTION = "02", "Deeper · Filters as feature detectors"
EXPECTED = CONDITION
STEPS = 800
Maps = Callable[[Tensor], Tensor]


def place() -> tuple[Tensor, Tensor]:
    """The coordinates (y, x) of a 4×4 kernel's entries, (4, 4) each, from its middle."""
    along = torch.linspace(-1.5, 1.5, 4)
    return along[:, None].expand(4, 4), along[None, :].expand(4, 4)


def edges_and_blobs(kernels: Tensor) -> float:
    """The share of the kernels' power, (n, 1, 4, 4), in brightness, edges and a round blob; averaged over kernels."""
    y, x = place()
    plain = torch.linalg.qr(torch.stack([torch.ones(4, 4), x, y, x**2 + y**2]).flatten(1).T).Q
    power = kernels.flatten(1).square().sum(dim=1)
    return float(((kernels.flatten(1) @ plain).square().sum(dim=1) / power).mean())


def made_by_hand() -> Tensor:
    """Sixteen kernels (16, 1, 4, 4) of norm 1: edges in eight directions, four blobs, bars in four directions."""
    y, x = place()
    window = (-(x**2 + y**2) / 4).exp()
    eighths, quarters = (torch.arange(count) * (2 * math.pi / of) for count, of in ((8, 8), (4, 8)))
    edges = [x * angle.cos() + y * angle.sin() for angle in eighths]
    blobs = [sign * (-(x**2 + y**2) / width).exp() for width in (1, 3) for sign in (1, -1)]
    bars = [window * (2 * (x * angle.cos() + y * angle.sin())).cos() for angle in quarters]
    return unit_norm(torch.stack([*edges, *blobs, *(bar - bar.mean() for bar in bars)])[:, None])


def unit_norm(kernels: Tensor) -> Tensor:
    """The kernels (n, 1, 4, 4), each of norm 1."""
    return kernels / kernels.flatten(1).norm(dim=1)[:, None, None, None]


def of_fixed(kernels: Tensor) -> Maps:
    """Images → the feature maps of fixed kernels behind a ReLU."""
    return lambda images: F.relu(F.conv2d(images, kernels, stride=2, padding=1))


def of_encoder(model: ConvAutoencoder, layer: int) -> Maps:
    """Images → the feature maps behind the first or second convolution, its normalisation and its SiLU."""
    encoder: Any = model.encoder
    maps: Maps = encoder[: 1 + 3 * layer]
    return maps


def read_off(maps: Maps, data: Any) -> float:
    """The share of test digits that a linear classifier reads off the maps, each averaged over its four quarters."""
    code = SimpleNamespace(encode=lambda x: F.adaptive_avg_pool2d(maps(x), 2).flatten(1))
    return metrics.probe(code, data).value


def same_digit(maps: Maps, data: Any) -> float:
    """Of the nine test digits that excite a unit most, how many show the commonest digit; averaged over units."""
    strongest = metrics.in_batches(maps, data.test.images).amax(dim=(2, 3))
    nine = data.test.labels[strongest.topk(9, dim=0).indices]
    counts = [int(unit.bincount().max()) for unit in nine.T]
    return sum(counts) / len(counts)


def experiment(seed: int) -> Figures:
    """Share of edges and blobs, same digit of nine, and digits read off, by layer and kind of filter."""
    data = digits()
    torch.manual_seed(seed)
    trained = ConvAutoencoder(32, width=16, hidden=128)
    untrained = copy.deepcopy(trained)
    train(trained, data, seed, STEPS, 4e-3, initialise=False)
    at_random = unit_norm(torch.randn(16, 1, 4, 4))
    maps = {"hand": of_fixed(made_by_hand()), "random": of_fixed(at_random)}
    kernels = {"hand": made_by_hand(), "random": at_random}
    for name, model in (("trained", trained), ("untrained", untrained)):
        encoder: Any = model.encoder
        kernels[name] = encoder[1].weight.detach()
        maps |= {f"first_{name}": of_encoder(model, 1), f"second_{name}": of_encoder(model, 2)}
    figures = {f"plain_{name}": edges_and_blobs(weight) for name, weight in kernels.items()}
    for name, function in maps.items():
        figures[f"same_{name}"] = same_digit(function, data)
        figures[f"read_{name}"] = read_off(function, data)
    labels = data.test.labels[torch.rand(2000, len(data.test)).topk(9, dim=1).indices]
    return figures | {"same_chance": sum(int(nine.bincount().max()) for nine in labels) / len(labels)}


def verdict(rows: Rows) -> Verdict:
    """Low levels: training brings kernels nearer to edges and blobs than they were, and than the quarter of any
    direction; they are mostly edge and blob where that is more than half of them. High levels: units of the second
    layer are more selective than untrained ones, and than the first layer's. Right where units are selective and
    kernels mostly edge and blob, conditional where kernels are it less than half, or where one of the two holds; wrong
    where both are refuted."""
    trained, low = over_seeds(rows, "plain_trained"), difference(rows, "plain_trained", "plain_untrained")
    deep, taught = (
        difference(rows, "same_second_trained", f"same_{than}") for than in ("first_trained", "second_untrained")
    )
    edges, patterns = low.above() and trained.above(0.25), deep.above() and taught.above()
    sentence = (
        f"Edges and blobs make up {trained.percent} of a trained first-layer kernel, "
        f"{over_seeds(rows, 'plain_untrained').percent} before training, a quarter in any direction. Of the nine "
        f"digits that excite a unit most, {over_seeds(rows, 'same_second_trained')} show the same one in the second "
        f"layer, {over_seeds(rows, 'same_first_trained')} in the first; untrained "
        f"{over_seeds(rows, 'same_second_untrained')} and {over_seeds(rows, 'same_first_untrained')}, nine at random "
        f"{over_seeds(rows, 'same_chance')}. A linear classifier reads "
        f"{over_seeds(rows, 'read_first_trained').percent} of the digits off the first layer and "
        f"{over_seeds(rows, 'read_second_trained').percent} off the second; off the untrained ones "
        f"{over_seeds(rows, 'read_first_untrained').percent} and {over_seeds(rows, 'read_second_untrained').percent}, "
        f"off sixteen filters at random {over_seeds(rows, 'read_random').percent}, off sixteen made by hand "
        f"{over_seeds(rows, 'read_hand').percent}: any filters detect something, so what counts is the difference that "
        "training makes."
    )
    if edges and patterns and trained.above(0.5):
        return Verdict(RIGHT, sentence)
    if edges or patterns:
        return Verdict(CONDITION, sentence)
    refuted = low.below() and (deep.below() or taught.below())
    return Verdict(WRONG if refuted else UNDECIDED, sentence)
