"""Images as arguments. A tensor that is right is handed back as it is. No figure depends on this."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencoder_lab.arguments.things import is_data, is_split, shown


def tensor(name: str, given: Any, shape: str) -> Tensor:
    """A tensor of floating point numbers: itself, or made of an array or a list of tensors.

    shape: what its shape should be, for the message. TypeError for anything else, ValueError for whole numbers.
    """
    given = stacked(given)
    if not isinstance(given, Tensor):
        advice = "; pass its images: split.images" if is_split(given) or is_data(given) else ""
        raise TypeError(f"{name} must be a tensor {shape}, got {shown(given)}{advice}")
    if given.is_complex() or not given.is_floating_point():
        advice = "divide by 255" if given.dtype == torch.uint8 else f"call {name}.float()"
        raise ValueError(f"{name} must be float32 {shape}, got {shown(given)}; {advice}")
    return given


def stacked(given: Any) -> Any:
    """A NumPy array, a picture of Pillow's, or a list of such of one shape, as a tensor; anything else as it is."""
    if hasattr(given, "__array_interface__") and not isinstance(given, np.ndarray):
        given = np.array(given)  # a picture of Pillow's
    if isinstance(given, np.ndarray) and given.dtype.kind in "fiub":
        return torch.from_numpy(np.require(given, requirements=["C", "W"]))
    if isinstance(given, Sequence) and len(given) and all(map(_is_array, given)):
        parts = [stacked(one) for one in given]
        alike = {(part.shape, part.dtype) for part in parts if isinstance(part, Tensor)}
        return torch.stack(parts) if len(alike) == 1 and all(isinstance(part, Tensor) for part in parts) else given
    return given


def _is_array(one: Any) -> bool:
    return isinstance(one, Tensor) or hasattr(one, "__array_interface__")


def batch(given: Any, name: str = "x") -> Tensor:
    """Floating point numbers (N, C, H, W): a tensor, an array, a list of images; errors as those of `tensor`."""
    x = tensor(name, given, "(N, C, H, W)")
    if x.ndim != 4:
        advice = f"; {name}[:, None] adds the channel, {name}[None] makes a batch of one image" if x.ndim == 3 else ""
        raise ValueError(f"{name} must be (N, C, H, W), got shape {tuple(x.shape)}{advice}")
    return x


def images(given: Any, name: str = "images") -> Tensor:
    """A batch of at least one image (N, C, H, W), channels first; errors as those of `batch`."""
    x = batch(given, name)
    if 0 in x.shape:
        raise ValueError(f"{name} must be (N, C, H, W), none of them 0, got shape {tuple(x.shape)}")
    if channels_last(x):
        raise ValueError(
            f"{name} must be (N, C, H, W), got {tuple(x.shape)}, whose channels come last; {name}.permute(0, 3, 1, 2) "
            "brings them to their place"
        )
    return x


def channels_last(x: Tensor) -> bool:
    """Whether a batch (N, …) looks like (N, H, W, C): a last side of one, three or four, and two longer ones."""
    return x.ndim == 4 and x.shape[3] in (1, 3, 4) and min(x.shape[1:3]) > 4


def alike(name: str, x: Tensor, weights: Any) -> Tensor:
    """x itself where it has the type of some weights, or torch casts both; ValueError otherwise. weights: a module."""
    own = next(_types(weights), x.dtype)
    if x.dtype == own or torch.is_autocast_enabled(x.device.type) or x.dtype in _types(weights):
        return x
    own_type, given = (str(dtype).removeprefix("torch.") for dtype in (own, x.dtype))
    advice = f"call {name}.float()" if own == torch.float32 else "call model.float()"
    raise ValueError(f"{weights.label} takes {name} of {own_type}, as its weights are, got {given}; {advice}")


def _types(weights: Any) -> Iterator[torch.dtype]:
    for value in itertools.chain(weights.parameters(), weights.buffers()):
        if value.is_floating_point():
            yield value.dtype


def drawable(given: Any, name: str = "images") -> Tensor:
    """A batch of images for display, (N, C, H, W), float32 on the CPU, C one or three.

    What can be meant is taken: a Split, a list of images, an array, one image (C, H, W) or (H, W), a batch without a
    channel (N, H, W), channels last, bytes 0 … 255, any format of numbers. (3, H, W) is one image in colour.
    """
    x = given.images if is_split(given) else given
    if isinstance(x, Sequence) and not isinstance(x, str) and len(x) and all(_pixels(one) is not None for one in x):
        singles = [_one(_pixels(one)) for one in x]
        x = torch.stack(singles) if len({single.shape for single in singles}) == 1 else x
    else:
        x = stacked(x)
    if not isinstance(x, Tensor):
        advice = "; pass the images of one split: data.test.images" if is_data(x) else ""
        raise TypeError(
            f"{name} must be images (N, C, H, W), or a list of images of one size, got {shown(given)}{advice}"
        )
    x = x.detach().cpu()
    x = x / 255 if x.dtype == torch.uint8 else _as_real(x, name)
    if x.ndim == 2 or (x.ndim == 3 and (x.shape[0] in (1, 3) or (x.shape[2] in (1, 3) and min(x.shape[:2]) > 4))):
        x = _one(x)[None]
    elif x.ndim == 3:
        x = x[:, None]
    x = x.permute(0, 3, 1, 2) if channels_last(x) else x
    if x.ndim != 4 or 0 in x.shape or x.shape[1] not in (1, 3, 4):
        raise ValueError(f"{name} must be (N, C, H, W), at least one image of one channel or three, got {shown(given)}")
    return x[:, :3] if x.shape[1] == 4 else x


def _as_real(x: Tensor, name: str) -> Tensor:
    """float32; ValueError for whole numbers beyond 1, of which nobody knows which one is white."""
    real = x.float()
    if not x.is_floating_point() and x.numel() and (real.min() < 0 or real.max() > 1):
        low, high = real.min().item(), real.max().item()
        raise ValueError(
            f"{name} must be in [0, 1], or bytes 0 … 255, got {x.dtype} in [{low:g}, {high:g}]; divide by 255"
        )
    return real


def _pixels(one: Any) -> Tensor | None:
    """A tensor, or an array as one; None for anything else, and for what is more than one image."""
    x = stacked(one)
    return x if isinstance(x, Tensor) and x.ndim in (2, 3) else None


def _one(x: Any) -> Tensor:
    """One image as (C, H, W), from (H, W), (C, H, W) or (H, W, C)."""
    one: Tensor = x[None] if x.ndim == 2 else x
    return one.permute(2, 0, 1) if one.shape[2] in (1, 3, 4) and min(one.shape[:2]) > 4 else one
