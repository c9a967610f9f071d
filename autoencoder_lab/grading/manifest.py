"""manifest.csv, in which an instructor says whose a file is and when it came: the only source of times."""

import csv
import io
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from autoencoder_lab.grading.names import ENDING, is_id, same

MANIFEST = "manifest.csv"


TIME = "a time such as 2026-11-30T23:59+01:00"
COLUMNS = f"a first line with the headings file, student and, where times count, timestamp ({TIME})"


def naive_utc(text: str) -> datetime:
    """A time in ISO 8601 as naive UTC; one without a zone is taken for UTC. Raises ValueError."""
    when = datetime.fromisoformat(text.strip())
    return when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when


def text_of(content: bytes, where: str) -> str:
    """A manifest as text: UTF-8, or UTF-16 with its mark, as Excel writes it. Raises ValueError."""
    try:
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{where} is no UTF-8 text; save it as UTF-8") from None


@dataclass(frozen=True)
class Row:
    """file: as it was written; timestamp: naive UTC."""

    file: str
    student: str
    timestamp: datetime | None


def rows_of(text: str, where: str) -> list[Row]:
    """The rows of a manifest. where: its place, for the ValueError that a faulty line raises.

    Commas, semicolons or tabs stand between its columns, as the first line has them; capitals in the headings, spaces
    around what is written, and empty rows do not matter.
    """
    text = text.removeprefix("\ufeff")
    first = next((line for line in text.splitlines() if line.strip(" ,;\t")), "")
    if re.match(r"sep=.\s*$", first):  # Excel's own line
        text = text.replace(first, "", 1)
        first = next((line for line in text.splitlines() if line.strip(" ,;\t")), "")
    between = max(",;\t", key=first.count)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=between, skipinitialspace=True)
    rows, headings = list[Row](), list[str]()
    try:
        for written in table:
            cells = [cell.strip() for cell in written]
            if not any(cells):
                continue
            if not headings:
                headings = [cell.casefold() for cell in cells]
                if not {"file", "student"} <= set(headings):
                    raise ValueError(f"{where}, line {table.line_num}: expected {COLUMNS}, found {first[:100]!r}")
                continue
            rows.append(_row(dict(zip(headings, cells, strict=False)), f"{where}, line {table.line_num}"))
    except csv.Error as error:
        raise ValueError(f"{where}, line {table.line_num}: {error}") from None
    return rows


def _row(cells: dict[str, str], where: str) -> Row:
    """One row, by its headings. where: its line, for the ValueError that names what is wrong in it."""
    name, student, when = (cells.get(heading, "") for heading in ("file", "student", "timestamp"))
    if not name:
        raise ValueError(f"{where}: no file is named; expected file, student and timestamp")
    if not is_id(student):
        raise ValueError(f"{where}: {student!r} is no id; use letters, digits, _ - and . alone")
    try:
        return Row(name, student, naive_utc(when) if when else None)
    except (ValueError, OverflowError):
        raise ValueError(f"{where}: expected {TIME} in ISO 8601, or nothing, got {when!r}") from None


def assigned(
    rows: Sequence[Row], submissions: Sequence[Collection[str]], around: Collection[str], lab: str
) -> tuple[list[Row | None], list[str]]:
    """The row of each submission, and a sentence for each row that fits none.

    submissions: of each the names of its files or its folder, as they lie in the class's folder; around: names of
    folders and archives around these, which a row may begin with. A row names the file, its folder or archive, or a
    file in there, with or without an ending. What is written exactly so goes first; then case, Unicode form, "\\" and
    "./" do not matter. Raises ValueError for rows that contradict each other.
    """
    found: list[Row | None] = [None] * len(submissions)
    left = list(rows)
    for form in (_whole, lambda name: _stem(_whole(name)), _loose, lambda name: _stem(_loose(name))):
        outer = {form(name) for name in around}
        fitting: dict[int, list[Row]] = {}
        for row in left:
            steps = _steps(row.file)
            while len(steps) > 1 and form(steps[0]) in outer:
                steps.pop(0)
            for index, names in enumerate(submissions):
                if found[index] is None and form(steps[0]) in {form(name) for name in names}:
                    fitting.setdefault(index, []).append(row)
        for index, several in fitting.items():
            found[index] = _one_of(several, lab)
        used = {row.file for several in fitting.values() for row in several}
        left = [row for row in left if row.file not in used]
    unused = f"{MANIFEST} names {{}}, {{}}'s, and nothing of that name was handed in"
    return found, [unused.format(row.file, row.student) for row in left]


def _one_of(fitting: Sequence[Row], lab: str) -> Row:
    """Of several rows on one student's files, that of the lab."""
    chosen = [row for row in fitting if _loose(lab) in _loose(_steps(row.file)[-1])] or fitting
    if len({(row.student, row.timestamp) for row in chosen}) > 1:
        rows = "; ".join(f"{row.file} is {row.student}'s" for row in chosen[:4])
        raise ValueError(f"{MANIFEST} has several rows for one submission: {rows}; leave one")
    return chosen[0]


def _steps(path: str) -> list[str]:
    return [step for step in path.replace("\\", "/").split("/") if step not in ("", ".")] or [path]


def _whole(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _loose(name: str) -> str:
    return same(name)


def _stem(name: str) -> str:
    return ENDING.sub("", name)
