"""The stored rows bear out the verdicts, the verdicts can fail, and the runner tells old rows from new."""

import ast
import json
import math
import statistics
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from evidence import report, runner
from evidence.common import STUDENT_T, UNDECIDED, WORDS, difference, over_seeds, ratio, shuffled_rows

SOURCES = runner.HERE.parent / "notebooks" / "source"


def row(name: str = "C13", seed: int = 0, code: str = "", **figures: float) -> runner.Row:
    """A well-formed row."""
    versions = dict.fromkeys(("python", "machine", *runner.PACKAGES), "1.0")
    return {
        "id": name, "seed": seed, "figures": figures or {"mse": 0.5}, "seconds": 1.0, "threads": 1,
        "versions": versions, "code": code or runner.code_hash(name),
    }  # fmt: skip


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of evidence/results."""
    monkeypatch.setattr(runner, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


# --- the verdicts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", runner.IDS)
def test_verdict_is_borne_out(name: str) -> None:
    assert runner.faults(name) == []


@pytest.mark.parametrize("name", runner.IDS)
def test_verdict_is_undecided_where_the_spread_swamps_everything(name: str) -> None:
    keys = runner.figures(name)[0].keys()
    rng = np.random.default_rng(1)
    # signs alternate and magnitudes grow: no mean is more than t standard errors from 0
    rows = [{key: 1000 * (-1.0) ** i * (1 + rng.random()) for key in keys} for i in range(5)]
    rows = [{key: value + 1e4 * rng.normal() for key, value in one.items()} for one in rows]
    assert runner.claim(name).verdict(rows).word == UNDECIDED


@pytest.mark.parametrize("name", runner.IDS)
def test_each_claim_says_what_it_is_about(name: str) -> None:
    module = runner.claim(name)
    assert module.__doc__ and module.__doc__.startswith(f"{name}: ")
    assert module.EXPECTED in WORDS and module.SLIDE and module.CLAIM


@pytest.mark.parametrize(("factor", "word"), [(0.1, "right"), (10.0, "wrong")])
def test_conv_against_dense_turns_with_its_figures(factor: float, word: str) -> None:
    rows = [
        {key: value * (factor if key in ("conv_plain", "conv_augmented") else 1) for key, value in one.items()}
        for one in runner.figures("C13")
    ]
    assert runner.claim("C13").verdict(rows).word == word


def test_page_is_in_step_with_the_rows() -> None:
    assert report.PAGE.read_text(encoding="utf-8") == report.page(), "python -m evidence writes docs/claims.md anew"


@pytest.mark.parametrize("name", runner.IDS)
def test_page_points_to_a_section_that_exists(name: str) -> None:
    notebook, section = report.SECTIONS[name]
    lines = (SOURCES / f"{notebook}.py").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith(f"# ## {section}") for line in lines), f"{notebook} has no section “{section}”"


# --- statistics ------------------------------------------------------------------------------------


def test_spread_is_the_textbook_one_and_differences_are_paired() -> None:
    rows = [{"a": a, "b": b} for a, b in [(1.0, 0.9), (2.0, 1.8), (4.0, 3.9), (8.0, 7.7), (3.0, 2.9)]]
    a, gap = over_seeds(rows, "a"), difference(rows, "a", "b")
    assert math.isclose(a.sd, statistics.stdev([1, 2, 4, 8, 3])) and a.mean == 3.6
    assert math.isclose(gap.sd, statistics.stdev([0.1, 0.2, 0.1, 0.3, 0.1]))
    assert gap.above() and not a.above(3.0)  # the pairs differ surely, though either column is wide
    assert math.isclose(ratio(rows, "b", "a").mean, statistics.mean([0.9, 0.9, 0.975, 0.9625, 2.9 / 3]))


def test_margin_is_students_t_at_five_seeds() -> None:
    from scipy import stats

    assert math.isclose(STUDENT_T, stats.t.ppf(0.975, df=4), abs_tol=0.005)
    spread = over_seeds([{"x": x} for x in (1.0, 2.0, 3.0, 4.0, 5.0)], "x")
    edge = 3 - STUDENT_T * math.sqrt(2.5 / 5)
    assert spread.above(edge - 1e-9) and not spread.above(edge + 1e-9)


def test_figures_are_printed_to_two_digits_of_their_spread() -> None:
    assert str(over_seeds([{"x": 0.0124}, {"x": 0.0126}], "x")) == "0.01250 ± 0.00014"
    assert str(over_seeds([{"x": 0.5}, {"x": 0.5}], "x")) == "0.5"
    assert over_seeds([{"x": 0.8}, {"x": 0.9}], "x").percent == "85.0 ± 7.1 %"


def test_exchanged_codes_leave_no_image_its_own() -> None:
    other = shuffled_rows(100)
    assert (other != other.new_tensor(range(100))).all()
    assert sorted(other.tolist()) == list(range(100))


# --- which code made a row -------------------------------------------------------------------------

SOURCE = '''
LIMIT = 1.0
class Model:
    """Words."""
    learning_rate = 1e-2
    def go(self, x):
        if x > LIMIT:
            raise ValueError("too large")
        return helper(x) * 2
def helper(x):
    return x + 1
def unused(x):
    return x
def experiment(seed):
    return Model().go(seed)
'''


def essence(source: str) -> str:
    known = runner.definitions(source)
    return "\n".join(ast.dump(known[name]) for name in sorted(runner.reached("experiment", known)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Words."""', '"""Other words."""'),
        ('    """Words."""\n', ""),
        ("learning_rate = 1e-2", "learning_rate = 3e-3"),
        ('"too large"', '"larger than one"'),
        ("return helper(x) * 2", "return helper(x) * 2  # twice"),
        ("def unused(x):\n    return x", "def unused(x):\n    return -x"),
    ],
)
def test_hash_ignores_what_changes_no_figure(old: str, new: str) -> None:
    assert old in SOURCE and essence(SOURCE.replace(old, new)) == essence(SOURCE)


@pytest.mark.parametrize(("old", "new"), [("* 2", "* 3"), ("LIMIT = 1.0", "LIMIT = 2.0"), ("x + 1", "x - 1")])
def test_hash_sees_every_formula_on_the_way(old: str, new: str) -> None:
    assert old in SOURCE and essence(SOURCE.replace(old, new)) != essence(SOURCE)


def test_each_claim_reaches_the_library_it_uses() -> None:
    def names(name: str) -> set[str]:
        own = runner.definitions((runner.HERE / f"{name.lower()}.py").read_text(encoding="utf-8"))
        return runner.reached("experiment", runner._library() | own)

    assert {"principal_angles", "fit", "squared_error", "_mnist_5k", "_split_up"} <= names("C10")
    assert {"affine", "ConvAutoencoder", "enlarge", "probe"} <= names("C13")
    assert not {"affine", "ConvAutoencoder", "_photos"} & names("C10")


# --- rows ------------------------------------------------------------------------------------------


def test_rows_are_kept_by_seed_and_written_whole(results: Path) -> None:
    for seed, mse in ((2, 0.2), (0, 0.1), (2, 0.3)):
        runner.write_row(row(seed=seed, mse=mse))
    assert [(one["seed"], one["figures"]["mse"]) for one in runner.read_rows("C13")] == [(0, 0.1), (2, 0.3)]
    assert [file.name for file in results.iterdir()] == ["C13.jsonl"]


def test_only_rows_of_the_present_code_are_not_made_again(results: Path) -> None:
    runner.write_row(row(seed=0))
    runner.write_row(row(seed=1, code="another"))
    assert runner.missing(["C13"], (0, 1, 2)) == [("C13", 1), ("C13", 2)]
    assert runner.stale(["C13"]) == ["C13"]
    runner.write_row(row(seed=1))
    assert runner.stale(["C13"]) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"figures": {"mse": math.nan}}, "no finite number"),
        ({"figures": {"psnr": 1.0}}, "missing"),
        ({"threads": 2}, "threads"),
        ({"versions": {}}, "versions"),
        ({"note": "x"}, "keys"),
    ],
)
def test_a_faulty_row_is_named(results: Path, change: dict[str, object], message: str) -> None:
    for seed in runner.SEEDS:
        runner.write_row(row(seed=seed) | (change if seed == 3 else {}))
    (fault,) = runner.faults("C13")
    assert "C13 seed 3" in fault and message in fault


def test_a_missing_seed_and_a_turned_verdict_are_named(results: Path) -> None:
    stored = [json.loads(line) for line in (runner.HERE / "results" / "C08.jsonl").read_text("utf-8").splitlines()]
    for one in stored[:-1]:
        runner.write_row(one)
    assert "expected a row for each of the seeds" in runner.faults("C08")[0]
    for one in stored:
        runner.write_row(one | {"figures": one["figures"] | {"digits_dense": one["figures"]["digits_pca"]}})
    assert "the rows say “undecided”" in runner.faults("C08")[0]


@pytest.mark.parametrize(("again", "confirmed"), [(0.2500001, True), (0.2501, False)])
def test_rows_are_confirmed_only_by_the_same_figures(
    results: Path, monkeypatch: pytest.MonkeyPatch, again: float, confirmed: bool
) -> None:
    for seed in runner.SEEDS:
        runner.write_row(row(seed=seed, code="before", mse=0.25, fit_seconds=1.0))
    monkeypatch.setattr(runner, "run_one", lambda name, seed: row(name, seed, mse=again, fit_seconds=9.0))
    assert bool(runner.confirm(["C13"])) is not confirmed
    assert runner.stale(["C13"]) == ([] if confirmed else ["C13"])
    assert all(one["figures"] == {"mse": 0.25, "fit_seconds": 1.0} for one in runner.read_rows("C13"))


@pytest.mark.parametrize(
    ("then", "code", "confirmed"), [(0.26, "before", True), (0.2601, "before", False), (0.26, "another", False)]
)
def test_where_this_machine_rounds_otherwise_the_earlier_code_decides(
    results: Path, monkeypatch: pytest.MonkeyPatch, then: float, code: str, confirmed: bool
) -> None:
    for seed in runner.SEEDS:
        runner.write_row(row(seed=seed, code="before", mse=0.25))
    monkeypatch.setattr(runner, "run_one", lambda name, seed: row(name, seed, mse=0.26))
    assert runner.confirm(["C13"])
    asked = []
    monkeypatch.setattr(runner, "run_at", lambda *a: asked.append(a) or row("C13", 0, mse=then) | {"code": code})
    assert bool(runner.confirm(["C13"], "abc123")) is not confirmed
    assert asked == [("abc123", "C13")]
    assert all(one["figures"] == {"mse": 0.25} for one in runner.read_rows("C13"))


# --- running a few again ---------------------------------------------------------------------------


def test_band_takes_in_every_stored_row_and_leaves_out_a_change(results: Path) -> None:
    for seed in runner.SEEDS:
        runner.write_row(row(seed=seed, mse=0.010 + 0.0001 * seed, fit_seconds=1.0))
    assert all(runner.outside_band("C13", one | {"fit_seconds": 99.0}) == [] for one in runner.figures("C13"))
    # 0.010 … 0.0104, widened by 0.0004 + 0.00104 + 0.001 = 0.00244
    assert runner.outside_band("C13", {"mse": 0.0128}) == []
    assert "mse is 0.0129" in runner.outside_band("C13", {"mse": 0.0129})[0]
    assert runner.outside_band("C13", {"mse": 0.0075})


@pytest.mark.parametrize(("minutes", "jobs"), [(5, 1), (3, 2)])
def test_every_claim_and_seed_takes_its_turn_within_the_minutes(minutes: int, jobs: int) -> None:
    days = [date(2024, 1, 1) + timedelta(days=i) for i in range(len(runner.IDS) * len(runner.SEEDS))]
    longest = {name: max(one["seconds"] for one in runner.read_rows(name)) for name in runner.IDS}
    turns = [runner.rotation(day, minutes, jobs) for day in days]
    for (first, _), *rest in turns:
        assert sum(longest[name] for name, _ in rest) <= jobs * 60 * minutes - min(longest[first], 60 * minutes)
        assert all(longest[name] <= 60 * minutes for name, _ in rest)
    assert {pair for turn in turns for pair in turn} == {(name, seed) for name in runner.IDS for seed in runner.SEEDS}
    assert all(len(runner.rotation(day, 0.01, jobs)) == 1 for day in days), "the day's first runs whatever it takes"


def test_two_are_run_again_at_a_time_and_none_is_begun_after_the_minutes(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in runner.SEEDS:
        runner.write_row(row(seed=seed, mse=0.25))
    both_run, begun = Barrier(2), []

    def run_one(name: str, seed: int) -> runner.Row:
        begun.append(seed)
        both_run.wait(timeout=60)
        return row(name, seed, mse=0.25 + seed)

    monkeypatch.setattr(runner, "run_one", run_one)
    monkeypatch.setattr(runner, "ProcessPoolExecutor", lambda jobs, **_: ThreadPoolExecutor(jobs))
    monkeypatch.setattr(runner, "rotation", lambda day, minutes, jobs: [("C13", seed) for seed in range(4)])
    told = runner.rerun_some(1, jobs=2)
    assert sorted(begun) == [0, 1, 2, 3] and len(told) == 3 and all("mse is" in one for one in told)
    begun.clear()
    assert len(runner.rerun_some(0, jobs=2)) == 1 and sorted(begun) == [0, 1]
