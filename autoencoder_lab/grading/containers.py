"""Folders and archives that students hand in, as one thing: the files in them, each with a way to read it.

Nothing is extracted to disk, followed as a link or executed. A file is opened once, from the folder that the
instructor named, and is refused unless what was opened is an ordinary file. Every reading has a limit.
"""

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from autoencoder_lab.grading.reading import open_regular

LARGEST_FILE = 256 << 20  # bytes, outputs and all; what is kept of a notebook is a small part of that
MOST_MEMBERS = 50_000  # files in an archive
ARCHIVE = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|gz|bz2|xz)$", re.IGNORECASE)
NOTEBOOK = re.compile(r"\.ipynb(\.txt|\.json)?$", re.IGNORECASE)  # browsers save a notebook under these names too


class Unreadable(ValueError):
    """This is no notebook that could be graded; the message is the reason, for the instructor's table.

    Names and values out of the file may stand in it, so it is made printable and short.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in reason[:300]))


@dataclass(frozen=True)
class Member:
    """A file in a folder or an archive. name: its path in there, with "/"; read: gives at most LARGEST_FILE bytes.

    `read` raises Unreadable: for a link, a pipe, a file that is too large, locked or broken.
    """

    name: str
    read: Callable[[], bytes]


def opened_below(root: Path, *steps: str) -> BinaryIO:
    """The ordinary file at root/steps, where no step may be a link. Raises Unreadable."""
    try:
        return open_regular(root.joinpath(*steps), root)
    except OSError as error:
        said = error.strerror or str(error)
        raise Unreadable(said if said.startswith("it is") else f"the file cannot be read: {said}") from None


def bounded(file: BinaryIO) -> bytes:
    """All that is in an open file. Raises Unreadable where that is more than LARGEST_FILE or cannot be read."""
    try:
        content = file.read(LARGEST_FILE + 1)  # the size that an archive states may be a lie
    except Exception as error:  # zlib.error, LZMAError, EOFError, …
        raise Unreadable(f"the archive cannot be read: {error}") from None
    if len(content) > LARGEST_FILE:
        raise Unreadable(f"the file has more than {LARGEST_FILE >> 20} MB and is not read")
    return content


def read_file(root: Path, *steps: str) -> bytes:
    """The content of an ordinary file, as `opened_below` opens it."""
    with opened_below(root, *steps) as file:
        return bounded(file)


def refuse(reason: str) -> Callable[[], bytes]:
    """A reader that gives this reason."""

    def read() -> bytes:
        raise Unreadable(reason)

    return read


def in_folder(root: Path, *steps: str) -> list[Member]:
    """The files below root/steps, in the order of their names; links and pipes are listed, and refuse."""
    folder, found = root.joinpath(*steps), []
    for path, folders, files in os.walk(folder):  # goes into no linked folder
        inside = Path(path).relative_to(folder).parts
        links = [name for name in folders if Path(path, name).is_symlink()]
        folders.sort()
        found += [_on_disk(root, steps, (*inside, name)) for name in [*files, *links]]
        if len(found) > MOST_MEMBERS:
            raise Unreadable(f"the folder has more than {MOST_MEMBERS:,} files and is not read")
    return sorted(found, key=lambda member: member.name)


def _on_disk(root: Path, above: tuple[str, ...], inside: tuple[str, ...]) -> Member:
    return Member("/".join(inside), lambda: read_file(root, *above, *inside))


def is_archive(content: bytes) -> bool:
    """Whether these bytes begin as an archive does that can be read here."""
    return content[:4] in (b"PK\3\4", b"PK\5\6") or content[257:262] == b"ustar" or _unpacker(content) is not None


def in_archive(opened: Callable[[], BinaryIO], name: str = "") -> list[Member]:
    """The files of a .zip, or of a .tar packed or not, and the folders of a .zip, whose names end with "/".

    opened: gives the archive, open; it is asked once a reading. name: what it is called; its beginning says more.
    Raises Unreadable for one that is broken or too large.
    """
    alone = re.sub(r"\.(gz|bz2|xz)$", "", name, flags=re.IGNORECASE) or "notebook"
    try:
        with opened() as file:
            start = file.read(512)
            if start[:4] in (b"PK\3\4", b"PK\5\6") or name.lower().endswith(".zip"):
                return _in_zip(file, opened)
            file.seek(0)
            content = bounded(file)
        while unpack := _unpacker(content):
            content = bounded(unpack(io.BytesIO(content)))
        return _in_tar(content) if content[257:262] == b"ustar" else [Member(alone, lambda: content)]
    except Unreadable:
        raise
    except Exception as error:  # a list that was made to break zipfile raises what it likes, struct.error among others
        raise Unreadable(f"the archive cannot be read: {error}") from None


def _unpacker(content: bytes) -> Callable[[BinaryIO], BinaryIO] | None:
    if content[:3] == b"\x1f\x8b\x08":
        return lambda file: gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if re.match(rb"BZh[1-9]1AY&SY", content):
        return lambda file: bz2.BZ2File(file)  # type: ignore[return-value]
    if content[:6] == b"\xfd7zXZ\0":
        return lambda file: lzma.LZMAFile(file)  # type: ignore[return-value]
    return None


def _in_zip(file: BinaryIO, opened: Callable[[], BinaryIO]) -> list[Member]:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    if len(entries) > MOST_MEMBERS:
        raise Unreadable(f"the archive has {len(entries):,} files; more than {MOST_MEMBERS:,} are not read")
    return [Member(clean(_name_in_zip(entry)) + "/" * entry.is_dir(), _reader(entry, opened)) for entry in entries]


def _name_in_zip(entry: zipfile.ZipInfo) -> str:
    """The name as it was meant: many programs write UTF-8 and do not say so, which zipfile then takes for cp437."""
    if entry.flag_bits & 0x800:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return entry.filename


def _reader(entry: zipfile.ZipInfo, opened: Callable[[], BinaryIO]) -> Callable[[], bytes]:
    def read() -> bytes:
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise Unreadable("it is a link; hand in the file itself")
        try:
            with opened() as file, zipfile.ZipFile(file) as archive, archive.open(entry) as member:
                return bounded(member)  # type: ignore[arg-type]
        except Unreadable:
            raise
        except Exception as error:  # zlib.error, LZMAError, RuntimeError for a password, …
            raise Unreadable(f"the archive cannot be read: {error}") from None

    return read


def _in_tar(content: bytes) -> list[Member]:
    found = []
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for entry in archive:
            if entry.isfile() and not entry.issparse():
                whole = content[entry.offset_data : entry.offset_data + entry.size]
                found.append(Member(clean(entry.name), lambda whole=whole: whole))  # type: ignore[misc]
            elif not entry.isdir():
                found.append(Member(clean(entry.name), refuse("it is a link or no ordinary file")))
            if len(found) > MOST_MEMBERS:
                raise Unreadable(f"the archive has more than {MOST_MEMBERS:,} files and is not read")
    return found


def clean(name: str) -> str:
    """A path out of an archive: "/" between its steps, no step that leads elsewhere, each composed (NFC)."""
    steps = PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/")).parts
    return "/".join(step for step in steps if step not in ("..", "/", "."))


def is_junk(name: str) -> bool:
    """What systems and Jupyter put beside the files of people, anywhere in a path."""
    steps = name.split("/")
    if any(step.casefold() in ("__macosx", "$recycle.bin", "@eadir") for step in steps):
        return True
    hidden = any(step.startswith(".") and not NOTEBOOK.search(step) and not ARCHIVE.search(step) for step in steps)
    last = steps[-1].casefold()
    return hidden or last.startswith(("._", ".~", "~$")) or last in ("thumbs.db", "desktop.ini") or is_readme(last)


def is_readme(name: str) -> bool:
    """Whether a file is called as one that explains others; a folder of that name is a folder like any other."""
    return name.casefold() in ("readme", "readme.md", "readme.txt")


def is_systems(name: str) -> bool:
    """Whether an entry of a folder is a system's beyond doubt, so that nobody has to be told of it."""
    hidden = (".ds_store", ".ipynb_checkpoints", ".git", ".gitignore", ".directory", ".localized")
    return is_junk(name) and (not is_readme(name) and (name[0] != "." or name.casefold() in hidden or name[1] in "_~"))


# --- the one notebook ------------------------------------------------------------------------------------------------

DEEPEST = 4  # archives in archives
MOST_PEEKED = 20  # files that are read to see what they hold
UNSURE = re.compile(r"(\.json|\.txt|/[^/.]+)$", re.IGNORECASE)  # endings under which a notebook might still lie


def the_notebook(members: Iterable[Member], lab: str) -> bytes:
    """The one notebook among a student's files: LAB.ipynb, or else the only one that can be meant. Raises Unreadable.

    Scratch folders, checkpoints, other labs and system files beside it do not matter. Archives are looked into where
    no notebook beside them has the lab's name.
    """
    own = [member for member in members if not is_junk(member.name) and not member.name.endswith("/")]
    notebooks = [member for member in own if NOTEBOOK.search(member.name)]
    if not any(is_lab(member.name, lab) for member in notebooks):
        notebooks += _packed([member for member in own if ARCHIVE.search(member.name)], bool(notebooks))
    if not notebooks:
        unsure = [member for member in own if UNSURE.search(f"/{member.name}")]
        notebooks = [member for member in unsure[:MOST_PEEKED] if looks_like_notebook(_peeked(member))]
    chosen = _chosen(notebooks, lab)
    if chosen and (len(chosen) == 1 or _are_equal(chosen)):
        return chosen[0].read()
    if chosen:
        names = ", ".join(member.name for member in chosen[:4])
        raise Unreadable(f"there are several notebooks, {names}; expected one {lab}.ipynb")
    others = ", ".join(member.name for member in own[:3])
    raise Unreadable(f"there is no notebook{f', only {others}' if others else ''}; hand in the .ipynb")


def passed_over(members: Iterable[Member], lab: str) -> list[str]:
    """The names of notebooks called as the lab is that `the_notebook` leaves for another one; [] where it refuses."""
    own = [one for one in members if NOTEBOOK.search(one.name) and not is_junk(one.name)]
    chosen = _chosen(own, lab) if any(is_lab(one.name, lab) for one in own) else []
    return [one.name for one in own if is_lab(one.name, lab) and one not in chosen] if len(chosen) == 1 else []


def _packed(archives: list[Member], notebooks_beside: bool) -> list[Member]:
    """The notebooks in archives among a student's files; where there is none, the archives that refuse."""
    waiting, found, refused, left = [(one, 1) for one in archives], list[Member](), list[Member](), LARGEST_FILE
    while waiting:
        one, depth = waiting.pop()
        try:
            content = one.read() if left > 0 else refuse("the archives in it hold too much together")()
            left -= len(content)
            inside = in_archive(lambda content=content: io.BytesIO(content), one.name.split("/")[-1])  # type: ignore[misc]
        except Unreadable as error:
            refused.append(Member(one.name, refuse(str(error))))
            continue
        for member in inside:
            named = Member(f"{one.name}/{member.name}".rstrip("/"), member.read)
            if is_junk(member.name):
                continue
            if ARCHIVE.search(member.name) and depth < DEEPEST:
                waiting.append((named, depth + 1))
            elif NOTEBOOK.search(member.name):
                found.append(named)
    return found or ([] if notebooks_beside else refused)


def _are_equal(members: list[Member]) -> bool:
    first = members[0].read()
    return len(members) <= MOST_PEEKED and all(member.read() == first for member in members[1:])


def _chosen(notebooks: list[Member], lab: str) -> list[Member]:
    """Those among which there is nothing left to choose by name, place or content: one, it is to be hoped."""
    by_name = [member for member in notebooks if is_lab(member.name, lab)]
    by_part_of_it = [member for member in notebooks if _folded(lab) in _folded(PurePosixPath(member.name).name)]
    for named in (by_name, by_part_of_it):
        if named:
            top = min(member.name.count("/") for member in named)
            return [member for member in named if member.name.count("/") == top]
    if 1 < len(notebooks) <= MOST_PEEKED:
        marked = [member for member in notebooks if is_marked(member)]
        return marked or notebooks
    return notebooks


def is_lab(name: str, lab: str) -> bool:
    """Whether a path's last step is LAB.ipynb, whatever its capitals; a browser's " (1)" does not matter."""
    own = NOTEBOOK.sub("", PurePosixPath(name).name)
    return _folded(lab) in (_folded(own), _folded(re.sub(r" ?\(\d+\)$|-Copy\d*$", "", own)))


def is_marked(member: Member) -> bool:
    """Whether a notebook has cells that nbgrader, and so some lab, has given a name."""
    return b'"grade_id"' in _peeked(member)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _peeked(member: Member) -> bytes:
    try:
        return member.read()
    except Unreadable:
        return b""


def looks_like_notebook(content: bytes) -> bool:
    """Whether these bytes are JSON with cells, by their look, whatever the file is called."""
    return content[:200].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and b'"cells"' in content
