"""Small real data that several test files share."""

import pytest
import torch

import autoencoder_lab as lab


@pytest.fixture(scope="session")
def digits() -> lab.ImageData:
    """1,797 real digits of 8×8 pixels, at once in memory."""
    return lab.load("digits")


@pytest.fixture(scope="session")
def mnist() -> lab.ImageData:
    """3,500 / 500 / 1,000 real digits of 28×28 pixels."""
    return lab.load("mnist-5k")


@pytest.fixture
def tiny(digits: lab.ImageData) -> lab.ImageData:
    """The first 200 / 60 / 60 of the 8×8 digits: an epoch of these takes a few milliseconds."""
    return lab.ImageData("tiny", digits.train[:200], digits.val[:60], digits.test[:60])


def seeded(seed: int = 0) -> torch.Generator:
    """A generator of its own for each test."""
    return torch.Generator().manual_seed(seed)
