"""A sandbox for untrusted notebooks: bubblewrap around a warm worker, one fork of it for each job. Linux only.

    with Sandbox() as sandbox:
        answer = sandbox.run(Job(cells=["a = 2"], probes={"a": Probe("def probe(names): return {'a': names['a']}")}))
        answer.probes["a"].arrays["a"]

What a job can see: the interpreter and the course's packages, read-only, and its own empty /submission; nothing else.
The package's checks hold the labs' answers: a stub stands in their place (inside/checks).
No network, no other process, limits on memory, processor and wall time, processes, files and output.
"""

import base64
import io
import json
import math
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np

INSIDE = Path(__file__).parent / "inside"
MOST_ITEMS = 2_000_000  # of an answer's JSON
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)  # of terminals
Arrays = dict[str, np.ndarray[Any, Any]]
Isolation = Literal["bwrap", "none"]


class SandboxError(RuntimeError):
    """The sandbox cannot be had, or does not hold; the message says what to do."""


@dataclass(frozen=True)
class Limits:
    """What one job may use: seconds of wall clock and processor, bytes of memory, …"""

    wall: float = 30.0
    cpu: int = 60
    memory: int = 2 << 30
    file_size: int = 64 << 20
    open_files: int = 256
    processes: int = 64
    output: int = 20_000  # characters a cell
    result: int = 32 << 20

    def described(self) -> dict[str, Any]:
        """As inside/server.py takes it."""
        resources = {
            "DATA": self.memory,
            "CPU": self.cpu,
            "FSIZE": self.file_size,
            "NOFILE": self.open_files,
            "NPROC": self.processes,
            "CORE": 0,
        }
        return {"wall": self.wall, "output": self.output, "result": self.result, "resources": resources}


@dataclass(frozen=True)
class Probe:
    """source: Python text that defines probe(names, **inputs) → {name: array}; names: what the cells left behind."""

    source: str
    inputs: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """Cells to run in order, then probes. files: {name: bytes} that stand in the working folder."""

    cells: Sequence[str]
    probes: Mapping[str, Probe] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    limits: Limits = Limits()


@dataclass(frozen=True)
class Cell:
    """What became of one cell; output holds the beginning of what it printed."""

    ok: bool
    error: str
    output: str


@dataclass(frozen=True)
class Probed:
    """arrays of plain numbers, or the error that kept the probe from them. Claims of an untrusted process."""

    arrays: Arrays
    error: str = ""


@dataclass(frozen=True)
class Answer:
    """failed: "" or why there is nothing: "time", "result" (too large), "died", or what the sandbox says."""

    cells: list[Cell] = field(default_factory=list)
    probes: dict[str, Probed] = field(default_factory=dict)
    failed: str = ""
    seconds: float = 0.0


class _Worker:
    """The process that runs jobs, and its pipes. Raises SandboxError where it does not start.

    command_line: what starts inside/server.py, within walls or without.
    """

    def __init__(self, command_line: list[str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="autoencoder-lab-")
        log = Path(self._folder.name) / "server.log"
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command_line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0
            )
        try:
            ready = self._read(1, time.monotonic() + 120)
        except (EOFError, TimeoutError) as error:
            text = log.read_text(errors="replace")[-500:].strip()
            self.close()
            raise SandboxError(f"bubblewrap did not start a worker: {text or error}. {MEND}") from None
        assert ready == b"R"

    def exchange(self, body: bytes, deadline: float) -> bytes:
        """Send a job and wait for its answer until `deadline`, a time of time.monotonic().

        Raises TimeoutError, EOFError where the worker is gone, or another OSError of its pipes.
        """
        assert self._process.stdin is not None
        view = memoryview(b"J" + len(body).to_bytes(8, "big") + body)
        while view:
            view = view[self._process.stdin.write(view) or 0 :]
        return self._read(int.from_bytes(self._read(8, deadline), "big"), deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        received, pipe = bytearray(), self._process.stdout.fileno()
        while len(received) < size:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                raise TimeoutError("the worker does not answer")
            part = os.read(pipe, min(size - len(received), 1 << 20))
            if not part:
                raise EOFError("the worker is gone")
            received += part
        return bytes(received)

    def close(self) -> None:
        """End the process and everything in it; once is enough, twice does no harm."""
        self._process.kill()  # --die-with-parent: bubblewrap's end is that of all inside
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._folder.cleanup()


class Sandbox:
    """One warm worker; jobs run one after another, each in a fork of its own. Use it as a context manager.

    library: the folder of the package as the jobs see it; None for this one. isolation="none" runs jobs as ordinary
    processes of this user, with limits but without walls: for notebooks one would run by hand. Raises SandboxError
    where bubblewrap is missing or may not make namespaces, and where isolation does not hold.
    """

    def __init__(self, library: Path | None = None, isolation: Isolation = "bwrap") -> None:
        self.library = Path(__file__).parents[1] if library is None else library
        self.isolation = isolation
        self._worker = self._start()
        if isolation == "bwrap":
            self.prove()

    def run(self, job: Job) -> Answer:
        """Run one job; whatever it does, an Answer comes back. The worker is started anew where a job killed it."""
        started = time.monotonic()
        body = json.dumps(
            {
                "cells": list(job.cells),
                "probes": {
                    name: {"source": probe.source, "inputs": {key: _packed(a) for key, a in probe.inputs.items()}}
                    for name, probe in job.probes.items()
                },
                "files": {name: base64.b64encode(content).decode() for name, content in job.files.items()},
                "limits": job.limits.described(),
            }
        ).encode()
        try:
            received = self._worker.exchange(body, deadline=started + job.limits.wall + 15)
        except (OSError, EOFError) as error:
            self._worker.close()
            self._worker = self._start()
            answer = Answer(failed=f"the sandbox: {type(error).__name__}: {error}")
        else:
            try:
                answer = _unpacked(received)
            except ValueError as error:
                answer = Answer(failed=f"the answer: {error}"[:500])
        return Answer(answer.cells, answer.probes, answer.failed, time.monotonic() - started)

    def prove(self) -> None:
        """Try to reach the network, a file and a process of the host; SandboxError if one of them answers."""
        with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.NamedTemporaryFile() as secret:
            secret.write(b"secret")
            secret.flush()
            Path(secret.name).chmod(0o644)
            host = {"port": listener.getsockname()[1], "pid": os.getpid()}
            inputs = {name: np.array(value) for name, value in host.items()} | {"path": np.array(secret.name)}
            answer = self.run(Job([], {"reach": Probe(REACH, inputs)}))
        probed = answer.probes.get("reach", Probed({}, answer.failed))
        if probed.error or not {"network", "file", "process"} <= probed.arrays.keys():
            self.close()
            raise SandboxError(f"the sandbox does not run a job: {probed.error or 'no answer'}. {MEND}")
        reached = [name for name in ("network", "file", "process") if bool(probed.arrays[name])]
        if reached:
            self.close()
            raise SandboxError(
                f"the sandbox leaks: from inside, a {' and a '.join(reached)} of this machine was reached"
            )

    def close(self) -> None:
        """End the worker and everything in it."""
        self._worker.close()

    def _start(self) -> _Worker:
        return _Worker(command(self.library) if self.isolation == "bwrap" else bare_command())

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


MEND = (
    "Install bubblewrap (apt-get install bubblewrap); on Ubuntu 24.04 and later also allow it user namespaces: sysctl "
    "kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for bwrap; in a container, start it with "
    "--security-opt seccomp=unconfined"
)

REACH = """
def probe(names, port, pid, path):
    import os, pathlib, socket
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
    }
"""


def command(library: Path) -> list[str]:
    """The bubblewrap command of one worker: an allow-list of read-only folders, and nothing else."""
    bwrap = shutil.which("bwrap")
    if sys.platform != "linux" or bwrap is None:
        raise SandboxError(f"isolation needs Linux and bubblewrap, and there is no bwrap here. {MEND}")
    prefixes = {Path(sys.prefix), Path(sys.base_prefix), Path(sysconfig.get_path("purelib"))}
    # the package's folder holds the checks, that of a clone also labs, notebooks and tests. It may lie inside a folder
    # that is shown, as a wheel does in site-packages and a clone in the environment's src: it is hidden there
    home = library.parent if (library.parent / "pyproject.toml").is_file() else library
    if home in prefixes:
        raise SandboxError(f"the environment stands in {home}, as the labs' answers do; make it in a folder of its own")
    # what lies below a folder that is shown, or below /usr, is there with it, unless it is hidden with the package
    above = {*prefixes, Path("/usr")}
    shown = {p for p in prefixes if p.is_relative_to(home) or not any(q in p.parents for q in above)}
    arguments = [bwrap, "--unshare-user", "--uid", "1000", "--gid", "1000", "--unshare-all", "--die-with-parent"]
    arguments += ["--new-session", "--cap-drop", "ALL", "--clearenv", "--hostname", "sandbox"]
    arguments += ["--ro-bind", "/usr", "/usr", "--ro-bind-try", "/etc/alternatives", "/etc/alternatives"]
    arguments += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        if Path("/", name).is_symlink():
            arguments += ["--symlink", f"usr/{name}", f"/{name}"]
        elif Path("/", name).exists():
            arguments += ["--ro-bind", f"/{name}", f"/{name}"]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/submission"]
    hidden = {home} if any(home.is_relative_to(q) for q in above) else set()
    for folder in sorted(shown | hidden):  # what lies deeper comes later, and on top
        arguments += ["--tmpfs", str(folder)] if folder in hidden else ["--ro-bind", str(folder), str(folder)]
    arguments += ["--ro-bind", str(library), f"/library/{library.name}", "--ro-bind", str(INSIDE), "/inside"]
    if (library / "checks").is_dir():
        arguments += ["--ro-bind", str(INSIDE / "checks"), f"/library/{library.name}/checks"]
    if (library / "course").is_dir():  # a wheel's notebooks, solutions and all
        arguments += ["--tmpfs", f"/library/{library.name}/course"]
        hidden.add(Path("/library", library.name, "course"))
    for folder in sorted(hidden):
        arguments += ["--remount-ro", str(folder)]
    # no /tmp: it would be one more place to leave something for the next job, or hide an environment that stands there
    arguments += ["--remount-ro", "/dev", "--remount-ro", "/"]
    environment = {
        "HOME": "/submission",
        "TMPDIR": "/submission",
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONPATH": "/library",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": "/submission/.matplotlib",
        "IPYTHONDIR": "/submission/.ipython",
    }
    for name, value in environment.items():
        arguments += ["--setenv", name, value]
    return [*arguments, "--chdir", "/", "--", sys.executable, "/inside/server.py"]


def bare_command() -> list[str]:
    """The same worker without walls; jobs run in temporary folders of this user."""
    return [sys.executable, str(INSIDE / "server.py"), "--no-walls"]


def _packed(array: np.ndarray[Any, Any]) -> str:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=False)
    return base64.b64encode(buffer.getvalue()).decode()


def _unpacked(body: bytes) -> Answer:
    """Read an answer as what it is: data from an untrusted process. Raises ValueError for anything out of form."""
    try:
        if sum(map(body.count, b"[{,")) > MOST_ITEMS:  # each would be an object of many times its length
            raise ValueError("too many items")
        answer = json.loads(body)
        if "failed" in answer:
            return Answer(failed=_plain(answer["failed"], 500))
        cells = [Cell(bool(c["ok"]), _plain(c["error"], 500), _plain(c["output"], 50_000)) for c in answer["cells"]]
        return Answer(cells, {_plain(name, 200): _probed(given) for name, given in answer["probes"].items()})
    except Exception as error:  # whatever the parsers may raise for a text that was made to break them
        raise ValueError(f"out of form: {type(error).__name__}: {error}"[:300]) from error


def _plain(text: Any, most: int) -> str:
    """Text that any file, terminal and database can hold: no control characters, no half of a surrogate pair."""
    kept = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", ESCAPES.sub("", str(text)[: 2 * most]))
    return kept.encode("utf-8", "replace").decode()[:most]


def _probed(given: dict[str, Any]) -> Probed:
    if "error" in given:
        return Probed({}, _plain(given["error"], 500))
    return Probed({_plain(name, 200): _array(base64.b64decode(text)) for name, text in given["arrays"].items()})


def _array(content: bytes) -> np.ndarray[Any, Any]:
    """The array of an .npy file, numbers or text alone; its stated size must be that of the file."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array is not in version 1.0 of .npy")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    rest = content[file.tell() :]
    if dtype.kind not in "biufU" or dtype.hasobject or dtype.itemsize == 0:
        raise ValueError(f"an array of {dtype} is none of numbers or text")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(rest):
        raise ValueError(f"an array of shape {shape} is not whole")
    return np.frombuffer(rest, dtype).reshape(shape, order="F" if fortran_order else "C")
