"""A file appears whole or not at all, whoever else writes it and wherever the writer is stopped."""

import ast
import errno
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoencoder_lab import files
from autoencoder_lab.files import create_whole, whole, write_whole

ON_POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


@pytest.fixture
def umask() -> Iterator[int]:
    """One that takes the group's right to write, and everything from all others."""
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_bytes_and_text_arrive_as_they_are(tmp_path: Path) -> None:
    for path in (tmp_path / "a.json", str(tmp_path / "b.json")):
        write_whole(path, "é\r\n\n")
        assert Path(path).read_bytes() == b"\xc3\xa9\r\n\n"
        write_whole(path, b"\0\xff")
        assert Path(path).read_bytes() == b"\0\xff"
    assert names(tmp_path) == ["a.json", "b.json"]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_text("old", encoding="utf-8")
    with whole(path) as part:
        part.write_text("half", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"
        assert part.parent == tmp_path and part.name.startswith(".")
    assert path.read_text(encoding="utf-8") == "half" and names(tmp_path) == ["model.pt"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("no")])
@pytest.mark.parametrize("old", ["old", None])
def test_an_error_in_between_leaves_what_was_there(tmp_path: Path, error: BaseException, old: str | None) -> None:
    path = tmp_path / "model.pt"
    if old is not None:
        path.write_text(old, encoding="utf-8")

    def stop() -> None:
        with whole(path) as part:
            part.write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(type(error)):
        stop()
    assert names(tmp_path) == ([path.name] if old else [])
    assert not old or path.read_text(encoding="utf-8") == old


def test_a_kill_in_between_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_text("old", encoding="utf-8")
    killed = f"""
import os, signal
from autoencoder_lab.files import whole
with whole({str(path)!r}) as part:
    part.write_text("half")
    os.kill(os.getpid(), {int(getattr(signal, "SIGKILL", signal.SIGTERM))})
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run([sys.executable, "-c", killed], env=environment, timeout=60).returncode != 0
    assert path.read_text(encoding="utf-8") == "old"
    (left,) = set(tmp_path.iterdir()) - {path}
    assert left.name.startswith(".model.pt-") and left.suffix == ".part", "what it leaves says whose it was"
    write_whole(path, "new")
    assert path.read_text(encoding="utf-8") == "new", "and is in nobody's way"


def test_a_writer_of_the_same_file_in_between_disturbs_neither(tmp_path: Path) -> None:
    path = tmp_path / "grades.json"
    with whole(path) as first:
        first.write_text("first, ", encoding="utf-8")
        with whole(path) as second:
            assert second != first
            second.write_text("second", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "second"
        with first.open("a", encoding="utf-8") as file:
            file.write("whole")
    assert path.read_text(encoding="utf-8") == "first, whole" and names(tmp_path) == ["grades.json"]


def _write_often(path: Path, letter: str) -> None:
    for _ in range(30):
        write_whole(path, letter * 100_000)


def test_two_processes_write_one_file_and_a_reader_sees_no_mixture(tmp_path: Path) -> None:
    path, seen = tmp_path / "rows.jsonl", set()
    write_whole(path, "a" * 100_000)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_often, args=(path, letter)) for letter in "ab"]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen.add(path.read_bytes())
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen <= {b"a" * 100_000, b"b" * 100_000} and names(tmp_path) == ["rows.jsonl"]


# --- permissions, links, folders -------------------------------------------------------------------


@ON_POSIX
def test_a_new_file_gets_what_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    write_whole(tmp_path / "a", "")
    create_whole(tmp_path / "b", "")
    (tmp_path / "c").write_text("", encoding="utf-8")
    assert [mode(tmp_path / name) for name in "abc"] == [0o666 & ~umask] * 3 == [0o640] * 3
    create_whole(tmp_path / "private_seed", "7", mode=0o600)
    assert mode(tmp_path / "private_seed") == 0o600


@ON_POSIX
@pytest.mark.parametrize("kept", [0o600, 0o664, 0o755])
def test_an_earlier_files_permissions_are_kept_and_none_is_wider_in_between(
    tmp_path: Path, umask: int, kept: int
) -> None:
    path = tmp_path / "predictions.json"
    path.write_text("old", encoding="utf-8")
    path.chmod(kept)
    with whole(path) as part:
        assert mode(part) == kept
        part.write_text("new", encoding="utf-8")
    assert mode(path) == kept and path.read_text(encoding="utf-8") == "new"


@ON_POSIX
def test_a_write_protected_file_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "marked.ipynb"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda target, _: target != path)  # as for anybody but root
    with pytest.raises(PermissionError, match=r"write-protected.*marked\.ipynb"):
        write_whole(path, "new")
    assert path.read_text(encoding="utf-8") == "old" and names(tmp_path) == ["marked.ipynb"]


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "elsewhere" / "predictions.json"
    real.write_text("old", encoding="utf-8")
    link, nowhere = tmp_path / "predictions.json", tmp_path / "new.json"
    link.symlink_to(real)
    nowhere.symlink_to(Path("elsewhere") / "new.json")
    write_whole(link, "new")
    write_whole(nowhere, "new")
    assert link.is_symlink() and nowhere.is_symlink()
    assert real.read_text(encoding="utf-8") == "new" and names(tmp_path / "elsewhere") == ["new.json", real.name]


def test_a_relative_path_means_the_folder_it_was_said_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with whole("a.txt") as part:
        part.write_text("a", encoding="utf-8")
        monkeypatch.chdir(tmp_path / "there")
    assert names(tmp_path / "here") == ["a.txt"] and names(tmp_path / "there") == []


def test_a_name_may_be_as_long_as_a_name_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 127)
    write_whole(path, "a")
    assert path.read_text(encoding="utf-8") == "a"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "a.json"
    for write in (write_whole, create_whole):
        with pytest.raises(FileNotFoundError) as error:
            write(path, "a")
        assert error.value.filename == str(path)


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    with pytest.raises(FileExistsError, match="a folder or a device stands there"):
        write_whole(tmp_path / "results", "a")
    assert names(tmp_path) == ["results"] and (tmp_path / "results").is_dir()


@ON_POSIX
def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="a folder or a device stands there"):
        write_whole(tmp_path / "pipe", "a")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@ON_POSIX
def test_a_folder_that_cannot_be_written_to_is_said_with_the_path(tmp_path: Path, monkeypatch) -> None:
    def refuse(path: Path, *_: object) -> int:  # as the system does; root may write everywhere
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError) as error:
        write_whole(tmp_path / "a.json", "a")
    assert error.value.filename == str(tmp_path / "a.json")


# --- a file that must be new -----------------------------------------------------------------------


@pytest.mark.parametrize("links", [True, False])
def test_what_must_be_new_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    def no_hard_links(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", no_hard_links)
    create_whole(tmp_path / "new", "mine")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "folder").mkdir()
    for name in ("new", "nowhere", "folder"):
        with pytest.raises(FileExistsError) as error:
            create_whole(tmp_path / name, "theirs")
        assert error.value.filename == str(tmp_path / name)
    assert names(tmp_path) == ["folder", "new", "nowhere"]
    assert (tmp_path / "new").read_text(encoding="utf-8") == "mine" and (tmp_path / "nowhere").is_symlink()


def test_of_many_who_create_one_file_one_succeeds(tmp_path: Path) -> None:
    path, ready, made = tmp_path / "private_seed", threading.Barrier(8), []

    def create(number: int) -> None:
        ready.wait()
        try:
            create_whole(path, f"{number}" * 1000)
            made.append(number)
        except FileExistsError:
            pass

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = made
    assert path.read_text(encoding="utf-8") == f"{winner}" * 1000 and names(tmp_path) == ["private_seed"]


# --- Windows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("times", "succeeds"), [(0, True), (3, True), (4, True), (5, False)])
def test_on_windows_a_file_that_is_being_read_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, succeeds: bool
) -> None:
    path, waited, left = tmp_path / "a.json", list[float](), [times]
    path.write_text("old", encoding="utf-8")
    move = Path.replace

    def in_use(self: Path, target: Path) -> Path:
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "The process cannot access the file because it is being used by another process")
        return move(self, target)

    monkeypatch.setattr(files, "ON_WINDOWS", True)
    monkeypatch.setattr(files.time, "sleep", waited.append)
    monkeypatch.setattr(Path, "replace", in_use)
    if succeeds:
        write_whole(path, "new")
    else:
        with pytest.raises(PermissionError):
            write_whole(path, "new")
    assert path.read_text(encoding="utf-8") == ("new" if succeeds else "old") and names(tmp_path) == ["a.json"]
    assert waited == list(files.PAUSES[:times])


def test_it_comes_without_torch() -> None:
    asked = "import sys, autoencoder_lab.files; print('torch' in sys.modules or 'numpy' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    printed = subprocess.run(
        [sys.executable, "-c", asked], env=environment, capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    assert printed.stdout.strip() == "False"


OWN_WAYS = {"write_text", "write_bytes", "mkstemp", "NamedTemporaryFile"}
TO_AN_OPEN_FILE = {"save", "savez", "savez_compressed", "dump"}  # one that `whole` gave, then called `file`


def in_a_way_of_its_own(source: str) -> set[str]:
    """The calls in this code that write a file otherwise than through files.py."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name, given = node.func.attr, {one.id for one in node.args if isinstance(one, ast.Name)}
            if name in OWN_WAYS or (name in TO_AN_OPEN_FILE and node.args and "file" not in given):
                found.add(name)
    return found


def test_nothing_writes_a_file_for_keeps_in_a_way_of_its_own() -> None:
    """Package, evidence, benchmarks and builder; but for what runs in the sandbox, where nothing is kept, the kernel's
    own files of a control group, and a class that the benchmark of grading makes up.
    """
    root = Path(files.__file__).parent.parent
    written = [
        path for folder in ("autoencoder_lab", "evidence", "benchmarks") for path in (root / folder).rglob("*.py")
    ]
    found = {
        (path.relative_to(root).as_posix(), name)
        for path in [*written, *(root / "notebooks").glob("*.py")]
        if path.name != "files.py" and not path.is_relative_to(root / "autoencoder_lab" / "grading" / "inside")
        for name in in_a_way_of_its_own(path.read_text(encoding="utf-8"))
    }
    assert found == {
        ("autoencoder_lab/grading/control_group.py", "write_text"),
        ("autoencoder_lab/grading/sandbox.py", "NamedTemporaryFile"),  # which a probe tries to read; see `prove`
        ("autoencoder_lab/grading/sandbox.py", "save"),  # into memory
        ("benchmarks/grading.py", "write_text"),
    }
    in_place = 'np.savez(FILE, a=1)\ntorch.save(state, "a.pt")\nPath("a").write_text("a")'
    assert in_a_way_of_its_own(in_place) == {"savez", "save", "write_text"}
    assert in_a_way_of_its_own("torch.save(state, file)\nnp.savez(file, a=1)\njson.dumps(1)") == set()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_a_sentence_that_names_the_file(tmp_path: Path, number: int) -> None:
    path = tmp_path / "a.json"
    path.write_text("old", encoding="utf-8")

    def fill() -> None:
        with whole(path) as part:
            part.write_text("half", encoding="utf-8")
            raise OSError(number, os.strerror(number))

    with pytest.raises(OSError, match=r"the disk is full; what .* is as it was\. Free some space") as error:
        fill()
    assert (error.value.errno, error.value.filename, error.value.__cause__) == (number, str(path), None)
    assert names(tmp_path) == ["a.json"] and path.read_text(encoding="utf-8") == "old"
