"""Notebook 04b's own check: the right functions pass, each common mistake is named, a stub is "not done yet"."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from autoencoder_lab import checks

Function = Callable[..., Any]


def by_variance(mu: Tensor, log_var: Tensor) -> int:
    return int((mu.var(dim=0) > 0.01).sum())


def by_moments(mu: Tensor, log_var: Tensor) -> Tensor:
    """E[μ²] − E[μ]², dimension by dimension, as a tensor."""
    return ((mu.square().mean(dim=0) - mu.mean(dim=0).square()) > 0.01).sum()


@pytest.mark.parametrize("right", [by_variance, by_moments])
def test_active_units_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.active_units(right)
    assert "✓" in capsys.readouterr().out


def from_draws(mu: Tensor, log_var: Tensor) -> int:
    """The colleague's function of the notebook: the variance of codes drawn from q(z|x)."""
    z = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
    return int((z.var(dim=0) > 0.01).sum())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (from_draws, "drawn codes"),
        (lambda mu, log_var: int((mu.var(dim=1) > 0.01).sum()), "over the images, dim=0"),
        (lambda mu, log_var: int((mu.std(dim=0) > 0.01).sum()), "one for the variance"),
        (lambda mu, log_var: int((mu.pow(2).mean(dim=0) > 0.01).sum()), "the size of μ"),
        (lambda mu, log_var: int((mu.mean(dim=0).abs() > 0.01).sum()), "the mean of μ over the images"),
        (lambda mu, log_var: int((torch.exp(log_var).mean(dim=0) < 0.99).sum()), "by σ alone"),
        (lambda mu, log_var: int((log_var.var(dim=0) > 0.01).sum()), "how much log σ² varies"),
        (lambda mu, log_var: int((mu.var(dim=0) <= 0.01).sum()), "inactive"),
        (lambda mu, log_var: int((mu.var(dim=0) > 0.1).sum()), "not 0.1"),
        (lambda mu, log_var: int((mu.var(dim=0) > 0).sum()), "with 0 every dimension counts"),
        (lambda mu, log_var: float((mu.var(dim=0) > 0.01).float().mean()), "share of active dimensions"),
        (lambda mu, log_var: mu.var(dim=0) > 0.01, r"must have shape \(\)"),
        (lambda mu, log_var: mu.variance(dim=0), "stops with AttributeError"),
    ],
)
def test_active_units_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.active_units(wrong)


def test_active_units_not_done(capsys: pytest.CaptureFixture[str]) -> None:
    checks.active_units(lambda mu, log_var: None)
    assert "not done yet" in capsys.readouterr().out
