"""A player for one setting of a VAE, such as β: μ of some images and their ellipses of 1 σ, while it is dragged."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab import losses
from autoencoder_lab.explorer import bundle, page
from autoencoder_lab.explorer.scene import pixel_bytes
from autoencoder_lab.explorer.scene_keys import PosteriorScene, PosteriorSetting
from autoencoder_lab.explorer.standalone import StandaloneWidget
from autoencoder_lab.plotting.diagram.asking import asked
from autoencoder_lab.plotting.figure import Figure

START = """
const code = document.getElementById("code").textContent;
const { default: player } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
const place = document.getElementById("explorer");
place.replaceChildren();
player.renderPosteriors(JSON.parse(document.getElementById("scene").textContent), place);
"""


class PosteriorPlayer(StandaloneWidget):
    """The widget that `lab.show_posteriors` returns; everything reaches the browser with it."""

    _esm = bundle.javascript("posteriors")
    _css = bundle.stylesheet("explorer", "views", "posteriors")

    def __init__(self, models: Mapping[float, Any], images: Any, setting: str, title: str) -> None:
        self.models, self.images, self.setting, self.title = dict(models), images, setting, title
        self._repr = f"PosteriorPlayer({title}; {setting} = {', '.join(f'{value:g}' for value in models)})"
        super().__init__(scene=scene(self.models, images, setting, title))

    def figure(self) -> Figure:
        """Four of the settings side by side, for where nothing can be dragged."""
        from autoencoder_lab.plotting.plane import posteriors

        values = list(self.models)
        chosen = sorted({round(i * (len(values) - 1) / 3) for i in range(4)})
        return posteriors({f"{self.setting} = {values[i]:g}": self.models[values[i]] for i in chosen}, self.images)

    def page_text(self) -> str:
        """The page, as `to_html` writes it."""
        described = json.dumps(self.scene, separators=(",", ":"))
        code, style = bundle.javascript("posteriors"), bundle.stylesheet("explorer", "views", "posteriors")
        return page.filled(self, described, code, style, START, about="Everything is in this page")

    def __repr__(self) -> str:
        """Stable, where the default one holds a memory address."""
        return self._repr

    def forget(self) -> None:
        """Let go of the models."""
        super().forget()
        self.models.clear()
        self.images = None


def scene(models: Mapping[float, Any], images: Any, setting: str, title: str) -> PosteriorScene:
    """What the browser gets: JSON values; pictures as bytes in base64."""
    settings: list[PosteriorSetting] = []
    before: Tensor | None = None
    for value, model in models.items():
        mu, log_var = asked(model.posterior, images.images)
        sigma = torch.exp(0.5 * log_var)
        kl = losses.gaussian_kl(mu, log_var).mean(dim=0)
        if before is not None:
            mu, sigma = _turned(mu, sigma, before)
        before = mu
        restored = asked(model.reconstruct if hasattr(model, "reconstruct") else model, images.images)
        settings.append(
            {
                "value": f"{value:g}",
                "means": _rounded(mu),
                "sigmas": _rounded(sigma),
                "rate": round(float(kl.sum()), 2),
                "error": round(float((restored - images.images).square().mean()), 4),
                "pictures": _bytes(restored),
            }
        )
    return {
        "title": title,
        "setting": setting,
        "shape": list(images.images.shape[1:]),
        "classes": list(images.classes),
        "labels": images.labels.tolist(),
        "originals": _bytes(images.images),
        "settings": settings,
    }


def _turned(mu: Tensor, sigma: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """The same codes with their two axes exchanged or turned round, as is nearest to the codes before.

    N(0, I) looks the same from there, and so does a Gaussian along the axes: trainings differ in it by chance.
    """
    ways = [(order, signs) for order in ((0, 1), (1, 0)) for signs in itertools.product((1.0, -1.0), repeat=2)]
    order, signs = max(ways, key=lambda way: float((mu[:, way[0]] * torch.tensor(way[1]) * before).sum()))
    return mu[:, order] * torch.tensor(signs), sigma[:, order]


def _rounded(values: Tensor) -> list[list[float]]:
    return [[round(one, 3) for one in row] for row in values.nan_to_num(0).tolist()]


def _bytes(pictures: Tensor) -> str:
    return base64.b64encode(pixel_bytes(pictures).tobytes()).decode()
