"""The stored rows bear out the verdicts, the verdicts can fail, and the runner tells old rows from new."""

import json
import math
import re
import statistics
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch

from autoencoder_lab.models import CCAE
from evidence import checkout, claims_page, runner
from evidence.claims import c39, c55
from evidence.common import STUDENT_T, UNDECIDED, WORDS, difference, digits, over_seeds, ratio, shuffled_rows


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


@pytest.mark.parametrize(
    ("switches", "keywords"),
    [(c39.READINGS["literal"], {"views": "none", "judge": "live"}), (c39.OURS, {"views": "crop", "agreement": 0.2})],
)
def test_the_readings_of_c39_begin_and_end_with_the_librarys(
    switches: dict[str, Any], keywords: dict[str, Any]
) -> None:
    reading, model = c39.Reading(**switches), CCAE(32, **c39.SIZE, **keywords)
    model.load_state_dict(reading.state_dict())
    x = digits(40).train.images
    totals = []
    for each in (reading, model):
        torch.manual_seed(1)  # which draws the crops
        totals.append(each.loss(x).total)
    assert totals[0].item() == pytest.approx(totals[1].item(), rel=1e-5)


def test_the_eager_generator_of_c55_moves_more_often_than_the_critic() -> None:
    critic, *generator = c55.Eager(8).steps()
    assert len(generator) == c55.MOVES > 1 and all(step is generator[0] for step in generator)
    assert critic is not generator[0]


def test_page_is_in_step_with_the_rows() -> None:
    assert claims_page.PAGE.read_text(encoding="utf-8") == claims_page.page(), (
        "python -m evidence writes docs/claims.md anew"
    )


@pytest.mark.parametrize("name", runner.IDS)
def test_page_points_to_a_section_that_exists(name: str) -> None:
    source, section = claims_page.source(name), runner.claim(name).SECTION
    headings = re.findall(r"(?m)^# ## (.+)$", source.read_text(encoding="utf-8"))
    found = [heading for heading in headings if section in (heading, heading.split(" · ")[0])]
    assert len(found) == 1 and not found[0].split(" · ")[0] == "Deeper" != section.split(" · ")[0]


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


@pytest.fixture
def stale_rows(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two claims with rows made by other code than there is now; their experiments run in threads of this process."""
    for name in ("C13", "C100"):
        for seed in runner.SEEDS:
            runner.write_row(row(name, seed, code="before", mse=0.25, fit_seconds=1.0))
    monkeypatch.setattr(runner, "code_hash", lambda name: f"now {name}")
    monkeypatch.setattr(runner, "ProcessPoolExecutor", lambda jobs, **_: ThreadPoolExecutor(jobs))


def ran(**figures: float) -> Callable[[str, int], runner.Row]:
    """In place of `run_one`: what the present code gives."""
    return lambda name, seed: row(name, seed, code=f"now {name}", **figures)


@pytest.mark.usefixtures("stale_rows")
@pytest.mark.parametrize(("again", "confirmed"), [(0.2500001, True), (0.2501, False)])
def test_rows_are_confirmed_only_by_the_same_figures(
    monkeypatch: pytest.MonkeyPatch, again: float, confirmed: bool
) -> None:
    monkeypatch.setattr(runner, "run_one", ran(mse=again, fit_seconds=9.0))
    assert len(runner.confirm(["C13", "C100"], jobs=2)) == (0 if confirmed else 2)
    assert runner.stale(["C13", "C100"]) == ([] if confirmed else ["C13", "C100"])
    assert all(one["figures"] == {"mse": 0.25, "fit_seconds": 1.0} for one in runner.read_rows("C13"))


@pytest.mark.usefixtures("stale_rows")
def test_what_is_confirmed_is_written_at_once_and_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def stop_at_the_second(name: str, seed: int) -> runner.Row:
        begun.append(name)
        if len(begun) == 2:
            raise RuntimeError("stopped")
        return ran(mse=0.25, fit_seconds=2.0)(name, seed)

    monkeypatch.setattr(runner, "run_one", stop_at_the_second)
    assert runner.confirm(["C13", "C100"]) == ["C100: RuntimeError: stopped"]
    assert runner.confirm(["C13", "C100"]) == [] and begun == ["C13", "C100", "C100"]


@pytest.fixture
def commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A repository with one commit, in place of this one; its full hash."""
    repository = tmp_path / "repository"
    (repository / "evidence").mkdir(parents=True)
    (repository / "evidence" / "c13.py").write_text("FIGURE = 0.26\n", encoding="utf-8")
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--no-gpg-sign", "-m", "then"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.setattr(checkout, "ROOT", repository)
    monkeypatch.setattr(runner, "THEN", tmp_path / "then")
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, stdout=subprocess.PIPE, text=True)
    return head.stdout.strip()


@pytest.mark.usefixtures("stale_rows")
@pytest.mark.parametrize(
    ("then", "code", "confirmed"), [(0.26, "before", True), (0.2601, "before", False), (0.26, "another", False)]
)
def test_where_this_machine_rounds_otherwise_the_earlier_code_decides(
    commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: float, code: str, confirmed: bool
) -> None:
    monkeypatch.setattr(runner, "run_one", ran(mse=0.26, fit_seconds=1.0))
    assert len(runner.confirm(["C13", "C100"])) == 2, "nothing to compare with"
    trees = []

    def run_in(tree: Path, name: str) -> runner.Row:
        trees.append(tree)
        assert (tree / "evidence" / "c13.py").read_text(encoding="utf-8") == "FIGURE = 0.26\n"
        return row(name, code=code, mse=then, fit_seconds=5.0)

    monkeypatch.setattr(runner, "_run_in", run_in)
    assert bool(runner.confirm(["C13", "C100"], commit[:10])) is not confirmed
    assert len(trees) == 2 and len(set(trees)) == 1, "checked out once"
    assert not trees[0].exists()
    assert sorted(file.name for file in (tmp_path / "then" / commit).iterdir()) == ["C100.json", "C13.json"]
    assert all(one["figures"] == {"mse": 0.25, "fit_seconds": 1.0} for one in runner.read_rows("C13"))


@pytest.mark.usefixtures("stale_rows")
def test_what_an_earlier_commit_gave_here_is_kept(commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "run_one", ran(mse=0.26, fit_seconds=1.0))
    kept = tmp_path / "then" / commit / "C13.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps(row(code="before", mse=0.26, fit_seconds=7.0)), encoding="utf-8")
    monkeypatch.setattr(runner, "_run_in", lambda tree, name: pytest.fail(f"{name} is run again"))
    assert runner.confirm(["C13"], "HEAD") == []
    with pytest.raises(ValueError, match="git knows no commit 'nowhere'"):
        runner.confirm(["C100"], "nowhere")


def test_ids_are_ordered_by_their_numbers(tmp_path: Path) -> None:
    for name in ("c100", "c20", "c01", "common", "c2_draft"):
        (tmp_path / f"{name}.py").touch()
    assert runner.claims(tmp_path) == ("C01", "C20", "C100")


# --- running a few again ---------------------------------------------------------------------------


def test_band_takes_in_every_stored_row_and_leaves_out_a_change(results: Path) -> None:
    for seed in runner.SEEDS:
        runner.write_row(row(seed=seed, mse=0.010 + 0.0001 * seed, fit_seconds=1.0))
    assert all(runner.outside_band("C13", one | {"fit_seconds": 99.0}) == [] for one in runner.figures("C13"))
    # 0.010 … 0.0104, widened by 0.0004 + 0.00104 + 0.001 = 0.00244
    assert runner.outside_band("C13", {"mse": 0.0128}) == []
    assert "mse is 0.0129" in runner.outside_band("C13", {"mse": 0.0129})[0]
    assert runner.outside_band("C13", {"mse": 0.0075})


@pytest.mark.slow
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
