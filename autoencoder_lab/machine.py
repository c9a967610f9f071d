"""What of this computer the process may use: a container's share counts, not what the machine around it has.

Linux keeps the shares of containers and of `systemd-run` or Slurm jobs in control groups, which os.cpu_count() and
/proc/meminfo overlook. They are nested, and each of them binds: the smallest counts. Elsewhere there are none.
Source: kernel.org, "Control Group v2", interface files of the controllers cpu and memory; v1 has others.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

MEMBERSHIP = Path("/proc/self/cgroup")  # the groups of this process, a line "number:controllers:path" for each tree
GROUPS = Path("/sys/fs/cgroup")


BUSY = 0.5  # of a processor, used by others: from there on a training on two cores takes noticeably longer
SPIN, BRIEFLY = "GOMP_SPINCOUNT", "3000"  # GNU's OpenMP alone: that of Linux


class Memory(NamedTuple):
    """In bytes. available: what this process can still take before something is swapped out or killed."""

    available: int
    total: int


def processors() -> int:
    """How many processors this process may keep busy, at least 1.

    Affinity (taskset) counts whole ones; a control group's quota is rounded, so 1.5 processors are 2.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shares = [round(share) for group in groups("cpu") if (share := _share(group)) is not None]
    return max(1, min([count, *shares]))


def spin_briefly() -> None:
    """Let PyTorch's threads spin for 3,000 rounds while they wait for one another, in place of 300,000, then sleep.

    It costs nothing on an idle machine, and beside busy processes the core goes to a thread that has work to do. No
    bit of a result changes. Too late once PyTorch is loaded; whoever has set the variable keeps it.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault(SPIN, BRIEFLY)


def others(seconds: float = 0.1) -> float:
    """How many processors other processes keep busy, of those of the whole machine, watched for so long."""
    import psutil

    def used() -> float:
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        # a guest's time is in user's already, and steal is what a host gave to others
        whole = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        return float(whole - idle) - time.process_time()

    begun, before = time.perf_counter(), used()
    time.sleep(seconds)
    return max(0.0, (used() - before) / (time.perf_counter() - begun))


def memory() -> Memory:
    """The memory this process may use: the machine's, or less where a control group has a limit.

    Of what a group uses, files that were read and can be dropped do not count (`inactive_file`), as in `docker stats`.
    """
    import psutil

    machine = psutil.virtual_memory()
    available, total = int(machine.available), int(machine.total)
    for group in groups("memory"):
        limit, used = (_first_number(group, *names) for names in LIMIT_AND_USAGE)
        if limit is not None:
            total = min(total, limit)
            available = min(available, max(0, limit - max(0, (used or 0) - _droppable(group))))
    return Memory(available, total)


LIMIT_AND_USAGE = (("memory.max", "memory.limit_in_bytes"), ("memory.current", "memory.usage_in_bytes"))  # v2, v1


def groups(controller: str) -> Iterator[Path]:
    """The folders of this process's group and of all above it, as far as they can be seen from here.

    In a container the path may be the host's and lead nowhere; the container's own limit then stands in the root.
    """
    try:
        lines = MEMBERSHIP.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = GROUPS / controller if controllers else GROUPS  # v1 has a tree for each controller, v2 one for all
        own = PurePosixPath(path.lstrip("/"))
        if ".." not in own.parts:  # else the group is none of this container's
            yield from (root / above for above in (own, *own.parents) if above.parts)
        yield root


def _share(group: Path) -> float | None:
    """How many processors' time a group may take; None where it has no quota."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text(encoding="utf-8") for name in ("quota", "period"))
        share = int(quota) / int(period)
    except (OSError, ValueError):  # no such file, or "max"
        return None
    return share if share > 0 else None  # v1 says −1 for none


def _first_number(group: Path, *names: str) -> int | None:
    """The number in the first of these files that has one; "max" is none."""
    for name in names:
        try:
            return int((group / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
    return None


def _droppable(group: Path) -> int:
    """Bytes of files that were read and not used since."""
    try:
        counts = dict(line.split() for line in (group / "memory.stat").read_text(encoding="utf-8").splitlines())
        return int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))  # v1, v2
    except (OSError, ValueError):
        return 0
