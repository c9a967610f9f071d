"""From a lab's text to the marks: release, gradebook, resubmission, late work, export, report, feedback."""

import csv
import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
from typer.testing import CliRunner

pytest.importorskip(
    "nbgrader", reason="the instructor's commands need nbgrader: pip install 'autoencoder_lab[grading]'"
)

from autoencoder_lab.commands import grading as commands
from autoencoder_lab.commands.cli import app
from autoencoder_lab.grading import export, feedback
from autoencoder_lab.grading import gradebook as gradebook_module
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.grade import PartResult, Result
from autoencoder_lab.grading.gradebook import _reach_alembic, prepare, record
from autoencoder_lab.grading.inert import configure
from autoencoder_lab.grading.lab_source import LabError, released, source_notebook, write
from autoencoder_lab.grading.notebook_file import cells_of
from autoencoder_lab.grading.report import report
from autoencoder_lab.grading.totals import ON_TIME, Late, totals
from autoencoder_lab.grading.whole_class import read_result, write_result
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
    first = ours.cells[0]
    assert "**Time while marking.**" in first.source  # which nbgrader does not know of
    first.source = first.source.split("\n\n**Time while marking.**")[0]
    assert [(c.cell_type, c.source, c.metadata) for c in ours.cells] == [
        (c.cell_type, c.source, c.metadata) for c in theirs.cells
    ]


def test_the_release_has_stubs_in_place_of_solutions(course: Course) -> None:
    cells = {cell.grade_id: cell.source for cell in cells_of(course.release("small").read_bytes())}
    assert cells["mse"].endswith(f'error."""\n    {CODE_STUB}') and cells["words"] == TEXT_STUB


def test_the_notebook_with_solutions_is_another_one(course: Course) -> None:
    before = course.release("small").read_bytes()
    said = CliRunner().invoke(app, ["release", "small", "--solutions", "--course", str(course.root)])
    assert said.exit_code == 0 and str(course.solutions("small")) in said.output.replace("\n", "")
    cells = nbformat.read(course.solutions("small"), as_version=4).cells
    code = next(cell.source for cell in cells if cell.source.startswith("def mse"))
    assert "return ((x - y) ** 2).mean()" in code and "SOLUTION" not in code and CODE_STUB not in code
    assert any(cell.source.startswith("A model answer") for cell in cells)
    assert not any("nbgrader" in cell.metadata for cell in cells)
    assert course.release("small").read_bytes() == before


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
    assert notes == [] and totals(course, "small")["ada"].penalty == (penalty or 0)
    assert totals(course, "small")["ada"].lateness.startswith("2.5 hours late, ")
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


# --- feedback --------------------------------------------------------------------------------------------------------


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


# --- one total, wherever it is shown ---------------------------------------------------------------------------------


def shown_totals(course: Course, student: str = "ada") -> dict[str, float]:
    """What each of our pages, and each of nbgrader's lists, says that a student has."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    results = [one for path in course.results("small").glob("*.json") if (one := read_result(path))]
    feedback.write_feedback(results, course, "small")
    export.write_csv(course, "small", course.root / "marks.csv")
    export.write_gradescope(results, course, "small", course.root / "out")
    page = course.feedback("small", student).read_text(encoding="utf-8")
    with (course.root / "marks.csv").open(encoding="utf-8", newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["student"] == student]
    config = Config({"CourseDirectory": {"root": str(course.root), "course_id": "small"}})
    configure(config)
    api = NbGraderAPI(config=config)
    lists = {
        "submissions": api.get_submissions("small"),
        "notebooks": api.get_notebook_submissions("small", "small"),
        "students": [one | {"student": one["id"]} for one in api.get_students()],
        "one": [api.get_submission("small", student)],
    }
    found = {name: next(one["score"] for one in rows if one["student"] == student) for name, rows in lists.items()}
    body = json.loads((course.root / "out" / f"{student}.json").read_text(encoding="utf-8"))
    points = re.search(r"<p>([\d.]+) of 6 points", page)
    assert points
    return found | {"feedback": float(points[1]), "csv": float(row["points"]), "gradescope": body["score"]}


def graded(course: Course, *results: Result, late: Late = ON_TIME) -> list[str]:
    course.results("small").mkdir(parents=True, exist_ok=True)
    for one in results:
        write_result(one, course.results("small"))
    return record(results, course, "small", late)


def test_every_page_shows_one_total(course: Course) -> None:
    due = datetime(2026, 11, 1, 12)
    one, on_time = result(course, when="2026-11-01T14:30:00"), result(course, "bob", when="2026-11-01T11:00:00")
    graded(course, one, on_time, late=Late(due, "zero"))
    assert set(shown_totals(course).values()) == {0} and set(shown_totals(course, "bob").values()) == {2}
    marked_by_hand(course, words=3.0)  # after the penalty had been reckoned
    for rows in grades(course):
        rows["words"].extra_credit = 2.0
    assert set(shown_totals(course).values()) == {0}
    page = course.feedback("small", "ada").read_text(encoding="utf-8")
    assert "2.5 hours late, so none of its 7 points count" in page and "5 of 4, 2 of them extra" in page
    top = nbformat.read(course.autograded("small", "ada"), as_version=4).cells[0].source
    assert top == "Handed in 2.5 hours after the due date: late work counts nothing."
    # the same work, no policy now: nothing of the old penalty stays, and that is said
    notes = graded(course, one, on_time)
    assert "from this run on, late work counts in full; before, late work counts nothing" in notes
    assert set(shown_totals(course).values()) == {7} and "2.5 hours late, and counts in full" in course.feedback(
        "small", "ada"
    ).read_text(encoding="utf-8")
    for rows in grades(course):
        assert not rows["paper"].late_submission_penalty


def test_late_work_needs_a_due_date(course: Course) -> None:
    with pytest.raises(LabError, match="--late zero needs to know until when: --due"):
        record([result(course)], course, "small", Late(None, "zero"))


def test_a_mark_of_an_earlier_text_is_no_final_one(course: Course) -> None:
    graded(course, result(course))
    assert "not marked yet" in _page(course) and "So far: words (worth 4)" in _page(course)
    marked_by_hand(course, words=3.0)
    assert "So far" not in _page(course)
    graded(course, result(course, words="Quite another answer."))
    assert set(shown_totals(course).values()) == {5}
    assert "3 of 4; a person will look at it" in _page(course) and "So far: words" in _page(course)
    graded(course, result(course, words="Quite another answer."))
    assert "So far: words" in _page(course)  # a second run does not make it final


def _page(course: Course) -> str:
    shown_totals(course)
    return course.feedback("small", "ada").read_text(encoding="utf-8")


def test_what_a_person_wrote_is_kept(course: Course) -> None:
    graded(course, result(course))
    for rows in grades(course):
        comment = next(one for one in rows["paper"].comments if one.name == "words")
        comment.manual_comment, rows["words"].manual_score, rows["words"].extra_credit = "Well seen.", 3.0, 1.0
        rows["words"].needs_manual_grade = False
    graded(course, result(course, points=0, said="this is the root", words="Other words."), late=Late(None, "none"))
    for rows in grades(course):
        comment = next(one for one in rows["paper"].comments if one.name == "words")
        assert (comment.manual_comment, rows["words"].manual_score, rows["words"].extra_credit) == ("Well seen.", 3, 1)
    assert "A person gave 3. Well seen." in _page(course)


def test_gradescope_has_the_part_that_a_person_marks(course: Course) -> None:
    graded(course, result(course))
    shown_totals(course)
    body = json.loads((course.root / "out" / "ada.json").read_text(encoding="utf-8"))
    words = next(test for test in body["tests"] if test["name"] == "words")
    assert (words["score"], words["max_score"], words["output"]) == (0, 4, "Not marked yet.")
    assert "So far: words (worth 4) has yet to be looked at by a person." in body["output"]
    marked_by_hand(course, words=3.0)
    assert shown_totals(course)["gradescope"] == 5
    body = json.loads((course.root / "out" / "ada.json").read_text(encoding="utf-8"))
    assert sum(test["score"] for test in body["tests"]) == body["score"] == 5 and body["output"] == ""


def test_formgrader_counts_submissions_and_knows_what_is_handed_out(course: Course) -> None:
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    graded(course, result(course, when="2026-11-01T14:30:00"), result(course, "bob"))
    config = Config({"CourseDirectory": {"root": str(course.root), "course_id": "small"}})
    configure(config)
    api = NbGraderAPI(config=config)
    lab = api.get_assignment("small")
    assert (lab["num_submissions"], lab["status"]) == (2, "released")
    assert [(one["student"], one["autograded"]) for one in api.get_submissions("small")] == [
        ("ada", True),
        ("bob", True),
    ]
    assert api.get_submission("small", "ada")["submitted"]


# --- what is to be looked at -----------------------------------------------------------------------------------------


def test_a_flag_reaches_the_instructor_and_is_raised_once(course: Course) -> None:
    one = result(course)
    one.flags.append("the cell of mse was not found")
    assert graded(course, one) == ["ada: the cell of mse was not found"]
    for rows in grades(course):
        assert rows["paper"].flagged
        rows["paper"].flagged = False  # somebody looked
    graded(course, one)
    for rows in grades(course):
        assert not rows["paper"].flagged


def test_the_work_of_a_lost_cell_is_in_the_feedback_and_no_path_of_the_machine(course: Course) -> None:
    one = result(course)
    one.cells.append({"kind": "code", "source": "def mse(x, y):\n    return (x - y) ** 2", "grade_id": ""})
    reason = f"two files are ada's, {course.root / 'handed_in' / 'ada.ipynb'} and C:\\Users\\me\\ada.zip"
    two = Result("bob", "key", [PartResult("test_mse", 0, 2, f"not graded: {reason}")], reason)
    graded(course, one, two)
    page, other = _page(course), course.feedback("small", "bob").read_text(encoding="utf-8")
    assert "a cell of your own" in page and page.count(">return</span>") == 2
    assert "A small lab" not in page  # the instructor's own text is not what they handed in
    assert "imports" not in page.partition("What you handed in")[2]  # nor is a given cell, unless they changed it
    next(cell for cell in one.cells if cell["grade_id"] == "imports")["source"] += "\nimport os  # mine"
    graded(course, one, two)
    assert "<h3>imports</h3>" in _page(course)
    for place in (str(course.root), "handed_in/", "Users"):
        assert place not in other
    assert "ada.ipynb and ada.zip" in other


def test_the_report_is_plain_text(course: Course) -> None:
    broken = result(course, points=0)
    broken.parts[0] = PartResult("test_mse", 0, 2, "ask your instructor", "judge: \x1b[31mx\x1b[0m\n<b>")
    one = Result("cut", "", [PartResult("test_mse", 0, 2)], "nbformat '\x1b]0;x\x07\u202e'")
    shown = report([broken, one], "small", record([broken, one], course, "small"))
    assert all(line.isprintable() for line in shown.splitlines())


def test_a_locked_gradebook_is_one_line(course: Course, capfd: pytest.CaptureFixture[str]) -> None:
    graded(course, result(course))
    short = replace(course, database=f"sqlite:///{course.root / 'gradebook.db'}?timeout=0.2")
    holder = sqlite3.connect(course.root / "gradebook.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    capfd.readouterr()
    for doing in (
        lambda: record([result(course, points=1)], short, "small"),
        lambda: prepare(short),
        lambda: export.write_csv(short, "small", course.root / "marks.csv"),
        lambda: feedback.write_feedback([result(course)], short, "small"),
    ):
        with pytest.raises(LabError, match="is locked: another program, such as formgrader") as caught:
            doing()
        assert "\n" not in str(caught.value) and caught.value.__cause__ is None
    assert capfd.readouterr() == ("", "")
    holder.execute("ROLLBACK")
    holder.close()
    record([result(course, points=1)], short, "small")


# --- words that stand beside the place for them ----------------------------------------------------------------------


def with_words(course: Course, *around: tuple[str, str, str], words: str = "") -> Result:
    """A result with such cells (kind, source, "above" or "below") next to the text's place."""
    one = result(course, words=words or words_released(course))
    at = next(i for i, cell in enumerate(one.cells) if cell["grade_id"] == "words")
    rows = [({"kind": kind, "source": source, "grade_id": ""}, where) for kind, source, where in around]
    above, below = ([row for row, where in rows if where == side] for side in ("above", "below"))
    return replace(one, cells=[*one.cells[:at], *above, one.cells[at], *below, *one.cells[at + 1 :]])


def words_released(course: Course) -> str:
    return next(cell.source for cell in cells_of(course.release("small").read_bytes()) if cell.grade_id == "words")


@pytest.mark.parametrize(
    ("cell", "waits"),
    [
        (("markdown", "My answer.", "below"), True),
        (("markdown", "My answer.", "above"), True),
        (("raw", "My answer.", "below"), True),
        (("code", "My answer is this.", "below"), True),
        (("code", "# My answer", "below"), True),
        (("code", "x = 1", "below"), False),
        (("markdown", "  ", "below"), False),
    ],
)
def test_words_beside_their_place_are_looked_at(course: Course, cell: tuple[str, str, str], waits: bool) -> None:
    one = with_words(course, cell)
    record([one], course, "small")
    for rows in grades(course):
        assert rows["words"].needs_manual_grade == waits and (rows["words"].auto_score is None) == waits
    if not waits:
        return
    marked_by_hand(course, words=3.0)
    assert record([one], course, "small") == []
    for rows in grades(course):
        assert not rows["words"].needs_manual_grade
    (note,) = record([with_words(course, ("markdown", "Other words.", "below"))], course, "small")
    assert "words was changed after it had been marked" in note
