"""Write the tables of notebooks and labs into README.md and docs/: python -m notebooks.tables [--check]

A table stands between two comments and is made from the catalogue, so that the sources alone are edited. --check writes
nothing, names each page that is out of step, and then exits with status 1.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from autoencoder_lab.files import write_whole
from notebooks.build import colab_badge
from notebooks.read_sources import ROOT, LabEntry, NotebookEntry, lab_entries, notebook_entries

BEGIN = "<!-- table of {}: begin, made by python -m notebooks.tables -->"
END = "<!-- table of {}: end -->"


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
                colab_badge(one.name, "Open in Colab"),
            ]
            for one in notebooks
        ],
    )


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


Table = Callable[[list[NotebookEntry], list[LabEntry]], str]
PAGES: dict[str, dict[str, Table]] = {
    "README.md": {"notebooks": tour},
    "docs/syllabus.md": {"notebooks": load, "outcomes": outcomes},
    "docs/instructors.md": {"labs": graded},
}


def with_tables(text: str, tables: dict[str, str]) -> str:
    """A page's text with these tables in their places. Raises ValueError where a place is not marked once."""
    for name, table in tables.items():
        begin, end = BEGIN.format(name), END.format(name)
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
            wanted = with_tables(text, {mark: table(notebooks, labs) for mark, table in tables.items()})
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
