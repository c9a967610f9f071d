"""One short loop that trains every model, and the plain record it leaves."""

from __future__ import annotations

import math
import pickle
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from torch import Generator, Tensor, nn

from autoencoder_lab.corruptions import Corruption
from autoencoder_lab.models.base import Autoencoder, fingerprint
from autoencoder_lab.optimiser import Adam

if TYPE_CHECKING:
    import pandas as pd

WARM_UP_STEPS = 50
WIDE = 32  # channels
EVALUATION_SEED = 0


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

    with _seeded(seed, target_device), _progress_bar(plan.steps, history.model, progress) as show:
        if is_fresh(model) if initialise is None else initialise:
            draw_weights(model.to("cpu"), seed)  # drawn there: the same weights wherever it was
            model.start_from(data.train.images)
        model.to(target_device).train()
        if channels_last:
            model.to(memory_format=torch.channels_last)
        betas = getattr(model, "betas", (0.9, 0.999))
        optimisers = [Adam(parameters, betas) for parameters, _ in parameter_steps]
        done = _resume(checkpoint, model, optimisers, history) if checkpoint else 0
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
                    _save(Path(checkpoint), model, optimisers, history, done)
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
        "corrupt": _described(corrupt),
        "augment": _described(augment),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "layers": zlib.crc32(str(_described(model)).encode()),  # a checksum: tells other architectures apart
        "output": getattr(model, "output", None),
        "loss": getattr(model, "loss_name", None),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),  # its own class of string would not be loaded from a checkpoint
    }


class NumberFormat(NamedTuple):
    """How `fit` has the layers compute; weights, optimiser and loss are float32 in any case."""

    precision: torch.dtype
    channels_last: bool  # whether a pixel's channels lie side by side in memory


def number_format(model: Any, image: Tensor, device: torch.device) -> NumberFormat:
    """The faster format for this model on this device, decided from its layers and the processor alone.

    image: (1, C, H, W), only its shape counts. On a CPU, where convolutions from 32 channels or more to as many do most
    of a reconstruction's multiplications: channels last, and bfloat16 if the processor multiplies it in hardware.
    float32 and contiguous for all else, where that gains nothing or loses time (docs/performance.md), and for every
    loss but Autoencoder's own: others may add up or invert what bfloat16's three digits cannot hold.
    """
    plain = NumberFormat(torch.float32, False)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    wide = {layer for layer in layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and _channels(layer) >= WIDE}
    if device.type != "cpu" or not wide or getattr(type(model), "loss", None) is not Autoencoder.loss:
        return plain
    products: dict[nn.Module, int] = {}

    def count(layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        # each weight is used once a position: of the output, or of the input where the convolution is transposed
        at = given[0] if isinstance(layer, nn.ConvTranspose2d) else made
        products[layer] = layer.get_parameter("weight").numel() * math.prod(at.shape[2:])

    hooks = [layer.register_forward_hook(count) for layer in layers]
    was_training = model.training
    try:
        with torch.no_grad(), _seeded(EVALUATION_SEED, device):
            model.eval().reconstruct(image)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    if 2 * sum(products.get(layer, 0) for layer in wide) < sum(products.values()):
        return plain
    return NumberFormat(torch.bfloat16 if _multiplies_bfloat16() else torch.float32, True)


def _channels(layer: nn.Conv2d | nn.ConvTranspose2d) -> int:
    return min(layer.in_channels, layer.out_channels) // layer.groups


def _multiplies_bfloat16() -> bool:
    """Whether an x86 processor has AVX-512 BF16 or AMX; without them PyTorch imitates it, slower than float32."""
    has: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # PyTorch 2.6 has none
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def is_fresh(model: nn.Module) -> bool:
    """Whether nobody trained, loaded or set these weights: they are those the model was made with."""
    return getattr(model, "first_weights", None) == fingerprint(model)


def draw_weights(model: nn.Module, seed: int) -> None:
    """Draw all weights anew, as they are when the model is made, from `seed`; leaves the global generator alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in model.modules():  # a model's own reset_parameters comes first, its layers' after it
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()


def schedule(step: int, total: int) -> float:
    """The share of the learning rate at step 0 … total − 1: a linear warm-up, then half a cosine down to almost 0."""
    warm_up = min(WARM_UP_STEPS, total // 10)
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, total - warm_up)))


def epoch_seed(seed: int, epoch: int) -> int:
    """A seed for one epoch; the odd multiplier keeps (seed, epoch) pairs apart."""
    return (seed * 1_000_003 + epoch) % 2**63


@torch.no_grad()
def evaluate(model: Any, split: Any, corrupt: Corruption | None = None, batch_size: int = 500) -> dict[str, float]:
    """The model's loss and the squared error per pixel on a split, in evaluation mode, always with the same noise.

    A model that reconstructs nothing has no squared error.
    """
    was_training = model.training
    sums: dict[str, float] = {}
    model.eval()
    device = next(iter(model.state_dict().values())).device
    with _seeded(EVALUATION_SEED, device):
        noise = Generator(device=device).manual_seed(EVALUATION_SEED)
        for batch, labels in zip(split.images.split(batch_size), split.labels.split(batch_size), strict=True):
            target = batch.to(device)
            x = target if corrupt is None else corrupt(target, noise)
            condition = {"labels": labels.to(device)} if getattr(model, "conditional", False) else {}
            loss = model.loss(x, target, **condition)
            values = {"total": loss.total} | loss.parts
            if getattr(model, "reconstructs", True):
                restored = model.reconstruct(x) if loss.reconstructed is None else loss.reconstructed
                values["mse"] = (restored - target).pow(2).mean()
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value.item() * len(target)
    model.train(was_training)
    return {name: value / len(split.images) for name, value in sums.items()}


def pick_device(device: str = "auto") -> torch.device:
    """ "auto": CUDA, else Apple's MPS, else the CPU; otherwise the device named."""
    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """A private stream of random numbers; the caller's generators are as before afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _described(thing: object) -> str | None:
    """Its repr without memory addresses, which differ from run to run; None for None."""
    return None if thing is None else re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(thing))


def _stop_if_diverged(loss: float, step: int, rate: float, history: History) -> None:
    if math.isfinite(loss):
        return
    before = f"{history.train['total'][-1]:.4g} at the last epoch" if history.step else "never recorded"
    raise TrainingDiverged(
        f"the loss is not finite at step {step} (it was {before}). The likely cause is the learning rate {rate:g}: "
        f"try learning_rate={rate / 10:g}. Otherwise look for a log or a square root of 0 in the loss.",
        history,
    )


# --- checkpoints -----------------------------------------------------------------------------------


def _save(path: Path, model: nn.Module, optimisers: list[Adam], history: History, done: int) -> None:
    """Write to a neighbour, then rename: a kill in between leaves the old checkpoint whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    torch.save(
        {
            "model": model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in optimisers],
            "history": asdict(history),
            "done": done,
        },
        partial,
    )
    partial.replace(path)


def _resume(path: str | Path, model: nn.Module, optimisers: list[Adam], history: History) -> int:
    """Load a checkpoint into all three and return the steps done; 0 where there is none yet."""
    if not Path(path).exists():
        return 0
    try:
        saved = torch.load(path, weights_only=True, map_location="cpu")
        stored, done = saved["history"], int(saved["done"])
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged or no checkpoint of fit; not used. "
            "Give another checkpoint file, or delete it to start over"
        ) from error
    compared = history.settings.keys() - {"threads", "torch"}
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


# --- progress --------------------------------------------------------------------------------------


@contextmanager
def _progress_bar(total: int, label: str, wanted: bool) -> Iterator[Callable[[int], object]]:
    """A bar in a terminal, one line that rewrites itself in a notebook, nothing elsewhere.

    tqdm's notebook bar leaves a dead widget in a stored notebook, hence the line.
    """
    if not wanted:
        yield lambda done: None
    elif "ipykernel" in sys.modules:
        from IPython.display import display

        started, last_shown = time.perf_counter(), 0.0
        handle = display({"text/plain": f"{label}: starting"}, raw=True, display_id=True)

        def show(done: int) -> None:
            nonlocal last_shown
            now = time.perf_counter()
            if done == total or now - last_shown > 0.25:
                last_shown = now
                left = (now - started) / done * (total - done)
                left_text = f", {left:.0f} s left" if left > 1 else ""
                text = f"{label}: step {done} of {total}, {now - started:.0f} s{left_text}"
                handle.update({"text/plain": text}, raw=True)

        yield show
    elif sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, desc=label, unit="step") as bar:
            yield lambda done: bar.update(done - bar.n)
    else:
        yield lambda done: None
