"""Become an ordinary user and start a program: python -I -S step_down.py USER COMMAND …, as root, before all else.

What the command binds (--ro-bind SOURCE …) may lie where that user cannot go, as an environment in /root does. So in a
mount namespace of its own the folder that bars the way is covered with an empty one, in which the sources alone stand.
Where no such namespace is to be had, the user sees what it may see. Standard library alone; Linux only.
"""

import contextlib
import ctypes
import os
import sys
from itertools import pairwise
from pathlib import Path

CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000


def main(user: int, command: list[str]) -> None:
    """Replace this process by the command, as that user, in no other group."""
    sources = [Path(after) for word, after in pairwise(command) if word == "--ro-bind"]
    with contextlib.suppress(OSError):
        open_ways(sources)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    os.execv(command[0], command)


def open_ways(sources: list[Path]) -> None:
    """Let the sources be reached by everybody, in this process's view of the disk alone. Raises OSError."""
    barred = {source: bar for source in sources if (bar := bar_before(source)) is not None}
    if not barred:
        return
    libc = ctypes.CDLL(None, use_errno=True)

    def call(result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    call(libc.unshare(CLONE_NEWNS))
    call(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    held = {source: os.open(source, os.O_PATH) for source in barred}
    folders = {source for source in barred if source.is_dir()}
    for bar in set(barred.values()):
        call(libc.mount(b"tmpfs", os.fsencode(bar), b"tmpfs", 0, b"mode=755,size=1m"))
    os.umask(0o022)
    for source, descriptor in sorted(held.items()):  # what lies deeper comes later
        if not source.exists():
            source.parent.mkdir(parents=True, exist_ok=True)
            source.mkdir() if source in folders else source.touch()
        call(libc.mount(b"/proc/self/fd/%d" % descriptor, os.fsencode(source), None, MS_BIND | MS_REC, None))
        os.close(descriptor)


def bar_before(place: Path) -> Path | None:
    """The first folder on the way to a place that strangers may not go through; None where the way is open."""
    ways = [folder for folder in reversed(place.parents) if folder.exists() and not folder.stat().st_mode & 0o001]
    return ways[0] if ways else None


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
