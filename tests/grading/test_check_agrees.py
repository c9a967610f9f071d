"""`check` and `grade` say the same of odd notebooks: done = full marks, missing = not done yet, else wrong."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from autoencoder_lab.commands import notebook_runner
from autoencoder_lab.commands.check_lab import look
from autoencoder_lab.commands.notebook_runner import CellFailed
from autoencoder_lab.grading.grade import Paper, grade
from autoencoder_lab.grading.notebook_file import cells_of
from autoencoder_lab.grading.sandbox import Sandbox
from autoencoder_lab.protocol import NOT_DONE
from grading import odd_notebooks
from grading.odd_notebooks import NAMES, by_chance, odd

FRAME = cells_of(odd_notebooks.written(odd_notebooks.cells({})))
JUDGE = odd_notebooks.judge()


@pytest.fixture(scope="module")
def _one_kernel() -> Iterator[None]:
    """One kernel for all notebooks, emptied in between: a new one each would load torch sixty times."""
    from jupyter_client.manager import start_new_kernel

    held: list[Any] = []
    in_its_own = notebook_runner.run_cells

    def run_cells(notebook: Any, folder: Path, timeout: int, allow_errors: bool, **_: Mapping[str, str]) -> list[float]:
        if any("exit(" in cell.source for cell in notebook.cells):  # a client that waits by blocking sees no kernel die
            return in_its_own(notebook, folder, timeout=timeout, allow_errors=allow_errors)
        if not held or not held[0][0].is_alive():
            held[:] = [start_new_kernel(kernel_name="python3")]
        manager, client = held[0]
        client.execute("%reset -f", silent=True)
        client.get_shell_msg(timeout=60)
        runner = NotebookClient(
            notebook, km=manager, timeout=timeout, allow_errors=allow_errors, store_widget_state=False
        )
        runner.kc = client
        for index, cell in enumerate(notebook.cells):
            try:
                runner.execute_cell(cell, index)
            except (CellTimeoutError, DeadKernelError) as error:
                manager.shutdown_kernel(now=True)
                raise CellFailed("did not end", index + 1, cell, str(error)) from None
        if any(cell.source in odd_notebooks.STATES.values() for cell in notebook.cells):
            manager.shutdown_kernel(now=True)  # %reset does not undo that
        return [0.0] * len(notebook.cells)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notebook_runner, "run_cells", run_cells)
        yield
    if held:
        held[0][0].shutdown_kernel(now=True)


def checked(content: bytes, path: Path) -> dict[str, str]:
    path.write_bytes(content)
    states, _ = look(path, timeout=60)
    return {state.name: state.state for state in states if state.name in odd_notebooks.POINTS}


def graded(content: bytes, sandbox: Sandbox) -> dict[str, str]:
    result = grade(Paper("student", content), JUDGE, FRAME, 7, sandbox)
    return {
        part.grade_id.removeprefix("test_"): (
            "done" if part.points == part.of else "missing" if part.mistake == NOT_DONE else "wrong"
        )
        for part in result.parts
    }


@pytest.mark.parametrize("name", NAMES)
def test_check_and_grade_agree(name: str, tmp_path: Path, sandbox: Sandbox, _one_kernel: None) -> None:
    content, (mse, centred) = odd(name)
    marks = graded(content, sandbox)
    assert marks == {"mse": mse, "centred": centred}
    seen = checked(content, tmp_path / "lab.ipynb")
    assert seen == {part: state for part, state in marks.items() if part in seen}
    assert seen.keys() == marks.keys() or name in ("the check deleted", "the check's mark lost")


@pytest.mark.long
def test_check_and_grade_agree_on_notebooks_made_by_chance(tmp_path: Path, sandbox: Sandbox, _one_kernel: None) -> None:
    apart = {}
    for seed in range(100):
        content = by_chance(seed)
        marks, seen = graded(content, sandbox), checked(content, tmp_path / "lab.ipynb")
        if any(marks[part] != state for part, state in seen.items()):
            apart[seed] = (marks, seen)
    assert apart == {}
