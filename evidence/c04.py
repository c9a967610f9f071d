"""C04: binary inputs want a sigmoid decoder; tanh or linear are less apt.

Black-and-white digits, dense autoencoder 784-128-32-128-784, 1,000 steps of 64, squared error for all three outputs.
"""

from evidence.common import (
    RIGHT,
    UNDECIDED,
    Figures,
    Rows,
    Verdict,
    binary_digits,
    dense,
    difference,
    over_seeds,
    reconstructions,
    test_mse,
)  # fmt: skip

SLIDE = "001"
CLAIM = "Binary inputs want a sigmoid decoder; tanh or linear are less apt"
EXPECTED = RIGHT


def experiment(seed: int) -> Figures:
    """Squared error, wrong pixels after rounding, and output outside [0, 1], by output function."""
    data = binary_digits()
    figures = {}
    for output in ("sigmoid", "tanh", "linear"):
        model = dense(data, 32, seed, steps=1000, output=output)
        x_hat, x = reconstructions(model, data.test.images), data.test.images
        figures[f"mse_{output}"] = test_mse(model, data)
        figures[f"wrong_{output}"] = float(((x_hat > 0.5) != (x > 0.5)).float().mean())
        figures[f"outside_{output}"] = float(((x_hat < 0) | (x_hat > 1)).float().mean())
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where sigmoid has the smaller error and fewer wrong pixels than both others."""
    best = all(
        difference(rows, f"{figure}_{other}", f"{figure}_sigmoid").above()
        for figure in ("mse", "wrong")
        for other in ("tanh", "linear")
    )
    sentence = (
        f"At one budget the squared error is {over_seeds(rows, 'mse_sigmoid')} with sigmoid, "
        f"{over_seeds(rows, 'mse_tanh')} with tanh and {over_seeds(rows, 'mse_linear')} with linear outputs; after "
        f"rounding {over_seeds(rows, 'wrong_sigmoid').percent}, {over_seeds(rows, 'wrong_tanh').percent} and "
        f"{over_seeds(rows, 'wrong_linear').percent} of the pixels are wrong. Linear outputs leave [0, 1] at "
        f"{over_seeds(rows, 'outside_linear').percent} of the pixels, so they cannot be read as probabilities."
    )
    return Verdict(RIGHT if best else UNDECIDED, sentence)
