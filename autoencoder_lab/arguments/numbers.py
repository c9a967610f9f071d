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
    """A whole number, Python's, NumPy's or in a tensor; ValueError for anything else, also True and 2.0.

    what stands behind "a whole number" in the message, "of pixels"; many in the place of most.
    """
    number = _index(given)
    if number is None or (least is not None and number < least) or (most is not None and number > most):
        up_to = many or (most is not None and f"{most:,}")
        limits = "" if least is None else f" from {least:,} to {up_to}" if up_to else f", at least {least}"
        raise ValueError(f"{name} must be a whole number{what and f' {what}'}{limits}, got {_got(given)}")
    return number


def _index(given: Any) -> int | None:
    try:
        return (
            None
            if isinstance(given, bool) or (isinstance(given, Tensor) and given.dtype == torch.bool)
            else operator.index(given)
        )
    except (TypeError, RuntimeError):
        return None


def _got(given: Any) -> str:
    return str(given) if isinstance(given, np.number) else shown(given)


def number(name: str, given: Any, says: str, allowed: Callable[[float], bool] = math.isfinite) -> Any:
    """A number as Python's, whole ones as int; ValueError where it is none or not allowed.

    says: what stands behind the name in the message, "must be ≥ 0"; allowed: asked of a number alone.
    """
    try:
        whole_number = _index(given)
        value = whole_number if whole_number is not None else None if isinstance(given, str | bool) else float(given)
    except (TypeError, ValueError, RuntimeError):
        value = None
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
        raise ValueError(f"{name} {what}, got {tuple(given) if _row(given) else shown(given)}") from None
    return numbers


def _row(given: Any) -> bool:
    return isinstance(given, list | tuple | np.ndarray | torch.Size)
