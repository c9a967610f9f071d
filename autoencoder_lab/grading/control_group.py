"""A control group for one worker's jobs: it counts what all processes of a job take together. Linux only.

It can be had as root, or where the group of this process was given to its user: `systemd-run --user --scope -p
Delegate=yes COMMAND`. A job's process enters through a descriptor of cgroup.procs that was opened out here.
Source: kernel.org, "Control Group v2", and "Memory Resource Controller" for v1.
"""

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path

from autoencoder_lab import machine

CONTROLLERS = ("memory", "pids")
MAIN, OWN = "autoencoder-lab-main", "autoencoder-lab-jobs-"  # names of groups; the second with a process's number


class ControlGroup:
    """folders: {controller: the group's folder}, one folder in version 2. Raises OSError where none can be had."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.folders = dict(folders)
        self.descriptors: list[int] = []
        self.counter: int | None = None  # a descriptor of what counts the processor's time, where something does
        try:
            for folder in dict.fromkeys(self.folders.values()):
                folder.mkdir(exist_ok=True)
                self.descriptors.append(os.open(folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC))
            self.allow(1 << 30, 64)  # does it take limits?
            counts = {"cpuacct": "cpuacct.usage", "memory": "cpu.stat"}  # version 1, version 2
            counters = [self.folders[name] / file for name, file in counts.items() if name in self.folders]
            self.counter = next((os.open(file, os.O_RDONLY | os.O_CLOEXEC) for file in counters if file.exists()), None)
        except BaseException:
            self.close()
            raise
        self._killed = self._kills()

    @classmethod
    def make(cls) -> "ControlGroup | None":
        """A new one below the group of this process, or None."""
        name = f"{OWN}{os.getpid()}-{time.monotonic_ns()}"
        try:
            folders = {controller: _place(controller) / name for controller in CONTROLLERS}
        except (OSError, StopIteration):
            return None
        for more in [{"cpuacct": folder / name} for folder in _counting()] + [{}]:
            with contextlib.suppress(OSError):
                return cls(folders | more)
        return None

    def allow(self, memory: int, processes: int) -> None:
        """Limits of the next job. memory: bytes, no swap beside them. Raises OSError."""
        group, value = self.folders["memory"], str(memory)
        for file in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.limit_in_bytes"):
            if (group / file).exists():  # version 1: the sum with swap may never be the smaller
                with contextlib.suppress(OSError):
                    (group / file).write_text(value, encoding="utf-8")
        if (group / "memory.max").exists():
            (group / "memory.max").write_text(value, encoding="utf-8")
            for file, said in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
                if (group / file).exists():
                    (group / file).write_text(said, encoding="utf-8")
        (self.folders["pids"] / "pids.max").write_text(str(processes), encoding="utf-8")

    def ended(self) -> bool:
        """To be told that a job has ended; whether the kernel killed in it for want of memory.

        What the job alone brought into the page cache goes with it: the next could tell from it what was read.
        """
        group = self.folders["memory"]
        with contextlib.suppress(OSError):  # it takes what it can
            if (group / "memory.force_empty").exists():
                (group / "memory.force_empty").write_text("0", encoding="utf-8")
            elif (group / "memory.reclaim").exists():
                (group / "memory.reclaim").write_text((group / "memory.current").read_text(), encoding="utf-8")
        before, self._killed = self._killed, self._kills()
        return self._killed > before

    def close(self) -> None:
        """Take the group away; once is enough, twice does no harm."""
        if self.counter is not None:
            self.descriptors.append(self.counter)
            self.counter = None
        while self.descriptors:
            os.close(self.descriptors.pop())
        for folder in set(self.folders.values()):
            for _ in range(50):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:  # what was killed a moment ago is still on its way out
                    time.sleep(0.01)
                else:
                    break

    def _kills(self) -> int:
        with contextlib.suppress(OSError, ValueError):
            for file in ("memory.events", "memory.oom_control"):
                path = self.folders["memory"] / file
                if path.exists():
                    counts = dict(line.split() for line in path.read_text(encoding="utf-8").splitlines())
                    return int(counts.get("oom_kill", 0))
        return 0


def _place(controller: str) -> Path:
    """The folder in which groups of our own may lie. Raises StopIteration or OSError where there is none."""
    own = next(group for group in machine.groups(controller) if (group / "cgroup.procs").exists())
    own = own.parent if own.name == MAIN else own
    if (own / "cgroup.controllers").exists() and (own / "cgroup.subtree_control").exists():
        enabled = (own / "cgroup.subtree_control").read_text(encoding="utf-8").split()
        if controller not in enabled:
            _enable(own)
    for left in own.glob(f"{OWN}*"):  # of a process that was killed
        if not Path("/proc", left.name.removeprefix(OWN).split("-")[0]).exists():
            with contextlib.suppress(OSError):
                left.rmdir()
    return own


def _counting() -> list[Path]:
    """Version 1 counts the processor's time in groups of its own, version 2 in every group."""
    with contextlib.suppress(OSError, StopIteration):
        place = _place("cpuacct")
        return [] if (place / "cgroup.controllers").exists() else [place]
    return []


def _enable(own: Path) -> None:
    """Let groups below this one have limits; version 2 wants it empty of processes then: they move one down."""
    wanted = " ".join(f"+{controller}" for controller in CONTROLLERS)
    if any(c not in (own / "cgroup.controllers").read_text(encoding="utf-8").split() for c in CONTROLLERS):
        raise FileNotFoundError(f"{own} has no controllers for {' and '.join(CONTROLLERS)}")
    with contextlib.suppress(OSError):
        (own / "cgroup.subtree_control").write_text(wanted, encoding="utf-8")
        return
    (own / MAIN).mkdir(exist_ok=True)
    for process in (own / "cgroup.procs").read_text(encoding="utf-8").split():
        (own / MAIN / "cgroup.procs").write_text(process, encoding="utf-8")
    (own / "cgroup.subtree_control").write_text(wanted, encoding="utf-8")
