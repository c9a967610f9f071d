"""What the course adds to the start: of Python (`import autoencoder_lab`) and of JupyterLab (`make lab`, second time).

    python -m benchmarks startup [--short]

JupyterLab is started in turns by the course and by itself; it counts as ready when its server answers.
"""

import contextlib
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks import import_time
from benchmarks.table import Row

ROOT = Path(__file__).resolve().parent.parent


def measure(short: bool = False) -> list[Row]:
    """Both differences, in seconds."""
    rounds = 2 if short else 7
    torch_seconds, own_seconds = import_time.measure(rounds)
    text = f"import torch: {statistics.median(torch_seconds):.2f} s"
    rows = [Row("import autoencoder_lab, beyond torch", statistics.median(own_seconds), "s", 0.6, False, text, True)]
    with tempfile.TemporaryDirectory() as folder:
        course, command = Path(folder) / "my-course", _command(Path(folder) / "my-course")
        _until_ready(command)  # the first time lays the course out
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(_until_ready(command))
            theirs.append(_until_ready([sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={course}"]))
    name = "make lab" if command[0] == "make" else "autoencoder-lab open"
    text = f"{statistics.median(ours):.1f} and {statistics.median(theirs):.1f} s until the server answers"
    difference = statistics.median(a - b for a, b in zip(ours, theirs, strict=True))
    return [*rows, Row(f"{name}, the second time, beyond jupyter lab", difference, "s", 1.0, False, text, True)]


def _command(course: Path) -> list[str]:
    if (ROOT / ".venv" / "installed").exists() and shutil.which("make"):
        return ["make", "lab", f"ARGS=--dir={course} "]
    return [sys.executable, "-m", "autoencoder_lab.commands.cli", "open", f"--dir={course}"]


def _until_ready(command: list[str]) -> float:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["--no-browser", f"--port={port}", "--ServerApp.token=", "--ServerApp.port_retries=0"]
    if os.name == "posix" and os.getuid() == 0:
        arguments.append("--allow-root")
    joined = [*command[:-1], command[-1] + " ".join(arguments)]  # make takes them as one
    command = joined if command[0] == "make" else [*command, *arguments]
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said, start_new_session=True)
        try:
            while time.perf_counter() - started < 120:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5).close()
                    return time.perf_counter() - started
                if server.poll() is not None:
                    said.seek(0)
                    raise RuntimeError(f"{command} ended: {said.read().decode(errors='replace')[-500:]}")
                time.sleep(0.02)
            raise TimeoutError(f"{command} did not answer in two minutes")
        finally:
            if os.name == "posix":
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(server.pid, signal.SIGTERM)
            else:  # the course's command waits for JupyterLab there: both must end
                subprocess.run(["taskkill", "/T", "/F", "/PID", str(server.pid)], capture_output=True, check=False)
            server.wait(30)
