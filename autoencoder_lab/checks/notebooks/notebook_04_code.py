"""The check of notebook 04's fourth exercise: a code that is drawn in training and is μ at test time."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab.checks.compare import CheckFailed, answer_of, show

DRAWS = 4000


def code(student: Callable[[Tensor, Tensor, bool], Any]) -> None:
    """Exercise 04.4: student(mu, log_var, training), (B, d) each, gives z: a fresh draw in training, μ at test.

    Judged by many draws: their mean, spread and correlations within five standard errors. Slide 002.
    """
    name = "code"
    generator = torch.Generator().manual_seed(0)
    mu, log_var = torch.randn(3, 2, generator=generator), torch.tensor([[-2.0, 0.5], [1.0, -1.0], [-0.5, 1.5]])
    answer = answer_of(name, lambda: student(mu.clone(), log_var.clone(), False))
    if answer is None:
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        draws = [student(mu.clone(), log_var.clone(), True) for _ in range(DRAWS)]
        at_test = [student(mu.clone(), log_var.clone(), False) for _ in range(2)]
    for what, z in (("training=False", answer), ("training=True", draws[0])):
        if not isinstance(z, Tensor) or z.shape != mu.shape:
            given = tuple(z.shape) if isinstance(z, Tensor) else show(z)
            raise CheckFailed(f"{name}: with {what} return codes of shape {tuple(mu.shape)}, like mu; got {given}")
    if flaw := _at_test(at_test, mu, log_var) or _in_training(torch.stack(draws).detach(), mu, log_var):
        raise CheckFailed(f"{name}: {flaw}")
    print(f"✓ {name}: correct")


def _at_test(codes: list[Tensor], mu: Tensor, log_var: Tensor) -> str | None:
    """What is wrong with the codes at test time, or None."""
    first, second = codes
    if not torch.equal(first, second):
        return "two test passes differ: you sample at test time. There the code is μ, the same each time"
    if torch.allclose(first, mu, atol=1e-5):
        return None
    if torch.allclose(first, mu + torch.exp(0.5 * log_var), atol=1e-5):
        return "at test time you add σ to μ; the code is μ alone"
    if torch.allclose(first, torch.zeros_like(mu), atol=1e-5):
        return "at test time you return 0, the mean of the prior; the code is μ, which knows the image"
    return "at test time the code is μ; yours is another fixed value"


def _in_training(z: Tensor, mu: Tensor, log_var: Tensor) -> str | None:
    """What is wrong with (draws, B, d) codes in training, or None."""
    if torch.equal(z[0], z[1]):
        if torch.equal(z[0], mu):
            return "in training you return μ: without noise the KL has nothing to pay for. Draw z = μ + σ·ε there"
        return "the noise is drawn once: every batch gets the same ε. Draw it anew in each call"
    sigma = torch.exp(0.5 * log_var)
    off, spread = (z.mean(dim=0) - mu).abs(), z.std(dim=0)
    if bool((off > 5 * spread / DRAWS**0.5 + 1e-6).any()):
        at_zero = bool((z.mean(dim=0).abs() < 5 * spread / DRAWS**0.5).all())
        return "the draws are centred on 0; centre them on μ" if at_zero else "the mean of many draws is not μ"
    known = {
        "log_var is taken for σ": log_var.abs(),
        "the noise is scaled by the variance σ²; take its root, exp(log_var / 2)": log_var.exp(),
        "the noise is not scaled by σ": torch.ones_like(sigma),
    }
    margin = 5 / (2 * DRAWS) ** 0.5  # of a standard deviation estimated from so many normal draws, relative
    if bool(((spread / sigma - 1).abs() > margin).any()):
        fits = (what for what, other in known.items() if bool(((spread / other - 1).abs() < margin).all()))
        return next(fits, "the spread of many draws is not σ = exp(log_var / 2)")
    noise = ((z - mu) / sigma).flatten(1)
    together = torch.corrcoef(noise.T) - torch.eye(noise.shape[1])
    if bool((together.abs() > 5 / DRAWS**0.5).any()):
        return "images or dimensions share their noise; draw one ε for every number: torch.randn_like(mu)"
    if bool((noise.square().square().mean(dim=0) - 3).abs().max() > 1):  # 3 for a Gaussian, standard error 0.15
        return "the noise is not Gaussian: use torch.randn_like, not rand"
    return None
