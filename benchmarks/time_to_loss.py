"""Seconds to the test loss that two published recipes end at, beside those recipes on the same machine.

    python -m benchmarks time_to_loss [--short]

The convolutional autoencoder of the linked lecture notebook has 0.2506 nats a pixel after its 50 epochs on 60,000
Fashion-MNIST images; its steps are timed and 50 epochs extrapolated. The dense VAE of PyTorch's examples has 244.4 nats
an image after 10 epochs: the whole recipe is run, or, in the short form, a part of it extrapolated. Ours train on
55,000 of these images, for a fixed number of steps; the loss they end at is a row of its own.
"""

import statistics
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab.training.device import pick_device
from benchmarks.rivals import BATCH, ExampleVAE, LinkedAutoencoder, from_memory, timed, train_by_hand
from benchmarks.table import Row

LINKED_LOSS, LINKED_STEPS = 0.2506, 50 * 60_000 / BATCH
EXAMPLE_LOSS, EXAMPLE_STEPS = 244.4, 10 * 60_000 / BATCH


class StridedAutoencoder(lab.Autoencoder):
    """Two strided convolutions to channels × 7 × 7 numbers, and two transposed ones back; nothing dense."""

    learning_rate = 1e-2
    batch_size = 64

    def __init__(self, channels: int, width: int = 16) -> None:
        super().__init__(49 * channels, loss="cross_entropy")

        def norm_and_bend() -> list[nn.Module]:
            return [nn.GroupNorm(width // 4, width), nn.SiLU()]

        self.encoder = nn.Sequential(
            *(nn.Conv2d(1, width, 4, stride=2, padding=1), *norm_and_bend()),
            *(nn.Conv2d(width, channels, 4, stride=2, padding=1), nn.Flatten()),
        )
        self.decoder = nn.Sequential(
            *(nn.Unflatten(1, (channels, 7, 7)), nn.ConvTranspose2d(channels, width, 4, stride=2, padding=1)),
            *(*norm_and_bend(), nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1)),
        )


class Centre(nn.Module):
    """x − x̄: without it all weights of the first layer see the same positive mean, and learn that first."""

    mean: Tensor

    def __init__(self, mean: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, pixels)."""
        return x.flatten(1) - self.mean


def dense_vae(images: Tensor) -> lab.VAE:
    """784-400-200-20 and back, grey values as targets, as in the example; starts at the mean image."""
    mean = images.mean(dim=0).flatten()
    vae = lab.VAE(20, binarise=False, warm_up=0)
    vae.encoder = nn.Sequential(
        Centre(mean), nn.Linear(784, 400), nn.SiLU(), nn.Linear(400, 200), nn.SiLU(), nn.Linear(200, 40)
    )
    last = nn.Linear(400, 784)
    last.bias.data = mean.clamp(0.005, 0.995).logit()
    vae.decoder = nn.Sequential(
        *(nn.Linear(20, 200), nn.SiLU(), nn.Linear(200, 400), nn.SiLU(), last, nn.Unflatten(1, (1, 28, 28)))
    )
    return vae


def measure(short: bool = False) -> list[Row]:
    """Both races."""
    data = lab.load("fashion-mnist")
    data = replace(data, val=data.val[:100])
    return _convolutional(data, short) + _variational(data, short)


@torch.no_grad()
def cross_entropy_a_pixel(model: Any, images: Tensor) -> float:
    """Nats a pixel over all images."""
    total = sum(
        F.binary_cross_entropy_with_logits(model.logits(x), x, reduction="sum").item() for x in images.split(1000)
    )
    return total / images.numel()


def _convolutional(data: Any, short: bool) -> list[Row]:
    (steps, rounds), images = (8, 3) if short else (40, 5), data.train.images.to(pick_device())
    formats = {"float32": torch.contiguous_format, "channels_last": torch.channels_last}
    a_step: dict[str, list[float]] = {name: [] for name in formats}
    for turn in range(rounds + 1):
        for name, form in formats.items():
            model = LinkedAutoencoder().to(memory_format=form)
            seconds = train_by_hand(model, from_memory(images, steps, BATCH)) / steps
            if turn:
                a_step[name].append(seconds)
    whole = {name: statistics.median(values) * LINKED_STEPS for name, values in a_step.items()}
    best = min(whole, key=lambda name: whole[name])
    rows = []
    for channels, step_count in ((8, 1900), (32, 700)):
        model = StridedAutoencoder(channels)
        ours = timed(lambda model=model, n=step_count: lab.fit(model, data, steps=n, progress=False))
        loss = cross_entropy_a_pixel(model, data.test.images)
        reached = loss <= LINKED_LOSS
        text = f"{ours:.0f} s; 50 epochs of the linked notebook, {best}: {whole[best]:,.0f} s, extrapolated"
        name = f"linked notebook's loss, code of {model.latent:,}"
        rows.append(Row(f"{name}: test loss", loss, "nats", LINKED_LOSS, False, f"{step_count} steps"))
        rows.append(Row(f"{name}: times faster", whole[best] / ours if reached else 0.0, "×", 25, True, text))
    return rows


def _variational(data: Any, short: bool) -> list[Row]:
    torch.manual_seed(0)
    steps = 200 if short else int(EXAMPLE_STEPS)
    example = ExampleVAE().to(pick_device())
    optimiser = torch.optim.Adam(example.parameters(), 1e-3)
    images, losses = data.train.images.to(pick_device()), []

    def recipe() -> None:
        for x in from_memory(images, steps, BATCH):
            loss = example.loss(x)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())  # as the example adds them up

    theirs = timed(recipe) * EXAMPLE_STEPS / steps
    vae = dense_vae(data.train.images)
    ours = timed(
        lambda: lab.fit(vae, data, steps=950, learning_rate=8e-3, batch_size=BATCH, initialise=False, progress=False)
    )
    with torch.no_grad():
        loss = statistics.mean(vae.loss(x).total.item() for x in data.test.images.split(1000))
    told = "extrapolated" if short else f"ending at {_negative_elbo(example, data.test.images):.1f} nats"
    text = f"{ours:.1f} s; 10 epochs of the example: {theirs:.0f} s, {told}"
    name = "loss of PyTorch's VAE example"
    return [
        Row(f"{name}: test −ELBO", loss, "nats", EXAMPLE_LOSS, False, "950 steps"),
        Row(f"{name}: times faster", theirs / ours if loss <= EXAMPLE_LOSS else 0.0, "×", 4, True, text),
    ]


@torch.no_grad()
def _negative_elbo(example: ExampleVAE, images: Tensor) -> float:
    return sum(example.loss(x).item() for x in images.to(pick_device()).split(1000)) / len(images)
