"""Seconds that the whole course takes, executed from top to bottom: a breakdown by notebook, section and cell.

    python -m benchmarks course [NAME …] [--cells 8]

Run it on an idle machine. Limits: 120 s a notebook, 600 s for notebooks 00 to 06 together; exit status 1 above one.
Nothing is written: the stored notebooks stay as they are.
"""

import argparse
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from benchmarks.table import Row

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
NUMBERED = sorted(NOTEBOOKS.glob("[0-9][0-9]*_*.ipynb"))
NOTEBOOK_LIMIT, COURSE_LIMIT = 120, 600


def execute(path: Path) -> tuple[float, list[tuple[float, str, str]]]:
    """Seconds of one notebook, and (seconds, its heading, the cell's first line) of each code cell."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=600, kernel_name="python3", record_timing=True, resources={"metadata": {"path": folder}}
        )
        started = time.perf_counter()
        client.execute()
        seconds = time.perf_counter() - started
    cells, heading = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("#"):
            heading = cell.source.splitlines()[0].lstrip("# ")
        elif cell.cell_type == "code" and "iopub.execute_input" in cell.metadata.get("execution", {}):
            stamps = cell.metadata.execution
            began, ended = (datetime.fromisoformat(stamps[k]) for k in ("iopub.execute_input", "shell.execute_reply"))
            first = next((line for line in cell.source.splitlines() if line.strip()), "")
            cells.append(((ended - began).total_seconds(), heading, first))
    return seconds, cells


def measure(short: bool = False) -> list[Row]:
    """Seconds of each notebook and of all; `beside` names its slowest cell."""
    rows = []
    for path in NUMBERED:
        seconds, cells = execute(path)
        slowest, heading, _ = max(cells)
        text = f"slowest cell {slowest:.0f} s, in “{heading}”"
        rows.append(Row(f"notebook {path.stem}", seconds, "s", NOTEBOOK_LIMIT, False, text))
    return [*rows, Row("all notebooks together", sum(row.value for row in rows), "s", COURSE_LIMIT, False)]


def main() -> int:
    """Print a table; 1 where a limit is passed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks course")
    parser.add_argument("names", nargs="*", help="notebooks, by their number; all of them if none is named")
    parser.add_argument("--cells", type=int, default=8, help="how many of a notebook's slowest cells to show")
    arguments = parser.parse_args()
    chosen = [p for p in NUMBERED if not arguments.names or any(p.stem.startswith(name) for name in arguments.names)]
    total, passed = 0.0, False
    for path in chosen:
        seconds, cells = execute(path)
        total, passed = total + seconds, passed or seconds > NOTEBOOK_LIMIT
        print(f"{seconds:6.1f} s  {path.stem}", flush=True)
        for cell_seconds, heading, first in sorted(cells, reverse=True)[: arguments.cells]:
            print(f"{cell_seconds:10.1f}  {heading[:45]:45}  {first[:60]}", flush=True)
    print(f"{total:6.1f} s  together")
    return int(passed or total > COURSE_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
