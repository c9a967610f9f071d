"""The project as it was at another commit, beside this one, for as long as it is needed."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """The folder of a temporary git worktree of `commit`, removed afterwards.

    Raises ValueError where git knows no such commit, or where this is no clone.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "then"
        git = ["git", "-C", str(ROOT), "worktree"]
        made = subprocess.run(
            [*git, "add", "--quiet", "--detach", str(tree), commit], stderr=subprocess.PIPE, text=True
        )
        if made.returncode:
            raise ValueError(f"cannot check out {commit!r} beside {ROOT}: {made.stderr.strip()}")
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)
