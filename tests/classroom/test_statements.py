"""✓ beside the figure and its limit; and what nbval compares of it."""

import configparser
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import autoencoder_lab as lab
from autoencoder_lab.classroom.came_out import option_of
from autoencoder_lab.metrics import Estimate


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        (("the gap", 0.00412, "<", 0.01), "✓ the gap: 0.00412 < 0.01"),
        (("the gap", 0.012, "<", 0.01), "✗ the gap: 0.012 is not < 0.01"),
        (("the gap", 0.01, "≤", 0.01), "✓ the gap: 0.01 ≤ 0.01"),
        (("the gap", 0.01, "<", 0.01), "✗ the gap: 0.01 is not < 0.01"),
        (("the probe", torch.tensor(0.91), ">", np.float32(0.5)), "✓ the probe: 0.91 > 0.5"),
        (("weights", 812824, "≥", 7056), "✓ weights: 812,824 ≥ 7,056"),
        (("the error", Estimate(0.0044, 0.0001), "<", 0.005), "✓ the error: 0.00440 ± 0.00010 < 0.005"),
        (("of two", Estimate(2.0, 0.1), ">", Estimate(3.0, 0.1)), "✗ of two: 2.00 ± 0.10 is not > 3.00 ± 0.10"),
        (("not a number", float("nan"), "<", 1), "✗ not a number: nan is not < 1"),
        (("it is so", True), "✓ it is so"),
        (("it is so", np.bool_(False)), "✗ it is so"),
        (("it is so", torch.tensor([True])), "✓ it is so"),
    ],
)
def test_a_statement_stands_beside_its_figure_and_limit(
    statement: tuple[Any, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lab.classroom.holds(statement, statement) is None  # type: ignore[func-returns-value]
    assert capsys.readouterr().out == f"{line}\n{line}\n"


@pytest.mark.parametrize(
    "statement",
    [("x", 1, "=", 2), ("x", 1, "<"), (1, 2, "<", 3), ("x", 1), ("x", "yes"), "x", ("x", torch.ones(2) > 0)],
)
def test_another_form_is_refused(statement: Any) -> None:
    with pytest.raises(ValueError, match="a statement is"):
        lab.holds(statement)
    with pytest.raises(ValueError, match="the gap: the figure must be a number, got None"):
        lab.holds(("the gap", None, "<", 1))


def test_nbval_compares_the_verdict_and_not_the_figure(capsys: pytest.CaptureFixture[str]) -> None:
    settings = configparser.ConfigParser()
    settings.read(Path(__file__).parents[1] / "nbval_sanitize.cfg", encoding="utf-8")
    (rule,) = (settings[name] for name in settings.sections())

    def compared(*statements: tuple[Any, ...]) -> str:
        lab.holds(*statements)
        return re.sub(rule["regex"], rule["replace"], capsys.readouterr().out)

    here = compared(("the gap", 0.004, "<", 0.01), ("it is so", True), ("more", 3, ">", 2))
    assert here == compared(("the gap", 0.00412, "<", 0.01), ("it is so", True), ("more", 3.1, ">", 2))
    assert here == "✓ the gap\n✓ it is so\n✓ more\n"
    assert here != compared(("the gap", 0.2, "<", 0.01), ("it is so", True), ("more", 3, ">", 2))


@pytest.mark.parametrize(("share", "option"), [(0.2, "less than half"), (0.5, "most"), (0.93, "most"), (0.94, "all")])
def test_an_outcome_is_named_by_its_limits(share: float, option: str) -> None:
    limits = {"less than half": 0.5, "most": 0.94}
    assert option_of(share, limits, {}, "all") == option
    assert option_of(Estimate(share, 0.1), limits, {}, "all") == option
    assert option_of(1 - share, {}, {"less than half": 0.5, "most": 0.06 + 1e-12}, "all") == option


def test_an_outcome_is_the_lowest_of_several() -> None:
    assert option_of({"PCA": 0.3, "conv": Estimate(0.1, 0.01), "dense": torch.tensor(0.2)}, {}, {}, None) == "conv"
    assert option_of("PCA", {}, {}, None) == "PCA"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (({"a": 1.0}, {"b": 2.0}, "c"), "below= or above="),
        (({"a": 1.0}, {}, None), "otherwise="),
        (({"a": 2.0, "b": 1.0}, {}, "c"), "nearest first"),
        (({}, {"a": 1.0, "b": 2.0}, "c"), "nearest first"),
    ],
)
def test_limits_that_name_nothing_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        option_of(1.5, *settings)
