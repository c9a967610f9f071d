"""The slide's full-size CCAE: on a GPU images a second beside a bare loop, and the share of time spent in kernels.

    python -m benchmarks gpu [--short]

Code 2,048, projector 8,192, batch 256, all of Fashion-MNIST. Without a GPU the long form takes ten steps with batches
of 128 on the processor, about half a minute. The other measurements use a GPU too where there is one, as `fit` does.
"""

import math
import statistics
import sys
from dataclasses import replace
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

import autoencoder_lab as lab
from benchmarks.rivals import from_memory, train_by_hand
from benchmarks.table import Row
from benchmarks.training_memory import peak_gb
from benchmarks.training_speed import seconds_of_fit

BATCH = 256


def measure(short: bool = False) -> list[Row]:
    """Without a GPU ten steps in the long form, and nothing in the short one."""
    if not torch.cuda.is_available():
        print(
            "     no GPU here: the full-size CCAE " + ("is left out" if short else "takes ten steps on the processor")
        )
        return [] if short else [ten_steps(lab.load("fashion-mnist"), lab.CCAE(2048, projector=(8192,)))]
    data = lab.load("fashion-mnist")
    return full_size(replace(data, val=data.val[:BATCH]), lab.CCAE(2048, projector=(8192,)), 50 if short else 200, 5)


def ten_steps(data: Any, model: lab.CCAE) -> Row:
    """Seconds, the loss, and the memory that this process has taken at most."""
    history = lab.fit(model, replace(data, val=data.val[:128]), steps=10, batch_size=128, progress=False)
    loss = history.train["total"][-1]
    peak = "" if sys.platform == "win32" else f", at most {peak_gb():.1f} GB"
    text = f"loss {loss:.1f}, {'finite' if math.isfinite(loss) else 'NOT finite'}{peak}"
    return Row("full-size CCAE, ten steps on the processor", history.seconds[-1], "s", None, False, text)


def full_size(data: Any, model: lab.CCAE, steps: int, rounds: int) -> list[Row]:
    """fit beside a bare loop, `steps` steps each, and the device's busy share of a profiled run."""
    took: dict[str, list[float]] = {"fit": [], "bare": []}
    there = data.train.images.to("cuda" if torch.cuda.is_available() else "cpu")
    for turn in range(rounds + 1):
        seconds = {
            "fit": seconds_of_fit(model, data, steps, BATCH, initialise=True),
            "bare": train_by_hand(model, from_memory(there, steps, BATCH)),
        }
        for way, value in seconds.items() if turn else ():
            took[way].append(value)
    rate = {way: steps * BATCH / statistics.median(seconds) for way, seconds in took.items()}
    text = f"{rate['fit']:,.0f} and {rate['bare']:,.0f} images/s"
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        profiled_seconds = seconds_of_fit(model, data, min(steps, 50), BATCH, initialise=False)
    # kernels alone: an operator's own entry counts those it starts once more, and copies run before the clock does
    busy = sum(
        event.self_device_time_total
        for event in profiled.events() or ()
        if event.device_type == DeviceType.CUDA
        and not event.is_user_annotation
        and not event.name.startswith(("Memcpy", "Memset"))
    )
    name = "full-size CCAE"
    return [
        Row(f"fit / bare loop, {name}", rate["fit"] / rate["bare"], limit=0.97, beside=text),
        Row(f"share of time in kernels, {name}", busy / 1e6 / profiled_seconds, "", None, True, "under the profiler"),
    ]
