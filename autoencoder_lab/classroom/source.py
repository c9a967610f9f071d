"""A class's own source, highlighted."""

import inspect
import re
import textwrap
from typing import Any

from autoencoder_lab.classroom.display import show_page


def show_source(*things: Any, docstrings: bool = True) -> None:
    """Show the Python source of classes, functions or methods (of an instance: of its class), highlighted.

    docstrings=False leaves them out where the text around has said it all.
    Raises TypeError for something without Python source, such as a built-in.
    """
    plain, blocks = [], []
    for thing in things:
        if not (inspect.isclass(thing) or inspect.isroutine(thing) or inspect.ismodule(thing)):
            thing = type(thing)
        try:
            source = textwrap.dedent(inspect.getsource(thing)).rstrip()
        except (OSError, TypeError) as error:
            raise TypeError(f"{thing!r} has no Python source to show; give a class, function or method") from error
        source = source if docstrings else _without_docstrings(source)
        name = thing.__name__ if inspect.ismodule(thing) else f"{thing.__module__}.{thing.__qualname__}"
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", source)), default=0))
        blocks.append(f"`{name}`\n{fence}python\n{source}\n{fence}")
        plain.append(source)
    # Markdown, because a front end colours it in its own theme, dark or light, and GitHub does so too
    show_page("\n\n\n".join(plain), "\n\n".join(blocks), mime="text/markdown")


def _without_docstrings(source: str) -> str:
    import ast

    lines: list[str | None] = list(source.splitlines())
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and len(node.body) > 1:
            first = node.body[0]
            if ast.get_docstring(node) is not None and first.lineno > node.lineno:
                last = first.end_lineno or first.lineno
                lines[first.lineno - 1 : last] = [None] * (last - first.lineno + 1)
    return "\n".join(line for line in lines if line is not None)
