"""Figures that describe themselves: every one carries an `alt` text made from what it shows.

Each function returns a `Figure` that appears as the last expression of a cell (or through `display`). No pyplot, hence
no global state: figures may be made in callbacks and threads. Colours are Okabe and Ito's colour-blind-safe set, and
every line and class has a marker of its own as well.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import matplotlib.figure
import matplotlib.ticker
import torch
from matplotlib.axes import Axes
from torch import Tensor

from autoencoder_lab import metrics
from autoencoder_lab.comparison import named
from autoencoder_lab.corruptions import Corruption

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8A6D00", "#7F3C8D", "#666666")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
LINES = ("-", "--", "-.", ":")
DPI = 110


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that shows itself as a PNG with its `alt` text, without pyplot."""

    def __init__(self, alt: str = "", **kwargs: Any) -> None:
        settings: dict[str, Any] = {"layout": "constrained", "dpi": DPI} | kwargs
        super().__init__(**settings)
        self.alt = alt

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        if not self.alt:
            raise ValueError("this figure has no alt text: set figure.alt to a sentence that says what it shows")
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", metadata={"Software": None, "Description": self.alt})
        png = base64.b64encode(buffer.getvalue()).decode()
        return {"image/png": png, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def images(
    batch: Tensor, titles: Sequence[str] | None = None, columns: int = 10, alt: str | None = None, scale: float = 0.8
) -> Figure:
    """A grid of images. batch: (N, C, H, W), clipped to [0, 1] for display; scale: inches an image."""
    count = len(batch)
    columns = min(columns, count)
    rows = -(-count // columns)
    cell = scale + (0.25 if titles else 0)
    figure = Figure(figsize=(scale * columns, cell * rows), layout=None)
    canvas = _canvas(figure)
    for i, image in enumerate(batch):
        row, column = divmod(i, columns)
        show_image(canvas, image, column * scale, (row + 1) * cell - scale, scale)
        if titles:
            canvas.text((column + 0.5) * scale, (row + 1) * cell - scale, titles[i], ha="center", fontsize=8)
    height, width = batch.shape[2:]
    figure.alt = alt or f"{count} images of {height}×{width} pixels" + (f": {', '.join(titles)}." if titles else ".")
    return figure


def reconstructions(
    models: Any,
    split: Any,
    count: int = 10,
    corrupt: Corruption | None = None,
    start: int = 0,
    columns: Tensor | None = None,
) -> Figure:
    """Originals in the first row, each model's reconstructions below; with `corrupt`, what the models saw between them.

    models: one, a sequence, or {name: model}; split: images count from `start`, or those whose indices stand in
    `columns`. The alt text gives each model's squared error on the images shown.
    """
    chosen = columns if columns is not None else torch.arange(start, min(start + count, len(split.images)))
    originals = split.images[chosen]
    rows = {"original": originals}
    seen = originals
    if corrupt is not None:
        rows["input"] = seen = corrupt(originals, torch.Generator().manual_seed(metrics.CORRUPTION_SEED))
    facts = []
    for name, model in named(models).items():
        rows[name] = metrics.in_batches(model.reconstruct, seen)
        facts.append(f"{name} (squared error per pixel {(rows[name] - originals).square().mean():.4f})")
    labels = sorted({split.classes[int(i)] for i in split.labels[chosen]}) if len(split.classes) <= 20 else []
    of_what = f" of the classes {', '.join(labels)}" if labels else ""
    return image_rows(
        rows, alt=f"{len(originals)} test images{of_what} above their reconstructions by {'; '.join(facts)}."
    )


def image_rows(rows: Mapping[str, Tensor], alt: str, scale: float = 0.75) -> Figure:
    """Named rows of images, one under the other: {name: (N, C, H, W)}."""
    count = max(len(batch) for batch in rows.values())
    margin = 0.075 * max(map(len, rows)) + 0.2
    figure = Figure(alt, figsize=(scale * count + margin, scale * len(rows)), layout=None)
    canvas = _canvas(figure)
    for row, (name, batch) in enumerate(rows.items()):
        for column, image in enumerate(batch):
            show_image(canvas, image, margin + column * scale, row * scale, scale)
        canvas.text(margin - 0.1, (row + 0.5) * scale, name, ha="right", va="center", fontsize=9)
    return figure


def history(histories: Any, baselines: Sequence[Any] = (), data: Any = None, quantity: str = "mse") -> Figure:
    """Training curves with their baselines.

    histories: a History or {name: History}; quantity: "mse" (squared error per validation pixel) or the name of a part
    of the loss, drawn for training and validation. baselines: fitted models (PCA, say) whose validation error is drawn
    as a horizontal line; with `data` the error of the mean image is drawn too.
    """
    series = dict(histories) if isinstance(histories, Mapping) else {histories.model: histories}
    figure = Figure(figsize=(6.4, 3.6))
    axes = figure.subplots()
    facts = []
    for i, (name, record) in enumerate(series.items()):
        every = max(1, len(record.step) // 12)
        style: dict[str, Any] = {"color": COLOURS[i], "marker": MARKERS[i], "markevery": every, "markersize": 4}
        axes.plot(record.step, record.val[quantity], label=f"{name}, validation", **style)
        if quantity in record.train:
            axes.plot(record.step, record.train[quantity], ":", color=COLOURS[i], label=f"{name}, training")
        facts.append(f"{name} goes from {record.val[quantity][0]:.4g} to {record.val[quantity][-1]:.4g}")
    for i, (name, level) in enumerate(_baseline_levels(baselines, data).items() if quantity == "mse" else ()):
        axes.axhline(level, color="#444444", linestyle=LINES[1 + i % 3], linewidth=1.2, label=f"{name}: {level:.4f}")
        facts.append(f"{name} stays at {level:.4f}")
    axes.set(xlabel="training step", ylabel="squared error per pixel" if quantity == "mse" else f"{quantity} per image")
    _log_y(axes)
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    figure.alt = f"Training curves, {quantity} on the validation images: {'; '.join(facts)}."
    return figure


class LiveCurve:
    """A callback for `fit` that redraws the training curve after every epoch: `callbacks=[lab.plot.LiveCurve()]`.

    baselines, data: as for `history`. Where nothing displays (a script, a test) it draws nothing.
    """

    def __init__(self, baselines: Sequence[Any] = (), data: Any = None, every: int = 2) -> None:
        self.baselines, self.data, self.every = baselines, data, every
        self._handle: Any = None

    def __call__(self, model: Any, record: Any) -> None:
        """Redraw; called by `fit` with the model and its History."""
        finished = record.step[-1] >= record.settings["steps"]
        if len(record.step) % self.every and not finished:
            return
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is None:
            return
        figure = history(record, self.baselines, self.data)
        if self._handle is None:
            self._handle = display(figure, display_id=True)
        else:
            self._handle.update(figure)


def basis(models: Any, count: int = 8) -> Figure:
    """What each code value adds to the picture: the columns of linear decoders, as images, red + and blue −.

    models: with `decoder_matrix()`: PCA, LinearAutoencoder. Each column is scaled by its own largest magnitude.
    """
    series = named(models)
    shown = min(count, *(model.latent for model in series.values()))
    figure = Figure(figsize=(0.95 * shown + 0.4, 1.25 * len(series)))
    grid = figure.subplots(len(series), shown, squeeze=False)
    for row, (name, model) in enumerate(series.items()):
        matrix = model.decoder_matrix().detach()
        for column in range(shown):
            picture = matrix[:, column].unflatten(0, model.image_shape).mean(dim=0)
            limit = float(picture.abs().max()) or 1.0
            axes = grid[row, column]
            axes.imshow(picture.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
            axes.set(xticks=[], yticks=[])
            axes.set_title(f"{column + 1}", fontsize=8, pad=2)
        grid[row, 0].set_ylabel(name, fontsize=8)
    figure.alt = (
        f"The first {shown} decoder columns drawn as images, red positive and blue negative, one row each for "
        f"{' and '.join(series)}."
    )
    return figure


def codes(
    model: Any, split: Any, axes_shown: tuple[int, int] = (0, 1), limit: int = 1000, name: str | None = None
) -> Figure:
    """The codes of a split in the plane of two code values, classes told apart by colour, marker and number."""
    points = metrics.encode(model, split)[:limit, list(axes_shown)]
    labels = split.labels[:limit]
    figure = Figure(figsize=(5.4, 4.6))
    axes = figure.subplots()
    for k, class_name in enumerate(split.classes):
        mine = points[labels == k]
        style: dict[str, Any] = {
            "color": COLOURS[k % 10],
            "marker": MARKERS[k % 10],
            "s": 14,
            "alpha": 0.65,
            "linewidths": 0,
        }
        axes.scatter(*mine.T.numpy(), label=class_name, **style)
        if len(mine):
            centre = mine.median(dim=0).values
            box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": COLOURS[k % 10], "alpha": 0.85}
            axes.annotate(
                class_name, (float(centre[0]), float(centre[1])), fontsize=9, ha="center", va="center", bbox=box
            )
    axes.set(xlabel=f"code value {axes_shown[0] + 1}", ylabel=f"code value {axes_shown[1] + 1}")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), title="class")
    title = name or model.label
    axes.set_title(title, fontsize=10)
    figure.alt = (
        f"Codes of {len(points)} images by {title}, code value {axes_shown[0] + 1} against {axes_shown[1] + 1}, "
        f"in {len(split.classes)} classes marked by colour, marker and label."
    )
    return figure


def curves(
    x: Sequence[float],
    series: Mapping[str, Sequence[Any]],
    xlabel: str,
    ylabel: str,
    baselines: Mapping[str, float] | None = None,
    bands: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    log: str = "",
    alt: str | None = None,
) -> Figure:
    """Lines over x, with error bars where the values are `Estimate`s.

    series: {name: one value or Estimate for each x}; baselines: {name: level} drawn across; bands: {name: (low, high)},
    the stored spread over seeds, drawn shaded behind the line of that name; log: "x", "y", "xy" or "".
    """
    figure = Figure(figsize=(6.0, 3.6))
    axes = figure.subplots()
    facts = []
    for i, (name, entries) in enumerate(series.items()):
        values = [entry.value if isinstance(entry, metrics.Estimate) else float(entry) for entry in entries]
        errors = [entry.error if isinstance(entry, metrics.Estimate) else 0.0 for entry in entries]
        style: dict[str, Any] = {
            "color": COLOURS[i],
            "marker": MARKERS[i],
            "linestyle": LINES[i % 4],
            "markersize": 5,
            "capsize": 2,
        }
        axes.errorbar(x, values, yerr=errors if any(errors) else None, label=name, **style)
        facts.append(f"{name} goes from {values[0]:.4g} at {x[0]:g} to {values[-1]:.4g} at {x[-1]:g}")
        if bands and name in bands:
            axes.fill_between(x, *bands[name], color=COLOURS[i], alpha=0.18, label=f"{name}, stored runs")
    for i, (name, level) in enumerate((baselines or {}).items()):
        axes.axhline(level, color="#444444", linestyle=LINES[1 + i % 3], linewidth=1.2, label=f"{name}: {level:.4g}")
        facts.append(f"{name} is at {level:.4g}")
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if "x" in log:
        axes.set_xscale("log", base=2)
        axes.set_xticks(list(x), [f"{value:g}" for value in x])
    if "y" in log:
        _log_y(axes)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.alt = alt or f"{ylabel} against {xlabel}: {'; '.join(facts)}."
    return figure


def bars(
    values: Mapping[str, Any], ylabel: str, baselines: Mapping[str, float] | None = None, alt: str | None = None
) -> Figure:
    """One horizontal bar a name, its value written at its end; Estimates get an error bar."""
    figure = Figure(figsize=(6.0, 0.4 * len(values) + 1.0))
    axes = figure.subplots()
    facts = []
    for i, (name, entry) in enumerate(values.items()):
        estimate = entry if isinstance(entry, metrics.Estimate) else metrics.Estimate(float(entry), 0.0)
        axes.barh(i, estimate.value, xerr=estimate.error or None, color=COLOURS[0], alpha=0.8, height=0.6)
        end = max(0.0, estimate.value + (estimate.error if estimate.error > 0 else 0.0))  # past bar and error bar
        axes.text(end, i, f"  {estimate}", va="center", fontsize=8)
        facts.append(f"{' '.join(name.split())} {estimate}")  # a name may be broken into lines
    for i, (name, level) in enumerate((baselines or {}).items()):
        axes.axvline(level, color="#444444", linestyle=LINES[1 + i % 3], label=f"{name}: {level:.4g}")
        facts.append(f"{name} {level:.4g}")
    if baselines:
        figure.legend(fontsize=8, loc="outside upper center", ncols=2)  # beside the bars, never on them
        figure.set_figheight(figure.get_figheight() + 0.4)
    axes.set_yticks(range(len(values)), list(values))
    axes.invert_yaxis()
    axes.margins(x=0.35)
    axes.set_xlabel(ylabel)
    figure.alt = alt or f"{ylabel}: {'; '.join(facts)}."
    return figure


def _canvas(figure: Figure) -> Axes:
    """One invisible axes over the whole figure, in inches from its upper left corner.

    Many small images share it: an axes for each takes 13 ms to make, a second for a figure of a few rows.
    """
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, width), ylim=(height, 0))
    return axes


def show_image(axes: Axes, image: Tensor, left: float, top: float, side: float) -> None:
    """Draw one image (C, H, W) into a square of axes whose y points down, with a margin of 3 % around it.

    Values are clipped to [0, 1]; grey images are white on black, as digits are stored.
    """
    picture = image.detach().clamp(0, 1).cpu().numpy()
    pixel = 0.94 * side / max(picture.shape[1:])
    height, width = (pixel * count for count in picture.shape[1:])
    x, y = left + (side - width) / 2, top + (side - height) / 2
    colours = picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)
    axes.imshow(colours, cmap="gray", vmin=0, vmax=1, aspect="auto", extent=(x, x + width, y + height, y))


def _log_y(axes: Axes) -> None:
    """A logarithmic y axis that is labelled even where it spans less than a power of ten."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(
        matplotlib.ticker.LogLocator(subs=(1, 2, 5) if high > 15 * low else (1, 1.5, 2, 3, 5, 7))
    )
    axes.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%.3g"))
    axes.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())


def _baseline_levels(baselines: Sequence[Any], data: Any) -> dict[str, float]:
    """Squared error per validation pixel of fitted models and, where the data are given, of the mean image."""
    levels = {}
    if data is not None:
        levels["mean image"] = float((data.val.images - data.train.images.mean(dim=0)).square().mean())
    for name, model in named(list(baselines)).items():
        if data is None:
            raise ValueError("baselines are measured on the validation images: pass data=data as well")
        levels[name] = metrics.mse(model, data.val).value
    return levels
