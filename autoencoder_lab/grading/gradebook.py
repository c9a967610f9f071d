"""Results into nbgrader's gradebook and autograded/, by one process, so that formgrader works as it always does.

Resubmission: what a person gave (score, extra credit, comment) is never touched. Where a new automatic score differs
from the one that person saw, or the text they marked has changed, the cell is flagged for them once more and the change
is reported, since their score goes on hiding the new one. Writing the same results twice changes nothing.
"""

import ast
import math
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoencoder_lab.files import write_whole
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.grade import OUT_OF_TIME, PartResult, Result
from autoencoder_lab.grading.inert import printable
from autoencoder_lab.grading.lab_source import LabError, write
from autoencoder_lab.grading.manifest import naive_utc
from autoencoder_lab.grading.names import is_id
from autoencoder_lab.grading.roster import due_of, extensions
from autoencoder_lab.grading.totals import ON_TIME, Late, hours_late, keep_policy, late_policy, opened, taken

AT_ONCE = 50  # students written in one transaction


def prepare(course: Course) -> None:
    """Open the gradebook, and make it where there is none: better now than when a class has been graded.

    Raises LabError where it cannot be opened. Making one takes seconds, for nbgrader asks Alembic for a version.
    """
    _reach_alembic()
    with opened(course):
        pass


def record(results: Iterable[Result], course: Course, lab: str, late: Late = ON_TIME) -> list[str]:
    """Write all results; returns what the instructor should look at, but for lateness, which totals.py works out.

    Raises LabError where nothing can be written.

    Everything is looked through first: an unknown part, points out of range or an id that is no folder's name stop the
    writing before its first line. Without late.due the due date of the gradebook stays; late.policy counts from now on.
    """
    import nbformat

    _reach_alembic()
    release = nbformat.read(course.released(lab), as_version=4)
    results, longer = list(results), extensions(course.root, lab)
    _check_results(results, release)
    with warnings.catch_warnings(), opened(course) as gradebook:
        warnings.filterwarnings("ignore", message="Object of type .* not in session")  # nbgrader's own way of adding
        _enter_assignment(gradebook, release, lab, late)
        assignment = gradebook.find_assignment(lab)
        due, again = assignment.duedate, bool(assignment.submissions)
        if late.policy != "none" and not due:
            raise LabError(f"--late {late.policy} needs to know until when: --due 2026-11-30T23:59+01:00")
        before = late_policy(course.root, lab)
        keep_policy(course.root, lab, late)
        changed = again and before != replace(late, due=None)
        notes = [f"from this run on, {late.told}; before, {before.told}"] * changed
        # nbgrader commits after every row, and the disk is waited for each time; here once for so many students
        commit, gradebook.db.commit = gradebook.db.commit, gradebook.db.flush
        for first in range(0, len(results), AT_ONCE):
            batch = results[first : first + AT_ONCE]
            told = [
                _enter(gradebook, one, release, course, lab, replace(late, due=due_of(one.student, due, longer)))
                for one in batch
            ]
            commit()
            # after the commit: what was written before tells whether a text has changed, so it must not be ahead
            for result, (look_at, above) in zip(batch, told, strict=True):
                notes += look_at
                write(graded_notebook(result, release, above), course.autograded(lab, result.student))
                _count(course, lab, result)
    return notes


def _count(course: Course, lab: str, result: Result) -> None:
    """A folder in submitted/, by which nbgrader counts submissions; of what was handed in only the time is in it."""
    folder = course.root / "submitted" / result.student / lab
    folder.mkdir(parents=True, exist_ok=True)
    if result.timestamp:
        write_whole(folder / "timestamp.txt", f"{result.timestamp} UTC\n")
    else:
        (folder / "timestamp.txt").unlink(missing_ok=True)


def cells_with(release: Any, *, graded: bool) -> dict[str, Any]:
    """{name: cell} of the release: those that carry points, or those a student writes in."""
    key = "grade" if graded else "solution"
    return {
        cell.metadata.nbgrader.grade_id: cell for cell in release.cells if cell.metadata.get("nbgrader", {}).get(key)
    }


def _reach_alembic() -> None:
    """nbgrader calls the command alembic: without it the gradebook would silently lack its version."""
    folder = str(Path(sys.executable).parent)
    if folder not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = folder + os.pathsep + os.environ.get("PATH", "")


def _check_results(results: Sequence[Result], release: Any) -> None:
    graded = cells_with(release, graded=True)
    for result in results:
        if not is_id(result.student):
            raise LabError(f"{result.student!r} is no student's id: letters, digits, _ - and . alone")
        for part in result.parts:
            if part.grade_id not in graded or graded[part.grade_id].metadata.nbgrader.points != part.of:
                raise LabError(f"{part.grade_id} ({part.of} points) is not in the release; release and grade anew")
            if not (math.isfinite(part.points) and 0 <= part.points <= part.of):
                raise LabError(f"{result.student}: {part.points} points of {part.of} in {part.grade_id}")


def _enter_assignment(gradebook: Any, release: Any, lab: str, late: Late) -> None:
    """The lab and its cells. Raises LabError where submissions are there already and the cells are others."""
    from nbgrader.api import MissingEntry

    due = {"duedate": late.due.isoformat(" ")} if late.due else {}
    gradebook.update_or_create_assignment(lab, **due)
    graded, written = cells_with(release, graded=True), cells_with(release, graded=False)
    try:
        known = gradebook.find_notebook(lab, lab)
        names = {cell.name for cell in known.grade_cells}
        if known.submissions and names != set(graded):
            raise LabError(f"{lab} has submissions in the gradebook and other parts now; give the new lab a new name")
    except MissingEntry:
        gradebook.add_notebook(lab, lab)
    for name, cell in graded.items():
        points = float(cell.metadata.nbgrader.points)
        gradebook.update_or_create_grade_cell(name, lab, lab, max_score=points, cell_type=cell.cell_type)
    for name in written:
        gradebook.update_or_create_solution_cell(name, lab, lab)
    for cell in release.cells:
        if marked := cell.metadata.get("nbgrader"):
            stored = {"cell_type": cell.cell_type, "locked": marked.locked, "source": cell.source}
            gradebook.update_or_create_source_cell(marked.grade_id, lab, lab, checksum=marked.get("checksum"), **stored)


def _enter(gradebook: Any, result: Result, release: Any, course: Course, lab: str, late: Late) -> tuple[list[str], str]:
    """One student's result; returns what to look at, and in words how late it is."""
    gradebook.update_or_create_student(result.student)
    submission = gradebook.update_or_create_submission(lab, result.student)
    submission.timestamp = naive_utc(result.timestamp) if result.timestamp else None  # a time taken away goes here too
    (paper,) = submission.notebooks
    parts = {part.grade_id: part for part in result.parts}
    earlier, flags = _written_before(course.autograded(lab, result.student), release)
    if set(result.flags) - set(flags):  # what was flagged before may have been looked at since
        paper.flagged = True
    now = answers(((cell["kind"], cell["source"], cell["grade_id"]) for cell in result.cells), release)
    released = {name: cell.source for name, cell in cells_with(release, graded=True).items()}
    notes = [f"{result.student}: {flag}" for flag in result.flags]
    for grade in paper.grades:
        if grade.name in parts:
            notes += _enter_score(grade, parts[grade.name], result.student)
        else:
            answer, before = now.get(grade.name, released[grade.name]), earlier.get(grade.name)
            notes += _enter_text(grade, answer, before, released[grade.name], result.student)
    said = _comments(result, release)
    for comment in paper.comments:
        comment.auto_comment = said.get(comment.name)
    hours = hours_late(submission.timestamp, late.due, late.grace)
    reached = sum(
        (grade.auto_score or 0.0 if grade.manual_score is None else grade.manual_score) + (grade.extra_credit or 0.0)
        for grade in paper.grades
    )
    paper.late_submission_penalty = taken(reached, hours, late.policy) or None
    return notes, f"Handed in {hours:.1f} hours after the due date: {late.told}." if hours else ""


def _enter_score(grade: Any, part: PartResult, student: str) -> list[str]:
    before, grade.auto_score = grade.auto_score, part.points
    judge_failed = part.mistake.startswith("judge:") or part.mistake == OUT_OF_TIME
    if judge_failed:
        grade.needs_manual_grade = True
        return [f"{student}: {part.grade_id} could not be judged ({part.mistake}); mark it by hand"]
    if grade.manual_score is None:
        grade.needs_manual_grade = False
    elif before is not None and before != part.points:
        grade.needs_manual_grade = True
        return [
            f"{student}: {part.grade_id} now has {part.points:g} points automatically, {before:g} before; the "
            f"{grade.manual_score:g} given by hand hide them"
        ]
    return []


def _enter_text(grade: Any, answer: str, before: str | None, released: str, student: str) -> list[str]:
    """A question marked by a person: flagged when it is new or changed; an untouched one has 0 points."""
    if answer.strip() == released.strip():
        grade.auto_score, grade.needs_manual_grade = 0.0, grade.manual_score is not None and before != answer
        return []
    grade.auto_score = None
    if grade.manual_score is None:
        grade.needs_manual_grade = True
    elif before is not None and before != answer:
        grade.needs_manual_grade = True
        return [f"{student}: {grade.name} was changed after it had been marked; look at it again"]
    return []


def _written_before(path: Path, release: Any) -> tuple[dict[str, str], list[str]]:
    """({name: source}, flags) of the notebook that was graded last."""
    import nbformat

    if not path.is_file():
        return {}, []
    notebook = nbformat.read(path, as_version=4)
    cells = [
        (cell.cell_type, cell.source, cell.metadata.get("nbgrader", {}).get("grade_id", ""))
        for cell in notebook.cells
        if not cell.metadata.get("for_instructor")
    ]
    return answers(cells, release), list(notebook.metadata.get("flags", []))


def answers(cells: Iterable[tuple[str, str, str]], release: Any) -> dict[str, str]:
    """{name: text} of the cells (kind, text, name); to a text belong the words that somebody put around it.

    That is what lies between it and the lab's cells before and after it: words typed into a new cell below the place
    meant for them are an answer too.
    """
    found: dict[str, str] = {}
    given = {cell.source.strip() for cell in release.cells}
    text, above = "", list[str]()  # the text above, if the last of the lab's cells is one; words below any other
    for kind, source, grade_id in cells:
        if grade_id:
            text = grade_id if kind != "code" else ""
            found[grade_id] = "\n\n".join([source, *above]) if text else source
            above = []
        elif source.strip() not in given and is_prose(kind, source):
            if text:
                found[text] += f"\n\n{source}"
            else:
                above.append(source)
        elif kind == "code":
            above = []
    return found


def is_prose(kind: str, source: str) -> bool:
    """Whether somebody wrote words there; also in a cell that was left to be code, as new ones are."""
    if kind != "code" or not source.strip():
        return kind != "code" and bool(source.strip())
    try:
        return all(isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in ast.parse(source).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True


def _comments(result: Result, release: Any) -> dict[str, str]:
    """{answer cell: what is said on the parts tested right below it}."""
    said: dict[str, str] = {}
    parts, answer = {part.grade_id: part for part in result.parts}, ""
    for cell in release.cells:
        marked = cell.metadata.get("nbgrader", {})
        if marked.get("solution") and not marked.get("grade"):
            answer = marked.grade_id
        elif (part := parts.get(marked.get("grade_id"))) and answer:
            said[answer] = verdict(part)
    return said


def verdict(part: PartResult) -> str:
    """One line on a part, for the student."""
    said = f": {part.said}" if part.said else ": right" if part.points == part.of else ""
    return f"{part.points:g} of {part.of:g} points{said}"


def graded_notebook(result: Result, release: Any, above: str = "") -> Any:
    """The release's frame with the student's text in it; the only outputs are what the judge says.

    above: stands at the top, for everybody; flags do so too, for the instructor alone.
    """
    from nbformat import v4

    frame = {cell.metadata.nbgrader.grade_id: cell for cell in release.cells if "nbgrader" in cell.metadata}
    parts = {part.grade_id: part for part in result.parts}
    cells = [v4.new_markdown_cell(above)] if above else []
    if result.flags:
        listed = "\n".join(f"- {printable(flag)}" for flag in result.flags)
        cells.append(v4.new_markdown_cell(f"To look at:\n{listed}", metadata={"for_instructor": True}))
    for given in result.cells:
        make: Any = getattr(v4, f"new_{given['kind']}_cell")  # code, markdown or raw
        cell = make(given["source"])
        if pasted := given.get("pictures"):
            cell.attachments = {f"picture-{i}": {"image/jpeg": one} for i, one in enumerate(pasted)}
        if own := frame.get(given["grade_id"]):
            cell.metadata["nbgrader"] = dict(own.metadata.nbgrader)
            if part := parts.get(given["grade_id"]):
                said = printable(verdict(part), "\n")
                cell.outputs = [v4.new_output("stream", name="stdout", text=f"{said}\n")]
        cells.append(cell)
    if not result.cells:  # what could not be read has the release's cells, and the reason
        cells += [v4.new_markdown_cell(f"Not graded: {printable(result.reason)}"), *deepcopy(release.cells)]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return v4.new_notebook(cells=cells, metadata={**release.metadata, "flags": list(result.flags)})
