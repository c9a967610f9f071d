"""Weights that nobody has touched yet, and how they are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from autoencoder_lab.models.base import fingerprint

if TYPE_CHECKING:
    pass


def is_fresh(model: Any) -> bool:
    """Whether nobody trained, loaded or set these weights: they are those the model was made with."""
    return bool(model.first_weights == fingerprint(model))


def draw_weights(model: nn.Module, seed: int) -> None:
    """Draw all weights anew, as they are when the model is made, from `seed`; leaves the global generator alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in model.modules():  # a model's own reset_parameters comes first, its layers' after it
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
