"""Tests that need not run at every push: hundreds of draws, load, large classes, every state of a widget, long fuzz.

A test marked `long` runs only where it is asked for:

    pytest --long=new     what the present code has not passed yet (make long); a row is kept of each that passes
    pytest --long=all     all of them, with new rows
    pytest --long=some    what .ci/run does: every long test must have a row, those of other code than there is now are
                          named, and a few run again, others each day, for about --long-minutes; nothing is kept

The rows stand in long_results.jsonl: the test's name without its file, its seconds, the versions, and a hash of the
code it rests on: its file, the files of tests/ that this one imports, each conftest.py above it, and what all of these
reach in the library. `@pytest.mark.long("assignments/judges/*.py")` adds files that a test finds by their path.
"""

import ast
import hashlib
import json
import platform
from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from autoencoder_lab.files import write_whole
from autoencoder_lab.grading.dependencies import ROOT, Tree

TESTS = Path(__file__).parent
RESULTS = TESTS / "long_results.jsonl"
PACKAGES = ("torch", "numpy", "scikit-learn", "scikit-image")
Row = dict[str, Any]


# --- rows ------------------------------------------------------------------------------------------


def read_rows() -> dict[str, Row]:
    """The stored row of each test that has one, by the test's name."""
    lines = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    return {row["test"]: row for row in map(json.loads, lines)}


def write_rows(rows: Iterable[Row]) -> None:
    """All rows, in the order of their names; a kill in between leaves the old file whole."""
    ordered = sorted(rows, key=lambda row: str(row["test"]))
    write_whole(RESULTS, "".join(json.dumps(row) + "\n" for row in ordered))


# --- the code a test rests on ----------------------------------------------------------------------


def files_of(test: Path) -> list[Path]:
    """A test's file, the conftest.py beside and above it, and the files of tests/ that these import."""
    above = [folder / "conftest.py" for folder in test.parents if folder.is_relative_to(TESTS)]
    found: list[Path] = []
    waiting = [test, *above]
    while waiting:
        file = waiting.pop()
        if file in found or not file.exists():
            continue
        found.append(file)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                waiting.append(TESTS.joinpath(*node.module.split(".")).with_suffix(".py"))
    return sorted(found)


@cache
def _tree() -> Tree:
    return Tree(shown=True)  # tests read what an error says


@cache
def code_hash(test: Path, *reads: str) -> str:
    """Twelve hexadecimal digits for all that a test's file rests on; reads: patterns of further files."""
    tree, parts = _tree(), []
    for file in (*files_of(test), *(file for pattern in reads for file in ROOT.glob(pattern))):
        python = file.suffix == ".py"
        parts.append(tree.notebook(file.read_text(encoding="utf-8")) if python else file.read_text(encoding="utf-8"))
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:12]


# --- choosing --------------------------------------------------------------------------------------


def rotation(rows: dict[str, Row], day: date, minutes: float) -> set[str]:
    """The tests to run again today: as many as fit by their stored seconds, and the day's first, whatever it takes."""
    names, left, chosen = sorted(rows), 60 * minutes, set[str]()
    start = day.toordinal() % max(len(names), 1)
    for name in names[start:] + names[:start]:
        if rows[name]["seconds"] <= left or not chosen:
            chosen.add(name)
            left -= rows[name]["seconds"]
    return chosen


def chosen(which: str, code: dict[str, str], rows: dict[str, Row], minutes: float) -> set[str]:
    """Which of the long tests to run; code: {test: hash of the present code}. UsageError for a test without a row."""
    if which == "new":
        return {name for name, present in code.items() if rows.get(name, {}).get("code") != present}
    if which == "all":
        return set(code)
    if missing := sorted(code.keys() - rows.keys()):
        raise pytest.UsageError(f"no row in {RESULTS.name} of {', '.join(missing)}; make long runs what has none")
    return rotation({name: rows[name] for name in code}, date.today(), minutes)


# --- pytest ----------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("long tests")
    group.addoption("--long", choices=("new", "all", "some"), help="run long tests in place of the others")
    group.addoption("--long-minutes", type=float, default=1.5, help="about how long --long=some may take")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("long") in ("new", "all") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    which, code = config.getoption("long"), dict[str, str]()
    long_ones = [item for item in items if item.get_closest_marker("long")]
    for item in long_ones:
        if item.name in code:
            raise pytest.UsageError(f"two long tests are called {item.name}; a row is known by the name alone")
        if which:
            code[item.name] = code_hash(item.path, *item.get_closest_marker("long").args)  # type: ignore[union-attr]
            item.user_properties.append(("long", (item.name, code[item.name])))
    if which:
        rows = read_rows()
        wanted = chosen(which, code, rows, config.getoption("long_minutes"))
        if which == "some":
            config.stash[STALE] = sorted(name for name in code if rows[name]["code"] != code[name])
        kept = [item for item in long_ones if item.name in wanted]
    else:
        kept = [item for item in items if item not in long_ones]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


STALE = pytest.StashKey[list[str]]()


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    stale = config.stash.get(STALE, [])
    return [f"warning: {name} was not run with the present code; make long runs it" for name in stale]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if session.config.getoption("long") and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK  # all have passed with the present code


class Recorder:
    """Keeps a row of each long test that passes, as soon as it has."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            name, code = dict(report.user_properties)["long"]  # type: ignore[misc]
            versions = {"python": platform.python_version(), "machine": platform.machine()}
            versions |= {package: version(package) for package in PACKAGES}
            row = {"test": name, "seconds": round(report.duration, 1), "versions": versions, "code": code}
            write_rows((read_rows() | {name: row}).values())
