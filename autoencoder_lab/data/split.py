"""What a data set is here: three splits of images, each checked when it is put together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from autoencoder_lab import arguments

Range = tuple[float, float] | None


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Images that serve one purpose (to train on, to choose by, to judge by), checked when they are put together.

    images: float32 (N, C, H, W), N ≥ 1, inside value_range; labels: int64 (N,), each the index of its name in classes;
    value_range: the smallest and largest value allowed; None for real-valued images, such as standardised ones.
    targets: float32 (N, C', H', W'), what should come out where that is not the image itself: a mask, its colours;
    captions: int64 (N, L), words that say what is asked for. `wanted` and `condition` are what models are told.
    Raises TypeError for anything but tensors, ValueError for images that no model here could take.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    value_range: Range = (0.0, 1.0)
    targets: Tensor | None = None
    captions: Tensor | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.images, Tensor) or not isinstance(self.labels, Tensor):
            kinds = f"{type(self.images).__name__} and {type(self.labels).__name__}"
            raise TypeError(f"images and labels must be tensors, got {kinds}; torch.from_numpy(array) makes one")
        check_images(self.images, self.value_range)
        object.__setattr__(self, "classes", arguments.texts("classes", self.classes, '("cat", "dog")'))
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype != torch.int64:
            raise ValueError(
                f"labels must be int64 of shape ({len(self.images)},), one for each image, "
                f"got {_dtype(self.labels)} of shape {tuple(self.labels.shape)}{_label_advice(self.labels)}"
            )
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= len(self.classes):
            raise ValueError(f"labels must be 0 … {len(self.classes) - 1}, an index into classes, got {low} … {high}")
        _check_targets(self.targets, len(self.images))
        _check_captions(self.captions, len(self.images))

    @property
    def wanted(self) -> Tensor:
        """What a model should make of the images: the targets where there are some, else the images themselves."""
        return self.images if self.targets is None else self.targets

    @property
    def condition(self) -> Tensor:
        """What a conditional model is asked for: the captions (N, L) where there are some, else the labels (N,)."""
        return self.labels if self.captions is None else self.captions

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: slice) -> "Split":
        """`split[:100]`: a smaller Split. A loaded split is ordered so that every beginning of it is stratified."""
        if not isinstance(index, slice):
            raise TypeError(f"a Split is cut by a slice, split[:100]; for one image take split.images[{index!r}]")
        columns = {column.name: getattr(self, column.name) for column in fields(self)}
        shorter = {name: value[index] for name, value in columns.items() if isinstance(value, Tensor)}
        return replace(self, **shorter)  # type: ignore[arg-type]  # only tensors are replaced

    def take(self, n: int) -> "Split":
        """The first n images, stratified over the classes. Raises ValueError if there are fewer."""
        return self[: arguments.whole("n", n, 1, len(self), many=f"the {len(self)} images there are")]

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.images.shape[1:]))
        return f"{type(self).__name__}({len(self)} images {shape}, {len(self.classes)} classes)"


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _label_advice(labels: Tensor) -> str:
    """What makes int64 of labels of another type, where that is all that is wrong."""
    return "; labels.long() makes them so" if labels.ndim == 1 and labels.dtype != torch.int64 else ""


def check_images(images: Tensor, value_range: Range) -> None:
    wanted = "real values" if value_range is None else f"[{value_range[0]:g}, {value_range[1]:g}]"
    if images.ndim != 4 or 0 in images.shape:
        hint = "; images[:, None] adds the channel" if images.ndim == 3 else ""
        raise ValueError(f"images must be (N, C, H, W), none of them 0, got shape {tuple(images.shape)}{hint}")
    if arguments.channels_last(images):
        advice = "images.permute(0, 3, 1, 2) brings them to their place"
        raise ValueError(f"images must be (N, C, H, W), got {tuple(images.shape)}, whose channels come last; {advice}")
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


def _check_targets(targets: Tensor | None, count: int) -> None:
    if targets is None:
        return
    arguments.tensor("targets", targets, f"({count}, C, H, W)")
    if targets.ndim != 4 or len(targets) != count or targets.dtype != torch.float32:
        given = f"{_dtype(targets)} of shape {tuple(targets.shape)}"
        raise ValueError(f"targets must be float32 ({count}, C, H, W), one for each image, got {given}")
    if not targets.isfinite().all():
        raise ValueError("targets must be finite, but some hold NaN or infinity; repair them or leave them out")


def _check_captions(captions: Tensor | None, count: int) -> None:
    if captions is not None and not isinstance(captions, Tensor):
        raise TypeError(f"captions must be a tensor, int64 ({count}, L), got {arguments.shown(captions)}")
    if captions is not None and (captions.ndim != 2 or len(captions) != count or captions.dtype != torch.int64):
        given = f"{_dtype(captions)} of shape {tuple(captions.shape)}"
        raise ValueError(f"captions must be int64 ({count}, L), the words of each image by their numbers, got {given}")


@dataclass(frozen=True, eq=False, repr=False)
class ImageData:
    """A data set: three splits that share no image, and where it comes from."""

    name: str
    train: Split
    val: Split
    test: Split
    licence: str = "not stated"
    source: str = "not stated"

    def __post_init__(self) -> None:
        arguments.text("name", self.name, '"my pictures"')
        for name in ("train", "val", "test"):
            # by its place in the record: a subclass may make a split when it is first asked for
            given = vars(self).get(name)
            if isinstance(given, Tensor | np.ndarray | str | list | tuple | Mapping | ImageData):
                raise TypeError(
                    f"{name} must be a Split, got {arguments.shown(given)}; make it: lab.Split(images, labels, classes)"
                )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image, read off the training split alone."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    def map(self, fn: Callable[[Tensor], Tensor], value_range: Range | Literal["same"] = "same") -> "ImageData":
        """The data with fn(images) in place of the images in every split; labels stay, so fn must keep the order.

        value_range: what fn's result must lie in; "same" as before, None for real values.
        """

        arguments.function("fn", fn, "lambda images: 1 - images")

        def mapped(split: Split) -> Split:
            allowed = split.value_range if value_range == "same" else value_range
            return replace(split, images=fn(split.images), value_range=allowed)

        return replace(self, train=mapped(self.train), val=mapped(self.val), test=mapped(self.test))

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.shape))
        counts = " / ".join(f"{len(split):,}" for split in (self.train, self.val, self.test))
        return f"ImageData({self.name}: {counts} images {shape}, {len(self.train.classes)} classes)"
