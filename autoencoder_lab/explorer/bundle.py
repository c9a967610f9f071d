"""Joins the explorer's JavaScript files into the one module that a widget or a page takes; nothing is compiled.

Left out are the imports between the files, comments, indentation and some spaces: what is sent stays below 60 KB.
"""

import re
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
MODULES = ("parts", "network", "space", "engine", "map", "sliders", "morph", "sample", "draw", "time", "explorer")
STYLES = ("explorer.css", "views.css")


@cache
def javascript() -> str:
    """One ES module: the files one after the other, without their imports and with one export, at the end."""
    source = "\n".join(HERE.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in MODULES)
    source = re.sub(r"^(import |\s*//).*\n|^\s*/\*\*[\s\S]*?\*/\n", "", source, flags=re.MULTILINE)
    source = re.sub(r"(?<=[;,{]) // .*", "", source)
    source = re.sub(r"^\s+", "", source, flags=re.MULTILINE)
    # spaces around punctuation, on lines without a text, a pattern or a sign (a - -b needs its space)
    source = re.sub(r"^[^'\"`/+\n-]+$", _closer, source, flags=re.MULTILINE)
    return re.sub(r"^export (?!default)", "", source, flags=re.MULTILINE)


def _closer(line: re.Match[str]) -> str:
    return re.sub(r" ?([=<>?:,;{}()&|*!]) ?", r"\1", line[0])


@cache
def stylesheet() -> str:
    """The look, light and dark."""
    return "\n".join(HERE.joinpath(name).read_text(encoding="utf-8") for name in STYLES)
