"""Numbers in prose, written by the builder: `{{mse:.4f}}` in a markdown cell is what the cells above it came to.

Between the braces stands a Python expression, and behind the last colon a format, as in an f-string. It is evaluated
in the run itself, after the code cell above, so a number that a later cell changes is still that of its place. The
built notebook holds the number; its metadata keeps all of them, so that a change of prose alone runs nothing.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

PLACEHOLDER = re.compile(r"\{\{(.+?)\}\}")
# by the builder, from what it knows itself
WRITTEN_OTHERWISE = {"minutes", "seconds", "glossary", "notation", "sources", "repository"}
FORMAT = re.compile(r":([^:\]\)'\"]*)$")
TAG = "prose-numbers"


class Number(NamedTuple):
    """An expression and its format; after: how many code cells stand above it."""

    after: int
    expression: str
    form: str

    @property
    def key(self) -> str:
        """Under which the metadata keeps its value."""
        return f"{self.after} {self.expression}:{self.form}"


def parsed(text: str, after: int) -> Number | None:
    """What stands between two braces, as a Number; None for what the builder writes otherwise.

    Raises ValueError for what is no Python expression.
    """
    if text.strip() in WRITTEN_OTHERWISE:
        return None
    form = FORMAT.search(text)
    expression = text[: form.start()] if form else text
    try:
        ast.parse(expression.strip(), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"{{{{{text}}}}} in prose is no Python expression: {error.msg}") from None
    return Number(after, expression.strip(), form[1] if form else "")


def numbers_of(notebook: NotebookNode) -> Iterator[tuple[NotebookNode, list[Number]]]:
    """Each markdown cell that has some, with its numbers."""
    after = 0
    for cell in notebook.cells:
        after += cell.cell_type == "code"
        if cell.cell_type == "markdown":
            found = [parsed(text, after) for text in PLACEHOLDER.findall(cell.source)]
            if any(found):
                yield cell, [number for number in found if number]


def unwritten(notebook: NotebookNode) -> bool:
    """Whether a number still waits for its run."""
    return any(True for _ in numbers_of(notebook))


def is_question(cell: NotebookNode) -> bool:
    """Whether the builder has put this cell in, to ask for numbers."""
    return TAG in cell.metadata.get("tags", [])


def with_questions(notebook: NotebookNode) -> NotebookNode:
    """The same cells, and before each markdown cell with numbers one that evaluates them."""
    asked = nbformat.v4.new_notebook(metadata=notebook.metadata)
    wanted = {id(cell): numbers for cell, numbers in numbers_of(notebook)}
    for cell in notebook.cells:
        if numbers := wanted.get(id(cell)):
            values = ", ".join(f"{n.key!r}: format({n.expression}, {n.form!r})" for n in numbers)
            source = f"print(__import__('json').dumps({{{values}}}))"
            asked.cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": [TAG]}))
        asked.cells.append(cell)
    return asked


def answered(run: NotebookNode) -> dict[str, str]:
    """The numbers that a run with questions gave; its cells are taken out, the others counted as if they alone ran."""
    found: dict[str, str] = {}
    for cell in run.cells:
        if is_question(cell):
            found |= json.loads(
                "".join(output.text for output in cell.outputs if output.get("name") == "stdout") or "{}"
            )
    run.cells = [cell for cell in run.cells if not is_question(cell)]
    code = (cell for cell in run.cells if cell.cell_type == "code" and cell.execution_count is not None)
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
    return found


def write_numbers(notebook: NotebookNode, values: Mapping[str, str]) -> None:
    """Put the values in the places of their expressions; what has no value stays as it is."""
    for cell, numbers in list(numbers_of(notebook)):
        waiting = iter(numbers)

        def value(match: re.Match[str]) -> str:
            if match[1].strip() in WRITTEN_OTHERWISE:
                return match[0]
            return values.get(next(waiting).key, match[0])  # noqa: B023 (called at once)

        cell.source = PLACEHOLDER.sub(value, cell.source)
