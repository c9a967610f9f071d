"""Autoencoders, with a picture going through them: what comes in, what passes, what comes out, what is compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from autoencoder_lab import arguments
from autoencoder_lab.models.layers import PoolingEncoder, ResidualBlock
from autoencoder_lab.plotting.diagram.asking import asked, check_verbs, first_image, numbers
from autoencoder_lab.plotting.diagram.sheet import MOST_BARS, Sheet, described
from autoencoder_lab.plotting.figure import Figure
from autoencoder_lab.plotting.palette import CODE, DECODER, ENCODER

HEIGHTS = {"around": 2.85, "inside": 2.4, "": 2.1}  # inches that a network takes, by where its skips are


def hourglass(image: Any, model: Any = None, code: Any = None, reconstruction: Any = None) -> Figure:
    """An autoencoder as an hourglass: the picture that goes in, its code as bars, the picture that is drawn from it.

    image: one image (C, H, W), of several the first. model: anything with `encode` and `decode`, one's own nn.Module
    too; or, instead of a model, what it gives: code (d,) and reconstruction (C, H, W).
    Raises TypeError without both, ValueError for a model whose decoder needs more than the code.
    """
    x, h, x_hat = _passed(image, model, code, reconstruction)
    sheet = Sheet(8.1, 2.85)
    _hourglass(sheet, x, h, x_hat, ("picture that goes in", "picture that comes out"))
    error = float((x - x_hat).square().mean())
    sheet.arrow((0.9, 2.25), (0.9, 2.5), (7.2, 2.5), (7.2, 2.25), way="compare", head=False)
    sheet.label(4.05, 2.67, f"training makes these two alike: squared error per pixel {error:.4f}")
    return sheet.done(
        f"An autoencoder as an hourglass. A picture of {described(x.shape)} goes into the encoder, which squeezes it "
        f"into a code of {len(h):,}, drawn as bars; the decoder draws a picture from the code alone. The two "
        f"pictures are compared: squared error per pixel {error:.4f}."
    )


def denoising(image: Any, damaged: Any, model: Any = None, code: Any = None, reconstruction: Any = None) -> Figure:
    """A denoising autoencoder: it sees the damaged picture, and what it draws is compared with the clean one.

    image, damaged: one image (C, H, W) each, clean and as the model sees it; model, code and reconstruction: as for
    `hourglass`, from the damaged image. Raises what `hourglass` raises, ValueError for two images of unequal shapes.
    """
    clean, (seen, h, x_hat) = first_image(image), _passed(damaged, model, code, reconstruction)
    if clean.shape != seen.shape:
        raise ValueError(f"clean and damaged image must have one shape, got {tuple(clean.shape)}, {tuple(seen.shape)}")
    sheet = Sheet(8.1, 4.3)
    _hourglass(sheet, seen, h, x_hat, ("damaged picture", "picture that comes out"))
    sheet.picture(0.25, 2.75, 1.3, clean)
    sheet.label(0.9, 4.17, "clean picture")
    sheet.arrow((0.9, 2.75), (0.9, 2.3))
    sheet.label(1.0, 2.53, "damage", ha="left")
    sheet.arrow((1.65, 3.4), (7.2, 3.4), (7.2, 2.25), way="compare", head=False)
    before, after = (float((clean - other).square().mean()) for other in (seen, x_hat))
    sheet.label(4.4, 3.2, f"training makes these two alike: squared error per pixel {after:.4f}")
    sheet.label(4.4, 3.62, f"(the damaged picture's own error is {before:.4f})")
    return sheet.done(
        f"A denoising autoencoder. A clean picture is damaged; the encoder squeezes the damaged one into a code of "
        f"{len(h):,} numbers, and the decoder draws from the code. The drawing is compared with the clean picture, "
        f"which the model never sees: squared error per pixel {after:.4f}; that of the damaged one is {before:.4f}."
    )


def _passed(image: Any, model: Any, code: Any, reconstruction: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Image (C, H, W), code (d,) and reconstruction (C, H, W): from a model, or as they are given."""
    x = first_image(image)
    if model is None and code is not None and reconstruction is not None:
        h, x_hat = numbers(code), first_image(reconstruction)
    else:
        check_verbs(model, "encode", "decode", instead=", or takes code= and reconstruction=")
        if not getattr(model, "decodes", True):
            raise ValueError(
                f"{model.label} draws from more than its code, which an hourglass would hide: use lab.diagram.skips"
            )
        z = asked(model.encode, x[None])
        h, x_hat = z[0].flatten(), asked(model.decode, z)[0].view_as(x)
    if x_hat.shape != x.shape:
        raise ValueError(f"image and reconstruction must have one shape, got {tuple(x.shape)} and {tuple(x_hat.shape)}")
    return x, h, x_hat


def _hourglass(sheet: Sheet, x: Tensor, h: Tensor, x_hat: Tensor, titles: tuple[str, str]) -> None:
    """The upper 2.25 inches of a sheet 8.1 wide."""
    middle, size = 1.15, f"$h$: {len(h):,} number" + "s" * (len(h) > 1)
    sheet.picture(0.15, 0.4, 1.5, x)
    sheet.layer(2.0, middle, 1.3, 1.5, 0.7, "encoder\nsqueezes", ENCODER)
    sheet.bars(3.75, middle - 0.35, 0.6, 0.7, h, CODE)
    sheet.layer(4.8, middle, 1.3, 0.7, 1.5, "decoder\ndraws", DECODER)
    sheet.picture(6.45, 0.4, 1.5, x_hat)
    for start, end in ((1.68, 1.98), (3.34, 3.7), (4.4, 4.76), (6.13, 6.43)):
        sheet.arrow((start, middle), (end, middle))
    for place, title, below in (
        (0.9, titles[0], f"$x$: {described(x.shape)}"),
        (4.05, "code: all that passes", size + (f", first {MOST_BARS} drawn" if len(h) > MOST_BARS else "")),
        (7.2, titles[1], r"$\hat{x}$: from the code alone"),
    ):
        sheet.label(place, 0.2, title, weight="bold")
        sheet.label(place, 2.08, below, 8.5)


def skips(image: Any, models: Mapping[str, Any]) -> Figure:
    """Networks whose skips stay inside encoder and decoder, or go round the code: what passes where, counted.

    models: {name: model}. Each is run on the image and the shapes of its feature maps are read off. Skips go round the
    code where the model says `decodes = False`, and stay inside where it has residual blocks; a module of one's own
    says `skips = "around"` or "inside". Raises TypeError for what is no nn.Module, ValueError where the skips carry
    places of maxima, which `pooling` draws.
    """
    if not isinstance(models, Mapping) or not models:
        raise TypeError(f"models are {{name: model}}, at least one, got {arguments.shown(models)}")
    x, facts = first_image(image), []
    sheet, middle = Sheet(8.1, sum(HEIGHTS[_where(model)] for model in models.values())), -1.05
    for name, model in models.items():
        stages, x_hat = _stages(model, x)
        middle += HEIGHTS[_where(model)]
        top = middle + 1.2 - HEIGHTS[_where(model)]
        sheet.label(0.12, top, name, 10, ha="left", weight="bold")
        for left, picture in ((0.1, x), (6.9, x_hat)):
            sheet.picture(left, middle - 0.55, 1.1, picture)
        places = [1.35 + 5.4 / len(stages) * (i + 0.5) for i in range(len(stages))]
        facts.append(f"{name}: {_draw_skips(sheet, _where(model), stages, places, middle, top)}")
        _draw_stages(sheet, stages, places, middle)
    return sheet.done(f"What passes from a picture to its reconstruction. {' '.join(facts)}")


def _narrowest(stages: list[Tensor]) -> int:
    """Which of them is the code."""
    return min(range(len(stages)), key=lambda i: stages[i].numel())


def _half_height(stage: Tensor) -> float:
    """Half the height of a stage's box in inches: the larger the map, the higher."""
    return 0.15 + 0.025 * min(stage.shape[-1], 20)


def _draw_stages(sheet: Sheet, stages: list[Tensor], places: list[float], middle: float) -> None:
    """The boxes of a row, with the shapes of what leaves them, and the arrows between them."""
    ends = [1.22, *(place + 0.22 for place in places)]
    for i, (stage, place) in enumerate(zip(stages, places, strict=True)):
        if i == _narrowest(stages):
            sheet.bars(place - 0.2, middle - 0.35, 0.4, 0.7, stage, CODE)
            words = f"code: {stage.numel()}"
        else:
            half = _half_height(stage)
            sheet.box(place - 0.2, middle - half, 0.4, 2 * half, "", ENCODER if i < _narrowest(stages) else DECODER)
            words = "×".join(map(str, stage.shape[1:]))
        sheet.label(place, middle + 0.8, words, 8.5)
        sheet.arrow((ends[i], middle), (place - 0.23, middle))
    sheet.arrow((ends[-1], middle), (6.89, middle))


def _draw_skips(sheet: Sheet, where: str, stages: list[Tensor], places: list[float], middle: float, top: float) -> str:
    """The arrows above the boxes of a row, and the sentence that says what they carry."""
    narrow, total = _narrowest(stages), 0
    code = f"a code of {stages[narrow].numel()} numbers"
    if where != "around":
        for place, stage in zip(places, stages, strict=True):
            edge = middle - _half_height(stage)
            if where == "inside" and stage is not stages[narrow]:
                left, right = place - 0.12, place + 0.12
                sheet.arrow((left, edge), (left, edge - 0.2), (right, edge - 0.2), (right, edge))
                sheet.label(place, edge - 0.32, "$x + F(x)$", 8.5)
        sheet.label(8.0, top, f"everything passes {code}", weight="bold", ha="right")
        return f"everything passes {code}; skips, where there are any, stay within a stage."
    for i in range(narrow):
        alike = [j for j in range(narrow + 1, len(stages)) if stages[j].shape[2:] == stages[i].shape[2:]]
        if not alike:
            continue
        total += stages[i].numel()
        y, j = middle - 0.75 - 0.3 * (narrow - 1 - i), alike[-1]
        down = (middle - _half_height(stages[k]) for k in (i, j))
        sheet.arrow((places[i], next(down)), (places[i], y), (places[j], y), (places[j], next(down)))
        sheet.label(places[narrow], y - 0.12, f"{stages[i].numel():,} numbers", 8.5)
    sheet.label(8.0, top, f"{total:,} numbers go round {code}", weight="bold", ha="right")
    return f"skips hand {total:,} numbers from encoder to decoder, round {code}."


def _where(model: Any) -> str:
    """Where a model's skips are: "around" the code, "inside" encoder and decoder, or nowhere, ""."""
    if not getattr(model, "decodes", True):
        return "around"
    residual = isinstance(model, nn.Module) and any(isinstance(part, ResidualBlock) for part in model.modules())
    said = getattr(model, "skips", "inside" if residual else "")
    return said if isinstance(said, str) and said in HEIGHTS else ""


def _stages(model: Any, x: Tensor) -> tuple[list[Tensor], Tensor]:
    """What passes between encoder and decoder, one tensor for each size on the way, and the reconstruction."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"a model is run layer by layer, so it must be an nn.Module, got {arguments.shown(model)}")
    if any(isinstance(module, PoolingEncoder) for module in model.modules()):
        raise ValueError("its skips carry the places of maxima, not feature maps: lab.diagram.pooling draws them")
    seen: list[Tensor] = []
    leaves = [module for module in model.modules() if not list(module.children())]
    # what enters a layer as well: not every reshaping or joining is a layer
    hooks = [leaf.register_forward_hook(lambda layer, given, out: seen.extend([*given, out])) for leaf in leaves]
    try:
        reconstruct: Any = model.reconstruct if hasattr(type(model), "reconstruct") else model
        reconstruction = asked(reconstruct, x[None])
    finally:
        for hook in hooks:
            hook.remove()
    seen = [one for one in seen if isinstance(one, Tensor) and one.ndim in (2, 4)]
    flat = min((one for one in seen if one.ndim == 2), key=Tensor.numel, default=None)
    stages: list[Tensor] = []
    for one in seen:
        stage = flat if one.ndim == 2 and flat is not None else one
        if stage.ndim == 4 and stage.shape[-1] >= x.shape[-1]:
            continue  # as large as the picture: what comes in or goes out
        if stages and stages[-1].shape[2:] == stage.shape[2:]:
            stages.pop()  # of one size the last is what passes on
        stages.append(stage.cpu())
    if len(stages) < 2:
        raise ValueError(f"{type(model).__name__} has no feature maps smaller than the picture: nothing to draw")
    return stages, reconstruction[0]
