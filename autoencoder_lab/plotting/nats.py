"""Figures of nats: what a code costs and saves, and how one bar is cut in two ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoencoder_lab import arguments
from autoencoder_lab.plotting.figure import Figure
from autoencoder_lab.plotting.given import check_value
from autoencoder_lab.plotting.palette import COLOURS, series_style


def rate_distortion(points: Mapping[float, Any], alt: str | None = None) -> Figure:
    """What each β buys: a point for each, labelled, and through it a piece of the line of slope −β.

    points: {β: (rate, distortion)}, both in nats, β ≥ 0. Along a piece, distortion + β · rate stays the same: that is
    the sum that this model was trained to make small, so none of the other points should lie well below its line.
    Raises TypeError for anything else, ValueError for fewer than two points.
    """
    if not isinstance(points, Mapping):
        raise TypeError(f"points are {{β: (rate, distortion)}}, got {arguments.shown(points)}")
    if len(points) < 2:
        raise ValueError(f"a curve takes two points or more, got {len(points)}")
    places = {_number("β", beta): _pair(beta, pair) for beta, pair in points.items()}
    rates, distortions = zip(*places.values(), strict=True)
    wide, high = (max(values) - min(values) or 1.0 for values in (rates, distortions))
    figure = Figure(figsize=(6.4, 4.4))
    axes = figure.subplots()
    axes.plot(rates, distortions, ":", color=COLOURS[9], linewidth=1, zorder=1)
    for i, (beta, (rate, distortion)) in enumerate(places.items()):
        reach = 0.16 / ((1 / wide) ** 2 + (beta / high) ** 2) ** 0.5  # of one length on the paper, whatever the slope
        style = series_style(i)
        axes.plot(
            [rate - reach, rate + reach], [distortion + beta * reach, distortion - beta * reach],
            color=style["color"], linewidth=1.6, zorder=2,
        )  # fmt: skip
        axes.plot([rate], [distortion], linestyle="", markersize=8, zorder=3, **style)
        place: dict[str, Any] = {"textcoords": "offset points", "xytext": (8, 7), "fontsize": 9}
        axes.annotate(f"β = {beta:g}", (rate, distortion), **place)
    axes.margins(0.12)
    axes.set(xlabel="rate: KL in nats", ylabel="distortion in nats")
    axes.grid(alpha=0.3)
    facts = "; ".join(f"β = {beta:g}: rate {r:.3g}, distortion {d:.4g}" for beta, (r, d) in places.items())
    figure.alt = alt or f"Distortion against rate, in nats, each point with a short line of slope −β: {facts}."
    return figure


def stacked(rows: Mapping[str, Mapping[str, Any]], xlabel: str, alt: str | None = None) -> Figure:
    """One horizontal bar a row, cut into its parts, each with its value: {row: {part: number ≥ 0}}.

    A part that several rows have keeps its colour. Raises TypeError for anything else, ValueError for a part below 0.
    """
    if not isinstance(rows, Mapping) or not rows or not all(isinstance(parts, Mapping) for parts in rows.values()):
        raise TypeError(f"rows are {{row: {{part: number}}}}, at least one, got {arguments.shown(rows)}")
    styles: dict[str, int] = {}
    figure = Figure(figsize=(7.2, 0.5 * len(rows) + 0.8))
    axes = figure.subplots()
    facts = []
    for i, (row, parts) in enumerate(rows.items()):
        start = 0.0
        for part, given in parts.items():
            check_value(part, given)
            value = float(getattr(given, "value", given))
            if value < 0:
                raise ValueError(f"parts of a bar are not below 0, got {part} = {value:g}")
            known = part in styles
            k = styles.setdefault(part, len(styles))
            hatch = ("", "//", "..", "xx", "--")[k % 5]
            look: dict[str, Any] = {"color": COLOURS[k % len(COLOURS)], "hatch": hatch, "edgecolor": "white"}
            axes.barh(i, value, left=start, height=0.62, label=None if known else part, **look)
            box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none"}
            axes.text(
                start + value / 2, i, f"{value:.2f}", ha="center", va="center", color="black", fontsize=8, bbox=box
            )
            start += value
        said = ", ".join(f"{part} {float(getattr(value, 'value', value)):.2f}" for part, value in parts.items())
        facts.append(f"{row}: {said}")
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set_xlabel(xlabel)
    figure.legend_below()
    figure.alt = alt or f"Bars in parts, {xlabel}: {'; '.join(facts)}."
    return figure


def _number(name: str, given: Any) -> float:
    return float(arguments.number(name, given, "must be a number ≥ 0", lambda value: value >= 0))


def _pair(beta: Any, given: Any) -> tuple[float, float]:
    if isinstance(given, str) or not hasattr(given, "__len__") or len(given) != 2:
        raise TypeError(f"β = {beta} has a pair (rate, distortion), got {arguments.shown(given)}")
    for name, value in zip(("rate", "distortion"), given, strict=True):
        check_value(f"{name} of β = {beta}", value)
    rate, distortion = (float(getattr(value, "value", value)) for value in given)
    return rate, distortion
