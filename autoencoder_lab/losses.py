"""Losses: pure functions, one formula each.

Every reconstruction loss is summed over the pixels of an image and averaged over the batch, so its unit is "per image"
and its size does not depend on the batch. Divide by C·H·W for a value per pixel.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def _check_same_shape(x_hat: Tensor, x: Tensor) -> None:
    if x_hat.shape != x.shape:
        raise ValueError(
            f"reconstruction and target must have one shape, got {tuple(x_hat.shape)} and {tuple(x.shape)}"
        )


def squared_error(x_hat: Tensor, x: Tensor) -> Tensor:
    """Summed squared error per image, averaged over the batch; a scalar ≥ 0.

    x_hat, x: (B, C, H, W). Slide 001, "Choice of loss function": L = 1/m Σ_i ‖x̂_i − x_i‖².
    """
    _check_same_shape(x_hat, x)
    # 1/B Σ_i Σ_j (x̂_ij − x_ij)²
    return (x_hat - x).pow(2).sum() / len(x)


def cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    """Binary cross-entropy in nats per image, averaged over the batch.

    logits: (B, C, H, W), the values *before* the sigmoid; x: (B, C, H, W) in [0, 1].
    Its lowest value is not 0 but `entropy(x)` wherever x holds grey values.
    Raises ValueError where x leaves [0, 1]: outside it the loss has no lower bound.
    Slide 001, "Choice of loss function": −Σ_j x_j log x̂_j + (1 − x_j) log(1 − x̂_j), with x̂ = sigmoid(logits).
    """
    _check_same_shape(logits, x)
    if x.min() < 0 or x.max() > 1:
        raise ValueError(
            f"cross-entropy needs targets in [0, 1], got [{x.min():.3g}, {x.max():.3g}]; "
            "rescale the images or use squared_error"
        )
    # computed from logits: log(sigmoid(a)) itself overflows for a < −100
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)


def entropy(x: Tensor) -> Tensor:
    """Entropy of the pixels in nats per image, averaged over the batch: the floor under `cross_entropy`.

    x: (B, C, H, W) in [0, 1]; 0 for black-and-white images, at most C·H·W·log 2.
    """
    # H(x) = −x log x − (1 − x) log(1 − x), with 0 log 0 = 0
    return -(torch.xlogy(x, x) + torch.xlogy(1 - x, 1 - x)).sum() / len(x)


# --- densities, for models that state probabilities: one value an element, to be summed by who calls ---------------


def gaussian_kl(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL[N(μ, σ²) ‖ N(0, 1)] in nats for each element; ≥ 0, and 0 only at μ = 0, σ = 1.

    mu, log_var: any one shape, (B, d) for codes; log_var is log σ², not σ.
    Kingma and Welling (2014), appendix B; slide 003.
    """
    # ½ (μ² + σ² − 1 − log σ²)
    return 0.5 * (mu.pow(2) + log_var.exp() - 1 - log_var)


def gaussian_log_density(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """log N(x; mean, exp(log_var)) in nats for each element; the three are broadcast."""
    # −½ [(x − m)²/σ² + log σ² + log 2π]
    return -0.5 * ((x - mean).pow(2) / log_var.exp() + log_var + math.log(2 * math.pi))


def bernoulli_log_density(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x) in nats for each element, where p(x = 1) = sigmoid(logits); x in {0, 1}, or grey in [0, 1]."""
    # x log p + (1 − x) log(1 − p)
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none")
