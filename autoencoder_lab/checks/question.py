"""A question: what a function has to return, and the wrong functions people write in its place.

A notebook's check tries a student's function on inputs of its own beside the right one. Where they differ, it compares
with the wrong ones and, if one of them gives the student's numbers, names that mistake. A lab's questions are used
twice: while grading, the judge draws other inputs from a private seed and compares what the sandbox hands back. Both
name the same mistakes, in the same words.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab.checks.compare import CheckFailed, answer_of, differs, show, wrong_form

Inputs = tuple[Any, ...]
"""The arguments of one call."""


@dataclass(frozen=True)
class Wrong:
    """A common mistake. said: the sentence that names it; function: makes it; share: of the points, in [0, 1)."""

    said: str
    function: Callable[..., Any]
    share: float = 0.0


def by_sentence(mistakes: Mapping[str, Callable[..., Any]]) -> dict[str, Wrong]:
    """Mistakes that cost no points and need no short name: {the sentence that names it: a function that makes it}."""
    return {said: Wrong(said, function) for said, function in mistakes.items()}


def as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself."""
    return function


@dataclass(frozen=True)
class Question:
    """name: of the function asked for; right: gives what it should return; mistakes: {short name: Wrong}.

    cases: a seeded generator → the arguments of several calls. Arguments are tensors and plain numbers; what comes
    back is a number, a string, a tensor or a tuple of them, compared to `tolerance`, relative and absolute. The first
    mistake that gives the student's results in all cases is the one that is named.
    adapt: the student's function → the one that is called on the cases. It builds what a case cannot hold, such as
    networks, or complains by CheckFailed of what the results alone do not show.
    """

    name: str
    right: Callable[..., Any]
    mistakes: Mapping[str, Wrong]
    cases: Callable[[torch.Generator], Sequence[Inputs]]
    tolerance: float = 1e-4
    adapt: Callable[[Callable[..., Any]], Callable[..., Any]] = as_it_is

    def check(self, student: Callable[..., Any]) -> None:
        """Pass, print "not done yet", or raise CheckFailed with the mistake's sentence.

        Inputs are copied for each call, and a function that changes them is told so.
        """
        cases = self.cases(torch.Generator().manual_seed(0))
        answers = self._answers(self.adapt(student), cases)
        if answers is None:
            return
        expected = _results(self.right, cases)
        for answer, wanted in zip(answers, expected, strict=True):
            if complaint := wrong_form(answer, wanted):
                raise CheckFailed(f"{self.name}: {complaint}")
        if self._agree(answers, expected):
            print(f"✓ {self.name}: correct")
            return
        for wrong in self.mistakes.values():
            if self._agree(answers, _results(wrong.function, cases)):
                raise CheckFailed(f"{self.name}: {wrong.said}")
        pairs = zip(answers, expected, strict=True)
        answer, wanted = next(pair for pair in pairs if differs(*pair, self.tolerance))
        raise CheckFailed(f"{self.name}: expected {show(wanted)}, got {show(answer)}")

    def _answers(self, student: Callable[..., Any], cases: Sequence[Inputs]) -> list[Any] | None:
        """What the student's function returns in each case, None for a stub."""
        answers = []
        for case in cases:
            inputs = _copies(case)
            answer = answer_of(self.name, student, *inputs)
            if answer is None:
                return None
            if any(differs(given, kept, 0.0) for given, kept in zip(inputs, case, strict=True)):
                raise CheckFailed(
                    f"{self.name}: your function changes its input in place; work on a copy, or use x = x + … instead"
                )
            answers.append(answer)
        return answers

    def _agree(self, answers: Sequence[Any], wanted: Sequence[Any]) -> bool:
        return not any(differs(*pair, self.tolerance) for pair in zip(answers, wanted, strict=True))


def _results(function: Callable[..., Any], cases: Sequence[Inputs]) -> list[Any]:
    return [function(*_copies(case)) for case in cases]


def _copies(case: Inputs) -> list[Any]:
    return [value.clone() if isinstance(value, Tensor) else value for value in case]


def random_pair(*shape: int) -> tuple[Tensor, Tensor]:
    """Two tensors of this shape, uniform in [0, 1), always the same ones."""
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.rand(shape, generator=generator), torch.rand(shape, generator=generator)
