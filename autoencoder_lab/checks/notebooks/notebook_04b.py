"""The check of notebook 04b that its author needs: counting active units. The others stand in notebook_04.py."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab.checks.compare import compare_with


def active_units(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 04b.2: student(mu, log_var), (N, d) each, gives how many dimensions j have Var_x[μ_j(x)] > 0.01."""

    def right(mu: Tensor, log_var: Tensor) -> int:
        return int((mu.var(dim=0) > 0.01).sum())

    def of_draws(mu: Tensor, log_var: Tensor) -> int:
        # Var[z] = Var[μ] + E[σ²], what the variance of many draws comes to
        return int((mu.var(dim=0) + log_var.exp().mean(dim=0) > 0.01).sum())

    mistakes: dict[str, Callable[[Tensor, Tensor], float]] = {
        "you measure how much drawn codes z vary. A dead dimension has σ = 1, so its draws vary a lot and say nothing; "
        "measure how much the mean μ varies": of_draws,
        "you take the variance over the dimensions; it is to be taken over the images, dim=0": lambda m, s: int(
            (m.var(dim=1) > 0.01).sum()
        ),
        "you look at the standard deviation of μ; the threshold 0.01 is one for the variance": lambda m, s: int(
            (m.std(dim=0) > 0.01).sum()
        ),
        "you look at the size of μ, not at how much it varies: a dimension whose μ is the same for every image says "
        "nothing, however far from 0 it lies": lambda m, s: int((m.square().mean(dim=0) > 0.01).sum()),
        "you look at the mean of μ over the images; what counts is how much μ varies": lambda m, s: int(
            (m.mean(dim=0).abs() > 0.01).sum()
        ),
        "you count by σ alone: that σ differs from 1 does not say that μ moves": lambda m, s: int(
            (s.exp().mean(dim=0) < 0.99).sum()
        ),
        "you look at how much log σ² varies; what counts is the mean μ": lambda m, s: int((s.var(dim=0) > 0.01).sum()),
        "you count the inactive dimensions": lambda m, s: int((m.var(dim=0) <= 0.01).sum()),
        "the threshold is 0.01, not 0.1": lambda m, s: int((m.var(dim=0) > 0.1).sum()),
        "the threshold is 0.01; with 0 every dimension counts, for no μ is ever exactly constant": lambda m, s: int(
            (m.var(dim=0) > 0).sum()
        ),
        "you count images with |μ| > 0.01, not dimensions": lambda m, s: int((m.abs() > 0.01).any(dim=1).sum()),
        "you give the share of active dimensions; give their number": lambda m, s: float(
            (m.var(dim=0) > 0.01).float().mean()
        ),
    }
    compare_with("active_units", student, right, mistakes, [_case(0), _case(1)])


def _case(seed: int) -> tuple[Tensor, Tensor]:
    """200 images; so many dimensions of each kind that every mistake arrives at another number."""
    kinds = [  # how many, standard deviation of μ, mean of μ, log σ²
        (3, 1.0, 0.0, -3.0),  # active
        (1, 1.0, 0.5, -3.0),  # active, off centre
        (2, 0.2, 0.0, -0.1),  # active, faintly
        (3, 0.0, 0.0, 0.0),  # dead
        (4, 0.0, 2.0, 0.0),  # far from 0, but still
        (2, 0.0, 0.0, -1.5),  # only σ changes from image to image, see below
        (1, 0.03, 0.0, 0.0),  # moves too little
        (1, 0.0, 0.0, -8.0),  # narrow, but still
    ]
    sd, mean, log_var = torch.tensor([kind[1:] for kind in kinds for _ in range(kind[0])]).T
    draw = torch.Generator().manual_seed(seed)
    mu = mean + (sd + 1e-4) * torch.randn(200, len(sd), generator=draw)
    varies = (log_var == -1.5).float()
    return mu, log_var + varies * torch.randn(200, 1, generator=draw)
