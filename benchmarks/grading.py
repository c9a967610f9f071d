"""Submissions graded in a minute: our engine, two workers and the gradebook included, beside nbgrader's autograde.

    python -m benchmarks grading [--count 60] [--beside 6] [--many 0] [--labs]

A small lab (a formula, a function of images, a linear model trained for 200 steps), the same submissions for both, in
one run. Ours is timed after each worker has graded one, nbgrader from the start, for it keeps no worker. --many grades
so many submissions of a minimal lab instead, kills the run twice on the way, and prints the memory of the grading
process. --labs grades the reference solution of each of the course's labs, which must take at most 20 s.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat

from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.grade import Paper, grade
from autoencoder_lab.grading.gradebook import prepare, record
from autoencoder_lab.grading.inert import configure
from autoencoder_lab.grading.judge import load_judge
from autoencoder_lab.grading.lab_source import released, source_notebook, write
from autoencoder_lab.grading.notebook_file import cells_of
from autoencoder_lab.grading.sandbox import Sandbox
from autoencoder_lab.grading.submission import find
from autoencoder_lab.grading.whole_class import Task, grade_class

AT_LEAST, LAB_SECONDS = 200, 20  # a minute; for one submission of a lab
ASSIGNMENTS = Path(__file__).resolve().parent.parent / "assignments"
TEXT = '''# %% given="imports"
import torch
from torch import nn

# %% answer="mse"
def mse(x, y):
    """Return the mean squared error."""
    ### BEGIN SOLUTION
    return ((x - y) ** 2).mean()
    ### END SOLUTION

# %% test="test_mse" points=2
assert abs(float(mse(torch.ones(3), torch.zeros(3))) - 1) < 1e-6

# %% answer="centred"
def centred(x):
    """Return x less its mean over the first dimension."""
    ### BEGIN SOLUTION
    return x - x.mean(dim=0)
    ### END SOLUTION

# %% test="test_centred" points=3
assert float(centred(torch.rand(4, 2)).mean(dim=0).abs().max()) < 1e-6

# %% answer="model"
model = None
### BEGIN SOLUTION
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 2), nn.Linear(2, 8))
x = torch.randn(512, 2) @ torch.linspace(-1, 1, 16).view(2, 8)
optimiser = torch.optim.Adam(model.parameters(), 0.03)
for _ in range(200):
    loss = (model(x) - x).pow(2).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
### END SOLUTION

# %% test="test_model" points=5
x = torch.randn(64, 2) @ torch.linspace(-1, 1, 16).view(2, 8)
assert (model(x) - x).pow(2).mean() < 0.05 * x.pow(2).mean()
'''
JUDGE = '''import numpy as np

from autoencoder_lab.grading.judge import Judge, Mark, Part, compared

CALL = """
def probe(names, **x):
    import torch
    return {"result": names["%s"](*(torch.from_numpy(v) for v in x.values())).detach()}
"""


def two_arrays(generator):
    return {name: generator.normal(size=(5, 7)) for name in ("x", "y")}


def an_array(generator):
    return {"x": generator.normal(size=(5, 7))}


def of_rank_two(generator):
    return {"x": generator.normal(size=(64, 2)).astype("f4") @ np.linspace(-1, 1, 16, dtype="f4").reshape(2, 8)}


def judge_model(given, inputs):
    x, restored = inputs["x"], given["result"]
    return Mark(float(restored.shape == x.shape and ((restored - x) ** 2).mean() < 0.05 * (x**2).mean()))


def judge_mse(given, inputs):
    return compared(given["result"], ((inputs["x"] - inputs["y"]) ** 2).mean(), {})


def judge_centred(given, inputs):
    return compared(given["result"], inputs["x"] - inputs["x"].mean(axis=0), {})


JUDGE = Judge(
    parts=[
        Part("test_mse", 2, ("mse",), CALL % "mse", judge_mse, two_arrays),
        Part("test_centred", 3, ("centred",), CALL % "centred", judge_centred, an_array),
        Part("test_model", 5, ("model",), CALL % "model", judge_model, of_rank_two),
    ]
)
'''
MINIMAL = TEXT[: TEXT.index('# %% answer="centred"')]


def make_course(root: Path, text: str) -> Course:
    """A course of one lab, released, with its judge."""
    (root / "source" / "small").mkdir(parents=True)
    (root / "judges").mkdir()
    (root / "source" / "small" / "small.py").write_text(text, encoding="utf-8")
    parts = JUDGE if text == TEXT else JUDGE.partition('        Part("test_centred"')[0] + "    ]\n)\n"
    (root / "judges" / "small.py").write_text(parts, encoding="utf-8")
    course = Course(root)
    source = source_notebook(course.text("small"))
    write(source, course.source("small"))
    write(released(source), course.release("small"))
    return course


def hand_in(course: Course, folder: Path, first: int, count: int) -> None:
    """So many submissions, each a right one that differs from the others in a comment."""
    folder.mkdir(exist_ok=True)
    source = course.source("small").read_text(encoding="utf-8")
    for number in range(first, first + count):
        notebook = json.loads(source)
        notebook["cells"].append({"cell_type": "markdown", "id": "own", "metadata": {}, "source": f"student {number}"})
        (folder / f"s{number:05}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def ours(course: Course, folder: Path, workers: int = 2) -> float:
    """Seconds for the class with its gradebook, once the workers are warm and there is a gradebook to write into."""
    prepare(course)
    task = Task(course.judge("small"), course.release("small"), 7)
    found = find(folder, "small")
    graded = grade_class(task, found, course.results("small"), workers)
    results, started = [], 0.0
    for result in graded:
        results.append(result)
        if len(results) == workers:  # each worker has started its sandbox
            started = time.perf_counter()
    record(results, course, "small")
    assert all(result.points == 10 for result in results), [r for r in results if r.points != 10][:1]
    return (time.perf_counter() - started) * len(results) / (len(results) - workers)


def theirs(course: Course, folder: Path) -> float:
    """Seconds of nbgrader's autograde for a folder of submissions."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    config = Config({"CourseDirectory": {"root": str(course.root), "course_id": "small"}})
    configure(config)
    del config.Autograde.pre_convert_hook  # for once: these are our own notebooks
    api: Any = NbGraderAPI(config=config)
    api.generate_assignment("small", force=True)
    for path in sorted(folder.glob("*.ipynb")):
        place = course.root / "submitted" / path.stem / "small"
        place.mkdir(parents=True)
        shutil.copy(path, place / "small.ipynb")
    started = time.perf_counter()
    for path in sorted(folder.glob("*.ipynb")):
        outcome = api.autograde("small", path.stem)
        assert outcome["success"], outcome
    return time.perf_counter() - started


def many(count: int) -> int:
    """Grade `count` submissions of a minimal lab, killed twice on the way; memory, and what is there in the end."""
    with tempfile.TemporaryDirectory() as scratch:
        course, folder = make_course(Path(scratch) / "course", MINIMAL), Path(scratch) / "handed_in"
        hand_in(course, folder, 0, count)
        seen: list[tuple[int, float]] = []
        for stop_at in (count // 3, 2 * count // 3, count):
            context = multiprocessing.get_context("spawn")
            run = context.Process(target=_grade_all, args=(course, folder))
            started = time.perf_counter()
            run.start()
            while run.is_alive():
                done = sum(1 for _ in course.results("small").glob("*.json"))
                if done and (not seen or done >= seen[-1][0] + count // 20):
                    seen.append((done, _resident(run.pid)))
                    print(f"{done:6} graded, {seen[-1][1]:6.0f} MB, {time.perf_counter() - started:5.0f} s", flush=True)
                if done >= stop_at < count:
                    os.killpg(os.getpgid(run.pid), signal.SIGKILL) if run.pid else None
                time.sleep(0.5)
            run.join()
        files = list(course.results("small").glob("*.json"))
        whole = sum(json.loads(path.read_text(encoding="utf-8"))["parts"][0]["points"] == 2 for path in files)
        print(f"{len(files)} results, {whole} of them with full marks; asked for {count} of each")
        return int(len(files) != count or whole != count)


def labs() -> int:
    """Seconds for the reference solution of each lab, and its points."""
    course, failed = Course(ASSIGNMENTS), False
    with Sandbox() as sandbox:
        for lab in sorted(path.name for path in (ASSIGNMENTS / "source").iterdir() if path.is_dir()):
            source = source_notebook(course.text(lab))
            judge, frame = load_judge(course.judge(lab)), cells_of(nbformat.writes(released(source)).encode())
            started = time.perf_counter()
            result = grade(Paper("reference", nbformat.writes(source).encode()), judge, frame, 7, sandbox)
            seconds, whole = time.perf_counter() - started, sum(part.points for part in judge.parts)
            failed = failed or seconds > LAB_SECONDS or result.points != whole
            print(
                f"{lab:<16} {seconds:5.1f} s (at most {LAB_SECONDS})   {result.points:g} of {whole:g} points",
                flush=True,
            )
    return int(failed)


def _grade_all(course: Course, folder: Path) -> None:
    os.setsid()  # a group of its own, which can be killed as a whole
    task = Task(course.judge("small"), course.release("small"), 7)
    for _ in grade_class(task, find(folder, "small"), course.results("small"), 2):
        pass


def _resident(pid: int | None) -> float:
    import psutil

    try:
        return float(psutil.Process(pid).memory_info().rss) / 1e6
    except psutil.Error:
        return 0.0


def main() -> int:
    """Exit status 1 where ours is slower than asked for, or something was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--beside", type=int, default=6, help="submissions that nbgrader grades")
    parser.add_argument("--many", type=int, default=0)
    parser.add_argument("--labs", action="store_true")
    chosen = parser.parse_args()
    if chosen.labs:
        return labs()
    if chosen.many:
        return many(chosen.many)
    with tempfile.TemporaryDirectory() as scratch:
        course, folder = make_course(Path(scratch) / "course", TEXT), Path(scratch) / "handed_in"
        hand_in(course, folder, 0, chosen.count + 2)
        rate = (chosen.count + 2) / ours(course, folder) * 60
        print(
            f"ours, 2 workers, gradebook written: {rate:6.0f} submissions a minute (asked for: {AT_LEAST})", flush=True
        )
        other, few = make_course(Path(scratch) / "nbgrader", TEXT), Path(scratch) / "few"
        hand_in(other, few, 0, chosen.beside)
        with contextlib.redirect_stderr(io.StringIO()):
            beside = chosen.beside / theirs(other, few) * 60
        rate_beside = f"{beside:6.1f} submissions a minute; ours is {rate / beside:.0f} times that"
        print(f"nbgrader autograde, 1 process:      {rate_beside}")
        return int(rate < AT_LEAST)


if __name__ == "__main__":
    sys.exit(main())
