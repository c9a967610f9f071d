"""Running a notebook, cell by cell, in a kernel of its own: for `check`, the builder, the benchmarks and the tests."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError


class CellFailed(Exception):
    """A cell raised, hung or killed its kernel; the message names it.

    number: its place, from 1; reason: what the kernel said of it.
    """

    def __init__(self, what: str, number: int, cell: Any, reason: str) -> None:
        super().__init__(f"cell {number} {what}:\n{cell.source}\n\n{reason}")
        self.number, self.reason = number, reason


def run_cells(
    notebook: Any,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    timeout: int = 600,
    allow_errors: bool = False,
) -> list[float]:
    """Run every cell in place in a fresh kernel that works in `folder`; return the seconds of each cell.

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
    seconds = []
    with client.setup_kernel(**({} if environment is None else {"env": dict(environment)})):
        for index, cell in enumerate(notebook.cells):
            started = time.perf_counter()
            try:
                client.execute_cell(cell, index)
            except CellExecutionError as error:
                raise CellFailed("failed", index + 1, cell, f"{error.ename}: {error.evalue}") from None
            except (CellTimeoutError, DeadKernelError) as error:
                raise CellFailed("did not end", index + 1, cell, str(error)) from None
            seconds.append(time.perf_counter() - started)
    return seconds
