"""Who is missing, who may hand in later, and what a day costs."""

from datetime import datetime
from pathlib import Path

import pytest

from autoencoder_lab.commands.grading import late_of
from autoencoder_lab.grading.lab_source import LabError
from autoencoder_lab.grading.roster import due_of, extensions, roll_call
from autoencoder_lab.grading.totals import hours_late, lateness, taken

DUE = datetime(2026, 11, 30, 12)


def test_the_roster_tells_who_is_missing_and_who_is_unknown(tmp_path: Path) -> None:
    assert roll_call(tmp_path, "lab1", ["ada"]) == []
    (tmp_path / "roster.csv").write_text("Student;Name\nada;Ada L.\nbob;Bob\neve;\n", encoding="utf-8")
    (tmp_path / "extensions.csv").write_text("student,due,lab\nBob,2026-12-02T13:00+01:00,lab1\n", encoding="utf-8")
    assert roll_call(tmp_path, "lab1", ["Ada", "zed"]) == [
        "bob: has not handed in (Bob), may until 2026-12-02 12:00 UTC",
        "eve: has not handed in",
        "zed: handed in, but is not on the roster",
    ]
    longer = extensions(tmp_path, "lab1")
    assert due_of("bob", DUE, longer) == datetime(2026, 12, 2, 12) and due_of("eve", DUE, longer) == DUE
    assert extensions(tmp_path, "lab2") == {} and due_of("bob", None, longer) is None
    (tmp_path / "extensions.csv").write_text("student,due\nbob,tomorrow\n", encoding="utf-8")
    with pytest.raises(LabError, match="line 2: due is a time"):
        extensions(tmp_path, "lab1")


@pytest.mark.parametrize(("hours", "points"), [(0, 0), (0.1, 2), (24, 2), (24.1, 4), (240, 20), (999, 20)])
def test_a_day_begun_takes_its_share(hours: float, points: float) -> None:
    assert taken(20, hours, "10%") == points


def test_within_the_grace_is_in_time_and_after_it_all_hours_count() -> None:
    assert hours_late(datetime(2026, 11, 30, 14), DUE, 2) == 0 and hours_late(datetime(2026, 11, 30, 15), DUE, 2) == 3
    said = "30.0 hours late, which takes 4 of its 20 points (10% for each of 2 days begun)"
    assert lateness(30, "10%", 20) == said
    assert late_of("", "10", 2).policy == "10%"
    with pytest.raises(LabError, match="per cent a day"):
        late_of("", "101%")
