"""The fixed digit classifier that measures of generated images look through, and how its weights were made.

    python -m autoencoder_lab.metrics.classifier           trains it again and compares with the weights in the package
    python -m autoencoder_lab.metrics.classifier --write   … and puts the new ones in their place

Trained on the 3,500 training images of mnist-5k alone, about 20 s on one thread. On one machine with one version of
torch, training again gives the same weights bit for bit. Elsewhere sums are rounded in another order and the weights
drift apart, but not further than another seed takes them, which predicts the same for 99 test images in 100. Every
stored figure rests on the weights in the package, so they are not remade.
"""

import argparse
import functools
import hashlib
import json
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autoencoder_lab import weights
from autoencoder_lab.data.augmentations import affine
from autoencoder_lab.data.split import check_images
from autoencoder_lab.files import whole

FILE = weights.FOLDER / "digit_classifier.npz"
SEED, STEPS, BATCH_SIZE, LEARNING_RATE = 0, 1500, 64, 3e-3


class DigitClassifier(nn.Module):
    """Three strided convolutions, 64 features and ten classes, for images (B, 1, 28, 28) in [0, 1].

    Every method raises ValueError for images of another shape or type, outside [0, 1], or with NaN.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 16, 4, 2, 1), nn.GroupNorm(4, 16), nn.SiLU()),  # 28 → 14
            *(nn.Conv2d(16, 32, 4, 2, 1), nn.GroupNorm(4, 32), nn.SiLU()),  # 14 → 7
            *(nn.Conv2d(32, 64, 3, 2, 1), nn.GroupNorm(4, 64), nn.SiLU()),  # 7 → 4
            *(nn.Flatten(), nn.Linear(64 * 4 * 4, 64), nn.SiLU()),
        )
        self.head = nn.Linear(64, 10)

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees: (B, 64)."""
        check_images(x, (0.0, 1.0))
        if x.shape[1:] != (1, 28, 28):
            raise ValueError(f"the digit classifier sees images (B, 1, 28, 28), got {tuple(x.shape)}")
        features: Tensor = self.body(x)
        return features

    def forward(self, x: Tensor) -> Tensor:
        """The logits of the ten classes: (B, 10)."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def probabilities(self, x: Tensor) -> Tensor:
        """p(class | image): (B, 10), each row sums to 1."""
        return torch.softmax(self(x), dim=1)

    def predict(self, x: Tensor) -> Tensor:
        """The likeliest class, 0 … 9: (B,), int64."""
        logits: Tensor = self(x)
        return logits.argmax(dim=1)


@functools.cache
def load() -> DigitClassifier:
    """The classifier with the weights in the package; read once, then shared and frozen."""
    with np.load(FILE, allow_pickle=False) as stored:
        weights = {name: torch.from_numpy(stored[name]) for name in stored.files if name != "provenance"}
    model = DigitClassifier()
    model.load_state_dict(weights)
    return model.requires_grad_(False)


def provenance() -> dict[str, Any]:
    """How the weights in the package were made: seed, steps, data set, checksum of its images, versions, accuracy."""
    with np.load(FILE, allow_pickle=False) as stored:
        made: dict[str, Any] = json.loads(str(stored["provenance"]))
    return made


def checksum(images: Tensor) -> str:
    """SHA-256 of images as float32."""
    return hashlib.sha256(images.numpy().tobytes()).hexdigest()


def train(split: Any, steps: int = STEPS, seed: int = SEED) -> DigitClassifier:
    """A classifier trained on one split (`data.train`): cross-entropy, Adam, cosine to 0, images slightly turned."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = DigitClassifier()
    generator, augment = torch.Generator().manual_seed(seed), affine()
    optimiser = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        rows = torch.randint(len(split.images), (BATCH_SIZE,), generator=generator)
        loss = F.cross_entropy(model(augment(split.images[rows], generator)), split.labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.requires_grad_(False)


def main() -> None:
    """Train, say how the result compares with the stored weights, and with --write take their place."""
    from autoencoder_lab.data import datasets

    parser = argparse.ArgumentParser(
        prog="python -m autoencoder_lab.metrics.classifier", description="The digit classifier."
    )
    parser.add_argument("--write", action="store_true", help=f"replace {FILE.name}; every stored figure rests on it")
    write = parser.parse_args().write
    torch.set_num_threads(1)  # several threads add up in another order
    data = datasets.load("mnist-5k")
    model = train(data.train)
    predicted = model.predict(data.test.images)
    accuracy = (predicted == data.test.labels).double().mean().item()
    print(f"{STEPS:,} steps, seed {SEED}: {accuracy:.3f} of the test images right")
    if FILE.exists():
        equal = all(torch.equal(new, load().state_dict()[name]) for name, new in model.state_dict().items())
        agreement = (predicted == load().predict(data.test.images)).double().mean().item()
        print(f"stored weights: {'the same' if equal else 'other'}; predictions agree on {agreement:.3f} of them")
    if write:
        made = {"seed": SEED, "steps": STEPS, "data": data.name, "images": checksum(data.train.images)}
        made |= {"torch": torch.__version__, "numpy": np.__version__, "test_accuracy": round(accuracy, 4)}
        FILE.parent.mkdir(exist_ok=True)
        weights = {name: value.numpy() for name, value in model.state_dict().items()}
        with whole(FILE) as part, part.open("wb") as file:  # an open one: to a name that ends otherwise it adds .npz
            np.savez(file, provenance=np.array(json.dumps(made)), **weights)
        print(f"written: {FILE} ({FILE.stat().st_size / 1000:.0f} kB)")
    elif not FILE.exists():
        print("nothing written: --write does that")


if __name__ == "__main__":
    main()
