"""Which processor trains."""

from __future__ import annotations

import torch


def pick_device(device: str = "auto") -> torch.device:
    """ "auto": CUDA, else Apple's MPS, else the CPU; otherwise the device named."""
    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
