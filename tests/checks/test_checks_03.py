"""Notebook 03's checks: the right functions pass, each common mistake is named, a stub is "not done yet"."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import autoencoder_lab as lab
from autoencoder_lab import checks

Function = Callable[..., Any]


def stub(*args: Any, **kwargs: Any) -> None:
    return None


# --- 1: the loop that draws the noise --------------------------------------------------------------


def loop(
    pair: Callable[[Tensor, Any], tuple[Tensor, Tensor]] = lambda x, corrupt: (corrupt(x), x),
    before: Callable[[Tensor, Any], Tensor] = lambda images, corrupt: images,
    order: Callable[[int, int], Tensor] = lambda n, epoch: torch.randperm(n),
    more_epochs: int = 0,
    times_batch: int = 1,
    count: Callable[[int], Any] = lambda steps: steps,
) -> Function:
    """A loop that is right but for what is given; before: what becomes of the images at the start of an epoch."""

    def epochs_of(images: Tensor, corrupt: Function, step: Function, epochs: int, batch_size: int) -> Any:
        steps = 0
        for epoch in range(epochs + more_epochs):
            images = before(images, corrupt)
            for batch in order(len(images), epoch).split(batch_size * times_batch):
                step(*pair(images[batch], corrupt))
                steps += 1
        return count(steps)

    return epochs_of


def anew_each_epoch(images: Tensor, corrupt: Function, step: Function, epochs: int, batch_size: int) -> int:
    """Another right way: the noise of a whole epoch at once, drawn anew in each."""
    steps = 0
    for _ in range(epochs):
        order = torch.randperm(len(images))
        noisy = corrupt(images)
        for start in range(0, len(images), batch_size):
            batch = order[start : start + batch_size]
            step(noisy[batch], images[batch])
            steps += 1
    return steps


@pytest.mark.parametrize("right", [loop(), anew_each_epoch])
def test_denoising_epochs_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.denoising_epochs(right)
    assert "✓" in capsys.readouterr().out


def once(images: Tensor, corrupt: Function, step: Function, epochs: int, batch_size: int) -> int:
    noisy, steps = corrupt(images), 0
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(batch_size):
            step(noisy[batch], images[batch])
            steps += 1
    return steps


def shuffled_apart(images: Tensor, corrupt: Function, step: Function, epochs: int, batch_size: int) -> int:
    for _ in range(epochs):
        noisy = corrupt(images)[torch.randperm(len(images))]
        for x, target in zip(noisy.split(batch_size), images.split(batch_size), strict=True):
            step(x, target)
    return epochs


def in_place(images: Tensor, corrupt: Function, step: Function, epochs: int, batch_size: int) -> int:
    for _ in range(epochs):
        clean = images.clone()
        images += corrupt(images) - images
        step(images[:batch_size], clean[:batch_size])
    return epochs


def same_in_each_batch(x: Tensor, corrupt: Function) -> tuple[Tensor, Tensor]:
    return corrupt(x, torch.Generator().manual_seed(0)), x


def one_noise_for_all(x: Tensor, corrupt: Function) -> tuple[Tensor, Tensor]:
    return x + corrupt(x[:1]) - x[:1], x


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (once, "the noise is drawn once"),
        (loop(lambda x, corrupt: (x, x)), "clean → clean"),
        (loop(lambda x, corrupt: (x, corrupt(x))), "clean → noisy"),
        (loop(lambda x, corrupt: (corrupt(x), corrupt(x))), "noisy → noisy"),
        (loop(lambda x, corrupt: (corrupt(corrupt(x)), x)), "more than once"),
        (loop(lambda x, corrupt: (x + 0.5 * torch.randn_like(x), x)), "different images|not the noise"),
        (loop(lambda x, corrupt: (x + 1e-5, x)), "not the noise"),
        (loop(before=lambda images, corrupt: corrupt(images)), "noisy → noisy"),
        (
            loop(same_in_each_batch, order=lambda n, epoch: torch.arange(n).roll(epoch)),
            "every batch gets the same noise",
        ),
        (loop(one_noise_for_all), "all images of a batch"),
        (shuffled_apart, "different images"),
        (in_place, "in place"),
        (loop(order=lambda n, epoch: torch.randint(n, (n,))), "twice in an epoch"),
        (loop(order=lambda n, epoch: torch.arange(n)), "same order"),
        (loop(order=lambda n, epoch: torch.randperm(n)[:-16]), "images were shown"),
        (loop(more_epochs=-1), "images were shown"),
        (loop(times_batch=2), "asked for were 16"),
        (loop(count=lambda steps: None), "returned nothing"),
        (loop(count=lambda steps: steps + 1), "return the number of steps"),
        (lambda images, corrupt, step, epochs, batch_size: 15, "step was never called"),
        (lambda images, corrupt, step, epochs, batch_size: images.shuffle(), "stops with AttributeError"),
    ],
)
def test_denoising_epochs_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.denoising_epochs(wrong)


# --- 2: the posterior mean -------------------------------------------------------------------------


def squared(noisy: Tensor, candidates: Tensor) -> Tensor:
    return (noisy[:, None] - candidates).square().sum(dim=2)


def by_softmax(noisy: Tensor, candidates: Tensor, sigma: float) -> Tensor:
    return torch.softmax(-squared(noisy, candidates) / (2 * sigma**2), dim=1) @ candidates


def by_distributions(noisy: Tensor, candidates: Tensor, sigma: float) -> Tensor:
    """Bayes' rule with PyTorch's own Gaussian."""
    log_p = torch.distributions.Normal(candidates, sigma).log_prob(noisy[:, None]).sum(dim=2)
    weights = (log_p - log_p.logsumexp(dim=1, keepdim=True)).exp()
    return torch.einsum("bn,nd->bd", weights, candidates)


@pytest.mark.parametrize("right", [by_softmax, by_distributions])
def test_posterior_mean_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.posterior_mean(right)
    assert "✓" in capsys.readouterr().out


def weighing(exponent: Callable[[Tensor, float], Tensor], dim: int = 1) -> Function:
    return lambda y, x, s: exponent(squared(y, x), s).softmax(dim=dim) @ x


def not_normalised(noisy: Tensor, candidates: Tensor, sigma: float) -> Tensor:
    return torch.exp(-squared(noisy, candidates) / (2 * sigma**2)) @ candidates


def underflows(noisy: Tensor, candidates: Tensor, sigma: float) -> Tensor:
    weights = torch.exp(-squared(noisy, candidates) / (2 * sigma**2))
    return weights / weights.sum(dim=1, keepdim=True) @ candidates


def inverse_distance(noisy: Tensor, candidates: Tensor, sigma: float) -> Tensor:
    weights = squared(noisy, candidates).reciprocal()
    return weights / weights.sum(dim=1, keepdim=True) @ candidates


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (weighing(lambda d, s: -d / s**2), "the 2 is missing"),
        (weighing(lambda d, s: -d / (2 * s)), "σ is not squared"),
        (weighing(lambda d, s: -d * s**2 / 2), "instead of dividing"),
        (weighing(lambda d, s: -d / 2), "σ is not used"),
        (weighing(lambda d, s: -d.sqrt() / (2 * s**2)), "distance is not squared"),
        (weighing(lambda d, s: d / (2 * s**2)), "sign is wrong"),
        (lambda y, x, s: weighing(lambda d, s: -d / (2 * s**2 * x.shape[1]))(y, x, s), "needs their sum"),
        (lambda y, x, s: x[torch.cdist(y, x).argmin(dim=1)], "likeliest candidate"),
        (lambda y, x, s: x.mean(dim=0).repeat(len(y), 1), "weigh the same"),
        (weighing(lambda d, s: -d / (2 * s**2), dim=0), "over the noisy images"),
        (not_normalised, "not normalised"),
        (underflows, "rounds to 0"),
        (inverse_distance, "1/distance"),
        (lambda y, x, s: (by_softmax(y, x, s) + y) / 2, "mixed in"),
        (lambda y, x, s: by_softmax(y, x, s).mean(dim=0), "must have shape"),
        (lambda y, x, s: y, "x̃ as it came"),
        (lambda y, x, s: y @ x, "stops with RuntimeError"),
    ],
)
def test_posterior_mean_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.posterior_mean(wrong)


# --- 3: where the loss looks -----------------------------------------------------------------------

HOLE = lab.corrupt.box_mask(10, fill=0.5)


class OneHole:
    """Holes drawn once: a mistake."""

    def __call__(self, x: Tensor, generator: Any = None) -> Tensor:
        return x.masked_fill(self.mask(x), 0.5)

    def mask(self, x: Tensor, generator: Any = None) -> Tensor:
        return HOLE.mask(x, torch.Generator().manual_seed(0))


def design(
    wheres: tuple[Any, ...] = ("everywhere", "hole"),
    corrupt: Callable[[str], Any] = lambda where: HOLE,
    measured: Callable[[str], Any] = lambda where: HOLE,
    settings: Callable[[str], dict[str, Any]] = lambda where: {"steps": 100},
    latent: Callable[[str], int] = lambda where: 8,
    trained_on: Callable[[Any], Any] = lambda data: data,
    judged_on: Callable[[Any], Any] = lambda data: data.test,
    values: Callable[[Any, Any], Any] = lambda inside, outside: (inside.value, outside.value),
    answer: Callable[[dict[str, Any]], Any] = lambda errors: errors,
) -> Function:
    """An experiment that is right but for what is given."""

    def experiment(data: Any, fit: Function, score: Function) -> Any:
        errors = {}
        for where in wheres:
            model = lab.ConvAutoencoder(latent(where))
            fit(model, trained_on(data), loss_on=where, corrupt=corrupt(where), **settings(where))
            errors[where] = values(*score(model, judged_on(data), measured(where)))
        return answer(errors)

    return experiment


def one_by_one(data: Any, fit: Function, score: Function) -> dict[str, Any]:
    """Another right way: other models and another size of hole, everywhere by default, measured afterwards."""
    small = lab.corrupt.box_mask(6)
    a, b = (lab.ResidualAutoencoder(4, skips="around") for _ in range(2))
    fit(a, data, corrupt=small, epochs=2, seed=3)
    fit(b, data, corrupt=small, epochs=2, seed=3, loss_on="hole")
    inside_a, outside_a = score(a, data.test, small)
    inside_b, outside_b = score(b, data.test, corrupt=small)
    return {"hole": [inside_b.value, outside_b.value], "everywhere": [inside_a.value, outside_a.value]}


def by_area(errors: dict[str, tuple[float, float]], knows: bool) -> str:
    share = 1.0 if knows else 100 / 784
    expected = {where: share * inside + (1 - share) * outside for where, (inside, outside) in errors.items()}
    return min(expected, key=lambda where: expected[where])


@pytest.mark.parametrize("right", [design(), one_by_one])
def test_loss_on_the_hole_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.loss_on_the_hole(right, by_area)
    assert capsys.readouterr().out.count("✓") == 2


def trained_twice(data: Any, fit: Function, score: Function) -> Any:
    model = lab.ConvAutoencoder(4)
    fit(model, data, corrupt=HOLE)
    fit(model, data, corrupt=HOLE, loss_on="hole")


def untrained(data: Any, fit: Function, score: Function) -> Any:
    return score(lab.ConvAutoencoder(4), data.test, HOLE)


def same_numbers(errors: dict[str, Any]) -> dict[str, Any]:
    return {"everywhere": errors["hole"], "hole": errors["everywhere"]}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (design(corrupt=lambda where: None), "clean → clean"),
        (design(corrupt=lambda where: lab.corrupt.gaussian(0.5)), "makes no holes"),
        (design(corrupt=lambda where: OneHole()), "drawn once"),
        (design(corrupt=lambda where: lab.corrupt.box_mask(len(where))), "measured with"),
        (
            design(
                *[("everywhere", "hole")],
                lambda w: lab.corrupt.box_mask(len(w)),
                lambda w: lab.corrupt.box_mask(len(w)),
            ),
            "different holes",
        ),
        (design(measured=lambda where: None), "use the same hole"),
        (design(wheres=("hole",)), 'no run with loss_on="everywhere"'),
        (design(wheres=("everywhere",)), 'no run with loss_on="hole"'),
        (design(wheres=("everywhere", "outside")), "loss_on must be"),
        (design(settings=lambda where: {"steps": len(where)}), "trained differently"),
        (design(settings=lambda where: {"seed": len(where)}), "different seeds"),
        (design(latent=len), "differ in size or kind"),
        (design(trained_on=lambda data: data.train), "train on the data handed"),
        (design(judged_on=lambda data: data.train), "on the training images"),
        (design(judged_on=lambda data: data.val), "on the validation images"),
        (design(values=lambda inside, outside: (outside.value, inside.value)), "inside and outside are exchanged"),
        (design(values=lambda inside, outside: (inside, outside)), "plain numbers"),
        (design(values=lambda inside, outside: inside.value), "needs two numbers"),
        (design(values=lambda inside, outside: (0.01, 0.02)), "belong to another run"),
        (design(answer=same_numbers), "belong to another run"),
        (design(answer=lambda errors: list(errors.values())), "return {"),
        (trained_twice, "trained twice"),
        (untrained, "before it was trained"),
        (lambda data, fit, score: {}, "nothing was trained"),
        (lambda data, fit, score: data.holes, "stops with AttributeError"),
    ],
)
def test_loss_on_the_hole_wrong_design(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.loss_on_the_hole(wrong, by_area)


def judge(error: Callable[[float, float, bool], float]) -> Function:
    return lambda errors, knows: min(errors, key=lambda where: error(*errors[where], knows))


def area(inside: float, outside: float) -> float:
    return (100 * inside + 684 * outside) / 784


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (judge(lambda i, o, k: i if k else i + o), "by their areas"),
        (judge(lambda i, o, k: i), "only the error inside"),
        (judge(lambda i, o, k: area(i, o)), "puts the known pixels back"),
        (judge(lambda i, o, k: area(i, o) if k else i), "two cases are exchanged"),
        (judge(lambda i, o, k: -i if k else -area(i, o)), "larger error"),
        (judge(lambda i, o, k: o if k else area(o, i)), "where the one inside should be"),
        (judge(lambda i, o, k: i if k else o), "not the outside alone"),
        (judge(lambda i, o, k: i if k else area(o, i)), "areas are exchanged"),
        (lambda errors, knows: "hole", "expected"),
        (lambda errors, knows: True, "return a string"),
        (lambda errors, knows: errors["inside"], "stops with KeyError"),
    ],
)
def test_loss_on_the_hole_wrong_recommendation(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.loss_on_the_hole(design(), wrong)


# --- stubs -----------------------------------------------------------------------------------------


def test_stubs_are_not_done_yet(capsys: pytest.CaptureFixture[str]) -> None:
    checks.denoising_epochs(stub)
    checks.posterior_mean(stub)
    checks.loss_on_the_hole(stub, stub)
    checks.loss_on_the_hole(design(), stub)
    assert capsys.readouterr().out.count("not done yet") == 4
