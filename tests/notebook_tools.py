"""What must hold for every notebook, as functions that return a list of complaints; test_notebooks.py applies them."""

import ast
import builtins
import json
import os
import re
import subprocess
import symtable
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from long_tests import turn_of_the_day
from nbformat import NotebookNode

from notebooks import build
from notebooks.exercises import help_in, worked
from notebooks.read_sources import Outcome, notebook_entry, notebook_sources

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
SOURCES = notebook_sources()

LABELS = ("**Time**", "**Slides covered**")  # beside those that the catalogue reads
CLOSING = ("Take-aways", "Quiz", "From slide to cell", "Further reading")
MAX_SECTIONS = 7
MAX_MINUTES = 90


# --- the parts of a notebook -----------------------------------------------------------------------


class Section(NamedTuple):
    """From one `## ` heading to the next; the cells before the first one have the heading ""."""

    heading: str
    cells: list[NotebookNode]
    core: bool

    @property
    def code(self) -> list[NotebookNode]:
        return [cell for cell in self.cells if cell.cell_type == "code"]


class Exercise(NamedTuple):
    """The code cells from a heading `### Exercise …` to its check."""

    title: str
    cells: list[NotebookNode]
    core: bool


def sections(notebook: NotebookNode) -> list[Section]:
    found = [Section("", [], True)]
    deeper = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            heading = cell.source.splitlines()[0].removeprefix("## ").strip()
            deeper |= heading.startswith("Deeper")
            found.append(Section(heading, [], not deeper))
        found[-1].cells.append(cell)
    return found


def set_up(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in sections(notebook)[0].code if tagged(cell, "setup")]


def tagged(cell: NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def exercises(notebook: NotebookNode) -> list[Exercise]:
    found: list[Exercise] = []
    for section in sections(notebook):
        inside = False
        for cell in section.cells:
            if cell.cell_type == "code" and inside:
                found[-1].cells.append(cell)
            elif cell.cell_type == "markdown" and cell.source.startswith("#"):
                inside = cell.source.startswith("### Exercise ")
                if inside:
                    found.append(Exercise(cell.source.splitlines()[0].removeprefix("### "), [], section.core))
    return [exercise._replace(cells=_up_to_check(exercise.cells)) for exercise in found]


def _up_to_check(cells: list[NotebookNode]) -> list[NotebookNode]:
    checks = [index for index, cell in enumerate(cells) if tagged(cell, "check")]
    return cells[: checks[-1] + 1] if checks else cells


# --- names: a section stands alone -----------------------------------------------------------------


def name_problems(notebook: NotebookNode) -> list[str]:
    """Names that a section uses without having defined them itself, or having them from the set-up cell."""
    known = {*dir(builtins), "display", "get_ipython", "__name__"}
    problems = []
    for cell in set_up(notebook):
        problems += [f"the set-up cell uses {name!r} before it is defined" for name in _follow(cell.source, known)]
    for section in sections(notebook)[1:]:
        mine = set(known)
        for cell in section.code:
            problems += [
                f"section {section.heading!r} uses {name!r}, not defined by then in it or in set-up:\n{cell.source}"
                for name in _follow(cell.source, mine)
            ]
    return problems


def _follow(source: str, known: set[str]) -> list[str]:
    """Names that a cell reads before they are known; afterwards `known` has what the cell defines as well."""
    missing: list[str] = []
    later: set[str] = set()  # used inside functions, which run only when the cell has defined all its names
    for statement in ast.parse(source).body:
        table = symtable.symtable(ast.unparse(statement), "cell", "exec")
        bound = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
        used = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()} - bound
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign) and statement.value is not None:
            used |= {node.id for node in _loaded_at_once(statement.value)}  # x = x + 1 reads x first
            if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
                used.add(statement.target.id)
        for child in table.get_children():
            at_once = child.get_name() in ("listcomp", "setcomp", "dictcomp", "genexpr")
            (used if at_once else later).update(_read_from_outside(child) - bound)
        missing += sorted(used - known)
        known |= bound
    return missing + sorted(later - known - set(missing))


def _loaded_at_once(expression: ast.expr) -> Iterator[ast.Name]:
    nested = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    if isinstance(expression, nested):
        return
    if isinstance(expression, ast.Name) and isinstance(expression.ctx, ast.Load):
        yield expression
    for child in ast.iter_child_nodes(expression):
        yield from _loaded_at_once(child)  # type: ignore[arg-type]


def _read_from_outside(table: symtable.SymbolTable) -> set[str]:
    names = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()}
    return names.union(*map(_read_from_outside, table.get_children()))


# --- anatomy ---------------------------------------------------------------------------------------


def anatomy_problems(source: Path) -> list[str]:
    """What the house expects of every notebook and this source lacks."""
    notebook = build.read_source(source)
    parts = sections(notebook)
    core = [part for part in parts[1:] if part.core and part.heading not in CLOSING]
    return [
        *_catalogue_problems(source, core, exercises(notebook)),
        *_opening_problems(parts[0]),
        *_heading_problems(notebook, parts, core),
        *_exercise_problems(notebook),
        *_closing_problems(parts),
        *_prediction_problems(source, parts),
        *([] if glossary_links(notebook) else ["no link to the glossary: [word]({{glossary}}#word)"]),
    ]


def _catalogue_problems(source: Path, core: list[Section], done: list[Exercise]) -> Iterator[str]:
    try:
        entry = notebook_entry(source)
    except ValueError as error:
        yield str(error)
        return
    if entry.number != source.stem.split("_")[0]:
        yield f"the title has the number {entry.number}, the file is {source.name}"
    if unknown := sorted({number for number in entry.before if number >= entry.number}):
        yield f"under **Before you start** stands a notebook that comes no earlier: {', '.join(unknown)}"
    for outcome in entry.outcomes:
        yield from _outcome_problems(outcome, len(core), len(done))


def _outcome_problems(outcome: Outcome, sections_there: int, exercises_there: int) -> Iterator[str]:
    for words, there in ((outcome.where, sections_there), (outcome.shown, exercises_there)):
        if any(not 1 <= int(number) <= there for number in re.findall(r"\d", words)):
            yield f"{outcome.text!r} is said to be in {words}, but there are {there} of these"


def _opening_problems(opening: Section) -> Iterator[str]:
    first = opening.cells[0]
    blocks = [block for block in first.source.split("\n\n") if block.strip()]
    if len(blocks) < 3 or blocks[2].startswith("**"):
        yield "what the notebook is about must be followed by a paragraph with the promise"
    yield from (f"the first cell lacks {label}" for label in LABELS if label not in first.source)
    yield from (f"under **Time** write {mark}" for mark in ("{{minutes}}", "{{seconds}}") if mark not in first.source)
    ready = [cell for cell in opening.code if tagged(cell, "setup")]
    if not any("lab.setup(" in cell.source for cell in ready):
        yield "before the first section there must be a cell tagged 'setup' that calls lab.setup"
    if len(ready) < len(opening.code):
        yield "before the first section all code belongs into cells tagged 'setup'"


def _heading_problems(notebook: NotebookNode, parts: list[Section], core: list[Section]) -> Iterator[str]:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"^```.*?^```", "", cell.source, flags=re.DOTALL | re.MULTILINE)
            if stray := re.search(r"\n(##? .*|### Exercise .*)", text):
                yield f"the heading {stray[1]!r} must stand on the first line of its cell"
    if not 1 <= len(core) <= MAX_SECTIONS:
        yield f"{len(core)} sections on the core path, expected 1 to {MAX_SECTIONS}; move the rest to '## Deeper · …'"
    for number, part in enumerate(core, start=1):
        if not part.heading.startswith(f"{number} · "):
            yield f"section {number} must be headed '## {number} · …', got '## {part.heading}'"
    headings = [part.heading for part in parts]
    yield from (f"expected one '## {name}'" for name in CLOSING if headings.count(name) != 1)
    endings = [heading for heading in headings if heading in CLOSING or heading.startswith("Deeper · ")]
    if endings[: len(CLOSING)] != list(CLOSING) or headings[len(headings) - len(endings) :] != endings:
        yield f"the sections must be followed by {', '.join(CLOSING)} and then by what is Deeper, got {endings}"


def _exercise_problems(notebook: NotebookNode) -> Iterator[str]:
    found = exercises(notebook)
    core = [exercise.title for exercise in found if exercise.core]
    if len(core) not in (3, 4):
        yield f"expected three exercises on the core path, or four, got {core}"
    for number, exercise in enumerate(found, start=1):
        if not exercise.title.startswith(f"Exercise {number} · "):
            yield f"expected the heading '### Exercise {number} · …', got '### {exercise.title}'"
        if not any(tagged(cell, "exercise") for cell in exercise.cells):
            yield f"{exercise.title!r} has no cell tagged 'exercise'"
        if not any(tagged(cell, "check") for cell in exercise.cells):
            yield f"{exercise.title!r} has no cell tagged 'check'"
    yield from _help_problems(notebook)
    counted = sum(tagged(cell, "exercise") for exercise in found for cell in exercise.cells)
    if counted != sum(tagged(cell, "exercise") for cell in notebook.cells):
        yield "a cell tagged 'exercise' does not stand between a heading '### Exercise …' and its check"


def _help_problems(notebook: NotebookNode) -> Iterator[str]:
    """Each exercise is followed by one cell of help."""
    begun: list[str] = []
    helped: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("### Exercise "):
            begun.append(cell.source.splitlines()[0].removeprefix("### "))
        elif tagged(cell, "help"):
            helped += begun[-1:] or ["before all exercises"]
            try:
                help_in(cell.source, helped[-1])
            except ValueError as error:
                yield str(error)
    if begun != helped:
        yield f"expected a cell tagged 'help' with each of {begun}, got them with {helped}"


def _closing_problems(parts: list[Section]) -> Iterator[str]:
    from autoencoder_lab.classroom.questions import _checked_question

    closing = {part.heading: part for part in parts if part.heading in CLOSING}
    text = {heading: "\n".join(cell.source for cell in part.cells) for heading, part in closing.items()}
    for heading in ("Take-aways", "Further reading"):
        if len(text.get(heading, "").split()) < 5:
            yield f"'{heading}' says nothing"
    if not re.search(r"^\|[\s:|-]+\|$", text.get("From slide to cell", ""), flags=re.MULTILINE):
        yield "'From slide to cell' has no table"
    in_quiz = [cell for part in parts if part.heading == "Quiz" for cell in part.code]
    quizzes = [call for cell in in_quiz for call in _calls(cell.source, "quiz")]
    if len(quizzes) != 1 or len(quizzes[0].args) != 2:
        yield "expected one lab.quiz(key, questions) under '## Quiz'"
        return
    try:
        questions = ast.literal_eval(quizzes[0].args[1])
        for number, question in enumerate(questions, start=1):
            _checked_question(f"question {number}", question)
    except ValueError as error:
        yield f"quiz: {error}"
        return
    if len(questions) != 5:
        yield f"the quiz has {len(questions)} questions, expected five"


def _prediction_problems(source: Path, parts: list[Section]) -> Iterator[str]:
    every = []
    for part in parts:
        asked, answered = prediction_keys(part, "predict"), prediction_keys(part, "outcome")
        every += asked
        yield from (f"the prediction {key!r} has no lab.outcome in its section" for key in asked if key not in answered)
        yield from (f"lab.outcome({key!r}) has no lab.predict in its section" for key in answered if key not in asked)
    number = source.stem.split("_")[0]  # unique within a notebook, and beginning with its number: unique in the course
    yield from (f"the key {key!r} must begin with '{number}-'" for key in every if not key.startswith(f"{number}-"))
    yield from (f"the key {key!r} is used twice" for key in sorted(set(every)) if every.count(key) > 1)
    if not every:
        yield "there is nothing to predict: no lab.predict"


def prediction_keys(part: Section, function: str) -> list[str]:
    """The literal keys of the calls of lab.predict or lab.outcome in a section."""
    keys = []
    for cell in part.code:
        for call in _calls(cell.source, function):
            named = [keyword.value for keyword in call.keywords if keyword.arg == "key"]
            position = 2 if function == "predict" else 0
            value = named[0] if named else call.args[position] if len(call.args) > position else None
            keys.append(value.value if isinstance(value, ast.Constant) else f"not a literal: {ast.unparse(call)}")
    return keys


def _calls(source: str, function: str) -> list[ast.Call]:
    """Calls of lab.`function` in a cell."""
    return [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (f"lab.{function}", f"lab.classroom.{function}")
    ]


def glossary_links(notebook: NotebookNode) -> set[str]:
    """The entries of the glossary that a source links to."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return set(re.findall(r"\{\{glossary\}\}#([\w-]+)", text))


def anchors(markdown: str) -> set[str]:
    """The anchors GitHub gives to headings, and those written as <a id="…"> or <a name="…">."""
    headings = re.findall(r"^#+ (.+)$", markdown, flags=re.MULTILINE)
    slugs = {re.sub(r"[^\w\s-]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r"""<a (?:id|name)=["']([^"']+)["']""", markdown))


# --- solutions -------------------------------------------------------------------------------------


def leak_problems(written: NotebookNode, built: NotebookNode) -> list[str]:
    """Solutions that a student can read in the built notebook."""
    problems = [
        f"an exercise without '# solution-begin' shows its solution:\n{cell.source}"
        for cell in written.cells
        if tagged(cell, "exercise") and "# solution-begin" not in cell.source
    ]
    solution_lines: set[str] = set()
    for cell in written.cells:
        for block in re.findall(r"# solution-begin\n(.*?)# solution-end", cell.source, flags=re.DOTALL):
            solution_lines |= {line.strip() for line in block.splitlines() if len(line.strip()) >= 20}
    for cell in built.cells:
        problems += [
            f"a line of a solution stands in the built notebook: {line}"
            for line in sorted(solution_lines & {line.strip() for line in cell.source.splitlines()})
        ]
        if "solution-begin" in cell.source or "solution-end" in cell.source:
            problems.append(f"a solution marker stands in the built notebook:\n{cell.source}")
    return problems


RUN_EXERCISES = """
import contextlib, io, json, linecache, sys, traceback

def run(cells, names):
    shown = ""
    for source in cells:
        where = f"<cell {len(linecache.cache)}>"
        linecache.cache[where] = (len(source), None, source.splitlines(True), where)  # for inspect.getsource
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(source, where, "exec"), names)
        shown = printed.getvalue()
    return shown

job = json.load(sys.stdin)
base = {"__name__": "__main__"}
run(job["setup"], base)
answers = []
for cells in job["units"]:
    try:
        answers.append({"error": "", "printed": run(cells, dict(base))})
    except BaseException:
        answers.append({"error": traceback.format_exc(limit=-2), "printed": ""})
json.dump(answers, sys.stdout)
"""


def exercise_run_problems(source: Path) -> list[str]:
    """Run every exercise alone after the set-up cell: the solution shown must pass, its stub be "not done yet"."""
    written, handed_out = build.read_source(source), build.student_notebook(source)
    for cell in written.cells:
        if tagged(cell, "exercise"):
            cell.source = worked(cell.source)
    pairs = list(zip(exercises(written), exercises(handed_out), strict=True))
    job = {
        "setup": [cell.source for cell in set_up(written)],
        "units": [[cell.source for cell in exercise.cells] for pair in pairs for exercise in pair],
    }
    answers = iter(_in_subprocess(job))
    problems = []
    for exercise, _ in pairs:
        solution, stub = next(answers), next(answers)
        if solution["error"] or "✓" not in solution["printed"]:
            said = solution["error"] or solution["printed"]
            problems.append(f"{exercise.title!r}: its own solution does not pass: {said}")
        if stub["error"]:
            problems.append(f"{exercise.title!r}: the stub raises: {stub['error']}")
        elif "not done yet" not in stub["printed"] or "✓" in stub["printed"]:
            problems.append(f"{exercise.title!r}: the stub must print 'not done yet', got {stub['printed']!r}")
    return problems


def _in_subprocess(job: dict[str, Any]) -> list[dict[str, str]]:
    with tempfile.TemporaryDirectory() as directory:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            [sys.executable, "-c", RUN_EXERCISES],
            input=json.dumps(job),
            capture_output=True,
            encoding="utf-8",
            cwd=directory,
            env=environment,
            check=False,
        )
    assert done.returncode == 0, f"the set-up cell failed:\n{done.stderr}"
    answers: list[dict[str, str]] = json.loads(done.stdout)
    return answers


# --- running a section alone -----------------------------------------------------------------------


def notebooks_of_the_day(days: int) -> list[Path]:
    """Some of the sources, others each day, so that all have been there after `days`."""
    return SOURCES[turn_of_the_day() % days :: days]


def section_of_the_day(notebook: NotebookNode) -> Section:
    """Another section each time that the notebook's turn has come, the same all day."""
    running = [section for section in sections(notebook)[1:] if section.code]
    return running[turn_of_the_day() // 4 % len(running)]


def run_alone(notebook: NotebookNode, section: Section) -> None:
    """Execute the set-up cells and one section in a fresh kernel; raises CellFailed."""
    alone = nbformat.v4.new_notebook(cells=[*set_up(notebook), *section.cells], metadata=notebook.metadata)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        build.execute(alone, Path(directory))


# --- numbers in prose ------------------------------------------------------------------------------

# what is no number of a run: formulas, code, links, what the builder writes, years of papers, names of sections
NO_FIGURE = re.compile(r"\$[^$]*\$|`[^`]*`|\{\{.+?\}\}|\]\([^)]*\)|arXiv[: ]\S+|\[[^\]]*\]\([^)]*\)")
TYPED = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.])|(?<![\w.])\d+(?:\.\d+)? ?(?:%|per cent)")


def typed_numbers(notebook: NotebookNode) -> list[str]:
    """Decimals and per cents that an author typed below a run: the builder writes them, {{…}}, from what came out.

    A setting is no such number: it stands in code, `beta=0.5`, or in a formula. Under "Further reading", and above the
    first code cell of a section, nothing is looked at.
    """
    found, ran = [], False
    for cell in notebook.cells:
        first = cell.source.splitlines()[0] if cell.source else ""
        if cell.cell_type == "code":
            ran = True
            continue
        if first.startswith("## "):
            ran = first.startswith(("## Take-aways", "## From slide"))
        if ran and not first.startswith("## Further reading"):
            text = NO_FIGURE.sub(" ", cell.source)
            found += [f"{first[:50]!r}: {number[0]}" for number in TYPED.finditer(text)]
    return found
