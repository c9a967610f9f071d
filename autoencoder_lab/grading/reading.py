"""Reading what strangers put into a folder: each file is opened once, and what was opened is what is looked at.

A file that is looked at by its name and then opened by it may be another by then: a link to somebody else's notebook, a
pipe that is never written to. So nothing here asks a name twice.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
FILE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
LINK = "it is a link; hand in the file itself"


def open_regular(path: Path, below: Path | None = None) -> BinaryIO:
    """Open an ordinary file for reading, and nothing else: no link, no pipe, no device, no folder.

    below: a folder that is trusted, such as the one the instructor named; none of the folders between it and the file
    may be a link either. None for the file's own folder. A pipe is refused, not waited for.
    Raises OSError, whose strerror is a clause for people, ValueError where `path` does not lie below `below`.
    """
    parts = path.relative_to(path.parent if below is None else below).parts
    if not parts or ".." in parts:
        raise ValueError(f"{path} is no file below {below}")
    descriptor = _opened(path.parent if below is None else below, parts, path)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no ordinary file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, most: int, below: Path | None = None) -> bytes:
    """The content of an ordinary file of at most `most` bytes, whatever size its folder states. See `open_regular`."""
    with open_regular(path, below) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most / (1 << 20):g} MB and is not read", str(path))
    return content


def _opened(folder: Path, parts: tuple[str, ...], path: Path) -> int:
    if os.open not in os.supports_dir_fd:  # Windows: what is a link is refused by its name, as well as can be
        for place in (folder.joinpath(*parts[: count + 1]) for count in range(len(parts))):
            if place.is_symlink() or getattr(place, "is_junction", bool)():  # Python 3.12
                raise OSError(errno.ELOOP, LINK, str(path))
        return os.open(path, os.O_RDONLY | FILE)
    at = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        for name in parts[:-1]:
            inner = os.open(name, os.O_RDONLY | FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        return os.open(parts[-1], os.O_RDONLY | FILE, dir_fd=at)
    except OSError as error:
        link = error.errno in (errno.ELOOP, errno.EMLINK) or (error.errno == errno.ENOTDIR and len(parts) > 1)
        said = LINK if link else "it is no ordinary file" if error.errno == errno.ENXIO else error.strerror
        raise OSError(error.errno, said, str(path)) from None
    finally:
        os.close(at)
