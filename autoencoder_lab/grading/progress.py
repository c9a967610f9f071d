"""How far a run is: a bar in a terminal, lines elsewhere, and a log with times in the course's folder."""

import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from autoencoder_lab.grading.grade import Result
from autoencoder_lab.grading.inert import printable

LINES = 20  # at most so many a run, where there is no terminal


def note(log: Path, what: str) -> None:
    """Append a line to the log, with its time in UTC. Raises OSError where that cannot be written."""
    log.parent.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with log.open("a", encoding="utf-8", errors="replace", newline="\n") as file:
        file.write(f"{now} {printable(what)}\n")


def shown(graded: Iterable[Result], of: int, lab: str, log: Path | None = None) -> Iterator[Result]:
    """The results as they come, each also a line of the log. of: how many there will be."""
    from tqdm import tqdm

    to_a_person = sys.stderr.isatty()
    began, every = time.monotonic(), max(1, -(-of // LINES))
    for done, result in enumerate(tqdm(graded, total=of, desc=lab, unit="submission", disable=not to_a_person), 1):
        if log:
            note(log, told(result))
        if not to_a_person and (done % every == 0 or done == of):
            print(left(lab, done, of, time.monotonic() - began), file=sys.stderr, flush=True)
        yield result


def told(result: Result) -> str:
    """One result as a line of the log."""
    came = f"not graded: {result.reason}" if result.reason else f"{result.points:g} points automatically"
    return f"{result.student}: {came} ({result.seconds:g} s)"


def left(lab: str, done: int, of: int, seconds: float) -> str:
    """How many are done, and what is left; seconds: since the beginning."""
    rest = of - done
    if rest <= 0:
        return f"{lab}: {done} of {of} done"
    minutes = seconds / done * rest / 60
    about = f"about {minutes:.0f} min" if minutes >= 1 else "less than a minute"
    return f"{lab}: {done} of {of} done, {rest} left, {about} to go at this pace"
