"""Everything an explorer shows, worked out once: codes, directions, ranges, programs for the browser; no widget here.

The scene is one dict of JSON values and bytes; docs/developing.md lists its keys. The browser can do all it does from
the scene alone, with no kernel.
"""

from __future__ import annotations

import copy
import math
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencoder_lab.data.batches import in_batches
from autoencoder_lab.explorer import program
from autoencoder_lab.training.first_weights import is_fresh

BROWSER_MACS = 8_000_000  # about 8 ms in plain JavaScript: the most that leaves a frame of 1/60 s its time
LARGEST_CODE = 64  # codes longer than this are moved along their strongest principal directions only
KEPT_DIRECTIONS = 32
SHOWN_DIRECTIONS = 16
ENGINES = ("auto", "browser", "kernel", "plain")


@dataclass
class ExploredModel:
    """A frozen copy of one model, moved by `size` coordinates a: z = center + a · directions, or z = a itself.

    problem: why it cannot be shown at all (not fitted, NaN weights); no_map: why there is no map of its codes.
    """

    name: str
    model: Any
    images: Tensor  # (n, C, H, W), the images shown
    center: Tensor | None = None  # (d,), where a long code was projected
    directions: Tensor | None = None  # (size, d), orthonormal rows
    codes: Tensor | None = None  # (n, size)
    mse: float = float("nan")
    problem: str = ""
    no_map: str = ""
    coordinates: str = ""
    decodes: bool = field(init=False)
    encodes: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        self.model = frozen(self.model)
        self.decodes = bool(getattr(self.model, "code_only", True))
        if not self.decodes:
            self.no_map = (
                f"{self.name} hands its decoder more than the code, so a place on a map of codes stands for no "
                "picture. Draw works: it runs the whole model."
            )
        try:
            self._look()
        except RuntimeError as error:  # PCA that was never fitted says so itself
            self.problem = str(error)

    def _look(self) -> None:
        """Encode and reconstruct the images; say what is not finite."""
        try:
            codes = in_batches(self.model.encode, self.images)
        except (TypeError, NotImplementedError):  # a generator alone
            self.encodes = False
            self.no_map = self.no_map or f"{self.name} has no encoder: no image has a place on its map."
            restored = in_batches(self.model.decode, torch.zeros(1, self.model.latent))
        else:
            if self.decodes and codes.shape[1] > LARGEST_CODE:
                codes = self._project(codes)
            self.codes = codes
            restored = in_batches(self.model.reconstruct, self.images)
            self.mse = float((restored - self.images).square().mean())
        if not (restored.isfinite().all() and (self.codes is None or self.codes.isfinite().all())):
            self.problem = (
                f"{self.name} gives NaN or infinite numbers, as a model does whose training diverged. Make it anew and "
                "train it with a smaller learning rate."
            )

    def _project(self, codes: Tensor) -> Tensor:
        """Keep the strongest principal directions of a long code, and say how much of its variance they hold."""
        self.center = codes.mean(dim=0)
        _, singular, rows = torch.linalg.svd((codes - self.center).double(), full_matrices=False)
        self.directions = rows[:KEPT_DIRECTIONS].to(codes.dtype)
        share = float(singular[:KEPT_DIRECTIONS].square().sum() / singular.square().sum().clamp(min=1e-30))
        self.coordinates = (
            f"The {codes.shape[1]:,} code values of {self.name} are moved along their {len(self.directions)} strongest "
            f"principal directions, which hold {share:.1%} of their variance."
        )
        return (codes - self.center) @ self.directions.T

    @property
    def size(self) -> int:
        """How many numbers the explorer moves."""
        return int(self.model.latent if self.directions is None else len(self.directions))

    def decode(self, coordinates: Tensor) -> Tensor:
        """(B, size) → (B, C, H, W)."""
        if self.directions is None or self.center is None:
            pictures: Tensor = self.model.decode(coordinates)
            return pictures
        decoded: Tensor = self.model.decode(self.center + coordinates @ self.directions)
        return decoded

    def encode(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, size)."""
        codes: Tensor = self.model.encode(x)
        if self.directions is None or self.center is None:
            return codes
        return (codes - self.center) @ self.directions.T

    def reconstruct(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape: from the coordinates where there are some, by the whole model elsewhere."""
        if self.decodes:
            return self.decode(self.encode(x))
        restored: Tensor = self.model.reconstruct(x)
        return restored

    def programs(self) -> dict[str, program.Program]:
        """What the browser must be able to run; raises UnsupportedLayer where it cannot."""
        if not self.decodes:
            return {"reconstruct": program.record(self.model.reconstruct, self.images[:1])}
        device_free = torch.zeros(1, self.size)
        programs = {"decode": program.record(self.decode, device_free)}
        if self.encodes:
            programs["encode"] = program.record(self.encode, self.images[:1])
        return programs


def frozen(model: Any) -> Any:
    """A copy in evaluation mode on the CPU: the one being trained is never decoded from, nor seen half-way."""
    twin = copy.deepcopy(model).cpu().eval()
    for parameter in twin.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None
    return twin


def untrained(model: Any) -> bool:
    """Whether a model has weights, and they are still those it was made with."""
    return any(True for _ in model.parameters()) and is_fresh(model)


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


def snapshot(model: ExploredModel, programs: dict[str, program.Program], step: int, precision: str) -> dict[str, Any]:
    """One moment of a model: weights, codes and their directions. `programs` may be empty (kernel engine)."""
    moment: dict[str, Any] = {
        "step": step,
        "label": f"step {step:,}" if step else "",
        "weights": {name: program.pack(one, precision) for name, one in programs.items()},
        "mse": model.mse if math.isfinite(model.mse) else None,
    }
    if model.codes is None or not model.decodes or model.problem:
        return moment | _standard_directions(model.size)
    codes = model.codes.double()
    count = len(codes)
    mean = codes.mean(dim=0)
    _, singular, rows = torch.linalg.svd(codes - mean, full_matrices=False)
    shown = min(SHOWN_DIRECTIONS, len(rows))
    covariance = (codes - mean).T @ (codes - mean) / max(1, count - 1)
    # a dead code value has no variance; a sliver of it keeps the factorisation possible
    sliver = 1e-9 * covariance.diagonal().mean().clamp(min=1e-9) * torch.eye(model.size, dtype=torch.double)
    prior = bool(getattr(model.model, "has_prior", False))
    along = (codes - mean) @ rows[:shown].T
    return moment | {
        "codes": f32(codes),
        "ranges": f32(_ranges(codes, torch.zeros(model.size), prior)),
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


def _standard_directions(size: int) -> dict[str, Any]:
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


def keep_signs(now: dict[str, Any], before: dict[str, Any], count: int) -> None:
    """Turn principal directions round where they point against those of the snapshot before: a map must not flip."""
    if not now["codes"] or not before["codes"]:
        return

    def places(moment: dict[str, Any]) -> np.ndarray:
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


def alignment(a: ExploredModel, b: ExploredModel) -> dict[str, Any] | None:
    """The affine maps that bring the codes of one model nearest to the other's, in both directions, by least squares.

    For two linear codes of the same subspace the map is exact and invertible: h_b = M h_a + t. r2: the share of the
    variance it explains. None where a model has no codes, or there are too few images to fit a map.
    """
    if a.codes is None or b.codes is None or a.problem or b.problem or not (a.decodes and b.decodes):
        return None
    if len(a.codes) <= max(a.size, b.size) + 1:
        return None

    def best_map(source: Tensor, target: Tensor) -> dict[str, Any]:
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
