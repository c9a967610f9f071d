"""A training that was killed goes on where it was. No figure depends on this."""

from __future__ import annotations

import re
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import torch
from torch import nn

from autoencoder_lab.files import FULL, whole
from autoencoder_lab.training.history import History
from autoencoder_lab.training.optimiser import Adam


def described(thing: object) -> str | None:
    """Its repr without memory addresses, which differ from run to run; None for None."""
    return None if thing is None else re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(thing))


def plainly(value: object) -> object:
    """A value that a checkpoint can hold: numbers, strings, truth values and None as they are, all else in words."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()  # a number of NumPy's
    return value if value is None or isinstance(value, bool | int | float | str) else described(value)


def save(path: Path, model: nn.Module, optimisers: list[Adam], history: History, done: int) -> None:
    """Write a checkpoint; a kill in between leaves the old one whole.

    A full disk ends no training: it warns, the earlier checkpoint stays, and the next epoch tries again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        "model": model.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser in optimisers],
        "history": asdict(history),
        "done": done,
    }
    try:
        with whole(path) as part, part.open("wb") as file:
            _write(state, file)
    except OSError as error:
        if error.errno not in FULL:
            raise
        warnings.warn(
            f"the disk is full: the checkpoint {path} could not be written, and what stood there before is as it was. "
            "The training goes on, and tries again after the next epoch. Free some space meanwhile; if it is stopped "
            "before, it begins where the last checkpoint that was written ends",
            stacklevel=3,
        )


def _write(state: dict[str, Any], file: IO[bytes]) -> None:
    """torch.save, whose errors hide what stopped it: a full disk, or Ctrl-C, in the middle of its archive."""
    try:
        torch.save(state, file)
    except RuntimeError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError | KeyboardInterrupt):
            cause = cause.__context__
        raise cause or error from None


def resume(path: str | Path, model: nn.Module, optimisers: list[Adam], history: History) -> int:
    """Load a checkpoint into all three and return the steps done; 0 where there is none yet."""
    if not Path(path).exists():
        return 0
    try:
        saved = torch.load(path, weights_only=True, map_location="cpu")
        stored, done = saved["history"], int(saved["done"])
    except Exception as error:  # unpickling stops with whatever the bytes lead it to, an IndexError too
        raise ValueError(
            f"{path} is damaged or no checkpoint of fit; not used. "
            "Give another checkpoint file, or delete it to start over"
        ) from error
    compared = history.settings.keys() - {"gradients", "torch"}
    differing = sorted(k for k in compared if stored["settings"].get(k) != history.settings[k])
    if stored["model"] != history.model or differing:
        then = {k: stored["settings"].get(k) for k in differing} | {"model": stored["model"]}
        now = {k: history.settings[k] for k in differing} | {"model": history.model}
        raise ValueError(
            f"{path} belongs to another run: it has {then}, this run has {now}. "
            "Give another checkpoint file, or delete it"
        )
    model.load_state_dict(saved["model"])
    for optimiser, state in zip(optimisers, saved["optimisers"], strict=True):
        optimiser.load_state_dict(state)
    for name in ("step", "epoch", "train", "val", "seconds"):
        setattr(history, name, stored[name])
    return done
