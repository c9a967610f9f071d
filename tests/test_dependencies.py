"""What evidence and notebooks rest on: what could change a figure changes the hash, and a move changes none."""

import ast
import importlib
import re
import shutil
import textwrap
from pathlib import Path

import pytest

import autoencoder_lab as lab
from autoencoder_lab.grading.dependencies import ROOT, Tree
from autoencoder_lab.grading.project_names import BY_ENTRY, NO_FIGURE
from evidence import runner

NOTEBOOKS = sorted((ROOT / "notebooks" / "source").glob("[0-9][0-9]*_*.py"))
TRAINED = ("C08", "C13", "C31", "C33", "C42")


# --- the course itself -----------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the library and the experiments, to be changed."""
    for name in ("autoencoder_lab", "evidence"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "results", ".then"))
    return tmp_path


def file_of(root: Path, thing: object) -> Path:
    """The file in a copy that defines a class, a function or a module of the library."""
    module = getattr(thing, "__module__", None) or thing.__name__  # type: ignore[attr-defined]
    base = root.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) >= 1, f"{file.name} has no {old!r}"
    file.write_text(text.replace(old, new), encoding="utf-8")


def stale(root: Path, names: tuple[str, ...] = runner.IDS) -> set[str]:
    """The claims that rest on something that a copy changed."""
    tree = Tree(root)
    return {name for name in names if tree.experiment(name.lower()) != runner.code_hash(name)}


def test_a_copy_has_the_same_hashes(copy: Path) -> None:
    assert stale(copy) == set()


def test_what_c31_looks_through_counts(copy: Path) -> None:
    classifier = importlib.import_module(lab.metrics.fcd.__module__).classifier
    edit(file_of(copy, classifier.load), "nn.Linear(64 * 4 * 4, 64)", "nn.Linear(64 * 4 * 4, 128)")
    found = stale(copy)
    assert "C31" in found and not {"C08", "C13", "C42"} & found


def test_the_bytes_of_the_classifiers_weights_count(copy: Path) -> None:
    (weights,) = copy.rglob("digit_classifier.npz")
    content = bytearray(weights.read_bytes())
    content[1000] ^= 1
    weights.write_bytes(content)
    found = stale(copy)
    assert "C31" in found and not {"C08", "C13", "C42"} & found


def test_a_new_measure_makes_nothing_stale(copy: Path) -> None:
    file = file_of(copy, lab.metrics.probe)
    file.write_text(file.read_text(encoding="utf-8") + "\n\ndef new(x):\n    return probe(x, x)\n", encoding="utf-8")
    package = copy / "autoencoder_lab" / "metrics" / "__init__.py"
    package.write_text(package.read_text(encoding="utf-8") + "\n\ndef newer(x):\n    return x\n", encoding="utf-8")
    assert stale(copy) == set()


def test_adams_epsilon_counts_wherever_fit_trains(copy: Path) -> None:
    edit(file_of(copy, importlib.import_module("autoencoder_lab.training.optimiser")), '"eps": 1e-8', '"eps": 1e-7')
    found = stale(copy)
    assert set(TRAINED) <= found
    untrained = set(runner.IDS) - found
    assert untrained == {"C34", "C35"}, "they play games in the plane, by torch.optim.Adam"


def test_a_move_makes_nothing_stale(copy: Path) -> None:
    """`probe` moves from its file into a new one, which imports what it needs from the old."""
    old, claims = file_of(copy, lab.metrics.probe), ("C13", "C31", "C40")
    text = old.read_text(encoding="utf-8")
    begin = text.index("def probe(")
    end, imports = text.index("\ndef ", begin), text[: text.index("\ndef ")]
    new = old.with_name("elsewhere.py")
    needed = f"from {lab.metrics.probe.__module__} import encode\n"
    new.write_text(imports + needed + text[begin:end], encoding="utf-8")
    moved = f"from {lab.metrics.probe.__module__.rpartition('.')[0]}.elsewhere import probe as probe\n"
    old.write_text(text[:begin] + moved + text[end:], encoding="utf-8")
    assert stale(copy, claims) == set()
    edit(new, "max_iter=300", "max_iter=301")
    assert stale(copy, claims) == {"C13"}


def test_words_and_what_is_shown_on_the_way_make_nothing_stale(copy: Path) -> None:
    progress, arguments = (importlib.import_module(f"autoencoder_lab.training.{n}") for n in ("progress", "arguments"))
    edit(file_of(copy, progress), "s{left_text}", "s, {left_text}")
    edit(file_of(copy, lab.losses), "Losses: pure functions", "Losses: functions")
    edit(file_of(copy, arguments), "fit trains a model made of", "fit takes a model made of")
    edit(file_of(copy, lab.VAE), "learning_rate = ", "learning_rate = 2 * ")
    assert stale(copy) == set()


@pytest.mark.slow
def test_a_data_set_counts_for_those_who_name_it(copy: Path) -> None:
    file = file_of(copy, lab.load)
    edit(file, '    "kmnist": _Set(\n', '    "kmnist": _Set(\n        1,\n')
    assert stale(copy) == set()
    edit(file, "TEN_DIGITS, _split_up(labels), top=16)", "TEN_DIGITS, _split_up(labels), top=17)")
    found = stale(copy)
    assert "C36" in found and not {"C10", "C13", "C31"} & found
    edit(file, '    "mnist-5k": _Set(\n', '    "mnist-5k": _Set(\n        1,\n')
    assert set(TRAINED) - {"C42"} <= stale(copy)


def test_every_public_name_is_found_where_it_is_defined() -> None:
    tree = Tree()
    for name in lab.__all__:
        module, own = tree.project.find("autoencoder_lab", name)
        value = getattr(lab, name)
        assert value is (importlib.import_module(module) if own is None else vars(importlib.import_module(module))[own])


def test_a_notebook_rests_on_the_checks_it_calls_and_on_the_explorer_it_opens() -> None:
    tree = Tree(shown=True)
    for source in NOTEBOOKS:
        text = ast.unparse(ast.parse(source.read_text(encoding="utf-8")))  # the code without the prose
        found = tree.reached_by(text)
        checks = {tree.project.find("autoencoder_lab.checks", name) for name in re.findall(r"lab\.checks\.(\w+)", text)}
        assert len(checks) >= 3 and checks <= {target for target, _ in found}
        files = {file.name for file in tree.files(found)}
        assert ("explorer.js" in files and "explorer.css" in files) == ("lab.explore(" in text)
        assert ("game.js" in files) == ("lab.show_game(" in text) and "prediction.js" in files
        assert ("posteriors.js" in files) == ("lab.show_posteriors(" in text)
        if source.stem.startswith("00_"):
            others = {lab.checks.vicreg_terms.__module__, lab.VICReg.__module__, lab.checks.lab1.__name__}
            assert not others & {module for (module, _), one in found if one.text}


def test_a_notebook_is_built_anew_for_other_words_and_defaults_that_it_shows(copy: Path) -> None:
    text = "import autoencoder_lab as lab\nlab.show_source(lab.losses.gaussian_kl)\nlab.fit(lab.VAE(2), data)\n"
    before = Tree(copy, shown=True).notebook(text)
    edit(file_of(copy, lab.losses), "def gaussian_kl(", "# why\ndef gaussian_kl(")
    edit(file_of(copy, lab.losses), "def squared_error(", "# why\ndef squared_error(")
    assert Tree(copy, shown=True).notebook(text) == before
    edit(file_of(copy, lab.losses), "def gaussian_kl(mu: Tensor", "def gaussian_kl(mu: 'Tensor'")
    shown = Tree(copy, shown=True).notebook(text)
    assert shown != before
    edit(file_of(copy, lab.VAE), "learning_rate = ", "learning_rate = 2 * ")
    assert Tree(copy, shown=True).notebook(text) != shown


# --- a toy project ---------------------------------------------------------------------------------

TOY = {
    "autoencoder_lab/__init__.py": """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from autoencoder_lab import measures
            from autoencoder_lab.models import Model
        def __getattr__(name): ...
        """,
    "autoencoder_lab/measures.py": """
        from autoencoder_lab.models import LIMIT
        def load(x):
            return x
        def score(x, load=load):
            "Words."
            size = LIMIT
            if x > size:
                raise ValueError("too large")
            return load(x)
        def other(load):
            return [size for size in load]
        """,
    "autoencoder_lab/models/__init__.py": "from autoencoder_lab.models.big import LIMIT, Model\n",
    "autoencoder_lab/models/big.py": f"""
        from autoencoder_lab.readers import load
        LIMIT = 1.0
        WORDS = ("weights", "more")
        {BY_ENTRY}
        TABLE = {{"one": LIMIT, "two": load}}
        class Base:
            def rate(self): return 1
        class Model(Base):
            learning_rate = 1e-2
            def go(self, x, load=None):
                bar(x)
                return TABLE["one"], load, "view.js", [f"{{word}}.npz" for word in WORDS]
        def bar(x):
            "A bar. {NO_FIGURE}"
            print(x)
        register(Base)
        """,
    "autoencoder_lab/readers.py": "def load(x): return open('data.bin')\n",
    "autoencoder_lab/checks/__init__.py": "def __getattr__(name): ...\n",
    "autoencoder_lab/checks/first.py": "def question(f): return f\n",
    "autoencoder_lab/weights.npz": "1",
    "autoencoder_lab/large.npz": "2",
    "autoencoder_lab/data.bin": "3",
    "autoencoder_lab/view.js": 'import { x } from "./parts.js";\ndraw()',
    "autoencoder_lab/parts.js": "x = 1",
    "autoencoder_lab/other.js": "y = 1",
    "evidence/__init__.py": "",
    "evidence/claims/c01.py": """
        import autoencoder_lab as lab
        def experiment(seed):
            from autoencoder_lab import measures
            return lab.Model().go(seed), measures.score(seed)
        def verdict(rows):
            return measures.other(rows)
        """,
}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    for name, text in TOY.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text), encoding="utf-8")
    return tmp_path


BIG, MEASURES, C01 = "autoencoder_lab/models/big.py", "autoencoder_lab/measures.py", "evidence/claims/c01.py"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (MEASURES, "size = LIMIT", "size = 2 * LIMIT"),
        (MEASURES, "def load(x):\n    return x", "def load(x):\n    return -x"),  # through a default
        (MEASURES, "ValueError", "TypeError"),
        (BIG, "LIMIT = 1.0", "LIMIT = 2.0"),  # through a re-export
        (BIG, '"one": LIMIT', '"one": 3.0'),
        (BIG, "def rate(self): return 1", "def rate(self): return 2"),  # a base's method
        (BIG, "register(Base)", "register(Model)"),
        ("autoencoder_lab/weights.npz", "1", "0"),  # its name is put together
        ("autoencoder_lab/view.js", "draw()", "paint()"),
        ("autoencoder_lab/parts.js", "x = 1", "x = 2"),  # imported by a script
        (C01, "seed), measures", "seed + 1), measures"),
        (C01, "measures.score(seed)", "getattr(measures, 'score')(seed)"),
    ],
)
def test_what_changes_a_figure_is_seen(toy: Path, file: str, old: str, new: str) -> None:
    before = Tree(toy).experiment("c01")
    edit(toy / file, old, new)
    assert Tree(toy).experiment("c01") != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (MEASURES, '    "Words."\n', ""),
        (MEASURES, "def score(x, load=load):", "def score(x: int, load=load) -> float:  # why"),
        (MEASURES, '"too large"', '"larger than one"'),
        (MEASURES, "def other(load):", "def other(load, x=score):"),
        (MEASURES, "from autoencoder_lab.models import LIMIT", "from autoencoder_lab.models.big import LIMIT"),
        (MEASURES, "from autoencoder_lab.models import LIMIT", "from .models import LIMIT"),
        (BIG, "learning_rate = 1e-2", "learning_rate = 3e-3"),
        (BIG, '"two": load', '"two": 4'),
        (BIG, "    print(x)", "    print(x, x)"),
        (BIG, "LIMIT = 1.0", "LIMIT: float = 1.0\nNEW = 3"),
        ("autoencoder_lab/readers.py", "open('data.bin')", "1"),  # the other `load`
        ("autoencoder_lab/large.npz", "2", "0"),
        ("autoencoder_lab/data.bin", "3", "0"),
        ("autoencoder_lab/other.js", "1", "0"),
        (
            C01,
            "import autoencoder_lab as lab",
            "import autoencoder_lab as al\nfrom autoencoder_lab import models as lab",
        ),
        (C01, "lab.Model()", "lab.models.big.Model()"),
        (C01, "return measures.other(rows)", "return rows"),
    ],
)
def test_what_changes_no_figure_is_not(toy: Path, file: str, old: str, new: str) -> None:
    before = Tree(toy).experiment("c01")
    edit(toy / file, old, new)
    assert Tree(toy).experiment("c01") == before


def test_a_module_handed_on_counts_whole(toy: Path) -> None:
    edit(toy / C01, "measures.score(seed)", "getattr(measures, 'score')(seed)")
    before = Tree(toy).experiment("c01")
    edit(toy / MEASURES, "for size in load", "for size in load if size")
    assert Tree(toy).experiment("c01") != before


def test_the_other_function_of_that_name_is_told_apart(toy: Path) -> None:
    """Both are reached; only which is called where has changed."""
    edit(
        toy / C01,
        "import autoencoder_lab as lab\n",
        "import autoencoder_lab as lab\nfrom autoencoder_lab import readers\n",
    )
    edit(toy / C01, "measures.score(seed)", "measures.load(readers.load(seed))")
    before = Tree(toy).experiment("c01")
    edit(toy / C01, "measures.load(readers.load(seed))", "readers.load(measures.load(seed))")
    assert Tree(toy).experiment("c01") != before


def test_a_name_that_is_nowhere_is_an_error(toy: Path) -> None:
    edit(toy / C01, "measures.score(seed)", "measures.scores(seed)")
    with pytest.raises(LookupError, match=r"autoencoder_lab.measures defines no 'scores'"):
        Tree(toy).experiment("c01")


def test_a_lazy_name_that_no_table_tells_is_looked_for_below(toy: Path) -> None:
    text = "import autoencoder_lab as lab\nlab.checks.question(1)\n"
    before = Tree(toy).notebook(text)
    second = toy / "autoencoder_lab" / "checks" / "second.py"
    second.write_text("def answer(f): return f\n", encoding="utf-8")
    assert Tree(toy).notebook(text) == before
    edit(toy / "autoencoder_lab" / "checks" / "first.py", "return f", "return 1")
    assert Tree(toy).notebook(text) != before
    second.write_text("def question(f): return f\n", encoding="utf-8")
    with pytest.raises(
        LookupError, match=r"checks.question is loaded lazily.*checks.first, autoencoder_lab.checks.second"
    ):
        Tree(toy).notebook(text)
