"""The labs' notebooks and answers, read from their text sources."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from autoencoder_lab.grading.lab_source import released, source_notebook
from notebooks.read_sources import lab_sources

ASSIGNMENTS = Path(__file__).parents[2] / "assignments"
LABS = [path.stem for path in lab_sources()]


@cache
def source_of(lab: str) -> Any:
    """The instructor's notebook."""
    return source_notebook(ASSIGNMENTS / "source" / lab / f"{lab}.py")


@cache
def release_of(lab: str) -> Any:
    """The students' notebook."""
    return released(source_of(lab))


@cache
def answers_of(lab: str) -> dict[str, str]:
    """{answer cell: the reference solution}, without the markers."""
    answers = {}
    for cell in source_of(lab).cells:
        marked = cell.metadata.get("nbgrader", {})
        if marked.get("solution") and not marked.get("grade"):
            lines = [line for line in cell.source.splitlines() if not line.strip().startswith("### ")]
            answers[marked["grade_id"]] = "\n".join(lines)
    return answers


def handed_in(lab: str, answers: Mapping[str, str]) -> bytes:
    """The release with these answers in their cells, as a file."""
    notebook: dict[str, Any] = json.loads(json.dumps(release_of(lab)))
    for cell in notebook["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if name in answers:
            cell["source"] = answers[name]
    return json.dumps(notebook).encode()
