"""Which processor trains."""

from __future__ import annotations

import torch


def pick_device(device: str = "auto") -> torch.device:
    """ "auto": CUDA, else Apple's MPS, else the CPU; otherwise the device named, ValueError where there is none."""
    if device != "auto":
        try:
            named = torch.device(device)
            torch.zeros(1).to(named)  # whether anything can be put there
        except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
            raise ValueError(
                f'device {device!r} is not to be had here: leave it "auto", or give "cpu", "cuda" or "mps" '
                f"({str(error).splitlines()[0]})"
            ) from error
        return named
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
