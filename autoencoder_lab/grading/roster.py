"""Who is in the class, and who may hand in later: roster.csv and extensions.csv in the course's folder."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from autoencoder_lab.grading.lab_source import LabError
from autoencoder_lab.grading.manifest import TIME, naive_utc, text_of
from autoencoder_lab.grading.names import same


def members(root: Path) -> dict[str, str]:
    """{id: name} of roster.csv (headings student and, if you like, name); none without one. Raises LabError."""
    return {row["student"]: row.get("name", "") for _, row in _rows(root / "roster.csv", {"student"})}


def extensions(root: Path, lab: str) -> dict[str, datetime]:
    """{student: until when, naive UTC} of extensions.csv (student, due, lab); an empty lab is every lab.

    The latest of a student's rows counts. Raises LabError for a line that cannot be read.
    """
    found: dict[str, datetime] = {}
    for where, row in _rows(root / "extensions.csv", {"student", "due"}):
        try:
            due = naive_utc(row["due"])
        except ValueError:
            raise LabError(f"{where}: due is {TIME}, got {row['due']!r}") from None
        if row.get("lab", "") in ("", lab):
            student = same(row["student"])
            found[student] = max(due, found.get(student, due))
    return found


def due_of(student: str, due: datetime | None, longer: Mapping[str, datetime]) -> datetime | None:
    """A student's due date; an extension never makes it earlier. None where the lab has none."""
    return max(due, longer.get(same(student), due)) if due else None


def roll_call(root: Path, lab: str, here: Sequence[str]) -> list[str]:
    """Who on the roster has not handed in, and who handed in and is not on it; nothing without a roster."""
    roster, longer = members(root), extensions(root, lab)
    if not roster:
        return []
    came, known = {same(one) for one in here}, {same(one) for one in roster}
    said = []
    for student, name in roster.items():
        if same(student) not in came:
            until = f", may until {longer[same(student)]:%Y-%m-%d %H:%M} UTC" if same(student) in longer else ""
            said.append(f"{student}: has not handed in{f' ({name})' if name else ''}{until}")
    return said + [f"{one}: handed in, but is not on the roster" for one in here if same(one) not in known]


def _rows(path: Path, needed: set[str]) -> list[tuple[str, dict[str, str]]]:
    """(its place, {heading: text}) of each row; none without the file."""
    if not path.is_file():
        return []
    text = text_of(path.read_bytes(), str(path))
    first = next((line for line in text.splitlines() if line.strip()), "")
    table = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    rows, headings = [], list[str]()
    for written in table:
        cells = [cell.strip() for cell in written]
        if not any(cells):
            continue
        if not headings:
            headings = [cell.casefold() for cell in cells]
            if not needed <= set(headings):
                raise LabError(f"{path}: the first line must name {', '.join(sorted(needed))}; found {first[:100]!r}")
            continue
        row, where = dict(zip(headings, cells, strict=False)), f"{path}, line {table.line_num}"
        if missing := [name for name in sorted(needed) if not row.get(name)]:
            raise LabError(f"{where}: {missing[0]} is empty")
        rows.append((where, row))
    return rows
