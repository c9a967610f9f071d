"""What every check is made of: a student's answer, how it differs from the right one, and the error that says so."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab.protocol import NOT_DONE


class CheckFailed(AssertionError):
    """The function is not right yet; the message says what is likely wrong. Notebooks show it and its notes alone."""

    def _render_traceback_(self) -> list[str]:
        return [f"✗ {self}", *getattr(self, "__notes__", [])]


def answer_of(name: str, student: Callable[..., Any], *arguments: Any, **stand_ins: Any) -> Any:
    """What the student's function returns; None, and "not done yet" printed, for a stub; CheckFailed where it stops."""
    if not is_function(name, student):
        return None
    try:
        answer = student(*arguments, **stand_ins)
    except NotImplementedError:
        answer = None
    except CheckFailed:
        raise
    except Exception as error:
        raise CheckFailed(f"{name}: your function stops with {type(error).__name__}: {error}") from error
    return None if unfinished(name, answer) else answer


def is_function(name: str, student: Any) -> bool:
    """Whether there is a function to be asked; False, and "not done yet" printed, for None and …; else CheckFailed."""
    if unfinished(name, student):
        return False
    if not callable(student):
        raise CheckFailed(f"{name}: hand over the function itself, without brackets behind it; got {show(student)}")
    return True


def unfinished(name: str, *answers: Any) -> bool:
    """Whether one of the answers is a stub's, None or …; if so, "not done yet" is printed."""
    stub = any(answer is None or answer is Ellipsis for answer in answers)
    if stub:
        print(f"{name}: {NOT_DONE}")
    return stub


@contextmanager
def explaining(name: str, symptoms: Mapping[str, str]) -> Iterator[None]:
    """CheckFailed that names the cause, in place of a RuntimeError that shows one of the symptoms.

    symptoms: {PyTorch's words: what they mean here}.
    """
    try:
        yield
    except RuntimeError as error:
        for symptom, cause in symptoms.items():
            if symptom in str(error):
                raise CheckFailed(f"{name}: {cause}") from error
        raise


def differs(given: Any, wanted: Any, tolerance: float) -> bool:
    """Whether a value of the wanted form is another one; numbers and tensors to `tolerance`, relative and absolute."""
    if isinstance(wanted, tuple):
        return not isinstance(given, tuple | list) or any(
            differs(one, other, tolerance) for one, other in zip(given, wanted, strict=True)
        )
    if isinstance(wanted, str | bool | type(None)) or callable(wanted):
        return bool(given != wanted)
    a, b = torch.as_tensor(given).detach().double(), torch.as_tensor(wanted).detach().double()
    return a.shape != b.shape or not torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)


def wrong_form(answer: Any, wanted: Any) -> str | None:
    """A complaint about type, shape or numbers that are not finite, or None."""
    if isinstance(wanted, tuple):
        if not isinstance(answer, tuple | list) or len(answer) != len(wanted):
            return f"return {len(wanted)} values, got {show(answer)}"
        return next((complaint for complaint in map(wrong_form, answer, wanted) if complaint), None)
    if isinstance(wanted, str):
        return None if isinstance(answer, str) else f"return a string, got {type(answer).__name__}"
    try:
        shape = tuple(torch.as_tensor(answer).shape)
    except (TypeError, ValueError, RuntimeError):
        return f"return a tensor or a number, got {type(answer).__name__}"
    expected = tuple(torch.as_tensor(wanted).shape)
    if shape != expected:
        hint = " Did you forget to sum or average over a dimension?" if len(shape) > len(expected) else ""
        return f"the result must have shape {expected}, got {shape}.{hint}"
    if (
        not torch.isfinite(torch.as_tensor(answer).double()).all()
        and torch.isfinite(torch.as_tensor(wanted).double()).all()
    ):
        return "the result holds nan or infinity; look for a division by 0, or the log or root of a number ≤ 0"
    return None


def show(value: Any) -> str:
    """A value in a message: numbers to four digits, the first few of a large tensor."""
    if isinstance(value, Tensor) and value.numel() > 6:
        return f"values like {', '.join(f'{v:.4g}' for v in value.detach().flatten()[:4].tolist())}, …"
    if isinstance(value, Tensor):
        return ", ".join(f"{v:.4g}" for v in value.detach().flatten().tolist())
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
