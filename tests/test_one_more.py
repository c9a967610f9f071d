"""Whoever adds a notebook or a lab writes its own files and nothing else: tried in a copy of the tree.

A notebook is its source, its checks and their tests; a lab is its source, its judge, its questions and its mistakes.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("autoencoder_lab", "notebooks", "benchmarks", "evidence", "docs", "tests", "assignments/source")
COPIED += ("assignments/judges", "README.md", "LICENSE", "pyproject.toml")

CHECKS = '''"""The check of notebook 98."""

from autoencoder_lab.checks.compare import CheckFailed, answer_of


def toy_double(student):
    """Exercise 98.1: student(x) gives 2 x."""
    answer = answer_of("toy_double", student, 2)
    if answer is None:
        return
    if answer != 4:
        raise CheckFailed(f"toy_double: expected 4, got {answer}")
    print("✓ toy_double: correct")
'''

LAB = '''# %% [markdown]
# # Lab 98 · Doubling
#
# *Twice a number; what doubling does to a sum*
#
# In this lab you double numbers.
#
# | part | points | how it is marked |
# |---|---|---|
# | 1 · Double | 4 | by tests on other numbers |
# | 2 · In your own words | 2 | by a person |
#
# **Before you start**: notebooks 01 and 98. **Time**: 15 minutes. Everything runs on two cores.

# %% given="imports"
import autoencoder_lab as lab

# %% [markdown]
# ## 1 · Double (4 points)

# %% answer="double"
def double(x):
    """x: (n,). Return 2 x."""
    ### BEGIN SOLUTION
    return x + x
    ### END SOLUTION

# %% test="test_double" points=4
lab.checks.lab98.double.check(double)

# %% [markdown]
# ## 2 · In your own words (2 points)

# %% [markdown] manual="words" points=2
# A sum that is doubled is the sum of what was doubled.
'''

QUESTIONS = '''"""The question of lab 98."""

import torch

from autoencoder_lab.checks.question import Question, Wrong

double = Question(
    "double",
    lambda x: 2 * x,
    {"squared": Wrong("you square; asked for is twice the number", lambda x: x * x, 0.25)},
    lambda generator: [(torch.rand(5, generator=generator),)],
)
'''

JUDGE = '''"""The judge of lab 98."""

from autoencoder_lab.checks import lab98
from autoencoder_lab.grading.judge import Judge, function_part

JUDGE = Judge(parts=[function_part("test_double", 4, ["double"], lab98.double)])
'''

MISTAKES = '''"""Lab 98: what students write."""

from labs.answers import Mistake, changed
from labs.sources import answers_of

RIGHT = answers_of("lab98_toy")
MISTAKES = {
    "squared": Mistake({"double": changed(RIGHT["double"], ("x + x", "x * x"))}, {"test_double": 1}, "you square"),
}
OTHER_WAYS = {"a product": {"double": changed(RIGHT["double"], ("x + x", "2 * x"))}}
'''

SEEN = """
import json
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

from autoencoder_lab.commands.student_copy import lay_out
from benchmarks import course

print(json.dumps({
    "benchmark": [notebook.name for notebook in course.chosen(["98"])],
    "open": lay_out(Path("a-student")),
    "wheel": [file.distribution_path for file in WheelBuilder(".").recurse_included_files()],
}))
"""


def example(number: str) -> str:
    """The example of a notebook under another number, its first exercise checked by a check of the library."""
    text = (ROOT / "tests" / "fixtures" / "00_example.py").read_text(encoding="utf-8")
    for old, new in (
        ("# # 00 · ", f"# # {number} · "),
        ('"00', f'"{number}'),  # keys of predictions and of the quiz
        ("check(double(2), 4)", "lab.checks.toy_double(double)"),
    ):
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree, with a notebook and a lab more."""
    root = tmp_path_factory.mktemp("tree")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", ".then"))
        else:
            shutil.copy(ROOT / name, root / name)
    for name, text in {
        "notebooks/source/98_toy.py": example("98"),
        "autoencoder_lab/checks/notebooks/notebook_98.py": CHECKS,
        "assignments/source/lab98_toy/lab98_toy.py": LAB,
        "assignments/judges/lab98_toy.py": JUDGE,
        "autoencoder_lab/checks/labs/lab98.py": QUESTIONS,
        "tests/labs/lab98_toy.py": MISTAKES,
    }.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def run(tree: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Python in the copy, whose package is the only one to be found."""
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONIOENCODING": "utf-8"}
    for inherited in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
        environment.pop(inherited, None)
    return subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=environment, capture_output=True, encoding="utf-8", check=False
    )


def done(ran: "subprocess.CompletedProcess[str]") -> str:
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return ran.stdout


PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


def passed(ran: "subprocess.CompletedProcess[str]") -> int:
    """How many tests passed; none failed."""
    return int(re.findall(r"(\d+) passed", done(ran))[-1])


@pytest.mark.slow
def test_a_notebook_is_its_source_and_its_checks(tree: Path) -> None:
    missing = run(tree, "notebooks/build.py", "--check", "98")
    assert missing.returncode == 1 and "98_toy.ipynb is not built" in missing.stdout
    assert "98_toy: " in done(run(tree, "notebooks/build.py", "98"))

    assert done(run(tree, "-m", "notebooks.tables")).count("written") == 3
    page = {name: (tree / name).read_text(encoding="utf-8") for name in ("README.md", "docs/syllabus.md")}
    assert "| 98 · A notebook in small | Doubling numbers; finding a bug | " in page["README.md"]
    assert "| `lab98_toy` | [![Open in Colab]" in page["README.md"]
    assert "| 98 · A notebook in small | – | " in page["docs/syllabus.md"]
    assert "| find a bug | 98, 1 and 2 | quiz |" in page["docs/syllabus.md"]

    seen = json.loads(done(run(tree, "-c", SEEN)))
    assert seen["benchmark"] == ["98_toy"]
    assert "98_toy.ipynb: copied" in seen["open"]
    assert "autoencoder_lab/course/98_toy.ipynb" in seen["wheel"]
    assert "autoencoder_lab/checks/notebooks/notebook_98.py" in seen["wheel"]

    # what is asked of every notebook, asked of this one
    assert passed(run(tree, *PYTEST, "tests/test_notebooks.py", "-k", "98_toy and not section_of_the_day")) >= 9


@pytest.mark.slow
def test_a_lab_is_its_source_its_judge_its_questions_and_its_mistakes(tree: Path) -> None:
    pytest.importorskip("nbgrader", reason="releasing a lab needs nbgrader: pip install 'autoencoder_lab[grading]'")
    command = ("-m", "autoencoder_lab.commands.cli")
    done(run(tree, *command, "release", "lab98_toy"))
    checked = run(tree, *command, "check", "assignments/release/lab98_toy/lab98_toy.ipynb")
    assert checked.returncode == 1 and "· missing double" in checked.stdout and "0 of 6 points" in checked.stdout

    done(run(tree, "-m", "notebooks.tables"))
    page = (tree / "docs" / "instructors.md").read_text(encoding="utf-8")
    assert "| `lab98_toy`<br>Doubling | Twice a number; what doubling does to a sum | 01, 98 | 15 | 6 |" in page

    # what is asked of every lab, asked of this one; a real one has ten mistakes and four parts
    those = "lab98_toy and (reference or costs or names_the_points or builds_on)"
    assert passed(run(tree, *PYTEST, "tests/labs", "-k", those)) >= 2  # without bubblewrap, the others are skipped
