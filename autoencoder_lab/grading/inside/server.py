"""A warm process inside the sandbox: it has torch loaded, and forks once for each job. Started by sandbox.py.

One byte says that a job comes. For each, the server forks a supervisor and waits for it; it never reads a job itself,
so that its memory, which every later fork inherits, holds nothing of anyone's. The supervisor reads the cells, forks
the student's process into namespaces of its own (user, mount, pid, ipc, network) with an empty /submission and limits,
and hands back what comes out of it, up to a size and a time. It reads the probes only when the cells' report is in its
hands: what cells print and how they stop can hold nothing of a probe.

Frames on either pipe: eight bytes of length, then JSON. A job says with eight bytes, the first bit set, which step it
begins: a cell or a probe. An answer is one frame: a line, the length of the cells' report in eight bytes, that report,
the probes' report. The line holds the reason why there is no answer or "-", the step it was at, and the seconds that
each step took. Linux only.
"""

import contextlib
import ctypes
import itertools
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
MS_RDONLY, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_RELATIME = 0x1, 0x8, 0x20, 0x1000, 0x200000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 36, 38
SECCOMP_MODE_FILTER = 2
TMPFS = b"size=256m,nr_inodes=20000"
WATCHED = 0.25  # seconds between two looks at a job's time, and at its memory where no control group bounds it
LIBC = ctypes.CDLL(None, use_errno=True)
WALLS = "--no-walls" not in sys.argv
GROUPS = [int(word) for word in sys.argv if word.isdigit()]  # descriptors of a control group's cgroup.procs
COUNTER = next((int(word[6:]) for word in sys.argv if word.startswith("--cpu=")), None)  # and of its processor time


def main() -> None:
    """Serve jobs from standard input until it closes; what libraries print goes to standard error."""
    _end_with_parent()
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
        while os.wait()[0] != supervisor:  # this is the first process of the sandbox: what lost its parent comes here
            pass


def _load_packages() -> None:
    """What every notebook imports, so that no fork pays for it."""
    import gc

    import clocks  # noqa: F401
    import numpy  # noqa: F401
    import probe
    import system_calls  # noqa: F401
    import torch

    probe.shell()
    torch.set_num_threads(1)  # a pool of threads does not survive a fork
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # loads what torch loads late
    torch.zeros(1).half()  # reads /proc/cpuinfo, once; a job's /proc has none
    gc.freeze()  # a fork's garbage collection leaves these pages alone, and so shared


def _supervise(jobs: int, answers: int) -> None:
    """Read one job, run it in a fork of its own, hand back its answer or why there is none."""
    import clocks

    _end_with_parent()
    _call(LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
    job = json.loads(read_frame(jobs))
    started, limits = time.monotonic(), job["limits"]
    (out, inward), (asked, asking) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        _share_nothing(inward, asked)
        try:
            _isolate_and_run(job, inward, asked)
        except BaseException as error:
            write_frame(inward, json.dumps({"failed": f"the sandbox: {type(error).__name__}: {error}"}).encode())
        os._exit(0)
    os.close(inward)
    os.close(asked)
    watched = limits["memory"] if WALLS and not GROUPS else 0
    deadline, probed, clock = started + limits["wall"], b"", clocks.Clock(child, limits, COUNTER)
    cells, reason = _collect(out, deadline, limits["result"], watched, clock)
    probes = read_frame(jobs)  # in any case: the next job comes after it
    if not reason:
        with contextlib.suppress(OSError):  # it may have ended
            os.set_blocking(asking, False)
            _write_until(asking, len(probes).to_bytes(8, "big") + probes, deadline)
        os.close(asking)
        probed, reason = _collect(out, deadline, limits["result"], watched, clock)
    clock.look()
    _end(child)
    cells = cells if reason != "result" else b""
    line = " ".join([reason or "-", str(clock.at), *(f"{seconds:.2f}" for seconds in clock.took)])
    write_frame(answers, b"".join([line.encode(), b"\n", len(cells).to_bytes(8, "big"), cells, probed]))


def _end(child: int) -> None:
    """Kill the job, and wait until nothing of it is left.

    The child's death kills the pid namespace's first process, which comes to this one to be reaped, and not before the
    kernel has ended all others in there. Without walls, what a job started comes here too.
    """
    os.kill(child, signal.SIGKILL)  # not reaped yet, so the number is still its own
    with contextlib.suppress(ChildProcessError):
        while True:
            for other in Path("/proc/thread-self/children").read_text().split():
                os.kill(int(other), signal.SIGKILL)
            os.wait()


def _end_with_parent() -> None:
    _call(LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def _share_nothing(*own: int) -> None:
    """Let go of what this process has in common with the server, and so with the jobs before and after.

    An open file would do to pass something on: the log, for one, can be opened again under /proc/self/fd, and read.
    """
    for group in GROUPS:  # from here on, all that the job takes is counted as one
        os.write(group, b"0")
    _end_with_parent()
    _call(LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if descriptor > 2 and descriptor not in own:
            with contextlib.suppress(OSError):  # the listing's own is closed
                os.close(descriptor)


def _collect(pipe: int, deadline: float, largest: int, memory: int, clock: Any) -> tuple[bytes, str]:
    """(the frame that came, "") or (…, why it is none). memory: bytes for all of the job, 0 where it is not watched.

    clock: a clocks.Clock, which is told the steps and says when one took too long.
    """
    received = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or clock.look():
            return b"", "time"
        if memory and _memory_taken() > memory:
            return b"", "memory"
        look = WATCHED * (0.5 + os.urandom(1)[0] / 255)  # when it comes is nobody's to know
        if not select.select([pipe], [], [], min(left, look))[0]:
            continue
        part = os.read(pipe, 1 << 20)
        received += part
        while len(received) >= 8 and received[0] & 0x80:
            clock.begin(int.from_bytes(received[1:8], "big"))
            del received[:8]
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


def _memory_taken() -> int:
    """Bytes that the processes of the job hold. A page that several share counts in parts, one for each.

    Who may not be looked into is counted with all that it shares: three of these are ours, and have next to nothing
    of their own (the server, and what waits for the job).
    """
    taken, whole = 0, list[int]()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            taken += _kilobytes(process / "smaps_rollup", "Pss_Anon:", "Pss_Shmem:")
        except OSError:
            with contextlib.suppress(OSError):  # it may have ended
                whole.append(_kilobytes(process / "status", "RssAnon:", "RssShmem:"))
    return 1024 * (taken + sum(sorted(whole)[3:]))


def _kilobytes(file: Path, *names: str) -> int:
    lines = [line.split() for line in file.read_text().splitlines()]
    return sum(int(words[1]) for words in lines if words and words[0] in names)


def _write_until(pipe: int, content: bytes, deadline: float) -> None:
    """Write to whoever may never read, until a time."""
    view = memoryview(content)
    while view and (left := deadline - time.monotonic()) > 0:
        if select.select([], [pipe], [], left)[1]:
            view = view[os.write(pipe, view) :]


def _isolate_and_run(job: dict[str, Any], out: int, asked: int) -> None:
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

    steps = itertools.count()

    def begin() -> None:
        os.write(out, (1 << 63 | next(steps)).to_bytes(8, "big"))

    names, cells = probe.run_cells(job, begin)
    write_frame(out, json.dumps({"cells": cells}).encode())
    probes = json.loads(read_frame(asked))
    write_frame(out, json.dumps({"probes": probe.answer(names, probes, begin)}).encode())


def _raise_walls(out: int) -> None:
    """Namespaces of its own, and nothing to write to but an empty folder."""
    uid, gid = os.getuid(), os.getgid()
    _call(LIBC.unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        Path("/proc/self", name).write_text(text)
    _call(LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))  # what stands of it in /proc is nobody's to write
    if (first := os.fork()) != 0:
        os.close(out)
        os.waitpid(first, 0)
        os._exit(0)
    _end_with_parent()
    _call(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    for place in (b"/submission", b"/dev/shm"):  # all else is read-only: nothing can be left for the next job
        _call(LIBC.mount(b"tmpfs", place, b"tmpfs", MS_NOSUID | MS_NODEV, TMPFS))
    terminals = b"newinstance,ptmxmode=0666,mode=620"
    _call(LIBC.mount(b"devpts", b"/dev/pts", b"devpts", MS_NOSUID | MS_NOEXEC, terminals))
    # a /proc of its own, whose numbers begin at 1 for each job, without the kernel's counters (before Linux 5.8, with
    # them). Where that is refused, in some containers, the worker's
    plain = MS_NOSUID | MS_NODEV | MS_NOEXEC
    if all(LIBC.mount(b"proc", b"/proc", b"proc", plain, options) for options in (b"subset=pid", None)):
        _call(LIBC.mount(b"/proc", b"/proc", None, MS_BIND | MS_REC, None))
    # the devices are the host's: they are written to, but their times are not set
    for shown in ("/proc", *(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty"))):
        _make_read_only(shown)
    os.chdir("/submission")


def _make_read_only(place: str) -> None:
    """One mount, the other flags as they are: those of a mount from outside may not be taken away."""
    found = os.statvfs(place).f_flag
    kept = found & (MS_NOSUID | MS_NODEV | MS_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME)  # the same bits in both
    kept |= MS_RELATIME if found & os.ST_RELATIME else 0
    _call(LIBC.mount(b"none", place.encode(), None, MS_REMOUNT | MS_BIND | MS_RDONLY | kept, None))


def _drop_privileges(out: int) -> None:
    """No capability, no way to get one, few system calls, and a process that is not the first of its namespace."""
    import system_calls

    _call(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    # no capability is left, so that what was mounted above stays mounted; version 3 of the header, this process
    _call(LIBC.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()))
    if code := system_calls.program(os.uname().machine, job=True):
        kept = ctypes.create_string_buffer(code)
        described = _Program(len(code) // 8, ctypes.addressof(kept))
        _call(LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(described), 0, 0))
    if (second := os.fork()) != 0:  # pid 1 only waits: when it ends, the kernel kills whatever the student started
        os.close(out)
        os.waitpid(second, 0)
        os._exit(0)
    _call(LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
    _end_with_parent()


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


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
