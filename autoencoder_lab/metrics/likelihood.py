"""Models with a posterior q(z|x): bounds on the likelihood, and what the dimensions of the code say."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab import arguments, losses
from autoencoder_lab.data.batches import evaluating
from autoencoder_lab.metrics.codes import encode
from autoencoder_lab.metrics.estimate import Estimate, mean_of


def elbo(model: Any, split: Any) -> Estimate:
    """The evidence lower bound in nats per image, E_q[log p(x|z) + log p(z) − log q(z|x)]; higher is better.

    One z an image is drawn from q(z|x), never its mean, which would flatter; β, free bits and warm-up play no part.
    x is what the model observes, so binarised images for a Bernoulli likelihood. Raises TypeError for a model without
    `posterior`. Kingma and Welling (2014).
    """
    return mean_of(_log_weights(model, split, 1)[0])


def nll(model: Any, split: Any, samples: int = 100) -> Estimate:
    """−log p(x) in nats per image by importance sampling, −log 1/K Σ_k p(x|z_k) p(z_k) / q(z_k|x); lower is better.

    An upper bound in expectation, tighter with more samples: K = 1 is −ELBO. Each image is observed (binarised) once.
    Burda, Grosse and Salakhutdinov (2016), "Importance weighted autoencoders", equation 8.
    """
    samples = arguments.whole("samples", samples, 1, what="of codes drawn for an image")
    weights = _log_weights(model, split, samples)
    return mean_of(math.log(samples) - weights.logsumexp(dim=0))


@torch.no_grad()
def kl_per_dimension(model: Any, split: Any) -> Tensor:
    """KL[q(z_j|x) ‖ p(z_j)] in nats for each dimension j, averaged over images: (d,), double precision.

    (1,) for a prior that does not factorise: one KL of the whole code, estimated at one draw an image.
    """
    with evaluating(model):
        each = torch.cat([model.kl(mu, log_var, z) for _, mu, log_var, z in posterior_draws(model, split)])
    return each.double().mean(dim=0)


def active_units(model: Any, split: Any, threshold: float = 0.01) -> int:
    """How many dimensions of the code say something about the image: those where Var_x[μ_j(x)] > threshold.

    Burda, Grosse and Salakhutdinov (2016), section 5.3. Says little about a model whose codes have no fixed scale.
    """
    threshold = arguments.number("threshold", threshold, "is a variance, ≥ 0", lambda value: value >= 0)
    return int((encode(model, split).double().var(dim=0, correction=0) > threshold).sum())


@torch.no_grad()
def posterior_draws(model: Any, split: Any, samples: int = 1) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """(x, μ, log σ², z) batch by batch, the whole split `samples` times; always the same draws.

    The model is in the mode that the caller puts it into, for it is used between the batches.
    """
    if not arguments.model(model, "posterior").has_posterior:
        raise TypeError(f"this is about q(z|x), which a VAE names; {model.label!r} has no posterior")
    arguments.split(split)
    samples = arguments.whole("samples", samples, 1, what="of codes drawn for an image")
    generator = torch.Generator().manual_seed(0)
    observed = model.observe(split.images, generator).split(500)
    for x, (mu, log_var) in [(x, model.posterior(x)) for x in observed] * samples:
        noise = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
        yield x, mu, log_var, mu + torch.exp(0.5 * log_var) * noise


@torch.no_grad()
def _log_weights(model: Any, split: Any, samples: int) -> Tensor:
    """log p(x|z) + log p(z) − log q(z|x) at draws z from q(z|x): (samples, N), double precision."""
    with evaluating(model):
        weights = [
            model.log_likelihood(x, z) + model.log_prior(z) - losses.gaussian_log_density(z, mu, log_var).sum(dim=1)
            for x, mu, log_var, z in posterior_draws(model, split, samples)
        ]
    return torch.cat(weights).double().view(samples, -1)


def disentanglement(model: Any, split: Any, resamples: int = 20) -> Estimate:
    """Mutual information gap of the codes in [0, 1]: 1 where each factor is told by one dimension alone.

    For each factor v: the information that its best dimension has about it less that of the second best, divided by the
    entropy of v; averaged over the factors. Codes are draws from q(z|x) where there is one, so that a dimension drowned
    in noise tells nothing. Information is measured on ten equally filled bins. Error by bootstrap over images.
    split: with `factors` (N, F), such as lab.load("shapes").test. Chen et al. (2018), equation 6.
    """
    resamples = arguments.whole("resamples", resamples, 2)
    arguments.model(model, "encode")
    if not hasattr(split, "factors"):
        raise TypeError('disentanglement needs images with known factors, such as lab.load("shapes").test')
    with evaluating(model):
        drawn = [z for *_, z in posterior_draws(model, split)] if model.has_posterior else [encode(model, split)]
    codes = torch.cat(drawn)
    z, v = _in_bins(codes), _in_bins(split.factors)

    def gap(rows: Tensor) -> float:
        # I(z_j; v_k) = Σ p(a, b) log p(a, b) / (p(a) p(b)) over the bins a of z_j and b of v_k
        joint = torch.einsum("nja,nkb->jkab", z[rows], v[rows]) / len(rows)
        independent = joint.sum(dim=3, keepdim=True) * joint.sum(dim=2, keepdim=True)
        information = (torch.xlogy(joint, joint) - torch.xlogy(joint, independent)).sum(dim=(2, 3))
        best, second = torch.cat([information, torch.zeros_like(information[:1])]).topk(2, dim=0).values
        share = v[rows].mean(dim=0)
        entropy = -torch.xlogy(share, share).sum(dim=1)
        return float(((best - second) / entropy)[entropy > 0].mean())  # a factor that never varies is not asked after

    generator = torch.Generator().manual_seed(0)
    again = [gap(torch.randint(len(z), (len(z),), generator=generator)) for _ in range(resamples)]
    return Estimate(gap(torch.arange(len(z))), float(torch.tensor(again).std()))


def _in_bins(values: Tensor, bins: int = 10) -> Tensor:
    """(N, d) → (N, d, bins), one-hot: the bin of each value among equally filled ones; equal values share a bin."""
    values = values.double()
    edges = torch.quantile(values, torch.arange(1, bins, dtype=torch.double) / bins, dim=0)
    return torch.nn.functional.one_hot((values > edges[:, None]).sum(dim=0), bins).double()
