"""What the explorer and the player of the game have in common: a widget that leaves a picture, and becomes a page."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import Any

import traitlets

from autoencoder_lab.explorer import page
from autoencoder_lab.explorer.course_widget import CourseWidget
from autoencoder_lab.plotting.figure import Figure

IMAGE = '<img style="max-width: 100%" alt="{alt}" src="data:image/png;base64,{png}">'
RUN = "This is a picture of it. To use it, run the cells above and then this one."


def png_of(figure: Figure) -> bytes:
    """The figure as a PNG, which says in words what it shows."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None, "Description": figure.alt})
    return buffer.getvalue()


def image_tag(png: bytes, alt: str) -> str:
    """A picture as HTML."""
    return IMAGE.format(alt=html.escape(alt, quote=True), png=base64.b64encode(png).decode())


class StandaloneWidget(CourseWidget):
    """A subclass says what stands where nothing runs (`figure`), and the text of its page (`page_text`)."""

    scene = traitlets.Dict().tag(sync=True)  # of scene_keys.py: all that the page needs
    _png: bytes | None = None
    _alt = ""

    def figure(self) -> Figure:
        """What it shows where nothing can be dragged or played."""
        raise NotImplementedError

    def page_text(self) -> str:
        """The exported page."""
        raise NotImplementedError

    def to_png(self, path: str | Path | None = None) -> bytes:
        """The picture that stands for it where no script runs. Writes it to `path` if given.

        Raises FileExistsError rather than replace a file that is not a PNG, RuntimeError after `close`.
        """
        self._refuse_if_closed()
        if self._png is None:
            figure = self.figure()
            self._png, self._alt = png_of(figure), figure.alt
        if path is not None:
            page.write(Path(path), self._png, b"\x89PNG")
        return self._png

    def to_html(self, path: str | Path) -> Path:
        """Write one page that holds everything: no network, no kernel; all but live training works. Returns the path.

        Raises FileExistsError rather than replace a file that is not such a page, ValueError for a model with a layer
        that no browser can run, RuntimeError after `close`.
        """
        self._refuse_if_closed()
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
        self.leave_picture()
        png = base64.b64encode(self.to_png()).decode()
        return {**data, "text/plain": repr(self), "image/png": png}, {**metadata, "image/png": {"alt": self.alt}}

    def leave_picture(self) -> None:
        """Leave the picture in the saved notebook."""
        self.leave(image_tag(self.to_png(), self.alt), RUN)

    def forget(self) -> None:
        """Let go of scene and picture."""
        self.scene, self._png = {}, None

    def _refuse_if_closed(self) -> None:
        if self.comm is None:
            raise RuntimeError(f"{self!r} was closed, for its cell ran again; use what that made")
