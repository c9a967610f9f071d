"""`autoencoder-lab check`: what is done, what is wrong, what is missing."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from typer.testing import CliRunner

from autoencoder_lab import checks
from autoencoder_lab.commands import check_lab
from autoencoder_lab.commands.check_lab import PartState, check, look
from autoencoder_lab.commands.cli import app


def cell(source: str, name: str = "", points: float = 0, kind: str = "code") -> Any:
    made = (nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell)(source)
    if name:
        marked = {"grade_id": name, "grade": bool(points), "solution": kind != "code" or not points, "points": points}
        made.metadata["nbgrader"] = marked
    return made


def lab(folder: Path, *cells: Any) -> Path:
    path = folder / "lab.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)
    return path


def test_each_part_is_done_wrong_or_missing(tmp_path: Path) -> None:
    path = lab(
        tmp_path,
        cell("from autoencoder_lab.checks import CheckFailed"),
        cell("print('✓ a: correct')", "test_a", 2),
        cell("raise CheckFailed('b: the sum for the mean')", "test_b", 3),
        cell("print('c: not done yet')", "test_c", 1),
        cell("1 / 0", "answer_d"),
        cell("d(3)", "test_d", 1),
        cell("Because.", "words", 4, "markdown"),
        cell("*Your answer here.*", "more", 4, "markdown"),
    )
    before = path.read_bytes()
    assert check(path) == [
        PartState("a", 2, "done", "✓ a: correct"),
        PartState("b", 3, "wrong", "b: the sum for the mean"),
        PartState("c", 1, "missing", "c: not done yet"),
        PartState(
            "d",
            1,
            "wrong",
            "NameError: name 'd' is not defined; an earlier cell stopped with ZeroDivisionError: division by zero",
        ),
        PartState("words", 4, "done", "a person will read this"),
        PartState("more", 4, "missing", "nothing is written yet"),
    ]
    assert path.read_bytes() == before


@pytest.mark.slow
def test_a_notebook_that_does_not_end_is_told(tmp_path: Path) -> None:
    path = lab(tmp_path, cell("while True: pass"), cell("import os; os._exit(1)"), cell("pass", "test_a", 2))
    (state,), warnings = look(path, timeout=2)  # as while marking: left out, and the rest is looked at
    assert state.state == "done" and [warning.split(" and ")[0] for warning in warnings] == [
        "cell 1 did not end", "cell 2 ended the kernel"
    ]  # fmt: skip
    (state,) = check(lab(tmp_path, cell("while True: pass", "test_a", 2)), timeout=2)
    assert state.state == "wrong" and "did not end" in state.said


def test_a_cell_that_takes_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_lab, "CELL_SECONDS", 0)
    path = lab(tmp_path, cell("a = 1"), cell("pass", "test_a", 2))
    states, warnings = look(path, timeout=60)
    assert "cell 1 took 0 seconds of a processor here; marking gives a cell 0 and" in warnings[0]
    assert "Beware: cell 1 took" in check_lab.summary(states, warnings)


def test_the_command_sums_up_and_its_status_tells(tmp_path: Path) -> None:
    path = lab(tmp_path, cell("print('✓ a: correct')", "test_a", 2), cell("print('b: not done yet')", "test_b", 3))
    shown = CliRunner().invoke(app, ["check", str(path)])
    assert shown.exit_code == 1 and "2 of 5 points are done" in shown.output and "· missing b" in shown.output


@pytest.mark.parametrize(("content", "said"), [("{", "cannot be read as a notebook"), (None, "No such file")])
def test_what_is_no_lab_is_told(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "lab.ipynb"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    shown = CliRunner().invoke(app, ["check", str(path)])
    assert shown.exit_code == 1 and said in shown.output
    with pytest.raises(ValueError, match="has no cell that carries points"):
        check(lab(tmp_path, cell("1")))


def test_a_cell_that_leaves_is_named_and_the_rest_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = lab(tmp_path, cell("a = 1"), cell("print('bye')\nexit()"), cell("b = 2"), cell("a + b", "test_a", 2))
    (state,), warnings = look(path, timeout=60)
    assert state.state == "done" and warnings == ["cell 2 ended the kernel and was left out (exit() or quit())"]
    assert "without encryption" not in "".join(capfd.readouterr())


def test_only_the_checks_own_words_count(tmp_path: Path) -> None:
    path = lab(
        tmp_path,
        cell("print('a: not done yet')\nprint('✓ a: correct')", "test_a", 2),
        cell("print('✓ surely')\nprint('b: not done yet')", "test_b", 3),
        cell("print('it says not done yet at times')", "test_c", 1),
        cell("*Your answer here.*", "words", 4, "markdown"),
        cell("Because.", kind="markdown"),
    )
    states = check(path)
    assert [state.state for state in states] == ["done", "missing", "done", "done"]
    assert states[-1].said.startswith("a person will read this")


def test_an_id_that_nobody_put_in_is_told(tmp_path: Path) -> None:
    _, warnings = look(lab(tmp_path, cell('STUDENT = "your-id"', "student"), cell("1", "test_a", 2)))
    assert warnings and warnings[0].startswith("STUDENT is still 'your-id'")


def test_checks_that_are_gone_or_lost_their_marks_count(tmp_path: Path) -> None:
    right = "def best_code(x, W, b):\n    return (x.flatten(1) - b) @ W @ (W.T @ W).inverse()"
    path = lab(
        tmp_path,
        cell("## 1 · The best error (4 points)\n\n## 2 · The best code (4 points)", kind="markdown"),
        cell("import autoencoder_lab as lab"),
        cell("def best_error(images, k):\n    return images.sum()", "best_error"),
        cell(right, "best_code"),
        cell("lab.checks.lab1.best_code.check(best_code)"),
        cell("Because.", "words", 4, "markdown"),
        cell("smallest_k, share_of_two = None, None", "reading"),
        cell("lab.checks.lab1.reading(None, smallest_k, share_of_two)"),
    )  # fmt: skip
    states = check(path)
    found = {state.name: (state.points, state.state) for state in states}
    assert found == {
        "best_error": (4, "wrong"), "best_code": (4, "done"), "words": (4, "done"), "reading": (3, "missing")
    }  # fmt: skip
    path = lab(tmp_path, cell("## 1 · A (4 points)", kind="markdown"), cell("Because.", "words", 3, "markdown"))
    assert "the headings name 4 points, of which 1 are not checked here" in look(path)[1][0]


@pytest.mark.parametrize("number", range(1, 7))
def test_the_labs_name_their_parts(number: int) -> None:
    (source,) = (Path(__file__).parents[2] / "assignments" / "source").glob(f"lab{number}_*/*.py")
    text = source.read_text(encoding="utf-8")
    parts = getattr(checks, f"lab{number}").PARTS
    marked = re.findall(r'^# %% .*?(?:test="test_|manual=")(\w+)" points=(\d+)', text, re.MULTILINE)
    assert {name: float(points) for name, points in marked} == {name: points for name, (points, _) in parts.items()}
    assert f'# %% given="imports"\n{getattr(checks, f"lab{number}").IMPORTS}' in text
    assert all(f"lab.checks.lab{number}.{call}" in text for _, call in parts.values() if call)
    assert sum(map(float, check_lab.HEADING.findall(re.sub(r"^# ", "", text, flags=re.MULTILINE)))) == sum(
        points for points, _ in parts.values()
    )


def test_a_lab_that_lies_further_down_is_named(tmp_path: Path) -> None:
    lab = tmp_path / "my-course" / "labs" / "lab1_linear.ipynb"
    lab.parent.mkdir(parents=True)
    lab.write_text("{}", encoding="utf-8")
    for place in (tmp_path, tmp_path / "my-course"):
        with pytest.raises(ValueError, match=f"cannot be read: .*; did you mean {re.escape(str(lab))}"):
            check_lab.look(place / "lab1_linear.ipynb")
    with pytest.raises(ValueError, match="name your lab's"):
        check_lab.look(tmp_path / "lab2_conv.ipynb")
