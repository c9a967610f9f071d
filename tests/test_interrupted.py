"""Interrupted, killed, full: a table of fault × command. Each cell says what stands there afterwards, and that running
the command again ends well: nothing half-written is taken for whole, and nothing a user made is lost.
"""

import contextlib
import functools
import gzip
import hashlib
import json
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from faults import Command, Suffered, suffer

import autoencoder_lab as lab

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "tests" / "fixtures" / "00_example.py"
Files = dict[str, bytes]
SENTENCES = {  # of a full disk: what each command says, and what to do
    "fit": "The training goes on, and tries again after the next epoch. Free some space",
    "to_html": "Free some space and do it again",
    "open": "choose another folder with --dir",
    "build": "Free some space and do it again",
    "download": "free some space, or set AUTOENCODER_LAB_DATA to a folder elsewhere",
    "grade": "Free some space",
}


def contents(folder: Path) -> Files:
    """What a user sees there: no hidden files but the course's own list."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (path.name[0] != "." or path.name == ".course.json")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts[:-1])
    }


# --- fit, with a checkpoint ----------------------------------------------------------------------------------------


@functools.cache
def digits() -> lab.ImageData:
    data = lab.load("digits")
    return lab.ImageData("tiny", data.train[:200], data.val[:60], data.test[:60])


def trained(folder: Path, callbacks: Any = ()) -> Any:
    model = lab.DenseAutoencoder(4, (1, 8, 8), hidden=(128,))
    settings = {"epochs": 3, "batch_size": 50, "progress": False, "callbacks": callbacks}
    return model, lab.fit(model, digits(), checkpoint=folder / "run.pt", **settings)


def first_epoch(folder: Path) -> None:
    trained(folder, [lambda model, history: True])


def check_fit(now: Files, folder: Path, done: bool) -> None:
    """A checkpoint of the first epoch at least; after the second run, the curve of an undisturbed one."""
    assert set(now) == {"run.pt"}
    saved = torch.load(folder / "run.pt", weights_only=True)
    assert saved["done"] in ((12,) if done else (4, 8, 12))
    assert all(bool(value.isfinite().all()) for value in saved["model"].values())
    if done:
        model, history = undisturbed_training()
        assert saved["history"]["train"] == history.train
        assert all(torch.equal(value, model.state_dict()[name]) for name, value in saved["model"].items())


@functools.cache
def undisturbed_training() -> Any:
    model, threads = lab.DenseAutoencoder(4, (1, 8, 8), hidden=(128,)), torch.get_num_threads()
    torch.set_num_threads(1)  # as the processes have it that are struck
    try:
        return model, lab.fit(model, digits(), epochs=3, batch_size=50, progress=False)
    finally:
        torch.set_num_threads(threads)


FIT = Command(first_epoch, lambda folder: print(trained(folder)[1].step))


# --- to_html -------------------------------------------------------------------------------------------------------


def explored(folder: Path, seed: int) -> None:
    model = lab.DenseAutoencoder(2, (1, 8, 8), hidden=(16,))
    lab.fit(model, digits(), epochs=1, batch_size=50, seed=seed, progress=False)
    lab.explore(model, digits().test[:20]).to_html(folder / "page.html")


def check_page(now: Files, folder: Path, done: bool) -> None:
    """One page, whole: the earlier one or the new one."""
    assert set(now) == {"page.html"}
    page = now["page.html"]
    assert page.startswith(b"<!") and page.rstrip().endswith(b"</html>") and len(page) > 50_000


TO_HTML = Command(lambda folder: explored(folder, 0), lambda folder: explored(folder, 1))


# --- open ----------------------------------------------------------------------------------------------------------


def edition(number: int) -> dict[str, str]:
    return {f"0{i}_notebook.ipynb": json.dumps({"cells": [], "edition": number, "text": "é" * 9000}) for i in range(4)}


def lay(folder: Path, number: int) -> None:
    source = folder / "source"
    source.mkdir(exist_ok=True)
    for name, text in edition(number).items():
        (source / name).write_text(text, encoding="utf-8")


def opened_once(folder: Path) -> None:
    from autoencoder_lab.commands.student_copy import lay_out

    lay(folder, 1)
    lay_out(folder / "mine", folder / "source")
    (folder / "mine" / "00_notebook.ipynb").write_text("my answers", encoding="utf-8")
    (folder / "mine" / "03_notebook.ipynb").unlink()
    lay(folder, 2)


def open_again(folder: Path) -> None:
    from autoencoder_lab.commands import cli, student_copy

    student_copy.course_folder = lambda: folder / "source"
    cli.start_jupyterlab = lambda *given: None
    cli.app(["open", "--dir", str(folder / "mine")], prog_name="autoencoder-lab")


def check_copy(now: Files, folder: Path, done: bool) -> None:
    """The student's own answers, and of every other notebook one edition, whole."""
    mine = {name.removeprefix("mine/"): content for name, content in now.items() if name.startswith("mine/")}
    labs = {name: json.loads(mine.pop(name)) for name in list(mine) if name.startswith("labs/")}  # each of them whole
    assert mine.pop("00_notebook.ipynb") == b"my answers"
    laid = {name for name in json.loads(mine.pop(".course.json")) if name not in labs}
    assert laid == set(edition(1))
    offered = {name for name in mine if ".new" in name}
    assert offered <= {"00_notebook.new.ipynb"} and (offered or not done)
    editions = {name: json.loads(content)["edition"] for name, content in mine.items()}
    if done:
        assert set(editions) == {*list(edition(1))[1:], *offered} and set(editions.values()) == {2}


OPEN = Command(opened_once, open_again)


# --- the notebook builder -------------------------------------------------------------------------------------------


def built(folder: Path, answer: str) -> None:
    from notebooks import build

    source, target = folder / EXAMPLE.name, folder / EXAMPLE.with_suffix(".ipynb").name
    source.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8") if not source.exists() else None

    def pretend_to_run(notebook: Any, directory: Path) -> list[float]:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text=f"{answer}\n")], 1
        return [0.0] * len(notebook.cells)

    build.execute, build.step_seconds, build.library_hash = pretend_to_run, lambda: 0.01, lambda source: answer
    build.notebook_sources, build.built_path = lambda root: [source], lambda path: target
    build.output_problems = lambda notebook: []
    if code := build.main([]):
        raise SystemExit(code)


def check_notebook(now: Files, folder: Path, done: bool) -> None:
    """One notebook, valid, all of it from one run."""
    assert set(now) == {"00_example.py", "00_example.ipynb"}
    notebook = nbformat.reads(now["00_example.ipynb"].decode(), as_version=4)
    nbformat.validate(notebook)
    said = {output.text for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs}
    assert said == {"new\n"} if done else said in ({"old\n"}, {"new\n"})


BUILD = Command(lambda folder: built(folder, "old"), lambda folder: built(folder, "new"))


# --- downloads -------------------------------------------------------------------------------------------------------


def idx(count: int) -> Files:
    """Four files in MNIST's format, of `count` images each and pixels made by chance, which do not pack."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 784), dtype=np.uint8)
    images = gzip.compress(np.array([2051, count, 28, 28], ">i4").tobytes() + pixels.tobytes(), mtime=0)
    labels = (np.arange(count) % 10).astype(np.uint8).tobytes()
    labels = gzip.compress(np.array([2049, count], ">i4").tobytes() + labels, mtime=0)
    return {
        f"{prefix}-{what}-ubyte.gz": content
        for prefix in ("train", "t10k")
        for what, content in (("images-idx3", images), ("labels-idx1", labels))
    }


SERVED = idx(120)


def downloaded(folder: Path) -> None:
    from autoencoder_lab.data import datasets, downloads

    def download(url: str, path: Path) -> None:
        with path.open("wb") as file:
            file.write(SERVED[path.name])

    remote = tuple(
        downloads.RemoteFile(name, (f"http://a/{name}", f"http://b/{name}"), hashlib.md5(content).hexdigest())
        for name, content in SERVED.items()
    )
    downloads.download, downloads.cache_folder = download, lambda: folder
    datasets.cache_folder, datasets.published_files = lambda: folder, lambda name: remote
    data = lab.load("kmnist", refetch=True)
    assert len(data.test) == 120


def half_a_cache(folder: Path) -> None:
    raw = folder / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    whole, damaged = list(SERVED)[:2]
    (raw / whole).write_bytes(SERVED[whole])
    (raw / damaged).write_bytes(b"damaged long ago")


def check_cache(now: Files, folder: Path, done: bool) -> None:
    """What was whole is; what is new is whole; what was damaged may still be, and is known to be."""
    found = {Path(name).name: content for name, content in now.items()}
    whole, damaged = list(SERVED)[:2]
    assert found[whole] == SERVED[whole]
    if found[damaged] == b"damaged long ago":
        assert not done
        del found[damaged]
    assert all(SERVED[name] == content for name, content in found.items())
    assert not done or found == SERVED


DOWNLOAD = Command(half_a_cache, downloaded)


# --- grade -----------------------------------------------------------------------------------------------------------


def typed(*words: str) -> None:
    from autoencoder_lab.commands import cli

    cli.app(list(words), prog_name="autoencoder-lab", standalone_mode=words[0] == "grade")


def graded(folder: Path, points: float, submissions: Path) -> None:
    """The command as it is typed, but for the sandbox: everybody gets so many points a part."""
    from autoencoder_lab.commands import grading
    from autoencoder_lab.grading import whole_class
    from autoencoder_lab.grading.grade import PartResult, Result, file_of, key_of
    from autoencoder_lab.grading.judge import load_judge
    from autoencoder_lab.grading.notebook_file import cells_of

    def in_flight(submit: Any, task: Any, waiting: Any, *rest: Any) -> Any:
        judge, frame = load_judge(task.judge, task.version), cells_of(task.release.read_bytes())
        for submission in waiting:
            paper = whole_class.read_paper(submission)
            parts = [PartResult(part.grade_id, points, part.points, "") for part in judge.parts]
            key = key_of(paper, judge, frame, task.seed)
            yield Result(paper.student, key, parts, file=file_of(paper), timestamp=paper.timestamp)

    whole_class._in_flight, grading._prove = in_flight, lambda *given: None
    typed("grade", "small", str(submissions), "--course", str(folder / "course"), "--allow-root")


def half_a_class(folder: Path) -> None:
    """A lab, three who handed in, one graded, and points that a person gave her."""
    import shutil

    from grading.small_lab import RIGHT, notebook
    from grading.test_commands import SMALL, TEXT

    from autoencoder_lab.grading.folders import Course
    from autoencoder_lab.grading.totals import opened

    root, handed_in, first = folder / "course", folder / "handed_in", folder / "first"
    for place in (root / "source" / "small", root / "judges", handed_in, first):
        place.mkdir(parents=True)
    (root / "source" / "small" / "small.py").write_text(TEXT, encoding="utf-8")
    shutil.copy(SMALL / "judge.py", root / "judges" / "small.py")
    for name in ("ada", "bob", "eve"):
        (handed_in / f"{name}.ipynb").write_bytes(notebook(RIGHT))
    (first / "ada.ipynb").write_bytes(notebook(RIGHT))
    typed("release", "small", "--course", str(root))
    with contextlib.suppress(SystemExit):
        graded(folder, 1, first)
    with opened(Course(root)) as gradebook:
        (paper,) = gradebook.find_submission("small", "ada").notebooks
        (words,) = [grade for grade in paper.grades if grade.name == "words"]
        words.manual_score, words.needs_manual_grade = 3.5, False
        gradebook.db.commit()


def check_course(now: Files, folder: Path, done: bool) -> None:
    """What a person gave is there; results and notebooks are whole; in the end everybody has their points."""
    for name, content in now.items():
        if name.endswith((".json", ".ipynb")):
            json.loads(content)
    with closing(sqlite3.connect(folder / "course" / "gradebook.db")) as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        assert [row[0] for row in database.execute("select manual_score from grade where manual_score > 0")] == [3.5]
        students = {row[0] for row in database.execute("select id from student")}
        automatic = database.execute("select sum(auto_score) from grade where auto_score > 0").fetchone()[0]
    assert "ada" in students <= {"ada", "bob", "eve"}
    if done:
        assert students == {"ada", "bob", "eve"} and automatic == 3 + 2 * 3 * 2
        assert {f"course/results/small/{name}.json" for name in students} <= set(now)
        assert {f"course/autograded/{name}/small/small.ipynb" for name in students} <= set(now)


GRADE = Command(half_a_class, lambda folder: graded(folder, 2, folder / "handed_in"))


# --- the table -------------------------------------------------------------------------------------------------------

Check = Callable[[Files, Path, bool], None]
TABLE: dict[str, tuple[str, Check]] = {
    "fit": ("FIT", check_fit),
    "to_html": ("TO_HTML", check_page),
    "open": ("OPEN", check_copy),
    "build": ("BUILD", check_notebook),
    "download": ("DOWNLOAD", check_cache),
    "grade": ("GRADE", check_course),
}
ROWS = [pytest.param(name, marks=pytest.mark.slow) if name == "grade" else name for name in TABLE]
MODULE = Path(__file__).stem
forked = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are forked")


def struck(name: str, folder: Path, fault: str, at: int) -> Suffered:
    """One command under one fault, and what must hold then; then it runs again, and all must be well."""
    place, out = folder / "place", folder / "out"
    variable, check = TABLE[name]
    command = MODULE, variable
    if name == "grade":
        pytest.importorskip("nbgrader", reason="grading needs it: pip install 'autoencoder_lab[grading]'")
    place.mkdir(parents=True)
    if fault != "full":
        laid = suffer(command, place, folder / "before", step="before")
        assert laid.code == 0, laid.said
    suffered = suffer(command, place, out, fault, at)
    if (out / "after").exists():
        for state, done in (("after", False), ("again", True)):
            check(contents(out / state), out / state, done)
        assert json.loads((out / "ended").read_text(encoding="utf-8"))[1] == 0, suffered.said
        return suffered
    check(contents(place), place, False)
    again = suffer(command, place, folder / "again")
    assert again.code == 0, again.said
    check(contents(place), place, True)
    return suffered


def check_ending(name: str, fault: str, suffered: Suffered) -> None:
    """A kill says nothing, Ctrl-C ends what can go on later, and of a full disk a sentence says what to do."""
    code, said, _ = suffered
    if fault == "killed":
        assert code == -signal.SIGKILL
    elif fault == "interrupted":
        assert (code == 0) == (name == "fit"), said  # which returns the history so far
        assert "Traceback" not in said or name in ("to_html", "download")
    else:
        assert SENTENCES[name] in said, said
        assert "Traceback" not in said or name in ("to_html", "download")
        assert len(said.splitlines()) < 40, said


@forked
@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize(("fault", "at"), [("interrupted", 3), ("killed", 3), ("full", 4096)])
def test_a_command_that_is_struck_leaves_what_was_there_and_runs_again(
    name: str, fault: str, at: int, tmp_path: Path
) -> None:
    check_ending(name, fault, struck(name, tmp_path, fault, at))


@forked
@pytest.mark.long
@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("fault", ["interrupted", "killed", "full"])
def test_wherever_it_is_struck(name: str, fault: str, tmp_path: Path) -> None:
    """Before each change of a file; or with each of these sizes left on the disk."""
    if fault == "full":
        for room in (0, 1 << 14, 1 << 16, 3 << 16, 5 << 16):
            suffered = struck(name, tmp_path / str(room), fault, room)
            if suffered.code or SENTENCES[name] in suffered.said:
                check_ending(name, fault, suffered)
        return
    at, apart = 1, 5 if name == "grade" else 1  # grading takes seconds each time
    while True:
        suffered = struck(name, tmp_path / str(at), fault, at)
        if suffered.changes < at:  # it had ended before
            break
        check_ending(name, fault, suffered)
        at += apart
    assert at > 3
