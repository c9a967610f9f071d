"""What every check is made of: a student's answer, how it differs from the right one, and the error that says so."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencoder_lab.checks.stub import nothing_returned, raised_by_hand
from autoencoder_lab.protocol import NOT_DONE


class CheckFailed(AssertionError):
    """The function is not right yet; the message says what is likely wrong. Notebooks show it and its notes alone."""

    def _render_traceback_(self) -> list[str]:
        return [f"✗ {self}", *getattr(self, "__notes__", [])]


def answer_of(name: str, student: Callable[..., Any], *arguments: Any, **stand_ins: Any) -> Any:
    """What the student's function returns; None, and "not done yet" printed, for a stub; CheckFailed where it stops."""
    return returned(name, student, lambda: student(*arguments, **stand_ins)) if is_function(name, student) else None


def returned(name: str, written: Callable[..., Any], call: Callable[[], Any]) -> Any:
    """What `call` gives, which reaches the function that the student has written.

    None, and "not done yet" printed, for a stub: nothing is written, or NotImplementedError raised. CheckFailed where
    it stops, and where lines were written but nothing comes back.
    """
    try:
        answer = call()
    except CheckFailed:
        raise
    except Exception as error:
        if not isinstance(error, NotImplementedError) or not raised_by_hand(error):
            raise CheckFailed(f"{name}: your function stops with {type(error).__name__}: {error}") from error
        unfinished(name, None)
        return None
    if answer is None and (said := nothing_returned(written)):
        raise CheckFailed(f"{name}: {said}")
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


SHOWN = 3  # places, of all where two tensors differ


def where(given: Any, wanted: Any, tolerance: float) -> str:
    """Where two values of one form differ, as `differs` judges it: a few places, expected and got."""
    if isinstance(wanted, tuple):
        place = next(i for i, pair in enumerate(zip(given, wanted, strict=True)) if differs(*pair, tolerance))
        return f"value {place + 1} of the {len(wanted)}: {where(given[place], wanted[place], tolerance)}"
    if not isinstance(wanted, Tensor) or wanted.numel() == 1:
        return f"expected {show(wanted)}, got {show(given)}"
    got, right = torch.as_tensor(given).detach().double(), wanted.detach().double()
    places = (~torch.isclose(got, right, rtol=tolerance, atol=tolerance, equal_nan=True)).nonzero()
    first = (
        f"at {place} expected {right[tuple(place)]:.4g}, got {got[tuple(place)]:.4g}"
        for place in places[:SHOWN].tolist()
    )
    return f"{len(places)} of {right.numel()} numbers differ: {'; '.join(first)}{'; …' * (len(places) > SHOWN)}"


def scaled(given: Any, wanted: Any) -> str:
    """A remark where all numbers are off by one factor, or by one number; "" where they are not."""
    got, right = (_numbers(value) for value in (given, wanted))
    if got.shape != right.shape or len(right) < 2 or not got.isfinite().all() or not right.isfinite().all():
        return ""
    factor, shift = (got @ right) / (right @ right), (got - right).mean()
    if not (right @ right) or not (got @ got):
        return ". Everywhere it gives 0" if not (got @ got) else ""
    if torch.allclose(got, factor * right, rtol=1e-3, atol=1e-6) and abs(factor) > 1e-6:
        return f". Everywhere it is {factor:.4g} times what it should be"
    if torch.allclose(got, right + shift, rtol=1e-3, atol=1e-6):
        return f". Everywhere it is too {'large' if shift > 0 else 'small'} by {abs(shift):.4g}"
    return ""


def _numbers(value: Any) -> Tensor:
    """All numbers of a value, flat; none of what holds no numbers."""
    if isinstance(value, tuple | list):
        return torch.cat([_numbers(one) for one in value] or [torch.zeros(0).double()])
    if isinstance(value, str | bool) or not isinstance(value, Tensor | int | float):
        return torch.zeros(0).double()
    return torch.as_tensor(value).detach().double().flatten()


def show(value: Any) -> str:
    """A value in a message: numbers to four digits, of anything large the beginning."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        value = torch.as_tensor(np.array(value, order="C"))
    if isinstance(value, Tensor) and value.numel() > 6:
        return f"values like {', '.join(f'{v:.4g}' for v in value.detach().flatten()[:4].tolist())}, …"
    if isinstance(value, Tensor):
        return ", ".join(f"{v:.4g}" for v in value.detach().flatten().tolist())
    if isinstance(value, Mapping):
        items = [f"{key!r}: {show(one)}" for key, one in list(value.items())[:4]]
        return f"{{{', '.join(items)}{', …' * (len(value) > 4)}}}"
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        inside = ", ".join(map(show, value[:4])) + ", …" * (len(value) > 4)
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    text = f"{value:.4g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
