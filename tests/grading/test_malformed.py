"""Files that are no notebooks, made by rule and by chance: each is a row with its reason, or a grade; none stops a run.

A run is what grade_class does with a folder but for the sandbox: find, read, take apart, write the result.
"""

import json
import os
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoencoder_lab.grading.assembling import assembled
from autoencoder_lab.grading.containers import MOST_MEMBERS
from autoencoder_lab.grading.grade import Paper, PartResult, Result, read_paper
from autoencoder_lab.grading.notebook_file import cells_of
from autoencoder_lab.grading.submission import Unreadable, find, is_id, student_of
from autoencoder_lab.grading.whole_class import read_result, write_result
from grading.small_lab import RIGHT, STUBS, notebook

pytestmark = pytest.mark.slow
LAB = "small_lab"
FRAME = cells_of(notebook())
quickly = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None)


def run(folder: Path, results: Path) -> dict[str, str]:
    """{student: "" or the reason} of all submissions there, each with its result written and read again."""
    rows = {}
    for submission in find(folder, LAB):
        result = row(read_paper(submission))
        write_result(result, results)
        assert read_result(results / f"{submission.student}.json") == result
        rows[submission.student] = result.reason
    assert {file.name for file in results.iterdir()} == {f"{student}.json" for student in rows}
    return rows


def row(handed_in: Paper) -> Result:
    """As `grade` makes it, where no code is run."""
    try:
        if handed_in.reason:
            raise Unreadable(handed_in.reason)
        cells = assembled(cells_of(handed_in.content), FRAME)
    except Unreadable as error:
        assert 0 < len(str(error)) <= 300 and str(error).isprintable()
        return Result(handed_in.student, "", [PartResult("test_mse", 0.0, 2, f"not graded: {error}")], str(error))
    ours = {cell.grade_id: cell for cell in FRAME if cell.grade_id}
    theirs = {cell.grade_id: cell for cell in cells if cell.grade_id}
    assert theirs.keys() == ours.keys() and len(theirs) == sum(bool(cell.grade_id) for cell in cells)
    assert all(theirs[name] == ours[name] for name in ours if ours[name].use != "answer")
    kept = [{"kind": cell.kind, "source": cell.source, "grade_id": cell.grade_id} for cell in cells]
    return Result(handed_in.student, "", [], "", 0.0, handed_in.timestamp, kept)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one right submission, which has to be graded whatever lies beside it."""
    folder = tmp_path / "submissions"
    folder.mkdir()
    (folder / "honest.ipynb").write_bytes(notebook(RIGHT))
    return folder


def with_cells(cells: Any, **fields: Any) -> bytes:
    return json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}} | fields).encode()


CELL = {"cell_type": "code", "source": "a = 1", "metadata": {}, "outputs": []}
NONE = "none of the lab's cells"
FILES = {  # {name: (content, what the reason says; "" where it is graded)}
    "cut": (notebook(RIGHT)[:-1], "no JSON"),
    "nothing": (b"", "no JSON"),
    "spaces": (b" " * 1000, "no JSON"),
    "bom": (b"\xef\xbb\xbf" + notebook(RIGHT), ""),
    "utf-16": (notebook(RIGHT).decode().encode("utf-16"), "no UTF-8"),
    "latin-1": (notebook({"mse": "# é"}).replace(b"\\u00e9", b"\xe9"), "no UTF-8"),
    "zeros": (notebook(RIGHT) + b"\0" * 100, "no JSON"),
    "pdf": (b"%PDF-1.7 lab", "no JSON"),
    "deep": (b'{"cells": ' + b"[" * 200_000, "no JSON"),
    "deep-whole": (with_cells([]).replace(b"[]", b"[" * 50_000 + b"]" * 50_000), "no JSON"),
    "long-number": (with_cells([], nbformat_minor=0).replace(b": 0", b": " + b"9" * 100_000), "no JSON"),
    "format-3": (with_cells([], nbformat=3, worksheets=[]), "nbformat must be 4, got 3"),
    "format-text": (with_cells([], nbformat="4" * 10_000), "nbformat must be 4"),
    "format-escapes": (with_cells([], nbformat="\ud800\x1b[2J\n"), "nbformat must be 4"),
    "no-cells": (b'{"nbformat": 4}', "no notebook with cells"),
    "cells-in-a-table": (with_cells({"0": CELL}), "no notebook with cells"),
    "empty": (with_cells([]), NONE),
    "ten-to-the-five": (with_cells([CELL] * 100_000), "100,000 cells"),
    "no-metadata": (with_cells([{"cell_type": "code", "source": "a"}]), NONE),
    "metadata-of-another-kind": (with_cells([CELL | {"metadata": {"nbgrader": [1]}}]), NONE),
    "id-of-another-kind": (
        with_cells([CELL | {"metadata": {"nbgrader": {"grade_id": ["mse"]}}}]),
        NONE,
    ),
    "repeated": (with_cells(json.loads(notebook(RIGHT))["cells"] * 5), ""),
    "another-order": (with_cells(json.loads(notebook(RIGHT))["cells"][::-1]), ""),
    "half-a-surrogate-pair": (with_cells([CELL | {"source": "a = '\ud800\0'"}]), NONE),
    "surrogate-for-an-id": (
        with_cells([CELL | {"metadata": {"nbgrader": {"grade_id": "\udfff"}}}]),
        NONE,
    ),
    "julia": (
        with_cells([CELL], metadata={"kernelspec": {"name": "julia-1.10", "language": "julia"}}),
        NONE,
    ),
    "r": (
        with_cells([CELL], metadata={"kernelspec": {"name": "ir"}, "language_info": {"name": "R"}}),
        NONE,
    ),
    "a-kernel-of-its-own": (
        with_cells([CELL], metadata={"kernelspec": {"argv": ["rm", "-rf", "/"]}}),
        NONE,
    ),
    "answers-that-are-text": (notebook(RIGHT).replace(b'"code"', b'"markdown"'), ""),
    "nan": (with_cells([CELL], metadata={"a": float("nan"), "b": float("-inf")}), NONE),
    "same-key-twice": (with_cells([]).replace(b"{", b'{"cells": 1, ', 1), NONE),
}


def test_every_file_is_a_row(folder: Path, results: Path) -> None:
    for name, (content, _) in FILES.items():
        (folder / f"{name}.ipynb").write_bytes(content)
    rows = run(folder, results)
    assert rows.pop("honest") == "" and rows.keys() == FILES.keys()
    wrong = {
        name: reason for name, reason in rows.items() if FILES[name][1] not in reason or (not FILES[name][1] and reason)
    }
    assert not wrong


def test_files_that_are_large_or_none(folder: Path, results: Path, tmp_path: Path) -> None:
    with (folder / "large.ipynb").open("wb") as file:
        file.truncate(200 << 20)  # 200 MB, none of them on the disk
    os.mkfifo(folder / "pipe.ipynb")
    os.mkfifo(folder / "tube.zip")
    (folder / "loop.ipynb").symlink_to("loop.ipynb")
    (folder / "nowhere.zip").symlink_to(tmp_path / "nowhere")
    (folder / "device.ipynb").symlink_to("/dev/zero")
    (folder / "deep").joinpath(*["d"] * 60).mkdir(parents=True)
    (folder / "named.ipynb").mkdir()
    (folder / "inside").mkdir()
    os.mkfifo(folder / "inside" / f"{LAB}.ipynb")
    (folder / "round").mkdir()
    (folder / "round" / "again").symlink_to(folder / "round")
    rows = run(folder, results)
    assert "64 MB" in rows.pop("large") and rows.pop("honest") == ""
    assert all("no ordinary file" in rows.pop(name) for name in ("pipe", "tube", "inside"))
    assert all("link" in rows.pop(name) for name in ("loop", "nowhere", "device"))
    assert all("no notebook" in rows.pop(name) for name in ("deep", "named", "round")) and not rows


@pytest.mark.skipif(os.name == "nt", reason="no such names on Windows")
def test_names_that_are_none(folder: Path, results: Path) -> None:
    names = [
        b"\xff\xfe.ipynb",
        b"a\nb\x1b[2J.ipynb",
        b"-rf.ipynb",
        b"$(id).ipynb",
        b"con.ipynb",
        b"LPT1.x.ipynb",
        b"..ipynb",
    ]
    names += [("é" * 120).encode() + b".ipynb", "\u202egpj.ipynb".encode(), b"Ann.ipynb", b"ann.ipynb", b"ANN.IPYNB"]
    for name in names:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(notebook(RIGHT))
    rows = run(folder, results)
    assert "three files are ANN's, ANN.IPYNB, Ann.ipynb and ann.ipynb" in rows.pop("ANN")
    assert sum(student.startswith("unnamed_") for student in rows) == 2 and set(rows.values()) == {""}
    assert {"honest", "rf", "id", "student_con", "student_LPT1.x", "gpj"} <= rows.keys()


def test_ids_are_names_of_files_everywhere() -> None:
    for name in ("con", "PRN.txt", "nul", "com1", "Lpt9.tar.gz", "aux."):
        assert is_id(student_of(name, LAB)) and not is_id(name.rstrip(".")), name
    long, longer = (student_of("\U00020000" * count, LAB) for count in (90, 91))
    assert long.startswith("\U00020000" * 40) and long != longer and is_id(long) and not is_id("\U00020000" * 51)
    assert student_of("conrad", LAB) == "conrad" and is_id("com10")


# --- archives --------------------------------------------------------------------------------------------------------


def archive_of(path: Path, *names: str, content: bytes | None = None, **settings: Any) -> None:
    with zipfile.ZipFile(path, "w", **settings) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), notebook(RIGHT) if content is None else content)


def test_names_in_an_archive_lead_nowhere(folder: Path, results: Path) -> None:
    archive_of(folder / "up.zip", f"../../honest/{LAB}.ipynb")
    archive_of(folder / "root.zip", f"/etc/{LAB}.ipynb")
    archive_of(folder / "windows.zip", f"C:\\temp\\{LAB}.ipynb")
    archive_of(folder / "no-name.zip", ".ipynb")
    all_of_them = ("../a.ipynb", "../b.ipynb", f"con/{LAB}.ipynb", f"eve/{LAB}.ipynb", f"Eve/{LAB}.ipynb")
    archive_of(folder.parent / "class.zip", *all_of_them)
    before = sorted(folder.parent.rglob("*"))
    rows = run(folder, results)
    assert rows.pop("honest") == "" and [p for p in sorted(folder.parent.rglob("*")) if p.parent != results] == before
    assert rows == {"up": "", "root": "", "windows": "", "no-name": ""}
    rows = {one.student: read_paper(one).reason for one in find(folder.parent / "class.zip", LAB)}
    assert rows.keys() == {"a", "b", "student_con", "eve"}
    assert "two files are eve's, eve and Eve" in rows.pop("eve") and set(rows.values()) == {""}


def test_archives_that_break_on_reading(folder: Path, results: Path) -> None:
    for name in ("bits", "size", "method", "locked", "bomb", "many", "inner", "short"):
        size = {"bomb": 60 << 20, "inner": 100}.get(name)
        content = None if size is None else b" " * size
        archive_of(folder / f"{name}.zip", f"{LAB}.ipynb", content=content, compression=zipfile.ZIP_DEFLATED)
    whole = (folder / "bits.zip").read_bytes()
    start = 30 + len(f"{LAB}.ipynb")  # of the content, after its header
    central = whole.index(b"PK\1\2")
    (folder / "bits.zip").write_bytes(whole[:start] + b"\xff" * 20 + whole[start + 20 :])
    (folder / "size.zip").write_bytes(whole[: central + 24] + struct.pack("<I", 7) + whole[central + 28 :])
    (folder / "method.zip").write_bytes(whole[: central + 10] + b"\x63\0" + whole[central + 12 :])
    (folder / "locked.zip").write_bytes(whole[: central + 8] + b"\1\0" + whole[central + 10 :])
    (folder / "short.zip").write_bytes(whole[:-30])
    archive_of(folder / "many.zip", *(f"{n}" for n in range(MOST_MEMBERS + 1)), content=b"")
    rows = run(folder, results)
    assert rows.pop("honest") == "" and all(rows.values()) and len(rows) == 8, rows


# --- by chance -------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["\ud800", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
IDS = st.sampled_from([*STUBS, "test_mse", "imports", "other"]) | JSON
MARKED = st.fixed_dictionaries({}, optional={"grade_id": IDS, "solution": JSON, "grade": JSON, "points": JSON})
CELLS = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown", "raw"]), "source": st.text(max_size=20) | st.just("\ud83d")},
    optional={"metadata": st.fixed_dictionaries({"nbgrader": MARKED | JSON}) | JSON, "outputs": JSON, "id": JSON},
)
NOTEBOOKS = st.builds(with_cells, st.lists(CELLS | CELLS | JSON, max_size=6), metadata=JSON, nbformat_minor=JSON)


@quickly
@given(st.binary(max_size=100) | NOTEBOOKS)
def test_any_notebook_is_graded_or_has_its_reason(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    result = row(Paper("any", content))
    write_result(result, folder)
    assert read_result(folder / "any.json") == result


@quickly
@given(st.integers(0, len(notebook(RIGHT))), st.integers(0, 3), st.randoms(use_true_random=False))
def test_a_damaged_notebook_is_graded_or_has_its_reason(place: int, damage: int, chance: random.Random) -> None:
    content = notebook(RIGHT)
    byte = bytes([chance.randrange(256)])
    content = [content[:place], content[:place] + byte + content[place + 1 :], content[:place] + byte + content[place:],
               content[:place] + content[chance.randrange(len(content)) :]][damage]  # fmt: skip
    row(Paper("damaged", content))


@quickly
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8), st.integers(0, 60))
def test_a_damaged_archive_is_a_row(tmp_path: Path, changes: list[tuple[int, int]], cut: int) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir(exist_ok=True)
    archive_of(folder / "a.zip", f"bob/{LAB}.ipynb", f"eve/{LAB}.ipynb", compression=zipfile.ZIP_DEFLATED)
    content = bytearray((folder / "a.zip").read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    (folder / "a.zip").write_bytes(content[: len(content) - max(0, cut - 50)])
    found = find(folder, LAB)
    assert found and all(is_id(row(read_paper(one)).student) for one in found)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@quickly
@given(st.lists(st.text(st.characters(exclude_categories=[]), max_size=30), min_size=1, max_size=6))
def test_any_names_in_an_archive_are_rows_with_ids(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "names.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            entry = zipfile.ZipInfo("x.ipynb")
            entry.filename = name.encode("utf-8", "replace").decode() + ".ipynb"
            archive.writestr(entry, b"{}")
    found = find(path, LAB)
    students = [one.student for one in found]
    assert all(is_id(student) for student in students) and len({s.casefold() for s in students}) == len(students)
    assert all(row(read_paper(one)).reason for one in found)
