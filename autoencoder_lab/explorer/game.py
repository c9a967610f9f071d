"""A player for the game in the plane: recorded here, shown in the browser without a kernel."""

from __future__ import annotations

import base64
import html as markup
import io
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import numpy as np
import torch
import traitlets
from matplotlib.colors import LinearSegmentedColormap
from torch import Generator, Tensor

from autoencoder_lab import metrics
from autoencoder_lab.data.plane import ENOUGH, NEAR, ring_centres, ring_points
from autoencoder_lab.explorer import bundle, page
from autoencoder_lab.explorer.widget import _close_former_of_this_cell
from autoencoder_lab.models.planar_game import PlanarGAN
from autoencoder_lab.plotting.figure import Figure

EDGE, CELLS = 3.2, 32  # the critic's belief is shown at CELLS × CELLS places over ±EDGE
POINTS = 300  # of each kind that are shown
POINT_UNIT = 1 / 5000  # points are packed as int16 of this unit
HALVES = {"neither": "before the first round", "critic": "D trained", "generator": "G trained"}
START = """
const code = document.getElementById("code").textContent;
const { default: game } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
const place = document.getElementById("explorer");
place.replaceChildren();
game.renderGame(JSON.parse(document.getElementById("scene").textContent), place);
"""


class Moment(NamedTuple):
    """A look at one game: the round, and which network has just moved, "critic", "generator" or "neither".

    points: (1000, 2), the generator's, always from the same noise; belief: (CELLS, CELLS), what the critic takes for
    the probability that a point there is real, rows upwards; accuracy: how often it is right, real and made alike;
    covered: modes.
    """

    round: int
    part: str
    points: Tensor
    belief: Tensor
    accuracy: float
    covered: int


@torch.no_grad()
def look(gan: PlanarGAN, part: str) -> Moment:
    """What there is to see of the first of its games."""
    middles = EDGE * ((2 * torch.arange(CELLS) + 1) / CELLS - 1)
    grid = torch.cartesian_prod(middles, middles).flip(1)  # (CELLS², 2), x runs fastest
    made, real = gan.sample()[0], ring_points(1000, generator=Generator().manual_seed(1))
    places = torch.cat([grid, made, real])
    scores = gan.score(places.expand(len(gan.random), *places.shape))[0]
    if gan.game == "relativistic":
        scores = scores - scores[len(grid) :].mean()  # only differences count in that game
    right = (scores[len(grid) : -1000] < 0).float().mean() + (scores[-1000:] > 0).float().mean()
    covered = metrics.modes_covered(made, ring_centres(), NEAR, ENOUGH).covered
    belief = scores[: len(grid)].sigmoid().view(CELLS, CELLS)
    return Moment(gan.rounds, part, made, belief, float(right / 2), int(covered))


def record(gan: PlanarGAN, rounds: int = 1000, kept: int = 40) -> list[Moment]:
    """Play on and keep the beginning and two moments of about `kept` rounds, early ones more often than late ones."""
    due = {max(1, round(rounds * (i / kept) ** 2)) for i in range(1, kept + 1)}
    moments = [look(gan, "neither")]
    for i in range(1, rounds + 1):
        gan.step((lambda part: moments.append(look(gan, part))) if i in due else None)
    return moments


class GamePlayer(anywidget.AnyWidget):
    """The widget that `lab.show_game` returns; all moments reach the browser with it."""

    _css = bundle.stylesheet() + (bundle.HERE / "game.css").read_text(encoding="utf-8")
    scene = traitlets.Dict().tag(sync=True)

    def __init__(self, moments: list[Moment], title: str) -> None:
        self.moments, self.title = moments, title
        super().__init__(_esm=javascript(), scene=scene(moments, title))
        _close_former_of_this_cell(self)

    def to_png(self) -> bytes:
        """Four moments side by side, for where nothing can be played."""
        figure, buffer = sheet(self.moments, self.title), io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None, "Description": figure.alt})
        self._alt = figure.alt
        return buffer.getvalue()

    def to_html(self, path: str | Path) -> Path:
        """Write one page that holds everything: no network, no kernel. Returns the path.

        Raises FileExistsError rather than replace a file that is not such a page.
        """
        png = base64.b64encode(self.to_png()).decode()
        text = page.PAGE.format(
            beginning=page.BEGINNING.decode(),
            policy=page.POLICY,
            style=self._css,
            title=markup.escape(self.title),
            alt=markup.escape(self._alt, quote=True),
            sheet=png,
            about="Made with autoencoder_lab. Everything is in this page: it asks no server for anything.",
            scene=json.dumps(self.scene, separators=(",", ":")).replace("<", "\\u003c"),
            data="",
            code=javascript().replace("</", "<\\/"),
            start=START,
        )
        return page.write(Path(path), text.encode(), page.BEGINNING)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The live widget, and the sheet for readers without JavaScript."""
        live = super()._repr_mimebundle_(**kwargs)
        data, metadata = live if isinstance(live, tuple) else (live or {}, {})
        png = base64.b64encode(self.to_png()).decode()
        return {**data, "text/plain": repr(self), "image/png": png}, {**metadata, "image/png": {"alt": self._alt}}

    def __repr__(self) -> str:
        """Stable, where the default one holds a memory address."""
        return f"GamePlayer({self.title}; {len(self.moments)} moments)"

    def close(self) -> None:
        """Take the widget off the page and free what it holds."""
        self.layout.close()
        super().close()


def javascript() -> str:
    """One ES module: the shared parts and the player."""
    source = "\n".join((bundle.HERE / name).read_text(encoding="utf-8") for name in ("parts.js", "game.js"))
    return re.sub(r"^(import .*\n|export (?!default))", "", source, flags=re.MULTILINE)


def scene(moments: list[Moment], title: str) -> dict[str, Any]:
    """What the browser gets: JSON values; points and beliefs as base64, each kept once while it stands still."""
    places, beliefs, told = [_packed(moments[0].points)], [_bytes(moments[0].belief)], []
    for moment in moments:
        for kept, new in ((places, _packed(moment.points)), (beliefs, _bytes(moment.belief))):
            if new != kept[-1]:
                kept.append(new)
        told.append(
            {
                "round": moment.round,
                "part": moment.part,
                "accuracy": round(moment.accuracy, 3),
                "covered": moment.covered,
                "points": len(places) - 1,
                "belief": len(beliefs) - 1,
            }
        )
    return {
        "title": title,
        "rounds": moments[-1].round,
        "modes": len(ring_centres()),
        "edge": EDGE,
        "cells": CELLS,
        "real": _packed(ring_points(POINTS, generator=Generator().manual_seed(2))),
        "points": places,
        "beliefs": beliefs,
        "moments": told,
    }


def sheet(moments: list[Moment], title: str) -> Figure:
    """Four moments: the beginning, and the last of each third."""
    last = len(moments) - 1
    chosen = [moments[round(share * last / 2) * 2] for share in (0, 1 / 3, 2 / 3, 1)]
    figure = Figure(figsize=(9.6, 2.9), dpi=80)
    figure.suptitle(title, fontsize=10)
    real = ring_points(POINTS, generator=Generator().manual_seed(2))
    middles = (EDGE * ((2 * torch.arange(CELLS) + 1) / CELLS - 1)).numpy()
    colours = LinearSegmentedColormap.from_list("belief", ["#f6c98f", "#ffffff", "#6eb0e2"])  # as in game.js

    def shade(belief: Tensor) -> Any:
        sure = (2 * belief - 1).numpy()
        return 0.5 + 0.5 * np.sign(sure) * np.abs(sure) ** 0.6  # a faint belief should show, as in game.js

    for axes, moment in zip(figure.subplots(1, 4, sharey=True), chosen, strict=True):
        extent = (-EDGE, EDGE, -EDGE, EDGE)
        axes.imshow(shade(moment.belief), origin="lower", extent=extent, cmap=colours, vmin=0, vmax=1)
        if float(moment.belief.min()) < 0.5 < float(moment.belief.max()):
            axes.contour(middles, middles, moment.belief.numpy(), levels=[0.5], colors="#333333", linewidths=1)
        axes.scatter(*real.T.numpy(), s=12, marker="x", color="black", linewidths=0.7)
        axes.scatter(*moment.points[:POINTS].T.numpy(), s=9, color="#b23c00", edgecolors="white", linewidths=0.3)
        axes.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), xticks=[], yticks=[])
        axes.set_title(f"round {moment.round}: {moment.covered} of {len(ring_centres())} modes", fontsize=8)
    said = "; ".join(
        f"round {m.round}: {m.covered} modes covered, the critic is right about {m.accuracy:.0%}" for m in chosen
    )
    figure.alt = (
        f"{title}: four moments of a game in the plane. Crosses are real points, in a ring of eight heaps; dots the "
        f"generator's; the shading says where the critic believes that points are real. {said}."
    )
    return figure


def _packed(points: Tensor) -> str:
    """The first POINTS of (n, 2) as int16, little-endian; what is out of their range stands at its edge."""
    units = (points[:POINTS] / POINT_UNIT).round().clamp(-32768, 32767).nan_to_num(0)
    return base64.b64encode(units.numpy().astype("<i2").tobytes()).decode()


def _bytes(belief: Tensor) -> str:
    """Probabilities as bytes."""
    return base64.b64encode((255 * belief).round().numpy().astype(np.uint8).tobytes()).decode()
