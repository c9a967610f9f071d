"""A training step beside busy processes: as `fit` takes it, and with two threads an operation, as it did before.

    python -m benchmarks busy [--short]

Dense, convolutional and variational autoencoders, batches of 128 digits, alone and beside 1, 2 and 4 processes that do
nothing but count and start later. Both ways take turns, each in a process of its own, since how long PyTorch's threads
spin is settled when it is loaded: "before" spins as long as OpenMP does by itself, and oneDNN draws its pixels. With
T₁, a step's time on one thread of the idle machine, two cores and k busy processes, a step's fair share of the machine
gives T₁ · max(1, (k + 1) / 2); the figures are what it takes beyond that. A VICReg stands for models whose loss mixes
the images of a batch, which cannot be cut in two.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from autoencoder_lab.machine import BRIEFLY, SPIN
from benchmarks.table import Row

BUSY = (1, 2, 4)
MODELS = ("dense", "conv", "VAE", "VICReg")
LIMIT, MIXING = 1.5, 2.0  # × the fair share
AS_FIT = "as fit does"
BEFORE = "300000"  # what GNU's OpenMP takes by itself


# --- a process that trains when it is told to ------------------------------------------------------------------------


def work() -> None:
    """Read lines (model, way, seconds), train so long, answer with the milliseconds of a step."""
    import torch

    import autoencoder_lab as lab
    from autoencoder_lab.models.layers import ToPixels
    from autoencoder_lab.training.gradients import Gradients, way_of
    from autoencoder_lab.training.optimiser import Adam

    makers = {
        "dense": lambda: lab.DenseAutoencoder(32),
        "conv": lambda: lab.ConvAutoencoder(32),
        "VAE": lambda: lab.VAE(20),
        "VICReg": lambda: lab.VICReg(32),
    }
    images = lab.load("mnist-5k").train.images[:128]
    models: dict[str, Any] = {name: make() for name, make in makers.items()}
    if os.environ[SPIN] == BEFORE:  # as before: then the pixels were drawn by oneDNN's kernel, too
        for layer in (layer for model in models.values() for layer in model.modules() if type(layer) is ToPixels):
            layer.__class__ = torch.nn.ConvTranspose2d
    optimisers = {name: Adam(model.parameters()) for name, model in models.items()}
    for line in sys.stdin:
        name, way, seconds = json.loads(line)
        model, optimiser = models[name], optimisers[name]
        if way == AS_FIT:
            way = way_of(model, images[:1], torch.device("cpu"))
        with contextlib.closing(Gradients(way, torch.float32, model.loss_draws)) as gradients:
            gradients.seed()
            times: list[float] = []
            begun = time.perf_counter()
            while len(times) < 3 or time.perf_counter() - begun < seconds:
                start = time.perf_counter()
                gradients.step(model.loss, optimiser, images, images, {}, 1e-4)
                times.append(time.perf_counter() - start)
        print(json.dumps(1000 * statistics.fmean(times[1:])), flush=True)  # the first one prepares


class Worker:
    """A process of its own, with as much spinning as it is told."""

    def __init__(self, spin: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from benchmarks.busy import work; work()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {SPIN: spin, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            encoding="utf-8",
        )

    def step(self, model: str, way: str, seconds: float) -> float:
        """Milliseconds."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps([model, way, seconds]) + "\n")
        self.process.stdin.flush()
        return float(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that count."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


# --- the figures -----------------------------------------------------------------------------------------------------


def measure(short: bool = False) -> list[Row]:
    """Rows: what a step takes beyond its share beside k busy processes, and how fast it is alone."""
    seconds, rounds = (0.6, 5) if short else (1.5, 9)
    before, now = Worker(BEFORE), Worker(BRIEFLY)
    rows, alone = [], []
    try:
        for model in MODELS:
            ways = {"before": (before, "two threads"), "one": (now, "one thread"), "now": (now, AS_FIT)}
            times = {k: _turns(model, ways if k == 0 else _without_one(ways), k, seconds, rounds) for k in (0, *BUSY)}
            limit = MIXING if model == "VICReg" else LIMIT
            one, then, since = (times[0][way] for way in ("one", "before", "now"))
            faster = statistics.median(a / b for a, b in zip(then, since, strict=True))
            alone += [faster] if model != "VICReg" else []
            least = 0.95 if model == "VICReg" else 0.9
            beside = "{:.1f} ms, before {:.1f}, one thread {:.1f}".format(*map(statistics.median, (since, then, one)))
            rows.append(Row(f"{model} alone: speed, × before", faster, limit=least, beside=beside))
            for k in BUSY:
                fair = statistics.median(one) * max(1.0, (k + 1) / 2)
                took, took_before = (statistics.median(times[k][way]) for way in ("now", "before"))
                rows.append(
                    Row(
                        f"{model} beside {k} busy: a step, × its fair share",
                        took / fair,
                        limit=limit,
                        more_is_better=False,
                        beside=f"{took:.1f} ms, before {took_before:.1f} ({took_before / fair:.2f})",
                    )
                )
    finally:
        before.close()
        now.close()
    rows.append(Row("alone, the three of them: speed, × before", statistics.geometric_mean(alone), limit=1.0))
    return rows


def _turns(model: str, ways: dict[str, Any], k: int, seconds: float, rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for worker, way in ways.values():
        worker.step(model, way, 0.2)  # warm: the busy processes start later
    with busy(k):
        for _ in range(rounds):
            for name, (worker, way) in ways.items():
                times[name].append(worker.step(model, way, seconds * (1 + k / 2)))
    return times


def _without_one(ways: dict[str, Any]) -> dict[str, Any]:
    return {name: way for name, way in ways.items() if name != "one"}


if __name__ == "__main__":
    for row in measure("--short" in sys.argv):
        print(row)
