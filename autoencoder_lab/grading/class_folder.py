"""The entries of a class's folder, or of its archive: what is whose by its place, before anybody's name is read.

A folder or archive inside the class's is one student's, whatever it holds; a folder around the whole class is known by
the names that platforms give. What was named by itself may be a class's archive.
"""

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from autoencoder_lab.grading.containers import (
    ARCHIVE,
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
    is_readme,
    is_systems,
    looks_like_notebook,
    opened_below,
    read_file,
    refuse,
    the_notebook,
)
from autoencoder_lab.grading.manifest import MANIFEST, rows_of, text_of
from autoencoder_lab.grading.names import MOODLE, are_a_platforms, is_of_nobody, platform_name, same


@dataclass(frozen=True)
class Entry:
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


def _again(file: BinaryIO) -> BinaryIO:
    """The same open file from its beginning, to be closed on its own."""
    if isinstance(file, io.BytesIO):
        return io.BytesIO(file.getbuffer())
    other = os.fdopen(os.dup(file.fileno()), "rb")
    other.seek(0)
    return other


Entries = tuple[list[Entry], list[Any], list[str], list[str]]


def entries_of(place: Path, lab: str) -> Entries:
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
        return [Entry(place.name, opened=_refusing(reason))], [], [], []
    around = [place.name]
    outer = members
    while top := _wrapping(members):
        around.append(top)
        members = _below(top, members)
    if not _are_a_class(members, lab):
        alone = f"{place.name} holds one submission and was taken for one student's; a class's can be unpacked, and "
        inner = [f"{alone}its folder named"] if packed and len(outer) > 1 else []
        return [Entry(place.name, opened=opened)], [], [], inner
    rows, notes = [], list[str]()
    tops: dict[str, list[Member]] = {}
    for one in members:
        top, _, rest = one.name.partition("/")
        if top == MANIFEST and not rest:
            rows += rows_of(text_of(one.read(), f"{place}: {one.name}"), f"{place}: {one.name}")
        elif is_junk(top) and not (rest and is_readme(top)):
            notes += _passed([top])
        else:
            tops.setdefault(top, []).append(Member(rest if rest or one.name.endswith("/") else one.name, one.read))
    return [_of_class(top, inside) for top, inside in tops.items()], rows, around, list(dict.fromkeys(notes))


def _of_class(name: str, members: list[Member]) -> Entry:
    if len(members) == 1 and members[0].name == name:
        read = members[0].read
        return Entry(name, opened=lambda: io.BytesIO(read()))
    return Entry(name, files=lambda: [member for member in members if member.name])


def _in_class_folder(place: Path, lab: str, around: list[str]) -> Entries:
    """The entries of a folder; of the one folder in it, where that is the class's."""
    names = sorted(entry.name for entry in os.scandir(place))
    manifests = [name for name in names if name == MANIFEST]
    rows = []
    for name in manifests:
        rows += rows_of(text_of(read_file(place, name), str(place / name)), str(place / name))
    folders = [name for name in names if (place / name).is_dir() and not (place / name).is_symlink()]
    junk = [name for name in names if is_junk(name) and not (name in folders and is_readme(name))]
    names = [name for name in names if name not in junk and name not in manifests]
    folders = [name for name in folders if name in names]
    notes = _passed(junk)
    if names == folders and len(names) == 1 and not platform_name(names[0]):
        inside = _unwrapped(place, names[0])
        if are_a_platforms(_tops(inside)):
            entries, more, outer, inner = _in_class_folder(place / names[0], lab, [*around, names[0]])
            within = f"{place / names[0]} was taken for the class's folder: all in it has names that a platform gives"
            return entries, rows + more, outer, [*notes, within, *inner]
        if _are_a_class(inside, lab):
            alone = f"{names[0]} was taken for one student's folder"
            notes.append(f"{alone}; if it is the class's, name it: {place / names[0]}")
    entries = [_on_disk(place, name, name in folders) for name in names]
    return entries, rows, around, notes


def _passed(names: Sequence[str]) -> list[str]:
    """What to say of entries that are nobody's, but for those that systems put everywhere."""
    why = "its name is that of a README or a hidden file; rename it if it is a student's"
    return [f"{name} was passed over: {why}" for name in names if not is_systems(name)]


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


def _on_disk(place: Path, name: str, is_folder: bool) -> Entry:
    if is_folder:
        return Entry(name, files=lambda: in_folder(place, name))
    return Entry(name, opened=lambda: opened_below(place, name))


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
    if are_a_platforms(tops):
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
