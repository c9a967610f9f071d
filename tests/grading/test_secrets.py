"""What a student may not learn while being graded: the judge's questions, its seed; and nobody guesses twice."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.grade import Paper, Result, derived, grade, names_bound
from autoencoder_lab.grading.judge import Judge, Part, load_judge
from autoencoder_lab.grading.lab_source import LabError
from autoencoder_lab.grading.notebook_file import cells_of
from autoencoder_lab.grading.sandbox import Answer, Job, Probe, Sandbox
from grading.small_lab import RIGHT, notebook

JUDGE = Path(__file__).parent / "small_lab" / "judge.py"
SECRET = 8675309.0625  # what the probe is asked


def graded(answers: dict[str, str], judge: Judge, sandbox: Sandbox, seed: int = 7) -> Result:
    return grade(Paper("student", notebook(answers)), judge, cells_of(notebook()), seed, sandbox)


@pytest.fixture(scope="module")
def judge() -> Judge:
    """The small lab's first two parts; the first is asked for SECRET."""
    judge = load_judge(JUDGE)
    asked = replace(judge.parts[0], inputs=lambda _: {name: np.full((5, 7), SECRET) for name in ("x", "y")})
    return replace(judge, parts=(asked, judge.parts[1]))


# --- nothing of a probe in any text -----------------------------------------------------------------------------------

TELLS = {
    "its words": "def mse(x, y): raise ValueError(f'{x[0, 0].item()} {x.tolist()}')",
    "its name": "def mse(x, y): raise type('E' + str(x[0, 0].item()).replace('.', '_'), (Exception,), {})()",
    "its name, which Python knows": """
import builtins
def mse(x, y):
    name = "E" + str(x[0, 0].item()).replace(".", "_")
    setattr(builtins, name, type(name, (Exception,), {"__module__": "builtins"}))
    raise getattr(builtins, name)
""",
    "a key": "def mse(x, y): return {}[str(x[0, 0].item()).replace('.', '_')]",
    "a note and a cause": """
def mse(x, y):
    error = ValueError(); error.add_note(str(x.tolist()))
    raise error from KeyError(str(x[0, 0].item()))
""",
    "the name of its file and function": """
def mse(x, y):
    told = str(x[0, 0].item())
    exec(compile(f"def f{told[:5]}(): 1 / 0\\nf{told[:5]}()", told, "exec"))
""",
    "the report itself": """
import json
kept = json.dumps
def mse(x, y):
    def forged(report, *a, **k):
        told = str(x[0, 0].item())
        error = {"kind": told, "cell": 0, "line": told, "key": told}
        return kept({"cells": [], "probes": {"test_mse": {"error": error}}})
    json.dumps = forged
    raise ValueError
""",
    "the shape of nothing": "def mse(x, y): return torch.zeros(int(x[0, 0].item()), 0)",
    "what is printed": "def mse(x, y):\n    print(x.tolist())\n    raise SystemExit(str(x[0, 0].item()))",
    "a cell that looks for it": """
import gc, sys
frame, seen = sys._getframe(), []
while frame:
    seen.append(repr(frame.f_locals.get("job", ""))); frame = frame.f_back
seen += [repr(o) for o in gc.get_objects() if isinstance(o, dict) and "inputs" in o]
open_ones = [os.read(n, 1 << 16) for n in ()]
raise ValueError(" ".join(seen)[:400])
""",
}


@pytest.mark.parametrize("name", TELLS)
def test_no_text_tells_what_a_probe_asked(name: str, judge: Judge, sandbox: Sandbox) -> None:
    result = graded(RIGHT | {"mse": "import os\n" + TELLS[name]}, judge, sandbox)
    assert [part.points for part in result.parts] == [0, 3]
    told = " ".join(part.said + part.mistake for part in result.parts)
    assert "8675309" not in told and "inputs" not in told, told
    assert "8675309" not in str((result.reason, result.flags))


def test_the_probes_come_when_the_cells_have_been_reported(sandbox: Sandbox) -> None:
    # what waits in the pipes of all who are there is read by nobody of this job's
    look = """
import glob, os, select
seen = b""
for name in os.listdir("/proc/self/fd"):
    try:
        if int(name) > 2 and select.select([int(name)], [], [], 0.2)[0]: seen += os.read(int(name), 1 << 16)
    except (OSError, ValueError): pass
print(len(seen), seen[:100])
"""
    job = Job([look], {"a": Probe("def probe(names, x): return {'x': x}", {"x": np.array(SECRET)})})
    answer = sandbox.run(job)
    assert answer.cells[0].output == "0 b''\n" and answer.probes["a"].arrays["x"] == SECRET


def test_an_error_is_shown_with_the_students_own_line(judge: Judge, sandbox: Sandbox) -> None:
    source = "def mse(x, y):\n    def inner(z):\n        return z / torch.ones(3)\n    return inner(x - y)"
    said = graded(RIGHT | {"mse": source}, judge, sandbox).parts[0].said
    assert said == "your code stops with RuntimeError in line 3 of a cell: return z / torch.ones(3)"
    result = graded(RIGHT | {"mse": "mean_error = 1"}, judge, sandbox)
    assert result.parts[0].said == "your code stops with KeyError: 'mse'"


def test_a_judge_that_stumbles_tells_its_line_and_no_more(judge: Judge, sandbox: Sandbox) -> None:
    def stumbles(given: object, inputs: object) -> None:
        raise ValueError(str(given))

    part = replace(judge.parts[0], judge=stumbles)
    result = graded(
        RIGHT | {"mse": "def mse(x, y): return torch.tensor(4711.0)"}, replace(judge, parts=(part,)), sandbox
    )
    assert result.parts[0].mistake.startswith("judge: ValueError, line ") and "4711" not in result.parts[0].mistake


# --- seeds ------------------------------------------------------------------------------------------------------------


def test_the_private_seed_has_256_bits_and_old_ones_are_read(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    course = Course(tmp_path)
    seed = course.seed()
    assert seed.bit_length() > 200 and course.seed() == seed
    (tmp_path / "private_seed").write_text("123456\n")
    assert course.seed() == 123456
    for wrong in ("-5", "x", ""):
        (tmp_path / "private_seed").write_text(wrong)
        with pytest.raises(LabError, match="one whole number"):
            course.seed()


def test_each_lab_student_and_part_is_asked_something_else() -> None:
    seeds = [1 << 255, (1 << 255) + 1, 5, 6]
    what = [("lab", "ann", "a"), ("lab", "anna", ""), ("laba", "nn", "a"), ("lab", "ann", "b"), ("lab2", "ann", "a")]
    numbers = {derived(seed, *words) for seed in seeds for words in what}
    assert len(numbers) == len(seeds) * len(what) and min(n.bit_length() for n in numbers) > 230
    assert derived(5, "lab", "ann") == derived(5, "lab", "ann")
    draws = [np.random.default_rng(number).integers(2**62) for number in numbers]
    assert len(set(draws)) == len(draws)


# --- nobody guesses twice ---------------------------------------------------------------------------------------------


class Asked:
    """In a sandbox's place: counts what is asked, and answers as it is told."""

    def __init__(self, *answers: dict[str, object]) -> None:
        self.answers, self.asked = list(answers), list[set[str]]()

    def run(self, job: Job) -> Answer:
        from autoencoder_lab.grading.sandbox import Cell, Probed

        self.asked.append(set(job.probes))
        given = self.answers[min(len(self.asked), len(self.answers)) - 1]
        probed = {
            name: Probed({}, value) if isinstance(value, str) else Probed({"mse": value, "centred": value})  # type: ignore[dict-item]
            for name, value in given.items()
            if name in job.probes
        }
        return Answer([Cell(True, "", "")], probed)


def test_what_is_wrong_is_not_asked_again_and_what_gave_no_answer_is(judge: Judge) -> None:
    wrong, right = np.array(3.0), np.array(0.0)
    asked = Asked({"test_mse": wrong, "test_centred": wrong}, {"test_mse": right, "test_centred": right})
    result = graded(RIGHT, judge, asked)  # type: ignore[arg-type]
    assert asked.asked == [{"test_mse", "test_centred"}] and result.points == 0
    asked = Asked({"test_mse": "ValueError", "test_centred": wrong}, {"test_mse": right})
    result = graded(RIGHT, judge, asked)  # type: ignore[arg-type]
    assert asked.asked == [{"test_mse", "test_centred"}, {"test_mse"}] and result.points == 2


def test_answers_that_could_change_each_other_run_apart_from_the_beginning(judge: Judge) -> None:
    both = {"mse": "def helper(): ...\n" + RIGHT["mse"], "centred": "def helper(): ...\n" + RIGHT["centred"]}
    for answers in (both, RIGHT | {"centred": "torch.mean = None"}, RIGHT | {"mse": "torch.set_default_dtype(1)"}):
        asked = Asked({"test_mse": np.array(1.0), "test_centred": np.array(1.0)})
        graded(answers, judge, asked)  # type: ignore[arg-type]
        assert asked.asked == [{"test_mse"}, {"test_centred"}]


def test_names_that_an_answer_binds() -> None:
    assert names_bound(
        "import torch\na, (b, *c) = 1, (2, 3)\ndef f(x):\n    y = x\n    torch.mean = 3\nfor i in a: k = i"
    ) == {*"abcfik"}
    assert (
        names_bound("x[0] = 1") is None and names_bound("def f(:") is None and names_bound("setattr(a, 'b', 1)") is None
    )


GUESS = "import os\ndef mse(x, y): return ((x - y) ** 2).mean() + float(os.urandom(1)[0] % 2)"


@pytest.mark.long
def test_a_guess_is_right_as_often_as_a_guess(judge: Judge, sandbox: Sandbox) -> None:
    part: Part = judge.parts[0]  # type: ignore[assignment]
    guessed = sum(
        graded(RIGHT | {"mse": GUESS}, replace(judge, parts=(part, judge.parts[1])), sandbox).parts[0].points == 2
        for _ in range(60)
    )
    assert 15 <= guessed <= 41, guessed  # of 60 with one half each: 3.5 standard deviations and more; twice, 45


def test_a_seed_is_made_by_the_system(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    first = Course(tmp_path).seed()
    (tmp_path / "private_seed").unlink()
    assert Course(tmp_path).seed() != first and (
        os.name == "nt" or (tmp_path / "private_seed").stat().st_mode & 0o77 == 0
    )
