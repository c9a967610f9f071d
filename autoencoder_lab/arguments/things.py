"""Things of the course as arguments: splits, data sets, models, functions, text.

What has `images` is taken for a Split, what has such a `train` for a data set: things of one's own count as well
as the course's. No figure depends on this.
"""

import inspect
from collections.abc import Iterable, Mapping
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
    """The model itself; TypeError for a class, a plain module that lacks the verb, or another thing.

    verb: what it will be asked, "reconstruct". A model of the course that lacks it says so itself, when it is asked.
    """
    if inspect.isclass(given):
        name = given.__name__
        raise TypeError(f"this takes a model, got {shown(given)} itself; make one first: model = {name}(…)")
    if hasattr(type(given), "reconstructs"):
        return given
    if verb and callable(getattr(given, verb, None)) and not isinstance(given, str | bytes):  # texts encode, too
        return given
    what = f" that can {verb}" if verb else ""
    if isinstance(given, torch.nn.Module) and verb in ("", "reconstruct"):
        return given  # its call does it, see models.own
    if isinstance(given, torch.nn.Module):
        raise TypeError(
            f"this takes a model of the course{what}, got {type(given).__name__}, a plain torch module; give it a "
            f"method {verb}, or derive it from lab.Autoencoder or lab.Model, as notebook 00 shows"
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


def generator(given: Any) -> Any:
    """A torch.Generator or None, itself; TypeError for a seed or anything else."""
    if given is not None and not isinstance(given, torch.Generator):
        raise TypeError(
            f"generator must be a torch.Generator, got {shown(given)}; torch.Generator().manual_seed(0) is made of 0"
        )
    return given
