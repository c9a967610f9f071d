"""Notebooks that are alike beyond word for word: other names, other numbers and other comments hide nothing here.

Code is read as tokens. Each name becomes one sign and each constant another, so that what stays is the shape of the
program; the share of runs of SHINGLE tokens that two notebooks have in common, of all that either has, is their
likeness (Broder, On the resemblance and containment of documents, 1997). What was released, and what most of the
class writes, says nothing about two of them, and is left out.
"""

import io
import itertools
import keyword
import token
import tokenize
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

SHINGLE = 8  # tokens in a run
ALIKE = 0.6  # the share from which two are listed
FEWEST = 20  # runs of one's own; with fewer, likeness says nothing
LONGEST = 50_000  # characters of a cell that are read
MOST = 20  # pairs that a person looks at
SPACE = {token.NEWLINE, tokenize.NL, token.INDENT, token.DEDENT, tokenize.COMMENT, token.ENDMARKER, tokenize.ENCODING}

Shingle = tuple[str, ...]


def shingles(source: str) -> set[Shingle]:
    """The runs of SHINGLE tokens of one cell's code; what cannot be read as Python is read as far as it can."""
    signs = []
    try:
        for one in tokenize.generate_tokens(io.StringIO(source[:LONGEST]).readline):
            if one.type not in SPACE and not _is_docstring(one):
                signs.append(_sign(one))
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass
    return {tuple(signs[start : start + SHINGLE]) for start in range(len(signs) - SHINGLE + 1)}


def _is_docstring(one: tokenize.TokenInfo) -> bool:
    return one.type == token.STRING and one.line.lstrip().startswith(('"""', "'''", one.string))


def _sign(one: tokenize.TokenInfo) -> str:
    if one.type == token.NAME:
        return one.string if keyword.iskeyword(one.string) else "name"
    if one.type in (token.NUMBER, token.STRING):
        return "constant"
    return one.string


def alike(answers: Mapping[str, Sequence[str]], released: Collection[str] = ()) -> list[tuple[float, str, str]]:
    """(likeness from ALIKE to 1, student, student), the most alike first.

    answers: {student: the sources of their cells}; released: sources that everybody was given. A run that more than
    half of a class of ten or more has is everybody's.
    """
    given = {run for source in released for run in shingles(source)}
    own = {
        student: {run for source in sources for run in shingles(source)} - given for student, sources in answers.items()
    }
    if len(own) >= 10:
        counts = Counter(run for runs in own.values() for run in runs)
        own = {student: {run for run in runs if 2 * counts[run] <= len(own)} for student, runs in own.items()}
    own = {student: runs for student, runs in own.items() if len(runs) >= FEWEST}
    found = []
    for (one, first), (other, second) in itertools.combinations(own.items(), 2):
        if min(len(first), len(second)) >= ALIKE * max(len(first), len(second)):  # else it cannot be reached
            share = len(first & second) / len(first | second)
            if share >= ALIKE:
                found.append((share, one, other))
    return sorted(found, key=lambda pair: (-pair[0], pair[1:]))
