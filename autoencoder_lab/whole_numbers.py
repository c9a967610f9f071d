"""Whole numbers as people have them: Python's, NumPy's, pandas', one in a tensor; a sentence for anything else."""

import math
import operator
from typing import Any


def whole_number(name: str, given: Any, at_least: int | None = None, at_most: int | None = None) -> int:
    """`given` as Python's int, if it is a whole number within these bounds: NumPy's too, 30.0, or a tensor of one.

    Raises TypeError for what is no number, ValueError for one that is not whole or out of bounds; both start with name.
    """
    wanted = f"{name} must be a whole number{_bounds(at_least, at_most)}, got {given!r}"
    if isinstance(given, bool | str):
        raise TypeError(wanted)
    try:
        number = operator.index(given)
    except TypeError:
        try:
            value = float(given)
        except (TypeError, ValueError, RuntimeError):
            raise TypeError(wanted) from None
        if not math.isfinite(value) or value != int(value):
            raise ValueError(wanted) from None
        number = int(value)
    if (at_least is not None and number < at_least) or (at_most is not None and number > at_most):
        raise ValueError(wanted)
    return number


def _bounds(at_least: int | None, at_most: int | None) -> str:
    if at_least is None or at_most is None:
        return "" if at_least is None else f", at least {at_least}"
    return f" from {_power(at_least)} to {_power(at_most)}"


def _power(number: int) -> str:
    """2**64 - 1 is easier to read than its twenty digits."""
    for bits in (32, 63, 64):
        if number in (2**bits - 1, -(2**bits)):
            return f"2**{bits} - 1" if number > 0 else f"-2**{bits}"
    return str(number)
