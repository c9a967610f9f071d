"""Training images a second: `fit` beside a bare loop, beside a DataLoader, and on wide convolutions.

    python -m benchmarks training_speed [--short]

Runs of one model take turns, round by round, in one process, on Fashion-MNIST; medians, of rates and, beside the bare
loop, of the ratios of a round. The bare loop has the tensors in memory, the same model, batch, fused Adam, precision
and memory format. Validation is left out: `fit` looks at ten images when it is done, and that time is taken off. What
it does once before its first step (weights drawn, a copy for the case that it diverges) is told beside. The usual
notebook has torchvision's FashionMNIST with ToTensor and PyTorch's default Adam.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch

import autoencoder_lab as lab
from autoencoder_lab.training import loop
from autoencoder_lab.training.device import pick_device
from autoencoder_lab.training.evaluation import evaluate
from autoencoder_lab.training.number_format import NumberFormat
from benchmarks import rivals
from benchmarks.rivals import BATCH, LinkedAutoencoder, from_loader, from_memory, train_by_hand
from benchmarks.table import Row

MODELS: dict[str, tuple[Callable[[], Any], int]] = {  # and the batch size
    "dense": (lambda: lab.DenseAutoencoder(32), BATCH),
    "conv": (lambda: lab.ConvAutoencoder(32), BATCH),
    "conv, hidden=128": (lambda: lab.ConvAutoencoder(32, hidden=128), BATCH),
    "VAE": (lambda: lab.VAE(20), BATCH),
    "GAN": (lambda: lab.GAN(64), 32),
}
# A loader takes the same time an image whatever the model, so that the ratio says as much about the model: hence one
# with 128 units in its dense layer beside the default with 512
BESIDE_A_LOADER: dict[str, float] = {"dense": 1.8, "conv, hidden=128": 1.4, "conv": 1.4}


def measure(short: bool = False) -> list[Row]:
    """fit against the bare loop, against a DataLoader, and what the number format brings."""
    data = lab.load("fashion-mnist")
    data = replace(data, val=data.val[:10])
    seconds, rounds = (0.2, 31) if short else (0.4, 61)  # many short runs: the machine's speed changes meanwhile
    rows = _wide_convolutions(data, 5 if short else 15)  # first: in a process whose memory nobody has shaped yet
    rows += [] if short else _same_results(data)
    with tempfile.TemporaryDirectory() as folder:
        pictures = rivals.torchvision_set(Path(folder))
        for name, (make, batch) in MODELS.items():
            rows += _beside_others(name, make, batch, data, pictures, seconds, rounds)
    return rows


def _beside_others(
    name: str, make: Any, batch: int, data: Any, pictures: Any, seconds: float, rounds: int
) -> list[Row]:
    images, there = data.train.images, data.train.images.to(pick_device())
    a_step = _by_hand(make(), images, from_memory(there, 20, batch)) / 20
    steps = min(max(10, int(seconds / a_step)), len(images) // batch)  # one epoch at most: one validation
    ways: dict[str, Callable[[], float]] = {
        "fit": lambda: seconds_of_fit(make(), data, steps, batch),
        "bare": lambda: _by_hand(make(), images, from_memory(there, steps, batch)),
    }
    for workers in (0, 2) if name in BESIDE_A_LOADER else ():
        ways[f"{workers} workers"] = lambda workers=workers: _from_loader(  # type: ignore[misc]
            make(), images, pictures, steps, batch, workers
        )
    took: dict[str, list[float]] = {way: [] for way in ways}
    whole = []
    for turn in range(rounds):
        for way, run in list(ways.items())[:: 1 if turn % 2 else -1]:  # who comes first changes, too
            if "workers" in way and turn % 3:
                continue  # they are further apart, and need not be told so exactly
            started = time.perf_counter()
            took[way].append(run())
            if way == "fit":
                whole.append(time.perf_counter() - started - took[way][-1])
    rate = {way: steps * batch / statistics.median(values) for way, values in took.items()}
    text = (
        f"{rate['fit']:,.0f} and {rate['bare']:,.0f} images/s; before the first step {statistics.median(whole):.3f} s"
    )
    # within a round: both then meet the same state of a machine whose speed changes by the second
    ratio = statistics.median(bare / fit for fit, bare in zip(took["fit"], took["bare"], strict=True))
    rows = [Row(f"fit / bare loop, {name}", ratio, limit=0.97, beside=text)]
    if name in BESIDE_A_LOADER:
        best = max(rate["0 workers"], rate["2 workers"])
        beside = f"{rate['0 workers']:,.0f} (0 workers), {rate['2 workers']:,.0f} (2 workers)"
        text = f"{rate['fit']:,.0f} and {beside} images/s"
        rows.append(Row(f"fit / DataLoader, {name}", rate["fit"] / best, limit=BESIDE_A_LOADER[name], beside=text))
    return rows


def seconds_of_fit(model: Any, data: Any, steps: int, batch: int, **settings: Any) -> float:
    """From the first step on, without the validation."""
    validation = 0.0

    def watched(*given: Any) -> dict[str, float]:
        nonlocal validation
        started = time.perf_counter()
        values = evaluate(*given)
        validation += time.perf_counter() - started
        return values

    with mock.patch.object(loop, "evaluate", watched):
        history = lab.fit(model, data, steps=steps, batch_size=batch, progress=False, **settings)
    return history.seconds[-1] - validation


def _by_hand(model: Any, images: torch.Tensor, batches: Iterable[torch.Tensor], fused: bool = True) -> float:
    model.start_from(images)
    return train_by_hand(model, batches, fused)


def _from_loader(model: Any, images: torch.Tensor, pictures: Any, steps: int, batch: int, workers: int) -> float:
    """From the first batch on: what starting the workers takes is not counted."""
    batches = from_loader(pictures, steps, batch, workers)
    next(batches)
    return _by_hand(model, images, batches, fused=False)


def _wide_convolutions(data: Any, rounds: int) -> list[Row]:
    """The linked notebook's architecture: what `fit` chooses, beside PyTorch's default float32."""
    steps, images = 12, data.train.images.to(pick_device())
    took: dict[str, list[float]] = {"fit": [], "default": []}
    for turn in range(rounds + 1):
        for way in list(took)[:: 1 if turn % 2 else -1]:
            if way == "fit":
                seconds = seconds_of_fit(LinkedAutoencoder(), data, steps, BATCH)
            else:
                seconds = train_by_hand(LinkedAutoencoder(), from_memory(images, steps, BATCH))
            if turn:
                took[way].append(seconds)
    history = lab.fit(LinkedAutoencoder(), data, steps=1, batch_size=BATCH, progress=False)
    chosen = f"{history.settings['precision']}, {history.settings['memory_format']}"
    rate = {way: steps * BATCH / statistics.median(values) for way, values in took.items()}
    name = "fit / default float32, linked notebook's architecture"
    limit = {"bfloat16": 2.0, "float32": 1.3}[history.settings["precision"]] if pick_device().type == "cpu" else None
    text = f"{rate['fit']:,.0f} ({chosen}) and {rate['default']:,.0f} (float32, contiguous) images/s"
    return [Row(name, rate["fit"] / rate["default"], limit=limit, beside=text)]


def _same_results(data: Any, steps: int = 200, seeds: int = 3) -> list[Row]:
    """What the number format changes in the loss, in standard deviations over training seeds."""
    losses: dict[str, list[float]] = {"chosen": [], "float32": []}
    for seed in range(seeds):
        for way in losses:
            model = LinkedAutoencoder()
            plain = {"number_format": lambda *_: NumberFormat(torch.float32, False)} if way == "float32" else {}
            with mock.patch.multiple(loop, **plain) if plain else nullcontext():
                lab.fit(model, data, steps=steps, batch_size=BATCH, seed=seed, progress=False)
            losses[way].append(evaluate(model, data.test[:2000])["total"] / 784)
    mean = {way: statistics.mean(values) for way, values in losses.items()}
    spread = statistics.stdev(losses["float32"])
    text = f"{mean['chosen']:.5f} and {mean['float32']:.5f} nats a pixel after {steps} steps, spread {spread:.5f}"
    gap = abs(mean["chosen"] - mean["float32"]) / spread
    return [Row("the same in float32: loss apart, in spreads over seeds", gap, "", 1.0, False, text, True)]
