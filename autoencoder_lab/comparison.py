"""Scoreboards: several models, one data set, one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autoencoder_lab import metrics
from autoencoder_lab.data.corruptions import Corruption

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("mse", "psnr", "ssim", "probe", "knn")


def compare(
    models: Sequence[Any] | Mapping[str, Any],
    data: Any,
    columns: Iterable[str] = COLUMNS,
    corrupt: Corruption | None = None,
) -> pd.DataFrame:
    """Measure every model on data.test; one row a model, named by its label or by its key.

    columns: which of mse (per pixel), psnr (dB), ssim, probe and knn (accuracies in [0, 1]) to measure; the standard
    error of each stands in a column of its own, `mse_se` and so on. Two more columns: parameters (learned numbers) and
    seconds (of training). corrupt: reconstruct from corrupt(x), score against x.
    Raises ValueError for an unknown column.
    """
    import pandas as pd

    wanted = list(columns)
    if unknown := set(wanted) - set(COLUMNS):
        raise ValueError(f"unknown columns {sorted(unknown)}; there are {', '.join(COLUMNS)}")
    rows = {}
    for name, model in named(models).items():
        row: dict[str, float] = {}
        for column in wanted:
            measure = getattr(metrics, column)
            estimate = measure(model, data) if column in ("probe", "knn") else measure(model, data.test, corrupt)
            row[column], row[f"{column}_se"] = estimate
        row["parameters"] = count_parameters(model)
        row["seconds"] = float("nan") if model.fit_seconds is None else model.fit_seconds
        rows[name] = row
    errors = [f"{column}_se" for column in wanted]
    return pd.DataFrame.from_dict(rows, orient="index")[[*wanted, "parameters", "seconds", *errors]]


def count_parameters(model: Any) -> int:
    """How many numbers a model has learned; a mean, components or a matrix that were solved for count too."""
    learned: int = sum(parameter.numel() for parameter in model.parameters())
    solved = (getattr(model, name, None) for name in ("mean", "components", "matrix"))
    return learned or sum(tensor.numel() for tensor in solved if tensor is not None)


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
