"""What a lab's judge is made of. It runs outside the sandbox, holds the expected values, and measures again.

A judge is a Python file of the instructor's, assignments/judges/LAB.py, that is never released:

    PARTS = [
        Part("gaussian_kl", 3, needs=("q1",), probe=KL, inputs=draw_codes, judge=judge_kl),
        StagedPart("model", 5, needs=("q3", "q4"), judge=judge_model),
    ]
"""

import hashlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from autoencoder_lab.grading.sandbox import Arrays, Limits

if TYPE_CHECKING:
    from autoencoder_lab.checks.question import Question


@dataclass(frozen=True)
class Mark:
    """share: of the part's points, in [0, 1]; said: to the student, what was expected and which mistake it looks like.

    mistake: a short name of that mistake, the same for everybody who makes it; for the instructor's report.
    """

    share: float
    said: str = ""
    mistake: str = ""


class ProbeFailed(Exception):
    """A probe gave no arrays; the message says what the student's code did instead."""


class Ask(Protocol):
    """Runs one more probe in a fresh fork, the needed cells first; raises ProbeFailed."""

    def __call__(self, probe: str, **inputs: np.ndarray[Any, Any]) -> Arrays: ...


@dataclass(frozen=True)
class Part:
    """A part judged by one probe. grade_id: of the cell whose points these are.

    needs: grade_ids of the answers that have to run before; cells without an id (imports, helpers) always do.
    inputs: a seeded generator → what the probe gets; judge: (what came back, those inputs) → Mark.
    """

    grade_id: str
    points: float
    needs: Sequence[str]
    probe: str
    judge: Callable[[Arrays, Arrays], Mark]
    inputs: Callable[[np.random.Generator], Arrays] = field(default=lambda _: {})


@dataclass(frozen=True)
class StagedPart:
    """A part judged by several probes that must know nothing of each other: each `ask` is a fork of its own.

    judge: (ask, seeded generator) → Mark. So an encoder is asked for codes, and a decoder that never saw the images is
    asked for pictures of them.
    """

    grade_id: str
    points: float
    needs: Sequence[str]
    judge: Callable[[Ask, np.random.Generator], Mark]


@dataclass(frozen=True)
class Judge:
    """A lab's parts, and what its cells find in their folder.

    replaced: given cells that do not run, since a probe does their work in its own way; REPLACED in the judge's file.
    """

    lab: str
    parts: Sequence[Part | StagedPart]
    replaced: Sequence[str] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    version: str = ""  # a hash of the judge's file


def load_judge(path: Path) -> Judge:
    """The judge in a file of the instructor's. Raises ValueError where it names a part twice or gives it no points."""
    specification = importlib.util.spec_from_file_location(f"judge_{path.stem}", path)
    if specification is None or specification.loader is None or not path.is_file():
        raise ValueError(f"there is no judge for {path.stem}: {path} is missing")
    module: Any = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    judge = Judge(
        path.stem,
        tuple(module.PARTS),
        tuple(getattr(module, "REPLACED", ())),
        getattr(module, "FILES", {}),
        getattr(module, "LIMITS", Limits()),
        hashlib.sha256(path.read_bytes()).hexdigest()[:16],
    )
    names = [part.grade_id for part in judge.parts]
    if len(set(names)) != len(names) or not all(part.points > 0 for part in judge.parts):
        raise ValueError(f"{path}: every part needs a grade_id of its own and points, got {names}")
    return judge


def matches(given: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any], tolerance: float = 1e-4) -> bool:
    """Whether two arrays of numbers agree in shape and, to `tolerance`, relative and absolute, in every value."""
    if given.dtype.kind not in "biuf" or given.shape != wanted.shape:
        return False
    return bool(np.allclose(given.astype(np.float64), wanted, rtol=tolerance, atol=tolerance))


def compared(
    given: np.ndarray[Any, Any],
    wanted: np.ndarray[Any, Any],
    mistakes: Mapping[str, tuple[np.ndarray[Any, Any], float, str]],
    tolerance: float = 1e-4,
) -> Mark:
    """Full marks for the wanted array; for a known wrong one its own share and sentence; none for anything else.

    mistakes: {short name: (the array this mistake gives, share of the points, what to say)}, the first that fits.
    """
    if matches(given, wanted, tolerance):
        return Mark(1.0)
    for name, (wrong, share, said) in mistakes.items():
        if matches(given, wrong, tolerance):
            return Mark(share, said, name)
    if given.shape != wanted.shape:
        return Mark(0.0, f"the result must have shape {wanted.shape}, got {given.shape}", "wrong shape")
    if given.dtype.kind not in "biuf" or not np.isfinite(given.astype(np.float64)).all():
        return Mark(0.0, "the result must hold finite numbers", "not finite")
    return Mark(0.0, "the values are not the expected ones, and no common mistake gives them", "other values")


# --- a function, asked for by name --------------------------------------------------------------------------------

CALL = """
def probe(names, **inputs):
    import numpy as np
    import torch

    calls = {}
    for key in sorted(inputs):
        calls.setdefault(key[:2], []).append(torch.from_numpy(inputs[key]) if inputs[key].ndim else inputs[key].item())
    results = {}
    for call, arguments in calls.items():
        answer = names[FUNCTION](*arguments)
        if answer is None or answer is ...:
            raise NotImplementedError("the function returns None")
        for place, value in enumerate(answer if isinstance(answer, (tuple, list)) else [answer]):
            results[f"{call}{place:02}"] = value.detach() if isinstance(value, torch.Tensor) else np.asarray(value)
    return results
"""


def function_part(grade_id: str, points: float, needs: Sequence[str], question: "Question") -> Part:
    """A part that asks for one function: called on the question's cases, drawn anew for every student.

    Full marks for the right values in every case, a mistake's share and sentence where it gives these values, none for
    anything else.
    """

    def inputs(generator: np.random.Generator) -> Arrays:
        import torch

        calls = question.cases(torch.Generator().manual_seed(int(generator.integers(2**31))))
        return {f"{i:02}{j:02}": np.asarray(value) for i, call in enumerate(calls) for j, value in enumerate(call)}

    def judge(given: Arrays, inputs: Arrays) -> Mark:
        wanted = _called(question.right, inputs)
        if _agree(given, wanted, question.tolerance):
            return Mark(1.0)
        for name, wrong in question.mistakes.items():
            if _agree(given, _called(wrong.function, inputs), question.tolerance):
                return Mark(wrong.share, wrong.said, name)
        if given.keys() != wanted.keys():
            return Mark(0.0, "the function returns another number of values than asked for", "wrong shape")
        off = next(key for key in wanted if not matches(given[key], wanted[key], question.tolerance))
        return compared(given[off], wanted[off], {}, question.tolerance)

    return Part(grade_id, points, needs, CALL.replace("FUNCTION", repr(question.name)), judge, inputs)


def _called(function: Callable[..., Any], inputs: Arrays) -> Arrays:
    """What CALL would give for a function of ours."""
    place: dict[str, Any] = {}
    exec(CALL.replace("FUNCTION", "'it'"), place)
    copies = {key: value.copy() for key, value in inputs.items()}
    return {key: np.asarray(value) for key, value in place["probe"]({"it": function}, **copies).items()}


def _agree(given: Arrays, wanted: Arrays, tolerance: float) -> bool:
    return given.keys() == wanted.keys() and all(matches(given[key], wanted[key], tolerance) for key in wanted)
