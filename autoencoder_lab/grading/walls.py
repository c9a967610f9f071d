"""The walls of the sandbox: the bubblewrap command, its user, its system calls, and the process behind them."""

import os
import select
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from autoencoder_lab.grading.control_group import ControlGroup
from autoencoder_lab.grading.inside import system_calls

INSIDE = Path(__file__).parent / "inside"


class SandboxError(RuntimeError):
    """The sandbox cannot be had, or does not hold; the message says what to do."""


MEND = (
    "Install bubblewrap (apt-get install bubblewrap); on Ubuntu 24.04 and later also allow it user namespaces: sysctl "
    "kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for bwrap; in a container, start it with "
    "--security-opt seccomp=unconfined"
)


class Worker:
    """The process that runs jobs, and its pipes. Raises SandboxError where it does not start.

    command_line: what starts inside/server.py, within walls or without. group: what counts a job as a whole, if any.
    """

    def __init__(self, command_line: list[str], walls: bool, group: ControlGroup | None) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - without a name: nothing of it is left, whatever ends this process
        handed, user = list(group.descriptors) if group else [], ordinary_user() if walls else None
        if walls and (code := system_calls.program(os.uname().machine, job=False)):
            reading, writing = os.pipe()
            os.write(writing, code)  # less than a pipe holds
            os.close(writing)
            handed.append(reading)
            command_line = [command_line[0], "--seccomp", str(reading), *command_line[1:]]
        command_line = [*command_line, *map(str, group.descriptors if group else [])]
        if group and group.counter is not None:
            handed.append(group.counter)
            command_line.append(f"--cpu={group.counter}")
        if user is not None:
            command_line = [
                sys.executable,
                "-I",
                "-S",
                str(Path(__file__).with_name("step_down.py")),
                str(user),
                *command_line,
            ]
        self._process = subprocess.Popen(
            command_line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            bufsize=0,
            pass_fds=handed,
            cwd="/" if walls else None,
        )
        if walls and code:
            os.close(reading)
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        try:
            ready = self._read(1, time.monotonic() + 600)  # beside ten busy processes
        except (EOFError, TimeoutError) as error:
            self._log.seek(0)
            text = self._log.read()[-500:].decode(errors="replace").strip()
            self.close()
            who = f" Started as root, it runs as user {user}, who must be able to read {sys.prefix}." if user else ""
            raise SandboxError(f"bubblewrap did not start a worker: {text or error}.{who} {MEND}") from None
        assert ready == b"R"

    def exchange(self, cells: bytes, probes: bytes, deadline: float) -> bytes:
        """Send a job and wait for its answer until `deadline`, a time of time.monotonic().

        Raises TimeoutError, EOFError where the worker is gone, or another OSError of its pipes.
        """
        assert self._process.stdin is not None
        view = memoryview(b"J" + b"".join(len(part).to_bytes(8, "big") + part for part in (cells, probes)))
        while view:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([], [self._process.stdin], [], left)[1]:
                raise TimeoutError("the worker takes no job")
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
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            assert pipe is not None
            pipe.close()


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
    # the worker itself is the first process of the sandbox, so that it can shut what /proc shows of that one
    arguments += ["--as-pid-1", "--new-session", "--cap-drop", "ALL", "--clearenv", "--hostname", "sandbox"]
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


def ordinary_user() -> int | None:
    """The user that the sandbox becomes where this process is root; None for one who is none, or has no other.

    One for each process that starts a sandbox, in the range that systemd gives to users of a moment, or else the
    largest number there is: in a container there may be few.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    lines = Path("/proc/self/uid_map").read_text(encoding="utf-8").splitlines()
    ranges = [(int(first), int(first) + int(count) - 1) for first, _, count in map(str.split, lines)]
    wanted = 61184 + os.getpid() % 4096
    if any(first <= wanted <= last for first, last in ranges):
        return wanted
    return max(last for _, last in ranges) or None


def bare_command() -> list[str]:
    """The same worker without walls; jobs run in temporary folders of this user."""
    return [sys.executable, str(INSIDE / "server.py"), "--no-walls"]
