"""`autoencoder-lab check LAB.ipynb`: run a student's notebook and say of each part: done, wrong and why, or missing.

It reads a notebook as `grade` does, however odd, and runs it in the same way: all cells in their order, without those
that never end. A check runs where it stands, and once more at the end; where the two differ, it is asked as `grade`
asks, without the answers of other parts.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import autoencoder_lab
from autoencoder_lab.files import encodable
from autoencoder_lab.protocol import CELL_SECONDS, NOT_DONE, PLACEHOLDER, RUN_SECONDS, TEXT_STUB

LABS = Path(autoencoder_lab.__file__).parent / "checks" / "labs"
State = Literal["done", "wrong", "missing"]
SIGNS = {"done": "✓", "wrong": "✗", "missing": "·"}
MOST_LEFT_OUT = 5
CHECK = re.compile(r"\bchecks\.\w+\.(\w+)(?:\.check)?\(")  # a check cell that lost its mark
HEADING = re.compile(r"^##+ .*\((\d{1,3}) points?\)", re.MULTILINE)  # of a part
# of a lab that is none of the course's; theirs stand beside their PARTS
IMPORTS = "import torch\nfrom torch import nn\n\nimport autoencoder_lab as lab\n"
MISSES_A_NAME = re.compile(r"NameError: (?:name|cannot access)|UnboundLocalError")


@dataclass(frozen=True)
class PartState:
    """What became of one part; said: the check's own words."""

    name: str
    points: float
    state: State
    said: str


@dataclass
class _Ran:
    """What came of the cells. outputs: by place; again: of a second run; left_out: places, and why."""

    outputs: dict[int, list[Any]] = field(default_factory=dict)
    again: dict[int, list[Any]] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    left_out: dict[int, str] = field(default_factory=dict)

    def misses_a_name(self) -> bool:
        """Whether something stopped for a name that nothing defines, an import perhaps."""
        outputs = [output for each in self.outputs.values() for output in each]
        return any(output.get("ename") == "NameError" for output in outputs)


def check(path: Path, timeout: int = 10 * CELL_SECONDS) -> list[PartState]:
    """What became of each part. See `look`."""
    return look(path, timeout)[0]


def look(path: Path, timeout: int = 10 * CELL_SECONDS) -> tuple[list[PartState], list[str]]:
    """Execute a copy of the notebook in its folder: what became of each part, and warnings of cells that take long.

    timeout: seconds of one cell; one that takes longer, or ends its kernel, is left out. The file is left as it is.
    Raises ValueError for a file that cannot be read, is no lab, or cannot be run. Needs nothing but Jupyter, which the
    course brings.
    """
    from autoencoder_lab.grading.assembling import copies_of_stubs
    from autoencoder_lab.grading.notebook_file import SourceCell, cells_of
    from autoencoder_lab.grading.submission import Unreadable

    try:
        cells = _with_all_checks(_once_each(cells_of(_content(path))))
    except Unreadable as error:
        raise ValueError(f"{path} cannot be read as a notebook: {error}") from None
    tests = [
        i for i, cell in enumerate(cells) if cell.use == "test" and (cell.points is not None or _unmarked_check(cell))
    ]
    texts = [
        i for i, cell in enumerate(cells) if cell.points is not None and cell.use == "answer" and cell.kind != "code"
    ]
    if not any(cells[index].points is not None for index in tests + texts):
        raise ValueError(f"{path} is no lab: it has no cell that carries points; check the notebook you were given")
    passed_over = copies_of_stubs(cells, {})
    code = [i for i, cell in enumerate(cells) if (cell.kind == "code" or i in tests) and i not in passed_over]
    ran = _run([*code, *tests], cells, path, timeout)
    if ran.misses_a_name() and not any(cell.grade_id == "imports" for cell in cells):
        cells.append(SourceCell("code", _imports_of(cells), "imports", "given"))
        code.insert(0, len(cells) - 1)
        ran = _run([*code, *tests], cells, path, timeout)

    def state(index: int) -> PartState:
        if index in texts:
            return _text(index, cells)
        here = _state(index, cells, ran, tests)
        later = _state(index, cells, replace(ran, outputs=ran.outputs | ran.again), tests)
        if here.state == later.state or MISSES_A_NAME.search(here.said):
            return later if MISSES_A_NAME.search(here.said) else here
        own, others = (
            _name(cells[index]),
            {_name(cells[i]) for i in tests} | ({"train"} if ".check(" in cells[index].source else set()),
        )
        alone = [
            i for i in code if i not in tests and cells[i].grade_id not in others - {own} and i not in ran.left_out
        ]
        asked = _state(index, cells, _run([*alone, index], cells, path, timeout), tests)
        return later if MISSES_A_NAME.search(asked.said) else asked

    states = [state(index) for index in sorted(tests + texts)]
    return states, _warnings(cells, ran, passed_over) + _gone(cells, states)


def _content(path: Path) -> bytes:
    from autoencoder_lab.grading.reading import read_regular
    from autoencoder_lab.grading.submission import LARGEST_FILE

    try:
        return read_regular(path.resolve(), LARGEST_FILE)
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, and "\0", are no OSError in all Pythons
        other = "links lead in a circle" if isinstance(error, RuntimeError) else "no file has such a name"
        said = getattr(error, "strerror", None) or other
        places = (path.parent / "labs" / path.name, path.parent / "my-course" / "labs" / path.name)
        near = next((place for place in places if place.is_file()), None) if path.name.endswith(".ipynb") else None
        advice = f"did you mean {near}?" if near else "name your lab's .ipynb"
        raise ValueError(f"{path} cannot be read: {said}; {advice}") from None


def _unmarked_check(cell: Any) -> bool:
    return not cell.grade_id and bool(CHECK.search(cell.source))


def _parts_of(cells: Sequence[Any]) -> tuple[str, dict[str, tuple[float, str]]]:
    """The lab of the course that these cells come from, and its PARTS; nothing for another lab."""
    ids = {cell.grade_id.removeprefix("test_") for cell in cells if cell.grade_id}
    found: tuple[str, dict[str, tuple[float, str]]] = ("", {})
    for file in sorted(LABS.glob("lab*.py")):
        listed = re.search(r"^PARTS = (\{.*?^\})", file.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        parts = ast.literal_eval(listed[1]) if listed else {}
        if len(ids & parts.keys() - {"reading", "words"}) > len(ids & found[1].keys() - {"reading", "words"}):
            found = file.stem, parts
    return found


def _imports_of(cells: Sequence[Any]) -> str:
    """What the lab's cell of imports has: marking puts it back where it is gone."""
    lab, _ = _parts_of(cells)
    if not lab:
        return IMPORTS
    text = (LABS / f"{lab}.py").read_text(encoding="utf-8")
    found = re.search(r'^IMPORTS = """(.*?)"""', text, re.MULTILINE | re.DOTALL)
    return found[1] if found else IMPORTS


def _with_all_checks(cells: list[Any]) -> list[Any]:
    """The cells, with the points of checks that lost them, and the checks that are gone: the lab's own, at the end."""
    from autoencoder_lab.grading.assembling import names_in
    from autoencoder_lab.grading.notebook_file import SourceCell

    lab, parts = _parts_of(cells)
    marked = {_name(cell) for cell in cells if cell.use == "test" and cell.grade_id}
    defined = {name for cell in cells if cell.kind == "code" for name in names_in(cell.source)}
    for name, (points, source) in parts.items():
        call = f"{lab}.{source.split('(')[0]}("
        lost = [i for i, one in enumerate(cells) if one.use == "test" and not one.grade_id and call in one.source]
        if lost and source and name not in marked:
            cells[lost[0]] = replace(cells[lost[0]], grade_id=f"test_{name}", points=points)
        elif source and name not in marked and name in defined | {cell.grade_id for cell in cells}:
            source = f"from autoencoder_lab.checks import {lab}\n{lab}.{source}"
            cells.append(SourceCell("code", source, f"test_{name}", "test", points))
    return cells


def _gone(cells: Sequence[Any], states: Sequence[PartState]) -> list[str]:
    """What is left of a part's heading where its check is not there."""
    named = sum(float(points) for cell in cells if cell.kind == "markdown" for points in HEADING.findall(cell.source))
    counted = sum(one.points for one in states)
    if named <= counted:
        return []
    said = f"the headings name {named:g} points, of which {named - counted:g} are not checked here"
    return [f"{said}: cells are gone, or lost their marks; take them from the lab you were given"]


def _once_each(cells: Sequence[Any]) -> list[Any]:
    """Each cell of the lab once, in the kind the release has it; a second one of its name is the student's own."""
    seen, found = set[str](), []
    for cell in cells:
        if cell.grade_id in seen:
            cell = replace(cell, grade_id="", use="answer", points=None)
        elif cell.grade_id and cell.released in ("code", "markdown"):
            cell = replace(cell, kind=cell.released)
        elif _unmarked_check(cell) and cell.kind == "code":
            cell = replace(cell, use="test")
        if cell.use == "test" and cell.kind != "code" and cell.points is not None:
            cell = replace(cell, kind="code")  # a check that was turned into text is a check
        seen |= {cell.grade_id} - {""}
        found.append(cell)
    return found


def _run(order: Sequence[int], cells: Sequence[Any], path: Path, timeout: int) -> _Ran:
    """The cells in this order, in a kernel of this environment, whatever kernel the notebook names."""
    import nbformat

    from autoencoder_lab.commands.notebook_runner import CellFailed, run_cells

    ran = _Ran()
    while len(ran.left_out) <= MOST_LEFT_OUT:
        runs = [index for index in order if index not in ran.left_out]
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cells[index].source) for index in runs])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        try:
            seconds = run_cells(notebook, path.resolve().parent, timeout=timeout, allow_errors=True, processor=True)
        except CellFailed as error:
            index, reason = runs[error.number - 1], error.reason.splitlines()
            ran.left_out[index] = f"{error.what} and was left out ({reason[0] if reason else 'it died'})"
            continue
        except Exception as error:  # no kernel, no room, no right to write: one line in any case
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ValueError(
                f"{path} could not be run here: {said}; autoencoder-lab doctor looks for the cause"
            ) from error
        for index, cell, took in zip(runs, notebook.cells, seconds, strict=True):
            (ran.again if index in ran.outputs else ran.outputs)[index] = cell.get("outputs", [])
            ran.seconds.setdefault(index, took)
        return ran
    raise ValueError(
        f"{path} did not end: cells {', '.join(str(index + 1) for index in sorted(ran.left_out))} never do"
    )


def _warnings(cells: Sequence[Any], ran: _Ran, passed_over: Sequence[int]) -> list[str]:
    """What would cost points, or surprise, while marking."""
    found = [f"cell {index + 1} {why}" for index, why in sorted(ran.left_out.items())]
    for index, seconds in ran.seconds.items():
        if seconds > CELL_SECONDS and cells[index].use == "answer":
            found.append(
                f"cell {index + 1} took {seconds:.0f} seconds of a processor here; marking gives a cell {CELL_SECONDS} "
                "and leaves a cell of your own out that takes longer"
            )
    own = sum(seconds for index, seconds in ran.seconds.items() if not cells[index].grade_id)
    if own > RUN_SECONDS / 2 and not found:
        found.append(f"your own cells took {own:.0f} seconds here; marking gives all cells together {RUN_SECONDS}")
    if any(re.search(rf"^STUDENT *= *[\"']{PLACEHOLDER}[\"']", cell.source, re.MULTILINE) for cell in cells):
        found.append(
            f"STUDENT is still {PLACEHOLDER!r}; the numbers have to be those of your own id, so put it in first"
        )
    found += [f"cell {index + 1} is an empty copy of an answer's cell and was not run" for index in passed_over]
    return found


def _name(cell: Any) -> str:
    found = CHECK.search(cell.source)
    return str(cell.grade_id).removeprefix("test_") or (found[1] if found else "a part without a name")


def _text(index: int, cells: Sequence[Any]) -> PartState:
    """A written answer, which a person marks; what was left of the placeholder above it does not matter."""
    cell = cells[index]
    untouched = not cell.source.replace(TEXT_STUB, "").strip()
    said = "nothing is written yet" if untouched else "a person will read this"
    following = next(iter(cells[index + 1 :]), None)
    if untouched and following and not following.grade_id and following.kind != "code" and following.source.strip():
        untouched, said = False, "a person will read this; better write it into the answer's own cell, not below it"
    return PartState(_name(cell), cell.points, "missing" if untouched else "done", said)


def _first_error(cells: Sequence[Any], ran: _Ran, tests: Sequence[int]) -> str:
    """The first error in a cell that is no check: it may be why a later check stops."""
    for index in sorted(ran.outputs):
        for output in ran.outputs[index]:
            if output.output_type == "error" and index not in tests:
                return f"{output.ename}: {output.evalue}"
    return ""


def _state(index: int, cells: Sequence[Any], ran: _Ran, tests: Sequence[int]) -> PartState:
    from autoencoder_lab.grading.assembling import names_in

    cell, name = cells[index], _name(cells[index])
    points = cell.points or 0.0
    if index in ran.left_out:
        return PartState(name, points, "wrong", f"the check {ran.left_out[index]}")
    if not re.sub(r"#.*", "", cell.source).strip():
        return PartState(
            name, points, "wrong", "the check under this part is gone; take it from the lab you were given"
        )
    for output in ran.outputs.get(index, []):
        if output.output_type != "error":
            continue
        if output.ename == "CheckFailed":
            return PartState(name, points, "wrong", output.evalue)
        before = _first_error(cells, ran, tests)
        lost = None if before else re.search(r"name '(\w+)' is not defined", output.evalue)
        ids, written = {other.grade_id for other in cells}, [other for other in cells if other.kind == "code"]
        if lost and name not in ids and not any(lost[1] in names_in(other.source) for other in written):
            return PartState(name, points, "missing", f"{NOT_DONE}: the cell for {lost[1]} is gone")
        if output.ename == "NotImplementedError":
            return PartState(name, points, "missing", NOT_DONE)
        reason = f"{output.ename}: {output.evalue}" + (f"; an earlier cell stopped with {before}" if before else "")
        return PartState(name, points, "wrong", reason)
    printed = "".join(output.get("text", "") for output in ran.outputs.get(index, [])).strip().splitlines()
    verdicts = [line for line in printed if line.startswith("✓ ") or re.search(rf"(?:: | is ){NOT_DONE}$", line)]
    said = (verdicts or printed or [""])[-1]
    return PartState(name, points, "missing" if said.endswith(NOT_DONE) else "done", said)


def summary(states: Sequence[PartState], warnings: Sequence[str] = ()) -> str:
    """A line a part, how much is done, and what to beware of."""
    lines = [f"{SIGNS[one.state]} {one.state:8}{one.name:24}({one.points:g} points)  {one.said}" for one in states]
    done = sum(one.points for one in states if one.state == "done")
    lines.append(f"{done:g} of {sum(one.points for one in states):g} points are done as far as the checks can tell.")
    # half a surrogate pair, which JSON can hold, would stop the printing
    return encodable("\n".join([*lines, *(f"Beware: {warning}." for warning in warnings)]))
