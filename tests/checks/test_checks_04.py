"""The checks of notebooks 04 and 04b: right functions pass, common mistakes are named, a stub is not done yet."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

import autoencoder_lab as lab
from autoencoder_lab import checks

Function = Callable[..., Any]


def stub(*args: Any, **kwargs: Any) -> None:
    return None


# --- 04.1: the KL ----------------------------------------------------------------------------------------------------


def by_formula(mu: Tensor, log_var: Tensor) -> Tensor:
    return -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(-1)


def by_torch(mu: Tensor, log_var: Tensor) -> Tensor:
    return kl_divergence(Normal(mu, log_var.exp().sqrt()), Normal(0.0, 1.0)).sum(dim=1)


def by_loop(mu: Tensor, log_var: Tensor) -> Tensor:
    def one(m: Tensor, s: Tensor) -> Tensor:
        return 0.5 * (m * m + s.exp() - 1 - s)

    each = [list(map(one, *rows)) for rows in zip(mu, log_var, strict=True)]
    return torch.tensor([sum(row) for row in each])


@pytest.mark.parametrize("right", [by_formula, by_torch, by_loop])
def test_gaussian_kl_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.gaussian_kl(right)
    assert "✓" in capsys.readouterr().out


def of_sigma(mu: Tensor, sigma: Tensor) -> Tensor:
    return (0.5 * (mu**2 + sigma**2 - 1) - sigma.log()).sum(dim=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (of_sigma, "taken for σ; it is log σ²"),
        (lambda m, s: of_sigma(m, s.sqrt()), "taken for σ²; it is log σ²"),
        (lambda m, s: of_sigma(m, s.exp()), "taken for log σ"),
        (lambda m, s: -0.5 * (1 + s - m**2 - (s / 2).exp()).sum(dim=1), r"exp\(log_var / 2\) is σ"),
        (lambda m, s: 0.5 * (m**2 + s.exp() - 1 - s / 2).sum(dim=1), "halved in the last term"),
        (lambda m, s: -(1 + s - m**2 - s.exp()).sum(dim=1), "½ is missing"),
        (lambda m, s: -0.5 * (1 + s - m**2 - s.exp()).mean(dim=1), "average over the dimensions"),
        (lambda m, s: 0.5 * (1 + s - m**2 - s.exp()).sum(dim=1), "never negative"),
        (lambda m, s: 0.5 * (m**2 + s.exp() - s).sum(dim=1), "the −1 is missing"),
        (lambda m, s: 0.5 * ((m**2 + s.exp() - s).sum(dim=1) - 1), "once for each dimension"),
        (lambda m, s: kl_divergence(Normal(0.0, 1.0), Normal(m, (s / 2).exp())).sum(dim=1), "other way round"),
        (lambda m, s: 0.5 * (m + s.exp() - 1 - s).sum(dim=1), "μ is not squared"),
        (lambda m, s: 0.5 * (s.exp() - 1 - s).sum(dim=1), "μ² is missing"),
        (lambda m, s: 0.5 * (m**2 + s.exp() - 1).sum(dim=1), "log σ² is missing"),
        (lambda m, s: 0.5 * (m**2 + s.exp() - 1 + s).sum(dim=1), "wrong sign"),
        (lambda m, s: 0.5 * (m**2 - 1 - s).sum(dim=1), "term σ² is missing"),
        (lambda m, s: by_formula(m, s) / math.log(2), "bits"),
        (lambda m, s: by_formula(m, s) / m.shape[0], "divide by the number of images"),
        (lambda m, s: by_formula(m, s).sum(), "whole batch"),
        (lambda m, s: by_formula(m, s).mean(), "whole batch"),
        (lambda m, s: 0.5 * (m**2 + s.exp() - 1 - s), "each dimension; sum over the dimensions"),
        (lambda m, s: 0.5 * (m**2 + s.exp() - 1 - s).sum(dim=0), r"over the images \(dim=0\)"),
        (lambda m, s: by_formula(m, s) * float("nan"), "nan or infinity"),
        (lambda m, s: by_formula(m, s) + 0.2, "expected"),
        (lambda m, s: m.pow(2).total(), "stops with AttributeError"),
    ],
)
def test_gaussian_kl_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.gaussian_kl(wrong)


# --- 04.2: the reparameterisation ------------------------------------------------------------------------------------


def in_three_lines(mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    z = log_var.exp().sqrt()
    z = z * noise
    z += mu
    return z


@pytest.mark.parametrize("right", [lambda m, s, e: torch.addcmul(m, torch.exp(s / 2), e), in_three_lines])
def test_reparameterise_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.reparameterise(right)
    assert "✓" in capsys.readouterr().out


def draws_its_own(mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    return mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)


def without_gradient(mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    with torch.no_grad():
        return mu + torch.exp(0.5 * log_var) * noise


def adds_in_place(mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    mu += torch.exp(0.5 * log_var) * noise
    return mu


def test_a_value_computed_in_place_is_right_with_a_word_of_advice(capsys: pytest.CaptureFixture[str]) -> None:
    checks.gaussian_kl(lambda m, s: by_formula(m, s.exp_().log()))
    assert "correct; but your function changes its input in place" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda m, s, e: m + s * e, "taken for σ; it is log σ²"),
        (lambda m, s, e: m + s**0.5 * e, "taken for σ²; it is log σ²"),
        (lambda m, s, e: m + torch.exp(s) * e, "variance σ²; its square root"),
        (lambda m, s, e: m + torch.exp(2 * s) * e, "σ⁴"),
        (lambda m, s, e: m + e / torch.exp(s / 2), "divided by σ"),
        (lambda m, s, e: m, "no noise in z: that is μ"),
        (lambda m, s, e: torch.exp(s / 2) * e, "no μ in z"),
        (lambda m, s, e: m + e, "not scaled"),
        (lambda m, s, e: (m + e) * torch.exp(s / 2), "noise first"),
        (lambda m, s, e: m + torch.exp(s / 2) + e, "σ is added"),
        (lambda m, s, e: m + torch.exp(s / 2), "one fixed code"),
        (lambda m, s, e: m * e + torch.exp(s / 2), "μ is multiplied"),
        (lambda m, s, e: m + torch.exp(s / 2) * e[0], "noise of the first one"),
        (lambda m, s, e: m + torch.exp(s / 2) * e[:, :1], "every dimension gets"),
        (lambda m, s, e: m + torch.exp(s / 2) * e**2, "squared"),
        (lambda m, s, e: m - torch.exp(s / 2) * e, "right distribution too"),
        (draws_its_own, "noise of your own"),
        (without_gradient, "no gradient reaches mu"),
        (lambda m, s, e: m + torch.exp(s.detach() / 2) * e, "no gradient reaches log_var"),
        (adds_in_place, "in place"),  # a gradient has to pass here
        (lambda m, s, e: (m + torch.exp(s / 2) * e).sum(dim=1), "must have shape"),
        (lambda m, s, e: (m, s), "return a tensor or a number, got tuple"),
        (lambda m, s, e: torch.normal(m, s), "noise of your own"),
    ],
)
def test_reparameterise_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.reparameterise(wrong)


# --- the loss --------------------------------------------------------------------------------------------------------


def summed(pixels: Tensor, kl: Tensor, beta: float) -> Tensor:
    return (pixels.sum(dim=1) + beta * kl.sum(dim=1)).mean()


@pytest.mark.parametrize("right", [summed, lambda r, k, b: float(r.sum() + b * k.sum()) / len(r)])
def test_vae_loss_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.vae_loss(right)
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda r, k, b: r.mean() + b * k.sum(dim=1).mean(), "weighs too much"),
        (lambda r, k, b: r.sum(dim=1).mean() + b * k.mean(), "KL is averaged over the dimensions"),
        (lambda r, k, b: r.mean() + b * k.mean(), "both terms are averaged"),
        (lambda r, k, b: summed(r, k, b / r.shape[1]), "KL is averaged over pixels"),
        (lambda r, k, b: summed(b * r, k, 1), "before the reconstruction"),
        (lambda r, k, b: summed(r, k, 1), "β is missing"),
        (lambda r, k, b: b * summed(r, k, 1), "not the whole"),
        (lambda r, k, b: summed(r, b * k, b), "β²"),
        (lambda r, k, b: summed(r, k, 1 / b), "divided by β"),
        (lambda r, k, b: summed(r, k, 1) + b, "added to the KL"),
        (lambda r, k, b: summed((1 - b) * r, k, b), "1 − β"),
        (lambda r, k, b: r.sum() + b * k.sum(), "summed over the images; average over the batch"),
        (lambda r, k, b: r.sum(dim=1).mean() + b * k.sum(), "KL is summed over the images"),
        (lambda r, k, b: r.sum() + b * k.sum(dim=1).mean(), "reconstruction is summed over the images"),
        (lambda r, k, b: summed(r, k, -b), "subtracted"),
        (lambda r, k, b: -summed(r, k, b), "that is the ELBO"),
        (lambda r, k, b: r.sum(dim=1).mean(), "KL is missing"),
        (lambda r, k, b: b * k.sum(dim=1).mean(), "reconstruction is missing"),
        (lambda r, k, b: r[0].sum() + b * k[0].sum(), "first image"),
        (lambda r, k, b: r.sum(dim=1) + b * k.sum(dim=1), "must have shape"),
        (lambda r, k, b: r + k, "stops with RuntimeError"),
    ],
)
def test_vae_loss_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.vae_loss(wrong)


# --- 04b.1: interpolation --------------------------------------------------------------------------------------------


def line(shares: Function) -> Function:
    return lambda a, b, n: torch.stack([(1 - t) * a + t * b for t in shares(n)])


@pytest.mark.parametrize(
    "right",
    [
        line(lambda n: [i / (n - 1) for i in range(n)]),
        lambda a, b, n: torch.lerp(a, b, torch.linspace(0, 1, n)[:, None]),
    ],
)
def test_interpolate_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.interpolate(right)
    assert "✓" in capsys.readouterr().out


def slerp(a: Tensor, b: Tensor, steps: int) -> Tensor:
    omega = torch.arccos((a / a.norm()) @ (b / b.norm()))
    weights = [(torch.sin((1 - t) * omega), torch.sin(t * omega)) for t in torch.linspace(0, 1, steps)]
    return torch.stack([(of_a * a + of_b * b) / omega.sin() for of_a, of_b in weights])


def scaled(a: Tensor, b: Tensor, steps: int) -> Tensor:
    straight, lengths = line(lambda n: torch.linspace(0, 1, n))(a, b, steps), torch.linspace(a.norm(), b.norm(), steps)
    return torch.nn.functional.normalize(straight) * lengths[:, None]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (line(lambda n: torch.linspace(0, 1, n + 2)[1:-1]), "both ends are missing"),
        (line(lambda n: [i / n for i in range(n)]), "one step short of b"),
        (line(lambda n: [(i + 1) / n for i in range(n)]), "one step after a; the first code"),
        (line(lambda n: [(i + 1) / (n - 1) for i in range(n)]), "one step beyond b"),
        (lambda a, b, n: line(lambda n: torch.linspace(0, 1, n))(b, a, n), "reversed"),
        (slerp, "spherical"),
        (scaled, "keep their length"),
        (line(lambda n: torch.linspace(0, 1, n) ** 2), "t²"),
        (line(lambda n: (1 - torch.cos(torch.linspace(0, math.pi, n))) / 2), "slowly at both ends"),
        (lambda a, b, n: a + torch.linspace(0, 1, n)[:, None] * b, "add a share of b"),
        (lambda a, b, n: torch.linspace(0, 1, n)[:, None] * (b - a), "a is missing"),
        (line(lambda n: [0.5] * n), "halfway"),
        (lambda a, b, n: a.repeat(n, 1), "every code is a"),
        (line(lambda n: [float(2 * i > n - 1) for i in range(n)]), "jump"),
        (lambda a, b, n: a + torch.linspace(0, 1, n)[:, None] * (a - b), "away from b"),
        (lambda a, b, n: line(lambda n: torch.linspace(0, 1, n))(a, b, n).T, "transpose"),
        (lambda a, b, n: [(1 - t) * a + t * b for t in torch.linspace(0, 1, n)], "torch.stack"),
        (line(lambda n: torch.linspace(0, 1, n + 1)), r"must have shape \(5, 3\), got \(6, 3\)"),
        (line(lambda n: torch.rand(n)), "expected"),
        (lambda a, b, n: a + torch.linspace(0, 1, n) * (b - a), "stops with RuntimeError"),
    ],
)
def test_interpolate_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.interpolate(wrong)


# --- 04b.3: the collapse experiment ----------------------------------------------------------------------------------


def build(beta: float, **settings: Any) -> Any:
    return lab.VAE(**{"latent": 3, "beta": beta, "width": 4, "hidden": 16} | settings)


def design(
    model: Callable[[float], Any] = build,
    betas: Callable[[list[float]], list[float]] = lambda betas: betas,
    settings: Callable[[float], dict[str, Any]] = lambda beta: {"steps": 100, "seed": 0},
    trained_on: Callable[[Any, float], Any] = lambda data, beta: data,
    judged_on: Callable[[Any, float], Any] = lambda data, beta: data.test,
    answer: Callable[[dict[float, int]], Any] = lambda counts: counts,
    **more: Any,
) -> Function:
    """An experiment that is right but for what is given."""

    def experiment(data: Any, all_betas: list[float], fit: Function, active: Function) -> Any:
        counts = {}
        for beta in betas(all_betas):
            vae = model(beta)
            fit(vae, trained_on(data, beta), **settings(beta))
            counts[beta] = active(vae, judged_on(data, beta), **more)
        return answer(counts)

    return experiment


def all_first(data: Any, betas: list[float], fit: Function, active: Function) -> dict[float, int]:
    """Another right way: all trained first, measured afterwards; the default seed; a Gaussian likelihood."""
    models = {beta: build(beta, likelihood="gaussian", image_shape=data.shape) for beta in reversed(betas)}
    for model in models.values():
        fit(model, data, epochs=3, progress=False)
    return {beta: active(models[beta], data.test) for beta in betas}


@pytest.mark.parametrize("right", [design(), all_first])
def test_collapse_experiment_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.collapse_experiment(right)
    assert "✓ collapse_experiment: a fair design" in capsys.readouterr().out


def one_model(data: Any, betas: list[float], fit: Function, active: Function) -> Any:
    vae, counts = build(1.0), {}
    for beta in betas:
        vae.beta = beta
        fit(vae, data)
        counts[beta] = active(vae, data.test)
    return counts


def untrained(data: Any, betas: list[float], fit: Function, active: Function) -> Any:
    return {beta: active(build(beta), data.test) for beta in betas}


def counted_elsewhere(data: Any, betas: list[float], fit: Function, active: Function) -> Any:
    counts = {}
    for beta in betas:
        vae = build(beta)
        fit(vae, data)
        counts[beta] = lab.metrics.active_units(vae, data.test)
    return counts


def fewer(data: Any, beta: float) -> Any:
    return lab.ImageData("fewer", data.train[:4], data.val, data.test)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (design(lambda beta: build(1.0)), "all your models have β = 1"),
        (design(betas=lambda betas: betas[1:]), "no run with β = 0.5"),
        (design(betas=lambda betas: [*betas, 100.0]), "and no other"),
        (design(settings=lambda beta: {"seed": int(beta)}), "different seeds"),
        (design(settings=lambda beta: {"steps": int(100 * beta)}), "trained differently"),
        (design(lambda beta: build(beta, latent=2 + int(beta))), "different code sizes"),
        (design(lambda beta: build(beta, warm_up=0.0 if beta > 1 else 0.2)), "differ in more than β"),
        (design(lambda beta: build(beta, free_bits=0.1 * beta)), "differ in more than β"),
        (design(lambda beta: build(beta, width=4 + int(beta))), "differ in more than β"),
        (design(lambda beta: build(beta, likelihood="gaussian", sigma=beta)), "differ in more than β"),
        (design(judged_on=lambda data, beta: data.train), "measure on training images"),
        (design(judged_on=lambda data, beta: data.val), "measure on validation images"),
        (design(judged_on=lambda data, beta: data.test[:2]), "measure on other images"),
        (design(judged_on=lambda data, beta: data.test.images), "takes a split"),
        (design(judged_on=lambda data, beta: data.test, threshold=0.1), "threshold as it is"),
        (design(trained_on=lambda data, beta: data.train), "takes the whole data set"),
        (design(trained_on=lambda data, beta: data if beta > 1 else fewer(data, beta)), "learn from different images"),
        (design(trained_on=fewer), "as it is"),
        (design(lambda beta: lab.DenseAutoencoder(3)), "no KL for β"),
        (design(answer=lambda counts: dict(zip(counts, reversed(counts.values()), strict=True))), "wrong β"),
        (design(answer=lambda counts: {beta: 3 for beta in counts}), "are not those"),
        (design(answer=lambda counts: list(counts.values())), "return a dictionary"),
        (design(answer=lambda counts: {str(beta): n for beta, n in counts.items()}), "return a dictionary"),
        (one_model, "trained twice"),
        (untrained, "before it was trained"),
        (counted_elsewhere, "measured with the `active`"),
        (lambda data, betas, fit, active: {}, "nothing was trained"),
        (lambda data, betas, fit, active: data.betas, "stops with AttributeError"),
    ],
)
def test_collapse_experiment_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.collapse_experiment(wrong)


COUNTS = {1.0: 9, 4.0: 6, 12.0: 0, 30.0: 0}


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (COUNTS, "From β = 12 on no unit of the code is active."),
        ({1: 9, 4: 0, 12: 2, 30: 0}, "One unit came back, but at β = 30 all are dead."),
        ({1: 9, 4: 6, 12: 2}, "Up to β = 12, the largest tried, some units live."),
    ],
)
def test_a_conclusion_with_its_figure(counts: Any, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    checks.collapse_experiment(design(), counts, sentence)
    assert "a conclusion with its figure" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("counts", "sentence", "message"),
    [
        (COUNTS, "A large β makes all the units die.", "names its figure: from which β on"),
        (COUNTS, "From β = 4 on there are fewer active units.", "names its figure"),
        (COUNTS, "12", "as a sentence"),
        ({1: 9, 4: 6}, "From β = 4 on no unit is active.", "three values of β"),
        ({1: 9, 4: 6, 12: 2}, "The units never die, whatever β is.", "largest β you tried"),
    ],
)
def test_a_conclusion_without_it(counts: Any, sentence: str, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.collapse_experiment(design(), counts, sentence)


# --- stubs -----------------------------------------------------------------------------------------------------------


def test_stubs_are_not_done_yet(capsys: pytest.CaptureFixture[str]) -> None:
    for check in (
        checks.gaussian_kl,
        checks.reparameterise,
        checks.vae_loss,
        checks.interpolate,
        checks.collapse_experiment,
    ):
        check(stub)
        check(lambda *args, **kwargs: ...)
    checks.collapse_experiment(design(), COUNTS, "")
    checks.collapse_experiment(design(), COUNTS, None)
    out = capsys.readouterr().out
    assert out.count("not done yet") == 12 and "✓" not in out


# --- the code: drawn in training, μ at test ---


def sigma(log_var: Tensor) -> Tensor:
    return torch.exp(0.5 * log_var)


def code_by_formula(mu: Tensor, log_var: Tensor, training: bool) -> Tensor:
    return mu + sigma(log_var) * torch.randn_like(mu) if training else mu


def by_distribution(mu: Tensor, log_var: Tensor, training: bool) -> Tensor:
    posterior = torch.distributions.Normal(mu, sigma(log_var))
    return posterior.rsample() if training else posterior.mean


@pytest.mark.parametrize("right", [code_by_formula, by_distribution])
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
        (lambda m, s, training: m * 0 + (code_by_formula(m, s, True) if training else 0), "you return 0"),
        (in_training(lambda m, s: m + s * torch.randn_like(m)), "taken for σ"),
        (in_training(lambda m, s: m + s.exp() * torch.randn_like(m)), "by the variance"),
        (in_training(lambda m, s: m + torch.randn_like(m)), "not scaled by σ"),
        (in_training(lambda m, s: sigma(s) * torch.randn_like(m)), "centred on 0"),
        (in_training(lambda m, s: m + sigma(s) * torch.rand_like(m)), "mean of many draws"),
        (in_training(lambda m, s: m + sigma(s) * (torch.rand_like(m) - 0.5) * 12**0.5), "not Gaussian"),
        (in_training(lambda m, s: m + sigma(s) * torch.randn(1, 2)), "share their noise"),
        (in_training(lambda m, s: m + sigma(s) * torch.randn(3, 1)), "share their noise"),
        (in_training(lambda m, s: m + 2 * sigma(s) * torch.randn_like(m)), "spread of many draws"),
        (lambda m, s, training: code_by_formula(m, s, training)[0], r"shape \(3, 2\), like mu; got \(2,\)"),
        (lambda m, s, training: m.sample(), "stops with AttributeError"),
    ],
)
def test_code_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.code(wrong)


def test_code_not_done(capsys: pytest.CaptureFixture[str]) -> None:
    checks.code(lambda mu, log_var, training: None)
    assert "not done yet" in capsys.readouterr().out


# --- the experiment about copies ---


def copying_design(
    control: Callable[[Any, Any], Any] = lambda model, data: model.reconstruct(data.test.images),
    samples: Callable[[Any, Any], Any] = lambda model, data: model.sample(200),
    among: Callable[[Any], Any] = lambda data: data.train,
    take: Callable[[Any], Any] = lambda distances: distances.median().item(),
    answer: Callable[[dict[str, Any]], Any] = lambda distances: distances,
) -> Function:
    """An experiment that is right but for what is given."""

    def experiment(model: Any, data: Any, nearest: Function) -> Any:
        images = {"samples": samples(model, data), "control": control(model, data)}
        return answer({name: take(nearest(x, among(data))[0]) for name, x in images.items()})

    return experiment


def one_by_one(model: Any, data: Any, nearest: Function) -> dict[str, float]:
    """Another right way: codes decoded by hand, in batches, on the validation images, the interpolated median."""
    control = lab.metrics.in_batches(model.reconstruct, data.val.images, batch_size=7)
    drawn = model.decode(torch.randn(500, model.latent))
    new, copied = nearest(control, data.train)[0], nearest(drawn, data.train)[0]
    return {"control": float(new.quantile(0.5)), "samples": float(copied.quantile(0.5))}


def rule(copied: Callable[[float, float], bool]) -> Function:
    return lambda distances: "copies" if copied(distances["samples"], distances["control"]) else "new"


right_verdict = rule(lambda s, c: s < 0.8 * c)


@pytest.mark.parametrize("right", [copying_design(), one_by_one])
@pytest.mark.parametrize("verdict", [right_verdict, rule(lambda s, c: s / c < 0.8)])
def test_right(right: Function, verdict: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.copying_experiment(right, verdict)
    assert capsys.readouterr().out.count("✓") == 2


def no_control(model: Any, data: Any, nearest: Function) -> Any:
    return {"samples": nearest(model.sample(200), data.train)[0].median().item(), "control": 1.0}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (copying_design(control=lambda model, data: data.test.images), "sharp"),
        (copying_design(control=lambda model, data: data.val.images), "sharp"),
        (copying_design(control=lambda model, data: data.train.images), "nothing can be nearer"),
        (copying_design(control=lambda model, data: model.reconstruct(data.train.images)), "trained on"),
        (
            copying_design(
                control=lambda model, data: torch.cat([data.test.images, model.reconstruct(data.test.images)])
            ),
            "mixes",
        ),
        (copying_design(control=lambda model, data: model.sample(300)), "no control"),
        (no_control, "no control"),
        (
            copying_design(samples=lambda model, data: model.reconstruct(data.train.images)),
            "samples were never measured",
        ),
        (copying_design(samples=lambda model, data: model.sample(10)), "a median of 10 distances"),
        (copying_design(among=lambda data: data.test), "only training images"),
        (copying_design(among=lambda data: data.train[:20]), "all of it"),
        (copying_design(take=lambda distances: distances.mean().item()), "means"),
        (copying_design(take=lambda distances: distances.min().item()), "smallest"),
        (copying_design(take=lambda distances: distances.sum().item()), "not the medians"),
        (copying_design(take=lambda distances: distances.median()), "plain numbers"),
        (copying_design(answer=lambda d: {"samples": d["control"], "control": d["samples"]}), "exchanged"),
        (copying_design(answer=lambda d: list(d.values())), "return a dictionary"),
        (copying_design(answer=lambda d: {"samples": d["samples"]}), "return a dictionary"),
        (copying_design(among=lambda data: data.train.images), "takes images"),
        (lambda model, data, nearest: {"samples": 1.0, "control": 2.0}, "nothing was measured"),
        (lambda model, data, nearest: model.draw(3), "stops with AttributeError"),
    ],
)
def test_wrong_design(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.copying_experiment(wrong, right_verdict)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (rule(lambda s, c: s > c / 0.8), "not farther"),
        (rule(lambda s, c: not s < 0.8 * c), "exchanged"),
        (rule(lambda s, c: s < c), "by chance"),
        (rule(lambda s, c: c - s > 0.8), "take the ratio"),
        (rule(lambda s, c: s < 0.8), "alone says nothing"),
        (rule(lambda s, c: 0.8 * s < c), "wrong side"),
        (rule(lambda s, c: s == 0), "one grey level"),
        (lambda distances: "new", "expected 'copies'|one grey level"),
        (lambda distances: "copies", "expected"),
        (lambda distances: True, "return a string"),
        (lambda distances: distances["sample"], "stops with KeyError"),
    ],
)
def test_wrong_verdict(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.copying_experiment(copying_design(), wrong)


@pytest.mark.parametrize(
    ("experiment", "verdict", "ticks"),
    [
        (lambda model, data, nearest: None, lambda d: None, 0),
        (copying_design(), lambda d: None, 1),
        (copying_design(), lambda d: ..., 1),
    ],
)
def test_not_done_yet(experiment: Function, verdict: Function, ticks: int, capsys: pytest.CaptureFixture[str]) -> None:
    checks.copying_experiment(experiment, verdict)
    shown = capsys.readouterr().out
    assert "not done yet" in shown
    assert shown.count("✓") == ticks


def test_the_right_experiment_on_a_real_model() -> None:
    data = lab.load("mnist-5k", n=200)
    model = lab.VAE(2, width=4, hidden=16)
    with torch.no_grad():
        distances = copying_design()(model, data, lab.metrics.nearest_training)
    assert all(distance > 0 for distance in distances.values())
