"""The exercises of the notebooks: hints and solutions, and how often each check has failed since the kernel started.

exercises.json is made from the notebooks' sources, by `python -m notebooks.exercises`. Nothing is kept on disk.
No figure depends on this.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any

from autoencoder_lab.checks.compare import CheckFailed

OFFERED_AFTER = 2  # failed checks of one exercise

failures: Counter[str] = Counter()
"""Check → how often it has failed since the kernel started."""

unsolved: dict[str, None] = {}
"""The checks that have failed and not gone through since, the last one last."""


@dataclass(frozen=True)
class Exercise:
    """An exercise of a notebook. checks: the names under lab.checks; functions: those that the student writes.

    notebook: its number, "04b"; title: "Exercise 1 · …"; hints: two, in the order in which they are given; solution:
    the source of the exercise's cells, filled in; why: the idea that it rests on, in a sentence or two.
    """

    notebook: str
    title: str
    checks: tuple[str, ...]
    functions: tuple[str, ...]
    hints: tuple[str, str]
    why: str
    solution: str

    @property
    def name(self) -> str:
        """As in lab.hint("gaussian_kl")."""
        return self.checks[0]


@cache
def exercises() -> tuple[Exercise, ...]:
    """Every exercise of the course, in its order."""
    rows: list[dict[str, Any]] = json.loads((Path(__file__).parent / "exercises.json").read_text(encoding="utf-8"))
    whole: list[dict[str, Any]] = [
        {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()} for row in rows
    ]
    return tuple(Exercise(**row) for row in whole)


def counted(name: str, check: Callable[..., Any]) -> Callable[..., Any]:
    """The check itself, which counts how often it has failed and offers help from the second time on."""

    @wraps(check)
    def asked(*arguments: Any, **named: Any) -> Any:
        try:
            found = check(*arguments, **named)
        except CheckFailed as error:
            failures[name] += 1
            unsolved.pop(name, None)
            unsolved[name] = None
            if failures[name] >= OFFERED_AFTER and any(name in exercise.checks for exercise in exercises()):
                error.add_note(
                    f'If you would like help: lab.hint("{name}") gives a hint, lab.solution("{name}") the solution.'
                )
            raise
        unsolved.pop(name, None)
        return found

    return asked
