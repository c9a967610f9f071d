"""What a model is shown while it trains: the order of the images, augmentation and noise.

This is the only place of a training that draws random numbers, the models themselves apart.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab import arguments
from autoencoder_lab.data.corruptions import Corruption
from autoencoder_lab.training.seeds import epoch_seed

Batch = tuple[Tensor, Tensor, dict[str, Tensor]]


class Batches:
    """Batches of one split on one device: x, the model's input; target; and, for a conditional model, the condition."""

    def __init__(
        self,
        split: Any,
        device: torch.device,
        size: int,
        seed: int,
        corrupt: Corruption | None,
        augment: Callable[[Tensor], Tensor] | None,
        conditional: bool,
    ) -> None:
        self.images, self.device, self.size, self.seed = split.images.to(device), device, size, seed
        self.targets = None if split.targets is None else split.targets.to(device)
        self.condition = split.condition.to(device) if conditional else None
        self.corrupt, self.augment = corrupt, augment

    def epoch(self, number: int) -> list[Tensor]:
        """The image indices of each batch of an epoch; a last, smaller batch is left out.

        All that the epoch draws afterwards depends on (seed, epoch) alone: a resumed run needs no generator state.
        """
        torch.manual_seed(epoch_seed(self.seed, number))
        count = len(self.images) // self.size * self.size
        return list(torch.randperm(len(self.images))[:count].to(self.device).split(self.size))

    def draw(self, batch: Tensor) -> Batch:
        """The images of these indices: augmented, then corrupted."""
        x, target = self.images[batch], None if self.targets is None else self.targets[batch]
        if self.augment is not None and target is None:
            x = _images("augment", self.augment(x), len(batch))
        elif self.augment is not None and target is not None:  # as channels of one picture: the same change for both
            both = _images("augment", self.augment(torch.cat([x, target], dim=1)), len(batch))
            x, target = both.split([x.shape[1], target.shape[1]], dim=1)
        target = x if target is None else target
        if self.corrupt is not None:
            x = _images("corrupt", self.corrupt(x), len(batch))
        return x, target, {} if self.condition is None else {"condition": self.condition[batch]}


def _images(name: str, made: Any, count: int) -> Tensor:
    """What a function of images returned; TypeError where it is nothing to train on."""
    if not isinstance(made, Tensor) or made.ndim != 4 or len(made) != count:
        raise TypeError(
            f"{name} must return the changed images, ({count}, C, H, W), but {name}(x) gave {arguments.shown(made)}"
        )
    return made
