"""A worker that is killed costs one try of one submission; what it was about to do is done again, or is a row."""

import os
import signal
import time
from pathlib import Path

import pytest

from autoencoder_lab.grading.sandbox import Sandbox
from autoencoder_lab.grading.submission import find
from autoencoder_lab.grading.whole_class import Task, grade_class, read_result
from autoencoder_lab.grading.workers import Processes, lost
from grading.small_lab import RIGHT, notebook

KILLS = """
from pathlib import Path
import os, signal
from autoencoder_lab.grading.judge import Judge, Mark, Part

def inputs(generator):
    return {}

def judge(given, inputs):
    marks = Path(MARKS)
    student = given["student"].item()
    if student in ("once", "twice"):
        tries = marks / student
        tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
        if student == "twice" or len(tries.read_text()) == 1:
            os.kill(os.getpid(), signal.SIGKILL)  # the worker itself
    return Mark(1.0)

PROBE = '''
def probe(names):
    import numpy as np
    return {"student": np.array(names["student"])}
'''
JUDGE = Judge(parts=[Part("test_mse", 2, ["mse"], PROBE, judge, inputs)])
"""


def test_a_killed_worker_costs_one_try(tmp_path: Path, sandbox: Sandbox) -> None:
    folder, judge, release = tmp_path / "in", tmp_path / "small_lab.py", tmp_path / "small_lab.ipynb"
    folder.mkdir()
    judge.write_text(KILLS.replace("MARKS", repr(str(tmp_path))))
    release.write_bytes(notebook())
    for student in ("ann", "once", "twice", "zoe"):
        (folder / f"{student}.ipynb").write_bytes(notebook(RIGHT | {"mse": f"student = {student!r}"}))
    task, results = Task(judge, release, 7), tmp_path / "results"
    graded = {result.student: result for result in grade_class(task, find(folder, "small_lab"), results, workers=2)}
    assert {name: result.points for name, result in graded.items()} == {"ann": 2, "once": 2, "twice": 0, "zoe": 2}
    assert "killed, twice" in graded["twice"].reason and graded["twice"].flags
    assert graded["twice"].parts[0].mistake.startswith("judge:")  # formgrader asks a person to mark it
    stored = read_result(results / "twice.json")
    assert stored is not None and stored.key == ""  # so the next run tries again
    assert len((tmp_path / "twice").read_text()) == 2


def test_a_process_that_is_killed_is_replaced() -> None:
    processes = Processes(1)
    try:
        future = processes.submit(os.kill, processes.submit(os.getpid).result(), signal.SIGKILL)
        error = future.exception()
        assert error is not None and lost(error)
        assert processes.submit(max, 1, 2).result() == 2
    finally:
        processes.shutdown()


def test_other_errors_are_no_lost_workers() -> None:
    assert not lost(ValueError()) and lost(type("KilledWorker", (Exception,), {})())


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux ends a process with its parent")
def test_a_process_ends_with_its_parent() -> None:
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        try:
            processes = Processes(1)
            os.write(writing, str(processes.submit(os.getpid).result()).encode())
            processes.submit(time.sleep, 600)
            time.sleep(600)
        finally:
            os._exit(1)
    worker = int(os.read(reading, 20))
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    deadline = time.monotonic() + 60
    while (stat := Path(f"/proc/{worker}/stat")).exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.02)
