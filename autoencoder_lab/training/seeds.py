"""Private streams of random numbers: the caller's generators stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

EVALUATION_SEED = 0


def epoch_seed(seed: int, epoch: int) -> int:
    """A seed for one epoch; the odd multiplier keeps (seed, epoch) pairs apart."""
    return (seed * 1_000_003 + epoch) % 2**63


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """A private stream of random numbers; the caller's generators are as before afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
