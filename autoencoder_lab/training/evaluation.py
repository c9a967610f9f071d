"""A model's loss and squared error on a split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Generator

from autoencoder_lab.data.corruptions import Corruption

if TYPE_CHECKING:
    pass

from autoencoder_lab.training.seeds import EVALUATION_SEED, seeded


@torch.no_grad()
def evaluate(model: Any, split: Any, corrupt: Corruption | None = None, batch_size: int = 500) -> dict[str, float]:
    """The model's loss and the squared error per pixel on a split, in evaluation mode, always with the same noise.

    A model that reconstructs nothing has no squared error.
    """
    was_training = model.training
    sums: dict[str, float] = {}
    model.eval()
    device = next(iter(model.state_dict().values())).device
    with seeded(EVALUATION_SEED, device):
        noise = Generator(device=device).manual_seed(EVALUATION_SEED)
        for batch, labels in zip(split.images.split(batch_size), split.labels.split(batch_size), strict=True):
            target = batch.to(device)
            x = target if corrupt is None else corrupt(target, noise)
            condition = {"labels": labels.to(device)} if getattr(model, "conditional", False) else {}
            loss = model.loss(x, target, **condition)
            values = {"total": loss.total} | loss.parts
            if getattr(model, "reconstructs", True):
                restored = model.reconstruct(x) if loss.reconstructed is None else loss.reconstructed
                values["mse"] = (restored - target).pow(2).mean()
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value.item() * len(target)
    model.train(was_training)
    return {name: value / len(split.images) for name, value in sums.items()}
