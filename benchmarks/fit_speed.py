"""Training images a second: `fit` beside a bare hand-written loop, and beside the usual notebook with a DataLoader.

    python -m benchmarks fit_speed [--rounds 5] [--images 6000] [--json FILE]

All runs of a model follow each other, round by round, in one process, with the same model, batch size, optimiser,
precision and memory format, on Fashion-MNIST where it is at hand and else on mnist-5k; the table shows medians and their
ratios. Validation is left out: the runs are one epoch long, and `fit` looks at ten images after it.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

import autoencoder_lab as lab

BATCH = 128
MODELS: dict[str, Callable[[], Any]] = {
    "dense": lambda: lab.DenseAutoencoder(32),
    "conv": lambda: lab.ConvAutoencoder(32),
    "VAE": lambda: lab.VAE(20),
    "GAN": lambda: lab.GAN(64),
}


class Pictures(Dataset[tuple[Tensor, int]]):
    """What torchvision's FashionMNIST(transform=ToTensor()) does for an image: bytes → PIL → float32 in [0, 1]."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.bytes, self.labels = (images * 255).round().byte(), labels

    def __len__(self) -> int:
        return len(self.bytes)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = to_pil_image(self.bytes[index], mode="L")
        return pil_to_tensor(picture).float().div(255), int(self.labels[index])


def with_fit(model: Any, data: lab.ImageData) -> float:
    """Seconds of one epoch by the library's loop."""
    started = time.perf_counter()
    lab.fit(model, data, epochs=1, batch_size=BATCH, device="cpu", progress=False)
    return time.perf_counter() - started


def in_a_bare_loop(model: Any, data: lab.ImageData) -> float:
    """Seconds of one epoch of what one would write by hand, on tensors in memory."""
    images = data.train.images

    def batches() -> Iterator[Tensor]:
        order = torch.randperm(len(images))
        for start in range(0, len(images) - BATCH + 1, BATCH):
            yield images[order[start : start + BATCH]]

    return by_hand(model, images, batches())


def from_a_loader(workers: int) -> Callable[[Any, lab.ImageData], float]:
    """Seconds of one epoch of the usual notebook, shuffled."""

    def run(model: Any, data: lab.ImageData) -> float:
        loader = DataLoader(
            Pictures(data.train.images, data.train.labels), BATCH, shuffle=True, drop_last=True, num_workers=workers
        )
        return by_hand(model, data.train.images, (x for x, _ in loader))

    return run


def by_hand(model: Any, images: Tensor, batches: Iterator[Tensor]) -> float:
    """zero_grad, backward, step, and the loss written down: for a GAN once for each network."""
    started = time.perf_counter()
    model.start_from(images)
    model.train()
    betas = getattr(model, "betas", (0.9, 0.999))
    steps = [(torch.optim.Adam(p, 1e-3, betas, fused=True), p, loss) for p, loss in model.steps()]
    losses = []
    for x in batches:
        for optimiser, parameters, loss_function in steps:
            loss = loss_function(x, x).total
            if len(steps) == 1:
                optimiser.zero_grad()
                loss.backward()
            else:  # only these parameters, or one network's step would move the other
                for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                    parameter.grad = gradient
            optimiser.step()
            losses.append(loss.item())
    assert losses
    return time.perf_counter() - started


def measure(rounds: int, data: lab.ImageData) -> dict[str, dict[str, float]]:
    """{model: {way: images a second, the median over rounds}}; the ways take turns within a round."""
    ways: dict[str, Callable[[Any, lab.ImageData], float]] = {
        "fit": with_fit,
        "bare": in_a_bare_loop,
        "0 workers": from_a_loader(0),
        "2 workers": from_a_loader(2),
    }
    shown = len(data.train) // BATCH * BATCH
    rates: dict[str, dict[str, float]] = {}
    for name, make in MODELS.items():
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(rounds + 1):
            for way, run in ways.items():
                took = run(make(), data)
                if turn:  # the first round warms up
                    seconds[way].append(took)
        rates[name] = {way: shown / statistics.median(took) for way, took in seconds.items()}
        print(name, *(f"{way} {rate:,.0f}/s" for way, rate in rates[name].items()), sep="  ", flush=True)
    return rates


def main() -> int:
    """Exit status 1 where a ratio is below what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    try:
        data = lab.load("fashion-mnist", n=chosen.images)
    except ConnectionError:
        data = lab.load("mnist-5k")
    data = replace(data, val=data.val[:10])
    print(f"{data}, batches of {BATCH}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    rates = measure(chosen.rounds, data)
    ratios = {f"{name}, bare": r["fit"] / r["bare"] for name, r in rates.items()}
    ratios |= {f"{name}, DataLoader": r["fit"] / max(r["0 workers"], r["2 workers"]) for name, r in rates.items()}
    limits = {f"{name}, bare": 0.97 for name in MODELS} | {"conv, DataLoader": 1.4, "dense, DataLoader": 1.8}
    for name, ratio in ratios.items():
        asked = f"asked for: {limits[name]}" if name in limits else ""
        print(f"fit / {name:<22} {ratio:6.2f}   {asked}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"images a second": rates, "ratios": ratios}, indent=1), encoding="utf-8")
    return int(any(ratios[name] < limit for name, limit in limits.items()))


if __name__ == "__main__":
    sys.exit(main())
