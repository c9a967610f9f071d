"""A function over many images, a batch at a time."""

from collections.abc import Callable

import torch
from torch import Tensor


@torch.no_grad()  # not inference_mode: its tensors could not be used in a computation with gradients later
def in_batches(function: Callable[[Tensor], Tensor], images: Tensor, batch_size: int = 500) -> Tensor:
    """function(images), a batch at a time and without gradients."""
    return torch.cat([function(batch) for batch in images.split(batch_size)])
