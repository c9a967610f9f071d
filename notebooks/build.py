"""Build the notebooks from their sources: python notebooks/build.py [NAME ...] [--check] [--force]

notebooks/source/NN_name.py (jupytext py:percent, the only thing one edits) becomes notebooks/NN_name.ipynb without its
solutions, executed from top to bottom and stored with its outputs. Only what changed is built: a notebook keeps a hash
of its source and one of all that its code reaches in the library (grading/dependencies.py says how). If only prose
changed, the outputs stay.

--check runs nothing: it fails where a notebook's cells are not what its source gives now, and warns where something it
uses in the library has changed since. notebooks/source/README.md has the conventions for authors.
"""

import argparse
import hashlib
import html
import math
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jupytext
import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, Python looks beside this file alone
from autoencoder_lab.commands.notebook_runner import CellFailed, run_cells  # noqa: E402
from autoencoder_lab.files import write_whole  # noqa: E402
from autoencoder_lab.grading.dependencies import Tree  # noqa: E402
from notebooks.doors import colab_cells, repository  # noqa: E402
from notebooks.prose_numbers import (  # noqa: E402
    PLACEHOLDER,
    answered,
    is_question,
    unwritten,
    with_questions,
    write_numbers,
)
from notebooks.read_sources import built_path, core_cells, is_folded, notebook_sources, reckoned_minutes  # noqa: E402

BUILDER_VERSION = 2  # raise it when the builder would now store something else for the same source
MAX_BYTES = 2_000_000
MAX_SECONDS = 120  # of execution, on the reference machine
# Machines differ, so seconds are counted in steps of ConvAutoencoder(32) on 64 digits, timed in the same run: on the
# reference machine, two cores that have nothing else to do, one takes this long
REFERENCE_STEP = 0.010  # seconds
CELL_TIMEOUT = 600  # seconds
WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
IMAGE_MIMES = ("image/png", "image/jpeg", "image/svg+xml")
ABSOLUTE_PATH = re.compile(r"(?<![\w.~:/])/(home|root|tmp|Users|private|usr|opt|var)/[\w./-]+|\b[A-Z]:\\\w+")
STUB = "...  # your code here"
BESIDE = "Beside every notebook: [glossary]({{glossary}}) · [notation]({{notation}}) · [sources]({{sources}})."


# --- from the source to the student's cells --------------------------------------------------------


def read_source(path: Path) -> NotebookNode:
    """The notebook as its author wrote it, solutions included."""
    return jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")


def without_solutions(source: str) -> str:
    """Replace every `# solution-begin` … `# solution-end` block by one stub line of the same indentation.

    Raises ValueError if the two markers do not alternate: a forgotten one would hand out a solution.
    """
    kept, inside = [], False
    for line in source.splitlines():
        marker = line.strip()
        if marker in ("# solution-begin", "# solution-end"):
            if inside == (marker == "# solution-begin"):
                raise ValueError(f"found {marker!r} where the other marker was expected, in the cell:\n{source}")
            inside = not inside
            if inside:
                indent = line[: len(line) - len(line.lstrip())]
                # a function needs a body; outside one, a last `...` would show up as the cell's output
                kept.append(indent + STUB if indent else STUB.removeprefix("...  "))
        elif not inside:
            if "solution-begin" in line or "solution-end" in line:
                raise ValueError(f"write the marker on a line of its own, as '# solution-begin'; got {line!r}")
            kept.append(line)
    if inside:
        raise ValueError(f"'# solution-begin' without '# solution-end' in the cell:\n{source}")
    return "\n".join(kept)


def student_notebook(source: Path, seconds: float = 0.0, numbers: Mapping[str, str] | None = None) -> NotebookNode:
    """The notebook that `source` gives, not yet run.

    seconds: its measured execution time, and numbers: those that a run came to (prose_numbers.py), both for its text.
    """
    written = read_source(source)
    cells = []
    for cell in written.cells:
        if "help" in cell.metadata.get("tags", []):
            continue  # hints, for notebooks/exercises.py
        metadata: dict[str, Any] = {"tags": list(cell.metadata.tags)} if cell.metadata.get("tags") else {}
        if cell.cell_type == "code":
            if is_folded(cell):
                metadata["jupyter"] = {"source_hidden": True}
            cells.append(nbformat.v4.new_code_cell(without_solutions(cell.source), metadata=metadata))
        else:
            cells.append(nbformat.v4.new_markdown_cell(cell.source, metadata=metadata))
    for cell in cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## Further reading"):
            cell.source += "\n\n" + BESIDE
    pages = f"{repository()}/blob/main/docs"
    fills = {
        "{{minutes}}": str(student_minutes(cells, seconds)),
        "{{seconds}}": str(max(10, math.ceil(seconds / 10) * 10)),
        "{{glossary}}": f"{pages}/glossary.md",
        "{{notation}}": f"{pages}/notation.md",
        "{{sources}}": f"{pages}/sources.md",
        "{{repository}}": repository(),
    }
    for cell in cells:
        if cell.cell_type == "markdown":
            for placeholder, value in fills.items():
                cell.source = cell.source.replace(placeholder, value)
    cells[1:1] = colab_cells(source.stem)
    write_numbers(nbformat.v4.new_notebook(cells=cells), numbers or {})
    for cell, cell_id in zip(cells, _stable_ids(cells), strict=True):
        cell.id = cell_id
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
    }
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def _stable_ids(cells: list[NotebookNode]) -> Iterator[str]:
    """An id from the cell's own text, so that an edit changes one id and not all that follow."""
    seen: dict[str, int] = {}
    for cell in cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        yield digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def student_minutes(cells: list[NotebookNode], seconds: float) -> int:
    """Minutes a student needs for the core path, the measured execution time included."""
    return max(5, reckoned_minutes(core_cells(cells), seconds))


# --- what a notebook was built from ----------------------------------------------------------------


@cache
def _tree() -> Tree:
    return Tree(shown=True)


def library_hash(source: Path) -> str:
    """A hash of all that a notebook's code, as students get it, uses of the library; moving code does not change it."""
    cells = [cell.source for cell in read_source(source).cells if cell.cell_type == "code"]
    return _tree().notebook("\n".join(map(without_solutions, cells)))


def built_from(source: Path) -> dict[str, str | int]:
    """What decides whether a notebook must be built anew."""
    return {
        "source": hashlib.sha256(source.read_text(encoding="utf-8").encode()).hexdigest()[:16],
        "library": library_hash(source),
        "builder": BUILDER_VERSION,
    }


# --- checking --------------------------------------------------------------------------------------


class Findings(NamedTuple):
    """What a check found: failures must be mended, warnings be known."""

    failures: list[str]
    warnings: list[str]


def check(source: Path, target: Path) -> Findings:
    """Are the notebook's cells what its source gives now? Runs nothing."""
    rebuild = f"run python notebooks/build.py {source.stem}"
    if not target.exists():
        return Findings([f"{target.name} is not built; {rebuild}"], [])
    built = nbformat.read(target, as_version=4)
    stored = built.metadata.get("autoencoder_lab", {})
    expected = student_notebook(source, stored.get("seconds", 0.0), stored.get("numbers"))
    failures = []
    for number, (now, then) in enumerate(zip(expected.cells, built.cells, strict=False), start=1):
        if _identity(now) != _identity(then):
            shown = f"{target.name}, cell {number} ({_first_line(then)!r})"
            failures.append(f"{shown} is not what its source gives; {rebuild}")
            break
    else:
        if len(expected.cells) != len(built.cells):
            failures.append(
                f"{target.name} has {len(built.cells)} cells, its source gives {len(expected.cells)}; {rebuild}"
            )
    if stored.get("built_from", {}).get("library") != library_hash(source):
        return Findings(failures, [f"{target.name}: what it uses of the library changed since it was built; {rebuild}"])
    return Findings(failures, [])


def _identity(cell: NotebookNode) -> tuple[str, str, str, list[str]]:
    return cell.id, cell.cell_type, cell.source, list(cell.metadata.get("tags", []))


def _first_line(cell: NotebookNode) -> str:
    lines = [line for line in cell.source.splitlines() if line.strip()]
    return lines[0][:70] if lines else ""


def output_problems(notebook: NotebookNode) -> list[str]:
    """What must not stand in a stored notebook: errors, warnings, addresses, paths, figures without alt text."""
    problems = []
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    if counts != list(range(1, len(counts) + 1)):
        problems.append(f"the cells were not run once from top to bottom: execution counts {counts}")
    for number, cell in enumerate(notebook.cells, start=1):
        where = f"cell {number} ({_first_line(cell)!r})"
        if "execution" in cell.metadata:
            problems.append(f"{where}: execution timestamps")
        if cell.cell_type == "markdown":
            problems += [f"{where}: {text} was not written" for text in PLACEHOLDER.findall(cell.source)]
            missing = re.search(r"!\[\s*\]\(", cell.source) or any(map(_lacks_alt, _image_tags(cell.source)))
            problems += [f"{where}: an image without alt text"] if missing else []
            continue
        for output in cell.outputs:
            problems += [f"{where}: {problem}" for problem in _problems_of(output)]
    size = len(nbformat.writes(notebook).encode())
    if size > MAX_BYTES:
        given = f"{size / 1e6:.1f} MB, more than {MAX_BYTES / 1e6} MB"
        problems.append(f"the notebook has {given}; draw fewer or smaller figures")
    return problems


def _problems_of(output: NotebookNode) -> Iterator[str]:
    if output.output_type == "error":
        yield f"stores the error {output.ename}: {output.evalue}"
        return
    if output.output_type == "stream":
        if output.name == "stderr":
            yield f"stores text on stderr: {output.text[:80]!r}"
        texts = [output.text]
    else:
        data = output.data
        if WIDGET_MIME in data:
            yield "stores a live widget, which is dead without its kernel"
        page = data.get("text/html", "")
        if any(map(_lacks_alt, _image_tags(page))):
            yield "an image in HTML without alt text"
        for mime in IMAGE_MIMES:
            alt = output.metadata.get(mime, {}).get("alt") or output.metadata.get("alt")
            described = alt or _image_tags(page) or (mime == "image/svg+xml" and "<title>" in data.get(mime, ""))
            if mime in data and not described:
                yield f"a figure ({mime}) without alt text"
        texts = [str(text) for mime, text in data.items() if mime.startswith("text/")]
    for text in texts:
        text = re.sub(r"data:[\w/+.-]+;base64,[\w/+=\s]+", "", text)
        if found := re.search(r"\b0x[0-9a-fA-F]{6,}\b", text):
            yield f"a memory address: {found[0]}"
        if found := ABSOLUTE_PATH.search(text):
            yield f"an absolute path: {found[0]}"
        if "\r" in text.replace("\r\n", "\n") or re.search(r"\d+%\|", text):
            yield "a raw progress bar"


def _image_tags(page: str) -> list[str]:
    return re.findall(r"<img\b[^>]*>", page)


def _lacks_alt(tag: str) -> bool:
    found = re.search(r"""\balt\s*=\s*("([^"]*)"|'([^']*)')""", tag)
    return not (found and html.unescape(found[2] or found[3] or "").strip())


# --- running ---------------------------------------------------------------------------------------


def execute(notebook: NotebookNode, directory: Path) -> list[float]:
    """Run every cell in place in a fresh kernel that works in `directory`; return the seconds of each cell."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    # IPYTHONDIR: nobody's own profile takes part
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "IPYTHONDIR": str(directory / ".ipython")}
    return run_cells(notebook, directory, environment, CELL_TIMEOUT)


def tidy_outputs(notebook: NotebookNode, directory: Path) -> list[str]:
    """Keep of the outputs what is the same in the next build and useful without a kernel. Returns what was dropped."""
    remarks = []
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code":
            continue
        kept: list[NotebookNode] = []
        for output in cell.outputs:
            if output.output_type == "stream":
                output.text = _tidy_text(output.text, directory)
                if output.name == "stderr":
                    if output.text.strip():
                        remarks.append(f"cell {number} wrote to stderr (not stored): {output.text.strip()[:200]}")
                elif kept and kept[-1].output_type == "stream":
                    kept[-1].text += output.text
                elif output.text.strip():
                    kept.append(output)
                continue
            if WIDGET_MIME in output.data:
                del output.data[WIDGET_MIME]
                if set(output.data) <= {"text/plain"}:
                    remarks.append(f"cell {number} shows a widget that leaves nothing to see without a kernel")
            for mime, text in output.data.items():
                if mime.startswith("text/"):
                    output.data[mime] = _tidy_text(text, directory)
            # the line in which `fit` counts its steps says how fast this machine was, and nothing else
            progress = re.search(r": (step \d+ of|starting)", output.data.get("text/plain", ""))
            if output.data and not (progress and set(output.data) == {"text/plain"}):
                kept.append(output)
        cell.outputs = kept
    notebook.metadata.pop("widgets", None)
    return remarks


def _tidy_text(text: str, directory: Path) -> str:
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    text = "\n".join(line for line in lines if not re.search(r"\d+%\|", line))
    for folder in (directory, ROOT, Path(sys.prefix)):
        for spelling in {str(folder), str(folder.resolve()), folder.as_posix()}:
            text = text.replace(spelling + os.sep, "").replace(spelling, ".")
    text = text.replace(str(Path.home()) + os.sep, "~" + os.sep)
    return re.sub(r"\bat 0x[0-9a-fA-F]+", "at …", text)


# --- building --------------------------------------------------------------------------------------


class Built(NamedTuple):
    """action: "kept" (nothing changed), "prose" (outputs reused) or "run"; seconds: of every cell that was run."""

    action: str
    seconds: list[float]
    notebook: NotebookNode
    remarks: list[str]


def build(source: Path, target: Path, force: bool = False) -> Built:
    """Bring `target` into step with `source`. Raises CellFailed, and leaves `target` as it was, if a cell fails."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        # from a copy: its author may go on writing while the cells run
        return _build(Path(shutil.copy(source, directory)), target, force)


def _build(source: Path, target: Path, force: bool) -> Built:
    wanted = built_from(source)
    old = nbformat.read(target, as_version=4) if target.exists() and not force else None
    if old and all(cell.execution_count for cell in old.cells if cell.cell_type == "code"):
        stored = old.metadata.get("autoencoder_lab", {})
        then = stored.get("built_from", {})
        if then == wanted and not check(source, target).failures:
            return Built("kept", [], old, [])
        if {**then, "source": wanted["source"]} == wanted:
            fresh = student_notebook(source, stored["seconds"], stored.get("numbers"))
            if not unwritten(fresh) and _take_outputs(fresh, old):
                fresh.metadata["autoencoder_lab"] = {**stored, "built_from": wanted}
                _write(fresh, target)
                return Built("prose", [], fresh, [])

    notebook = with_questions(student_notebook(source))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        before = step_seconds()
        measured = execute(notebook, Path(directory))
        slower = (before + step_seconds()) / 2 / REFERENCE_STEP
        measured = [one for one, cell in zip(measured, notebook.cells, strict=False) if not is_question(cell)]
        numbers = answered(notebook)
        remarks = tidy_outputs(notebook, Path(directory))
    seconds = [one / slower for one in measured]
    kept = {"numbers": numbers} if numbers else {}
    fresh = stamped(source, notebook, {"built_from": wanted, **times(measured, slower), **kept})
    _write(fresh, target)
    return Built("run", seconds, fresh, remarks)


def step_seconds() -> float:
    """Seconds of one step of ConvAutoencoder(32) on 64 digits, here and now."""
    from benchmarks import growth

    return growth.step_seconds(growth.digits(3500))


def times(measured: list[float], slower: float) -> dict[str, float]:
    """What a notebook keeps of its execution: seconds on the reference machine, and how much slower this one was."""
    return {"seconds": round(sum(measured) / slower, 1), "slower": round(slower, 2)}


def stamped(source: Path, run: NotebookNode, stored: dict[str, Any]) -> NotebookNode:
    """The notebook with the outputs of a run, the text that names its time, and what is kept of how it was built."""
    fresh = student_notebook(source, stored["seconds"], stored.get("numbers"))
    assert _take_outputs(fresh, run)
    fresh.metadata["autoencoder_lab"] = stored
    return fresh


def _take_outputs(fresh: NotebookNode, old: NotebookNode) -> bool:
    """Copy the outputs over if both notebooks have the same code cells in the same order.

    What the cell for Colab says does not count: here it does nothing, and it changes with every release.
    """

    def compared(cell: NotebookNode) -> tuple[str, list[str]]:
        _, _, source, tags = _identity(cell)
        return ("" if tags == ["colab"] else source), tags

    pairs = [[cell for cell in notebook.cells if cell.cell_type == "code"] for notebook in (fresh, old)]
    if [*map(compared, pairs[0])] != [*map(compared, pairs[1])]:
        return False
    for new_cell, old_cell in zip(*pairs, strict=True):
        new_cell.outputs, new_cell.execution_count = old_cell.outputs, old_cell.execution_count
    return True


def _write(notebook: NotebookNode, target: Path) -> None:
    nbformat.validate(notebook)
    write_whole(target, nbformat.writes(notebook) + "\n")


# --- the command -----------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the notebooks from their sources.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="01 or 01_linear_autoencoder; none means all")
    parser.add_argument("--check", action="store_true", help="compare only; run nothing")
    parser.add_argument("--force", action="store_true", help="run also what has not changed")
    options = parser.parse_args(arguments)

    every = notebook_sources(ROOT)
    sources = [path for path in every if not options.names or any(path.stem.startswith(name) for name in options.names)]
    unknown = [name for name in options.names if not any(path.stem.startswith(name) for path in every)]
    if unknown:
        known = ", ".join(path.stem for path in every) or "none"
        parser.error(f"no source for {', '.join(unknown)}; there are: {known}")

    failed = False
    for source in sources:
        target = built_path(source)
        if options.check:
            findings = check(source, target)
            for line in findings.failures:
                print(f"FAILED  {line}")
            for line in findings.warnings:
                print(f"warning {line}")
            failed |= bool(findings.failures)
            continue
        try:
            built = build(source, target, options.force)
        except KeyboardInterrupt:
            print(f"stopped  {source.stem}: {target.name} is as it was; the same command goes on from here")
            return 130
        except (CellFailed, ValueError, SyntaxError, OSError) as error:
            print(f"FAILED  {source.stem}: {error}\n")
            failed = True
            continue
        print(f"{source.stem}: {_report(built, target)}", flush=True)
        problems = output_problems(built.notebook)
        for line in built.remarks:
            print(f"  warning {line}")
        if sum(built.seconds) > MAX_SECONDS:
            print(f"  warning it took longer than {MAX_SECONDS} s: shorten it, or build it on an idle machine")
        for line in problems:
            print(f"  FAILED  {line}")
        failed |= bool(problems)
    return int(failed)


def _report(built: Built, target: Path) -> str:
    if built.action == "kept":
        return "in step"
    if built.action == "prose":
        return "prose changed, outputs kept"
    slowest = sorted(zip(built.seconds, built.notebook.cells, strict=True), key=lambda pair: -pair[0])[:3]
    cells = "".join(f"\n  {seconds:6.1f} s  {_first_line(cell)}" for seconds, cell in slowest)
    return f"{sum(built.seconds):.1f} s, {target.stat().st_size / 1e6:.2f} MB; slowest cells:{cells}"


if __name__ == "__main__":
    sys.exit(main())
