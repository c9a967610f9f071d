"""Diagnoses of a student's function: `lab.checks.stamp(stamp)` passes, or names the likely mistake.

What a check is made of stands in compare.py, stub.py, question.py, experiment.py and conclusion.py. The checks of each
notebook have a file of their own in notebooks/, the questions of each lab one in labs/. A new file there is found by
itself: its public functions are names of this package, and a name loads its own file alone. exercises.py has the hints
and solutions of the notebooks' exercises, and counts how often each check fails.

Size: at most 660 lines of code, 140 a file.
"""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from autoencoder_lab.checks.compare import CheckFailed
from autoencoder_lab.checks.exercises import counted

HERE = Path(__file__).parent


@cache
def _homes() -> dict[str, str]:
    """{public function of a notebook's file, or lab: the module it is found in}, read off the files."""
    homes = {path.stem: f"{__name__}.labs.{path.stem}" for path in sorted(HERE.glob("labs/lab*.py"))}
    for path in sorted(HERE.glob("notebooks/notebook_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            if node.name in homes:
                raise ImportError(f"checks.{node.name} stands in {path.name} and in {homes[node.name]}: rename one")
            homes[node.name] = f"{__name__}.notebooks.{path.stem}"
    return homes


def __getattr__(name: str) -> Any:
    if name.startswith("__") or name not in _homes():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_homes()[name])
    value = getattr(module, name, None)
    value = module if value is None else counted(name, value)  # a lab is its module, and has no help to offer
    globals()[name] = value  # from now on found without asking here
    return value


def __dir__() -> list[str]:
    return sorted({"CheckFailed", *_homes()})


__all__ = ["CheckFailed"]
