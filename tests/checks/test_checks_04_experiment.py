"""The check of notebook 04's experiment: two right ones pass, the commonest wrong ones are named."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import autoencoder_lab as lab
from autoencoder_lab import checks

Function = Callable[..., Any]


def design(
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


@pytest.mark.parametrize("right", [design(), one_by_one])
@pytest.mark.parametrize("verdict", [right_verdict, rule(lambda s, c: s / c < 0.8)])
def test_right(right: Function, verdict: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.copying_experiment(right, verdict)
    assert capsys.readouterr().out.count("✓") == 2


def no_control(model: Any, data: Any, nearest: Function) -> Any:
    return {"samples": nearest(model.sample(200), data.train)[0].median().item(), "control": 1.0}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (design(control=lambda model, data: data.test.images), "sharp"),
        (design(control=lambda model, data: data.val.images), "sharp"),
        (design(control=lambda model, data: data.train.images), "nothing can be nearer"),
        (design(control=lambda model, data: model.reconstruct(data.train.images)), "trained on"),
        (
            design(control=lambda model, data: torch.cat([data.test.images, model.reconstruct(data.test.images)])),
            "mixes",
        ),
        (design(control=lambda model, data: model.sample(300)), "no control"),
        (no_control, "no control"),
        (design(samples=lambda model, data: model.reconstruct(data.train.images)), "samples were never measured"),
        (design(samples=lambda model, data: model.sample(10)), "a median of 10 distances"),
        (design(among=lambda data: data.test), "only training images"),
        (design(among=lambda data: data.train[:20]), "all of it"),
        (design(take=lambda distances: distances.mean().item()), "means"),
        (design(take=lambda distances: distances.min().item()), "smallest"),
        (design(take=lambda distances: distances.sum().item()), "not the medians"),
        (design(take=lambda distances: distances.median()), "plain numbers"),
        (design(answer=lambda d: {"samples": d["control"], "control": d["samples"]}), "exchanged"),
        (design(answer=lambda d: list(d.values())), "return a dictionary"),
        (design(answer=lambda d: {"samples": d["samples"]}), "return a dictionary"),
        (design(among=lambda data: data.train.images), "takes images"),
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
        checks.copying_experiment(design(), wrong)


@pytest.mark.parametrize(
    ("experiment", "verdict", "ticks"),
    [
        (lambda model, data, nearest: None, lambda d: None, 0),
        (design(), lambda d: None, 1),
        (design(), lambda d: ..., 1),
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
        distances = design()(model, data, lab.metrics.nearest_training)
    assert all(distance > 0 for distance in distances.values())
