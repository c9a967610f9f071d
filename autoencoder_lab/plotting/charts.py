"""Figures made of numbers: training curves, codes, lines, bars."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from autoencoder_lab import arguments, metrics
from autoencoder_lab.comparison import named
from autoencoder_lab.plotting.figure import Figure, log_y
from autoencoder_lab.plotting.given import check_series, check_value, histories_by_name, levels_by_name, numbers
from autoencoder_lab.plotting.palette import BASELINE, COLOURS, LINES, series_style


def history(histories: Any, baselines: Sequence[Any] = (), data: Any = None, quantity: str | None = None) -> Figure:
    """Training curves with their baselines.

    histories: a History, a list of them or {name: History}; quantity: "mse" (squared error per validation pixel),
    "total" (the loss) or the name of a part of the loss, drawn for training and validation; left out, it is "mse" where
    every model reconstructs, and the loss elsewhere. baselines: fitted models (PCA, say) whose validation error is
    drawn as a horizontal line; with `data` the error of the mean image is drawn too; both only beside squared errors.
    Raises TypeError for what is no History, ValueError for one without an epoch, a quantity that was not recorded,
    baselines without data or that reconstruct nothing.
    """
    series = histories_by_name(histories)
    quantity, ylabel = _quantity(series, quantity)
    figure = Figure(figsize=(6.4, 3.6))
    axes = figure.subplots()
    facts = []
    for i, (name, record) in enumerate(series.items()):
        every = max(1, len(record.step) // 12)
        style = series_style(i)
        values = record.val[quantity]
        axes.plot(record.step, values, label=f"{name}, validation", markevery=every, markersize=4, **style)
        if quantity in record.train:
            axes.plot(record.step, record.train[quantity], ":", color=style["color"], label=f"{name}, training")
        facts.append(f"{name} goes from {values[0]:.4g} to {values[-1]:.4g}")
    levels = _baseline_levels(baselines, data) if quantity == "mse" else {}
    _draw_baselines(axes.axhline, levels, ".4f", linewidth=1.2)
    facts += [f"{name} stays at {level:.4f}" for name, level in levels.items()]
    axes.set(xlabel="training step", ylabel=ylabel)
    if min(min(record.val[quantity]) for record in series.values()) > 0:
        log_y(axes)
    axes.grid(alpha=0.3, which="both")
    figure.legend_below()
    what = "total loss" if quantity == "total" else quantity
    figure.alt = f"Training curves, {what} on the validation images: {'; '.join(facts)}."
    return figure


def _quantity(series: Mapping[str, Any], wanted: str | None) -> tuple[str, str]:
    """(the quantity to draw, what stands at its axis)."""
    if wanted is None:
        wanted = "mse" if all("mse" in record.val for record in series.values()) else "total"
    for name, record in series.items():
        if wanted not in record.val:
            raise ValueError(f"{name} has no record of {wanted!r}, only of {', '.join(map(repr, record.val))}")
    labels = {"mse": "squared error per pixel", "total": "total loss"}
    return wanted, labels.get(wanted, f"{wanted} per image")


def codes(
    model: Any, split: Any, axes_shown: tuple[int, int] = (0, 1), limit: int = 1000, name: str | None = None
) -> Figure:
    """The codes of a split in the plane of two code values, classes told apart by colour, marker and number."""
    limit = arguments.whole("limit", limit, 1)
    points = metrics.encode(model, split)
    if isinstance(axes_shown, str) or not isinstance(axes_shown, Iterable) or len(shown := list(axes_shown)) != 2:
        raise ValueError(f"axes_shown are two of the code's values, (0, 1), got {arguments.shown(axes_shown)}")
    if points.shape[1] < 2:
        raise ValueError(f"codes are drawn in a plane, and {model.label} has only one code value: give it latent=2")
    last = points.shape[1] - 1
    shown = [arguments.whole("axes_shown", one, 0, last, many=f"the last code value, {last},") for one in shown]
    points, axes_shown = points[:limit, shown], (shown[0], shown[1])
    labels = split.labels[:limit]
    figure = Figure(figsize=(5.4, 4.6))
    axes = figure.subplots()
    for k, class_name in enumerate(split.classes):
        mine = points[labels == k]
        style: dict[str, Any] = {**series_style(k), "s": 14, "alpha": 0.65, "linewidths": 0}
        axes.scatter(*mine.T.numpy(), label=class_name, **style)
        if len(mine):
            centre = mine.median(dim=0).values
            box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": style["color"], "alpha": 0.85}
            axes.annotate(
                class_name, (float(centre[0]), float(centre[1])), fontsize=9, ha="center", va="center", bbox=box
            )
    axes.set(xlabel=f"code value {axes_shown[0] + 1}", ylabel=f"code value {axes_shown[1] + 1}")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), title="class")
    title = name or model.label
    axes.set_title(title, fontsize=10)
    figure.alt = (
        f"Codes of {len(points)} images by {title}, code value {axes_shown[0] + 1} against {axes_shown[1] + 1}, "
        f"in {len(split.classes)} classes marked by colour, marker and label."
    )
    return figure


def curves(
    x: Sequence[float],
    series: Mapping[str, Sequence[Any]],
    xlabel: str,
    ylabel: str,
    baselines: Mapping[str, float] | None = None,
    bands: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    log: str = "",
    alt: str | None = None,
) -> Figure:
    """Lines over x, with error bars where the values are `Estimate`s.

    series: {name: one value or Estimate for each x}; baselines: {name: level} drawn across; bands: {name: (low, high)},
    the stored spread over seeds, drawn shaded behind the line of that name; log: "x", "y", "xy" or "".
    """
    x = numbers("x", x)
    check_series(series, len(x))
    baselines = levels_by_name(baselines)
    if not isinstance(log, str) or not set(log) <= {"x", "y"}:
        raise ValueError(f'log must be one of "x", "y", "xy" and "", got {arguments.shown(log)}')
    figure = Figure(figsize=(6.0, 3.6))
    axes = figure.subplots()
    facts = []
    for i, (name, entries) in enumerate(series.items()):
        values = [entry.value if isinstance(entry, metrics.Estimate) else float(entry) for entry in entries]
        errors = [entry.error if isinstance(entry, metrics.Estimate) else 0.0 for entry in entries]
        style = series_style(i) | {"linestyle": LINES[i % len(LINES)], "markersize": 5, "capsize": 2}
        axes.errorbar(x, values, yerr=errors if any(errors) else None, label=name, **style)
        facts.append(f"{name} goes from {values[0]:.4g} at {x[0]:g} to {values[-1]:.4g} at {x[-1]:g}")
        if bands and name in bands:
            axes.fill_between(x, *bands[name], color=style["color"], alpha=0.18, label=f"{name}, stored runs")
    _draw_baselines(axes.axhline, baselines or {}, ".4g", linewidth=1.2)
    facts += [f"{name} is at {level:.4g}" for name, level in (baselines or {}).items()]
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if "x" in log:
        axes.set_xscale("log", base=2)
        axes.set_xticks(list(x), [f"{value:g}" for value in x])
    if "y" in log:
        log_y(axes)
    axes.grid(alpha=0.3)
    figure.legend_below()
    figure.alt = alt or f"{ylabel} against {xlabel}: {'; '.join(facts)}."
    return figure


def bars(
    values: Mapping[str, Any],
    ylabel: str,
    baselines: Mapping[str, float] | None = None,
    alt: str | None = None,
    log: bool = False,
) -> Figure:
    """One horizontal bar a name, its value written at its end; Estimates get an error bar.

    log: powers of ten along the axis, for values above 0 that differ by much; bars then begin at half the smallest.
    """
    if not isinstance(values, Mapping) or not values:
        raise TypeError(f"values are {{name: number or Estimate}}, at least one, got {arguments.shown(values)}")
    for name, entry in values.items():
        check_value(name, entry)
    baselines = levels_by_name(baselines)
    figure = Figure(figsize=(6.0, 0.4 * len(values) + 1.0))
    axes = figure.subplots()
    facts, ends = [], [0.0, *(baselines or {}).values()]
    for i, (name, entry) in enumerate(values.items()):
        estimate = entry if isinstance(entry, metrics.Estimate) else metrics.Estimate(float(entry), 0.0)
        axes.barh(i, estimate.value, xerr=estimate.error or None, color=COLOURS[0], alpha=0.8, height=0.6)
        end = max(0.0, estimate.value + (estimate.error if estimate.error > 0 else 0.0))  # past bar and error bar
        written = f"{estimate.value:,.0f}" if log and estimate.value >= 1000 else estimate
        axes.text(end, i, f"  {written}", va="center", fontsize=8)
        ends += [one for one in (estimate.value, end) if math.isfinite(one)]
        facts.append(f"{' '.join(name.split())} {estimate}")  # a name may be broken into lines
    if log:
        _log_x(axes, [float(getattr(entry, "value", entry)) for entry in values.values()])
    _draw_baselines(axes.axvline, baselines or {}, ".4g")
    facts += [f"{name} {level:.4g}" for name, level in (baselines or {}).items()]
    figure.legend_below()
    axes.set_yticks(range(len(values)), list(values))
    axes.invert_yaxis()
    if not log:
        axes.margins(x=0.35)  # for the values that are written at the ends
        # none in that margin, where no bar reaches: a share would seem to go beyond 1
        axes.set_xticks([tick for tick in axes.get_xticks() if min(ends) <= tick <= max(ends)])
    axes.set_xlabel(ylabel)
    figure.alt = alt or f"{ylabel}: {'; '.join(facts)}."
    return figure


def _log_x(axes: Any, widths: list[float]) -> None:
    if min(widths) <= 0:
        raise ValueError(f"a logarithmic axis takes values above 0, got {min(widths):g}")
    axes.set_xscale("log")
    axes.set_xlim(min(widths) / 2, max(widths) * (max(widths) / min(widths)) ** 0.35 * 2)


def _draw_baselines(line: Callable[..., Any], levels: Mapping[str, float], digits: str, **style: Any) -> None:
    """One line for each {name: level}, by `axes.axhline` or `axes.axvline`, told apart by their dashes."""
    for i, (name, level) in enumerate(levels.items()):
        dashes = LINES[1 + i % (len(LINES) - 1)]  # whole lines are those of the models
        line(level, color=BASELINE, linestyle=dashes, label=f"{name}: {level:{digits}}", **style)


def _baseline_levels(baselines: Sequence[Any], data: Any) -> dict[str, float]:
    """Squared error per validation pixel of fitted models and, where the data are given, of the mean target."""
    levels = {}
    if baselines:
        arguments.models(baselines, "reconstruct")
    if data is not None:
        arguments.data_set(data)
        levels["mean image"] = float((data.val.wanted - data.train.wanted.mean(dim=0)).square().mean())
    for name, model in named(baselines if isinstance(baselines, Mapping | list) else list(baselines)).items():
        if data is None:
            raise ValueError("baselines are measured on the validation images: pass data=data as well")
        if not model.reconstructs:
            raise ValueError(f"{name} reconstructs nothing, so it has no squared error: leave it out of the baselines")
        levels[name] = metrics.mse(model, data.val).value
    return levels
