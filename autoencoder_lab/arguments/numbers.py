"""Numbers as arguments: Python's, NumPy's, or alone in a tensor. No figure depends on this."""

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencoder_lab.arguments.things import shown


def whole(
    name: str, given: Any, least: int | None = None, most: int | None = None, what: str = "", many: str = ""
) -> int:
    """A whole number as Python's int: Python's, NumPy's, 30.0, or one in a tensor; ValueError for anything else.

    what stands behind "a whole number" in the message, "of pixels"; many in the place of most.
    """
    number = _whole(given)
    if number is None or (least is not None and number < least) or (most is not None and number > most):
        up_to = many or (most is not None and _power(most))
        limits = "" if least is None else f" from {_power(least)} to {up_to}" if up_to else f", at least {least}"
        raise ValueError(f"{name} must be a whole number{what and f' {what}'}{limits}, got {_got(given)}")
    return number


def _whole(given: Any) -> int | None:
    """`given` as int where it is a whole number, 30.0 too; None for any other, and for True: that means otherwise."""
    value = _as_number(given)
    return int(value) if value is not None and math.isfinite(value) and value == int(value) else None


def _as_number(given: Any) -> float | None:
    """`given` as Python's int or float; None for what is no number."""
    if isinstance(given, bool | str) or (isinstance(given, Tensor) and given.dtype == torch.bool):
        return None
    try:
        return operator.index(given)
    except (TypeError, RuntimeError):
        pass
    try:
        return float(given)
    except (TypeError, ValueError, RuntimeError):
        return None


def _power(number: int) -> str:
    """2**64 - 1 is easier to read than its twenty digits."""
    for bits in (32, 63, 64):
        if number in (2**bits - 1, -(2**bits)):
            return f"2**{bits} - 1" if number > 0 else f"-2**{bits}"
    return f"{number:,}"


def _got(given: Any) -> str:
    return str(given) if isinstance(given, np.number) else shown(given)


def number(name: str, given: Any, says: str, allowed: Callable[[float], bool] = math.isfinite) -> Any:
    """A number as Python's, whole ones as int; ValueError where it is none or not allowed.

    says: what stands behind the name in the message, "must be ≥ 0"; allowed: asked of a number alone.
    """
    value = _as_number(given)
    if value is None or not allowed(value):
        raise ValueError(f"{name} {says}, got {_got(given)}")
    return value


def sizes(name: str, given: Any, what: str) -> tuple[int, ...]:
    """Whole numbers ≥ 1 in a row: a list, a tuple, an array; ValueError that ends in `what` for anything else."""
    try:
        if isinstance(given, str):
            raise TypeError
        numbers = tuple(whole(name, one, 1) for one in given)
    except (TypeError, ValueError):
        raise ValueError(f"{name} {what}, got {shown(given)}") from None
    return numbers
