"""What untrusted code can and cannot do from inside the sandbox."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from autoencoder_lab.grading import control_group
from autoencoder_lab.grading.control_group import ControlGroup
from autoencoder_lab.grading.inside import system_calls
from autoencoder_lab.grading.sandbox import (
    Answer,
    Job,
    Limits,
    Probe,
    Probed,
    Sandbox,
    SandboxError,
    _unpacked,
)

LOOK = "def probe(names): return {'seen': names['seen']}"


def run(sandbox: Sandbox, *cells: str, **settings: object) -> object:
    """What the cells leave in `seen`."""
    answer = sandbox.run(Job(cells, {"look": Probe(LOOK)}, **settings))  # type: ignore[arg-type]
    assert not answer.failed, answer.failed
    probed = answer.probes["look"]
    assert not probed.error, (probed.error, answer.cells)
    return probed.arrays["seen"].tolist()


def test_cells_run_in_order_and_probes_get_arrays(sandbox: Sandbox) -> None:
    double = Probe("def probe(names, x): return {'y': names['a'] * x, 'n': len(x)}", {"x": np.arange(3.0)})
    answer = sandbox.run(Job(["a = 1", "a += 1\nprint('a is', a)", "1 / 0", "%matplotlib inline"], {"double": double}))
    assert [cell.ok for cell in answer.cells] == [True, True, False, True]
    assert answer.cells[1].output == "a is 2\n" and "ZeroDivisionError" in answer.cells[2].error
    assert answer.probes["double"].arrays["y"].tolist() == [0, 2, 4] and answer.probes["double"].arrays["n"] == 3


def test_the_course_works_inside(sandbox: Sandbox) -> None:
    assert run(sandbox, "import autoencoder_lab as lab\nseen = len(lab.load('mnist-5k').train)") == 3500


def test_a_probe_that_fails_says_why_and_the_others_answer(sandbox: Sandbox) -> None:
    probes = {"a": Probe("def probe(names): return {'a': names['missing']}"), "b": Probe("def probe(names): return {}")}
    answer = sandbox.run(Job([], probes))
    assert answer.probes["a"].error == "KeyError: 'missing'" and not answer.probes["b"].error


def test_no_network(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepted: list[object] = []
        listener.settimeout(0.1)
        port = listener.getsockname()[1]
        seen = run(
            sandbox,
            f"""
import socket
seen = []
for host, port in (("127.0.0.1", {port}), ("localhost", {port}), ("1.1.1.1", 53), ("::1", {port})):
    try:
        socket.create_connection((host, port), timeout=1)
        seen.append(1)
    except OSError:
        seen.append(0)
""",
        )
        with contextlib.suppress(TimeoutError):
            accepted.append(listener.accept())
    assert seen == [0, 0, 0, 0] and not accepted


def test_host_files_are_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "gradebook.db"
    secret.write_text("100")
    secret.chmod(0o666)
    tmp_path.chmod(0o777)
    here = Path(__file__)
    places = [str(secret), str(here), "/etc/passwd", "/etc/shadow", str(Path.home() / ".ssh"), "/proc/1/environ"]
    seen = run(
        sandbox,
        f"""
import os
seen = []
for place in {places!r}:
    try:
        seen.append(len(open(place).read()) > 0)
    except OSError:
        seen.append(False)
try:
    open({str(secret)!r}, "w").write("0")
except OSError:
    pass
""",
    )
    assert seen == [False] * len(places) or seen == [False] * (len(places) - 1) + [True]
    assert secret.read_text() == "100"


def test_nothing_stays_for_the_next_job(sandbox: Sandbox) -> None:
    # written wherever it can be written, also through /proc to the places of other processes
    written = run(
        sandbox,
        """
import glob, os
seen = 0
places = {"/tmp", "/var/tmp", "/dev", "/dev/shm", "/dev/mqueue", "/run", "/submission", "/library", "/inside", "/"}
places |= {folder for folder, _, _ in os.walk("/") if folder.count("/") < 4 and not folder.startswith("/proc")}
places |= set(glob.glob("/proc/[0-9]*/cwd")) | set(glob.glob("/proc/[0-9]*/root/submission"))
for place in places:
    try:
        with open(os.path.join(place, "message"), "w") as file:
            file.write("from the first")
        seen += 1
    except OSError:
        pass
import builtins, torch
builtins.message = torch.message = "from the first"
""",
    )
    assert isinstance(written, int) and written >= 2  # its own folder, and shared memory of its own
    found = run(
        sandbox,
        """
import builtins, os, torch
seen = [hasattr(builtins, "message") or hasattr(torch, "message")]
for folder, _, files in os.walk("/"):
    if not folder.startswith("/proc") and "message" in files:
        seen.append(folder)
seen = len(seen) - 1 + seen[0]
""",
    )
    assert found == 0


def test_mounts_of_its_own_cannot_be_taken_away(sandbox: Sandbox) -> None:
    seen = run(
        sandbox,
        """
import ctypes
libc = ctypes.CDLL(None)
seen = [libc.umount2(place, 2) for place in (b"/submission", b"/dev/shm", b"/")]
libc.unshare(0x10000000 | 0x00020000)  # namespaces of its own: capabilities, but not over these mounts
seen += [libc.umount2(place, 2) for place in (b"/submission", b"/dev/shm", b"/")]
seen += [libc.mount(b"none", b"/", None, 0x20, None)]  # remount writable
""",
    )
    assert seen == [-1] * 7


def test_other_processes_are_not_even_seen(sandbox: Sandbox) -> None:
    # a /proc of its own, in which numbers begin at 1: how many processes an earlier job had is not to be read off it
    seen = run(sandbox, "import glob, os\nseen = [len(glob.glob('/proc/[0-9]*')), os.getpid(), os.getppid()]")
    assert seen == [2, 2, 1]
    for name in ("mem", "environ", "maps", "root", "fd"):
        opened = f"import os\ntry: seen = os.listdir('/proc/1/{name}') and 1 or os.open('/proc/1/{name}', os.O_RDONLY)"
        assert run(sandbox, f"{opened}\nexcept OSError: seen = -1") == -1, name


def test_killing_everything_kills_only_itself(sandbox: Sandbox) -> None:
    answer = sandbox.run(Job(["import os, signal\nos.kill(-1, signal.SIGKILL)"], {"look": Probe(LOOK)}))
    assert answer.failed in ("died", "") and "look" not in {k for k, p in answer.probes.items() if not p.error}
    assert run(sandbox, "seen = 1") == 1


def test_children_die_with_the_job(sandbox: Sandbox) -> None:
    mark = f"left-behind-{os.getpid()}"
    run(
        sandbox,
        f"""
import subprocess, sys
for _ in range(5):
    subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)", "{mark}"], start_new_session=True)
seen = 1
""",
    )
    alive = [path for path in Path("/proc").glob("[0-9]*/cmdline") if mark in _text(path)]
    assert not alive


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("cell", "failed"),
    [
        ("while True: pass", "time"),
        ("import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)", "time"),
        ("import os\nos._exit(0)", "died"),
        ("import os\nos.abort()", "died"),
        ("import ctypes\nctypes.string_at(0)", "died"),
    ],
)
def test_ends_badly_alone(sandbox: Sandbox, cell: str, failed: str) -> None:
    assert sandbox.run(Job([cell], limits=Limits(wall=3))).failed == failed
    assert run(sandbox, "seen = 1") == 1


def test_memory_files_and_output_are_limited(sandbox: Sandbox) -> None:
    answer = sandbox.run(
        Job(
            [
                "x = bytearray(3 << 30)",
                "open('big', 'wb').write(bytes(65 << 20))",
                "print('y' * 10**7)",
                "raise SystemExit",
            ],
            {"large": Probe("def probe(names):\n    import numpy\n    return {'z': numpy.zeros(1 << 20)}")},
            limits=Limits(result=1 << 20),
        )
    )
    assert answer.failed == "result"
    answer = sandbox.run(Job(["x = bytearray(3 << 30)", "print('y' * 10**7)", "raise SystemExit", "a = 1"]))
    assert "MemoryError" in answer.cells[0].error and len(answer.cells[1].output) < 20_100
    assert "SystemExit" in answer.cells[2].error and answer.cells[3].ok


def test_a_result_out_of_form_is_refused() -> None:
    for body in (
        body_of(b"[]", b"{}"),
        body_of(b"{}", b"{}"),
        body_of(b'{"cells": 1}', b'{"probes": {}}'),
        body_of(b'{"cells": []}', b'{"probes": {"a": {"arrays": {"x": "?"}}}}'),
        body_of(b'{"cells": []}', b'{"probes": {"a": {"error": {"kind": [], "cell": "x", "line": 0, "key": ""}}}}'),
        b"\xff",
        b"",
    ):
        with pytest.raises(ValueError):
            _unpacked(body, Job([]))


def body_of(cells: bytes, probes: bytes) -> bytes:
    """An answer as the worker gives it."""
    return b"\n" + len(cells).to_bytes(8, "big") + cells + probes


def test_objects_never_come_through(sandbox: Sandbox) -> None:
    answer = sandbox.run(Job([], {"a": Probe("def probe(names): return {'a': [object()]}")}))
    assert "a" not in answer.probes["a"].arrays and answer.probes["a"].error == "ValueError"


def test_two_sandboxes_at_once(sandbox: Sandbox) -> None:
    with Sandbox() as second:
        seen: list[object] = []
        threads = [threading.Thread(target=lambda s=s: seen.append(run(s, "seen = 1"))) for s in (sandbox, second)]  # type: ignore[misc]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == [1, 1]


# --- nothing of the host's is written to ------------------------------------------------------------------------------

OPENABLE = """
import os
seen, skipped = [], {"fd", "map_files"}
def openable(place):
    try: os.close(os.open(place, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError: return False
    return True
for top in TOPS:
    for folder, folders, files in os.walk(top):
        folders[:] = [name for name in folders if name not in skipped]
        seen += [place for name in files if openable(place := os.path.join(folder, name))]
print(len(seen), seen[:3])
seen = len(seen)
"""


@pytest.mark.parametrize("tops", [["/proc"], ["/sys", "/etc", "/library", "/inside", "/run", "/var"]])
def test_nothing_can_be_opened_for_writing(tops: list[str], sandbox: Sandbox) -> None:
    # opened and closed, never written: sysctls, sysrq-trigger, the first process's oom_score_adj, its own uid_map
    assert run(sandbox, OPENABLE.replace("TOPS", repr(tops))) == 0


def test_the_hosts_devices_keep_their_times(sandbox: Sandbox) -> None:
    before = {name: Path("/dev", name).stat().st_mtime_ns for name in ("null", "zero", "full", "random", "urandom")}
    touched = f"""
import os
seen = 0
for name in {sorted(before)!r}:
    for change in (os.utime, lambda place: os.chmod(place, 0o600), lambda place: os.setxattr(place, "user.a", b"1")):
        try: change("/dev/" + name); seen += 1
        except OSError: pass
open("/dev/null", "w").write("x")
"""
    assert run(sandbox, touched) == 0
    assert before == {name: Path("/dev", name).stat().st_mtime_ns for name in before}


def test_what_runs_is_an_ordinary_user(sandbox: Sandbox) -> None:
    number = sandbox._worker._process.pid
    inside = [Path(f"/proc/{pid}/status").read_text() for pid in (number, *descendants(number))]
    users = {line.split()[1] for text in inside for line in text.splitlines() if line.startswith("Uid:")}
    assert "0" not in users and len(inside) >= 2


def descendants(pid: int) -> list[int]:
    """Numbers of a process's children, theirs and so on."""
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, _text(children).split()):
            found += [child, *descendants(child)]
    return found


def test_a_sandbox_that_leaks_is_refused(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    leaking = Sandbox.__new__(Sandbox)
    leaking._group, leaking._worker = None, SimpleNamespace(close=lambda: None)  # type: ignore[assignment]
    for name, value in (("network", 1), ("file", 1), ("process", 1), ("writing", "/proc/sys/kernel/core_pattern")):
        held = {"network": 0, "file": 0, "process": 0, "writing": ""} | {name: value}
        probed = Probed({key: np.array(one) for key, one in held.items()})
        monkeypatch.setattr(leaking, "run", lambda job, probed=probed: Answer(probes={"reach": probed}))
        with pytest.raises(SandboxError, match=f"leaks.*{name if value == 1 else value}"):
            leaking.prove()


# --- system calls -----------------------------------------------------------------------------------------------------


def test_the_refused_calls_do_not_exist(sandbox: Sandbox) -> None:
    numbers = system_calls.refused(os.uname().machine, job=True)
    seen = run(
        sandbox,
        f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def refused(number, *given):
    ctypes.set_errno(0)
    return libc.syscall(number, *given) == -1 and ctypes.get_errno() in (38, 1, 22, 97, 95)
seen = [name for name, number in {numbers!r}.items() if not refused(number, 0, 0, 0, 0, 0, 0)]
seen += [str(number) for number in (451, 462, 500, 0x40000000 | 1) if not refused(number, 0, 0, 0, 0, 0, 0)]
print(seen)
seen = len(seen)
""",
    )
    assert seen == 0 and len(numbers) > 90


def test_sockets_namespaces_and_the_page_cache(sandbox: Sandbox) -> None:
    seen = run(
        sandbox,
        """
import mmap, os, socket, threading, subprocess
seen = []
def stops(act):
    try: act()
    except (OSError, AttributeError, ValueError): return True
    return False
for family in range(46):
    if family not in (1, 2, 10):
        seen.append(stops(lambda: socket.socket(family, socket.SOCK_STREAM)))
        seen.append(stops(lambda: socket.socketpair(family)))
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
import platform
clone = {"x86_64": 56, "aarch64": 220}[platform.machine()]
for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
    result = libc.syscall(clone, flag | 17, 0, 0, 0, 0)
    if result == 0: os._exit(0)
    seen.append(result == -1)
file = open(os.__file__, "rb")
seen.append(stops(lambda: os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)))
seen.append(stops(lambda: os.preadv(file.fileno(), [bytearray(8)], 0, os.RWF_NOWAIT)))
mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
seen += [stops(lambda: mapped.madvise(advice)) for advice in (1, 3, 20, 21)]
import fcntl, struct
asked = struct.pack("hhqqi4x", 1, 0, 0, 1, 0)
for command in (5, 36, fcntl.F_SETLEASE, fcntl.F_GETLEASE, fcntl.F_NOTIFY):
    seen.append(stops(lambda: fcntl.fcntl(file.fileno(), command, asked if command < 1000 else 0)))
# and what a right answer needs goes on
thread = threading.Thread(target=lambda: seen.append(True)); thread.start(); thread.join()
seen.append(os.preadv(file.fileno(), [bytearray(8)], 0) == 8)
seen.append(subprocess.run(["/bin/sh", "-c", "echo a | cat"], capture_output=True).stdout == b"a\\n")
import multiprocessing
with multiprocessing.get_context("fork").Pool(2) as pool: seen.append(pool.map(abs, [-1, 2]) == [1, 2])
import torch
seen.append(float(torch.utils.data.DataLoader(torch.ones(8), 4, num_workers=1).__iter__().__next__().sum()) == 4)
socket.socketpair()[0].close()
seen = [len(seen), sum(map(bool, seen))]
""",
    )
    assert isinstance(seen, list) and seen[0] == seen[1] > 90, seen


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_says_what_it_should_on_either_machine(machine: str) -> None:
    code = system_calls.program(machine, job=True)
    architecture, column = system_calls.ARCHITECTURES[machine]

    def reply(number: int, *given: int, arch: int = architecture) -> int:
        data = struct.pack("=IIQ6Q", number, arch, 0, *(list(given) + [0] * 6)[:6])
        lines = [struct.unpack_from("=HBBI", code, 8 * at) for at in range(len(code) // 8)]
        at = held = 0
        while True:
            what, yes, no, value = lines[at]
            if what == 0x06:
                return int(value)
            if what == 0x20:
                (held,) = struct.unpack_from("=I", data, value)
            else:
                test = {0x15: held == value, 0x25: held > value, 0x45: bool(held & value)}[what]
                at += yes if test else no
            at += 1

    allowed, refused = 0x7FFF0000, system_calls.refused(machine, job=True)
    assert all(reply(number) == 0x50000 | 38 for number in refused.values())
    for number in (
        set(range(451))
        - set(refused.values())
        - {getattr(system_calls, name)[column] for name in ("SOCKET", "SOCKETPAIR", "FLOCK")}
    ):
        assert reply(number) == allowed, number
    assert reply(system_calls.FLOCK[column], 3, 2) == 0x50000, "a lock that is none"
    fcntl = {command: reply(system_calls.FCNTL[column], 3, command) for command in range(1100)}
    assert [command for command, one in fcntl.items() if one == 0x50000] == [6, 7, 37, 38]
    assert [command for command, one in fcntl.items() if one not in (allowed, 0x50000)] == [5, 36, 1024, 1025, 1026]
    assert reply(0, arch=1) != allowed and reply(451) != allowed and reply(0x40000000) != allowed
    call = {name: getattr(system_calls, name)[column] for name in ("SOCKET", "SOCKETPAIR", "CLONE", "IOCTL", "PREADV2")}
    assert [n for n in range(50) if reply(call["SOCKET"], n) == allowed] == [1, 2, 10]
    assert [n for n in range(50) if reply(call["SOCKETPAIR"], n) == allowed] == [1]
    assert reply(call["CLONE"], 0x10000011) != allowed == reply(call["CLONE"], 0x01200011)
    assert reply(call["PREADV2"], 0, 0, 0, 0, 0, 8) != allowed and reply(call["IOCTL"], 0, 0x5412) != allowed
    worker = system_calls.refused(machine, job=False)
    assert set(refused) - set(worker) == {"mount", "unshare"}


LOCKED = """
import fcntl, os, struct, sys, time
file = os.open(sys.executable, os.O_RDONLY)
fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.fcntl(file, 37, struct.pack("hhqqi4x", 0, 0, 0, 1, 0))
with open("mine", "w") as mine: fcntl.lockf(mine, fcntl.LOCK_EX)  # as a library does with a file of its own
time.sleep(3)
seen = 1
"""


def test_a_lock_inside_locks_nothing_outside(sandbox: Sandbox) -> None:
    import fcntl

    taken: list[object] = []
    job = threading.Thread(target=lambda: taken.append(run(sandbox, LOCKED)))
    job.start()
    with Path(sys.executable).resolve().open("rb") as file:
        while job.is_alive():
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            asked = fcntl.fcntl(file, 36, struct.pack("hhqqi4x", 1, 0, 0, 1, 0))
            fcntl.flock(file, fcntl.LOCK_UN)
            assert struct.unpack("hhqqi4x", asked)[0] == fcntl.F_UNLCK
            job.join(0.1)
    assert taken == [1], "nothing is refused to whoever locks a file"


def test_no_counter_of_the_kernel_can_be_read(sandbox: Sandbox) -> None:
    """Where the kernel has a /proc of processes alone, from Linux 5.8 on."""
    seen = run(sandbox, "import os\nseen = [int(not name.isdigit()) for name in os.listdir('/proc')]")
    assert sum(seen) <= 2 < len(seen)  # type: ignore[arg-type]  # self, thread-self; processes of its own


# --- a submission as a whole ------------------------------------------------------------------------------------------

MANY = """
import os, time
for _ in range(12):
    if os.fork() == 0:
        held = bytearray(b"x") * (300 << 20)
        time.sleep(60)
        os._exit(0)
time.sleep(60)
"""


PROGRAMS = """
import subprocess, sys, time
held = "import time; held = bytearray(b'x') * (300 << 20); time.sleep(60)"
others = [subprocess.Popen([sys.executable, "-I", "-S", "-c", held]) for _ in range(12)]
time.sleep(60)
"""


def test_the_start_says_what_is_bounded_and_that_holds(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ControlGroup, "make", classmethod(lambda cls: None))
    with Sandbox() as without:
        assert without.bounds.startswith(
            "Bounded for a submission as a whole: processes, time, its end; memory is watched"
        )
        for one in (sandbox, without):
            if one is sandbox and sandbox._group:
                assert sandbox.bounds == (
                    "Bounded for a submission as a whole (control group): memory, processes, time, its end."
                )
            # twelve processes of 300 MB each, none of which is past the limit of one; forks, and programs of their own
            for many in (MANY, PROGRAMS):
                answer = one.run(Job([many], limits=Limits(wall=20)))
                assert answer.failed == "memory", (one.bounds, answer)
            count = "import os, time\nseen = 0\ntry:\n    for _ in range(200):\n        if os.fork() == 0:"
            count += "\n            time.sleep(60)\n        seen += 1\nexcept OSError: pass"
            assert 50 <= run(one, count) < 64  # type: ignore[operator]
            waited_for(lambda one=one: len(descendants(one._worker._process.pid)) == 1)  # type: ignore[misc]


def test_folders_in_memory_have_a_size_and_a_number_of_files(sandbox: Sandbox) -> None:
    seen = run(
        sandbox,
        """
import os
seen = []
for place in ("/submission", "/dev/shm"):
    count = 0
    try:
        for count in range(30_000): os.mknod(f"{place}/{count}")
    except OSError: pass
    seen.append(count < 21_000)
""",
    )
    assert seen == [True, True]


def test_a_control_group_of_version_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "user.slice" / "own"
    own.mkdir(parents=True)
    for name, text in {"controllers": "cpu memory pids", "subtree_control": "", "procs": "1\n2\n"}.items():
        (own / f"cgroup.{name}").write_text(text)
    monkeypatch.setattr(control_group.machine, "groups", lambda controller: iter([own]))
    made = Path.mkdir

    def with_files(folder: Path, *given: object, **named: object) -> None:
        made(folder, *given, **named)  # type: ignore[arg-type]
        for name in ("cgroup.procs", "memory.max", "memory.swap.max", "pids.max", "memory.current", "memory.reclaim"):
            (folder / name).write_text("7")
        (folder / "memory.events").write_text("low 0\noom_kill 0\n")

    monkeypatch.setattr(Path, "mkdir", with_files)
    group = ControlGroup.make()
    assert group is not None and len(group.descriptors) == 1
    (folder,) = set(group.folders.values())
    assert (own / "cgroup.subtree_control").read_text() == "+memory +pids"
    group.allow(123, 45)
    values = [(folder / name).read_text() for name in ("memory.max", "memory.swap.max", "pids.max")]
    assert values == ["123", "0", "45"] and not group.ended()
    (folder / "memory.events").write_text("low 0\noom_kill 2\n")
    assert group.ended() and not group.ended() and (folder / "memory.reclaim").read_text() == "7"
    for file in folder.iterdir():
        file.unlink()  # a real group's files are none that have to go first
    group.close()
    assert not folder.exists()


# --- time -------------------------------------------------------------------------------------------------------------

TIMED = {
    "asleep": "time.sleep(30)",
    "busy": "while True: pass",
    "a little busy, then asleep": """
while True:
    end = time.process_time() + 0.011
    while time.process_time() < end: pass
    time.sleep(0.24)
""",
    "children that nobody waits for": """
import signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    if os.fork() == 0:
        end = time.process_time() + 0.1
        while time.process_time() < end: pass
        os._exit(0)
    try: os.wait()
    except OSError: pass
""",
    "held by a child that opens a pipe": """
import ctypes
os.mkfifo("pipe")
libc = ctypes.CDLL(None)
os.posix_spawn("/bin/true", ["true"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 5, "pipe", os.O_RDONLY, 0)])
""",
}


@pytest.mark.parametrize("does", TIMED)
def test_what_a_cell_does_with_its_time_is_charged(sandbox: Sandbox, does: str) -> None:
    """A cell that takes 2 seconds is stopped, and not by the wall's limit of 30."""
    if does.startswith("children") and not (sandbox._group and sandbox._group.counter is not None):
        pytest.skip("only a control group counts these")
    answer = sandbox.run(Job(["import os, time", TIMED[does]], limits=Limits(cpu=20, cell=2, wall=30)))
    assert (answer.failed, answer.at) == ("time", 1), answer
    assert 2 <= answer.took[1] <= 6 and answer.seconds < 20


# --- no orphan --------------------------------------------------------------------------------------------------------

HOLDS = """
import sys, time
from autoencoder_lab.grading.sandbox import *
sandbox = Sandbox(isolation=sys.argv[1])
print("ready", flush=True)
walls = sys.argv[1] == "bwrap"
more = "import subprocess\\nsubprocess.Popen(['sleep', '600'], start_new_session=True)\\n" if walls else ""
sandbox.run(Job([more + "import time\\ntime.sleep(600)"], limits=Limits(wall=600)))
"""


@pytest.mark.parametrize("isolation", ["bwrap", "none"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_whatever_ends_the_main_process_ends_all(sandbox: Sandbox, number: signal.Signals, isolation: str) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDS, isolation], stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"ready\n"
    waited_for(lambda: len(descendants(holder.pid)) >= (6 if isolation == "bwrap" else 3))
    inside = descendants(holder.pid)
    started = {pid: Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19] for pid in inside}
    holder.send_signal(number)
    holder.wait()
    holder.stdout.close()
    waited_for(lambda: not any(alive(pid, when) for pid, when in started.items()))


def alive(pid: int, started: str) -> bool:
    """Whether a process is still that one, and no zombie that whoever adopted it has yet to notice."""
    words = _text(Path(f"/proc/{pid}/stat")).rsplit(")", 1)[-1].split()
    return len(words) > 19 and words[19] == started and words[0] != "Z"


def waited_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
