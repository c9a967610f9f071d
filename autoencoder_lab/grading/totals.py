"""What a student has in the end: the one reckoning that export, feedback and formgrader's lists share.

A part counts what a person gave, else what the judge gave, and extra credit on top. What is late counts as the policy
of the last `grade` says, at the moment of asking: nothing about lateness is stored but the due date and that policy.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from autoencoder_lab.files import write_whole
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.lab_source import LabError
from autoencoder_lab.grading.roster import due_of, extensions

POLICIES = {"none": "late work counts in full", "zero": "late work counts nothing"}
A_DAY = re.compile(r"(\d{1,3}(?:\.\d+)?)%")


@dataclass(frozen=True)
class Late:
    """due: naive UTC, or None for what the gradebook says; grace: hours after it in which work is still in time.

    policy: "none" (late ones count in full), "zero", or per cent of the points reached for each day begun: "10%".
    """

    due: datetime | None = None
    policy: str = "none"
    grace: float = 0.0

    @property
    def told(self) -> str:
        """In words what late work counts."""
        in_time = f"; up to {self.grace:g} hours after the due date count as in time" if self.grace else ""
        takes = f"each day begun after the due date takes {self.policy} of the points reached"
        return POLICIES.get(self.policy, takes) + in_time


def is_policy(text: str) -> bool:
    """Whether it is none, zero or a percentage from 0 to 100."""
    a_day = A_DAY.fullmatch(text)
    return text in POLICIES or bool(a_day and float(a_day[1]) <= 100)


def taken(reached: float, hours: float, policy: str) -> float:
    """The points that lateness takes. reached: without it; hours: after the due date, 0 for what is in time."""
    if not hours or policy == "none":
        return 0.0
    if policy == "zero":
        return reached
    return round(reached * min(1.0, float(policy.rstrip("%")) / 100 * math.ceil(hours / 24)), 2)


ON_TIME = Late()


@dataclass(frozen=True)
class PartMark:
    """One part's marks. automatic: the judge's; given: a person's; extra: a person's on top; comment: a person's words.

    waits: a person has to look at it, for the first time or once more. by_hand: a question that only a person marks.
    """

    name: str
    of: float
    automatic: float | None = None
    given: float | None = None
    extra: float = 0.0
    waits: bool = False
    by_hand: bool = False
    comment: str = ""

    @property
    def points(self) -> float:
        """What counts now."""
        return (self.given if self.given is not None else self.automatic or 0.0) + self.extra

    @property
    def shown(self) -> str:
        """The points in words: never a sum that a person has yet to make as if they had made it."""
        extra = f", {self.extra:g} of them extra" if self.extra else ""
        if self.waits and self.given is None and (self.by_hand or self.automatic is None):
            return "not marked yet" + (f"; {self.extra:g} extra so far" if self.extra else "")
        again = "; a person will look at it" if self.waits else ""
        return f"{self.points:g} of {self.of:g}{extra}{again}"


@dataclass(frozen=True)
class Total:
    """All of a student's marks in a lab. reached: the sum of the parts; points: what of it counts.

    late: hours after the due date, 0 where it was in time or no time is known.
    """

    student: str
    parts: Mapping[str, PartMark]
    late: float = 0.0
    policy: str = "none"
    timestamp: str = ""

    @property
    def reached(self) -> float:
        """The sum over the parts."""
        return round(sum(part.points for part in self.parts.values()), 6)

    @property
    def penalty(self) -> float:
        """What lateness takes."""
        return taken(self.reached, self.late, self.policy)

    @property
    def points(self) -> float:
        """What counts."""
        return round(self.reached - self.penalty, 6)

    @property
    def of(self) -> float:
        """What can be reached without extra credit."""
        return sum(part.of for part in self.parts.values())

    @property
    def waiting(self) -> list[PartMark]:
        """The parts that a person has to look at."""
        return [part for part in self.parts.values() if part.waits]

    @property
    def lateness(self) -> str:
        """In words; "" where nothing was late."""
        return lateness(self.late, self.policy, self.reached)

    @property
    def still_open(self) -> str:
        """In words what the sum does not say yet; "" where it is final."""
        if not self.waiting:
            return ""
        names = ", ".join(part.name.removeprefix("test_") for part in self.waiting)
        return f"So far: {names} (worth {sum(part.of for part in self.waiting):g}) has yet to be looked at by a person."


def lateness(hours: float, policy: str, reached: float) -> str:
    """Late work in words; "" where nothing was late. hours: after the due date; reached: points without lateness."""
    if not hours:
        return ""
    counts = {"none": "and counts in full", "zero": f"so none of its {reached:g} points count"}.get(policy, "")
    if not counts:
        days = math.ceil(hours / 24)
        takes = f"{policy} for each of {days} days begun" if days > 1 else f"{policy} for the day begun"
        counts = f"which takes {taken(reached, hours, policy):g} of its {reached:g} points ({takes})"
    return f"{hours:.1f} hours late, {counts}"


def hours_late(when: datetime | None, due: datetime | None, grace: float = 0.0) -> float:
    """Hours after the due date, at least a tenth of one; 0.0 where it is in time or one of the two is unknown.

    grace: hours after it in which work is in time. What comes after them is late by all the hours since the due date.
    """
    seconds = (when - due).total_seconds() if when and due else 0.0
    return max(0.1, seconds / 3600) if seconds > 3600 * grace else 0.0


def late_policy(root: Path, lab: str) -> Late:
    """What the last `grade` of a lab said of late work, without a due date; ON_TIME where it said nothing."""
    try:
        said = json.loads((root / "results" / f"{lab}-late.json").read_text(encoding="utf-8"))
        policy, grace = str(said["policy"]), float(said.get("grace", 0.0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ON_TIME
    return Late(None, policy, grace) if is_policy(policy) else ON_TIME


def keep_policy(root: Path, lab: str, late: Late) -> None:
    """Let `late_policy` say this from now on."""
    (root / "results").mkdir(parents=True, exist_ok=True)
    said = json.dumps({"policy": late.policy, "grace": late.grace})
    write_whole(root / "results" / f"{lab}-late.json", f"{said}\n")


@contextmanager
def opened(course: Course) -> Iterator[Any]:
    """The gradebook; what goes wrong with the database is one LabError that says what to do.

    What was not committed is as it was.
    """
    from nbgrader.api import Gradebook
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        shown = make_url(course.gradebook).render_as_string(hide_password=True)
    except ArgumentError as error:
        raise LabError(
            f"--db is a database URL such as postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, got {course.gradebook!r}"
        ) from error
    said = ""
    try:
        with Gradebook(course.gradebook) as gradebook:
            yield gradebook
    except (SQLAlchemyError, ImportError) as error:  # ImportError: no driver
        said = str(getattr(error, "orig", None) or error).splitlines()[0]
    except ValueError as error:  # nbgrader's own, which wraps the database's
        if not isinstance(error.__context__, SQLAlchemyError):
            raise
        said = str(getattr(error.__context__, "orig", None) or error).splitlines()[0]
    if "locked" in said:
        raise LabError(
            f"the gradebook {shown} is locked: another program, such as formgrader, is writing to it. "
            "What was graded is kept; close that program and type the command again"
        )
    if "disk is full" in said or "No space left" in said:  # SQLite's words, and those of a server
        raise LabError(
            f"the disk of the gradebook {shown} is full: {said}. What was graded is kept, what people gave is "
            "as it was. Free some space and type the command again"
        )
    if said:
        raise LabError(f"the gradebook {shown} cannot be opened: {said}")


def totals(course: Course, lab: str) -> dict[str, Total]:
    """{student: Total} of all submissions in the gradebook, in the order of their ids; none for an unknown lab.

    The penalties that nbgrader keeps are brought up to date on the way, for its own pages and export.
    """
    from nbgrader.api import MissingEntry

    late, longer = late_policy(course.root, lab), extensions(course.root, lab)
    with opened(course) as gradebook:
        try:
            assignment = gradebook.find_assignment(lab)
        except MissingEntry:
            return {}
        found = {}
        for submission in sorted(assignment.submissions, key=lambda one: str(one.student_id)):
            total = found[str(submission.student_id)] = total_of(
                submission, due_of(str(submission.student_id), assignment.duedate, longer), late
            )
            (paper,) = submission.notebooks
            if (paper.late_submission_penalty or 0.0) != total.penalty:
                paper.late_submission_penalty = total.penalty or None
        gradebook.db.commit()
    return found


def total_of(submission: Any, due: datetime | None, late: Late) -> Total:
    """The Total of one of nbgrader's submissions. due: this student's."""
    (paper,) = submission.notebooks
    comments = {comment.name: comment.manual_comment or "" for comment in paper.comments}
    parts = {
        grade.name: PartMark(
            grade.name,
            grade.max_score,
            grade.auto_score,
            grade.manual_score,
            grade.extra_credit or 0.0,
            grade.needs_manual_grade,
            grade.cell.cell_type == "markdown",
            comments.get(grade.name, ""),
        )
        for grade in paper.grades
    }
    when = submission.timestamp
    hours = hours_late(when, due, late.grace)
    return Total(submission.student_id, parts, hours, late.policy, when.isoformat() if when else "")
