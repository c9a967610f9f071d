"""Bulk downloads of learning platforms in their documented layouts: whose, when, and which attempt."""

from datetime import datetime
from pathlib import Path

import pytest

from autoencoder_lab.grading.submission import collect
from grading.test_handing_in import LAB, Files, laid, packed
from grading.test_submission import notebook

NEW, OLD, BOB, LATE = (notebook(name) for name in ("new", "old", "bob", "late"))
MAY = datetime(2026, 11, 2, 10, 5)
B = "Lab 1_{}_attempt_2026-11-{}"
BLACKBOARD: Files = {
    B.format("jdoe", "01-09-00-00_lab1_linear.ipynb"): OLD,
    B.format("jdoe", "01-09-00-00.txt"): b"Name: Jane Doe (jdoe)",
    B.format("jdoe", "02-10-05-00_lab1_linear.ipynb"): NEW,
    B.format("jdoe", "02-10-05-00_bob_attempt_2030-01-01-00-00-00_plot.pdf"): b"%PDF",
    B.format("jdoe", "02-10-05-00.txt"): b"Name: Jane Doe (jdoe)",
    B.format("bob", "02-10-05-00_work.zip"): packed({"lab1_linear.ipynb": BOB}),
    B.format("bob", "02-10-05-00.txt"): b"Name: Bob (bob)",
}
D = "{} - {} - Nov {}, 2026 {}"
BRIGHTSPACE: Files = {
    D.format("12-70", "Jane Doe", 1, "900 AM") + "/lab1_linear.ipynb": OLD,
    D.format("12-70", "Jane Doe", 2, "1005 AM") + "/lab1_linear.ipynb": NEW,
    D.format("13-70", "Bob", 2, "1005 AM") + "/lab1_linear.ipynb": BOB,
    "index.html": b"<html>",
}
FLAT: Files = {name.replace("/", " - "): content for name, content in BRIGHTSPACE.items()}
GRADESCOPE: Files = {
    "submission_metadata.yml": b"""---
submission_11:
  :submitters:
  - :name: Jane Doe
    :sid: S1
    :email: jane@x.org
  :created_at: !ruby/object:ActiveSupport::TimeWithZone
    utc: 2026-11-02 10:05:00.000000000 Z
  :history: []
submission_12:
  :submitters:
  - :name: Bob
    :sid:
    :email: bob@x.org
  :created_at: 2026-11-02 12:05:00.000000000 +02:00
""",
    "submission_11/lab1_linear.ipynb": NEW,
    "submission_12/lab1_linear.ipynb": BOB,
}
CANVAS: Files = {"anon_a1B2c_901_lab1_linear.ipynb": NEW, "LATE_anon_12345_902_x.ipynb": BOB}
BLIND: Files = {
    "Participant_7_assignsubmission_file_/lab1_linear.ipynb": NEW,
    "Participant_8_assignsubmission_file_/lab1_linear.ipynb": BOB,
    "Participant_7_assignsubmission_onlinetext_/onlinetext.html": b"hello",
}
TEAM: Files = {name.replace("Participant", "Group A"): content for name, content in BLIND.items()}

DOWNLOADS: dict[str, tuple[Files, dict[str, bytes], datetime | None]] = {
    "Blackboard": (BLACKBOARD, {"bob": BOB, "jdoe": NEW}, MAY),
    "Brightspace": (BRIGHTSPACE, {"Bob_13": BOB, "Jane_Doe_12": NEW}, MAY),
    "Brightspace, flat": (FLAT | {"index.html": b""}, {"Bob_13": BOB, "Jane_Doe_12": NEW}, MAY),
    "Gradescope": (GRADESCOPE, {"S1": NEW, "bob_x.org": BOB}, MAY),
    "Canvas, anonymous": (CANVAS, {"anon_12345": BOB, "anon_a1B2c": NEW}, None),
    "Moodle, blind": (BLIND, {"Participant_7": NEW, "Participant_8": BOB}, None),
    "Moodle, teams": (TEAM, {"Group_A_7": NEW, "Group_A_8": BOB}, None),
}


@pytest.mark.parametrize("what", DOWNLOADS)
@pytest.mark.parametrize("around", ["", "assignment_5_export/"])
def test_a_download_gives_everybodys_newest_work_and_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, around: str
) -> None:
    files, expected, when = DOWNLOADS[what]
    monkeypatch.setattr("autoencoder_lab.grading.platforms.downloads._utc", lambda local: local)  # a machine in UTC
    inside = {around + name: content for name, content in files.items()}
    (tmp_path / "class.zip").write_bytes(packed(inside))
    for place in (tmp_path / "class.zip", laid(tmp_path / "class", inside)):
        found, notes = collect(place, LAB)
        assert {one.student: one.read() for one in found} == expected
        assert {one.timestamp for one in found} == {when}
        earlier = [note for note in notes if "an earlier one was not read" in note]
        assert len(earlier) == (OLD in files.values()) and not any("index.html" in note for note in notes)
