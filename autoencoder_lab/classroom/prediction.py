"""Predict, then run: guesses are kept in predictions.json beside the notebook, and nowhere else."""

import json
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from autoencoder_lab import arguments
from autoencoder_lab.classroom.came_out import option_of
from autoencoder_lab.classroom.display import escaped, show_page
from autoencoder_lab.files import write_whole

PREDICTIONS = Path("predictions.json")  # in the notebook's own folder


CLAIMED = {"guess": None, "likely": 0.7, "sure": 0.95}  # confidence -> claimed chance to be right; None: 1 / options


_asked: dict[str, tuple[str, ...]] = {}  # key -> options of the predictions shown in this session


# key -> the form on the page: its outcome locks it, a second form for it closes it
_shown: WeakValueDictionary[str, Any] = WeakValueDictionary()


_lock = threading.RLock()  # widget callbacks may run on another thread than the cells


def predict(question: str, options: Sequence[str], key: str) -> None:
    """Ask for a guess before the run, and keep it under `key` (unique in the course) in predictions.json.

    Shows radio buttons in a notebook, the question and its options as text anywhere else. Waits for nothing. A guess
    may be changed until its outcome is recorded.
    Raises ValueError for fewer than two options, an option that is there twice, or an empty question or key.
    """
    for name, given in (("question", question), ("key", key)):
        if not isinstance(given, str):
            raise TypeError(f"a prediction needs a question and a key, both text, got {name}={arguments.shown(given)}")
    options = arguments.texts("options", options, '["sharper", "more blurred"]')
    if not question.strip() or not key.strip():
        raise ValueError(f"a prediction needs a question and a key, got question={question!r}, key={key!r}")
    if len(options) < 2 or len(set(options)) < len(options) or not all(option.strip() for option in options):
        raise ValueError(f"a prediction needs at least two different options, got {list(options)}")
    _asked[key] = options
    plain = "\n".join([f"Predict: {question}", *(f"  ( ) {option}" for option in options)])
    items = "".join(f"<li>{escaped(option)}</li>" for option in options)
    page = (
        f"<p><strong>Predict.</strong> {escaped(question)}</p><ul>{items}</ul>"
        "<p>Run this cell in Jupyter to record your guess; no answer is needed to go on.</p>"
    )
    show_page(plain, page, lambda: _prediction_form(question, options, key))


def outcome(
    key: str,
    came: Any,
    *,
    below: Mapping[str, float] | None = None,
    above: Mapping[str, float] | None = None,
    otherwise: str | None = None,
) -> None:
    """Say what came out beside what was guessed, and record it if there was a guess.

    came: one of the prediction's options; or a number, and below={"less than half": 0.5, …} names the first limit that
    it is below (above: that it exceeds), otherwise= the option where it is beyond them all; or {name: number}, and the
    option is the name of the lowest number.
    Raises ValueError if the prediction was shown in this session and what came out is not one of its options.
    """
    option = option_of(came, below or {}, above or {}, otherwise)
    for name, given in (("key", key), ("option", option)):
        if not isinstance(given, str):
            raise TypeError(f"{name} is text, as in lab.predict, got {arguments.shown(given)}")
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

    def leave(_change: Any = None) -> None:
        form.leave(*_at_rest(form))

    form.observe(keep, names=["guess", "confidence"])
    form.observe(leave, names=["guess", "confidence", "status", "locked"])
    leave()
    if key in _shown:  # a closed widget frees its page; without this every re-run of the cell would leave one behind
        _shown[key].close()
    _shown[key] = form
    return form


def _at_rest(form: Any) -> tuple[str, str]:
    """(the form as HTML, what to run) for a notebook that is opened after its kernel has ended."""
    items = "".join(
        f"<li><strong>{escaped(option)} (your guess)</strong></li>"
        if option == form.guess
        else f"<li>{escaped(option)}</li>"
        for option in form.options
    )
    sure = f"<p>How sure you were: {escaped(form.confidence)}.</p>" if form.confidence else ""
    run = "Run the cells above and then this one to see the form" + ("." if form.locked else " and to choose.")
    said = f"<p>{escaped(form.status.splitlines()[0])}</p>" if form.guess or form.locked else ""
    return f"<p><strong>{escaped(form.question)}</strong></p><ul>{items}</ul>{sure}{said}", run


def _status(entry: Mapping[str, Any]) -> tuple[str, bool]:
    """(what the form says, whether the guess is final)"""
    if entry.get("guess") is None:
        return "No guess recorded yet; you may also just go on.", False
    if entry.get("outcome") is None:
        return f"Recorded: {entry['guess']}. You may change it until you run the experiment.", False
    return f"It came out: {entry['outcome']}. Your guess stays as it was.", True


@cache
def _form_class() -> Any:
    import traitlets

    from autoencoder_lab.explorer import bundle
    from autoencoder_lab.explorer.course_widget import CourseWidget

    class PredictionForm(CourseWidget):
        """Radio buttons with a legend. Its repr is stable, where the default one holds a memory address."""

        _esm = bundle.javascript("prediction", Path(__file__).parent)
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
        write_whole(PREDICTIONS, json.dumps(guesses, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
