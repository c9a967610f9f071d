"""The catalogue of the course: its notebooks and labs, each read from its own source, the one place that states it.

A notebook's first cell gives its number and title, what it is about, what one will be able to do, and what comes
before; its minutes were measured when it was built. A lab's first cell gives its number and title, what it is about,
what comes before, and the minutes; its points are those of its cells. Tables, tests and benchmarks read this.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
NUMBER = r"\d\d[a-z]?"  # of a notebook: 04, 04b
SECTIONS = r"sections? \d(?:(?:, | and | to )\d)*"
SHOWN = r"Exercises? \d(?: and \d)*|quiz"


@dataclass(frozen=True)
class Outcome:
    """What one will be able to do. where: one learns it, "sections 1 and 2"; shown: in "Exercise 1", "quiz" or ""."""

    text: str
    where: str
    shown: str


@dataclass(frozen=True)
class NotebookEntry:
    """A notebook. before: the numbers of the notebooks that it builds on; labs: the names of those that come after it.

    minutes: of a student's time on the core path, measured execution included, and deeper_minutes on what stands under
    Deeper; both None where the notebook has not been built. explorers: the sections that hold one, such as "2".
    """

    source: Path
    number: str
    title: str
    about: str
    before: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    explorers: tuple[str, ...]
    minutes: int | None
    deeper_minutes: int | None
    labs: tuple[str, ...]

    @property
    def name(self) -> str:
        """As in 04b_latent_space."""
        return self.source.stem

    @property
    def built(self) -> Path:
        """The notebook itself, with its outputs."""
        return built_path(self.source)


@dataclass(frozen=True)
class LabEntry:
    """A graded lab. before: the numbers of the notebooks that it builds on; points: of all its parts together."""

    source: Path
    number: int
    title: str
    about: str
    before: tuple[str, ...]
    minutes: int
    points: float

    @property
    def name(self) -> str:
        """As in lab1_linear."""
        return self.source.stem


def notebook_sources(root: Path = ROOT) -> list[Path]:
    """The notebooks' sources, in the order of the course."""
    return sorted((root / "notebooks" / "source").glob("[0-9][0-9]*_*.py"))


def lab_sources(root: Path = ROOT) -> list[Path]:
    """The labs' sources, in the order of the course."""
    folder = root / "assignments" / "source"
    return sorted(path for path in folder.glob("lab*/lab*.py") if path.stem == path.parent.name)


def built_path(source: Path) -> Path:
    """Where the notebook of a source stands."""
    return source.parent.parent / f"{source.stem}.ipynb"


def notebook_entries(root: Path = ROOT) -> list[NotebookEntry]:
    """Every notebook of the course, in order. Raises ValueError where a source does not say what it should."""
    labs = lab_entries(root)
    return [notebook_entry(source, labs) for source in notebook_sources(root)]


def lab_entries(root: Path = ROOT) -> list[LabEntry]:
    """Every lab of the course, in order. Raises ValueError where a source does not say what it should."""
    return sorted((lab_entry(source) for source in lab_sources(root)), key=lambda lab: lab.number)


def notebook_entry(source: Path, labs: Sequence[LabEntry] = ()) -> NotebookEntry:
    """The notebook of one source; `labs`: all there are."""
    cells = _read(source)
    opening = _Opening(source, cells[0].source)
    number, title = opening.heading(rf"# ({NUMBER}) · (.+)", "# NN · Title")
    minutes = deeper_minutes = None
    if built_path(source).exists():
        built = nbformat.read(built_path(source), as_version=4)
        stated = re.search(r"\*\*Time\*\*\D*(\d+) minutes", built.cells[0].source)
        minutes = int(stated[1]) if stated else None
        deeper_minutes = reckoned_minutes(deeper_cells(built.cells), seconds=0)
    return NotebookEntry(
        source,
        number,
        title,
        opening.about,
        opening.before,
        tuple(opening.outcomes()),
        tuple(dict.fromkeys(_explorers(cells))),
        minutes,
        deeper_minutes,
        tuple(lab.name for lab in labs if number in lab.before),
    )


def lab_entry(source: Path) -> LabEntry:
    """The lab of one source."""
    cells = _read(source)
    opening = _Opening(source, cells[0].source)
    number, title = opening.heading(r"# Lab (\d+) · (.+)", "# Lab N · Title")
    minutes = re.match(r"(\d+) minutes", opening.labelled("Time"))
    if not minutes:
        raise ValueError(f"{source}: expected '**Time**: … minutes', got {opening.labelled('Time')!r}")
    points = sum(cell.metadata.get("points", 0) for cell in cells)
    return LabEntry(source, int(number), title, opening.about, opening.before, int(minutes[1]), points)


def _read(source: Path) -> list[NotebookNode]:
    cells: list[NotebookNode] = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent").cells
    return cells


@dataclass(frozen=True)
class _Opening:
    """The first cell of a notebook or lab."""

    source: Path
    text: str

    def heading(self, pattern: str, expected: str) -> tuple[str, str]:
        """Number and title."""
        found = re.match(pattern, self.text)
        if not found:
            raise ValueError(f"{self.source}: the first line must be {expected!r}, got {self.text.splitlines()[:1]}")
        return found[1], found[2].strip()

    @property
    def about(self) -> str:
        """The paragraph under the title."""
        paragraph = " ".join(self.text.split("\n\n")[1:2])
        found = re.fullmatch(r"\*([^*]+[^*.])\*", " ".join(paragraph.split()))
        if not found:
            raise ValueError(
                f"{self.source}: under the title must stand what it is about, as *a line in italics* that does not end "
                f"with a full stop; got {paragraph[:60]!r}"
            )
        return found[1]

    def labelled(self, label: str) -> str:
        """What follows **label**, up to the next one."""
        found = re.search(rf"\*\*{label}\*\*:?\s+(.*?)(?=\n\n\*\*|\*\*[A-Z][a-z ]+\*\*|\Z)", self.text, flags=re.DOTALL)
        if not found:
            raise ValueError(f"{self.source}: the first cell lacks **{label}**")
        return found[1]

    @property
    def before(self) -> tuple[str, ...]:
        """The numbers of the notebooks named under **Before you start**."""
        named = re.findall(rf"[Nn]otebooks?\s((?:{NUMBER}(?:,\s|\sand\s)?)+)", self.labelled("Before you start"))
        return tuple(sorted({number for group in named for number in re.findall(NUMBER, group)}))

    def outcomes(self) -> Iterator[Outcome]:
        """The list under **You will be able to**; each line says where, as in (section 2, Exercise 1)."""
        for item in re.split(r"^- ", self.labelled("You will be able to"), flags=re.MULTILINE)[1:]:
            text = " ".join(item.split()).rstrip(";.")
            found = re.fullmatch(rf"(.+) \(({SECTIONS})(?:, ({SHOWN}))?\)", text)
            if not found:
                raise ValueError(
                    f"{self.source}: under **You will be able to** each line must end with where one learns it, and "
                    f"where one shows it: '(section 2)', '(sections 1 and 2, quiz)', '(sections 1 to 3, Exercise 1)'; "
                    f"got {text!r}"
                )
            yield Outcome(found[1], found[2], found[3] or "")


def _explorers(cells: Sequence[NotebookNode]) -> Iterator[str]:
    """The number of each section that holds a latent explorer, or "Deeper"."""
    section = ""
    for cell in cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            section = cell.source.removeprefix("## ").split(" · ")[0]
        elif cell.cell_type == "code" and "lab.explore(" in cell.source:
            yield section


# --- how long a notebook takes ---------------------------------------------------------------------


def reckoned_minutes(cells: Sequence[NotebookNode], seconds: float) -> int:
    """Minutes a student needs for these cells, counted from what stands there and rounded up to five; 0 for none.

    Prose at 150 words a minute, code at 4 s a line unless it is folded away, 1 minute a prediction, 5 an explorer, 8 an
    exercise, 5 a quiz, and `seconds` of execution.
    """
    minutes = seconds / 60
    for cell in cells:
        if cell.cell_type == "markdown":
            minutes += len(re.findall(r"[^\W\d_]{2,}", cell.source)) / 150
            continue
        if not is_folded(cell):
            minutes += len(cell.source.splitlines()) * 4 / 60
        minutes += cell.source.count("lab.predict(") + 5 * cell.source.count("lab.explore(")
        minutes += 5 * cell.source.count("lab.quiz(") + 8 * ("exercise" in cell.metadata.get("tags", []))
    return math.ceil(minutes / 5) * 5


def is_folded(cell: NotebookNode) -> bool:
    """Whether a code cell's source is folded away: tagged "folded", or a quiz, where the answers stand."""
    return cell.source.startswith("lab.quiz(") or "folded" in cell.metadata.get("tags", [])


def core_cells(cells: Sequence[NotebookNode]) -> list[NotebookNode]:
    """The cells of the core path: those before the first `## Deeper`."""
    for index, cell in enumerate(cells):
        if cell.cell_type == "markdown" and cell.source.startswith("## Deeper"):
            return list(cells[:index])
    return list(cells)


def deeper_cells(cells: Sequence[NotebookNode]) -> list[NotebookNode]:
    """The cells of all sections `## Deeper · …`."""
    found, deeper = [], False
    for cell in cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            deeper = cell.source.startswith("## Deeper")
        found += [cell] if deeper else []
    return found
