"""What a diagram asks of what it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from autoencoder_lab import arguments


def first_image(given: Any) -> Tensor:
    """One image (C, H, W): the first of what is given."""
    return arguments.drawable(given, "image")[0]


def check_verbs(model: Any, *verbs: str, instead: str = "") -> None:
    """TypeError where a model lacks one of the verbs; instead: what else may be given, ", or mu= and log_var="."""
    if isinstance(model, type):
        arguments.model(model)  # says that it is a class
    lacks = [verb for verb in verbs if not callable(getattr(model, verb, None))]
    if lacks:
        said = f"{arguments.shown(model)} lacks {lacks[0]}" if model is not None else "got none of it"
        raise TypeError(f"this draws a model with {', '.join(verbs)}{instead}; {said}")


def numbers(given: Any) -> Tensor:
    """A row of numbers (n,), float32 on the CPU, from a tensor, an array or a list."""
    return torch.as_tensor(given).detach().float().cpu().flatten()


def asked(verb: Callable[..., Any], x: Tensor, of: Any = None) -> Any:
    """verb(x) without a gradient, the model in evaluation mode and as it was afterwards; the answer on the CPU.

    of: the model whose verb this is, where it is no method of it.
    """
    model = of if of is not None else getattr(verb, "__self__", verb)
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    weights = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    training = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        with torch.no_grad():
            answer = verb(x if weights is None else x.to(weights))
    finally:
        for module, mode in zip(modules, training, strict=True):
            module.training = mode
    return tuple(one.float().cpu() for one in answer) if isinstance(answer, tuple) else answer.float().cpu()
