"""C07: squared error suits real inputs, cross-entropy suits binary ones.

Dense autoencoder 784-128-32-128-784 with sigmoid outputs, 1,500 steps of 64, trained by either loss on grey and on
black-and-white digits, and scored by both.
"""

import torch

from autoencoder_lab import losses
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    Figures,
    Rows,
    Verdict,
    binary_digits,
    dense,
    difference,
    digits,
    over_seeds,
    test_mse,
)  # fmt: skip

SLIDE = "001"
CLAIM = "Squared error suits real inputs; cross-entropy suits binary ones"
NOTEBOOK, SECTION = "01", "6"
EXPECTED = CONDITION


def experiment(seed: int) -> Figures:
    """`<data>_<loss>_mse` (per pixel) and `<data>_<loss>_nats` (per image), and the entropy floor of the grey
    digits."""
    figures = {"grey_floor_nats": losses.entropy(digits().test.images).item()}
    for kind, data in {"grey": digits(), "binary": binary_digits()}.items():
        for short, loss in {"se": "squared_error", "ce": "cross_entropy"}.items():
            model = dense(data, 32, seed, steps=1500, loss=loss)
            with torch.inference_mode():
                logits = model.logits(data.test.images)
            figures[f"{kind}_{short}_mse"] = test_mse(model, data)
            figures[f"{kind}_{short}_nats"] = losses.cross_entropy(logits, data.test.images).item()
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where each loss wins on its own kind by both measures; conditional where cross-entropy does no worse on
    grey."""
    binary = difference(rows, "binary_se_nats", "binary_ce_nats").above()
    grey = difference(rows, "grey_ce_mse", "grey_se_mse")  # what cross-entropy costs grey images in squared error
    small = 0.05 * over_seeds(rows, "grey_se_mse").mean
    word = UNDECIDED if not binary else RIGHT if grey.above(small) else CONDITION if grey.below(small) else UNDECIDED
    costs = "; ".join(
        f"on {name} digits the squared error is {over_seeds(rows, f'{kind}_se_mse')} after training by squared error "
        f"and {over_seeds(rows, f'{kind}_ce_mse')} by cross-entropy, the cross-entropy "
        f"{over_seeds(rows, f'{kind}_se_nats')} and {over_seeds(rows, f'{kind}_ce_nats')} nats an image"
        for kind, name in (("grey", "grey"), ("binary", "black-and-white"))
    )
    sentence = (
        f"{costs[0].upper()}{costs[1:]}. With sigmoid outputs cross-entropy suits grey pixels too, only that its floor "
        f"is then their entropy, {over_seeds(rows, 'grey_floor_nats')} nats, not 0. For real values outside [0, 1] it "
        "has no meaning, and there the slide's squared error is the one to take."
    )
    return Verdict(word, sentence)
