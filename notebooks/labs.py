"""The graded labs as students get them, for the package: python -m notebooks.labs [--check]

Writes autoencoder_lab/labs/LAB.ipynb, which `autoencoder-lab open` lays into a student's folder, from the labs' sources
in assignments/: what `autoencoder-lab release LAB` hands out, to the letter. It is made here and not on a student's
machine, for there a source, which holds the solutions, must never be; and it is stored, like the built notebooks, for
a wheel is built where there is no nbgrader. --check writes nothing, and exits with status 1 where a lab is out of step.
"""

import argparse
import sys
from pathlib import Path

import nbformat

from autoencoder_lab.files import write_whole
from autoencoder_lab.grading.judge import load_judge
from autoencoder_lab.grading.lab_source import released, source_notebook
from notebooks.read_sources import ROOT, lab_sources

SHIPPED = ROOT / "autoencoder_lab" / "labs"


def released_text(source: Path) -> str:
    """The students' notebook of a lab, as a file. Raises LabError for a source that cannot be released."""
    judge = source.parents[2] / "judges" / source.name
    return nbformat.writes(released(source_notebook(source), load_judge(judge).limits)) + "\n"


def out_of_step(folder: Path) -> dict[Path, str | None]:
    """The files that are not what the sources give, each with what it should hold; None: it should not be there."""
    wanted: dict[Path, str | None] = {folder / f"{path.stem}.ipynb": released_text(path) for path in lab_sources()}
    wanted |= {path: None for path in folder.glob("*") if path not in wanted}
    return {path: text for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the released labs that the package ships.")
    parser.add_argument("--check", action="store_true", help="compare only; write nothing")
    options = parser.parse_args(arguments)
    found = out_of_step(SHIPPED)
    for path, text in found.items():
        name = path.relative_to(ROOT).as_posix()
        if options.check:
            print(f"FAILED  {name} is out of step; run python -m notebooks.labs")
        elif text is None:
            print(f"{name} is no lab of the course; remove it")
        else:
            SHIPPED.mkdir(exist_ok=True)
            write_whole(path, text)
            print(f"{name}: written")
    return int(bool(found) and (options.check or None in found.values()))


if __name__ == "__main__":
    sys.exit(main())
