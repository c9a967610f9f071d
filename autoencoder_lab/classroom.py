"""What a notebook needs and a script does not: set-up, predictions that are kept, quizzes, a class's own source.

Everything here works without a front end too: in a script, under nbclient and under nbval nothing blocks or raises.
Guesses are kept in predictions.json beside the notebook, and nowhere else.
"""

import hashlib
import html
import importlib.util
import inspect
import json
import os
import random
import re
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

PREDICTIONS = Path("predictions.json")  # in the notebook's own folder
PLACEHOLDER = "your-id"
CLAIMED = {"guess": None, "likely": 0.7, "sure": 0.95}  # confidence -> claimed chance to be right; None: 1 / options
_asked: dict[str, tuple[str, ...]] = {}  # key -> options of the predictions shown in this session
_shown: dict[str, Any] = {}  # key -> the widget on the page, so that a second run of the cell can close it
_lock = threading.RLock()  # widget callbacks may run on another thread than the cells


# --- set-up ----------------------------------------------------------------------------------------


def own_images(student: str, name: str = "mnist-5k", n: int = 2000) -> Any:
    """The data set with n training images of this student's own, for a graded lab; val and test are everybody's.

    student: an id; the same id draws the same images everywhere; "your-id" is told to put in a real one.
    Raises ValueError for an empty id and for an n that cannot be had.
    """
    from autoencoder_lab.datasets import load

    if not isinstance(student, str) or not student.strip():
        raise ValueError(f'the id must be your own, as your course knows you, e.g. "ada42"; got {student!r}')
    if student == PLACEHOLDER:
        print("not done yet: put in your own id, as your course knows you")
    data = load(name)
    if not 1 <= n <= len(data.train):
        raise ValueError(f"n must be from 1 to the {len(data.train):,} training images of {name}, got {n}")
    seed = int.from_bytes(hashlib.sha256(student.strip().casefold().encode()).digest()[:7], "big")
    drawn = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(seed))[:n]
    return replace(data, train=replace(data.train, images=data.train.images[drawn], labels=data.train.labels[drawn]))


def setup(seed: int = 0) -> None:
    """Seed Python, NumPy and PyTorch, choose a thread count, and say in one line what this notebook runs on.

    Threads: never more than the processors this process may use, nor more than 8; small models only wait on more.
    """
    random.seed(seed)
    np.random.seed(seed)  # the global generator, which scikit-learn and others draw from
    torch.manual_seed(seed)
    torch.set_num_threads(max(1, min(torch.get_num_threads(), _usable_processors(), 8)))
    print(_summary())


def _summary() -> str:
    from autoencoder_lab import __version__
    from autoencoder_lab.training import pick_device

    threads = torch.get_num_threads()
    ready = "ready" if importlib.util.find_spec("mlxtend") else "missing; pip install mlxtend"
    return " · ".join(
        [
            f"autoencoder_lab {__version__}",
            f"torch {torch.__version__.partition('+')[0]}",
            f"{pick_device().type}, {threads} thread{'s' * (threads > 1)}",
            f"mnist-5k offline: {ready}",
        ]
    )


def _usable_processors() -> int:
    """Processors this process may use; a container's share (cgroup v2) counts, which os.cpu_count() overlooks."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="utf-8").split()
        return max(1, min(count, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return count


# --- predict, then run -----------------------------------------------------------------------------


def predict(question: str, options: Sequence[str], key: str) -> None:
    """Ask for a guess before the run, and keep it under `key` (unique in the course) in predictions.json.

    Shows radio buttons in a notebook, the question and its options as text anywhere else. Waits for nothing. A guess
    may be changed until its outcome is recorded.
    Raises ValueError for fewer than two options, an option that is there twice, or an empty question or key.
    """
    options = tuple(options)
    if not question.strip() or not key.strip():
        raise ValueError(f"a prediction needs a question and a key, got question={question!r}, key={key!r}")
    if len(options) < 2 or len(set(options)) < len(options) or not all(option.strip() for option in options):
        raise ValueError(f"a prediction needs at least two different options, got {list(options)}")
    _asked[key] = options
    plain = "\n".join([f"Predict: {question}", *(f"  ( ) {option}" for option in options)])
    items = "".join(f"<li>{_text(option)}</li>" for option in options)
    page = (
        f"<p><strong>Predict.</strong> {_text(question)}</p><ul>{items}</ul>"
        "<p>Run this cell in Jupyter to record your guess; no answer is needed to go on.</p>"
    )
    _show(plain, page, lambda: _prediction_form(question, options, key))


def outcome(key: str, option: str) -> None:
    """Say what came out beside what was guessed, and record it if there was a guess.

    Raises ValueError if the prediction was shown in this session and `option` is not one of its options.
    """
    options = _asked.get(key)
    if options and option not in options:
        raise ValueError(f"the outcome of {key!r} must be one of {list(options)}, got {option!r}")
    entry = _read().get(key, {})
    guess = entry.get("guess")
    if guess is None or (options and guess not in options):  # the course may have changed its options since
        print(f"It came out “{option}”. No guess was recorded.")
        return
    how_sure = f" ({entry['confidence']})" if entry.get("confidence") else ""
    verdict = "as you expected." if guess == option else "not what you expected: find the step that misled you."
    print(f"You guessed “{guess}”{how_sure}. It came out “{option}”: {verdict}")
    try:
        _record(key, outcome=option)
    except OSError as error:
        print(f"This could not be recorded: {PREDICTIONS} cannot be written ({error.strerror}).")
    if key in _shown:
        _shown[key].status, _shown[key].locked = _status(_read().get(key, {}))


class Calibration(NamedTuple):
    """How the guesses with a known outcome came out.

    levels: confidence -> (right, all, mean claimed chance to be right). brier: mean of (claimed − right)² over the
    guesses whose confidence was stated, in [0, 1], 0 is best; None without any. Source: Brier (1950).
    """

    right: int
    guesses: int
    levels: dict[str, tuple[int, int, float]]
    brier: float | None

    def __repr__(self) -> str:
        if not self.guesses:
            return "No guess has an outcome yet."
        lines = [f"{self.right} of {self.guesses} guesses came out as expected."]
        for level, (right, count, claimed) in self.levels.items():
            lines.append(f"  {level}: {right} of {count} right, {claimed:.0%} claimed")
        if self.brier is not None:
            lines.append(f"Brier score {self.brier:.2f}: 0 is best, 0.25 is what fifty-fifty every time earns.")
        return "\n".join(lines)


def calibration() -> Calibration:
    """How often the recorded guesses were right, and whether the confidence was deserved."""
    done = [entry for entry in _read().values() if entry.get("guess") is not None and entry.get("outcome") is not None]
    levels: dict[str, tuple[int, int, float]] = {}
    squares = []
    for level, claim in reversed(CLAIMED.items()):
        mine = [entry for entry in done if entry.get("confidence") == level]
        hits = [entry["guess"] == entry["outcome"] for entry in mine]
        claimed = [claim or 1 / max(1, len(entry.get("options", ()))) for entry in mine]
        squares += [(p - hit) ** 2 for p, hit in zip(claimed, hits, strict=True)]
        if mine:
            levels[level] = (sum(hits), len(hits), sum(claimed) / len(claimed))
    right = sum(entry["guess"] == entry["outcome"] for entry in done)
    return Calibration(right, len(done), levels, sum(squares) / len(squares) if squares else None)


def _prediction_form(question: str, options: tuple[str, ...], key: str) -> Any:
    """The widget, showing the guess on file; a choice is written to the file at once."""
    entry = _read().get(key, {})
    status, locked = _status(entry)
    form = _form_class()(
        question=f"Predict. {question}",
        options=list(options),
        levels=list(CLAIMED),
        guess=entry["guess"] if entry.get("guess") in options else "",
        confidence=entry.get("confidence") or "",
        status=status,
        locked=locked,
    )

    def keep(change: Any) -> None:
        if not change["new"] or form.locked:
            return
        try:
            _record(key, question=question, options=list(options), **{change["name"]: change["new"]})
            form.status = _status(_read().get(key, {}))[0]
        except OSError as error:
            form.status = f"Not recorded: {PREDICTIONS} cannot be written ({error.strerror})."

    form.observe(keep, names=["guess", "confidence"])
    if key in _shown:  # a closed widget frees its page; without this every re-run of the cell would leave one behind
        _shown[key].close()
    _shown[key] = form
    return form


def _status(entry: Mapping[str, Any]) -> tuple[str, bool]:
    """(what the form says, whether the guess is final)"""
    if entry.get("guess") is None:
        return "No guess recorded yet; you may also just go on.", False
    if entry.get("outcome") is None:
        return f"Recorded: {entry['guess']}. You may change it until you run the experiment.", False
    return f"It came out: {entry['outcome']}. Your guess stays as it was.", True


@cache
def _form_class() -> Any:
    import anywidget
    import traitlets

    class PredictionForm(anywidget.AnyWidget):
        """Radio buttons with a legend. Its repr is stable, where the default one holds a memory address."""

        _esm = Path(__file__).with_name("predict.js")
        _css = """
        .autoencoder-lab-prediction { color: var(--jp-content-font-color1, inherit); max-width: 60em; }
        .autoencoder-lab-prediction fieldset { border: 0; margin: 0; padding: 0.25em 0; }
        .autoencoder-lab-prediction legend { padding: 0; font-weight: bold; }
        .autoencoder-lab-prediction label { display: flex; align-items: center; gap: 0.5em; min-height: 24px; }
        """
        question = traitlets.Unicode().tag(sync=True)
        options = traitlets.List(traitlets.Unicode()).tag(sync=True)
        levels = traitlets.List(traitlets.Unicode()).tag(sync=True)
        guess = traitlets.Unicode().tag(sync=True)
        confidence = traitlets.Unicode().tag(sync=True)
        status = traitlets.Unicode().tag(sync=True)
        locked = traitlets.Bool().tag(sync=True)

        def __repr__(self) -> str:
            return f"PredictionForm({self.question!r})"

    return PredictionForm


# --- the file of guesses ---------------------------------------------------------------------------


def _read() -> dict[str, dict[str, Any]]:
    """The guesses on file. A file that cannot be understood is kept under another name, and said."""
    with _lock:
        try:
            found = json.loads(PREDICTIONS.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            print(f"{PREDICTIONS} cannot be read ({error.strerror}); going on without your guesses")
            return {}
        except ValueError:  # neither JSON nor UTF-8
            found = None
        if isinstance(found, dict) and all(isinstance(entry, dict) for entry in found.values()):
            return found
        number = 1
        while (aside := PREDICTIONS.with_name(f"{PREDICTIONS.stem}.broken-{number}.json")).exists():
            number += 1
        try:
            PREDICTIONS.rename(aside)
        except OSError as error:
            print(f"{PREDICTIONS} is damaged and cannot be moved ({error.strerror}); going on without your guesses")
            return {}
        print(f"{PREDICTIONS} is damaged; it is kept as {aside.name}, and a new one begins")
        return {}


def _record(key: str, **fields: Any) -> None:
    """Add to what is on file now (another notebook may have written since) and replace the file in one step."""
    with _lock:
        guesses = _read()
        guesses[key] = {**guesses.get(key, {}), **fields}
        handle, part = tempfile.mkstemp(dir=PREDICTIONS.parent, prefix=".predictions-", suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(guesses, file, indent=1, ensure_ascii=False, sort_keys=True)
                file.write("\n")
            Path(part).replace(PREDICTIONS)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise


# --- quiz ------------------------------------------------------------------------------------------


def quiz(key: str, questions: Sequence[Mapping[str, Any]]) -> None:
    """Show questions whose options unfold into "Right" or "Not quite" and the reason, with or without a kernel.

    questions: {"ask": text, "right": (option, why), "wrong": {option: why not, …}}; `$x$` is mathematics, `x` in
    backticks is code. The options stand in an order drawn from `key`, the same on every run.
    Raises ValueError unless each question has exactly one right option and every option its explanation.
    """
    if not questions:
        raise ValueError(f"quiz {key!r} has no questions")
    blocks, plain = [], [f"Quiz {key}"]
    for number, question in enumerate(questions, start=1):
        ask, options = _checked_question(f"quiz {key!r}, question {number}", question)
        options.sort(key=lambda option: hashlib.sha256(f"{key} {ask} {option[0]}".encode()).digest())
        unfolding = ""
        plain += ["", f"{number}. {ask}"]
        for letter, (option, why, right) in zip("ABCDEFGHIJ", options, strict=False):
            verdict = "Right." if right else "Not quite."
            unfolding += f"<details><summary>{letter}. {_text(option)}</summary>"
            unfolding += f"<p><strong>{verdict}</strong> {_text(why)}</p></details>"
            plain.append(f"   {letter}. {option}")
        blocks.append(f"<li><p>{_text(ask)}</p>{unfolding}</li>")
    page = f"<p>Choose an answer to unfold it.</p><ol>{''.join(blocks)}</ol>"
    _show("\n".join(plain), f'<section aria-label="Quiz {html.escape(key)}">{page}</section>')


def _checked_question(where: str, question: Mapping[str, Any]) -> tuple[str, list[tuple[str, str, bool]]]:
    """(the question, [(option, why, is it right), …])"""
    form = '{"ask": text, "right": (option, why), "wrong": {option: why not, …}}'
    if set(question) != {"ask", "right", "wrong"}:
        raise ValueError(f"{where}: expected {form}, got the keys {sorted(question)}")
    ask, right, wrong = question["ask"], question["right"], question["wrong"]
    if not (isinstance(right, tuple) and len(right) == 2 and all(isinstance(part, str) for part in right)):
        raise ValueError(f"{where}: expected exactly one right option as (option, why), got {right!r}")
    if not isinstance(wrong, Mapping) or not 1 <= len(wrong) <= 9:
        raise ValueError(f"{where}: expected one to nine wrong options as {{option: why not}}, got {wrong!r}")
    if right[0] in wrong:
        raise ValueError(f"{where}: {right[0]!r} is given as right and as wrong")
    options = [(*right, True), *((option, why, False) for option, why in wrong.items())]
    for option, why, _ in options:
        if not str(option).strip() or not str(why or "").strip():
            raise ValueError(f"{where}: option {option!r} has no explanation, or no text")
    if not str(ask).strip():
        raise ValueError(f"{where}: asks nothing")
    return ask, options


# --- source ----------------------------------------------------------------------------------------


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
    _show("\n\n\n".join(plain), "\n\n".join(blocks), mime="text/markdown")


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


# --- showing ---------------------------------------------------------------------------------------


def _text(text: str) -> str:
    """Escaped for HTML; `code` in backticks becomes code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _show(plain: str, page: str, widget: Callable[[], Any] | None = None, mime: str = "text/html") -> None:
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
