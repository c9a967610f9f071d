"""C25: the code of a VAE can have more than 20 dimensions.

VAEs with 20 and 40 dimensions on 2,000 digits, 1,200 steps of 64, width 8, hidden 64. −log p(x) of 300 test digits
by 30 importance samples. A dimension is in use where its KL is above 0.1 nats; "active" by Burda et al. (2016) counts
every μ whose variance is above 0.01.
"""

from autoencoder_lab import metrics
from autoencoder_lab.models import VAE
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
    unwatched,
)

SLIDE = "002"
CLAIM = "The code of a VAE need not be small, it can have more than 20 dimensions"
NOTEBOOK, SECTION = "04b", "Deeper · More than 20 dimensions"
EXPECTED = RIGHT
SIZES = (20, 40)


def experiment(seed: int) -> Figures:
    """−log p(x), the KL in nats, and the dimensions in use and active, by the number of dimensions."""
    data, figures = digits(2000), {}
    for size in SIZES:
        model = VAE(size, warm_up=0.2, width=8, hidden=64)
        train(model, unwatched(data), seed, steps=1200, learning_rate=3e-3)
        kl = metrics.kl_per_dimension(model, data.test)
        figures[f"nll_{size}"] = metrics.nll(model, data.test.take(300), samples=30).value
        figures[f"kl_{size}"] = float(kl.sum())
        figures[f"used_{size}"] = float((kl > 0.1).sum())
        figures[f"active_{size}"] = float(metrics.active_units(model, data.test))
    return figures


def verdict(rows: Rows) -> Verdict:
    """It can where 40 dimensions cost less than 2 nats against 20: right where they cost nothing, conditional where
    they cost a little; wrong where they cost more than 2. Whether they are used is told beside it."""
    cost, used = difference(rows, "nll_40", "nll_20"), over_seeds(rows, "used_40")
    gain = "a gain" if cost.below() else "a loss" if cost.above() else "no sure difference"
    nll = {size: over_seeds(rows, f"nll_{size}") for size in SIZES}
    sentence = (
        f"−log p(x) of a digit: {nll[20]} nats with 20 dimensions, {nll[40]} with 40, {gain} ({cost} nats). In use (KL "
        f"above 0.1 nats) are {over_seeds(rows, 'used_20')} of 20 and {used} of 40; {over_seeds(rows, 'active_40')} "
        f"are active by the usual threshold. The KL goes from {over_seeds(rows, 'kl_20')} to "
        f"{over_seeds(rows, 'kl_40')} nats: dimensions that do not earn their cost are given up, so a code too large "
        "does little harm, and digits have no use for many more than 20."
    )
    if not cost.below(2):
        return Verdict(WRONG if cost.above(2) else UNDECIDED, sentence)
    return Verdict(CONDITION if cost.above() else RIGHT, sentence)
