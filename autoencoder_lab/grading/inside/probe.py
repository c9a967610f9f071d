"""The untrusted side of a job: run the notebook's cells, then the lab's probes, and answer with plain arrays.

A student's code may have changed anything in this process by the time a probe runs. So nothing here decides a mark:
what comes back is data, which the judge outside takes for a claim and measures again.
"""

import base64
import contextlib
import io
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


class _Capped(io.TextIOBase):
    """Keeps the beginning of what is printed, however much that is."""

    def __init__(self, most: int) -> None:
        self.kept: list[str] = []
        self.left = most

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        if self.left > 0:
            self.kept.append(text[: self.left])
            self.left -= len(text)
        return len(text)

    def text(self) -> str:
        return "".join(self.kept) + ("\n… cut off" if self.left < 0 else "")


def run_cells(job: dict[str, Any], begin: Callable[[], None]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The names that the cells leave behind, and what became of each: {"ok", "error", "output"}.

    job: cells, a list of sources; files, {name: base64} put into /submission. begin: called before each cell.
    """
    for name, content in job["files"].items():
        Path(Path(name).name).write_bytes(base64.b64decode(content))
    sys.path.insert(0, str(Path.cwd()))
    SEEDS.extend((place, name, getattr(place, name)) for place, names in _draws() for name in names)
    return _run_cells(job["cells"], job["limits"]["output"], begin)


def answer(names: dict[str, Any], probes: dict[str, Any], begin: Callable[[], None]) -> dict[str, Any]:
    """{name: {"arrays": {…}} or {"error": …}} of the probes, {name: {"source", "inputs"}}.

    source defines probe(names, **inputs), and inputs are base64 of .npy. begin: called before each probe.
    """
    answers = {}
    for name, given in probes.items():
        begin()
        answers[name] = _probe(names, given)
    return answers


SEEDS: list[tuple[Any, str, Any]] = []  # what draws by chance: where it stands, and what it was before any cell


def _draws() -> list[tuple[Any, tuple[str, ...]]]:
    import random

    import numpy as np
    import torch

    drawn = ("manual_seed", "seed", "Generator", "rand", "randn", "randint", "randperm", "multinomial")
    return [(torch, drawn), (torch.random, drawn[:2]), (np.random, ("seed", "default_rng")), (random, ("seed",))]


@contextlib.contextmanager
def _as_at_first() -> Iterator[None]:
    """Torch, numpy and Python as they are in a new process, for the time of a probe, whatever the cells have set."""
    import warnings

    import numpy as np
    import torch

    for place, name, first in SEEDS:
        setattr(place, name, first)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(1)
    torch.set_flush_denormal(False)
    torch.autograd.set_detect_anomaly(False)
    np.seterr(divide="warn", over="warn", under="ignore", invalid="warn")
    sys.setrecursionlimit(max(3000, sys.getrecursionlimit()))
    plain = torch.autocast("cpu", enabled=False)
    with torch.inference_mode(False), torch.enable_grad(), plain, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def shell() -> Any:
    """The IPython that runs the cells; made once by the server, before any job, so that no fork pays for it.

    Without a history: that would be a file, and a thread that does not survive a fork.
    """
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Shell(InteractiveShell):
        def enable_gui(self, gui: Any = None) -> None:
            """For %matplotlib: there is no window to open."""

    if not InteractiveShell.initialized():
        Shell.instance(colors="nocolor", config=Config({"HistoryManager": {"enabled": False}}))
    return InteractiveShell.instance()


def _run_cells(sources: list[str], most: int, begin: Callable[[], None]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    ipython, done = shell(), []
    for number, source in enumerate(sources):
        begin()
        ipython.compile.get_code_name = lambda *_, name=f"<cell {number}>": name  # what stops in it is found by it
        printed = _Capped(most)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                result = ipython.run_cell(source, store_history=False)
                error = result.error_before_exec or result.error_in_exec
            except BaseException as raised:  # SystemExit too: the next cell runs all the same, as in a notebook
                error = raised
        done.append({"ok": error is None, "error": _said(error), "output": printed.text()})
    return ipython.user_ns, done


def _said(error: Any) -> str:
    if error is None:
        return ""
    try:
        return f"{type(error).__name__}: {error}"[:500]
    except BaseException:  # a student's exception may refuse to be printed
        return "an exception that cannot be printed"


def _probe(names: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    printed = _Capped(0)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), _as_at_first():
            inputs = {
                key: np.load(io.BytesIO(base64.b64decode(value)), allow_pickle=False)
                for key, value in given["inputs"].items()
            }
            place: dict[str, Any] = {}
            exec(given["source"], place)
            arrays = {}
            for key, value in place["probe"](names, **inputs).items():
                buffer = io.BytesIO()
                np.save(buffer, np.asarray(value), allow_pickle=False)
                arrays[key] = base64.b64encode(buffer.getvalue()).decode()
        return {"arrays": arrays}
    except BaseException as error:
        return {"error": _where(error)}


def _where(error: BaseException) -> dict[str, Any]:
    """The kind of an error and its place in the student's cells: its words may hold what the probe asked."""
    kind = next((one.__name__ for one in type(error).__mro__ if one.__module__ == "builtins"), "Exception")
    place, trace = (-1, 0), error.__traceback__
    while trace is not None:
        if found := re.fullmatch(r"<cell (\d+)>", trace.tb_frame.f_code.co_filename):
            place = int(found[1]), trace.tb_lineno
        trace = trace.tb_next
    return {"kind": kind, "cell": place[0], "line": place[1], "key": str(error)[:100] if kind == "KeyError" else ""}
