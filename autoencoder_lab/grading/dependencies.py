"""What a piece of code rests on: every definition that it reaches, found through the imports of the file it stands in.

`Tree().experiment("c31")`, `Tree(shown=True).notebook(text)` and `behind(judge)` give a hash of all that an experiment,
a notebook or a judge uses of this project. Evidence, notebooks and marks are made anew when theirs changes.

- A function, a class (its methods and bases too) or a constant counts whole, and what it names is followed: through
  imports (at the top or inside a function), re-exports, and what a package loads lazily and tells type checkers of.
- A module that is handed on as a value, as in `getattr(metrics, column)`, counts with all its public names.
- Statements that define nothing count where any name of their module, or of one below it, is reached.
- A file of the package that is no Python counts, byte by byte, where the strings of the reached code spell its name:
  "digits.npz" whole, or its stem and its suffix apart, as in f"{name}.npz". So do the scripts that a script imports.
- Docstrings, comments, annotations and imports do not count, nor the wording of errors, nor a class's own learning rate
  and number of steps: every experiment gives its own. A notebook shows or uses them, so there (`shown`) the latter two
  count, and the words of what `show_source` shows.
- No module's or file's name counts: moving code changes no hash. Nor does the version of Python.

The code itself says what no rule can know:

- "No figure depends on this." in the docstring of a function, a class or a file, such as a progress bar's: it does not
  count, and what it names is not followed.
- `# a figure depends on the entries it names only`, a comment above a table {"name": entry}: an entry counts where a
  string of the reached code is its name.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from autoencoder_lab.grading.project_names import (
    BY_ENTRY,
    Module,
    Project,
    Scope,
    Target,
    bound,
    for_types_alone,
    says_no_figure,
)

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = "autoencoder_lab"
TUNED = {"learning_rate", "suggested_steps"}
UNREAD = {"annotation", "returns", "type_comment", "type_params", "ctx", "kind", "simple"}  # fields of a syntax tree
IMPORTED = re.compile(rb"""from "\./([\w.]+)";""")  # by a script
NOTEBOOK = "a notebook"  # in place of a module's name


class Definition(NamedTuple):
    """A definition reduced to what it computes; the targets it names, in their order; the strings in it; a table's
    entries, where only those named count."""

    text: str
    uses: tuple[Target, ...] = ()
    strings: frozenset[str] = frozenset()
    entries: tuple[tuple[str, "Definition"], ...] = ()


# --- one definition --------------------------------------------------------------------------------


class _Reader:
    """Writes syntax trees out: all that computes, each name as what it stands for. Notes the names and strings met."""

    def __init__(self, project: Project, module: str, here: Module, shown: bool) -> None:
        self.project, self.module, self.here, self.shown = project, module, here, shown
        self.uses: list[Target] = []
        self.strings: set[str] = set()

    def text(self, node: Any, scopes: Sequence[Scope] = ()) -> str:
        """One node, list of nodes or plain value; "" for what does not count."""
        if isinstance(node, list):
            return f"[{'; '.join(filter(None, [self.text(item, scopes) for item in node]))}]"
        if not isinstance(node, ast.AST):
            return ascii(node)
        if isinstance(node, ast.stmt) and _is_left_out(node):
            return ""
        if (target := self._target(node, scopes)) is not None:
            return self._named(target)
        match node:
            case ast.Constant(value=value):
                self.strings |= {value} if isinstance(value, str) else set()
                return ascii(value)
            case ast.JoinedStr():  # a version of Python adds empty pieces
                parts = [part for part in node.values if getattr(part, "value", None) != ""]
                return f"JoinedStr({self.text(parts, scopes)})"
            case ast.Raise() if not self.shown:
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
            case ast.ClassDef() if not self.shown:
                node = _with_body(node, [item for item in node.body if not _assigned(item) & TUNED])
            case ast.Call(func=ast.Attribute(attr="show_source") | ast.Name(id="show_source")) if self.shown:
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

    def _target(self, node: ast.AST, scopes: Sequence[Scope]) -> Target | None:
        """What a name or an attribute of a module stands for; None for a function's own names and built-in ones."""
        if not isinstance(getattr(node, "ctx", None), ast.Load):
            return None
        if isinstance(node, ast.Name):
            for scope in reversed(scopes):
                if node.id in scope:
                    imported = scope[node.id]
                    return imported and self.project.follow(imported)
            ours = node.id in self.here.definitions or node.id in self.here.imports
            return self.project.find(self.module, node.id) if ours else None
        if isinstance(node, ast.Attribute) and not node.attr.startswith("__"):
            owner = self._target(node.value, scopes)
            if owner is not None and owner[1] is None:
                return self.project.find(owner[0], node.attr)
        return None

    def _named(self, target: Target) -> str:
        module, name = target
        if self.project.module(module) is None:
            return f"<{module}>"
        self.uses.append(target)
        return f"<{name or 'a module'}>"

    def _words(self, thing: ast.expr, scopes: Sequence[Scope]) -> str:
        """A class or function, or the class of a method, as it is written; "" for anything else."""
        target = self._target(thing, scopes)
        if target is None and isinstance(thing, ast.Attribute):
            return self._words(thing.value, scopes)
        module, name = target or ("", None)
        here = self.project.module(module)
        if here is None or name is None:
            return ""
        nodes = here.definitions[name]
        return "".join("\n".join(here.lines[node.lineno : (node.end_lineno or 0) + 1]) for node in nodes)


def _is_left_out(node: ast.stmt) -> bool:
    """Docstrings, imports and what is said to change no figure."""
    words = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    nothing = isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) or for_types_alone(node)
    return words or nothing or says_no_figure(node)


def _assigned(node: ast.stmt) -> set[str]:
    return set(bound([node], "")) if isinstance(node, ast.Assign | ast.AnnAssign) else set()


def _with_body(node: ast.ClassDef, body: list[ast.stmt]) -> ast.ClassDef:
    return ast.ClassDef(node.name, node.bases, node.keywords, body, node.decorator_list)


# --- all that is reached ----------------------------------------------------------------------------


class Tree:
    """The project under `root`, and what its experiments and notebooks rest on. shown: for notebooks, see above."""

    def __init__(self, root: Path = ROOT, shown: bool = False) -> None:
        self.project, self.shown = Project(root), shown
        self._definitions: dict[Target, Definition] = {}
        self._digests: dict[Target, str] = {}

    def experiment(self, module: str, name: str = "experiment") -> str:
        """Twelve hexadecimal digits for all that the function `name` of evidence/`module`.py rests on."""
        return self._hash(self.reached([self.project.find(f"evidence.claims.{module}", name)]))[:12]

    def notebook(self, text: str) -> str:
        """Sixteen hexadecimal digits for all that a notebook's code rests on, itself included."""
        return self._hash(self.reached_by(text))[:16]

    def reached_by(self, text: str) -> list[tuple[Target, Definition]]:
        """All that a notebook's code rests on."""
        here = self.project.known[NOTEBOOK] = Module(text, "")
        for known in (self._definitions, self._digests):
            for target in [target for target in known if target[0] == NOTEBOOK]:
                del known[target]
        return self.reached([(NOTEBOOK, ""), *((NOTEBOOK, name) for name in here.definitions)])

    def definition(self, target: Target) -> Definition:
        """What stands under a name."""
        if target not in self._definitions:
            self._definitions[target] = self._read(*target)
        return self._definitions[target]

    def _read(self, module: str, name: str | None) -> Definition:
        here = self.project.module(module)
        if here is None or here.no_figure:
            return Definition("")
        if name is None:
            return Definition("", tuple(self.project.public(module, here)))
        nodes = here.definitions[name] if name else here.rest
        if not any(map(here.counts_by_entry, nodes)):
            return self._written(module, here, nodes)
        tables = [node.value for node in nodes if isinstance(node, ast.Assign | ast.AnnAssign)]
        if len(nodes) > 1 or not isinstance(tables[0], ast.Dict):
            raise ValueError(f"{module}.{name} says {BY_ENTRY!r}, which is for one table {{name: entry}}")
        pairs = [(key, value) for key, value in zip(tables[0].keys, tables[0].values, strict=True) if key is not None]
        entries = [(ast.literal_eval(key), self._written(module, here, [key, value])) for key, value in pairs]
        return Definition("", entries=tuple(entries))

    def _written(self, module: str, here: Module, nodes: list[Any]) -> Definition:
        reader = _Reader(self.project, module, here, self.shown)
        text = reader.text(nodes)
        return Definition("" if text == "[]" else text, tuple(reader.uses), frozenset(reader.strings))

    def reached(self, start: Iterable[Target]) -> list[tuple[Target, Definition]]:
        """All that the targets rest on, themselves included; with each, what its module and the packages above do."""
        seen: set[Target] = set()
        strings: set[str] = set()
        found: list[tuple[Target, Definition]] = []
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
            named = [
                ((module, f"{name}[{key}]"), entry)
                for (module, name), table in found
                for key, entry in table.entries
                if key in strings
            ]
            waiting = [(target, entry) for target, entry in named if target not in seen]
            seen |= {target for target, _ in waiting}
        return found

    def files(self, found: list[tuple[Target, Definition]]) -> set[Path]:
        """The library's files, no Python ones, whose names the strings of what was reached spell, and their imports."""
        strings = set().union(*(one.strings for _, one in found))
        known = [file for file in (self.project.root / LIBRARY).rglob("*.*") if file.suffix not in (".py", ".pyc")]
        waiting = [file for file in known if file.name in strings or {file.stem, file.suffix} <= strings]
        files: set[Path] = set()
        while waiting:
            file = waiting.pop()
            files.add(file)
            imported = set(IMPORTED.findall(file.read_bytes())) if file.suffix == ".js" else set()
            waiting += [other for other in known if other.name.encode() in imported and other not in files]
        return files

    def _hash(self, found: list[tuple[Target, Definition]]) -> str:
        # names stand without their module, so beside a text stands what each name in it stands for
        lines = {" ".join([one.text, *map(self._digest, one.uses)]) for _, one in found if one.text}
        # line ends may be Windows'
        lines |= {_sha256(file.read_bytes().replace(b"\r\n", b"\n")) for file in self.files(found)}
        return _sha256("\n".join(sorted(lines)).encode())

    def _digest(self, target: Target) -> str:
        if target not in self._digests:
            self._digests[target] = _sha256(self.definition(target).text.encode())
        return self._digests[target]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def behind(judge: Path) -> str:
    """Sixteen hexadecimal digits for all that a judge's marks rest on: its file, and the package's code it reaches.

    The questions, the limits and the engine's way with a submission are reached too; what isolates it is not. Where a
    judge's names cannot be followed, every file of the package counts.
    """
    text, tree = judge.read_text(encoding="utf-8"), Tree(shown=True)
    try:
        engine = [tree.project.find(f"{LIBRARY}.grading.grade", name) for name in ("assemble", "_Grader")]
        code = tree._hash(tree.reached_by(text) + tree.reached(engine))
    except (LookupError, ValueError, SyntaxError):
        files = sorted((ROOT / LIBRARY).rglob("*.py"))
        code = _sha256("".join(_sha256(file.read_bytes()) for file in files).encode())
    return _sha256(f"{_sha256(text.encode())} {code}".encode())[:16]
