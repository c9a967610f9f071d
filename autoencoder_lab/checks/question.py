"""A lab's question: what its function has to return, and the wrong functions people write. Used twice.

The notebook's check tries a student's function on inputs of its own; while grading, the judge draws other inputs from a
private seed and compares what the sandbox hands back. Both name the same mistakes, in the same words.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from autoencoder_lab.checks.compare import Inputs, compare_with


@dataclass(frozen=True)
class Wrong:
    """A common mistake. said: the sentence that names it; function: makes it; share: of the points, in [0, 1)."""

    said: str
    function: Callable[..., Any]
    share: float = 0.0


@dataclass(frozen=True)
class Question:
    """name: of the function asked for; right: gives what it should return; mistakes: {short name: Wrong}.

    cases: a seeded generator → the arguments of several calls. Arguments are tensors and plain numbers; what comes
    back is a number, a tensor or a tuple of them, compared to `tolerance`, relative and absolute.
    """

    name: str
    right: Callable[..., Any]
    mistakes: Mapping[str, Wrong]
    cases: Callable[[torch.Generator], Sequence[Inputs]]
    tolerance: float = 1e-4

    def check(self, student: Callable[..., Any]) -> None:
        """Pass, print "not done yet", or raise CheckFailed with the mistake's sentence."""
        cases = self.cases(torch.Generator().manual_seed(0))
        wrong = {mistake.said: mistake.function for mistake in self.mistakes.values()}
        compare_with(self.name, student, self.right, wrong, cases, self.tolerance)
