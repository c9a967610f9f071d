"""Hints and solutions on request: in a notebook and in a terminal, by name or for the check that failed last."""

import re
import types
from collections.abc import Callable
from typing import Any

import pytest

import autoencoder_lab as lab
from autoencoder_lab.checks import exercises as shipped
from autoencoder_lab.classroom import display, exercise_help

KL = next(one for one in shipped.exercises() if one.name == "gaussian_kl")
Show = Callable[..., str]


@pytest.fixture(autouse=True)
def new_kernel() -> None:
    exercise_help._given.clear()
    shipped.failures.clear()
    shipped.unsolved.clear()


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Show:
    """What a call prints outside of a notebook."""

    def show(function: Callable[..., None], *arguments: Any) -> str:
        function(*arguments)
        return capsys.readouterr().out

    return show


def test_two_hints_then_the_way_to_the_solution(terminal: Show) -> None:
    heading = "04, Exercise 1 · The divergence"
    first, second, third, fourth = (terminal(lab.hint, "gaussian_kl") for _ in range(4))
    assert first == f"{heading}\n\nHint 1 of 2. {KL.hints[0]}\n"
    assert second == f"{heading}\n\nHint 2 of 2. {KL.hints[1]}\n"
    assert KL.hints[0] in third and KL.hints[1] in third
    assert third.endswith('There is no third hint: `lab.solution("gaussian_kl")` shows the solution.\n')
    assert fourth == third
    assert "Hint 1 of 2" in terminal(lab.hint, "reparameterise"), "each exercise is counted by itself"


def test_the_solution_and_its_why(terminal: Show) -> None:
    shown = terminal(lab.solution, "gaussian_kl")
    assert shown == f"04, Exercise 1 · The divergence\n\n{KL.solution}\n\nWhy: {KL.why}\n"
    assert "Hint 1 of 2" in terminal(lab.hint, "gaussian_kl"), "a solution uses up no hint"


def test_in_a_notebook_the_source_is_highlighted(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, str]] = []
    ipython = types.SimpleNamespace(get_ipython=lambda: object())
    monkeypatch.setitem(display.sys.modules, "IPython", ipython)
    monkeypatch.setitem(
        display.sys.modules,
        "IPython.display",
        types.SimpleNamespace(display=lambda bundle, raw: shown.append(bundle)),
    )
    lab.hint("gaussian_kl")
    lab.solution("gaussian_kl")
    heading = "**04, Exercise 1 · The divergence**"
    assert shown[0]["text/markdown"] == f"{heading}\n\nHint 1 of 2. {KL.hints[0]}"
    assert shown[1]["text/markdown"] == f"{heading}\n\n```python\n{KL.solution}\n```\n\nWhy: {KL.why}"
    assert "Hint 1 of 2" in shown[0]["text/plain"] and KL.solution in shown[1]["text/plain"]


def test_without_a_name_it_is_the_check_that_failed_last(terminal: Show) -> None:
    for ask in (lab.hint, lab.solution):
        with pytest.raises(
            ValueError, match=r"(?s)no check has failed in this session, so say which exercise: lab.* are\n00"
        ):
            ask()
    for check in (lab.checks.interpolate, lab.checks.code, lab.checks.generator_step, lab.checks.lab1.best_error.check):
        with pytest.raises(lab.checks.CheckFailed):
            check(lambda *_, **__: "wrong")
    assert "04, Exercise 5 · Drawn, or not" in terminal(lab.hint), "for the two later ones there is no help"
    names: dict[str, Any] = {}
    exec("import torch\n" + next(one.solution for one in shipped.exercises() if one.name == "code"), names)
    lab.checks.code(names["code"])
    assert "04b, Exercise 1 · Evenly spaced" in terminal(lab.solution), "the other one is solved"


@pytest.mark.parametrize(
    "given",
    ["active_units", "count_active", " lab.checks.active_units ", "checks.active_units()", lab.checks.active_units],
)
def test_names_by_which_an_exercise_is_meant(given: Any, terminal: Show) -> None:
    assert "04b, Exercise 2 · Find the bug" in terminal(lab.hint, given)


def test_the_students_own_function_names_its_exercise(terminal: Show) -> None:
    def gaussian_kl(mu: Any, log_var: Any) -> None: ...

    assert KL.title in terminal(lab.solution, gaussian_kl)


@pytest.mark.parametrize("ask", [lab.hint, lab.solution])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "gausian_kl",
            r"no exercise is called 'gausian_kl'; did you mean 'gaussian_kl'\? lab.*\n04b: interpolate, active",
        ),
        (
            "zzz",
            r"no exercise is called 'zzz'\. lab.*\nThe names of the exercises are\n00: squared_error_per_image, own",
        ),
        ("", r"no exercise is called ''"),
        (
            "experiment",
            r"exercises ask for a function named 'experiment'; say which: lab\.\w+\(\"unseen_digit\"\) for 00",
        ),
    ],
)
def test_unknown_names_are_told_the_names_there_are(ask: Any, given: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"(?s){message}"):
        ask(given)


@pytest.mark.parametrize("given", [3, ["gaussian_kl"], 0.5])
def test_what_is_no_name(given: Any) -> None:
    with pytest.raises(TypeError, match=r'an exercise is named by a text, lab\.hint\("squared_error_per_image"\), got'):
        lab.hint(given)


def parts_of_labs() -> list[str]:
    labs = [getattr(lab.checks, f"lab{number}") for number in range(1, 7)]
    return sorted({name for one in labs for name in one.PARTS})


@pytest.mark.parametrize("ask", [lab.hint, lab.solution])
def test_graded_labs_get_no_help(ask: Any) -> None:
    names = [*parts_of_labs(), "lab1", "lab4_vae", "lab.checks.lab2.window", lab.checks.lab3]
    assert len(names) > 30
    for name in [*names, lab.checks.lab1.best_error]:
        with pytest.raises(ValueError, match=r"belongs to lab\d, a graded lab: there, neither hints nor solutions"):
            ask(name)
    shown = " ".join(f"{one.checks} {one.functions}" for one in shipped.exercises())
    assert not [name for name in parts_of_labs() if re.search(rf"'{name}'", shown)]
