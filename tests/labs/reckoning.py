"""The reckoning behind the limits of trained parts: what right answers reach, what wrong ones reach, twice an id.

    PYTHONPATH=.:tests python -m labs.reckoning             what has no row yet of the present code; stopped, it goes on
    PYTHONPATH=.:tests python -m labs.reckoning lab1 lab5   of these labs alone; --jobs 2 takes two processes
    PYTHONPATH=.:tests python -m labs.reckoning --confirm   the code changed and the figures should not have: one id of
                                                            each answer again, both draws; where they are as stored, all
                                                            rows of that answer hold for the present code
    PYTHONPATH=.:tests python -m labs.reckoning --state     how many rows there are, what they say, measuring nothing

A row holds what one training came to: the figures, not the marks, so that limits can be set from the rows. Ids and
draws: the reference 100 × 2, each other right answer 30 × 2, each mistake of a trained part 20 × 2, an untrained model
30 × 2, a friend's weights 30 × 2, shared out among the ways to hand them in, the cheats made for one lab alone 10 × 2.
It runs outside the sandbox, which draws and answers alike (a test compares) and takes longer. A row remembers a hash of
the code that it rests on: the part's `measure` with all that it reaches, and the answers it runs; another limit changes
no hash.
"""

import argparse
import ast
import contextlib
import copy
import hashlib
import importlib
import inspect
import io
import json
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from autoencoder_lab.files import write_whole
from autoencoder_lab.grading.dependencies import Tree
from autoencoder_lab.grading.judge import Judge, Mark, ProbeFailed, StagedPart, Trained, load_judge
from labs import cheats
from labs.sources import ASSIGNMENTS, LABS, answers_of, source_of

ROWS = Path(__file__).parent / "reckoned"
INSTRUCTORS = Path(__file__).parents[2] / "docs" / "instructors.md"
CONTROLS = ("before_", "disorder_")
BEGIN, END = "<!-- reckoning: begin, made by python -m labs.reckoning --table -->", "<!-- reckoning: end -->"
CHEATS = [
    getattr(cheats, name)
    for name in ("STORED", "NOTHING", "STANDS_STILL", "LOADS", "KEEPS", "ANSWERS", "PULLS", "GAME")
]
COUNTS = {"reference": 100, "right": 30, "mistake": 20, "cheat": 10}  # ids; of each, two draws
FOR_EVERY_LAB = 30  # ids of an untrained model, and of a friend's weights, shared out among the ways to hand them in
Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """kind: reference, right, mistake or cheat; cells: the answers that differ from the reference's."""

    lab: str
    name: str
    kind: str
    cells: tuple[tuple[str, str], ...] = ()

    @property
    def ids(self) -> range:
        """The students it is measured for."""
        ways = [name for name in cheats.names(self.lab) if cheats.needs_weights(name)]
        if self.kind == "cheat" and self.name in ways:
            share = -(-FOR_EVERY_LAB // len(ways))
            return range(ways.index(self.name) * share, (ways.index(self.name) + 1) * share)
        return range(FOR_EVERY_LAB if self.name == cheats.UNTRAINED else COUNTS[self.kind])

    @property
    def sources(self) -> dict[str, str]:
        """The answer cells that the trained part needs, with their sources."""
        weights = friends_weights(self.lab) if self.kind == "cheat" and cheats.needs_weights(self.name) else None
        cheat = cheats.cells(self.lab, self.name, weights) if self.kind == "cheat" else {}
        answers = answers_of(self.lab) | dict(self.cells) | cheat
        return {name: answers[name] for name in trained_part(self.lab).needs if name in answers}


@cache
def judge_of(lab: str) -> Judge:
    return load_judge(ASSIGNMENTS / "judges" / f"{lab}.py")


def trained_part(lab: str) -> StagedPart:
    """The lab's part whose model is trained while marking."""
    return next(p for p in judge_of(lab).parts if isinstance(p, StagedPart) and isinstance(p.judge, Trained))


def answers(lab: str) -> list[Answer]:
    """The reference, the other right answers and the mistakes of the lab's trained part."""
    part, written = trained_part(lab), importlib.import_module(f"labs.{lab}")
    found = [Answer(lab, "reference", "reference")]
    right = getattr(written, "OTHER_TRAINED", {}) | written.OTHER_WAYS
    found += [Answer(lab, n, "right", _of(c, part.needs)) for n, c in right.items() if set(c) & set(part.needs)]
    for name, mistake in written.MISTAKES.items():
        if part.grade_id in mistake.reached:
            found.append(Answer(lab, name, "mistake", _of(mistake.answers, part.needs)))
    return found + [Answer(lab, name, "cheat") for name in cheats.names(lab)]


@cache
def friends_weights(lab: str) -> np.ndarray:
    """What the reference learns where the judge trains it, for another id: all weights, one after the other."""
    ask, generator = asker(Answer(lab, "reference", "reference")), np.random.default_rng(7)
    part = trained_part(lab)
    assert isinstance(part.judge, Trained)
    part.judge.measure(ask, generator)
    model = ask.kept["trained"]
    learnt = [model[name] for name in sorted(model)] if isinstance(model, dict) else list(model.parameters())
    return np.concatenate([np.asarray(one.detach()).ravel() for one in learnt])


def _of(cells: Mapping[str, str], needs: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, source) for name, source in sorted(cells.items()) if name in needs)


# --- one training --------------------------------------------------------------------------------------------------


def measure(answer: Answer, student: int, draw: int) -> Row:
    """One row: what the part measures of this answer."""
    part, start = trained_part(answer.lab), time.process_time()
    seed = hashlib.sha256(f"reckoning/{answer.lab}/{student}".encode()).digest()
    generator = np.random.default_rng(int.from_bytes(seed, "big")).spawn(2)[draw]
    row: Row = {"lab": answer.lab, "answer": answer.name, "kind": answer.kind, "id": student, "draw": draw}
    try:
        assert isinstance(part.judge, Trained)
        found = part.judge.measure(asker(answer), generator)
        row["figures"] = None if isinstance(found, Mark) else {k: float(f"{v:.5g}") for k, v in found.items()}
        row["said"] = found.mistake if isinstance(found, Mark) else ""
    except ProbeFailed as error:
        row |= {"figures": None, "said": str(error)[:100]}
    return row | {"seconds": round(time.process_time() - start, 1), "code": code_of(answer)}


def asker(answer: Answer) -> Any:
    """Runs probes here, on the cells that the part needs; the cells run once, each probe gets what they left."""
    sources, needs = answer.sources, trained_part(answer.lab).needs
    cells = [c for c in source_of(answer.lab).cells if c.cell_type == "code"]
    named = {name for part in judge_of(answer.lab).parts for name in part.needs} | set(judge_of(answer.lab).replaced)
    names: dict[str, Any] = {}
    for cell in cells:
        marked = cell.metadata.get("nbgrader", {})
        name = marked.get("grade_id", "")
        if name in needs or (not marked.get("grade") and not marked.get("solution") and name not in named):
            with contextlib.redirect_stdout(io.StringIO()):
                exec(sources.get(name, cell.source), names)

    kept: dict[str, Any] = {}

    def ask(probe: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        place: dict[str, Any] = {}
        exec(probe, place)
        if "in_three_states" in place:
            place["in_three_states"] = keeping(place["in_three_states"], kept)
        try:
            given = {key: value.copy() for key, value in inputs.items()}
            with ThreadPoolExecutor(1) as alone:  # whose stack ends at the probe, as in the sandbox: no frame of ours
                found = alone.submit(place["probe"], dict(names), **given).result()
        except Exception as error:
            raise ProbeFailed(f"your code stops with {type(error).__name__}: {error}") from error
        if set(found) == set("012345"):  # lab 5 gives the weights themselves
            kept["trained"] = found
        if "trained_w0000" in found:
            kept["trained"] = {key: value for key, value in found.items() if key.startswith("trained_w")}
        return {key: np.asarray(getattr(value, "detach", lambda value=value: value)()) for key, value in found.items()}

    ask.kept = kept  # type: ignore[attr-defined]
    return ask


def keeping(in_three_states: Any, kept: dict[str, Any]) -> Any:
    """The same, and what the model is in each state is kept."""

    def states(model: Any, seed: Any, train: Any, answer: Any) -> Any:
        def looking(state: str) -> Any:
            kept[state] = copy.deepcopy(model)
            return answer(state)

        return in_three_states(model, seed, train, looking)

    return states


# --- what a row rests on -------------------------------------------------------------------------------------------


@cache
def code_of(answer: Answer) -> str:
    """Twelve hexadecimal digits for what `measure` reaches of the judge and the library, and the answer's cells."""
    # of a cheat how it is made: a friend's weights are not the same on every machine
    own = (
        {name: source for name, source in answer.sources.items() if name != "student"} if answer.kind != "cheat" else {}
    )
    made = [inspect.getsource(cheats.cells), cheats.OWN.get(answer.lab, {}).get(answer.name, CHEATS)]
    written = made if answer.kind == "cheat" else sorted(own.items())
    return hashlib.sha256(f"{measured(answer.lab)}{written}".encode()).hexdigest()[:12]


@cache
def measured(lab: str) -> str:
    """A hash of what the trained part's `measure` reaches."""
    text = (ASSIGNMENTS / "judges" / f"{lab}.py").read_text(encoding="utf-8")
    judge = trained_part(lab).judge
    assert isinstance(judge, Trained)
    return tree().notebook(reached_text(text, judge.measure.__name__))


@cache
def tree() -> Tree:
    """The project's definitions, read once."""
    return Tree()


def reached_text(text: str, start: str) -> str:
    """The imports of a judge's file and those of its statements that `start` reaches."""
    body = ast.parse(text).body
    defined = {name: node for node in body for name in _defines(node)}
    waiting, kept = [start], list[ast.stmt]()
    while waiting:
        node = defined.get(waiting.pop())
        if node is None or node in kept:
            continue
        kept.append(node)
        waiting += [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    used = {inner.id for node in kept for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    lines = [ast.unparse(node) for node in imports if {a.asname or a.name.split(".")[0] for a in node.names} & used]
    return "\n".join(lines + [ast.unparse(node) for node in body if node in kept])


def _defines(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name)}


# --- rows ----------------------------------------------------------------------------------------------------------


def read_rows(lab: str) -> list[Row]:
    """All stored rows of a lab, stale ones too."""
    file = ROWS / f"{lab}.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def write_rows(lab: str, rows: Iterable[Row]) -> None:
    """The rows of the present code, in order; those of earlier code go once there is one in their place."""
    kept = {(row["kind"], row["answer"], row["id"], row["draw"]): row for row in rows}
    ROWS.mkdir(exist_ok=True)
    order = sorted(kept, key=lambda key: (list(COUNTS).index(key[0]), *key[1:]))
    write_whole(ROWS / f"{lab}.jsonl", "".join(json.dumps(kept[key], ensure_ascii=False) + "\n" for key in order))


def missing(lab: str) -> Iterator[tuple[int, Answer, int, int]]:
    """(round, answer, id, draw) of what has no row of the present code; each of ten rounds has some of every answer."""
    rows = {(row["answer"], row["id"], row["draw"], row["code"]) for row in read_rows(lab)}
    for answer in answers(lab):
        for student in answer.ids:
            for draw in (0, 1):
                if (answer.name, student, draw, code_of(answer)) not in rows:
                    yield 10 * answer.ids.index(student) // len(answer.ids), answer, student, draw


def stored_rows(lab: str) -> list[tuple[Answer, list[Row]]]:
    """Each answer with its rows, those of earlier code too: `stale` says how many these are."""
    rows = read_rows(lab)
    return [(one, [row for row in rows if row["answer"] == one.name]) for one in answers(lab)]


def stale(lab: str) -> int:
    """How many stored rows are of other code than there is now."""
    present = sum(row["code"] == code_of(answer) for answer, rows in stored_rows(lab) for row in rows)
    return len(read_rows(lab)) - present


def moved(rows: list[Row], to: list[Row], way: float) -> list[Row]:
    """The rows that have figures, each figure moved a part of the way to its mean over the rows `to`."""
    middle = {name: float(np.mean([row["figures"][name] for row in to])) for name in to[0]["figures"]}
    return [
        row | {"figures": {name: value + way * (middle[name] - value) for name, value in row["figures"].items()}}
        for row in rows
        if row["figures"]
    ]


def confirm(lab: str) -> None:
    """Let the rows of earlier code hold for the present one, where one id's two draws come out again."""
    rows = read_rows(lab)
    for answer in answers(lab):
        present = code_of(answer)
        of_this = [row for row in rows if row["answer"] == answer.name]
        earlier = sorted((row for row in of_this if row["code"] != present), key=lambda row: (row["id"], row["draw"]))
        again = [measure(answer, row["id"], row["draw"]) for row in earlier[:2]]
        same = all(_alike(old, new) for old, new in zip(earlier, again, strict=False))
        print(lab, answer.kind, answer.name, len(earlier), "rows", "confirmed" if same else "OTHER FIGURES", flush=True)
        if same:
            for row in earlier:
                row["code"] = present
    write_rows(lab, rows)


def _alike(old: Row, new: Row) -> bool:
    """The same figures but for rounding, or the same words where there are none."""
    if old["figures"] is None or new["figures"] is None:
        return old["figures"] == new["figures"] and old["said"] == new["said"]
    close = (np.isclose(new["figures"][name], value, rtol=0.02, atol=0.01) for name, value in old["figures"].items())
    return old["figures"].keys() == new["figures"].keys() and all(close)


def share(lab: str, row: Row) -> float:
    """What a row's training alone earns by the present limits, as a share of the part."""
    judge = trained_part(lab).judge
    assert isinstance(judge, Trained)
    return judge.verdict(row["figures"]).share if row["figures"] else 0.0


def nearest_limit(lab: str, rows: list[Row]) -> float:
    """How many standard deviations of a figure lead from its mean to its limit, the least of them; up to 12.

    Those of the values on that side of the mean alone. Figures of controls are errors of untrained models, which lie
    far apart: they are taken by their logarithms.
    """

    def scale(name: str, value: Any) -> Any:
        return np.log(np.maximum(value, 1e-9)) if name.startswith(CONTROLS) else value

    def share_with(name: str, value: float) -> float:
        back = float(np.exp(value)) if name.startswith(CONTROLS) else value
        return share(lab, {"figures": mean | {name: back}})

    figures = {name: scale(name, np.array([row["figures"][name] for row in rows])) for name in rows[0]["figures"]}
    middle = {name: float(values.mean()) for name, values in figures.items()}
    mean = {name: float(np.exp(value)) if name.startswith(CONTROLS) else value for name, value in middle.items()}
    spread = {
        (name, way): way * float(np.sqrt(np.square(apart[way * apart > 0]).mean())) if (way * apart > 0).any() else 0.0
        for name, values in figures.items()
        for way in (-1, 1)
        for apart in (values - middle[name],)
    }
    for steps in range(1, 120):
        if any(share_with(name, middle[name] + steps / 10 * one) < 1 for (name, _), one in spread.items()):
            return steps / 10
    return 12.0


def correlation(rows: list[Row]) -> float:
    """Between an id's two draws, the figure's in which it is farthest from 0; nan for fewer than twenty ids."""
    pairs: dict[int, dict[int, Row]] = {}
    for row in rows:
        pairs.setdefault(row["id"], {})[row["draw"]] = row
    both = [pair for pair in pairs.values() if len(pair) == 2]
    if len(both) < 20:
        return float("nan")
    found = []
    for name in both[0][0]["figures"]:
        first, second = ([pair[draw]["figures"][name] for pair in both] for draw in (0, 1))
        if np.std(first) > 1e-6 and np.std(second) > 1e-6:
            found.append(float(np.corrcoef(first, second)[0, 1]))
    return max(found, key=abs)


COLUMNS = (
    *("lab", "reference: trainings", "that miss", "ids that miss twice", "nearest limit", "correlation"),
    *("other right ones: trainings", "that miss", "mistakes: trainings", "that pass", "cheats: ids", "earn"),
)


def table() -> str:
    """What the rows say, for docs/instructors.md."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    for lab in LABS:
        by_kind: dict[str, list[list[Row]]] = {kind: [] for kind in COUNTS}
        for answer, rows in stored_rows(lab):
            by_kind[answer.kind].append(rows)
        reference = by_kind["reference"][0]
        missed = [row["id"] for row in reference if share(lab, row) < 1]
        right, wrong = ([row for rows in by_kind[kind] for row in rows] for kind in ("right", "mistake"))
        cheats_best = [
            max(share(lab, row) for row in rows if row["id"] == student)
            for rows in by_kind["cheat"]
            for student in {row["id"] for row in rows}
        ]
        enough = len(reference) >= 20
        cells = [
            f"`{lab}`",
            len(reference),
            len(missed),
            len(missed) - len(set(missed)),
            f"{nearest_limit(lab, reference):.1f} sd" if enough else "",
            f"{correlation(reference):+.2f}" if len(reference) >= 40 else "",
            len(right),
            sum(share(lab, row) < 1 for row in right),
            len(wrong),
            sum(share(lab, row) == 1 for row in wrong),
            len(cheats_best),
            f"{np.mean(cheats_best):.0%}" if cheats_best else "",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def write_table() -> None:
    """Put the table between its marks in docs/instructors.md."""
    text = INSTRUCTORS.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    write_whole(INSTRUCTORS, f"{text[:begin]}\n\n{table()}\n\n{text[end:]}")


def state(lab: str) -> str:
    """What the rows say of each answer, by the present limits."""
    lines = []
    for answer, rows in stored_rows(lab):
        missed = sum(share(lab, row) < 1 for row in rows)
        line = f"{lab} {answer.kind:9} {answer.name[:44]:44} {len(rows):4} rows, {missed:4} miss"
        figures = [row["figures"] for row in rows if row["figures"]]
        spread = {name: np.array([one[name] for one in figures]) for name in (figures[0] if figures else [])}
        line += "".join(f"; {name} {values.mean():.4g} ± {values.std():.2g}" for name, values in spread.items())
        lines.append(f"{line}; {np.mean([row['seconds'] for row in rows]):.1f} s" if rows else line)
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labs", nargs="*", help="their beginnings, such as lab1; all, unless said")
    parser.add_argument("--kind", action="append", choices=COUNTS, help="of answers; all, unless said")
    parser.add_argument("--jobs", type=int, default=1, choices=(1, 2))
    parser.add_argument("--state", action="store_true")
    parser.add_argument("--confirm", action="store_true", help="for rows of earlier code")
    parser.add_argument("--table", action="store_true", help="write the table in docs/instructors.md anew")
    parser.add_argument("--most", type=int, default=10**9, help="at most so many trainings")
    told = parser.parse_args()
    chosen = [lab for lab in LABS if not told.labs or lab.startswith(tuple(told.labs))]
    if told.table:
        write_table()
        return
    if told.confirm:
        with ProcessPoolExecutor(told.jobs, mp_context=get_context("spawn")) as pool:
            list(pool.map(confirm, chosen))
        return
    if told.state:
        print(*map(state, chosen), sep="\n")
        return
    wanted = (one for lab in chosen for one in missing(lab) if one[1].kind in (told.kind or COUNTS))
    waiting = sorted(wanted, key=lambda one: one[0])[: told.most]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    pool = ProcessPoolExecutor(told.jobs, mp_context=get_context("spawn"))
    try:
        for row in pool.map(measure, *list(zip(*waiting, strict=True))[1:]) if waiting else []:
            lab = row.pop("lab")
            write_rows(lab, [*read_rows(lab), row])
            print(lab, row["answer"], row["id"], row["draw"], row["figures"] or row["said"], flush=True)
    finally:
        pool.shutdown(cancel_futures=True)
        write_table()


if __name__ == "__main__":
    sys.exit(main())
