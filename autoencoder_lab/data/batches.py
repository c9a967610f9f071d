"""A function over many images, a batch at a time."""

from collections.abc import Callable

import torch
from torch import Tensor

from autoencoder_lab import arguments


@torch.no_grad()  # not inference_mode: its tensors could not be used in a computation with gradients later
def in_batches(function: Callable[[Tensor], Tensor], images: Tensor, batch_size: int = 500) -> Tensor:
    """function(images), a batch at a time and without gradients.

    Raises TypeError where the one is no function, or the other no tensor.
    """
    arguments.function("function", function, "model.encode")
    images = arguments.tensor("images", images, "(N, …)")
    batch_size = arguments.whole("batch_size", batch_size, 1)
    return torch.cat([function(batch) for batch in images.split(batch_size)])
