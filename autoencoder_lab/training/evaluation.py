"""A model's loss and squared error on a split."""

from typing import Any

import torch
from torch import Generator

from autoencoder_lab.data.batches import evaluating
from autoencoder_lab.data.corruptions import Corruption
from autoencoder_lab.training.seeds import EVALUATION_SEED, seeded


@torch.no_grad()
def evaluate(model: Any, split: Any, corrupt: Corruption | None = None, batch_size: int = 500) -> dict[str, float]:
    """The model's loss on a split, its parts, and, where it reconstructs, the squared error per pixel, "mse".

    In evaluation mode, always with the same noise; each is a mean over the images.
    """
    sums: dict[str, float] = {}
    device = model.trained_steps.device
    columns = (split.images, split.wanted, split.condition)
    with seeded(EVALUATION_SEED, device), evaluating(model):
        noise = Generator(device=device).manual_seed(EVALUATION_SEED)
        for rows in torch.arange(len(split.images)).split(batch_size):
            images, wanted, condition = (column[rows].to(device) for column in columns)
            x = images if corrupt is None else corrupt(images, noise)
            target = images if split.targets is None else wanted
            loss = model.loss(x, target, **({"condition": condition} if model.conditional else {}))
            values = {"total": loss.total} | loss.parts
            if model.reconstructs:
                restored = model.reconstruct(x) if loss.reconstructed is None else loss.reconstructed
                values["mse"] = (restored - target).pow(2).mean()
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value.item() * len(images)
    return {name: value / len(split.images) for name, value in sums.items()}
