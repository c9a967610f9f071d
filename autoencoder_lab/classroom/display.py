"""What is shown in a notebook, and what a script prints in its place."""

import html
import re
import sys
from collections.abc import Callable
from typing import Any


def escaped(text: str) -> str:
    """Escaped for HTML; `code` in backticks becomes code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def show_page(plain: str, page: str, widget: Callable[[], Any] | None = None, mime: str = "text/html") -> None:
    """Display `page` in a notebook, with a live widget where one is given and possible; print `plain` elsewhere."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        print(plain)
        return
    from IPython.display import display

    bundle: dict[str, Any] = {"text/plain": plain, mime: page}
    if widget is not None and hasattr(shell, "kernel"):
        try:
            live = widget()._repr_mimebundle_()
        except ImportError:  # no anywidget: the text says the same
            live = None
        if live is not None:
            bundle = {**(live[0] if isinstance(live, tuple) else live), **bundle}
    display(bundle, raw=True)
