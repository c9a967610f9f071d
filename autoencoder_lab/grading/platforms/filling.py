"""Marks into the file that a platform gave, by its own ids; all that the platform wrote stays byte for byte."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from autoencoder_lab.grading.export import as_text
from autoencoder_lab.grading.lab_source import LabError
from autoencoder_lab.grading.names import same
from autoencoder_lab.grading.platforms.cells import Cell, Table, table_of
from autoencoder_lab.grading.platforms.mark_files import (
    CANVAS,
    WORKSHEET,
    Platform,
    column_of,
    ids_in,
    is_maximum,
    loose,
    maximum_of,
    names_in,
    platform_of,
)
from autoencoder_lab.grading.totals import Total

NUMBERED = re.compile(r"(.+)_(\d+)")
REMARK = "Feedback comments"


@dataclass(frozen=True)
class Filled:
    """content: the new file; platform: whose it is; column: the heading under which the marks stand.

    entered: {student: row's name}; notes: sentences on everything that an instructor has to know before the import.
    """

    content: bytes
    platform: str
    column: str
    entered: Mapping[str, str]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Line:
    """A student's row. shown: what it is called in a list, by its line."""

    cells: list[Cell]
    values: dict[str, str]
    ids: set[str]
    names: set[str]
    shown: str


def filled(
    content: bytes,
    marks: Mapping[str, Total],
    lab: str,
    *,
    column: str = "",
    partial: bool = False,
    scale: bool = False,
) -> Filled:
    """The file with a mark in every row whose student has one, with two decimals.

    column: a heading, or a part of one; "" for the column that bears the lab's name. partial: also while a person has
    parts to look at. scale: to what the platform's column counts to. Raises LabError: while something is to be marked,
    for a file of no known platform, for a column that is missing or counts to something else.
    """
    waiting = [one.student for one in marks.values() if one.waiting]
    if waiting and not partial:
        raise LabError(
            f"{len(waiting)} of {len(marks)} students have parts that a person has yet to mark: {_list(waiting)}; mark "
            "them in formgrader, or say --partial to hand out what there is so far"
        )
    table = table_of(content)
    headings = [cell.value for cell in table.rows[0]] if table.rows else []
    platform = platform_of(headings)
    place = column_of(platform, headings, lab, column)
    rows = [[cell.value for cell in row] for row in table.rows[1:]]
    most = maximum_of(platform, headings, rows, place)
    of = max((one.of for one in marks.values()), default=0.0)
    if most is not None and most != of and not scale:
        raise LabError(
            f"{headings[place]!r} counts to {most:g}, {lab} to {of:g}; set it to {of:g} on the platform and download "
            "the file again, or say --scale"
        )
    lines, notes = _lines(platform, headings, table, place)
    found, alone = _matched(platform, lines, marks)
    factor = most / of if scale and most and of else 1.0
    limit = (most or of) if platform.bounded else None
    changes, more = _changes(table, found, marks, place, factor, limit)
    notes += alone + more
    if partial and waiting:
        notes.append(f"not final, since parts are still to be marked: {_list(waiting)}")
        changes |= _remarks(platform, found, marks)
    left = [line.shown for line in lines if not any(line is one for them in found.values() for one in them)]
    notes += [f"nothing was entered for {_list(left)}: no mark here belongs to these rows"] if left else []
    entered = {student: ", ".join(line.shown for line in them) for student, them in found.items()}
    return Filled(table.replaced(changes), platform.name, headings[place], entered, notes)


def _list(names: Collection[str]) -> str:
    return ", ".join(names)


def _lines(platform: Platform, headings: list[str], table: Table, place: int) -> tuple[list[_Line], list[str]]:
    """The rows of students, and what to say of those that are cut off."""
    lines, notes = [], []
    for number, cells in enumerate(table.rows[1:], 2):
        written = [cell.value for cell in cells]
        values = dict(zip(headings, written, strict=False))
        ids, names = ids_in(platform, values), names_in(platform, values)
        shown = f"{' '.join(written[:2])} (row {number})"
        if (platform is CANVAS and is_maximum(written)) or not ids | names:
            continue
        if len(cells) <= place:
            notes.append(f"{shown} has {len(cells)} cells of {len(headings)} and was left as it is")
            continue
        lines.append(_Line(cells, values, ids, names, shown))
    return lines, notes


def _matched(
    platform: Platform, lines: list[_Line], marks: Mapping[str, Total]
) -> tuple[dict[str, list[_Line]], list[str]]:
    """{student: the rows}, several for a team; and sentences on who has none, or one by the name alone.

    Where two students could have one row, or one student two rows, nobody gets it.
    """
    found, notes, by_name = dict[str, list[_Line]](), list[str](), list[str]()
    for student in marks:
        numbered = NUMBERED.fullmatch(same(student))
        ids = {same(student), f"{loose(numbered[1])}_{numbered[2]}" if numbered else same(student)}
        name = loose(numbered[1] if numbered and not platform.numbered else student)
        of_team = numbered and platform is WORKSHEET
        fitting = [line for line in lines if ids & line.ids]
        team = [
            line for line in lines if of_team and numbered and loose(line.values.get("Group", "")) == loose(numbered[1])
        ]
        if not fitting and team:
            found[student] = team
            continue
        if not fitting and (fitting := [line for line in lines if name in line.names]):
            by_name.append(student)
        if len(fitting) > 1:
            notes.append(
                f"{student}: several rows could be meant, so none was filled: {_list([x.shown for x in fitting])}"
            )
        elif fitting:
            found[student] = fitting
        else:
            notes.append(f"{student}: has a mark and no row in the file")
    wanted = Counter(id(line) for them in found.values() for line in them)
    for student, them in list(found.items()):
        if any(wanted[id(line)] > 1 for line in them):
            notes.append(f"{student}: another student could have the same row, so it was not filled: {them[0].shown}")
            del found[student]
    if sure := [student for student in by_name if student in found]:
        notes.append(f"found by the name alone, since the file has no id of theirs: {_list(sure)}")
    return found, notes


def _changes(
    table: Table,
    found: Mapping[str, list[_Line]],
    marks: Mapping[str, Total],
    place: int,
    factor: float,
    limit: float | None,
) -> tuple[dict[Cell, str], list[str]]:
    """The cells that get a mark; and sentences on marks that stood there already, and on what the platform refuses."""
    changes, notes = dict[Cell, str](), list[str]()
    comma = any(re.fullmatch(r"\d+,\d{1,2}", cell.value) for row in table.rows[1:] for cell in row)
    for student, lines in found.items():
        mark = _rounded(marks[student].points * factor)
        for line in lines:
            cell = line.cells[place]
            if cell.value.upper() == "EX":
                notes.append(f"{student}: is excused on the platform, and stays so: {line.shown}")
            elif limit is not None and mark > Decimal(str(limit)):
                notes.append(
                    f"{student}: {mark} is over the maximum of {limit:g}, which the platform refuses; enter it there"
                )
            else:
                changes[cell] = str(mark).replace(".", ",") if comma else str(mark)
                if _number(cell.value) not in (None, mark):
                    notes.append(f"{student}: {cell.value} stood there, and {changes[cell]} replaces it")
    return changes, notes


def _rounded(points: float) -> Decimal:
    return Decimal(str(round(points, 6))).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _number(text: str) -> Decimal | None:
    text = text.replace(",", ".")
    return Decimal(text) if re.fullmatch(r"-?\d+(\.\d*)?", text) else None


def _remarks(platform: Platform, found: Mapping[str, list[_Line]], marks: Mapping[str, Total]) -> dict[Cell, str]:
    """In the platform's cells for comments, where these are empty, what a mark does not hold yet."""
    said = {}
    for student, lines in found.items():
        for line in lines:
            place = list(line.values).index(REMARK) if REMARK in line.values and platform is WORKSHEET else -1
            if marks[student].waiting and place >= 0 and not line.cells[place].value:
                said[line.cells[place]] = str(as_text(marks[student].still_open))
    return said
