"""What befalls a command that writes: Ctrl-C, a kill, a full disk; each in a process of its own, forked from a server.

The server has imported everything and computed nothing, so that a fork of it is a process like any other. The first two
strike just before the n-th time that the command changes a file. A full disk is a real one, a small tmpfs in a mount
namespace of the process's own; where the system allows none, every such change raises ENOSPC from the n-th on.
"""

import contextlib
import ctypes
import errno
import json
import multiprocessing
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

PRELOADED = [  # what is not installed is passed over
    *("torch", "autoencoder_lab.training", "autoencoder_lab.explorer", "autoencoder_lab.commands.cli", "pytest"),
    *("notebooks.build", "nbgrader.api", "alembic", "autoencoder_lab.commands.grading"),
]
NEW_MOUNTS, NEW_USER, PRIVATE = 0x00020000, 0x10000000, (1 << 18) | (1 << 14)  # of unshare(2) and mount(2)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "sqlite3.connect"}
DISK = 4 << 20  # bytes


class Command(NamedTuple):
    """before: lays what a user has already; run: the command; both get the folder, where all of it happens."""

    before: Callable[[Path], None]
    run: Callable[[Path], None]


class Suffered(NamedTuple):
    """How a process ended: its exit code, what it said, how often it had changed a file by then."""

    code: int
    said: str
    changes: int


# --- in the process ----------------------------------------------------------------------------------------------


def _strike(folder: Path, fault: str, at: int) -> list[int]:
    """Let the fault come before the at-th change of a file in folder; the list counts them."""
    count, inside = [0], str(folder)

    def watch(event: str, given: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(given[2], int) and given[2] & WRITES
        if not ((writes or event in CHANGES) and isinstance(given[0], str | os.PathLike)):
            return
        if not os.fspath(given[0]).removeprefix("file:").startswith(inside):
            return
        count[0] += 1
        if fault == "killed" and count[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "interrupted" and count[0] == at:
            os.kill(os.getpid(), signal.SIGINT)
        if fault == "full" and count[0] >= at and event != "os.remove":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(given[0]))

    sys.addaudithook(watch)
    return count


def _own_disk(folder: Path) -> bool:
    """A tmpfs at folder that this process alone sees; False where the system allows none."""
    if sys.platform != "linux":
        return False
    libc, user, group = ctypes.CDLL(None, use_errno=True), os.getuid(), os.getgid()
    if libc.unshare(NEW_MOUNTS):
        if libc.unshare(NEW_MOUNTS | NEW_USER):
            return False
        for name, line in {"setgroups": "deny", "uid_map": f"0 {user} 1", "gid_map": f"0 {group} 1"}.items():
            Path("/proc/self", name).write_text(line, encoding="ascii")
    if libc.mount(b"none", b"/", None, PRIVATE, None):
        return False
    return not libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, f"size={DISK}".encode())


def fill(folder: Path, room: int) -> Path:
    """A file that leaves so many bytes of a disk."""
    ballast = folder / ".ballast"
    with ballast.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        file.truncate(max(0, file.tell() - room))
    return ballast


def _attempt(run: Callable[[Path], None], folder: Path) -> int:
    """Its exit status; what it raises is said as Python says it."""
    try:
        run(folder)
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _child(command: tuple[str, str], folder: Path, out: Path, fault: str, at: int, step: str) -> None:
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    said = os.open(out / "said", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(said, stream)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", closefd=False)
    steps: Command = getattr(import_module(command[0]), command[1])
    run = steps.run if step == "run" else steps.before
    if fault == "full" and _own_disk(folder):
        steps.before(folder)
        ballast = fill(folder, at)
        code = _attempt(run, folder)
        ballast.unlink()
        shutil.copytree(folder, out / "after")
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123  # what it says afterwards is another matter
        again = _attempt(run, folder)
        shutil.copytree(folder, out / "again")
        (out / "ended").write_text(json.dumps([0, again]), encoding="utf-8")
        os._exit(code)
    if fault == "full":  # without a disk of its own: every change fails from the first on
        steps.before(folder)
        at = 1
    count = _strike(folder, fault, at)
    code = _attempt(run, folder)
    (out / "ended").write_text(json.dumps([count[0], None]), encoding="utf-8")
    os._exit(code)  # as the workers of multiprocessing do; no thread of the command is waited for


# --- in the test -------------------------------------------------------------------------------------------------


def suffer(
    command: tuple[str, str], folder: Path, out: Path, fault: str = "", at: int = 0, step: str = "run"
) -> Suffered:
    """Run a Command, named by its module and its name there, in a process of its own.

    at: which change the fault precedes; of a full disk, the bytes that are left. step: "run", or "before" to lay the
    ground alone. `folder` is what the command works in; where the disk was a real one, out/after and out/again hold it
    as it was then, and after a second run.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    out.mkdir(parents=True)
    process = context.Process(target=_child, args=(command, folder, out, fault, at, step))
    process.start()
    process.join(timeout=600)
    if process.is_alive():
        process.kill()
        process.join()
    ended = out / "ended"
    changes = json.loads(ended.read_text(encoding="utf-8"))[0] if ended.exists() else at
    said = (out / "said").read_text(encoding="utf-8", errors="replace")
    return Suffered(process.exitcode if process.exitcode is not None else -99, said, changes)
