"""Tests that need not run at every push: hundreds of draws, load, large classes, every state of a widget, long fuzz.

A test marked `long` runs only where it is asked for:

    pytest --long=new     what the present code has not passed yet (make long); a row is kept of each that passes
    pytest --long=all     all of them, with new rows
    pytest --long=some    what .ci/run does: every long test must have a row, those of other code than there is now are
                          named, and a few run again, others each day, for about --long-minutes; nothing is kept

The rows stand in long_results.jsonl: the test's name without its file, its seconds, the versions, and a hash of the
code it rests on: its file, the files of tests/ that this one imports, each conftest.py above it, and what all of these
reach in the library. `@pytest.mark.long("assignments/judges/*.py")` adds files that a test finds by their path.

A notebook that nbval runs has a row too, of the built file and of what its code reaches in the library:

    pytest --nbval-lax notebooks tests                    every notebook
    pytest --nbval-lax --notebooks=due notebooks tests    what make test does: those without a row of the present code,
                                                          and a quarter of the others, another one each day
    pytest --nbval-lax --long=new notebooks tests         what make long does: those without such a row
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


def row_name(item: pytest.Item) -> str | None:
    """The name of the row that an item belongs to: a long test's own, a notebook's for each of its cells."""
    if item.path.suffix == ".ipynb":
        return item.path.name
    return item.name if item.get_closest_marker("long") else None


def notebook_hash(notebook: Path) -> str:
    """Twelve hexadecimal digits for a built notebook as it is stored, and for what its code reaches in the library."""
    from notebook_tools import SOURCES, build  # most runs of pytest have no notebook in them

    source = {source.stem: source for source in SOURCES}[notebook.stem]
    parts = notebook.read_bytes() + build.library_hash(source).encode()
    return hashlib.sha256(parts).hexdigest()[:12]


def due(code: dict[str, str], rows: dict[str, Row]) -> set[str]:
    """The notebooks that make test runs; code: {notebook: hash of it and of the present code}."""
    from notebook_tools import notebooks_of_the_day

    its_turn = {f"{source.stem}.ipynb" for source in notebooks_of_the_day(4)}
    return code.keys() & its_turn | {name for name in code if rows.get(name, {}).get("code") != code[name]}


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
    group.addoption("--notebooks", choices=("due", "all"), default="all", help="which notebooks nbval runs")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("long") in ("new", "all") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves what is asked for, and tells each item that a row is kept of which row that is."""
    which, rows = config.getoption("long"), read_rows()
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        if name := row_name(item):
            groups.setdefault(name, []).append(item)
    notebooks = {name for name, group in groups.items() if group[0].path.suffix == ".ipynb"}
    for name in groups.keys() - notebooks:
        if len(groups[name]) > 1:
            raise pytest.UsageError(f"two long tests are called {name}; a row is known by the name alone")
    code = {}
    for name in groups if which else notebooks if config.getoption("notebooks") == "due" else ():
        first = groups[name][0]
        if name in notebooks:
            code[name] = notebook_hash(first.path)
        else:
            code[name] = code_hash(first.path, *first.get_closest_marker("long").args)  # type: ignore[union-attr]
        for item in groups[name]:
            item.user_properties.append(("long", (name, code[name], len(groups[name]))))
    if which:
        asked = {name: code[name] for name in groups if name not in notebooks or which != "some"}
        kept = chosen(which, asked, rows, config.getoption("long_minutes"))
        if which == "some":
            config.stash[STALE] = sorted(name for name in asked if rows[name]["code"] != code[name])
    else:
        kept = {None} | (due(code, rows) if code else notebooks)
    left = [item for item in items if row_name(item) not in kept]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if row_name(item) in kept]


STALE = pytest.StashKey[list[str]]()


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    stale = config.stash.get(STALE, [])
    return [f"warning: {name} was not run with the present code; make long runs it" for name in stale]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if session.config.getoption("long") and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK  # all have passed with the present code


class Recorder:
    """Keeps a row of each long test that passes, and of each notebook whose cells all do, as soon as it has."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}  # of what has passed, by the row's name

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" or not report.passed:
            return
        name, code, parts = dict(report.user_properties)["long"]  # type: ignore[misc]
        passed = self.seconds.setdefault(name, [])
        passed.append(report.duration)
        if len(passed) == parts:
            versions = {"python": platform.python_version(), "machine": platform.machine()}
            versions |= {package: version(package) for package in PACKAGES}
            row = {"test": name, "seconds": round(sum(passed), 1), "versions": versions, "code": code}
            write_rows((read_rows() | {name: row}).values())
