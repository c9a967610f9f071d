"""The documents keep what they promise: snippets run and give what is printed beside them, links lead somewhere."""

import ast
import re
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import skimage.data
import sklearn.datasets
import torch

from autoencoder_lab.data.datasets import PHOTOS, table
from notebooks import credits, read_sources, tables

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
Entries = tuple[list[read_sources.NotebookEntry], list[read_sources.LabEntry]]
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


# --- sections that a page names --------------------------------------------------------------------

SECTIONS = r"sections? (?P<sections>\d(?:(?:, | and )\d)*)"
EXERCISES = r"Exercises? (?P<exercises>\d(?: and \d)*)"
DEEPER = r"\*Deeper · (?P<deeper>[^*]+)\*"
NAMED = re.compile(
    rf"[Nn]otebook (?P<number>\d\d[a-z]?)(?:, (?:{SECTIONS}|{EXERCISES}|{DEEPER})(?:, Exercise (?P<one>\d))?)?"
)
LINKED = re.compile(r"\[(\d\d[a-z]?), ([^]]+)\]\(\.\./notebooks/(\w+)\.ipynb\)")


@cache
def headings(number: str) -> list[str]:
    """The headings of a notebook, by its number; none where there is no such notebook."""
    return [
        title
        for source in (ROOT / "notebooks" / "source").glob(f"{number}_*.py")
        for title in re.findall(r"(?m)^# ###? (.+)$", read(source))
    ]


def absent(text: str) -> list[str]:
    """What a page names of the notebooks, in words or in a link, that is not there."""
    wanted = []
    text = " ".join(text.split())
    for found in NAMED.finditer(text):
        starts = [f"{one} · " for one in re.findall(r"\d", found["sections"] or "")]
        numbers = re.findall(r"\d", found["exercises"] or "") + ([found["one"]] if found["one"] else [])
        starts += [f"Exercise {one} · " for one in numbers]
        starts += [f"Deeper · {found['deeper']}"] if found["deeper"] else []
        wanted += [(found["number"], start, found[0]) for start in starts or [""]]
    for number, what, name in LINKED.findall(text):
        assert name.startswith(f"{number}_"), f"[{number}, {what}] leads to {name}"
        wanted.append((number, re.sub(r"section (\d)", r"\1 · ", what), f"[{number}, {what}]"))
    return [said for number, start, said in wanted if not any(one.startswith(start) for one in headings(number))]


@pytest.mark.parametrize("name", ["sources", "glossary", "notation", "syllabus"])
def test_every_section_that_a_page_names_exists(name: str) -> None:
    text = read(DOCS / f"{name}.md")
    if name == "notation":  # a column of its own: "01, 5" stands for notebook 01, section 5
        text = re.sub(r"\| (\d\d[a-z]?), (\d) \|", r"| notebook \1, section \2 |", text)
        text = re.sub(r"\| (\d\d[a-z]?), (\*Deeper)", r"| notebook \1, \2", text)
        assert text.count("| notebook ") == len(re.findall(r"(?m)^\| (?!here|---)", text)) > 30
    assert absent(text) == []


def test_a_section_that_does_not_exist_is_noticed() -> None:
    there = "Notebook 04b, section 3. Notebook 02, sections 1 and 6, *Deeper · Retrieval*. Notebook 00, Exercise 3."
    assert absent(there + " [01, section 7](../notebooks/01_linear_autoencoder.ipynb)") == []
    for wrong in ("Notebook 00, sections 1 and 9", "notebook 47", "Notebook 02, *Deeper · Nothing*"):
        assert absent(f"{wrong}.") == [wrong]
    assert absent("Notebook 00, section 1, Exercise 9.") == ["Notebook 00, section 1, Exercise 9"]
    assert absent("[01, section 8](../notebooks/01_linear_autoencoder.ipynb)") == ["[01, section 8]"]


# --- sources ---------------------------------------------------------------------------------------

# Ground truth: all that the slides name. A deck's own subject is on the list where it has a name.
ON_THE_SLIDES = """PCA, SVD, VICReg, CCAE, Invertible GAN, Diffusion model, ResNet, BigGAN, Progressive Growing,
pix2pix, pix2pixHD, StackGAN, SRGAN, Context Encoders, Memories of Passersby, Christie, Talking Head, ArcaneGAN, SNIDER,
Liver Lesion, De-raining, 1701.05957, 1611.0635, DLSS, Maxine, Castle in the Sky, CycleGAN, Pose Guided Person,
Transposed convolution, unpooling, Conditional GANs, autonomous driving, Denoising autoencoder, Logos,
STTP_Linear_Autoencoder.ipynb, STTP_Linear_Autoencoder_2.ipynb, STTP_CNN_AE.ipynb, STTP_Denoising_AE.ipynb,
Lab Assignment, albert831229/nchu-computer-vision, 387137790, Nath, Choudhury, Chandaliya, Yokoyama"""
HISTORY = {
    1986: "Rumelhart",
    1988: "Bourlard",
    2006: "Salakhutdinov",
    2008: "Vincent",
    2013: "Kingma",
    2014: "Goodfellow",
}


def test_the_sources_have_all_that_the_slides_name() -> None:
    text = " ".join(read(DOCS / "sources.md").split()).casefold()
    assert [one for one in re.split(r",\s+", ON_THE_SLIDES) if one.casefold() not in text] == []
    assert [
        name for year, name in HISTORY.items() if not re.search(rf"\*\*{year}\*\*, [^:]*{name.casefold()}", text)
    ] == []


def test_each_source_says_where_it_is_shown_or_that_it_is_not() -> None:
    table = read(DOCS / "sources.md").partition("| named on the slides |")[2].partition("## A line of history")[0]
    rows = [line.strip(" |").split(" | ")[-1] for line in table.splitlines()[2:] if line]
    assert len(rows) > 30
    assert [row for row in rows if not LINKED.search(row) and row not in ("none", "not in the course yet")] == []


def test_the_sources_cover_every_deck_and_every_claim() -> None:
    table = read(DOCS / "sources.md").partition("table of decks: begin")[2].partition("table of decks: end")[0]
    covered = {
        (deck, claim)
        for deck, line in re.findall(r"(?m)^\| (00\d) \| (.+)$", table)
        for claim in re.findall(r"\bC\d+\b", line)
    }
    claimed = {
        (deck, claim)
        for claim, decks in re.findall(r"(?m)^\| (C\d+) \| ([^|]+) \|", read(DOCS / "claims.md"))
        for deck in re.findall(r"00\d", decks)
    }
    assert covered == claimed and {deck for deck, _ in covered} == {"000", "001", "002", "003", "004"}


def test_the_sources_are_linked_where_slides_are_named() -> None:
    first_cell = read(ROOT / "notebooks" / "source" / "00_start_here.py").partition("# %% tags")[0]
    linked = {"README.md": "(docs/sources.md)", "docs/claims.md": "(sources.md)", "docs/syllabus.md": "(sources.md)"}
    for name, link in (linked | {"CITATION.cff": "docs/sources.md"}).items():
        assert link in read(ROOT / name), name
    assert "({{sources}})" in first_cell and "five slide decks" in first_cell


@pytest.mark.parametrize("page", ["README.md", "docs/syllabus.md", "docs/glossary.md"])
def test_a_slide_follows_the_matter_in_brackets(page: str) -> None:
    text = " ".join(read(ROOT / page).split())
    assert [text[at.start() - 40 : at.end()] for at in re.finditer(r"(?<!\()[Ss]lides? 00\d", text)] == []


# --- credits ---------------------------------------------------------------------------------------


def tracked() -> list[str]:
    """The paths of the files that git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    return listed.stdout.split("\0")[:-1]


def credit(name: str) -> str:
    """The row of docs/credits.md that begins with this name."""
    (row,) = re.findall(rf"(?m)^\| `{re.escape(name)}` \|.*$", read(DOCS / "credits.md"))
    return str(row)


def test_every_data_set_and_photograph_has_its_source_and_licence() -> None:
    for name, entry in table().iterrows():
        assert entry["source"] in credit(str(name)) and entry["licence"] in credit(str(name))
    for name in PHOTOS:
        assert len([cell for cell in credit(name).split("|") if cell.strip()]) == 4
    assert sorted(credits.TAKEN_BY) == sorted(PHOTOS)


# Ground truth: what the packages that bring the photographs say of them
SAID = {
    "astronaut": ("astronaut", "public domain"),
    "galaxies": ("hubble_deep_field", "public domain"),
    "retina": ("retina", "CC0"),
    "rocket": ("rocket", "public domain"),
    "tissue": ("immunohistochemistry", "No known copyright restrictions"),
    "coffee": ("coffee", "CC0"),
    "cat": ("chelsea", "CC0"),
}


@pytest.mark.parametrize("name", SAID)
def test_a_licence_is_the_one_that_scikit_image_states(name: str) -> None:
    function, licence = SAID[name]
    assert licence in (getattr(skimage.data, function).__doc__ or "")
    assert f"| {licence} |".casefold() in credit(name).casefold()


@pytest.mark.parametrize("name", ["flower", "temple"])
def test_a_licence_is_the_one_that_scikit_learn_states(name: str) -> None:
    said = read(Path(sklearn.datasets.__file__).parent / "images" / "README.txt")
    part = said.partition(f"Image: {PHOTOS[name].file}")[2].partition("Image: ")[0]
    address = re.search(r"flickr\.com/photos/(\w+)/\d+", part)
    assert "licenses/by/2.0/" in part and "| CC BY 2.0 |" in credit(name) and address and address[0] in credit(name)


def test_whatever_is_no_text_of_ours_is_credited() -> None:
    ours = re.compile(r"\.(py|md|ipynb|json|jsonl|toml|txt|yml|cfg|cff)$|^(LICENSE|Makefile|\.gitignore|\.ci/\w+)$")
    others = [path for path in tracked() if not ours.search(path)]
    own = [path for path in others if re.search(r"^(autoencoder_lab|tests)/.*\.(js|css)$", path)]
    for path in own:
        assert not re.search(r"(?i)@license|copyright|\bMIT\b|apache", read(ROOT / path)), f"{path} is not ours"
    text = read(DOCS / "credits.md")
    assert [path for path in others if path not in own and Path(path).name not in text] == []
    assert {"digit_classifier.npz", "explorer.png", "overview.png"} <= {Path(path).name for path in others}


# --- glossary and notation -------------------------------------------------------------------------

WORDS = """feature map, channel, activation, learning rate, k-NN, standard error, augmentation, seed, sharpness,
posterior, LatentMixture, probabilistic PCA, R1 and R2, KID, normalisation, kernel, nat, SiLU, non-linearity, gradient,
batch, loss, Gaussian, covariance, padding, dense layer, U-Net, warm-up, free bits, mode, equilibrium, momentum,
embedding, negatives"""


def test_the_glossary_has_the_words_that_readers_missed() -> None:
    terms = {term.casefold() for term in re.findall(r"(?m)^### (.+)$", read(DOCS / "glossary.md"))}
    assert [word for word in re.split(r",\s+", WORDS) if word.casefold() not in terms] == []


def test_a_glossary_entry_is_short() -> None:
    for entry in re.split(r"(?m)^### ", read(DOCS / "glossary.md"))[1:]:
        word, _, text = entry.partition("\n")
        assert 5 <= len(re.sub(r"\([^)]*\)", "", text).split()) <= 75, word


def test_the_notation_has_every_symbol() -> None:
    text = read(DOCS / "notation.md")
    symbols = {
        symbol for cell in re.findall(r"(?m)^\| ([^|]+(?:\\\|[^|]+)?) \|", text) for symbol in re.split("[,;] ", cell)
    }
    wanted = [
        "x",
        "h",
        "z",
        "Y",
        "x̂",
        "x̃",
        "μ",
        "σ",
        "ε",
        r"q(z\|x)",
        r"p(z\|x)",
        "E[…]",
        "‖a‖²",
        "nats",
        "β",
        "f",
        "g",
        "D",
    ]
    assert [one for one in wanted if one not in symbols and f"| {one} |" not in text] == []
    assert "| KL[q, p] |" in text
    assert "encoder f, decoder g" in text and "discriminator = critic" in text


# --- hours -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def entries() -> Entries:
    """The course's notebooks and labs."""
    return read_sources.notebook_entries(), read_sources.lab_entries()


def test_the_timetables_hold_everything_once_and_in_order(entries: Entries) -> None:
    notebooks, labs = entries
    text = read(DOCS / "syllabus.md")
    for mark, whole in {"days": False, "fortnight": True, "term": True}.items():
        table = text.partition(f"table of {mark}: begin")[2].partition(f"table of {mark}: end")[0]
        numbers = re.findall(r"(?:\| |; )(\d\d[a-z]?) · ", table)
        needed = [one.number for one in notebooks if any(one.number in other.before for other in notebooks)]
        assert numbers == ([one.number for one in notebooks] if whole else needed)
        assert re.findall(r"`(lab\w+)`", table) == ([lab.name for lab in labs] if whole else [])
        assert len(re.findall(r"(?m)^\| \d+ \|", table)) <= {"days": 2, "fortnight": 10, "term": 14}[mark]
        for low, high in re.findall(r"\| (\d+:\d\d) to (\d+:\d\d) \|", table):
            least, most = (60 * int(hours) + int(minutes) for hours, minutes in (one.split(":") for one in (low, high)))
            assert most == 2 * least
        for lab in labs if whole else []:
            assert table.index(f"`{lab.name}`") > max(table.index(f" {number} · ") for number in lab.before)


def test_the_readme_says_how_much_there_is(entries: Entries) -> None:
    notebooks, labs = entries
    counted = {len(notebooks): "notebooks take", len(labs): "graded labs take"}
    minutes = [sum(one.minutes or 0 for one in part) for part in (notebooks, labs)]
    text = read(ROOT / "README.md")
    for (number, what), total in zip(counted.items(), minutes, strict=True):
        word = tables.NUMBERS[number].capitalize()
        assert f"{word} {what} {total / 60:.0f} to {total / 30:.0f} hours" in text


def test_work_is_spread_so_that_the_longest_day_is_short(entries: Entries) -> None:
    lab = entries[1][0]
    items = [replace(lab, minutes=minutes) for minutes in (30, 30, 60, 90, 10)]
    assert [[one.minutes for one in day] for day in tables.spread(items, 3)] == [[30, 30], [60], [90, 10]]
    assert [one for day in tables.spread(items, 1) for one in day] == items and tables.spread([], 2) == []
