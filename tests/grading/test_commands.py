"""The instructor's commands as they are typed, on a class that the sandbox grades; and the same class under Dask."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

pytest.importorskip(
    "nbgrader", reason="the instructor's commands need nbgrader: pip install 'autoencoder_lab[grading]'"
)

from autoencoder_lab.commands import grading as commands
from autoencoder_lab.commands.cli import app
from autoencoder_lab.grading.sandbox import Sandbox, SandboxError
from autoencoder_lab.grading.submission import find
from autoencoder_lab.grading.whole_class import Task, grade_class
from grading.small_lab import POINTS, RIGHT, notebook

SMALL = Path(__file__).parent / "small_lab"
TEXT = """# %% given="imports"
import torch
from torch import nn

# %% answer="mse"
def mse(x, y):
    ### BEGIN SOLUTION
    return ((x - y) ** 2).mean()
    ### END SOLUTION

# %% test="test_mse" points=2
assert mse is not None

# %% answer="centred"
def centred(x):
    ### BEGIN SOLUTION
    return x - x.mean(dim=0)
    ### END SOLUTION

# %% test="test_centred" points=3
assert centred is not None

# %% answer="model"
model = None
### BEGIN SOLUTION
model = 1
### END SOLUTION

# %% test="test_model" points=5
assert model is not None

# %% [markdown] manual="words" points=4
# What the instructor would have written.
"""


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course with the small lab, and a class of four."""
    root = tmp_path / "course"
    (root / "source" / "small").mkdir(parents=True)
    (root / "judges").mkdir()
    (root / "source" / "small" / "small.py").write_text(TEXT, encoding="utf-8")
    shutil.copy(SMALL / "judge.py", root / "judges" / "small.py")
    handed_in = tmp_path / "handed_in"
    handed_in.mkdir()
    (handed_in / "ada.ipynb").write_bytes(notebook(RIGHT))
    (handed_in / "bob.ipynb").write_bytes(notebook(RIGHT | {"mse": "def mse(x, y):\n    return ((x - y) ** 2).sum()"}))
    (handed_in / "cut.ipynb").write_bytes(notebook(RIGHT)[:300])
    (handed_in / "dan.ipynb").write_bytes(notebook())
    return root


def typed(course: Path, *words: str) -> Any:
    return CliRunner().invoke(app, [*words, "--course", str(course)])


def test_from_release_to_exported_marks(course: Path, sandbox: Sandbox) -> None:
    assert typed(course, "release", "small").exit_code == 0
    handed_in = str(course.parent / "handed_in")
    graded = typed(course, "grade", "small", handed_in, "-j", "2", "--allow-root")
    assert graded.exit_code == 0, graded.output
    assert "4 submissions, 1 of them could not be graded" in graded.output and "1 × sum for mean" in graded.output
    assert typed(course, "feedback", "small").exit_code == 0
    page = (course / "feedback" / "bob" / "small" / "small.html").read_text(encoding="utf-8")
    assert "this is the sum of the squared errors" in page
    assert typed(course, "export", "small").exit_code == 0
    rows = (course / "exports" / "small.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [
        ["ada", "10.0", "14.0"],
        ["bob", "9.0", "14.0"],
        ["cut", "0.0", "14.0"],
        ["dan", "0.0", "14.0"],
    ]
    assert typed(course, "export", "small", "--format", "gradescope").exit_code == 0
    assert json.loads((course / "exports" / "small" / "bob.json").read_text(encoding="utf-8"))["score"] == 9
    assert "1 × sum for mean" in typed(course, "report", "small").output
    into = ["--into", str(course.parent / "downloaded.csv")]
    Path(into[1]).write_bytes(b'"Username","Small [Total Pts: 14 Score] |7"\r\n"bob",""\r\n"eve",""\r\n')
    filled = typed(course, "export", "small", *into)
    assert (
        filled.exit_code == 0 and "1 of 4 marks in " in filled.output and "ada: has a mark and no row" in filled.output
    )
    exported = course / "exports" / "small-blackboard.csv"
    assert exported.read_bytes() == Path(into[1]).read_bytes().replace(b'"bob",""', b'"bob","9.00"')
    again = typed(course, "export", "small", "--into", str(exported))
    assert again.exit_code == 1 and "would be replaced" in again.output
    # once more, and nobody is graded twice: the files are not even written again
    files = {path: path.stat().st_mtime_ns for path in (course / "results" / "small").glob("*.json")}
    assert typed(course, "grade", "small", handed_in, "--allow-root").exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in files} == files


def test_force_grades_anew_and_a_dry_run_stores_nothing(course: Path, sandbox: Sandbox) -> None:
    typed(course, "release", "small")
    handed_in = course.parent / "handed_in"
    (handed_in / "notes.pdf").write_bytes(b"%PDF-1.7")
    shown = typed(course, "grade", "small", str(handed_in), "--dry-run")
    assert shown.exit_code == 0 and "ada.ipynb → ada → readable, 7 of the lab's cells" in shown.output
    assert "cut.ipynb → cut → cannot be read: " in shown.output and "notes.pdf → notes → cannot be read" in shown.output
    kept = {path for path in course.rglob("*") if path.is_file()}
    assert not (course / "results").exists() and not (course / "private_seed").exists()
    (handed_in / "notes.pdf").unlink()
    assert typed(course, "grade", "small", str(handed_in), "--allow-root").exit_code == 0
    stamps = {path: path.stat().st_mtime_ns for path in course.rglob("*") if path.is_file() and path not in kept}
    judge = course / "judges" / "small.py"
    stricter = judge.read_text(encoding="utf-8").replace("(squared.sum(), 0.5", "(squared.sum(), 0.25")
    judge.write_text(stricter, encoding="utf-8")
    tried = typed(course, "grade", "small", str(handed_in), "--part", "mse", "--dry-run", "--allow-root")
    assert tried.exit_code == 0, tried.output
    assert "bob: test_mse: 0.5 of 2 (stored: 1), this is the sum" in tried.output
    assert "ada: test_mse: 2 of 2 (stored: 2)\n" in tried.output and "cut: not graded: " in tried.output
    assert "test_model" not in tried.output and "nothing was stored" in tried.output
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    results = [path for path in stamps if path.parent.name == "small" and path.parent.parent.name == "results"]
    typed(course, "grade", "small", str(handed_in), "--force", "--allow-root")
    assert len(results) == 4 and all(path.stat().st_mtime_ns != stamps[path] for path in results)
    assert (
        json.loads((course / "results" / "small" / "bob.json").read_text(encoding="utf-8"))["parts"][0]["points"] == 0.5
    )


def test_a_dask_cluster_of_two_workers_does_the_same(
    course: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_"):
        monkeypatch.setenv(name, "1")  # Dask sets these for its workers and leaves them set; this undoes it afterwards
    assert typed(course, "release", "small").exit_code == 0
    task = Task(course / "judges" / "small.py", course / "release" / "small" / "small.ipynb", 7)
    class_of_four = find(course.parent / "handed_in", "small")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        results = {
            result.student: result.points
            for result in grade_class(task, class_of_four, course / "results", 2, cluster.scheduler_address)
        }
    assert results == {"ada": sum(POINTS.values()), "bob": 9, "cut": 0, "dan": 0}


def test_root_has_to_say_so(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(course, "release", "small")
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    shown = typed(course, "grade", "small", str(course.parent / "handed_in"))
    assert shown.exit_code == 1 and "--allow-root" in shown.output and not (course / "results").exists()


def test_without_isolation_nothing_is_graded(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(course, "release", "small")

    def leaky(*_: Any, **__: Any) -> None:
        raise SandboxError("the sandbox leaks: from inside, a network of this machine was reached")

    monkeypatch.setattr(commands, "Sandbox", leaky)
    shown = typed(course, "grade", "small", str(course.parent / "handed_in"), "--allow-root")
    assert shown.exit_code == 1 and "the sandbox leaks" in shown.output and not (course / "results").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["release", "smal"], "there is no lab 'smal'; there are small"),
        (["grade", "small", "nowhere", "--allow-root"], "small has not been released; autoencoder-lab release small"),
        (["feedback", "small"], "nothing of small has been graded"),
        (["export", "small", "--partial"], "go with --into DOWNLOADED.csv"),
        (["export", "small", "--into", "nowhere.csv"], "nothing of small is in the gradebook"),
        (["export", "small", "--format", "pdf"], "--format is csv or gradescope, got 'pdf'"),
        (["grade", "small", "nowhere", "--part", "mse"], "--part goes with --dry-run"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(course: Path, words: list[str], said: str) -> None:
    shown = typed(course, *words)
    assert shown.exit_code == 1 and said in shown.output and "Traceback" not in shown.output
