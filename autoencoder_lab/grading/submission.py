"""What students hand in: found in folders and archives as learning platforms export them, read with suspicion.

Nothing here is extracted to disk, followed as a link or executed. A file that cannot be read is a submission with a
reason, never an error that stops the class.
"""

import csv
import json
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

LARGEST_FILE = 20 << 20
MOST_CELLS = 2_000
LARGEST_SOURCE = 1 << 20  # characters of all cells together
MOST_MEMBERS = 50_000  # files in an archive
LONGEST_ID = 200  # bytes: with an ending, a file's name has at most 255
DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)  # no names of files on Windows
MANIFEST = "manifest.csv"


class Unreadable(ValueError):
    """This is no notebook that could be graded; the message is the reason, for the instructor's table.

    Names and values out of the file may stand in it, so it is made printable and short.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in reason[:300]))


@dataclass(frozen=True)
class Submission:
    """student: an id that is safe as a folder's name; origin: where it was found, for people to read.

    read: gives the file's bytes, raises Unreadable. timestamp: naive UTC, from the manifest, never from the file.
    """

    student: str
    origin: str
    read: Callable[[], bytes]
    timestamp: datetime | None = None


@dataclass(frozen=True)
class SourceCell:
    """One cell without its outputs. grade_id: nbgrader's name of the cell, "" where it has none.

    use: "answer", "test", or "given" (imports, helpers), as its metadata say; to be believed of a release alone.
    """

    kind: str
    source: str
    grade_id: str = ""
    use: str = "answer"


# --- finding them ----------------------------------------------------------------------------------------------------


def find(folder: Path, lab: str) -> list[Submission]:
    """All submissions of a lab below a folder (or in one .zip), a student each, in the order of their ids.

    Understands STUDENT.ipynb, STUDENT/LAB.ipynb, STUDENT/LAB/LAB.ipynb, Moodle's "Name_123_assignsubmission_file_" and
    Canvas's "name_123_456_LAB.ipynb", each also inside .zip. manifest.csv beside them (file, student, timestamp in ISO
    8601) prevails over names. Raises FileNotFoundError where there is nothing, ValueError for a faulty manifest.
    """
    if not folder.exists():
        raise FileNotFoundError(f"no submissions: {folder} is not there")
    manifest = _manifest(folder / MANIFEST) if folder.is_dir() else {}
    found: dict[str, Submission] = {}
    for name, origin, read in _candidates(folder, lab):
        student, timestamp = manifest.get(name, (student_of(name, lab), None))
        submission = Submission(student, origin, read, timestamp)
        same = student.casefold()  # Ann's files and ann's are one on most disks
        if same in found:
            first = found[same]
            both = f"two files are {student}'s, {first.origin} and {origin}; remove one, or name it in {MANIFEST}"
            submission = Submission(first.student, origin, _refuse(both), timestamp)
        found[same] = submission
    if not found:
        raise FileNotFoundError(f"no submissions: {folder} holds no .ipynb and no .zip")
    return sorted(found.values(), key=lambda submission: submission.student)


def student_of(name: str, lab: str) -> str:
    """A student's id from the path a platform gave the file; letters, digits, "_", "-" and "." alone."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in (".", "..", "/")]
    parts = parts or ["unnamed"]
    own = re.sub(r"\.(ipynb|zip)$", "", parts[0], flags=re.IGNORECASE)
    own = re.sub(r"_assignsubmission_file_?.*$", "", own)  # Moodle: "Jane Doe_123_assignsubmission_file_"
    canvas = re.match(r"^([^_]+)(?:_LATE)?_(\d+)_(\d+)_", own)  # Canvas: "doejane_LATE_123_456_lab1.ipynb"
    if canvas:
        own = f"{canvas[1]}_{canvas[2]}"
    own = re.sub(rf"[ _+-]*{re.escape(lab)}$", "", own) or own
    own = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", own)).strip("._-")
    own = own[:80].encode()[:LONGEST_ID].decode(errors="ignore").rstrip("._-") or "unnamed"
    return f"student_{own}"[:80].rstrip("._-") if DEVICE.match(own) else own


def is_id(student: str) -> bool:
    """Whether a text is a student's id as `student_of` makes them: safe as a folder's name everywhere."""
    named = re.fullmatch(r"\w(?:[\w.-]{0,78}\w)?", student)
    return named is not None and len(student.encode()) <= LONGEST_ID and not DEVICE.match(student)


def _manifest(path: Path) -> dict[str, tuple[str, datetime | None]]:
    """{file: (student, naive UTC)} of manifest.csv; none where there is no such file."""
    if not path.is_file():
        return {}
    rows: dict[str, tuple[str, datetime | None]] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            try:
                name, student = row["file"].strip(), row["student"].strip()
                when = naive_utc(row["timestamp"]) if row.get("timestamp") else None
            except (KeyError, ValueError, AttributeError) as error:
                raise ValueError(f"{path}, line {number}: expected file, student and timestamp ({error})") from None
            if not is_id(student):
                raise ValueError(f"{path}, line {number}: {student!r} is no id; use letters, digits, _ - and . alone")
            rows[name] = (student, when)
    return rows


def naive_utc(text: str) -> datetime:
    """A time in ISO 8601 as naive UTC; one without a zone is taken for UTC. Raises ValueError."""
    when = datetime.fromisoformat(text.strip())
    return when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when


def _candidates(place: Path, lab: str) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """(path below the folder, where that is, how to read it) of every notebook, one of each top-level entry."""
    entries = sorted(place.iterdir()) if place.is_dir() else [place]
    for entry in entries:
        if entry.name.startswith((".", "__MACOSX")) or entry.name == MANIFEST:
            continue
        if entry.is_symlink():
            yield entry.name, str(entry), _refuse("it is a link; hand in the file itself")
        elif entry.is_dir():
            yield from _of_one(entry.name, str(entry), _files_below(entry), lab)
        elif entry.suffix.lower() in (".zip", ".ipynb") and not entry.is_file():
            yield entry.name, str(entry), _refuse("it is no ordinary file")  # reading a pipe would never end
        elif entry.suffix.lower() == ".zip":
            yield from _in_archive(entry, lab)
        elif entry.suffix.lower() == ".ipynb":
            yield entry.name, str(entry), _reader(entry)


def _files_below(folder: Path) -> dict[str, Callable[[], bytes]]:
    """{path below the folder: how to read it}; links are listed, and refuse."""
    files: dict[str, Callable[[], bytes]] = {}
    for path in sorted(folder.rglob("*")):  # rglob does not go into linked folders
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            files[name] = _refuse("it is a link; hand in the file itself")
        elif path.is_file():
            files[name] = _reader(path)
    return files


def _in_archive(path: Path, lab: str) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """One student's archive, or a class's: then each top-level name in it is a student."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [m.filename for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX")]
    except Exception as error:  # a list that was made to break zipfile raises what it likes, struct.error among others
        yield path.name, str(path), _refuse(f"the archive cannot be read: {error}")
        return
    if len(names) > MOST_MEMBERS:
        too_many = f"the archive has {len(names):,} files; more than {MOST_MEMBERS:,} are not read"
        yield path.name, str(path), _refuse(too_many)
        return
    notebooks = [name for name in names if name.lower().endswith(".ipynb")]
    groups: dict[str, dict[str, Callable[[], bytes]]] = {}
    for name in notebooks:
        top, _, rest = name.replace("\\", "/").lstrip("/").partition("/")
        groups.setdefault(top, {})[rest or top] = _member(path, name)
    if len(groups) <= 1:
        yield from _of_one(path.name, str(path), {name: _member(path, name) for name in notebooks}, lab)
        return
    for top, files in groups.items():
        yield from _of_one(top, f"{path}:{top}", files, lab)


def _of_one(
    name: str, origin: str, files: dict[str, Callable[[], bytes]], lab: str
) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """The one notebook of a student's folder: LAB.ipynb, or else the only one there is."""
    notebooks = [file for file in files if file.lower().endswith(".ipynb") and ".ipynb_checkpoints" not in file]
    named = [file for file in notebooks if PurePosixPath(file).name == f"{lab}.ipynb"]
    chosen = named if named else notebooks
    if len(chosen) == 1:
        yield (f"{name}/{chosen[0]}" if chosen[0] != name else name), f"{origin}: {chosen[0]}", files[chosen[0]]
    else:
        what = f"several notebooks, {', '.join(chosen[:4])}" if chosen else "no notebook"
        yield f"{name}/", origin, _refuse(f"there is {what}; expected one {lab}.ipynb")


def _reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            if path.stat().st_size > LARGEST_FILE:
                raise Unreadable(f"the file has more than {LARGEST_FILE >> 20} MB and is not read")
            return path.read_bytes()
        except OSError as error:
            raise Unreadable(f"the file cannot be read: {error.strerror}") from None

    return read


def _member(path: Path, name: str) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            with zipfile.ZipFile(path) as archive, archive.open(name) as file:
                content = file.read(LARGEST_FILE + 1)  # the size that the archive states may be a lie
        except Exception as error:  # zlib.error, LZMAError, RuntimeError for a password, …
            raise Unreadable(f"the archive cannot be read: {error}") from None
        if len(content) > LARGEST_FILE:
            raise Unreadable(f"the file has more than {LARGEST_FILE >> 20} MB and is not read")
        return content

    return read


def _refuse(reason: str) -> Callable[[], bytes]:
    def read() -> bytes:
        raise Unreadable(reason)

    return read


# --- reading one -----------------------------------------------------------------------------------------------------


def cells_of(content: bytes) -> list[SourceCell]:
    """The cells of a notebook file, sources and nbgrader's ids alone. Raises Unreadable with the reason."""
    if len(content) > LARGEST_FILE:
        raise Unreadable(f"the file has more than {LARGEST_FILE >> 20} MB and is not read")
    try:
        notebook = json.loads(content.decode("utf-8-sig"))  # editors on Windows write a mark first
    except UnicodeDecodeError:
        raise Unreadable("the file is no UTF-8 text, so no notebook") from None
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the file is no JSON, so no notebook, or was cut off: {error}"[:300]) from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise Unreadable("the file holds JSON, but no notebook with cells")
    if notebook.get("nbformat") != 4:
        raise Unreadable(f"nbformat must be 4, got {notebook.get('nbformat')!r}; save it anew in JupyterLab")
    if len(notebook["cells"]) > MOST_CELLS:
        raise Unreadable(f"the notebook has {len(notebook['cells']):,} cells; more than {MOST_CELLS:,} are not read")
    cells = [_cell(index, cell) for index, cell in enumerate(notebook["cells"])]
    if sum(len(cell.source) for cell in cells) > LARGEST_SOURCE:
        raise Unreadable("the cells hold more than a million characters and are not read")
    return cells


def _cell(index: int, cell: Any) -> SourceCell:
    kind = cell.get("cell_type") if isinstance(cell, dict) else None
    source = cell.get("source", "") if isinstance(cell, dict) else None
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if kind not in ("code", "markdown", "raw") or not isinstance(source, str):
        raise Unreadable(f"cell {index + 1} is no cell of a notebook")
    source = source.replace("\0", "\N{REPLACEMENT CHARACTER}")
    source = source.encode("utf-8", "replace").decode()  # JSON can hold half a surrogate pair; no file or database can
    metadata = cell.get("metadata")
    marked = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = marked.get("grade_id") if isinstance(marked, dict) else None
    if not isinstance(grade_id, str) or not isinstance(marked, dict):
        return SourceCell(kind, source)
    use = "answer" if marked.get("solution") is True else "test" if marked.get("grade") is True else "given"
    return SourceCell(kind, source, grade_id, use)
