"""The running picture: points in the plane, and what models make of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Ellipse
from torch import Tensor

from autoencoder_lab import arguments
from autoencoder_lab.comparison import named
from autoencoder_lab.data.corruptions import Corruption
from autoencoder_lab.metrics import CORRUPTION_SEED, in_batches
from autoencoder_lab.plotting.diagram.asking import asked, check_verbs
from autoencoder_lab.plotting.figure import Figure
from autoencoder_lab.plotting.palette import COLOURS

WIDE, NARROW, COLUMNS = 4.4, 2.9, 3  # inches of a panel, alone and beside others; panels side by side
POINT, SEEN, MADE = COLOURS[9], COLOURS[0], COLOURS[1]  # each has a contrast of 3 : 1 with white and with black
COLOURED = {"code": "by its code", "position": "by its position on the curve"}


def plane(
    points: Any,
    models: Any = None,
    colour: str | None = None,
    corrupt: Corruption | None = None,
    arrows: bool = False,
    alt: str | None = None,
) -> Figure:
    """Points in the plane: one panel, or one for each model with what it makes of them.

    points: a split of images (N, 1, 1, 2), such as lab.bent_curve().test, or points (N, 2), a grid perhaps.
    models: one, a sequence, or {name: model}; a cross marks where a model draws each point back. In a mapping, points
    (M, 2) or (M, 1, 1, 2) may stand in a model's place: what a generator has made, say. They are shown as they are.
    colour: "code" colours the points by the first value of each model's code, in order of rank; "position" by where on
    the curve they were drawn; None leaves them grey.
    corrupt: the models see corrupt(points), shown as well. arrows: an arrow in place of each cross, from what a model
    sees to where it draws it.
    The panels are `figure.axes`, where more can be drawn. Raises TypeError for what is no points or no model,
    ValueError for points of another shape, and for a colour that is not to be had.
    """
    images = _images(points)
    panels = _panels(models, images)
    seen = images if corrupt is None else _corrupted(images, corrupt)
    colours = {name: _colours(colour, points, one, images) for name, one in panels.items()}
    rows, columns = -(-len(panels) // COLUMNS), min(len(panels), COLUMNS)
    side = NARROW if len(panels) > 1 else WIDE
    figure = Figure(figsize=(side * columns + 0.2, 0.85 * side * rows))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    facts = [f"{len(images)} points in the plane" + (f", each coloured {COLOURED[colour]}" if colour else "")]
    for axes, (name, one) in zip(grid, panels.items(), strict=False):
        _draw_points(axes, images, colours[name], colour)
        if corrupt is not None:
            axes.plot(*_xy(seen), "o", color=SEEN, markersize=2.5, label="what the model sees")
        if one is not None:
            axes.set_title(name, fontsize=10)
            facts.append(f"{name}: {_draw_made(axes, one, images, seen, arrows)}")
        axes.set_aspect("equal")
        axes.tick_params(labelsize=8)
    for axes in grid[len(panels) :]:
        axes.remove()
    figure.alt = alt or f"{'. '.join(facts)}."
    figure.legend_below()
    return figure


def _images(given: Any, name: str = "points") -> Tensor:
    """Points in the plane as images (N, 1, 1, 2), from a split, images or (N, 2)."""
    given = arguments.split(given) if arguments.is_data(given) else given  # which says: pass data.test
    x = given.images if arguments.is_split(given) else given
    x = arguments.tensor(name, x, "(N, 2) or (N, 1, 1, 2)").detach().cpu()
    if x.shape[1:] not in ((2,), (1, 1, 2)) or not len(x):
        raise ValueError(f"{name} must be points in the plane, (N, 2) or (N, 1, 1, 2), got shape {tuple(x.shape)}")
    return x.view(-1, 1, 1, 2)


def _panels(models: Any, images: Tensor) -> dict[str, Any]:
    """{title: a model, or points as images}; one panel without either where there are no models."""
    if models is None:
        return {"": None}
    if not isinstance(models, Mapping):
        return named(arguments.models(models, "reconstruct"), images)
    made = {name: _images(one, name) for name, one in models.items() if isinstance(one, Tensor)}
    others = {name: one for name, one in models.items() if name not in made}
    found = named(arguments.models(others, "reconstruct"), images) if others or not made else {}
    return {name: made.get(name, found.get(name)) for name in models}


def _corrupted(images: Tensor, corrupt: Corruption) -> Tensor:
    arguments.function("corrupt", corrupt, "lambda x, generator=None: x + 0.2 * torch.randn(x.shape)")
    return corrupt(images, torch.Generator().manual_seed(CORRUPTION_SEED))


def _colours(colour: str | None, points: Any, one: Any, images: Tensor) -> Tensor | None:
    """For each point a number from 0 to 1, or None for grey."""
    if colour is None:
        return None
    if colour == "position" and "position" in getattr(points, "factor_names", ()):
        place: Tensor = points.factors[:, points.factor_names.index("position")]
        return place
    if colour == "code" and getattr(one, "encodes", hasattr(one, "encode")):
        return in_batches(one.encode, images)[:, 0].argsort().argsort() / max(1, len(images) - 1)
    needed = {"code": "models that all have a code", "position": "a split that knows it, such as lab.bent_curve().test"}
    if colour not in COLOURED:
        raise ValueError(f'colour must be "code", "position" or None, got {arguments.shown(colour)}')
    raise ValueError(f'colour="{colour}" needs {needed[colour]}')


def _draw_points(axes: Axes, images: Tensor, values: Tensor | None, colour: str | None) -> None:
    if values is None or colour is None:
        axes.plot(*_xy(images), "o", color=POINT, markersize=3, label="point")
        return
    edge = matplotlib.rcParams["text.color"]  # the ends of the scale are near white and near black
    label = f"point, coloured {COLOURED[colour]}, dark to bright"
    style: dict[str, Any] = {"cmap": "viridis", "vmin": 0, "vmax": 1, "edgecolors": edge, "linewidths": 0.4}
    across, up = _xy(images)
    axes.scatter(across, up, c=values.numpy(), s=16, label=label, **style)


def _draw_made(axes: Axes, one: Any, images: Tensor, seen: Tensor, arrows: bool) -> str:
    """Where a model draws the points, or points of its own; what there is to say of it."""
    if isinstance(one, Tensor):
        axes.plot(*_xy(one), "x", color=MADE, markersize=4, label="drawn by the model")
        return f"{len(one)} points of its own"
    made = in_batches(one.reconstruct, seen)
    if arrows:
        (x, y), (dx, dy) = _xy(seen), _xy(made - seen)
        exact: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.006}
        axes.quiver(x, y, dx, dy, color=MADE, label="where the model draws it", **exact)
    else:
        axes.plot(*_xy(made), "x", color=MADE, markersize=4, label="drawn back")
    after = float((made - images).square().mean())
    if seen is images and arrows:
        return (
            f"arrows to where it draws them, {float((made - seen).flatten(1).norm(dim=1).mean()):.3g} long on average"
        )
    before = "" if seen is images else f" instead of the input's {float((seen - images).square().mean()):.4f}"
    return f"drawn back with a squared error of {after:.4f} a coordinate{before}"


def _xy(images: Tensor) -> Any:
    return images.view(-1, 2).T.numpy()


# --- what a VAE takes a code for -------------------------------------------------------------------

ELLIPSES = 60  # of the images, the first ones; more of them would be a blot


def posteriors(models: Any, split: Any, limit: int = ELLIPSES, axes_shown: tuple[int, int] = (0, 1)) -> Figure:
    """Where VAEs put their codes: q(z|x) of some images as ellipses of 1 σ round μ, and the cloud of all draws.

    models: with `posterior(x)` → (μ, log σ²), (B, latent) each: one, a sequence or {name: model}, a panel each.
    split: images; each of the first `limit` has an ellipse, each of all of them one draw z from its q(z|x), a dot.
    The dashed circles are the prior N(0, I) at 1 and 2 standard deviations. axes_shown: which two code values; a code
    of one number stands at random heights, its ellipses become lines. Classes have colours; points of the bent curve
    that of their position. Raises TypeError for a model without a posterior or for what is no split.
    """
    arguments.split(split)
    limit = arguments.whole("limit", limit, 1)
    panels = named(models) if isinstance(models, Mapping) else named(arguments.models(models))
    found = {name: _named_gaussians(one, split, axes_shown) for name, one in panels.items()}
    side = NARROW if len(found) > 1 else WIDE
    figure = Figure(figsize=(side * len(found) + 0.3, side))
    facts = []
    for axes, (name, (mu, sigma, together)) in zip(
        figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True
    ):
        draws = mu + sigma * torch.randn(mu.shape, generator=torch.Generator().manual_seed(0))
        _draw_gaussians(axes, mu[:limit], sigma[:limit], draws, _class_colours(split))
        axes.set_title(name, fontsize=10)
        axes.tick_params(labelsize=8)
        facts.append(
            f"{name}: σ of an image {float(sigma.mean()):.2f} on average, standard deviation of all draws together "
            f"{float(together):.2f}"
        )
    figure.legend_below()
    figure.alt = (
        f"Ellipses of 1 σ round the means of {min(limit, len(split.images))} images, over one draw of each of "
        f"{len(split.images)} and circles of the prior at 1 and 2 standard deviations. {'; '.join(facts)}."
    )
    return figure


def _named_gaussians(model: Any, split: Any, axes_shown: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """μ and σ in the two code values shown, (N, 2) each, and the standard deviation of all draws together."""
    check_verbs(model, "posterior")
    mu, log_var = asked(model.posterior, split.images)
    sigma = torch.exp(0.5 * log_var)
    together = (mu.var(dim=0) + sigma.square().mean(dim=0)).sqrt().mean()
    if mu.shape[1] == 1:  # heights that tell them apart
        heights = torch.linspace(-1, 1, len(mu))[torch.randperm(len(mu), generator=torch.Generator().manual_seed(0))]
        return torch.stack([mu[:, 0], heights], dim=1), torch.stack([sigma[:, 0], 0 * heights], dim=1), together
    last = mu.shape[1] - 1
    chosen = [arguments.whole("axes_shown", one, 0, last, many=f"the last code value, {last},") for one in axes_shown]
    return mu[:, chosen], sigma[:, chosen], together


def _class_colours(split: Any) -> list[Any]:
    """A colour for each image: of its class, or of its position along the curve."""
    if "position" in getattr(split, "factor_names", ()):
        place = split.factors[:, split.factor_names.index("position")]
        return [matplotlib.colormaps["viridis"](float(value)) for value in place]
    return [COLOURS[int(label) % len(COLOURS)] for label in split.labels]


def _draw_gaussians(axes: Axes, mu: Tensor, sigma: Tensor, draws: Tensor, colours: list[Any]) -> None:
    axes.plot(*draws.T.numpy(), ".", color=POINT, markersize=3, label="one draw z of each image", zorder=1)
    for (x, y), (width, height), colour in zip(mu.tolist(), (2 * sigma).tolist(), colours, strict=False):
        axes.add_patch(Ellipse((x, y), width, height, fill=False, edgecolor=colour, linewidth=1.2, zorder=3))
        axes.plot([x], [y], "o", color=colour, markersize=2.5, zorder=4)
    axes.plot([], [], "o-", color=POINT, markersize=3, fillstyle="full", label="μ of an image with its ellipse of 1 σ")
    ink = matplotlib.rcParams["text.color"]
    for radius in (1, 2):
        label = "N(0, I) at 1 and 2 standard deviations" if radius == 1 else None
        axes.add_patch(Circle((0, 0), radius, fill=False, edgecolor=ink, linestyle="--", linewidth=1, label=label))
    reach = max(2.3, 1.05 * float(mu.abs().max()) + float(sigma.max()))
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="code value", ylabel="code value")
    axes.set_aspect("equal")
