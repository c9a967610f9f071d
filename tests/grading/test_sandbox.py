"""What untrusted code can and cannot do from inside the sandbox."""

import contextlib
import os
import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from autoencoder_lab.grading.sandbox import Job, Limits, Probe, Sandbox, _unpacked

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


def test_other_processes_are_out_of_reach(sandbox: Sandbox) -> None:
    seen = run(
        sandbox,
        """
import glob, os
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
own = {f"/proc/{status[name].strip()}" for name in ("Pid", "PPid")}  # itself, and the first of its pid namespace
others, seen = set(glob.glob("/proc/[0-9]*")) - own, 0
for other in others:
    files = [f"{other}/{name}" for name in ("mem", "environ", "maps")] + glob.glob(f"{other}/fd/*")
    for target in files:
        try:
            open(target, "rb").read(1)
            seen += 1
        except OSError:
            pass
    for target in ("cwd", "root"):
        try:
            os.listdir(f"{other}/{target}")
            seen += 1
        except OSError:
            pass
seen = [len(others) > 0, seen]
""",
    )
    assert seen == [True, 0]


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
        b"[]",
        b"{}",
        b'{"cells": 1, "probes": {}}',
        b'{"cells": [], "probes": {"a": {"arrays": {"x": "?"}}}}',
        b"\xff",
    ):
        with pytest.raises(ValueError):
            _unpacked(body)


def test_objects_never_come_through(sandbox: Sandbox) -> None:
    answer = sandbox.run(Job([], {"a": Probe("def probe(names): return {'a': [object()]}")}))
    assert "a" not in answer.probes["a"].arrays and "pickle" in answer.probes["a"].error


def test_two_sandboxes_at_once(sandbox: Sandbox) -> None:
    with Sandbox() as second:
        seen: list[object] = []
        threads = [threading.Thread(target=lambda s=s: seen.append(run(s, "seen = 1"))) for s in (sandbox, second)]  # type: ignore[misc]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == [1, 1]
