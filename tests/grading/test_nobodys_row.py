"""Nobody's file touches another's row: a class marked by hand, one of whom hands in files that claim to be others'."""

import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

pytest.importorskip("nbgrader", reason="the gradebook is nbgrader's: pip install 'autoencoder_lab[grading]'")

from autoencoder_lab.grading import feedback, whole_class
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.grade import Paper, PartResult, Result
from autoencoder_lab.grading.gradebook import record
from autoencoder_lab.grading.notebook_file import cells_of
from autoencoder_lab.grading.submission import Unreadable, collect
from autoencoder_lab.grading.whole_class import KEPT, Task, grade_class, read_result
from grading.test_course import book, course, empty_book, grades, marked_by_hand
from grading.untouched import kept, untouched

__all__ = ["course", "empty_book"]  # fixtures
pytestmark = pytest.mark.slow
OTHERS = ("ada", "bob", "zoë", "jane_doe_17")


def marked(handed_in: Paper, *_: object) -> Result:
    """In place of the sandbox: two points for whoever says so, else none; and what they wrote."""
    key = whole_class.key_of(handed_in)  # type: ignore[call-arg]
    try:
        if handed_in.reason:
            raise Unreadable(handed_in.reason)
        cells = cells_of(handed_in.content)
    except Unreadable as error:
        return Result(handed_in.student, key, [PartResult("test_mse", 0, 2)], str(error), 0.0, handed_in.timestamp)
    rows = [{"kind": cell.kind, "source": cell.source, "grade_id": cell.grade_id} for cell in cells]
    part = PartResult("test_mse", 2.0 * any("right" in cell.source for cell in cells), 2)
    return Result(
        handed_in.student, key, [part], "", 0.0, handed_in.timestamp, rows, file=whole_class.file_of(handed_in)
    )


def notebook(course: Course, answer: str, words: str = "My answer.") -> bytes:
    content = json.loads(course.release("small").read_text(encoding="utf-8"))
    for cell in content["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        cell["source"] = {"mse": answer, "words": words}.get(name, cell["source"])
    return json.dumps(content).encode()


def grade(course: Course, monkeypatch: pytest.MonkeyPatch, **options: bool) -> list[str]:
    """As `autoencoder-lab grade` and `feedback` do it, but for the sandbox."""

    class Here:  # a future of a process that is this one
        def __init__(self, function: Callable[..., Result], *given: object) -> None:
            self.given = given

        def result(self) -> Result:
            return marked(*self.given[1:])  # type: ignore[arg-type]

    @contextmanager
    def pool(*_: object) -> Iterator[type[Here]]:
        yield Here

    monkeypatch.setattr(whole_class, "pool", pool)
    monkeypatch.setattr(whole_class, "as_completed", iter)
    monkeypatch.setattr(whole_class, "key_of", lambda handed_in, *_: str(hash(handed_in)))
    found, notes = collect(course.root / "handed_in", "small")
    monkeypatch.setattr(whole_class, "load_judge", lambda *_: SimpleNamespace(version=""))
    task = Task(course.judge("small"), course.release("small"), 7)
    results = list(grade_class(task, found, course.results("small"), **options))
    notes += record(results, course, "small")
    feedback.write_feedback(results, course, "small")
    return notes


@pytest.fixture
def a_class(course: Course, monkeypatch: pytest.MonkeyPatch) -> Course:
    """Four students and mallory, graded, and marked by a person."""
    folder = course.root / "handed_in"
    folder.mkdir()
    for student in OTHERS:
        (folder / f"{student}.ipynb").write_bytes(notebook(course, "# right", f"I am {student}."))
    (folder / "mallory.ipynb").write_bytes(notebook(course, "# wrong"))
    grade(course, monkeypatch)
    marked_by_hand(course, words=3.5)
    for rows in grades(course, "bob"):
        rows["words"].extra_credit, rows["paper"].flagged = 1.0, True
    results = [one for path in course.results("small").glob("*.json") if (one := read_result(path))]
    feedback.write_feedback(results, course, "small")
    return course


def a_zip(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for name, target in (links or {}).items():
            link = zipfile.ZipInfo(name)
            link.external_attr = 0o120777 << 16
            archive.writestr(link, target)
    return packed.getvalue()


def a_tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


THEIRS = [f"{student}.ipynb" for student in OTHERS]
ATTACKS: dict[str, Callable[[bytes], dict[str, bytes]]] = {
    "a zip of the others' names": lambda mine: {"mallory.zip": a_zip(dict.fromkeys(THEIRS, mine))},
    "a zip of the others' folders": lambda mine: {
        "mallory.zip": a_zip({f"{student}/small.ipynb": mine for student in (*OTHERS, "nobody")})
    },
    "a zip with ways out": lambda mine: {
        "mallory.zip": a_zip({"../ada.ipynb": mine, "/bob.ipynb": mine, "..\\\\zoë.ipynb": mine, "small.ipynb": mine})
    },
    "a zip with a manifest": lambda mine: {
        "mallory.zip": a_zip({"small.ipynb": mine, "manifest.csv": b"file,student\nsmall.ipynb,ada\nmallory.zip,bob\n"})
    },
    "a zip of Canvas's names": lambda mine: {
        "mallory.zip": a_zip({"janedoe_17_18_small.ipynb": mine, "jane_doe_17_5_6_small.ipynb": mine})
    },
    "a zip of Moodle's names": lambda mine: {
        "mallory.zip": a_zip({f"{name}_3_assignsubmission_file_/small.ipynb": mine for name in ("ada", "bob")})
    },
    "a zip of two thousand": lambda mine: {"mallory.zip": a_zip({f"s{i}/small.ipynb": mine for i in range(2_000)})},
    "a zip in a zip": lambda mine: {"mallory.zip": a_zip({"ada.zip": a_zip({"bob/small.ipynb": mine})})},
    "a zip with links": lambda mine: {"mallory.zip": a_zip({"x.txt": b""}, {"small.ipynb": "../ada.ipynb"})},
    "a tar": lambda mine: {"mallory.tar.gz": a_tar({"../ada.ipynb": mine, "small.ipynb": mine})},
    "a notebook that says who it is": lambda mine: {
        "mallory.ipynb": mine.replace(b'"nbformat":', b'"student": "ada", "student_id": "ada", "nbformat":', 1)
    },
    "a folder of the others' names": lambda mine: {f"mallory/{student}/small.ipynb": mine for student in OTHERS},
    "nothing at all": lambda mine: {},
}


@pytest.mark.parametrize("name", ATTACKS)
def test_nobodys_file_touches_another_row(a_class: Course, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    folder = a_class.root / "handed_in"
    (folder / "mallory.ipynb").unlink()
    for file, content in ATTACKS[name](notebook(a_class, "# right")).items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    with untouched(a_class.root, but={"mallory"}):
        grade(a_class, monkeypatch)
    with untouched(a_class.root, but=set()):  # and once more, the same, changes nothing at all
        grade(a_class, monkeypatch)


@pytest.mark.parametrize("kind", ["link", "folder link", "pipe"])
def test_a_link_that_was_swapped_in_reads_nobodys_file(
    a_class: Course, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    folder = a_class.root / "handed_in"
    (folder / "mallory.ipynb").unlink()
    if kind == "link":
        (folder / "mallory.ipynb").symlink_to(folder / "ada.ipynb")
    elif kind == "folder link":
        (folder / "mallory").mkdir()
        (folder / "mallory" / "small").symlink_to(folder)
    else:
        os.mkfifo(folder / "mallory.ipynb")
    with untouched(a_class.root, but={"mallory"}):
        grade(a_class, monkeypatch)
    assert "I am ada" not in repr(kept(a_class.root)["mallory"])


@pytest.mark.parametrize("name", ["ADA.ipynb", "ada.zip", "ada/small.ipynb", "a\u0301da.ipynb"])
def test_a_second_file_of_ones_own_name_takes_no_mark_away(
    a_class: Course, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whoever put it there: what was graded stays, and a person is told."""
    file = a_class.root / "handed_in" / name
    file.parent.mkdir(exist_ok=True)
    mine = notebook(a_class, "# wrong", "I am mallory.")
    file.write_bytes(a_zip({"small.ipynb": mine}) if name.endswith(".zip") else mine)
    before = kept(a_class.root)["ada"]["grade"]
    notes = grade(a_class, monkeypatch)
    assert kept(a_class.root)["ada"]["grade"] == before
    if name[0] in "aA" and name[1] in "dD":
        assert any("ada" in note and KEPT in note for note in notes)
        for rows in grades(a_class):
            assert rows["paper"].flagged


def test_the_measure_can_fail(a_class: Course) -> None:
    for change in (
        lambda: marked_by_hand(a_class, words=1.0),
        lambda: (a_class.results("small") / "new.json").write_text("{}", encoding="utf-8"),
        lambda: a_class.feedback("small", "bob").write_text("", encoding="utf-8"),
    ):
        with pytest.raises(AssertionError), untouched(a_class.root, but={"mallory"}):
            change()


# --- handed in again -------------------------------------------------------------------------------------------------


def test_what_cannot_be_read_takes_no_mark_away(a_class: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    file = a_class.root / "handed_in" / "ada.ipynb"
    whole, before = file.read_bytes(), kept(a_class.root)["ada"]["grade"]
    file.write_bytes(whole[:-20])
    (note,) = [note for note in grade(a_class, monkeypatch) if note.startswith("ada")]
    assert KEPT in note and "cannot be read" in note and kept(a_class.root)["ada"]["grade"] == before
    file.write_bytes(whole)
    assert not [note for note in grade(a_class, monkeypatch) if note.startswith("ada")]
    file.write_bytes(whole[:-20])
    grade(a_class, monkeypatch, force=True)
    assert read_result(a_class.results("small") / "ada.json").reason  # type: ignore[union-attr]


def test_the_old_folder_again_puts_no_first_version_back(a_class: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    file = a_class.root / "handed_in" / "mallory.ipynb"
    first = file.read_bytes()
    file.write_bytes(notebook(a_class, "# right"))
    grade(a_class, monkeypatch)
    file.write_bytes(first)
    (note,) = [note for note in grade(a_class, monkeypatch) if note.startswith("mallory")]
    stored = read_result(a_class.results("small") / "mallory.json")
    assert stored and stored.points == 2 and "an earlier one" in note
    grade(a_class, monkeypatch, force=True)
    stored = read_result(a_class.results("small") / "mallory.json")
    assert stored and stored.points == 0 and stored.flags == []


def test_an_older_file_is_told_by_its_time(a_class: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = a_class.root / "handed_in"
    rows = "file,student,timestamp\nmallory.ipynb,mallory,2026-11-0{}T12:00\n"
    for day, answer, points in (("3", "# right", 2), ("2", "# wrong", 2), ("4", "# wrong", 0)):
        (folder / "manifest.csv").write_text(rows.format(day), encoding="utf-8")
        (folder / "mallory.ipynb").write_bytes(notebook(a_class, answer))
        grade(a_class, monkeypatch)
        stored = read_result(a_class.results("small") / "mallory.json")
        assert stored and stored.points == points, day
    assert book(a_class)


def test_a_corrected_time_counts_and_one_taken_away_is_gone(a_class: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = a_class.root / "handed_in" / "manifest.csv"
    clock = a_class.root / "submitted" / "mallory" / "small" / "timestamp.txt"
    for when in ("2026-11-05T12:00", "2026-11-03T12:00", "2026-11-04T12:00", "", "2026-11-02T12:00"):
        manifest.write_text(f"file,student,timestamp\nmallory.ipynb,mallory,{when}\n", encoding="utf-8")
        notes = grade(a_class, monkeypatch)
        stored = read_result(a_class.results("small") / "mallory.json")
        assert stored and stored.timestamp[:16] == when and not any(KEPT in note for note in notes)
        (row,) = [row for row in book(a_class)["submitted_assignment"] if "mallory" in row]
        assert (when.replace("T", " ") in repr(row) if when else "2026" not in repr(row)) and clock.exists() == bool(
            when
        )
