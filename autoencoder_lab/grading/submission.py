"""What students hand in: found in folders and archives as learning platforms export them, read with suspicion.

Nothing here is extracted to disk, followed as a link or executed. A file that cannot be read is a submission with a
reason, never an error that stops the class. What lies in the class's folder is one student's each, whatever it holds:
no file can speak for another student.
"""

import io
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from autoencoder_lab.grading.containers import (
    ARCHIVE,
    LARGEST_FILE,
    MOST_PEEKED,
    NOTEBOOK,
    Member,
    Unreadable,
    bounded,
    in_archive,
    in_folder,
    is_archive,
    is_junk,
    is_lab,
    is_marked,
    looks_like_notebook,
    opened_below,
    passed_over,
    read_file,
    refuse,
    the_notebook,
)
from autoencoder_lab.grading.inert import printable
from autoencoder_lab.grading.manifest import MANIFEST, assigned, rows_of, text_of
from autoencoder_lab.grading.names import MOODLE, is_id, is_of_nobody, platform_name, same, student_of

__all__ = ["LARGEST_FILE", "Submission", "Unreadable"]
__all__ += ["collect", "find", "is_id", "student_of"]


@dataclass(frozen=True)
class Submission:
    """student: an id that is safe as a folder's name; origin: where it was found, for people to read.

    read: gives the file's bytes, raises Unreadable. timestamp: naive UTC, from the manifest, never from the file.
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
    entries, rows, around, notes = _entries(place, lab)
    if not entries:
        raise FileNotFoundError(f"no submissions: {place} holds no .ipynb and no .zip")
    groups: dict[str, list[_Entry]] = {}  # several files that a platform put down as one student's are one submission
    for entry in entries:
        of = platform_name(entry.name)
        groups.setdefault(f"{student_of(entry.name, lab)}/" if of else f"/{entry.name}", []).append(entry)
    try:
        found, left_over = assigned(rows, [[one.name for one in group] for group in groups.values()], around, lab)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    students: dict[str, list[_Group]] = {}
    for group, row in zip(groups.values(), found, strict=True):
        student = row.student if row else student_of(group[0].name, lab)
        one = _Group(student, group, row.timestamp if row else None)
        students.setdefault(same(student), []).append(one)
    submissions = [_submission(same, lab, notes) for same in students.values()]
    likely = [entry.name for entry in entries if entry.name.casefold() == MANIFEST]
    notes += [f"{name} was taken for a student's; a manifest is called {MANIFEST}, in small letters" for name in likely]
    told = [printable(note) for note in notes + left_over]  # a file's name may hold what is no text at all
    return sorted(submissions, key=lambda submission: submission.student), told


@dataclass(frozen=True)
class _Entry:
    """What lies in the class's folder. files: of a folder; opened: opens a file. One of the two is there."""

    name: str
    files: Callable[[], list[Member]] | None = None
    opened: Callable[[], BinaryIO] | None = None

    def may_hold_notebook(self) -> bool:
        """Whether its name says so; a folder always may, but for what was typed into Moodle's own page."""
        typed = (MOODLE.match(self.name) or ("",) * 3)[2] == "onlinetext"
        return not typed and (self.opened is None or any(kind.search(self.name) for kind in (NOTEBOOK, ARCHIVE)))

    def notebook(self, lab: str) -> bytes:
        """The one notebook in it. Raises Unreadable."""
        if self.opened is None:
            return the_notebook(self.members(), lab)
        with self.opened() as file:  # once: what is listed is what is read
            start = file.read(512)
            if is_archive(start):
                return the_notebook(in_archive(lambda: _again(file), self.name), lab)
            file.seek(0)
            content = bounded(file)
        if NOTEBOOK.search(self.name) or looks_like_notebook(content):
            return content
        if ARCHIVE.search(self.name):
            raise Unreadable("the archive cannot be read: it is none, or was cut off")
        kind = f"a {Path(self.name).suffix} file" if Path(self.name).suffix else "the file"
        raise Unreadable(f"{kind} cannot be read: hand in the .ipynb")

    def listed(self) -> list[Member]:
        """The files in it, where that takes no unpacking. Raises Unreadable."""
        if self.opened is None:
            return self.members()
        if not self.name.lower().endswith(".zip"):
            return []
        with self.opened() as file:
            return [replace(one, read=refuse("")) for one in in_archive(lambda: _again(file), self.name)]

    def members(self) -> list[Member]:
        """Its files, as if it were a folder. Raises Unreadable."""
        if self.files is not None:
            return self.files()
        return [Member(self.name, lambda: self.notebook(""))]


@dataclass(frozen=True)
class _Group:
    """What a platform, or the manifest, puts down as one submission."""

    student: str
    entries: Sequence[_Entry]
    timestamp: datetime | None


def _again(file: BinaryIO) -> BinaryIO:
    """The same open file from its beginning, to be closed on its own."""
    if isinstance(file, io.BytesIO):
        return io.BytesIO(file.getbuffer())
    other = os.fdopen(os.dup(file.fileno()), "rb")
    other.seek(0)
    return other


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


def _notebook(entries: Sequence[_Entry], lab: str) -> bytes:
    if len(entries) == 1:
        if (MOODLE.match(entries[0].name) or ("",) * 3)[2] == "onlinetext":
            raise Unreadable("there is a text typed into Moodle, and no notebook; hand in the .ipynb")
        return entries[0].notebook(lab)
    return the_notebook(_together(entries), lab)


def _passed_over(entries: Sequence[_Entry], lab: str) -> list[str]:
    """The notebooks of one student that are there and not read, as far as a glance tells."""
    try:
        if len(entries) == 1:
            return passed_over(entries[0].listed(), lab)
        content = _notebook(entries, lab)
    except Unreadable:
        return []
    left = [one.name for one in entries if not NOTEBOOK.search(one.name) or one.notebook(lab) != content]
    return left if any(one.name not in left for one in entries) else []


def _together(entries: Sequence[_Entry]) -> list[Member]:
    """The files of one student whom a platform gives several entries, under the names the student gave them."""
    found = []
    for entry in entries:
        own = entry.name[len(platform_name(entry.name)) :] if entry.opened else ""
        own = re.sub(r"^(_assignsubmission_file)?_|^_(LATE_)?\d+_", "", own)
        if entry.files is not None:
            found += entry.files()
        else:
            found.append(Member(own or entry.name, lambda entry=entry: _content(entry)))  # type: ignore[misc]
    return found


def _content(entry: _Entry) -> bytes:
    assert entry.opened is not None
    with entry.opened() as file:
        return bounded(file)


# --- the class's folder, or its archive ------------------------------------------------------------------------------

Entries = tuple[list[_Entry], list[Any], list[str], list[str]]


def _entries(place: Path, lab: str) -> Entries:
    """(the entries, the manifest's rows, names of folders and archives around them, what to look at)."""
    if place.is_dir():
        return _in_class_folder(place, lab, [place.name])
    place = place.resolve()  # the instructor named it: that it is a link does not matter

    def opened() -> BinaryIO:
        return opened_below(place.parent, place.name)

    try:
        with opened() as file:
            packed = is_archive(file.read(512)) or ARCHIVE.search(place.name)
        members = in_archive(opened, place.name) if packed else []
    except Unreadable as error:
        members, reason = [], str(error)
        return [_Entry(place.name, opened=_refusing(reason))], [], [], []
    around = [place.name]
    outer = members
    while top := _wrapping(members):
        around.append(top)
        members = _below(top, members)
    if not _are_a_class(members, lab):
        alone = f"{place.name} holds one submission and was taken for one student's; a class's can be unpacked, and "
        inner = [f"{alone}its folder named"] if packed and len(outer) > 1 else []
        return [_Entry(place.name, opened=opened)], [], [], inner
    rows = []
    tops: dict[str, list[Member]] = {}
    for one in members:
        top, _, rest = one.name.partition("/")
        if top == MANIFEST and not rest:
            rows += rows_of(text_of(one.read(), f"{place}: {one.name}"), f"{place}: {one.name}")
        elif not is_junk(top):
            tops.setdefault(top, []).append(Member(rest if rest or one.name.endswith("/") else one.name, one.read))
    return [_of_class(top, inside) for top, inside in tops.items()], rows, around, []


def _of_class(name: str, members: list[Member]) -> _Entry:
    if len(members) == 1 and members[0].name == name:
        read = members[0].read
        return _Entry(name, opened=lambda: io.BytesIO(read()))
    return _Entry(name, files=lambda: [member for member in members if member.name])


def _in_class_folder(place: Path, lab: str, around: list[str]) -> Entries:
    """The entries of a folder; of the one folder in it, where that is the class's."""
    names = sorted(entry.name for entry in os.scandir(place))
    manifests = [name for name in names if name == MANIFEST]
    rows = []
    for name in manifests:
        rows += rows_of(text_of(read_file(place, name), str(place / name)), str(place / name))
    names = [name for name in names if not is_junk(name) and name not in manifests]
    folders = [name for name in names if (place / name).is_dir() and not (place / name).is_symlink()]
    notes = []
    if names == folders and len(names) == 1 and not platform_name(names[0]):
        inside = _unwrapped(place, names[0])
        if inside and all(platform_name(top) for top in _tops(inside)):
            entries, more, outer, notes = _in_class_folder(place / names[0], lab, [*around, names[0]])
            within = f"{place / names[0]} was taken for the class's folder: all in it has names that a platform gives"
            return entries, rows + more, outer, notes or [within]
        if _are_a_class(inside, lab):
            notes = [
                f"{names[0]} was taken for one student's folder; if it is the class's, name it: {place / names[0]}"
            ]
    entries = [_on_disk(place, name, name in folders) for name in names]
    return entries, rows, around, notes


def _unwrapped(place: Path, name: str) -> list[Member]:
    """What lies in a folder, without folders around it all; nothing where it cannot be read."""
    try:
        members = in_folder(place, name)
    except Unreadable:
        return []
    while top := _wrapping(members):
        members = _below(top, members)
    return members


def _tops(members: Sequence[Member]) -> set[str]:
    return {one.name.split("/")[0] for one in members if not is_junk(one.name) and one.name != MANIFEST}


def _below(top: str, members: Sequence[Member]) -> list[Member]:
    inside = [Member(one.name[len(top) + 1 :], one.read) for one in members if one.name.startswith(f"{top}/")]
    return [one for one in inside if one.name]


def _on_disk(place: Path, name: str, is_folder: bool) -> _Entry:
    if is_folder:
        return _Entry(name, files=lambda: in_folder(place, name))
    return _Entry(name, opened=lambda: opened_below(place, name))


def _wrapping(members: Sequence[Member]) -> str:
    """The one folder around all of them, where there is one that is no student's by its name; else ""."""
    own = [member.name for member in members if not is_junk(member.name) and member.name != MANIFEST]
    tops = {name.split("/")[0] for name in own}
    if len(tops) != 1 or not own or any("/" not in name for name in own):
        return ""
    top = tops.pop()
    return "" if platform_name(top) else top


def _are_a_class(members: Sequence[Member], lab: str) -> bool:
    """Whether what lies in one archive or folder is many students': several of its entries are submissions.

    It is one student's where LAB.ipynb lies in it by itself, and where one entry alone holds a notebook of that name,
    one whose cells are marked, or an archive. Entries that are called as versions of one's own work are no students.
    """
    tops = _tops(members)
    if tops and all(map(platform_name, tops)):
        return True
    if any(same(NOTEBOOK.sub("", top)) == same(lab) for top in tops):
        return False
    holders: dict[str, list[Member]] = {}
    for member in members:
        top = member.name.split("/")[0]
        if is_junk(member.name) or member.name.endswith("/") or is_of_nobody(top, lab):
            continue
        if NOTEBOOK.search(member.name) or ARCHIVE.search(member.name):
            holders.setdefault(top, []).append(member)
    named = {top for top, inside in holders.items() if any(is_lab(member.name, lab) for member in inside)}
    if len(holders) < 2:
        return False
    if len(named) > 2:
        return True
    able, peeked = set(named), 0
    for top, inside in holders.items():
        for member in inside:
            if len(able) > 1 or peeked == MOST_PEEKED:
                break
            if ARCHIVE.search(member.name) or is_lab(member.name, lab):
                able.add(top)
                continue
            peeked += 1
            if is_marked(member):
                able.add(top)
    return len(able) != 1


def _refusing(reason: str) -> Callable[[], BinaryIO]:
    def opened() -> BinaryIO:
        raise Unreadable(reason)

    return opened
