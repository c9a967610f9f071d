"""Losses: pure functions, one formula each.

Every reconstruction loss is summed over the pixels of an image and averaged over the batch, so its unit is "per image"
and its size does not depend on the batch. Divide by C·H·W for a value per pixel.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from autoencoder_lab import arguments


def _check_same_shape(x_hat: Tensor, x: Tensor) -> None:
    for name, given in (("the reconstruction", x_hat), ("the target", x)):
        if not isinstance(given, Tensor):
            raise TypeError(f"{name} must be a tensor, got {arguments.shown(given)}")
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
    x = arguments.tensor("x", x, "(B, C, H, W)")
    if x.min() < 0 or x.max() > 1:
        raise ValueError(f"entropy is that of pixels in [0, 1], got [{x.min():.3g}, {x.max():.3g}]; rescale the images")
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


# --- adversarial games: scores are logits (B,), high where the critic holds an image for real; each loss a scalar -----


def critic_cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """What the critic minimises, with D = sigmoid(score); log 4 where it cannot tell. Goodfellow et al. (2014), eq. 1.

    real, fake: (B,) logits, not probabilities; slide 004, step 4. In nats per image of either kind.
    """
    # −E log D(x) − E log(1 − D(G(z)))
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_non_saturating(real: Tensor, fake: Tensor) -> Tensor:
    """−E log D(G(z)): what a generator minimises in practice; log 2 where the critic cannot tell. `real` is not used.

    Its gradient is large exactly where the critic sees through the fake. Goodfellow et al. (2014), section 3.
    """
    return F.softplus(-fake).mean()


def generator_saturating(real: Tensor, fake: Tensor) -> Tensor:
    """E log(1 − D(G(z))): the generator's side of the minimax game, flat where the critic is sure. `real` is not used.

    Goodfellow et al. (2014), eq. 1.
    """
    return -F.softplus(fake).mean()


def critic_hinge(real: Tensor, fake: Tensor) -> Tensor:
    """E max(0, 1 − D(x)) + E max(0, 1 + D(G(z))): scores beyond ±1 earn nothing more. Lim and Ye (2017)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def generator_hinge(real: Tensor, fake: Tensor) -> Tensor:
    """−E D(G(z)). `real` is not used. Lim and Ye (2017)."""
    return -fake.mean()


def relativistic(preferred: Tensor, other: Tensor) -> Tensor:
    """−E log sigmoid(D(preferred) − D(other)): the preferred image of each pair should score higher; log 2 at a tie.

    The critic prefers real ones, relativistic(real, fake), the generator its own, relativistic(fake, real).
    Jolicoeur-Martineau (2019); Huang et al. (2024), "The GAN is dead", eq. 2.
    """
    return F.softplus(other - preferred).mean()


def squared_gradient(scores: Tensor, x: Tensor) -> Tensor:
    """E ‖∇_x D(x)‖²: how steep the critic is at images x; R1 on real ones, R2 on fakes. Mescheder et al. (2018), eq. 9.

    scores: (B,), computed from x: (B, …), which requires a gradient; each score from its own x alone.
    """
    for name, given in (("scores", scores), ("x", x)):
        if not isinstance(given, Tensor):
            raise TypeError(f"{name} must be a tensor, got {arguments.shown(given)}")
    if not (x.requires_grad and scores.requires_grad):
        raise ValueError(
            "the slope of scores in x is asked for, and they do not depend on x: call x.requires_grad_() before you "
            "compute them, and not under no_grad"
        )
    (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(dim=1).mean()


# --- VICReg: z (B, D), embeddings of B ≥ 2 images; each term a scalar -----------------------------------------------


def vicreg_variance(z: Tensor, eps: float = 1e-4) -> Tensor:
    """1/D Σ_j max(0, 1 − √(Var_B[z_j] + ε)): 0 where every dimension spreads at least by 1, 0.99 for a constant z.

    Without ε the root has no gradient at 0. Bardes, Ponce and LeCun (2022), eqs 1 and 2.
    """
    _check_embeddings(z)
    return F.relu(1 - torch.sqrt(z.var(dim=0) + eps)).mean()


def vicreg_invariance(z: Tensor, other: Tensor) -> Tensor:
    """1/(B·D) Σ_i ‖z_i − z'_i‖²: two views of an image should embed alike.

    Averaged over D as in the authors' program; their equation 5 sums over it.
    """
    _check_same_shape(z, other)
    return (z - other).square().mean()


def vicreg_covariance(z: Tensor) -> Tensor:
    """1/D Σ_{i≠j} C_ij², C the covariance of the dimensions over the batch: 0 where none repeats another.

    2 (D − 1) at most for a pair of copies of one unit-variance number. Bardes, Ponce and LeCun (2022), eqs 3 and 4.
    """
    _check_embeddings(z)
    centred = z - z.mean(dim=0)
    covariance = centred.T @ centred / (len(z) - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / z.shape[1]


def _check_embeddings(z: Tensor) -> None:
    if z.ndim != 2 or len(z) < 2:
        raise ValueError(
            f"variance and covariance are taken over a batch: needs embeddings (B, D), B ≥ 2, got {tuple(z.shape)}"
        )
