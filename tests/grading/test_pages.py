"""What a student wrote is no markup: in our feedback, and in the pages of nbgrader with this course's settings.

The measure is the page itself: with a hostile text it must have the same tags and attributes, in the same places, as
with a harmless one. So no tag, class, id, link or field of theirs survives, however it was smuggled in.
"""

import base64
import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

pytest.importorskip("nbgrader", reason="formgrader comes with nbgrader: pip install 'autoencoder_lab[grading]'")

from nbconvert import HTMLExporter
from nbgrader.server_extensions.formgrader import handlers
from traitlets.config import Config

from autoencoder_lab.grading import feedback
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.gradebook import record
from autoencoder_lab.grading.inert import ADDED, CELL, configure, printable
from autoencoder_lab.grading.pictures import pasted
from autoencoder_lab.grading.sandbox import Answer, Job, Probed, Sandbox
from grading.test_course import course, empty_book, result

__all__ = ["course", "empty_book"]  # fixtures

HARMLESS = "a text of some words"
OVERLAY = "position:fixed;inset:0;opacity:0;z-index:9999"
HOSTILE = {
    "script": ["<script>alert(1)</script>", "</pre></main><script>alert(1)</script>", "<svg/onload=alert(1)>"],
    "handler": [
        "<img src=x onerror=alert(1)>",
        "<body onload=alert(1)>",
        "<details open ontoggle=alert(1)>x</details>",
    ],
    "link": [
        "[click](javascript:alert(1))",
        f"<a href='https://example.org' style='{OVERLAY}'>x</a>",
        "<https://example.org>",
        "[x][y]\n\n[y]: javascript:alert(1)",
    ],
    "overlay": [
        f'<div class="nbgrader_cell" style="{OVERLAY}"><button class="full-credit btn">x</button></div>',
        '<div class="modal in" style="display:block">x</div>',
        f"<label for=test_mse style='{OVERLAY}'>x</label>",
        "<div class='navbar-fixed-top container' style='height:100vh'>x</div>",
    ],
    "field": [
        '<input class="score tabbable" id="test_mse" value="2">',
        '<textarea id="mse-comment" class="comment tabbable">x</textarea>',
        "<form action=http://example.org><input name=password></form>",
    ],
    "name": ["<p id=words>x</p>", "# words\n\n## test_mse", "<a name=test_mse></a><a id=statusmessage></a>"],
    "mathematics": [
        "$\\href{javascript:alert(1)}{x}$",
        "$\\hr<x>ef{javascript:alert(1)}{x}$ $$\\cl<b>ass{full-credit}{x}$$",
        "\\begin{align}\\require{html}\\cssId{words}{x}\\end{align}",
        "\\\\(\\unicode{x41}\\\\) \\\\[\\style{position:fixed}{x}\\\\]",
    ],
    "frame": ["<iframe srcdoc='<script>alert(1)</script>'></iframe>", "<object data=x></object>", "<base href=//evil>"],
    "picture": [
        "![x](http://example.org/track.png)",
        "![x](attachment:no-such.png)",
        "<img src='files/x.png' class=score>",
    ],
    "style": [
        "<style>body { display: none }</style>",
        "<link rel=stylesheet href=//example.org>",
        "<!--><style>*{}-->",
    ],
    "parser": ["<math><mi//xlink:href='data:x,<script>alert(1)</script>'>", "<!--<img src=--><img src=x onerror=1//>"],
    "code": ["```html\n<script>alert(1)</script>\n```", "%%html\n<b id=words>x</b>", "%%javascript\nalert(1)"],
    "control": [
        "\x1b[31mred\x1b[0m \x1b]8;;http://example.org\x07x\x1b]8;;\x07",
        "a\u202eb\u2066c",
        "\x00\x0c\x7f\x9b31m",
    ],
}
TEXTS = [text for texts in HOSTILE.values() for text in texts]


class Skeleton(HTMLParser):
    """All tags and attributes of a page, without the colours of code."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[Any, ...]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "span" or [name for name, _ in attrs] != ["class"]:
            self.found.append((tag, *attrs))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", data))

    def handle_endtag(self, tag: str) -> None:
        if tag != "span":
            self.found.append((f"/{tag}",))


def handed_on(course: Course, *texts: str) -> Any:
    """A result with these texts in every place where something of a student's comes to stand."""
    together = "\n\n".join(texts)
    one = result(course, words=together, points=1, said=f"your code stops with {together}")
    one.flags.extend(f"look at {text}" for text in texts)
    kinds = ("markdown", "code", "raw")
    one.cells.extend({"kind": kind, "source": f"{text}\n", "grade_id": ""} for kind in kinds for text in texts)
    next(cell for cell in one.cells if cell["grade_id"] == "mse")["source"] = together
    return one


def formgrader(course: Course, file: Path | None = None, **resources: Any) -> str:
    """The page that formgrader shows for ada's submission."""
    config = Config()
    configure(config)
    exporter = HTMLExporter(
        config=config, template_name="formgrade", extra_template_basedirs=[str(handlers.template_path)]
    )
    given = {"submission_id": "1", "notebook_id": "small", "assignment_id": "small", "index": 0, "total": 1} | resources
    page, _ = exporter.from_filename(str(file or course.autograded("small", "ada")), resources=given)
    return str(page)


def nbgraders_feedback(course: Course) -> str:
    from nbgrader.apps import NbGraderAPI

    config = Config({"CourseDirectory": {"root": str(course.root), "course_id": "small"}})
    configure(config)
    assert NbGraderAPI(config=config).generate_feedback("small", force=True)["success"]
    return course.feedback("small", "ada").read_text(encoding="utf-8")


def pages(course: Course, *texts: str) -> dict[str, str]:
    one = handed_on(course, *texts)
    record([one], course, "small")
    shown = {"formgrader": formgrader(course)}
    (path,) = feedback.write_feedback([one], course, "small")
    return shown | {"feedback": path.read_text(encoding="utf-8")}


@pytest.mark.slow
def test_nothing_a_student_wrote_is_markup(course: Course) -> None:
    wanted: dict[int, dict[str, Any]] = {}
    for kind, texts in HOSTILE.items():
        if len(texts) not in wanted:
            harmless = pages(course, *[HARMLESS] * len(texts))
            wanted[len(texts)] = {name: Skeleton(page).found for name, page in harmless.items()}
        for name, page in pages(course, *texts).items():
            assert Skeleton(page).found == wanted[len(texts)][name], (name, kind)
            assert not any(c in page for c in "\x1b\x00\x07\x9b\u202e"), (name, kind)


def test_nor_in_nbgraders_own_feedback_which_shows_no_flag(course: Course) -> None:
    found = []
    for text in (HARMLESS, "\n".join(TEXTS)):
        record([handed_on(course, text)], course, "small")
        page = nbgraders_feedback(course)
        assert "look at" not in page
        found.append(Skeleton(page).found)
    assert found[0] == found[1]


def test_what_a_person_is_to_look_at_stands_on_top_of_formgraders_page(course: Course) -> None:
    page = pages(course, "of three cells one is lost")["formgrader"]
    assert page.index("To look at") < page.index("A small lab") and "look at of three cells one is lost" in page


PLACES: dict[str, Any] = {
    "an output of HTML": {"output_type": "display_data", "data": {"text/html": "<b id=words>x</b>"}, "metadata": {}},
    "a drawing": {"output_type": "display_data", "data": {"image/svg+xml": "<svg onload=x>"}, "metadata": {}},
    "a script": {"output_type": "display_data", "data": {"application/javascript": "alert(1)"}, "metadata": {}},
    "Markdown": {"output_type": "display_data", "data": {"text/markdown": "<b id=words>"}, "metadata": {}},
    "a traceback": {"output_type": "error", "ename": "E", "evalue": "x", "traceback": ["\x1b[31m<b id=words>\x1b[0m"]},
    "a width": {"output_type": "display_data", "data": {"image/png": "A"}, "metadata": {"image/png": {"width": "x y"}}},
    "mermaid": {"output_type": "display_data", "data": {"text/vnd.mermaid": "graph TD; click A href"}, "metadata": {}},
    "latex": {"output_type": "display_data", "data": {"text/latex": "$\\href{x}{y}$"}, "metadata": {}},
}  # fmt: skip


def test_a_notebook_that_is_not_of_our_making_acts_no_more(course: Course) -> None:
    """autograded/ may hold an earlier version's, or one that a person put there."""
    record([result(course)], course, "small")
    path = course.autograded("small", "ada")
    wanted = [found for found in Skeleton(formgrader(course)).found if found[0] in ("input", "textarea", "button", "a")]
    notebook = json.loads(path.read_text(encoding="utf-8"))
    marked = {"grade_id": '"><b id=words>', "grade": True, "solution": True, "points": "<b>", "locked": False}
    notebook["cells"] += [
        {"cell_type": "code", "source": "x", "metadata": {"tags": ['"><b class=score>']}, "outputs": [output],
         "execution_count": None, "id": f"o{number}"}
        for number, output in enumerate(PLACES.values())
    ]  # fmt: skip
    for number, kind in enumerate(("markdown", "raw")):
        notebook["cells"] += [
            {"cell_type": kind, "source": "x", "metadata": {"nbgrader": marked}, "id": f"k{number}"},
            {"cell_type": kind, "source": "<b id=words>x</b>", "id": f"r{number}",
             "metadata": {"raw_mimetype": "text/html"}},
            {"cell_type": kind, "source": "![](attachment:x)", "metadata": {}, "id": f"a{number}",
             "attachments": {'"><b id=words>': {"image/jpeg": '/9j/"><b id=x>'}, "s": {"image/svg+xml": "PHN2Zz4="}}},
        ]  # fmt: skip
    again = dict(notebook["cells"][-1]) | {
        "metadata": next(c for c in notebook["cells"] if c["metadata"].get("nbgrader"))["metadata"]
    }
    notebook["cells"].append(again | {"id": "again"})
    notebook["metadata"] = {"title": "</title><script>alert(1)</script>", "widgets": {"x": 1},
                            "kernelspec": {"name": "<b>", "display_name": "<b>", "language": '"><b id=words>'},
                            "language_info": {"name": "<b>", "pygments_lexer": '"><b id=words>'}}  # fmt: skip
    path.write_text(json.dumps(notebook), encoding="utf-8")
    page = formgrader(course)
    found = Skeleton(page).found
    assert [one for one in found if one[0] in ("input", "textarea", "button", "a")] == wanted
    assert not [one for one in found if one[0] in ("b", "svg", "img", "iframe")]
    assert page.count('id="words"') == 1 and "alert(1)</script>" not in page


def test_the_instructors_own_text_is_rendered_and_a_changed_one_is_not(course: Course) -> None:
    assert "A small lab</h1>" in pages(course, HARMLESS)["formgrader"]
    changed = result(course)
    changed.cells[0]["source"] = "# A small lab\n\n<b id=words>x</b>"
    record([changed], course, "small")
    page = formgrader(course)
    assert "A small lab</h1>" not in page and "# A small lab" in page


# --- nothing takes long, nothing is cut in silence -------------------------------------------------------------------

LARGE = {
    "open blocks of mathematics": "\\begin{a}" * 20_000,
    "one line": "x" * 900_000,
    "brackets": "[" * 500_000,
    "quotes in quotes": ">" * 100_000 + " x",
    "lists in lists": "\n".join(" " * (2 * i) + "- x" for i in range(600)),
    "letters on letters": "x" + "\u0301" * 300_000,
    "emphasis": "*a **a " * 50_000,
    "backticks": "`" * 100_000,
    "dollars": "$" * 200_001,
    "ampersands": "&" * 300_000,
    "strings": "'" * 100_000 + '"""' * 100_000,
}


@pytest.mark.parametrize("text", LARGE.values(), ids=list(LARGE))
def test_a_large_text_makes_a_small_page_that_says_so(course: Course, text: str) -> None:
    one = result(course, words=text)
    one.cells.append({"kind": "code", "source": text, "grade_id": ""})
    record([one], course, "small")
    (path,) = feedback.write_feedback([one], course, "small")
    for page in (formgrader(course), path.read_text(encoding="utf-8")):
        assert page.count(text[: CELL // 10].replace("&", "&amp;").replace(">", "&gt;").replace("'", "&#x27;")) < 60
        assert len(page) < 2_000_000
        assert "more characters stand in the file that was handed in" in page or len(text) <= CELL


def test_a_thousand_cells_are_a_bounded_page_and_every_part_is_in_it(course: Course) -> None:
    one = result(course)
    one.cells[:0] = [{"kind": "raw", "source": f"cell {i}", "grade_id": ""} for i in range(1_500)]
    record([one], course, "small")
    (path,) = feedback.write_feedback([one], course, "small")
    page = formgrader(course)
    assert page.count('class="cell ') < ADDED + 20 and 'id="words"' in page and "more cells are not shown" in page
    assert "more cells of your own are in the file" in path.read_text(encoding="utf-8")


def test_printable_keeps_words_of_any_script() -> None:
    words = "Grüße, 東京、हिन्दी, עברית, 🙂 a\u3000b"
    assert (
        printable(words) == words
        and printable("a\tb\n", "\n") == "a\ufffdb\n"
        and printable("\ud800\x9b") == "\ufffd\ufffd"
    )


# --- pictures --------------------------------------------------------------------------------------------------------


def picture(kind: str = "PNG", mode: str = "RGBA") -> str:
    from PIL import Image

    file = io.BytesIO()
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[:, :30] = (200, 30, 30, 255)
    Image.fromarray(pixels).convert(mode).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


def with_attachments(course: Course, attached: dict[str, Any]) -> bytes:
    cell = {"cell_type": "markdown", "source": "see ![image.png](attachment:image.png)", "metadata": {}}
    return json.dumps({"cells": [cell | {"attachments": attached}], "nbformat": 4, "nbformat_minor": 5}).encode()


class Blind:
    """In place of a sandbox: what would come back."""

    def __init__(self, **arrays: Any) -> None:
        self.arrays = arrays

    def run(self, job: Job) -> Answer:
        return Answer(probes={"": Probed(self.arrays)})


@pytest.mark.slow
def test_a_pasted_picture_is_drawn_anew_and_shown(course: Course, sandbox: Sandbox) -> None:
    attached = {"image.png": {"image/png": picture()}, "b": {"image/jpeg": picture("JPEG", "RGB")}}
    found, flags = pasted(with_attachments(course, attached), sandbox)
    ((kind, source), drawn), *_ = found.items()
    assert (kind, len(drawn), flags) == ("markdown", 2, []) and "attachment:image.png" in source
    from PIL import Image

    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(drawn[0]))))
    assert image.shape == (40, 60, 3) and image[20, 10, 0] > 150 and image[20, 50].min() > 240
    one = result(course, words=source)
    next(cell for cell in one.cells if cell["grade_id"] == "words")["pictures"] = drawn
    record([one], course, "small")
    (path,) = feedback.write_feedback([one], course, "small")
    for page in (formgrader(course), path.read_text(encoding="utf-8")):
        assert page.count('src="data:image/jpeg;base64,/9j/') == 2 and "attachment:image.png" in page
    nbformat.validate(nbformat.read(course.autograded("small", "ada"), as_version=4))


@pytest.mark.slow
@pytest.mark.parametrize(
    "attached",
    [
        {"image/svg+xml": base64.b64encode(b"<svg onload='alert(1)'/>").decode()},
        {"image/png": "no base64!"},
        {"image/png": base64.b64encode(base64.b64decode(picture())[:60]).decode()},
        {"image/png": 5},
        {},
        "text",
    ],
)
def test_what_is_no_picture_is_flagged_and_breaks_nothing(course: Course, sandbox: Sandbox, attached: Any) -> None:
    found, (flag,) = pasted(with_attachments(course, {"image.png": attached}), sandbox)
    assert found == {} and "not shown as a picture" in flag


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((9_000, 4, 3), np.uint8), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_comes_back_has_to_be_pixels(course: Course, array: Any) -> None:
    found, flags = pasted(with_attachments(course, {"a": {"image/png": picture()}}), Blind(picture=array))
    assert found == {} and flags
