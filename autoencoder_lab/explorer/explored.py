"""A model as the explorer shows it: a frozen copy, what it can be asked, the coordinates it is moved by."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab.data.batches import in_batches
from autoencoder_lab.explorer import program
from autoencoder_lab.training.first_weights import is_fresh

LARGEST_CODE = 64  # codes longer than this are moved along their strongest principal directions only
KEPT_DIRECTIONS = 32


def refusal(name: str, model: Any, images: Any) -> str:
    """Why a model cannot be explored with a Split of images, in one sentence with what it can do instead; "" if it can.

    What decodes has a map, what reconstructs can be drawn for; the rest makes no picture that a page could show.
    """
    if not (model.decodes or model.reconstructs):
        instead = [
            (model.encodes, "lab.plot.codes shows its codes, and lab.compare measures them by probe and knn"),
            (model.samples and model.conditional, "model.sample(n, condition=…) draws pictures of what is asked for"),
            (model.samples and not model.conditional, "model.sample(n) draws pictures"),
            (model.fills, "model.fill(x, mask) completes damaged images"),
        ]
        able = "; ".join(what for can, what in instead if can) or "the explorer shows models that do one of the two"
        return (
            f"{name} makes no picture from a code alone nor from an image, so nothing can be dragged or drawn: {able}"
        )
    if images.targets is not None:
        return (
            f"these images have targets, and the explorer compares what {name} makes with the images themselves: "
            "lab.plot.reconstructions shows it beside the targets, and dataclasses.replace(split, targets=None) is a "
            "split to explore"
        )
    return ""


@dataclass
class ExploredModel:
    """A frozen copy of one model, moved by `size` coordinates a: z = center + a · directions, or z = a itself.

    decodes: whether a place on a map is a picture; reconstructs: whether an image is. problem: why it cannot be shown
    at all (not fitted, NaN weights); no_map: why there is no map of its codes.
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
    encodes: bool = field(init=False)
    reconstructs: bool = field(init=False)

    def __post_init__(self) -> None:
        self.model = frozen(self.model)
        self.decodes, self.encodes = self.model.decodes, self.model.encodes
        self.reconstructs = self.model.reconstructs or (self.decodes and self.encodes)
        self.no_map = why_no_map(self.name, self.encodes, self.decodes)
        if unfitted(self.model):
            kind = type(self.model).__name__
            self.problem = f"{kind} is not fitted yet: call {kind.lower()}.fit(data.train) first"
        else:
            self._look()

    def _look(self) -> None:
        """Encode and reconstruct the images; say what is not finite, or of another shape."""
        if self.encodes:
            codes = in_batches(self.model.encode, self.images)
            self.codes = self._project(codes) if self.decodes and codes.shape[1] > LARGEST_CODE else codes
        if self.model.reconstructs:
            restored = in_batches(self.model.reconstruct, self.images)
        elif self.encodes:
            restored = in_batches(lambda x: self.model.decode(self.model.encode(x)), self.images)
        else:
            restored = in_batches(self.model.decode, torch.zeros(1, self.model.latent))
        shown, made = (tuple(pictures.shape[1:]) for pictures in (self.images, restored))
        if shown != made:
            self.problem = f"{self.name} makes pictures {made} and these images are {shown}: they cannot be compared."
            return
        if self.reconstructs:
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
        """How many numbers the explorer moves; 0 for a model without a code."""
        if not (self.decodes or self.encodes):
            return 0
        return int(self.model.latent if self.directions is None else len(self.directions))

    def decode(self, coordinates: Tensor) -> Tensor:
        """(B, size) → (B, C, H, W)."""
        if self.directions is not None and self.center is not None:
            coordinates = self.center + coordinates @ self.directions
        pictures: Tensor = self.model.decode(coordinates)
        return pictures

    def encode(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, size)."""
        codes: Tensor = self.model.encode(x)
        if self.directions is None or self.center is None:
            return codes
        return (codes - self.center) @ self.directions.T

    def reconstruct(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape: from the coordinates where there are some, by the whole model elsewhere."""
        if self.decodes and self.encodes:
            return self.decode(self.encode(x))
        restored: Tensor = self.model.reconstruct(x)
        return restored

    def programs(self) -> dict[str, program.Program]:
        """What the browser must be able to run; raises UnsupportedLayer where it cannot."""
        programs = {}
        if self.decodes:
            programs["decode"] = program.record(self.decode, torch.zeros(1, self.size))
        if self.decodes and self.encodes:
            programs["encode"] = program.record(self.encode, self.images[:1])
        elif self.reconstructs:
            programs["reconstruct"] = program.record(self.reconstruct, self.images[:1])
        return programs


def why_no_map(name: str, encodes: bool, decodes: bool) -> str:
    """Why a model has no map, or no images on it; "" where it has both."""
    if decodes:
        return "" if encodes else f"{name} has no encoder: no image has a place on its map."
    why = "hands its decoder more than the code" if encodes else "has no code"
    return f"{name} {why}, so a place on a map of codes stands for no picture. Draw works: it runs the whole model."


def frozen(model: Any) -> Any:
    """A copy in evaluation mode on the CPU: the one being trained is never decoded from, nor seen half-way."""
    twin = copy.deepcopy(model).cpu().eval()
    for parameter in twin.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None
    return twin


def unfitted(model: Any) -> bool:
    """Whether a model that its own `fit` solves has not been fitted: it holds NaN, or nothing that a fit leaves."""
    state = [values for name, values in model.state_dict().items() if name != "trained_steps"]
    missing = any(bool(values.isnan().any()) for values in state) or (not state and model.fit_seconds is None)
    return bool(model.solved and missing)


def untrained(model: Any) -> bool:
    """Whether a model has weights, and they are still those it was made with."""
    return any(True for _ in model.parameters()) and is_fresh(model)
