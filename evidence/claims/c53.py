"""C53: loss = ‖x − x̂‖² + KL[N(μ, σ²) ‖ N(0, 1)].

That is a Gaussian decoder with variance s² = ½: −log p(x|z) = ‖x − x̂‖²/2s² + constant. 10 numbers, 2,000 digits, 400
steps of 64, width 8, hidden 64: s² = ½, s² = 0.01, s² learned; and the learned s² fixed with β = 1/2s², since
‖x − x̂‖²/2s² + β KL is in proportion to ‖x − x̂‖² + 2s²β KL.
"""

import math

from autoencoder_lab import metrics
from autoencoder_lab.models import VAE
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    VAE_STEPS,
    WRONG,
    Figures,
    Rows,
    Verdict,
    difference,
    digits,
    mean_image_mse,
    over_seeds,
    ratio,
    test_mse,
    train,
    unwatched,
)

SLIDE = "003"
CLAIM = "The loss of a VAE is ‖x − x̂‖² + KL"
NOTEBOOK, SECTION = "04", "6"
EXPECTED = CONDITION


def experiment(seed: int) -> Figures:
    """Error, KL, active units and −ELBO by s², the learned s², and the β that the slide's loss stands for."""
    data = digits(2000)

    def trained(sigma: float | None, beta: float = 1.0) -> VAE:
        model = VAE(10, beta=beta, likelihood="gaussian", sigma=sigma, warm_up=0.2, width=8, hidden=64)
        train(model, unwatched(data), seed, steps=VAE_STEPS, learning_rate=3e-3)
        return model

    learned = trained(None)
    variance = float(learned.log_sigma.detach().mul(2).exp())
    beta = 1 / (2 * variance)
    models = {
        "slide": trained(math.sqrt(0.5)),
        "small": trained(0.1),
        "learned": learned,
        "as_slide": trained(math.sqrt(variance), beta),
    }
    figures = {"variance": variance, "beta": beta, "mean_image": mean_image_mse(data)}
    for name, model in models.items():
        figures[f"mse_{name}"] = test_mse(model, data)
        figures[f"kl_{name}"] = float(metrics.kl_per_dimension(model, data.test).sum())
        figures[f"active_{name}"] = float(metrics.active_units(model, data.test))
        figures[f"minus_elbo_{name}"] = -metrics.elbo(model, data.test).value
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where the slide's loss is the one a learned variance asks for (β within a factor of 2 of 1); conditional
    where it is a β-VAE with a β far from 1 (above 2, or below ½) that costs reconstruction; wrong where it learns
    nothing beyond the mean image."""
    beta = over_seeds(rows, "beta")
    costs = difference(rows, "mse_slide", "mse_learned").above()
    nothing = ratio(rows, "mse_slide", "mean_image").above(0.95) and over_seeds(rows, "active_slide").below(0.5)
    sentence = (
        "It is −ELBO (to a constant) of a Gaussian decoder with s² = ½, on pixels in [0, 1]. A learned s² comes out as "
        f"{over_seeds(rows, 'variance')}; measured by it the slide's loss is a β-VAE with β = 1/2s² = {beta}. It keeps "
        f"{over_seeds(rows, 'kl_slide')} nats in {over_seeds(rows, 'active_slide')} of 10 dimensions with the error "
        f"{over_seeds(rows, 'mse_slide')}; with s² learned {over_seeds(rows, 'kl_learned')} nats in "
        f"{over_seeds(rows, 'active_learned')}, error {over_seeds(rows, 'mse_learned')}; with s² = 0.01 "
        f"{over_seeds(rows, 'kl_small')} nats, error {over_seeds(rows, 'mse_small')} (the mean image's is "
        f"{over_seeds(rows, 'mean_image')}). Trained with the learned s² and that β, a VAE has "
        f"{over_seeds(rows, 'kl_as_slide')} nats and the error {over_seeds(rows, 'mse_as_slide')}, as the slide's. "
        f"−ELBO: {over_seeds(rows, 'minus_elbo_slide')} with s² = ½, {over_seeds(rows, 'minus_elbo_learned')} learned."
    )
    far = costs and (beta.above(2) or (beta.below(0.5) and beta.above(0)))
    word = CONDITION if far else RIGHT if beta.below(2) and beta.above(0.5) else UNDECIDED
    return Verdict(WRONG if nothing else word, sentence)
