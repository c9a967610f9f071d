"""What keeps a submission's text from acting: in our feedback, and in what nbgrader shows to the instructor.

One rule: what a student wrote is shown as they typed it, never as markup. No Markdown, no mathematics, no tag, link,
class or id is made of it, whatever kind of cell, output or metadata it came in; only a cell that still is, letter for
letter, the release's is rendered, for that is the instructor's own. What a page shows is bounded, and says so.
"""

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from autoencoder_lab.protocol import CODE_STUB, TEXT_STUB

# no script and no address is ever asked for; pictures are in the page, made anew by us
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
CELL, PAGE = 20_000, 300_000  # characters shown of a cell, and of a page
ADDED = 300  # cells shown that are none of the lab's
COLOURED = 5_000  # characters of code; longer code has no colours, since finding them may take long
TAGS = {"p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "em", "strong", "del", "code", "pre", "blockquote", "a"}
TAGS |= {"ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "sup", "sub", "img"}
ATTRIBUTES = {"a": ["href", "title"], "img": ["src", "alt", "title"]}  # of the instructor's own text
# clipped at its edges, whatever letters are piled up in it; its direction is its own. MathJax passes over it
BOX = 'class="as-typed tex2jax_ignore mathjax_ignore" style="white-space: pre-wrap; overflow-wrap: anywhere; '
BOX += "overflow: hidden; contain: paint; unicode-bidi: plaintext"
ANCHOR = re.compile(r'<a href="#[^"]*">(?:¶|&#182;)</a>')  # what nbconvert puts behind a heading
NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
PICTURE = re.compile(r"/9j/[A-Za-z0-9+/\s]*={0,2}\s*")  # a JPEG in base64
TURNING = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}  # characters that turn the direction of what follows


class Html(str):
    """HTML that we made: every text that is not of this kind is shown as it was typed."""

    __slots__ = ()


def printable(text: str, keep: str = "") -> str:
    """The text without characters that act: no control characters but those in `keep`, no half surrogate pairs."""
    return "".join(
        c if c in f"{keep}\u3000" or (c.isprintable() and ord(c) not in TURNING) else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )


def as_typed(text: str, most: int = CELL, code: bool = False) -> Html:
    """A text as HTML that shows just these characters, at most so many; it says how many more there are."""
    # joiners and marks of direction belong to many scripts: they print nothing, and do nothing to what is around
    text, left = text[:most].replace("\r\n", "\n").replace("\r", "\n"), len(text) - most
    shown = "".join(c if c in "\u200c\u200d\u200e\u200f\u00ad\u00a0" else printable(c, "\n\t") for c in text)
    font = "" if code else "; font-family: inherit; font-size: inherit; background: none; border: none; padding: 0"
    inner = _coloured(shown) if code and len(shown) <= COLOURED else escape(shown)
    more = f"<p>… {left:,} more characters stand in the file that was handed in</p>" if left > 0 else ""
    return Html(f'<pre {BOX}{font}">{inner}</pre>{more}')


def pictures(found: Iterable[str]) -> Html:
    """Pictures that a student pasted in, as HTML: JPEGs in base64 that we made anew; nothing else passes."""
    style = "max-width: 100%; max-height: 40rem"
    return Html(
        "".join(
            f'<figure style="margin: .5rem 0"><img alt="a picture the student pasted in" style="{style}" '
            f'src="data:image/jpeg;base64,{"".join(one.split())}"></figure>'
            for one in found
            if PICTURE.fullmatch(one)
        )
    )


def _coloured(code: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    lexer = PythonLexer(stripnl=False, ensurenl=False)
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True, noclasses=False)))


def released_markdown(text: str) -> Html:
    """The instructor's own Markdown as HTML; ids and classes go, for formgrader finds its fields by them."""
    import bleach
    from nbconvert.filters import markdown2html

    try:
        cleaned = bleach.clean(markdown2html(text), tags=TAGS, attributes=ATTRIBUTES, strip=True)
        return Html(ANCHOR.sub("", cleaned))
    except Exception:  # a picture that is not there stops nbconvert; nobody's marks may hang on it
        return as_typed(text)


# --- what nbconvert is given -----------------------------------------------------------------------------------------


def shown(source: Any, *_: Any, **__: Any) -> str:
    """In the place of nbconvert's filters for Markdown and code: our HTML as it is, all else as it was typed."""
    return source if isinstance(source, Html) else as_typed(str(source))


def unchanged(html: Any) -> Any:
    """In the place of nbconvert's filter for paths, which looks for Markdown in HTML and takes long over brackets."""
    return html


def only_text(notebook: Any, resources: Any) -> tuple[Any, Any]:
    """nbconvert's preprocessor: a notebook of plain cells in which nothing acts, whatever the file holds.

    Of a cell there remain its text, the pictures we made, and which part of the lab it is; of outputs, what the judge
    says on a part; of the notebook's metadata, nothing.
    """
    from nbformat import v4

    release = _released(Path(str(resources.get("metadata", {}).get("path", ""))), str(resources.get("notebook_id", "")))
    left, added, hidden, cells, seen = PAGE, 0, 0, list[Any](), set[str]()
    for cell in notebook.cells:
        if cell.get("metadata", {}).get("for_instructor") and "submission_id" not in resources:
            continue  # nbgrader's own feedback goes to the student
        part = _part_of(cell, seen)
        added += not part
        if not part and (added > ADDED or left <= 0):
            hidden += 1
            continue
        source = cell.get("source", "")
        source = source if isinstance(source, str) else "".join(map(str, source))
        most = max(2_000, min(CELL, left))
        left -= min(len(source), most)
        cells.append(_plain(cell, source, most, release, part))
    if hidden:
        said = f"{hidden:,} more cells are not shown here; they stand in the file that was handed in"
        cells.append(v4.new_markdown_cell(as_typed(said)))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}}), resources


def _plain(cell: Any, source: str, most: int, release: set[str], part: dict[str, Any]) -> Any:
    from nbformat import v4

    if cell.get("cell_type") == "code":
        made = v4.new_code_cell(as_typed(source, most, code=True))
        texts = [str(one.get("text", "")) for one in cell.get("outputs", []) if one.get("output_type") == "stream"]
        if part and texts:
            said = printable("".join(texts)[:2_000], "\n")
            made.outputs = [v4.new_output("stream", name="stdout", text=said)]
    elif cell.get("cell_type") == "markdown" and source.strip() in release:
        made = v4.new_markdown_cell(released_markdown(source))
    else:
        attached = (cell.get("attachments") or {}).values()
        pasted = [str(one.get("image/jpeg", "")) for one in attached if isinstance(one, dict)]
        made = v4.new_markdown_cell(Html(as_typed(source, most) + pictures(pasted)))
    if part:
        made.metadata["nbgrader"] = part
    return made


def _part_of(cell: Any, seen: set[str]) -> dict[str, Any]:
    """nbgrader's words about a cell, each of the kind it has to be; none for a name that was there already."""
    said = cell.get("metadata", {}).get("nbgrader")
    name = said.get("grade_id") if isinstance(said, dict) else None
    if not isinstance(name, str) or not NAME.fullmatch(name) or name in seen:
        return {}
    seen.add(name)
    part: dict[str, Any] = {word: said.get(word) is True for word in ("grade", "solution", "locked", "task")}
    part |= {"grade_id": name, "schema_version": 3, "cell_type": "code" if cell.cell_type == "code" else "markdown"}
    if isinstance(said.get("points"), int | float):
        part["points"] = float(said["points"])
    return part


def _released(graded: Path, lab: str) -> set[str]:
    """The texts of the release that belongs to a graded notebook's folder; none where there is no release."""
    import nbformat

    course, lab = graded.parent.parent.parent, graded.name or lab
    try:
        release = nbformat.read(course / "release" / lab / f"{lab}.ipynb", as_version=4)
    except (OSError, ValueError):
        return set()
    stubs = {TEXT_STUB}  # these are told in words
    return {cell.source.strip() for cell in release.cells if cell.cell_type == "markdown"} - stubs


def configure(config: Any) -> None:
    """The settings of nbgrader that a course of untrusted notebooks needs; assignments/nbgrader_config.py calls this.

    Formgrader and feedback show what students wrote as they typed it, and one total with our own export. Autograde,
    which would run students' code unprotected, stops at once: `autoencoder-lab grade` is there for that.
    """
    from autoencoder_lab.grading.formgrader import tell_formgrader

    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    config.HTMLExporter.preprocessors = [only_text]
    config.HTMLExporter.filters = {
        "markdown2html": shown,
        "highlight_code": shown,
        "strip_files_prefix": unchanged,
    }
    config.Autograde.pre_convert_hook = refuse_autograde
    tell_formgrader()


def refuse_autograde(*_: Any, **__: Any) -> None:
    """In the place where nbgrader would begin to run submissions."""
    raise SystemExit("nbgrader's Autograde runs students' code unprotected and is switched off: autoencoder-lab grade")
