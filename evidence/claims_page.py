"""docs/claims.md, made from the stored rows."""

from pathlib import Path

from autoencoder_lab.files import write_whole
from evidence.runner import HERE, IDS, SEEDS, claim, figures, read_rows

PAGE = HERE.parent / "docs" / "claims.md"
SOURCES = HERE.parent / "notebooks" / "source"

HEAD = """# What the slides claim, and what was measured

Made by `python -m evidence` from the rows in `evidence/results/`; do not edit it by hand.
[Sources](sources.md) says what the slides 000 to 004 are.

Each claim has one short experiment in `evidence/`, run with {seeds} training seeds on one thread. Figures are means ±
one standard deviation over those seeds; a figure without ± moves by less than 0.02 % from seed to seed. *Error* is the
squared error per pixel on images not trained on. A difference counts only where it exceeds 2.78 standard errors over
the seeds (a one-sided error of 2.5 %). The seeds share their test images: what another thousand images would change is
in none of these spreads. The budgets are small, and stated in each experiment; the notebooks train longer.

{summary}

| id | slide | claim | verdict | measured | notebook · section | test |
|---|---|---|---|---|---|---|
"""


def source(name: str) -> Path:
    """The source of the notebook that treats a claim. Raises ValueError where it names no notebook, or several."""
    (found,) = SOURCES.glob(f"{claim(name).NOTEBOOK}_*.py")
    return found


def page() -> str:
    """The whole of docs/claims.md."""
    lines, words = [], []
    for name in IDS:
        if len(read_rows(name)) < len(SEEDS):
            continue
        module, verdict = claim(name), claim(name).verdict(figures(name))
        where = f"`{source(name).stem}` · {'section ' if module.SECTION.isdigit() else ''}{module.SECTION}"
        test = f"`test_verdict_is_borne_out[{name}]`"
        cells = (name, module.SLIDE, module.CLAIM, f"**{verdict.word}**", verdict.sentence, where, test)
        lines.append("| " + " | ".join(cells) + " |")
        words.append(verdict.word)
    counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(sorted(words)))
    summary = f"Of {len(words)} claims: {counts}. The tests stand in `tests/test_evidence.py`."
    return HEAD.format(seeds=len(SEEDS), summary=summary) + "\n".join(lines) + "\n"


def write(path: Path = PAGE) -> None:
    """Write the page."""
    path.parent.mkdir(exist_ok=True)
    write_whole(path, page())
