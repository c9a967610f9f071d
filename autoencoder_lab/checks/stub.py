"""Whether a student has written anything in a function, and why a function that has lines in it returns nothing."""

import ast
import dis
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

IDLE = {"RESUME", "NOP", "CACHE", "LOAD_CONST", "POP_TOP", "RETURN_VALUE", "RETURN_CONST"}
IDLE |= {"COPY_FREE_VARS", "MAKE_CELL", "EXTENDED_ARG", "LOAD_DEREF", "LOAD_GLOBAL", "LOAD_FAST", "LOAD_FAST_BORROW"}
"""What Python makes of a docstring, `pass`, `...`, and a `return` of None or of a name alone."""


def nothing_returned(function: Callable[..., Any]) -> str | None:
    """What to say of a function that returned None: that `return` is missing, or where; None where it is a stub."""
    code = _code_of(function)
    if code is None or all(instruction.opname in IDLE for instruction in dis.get_instructions(code)):
        return None
    written = list(_statements(function, code))
    if any(isinstance(one, ast.Expr) and _is_constant(one.value, ...) for one in written):
        return None  # the placeholder still stands below lines that were given
    if any(isinstance(one, ast.Return) and one.value and not _is_constant(one.value, None) for one in written):
        return (
            "your function has a `return`, but this time it returned nothing (None). Does every way through it, each "
            "branch of an if, end in a `return`? And does what you return hold a value?"
        )
    return "your function computes something, but returns nothing: its `return` is missing"


def raised_by_hand(error: NotImplementedError) -> bool:
    """Whether a student's own line says `raise NotImplementedError`; PyTorch raises it for what cannot be called."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace is None:
        return True
    home = trace.tb_frame.f_globals.get("__name__", "").partition(".")[0]
    raises = dis.opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"
    return raises and home not in ("torch", "autoencoder_lab")


def _code_of(function: Any) -> CodeType | None:
    """The code that a student wrote, below decorators, partial and methods; None where there is none to be seen."""
    function = inspect.unwrap(function)
    while isinstance(function, functools.partial):
        function = inspect.unwrap(function.func)
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code if isinstance(code, CodeType) else None


def _statements(function: Callable[..., Any], code: CodeType) -> Iterator[ast.AST]:
    """What stands in the function, without the functions in it; nothing where its source is not to be had."""
    try:
        tree = ast.parse(textwrap.dedent("".join(inspect.getsourcelines(code)[0])))
    except (OSError, TypeError, SyntaxError, ValueError):
        return
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    heads = [node for node in ast.walk(tree) if isinstance(node, inner[:2]) and node.name == code.co_name]
    left: list[ast.AST] = list(heads[0].body) if heads else []
    while left:
        node = left.pop()
        yield node
        left += [] if isinstance(node, inner) else list(ast.iter_child_nodes(node))


def _is_constant(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value
