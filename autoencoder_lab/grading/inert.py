"""What keeps a submission's text from acting: in our feedback, and in what nbgrader shows to the instructor."""

import re
from typing import Any

from autoencoder_lab.protocol import CODE_STUB, TEXT_STUB

# commands by which MathJax would make links, load code or style the page
MATH_COMMANDS = re.compile(r"\\(href|url|class|cssId|style|data|require|unicode|bbox|enclose|mmlToken|toggle)\b")
TAGS = {"p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "em", "strong", "del", "code", "pre", "blockquote"}
TAGS |= {"ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "sup", "sub"}
POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # no script, no picture, no address is ever asked for


def inert_markdown(text: str) -> str:
    """Markdown as HTML of harmless tags alone: no attribute, no link, no picture, no script survives."""
    import bleach
    from nbconvert.filters import markdown2html

    rendered = markdown2html(MATH_COMMANDS.sub(r"\\text{\1}", text))
    cleaned: str = bleach.clean(rendered, tags=TAGS, attributes={}, strip=True)
    return cleaned


def configure(config: Any) -> None:
    """The settings of nbgrader that a course of untrusted notebooks needs; assignments/nbgrader_config.py calls this.

    Formgrader and feedback show students' Markdown without any markup that acts. Autograde, which would run students'
    code unprotected, stops at once: `autoencoder-lab grade` is there for that.
    """
    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    config.HTMLExporter.filters = {"markdown2html": inert_markdown}
    config.Autograde.pre_convert_hook = refuse_autograde


def refuse_autograde(*_: Any, **__: Any) -> None:
    """In the place where nbgrader would begin to run submissions."""
    raise SystemExit("nbgrader's Autograde runs students' code unprotected and is switched off: autoencoder-lab grade")
