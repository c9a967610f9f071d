"""What students hand in: found in folders and archives as learning platforms export them, read with suspicion.

Nothing here is extracted to disk, followed as a link or executed. A file that cannot be read is a submission with a
reason, never an error that stops the class. What lies in the class's folder is one student's each, whatever it holds:
no file can speak for another student.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from autoencoder_lab.grading.class_folder import Entry, entries_of
from autoencoder_lab.grading.containers import (
    LARGEST_FILE,
    NOTEBOOK,
    Member,
    Unreadable,
    bounded,
    passed_over,
    refuse,
    the_notebook,
)
from autoencoder_lab.grading.inert import printable
from autoencoder_lab.grading.manifest import MANIFEST, assigned
from autoencoder_lab.grading.names import (
    BLACKBOARD,
    BRIGHTSPACE,
    METADATA,
    MOODLE,
    as_written,
    is_id,
    kept_apart,
    own_name,
    platform_name,
    same,
    student_of,
)
from autoencoder_lab.grading.platforms.downloads import submitters, when_of

__all__ = ["LARGEST_FILE", "Submission", "Unreadable"]
__all__ += ["collect", "find", "is_id", "student_of"]


@dataclass(frozen=True)
class Submission:
    """student: an id that is safe as a folder's name; origin: where it was found, for people to read.

    read: gives the file's bytes, raises Unreadable. timestamp: naive UTC, from the manifest or the platform, never from
    the file.
    """

    student: str
    origin: str
    read: Callable[[], bytes]
    timestamp: datetime | None = None


def find(place: Path, lab: str) -> list[Submission]:
    """All submissions of a lab, as `collect` finds them."""
    return collect(place, lab)[0]


def collect(place: Path, lab: str) -> tuple[list[Submission], list[str]]:
    """All submissions of a lab in a class's folder or archive, a student each, by their ids; and what to look at.

    Every entry of the folder is a submission: a notebook, a student's folder or archive, Moodle's
    "Name_123_assignsubmission_file_" and Canvas's "name_123_456_FILE", of which several may be one student's; also what
    cannot be read, with the reason. An archive named by itself is a class's where it holds several submissions.
    manifest.csv beside them (file, student, timestamp in ISO 8601) prevails over names; the sentences that come back
    name its rows that fit nothing, and what lay beside a student's notebook unread.
    Raises FileNotFoundError where there is nothing, ValueError for a faulty manifest.
    """
    if not place.exists():
        raise FileNotFoundError(f"no submissions: {place} is not there")
    entries, rows, around, notes = entries_of(place, lab)
    if not entries:
        raise FileNotFoundError(f"no submissions: {place} holds no .ipynb and no .zip")
    try:
        groups, told_by = _grouped(entries, lab, str(place))
        found, left_over = assigned(rows, [[one.name for one in group] for group in groups.values()], around, lab)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    students: dict[str, dict[str, list[_Group]]] = {}
    for (key, group), row in zip(groups.items(), found, strict=True):
        name, when = told_by.get(key, (group[0].name, None))
        student = row.student if row else student_of(name, lab)
        written = same(student) if row else as_written(name, lab)
        newest, attempt = _newest(group, student, notes)
        one = _Group(student, newest, row.timestamp if row else when or attempt)
        students.setdefault(same(student), {}).setdefault(written, []).append(one)
    submissions = [_submission(one, lab, notes) for them in students.values() for one in _apart(them, notes)]
    likely = [entry.name for entry in entries if entry.name.casefold() == MANIFEST]
    notes += [f"{name} was taken for a student's; a manifest is called {MANIFEST}, in small letters" for name in likely]
    told = [printable(note) for note in notes + left_over]  # a file's name may hold what is no text at all
    return sorted(submissions, key=lambda submission: submission.student), told


def _grouped(
    entries: Sequence[Entry], lab: str, where: str
) -> tuple[dict[str, list[Entry]], dict[str, tuple[str, datetime | None]]]:
    """Several files that a platform put down as one student's are one group; of Gradescope's, (student, time) too."""
    people = submitters(entries, where)
    groups: dict[str, list[Entry]] = {}
    told_by: dict[str, tuple[str, datetime | None]] = {}
    of_brightspace = any(BRIGHTSPACE.match(entry.name) for entry in entries)
    for entry in entries:
        if (people and entry.name == METADATA) or (of_brightspace and entry.name == "index.html"):
            continue
        for one in people.get(entry.name, []):
            key = f"{entry.name}/{one.name}"
            groups[key], told_by[key] = [entry], (re.sub(r"[/\\\\]", " ", one.name), one.when)
        if not people.get(entry.name):
            of = platform_name(entry.name)
            groups.setdefault(f"{student_of(entry.name, lab)}/" if of else f"/{entry.name}", []).append(entry)
    return groups, told_by


def _newest(group: Sequence[Entry], student: str, notes: list[str]) -> tuple[list[Entry], datetime | None]:
    """(the files of a student's newest attempt, its time); without the text that Blackboard lays beside them."""
    times = {entry.name: when_of(entry.name) for entry in group}
    known = [when for when in times.values() if when]
    last = max(known, default=None)
    newest = [entry for entry in group if times[entry.name] == last]
    if earlier := [entry.name for entry in group if entry not in newest]:
        notes.append(f"{student}: the newest attempt counts; an earlier one was not read: {', '.join(earlier[:9])}")
    files = [entry for entry in newest if not (BLACKBOARD.match(entry.name) and own_name(entry.name) == ".txt")]
    return files or newest, last


@dataclass(frozen=True)
class _Group:
    """What a platform, or the manifest, puts down as one submission."""

    student: str
    entries: Sequence[Entry]
    timestamp: datetime | None


def _apart(them: dict[str, list[_Group]], notes: list[str]) -> list[list[_Group]]:
    """Those who have one id are one student, unless it is by signs alone that no id can hold."""
    if len(them) == 1:
        return list(them.values())
    found = []
    for written, groups in them.items():
        student = groups[0].student
        if written != same(student):
            student = kept_apart(student, written)
            names = ", ".join(entry.name for group in groups for entry in group.entries)
            notes.append(f"{student}: {names} has that id since another's name differs by signs alone")
        found.append([replace(group, student=student) for group in groups])
    return found


COUNT = {2: "two", 3: "three", 4: "four"}


def _submission(groups: Sequence[_Group], lab: str, notes: list[str]) -> Submission:
    """The one submission of a student; where several files could be it, one that refuses and names them all."""
    student = groups[0].student
    able = [group for group in groups if any(entry.may_hold_notebook() for entry in group.entries)] or groups
    used = [entry for group in able for entry in group.entries if entry.may_hold_notebook()]
    every = [entry.name for group in groups for entry in group.entries]
    if len(able) > 1:
        *first, last = every
        files = f"{COUNT.get(len(every), len(every))} files are {student}'s, {', '.join(first)} and {last}"
        reason = f"{files}; remove all but one, or name them in {MANIFEST}"
        return Submission(student, ", ".join(every), refuse(reason), able[0].timestamp)
    used = used or list(able[0].entries)
    if others := _passed_over(used, lab):
        notes.append(f"{student}: {', '.join(others[:9])} was not read; another notebook goes before it")
    if unread := [name for name in every if name not in {entry.name for entry in used}]:
        notes.append(f"{student}: {', '.join(unread)} was not read, {', '.join(entry.name for entry in used)} was")
    return Submission(student, ", ".join(entry.name for entry in used), lambda: _notebook(used, lab), able[0].timestamp)


def _notebook(entries: Sequence[Entry], lab: str) -> bytes:
    if len(entries) == 1:
        if (MOODLE.match(entries[0].name) or ("",) * 3)[2] == "onlinetext":
            raise Unreadable("there is a text typed into Moodle, and no notebook; hand in the .ipynb")
        return entries[0].notebook(lab)
    return the_notebook(_together(entries), lab)


def _passed_over(entries: Sequence[Entry], lab: str) -> list[str]:
    """The notebooks of one student that are there and not read, as far as a glance tells."""
    try:
        if len(entries) == 1:
            return passed_over(entries[0].listed(), lab)
        content = _notebook(entries, lab)
    except Unreadable:
        return []
    left = [one.name for one in entries if not NOTEBOOK.search(one.name) or one.notebook(lab) != content]
    return left if any(one.name not in left for one in entries) else []


def _together(entries: Sequence[Entry]) -> list[Member]:
    """The files of one student whom a platform gives several entries, under the names the student gave them."""
    found = []
    for entry in entries:
        own = own_name(entry.name) if entry.opened else ""
        if entry.files is not None:
            found += entry.files()
        else:
            found.append(Member(own or entry.name, lambda entry=entry: _content(entry)))  # type: ignore[misc]
    return found


def _content(entry: Entry) -> bytes:
    assert entry.opened is not None
    with entry.opened() as file:
        return bounded(file)
