"""The checks of notebook 04, the variational autoencoder: right functions beside the commonest wrong ones."""

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from autoencoder_lab.checks.compare import CheckFailed, answer_of, explaining, show
from autoencoder_lab.checks.experiment import Record, Watcher, numbered_images, numbers_in
from autoencoder_lab.checks.notebooks import vae_network as of_own_vae
from autoencoder_lab.checks.notebooks.vae_network import NO_NUMPY
from autoencoder_lab.checks.question import Inputs, Question, by_sentence
from autoencoder_lab.data.split import ImageData

# --- 1: the KL of two Gaussians ------------------------------------------------------------------------------------


def gaussian_kl(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 04.1: student(mu, log_var), (B, d) each, gives KL[N(μ, σ²) ‖ N(0, I)] of each image in nats, (B,)."""
    GAUSSIAN_KL.check(student)


def _one_for_each_image(student: Callable[[Tensor, Tensor], Any]) -> Callable[[Tensor, Tensor], Any]:
    """The student's KL, with complaints of sums over the wrong dimensions."""

    def watched(mu: Tensor, log_var: Tensor) -> Any:
        answer = student(mu, log_var)
        if not isinstance(answer, Tensor | Real):
            return answer
        answer = torch.as_tensor(answer)
        if answer.shape == mu.shape:
            raise CheckFailed("gaussian_kl: that is one KL for each dimension; sum over the dimensions, dim=1")
        if answer.ndim == 0:
            raise CheckFailed(
                "gaussian_kl: that is one number for the whole batch; sum over the dimensions only, dim=1"
            )
        if answer.shape == mu.shape[1:]:
            raise CheckFailed(
                "gaussian_kl: you sum over the images (dim=0); sum over the dimensions of the code, dim=1"
            )
        return answer

    return watched


def _kl(mu: Tensor, variance: Tensor) -> Tensor:
    return 0.5 * (mu.square() + variance - 1 - variance.log()).sum(dim=1)


GAUSSIAN_KL_MISTAKES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "log_var is taken for σ; it is log σ², so σ² = exp(log_var)": lambda mu, log_var: _kl(mu, log_var.square()),
    "log_var is taken for σ²; it is log σ², so σ² = exp(log_var)": _kl,
    "log_var is taken for log σ; it is log σ², so σ² = exp(log_var), without a 2": lambda mu, log_var: _kl(
        mu, (2 * log_var).exp()
    ),
    "exp(log_var / 2) is σ; the formula adds the variance σ²": lambda mu, log_var: (
        0.5 * (mu.square() + (0.5 * log_var).exp() - 1 - log_var).sum(dim=1)
    ),
    "log σ² is halved in the last term; with the ½ before the bracket it stands there whole": lambda mu, log_var: (
        0.5 * (mu.square() + log_var.exp() - 1 - 0.5 * log_var).sum(dim=1)
    ),
    "the ½ stands before the first term only; it belongs to the whole bracket: ½ (μ² + σ² − 1 − log σ²)": (
        lambda mu, log_var: (0.5 * mu.square() + log_var.exp() - 1 - log_var).sum(dim=1)
    ),
    "the ½ stands before the first two terms only; it belongs to the whole bracket: ½ (μ² + σ² − 1 − log σ²)": (
        lambda mu, log_var: (0.5 * (mu.square() + log_var.exp()) - 1 - log_var).sum(dim=1)
    ),
    "the ½ stands before the last terms only; it belongs to the whole bracket: ½ (μ² + σ² − 1 − log σ²)": (
        lambda mu, log_var: (mu.square() + 0.5 * (log_var.exp() - 1 - log_var)).sum(dim=1)
    ),
    "the ½ does not reach the −1; it belongs to the whole bracket: ½ (μ² + σ² − 1 − log σ²)": lambda mu, log_var: (
        0.5 * (mu.square() + log_var.exp() - log_var) - 1
    ).sum(dim=1),
    "the ½ does not reach log σ²; it belongs to the whole bracket: ½ (μ² + σ² − 1 − log σ²)": lambda mu, log_var: (
        0.5 * (mu.square() + log_var.exp() - 1) - log_var
    ).sum(dim=1),
    "the 1 is added; it is subtracted: at μ = 0 and σ = 1 the KL must be 0": lambda mu, log_var: (
        _kl(mu, log_var.exp()) + mu.shape[1]
    ),
    "μ has an absolute value, not a square": lambda mu, log_var: (
        0.5 * (mu.abs() + log_var.exp() - 1 - log_var).sum(dim=1)
    ),
    "σ² is squared once more: exp(log_var) is σ² already": lambda mu, log_var: (
        0.5 * (mu.square() + log_var.exp().square() - 1 - log_var).sum(dim=1)
    ),
    "the factor ½ is missing": lambda mu, log_var: 2 * _kl(mu, log_var.exp()),
    "you average over the dimensions; a KL of independent dimensions is their sum": lambda mu, log_var: (
        _kl(mu, log_var.exp()) / mu.shape[1]
    ),
    "the sign is the wrong way round: a KL is never negative": lambda mu, log_var: -_kl(mu, log_var.exp()),
    "the −1 is missing: at μ = 0 and σ = 1 the KL must be 0": lambda mu, log_var: (
        _kl(mu, log_var.exp()) + 0.5 * mu.shape[1]
    ),
    "the −1 counts once for each dimension, not once for an image": lambda mu, log_var: (
        _kl(mu, log_var.exp()) + 0.5 * (mu.shape[1] - 1)
    ),
    "that is the KL the other way round, KL[N(0, I) ‖ N(μ, σ²)]": lambda mu, log_var: (
        0.5 * ((1 + mu.square()) / log_var.exp() - 1 + log_var).sum(dim=1)
    ),
    "μ is not squared": lambda mu, log_var: 0.5 * (mu + log_var.exp() - 1 - log_var).sum(dim=1),
    "the term μ² is missing": lambda mu, log_var: _kl(0 * mu, log_var.exp()),
    "the term log σ² is missing; without it the cheapest σ would be 0": lambda mu, log_var: (
        0.5 * (mu.square() + log_var.exp() - 1).sum(dim=1)
    ),
    "log σ² has the wrong sign; it is subtracted": lambda mu, log_var: (
        0.5 * (mu.square() + log_var.exp() - 1 + log_var).sum(dim=1)
    ),
    "the term σ² is missing; without it the cheapest σ would be infinite": lambda mu, log_var: (
        0.5 * (mu.square() - 1 - log_var).sum(dim=1)
    ),
    "these are bits; nats take the natural logarithm": lambda mu, log_var: _kl(mu, log_var.exp()) / math.log(2),
    "you divide by the number of images; the result is one KL for each of them": lambda mu, log_var: (
        _kl(mu, log_var.exp()) / len(mu)
    ),
}


def _codes_and_log_variances(generator: Generator) -> Sequence[Inputs]:
    """Log-variances above 0, so that taking them for variances gives numbers to compare, not nan."""
    return [
        (torch.randn(size, generator=generator), 0.2 + 1.5 * torch.rand(size, generator=generator))
        for size in ((3, 2), (4, 5))
    ]


GAUSSIAN_KL = Question(
    "gaussian_kl",
    lambda mu, log_var: _kl(mu, log_var.exp()),
    by_sentence(GAUSSIAN_KL_MISTAKES),
    _codes_and_log_variances,
    adapt=_one_for_each_image,
)

# --- 2: a draw that can be learned through -------------------------------------------------------------------------


def reparameterise(student: Callable[[Tensor, Tensor, Tensor], Any]) -> None:
    """Exercise 04.2: student(mu, log_var, noise), (B, d) each, gives z = μ + σ·ε, differentiable in μ and log σ²."""
    REPARAMETERISE.check(student)


Draw = Callable[[Tensor, Tensor, Tensor], Tensor]


def _reparameterise(mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    return mu + torch.exp(0.5 * log_var) * noise


def gradient_flaw(z: Tensor, mu: Tensor, log_var: Tensor, leaves: tuple[Tensor, Tensor] | None = None) -> str | None:
    """What is wrong with the way of a gradient from a draw z back to μ and log σ², or None."""
    leaves = leaves or (mu, log_var)
    reached = torch.autograd.grad(z.sum(), leaves, allow_unused=True) if z.requires_grad else (None, None)
    wanted = torch.ones_like(mu), 0.5 * (z - mu).detach()  # of z = μ + exp(log σ² / 2) ε
    for what, gradient, right in zip(("mu", "log_var"), reached, wanted, strict=True):
        if gradient is None or not gradient.any():
            return (
                f"no gradient reaches {what}, which could not learn. A distribution's sample() lets none through, "
                "rsample() does; so do z = μ + σ·ε without detach(), item(), .data, NumPy or torch.no_grad()"
            )
        if not torch.allclose(gradient.float(), right.float(), atol=1e-3, rtol=1e-3):
            return f"the gradient that reaches {what} is not that of z = μ + σ·ε; is a part of it detached?"
    return None


def _with_its_gradient(student: Callable[[Tensor, Tensor, Tensor], Any]) -> Callable[[Tensor, Tensor, Tensor], Any]:
    """The student's z, after a look at what z alone does not show."""

    def watched(mu: Tensor, log_var: Tensor, noise: Tensor) -> Any:
        leaves = mu.requires_grad_(), log_var.requires_grad_()
        inputs = (mu * 1, log_var * 1, noise)  # no leaves: those may not be changed in place, and PyTorch says so oddly
        with explaining("reparameterise", NO_NUMPY):
            z = student(*inputs)
        if not isinstance(z, Tensor) or z.shape != mu.shape:
            return z.detach() if isinstance(z, Tensor) else z
        if any(not torch.equal(given, kept) for given, kept in zip(inputs, (mu, log_var, noise), strict=True)):
            raise CheckFailed("reparameterise: your function changes its input in place; use z = mu + … instead")
        again = student(mu * 1, log_var * 1, noise.clone())
        if not torch.equal(z.detach(), torch.as_tensor(again).detach()):
            raise CheckFailed(
                "reparameterise: two calls differ, so you draw noise of your own; use the noise you are given"
            )
        right = torch.allclose(z.float(), _reparameterise(mu, log_var, noise), atol=1e-4)
        if right and (flaw := gradient_flaw(z, mu, log_var, leaves)):
            raise CheckFailed(f"reparameterise: the values are right, but {flaw}")
        return z.detach()

    return watched


REPARAMETERISE_MISTAKES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "log_var is taken for σ; it is log σ², so σ = exp(log_var / 2)": lambda mu, log_var, noise: mu + log_var * noise,
    "log_var is taken for σ²; it is log σ², so σ = exp(log_var / 2)": lambda mu, log_var, noise: (
        mu + log_var.sqrt() * noise
    ),
    "the noise is multiplied by the variance σ²; its square root σ = exp(log_var / 2) is needed": (
        lambda mu, log_var, noise: mu + log_var.exp() * noise
    ),
    "σ = exp(log_var / 2); a factor of 2 in place of the ½ makes it σ⁴": lambda mu, log_var, noise: (
        mu + (2 * log_var).exp() * noise
    ),
    "log_var / 2 is log σ; its exp is missing: σ = exp(log_var / 2)": lambda mu, log_var, noise: (
        mu + 0.5 * log_var * noise
    ),
    "that is σ² halved; the ½ belongs into the exponent: σ = exp(log_var / 2)": lambda mu, log_var, noise: (
        mu + 0.5 * log_var.exp() * noise
    ),
    "exp(√log_var) is no σ; σ = exp(log_var / 2)": lambda mu, log_var, noise: mu + log_var.sqrt().exp() * noise,
    "the noise is divided by σ": lambda mu, log_var, noise: mu + (-0.5 * log_var).exp() * noise,
    "there is no noise in z: that is μ, the code at test time; in training z is drawn": lambda mu, log_var, noise: mu,
    "there is no μ in z": lambda mu, log_var, noise: (0.5 * log_var).exp() * noise,
    "the noise is not scaled by σ": lambda mu, log_var, noise: mu + noise,
    "you add the noise first and scale by σ then, which scales μ as well": lambda mu, log_var, noise: (
        (0.5 * log_var).exp() * (mu + noise)
    ),
    "σ is added; the noise is multiplied by σ": lambda mu, log_var, noise: mu + (0.5 * log_var).exp() + noise,
    "there is no noise in z: μ + σ is one fixed code": lambda mu, log_var, noise: mu + (0.5 * log_var).exp(),
    "μ is multiplied by the noise; it is σ that belongs there": lambda mu, log_var, noise: (
        mu * noise + (0.5 * log_var).exp()
    ),
    "every image gets the noise of the first one": lambda mu, log_var, noise: _reparameterise(mu, log_var, noise[:1]),
    "every dimension gets the noise of the first one": lambda mu, log_var, noise: _reparameterise(
        mu, log_var, noise[:, :1]
    ),
    "the noise is squared, so that z is never below μ": lambda mu, log_var, noise: _reparameterise(
        mu, log_var, noise.square()
    ),
    "μ − σ·ε has the right distribution too, but the check cannot tell it from a slip: write μ + σ·ε": (
        lambda mu, log_var, noise: _reparameterise(mu, log_var, -noise)
    ),
}


def _codes_log_variances_and_noise(generator: Generator) -> Sequence[Inputs]:
    cases = []
    for size in ((3, 2), (4, 5)):
        mu, noise = (torch.randn(size, generator=generator) for _ in range(2))
        cases.append((mu, 0.2 + 1.5 * torch.rand(size, generator=generator), noise))
    return cases


REPARAMETERISE = Question(
    "reparameterise",
    _reparameterise,
    by_sentence(REPARAMETERISE_MISTAKES),
    _codes_log_variances_and_noise,
    adapt=_with_its_gradient,
)

# --- the loss ------------------------------------------------------------------------------------------------------


def vae_loss(student: Callable[[Tensor, Tensor, float], Any]) -> None:
    """student(reconstruction, kl, beta) gives the loss per image, a scalar: Σ over pixels + β Σ over dimensions.

    reconstruction: (B, pixels), −log p of each pixel; kl: (B, d); both in nats, averaged over the B images. Slide 003.
    """
    VAE_LOSS.check(student)


def _loss(pixels: Tensor, dimensions: Tensor) -> Tensor:
    return pixels.flatten(1).sum(dim=1).mean() + dimensions.sum(dim=1).mean()


VAE_LOSS_MISTAKES: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "the reconstruction is averaged over pixels and the KL summed over dimensions: the KL then weighs too much, as "
    "many times as there are pixels. Sum both": lambda pixels, kl, beta: pixels.mean() + beta * kl.sum(dim=1).mean(),
    "the KL is averaged over the dimensions and the reconstruction summed over pixels; sum both": (
        lambda pixels, kl, beta: pixels.sum(dim=1).mean() + beta * kl.mean()
    ),
    "both terms are averaged, over pixels and over dimensions: these are different numbers, and β no longer means "
    "what it says. Sum over both": lambda pixels, kl, beta: pixels.mean() + beta * kl.mean(),
    "the KL is averaged over pixels: it has been divided by the number of pixels": lambda pixels, kl, beta: _loss(
        pixels, beta * kl / pixels.shape[1]
    ),
    "β stands before the reconstruction; it weighs the KL": lambda pixels, kl, beta: _loss(beta * pixels, kl),
    "β is missing": lambda pixels, kl, beta: _loss(pixels, kl),
    "β weighs the KL alone, not the whole": lambda pixels, kl, beta: _loss(beta * pixels, beta * kl),
    "β counts twice (β²)": lambda pixels, kl, beta: _loss(pixels, beta * beta * kl),
    "the KL is divided by β; multiply": lambda pixels, kl, beta: _loss(pixels, kl / beta),
    "β is added to the KL; multiply": lambda pixels, kl, beta: _loss(pixels, kl) + beta,
    "the weights are 1 − β and β; slide 003 has 1 and β": lambda pixels, kl, beta: _loss(
        (1 - beta) * pixels, beta * kl
    ),
    "the loss is summed over the images; average over the batch, or its size depends on it": lambda pixels, kl, beta: (
        len(pixels) * _loss(pixels, beta * kl)
    ),
    "the KL is summed over the images; average both terms over the batch": lambda pixels, kl, beta: _loss(
        pixels, len(pixels) * beta * kl
    ),
    "the reconstruction is summed over the images; average both terms over the batch": lambda pixels, kl, beta: _loss(
        len(pixels) * pixels, beta * kl
    ),
    "the KL is subtracted: the loss is −ELBO, and the KL costs": lambda pixels, kl, beta: _loss(pixels, -beta * kl),
    "that is the ELBO; the loss to be made small is its negative": lambda pixels, kl, beta: -_loss(pixels, beta * kl),
    "the KL is missing": lambda pixels, kl, beta: _loss(pixels, 0 * kl),
    "the reconstruction is missing": lambda pixels, kl, beta: _loss(0 * pixels, beta * kl),
    "only the first image counts": lambda pixels, kl, beta: _loss(pixels[:1], beta * kl[:1]),
}


VAE_LOSS = Question(
    "vae_loss",
    lambda reconstruction, kl, beta: _loss(reconstruction, beta * kl),
    by_sentence(VAE_LOSS_MISTAKES),
    lambda generator: [
        (torch.rand(3, 7, generator=generator), torch.rand(3, 2, generator=generator), 4.0),
        (torch.rand(4, 9, generator=generator), torch.rand(4, 5, generator=generator), 0.3),
    ],
)

# --- 3: a variational autoencoder of one's own ---------------------------------------------------------------------


def own_vae(network: Any) -> Any:
    """Exercise 04.3: a class of nn.Module, or a network made of one: a VAE for pictures (B, 1, 28, 28).

    posterior(x) gives μ and log σ², loss(x) is ‖x − x̂‖² + KL as one number, decode(z) and the call draw pictures.
    Returns a new network, which `lab.fit` can train, where it is right; None where it is not done yet.
    """
    return of_own_vae.judge(network)


# --- 4: an experiment ----------------------------------------------------------------------------------------------

DECODED = 1000  # what the stand-in for a model adds to the number of an image that passes through it
SAMPLED = 5000  # the number of its first sample
FEWEST = 20  # distances for a median


def copying_experiment(experiment: Callable[..., Any], verdict: Callable[[dict[str, float]], Any]) -> None:
    """Exercise 04.4: experiment(model, data, nearest) gives median distances to the nearest training image of "samples"
    and of a "control" of decoded images that cannot be copies; verdict(distances) says "copies" or "new". Slide 003."""
    watcher = Watcher("copying_experiment", _textured(numbered_images()))

    def nearest(images: Any, split: Any, *rest: Any) -> tuple[Tensor, Tensor]:
        distances = _write_down_distances(watcher, images, split)
        return distances, torch.zeros(len(images), dtype=torch.long)

    answer = watcher.answer(experiment, _MarkingModel(), watcher.data, nearest=nearest)
    if answer is None:
        return
    measured = {one.kind: one.distances for one in watcher.measured}
    watcher.refuse(_copying_flaw(measured, answer))
    print("✓ copying_experiment: a control that can convict")
    VERDICT.check(verdict)


TEXTURE = 1e-4  # on every other pixel of an image of the data: what blurs or hides it has changed the image


def _textured(data: ImageData) -> ImageData:
    pattern = TEXTURE * ((torch.arange(4)[:, None] + torch.arange(4)) % 2)
    return data.map(lambda images: images + pattern)


class _MarkingModel:
    """Marks what passes through it: sample i holds (5000 + i) / 1000 everywhere, x comes back as x + 1."""

    latent, label, image_shape = 3, "VAE(3)", (1, 4, 4)

    def sample(self, n: int, generator: Any = None) -> Tensor:
        return (SAMPLED + torch.arange(n).float()).div(1000).view(-1, 1, 1, 1).expand(-1, 1, 4, 4).clone()

    def sample_prior(self, n: int, generator: Any = None) -> Tensor:
        return self.encode(self.sample(n) - DECODED / 1000)

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :3]

    def decode(self, z: Tensor) -> Tensor:
        if z.ndim != 2 or z.shape[1] != 3:
            raise ValueError(f"{self.label} decodes codes of shape (B, 3), got {tuple(z.shape)}")
        drawn = (z - z[:, :1]).abs().sum(
            dim=1
        ) > 0.01  # codes drawn by the student's own randn: three different numbers
        images = z[:, :1, None, None].expand(-1, 1, 4, 4) + DECODED / 1000
        return torch.where(drawn[:, None, None, None], self.sample(len(z)), images)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


def _write_down_distances(watcher: Watcher, images: Any, split: Any) -> Tensor:
    """Distances of their own for every call."""
    if not isinstance(images, Tensor) or images.ndim != 4 or not hasattr(split, "images"):
        watcher.refuse("nearest(images, split) takes images (N, C, H, W) and a split such as data.train")
    if numbers_in(split.images) != numbers_in(watcher.data.train.images):
        watcher.refuse("search among data.train, all of it: only training images can have been copied")
    if len(images) < FEWEST:
        watcher.refuse(f"a median of {len(images)} distances says little; take at least {FEWEST} images, better 200")
    kinds = {one.kind for one in watcher.measured}
    distances = 4.0 + torch.arange(len(images)).float().square() / len(images) + len(kinds)
    watcher.measured.append(Record(kind=_kind(watcher.data, images), distances=distances))
    return distances


def _kind(data: ImageData, images: Tensor) -> str:
    """What these images are, by their numbers: "samples", "test decoded", "train", …, "a mixture", "changed"."""
    numbers, spread = numbers_in(images), images.flatten(1).amax(dim=1) - images.flatten(1).amin(dim=1)
    if min(numbers) >= SAMPLED and not (spread > 0.01).any():
        return "samples"
    decoded = min(numbers) >= DECODED
    plain = frozenset(number - DECODED for number in numbers) if decoded else numbers
    known = {split: numbers_in(getattr(data, split).images) for split in ("train", "val", "test")}
    whole = torch.allclose(spread, torch.full_like(spread, 0.0 if decoded else TEXTURE), atol=1e-5)
    for split, its in known.items():
        if whole and plain <= its:
            return f"{split} decoded" if decoded else split
    of_several = all(number % DECODED in frozenset().union(*known.values()) for number in numbers)
    pieces = bool(((spread < 1e-5) | ((spread - TEXTURE).abs() < 1e-5)).all())  # each image is one that is known
    return "a mixture" if of_several and pieces and (whole or max(numbers) >= DECODED) else "changed"


def _copying_flaw(measured: Mapping[str, Tensor], answer: Any) -> str | None:
    """What is wrong with the design or with the numbers, or None."""
    if not measured:
        return "nothing was measured with the `nearest` handed to your function: nearest(images, data.train)[0]"
    if "samples" not in measured:
        return "the samples were never measured: nearest(model.sample(n), data.train)[0]"
    control = next((kind for kind in ("test decoded", "val decoded") if kind in measured), None)
    if control is None:
        others = [kind for kind in measured if kind != "samples"]
        return {
            "": "there is no control: which distance would you expect of images that are certainly new?",
            "test": "the control is sharp, the samples are smooth as all decoded images; send it through "
            "model.reconstruct, or smoothness alone brings the samples nearer",
            "train": "the control is the training images themselves: their distance is 0, and nothing can be nearer",
            "train decoded": "the control was trained on, hence its small distance. Take new images",
            "a mixture": "the control mixes images of several kinds; take those of data.test",
            "changed": "the control is no images of the data as they are: it is noise, or noise or blur was put on "
            "them by hand. Noise is far from everything, blur near to everything, and neither is as smooth as what the "
            "decoder draws. Take new images and send them through the decoder: model.reconstruct(data.test.images)",
        }[others[0].replace("val", "test") if others else ""]
    if not isinstance(answer, Mapping) or sorted(answer) != ["control", "samples"]:
        return f'return a dictionary with the keys "samples" and "control", got {show(answer)}'
    if any(isinstance(value, bool) or not isinstance(value, Real) for value in answer.values()):
        return "the two values must be plain numbers; .item() makes one of a tensor"
    kinds = {"samples": "samples", "control": control}

    def given(take: Callable[[Tensor], Tensor], kinds: Mapping[str, str] = kinds) -> bool:
        return all(abs(answer[key] - float(take(measured[kind]))) < 1e-3 for key, kind in kinds.items())

    if given(torch.median) or given(lambda d: d.quantile(0.5)):
        return None
    if given(torch.median, {"samples": control, "control": "samples"}):
        return "the two numbers are exchanged"
    if given(torch.mean):
        return "these are means; a few ruined samples far from everything would cover up the copies. Take the median"
    if given(torch.min):
        return "these are the smallest distances: one lucky image each decides. Take the median"
    return "the numbers returned are not the medians of the distances that were measured"


def _rule(copied: Callable[[float, float], bool]) -> Callable[[float, float], str]:
    return lambda samples, control: "copies" if copied(samples, control) else "new"


VERDICT_MISTAKES = {
    "copies lie nearer to the training images than the control does, not farther": _rule(
        lambda samples, control: samples > control / 0.8
    ),
    "the two words are exchanged: nearer than 0.8 times the control means copies": _rule(
        lambda samples, control: samples >= 0.8 * control
    ),
    "any sample distance below the control's convicts for you, even one by chance; ask for less than 0.8 times": (
        _rule(lambda samples, control: samples < control)
    ),
    "you compare the difference with 0.8; distances have no natural size, take the ratio": _rule(
        lambda samples, control: control - samples > 0.8
    ),
    "you compare the sample distance itself with 0.8; a distance alone says nothing, compare it with the control": (
        _rule(lambda samples, control: samples < 0.8)
    ),
    "the factor stands on the wrong side: samples below 0.8 times the control": _rule(
        lambda samples, control: 0.8 * samples < control
    ),
    "only a distance of 0 is a copy for you; one grey level would be enough to get away": _rule(
        lambda samples, control: samples == 0
    ),
}

VERDICT = Question(
    "verdict",
    _rule(lambda s, c: s < 0.8 * c),
    by_sentence(VERDICT_MISTAKES),
    lambda _: [(2.0, 10.0), (10.0, 10.0), (9.0, 10.0), (11.0, 10.0), (13.0, 10.0), (0.5, 0.55), (0.3, 0.9), (0.7, 5.0)],
    adapt=lambda verdict: lambda samples, control: verdict({"samples": samples, "control": control}),
)

# --- 5: a code that is drawn in training and is μ at test time -----------------------------------------------------

DRAWS = 4000


def code(student: Callable[[Tensor, Tensor, bool], Any]) -> None:
    """Exercise 04.5: student(mu, log_var, training), (B, d) each, gives z: a fresh draw in training, μ at test.

    Judged by many draws: their mean, spread and correlations within five standard errors. Slide 002.
    """
    name = "code"
    generator = torch.Generator().manual_seed(0)
    mu, log_var = torch.randn(3, 2, generator=generator), torch.tensor([[-2.0, 0.5], [1.0, -1.0], [-0.5, 1.5]])
    answer = answer_of(name, student, mu.clone(), log_var.clone(), False)
    if answer is None:
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if (drawn := answer_of(name, student, mu.clone(), log_var.clone(), True)) is None:
            return
        draws = [drawn, *(student(mu.clone(), log_var.clone(), True) for _ in range(DRAWS - 1))]
        at_test = [student(mu.clone(), log_var.clone(), False) for _ in range(2)]
    for what, z in (("training=False", answer), ("training=True", drawn)):
        if isinstance(z, np.ndarray):
            raise CheckFailed(f"{name}: with {what} you return a NumPy array. {next(iter(NO_NUMPY.values()))}")
        if not isinstance(z, Tensor) or z.shape != mu.shape:
            given = tuple(z.shape) if isinstance(z, Tensor) else show(z)
            raise CheckFailed(f"{name}: with {what} return codes of shape {tuple(mu.shape)}, like mu; got {given}")
    if flaw := _at_test(at_test, mu, log_var) or _in_training(torch.stack(draws).detach(), mu, log_var):
        raise CheckFailed(f"{name}: {flaw}")
    leaves = mu.clone().requires_grad_(), log_var.clone().requires_grad_()
    with explaining(name, NO_NUMPY):
        z = student(leaves[0] * 1, leaves[1] * 1, True)
    if flaw := gradient_flaw(z, *leaves):
        raise CheckFailed(f"{name}: the draws have the right distribution, but {flaw}")
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
