"""What `fit` is given, looked at before anything changes: what can be meant is done, the rest is said in a sentence."""

from __future__ import annotations

import inspect
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from autoencoder_lab import arguments
from autoencoder_lab.data.batches import evaluating
from autoencoder_lab.models.base import Model, Step
from autoencoder_lab.models.construction import fingerprint
from autoencoder_lab.models.own import OwnNetwork, as_model
from autoencoder_lab.training.first_weights import is_fresh

SEEDS = -(2**63), 2**64 - 1  # what torch.manual_seed takes


class Plan(NamedTuple):
    """How long and in what portions to train, and from which seed."""

    steps: int
    per_epoch: int
    batch_size: int
    rate: float
    seed: int


def plan(model: Any, data: Any, epochs: Any, steps: Any, batch_size: Any, learning_rate: Any, seed: Any) -> Plan:
    """Check the numbers and fill in the model's own suggestions."""
    if epochs is not None and steps is not None:
        raise ValueError(f"give epochs or steps, not both (got epochs={epochs}, steps={steps})")
    size = arguments.whole("batch_size", model.batch_size if batch_size is None else batch_size, 1)
    epochs = None if epochs is None else arguments.whole("epochs", epochs, 1)
    steps = None if steps is None else arguments.whole("steps", steps, 1)
    count = len(data.train.images)
    size = min(size, count)
    per_epoch = count // size  # a last, smaller batch is left out; the next epoch shuffles anew
    total = steps if steps is not None else model.suggested_steps if epochs is None else epochs * per_epoch
    rate = model.learning_rate if learning_rate is None else learning_rate
    rate = float(arguments.number("learning_rate", rate, "must be a positive number", lambda rate: 0 < rate < math.inf))
    return Plan(int(total), per_epoch, size, rate, arguments.whole("seed", seed, *SEEDS))


# --- the model -------------------------------------------------------------------------------------


def check_model(model: Any) -> Any:
    """The model itself, out of its wrapping where DataParallel or torch.compile has put it in one.

    Raises TypeError for what is none that `fit` trains, ValueError for one of another type of number.
    """
    if isinstance(model, nn.DataParallel):
        model = model.module
    model = as_model(model)
    inner = getattr(model, "_orig_mod", model)  # what torch.compile was given
    if not isinstance(inner, Model):
        raise TypeError(f"fit trains a model made of lab.Model, such as {_example(model)}")
    if inner.solved:
        name = type(inner).__name__.lower()
        raise TypeError(
            f"{inner.label} is solved, not trained: call {name}.fit(data.train) instead of lab.fit({name}, data)"
        )
    if not callable(getattr(inner, "loss", None)) and type(inner).steps is Model.steps:
        raise TypeError(f"{inner.label} has no loss to train by: define loss(x, target=None), which returns a lab.Loss")
    for name, value in inner.named_parameters():
        if value.dtype != torch.float32 and not is_lazy(value):
            kind = str(value.dtype).removeprefix("torch.")
            raise ValueError(
                f"fit trains in float32, as images are, but {name} of {inner.label} is {kind}: call model.float() "
                "first; float64 may come from torch.set_default_dtype, to be set back before the model is made"
            )
        if value.is_inference():
            raise ValueError(
                f"{inner.label} was made under torch.inference_mode, where weights cannot learn: make it outside"
            )
    return model


def _example(model: Any) -> str:
    """What to hand over instead of this."""
    if isinstance(model, type):
        return f"{model.__name__}(…); got the class {model.__name__} itself: call it to make one"
    if isinstance(model, Sequence) and not isinstance(model, str):
        return f"lab.ConvAutoencoder(latent=32), one at a time; got a {type(model).__name__} of {len(model)}"
    if hasattr(model, "play"):
        return f"lab.ConvAutoencoder(latent=32); {type(model).__name__} trains itself: call game.play(rounds)"
    if hasattr(model, "train") and hasattr(model, "val"):
        return "lab.ConvAutoencoder(latent=32); got a data set: the model comes first, lab.fit(model, data)"
    return f"lab.ConvAutoencoder(latent=32); got {_what(model)}"


def learning_pairs(model: Any) -> list[Step]:
    """The model's (parameters, loss function) pairs without what is frozen; ValueError where nothing is left."""
    pairs = [([value for value in parameters if value.requires_grad], loss) for parameters, loss in model.steps()]
    for learning, loss in pairs:
        if not learning:
            by = "" if len(pairs) == 1 else f" by {getattr(loss, '__name__', 'one of its losses')}"
            why = "it has none" if not any(True for _ in model.parameters()) else "they are all frozen"
            raise ValueError(
                f"{model.label} has no weights to train{by}: {why}; model.requires_grad_(True) unfreezes them"
            )
    return pairs


def wake(model: Any, train: Any) -> None:
    """Let lazy layers that still wait for their first input see two images, so that they know their sizes.

    A network of one's own sees them too, and so learns the sizes of its images and its code.
    """
    if isinstance(model, OwnNetwork) and model.image_shape is None:
        with evaluating(model), torch.random.fork_rng(devices=[]):
            model.see(train.images[:2])
    if not any(map(is_lazy, model.parameters())):
        return
    fresh = is_fresh(model)
    condition = {"condition": train.condition[:2]} if model.conditional else {}
    with evaluating(model), torch.no_grad(), torch.random.fork_rng(devices=[]):
        model.loss(train.images[:2], train.wanted[:2], **condition)
    if fresh:  # nobody has touched what was made only now
        model.first_weights = fingerprint(model)
    waiting = [name for name, value in model.named_parameters() if is_lazy(value)]
    if waiting:
        raise ValueError(f"the loss of {model.label} never uses its lazy layer {waiting[0]}; use it, or leave it out")


# --- the data --------------------------------------------------------------------------------------


def check_data(data: Any) -> None:
    """TypeError for anything without the two splits that `fit` learns from and watches."""
    splits = [getattr(data, name, None) for name in ("train", "val")]
    if isinstance(data, nn.Module | type) or not all(isinstance(getattr(s, "images", None), Tensor) for s in splits):
        raise TypeError(
            'fit needs a data set with data.train and data.val, such as lab.load("mnist-5k"); got ' + _instead(data)
        )


def _instead(data: Any) -> str:
    own = "lab.ImageData(name, train, val, test) makes one of three lab.Split(images, labels, classes)"
    if isinstance(getattr(data, "images", None), Tensor):
        return "one split: pass the whole data set, lab.fit(model, data), or " + own
    if isinstance(data, Model):
        return f"the model {data.label}: the model comes first, then the data"
    if isinstance(data, str):
        return f"{data!r}: lab.load({data!r}) loads it, if it is the name of a data set"
    return f"{_what(data)}: {own}"


# --- functions -------------------------------------------------------------------------------------


def check_functions(corrupt: Any, augment: Any, data: Any) -> None:
    """TypeError for a corruption or an augmentation that cannot be called as they are, ValueError for unequal sides."""
    for name, given in {"corrupt": corrupt, "augment": augment}.items():
        if given is None:
            continue
        if isinstance(given, type):
            raise TypeError(f"{name} is the class {given.__name__} itself: write {name}=lab.{name}.{given.__name__}(…)")
        if not callable(given):
            example = "lab.corrupt.gaussian(0.5)" if name == "corrupt" else "lab.augment.affine()"
            raise TypeError(f"{name} must be a function of images, such as {example}, got {given!r}")
    if corrupt is not None and not _takes(corrupt, 2):
        raise TypeError(
            "corrupt is called as corrupt(x), and in evaluation as corrupt(x, generator), so that its noise is always "
            "the same: give your function a second argument, generator=None, and draw from it"
        )
    train = data.train
    if augment is not None and train.targets is not None and train.targets.shape[2:] != train.images.shape[2:]:
        # images and targets are changed as channels of one picture, so that both are changed alike
        sides = f"{tuple(train.images.shape[2:])} and {tuple(train.targets.shape[2:])}"
        raise ValueError(
            f"augment changes images and targets alike and needs them of one height and width, got {sides}"
        )


def check_callbacks(callbacks: Any) -> list[Any]:
    """The callbacks as a list; one alone is meant as a list of one. TypeError for what fit could not call."""
    found = [] if callbacks is None else [callbacks] if callable(callbacks) else callbacks
    if isinstance(found, str) or not hasattr(found, "__iter__"):
        raise TypeError(f"callbacks must be a list of functions callback(model, history), got {callbacks!r}")
    found = list(found)
    for callback in found:
        if not callable(callback):
            raise TypeError(f"callbacks must be functions callback(model, history), got {callback!r}")
        if not _takes(callback, 2):
            name = getattr(callback, "__name__", repr(callback))
            raise TypeError(f"fit calls {name}(model, history) after every epoch, but {name} does not take these two")
    return found


def _takes(function: Any, count: int) -> bool:
    """Whether it can be called with so many arguments; True for what does not say."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


# --- where -----------------------------------------------------------------------------------------


def check_checkpoint(checkpoint: Any) -> Path | None:
    """The path; TypeError or ValueError where no file could be written there, found out before the first step."""
    if checkpoint is None:
        return None
    example = 'such as checkpoint="run.pt"'
    if not isinstance(checkpoint, str | os.PathLike):
        raise TypeError(f"checkpoint is the path of a file, {example}, got {checkpoint!r}")
    path = Path(checkpoint)
    try:
        is_folder = path.is_dir()
        if not is_folder:
            # a link that leads nowhere, or to itself, is there as well, and no folder
            folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
            with tempfile.TemporaryFile(dir=folder):
                pass
            os.access(path, os.F_OK)  # raises ValueError for what can be no name of a file
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ValueError(
            f"checkpoint {str(path)!r} cannot be written ({why}): choose a file in a folder of your own"
        ) from error
    if is_folder:
        raise ValueError(f"checkpoint is the path of a file, {example}, got {os.fspath(checkpoint)!r}, a folder")
    return path


@contextmanager
def able_to_learn() -> Iterator[None]:
    """Gradients, and float32 for what is made meanwhile, whatever the caller has set; afterwards as they were."""
    kind = torch.get_default_dtype()
    with torch.inference_mode(False), torch.enable_grad():
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(kind)


def _what(thing: Any) -> str:
    """A few words for what was given."""
    if isinstance(thing, Tensor):
        return f"a tensor {tuple(thing.shape)}"
    name = type(thing).__name__
    return "None" if thing is None else f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
