"""The questions of lab 4, the variational autoencoder."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from autoencoder_lab import arguments, losses
from autoencoder_lab.checks.compare import CheckFailed, unfinished
from autoencoder_lab.checks.question import Inputs, Question, Wrong, numbers_read

IMPORTS = """import math

import torch
import torch.nn.functional as F
from torch import nn

import autoencoder_lab as lab
"""
"""The cell of imports, which `autoencoder-lab check` puts back where a notebook lost it."""
PARTS = {
    "best_prior": (4, "best_prior.check(best_prior)"),
    "equivalent_beta": (4, "equivalent_beta.check(equivalent_beta)"),
    "importance_bound": (4, "importance_bound.check(importance_bound)"),
    "conditional": (4, "conditional(model, data.val)"),
    "reading": (3, "reading(mine.train, nats_of_mean_image, nats_saved, most_for_a_perfect_model)"),
    "words": (4, ""),
}
"""The points of each part, and the check under it: what `autoencoder-lab check` asks where a notebook lost it."""

# --- the Gaussian prior with the least mean KL ------------------------------------------------------------------------


def _best_prior(mu: Tensor, log_var: Tensor) -> tuple[Tensor, Tensor]:
    mean = mu.mean(dim=0)
    return mean, (log_var.exp() + (mu - mean).square()).mean(dim=0).log()


def _with_variance(variance: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The right mean, and the logarithm of this variance, which is made from the centred means and log_var."""
    return lambda mu, log_var: (mu.mean(dim=0), variance(mu - mu.mean(dim=0), log_var).log())


def _least_reverse_kl(mu: Tensor, log_var: Tensor) -> tuple[Tensor, Tensor]:
    """The Gaussian p with the least mean KL[p, q_i]: precisions are averaged."""
    precision = (-log_var).exp()
    return (precision * mu).mean(dim=0) / precision.mean(dim=0), -precision.mean(dim=0).log()


def _posteriors(generator: Generator) -> Sequence[Inputs]:
    """Means off centre and of unequal spread, log-variances between −2 and 1."""
    calls = []
    for count, d in ((9, 3), (30, 2)):
        mu = torch.randn(count, d, generator=generator) * torch.linspace(0.4, 1.5, d)
        log_var = 3 * torch.rand(count, d, generator=generator) - 2
        calls.append((mu + 1 + torch.rand(d, generator=generator), log_var))
    return calls


best_prior = Question(
    "best_prior",
    _best_prior,
    {
        "not the log": Wrong(
            "that is s² itself; return its logarithm",
            lambda mu, log_var: (_best_prior(mu, log_var)[0], _best_prior(mu, log_var)[1].exp()),
            0.75,
        ),
        "log s": Wrong(
            "that is log s; return log s², the logarithm of the variance",
            lambda mu, log_var: (_best_prior(mu, log_var)[0], 0.5 * _best_prior(mu, log_var)[1]),
            0.75,
        ),
        "standard deviation": Wrong(
            "that is the standard deviation s; return log s²",
            lambda mu, log_var: (_best_prior(mu, log_var)[0], (0.5 * _best_prior(mu, log_var)[1]).exp()),
            0.5,
        ),
        "means only": Wrong(
            "that is how the means spread; each image's own σ² stands in the KL too, and the prior has to cover it",
            _with_variance(lambda centred, log_var: centred.square().mean(dim=0)),
            0.25,
        ),
        "variances only": Wrong(
            "that is the mean of the images' own variances; their means lie apart, and the prior has to reach them all",
            _with_variance(lambda centred, log_var: log_var.exp().mean(dim=0)),
            0.25,
        ),
        "logarithms averaged": Wrong(
            "you average log σ²; in the derivative by s² it is the variances themselves that are averaged, and the "
            "spread of the means comes on top",
            lambda mu, log_var: (mu.mean(dim=0), log_var.mean(dim=0)),
            0.25,
        ),
        "logarithms averaged, spread added": Wrong(
            "the spread of the means is there, but you average log σ²; the derivative by s² averages σ² itself",
            _with_variance(lambda centred, log_var: log_var.mean(dim=0).exp() + centred.square().mean(dim=0)),
            0.5,
        ),
        "deviations averaged": Wrong(
            "you average the standard deviations σ and square afterwards; it is the variances σ² that are averaged",
            _with_variance(
                lambda centred, log_var: (0.5 * log_var).exp().mean(dim=0).square() + centred.square().mean(dim=0)
            ),
            0.5,
        ),
        "not centred": Wrong(
            "you add μ² in place of (μ − m)²: the best m is not 0, and only the distance from it counts",
            lambda mu, log_var: (mu.mean(dim=0), (log_var.exp() + mu.square()).mean(dim=0).log()),
            0.5,
        ),
        "prior left at 0": Wrong(
            "m is still 0; set the derivative by m to zero as well",
            lambda mu, log_var: (0 * mu[0], (log_var.exp() + mu.square()).mean(dim=0).log()),
            0.5,
        ),
        "n - 1": Wrong(
            "the spread of the means is divided by n − 1; the mean KL is a plain mean over the images, so it is n",
            _with_variance(lambda centred, log_var: log_var.exp().mean(dim=0) + centred.var(dim=0)),
            0.75,
        ),
        "log_var for σ": Wrong(
            "log_var is taken for σ; it is log σ², so σ² = exp(log_var)",
            _with_variance(lambda centred, log_var: (log_var.square() + centred.square()).mean(dim=0)),
            0.5,
        ),
        "log_var for log σ": Wrong(
            "log_var is taken for log σ; it is log σ², so σ² = exp(log_var), without a 2",
            _with_variance(lambda centred, log_var: ((2 * log_var).exp() + centred.square()).mean(dim=0)),
            0.5,
        ),
        "exp of half": Wrong(
            "exp(log_var / 2) is σ; the KL holds the variance σ²",
            _with_variance(lambda centred, log_var: ((0.5 * log_var).exp() + centred.square()).mean(dim=0)),
            0.5,
        ),
        "the other way round": Wrong(
            "that is the prior with the least KL[p, q], the other way round; here q comes first and p second",
            _least_reverse_kl,
            0.25,
        ),
        "all dimensions together": Wrong(
            "you average over the dimensions too; each number of the code has an m and an s² of its own",
            lambda mu, log_var: (mu.mean().expand(mu.shape[1]), _pooled(mu, log_var).log().expand(mu.shape[1])),
            0.25,
        ),
    },
    _posteriors,
)


def _pooled(mu: Tensor, log_var: Tensor) -> Tensor:
    return (log_var.exp() + (mu - mu.mean()).square()).mean()


# --- a loss in the wild -----------------------------------------------------------------------------------------------


def _beta(weight: float, pixels: float, latent: float, low: float, high: float, sigma: float) -> float:
    # (r²/D) ‖x − x̂‖² + (w/d) Σ KL is (2σ² r²/D) times ‖x − x̂‖²/(2σ²) + β Σ KL
    return weight * pixels / (2 * sigma**2 * latent * (high - low) ** 2)


def _losses_in_the_wild(generator: Generator) -> Sequence[Inputs]:
    """Pixels in [−1, 1], in [0, 255] and in a range that is neither; β comes out between about 1 and 10,000."""
    calls = []
    for pixels, latent, low, high in ((784, 20, -1.0, 1.0), (3072, 16, 0.0, 255.0), (196, 5, -0.5, 2.5)):
        draw = torch.rand(2, generator=generator).tolist()
        weight = (0.2 + draw[0]) * (high - low) ** 2
        calls.append((round(weight, 4), pixels, latent, low, high, round(0.1 + 0.3 * draw[1], 3)))
    return calls


equivalent_beta = Question(
    "equivalent_beta",
    _beta,
    {
        "range forgotten": Wrong(
            "the pixels' range plays no part in yours; r times the range makes squared errors r² times as large",
            lambda w, D, d, low, high, s: _beta(w, D, d, 0, 1, s),
            0.5,
        ),
        "range not squared": Wrong(
            "the range counts once; errors grow with the range, so squared errors grow with its square",
            lambda w, D, d, low, high, s: _beta(w, D, d, low, high, s) * (high - low),
            0.75,
        ),
        "range the wrong way": Wrong(
            "the range works the wrong way: a wider range makes their squared error larger, so their KL weighs less",
            lambda w, D, d, low, high, s: _beta(w, D, d, low, high, s) * (high - low) ** 4,
            0.5,
        ),
        "high for the range": Wrong(
            "the range is not high alone: from low to high it is high − low wide",
            lambda w, D, d, low, high, s: _beta(w, D, d, 0, high, s),
            0.5,
        ),
        "half forgotten": Wrong(
            "the squared error stands with 1/(2σ²), not 1/σ²: a factor of 2 is missing",
            lambda w, D, d, low, high, s: 2 * _beta(w, D, d, low, high, s),
            0.75,
        ),
        "half the wrong way": Wrong(
            "the 2 of 1/(2σ²) is on the wrong side",
            lambda w, D, d, low, high, s: 4 * _beta(w, D, d, low, high, s),
            0.75,
        ),
        "sigma not squared": Wrong(
            "σ stands in the loss squared",
            lambda w, D, d, low, high, s: _beta(w, D, d, low, high, s) * s,
            0.75,
        ),
        "the noise for β = 1": Wrong(
            "that is the σ² for which β is 1; asked for is β at the σ that is given",
            lambda w, D, d, low, high, s: _beta(w, D, d, low, high, 1),
            0.5,
        ),
        "sigma the wrong way": Wrong(
            "σ works the wrong way: with less noise a squared error costs more nats, so a larger β is needed beside it",
            lambda w, D, d, low, high, s: _beta(w, D, d, low, high, 1) * s**2,
            0.5,
        ),
        "latent forgotten": Wrong(
            "their KL is averaged over the numbers of the code too, yours is a sum: the number of them has to come in",
            lambda w, D, d, low, high, s: _beta(w, D, 1, low, high, s),
            0.5,
        ),
        "latent the wrong way": Wrong(
            "the size of the code works the wrong way: a mean over d numbers is the sum divided by d",
            lambda w, D, d, low, high, s: _beta(w, D, 1 / d, low, high, s),
            0.5,
        ),
        "pixels forgotten": Wrong(
            "their squared error is averaged over the pixels, yours is a sum: the number of them has to come in",
            lambda w, D, d, low, high, s: _beta(w, 1, d, low, high, s),
            0.5,
        ),
        "neither sum": Wrong(
            "both of their terms are averages, over pixels and over the numbers of the code, and both of yours are "
            "sums; neither number comes into your β",
            lambda w, D, d, low, high, s: _beta(w, 1, 1, low, high, s),
            0.25,
        ),
        "the reciprocal": Wrong(
            "that is 1/β: divide their loss by what stands before the squared error, not before the KL",
            lambda w, D, d, low, high, s: 1 / _beta(w, D, d, low, high, s),
            0.5,
        ),
        "the weight": Wrong(
            "that is their weight itself; it means something else here, for their terms are averages",
            lambda w, D, d, low, high, s: w,
        ),
    },
    _losses_in_the_wild,
)

# --- a bug found: the importance-weighted bound -----------------------------------------------------------------------


def _log_weights(*arrays: Tensor, normalised: float = 1.0) -> Tensor:
    """log p(x|z) + log p(z) − log q(z|x), (K, N), without the log 2π that cancels; normalised: share of log σ² kept."""
    images, logits, codes, mu, log_var = arrays
    log_p = losses.bernoulli_log_density(images.expand_as(logits), logits).sum(dim=2)
    log_q = -0.5 * ((codes - mu).square() / log_var.exp() + normalised * log_var).sum(dim=2)
    return log_p - 0.5 * codes.square().sum(dim=2) - log_q


def _bound(*arrays: Tensor) -> Tensor:
    return torch.logsumexp(_log_weights(*arrays), dim=0) - math.log(len(arrays[2]))


def _underflowing(log_weights: Tensor) -> Tensor:
    return log_weights.float().exp().mean(dim=0).log()


def _without_prior(*arrays: Tensor) -> Tensor:
    weights = _log_weights(*arrays) + 0.5 * arrays[2].square().sum(dim=2)
    return torch.logsumexp(weights, dim=0) - math.log(len(weights))


def _with_q_added(*arrays: Tensor) -> Tensor:
    _, _, codes, mu, log_var = arrays
    weights = _log_weights(*arrays) - ((codes - mu).square() / log_var.exp() + log_var).sum(dim=2)
    return torch.logsumexp(weights, dim=0) - math.log(len(weights))


def _draws(generator: Generator) -> Sequence[Inputs]:
    """A few pixels, whose weights any number holds, and a digit's worth, whose weights are below e^−800."""
    calls = []
    for count, pixels, d, draws, size in ((4, 12, 2, 6, 1.0), (3, 784, 3, 4, 3.5)):
        mu = torch.randn(count, d, generator=generator)
        log_var = -0.3 - 1.5 * torch.rand(count, d, generator=generator)
        codes = mu + (0.5 * log_var).exp() * torch.randn(draws, count, d, generator=generator)
        images = (torch.rand(count, pixels, generator=generator) < 0.4).float()
        shared = size * torch.randn(count, pixels, generator=generator)  # one decoder's draws resemble each other
        calls.append(
            (images, shared + 0.05 * torch.randn(draws, count, pixels, generator=generator), codes, mu, log_var)
        )
    return calls


importance_bound = Question(
    "importance_bound",
    _bound,
    {
        "both bugs": Wrong(
            "the function still is the colleague's: both of its mistakes are there",
            lambda *arrays: _underflowing(_log_weights(*arrays, normalised=0.0)),
        ),
        "underflow": Wrong(
            "the densities are right now, but on a whole digit the weights are far below the smallest number the "
            "computer holds, so exp gives 0 and the logarithm −∞; stay with logarithms",
            lambda *arrays: _underflowing(_log_weights(*arrays)),
            0.5,
        ),
        "not normalised": Wrong(
            "the sum is safe now, but one density is not: a narrow Gaussian is high, and log q does not say so; what "
            "stands before its exponential depends on σ",
            lambda *arrays: torch.logsumexp(_log_weights(*arrays, normalised=0.0), dim=0) - math.log(len(arrays[2])),
            0.5,
        ),
        "log σ² twice": Wrong(
            "the sum is safe now; in log q the logarithm of σ² stands with ½, for σ is the root of it",
            lambda *arrays: torch.logsumexp(_log_weights(*arrays, normalised=2.0), dim=0) - math.log(len(arrays[2])),
            0.75,
        ),
        "log σ² subtracted": Wrong(
            "the sum is safe now; in log q the logarithm of σ² has the wrong sign: narrow means high",
            lambda *arrays: torch.logsumexp(_log_weights(*arrays, normalised=-1.0), dim=0) - math.log(len(arrays[2])),
            0.75,
        ),
        "mean of logarithms": Wrong(
            "you average the logarithms of the weights: that is the ELBO with K draws; here the mean stands inside the "
            "logarithm",
            lambda *arrays: _log_weights(*arrays).mean(dim=0),
            0.25,
        ),
        "sum for mean": Wrong(
            "the weights are summed; their mean is asked for, which is log K less",
            lambda *arrays: torch.logsumexp(_log_weights(*arrays), dim=0),
            0.75,
        ),
        "log K added": Wrong(
            "log K is added; dividing by K inside the logarithm subtracts it",
            lambda *arrays: _bound(*arrays) + 2 * math.log(len(arrays[2])),
            0.75,
        ),
        "divided outside": Wrong(
            "you divide the logarithm by K; the division belongs inside, where it is a subtraction of log K",
            lambda *arrays: torch.logsumexp(_log_weights(*arrays), dim=0) / len(arrays[2]),
            0.5,
        ),
        "the largest": Wrong(
            "you take the largest weight alone; the others count too",
            lambda *arrays: _log_weights(*arrays).amax(dim=0),
            0.25,
        ),
        "one 2π": Wrong(
            "log 2π stands in one of the two Gaussians; it cancels only if it stands in both or in neither",
            lambda *arrays: _bound(*arrays) + 0.5 * arrays[3].shape[1] * math.log(2 * math.pi),
            0.75,
        ),
        "the other 2π": Wrong(
            "log 2π stands in one of the two Gaussians; it cancels only if it stands in both or in neither",
            lambda *arrays: _bound(*arrays) - 0.5 * arrays[3].shape[1] * math.log(2 * math.pi),
            0.75,
        ),
        "no prior": Wrong("the prior p(z) is missing from the weights", _without_prior, 0.5),
        "q added": Wrong("log q is added; the weight divides by q", _with_q_added, 0.5),
        "negative": Wrong(
            "that is the bound with the wrong sign; asked for is the one on log p(x), which is negative here",
            lambda *arrays: -_bound(*arrays),
            0.75,
        ),
        "over the images": Wrong(
            "that is one number for all images; return the bound of each, (N,)",
            lambda *arrays: _bound(*arrays).mean(),
            0.75,
        ),
    },
    _draws,
)

# --- the model that is told the label ---------------------------------------------------------------------------------

# Ten reference runs came to 134.0 ± 0.7 nats on the validation images; 0.86 ± 0.03 of new images showed the digit
# asked for. A model passes at three standard deviations
MOST_NATS, LEAST_HEEDED = 134.0 + 3 * 0.7, 0.86 - 3 * 0.03
NARROW, WIDE = 0.7, 1.4  # shares of σ at which the price of a nat is measured


class Measurement(NamedTuple):
    """What a conditional VAE comes to on some images, in nats per image.

    at_mean: the reconstruction term at z = μ. price: by how much the reconstruction term falls, for each nat by which
    the KL rises, when all σ shrink a little: 1 where training made the sum of both least, β where it weighed the KL by
    β. heeded: how often a decoded draw from the prior shows the digit asked for.
    """

    reconstruction: float
    at_mean: float
    kl: float
    price: float
    heeded: float

    @property
    def nats(self) -> float:
        """−ELBO."""
        return self.reconstruction + self.kl


def codes_to_decode(mu: Tensor, log_var: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Codes (5 N, d) and their labels: draws from q, the same with a smaller and a larger σ, means; draws from p(z)."""
    noise = torch.exp(0.5 * log_var) * torch.randn(mu.shape, generator=generator)
    anew = torch.randn(mu.shape, generator=generator)
    wanted = torch.randint(10, labels.shape, generator=generator)
    codes = torch.cat([mu + noise, mu + NARROW * noise, mu + WIDE * noise, mu, anew])
    return codes, torch.cat([labels.repeat(4), wanted])


KINDS = ("drawn", "narrow", "wide", "at_mean", "anew")  # of codes_to_decode, in its order
Decoded = Mapping[str, tuple[Tensor, Tensor]]  # {one of KINDS: (which rows of it, their logits)}


def measure(
    images: Tensor,
    mu: Tensor,
    log_var: Tensor,
    decoded: Decoded,
    labels: Tensor,
    class_shown: Callable[[Tensor], Tensor] | None = None,
) -> Measurement:
    """Worked out from what an encoder named, and what a decoder made of `codes_to_decode`, all of it or some.

    images: (N, 1, 28, 28) of 0 and 1; mu, log_var: (N, d); logits: (rows, 1, 28, 28); labels: (N,), asked for in
    "anew". "narrow" and "wide" are of the same images.
    class_shown: pictures (N, 1, 28, 28) → the class that each shows, (N,); the course's classifier of digits, unless
    told otherwise.
    """
    from autoencoder_lab.metrics import classifier

    def kl(scale: float, rows: Tensor) -> float:
        return float(losses.gaussian_kl(mu[rows], log_var[rows] + 2 * math.log(scale)).sum(dim=1).mean())

    costs = {
        kind: float(losses.cross_entropy(logits, images[rows]))
        for kind, (rows, logits) in decoded.items()
        if kind != "anew"
    }
    narrow_kl, wide_kl = kl(NARROW, decoded["narrow"][0]), kl(WIDE, decoded["wide"][0])
    price = (costs["wide"] - costs["narrow"]) / max(narrow_kl - wide_kl, 0.01)  # σ near 1: no KL left to save
    rows, anew = decoded["anew"]
    shown = (class_shown or classifier.load().predict)(torch.sigmoid(anew))
    heeded = (shown == labels[rows]).double().mean()
    return Measurement(costs["drawn"], costs["at_mean"], kl(1, decoded["drawn"][0]), price, float(heeded))


def shortcoming(found: Measurement, most_nats: float, least_heeded: float) -> tuple[str, str]:
    """(short name, sentence) of what such a model lacks, ("", "") for nothing."""
    summed = f"−ELBO is {found.nats:.1f} nats per image: reconstruction {found.reconstruction:.1f}, KL {found.kl:.1f}"
    if found.reconstruction - found.at_mean > 30:
        return "noise", (
            f"{summed}; decoded from its mean μ an image costs {found.at_mean:.1f} nats only: the decoder has not "
            "learnt to stand the noise that your log σ² declares. Is z drawn with the same σ that the KL charges for?"
        )
    if found.kl < 2:
        return "collapsed", (
            f"{summed}: the code says next to nothing, because the KL costs too much beside the reconstruction; both "
            "terms are sums, over pixels and over the numbers of the code"
        )
    # 1.2 ± 0.05 in ten runs: on new images a wide σ costs a little more than in training
    if not 0.65 < found.price < 1.6:
        return "price", (
            f"{summed}; your σ are those of a model that pays {found.price:.2f} nats of reconstruction for each nat of "
            "KL it saves, where the bound counts both alike. Do both terms count in full, and is z drawn with the σ "
            "that the KL charges for?"
        )
    if found.heeded < least_heeded:
        return "label not heeded", (
            f"{summed}; asked for a label and given a code from the prior, the decoder draws what it says only "
            f"{found.heeded:.0%} of the time. Does the label reach it?"
        )
    if found.nats > most_nats:
        return "not trained", f"{summed}; at most {most_nats:.0f} are expected from these layers and steps"
    return "", ""


def conditional(model: Any, split: Any) -> None:
    """Whether a conditional VAE pays as few nats on new images as it can, and draws the digit it is asked for."""
    generator = torch.Generator().manual_seed(0)
    images = torch.bernoulli(arguments.split(split).images, generator=generator)
    with torch.no_grad():
        named = arguments.model(model, "posterior").posterior(images, split.labels)
        if unfinished("conditional", named) or unfinished("conditional", model.loss(images[:8], split.labels[:8])):
            return
        if [getattr(part, "shape", None) for part in named] != 2 * [(len(images), 4)]:
            raise CheckFailed("conditional: posterior must return μ and log σ², 4 numbers each for every image")
        mu, log_var = named
        codes, labels = codes_to_decode(mu, log_var, split.labels, generator)
        logits = model.logits(codes, labels)
        if getattr(logits, "shape", None) != (len(codes), 1, 28, 28):
            raise CheckFailed("conditional: logits must return (N, 1, 28, 28), one image for each code")
        if not all(bool(part.isfinite().all()) for part in (mu, log_var, logits)):
            raise CheckFailed("conditional: the trained model gives nan or infinity; has the KL the wrong sign?")
    every = torch.arange(len(images))
    decoded = {kind: (every, part) for kind, part in zip(KINDS, logits.split(len(images)), strict=True)}
    found = measure(images, mu, log_var, decoded, labels[-len(images) :])
    name, said = shortcoming(found, MOST_NATS, LEAST_HEEDED)
    if name:
        raise CheckFailed(f"conditional: {said}")
    drawn = f"the digit asked for in {found.heeded:.0%} of new images"
    print(f"✓ conditional: −ELBO {found.nats:.1f} nats per image, of which KL {found.kl:.1f}; {drawn}")


READ = ("nats_of_mean_image", "nats_saved", "most_for_a_perfect_model")

# --- what a label is worth --------------------------------------------------------------------------------------------


def _entropy(images: Tensor) -> float:
    """Nats of the mean image: what independent pixels cost that are white with these probabilities."""
    return float(losses.entropy(images.double().mean(dim=0, keepdim=True)))


def numbers_to_read(split: Any) -> tuple[float, float, float]:
    """Nats per image: of the mean image, saved by the label, and what the label could save a perfect model at most."""
    shares = torch.bincount(split.labels, minlength=10).double() / len(split.labels)
    classes = [_entropy(split.images[split.labels == y]) if shares[y] else 0.0 for y in range(10)]
    with_label = sum(float(share) * nats for share, nats in zip(shares, classes, strict=True))
    price = _entropy(split.images)
    return price, price - with_label, float(-torch.xlogy(shares, shares).sum())


def reading_mistakes(split: Any, price: float, saved: float, most: float) -> tuple[str, str, str]:
    """What is wrong with each of the three numbers, "" for nothing."""
    wanted, wanted_saved, wanted_most = numbers_to_read(split)
    by_class = [_entropy(split.images[split.labels == y]) for y in split.labels.unique()]
    bits = "that is in bits; nats take the natural logarithm"
    of_price = {
        bits: wanted / math.log(2),
        "that is for one pixel; an image pays for all of them": wanted / split.images[0].numel(),
        "you averaged the entropies of the images themselves, the price for a model that knows every grey value; the "
        "model here knows their mean alone": float(losses.entropy(split.images)),
        "not what independent pixels cost, each the entropy of its mean grey value; a pixel that is never white costs "
        "nothing, and needs no clamping": math.nan,
    }
    of_saved = {
        "that is what the model pays when it knows the label; asked for is what it saves": wanted - wanted_saved,
        "the sign: with the label the model pays less, so it saves a positive number": -wanted_saved,
        "you average over the ten classes; average over the images, of which the classes hold different numbers": (
            wanted - sum(by_class) / len(by_class)
        ),
        "you added up the ten classes; average them, each counted by its images": wanted - sum(by_class),
        bits: wanted_saved / math.log(2),
        "not the difference between one mean image and ten of them, averaged over the images": math.nan,
    }
    of_most = {
        bits: wanted_most / math.log(2),
        "that is what the label saves the mean image, and part of this is the mean image's own fault": wanted_saved,
        "that is for ten equally frequent digits; yours are not, so there is less to tell": math.log(10),
        "what a label tells a perfect model is at most what there is to tell in a label: its entropy": math.nan,
    }
    return (
        _misread("nats_of_mean_image", price, wanted, 0.06, of_price),
        _misread("nats_saved", saved, wanted_saved, 0.06, of_saved),
        _misread("most_for_a_perfect_model", most, wanted_most, 0.003, of_most),
    )


def _misread(name: str, given: float, wanted: float, tolerance: float, mistakes: dict[str, float]) -> str:
    """Nothing for the wanted number, else the sentence of the mistake that gives it; the last where none does."""
    if abs(given - wanted) <= tolerance:
        return ""
    said = next((said for said, value in mistakes.items() if abs(given - value) <= tolerance), list(mistakes)[-1])
    return f"{name}: {said}"


def reading(split: Any, price: Any, saved: Any, most: Any) -> None:
    """Whether the three numbers are those of these images."""
    if (given := numbers_read(**dict(zip(READ, (price, saved, most), strict=True)))) is None:
        return
    for said in reading_mistakes(arguments.split(split), *given[0]):
        if said:
            raise CheckFailed(f"reading: {given[1]}{said}")
    print("✓ reading: all three numbers are right")
