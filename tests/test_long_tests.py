"""Long tests run where they are asked for, leave a row when they pass, and are named when that was another code."""

import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import jupytext
import long_tests
import nbformat
import notebook_tools
import pytest

PASSES = """
import pytest

@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_draws(seed): assert seed < MOST

@pytest.mark.long("tests/fixtures/*.py")
def test_of_a_file(): pass

def test_short(): pass

MOST = 3
"""
Run = Callable[..., pytest.ExitCode | int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("--long=new")` on a file of tests of its own, test_draws.py, with rows of its own; its exit status."""
    monkeypatch.setattr(long_tests, "TESTS", tmp_path)
    monkeypatch.setattr(long_tests, "RESULTS", tmp_path / "rows.jsonl")
    markers = "".join(f"    {name}: some tests\n" for name in ("long", "slow", "daily"))
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nmarkers =\n{markers}", encoding="utf-8")
    (tmp_path / "test_draws.py").write_text(PASSES, encoding="utf-8")
    monkeypatch.setattr("sys.dont_write_bytecode", True)  # of a file changed within a second
    options = ["-p", "no:cacheprovider", "--import-mode=importlib", "-q", str(tmp_path)]

    def run_it(*arguments: str) -> pytest.ExitCode | int:
        for name in [name for name in sys.modules if name.endswith("test_draws")]:
            del sys.modules[name]  # it may have changed
        long_tests.code_hash.cache_clear()
        long_tests._everything.cache_clear()
        return pytest.main([*options, *arguments], plugins=[long_tests, Seen])

    return run_it


class Seen:
    """Notes which tests ran, and of which notebook each cell was."""

    tests: list[str]

    @staticmethod
    def pytest_sessionstart() -> None:
        Seen.tests = []

    @staticmethod
    def pytest_runtest_call(item: pytest.Item) -> None:
        Seen.tests.append(item.path.name if item.path.suffix == ".ipynb" else item.name)


LONG = ["test_draws[0]", "test_draws[1]", "test_draws[2]", "test_of_a_file"]


@pytest.mark.slow
def test_they_run_where_they_are_asked_for_and_once_for_the_same_code(run: Run, tmp_path: Path) -> None:
    assert run() == 0 and Seen.tests == ["test_short"] and not long_tests.read_rows()
    assert run("--long=new") == 0 and Seen.tests == LONG == list(long_tests.read_rows())
    assert run("--long=new") == 0 and Seen.tests == []
    assert run("--long=all") == 0 and Seen.tests == LONG
    (tmp_path / "test_draws.py").write_text(PASSES.replace("MOST = 3", "MOST = 2"), encoding="utf-8")
    before = long_tests.read_rows()
    assert run("--long=new") == 1 and Seen.tests == LONG
    after = long_tests.read_rows()
    assert [name for name in LONG if after[name] == before[name]] == ["test_draws[2]"], "what fails leaves its old row"


@pytest.mark.slow
def test_a_few_run_again_stale_ones_are_named_and_a_test_without_a_row_is_an_error(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--long=some") == pytest.ExitCode.USAGE_ERROR
    assert "no row in rows.jsonl of test_draws[0], " in capsys.readouterr().err
    run("--long=new")
    rows = long_tests.read_rows()
    assert run("--long=some", "--long-minutes=0.001") == 0 and len(Seen.tests) >= 1
    assert "was not run with the present code" not in capsys.readouterr().out
    long_tests.write_rows(row | {"code": "another" if "[1]" in name else row["code"]} for name, row in rows.items())
    assert run("--long=some") == 0 and Seen.tests == LONG
    assert "warning: test_draws[1] was not run with the present code" in capsys.readouterr().out
    assert long_tests.read_rows()["test_draws[1]"]["code"] == "another", "nothing is kept of these"


@pytest.fixture
def notebooks(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Four notebooks of two cells in the folder that `run` looks into, each with its source beside."""
    made = []
    for number in range(4):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in ("x = 1", "y = x + 1")])
        jupytext.write(notebook, tmp_path / f"0{number}_some.py", fmt="py:percent")
        nbformat.write(notebook, tmp_path / f"0{number}_some.ipynb")
        made.append(tmp_path / f"0{number}_some.ipynb")
    monkeypatch.setattr(notebook_tools, "SOURCES", [path.with_suffix(".py") for path in made])
    monkeypatch.setenv("AUTOENCODER_LAB_ROTATION", "10")  # the third of eight
    (tmp_path / "test_draws.py").write_text("def test_short(): pass\n", encoding="utf-8")
    return made


def ran() -> list[str]:
    """The notebooks of which cells ran, each once for each cell."""
    return [name for name in Seen.tests if name.endswith(".ipynb")]


@pytest.mark.slow
def test_notebooks_run_until_they_have_a_row_and_take_turns_afterwards(run: Run, notebooks: list[Path]) -> None:
    names = [path.name for path in notebooks for _ in range(2)]
    assert run("--nbval-lax") == 0 and ran() == names
    assert run("--nbval-lax", "--due") == 0 and ran() == names, "none has a row yet"
    assert not long_tests.read_rows(), "make test keeps nothing"
    assert run("--nbval-lax", "--long=new") == 0 and ran() == names
    assert list(long_tests.read_rows()) == [path.name for path in notebooks]
    assert run("--nbval-lax", "--long=new") == 0 and ran() == []
    assert run("--nbval-lax", "--long=some") == 0 and ran() == []
    assert run("--nbval-lax", "--due") == 0 and ran() == ["02_some.ipynb"] * 2
    assert Seen.tests[-1] == "test_short"

    built = nbformat.read(notebooks[1], as_version=4)
    built.cells[1].source = "y = z"
    nbformat.write(built, notebooks[1])
    before = long_tests.read_rows()
    assert run("--nbval-lax", "--long=new") == 1 and ran() == ["01_some.ipynb"] * 2
    assert long_tests.read_rows() == before, "a notebook of which one cell fails leaves its old row"
    assert run("--nbval-lax", "--due") == 1 and set(ran()) == {"01_some.ipynb", "02_some.ipynb"}


def test_a_notebook_s_hash_follows_what_is_stored_and_what_its_code_reaches(
    notebooks: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = [long_tests.notebook_hash(notebooks[0])]
    assert long_tests.notebook_hash(notebooks[0]) == seen[0]
    built = nbformat.read(notebooks[0], as_version=4)
    built.cells[0].outputs = [nbformat.v4.new_output("stream", name="stdout", text="1")]
    nbformat.write(built, notebooks[0])
    seen.append(long_tests.notebook_hash(notebooks[0]))
    monkeypatch.setattr(notebook_tools.build, "library_hash", lambda source: "another library")
    seen.append(long_tests.notebook_hash(notebooks[0]))
    assert len(set(seen)) == 3


SLOW = """
import pytest

@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_browser(seed): assert seed < 2

@pytest.mark.slow
@pytest.mark.daily
def test_turns(): pass

def test_quick(): pass
"""


@pytest.mark.slow
def test_slow_tests_of_a_file_run_until_they_have_a_row_and_in_turn(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "test_draws.py"
    file.write_text(SLOW, encoding="utf-8")
    package = tmp_path / "autoencoder_lab"
    package.mkdir()
    (package / "page.js").write_text("let a = 1;", encoding="utf-8")
    monkeypatch.setattr(long_tests, "ROOT", tmp_path)
    slow, others = ["test_browser[0]", "test_browser[1]"], ["test_turns", "test_quick"]
    monkeypatch.setenv("AUTOENCODER_LAB_ROTATION", "1")  # not the turn of a first file
    assert run() == 0 and Seen.tests == slow + others
    assert run("--due") == 0 and Seen.tests == slow + others and not long_tests.read_rows()
    assert run("--long=new", "-k", "browser and 0") == 0 and not long_tests.read_rows(), "a part of a file is no row"
    assert run("--long=new", f"{file}::test_browser[0]") == 0 and not long_tests.read_rows(), "nor is one by its name"
    assert run("--long=new") == 0 and Seen.tests == slow and list(long_tests.read_rows()) == ["test_draws.py"]
    assert run("--long=new") == run("--long=some") == 0 and Seen.tests == []
    assert run("--due") == 0 and Seen.tests == others
    monkeypatch.setenv("AUTOENCODER_LAB_ROTATION", "4")
    assert run("--due") == 0 and Seen.tests == slow + others, "its turn"
    monkeypatch.setenv("AUTOENCODER_LAB_ROTATION", "1")
    (package / "page.js").write_text("let a = 2;", encoding="utf-8")
    assert run("--due") == 0 and Seen.tests == slow + others, "a browser reads the script"
    assert run("--long=new") == 0 and run("--due") == 0 and Seen.tests == others
    file.write_text(SLOW.replace("seed < 2", "seed < 1"), encoding="utf-8")
    before = long_tests.read_rows()
    assert run("--long=new") == 1 and long_tests.read_rows() == before, "one that fails keeps the whole file's row"


def test_everything_has_its_turn() -> None:
    code = {f"{k:02}.ipynb": "same" for k in range(11)} | {f"explorer/test_{k}.py": "same" for k in range(9)}
    rows = {name: {"code": "same"} for name in code}
    turns = [long_tests.due(code, rows, turn) for turn in range(8)]
    assert set().union(*turns) == set(code)
    assert max(len(turn) for turn in turns) <= 2 + 3
    assert long_tests.due(code | {"05.ipynb": "another"}, rows, 0) == turns[0] | {"05.ipynb"}


def test_every_test_takes_its_turn_within_the_minutes() -> None:
    rows = {f"test_{i}": {"seconds": 20.0 * i} for i in range(8)}
    turns = [long_tests.rotation(rows, date(2024, 1, 1) + timedelta(days=i), minutes=1) for i in range(8)]
    assert set().union(*turns) == set(rows)
    for turn in turns:
        assert sum(rows[name]["seconds"] for name in turn) <= 60 or max(rows[name]["seconds"] for name in turn) > 60
    assert long_tests.rotation({}, date(2024, 1, 1), 1) == set()


HELPER = """
from autoencoder_lab import losses

def one(*values):
    return losses.gaussian_kl(*values)
"""


def test_the_hash_follows_helpers_conftests_the_library_and_files_that_are_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    test, data = folder / "test_it.py", tmp_path / "answers.txt"
    test.write_text("from models.helper import one\n\ndef test_it(): assert one() == 1\n", encoding="utf-8")
    (folder / "helper.py").write_text(HELPER, encoding="utf-8")
    (tmp_path / "conftest.py").write_text("import pytest\n", encoding="utf-8")
    (tmp_path / "another.py").write_text("A = 1\n", encoding="utf-8")
    data.write_text("right", encoding="utf-8")
    assert [file.name for file in long_tests.files_of(test)] == ["conftest.py", "helper.py", "test_it.py"]

    def hashed(*reads: str) -> str:
        long_tests.code_hash.cache_clear()
        return long_tests.code_hash(test, *reads)

    seen = [hashed()]
    (tmp_path / "another.py").write_text("A = 2\n", encoding="utf-8")
    test.write_text("# only a comment\n" + test.read_text(encoding="utf-8"), encoding="utf-8")
    assert hashed() == seen[0]
    (folder / "helper.py").write_text(HELPER.replace("gaussian_kl", "squared_error"), encoding="utf-8")
    seen.append(hashed())
    (tmp_path / "conftest.py").write_text("import pytest\n\nSIZE = 3\n", encoding="utf-8")
    seen.append(hashed())
    monkeypatch.setattr(long_tests, "ROOT", tmp_path)
    seen.append(hashed("answers.*"))
    data.write_text("wrong", encoding="utf-8")
    seen.append(hashed("answers.*"))
    assert len(set(seen)) == 5
