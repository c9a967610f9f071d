"""Quizzes whose options unfold into the reason."""

import hashlib
import html
from collections.abc import Mapping, Sequence
from typing import Any

from autoencoder_lab import arguments
from autoencoder_lab.classroom.display import escaped, show_page

FORM = '{"ask": text, "right": (option, why), "wrong": {option: why not, …}}'


def quiz(key: str, questions: Sequence[Mapping[str, Any]]) -> None:
    """Show questions whose options unfold into "Right" or "Not quite" and the reason, with or without a kernel.

    questions: {"ask": text, "right": (option, why), "wrong": {option: why not, …}}; `$x$` is mathematics, `x` in
    backticks is code. The options stand in an order drawn from `key`, the same on every run.
    Raises ValueError unless each question has exactly one right option and every option its explanation.
    """
    arguments.text("key", key, '"02"')
    if isinstance(questions, Mapping):  # one alone
        questions = [questions]
    if isinstance(questions, str) or not isinstance(questions, Sequence):
        raise TypeError(f"quiz {key!r} is given a list of questions, each {FORM}, got {arguments.shown(questions)}")
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
            unfolding += f"<details><summary>{letter}. {escaped(option)}</summary>"
            unfolding += f"<p><strong>{verdict}</strong> {escaped(why)}</p></details>"
            plain.append(f"   {letter}. {option}")
        blocks.append(f"<li><p>{escaped(ask)}</p>{unfolding}</li>")
    page = f"<p>Choose an answer to unfold it.</p><ol>{''.join(blocks)}</ol>"
    show_page("\n".join(plain), f'<section aria-label="Quiz {html.escape(key)}">{page}</section>')


def _checked_question(where: str, question: Mapping[str, Any]) -> tuple[str, list[tuple[str, str, bool]]]:
    """(the question, [(option, why, is it right), …])"""
    if not isinstance(question, Mapping):
        raise TypeError(f"{where}: expected {FORM}, got {arguments.shown(question)}")
    if set(question) != {"ask", "right", "wrong"}:
        raise ValueError(f"{where}: expected {FORM}, got the keys {sorted(map(str, question))}")
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
