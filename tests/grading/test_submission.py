"""Submissions as platforms export them, and files that are no notebooks."""

import json
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoencoder_lab.grading.notebook_file import MOST_CELLS, SourceCell, cells_of
from autoencoder_lab.grading.submission import LARGEST_FILE, Unreadable, find, is_id, student_of

LAB = "lab1_linear"


def notebook(*sources: str, **fields: Any) -> bytes:
    cells = [
        {"cell_type": "code", "source": s, "metadata": {"nbgrader": {"grade_id": f"q{i}"}}}
        for i, s in enumerate(sources)
    ]
    return json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}} | fields).encode()


@pytest.mark.parametrize(
    ("path", "student"),
    [
        ("alice.ipynb", "alice"),
        ("alice/lab1_linear.ipynb", "alice"),
        ("alice/lab1_linear/lab1_linear.ipynb", "alice"),
        ("Jane Doe_123_assignsubmission_file_/lab1_linear.ipynb", "Jane_Doe_123"),
        ("Jane Doe_123_assignsubmission_file/x.ipynb", "Jane_Doe_123"),
        ("doejane_456_789_lab1_linear.ipynb", "doejane_456"),
        ("g2_2026_11_tiny.ipynb", "g2_2026_11_tiny"),
        ("doejane_LATE_456_789_lab1_linear-1.ipynb", "doejane_456"),
        ("bob_lab1_linear.ipynb", "bob"),
        ("../evil/lab1_linear.ipynb", "evil"),
        ("../../etc/passwd", "etc"),
        ("a[1].ipynb", "a_1"),
        ("Žofie Nováková.ipynb", "Žofie_Nováková"),
        ("...ipynb", "unnamed"),
        ("C:\\temp\\carol.ipynb", "C"),
        ("", "unnamed"),
    ],
)
def test_students_are_named_by_what_the_platform_wrote(path: str, student: str) -> None:
    assert student_of(path, LAB) == student


@given(st.text(max_size=60))
def test_every_name_gives_a_safe_id(name: str) -> None:
    student = student_of(name, LAB)
    assert student and len(student) <= 80 and not set(student) & set('/\\:*?"<>|[] \0\n') and student not in (".", "..")
    assert is_id(student)


def test_folders_files_and_archives(tmp_path: Path) -> None:
    for name in ("alice/lab1_linear.ipynb", "bob/lab1_linear/lab1_linear.ipynb", "carol.ipynb", "dora/other.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(notebook(name))
    with zipfile.ZipFile(tmp_path / "erik.zip", "w") as archive:
        archive.writestr("work/lab1_linear.ipynb", notebook("erik"))
        archive.writestr("__MACOSX/work/._lab1_linear.ipynb", b"\0")
    moodle = tmp_path / "Fay F_1_assignsubmission_file_" / "lab1_linear.ipynb"
    moodle.parent.mkdir()
    moodle.write_bytes(notebook("fay"))
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "alice" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "alice" / ".ipynb_checkpoints" / "lab1_linear.ipynb").write_bytes(notebook("old"))
    found = {s.student: cells_of(s.read())[0].source for s in find(tmp_path, LAB)}
    assert found == {
        "Fay_F_1": "fay", "alice": "alice/lab1_linear.ipynb", "carol": "carol.ipynb",
        "bob": "bob/lab1_linear/lab1_linear.ipynb", "dora": "dora/other.ipynb", "erik": "erik",
    }  # fmt: skip


def test_one_archive_of_a_class_is_enough(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        archive.writestr("a.ipynb", notebook("a"))
        archive.writestr("b.ipynb", notebook("b"))
    assert [s.student for s in find(tmp_path / "class.zip", LAB)] == ["a", "b"]


def test_what_cannot_be_read_is_a_row_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "two").mkdir()
    for name in ("a.ipynb", "b.ipynb"):
        (tmp_path / "two" / name).write_bytes(notebook(name))
    (tmp_path / "README.md").write_text("secret")
    (tmp_path / "linked.ipynb").symlink_to(tmp_path / "README.md")
    (tmp_path / "folder").symlink_to("/etc")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "lab1_linear.ipynb").symlink_to(tmp_path / "README.md")
    (tmp_path / "broken.zip").write_bytes(b"PK\3\4 no archive")
    with (tmp_path / "huge.ipynb").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    (tmp_path / "twice.ipynb").write_bytes(notebook("x"))
    (tmp_path / "twice").mkdir()
    (tmp_path / "twice" / "lab1_linear.ipynb").write_bytes(notebook("x"))
    reasons = {}
    for submission in find(tmp_path, LAB):
        with pytest.raises(Unreadable) as raised:
            submission.read()
        reasons[submission.student] = str(raised.value)
    assert reasons.keys() == {"empty", "two", "linked", "folder", "inner", "broken", "huge", "twice"}
    assert "no notebook" in reasons["empty"] and "several notebooks" in reasons["two"]
    assert all("link" in reasons[name] for name in ("linked", "folder", "inner"))
    assert (
        "256 MB" in reasons["huge"] and "two files are twice's" in reasons["twice"] and "archive" in reasons["broken"]
    )


def test_a_bomb_is_read_no_further_than_the_limit(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lab1_linear.ipynb", b" " * (LARGEST_FILE + 1))
    (submission,) = find(tmp_path, LAB)
    with pytest.raises(Unreadable, match="256 MB"):
        submission.read()


def test_the_manifest_prevails(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_bytes(notebook("x"))
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "lab1_linear.ipynb").write_bytes(notebook("y"))
    (tmp_path / "manifest.csv").write_text(
        "file,student,timestamp\nx.ipynb,s1,2026-01-01T12:00:00+02:00\ny/lab1_linear.ipynb,s2,2026-01-01 09:00\n"
    )
    found = [(s.student, s.timestamp) for s in find(tmp_path, LAB)]
    assert found == [("s1", datetime(2026, 1, 1, 10)), ("s2", datetime(2026, 1, 1, 9))]


WHEN = "2026-01-01T12:00"


@pytest.mark.parametrize(
    "text",
    [
        f"file,student,timestamp\nx.ipynb,s1,{WHEN}\ny.ipynb,s2,\n",
        f"File,STUDENT,Timestamp\r\nx.ipynb,s1,{WHEN}\r\ny.ipynb,s2\r\n",
        f"file , student , timestamp\n x.ipynb , s1 , {WHEN} \n y.ipynb , s2 ,  \n",
        f"timestamp;student;file;remark\n{WHEN};s1;x.ipynb;late, but ill\n;s2;y.ipynb;\n;;;\n",
        f"\n\nfile\tstudent\ttimestamp\n\nx.ipynb\ts1\t{WHEN}\n\t\t\ny.ipynb\ts2\t\n\n",
        f"sep=;\nfile;student;timestamp\nx.ipynb;s1;{WHEN}\ny.ipynb;s2;\n",
        f'"file", "student", "timestamp"\n"x.ipynb", "s1", "{WHEN}"\n"y.ipynb", "s2", ""\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_manifest_is_read_as_programs_write_it(tmp_path: Path, text: str, encoding: str) -> None:
    for name in ("x.ipynb", "y.ipynb"):
        (tmp_path / name).write_bytes(notebook(name))
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    (tmp_path / "manifest.csv").write_bytes(mark + text.encode(encoding))
    found = [(s.student, s.timestamp) for s in find(tmp_path, LAB)]
    assert found == [("s1", datetime(2026, 1, 1, 12)), ("s2", None)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x.ipynb,s1\n", "line 1: expected a first line with the headings file, student .*, found 'x.ipynb,s1'"),
        ("\nname;id\nx;s1\n", "line 2: expected a first line with the headings .*, found 'name;id'"),
        ("file,student,timestamp\n\nx.ipynb,s1,yesterday\n", "line 3: expected a time such as .* got 'yesterday'"),
        ("file;student;timestamp\nx;s;\nx.ipynb;s1;30.11.2026 23:59\n", "line 3: .* got '30.11.2026 23:59'"),
        ("file,student\nx.ipynb,../s\n", "line 2: '../s' is no id"),
        ("file,student\nx.ipynb\n", "line 2: '' is no id"),
        ("file,student\n,s1\n", "line 2: no file is named"),
    ],
)
def test_a_faulty_line_of_the_manifest_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "x.ipynb").write_bytes(notebook("x"))
    (tmp_path / "manifest.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        find(tmp_path, LAB)


def test_a_manifest_of_headings_alone_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_bytes(notebook("x"))
    for text in ("file,student\n", "", "\n"):
        (tmp_path / "manifest.csv").write_text(text, encoding="utf-8")
        assert [s.student for s in find(tmp_path, LAB)] == ["x"]


def test_nothing_to_grade_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not there"):
        find(tmp_path / "missing", LAB)
    with pytest.raises(FileNotFoundError, match=r"no \.ipynb"):
        find(tmp_path, LAB)


def test_cells_are_sources_and_ids_alone() -> None:
    cells = [
        {
            "cell_type": "code",
            "source": ["a = 1\n", "b"],
            "outputs": [{"x": "y"}],
            "metadata": {"nbgrader": {"grade_id": "q1", "grade": True}},
        },
        {"cell_type": "markdown", "source": "text", "metadata": {}},
        {"cell_type": "code", "source": "", "metadata": {"nbgrader": {"grade_id": 7}}},
        {"cell_type": "raw", "source": "r", "metadata": None},
    ]
    read = cells_of(notebook(cells=cells))
    assert read == [
        SourceCell("code", "a = 1\nb", "q1", "test", points=0.0),
        SourceCell("markdown", "text"),
        SourceCell("code", ""),
        SourceCell("raw", "r"),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no JSON"),
        (notebook("x")[:-20], "no JSON"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"[]", "no notebook"),
        (b'{"cells": 3, "nbformat": 4}', "no notebook"),
        (notebook(nbformat=3), "nbformat must be 4, got 3"),
        (notebook(nbformat=None), "nbformat must be 4"),
        (notebook(cells=[1]), "cell 1 is no cell"),
        (notebook(cells=[{"cell_type": "code", "source": ["a", 1]}]), "cell 1 is no cell"),
        (notebook(cells=[{"cell_type": "widget", "source": ""}]), "cell 1 is no cell"),
        (b"[" * 100_000, "no JSON"),
        (notebook(*["x"] * (MOST_CELLS + 1)), "2,001 cells"),
        (notebook("x" * (1 << 20), "y"), "million"),
    ],
)
def test_no_notebook_and_why(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        cells_of(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KIND = st.sampled_from(["code", "markdown", "raw", "x"]) | JSON
CELL = st.fixed_dictionaries({}, optional={"cell_type": KIND, "source": JSON, "metadata": JSON})
NOTEBOOK = st.builds(lambda cells: notebook(cells=cells), st.lists(CELL | JSON, max_size=5))


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=200)
@given(st.binary(max_size=200) | NOTEBOOK | JSON.map(lambda j: json.dumps(j).encode()))
def test_anything_at_all_is_cells_or_a_reason(content: bytes) -> None:
    try:
        cells = cells_of(content)
    except Unreadable as error:
        assert str(error)
    else:
        assert all(isinstance(cell, SourceCell) for cell in cells)
