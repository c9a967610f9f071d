"""Which option of a prediction a figure, or several, come to."""

from collections.abc import Mapping
from typing import Any

from autoencoder_lab import arguments


def option_of(came: Any, below: Mapping[str, float], above: Mapping[str, float], otherwise: str | None) -> Any:
    """The option that a number, or several, come to; what is text itself stays."""
    if isinstance(came, Mapping) and came:
        figures = {name: _number(figure) for name, figure in came.items()}
        return min(figures, key=lambda name: figures[name])
    if not below and not above:
        return came
    if (below and above) or otherwise is None:
        raise ValueError("an outcome by limits takes below= or above=, and otherwise= for what is beyond them all")
    limits = list((below or above).values())
    if limits != sorted(limits, reverse=bool(above)):
        raise ValueError(f"limits stand in the order in which they are asked, the nearest first, got {limits}")
    value = _number(came)
    found = [name for name, limit in below.items() if value < limit]
    found += [name for name, limit in above.items() if value > limit]
    return found[0] if found else otherwise


def _number(figure: Any) -> Any:
    return arguments.number("came", getattr(figure, "value", figure), "must be a number, to be put beside others")
