"""What a lab's judge is made of. It runs outside the sandbox, holds the expected values, and measures again.

A judge is a Python file of the instructor's, assignments/judges/LAB.py, that is never released. It makes one Judge:

    JUDGE = Judge(
        parts=[
            Part("test_gaussian_kl", 3, needs=["gaussian_kl"], probe=KL, inputs=draw_codes, judge=judge_kl),
            StagedPart("test_model", 5, needs=["model", "train"], judge=judge_model),
        ],
        limits=Limits(wall=60),
    )
"""

import importlib.util
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from autoencoder_lab.grading.dependencies import behind
from autoencoder_lab.grading.sandbox import Arrays, Limits

if TYPE_CHECKING:
    from autoencoder_lab.checks.question import Question


@dataclass(frozen=True)
class Mark:
    """share: of the part's points, in [0, 1]; said: to the student, what was expected and which mistake it looks like.

    mistake: a short name of that mistake, the same for everybody who makes it; for the instructor's report.
    measured: whether a model was trained for it, so that chance had a part in it.
    stated: the id that the notebook says is its student's, by value; "" where nobody asked.
    """

    share: float
    said: str = ""
    mistake: str = ""
    measured: bool = False
    stated: str = ""


class ProbeFailed(Exception):
    """A probe gave no arrays; the message says what the student's code did instead."""


class Ask(Protocol):
    """Runs one more probe in a fresh fork, the needed cells first; raises ProbeFailed.

    until: the grade_id of the last cell that runs; "" for all that are needed.
    """

    def __call__(self, probe: str, until: str = "", **inputs: np.ndarray[Any, Any]) -> Arrays: ...


Form = tuple[tuple[int, ...], str]  # an array's shape and its kind of numbers, as numpy names it: "f2", or "f" for any


def exactly(given: Arrays, **wanted: Form) -> str:
    """What is wrong with what a probe returned, in words; "" where it is what was asked for and nothing beside it.

    What goes on from one process to another goes through here: an array that nobody asked for could tell the second one
    what it must not know.
    """
    if given.keys() != wanted.keys():
        return f"asked for are {', '.join(sorted(wanted))} and nothing else"
    for name, (shape, kind) in wanted.items():
        numbers = given[name].dtype
        if given[name].shape != shape or kind not in (numbers.kind, f"{numbers.kind}{numbers.itemsize}"):
            return f"{name} must be numbers {shape}, got {numbers} {given[name].shape}"
    return ""


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


Figures = Mapping[str, float]  # what was measured of a trained model, by name


@dataclass(frozen=True)
class Trained:
    """The judge of a StagedPart whose model is trained while marking: what was measured, and what it is worth.

    measure: (ask, seeded generator) → figures, or a Mark where there is nothing to measure, such as a wrong shape.
    verdict: figures → Mark. Training draws first weights and batches, so a right model may miss a limit by chance: one
    that does is trained once more, in fresh processes, with private seeds of its own, and the better mark stands.
    """

    measure: Callable[[Ask, np.random.Generator], "Figures | Mark"]
    verdict: Callable[[Figures], Mark]

    def __call__(self, ask: Ask, generator: np.random.Generator) -> Mark:
        first, second = generator.spawn(2)
        mark = self.once(ask, first)
        if mark.share == 1 or not mark.measured:
            return mark
        again = self.once(ask, second)
        return again if again.share > mark.share else mark

    def once(self, ask: Ask, generator: np.random.Generator) -> Mark:
        """The mark of one training alone."""
        found = self.measure(ask, generator)
        return found if isinstance(found, Mark) else replace(self.verdict(found), measured=True)


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A lab's judge. Raises ValueError for parts of one name, no points, or a single name where several are meant.

    parts: Parts and StagedParts, at least one, each with a grade_id of its own; their order is that of the results.
    replaced: grade_ids of given cells that do not run, since a probe does their work in its own way: a lab's training
    loop, say, where the judge trains on pictures of its own. Cells that some part needs run for that part all the same.
    files: {name: content}, what a submission's cells find in the folder they run in.
    limits: what one run of a submission may use; there are several for each submission.
    name, version: the lab's name and a hash of all that its marks rest on; `load_judge` sets them.
    """

    parts: Sequence[Part | StagedPart]
    replaced: Sequence[str] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    name: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        ids = [part.grade_id for part in self.parts]
        if not ids or len(set(ids)) != len(ids) or not all(part.points > 0 for part in self.parts):
            points = {part.grade_id: part.points for part in self.parts}
            raise ValueError(f"every part needs a grade_id of its own and points, got {ids} with {points}")
        several = {"replaced": self.replaced} | {f"{part.grade_id}: needs": part.needs for part in self.parts}
        for what, names in several.items():
            if isinstance(names, str):
                raise ValueError(f"{what} takes a list of cells, [{names!r}], got the text {names!r}")


OWN = tuple(one.name for one in fields(Judge) if one.name not in ("name", "version"))  # what the file's author says
USAGE = f"A judge's file makes JUDGE = Judge({', '.join(f'{name}=…' for name in OWN)}), of which only parts is needed"


def load_judge(path: Path, version: str = "") -> Judge:
    """The JUDGE of an instructor's file. Raises ValueError, which names the file and what to do, where there is none.

    version: its hash, where another process has worked it out, which takes seconds.

    What the file itself raises, for a wrong keyword of Judge say, becomes that ValueError, with its line.
    """
    specification = importlib.util.spec_from_file_location(f"judge_{path.stem}", path)
    if specification is None or specification.loader is None or not path.is_file():
        raise ValueError(f"there is no judge for {path.stem}: {path} is missing")
    module: Any = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == specification.origin]
        place = f"{path}, line {lines[-1]}" if lines else str(path)
        usage = f". {USAGE}" if "Judge" in str(error) else ""
        raise ValueError(f"{place}: {type(error).__name__}: {error}{usage}") from error
    judge = getattr(module, "JUDGE", None)
    if not isinstance(judge, Judge):
        raise ValueError(f"{path} {_missing(judge, module)}. {USAGE}")
    return replace(judge, name=path.stem, version=version or behind(path))


def _missing(judge: Any, module: Any) -> str:
    """What is wrong with a file that makes no Judge, and what to do."""
    if judge is not None:
        return f"has a JUDGE that is no Judge but {judge!r}"[:300]
    if before := [name.upper() for name in OWN if hasattr(module, name.upper())]:
        arguments = ", ".join(f"{name.lower()}={name}" for name in before)
        return f"is of an earlier form, with {' and '.join(before)}; add a last line: JUDGE = Judge({arguments})"
    return "has no JUDGE"


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
    from numbers import Real

    import numpy as np
    import torch

    def one(value):
        if isinstance(value, (tuple, list)):
            return torch.stack([torch.as_tensor(one(item)).detach().double() for item in value])
        return float(value) if isinstance(value, Real) and not isinstance(value, (int, float)) else value

    calls, whole = {}, False
    for key in sorted(inputs):
        calls.setdefault(key[:2], []).append(torch.from_numpy(inputs[key]) if inputs[key].ndim else inputs[key].item())
    results = {}
    for call, arguments in calls.items():
        answer = names[FUNCTION](*arguments)
        if answer is None or answer is ...:
            raise NotImplementedError("the function returns None")
        several = isinstance(answer, (tuple, list))
        try:
            results |= {call: one(answer)} if several and whole else {}
        except (TypeError, ValueError, RuntimeError):
            pass  # no array: its items may be what is asked for
        for place, value in enumerate(answer if several else [answer]):
            value = one(value)
            results[f"{call}{place:02}"] = value.detach() if isinstance(value, torch.Tensor) else np.asarray(value)
    return results
"""


def function_part(grade_id: str, points: float, needs: Sequence[str], question: "Question") -> Part:
    """A part that asks for one function: called on the question's cases, drawn anew for every student.

    Full marks for the right values in every case, a mistake's share and sentence where it gives these values, none for
    anything else. A list or tuple stands for one array where the right answer is one array.
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
        if _as_wanted(given, wanted).keys() != wanted.keys():
            return Mark(0.0, "the function returns another number of values than asked for", "wrong shape")
        given = _as_wanted(given, wanted)
        off = next(key for key in wanted if not matches(given[key], wanted[key], question.tolerance))
        return compared(given[off], wanted[off], {}, question.tolerance)

    probe = CALL.replace("whole = {}, False", "whole = {}, True").replace("FUNCTION", repr(question.name))
    return Part(grade_id, points, needs, probe, judge, inputs)


# --- numbers that a student reads off images of their own ----------------------------------------------------------

READ = """
def probe(names):
    import numpy as np
    import torch

    def number(value):
        if isinstance(value, (set, frozenset, list, tuple)):
            return np.sort(np.array([float(number(item)) for item in value]))
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().double().numpy()
        kind = getattr(value, "dtype", np.dtype("f8")).kind
        if value is None or isinstance(value, (str, bytes)) or kind not in "biuf":
            return np.array(np.nan)
        return np.array(value, dtype="f8")

    def read(value):
        try:
            found = number(value)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            return np.array(np.nan)
        return found.reshape(()) if found.size == 1 else found

    if all(names[name] is None or names[name] is ... for name in NAMES):
        raise NotImplementedError("the numbers are still None")
    return {"STUDENT": np.array(str(names["STUDENT"]))} | {name: read(names[name]) for name in NAMES}
"""
STATED = """
def probe(names):
    import numpy as np
    return {"STUDENT": np.array(str(names["STUDENT"]))}
"""
MOST_ID, MOST_READ = 200, 100  # characters of an id; numbers in one answer that is read
ANOTHER_ID = (
    "STUDENT is another id here than at the top of the notebook, where you put in your own: the numbers have to be "
    "those of your own images"
)


def reading_part(
    grade_id: str, points: float, needs: Sequence[str], names: Sequence[str], judge: Callable[[str, Arrays], Mark]
) -> StagedPart:
    """A part whose answers are numbers, read off the images that belong to the student's id; each earns its own share.

    names: of the answers; judge: (the id, {name: the answer, float64}) → Mark; nan stands for one that is not there,
    or is no number. The id is the value that STUDENT has after the cell "student"; a notebook in which it is another
    one when the numbers are there gets no points.
    """

    def judged(ask: Ask, _: np.random.Generator) -> Mark:
        read = ask(READ.replace("NAMES", repr(list(names))))
        told = ask(STATED, until="student")["STUDENT"]
        if any(
            one.ndim or one.dtype.kind != "U" or one.dtype.itemsize > 4 * MOST_ID for one in (told, read["STUDENT"])
        ):
            return Mark(0.0, f"STUDENT must be one text of at most {MOST_ID} characters", "another id")
        stated = str(told)
        if odd := [name for name in names if not _few_numbers(read[name])]:
            return Mark(0.0, f"{odd[0]} must be a number, or a few", "not a number", stated=stated)
        if str(read["STUDENT"]) != stated:
            return Mark(0.0, ANOTHER_ID, "another id", stated=stated)
        given = {name: read[name] for name in names}
        try:
            mark = judge(stated, given)
        except (TypeError, ValueError):  # several numbers where one is asked for
            mark = judge(stated, {name: np.array(np.nan) if value.ndim else value for name, value in given.items()})
        said = ". ".join([*no_number({name: float(given[name].sum()) for name in names}), mark.said])
        return replace(mark, said=said, stated=stated)

    return StagedPart(grade_id, points, needs, judged)


def no_number(given: Mapping[str, float]) -> list[str]:
    """What to say of answers that are not there."""
    return [f"{name} is not done yet, or no number" for name, value in given.items() if np.isnan(value)]


def _few_numbers(given: np.ndarray[Any, Any]) -> bool:
    """Whether these are as many numbers as somebody reads off, of the kind that READ returns."""
    return given.dtype == np.float64 and given.ndim <= 1 and given.size <= MOST_READ


def _called(function: Callable[..., Any], inputs: Arrays) -> Arrays:
    """What CALL would give for a function of ours."""
    place: dict[str, Any] = {}
    exec(CALL.replace("FUNCTION", "'ours'"), place)
    copies = {key: value.copy() for key, value in inputs.items()}
    return {key: np.asarray(value) for key, value in place["probe"]({"ours": function}, **copies).items()}


def _as_wanted(given: Arrays, wanted: Arrays) -> Arrays:
    """What came back of each call: a list as one array where one is wanted, its items where several are."""
    several = {key[:2] for key in wanted if key[2:] != "00"}
    lists = {key for key in given if len(key) == 2 and key not in several}
    items = {key: value for key, value in given.items() if len(key) > 2 and key[:2] not in lists}
    return items | {f"{key}00": given[key] for key in lists}


def _agree(given: Arrays, wanted: Arrays, tolerance: float) -> bool:
    given = _as_wanted(given, wanted)
    return given.keys() == wanted.keys() and all(matches(given[key], wanted[key], tolerance) for key in wanted)
