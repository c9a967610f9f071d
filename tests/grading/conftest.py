"""One sandbox for all tests that need it; skipped, with the reason, where bubblewrap cannot isolate."""

import shutil
from collections.abc import Iterator

import pytest

from autoencoder_lab.grading.sandbox import Sandbox, SandboxError

# until the continuous integration brings bubblewrap, together with the labs, these run where there is one
collect_ignore = [] if shutil.which("bwrap") else ["test_sandbox.py", "test_grade.py"]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    try:
        made = Sandbox()
    except SandboxError as error:
        pytest.skip(str(error))
    with made:
        yield made
