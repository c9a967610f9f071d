"""Seconds that the whole course takes, executed from top to bottom: a breakdown by notebook, section and cell.

    python -m benchmarks course [NAME …] [--cells 8]

Run it on an idle machine. Limits: 120 s a notebook, 600 s for notebooks 00 to 06 together, and as much for the later
ones; exit status 1 above one. Nothing is written: the stored notebooks stay as they are.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import nbformat

from benchmarks.table import Row
from notebooks.build import execute
from notebooks.read_sources import NotebookEntry, notebook_entries

NOTEBOOK_LIMIT, HALF_LIMIT = 120, 600
HALVES = {"notebooks 00 to 06 together": range(7), "notebooks from 07 on together": range(7, 100)}


def timed(path: Path) -> tuple[float, list[tuple[float, str, str]]]:
    """Seconds of one notebook, and (seconds, its heading, the cell's first line) of each code cell."""
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is not built; run python notebooks/build.py {path.stem}")
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        started = time.perf_counter()
        seconds = execute(notebook, Path(folder))
        total = time.perf_counter() - started
    cells, heading = [], ""
    for cell_seconds, cell in zip(seconds, notebook.cells, strict=True):
        if cell.cell_type == "markdown" and cell.source.startswith("#"):
            heading = cell.source.splitlines()[0].lstrip("# ")
        elif cell.cell_type == "code":
            first = next((line for line in cell.source.splitlines() if line.strip()), "")
            cells.append((cell_seconds, heading, first))
    return total, cells


def together(seconds: Mapping[str, float]) -> list[Row]:
    """A row for each half of the course, from {a notebook's number: its seconds}."""
    rows = []
    for name, numbers in HALVES.items():
        found = [value for number, value in seconds.items() if int(number[:2]) in numbers]
        rows += [Row(name, sum(found), "s", HALF_LIMIT, False)] if found else []
    return rows


def measure(short: bool = False) -> list[Row]:
    """Seconds of each notebook and of each half of the course; `beside` names a notebook's slowest cell."""
    rows, seconds = [], {}
    for notebook in notebook_entries():
        seconds[notebook.number], cells = timed(notebook.built)
        slowest, heading, _ = max(cells)
        text = f"slowest cell {slowest:.0f} s, in “{heading}”"
        rows.append(Row(f"notebook {notebook.name}", seconds[notebook.number], "s", NOTEBOOK_LIMIT, False, text))
    return [*rows, *together(seconds)]


def chosen(names: list[str]) -> list[NotebookEntry]:
    """The notebooks whose names begin with one of these; all of them where none is given."""
    return [one for one in notebook_entries() if not names or any(one.name.startswith(name) for name in names)]


def main() -> int:
    """Print a table; 1 where a limit is passed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks course")
    parser.add_argument("names", nargs="*", help="notebooks, by their number; all of them if none is named")
    parser.add_argument("--cells", type=int, default=8, help="how many of a notebook's slowest cells to show")
    arguments = parser.parse_args()
    seconds = {}
    for notebook in chosen(arguments.names):
        seconds[notebook.number], cells = timed(notebook.built)
        print(f"{seconds[notebook.number]:6.1f} s  {notebook.name}", flush=True)
        for cell_seconds, heading, first in sorted(cells, reverse=True)[: arguments.cells]:
            print(f"{cell_seconds:10.1f}  {heading[:45]:45}  {first[:60]}", flush=True)
    halves = together(seconds)
    for row in halves:
        print(f"{row.value:6.1f} s  {row.name}")
    return int(any(value > NOTEBOOK_LIMIT for value in seconds.values()) or not all(row.holds for row in halves))


if __name__ == "__main__":
    sys.exit(main())
