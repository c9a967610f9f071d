"""The package of checks: names are found by themselves, and load what they need alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autoencoder_lab import checks

PACKAGE = Path(checks.__file__).parent


def fresh(code: str, place: Path) -> str:
    """What a new interpreter prints, which finds the package at `place`."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(place), *filter(None, sys.path)])}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=place, env=environment, capture_output=True, encoding="utf-8", timeout=300)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.slow
def test_a_name_loads_its_own_file_alone() -> None:
    loaded = json.loads(
        fresh(
            "import json, sys, autoencoder_lab.checks as checks\n"
            "begun = [name for name in sys.modules if '.checks.notebooks' in name or '.checks.labs' in name]\n"
            "checks.stamp\n"
            "print(json.dumps([begun, sorted(name for name in sys.modules if '.checks.' in name)]))",
            PACKAGE.parents[1],
        )
    )
    own = [
        f"autoencoder_lab.checks.{name}"
        for name in ("compare", "exercises", "experiment", "notebooks", "question", "stub")
    ]
    assert loaded == [[], sorted([*own, "autoencoder_lab.checks.notebooks.notebook_02"])]


def test_every_file_is_found_and_every_name_listed() -> None:
    names = dir(checks)
    assert {"CheckFailed", "stamp", "code", "active_units", "copying_experiment", "term_experiment"} <= set(names)
    labs = {path.stem for path in PACKAGE.glob("labs/lab*.py")}
    assert labs and labs <= set(names)
    assert all(callable(getattr(checks, name)) for name in set(names) - labs)
    assert {getattr(checks, lab).__name__ for lab in labs} == {f"autoencoder_lab.checks.labs.{lab}" for lab in labs}
    modules = {getattr(checks, name).__module__ for name in set(names) - labs - {"CheckFailed"}}
    assert modules == {f"autoencoder_lab.checks.notebooks.{path.stem}" for path in PACKAGE.glob("notebooks/notebook_*")}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="stamps"):
        checks.stamps  # noqa: B018 - looking it up is the test
    assert not hasattr(checks, "_homes_of_others")


def test_a_new_notebooks_checks_are_one_file(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "weights", "*.js", "*.css")
    shutil.copytree(PACKAGE.parent, tmp_path / "autoencoder_lab", ignore=ignored)
    own = tmp_path / "autoencoder_lab" / "checks"
    source = 'def bottleneck(student: object) -> None:\n    print("looked at", student)\n'
    (own / "notebooks" / "notebook_99.py").write_text(source, encoding="utf-8")
    (own / "labs" / "lab99.py").write_text("question = 99\n", encoding="utf-8")
    said = fresh(
        "import autoencoder_lab as lab\nfrom autoencoder_lab.checks import lab99\n"
        "lab.checks.bottleneck(lab.checks.lab99.question)\n"
        "print(lab99 is lab.checks.lab99, {'bottleneck', 'lab99'} <= set(dir(lab.checks)))",
        tmp_path,
    )
    assert said.splitlines() == ["looked at 99", "True True"]


def test_a_name_in_two_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notebooks").mkdir()
    for number in (7, 8):
        source = "TABLE = {}\ndef stamp(student): ...\ndef _cases(generator): ...\n"
        (tmp_path / "notebooks" / f"notebook_0{number}.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(checks, "HERE", tmp_path)
    with pytest.raises(ImportError, match=r"checks\.stamp stands in notebook_08\.py and in .*notebook_07"):
        checks._homes.__wrapped__()
