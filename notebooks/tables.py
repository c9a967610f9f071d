"""Write the tables into README.md, docs/ and pyproject.toml: python -m notebooks.tables [--check]

A table stands between two comments and is made from the catalogue, so that the sources alone are edited. --check writes
nothing, names each page that is out of step, and then exits with status 1.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from autoencoder_lab.files import write_whole
from notebooks import credits, doors
from notebooks.read_sources import ROOT, LabEntry, NotebookEntry, lab_entries, notebook_entries

BEGIN = "<!-- table of {}: begin, made by python -m notebooks.tables -->"
END = "<!-- table of {}: end -->"
COMMENT = re.compile("<!-- (.*) -->")  # which a page in TOML writes as "# …"


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table; an empty cell shows a dash where its column has a head."""
    lines = [heads, ["---"] * len(heads)]
    lines += [[cell or ("–" if head else "") for head, cell in zip(heads, row, strict=True)] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def _minutes(minutes: int | None) -> str:
    return "not built yet" if minutes is None else f"{minutes}"


def _labs(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def tour(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For README.md: what each notebook is about, and its badge."""
    return _table(
        ["notebook", "what it is about", "minutes", "lab", ""],
        [
            [
                f"{one.number} · {one.title}",
                one.about,
                _minutes(one.minutes),
                _labs(one.labs),
                doors.colab_badge(one.name, "Open in Colab"),
            ]
            for one in notebooks
        ],
    )


def without_installing(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For README.md: the doors that need no installation."""
    first = notebooks[0].name
    return _table(
        ["where", "what it opens", ""],
        [
            ["Colab", "one notebook; its first cell installs the course", doors.colab_badge(first, "Open in Colab")],
            ["Binder", "the whole course in JupyterLab; it is gone when you close it", doors.binder_badge(first)],
            ["Codespaces", "the repository in VS Code, with the course in `my-course/`", doors.codespaces_badge()],
        ],
    )


def hub(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For README.md: the link for nbgitpuller."""
    return f"```\n{doors.hub_link('https://YOUR-HUB', notebooks[0].name)}\n```"


def load(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For docs/syllabus.md: what each notebook needs, and where its explorers are."""
    return _table(
        ["notebook", "builds on", "minutes, with the exercises", "more, under *Deeper*", "explorer in section", "lab"],
        [
            [
                f"{one.number} · {one.title}",
                ", ".join(one.before),
                _minutes(one.minutes),
                _minutes(one.deeper_minutes) if one.deeper_minutes != 0 else "",
                ", ".join(section if section.isdigit() else f"*{section}*" for section in one.explorers),
                _labs(one.labs),
            ]
            for one in notebooks
        ],
    )


# --- how long it takes, and when ---------------------------------------------------------------------

NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
Item = NotebookEntry | LabEntry


def _count(number: int, thing: str) -> str:
    """As in "eight notebooks"; digits from 13 on."""
    word = NUMBERS[number] if number < len(NUMBERS) else f"{number}"
    return f"{word} {thing}{'' if number == 1 else 's'}"


def _minutes_of(items: Iterable[Item]) -> int:
    """What has not been built yet counts nothing."""
    return sum(one.minutes or 0 for one in items)


def _hours(minutes: int) -> str:
    """As in 2:45."""
    return f"{minutes // 60}:{minutes % 60:02}"


def _range(items: Iterable[Item]) -> str:
    """Whole hours as a range: the minutes stated, and twice as many."""
    minutes = _minutes_of(items)
    return f"{minutes / 60:.0f} to {minutes / 30:.0f}"


def hours(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For README.md: how much there is."""
    return (
        f"{_count(len(notebooks), 'notebook').capitalize()} take {_range(notebooks)} hours, exercises included. "
        f"{_count(len(labs), 'graded lab').capitalize()} take {_range(labs)} hours more."
    )


def _needed(notebooks: list[NotebookEntry]) -> list[NotebookEntry]:
    """Those that another one builds on: the rest may be skipped."""
    return [one for one in notebooks if any(one.number in other.before for other in notebooks)]


def _in_order(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> list[Item]:
    """Every lab after the last notebook that it builds on."""
    items: list[Item] = []
    for one in notebooks:
        items += [one, *(lab for lab in labs if lab.before and lab.before[-1] == one.number)]
    return items


def spread(items: list[Item], slots: int) -> list[list[Item]]:
    """The items in their order, dealt to at most so many slots; the fullest slot is as short as can be."""
    most = max((one.minutes or 0 for one in items), default=0)
    while True:
        dealt: list[list[Item]] = []
        for one in items:
            if dealt and _minutes_of([*dealt[-1], one]) <= most:
                dealt[-1].append(one)
            else:
                dealt.append([one])
        if len(dealt) <= slots:
            return dealt
        most += 5


def _timetable(unit: str, items: list[Item], slots: int, needed: list[NotebookEntry]) -> str:
    def called(one: Item) -> str:
        if isinstance(one, LabEntry):
            skipped = not any(notebook.number in one.before[-1:] for notebook in needed)
            return f"`{one.name}`" + (r" \*" if skipped else "")
        return f"{one.number} · {one.title}" + ("" if one in needed else r" \*")

    rows = []
    for number, slot in enumerate(spread(items, slots), 1):
        minutes = _minutes_of(slot)
        rows.append([f"{number}", "; ".join(map(called, slot)), f"{_hours(minutes)} to {_hours(2 * minutes)}"])
    return _table([unit, "what", "hours"], rows)


def two_days(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For docs/syllabus.md: only what other notebooks build on."""
    needed = _needed(notebooks)
    return _timetable("day", list(needed), 2, needed)


def two_weeks(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For docs/syllabus.md: everything in ten days."""
    return _timetable("day", _in_order(notebooks, labs), 10, _needed(notebooks))


def fourteen_weeks(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For docs/syllabus.md: everything in a term."""
    return _timetable("week", _in_order(notebooks, labs), 14, _needed(notebooks))


def outcomes(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For docs/syllabus.md: what one will be able to do after each notebook."""
    return _table(
        ["you can", "notebook, section", "you show it in"],
        [
            [
                re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", outcome.text),
                f"{one.number}, {re.sub('sections? ', '', outcome.where)}",
                outcome.shown,
            ]
            for one in notebooks
            for outcome in one.outcomes
        ],
    )


CLAIM = re.compile(r"^\| (C\d+) \| ([\d, ]+) \|.* \| `(\w+)` · (?:section )?([^|]+) \| [^|]+ \|$", re.MULTILINE)


def decks(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For docs/sources.md: which sections test a slide deck's claims, by docs/claims.md; not the course's own ones."""
    claims = CLAIM.findall((ROOT / "docs" / "claims.md").read_text(encoding="utf-8"))
    titles = {one.name: f"{one.number} · {one.title}" for one in notebooks}
    rows = []
    for deck in sorted({deck for _, slides, *_ in claims for deck in slides.split(", ") if deck.isdigit()}):
        for name in titles:
            where: dict[str, list[str]] = {}
            for claim, slides, notebook, section in claims:
                if notebook == name and deck in slides.split(", "):
                    where.setdefault(section, []).append(claim)
            if where:
                sections = sorted(where, key=lambda one: (not one.isdigit(), one))
                tested = "; ".join(f"{one} ({', '.join(where[one])})" for one in sections)
                rows.append([deck, f"[{titles[name]}](../notebooks/{name}.ipynb)", tested])
    return _table(["deck", "notebook", "section (claims)"], rows)


def graded(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For docs/instructors.md: the labs and their points."""
    return _table(
        ["lab", "what it is about", "after notebook", "minutes", "points"],
        [
            [
                f"`{one.name}`<br>{one.title}",
                one.about,
                ", ".join(one.before),
                f"{one.minutes}",
                f"{one.points:g}",
            ]
            for one in labs
        ],
    )


def constraints(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For pyproject.toml: the tested versions once more, for uv."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return "\n".join(f'    "{line}",' for line in lines if not line.startswith("#"))


def credited(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For docs/credits.md: the data sets."""
    return _table(["`lab.load(…)`", "what it is", "licence", "how it comes"], credits.data_sets())


def photographed(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For docs/credits.md: the photographs."""
    return _table(["photograph", "by", "licence", "file"], credits.photographs())


def trained(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For docs/credits.md: the weights."""
    return _table(["file", "trained on", "how", "licence"], credits.trained())


def pictured(notebooks: list[NotebookEntry], labs: list[LabEntry]) -> str:
    """For docs/credits.md: the pictures of the documents."""
    return _table(["picture", "made by", "shows"], credits.pictures())


Table = Callable[[list[NotebookEntry], list[LabEntry]], str]
PAGES: dict[str, dict[str, Table]] = {
    "README.md": {"hours": hours, "notebooks": tour, "doors": without_installing, "hub": hub},
    "docs/syllabus.md": {
        "notebooks": load,
        "days": two_days,
        "fortnight": two_weeks,
        "term": fourteen_weeks,
        "outcomes": outcomes,
    },
    "docs/sources.md": {"decks": decks},
    "docs/instructors.md": {"labs": graded},
    "docs/credits.md": {
        "data sets": credited,
        "photographs": photographed,
        "weights": trained,
        "pictures": pictured,
    },
    "pyproject.toml": {"constraints": constraints},
}


def with_tables(text: str, tables: dict[str, str], toml: bool = False) -> str:
    """A page's text with these tables in their places. Raises ValueError where a place is not marked once.

    toml: whether it is a page in TOML, not in Markdown; its comments look otherwise.
    """
    for name, table in tables.items():
        begin, end = (COMMENT.sub(r"# \1", one) if toml else one for one in (BEGIN.format(name), END.format(name)))
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise ValueError(f"expected one line '{begin}' and below it one line '{end}'")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n\n{table}\n\n{end}{rest.partition(end)[2]}"
    return text


def write(root: Path = ROOT, check: bool = False) -> list[str]:
    """Bring every page into step, or with `check` only look; the names of those that were not in step."""
    notebooks, labs = notebook_entries(root), lab_entries(root)
    changed = []
    for name, tables in PAGES.items():
        page = root / name
        text = page.read_text(encoding="utf-8")
        try:
            made = {mark: table(notebooks, labs) for mark, table in tables.items()}
            wanted = with_tables(text, made, toml=page.suffix == ".toml")
        except ValueError as error:
            raise ValueError(f"{page}: {error}") from None
        if wanted != text:
            changed.append(name)
            if not check:
                write_whole(page, wanted)
    return changed


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 where --check finds a page out of step, or where a source does not say what it should."""
    parser = argparse.ArgumentParser(prog="python -m notebooks.tables", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; write nothing")
    options = parser.parse_args(arguments)
    try:
        changed = write(check=options.check)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    for name in changed:
        print(f"FAILED  {name} is out of step; run python -m notebooks.tables" if options.check else f"{name}: written")
    return int(options.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
