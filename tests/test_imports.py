"""Imports go one way, as docs/developing.md draws it."""

import ast
from pathlib import Path

import pytest

import autoencoder_lab

PACKAGE = Path(autoencoder_lab.__file__).parent
# who may import whom: only what stands in an earlier row, or in the same part
ROWS = (
    ("arguments",),
    ("files", "machine", "losses", "protocol", "weights"),
    ("data",),
    ("models",),
    ("training",),
    ("metrics",),
    ("comparison",),
    ("plotting",),
    ("explorer", "checks"),
    ("classroom",),
    ("grading",),
    ("commands",),
    ("__main__",),
)
LEVEL = {part: number for number, row in enumerate(ROWS) for part in row}
PARTS = sorted({path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")})
MODELLING = {"data", "models", "training", "metrics", "comparison", "losses", "plotting", "explorer", "classroom"}


def imported(file: Path) -> set[str]:
    """The parts of the package that a file imports, wherever it does so; for type checkers alone does not count."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "autoencoder_lab":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("autoencoder_lab."):
            found.add((node.module or "").split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("autoencoder_lab.")}
    return found & set(PARTS)


@pytest.mark.parametrize("part", [part for part in PARTS if part != "__init__"])
def test_a_part_imports_only_what_stands_before_it(part: str) -> None:
    files = [*PACKAGE.glob(f"{part}.py"), *(PACKAGE / part).rglob("*.py")]
    assert files and part in LEVEL, f"{part} has no place in the order"
    wrong = {
        f"{file.relative_to(PACKAGE)}: {other}"
        for file in files
        for other in imported(file)
        if other != part and LEVEL[other] >= LEVEL[part]
    }
    assert wrong == set()


def test_grading_imports_no_modelling_code() -> None:
    files = [file for file in (PACKAGE / "grading").rglob("*.py") if file.name != "drawings.py"]
    assert {f"{file.name}: {other}" for file in files for other in imported(file) & MODELLING} == set()
