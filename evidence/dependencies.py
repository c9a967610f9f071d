"""What a piece of code rests on: every definition that it reaches, found through the imports of the file it stands in.

`Tree().experiment("c31")` and `Tree(shown=True).notebook(text)` give a hash of all that an experiment or a notebook
uses of this project. Evidence and notebooks are made anew when theirs changes.

- A function, a class (its methods and bases too) or a constant counts whole, and what it names is followed: through
  imports, at the top or inside a function, re-exports and the tables of a package that loads its names lazily.
- A module that is handed on as a value, as in `getattr(metrics, column)`, counts with all its public names.
- Statements that define nothing count where any name of their module, or of one below it, is reached.
- A file of the package that is no Python counts, byte by byte, where the strings of the reached code spell its name:
  "digits.npz" whole, or its stem and its suffix apart, as in f"{name}.npz".
- Docstrings, comments, annotations and imports do not count, nor the wording of errors, nor a class's own learning rate
  and number of steps: every experiment gives its own. A notebook shows or uses them, so there (`shown`) the latter two
  count, and the words of what `show_source` shows.
- No module's or file's name counts: moving code changes no hash. Nor does the version of Python.

Two comments, on the line above a definition or at the end of its first line, say what no rule can know:

    # no figure depends on this                      a progress bar, say: it is not looked into
    # a figure depends on the entries it names only  for a table {"name": …}: an entry counts if its name is reached

`# no figure depends on this file`, alone on a line, says it of a whole file.
"""

import ast
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LIBRARY, PROJECT = "autoencoder_lab", ("autoencoder_lab", "evidence")
NO_FIGURE = "# no figure depends on this"
BY_ENTRY = "# a figure depends on the entries it names only"
TUNED = {"learning_rate", "suggested_steps"}
UNREAD = {"annotation", "returns", "type_comment", "type_params", "ctx", "kind", "simple"}  # fields of a syntax tree
NOTEBOOK = "a notebook"  # in place of a module's name

# A name in a module. None: the module itself, or what another project's dotted name stands for; "": all statements
# of the module that define nothing
Target = tuple[str, str | None]
Scope = dict[str, Target | None]  # what a function's own names are bound to: None, unless they were imported


DEFINING = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Import,
    ast.ImportFrom,
)  # fmt: skip


class Definition(NamedTuple):
    """A definition reduced to what it computes; the targets it names, in their order; the strings in it; a table's
    entries, where only those named count."""

    text: str
    uses: tuple[Target, ...] = ()
    strings: frozenset[str] = frozenset()
    entries: tuple[tuple[str, "Definition"], ...] = ()


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


def _for_types_alone(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


class Module:
    """The top level of one file: what its names are bound to, and the statements that bind none."""

    def __init__(self, text: str, package: str, is_package: bool = False) -> None:
        self.lines, self.package, self.is_package = ["", *text.splitlines()], package, is_package
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, Target] = {}
        self.types: Scope = {}  # imported for type checkers alone
        self.rest: list[ast.stmt] = []
        for statement in ast.parse(text).body:
            if isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'":
                continue
            if _for_types_alone(statement):
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
        self.no_figure = f"{NO_FIGURE} file" in self.lines

    def says(self, comment: str, node: ast.stmt) -> bool:
        """Whether the comment stands above a statement or at the end of its first line."""
        first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
        return self.lines[first - 1].strip() == comment or self.lines[first].endswith("  " + comment)

    def homes(self, name: str) -> list[str]:
        """The values that tables at the top level, {"name": "home"}, give for a name."""
        values = [getattr(node, "value", None) for nodes in self.definitions.values() for node in nodes]
        pairs = [
            pair
            for table in values
            if isinstance(table, ast.Dict)
            for pair in zip(table.keys, table.values, strict=True)
        ]
        return [
            home.value
            for key, home in pairs
            if isinstance(key, ast.Constant) and key.value == name
            if isinstance(home, ast.Constant) and isinstance(home.value, str)
        ]


class _Reader:
    """Writes syntax trees out: all that computes, each name as what it stands for. Notes the names and strings met."""

    def __init__(self, tree: "Tree", module: str) -> None:
        self.tree, self.module, self.here = tree, module, tree.module(module)
        self.uses: list[Target] = []
        self.strings: set[str] = set()

    def text(self, node: Any, scopes: Sequence[Scope] = ()) -> str:
        """One node, list of nodes or plain value; "" for what does not count."""
        if isinstance(node, list):
            return f"[{'; '.join(filter(None, [self.text(item, scopes) for item in node]))}]"
        if not isinstance(node, ast.AST):
            return ascii(node)
        if isinstance(node, ast.stmt) and self._is_left_out(node):
            return ""
        if (target := self._target(node, scopes)) is not None:
            return self._named(target)
        match node:
            case ast.Constant(value=value):
                self.strings |= {value} if isinstance(value, str) else set()
                return ascii(value)
            case ast.JoinedStr():  # pieces of text side by side are divided in one way or another
                return f"f{[self.text(part, scopes) for part in node.values if getattr(part, 'value', None) != '']}"
            case ast.Raise() if not self.tree.shown:
                kind = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                return f"raise {'' if kind is None else ast.unparse(kind).rpartition('.')[2]}"
            case ast.AnnAssign():
                return f"Assign({self.text([node.target], scopes)}, {self.text(node.value, scopes)})"
            case ast.Assign():
                return f"Assign({self.text(node.targets, scopes)}, {self.text(node.value, scopes)})"
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                return self._function(node, scopes)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                return self._comprehension(node, scopes)
            case ast.ClassDef() if not self.tree.shown:
                node = _with_body(node, [item for item in node.body if not _assigned(item) & TUNED])
            case ast.Call(func=ast.Attribute(attr="show_source") | ast.Name(id="show_source")) if self.tree.shown:
                return self._fields(node, scopes) + "".join(self._words(thing, scopes) for thing in node.args)
        return self._fields(node, scopes)

    def _fields(self, node: ast.AST, scopes: Sequence[Scope]) -> str:
        values = [(name, getattr(node, name, None)) for name in node._fields if name not in UNREAD]
        written = [f"{name}={self.text(value, scopes)}" for name, value in values if value is not None and value != []]
        return f"{type(node).__name__}({', '.join(written)})"

    def _function(self, node: Any, scopes: Sequence[Scope]) -> str:
        arguments = [item.arg for item in ast.iter_child_nodes(node.args) if isinstance(item, ast.arg)]
        body = node.body if isinstance(node.body, list) else [node.body]
        inner = [*scopes, dict.fromkeys(arguments) | bound(body, self.here.package)]
        outside = self.text([*getattr(node, "decorator_list", []), node.args], scopes)  # evaluated where it stands
        return f"{type(node).__name__}({getattr(node, 'name', '')}, {outside}, {self.text(body, inner)})"

    def _comprehension(self, node: Any, scopes: Sequence[Scope]) -> str:
        inner = [*scopes, bound([part.target for part in node.generators], self.here.package)]
        written = [self.text(getattr(node, name), inner) for name in node._fields if name != "generators"]
        for number, part in enumerate(node.generators):
            source = self.text(part.iter, inner if number else scopes)
            written += [self.text(part.target, inner), source, self.text(part.ifs, inner)]
        return f"{type(node).__name__}({', '.join(written)})"

    def _is_left_out(self, node: ast.stmt) -> bool:
        """Docstrings, imports and what is said to change no figure."""
        words = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        nothing = isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) or _for_types_alone(node)
        return words or nothing or self.here.says(NO_FIGURE, node)

    def _target(self, node: ast.AST, scopes: Sequence[Scope]) -> Target | None:
        """What a name or an attribute of a module stands for; None for a function's own names and built-in ones."""
        if not isinstance(getattr(node, "ctx", None), ast.Load):
            return None
        if isinstance(node, ast.Name):
            for scope in reversed(scopes):
                if node.id in scope:
                    imported = scope[node.id]
                    return imported and self.tree.follow(imported)
            ours = node.id in self.here.definitions or node.id in self.here.imports
            return self.tree.find(self.module, node.id) if ours else None
        if isinstance(node, ast.Attribute) and not node.attr.startswith("__"):
            owner = self._target(node.value, scopes)
            if owner is not None and owner[1] is None:
                return self.tree.find(owner[0], node.attr)
        return None

    def _named(self, target: Target) -> str:
        module, name = target
        if self.tree.module(module) is None:
            return f"<{module}>"
        self.uses.append(target)
        return f"<{name or 'a module'}>"

    def _words(self, thing: ast.expr, scopes: Sequence[Scope]) -> str:
        """A class or function, or the class of a method, as it is written; "" for anything else."""
        target = self._target(thing, scopes)
        if target is None and isinstance(thing, ast.Attribute):
            return self._words(thing.value, scopes)
        module, name = target or ("", None)
        here = self.tree.module(module)
        nodes = here.definitions.get(name or "", []) if here else []
        return "".join("\n".join(here.lines[node.lineno : (node.end_lineno or 0) + 1]) for node in nodes)


def _assigned(node: ast.stmt) -> set[str]:
    return set(bound([node], "")) if isinstance(node, ast.Assign | ast.AnnAssign) else set()


def _with_body(node: ast.ClassDef, body: list[ast.stmt]) -> ast.ClassDef:
    return ast.ClassDef(node.name, node.bases, node.keywords, body, node.decorator_list)


# --- the whole project -----------------------------------------------------------------------------


class Tree:
    """The project's files under `root`, each read once. shown: for a notebook, see above."""

    def __init__(self, root: Path = ROOT, shown: bool = False) -> None:
        self.root, self.shown = root, shown
        self._modules: dict[str, Module | None] = {}
        self._definitions: dict[Target, Definition] = {}

    def experiment(self, module: str, name: str = "experiment") -> str:
        """Twelve hexadecimal digits for all that the function `name` of evidence/`module`.py rests on."""
        return self._hash([self.find(f"evidence.{module}", name)])[:12]

    def notebook(self, text: str) -> str:
        """Sixteen hexadecimal digits for all that a notebook's code rests on, itself included."""
        here = self._modules[NOTEBOOK] = Module(text, "")
        self._definitions = {target: one for target, one in self._definitions.items() if target[0] != NOTEBOOK}
        return self._hash([(NOTEBOOK, ""), *((NOTEBOOK, name) for name in here.definitions)])[:16]

    # --- names -------------------------------------------------------------------------------------

    def module(self, name: str) -> Module | None:
        """A file of the project by its dotted name; None for what is none of the project's."""
        if name not in self._modules:
            base = self.root.joinpath(*name.split("."))
            files = [file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()]
            self._modules[name] = None
            if files and name.split(".")[0] in PROJECT:
                is_package = files[0].name == "__init__.py"
                package = name if is_package else name.rpartition(".")[0]
                self._modules[name] = Module(files[0].read_text(encoding="utf-8"), package, is_package)
        return self._modules[name]

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
        """What a package's `__getattr__` gives: by its tables, by what it tells type checkers, else by its files."""
        for home in here.homes(name):
            where = f"{module}.{home}"
            if (there := self.module(where)) is not None:
                return self.find(where, name) if name in there.definitions | there.imports else (where, None)
        if name in here.types:
            return self.follow(here.types[name] or (module, name))
        folder = self.root.joinpath(*module.split("."))
        below = [".".join(file.relative_to(self.root).with_suffix("").parts) for file in sorted(folder.rglob("*.py"))]
        found = [one for one in below if (there := self.module(one)) is not None and name in there.definitions]
        if len(found) == 1:
            return found[0], name
        raise LookupError(f"{module}.{name} is loaded lazily, and is defined in {found or 'no file below it'}")

    def _public(self, module: str, here: Module) -> list[Target]:
        """What a module gives that is handed on as a value."""
        names = set(here.definitions)
        if here.is_package:
            names |= set(here.imports) | set(here.types)
        return [self.find(module, name) for name in sorted(names) if not name.startswith("_")]

    # --- definitions -------------------------------------------------------------------------------

    def definition(self, target: Target) -> Definition:
        """What stands under a name."""
        if target not in self._definitions:
            self._definitions[target] = self._read(*target)
        return self._definitions[target]

    def _read(self, module: str, name: str | None) -> Definition:
        here = self.module(module)
        if here is None or here.no_figure:
            return Definition("")
        if name is None:
            return Definition("", tuple(self._public(module, here)))
        nodes = here.definitions[name] if name else here.rest
        if any(here.says(BY_ENTRY, node) for node in nodes):
            (table,) = [node.value for node in nodes if isinstance(node, ast.Assign | ast.AnnAssign)]
            assert isinstance(table, ast.Dict), f"{module}.{name} is marked as a table and is no {{name: entry}}"
            pairs = zip(table.keys, table.values, strict=True)
            return Definition(
                "", entries=tuple((ast.literal_eval(key), self._written(module, [key, value])) for key, value in pairs)
            )
        return self._written(module, nodes)

    def _written(self, module: str, nodes: list[ast.AST]) -> Definition:
        reader = _Reader(self, module)
        text = reader.text(nodes)
        return Definition("" if text == "[]" else text, tuple(reader.uses), frozenset(reader.strings))

    def reached(self, start: Iterable[Target]) -> list[tuple[Target, Definition]]:
        """All that the targets rest on, themselves included; with each, what its module and the packages above do."""
        seen, found, strings = set(), [], set()
        waiting = [(target, self.definition(target)) for target in start]
        while waiting:
            while waiting:
                target, one = waiting.pop()
                found.append((target, one))
                strings |= one.strings
                parts = target[0].split(".")
                above = [(".".join(parts[: i + 1]), "") for i in range(len(parts))]
                new = dict.fromkeys(use for use in (*one.uses, *above) if use not in seen)
                seen |= set(new)
                waiting += [(use, self.definition(use)) for use in new]
            tables = [(target, entry) for target, one in found for entry in one.entries if entry[0] in strings]
            waiting = [
                ((module, f"{name}[{key}]"), entry)
                for (module, name), (key, entry) in tables
                if (module, f"{name}[{key}]") not in seen
            ]
            seen |= {target for target, _ in waiting}
        return found

    def _hash(self, start: Iterable[Target]) -> str:
        found = self.reached(start)
        # names stand without their module: so where one stands, what it stands for is written beside it
        lines = {
            " ".join([one.text, *(_sha256(self.definition(use).text.encode()) for use in one.uses)])
            for _, one in found
            if one.text
        }
        strings = set().union(*(one.strings for _, one in found))
        files = [file for file in self._data_files() if file.name in strings or {file.stem, file.suffix} <= strings]
        lines |= {_sha256(file.read_bytes().replace(b"\r\n", b"\n")) for file in files}  # as Windows may have it
        return _sha256("\n".join(sorted(lines)).encode())

    def _data_files(self) -> list[Path]:
        """The library's files that are no Python."""
        files = (self.root / LIBRARY).rglob("*")
        return [file for file in files if file.suffix not in (".py", ".pyc", "") and file.is_file()]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
