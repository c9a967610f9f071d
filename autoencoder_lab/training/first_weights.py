"""Weights that nobody has touched yet, and how they are drawn."""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from autoencoder_lab.models.construction import checksum, fingerprint, modules_in
from autoencoder_lab.models.drawing import draw_layers, weights_of

AT_RANDOM = "{label} set {names} at random when it was made, and fit keeps that, so seed={seed} does not fix it; "
AT_RANDOM += "call torch.manual_seed(…) before making the model if it should be the same every time"
NOT_DRAWN = "fit cannot draw {names} of {label} again and leaves it as it is, so seed={seed} does not fix it; "
NOT_DRAWN += "make it within the model's own __init__, or call torch.manual_seed(…) before making the model"
UNSURE = "{names} of {label} came with a network of which nobody can tell whether it has learnt; "
UNSURE += "fit keeps that, so seed={seed} does not fix it; make the network within the model's own __init__"


def is_fresh(model: Any) -> bool:
    """Whether nobody trained, loaded or set these weights: they are those the model was made with."""
    return bool(model.first_weights == fingerprint(model))


@torch.no_grad()
def draw_weights(model: Any, seed: int) -> None:
    """Draw the weights anew from `seed`, as they are when the model is made; leaves the global generators alone.

    Layers draw their own (`reset_parameters`, or attention's way). What no layer draws, as a parameter of the model
    itself, a parametrised weight or a random buffer, comes from running `__init__` once more under the seed. Kept as
    they came are the weights of layers that `__init__` set itself, and networks given to the model that have learnt
    something or are frozen. A warning names what is left that the seed does not fix.
    """
    model = getattr(model, "_orig_mod", model)  # what torch.compile was given
    fresh, own = is_fresh(model), model.own_weights
    layers = frozenset(id(layer) for network in modules_in([*(model.made_with or ())]) for layer in network.modules())
    given = {name for name, layer, *_ in weights_of(model) if id(layer) in layers}
    parameters = {name: value for name, value in model.named_parameters() if not is_lazy(value)}
    came = {name: value.detach().clone() for name, value in parameters.items()}
    found = ((name, value) for name, value in model.named_buffers() if name in model.first_buffers)
    buffers = {name: value for name, value in found if not fresh or checksum(value) == model.first_buffers[name]}
    statistics = {name: value.clone() for name, value in model.named_buffers() if not is_lazy(value)}
    with _seeded(seed):
        reached = draw_layers(model, layers)
    kept = [name for name in came if name in own and name in reached | given]
    for name in kept:
        parameters[name].copy_(came[name])
    _put_back(model, statistics, set(kept))
    # what no layer draws and, to start over, what __init__ had set
    anew = {n: parameters[n] for n in came if n not in reached | given or (not fresh and n in own and n not in given)}
    anew |= buffers
    again = _made_again(model, seed) if anew or set(kept) - given else {}
    again = {n: v for n, v in again.items() if n not in came or v.shape == came[n].shape}
    for name in anew.keys() & again.keys():
        anew[name].copy_(again[name])
    set_once = [name for name in kept if name in again and name not in anew]
    unlike = [name for name in set_once if not torch.equal(again[name], came[name])]
    other = _made_again(model, seed + 1) if unlike else {}  # or an argument has changed since
    at_random = [name for name in unlike if name in other and not torch.equal(again[name], other[name])]
    left = [name for name in anew if name not in again and _varies(anew[name])]
    left += [name for name in came if name in given and name not in reached | own.keys() and _varies(came[name])]
    for sentence, names in (
        (AT_RANDOM, at_random),
        (NOT_DRAWN, left),
        (UNSURE, [name for name in kept if own[name] == "unsure"]),
    ):
        if names:
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            warnings.warn(sentence.format(names=shown, label=model.label, seed=seed), stacklevel=5)


def _put_back(model: Any, statistics: dict[str, Tensor], kept: set[str]) -> None:
    """Buffers of what is kept, as batch normalisation's means: drawing its neighbours' weights cleared them."""
    networks = modules_in([*(model.made_with or ())])
    of_given = {id(layer): network for network in networks for layer in network.modules()}
    holding = {id(layer) for name, layer, *_ in weights_of(model) if name in kept}
    holding |= {id(part) for layer in [*holding] if layer in of_given for part in of_given[layer].modules()}
    for prefix, layer in model.named_modules():
        for short, value in layer._buffers.items():
            name = f"{prefix}.{short}" if prefix else short
            if id(layer) in holding and name in statistics and value is not None:
                value.copy_(statistics[name])


def _varies(value: Tensor) -> bool:
    """Whether it holds several numbers, so that somebody may have drawn them."""
    return value.numel() > 1 and bool((value != value.flatten()[0]).any())


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """torch's, NumPy's and Python's generators at this seed, and afterwards as they were."""
    numpy, python = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy)
            random.setstate(python)


# --- what __init__ draws ---------------------------------------------------------------------------


def _made_again(model: Any, seed: int) -> dict[str, Tensor]:
    """Parameters and buffers of a second model, made with the same arguments under the seed; none where that fails."""
    if model.made_with is None:
        return {}
    try:
        args, kwargs = copy.deepcopy(model.made_with)
        with _seeded(seed), torch.device("cpu"), torch.enable_grad():
            other = type(model)(*args, **kwargs)
    except Exception:  # whatever a constructor of one's own raises the second time: then its weights stay as they came
        return {}
    return {n: v.detach() for n, v in [*other.named_parameters(), *other.named_buffers()] if not is_lazy(v)}
