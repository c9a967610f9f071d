"""Right answers in other styles pass, and wrong ones of the same kinds are refused by name: for every exercise.

Beside the tests of each notebook: what students write who solve an exercise from its prompt alone. NumPy, einsum,
float64, in place, another but equal formula, loops, a model called as a function.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence

from autoencoder_lab import checks, losses

Function = Callable[..., Any]


def by_hand(model: Any, optimiser: Any, x: Tensor) -> Any:
    loss = (model(x) - x).square().sum() / len(x)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss


def step_on(loss: Callable[[Any, Tensor], Tensor], give: Callable[[Tensor], Any] = lambda loss: loss) -> Function:
    def step(model: Any, optimiser: Any, x: Tensor) -> Any:
        optimiser.zero_grad(set_to_none=True)
        value = loss(model, x)
        value.backward()
        optimiser.step()
        return give(value)

    return step


def without_an_optimiser(model: Any, optimiser: Any, x: Tensor) -> float:
    parameters = list(model.parameters())
    loss = model.loss(x).total
    with torch.no_grad():
        for weight, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            weight -= optimiser.param_groups[0]["lr"] * slope
    return float(loss)


def with_a_closure(model: Any, optimiser: Any, x: Tensor) -> Any:
    def closure() -> Tensor:
        optimiser.zero_grad()
        loss: Tensor = model.loss(x).total
        loss.backward()
        return loss

    return optimiser.step(closure)


def numpy_components(weight: Any, images: Any) -> Any:
    basis = np.linalg.svd(weight.numpy(), full_matrices=False)[0]
    codes = (images.numpy() - images.numpy().mean(0)) @ basis
    return basis @ np.linalg.svd(codes, full_matrices=False)[2].T


def numpy_components_by_eigh(weight: Any, images: Any) -> Any:
    q, _ = np.linalg.qr(np.asarray(weight, dtype=np.float64))
    vectors = np.linalg.eigh(np.cov((np.asarray(images) @ q).T))[1]
    return (q @ vectors)[:, ::-1]


def components_with(
    basis: Callable[[Tensor], Tensor], signs: Callable[[Tensor], Any] = lambda columns: columns
) -> Function:
    def components(weight: Tensor, images: Tensor) -> Any:
        q = basis(weight)
        codes = (images - images.mean(dim=0, keepdim=True)).to(q) @ q
        return signs(q @ torch.linalg.svd(codes, full_matrices=False).Vh.mT)

    return components


def numpy_stamp(x: Any, kernel: Any, stride: int) -> Any:
    out = np.zeros((len(x) - 1) * stride + len(kernel))
    for i in range(len(x)):
        out[i * stride : i * stride + len(kernel)] += x[i].item() * kernel.numpy()
    return out


def stamp_number_by_number(x: Tensor, kernel: Tensor, stride: int) -> list[float]:
    out = [0.0] * ((len(x) - 1) * stride + len(kernel))
    for i, value in enumerate(x.tolist()):
        for u, weight in enumerate(kernel.tolist()):
            out[i * stride + u] += value * weight
    return out


def stamp_by_matrix(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    matrix = torch.zeros((len(x) - 1) * stride + len(kernel), len(x), dtype=torch.float64)
    for i in range(len(x)):
        matrix[i * stride : i * stride + len(kernel), i] = kernel.double()
    return matrix @ x.double()


def numpy_fast_share(images: Any, cutoff: float) -> Any:
    power = (np.abs(np.fft.fft2(images.numpy())) ** 2).sum((0, 1))
    n, m = images.shape[2:]
    waves = np.hypot(np.fft.fftfreq(n, 1 / n)[:, None], np.fft.fftfreq(m, 1 / m)[None])
    return power[waves > cutoff].sum() / (power.sum() - power[0, 0])


def fast_share_of_centred(images: Tensor, cutoff: float) -> Tensor:
    x = images.double() - images.double().mean(dim=(2, 3), keepdim=True)
    power = torch.fft.fftn(x, dim=(-2, -1)).abs().pow(2)
    axes = [torch.fft.fftfreq(n, d=1 / n) for n in images.shape[2:]]
    fast = (axes[0][:, None] ** 2 + axes[1][None] ** 2) > cutoff**2
    return (power * fast).sum() / power.sum()


def numpy_posterior_mean(noisy: Any, candidates: Any, sigma: float) -> Any:
    x, c = noisy.numpy().astype(np.float64), candidates.numpy()
    exponent = -((x[:, None] - c[None]) ** 2).sum(-1) / (2 * sigma**2)
    weights = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return (weights / weights.sum(1, keepdims=True)) @ c


def posterior_mean_row_by_row(noisy: Tensor, candidates: Tensor, sigma: float) -> Tensor:
    rows = []
    for x in noisy.unbind():
        log_weights = Normal(candidates, sigma).log_prob(x).sum(dim=1)
        rows.append((log_weights - log_weights.logsumexp(0)).exp() @ candidates)
    return torch.stack(rows)


def posterior_mean_by_cdist(noisy: Tensor, candidates: Tensor, sigma: float) -> Tensor:
    distance = torch.cdist(noisy, candidates, compute_mode="donot_use_mm_for_euclid_dist")
    return torch.einsum("bn,nd->bd", torch.softmax(-0.5 * (distance / sigma) ** 2, -1), candidates)


def numpy_interpolate(a: Any, b: Any, steps: int) -> Any:
    return np.linspace(a.numpy(), b.numpy(), steps)


def numpy_terms(z: Any, other: Any) -> Any:
    return tuple(float(term) for term in vicreg(z, other))


def vicreg(
    z: Tensor,
    other: Tensor,
    spread: Callable[[Tensor], Tensor] = lambda z: F.relu(1 - torch.sqrt(z.var(0) + 1e-4)).mean(),
    covariance: Callable[[Tensor], Tensor] = lambda z: z.T.cov().fill_diagonal_(0).square().sum() / z.shape[1],
) -> tuple[Tensor, Tensor, Tensor]:
    return spread(z) + spread(other), F.mse_loss(z, other), covariance(z) + covariance(other)


def without_diagonal(z: Tensor) -> Tensor:
    centred = z - z.mean(0)
    c = torch.einsum("bi,bj->ij", centred, centred) / (z.shape[0] - 1)
    return c[~torch.eye(z.shape[1], dtype=torch.bool)].pow(2).sum() / z.shape[1]


def cross_entropy_pixel_by_pixel(x_hat: Tensor, x: Tensor) -> float:
    total = 0.0
    for p, t in zip(x_hat.flatten().tolist(), x.flatten().tolist(), strict=True):
        total -= t * math.log(p) + (1 - t) * math.log1p(-p)
    return total / x.shape[0]


def critic_with(
    fakes: Function, loss: Function = losses.critic_cross_entropy, after: Function = lambda *nets: None
) -> Function:
    def step(generator: Any, critic: Any, optimiser: Any, real: Tensor, noise: Tensor) -> Tensor:
        optimiser.zero_grad()
        value = loss(critic(real), critic(fakes(generator, noise)))
        value.backward()
        optimiser.step()
        after(generator, critic)
        return value.item()

    return step


def made_without_gradient(generator: Any, noise: Tensor) -> Tensor:
    with torch.no_grad():
        return generator(noise)


def critic_by_freezing(generator: Any, critic: Any, optimiser: Any, real: Tensor, noise: Tensor) -> Tensor:
    generator.requires_grad_(False)
    both = critic(torch.cat([real, generator(noise)]))
    loss = -F.logsigmoid(both[: len(real)]).mean() - F.logsigmoid(-both[len(real) :]).mean()
    critic.zero_grad()
    loss.backward()
    optimiser.step()
    generator.requires_grad_(True)
    return loss.detach()


def critic_in_two_parts(generator: Any, critic: Any, optimiser: Any, real: Tensor, noise: Tensor) -> Tensor:
    optimiser.zero_grad()
    of_real = F.softplus(-critic(real)).mean()
    of_real.backward()
    of_fake = F.softplus(critic(generator(noise).detach())).mean()
    of_fake.backward()
    optimiser.step()
    return of_real + of_fake


RIGHT: dict[str, list[Function]] = {
    "squared_error_per_image": [
        lambda a, b: ((a.numpy() - b.numpy()) ** 2).sum() / len(a),
        lambda a, b: np.square(a.numpy() - b.numpy()).reshape(len(a), -1).sum(1).mean(),
        lambda a, b: torch.einsum("mchw,mchw->", a - b, a - b) / a.shape[0],
        lambda a, b: (a.double() - b.double()).pow(2).sum() / a.size(0),
        lambda a, b: F.mse_loss(a, b, reduction="sum") / len(b),
        lambda a, b: F.mse_loss(a, b) * a[0].numel(),
        lambda a, b: a.sub_(b).square_().flatten(1).sum(1).mean(),
        lambda a, b: torch.linalg.norm((a - b).flatten()) ** 2 / len(a),
        lambda a, b: torch.cdist(a.flatten(1), b.flatten(1)).diagonal().pow(2).mean(),
        lambda a, b: sum(((p - q) ** 2).sum() for p, q in zip(a, b, strict=True)) / len(a),
        lambda a, b: (a.square() - 2 * a * b + b.square()).sum() / len(a),
    ],
    "training_step": [
        by_hand,
        without_an_optimiser,
        with_a_closure,
        step_on(lambda model, x: losses.squared_error(model(x), x), lambda loss: loss.detach().numpy()),
        step_on(lambda model, x: model.loss(x).total, lambda loss: loss.item()),
        step_on(lambda model, x: ((model.decode(model.encode(x)) - x) ** 2).flatten(1).sum(1).mean()),
        step_on(lambda model, x: F.mse_loss(model.forward(x), x) * x[0].numel(), float),
        step_on(lambda model, x: sum(model.loss(x).parts.values())),
        step_on(lambda model, x: model.loss(x, x).total, lambda loss: loss.detach().double()),
        step_on(lambda model, x: model.loss(x, target=x.clone()).total, lambda loss: loss.view(1)),
    ],
    "components_from_decoder": [
        numpy_components,
        numpy_components_by_eigh,
        components_with(lambda w: torch.linalg.svd(w, full_matrices=False).U),
        components_with(lambda w: torch.linalg.qr(w).Q),
        components_with(lambda w: torch.linalg.qr(w.double()).Q),
        components_with(lambda w: torch.linalg.qr(w).Q, lambda columns: -columns),
        components_with(lambda w: torch.linalg.qr(w).Q, lambda columns: columns.tolist()),
        components_with(lambda w: w @ torch.linalg.inv(torch.linalg.cholesky(w.T @ w)).T),
        components_with(lambda w: torch.svd(w)[0], lambda columns: columns.numpy() * np.sign(columns.numpy()[0])),
    ],
    "cross_entropy": [
        lambda p, x: F.binary_cross_entropy(p, x, reduction="sum") / len(x),
        lambda p, x: F.binary_cross_entropy(p, x) * x[0].numel(),
        lambda p, x: nn.BCELoss(reduction="none")(p, x).flatten(1).sum(1).mean(),
        lambda p, x: F.binary_cross_entropy_with_logits(torch.logit(p), x, reduction="sum") / x.shape[0],
        lambda p, x: -Bernoulli(p, validate_args=False).log_prob(x).sum() / len(x),
        lambda p, x: -np.sum(x.numpy() * np.log(p.numpy()) + (1 - x.numpy()) * np.log1p(-p.numpy())) / len(x),
        lambda p, x: -(x.double() * p.double().log() + (1 - x.double()) * (1 - p.double()).log()).sum() / len(x),
        lambda p, x: -(torch.xlogy(x, p) + torch.xlogy(1 - x, 1 - p)).sum(dim=(1, 2, 3)).mean(),
        lambda p, x: -(torch.einsum("bchw,bchw->b", x, p.log()) + ((1 - x) * (1 - p).log()).sum((1, 2, 3))).mean(),
        lambda p, x: (x * (1 / p).log() + (1 - x) * (1 / (1 - p)).log()).sum() / len(x),
        cross_entropy_pixel_by_pixel,
    ],
    "stamp": [
        numpy_stamp,
        stamp_number_by_number,
        stamp_by_matrix,
        lambda x, k, s: F.conv_transpose1d(x.view(1, 1, -1), k.view(1, 1, -1), stride=s).flatten(),
        lambda x, k, s: F.conv_transpose1d(x[None, None], k[None, None], None, s)[0, 0].numpy(),
        lambda x, k, s: np.convolve(np.kron(x.numpy(), np.eye(1, s)[0])[: (len(x) - 1) * s + 1], k.numpy()),
        lambda x, k, s: F.fold(
            torch.einsum("i,u->ui", x, k)[None], ((len(x) - 1) * s + len(k), 1), (len(k), 1), stride=(s, 1)
        ).flatten(),
        lambda x, k, s: sum(F.pad(v * k, (i * s, (len(x) - 1 - i) * s)) for i, v in enumerate(x)),
        lambda x, k, s: torch.zeros((len(x) - 1) * s + len(k)).index_add_(
            0, (torch.arange(len(x))[:, None] * s + torch.arange(len(k))).flatten(), torch.outer(x, k).flatten()
        ),
        lambda x, k, s: torch.zeros((len(x) - 1) * s + len(k), dtype=torch.float64).index_put_(
            (torch.arange(len(x))[:, None] * s + torch.arange(len(k)),), torch.outer(x, k).double(), accumulate=True
        ),
    ],
    "fast_share": [
        numpy_fast_share,
        fast_share_of_centred,
        lambda images, cutoff: float(numpy_fast_share(images, cutoff)),
        lambda images, cutoff: 1 - (1 - torch.as_tensor(numpy_fast_share(images, cutoff))),
    ],
    "posterior_mean": [numpy_posterior_mean, posterior_mean_row_by_row, posterior_mean_by_cdist],
    "gaussian_kl": [
        lambda m, s: 0.5 * (m.numpy() ** 2 + np.exp(s.numpy()) - 1 - s.numpy()).sum(1),
        lambda m, s: -0.5 * np.sum(1 + s.numpy() - m.numpy() ** 2 - np.exp(s.numpy()), axis=-1),
        lambda m, s: losses.gaussian_kl(m, s).sum(dim=1),
        lambda m, s: kl_divergence(Normal(m, (s / 2).exp()), Normal(torch.zeros_like(m), 1.0)).sum(-1),
        lambda m, s: 0.5 * (torch.einsum("bd,bd->b", m, m) + s.exp().sum(1) - s.sum(1) - m.shape[1]),
        lambda m, s: (m.double() ** 2 / 2 + s.double().exp() / 2 - 0.5 - s.double() / 2).sum(dim=1),
        lambda m, s: 0.5 * (m**2 + torch.expm1(s) - s).sum(dim=1),
        lambda m, s: [0.5 * float((a**2 + b.exp() - 1 - b).sum()) for a, b in zip(m, s, strict=True)],
        lambda m, s: m.square_().add_(s.exp()).sub_(1).sub_(s).sum(dim=1).mul_(0.5),
        lambda m, s: torch.stack([0.5 * (a.square() + b.exp() - 1 - b).sum() for a, b in zip(m, s, strict=True)]),
        lambda m, s: (0.5 * (m**2 + (s / 2).exp() ** 2 - 1) - (s / 2).exp().log()).sum(dim=1),
    ],
    "reparameterise": [
        lambda m, s, e: m + s.exp().sqrt() * e,
        lambda m, s, e: m + s.exp() ** 0.5 * e,
        lambda m, s, e: m.addcmul(s.mul(0.5).exp(), e),
        lambda m, s, e: torch.lerp(m, m + e, (s / 2).exp()),
        lambda m, s, e: m.double() + (s.double() / 2).exp() * e.double(),
        lambda m, s, e: torch.stack([m, (s / 2).exp() * e]).sum(0),
        lambda m, s, e: torch.einsum("bd,bd->bd", (0.5 * s).exp(), e) + m,
        lambda m, s, e: m + math.e ** (s / 2) * e,
        lambda m, s, e: torch.distributions.AffineTransform(m, (s / 2).exp())(e),
        lambda m, s, e: m + torch.pow(2.0, s / (2 * math.log(2))) * e,
    ],
    "code": [
        lambda m, s, training: m + (s / 2).exp() * torch.randn(m.shape) * training,
        lambda m, s, training: Normal(m, s.exp().sqrt()).rsample() if training else m,
        lambda m, s, training: m + s.exp().sqrt() * torch.randn_like(m) if training else m.clone(),
        lambda m, s, training: torch.where(torch.tensor(training), m + (s / 2).exp() * torch.randn(m.shape), m),
        lambda m, s, training: m.detach() if not training else m + (s / 2).exp() * torch.empty_like(m).normal_(),
        lambda m, s, training: m - (s / 2).exp() * torch.normal(0.0, 1.0, m.shape) if training else m,
    ],
    "vae_loss": [
        lambda r, k, b: (r.numpy().sum(1) + b * k.numpy().sum(1)).mean(),
        lambda r, k, b: r.double().sum() / len(r) + b * k.double().sum() / len(k),
        lambda r, k, b: torch.einsum("bp->", r) / len(r) + b * torch.einsum("bd->", k) / len(k),
        lambda r, k, b: torch.cat([r, b * k], dim=1).sum(dim=1).mean(),
        lambda r, k, b: r.mean() * r.shape[1] + b * k.mean() * k.shape[1],
    ],
    "interpolate": [
        numpy_interpolate,
        lambda a, b, n: torch.lerp(a[None], b[None], torch.linspace(0, 1, n)[:, None]),
        lambda a, b, n: torch.stack([a + i / (n - 1) * (b - a) for i in range(n)]),
        lambda a, b, n: torch.einsum("t,d->td", torch.linspace(0, 1, n), b - a) + a,
        lambda a, b, n: torch.outer(1 - torch.linspace(0, 1, n), a) + torch.outer(torch.linspace(0, 1, n), b),
        lambda a, b, n: a.double() + torch.linspace(0, 1, n).double()[:, None] * (b - a).double(),
        lambda a, b, n: [[float(p + i / (n - 1) * (q - p)) for p, q in zip(a, b, strict=True)] for i in range(n)],
        lambda a, b, n: torch.stack([torch.linspace(float(p), float(q), n) for p, q in zip(a, b, strict=True)], 1),
        lambda a, b, n: np.stack([np.linspace(p, q, n) for p, q in zip(a.numpy(), b.numpy(), strict=True)]).T,
        lambda a, b, n: a + torch.arange(n)[:, None] / (n - 1) * (b - a),
    ],
    "active_units": [
        lambda m, s: int((m.numpy().var(0, ddof=1) > 0.01).sum()),
        lambda m, s: (np.var(m.numpy(), axis=0) > 0.01).sum(),
        lambda m, s: (m.double().var(0) > 0.01).sum().item(),
        lambda m, s: len([j for j in range(m.shape[1]) if m[:, j].var() > 0.01]),
        lambda m, s: torch.count_nonzero(m.std(dim=0) > 0.1),
        lambda m, s: (torch.cov(m.T).diagonal() > 0.01).sum(),
        lambda m, s: sum(bool(column.var() > 0.01) for column in m.T),
        lambda m, s: (m.sub_(m.mean(0)).square().mean(0) > 0.01).sum(),
    ],
    "adversarial_losses": [
        lambda r, f: (-F.logsigmoid(r).mean() - F.logsigmoid(-f).mean(), -F.logsigmoid(f).mean()),
        lambda r, f: (
            np.logaddexp(0, -r.numpy()).mean() + np.logaddexp(0, f.numpy()).mean(),
            np.logaddexp(0, -f.numpy()).mean(),
        ),
        lambda r, f: (losses.critic_cross_entropy(r, f), F.softplus(-f).mean()),
        lambda r, f: [F.softplus(-r.double()).mean() + F.softplus(f.double()).mean(), F.softplus(-f.double()).mean()],
        lambda r, f: (
            F.binary_cross_entropy_with_logits(torch.cat([r, f]), torch.cat([torch.ones_like(r), torch.zeros_like(f)]))
            * 2,
            F.binary_cross_entropy_with_logits(f, torch.ones_like(f)),
        ),
        lambda r, f: (
            torch.logaddexp(torch.zeros(()), -r).mean() + torch.logaddexp(torch.zeros(()), f).mean(),
            torch.logaddexp(torch.zeros(()), -f).mean(),
        ),
        lambda r, f: (
            nn.BCEWithLogitsLoss()(r, torch.ones(len(r))) + nn.BCEWithLogitsLoss()(f, torch.zeros(len(f))),
            nn.BCEWithLogitsLoss()(f, torch.ones(len(f))),
        ),
        lambda r, f: (float(F.softplus(-r).mean() + F.softplus(f).mean()), float(F.softplus(-f).mean())),
        lambda r, f: torch.stack([F.softplus(-r).mean() + F.softplus(f).mean(), F.softplus(-f).mean()]).unbind(),
    ],
    "critic_step": [
        critic_with(lambda g, noise: g(noise).detach()),
        critic_with(lambda g, noise: g(noise).data),
        critic_with(made_without_gradient),
        critic_by_freezing,
        critic_in_two_parts,
        critic_with(
            made_without_gradient, lambda real, fake: -F.logsigmoid(real).mean() - torch.log(1 - fake.sigmoid()).mean()
        ),
    ],
    "vicreg_terms": [
        vicreg,
        lambda z, o: list(vicreg(z, o, covariance=without_diagonal)),
        lambda z, o: dict(zip("vsc", vicreg(z, o), strict=True)),
        lambda z, o: vicreg(z.double(), o.double()),
        lambda z, o: vicreg(z, o, lambda z: (1 - (z.var(dim=0) + 1e-4) ** 0.5).clamp_min(0).sum() / z.shape[1]),
        lambda z, o: vicreg(
            z, o, lambda z: F.relu(1 - ((z - z.mean(0)).pow(2).sum(0) / (len(z) - 1) + 1e-4).sqrt()).mean()
        ),
        lambda z, o: torch.stack(vicreg(z, o)).unbind(),
        lambda z, o: vicreg(z, o, lambda z: torch.maximum(torch.zeros(()), 1 - (z.var(0) + 0.0001).sqrt()).mean()),
    ],
}


@pytest.mark.parametrize(("name", "right"), [(name, right) for name in RIGHT for right in RIGHT[name]])
def test_a_right_answer_in_another_style_passes(name: str, right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    getattr(checks, name)(right)
    assert f"✓ {name}" in capsys.readouterr().out


# --- wrong answers, each with its name -------------------------------------------------------------------------------


def no_return(*arguments: Any) -> None:
    total = sum(float(torch.as_tensor(a).sum()) for a in arguments if isinstance(a, Tensor))
    print(total)


def only_at_times(*arguments: Any) -> Any:
    if len(arguments) > 9:
        return arguments[0]


def trains_and_says_nothing(model: Any, optimiser: Any, x: Tensor) -> None:
    by_hand(model, optimiser, x)


def last_stamp_forgotten(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    out = torch.zeros((len(x) - 1) * stride + len(kernel))
    for i in range(len(x) - 1):
        out[i * stride : i * stride + len(kernel)] += x[i] * kernel
    return out


def one_maximum_for_all_rows(noisy: Tensor, candidates: Tensor, sigma: float) -> Tensor:
    exponent = -(noisy[:, None] - candidates).square().sum(2) / (2 * sigma**2)
    weights = (exponent - exponent.max()).exp()
    return weights / weights.sum(1, keepdim=True) @ candidates


def plain_exponentials(noisy: Tensor, candidates: Tensor, sigma: float) -> Tensor:
    weights = (-(noisy[:, None] - candidates).square().sum(2) / (2 * sigma**2)).exp()
    return weights / weights.sum(1, keepdim=True) @ candidates


def gan_losses(log_d: Callable[[Tensor], Tensor], log_not_d: Callable[[Tensor], Tensor]) -> Function:
    return lambda r, f: (-log_d(r).mean() - log_not_d(f).mean(), -log_d(f).mean())


def bce_of_sigmoid(r: Tensor, f: Tensor) -> Any:
    ones, zeros = torch.ones_like(r), torch.zeros_like(f)
    loss = F.binary_cross_entropy(r.sigmoid(), ones) + F.binary_cross_entropy(f.sigmoid(), zeros)
    return loss, F.binary_cross_entropy(f.sigmoid(), torch.ones_like(f))


def sampled(m: Tensor, s: Tensor, training: bool) -> Tensor:
    return Normal(m, (s / 2).exp()).sample() if training else m


def sigma_detached(m: Tensor, s: Tensor, training: bool) -> Tensor:
    return m + (s / 2).exp().detach() * torch.randn_like(m) if training else m


WRONG: list[tuple[str, Function, str]] = [
    ("squared_error_per_image", no_return, "its `return` is missing"),
    ("squared_error_per_image", only_at_times, "every way through it"),
    ("squared_error_per_image", lambda a, b: ((a - b) ** 2).sum().div(len(a)).sqrt(), "no root"),
    ("squared_error_per_image", lambda a, b: (a**2 - b**2).sum() / len(a), "square the differences"),
    ("squared_error_per_image", lambda a, b: (a - b).numpy(), "must have shape"),
    ("squared_error_per_image", lambda a, b: 3 * (a - b).pow(2).sum() / len(a), "is 3 times what it should be"),
    ("training_step", trains_and_says_nothing, "returns nothing"),
    ("training_step", step_on(lambda model, x: (model(x) - x).square().sum()), "summed over the images"),
    ("training_step", step_on(lambda model, x: F.mse_loss(model(x), x)), "averaged over pixels"),
    ("training_step", step_on(lambda model, x: model.loss(x).total, lambda loss: None), "returns nothing"),
    ("training_step", step_on(lambda model, x: model.loss(0 * x, x).total), r"of the 2: .* expected .*, got"),
    ("components_from_decoder", lambda w, x: numpy_components_by_eigh(w, x)[:, ::-1], "weakest first"),
    ("components_from_decoder", lambda w, x: np.linalg.qr(w.numpy())[0], "QR"),
    ("components_from_decoder", lambda w, x: numpy_components(w, x).T, "as columns"),
    ("cross_entropy", lambda p, x: -((1 - x) * p.log() + x * (1 - p).log()).sum() / len(x), "weights are exchanged"),
    ("cross_entropy", lambda p, x: -(x * p.log2() + (1 - x) * (1 - p).log2()).sum() / len(x), "bits"),
    ("stamp", last_stamp_forgotten, "last stamp is missing"),
    ("stamp", lambda x, k, s: F.pad(last_stamp_forgotten(x, k, s)[:-1], (1, 0)), r"at \[\d\] expected"),
    ("stamp", lambda x, k, s: numpy_stamp(x, k.flip(0), s), "kernel is turned round"),
    ("posterior_mean", one_maximum_for_all_rows, "row 1 of 2 is nan"),
    ("posterior_mean", lambda n, c, s: one_maximum_for_all_rows(n.double(), c.double(), s), "needs its own"),
    ("posterior_mean", plain_exponentials, "cannot underflow"),
    ("posterior_mean", lambda n, c, s: plain_exponentials(n, c, s).nan_to_num(), r"numbers differ: at \["),
    ("gaussian_kl", lambda m, s: (0.5 * m**2 + s.exp() - 1 - s).sum(1), "before the first term only"),
    ("gaussian_kl", lambda m, s: (m**2 + 0.5 * (s.exp() - 1 - s)).sum(1), "before the last terms only"),
    ("gaussian_kl", lambda m, s: (m.numpy() ** 2 + np.exp(s.numpy()) - 1 - s.numpy()).sum(1), "½ is missing"),
    ("gaussian_kl", lambda m, s: (m.numpy() ** 2).sum(), "whole batch"),
    ("reparameterise", lambda m, s, e: m + s / 2 * e, "exp is missing"),
    ("reparameterise", lambda m, s, e: m + s.exp() / 2 * e, "belongs into the exponent"),
    ("reparameterise", lambda m, s, e: torch.as_tensor(m.tolist()) + (s.detach() / 2).exp() * e,
     "no gradient reaches mu"),
    ("reparameterise", lambda m, s, e: m.numpy() + e, "NumPy lets no gradient through"),
    ("code", sampled, r"no gradient reaches mu.*rsample"),
    ("code", sigma_detached, "no gradient reaches log_var"),
    ("code", lambda m, s, t: m.detach() + (s / 2).exp() * torch.randn_like(m) if t else m, "no gradient reaches mu"),
    ("code", lambda m, s, t: torch.normal(m, (s / 2).exp()) if t else m, "no gradient"),
    ("code", lambda m, s, t: np.random.normal(m.numpy(), np.exp(s.numpy() / 2)) if t else m,
     "NumPy lets no gradient through"),
    ("interpolate", lambda a, b, n: np.linspace(b.numpy(), a.numpy(), n), "reversed"),
    ("active_units", lambda m, s: int((0.5 * (m**2 + s.exp() - 1 - s).mean(0) > 0.1).sum()), "KL is above 0.1"),
    ("active_units", lambda m, s: int((m.var(dim=0) <= 0.01).sum()), "inactive dimensions"),
    ("adversarial_losses",
     gan_losses(lambda z: (z.sigmoid() + 1e-8).log(), lambda z: (1 - z.sigmoid() + 1e-8).log()), "stop growing"),
    ("adversarial_losses",
     gan_losses(lambda z: z.sigmoid().clamp(1e-7).log(), lambda z: (1 - z.sigmoid()).clamp(1e-7).log()),
     "stop growing"),
    ("adversarial_losses", bce_of_sigmoid, "BCELoss"),
    ("adversarial_losses",
     gan_losses(lambda z: z.sigmoid().log(), lambda z: (1 - z.sigmoid()).log()), "infinite or nan"),
    ("adversarial_losses", lambda r, f: (F.logsigmoid(r).mean() - F.logsigmoid(-f).mean(), -F.logsigmoid(f).mean()),
     "a minus is missing"),
    ("adversarial_losses", lambda r, f: (-F.logsigmoid(r).mean() + F.logsigmoid(-f).mean(), -F.logsigmoid(f).mean()),
     "a minus is missing"),
    ("adversarial_losses", lambda r, f: (F.logsigmoid(r).mean() + F.logsigmoid(-f).mean(), F.logsigmoid(f).mean()),
     "minus is missing in both"),
    ("critic_step", critic_with(lambda g, noise: g(noise).detach(), lambda r, f: F.softplus(-r).mean()
                                + F.softplus(f.detach()).mean()), "scores of the fakes are detached"),
    ("critic_step", critic_with(made_without_gradient, after=lambda g, c: g.requires_grad_(False)), "still frozen"),
    ("vicreg_terms", lambda z, o: vicreg(z, o, lambda z: F.relu(1 - (z.var(0) + 1e-8).sqrt()).mean()),
     "ε is there, but it is 1e-08"),
    ("vicreg_terms", lambda z, o: vicreg(z, o, lambda z: F.relu(1 - (z.var(0) + 1e-4).sqrt().mean())),
     "hinge is on the mean of the spreads"),
    ("vicreg_terms", lambda z, o: vicreg(z, o, lambda z: F.relu(1 - z.std(0)).mean()), "ε is missing"),
    ("vicreg_terms", lambda z, o: vicreg(z, o, lambda z: F.relu(1 - z.var(0)).mean()), "without its root"),
    ("vicreg_terms", lambda z, o: vicreg(z, o, lambda z: (1 - (z.var(0) + 1e-4).sqrt()).mean()), "rewarded"),
    ("vicreg_terms", numpy_terms, "no gradient"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wrong", "said"), WRONG)
def test_a_wrong_answer_is_refused_by_its_name(name: str, wrong: Function, said: str) -> None:
    with pytest.raises(checks.CheckFailed, match=said) as failure:
        getattr(checks, name)(wrong)
    assert len([word for word in str(failure.value).split() if any(c.isdigit() for c in word)]) < 25  # a handful
