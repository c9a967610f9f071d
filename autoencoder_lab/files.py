"""A file appears whole or not at all: what stops a program in the middle leaves the old file as it was, or none.

Everything in the course that writes a file for keeps writes it through here. The content goes into a new file beside
the one asked for, under a name that no other process uses, and takes its place in one step. What a kill leaves behind
is that neighbour, `.NAME-….part`, which nobody reads. A power cut is not waited out: what reached the disk by then is
for the file system to say.
"""

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READ_AND_WRITE = 0o666  # for everybody, less what the umask takes away: what `open` gives a new file
ON_WINDOWS = os.name == "nt"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # no room: on the disk, in one's share, for one file
SAID_OF_FULL = "the disk is full; what stood here before is as it was. Free some space and do it again"
SURROGATE = re.compile("[\ud800-\udfff]")
PAUSES = (0.01, 0.05, 0.25, 1.0)  # seconds; on Windows a file that somebody reads cannot be replaced


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Write to the path this gives you; when the block ends without an error, that file becomes `path` in one step.

        with files.whole("model.pt") as part:
            torch.save(state, part)

    The folder must be there. An earlier file is replaced and its permissions are kept; a new one gets those that the
    umask leaves. A link is followed: the file it points to is replaced, and the link stays. After an error, or Ctrl-C,
    the earlier file is untouched and nothing lies beside it.
    Raises PermissionError for a write-protected file, FileExistsError where a folder or a device stands, and OSError
    where the folder cannot be written to or the disk is full; each names `path`.
    """
    target = Path(os.path.realpath(path))
    mode = _mode_of(target, path)
    part = _neighbour(target)
    with _removed(part, path):
        _make(part, path)
        if mode is not None:
            part.chmod(mode)  # while it is empty: what is private stays so all along
        yield part
        _move(part, target)


def write_whole(path: str | Path, content: bytes | str) -> None:
    """Let `content` be what stands at `path`; text is written as UTF-8, its line ends as they are. See `whole`.

    Half a surrogate pair in it becomes U+FFFD.
    """
    with whole(path) as part:
        part.write_bytes(_bytes(content))


def create_whole(path: str | Path, content: bytes | str, mode: int = READ_AND_WRITE) -> None:
    """Write a file that must be new. mode: its permissions, before the umask takes its share.

    Raises FileExistsError, with nothing changed, where something stands at `path`, be it a link to nowhere or a file
    that another process put there a moment ago; OSError where the disk is full.
    """
    target = Path(path).absolute()
    part = _neighbour(target)
    with _removed(part, path):
        _make(part, path, mode)
        part.write_bytes(_bytes(content))
        try:
            os.link(part, target)  # unlike a rename, refuses to overwrite what appeared meanwhile
        except FileExistsError:
            raise _error(errno.EEXIST, path) from None
        except OSError:  # a file system without hard links (exFAT)
            if os.path.lexists(target):
                raise _error(errno.EEXIST, path) from None
            _move(part, target)


def encodable(text: str) -> str:
    """The text as UTF-8 can hold it: half a surrogate pair, of an odd file name or out of JSON, becomes U+FFFD."""
    return SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


@contextmanager
def _removed(part: Path, path: str | Path) -> Iterator[None]:
    """Leave no part behind; of a full disk the error says what to do, and names the path that was asked for."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise _error(error.errno, path, SAID_OF_FULL) from None
    finally:
        part.unlink(missing_ok=True)


def _bytes(content: bytes | str) -> bytes:
    return encodable(content).encode() if isinstance(content, str) else content


def _error(number: int, path: str | Path, said: str = "") -> OSError:
    """The OSError of that number, PermissionError and so on, with the path that was asked for."""
    return OSError(number, said or os.strerror(number), str(path))


def _mode_of(target: Path, path: str | Path) -> int | None:
    """The permissions of the file that is to be replaced; None where there is none yet."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise _error(errno.EEXIST, path, "a folder or a device stands there, which is not replaced by a file")
    if not os.access(target, os.W_OK):  # a rename would not ask, and whoever protects a file means it
        raise _error(errno.EACCES, path, "the file is write-protected")
    return stat.S_IMODE(found.st_mode)


def _neighbour(target: Path) -> Path:
    """A name beside target that nobody else uses; a long name is cut, for a name may have 255 bytes."""
    return target.with_name(f".{target.name[:60]}-{secrets.token_hex(8)}.part")


def _make(part: Path, path: str | Path, mode: int = READ_AND_WRITE) -> None:
    """An empty file that must be new; an error names the path that was asked for."""
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
    except OSError as error:
        raise _error(error.errno or errno.EIO, path) from None


def _move(part: Path, target: Path) -> None:
    for pause in PAUSES if ON_WINDOWS else ():
        try:
            part.replace(target)
            return
        except PermissionError:  # another kernel or a virus scanner has the file open
            time.sleep(pause)
    part.replace(target)
