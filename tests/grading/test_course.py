"""From a lab's text to the marks: release, gradebook, resubmission, late work, export, report, feedback."""

import csv
import json
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytest.importorskip(
    "nbgrader", reason="the instructor's commands need nbgrader: pip install 'autoencoder_lab[grading]'"
)

from autoencoder_lab.commands import grading as commands
from autoencoder_lab.grading import export, feedback
from autoencoder_lab.grading import gradebook as gradebook_module
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.grade import PartResult, Result, write_result
from autoencoder_lab.grading.gradebook import Late, _reach_alembic, prepare, record
from autoencoder_lab.grading.inert import configure, inert_markdown
from autoencoder_lab.grading.lab_source import LabError, released, source_notebook, write
from autoencoder_lab.grading.report import report
from autoencoder_lab.grading.submission import cells_of
from autoencoder_lab.protocol import CODE_STUB, TEXT_STUB

pytestmark = pytest.mark.slow
TEXT = '''# %% [markdown]
# # A small lab

# %% given="imports"
import torch

# %% answer="mse"
def mse(x, y):
    """Return the mean squared error."""
    ### BEGIN SOLUTION
    return ((x - y) ** 2).mean()
    ### END SOLUTION

# %% test="test_mse" points=2
assert mse(torch.ones(2), torch.zeros(2)) == 1

# %% [markdown] manual="words" points=4
# A model answer, which nobody but the instructor reads.
'''


@pytest.fixture(scope="module")
def empty_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new gradebook, made once: nbgrader takes seconds for it."""
    from nbgrader.api import Gradebook

    _reach_alembic()
    path = tmp_path_factory.mktemp("gradebook") / "gradebook.db"
    with Gradebook(f"sqlite:///{path}"):
        return path


@pytest.fixture
def course(tmp_path: Path, empty_book: Path) -> Course:
    """A course of one small lab, released."""
    shutil.copy(empty_book, tmp_path)
    text = tmp_path / "source" / "small" / "small.py"
    text.parent.mkdir(parents=True)
    text.write_text(TEXT, encoding="utf-8")
    made = Course(tmp_path)
    source = source_notebook(text)
    write(source, made.source("small"))
    write(released(source), made.release("small"))
    return made


def result(
    course: Course, student: str = "ada", points: float = 2, words: str = "My answer.", said: str = "", when: str = ""
) -> Result:
    """What grading would hand on: the release's cells with answers in them."""
    cells = [
        {"kind": cell.kind, "source": cell.source, "grade_id": cell.grade_id}
        for cell in cells_of(course.release("small").read_bytes())
    ]
    for cell in cells:
        cell["source"] = {"words": words, "mse": "def mse(x, y):\n    return 0"}.get(cell["grade_id"], cell["source"])
    part = PartResult("test_mse", points, 2, said, "root" if said else "")
    return Result(student, "key", [part], "", 0.1, when, cells)


def book(course: Course) -> dict[str, list[tuple[Any, ...]]]:
    """All that the gradebook holds."""
    with sqlite3.connect(course.root / "gradebook.db") as connection:
        names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        return {name: sorted(connection.execute(f"select * from {name}"), key=repr) for name in names}


def grades(course: Course, student: str = "ada") -> Iterator[Any]:
    """The rows of a student, to read and to change, as formgrader would; committed at the end."""
    from nbgrader.api import Gradebook

    with Gradebook(course.gradebook) as gradebook:
        (paper,) = gradebook.find_submission("small", student).notebooks
        yield {grade.name: grade for grade in paper.grades} | {"paper": paper}
        gradebook.db.commit()


def marked_by_hand(course: Course, **scores: float) -> None:
    for rows in grades(course):
        for name, score in scores.items():
            rows[name].manual_score, rows[name].needs_manual_grade = score, False


# --- the release -----------------------------------------------------------------------------------------------------


def test_the_release_is_that_of_nbgrader(course: Course) -> None:
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    config = Config({"CourseDirectory": {"root": str(course.root), "course_id": "small"}})
    config.IncludeHeaderFooter.header = ""
    configure(config)
    ours = nbformat.read(course.release("small"), as_version=4)
    api = NbGraderAPI(config=config)
    assert api.generate_assignment("small", force=True)["success"]
    theirs = nbformat.read(course.release("small"), as_version=4)
    assert [(c.cell_type, c.source, c.metadata) for c in ours.cells] == [
        (c.cell_type, c.source, c.metadata) for c in theirs.cells
    ]


def test_the_release_has_stubs_in_place_of_solutions(course: Course) -> None:
    cells = {cell.grade_id: cell.source for cell in cells_of(course.release("small").read_bytes())}
    assert cells["mse"].endswith(f'error."""\n    {CODE_STUB}') and cells["words"] == TEXT_STUB


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('answer="mse"', 'answer="mse" points=2', "a cell is given, answer, test with points or manual with points"),
        ('test="test_mse" points=2', 'test="test_mse"', "a cell is given, answer, test with points"),
        ('test="test_mse"', 'test="mse"', "repeated: mse"),
        ("points=2", "points=-1", "points must be a positive number, got -1"),
    ],
)
def test_a_faulty_source_is_refused(course: Course, old: str, new: str, said: str) -> None:
    text = course.text("small")
    text.write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(LabError, match=said):
        source_notebook(text)


# --- the gradebook ---------------------------------------------------------------------------------------------------


def test_points_and_words_reach_the_gradebook(course: Course) -> None:
    assert record([result(course, points=1, said="this is the root")], course, "small") == []
    for rows in grades(course):
        assert (rows["test_mse"].auto_score, rows["test_mse"].needs_manual_grade) == (1, False)
        assert (rows["words"].auto_score, rows["words"].needs_manual_grade) == (None, True)
        assert [c.auto_comment for c in rows["paper"].comments if c.name == "mse"] == [
            "1 of 2 points: this is the root"
        ]
        assert rows["paper"].max_score == 6
    notebook = nbformat.read(course.autograded("small", "ada"), as_version=4)
    nbformat.validate(notebook)
    outputs = [cell.outputs for cell in notebook.cells if cell.get("outputs")]
    assert [[output.text for output in cell] for cell in outputs] == [["1 of 2 points: this is the root\n"]]


def test_a_gradebook_that_cannot_be_opened_is_named_before_anything_is_graded(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for url, said in (
        ("nonsense", "--db is a database URL such as"),
        (f"sqlite:///{tmp_path / 'nowhere' / 'at_all.db'}", r"at_all\.db cannot be opened"),
        ("no_such_driver://ada:secret@localhost/labs", r"no_such_driver://ada:\*\*\*@localhost/labs cannot be opened"),
    ):
        with pytest.raises(LabError, match=said):
            prepare(Course(tmp_path, url))


def test_a_crash_half_way_leaves_no_text_that_the_gradebook_does_not_know(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    """autograded/ tells what a person saw when they marked: it must never be ahead of the gradebook."""
    monkeypatch.setattr(gradebook_module, "AT_ONCE", 2)
    results = [result(course, name) for name in ("ada", "bob", "cleo", "dan")]
    entered = gradebook_module._enter

    def stumble(book: Any, one: Any, *rest: Any) -> Any:
        if one.student == "dan":
            raise KeyboardInterrupt
        return entered(book, one, *rest)

    monkeypatch.setattr(gradebook_module, "_enter", stumble)
    with pytest.raises(KeyboardInterrupt):
        record(results, course, "small")
    written = {name for name in ("ada", "bob", "cleo", "dan") if course.autograded("small", name).exists()}
    in_the_book = {row[0] for row in book(course)["student"]}
    assert written == in_the_book == {"ada", "bob"}
    monkeypatch.setattr(gradebook_module, "_enter", entered)
    record(results, course, "small")
    assert all(course.autograded("small", one.student).exists() for one in results)


def test_writing_twice_changes_nothing(course: Course) -> None:
    both = [result(course), result(course, "bob", 0)]
    record(both, course, "small")
    before, notebook = book(course), course.autograded("small", "ada").read_bytes()
    assert record(both, course, "small") == []
    assert book(course) == before and course.autograded("small", "ada").read_bytes() == notebook


def test_an_untouched_question_has_no_points_and_waits_for_nobody(course: Course) -> None:
    record([result(course, words=TEXT_STUB)], course, "small")
    for rows in grades(course):
        assert (rows["words"].auto_score, rows["words"].needs_manual_grade) == (0, False)


def test_a_resubmission_keeps_what_a_person_gave_and_flags_what_changed(course: Course) -> None:
    record([result(course, points=0)], course, "small")
    marked_by_hand(course, words=3.0, test_mse=0.5)
    assert record([result(course, points=0)], course, "small") == []
    notes = record([result(course, points=2, words="Another answer.")], course, "small")
    for rows in grades(course):
        assert (rows["words"].manual_score, rows["words"].needs_manual_grade) == (3, True)
        assert (rows["test_mse"].manual_score, rows["test_mse"].auto_score) == (0.5, 2)
        assert rows["test_mse"].score == 0.5 and rows["test_mse"].needs_manual_grade
    assert "ada: test_mse now has 2 points automatically, 0 before; the 0.5 given by hand hide them" in notes
    assert "ada: words was changed after it had been marked; look at it again" in notes


def test_a_part_nobody_could_judge_is_marked_by_hand(course: Course) -> None:
    broken = result(course, points=0)
    broken.parts[0] = PartResult("test_mse", 0, 2, "ask your instructor", "judge: ValueError()")
    (note,) = record([broken], course, "small")
    assert "could not be judged" in note
    for rows in grades(course):
        assert rows["test_mse"].needs_manual_grade


@pytest.mark.parametrize(("policy", "penalty"), [("none", None), ("zero", 2.0)])
def test_late_work(course: Course, policy: str, penalty: float | None) -> None:
    late = Late(datetime(2026, 11, 1, 12), policy)
    on_time = result(course, "bob", when="2026-11-01T11:59:00")
    notes = record([result(course, when="2026-11-01T14:30:00"), on_time], course, "small", late)
    assert notes == [f"ada: 2.5 hours late, {penalty or 0:g} points taken"]
    for rows in grades(course):
        assert rows["paper"].late_submission_penalty == penalty
    for rows in grades(course, "bob"):
        assert not rows["paper"].late_submission_penalty


@pytest.mark.parametrize(
    ("points", "student", "said"),
    [(3, "ada", "3 points of 2"), (float("nan"), "ada", "nan points"), (1, "../evil", "no student's id")],
)
def test_nothing_is_written_if_one_result_is_impossible(course: Course, points: float, student: str, said: str) -> None:
    record([result(course)], course, "small")
    before = book(course)
    with pytest.raises(LabError, match=said):
        record([result(course, "bob"), result(course, student, points)], course, "small")
    assert book(course) == before and not (course.root / "autograded" / "bob").exists()


def test_other_parts_are_refused_once_there_are_submissions(course: Course) -> None:
    record([result(course)], course, "small")
    text = course.text("small")
    text.write_text(TEXT.replace('manual="words"', 'manual="essay"'), encoding="utf-8")
    write(released(source_notebook(text)), course.release("small"))
    with pytest.raises(LabError, match="give the new lab a new name"):
        record([result(course)], course, "small")


def test_the_seed_is_made_once_and_never_guessed(course: Course) -> None:
    assert course.seed() == course.seed()
    (course.root / "private_seed").write_text("twelve", encoding="utf-8")
    with pytest.raises(LabError, match="must hold one whole number"):
        course.seed()


# --- marks for other systems -----------------------------------------------------------------------------------------


def test_the_table_holds_the_final_marks(course: Course, tmp_path: Path) -> None:
    late = Late(datetime(2026, 11, 1, 12), "none")
    record([result(course), result(course, "zoë", 1)], course, "small", late)
    marked_by_hand(course, words=3.0)
    export.write_csv(course, "small", tmp_path / "marks.csv")
    with (tmp_path / "marks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["student"], row["points"], row["of"], row["to mark"], row["words"]) for row in rows] == [
        ("ada", "5.0", "6.0", "0", "3.0"),
        ("zoë", "1.0", "6.0", "1", "0.0"),
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_text_is_a_formula(text: str) -> None:
    assert export.as_text(text) == f"'{text}" and export.as_text(-1.5) == -1.5 and export.as_text("a=1") == "a=1"


def test_gradescope_gets_its_own_form(course: Course, tmp_path: Path) -> None:
    results = [result(course, points=1, said="this is the root")]
    record(results, course, "small")
    export.write_gradescope(results, course, "small", tmp_path / "out")
    exported = json.loads((tmp_path / "out" / "ada.json").read_text(encoding="utf-8"))
    assert exported["score"] == 1 and exported["tests"][0] == {
        "name": "test_mse",
        "score": 1,
        "max_score": 2,
        "output": "this is the root",
        "output_format": "text",
        "visibility": "visible",
    }


def test_the_report_names_what_was_missed_and_why(course: Course) -> None:
    four = [result(course, f"s{i}", i % 3, words=str(i), said="" if i % 3 == 2 else "root!") for i in range(4)]
    unreadable = Result("lost", "k", [PartResult("test_mse", 0, 2)], "the file is no JSON")
    text = report([*four, unreadable], "small", ["s1: 2 hours late"])
    assert "5 submissions, 1 of them could not be graded" in text and "lost: the file is no JSON" in text
    assert "median 0.5, mean 0.8" in text and "3 × root" in text and "s1: 2 hours late" in text
    assert "test_mse" in text and "38% of the points" in text


def test_commands_need_something_graded(course: Course) -> None:
    with pytest.raises(LabError, match="nothing of small has been graded"):
        commands.report("small", course)
    write_result(result(course), _made(course.results("small")))
    assert "small: 1 submissions" in commands.report("small", course)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


# --- nothing a student wrote acts ------------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "<a href='javascript:alert(1)'>x</a>",
    "<svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    "$\\href{javascript:alert(1)}{x}$",
    "![x](http://example.org/track.png)",
    "<style>body { display: none }</style>",
    "<form action=http://example.org><input name=password></form>",
    "</pre></main><script>alert(1)</script>",
    "<!--<img src=--><img src=x onerror=alert(1)//>",
]


class Acting(HTMLParser):
    """Collects what could act: tags beyond the harmless ones, attributes beyond a page's own."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "img", "iframe", "svg", "a", "form", "input", "object", "embed", "link", "math", "base"):
            self.found.append(tag)
        allowed = {"lang", "charset", "name", "content", "http-equiv", "scope", "class"}
        self.found += [f"{tag} {name}" for name, _ in attrs if name not in allowed]


@pytest.mark.parametrize("text", HOSTILE)
def test_feedback_is_inert(course: Course, text: str) -> None:
    one = result(course, words=text, points=0, said=text)
    one.cells.append({"kind": "code", "source": text, "grade_id": "mse"})
    record([one], course, "small")
    for path in feedback.write_feedback([one], course, "small"):
        page = path.read_text(encoding="utf-8")
        parser = Acting()
        parser.feed(page)
        assert parser.found == [] and "default-src 'none'" in page


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_for_formgrader_is_inert(text: str) -> None:
    parser = Acting()
    rendered = inert_markdown(f"Some *words* and {text}")
    parser.feed(rendered)
    assert parser.found == [] and "<em>words</em>" in rendered and "\\href" not in rendered


def test_nbgraders_own_feedback_is_inert_with_our_settings(course: Course) -> None:
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    one = result(course, words="\n\n".join(HOSTILE) + " §end§", points=1, said="<script>alert(2)</script>")
    record([one], course, "small")
    config = Config({"CourseDirectory": {"root": str(course.root), "course_id": "small"}})
    configure(config)
    assert NbGraderAPI(config=config).generate_feedback("small", force=True)["success"]
    page = course.feedback("small", "ada").read_text(encoding="utf-8")
    assert "§end§" in page and "alert(2)" in page
    for acting in ("<script>alert", "onerror=", "<svg/onload", "<iframe", "href='javascript", "example.org/track"):
        assert acting not in page.replace("&lt;", "‹"), acting


def test_feedback_tells_what_was_found_and_what_a_person_gave(course: Course) -> None:
    one = result(course, points=1, said="this is the root")
    record([one], course, "small")
    waiting = feedback.write_feedback([one], course, "small")[0].read_text(encoding="utf-8")
    assert "◐ some: 1 of 2" in waiting and "this is the root" in waiting and "not marked yet" in waiting
    marked_by_hand(course, words=3.0)
    marked = feedback.write_feedback([one], course, "small")[0].read_text(encoding="utf-8")
    assert "3 of 4" in marked and "<p>4 of 6 points.</p>" in marked


def test_nbgraders_autograde_is_switched_off(course: Course) -> None:
    from traitlets.config import Config

    config = Config()
    configure(config)
    with pytest.raises(SystemExit, match="autoencoder-lab grade"):
        config.Autograde.pre_convert_hook(assignment="small", student="ada", notebooks=[])
