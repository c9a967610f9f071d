"""Everything an explorer shows, worked out once: codes, directions, ranges, programs for the browser; no widget here.

The scene is one dict of JSON values and bytes; scene_keys.py says what each key holds.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencoder_lab.explorer import program
from autoencoder_lab.explorer.explored import ExploredModel, untrained
from autoencoder_lab.explorer.scene_keys import AffineMap, Alignment, Directions, Scene, SceneModel, Snapshot

BROWSER_MACS = 8_000_000  # about 8 ms in plain JavaScript: the most that leaves a frame of 1/60 s its time
SHOWN_DIRECTIONS = 16
ENGINES = ("auto", "browser", "kernel", "plain")


def pixel_bytes(pictures: Tensor) -> np.ndarray:
    """round(255 · clamp(x, 0, 1)) as uint8, half to even as in a browser's Uint8ClampedArray."""
    data: np.ndarray = (pictures.nan_to_num(0).clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return data


def choose_engine(models: list[ExploredModel], engine: str) -> tuple[str, str, list[dict[str, program.Program]]]:
    """(the engine, why it is not the browser, the programs): "auto" takes the browser wherever it is fast enough.

    Raises ValueError for engine="browser" with a model that the browser cannot run.
    """
    programs: list[dict[str, program.Program]] = []
    try:
        for model in models:
            programs.append({} if model.problem else model.programs())
    except program.UnsupportedLayer as error:
        if engine == "browser":
            raise ValueError(f'{error}; use engine="kernel" or engine="auto"') from error
        return "kernel", f"The kernel computes the pictures: {error}.", [{} for _ in models]
    heaviest = max((one.macs for each in programs for one in each.values()), default=0)
    if engine == "auto" and heaviest > BROWSER_MACS:
        why = (
            f"The kernel computes the pictures: {heaviest / 1e6:.0f} million multiplications for one are more than "
            f"the {BROWSER_MACS / 1e6:.0f} million that a browser does in time for the next frame."
        )
        return "kernel", why, programs
    return ("kernel" if engine == "kernel" else "browser"), "", programs


def whole_scene(
    title: str,
    split: Any,
    models: Sequence[ExploredModel],
    originals: Sequence[Any],
    engine: tuple[str, str, list[dict[str, program.Program]]],
    snapshots: Sequence[list[Snapshot]],
    align: bool,
) -> Scene:
    """What the page is made from: the images of `split`, each model with its snapshots; `engine`: of choose_engine."""
    chosen, why, programs = engine
    wide = len(split.classes) > 256
    outside = float(split.images.min()) < 0 or float(split.images.max()) > 1
    return {
        "title": title,
        "engine": chosen,
        "why": why,
        "shape": list(split.images.shape[1:]),
        "classes": list(split.classes),
        "labelBytes": 4 if wide else 1,
        "labels": split.labels.numpy().astype("<i4" if wide else "u1").tobytes(),
        "images": pixel_bytes(split.images).tobytes(),
        "notices": ["Pixel values outside [0, 1] are shown as black or white."] if outside else [],
        "untrained": [
            f"{model.name} has not been trained: its pictures mean nothing yet. Train it with lab.fit(model, data)."
            for model, original in zip(models, originals, strict=True)
            if untrained(original)
        ],
        "models": [
            _entry(model, own if chosen == "browser" else {}, taken)
            for model, own, taken in zip(models, programs, snapshots, strict=True)
        ],
        "align": alignment(*models) if len(models) == 2 else None,
        "aligned": align,
    }


def _entry(model: ExploredModel, programs: dict[str, program.Program], snapshots: list[Snapshot]) -> SceneModel:
    return {
        "name": model.name,
        "size": model.size,
        "decodes": model.decodes,
        "encodes": model.encodes,
        "reconstructs": model.reconstructs,
        "prior": model.model.has_prior,
        "problem": model.problem,
        "noMap": model.no_map,
        "coordinates": model.coordinates,
        "programs": {name: one.to_json() for name, one in programs.items()},
        "snapshots": snapshots,
    }


def snapshot(model: ExploredModel, programs: dict[str, program.Program], precision: str = "float16") -> Snapshot:
    """One moment of a model: weights, codes and their directions. `programs` may be empty (kernel engine)."""
    mapped = model.decodes and not model.problem
    return {
        "step": int(model.model.trained_steps),
        "weights": {name: program.pack(one, precision) for name, one in programs.items()},
        "mse": model.mse if math.isfinite(model.mse) else None,
        **(
            _standard_directions(model.size)
            if model.codes is None or not mapped
            else _directions(model.codes.double(), model.model.has_prior)
        ),
    }


def _directions(codes: Tensor, prior: bool) -> Directions:
    """Of the codes (n, size) of the images shown."""
    count, size = codes.shape
    mean = codes.mean(dim=0)
    _, singular, rows = torch.linalg.svd(codes - mean, full_matrices=False)
    shown = min(SHOWN_DIRECTIONS, len(rows))
    covariance = (codes - mean).T @ (codes - mean) / max(1, count - 1)
    # a dead code value has no variance; a sliver of it keeps the factorisation possible
    sliver = 1e-9 * covariance.diagonal().mean().clamp(min=1e-9) * torch.eye(size, dtype=torch.double)
    along = (codes - mean) @ rows[:shown].T
    return {
        "codes": f32(codes),
        "ranges": f32(_ranges(codes, torch.zeros(size), prior)),
        "directionRanges": f32(_ranges(along, -mean @ rows[:shown].T, prior)),
        "mean": f32(mean),
        "spread": f32(codes.std(dim=0, correction=min(1, count - 1))),
        "directions": f32(rows[:shown]),
        "directionSpread": f32(singular[:shown] / max(1, count - 1) ** 0.5),
        "cholesky": f32(torch.linalg.cholesky(covariance + sliver)),
    }


def _ranges(places: Tensor, center: Tensor, prior: bool) -> Tensor:
    """(axes, 2): the values worth showing of places (n, axes): all of them with a margin, and the prior's ±3.5."""
    low, high = places.min(dim=0).values, places.max(dim=0).values
    # one image, or a dead code value: something to drag all the same
    reach = torch.where(high - low > 1e-6, 0.08 * (high - low), 0.1 + 0.1 * low.abs())
    low, high = low - reach, high + reach
    if prior:
        low, high = torch.minimum(low, center - 3.5), torch.maximum(high, center + 3.5)
    return torch.stack([low, high], dim=1)


def _standard_directions(size: int) -> Directions:
    """The directions of a model without codes: those of a standard normal prior."""
    shown = min(SHOWN_DIRECTIONS, size)
    return {
        "codes": b"",
        "ranges": f32(torch.tensor([[-3.5, 3.5]] * size)),
        "directionRanges": f32(torch.tensor([[-3.5, 3.5]] * shown)),
        "mean": f32(torch.zeros(size)),
        "spread": f32(torch.ones(size)),
        "directions": f32(torch.eye(size)[:shown]),
        "directionSpread": f32(torch.ones(shown)),
        "cholesky": f32(torch.eye(size)),
    }


def keep_signs(now: Snapshot, before: Snapshot, count: int) -> None:
    """Turn principal directions round where they point against those of the snapshot before: a map must not flip."""
    if not now["codes"] or not before["codes"]:
        return

    def places(moment: Snapshot) -> np.ndarray:
        codes = np.frombuffer(moment["codes"], "<f4").reshape(count, -1)
        placed: np.ndarray = (codes - codes.mean(axis=0)) @ np.frombuffer(moment["directions"], "<f4").reshape(
            -1, codes.shape[1]
        ).T
        return placed

    agreement = (places(now) * places(before)).sum(axis=0)
    signs = np.where(agreement < 0, -1, 1)[:, None]
    directions = np.frombuffer(now["directions"], "<f4").reshape(len(agreement), -1)
    ranges = np.frombuffer(now["directionRanges"], "<f4").reshape(-1, 2)
    now["directions"] = (signs * directions).astype("<f4").tobytes()
    now["directionRanges"] = np.sort(signs * ranges, axis=1).astype("<f4").tobytes()


def alignment(a: ExploredModel, b: ExploredModel) -> Alignment | None:
    """The affine maps that bring the codes of one model nearest to the other's, in both directions, by least squares.

    For two linear codes of the same subspace the map is exact and invertible: h_b = M h_a + t. r2: the share of the
    variance it explains. None where a model has no codes, or there are too few images to fit a map.
    """
    if a.codes is None or b.codes is None or a.problem or b.problem or not (a.decodes and b.decodes):
        return None
    if len(a.codes) <= max(a.size, b.size) + 1:
        return None

    def best_map(source: Tensor, target: Tensor) -> AffineMap:
        x = torch.cat([source.double(), torch.ones(len(source), 1, dtype=torch.double)], dim=1)
        y = target.double()
        solution = torch.linalg.lstsq(x, y, driver="gelsd").solution  # (k + 1, k'); gelsd bears dead code values
        left = (y - x @ solution).square().sum()
        r2 = 1 - float(left / (y - y.mean(dim=0)).square().sum().clamp(min=1e-30))
        return {"matrix": f32(solution[:-1].T.contiguous()), "offset": f32(solution[-1]), "r2": r2}

    return {"forward": best_map(a.codes, b.codes), "backward": best_map(b.codes, a.codes)}


def f32(values: Tensor) -> bytes:
    """Little-endian float32, whatever the machine."""
    data: np.ndarray = values.detach().cpu().contiguous().float().numpy()
    return (data if sys.byteorder == "little" else data.byteswap()).tobytes()
