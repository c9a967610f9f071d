"""The slide's full-size CCAE on a GPU: images a second beside a bare loop, and the share of time spent in kernels.

    python -m benchmarks gpu

Code 2,048, projector 8,192, batch 256, all of Fashion-MNIST. Without a GPU there is nothing to measure, and it says so.
The other measurements use a GPU too where there is one, as `fit` does.
"""

import statistics
from dataclasses import replace
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

import autoencoder_lab as lab
from benchmarks.rivals import from_memory, timed, train_by_hand
from benchmarks.table import Row

BATCH = 256


def measure(short: bool = False) -> list[Row]:
    """Nothing without a GPU."""
    if not torch.cuda.is_available():
        print("     no GPU here: the full-size CCAE is left out")
        return []
    data = lab.load("fashion-mnist")
    return full_size(replace(data, val=data.val[:BATCH]), lab.CCAE(2048, projector=(8192,)), 50 if short else 200, 5)


def full_size(data: Any, model: lab.CCAE, steps: int, rounds: int) -> list[Row]:
    """fit beside a bare loop, `steps` steps each, and the device's busy share of a profiled run."""
    took: dict[str, list[float]] = {"fit": [], "bare": []}
    for turn in range(rounds + 1):
        history = lab.fit(model, data, steps=steps, batch_size=BATCH, initialise=True, progress=False)
        bare = timed(lambda: train_by_hand(model, from_memory(data.train.images, steps, BATCH)))
        if turn:
            took["fit"].append(history.seconds[-1])
            took["bare"].append(bare)
    rate = {way: steps * BATCH / statistics.median(seconds) for way, seconds in took.items()}
    text = f"{rate['fit']:,.0f} and {rate['bare']:,.0f} images/s"
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        history = lab.fit(model, data, steps=min(steps, 50), batch_size=BATCH, initialise=False, progress=False)
    busy = sum(event.self_device_time_total for event in profiled.key_averages()) / 1e6
    name = "full-size CCAE"
    return [
        Row(f"fit / bare loop, {name}", rate["fit"] / rate["bare"], limit=0.97, beside=text),
        Row(f"share of time in kernels, {name}", busy / history.seconds[-1], "", None, True, "under the profiler"),
    ]
