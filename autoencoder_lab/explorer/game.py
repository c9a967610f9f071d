"""A player for the game in the plane: recorded here, shown in the browser without a kernel."""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap
from torch import Generator, Tensor

from autoencoder_lab import metrics
from autoencoder_lab.data.plane import ENOUGH, NEAR, ring_centres, ring_points
from autoencoder_lab.explorer import bundle, page
from autoencoder_lab.explorer.scene_keys import GameMoment, GameScene
from autoencoder_lab.explorer.standalone import StandaloneWidget
from autoencoder_lab.models.planar_game import PlanarGAN
from autoencoder_lab.plotting import palette
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


class GamePlayer(StandaloneWidget):
    """The widget that `lab.show_game` returns; all moments reach the browser with it."""

    _esm = bundle.javascript("game")
    _css = bundle.stylesheet("explorer", "views", "game")

    def __init__(self, moments: list[Moment], title: str) -> None:
        self.moments, self.title = list(moments), title
        self._repr = f"GamePlayer({title}; {len(moments)} moments)"
        super().__init__(scene=scene(moments, title))

    def figure(self) -> Figure:
        """Four moments side by side, for where nothing can be played."""
        return sheet(self.moments, self.title)

    def page_text(self) -> str:
        """The page, as `to_html` writes it."""
        described = json.dumps(self.scene, separators=(",", ":"))
        code, style = bundle.javascript("game"), bundle.stylesheet("explorer", "views", "game")
        return page.filled(self, described, code, style, START, about="Everything is in this page")

    def __repr__(self) -> str:
        """Stable, where the default one holds a memory address."""
        return self._repr

    def forget(self) -> None:
        """Let go of the game."""
        super().forget()
        self.moments.clear()


def scene(moments: list[Moment], title: str) -> GameScene:
    """What the browser gets: JSON values; points and beliefs as base64, each kept once while it stands still."""
    places, beliefs = [_packed(moments[0].points)], [_bytes(moments[0].belief)]
    told: list[GameMoment] = []
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
    colours = LinearSegmentedColormap.from_list("belief", [palette.MADE_UP, palette.UNSURE, palette.REAL])

    def shade(belief: Tensor) -> Any:
        sure = (2 * belief - 1).numpy()
        return 0.5 + 0.5 * np.sign(sure) * np.abs(sure) ** 0.6  # a faint belief should show, as in game.js

    for axes, moment in zip(figure.subplots(1, 4, sharey=True), chosen, strict=True):
        extent = (-EDGE, EDGE, -EDGE, EDGE)
        axes.imshow(shade(moment.belief), origin="lower", extent=extent, cmap=colours, vmin=0, vmax=1)
        if float(moment.belief.min()) < 0.5 < float(moment.belief.max()):
            axes.contour(middles, middles, moment.belief.numpy(), levels=[0.5], colors=palette.UNDECIDED, linewidths=1)
        axes.scatter(*real.T.numpy(), s=12, marker="x", color=palette.REAL_POINT, linewidths=0.7, label="real points")
        made = moment.points[:POINTS].T.numpy()
        axes.scatter(*made, s=9, color=palette.MADE_POINT, edgecolors="white", linewidths=0.3, label="made by G")
        for ground, told in ((palette.REAL, "real, says D"), (palette.MADE_UP, "made, says D")):
            axes.scatter([], [], s=60, marker="s", color=ground, edgecolors=palette.UNDECIDED, lw=0.5, label=told)
        axes.plot([], [], color=palette.UNDECIDED, linewidth=1, label="D undecided")
        axes.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), xticks=[], yticks=[])
        axes.set_title(f"round {moment.round}: {moment.covered} of {len(ring_centres())} modes", fontsize=8)
    figure.legend_below()
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
