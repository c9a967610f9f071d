"""The rows behind the limits of trained parts: what they say holds, as far as they go, and the text says the same."""

import dataclasses
import warnings
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoencoder_lab.grading.judge import Mark, Trained
from labs import cheats, reckoning, reckoning_of_numbers
from labs.reckoning import Answer, Row, answers, judge_of, moved, share, stored_rows
from labs.sources import LABS

TEXT = Path(__file__).parents[2] / "docs" / "instructors.md"


def rows_of(lab: str, *kinds: str) -> list[tuple[Answer, list[Row]]]:
    return [(answer, rows) for answer, rows in stored_rows(lab) if answer.kind in kinds]


@pytest.mark.parametrize("lab", LABS)
def test_a_right_model_passes(lab: str) -> None:
    """Of 200 trainings of the reference at most two miss a limit, never both of an id; of other right ones none."""
    for answer, rows in rows_of(lab, "reference", "right"):
        missed = [(row["id"], row["draw"]) for row in rows if share(lab, row) < 1]
        allowed = 2 if answer.kind == "reference" else 0
        assert len(missed) <= allowed and len({student for student, _ in missed}) == len(missed), (answer.name, missed)


@pytest.mark.parametrize("lab", LABS)
def test_a_mistake_fails_both_trainings_of_every_id(lab: str) -> None:
    for answer, rows in rows_of(lab, "mistake"):
        assert all(share(lab, row) < 1 for row in rows), answer.name


@pytest.mark.parametrize("lab", LABS)
def test_a_mistake_fails_by_a_clear_margin(lab: str) -> None:
    """Each training of a mistake would fail even if all its figures were a fifth nearer to those of a right model."""
    (_, reference), *_ = rows_of(lab, "reference")
    for answer, rows in rows_of(lab, "mistake"):
        assert all(share(lab, row) < 1 for row in moved(rows, reference, 0.2)), answer.name


@pytest.mark.parametrize("lab", LABS)
def test_cheating_earns_at_most_a_tenth(lab: str) -> None:
    """Of the part, on average over ids, the better of two trainings; and all of it at most once."""
    weights: list[float] = []
    for answer, rows in rows_of(lab, "cheat"):
        best = [max(share(lab, row) for row in both) for _, both in groupby(rows, key=lambda row: row["id"])]
        assert not best or (np.mean(best) <= 0.1 and best.count(1) <= 1), answer.name
        weights += best if cheats.needs_weights(answer.name) else []
    assert weights.count(1) <= 1, "a friend's weights, in whatever way they are handed in"
    for row in reckoning_of_numbers.read_rows():
        if row["lab"] == lab and row["answer"] == "the reference":
            assert row["full"] == row["ids"]
        elif row["lab"] == lab:
            assert row["mean"] <= 0.1 and row["full"] <= 1, row


def test_rows_of_other_code_are_named() -> None:
    """They are no error: python -m labs.reckoning makes them anew. But whoever changes what a part measures is told."""
    stale = [f"{lab}: {number} rows" for lab in LABS if (number := reckoning.stale(lab))]
    stale += [
        row["lab"]
        for row in reckoning_of_numbers.read_rows()
        if row["code"] != reckoning_of_numbers.code_of(row["lab"])
    ]
    if stale:
        warnings.warn(f"reckoned with other code than there is now: {', '.join(stale)}", stacklevel=1)


def test_a_limit_changes_no_rows_code_and_what_is_measured_does(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (reckoning.ASSIGNMENTS / "judges" / "lab3_denoising.py").read_text(encoding="utf-8")
    reached = reckoning.reached_text(text, "measure_restorer")
    assert "MOST" not in reached and "scribbles(generator, 2000)" in reached and "OneCycleLR" in reached
    assert reckoning.reached_text(text.replace("MOST = {", "MOST = {'x': 1, "), "measure_restorer") == reached


def test_the_text_has_the_rows_figures() -> None:
    assert reckoning.table() in TEXT.read_text(encoding="utf-8"), "python -m labs.reckoning --table writes it anew"


def test_a_miss_is_trained_once_more_with_seeds_of_its_own() -> None:
    seen: list[int] = []

    def measure(ask: Any, generator: np.random.Generator) -> dict[str, float]:
        seen.append(int(generator.integers(2**62)))
        return {"error": float(len(seen))}

    def judged(limit: float, better: bool = True) -> Mark:
        seen.clear()
        verdict = lambda found: Mark(float((found["error"] >= limit) if better else 0.5))  # noqa: E731
        return Trained(measure, verdict)(None, np.random.default_rng(3))  # type: ignore[arg-type]

    assert judged(1).share == 1 and len(seen) == 1
    assert judged(2).share == 1 and len(seen) == 2 and seen[0] != seen[1]
    assert judged(3).share == 0 and len(seen) == 2
    first = list(seen)
    judged(3)
    assert seen == first, "the same private seed marks the same"
    wrong_shape = Mark(0.0, "wrong shape")
    assert Trained(lambda *_: wrong_shape, lambda _: Mark(1.0))(None, np.random.default_rng(3)) == wrong_shape  # type: ignore[arg-type]


@pytest.mark.long("assignments/**/*.py", "autoencoder_lab/grading/inside/*.py")
@pytest.mark.parametrize("lab", LABS)
def test_two_rows_come_out_again(lab: str) -> None:
    """One id, both draws, of the reference: today's figures are the stored ones, but for the processor's rounding."""
    for _, rows in rows_of(lab, "reference"):
        for row in rows[:2]:
            again = reckoning.measure(Answer(lab, "reference", "reference"), row["id"], row["draw"])
            for name, value in row["figures"].items():
                assert again["figures"][name] == pytest.approx(value, rel=0.15, abs=0.02), (name, row)


@pytest.mark.long("assignments/**/*.py", "autoencoder_lab/grading/inside/*.py")
@pytest.mark.parametrize("lab", LABS)
def test_the_sandbox_measures_what_the_reckoning_does(lab: str, sandbox: Any) -> None:
    """The part's own generator, in the sandbox and outside: the same figures, to rounding."""
    from autoencoder_lab.grading import grade as grading
    from autoencoder_lab.grading.notebook_file import cells_of
    from labs.sources import answers_of, handed_in

    cells = cells_of(handed_in(lab, answers_of(lab)))
    grader = grading._Grader("student", cells, judge_of(lab), sandbox, 5)
    part = reckoning.trained_part(lab)
    assert isinstance(part.judge, Trained)
    found = [part.judge.measure(reckoning.asker(Answer(lab, "reference", "reference")), np.random.default_rng(1))]

    def measured(ask: Any, generator: np.random.Generator) -> Mark:
        assert isinstance(part.judge, Trained)
        found.append(part.judge.measure(ask, np.random.default_rng(1)))
        return Mark(1.0)

    grader._staged(dataclasses.replace(part, judge=measured))
    assert isinstance(found[0], dict) and isinstance(found[1], dict)
    for name, value in found[0].items():
        assert found[1][name] == pytest.approx(value, rel=1e-3, abs=1e-3), name


def test_rows_are_confirmed_where_two_draws_come_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lab, kept = "lab1_linear", list[Row]()
    reference, other = answers(lab)[:2]

    def row(answer: Answer, student: int, draw: int, error: float, code: str) -> Row:
        figures = {"error": error, "before": 4.0}
        return {"answer": answer.name, "kind": answer.kind, "id": student, "draw": draw, "code": code} | {
            "figures": figures,
            "said": "",
        }

    monkeypatch.setattr(reckoning, "answers", lambda _: [reference, other])
    monkeypatch.setattr(reckoning, "code_of", lambda answer: "new")
    monkeypatch.setattr(reckoning, "measure", lambda answer, student, draw: row(answer, student, draw, 1.003, "new"))
    stored = [row(reference, student, draw, 1 + student / 10, "old") for student in range(3) for draw in (0, 1)]
    stored += [row(other, student, draw, 1.5, "old") for student in range(3) for draw in (0, 1)]
    monkeypatch.setattr(reckoning, "read_rows", lambda _: [dict(one) for one in stored])
    monkeypatch.setattr(reckoning, "write_rows", lambda _, rows: kept.extend(rows))
    reckoning.confirm(lab)
    assert [one["code"] for one in kept] == ["new"] * 6 + ["old"] * 6
    assert [one["figures"] for one in kept] == [one["figures"] for one in stored], "what was measured stays"


def test_answers_are_told_apart_by_what_they_run() -> None:
    one, other = answers("lab1_linear")[:2]
    assert reckoning.code_of(one) != reckoning.code_of(other)
    assert reckoning.code_of(one) == reckoning.code_of(dataclasses.replace(one, name="another name"))
