"""The colours and markers that mean something, for Python and JavaScript alike; nothing else holds such a colour.

Colours are Okabe and Ito's colour-blind-safe set with four more, and every line and class has a marker of its own as
well. The explorer's JavaScript imports these names from "./palette.js" and "./belief.js", which are no files:
`explorer/bundle.py` writes them from here.
"""

from typing import Any

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8A6D00", "#7F3C8D", "#666666")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")  # matplotlib's letters; parts.js has their outlines
LINES = ("-", "--", "-.", ":")
BASELINE = "#444444"
FRAME = "#767676"  # 3 : 1 against white and black: where an image ends on either ground

# the game in the plane: what the critic believes, shaded from one end over white to the other; where it is undecided;
# a real point and one that the generator made
MADE_UP, UNSURE, REAL = "#f6c98f", "#ffffff", "#6eb0e2"
UNDECIDED = "#333333"
REAL_POINT, MADE_POINT = "#000000", "#b23c00"


def series_style(i: int) -> dict[str, Any]:
    """Colour and marker of line, model or class number i, for matplotlib; the eleventh looks like the first."""
    return {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}


# diagrams: what pours into the code, what draws from it, the code itself, the way of a gradient, other networks;
# each is made darker or lighter where a theme's ground asks for it
ENCODER, DECODER, CODE, GRADIENT, OTHER = COLOURS[0], COLOURS[2], COLOURS[7], COLOURS[1], COLOURS[9]
