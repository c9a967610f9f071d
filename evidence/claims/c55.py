"""C55: mode collapse is similar to overfitting.

Three generators of digits, one architecture (width 16, hidden 128, latent 64): a healthy one (3,500 images, 1,000 steps
of 32); an overfitted one, the same game with 20 images, 800 steps of 20; a collapsed one, 3,500 images by the plain
recipe (non-saturating, batch normalisation, no penalty, momentum 0.5, 2e-3, 300 steps of 32). 1,000 samples each.
Near: the median distance to the nearest image trained on, over that of test digits to theirs. Own: the share of the
images trained on (1,000 at most) that have a sample in the ball to their fifth neighbour (coverage); new: the same for
test digits. Variety: the samples' mean distance from one another, over that of test digits.
"""

import torch

from autoencoder_lab import metrics
from autoencoder_lab.data.split import ImageData
from autoencoder_lab.models import GAN
from evidence.common import (
    RIGHT,
    UNDECIDED,
    WRONG,
    Figures,
    Rows,
    Verdict,
    difference,
    digits,
    digits_gan,
    over_seeds,
    train,
    unwatched,
)

SLIDE = "004"
CLAIM = "Mode collapse is similar to overfitting"
NOTEBOOK, SECTION = "05", "Deeper · Is collapse a kind of overfitting?"
EXPECTED = WRONG
FEW = 20


def look(model: GAN, data: ImageData, seed: int) -> Figures:
    """Nearness to the images trained on, coverage of them and of test digits, variety."""
    x, test = model.sample(1000, torch.Generator().manual_seed(seed)), digits().test.images
    far = [metrics.nearest_training(images, data.train)[0].median() for images in (x, test)]
    apart = [torch.pdist(images[:500].flatten(1)).mean() for images in (x, test)]
    own, new = (metrics.density_coverage(images, x).coverage.value for images in (data.train.images[:1000], test))
    return {"near": float(far[0] / far[1]), "variety": float(apart[0] / apart[1]), "own": own, "new": new}


def experiment(seed: int) -> Figures:
    """The same four figures for the healthy, the overfitted and the collapsed generator."""
    over = GAN(64, game="relativistic", penalty=0.1, average=0.99, width=16, hidden=128)
    train(over, unwatched(digits(FEW)), seed, 800, learning_rate=5e-3, batch_size=FEW)
    collapsed = GAN(64, game="non_saturating", penalty=0.0, average=0.0, width=16, hidden=128, batch_norm=True)
    collapsed.betas = (0.5, 0.999)
    train(collapsed, unwatched(digits()), seed, 300, learning_rate=2e-3, batch_size=32)
    models = {
        "healthy": (digits_gan(seed)[0], digits()),
        "over": (over, digits(FEW)),
        "collapsed": (collapsed, digits()),
    }
    return {
        f"{key}_{name}": value
        for name, (model, data) in models.items()
        for key, value in look(model, data, seed).items()
    }


def verdict(rows: Rows) -> Verdict:
    """Wrong where they are two failures: the overfitted generator's samples lie at less than half the distance of
    test digits and cover at least 60 % of the images it was given, the collapsed one's are no copies (above half) and
    cover less than 10 % of theirs; right where the collapsed one's are copies and the other covers less than 10 %."""
    kinds = ("healthy", "over", "collapsed")
    near, own, new, variety = (
        {kind: over_seeds(rows, f"{key}_{kind}") for kind in kinds} for key in ("near", "own", "new", "variety")
    )
    apart = (
        difference(rows, "near_collapsed", "near_over").above()
        and difference(rows, "own_over", "own_collapsed").above()
    )
    sentence = (
        f"Distance of the median sample to the nearest image trained on, over that of test digits: {near['over']} for "
        f"a generator of {FEW} images, {near['collapsed']} for a collapsed one, {near['healthy']} for a healthy one. "
        f"Of the images they were given they cover {own['over'].percent}, {own['collapsed'].percent} and "
        f"{own['healthy'].percent}; of new digits {new['over'].percent}, {new['collapsed'].percent} and "
        f"{new['healthy'].percent}. Their samples differ from one another {variety['over']}, {variety['collapsed']} "
        f"and {variety['healthy']} times as much as digits do. The overfitted one repeats what it was shown, all of "
        "it; the collapsed one repeats itself, and nothing that it was shown."
    )
    over = near["over"].below(0.5) and own["over"].above(0.6)
    collapsed = near["collapsed"].above(0.5) and own["collapsed"].below(0.1)
    alike = near["collapsed"].below(0.5) and own["over"].below(0.1)
    return Verdict(WRONG if over and collapsed and apart else RIGHT if alike else UNDECIDED, sentence)
