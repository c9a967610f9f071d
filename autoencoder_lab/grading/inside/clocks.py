"""How long each step of a job takes, in a time that does not depend on what else the machine does.

It is the processor's time of all the job's processes, and the time in which none of them had anything to do, such as
in time.sleep. A process that waits for its turn at a busy processor is charged nothing.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


class Clock:
    """Charges a job's time to its steps. job: its first process.

    limits: "cell", seconds for each step; "long", the steps that may take as long as the whole; "cpu", for the whole.
    at: the step that runs, -1 before the first; took: the seconds of each.
    """

    def __init__(self, job: int, limits: dict[str, Any]) -> None:
        self.job, self.limits = job, limits
        self.at, self.took = -1, list[float]()
        self.charged, self.looked = 0.0, time.monotonic()

    def begin(self, step: int) -> None:
        """The job says that it begins a step; only the next one is believed."""
        if step == self.at + 1:
            self.look()
            self.at = step
            self.took.append(0.0)

    def look(self) -> bool:
        """Charge what has passed since the last look; whether that was more than a step or the whole may take."""
        used, waits = _used(self.job)
        now = time.monotonic()
        passed = max(0.0, used - self.charged)
        if waits and passed == 0:
            passed = now - self.looked
        self.charged, self.looked = max(used, self.charged), now
        if not self.took:
            return False
        self.took[-1] += passed
        whole = self.limits["cpu"]
        own: float = whole if self.at in self.limits["long"] else self.limits["cell"]
        return bool(self.took[-1] > own or sum(self.took) > whole)


def _used(job: int) -> tuple[float, bool]:
    """(seconds of processor time of a process and all that come from it, whether all of these wait for something)."""
    seconds, waits = 0.0, True
    for process in _family(job):
        with contextlib.suppress(OSError):
            fields = _fields(Path("/proc", process, "stat"))
            seconds += sum(map(int, fields[11:15])) / TICKS  # its own, and of those that ended and that it waited for
            for task in Path("/proc", process, "task").iterdir():
                waits = waits and _fields(task / "stat")[0] in ("S", "Z", "X", "T", "t")
    return seconds, waits


def _fields(stat: Path) -> list[str]:
    """The fields after the program's name, which may hold anything: state first."""
    return stat.read_text(errors="replace").rpartition(")")[2].split()


def _family(job: int) -> Iterator[str]:
    waiting = [str(job)]
    while waiting:
        process = waiting.pop()
        yield process
        with contextlib.suppress(OSError):
            for task in Path("/proc", process, "task").iterdir():
                waiting += (task / "children").read_text().split()
