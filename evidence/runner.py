"""Run experiments, store their rows, validate them, and write docs/claims.md.

A row is one claim and one training seed: figures, seconds, threads, versions, and a hash of the code that made them. It
is written as soon as it is there; a row made by the present code is not made again.
"""

import importlib
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, as_completed, wait
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import cache
from importlib.metadata import version
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from autoencoder_lab.files import write_whole
from autoencoder_lab.grading.dependencies import Tree
from evidence.checkout import checked_out, full_hash
from evidence.common import SEEDS

Row = dict[str, Any]

HERE = Path(__file__).parent
RESULTS = HERE / "results"
THEN = HERE / ".then"  # what earlier commits' code gives on this machine; no part of the repository


def claims(folder: Path) -> tuple[str, ...]:
    """The ids of the experiments in a folder, c01.py … c100.py, by their numbers."""
    stems = (file.stem for file in folder.glob("c*.py"))
    return tuple(sorted((stem.upper() for stem in stems if stem[1:].isdigit()), key=lambda name: int(name[1:])))


IDS = claims(HERE / "claims")
PACKAGES = ("torch", "numpy", "scikit-learn", "scikit-image")
KEYS = {"id", "seed", "figures", "seconds", "threads", "versions", "code"}


def claim(name: str) -> ModuleType:
    """The module of one claim. Raises ValueError for an id there is none for."""
    if name not in IDS:
        raise ValueError(f"no experiment for {name!r}; there are {', '.join(IDS)}")
    return importlib.import_module(f"evidence.claims.{name.lower()}")


@cache
def _tree() -> Tree:
    return Tree()


def code_hash(name: str) -> str:
    """Twelve hexadecimal digits for an experiment and all the project's code that makes its figures."""
    return _tree().experiment(name.lower())


# --- stored rows -----------------------------------------------------------------------------------


def read_rows(name: str) -> list[Row]:
    """The stored rows of a claim, by seed; none where there is no file."""
    file = RESULTS / f"{name}.jsonl"
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def write_row(row: Row) -> None:
    """Put a row in its place; a kill in between leaves the old file whole."""
    rows = {old["seed"]: old for old in read_rows(row["id"])} | {row["seed"]: row}
    file = RESULTS / f"{row['id']}.jsonl"
    file.parent.mkdir(exist_ok=True)
    write_whole(file, "".join(json.dumps(rows[seed]) + "\n" for seed in sorted(rows)))


def figures(name: str) -> list[dict[str, float]]:
    """What a claim's `verdict` takes: the figures of its stored rows."""
    return [row["figures"] for row in read_rows(name)]


# --- running ---------------------------------------------------------------------------------------


def run_one(name: str, seed: int) -> Row:
    """One experiment with one seed, on one thread; the row it makes, not yet stored."""
    import torch

    torch.set_num_threads(1)
    code = code_hash(name)  # before the code is imported: it may be edited while it runs
    started = time.perf_counter()
    result = claim(name).experiment(seed)
    return {
        "id": name,
        "seed": seed,
        "figures": {key: float(f"{value:.6g}") for key, value in result.items()},
        "seconds": round(time.perf_counter() - started, 1),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "machine": platform.machine()}
        | {p: version(p) for p in PACKAGES},
        "code": code,
    }


def missing(names: Iterable[str], seeds: Sequence[int] = SEEDS) -> list[tuple[str, int]]:
    """Claims and seeds without a row made by the present code, one seed of every claim before the next seed."""
    names = list(names)
    current = {(row["id"], row["seed"]) for name in names for row in read_rows(name) if row["code"] == code_hash(name)}
    return [(name, seed) for seed in seeds for name in names if (name, seed) not in current]


def run(names: Iterable[str], seeds: Sequence[int] = SEEDS, jobs: int = 1) -> list[str]:
    """Run what is missing or was made by other code, `jobs` at a time, and store each row as it comes.

    Returns what failed: one experiment's error does not keep the others from running.
    """
    wanted = missing(names, seeds)
    print(f"{len(wanted)} rows to make", flush=True)
    os.environ["OMP_NUM_THREADS"] = "1"  # before the workers start: their libraries read it once
    failed = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(run_one, name, seed): f"{name} seed {seed}" for name, seed in wanted}
        for count, done in enumerate(as_completed(waiting), 1):
            if (error := done.exception()) is not None:
                failed.append(f"{waiting[done]}: {type(error).__name__}: {error}")
                print(failed[-1], flush=True)
                continue
            row = done.result()
            write_row(row)
            print(f"{count}/{len(wanted)} {waiting[done]}: {row['seconds']} s", flush=True)
    return failed


# --- validating ------------------------------------------------------------------------------------


def faults(name: str) -> list[str]:
    """What is wrong with a claim's stored rows; none if they bear out the verdict the claim's module expects."""
    rows = read_rows(name)
    if [row.get("seed") for row in rows] != list(SEEDS):
        return [f"{name}: expected a row for each of the seeds {SEEDS}, got {[row.get('seed') for row in rows]}"]
    found = []
    for row in rows:
        where = f"{name} seed {row['seed']}"
        if set(row) != KEYS:
            found.append(f"{where}: expected the keys {sorted(KEYS)}, got {sorted(row)}")
        elif row["id"] != name or row["threads"] != 1 or not set(PACKAGES) <= set(row["versions"]):
            found.append(f"{where}: id, threads or versions are not as they should be")
        elif set(row["figures"]) != set(rows[0]["figures"]) or not all(map(math.isfinite, row["figures"].values())):
            found.append(f"{where}: a figure is missing or is no finite number")
    if not found:
        word = claim(name).verdict(figures(name)).word
        if word != claim(name).EXPECTED:
            found.append(f"{name}: the rows say “{word}”, the claim's module expects “{claim(name).EXPECTED}”")
    return found


def stale(names: Iterable[str] = IDS) -> list[str]:
    """Claims with a row that other code made than there is now."""
    return [name for name in names if any(row["code"] != code_hash(name) for row in read_rows(name))]


class Earlier(NamedTuple):
    """An earlier commit: where it is checked out, and the folder that keeps what its code gives on this machine."""

    tree: Path
    kept: Path

    def row(self, name: str) -> Row:
        """Seed 0 of a claim by that commit's code; run once, then read. Its hash in it is that commit's own."""
        file = self.kept / f"{name}.json"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, json.dumps(_run_in(self.tree, name)) + "\n")
        found: Row = json.loads(file.read_text(encoding="utf-8"))
        return found


@contextmanager
def _earlier(commit: str, names: Iterable[str]) -> Iterator[Earlier]:
    """An earlier commit; checked out once for all claims, and only where one of them was never run by its code.

    Raises ValueError for a commit that git does not know.
    """
    kept = THEN / full_hash(commit)
    if all((kept / f"{name}.json").exists() for name in names):
        yield Earlier(kept, kept)
    else:
        with checked_out(commit) as tree:
            yield Earlier(tree, kept)


def _run_in(tree: Path, name: str) -> Row:
    """Seed 0 of a claim by the code in another folder."""
    program = f"import json; from evidence import runner; print(json.dumps(runner.run_one({name!r}, 0)))"
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}  # before the installed library
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tree, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def confirm(names: Iterable[str] = IDS, against: str | None = None, jobs: int = 1) -> list[str]:
    """After a change of the code that should change no figure: prove it by one run of each stale claim.

    Where seed 0 gives the stored figures again, to five digits (time and memory apart), the rows count as made by the
    present code. Another processor rounds otherwise and may drift from the stored figures; then `against`, a commit
    whose code made the rows, is run here as well, and has to give what the present code gives. `jobs` claims are run at
    a time, and each is written as it comes: what is confirmed need not be run again after a stop. The claims for which
    neither holds are returned; they need new rows.
    """
    wanted, changed = stale(names), []
    os.environ["OMP_NUM_THREADS"] = "1"  # before the workers start: their libraries read it once
    with ExitStack() as stack:
        earlier = stack.enter_context(_earlier(against, wanted)) if against and wanted else None
        pool = stack.enter_context(ProcessPoolExecutor(jobs, mp_context=get_context("spawn")))
        waiting = {pool.submit(_again, name, earlier): name for name in wanted}
        for count, done in enumerate(as_completed(waiting), 1):
            name, error = waiting[done], done.exception()  # an error does not keep the others from running
            if error is None and (code := done.result()) is not None:
                _renew(name, code)
                told = "confirmed"
            else:
                other = f"other figures than the stored ones; python -m evidence {name} makes new rows"
                told = f"{type(error).__name__}: {error}" if error else other
                changed.append(f"{name}: {told}")
            print(f"{count}/{len(wanted)} {name}: {told}", flush=True)
    return changed


def _again(name: str, earlier: Earlier | None) -> str | None:
    """Run seed 0 of a claim again: the present code's hash where the figures are the stored ones or an earlier commit's
    that made them, else None."""
    old, new = _seed_0(name), run_one(name, 0)
    if _same_figures(old, new):
        return str(new["code"])
    then = earlier.row(name) if earlier else old
    return str(new["code"]) if then["code"] == old["code"] and _same_figures(then, new) else None


def _seed_0(name: str) -> Row:
    return next(row for row in read_rows(name) if row["seed"] == 0)


def _renew(name: str, code: str) -> None:
    """What the code of seed 0's row made counts as made by the present code."""
    then = _seed_0(name)["code"]
    for row in read_rows(name):
        if row["code"] == then:
            write_row(row | {"code": code})


def _same_figures(old: Row, new: Row) -> bool:
    """To five digits; what was measured with a clock or in memory only has to be there."""
    compared = {key for key in old["figures"] if not key.endswith(("seconds", "megabytes"))}
    return new["figures"].keys() == old["figures"].keys() and all(
        math.isclose(new["figures"][key], old["figures"][key], rel_tol=1e-5) for key in compared
    )


def outside_band(name: str, new: dict[str, float]) -> list[str]:
    """Figures of a new run outside the stored ones.

    The band reaches from the smallest to the largest stored figure, widened on either side by their range plus 10 % of
    the largest magnitude plus 0.001: another processor rounds otherwise, and so ends as far off as another seed would.
    Seconds are not compared.
    """
    stored, found = figures(name), []
    for key in stored[0]:
        if key.endswith("seconds"):
            continue
        values = [row[key] for row in stored]
        low, high = min(values), max(values)
        slack = (high - low) + 0.1 * max(abs(low), abs(high)) + 1e-3
        if not low - slack <= new[key] <= high + slack:
            found.append(f"{name}: {key} is {new[key]:.4g}, stored {low:.4g} to {high:.4g}, allowed ± {slack:.2g}")
    return found


def rotation(day: date, minutes: float, jobs: int = 1) -> list[tuple[str, int]]:
    """The claims and seeds to run again today: as many as fit by their stored seconds, another start every day.

    `jobs` run at a time, each for so many minutes. The day's first is among them even if it takes longer by itself, or
    its turn would never come.
    """
    chosen: list[tuple[str, int]] = []
    left = [60 * minutes] * jobs
    for i in range(len(IDS)):
        turn = day.toordinal() + i
        name, seed = IDS[turn % len(IDS)], SEEDS[turn // len(IDS) % len(SEEDS)]
        needed = max((row["seconds"] for row in read_rows(name)), default=math.inf)
        job = left.index(max(left))
        if needed <= left[job] or i == 0:
            chosen.append((name, seed))
            left[job] -= needed
    return chosen


def rerun_some(minutes: float, day: date | None = None, jobs: int = 1) -> list[str]:
    """Run a rotating few again, `jobs` at a time, without storing them; the figures that left their band.

    None is begun once the minutes are over.
    """
    found, deadline = [], time.monotonic() + 60 * minutes
    os.environ["OMP_NUM_THREADS"] = "1"  # before the workers start: their libraries read it once
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        turns = iter(rotation(day or date.today(), minutes, jobs))
        running = {pool.submit(run_one, *turn) for turn in islice(turns, jobs)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for row in (one.result() for one in done):
                found += outside_band(row["id"], row["figures"])
                print(f"{row['id']} seed {row['seed']} again: {row['seconds']} s", flush=True)
            if time.monotonic() < deadline:
                running |= {pool.submit(run_one, *turn) for turn in islice(turns, len(done))}
    return found
