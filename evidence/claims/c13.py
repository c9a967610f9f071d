"""C13: a convolutional autoencoder learns compact representations, and convolutional layers do much better than dense.

Code of 32 numbers, equal parameters (428,545 convolutional with width 16; 419,120 dense, 784-256-32-256-784), 3,500
digits, batches of 64, with and without affine augmentation. Convolutional 800 steps at rate 3e-3; dense, at 5e-3, 800
(equal steps) and 4,500 (about equal time).
"""

import time
from typing import Any

from autoencoder_lab import metrics
from autoencoder_lab.data.augmentations import affine
from autoencoder_lab.models import ConvAutoencoder, DenseAutoencoder
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
    ratio,
    test_mse,
    train,
)

SLIDE = "001, 004"
CLAIM = "A convolutional autoencoder learns compact image codes; convolutional layers do much better than dense ones"
NOTEBOOK, SECTION = "02", "4"
EXPECTED = CONDITION
CONV_STEPS, EQUAL_TIME_STEPS = 800, 4500


def experiment(seed: int) -> Figures:
    """Test error, probe and processor seconds, by model, budget and augmentation."""
    data, figures = digits(), {}
    for setting, augment in (("plain", None), ("augmented", affine(shift=0.05))):
        runs: dict[str, tuple[Any, int, float]] = {
            "conv": (ConvAutoencoder(32, width=16, hidden=128), CONV_STEPS, 3e-3),
            "dense_steps": (DenseAutoencoder(32, hidden=(256,)), CONV_STEPS, 5e-3),
            "dense_time": (DenseAutoencoder(32, hidden=(256,)), EQUAL_TIME_STEPS, 5e-3),
        }
        for name, (model, steps, rate) in runs.items():
            started = time.process_time()
            train(model, data, seed, steps, rate, augment=augment)
            figures[f"{name}_{setting}_seconds"] = time.process_time() - started
            figures[f"{name}_{setting}"] = test_mse(model, data)
            figures[f"{name}_{setting}_probe"] = metrics.probe(model, data).value
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where conv wins all four comparisons by 20 % or more, conditional where it wins some, wrong where none."""
    pairs = [
        (f"dense_{budget}_{setting}", f"conv_{setting}")
        for budget in ("steps", "time")
        for setting in ("plain", "augmented")
    ]
    wins = [difference(rows, dense, conv).above() for dense, conv in pairs]
    clear = [ratio(rows, dense, conv).above(1.2) for dense, conv in pairs]
    decided = [win or difference(rows, dense, conv).below() for win, (dense, conv) in zip(wins, pairs, strict=True)]
    where = [f"at equal {budget} {how} augmentation" for budget in ("steps", "time") for how in ("without", "with")]
    won = ", ".join(place for place, win in zip(where, wins, strict=True) if win)
    sentence = (
        f"Equal parameters, 32 numbers. Without augmentation: convolutional {over_seeds(rows, 'conv_plain')}, dense "
        f"{over_seeds(rows, 'dense_steps_plain')} after as many steps, {over_seeds(rows, 'dense_time_plain')} after "
        f"about as much time ({ratio(rows, 'dense_time_plain_seconds', 'conv_plain_seconds')} of the convolutional "
        f"one's). With augmentation: {over_seeds(rows, 'conv_augmented')} against "
        f"{over_seeds(rows, 'dense_steps_augmented')} and {over_seeds(rows, 'dense_time_augmented')}. A linear probe "
        f"reads {over_seeds(rows, 'conv_plain_probe').percent} of the digits off the convolutional code and "
        f"{over_seeds(rows, 'dense_time_plain_probe').percent} off the dense one. The convolutional one has the "
        f"smaller error {won or 'nowhere'}."
    )
    word = RIGHT if all(clear) else CONDITION if any(wins) else WRONG if all(decided) else UNDECIDED
    return Verdict(word, sentence)
