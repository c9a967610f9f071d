"""What was given for an argument: taken where it can be meant; else an error says what came, what is asked, what to do.

TypeError for a thing of another kind, ValueError for a number, a shape or a name that cannot be. What has `images` is
taken for a Split, what has a `train` of that sort for a data set: things of one's own count as well as the course's.
No figure depends on this.
"""

import inspect
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


def shown(given: Any) -> str:
    """What a message calls a thing: its kind, and of a tensor also type and shape."""
    if inspect.isclass(given):
        return f"the class {given.__name__}"
    if isinstance(given, Tensor):
        return f"a tensor, {str(given.dtype).removeprefix('torch.')} of shape {tuple(given.shape)}"
    if isinstance(given, np.ndarray):
        return f"a NumPy array, {given.dtype} of shape {given.shape}"
    if is_data(given):
        return f"a whole data set ({type(given).__name__})"
    if is_split(given):
        return f"a split of a data set ({type(given).__name__})"
    if _is_model(given):
        return f"a model ({getattr(given, 'label', type(given).__name__)})"
    if isinstance(given, list | tuple | set | dict) and len(given) > 3:
        return f"a {type(given).__name__} of {len(given)}"
    text = repr(given)
    return text if len(text) <= 60 else f"{type(given).__name__} {text[:50]}…"


# --- numbers ---------------------------------------------------------------------------------------------------------


def whole(
    name: str, given: Any, least: int | None = None, most: int | None = None, what: str = "", many: str = ""
) -> int:
    """A whole number, Python's, NumPy's or in a tensor; ValueError for anything else, also True and 2.0.

    what stands behind "a whole number" in the message, "of pixels"; many in the place of most.
    """
    number = _index(given)
    if number is None or (least is not None and number < least) or (most is not None and number > most):
        up_to = many or (most is not None and f"{most:,}")
        limits = "" if least is None else f" from {least:,} to {up_to}" if up_to else f", at least {least}"
        raise ValueError(f"{name} must be a whole number{what and f' {what}'}{limits}, got {_got(given)}")
    return number


def _index(given: Any) -> int | None:
    try:
        return (
            None
            if isinstance(given, bool) or (isinstance(given, Tensor) and given.dtype == torch.bool)
            else operator.index(given)
        )
    except (TypeError, RuntimeError):
        return None


def _got(given: Any) -> str:
    return str(given) if isinstance(given, np.number) else shown(given)


def number(name: str, given: Any, says: str, allowed: Callable[[float], bool] = math.isfinite) -> Any:
    """A number as Python's, whole ones as int; ValueError where it is none or not allowed.

    says: what stands behind the name in the message, "must be ≥ 0"; allowed: asked of a number alone.
    """
    try:
        whole_number = _index(given)
        value = whole_number if whole_number is not None else None if isinstance(given, str | bool) else float(given)
    except (TypeError, ValueError, RuntimeError):
        value = None
    if value is None or not allowed(value):
        raise ValueError(f"{name} {says}, got {_got(given)}")
    return value


def sizes(name: str, given: Any, what: str) -> tuple[int, ...]:
    """Whole numbers ≥ 1 in a row: a list, a tuple, an array; ValueError that ends in `what` for anything else."""
    try:
        if isinstance(given, str):
            raise TypeError
        numbers = tuple(whole(name, one, 1) for one in given)
    except (TypeError, ValueError):
        raise ValueError(f"{name} {what}, got {tuple(given) if _row(given) else shown(given)}") from None
    return numbers


def _row(given: Any) -> bool:
    return isinstance(given, list | tuple | np.ndarray | torch.Size)


# --- things of the course --------------------------------------------------------------------------------------------


def is_split(given: Any) -> bool:
    """Whether this is a split, of the course's own or one's own kind."""
    return not inspect.isclass(given) and isinstance(getattr(given, "images", None), Tensor)


def is_data(given: Any) -> bool:
    """Whether this is a data set: what has a split to train on."""
    return not inspect.isclass(given) and is_split(getattr(given, "train", None))


def _is_model(given: Any) -> bool:
    return not inspect.isclass(given) and (hasattr(type(given), "reconstructs") or isinstance(given, torch.nn.Module))


def split(given: Any, which: str = "data.test") -> Any:
    """The split itself; TypeError for anything else. which: the one that is usually meant."""
    if is_split(given):
        return given
    if is_data(given):
        raise TypeError(f"this takes one split of the data, got {shown(given)}; pass {which}")
    raise TypeError(f"this takes a split, such as {which}, got {shown(given)}{_made_of(given)}")


def data_set(given: Any) -> Any:
    """The data set itself; TypeError for anything else."""
    if is_data(given):
        return given
    if is_split(given):
        raise TypeError(f"this takes a whole data set, as lab.load gives it, got {shown(given)}; pass data")
    advice = f"; lab.load({given!r}) loads one by its name" if isinstance(given, str) else _made_of(given)
    raise TypeError(f"this takes a whole data set, as lab.load gives it, got {shown(given)}{advice}")


def _made_of(given: Any) -> str:
    if isinstance(given, Tensor | np.ndarray):
        return "; lab.Split(images, labels, classes) makes a split of tensors, and lab.ImageData a data set of splits"
    return ""


def model(given: Any, verb: str = "") -> Any:
    """The model itself; TypeError for a class, a plain module or another thing.

    verb: what it will be asked, "reconstruct". A model of the course that lacks it says so itself, when it is asked.
    """
    if inspect.isclass(given):
        name = given.__name__
        raise TypeError(f"this takes a model, got {shown(given)} itself; make one first: model = {name}(…)")
    if hasattr(type(given), "reconstructs") or (verb and callable(getattr(given, verb, None))):
        return given
    what = f" that can {verb}" if verb else ""
    if isinstance(given, torch.nn.Module):
        raise TypeError(
            f"this takes a model of the course{what}, got {type(given).__name__}, a plain torch module; derive it from "
            "lab.Autoencoder or lab.Model, as notebook 00 shows"
        )
    raise TypeError(f"this takes a model{what}, got {shown(given)}")


def models(given: Any, verb: str = "") -> Any:
    """One model, a sequence or a mapping of them, itself; TypeError where one of them is none, or there is none."""
    several = (
        list(given.values()) if isinstance(given, Mapping) else given if isinstance(given, list | tuple) else [given]
    )
    if not several:
        raise ValueError(f"this takes a model or several, got {shown(given)}")
    for one in several:
        model(one, verb)
    return given


def function(name: str, given: Any, example: str) -> Any:
    """The function itself; TypeError for a class or what cannot be called."""
    if not callable(given) or is_split(given) or inspect.isclass(given):
        raise TypeError(f"{name} must be a function, such as {example}, got {shown(given)}")
    return given


def text(name: str, given: Any, example: str) -> str:
    """A string that is not blank; TypeError for anything else, ValueError for a blank one."""
    if not isinstance(given, str):
        raise TypeError(f"{name} is text, such as {example}, got {shown(given)}")
    if not given.strip():
        raise ValueError(f"{name} is text, such as {example}, got {given!r}")
    return given


def texts(name: str, given: Any, example: str) -> tuple[str, ...]:
    """Several strings; TypeError for one string, whose letters would count, and for anything else."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"{name} is a list of texts, such as {example}, got {shown(given)}")
    listed = tuple(given)
    if wrong := [one for one in listed if not isinstance(one, str)]:
        raise TypeError(f"{name} is a list of texts, such as {example}, got {shown(wrong[0])} among them")
    return listed


# --- images ----------------------------------------------------------------------------------------------------------


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
    """A NumPy array, or a list of tensors or arrays of one shape, as a tensor; anything else as it is."""
    if isinstance(given, np.ndarray) and given.dtype.kind in "fiub":
        return torch.from_numpy(np.ascontiguousarray(given))
    if isinstance(given, Sequence) and len(given) and all(isinstance(one, Tensor | np.ndarray) for one in given):
        parts = [stacked(one) for one in given]
        alike = {(part.shape, part.dtype) for part in parts if isinstance(part, Tensor)}
        return torch.stack(parts) if len(alike) == 1 and all(isinstance(part, Tensor) for part in parts) else given
    return given


def alike(name: str, x: Tensor, weights: Any) -> Tensor:
    """x itself where it has the type of the weights, or torch casts both; ValueError otherwise. weights: a module."""
    values = (value for group in (weights.parameters(), weights.buffers()) for value in group)
    own = next((value.dtype for value in values if value.is_floating_point()), x.dtype)
    if x.dtype != own and not torch.is_autocast_enabled(x.device.type):
        kinds = (str(dtype).removeprefix("torch.") for dtype in (own, x.dtype))
        advice = f"call {name}.float()" if own == torch.float32 else "call model.float()"
        raise ValueError(
            f"{weights.label} takes {name} of {next(kinds)}, as its weights are, got {next(kinds)}; {advice}"
        )
    return x


def generator(given: Any) -> Any:
    """A torch.Generator or None, itself; TypeError for a seed or anything else."""
    if given is not None and not isinstance(given, torch.Generator):
        raise TypeError(
            f"generator must be a torch.Generator, got {shown(given)}; torch.Generator().manual_seed(0) is made of a seed"
        )
    return given


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
    x = x / 255 if x.dtype == torch.uint8 else x.float()
    if x.ndim == 2 or (x.ndim == 3 and (x.shape[0] in (1, 3) or (x.shape[2] in (1, 3) and min(x.shape[:2]) > 4))):
        x = _one(x)[None]
    elif x.ndim == 3:
        x = x[:, None]
    x = x.permute(0, 3, 1, 2) if channels_last(x) else x
    if x.ndim != 4 or 0 in x.shape or x.shape[1] not in (1, 3, 4):
        raise ValueError(f"{name} must be (N, C, H, W), at least one image of one channel or three, got {shown(given)}")
    return x[:, :3] if x.shape[1] == 4 else x


def _pixels(one: Any) -> Tensor | None:
    """A tensor, or an array as one; None for anything else, and for what is more than one image."""
    x = stacked(one)
    return x if isinstance(x, Tensor) and x.ndim in (2, 3) else None


def _one(x: Any) -> Tensor:
    """One image as (C, H, W), from (H, W), (C, H, W) or (H, W, C)."""
    one: Tensor = x[None] if x.ndim == 2 else x
    return one.permute(2, 0, 1) if one.shape[2] in (1, 3, 4) and min(one.shape[:2]) > 4 else one
