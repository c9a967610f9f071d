"""One short loop that trains every model."""

from __future__ import annotations

import math
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from autoencoder_lab.data.corruptions import Corruption
from autoencoder_lab.models.base import Step
from autoencoder_lab.training import arguments
from autoencoder_lab.training.arguments import Plan, able_to_learn
from autoencoder_lab.training.batches import Batches
from autoencoder_lab.training.checkpoint import described, plainly, resume, save
from autoencoder_lab.training.device import pick_device
from autoencoder_lab.training.evaluation import evaluate
from autoencoder_lab.training.first_weights import draw_weights, is_fresh
from autoencoder_lab.training.gradients import Gradients, way_of
from autoencoder_lab.training.history import History, TrainingDiverged, stop_if_diverged
from autoencoder_lab.training.loan import lent
from autoencoder_lab.training.number_format import number_format
from autoencoder_lab.training.optimiser import Adam
from autoencoder_lab.training.progress import Progress, view_of
from autoencoder_lab.training.seeds import seeded

WARM_UP_STEPS = 50
TAKING_TURNS = threading.RLock()  # PyTorch has one stream of random numbers for all threads


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
    progress: bool | Progress = True,
) -> History:
    """Train `model` on data.train, watching data.val; data.test is never touched. Returns the History.

    model: one of the course's or derived from lab.Model; or a plain nn.Module whose call reconstructs, which goes on
      from the weights it has.
    epochs or steps: how long; with neither, the model's own `suggested_steps`.
    seed: fixes the initial weights, the order of the images, augmentation and noise. The weights of a model that was
      never trained nor loaded are drawn anew from it, but for layers that its `__init__` set itself, see
      `draw_weights`; a second `fit` goes on from the weights there are.
      initialise=False keeps weights you set by hand, initialise=True starts over.
    corrupt: x → x̃; the model sees x̃ and is scored against x. Fresh in every batch, fixed for validation.
    augment: x → x', input and target alike; training only.
    batch_size: images a step (None: the model's).
    learning_rate: the largest one (None: the model's); Adam, linear warm-up over 50 steps, then a cosine to 0.
    device: "auto" takes CUDA, then Apple's MPS, then the CPU; afterwards the model is back where it was.
      Convolutions between many channels run in another number format on a CPU, see `number_format`.
    callbacks: functions, called as callback(model, history) after every epoch; True stops.
    checkpoint: a file rewritten after every epoch; a killed run started again with it continues on the same curve.
    progress: True says how far it is, False nothing; or a view of your own, see `Progress`.
    Where data.train has targets, x is scored against them; a conditional model is told data.train.condition.
    Ctrl-C returns the history so far and leaves a usable model; a start that fails leaves the model as it came.
    Trainings in several threads take turns, for all draw from one stream; nothing else should draw from it meanwhile.

    Raises TypeError for what cannot be trained or trained on, or is solved, not trained, ValueError for contradictory
    arguments or another run's checkpoint, TrainingDiverged (with the step and the likely cause) where the loss stops
    being finite; the model then has the weights it came with.
    """
    model, view = arguments.check_model(model), view_of(progress)
    arguments.check_data(data)
    arguments.check_functions(corrupt, augment, data)
    callbacks, checkpoint = arguments.check_callbacks(callbacks), arguments.check_checkpoint(checkpoint)
    plan = arguments.plan(model, data, epochs, steps, batch_size, learning_rate, seed)
    run = _Run(model, data, plan, plan.seed, pick_device(device), corrupt, augment)
    history = run.history
    with TAKING_TURNS, able_to_learn(), lent(model) as loan, seeded(run.seed, run.device), run.open(view):
        batches, done = run.start(initialise, checkpoint)
        if done:
            loan.keep()  # what was learnt stays, whatever happens
        view.start(plan.steps, history.model, done)
        earlier, started = history.seconds[-1] if history.seconds else 0.0, time.perf_counter()
        try:
            while done < plan.steps:
                losses = []
                shuffled = batches.epoch(done // plan.per_epoch)
                run.gradients.seed()
                for batch in shuffled[: plan.steps - done]:
                    losses.append(run.step(*batches.draw(batch), done))
                    done += 1
                    loan.keep()
                    stop_if_diverged(losses[-1]["total"], done, plan.rate, history)
                    view.step(done)
                validation = evaluate(model, data.val, corrupt)  # first: Ctrl-C in here leaves no half of an entry
                stop_if_diverged(validation["total"], done, plan.rate, history)
                seconds = earlier + time.perf_counter() - started
                history.record(done, done / plan.per_epoch, _mean(losses), validation, seconds)
                if checkpoint is not None:
                    save(checkpoint, model, run.optimisers, history, done)
                view.epoch(history)
                # every callback hears of the epoch, even if an earlier one asks to stop
                if any([callback(model, history) for callback in callbacks]):
                    break
        except KeyboardInterrupt:
            history.interrupted = True
        except TrainingDiverged:
            loan.give_back_weights()  # NaN weights serve nobody: a second try starts where this one did
            raise
    model.fit_seconds = earlier + time.perf_counter() - started
    return history


class _Run:
    """One training: the model, its record, and one optimiser for each of its (parameters, loss function) pairs."""

    optimisers: list[Adam]

    def __init__(
        self, model: Any, data: Any, plan: Plan, seed: int, device: torch.device, corrupt: Any, augment: Any
    ) -> None:
        self.model, self.plan, self.seed, self.device = model, plan, seed, device
        arguments.wake(model, data.train)
        self.pairs: list[Step] = arguments.learning_pairs(model)
        self.format = number_format(model, data.train.images[:1], device)
        self.way = way_of(model, data.train.images[:1], device)
        settings = _settings(model, data, plan, seed, corrupt, augment) | self.format.settings
        self.history = History(model.label, settings | {"device": str(device), "gradients": self.way})
        self.shown = data.train, corrupt, augment

    @contextmanager
    def open(self, view: Progress) -> Iterator[None]:
        """With the threads that this training computes with; view is closed with them."""
        self.gradients = Gradients(self.way, self.format.precision, self.model.loss_draws)
        with closing(view), closing(self.gradients):
            yield

    def start(self, initialise: bool | None, checkpoint: Path | None) -> tuple[Batches, int]:
        """Draw weights, bring everything to the device, go on from a checkpoint; the batches and the steps done."""
        model, (train, corrupt, augment) = self.model, self.shown
        if is_fresh(model) if initialise is None else initialise:
            draw_weights(model.to("cpu"), self.seed)  # drawn there: the same weights wherever it was
            model.start_from(train.images)
        model.to(self.device).train()
        if self.format.channels_last:
            model.to(memory_format=torch.channels_last)
        self.optimisers = [Adam(parameters, model.betas) for parameters, _ in self.pairs]
        done = resume(checkpoint, model, self.optimisers, self.history) if checkpoint else 0
        size, conditional = self.plan.batch_size, model.conditional
        return Batches(train, self.device, size, self.seed, corrupt, augment, conditional), done

    def step(self, x: Tensor, target: Tensor, condition: dict[str, Tensor], done: int) -> dict[str, float]:
        """One step of each optimiser, at the rate of the step after `done`; returns the losses and their parts."""
        rate = self.plan.rate * schedule(done, self.plan.steps)
        values: dict[str, float] = {}
        for optimiser, (_, loss_function) in zip(self.optimisers, self.pairs, strict=True):
            found = self.gradients.step(loss_function, optimiser, x, target, condition, rate)
            for name, value in found.items():
                values[name] = values.get(name, 0.0) + value
        self.model.trained_steps += 1
        self.model.after_step(done + 1, self.plan.steps)
        return values


def _mean(losses: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each part over the batches of an epoch."""
    sums: dict[str, float] = {}
    for values in losses:
        sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
    return {name: value / len(losses) for name, value in sums.items()}


def _settings(model: Any, data: Any, plan: Plan, seed: int, corrupt: Any, augment: Any) -> dict[str, Any]:
    """Everything a run depends on; a checkpoint is resumed only by a run with the same settings. No figure depends on
    this."""
    return {name: plainly(value) for name, value in model.arguments.items()} | {
        "data": data.name,
        "images": len(data.train.images),
        "seed": seed,
        "steps": plan.steps,
        "batch_size": plan.batch_size,
        "learning_rate": plan.rate,
        "betas": list(model.betas),
        "corrupt": described(corrupt),
        "augment": described(augment),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "layers": zlib.crc32(str(described(model)).encode()),  # a checksum: tells other layers and arguments apart
        "torch": str(torch.__version__),  # its own class of string would not be loaded from a checkpoint
    }


def schedule(step: int, total: int) -> float:
    """The share of the learning rate at step 0 … total − 1: a linear warm-up, then half a cosine down to almost 0."""
    warm_up = min(WARM_UP_STEPS, total // 10)
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, total - warm_up)))
