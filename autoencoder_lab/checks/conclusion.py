"""What a conclusion says: its numbers in whatever form, and which way they point.

"85 %", "0.85", "0,85" and "a share of 0.85" are one number; so are "1.5 times", "half as large again", "50 % larger".
A sentence is read clause by clause with small patterns, not understood. Where it may be read in two ways, the right one
counts: what is refused are figures that are not the student's own, and sentences that turn them round.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from autoencoder_lab.checks.compare import CheckFailed

NUMBERS = {"zero": 0, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}
NUMBERS |= {"ten": 10, "eleven": 11, "twelve": 12}
PARTS = {"third": 1 / 3, "quarter": 0.25, "fourth": 0.25, "fifth": 0.2, "sixth": 1 / 6, "eighth": 0.125, "tenth": 0.1}
SIGNS = {"½": 0.5, "¼": 0.25, "¾": 0.75, "⅓": 1 / 3, "⅔": 2 / 3}
PART = rf"({'|'.join(PARTS)})s?"
LARGER = r"larger|bigger|greater|higher|more|worse|poorer"
SMALLER = r"smaller|less|lower|fewer|better|small|little"
RISES = r"rais(?:es|ed|e|ing)|ris(?:e|es|en|ing)|rose|grow\w*|grew|increas\w*|gain\w*|exceed\w*|above|up"
FALLS = (
    r"fall\w*|fell|drops?|dropped (?:by|to)|decreas\w*|shrink\w*|shrank|shrunk|reduc\w*|declin\w*|below|down|improv\w*"
)
BOUND = r"(?! than (?:about |the )?\d)"  # "more than 2 times" says nothing of the way
UP, DOWN = rf"\b(?:{LARGER}|{RISES})\b{BOUND}", rf"\b(?:{SMALLER}|{FALLS})\b{BOUND}"
NEUTRAL = r"\bas (?:large|big|high|much|great|bad)\b|\bthat of\b"
ABOUT = r"(?:about|around|roughly|nearly|almost|some|only|just|approximately|over|~|≈)?\s*"
# what a figure is compared with, to the end of its clause
REFERENCE = (
    r"\b(?:than(?! \d)|compared (?:to|with)|relative to|against|versus|vs\.?|instead of|rather than|unlike|"
    r"as (?:large|big|high|much|great|bad) as|(?:that|the error|the one) of)\b(?:[^,;:.]|\.\d)*"
)
CLAUSE = r"[;:]|,(?!\d)|\.(?!\d)|\bbut\b|\bwhile\b|\bwhereas\b|\bthough\b"

REWRITTEN: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"(?<![\d.,])([1-9]\d{0,2}(?:,\d{3})+)(?![\d,])", lambda found: found[1].replace(",", "")),  # 3,500 images
    (r"(\d),(\d)", r"\1.\2"),  # 0,85
    (r"(\d)\s*([½¼¾⅓⅔])", lambda found: f"{int(found[1]) + SIGNS[found[2]]:.4g}"),
    (r"[½¼¾⅓⅔]", lambda found: f"{SIGNS[found[0]]:.4g}"),
    (r"\bper ?cent\b|\bpercent\b|\bpct\b", "%"),
    (r"(?<=\d)\s*(?:×|x\b|\*)", " times "),
    (r"\b(one|two|three|four) and a half\b", lambda found: f"{NUMBERS.get(found[1], 1) + 0.5}"),
    (r"\bhalf (?:as \w+ )?again(?: as \w+)?(?: as\b)?", "1.5 times as large as"),
    (r"\b(?:twice|doubl(?:e|es|ed|ing)|two-?fold)\b", "2 times"),
    (r"\b(?:thrice|trebl(?:e|es|ed)|tripl(?:e|es|ed|ing)|three-?fold)\b", "3 times"),
    (r"\bquadrupl(?:e|es|ed)\b", "4 times"),
    (r"\bhalv(?:es|ed|ing)\b|\bhalf (?=the error|as )", "0.5 times "),
    (rf"\bby (?:a |one )?(?:half|{PART})\b", lambda found: f"by {100 * PARTS.get(found[1] or '', 0.5):.4g} %"),
    (rf"\b(?:a |one )?(?:half|{PART}) (?={LARGER}|smaller|less|lower|fewer)",
     lambda found: f"{100 * PARTS.get(found[1] or '', 0.5):.4g} % "),
    (rf"\b(two|three|four|five|seven)[ -]{PART}\b", lambda found: f"{NUMBERS[found[1]] * PARTS[found[2]]:.4g}"),
    (rf"\b(?:a|one) {PART}\b", lambda found: f"{PARTS[found[1]]:.4g}"),
    (r"\bhalf\b(?! an?\b)", "0.5"),
    (r"\bone(?= (?:times?|steps?|units?|generator|of G|out of))", "1"),
    (rf"\b({'|'.join(NUMBERS)})\b", lambda found: str(NUMBERS[found[1]])),
    (r"(\d)\s*-?fold\b", r"\1 times"),
    (rf"\bfactor (?:of )?{ABOUT}(\d+(?:\.\d+)?)(?!\s*(?:times|%))", r"\1 times"),
]  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """A number in a sentence. unit: "times", "%" or ""; start, end: where it stands."""

    value: float
    unit: str
    start: int
    end: int


def sentence(name: str, conclusion: object) -> str:
    """The conclusion in small letters, every number in it as digits; CheckFailed for what is no sentence."""
    if not isinstance(conclusion, str) or len(conclusion.split()) < 4:
        raise CheckFailed(f"{name}: write the conclusion as a sentence, got {conclusion!r}")
    text = re.sub(r"\s+", " ", conclusion.lower().replace("−", "-").replace("’", "'"))
    for pattern, put in REWRITTEN:
        text = re.sub(pattern, put, text)
    return text


def figures(text: str) -> list[Figure]:
    """The numbers of a sentence; of a list such as "85, 50 and 30 %" each has the unit."""
    found: list[Figure] = []
    pattern = r"(?<![\w.])(\d+(?:\.\d+)?)(?![\w])\s*(%|times\b)?"
    for number in reversed(list(re.finditer(pattern, text))):
        unit = number[2] or ""
        if not unit and found and re.fullmatch(r"\s*(?:,|,? ?and|,? ?or)?\s*", text[number.end() : found[0].start]):
            unit = found[0].unit
        found.insert(0, Figure(float(number[1]), unit, number.start(), number.end()))
    return found


def clause_of(text: str, place: int) -> tuple[int, int]:
    """Where the clause that holds this place begins and ends."""
    cuts = [0, *(cut.end() for cut in re.finditer(CLAUSE, text)), len(text) + 1]
    start = max(cut for cut in cuts if cut <= place)
    return start, min(cut for cut in cuts if cut > place)


def conclusion_compares(
    name: str, conclusion: object, ratio: float, hint: str, about: str = r"\bwithout\b", against: str = r"\bwith\b"
) -> None:
    """Pass if `conclusion` says that one error is `ratio` times the other, to within a tenth; else CheckFailed.

    about, against: patterns for the error above and the one below the fraction. "2 times smaller" is 1/2, so it is
    right of the one below only, and wrong of the one above.
    """
    text, turned = sentence(name, conclusion), False
    for figure in figures(text):
        subject, surely = _subject(text, figure, about, against)
        for value in _ratios(text, figure):
            straight, inverse = _agrees(value, ratio), _agrees(value, 1 / ratio)
            if (straight and not (surely and subject == "against")) or (inverse and subject == "against"):
                print(f"✓ {name}: a sound experiment, and a conclusion with its figure")
                return
            turned = turned or straight or inverse
    if turned:
        raise CheckFailed(f"{name}: the figure is right, but your sentence turns it round: {hint}")
    raise CheckFailed(f"{name}: a conclusion names its figure: {hint}")


def _agrees(value: float, ratio: float) -> bool:
    """Whether a stated ratio is this one to within a tenth, and on the same side of 1."""
    opposite = (value - 1) * (ratio - 1) < 0 and abs(ratio - 1) > 0.005
    return abs(value - ratio) <= 0.1 * ratio and not opposite


def _ratios(text: str, figure: Figure) -> Iterator[float]:
    """The ratios that a figure may stand for: 1.5 for "1.5 times" and "50 % larger", 0.5 for "2 times smaller"."""
    way, value = _way(text, figure), figure.value
    before = text[: figure.start]
    if re.search(r"\b(?:not|never|n't|hardly|nowhere near) (?:\w+ )?$", before) or not value:
        return
    if figure.unit != "%":
        yield 1 / value if way < 0 and value > 1 else value
        return
    by = re.search(rf"\bby {ABOUT}$", before) is not None
    if not way and by:
        way = _way_of(text)
    if way and not re.search(rf"\b(?:to|of|is|at) {ABOUT}$", before if not _comparative(text, figure) else ""):
        yield 1 + way * value / 100
    if not by and not _comparative(text, figure):
        yield value / 100


def _comparative(text: str, figure: Figure) -> bool:
    """Whether a word such as "larger" follows the figure at once."""
    return re.match(rf"\s*(?:{LARGER}|{SMALLER})\b", text[figure.end :]) is not None


def _way(text: str, figure: Figure) -> int:
    """1 where the clause says larger of this figure, -1 where it says smaller, 0 where neither."""
    start, end = clause_of(text, figure.start)
    after, before = text[figure.end : end], text[start : figure.start]
    pattern = rf"(?P<none>{NEUTRAL})|(?P<up>{UP})|(?P<down>{DOWN})"
    follows, leads = re.search(pattern, after), list(re.finditer(pattern, before))
    if follows and (follows.start() < 25 or not leads):
        return {"up": 1, "down": -1}.get(follows.lastgroup or "", 0)
    if leads:
        return {"up": 1, "down": -1}.get(leads[-1].lastgroup or "", 0)
    return 0 if re.search(r"[a-z]{3}", after) else _way_of(text)


def _way_of(text: str) -> int:
    """The one way that the whole sentence points to, 0 where there are two or none."""
    return bool(re.search(UP, text)) - bool(re.search(DOWN, text))


def _subject(text: str, figure: Figure, about: str, against: str) -> tuple[str, bool]:
    """Of which of the two a figure is said, "about", "against" or ""; and whether that is beyond doubt."""
    kinds = rf"(?P<about>{about})|(?P<against>{against})"
    direct = re.match(rf"\s*(?:{NEUTRAL}|that of|the error of|the)?\s*(?:{kinds})", text[figure.end :])
    compared = [found for part in re.finditer(REFERENCE, text) for found in _named(kinds, part[0])]
    if direct and not direct[str(direct.lastgroup)].startswith("with"):  # "1.25 times PCA's"
        compared.append(str(direct.lastgroup))
    if len(set(compared)) == 1:
        return ("against" if compared[0] == "about" else "about"), True
    plain = re.sub(REFERENCE, " ", text)
    place = len(re.sub(REFERENCE, " ", text[: figure.start]))
    before, anywhere = _named(kinds, plain[:place]), _named(kinds, plain)
    named = before or anywhere
    return (named[0] if named else ""), len(set(before)) == 1 or len(set(anywhere)) == 1


def _named(kinds: str, text: str) -> list[str]:
    return [found.lastgroup or "" for found in re.finditer(kinds, text)]
