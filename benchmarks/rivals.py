"""What a user would write instead of `lab.fit`: a bare loop, the usual DataLoader, and two published recipes."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from torchvision.datasets import FashionMNIST
from torchvision.datasets.utils import extract_archive
from torchvision.transforms import ToTensor

import autoencoder_lab as lab
from autoencoder_lab.data.datasets import SETS
from autoencoder_lab.data.downloads import IDX, cache_folder
from autoencoder_lab.training.device import pick_device

BATCH = 128


class LinkedAutoencoder(lab.Autoencoder):
    """The convolutional autoencoder of the linked lecture notebook: full-resolution 3×3 convolutions, 1,568 numbers.

    Conv 32 – pool – Conv 32 – pool – ConvT 32 – ConvT 32 – Conv 1, ReLU between, binary cross-entropy.
    """

    learning_rate = 1e-3
    suggested_steps = 50 * 468

    def __init__(self) -> None:
        super().__init__(1568, loss="cross_entropy")

        def enlarge() -> nn.Module:
            return nn.ConvTranspose2d(32, 32, 3, stride=2, padding=1, output_padding=1)

        self.encoder = nn.Sequential(
            *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        )
        self.decoder = nn.Sequential(
            *(nn.Unflatten(1, (32, 7, 7)), enlarge(), nn.ReLU(), enlarge(), nn.ReLU()),
            nn.Conv2d(32, 1, 3, padding=1),
        )


class ExampleVAE(nn.Module):
    """The VAE of PyTorch's examples: dense 784-400-20, grey values scored by cross-entropy, Adam 1e-3, batch 128."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.fc3, self.fc4 = nn.Linear(20, 400), nn.Linear(400, 784)

    def loss(self, x: Tensor) -> Tensor:
        """−ELBO in nats, summed over the batch, for x: (B, 1, 28, 28)."""
        hidden = torch.relu(self.fc1(x.flatten(1)))
        mu, log_var = self.fc21(hidden), self.fc22(hidden)
        z = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        restored = torch.sigmoid(self.fc4(torch.relu(self.fc3(z))))
        kl = -0.5 * (1 + log_var - mu.pow(2) - log_var.exp()).sum()
        return F.binary_cross_entropy(restored, x.flatten(1), reduction="sum") + kl


def from_memory(images: Tensor, steps: int, batch_size: int) -> Iterator[Tensor]:
    """Shuffled batches of a tensor that is in memory, that of the device already."""
    while True:
        for batch in torch.randperm(len(images)).to(images.device).split(batch_size):
            if len(batch) < batch_size and len(images) >= batch_size:
                break
            yield images[batch]
            steps -= 1
            if not steps:
                return


def torchvision_set(folder: Path, train: bool = True) -> FashionMNIST:
    """torchvision's own reader on the files that `lab.load` reads, unpacked into `folder` as it wants them."""
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for packed in fashion_files():
        if not (raw / packed.stem).exists():
            extract_archive(str(packed), str(raw))
    return FashionMNIST(str(folder), train=train, transform=ToTensor())


def fashion_files() -> list[Path]:
    """Where the four packed files of Fashion-MNIST lie on this machine."""
    entry = SETS["fashion-mnist"]
    places = (cache_folder() / entry.folder, *map(Path, entry.packaged))
    return [next(place / name for place in places if (place / name).is_file()) for name in IDX]


def from_loader(images: FashionMNIST, steps: int, batch_size: int, workers: int) -> Iterator[Tensor]:
    """Shuffled batches of a DataLoader."""
    part = Subset(images, range(min(len(images), (steps + 1) * batch_size)))
    loader = DataLoader(part, batch_size, shuffle=True, num_workers=workers, drop_last=True)
    for step, (x, _) in enumerate(loader):
        if step > steps:
            return
        yield x


def train_by_hand(model: Any, batches: Iterable[Tensor], fused: bool = True) -> float:
    """The bare loop: zero_grad, backward, step, and the loss written down; for a GAN once for each network.

    Returns the seconds from the first batch to the last step, and leaves the model where it was, as `fit` does.
    fused: Adam in one kernel, as `fit` has it; PyTorch's default on a CPU is a loop over the parameters.
    """
    device, home = pick_device(), next(model.parameters()).device
    model.to(device).train()
    betas = getattr(model, "betas", (0.9, 0.999))
    parts = [(torch.optim.Adam(p, model.learning_rate, betas, fused=fused), p, loss) for p, loss in model.steps()]
    losses, seconds, started = [], 0.0, time.perf_counter()
    for step, given in enumerate(batches, 1):
        batch = given.to(device)
        for optimiser, parameters, loss_function in parts:
            loss = loss_function(batch, batch).total
            optimiser.zero_grad()
            loss.backward(inputs=list(parameters))  # only these, or a GAN's one step would leak into the other
            optimiser.step()
            losses.append(loss.item())
        model.trained_steps += 1
        model.after_step(step, 10**9)
        seconds = time.perf_counter() - started  # not what a loader's workers take to end
    assert losses
    model.to(home)
    return seconds


def timed(run: Callable[[], object]) -> float:
    """Seconds."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
