"""Every lab: the reference gets all, the blank release nothing, a mistake what it should, another right way all."""

import importlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autoencoder_lab.commands.notebook_runner import run_cells
from autoencoder_lab.grading import grade as grading
from autoencoder_lab.grading.grade import Paper, Result
from autoencoder_lab.grading.judge import Judge, StagedPart, load_judge
from autoencoder_lab.grading.notebook_file import cells_of
from autoencoder_lab.grading.sandbox import Sandbox
from labs import cheats, reckoning
from labs.answers import Mistake
from labs.sources import ASSIGNMENTS, LABS, answers_of, handed_in, release_of, source_of
from notebooks.read_sources import lab_entries, notebook_sources

ANSWERS: Any = {lab: importlib.import_module(f"labs.{lab}") for lab in LABS}
OTHER_WAYS = [(lab, name) for lab in LABS for name in ANSWERS[lab].OTHER_WAYS]


@cache  # its hash takes a second, and every test asks
def judge_of(lab: str) -> Judge:
    return load_judge(ASSIGNMENTS / "judges" / f"{lab}.py")


def concerned(lab: str, answers: Iterable[str], reached: Iterable[str] | None = None) -> set[str]:
    """The parts that run one of these cells.

    With `reached`, a trained model is among them only if it is named there: training takes seconds.
    """
    names = {
        part.grade_id
        for part in judge_of(lab).parts
        if set(part.needs) & set(answers)
        and (reached is None or part.grade_id in reached or not isinstance(part, StagedPart))
    }
    assert names, f"no part of {lab} needs {', '.join(answers)}"
    return names


def mistakes(lab: str) -> Iterator[Any]:
    """(lab, name) of every mistake. Of those that cost a trained model points only the first is daily: a judge trains
    for seconds, and what it says of one such mistake hangs on its file and on the library, as a long test's row knows.
    """
    trained = {part.grade_id for part in judge_of(lab).parts if isinstance(part, StagedPart)}
    files = (f"assignments/**/{lab}.py", f"tests/labs/{lab}.py", "autoencoder_lab/grading/inside/*.py")
    daily = True
    for name, mistake in ANSWERS[lab].MISTAKES.items():
        if trained.isdisjoint(concerned(lab, mistake.answers, mistake.reached)):
            yield lab, name
        else:
            yield pytest.param(lab, name, marks=() if daily else pytest.mark.long(*files))
            daily = False


def graded(lab: str, answers: Mapping[str, str], sandbox: Sandbox, only: set[str] | None = None) -> Result:
    frame = cells_of(nbformat.writes(release_of(lab)).encode())
    return grading.grade(Paper("student", handed_in(lab, answers)), judge_of(lab), frame, 5, sandbox, only)


def points(result: Result) -> dict[str, float]:
    return {part.grade_id: part.points for part in result.parts}


def complaints(result: Result) -> str:
    return "; ".join(f"{part.grade_id}: {part.points}/{part.of} {part.said} [{part.mistake}]" for part in result.parts)


@pytest.mark.parametrize("lab", LABS)
def test_the_reference_gets_all_the_points(lab: str, sandbox: Sandbox) -> None:
    result = graded(lab, answers_of(lab), sandbox)
    assert points(result) == {part.grade_id: part.of for part in result.parts}, complaints(result)


@pytest.mark.parametrize("lab", LABS)
def test_a_blank_release_gets_none_and_is_told_so(lab: str, sandbox: Sandbox) -> None:
    result = graded(lab, {}, sandbox)
    assert result.points == 0 and not result.reason
    assert all("not done yet" in part.said for part in result.parts), complaints(result)


@pytest.mark.parametrize(("lab", "name"), [one for lab in LABS for one in mistakes(lab)])
def test_a_mistake_costs_what_it_should_and_is_named(lab: str, name: str, sandbox: Sandbox) -> None:
    mistake: Mistake = ANSWERS[lab].MISTAKES[name]
    parts = concerned(lab, mistake.answers, mistake.reached)
    result = graded(lab, {**answers_of(lab), **mistake.answers}, sandbox, parts)
    wanted = {part.grade_id: mistake.reached.get(part.grade_id, part.of) for part in result.parts}
    assert points(result) == wanted, complaints(result)
    said = next(part.said for part in result.parts if part.grade_id in mistake.reached)
    assert mistake.says in said, complaints(result)


@pytest.mark.parametrize(("lab", "name"), OTHER_WAYS)
def test_another_right_way_gets_all_the_points(lab: str, name: str, sandbox: Sandbox) -> None:
    answers = ANSWERS[lab].OTHER_WAYS[name]
    result = graded(lab, {**answers_of(lab), **answers}, sandbox, concerned(lab, answers))
    assert points(result) == {part.grade_id: part.of for part in result.parts}, complaints(result)


def cheating() -> Iterator[Any]:
    """(lab, name) of every cheat; the one that trains for a second is daily."""
    files = ("assignments/**/*.py", "autoencoder_lab/grading/inside/*.py")
    for lab in LABS:
        for name in cheats.names(lab):
            daily = name == "an SVD of what the loss is given, written over the weights"
            yield pytest.param(lab, name, marks=() if daily else pytest.mark.long(*files))


@pytest.mark.parametrize(("lab", "name"), list(cheating()))
def test_a_cheat_earns_nothing(lab: str, name: str, sandbox: Sandbox) -> None:
    weights = reckoning.friends_weights(lab) if cheats.needs_weights(name) else None
    part = reckoning.trained_part(lab).grade_id
    result = graded(lab, {**answers_of(lab), **cheats.cells(lab, name, weights)}, sandbox, {part})
    assert result.points <= 0.1 * result.parts[0].of, complaints(result)


@pytest.mark.long("assignments/**/*.py", "autoencoder_lab/grading/inside/*.py")
@pytest.mark.parametrize(
    ("lab", "name"), [(lab, name) for lab in LABS for name in getattr(ANSWERS[lab], "OTHER_TRAINED", {})]
)
def test_another_right_training_gets_all_the_points(lab: str, name: str, sandbox: Sandbox) -> None:
    answers = ANSWERS[lab].OTHER_TRAINED[name]
    result = graded(lab, {**answers_of(lab), **answers}, sandbox, concerned(lab, answers))
    assert points(result) == {part.grade_id: part.of for part in result.parts}, complaints(result)


@pytest.mark.parametrize("lab", LABS)
def test_two_other_right_ways_are_reckoned_with(lab: str) -> None:
    assert sum(answer.kind == "right" for answer in reckoning.answers(lab)) >= 2


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_is_of_the_right_size(lab: str) -> None:
    answers = ANSWERS[lab]
    assert len(answers.MISTAKES) >= 10 and len(answers.OTHER_WAYS) >= 2
    marked = [cell.metadata.nbgrader for cell in source_of(lab).cells if "points" in cell.metadata.get("nbgrader", {})]
    by_hand = [cell for cell in marked if cell.solution]
    judge = judge_of(lab)
    assert {cell.grade_id: cell.points for cell in marked if not cell.solution} == {
        part.grade_id: part.points for part in judge.parts
    }
    assert len(by_hand) == 1 and 4 <= len(judge.parts) <= 6


def parts_in_words(lab: str) -> tuple[dict[str, str], dict[str, str]]:
    """{a part's heading: its points}, once by the table at the top of a lab and once by its sections' headings."""
    text = [cell.source for cell in source_of(lab).cells if cell.cell_type == "markdown"]
    in_table = dict(re.findall(r"^\| (\d · [^|]+) \| (\d+) \|", text[0], flags=re.MULTILINE))
    in_headings = dict(re.findall(r"^## (\d · .+) \((\d+) points\)$", "\n".join(text), flags=re.MULTILINE))
    return in_table, in_headings


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_names_the_points_that_its_cells_carry(lab: str) -> None:
    in_table, in_headings = parts_in_words(lab)
    marked = [cell.metadata.get("nbgrader", {}) for cell in source_of(lab).cells]
    assert in_table == in_headings
    assert [float(points) for points in in_table.values()] == [one.points for one in marked if "points" in one]


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_builds_on_notebooks_that_there_are(lab: str) -> None:
    entry = next(entry for entry in lab_entries() if entry.name == lab)
    assert entry.before and set(entry.before) <= {path.stem.split("_")[0] for path in notebook_sources()}


@pytest.mark.parametrize("lab", LABS)
def test_the_release_holds_no_solution(lab: str) -> None:
    cells = [cell for cell in source_of(lab).cells if not cell.metadata.get("nbgrader", {}).get("solution")]
    given = "\n".join(cell.source for cell in cells)
    text = "\n".join(cell.source for cell in release_of(lab).cells)
    assert "SOLUTION" not in text and "HIDDEN" not in text
    for name, answer in answers_of(lab).items():
        stub = next(c.source for c in release_of(lab).cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)
        for line in (line.strip() for line in answer.splitlines()):
            assert len(line) < 20 or line in stub or line not in text or line in given, line


@pytest.mark.slow
@pytest.mark.parametrize("lab", LABS)
def test_the_release_runs_and_says_not_done_yet(lab: str, tmp_path: Path) -> None:
    notebook = nbformat.from_dict(release_of(lab))
    run_cells(notebook, tmp_path, timeout=120)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code":
            assert "not done yet" in "".join(output.get("text", "") for output in cell.outputs), cell.source


@pytest.mark.slow
@pytest.mark.parametrize("lab", LABS)
def test_the_source_runs_under_nbval_and_every_check_passes(lab: str, tmp_path: Path) -> None:
    """After each cell that checks a part stands one more, which wants to see its ✓."""
    notebook, cells = nbformat.from_dict(source_of(lab)), []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code":
            cell.source = f"%%capture said\n{cell.source}"
            cells.append(nbformat.v4.new_code_cell('assert "✓" in said.stdout, said.stdout'))
    notebook.cells = cells
    nbformat.write(notebook, tmp_path / f"{lab}.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300", "-q"]
    done = subprocess.run([*command, f"{lab}.ipynb"], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    checks = sum(cell.source.startswith("assert") for cell in cells if cell.cell_type == "code")
    assert done.returncode == 0 and checks >= 4, done.stdout[-3000:]
