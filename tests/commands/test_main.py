"""The command by the package's name."""

import subprocess
import sys


def test_the_package_is_the_command() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "autoencoder_lab", "--help"], capture_output=True, encoding="utf-8", check=True
    )
    assert "check" in said.stdout and "grade" in said.stdout
