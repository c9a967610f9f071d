"""Notebook 04's check of the code: drawn in training, μ at test. Right functions pass, wrong ones are named."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from autoencoder_lab import checks

Function = Callable[..., Any]


def sigma(log_var: Tensor) -> Tensor:
    return torch.exp(0.5 * log_var)


def by_formula(mu: Tensor, log_var: Tensor, training: bool) -> Tensor:
    return mu + sigma(log_var) * torch.randn_like(mu) if training else mu


def by_distribution(mu: Tensor, log_var: Tensor, training: bool) -> Tensor:
    posterior = torch.distributions.Normal(mu, sigma(log_var))
    return posterior.rsample() if training else posterior.mean


@pytest.mark.parametrize("right", [by_formula, by_distribution])
def test_code_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(5):  # a check that draws must not depend on luck
        torch.manual_seed(seed)
        checks.code(right)
        assert "✓" in capsys.readouterr().out


ONCE = torch.randn(3, 2, generator=torch.Generator().manual_seed(7))


def in_training(draw: Callable[[Tensor, Tensor], Tensor]) -> Function:
    return lambda mu, log_var, training: draw(mu, log_var) if training else mu


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda m, s, training: m + sigma(s) * torch.randn_like(m), "sample at test time"),
        (lambda m, s, training: m if training else m + sigma(s) * torch.randn_like(m), "sample at test time"),
        (lambda m, s, training: m, "in training you return μ"),
        (in_training(lambda m, s: m + sigma(s) * ONCE), "drawn once"),
        (lambda m, s, training: m + sigma(s) * (torch.randn_like(m) if training else 1), "you add σ to μ"),
        (lambda m, s, training: m * 0 + (by_formula(m, s, True) if training else 0), "you return 0"),
        (in_training(lambda m, s: m + s * torch.randn_like(m)), "taken for σ"),
        (in_training(lambda m, s: m + s.exp() * torch.randn_like(m)), "by the variance"),
        (in_training(lambda m, s: m + torch.randn_like(m)), "not scaled by σ"),
        (in_training(lambda m, s: sigma(s) * torch.randn_like(m)), "centred on 0"),
        (in_training(lambda m, s: m + sigma(s) * torch.rand_like(m)), "mean of many draws"),
        (in_training(lambda m, s: m + sigma(s) * (torch.rand_like(m) - 0.5) * 12**0.5), "not Gaussian"),
        (in_training(lambda m, s: m + sigma(s) * torch.randn(1, 2)), "share their noise"),
        (in_training(lambda m, s: m + sigma(s) * torch.randn(3, 1)), "share their noise"),
        (in_training(lambda m, s: m + 2 * sigma(s) * torch.randn_like(m)), "spread of many draws"),
        (lambda m, s, training: by_formula(m, s, training)[0], r"shape \(3, 2\), like mu; got \(2,\)"),
        (lambda m, s, training: m.sample(), "stops with AttributeError"),
    ],
)
def test_code_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.code(wrong)


def test_code_not_done(capsys: pytest.CaptureFixture[str]) -> None:
    checks.code(lambda mu, log_var, training: None)
    assert "not done yet" in capsys.readouterr().out
