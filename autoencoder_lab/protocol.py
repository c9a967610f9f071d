"""The few sentences and numbers by which notebooks, checks, `check` and `grade` know what is still untouched.

They are written into notebooks and read back out of them, so each stands here once. This module imports nothing: the
sandbox and the commands that start without torch read it too.
"""

NOT_DONE = "not done yet"
"""What a check prints, among other words, for a stub that returns None."""

CODE_STUB = "...  # your code here"
"""What stands in place of a solution in code."""

TEXT_STUB = "*Your answer here.*"
"""What stands in place of a model answer in a text cell."""

PLACEHOLDER = "your-id"
"""The id in a lab that no student has put an own one for."""

CELL_SECONDS = 30
"""Seconds of processor time that a cell may take while marking, if it does not train what a part asks for."""

RUN_SECONDS = 60
"""Seconds of processor time for all cells of a notebook together, each time it is run while marking."""


def limits_told(cell: float = CELL_SECONDS, run: float = RUN_SECONDS) -> str:
    """The sentence on time that a released lab carries."""
    return (
        f"**Time while marking.** A cell may take {cell:g} seconds of one processor, all cells together {run:g}. "
        "A cell of your own that takes longer is left out; the rest is marked all the same. "
        "`autoencoder-lab check` warns you."
    )
