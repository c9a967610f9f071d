"""`autoencoder-lab check LAB.ipynb`: run a student's notebook and say of each part: done, wrong and why, or missing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autoencoder_lab.protocol import NOT_DONE, TEXT_STUB

State = Literal["done", "wrong", "missing"]
SIGNS = {"done": "✓", "wrong": "✗", "missing": "·"}


@dataclass(frozen=True)
class PartState:
    """What became of one part; said: the check's own words."""

    name: str
    points: float
    state: State
    said: str


def check(path: Path, timeout: int = 300) -> list[PartState]:
    """Execute a copy of the notebook in its folder and look at its check cells; the file itself is left as it is.

    Raises ValueError for a file that is no lab. Needs nothing but Jupyter, which the course brings.
    """
    import nbformat

    from autoencoder_lab.commands.notebook_runner import CellFailed, run_cells

    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, AttributeError, KeyError) as error:
        raise ValueError(f"{path} cannot be read as a notebook: {error}") from None
    graded = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    if not graded:
        raise ValueError(f"{path} is no lab: it has no cell that carries points; check the notebook you were given")
    try:
        run_cells(notebook, path.resolve().parent, timeout=timeout, allow_errors=True)
    except CellFailed as error:
        stopped = error.reason.splitlines()[0]
        return [
            PartState(_name(cell), _points(cell), "wrong", f"the notebook did not end: {stopped}") for cell in graded
        ]
    before = _first_error(notebook)
    return [_state(cell, before) for cell in graded]


def _name(cell: Any) -> str:
    return str(cell.metadata.nbgrader.grade_id).removeprefix("test_")


def _points(cell: Any) -> float:
    return float(cell.metadata.nbgrader.get("points", 0))


def _first_error(notebook: Any) -> str:
    """The first error in a cell that is no check: it may be why a later check stops."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error" and not cell.metadata.get("nbgrader", {}).get("grade"):
                return f"{output.ename}: {output.evalue}"
    return ""


def _state(cell: Any, before: str) -> PartState:
    name, points = _name(cell), _points(cell)
    if cell.cell_type != "code":
        untouched = TEXT_STUB in cell.source or not cell.source.strip()
        said = "nothing is written yet" if untouched else "a person will read it"
        return PartState(name, points, "missing" if untouched else "done", said)
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            if output.ename == "CheckFailed":
                return PartState(name, points, "wrong", output.evalue)
            reason = f"{output.ename}: {output.evalue}" + (f"; an earlier cell stopped with {before}" if before else "")
            return PartState(name, points, "wrong", reason)
    printed = "".join(output.get("text", "") for output in cell.get("outputs", [])).strip()
    state: State = "missing" if NOT_DONE in printed else "done"
    return PartState(name, points, state, printed.splitlines()[-1] if printed else "")


def summary(states: list[PartState]) -> str:
    """A line a part, and how much is done."""
    lines = [f"{SIGNS[one.state]} {one.state:8}{one.name:24}({one.points:g} points)  {one.said}" for one in states]
    done = sum(one.points for one in states if one.state == "done")
    lines.append(f"{done:g} of {sum(one.points for one in states):g} points are done as far as the checks can tell.")
    return "\n".join(lines)
