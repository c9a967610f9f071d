"""A model lent to a training, and given back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from autoencoder_lab.data.batches import modes, set_modes


class Loan:
    """How a model came: its weights and buffers, device and memory format, and the mode of each of its modules."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.started = model, False
        self.state = {name: value.clone() for name, value in model.state_dict().items()}
        self.modes = modes(model)
        self.home = next(iter(self.state.values())).device

    def keep(self) -> None:
        """The training begins: the model keeps what it learns."""
        self.started = True

    def give_back_weights(self) -> None:
        """Let the model have the weights and buffers it came with."""
        self.model.load_state_dict(self.state)

    def give_back_all(self) -> None:
        """Leave the model as it came, to the bit."""
        self.model.to(self.home)
        for name, value in self.model.state_dict(keep_vars=True).items():
            value.data = self.state[name]
        set_modes(self.modes)


@contextmanager
def lent(model: Any) -> Iterator[Loan]:
    """The model for the time of a training: afterwards it is where it was, and ready to be used.

    If no training has begun by then, as where a checkpoint is refused or somebody interrupts, it is as it came.
    """
    loan = Loan(model)
    try:
        yield loan
    finally:
        if loan.started:
            model.eval().to(loan.home)
            if any(value.stride() != loan.state[name].stride() for name, value in model.state_dict().items()):
                model.to(memory_format=torch.contiguous_format)
        else:
            loan.give_back_all()
