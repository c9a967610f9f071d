"""Pause, step and stop of a training that the explorer watches: asked for in the page, obeyed between two epochs."""

from __future__ import annotations

import threading
from collections.abc import Callable

from autoencoder_lab.explorer.scene_keys import TrainingState


class Steering:
    """What is asked for, and how far the training is; asked on the kernel's one thread, obeyed on the cells' other."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.running = self.paused = self._stopping = False
        self._single = 0  # epochs still due while paused
        self._step = self._total = 0

    def begin(self, step: int, total: int) -> None:
        """An epoch is done."""
        self.running, self._step, self._total = True, step, total

    def end(self) -> None:
        """The training is over; what is asked from now on is too late."""
        self.running = self.paused = self._stopping = False
        self._single = 0

    def ask(self, action: str) -> None:
        """ "pause", "continue", "step" (one more epoch, then pause) or "stop"; ignored while nothing trains."""
        with self._changed:
            if not self.running:
                return
            self.paused = action in ("pause", "step")
            self._single += action == "step"
            self._stopping = action == "stop"
            self._changed.notify_all()

    def wait(self) -> bool:
        """Hold the training while it is paused; True to stop it. Ctrl-C gets through."""
        with self._changed:
            while self.paused and not self._single and not self._stopping:
                self._changed.wait(0.2)
            self._single = max(0, self._single - 1)
            return self._stopping

    def state(self) -> TrainingState:
        """As the page shows it."""
        return {"running": self.running, "paused": self.paused, "step": self._step, "total": self._total}


def when_the_cell_ends(over: Callable[[], None]) -> None:
    """`fit` calls nobody after Ctrl-C; the end of the cell is the end of its training. Nothing outside a notebook."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return

    def once(_result: object) -> None:
        shell.events.unregister("post_run_cell", once)
        over()

    shell.events.register("post_run_cell", once)
