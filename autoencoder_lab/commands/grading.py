"""What the instructor's commands do, as functions: each returns what is printed."""

import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import get_args

from autoencoder_lab.grading import report as reporting
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.grade import Result, Task, grade_class, read_result
from autoencoder_lab.grading.gradebook import Late, prepare, record
from autoencoder_lab.grading.lab_source import LabError
from autoencoder_lab.grading.sandbox import Isolation, Sandbox, SandboxError
from autoencoder_lab.grading.submission import find, naive_utc

UNPROTECTED = """\
WARNING: --isolation none runs every notebook as an ordinary program of yours: it can read and change your files, the
gradebook among them, and reach the network. Only for notebooks that you would run by hand."""


def grade(
    lab: str,
    submissions: Path,
    course: Path,
    jobs: int,
    isolation: str,
    scheduler: str,
    due: str,
    late: str,
    allow_root: bool,
    database: str,
) -> str:
    """Grade a class, enter the points, sum up. Raises ValueError, OSError or SandboxError for what can be mended."""
    from tqdm import tqdm

    place = Course(course, database)
    if isolation not in get_args(Isolation):
        raise LabError(f"--isolation is bwrap or none, got {isolation!r}")
    if late not in ("none", "zero"):
        raise LabError(f"--late is none or zero, got {late!r}")
    if hasattr(os, "geteuid") and os.geteuid() == 0 and not allow_root:
        raise SandboxError(
            "grading runs as root, whom some limits do not bind; grade as an ordinary user, or say --allow-root"
        )
    policy = Late(_due(due) if due else None, late)
    task = Task(place.judge(lab), place.released(lab), place.seed(), "none" if isolation == "none" else "bwrap")
    found = find(submissions, lab)
    if isolation == "none":
        print(UNPROTECTED, file=sys.stderr)
    elif not scheduler:
        Sandbox().close()  # proves that isolation holds, before anything is run
    prepare(place)
    graded = grade_class(task, found, place.results(lab), jobs, scheduler or None)
    bar = tqdm(graded, total=len(found), desc=lab, unit="submission", disable=not sys.stderr.isatty())
    results = sorted(bar, key=lambda result: result.student)
    notes = record(results, place, lab, policy)
    _notes(place, lab).write_text(json.dumps(notes, ensure_ascii=False, indent=1), encoding="utf-8")
    return reporting.report(results, lab, notes)


def feedback(lab: str, course: Path, database: str) -> str:
    """Write the students' pages."""
    from autoencoder_lab.grading.feedback import write_feedback

    place = Course(course, database)
    written = write_feedback(stored(place, lab), place, lab)
    return f"{len(written)} pages in {place.root / 'feedback'}"


def export(lab: str, form: str, course: Path, database: str) -> str:
    """Write the marks for another system."""
    from autoencoder_lab.grading import export as exporting

    place = Course(course, database)
    folder = place.root / "exports"
    folder.mkdir(exist_ok=True)
    if form == "csv":
        exporting.write_csv(place, lab, folder / f"{lab}.csv")
        return f"Marks in {folder / f'{lab}.csv'}"
    if form == "gradescope":
        exporting.write_gradescope(stored(place, lab), place, lab, folder / lab)
        return f"Marks in {folder / lab}, one file a student"
    raise LabError(f"--format is csv or gradescope, got {form!r}")


def report(lab: str, course: Path) -> str:
    """How the class did."""
    place = Course(course)
    notes = _notes(place, lab)
    told: Sequence[str] = json.loads(notes.read_text(encoding="utf-8")) if notes.is_file() else []
    return reporting.report(stored(place, lab), lab, told)


def stored(course: Course, lab: str) -> list[Result]:
    """The results there are. Raises LabError where there are none."""
    course.text(lab)
    files = sorted(course.results(lab).glob("*.json"))
    results = [result for path in files if (result := read_result(path)) is not None]
    if not results:
        raise LabError(f"nothing of {lab} has been graded; autoencoder-lab grade {lab} SUBMISSIONS")
    return results


def _notes(course: Course, lab: str) -> Path:
    return course.root / "results" / f"{lab}-notes.json"  # not among the students' files


def _due(text: str) -> datetime:
    try:
        return naive_utc(text)
    except ValueError:
        raise LabError(f"--due is a time such as 2026-11-30T23:59+01:00, got {text!r}") from None
