"""Bars: the axis has its numbers where a bar can be, not in the margin where the values are written."""

import math

import pytest

import autoencoder_lab as lab


@pytest.mark.parametrize(
    ("values", "baselines", "low", "high"),
    [
        ({"a": 0.85, "b": 0.1}, None, 0.0, 0.85),  # a share does not seem to go beyond 1
        ({"a": 0.02}, {"guessing": 0.1}, 0.0, 0.1),
        ({"a": -1.2, "b": 0.4}, None, -1.2, 0.4),
        ({"a": lab.metrics.Estimate(0.8, 0.15), "b": math.nan}, None, 0.0, 0.95),  # the error bar counts
    ],
)
def test_no_ticks_beyond_the_longest_bar(
    values: dict[str, float], baselines: dict[str, float] | None, low: float, high: float
) -> None:
    (axes,) = lab.plot.bars(values, "share", baselines=baselines).axes
    ticks = axes.get_xticks()
    assert len(ticks) >= 2 and min(ticks) >= low - 1e-9 and max(ticks) <= high + 1e-9
    assert axes.get_xlim()[1] > high  # the values have room all the same
