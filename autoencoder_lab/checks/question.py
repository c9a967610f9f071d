"""A question: what a function has to return, and the wrong functions people write in its place.

A notebook's check tries a student's function on inputs of its own beside the right one. Where they differ, it compares
with the wrong ones and, if one of them gives the student's numbers, names that mistake. A lab's questions are used
twice: while grading, the judge draws other inputs from a private seed and compares what the sandbox hands back. Both
name the same mistakes, in the same words.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencoder_lab.checks.compare import (
    CheckFailed,
    differs,
    is_function,
    returned,
    scaled,
    unfinished,
    where,
    wrong_form,
)

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

        Inputs are copied for each call. A list stands for a tensor where one is asked for. A function that changes its
        inputs is told so, and is right where its values are.
        """
        usual = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)  # as while marking, whatever a cell has set
        try:
            with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
                self._check(student)
        finally:
            torch.set_default_dtype(usual)

    def _check(self, student: Callable[..., Any]) -> None:
        if not is_function(self.name, student):
            return
        cases = self.cases(torch.Generator().manual_seed(0))
        answers, advice = self._answers(student, cases)
        if answers is None:
            return
        expected = _results(self.right, cases)
        try:
            answers = [as_asked(*pair) for pair in zip(answers, expected, strict=True)]
            self._compare(answers, expected, cases)
        except CheckFailed as error:
            raise CheckFailed(f"{error}{advice and f'. Besides, {advice}'}") from None
        print(f"✓ {self.name}: correct{advice and f'; but {advice}'}")

    def _compare(self, answers: Sequence[Any], expected: Sequence[Any], cases: Sequence[Inputs]) -> None:
        for answer, wanted in zip(answers, expected, strict=True):
            if complaint := wrong_form(answer, wanted):
                raise CheckFailed(f"{self.name}: {complaint}")
        if self._agree(answers, expected):
            return
        for wrong in self.mistakes.values():
            if self._agree(answers, _results(wrong.function, cases)):
                raise CheckFailed(f"{self.name}: {wrong.said}")
        pairs = zip(answers, expected, strict=True)
        answer, wanted = next(pair for pair in pairs if differs(*pair, self.tolerance))
        off = scaled(answers, expected)
        raise CheckFailed(f"{self.name}: {where(answer, wanted, self.tolerance)}{off}")

    def _answers(self, student: Callable[..., Any], cases: Sequence[Inputs]) -> tuple[list[Any] | None, str]:
        """What the student's function returns in each case, None for a stub; advice where it changes its inputs."""
        answers, advice = [], ""
        adapted = self.adapt(lambda *inputs, **named: without_numpy(student(*inputs, **named)))
        for case in cases:
            inputs = _copies(case)
            answer = returned(self.name, student, partial(adapted, *inputs))
            if answer is None:
                return None, ""
            if any(differs(given, kept, 0.0) for given, kept in zip(inputs, case, strict=True)):
                advice = "your function changes its input in place; work on a copy, or use x = x + … instead"
            answers.append(answer)
        return answers, advice

    def _agree(self, answers: Sequence[Any], wanted: Sequence[Any]) -> bool:
        return not any(differs(*pair, self.tolerance) for pair in zip(answers, wanted, strict=True))


def as_asked(answer: Any, wanted: Any) -> Any:
    """The answer as it is judged: a list as the tensor that is wanted, if it is as large; a fraction as a number."""
    if isinstance(wanted, tuple) and isinstance(answer, tuple | list) and len(answer) == len(wanted):
        return tuple(as_asked(*pair) for pair in zip(answer, wanted, strict=True))
    if isinstance(answer, Tensor | np.ndarray) and torch.as_tensor(answer).is_complex():
        raise CheckFailed("the result is made of complex numbers; take the real part")
    try:
        one = answer if isinstance(wanted, tuple | str) else _one(answer)
        several = isinstance(answer, tuple | list) and one.shape != torch.as_tensor(wanted).shape
        return answer if several else one
    except (TypeError, ValueError, RuntimeError):
        return answer


def without_numpy(answer: Any) -> Any:
    """The answer with tensors in place of NumPy's arrays and numbers, however they lie in memory."""
    if isinstance(answer, np.ndarray | np.generic) and answer.dtype.kind in "biuf":
        return torch.as_tensor(np.array(answer, order="C"))
    if type(answer) in (tuple, list):
        return type(answer)(map(without_numpy, answer))
    return answer


def _one(answer: Any) -> Any:
    if isinstance(answer, tuple | list):
        return torch.stack([torch.as_tensor(_one(item)).detach().double() for item in answer])
    return float(answer) if isinstance(answer, Real) and not isinstance(answer, int | float) else answer


def numbers_read(**given: Any) -> tuple[list[float], str] | None:
    """The numbers of a reading, nan for what is none, and what to say of these; None where nothing is done yet."""
    if all(value is None or value is Ellipsis for value in given.values()):
        unfinished("reading", None)
        return None
    numbers = {name: _number(value) for name, value in given.items()}
    missing = [f"{name} is not done yet, or no number. " for name, value in numbers.items() if math.isnan(value)]
    return list(numbers.values()), "".join(missing)


def _number(value: Any) -> float:
    """A number, also one alone in a list, an array or a tensor; nan for anything else, and for text."""
    while isinstance(value, tuple | list | set | frozenset) and len(value) == 1:
        (value,) = value
    try:
        value = value.item() if isinstance(value, Tensor | np.ndarray) else value
        return math.nan if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return math.nan


def _results(function: Callable[..., Any], cases: Sequence[Inputs]) -> list[Any]:
    return [function(*_copies(case)) for case in cases]


def _copies(case: Inputs) -> list[Any]:
    return [value.clone() if isinstance(value, Tensor) else value for value in case]


def random_pair(*shape: int) -> tuple[Tensor, Tensor]:
    """Two tensors of this shape, uniform in [0, 1), always the same ones."""
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.rand(shape, generator=generator), torch.rand(shape, generator=generator)
