"""What a run should show, said in one call: ✓, the figure, and its limit."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencoder_lab import arguments

COMPARED: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "≤": operator.le, ">": operator.gt, "≥": operator.ge,
}  # fmt: skip


def holds(*statements: tuple[Any, ...]) -> None:
    """Say ✓ for each statement that holds, ✗ for each that does not, beside its figure and its limit.

    Each one is ("what the figure is", figure, "<", limit), with <, ≤, > or ≥, or ("what is so", True). Figure and limit
    are numbers, an Estimate (whose value counts, and whose error is shown), or a tensor of one number. Nothing is
    raised where one does not hold: on another machine a training comes out a little differently.
    Raises ValueError for a statement of another form.
    """
    for statement in statements:
        print(_line(statement))


def _line(statement: Any) -> str:
    match statement:
        case (str(text), figure, str(sign), limit) if sign in COMPARED:
            right = COMPARED[sign](_number(text, figure), _number(text, limit))
            compared = f"{_shown(figure)} {sign if right else f'is not {sign}'} {_shown(limit)}"
            return f"{'✓' if right else '✗'} {text}: {compared}"
        case (str(text), said) if _is_truth(said):
            return f"{'✓' if said else '✗'} {text}"
    raise ValueError(
        f'a statement is ("what the figure is", figure, "<", limit) with one of {", ".join(COMPARED)}, or '
        f'("what is so", True), got {arguments.shown(statement)}'
    )


def _is_truth(said: Any) -> bool:
    """True, False, NumPy's, or one in a tensor."""
    if isinstance(said, Tensor):
        return said.dtype == torch.bool and said.numel() == 1
    return isinstance(said, bool | np.bool_)


def _number(text: str, figure: Any) -> float:
    value = getattr(figure, "value", figure)
    return float(arguments.number(f"{text}: the figure", value, "must be a number", lambda _: True))


def _shown(figure: Any) -> str:
    """An Estimate as it prints, a whole number with all its digits, any other with three."""
    if hasattr(figure, "error"):
        return str(figure)
    number = arguments.number("the figure", figure, "must be a number", lambda _: True)
    return f"{number:,}" if isinstance(number, int) else f"{number:.3g}"
