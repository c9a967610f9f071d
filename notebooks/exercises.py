"""The help that comes with every exercise, read from the notebooks' sources: python -m notebooks.exercises [--check]

Beside its exercise a source has a cell tagged "help": two hints and a line of why, which the builder leaves out. The
solution is the exercise's cell itself. From these the command writes autoencoder_lab/checks/exercises.json, which
`lab.hint` and `lab.solution` read. --check writes nothing, and exits with status 1 where the file is out of step.
"""

import argparse
import ast
import json
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path

from nbformat import NotebookNode

from autoencoder_lab.checks.exercises import Exercise
from autoencoder_lab.files import write_whole
from notebooks.build import read_source
from notebooks.read_sources import ROOT, notebook_sources

SHIPPED = ROOT / "autoencoder_lab" / "checks" / "exercises.json"
HELP = re.compile(r"1\. (.+?)\n2\. (.+?)\n\n\*\*Why\.\*\* (.+)", re.DOTALL)
FORM = "'1. the first hint', '2. the second hint', an empty line, '**Why.** the idea that the solution rests on'"
CHECK = re.compile(r"\blab\.checks\.(\w+)\(")
MARKERS = ("# solution-begin", "# solution-end")


def exercises_of(source: Path) -> list[Exercise]:
    """The exercises of one notebook.

    Raises ValueError for an exercise without a check of lab.checks, a solution, or its one cell of help.
    """
    number, found, help_of = source.stem.split("_")[0], list[Exercise](), dict[str, str]()
    for cell in read_source(source).cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown" and cell.source.startswith("### Exercise "):
            title = cell.source.splitlines()[0].removeprefix("### ").strip()
            found.append(Exercise(number, title, (), (), ("", ""), "", ""))
        elif found and "exercise" in tags:
            found[-1] = _with_solution(found[-1], cell)
        elif found and "check" in tags:
            found[-1] = replace(found[-1], checks=found[-1].checks + tuple(CHECK.findall(cell.source)))
        elif "help" in tags:
            if not found or found[-1].title in help_of:
                raise ValueError(f"{source.name}: one cell tagged 'help' belongs to each exercise, after its check")
            help_of[found[-1].title] = cell.source
    return [_with_help(one, help_of.get(one.title, ""), source) for one in found]


def worked(cell: str) -> str:
    """The source of an exercise's cell, filled in, as it is shown: without the markers of the solution."""
    return "\n".join(line for line in cell.splitlines() if line.strip() not in MARKERS).strip()


def _with_solution(exercise: Exercise, cell: NotebookNode) -> Exercise:
    solution = worked(cell.source)
    written = [node.name for node in ast.parse(solution).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    joined = "\n\n\n".join(filter(None, [exercise.solution, solution]))
    return replace(exercise, functions=exercise.functions + tuple(written), solution=joined)


def _with_help(exercise: Exercise, text: str, source: Path) -> Exercise:
    where, (first, second, why) = (
        f"{source.name}, {exercise.title!r}",
        help_in(text, f"{source.name}, {exercise.title!r}"),
    )
    if not exercise.checks or not exercise.solution:
        raise ValueError(f"{where} lacks {'a solution' if exercise.checks else 'a cell that calls lab.checks.…'}")
    return replace(exercise, hints=(first, second), why=why)


def help_in(text: str, where: str) -> tuple[str, str, str]:
    """(first hint, second hint, why) of the text of a cell of help, each in one line. ValueError for another form."""
    found = HELP.fullmatch(text.strip())
    if not found or "{{" in text:
        raise ValueError(f"{where}: expected a cell tagged 'help' of the form {FORM}; got {text!r}")
    first, second, why = (" ".join(part.split()) for part in found.groups())
    return first, second, why


def every_exercise(root: Path = ROOT) -> list[Exercise]:
    """The exercises of the course, in its order. Raises ValueError where two have the same check."""
    found = [one for source in notebook_sources(root) for one in exercises_of(source)]
    names = [name for one in found for name in one.checks]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"help is asked for by the name of a check, so each exercise needs its own; twice: {twice}")
    return found


def shipped_text(root: Path = ROOT) -> str:
    """What exercises.json has to be."""
    return json.dumps([asdict(one) for one in every_exercise(root)], indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the hints and solutions that the package ships.")
    parser.add_argument("--check", action="store_true", help="compare only; write nothing")
    options = parser.parse_args(arguments)
    name, text = SHIPPED.relative_to(ROOT).as_posix(), shipped_text()
    if SHIPPED.exists() and SHIPPED.read_text(encoding="utf-8") == text:
        return 0
    if options.check:
        print(f"FAILED  {name} is out of step; run python -m notebooks.exercises")
        return 1
    write_whole(SHIPPED, text)
    print(f"{name}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
