"""C07: squared error suits real inputs, cross-entropy suits binary ones.

Dense autoencoder 784-128-32-128-784 with sigmoid outputs, 1,000 steps of 64, trained by either loss on grey and on
black-and-white digits, and scored by both.
"""

import torch

from autoencoder_lab import losses
from evidence.common import (
    CONDITION,
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
EXPECTED = CONDITION


def experiment(seed: int) -> Figures:
    """`<data>_<loss>_mse` (per pixel) and `<data>_<loss>_nats` (per image), and the entropy floor of the grey
    digits."""
    figures = {"grey_floor_nats": losses.entropy(digits().test.images).item()}
    for kind, data in {"grey": digits(), "binary": binary_digits()}.items():
        for short, loss in {"se": "squared_error", "ce": "cross_entropy"}.items():
            model = dense(data, 32, seed, steps=1000, loss=loss)
            with torch.inference_mode():
                logits = model.logits(data.test.images)
            figures[f"{kind}_{short}_mse"] = test_mse(model, data)
            figures[f"{kind}_{short}_nats"] = losses.cross_entropy(logits, data.test.images).item()
    return figures


def verdict(rows: Rows) -> Verdict:
    """Conditional where, on either kind of image, each loss wins by its own measure."""
    by_own_measure = all(difference(rows, f"{kind}_se_nats", f"{kind}_ce_nats").above() for kind in ("grey", "binary"))
    squared_wins = {kind: difference(rows, f"{kind}_ce_mse", f"{kind}_se_mse") for kind in ("grey", "binary")}
    costs = "; ".join(
        f"on {name} digits the squared error is {over_seeds(rows, f'{kind}_se_mse')} after training by squared error "
        "and "
        f"{over_seeds(rows, f'{kind}_ce_mse')} by cross-entropy, the cross-entropy "
        f"{over_seeds(rows, f'{kind}_se_nats')} "
        f"and {over_seeds(rows, f'{kind}_ce_nats')} nats an image"
        for kind, name in (("grey", "grey"), ("binary", "black-and-white"))
    )
    sentence = (
        f"{costs[0].upper()}{costs[1:]}. Which loss suits is a matter of what one wants to be small, more than of the "
        f"pixels: cross-entropy trains grey images well too, only its floor is then their entropy, "
        f"{over_seeds(rows, 'grey_floor_nats')} nats, not 0."
    )
    return Verdict(CONDITION if by_own_measure and not squared_wins["grey"].below(-0.001) else UNDECIDED, sentence)
