"""Running a notebook, cell by cell, in a kernel of its own: for `check`, the builder, the benchmarks and the tests."""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ON_OWN_MACHINE = "Kernel is running over TCP without encryption"  # a warning of each kernel's, of no use here


class CellFailed(Exception):
    """A cell raised, hung or killed its kernel; the message names it.

    what: "failed", "did not end" or "ended the kernel"; number: its place, from 1; reason: what the kernel said of it.
    """

    def __init__(self, what: str, number: int, cell: Any, reason: str) -> None:
        super().__init__(f"cell {number} {what}:\n{cell.source}\n\n{reason}")
        self.what, self.number, self.reason = what, number, reason


def run_cells(
    notebook: Any,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    timeout: int = 600,
    allow_errors: bool = False,
    processor: bool = False,
) -> list[float]:
    """Run every cell in place in a fresh kernel that works in `folder`; return the seconds of each cell.

    processor: seconds that a processor worked for it, in place of those that passed.

    environment: of the kernel, by default this process's; timeout: in seconds, of one cell; allow_errors: a cell that
    raises keeps its error among its outputs, and the next one runs. Raises CellFailed for a cell that does not end, and
    for one that raises where errors are not allowed.
    """
    client = NotebookClient(
        notebook,
        timeout=timeout,
        allow_errors=allow_errors,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
    )
    seconds, left = list[float](), list[int]()

    def replied(cell: Any, cell_index: int, execute_reply: Any) -> None:
        if any(one.get("source") == "ask_exit" for one in execute_reply["content"].get("payload", ())):
            left.append(cell_index)  # exit() or quit(): the kernel is about to end

    client.on_cell_executed = replied
    own = {} if environment is None else {"env": dict(environment)}
    with _stderr() as stderr, client.setup_kernel(stderr=stderr, **own):
        clock = _processor_clock(client) if processor else time.perf_counter
        for index, cell in enumerate(notebook.cells):
            started = clock()
            try:
                client.execute_cell(cell, index)
            except CellExecutionError as error:
                raise CellFailed("failed", index + 1, cell, f"{error.ename}: {error.evalue}") from None
            except (CellTimeoutError, DeadKernelError) as error:
                what = "did not end" if isinstance(error, CellTimeoutError) else "ended the kernel"
                raise CellFailed(what, index + 1, cell, str(error)) from None
            if left:
                raise CellFailed("ended the kernel", index + 1, cell, "exit() or quit()")
            seconds.append(clock() - started)
    return seconds


def _processor_clock(client: Any) -> Callable[[], float]:
    """Seconds that a processor has worked for a kernel and what it started."""
    process = psutil.Process(client.km.provisioner.pid)

    def clock() -> float:
        try:
            return float(sum(process.cpu_times()[:4]))  # its own and its children's, user and system
        except psutil.Error:
            return 0.0

    return clock


@contextmanager
def _stderr() -> Iterator[int]:
    """A file for what a kernel itself says, which is passed on at the end; nothing of it where a person interrupts."""
    end, file = os.pipe()
    said = deque[str](maxlen=1000)

    def read() -> None:
        with os.fdopen(end, encoding="utf-8", errors="replace") as lines:
            said.extend(line for line in lines if ON_OWN_MACHINE not in line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield file
    except Exception:
        raise
    except BaseException:
        said = deque[str]()
        raise
    finally:
        os.close(file)
        reader.join(timeout=1)
        sys.stderr.writelines(list(said))
