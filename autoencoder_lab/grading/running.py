"""Which cells of a submission run for what is asked, and what becomes of those that take too long.

A cell of the student's own, one that is none of the lab's, can cost no part anything: where it takes too long or ends
the process, it is named, left out, and everything else runs without it.
"""

import itertools
from collections.abc import Collection, Iterable, Sequence

from autoencoder_lab.grading.judge import Judge, ProbeFailed
from autoencoder_lab.grading.notebook_file import SourceCell
from autoencoder_lab.grading.sandbox import Answer, Arrays, Job, Probe, Sandbox
from autoencoder_lab.protocol import NOT_DONE

ROUNDS = 3  # then all of the student's own cells are left out at once
LIGHT = 2.0  # seconds: an own cell that takes less is not what makes a notebook slow
FAILURES = {
    "time": "your code did not end in time",
    "result": "your code returned more data than can be taken",
    "died": "your code ended the process it ran in",
    "memory": "your code took more memory than it may, all its processes together",
}
UNKNOWN = ("NameError", "KeyError", "UnboundLocalError")  # what code raises that misses a name


class OutOfTime(ProbeFailed):
    """A probe took too long, or what it needs did. No mark is final after this."""


class Running:
    """The cells of one submission, in the sandbox. seconds: what all runs took; left_out: {cell: why}, own ones."""

    def __init__(self, cells: Sequence[SourceCell], judge: Judge, sandbox: Sandbox) -> None:
        self.cells, self.judge, self.sandbox = cells, judge, sandbox
        self.seconds = 0.0
        self.left_out: dict[int, str] = {}
        self.failed: dict[int, str] = {}  # answers and given cells that ended a run, and why
        # a given cell runs for every part, unless some part needs it by name: a training loop runs only for these
        self.named = {name for part in judge.parts for name in part.needs} | set(judge.replaced)

    def run(
        self,
        needs: Collection[str],
        probes: dict[str, Probe],
        until: str = "",
        *,
        answers: bool = False,
        trains: bool = False,
        alone: bool = True,
    ) -> "Outcome":
        """What came of the cells that are needed, and of the probes after them.

        until: the grade_id of the last cell that runs, "" for all. answers: also the answers that are not needed, such
        as define a helper. trains: whether a probe may take as long as all cells together. alone: whether they run for
        one part; what ends such a run is not tried for that part again, nor are own cells that end a given one.
        """
        for round_ in itertools.count():  # each but the last leaves a cell out
            chosen = self._chosen(needs, until, answers)
            if stopped := [index for index in chosen if index in self.failed]:
                return Outcome(Answer(failed=self.failed[stopped[0]]), self, chosen, needs, stopped[0], answers)
            long = [step for step, index in enumerate(chosen) if self.cells[index].grade_id in self._loops()]
            long += range(len(chosen), len(chosen) + len(probes)) if trains else []
            sources = [self.cells[index].source for index in chosen]
            answer = self.sandbox.run(Job(sources, probes, self.judge.files, self.judge.limits, long))
            self.seconds += answer.seconds
            blamed = self._blamed(answer, chosen, long, alone) if answer.failed in ("time", "died", "memory") else []
            if round_ >= ROUNDS and any(self._is_own(index) for index in blamed):
                blamed = [index for index in chosen if self._is_own(index)]
            for index in blamed:
                if self._is_own(index):
                    self.left_out[index] = answer.failed
                elif alone:
                    self.failed[index] = answer.failed
            needed = any(self.cells[index].grade_id in needs for index in blamed)
            if needed or not any(index in self.left_out or index in self.failed for index in blamed):
                break  # nothing is left that another round could do without
        return Outcome(answer, self, chosen, needs, blamed[0] if blamed else -1, answers)

    def told(self, index: int) -> str:
        """A cell as people find it."""
        first = next((line.strip() for line in self.cells[index].source.splitlines() if line.strip()), "")
        return f"cell {index + 1} ({first[:60]})"

    def notes(self) -> list[str]:
        """For the instructor: the cells that were left out."""
        limits = self.judge.limits
        why = {
            "time": f"took more than {limits.cell:g} seconds of processor time, or made all cells take {limits.cpu:g}",
            "died": "ended the process",
            "memory": "took more memory than there is",
        }
        return [
            f"{self.told(index)}, one of their own, {why[what]} and was left out"
            for index, what in self.left_out.items()
        ]

    def _is_own(self, index: int) -> bool:
        return not self.cells[index].grade_id

    def _loops(self) -> set[str]:
        return {cell.grade_id for cell in self.cells if cell.use == "given" and cell.grade_id in self.named}

    def _chosen(self, needs: Collection[str], until: str, answers: bool) -> list[int]:
        given = {cell.grade_id for cell in self.cells if cell.use == "given"} - self.named
        last = next((i for i, cell in enumerate(self.cells, 1) if until and cell.grade_id == until), None)
        chosen = []
        for index, cell in enumerate(self.cells[:last]):
            helps = answers and cell.use == "answer" and index not in self.failed
            runs = cell.grade_id in needs or cell.grade_id in given or not cell.grade_id or helps
            if cell.kind == "code" and runs and index not in self.left_out:
                chosen.append(index)
        return chosen

    def _blamed(self, answer: Answer, chosen: Sequence[int], long: Sequence[int], alone_runs: bool) -> list[int]:
        """The cells to run without: own ones first, where all together took too long."""
        limits = self.judge.limits
        alone = limits.cpu if answer.at in long else limits.cell
        if answer.failed == "time" and answer.took and answer.took[-1] <= alone:
            own = [
                index for index, took in zip(chosen, answer.took, strict=False) if self._is_own(index) and took > LIGHT
            ]
            if own:
                return own
        if not 0 <= answer.at < len(chosen):
            return []
        at = chosen[answer.at]
        if answer.failed == "died" and alone_runs and self.cells[at].use == "given" and self.cells[at].grade_id:
            # what was released ends no process: a cell of theirs before it saw to that
            return [index for index in chosen if index < at and self._is_own(index)] or [at]
        return [at]


class Outcome:
    """What came of one run. blamed: the cell that ended it, -1 for none or a probe; answers: whether all ran."""

    def __init__(
        self, answer: Answer, running: Running, chosen: Sequence[int], needs: Iterable[str], blamed: int, answers: bool
    ) -> None:
        self.answer, self.running, self.chosen, self.needs = answer, running, chosen, set(needs)
        self.blamed, self.answers = blamed, answers

    @property
    def untouched(self) -> bool:
        """Whether nothing at all stopped."""
        return not self.answer.failed and all(cell.ok for cell in self.answer.cells)

    def misses_a_name(self, name: str) -> bool:
        """Whether something that the probe rests on, or itself, did not find a name."""
        probed = self.answer.probes.get(name)
        errors = [error for _, error in self._errors(all_of_them=False)] + ([probed.error] if probed else [])
        return any(error.startswith(UNKNOWN) for error in errors)

    def arrays(self, name: str) -> Arrays:
        """The arrays of one probe. Raises ProbeFailed, in words for the student, where there are none."""
        answer = self.answer
        if answer.failed:
            at = f": {self.running.told(self.blamed)}" if self.blamed >= 0 else ""
            said = FAILURES.get(answer.failed, "your code could not be run") + at
            if answer.failed == "time":
                limits = self.running.judge.limits
                said += f"; marking gives a cell {limits.cell:g} seconds of processor time, all together {limits.cpu:g}"
                raise OutOfTime(said)
            raise ProbeFailed(said)
        probed = answer.probes.get(name)
        if probed is None or probed.error:
            error = probed.error if probed else "no answer"
            before = self.stopped(any_cell=error.startswith(UNKNOWN))
            if error.startswith("NotImplementedError") and not before:
                raise ProbeFailed(NOT_DONE)
            raise ProbeFailed(f"your code stops with {error}{f'; before that, {before}' if before else ''}")
        return probed.arrays

    def stopped(self, any_cell: bool = False) -> str:
        """The first cell that a part rests on and that stopped with an error; "" for none. any_cell: own ones too."""
        errors = self._errors(all_of_them=any_cell)
        if not errors:
            return ""
        index, error = errors[0]
        missing = " (an import or a definition is missing)" if error.startswith("NameError") else ""
        return f"a cell stopped with {error}{missing}: {self.running.told(index)}"

    def _errors(self, all_of_them: bool) -> list[tuple[int, str]]:
        cells, found = self.running.cells, []
        for index, cell in zip(self.chosen, self.answer.cells, strict=False):
            rests = cells[index].grade_id in self.needs or cells[index].use == "given"
            if not cell.ok and (rests or all_of_them):
                found.append((index, cell.error))
        return found
