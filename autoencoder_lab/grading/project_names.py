"""What every name in this project's files stands for: definitions, imports, and what a package loads lazily."""

import ast
from collections.abc import Iterable
from pathlib import Path

PROJECT = ("autoencoder_lab", "evidence")
NO_FIGURE = "No figure depends on this."
BY_ENTRY = "# a figure depends on the entries it names only"

# A name in a module. None: the module itself, or what another project's dotted name stands for; "": all statements
# of the module that define nothing
Target = tuple[str, str | None]
Scope = dict[str, Target | None]  # what a function's own names are bound to: None, unless they were imported

DEFINING = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Import,
    ast.ImportFrom,
)  # fmt: skip


# --- one file --------------------------------------------------------------------------------------


def bound(nodes: Iterable[ast.AST], package: str) -> Scope:
    """The names that statements bind in their own scope, not those in functions below it."""
    names: Scope = {}
    waiting, elsewhere = list(nodes), set()
    while waiting:
        node = waiting.pop(0)
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.setdefault(node.name, None)
                continue
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                continue
            case ast.Import():
                for alias in node.names:
                    top = alias.name.split(".")[0]
                    names[alias.asname or top] = (alias.name if alias.asname else top, None)
            case ast.ImportFrom():
                above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
                source = ".".join([*above, *filter(None, [node.module])])
                names |= {alias.asname or alias.name: (source, alias.name) for alias in node.names}
            case ast.Name(ctx=ast.Store() | ast.Del()):
                names.setdefault(node.id, None)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names.setdefault(name, None)
            case ast.MatchMapping(rest=str(name)):
                names.setdefault(name, None)
            case ast.Global():
                elsewhere |= set(node.names)
        waiting += ast.iter_child_nodes(node)
    return {name: target for name, target in names.items() if name not in elsewhere}


def for_types_alone(node: ast.AST) -> bool:
    """Whether a statement is `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def says_no_figure(node: ast.AST) -> bool:
    """Whether a docstring says that no figure depends on what it stands in."""
    if not isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return NO_FIGURE in " ".join((ast.get_docstring(node) or "").split())


class Module:
    """The top level of one file: what its names are bound to, and the statements that bind none."""

    def __init__(self, text: str, package: str, is_package: bool = False) -> None:
        self.lines, self.package, self.is_package = ["", *text.splitlines()], package, is_package
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, Target] = {}
        self.types: Scope = {}  # imported for type checkers alone
        self.rest: list[ast.stmt] = []
        tree = ast.parse(text)
        for statement in tree.body:
            if isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'":
                continue
            if for_types_alone(statement):
                self.types |= bound(statement.body, package)  # type: ignore[attr-defined]
                continue
            names = bound([statement], package)
            for name, target in names.items():
                if target is None:
                    self.definitions.setdefault(name, []).append(statement)
                else:
                    self.imports[name] = target
            if not names or not isinstance(statement, DEFINING):  # a loop does more than bind its variable
                self.rest.append(statement)
        self.no_figure = says_no_figure(tree)

    def counts_by_entry(self, node: ast.stmt) -> bool:
        """Whether the comment that says so stands above a table."""
        return self.lines[node.lineno - 1].strip() == BY_ENTRY


# --- the whole project -----------------------------------------------------------------------------


class Project:
    """The project's files under `root`, each read once, and where their names are defined."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.known: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """A file of the project by its dotted name; None for what is none of the project's."""
        if name not in self.known:
            base = self.root.joinpath(*name.split("."))
            files = [file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()]
            self.known[name] = None
            if files and name.split(".")[0] in PROJECT:
                is_package = files[0].name == "__init__.py"
                package = name if is_package else name.rpartition(".")[0]
                self.known[name] = Module(files[0].read_text(encoding="utf-8"), package, is_package)
        return self.known[name]

    def find(self, module: str, name: str) -> Target:
        """Where a name of a module is defined: there, where it is imported from, or below a package.

        Raises LookupError where a module of the project has no such name.
        """
        here = self.module(module)
        if here is None:
            return f"{module}.{name}", None
        if name in here.definitions:
            return module, name
        imported = here.imports.get(name)
        if imported is not None and imported != (module, name):
            return self.follow(imported)
        if self.module(f"{module}.{name}") is not None:
            return f"{module}.{name}", None
        if "__getattr__" in here.definitions:
            return self._find_lazy(module, here, name)
        raise LookupError(f"{module} defines no {name!r} and imports none; is it misspelt?")

    def follow(self, target: Target) -> Target:
        """Where an imported name is defined."""
        return target if target[1] is None else self.find(target[0], target[1])

    def _find_lazy(self, module: str, here: Module, name: str) -> Target:
        """What a package's `__getattr__` gives: what it tells type checkers, else the one file below that has it."""
        if name in here.types:
            return self.follow(here.types[name] or (module, name))
        folder = self.root.joinpath(*module.split("."))
        below = [".".join(file.relative_to(self.root).with_suffix("").parts) for file in sorted(folder.rglob("*.py"))]
        found: list[Target] = [(one, None) for one in below if one.rpartition(".")[2] == name]
        found += [(one, name) for one in below if (there := self.module(one)) is not None and name in there.definitions]
        if len(found) == 1:
            return found[0]
        where = ", ".join(one for one, _ in found) or "no file below it"
        raise LookupError(f"{module}.{name} is loaded lazily; expected one file that defines it, got {where}")

    def public(self, module: str, here: Module) -> list[Target]:
        """What a module gives that is handed on as a value."""
        names = set(here.definitions)
        if here.is_package:
            names |= set(here.imports) | set(here.types if "__getattr__" in here.definitions else ())
        return [self.find(module, name) for name in sorted(names) if not name.startswith("_")]
