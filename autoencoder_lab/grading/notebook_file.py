"""The cells of a notebook file that nobody has looked into: read with suspicion, whatever its size and its outputs."""

import json
import re
from dataclasses import dataclass
from typing import Any

from autoencoder_lab.grading.containers import LARGEST_FILE, Unreadable

MOST_CELLS = 2_000
LARGEST_SOURCE = 1 << 20  # characters of all cells together
LARGEST_KEPT = 64 << 20  # bytes of a notebook without its outputs: texts and pasted pictures
MOST_ITEMS = 2_000_000  # values in there; each would be an object of many times its length
MOST_BRACKETS = 4_000_000  # in a whole file, outputs and all: a second or two to pass over
# pieces of JSON: all up to the next bracket (texts whole, whatever stands in them), and a key before one
UP_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+(?:"|\Z))*+', re.DOTALL)
TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)
UNREAD = re.compile(rb'"(?:outputs|widgets)"\s*:\s*\Z')


@dataclass(frozen=True)
class SourceCell:
    """One cell without its outputs. grade_id: nbgrader's name of the cell, "" where it has none.

    use: "answer", "test", or "given" (imports, helpers), as its metadata say; to be believed of a release alone.
    points: what it is worth, None where it carries none; released: the kind it had in the release, "" for unknown.
    """

    kind: str
    source: str
    grade_id: str = ""
    use: str = "answer"
    points: float | None = None
    released: str = ""


def without_outputs(content: bytes) -> bytes:
    """A notebook file with nothing in its "outputs" and "widgets", which may be any size and are not read.

    It is not parsed for that, so what is no JSON comes back as no JSON. Raises Unreadable for a file too large.
    """
    if len(content) > LARGEST_FILE:
        raise Unreadable(f"the file has more than {LARGEST_FILE >> 20} MB and is not read")
    kept, start, at, depth, outside = list[bytes](), 0, 0, 0, -1
    for _ in range(MOST_BRACKETS):
        before = at
        at = UP_TO_BRACKET.match(content, at).end()  # type: ignore[union-attr]
        if at >= len(content):
            break
        opens = content[at] in b"[{"
        depth += 1 if opens else -1
        if opens and outside < 0 and UNREAD.search(content, max(before, at - 64), at):
            outside = depth
            kept.append(content[start : at + 1])
        elif not opens and outside == depth + 1:
            outside, start = -1, at
        at += 1
    else:
        raise Unreadable("the file holds more brackets than are read; clear its outputs and hand it in again")
    kept.append(content[start:] if outside < 0 else b"")
    return b"".join(kept)


def cells_of(content: bytes) -> list[SourceCell]:
    """The cells of a notebook file, sources and nbgrader's ids alone. Raises Unreadable with the reason.

    How much its outputs hold does not matter.
    """
    content = without_outputs(content)
    if len(content) > LARGEST_KEPT:
        raise Unreadable(f"the file has more than {LARGEST_KEPT >> 20} MB without its outputs and is not read")
    bare = TEXT.sub(b"", content)
    if sum(map(bare.count, (b"[", b"{", b","))) > MOST_ITEMS:
        raise Unreadable(f"the file holds more than {MOST_ITEMS:,} values and is not read")
    try:
        notebook = json.loads(content.decode("utf-8-sig"))  # editors on Windows write a mark first
    except UnicodeDecodeError:
        raise Unreadable("the file is no UTF-8 text, so no notebook") from None
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the file is no JSON, so no notebook, or was cut off: {error}"[:300]) from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise Unreadable("the file holds JSON, but no notebook with cells")
    if notebook.get("nbformat") != 4:
        raise Unreadable(f"nbformat must be 4, got {notebook.get('nbformat')!r}; save it anew in JupyterLab")
    if len(notebook["cells"]) > MOST_CELLS:
        raise Unreadable(f"the notebook has {len(notebook['cells']):,} cells; more than {MOST_CELLS:,} are not read")
    cells = [_cell(index, cell) for index, cell in enumerate(notebook["cells"])]
    if sum(len(cell.source) for cell in cells) > LARGEST_SOURCE:
        raise Unreadable("the cells hold more than a million characters and are not read")
    return cells


def _cell(index: int, cell: Any) -> SourceCell:
    kind = cell.get("cell_type") if isinstance(cell, dict) else None
    source = cell.get("source", "") if isinstance(cell, dict) else None
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if kind not in ("code", "markdown", "raw") or not isinstance(source, str):
        raise Unreadable(f"cell {index + 1} is no cell of a notebook")
    source = source.replace("\r\n", "\n").replace("\0", "\N{REPLACEMENT CHARACTER}")
    source = source.encode("utf-8", "replace").decode()  # JSON can hold half a surrogate pair; no file or database can
    metadata = cell.get("metadata")
    marked = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    if not isinstance(marked, dict):
        return SourceCell(kind, source)
    grade_id, points, released = (marked.get(key) for key in ("grade_id", "points", "cell_type"))
    solution, graded = marked.get("solution") is True, marked.get("grade") is True
    use = "answer" if solution else "test" if graded else "given"
    if not isinstance(grade_id, str):
        use, grade_id = use if graded else "answer", ""
    worth = float(points) if isinstance(points, int | float) and 0 <= points < 1e6 else 0.0
    return SourceCell(
        kind, source, grade_id, use, worth if graded else None, released if isinstance(released, str) else ""
    )
