"""The checks of notebook 06: right functions pass, common mistakes are named, a stub is not done yet."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import mse_loss, normalize, relu

import autoencoder_lab as lab
from autoencoder_lab import checks, losses

Function = Callable[..., Any]


def stub(*args: Any, **kwargs: Any) -> None:
    return None


# --- 06.1: the three terms -------------------------------------------------------------------------------------------


def by_library(z: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return (
        losses.vicreg_variance(z) + losses.vicreg_variance(other),
        losses.vicreg_invariance(z, other),
        losses.vicreg_covariance(z) + losses.vicreg_covariance(other),
    )


def by_authors(z: Tensor, other: Tensor) -> list[Tensor]:
    """After the authors' program, but for its halving of the variance."""
    repr_loss = mse_loss(z, other)
    x, y = z - z.mean(dim=0), other - other.mean(dim=0)
    std_loss = sum(relu(1 - torch.sqrt(a.var(dim=0) + 0.0001)).mean() for a in (x, y))
    n, d = z.shape
    cov = [(a.T @ a) / (n - 1) for a in (x, y)]
    mask = ~torch.eye(d, dtype=torch.bool)
    cov_loss = sum(c[mask].pow(2).sum() / d for c in cov)
    assert isinstance(std_loss, Tensor) and isinstance(cov_loss, Tensor)
    return [std_loss, repr_loss, cov_loss]


def by_loop(z: Tensor, other: Tensor) -> dict[str, Tensor]:
    variance, covariance = torch.zeros(()), torch.zeros(())
    n, d = z.shape
    for batch in (z, other):
        means = [batch[:, j].sum() / n for j in range(d)]
        for i in range(d):
            for j in range(d):
                c = ((batch[:, i] - means[i]) * (batch[:, j] - means[j])).sum() / (n - 1)
                if i == j:
                    variance = variance + torch.clamp(1 - (c + 1e-4) ** 0.5, min=0) / d
                else:
                    covariance = covariance + c * c / d
    return {
        "variance": variance,
        "invariance": ((z - other) ** 2).sum() / z.numel(),
        "covariance": covariance,
    }


@pytest.mark.parametrize("right", [by_library, by_authors, by_loop])
def test_vicreg_terms_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.vicreg_terms(right)
    out = capsys.readouterr().out
    assert all(f"✓ vicreg_terms, {term}: correct" in out for term in ("variance", "invariance", "covariance"))


def wrong_variance(of_one: Function) -> Function:
    return lambda z, o: (of_one(z) + of_one(o), *by_library(z, o)[1:])


def wrong_invariance(term: Function) -> Function:
    return lambda z, o: (by_library(z, o)[0], term(z, o), by_library(z, o)[2])


def wrong_covariance(of_one: Function) -> Function:
    return lambda z, o: (*by_library(z, o)[:2], of_one(z) + of_one(o))


def hinge(spread: Function) -> Function:
    return wrong_variance(lambda z: relu(1 - spread(z)).mean())


def off(c: Tensor) -> Tensor:
    return c[~torch.eye(len(c), dtype=torch.bool)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (hinge(lambda z: torch.sqrt(z.var(dim=0))), "ε is missing under the root"),
        (hinge(lambda z: torch.std(z, 0)), "ε is missing under the root"),
        (hinge(lambda z: z.std(dim=0) + 1e-4), "outside the root"),
        (hinge(lambda z: torch.sqrt(z.var(dim=1) + 1e-4)), r"within each image \(dim=1\)"),
        (hinge(lambda z: torch.sqrt(z.var() + 1e-4)), "all numbers together"),
        (hinge(lambda z: z.var(dim=0) + 1e-4), "you take the variance"),
        (hinge(lambda z: torch.sqrt(z.var(dim=0, unbiased=False) + 1e-4)), "divided by B; here by B − 1"),
        (hinge(lambda z: torch.sqrt((z**2).mean(dim=0) + 1e-4)), "mean is not taken off"),
        (wrong_variance(lambda z: relu(1 - torch.sqrt(z.var(dim=0) + 1e-4)).pow(2).mean()), "hinge is squared"),
        (wrong_variance(lambda z: (1 - torch.sqrt(z.var(dim=0) + 1e-4)).mean()), r"hinge max\(0, ·\) is missing"),
        (wrong_variance(lambda z: (1 - torch.sqrt(z.var(dim=0) + 1e-4)).pow(2).mean()), "pulls large spreads down"),
        (wrong_variance(lambda z: relu(torch.sqrt(z.var(dim=0) + 1e-4) - 1).mean()), "wrong way round"),
        (wrong_variance(lambda z: relu(1 - torch.sqrt(z.var(dim=0) + 1e-4)).sum()), "sum over the dimensions"),
        (lambda z, o: (by_library(z, o)[0] / 2, *by_library(z, o)[1:]), "average the two batches' terms"),
        (lambda z, o: (losses.vicreg_variance(z), *by_library(z, o)[1:]), r"only v\(Z\) counts"),
        (lambda z, o: (losses.vicreg_variance(o), *by_library(z, o)[1:]), r"only v\(Z'\) counts"),
        (lambda z, o: (2 * losses.vicreg_variance(torch.cat([z, o])), *by_library(z, o)[1:]), "one batch"),
        (lambda z, o: (losses.vicreg_variance(z - o), *by_library(z, o)[1:]), "spread of Z − Z'"),
        (lambda z, o: (25 * by_library(z, o)[0], *by_library(z, o)[1:]), "times 25"),
        (hinge(lambda z: (z.var(dim=0).sqrt() ** 2 + 1e-4).sqrt()), "gradient is nan"),
        (lambda z, o: (by_library(z, o)[0].item(), *by_library(z, o)[1:]), "variance has the right value but no grad"),
        (wrong_invariance(lambda z, o: (z - o).pow(2).sum(dim=1).mean()), "sum over the dimensions"),
        (wrong_invariance(lambda z, o: (z - o).pow(2).mean(dim=1).sum()), "sum over the images"),
        (wrong_invariance(lambda z, o: (z - o).pow(2).sum()), "sum over everything"),
        (wrong_invariance(lambda z, o: (z - o).norm(dim=1).mean()), "that is the distance"),
        (wrong_invariance(lambda z, o: mse_loss(z, o).sqrt()), "root of the mean"),
        (wrong_invariance(lambda z, o: (z - o).abs().mean()), "absolute differences"),
        (wrong_invariance(lambda z, o: (z - o).mean()), "not squared"),
        (wrong_invariance(lambda z, o: 0.5 * mse_loss(z, o)), "no factor ½"),
        (wrong_invariance(lambda z, o: mse_loss(z.mean(dim=0), o.mean(dim=0))), "mean embeddings"),
        (wrong_invariance(lambda z, o: torch.cdist(z, o).pow(2).mean() / z.shape[1]), "every image with every other"),
        (wrong_invariance(lambda z, o: mse_loss(normalize(z), normalize(o))), "scaled to length 1"),
        (wrong_invariance(lambda z, o: (normalize(z) * normalize(o)).sum(dim=1).mean()), "cosine similarity"),
        (wrong_invariance(lambda z, o: mse_loss(z.detach(), o)), "no gradient to one of the two batches"),
        (wrong_invariance(lambda z, o: -mse_loss(z, o)), "wrong way round"),
        (wrong_covariance(lambda z: torch.cov(z.T).pow(2).sum() / z.shape[1]), "diagonal is included"),
        (wrong_covariance(lambda z: off(torch.cov(z.T, correction=0)).pow(2).sum() / z.shape[1]), "divided by B;"),
        (wrong_covariance(lambda z: off(torch.cov(z.T)).pow(2).sum() / z.shape[1] ** 2), "divided by D²"),
        (wrong_covariance(lambda z: off(torch.cov(z.T)).pow(2).mean()), r"divided by D \(D − 1\)"),
        (wrong_covariance(lambda z: off(torch.cov(z.T)).pow(2).sum()), "not divided by D"),
        (wrong_covariance(lambda z: off(z.T @ z / (len(z) - 1)).pow(2).sum() / z.shape[1]), "not centred"),
        (wrong_covariance(lambda z: off(torch.cov(z.T)).sum() / z.shape[1]), "not squared"),
        (wrong_covariance(lambda z: off(torch.cov(z.T)).abs().sum() / z.shape[1]), "absolute values"),
        (wrong_covariance(lambda z: torch.cov(z.T).triu(1).pow(2).sum() / z.shape[1]), "each pair .* once"),
        (wrong_covariance(lambda z: off(torch.corrcoef(z.T + 1e-3 * torch.randn(z.T.shape))).sum()), "expected"),
        (wrong_covariance(lambda z: off(torch.cov(z)).pow(2).sum() / z.shape[1]), r"between images, \(B, B\)"),
        (lambda z, o: (*by_library(z, o)[:2], losses.vicreg_covariance(z)), r"only c\(Z\) counts"),
        (lambda z, o: by_library(z, o)[::-1], "the order is variance, invariance, covariance"),
        (lambda z, o: sum(by_library(z, o)), "return three numbers"),
        (lambda z, o: (relu(1 - z.std(dim=0)), *by_library(z, o)[1:]), "must have shape"),
        (lambda z, o: (*by_library(z, o)[:2], off(z)), "stops with"),
        (lambda z, o: by_library(z.sub_(z.mean(dim=0)), o), "in place"),
    ],
)
def test_vicreg_terms_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.vicreg_terms(wrong)


def test_vicreg_terms_one_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    checks.vicreg_terms(lambda z, o: (by_library(z, o)[0], None, ...))
    out = capsys.readouterr().out
    assert "✓ vicreg_terms, variance" in out and out.count("not done yet") == 2


# --- 06.2: whom a loss teaches ---------------------------------------------------------------------------------------


def frozen_while_computed(f: Any, p: Any, d: Any, x: Tensor, view: Function) -> Tensor:
    loss = frozen_for_good(f, p, d, x, view)
    f.requires_grad_(True)
    p.requires_grad_(True)
    return loss


def frozen_for_good(f: Any, p: Any, d: Any, x: Tensor, view: Function) -> Tensor:
    f.requires_grad_(False)
    p.requires_grad_(False)
    seen, seen_hat = view(torch.cat([x, d(f(x))], dim=1)).chunk(2, dim=1)
    return mse_loss(p(f(seen_hat)), p(f(seen)))


def by_a_copy(f: Any, p: Any, d: Any, x: Tensor, view: Function) -> Tensor:
    judge = copy.deepcopy(torch.nn.Sequential(f, p)).requires_grad_(False)
    with torch.no_grad():
        y = f(x)
    pair = view(torch.stack([x, d(y)], dim=1).flatten(1, 2))
    return mse_loss(judge(pair[:, 1:]), judge(pair[:, :1]))


def by_constants(f: Any, p: Any, d: Any, x: Tensor, view: Function) -> Tensor:
    """The same crop by the same seed."""

    def judged(image: Tensor) -> Tensor:
        torch.manual_seed(3)
        y = torch.func.functional_call(f, {k: v.detach() for k, v in f.named_parameters()}, view(image))
        z: Tensor = torch.func.functional_call(p, {k: v.detach() for k, v in p.named_parameters()}, y)
        return z

    return mse_loss(judged(x), judged(d(f(x).detach())))


@pytest.mark.parametrize("right", [frozen_while_computed, by_a_copy, by_constants])
def test_decoder_loss_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.decoder_loss(right)
    assert "✓ decoder_loss" in capsys.readouterr().out


def compared(
    y: Function = lambda y: y,
    z: Function = lambda z: z,
    z_hat: Function = lambda z: z,
    x_hat: Function = lambda x: x,
    measure: Function = mse_loss,
    frozen: str = "",
) -> Function:
    """A decoder loss that freezes those named, with the same crop, and with what is given put in its way."""

    def loss(f: Any, p: Any, d: Any, x: Tensor, view: Function) -> Any:
        for name, network in {"f": f, "p": p, "d": d}.items():
            network.requires_grad_(name not in frozen)
        seen, seen_hat = view(torch.cat([x, x_hat(d(y(f(x))))], dim=1)).chunk(2, dim=1)
        return measure(z(p(f(seen))), z_hat(p(f(seen_hat))))

    return loss


def two_crops(f: Any, p: Any, d: Any, x: Tensor, view: Function) -> Tensor:
    f.requires_grad_(False)
    p.requires_grad_(False)
    return mse_loss(p(f(view(x))), p(f(view(d(f(x))))))


def stacked_as_a_batch(f: Any, p: Any, d: Any, x: Tensor, view: Function) -> Tensor:
    f.requires_grad_(False)
    p.requires_grad_(False)
    seen, seen_hat = view(torch.cat([x, d(f(x))], dim=0)).chunk(2, dim=0)
    return mse_loss(p(f(seen)), p(f(seen_hat)))


def without_graph(f: Any, p: Any, d: Any, x: Tensor, view: Function) -> Tensor:
    x_hat = d(f(x))
    with torch.no_grad():
        return two_crops(f, p, lambda y: x_hat, x, view)


def codes_only(f: Any, p: Any, d: Any, x: Tensor, view: Function) -> Tensor:
    f.requires_grad_(False)
    seen, seen_hat = view(torch.cat([x, d(f(x))], dim=1)).chunk(2, dim=1)
    return mse_loss(f(seen), f(seen_hat))


def takes_the_step(f: Any, p: Any, d: Any, x: Tensor, view: Function) -> Tensor:
    loss = frozen_for_good(f, p, d, x, view)
    loss.backward()
    with torch.no_grad():
        for parameter in d.parameters():
            parameter -= 0.1 * parameter.grad
    return loss


def cut(t: Tensor) -> Tensor:
    return t.detach()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (compared(), "encoder is not frozen: .* through Y .* and through Z and through Z'"),
        (compared(frozen="p"), "encoder is not frozen: .* through Y .* and through Z and through Z'"),
        (compared(y=cut, z=cut), "encoder is not frozen: the gradient reaches it through Z'$"),
        (compared(y=cut), "reaches it through Z and through Z'$"),
        (compared(z=cut, frozen="p"), "reaches it through Y = f.x., the decoder's input and through Z'$"),
        (compared(frozen="f"), "the projector is not"),
        (compared(z_hat=cut, frozen="fp"), "no gradient reaches the decoder"),
        (compared(x_hat=cut, frozen="fp"), "no gradient reaches the decoder"),
        (compared(x_hat=cut), "no gradient reaches the decoder: x' .* is detached"),
        (compared(frozen="fpd"), "no gradient reaches the decoder"),
        (without_graph, "requires_grad_.False.; with no_grad"),
        (two_crops, "two different crops"),
        (frozen_for_good, "leaves the encoder f and the projector p frozen"),
        (stacked_as_a_batch, "two different crops"),
        (codes_only, "the projector is missing"),
        (compared(measure=lambda a, b: (a - b).square().sum(), frozen="fp"), "squares are summed"),
        (compared(measure=lambda a, b: (a - b).square().sum(dim=1).mean(), frozen="fp"), "squares are summed"),
        (compared(measure=lambda a, b: (a - b).norm(dim=1).mean(), frozen="fp"), "a distance"),
        (compared(measure=lambda a, b: -mse_loss(a, b), frozen="fp"), "sign"),
        (compared(measure=lambda a, b: mse_loss(a, a), frozen="fp"), "image with itself"),
        (compared(measure=lambda a, b: mse_loss(a, b).item(), frozen="fp"), "one number as a tensor"),
        (compared(measure=lambda a, b: (a - b).square(), frozen="fp"), "one number as a tensor"),
        (compared(measure=lambda a, b: mse_loss(a, b) + 0.1, frozen="fp"), "on a fixed crop the loss should be"),
        (lambda f, p, d, x, view: (x - d(f(x))).square().mean(), "you compare pixels"),
        (lambda f, p, d, x, view: mse_loss(p(f(x)), p(f(d(f(x))))), "no crop in it"),
        (lambda f, p, d, x, view: mse_loss(p(f(view(x))), p(f(d(f(x))))), "only x is cropped"),
        (lambda f, p, d, x, view: mse_loss(p(f(x)), p(f(view(d(f(x)))))), "only x' is cropped"),
        (lambda f, p, d, x, view: mse_loss(p(f(view(x))), p(f(d(f(view(x)))))), "code of a crop"),
        (lambda f, p, d, x, view: mse_loss(p(f(view(x))), p(f(d(p(f(x)))))), "stops with RuntimeError"),
        (takes_the_step, "changes weights"),
    ],
)
def test_decoder_loss_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.decoder_loss(wrong)


# --- 06.3: the experiment --------------------------------------------------------------------------------------------

TERMS = ("variance", "invariance", "covariance")
FULL = lab.CCAE(3, width=4, hidden=16).weights


def build(weights: Any = FULL, **settings: Any) -> Any:
    return lab.CCAE(**{"latent": 3, "width": 4, "hidden": 16, "weights": weights} | settings)


def without(term: str, full: Any = FULL) -> tuple[float, ...]:
    return tuple(0.0 if name == term else weight for name, weight in zip(TERMS, full, strict=True))


def design(
    full: Callable[[str], Any] = lambda term: build(),
    lacking: Callable[[str], Any] = lambda term: build(without(term)),
    settings: Callable[[int], dict[str, Any]] = lambda which: {"steps": 100, "seed": 0},
    trained_on: Callable[[Any, int], Any] = lambda data, which: data,
    judged_on: Callable[[Any, int], Any] = lambda data, which: data.test,
    answer: Callable[[float, float], Any] = lambda a, b: (a, b),
    **more: Any,
) -> Function:
    """An experiment that is right but for what is given."""

    def experiment(data: Any, term: str, fit: Function, measure: Function) -> Any:
        errors = []
        for which, make in enumerate((full, lacking)):
            model = make(term)
            fit(model, trained_on(data, which), **settings(which))
            errors.append(measure(model, judged_on(data, which)))
        return answer(errors[0], errors[1])

    return experiment


def another_way(data: Any, term: str, fit: Function, measure: Function) -> list[float]:
    """Another right design: views and sizes of its own, both trained first, the one without first."""
    weights = [10.0, 20.0, 3.0]
    complete = build(tuple(weights), views="crop", judge="live")
    weights[TERMS.index(term)] = 0
    lesser = build(tuple(weights), views="crop", judge="live")
    for model in (lesser, complete):
        fit(model, data, epochs=2, progress=False)
    return [measure(model, data.test) for model in (complete, lesser)]


@pytest.mark.parametrize("right", [design(), another_way])
def test_term_experiment_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.term_experiment(right)
    assert "✓ term_experiment: a fair design" in capsys.readouterr().out


def one_model(data: Any, term: str, fit: Function, measure: Function) -> Any:
    model = build()
    fit(model, data)
    first = measure(model, data.test)
    model.weights = without(term)
    fit(model, data)
    return first, measure(model, data.test)


def changed_afterwards(data: Any, term: str, fit: Function, measure: Function) -> Any:
    model = build()
    fit(model, data)
    first = measure(model, data.test)
    model.weights = without(term)
    return first, measure(model, data.test)


def no_control(data: Any, term: str, fit: Function, measure: Function) -> Any:
    model = build(without(term))
    fit(model, data)
    return 0.0144, measure(model, data.test)


def measured_elsewhere(data: Any, term: str, fit: Function, measure: Function) -> Any:
    models = [build(), build(without(term))]
    for model in models:
        fit(model, data)
    return tuple(lab.metrics.mse(model, data.test) for model in models)


def all_terms(data: Any, term: str, fit: Function, measure: Function) -> Any:
    models = [build(), *(build(without(term)) for term in TERMS)]
    for model in models:
        fit(model, data)
    return [measure(model, data.test) for model in models]


def fewer(data: Any, which: int) -> Any:
    return lab.ImageData("fewer", data.train[: 4 + which], data.val, data.test)


def with_test(data: Any, which: int) -> Any:
    return lab.ImageData("all", data.test, data.val, data.test)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (design(lacking=lambda term: build()), "nothing is removed"),
        (design(lambda term: build(without(term))), "both models miss a term"),
        (design(lacking=lambda term: build(without(term)[::-1])), "you remove the covariance; weights stand in the"),
        (design(lacking=lambda term: build((0.0, 25.0, 0.0))), "remove the variance and covariance"),
        (design(lacking=lambda term: build(tuple(w / 2 for w in FULL))), "but none is 0"),
        (design(lacking=lambda term: build(without(term, (1.0, 1.0, 0.5)))), "the other weights differ as well"),
        (design(lambda term: build(without("covariance"))), "both models miss|neither model"),
        (design(settings=lambda which: {"seed": which}), "different seeds"),
        (design(settings=lambda which: {"steps": 100 + which}), "trained differently"),
        (design(lacking=lambda term: build(without(term), latent=4)), "differ in more than the term"),
        (design(lacking=lambda term: build(without(term), views="none")), "differ in more than the term"),
        (design(lacking=lambda term: build(without(term), pixel=1.0)), "differ in more than the term"),
        (design(lambda t: build(pixel=9.0), lambda t: build(without(t), pixel=9.0)), "pixel=9: a pixel error does"),
        (design(lambda t: lab.VICReg(3), lambda t: lab.VICReg(3, weights=without(t))), "no decoder that VICReg"),
        (design(judged_on=lambda data, which: data.train), "measure on training images"),
        (design(judged_on=lambda data, which: data.val), "measure on validation images"),
        (design(judged_on=lambda data, which: data.test[:3]), "measure on other images"),
        (design(judged_on=lambda data, which: data.test.images), "takes a split"),
        (design(trained_on=lambda data, which: data.train), "takes the whole data set"),
        (design(trained_on=fewer), "learn from different images"),
        (design(trained_on=with_test), "train on data.train as it is"),
        (design(answer=lambda a, b: (b, a)), "wrong way round"),
        (design(answer=lambda a, b: b / a), "return two numbers"),
        (design(answer=lambda a, b: (a, 2 * b)), "are not those that"),
        (one_model, "trained twice"),
        (changed_afterwards, "changed after the training|no control"),
        (no_control, "there is no control"),
        (measured_elsewhere, "with the `measure` handed"),
        (all_terms, "you train 4"),
        (lambda data, term, fit, measure: (0.01, 0.02), "nothing was trained"),
        (lambda data, term, fit, measure: data.terms, "stops with AttributeError"),
        (lambda data, term, fit, measure: design()(data, "variance", fit, measure), "asked to remove the invariance"),
    ],
)
def test_term_experiment_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.term_experiment(wrong)


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        ((0.014, 0.042), "Without the covariance term the error is three times as large: 3.0."),
        ((lab.metrics.Estimate(0.02, 0.001), lab.metrics.Estimate(0.03, 0.001)), "It grows 1.5 times without it."),
    ],
)
def test_a_conclusion_with_its_figure(result: Any, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    checks.term_experiment(design(), result, sentence)
    assert "a conclusion with its figure" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("result", "sentence", "message"),
    [
        ((0.014, 0.042), "Without the covariance term the reconstruction is much worse.", "names its figure"),
        ((0.014, 0.042), "Without it the error is 2 times as large.", "names its figure"),
        ((0.014, 0.042), "3.0", "as a sentence"),
        (0.014, "Without it the error is 3 times as large.", "what your function returned"),
    ],
)
def test_a_conclusion_without_it(result: Any, sentence: str, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.term_experiment(design(), result, sentence)


# --- stubs -----------------------------------------------------------------------------------------------------------


def test_stubs_are_not_done_yet(capsys: pytest.CaptureFixture[str]) -> None:
    for check in (checks.vicreg_terms, checks.decoder_loss, checks.term_experiment):
        check(stub)
        check(lambda *args, **kwargs: ...)
    checks.term_experiment(design(), (0.014, 0.042), "")
    out = capsys.readouterr().out
    assert out.count("not done yet") >= 7 and "✓" not in out
