"""Processors and memory are counted as the process may use them, in whatever control groups it stands."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from autoencoder_lab import machine
from autoencoder_lab.machine import Memory, memory, processors

MEGABYTE = 2**20


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer of 16 processors, with 8,000 of 16,000 MB free; this is where its control groups are."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    sizes = SimpleNamespace(available=8000 * MEGABYTE, total=16000 * MEGABYTE)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: sizes)
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "MEMBERSHIP", tmp_path / "membership")
    (tmp_path / "groups").mkdir()
    return tmp_path / "groups"


def member_of(*lines: str) -> None:
    machine.MEMBERSHIP.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def holds(folder: Path, **files: str) -> None:
    """Files as the kernel writes them; cpu_max is cpu.max."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(f"{text}\n", encoding="utf-8")


def test_without_groups_it_is_the_machine(groups: Path) -> None:
    assert (processors(), memory()) == (16, Memory(8000 * MEGABYTE, 16000 * MEGABYTE))  # no /proc: macOS, Windows
    member_of("0::/")
    assert (processors(), memory()) == (16, Memory(8000 * MEGABYTE, 16000 * MEGABYTE))
    holds(groups, cpu_max="max 100000", memory_max="max", memory_current=str(5000 * MEGABYTE))
    assert (processors(), memory()) == (16, Memory(8000 * MEGABYTE, 16000 * MEGABYTE))


def test_affinity_counts_and_is_not_there_everywhere(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 7})
    assert processors() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    for count, expected in ((12, 12), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        assert processors() == expected


@pytest.mark.parametrize(
    ("quota", "expected"), [("200000 100000", 2), ("150000 100000", 2), ("140000 100000", 1), ("10000 100000", 1)]
)
def test_a_containers_quota_of_processors(groups: Path, quota: str, expected: int) -> None:
    member_of("0::/")
    holds(groups, cpu_max=quota)
    assert processors() == expected


def test_a_quota_above_what_there_is_gives_nothing(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    member_of("0::/")
    holds(groups, cpu_max="800000 100000")
    assert processors() == 3


@pytest.mark.parametrize("tightest", ["", "user.slice", "user.slice/job-7.scope"])
def test_of_nested_groups_the_tightest_counts(groups: Path, tightest: str) -> None:
    member_of("0::/user.slice/job-7.scope")
    for path in ("", "user.slice", "user.slice/job-7.scope"):
        quota, limit, used = ("200000 100000", 1000, 700) if path == tightest else ("400000 100000", 3000, 1000)
        used_bytes = f"{used * MEGABYTE}"
        holds(groups / path, cpu_max=quota, memory_max=f"{limit * MEGABYTE}", memory_current=used_bytes)
    holds(groups / "other.slice", cpu_max="100000 100000", memory_max=f"{MEGABYTE}", memory_current="0")
    assert (processors(), memory()) == (2, Memory(300 * MEGABYTE, 1000 * MEGABYTE))


def test_what_is_left_may_be_tight_in_one_group_and_the_total_in_another(groups: Path) -> None:
    member_of("0::/a/b")
    holds(groups / "a", memory_max=f"{4000 * MEGABYTE}", memory_current=f"{3900 * MEGABYTE}")
    holds(groups / "a/b", memory_max=f"{2000 * MEGABYTE}", memory_current=f"{500 * MEGABYTE}")
    assert memory() == Memory(100 * MEGABYTE, 2000 * MEGABYTE)


def test_a_path_of_the_host_leads_nowhere_and_the_container_has_its_own_root(groups: Path) -> None:
    holds(groups, cpu_max="300000 100000", memory_max=f"{2000 * MEGABYTE}", memory_current="0")
    for path in ("/docker/3fa9", "/../other", "/../../system.slice/docker.service"):
        member_of(f"0::{path}")
        assert (processors(), memory().total) == (3, 2000 * MEGABYTE)


def test_files_that_were_only_read_are_free_memory(groups: Path) -> None:
    member_of("0::/")
    holds(groups, memory_max=f"{2000 * MEGABYTE}", memory_current=f"{1900 * MEGABYTE}")
    assert memory().available == 100 * MEGABYTE
    holds(groups, memory_stat=f"anon {400 * MEGABYTE}\nfile 9\ninactive_file {1500 * MEGABYTE}\nactive_file 1")
    assert memory().available == 1600 * MEGABYTE


def test_the_machine_may_have_less_left_than_the_group_allows_and_a_group_may_be_over(groups: Path) -> None:
    member_of("0::/")
    holds(groups, memory_max=f"{12000 * MEGABYTE}", memory_current="0")
    assert memory() == Memory(8000 * MEGABYTE, 12000 * MEGABYTE)
    holds(groups, memory_max=f"{1000 * MEGABYTE}", memory_current=f"{1001 * MEGABYTE}")
    assert memory() == Memory(0, 1000 * MEGABYTE)


def test_groups_of_version_1(groups: Path) -> None:
    member_of("5:memory:/docker/7", "4:cpu,cpuacct:/docker/7", "1:name=systemd:/docker/7", "0::/docker/7")
    holds(groups / "cpu", cpu_cfs_quota_us="-1", cpu_cfs_period_us="100000")
    holds(groups / "memory", memory_limit_in_bytes="9223372036854771712", memory_usage_in_bytes="99")
    assert (processors(), memory()) == (16, Memory(8000 * MEGABYTE, 16000 * MEGABYTE))
    holds(groups / "cpu/docker/7", cpu_cfs_quota_us="400000", cpu_cfs_period_us="200000")
    limit, used, read = (f"{size * MEGABYTE}" for size in (1000, 900, 500))
    holds(groups / "memory/docker/7", memory_limit_in_bytes=limit, memory_usage_in_bytes=used)
    holds(groups / "memory/docker/7", memory_stat=f"inactive_file 0\ntotal_inactive_file {read}")
    assert (processors(), memory()) == (2, Memory(600 * MEGABYTE, 1000 * MEGABYTE))


def test_files_in_a_form_of_their_own_stop_nothing(groups: Path) -> None:
    member_of("0::/")
    holds(groups, cpu_max="", memory_max="much", memory_current="", memory_stat="anon\n\n")
    assert (processors(), memory()) == (16, Memory(8000 * MEGABYTE, 16000 * MEGABYTE))
    holds(groups, memory_max=f"{3 * MEGABYTE}")
    assert memory() == Memory(3 * MEGABYTE, 3 * MEGABYTE)


def test_it_comes_without_torch() -> None:
    asked = """
import sys, autoencoder_lab.machine as machine
print(machine.processors() >= 1 and "torch" not in sys.modules, machine.memory())
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    printed = subprocess.run(
        [sys.executable, "-c", asked], env=environment, capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    assert printed.stdout.startswith("True Memory(available=")
