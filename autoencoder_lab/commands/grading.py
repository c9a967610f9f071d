"""What the instructor's commands do, as functions: each returns what is printed."""

import math
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import get_args

from autoencoder_lab.grading import report as reporting
from autoencoder_lab.grading.backup import back_up
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.grade import Result, read_paper
from autoencoder_lab.grading.gradebook import prepare, record
from autoencoder_lab.grading.inert import printable
from autoencoder_lab.grading.judge import load_judge
from autoencoder_lab.grading.lab_source import LabError
from autoencoder_lab.grading.manifest import naive_utc
from autoencoder_lab.grading.notebook_file import cells_of
from autoencoder_lab.grading.notes import keep_notes, notes_on
from autoencoder_lab.grading.progress import note, shown
from autoencoder_lab.grading.roster import extensions, members, roll_call
from autoencoder_lab.grading.sandbox import Isolation, Sandbox
from autoencoder_lab.grading.submission import Submission, Unreadable, collect
from autoencoder_lab.grading.totals import ON_TIME, Late, is_policy, totals
from autoencoder_lab.grading.walls import SandboxError
from autoencoder_lab.grading.whole_class import Task, grade_class, read_result, try_parts

UNPROTECTED = """\
WARNING: --isolation none runs every notebook as an ordinary program of yours: it can read and change your files, the
gradebook among them, and reach the network. Only for notebooks that you would run by hand."""


def isolation_of(text: str) -> Isolation:
    """What --isolation says. Raises LabError."""
    if text not in get_args(Isolation):
        raise LabError(f"--isolation is bwrap or none, got {text!r}")
    return "none" if text == "none" else "bwrap"


def late_of(due: str, policy: str, grace: float = 0.0) -> Late:
    """What --due, --late and --grace say; grace: hours. Raises LabError."""
    policy = f"{policy}%" if is_policy(f"{policy}%") else policy
    if not is_policy(policy):
        raise LabError(f"--late is none, zero or per cent a day such as 10%, got {policy!r}")
    if not 0 <= grace < math.inf:
        raise LabError(f"--grace is a number of hours, 0 or more, got {grace:g}")
    try:
        return Late(naive_utc(due) if due else None, policy, grace)
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
    force: bool = False,
) -> str:
    """Grade a class, enter the points, sum up.

    submissions: a folder or a .zip. workers: processes on this machine; scheduler: the address of a Dask scheduler
    whose workers are used instead, "" for none. allow_root: grade although root is bound by fewer limits. force: grade
    what is graded already once more. Raises ValueError, OSError or SandboxError for what can be mended.
    """
    task = Task(course.judge(lab), course.released(lab), course.seed(), isolation)
    _may_run(isolation, allow_root)
    found, unread = collect(submissions, lab)
    extensions(course.root, lab), members(course.root)  # a faulty line is told now, not when all is graded
    _prove(isolation, scheduler)
    log = course.root / "results" / f"{lab}.log"
    copy = back_up(course)
    note(log, f"{len(found)} submissions to grade{f'; the gradebook of before: {copy.name}' if copy else ''}")
    prepare(course)
    graded = grade_class(task, found, course.results(lab), workers, scheduler or None, force)
    results = sorted(shown(graded, len(found), lab, log), key=lambda result: result.student)
    keep_notes(_notes(course, lab), results, record(results, course, lab, late), unread)
    note(log, "the gradebook is written")
    return reporting.report(results, lab, _to_look_at(course, lab, results), _given(course, lab))


def dry_run(
    lab: str,
    submissions: Path,
    course: Course,
    parts: Collection[str] = (),
    *,
    workers: int = 1,
    scheduler: str = "",
    isolation: Isolation = "bwrap",
    allow_root: bool = False,
) -> str:
    """Say whose each file is taken for, whether it can be read and what is ignored; store nothing.

    parts: of these, also what they would give now, beside what is stored; none, and no code is run.
    Raises LabError for a part that the judge does not have, and what `grade` raises.
    """
    task = Task(course.judge(lab), course.released(lab), course.seed() if parts else 0, isolation)
    known = [part.grade_id for part in load_judge(task.judge).parts]
    names = [name if name in known else f"test_{name}" for name in parts]
    if unknown := [name for name, full in zip(parts, names, strict=True) if full not in known]:
        raise LabError(f"{lab} has no part {unknown[0]}; there are {', '.join(known)}")
    found, unread = collect(submissions, lab)
    lines = [f"{one.origin} → {one.student} → {_readable(one)}" for one in found]
    lines += [f"ignored: {note}" for note in unread]
    lines += roll_call(course.root, lab, [one.student for one in found])
    if parts:
        _may_run(isolation, allow_root)
        _prove(isolation, scheduler)
        tried = shown(try_parts(task, found, names, workers, scheduler or None), len(found), lab)
        lines += ["", f"what {', '.join(names)} would give now:"]
        for result in sorted(tried, key=lambda result: result.student):
            lines += _compared(result, read_result(course.results(lab) / f"{result.student}.json"), names)
    lines += ["", "nothing was stored"]
    return "\n".join(printable(line) for line in lines)


def _readable(submission: Submission) -> str:
    handed_in = read_paper(submission)
    try:
        cells = [] if handed_in.reason else cells_of(handed_in.content)
    except Unreadable as error:
        return f"cannot be read: {error}"
    if handed_in.reason:
        return f"cannot be read: {handed_in.reason}"
    named = sum(bool(cell.grade_id) for cell in cells)
    return f"readable, {named} of the lab's cells" if named else "readable, but none of the lab's cells is in it"


def _compared(now: Result, before: Result | None, names: Collection[str]) -> list[str]:
    """A line a part: the points now, the points stored, what the judge says."""
    if now.reason:
        return [f"  {now.student}: not graded: {now.reason}"]
    stored = {part.grade_id: f"{part.points:g}" for part in (before.parts if before else [])}
    points = [(part, f"{part.points:g} of {part.of:g}") for part in now.parts if part.grade_id in names]
    return [
        f"  {now.student}: {part.grade_id}: {given} (stored: {stored.get(part.grade_id, 'none')})"
        f"{f', {part.said}' if part.said else ''}"
        for part, given in points
    ]


def _may_run(isolation: Isolation, allow_root: bool) -> None:
    if hasattr(os, "geteuid") and os.geteuid() == 0 and not allow_root:
        raise SandboxError(
            "grading runs as root, whom some limits do not bind; grade as an ordinary user, or say --allow-root"
        )
    if isolation == "none":
        print(UNPROTECTED, file=sys.stderr)


def _prove(isolation: Isolation, scheduler: str) -> None:
    """Let the sandbox prove that it isolates, before anything is run."""
    if isolation != "none" and not scheduler:
        with Sandbox() as sandbox:
            print(sandbox.bounds, file=sys.stderr)


def feedback(lab: str, course: Course) -> str:
    """Write the students' pages."""
    from autoencoder_lab.grading.feedback import write_feedback

    results = stored(course, lab)
    written = write_feedback(results, course, lab)
    return _with_those_apart(f"{len(written)} pages in {course.root / 'feedback'}", results, course, lab)


def export(lab: str, form: str, course: Course) -> str:
    """Write the marks for another system. form: csv or gradescope."""
    from autoencoder_lab.grading import export as exporting

    folder = course.root / "exports"
    folder.mkdir(exist_ok=True)
    if form == "csv":
        exporting.write_csv(course, lab, folder / f"{lab}.csv")
        return _with_those_apart(f"Marks in {folder / f'{lab}.csv'}", _results(course, lab), course, lab)
    if form == "gradescope":
        results = stored(course, lab)
        exporting.write_gradescope(results, course, lab, folder / lab)
        return _with_those_apart(f"Marks in {folder / lab}, one file a student", results, course, lab)
    raise LabError(f"--format is csv or gradescope, got {form!r}")


def report(lab: str, course: Course) -> str:
    """How the class did."""
    results = stored(course, lab)
    return reporting.report(results, lab, _to_look_at(course, lab, results), _given(course, lab))


def _to_look_at(course: Course, lab: str, results: Sequence[Result]) -> list[str]:
    """The notes on these students, and what the gradebook says now: who is late, and who is not in it."""
    marks = totals(course, lab)
    late = [f"{one.student}: {marks[one.student].lateness}" for one in results if one.student in marks]
    late = [note for note in late if not note.endswith(": ")]
    here = [one.student for one in results]
    return (
        notes_on(_notes(course, lab), results)
        + late
        + roll_call(course.root, lab, here)
        + reporting.apart(results, marks, lab)
    )


def _with_those_apart(said: str, results: Sequence[Result], course: Course, lab: str) -> str:
    return "\n".join([said, *reporting.apart(results, totals(course, lab), lab)])


def stored(course: Course, lab: str) -> list[Result]:
    """The results there are. Raises LabError where there are none."""
    course.text(lab)
    if results := _results(course, lab):
        return results
    raise LabError(f"nothing of {lab} has been graded; autoencoder-lab grade {lab} SUBMISSIONS")


def _results(course: Course, lab: str) -> list[Result]:
    files = sorted(course.results(lab).glob("*.json"))
    return [result for path in files if (result := read_result(path)) is not None]


def _given(course: Course, lab: str) -> list[str]:
    """The cells that everybody was given; none where the lab is not released any more."""
    release = course.release(lab)
    return [cell.source for cell in cells_of(release.read_bytes())] if release.is_file() else []


def _notes(course: Course, lab: str) -> Path:
    return course.root / "results" / f"{lab}-notes.json"  # not among the students' files
