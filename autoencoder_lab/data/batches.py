"""A function over many images, a batch at a time, and a model in evaluation mode meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from autoencoder_lab import arguments


def modes(model: nn.Module) -> dict[nn.Module, bool]:
    """Which of its modules are in training mode; some may be frozen."""
    return {module: module.training for module in model.modules()}


def set_modes(modes: dict[nn.Module, bool]) -> None:
    """Bring the modules back into the modes they were in."""
    for module, training in modes.items():
        module.training = training


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """The model in evaluation mode, and afterwards in the mode it was in; what is no network has none.

    So dropout leaves out nothing, and batch normalisation does not learn from the images it is measured on.
    """
    if not isinstance(model, nn.Module):
        yield
        return
    before = modes(model)
    model.eval()
    try:
        yield
    finally:
        set_modes(before)


@torch.no_grad()  # not inference_mode: its tensors could not be used in a computation with gradients later
def in_batches(function: Callable[[Tensor], Tensor], images: Tensor, batch_size: int = 500) -> Tensor:
    """function(images), a batch at a time and without gradients; a model whose method it is in evaluation mode.

    Raises TypeError where the one is no function, or the other no tensor.
    """
    arguments.function("function", function, "model.encode")
    images = arguments.tensor("images", images, "(N, …)")
    batch_size = arguments.whole("batch_size", batch_size, 1)
    with evaluating(getattr(function, "__self__", None)):
        return torch.cat([function(batch) for batch in images.split(batch_size)])
