"""What is noted when a model is made: its arguments, its first weights, and which of them it set itself."""

import copy
import inspect
import math
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from autoencoder_lab.data.batches import evaluating
from autoencoder_lab.models.drawing import RESETS, draw_layers, reset_of, weights_of

Drawn = set[tuple[type, str, int]]  # kind of layer, name of the weight, checksum


def checksum(value: Tensor) -> int:
    """Of the bits of a tensor, whatever its type; 0 for a layer that waits for its first input."""
    if is_lazy(value):
        return 0
    return zlib.crc32(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())


def fingerprint(model: nn.Module) -> tuple[int, ...]:
    """A checksum of every parameter: two equal fingerprints mean equal weights, for all practical purposes."""
    return tuple(map(checksum, model.parameters()))


class Remembering(type):
    """Notes what a model was made with, once its whole `__init__` has run: its arguments, and its weights.

    `fit` overwrites no weights but these, and a checkpoint knows another model by its arguments.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = plain(args), plain(kwargs)
        drawn: Drawn = set()
        model = watched(lambda: super(Remembering, cls).__call__(*args, **kwargs), drawn)
        signature = inspect.signature(cls.__init__)  # type: ignore[misc]  # that of the class itself
        bound = signature.bind(model, *args, **kwargs)
        bound.apply_defaults()
        model.arguments = _named_once(signature, bound.arguments)
        model.made_with = args, kwargs
        watched(lambda: wake(model), drawn)
        model.own_weights = own_weights(model, drawn, list(modules_in([args, kwargs])))
        model.first_buffers = {name: checksum(value) for name, value in drawn_buffers(model)}
        model.first_weights = fingerprint(model)
        return model


def _named_once(signature: inspect.Signature, bound: Mapping[str, Any]) -> dict[str, Any]:
    """{argument: value} without self; what went into **settings stands under its own names."""
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    named: dict[str, Any] = {}
    for name, value in list(bound.items())[1:]:
        if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iu":
            value = tuple(value.tolist())  # a shape
        named |= value if kinds[name] is inspect.Parameter.VAR_KEYWORD else {name: value}
    return named


def plain(value: Any) -> Any:
    """Arguments with NumPy's numbers as Python's, for layers want these; a model is the same whichever it is given."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) in (tuple, list):
        return type(value)(map(plain, value))
    return {name: plain(each) for name, each in value.items()} if type(value) is dict else value


def modules_in(arguments: Any) -> Iterator[nn.Module]:
    """The networks among arguments, also in lists and dictionaries."""
    if isinstance(arguments, nn.Module):
        yield arguments
    elif isinstance(arguments, Mapping):
        yield from modules_in(list(arguments.values()))
    elif isinstance(arguments, list | tuple):
        for each in arguments:
            yield from modules_in(each)


# --- which weights a model set itself --------------------------------------------------------------


def watched(make: Callable[[], Any], drawn: Drawn) -> Any:
    """What make() gives; each weight that a layer draws meanwhile by its own rule is noted in `drawn`.

    So a weight that `__init__` changed afterwards can be told from one that it left as the layer drew it. Python calls
    `note` at every return of a function. Another listener hears as before, but for cProfile's, which pauses meanwhile.
    """
    listening: Any = sys.getprofile()
    pausing = listening if hasattr(listening, "disable") else None  # that of Python 3.11, which is no function

    def note(frame: Any, event: Any, argument: Any) -> None:
        if listening is not None and pausing is None:
            listening(frame, event, argument)
        if event == "return" and frame.f_code.co_name in RESETS:
            layer = frame.f_locals.get("self")
            if isinstance(layer, nn.Module):
                drawn.update(_key(*found[1:]) for found in weights_of(layer))

    if pausing is not None:
        pausing.disable()
    sys.setprofile(note)
    try:
        return make()
    finally:
        sys.setprofile(None if pausing is not None else listening)
        if pausing is not None:
            pausing.enable()


def _key(layer: nn.Module, name: str, value: Tensor) -> tuple[type, str, int]:
    # a lazy layer becomes another one once it knows its sizes, a parametrised one is of a class of its own
    kind = type(layer).__bases__[0] if parametrize.is_parametrized(layer) else type(layer)
    # the spectral norm by a hook has another name for it
    return getattr(kind, "cls_to_become", None) or kind, name.removesuffix("_orig"), checksum(value)


def own_weights(model: nn.Module, drawn: Drawn, given: list[nn.Module]) -> dict[str, str]:
    """The weights of layers that `fit` keeps as they came, each with the reason.

    "set": `__init__` changed what the layer drew, or loaded it; "given": it came with a network made elsewhere that
    has learnt something or is frozen; "unsure": that came with one of so few numbers that nobody can tell.
    given: networks made elsewhere. Nobody saw them drawn, so it is asked whether they look so.
    """
    parts = set(model.modules())
    reasons = {network: _kept(network) for network in given if network in parts}
    came = {id(layer): reason for network, reason in reasons.items() for layer in network.modules()}
    own = {}
    for name, layer, short, value in weights_of(model):
        if id(layer) in came:
            reason = came[id(layer)]
        else:
            reason = "set" if reset_of(layer) and _key(layer, short, value) not in drawn else ""
        if reason:
            own[name] = reason
    return own


ENOUGH = 40  # numbers; of fewer nobody can tell whether they were drawn or learnt


def _kept(network: nn.Module) -> str:
    """Why a network made elsewhere is kept as it is; nothing where all that its layers draw looks as just drawn."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.modules.batchnorm._NormBase)]
    seen = any(norm.num_batches_tracked is not None and norm.num_batches_tracked > 0 for norm in norms)
    if seen or not all(parameter.requires_grad for parameter in network.parameters()):
        return "given"
    try:
        drawn = copy.deepcopy(network)
    except RuntimeError:  # with a norm by a hook, as torch.nn.utils.spectral_norm, it cannot be copied
        return "unsure"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        reached = draw_layers(drawn, frozenset(map(id, drawn.modules())))
    both = zip(weights_of(network), weights_of(drawn), strict=True)
    pairs = [(layer, value, fresh) for (name, layer, _, value), (*_, fresh) in both if name in reached]
    edges: dict[int, float] = {}
    with evaluating(network), evaluating(drawn), torch.no_grad():
        for layer, other in zip(network.modules(), drawn.modules(), strict=True):
            parametrized: Any = getattr(layer, "parametrizations", {})
            pairs += [(layer, getattr(layer, name), getattr(other, name)) for name in parametrized]  # as used
            if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd) and not is_lazy(layer.weight):
                inner = {id(part) for name in parametrized for part in parametrized[name].modules()}
                edges |= dict.fromkeys({id(layer)} | inner, layer.weight[0].numel() ** -0.5)
    if not all(_alike(value.detach(), fresh.detach(), edges.get(id(layer), math.inf)) for layer, value, fresh in pairs):
        return "given"
    return "unsure" if 0 < sum(value.numel() for _, value, _ in pairs) < ENOUGH else ""


def _alike(value: Tensor, fresh: Tensor, edge: float) -> bool:
    """Whether weights may be drawn as fresh ones are: denies it once in 10⁹ where they are.

    edge: of a layer that draws uniformly in ±1/√inputs; a few steps of training move some of many over it.
    """
    if fresh.numel() and float(fresh.abs().max()) <= 1.00001 * edge < float(value.abs().max()):
        return False
    a, b = (tensor.double().flatten().sort().values for tensor in (value, fresh))
    if torch.equal(a, b) or not len(a):
        return True
    if a[0] == a[-1] or b[0] == b[-1]:  # a constant; of single numbers nobody can tell
        return len(a) == 1
    # Kolmogorov and Smirnov, two samples of n: P(D > c √(2/n)) = 2 exp(−2c²)
    steps = torch.arange(1, len(a) + 1, dtype=torch.double) / len(a)
    ways = (a, b), (b, a)
    distance = max(float((steps - torch.searchsorted(y, x, right=True) / len(a)).abs().max()) for x, y in ways)
    # k values beyond all of the other sample have probability 2⁻ᵏ
    beyond = max(int((x > y[-1]).sum() + (x < y[0]).sum()) for x, y in ways)
    return distance <= 3.3 * (2 / len(a)) ** 0.5 and beyond < 35


# --- buffers and lazy layers ------------------------------------------------------------------------


def drawn_buffers(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The buffers that may hold random numbers: of several values, and no statistics of batches."""
    for prefix, layer in model.named_modules():
        for name, value in layer._buffers.items():
            if value is None or is_lazy(value) or not value.is_floating_point() or value.numel() < 2:
                continue
            is_statistic = isinstance(layer, nn.modules.batchnorm._NormBase)
            if not is_statistic and not value.isnan().any() and value.min() < value.max():
                yield f"{prefix}.{name}" if prefix else name, value


@torch.no_grad()
def wake(model: Any) -> None:
    """Let lazy layers see an image, so that they know their sizes; those that it does not reach wait for `fit`."""
    if model.image_shape is None or not any(map(is_lazy, [*model.parameters(), *model.buffers()])):
        return
    x = torch.zeros(2, *model.image_shape)
    with evaluating(model), suppress(Exception):  # what a model of one's own raises here, its first use says again
        model.reconstruct(x) if model.reconstructs else model.encode(x)
