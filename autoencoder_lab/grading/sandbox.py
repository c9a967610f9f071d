"""A sandbox for untrusted notebooks: bubblewrap around a warm worker, one fork of it for each job. Linux only.

    with Sandbox() as sandbox:
        answer = sandbox.run(Job(cells=["a = 2"], probes={"a": Probe("def probe(names): return {'a': names['a']}")}))
        answer.probes["a"].arrays["a"]

What a job can see: the interpreter and the course's packages, read-only, and its own empty /submission; nothing else.
The package's checks hold the labs' answers: a stub stands in their place (inside/checks).
No network, no other process, few system calls, limits on memory, processor and wall time, processes, files and output.
Nothing that is the host's can be written to; what was started as root becomes an ordinary user first.
"""

import base64
import builtins
import io
import json
import math
import os
import re
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np

from autoencoder_lab.grading.control_group import ControlGroup
from autoencoder_lab.grading.inside import system_calls
from autoencoder_lab.grading.walls import MEND, SandboxError, Worker, bare_command, command
from autoencoder_lab.protocol import CELL_SECONDS, RUN_SECONDS

MOST_ITEMS = 2_000_000  # of an answer's JSON
MOST_TEXT = 10_000  # characters of one text
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)  # of terminals
Arrays = dict[str, np.ndarray[Any, Any]]
Isolation = Literal["bwrap", "none"]


@dataclass(frozen=True)
class Limits:
    """What one job may use: seconds of processor time, bytes of memory, …

    cpu: for all of a job together, whatever else the machine does; time in which all of it sleeps counts too. cell: for
    each cell and each probe that does not train. wall: of the clock, ten times cpu if not said: it only ends what cpu
    does not see. See inside/clocks.py.
    """

    wall: float = 0.0
    cpu: float = RUN_SECONDS
    cell: float = CELL_SECONDS
    memory: int = 2 << 30
    file_size: int = 64 << 20
    open_files: int = 256
    processes: int = 64
    output: int = 20_000  # characters a cell
    result: int = 32 << 20

    def __post_init__(self) -> None:
        if not self.wall:
            object.__setattr__(self, "wall", 10.0 * self.cpu)

    def described(self) -> dict[str, Any]:
        """As inside/server.py takes it."""
        resources = {
            "DATA": self.memory,
            "CPU": math.ceil(self.cpu) + 30,  # of each process, should nobody be there to count
            "FSIZE": self.file_size,
            "NOFILE": self.open_files,
            "NPROC": self.processes,
            "CORE": 0,
        }
        described = {
            "wall": self.wall,
            "cpu": self.cpu,
            "cell": self.cell,
            "output": self.output,
            "result": self.result,
            "memory": self.as_a_whole,
        }
        return described | {"resources": resources}

    @property
    def as_a_whole(self) -> int:
        """Bytes for all processes of a job together: what one may have, and its two folders in memory."""
        return self.memory + (512 << 20)


@dataclass(frozen=True)
class Probe:
    """source: Python text that defines probe(names, **inputs) → {name: array}; names: what the cells left behind."""

    source: str
    inputs: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """Cells to run in order, then probes. files: {name: bytes} that stand in the working folder.

    long: which of these steps, counted from 0, cells first, may take limits.cpu alone, since they train.
    """

    cells: Sequence[str]
    probes: Mapping[str, Probe] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    limits: Limits = Limits()
    long: Sequence[int] = ()


@dataclass(frozen=True)
class Cell:
    """What became of one cell; output holds the beginning of what it printed."""

    ok: bool
    error: str
    output: str


@dataclass(frozen=True)
class Probed:
    """arrays of plain numbers, or the error that kept the probe from them. Claims of an untrusted process.

    error: a kind that Python knows and a line of the student's own, no words: they could hold what the probe asked.
    """

    arrays: Arrays
    error: str = ""


@dataclass(frozen=True)
class Answer:
    """failed: "" or why there are no probes: "time", "memory", "result" (too large), "died", or what the sandbox says.

    cells may be there nevertheless: what became of them was reported before the probes were asked.
    at: the step that ran last, counted from 0, cells first; took: seconds of processor time, or asleep, of each step.
    The job says when a step begins: what was measured before it did so is true.
    """

    cells: list[Cell] = field(default_factory=list)
    probes: dict[str, Probed] = field(default_factory=dict)
    failed: str = ""
    seconds: float = 0.0
    at: int = -1
    took: Sequence[float] = ()


class Sandbox:
    """One warm worker; jobs run one after another, each in a fork of its own. Use it as a context manager.

    library: the folder of the package as the jobs see it; None for this one. isolation="none" runs jobs as ordinary
    processes of this user, with limits but without walls: for notebooks one would run by hand. Raises SandboxError
    where bubblewrap is missing or may not make namespaces, and where isolation does not hold.
    """

    def __init__(self, library: Path | None = None, isolation: Isolation = "bwrap") -> None:
        self.library = Path(__file__).parents[1] if library is None else library
        self.isolation = isolation
        self._group = ControlGroup.make() if isolation == "bwrap" else None
        self._worker = self._start()
        if isolation == "bwrap":
            self.prove()

    @property
    def bounds(self) -> str:
        """One line: what bounds a submission as a whole, beside each of its processes."""
        if self.isolation != "bwrap":
            return "Bounded for each process of a submission: memory, processor time, files. For the whole: wall time."
        calls = "" if system_calls.program(os.uname().machine, job=True) else " System calls are not filtered here."
        if self._group is None:
            return f"Bounded for a submission as a whole: processes, time, its end; memory is {WATCHED}.{calls}"
        return f"Bounded for a submission as a whole (control group): memory, processes, time, its end.{calls}"

    def run(self, job: Job) -> Answer:
        """Run one job; whatever it does, an Answer comes back. The worker is started anew where a job killed it."""
        started = time.monotonic()
        cells = {
            "cells": list(job.cells),
            "files": {name: base64.b64encode(content).decode() for name, content in job.files.items()},
            "limits": job.limits.described() | {"long": list(job.long)},
        }
        probes = {
            name: {"source": probe.source, "inputs": {key: _packed(a) for key, a in probe.inputs.items()}}
            for name, probe in job.probes.items()
        }
        if self._group:
            self._group.allow(job.limits.as_a_whole, job.limits.processes + 3)  # three that are not the student's
        deadline = started + job.limits.wall + 15
        try:
            received = self._worker.exchange(json.dumps(cells).encode(), json.dumps(probes).encode(), deadline)
        except (OSError, EOFError) as error:
            self._worker.close()
            self._worker = self._start()
            answer = Answer(failed=f"the sandbox: {type(error).__name__}: {error}")
        else:
            try:
                answer = _unpacked(received, job)
            except ValueError as error:
                answer = Answer(failed=f"the answer: {error}"[:500])
        if self._group and self._group.ended() and answer.failed:
            answer = replace(answer, failed="memory")
        return replace(answer, seconds=time.monotonic() - started)

    def prove(self) -> None:
        """Try to reach the network, a file and a process of the host, and to open what is its own for writing.

        Nothing is written. SandboxError if one of them answers.
        """
        with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.NamedTemporaryFile() as secret:
            secret.write(b"secret")
            secret.flush()
            Path(secret.name).chmod(0o644)
            host = {"port": listener.getsockname()[1], "pid": os.getpid()}
            inputs = {name: np.array(value) for name, value in host.items()} | {"path": np.array(secret.name)}
            job = Job([], {"reach": Probe(REACH, inputs)})
            answer = self.run(job)
            if self._group and answer.failed.startswith("the sandbox"):  # an old kernel lets none of its user's into it
                self.close()
                self._group, self._worker = None, Worker(command(self.library), True, None)
                answer = self.run(job)
        probed = answer.probes.get("reach", Probed({}, answer.failed))
        if probed.error or not {"network", "file", "process", "writing"} <= probed.arrays.keys():
            self.close()
            raise SandboxError(f"the sandbox does not run a job: {probed.error or 'no answer'}. {MEND}")
        reached = [name for name in ("network", "file", "process") if bool(probed.arrays[name])]
        if wrote := str(probed.arrays["writing"]):
            self.close()
            raise SandboxError(f"the sandbox leaks: from inside, {wrote[:300]} could be opened for writing")
        if reached:
            self.close()
            raise SandboxError(
                f"the sandbox leaks: from inside, a {' and a '.join(reached)} of this machine was reached"
            )

    def close(self) -> None:
        """End the worker and everything in it."""
        self._worker.close()
        if self._group:
            self._group.close()

    def _start(self) -> Worker:
        walls = self.isolation == "bwrap"
        return Worker(command(self.library) if walls else bare_command(), walls, self._group)

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


WATCHED = "watched, four times a second (no control group: systemd-run --user --scope -p Delegate=yes gives one)"

REACH = """
def probe(names, port, pid, path):
    import os, pathlib, socket
    def writable(place):
        try:
            os.close(os.open(place, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY))
        except OSError:
            return False
        return True
    places = [os.path.join(folder, name) for top in ("/proc/sys", "/proc/1", "/proc/self")
              for folder, _, files in os.walk(top) for name in files
              if not {"fd", "map_files"} & set(folder.split("/"))]
    places += [f"/proc/{name}" for name in os.listdir("/proc") if os.path.isfile(f"/proc/{name}")]
    shown = [folder for folder in ("/", "/usr", "/library", "/inside", "/dev") if os.access(folder, os.W_OK)]
    def reached(attempt):
        try:
            attempt()
        except OSError:
            return 0
        return 1
    return {
        "network": reached(lambda: socket.create_connection(("127.0.0.1", int(port)), timeout=2).close()),
        "file": reached(lambda: pathlib.Path(str(path)).read_bytes()),
        "process": reached(lambda: os.kill(int(pid), 0)) if int(pid) > 8 else 0,
        "writing": " ".join([*filter(writable, places), *shown][:5]),
    }
"""


def _packed(array: np.ndarray[Any, Any]) -> str:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=False)
    return base64.b64encode(buffer.getvalue()).decode()


def _unpacked(body: bytes, job: Job) -> Answer:
    """Read an answer as what it is: data from an untrusted process. Raises ValueError for anything out of form."""
    try:
        if sum(map(body.count, b"[{,")) > MOST_ITEMS:  # each would be an object of many times its length
            raise ValueError("too many items")
        line, rest = body.split(b"\n", 1)
        word, at, *took = line.decode().split() or ["-", "-1"]
        reason = "" if word == "-" else word
        size = 8 + int.from_bytes(rest[:8], "big")
        reported = json.loads(rest[8:size] or b'{"cells": []}')
        probed = json.loads(rest[size:] or b'{"probes": {}}')
        failed = reason or next((_plain(o["failed"], 500) for o in (reported, probed) if "failed" in o), "")
        cells = [
            Cell(bool(c["ok"]), _plain(c["error"], 500), _plain(c["output"], 50_000))
            for c in ([] if "failed" in reported else reported["cells"])
        ]
        given = {} if failed else {_plain(name, 200): one for name, one in probed["probes"].items()}
        probed_ = {name: _probed(one, job, name) for name, one in given.items()}
        return Answer(cells, probed_, failed, at=int(at), took=[float(seconds) for seconds in took])
    except Exception as error:  # whatever the parsers may raise for a text that was made to break them
        raise ValueError(f"out of form: {type(error).__name__}: {error}"[:300]) from error


def _plain(text: Any, most: int) -> str:
    """Text that any file, terminal and database can hold: no control characters, no half of a surrogate pair."""
    kept = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", ESCAPES.sub("", str(text)[: 2 * most]))
    return kept.encode("utf-8", "replace").decode()[:most]


def _probed(given: dict[str, Any], job: Job, name: str) -> Probed:
    if "error" in given:
        return Probed({}, _stopped(given["error"], job, name))
    return Probed({_plain(name, 200): _array(base64.b64decode(text)) for name, text in given["arrays"].items()})


def _stopped(error: dict[str, Any], job: Job, name: str) -> str:
    """How a probe stopped, in words of ours and the student's own line.

    Any word of the process's own could be one that it was asked. A name that the probe looks up is none: it stands in
    the probe's text, which is the same for everybody.
    """
    kind, cell, line, key = error["kind"], int(error["cell"]), int(error["line"]), str(error["key"])
    known = getattr(builtins, kind if isinstance(kind, str) else "", None)
    said = kind if isinstance(known, type) and issubclass(known, BaseException) else "Exception"
    probe = job.probes.get(name)
    if (
        said == "KeyError"
        and re.fullmatch(r"'\w{1,60}'", key)
        and probe
        and re.search(f"[\"']{key[1:-1]}[\"']", probe.source)
    ):
        return f"KeyError: {key}"
    if 0 <= cell < len(job.cells) and 0 < line <= len(lines := job.cells[cell].split("\n")):
        return f"{said} in line {line} of a cell: {_plain(lines[line - 1].strip(), 100)}"
    return said


def _array(content: bytes) -> np.ndarray[Any, Any]:
    """The array of an .npy file, numbers or text alone; its stated size must be that of the file."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array is not in version 1.0 of .npy")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    rest = content[file.tell() :]
    if dtype.kind not in "biufU" or dtype.hasobject or dtype.itemsize == 0:
        raise ValueError(f"an array of {dtype} is none of numbers or text")
    if dtype.itemsize > (8 if dtype.kind in "biuf" else 4 * MOST_TEXT):  # long doubles: whole numbers of 4,900 digits
        raise ValueError(f"an array of {dtype} is wider than any that a lab asks for")
    if len(shape) > 8 or (0 in shape and sum(shape) > 10_000):  # a shape is shown: it could hold a message
        raise ValueError(f"an array of {len(shape)} axes is none that a lab asks for")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(rest):
        raise ValueError(f"an array of shape {shape} is not whole")
    return np.frombuffer(rest, dtype).reshape(shape, order="F" if fortran_order else "C")
