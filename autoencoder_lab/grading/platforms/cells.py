"""A table as a program wrote it, of which some cells get another text and all else stays as it is, byte for byte."""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """A cell: its place in the table's text, quotation marks included, and what it says."""

    start: int
    end: int
    value: str
    quoted: bool


@dataclass(frozen=True)
class Table:
    """text: the whole file, decoded by `encoding`; between: what stands between cells; rows: without empty lines."""

    text: str
    encoding: str
    between: str
    rows: list[list[Cell]]

    def replaced(self, changes: Mapping[Cell, str]) -> bytes:
        """The file with these cells saying something else. A cell that was quoted stays so."""
        pieces, at = [], 0
        for cell, value in sorted(changes.items(), key=lambda change: change[0].start):
            pieces += [self.text[at : cell.start], self._written(value, cell.quoted)]
            at = cell.end
        return "".join([*pieces, self.text[at:]]).encode(self.encoding)

    def _written(self, value: str, quoted: bool) -> str:
        if quoted or any(sign in value for sign in (self.between, '"', "\r", "\n")):
            return '"' + value.replace('"', '""') + '"'
        return value


def table_of(content: bytes) -> Table:
    """The table in a file: UTF-8 with or without a mark, UTF-16 with one, else Latin-1; commas, semicolons or tabs."""
    encoding = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(content[:2], "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        encoding = "latin-1"  # gives back every byte as it was
        text = content.decode(encoding)
    begin = 1 if text.startswith("\ufeff") else 0
    if said := re.compile(r"sep=(.)\s*?(?:\r\n|\n|\r)").match(text, begin):  # Excel's own line
        begin = said.end()
    first = re.split(r"[\r\n]", text[begin:].lstrip("\r\n"), maxsplit=1)[0]
    between = max(",;\t", key=re.sub(r'"(?:[^"]|"")*"', "", first).count)
    return Table(text, encoding, between, _rows(text, begin, between))


def _rows(text: str, at: int, between: str) -> list[list[Cell]]:
    cell = re.compile(rf'("(?:[^"]|"")*")?[^{re.escape(between)}\r\n]*')
    rows, row = [], list[Cell]()
    while at <= len(text):
        found = cell.match(text, at)
        assert found is not None  # it matches nothing, too
        written, quoted = found[0], found[1] is not None
        value = found[1][1:-1].replace('""', '"') + written[len(found[1]) :] if quoted else written
        row.append(Cell(found.start(), found.end(), value.strip(), quoted))
        at = found.end()
        if text[at : at + 1] == between:
            at += 1
            continue
        if any(one.value for one in row):
            rows.append(row)
        row, at = [], at + (2 if text[at : at + 2] == "\r\n" else 1)
    return rows
