"""What stands in two places says the same in both, and the wheel carries what it must."""

import os
import re
import subprocess
import sys
import tarfile
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import autoencoder_lab

ROOT = Path(__file__).parents[1]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


PYPROJECT: dict[str, Any] = tomllib.loads(text("pyproject.toml"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
REPOSITORY = PROJECT["urls"]["Repository"]
CONSTRAINTS = [Requirement(line) for line in text("constraints.txt").splitlines() if not line.startswith("#")]


def test_version_is_the_same_everywhere() -> None:
    assert autoencoder_lab.__version__ == PROJECT["version"] == yaml.safe_load(text("CITATION.cff"))["version"]


def test_repository_is_the_same_everywhere() -> None:
    assert yaml.safe_load(text("CITATION.cff"))["repository-code"] == REPOSITORY
    assert f"git clone {REPOSITORY}\n" in text("README.md")
    named = set(re.findall(r"https://github\.com/[\w-]+/[\w.-]+", text("README.md")))
    assert named == {REPOSITORY, "https://github.com/codespaces/badge.svg"}


def test_links_and_pictures_in_the_readme_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text("README.md")) if "://" not in link]
    assert len(links) >= 4
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []


def test_licence() -> None:
    assert PROJECT["license"] == "MIT" == yaml.safe_load(text("CITATION.cff"))["license"]
    assert text("LICENSE").startswith("MIT License")


# --- conda and Binder ------------------------------------------------------------------------------


def test_conda_asks_for_what_pyproject_asks_for() -> None:
    *packages, pip = yaml.safe_load(text("environment.yml"))["dependencies"]
    conda = {Requirement(line).name: Requirement(line).specifier for line in packages}
    ours = {Requirement(line).name: Requirement(line).specifier for line in PROJECT["dependencies"]}
    assert pip == {"pip": ["-e ."]}
    assert str(conda.pop("pip")) == ""
    assert str(PROJECT["requires-python"]) in str(conda.pop("python"))
    conda["torch"] = conda.pop("pytorch")  # conda-forge's name for it
    assert conda == ours


# --- the tested versions ---------------------------------------------------------------------------


def pinned(python: str, platform: str) -> dict[str, str]:
    """Name → version that constraints.txt gives one Python on one system. Fails on a name given twice."""
    machine = {"linux": "x86_64", "darwin": "arm64", "win32": "AMD64"}[platform]
    os_name = "nt" if platform == "win32" else "posix"
    system = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[platform]
    environment = default_environment() | {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": platform,
        "platform_system": system,
        "platform_machine": machine,
        "os_name": os_name,
    }
    lines = [one for one in CONSTRAINTS if one.marker is None or one.marker.evaluate(dict(environment))]
    versions = {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in lines}
    assert len(versions) == len(lines)
    return versions


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_every_python_and_system_has_one_version_of_all_we_ask_for(python: str, platform: str) -> None:
    versions = pinned(python, platform)
    for line in [*PROJECT["dependencies"], *EXTRAS["test"], *EXTRAS["dev"], *EXTRAS["second"]]:
        wanted = Requirement(line)
        assert versions[canonicalize_name(wanted.name)] in wanted.specifier


def test_constraints_are_names_and_versions_only() -> None:
    assert all(re.fullmatch(r"==[\w.]+", str(one.specifier)) and not one.url and not one.extras for one in CONSTRAINTS)
    assert "://" not in text("constraints.txt") and "--hash" not in text("constraints.txt")


def test_pythons_named_in_the_readme_are_those_of_pyproject() -> None:
    assert PROJECT["requires-python"] == ">=3.11"
    assert "Python 3.11 to 3.14" in text("README.md") and "Python 3.11 to 3.14" in text("constraints.txt")


# --- make ------------------------------------------------------------------------------------------


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = ["make", f"--directory={folder}", "--no-print-directory", *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that make looks at, and a .venv in which all is installed."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", ".venv/bin/pip"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text(name) if "venv" not in name else "", encoding="utf-8")
        os.utime(tmp_path / name, (1e9, 1e9))
    for stamp in ("installed", "installed-test"):
        (tmp_path / ".venv" / stamp).touch()
        os.utime(tmp_path / ".venv" / stamp, (1.1e9, 1.1e9))
    return tmp_path


def test_second_make_lab_installs_nothing_and_passes_arguments_on(clone: Path) -> None:
    shown = make("--dry-run", "lab", "ARGS=--no-browser --port=8890", folder=clone)
    assert shown.stdout == ".venv/bin/autoencoder-lab open --no-browser --port=8890\n"


@pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed_again(clone: Path, changed: str) -> None:
    (clone / changed).touch()
    assert "pip install -c constraints.txt $index -e .\n" in make("--dry-run", "lab", folder=clone).stdout
    shown = make("--dry-run", "test", folder=clone).stdout
    assert "pip install -c constraints.txt $index -e '.[test,dev,grading]'\n" in shown


def test_an_interrupted_venv_is_made_again(clone: Path) -> None:
    (clone / ".venv/bin/pip").unlink()
    (clone / ".venv/installed").unlink()
    assert "python3 -m venv .venv\n" in make("--dry-run", "lab", folder=clone).stdout


def test_too_old_or_missing_python_is_said_first(clone: Path) -> None:
    (clone / ".venv/bin/pip").unlink()
    (clone / ".venv/installed").unlink()
    missing = make("lab", "PYTHON=python2.99", folder=clone)
    assert missing.returncode != 0 and "python2.99 was not found: install Python 3.11 or newer" in missing.stderr
    old = clone / "old"
    pretend = "import sys; sys.version_info = (3, 9); exec(sys.argv[1])"
    old.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{pretend}' \"$2\"\n", encoding="utf-8")
    old.chmod(0o755)
    refused = make("lab", f"PYTHON={old}", folder=clone)
    assert refused.returncode != 0 and "Python 3.11 or newer is needed, but" in refused.stderr
    assert "venv" not in refused.stdout


# --- which PyTorch ---------------------------------------------------------------------------------

PIP = "pip was asked to"  # what the environment's Python of these tests says in place of installing


class Answer(BaseHTTPRequestHandler):
    """An index of packages that has torch."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/whl/cpu/torch/" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is said of a request."""


@pytest.fixture
def index() -> Iterator[str]:
    """The address of an index of packages that answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/whl/cpu"
        server.shutdown()


def installed_with(clone: Path, system: str = "Linux", driver: bool = False, **variables: str) -> tuple[str, str]:
    """What pip would be asked to install on that system, and what make says; proxies of this machine aside."""
    tools = clone / "tools"
    tools.mkdir(exist_ok=True)
    for path, script in {
        tools / "uname": f"echo {system}",
        clone / ".venv/bin/python": f'if [ "$1" = -c ]; then exec {sys.executable} "$@"; fi; echo {PIP} "$@"',
        clone / ".venv/bin/autoencoder-lab": "true",
    }.items():
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
    (clone / ".venv/installed").unlink(missing_ok=True)
    at = clone / "driver"
    if driver:
        at.touch()
    given = [f"{name}={value}" for name, value in {"NVIDIA_DRIVER": f"{clone}/none {at}", **variables}.items()]
    command = ["make", f"--directory={clone}", "--no-print-directory", "lab", *given]
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "no_proxy": "127.0.0.1"}
    made = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, env=environment)
    asked = [line.removeprefix(f"{PIP} ") for line in made.stdout.splitlines() if line.startswith(PIP)]
    return "".join(asked), made.stdout + made.stderr


USUAL = "-m pip install -c constraints.txt -e ."


def test_without_an_nvidia_driver_linux_gets_the_small_pytorch(clone: Path, index: str) -> None:
    asked, said = installed_with(clone, TORCH_INDEX=index)
    assert asked == f"-m pip install -c constraints.txt --extra-index-url {index} -e ."
    assert "PyTorch for the CPU, 3 GB smaller. The other one: make TORCH=cuda\n" in said


@pytest.mark.parametrize(
    "here", [{"driver": True}, {"system": "Darwin"}, {"TORCH": "cuda"}], ids=["a driver", "a Mac", "TORCH=cuda"]
)
def test_a_driver_another_system_or_a_wish_gets_the_usual_pytorch(
    clone: Path, index: str, here: dict[str, Any]
) -> None:
    asked, said = installed_with(clone, TORCH_INDEX=index, **here)
    assert asked == USUAL and "index" not in said.replace("index=", "")


@pytest.mark.parametrize("answer", ["refused", "not there"])
def test_where_pytorch_s_index_does_not_answer_the_install_goes_on(clone: Path, index: str, answer: str) -> None:
    address = "http://127.0.0.1:9/whl/cpu" if answer == "refused" else f"{index}/elsewhere"
    asked, said = installed_with(clone, TORCH_INDEX=address)
    assert asked == USUAL
    assert "PyTorch's own index did not answer within 3 seconds: PyTorch comes with CUDA, 3 GB more to download" in said


def test_another_word_for_torch_is_refused(clone: Path) -> None:
    asked, said = installed_with(clone, TORCH="gpu")
    assert asked == "" and "TORCH=gpu is not known: leave it out, or say TORCH=cuda" in said


def test_no_index_but_pytorch_s_own_is_named() -> None:
    addresses = set(re.findall(r"https?://[^\s\"']+", text("Makefile") + text("pyproject.toml")))
    assert addresses == {"https://download.pytorch.org/whl/cpu", REPOSITORY}


# --- workflows -------------------------------------------------------------------------------------


def workflow(name: str) -> dict[Any, Any]:
    """A workflow's file, read; YAML takes its key `on` for True."""
    found: dict[Any, Any] = yaml.safe_load(text(f".github/workflows/{name}.yml"))
    return found


def test_oldest_and_newest_run_every_week() -> None:
    weekly = workflow("weekly")
    (times,) = weekly[True]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* \d", times["cron"])
    job = weekly["jobs"]["versions"]
    rows = job["strategy"]["matrix"]["include"]
    assert {row["target"]: row["python"] for row in rows} == {"oldest": "3.11", "newest": "3.14"}
    assert job["steps"][-1]["run"] == "make ${{ matrix.target }} PYTHON=python"


def test_a_tag_of_another_version_makes_no_release() -> None:
    release = workflow("release")
    assert release[True]["push"] == {"tags": ["v*"]}
    (line,) = [step["run"] for step in release["jobs"]["wheel"]["steps"] if "version" in step.get("name", "")]
    found = re.fullmatch(r"""python -c '(.+)' "\$GITHUB_REF_NAME\"""", line)
    assert found
    for tag, status in {f"v{PROJECT['version']}": 0, "v9.9.9": 1, PROJECT["version"]: 1}.items():
        assert subprocess.run([sys.executable, "-c", found[1], tag], cwd=ROOT, check=False).returncode == status


def test_a_report_asks_for_what_the_doctor_says() -> None:
    form = yaml.safe_load(text(".github/ISSUE_TEMPLATE/something_is_wrong.yml"))
    doctor = form["body"][0]
    assert "autoencoder-lab doctor" in doctor["attributes"]["description"] and doctor["validations"]["required"]


def test_the_changelog_has_this_version_for_students_and_for_instructors() -> None:
    part = text("CHANGELOG.md").partition(f"## {PROJECT['version']}")[2].partition("\n## ")[0]
    assert "### For students\n" in part and "### For instructors\n" in part


# --- uv, which reads pyproject.toml alone ----------------------------------------------------------

UV = PYPROJECT["tool"]["uv"]


def test_uv_keeps_to_the_tested_versions() -> None:
    lines = text("constraints.txt").splitlines()
    assert UV["constraint-dependencies"] == [line for line in lines if not line.startswith("#")]
    assert "uv.lock" in text(".gitignore").splitlines()


def test_uv_takes_the_small_pytorch_where_it_is_asked_to_and_nothing_else_from_its_index() -> None:
    both = [line for line in PROJECT["dependencies"] if Requirement(line).name in ("torch", "torchvision")]
    assert EXTRAS["cpu"] == EXTRAS["cuda"] == both and len(both) == 2
    assert UV["conflicts"] == [[{"extra": "cpu"}, {"extra": "cuda"}]]
    (index,) = UV["index"]
    assert index["explicit"] and f"TORCH_INDEX ?= {index['url']}\n" in text("Makefile")
    source = [{"index": index["name"], "extra": "cpu", "marker": "sys_platform == 'linux'"}]
    assert UV["sources"] == {"torch": source, "torchvision": source}


# --- where there is no make ------------------------------------------------------------------------


def typed(clone: Path, target: str, *arguments: str) -> list[str]:
    """What make would type for a target, the install aside; without the folder of the environment."""
    lines = make("--dry-run", target, *arguments, folder=clone).stdout.splitlines()
    return [line.removeprefix(".venv/bin/") for line in lines]


def test_windows_and_macos_run_what_make_quick_runs(clone: Path) -> None:
    job = yaml.safe_load(text(".github/workflows/ci.yml"))["jobs"]["quick"]
    assert job["strategy"]["matrix"] == {"system": ["windows-latest", "macos-latest"], "python": ["3.11", "3.14"]}
    install, *rest = [step["run"] for step in job["steps"] if "run" in step]
    assert install == "python -m pip install -c constraints.txt -e '.[test,dev,grading]'"
    assert rest == typed(clone, "quick")


def test_the_readme_has_lines_for_windows_for_every_target_it_names(clone: Path) -> None:
    readme = text("README.md")
    windows = [line.removeprefix(".venv\\Scripts\\") for line in re.findall(r"\.venv\\Scripts\\[^`\n]+", readme)]
    for target in ("lab", "quick", "test", "bench"):
        expected = [one.replace("autoencoder-lab open ", "autoencoder-lab open") for one in typed(clone, target)]
        assert [one.strip() for one in expected if one.strip() not in windows] == []
    named = set(re.findall(r"`make (\w+)", readme)) | set(re.findall(r"(?m)^make (\w+)", readme))
    table = re.findall(r"(?m)^\| `make (\w+)", readme)
    assert named - {*table} == {"lab", "quick"}, "a target without a line for Windows"


# --- the oldest and the newest versions ------------------------------------------------------------


def test_the_oldest_versions_are_the_lower_bounds(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / ".ci" / "lower_bounds.py")]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    asked = {line for line in [*PROJECT["dependencies"], *EXTRAS["test"], *EXTRAS["dev"], *EXTRAS["grading"]]}
    assert sorted(lines) == sorted(line.replace(">=", "==") for line in asked) and "torch==2.6" in lines


@pytest.mark.parametrize("age", ["oldest", "newest"])
def test_oldest_and_newest_have_environments_of_their_own(clone: Path, age: str) -> None:
    (clone / f".venv-{age}.txt").touch()  # which the line above it makes, in earnest
    shown = make("--dry-run", age, folder=clone).stdout
    assert f"rm -rf .venv-{age} .venv-{age}.txt\n" in shown
    assert "pip install -c constraints.txt" not in shown and ".venv/" not in shown
    assert f"-m pip install -c .venv-{age}.txt $index -e '.[test,dev,grading]'\n" in shown
    assert f".venv-{age}/bin/mypy\n" in shown and " notebooks/00_start_here.ipynb\n" in shown


# --- the wheel -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from what the sdist holds, as an installer without a ready wheel does it."""
    folder = tmp_path_factory.mktemp("wheel")

    def build(kind: str, source: Path) -> Path:
        command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
        subprocess.run(command, cwd=source, check=True, capture_output=True)
        return next(folder.glob("*.tar.gz" if kind == "sdist" else "*.whl"))

    with tarfile.open(build("sdist", ROOT)) as sdist:
        # our own archive; the filter came with Python 3.11.4
        sdist.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return build("wheel", next(folder.glob("*/pyproject.toml")).parent)


@pytest.fixture(scope="module")
def wheel(wheel_file: Path) -> list[str]:
    """The names in the wheel."""
    return zipfile.ZipFile(wheel_file).namelist()


def test_wheel_and_clone_stay_small(wheel_file: Path) -> None:
    assert wheel_file.stat().st_size <= 30e6
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    sizes = {name: (ROOT / name).stat().st_size for name in listed.stdout.split("\0") if (ROOT / name).is_file()}
    assert sum(sizes.values()) <= 60e6, sorted(sizes.items(), key=lambda pair: -pair[1])[:10]


def test_wheel_carries_the_whole_course(wheel: list[str]) -> None:
    built = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert built, "no notebooks are built: make notebooks"
    assert sorted(name for name in wheel if "/course/" in name) == [f"autoencoder_lab/course/{name}" for name in built]


def test_wheel_carries_the_package_and_nothing_else(wheel: list[str]) -> None:
    files = [path for path in (ROOT / "autoencoder_lab").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    packed = {name for name in wheel if ".dist-info/" not in name and "/course/" not in name}
    assert packed == {path.relative_to(ROOT).as_posix() for path in files}
    assert any(name.endswith("/licenses/LICENSE") for name in wheel)
