"""C103: a denoiser trained at one noise level harms cleaner images; is it the level, or too little training?

One network (skips around the code, code of 64 numbers, width 8, hidden 64), 3,500 digits, batches of 64, rate 5e-3,
clipped Gaussian noise, judged at σ = 0.05, 0.5 and 1. Three specialists are trained for N = 300 steps at one level
each: at a level that is not its own, a specialist differs from that level's by the level alone, and at its own it shows
what N steps are worth. Two generalists are trained on all three levels: for N steps in total, and for 3 N, which is N
for each level. And a specialist of 0.05 for 3 N steps. Beside them the input itself, and the best linear map of each
level.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from autoencoder_lab import metrics
from autoencoder_lab.data.corruptions import gaussian
from autoencoder_lab.models import ResidualAutoencoder
from autoencoder_lab.models.controls import Gaussian, LinearDenoiser
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

SLIDE = "the course's own"
CLAIM = "A denoiser trained at one noise level harms cleaner images because of the level, not for want of training"
NOTEBOOK, SECTION = "03", "4"
EXPECTED = CONDITION
LEVELS = (5, 50, 100)  # 100 σ
STEPS = 300


@dataclass(frozen=True)
class one_of:
    """Clipped Gaussian noise, for each image at a level drawn from `levels`."""

    levels: tuple[float, ...]

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        which = torch.randint(len(self.levels), (len(x), 1, 1, 1), generator=generator)
        return (x + torch.tensor(self.levels)[which] * torch.randn(x.shape, generator=generator)).clamp(0, 1)


def trained(data: Any, seed: int, noise: Any, steps: int) -> ResidualAutoencoder:
    """The network, trained with this noise."""
    model = ResidualAutoencoder(64, width=8, hidden=64, skips="around")
    train(model, data, seed, steps, 5e-3, corrupt=noise)
    return model


def experiment(seed: int) -> Figures:
    """PSNR in dB on the test images, by method and noise level."""
    data = digits()
    noises = {level: gaussian(level / 100) for level in LEVELS}
    every = one_of(tuple(level / 100 for level in LEVELS))
    methods: dict[str, Any] = {f"only_{level}": trained(data, seed, noises[level], STEPS) for level in LEVELS}
    methods["longer_5"] = trained(data, seed, noises[5], 3 * STEPS)
    methods["all_in_total"] = trained(data, seed, every, STEPS)
    methods["all_for_each"] = trained(data, seed, every, 3 * STEPS)
    methods["input"] = Gaussian(sigma=0)
    figures = {}
    for level, noise in noises.items():
        for name, method in (methods | {"linear": LinearDenoiser(noise).fit(data.train)}).items():
            figures[f"{name}_at_{level}"] = metrics.psnr(method, data.test, noise).value
    return figures


def verdict(rows: Rows) -> Verdict:
    """At σ = 0.05: right where the specialist of 0.5 falls behind the specialist of 0.05, equally long trained, and
    that one does not harm; conditional where both harm, the first more; wrong where the level makes no difference."""
    level = difference(rows, "only_5_at_5", "only_50_at_5")
    want = difference(rows, "input_at_5", "only_5_at_5")

    def at(name: str) -> str:
        return ", ".join(str(over_seeds(rows, f"{name}_at_{level}")) for level in LEVELS)

    still = difference(rows, "input_at_5", "longer_5_at_5")
    healed = "no longer harms" if still.below() else "still harms" if still.above() else "is level with its input"
    sentence = (
        f"At σ = 0.05 the input has {over_seeds(rows, 'input_at_5')} dB. The network trained at 0.5 makes "
        f"{over_seeds(rows, 'only_50_at_5')} of it, the same one trained at 0.05 for as many steps "
        f"{over_seeds(rows, 'only_5_at_5')}: of what is lost, {level} dB are the level's, {want} dB are missing even "
        f"there. Trained three times as long, that one reaches {over_seeds(rows, 'longer_5_at_5')} and {healed}; the "
        f"best linear map of this level has {over_seeds(rows, 'linear_at_5')}. At 0.05, 0.5 and 1: each level's own "
        f"specialist {', '.join(str(over_seeds(rows, f'only_{k}_at_{k}')) for k in LEVELS)}; one network for all "
        f"three, with as many steps in total, {at('all_in_total')}; with as many for each level, {at('all_for_each')}."
    )
    if not level.above():
        return Verdict(WRONG if level.below(0.5) else UNDECIDED, sentence)
    return Verdict(CONDITION if want.above() else RIGHT if want.below() else UNDECIDED, sentence)
