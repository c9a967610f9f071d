"""How long each step of a job takes, in a time that does not depend on what else the machine does.

It is the processor's time of all the job's processes, and the time in which none of them had anything to do, such as
in time.sleep. A process that waits for its turn at a busy processor is charged nothing. Where a control group counts
the processor's time, nothing escapes; elsewhere what processes take that end between two looks, and that nobody waits
for, is in nobody's count.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


class Clock:
    """Charges a job's time to its steps. job: its first process; counter: a control group's count, as a descriptor.

    limits: "cell", seconds for each step; "long", the steps that may take as long as the whole; "cpu", for the whole.
    at: the step that runs, -1 before the first; took: the seconds of each.
    """

    def __init__(self, job: int, limits: dict[str, Any], counter: int | None = None) -> None:
        self.job, self.limits, self.counter = job, limits, counter
        self.at, self.took = -1, list[float]()
        self.charged, self.looked = self._counted() if counter is not None else 0.0, time.monotonic()
        self.blocked: dict[str, int] = {}  # how often a task that cannot be woken had given the processor away

    def begin(self, step: int) -> None:
        """The job says that it begins a step; only the next one is believed."""
        if step == self.at + 1:
            self.look()
            self.at = step
            self.took.append(0.0)

    def look(self) -> bool:
        """Charge what has passed since the last look; whether that was more than a step or the whole may take."""
        used, waits = self._used()
        now = time.monotonic()
        passed = max(0.0, used - self.charged)
        if waits:  # as it was found now, so it was since the last look: nobody knows when looks come
            passed = max(passed, now - self.looked)
        self.charged, self.looked = max(used, self.charged), now
        if not self.took:
            return False
        self.took[-1] += passed
        whole = self.limits["cpu"]
        own: float = whole if self.at in self.limits["long"] else self.limits["cell"]
        return bool(self.took[-1] > own or sum(self.took) > whole)

    def _used(self) -> tuple[float, bool]:
        """(seconds of processor time of all the job's processes, whether all of these wait for something)."""
        seconds, waits = 0.0, True
        before, self.blocked = self.blocked, {}
        for process in _family(self.job):
            with contextlib.suppress(OSError):
                fields = _fields(Path("/proc", process, "stat"))
                seconds += sum(map(int, fields[11:15])) / TICKS  # its own, and of those that ended and it waited for
                for task in Path("/proc", process, "task").iterdir():
                    waits = self._waits(task, before) and waits
        return seconds if self.counter is None else self._counted(), waits

    def _waits(self, task: Path, before: dict[str, int]) -> bool:
        """Who waits for a disk comes and goes. Who waits so all the time from look to look may have vfork to thank."""
        state = _fields(task / "stat")[0]
        if state == "D":
            lines = (task / "status").read_text(errors="replace").splitlines()
            self.blocked[task.name] = sum(int(line.split()[1]) for line in lines if "ctxt_switches:" in line)
            return before.get(task.name) == self.blocked[task.name]
        return state in ("S", "Z", "X", "T", "t")

    def _counted(self) -> float:
        """Seconds: of version 1 nanoseconds, the only number; of version 2 the first line's microseconds."""
        assert self.counter is not None
        words = os.pread(self.counter, 4096, 0).split()
        return int(words[1]) / 1e6 if words[0] == b"usage_usec" else int(words[0]) / 1e9


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
