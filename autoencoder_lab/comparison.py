"""Scoreboards: several models, one data set, one table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from autoencoder_lab import metrics
from autoencoder_lab.data.corruptions import Corruption
from autoencoder_lab.metrics.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd


class Column(NamedTuple):
    """A figure of the scoreboard: measure(model, data, corrupt), and the flag a model must have for it."""

    measure: Callable[[Any, Any, Corruption | None], Estimate]
    needs: str


MEASURES = {
    "mse": Column(lambda model, data, corrupt: metrics.mse(model, data.test, corrupt), "reconstructs"),
    "psnr": Column(lambda model, data, corrupt: metrics.psnr(model, data.test, corrupt), "reconstructs"),
    "ssim": Column(lambda model, data, corrupt: metrics.ssim(model, data.test, corrupt), "reconstructs"),
    "probe": Column(lambda model, data, corrupt: metrics.probe(model, data), "encodes"),
    "knn": Column(lambda model, data, corrupt: metrics.knn(model, data), "encodes"),
}
COLUMNS = tuple(MEASURES)
LACKS = {"reconstructs": "reconstructs nothing", "encodes": "has no code"}


def compare(
    models: Sequence[Any] | Mapping[str, Any],
    data: Any,
    columns: Iterable[str] = COLUMNS,
    corrupt: Corruption | None = None,
) -> pd.DataFrame:
    """Measure every model on data.test; one row a model, named by its label or by its key.

    columns: which of mse (per pixel), psnr (dB), ssim, probe and knn (accuracies in [0, 1]) to measure; the standard
    error of each stands in a column of its own, `mse_se` and so on. Two more columns: parameters (learned numbers) and
    seconds (of training). What a model cannot be asked for is NaN, and a last column, "lacks", then says why.
    corrupt: reconstruct from corrupt(x), score against x.
    Raises ValueError for an unknown column.
    """
    import pandas as pd

    wanted = list(columns)
    if unknown := set(wanted) - set(MEASURES):
        raise ValueError(f"unknown columns {sorted(unknown)}; there are {', '.join(MEASURES)}")
    rows = {name: _row(model, data, wanted, corrupt) for name, model in named(models).items()}
    last = ["lacks"] if any(row["lacks"] for row in rows.values()) else []
    order = [*wanted, "parameters", "seconds", *(f"{column}_se" for column in wanted), *last]
    return pd.DataFrame.from_dict(rows, orient="index")[order]


def _row(model: Any, data: Any, columns: Sequence[str], corrupt: Corruption | None) -> dict[str, Any]:
    """What the table says of one model."""
    row: dict[str, Any] = {}
    lacking = []
    for column in columns:
        measure, needs = MEASURES[column]
        if getattr(model, needs):
            row[column], row[f"{column}_se"] = measure(model, data, corrupt)
        else:
            row[column] = row[f"{column}_se"] = math.nan
            lacking.append(LACKS[needs])
    seconds = math.nan if model.fit_seconds is None else model.fit_seconds
    return row | {
        "parameters": model.learned_numbers(),
        "seconds": seconds,
        "lacks": ", ".join(dict.fromkeys(lacking)),
    }


def named(models: Any) -> dict[str, Any]:
    """{name: model} from one model, a sequence (named by their labels, made distinct), or a mapping as it is."""
    if isinstance(models, Mapping):
        return dict(models)
    result: dict[str, Any] = {}
    for model in models if isinstance(models, Sequence) else [models]:
        name, count = model.label, 2
        while name in result:
            name, count = f"{model.label} #{count}", count + 1
        result[name] = model
    return result
