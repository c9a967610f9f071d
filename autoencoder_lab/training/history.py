"""The plain record that a training leaves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class History:
    """What happened during training: plain data, one entry an epoch. Two histories are equal if all but time agrees.

    step: optimiser steps done; train, val: per named part of the loss, averaged over the epoch's batches (train) and
    over the validation images (val), in the loss's own unit per image; val["mse"]: squared error per pixel of the
    reconstruction; seconds: since the start, resumed runs added up; settings: everything the run depended on.
    """

    model: str
    settings: dict[str, Any]
    step: list[int] = field(default_factory=list)
    epoch: list[float] = field(default_factory=list)
    train: dict[str, list[float]] = field(default_factory=dict)
    val: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list, compare=False)
    interrupted: bool = False

    def record(self, step: int, epoch: float, train: dict[str, float], val: dict[str, float], seconds: float) -> None:
        """Append one epoch."""
        self.step.append(step)
        self.epoch.append(epoch)
        for kept, values in ((self.train, train), (self.val, val)):
            for name, value in values.items():
                kept.setdefault(name, []).append(value)
        self.seconds.append(seconds)

    def frame(self) -> pd.DataFrame:
        """One row an epoch; columns step, epoch, train_*, val_*, seconds."""
        import pandas as pd

        columns: dict[str, Sequence[float]] = {"step": self.step, "epoch": self.epoch}
        columns |= {f"train_{name}": values for name, values in self.train.items()}
        columns |= {f"val_{name}": values for name, values in self.val.items()}
        return pd.DataFrame(columns | {"seconds": self.seconds})

    def __repr__(self) -> str:
        state = ", interrupted" if self.interrupted else ""
        return f"History({self.model}, {self.step[-1] if self.step else 0} steps{state})"


class TrainingDiverged(FloatingPointError):
    """The loss is no longer a finite number. `history` holds what was recorded until then."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def stop_if_diverged(loss: float, step: int, rate: float, history: History) -> None:
    """Raise TrainingDiverged, with the likely cause, for a loss that is not finite."""
    if math.isfinite(loss):
        return
    before = f"{history.train['total'][-1]:.4g} at the last epoch" if history.step else "never recorded"
    raise TrainingDiverged(
        f"the loss is not finite at step {step} (it was {before}). The likely cause is the learning rate {rate:g}: "
        f"try learning_rate={rate / 10:g}. Otherwise look for a log or a square root of 0 in the loss.",
        history,
    )
