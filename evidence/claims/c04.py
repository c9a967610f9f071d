"""C04: binary inputs want a sigmoid decoder; tanh or linear are less apt.

Black-and-white digits, dense autoencoder 784-128-32-128-784, 1,200 steps of 64, squared error for all three outputs,
each with the better of two learning rates (chosen on the validation images).
"""

from autoencoder_lab.models import DenseAutoencoder
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    Figures,
    Rows,
    Verdict,
    binary_digits,
    difference,
    over_seeds,
    reconstructions,
    train,
)  # fmt: skip

SLIDE = "001"
CLAIM = "Binary inputs want a sigmoid decoder; tanh or linear are less apt"
NOTEBOOK, SECTION = "01", "5"
EXPECTED = CONDITION


def experiment(seed: int) -> Figures:
    """Squared error as it is and clipped to [0, 1], wrong pixels after rounding, output outside [0, 1]; by output."""
    data = binary_digits()
    x, figures = data.test.images, {}
    for output in ("sigmoid", "tanh", "linear"):
        runs = []
        for rate in (3e-3, 1e-2):
            model = DenseAutoencoder(32, hidden=(128,), output=output)
            history = train(model, data, seed, steps=1200, learning_rate=rate)
            runs.append((history.val["mse"][-1], rate, model))
        _, figures[f"rate_{output}"], best = min(runs, key=lambda run: run[0])
        x_hat = reconstructions(best, x)
        figures[f"mse_{output}"] = float((x_hat - x).square().mean())
        figures[f"clipped_{output}"] = float((x_hat.clamp(0, 1) - x).square().mean())
        figures[f"wrong_{output}"] = float(((x_hat > 0.5) != (x > 0.5)).float().mean())
        figures[f"outside_{output}"] = float(((x_hat < 0) | (x_hat > 1)).float().mean())
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where sigmoid wins by error, clipped error and wrong pixels; conditional where it wins by the error
    alone."""

    def wins(figure: str) -> bool:
        return all(difference(rows, f"{figure}_{other}", f"{figure}_sigmoid").above() for other in ("tanh", "linear"))

    def of_all(figure: str) -> str:
        return ", ".join(
            f"{over_seeds(rows, f'{figure}_{output}')} {output}" for output in ("sigmoid", "tanh", "linear")
        )

    word = UNDECIDED if not wins("mse") else RIGHT if wins("clipped") and wins("wrong") else CONDITION
    fewer = "also" if wins("wrong") else "not"
    sentence = (
        f"At one budget the squared error is {of_all('mse')}. A linear decoder leaves [0, 1] at "
        f"{over_seeds(rows, 'outside_linear').percent} of the pixels, so its output is no probability; clipped "
        f"afterwards the errors are {of_all('clipped')}. Sigmoid is {fewer} the best by the share of pixels that are "
        f"wrong after rounding: {over_seeds(rows, 'wrong_sigmoid').percent}, {over_seeds(rows, 'wrong_tanh').percent} "
        f"and {over_seeds(rows, 'wrong_linear').percent}. Where probabilities are wanted, sigmoid gives them."
    )
    return Verdict(word, sentence)
