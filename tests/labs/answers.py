"""What a lab's file of answers holds: typical mistakes with what each costs, and other ways of being right."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """One student's wrong answer in an otherwise right notebook.

    answers: {name of the answer cell: its source}; reached: {name of the test cell: points it gets}, for those that
    lose some; says: words that stand in the feedback of the first of these.
    """

    answers: Mapping[str, str]
    reached: Mapping[str, float]
    says: str


def changed(source: str, *changes: tuple[str, str]) -> str:
    """The source with each (old, new) put in its place; every old must stand there, or the mistake would be none."""
    for old, new in changes:
        assert old in source, f"{old!r} does not stand in the answer"
        source = source.replace(old, new)
    return source
