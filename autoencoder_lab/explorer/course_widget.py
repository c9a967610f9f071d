"""What every widget of the course shares: a new run of its cell closes it, and a saved notebook shows what it was."""

from __future__ import annotations

import threading
from typing import Any
from weakref import WeakSet

import anywidget
import traitlets

AT_REST = '<div class="autoencoder-lab-at-rest">{shown}<p>{run}</p></div>'

_open: dict[str, tuple[int, WeakSet[Any]]] = {}  # cell -> (its execution count, its widgets)
_lock = threading.RLock()  # messages may arrive on another thread than the cells


class CourseWidget(anywidget.AnyWidget):
    """A widget that the next run of its cell closes, and that leaves `at_rest` in the saved notebook."""

    at_rest = traitlets.Dict().tag(sync=True)  # {id: of a widget, html: what stands for it without a kernel}; widget.js

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        close_former_of_this_cell(self)

    def leave(self, shown: str, run: str) -> None:
        """What is seen where this was when the notebook is opened after its kernel has ended.

        shown: HTML; run: a sentence, in HTML too, that says what to run.
        """
        self.leave_for(self, shown, run)

    def leave_for(self, widget: Any, shown: str, run: str) -> None:
        """The same for another widget, which has no script of ours."""
        self.at_rest = {"id": widget.model_id, "html": AT_REST.format(shown=shown, run=run)}

    def close(self) -> None:
        """Take the widget off the page and free what it holds; the layout that comes with every widget too."""
        if self.comm is None:
            return
        self.layout.close()
        super().close()
        self.at_rest = {}
        self.forget()

    def forget(self) -> None:
        """Let go of what it showed: IPython keeps the last value of every cell, in Out and _, closed or not."""


def close_former_of_this_cell(widget: Any) -> None:
    """Close what an earlier run of the same cell left: a widget that is only forgotten stays alive for good."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel") or not hasattr(shell, "get_parent"):
        return
    metadata = shell.get_parent().get("metadata", {})
    cell = str(metadata.get("cellId") or hash(shell.user_ns.get("In", [""])[-1]))
    with _lock:
        execution, widgets = _open.get(cell, (-1, WeakSet()))
        if execution != shell.execution_count:
            for former in list(widgets):
                former.close()
            widgets = WeakSet()
        widgets.add(widget)
        _open[cell] = (shell.execution_count, widgets)
