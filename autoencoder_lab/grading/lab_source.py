"""From a lab's text to its notebooks: the instructor's, with solutions, and the students', without.

A lab is written as assignments/source/LAB/LAB.py (jupytext py:percent). Its cells say in one word what they are:

    # %% given="imports"                      everybody's, locked
    # %% answer="best_error"                  the student's; ### BEGIN SOLUTION … ### END SOLUTION is taken out
    # %% test="test_best_error" points=4      the check under it, locked; its points are the judge's to give
    # %% [markdown] manual="words" points=4   a model answer with its rubric; all of it is taken out, a person marks

nbgrader's own metadata are made from these, so the notebooks are nbgrader's in every respect.
"""

from pathlib import Path
from typing import Any

from autoencoder_lab.files import whole
from autoencoder_lab.grading.sandbox import Limits
from autoencoder_lab.protocol import CODE_STUB, TEXT_STUB, limits_told

NBGRADER_SCHEMA = 3
SOLUTION_MARKS = ("### BEGIN SOLUTION", "### END SOLUTION")
USUAL = Limits()
PREPROCESSORS = (  # those of `nbgrader generate_assignment`, in its order, without its database and its header
    "CheckCellMetadata",
    "LockCells",
    "ClearSolutions",
    "ClearOutput",
    "ComputeChecksums",
    "ClearHiddenTests",
    "ClearMarkScheme",
    "ComputeChecksums",
)


class LabError(ValueError):
    """A lab that cannot be built or released; the message says where and why."""


def source_notebook(text: Path) -> Any:
    """The instructor's notebook of a text source. Raises LabError for a cell whose words contradict each other."""
    import jupytext
    import nbformat

    written = jupytext.reads(text.read_text(encoding="utf-8"), fmt="py:percent")
    notebook = nbformat.v4.new_notebook(cells=[_marked(cell, text) for cell in written.cells])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook.metadata["language_info"] = {"name": "python"}
    names = [_name(cell) for cell in notebook.cells if _name(cell)]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise LabError(f"{text}: every cell needs a name of its own; repeated: {', '.join(sorted(repeated))}")
    for number, cell in enumerate(notebook.cells):  # the same text gives the same file
        cell["id"] = (_name(cell) or f"cell-{number}").replace("_", "-")[:64]
    return notebook


def _name(cell: Any) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def _marked(cell: Any, text: Path) -> Any:
    """The cell with nbgrader's metadata in place of our one word."""
    words = {word: cell.metadata.pop(word) for word in ("given", "answer", "test", "manual") if word in cell.metadata}
    points = cell.metadata.pop("points", None)
    if not words and points is None:
        return cell
    if len(words) != 1 or (points is not None) != (next(iter(words)) in ("test", "manual")):
        raise LabError(
            f"{text}: a cell is given, answer, test with points or manual with points; got {words}, {points}"
        )
    word, name = next(iter(words.items()))
    cell.metadata["nbgrader"] = {
        "cell_type": cell.cell_type,
        "grade": word in ("test", "manual"),
        "grade_id": name,
        "locked": word in ("given", "test"),
        "schema_version": NBGRADER_SCHEMA,
        "solution": word in ("answer", "manual"),
        "task": False,
    }
    if points is not None:
        if not isinstance(points, int | float) or points <= 0:
            raise LabError(f"{text}: {name}: points must be a positive number, got {points!r}")
        cell.metadata["nbgrader"]["points"] = points
    return cell


def released(source: Any, limits: Limits = USUAL) -> Any:
    """The students' notebook: no solution, no output; locked cells with their checksums. `source` is left as it is.

    limits: those of the lab's judge; the first text says what they mean for a student.
    """
    from copy import deepcopy

    from nbgrader import preprocessors
    from traitlets.config import Config

    config = Config()
    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    notebook, resources = deepcopy(source), dict[str, Any]()
    for name in PREPROCESSORS:
        notebook, resources = getattr(preprocessors, name)(config=config).preprocess(notebook, resources)
    left = [marker for cell in notebook.cells for marker in ("BEGIN SOLUTION", "BEGIN HIDDEN") if marker in cell.source]
    if left:
        raise LabError(f"the release would still hold {left[0]}")
    if notebook.cells and notebook.cells[0].cell_type == "markdown" and not _name(notebook.cells[0]):
        notebook.cells[0].source += f"\n\n{limits_told(limits.cell, limits.cpu)}"
    return notebook


def with_solutions(source: Any) -> Any:
    """The notebook to give out after the deadline: solutions and model answers, without the marks around them.

    What hidden tests and mark schemes hold stays the instructor's. `source` is left as it is.
    """
    from copy import deepcopy

    from nbgrader import preprocessors

    notebook, resources = deepcopy(source), dict[str, Any]()
    for name in ("ClearOutput", "ClearHiddenTests", "ClearMarkScheme"):
        notebook, resources = getattr(preprocessors, name)().preprocess(notebook, resources)
    for cell in notebook.cells:
        lines = cell.source.split("\n")
        cell.source = "\n".join(line for line in lines if line.strip() not in SOLUTION_MARKS)
        cell.metadata.pop("nbgrader", None)  # what is to be read is nothing to hand in
    return notebook


def write(notebook: Any, path: Path) -> None:
    """The notebook as a file, whole or not at all."""
    import nbformat

    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        nbformat.write(notebook, part)
