"""Tests that need not run at every push: hundreds of draws, load, large classes, every state of a widget, long fuzz.

A test marked `long` runs only where it is asked for:

    pytest --long=new     what the present code has not passed yet (make long); a row is kept of each that passes
    pytest --long=all     all of them, with new rows
    pytest --long=some    what .ci/run does: every long test must have a row, those of other code than there is now are
                          named, and a few run again, others each day, for about --long-minutes; nothing is kept

The rows stand in long_results.jsonl: the test's name without its file, its seconds, the versions, and a hash of the
code it rests on: its file, the files of tests/ that this one imports, each conftest.py above it, and what all of these
reach in the library. `@pytest.mark.long("assignments/judges/*.py")` adds files that a test finds by their path.

What takes long together has a row for a whole file: the cells of a notebook, which nbval runs, and a file's slow tests.
A notebook's row is of the built file and of what its code reaches in the library. The slow tests start servers,
browsers and sandboxes whose code no import leads to, so their row is of every file of the package, the labs and the
notebooks' sources, and of the files that `files_of` gives.

    pytest --nbval-lax notebooks tests                 everything but the long tests
    pytest --nbval-lax --due notebooks tests           what make test does: of notebooks and slow tests those without a
                                                       row of the present code, and of the others some, in turn
    pytest --nbval-lax --long=new notebooks tests      what make long does: the long tests, notebooks and slow tests
                                                       without such a row
"""

import ast
import hashlib
import json
import os
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
EVERYTHING = (
    "autoencoder_lab/**/*", "assignments/source/**/*", "assignments/judges/**/*", "notebooks/**/*.py",
    "tests/fixtures/**/*", "Makefile", "pyproject.toml", "constraints.txt",
)  # fmt: skip
NOTEBOOK_DAYS, FILE_DAYS = 8, 4  # after so many days every notebook, and every file's slow tests, have been run
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
    """The name of the row that an item belongs to: a long test's own, that of a notebook or of a file's slow tests."""
    if item.path.suffix == ".ipynb":
        return item.path.name
    if item.get_closest_marker("long"):
        return item.name
    if item.get_closest_marker("slow") and not item.get_closest_marker("daily"):
        return item.path.relative_to(TESTS).as_posix()
    return None


def notebook_hash(notebook: Path) -> str:
    """Twelve hexadecimal digits for a built notebook as it is stored, and for what its code reaches in the library."""
    from notebook_tools import SOURCES, build  # most runs of pytest have no notebook in them

    source = {source.stem: source for source in SOURCES}[notebook.stem]
    return _digest([notebook.read_bytes(), build.library_hash(source).encode()])


def slow_hash(test: Path) -> str:
    """Twelve hexadecimal digits for what a file's slow tests may rest on."""
    return _digest([_everything().encode(), *(file.read_bytes() for file in files_of(test))])


@cache
def _everything() -> str:
    files = {file for pattern in EVERYTHING for file in ROOT.glob(pattern) if file.is_file()}
    return _digest(
        part
        for file in sorted(files)
        if "__pycache__" not in file.parts
        for part in (file.relative_to(ROOT).as_posix().encode(), file.read_bytes())
    )


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\0".join(part.replace(b"\r\n", b"\n") for part in parts)).hexdigest()[:12]


def turn_of_the_day() -> int:
    """A number that grows by one each day; AUTOENCODER_LAB_ROTATION gives another."""
    return int(os.environ.get("AUTOENCODER_LAB_ROTATION") or date.today().toordinal())


def due(code: dict[str, str], rows: dict[str, Row], turn: int) -> set[str]:
    """What make test runs: all without a row of the present code, and a share of the others. code: {row: hash}."""
    notebooks = sorted(name for name in code if name.endswith(".ipynb"))
    files = sorted(code.keys() - set(notebooks))
    its_turn = {*notebooks[turn % NOTEBOOK_DAYS :: NOTEBOOK_DAYS], *files[turn % FILE_DAYS :: FILE_DAYS]}
    return its_turn | {name for name in code if rows.get(name, {}).get("code") != code[name]}


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
    group.addoption("--due", action="store_true", help="of notebooks and slow tests, run what is due")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("long") in ("new", "all") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())


@pytest.hookimpl(tryfirst=True)  # before -k and -m: a row is of all of a file's slow tests
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves what is asked for, and tells each item that a row is kept of which row that is."""
    which, rows = config.getoption("long"), read_rows()
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        if name := row_name(item):
            groups.setdefault(name, []).append(item)
    long_ones = {name for name, group in groups.items() if group[0].get_closest_marker("long")}
    for name in long_ones:
        if len(groups[name]) > 1:
            raise pytest.UsageError(f"two long tests are called {name}; a row is known by the name alone")
    code = {name: _code_of(groups[name][0]) for name in groups if which or config.getoption("due")}
    in_part = any("::" in argument for argument in config.args)  # then no file is whole, and none gets a row
    for name, present in code.items():
        parts = 0 if in_part and name not in long_ones else len(groups[name])
        for item in groups[name]:
            item.user_properties.append(("long", (name, present, parts)))
    if which:
        asked = {name: present for name, present in code.items() if name in long_ones or which != "some"}
        kept = chosen(which, asked, rows, config.getoption("long_minutes"))
        if which == "some":
            config.stash[STALE] = sorted(name for name in asked if rows[name]["code"] != asked[name])
    else:
        others = groups.keys() - long_ones
        in_turn = {name: present for name, present in code.items() if name in others}
        kept = {None} | (due(in_turn, rows, turn_of_the_day()) if config.getoption("due") else others)
    config.hook.pytest_deselected(items=[item for item in items if row_name(item) not in kept])
    items[:] = [item for item in items if row_name(item) in kept]


def _code_of(item: pytest.Item) -> str:
    if item.path.suffix == ".ipynb":
        return notebook_hash(item.path)
    marked = item.get_closest_marker("long")
    return code_hash(item.path, *marked.args) if marked else slow_hash(item.path)


STALE = pytest.StashKey[list[str]]()


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    stale = config.stash.get(STALE, [])
    return [f"warning: {name} was not run with the present code; make long runs it" for name in stale]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if session.config.getoption("long") and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK  # all have passed with the present code


class Recorder:
    """Keeps a row of each long test that passes, and of each file that passes whole, as soon as it has."""

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
