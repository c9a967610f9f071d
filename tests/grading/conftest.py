"""One sandbox for all tests that need it; skipped, with the reason, where bubblewrap cannot isolate."""

from collections.abc import Iterator

import pytest

from autoencoder_lab.grading.sandbox import Sandbox, SandboxError


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    try:
        made = Sandbox()
    except SandboxError as error:
        pytest.skip(str(error))
    with made:
        yield made
