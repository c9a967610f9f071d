"""What is odd in one submission stops nothing for the others: it is a row, and a person is told."""

import json
import os
from pathlib import Path

import pytest

from autoencoder_lab.files import write_whole
from autoencoder_lab.grading.grade import Paper, PartResult, Result, read_paper
from autoencoder_lab.grading.names import is_id, student_of
from autoencoder_lab.grading.sandbox import Sandbox
from autoencoder_lab.grading.submission import Submission, collect
from autoencoder_lab.grading.whole_class import Task, grade_class, read_result, write_result
from grading.small_lab import POINTS, RIGHT, cell, notebook
from grading.test_submission import notebook as tiny

JUDGE = Path(__file__).parent / "small_lab" / "judge.py"


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\ud83d" + "\ude00", "\0\x1b[31m", "\u202enames\u2066"])
def test_no_text_of_a_submission_stops_a_file(tmp_path: Path, text: str) -> None:
    part = PartResult("test_mse", 1, 2, text, text, text)
    cells = [{"kind": "code", "source": text.replace("\0", ""), "grade_id": ""}]
    result = Result("ann", "key", [part], text, cells=cells, flags=[text, "line\nline"])
    write_result(result, tmp_path)
    assert read_result(tmp_path / "ann.json") == result and result.flags[1] == "line\nline"
    kept = (result.reason, result.parts[0].said, result.parts[0].stated, result.parts[0].mistake, result.flags[0])
    assert all("\N{REPLACEMENT CHARACTER}" in one and one.isprintable() for one in kept)
    write_whole(tmp_path / "notes.json", json.dumps([text], ensure_ascii=False))
    assert json.loads((tmp_path / "notes.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "name", ["con." + "ж" * 76, "AUX." + "語" * 70, "lpt1." + "😀b" * 40, "nul", "com1." + "x" * 80]
)
def test_a_device_with_a_long_name_is_an_id(name: str) -> None:
    student = student_of(f"{name}.ipynb", "tiny")
    assert is_id(student) and student.startswith("student_")
    assert student != student_of(f"{name}z.ipynb", "tiny")


def test_a_name_that_is_no_text_is_a_row_and_a_note(tmp_path: Path) -> None:
    for name in (b"ann.ipynb", b"caf\xe9.ipynb", b"caf\xe9.pdf", b"caf\xff.txt"):
        (tmp_path / os.fsdecode(name)).write_bytes(tiny("x"))
    found, notes = collect(tmp_path, "tiny")
    assert all(is_id(one.student) for one in found)
    json.dumps(notes, ensure_ascii=False).encode()
    assert all(note.isprintable() for note in notes)


def test_only_manifest_csv_is_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "ann.ipynb").write_bytes(tiny("x"))
    (tmp_path / "MANIFEST.csv").write_text("file,student\nann.ipynb,eve\n", encoding="utf-8")
    found, notes = collect(tmp_path, "tiny")
    assert [one.student for one in found] == ["MANIFEST", "ann"]
    assert notes == ["MANIFEST.csv was taken for a student's; a manifest is called manifest.csv, in small letters"]


def test_what_a_disk_thinks_of_is_a_reason() -> None:
    def broken() -> bytes:
        raise RecursionError("words")

    assert read_paper(Submission("ann", "ann", broken)) == Paper("ann", b"", "the file cannot be read (RecursionError)")


HOOKED = """import builtins, os
_before = builtins.__import__
def _hooked(name, *rest, **named):
    if name == "torch":
        os._exit(1)
    return _before(name, *rest, **named)
builtins.__import__ = _hooked"""


def test_an_own_cell_that_ends_a_given_one_is_left_out(tmp_path: Path, sandbox: Sandbox) -> None:
    release = tmp_path / "small.ipynb"
    release.write_bytes(notebook())
    folder = tmp_path / "in"
    folder.mkdir()
    content = json.loads(notebook(RIGHT))
    content["cells"].insert(0, cell(HOOKED, ""))
    (folder / "ann.ipynb").write_text(json.dumps(content), encoding="utf-8")
    (folder / "bob.ipynb").write_bytes(notebook(RIGHT | {"mse": HOOKED}))  # an answer that does so: nothing runs after
    (folder / "cy.ipynb").write_bytes(notebook(RIGHT))
    done = {one.student: one for one in grade_class(Task(JUDGE, release, 7), find_in(folder), tmp_path / "results")}
    assert done["ann"].points == done["cy"].points >= POINTS["test_mse"] + POINTS["test_centred"]
    assert any("one of their own, ended the process and was left out" in flag for flag in done["ann"].flags)
    assert not done["bob"].reason and done["bob"].points < done["cy"].points


def find_in(folder: Path) -> list[Submission]:
    return collect(folder, "small")[0]


JUDGES = """
from autoencoder_lab.grading.judge import Judge, Mark, Part

class Odd(BaseException):
    pass

def judge(given, inputs):
    if given["student"].item() == "bad":
        raise Mark  # TypeError
    return Mark(given["student"].item() == "worse" and Broken() or 1.0)

class Broken:
    def __float__(self):
        raise OSError("no space")

PROBE = '''
def probe(names):
    import numpy as np
    return {"student": np.array(names["student"])}
'''
JUDGE = Judge(parts=[Part("test_mse", 2, ["mse"], PROBE, judge, lambda generator: {})])
"""


def test_whatever_grading_stops_with_is_a_row(tmp_path: Path, sandbox: Sandbox) -> None:
    folder, judge, release = tmp_path / "in", tmp_path / "small.py", tmp_path / "small.ipynb"
    folder.mkdir()
    judge.write_text(JUDGES)
    release.write_bytes(notebook())
    for student in ("ann", "bad", "worse", "zoe"):
        (folder / f"{student}.ipynb").write_bytes(notebook(RIGHT | {"mse": f"student = {student!r}"}))
    done = {one.student: one for one in grade_class(Task(judge, release, 7), find_in(folder), tmp_path / "results")}
    assert {name: one.points for name, one in done.items()} == {"ann": 2, "bad": 0, "worse": 0, "zoe": 2}
    assert "could not be graded: grading it stopped with" in done["worse"].reason and done["worse"].flags
    assert done["worse"].key == "" and done["worse"].parts[0].mistake.startswith("judge:")


@pytest.mark.parametrize("command", ["release", "grade", "feedback", "export", "report"])
def test_every_command_of_the_instructors_takes_a_gradebook(command: str) -> None:
    import typer

    from autoencoder_lab.commands.cli import app

    group = typer.main.get_command(app)
    options = {name for one in group.commands[command].params for name in one.opts}  # type: ignore[attr-defined]
    assert {"--db", "--course"} <= options
