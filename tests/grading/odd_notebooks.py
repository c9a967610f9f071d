"""A small lab whose checks are real ones, and the odd notebooks that come back of it."""

import json
import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from autoencoder_lab.checks.question import Question, Wrong
from autoencoder_lab.grading.judge import Judge, function_part
from autoencoder_lab.protocol import CODE_STUB, TEXT_STUB

Cells = list[dict[str, Any]]
IMPORTS = "import torch\nfrom torch import nn"
QUESTIONS = {
    "mse": """Question(
    "mse", lambda x, y: ((x - y) ** 2).mean(), {"sum": Wrong("the sum", lambda x, y: ((x - y) ** 2).sum(), 0.5)},
    lambda g: [(torch.rand(5, 7, generator=g), torch.rand(5, 7, generator=g)) for _ in range(2)])""",
    "centred": """Question(
    "centred", lambda x: x - x.mean(dim=0), {}, lambda g: [(torch.rand(5, 7, generator=g),) for _ in range(2)])""",
}
RIGHT = {
    "mse": "def mse(x, y):\n    return ((x - y) ** 2).mean()",
    "centred": "def centred(x):\n    return x - x.mean(dim=0)",
}
STUBS = {"mse": f"def mse(x, y):\n    {CODE_STUB}", "centred": f"def centred(x):\n    {CODE_STUB}"}
POINTS = {"mse": 2, "centred": 3}
Answers = dict[str, str]


def judge() -> Judge:
    import torch

    place = {"torch": torch, "Question": Question, "Wrong": Wrong}
    parts = [function_part(f"test_{n}", POINTS[n], (n,), eval(QUESTIONS[n], place)) for n in QUESTIONS]
    return Judge(parts=parts)


def cells(answers: Answers) -> Cells:
    """The notebook as the student sees it: text, imports, an answer and its check twice, a written answer."""
    made = [text("# The lab"), code(IMPORTS, "imports", "given")]
    for name, stub in STUBS.items():
        made.append(code(answers.get(name, stub), name))
        check = f"from autoencoder_lab.checks.question import Question, Wrong\n{QUESTIONS[name]}.check({name})"
        made.append(code(check, f"test_{name}", "test", POINTS[name]))
    words = text(answers.get("words", TEXT_STUB))
    words["metadata"]["nbgrader"] = marks("words", "manual", "markdown", 4)
    return [*made, words]


def text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def code(source: str, name: str = "", use: str = "answer", points: float | None = None) -> dict[str, Any]:
    made = {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
    return made | {"metadata": {"nbgrader": marks(name, use, "code", points)}} if name else made


def marks(name: str, use: str, kind: str, points: float | None) -> dict[str, Any]:
    found = {
        "grade_id": name,
        "schema_version": 3,
        "locked": use in ("given", "test"),
        "cell_type": kind,
        "task": False,
    }
    found |= {"solution": use in ("answer", "manual"), "grade": use in ("test", "manual")}
    return found | ({"points": points} if points is not None else {})


def written(made: Cells, **fields: Any) -> bytes:
    return json.dumps({"cells": made, "nbformat": 4, "nbformat_minor": 5, "metadata": {}} | fields).encode()


def place(made: Cells, name: str) -> int:
    return next(i for i, c in enumerate(made) if c["metadata"].get("nbgrader", {}).get("grade_id") == name)


def _at(name: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[Cells], None]:
    return lambda made: change(made[place(made, name)])


def _put(where: Callable[[Cells], int], *more: dict[str, Any]) -> Callable[[Cells], None]:
    def change(made: Cells) -> None:
        index = where(made)
        made[index:index] = deepcopy(list(more))

    return change


def _lose(name: str) -> Callable[[Cells], None]:
    return _at(name, lambda c: c["metadata"].pop("nbgrader"))


def _delete(name: str) -> Callable[[Cells], None]:
    return lambda made: made.__delitem__(place(made, name))


def _crlf(made: Cells) -> None:
    for one in made:
        one["source"] = one["source"].replace("\n", "\r\n")


def _lines(made: Cells) -> None:
    for one in made:
        one["source"] = one["source"].splitlines(keepends=True)


def _without_ids(made: Cells) -> None:
    for one in made:
        one["id"] = 7


def _twice(name: str) -> Callable[[Cells], None]:
    return lambda made: made.insert(place(made, name) + 1, deepcopy(made[place(made, name)]))


def _end(made: Cells) -> int:
    return len(made)


D, W, M = "done", "wrong", "missing"
HELPER = {
    "mse": f"def helper(x):\n    return x.mean()\n\n{RIGHT['mse']}",
    "centred": "def centred(x):\n    return x - helper(x.T.mean(1) * 0) - x.mean(dim=0)",
}
LATER = {
    "mse": "def mse(x, y):\n    return late((x - y) ** 2)",
    "centred": f"def late(x):\n    return x.mean()\n\n{RIGHT['centred']}",
}
IMPORTED = {
    "mse": f"import torch.nn.functional as F\n\n{RIGHT['mse']}",
    "centred": "def centred(x):\n    return x - F.relu(x).mean(dim=0)",
}
SUM = {"mse": "def mse(x, y):\n    return ((x - y) ** 2).sum()"}
ONE = "def _over(x):\n    return x.mean()\n\ndef mse(x, y):\n    return _over((x - y) ** 2)"
ALL = "def _over(x):\n    return x.mean(dim=0)\n\ndef centred(x):\n    return x - _over(x)"
IN_PLACE = "def mse(x, y):\n    x -= y\n    x *= x\n    return x."


def _returns(centred: str, mse: str = "((x - y) ** 2).mean()") -> Answers:
    more = "import numpy\nfrom fractions import Fraction\n\n"
    return {"mse": f"{more}def mse(x, y):\n    return {mse}", "centred": f"def centred(x):\n    return {centred}"}


STATES = {
    "without gradients": "torch.set_grad_enabled(False)",
    "in inference mode": "torch.inference_mode().__enter__()",
    "in double precision": "torch.set_default_dtype(torch.float64)",
    "with deterministic algorithms": "torch.use_deterministic_algorithms(True)\ntorch.set_num_threads(2)",
    "with errors of numpy": "import numpy\nnumpy.seterr(all='raise')",
    "with warnings as errors": "import warnings\nwarnings.simplefilter('error')",
    "with another seed": "torch.manual_seed = lambda seed: None\nimport random\nrandom.seed = print",
    "in half precision": "torch.autocast('cpu').__enter__()",
}  # what an own cell may leave behind
MATRICES = {
    "mse": "def mse(x, y):\n    w = nn.Parameter(torch.eye(7))\n    ((x - y) @ w).square().mean().backward()\n"
    "    return torch.tensor(float(w.grad.trace()) / 2)",
    "centred": "def centred(x):\n    return x - (torch.ones(1, len(x)) @ x)[0] / len(x)",
}  # they need gradients, and the usual precision


# {what: (answers, what happens to the cells, states of mse and centred)}
ODD: dict[str, tuple[Answers, Callable[[Cells], Any], tuple[str, str]]] = {
    "right": (RIGHT, lambda made: None, (D, D)),
    "untouched": ({}, lambda made: None, (M, M)),
    "one right": ({"mse": RIGHT["mse"]}, lambda made: None, (D, M)),
    "a usual mistake": (RIGHT | SUM, lambda made: None, (W, D)),
    "no Python": (RIGHT | {"mse": "def mse(x, y)\n    return x"}, lambda made: None, (W, D)),
    "an error": (RIGHT | {"centred": "def centred(x):\n    return 1 / 0"}, lambda made: None, (D, W)),
    "a list of tensors": (_returns("[row - x.mean(dim=0) for row in x]"), lambda made: None, (D, D)),
    "lists of numbers": (_returns("(x - x.mean(dim=0)).tolist()"), lambda made: None, (D, D)),
    "tuples of lists of tensors": (_returns("tuple([*row] for row in x - x.mean(dim=0))"), lambda made: None, (D, D)),
    "a list of too few": (_returns("[row - x.mean(dim=0) for row in x[1:]]"), lambda made: None, (D, W)),
    "a tuple of one": (_returns("(x - x.mean(dim=0),)", "[((x - y) ** 2).mean()]"), lambda made: None, (W, W)),
    "a list of unequal rows": (_returns("[x[0], x[1, :3]]"), lambda made: None, (D, W)),
    "an empty list": (_returns("[]", "()"), lambda made: None, (W, W)),
    "a fraction": (_returns("x - x.mean(dim=0)", "Fraction(((x - y) ** 2).mean().item())"), lambda made: None, (D, D)),
    "arrays": (_returns("(x - x.mean(dim=0)).numpy()", "numpy.mean((x - y).numpy() ** 2)"), lambda made: None, (D, D)),
    "complex numbers": (_returns("x - x.mean(dim=0) + 1j * x", "((x - y) ** 2).mean() + 0j"), lambda _: None, (W, W)),
    "text": (_returns("x - x.mean(dim=0)", "str(((x - y) ** 2).mean().item())"), lambda made: None, (W, D)),
    "in place": (RIGHT | {"mse": f"{IN_PLACE}mean()"}, lambda made: None, (D, D)),
    "in place and wrong": (RIGHT | {"mse": f"{IN_PLACE}sum()"}, lambda made: None, (W, D)),
    "two private helpers of one name": ({"mse": ONE, "centred": ALL}, lambda made: None, (D, D)),
    "two helpers of one name": (
        {"mse": ONE.replace("_over", "over"), "centred": ALL.replace("_over", "over")}, lambda made: None, (D, D)
    ),
    "another name": (RIGHT | {"mse": "def MSE(x, y):\n    return ((x - y) ** 2).mean()"}, lambda made: None, (W, D)),
    "not implemented": (RIGHT | {"mse": "def mse(x, y):\n    raise NotImplementedError"}, lambda made: None, (M, D)),
    "a helper of an earlier answer": (HELPER, lambda made: None, (D, D)),
    "a helper of a later answer": (LATER, lambda made: None, (D, D)),
    "an import of an earlier answer": (IMPORTED, lambda made: None, (D, D)),
    "a helper where the earlier answer is wrong": (HELPER | {"mse": f"{HELPER['mse']} * 2"}, lambda made: None, (W, D)),
    "text under the placeholder": (RIGHT | {"words": f"{TEXT_STUB}\n\nBecause."}, lambda made: None, (D, D)),
    "the answer's mark lost": (RIGHT, _lose("mse"), (D, D)),
    "a stub's mark lost": ({"centred": RIGHT["centred"]}, _lose("mse"), (M, D)),
    "the check's mark lost": (RIGHT, _lose("test_mse"), (D, D)),
    "the imports' mark lost": (RIGHT, _lose("imports"), (D, D)),
    "the answer's cell deleted": (RIGHT, _delete("mse"), (M, D)),
    "the check deleted": (RIGHT, _delete("test_centred"), (D, D)),
    "the imports deleted": (
        {"mse": f"import torch\n{RIGHT['mse']}", "centred": RIGHT["centred"]}, _delete("imports"), (D, D)
    ),
    "the imports deleted, and needed": (RIGHT, _delete("imports"), (D, D)),
    "written anew in an own cell": (
        RIGHT, lambda made: (_lose("mse")(made), made[2].update(source=f"# mine\n{RIGHT['mse']}")), (D, D)
    ),
    "turned into text without its mark": (
        RIGHT, lambda made: (_lose("mse")(made), made[2].update(cell_type="markdown")), (M, D)
    ),
    "a copy of the stub at the end": (RIGHT, _put(_end, code(STUBS["mse"])), (D, D)),
    "a copy of the stub below": (RIGHT, _put(lambda made: place(made, "test_mse"), code(STUBS["mse"])), (D, D)),
    "answered in a cell below": ({}, _put(lambda made: place(made, "test_mse"), code(RIGHT["mse"])), (D, M)),
    "spoilt at the end": (RIGHT, _put(_end, code("def mse(x, y):\n    return x.sum()")), (W, D)),
    "mended at the end": (SUM | {"centred": RIGHT["centred"]}, _put(_end, code(RIGHT["mse"])), (D, D)),
    "an own cell that stops": ({"mse": RIGHT["mse"]}, _put(lambda made: 2, code("1 / 0")), (D, M)),
    "an own cell that exits": (RIGHT, _put(lambda made: 2, code("raise SystemExit")), (D, D)),
    "an own cell that kills": (RIGHT, _put(lambda made: 2, code("import os\nos._exit(3)")), (D, D)),
    "magics": (RIGHT, _put(lambda made: 2, code("%matplotlib inline\n!ls\n%time 1")), (D, D)),
    "the answer turned into text": (RIGHT, _at("mse", lambda c: c.update(cell_type="markdown")), (D, D)),
    "the check turned into text": (RIGHT, _at("test_mse", lambda c: c.update(cell_type="markdown")), (D, D)),
    "the check of a stub turned into text": ({}, _at("test_mse", lambda c: c.update(cell_type="markdown")), (M, M)),
    "the answer twice": (RIGHT, _twice("mse"), (D, D)),
    "the check twice": (RIGHT, _twice("test_mse"), (D, D)),
    "a stub, copied and filled": ({}, lambda made: (_twice("mse")(made), made[3].update(source=RIGHT["mse"])), (D, M)),
    "nbgrader is true": (RIGHT, lambda made: made[0]["metadata"].update(nbgrader=True), (D, D)),
    "points are null": (RIGHT, _at("test_mse", lambda c: c["metadata"]["nbgrader"].update(points=None)), (D, D)),
    "points are words": (RIGHT, _at("test_mse", lambda c: c["metadata"]["nbgrader"].update(points="two")), (D, D)),
    "no metadata in a cell": (RIGHT, lambda made: made[0].pop("metadata"), (D, D)),
    "no outputs": (RIGHT, lambda made: [c.pop("outputs", None) for c in made], (D, D)),
    "line ends of Windows": (RIGHT, _crlf, (D, D)),
    "sources in lines": (RIGHT, _lines, (D, D)),
    "cells' ids of another kind": (RIGHT, _without_ids, (D, D)),
    **{
        state: (MATRICES, _put(lambda made: place(made, "imports") + 1, code(source)), (D, D))
        for state, source in STATES.items()
    },
    "all moved": (RIGHT, lambda made: made.reverse(), (D, D)),
}  # fmt: skip
FILES: dict[str, dict[str, Any]] = {  # what may stand round the cells; the answers are right
    "another kernel": {"metadata": {"kernelspec": {"name": "conda-env-ae-py", "display_name": "ae"}}},
    "a kernel of R": {"metadata": {"kernelspec": {"name": "ir", "language": "R"}}},
    "odd metadata": {"metadata": [1, 2]},
    "an older format": {"nbformat_minor": 2},
    "a newer format": {"nbformat_minor": 99},
    "widgets": {"metadata": {"widgets": {"application/x": {"state": 7}}}},
}


def odd(name: str) -> tuple[bytes, tuple[str, str]]:
    """An odd notebook, and the states of its parts mse and centred."""
    if name in FILES:
        return written(cells(RIGHT), **FILES[name]), (D, D)
    if name == "a byte-order mark":
        return b"\xef\xbb\xbf" + written(cells(RIGHT)), (D, D)
    answers, change, states = ODD[name]
    made = cells(answers)
    change(made)
    return written(made), states


NAMES = [*ODD, *FILES, "a byte-order mark"]


def by_chance(seed: int) -> bytes:
    """A notebook to which several odd things happened, one after another."""
    chance = random.Random(seed)
    answers = dict(chance.choice([RIGHT, {}, RIGHT | SUM, HELPER, LATER, IMPORTED, {"centred": RIGHT["centred"]}]))
    made = cells(answers)
    order = list(ODD)
    for name in chance.sample(order, 3):
        try:
            ODD[name][1](made)
        except (StopIteration, IndexError, KeyError, AttributeError, TypeError):
            continue  # what should change is gone already
    return written(made, **chance.choice([{}, *FILES.values()]))
