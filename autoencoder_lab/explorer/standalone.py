"""What the explorer and the player of the game have in common: a widget that leaves a picture, and becomes a page."""

from __future__ import annotations

import base64
import io
import threading
from pathlib import Path
from typing import Any

import anywidget

from autoencoder_lab.explorer import page
from autoencoder_lab.plotting.figure import Figure

_open: dict[str, tuple[int, list[Any]]] = {}  # cell -> (its execution count, its widgets)
_lock = threading.RLock()  # messages may arrive on another thread than the cells


class StandaloneWidget(anywidget.AnyWidget):
    """A subclass says what stands where nothing runs (`figure`), and the text of its page (`page_text`)."""

    _png: bytes | None = None
    _alt = ""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        close_former_of_this_cell(self)

    def figure(self) -> Figure:
        """What it shows where nothing can be dragged or played."""
        raise NotImplementedError

    def page_text(self) -> str:
        """The exported page."""
        raise NotImplementedError

    def to_png(self, path: str | Path | None = None) -> bytes:
        """The picture that stands for it where no script runs. Writes it to `path` if given.

        Raises FileExistsError rather than replace a file that is not a PNG.
        """
        if self._png is None:
            figure, buffer = self.figure(), io.BytesIO()
            figure.savefig(buffer, format="png", metadata={"Software": None, "Description": figure.alt})
            self._png, self._alt = buffer.getvalue(), figure.alt
        if path is not None:
            page.write(Path(path), self._png, b"\x89PNG")
        return self._png

    def to_html(self, path: str | Path) -> Path:
        """Write one page that holds everything: no network, no kernel; all but live training works. Returns the path.

        Raises FileExistsError rather than replace a file that is not such a page, ValueError for a model with a layer
        that no browser can run.
        """
        return page.write(Path(path), self.page_text().encode(), page.BEGINNING)

    @property
    def alt(self) -> str:
        """What the picture shows, in words."""
        self.to_png()
        return self._alt

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The live widget, and the picture for GitHub, PDF and readers without JavaScript."""
        live = super()._repr_mimebundle_(**kwargs)
        data, metadata = live if isinstance(live, tuple) else (live or {}, {})
        png = base64.b64encode(self.to_png()).decode()
        return {**data, "text/plain": repr(self), "image/png": png}, {**metadata, "image/png": {"alt": self.alt}}

    def close(self) -> None:
        """Take the widget off the page and free what it holds; the layout that comes with every widget too."""
        self.layout.close()
        super().close()


def close_former_of_this_cell(widget: StandaloneWidget) -> None:
    """Close what an earlier run of the same cell left: a widget that is only forgotten stays alive for good."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return
    metadata = shell.get_parent().get("metadata", {})
    cell = str(metadata.get("cellId") or hash(shell.user_ns.get("In", [""])[-1]))
    with _lock:
        execution, widgets = _open.get(cell, (-1, []))
        if execution != shell.execution_count:
            for former in widgets:
                former.close()
            widgets = []
        _open[cell] = (shell.execution_count, [*widgets, widget])
