"""The check of a variational autoencoder of one's own: judged by what it draws and what its loss comes to.

How it names σ, and in which method it computes what, is left to the student. The codes that its loss decodes are
written down; their mean and spread say what its draw takes for σ, and the loss less the reconstruction error says what
its KL takes for σ. The two have to agree.
"""

import copy
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autoencoder_lab.checks.compare import CheckFailed, explaining, returned, show, unfinished

NAME = "own_vae"
NO_NUMPY = {  # PyTorch's words: what they mean here
    "Can't call numpy() on Tensor that requires grad": "NumPy lets no gradient through, and this draw is to be learned "
    "through; compute it in PyTorch: torch.exp in place of np.exp",
}
REPEATS, SHAPE = 500, (1, 28, 28)  # draws for each of three images
MARGIN = 5 / (2 * REPEATS) ** 0.5  # five standard errors of a standard deviation that so many draws give, relative
PRECISION = 0.005  # of the loss, in nats

# what the second thing that `posterior` gives may be: how σ comes of it
READINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "log σ²": lambda v: torch.exp(0.5 * v),
    "σ": lambda v: v,
    "log σ": torch.exp,
    "σ²": torch.sqrt,
}
NO_READINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "the noise is not scaled by σ; z = μ + σ·ε": torch.ones_like,
    "log_var is taken for σ; it is log σ², so σ = exp(log_var / 2)": torch.abs,
    "log_var / 2 is log σ; its exp is missing: σ = exp(log_var / 2)": lambda v: 0.5 * v.abs(),
    "that is σ² halved; the ½ belongs into the exponent: σ = exp(log_var / 2)": lambda v: 0.5 * v.exp(),
    "σ = exp(log_var / 2); a factor of 2 in place of the ½ makes it σ⁴": lambda v: (2 * v).exp(),
    "the noise is divided by σ; multiply": lambda v: torch.exp(-0.5 * v),
}


def judge(network: Any) -> nn.Module | None:
    """A new network of this class that `lab.fit` can train; None where it is not done yet. CheckFailed otherwise."""
    if unfinished(NAME, network):
        return None
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
        torch.manual_seed(0)
        made = _made(network)
        watched = copy.deepcopy(made).train()
        if not _is_written(watched):
            return None
        _spread_out(watched)
        x = torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(0)).repeat(REPEATS, 1, 1, 1)
        run, again = (_run(watched, x) for _ in range(2))
        remark = _judge(run, again, watched)
        if flaw := _at_test(watched, x[:3]):
            raise CheckFailed(f"{NAME}: {flaw}")
    print(f"✓ {NAME}: every picture has a draw of its own, and σ is the same in the draw and in the KL{remark}")
    return made


def _made(network: Any) -> nn.Module:
    if inspect.isclass(network):
        try:
            network = network()
        except Exception as error:
            raise CheckFailed(f"{NAME}: your class stops when it is made: {type(error).__name__}: {error}") from error
    if not isinstance(network, nn.Module):
        raise CheckFailed(f"{NAME}: hand over the class itself, derived from nn.Module; got {show(network)}")
    if lacks := [verb for verb in ("posterior", "decode", "loss") if not callable(getattr(network, verb, None))]:
        raise CheckFailed(f"{NAME}: your network has no {lacks[0]}; it needs posterior(x), decode(z) and loss(x)")
    return network


def _is_written(network: Any) -> bool:
    """Whether draw and loss give anything; where not, "not done yet" has been printed."""
    x = torch.rand(3, *SHAPE)
    posterior = _answer(network.posterior, x)
    if posterior is None:
        return False
    mu, second = _posterior(posterior)
    draw = getattr(network, "draw", None)
    if callable(draw) and len(inspect.signature(draw).parameters) == 2 and _answer(draw, mu, second) is None:
        return False
    return _answer(network.loss, x) is not None


def _answer(verb: Callable[..., Any], *inputs: Tensor) -> Any:
    """What one of the network's verbs gives; None, and "not done yet" printed, for a stub."""

    def ask() -> Any:
        with explaining(NAME, NO_NUMPY):
            return verb(*inputs)

    return returned(NAME, verb, ask)


def _posterior(given: Any) -> tuple[Tensor, Tensor]:
    right = isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(one, Tensor) for one in given)
    if not right or given[0].shape != given[1].shape or given[0].ndim != 2:
        raise CheckFailed(f"{NAME}: posterior(x) gives two tensors (B, latent), μ and log σ²; got {show(given)}")
    return given[0], given[1]


def _spread_out(network: nn.Module) -> None:
    """Give the last layers of the encoder offsets, so that σ and its powers are different numbers before training."""
    size = _posterior(network.posterior(torch.rand(2, *SHAPE)))[0].shape[1]  # type: ignore[operator]
    for name, layer in network.named_modules():
        if not isinstance(layer, nn.Linear) or "dec" in name.lower() or layer.bias is None:
            continue
        if layer.out_features in (size, 2 * size):
            offsets = [1.4 * (-1) ** i * (1 - 0.35 * (i % 3)) for i in range(layer.out_features)]
            layer.bias.data = torch.tensor(offsets)


@dataclass
class _Run:
    """One call of loss(x): what it gave, the codes that it decoded (B, d), and what posterior gave meanwhile."""

    x: Tensor
    loss: Tensor
    codes: list[Tensor]
    named: list[tuple[Tensor, Tensor]]

    @property
    def z(self) -> Tensor:
        return self.codes[0]


def _run(network: Any, x: Tensor) -> _Run:
    codes: list[Tensor] = []
    inner: list[Tensor] = []
    named: list[tuple[Tensor, Tensor]] = []
    decode, posterior = network.decode, network.posterior

    def decoding(z: Tensor, *rest: Any) -> Any:
        codes.append(z)
        return decode(z, *rest)

    def naming(images: Tensor) -> Any:
        given = posterior(images)
        named.append(_posterior(given))
        return given

    decoder = getattr(network, "decoder", None)
    hook = (
        decoder.register_forward_pre_hook(lambda _, inputs: inner.append(inputs[0]))
        if isinstance(decoder, nn.Module)
        else None
    )
    network.decode, network.posterior = decoding, naming
    try:
        with explaining(NAME, NO_NUMPY):
            loss = network.loss(x)
    finally:
        del network.decode, network.posterior
        if hook is not None:
            hook.remove()
    return _Run(x, _one_number(loss, len(x)), _codes(codes or inner, len(x)), named or [_posterior(posterior(x))])


def _one_number(loss: Any, count: int) -> Tensor:
    if not isinstance(loss, Tensor):
        raise CheckFailed(
            f"{NAME}: loss(x) returns a tensor of one number, from which gradients go back; got {show(loss)}"
        )
    if loss.numel() == count:
        raise CheckFailed(f"{NAME}: loss(x) gives one number for each image; return their mean, .mean()")
    if loss.numel() != 1:
        raise CheckFailed(f"{NAME}: loss(x) must be one number, got shape {tuple(loss.shape)}; is a sum missing?")
    if not loss.isfinite():
        raise CheckFailed(
            f"{NAME}: loss(x) is {loss.item()}. Is the logarithm of a negative number taken, or is log_var, which may "
            "be negative, taken for σ or σ²?"
        )
    return loss.reshape(())


def _codes(found: list[Tensor], count: int) -> list[Tensor]:
    if not found:
        raise CheckFailed(f"{NAME}: your loss decodes no code: x̂ is self.decode(z), with z drawn from N(μ, σ²)")
    if any(not isinstance(z, Tensor) or z.ndim != 2 or len(z) != count for z in found):
        raise CheckFailed(f"{NAME}: your loss decodes {show(found[0])}; it should decode one code (latent,) an image")
    return found


# --- what it drew --------------------------------------------------------------------------------------------------


def _judge(run: _Run, again: _Run, network: Any) -> str:
    """A remark for the ✓ line; CheckFailed for what is wrong."""
    mu, second = (one.detach()[:3] for one in run.named[0])
    if flaw := _no_draw(run, again, mu):
        raise CheckFailed(f"{NAME}: {flaw}")
    draws = run.z.detach().view(REPEATS, *mu.shape)
    spread = draws.std(dim=0)
    if flaw := _off_centre(draws, mu, spread) or _unlike_noise(draws, mu, spread):
        raise CheckFailed(f"{NAME}: {flaw}")
    read = [how for how, sigma in READINGS.items() if _fits(spread, sigma(second))]
    if not read:
        wrong = next((said for said, sigma in NO_READINGS.items() if _fits(spread, sigma(second))), None)
        raise CheckFailed(f"{NAME}: {wrong or 'the spread of many draws is not σ = exp(log_var / 2)'}")
    said = _loss_flaw(run, read, network)
    if said is not None:
        raise CheckFailed(f"{NAME}: {said}")
    if flaw := _gradient_flaw(run, read[0], network):
        raise CheckFailed(f"{NAME}: the numbers are right, but {flaw}")
    if "log σ²" in read:
        return ""
    return (
        f". Your posterior gives {read[0]}, though; the figures below read log σ²: let it return "
        f"{ {'σ': '2 * sigma.log()', 'log σ': '2 * log_sigma', 'σ²': 'variance.log()'}[read[0]] }"
    )


def _fits(spread: Tensor, sigma: Tensor) -> bool:
    return bool(((spread / sigma - 1).abs() < MARGIN).all())


def _no_draw(run: _Run, again: _Run, mu: Tensor) -> str | None:
    z = run.z.detach().view(REPEATS, *mu.shape)
    if torch.allclose(z, mu.expand_as(z), atol=1e-6):
        return "there is no noise in z: your loss decodes μ. The KL pays for a noisy code: draw z = μ + σ·ε"
    if torch.equal(run.z, again.z):
        return "two calls get the same noise: draw ε anew in each call, torch.randn_like(mu), and set no seed inside"
    if bool((z.std(dim=0) < 1e-5).all()):
        return "all images of a batch share one ε; each needs its own: torch.randn_like(mu), not torch.randn(latent)"
    return None


def _off_centre(draws: Tensor, mu: Tensor, spread: Tensor) -> str | None:
    error = 5 * spread / REPEATS**0.5 + 1e-6
    if bool(((draws.mean(dim=0) - mu).abs() <= error).all()):
        return None
    if bool((draws.mean(dim=0).abs() <= error).all()):
        return "the draws are centred on 0, so μ is missing: z = μ + σ·ε"
    return "the mean of many draws is not μ: z = μ + σ·ε, with ε of mean 0 (torch.randn_like, not rand)"


def _unlike_noise(draws: Tensor, mu: Tensor, spread: Tensor) -> str | None:
    noise = (draws - mu) / spread
    if noise.shape[2] > 1:
        together = torch.corrcoef(noise.view(-1, noise.shape[2]).T) - torch.eye(noise.shape[2])
        if bool((together.abs() > 0.5).any()):
            return "the numbers of one code share their ε; each needs its own: torch.randn_like(mu)"
    tails = noise.square().square().mean()  # 3 for a Gaussian
    return None if abs(float(tails) - 3) < 0.7 else "the noise is not Gaussian: use torch.randn_like, not rand"


# --- what its loss comes to ----------------------------------------------------------------------------------------


def _kl(mu: Tensor, sigma: Tensor) -> Tensor:
    return 0.5 * (mu.square() + sigma.square() - 1 - 2 * sigma.log()).sum(dim=1).mean()


def _kl_of_draws(z: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """The KL by one draw an image, log q(z) − log p(z): another right way to take it."""
    return (0.5 * z.square() - 0.5 * ((z - mu) / sigma).square() - sigma.log()).sum(dim=1).mean()


def _reconstructions(run: _Run, network: Any) -> dict[str, Tensor]:
    """The reconstruction term as it may be meant; a mean over the images, and over several draws."""
    squared, cross = [], []
    for z in run.codes:
        x_hat = network.decode(z).view_as(run.x)
        squared.append((run.x - x_hat).square().flatten(1).sum(dim=1).mean())
        cross.append(F.binary_cross_entropy(x_hat.clamp(1e-7, 1 - 1e-7), run.x, reduction="sum") / len(run.x))
    return {"squared error": torch.stack(squared).mean(), "cross-entropy": torch.stack(cross).mean()}


def _loss_flaw(run: _Run, read: list[str], network: Any) -> str | None:
    """What is wrong with the loss, or None. read: what the draws may take the second number for."""
    mu, second = (one.detach() for one in run.named[0])
    with torch.no_grad():
        terms = {name: float(term) for name, term in _reconstructions(run, network).items()}
    kls = {how: float(_kl(mu, sigma(second))) for how, sigma in READINGS.items()}
    given, images, pixels = float(run.loss.detach()), len(run.x), run.x[0].numel()
    close = partial(math.isclose, given, rel_tol=0, abs_tol=PRECISION)
    for how in read:
        drawn = sum(float(_kl_of_draws(z.detach(), mu, READINGS[how](second))) for z in run.codes) / len(run.codes)
        if any(close(term + kl) for term in terms.values() for kl in (kls[how], drawn)):
            return None
    mixed = [how for how, kl in kls.items() if how not in read and any(close(r + kl) for r in terms.values())]
    if mixed:
        return _mixed(read[0], mixed[0])
    for r in terms.values():
        for said, value in _wrong_sums(r, kls[read[0]], images, pixels, mu.shape[1]).items():
            if close(value) or abs(given - value) < 1e-5 * abs(value):
                return said
    r, kl = terms["squared error"], kls[read[0]]
    return (
        f"for these pictures ‖x − x̂‖² is {r:.4g} on average and the KL {kl:.4g} nats, {r + kl:.4g} together; "
        f"your loss is {given:.4g}"
    )


def _mixed(draw: str, kl: str) -> str:
    if (draw, kl) == ("log σ", "log σ²"):
        return "the noise is multiplied by exp(log_var), the variance σ²; σ = exp(log_var / 2). The KL has it right"
    if (draw, kl) == ("σ", "log σ²"):
        return "the noise is multiplied by log_var itself; σ = exp(log_var / 2). The KL has it right"
    return f"σ and σ² are mixed: the draw takes the second number for {draw}, the KL takes it for {kl}"


def _wrong_sums(r: float, kl: float, images: int, pixels: int, size: int) -> Mapping[str, float]:
    return {
        "the KL is missing: without it nothing keeps the codes near N(0, I)": r,
        "the reconstruction is missing: without it every picture gets the same code": kl,
        "the reconstruction is averaged over pixels, so the KL weighs too much, as many times as there are pixels. Sum "
        "over the pixels": r / pixels + kl,
        "both terms are averaged, over pixels and over dimensions; sum both": r / pixels + kl / size,
        "the KL is averaged over the dimensions; sum over them, dim=1": r + kl / size,
        "both terms are summed over the images; average over the batch, or the loss depends on its size": images
        * (r + kl),
        "the KL is summed over the images; average both terms over the batch": r + images * kl,
        "the reconstruction is summed over the images; average both terms over the batch": images * r + kl,
        "the KL is subtracted; it is a price: add it": r - kl,
        "the ½ of the KL is missing": r + 2 * kl,
        "the KL counts half as much as it should; is its ½ taken twice?": r + 0.5 * kl,
        "the −1 of the KL is missing: at μ = 0 and σ = 1 it must be 0": r + kl + 0.5 * size,
        "‖x − x̂‖² is halved: that assumes a noise of σ² = 1. The exercise asks for ‖x − x̂‖² + KL": 0.5 * r + kl,
        "the root is taken: ‖x − x̂‖² is the sum of squares itself": math.sqrt(max(r, 0.0)) + kl,
    }


# --- which way gradients go ----------------------------------------------------------------------------------------


def _gradient_flaw(run: _Run, how: str, network: Any) -> str | None:
    """What is wrong with the gradients of the loss by μ and by the second number, or None."""
    if not run.loss.requires_grad:
        return "no gradient comes back from the loss: is it made under torch.no_grad(), by item() or by detach()?"
    if not all(one.requires_grad for pair in run.named for one in pair):
        return "what posterior gives has no gradient; leave detach() and torch.no_grad() out of it"
    of_loss = _gradients(run.loss, run.named)
    if all(gradient is None for gradient in of_loss):
        return _by_weights(run, network)  # posterior was not asked by the loss
    of_code = _gradients(run.z.sum(), run.named)
    mu, second = (one.detach().requires_grad_() for one in run.named[0])
    sigma = READINGS[how](second)
    right = [mu + sigma * ((z - mu) / sigma).detach() for z in run.codes]
    for name, found, wanted in zip(("mu", "log_var"), of_code, _gradients(right[0].sum(), [(mu, second)]), strict=True):
        if found is None or wanted is None or not torch.allclose(found, wanted, atol=1e-2, rtol=1e-2):
            return (
                f"no gradient passes through the draw to {name} as it should. A distribution's sample() and "
                "torch.normal(mu, sigma) let none through, rsample() and z = μ + σ·ε do; nothing in them may be "
                "detached but ε"
            )
    kls = _kl(mu, sigma), torch.stack([_kl_of_draws(z, mu, sigma) for z in right]).mean()
    terms = _reconstructions(_Run(run.x, run.loss, right, []), network).values()
    if not any(_agree(of_loss, _gradients(term + kl, [(mu, second)])) for term in terms for kl in kls):
        return "a part of the loss sends no gradient back to μ and σ; is the KL or x̂ detached?"
    return None


def _gradients(value: Tensor, pairs: Sequence[tuple[Tensor, Tensor]]) -> list[Tensor | None]:
    """Of a number by the first and by the second of all pairs that it was made of; None where it does not reach."""
    if not value.requires_grad:
        return [None, None]
    each = [torch.autograd.grad(value, pair, allow_unused=True, retain_graph=True) for pair in pairs]
    found: list[Tensor | None] = []
    for of_one in zip(*each, strict=True):
        reached = [gradient for gradient in of_one if gradient is not None]
        found.append(torch.stack(reached).sum(dim=0) if reached else None)
    return found


def _agree(found: Sequence[Tensor | None], right: Sequence[Tensor | None]) -> bool:
    return all(
        one is not None and other is not None and bool((one - other).norm() <= 0.02 * other.norm() + 1e-6)
        for one, other in zip(found, right, strict=True)
    )


def _by_weights(run: _Run, network: nn.Module) -> str | None:
    weights = [weight for name, weight in network.named_parameters() if "dec" not in name.lower()]
    reached = torch.autograd.grad(run.z.sum(), weights, allow_unused=True) if run.z.requires_grad else []
    if any(gradient is not None and gradient.any() for gradient in reached):
        return None
    return "no gradient passes through the draw to the encoder; z = μ + σ·ε, and nothing detached but ε"


def _at_test(network: Any, x: Tensor) -> str | None:
    network.eval()
    with torch.no_grad():
        try:
            first, second = network(x), network(x)
        except NotImplementedError:
            return "the network cannot be called: let forward(x) return self.decode(μ)"
        if not isinstance(first, Tensor) or first.shape != x.shape:
            return f"network(x) must give pictures {tuple(x.shape)} as x is; got {show(first)}"
        if not torch.equal(first, second):
            return "network(x) draws at test time too; there the code is μ, so that a picture has one reconstruction"
    return None
