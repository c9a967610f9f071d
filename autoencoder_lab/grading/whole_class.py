"""Grade a class: as many submissions at a time as there are workers, on one machine or on many.

Each submission ends as one JSON file, named by its student and written whole; a run that was killed goes on where it
stopped and grades nothing twice. What a student handed in before stays where the file given now is worth less.
"""

import atexit
import itertools
import json
import traceback
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from autoencoder_lab.files import write_whole
from autoencoder_lab.grading.grade import Paper, PartResult, Result, file_of, grade, key_of, late_flags, read_paper
from autoencoder_lab.grading.judge import Judge, load_judge
from autoencoder_lab.grading.names import same
from autoencoder_lab.grading.notebook_file import SourceCell, cells_of
from autoencoder_lab.grading.sandbox import Isolation, Sandbox
from autoencoder_lab.grading.submission import Submission
from autoencoder_lab.grading.walls import SandboxError
from autoencoder_lab.grading.workers import Submit, lost, pool

KEPT = "the marks are those of before: "  # a flag that begins so says why


@dataclass(frozen=True)
class Task:
    """What every worker has to know: plain paths and numbers, the same on each machine.

    version: the judge's, worked out once for all workers; "" where none has.
    """

    judge: Path
    release: Path
    seed: int
    isolation: Isolation = "bwrap"
    version: str = ""


def grade_class(
    task: Task,
    submissions: Sequence[Submission],
    results: Path,
    workers: int = 1,
    scheduler: str | None = None,
    force: bool = False,
) -> Iterator[Result]:
    """Grade what has no result yet, and yield each Result as it is written, those that were there already first.

    A result stays, with a flag that says why, where the file given now cannot be read, or was graded and replaced
    before. force: grade everything anew, and take what is given as it is.
    results: a folder, one STUDENT.json each. workers: processes on this machine; scheduler: the address of a Dask
    scheduler whose workers are used instead. Raises SandboxError, before anything is graded, where isolation fails.
    """
    results.mkdir(parents=True, exist_ok=True)
    judge, frame = load_judge(task.judge), cells_of(task.release.read_bytes())
    task = replace(task, version=judge.version)
    known = {same(file.stem): file.stem for file in results.glob("*.json")}
    waiting = []
    for submission in submissions:
        submission = replace(submission, student=known.get(same(submission.student), submission.student))
        handed_in = read_paper(submission)
        stored = None if force else read_result(results / f"{submission.student}.json")
        current = stored is not None and stored.key == key_of(handed_in, judge, frame, task.seed)
        if stored is not None and current and not stored.late_parts:
            yield _without_flag(stored, results)
        elif stored is not None and not current and _is_older(handed_in, stored):
            yield _kept(stored, "the file given now is an earlier one; grade --force takes it all the same", results)
        else:
            waiting.append(submission)
    if not waiting:
        return
    late = dict[str, Result]()
    with pool(workers, scheduler) as submit:
        for result in _in_flight(submit, task, waiting, max(workers, 1) * (1 if scheduler is None else 2)):
            stored = read_result(results / f"{result.student}.json")
            if stored is not None and result.reason and not stored.reason and not force:
                yield _kept(stored, f"what was handed in now cannot be read ({result.reason})", results)
                continue
            before = [*stored.earlier, stored.file] if stored is not None else []
            result = replace(result, earlier=[file for file in before if file not in ("", result.file)])
            write_result(result, results)
            if result.late_parts:
                late[result.student] = result
            else:
                yield result
        for submission in waiting:  # once more each, with nothing else of ours beside it
            if first := late.get(submission.student):
                (second,) = _in_flight(submit, task, [submission], 1, first.late_parts)
                result = _with_second(first, second)
                write_result(result, results)
                yield result


def _with_second(first: Result, second: Result) -> Result:
    """A result with the parts that were tried again. Where the file became another in between, what it was counts."""
    if first.key != second.key:
        return first
    again = {part.grade_id: part for part in second.parts}
    parts = [again.get(part.grade_id, part) for part in first.parts]
    kept = [flag for flag in [*first.flags, *second.flags] if flag not in late_flags([*first.parts, *second.parts])]
    seconds = round(first.seconds + second.seconds, 2)
    return replace(first, parts=parts, flags=[*dict.fromkeys(kept), *late_flags(parts)], seconds=seconds)


def try_parts(
    task: Task,
    submissions: Sequence[Submission],
    parts: Collection[str],
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[Result]:
    """What these parts would give now, as it comes; nothing is written."""
    with pool(workers, scheduler) as submit:
        yield from _in_flight(submit, task, submissions, max(workers, 1), frozenset(parts))


def _is_older(handed_in: Paper, stored: Result) -> bool:
    """Whether what is given now comes before what was graded last: by its time, else by having been graded before.

    The same file is never older than itself: another time for it, or none, is a correction.
    """
    if file_of(handed_in) == stored.file != "":
        return False
    if handed_in.timestamp and stored.timestamp and handed_in.timestamp != stored.timestamp:
        return handed_in.timestamp < stored.timestamp
    return file_of(handed_in) in stored.earlier


def _kept(stored: Result, why: str, results: Path) -> Result:
    """The result of before, with a flag that says why it stays."""
    flags = [flag for flag in stored.flags if not flag.startswith(KEPT)]
    stored = replace(stored, flags=[*flags, KEPT + why])
    write_result(stored, results)
    return stored


def _without_flag(stored: Result, results: Path) -> Result:
    flags = [flag for flag in stored.flags if not flag.startswith(KEPT)]
    if flags != stored.flags:
        stored = replace(stored, flags=flags)
        write_result(stored, results)
    return stored


def _in_flight(
    submit: Submit, task: Task, waiting: Sequence[Submission], at_once: int, only: Collection[str] | None = None
) -> Iterator[Result]:
    """Results as they come; no more than `at_once` submissions are in memory. only: the parts, None for all.

    Where a worker dies, its submission is tried once more, after all others.
    """
    left, again, running = iter(waiting), deque[Submission](), dict[Any, tuple[Submission, int]]()
    while True:
        for submission in itertools.islice(left, at_once - len(running)):
            running[submit(_grade_in_worker, task, read_paper(submission), only)] = submission, 1
        while again and len(running) < at_once:
            submission = again.popleft()
            running[submit(_grade_in_worker, task, read_paper(submission), only)] = submission, 2
        if not running:
            return
        done = next(as_completed(running))
        submission, tried = running.pop(done)
        try:
            yield done.result()
        except Exception as error:
            if isinstance(error, SandboxError):  # before anything ran: nobody can be graded
                raise
            if not lost(error):
                yield _not_graded(task, submission.student, stopped_with(error))
            elif tried == 1:
                again.append(submission)
            else:
                yield _not_graded(task, submission.student, "the process that graded it was killed, twice")


def stopped_with(error: Exception) -> str:
    """Why a submission could not be graded, without the error's own words, which may be the student's."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"grading it stopped with {type(error).__name__}{at}"


def _not_graded(task: Task, student: str, why: str) -> Result:
    """A row for a person to look at; it has no key, so that the next run tries again."""
    parts = [
        PartResult(part.grade_id, 0.0, part.points, "not graded yet; your instructor will see to it", f"judge: {why}")
        for part in load_judge(task.judge, task.version).parts
    ]
    return Result(student, "", parts, f"could not be graded: {why}; grade it again", flags=[why])


_worker: dict[Task, tuple[Judge, list[SourceCell], Sandbox]] = {}  # of this process: the sandbox stays warm


def _grade_in_worker(task: Task, handed_in: Paper, only: Collection[str] | None = None) -> Result:
    if task not in _worker:
        sandbox = Sandbox(isolation=task.isolation)
        atexit.register(sandbox.close)
        _worker[task] = load_judge(task.judge, task.version), cells_of(task.release.read_bytes()), sandbox
    judge, frame, sandbox = _worker[task]
    try:
        return grade(handed_in, judge, frame, task.seed, sandbox, only)
    except Exception as error:  # one submission's is a row, whatever it is
        return _not_graded(task, handed_in.student, stopped_with(error))


def write_result(result: Result, folder: Path) -> None:
    """One file a student: a kill leaves the old one, or none."""
    write_whole(folder / f"{result.student}.json", json.dumps(asdict(result), ensure_ascii=False, indent=1))


def read_result(file: Path) -> Result | None:
    """A stored result; None where there is none, or no whole one."""
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        parts = [PartResult(**part) for part in stored.pop("parts")]
        return Result(parts=parts, **stored)
    except (OSError, ValueError, TypeError, KeyError):
        return None
