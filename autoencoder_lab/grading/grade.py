"""Grade one submission: run what is needed, ask the probes, judge the answers.

The key of a result is a hash of all that its marks depend on: what was handed in, the release, the judge with the code
that it reaches, and the seed. whole_class.py grades many.
"""

import ast
import hashlib
import hmac
import json
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from autoencoder_lab.files import encodable
from autoencoder_lab.grading.assembling import assemble
from autoencoder_lab.grading.containers import Unreadable
from autoencoder_lab.grading.inert import printable
from autoencoder_lab.grading.judge import Judge, Mark, Part, ProbeFailed, StagedPart
from autoencoder_lab.grading.notebook_file import SourceCell, cells_of, without_outputs
from autoencoder_lab.grading.pictures import pasted
from autoencoder_lab.grading.running import Outcome, OutOfTime, Running
from autoencoder_lab.grading.sandbox import Arrays, Probe, Sandbox
from autoencoder_lab.grading.submission import Submission
from autoencoder_lab.protocol import NOT_DONE

MOST_FLAGS = 20  # on one submission
OUT_OF_TIME = "out of time"  # the mistake of a part that no mark is final for: the next run tries it again


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

    def __post_init__(self) -> None:
        """Words of the submission may stand in every text: none of them may stop a file, a database or a page."""
        parts = [
            replace(part, said=plain(part.said), mistake=plain(part.mistake), stated=plain(part.stated))
            for part in self.parts
        ]
        cells = [{**cell, "source": encodable(cell["source"])} for cell in self.cells]
        texts = {"reason": plain(self.reason), "flags": [plain(flag) for flag in self.flags]}
        for name, value in {"parts": parts, "cells": cells, **texts}.items():
            object.__setattr__(self, name, value)

    @property
    def points(self) -> float:
        """The sum over the parts."""
        return sum(part.points for part in self.parts)

    @property
    def late_parts(self) -> list[str]:
        """The grade_ids of the parts that ran out of time: to be tried again."""
        return [part.grade_id for part in self.parts if part.mistake == OUT_OF_TIME]


def plain(text: str) -> str:
    """The text without characters that act: control characters but for new lines, and half surrogate pairs."""
    return printable(text, "\n\t") if not text.isprintable() else text


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
        return Paper(submission.student, without_outputs(submission.read()), "", when)
    except Unreadable as error:
        return Paper(submission.student, b"", str(error), when)
    except Exception as error:  # whatever a disk or an archive thinks of: one student's, never the class's
        return Paper(submission.student, b"", f"the file cannot be read ({type(error).__name__})", when)


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
        cells, flags = assemble(cells_of(handed_in.content), frame)
    except Unreadable as error:
        none = [PartResult(part.grade_id, 0.0, part.points, f"not graded: {error}") for part in judge.parts]
        flags = [] if handed_in.reason else [str(error)]
        return Result(handed_in.student, key, none, str(error), 0.0, handed_in.timestamp, flags=flags)
    grader = _Grader(handed_in.student, cells, judge, sandbox, seed)
    parts = grader.grade_parts([part for part in judge.parts if only is None or part.grade_id in only])
    kept: list[dict[str, Any]] = [
        {"kind": cell.kind, "source": cell.source, "grade_id": cell.grade_id} for cell in cells
    ]
    pictures, lost_pictures = pasted(handed_in.content, sandbox) if only is None else ({}, [])
    for cell in kept:
        if found := pictures.pop((cell["kind"], cell["source"]), []):
            cell["pictures"] = found
    flags = at_most([*flags, *grader.running.notes(), *lost_pictures]) + late_flags(parts)
    seconds = round(grader.running.seconds, 2)
    return Result(handed_in.student, key, parts, "", seconds, handed_in.timestamp, kept, flags, file_of(handed_in))


def key_of(handed_in: Paper, judge: Judge, frame: Sequence[SourceCell], seed: int) -> str:
    """A hash of all that a result depends on (for the judge, see dependencies.py): equal keys need no second run."""
    text = repr((handed_in.student, handed_in.content, handed_in.reason, handed_in.timestamp))
    text += repr((judge.version, [(cell.source, cell.grade_id, cell.use) for cell in frame], seed))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def late_flags(parts: Sequence[PartResult]) -> list[str]:
    return [
        f"{part.grade_id} has no mark yet: {part.said}; the next run tries it again, or mark it by hand"
        for part in parts
        if part.mistake == OUT_OF_TIME
    ]


def at_most(flags: Sequence[str]) -> list[str]:
    """So many flags as a person reads, and how many more there are."""
    more = len(flags) - MOST_FLAGS
    return [*flags[:MOST_FLAGS], f"and {more:,} more of this kind"] if more > 0 else list(flags)


def file_of(handed_in: Paper) -> str:
    """A hash of what was handed in; "" for nothing."""
    return hashlib.sha256(handed_in.content).hexdigest()[:16] if handed_in.content else ""


class _Grader:
    """Grades the parts of one submission: what is asked of it, and the mark."""

    def __init__(self, student: str, cells: list[SourceCell], judge: Judge, sandbox: Sandbox, seed: int) -> None:
        self.student, self.cells, self.judge, self.seed = student, cells, judge, seed
        self.running = Running(cells, judge, sandbox)

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
        together = None
        if len(simple) > 1 and not self._entangled(simple):
            together = self.running.run({name for part in simple for name in part.needs}, probes, alone=False)
        for part in simple:
            name = part.grade_id
            probed = together.answer.probes.get(name) if together else None
            if together and probed:
                found[name] = self._marked(part, self._judge_arrays(part, inputs[name]), together)
                if not probed.error or (together.untouched and found[name].mistake == NOT_DONE):
                    continue
            alone = self._alone(part.needs, {name: probes[name]})
            found[name] = self._marked(part, self._judge_arrays(part, inputs[name]), alone)
        for staged in parts:
            if isinstance(staged, StagedPart):
                found[staged.grade_id] = self._staged(staged)
        return [found[part.grade_id] for part in parts]

    def _alone(self, needs: Sequence[str], probes: dict[str, Probe], until: str = "", **how: bool) -> Outcome:
        """What is needed runs by itself; with all other answers too where a name is missing: one may define it.

        Where one is missing still, and an own cell stopped for want of a name, a given cell may define that: the
        training, which runs for nobody else.
        """
        outcome = self.running.run(needs, probes, until, **how)
        if not how.get("answers") and any(outcome.misses_a_name(name) for name in probes):
            outcome = self.running.run(needs, probes, until, **{**how, "answers": True})
        if outcome.answers and any(outcome.misses_a_name(name) for name in probes):
            wanted = outcome.stopped(any_cell=True).startswith("a cell stopped with NameError")
            left = [cell.grade_id for cell in self.cells if cell.grade_id in self.judge.replaced]
            if wanted and left and not set(left) <= set(needs):
                trained = self.running.run({*needs, *left}, probes, until, **{**how, "answers": True})
                return outcome if trained.answer.failed else trained
        return outcome

    def _judge_arrays(self, part: Part, inputs: Arrays) -> Callable[[Outcome], Mark]:
        return lambda outcome: part.judge(outcome.arrays(part.grade_id), inputs)

    def _staged(self, part: StagedPart) -> PartResult:
        """A part whose judge asks several times. What a cell that it rests on stopped with is told where it loses."""
        last: list[Outcome] = []

        def ask(probe: str, until: str = "", **inputs: np.ndarray[Any, Any]) -> Arrays:
            with_answers = bool(last) and last[-1].answers
            outcome = self._alone(part.needs, {"": Probe(probe, inputs)}, until, trains=True, answers=with_answers)
            last.append(outcome)
            return outcome.arrays("")

        result = self._marked(part, lambda generator: part.judge(ask, generator), self._generator(part))
        stopped = last[-1].stopped() if last else ""
        if stopped and result.points < part.points and stopped not in result.said:
            return replace(result, said=f"{result.said}; before that, {stopped}")
        return result

    def _entangled(self, parts: Sequence[Part]) -> bool:
        """Whether one part's answer could change another's without an error: by a name of both, or in a module."""
        needed = [{name for name in part.needs} for part in parts]
        shared = set.intersection(*needed) if needed else set()
        sources = [c.source for c in self.cells if c.grade_id in set.union(*needed) - shared and c.kind == "code"]
        names = [names_bound(source) for source in sources]
        counted = Counter(name for bound in names if bound is not None for name in bound)
        return any(bound is None for bound in names) or any(count > 1 for count in counted.values())

    def _generator(self, part: Part | StagedPart) -> np.random.Generator:
        return np.random.default_rng(derived(self.seed, self.judge.name, self.student, part.grade_id))

    def _marked(self, part: Part | StagedPart, judge: Callable[..., Mark], *given: Any) -> PartResult:
        try:
            mark = judge(*given)
        except OutOfTime as error:
            mark = Mark(0.0, str(error), OUT_OF_TIME)
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
    """The names that an answer's top level defines or assigns, private ones too, but for imports, _ and __such__.

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
    return {name for name in names if name != "_" and not (name.startswith("__") and name.endswith("__"))}
