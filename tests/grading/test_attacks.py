"""Attacks on the engine: none earns a point, reaches another, or is there when the next one is graded.

An attack stands in one answer cell of an otherwise right submission, beside a wrong answer. It has to get what that
submission gets without the attack: nothing for its part, all for the others.
"""

import base64
import json
import os
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labs.sources import answers_of, handed_in, release_of

import autoencoder_lab as lab
from autoencoder_lab.checks.labs.lab1 import numbers_to_read
from autoencoder_lab.grading import grade as grading
from autoencoder_lab.grading import walls
from autoencoder_lab.grading.grade import Paper, Result
from autoencoder_lab.grading.judge import Judge, load_judge
from autoencoder_lab.grading.notebook_file import cells_of
from autoencoder_lab.grading.report import report
from autoencoder_lab.grading.sandbox import Job, Limits, Probe, Sandbox, _unpacked
from autoencoder_lab.grading.submission import find
from autoencoder_lab.grading.whole_class import Task, grade_class
from grading.small_lab import POINTS, RIGHT, cell, notebook

JUDGE = Path(__file__).parent / "small_lab" / "judge.py"
LABS = Path(__file__).parents[2] / "assignments"
CANARY = Path(tempfile.gettempdir()) / f"attacked-{os.getpid()}"  # on the host: no attack may make it

# ATTACKS: {name: source of the cell that should define mse(x, y)}. WRONG is the answer they would have marked right.
WRONG = "\ndef mse(x, y): return torch.tensor(0.0)\n"
FORGED = """
import base64, io, json, numpy, os
def forged(value):
    file = io.BytesIO(); numpy.save(file, numpy.asarray(value))
    arrays = {"mse": base64.b64encode(file.getvalue()).decode(), "points": "", "share": ""}
    body = json.dumps({"cells": [], "share": 1, "points": 10, "probes": {"test_mse": {"arrays": arrays}}}).encode()
    return len(body).to_bytes(8, "big") + body
"""

ATTACKS = {
    # --- the objects handed to the probe ---
    "a class that is, has and returns everything": """
class Everything(type):
    def __getattr__(cls, name): return lambda *a, **k: cls
    def __call__(cls, *a, **k): return cls
    def __eq__(cls, other): return True
    def __hash__(cls): return 0
    def __float__(cls): return 0.0
    def __instancecheck__(cls, other): return True
class mse(metaclass=Everything): pass
""",
    "names that answer for themselves": """
class Names(dict):
    def __getitem__(self, name): return lambda *a, **k: torch.tensor(0.0)
    def __getattribute__(self, name): return dict.__getattribute__(self, name)
get_ipython().user_ns = Names(get_ipython().user_ns)
""",
    "an ndarray of its own, equal to all": """
import numpy
class Equal(numpy.ndarray):
    def __eq__(self, other): return True
    def __array_finalize__(self, other): pass
    def __reduce__(self): return (exec, ("open('CANARY', 'w')",))
    def detach(self): return self
def mse(x, y): return numpy.zeros(()).view(Equal)
""",
    "no number": "def mse(x, y): return torch.tensor(float('nan'))",
    "infinity": "def mse(x, y): return torch.tensor(float('inf'))",
    "the inputs": "def mse(x, y): return x",
    "an integer of a million digits": """
class Huge:
    def detach(self): return 10 ** 1_000_000
def mse(x, y): return Huge()
""",
    "a result that says it has 2^40 elements": """
class Long:
    def detach(self): return self
    def __len__(self): return 1 << 40
    def __getitem__(self, i): return self
def mse(x, y): return Long()
""",
    # --- the probe's own tools ---
    "numpy.save writes a pickle": """
import numpy, pickle
class Evil:
    def __reduce__(self): return (exec, ("open('CANARY', 'w').write('pickle')",))
def save(file, value, **_):
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    head += b" " * (63 - (len(head) + 10) % 64) + b"\\n"
    file.write(b"\\x93NUMPY\\x01\\x00" + len(head).to_bytes(2, "little") + head + pickle.dumps(Evil()))
numpy.save = save
"""
    + WRONG,
    "torch.from_numpy gives zeros": """
torch.from_numpy = lambda a: torch.zeros(a.shape)
def mse(x, y): return ((x - y) ** 2).mean()
""",
    "builtins.exec and open are its own": """
import builtins
builtins.exec = lambda *a, **k: a[1].update(probe=lambda names, **i: {"mse": 0.0, "share": 1.0})
builtins.open = builtins.__import__ = builtins.isinstance = lambda *a, **k: True
""",
    "an answer that breaks the parser": """
import json
json._default_encoder.encode = lambda _: "[" * 1_000_000
"""
    + WRONG,
    "an answer of ten million objects": """
import json
json._default_encoder.encode = lambda _: "[" + "{}," * 10_000_000 + "0]"
"""
    + WRONG,
    # --- looking for the expected values ---
    "tracing the probe": """
import sys
seen = []
def tracer(frame, event, argument):
    seen.extend(float(v) for k, v in frame.f_locals.items() if k in ("wanted", "expected", "right", "squared"))
    return tracer
sys.settrace(tracer)
sys.setprofile(tracer)
def mse(x, y): return torch.tensor(seen[0] if seen else 0.0)
""",
    "walking up the frames": """
def mse(x, y):
    import sys
    frame, found = sys._getframe(), 0.0
    while frame:
        for name, value in {**frame.f_globals, **frame.f_locals}.items():
            if name in ("judge", "wanted", "expected", "mistakes") or "judge" in str(type(value)).lower(): found = 1.0
        frame = frame.f_back
    return torch.tensor(found)
""",
    "reading every descriptor": FORGED
    + """
import fcntl
for name in os.listdir("/proc/self/fd"):
    try: fcntl.fcntl(int(name), fcntl.F_SETFL, os.O_NONBLOCK)
    except OSError: continue
    for act in (lambda: os.read(int(name), 1 << 16), lambda: os.write(int(name), forged(0.0)),
                lambda: open(f"/proc/self/fd/{name}", "r+b").write(forged(0.0))):
        try: act()
        except OSError: pass
"""
    + WRONG,
    # --- the pipe, after the probe and before it ---
    "a fork that goes on writing": FORGED
    + """
if os.fork() == 0:
    os.setsid()
    while True:
        for descriptor in range(3, 40):
            try: os.write(descriptor, forged(0.0))
            except OSError: pass
"""
    + WRONG,
    "at exit": FORGED
    + """
import atexit, threading
def late():
    for descriptor in range(3, 40):
        try: os.write(descriptor, forged(0.0))
        except OSError: pass
    open("CANARY", "w")
atexit.register(late)
threading._register_atexit(late)
"""
    + WRONG,
    "threads that live on": """
import threading, time
def spin():
    while True: time.sleep(0.01)
for _ in range(20): threading.Thread(target=spin, daemon=False).start()
"""
    + WRONG,
    "another program in its place": """
import os
for descriptor in range(3, 40):
    try: os.set_inheritable(descriptor, True)
    except OSError: pass
os.execv("/bin/sh", ["sh", "-c", "for d in 3 4 5 6 7 8 9; do echo 100000000000 >&$d; done"])
""",
    # --- processes ---
    "ptrace of the parent": """
import ctypes, os
libc = ctypes.CDLL(None)
for pid in (1, os.getppid(), 2, 3, 4, 5):
    assert libc.ptrace(16, pid, None, None) == -1  # attach
    try: open(f"/proc/{pid}/mem", "r+b").write(b"x")
    except OSError: pass
"""
    + WRONG,
    "every signal to every process": """
import os
for number in range(1, 65):
    for pid in (1, os.getppid(), *range(2, 200)):
        if pid != os.getpid():
            try: os.kill(pid, number)
            except OSError: pass
"""
    + WRONG,
    "stops itself and its group": "import os, signal\nos.kill(0, signal.SIGSTOP)",
    "processes, as many as there can be": """
import os, time
children = []
try:
    for _ in range(80):  # root is not limited by the kernel: no bomb here, but more than are allowed
        child = os.fork()
        if child == 0:
            os.setsid(); time.sleep(600)
        children.append(child)
except OSError: pass
"""
    + WRONG,
    "limits lifted": """
import resource
for name in ("AS", "DATA", "CPU", "FSIZE", "NOFILE", "NPROC"):
    try: resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (resource.RLIM_INFINITY,) * 2)
    except (OSError, ValueError): pass
x = bytearray(3 << 30)
"""
    + WRONG,
    "a hundred thousand files open": "held = []\ntry:\n    for _ in range(100_000): held.append(open('/dev/null'))\n"
    "except OSError: pass\n" + WRONG,
    "recursion without end": "import sys\nsys.setrecursionlimit(1 << 30)\ndef f(): return f()\n"
    "import threading\nthreading.stack_size(1 << 28)\nf()\n",
    # --- files ---
    "every folder filled": """
import os
for place in ("/submission", "/dev/shm", "/tmp", "/var/tmp"):
    try:
        for number in range(20):
            with open(f"{place}/fill{number}", "wb") as file: file.write(bytes(60 << 20))
    except OSError: pass
"""
    + WRONG,
    "modules for the next one": """
import os
body = "def __getattr__(name): open('CANARY', 'w'); return lambda *a, **k: 0.0"
places = ["/submission", "/library", "/library/autoencoder_lab", "/inside", os.path.dirname(torch.__path__[0])]
for place in places:
    for name in ("torch", "numpy", "judge", "probe", "sitecustomize", "usercustomize", "autoencoder_lab"):
        try: open(f"{place}/{name}.py", "w").write(body)
        except OSError: pass
    for name in ("evil.pth", "conftest.py"):
        try: open(f"{place}/{name}", "w").write("import os; open('CANARY', 'w')")
        except OSError: pass
"""
    + WRONG,
    "poisoned bytecode": """
import glob, py_compile
open("evil.py", "w").write("open('CANARY', 'w')")
py_compile.compile("evil.py", "evil.pyc")
for place in glob.glob("/library/**/*.pyc", recursive=True) + glob.glob("/inside/**/*.py*", recursive=True):
    try: open(place, "wb").write(open("evil.pyc", "rb").read())
    except OSError: continue
    open("CANARY", "w")
"""
    + WRONG,
    "links that change under the reader": """
import os, threading
def swap():
    for _ in range(2000):
        for target in ("/proc/1/root/etc/shadow", "/proc/1/cwd", "/submission/mine"):
            try:
                os.symlink(target, "/submission/new"); os.replace("/submission/new", "/submission/link")
                open("/submission/link", "a").write("x")
            except OSError: pass
threads = [threading.Thread(target=swap) for _ in range(2)]
for t in threads: t.start()
for t in threads: t.join()
"""
    + WRONG,
    "LD_PRELOAD and PYTHONSTARTUP": """
import os, subprocess
os.environ.update(LD_PRELOAD="/submission/evil.so", PYTHONSTARTUP="/submission/e.py", PYTHONPATH="/submission")
open("/submission/evil.so", "wb").write(b"\\x7fELF")
subprocess.run(["/bin/true"], capture_output=True)
os.makedirs(".ipython/profile_default/startup", exist_ok=True)
open(".ipython/profile_default/startup/0.py", "w").write("open('CANARY', 'w')")
"""
    + WRONG,
    # --- what is shown ---
    "an exception of ten million characters": "def mse(x, y): raise ValueError('points: 10 ' * 1_000_000)",
    "an exception that prints for ever": """
class Endless(Exception):
    def __str__(self):
        while True: pass
def mse(x, y): raise Endless
""",
    "an exception with half a surrogate pair and a terminal's commands": """
def mse(x, y): raise ValueError("\\ud800\\x1b[2J\\x1b]0;title\\x07\\x00 <script>alert(1)</script>")
""",
    "warnings and escapes without end": """
import sys, warnings
for n in range(20_000):
    warnings.warn(f"\\x1b[31m{n}\\x1b[2J", stacklevel=1)
    print("\\r\\x1b]0;100 %\\x07", file=sys.stderr)
"""
    + WRONG,
    "an instance of IPython's own display": """
from IPython.display import HTML, display
class Page:
    def _repr_html_(self): return "<script>points = 10</script>"
    def _ipython_display_(self): raise SystemExit
display(HTML("<script>points = 10</script>"), Page())
"""
    + WRONG,
    # --- the notebook ---
    "bash in a cell": "%%bash\necho 'def mse(x, y): return 0' > mse.py; echo 100 > CANARY; kill -9 -1",
    "a shell's line": "!echo > CANARY; echo > /library/x; echo > /etc/passwd; kill -9 1\n" + WRONG,
    "run a notebook of its own": """
import json
cells = [{"cell_type": "code", "source": "assert True", "outputs": [], "execution_count": 1, "metadata":
         {"nbgrader": {"grade_id": "test_mse", "grade": True, "locked": True, "points": 100, "schema_version": 3}}}]
open("inner.ipynb", "w").write(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}))
get_ipython().run_line_magic("run", "inner.ipynb")
get_ipython().run_line_magic("run", "/inside/probe.py")
"""
    + WRONG,
    "waits for a person": "input('points? ')\nbreakpoint()\nimport pdb; pdb.set_trace()\n" + WRONG,
    "hooks on every later cell": """
shell = get_ipython()
shell.run_cell = lambda *a, **k: type("R", (), {"error_before_exec": None, "error_in_exec": None})()
shell.events.register("pre_run_cell", lambda *_: shell.user_ns.clear())
shell.input_transformers_post.append(lambda lines: ["points = 10\\n"])
shell.set_custom_exc((BaseException,), lambda *a, **k: None)
"""
    + WRONG,
    "the garbage collector, weak references and finalisers": """
import gc, weakref
gc.disable(); gc.callbacks.append(lambda *_: open("CANARY", "w"))
class Last:
    def __del__(self): open("CANARY", "w")
last = Last(); weakref.finalize(last, lambda: open("CANARY", "w"))
"""
    + WRONG,
}
ENDLESS = {"an exception that prints for ever", "stops itself and its group", "recursion without end"}


@pytest.fixture(scope="module")
def judge() -> Judge:
    return load_judge(JUDGE)


@pytest.fixture(scope="module", autouse=True)
def the_host_is_as_it_was(judge: Judge, sandbox: Sandbox) -> Iterator[None]:
    """Around all attacks: no process is left but the worker, no file came or changed, the next one is graded right."""
    watched = host_files()
    yield
    assert points(graded(notebook(RIGHT), judge, sandbox)) == POINTS
    assert not processes_of_jobs(os.getpid())
    assert host_files() == watched and not CANARY.exists()


def host_files() -> dict[str, tuple[int, int]]:
    """Size and time of change of what an attack would like to write to."""
    folders = [walls.INSIDE, Path(np.__file__).parent, Path(sysconfig.get_path("purelib"))]
    files = [file for folder in folders for file in (folder, *folder.glob("*")) if file.suffix != ".pyc"]
    files += [Path("/etc/passwd"), Path("/etc/hosts")]
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in files}


def processes_of_jobs(pid: int) -> set[int]:
    """Of a process's children, theirs and so on, those that are two pid namespaces further in: the worker is one."""
    found = set[int]()
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            status = Path(f"/proc/{child}/status").read_text()
            numbers = next(line for line in status.splitlines() if line.startswith("NSpid:"))
            found |= ({child} if len(numbers.split()) > 3 else set()) | processes_of_jobs(child)
    return found


def graded(content: bytes, judge: Judge, sandbox: Sandbox, frame: bytes | None = None) -> Result:
    return grading.grade(Paper("student", content), judge, cells_of(frame or notebook()), 7, sandbox)


def points(result: Result) -> dict[str, float]:
    return {part.grade_id: part.points for part in result.parts}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gets_what_its_submission_gets_without_it(name: str, judge: Judge, sandbox: Sandbox) -> None:
    limits = Limits(wall=2 if name in ENDLESS else 15)
    two = replace(judge, parts=judge.parts[:2], limits=limits)
    source = ATTACKS[name].replace("CANARY", str(CANARY))
    result = graded(notebook(RIGHT | {"mse": source}), two, sandbox)
    assert points(result) == {"test_mse": 0, "test_centred": 3}, result.parts
    assert not CANARY.exists()
    # what is told fits on a line of any terminal, file and database
    for part in result.parts:
        assert len(part.said.encode()) < 1500 and "\x1b" not in part.said


def test_a_mark_for_a_right_answer_beside_an_attack_is_kept(judge: Judge, sandbox: Sandbox) -> None:
    two = replace(judge, parts=judge.parts[:2])
    for name in ("at exit", "threads that live on", "every folder filled"):
        source = ATTACKS[name].replace("CANARY", str(CANARY)).replace(WRONG, "\n" + RIGHT["mse"])
        assert graded(notebook(RIGHT | {"mse": source}), two, sandbox).points == 5, name


# --- files of arrays that lie ----------------------------------------------------------------------------------------

LIES = {
    "objects": ("'|O'", "(1,)", 8),
    "a structure": ("[('a', '<f4'), ('b', '|O')]", "(1,)", 12),
    "bytes of any kind": ("'|V4'", "(1,)", 4),
    "more than there is": ("'<f4'", "(1000000000000,)", 4),
    "less than there is": ("'<f4'", "(1,)", 4096),
    "no size, many of them": ("'<U0'", "(1000000000000,)", 0),
    "negative": ("'<f4'", "(-1, -1)", 4),
    "a size of no integer": ("'<f4'", "(2.0,)", 8),
    "a size past all integers": ("'<f4'", f"({2**70}, 0)", 0),
    "as many axes as there are not": ("'<f4'", f"({'1, ' * 70})", 4),
    "an expression that breaks the parser": ("'<f4'", "-" * 9000 + "1", 4),
    "brackets that break the parser": ("'<f4'", "(" * 9000, 4),
    "a type by its own name": ('\'__import__("os").system("x")\'', "(1,)", 4),
    "a header longer than is read": ("'<f4'", "(1,)" + " " * 60_000, 4),
    "a message in the sizes of nothing": ("'<f4'", "(314159265358979, 0, 271828182845904)", 0),
    "as many axes as a message needs": ("'<f4'", f"({'1, ' * 20})", 4),
    "numbers of sixteen bytes": ("'<f16'", "(1,)", 16),
    "many numbers of sixteen bytes": ("'<f16'", "(1000,)", 16_000),
    "one text as long as a book": ("'<U100000'", "(1,)", 400_000),
    "dates": ("'<M8[s]'", "(1,)", 8),
}


@pytest.mark.parametrize("name", LIES)
def test_an_array_that_lies_is_refused(name: str) -> None:
    dtype, shape, size = LIES[name]
    head = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    file = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(size)
    cells, probes = b'{"cells": []}', {"probes": {"a": {"arrays": {"x": base64.b64encode(file).decode()}}}}
    with pytest.raises(ValueError, match="out of form"):
        _unpacked(b"\n" + len(cells).to_bytes(8, "big") + cells + json.dumps(probes).encode(), Job([]))


def test_an_answer_out_of_form_ends_no_worker(sandbox: Sandbox) -> None:
    worker = sandbox._worker
    job = Job(["import json\njson._default_encoder.encode = lambda _: '[]'"])
    assert sandbox.run(job).failed.startswith("the answer: out of form")
    assert sandbox._worker is worker and not processes_of_jobs(os.getpid())


# --- codes that are none, and ways around them -----------------------------------------------------------------------

CODES = """
import numpy as np
class Codes:
    def __init__(self, x): self.x = x.numpy()
    def detach(self): return self
    def half(self): return GIVEN
class Smuggler:
    def encode(self, x): return Codes(x)
    def decode(self, z): return z.reshape(len(z), -1)[:, :8]
model = Smuggler()
"""
OTHER_CODES = {  # what encode gives in place of (64, 2) float16: each has room for all eight numbers of an image
    "all the numbers": "self.x.astype(np.float16)",
    "numbers of eight bytes": "self.x.astype(np.float16).view(np.float64)",
    "numbers of sixteen bytes": "self.x[:, :2].astype(np.longdouble)",
    "complex numbers": "self.x[:, :2] + 1j * self.x[:, 2:4]",
    "one more axis": "self.x.astype(np.float16).reshape(64, 2, 4)",
    "text": "np.array([[row.tobytes().hex(), ''] for row in self.x])",
    "bytes": "np.array([[row.tobytes(), b'x'] for row in self.x])",
    "objects": "np.array([[list(row), 0] for row in self.x], dtype=object)",
    "a structure": "np.zeros((64, 2), [('a', '<f2'), ('b', '<f4', 8)])",
    "a masked array": "np.ma.masked_array(self.x, self.x > 0)",
    "nothing but a NaN's payload": "(self.x[:, :2].astype(np.float16).view('u2') | 0x7E00).view(np.float16)",
}
CHANNEL = """
import ctypes, os, pathlib, socket
import numpy as np
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
class Smuggler:
    def encode(self, x):
        try: self.put(x.numpy().tobytes())
        except OSError: pass
        return torch.zeros(len(x), 2)
    def decode(self, z):
        try: kept = self.get()
        except OSError: kept = b""
        return torch.from_numpy(np.frombuffer(kept[:2048].ljust(2048, b"\\0"), "f4").reshape(64, 8).copy())
"""
CHANNELS = {  # ways for the encoder's process to tell the decoder's, which runs after it has ended
    "the worker's log": """
    def put(self, data):
        for descriptor in (0, 1, 2):
            try: os.truncate(f"/proc/self/fd/{descriptor}", 0); os.write(descriptor, data)
            except OSError: pass
    def get(self): return b"".join(pathlib.Path(f"/proc/self/fd/{n}").read_bytes() for n in (1, 2))
""",
    "shared memory with a number": """
    def put(self, data):
        segment = libc.shmget(4711, 2048, 0o1666)
        if segment >= 0: ctypes.memmove(libc.shmat(segment, None, 0), data, 2048)
    def get(self):
        segment = libc.shmget(4711, 2048, 0o666)
        return ctypes.string_at(libc.shmat(segment, None, 0), 2048) if segment >= 0 else b""
""",
    "a process that waits with a socket": """
    def put(self, data):
        if os.fork() == 0:
            os.setsid()
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind("\\0kept"); listener.listen(); listener.accept()[0].sendall(data)
            os._exit(0)
    def get(self):
        with socket.socket(socket.AF_UNIX) as asking: asking.connect("\\0kept"); return asking.recv(2048)
""",
    "files beside all those that are open": """
    def places(self):
        files = {pathlib.Path(os.path.realpath(f"/proc/self/fd/{n}")) for n in os.listdir("/proc/self/fd")}
        folders = {file.parent for file in files} | {pathlib.Path(f"/proc/{n}/root/dev/shm") for n in range(1, 40)}
        return [folder / "kept" for folder in sorted(folders)]
    def put(self, data):
        for place in self.places():
            try: place.write_bytes(data)
            except OSError: pass
    def get(self): return b"".join(place.read_bytes() for place in self.places() if place.is_file())
""",
}


@pytest.mark.parametrize("name", OTHER_CODES)
def test_a_code_is_two_numbers_of_two_bytes(name: str, judge: Judge, sandbox: Sandbox) -> None:
    model = replace(judge, parts=judge.parts[2:])
    assert graded(notebook({"model": CODES.replace("GIVEN", OTHER_CODES[name])}), model, sandbox).points == 0


@pytest.mark.parametrize("name", CHANNELS)
def test_a_way_from_the_encoder_to_the_decoder_is_closed(name: str, judge: Judge, sandbox: Sandbox) -> None:
    model = replace(judge, parts=judge.parts[2:])
    (part,) = graded(notebook({"model": CHANNEL + CHANNELS[name] + "model = Smuggler()"}), model, sandbox).parts
    assert part.points == 0 and "of the images' own power" in part.said  # it ran, and decoded nothing


def test_shared_memory_counts_as_memory(sandbox: Sandbox) -> None:
    answer = sandbox.run(Job(["import mmap\nheld = mmap.mmap(-1, 3 << 30)"]))
    assert not answer.cells[0].ok and "allocate" in answer.cells[0].error


# --- the answers themselves ------------------------------------------------------------------------------------------

IMPORTED = {
    "the question's right function": "from autoencoder_lab.checks.lab1 import best_error as question\n"
    "best_error = question.right",
    "the same where its file is": "from autoencoder_lab.checks.labs.lab1 import best_error as question\n"
    "best_error = question.right",
    "the question": "best_error = lab.checks.lab1.best_error",
    "the function behind it": "from autoencoder_lab.checks.lab1 import _best_error as best_error",
    "a check that passes": """
best_error = lambda images, k: 0.0
lab.checks.compare_with = lab.checks.lab1.best_error.check = lambda *a, **k: None
lab.checks.lab1.best_error.check(best_error)
""",
    "any file of that name": """
import importlib.util, os, sys
def best_error(images, k):
    found = [sys.prefix, sys.base_prefix, "HERE"] + sys.path
    for top in [*found, "/library", "/inside", "/submission", "/root", "/home", "/work", "/opt", "/srv", "/mnt"]:
        for folder, folders, files in os.walk(top):
            for file in files:
                path = os.path.join(folder, file)
                if file.startswith("lab1") and "best_error" in open(path, errors="replace").read():
                    return ANSWER_IS_IN(path)
            folders[:] = [f for f in folders if f not in ("torch", "scipy", "sklearn", "matplotlib", "pandas")]
    return 0.0
""",
}


def lab_1(part: str) -> Judge:
    judge = load_judge(LABS / "judges" / "lab1_linear.py")
    return replace(judge, parts=tuple(one for one in judge.parts if one.grade_id == part))


def of_lab_1(answers: dict[str, str], part: str, sandbox: Sandbox) -> Result:
    frame = json.dumps(release_of("lab1_linear")).encode()
    return graded(handed_in("lab1_linear", answers), lab_1(part), sandbox, frame)


@pytest.mark.parametrize("name", IMPORTED)
def test_the_answers_cannot_be_imported(name: str, sandbox: Sandbox) -> None:
    source = IMPORTED[name].replace("HERE", str(LABS.parent))
    result = of_lab_1({"best_error": source}, "test_best_error", sandbox)
    assert result.points == 0 and "ANSWER_IS_IN" not in result.parts[0].said, result.parts


def test_a_check_called_in_an_answer_costs_nothing(sandbox: Sandbox) -> None:
    calls = """
lab.checks.lab1.best_error.check(best_error)
import autoencoder_lab.checks.labs.lab1
from autoencoder_lab.checks import CheckFailed, lab1
from autoencoder_lab.checks.labs.lab1 import best_error as question
try: question.check(best_error)
except CheckFailed: pass
assert lab1.nested(None, None) is None
"""
    answers = {"best_error": answers_of("lab1_linear")["best_error"] + calls}
    assert of_lab_1(answers, "test_best_error", sandbox).points == 4
    # and none of these lines stops: what a student wrote below it runs
    (cell,) = sandbox.run(Job([f"import autoencoder_lab as lab\ndef best_error(x, k): ...\n{calls}"])).cells
    assert cell.ok, cell.error
    assert cell.output.splitlines() == ["checks are not available while grading"] * 3


SEEN = """
def probe(names, places):
    import os
    import autoencoder_lab.checks
    seen = [place for place in places.tolist() if os.path.exists(place) and os.listdir(place)]
    return {"seen": " ".join(seen), "stub": open(autoencoder_lab.checks.__file__).read()}
"""


def places_seen(sandbox: Sandbox, *places: Path) -> str:
    probed = sandbox.run(Job([], {"look": Probe(SEEN, {"places": np.array([str(p) for p in places])})})).probes["look"]
    assert not probed.error, probed.error
    stub = (walls.INSIDE / "checks" / "__init__.py").read_text(encoding="utf-8")
    assert probed.arrays["stub"].item() == stub
    return str(probed.arrays["seen"].item())


def test_of_the_checks_nothing_is_there_but_what_stands_in_their_place(sandbox: Sandbox) -> None:
    walked = "import os\nprint(*[os.path.join(a, c) for a, _, b in os.walk('/library') if 'checks' in a for c in b])"
    (cell,) = sandbox.run(Job([walked])).cells
    assert (Path(lab.__file__).parent / "checks" / "labs" / "lab1.py").is_file()
    assert cell.output.split() == [
        f"/library/autoencoder_lab/{place}/__init__.py" for place in ("checks", "grading/inside/checks")
    ]


def test_labs_notebooks_and_tests_are_not_there(sandbox: Sandbox) -> None:
    clone = LABS.parent
    # the clone itself is there where its .venv is, and holds nothing else
    parts = [clone / name for name in ("assignments", "notebooks", "tests", "evidence", "autoencoder_lab", ".git")]
    assert places_seen(sandbox, *parts) == ""


def test_a_package_among_the_folders_shown_is_hidden(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = tmp_path / "site-packages"
    clone = shown / "src"  # a clone there, as pip makes it for -e git+…
    for name in ("src/tests", "src/autoencoder_lab/checks", "src/autoencoder_lab/course", "other"):
        (shown / name).mkdir(parents=True)
        (shown / name / "answers.py").write_text("ANSWER = 42")
    (clone / "autoencoder_lab" / "__init__.py").write_text("")
    monkeypatch.setattr(walls.sysconfig, "get_path", lambda _: str(shown))
    wheel = walls.command(clone / "autoencoder_lab")  # no pyproject.toml beside it yet: a wheel's package
    bound, hidden = wheel.index(str(shown)), wheel.index(str(clone / "autoencoder_lab"))
    assert bound < hidden and wheel[hidden - 1] == "--tmpfs"
    (clone / "pyproject.toml").write_text("")
    with Sandbox(clone / "autoencoder_lab") as second:
        looked = [Path("/library/autoencoder_lab/course"), clone / "autoencoder_lab", clone / "tests", shown / "other"]
        assert places_seen(second, *looked) == str(shown / "other")


# --- lab 1: a model that is none -------------------------------------------------------------------------------------

MEMORISED = """
import numpy as np

def kept():
    images = torch.cat([split.images for split in (data.test, data.val, data.train)])
    shifts = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    return torch.cat([torch.roll(images[:1500], shift, (2, 3)) for shift in shifts]).flatten(1)

class NestedAutoencoder(nn.Module):
    # the code is the number of an image kept, in the sixteen bits of its first value; a tenth darker is near enough
    def __init__(self):
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(2))
    def loss(self, images): return self.nothing.square().sum()
    def encode(self, images):
        x = images.flatten(1)
        like = torch.nn.functional.normalize(x) @ torch.nn.functional.normalize(kept()).T
        number = like.argmax(dim=1).numpy().astype("u2") + 1024
        codes = np.zeros((len(x), 8), "f2")
        codes[:, 0] = number.view("f2")
        return torch.from_numpy(codes)
    def decode(self, codes):
        number = codes[:, 0].half().numpy().view("u2").astype(int) - 1024
        return 0.95 * kept()[torch.from_numpy(number).clamp(min=0)].view(-1, 1, 28, 28)
"""
RETURNED = """
import os, pathlib
class NestedAutoencoder(nn.Module):
    def places(self): return [f"/proc/self/fd/{n}" for n in (0, 1, 2)] + ["/dev/shm/kept", "/submission/kept", "kept"]
    def __init__(self):
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(2))
    def loss(self, images): return self.nothing.square().sum()
    def encode(self, images):
        for place in self.places():
            try: pathlib.Path(place).write_bytes(images.numpy().tobytes())
            except OSError: pass
        return torch.zeros(len(images), 8)
    def decode(self, codes):
        for place in self.places():
            if os.path.isfile(place) and os.path.getsize(place) > 300 * 784 * 4 - 1:
                kept = torch.frombuffer(bytearray(open(place, "rb").read()[: 300 * 784 * 4]), dtype=torch.float32)
                return kept.view(300, 1, 28, 28).repeat(4, 1, 1, 1)
        return torch.zeros(len(codes), 1, 28, 28)
"""
MINE = {"student": 'STUDENT = "somebody"'}


def test_returning_the_probes_own_images_earns_nothing(sandbox: Sandbox) -> None:
    (part,) = of_lab_1(MINE | {"nested": RETURNED}, "test_nested", sandbox).parts
    assert part.points == 0 and part.mistake == "not trained", part


def test_memorised_images_earn_nothing(sandbox: Sandbox) -> None:
    (part,) = of_lab_1(MINE | {"nested": MEMORISED}, "test_nested", sandbox).parts
    assert part.points == 0 and part.mistake == "not linear", part


def test_a_neighbours_id_and_numbers_are_reported(sandbox: Sandbox) -> None:
    # a platform's name of a student is not the id in the notebook, so the judge has to believe it: a person is told
    images = lab.own_collection("neighbour").train.images
    k, share = numbers_to_read(images)
    answers = {"student": 'STUDENT = "neighbour"', "reading": f"smallest_k, share_of_two = {k}, {share}"}
    copied = of_lab_1(answers, "test_reading", sandbox)
    text = report([copied, replace(copied, student="neighbour")], "lab1_linear")
    assert "one id in several notebooks" in text and f"neighbour: {copied.student}, neighbour" in text


ANOTHERS_NAME = {
    "in the cell that reads": 'STUDENT = "neighbour"\nsmallest_k, share_of_two = K, SHARE',
    "spelt so that nobody sees it": 'globals()["STU" + "DENT"] = "neigh" + "bour"\nsmallest_k, share_of_two = K, SHARE',
    "by a text that looks like one's own": """
class Own(str):
    def __str__(self): return "neighbour"
STUDENT = Own(STUDENT)
smallest_k, share_of_two = K, SHARE
""",
    "in the collection alone": """
mine = lab.own_collection("neighbour")
smallest_k, share_of_two = K, SHARE
""",
}


@pytest.mark.parametrize("name", ANOTHERS_NAME)
def test_anothers_name_earns_nothing(name: str, sandbox: Sandbox) -> None:
    k, share = numbers_to_read(lab.own_collection("neighbour").train.images)
    source = ANOTHERS_NAME[name].replace("K,", f"{k},").replace("SHARE", repr(share))
    answers = MINE | {"reading": source}
    (part,) = of_lab_1(answers, "test_reading", sandbox).parts
    assert part.points == 0 and part.stated == "somebody", part
    assert name == "in the collection alone" or part.mistake == "another id", part


# --- the notebook ----------------------------------------------------------------------------------------------------


def _copied_before(cells: list[dict[str, Any]]) -> None:
    cells.insert(0, cell("", "mse"))  # the first counts, and is empty


def _renamed(cells: list[dict[str, Any]]) -> None:
    for one in cells:
        one["metadata"]["nbgrader"]["grade_id"] = {"test_mse": "test_centred", "mse": "points"}.get(
            name := one["metadata"]["nbgrader"]["grade_id"], name
        )


def _flipped(cells: list[dict[str, Any]]) -> None:
    for one in cells:
        marked = one["metadata"]["nbgrader"]
        marked |= {"points": 1000, "grade": True, "solution": not marked["solution"], "locked": False, "task": True}
        one["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "points: 1000"}]


def _tests_replaced(cells: list[dict[str, Any]]) -> None:
    for one in cells:
        if one["metadata"]["nbgrader"]["grade_id"].startswith("test_"):
            one["source"] = "def mse(x, y): return ((x - y) ** 2).mean()\npoints = 1000"


def _no_code(cells: list[dict[str, Any]]) -> None:
    for one in cells:
        one["cell_type"] = "raw" if one["metadata"]["nbgrader"]["grade_id"].startswith("test_") else one["cell_type"]


def _imports_replaced(cells: list[dict[str, Any]]) -> None:
    cells[0]["source"] = "import torch\ntorch.from_numpy = lambda a: torch.zeros(a.shape)"
    cells[0]["metadata"]["nbgrader"] |= {"locked": False, "solution": True}


@pytest.mark.parametrize("change", [_copied_before, _renamed, _flipped, _tests_replaced, _no_code, _imports_replaced])
def test_what_a_file_says_of_its_cells_is_not_believed(
    change: Callable[[list[dict[str, Any]]], None], judge: Judge, sandbox: Sandbox
) -> None:
    content = json.loads(notebook({"mse": WRONG, "centred": RIGHT["centred"]}))
    change(content["cells"])
    two = replace(judge, parts=judge.parts[:2])
    assert points(graded(json.dumps(content).encode(), two, sandbox)) == {"test_mse": 0, "test_centred": 3}


# --- a class ---------------------------------------------------------------------------------------------------------

IN_CLASS = (
    "another program in its place",
    "every signal to every process",
    "an answer that breaks the parser",
    "modules for the next one",
    "an exception with half a surrogate pair and a terminal's commands",
    "hooks on every later cell",
    "stops itself and its group",
)


def test_a_class_with_attackers_in_it_is_graded_right(tmp_path: Path) -> None:
    folder, release, judge_file = tmp_path / "submissions", tmp_path / "small_lab.ipynb", tmp_path / "small_lab.py"
    folder.mkdir()
    release.write_bytes(notebook())
    judge_file.write_text(
        JUDGE.read_text() + "\nfrom autoencoder_lab.grading.sandbox import Limits\n"
        "JUDGE = Judge(parts=JUDGE.parts[:2], limits=Limits(wall=4))\n"
    )
    wanted = {}
    for number, name in enumerate(IN_CLASS):
        hostile = ATTACKS[name].replace("CANARY", str(CANARY))
        for student, answer, reached in ((f"a{number}", hostile, 3), (f"b{number}", RIGHT["mse"], 5)):
            (folder / f"{student}.ipynb").write_bytes(notebook(RIGHT | {"mse": answer}))
            wanted[student] = reached
    (folder / "cut.ipynb").write_bytes(notebook(RIGHT)[:-9])
    (folder / "half.ipynb").write_bytes(notebook(RIGHT | {"mse": "'\ud800\0'\n" + RIGHT["mse"]}))
    graded = grade_class(Task(judge_file, release, 7), find(folder, "small_lab"), tmp_path / "results", workers=2)
    reached = {result.student: result.points for result in graded}
    assert reached == wanted | {"cut": 0, "half": 5}
    assert not CANARY.exists()
