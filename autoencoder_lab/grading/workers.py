"""Where submissions are graded: in processes of this machine, or on a Dask cluster. A worker's death is one try's."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

Submit = Callable[..., Any]
PR_SET_PDEATHSIG = 1


class Processes:
    """So many processes, each with an executor of its own: one that is killed takes nothing but its own work along.

    Whoever ends this process, with whatever signal, ends them (Linux).
    """

    def __init__(self, workers: int) -> None:
        self._running: dict[int, Future[Any] | None] = dict.fromkeys(range(max(workers, 1)))
        self._executors = {place: _one() for place in self._running}

    def submit(self, function: Callable[..., Any], *given: Any) -> Future[Any]:
        """Run function(*given) in a process that does nothing else; there must be one."""
        place = next(p for p, future in self._running.items() if future is None or future.done())
        try:
            future = self._executors[place].submit(function, *given)
        except BrokenExecutor:
            self._executors[place].shutdown()
            self._executors[place] = _one()
            future = self._executors[place].submit(function, *given)
        self._running[place] = future
        return future

    def shutdown(self) -> None:
        """Wait for what runs, and end the processes."""
        for executor in self._executors.values():
            executor.shutdown(cancel_futures=True)


def _one() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"), initializer=end_with, initargs=(os.getpid(),))


def end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, which may have happened already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


@contextmanager
def pool(workers: int, scheduler: str | None) -> Iterator[Submit]:
    """How to submit work: to processes of this machine, or to a Dask cluster, whose futures are much alike."""
    if scheduler is None:
        processes = Processes(workers)
        try:
            yield processes.submit
        finally:
            processes.shutdown()
        return
    from distributed import Client

    with Client(scheduler) as client:
        executor = client.get_executor(pure=False)
        yield executor.submit


def lost(error: BaseException) -> bool:
    """Whether an error says that the process that did the work is gone; Dask has a name of its own for that."""
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"
