"""Grade one submission, and a class of them: as many at a time as there are workers, on one machine or on many.

Each submission ends as one JSON file, named by its student and written whole; a run that was killed goes on where it
stopped and grades nothing twice. The key of a result is a hash of all that its marks depend on: what was handed in, the
release, the judge with the code that it reaches, and the seed.
"""

import ast
import atexit
import hashlib
import hmac
import itertools
import json
import traceback
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from autoencoder_lab.files import write_whole
from autoencoder_lab.grading.judge import Judge, Mark, Part, ProbeFailed, StagedPart, load_judge
from autoencoder_lab.grading.pictures import pasted
from autoencoder_lab.grading.sandbox import Answer, Arrays, Isolation, Job, Probe, Sandbox
from autoencoder_lab.grading.submission import SourceCell, Submission, Unreadable, cells_of
from autoencoder_lab.grading.workers import Submit, lost, pool
from autoencoder_lab.protocol import NOT_DONE

KEPT = "the marks are those of before: "  # a flag that begins so says why
FAILURES = {
    "time": "your code did not end in time",
    "result": "your code returned more data than can be taken",
    "died": "your code ended the process it ran in",
    "memory": "your code took more memory than it may, all its processes together",
}


@dataclass(frozen=True)
class PartResult:
    """points reached, of so many; said: the sentence for the student; mistake: the short name for the instructor.

    stated: the id that the notebook gave as its student's, where the part asked for it.
    """

    grade_id: str
    points: float
    of: float
    said: str = ""
    mistake: str = ""
    stated: str = ""


@dataclass(frozen=True)
class Result:
    """What one submission came to. reason: "" or why it could not be graded at all; then every part has 0 points.

    flags: plain sentences for the instructor, each something to look at; no mark depends on them.
    cells: what students wrote: kind, source, grade_id, and pictures (JPEGs in base64) where they pasted some in.
    file: a hash of what was handed in, "" where nothing could be read; earlier: those of files graded before this one.
    """

    student: str
    key: str
    parts: list[PartResult]
    reason: str = ""
    seconds: float = 0.0
    timestamp: str = ""
    cells: list[dict[str, Any]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    file: str = ""
    earlier: list[str] = field(default_factory=list)

    @property
    def points(self) -> float:
        """The sum over the parts."""
        return sum(part.points for part in self.parts)


@dataclass(frozen=True)
class Paper:
    """A submission's content, or the reason why there is none: plain data, which can travel to another machine."""

    student: str
    content: bytes = b""
    reason: str = ""
    timestamp: str = ""


def read_paper(submission: Submission) -> Paper:
    """Read a submission; what cannot be read is a reason."""
    when = submission.timestamp.isoformat() if submission.timestamp else ""
    try:
        return Paper(submission.student, submission.read(), "", when)
    except Unreadable as error:
        return Paper(submission.student, b"", str(error), when)


def grade(
    handed_in: Paper,
    judge: Judge,
    frame: Sequence[SourceCell],
    seed: int,
    sandbox: Sandbox,
    only: Collection[str] | None = None,
) -> Result:
    """Run and judge one submission; whatever it holds, a Result comes back.

    frame: the cells of the release. Whatever is no answer in it runs as it was released.
    seed: private, of 128 bits or more; what the probes are asked is derived from it for each lab, student and part.
    only: the grade_ids of the parts to judge, for tests; None for all.
    """
    key = key_of(handed_in, judge, frame, seed)
    try:
        if handed_in.reason:
            raise Unreadable(handed_in.reason)
        cells = assembled(cells_of(handed_in.content), frame)
    except Unreadable as error:
        none = [PartResult(part.grade_id, 0.0, part.points, f"not graded: {error}") for part in judge.parts]
        return Result(handed_in.student, key, none, str(error), 0.0, handed_in.timestamp)
    grader = _Grader(handed_in.student, cells, judge, sandbox, seed)
    parts = grader.grade_parts([part for part in judge.parts if only is None or part.grade_id in only])
    kept: list[dict[str, Any]] = [
        {"kind": cell.kind, "source": cell.source, "grade_id": cell.grade_id} for cell in cells
    ]
    pictures, flags = pasted(handed_in.content, sandbox) if only is None else ({}, [])
    for cell in kept:
        if found := pictures.pop((cell["kind"], cell["source"]), []):
            cell["pictures"] = found
    seconds = round(grader.seconds, 2)
    return Result(handed_in.student, key, parts, "", seconds, handed_in.timestamp, kept, flags, file_of(handed_in))


def key_of(handed_in: Paper, judge: Judge, frame: Sequence[SourceCell], seed: int) -> str:
    """A hash of all that a result depends on (for the judge, see dependencies.py): equal keys need no second run."""
    text = repr((handed_in.student, handed_in.content, handed_in.reason, handed_in.timestamp))
    text += repr((judge.version, [(cell.source, cell.grade_id, cell.use) for cell in frame], seed))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_of(handed_in: Paper) -> str:
    """A hash of what was handed in; "" for nothing."""
    return hashlib.sha256(handed_in.content).hexdigest()[:16] if handed_in.content else ""


def assembled(handed_in: Sequence[SourceCell], frame: Sequence[SourceCell]) -> list[SourceCell]:
    """The release with the student's answers in it.

    A cell counts by its grade_id, the first of it alone; where the release asks for no answer, its own text stands.
    Cells a student added stay where they are; cells that were deleted come at the end, as they were released.
    """
    released = {cell.grade_id: cell for cell in frame if cell.grade_id}
    cells, seen = [], set[str]()
    for cell in handed_in:
        own = released.get(cell.grade_id)
        if own is None or cell.grade_id in seen:
            cells.append(SourceCell(cell.kind, cell.source))
            continue
        seen.add(cell.grade_id)
        cells.append(SourceCell(own.kind, cell.source, own.grade_id) if own.use == "answer" else own)
    return cells + [cell for name, cell in released.items() if name not in seen]


class _Grader:
    """Grades the parts of one submission: which cells run for each, what is asked, the mark. seconds: what it took."""

    def __init__(self, student: str, cells: list[SourceCell], judge: Judge, sandbox: Sandbox, seed: int) -> None:
        self.student, self.cells, self.judge, self.sandbox, self.seed = student, cells, judge, sandbox, seed
        self.seconds = 0.0

    def grade_parts(self, parts: Sequence[Part | StagedPart]) -> list[PartResult]:
        """Every part's result.

        The parts of one probe run together in one fork, and what they answer there counts: nothing is asked twice, so
        that nobody guesses twice. What gives no answer there, for an error of another part's perhaps, runs once more by
        itself; so does, from the beginning, what could be changed by another part without a sign.
        """
        simple = [part for part in parts if isinstance(part, Part)]
        inputs = {part.grade_id: part.inputs(self._generator(part)) for part in simple}
        probes = {part.grade_id: Probe(part.probe, inputs[part.grade_id]) for part in simple}
        found: dict[str, PartResult] = {}
        together = simple if len(simple) > 1 and not self._entangled(simple) else []
        answer = Answer()
        if together:
            answer = self._run({name for part in together for name in part.needs}, probes)
        untouched = not answer.failed and all(cell.ok for cell in answer.cells)
        for part in simple:
            name = part.grade_id
            probed = answer.probes.get(name)
            found[name] = self._marked(part, _judge_arrays, part, answer, inputs[name])
            if not (probed and (not probed.error or (untouched and found[name].mistake == NOT_DONE))):
                alone = self._run(part.needs, {name: probes[name]})
                found[name] = self._marked(part, _judge_arrays, part, alone, inputs[name])
        for staged in parts:
            if isinstance(staged, StagedPart):
                found[staged.grade_id] = self._marked(staged, staged.judge, self._ask(staged), self._generator(staged))
        return [found[part.grade_id] for part in parts]

    def _entangled(self, parts: Sequence[Part]) -> bool:
        """Whether one part's answer could change another's without an error: by a name of both, or in a module."""
        needed = [{name for name in part.needs} for part in parts]
        shared = set.intersection(*needed) if needed else set()
        sources = [c.source for c in self.cells if c.grade_id in set.union(*needed) - shared and c.kind == "code"]
        names = [names_bound(source) for source in sources]
        counted = Counter(name for bound in names if bound is not None for name in bound)
        return any(bound is None for bound in names) or any(count > 1 for count in counted.values())

    def _ask(self, part: StagedPart) -> Callable[..., Arrays]:
        def ask(probe: str, until: str = "", **inputs: np.ndarray[Any, Any]) -> Arrays:
            return _arrays(self._run(part.needs, {"": Probe(probe, inputs)}, until), "")

        return ask

    def _run(self, needs: Iterable[str], probes: dict[str, Probe], until: str = "") -> Answer:
        # a given cell runs for every part, unless some part needs it by name: a training loop runs only for these
        named = {name for other in self.judge.parts for name in other.needs} | set(self.judge.replaced)
        given = {cell.grade_id for cell in self.cells if cell.use == "given"}
        runs = (given - named) | set(needs) | {""}
        last = next((i for i, cell in enumerate(self.cells, 1) if until and cell.grade_id == until), None)
        sources = [cell.source for cell in self.cells[:last] if cell.kind == "code" and cell.grade_id in runs]
        answer = self.sandbox.run(Job(sources, probes, self.judge.files, self.judge.limits))
        self.seconds += answer.seconds
        return answer

    def _generator(self, part: Part | StagedPart) -> np.random.Generator:
        return np.random.default_rng(derived(self.seed, self.judge.name, self.student, part.grade_id))

    def _marked(self, part: Part | StagedPart, judge: Callable[..., Mark], *given: Any) -> PartResult:
        try:
            mark = judge(*given)
        except ProbeFailed as error:
            mark = Mark(0.0, str(error), NOT_DONE if str(error) == NOT_DONE else "stops")
        except Exception as error:  # a judge that stumbles over odd arrays: no points, and the instructor reads why
            # its words may be the student's, so its kind and the judge's line alone are told
            lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)]
            where = f"judge: {type(error).__name__}, line {lines[min(1, len(lines) - 1)]}"
            mark = Mark(0.0, "your result could not be judged; ask your instructor", where)
        share = min(1.0, max(0.0, float(mark.share))) if np.isfinite(mark.share) else 0.0
        points = round(share * part.points, 2)
        return PartResult(part.grade_id, points, part.points, mark.said, mark.mistake, mark.stated)


def derived(seed: int, *what: str) -> int:
    """256 bits from the private seed for one purpose alone (HMAC with SHA-256): from these, none finds another's."""
    key = seed.to_bytes(max(32, (seed.bit_length() + 7) // 8), "big")
    return int.from_bytes(hmac.digest(key, json.dumps(what).encode(), "sha256"), "big")


def names_bound(source: str) -> set[str] | None:
    """The names that an answer's top level defines or assigns, but for imports.

    None where it sets something inside something else (an attribute, an item, by a set_… function), or is no Python.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names = set[str]()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            return None
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called.startswith(("set_", "setattr")):
                return None
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        waiting += ast.iter_child_nodes(node)
    return {name for name in names if not name.startswith("_")}


def _judge_arrays(part: Part, answer: Answer, inputs: Arrays) -> Mark:
    return part.judge(_arrays(answer, part.grade_id), inputs)


def _arrays(answer: Answer, name: str) -> Arrays:
    """The arrays of one probe; ProbeFailed, in words for the student, where there are none."""
    if answer.failed:
        raise ProbeFailed(FAILURES.get(answer.failed, "your code could not be run"))
    probed = answer.probes.get(name)
    if probed is None or probed.error:
        stopped = next((cell.error for cell in answer.cells if not cell.ok), "")
        error = probed.error if probed else "no answer"
        if error.startswith("NotImplementedError") and not stopped:
            raise ProbeFailed(NOT_DONE)
        before = f"; before that, a cell stopped with {stopped}" if stopped else ""
        raise ProbeFailed(f"your code stops with {error}{before}")
    return probed.arrays


# --- a class ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """What every worker has to know: plain paths and numbers, the same on each machine."""

    judge: Path
    release: Path
    seed: int
    isolation: Isolation = "bwrap"


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
    known = {file.stem.casefold(): file.stem for file in results.glob("*.json")}  # Ann and ann are one on most disks
    waiting = []
    for submission in submissions:
        submission = replace(submission, student=known.get(submission.student.casefold(), submission.student))
        handed_in = read_paper(submission)
        stored = None if force else read_result(results / f"{submission.student}.json")
        if stored is not None and stored.key == key_of(handed_in, judge, frame, task.seed):
            yield _without_flag(stored, results)
        elif stored is not None and _is_older(handed_in, stored):
            yield _kept(stored, "the file given now is an earlier one; grade --force takes it all the same", results)
        else:
            waiting.append(submission)
    if not waiting:
        return
    with pool(workers, scheduler) as submit:
        for result in _in_flight(submit, task, waiting, max(workers, 1) * (1 if scheduler is None else 2)):
            stored = read_result(results / f"{result.student}.json")
            if stored is not None and result.reason and not stored.reason and not force:
                yield _kept(stored, f"what was handed in now cannot be read ({result.reason})", results)
                continue
            before = [*stored.earlier, stored.file] if stored is not None else []
            result = replace(result, earlier=[file for file in before if file not in ("", result.file)])
            write_result(result, results)
            yield result


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
    """Whether what is given now comes before what was graded last: by its time, else by having been graded before."""
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
    """Results as they come; no more than `at_once` submissions are in memory.

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
            if not lost(error):
                raise
            if tried == 1:
                again.append(submission)
            else:
                yield _not_graded(task, submission)


def _not_graded(task: Task, submission: Submission) -> Result:
    """A row for a person to look at; it has no key, so that the next run tries again."""
    why = "the process that graded it was killed, twice"
    parts = [
        PartResult(part.grade_id, 0.0, part.points, "not graded yet; your instructor will see to it", f"judge: {why}")
        for part in load_judge(task.judge).parts
    ]
    return Result(submission.student, "", parts, f"{why}; grade it again", flags=[why])


_worker: dict[Task, tuple[Judge, list[SourceCell], Sandbox]] = {}  # of this process: the sandbox stays warm


def _grade_in_worker(task: Task, handed_in: Paper, only: Collection[str] | None = None) -> Result:
    if task not in _worker:
        sandbox = Sandbox(isolation=task.isolation)
        atexit.register(sandbox.close)
        _worker[task] = load_judge(task.judge), cells_of(task.release.read_bytes()), sandbox
    judge, frame, sandbox = _worker[task]
    return grade(handed_in, judge, frame, task.seed, sandbox, only)


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
