"""The release with a student's answers in it, also where their cells lost their marks.

A cell counts by its mark, nbgrader's grade_id. Where that is lost, a cell of the student's own that defines what the
answer had to define is taken for it, and the instructor is told.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from autoencoder_lab.grading.containers import Unreadable
from autoencoder_lab.grading.notebook_file import SourceCell
from autoencoder_lab.protocol import CODE_STUB

DEFINED = re.compile(
    r"^(?:async +def|def|class) +(\w+)|^([^\W\d]\w*(?: *, *[^\W\d]\w*)*) *(?::[^=\n]+)?=(?!=)", re.MULTILINE
)


def assembled(handed_in: Sequence[SourceCell], frame: Sequence[SourceCell]) -> list[SourceCell]:
    """The cells in the order of the notebook, each cell of the release once. See `assemble`."""
    return assemble(handed_in, frame)[0]


def assemble(handed_in: Sequence[SourceCell], frame: Sequence[SourceCell]) -> tuple[list[SourceCell], list[str]]:
    """(the cells that are graded, what the instructor should look at).

    A cell counts by its grade_id, the first of it alone; where the release asks for no answer, its own text stands.
    Cells a student added stay where they are. A cell that is missing stands where the release has it, as it was
    released; but not the stub of an answer whose names a cell of the student's defines: nothing overrules an answer.
    Raises Unreadable for a notebook that has none of the lab's cells.
    """
    released = {cell.grade_id: cell for cell in frame if cell.grade_id}
    cells, seen = list[SourceCell](), set[str]()
    handed_in, joined = join_texts(handed_in, released)
    for cell in handed_in:
        own = released.get(cell.grade_id)
        if own is None or cell.grade_id in seen:
            cells.append(SourceCell(cell.kind, cell.source))
            continue
        seen.add(cell.grade_id)
        cells.append(SourceCell(own.kind, cell.source, own.grade_id) if own.use == "answer" else own)
    if released and not seen:
        raise Unreadable(
            "the notebook has none of the lab's cells, or all of them lost their marks; "
            "put the answers into a fresh copy of the lab and hand that in"
        )
    flags = joined + _pass_over_stubs(cells, released)
    order = list(released)
    lost = [name for name in order if name not in seen]
    for name in lost:
        stub = released[name]
        if stub.use == "answer":
            flags.append(_find_answer(cells, stub, frame, order))
        else:
            cells.insert(_place(cells, name, order), stub)
    if locked := [name for name in lost if released[name].use != "answer"]:
        flags.append(f"missing from the notebook, and put back as released: {', '.join(locked)}")
    return cells, flags


def join_texts(handed_in: Sequence[SourceCell], released: dict[str, SourceCell]) -> tuple[list[SourceCell], list[str]]:
    """(the cells, what to look at): text answers that stand in several cells are one, where the first is.

    JupyterLab leaves a cell's name with both halves when one splits it.
    """
    texts: dict[str, list[str]] = {}
    for cell in handed_in:
        if cell.grade_id in released and _is_text(released[cell.grade_id]) and cell.kind != "code":
            texts.setdefault(cell.grade_id, []).append(cell.source)
    several = {name: [one for one in dict.fromkeys(parts) if one.strip()] for name, parts in texts.items() if parts[1:]}
    cells, seen = list[SourceCell](), set[str]()
    for cell in handed_in:
        if cell.grade_id not in several or cell.kind == "code":
            cells.append(cell)
        elif cell.grade_id not in seen:
            seen.add(cell.grade_id)
            cells.append(replace(cell, source="\n\n".join(several[cell.grade_id])))
    return cells, [
        f"the text cell {name} stands in several cells, which were put together"
        for name in several
        if several[name][1:]
    ]


def _is_text(cell: SourceCell) -> bool:
    return cell.use == "answer" and cell.kind != "code"


def names_in(source: str) -> set[str]:
    """The names that a cell defines at its top level, as far as can be told without running it."""
    found = (match[1] or match[2] for match in DEFINED.finditer(source))
    return {name.strip() for names in found for name in names.split(",")}


def is_stub(source: str, released: dict[str, SourceCell]) -> bool:
    """Whether this is a copy of a stub, with nothing done to it."""
    return bool(source.strip()) and any(
        source.strip() == cell.source.strip() for cell in released.values() if cell.use == "answer"
    )


def copies_of_stubs(cells: Sequence[SourceCell], released: dict[str, SourceCell]) -> list[int]:
    """The places of unmarked cells in which a stub is left, where other cells define all that it would undo."""
    found = []
    code = {index: names_in(cell.source) for index, cell in enumerate(cells) if cell.kind == "code"}
    stubs = {
        index
        for index, cell in enumerate(cells)
        if cell.kind == "code" and (CODE_STUB in cell.source or is_stub(cell.source, released))
    }
    others = set[str]().union(*(names for index, names in code.items() if index not in stubs))
    for index in stubs:
        if not cells[index].grade_id and code[index] and code[index] <= others:
            found.append(index)
    return sorted(found)


def _pass_over_stubs(cells: list[SourceCell], released: dict[str, SourceCell]) -> list[str]:
    """Copies of stubs become text, which is shown and not run."""
    flags = []
    for index in copies_of_stubs(cells, released):
        names = ", ".join(sorted(names_in(cells[index].source)))
        flags.append(f"cell {index + 1} is an empty copy of the cell for {names} and was not run")
        cells[index] = SourceCell("raw", cells[index].source)
    return flags


def _find_answer(cells: list[SourceCell], stub: SourceCell, frame: Sequence[SourceCell], order: Sequence[str]) -> str:
    """Put the answer of a lost cell in its place; what to tell the instructor."""
    name = stub.grade_id
    if stub.kind != "code":
        known = {cell.source.strip() for cell in frame}
        own = [
            i for i, c in enumerate(cells) if not c.grade_id and c.kind == stub.kind and c.source.strip() not in known
        ]
        if own:
            longest = max(own, key=lambda index: len(cells[index].source))
            cells[longest] = SourceCell(stub.kind, cells[longest].source, name)
            return f"the text cell {name} lost its mark; cell {longest + 1}, the longest of their own, was taken for it"
        cells.insert(_place(cells, name, order), stub)
        return f"the text cell {name} is missing"
    wanted = names_in(stub.source)
    own = [i for i, cell in enumerate(cells) if cell.kind == "code" and wanted & names_in(cell.source)]
    unmarked = [index for index in own if not cells[index].grade_id]
    if unmarked:
        cells[unmarked[-1]] = SourceCell(stub.kind, cells[unmarked[-1]].source, name)
        return f"the cell {name} lost its mark; cell {unmarked[-1] + 1}, which defines the same, was taken for it"
    if own:  # an answer with another mark defines it too
        cells.insert(own[-1] + 1, SourceCell(stub.kind, "", name))
        return f"the cell {name} is missing; {cells[own[-1]].grade_id} defines the same"
    cells.insert(_place(cells, name, order), stub)
    return f"the cell {name} is missing, and no other defines {', '.join(sorted(wanted)) or 'the same'}"


def _place(cells: Sequence[SourceCell], name: str, order: Sequence[str]) -> int:
    """Where the release has it: after the nearest cell before it that is there."""
    before = set(order[: order.index(name)])
    return max((index + 1 for index, cell in enumerate(cells) if cell.grade_id in before), default=0)
