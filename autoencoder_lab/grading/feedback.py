"""The page a student gets: what each part reached, what was expected, which mistake it looks like, what they wrote.

Static and inert: all that was written is shown as it was typed, no script, no address; nothing of the judge's tests.
The points are those of totals.py, which export and formgrader show too.
"""

import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from autoencoder_lab.files import write_whole
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.grade import PartResult, Result
from autoencoder_lab.grading.inert import ADDED, CELL, PAGE, POLICY, as_typed, pictures, printable
from autoencoder_lab.grading.notebook_file import cells_of
from autoencoder_lab.grading.submission import Unreadable
from autoencoder_lab.grading.totals import PartMark, Total, totals

PATH = re.compile(r"(?<![\w/.:<])(?:[A-Za-z]:\\|/)(?:[^\s/\\:,;'\"()]+[/\\])+([^\s/\\:,;'\"()]*)")  # of a machine
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a;
  background: #fff }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .4rem .6rem; vertical-align: top;
  border-bottom: 1px solid #ccc } td.points { white-space: nowrap }
pre { background: #f4f4f4; padding: .8rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere }
h3 { margin-bottom: .2rem } .late { font-weight: 600 }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #181818 } pre { background: #262626 }
  th, td { border-color: #555 } }
"""
HEAD = "".join(f'<th scope="col">{title}</th>' for title in ("part", "points", "what was found"))


def page(result: Result, lab: str, total: Total | None, released: Mapping[str, str] | None = None) -> str:
    """The page's HTML. total: None where the gradebook has none. released: text → use, of the lab's cells."""
    judged = {part.grade_id: part for part in result.parts}
    marks: Mapping[str, PartMark] = {name: PartMark(name, part.of, part.points) for name, part in judged.items()} | (
        dict(total.parts) if total else {}
    )
    total = total or Total(result.student, marks)
    table = "".join(_row(mark, judged.get(name)) for name, mark in marks.items())
    title = f"{escape(lab)}: feedback for {escape(result.student)}"
    late = f"{total.lateness[:1].upper()}{total.lateness[1:]}." if total.lateness else ""
    said = [f"<p>{total.points:g} of {total.of:g} points.</p>"]
    said += [f'<p class="late">{escape(late)}</p>'] * bool(late) + [f"<p>{escape(total.still_open)}</p>"] * bool(
        total.still_open
    )
    if result.reason:
        said.append(f"<p><strong>Not graded: {escape(without_paths(result.reason))}</strong></p>")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body><main>'
        f"<h1>{title}</h1>{''.join(said)}<table><thead><tr>{HEAD}</tr></thead><tbody>{table}</tbody></table>"
        f"<h2>What you handed in</h2>{''.join(_written(result, released or {}))}</main></body></html>"
    )


def _row(mark: PartMark, judged: PartResult | None) -> str:
    """A part's row: a sign and the points, and what was found."""
    if mark.shown.startswith("not marked yet"):
        shown, said = mark.shown, "a person will read this"
    else:
        sign = "✓ all" if mark.points >= mark.of else "✗ none" if mark.points <= 0 else "◐ some"
        shown, said = f"{sign}: {mark.shown}", ""
    if judged:
        said = f"{without_paths(judged.said) or 'right'} {said}".strip()
    if mark.given is not None:
        said += f" A person gave {mark.given:g}."
    said = f"{said} {mark.comment}".strip()
    return (
        f"<tr><th scope='row'>{escape(mark.name.removeprefix('test_'))}</th><td class='points'>{escape(shown)}</td>"
        f"<td>{escape(printable(said[:4_000], chr(10)))}</td></tr>"
    )


def _written(result: Result, released: Mapping[str, str]) -> Iterator[str]:
    """What a student wrote, in their order: the answers by name, and every cell that is none of the lab's."""
    left, added, hidden = PAGE, 0, 0
    for cell in result.cells:
        name, source = cell["grade_id"], cell["source"]
        use = released.get(source.strip(), "")  # where the lab has a cell with this very text
        left_as_it_came = bool(name) and use == "answer"  # an answer, to be shown under its name
        if name.startswith("test_") or (use and not left_as_it_came) or not (name or source.strip()):
            continue  # the lab's own, or empty
        added += not name
        if not name and (added > ADDED or left <= 0):
            hidden += 1
            continue
        most = max(2_000, min(CELL, left))
        left -= min(len(source), most)
        yield f"<h3>{escape(name) if name else 'a cell of your own'}</h3>"
        yield as_typed(source, most, code=cell["kind"] == "code") + pictures(cell.get("pictures", []))
    if hidden:
        yield f"<p>{hidden:,} more cells of your own are in the file you handed in.</p>"


def without_paths(text: str) -> str:
    """A sentence without the folders of a machine: of a path, the last name alone."""
    return PATH.sub(lambda found: found[1] or "…", text)


def write_feedback(results: list[Result], course: Course, lab: str) -> list[Path]:
    """One page a student, with what people marked in formgrader; returns the files."""
    marks = totals(course, lab)
    try:
        released = {cell.source.strip(): cell.use for cell in cells_of(course.released(lab).read_bytes())}
    except (OSError, ValueError, Unreadable):
        released = {}
    written = []
    for result in results:
        path = course.feedback(lab, result.student)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, page(result, lab, marks.get(result.student), released))
        written.append(path)
    return written
