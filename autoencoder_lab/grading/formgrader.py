"""What nbgrader's pages are told beyond what nbgrader knows: that a lab is handed out, and what late work counts.

nbgrader shows the sum of a submission's marks and keeps the penalty apart; here its lists show what feedback and export
show. Its folder submitted/, by which it counts submissions, is made by gradebook.py.
"""

from functools import wraps
from pathlib import Path
from typing import Any

from autoencoder_lab.grading.roster import due_of, extensions
from autoencoder_lab.grading.totals import hours_late, late_policy, taken


def tell_formgrader() -> None:
    """Wrap the methods of nbgrader's API that formgrader's lists come from; once, however often it is asked for."""
    from nbgrader.apps.api import NbGraderAPI

    if hasattr(NbGraderAPI.get_assignment, "__wrapped__"):
        return
    for name, told in _TOLD.items():
        setattr(NbGraderAPI, name, _also(getattr(NbGraderAPI, name), told))


def _also(asked: Any, told: Any) -> Any:
    @wraps(asked)
    def answer(api: Any, *given: Any, **named: Any) -> Any:
        return told(api, asked(api, *given, **named))

    return answer


def _handed_out(_: Any, lab: Any) -> Any:
    """A lab with a release has been handed out: nbgrader asks its exchange, which is not used here."""
    if lab and lab.get("release_path") and lab.get("status") == "draft":
        lab["status"] = "released"
    return lab


def _one(api: Any, row: Any) -> Any:
    return row and _counted(api, [row])[0]


def _counted(api: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of submissions, or of notebooks of them, with the score that counts."""
    lost = _taken(api)
    for row in rows:
        if row.get("id"):
            row["score"] -= lost.get((row["student"], row["name"]), 0.0)
    return rows


def _students(api: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    lost = _taken(api)
    for row in rows:
        row["score"] -= sum(points for (student, _), points in lost.items() if student == row["id"])
    return rows


def _taken(api: Any) -> dict[tuple[str, str], float]:
    """{(student, lab): points} that lateness takes."""
    root = Path(api.coursedir.root)
    found = {}
    with api.gradebook as gradebook:
        for lab in gradebook.assignments:
            late = late_policy(root, lab.name)
            if not lab.duedate or late.policy == "none":
                continue
            longer = extensions(root, lab.name)
            for submission in lab.submissions:
                due = due_of(str(submission.student_id), lab.duedate, longer)
                hours = hours_late(submission.timestamp, due, late.grace)
                found[submission.student_id, lab.name] = taken(submission.score, hours, late.policy)
    return found


_TOLD = {
    "get_assignment": _handed_out,
    "get_submission": _one,
    "get_submissions": _counted,
    "get_notebook_submissions": _counted,
    "get_students": _students,
}
