"""Whole submissions: right, blank, wrong in common ways, hostile, and a class of them."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autoencoder_lab.grading import dependencies
from autoencoder_lab.grading import grade as grading
from autoencoder_lab.grading.grade import Paper, Result
from autoencoder_lab.grading.judge import Judge, load_judge
from autoencoder_lab.grading.notebook_file import cells_of
from autoencoder_lab.grading.sandbox import Limits, Sandbox
from autoencoder_lab.grading.submission import find
from autoencoder_lab.grading.whole_class import Task, grade_class, read_result
from grading import odd_notebooks
from grading.small_lab import POINTS, RIGHT, STUBS, cell, notebook

JUDGE = Path(__file__).parent / "small_lab" / "judge.py"


@pytest.fixture(scope="module")
def judge() -> Judge:
    return load_judge(JUDGE)


def graded(content: bytes, judge: Judge, sandbox: Sandbox) -> Result:
    return grading.grade(Paper("student", content), judge, cells_of(notebook()), 7, sandbox)


def points(result: Result) -> dict[str, float]:
    return {part.grade_id: part.points for part in result.parts}


def test_right_gets_all_and_blank_nothing(judge: Judge, sandbox: Sandbox) -> None:
    assert points(graded(notebook(RIGHT), judge, sandbox)) == POINTS
    blank = graded(notebook(), judge, sandbox)
    assert blank.points == 0 and not blank.reason and all(part.said for part in blank.parts)


@pytest.mark.parametrize(
    ("name", "source", "reached", "said"),
    [
        ("mse", "def mse(x, y):\n    return ((x - y) ** 2).sum()", 1, "this is the sum"),
        ("mse", "def mse(x, y):\n    return ((x - y) ** 2).mean().sqrt()", 1, "this is the root"),
        ("mse", "def mse(x, y):\n    return (x - y).abs().mean()", 0, "not the expected ones"),
        ("mse", "def mse(x, y):\n    return ((x - y) ** 2).mean(dim=1)", 0, "must have shape (), got (5,)"),
        ("mse", "def mse(x, y):\n    return 1 / 0", 0, "ZeroDivisionError"),
        ("mse", "def mse(x, y)\n    return x", 0, "KeyError: 'mse'; before that, a cell stopped with SyntaxError"),
        ("centred", "def centred(x):\n    return x - x.mean(dim=1, keepdim=True)", 0, "the mean image is asked for"),
        ("model", RIGHT["model"].replace("range(200)", "range(0)"), 0, "of the images' own power"),
        (
            "model",
            RIGHT["model"].replace("nn.Linear(8, 2), nn.Linear(2, 8)", "nn.Linear(8, 8), nn.Linear(8, 8)"),
            0,
            "a code has 2",
        ),
    ],
)
def test_a_mistake_costs_its_part_alone_and_is_named(
    judge: Judge, sandbox: Sandbox, name: str, source: str, reached: float, said: str
) -> None:
    result = graded(notebook(RIGHT | {name: source}), judge, sandbox)
    assert points(result) == POINTS | {f"test_{name}": reached}
    assert said in next(part.said for part in result.parts if part.grade_id == f"test_{name}")


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos._exit(0)",
        "while True: pass",
        "def mse(x, y):\n    import os\n    os._exit(0)",
        "import ast\nEmpty = type('Empty', (), {'visit': lambda self, node: ast.Module([], [])})\n"
        "get_ipython().ast_transformers.append(Empty())",
        "import sys, torch\nsys.exit = None\ntorch.from_numpy = None",
    ],
)
def test_what_one_part_breaks_costs_no_other(judge: Judge, sandbox: Sandbox, source: str) -> None:
    short = replace(judge, limits=Limits(cell=2))
    result = graded(notebook(RIGHT | {"mse": source}), short, sandbox)
    assert points(result) == POINTS | {"test_mse": 0}


HOSTILE = {
    "an object that equals everything": """
class Yes:
    def __eq__(self, other): return True
    def __array__(self, *a, **k): return __import__("numpy").array(0.0)
    def detach(self): return self
def mse(x, y): return Yes()
""",
    "patched comparison": """
import numpy, sys
numpy.allclose = numpy.array_equal = lambda *a, **k: True
numpy.testing.assert_allclose = lambda *a, **k: None
def mse(x, y): return torch.tensor(0.0)
""",
    "a forged answer on every pipe": """
import json, os
body = json.dumps({"cells": [], "probes": {"test_mse": {"arrays": {}}}}).encode()
for descriptor in range(3, 64):
    try: os.write(descriptor, len(body).to_bytes(8, "big") + body)
    except OSError: pass
def mse(x, y): return torch.tensor(0.0)
""",
    "looking for the judge": """
import gc, glob, sys
found = [m for m in sys.modules if "judge" in m] + glob.glob("/**/judge*.py", recursive=True)
found += [o for o in gc.get_objects() if type(o).__name__ == "Part"]
def mse(x, y): return torch.tensor(float(bool(found)))
""",
    "its own judge in the probe's place": """
import builtins
real = builtins.exec
builtins.exec = lambda source, place, *a: place.update(probe=lambda names, **i: {"mse": 0.0, "points": 10})
def mse(x, y): return torch.tensor(0.0)
""",
    "points in a comment and in the output": """
# points: 10
print('{"points": 10, "test_mse": 2}')
def mse(x, y): return torch.tensor(0.0)
""",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_attack_earns_nothing(judge: Judge, sandbox: Sandbox, name: str) -> None:
    short = replace(judge, limits=Limits(cell=4))  # one of them looks through all there is
    assert graded(notebook({"mse": HOSTILE[name]}), short, sandbox).points == 0


@pytest.mark.parametrize(
    ("own", "reached"),
    [
        ("print(model + 1)\n\ndef over(x):\n    return x.mean()", 2),
        ("best = model\nover = torch.mean", 2),
        ("print(modle)\nover = torch.mean", 0),
    ],
)
def test_what_an_own_cell_defines_after_the_training_is_there(own: str, reached: float, sandbox: Sandbox) -> None:
    answers = odd_notebooks.RIGHT | {"mse": "def mse(x, y):\n    return over((x - y) ** 2)"}
    frame = odd_notebooks.cells({})
    frame.insert(2, odd_notebooks.code("model = 3", "train", "given"))
    made = odd_notebooks.cells(answers)
    made[2:2] = [odd_notebooks.code("model = 3", "train", "given"), odd_notebooks.code(own)]
    judge = replace(odd_notebooks.judge(), replaced=["train"])
    released = cells_of(odd_notebooks.written(frame))
    result = grading.grade(Paper("student", odd_notebooks.written(made)), judge, released, 7, sandbox)
    assert points(result) == {"test_mse": reached, "test_centred": 3}


def test_a_decoder_that_never_saw_the_images_cannot_return_them(judge: Judge, sandbox: Sandbox) -> None:
    smuggle = """
import os, pickle
class Smuggler:
    def encode(self, x):
        for place in ("/submission/kept", "/dev/shm/kept", "/tmp/kept"):
            try: pickle.dump(x, open(place, "wb"))
            except OSError: pass
        torch.kept = x
        return x[:, :2]
    def decode(self, z):
        for place in ("/submission/kept", "/dev/shm/kept", "/tmp/kept"):
            if os.path.exists(place): return pickle.load(open(place, "rb"))
        return getattr(torch, "kept", torch.zeros(len(z), 8))
model = Smuggler()
"""
    assert points(graded(notebook(RIGHT | {"model": smuggle}), judge, sandbox))["test_model"] == 0


def test_locked_cells_are_the_releases_and_copies_do_not_count(judge: Judge, sandbox: Sandbox) -> None:
    content = json.loads(notebook(STUBS))
    content["cells"][0]["source"] = "raise SystemExit"  # the locked imports, edited
    content["cells"][1]["metadata"]["nbgrader"]["locked"] = True  # an answer, said to be locked
    content["cells"][1]["source"] = RIGHT["mse"]
    content["cells"] += [cell(RIGHT["centred"], "centred"), cell("1 / 0", "test_mse", "test")]
    del content["cells"][5]  # the model's cell
    result = graded(json.dumps(content).encode(), judge, sandbox)
    # the copied cell runs as a cell the student added; it defines what the first left undone
    assert points(result)["test_mse"] == 2 and points(result)["test_model"] == 0
    ids = [c["grade_id"] for c in result.cells]
    assert ids.count("model") == 1 and ids.index("model") < ids.index("test_model")  # where the release has it
    assert any("the cell model is missing" in flag for flag in result.flags)


def test_a_class_is_graded_resumed_and_never_stopped(tmp_path: Path, sandbox: Sandbox) -> None:
    folder, results = tmp_path / "submissions", tmp_path / "results"
    folder.mkdir()
    release = tmp_path / "small_lab.ipynb"
    release.write_bytes(notebook())
    for name, content in {"ann": notebook(RIGHT), "bob": notebook(), "cut": notebook(RIGHT)[:-30]}.items():
        (folder / f"{name}.ipynb").write_bytes(content)
    task = Task(JUDGE, release, 7)
    first = {r.student: r for r in grade_class(task, find(folder, "small_lab"), results, workers=2)}
    assert {name: r.points for name, r in first.items()} == {"ann": 10, "bob": 0, "cut": 0}
    assert "no JSON" in first["cut"].reason and read_result(results / "ann.json") == first["ann"]
    stamps = {file.name: file.stat().st_mtime_ns for file in results.iterdir()}
    (folder / "bob.ipynb").write_bytes(notebook({"mse": RIGHT["mse"]}))
    (results / "cut.json").write_text("{ half a file")
    again = {r.student: r for r in grade_class(task, find(folder, "small_lab"), results)}
    assert {name: r.points for name, r in again.items()} == {"ann": 10, "bob": 2, "cut": 0}
    changed = {file.name for file in results.iterdir() if stamps.get(file.name) != file.stat().st_mtime_ns}
    assert changed == {"bob.json", "cut.json"}


# --- what a key covers -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package's root, to change."""
    root = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("weights", "*.pyc")
    shutil.copytree(dependencies.ROOT / "autoencoder_lab", root / "autoencoder_lab", ignore=ignored)
    return root


@pytest.fixture
def a_copy(copied: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the package to change, which the derivation reads in place of this one; unchanged for the next test."""
    monkeypatch.setattr(dependencies, "ROOT", copied)
    monkeypatch.setattr(dependencies.Tree.__init__, "__defaults__", (copied, False))
    before = {file: file.read_bytes() for file in (copied / "autoencoder_lab").rglob("*.*") if file.is_file()}
    yield copied / "autoencoder_lab"
    for file, content in before.items():
        if file.read_bytes() != content:
            file.write_bytes(content)


@pytest.fixture(scope="module")
def unchanged(copied: Path) -> str:
    """What stands behind the judge of lab 2 before anything is changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dependencies, "ROOT", copied)
        patch.setattr(dependencies.Tree.__init__, "__defaults__", (copied, False))
        return dependencies.behind(LAB2)


LAB2 = dependencies.ROOT / "assignments" / "judges" / "lab2_conv.py"


@pytest.mark.parametrize(
    ("file", "old", "new", "counts"),
    [
        ("checks/labs/lab2.py", "return calls", "return calls[1:]", True),  # the lab's questions
        ("grading/drawings.py", "def scribbles", "MORE = 1\n\n\ndef scribbles", False),  # which nothing names
        ("grading/drawings.py", "generator.", "generator .", False),  # the same to Python
        ("grading/judge.py", "tolerance: float = 1e-4", "tolerance: float = 1e-2", True),
        ("grading/sandbox.py", "memory: int = 2 << 30", "memory: int = 1 << 30", True),  # the limits
        ("grading/grade.py", "round(share * part.points, 2)", "round(share * part.points, 1)", True),  # the engine
        ("checks/question.py", "share: float", "share: float = 0.5", True),
        ("checks/labs/lab3.py", "return calls", "return calls[1:]", False),  # another lab's
        ("explorer/map.js", "a", "b", False),
        ("commands/cli.py", "import os", "import os\n\nMORE = 1", False),
        ("models/convolutional.py", "class ", "MORE = 1\n\n\nclass ", False),
    ],
)
def test_a_key_covers_what_the_mark_depends_on_and_nothing_else(
    a_copy: Path, unchanged: str, file: str, old: str, new: str, counts: bool
) -> None:
    text = (a_copy / file).read_text(encoding="utf-8")
    assert old in text, "the test changes nothing"
    (a_copy / file).write_text(text.replace(old, new), encoding="utf-8")
    assert (dependencies.behind(LAB2) != unchanged) is counts


def test_a_key_covers_judge_release_seed_and_file(judge: Judge) -> None:
    frame, mine = cells_of(notebook()), Paper("ada", notebook(RIGHT))
    keys = [
        grading.key_of(mine, judge, frame, 7),
        grading.key_of(mine, replace(judge, version="other"), frame, 7),
        grading.key_of(mine, judge, frame[:-1], 7),
        grading.key_of(mine, judge, frame, 8),
        grading.key_of(replace(mine, content=notebook()), judge, frame, 7),
    ]
    assert len(set(keys)) == len(keys) and keys[0] == grading.key_of(mine, judge, frame, 7)


def test_a_judge_that_cannot_be_followed_rests_on_the_whole_package(a_copy: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("from autoencoder_lab.checks import no_such_lab\n\nno_such_lab.x\n", encoding="utf-8")
    before = dependencies.behind(mine)
    (a_copy / "commands" / "cli.py").write_text("", encoding="utf-8")
    assert dependencies.behind(mine) != before
