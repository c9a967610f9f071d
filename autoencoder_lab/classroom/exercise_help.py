"""Help with an exercise, for who asks for it: two hints, then a worked solution with the idea behind it."""

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from autoencoder_lab import arguments, checks
from autoencoder_lab.checks.exercises import Exercise, exercises, unsolved
from autoencoder_lab.classroom.display import show_page

_given: Counter[str] = Counter()  # exercise -> hints given since the kernel started


def hint(exercise: Any = None) -> None:
    """Show the first hint to an exercise; the second one when asked again; after that, both, and how to go on.

    exercise: the name of its check, "gaussian_kl" for lab.checks.gaussian_kl, or of the function that it asks for;
    None for the one whose check failed last. Hints are counted until the kernel is restarted.
    Raises ValueError, with the names there are, for an unknown name, for one that several exercises share, and for a
    part of a graded lab; TypeError for what is no name.
    """
    found = _named("hint", exercise)
    _given[found.name] += 1
    count = _given[found.name]
    hints = [f"Hint {number} of 2. {text}" for number, text in enumerate(found.hints, start=1)]
    if count <= 2:
        _show(found, [hints[count - 1]])
    else:
        _show(found, [*hints, f'There is no third hint: `lab.solution("{found.name}")` shows the solution.'])


def solution(exercise: Any = None) -> None:
    """Show the worked solution of an exercise, highlighted, and the idea that it rests on.

    exercise, errors: as for `hint`.
    """
    found = _named("solution", exercise)
    _show(found, [f"Why: {found.why}"], found.solution)


def _show(found: Exercise, paragraphs: list[str], source: str = "") -> None:
    heading = f"{found.notebook}, {found.title}"
    plain = [heading, *([source] if source else []), *paragraphs]
    page = [f"**{heading}**", *([f"```python\n{source}\n```"] if source else []), *paragraphs]
    show_page("\n\n".join(plain), "\n\n".join(page), mime="text/markdown")


# --- which exercise is meant -----------------------------------------------------------------------


def _named(verb: str, given: Any) -> Exercise:
    if given is None:
        name = next((name for name in reversed(unsolved) if any(name in one.checks for one in exercises())), None)
        if name is None:
            raise ValueError(f"no check has failed in this session, so say which exercise: {_usage(verb)}\n{_names()}")
    else:
        name = given if isinstance(given, str) else getattr(given, "__name__", None) or getattr(given, "name", None)
        if not isinstance(name, str):
            raise TypeError(f"an exercise is named by a text, {_usage(verb)}, got {arguments.shown(given)}")
        name = name.strip().removeprefix("lab.").removeprefix("checks.").removesuffix("()")
    found = [one for one in exercises() if name in one.checks] or [one for one in exercises() if name in one.functions]
    if len(found) == 1:
        return found[0]
    if found:
        ways = ", ".join(f'lab.{verb}("{one.name}") for {one.notebook}, {one.title}' for one in found)
        raise ValueError(f"{len(found)} exercises ask for a function named {name!r}; say which: {ways}")
    if part := next((lab for word in name.split(".") for lab in _labs_with(word)), None):
        raise ValueError(
            f"{name!r} belongs to {part}, a graded lab: there, neither hints nor solutions are given. The check under "
            f"the part, or `autoencoder-lab check` in a terminal, says what is wrong so far"
        )
    near = difflib.get_close_matches(name, [known for one in exercises() for known in one.checks + one.functions], 1)
    meant = f"; did you mean {near[0]!r}?" if near else "."
    raise ValueError(f"no exercise is called {name!r}{meant} {_usage(verb)}\n{_names()}")


def _usage(verb: str) -> str:
    return f'lab.{verb}("{exercises()[0].name}")'


def _names() -> str:
    """A line for each notebook."""
    numbers = dict.fromkeys(one.notebook for one in exercises())
    lines = [f"{n}: {', '.join(one.name for one in exercises() if one.notebook == n)}" for n in numbers]
    return "\n".join(["The names of the exercises are", *lines])


def _labs_with(word: str) -> Iterator[str]:
    """The graded labs that this word names, or names a part of."""
    for path in sorted(Path(checks.__file__).parent.glob("labs/lab*.py")):
        module = import_module(f"{checks.__name__}.labs.{path.stem}")
        if re.fullmatch(rf"{path.stem}(_\w+)?", word) or word in getattr(module, "PARTS", ()):
            yield path.stem
