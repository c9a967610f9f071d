"""A small network that learns to tell two sets of images apart: the ruler that sees what nearest neighbours do not."""

import torch
from torch import Generator, Tensor, nn

from autoencoder_lab import arguments, losses
from autoencoder_lab.metrics.estimate import Estimate, mean_of, shapes_of

WIDTH, BATCH_SIZE, LEARNING_RATE = 16, 64, 2e-3


def critic_accuracy(a: Tensor, b: Tensor, steps: int = 300, seed: int = 0) -> Estimate:
    """How often a small network, trained on half of both sets, tells which set an image of the other half is of.

    a, b: (N, C, H, W), as many of each, four or more. 0.5 where it learns nothing that holds for new images, 1 where it
    is always right. Both halves are asked, each by the network that learned from the other. a[i] and b[i], as an image
    and its reconstruction, stand on one side, so no content gives them away.
    Nearest neighbours (`two_sample_accuracy`) look at all pixels alike and miss a blur that this network sees at once.
    Show it beside its floor, that of two sets of real images of this size, which chance keeps off 0.5: few images and
    a network that learns them by heart. The error is over images; the network's own spread is not in it.
    Lopez-Paz and Oquab (2017), "Revisiting classifier two-sample tests".
    """
    a, b = arguments.images(a, "a").float(), arguments.images(b, "b").float()
    steps, seed = arguments.whole("steps", steps, 1), arguments.whole("seed", seed)
    if a.shape != b.shape or len(a) < 4:
        raise ValueError(
            f"needs four or more images of each kind, as many of both: got {shapes_of(a, b)}; cut with [:n]"
        )
    first, second = torch.randperm(len(a), generator=Generator().manual_seed(seed)).tensor_split(2)
    right = torch.empty(len(a))
    for learned, asked in ((first, second), (second, first)):
        critic = _trained(a[learned], b[learned], steps, seed)
        with torch.no_grad():
            right[asked] = ((critic(a[asked]) < 0).float() + (critic(b[asked]) >= 0).float()) / 2
    return mean_of(right)


class _Critic(nn.Module):
    """(N, C, H, W) → a logit each, (N,), of whether an image is of b; pixels are scaled as those it is trained on."""

    def __init__(self, examples: Tensor) -> None:
        super().__init__()
        self.mean, self.scale = examples.mean(dim=0), examples.std().clamp(min=1e-6)
        channels, height, width = examples.shape[1:]
        places = -(-height // 4) * -(-width // 4)
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, WIDTH, 3, stride=2, padding=1), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(WIDTH, 2 * WIDTH, 3, stride=2, padding=1), nn.LeakyReLU(0.2)),
            *(nn.Flatten(), nn.Linear(2 * WIDTH * places, 1), nn.Flatten(0)),
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers((x - self.mean) / self.scale)
        return logits


def _trained(a: Tensor, b: Tensor, steps: int, seed: int) -> _Critic:
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        critic = _Critic(torch.cat([a, b]))
        optimiser = torch.optim.Adam(critic.parameters(), LEARNING_RATE)
        for _ in range(steps):
            batch = torch.randint(len(a), (min(BATCH_SIZE, len(a)),))
            optimiser.zero_grad()
            losses.critic_cross_entropy(critic(b[batch]), critic(a[batch])).backward()
            optimiser.step()
    return critic
