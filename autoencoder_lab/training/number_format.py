"""The number format in which wide convolutions are fastest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from autoencoder_lab.data.batches import evaluating
from autoencoder_lab.models.base import Autoencoder
from autoencoder_lab.training.seeds import EVALUATION_SEED, seeded

WIDE = 32  # channels


class NumberFormat(NamedTuple):
    """How `fit` has the layers compute; weights, optimiser and loss are float32 in any case."""

    precision: torch.dtype
    channels_last: bool  # whether a pixel's channels lie side by side in memory

    @property
    def settings(self) -> dict[str, str]:
        """How the history names it."""
        layout = "channels_last" if self.channels_last else "contiguous"
        return {"precision": str(self.precision).removeprefix("torch."), "memory_format": layout}


def number_format(model: Any, image: Tensor, device: torch.device) -> NumberFormat:
    """The faster format for this model on this device, decided from its layers and the processor alone.

    image: (1, C, H, W), only its shape counts. On a CPU, where convolutions from 32 channels or more to as many do most
    of a reconstruction's multiplications: channels last, and bfloat16 if the processor multiplies it in hardware.
    float32 and contiguous for all else, where that gains nothing or loses time (docs/performance.md), and for every
    loss but Autoencoder's own: others may add up or invert what bfloat16's three digits cannot hold.
    """
    plain = NumberFormat(torch.float32, False)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    wide = {layer for layer in layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and _channels(layer) >= WIDE}
    autoencoder_loss = isinstance(model, Autoencoder) and type(model).loss is Autoencoder.loss
    if device.type != "cpu" or not wide or not autoencoder_loss:
        return plain
    products = multiplications(model, image)
    if 2 * sum(products.get(layer, 0) for layer in wide) < sum(products.values()):
        return plain
    return NumberFormat(torch.bfloat16 if _multiplies_bfloat16() else torch.float32, True)


def multiplications(model: Any, image: Tensor) -> dict[nn.Module, int]:
    """How many each convolution and each dense layer needs to reconstruct one image (1, C, H, W)."""
    products: dict[nn.Module, int] = {}

    def count(layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        # each weight is used once a position: of the output, or of the input where the convolution is transposed
        at = given[0] if isinstance(layer, nn.ConvTranspose2d) else made
        products[layer] = layer.get_parameter("weight").numel() * math.prod(at.shape[2:])

    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        with torch.no_grad(), seeded(EVALUATION_SEED, image.device), evaluating(model):
            model.reconstruct(image.to(model.trained_steps.device))
    finally:
        for hook in hooks:
            hook.remove()
    return products


def _channels(layer: nn.Conv2d | nn.ConvTranspose2d) -> int:
    return min(layer.in_channels, layer.out_channels) // layer.groups


def _multiplies_bfloat16() -> bool:
    """Whether an x86 processor has AVX-512 BF16 or AMX; without them PyTorch imitates it, slower than float32."""
    has: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # PyTorch 2.6 has none
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))
