"""Small real data, and a sandbox, that several test files share."""

import os
import signal
from collections.abc import Iterator

if "PYTEST_XDIST_WORKER" in os.environ:  # the workers share the cores: one thread each, also in what they start
    os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch

import autoencoder_lab as lab
from autoencoder_lab.checks.exercises import failures
from autoencoder_lab.grading.sandbox import Sandbox
from autoencoder_lab.grading.walls import SandboxError

pytest_plugins = ["long_tests"]


@pytest.fixture(autouse=True)
def no_failure_counted_yet() -> None:
    """A check that failed in an earlier test offers no help in this one."""
    failures.clear()


def pytest_itemcollected(item: pytest.Item) -> None:
    """What asks for a browser or a sandbox is slow: `make quick` leaves it out."""
    if {"browser", "sandbox"}.intersection(getattr(item, "fixturenames", ())):
        item.add_marker("slow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, after the notebooks: nobody waits then for whoever took the longest last."""
    late = {item.path for item in items if item.path.suffix == ".py"}
    late -= {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path in late)


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_raises() -> Iterator[None]:
    """What a test of Ctrl-C relies on; a shell lets what it starts in the background ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def digits() -> lab.ImageData:
    """1,797 real digits of 8×8 pixels, at once in memory."""
    return lab.load("digits")


@pytest.fixture(scope="session")
def mnist() -> lab.ImageData:
    """3,500 / 500 / 1,000 real digits of 28×28 pixels."""
    return lab.load("mnist-5k")


@pytest.fixture
def tiny(digits: lab.ImageData) -> lab.ImageData:
    """The first 200 / 60 / 60 of the 8×8 digits: an epoch of these takes a few milliseconds."""
    return lab.ImageData("tiny", digits.train[:200], digits.val[:60], digits.test[:60])


@pytest.fixture(scope="session")
def tiny28() -> lab.ImageData:
    """The first 256 / 60 / 60 of mnist-5k."""
    data = lab.load("mnist-5k", n=256)
    return lab.ImageData("tiny28", data.train, data.val[:60], data.test[:60])


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox for all tests that need it; skipped, with the reason, where bubblewrap cannot isolate."""
    try:
        made = Sandbox()
    except SandboxError as error:
        pytest.skip(str(error))
    with made:
        yield made


def seeded(seed: int = 0) -> torch.Generator:
    """A generator of its own for each test."""
    return torch.Generator().manual_seed(seed)
