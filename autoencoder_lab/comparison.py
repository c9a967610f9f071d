"""Scoreboards: several models, one data set, one table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor, nn

from autoencoder_lab import metrics
from autoencoder_lab.data.corruptions import Corruption
from autoencoder_lab.metrics.estimate import Estimate
from autoencoder_lab.models.own import as_model

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
    Raises ValueError for an unknown column or no model, TypeError for what is no model or no data set.
    """
    import pandas as pd

    wanted = [columns] if isinstance(columns, str) else list(columns)
    if unknown := set(wanted) - set(MEASURES):
        raise ValueError(f"unknown columns {sorted(unknown)}; there are {', '.join(MEASURES)}")
    compared = named(models)
    if not compared:
        raise ValueError(
            "compare needs at least one model, got none; pass a list of them, lab.compare([pca, ae], data)"
        )
    _check_data(data)
    if corrupt is not None and (isinstance(corrupt, type) or not callable(corrupt)):
        raise TypeError(f"corrupt must be a corruption such as lab.corrupt.gaussian(0.5), got {corrupt!r}")
    rows = {name: _row(model, data, wanted, corrupt) for name, model in compared.items()}
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


def _check_data(data: Any) -> None:
    if isinstance(data, nn.Module) or not hasattr(getattr(data, "test", None), "images"):
        what = "one split" if hasattr(data, "images") else f"a {type(data).__name__}"
        raise TypeError(f"compare measures on data.test of a whole data set, got {what}; lab.compare(models, data)")


def named(models: Any, images: Tensor | None = None) -> dict[str, Any]:
    """{name: model} from one model, several (named by their labels, made distinct), or a mapping as it is.

    A plain nn.Module is taken for the model that its call makes it, see `as_model`; images: what it is to see first.
    Raises TypeError for what is no model: a class that was not called, something else.
    """
    if isinstance(models, Mapping):
        found = {name: as_model(model, images) for name, model in models.items()}
        for model in found.values():
            _check_model(model, named=True)
        return found
    several = isinstance(models, Iterable) and not isinstance(models, str | nn.Module)
    result: dict[str, Any] = {}
    for model in (as_model(one, images) for one in (models if several else [models])):
        _check_model(model)
        name, count = model.label, 2
        while name in result:
            name, count = f"{model.label} #{count}", count + 1
        result[name] = model
    return result


def _check_model(model: Any, named: bool = False) -> None:
    """named: its name is given, so one of another make needs none of its own."""
    if isinstance(getattr(model, "label", None), str) or (named and not isinstance(model, type | nn.Module)):
        return
    kind = f"the class {model.__name__} itself, not one made of it" if isinstance(model, type) else type(model).__name__
    raise TypeError(f"a model such as lab.PCA(32) or lab.ConvAutoencoder(32) is needed, got {kind}")
