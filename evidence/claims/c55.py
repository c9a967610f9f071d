"""C55: mode collapse is similar to overfitting.

Two knobs, each by itself: how many images (3,500 or 20), and how the game is balanced. Four generators of digits, one
architecture (width 16, hidden 128, latent 64). All go on from trained ones, so what is missing afterwards was there
before: first the relativistic game, 1,000 steps of 32, or 800 steps of 20 with 20 images; then 60 steps of the
non-saturating game without a penalty, fair, where each network moves once a step, or eager, where the generator moves
twenty times for each move of the critic. 1,000 samples each. Near: the median distance to the nearest image trained on,
over that of test digits to theirs. Own: the share of the images trained on (1,000 at most) that have a sample in the
ball to their fifth neighbour (coverage); new: the same for test digits. Variety: the samples' mean distance from one
another, over that of test digits.
"""

import torch

from autoencoder_lab import metrics
from autoencoder_lab.data.split import ImageData
from autoencoder_lab.models import GAN
from autoencoder_lab.models.base import Step
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
FEW, MOVES = 20, 20
KINDS = ("fair_many", "fair_few", "eager_many", "eager_few")


class Eager(GAN):
    """The generator moves MOVES times for each move of the critic."""

    def steps(self) -> list[Step]:
        """As the fair game's, the generator's step repeated."""
        critic, generator = super().steps()
        return [critic, *[generator] * MOVES]


def gone_on(kind: type[GAN], trained: GAN, data: ImageData, seed: int, batch_size: int) -> GAN:
    """The same networks after 60 steps of the plain game, fair or eager; samples are drawn by its last weights."""
    gan = kind(64, game="non_saturating", penalty=0.0, average=0.0, width=16, hidden=128)
    gan.load_state_dict(trained.state_dict())
    train(gan, unwatched(data), seed, 60, learning_rate=5e-3, batch_size=batch_size, initialise=False)
    return gan


def look(model: GAN, data: ImageData, seed: int) -> Figures:
    """Nearness to the images trained on, coverage of them and of test digits, variety."""
    x, test = model.sample(1000, torch.Generator().manual_seed(seed)), digits().test.images
    far = [metrics.nearest_training(images, data.train)[0].median() for images in (x, test)]
    apart = [torch.pdist(images[:500].flatten(1)).mean() for images in (x, test)]
    own, new = (metrics.density_coverage(images, x).coverage.value for images in (data.train.images[:1000], test))
    return {"near": float(far[0] / far[1]), "variety": float(apart[0] / apart[1]), "own": own, "new": new}


def experiment(seed: int) -> Figures:
    """The same four figures for all four generators."""
    by_few = GAN(64, game="relativistic", penalty=0.1, average=0.99, width=16, hidden=128)
    train(by_few, unwatched(digits(FEW)), seed, 800, learning_rate=5e-3, batch_size=FEW)
    begun = {"many": (digits_gan(seed)[0], digits(), 32), "few": (by_few, digits(FEW), FEW)}
    models = {
        f"{balance}_{images}": (gone_on(kind, trained, data, seed, batch_size), data)
        for images, (trained, data, batch_size) in begun.items()
        for balance, kind in {"fair": GAN, "eager": Eager}.items()
    }
    return {
        f"{key}_{name}": value
        for name, (model, data) in models.items()
        for key, value in look(model, data, seed).items()
    }


def verdict(rows: Rows) -> Verdict:
    """Wrong where the two knobs do two things: few images bring the samples near to them (by 0.2 and more of the
    distance of test digits), the eager game takes variety away (0.1 and more) with many images and with few, and what
    it draws with many images is no copy (above 0.8); right where that is near to its images (below 0.5)."""
    near, own, new, variety = (
        {kind: over_seeds(rows, f"{key}_{kind}") for kind in KINDS} for key in ("near", "own", "new", "variety")
    )
    overfits = difference(rows, "near_fair_many", "near_fair_few").above(0.2)
    collapses = all(
        difference(rows, f"variety_fair_{images}", f"variety_eager_{images}").above(0.1) for images in ("many", "few")
    )

    def row(figures: dict[str, object]) -> str:
        many, few, eager_many, eager_few = (figures[kind] for kind in KINDS)
        return f"fair game {many} with 3,500 images and {few} with {FEW}, eager generator {eager_many} and {eager_few}"

    sentence = (
        f"Two knobs, each by itself. Distance of the median sample to the nearest image trained on, over that of test "
        f"digits: {row(dict(near))}. Variety, the samples' distance from one another over that of digits: "
        f"{row(dict(variety))}. Of the images trained on they cover: "
        f"{row({kind: own[kind].percent for kind in KINDS})}; of new digits: "
        f"{row({kind: new[kind].percent for kind in KINDS})}."
    )
    wrong = overfits and collapses and near["eager_many"].above(0.8)
    if wrong:
        sentence += (
            " Few images make copies, a game out of balance takes the variety: two causes, and one may have both."
        )
    return Verdict(WRONG if wrong else RIGHT if near["eager_many"].below(0.5) else UNDECIDED, sentence)
