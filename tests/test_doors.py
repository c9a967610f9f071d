"""Each door leads where it says, and behind it lies the course as `autoencoder-lab open` lays it."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import nbformat
import pytest

import autoencoder_lab
from autoencoder_lab.commands.student_copy import course_folder, lay_out
from notebooks import doors
from notebooks.read_sources import notebook_sources

ROOT = Path(__file__).parents[1]
NAMES = [source.stem for source in notebook_sources()]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TAG = f"v{autoencoder_lab.__version__}"
SLUG = "autoencoder-lab/autoencoder_lab"


def test_the_copies_are_what_open_lays_byte_for_byte(tmp_path: Path) -> None:
    lay_out(tmp_path)
    laid = {path.name: path.read_bytes() for path in tmp_path.glob("*.ipynb")}
    assert laid == {path.name: path.read_bytes() for path in doors.COPIES.iterdir()}, "run python -m notebooks.doors"
    assert course_folder() == ROOT / "notebooks"
    for content in laid.values():
        cells = nbformat.reads(content.decode(), as_version=4).cells
        assert all(cell.outputs == [] and cell.execution_count is None for cell in cells if cell.cell_type == "code")


def test_copies_follow_the_built_notebooks(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "source": "1 + 1", "metadata": {}, "execution_count": 1, "outputs": ["2"]}
    built, copies = tmp_path / "00_a.ipynb", tmp_path / "course"
    built.write_text(json.dumps({"cells": [cell], "metadata": {}}), encoding="utf-8")
    assert doors.write_copies([built], copies, check=True) == ["00_a.ipynb"] and not copies.exists()
    assert doors.write_copies([built], copies) == ["00_a.ipynb"]
    assert json.loads((copies / "00_a.ipynb").read_text(encoding="utf-8"))["cells"] == [
        cell | {"outputs": [], "execution_count": None}
    ]
    before = (copies / "00_a.ipynb").stat().st_mtime_ns
    assert doors.write_copies([built], copies) == [] and (copies / "00_a.ipynb").stat().st_mtime_ns == before
    assert doors.write_copies([], copies) == ["00_a.ipynb"] and list(copies.iterdir()) == []


def test_the_cell_for_colab_installs_this_release_and_nothing_large() -> None:
    badge, install = doors.colab_cells("00_start_here")
    assert f"/github/{SLUG}/blob/{TAG}/course/00_start_here.ipynb)" in badge.source
    asked = re.findall(r"%pip install (.*)", install.source)
    assert asked == [
        f'--quiet --no-deps "autoencoder_lab @ git+https://github.com/{SLUG}@{TAG}"',
        '--quiet "anywidget>=0.9" "mlxtend>=0.23"',
    ]
    namespace: dict[str, object] = {}  # elsewhere it does nothing; % lines are IPython's
    exec(re.sub(r"%pip.*", "raise AssertionError", install.source), namespace)


def test_the_doors_of_the_readme_open_copies_that_exist() -> None:
    colab = re.findall(r"\(https://colab\.research\.google\.com/github/(\S+?)\)", README)
    assert set(colab) == {f"{SLUG}/blob/{TAG}/course/{name}.ipynb" for name in NAMES}
    (binder,) = re.findall(rf"\(https://mybinder\.org/v2/gh/{SLUG}/{TAG}\?(\S+?)\)", README)
    (hub,) = re.findall(r"https://YOUR-HUB/hub/user-redirect/git-pull\?(\S+)", README)
    assert parse_qs(hub)["repo"] == [f"https://github.com/{SLUG}"] and parse_qs(hub)["branch"] == ["main"]
    places = [parse_qs(binder)["urlpath"][0], parse_qs(hub)["urlpath"][0].replace("tree/autoencoder_lab/", "tree/")]
    for place in [*(one.partition(f"{TAG}/")[2] for one in colab), *(one.removeprefix("lab/tree/") for one in places)]:
        assert (ROOT / unquote(place)).is_file(), place
    assert f"(https://codespaces.new/{SLUG}?quickstart=1)" in README


def test_codespaces_opens_a_copy_that_is_not_tracked() -> None:
    prepared = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert prepared["onCreateCommand"] == "make .venv/installed"
    assert prepared["updateContentCommand"] == ".venv/bin/autoencoder-lab open --copy-only"
    assert prepared["customizations"]["codespaces"]["openFiles"] == [f"my-course/{NAMES[0]}.ipynb"]
    assert "my-course/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_no_door_leads_to_a_notebook_with_outputs(name: str) -> None:
    links = re.findall(r"\((https://[^)\s]+)\)", README)
    assert not [link for link in links if f"notebooks/{name}" in unquote(urlsplit(link).geturl())]
