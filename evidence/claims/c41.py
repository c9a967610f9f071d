"""C41: codes serve information retrieval.

Precision among the 10 nearest training digits: pixels, PCA and autoencoders with 32 numbers; dense 784-128-32-128-784
for 1,500 steps of 64, without and with augmentation, convolutional (width 8, hidden 64) for 500.
"""

import torch

from autoencoder_lab import metrics
from autoencoder_lab.data.augmentations import affine
from autoencoder_lab.models import PCA, ConvAutoencoder
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    Figures,
    Pixels,
    Rows,
    Verdict,
    dense,
    difference,
    digits,
    over_seeds,
    train,
)  # fmt: skip

SLIDE = "004"
CLAIM = "Codes serve information retrieval"
NOTEBOOK, SECTION = "02", "Deeper · Retrieval"
EXPECTED = CONDITION


def experiment(seed: int) -> Figures:
    """Precision at 10 by code; the standard error over queries, about 0.006, is in none of the spreads."""
    data = digits()
    conv = ConvAutoencoder(32, width=8, hidden=64)
    train(conv, data, seed, steps=500)
    models = {
        "pixels": Pixels(),
        "pca": PCA(32).fit(data.train),
        "dense": dense(data, 32, seed, steps=1500),
        "augmented": dense(data, 32, seed, steps=1500, more={"augment": affine(shift=0.05)}),
        "conv": conv,
    }
    figures = {name: metrics.retrieval_precision(model, data, k=10).value for name, model in models.items()}
    share = torch.bincount(data.train.labels).double() / len(data.train)
    return figures | {"chance": float(share[data.test.labels].mean())}


def verdict(rows: Rows) -> Verdict:
    """Right where every learnt code beats both pixels and PCA by 1 point; conditional where codes match pixels within
    3."""
    learnt = ("dense", "augmented", "conv")
    beats = all(difference(rows, name, rival).above(0.01) for name in learnt for rival in ("pixels", "pca"))
    serves = all(difference(rows, name, "pixels").above(-0.03) for name in learnt)
    sentence = (
        f"Of the ten nearest training digits {over_seeds(rows, 'pixels').percent} show the query's digit when pixels "
        f"are compared, {over_seeds(rows, 'pca').percent} by PCA's 32 numbers, {over_seeds(rows, 'dense').percent} by "
        f"a dense autoencoder's, {over_seeds(rows, 'augmented').percent} with augmentation, "
        f"{over_seeds(rows, 'conv').percent} by a convolutional one's (chance: {over_seeds(rows, 'chance').percent}). "
        "The codes retrieve with 24 times fewer numbers than pixels; that a code was learnt rather than projected "
        "adds little or nothing."
    )
    return Verdict(RIGHT if beats else CONDITION if serves else UNDECIDED, sentence)
