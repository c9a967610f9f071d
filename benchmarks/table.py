"""One table of figures: printed, kept as JSON, compared with an earlier one."""

import json
import math
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from autoencoder_lab.files import write_whole

GPU_FILE = Path(__file__).parent / "gpu.json"  # the figures of `python -m benchmarks gpu --json` that the texts tell
CLAIM_C12 = "C12, “uses GPUs”: training on the GPU / on the processor"
WORSE = 0.15  # a figure has changed if it is worse by more than this share


@dataclass(frozen=True)
class Row:
    """A figure and, where one is asked for, its limit; `beside`: what it was made from, for the reader.

    difference: the figure is one, so may be 0 or below; a change of it counts as a share of its limit.
    """

    name: str
    value: float
    unit: str = "×"
    limit: float | None = None
    more_is_better: bool = True
    beside: str = ""
    difference: bool = False

    @property
    def holds(self) -> bool:
        """Whether the limit is kept; True without one."""
        if self.limit is None:
            return True
        return self.value >= self.limit if self.more_is_better else self.value <= self.limit

    def __str__(self) -> str:
        asked = "" if self.limit is None else f"{'≥' if self.more_is_better else '≤'} {self.limit:g}"
        figure = f"{self.name:<62} {self.value:9.4g} {self.unit:<4} {asked:<9}"
        return f"{'ok  ' if self.holds else 'FAIL'} {figure} {self.beside}"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    has = getattr(torch.cpu, "get_capabilities", dict)()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "processor": has.get("cpu_name") or platform.processor() or platform.machine(),
        "bfloat16": bool(has.get("avx512_bf16") or has.get("amx_bf16")),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


def keep(rows: Sequence[Row], file: Path) -> None:
    """Write rows and machine as JSON; a kill in between leaves the old file whole."""
    content = {"machine": machine(), "rows": [asdict(row) for row in rows]}
    write_whole(file, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def kept(file: Path) -> tuple[dict[str, Any], dict[str, Row]]:
    """The machine and the rows of a JSON file, by name. Raises ValueError for a file that holds something else."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return content["machine"], {row["name"]: Row(**row) for row in content["rows"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file} holds no benchmark figures ({error}); python -m benchmarks --json FILE makes such a file"
        ) from error


def measured_on_gpu(file: Path = GPU_FILE) -> str:
    """What the stored run on a GPU says of claim C12, in a clause; "" where none is stored."""
    if not file.exists():
        return ""
    on, rows = kept(file)
    row = rows.get(CLAIM_C12)
    if not on.get("gpu") or row is None or not math.isfinite(row.value):
        raise ValueError(f"{file} is of no run on a GPU; python -m benchmarks gpu --json FILE makes one, on a GPU")
    return (
        f"on one ({on['gpu']}) a dense autoencoder trained {row.value:.3g} times as fast as on the processor beside it"
    )


def compare(old: Path, new: Path) -> list[str]:
    """Lines that set the figures of two files side by side; those that became worse begin with "worse"."""
    (machine_then, then), (machine_now, now) = kept(old), kept(new)
    lines = [
        f"note: {what} was {machine_then.get(what)}, is {machine_now.get(what)}"
        for what in machine_now
        if machine_then.get(what) != machine_now.get(what)
    ]
    for name in dict.fromkeys([*then, *now]):
        if name not in then or name not in now:
            lines.append(f"{'gone' if name in then else 'new':<6} {name}")
            continue
        before, after = then[name], now[name]
        whole = (after.limit if after.difference else None) or before.value
        change = (after.value - before.value) / whole if whole else 0.0
        loss = -change if after.more_is_better else change
        lost, won = before.holds and not after.holds, after.holds and not before.holds
        word = "worse" if lost or loss > WORSE else "better" if won or loss < -WORSE else "same"
        lines.append(f"{word:<6} {name:<62} {before.value:9.4g} → {after.value:9.4g} {after.unit:<4} {change:+.0%}")
    return lines
