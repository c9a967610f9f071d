"""What charts are given: taken in the forms that can be meant, else refused. No figure depends on this."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from autoencoder_lab import arguments, metrics


def histories_by_name(given: Any) -> dict[str, Any]:
    """{name: History} from one, a sequence (named by their models, made distinct) or a mapping."""
    if isinstance(given, Mapping):
        series = dict(given)
    else:
        series = {}
        for record in given if isinstance(given, list | tuple) else [given]:
            label, count = str(getattr(record, "model", "")), 2
            name = label
            while name in series:
                name, count = f"{label} #{count}", count + 1
            series[name] = record
    if not series:
        raise ValueError(f"history draws a History, which lab.fit returns, or several, got {arguments.shown(given)}")
    for record in series.values():
        if inspect.isclass(record) or not (hasattr(record, "step") and hasattr(record, "val")):
            raise TypeError(
                f"history draws a History, which lab.fit returns, got {arguments.shown(record)}; keep it: "
                "history = lab.fit(model, data)"
            )
        if not record.step:
            raise ValueError(f"{record!r} holds no epoch: its training stopped before the first one was over")
    return series


def numbers(name: str, given: Any) -> list[float]:
    """A row of numbers: a list, a range, an array, a tensor; TypeError for anything else."""
    try:
        listed = [float(one) for one in given] if not isinstance(given, str | Mapping) else []
    except (TypeError, ValueError, RuntimeError):
        listed = []
    if not listed:
        raise TypeError(f"{name} must be a list of numbers, at least one, got {arguments.shown(given)}")
    return listed


def check_series(series: Any, count: int) -> None:
    """Errors for what is no {name: numbers or Estimates}, as many as there are places on the x axis."""
    if not isinstance(series, Mapping) or not series:
        raise TypeError(f"series are {{name: values}}, at least one, got {arguments.shown(series)}")
    for name, entries in series.items():
        if isinstance(entries, str | metrics.Estimate) or not hasattr(entries, "__len__"):
            raise TypeError(f"{name} must be a list of numbers or Estimates, got {arguments.shown(entries)}")
        if len(entries) != count:
            raise ValueError(f"{name} must have one value for each x, {count} in all, got {len(entries)}")
        for entry in entries:
            check_value(name, entry)


def check_value(name: str, entry: Any) -> None:
    if not isinstance(entry, metrics.Estimate):
        arguments.number(str(name), entry, "must be a number or an Estimate", lambda value: True)


def levels_by_name(baselines: Any) -> dict[str, float]:
    """{name: number} as it is, {} for None; errors for anything else."""
    if not isinstance(baselines, Mapping | None):
        raise TypeError(f"baselines are {{name: number}}, got {arguments.shown(baselines)}")
    for name, level in (baselines or {}).items():
        arguments.number(str(name), level, "is a level to be drawn, a number", lambda value: True)
    return dict(baselines or {})
