"""C15: a denoising autoencoder recovers clean images from noisy ones.

Code of 64 numbers, width 8, hidden 256, 3,500 digits, 500 steps of 64 at rate 4e-3, Gaussian noise σ = 0.5 clipped to
[0, 1], judged at σ = 0.1, 0.25, 0.5 and 1. Beside it: the same network trained clean → clean; one with skips around the
code (width 8, hidden 64, 300 steps at rate 3e-3); and controls that are tuned anew at each level on 100 validation
images with that very noise: median, Gaussian, PCA, non-local means, the best linear map. The linear map of σ = 0.5
alone, like the networks, also goes to every level.
"""

from types import SimpleNamespace
from typing import Any

from autoencoder_lab import metrics
from autoencoder_lab.data.corruptions import gaussian
from autoencoder_lab.models import PCA, ConvAutoencoder, ResidualAutoencoder
from autoencoder_lab.models.controls import Gaussian, LinearDenoiser, Median, NonLocalMeans
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
)

SLIDE = "001, 004"
CLAIM = "A denoising autoencoder recovers clean images from noisy ones"
NOTEBOOK, SECTION = "03", "2"
EXPECTED = CONDITION
TRAINED = 50
LEVELS = (10, 25, TRAINED, 100)  # 100 σ
CONTROLS = {
    "median": "the median",
    "gaussian": "the Gaussian",
    "pca": "PCA",
    "nlm": "non-local means",
    "linear": "the linear map",
}


def tuned_controls(sigma: float) -> dict[str, list[Any]]:
    """The settings of each filter that are tried at a noise level."""
    return {
        "median": [Median(size) for size in (3, 5)],
        "gaussian": [Gaussian(width) for width in (0.5, 0.75, 1.0, 1.5)],
        "nlm": [NonLocalMeans(factor * sigma) for factor in (0.3, 0.5, 1.0)],
    }


def networks(data: Any, seed: int) -> dict[str, Any]:
    """The denoising autoencoder, the same network trained clean → clean, and the one with skips around the code."""
    noise = gaussian(TRAINED / 100)
    dae, clean = (ConvAutoencoder(64, width=8, hidden=256) for _ in range(2))
    around = ResidualAutoencoder(64, width=8, hidden=64, skips="around")
    train(dae, data, seed, 500, 4e-3, corrupt=noise)
    train(clean, data, seed, 500, 4e-3)
    train(around, data, seed, 300, 3e-3, corrupt=noise)
    return {"dae": dae, "clean": clean, "around": around}


def experiment(seed: int) -> Figures:
    """PSNR in dB on the test images, by method and noise level."""
    data, figures = digits(), {}
    linear = {level: LinearDenoiser(gaussian(level / 100)).fit(data.train) for level in LEVELS}
    judged = networks(data, seed) | {
        "noisy": SimpleNamespace(reconstruct=lambda noisy: noisy),
        "fixed": linear[TRAINED],
    }
    pcas = [PCA(k).fit(data.train) for k in (8, 16, 32, 64, 128)]
    for level in LEVELS:
        noise = gaussian(level / 100)
        tried = tuned_controls(level / 100) | {"pca": pcas, "linear": [linear[level]]}
        best = {n: max(c, key=lambda one: metrics.psnr(one, data.val[:100], noise).value) for n, c in tried.items()}
        for name, model in (judged | best).items():
            figures[f"{name}_{level}"] = metrics.psnr(model, data.test, noise).value
    return figures


def listed(controls: list[str]) -> str:
    """Some controls in words."""
    return "every one" if len(controls) == len(CONTROLS) else ", ".join(controls)


def verdict(rows: Rows) -> Verdict:
    """Right where the denoising autoencoder beats noise, controls and its clean-trained twin at every level,
    conditional where it does so at its own level but loses to a control at another, wrong where even at its own the
    best linear map beats it."""

    def wins(level: int) -> bool:
        return all(difference(rows, f"dae_{level}", f"{n}_{level}").above() for n in ("noisy", "clean", *CONTROLS))

    def losses(level: int, name: str = "dae") -> list[str]:
        return [words for n, words in CONTROLS.items() if difference(rows, f"{name}_{level}", f"{n}_{level}").below()]

    lost = [level for level in LEVELS if losses(level)]
    where = "; ".join(f"at {level / 100:g} {listed(losses(level))}" for level in lost)
    around = " and ".join(f"{level / 100:g}" for level in LEVELS if losses(level, "around")) or "none"
    low, own = LEVELS[0], TRAINED
    best = max(CONTROLS, key=lambda n: over_seeds(rows, f"{n}_{own}").mean)
    best_low = max(CONTROLS, key=lambda n: over_seeds(rows, f"{n}_{low}").mean)
    sentence = (
        f"Trained at σ = 0.5 and judged there: {over_seeds(rows, f'dae_{own}')} dB against "
        f"{over_seeds(rows, f'noisy_{own}')} of the noisy images and {over_seeds(rows, f'{best}_{own}')} of "
        f"{CONTROLS[best]}, the best control. The same network trained clean → clean gives "
        f"{over_seeds(rows, f'clean_{own}')}: it is the noise in training that does it. At levels not trained on it "
        f"keeps {over_seeds(rows, f'dae_{low}')} at 0.1 and {over_seeds(rows, 'dae_100')} at 1 (the linear "
        f"map of σ = 0.5: {over_seeds(rows, f'fixed_{low}')} and {over_seeds(rows, 'fixed_100')}). A control tuned to "
        f"the level is better {where or 'nowhere'}. At 0.1 {CONTROLS[best_low]} has "
        f"{over_seeds(rows, f'{best_low}_{low}')} dB, the clean-trained network {over_seeds(rows, f'clean_{low}')} and "
        f"the noisy image itself {over_seeds(rows, f'noisy_{low}')}: what blurs there costs more than the noise. Skips "
        f"around the code give {over_seeds(rows, f'around_{low}')} at 0.1 "
        f"and {over_seeds(rows, f'around_{own}')} at 0.5; levels where a control still beats them: {around}."
    )
    if all(map(wins, LEVELS)):
        return Verdict(RIGHT, sentence)
    beaten = difference(rows, f"dae_{own}", f"linear_{own}").below()
    return Verdict(CONDITION if wins(own) and lost else WRONG if beaten else UNDECIDED, sentence)
