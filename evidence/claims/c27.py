"""C27: J = reconstruction + β KL; the two terms compete.

VAEs with 10 numbers and seven β from 0.01 to 100 on 2,000 digits, 400 steps of 64, width 8, hidden 64, warm-up 20 %.
On the digits trained on and on test digits: reconstruction −log p(x|z) at draws z from q(z|x), and the KL, in nats an
image.
"""

import itertools

from autoencoder_lab.training.evaluation import evaluate
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
    digits_vae,
    over_seeds,
)

SLIDE = "003"
CLAIM = "J = reconstruction + β KL, and the two terms compete"
NOTEBOOK, SECTION = "04b", "3"
EXPECTED = RIGHT
BETAS = (0.01, 0.1, 1, 4, 10, 100)


def experiment(seed: int) -> Figures:
    """Reconstruction, KL and their sum (−ELBO) by β, for training and test digits."""
    data, figures = digits(2000), {}
    for beta in (*BETAS, 0.3):
        model = digits_vae(10, seed, beta)
        for name, split in {"train": data.train, "test": data.test}.items():
            parts = evaluate(model, split)
            figures |= {f"{part}_{name}_{beta:g}": parts[part] for part in ("reconstruction", "kl")}
            figures[f"sum_{name}_{beta:g}"] = parts["reconstruction"] + parts["kl"]
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where, on training digits, each larger β has less KL and more reconstruction error, and the test digits'
    sum is lowest at β = 1; conditional where one of the two fails; wrong where a larger β reconstructs better."""
    betas = sorted((*BETAS, 0.3))
    steps = [(f"train_{low:g}", f"train_{high:g}") for low, high in itertools.pairwise(betas)]
    gains = [difference(rows, f"reconstruction_{high}", f"reconstruction_{low}") for low, high in steps]
    less_kl = all(difference(rows, f"kl_{low}", f"kl_{high}").above() for low, high in steps)
    exchanged, together = less_kl and all(gain.above() for gain in gains), all(gain.below() for gain in gains)
    lowest = all(difference(rows, f"sum_test_{beta:g}", "sum_test_1").above() for beta in betas if beta != 1)
    curve = "; ".join(
        f"β = {beta:g}: {over_seeds(rows, f'reconstruction_test_{beta:g}')} and {over_seeds(rows, f'kl_test_{beta:g}')}"
        for beta in betas
    )
    aside = (
        ""
        if exchanged
        else f" Below 0.1 hardly so: a far larger KL buys {gains[0]} nats of reconstruction, on training digits."
    )
    place = "is lowest" if lowest else "is not surely lowest"
    sentence = (
        f"Reconstruction and KL of test digits in nats: {curve}. What β takes off the KL it puts on the "
        f"reconstruction.{aside} −ELBO, their sum, {place} at 1: {over_seeds(rows, 'sum_test_1')}, against "
        f"{over_seeds(rows, 'sum_test_0.1')} at 0.1, {over_seeds(rows, 'sum_test_0.3')} at 0.3 and "
        f"{over_seeds(rows, 'sum_test_4')} at 4."
    )
    word = RIGHT if exchanged and lowest else CONDITION if exchanged or lowest else UNDECIDED
    return Verdict(WRONG if together else word, sentence)
