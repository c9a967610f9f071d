"""How the layers of a network draw their first weights, each by its own rule."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

# how layers draw their weights; attention and nn.Transformer hide it behind an underscore
RESETS = ("reset_parameters", "_reset_parameters")


def weights_of(network: nn.Module) -> Iterator[tuple[str, nn.Module, str, Tensor]]:
    """Each parameter: its full name, the layer that it belongs to, its name there, and itself."""
    for prefix, layer in network.named_modules():
        for name, value in layer._parameters.items():
            if value is not None:
                yield f"{prefix}.{name}" if prefix else name, layer, name, value


def reset_of(layer: nn.Module) -> Callable[[], Any] | None:
    """What draws the weights of this layer anew, where it has such a method and that needs no arguments."""
    known = RESETS if isinstance(layer, nn.MultiheadAttention | nn.Transformer) else RESETS[:1]
    for reset in filter(callable, (getattr(layer, name, None) for name in known)):
        try:
            inspect.signature(reset).bind()
        except TypeError:
            continue
        return reset
    return None


@torch.no_grad()
def draw_layers(network: nn.Module, given: frozenset[int] = frozenset()) -> set[str]:
    """Let each layer draw its weights, in the order of the modules: a model's own way comes first, its layers' after.

    Returns the names of those that were drawn; all others are as they came. A way that reaches into the layers below,
    as attention's and many a model's own does, has the last word on them: it is gone once more at the end.
    given: the id of each layer whose parametrised weights (weight norm, …) are drawn too, through their way back.
    """
    lists = {
        id(part)
        for layer in network.modules()
        if id(layer) in given and reset_of(layer) and parametrize.is_parametrized(layer)
        for part in layer.parametrizations.modules()  # type: ignore[union-attr]
    }
    came = {name: value.detach().clone() for name, _, _, value in weights_of(network) if not is_lazy(value)}
    drawing = {id(layer): layer for layer in network.modules() if reset_of(layer)}
    again: list[nn.Module] = []
    reached: set[str] = set()
    try:
        _erase(drawing.values())
        for layer in drawing.values():
            below = [part for part in layer.modules() if part is not layer and id(part) in drawing]
            _erase(below)
            _draw(layer, id(layer) in given)
            if any(not value.isnan().all() for part in below for value in _floats(part)):
                again.append(layer)
        for layer in reversed(again):
            _draw(layer, id(layer) in given)
    finally:  # whatever a reset of one's own raises, no NaN is left
        for name, layer, _, value in weights_of(network):
            if name not in came:
                continue
            if id(layer) in drawing or id(layer) in lists:
                reached.add(name)
            if name not in reached or value.isnan().any():
                reached.discard(name)
                value.copy_(came[name])
    return reached


def _draw(layer: nn.Module, with_parametrised: bool) -> None:
    reset = reset_of(layer)
    if reset is None:
        return
    if not (with_parametrised and parametrize.is_parametrized(layer)):
        reset()
        return
    parametrizations: Any = layer.parametrizations
    with parametrize.cached():
        weights = {name: getattr(layer, name) for name in parametrizations}
        reset()  # fills these in place
        weights = {name: value.clone() for name, value in weights.items()}
    for name, value in weights.items():
        setattr(layer, name, value)
        for part in parametrizations[name]:
            if hasattr(part, "_power_method"):  # spectral norm begins at random vectors
                for vector in (part._u, part._v):
                    vector.copy_(nn.functional.normalize(torch.randn_like(vector), dim=0))
                part._power_method(part._reshape_weight_to_matrix(value), 15)


def _floats(layer: nn.Module) -> list[Tensor]:
    """A layer's own parameters, as far as they can hold NaN."""
    values = (value for value in layer._parameters.values() if value is not None and not is_lazy(value))
    return [value for value in values if value.is_floating_point()]


def _erase(layers: Iterable[nn.Module]) -> None:
    """NaN for every weight: so one sees afterwards which of them were drawn."""
    for value in (value for layer in layers for value in _floats(layer)):
        value.fill_(torch.nan)
