"""The contact sheet: what an explorer shows where nothing can be dragged."""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.axes import Axes

from autoencoder_lab.explorer.explored import ExploredModel
from autoencoder_lab.plotting.figure import Figure
from autoencoder_lab.plotting.palette import series_style
from autoencoder_lab.plotting.pictures import show_image

PICTURES = 8  # in a row


def contact_sheet(models: list[ExploredModel], split: Any, title: str) -> Figure:
    """A row of pictures for each model (images above their reconstructions), beside the map of its codes."""
    figure = Figure(figsize=(8.2, 0.4 + 2.5 * len(models)), dpi=80)
    figure.suptitle(title, fontsize=10)
    facts = []
    for part, model in zip(figure.subfigures(len(models), 1, squeeze=False).flat, models, strict=True):
        left, right = part.subfigures(1, 2, width_ratios=(1, 2.2))
        axes = left.subplots()
        axes.set(xticks=[], yticks=[])
        axes.set_title(model.name, fontsize=9)
        if model.problem or not model.decodes or model.codes is None:
            axes.set_axis_off()
            axes.text(0, 0.5, model.problem or model.no_map, fontsize=7, wrap=True, va="center")
        else:
            _draw_map(axes, model.codes, split)
        if model.problem:
            facts.append(f"{model.name}: {model.problem}")
            continue
        facts.append(_draw_pictures(right, model, split))
    figure.alt = f"{title}. {' '.join(facts)}"
    return figure


def _draw_map(axes: Axes, codes: torch.Tensor, split: Any) -> None:
    """The codes in the plane of their two values, or of their two strongest principal directions."""
    if codes.shape[1] > 2:
        centred = codes - codes.mean(dim=0)
        codes = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
    height = codes[:, 1] if codes.shape[1] > 1 else split.labels.float()
    for k in split.labels.unique().tolist():
        mine = split.labels == k
        axes.scatter(codes[mine, 0], height[mine], s=7, linewidths=0, alpha=0.7, **series_style(k))


def _draw_pictures(part: Any, model: ExploredModel, split: Any) -> str:
    """Images above what the model makes of them; for a decoder alone, what it makes of random codes. In words too."""
    count = min(PICTURES, len(split.images))
    with torch.no_grad():
        if model.reconstructs:
            rows = [split.images[:count], model.reconstruct(split.images[:count])]
            said = (
                f"{model.name}: {count} images above their reconstructions; squared error per pixel over all "
                f"{len(split.images)} images {model.mse:.4f}."
            )
        else:
            noise = torch.randn(count, model.size, generator=torch.Generator().manual_seed(0))
            rows = [model.decode(noise)]
            said = f"{model.name}: {count} pictures decoded from codes of a standard normal distribution."
    names = ("images", "reconstructions") if model.reconstructs else ("random codes",)
    axes = part.subplots()
    axes.set_axis_off()
    for row, (name, batch) in enumerate(zip(names, rows, strict=True)):
        top = 1.25 * row + 0.25  # in pictures; the quarter is for the text
        axes.text(0, top - 0.05, name, fontsize=7)
        for column, picture in enumerate(batch):
            show_image(axes, picture, column, top, 1)
    axes.set(xlim=(0, count), ylim=(1.25 * len(rows), 0), aspect="equal")
    return said
