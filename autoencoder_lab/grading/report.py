"""What a class did, for its instructor: the distribution, the parts most missed, and the misconceptions behind them."""

import ast
import itertools
import statistics
from collections import Counter
from collections.abc import Collection, Sequence

from autoencoder_lab.grading.grade import Result
from autoencoder_lab.grading.inert import printable
from autoencoder_lab.grading.likeness import MOST, alike
from autoencoder_lab.grading.names import same

WIDTH = 40
LITERAL = (
    *(ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp, ast.JoinedStr, ast.FormattedValue),
    *(ast.expr_context, ast.operator, ast.unaryop),
)
LONG = 2_000  # bytes: a few hundred weights


def report(results: Sequence[Result], lab: str, notes: Sequence[str] = (), released: Sequence[str] = ()) -> str:
    """The report as text; automatic points only, since people's marks stand in formgrader.

    released: the sources of the cells that everybody was given.
    """
    graded = [result for result in results if not result.reason]
    lines = [f"{lab}: {len(results)} submissions, {len(results) - len(graded)} of them could not be graded"]
    lines += [f"  {result.student}: {result.reason}" for result in results if result.reason]
    if graded:
        of = sum(part.of for part in graded[0].parts)
        points = [result.points for result in graded]
        middle = statistics.median(points)
        lines += ["", f"automatic points, of {of:g}: median {middle:g}, mean {statistics.fmean(points):.1f}"]
        lines += _distribution(points, of)
        lines += ["", "parts, the most missed first:"]
        lines += _parts(graded)
    if shared := _shared_ids(graded):
        lines += ["", "one id in several notebooks, so one draw of images:", *shared]
    if others := _other_ids(graded):
        lines += ["", "an id that is not the row's own, where most state theirs:", *others]
    if groups := _equal_answers(graded):
        lines += ["", "the same answers in every part, word for word:", *groups]
    if pairs := _alike(graded, released):
        lines += [
            "",
            "programs of one shape, whatever their names, numbers and comments (no verdict: read both):",
            *pairs,
        ]
    if literals := _long_literals(graded):
        lines += ["", "long literals in an answer, in which something made elsewhere could be kept:", *literals]
    if notes:
        lines += ["", "to look at:", *(f"  {note}" for note in notes)]
    return "\n".join(printable(line) for line in lines)


def apart(results: Sequence[Result], marks: Collection[str], lab: str) -> list[str]:
    """A line where results and gradebook are not of the same students. marks: whom the gradebook knows."""
    new = [result.student for result in results if result.student not in marks]
    enter = f"autoencoder-lab grade {lab} SUBMISSIONS once more enters them"
    return [f"graded, but not in the gradebook yet: {', '.join(map(printable, new))}; {enter}"] * bool(new)


def _distribution(points: Sequence[float], of: float) -> list[str]:
    """Ten rows, from none to all."""
    counts = Counter(min(9, int(10 * value / of)) for value in points)
    most = max(counts.values())
    return [
        f"  {of * i / 10:5.1f} – {of * (i + 1) / 10:5.1f}  {'█' * round(WIDTH * counts[i] / most)} {counts[i]}"
        for i in range(10)
    ]


def _parts(graded: Sequence[Result]) -> list[str]:
    """Each part: the share of its points reached, and its commonest mistakes."""
    lines = []
    names = [part.grade_id for part in graded[0].parts]
    shares = {}
    for index, name in enumerate(names):
        reached = [result.parts[index].points / result.parts[index].of for result in graded]
        shares[name] = statistics.fmean(reached)
    for name in sorted(names, key=lambda name: shares[name]):
        index = names.index(name)
        lines.append(f"  {name:32} {shares[name]:4.0%} of the points")
        mistakes = Counter(result.parts[index].mistake for result in graded if result.parts[index].mistake)
        lines += [f"      {count:4} × {mistake}" for mistake, count in mistakes.most_common(5)]
    return lines


def _shared_ids(graded: Sequence[Result]) -> list[str]:
    """Ids that several students put in as theirs: whose numbers are they?"""
    groups: dict[str, list[str]] = {}
    for result in graded:
        if stated := next((part.stated for part in result.parts if part.stated), ""):
            groups.setdefault(same(stated.strip()), []).append(result.student)
    return [f"  {name}: {', '.join(students)}" for name, students in groups.items() if len(students) > 1]


def _other_ids(graded: Sequence[Result]) -> list[str]:
    """Students who state another id than their row has, where more than half of those who state one state theirs."""
    stated = {one.student: next((part.stated for part in one.parts if part.stated), "") for one in graded}
    told = {student: name.strip() for student, name in stated.items() if name}
    others = {student: name for student, name in told.items() if name.casefold() != student.casefold()}
    return [f"  {student}: {name}" for student, name in others.items()] if 2 * len(others) < len(told) else []


def _equal_answers(graded: Sequence[Result]) -> list[str]:
    """Students whose answers are all the same text: for a person to look at, no verdict."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for result in graded:
        answers = tuple(cell["source"].strip() for cell in result.cells if cell["grade_id"] and cell["kind"] == "code")
        if result.points:
            groups.setdefault(answers, []).append(result.student)
    return [f"  {', '.join(students)}" for students in groups.values() if len(students) > 1]


def _alike(graded: Sequence[Result], released: Sequence[str]) -> list[str]:
    """Pairs whose code is alike beyond word for word: for a person to look at, no verdict."""
    answers = {one.student: [cell["source"] for cell in one.cells if cell["kind"] == "code"] for one in graded}
    pairs = alike({student: sources for student, sources in answers.items() if sources}, released)
    lines = [f"  {share:4.0%}  {one}, {other}" for share, one, other in pairs[:MOST]]
    return lines + [f"  and {len(pairs) - MOST:,} more pairs"] * (len(pairs) > MOST)


def _long_literals(graded: Sequence[Result]) -> list[str]:
    """Students whose code holds a literal of LONG bytes or more: for a person to look at, no verdict."""
    lines = []
    for result in graded:
        longest = max((longest_literal(cell["source"]) for cell in result.cells if cell["kind"] == "code"), default=0)
        if longest >= LONG:
            lines.append(f"  {result.student}: {longest:,} bytes in one")
    return lines


def longest_literal(source: str) -> int:
    """Bytes of the longest constant in a cell: a text, or a list, tuple, set or dict of them, or a sum.

    What cannot be read as Python is measured by its longest line.
    """
    lines = source.encode(errors="replace").splitlines(keepends=True)
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return max(map(len, lines), default=0)
    begins = [0, *itertools.accumulate(map(len, lines))]
    constant, longest = dict[int, bool](), 0
    for node in reversed(nodes):  # what a node is made of comes before it
        parts = [constant.get(id(part), True) for part in ast.iter_child_nodes(node)]
        constant[id(node)] = isinstance(node, LITERAL) and all(parts)
        if constant[id(node)] and isinstance(node, ast.expr):
            end = begins[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
            longest = max(longest, end - begins[node.lineno - 1] - node.col_offset)
    return longest
