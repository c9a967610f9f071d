"""The game of counterfeiter and expert in two dimensions, played by many seeds side by side in one batch.

Points stand for images: real ones lie in a ring of small heaps, and one sees at a glance which of them the generator
draws. Small enough for twenty seeds at a time, so that luck does not pass for a finding.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from autoencoder_lab import arguments, losses
from autoencoder_lab.data.plane import ENOUGH, NEAR, Modes, modes_covered, ring_centres, ring_points
from autoencoder_lab.models.adversarial import GAMES, Game
from autoencoder_lab.models.layers import check_choice, check_counts


class Networks(nn.Module):
    """S networks of one shape, each with weights of its own: (S, B, inputs) → (S, B, outputs)."""

    def __init__(self, sizes: Sequence[int], generators: Sequence[Generator]) -> None:
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in pairwise(sizes):
            # uniform in ±1/√inputs, as in nn.Linear
            drawn = torch.stack([torch.rand(inputs + 1, outputs, generator=one) for one in generators])
            drawn = (2 * drawn - 1) / math.sqrt(inputs)
            self.weights.append(nn.Parameter(drawn[:, :-1].clone()))
            self.biases.append(nn.Parameter(drawn[:, -1:].clone()))

    def forward(self, x: Tensor) -> Tensor:
        """One matrix product a layer for all S networks together."""
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, F.leaky_relu(x, 0.2) if i else x, weight)
        return x


def _seeds(given: Any) -> list[int]:
    """Whole numbers, one a game, also one alone. TypeError for what is no list, ValueError for what stands in it."""
    one = isinstance(given, int) or getattr(given, "ndim", 1) == 0
    if isinstance(given, str) or not (one or isinstance(given, Iterable)):
        raise TypeError(f"seeds is a list of whole numbers, one a game, got {arguments.shown(given)}")
    return [arguments.whole("a seed", seed, 0) for seed in ([given] if one else given)]


class PlanarGAN:
    """S games of a generator G: noise (2) → point (2) against a critic D: point → score, one for each seed.

    The defaults find all eight modes in 1,000 rounds. learning_rate and momentum are Adam's (momentum: β₁, how much of
    the last step goes into the next); generator_steps: how often G moves for each move of D; game and penalty (γ): as
    in lab.GAN. Raises ValueError for an unknown game.
    """

    def __init__(
        self,
        seeds: Sequence[int] = (0,),
        game: Game = "non_saturating",
        penalty: float = 0.0,
        momentum: float = 0.5,
        generator_steps: int = 1,
        learning_rate: float = 4e-3,
        batch_size: int = 64,
        hidden: int = 32,
    ) -> None:
        check_choice("game", game, GAMES)
        check_counts(generator_steps=generator_steps, batch_size=batch_size, hidden=hidden)
        for name, value in {"penalty": penalty, "momentum": momentum, "learning_rate": learning_rate}.items():
            arguments.number(name, value, "must be a number ≥ 0", lambda value: 0 <= value < math.inf)
        self.game, self.penalty, self.generator_steps, self.batch_size = game, penalty, generator_steps, batch_size
        self.random = [Generator().manual_seed(seed) for seed in _seeds(seeds)]  # one a seed: no game sees the others
        self.generator = Networks((2, hidden, hidden, 2), self.random)
        self.critic = Networks((2, hidden, hidden, 1), self.random)
        self.optimisers = {
            network: torch.optim.Adam(network.parameters(), learning_rate, betas=(momentum, 0.99), fused=True)
            for network in (self.critic, self.generator)
        }
        self.rounds = 0

    def noise(self, n: int) -> Tensor:
        """Step 1 of slide 004: random vectors, (S, n, 2)."""
        n = arguments.whole("n", n, 1)
        return torch.stack([torch.randn(n, 2, generator=one) for one in self.random])

    def generate(self, noise: Tensor) -> Tensor:
        """Step 2: points (S, n, 2) from noise."""
        points: Tensor = self.generator(noise)
        return points

    def real(self, n: int) -> Tensor:
        """Real points, (S, n, 2)."""
        n = arguments.whole("n", n, 1)
        return torch.stack([ring_points(n, generator=one) for one in self.random])

    def score(self, points: Tensor) -> Tensor:
        """The critic's logits (S, n) for points (S, n, 2): above 0 where it holds them for real."""
        scores: Tensor = self.critic(points)[..., 0]
        return scores

    def train_critic(self, mixed: Tensor) -> None:
        """Step 4, after step 3 has mixed them: (S, 2n, 2), the first half real, the others made by the generator."""
        rows = mixed.detach().flatten(0, 1).requires_grad_(self.penalty > 0)  # what was made is only data here
        scores = self.score(rows.view(mixed.shape))
        real, fake = scores.chunk(2, dim=1)
        loss = GAMES[self.game][0](real, fake)
        if self.penalty > 0:
            # γ/2 (R1 + R2): the mean over both kinds is half the sum of the two
            loss = loss + self.penalty * losses.squared_gradient(scores, rows)
        self._descend(self.critic, loss)

    def train_generator(self, noise: Tensor, real: Tensor) -> None:
        """Step 5: the critic is asked and stays as it is; its opinion of new points moves the generator."""
        self.critic.requires_grad_(False)
        self._descend(self.generator, GAMES[self.game][1](self.score(real), self.score(self.generate(noise))))
        self.critic.requires_grad_(True)

    def step(self, look: Callable[[str], None] | None = None) -> None:
        """One round: the five steps of slide 004. `look` is called after either network has moved, with its name."""
        if look is not None:
            arguments.function("look", look, "print")
        n, real = self.batch_size, self.real(self.batch_size)
        made = self.generate(self.noise(n))
        self.rounds += 1
        self.train_critic(torch.cat([real, made], dim=1))
        if look:
            look("critic")
        for _ in range(self.generator_steps):
            self.train_generator(self.noise(n), real)
        if look:
            look("generator")

    def play(self, rounds: int) -> "PlanarGAN":
        """That many rounds more; returns itself."""
        for _ in range(arguments.whole("rounds", rounds, 0)):
            self.step()
        return self

    @torch.no_grad()
    def sample(self, n: int = 1000, seed: int = 0) -> Tensor:
        """Points (S, n, 2), every game's from the same noise."""
        n, seed = arguments.whole("n", n, 1), arguments.whole("seed", seed, 0)
        return self.generate(torch.randn(n, 2, generator=Generator().manual_seed(seed)).expand(len(self.random), n, 2))

    def covered(self) -> Modes:
        """How many of the eight modes each game's 1,000 points cover, and the share of them near any: (S,) each."""
        return modes_covered(self.sample(), ring_centres(), NEAR, ENOUGH)

    def _descend(self, network: Networks, loss: Tensor) -> None:
        """One step of Adam. The games share no weight, so the sum of their losses moves each by its own alone."""
        optimiser = self.optimisers[network]
        optimiser.zero_grad()
        (len(self.random) * loss).backward()
        optimiser.step()
