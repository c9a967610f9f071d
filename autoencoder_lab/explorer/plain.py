"""The explorer with ordinary sliders, for front ends that load no script of ours."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from typing import Any

import ipywidgets
import torch
from matplotlib.image import imsave

from autoencoder_lab.explorer import bundle
from autoencoder_lab.explorer.course_widget import CourseWidget, close_former_of_this_cell
from autoencoder_lab.explorer.explored import ExploredModel
from autoencoder_lab.explorer.scene import pixel_bytes, snapshot
from autoencoder_lab.explorer.sheet import contact_sheet
from autoencoder_lab.explorer.standalone import RUN, image_tag, png_of
from autoencoder_lab.plotting.figure import Figure

MOST_SLIDERS = 8


class PlainExplorer(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Ordinary widgets in a box; a widget of ours without a view leaves its picture in a saved notebook."""

    def __init__(self, parts: list[ipywidgets.Widget], figure: Figure) -> None:
        super().__init__(parts)
        self.add_class("autoencoder-lab-plain")
        self._rest = _Rest()
        self._rest.leave_for(self, image_tag(png_of(figure), figure.alt), RUN)
        close_former_of_this_cell(self)

    def close(self) -> None:
        """Take all of it off the page; closed widgets hold on to nothing."""
        if self.comm is None:
            return
        super().close()
        inner: list[Any] = list(self.children)
        while inner:
            one = inner.pop()
            inner += getattr(one, "children", ())
            for part in (one, one.layout, getattr(one, "style", None)):
                if part is not None:
                    part.unobserve_all()
                    part.close()
        self.set_trait("children", ())
        self.layout.close()
        self._rest.close()


class _Rest(CourseWidget):
    """Has no view: where its script can run, it does for a widget without one what widget.js does for ours."""

    _esm = bundle.javascript("rest")


def plain_explorer(models: Mapping[str, Any], split: Any) -> PlainExplorer:
    """For each model a choice of image, sliders (code values up to 8, else principal directions), a picture."""
    explored = [ExploredModel(name, model, split.images) for name, model in models.items()]
    figure = contact_sheet(explored, split, f"Latent explorer: {' and '.join(models)}")
    return PlainExplorer([_one(model, split) for model in explored], figure)


def _one(model: ExploredModel, split: Any) -> ipywidgets.Widget:
    if model.problem or not model.decodes:
        return ipywidgets.HTML(html.escape(model.problem or model.no_map))
    moment = snapshot(model, {})
    few = model.size <= MOST_SLIDERS
    mean = _numbers(moment["mean"])
    axes = torch.eye(model.size) if few else _numbers(moment["directions"]).view(-1, model.size)[:MOST_SLIDERS]
    spread = _numbers(moment["spread"] if few else moment["directionSpread"])[: len(axes)].clamp(min=1e-3)
    sliders = [
        ipywidgets.FloatSlider(
            value=0,
            min=-4,
            max=4,
            step=0.05,
            description=f"{'value' if few else 'direction'} {i + 1}",
            tooltip=f"{'code value' if few else 'principal direction'} {i + 1}, in standard deviations from the mean",
        )
        for i in range(len(axes))
    ]
    picture = ipywidgets.HTML()

    def draw(_change: Any = None) -> None:
        amounts = torch.tensor([slider.value for slider in sliders]) * spread
        with torch.inference_mode():
            shown = model.decode((mean + amounts @ axes)[None])[0]
        said = ", ".join(f"{slider.value:+.2f}" for slider in sliders)
        source = base64.b64encode(_png(shown)).decode()
        picture.value = (
            f'<img alt="Picture that {html.escape(model.name)} decodes at {said} standard deviations" width="224" '
            f'style="image-rendering: pixelated" src="data:image/png;base64,{source}">'
        )

    def go(change: Any) -> None:
        if model.codes is not None:
            amounts = (model.codes[change["new"]] - mean) @ axes.T / spread
            for slider, amount in zip(sliders, amounts.tolist(), strict=True):
                slider.value = max(slider.min, min(slider.max, amount))

    controls: list[ipywidgets.Widget] = list(sliders)
    if model.codes is not None:
        named_images = [(f"{i}: {split.classes[int(k)]}", i) for i, k in enumerate(split.labels[:100])]
        image = ipywidgets.Dropdown(options=named_images, description="image")
        image.observe(go, names="value")
        controls.insert(0, image)
    for slider in sliders:
        slider.observe(draw, names="value")
    draw()
    return ipywidgets.VBox(
        [ipywidgets.HTML(html.escape(model.name)), ipywidgets.HBox([ipywidgets.VBox(controls), picture])]
    )


def _numbers(data: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.float32)


def _png(picture: torch.Tensor) -> bytes:
    """One image (C, H, W) as a PNG."""
    rows = pixel_bytes(picture).transpose(1, 2, 0)
    buffer = io.BytesIO()
    imsave(buffer, rows if rows.shape[2] == 3 else rows.mean(axis=2), cmap="gray", vmin=0, vmax=255, format="png")
    return buffer.getvalue()
