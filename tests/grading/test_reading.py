"""What strangers put into a folder is opened once: a link or a pipe that takes a file's place is refused."""

import os
import socket
import sys
from pathlib import Path

import pytest

from autoencoder_lab.grading.reading import open_regular, read_regular


def test_an_ordinary_file_is_read_up_to_a_size(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    file = tmp_path / "inner" / "own.ipynb"
    file.write_bytes(b"12345")
    assert read_regular(file, 5) == read_regular(file, 5, tmp_path) == b"12345"
    with pytest.raises(OSError, match="more than"):
        read_regular(file, 4)
    with pytest.raises(ValueError, match="no file below"):
        read_regular(tmp_path / "inner" / ".." / "inner" / "own.ipynb", 5, tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes there are others")
@pytest.mark.parametrize("kind", ["link", "broken link", "folder's link", "pipe", "socket", "folder", "device", "none"])
def test_anything_else_is_refused_and_never_waited_for(kind: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "lab.ipynb").write_bytes(b"somebody else's")
    own = tmp_path / "own"
    if kind == "folder's link":
        own.symlink_to(tmp_path / "other")
    else:
        own.mkdir()
    file = own / "lab.ipynb"
    if kind in ("link", "broken link", "device"):
        targets = {"link": tmp_path / "other" / "lab.ipynb", "broken link": tmp_path / "x", "device": Path("/dev/zero")}
        file.symlink_to(targets[kind])
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(own)  # a socket's path must be short
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("lab.ipynb")
        os.chdir(here)
    elif kind == "folder":
        file.mkdir()
    wanted = {"pipe": "no ordinary file", "socket": "no ordinary file", "folder": "no ordinary file", "none": "No such"}
    with pytest.raises(OSError, match=wanted.get(kind, "it is a link")):
        read_regular(file, 100, tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="links there are others")
def test_what_was_opened_is_what_is_read(tmp_path: Path) -> None:
    file, other = tmp_path / "own.ipynb", tmp_path / "other.ipynb"
    file.write_bytes(b"own")
    other.write_bytes(b"other")
    with open_regular(file) as opened:
        file.unlink()
        file.symlink_to(other)
        assert opened.read() == b"own"
