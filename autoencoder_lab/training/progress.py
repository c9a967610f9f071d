"""How far a training is: a bar in a terminal, a line in a notebook, nothing elsewhere, or a view of one's own.

No figure depends on this.
"""

import math
import sys
import time
from typing import Any, Protocol

from autoencoder_lab.training.device import pick_device
from autoencoder_lab.training.history import History

WAITING = 1.3  # × its processor time: an undisturbed training takes less than that on the clock, with two threads half


class Progress(Protocol):
    """What `fit(progress=…)` tells of a training. A view may fill these four as it likes."""

    def start(self, total: int, label: str, done: int) -> None:
        """`done` of `total` steps were made by an earlier run that this one goes on from."""

    def step(self, done: int) -> None:
        """Another step is made, `done` in all."""

    def epoch(self, history: History) -> None:
        """Another epoch is recorded."""

    def close(self) -> None:
        """The training has ended, in whatever way."""


def view_of(wanted: "bool | Progress") -> Progress:
    """A view for where we are: True chooses one, False is silent, anything else is used as it is."""
    if wanted is None or wanted in (0, 1):  # NumPy's truth values too
        wanted = bool(wanted)
    if not isinstance(wanted, bool):
        missing = [name for name in ("start", "step", "epoch", "close") if not callable(getattr(wanted, name, None))]
        if missing:
            lacks = f"which has no {missing[0]}()"
            raise TypeError(
                f"progress is True, False, or a view as autoencoder_lab's Progress, got {wanted!r}, {lacks}"
            )
        return wanted
    if wanted and "ipykernel" in sys.modules:
        return NotebookLine()
    return TerminalBar() if wanted and sys.stderr.isatty() else Silent()


class Silent:
    """Says nothing."""

    def start(self, total: int, label: str, done: int) -> None:
        """Nothing to prepare."""

    def step(self, done: int) -> None:
        """Nothing to say."""

    def epoch(self, history: History) -> None:
        """Nothing to say."""

    def close(self) -> None:
        """Nothing to take away."""


class NotebookLine(Silent):
    """One line that rewrites itself: tqdm's notebook bar would leave a dead widget in a stored notebook."""

    def start(self, total: int, label: str, done: int) -> None:
        """Show the line."""
        from IPython.display import display

        self.total, self.label, self.first = total, label, done
        self.started, self.last_shown = time.perf_counter(), 0.0
        self.computed = time.process_time()
        self.line: Any = display({"text/plain": f"{label}: starting"}, raw=True, display_id=True)

    def step(self, done: int) -> None:
        """Rewrite the line, four times a second at most."""
        now = time.perf_counter()
        if done == self.total or now - self.last_shown > 0.25:
            self.last_shown = now
            computed = time.process_time() - self.computed
            self.line.update({"text/plain": self.text(done, now - self.started, computed)}, raw=True)

    def text(self, done: int, seconds: float, computed: float = math.inf) -> str:
        """What the line says after `seconds`, of which it had a processor for `computed`, all threads together.

        The steps of an earlier run took none of them.
        """
        left = seconds / max(1, done - self.first) * (self.total - done)
        left_text = f", {left:.0f} s left" if left > 1 else ""
        waiting = seconds > WAITING * computed and seconds > 2 and not _on_a_graphics_processor()
        busy_text = "; the machine is busy with other programs" if waiting else ""
        return f"{self.label}: step {done} of {self.total}, {seconds:.0f} s{left_text}{busy_text}"


def _on_a_graphics_processor() -> bool:
    """Whether a training may wait for one, which is no time of the processor's."""
    return pick_device().type != "cpu"


class TerminalBar(Silent):
    """tqdm's bar."""

    bar: Any = None

    def start(self, total: int, label: str, done: int) -> None:
        """Draw the bar."""
        from tqdm import tqdm

        self.bar = tqdm(total=total, desc=label, unit="step", initial=done)

    def step(self, done: int) -> None:
        """Move the bar."""
        self.bar.update(done - self.bar.n)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.close()
