"""The release with a student's answers in it: cells that were split, and copies without end."""

import time

import pytest

from autoencoder_lab.grading.assembling import assemble
from autoencoder_lab.grading.grade import at_most
from autoencoder_lab.grading.notebook_file import SourceCell

FRAME = [
    SourceCell("code", "import torch", "imports", "given"),
    SourceCell("code", "def f(x):\n    raise NotImplementedError()", "f", "answer"),
    SourceCell("markdown", "Your words", "words", "answer"),
]


@pytest.mark.parametrize(
    ("halves", "text"),
    [
        (["one", "two"], "one\n\ntwo"),
        (["Your words", "", "two"], "Your words\n\ntwo"),
        (["one", "  ", "two", "one", "three"], "one\n\ntwo\n\nthree"),
        (["one", "one"], "one"),
        (["", "two"], "two"),
    ],
)
def test_the_halves_of_a_text_are_one(halves: list[str], text: str) -> None:
    handed_in = [*FRAME[:2], *(SourceCell("markdown", half, "words") for half in halves)]
    cells, flags = assemble(handed_in, FRAME)
    (words,) = [cell.source for cell in cells if cell.grade_id == "words"]
    assert words.strip() == text and len([flag for flag in flags if "put together" in flag]) == (text.count("\n\n") > 0)


def test_of_two_cells_of_code_the_first_counts() -> None:
    cells, _ = assemble([*FRAME, SourceCell("code", "def f(x):\n    return 1", "f")], FRAME)
    assert [cell.source for cell in cells if cell.grade_id == "f"] == [FRAME[1].source]


def test_many_copies_of_a_stub_beside_a_long_cell_take_no_minute() -> None:
    long = SourceCell("code", "value = 1\n" * 90_000 + "def f(x):\n    return x")
    began = time.process_time()
    cells, flags = assemble([FRAME[0], FRAME[2], long, *[SourceCell("code", FRAME[1].source)] * 400], FRAME)
    assert time.process_time() - began < 5
    assert sum(cell.kind == "raw" for cell in cells) == 400 and len(flags) > 400
    assert len(at_most(flags)) == 21 and at_most(flags)[-1] == f"and {len(flags) - 20} more of this kind"
    assert at_most(flags[:20]) == flags[:20]
