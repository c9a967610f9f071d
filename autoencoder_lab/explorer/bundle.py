"""Joins the explorer's JavaScript files into the one module that a widget or a page takes; nothing is compiled.

Left out are the imports between the files, comments and indentation: what is sent stays below 60 KB.
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
    return re.sub(r"^export (?!default)", "", source, flags=re.MULTILINE)


@cache
def stylesheet() -> str:
    """The look, light and dark."""
    return "\n".join(HERE.joinpath(name).read_text(encoding="utf-8") for name in STYLES)
