"""What is left is said in a pipe too, the log has times, and the gradebook of before can be had back."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from autoencoder_lab.grading.backup import back_up
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.grade import PartResult, Result
from autoencoder_lab.grading.lab_source import LabError
from autoencoder_lab.grading.progress import left, note, shown


def test_without_a_terminal_lines_say_what_is_left(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    results = [Result(f"s{i}", "", [PartResult("part", 1.5, 2)], seconds=3) for i in range(200)]
    log = tmp_path / "results" / "lab.log"
    assert list(shown(results, 200, "lab", log)) == results
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 20 and lines[0].startswith("lab: 10 of 200 done, 190 left, ")
    assert lines[-1] == "lab: 200 of 200 done"
    when, told = log.read_text(encoding="utf-8").splitlines()[7].split(" ", 1)
    assert told == "s7: 1.5 points automatically (3 s)" and datetime.fromisoformat(when).utcoffset() == timedelta(0)


def test_a_small_class_is_told_one_by_one(capfd: pytest.CaptureFixture[str]) -> None:
    list(shown([Result(name, "", []) for name in "abc"], 3, "lab"))
    assert [line.split(",")[0] for line in capfd.readouterr().err.splitlines()] == [
        "lab: 1 of 3 done",
        "lab: 2 of 3 done",
        "lab: 3 of 3 done",
    ]


def test_what_is_left_is_reckoned_from_the_pace() -> None:
    assert left("lab", 10, 40, 600) == "lab: 10 of 40 done, 30 left, about 30 min to go at this pace"
    assert left("lab", 39, 40, 39) == "lab: 39 of 40 done, 1 left, less than a minute to go at this pace"


def test_a_log_line_is_one_line(tmp_path: Path) -> None:
    note(tmp_path / "log", "a\nb\x1b[2J")
    note(tmp_path / "log", "c")
    assert len((tmp_path / "log").read_text(encoding="utf-8").splitlines()) == 2


def test_the_gradebook_of_before_is_kept(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    course = Course(tmp_path)
    assert back_up(course) is None
    for mark in (1, 2):
        with closing(sqlite3.connect(tmp_path / "gradebook.db")) as book:
            book.execute("create table if not exists marks (mark)")
            book.execute("insert into marks values (?)", (mark,))
            book.commit()
        copy = back_up(course)
        assert copy is not None
        with closing(sqlite3.connect(copy)) as then:
            assert then.execute("select mark from marks").fetchall() == [(one,) for one in range(1, mark + 1)]
    assert len(list((tmp_path / "backups").iterdir())) == 2  # in one second or two
    assert back_up(Course(tmp_path, "postgresql://host/marks")) is None


def test_what_is_no_gradebook_is_said_before_anything_is_graded(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "gradebook.db").write_text("not a database, but long enough to be read as one " * 40, encoding="utf-8")
    with pytest.raises(LabError, match=r"cannot be copied before the run: .*Nothing was graded"):
        back_up(Course(tmp_path))
    assert list((tmp_path / "backups").iterdir()) == []
