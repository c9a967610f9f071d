"""Marks for other systems: a table (Canvas, Moodle, a spreadsheet) and Gradescope's results.json."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoencoder_lab.files import whole, write_whole
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.grade import PartResult, Result
from autoencoder_lab.grading.inert import printable
from autoencoder_lab.grading.totals import PartMark, totals


def write_csv(course: Course, lab: str, path: Path) -> None:
    """One row a student, UTF-8; text that a spreadsheet would take for a formula is written as text.

    points is what counts, lateness taken off (penalty; late says it in words); the parts are before that, with what a
    person gave and extra credit in them.
    """
    marks = list(totals(course, lab).values())
    names = list(marks[0].parts) if marks else []
    with whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["student", "points", "of", "penalty", "to mark", "timestamp", *names, "late"])
        for one in marks:
            row = [one.student, one.points, one.of, one.penalty, len(one.waiting), one.timestamp]
            row += [one.parts[name].points if name in one.parts else None for name in names]
            table.writerow([as_text(value) for value in [*row, one.lateness]])


def as_text(value: Any) -> Any:
    """The value, unless a spreadsheet would calculate with it: then a quote stands before it."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def write_gradescope(results: list[Result], course: Course, lab: str, folder: Path) -> None:
    """One results.json a student, in Gradescope's form (tests with score, max_score, name and output).

    Whoever is not in the gradebook gets none. What people mark is among the tests. The score is what counts; where that
    is not the sum of the tests, since the work is late, output says so.
    """
    marks = totals(course, lab)
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        if (total := marks.get(result.student)) is None:
            continue
        judged = {part.grade_id: part for part in result.parts}
        tests = [_test(mark, judged.get(name)) for name, mark in total.parts.items()]
        said = " ".join(filter(None, (result.reason and f"Not graded: {result.reason}.", _sentence(total.lateness))))
        said = " ".join(filter(None, (said, total.still_open)))
        body = {"score": total.points, "output": printable(said), "output_format": "text", "tests": tests}
        body |= {"stdout_visibility": "hidden"}
        write_whole(folder / f"{result.student}.json", json.dumps(body, ensure_ascii=False, indent=1))


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _test(mark: PartMark, judged: PartResult | None) -> Mapping[str, Any]:
    said = (judged.said or "right") if judged else ""
    if mark.given is not None:
        said = " ".join(filter(None, (f"A person gave {mark.given:g}.", mark.comment, said and f"(The judge: {said})")))
    if mark.waits or not judged:
        said = " ".join(filter(None, (f"{mark.shown[:1].upper()}{mark.shown[1:]}.", said)))
    test = {"name": mark.name, "score": mark.points, "max_score": mark.of}
    return test | {"output": printable(said, "\n"), "output_format": "text", "visibility": "visible"}
