"""A question names the mistake that a function makes, and takes a stub for what it is."""

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from autoencoder_lab.checks import CheckFailed, question
from autoencoder_lab.checks.compare import unfinished
from autoencoder_lab.checks.question import Question, Wrong, as_it_is, by_sentence

FOLDER = Path(question.__file__).parent


def questions() -> dict[str, Question]:
    """Every question of the course by its file and name."""
    found = {}
    for path in sorted([*FOLDER.glob("notebooks/notebook_*.py"), *FOLDER.glob("labs/lab*.py")]):
        module = importlib.import_module(f"autoencoder_lab.checks.{path.parent.name}.{path.stem}")
        for value in vars(module).values():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, Question):
                    found[f"{path.stem}: {one.name}"] = one
    return found


def message(one: Question, function: Callable[..., Any]) -> str:
    with pytest.raises(CheckFailed) as failure:
        one.check(function)
    return str(failure.value)


@pytest.mark.parametrize("one", questions().values(), ids=questions().keys())
def test_every_mistake_of_the_course_is_named(one: Question) -> None:
    as_called = dataclasses.replace(one, adapt=as_it_is)  # the wrong functions stand there as they are called
    for wrong in one.mistakes.values():
        said = message(as_called, wrong.function)
        # a wrong shape or nan is seen before the values are compared
        assert said == f"{one.name}: {wrong.said}" or "must have shape" in said or "nan or infinity" in said, said


def add(a: Tensor, b: Tensor) -> Tensor:
    return a + b


def pairs(generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    return [(torch.rand(3, generator=generator), torch.rand(3, generator=generator)) for _ in range(2)]


SUM = Question("total", add, by_sentence({"you subtract": lambda a, b: a - b, "b is missing": lambda a, b: a}), pairs)


def test_a_right_function_passes_and_a_stub_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    SUM.check(lambda a, b: b + a)
    assert capsys.readouterr().out == "✓ total: correct\n"
    for stub in (lambda a, b: None, lambda a, b: ...):
        SUM.check(stub)
        assert capsys.readouterr().out == "total: not done yet\n"


def test_a_wrong_function_is_named_changed_inputs_too() -> None:
    assert message(SUM, lambda a, b: a - b) == "total: you subtract"
    assert "expected" in message(SUM, lambda a, b: a * b)
    assert "must have shape (3,), got (2, 3)" in message(SUM, lambda a, b: torch.stack([a, b]))
    assert "Besides, your function changes its input in place" in message(SUM, lambda a, b: a.mul_(b))
    assert message(SUM, lambda a, b: a @ torch.ones(7)).startswith("total: your function stops with RuntimeError")


def test_mistakes_that_share_a_sentence_are_both_known() -> None:
    """As a factor too much and one too few may be."""
    shared = {
        "more": Wrong("the factor is off", lambda a, b: 2 * add(a, b)),
        "less": Wrong("the factor is off", lambda a, b: add(a, b) / 2),
    }
    one = Question("total", add, shared, pairs)
    assert {message(one, wrong.function) for wrong in shared.values()} == {"total: the factor is off"}


def test_adapt_stands_between_the_student_and_the_cases(capsys: pytest.CaptureFixture[str]) -> None:
    one = dataclasses.replace(SUM, adapt=lambda student: lambda a, b: student((a, b)))
    one.check(sum)
    assert "✓" in capsys.readouterr().out
    assert message(one, lambda both: both[0]) == "total: b is missing"


@pytest.mark.parametrize(("answers", "stub"), [((1, None), True), ((...,), True), ((0, "", False), False)])
def test_none_and_ellipsis_are_stubs(answers: tuple[Any, ...], stub: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert unfinished("total", *answers) == stub
    assert capsys.readouterr().out == ("total: not done yet\n" if stub else "")
