"""A lab of three parts to test the engine with: its judge, its release, and what students make of it."""

import json
from typing import Any

IMPORTS = "import torch\nfrom torch import nn"
RIGHT = {
    "mse": "def mse(x, y):\n    return ((x - y) ** 2).mean()",
    "centred": "def centred(x):\n    return x - x.mean(dim=0)",
    "model": """
class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode, self.decode = nn.Linear(8, 2), nn.Linear(2, 8)

torch.manual_seed(0)
model = Linear()
x = torch.randn(512, 2) @ torch.linspace(-1, 1, 16).view(2, 8)
optimiser = torch.optim.Adam(model.parameters(), 0.03)
for _ in range(200):
    loss = (model.decode(model.encode(x)) - x).pow(2).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
""",
}
STUBS = {
    "mse": "def mse(x, y):\n    ...  # your code here",
    "centred": "def centred(x):\n    raise NotImplementedError()",
    "model": "model = None",
}
POINTS = {"test_mse": 2, "test_centred": 3, "test_model": 5}


def notebook(answers: dict[str, str] | None = None, extra: list[dict[str, Any]] | None = None) -> bytes:
    """The release (no answers), or a submission with these answers in place of the stubs."""
    cells = [cell(IMPORTS, "imports", "given")]
    for name, stub in STUBS.items():
        cells.append(cell((answers or {}).get(name, stub), name))
        cells.append(cell(f"assert {name} is not None", f"test_{name}", "test"))
    return json.dumps({"cells": cells + (extra or []), "nbformat": 4, "nbformat_minor": 5, "metadata": {}}).encode()


def cell(source: str, grade_id: str, use: str = "answer") -> dict[str, Any]:
    """A code cell as nbgrader marks it."""
    marked = {"grade_id": grade_id, "schema_version": 3, "locked": use != "answer"}
    marked |= {"solution": use == "answer", "grade": use == "test"}
    return {"cell_type": "code", "source": source, "metadata": {"nbgrader": marked}, "outputs": []}
