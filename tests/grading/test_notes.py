"""What report, export and feedback say of a class that was graded in several runs, one of them stopped."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="the gradebook is nbgrader's: pip install 'autoencoder_lab[grading]'")

from autoencoder_lab.commands import grading as commands
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.gradebook import record
from autoencoder_lab.grading.notes import keep_notes, notes_on
from autoencoder_lab.grading.totals import Late
from autoencoder_lab.grading.whole_class import write_result
from grading.test_course import course, empty_book, result

__all__ = ["course", "empty_book"]  # fixtures
pytestmark = pytest.mark.slow


def test_who_is_not_in_the_gradebook_yet_is_told_everywhere(course: Course) -> None:
    for student in ("ada", "bob", "zed"):
        course.results("small").mkdir(parents=True, exist_ok=True)
        write_result(result(course, student), course.results("small"))
    record([result(course)], course, "small")  # stopped after the first
    line = "graded, but not in the gradebook yet: bob, zed; autoencoder-lab grade small SUBMISSIONS once more enters"
    for said in (
        commands.export("small", "csv", course),
        commands.export("small", "gradescope", course),
        commands.feedback("small", course),
        commands.report("small", course),
    ):
        assert said.count(line) == 1
    assert [path.stem for path in (course.root / "exports" / "small").glob("*.json")] == ["ada"]
    record([result(course, student) for student in ("bob", "zed")], course, "small")
    assert line not in commands.report("small", course) + commands.export("small", "gradescope", course)


def test_a_report_forgets_nobody_and_knows_who_is_late_now(course: Course) -> None:
    file = course.root / "results" / "small-notes.json"
    late, other = result(course, when="2026-11-01T14:30:00"), result(course, "bob")
    for one in (late, other):
        course.results("small").mkdir(parents=True, exist_ok=True)
        write_result(one, course.results("small"))
    keep_notes(file, [late], record([late], course, "small", Late(datetime(2026, 11, 1, 12))), ["ada: a.pdf"])
    keep_notes(file, [other], ["bob: look here"], ["manifest.csv names x"])
    record([other], course, "small", Late(datetime(2026, 11, 1, 12), "zero"))
    said = commands.report("small", course)
    assert all(words in said for words in ("ada: a.pdf", "bob: look here", "manifest.csv names x"))
    assert "ada: 2.5 hours late, so none of its 2 points count" in said
    record([other], course, "small", Late(datetime(2026, 11, 2, 12)))
    assert "hours late" not in commands.report("small", course)


def test_notes_stay_as_long_as_their_row(tmp_path: Path, course: Course) -> None:
    file, ada, bob = tmp_path / "new" / "notes.json", result(course), result(course, "bob")
    keep_notes(
        file, [ada, bob], ["ada: now has 1, 2 before", "bob: b", "from this run on, zero"], ["ada: x was not read"]
    )
    keep_notes(file, [ada], [], [])  # the same row once more
    assert notes_on(file, [ada, bob]) == ["ada: now has 1, 2 before", "bob: b"]
    keep_notes(file, [replace(ada, key="another")], ["ada: new"], [])
    assert notes_on(file, [ada, bob]) == ["ada: new", "bob: b"] and notes_on(file, [bob]) == ["bob: b"]
    file.write_text('["ada: from an earlier version"]', encoding="utf-8")
    assert notes_on(file, [bob]) == ["ada: from an earlier version"]
