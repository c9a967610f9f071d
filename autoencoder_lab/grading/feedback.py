"""The page a student gets: what each part reached, what was expected, which mistake it looks like, what they wrote.

Static and inert: text alone, everything escaped, no script, no picture, no address; nothing of the judge's tests.
"""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from autoencoder_lab.files import write_whole
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.grade import Result
from autoencoder_lab.grading.inert import POLICY

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a;
  background: #fff }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .4rem .6rem; vertical-align: top;
  border-bottom: 1px solid #ccc } td.points { white-space: nowrap }
pre { background: #f4f4f4; padding: .8rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere }
h3 { margin-bottom: .2rem }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #181818 } pre { background: #262626 }
  th, td { border-color: #555 } }
"""
HEAD = "".join(f'<th scope="col">{title}</th>' for title in ("part", "points", "what was found"))


def page(result: Result, lab: str, by_hand: Mapping[str, Mapping[str, Any]]) -> str:
    """The page's HTML. by_hand: {cell: {"score", "max_score", "comment", "needs"}} of what a person marks."""
    rows, points, of = [], 0.0, 0.0
    for part in result.parts:
        marked = by_hand.get(part.grade_id, {})
        score = marked.get("score")
        reached = part.points if score is None else score
        sign = "✓ all" if reached >= part.of else "✗ none" if reached == 0 else "◐ some"
        note = f" A person gave {score:g}. {marked.get('comment') or ''}" if score is not None else ""
        rows.append((part.grade_id, f"{sign}: {reached:g} of {part.of:g}", (part.said or "right") + note))
        points, of = points + reached, of + part.of
    for name, marked in by_hand.items():
        if name in {part.grade_id for part in result.parts}:
            continue
        waits = marked["needs"] or marked["score"] is None
        reached = 0.0 if marked["score"] is None else marked["score"]
        shown = "not marked yet" if waits else f"{reached:g} of {marked['max_score']:g}"
        rows.append((name, shown, marked.get("comment") or ("a person will read this" if waits else "")))
        points, of = points + reached, of + marked["max_score"]
    table = "".join(
        f"<tr><th scope='row'>{escape(name.removeprefix('test_'))}</th><td class='points'>{escape(shown)}</td>"
        f"<td>{escape(said)}</td></tr>"
        for name, shown, said in rows
    )
    reason = f"<p><strong>Not graded: {escape(result.reason)}</strong></p>" if result.reason else ""
    answers = "".join(
        f"<h3>{escape(cell['grade_id'])}</h3><pre>{escape(cell['source'])}</pre>"
        for cell in result.cells
        if cell["grade_id"] and not cell["grade_id"].startswith("test_")
    )
    title = f"{escape(lab)}: feedback for {escape(result.student)}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body><main>'
        f"<h1>{title}</h1><p>{points:g} of {of:g} points.</p>{reason}"
        f"<table><thead><tr>{HEAD}</tr></thead><tbody>{table}</tbody></table>"
        f"<h2>What you handed in</h2>{answers}</main></body></html>"
    )


def write_feedback(results: list[Result], course: Course, lab: str) -> list[Path]:
    """One page a student, with what people marked in formgrader; returns the files."""
    marks = marks_by_hand(course, lab)
    written = []
    for result in results:
        path = course.feedback(lab, result.student)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, page(result, lab, marks.get(result.student, {})))
        written.append(path)
    return written


def marks_by_hand(course: Course, lab: str) -> dict[str, dict[str, dict[str, Any]]]:
    """{student: {cell: …}} of the gradebook: questions a person marks, and parts where a person overruled the judge."""
    from nbgrader.api import Gradebook, MissingEntry

    found: dict[str, dict[str, dict[str, Any]]] = {}
    with Gradebook(course.gradebook) as gradebook:
        try:
            submissions = gradebook.find_assignment(lab).submissions
        except MissingEntry:
            return {}
        for submission in submissions:
            (paper,) = submission.notebooks
            comments = {comment.name: comment.manual_comment for comment in paper.comments}
            found[submission.student_id] = {
                grade.name: {
                    "score": grade.score if grade.manual_score is not None or not grade.needs_manual_grade else None,
                    "max_score": grade.max_score,
                    "comment": comments.get(grade.name),
                    "needs": grade.needs_manual_grade,
                }
                for grade in paper.grades
                if grade.manual_score is not None or grade.cell.cell_type == "markdown"
            }
    return found
