"""The doors that need no installation, and the copies of the notebooks behind them: python -m notebooks.doors [--check]

The copies lie in course/. They are what `autoencoder-lab open` lays, byte for byte: without outputs, because in these
the answer stands below its question. Every door that can leads to the release of pyproject.toml's version, so that a
notebook and the library it runs with belong together. --check writes nothing, and exits with status 1 where a copy is
out of step.
"""

import argparse
import re
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
from nbformat import NotebookNode

from autoencoder_lab.commands.student_copy import without_outputs
from autoencoder_lab.files import write_whole
from notebooks.read_sources import built_path, notebook_sources

ROOT = Path(__file__).resolve().parent.parent
COPIES = ROOT / "course"
COLAB_LACKS = ("anywidget", "mlxtend")  # what Colab brings of the rest is what its own widgets and PyTorch need


@cache
def _project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project: dict[str, Any] = tomllib.load(file)["project"]
    return project


def repository() -> str:
    """The repository's address, https://github.com/OWNER/NAME, from pyproject.toml."""
    address: str = _project()["urls"]["Repository"]
    return address.removesuffix("/").removesuffix(".git")


def slug() -> str:
    """OWNER/NAME."""
    return repository().removeprefix("https://github.com/")


def release() -> str:
    """The tag of the version that pyproject.toml names, as in v0.1.0."""
    return f"v{_project()['version']}"


# --- links -------------------------------------------------------------------------------------------


def badge(alt: str, picture: str, link: str) -> str:
    """A picture that leads somewhere, in Markdown."""
    return f"[![{alt}]({picture})]({link})"


def colab_badge(name: str, alt: str) -> str:
    """Opens a notebook's copy in Colab."""
    link = f"https://colab.research.google.com/github/{slug()}/blob/{release()}/{COPIES.name}/{name}.ipynb"
    return badge(alt, "https://colab.research.google.com/assets/colab-badge.svg", link)


def binder_badge(name: str) -> str:
    """Opens the copies in JupyterLab on Binder, which builds environment.yml, with one of them in front."""
    place = quote(f"lab/tree/{COPIES.name}/{name}.ipynb", safe="")
    link = f"https://mybinder.org/v2/gh/{slug()}/{release()}?urlpath={place}"
    return badge("Open in Binder", "https://mybinder.org/badge_logo.svg", link)


def codespaces_badge() -> str:
    """Opens the repository as .devcontainer/devcontainer.json prepares it."""
    return badge(
        "Open in Codespaces", "https://github.com/codespaces/badge.svg", f"https://codespaces.new/{slug()}?quickstart=1"
    )


def hub_link(hub: str, name: str) -> str:
    """Pulls the repository into a person's folder on a JupyterHub that has nbgitpuller, and opens a copy.

    hub: the address of the hub. nbgitpuller takes a branch and no tag.
    """
    place = quote(f"lab/tree/{slug().partition('/')[2]}/{COPIES.name}/{name}.ipynb", safe="")
    return f"{hub}/hub/user-redirect/git-pull?repo={quote(repository(), safe='')}&branch=main&urlpath={place}"


# --- what stands behind them -------------------------------------------------------------------------


def colab_cells(name: str) -> list[NotebookNode]:
    """The badge, and the cell that installs the course on Colab and does nothing elsewhere."""
    bounds = {re.split(r"[^\w.-]", line)[0]: line for line in _project()["dependencies"]}
    lacking = " ".join(f'"{bounds[one]}"' for one in COLAB_LACKS)
    install = f"""# On Google Colab this installs the course; everywhere else it does nothing.
import sys

if "google.colab" in sys.modules:
    %pip install --quiet --no-deps "autoencoder_lab @ git+{repository()}@{release()}"
    %pip install --quiet {lacking}
    from google.colab import output

    output.enable_custom_widget_manager()"""
    metadata = {"tags": ["colab"]}
    return [
        nbformat.v4.new_markdown_cell(colab_badge(name, "Open this notebook in Colab"), metadata=metadata),
        nbformat.v4.new_code_cell(install, metadata=metadata),
    ]


def write_copies(built: list[Path], copies: Path = COPIES, check: bool = False) -> list[str]:
    """Bring the copies of these built notebooks into step, or with `check` only look; the names of those that were not.

    A copy whose notebook is gone goes too: it is made, and nobody's own.
    """
    wanted = {path.name: without_outputs(path.read_bytes()) for path in built if path.is_file()}
    there = {path.name: path.read_bytes() for path in copies.glob("*.ipynb")}
    changed = sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))
    for name in [] if check else changed:
        if name in wanted:
            copies.mkdir(parents=True, exist_ok=True)
            write_whole(copies / name, wanted[name])
        else:
            (copies / name).unlink()
    return changed


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 where --check finds a copy out of step."""
    parser = argparse.ArgumentParser(prog="python -m notebooks.doors", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; write nothing")
    options = parser.parse_args(arguments)
    changed = write_copies([built_path(source) for source in notebook_sources()], check=options.check)
    for name in changed:
        place = f"{COPIES.name}/{name}"
        print(
            f"FAILED  {place} is out of step; run python -m notebooks.doors" if options.check else f"{place}: in step"
        )
    return int(options.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
