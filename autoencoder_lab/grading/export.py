"""Marks for other systems: a table (Canvas, Moodle, a spreadsheet) and Gradescope's results.json."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autoencoder_lab.files import whole, write_whole
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.grade import Result


def final_marks(course: Course, lab: str) -> Iterator[dict[str, Any]]:
    """Per student what the gradebook says now, marks by hand included: {"student", "parts", "penalty", "points", …}."""
    from nbgrader.api import Gradebook

    with Gradebook(course.gradebook) as gradebook:
        for submission in sorted(gradebook.find_assignment(lab).submissions, key=lambda one: one.student_id):
            (paper,) = submission.notebooks
            yield {
                "student": submission.student_id,
                "parts": {grade.name: grade.score for grade in paper.grades},
                "penalty": paper.late_submission_penalty or 0.0,
                "points": max(0.0, paper.score - (paper.late_submission_penalty or 0.0)),
                "of": paper.max_score,
                "to mark": sum(grade.needs_manual_grade for grade in paper.grades),
                "timestamp": submission.timestamp.isoformat() if submission.timestamp else "",
            }


def write_csv(course: Course, lab: str, path: Path) -> None:
    """One row a student, UTF-8; text that a spreadsheet would take for a formula is written as text."""
    marks = list(final_marks(course, lab))
    names = list(marks[0]["parts"]) if marks else []
    columns = ["student", "points", "of", "penalty", "to mark", "timestamp"]
    with whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([*columns, *names])
        for one in marks:
            row = [*(one[column] for column in columns), *(one["parts"].get(name) for name in names)]
            table.writerow([as_text(value) for value in row])


def as_text(value: Any) -> Any:
    """The value, unless a spreadsheet would calculate with it: then a quote stands before it."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def write_gradescope(results: list[Result], course: Course, lab: str, folder: Path) -> None:
    """One results.json a student, in Gradescope's form (tests with score, max_score, name and output)."""
    marks = {one["student"]: one for one in final_marks(course, lab)}
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        one = marks[result.student]
        tests = [
            {"name": part.grade_id, "score": one["parts"].get(part.grade_id, part.points), "max_score": part.of}
            | {"output": part.said or "right", "output_format": "text", "visibility": "visible"}
            for part in result.parts
        ]
        body = {"score": one["points"], "output": result.reason, "tests": tests, "stdout_visibility": "hidden"}
        write_whole(folder / f"{result.student}.json", json.dumps(body, ensure_ascii=False, indent=1))
