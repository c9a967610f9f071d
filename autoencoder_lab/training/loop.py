"""One short loop that trains every model."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from autoencoder_lab.data.corruptions import Corruption
from autoencoder_lab.training.optimiser import Adam

if TYPE_CHECKING:
    pass

from autoencoder_lab.training.checkpoint import described, resume, save
from autoencoder_lab.training.device import pick_device
from autoencoder_lab.training.evaluation import evaluate
from autoencoder_lab.training.first_weights import draw_weights, is_fresh
from autoencoder_lab.training.history import History, TrainingDiverged
from autoencoder_lab.training.number_format import number_format
from autoencoder_lab.training.progress import progress_bar
from autoencoder_lab.training.seeds import epoch_seed, seeded

WARM_UP_STEPS = 50


class Callback(Protocol):
    """Called after every epoch; returning True stops the training."""

    def __call__(self, model: nn.Module, history: History) -> bool | None: ...


def fit(
    model: Any,
    data: Any,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    corrupt: Corruption | None = None,
    augment: Callable[[Tensor], Tensor] | None = None,
    initialise: bool | None = None,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> History:
    """Train `model` on data.train, watching data.val; data.test is never touched. Returns the History.

    epochs or steps: how long; with neither, the model's own `suggested_steps`.
    seed: fixes the initial weights, the order of the images, augmentation and noise. The weights of a model that was
      never trained nor loaded are drawn anew from it; a second `fit` goes on from the weights there are.
      initialise=False keeps weights you set by hand, initialise=True starts over.
    corrupt: x → x̃; the model sees x̃ and is scored against x. Fresh in every batch, fixed for validation.
    augment: x → x', input and target alike; training only.
    batch_size: images a step (None: the model's).
    learning_rate: the largest one (None: the model's); Adam, linear warm-up over 50 steps, then a cosine to 0.
    device: "auto" takes CUDA, then Apple's MPS, then the CPU; afterwards the model is back where it was.
      Convolutions between many channels run in another number format on a CPU, see `number_format`.
    callbacks: called as callback(model, history) after every epoch; True stops.
    checkpoint: a file rewritten after every epoch; a killed run started again with it continues on the same curve.
    Ctrl-C returns the history so far and leaves a usable model.

    Raises ValueError for contradictory arguments, TrainingDiverged (with the step and the likely cause) where the
    loss stops being finite; the model then has the weights it came with.
    """
    plan = _plan(model, data, epochs, steps, batch_size, learning_rate)
    parameter_steps = model.steps()
    home, target_device = next(model.parameters()).device, pick_device(device)
    precision, channels_last = number_format(model, data.train.images[:1].to(home), target_device)
    history = History(
        getattr(model, "label", type(model).__name__), _settings(model, data, plan, seed, corrupt, augment)
    )
    history.settings |= {
        "device": str(target_device),
        "precision": str(precision).removeprefix("torch."),
        "memory_format": "channels_last" if channels_last else "contiguous",
    }
    weights_before = {name: value.clone() for name, value in model.state_dict().items()}

    with seeded(seed, target_device), progress_bar(plan.steps, history.model, progress) as show:
        if is_fresh(model) if initialise is None else initialise:
            draw_weights(model.to("cpu"), seed)  # drawn there: the same weights wherever it was
            model.start_from(data.train.images)
        model.to(target_device).train()
        if channels_last:
            model.to(memory_format=torch.channels_last)
        betas = getattr(model, "betas", (0.9, 0.999))
        optimisers = [Adam(parameters, betas) for parameters, _ in parameter_steps]
        done = resume(checkpoint, model, optimisers, history) if checkpoint else 0
        images = data.train.images.to(target_device)
        labels = data.train.labels.to(target_device) if getattr(model, "conditional", False) else None
        earlier, started = history.seconds[-1] if history.seconds else 0.0, time.perf_counter()
        try:
            while done < plan.steps:
                # an epoch's noise depends on (seed, epoch) alone: a resumed run needs no generator state
                torch.manual_seed(epoch_seed(seed, done // plan.per_epoch))
                order = torch.randperm(len(images))[: plan.per_epoch * plan.batch_size].to(target_device)
                batches = order.split(plan.batch_size)[: plan.steps - done]
                sums: dict[str, float] = {}
                for batch in batches:
                    target = images[batch] if augment is None else augment(images[batch])
                    x = target if corrupt is None else corrupt(target)
                    condition = {} if labels is None else {"labels": labels[batch]}
                    rate = plan.rate * schedule(done, plan.steps)
                    values = _train_on(x, target, condition, parameter_steps, optimisers, rate, precision)
                    sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
                    done += 1
                    model.trained_steps += 1
                    model.after_step(done, plan.steps)
                    _stop_if_diverged(values["total"], done, plan.rate, history)
                    show(done)
                validation = evaluate(model, data.val, corrupt)  # first: Ctrl-C in here leaves no half of an entry
                _stop_if_diverged(validation["total"], done, plan.rate, history)
                training = {name: value / len(batches) for name, value in sums.items()}
                history.record(
                    done, done / plan.per_epoch, training, validation, earlier + time.perf_counter() - started
                )
                if checkpoint is not None:
                    save(Path(checkpoint), model, optimisers, history, done)
                # every callback hears of the epoch, even if an earlier one asks to stop
                if any([callback(model, history) for callback in callbacks]):
                    break
        except KeyboardInterrupt:
            history.interrupted = True
        except TrainingDiverged:
            model.load_state_dict(weights_before)  # NaN weights serve nobody: a second try starts where this one did
            raise
        finally:
            model.eval().to(home)
            if channels_last:
                model.to(memory_format=torch.contiguous_format)
    model.fit_seconds = earlier + time.perf_counter() - started
    return history


def _train_on(
    x: Tensor,
    target: Tensor,
    condition: dict[str, Tensor],
    parameter_steps: list[Any],
    optimisers: list[Adam],
    rate: float,
    precision: torch.dtype,
) -> dict[str, float]:
    """One optimiser step for each (parameters, loss function) pair; returns the losses and their parts."""
    values: dict[str, float] = {}
    for optimiser, (parameters, loss_function) in zip(optimisers, parameter_steps, strict=True):
        with torch.autocast(x.device.type, precision, enabled=precision != torch.float32):
            loss = loss_function(x, target, **condition)
        # only these parameters: a generator's step cannot leak a gradient into its discriminator
        optimiser.step(torch.autograd.grad(loss.total, parameters), rate)
        for name, value in ({"total": loss.total} | loss.parts).items():
            values[name] = values.get(name, 0.0) + value.item()
    return values


class _Plan(NamedTuple):
    """How long and in what portions to train."""

    steps: int
    per_epoch: int
    batch_size: int
    rate: float


def _plan(
    model: Any, data: Any, epochs: int | None, steps: int | None, batch_size: int | None, learning_rate: float | None
) -> _Plan:
    """Check the arguments and fill in the model's own suggestions."""
    if epochs is not None and steps is not None:
        raise ValueError(f"give epochs or steps, not both (got epochs={epochs}, steps={steps})")
    batch_size = getattr(model, "batch_size", 128) if batch_size is None else batch_size
    for name, given in {"epochs": epochs, "steps": steps, "batch_size": batch_size}.items():
        if given is not None and (given < 1 or given != int(given)):
            raise ValueError(f"{name} must be a whole number, at least 1, got {given}")
    count = len(data.train.images)
    size = min(int(batch_size), count)
    per_epoch = count // size  # a last, smaller batch is left out; the next epoch shuffles anew
    total = int(steps if steps is not None else model.suggested_steps if epochs is None else epochs * per_epoch)
    rate = float(model.learning_rate if learning_rate is None else learning_rate)
    if not 0 < rate < math.inf:
        raise ValueError(f"learning_rate must be a positive number, got {learning_rate}")
    return _Plan(total, per_epoch, size, rate)


def _settings(model: Any, data: Any, plan: _Plan, seed: int, corrupt: Any, augment: Any) -> dict[str, Any]:
    """Everything a run depends on; a checkpoint is resumed only by a run with the same settings."""
    return {
        "data": data.name,
        "images": len(data.train.images),
        "seed": seed,
        "steps": plan.steps,
        "batch_size": plan.batch_size,
        "learning_rate": plan.rate,
        "corrupt": described(corrupt),
        "augment": described(augment),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "layers": zlib.crc32(str(described(model)).encode()),  # a checksum: tells other architectures apart
        "output": getattr(model, "output", None),
        "loss": getattr(model, "loss_name", None),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),  # its own class of string would not be loaded from a checkpoint
    }


def schedule(step: int, total: int) -> float:
    """The share of the learning rate at step 0 … total − 1: a linear warm-up, then half a cosine down to almost 0."""
    warm_up = min(WARM_UP_STEPS, total // 10)
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, total - warm_up)))


def _stop_if_diverged(loss: float, step: int, rate: float, history: History) -> None:
    if math.isfinite(loss):
        return
    before = f"{history.train['total'][-1]:.4g} at the last epoch" if history.step else "never recorded"
    raise TrainingDiverged(
        f"the loss is not finite at step {step} (it was {before}). The likely cause is the learning rate {rate:g}: "
        f"try learning_rate={rate / 10:g}. Otherwise look for a log or a square root of 0 in the loss.",
        history,
    )
