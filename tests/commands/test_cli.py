"""The commands as they are typed. JupyterLab itself is started for real by .ci/run, not here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import autoencoder_lab
from autoencoder_lab.commands import cli, doctor
from autoencoder_lab.commands import student_copy as course
from autoencoder_lab.commands.doctor import Finding

FIRST = "00_first.ipynb"


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A course of two notebooks, a working folder, and JupyterLab's command line instead of JupyterLab."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("01_later.ipynb", FIRST):
        (source / name).write_text("{}", encoding="utf-8")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(course, "course_folder", lambda: source)
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: commands.append(command))
    monkeypatch.setattr(cli.subprocess, "call", lambda command: commands.append(command) or 0)
    return commands


def test_open_copies_the_course_and_starts_jupyterlab_there(started: list[list[str]], tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["open"])
    folder = tmp_path / "work" / "my-course"
    assert result.exit_code == 0 and (folder / FIRST).exists()
    assert f"{FIRST}: copied" in result.output
    assert Path.cwd() == folder
    assert started == [
        [
            sys.executable,
            "-m",
            "jupyterlab",
            f"--ServerApp.root_dir={folder}",
            f"--LabApp.default_url=/lab/tree/{FIRST}",
        ]
    ]


def test_open_can_copy_and_start_nothing(started: list[list[str]], tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["open", "--copy-only", "--dir", "mine"])
    assert result.exit_code == 0 and (tmp_path / "work" / "mine" / FIRST).exists()
    assert started == [] and Path.cwd() == tmp_path / "work"


def test_open_again_says_nothing(started: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    CliRunner().invoke(cli.app, ["open"])
    monkeypatch.chdir(tmp_path / "work")
    assert CliRunner().invoke(cli.app, ["open"]).output == ""
    assert len(started) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-browser", "--port=8890"],
        ["--port", "8890", "--no-browser"],
        ["--", "--no-browser", "-y", "--debug"],
        ["--ServerApp.token=", "--dir", "elsewhere", "--allow-root"],
    ],
)
def test_what_is_not_ours_goes_to_jupyterlab_in_its_order(started: list[list[str]], arguments: list[str]) -> None:
    assert CliRunner().invoke(cli.app, ["open", *arguments]).exit_code == 0
    theirs = [word for word in arguments if word not in ("--", "--dir", "elsewhere")]
    assert started[0][-len(theirs) :] == theirs
    assert Path.cwd().name == ("elsewhere" if "elsewhere" in arguments else "my-course")


def test_open_that_cannot_copy_says_why_and_starts_nothing(started: list[list[str]]) -> None:
    Path("my-course").write_text("notes", encoding="utf-8")
    result = CliRunner().invoke(cli.app, ["open"])
    assert result.exit_code == 1 and started == []
    assert "my-course is not a folder; choose another one with --dir" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(("status", "expected"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_doctors_exit_status(monkeypatch: pytest.MonkeyPatch, status: str, expected: int) -> None:
    findings = [
        Finding("disk", "ok", "enough"),
        Finding("data", status, "what", "" if status == "ok" else "mend it so"),
    ]  # type: ignore[arg-type]
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    result = CliRunner().invoke(cli.app, ["doctor"])
    assert result.exit_code == expected
    assert ("mend it so" in result.output) == (status != "ok")


def test_without_a_command_the_help_names_both() -> None:
    result = CliRunner().invoke(cli.app, [])
    assert "open" in result.output and "doctor" in result.output


def test_doctor_starts_where_torch_does_not(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('[WinError 126] Error loading c10.dll')", encoding="utf-8")
    paths = os.pathsep.join([str(tmp_path), str(Path(cli.__file__).parents[2])])
    command = [sys.executable, "-m", "autoencoder_lab.commands.cli", "doctor"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "torch does not start: [WinError 126] Error loading c10.dll" in done.stdout
    assert "Traceback" not in done.stderr


def test_open_does_not_wait_for_torch() -> None:
    program = "import sys; import autoencoder_lab.commands.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_public_name_is_what_its_import_says() -> None:
    import ast

    tree = ast.parse(Path(autoencoder_lab.__file__).read_text(encoding="utf-8"))
    (seen,) = (node for node in tree.body if isinstance(node, ast.If))
    promised: dict[str, object] = {}
    exec(compile(ast.Module(seen.body, []), "seen", "exec"), promised)
    names = {name for name in promised if name != "__builtins__"}
    assert names == set(autoencoder_lab.__all__) and {"Loss", "Model", "LatentModel", "models"} <= names
    assert all(getattr(autoencoder_lab, name) is promised[name] for name in names)
    assert all(getattr(autoencoder_lab, name) is promised[name] for name in autoencoder_lab.__all__)
