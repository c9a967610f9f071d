"""C33: training ends when D cannot tell: the equilibrium.

In one dimension, where the best critic is known: real points from N(0, 1), made ones from N(1, 1), the critic a
logistic regression or a network (1-32-32-1), 1,500 steps of 512 + 512 fresh points, Adam 1e-2 with a cosine; once more
with made points from N(0, 1), too. Error: the largest between x = −2 and 3. V(D) = E log D(x) + E log(1 − D(x')), by
numerical integration. On digits: 3,500 of them, a GAN trained for 1,000 steps of 32; how often D scores the real one of
a pair higher, in the first and last tenth of the run.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autoencoder_lab import losses
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    WRONG,
    Figures,
    Rows,
    Verdict,
    digits_gan,
    over_seeds,
)

SLIDE = "004"
CLAIM = "Training ends at an equilibrium, when D cannot tell real images from made ones"
NOTEBOOK, SECTION = "05", "3"
EXPECTED = CONDITION
STEPS, POINTS = 1500, 512


def normal(generator: torch.Generator) -> Tensor:
    """(POINTS, 1) draws from N(0, 1), one in each of as many equally likely intervals: less noise for the same law."""
    shares = (torch.arange(POINTS) + torch.rand(POINTS, generator=generator)) / POINTS
    draws: Tensor = torch.special.ndtri(shares.double().clamp(1e-6, 1 - 1e-6)).float()
    return draws[:, None]


def trained(critic: nn.Module, shift: float, generator: torch.Generator) -> nn.Module:
    """The critic, trained to tell N(0, 1) from N(shift, 1)."""
    optimiser = torch.optim.Adam(critic.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        loss = losses.critic_cross_entropy(critic(normal(generator)), critic(normal(generator) + shift))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return critic


def value(scores: Tensor, x: Tensor, shift: float) -> float:
    """V = ∫ p log D + q log(1 − D) for p = N(0, 1), q = N(shift, 1), from logits at evenly spaced x."""
    p, q = (torch.exp(losses.gaussian_log_density(x, torch.tensor(m), torch.zeros(()))) for m in (0.0, shift))
    return float(torch.trapezoid(-p * F.softplus(-scores) - q * F.softplus(scores), x))


def experiment(seed: int) -> Figures:
    """Errors of the trained critics, their V against that of the best one; how often D is right about digits."""
    torch.manual_seed(seed)
    generator, x, figures = torch.Generator().manual_seed(seed), torch.linspace(-8, 9, 3401), {}
    seen = (x >= -2) & (x <= 3)
    for name in ("logistic", "network"):
        for case, shift in (("apart", 1.0), ("equal", 0.0)):
            layers = [nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)]
            critic = nn.Linear(1, 1) if name == "logistic" else nn.Sequential(*layers)
            scores = trained(critic, shift, generator)(x[:, None])[:, 0].detach()
            # log p/q = ½ (x − m)² − ½ x² = ½ m² − m x
            best = shift**2 / 2 - shift * x
            figures[f"error_{name}_{case}"] = float((scores - best)[seen].abs().max())
            figures[f"value_{name}_{case}"] = value(scores, x, shift)
            if case == "apart":
                p, q = (torch.exp(-((x - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (0.0, shift))
                middle = ((p + q) / 2).clamp(min=1e-30).log()
                js = [torch.trapezoid(torch.xlogy(r, r) - r * middle, x) for r in (p, q)]
                figures["theory_apart"] = float(sum(js)) - math.log(4)  # 2 · JSD − log 4
    told = digits_gan(seed)[1].train["told_apart"]
    tenth = max(1, len(told) // 10)
    return figures | {"told_first": sum(told[:tenth]) / tenth, "told_last": sum(told[-tenth:]) / tenth}


def verdict(rows: Rows) -> Verdict:
    """Theory: both critics within 0.05 of 0.5 − x, and V within 0.002 of 2 · JSD − log 4, and of −log 4 at equality.
    Right where the theory holds and D ends at chance on digits too (below 0.55); conditional where it holds but D ends
    above 0.6; wrong where the theory fails."""
    kinds = [f"{name}_{case}" for name in ("logistic", "network") for case in ("apart", "equal")]
    errors = {kind: over_seeds(rows, f"error_{kind}") for kind in kinds}
    theory = over_seeds(rows, "theory_apart")
    target = {"apart": theory.mean, "equal": -math.log(4)}
    values = {kind: over_seeds(rows, f"value_{kind}") for kind in kinds}
    wide = {kind: target[kind.split("_")[1]] for kind in kinds}
    holds = all(
        errors[k].below(0.05) and values[k].above(wide[k] - 2e-3) and values[k].below(wide[k] + 2e-3) for k in kinds
    )
    fails = any(errors[k].above(0.05) for k in kinds)
    first, last = over_seeds(rows, "told_first"), over_seeds(rows, "told_last")
    sentence = (
        "N(0, 1) against N(1, 1): the best critic's logit is 0.5 − x; trained, a logistic regression comes within "
        f"{errors['logistic_apart']} of it everywhere between −2 and 3, a network within {errors['network_apart']}. "
        f"V is {values['network_apart'].mean:.4f} (2 · JSD − log 4 = {theory.mean:.4f}), and where both kinds are "
        f"N(0, 1), {values['network_equal'].mean:.4f} (−log 4 = {-math.log(4):.4f}): then D says one half everywhere. "
        f"On digits the game stops elsewhere: D scores the real one of a pair higher in {first.percent} of the first "
        f"tenth of the steps and in {last.percent} of the last, where 50 % is chance; it stops because we stop it."
    )
    word = RIGHT if holds and last.below(0.55) else CONDITION if holds and last.above(0.6) else UNDECIDED
    return Verdict(WRONG if fails else word, sentence)
