"""A warm process inside the sandbox: it has torch loaded, and forks once for each job. Started by sandbox.py.

One byte says that a job comes. For each, the server forks a supervisor and waits for it; it never reads a job itself,
so that its memory, which every later fork inherits, holds nothing of anyone's. The supervisor reads the job, forks the
student's process into namespaces of its own (user, mount, pid, ipc, network) with an empty /submission and limits, and
hands back what comes out of it, up to a size and a time.

Frames on either pipe: eight bytes of length, then JSON. Linux only.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# linux/sched.h, linux/mount.h, linux/prctl.h
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = (
    0x00020000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
KEYCTL, KEYCTL_JOIN_SESSION_KEYRING = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine, 0), 1
LIBC = ctypes.CDLL(None, use_errno=True)
WALLS = "--no-walls" not in sys.argv


def main() -> None:
    """Serve jobs from standard input until it closes; what libraries print goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # without a handler, a job's pid 1 cannot be interrupted from inside
    jobs, answers = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    _load_packages()
    # what stands in /proc of this process (its oom_score_adj, say) is a job's to read and not to write
    _call(LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
    os.write(answers, b"R")  # ready
    while os.read(jobs, 1) == b"J":
        supervisor = os.fork()
        if supervisor == 0:
            _supervise(jobs, answers)
            os._exit(0)
        os.waitpid(supervisor, 0)


def _load_packages() -> None:
    """What every notebook imports, so that no fork pays for it."""
    import gc

    import numpy  # noqa: F401
    import probe
    import torch

    probe.shell()
    torch.set_num_threads(1)  # a pool of threads does not survive a fork
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # loads what torch loads late
    gc.freeze()  # a fork's garbage collection leaves these pages alone, and so shared


def _supervise(jobs: int, answers: int) -> None:
    """Read one job, run it in a fork of its own, hand back its answer or why there is none."""
    _call(LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
    job = json.loads(read_frame(jobs))
    started = time.monotonic()
    out, inward = os.pipe()
    child = os.fork()
    if child == 0:
        _share_nothing(inward)
        try:
            _isolate_and_run(job, inward)
        except BaseException as error:
            write_frame(inward, json.dumps({"failed": f"the sandbox: {type(error).__name__}: {error}"}).encode())
        os._exit(0)
    os.close(inward)
    answer, reason = _collect(out, started + job["limits"]["wall"], job["limits"]["result"])
    os.kill(child, signal.SIGKILL)  # not reaped yet, so the number is still its own
    # its death kills the pid namespace's first process, which comes to this one to be reaped, and not before the
    # kernel has ended all others in there
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    write_frame(answers, answer if not reason else json.dumps({"failed": reason}).encode())


def _share_nothing(inward: int) -> None:
    """Let go of what this process has in common with the server, and so with the jobs before and after.

    An open file would do to pass something on: the log, for one, can be opened again under /proc/self/fd, and read.
    """
    _call(LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if descriptor > 2 and descriptor != inward:
            with contextlib.suppress(OSError):  # the listing's own is closed
                os.close(descriptor)
    if KEYCTL:
        LIBC.syscall(KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, None)  # fails where there are no keyrings at all


def _collect(pipe: int, deadline: float, largest: int) -> tuple[bytes, str]:
    """(the frame that came, "") or (…, why it is none)."""
    received = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return b"", "time"
        part = os.read(pipe, 1 << 20)
        received += part
        if len(received) > largest:
            return b"", "result"
        if not part:  # the other end closed: all is there, or it died
            break
        if len(received) >= 8 and len(received) >= 8 + int.from_bytes(received[:8], "big"):
            break
    size = int.from_bytes(received[:8], "big")
    if len(received) < 8 or len(received) != 8 + size:
        return b"", "died"
    return bytes(received[8:]), ""


def _isolate_and_run(job: dict[str, Any], out: int) -> None:
    """Three forks down: this one makes the namespaces, the next is their pid 1, the last runs the student's code."""
    os.setsid()
    if WALLS:
        _raise_walls(out)
    else:
        os.chdir(tempfile.mkdtemp(prefix="submission-"))
    # RLIMIT_DATA does not count shared memory, RLIMIT_AS does; what torch has reserved until now comes on top
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    addresses = taken + job["limits"]["resources"]["DATA"]
    resource.setrlimit(resource.RLIMIT_AS, (addresses, addresses))
    for name, value in job["limits"]["resources"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    if WALLS:
        _drop_privileges(out)
    import probe

    write_frame(out, json.dumps(probe.answer(job)).encode())


def _raise_walls(out: int) -> None:
    """Namespaces of its own, and nothing to write to but an empty folder."""
    uid, gid = os.getuid(), os.getgid()
    _call(LIBC.unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        Path("/proc/self", name).write_text(text)
    if (first := os.fork()) != 0:
        os.close(out)
        os.waitpid(first, 0)
        os._exit(0)
    _call(LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    _call(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    for place in (b"/submission", b"/dev/shm"):  # all else is read-only: nothing can be left for the next job
        _call(LIBC.mount(b"tmpfs", place, b"tmpfs", MS_NOSUID | MS_NODEV, b"size=256m"))
    os.chdir("/submission")


def _drop_privileges(out: int) -> None:
    """No capability, no way to get one, and a process that is not the first of its namespace."""
    _call(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    # no capability is left, so that what was mounted above stays mounted; version 3 of the header, this process
    _call(LIBC.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()))
    if (second := os.fork()) != 0:  # pid 1 only waits: when it ends, the kernel kills whatever the student started
        os.close(out)
        os.waitpid(second, 0)
        os._exit(0)


def _call(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def read_frame(pipe: int) -> bytes:
    """One frame; raises EOFError where the other end closed before its end."""
    size = int.from_bytes(_read(pipe, 8), "big")
    return _read(pipe, size)


def _read(pipe: int, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = os.read(pipe, min(size - len(received), 1 << 20))
        if not part:
            raise EOFError("the pipe closed")
        received += part
    return bytes(received)


def write_frame(pipe: int, body: bytes) -> None:
    """One frame, whole."""
    view = memoryview(len(body).to_bytes(8, "big") + body)
    while view:
        view = view[os.write(pipe, view) :]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
