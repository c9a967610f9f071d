"""How far a training is: a bar, a line, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


@contextmanager
def progress_bar(total: int, label: str, wanted: bool) -> Iterator[Callable[[int], object]]:
    """A bar in a terminal, one line that rewrites itself in a notebook, nothing elsewhere.

    tqdm's notebook bar leaves a dead widget in a stored notebook, hence the line.
    """
    if not wanted:
        yield lambda done: None
    elif "ipykernel" in sys.modules:
        from IPython.display import display

        started, last_shown = time.perf_counter(), 0.0
        handle = display({"text/plain": f"{label}: starting"}, raw=True, display_id=True)

        def show(done: int) -> None:
            nonlocal last_shown
            now = time.perf_counter()
            if done == total or now - last_shown > 0.25:
                last_shown = now
                left = (now - started) / done * (total - done)
                left_text = f", {left:.0f} s left" if left > 1 else ""
                text = f"{label}: step {done} of {total}, {now - started:.0f} s{left_text}"
                handle.update({"text/plain": text}, raw=True)

        yield show
    elif sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, desc=label, unit="step") as bar:
            yield lambda done: bar.update(done - bar.n)
    else:
        yield lambda done: None
