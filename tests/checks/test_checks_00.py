"""Notebook 00's checks: the right functions pass, each common mistake is named, a stub is "not done yet"."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from autoencoder_lab import checks, losses

Function = Callable[..., Any]


def stub(*args: Any) -> None:
    return None


# --- 1: the squared error -------------------------------------------------------------------------


def loops_over_images(x_hat: Tensor, x: Tensor) -> float:
    total = 0.0
    for one_hat, one in zip(x_hat, x, strict=True):
        total += float(((one_hat - one) ** 2).sum())
    return total / x.shape[0]


def in_place(x_hat: Tensor, x: Tensor) -> Tensor:
    x_hat -= x
    return x_hat.pow(2).sum() / len(x)


@pytest.mark.parametrize("right", [losses.squared_error, loops_over_images, in_place])
def test_squared_error_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.squared_error_per_image(right)
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda a, b: (a - b).pow(2).mean(), "average over the pixels too"),
        (lambda a, b: (a - b).pow(2).sum(), "sum over the images too"),
        (lambda a, b: (a - b).pow(2).sum() / a[0].numel(), "number of pixels instead"),
        (lambda a, b: (a - b).pow(2).sum() / a.shape[1], "number of channels"),
        (lambda a, b: (a - b).sum() / len(a), "not squared"),
        (lambda a, b: (a - b).abs().sum() / len(a), "absolute values"),
        (lambda a, b: (a - b).flatten(1).sum(1).pow(2).mean(), "square the sum"),
        (lambda a, b: (a - b).flatten(1).norm(dim=1).mean(), "no root"),
        (lambda a, b: (a - b).pow(2).sum() / (2 * len(a)), "no factor ½"),
        (lambda a, b: -(a - b).pow(2).sum() / len(a), "sign"),
        (lambda a, b: b.pow(2).sum() / len(b), "compare x with 0"),
        (lambda a, b: (a - b).pow(2).flatten(1).sum(dim=1), "must have shape"),
        (lambda a, b: (a - b).pow(2).sum(dim=0) / len(a), "must have shape"),
        (lambda a, b: (a @ b).sum() / len(a), "RuntimeError"),
        (lambda a, b: "0.5", "tensor or a number"),
        (lambda a, b: torch.tensor(1.0), "expected"),
    ],
)
def test_squared_error_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.squared_error_per_image(wrong)


# --- 3: the training step (2, an autoencoder of one's own, has a file of its own) -----------------


def as_in_the_solution(model: Any, optimiser: Any, x: Tensor) -> float:
    loss = model.loss(x).total
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def clears_afterwards(model: Any, optimiser: Any, x: Tensor) -> Tensor:
    loss = losses.squared_error(model.reconstruct(x), x)
    loss.backward()
    optimiser.step()
    model.zero_grad()
    return loss


def steps(order: str) -> Function:
    """A training step that does Zero, Backward and Step in the order of these letters."""

    def step(model: Any, optimiser: Any, x: Tensor) -> Tensor:
        loss: Tensor = model.loss(x).total
        for letter in order:
            {"Z": optimiser.zero_grad, "B": loss.backward, "S": optimiser.step}[letter]()
        return loss

    return step


def uphill(model: Any, optimiser: Any, x: Tensor) -> Tensor:
    loss: Tensor = model.loss(x).total
    optimiser.zero_grad()
    (-loss).backward()
    optimiser.step()
    return loss


def per_pixel(model: Any, optimiser: Any, x: Tensor) -> Tensor:
    loss = (model.reconstruct(x) - x).pow(2).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss


def after(model: Any, optimiser: Any, x: Tensor) -> Tensor:
    as_in_the_solution(model, optimiser, x)
    return model.loss(x).total


def negative(model: Any, optimiser: Any, x: Tensor) -> float:
    return -as_in_the_solution(model, optimiser, x)


def silent(model: Any, optimiser: Any, x: Tensor) -> None:
    as_in_the_solution(model, optimiser, x)


def without_graph(model: Any, optimiser: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        loss: Tensor = model.loss(x).total
    loss.backward()
    optimiser.step()
    return loss


def returns_the_model(model: Any, optimiser: Any, x: Tensor) -> Any:
    as_in_the_solution(model, optimiser, x)
    return model


def wrong_target(model: Any, optimiser: Any, x: Tensor) -> Tensor:
    loss: Tensor = model.loss(x, torch.zeros_like(x)).total
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss


@pytest.mark.parametrize("right", [as_in_the_solution, clears_afterwards])
def test_training_step_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.training_step(right)
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (steps("BS"), "pile up"),
        (steps("ZB"), "never change"),
        (steps("BZS"), "never change"),
        (steps("ZSB"), "never change"),
        (steps("SZB"), "before backward"),
        (steps("ZBSS"), "twice"),
        (uphill, "climb"),
        (per_pixel, "averaged over pixels"),
        (after, "after the step"),
        (negative, "minus sign"),
        (silent, "returns nothing"),
        (without_graph, "connection to the weights"),
        (returns_the_model, "training_step"),
        (wrong_target, "not with black images"),
    ],
)
def test_training_step_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.training_step(wrong)


# --- 4: the experiment ----------------------------------------------------------------------------


def sound(data: Any, digit: int, train: Function, error: Function) -> tuple[float, float]:
    kept = data.train.labels != digit
    asked = data.test.images[data.test.labels == digit]
    return error(train(data.train.images), asked), error(train(data.train.images[kept]), asked)


def as_many_images(data: Any, digit: int, train: Function, error: Function) -> list[Any]:
    others = data.train.images[data.train.labels != digit]
    without = train(others)
    own = data.train.images[data.train.labels == digit]
    with_digit = train(torch.cat([others[: -len(own)], own]))
    asked = data.test.images[data.test.labels == digit]
    unseen = error(without, asked)
    return [torch.tensor(error(with_digit, asked)), torch.tensor(unseen)]


def variant(
    first: str = "all", second: str = "others", on: str = "test digit", also: str = "", answer: str = "pair"
) -> Function:
    """An experiment of which one thing at a time can be wrong."""

    def experiment(data: Any, digit: int, train: Function, error: Function) -> Any:
        def choose(what: str) -> Tensor:
            split, _, kind = what.rpartition(" ")
            part = getattr(data, split or "train")
            its = part.labels == digit
            chosen = {"all": its | True, "digit": its, "others": ~its, "few": its | (torch.arange(len(its)) < 4)}[kind]
            return part.images[chosen]

        a, b = train(choose(first)), train(choose(second))
        one, two = error(a, choose(on)), error(b, choose(also or on))
        return {"pair": (one, two), "swapped": (two, one), "ratio": two / one, "made up": (0.1, 0.2)}[answer]

    return experiment


def no_control(data: Any, digit: int, train: Function, error: Function) -> tuple[float, float]:
    model = train(data.train.images[data.train.labels != digit])
    asked, rest = data.test.images[data.test.labels == digit], data.test.images[data.test.labels != digit]
    return error(model, rest), error(model, asked)


@pytest.mark.parametrize("right", [sound, as_many_images])
def test_unseen_digit_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.unseen_digit(right)
    assert "conclusion is not done yet" in capsys.readouterr().out
    checks.unseen_digit(right, (0.02, 0.044), "On test zeros the error is 2.2 times as large without them.")
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (no_control, "no control"),
        (variant(first="test all"), "not in data.train"),
        (variant(on="train digit"), "measure on training images"),
        (variant(on="val digit"), "outside data.test"),
        (variant(on="test all"), "other digits as well"),
        (variant(on="test others"), "other digits as well"),
        (variant(on="test digit", also="test all"), "other digits as well"),
        (variant(second="all"), "both models have seen"),
        (variant(first="others"), "neither model has seen"),
        (variant(first="digit"), "digit alone"),
        (variant(first="few"), "budgets differ"),
        (variant(answer="swapped"), "wrong way round"),
        (variant(answer="ratio"), "return the two errors"),
        (variant(answer="made up"), "as error"),
        (lambda data, digit, train, error: (0.1, 0.2), "no model was trained"),
        (lambda data, digit, train, error: data.missing, "AttributeError"),
        (lambda data, digit, train, error: error(0, data.test.images), "a model that train"),
    ],
)
def test_unseen_digit_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.unseen_digit(wrong)


def test_unseen_digit_measures_both_models_on_the_same_images() -> None:
    def halves(data: Any, digit: int, train: Function, error: Function) -> tuple[float, float]:
        asked = data.test.images[data.test.labels == digit]
        with_digit, without = train(data.train.images), train(data.train.images[data.train.labels != digit])
        return error(with_digit, asked[:5]), error(without, asked[5:])

    def one_model_twice(data: Any, digit: int, train: Function, error: Function) -> tuple[float, float]:
        asked = data.test.images[data.test.labels == digit]
        model, _ = train(data.train.images), train(data.train.images[data.train.labels != digit])
        return error(model, asked), error(model, asked)

    with pytest.raises(checks.CheckFailed, match="different images"):
        checks.unseen_digit(halves)
    with pytest.raises(checks.CheckFailed, match="one model only"):
        checks.unseen_digit(one_model_twice)


@pytest.mark.parametrize(
    ("conclusion", "message"),
    [
        ("worse", "a sentence"),
        ("Without the digit the error on test images is much larger.", "names its figure"),
        ("Without the digit the error on test images is 9 times larger.", "names its figure"),
    ],
)
def test_unseen_digit_conclusion(conclusion: str, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.unseen_digit(sound, (0.02, 0.044), conclusion)


# --- stubs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [checks.squared_error_per_image, checks.training_step, checks.unseen_digit])
def test_a_stub_is_not_done_yet(check: Function, capsys: pytest.CaptureFixture[str]) -> None:
    check(stub)
    assert "not done yet" in capsys.readouterr().out
