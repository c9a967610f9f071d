"""The project as it was at another commit, beside this one, for as long as it is needed."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


def full_hash(commit: str) -> str:
    """The 40 hexadecimal digits of a commit that is given by a short hash, a branch or a tag.

    Raises ValueError where git knows no such commit, or where this is no clone.
    """
    asked = ["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"]
    found = subprocess.run(asked, capture_output=True, text=True)
    if found.returncode:
        raise ValueError(
            f"git knows no commit {commit!r} in {ROOT}; git log names them. {found.stderr.strip()}".strip()
        )
    return found.stdout.strip()


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
