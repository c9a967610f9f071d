"""Nobody's file touches another's row: all that is kept of the others, before and after.

    with untouched(course, but={"mallory"}):
        ...  # grade what mallory handed in

Gradebook rows (marks, flags, comments, times), results, graded notebooks and feedback pages of everybody else must be
the same, byte by byte, and nobody may appear or vanish.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PER_STUDENT = {  # {table: its rows with the student's id before them}
    "student": "select id, * from student",
    "submission": "select student_id, * from submitted_assignment",
    "notebook": "select s.student_id, n.* from submitted_notebook n "
    "join submitted_assignment s on n.assignment_id = s.id",
    "grade": "select s.student_id, g.* from grade g join submitted_notebook n on g.notebook_id = n.id "
    "join submitted_assignment s on n.assignment_id = s.id",
    "comment": "select s.student_id, c.* from comment c join submitted_notebook n on c.notebook_id = n.id "
    "join submitted_assignment s on n.assignment_id = s.id",
}  # fmt: skip


def kept(root: Path, but: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """{student: {what: its content}} of all that a course's folder keeps of its students, `but` left out."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(root.glob("results/*/*.json")):
        found.setdefault(file.stem, {})[str(file.relative_to(root))] = file.read_bytes()
    for folder in ("autograded", "feedback", "submitted"):
        for file in sorted(path for path in root.glob(f"{folder}/*/**/*") if path.is_file()):
            student = file.relative_to(root).parts[1]
            found.setdefault(student, {})[str(file.relative_to(root))] = file.read_bytes()
    if (root / "gradebook.db").exists():
        with sqlite3.connect(root / "gradebook.db") as connection:
            for table, query in PER_STUDENT.items():
                for student, *row in sorted(connection.execute(query), key=repr):
                    found.setdefault(student, {}).setdefault(table, []).append(row)
    return {student: all_of_it for student, all_of_it in found.items() if student not in but}


@contextmanager
def untouched(root: Path, but: Collection[str]) -> Iterator[None]:
    """Fails where what is kept of anybody but these is another afterwards. root: the course's folder."""
    before = kept(root, but)
    yield
    after = kept(root, but)
    assert after.keys() == before.keys(), "students came or went"
    changed = [f"{who}: {what}" for who in before for what in before[who] if after[who].get(what) != before[who][what]]
    assert changed == [] and after == before
