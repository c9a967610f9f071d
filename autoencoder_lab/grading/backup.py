"""A copy of the gradebook before each run, so that any run can be taken back."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from autoencoder_lab.files import whole
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.lab_source import LabError


def back_up(course: Course) -> Path | None:
    """Copy gradebook.db to backups/gradebook-TIME.db and return that path; earlier copies stay.

    None where there is none yet, and where --db names a database elsewhere, whose copies are its server's to make.
    Raises LabError where the gradebook cannot be read, OSError where the copy cannot be written.
    """
    book = course.root / "gradebook.db"
    if course.database or not book.is_file() or not book.stat().st_size:
        return None
    folder = course.root / "backups"
    folder.mkdir(exist_ok=True)
    stem, number = f"gradebook-{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}", 1
    copy = folder / f"{stem}.db"
    while copy.exists():  # two runs in one second
        number += 1
        copy = folder / f"{stem}-{number}.db"
    try:  # SQLite's own way: what another program writes meanwhile is in the copy whole, or not at all
        with whole(copy) as part, closing(sqlite3.connect(book)) as now, closing(sqlite3.connect(part)) as then:
            now.backup(then)
    except sqlite3.Error as error:
        raise LabError(
            f"the gradebook {book} cannot be copied before the run: {error}. Nothing was graded; close other programs "
            "that write to it, such as formgrader, and type the command again"
        ) from None
    return copy
