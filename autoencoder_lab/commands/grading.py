"""What the instructor's commands do, as functions: each returns what is printed."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from autoencoder_lab.files import write_whole
from autoencoder_lab.grading import report as reporting
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.grade import Result, Task, grade_class, read_result
from autoencoder_lab.grading.gradebook import Late, prepare, record
from autoencoder_lab.grading.lab_source import LabError
from autoencoder_lab.grading.manifest import naive_utc
from autoencoder_lab.grading.sandbox import Isolation, Sandbox
from autoencoder_lab.grading.submission import collect
from autoencoder_lab.grading.walls import SandboxError

ON_TIME = Late()
UNPROTECTED = """\
WARNING: --isolation none runs every notebook as an ordinary program of yours: it can read and change your files, the
gradebook among them, and reach the network. Only for notebooks that you would run by hand."""


def isolation_of(text: str) -> Isolation:
    """What --isolation says. Raises LabError."""
    if text not in get_args(Isolation):
        raise LabError(f"--isolation is bwrap or none, got {text!r}")
    return "none" if text == "none" else "bwrap"


def late_of(due: str, policy: str) -> Late:
    """What --due and --late say. Raises LabError."""
    if policy not in ("none", "zero"):
        raise LabError(f"--late is none or zero, got {policy!r}")
    try:
        return Late(naive_utc(due) if due else None, policy)
    except ValueError:
        raise LabError(f"--due is a time such as 2026-11-30T23:59+01:00, got {due!r}") from None


def grade(
    lab: str,
    submissions: Path,
    course: Course,
    *,
    workers: int = 1,
    scheduler: str = "",
    isolation: Isolation = "bwrap",
    late: Late = ON_TIME,
    allow_root: bool = False,
) -> str:
    """Grade a class, enter the points, sum up.

    submissions: a folder or a .zip. workers: processes on this machine; scheduler: the address of a Dask scheduler
    whose workers are used instead, "" for none. allow_root: grade although root is bound by fewer limits.
    Raises ValueError, OSError or SandboxError for what can be mended.
    """
    from tqdm import tqdm

    if hasattr(os, "geteuid") and os.geteuid() == 0 and not allow_root:
        raise SandboxError(
            "grading runs as root, whom some limits do not bind; grade as an ordinary user, or say --allow-root"
        )
    task = Task(course.judge(lab), course.released(lab), course.seed(), isolation)
    found, unread = collect(submissions, lab)
    if isolation == "none":
        print(UNPROTECTED, file=sys.stderr)
    elif not scheduler:
        with Sandbox() as sandbox:  # proves that isolation holds, before anything is run
            print(sandbox.bounds, file=sys.stderr)
    prepare(course)
    graded = grade_class(task, found, course.results(lab), workers, scheduler or None)
    bar = tqdm(graded, total=len(found), desc=lab, unit="submission", disable=not sys.stderr.isatty())
    results = sorted(bar, key=lambda result: result.student)
    notes = unread + record(results, course, lab, late)
    write_whole(_notes(course, lab), json.dumps(notes, ensure_ascii=False, indent=1))
    return reporting.report(results, lab, notes)


def feedback(lab: str, course: Course) -> str:
    """Write the students' pages."""
    from autoencoder_lab.grading.feedback import write_feedback

    written = write_feedback(stored(course, lab), course, lab)
    return f"{len(written)} pages in {course.root / 'feedback'}"


def export(lab: str, form: str, course: Course) -> str:
    """Write the marks for another system. form: csv or gradescope."""
    from autoencoder_lab.grading import export as exporting

    folder = course.root / "exports"
    folder.mkdir(exist_ok=True)
    if form == "csv":
        exporting.write_csv(course, lab, folder / f"{lab}.csv")
        return f"Marks in {folder / f'{lab}.csv'}"
    if form == "gradescope":
        exporting.write_gradescope(stored(course, lab), course, lab, folder / lab)
        return f"Marks in {folder / lab}, one file a student"
    raise LabError(f"--format is csv or gradescope, got {form!r}")


def report(lab: str, course: Course) -> str:
    """How the class did."""
    file = _notes(course, lab)
    notes: Sequence[str] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    return reporting.report(stored(course, lab), lab, notes)


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
