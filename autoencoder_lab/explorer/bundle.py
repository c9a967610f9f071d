"""Joins JavaScript files into the one module that a widget or a page takes; nothing is compiled.

The files of a module are found from its entry by their imports, each put after those that it imports. Left out are the
imports and exports between the files, comments, indentation and some spaces: what is sent stays below 60 KB. What this
cannot read, it refuses, naming file and line: see `FORMS`.
"""

import json
import re
from functools import cache
from pathlib import Path

from autoencoder_lab.plotting import palette

HERE = Path(__file__).parent
FORMS = (
    'one line `import { a, b } from "./file.js";` or "../folder/file.js", `export` before a function, a class or one '
    "const, `export default …` in the entry alone"
)
IMPORT = re.compile(r'import \{ (\w+(?:, \w+)*) \} from "(\./|\.\./\w+/)(\w+)\.js";')
EXPORT = re.compile(r"export (?=(?:(?:async )?function|class|const) (\w+))")
NAME = re.compile(r"(?:async )?(?:function|class|const|let) (\w+)")
MADE_HERE = {  # files that are none: names of plotting/palette.py as constants
    "palette": ("COLOURS", "MARKERS"),
    "belief": ("MADE_UP", "UNSURE", "REAL", "UNDECIDED", "REAL_POINT", "MADE_POINT"),
}


@cache
def javascript(entry: str = "explorer", folder: Path = HERE) -> str:
    """One ES module: `entry`.js and all that it imports, with one export, at the end. Raises ValueError as `joined`."""
    source = re.sub(r"^\s+", "", joined(entry, folder=folder), flags=re.MULTILINE)
    # spaces around punctuation, on lines without a template or a pattern; signs keep theirs (a - -b needs it)
    return re.sub(r"^[^'`/\\\n]+$", _closer, source, flags=re.MULTILINE)


def _closer(line: re.Match[str]) -> str:
    parts = re.split(r'("[^"]*")', line[0])  # every other one is a text, which stays as it is
    return "".join(part if i % 2 else re.sub(r" ?([=<>?:,;{}()&|*!]) ?", r"\1", part) for i, part in enumerate(parts))


@cache
def stylesheet(*names: str) -> str:
    """The look, light and dark: of the explorer where no CSS files are named."""
    files = [HERE / f"{name}.css" for name in names or ("explorer", "views")]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def joined(*entries: str, folder: Path = HERE) -> str:
    """The files `entries` and all that they import, as they stand there but for comments, imports and exports.

    Raises ValueError for what cannot be read without losing something, for a name that the other file does not export,
    for files that import each other in a circle, and for a name that two files give to things of their own.
    """
    done: dict[str, _File] = {}
    owners: dict[str, str] = {}

    def add(name: str, folder: Path, above: tuple[str, ...]) -> "_File":
        if name in above:
            raise ValueError(f"these files import each other in a circle: {' → '.join([*above, name])}")
        if name not in done:
            file = _File(name, folder, entry=name in entries)
            for number, place, other, wanted in file.imports:
                if missing := wanted - add(other, folder / place, (*above, name)).exports:
                    raise file.unreadable(number, f"{other}.js exports no {', '.join(sorted(missing))}")
            done[name] = file  # after those that it imports
        return done[name]

    for entry in entries:
        add(entry, folder, ())
    for file in done.values():
        for own in file.names:
            if owners.setdefault(own, file.name) != file.name:
                raise ValueError(f"{file.name}.js and {owners[own]}.js both have a {own}: joined, one needs another")
    return "\n".join(line for file in done.values() for line in file.lines if line.strip())


class _File:
    """One file, taken apart: its lines without comments, imports and exports, and the names that come and go."""

    def __init__(self, name: str, folder: Path, entry: bool) -> None:
        self.name = name
        self.lines: list[str] = []
        self.imports: list[tuple[int, str, str, set[str]]] = []  # line, folder, file, names
        self.exports: set[str] = set()
        self.names: set[str] = set()
        source = constants(name) if name in MADE_HERE else folder.joinpath(f"{name}.js").read_text(encoding="utf-8")
        for number, line in enumerate(self.without_comments(source), start=1):
            if found := IMPORT.fullmatch(line):
                self.imports.append((number, found[2], found[3], set(found[1].split(", "))))
                continue
            if found := EXPORT.match(line):
                self.exports.add(found[1])
                line = line[found.end() :]
            elif entry and re.fullmatch("export default .*;", line):
                pass
            elif re.match(r"\s*(import|export)\b|.*\bimport\s*[.(]", line):
                raise self.unreadable(number, f"an import or export that is none of these: {FORMS}")
            if found := NAME.match(line):
                self.names.add(found[1])
            elif re.match(r"(const|let|var) ", line):
                raise self.unreadable(number, "names of the whole file are given one at a time, by const or let")
            self.lines.append(line)

    def without_comments(self, source: str) -> list[str]:
        """As many lines as there were, so that their numbers stay."""
        lines, within = [], False
        for number, line in enumerate(source.splitlines(), start=1):
            if within or line.lstrip().startswith("/*"):
                _, end, behind = line.partition("*/")
                within = not end
                if behind.strip():
                    raise self.unreadable(number, "code behind a comment")
                line = ""
            elif line.lstrip().startswith("//"):
                line = ""
            elif found := re.search(r"(?<=[;,{]) // ", line):
                line = line[: found.start()]
            if any(line.count(quote) % 2 for quote in '"`'):
                raise self.unreadable(number, "a text that does not end on its line, or one with a quote or // in it")
            lines.append(line)
        return lines

    def unreadable(self, number: int, why: str) -> ValueError:
        """The error that names the place."""
        return ValueError(f"{self.name}.js, line {number} cannot be joined with the others: {why}")


def constants(name: str) -> str:
    """palette.js or belief.js: colours and markers of plotting/palette.py, which is their only home."""
    values = {constant: json.dumps(getattr(palette, constant), separators=(",", ":")) for constant in MADE_HERE[name]}
    return "".join(f"export const {constant} = {value};\n" for constant, value in values.items())
