"""The generative adversarial network: a generator that learns from a critic alone."""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn

from autoencoder_lab import arguments, losses
from autoencoder_lab.models.base import OUTPUTS, LatentModel, Loss, Output, Step
from autoencoder_lab.models.convolutional import begin_at_mean_brightness, pixel_layer
from autoencoder_lab.models.layers import Crop, check_choice, check_counts, pad_to_multiple_of_4

Game = Literal["relativistic", "non_saturating", "saturating", "hinge"]
# (what the critic minimises, what the generator minimises), of scores (real, fake)
GAMES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "relativistic": (losses.relativistic, lambda real, fake: losses.relativistic(fake, real)),
    "non_saturating": (losses.critic_cross_entropy, losses.generator_non_saturating),
    "saturating": (losses.critic_cross_entropy, losses.generator_saturating),
    "hinge": (losses.critic_hinge, losses.generator_hinge),
}
PENALTY_EVERY = 4  # steps; the penalty is that many times as heavy when it comes


class AveragedGenerator(LatentModel):
    """A generator whose images are drawn by the running average of its weights, `decoder`; perhaps one class at will.

    A subclass makes both networks, and sets the decay `average` and how many `classes` there are, 0 for none.
    """

    samples = has_prior = True

    generator: nn.Module
    decoder: nn.Module
    average: float
    classes: int

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Images (B, C, H, W) from codes z: (B, latent), by the averaged generator; condition: classes (B,)."""
        return OUTPUTS[self.output](self.decoder(self.check_codes(z), self.one_hot(condition, len(z))))

    def check_images(self, x: Tensor) -> Tensor:
        """x itself if the generator could draw such images; ValueError otherwise."""
        return _within(super().check_images(x), self.output, self.label)

    def fake(self, n: int, condition: Tensor | None = None) -> Tensor:
        """n images drawn by the generator that is being trained, from fresh noise."""
        noise = torch.randn(n, self.latent, device=self.trained_steps.device)
        return OUTPUTS[self.output](self.generator(noise, self.one_hot(condition, n)))

    @torch.no_grad()
    def sample(self, n: int, generator: Generator | None = None, condition: Tensor | None = None) -> Tensor:
        """n new images (n, C, H, W) from codes drawn from N(0, I); condition: classes (n,), for a conditional GAN."""
        n, generator = arguments.whole("n", n, 0), arguments.generator(generator)
        z = torch.randn(n, self.latent, generator=generator, device=self.trained_steps.device)
        return self.decode(z, condition)

    def one_hot(self, condition: Tensor | None, n: int) -> Tensor | None:
        """(n, classes) for classes (n,); None for a GAN without classes. Raises ValueError where they do not fit."""
        if not self.conditional:
            return None
        return nn.functional.one_hot(_named_classes(condition, n, self.classes, self.label), self.classes).float()

    def learned_numbers(self) -> int:
        """Of both networks; the average is a copy and learns nothing of its own."""
        return super().learned_numbers() - sum(parameter.numel() for parameter in self.decoder.parameters())

    @torch.no_grad()
    def after_step(self, step: int, total: int) -> None:
        """Move the average a little towards the generator; quickly at first, when there is little to remember."""
        decay = min(self.average, step / (step + 9))
        for averaged, now in zip(self.decoder.parameters(), self.generator.parameters(), strict=True):
            averaged.lerp_(now, 1 - decay)
        for seen, seen_now in zip(self.decoder.buffers(), self.generator.buffers(), strict=True):
            seen.copy_(seen_now)  # what batch normalisation remembers


class GAN(AveragedGenerator):
    """A generator G: noise → image against a critic D: image → score (Goodfellow et al., 2014; slide 004).

    Each step of `fit` trains the critic on a batch of real images and as many fakes, then the generator against the
    critic as it then is; neither step moves the other network. There is no encoder: which noise would draw a given
    image is not known.

    game: what the two minimise, see losses. "relativistic" compares each fake with a real image (Huang et al., 2024,
      R3GAN); "non_saturating", "saturating" and "hinge" score each alone.
    penalty: γ, the weight of ½‖∇D‖² on real images (R1) and on fakes (R2); 0 leaves it out.
    average: images come from the running average of the generator's weights with this decay; 0: from the last ones.
    classes: 0, or how many classes there are to choose from: then `fit` passes them, and `sample` wants them.
    batch_norm: batch normalisation in both networks, as in DCGAN (Radford et al., 2016); otherwise none.
    """

    betas = (0.0, 0.99)  # no momentum: the game's gradient turns round
    learning_rate = 5e-3  # at 8e-3 a run was lost after 3,000 steps
    batch_size = 32
    suggested_steps = 3000

    def __init__(
        self,
        latent: int = 64,
        image_shape: Sequence[int] = (1, 28, 28),
        game: Game = "relativistic",
        penalty: float = 0.1,
        average: float = 0.99,
        classes: int = 0,
        batch_norm: bool = False,
        width: int = 16,
        hidden: int = 128,
        output: Output = "sigmoid",
    ) -> None:
        super().__init__(latent, image_shape, output)
        check_choice("game", game, GAMES)
        _check_settings(penalty, average, classes)
        classes = arguments.whole("classes", classes)
        check_counts(width=width, hidden=hidden)
        self.game, self.penalty, self.average, self.classes = game, penalty, average, classes
        self.conditional = classes > 0
        self.decodes = not self.conditional  # a code alone draws nothing where a class has to be named
        self._steps = 0  # those of `trained_steps`, known without asking the device: every fourth one is penalised
        self.generator = GeneratorNetwork(latent + classes, self.image_shape, width, hidden, batch_norm)
        self.critic = CriticNetwork(self.image_shape, width, hidden, classes, batch_norm)
        # no parameters but a copy of the generator's, averaged over the steps
        self.decoder = copy.deepcopy(self.generator).requires_grad_(False)

    def critic_loss(self, x: Tensor, target: Tensor | None = None, condition: Tensor | None = None) -> Loss:
        """What the critic minimises on real images x and as many fakes; its gradient stops at the fakes."""
        real, classes = self.check_images(x), self.one_hot(condition, len(x))
        with torch.no_grad():  # the generator only serves here
            fake = self.fake(len(x), condition)
        # the penalty is about D's slope in x; there is none to take while evaluating
        penalised = self.penalty > 0 and torch.is_grad_enabled() and self._steps % PENALTY_EVERY == 0
        real, fake = (images.detach().requires_grad_(penalised) for images in (real, fake))
        scores, fake_scores = self.critic(real, classes), self.critic(fake, classes)
        game = GAMES[self.game][0](scores, fake_scores)
        total = game
        if penalised:
            # γ/2 (R1 + R2)
            slope = losses.squared_gradient(scores, real) + losses.squared_gradient(fake_scores, fake)
            total = game + PENALTY_EVERY * self.penalty / 2 * slope
        told_apart = 0.5 * ((scores > fake_scores).float().mean() + (scores > fake_scores.flip(0)).float().mean())
        return Loss(total, {"critic": game, "told_apart": told_apart})

    def generator_loss(self, x: Tensor, target: Tensor | None = None, condition: Tensor | None = None) -> Loss:
        """What the generator minimises: its fakes should score like real images, in the critic's eyes."""
        classes = self.one_hot(condition, len(x))
        with torch.no_grad():
            scores = self.critic(self.check_images(x), classes)
        game = GAMES[self.game][1](scores, self.critic(self.fake(len(x), condition), classes))
        return Loss(game, {"generator": game})

    def loss(self, x: Tensor, target: Tensor | None = None, condition: Tensor | None = None) -> Loss:
        """Both sides' losses on images x, to be watched; their sum is the total and says little."""
        critic, generator = self.critic_loss(x, target, condition), self.generator_loss(x, target, condition)
        return Loss(critic.total + generator.total, critic.parts | generator.parts)

    def steps(self) -> list[Step]:
        """First the critic's step, then the generator's; `fit` moves each network by its own loss alone."""
        return [
            (list(self.critic.parameters()), self.critic_loss),
            (list(self.generator.parameters()), self.generator_loss),
        ]

    def start_from(self, images: Tensor) -> None:
        """Draw first weights that pass a signal on (He et al., 2015), and have G start at the images' mean brightness.

        torch's own are smaller by √6 and the critic starts flat: after 1,000 steps the FCD was 47 instead of 29.
        """
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
        begin_at_mean_brightness(pixel_layer(self.decoder), self.output, images)
        self.generator.load_state_dict(self.decoder.state_dict())

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._steps = int(self.trained_steps)

    def after_step(self, step: int, total: int) -> None:
        """Move the average, and count the step."""
        super().after_step(step, total)
        self._steps += 1


def _check_settings(penalty: float, average: float, classes: int) -> None:
    arguments.number("penalty", penalty, "must be a number ≥ 0", lambda value: 0 <= value < math.inf)
    arguments.number("average", average, "is a decay in [0, 1)", lambda value: 0 <= value < 1)
    if arguments.whole("classes", classes, what="of classes") < 0 or classes == 1:
        raise ValueError(f"classes is how many classes there are, at least 2, or 0 for none; got {classes}")


def _within(x: Tensor, output: str, label: str) -> Tensor:
    """x itself if this output function could give such images; ValueError otherwise."""
    low, high = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}.get(output, (-math.inf, math.inf))
    if x.min() < low or x.max() > high:
        raise ValueError(
            f"{label} draws images in [{low:g}, {high:g}] and learns nothing from others, got "
            f"[{x.min():g}, {x.max():g}]; rescale them, or build it with another output"
        )
    return x


def _named_classes(given: Tensor | None, n: int, classes: int, label: str) -> Tensor:
    """The classes asked for, (n,); ValueError where they are none of the classes there are."""
    if (
        not isinstance(given, Tensor)
        or given.shape != (n,)
        or given.dtype != torch.long
        or not ((given >= 0) & (given < classes)).all()
    ):
        got = "none" if given is None else arguments.shown(given)
        if isinstance(given, Tensor):
            got = f"{given.dtype} {tuple(given.shape)}: {given.flatten().tolist()[:5]} …"
        raise ValueError(
            f"{label} draws one of {classes} classes and needs condition= of shape ({n},), whole numbers (int64) in "
            f"0 … {classes - 1}, got {got}; pass condition=torch.full(({n},), 3) for threes"
        )
    return given


class GeneratorNetwork(nn.Module):
    """(B, latent) and, if conditional, (B, classes) → (B, C, H, W) before the output function."""

    def __init__(
        self, latent: int, image_shape: tuple[int, int, int], width: int, hidden: int, batch_norm: bool
    ) -> None:
        super().__init__()
        channels, height, width_px = image_shape
        inner = (2 * width, -(-height // 4), -(-width_px // 4))
        self.layers = nn.Sequential(
            *(nn.Linear(latent, hidden), nn.LeakyReLU(0.2)),
            *(nn.Linear(hidden, math.prod(inner)), nn.LeakyReLU(0.2), nn.Unflatten(1, inner)),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
            *([nn.BatchNorm2d(width)] if batch_norm else []),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),
            Crop(height, width_px),
        )

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Noise, and the class beside it."""
        images: Tensor = self.layers(z if condition is None else torch.cat([z, condition], dim=1))
        return images


class CriticNetwork(nn.Module):
    """(B, C, H, W) and, if conditional, (B, classes) → (B,), a logit: high for images it holds for real.

    Without batch normalisation the score of an image does not depend on the others in its batch. A class enters as the
    product of its own vector with the features (Miyato and Koyama, 2018).
    """

    def __init__(
        self, image_shape: tuple[int, int, int], width: int, hidden: int, classes: int, batch_norm: bool
    ) -> None:
        super().__init__()
        channels, height, width_px = image_shape
        inner = (2 * width, -(-height // 4), -(-width_px // 4))
        self.features = nn.Sequential(
            pad_to_multiple_of_4(height, width_px),
            *(nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            *([nn.BatchNorm2d(2 * width)] if batch_norm else []),
            *(nn.LeakyReLU(0.2), nn.Flatten()),
            *(nn.Linear(math.prod(inner), hidden), nn.LeakyReLU(0.2)),
        )
        self.score = nn.Linear(hidden, 1)
        self.of_class = nn.Linear(classes, hidden, bias=False) if classes else None

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """One score an image."""
        features: Tensor = self.features(x)
        score: Tensor = self.score(features)[:, 0]
        return score if self.of_class is None else score + (features * self.of_class(condition)).sum(dim=1)
