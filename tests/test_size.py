"""The library stays small enough to read in an evening: folders, functions and classes keep to their sizes."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import autoencoder_lab

PACKAGE = Path(autoencoder_lab.__file__).parent
ROOT = PACKAGE.parent
FOLDERS = sorted({file.parent for file in PACKAGE.rglob("*.py")})
# of a function without its docstring, of a class without those of its methods
FUNCTION, CLASS = 60, 100
LAYOUT = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER
}  # fmt: skip
Node = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstring_lines(node: Node) -> range:
    """Where the docstring stands; empty where there is none."""
    if ast.get_docstring(node) is None:
        return range(0)
    text = node.body[0]
    return range(text.lineno, (text.end_lineno or text.lineno) + 1)


def lines_of_code(source: str) -> int:
    """Lines that hold code: no docstrings, comments or blank lines."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Node):
            lines -= set(docstring_lines(node))
    return len(lines)


def too_large(source: str) -> Iterator[str]:
    """Functions and classes that do not fit on a screen, or two."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        size = (node.end_lineno or node.lineno) - node.lineno + 1
        if isinstance(node, ast.ClassDef):
            methods = [inner for inner in node.body if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)]
            size -= sum(len(docstring_lines(method)) for method in methods)
        else:
            size -= len(docstring_lines(node))
        if size > (CLASS if isinstance(node, ast.ClassDef) else FUNCTION):
            yield f"{node.name}: {size} lines"


def stated(folder: Path) -> tuple[int | None, int | None]:
    """(lines of code in all, in one file) that the folder's own description allows; None: not limited."""
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    found = re.search(r"Size: at most ([\d,]+) lines of code( a file)?(?:, ([\d,]+) a file)?", text)
    assert found, f"{folder.relative_to(ROOT)}/__init__.py does not state a size"
    first, second = int(found[1].replace(",", "")), found[3] and int(found[3].replace(",", ""))
    return (None, first) if found[2] else (first, second)


def test_what_counts() -> None:
    assert lines_of_code('"""Text\n\nmore."""\n\nx = 1  # why\n# comment\ny = """a\nb"""\n') == 3
    function = 'def f():\n    """Two\n    lines."""\n' + "    x = 1\n" * 59
    assert list(too_large(function)) == [] and list(too_large(function + "    x = 1\n")) == ["f: 61 lines"]
    method = '    def g(self):\n        """Text."""\n        pass\n\n'
    assert list(too_large("class A:\n" + method * 33)) == [] and list(too_large("class A:\n" + method * 34))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_a_folder_keeps_to_the_size_it_states(folder: Path) -> None:
    sizes = {file.name: lines_of_code(file.read_text(encoding="utf-8")) for file in folder.glob("*.py")}
    in_all, a_file = stated(folder)
    assert in_all is None or sum(sizes.values()) <= in_all, sizes
    assert a_file is None or max(sizes.values()) <= a_file, sizes


def test_functions_and_classes_keep_to_their_sizes() -> None:
    places = [PACKAGE, ROOT / "evidence", ROOT / "benchmarks", ROOT / "notebooks", ROOT / "assignments"]
    files = [file for place in places for file in place.rglob("*.py") if "source" not in file.parts]
    assert len(files) > 100
    found = {file.relative_to(ROOT).as_posix(): list(too_large(file.read_text(encoding="utf-8"))) for file in files}
    assert {name: names for name, names in found.items() if names} == {}
