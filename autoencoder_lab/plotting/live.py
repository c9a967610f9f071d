"""A training curve that grows while the model trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoencoder_lab import arguments
from autoencoder_lab.plotting.charts import history


class LiveCurve:
    """A callback for `fit` that redraws the training curve after every epoch: `callbacks=[lab.plot.LiveCurve()]`.

    baselines, data: as for `history`. Where nothing displays (a script, a test) it draws nothing.
    """

    def __init__(self, baselines: Sequence[Any] = (), data: Any = None, every: int = 2) -> None:
        self.baselines, self.data, self.every = baselines, data, arguments.whole("every", every, 1, what="of epochs")
        self._handle: Any = None

    def __call__(self, model: Any, record: Any) -> None:
        """Redraw; called by `fit` with the model and its History."""
        finished = record.step[-1] >= record.settings["steps"]
        if len(record.step) % self.every and not finished:
            return
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is None:
            return
        figure = history(record, self.baselines, self.data)
        if self._handle is None:
            self._handle = display(figure, display_id=True)
        else:
            self._handle.update(figure)
