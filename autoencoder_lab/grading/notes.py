"""What an instructor should look at, kept for each student until that student's row is another one."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoencoder_lab.files import write_whole
from autoencoder_lab.grading.grade import Result

EVERYBODY = ""  # no student's id


def keep_notes(file: Path, results: Sequence[Result], notes: Sequence[str], unread: Sequence[str]) -> None:
    """Put the notes of one run to those that are there.

    notes: on rows, which stay as long as the row does; unread: on files, which are said anew by each run. Each begins
    with the student it is about and a colon, or is about the whole class; what was said of that before goes.
    """
    kept = _read(file)
    rows = {EVERYBODY: ""} | {result.student: _row(result) for result in results}
    for student, row in rows.items():
        before = kept.get(student, {})
        same_row = row and before.get("row") == row
        own = [note for note in notes if _whose(note, rows) == student]
        files = [note for note in unread if _whose(note, rows) == student]
        kept[student] = {"row": row, "notes": list(dict.fromkeys([*(before["notes"] if same_row else []), *own]))}
        kept[student]["files"] = files
    kept = {student: one for student, one in kept.items() if one["notes"] or one["files"]}
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(kept, ensure_ascii=False, indent=1))


def notes_on(file: Path, results: Sequence[Result]) -> list[str]:
    """The notes on the class and on these students."""
    kept, wanted = _read(file), [EVERYBODY, *sorted(result.student for result in results)]
    return [note for name in wanted if name in kept for note in [*kept[name]["files"], *kept[name]["notes"]]]


def _whose(note: str, students: dict[str, str]) -> str:
    student = note.partition(": ")[0]
    return student if student in students else EVERYBODY


def _row(result: Result) -> str:
    return hashlib.sha256(repr(replace(result, cells=[])).encode()).hexdigest()[:16]


def _read(file: Path) -> dict[str, Any]:
    """The notes there are; an earlier version kept one list for all."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {EVERYBODY: {"row": "", "notes": kept, "files": []}}
