"""What constants and a friend's numbers earn where a lab asks for numbers, over 30 ids; stored beside the other rows.

PYTHONPATH=.:tests python -m labs.reckoning_of_numbers        measures the labs whose row is not of the present code
"""

import contextlib
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from autoencoder_lab.files import write_whole
from autoencoder_lab.grading.judge import Mark, StagedPart
from labs.reckoning import ROWS, Row, judge_of, reached_text, tree
from labs.sources import ASSIGNMENTS, LABS, answers_of, source_of

IDS = [f"student{i}" for i in range(30)]
FILE = ROWS / "numbers.jsonl"
Numbers = Mapping[str, Any]


def reading(lab: str) -> StagedPart:
    """The part in which numbers are read."""
    return next(p for p in judge_of(lab).parts if isinstance(p, StagedPart) and p.grade_id == "test_reading")


@cache
def names(lab: str) -> tuple[str, ...]:
    """Of the numbers."""
    asked: list[str] = []

    def ask(probe: str, until: str = "", **_: Any) -> Any:
        asked.append(probe)
        raise StopIteration

    with contextlib.suppress(StopIteration):
        reading(lab).judge(ask, np.random.default_rng())  # type: ignore[arg-type]
    return tuple(name for name in answers_of(lab)["reading"].split() if f"'{name}'" in asked[0])


def right_numbers(lab: str, student: str) -> Numbers:
    """What the reference solution reads for an id: the lab's cells run as a student's notebook would."""
    place: dict[str, Any] = {}
    needed = reading(lab).needs
    for cell in source_of(lab).cells:
        marked = cell.metadata.get("nbgrader", {})
        name = marked.get("grade_id", "")
        if cell.cell_type != "code" or marked.get("grade") or name == "data":
            continue
        if name == "student":
            place["STUDENT"] = student
        elif name in needed or name in ("imports", "cut"):
            with contextlib.redirect_stdout(io.StringIO()):
                exec(answers_of(lab).get(name, cell.source), place)
    return {name: place[name] for name in dict.fromkeys(names(lab))}


def share(lab: str, student: str, numbers: Numbers) -> float:
    """What these numbers earn the student of this id."""

    def ask(probe: str, until: str = "", **_: Any) -> Any:
        values = {} if until else {name: np.array(value, dtype="f8") for name, value in numbers.items()}
        return {"STUDENT": np.array(student)} | values

    mark = reading(lab).judge(ask, np.random.default_rng())  # type: ignore[arg-type]
    assert isinstance(mark, Mark)
    return mark.share


def best_constants(lab: str, right: Mapping[str, Numbers]) -> Numbers:
    """For each number the value, of those that are right for some id, which is right for most."""

    def hits(name: str, value: Any) -> int:
        near = [student for student in IDS if _near(value, right[student][name])]
        return sum(share(lab, student, {**right[student], name: value}) == 1 for student in near)

    return {
        name: max((right[student][name] for student in IDS), key=lambda value, name=name: hits(name, value))
        for name in right[IDS[0]]
    }


def _near(value: Any, wanted: Any) -> bool:
    """Whether a value could be right at all: within a hundredth; what is no number, equal."""
    if isinstance(value, list):
        return bool(value == wanted)
    return abs(value - wanted) <= 0.01 * abs(wanted)


def measure(lab: str) -> list[Row]:
    """The rows of a lab."""
    right = {student: right_numbers(lab, student) for student in IDS}
    constants = best_constants(lab, right)
    given: dict[str, Sequence[Numbers]] = {
        "the reference": list(right.values()),
        "the best constants": [constants] * len(IDS),
        "a friend's numbers": [right[IDS[i - 1]] for i in range(len(IDS))],
    }
    rows = []
    for answer, numbers in given.items():
        shares = [share(lab, student, one) for student, one in zip(IDS, numbers, strict=True)]
        full = sum(value == 1 for value in shares)
        rows.append({"lab": lab, "answer": answer, "ids": len(IDS), "mean": round(float(np.mean(shares)), 4)})
        rows[-1] |= {"full": full, "code": code_of(lab)}
    return rows


@cache
def code_of(lab: str) -> str:
    """A hash of what judges the numbers, of the collections they are read off, and of the reference solution."""
    text = (ASSIGNMENTS / "judges" / f"{lab}.py").read_text(encoding="utf-8")
    reached = tree().notebook(reached_text(text, "judge_reading"))
    return hashlib.sha256(f"{reached}{answers_of(lab)['reading']}".encode()).hexdigest()[:12]


def read_rows() -> list[Row]:
    """All stored rows."""
    return [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()] if FILE.exists() else []


def main() -> None:
    """The command."""
    for lab in LABS:
        if any(row["lab"] == lab and row["code"] == code_of(lab) for row in read_rows()):
            continue
        rows = [row for row in read_rows() if row["lab"] != lab] + measure(lab)
        rows.sort(key=lambda row: str(row["lab"]))
        write_whole(FILE, "".join(json.dumps(row) + "\n" for row in rows))
        print(*(row for row in rows if row["lab"] == lab), sep="\n", flush=True)


if __name__ == "__main__":
    main()
