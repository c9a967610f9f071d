"""C06: g is typically a sigmoid.

Dense autoencoder 784-128-64-32-64-128-784 on 3,500 digits, 1,000 steps of 64, each activation with the best of three
learning rates (chosen on the validation images).
"""

from typing import Any

import torch

from autoencoder_lab.models import DenseAutoencoder
from evidence.common import (
    UNDECIDED,
    WRONG,
    Figures,
    Rows,
    Verdict,
    difference,
    digits,
    over_seeds,
    ratio,
    test_mse,
    train,
)

SLIDE = "001"
CLAIM = "The encoder's function g is typically a sigmoid"
NOTEBOOK, SECTION = "01", "Deeper · Which g?"
EXPECTED = WRONG


def experiment(seed: int) -> Figures:
    """Test error at the end, validation error after a quarter of the steps, share of saturated sigmoids."""
    data = digits()
    figures = {}
    for g in ("sigmoid", "relu", "silu"):
        runs = []
        for rate in (3e-3, 1e-2, 3e-2):
            model = DenseAutoencoder(32, hidden=(128, 64), activation=g)
            history = train(model, data, seed, steps=1000, learning_rate=rate)
            runs.append((history.val["mse"][-1], rate, history.val["mse"][len(history.val["mse"]) // 4], model))
        _, figures[f"rate_{g}"], figures[f"early_{g}"], best = min(runs, key=lambda run: run[0])
        figures[f"mse_{g}"] = test_mse(best, data)
        if g == "sigmoid":
            with torch.inference_mode():
                encoder: Any = best.encoder
                units = encoder[:3](data.test.images)  # flatten, first layer, g
            figures["saturated"] = float(((units < 0.05) | (units > 0.95)).float().mean())
    return figures


def verdict(rows: Rows) -> Verdict:
    """Wrong as advice where both ReLU and SiLU end lower and learn faster."""
    slower = all(
        difference(rows, f"{figure}_sigmoid", f"{figure}_{g}").above()
        for figure in ("early", "mse")
        for g in ("relu", "silu")
    )
    sentence = (
        f"At one budget the error is {over_seeds(rows, 'mse_sigmoid')} with sigmoid, {over_seeds(rows, 'mse_relu')} "
        f"with ReLU and {over_seeds(rows, 'mse_silu')} with SiLU between the layers, and a quarter of the way "
        f"sigmoid's is {ratio(rows, 'early_sigmoid', 'early_relu')} times ReLU's. "
        f"{over_seeds(rows, 'saturated').percent} of the first layer's sigmoids are saturated (within 0.05 of 0 or 1). "
        "Sigmoid was the custom when the formula was written; as advice for hidden layers it is out of date."
    )
    return Verdict(WRONG if slower else UNDECIDED, sentence)
