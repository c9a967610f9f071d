"""The course in a folder of the student's own: copied once, updated where untouched, never overwritten where changed.

The copy has no outputs: the course's own notebooks have them, and in them the answer stands below its question. The
graded labs, as they are released to students, lie in its folder labs; the same rules hold there.
`.course.json` in the student's folder remembers, for each notebook, the SHA-256 of the version last laid there and of
the version last laid beside a changed one. Without it nothing is lost: a notebook that differs then counts as changed.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from autoencoder_lab.files import create_whole, write_whole

MANIFEST = ".course.json"
LABS = "labs"
Manifest = dict[str, dict[str, str]]


class CourseError(Exception):
    """The course cannot be laid where it was asked for. The message says what to do."""


def _package() -> Path:
    return Path(__file__).resolve().parents[1]


def course_folder() -> Path:
    """Where the notebooks lie: inside the installed package, or in the clone of an editable install."""
    package = _package()
    for folder in (package / "course", package.parent / "notebooks"):
        if any(folder.glob("*.ipynb")):
            return folder
    raise CourseError(
        f"no notebooks came with the package in {package}: install it from the repository again (pip install .), "
        "or build them there (make notebooks)"
    )


def first_notebook() -> str:
    """The file name of the notebook that a student opens first."""
    return min(path.name for path in course_folder().glob("*.ipynb"))


def lay_out(folder: Path, source: Path | None = None) -> list[str]:
    """Copy the course into folder, its labs into folder/labs, and say in a sentence each what that changed.

    A missing notebook is copied (also one the student deleted); an untouched one is replaced by its new version; a
    changed one is left alone, and its new version, once for each version, laid beside it as `….new.ipynb`.
    Nothing new, nothing said. Every file appears whole or not at all. Raises CourseError where that cannot be done.
    source: where the notebooks lie, and the labs in its folder labs; None for those that came with the package.
    """
    labs = (source or _package()) / LABS
    source = source or course_folder()
    if "\0" in str(folder):  # which Python refuses with words of its own
        raise CourseError(f"{str(folder)!r} cannot be a folder's name; choose another folder with --dir")
    originals = {path.name: path for path in sorted(source.glob("*.ipynb"))}
    originals |= {f"{LABS}/{path.name}": path for path in sorted(labs.glob("*.ipynb"))}
    for place in dict.fromkeys([folder, *((folder / name).parent for name in originals)]):
        _make_folder(place)
    try:
        if folder.resolve() in (source.resolve(), labs.parent.resolve()):
            raise CourseError(f"{folder} holds the course itself; choose another folder for your copy: --dir my-course")
        before = _read_manifest(folder / MANIFEST)
        manifest: Manifest = {name: dict(entry) for name, entry in before.items()}
        said = []
        for name, original in originals.items():
            built = original.read_bytes()
            entry = manifest.setdefault(name, {})
            _forget_outputs(entry, built, folder / name)
            changes = _lay_one(folder / name, without_outputs(built), entry)
            said += [f"{name.removesuffix(original.name)}{change}" for change in changes]
        if manifest != before:
            write_whole(folder / MANIFEST, json.dumps(manifest, indent=1))
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return said


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise CourseError(f"{folder} is not a folder; choose another one with --dir, or move that file away") from error
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: Path, error: OSError) -> CourseError:
    at_the_manifest = error.filename is not None and Path(error.filename).name == MANIFEST
    move = f"move {MANIFEST} out of it, or " if at_the_manifest else ""
    return CourseError(f"cannot write to {folder} ({error.strerror}); {move}choose another folder with --dir")


def without_outputs(notebook: bytes) -> bytes:
    """A notebook as it is before anything has run. What is no notebook is left as it is."""
    try:
        content = json.loads(notebook)
        for cell in content["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
                cell.get("metadata", {}).pop("execution", None)
        content.get("metadata", {}).pop("widgets", None)
        return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return notebook


def _forget_outputs(entry: dict[str, str], built: bytes, target: Path) -> None:
    """An earlier version of the course laid `built` with its outputs: without them it is no new one to offer."""
    with_outputs, bare = _sha256(built), _sha256(without_outputs(built))
    if entry.get("beside") == with_outputs:
        entry["beside"] = bare
    if entry.get("laid") == with_outputs != _digest(target):
        entry["laid"] = bare


def _lay_one(target: Path, content: bytes, entry: dict[str, str]) -> list[str]:
    """Bring one notebook up to date; entry, its line of the manifest, is brought up to date with it."""
    new, laid, current = _sha256(content), entry.get("laid"), _digest(target)
    if current == new:
        entry["laid"] = new
        return []
    if current is None:
        try:
            create_whole(target, content)
        except FileExistsError:  # another `open` laid something there meanwhile: look again
            return _lay_one(target, content, entry)
        entry["laid"] = new
        return [f"{target.name}: restored" if laid else f"{target.name}: copied"]
    if current == laid:
        write_whole(target, content)
        entry["laid"] = new
        return [f"{target.name}: updated (you had not changed it)"]
    if new in (laid, entry.get("beside")):  # the student's own work on this very version, or the version was offered
        return []
    entry["beside"] = new
    beside = _beside(target, content)
    return [f"{target.name}: you changed it, so it stays; the new version lies beside it as {beside.name}"]


def _beside(target: Path, content: bytes) -> Path:
    """Lay content beside target under the first free name: x.new.ipynb, x.new2.ipynb, …"""
    number = 1
    while True:
        path = target.with_name(f"{target.stem}.new{number if number > 1 else ''}{target.suffix}")
        if _digest(path) == _sha256(content):
            return path
        with suppress(FileExistsError):
            create_whole(path, content)
            return path
        number += 1


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest(path: Path) -> str | None:
    """What stands at path: nothing (None), a file (its hash), or a link, a folder, a pipe: the student's own."""
    if path.is_symlink() or not path.is_file():  # a pipe would keep its reader waiting
        return "the student's own" if os.path.lexists(path) else None
    return _sha256(path.read_bytes())


def _read_manifest(path: Path) -> Manifest:
    if not path.is_file():  # a pipe would keep its reader waiting
        return {}
    with suppress(OSError, ValueError, RecursionError):  # damaged: what differs then counts as the student's
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {name: entry for name, entry in found.items() if isinstance(entry, dict)}
    return {}
