"""The documents keep what they promise: snippets run and give what is printed beside them, links lead somewhere."""

import ast
import re
from pathlib import Path

import pytest
import torch

from notebooks import read_sources, tables

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
EXPECTED = re.compile(r"^(?P<code>.+?)  # → (?P<value>.+)$")


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(text: str) -> list[str]:
    """The anchors that GitHub gives to a page's headings."""
    prose = re.sub(r"(?ms)^```.*?^```", "", text)
    titles = re.findall(r"(?m)^#+ (.+)$", prose)
    return [re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles]


def same(found: str, written: str) -> bool:
    """Whether two reprs are alike up to line breaks and spaces."""
    return re.sub(r"\s", "", found) == re.sub(r"\s", "", written)


def run_snippets(text: str) -> int:
    """Run a page's python blocks one after the other; returns how many results were compared."""
    namespace: dict[str, object] = {}
    compared = 0
    for block in re.findall(r"(?ms)^```python\n(.*?)^```", text):
        expected = {
            number: match for number, line in enumerate(block.splitlines(), 1) if (match := EXPECTED.match(line))
        }
        for statement in ast.parse(block).body:
            code = ast.get_source_segment(block, statement) or ""
            match = expected.get(statement.lineno)
            if match is None:
                exec(code, namespace)
                continue
            found = repr(eval(code, namespace))
            assert same(found, match["value"]), f"{code} gives {found}, but the page says {match['value']}"
            compared += 1
    return compared


def test_the_refresher_runs_and_tells_the_truth() -> None:
    with torch.random.fork_rng(devices=[]):
        assert run_snippets(read(ROOT / "docs" / "syllabus.md")) >= 10


def test_a_wrong_result_on_the_page_is_noticed() -> None:
    with pytest.raises(AssertionError, match="gives 2, but the page says 3"):
        run_snippets("```python\nx = 1\nx + 1  # → 3\n```\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"(?ms)^```.*?^```", "", read(page))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", target):
            continue  # an address elsewhere
        path, _, anchor = target.partition("#")
        file = page if not path else (page.parent / path).resolve()
        assert file.exists(), f"{page.name} links to {path}, which does not exist"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(read(file)), f"{page.name} links to {target}: no such heading"


def test_the_glossary_is_in_alphabetical_order_and_names_each_word_once() -> None:
    terms = re.findall(r"(?m)^### (.+)$", read(ROOT / "docs" / "glossary.md"))
    assert terms == sorted(terms, key=str.casefold)
    assert len({term.casefold() for term in terms}) == len(terms) > 20


def test_each_glossary_word_names_its_notebook() -> None:
    text = read(ROOT / "docs" / "glossary.md")
    for entry in re.split(r"(?m)^### ", text)[1:]:
        assert re.search(r"[Nn]otebooks? \d\d", entry), f"no notebook is named under {entry.splitlines()[0]!r}"


def test_the_tables_of_notebooks_and_labs_are_what_the_sources_say() -> None:
    assert tables.write(check=True) == [], "run python -m notebooks.tables"


def test_a_table_takes_the_place_between_its_marks_and_nothing_else() -> None:
    begin, end = tables.BEGIN.format("labs"), tables.END.format("labs")
    page = f"above\n{begin}\nold\n{end}\nbelow\n"
    made = tables.with_tables(page, {"labs": "| new |"})
    assert made == f"above\n{begin}\n\n| new |\n\n{end}\nbelow\n" == tables.with_tables(made, {"labs": "| new |"})
    for wrong in (page.replace(end, ""), page + begin, f"{end}\n{begin}\n"):
        with pytest.raises(ValueError, match="table of labs: begin"):
            tables.with_tables(wrong, {"labs": ""})


def test_a_table_says_what_there_is_and_what_there_is_not(tmp_path: Path) -> None:
    text = read(ROOT / "tests" / "fixtures" / "00_example.py").replace("# # 00 ·", "# # 07 ·")
    text = text.replace("start** nothing is needed.", "start** Notebooks 01 and 02: a code. Notebook 04b, section 3.")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "07_example.py").write_text(text, encoding="utf-8")
    entry = read_sources.notebook_entry(tmp_path / "source" / "07_example.py")
    assert entry.before == ("01", "02", "04b") and entry.explorers == entry.labs == () and entry.minutes is None
    row = tables.load([entry], []).splitlines()[-1]
    assert row == "| 07 · A notebook in small | 01, 02, 04b | not built yet | not built yet | – | – |"
    rows = tables.outcomes([entry], []).splitlines()[2:]
    assert rows == ["| double a number | 07, 1 | Exercise 1 |", "| find a bug | 07, 1 and 2 | quiz |"]
