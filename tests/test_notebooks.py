"""Every notebook keeps the house's rules; and the tools that say so notice when one does not."""

import re
import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from notebook_tools import (
    MAX_MINUTES,
    NOTEBOOKS,
    SOURCES,
    anatomy_problems,
    anchors,
    build,
    exercise_run_problems,
    glossary_links,
    leak_problems,
    name_problems,
    notebooks_of_the_day,
    run_alone,
    section_of_the_day,
    sections,
)

from autoencoder_lab.explorer import bundle
from notebooks import doors

EXAMPLE = Path(__file__).parent / "fixtures" / "00_example.py"
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def built(source: Path) -> NotebookNode:
    target = NOTEBOOKS / f"{source.stem}.ipynb"
    assert target.exists(), f"run python notebooks/build.py {source.stem}"
    return nbformat.read(target, as_version=4)


def named_controls(notebook: NotebookNode) -> set[str]:
    """What an explorer's controls are called in the text below it: *Words like these*, until other matters begin."""
    names: set[str] = set()
    below = False
    for cell in notebook.cells:
        if cell.cell_type == "code":
            below = "lab.explore(" in cell.source
        below &= not cell.source.startswith(("## ", "### Exercise"))
        if below and cell.cell_type == "markdown":
            text = cell.source.replace("**", "")
            found = re.findall(r"\*([A-Z][^*]+)\*", text)
            names |= {" ".join(name.split()) for name in found if not name.startswith("Deeper")}
    return names


def complaints(problems: list[str]) -> str:
    return "\n" + "\n".join(problems)


# --- the notebooks of the course -------------------------------------------------------------------


@each_source
def test_in_step_with_its_source(source: Path) -> None:
    found = build.check(source, NOTEBOOKS / f"{source.stem}.ipynb")
    assert not found.failures, complaints(found.failures)


def test_every_notebook_has_a_source() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} <= {path.stem for path in SOURCES}


@each_source
def test_anatomy(source: Path) -> None:
    problems = anatomy_problems(source)
    assert not problems, complaints(problems)


@each_source
def test_every_section_stands_alone(source: Path) -> None:
    problems = name_problems(build.read_source(source))
    assert not problems, complaints(problems)


@each_source
def test_no_solution_is_handed_out(source: Path) -> None:
    problems = leak_problems(build.read_source(source), built(source))
    assert not problems, complaints(problems)


@each_source
def test_stored_outputs(source: Path) -> None:
    problems = build.output_problems(built(source))
    assert not problems, complaints(problems)


@each_source
def test_load(source: Path) -> None:
    notebook = built(source)
    seconds = notebook.metadata["autoencoder_lab"]["seconds"]
    assert build.student_minutes(notebook.cells, seconds) <= MAX_MINUTES
    assert seconds <= build.MAX_SECONDS


@each_source
def test_the_glossary_has_every_word_that_is_linked(source: Path) -> None:
    known = anchors((NOTEBOOKS.parent / "docs" / "glossary.md").read_text(encoding="utf-8"))
    assert sorted(glossary_links(build.read_source(source)) - known) == []


@each_source
def test_verdicts_are_those_of_the_evidence(source: Path) -> None:
    """In the table at the end every claim that this notebook decides stands with the word of docs/claims.md."""
    page = (build.ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (C\d+) \|.*?\| \*\*(.+?)\*\* \|.*\| `(\w+)` · ", page, flags=re.MULTILINE)
    words = {name: word for name, word, _ in rows}
    (table,) = [c.source for c in build.read_source(source).cells if c.source.startswith("## From slide to cell")]
    told = {}
    for line in table.splitlines():
        verdict = line.rstrip("| ").rpartition("|")[2].strip()
        for name in re.findall(r"\bC\d+\b(?=\))", line):
            told[name] = verdict
            found = re.match(r"right under a condition(?=: )|right(?! under)|wrong", verdict)
            assert found and found[0] == words[name], f"{name} is {words[name]!r} in docs/claims.md, here {verdict!r}"
    assert {name for name, _, notebook in rows if notebook == source.stem} <= told.keys()


@each_source
def test_the_explorer_has_every_control_that_is_named_below_it(source: Path) -> None:
    script = bundle.javascript()
    assert sorted(name for name in named_controls(build.read_source(source)) if name not in script) == []


def test_controls_are_named_below_an_explorer_only() -> None:
    text = "*Press me*, in **Draw**, *then* that; *Deeper · Why*\n- **Map**: tick *Show it* and *Show\nmore*"
    cells = [nbformat.v4.new_code_cell("lab.explore(model, data)"), nbformat.v4.new_markdown_cell(text)]
    assert named_controls(nbformat.v4.new_notebook(cells=cells)) == {"Press me", "Show it", "Show more"}
    for other in (nbformat.v4.new_code_cell("lab.compare(models, data)"), nbformat.v4.new_markdown_cell("## 3 · More")):
        assert named_controls(nbformat.v4.new_notebook(cells=[cells[0], other, cells[1]])) == set()


@pytest.mark.slow
@pytest.mark.daily
@pytest.mark.parametrize("source", notebooks_of_the_day(4), ids=lambda path: path.stem)
def test_exercises_alone_with_their_solutions_and_with_their_stubs(source: Path) -> None:
    problems = exercise_run_problems(source)
    assert not problems, complaints(problems)


@pytest.mark.slow
@pytest.mark.daily
@pytest.mark.parametrize("source", notebooks_of_the_day(4), ids=lambda path: path.stem)
def test_the_section_of_the_day_runs_alone(source: Path) -> None:
    notebook = build.student_notebook(source)
    run_alone(notebook, section_of_the_day(notebook))


# --- the tools, on a small notebook that is right --------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def reference_machine() -> Iterator[None]:
    """No test waits for a training to tell how fast this machine is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "step_seconds", lambda: build.REFERENCE_STEP)
        yield


def test_seconds_are_those_of_the_reference_machine(example: tuple[Path, Path], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(build, "step_seconds", lambda: 4 * build.REFERENCE_STEP)
    monkeypatch.setattr(build, "execute", lambda notebook, folder: [100.0, 60.0])
    monkeypatch.setattr(build, "tidy_outputs", lambda notebook, folder: [])
    built = build.build(example[0], tmp_path / "slow.ipynb")
    stored = built.notebook.metadata["autoencoder_lab"]
    assert (stored["seconds"], stored["slower"], built.seconds) == (40.0, 4.0, [25.0, 15.0])


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, with the notebook built from it beside."""
    source = Path(shutil.copy(EXAMPLE, tmp_path_factory.mktemp("example")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "library_hash", lambda source: "the library")
        assert build.build(source, source.with_suffix(".ipynb")).action == "run"
    return source


@pytest.fixture
def example(built_once: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The example's source, the notebook built from it, and a library that nobody changes meanwhile."""
    monkeypatch.setattr(build, "library_hash", lambda source: "the library")
    return built_once, built_once.with_suffix(".ipynb")


def changed(example: tuple[Path, Path], folder: Path, old: str, new: str) -> Path:
    """A copy of the example's source in which `old` reads `new`."""
    text = example[0].read_text(encoding="utf-8")
    assert old in text
    copy = folder / example[0].name
    copy.write_text(text.replace(old, new), encoding="utf-8")
    return copy


@pytest.mark.slow
def test_the_example_is_right(example: tuple[Path, Path]) -> None:
    source, target = example
    written, notebook = build.read_source(source), nbformat.read(target, as_version=4)
    assert build.check(source, target) == ([], [])
    assert build.output_problems(notebook) == []
    assert anatomy_problems(source) == name_problems(written) == leak_problems(written, notebook) == []
    assert exercise_run_problems(source) == []
    run_alone(build.student_notebook(source), sections(notebook)[1])


@pytest.mark.slow
def test_the_built_example(example: tuple[Path, Path]) -> None:
    notebook = nbformat.read(example[1], as_version=4)
    title, badge, install, set_up = notebook.cells[:4]
    assert re.search(r"^# 00 · (?s:.*)about \d+ minutes, of which \d+0 s are execution", title.source)
    assert badge.source == doors.colab_badge("00_example", "Open this notebook in Colab")
    assert '"google.colab" in sys.modules' in install.source and install.outputs == []
    assert set_up.outputs[0].text.startswith("autoencoder_lab ")

    text = example[1].read_text(encoding="utf-8")
    assert not any(word in text for word in ("doubled_number", "Add x to itself", "A half keeps the rest"))
    assert text.count("# your code here") == 3
    (exercise,) = [cell for cell in notebook.cells if cell.source.startswith("def double")]
    assert exercise.source == 'def double(x):\n    """x: a number. Return 2 x."""\n    ...  # your code here'

    (form,) = [cell.outputs[0] for cell in notebook.cells if "lab.predict(" in cell.source]
    assert set(form.data) == {"text/plain", "text/html"}, "the live form is dead without a kernel"
    assert set(notebook.metadata) == {"autoencoder_lab", "kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"}


@pytest.mark.slow
def test_only_what_changed_is_built(
    example: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Path(shutil.copy(example[1], tmp_path))
    before = target.read_bytes()
    assert build.build(example[0], target).action == "kept"
    assert target.read_bytes() == before

    prose = changed(example, tmp_path, "Numbers can be doubled.", "Numbers can be doubled twice.")
    assert build.check(prose, target).failures
    assert build.build(prose, target).action == "prose"
    assert build.check(prose, target) == ([], [])
    then, now = (nbformat.reads(text, as_version=4) for text in (before.decode(), target.read_text(encoding="utf-8")))
    assert [cell.get("outputs") for cell in then.cells] == [cell.get("outputs") for cell in now.cells]
    assert sum(a.id != b.id for a, b in zip(then.cells, now.cells, strict=True)) == 1, "an edit changes one cell"

    with monkeypatch.context() as later:
        later.setattr(doors, "release", lambda: "v9.9.9")
        released = Path(shutil.copy(target, tmp_path / "released.ipynb"))
        assert build.check(prose, released).failures, "the cell for Colab names the release"
        assert build.build(prose, released).action == "prose"
        assert build.check(prose, released) == ([], []) and "@v9.9.9" in released.read_text(encoding="utf-8")

    ran: list[NotebookNode] = []

    def pretend_to_run(notebook: NotebookNode, directory: Path) -> list[float]:
        ran.append(notebook)
        return [0.0] * len(notebook.cells)

    monkeypatch.setattr(build, "execute", pretend_to_run)
    monkeypatch.setattr(build, "library_hash", lambda source: "another library")
    findings = build.check(prose, target)
    assert not findings.failures and "what it uses of the library changed" in findings.warnings[0]
    assert build.build(prose, target).action == "run" and len(ran) == 1
    assert build.build(prose, target).action == "run" and len(ran) == 2, "what was never run is run"

    shutil.copy(example[1], target)
    monkeypatch.setattr(build, "library_hash", lambda source: "the library")
    assert build.build(example[0], target).action == "kept"
    assert build.build(example[0], target, force=True).action == "run" and len(ran) == 3
    shutil.copy(example[1], target)
    code = changed(example, tmp_path, "total = 2 + 2", "total = 1 + 3")
    assert build.build(code, target).action == "run" and len(ran) == 4


def test_a_source_that_is_edited_while_its_cells_run_is_out_of_step_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(shutil.copy(EXAMPLE, tmp_path))
    target = source.with_suffix(".ipynb")
    output = nbformat.v4.new_output("stream", name="stdout", text="done\n")

    def run_while_the_author_writes(notebook: NotebookNode, directory: Path) -> list[float]:
        changed((EXAMPLE, EXAMPLE), tmp_path, "total = 2 + 2", "total = 1 + 3")
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [output], 1
        return [0.0] * len(notebook.cells)

    monkeypatch.setattr(build, "execute", run_while_the_author_writes)
    notebook = build.build(source, target).notebook
    assert all(cell.outputs == [output] for cell in notebook.cells if cell.cell_type == "code")
    assert any("total = 2 + 2" in cell.source for cell in notebook.cells)
    assert build.check(source, target).failures
    assert build.build(source, target).action == "run"


@pytest.mark.slow
def test_a_cell_that_fails_keeps_the_old_notebook(example: tuple[Path, Path], tmp_path: Path) -> None:
    target = Path(shutil.copy(example[1], tmp_path))
    before = target.read_bytes()
    broken = changed(example, tmp_path, "total = 2 + 2", "total = 2 / 0")
    with pytest.raises(build.CellFailed, match=r"(?s)total = 2 / 0.*ZeroDivisionError: division by zero"):
        build.build(broken, target)
    assert target.read_bytes() == before


@pytest.mark.slow
def test_a_section_that_needs_another_one_does_not_run_alone(example: tuple[Path, Path], tmp_path: Path) -> None:
    broken = build.student_notebook(changed(example, tmp_path, "[number * 2", "[total * 2"))
    with pytest.raises(build.CellFailed, match="name 'total' is not defined"):
        run_alone(broken, sections(broken)[-1])


def test_every_section_of_every_notebook_has_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = build.read_source(EXAMPLE)
    headings, sources = [], []
    for day in range(16):
        monkeypatch.setenv("AUTOENCODER_LAB_ROTATION", str(day))
        headings.append(section_of_the_day(notebook).heading)
        sources.append(notebooks_of_the_day(4))
    every = ["1 · A figure", "2 · Another", "Quiz", "Deeper · More numbers"]
    assert headings == [heading for heading in every for _ in range(4)]
    assert sorted(chain(*sources[:4])) == SOURCES and sources[:4] * 4 == sources


# --- the tools, on notebooks that are wrong --------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ("[number * 2 for", "[total * 2 for", "total"),  # another section's name
        ("total = 2 + 2", "total = total + 2", "total"),
        ("total = 2 + 2", "total = sum(numbers for _ in range(3))", "numbers"),
        ("total = 2 + 2", "total = 2\ntotal_of_all += 2", "total_of_all"),
        ("return x // 2", "return y // 2", "y"),
        ("return x // 2", "def deep():\n        return lambda: y\n    return deep", "y"),
        ("lab.setup(seed=0)", "lab.setup(seed=first)", "first"),
        ("print(total)", "print(later)\nlater = 1", "later"),
        ("return half_wrong(x)", "return double(x)", "double"),  # the first section's exercise
    ],
)
def test_a_missing_name_is_found(tmp_path: Path, old: str, new: str, missing: str) -> None:
    source = changed((EXAMPLE, EXAMPLE), tmp_path, old, new)
    problems = name_problems(build.read_source(source))
    assert len(problems) == 1 and repr(missing) in problems[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("total = 2 + 2", "import math\ntotal = int(math.sqrt(16))"),
        ("total = 2 + 2", "for step in range(3):\n    total = 2 + step"),
        ("total = 2 + 2", "def four():\n    return two() + two()\n\n\ndef two():\n    return 2\n\n\ntotal = four()"),
        ("total = 2 + 2", "total, _ = [sum(a for a in row) for row in ([2, 2], [1])]"),
        ("total = 2 + 2", "with open(__name__) as file:\n    total: int = (lambda text: len(text))(file)"),
        ("return x // 2", "return half_wrong(x - 1) if x else 0"),
        ("total = 2 + 2", "for total in (1, 4):\n    print([total * x for x in (1, 2)])"),
    ],
)
def test_a_name_that_is_there_is_not_missed(tmp_path: Path, old: str, new: str) -> None:
    assert name_problems(build.read_source(changed((EXAMPLE, EXAMPLE), tmp_path, old, new))) == []


SECTIONS = "\n\n".join(f"# %% [markdown]\n# ## {number} · More" for number in range(3, 9))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# # 00 · A", "# # A", "the first line must be '# NN · Title'"),
        ("# # 00 · A", "# # 01 · A", "the title has the number 01, the file is 00_example.py"),
        ("# *Doubling numbers; finding a bug*\n#\n", "", "under the title must stand what it is about"),
        ("finding a bug*", "finding a bug.*", "does not end with a full stop"),
        ("a number (section 1, Exercise 1)", "a number", "each line must end with where one learns it"),
        ("(section 1, Exercise 1)", "(section 3, Exercise 1)", "is said to be in section 3, but there are 2"),
        ("(section 1, Exercise 1)", "(section 1, Exercise 4)", "is said to be in Exercise 4, but there are 3"),
        ("start** nothing", "start** Notebook 00. nothing", "stands a notebook that comes no earlier: 00"),
        ("# It has every part of a notebook and takes a second.\n#\n", "", "paragraph with the promise"),
        ("**Before you start**", "First", "lacks **Before you start**"),
        ("**Slides covered**", "Slides", "lacks **Slides covered**"),
        ("{{minutes}}", "30", "write {{minutes}}"),
        ('# %% tags=["setup"]', "# %%", "tagged 'setup'"),
        ("# %% [markdown]\n# ## Take", f"{SECTIONS}\n\n# %% [markdown]\n# ## Take", "8 sections on the core path"),
        ("# ## 2 · Another", "# ## Another", "must be headed '## 2 · …'"),
        ("# ### Not a section", "# ## A section", "must stand on the first line"),
        ("# ### Exercise 3 · Conclude", "# ### Conclude", "expected three exercises"),
        ('# %% tags=["check"]\ncheck(half(3), 1.5)', "# %%\n0", "Find the bug' has no cell tagged 'check'"),
        ("# **Why.** A half keeps the rest.", "# It keeps the rest.", "expected a cell tagged 'help' of the form"),
        ('[markdown] tags=["help"]\n# 1. Read', "[markdown]\n# 1. Read", "with each of"),
        ('        {"ask": "1 + 5?", "right": ("6", "count"), "wrong": {"7": "one too many"}},\n', "", "4 questions"),
        ('"wrong": {"7": "one too many"}', '"wrong": {"7": ""}', "option '7' has no explanation"),
        ("# ## Quiz", "# ## Questions", "expected one '## Quiz'"),
        ("# ## Quiz", "# ## Deeper · Early", "must be followed by Take-aways, Quiz, From slide to cell"),
        ("# ## Deeper · More numbers", "# ## More numbers", "and then by what is Deeper"),
        ("# |---|---|\n", "", "has no table"),
        ("# - Numbers can be doubled.", "#", "'Take-aways' says nothing"),
        ("({{glossary}}#code)", "(glossary)", "no link to the glossary"),
        ('key="00-1-sum"', 'key="01-1-sum"', "must begin with '00-'"),
        ('lab.outcome("00-1-sum", "four" if total == 4 else "five")', "", "has no lab.outcome"),
    ],
)
def test_a_missing_part_is_found(tmp_path: Path, old: str, new: str, message: str) -> None:
    problems = anatomy_problems(changed((EXAMPLE, EXAMPLE), tmp_path, old, new))
    assert any(message in problem for problem in problems), complaints(problems)


def test_what_stands_deeper_does_not_count_as_core(tmp_path: Path) -> None:
    more = "# ## Deeper · More numbers\n\n" + SECTIONS.replace("## ", "## Deeper · ")
    assert anatomy_problems(changed((EXAMPLE, EXAMPLE), tmp_path, "# ## Deeper · More numbers\n", more + "\n")) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    doubled_number = x + x\n", "    doubled_number = x + 1\n", "its own solution does not pass"),
        ('    """x: a number. Return 2 x."""\n', "    assert x > 5\n", "the stub raises"),
        ('"not done yet" if answer is None', '"✓" if answer is None', "must print 'not done yet'"),
        ("return half_wrong(x) +", "return double(x) // 4 +", "its own solution does not pass"),
    ],
)
def test_an_exercise_that_does_not_work_alone_is_found(tmp_path: Path, old: str, new: str, message: str) -> None:
    problems = exercise_run_problems(changed((EXAMPLE, EXAMPLE), tmp_path, old, new))
    assert problems and all("Exercise" in problem for problem in problems)
    assert any(message in problem for problem in problems), complaints(problems)


def test_a_leaking_solution_is_found(tmp_path: Path) -> None:
    written = build.read_source(EXAMPLE)
    assert len(leak_problems(written, written)) >= 3, "the source itself, handed out as it is"

    unmarked = changed((EXAMPLE, EXAMPLE), tmp_path, "    # solution-begin\n", "")
    unmarked.write_text(unmarked.read_text(encoding="utf-8").replace("    # solution-end\n", ""), encoding="utf-8")
    problems = leak_problems(build.read_source(unmarked), build.student_notebook(unmarked))
    assert sum("shows its solution" in problem for problem in problems) == 2

    twice = changed((EXAMPLE, EXAMPLE), tmp_path, "total = 2 + 2", "doubled_number = x + x")
    problems = leak_problems(build.read_source(twice), build.student_notebook(twice))
    assert problems == ["a line of a solution stands in the built notebook: doubled_number = x + x"]


@pytest.mark.parametrize(
    "cell",
    [
        "# solution-begin\nx = 1",
        "x = 1\n# solution-end",
        "# solution-begin\n# solution-begin\nx = 1\n# solution-end",
        "x = 1  # solution-begin\nx = 2\n# solution-end",
        "#solution-begin\nx = 1\n#solution-end",
    ],
)
def test_a_forgotten_marker_hands_out_nothing(cell: str) -> None:
    with pytest.raises(ValueError, match="solution-"):
        build.without_solutions(cell)


def test_several_solutions_in_one_cell() -> None:
    begin, end = "# solution-begin", "# solution-end"
    cell = f"def f():\n    {begin}\n    return 1\n    {end}\n{begin}\nx = 1\n{end}\ny = 2"
    assert build.without_solutions(cell) == f"def f():\n    {build.STUB}\n# your code here\ny = 2"


@each_source
def test_the_answers_of_the_quiz_are_folded_away(source: Path) -> None:
    (quiz,) = [cell for cell in built(source).cells if cell.source.startswith("lab.quiz(")]
    assert quiz.metadata.get("jupyter") == {"source_hidden": True}


def test_what_is_tagged_folded_is_hidden(tmp_path: Path) -> None:
    source = changed((EXAMPLE, EXAMPLE), tmp_path, "# %%\nlab.predict(", '# %% tags=["folded"]\nlab.predict(')
    hidden = [cell.source for cell in build.student_notebook(source).cells if cell.metadata.get("jupyter")]
    assert [text.split("(")[0] for text in hidden] == ["lab.predict", "lab.quiz"]


def test_minutes_count_the_core_path_alone() -> None:
    prose = nbformat.v4.new_markdown_cell("word " * 1500)  # 10 minutes
    code = nbformat.v4.new_code_cell("lab.predict()\n" * 15)  # 1 minute to read, 15 to guess
    exercise = nbformat.v4.new_code_cell("", metadata={"tags": ["exercise"]})  # 8 minutes
    quiz = nbformat.v4.new_code_cell("lab.quiz(\n)")  # 5 minutes; its lines are folded away
    folded = nbformat.v4.new_code_cell("x = 1\n" * 900, metadata={"tags": ["folded"]})  # nobody reads it
    cells = [prose, code, exercise, quiz, folded]
    assert build.student_minutes(cells, seconds=55) == 40
    assert build.student_minutes(cells, seconds=60) == 40
    assert build.student_minutes(cells, seconds=61) == 45, "39 minutes and 61 s are rounded up"
    assert build.student_minutes([*cells, nbformat.v4.new_markdown_cell("## Deeper · More"), prose], seconds=55) == 40


def notebook_with(**output: object) -> NotebookNode:
    cell = nbformat.v4.new_code_cell("1", execution_count=1, outputs=[nbformat.from_dict(output)])
    return nbformat.v4.new_notebook(cells=[cell])


def displayed(metadata: dict[str, object] | None = None, **data: str) -> NotebookNode:
    return notebook_with(
        output_type="display_data",
        data={mime.replace("_", "/", 1): content for mime, content in data.items()},
        metadata=metadata or {},
    )


WIDGET = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}


@pytest.mark.parametrize(
    ("notebook", "message"),
    [
        (notebook_with(output_type="error", ename="NameError", evalue="x", traceback=[]), "the error NameError: x"),
        (notebook_with(output_type="stream", name="stderr", text="UserWarning"), "stderr"),
        (notebook_with(output_type="stream", name="stdout", text=" 40%|███  | 2/5"), "progress bar"),
        (notebook_with(output_type="display_data", data=WIDGET, metadata={}), "live widget"),
        (displayed(image_png="aGk="), "without alt text"),
        (displayed(metadata={"image/png": {"alt": ""}}, image_png="aGk="), "without alt text"),
        (displayed(text_html='<img src="a.png" alt=" ">'), "without alt text"),
        (displayed(text_plain="<object at 0x7f3a2b1c0d10>"), "memory address: 0x7f3a2b1c0d10"),
        (displayed(text_plain="saved in /home/me/course/a.pt"), "absolute path: /home/me/course/a.pt"),
        (displayed(text_plain=r"saved in C:\Users\me"), "absolute path"),
        (displayed(text_plain="x" * 2_100_000), "2.1 MB"),
    ],
)
def test_what_must_not_be_stored_is_found(notebook: NotebookNode, message: str) -> None:
    (problem,) = build.output_problems(notebook)
    assert message in problem


@pytest.mark.parametrize(
    "notebook",
    [
        displayed(metadata={"image/png": {"alt": "a dot"}}, image_png="aGk="),
        displayed(text_html='<img src="data:image/png;base64,/tmp/aaaa/" alt="a dot">'),
        displayed(text_plain="https://example.org/home/page and autoencoder_lab/tmp/x and 0xff and ratio 1/home"),
    ],
)
def test_what_may_be_stored_is_not_complained_about(notebook: NotebookNode) -> None:
    assert build.output_problems(notebook) == []


def test_cells_out_of_order_and_images_in_prose_without_alt_text_are_found() -> None:
    notebook = displayed(text_plain="1")
    notebook.cells[0].execution_count = 2
    notebook.cells.append(nbformat.v4.new_markdown_cell("![](a.png)"))
    notebook.cells.append(nbformat.v4.new_markdown_cell("![a dot](a.png)"))
    order, image = build.output_problems(notebook)
    assert "execution counts [2]" in order and "cell 2 ('![](a.png)'): an image without alt text" in image


def test_outputs_are_tidied(tmp_path: Path) -> None:
    def stream(name: str, text: str) -> NotebookNode:
        return nbformat.v4.new_output("stream", name=name, text=text)

    outputs = [
        stream("stdout", f"kept in {tmp_path / 'model.pt'}\n"),
        stream("stderr", "UserWarning: mind the gap\n"),
        stream("stderr", "\r 10%|█   | 1/10\r100%|████| 10/10\n"),
        stream("stdout", "10 %\r20 %\rdone\n"),
        nbformat.v4.new_output("display_data", data={"text/plain": "ConvAutoencoder: step 9 of 9, 3 s"}),
        nbformat.v4.new_output("display_data", data={**WIDGET, "text/plain": "Slider()"}),
        nbformat.v4.new_output("display_data", data={"text/plain": "<Widget at 0x7f3a2b1c0d10>"}),
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", execution_count=1, outputs=outputs)])
    remarks = build.tidy_outputs(notebook, tmp_path)
    kept = notebook.cells[0].outputs
    assert [output.output_type for output in kept] == ["stream", "display_data", "display_data"]
    assert kept[0].text == "kept in model.pt\ndone\n"
    assert kept[1].data == {"text/plain": "Slider()"} and kept[2].data == {"text/plain": "<Widget at …>"}
    assert ["mind the gap" in remark for remark in remarks] == [True, False] and "leaves nothing to see" in remarks[1]
    assert build.output_problems(notebook) == []


def test_the_library_hash_is_of_what_students_run(tmp_path: Path) -> None:
    before = build.library_hash(EXAMPLE)
    for same in (
        ("Numbers can be doubled.", "Numbers can be doubled twice."),
        ("doubled_number = x + x", "lab.fit(x)"),
    ):
        assert build.library_hash(changed((EXAMPLE, EXAMPLE), tmp_path, *same)) == before, "prose, or a solution"
    assert build.library_hash(changed((EXAMPLE, EXAMPLE), tmp_path, "total = 2 + 2", "total = lab.fit")) != before


def test_anchors_are_those_of_github() -> None:
    assert anchors('# Words\n## Latent code (h, z)\n<a id="elbo"></a>') == {"words", "latent-code-h-z", "elbo"}


def test_the_command_names_what_is_out_of_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "notebooks" / "source"
    folder.mkdir(parents=True)
    shutil.copy(EXAMPLE, folder)
    monkeypatch.setattr(build, "ROOT", tmp_path)
    assert build.main(["--check"]) == 1
    assert "FAILED  00_example.ipynb is not built; run python notebooks/build.py 00_example" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        build.main(["07"])
    assert stop.value.code == 2 and "no source for 07; there are: 00_example" in capsys.readouterr().err
