"""Figures made of images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from torch import Tensor

from autoencoder_lab import arguments, metrics
from autoencoder_lab.comparison import named
from autoencoder_lab.data.corruptions import Corruption
from autoencoder_lab.plotting.figure import Figure
from autoencoder_lab.plotting.palette import FRAME


def images(
    batch: Any, titles: Sequence[str] | None = None, columns: int = 10, alt: str | None = None, scale: float = 0.8
) -> Figure:
    """A grid of images. batch: (N, C, H, W), clipped to [0, 1] for display; scale: inches an image.

    Taken as well: a list of images, one image, a NumPy array, a Split, bytes 0 … 255, channels last; (3, H, W) is one
    image in colour. Raises TypeError for anything else, ValueError for no image or titles that are not one an image.
    """
    batch = arguments.drawable(batch)
    count = len(batch)
    titles = titles if titles is None else _titles(titles, count)
    columns = min(arguments.whole("columns", columns, 1), count)
    scale = arguments.number("scale", scale, "is the side of an image in inches, above 0", lambda inches: inches > 0)
    rows = -(-count // columns)
    cell = scale + (0.25 if titles else 0)
    figure = Figure(figsize=(scale * columns, cell * rows), layout=None)
    axes = canvas(figure)
    for i, image in enumerate(batch):
        row, column = divmod(i, columns)
        show_image(axes, image, column * scale, (row + 1) * cell - scale, scale)
        if titles:
            axes.text((column + 0.5) * scale, (row + 1) * cell - scale, titles[i], ha="center", fontsize=8)
    height, width = batch.shape[2:]
    figure.alt = alt or f"{count} images of {height}×{width} pixels" + (f": {', '.join(titles)}." if titles else ".")
    return figure


def _titles(given: Any, count: int) -> tuple[str, ...]:
    """Titles as text, one an image; numbers, as labels are, become text."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"titles are a list of texts, one an image, got {arguments.shown(given)}")
    titles = tuple(str(one.item() if isinstance(one, Tensor) and one.ndim == 0 else one) for one in given)
    if len(titles) != count:
        raise ValueError(f"titles must be one an image, {count} in all, got {len(titles)}")
    return titles


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
    `columns`. A split with targets shows them in a row of their own. The alt text gives each model's squared error on
    the images shown, against the targets where there are some. Raises TypeError for what is no model or no split.
    """
    arguments.models(models, "reconstruct")
    arguments.split(split)
    count, start = arguments.whole("count", count, 1), arguments.whole("start", start, 0, len(split.images) - 1)
    if columns is not None:
        columns = torch.as_tensor(columns)
    if corrupt is not None:
        arguments.function("corrupt", corrupt, "lab.corrupt.gaussian(0.5)")
    chosen = columns if columns is not None else torch.arange(start, min(start + count, len(split.images)))
    originals, wanted = split.images[chosen], split.wanted[chosen]
    rows = {"original": originals}
    seen = originals
    if corrupt is not None:
        rows["input"] = seen = corrupt(originals, torch.Generator().manual_seed(metrics.CORRUPTION_SEED))
    if split.targets is not None:
        rows["target"] = wanted
    facts = []
    for name, model in named(models).items():
        rows[name] = metrics.in_batches(model.reconstruct, seen)
        facts.append(f"{name} (squared error per pixel {(rows[name] - wanted).square().mean():.4f})")
    labels = sorted({split.classes[int(i)] for i in split.labels[chosen]}) if len(split.classes) <= 20 else []
    of_what = f" of the classes {', '.join(labels)}" if labels else ""
    return image_rows(
        rows, alt=f"{len(originals)} test images{of_what} above their reconstructions by {'; '.join(facts)}."
    )


def image_rows(
    rows: Mapping[str, Tensor], alt: str, scale: float = 0.75, headers: Mapping[str, int] | None = None
) -> Figure:
    """Named rows of images, one under the other: {name: (N, C, H, W)}, or whatever `images` takes.

    headers: {words: how many columns they stand over}, from the left; every image then has a thin frame as well.
    """
    if not isinstance(rows, Mapping) or not rows:
        raise TypeError(f"rows are {{name: images}}, at least one, got {arguments.shown(rows)}")
    arguments.text("alt", alt, '"Digits above their reconstructions."')
    scale = arguments.number("scale", scale, "is the side of an image in inches, above 0", lambda inches: inches > 0)
    rows = {str(name): arguments.drawable(batch, f"the row {name!r}") for name, batch in rows.items()}
    count = max(len(batch) for batch in rows.values())
    margin, top = 0.075 * max(map(len, rows)) + 0.2, 0.25 if headers else 0.0
    figure = Figure(alt, figsize=(scale * count + margin, scale * len(rows) + top), layout=None)
    axes = canvas(figure)
    _write_headers(axes, headers or {}, margin, scale, count)
    for row, (name, batch) in enumerate(rows.items()):
        for column, image in enumerate(batch):
            show_image(axes, image, margin + column * scale, top + row * scale, scale)
            if headers:
                left, right, bottom, above = axes.images[-1].get_extent()
                axes.plot([left, right, right, left, left], [bottom, bottom, above, above, bottom], FRAME, lw=0.6)
        axes.text(margin - 0.1, top + (row + 0.5) * scale, name, ha="right", va="center", fontsize=9)
    return figure


def _write_headers(axes: Axes, headers: Mapping[str, int], margin: float, scale: float, count: int) -> None:
    """Words above columns of images; ValueError where they stand over more columns than there are."""
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers are {{words: how many columns they stand over}}, got {arguments.shown(headers)}")
    column = 0
    for words, width in headers.items():
        width = arguments.whole(f"the header {words!r}", width, 1, count - column, "of columns", "those that are left")
        axes.text(margin + (column + width / 2) * scale, 0.12, str(words), ha="center", va="center", fontsize=9)
        column += width


def basis(models: Any, count: int = 8) -> Figure:
    """What each code value adds to the picture: the columns of linear decoders, as images, red + and blue −.

    models: with `decoder_matrix()`: PCA, LinearAutoencoder. Each column is scaled by its own largest magnitude.
    """
    for model in named(arguments.models(models)).values():
        if not hasattr(model, "decoder_matrix"):
            raise TypeError(
                f"{model.label} has no decoder_matrix(): basis draws linear decoders, of PCA or LinearAutoencoder"
            )
    count = arguments.whole("count", count, 1)
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


def canvas(figure: Figure) -> Axes:
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
