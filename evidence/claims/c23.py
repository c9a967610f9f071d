"""C23: the encoder names μ and σ; codes are drawn in training only, and at test time μ is the code.

VAE with 10 numbers, 2,000 digits, 400 steps of 64, width 8, hidden 64, on black-and-white test digits. Two passes of
each kind; reconstruction and ELBO at μ and at a draw; the gradient of E_q[log p(x|z)] with respect to μ by the
reparameterisation and by the score function, 300 draws each for 16 images.
"""

import math

import torch
from torch import Tensor

from autoencoder_lab import metrics
from autoencoder_lab.models import VAE
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    WRONG,
    Figures,
    Rows,
    Verdict,
    binary_digits,
    difference,
    digits_vae,
    drawn_codes,
    over_seeds,
)

SLIDE = "002"
CLAIM = "The encoder gives μ and σ; a code is drawn at random in training only, at test time the mean is the code"
NOTEBOOK, SECTION = "04", "2"
EXPECTED = CONDITION


def gradients(model: VAE, x: Tensor, draws: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Estimates of ∂/∂μ E_q[log p(x|z)], (draws, B, d) each, by three rules that are all unbiased."""
    with torch.no_grad():
        mu, log_var = model.posterior(x)
    sigma = torch.exp(0.5 * log_var)
    found: dict[str, list[Tensor]] = {"pathwise": [], "score": []}
    values = []
    for _ in range(draws):
        noise = torch.randn(mu.shape, generator=generator)
        z = (mu + sigma * noise).requires_grad_()
        log_p = model.log_likelihood(x, z)
        found["pathwise"].append(torch.autograd.grad(log_p.sum(), z)[0])  # ∂z/∂μ = 1
        found["score"].append(noise / sigma)  # ∂ log q(z|x) / ∂μ
        values.append(log_p.detach())
    score, log_ps = torch.stack(found["score"]), torch.stack(values)[..., None]
    others = (log_ps.sum(dim=0) - log_ps) / (draws - 1)  # a baseline from the other draws leaves no bias
    return {
        "pathwise": torch.stack(found["pathwise"]),
        "score": log_ps * score,
        "baseline": (log_ps - others) * score,
    }


def disagreement(a: Tensor, b: Tensor) -> float:
    """Root mean square of the difference of two means over draws, in its standard errors; about 1 for one truth."""
    error = ((a.var(dim=0) + b.var(dim=0)) / len(a)).sqrt()
    return float(((a.mean(dim=0) - b.mean(dim=0)) / error).square().mean().sqrt())


def experiment(seed: int) -> Figures:
    """Change between passes, error and ELBO at μ and at a draw, variances of gradients, and whether these agree."""
    split, model = binary_digits(2000).test, digits_vae(10, seed)
    x = split.images
    with torch.no_grad():
        mu, log_var = model.posterior(x)
        kl = model.kl(mu, log_var, mu).sum(dim=1)
        codes = {"first": drawn_codes(model, split, 1), "second": drawn_codes(model, split, 2), "mean": mu}
        bounds = {name: model.log_likelihood(x, z) - kl for name, z in codes.items()}
        mse = {name: float((model.decode(z) - x).square().mean()) for name, z in codes.items()}
    again = metrics.encode(model, split)
    one, other = (gradients(model, x[:16], 300, torch.Generator().manual_seed(s)) for s in (10, 11))
    spread = {name: float(values.var(dim=0).mean()) for name, values in one.items()}
    return {
        "test_passes_differ": float((again - mu).abs().max()),
        "loss_passes_differ": float((bounds["first"] - bounds["second"]).abs().mean()),
        "mse_mean": mse["mean"],
        "mse_draw": mse["first"],
        "elbo_mean": float(bounds["mean"].mean()),
        "elbo_draw": float(bounds["first"].mean()),
        "disagreement": disagreement(one["pathwise"], other["score"]),
        "disagreement_baseline": disagreement(one["pathwise"], other["baseline"]),
        "log_variance_score": math.log10(spread["score"] / spread["pathwise"]),
        "log_variance_baseline": math.log10(spread["baseline"] / spread["pathwise"]),
    }


def verdict(rows: Rows) -> Verdict:
    """Right where μ repeats itself, errs less than a draw and serves every test-time figure; conditional where an ELBO
    taken at μ flatters by more than 1 nat; wrong where μ errs more."""
    repeats = over_seeds(rows, "test_passes_differ").below(1e-4) and over_seeds(rows, "loss_passes_differ").above(0.1)
    better = difference(rows, "mse_draw", "mse_mean")
    flattery = difference(rows, "elbo_mean", "elbo_draw")
    sentence = (
        f"Two test passes give the same μ; two loss passes differ by {over_seeds(rows, 'loss_passes_differ')} nats an "
        f"image. Decoded from μ, test digits have the error {over_seeds(rows, 'mse_mean')}, from a draw "
        f"{over_seeds(rows, 'mse_draw')}. But an ELBO is an expectation over draws: at μ it comes out as "
        f"{over_seeds(rows, 'elbo_mean')} nats, {flattery} too good, so likelihoods need draws at test time as well. "
        "Why draws are written z = μ + σε: the gradient from the score function agrees with it (difference of the "
        f"means {over_seeds(rows, 'disagreement')} standard errors) with a variance "
        f"{10 ** over_seeds(rows, 'log_variance_score').mean:,.0f} times as large, "
        f"{10 ** over_seeds(rows, 'log_variance_baseline').mean:,.0f} times with a baseline (geometric means)."
    )
    if not repeats:
        return Verdict(UNDECIDED, sentence)
    word = (
        UNDECIDED
        if not better.above()
        else CONDITION
        if flattery.above(1)
        else RIGHT
        if flattery.below(1)
        else UNDECIDED
    )
    return Verdict(WRONG if better.below() else word, sentence)
