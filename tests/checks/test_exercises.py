"""Hints and solutions of the exercises: each is there, right, and says no more than it should; failures are counted."""

import ast
import linecache
import re
import traceback
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from notebook_tools import SOURCES, Exercise, exercises, set_up, tagged

import autoencoder_lab as lab
from autoencoder_lab.checks import exercises as shipped
from autoencoder_lab.checks.compare import CheckFailed
from notebooks import build
from notebooks import exercises as command

COURSE = shipped.exercises()
EXAMPLE = Path(__file__).parents[1] / "fixtures" / "00_example.py"
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
each = pytest.mark.parametrize("one", COURSE, ids=lambda one: f"{one.notebook}-{one.name}")


# --- what is shipped -------------------------------------------------------------------------------


def test_the_package_ships_what_the_sources_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--check"]) == 0, "run python -m notebooks.exercises"
    package = tmp_path / "exercises.json"
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "SHIPPED", package)
    package.write_text("[]", encoding="utf-8")
    monkeypatch.setattr(command, "shipped_text", lambda: "[1]")
    assert command.main(["--check"]) == 1 and package.read_text(encoding="utf-8") == "[]"
    assert command.main([]) == 0 and package.read_text(encoding="utf-8") == "[1]"
    assert "python -m notebooks.exercises" in capsys.readouterr().out


def test_every_exercise_of_the_sources_has_help() -> None:
    there = [exercise.title for source in SOURCES for exercise in exercises(read(source.stem.split("_")[0]))]
    assert [one.title for one in COURSE] == there and len(there) >= 25
    assert all(len(one.hints) == 2 and all(one.hints) and one.why for one in COURSE)


@each
def test_a_hint_is_short_and_holds_no_solution(one: shipped.Exercise) -> None:
    lines = solution_lines(one)
    for text in (*one.hints, one.why):
        assert 6 <= len(text.split()) <= 75
    said = " ".join(one.hints)
    held = [line for line in lines if bare(line) in bare(said)]
    assert len(held) < len(lines), "all of the solution"
    assert not [line for line in held if len(bare(line)) > 40], "a long line of the solution"


@cache
def read(notebook: str) -> Any:
    """The source of the notebook of this number."""
    (source,) = [path for path in SOURCES if path.stem.startswith(f"{notebook}_")]
    return build.read_source(source)


def written(one: shipped.Exercise) -> tuple[str, Exercise]:
    """(the number of its notebook, the exercise as it stands in the source)"""
    (exercise,) = [found for found in exercises(read(one.notebook)) if found.title == one.title]
    return one.notebook, exercise


@cache
def ready(notebook: str) -> dict[str, Any]:
    """The names that its first set-up cell makes; a second one trains a model."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in set_up(read(notebook))[:1]:
        run(cell.source, names, (*DEFINITIONS, ast.Assign))
    return names


def solution_lines(one: shipped.Exercise) -> list[str]:
    """What the student has to write: the lines of the source's solutions, without comments, `return` and `x =`."""
    _, exercise = written(one)
    blocks = [
        block
        for cell in exercise.cells
        for block in re.findall(r"# solution-begin\n(.*?)# solution-end", cell.source, flags=re.DOTALL)
    ]
    lines = [
        re.sub(r"^\s*(return |[\w, ]+ \+?= )|#.*", "", line).strip() for block in blocks for line in block.split("\n")
    ]
    return [line for line in lines if len(line) > 3]


def bare(text: str) -> str:
    return re.sub(r"[\s`]", "", text)


def test_a_hint_that_tells_all_is_noticed() -> None:
    (one,) = [found for found in COURSE if found.name == "interpolate"]
    telling = shipped.Exercise(**{**vars(one), "hints": (one.hints[0], one.solution)})
    with pytest.raises(AssertionError, match="all of the solution"):
        test_a_hint_is_short_and_holds_no_solution(telling)


@each
def test_the_solution_that_is_shown_passes_its_check(one: shipped.Exercise, capsys: pytest.CaptureFixture[str]) -> None:
    """In the notebook's namespace, without its trainings; test_notebooks.py runs them with theirs."""
    notebook, exercise = written(one)
    names = ready(notebook) | {"result": None, "conclusion": None}
    for cell in given(exercise):
        run(cell.source, names, DEFINITIONS)
    run(one.solution, names, DEFINITIONS)
    for cell in exercise.cells:
        if tagged(cell, "check"):
            run(cell.source, names)
    said = capsys.readouterr().out
    assert "✓" in said or "the experiment is sound" in said, said


def given(exercise: Exercise) -> list[Any]:
    return [cell for cell in exercise.cells if not tagged(cell, "exercise") and not tagged(cell, "check")]


def run(source: str, names: dict[str, Any], kinds: tuple[type, ...] = (ast.stmt,)) -> None:
    """The statements of these kinds, in a place where inspect finds their source."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if isinstance(node, kinds)]
    where = f"<cell {len(linecache.cache)}>"
    linecache.cache[where] = (len(source), None, source.splitlines(True), where)
    exec(compile(tree, where, "exec"), names)


# --- sources that are not as they should be --------------------------------------------------------


def test_what_is_read_from_a_source(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for old, new in (("check(double", "lab.checks.double(double"), ("check(half", "lab.checks.half(half")):
        text = text.replace(f'tags=["check"]\n{old}', f'tags=["check"]\n{new}')
    text = text.replace('tags=["check"]\ncheck(conclusion', 'tags=["check"]\nlab.checks.sentence(conclusion')
    source = tmp_path / "00_example.py"
    source.write_text(text, encoding="utf-8")
    double, half, sentence = command.exercises_of(source)
    assert double == shipped.Exercise(
        "00",
        "Exercise 1 · Double",
        ("double",),
        ("double",),
        ("How often must x be added?", "Add x to itself."),
        "Twice a number is the number and itself.",
        'def double(x):\n    """x: a number. Return 2 x."""\n    doubled_number = x + x\n    return doubled_number',
    )
    assert half.functions == ("half",) and half.solution.startswith("def half(x):")
    assert (sentence.name, sentence.functions) == ("sentence", ())

    help_cell = '# %% [markdown] tags=["help"]\n# 1. Read the title.\n# 2. It is'
    for old, new, message in (
        ("lab.checks.sentence(", "print(", "Exercise 3 · Conclude' lacks a cell that calls lab.checks"),
        ("# **Why.** A half", "# A half", "00_example.py, 'Exercise 2 · Find the bug': expected a cell tagged 'help'"),
        ("# 2. Add x", "# 2. [Add]({{glossary}}#add) x", "Exercise 1 · Double': expected a cell"),
        (help_cell, help_cell.replace(' tags=["help"]', ""), "Exercise 3 · Conclude': expected a cell"),
        ("# %% [markdown]\n# ### Exercise 2", f"{help_cell}\n\n# %% [markdown]\n# ### Exercise 2", "one cell tagged"),
    ):
        assert old in text
        source.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(ValueError, match=re.escape(message)):
            command.exercises_of(source)


def test_a_check_that_two_exercises_share_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks" / "source"
    folder.mkdir(parents=True)
    text = SOURCES[0].read_text(encoding="utf-8")
    for name in ("00_one.py", "01_two.py"):
        (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"its own; twice: \['own_autoencoder', 'squared_error_per_image', "):
        command.every_exercise(tmp_path)


# --- how often a check has failed ------------------------------------------------------------------


@pytest.fixture(autouse=True)
def new_kernel() -> None:
    shipped.failures.clear()
    shipped.unsolved.clear()


def failure(check: Any, answer: Any) -> str:
    """What a terminal shows of a failed check; a notebook shows the same, without the trace."""
    with pytest.raises(CheckFailed) as caught:
        check(answer)
    shown = "\n".join(caught.value._render_traceback_())
    assert shown.removeprefix("✗ ") in "".join(traceback.format_exception_only(caught.value))
    return shown


def test_help_is_offered_from_the_second_failure_on() -> None:
    offer = 'If you would like help: lab.hint("interpolate") gives a hint, lab.solution("interpolate") the solution.'
    wrong, right = (lambda a, b, steps: a), (lambda a, b, steps: a + lab.checks.exercises.json)  # the second one stops
    assert "lab.hint" not in failure(lab.checks.interpolate, wrong)
    lab.checks.interpolate(lambda a, b, steps: None)  # a stub is no failure
    assert "lab.hint" not in failure(lab.checks.stamp, 3), "each exercise is counted by itself"
    for answer in (wrong, right, 3):
        shown = failure(lab.checks.interpolate, answer).splitlines()
        assert shown[0].startswith("✗ interpolate: ") and shown[-1] == offer and len(shown) == 2
    assert list(shipped.unsolved) == ["stamp", "interpolate"]
    names: dict[str, Any] = {}
    exec(f"import torch\n{next(one.solution for one in COURSE if one.name == 'interpolate')}", names)
    lab.checks.interpolate(names["interpolate"])
    assert list(shipped.unsolved) == ["stamp"]


def test_a_check_without_help_and_a_graded_lab_offer_none() -> None:
    assert "generator_step" not in {name for one in COURSE for name in one.checks}
    for check in (lab.checks.generator_step, lab.checks.lab1.best_error.check):
        for _ in range(3):
            assert "lab.hint" not in failure(check, lambda *_, **__: "wrong")
