"""The checks of notebook 05: right functions pass, common mistakes are named, a stub is not done yet."""

import ast
import json
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab import checks, losses
from autoencoder_lab.models.planar_game import PlanarGAN

Function = Callable[..., Any]
ROOT = Path(__file__).parents[2]
bce, with_logits = F.binary_cross_entropy, F.binary_cross_entropy_with_logits


def stub(*args: Any, **kwargs: Any) -> None:
    return None


@pytest.mark.parametrize(
    "check",
    [checks.adversarial_losses, checks.critic_step, checks.generator_step, checks.players, checks.steps_experiment],
)
@pytest.mark.parametrize("unfinished", [stub, lambda *args, **kwargs: ...])
def test_a_stub_is_not_done_yet(check: Function, unfinished: Function, capsys: pytest.CaptureFixture[str]) -> None:
    check(unfinished)
    assert "not done yet" in capsys.readouterr().out


# --- 05.1: the two losses ----------------------------------------------------------------------------


def ones(x: Tensor) -> Tensor:
    return torch.ones_like(x)


def by_logits(real: Tensor, fake: Tensor) -> Any:
    return with_logits(real, ones(real)) + with_logits(fake, 0 * fake), with_logits(fake, ones(fake))


def by_log_sigmoid(real: Tensor, fake: Tensor) -> Any:
    return -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean(), -F.logsigmoid(fake).mean()


def by_library(real: Tensor, fake: Tensor) -> Any:
    return losses.critic_cross_entropy(real, fake), losses.generator_non_saturating(real, fake)


@pytest.mark.parametrize("right", [by_logits, by_log_sigmoid, by_library])
def test_adversarial_losses_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.adversarial_losses(right)
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda r, f: (by_logits(-r, -f)[0], by_logits(r, f)[1]), "swapped in the critic's loss"),
        (lambda r, f: by_logits(-r, -f), "swapped in both losses"),
        (lambda r, f: by_logits(r, f)[::-1], "wrong order"),
        (lambda r, f: by_logits(r.sigmoid(), f.sigmoid()), "sigmoid is taken twice"),
        (lambda r, f: (by_logits(r, f)[0], -with_logits(f, 0 * f)), "saturating"),
        (lambda r, f: (by_logits(r, f)[0], F.logsigmoid(f).mean()), "sign is the wrong way round"),
        (lambda r, f: (by_logits(r, f)[0], with_logits(f, 0 * f)), "labels its fakes 0"),
        (lambda r, f: (by_logits(r, f)[0], with_logits(r, ones(r))), "taken on real images"),
        (lambda r, f: (by_logits(r, f)[0], -by_logits(r, f)[0]), "minus the critic's"),
        (lambda r, f: (-by_logits(r, f)[0], by_logits(r, f)[1]), "that is the value V"),
        (lambda r, f: (with_logits(torch.cat([r, f]), torch.cat([ones(r), 0 * f])), by_logits(r, f)[1]), "halved"),
        (lambda r, f: (with_logits(r, ones(r)), by_logits(r, f)[1]), "lacks the fakes"),
        (lambda r, f: (with_logits(f, 0 * f), by_logits(r, f)[1]), "lacks the real images"),
        (lambda r, f: tuple(len(r) * loss for loss in by_logits(r, f)), "sum over the batch"),
        (
            lambda r, f: (
                (r.sigmoid() - 1).pow(2).mean() + f.sigmoid().pow(2).mean(),
                (f.sigmoid() - 1).pow(2).mean(),
            ),
            "squared errors",
        ),
        (lambda r, f: (f.mean() - r.mean(), -f.mean()), "Wasserstein"),
        (lambda r, f: tuple(loss / math.log(2) for loss in by_logits(r, f)), "bits"),
        (lambda r, f: (with_logits(r, ones(r)) + with_logits(f, ones(f)), by_logits(r, f)[1]), "in both losses"),
        (lambda r, f: (F.softplus(-r) + F.softplus(f), F.softplus(-f)), "for each image"),
        (
            lambda r, f: (
                -r.sigmoid().log().mean() - (1 - f.sigmoid()).log().mean(),
                -f.sigmoid().log().mean(),
            ),
            "±150",
        ),
        (lambda r, f: by_logits(r, f)[0], "return 2 values"),
        (lambda r, f: tuple(loss + 0.3 for loss in by_logits(r, f)), "expected"),
        (lambda r, f: bce(r, ones(r)), "stops with"),
    ],
)
def test_adversarial_losses_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.adversarial_losses(wrong)


# --- 05.2: the two steps -----------------------------------------------------------------------------


def critic_right(generator: nn.Module, critic: nn.Module, optimiser: Any, real: Tensor, noise: Tensor) -> Any:
    fake = generator(noise).detach()
    loss = by_logits(critic(real), critic(fake))[0]
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def critic_without_graph(generator: nn.Module, critic: nn.Module, optimiser: Any, real: Tensor, noise: Tensor) -> Any:
    optimiser.zero_grad(set_to_none=True)
    with torch.no_grad():
        fake = generator(noise)
    scores = critic(torch.cat([real, fake]))
    loss = losses.critic_cross_entropy(scores[: len(real)], scores[len(real) :])
    loss.backward()
    optimiser.step()
    return loss


def critic_frozen_generator(
    generator: nn.Module, critic: nn.Module, optimiser: Any, real: Tensor, noise: Tensor
) -> Any:
    generator.requires_grad_(False)
    loss = critic_right(generator, critic, optimiser, real, noise)
    generator.requires_grad_(True)
    return loss


@pytest.mark.parametrize("right", [critic_right, critic_without_graph, critic_frozen_generator])
def test_critic_step_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.critic_step(right)
    assert "✓" in capsys.readouterr().out


def critic_with(
    loss: Function, detach: bool = True, clear: bool = True, move: bool = True, sign: int = 1, own_noise: bool = False
) -> Function:
    """A critic's step with a slip."""

    def step(generator: nn.Module, critic: nn.Module, optimiser: Any, real: Tensor, noise: Tensor) -> Any:
        fake = generator(torch.randn_like(noise) if own_noise else noise)
        value = loss(critic(real), critic(fake.detach() if detach else fake))
        if clear:
            optimiser.zero_grad()
        (sign * value).backward()
        if move:
            optimiser.step()
        return value

    return step


def two_terms(real: Tensor, fake: Tensor) -> Tensor:
    return with_logits(real, ones(real)) + with_logits(fake, 0 * fake)


def returns_nothing(*arguments: Any) -> None:
    critic_right(*arguments)


def stays_frozen(generator: nn.Module, *rest: Any) -> Any:
    generator.requires_grad_(False)
    return critic_right(generator, *rest)


def moves_the_generator_only(generator: nn.Module, critic: nn.Module, *rest: Any) -> Any:
    critic.requires_grad_(False)
    loss = critic_with(two_terms, detach=False)(generator, critic, *rest)
    critic.requires_grad_(True)
    return loss


def without_gradient(generator: nn.Module, critic: nn.Module, optimiser: Any, real: Tensor, noise: Tensor) -> Any:
    with torch.no_grad():
        loss = two_terms(critic(real), critic(generator(noise)))
    loss.backward()
    return loss


def own_optimiser(generator: nn.Module, critic: nn.Module, optimiser: Any, real: Tensor, noise: Tensor) -> Any:
    """Nothing but the critic moves, yet the generator gathers gradients for its own next step."""
    alone = torch.optim.SGD(critic.parameters(), lr=0.5)
    loss = two_terms(critic(real), critic(generator(noise)))
    alone.zero_grad()
    loss.backward()
    alone.step()
    return loss


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (critic_with(two_terms, detach=False), "the generator moved in the critic's step"),
        (moves_the_generator_only, "the generator moved in the critic's step"),
        (own_optimiser, "gradients have piled up in the generator"),
        (critic_with(lambda r, f: two_terms(-r, -f)), "labels are swapped"),
        (critic_with(lambda r, f: two_terms(r.sigmoid(), f.sigmoid())), "sigmoid is taken twice"),
        (critic_with(two_terms, clear=False), "pile up"),
        (critic_with(two_terms, move=False), "weights never change"),
        (critic_with(two_terms, sign=-1), "you climb"),
        (critic_with(lambda r, f: with_logits(r, ones(r))), "fakes are missing"),
        (critic_with(lambda r, f: with_logits(f, 0 * f)), "real images are missing"),
        (critic_with(lambda r, f: two_terms(r, f) / 2), "halved"),
        (critic_with(lambda r, f: len(r) * two_terms(r, f)), "sum over the batch"),
        (critic_with(lambda r, f: with_logits(f, ones(f))), "generator's loss"),
        (critic_with(lambda r, f: with_logits(r, ones(r)) + with_logits(f, ones(f))), "as in the generator's step"),
        (critic_with(two_terms, own_noise=True), "noise you are given"),
        (returns_nothing, "returns nothing"),
        (stays_frozen, "still frozen"),
        (without_gradient, "no gradient reaches"),
        (critic_with(lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean()), "expected"),
        (lambda g, d, o, x, z: d(g(x)), "stops with RuntimeError"),
    ],
)
def test_critic_step_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.critic_step(wrong)


def generator_with(
    loss: Function, freeze: bool = True, clear: bool = True, move: bool = True, sign: int = 1, thaw: bool = True
) -> Function:
    """A generator's step, right or with a slip."""

    def step(generator: nn.Module, critic: nn.Module, optimiser: Any, noise: Tensor) -> Any:
        critic.requires_grad_(not freeze)
        value = loss(critic(generator(noise)))
        if clear:
            optimiser.zero_grad()
        (sign * value).backward()
        if move:
            optimiser.step()
        if thaw:
            critic.requires_grad_(True)
        return value

    return step


def target_one(fake: Tensor) -> Tensor:
    return with_logits(fake, ones(fake))


def by_grad(generator: nn.Module, critic: nn.Module, optimiser: Any, noise: Tensor) -> Any:
    """Without freezing: gradients of the generator's weights alone."""
    loss = losses.generator_non_saturating(noise, critic(generator(noise)))
    weights = list(generator.parameters())
    for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        weight.grad = gradient
    optimiser.step()
    return loss


@pytest.mark.parametrize("right", [generator_with(target_one), by_grad])
def test_generator_step_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.generator_step(right)
    assert "✓" in capsys.readouterr().out


def detached(generator: nn.Module, critic: nn.Module, optimiser: Any, noise: Tensor) -> Any:
    critic.requires_grad_(False)
    loss = target_one(critic(generator(noise).detach()))
    optimiser.zero_grad()
    loss.backward()
    return loss


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (generator_with(target_one, freeze=False), "the critic moved in the generator's step"),
        (generator_with(target_one, freeze=False, move=False), "piled up in the critic"),
        (generator_with(target_one, thaw=False), "still frozen"),
        (generator_with(lambda f: with_logits(f, 0 * f)), "learns to be caught"),
        (generator_with(lambda f: -with_logits(f, 0 * f)), "saturating"),
        (generator_with(lambda f: target_one(f.sigmoid())), "sigmoid is taken twice"),
        (generator_with(target_one, clear=False), "pile up"),
        (generator_with(target_one, move=False), "never change"),
        (generator_with(target_one, sign=-1), "you climb"),
        (generator_with(lambda f: len(f) * target_one(f)), "sum over the batch"),
        (generator_with(lambda f: -f.mean()), "Wasserstein"),
        (generator_with(lambda f: (f.sigmoid() - 1).pow(2).mean()), "least-squares"),
        (detached, "no gradient reaches"),
        (generator_with(lambda f: target_one(2 * f)), "expected"),
    ],
)
def test_generator_step_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.generator_step(wrong)


# --- a critic's scores -------------------------------------------------------------------------------


def convolutional(*more: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 4, 2), *more, nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(676, 1))


@pytest.mark.parametrize(
    "right",
    [
        lab.GAN().critic,
        nn.Sequential(convolutional(), nn.Flatten(0)),
        lambda x: convolutional(nn.GroupNorm(1, 4))(x)[:, 0],
    ],
)
def test_critic_network_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.critic_network(right)
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lab.GAN(batch_norm=True).critic, "batch normalisation"),
        (nn.Sequential(convolutional(nn.BatchNorm2d(4)), nn.Flatten(0)), "batch normalisation"),
        (lambda x: convolutional()(x - x.mean(dim=0))[:, 0], "depends on the others"),
        (lambda x: convolutional()(x)[:, 0] + x.std(dim=0).mean(), "depends on the others"),
        (nn.Sequential(convolutional(), nn.Flatten(0), nn.Sigmoid()), "sigmoid at the end"),
        (lambda x: (convolutional()(x)[:, 0] > 0).float(), "sigmoid at the end"),
        (convolutional(), r"got \(8, 1\)"),
        (lambda x: convolutional()(x).mean(), r"got \(\)"),
        (nn.Sequential(convolutional(), nn.Flatten(0), nn.Dropout(0.5)), "dropout"),
        (lambda x: 0.5, "got float"),
        (nn.Linear(3, 1), "stops with RuntimeError"),
    ],
)
def test_critic_network_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.critic_network(wrong)


def test_a_missing_critic_is_not_done_yet(capsys: pytest.CaptureFixture[str]) -> None:
    checks.critic_network(stub)
    assert "not done yet" in capsys.readouterr().out


# --- 05.3: two players -------------------------------------------------------------------------------


def dense_generator(*end: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 784), *end, nn.Unflatten(1, (1, 28, 28)))


def dense_critic(*end: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1), *end)


class ByClass(nn.Module):
    """(B, inputs) or pictures → whatever `last` makes of the numbers of its second layer."""

    def __init__(self, inputs: int, outputs: int, last: Function) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(inputs, 40), nn.Linear(40, outputs), last

    def forward(self, x: Tensor) -> Any:
        return self.last(self.second(F.leaky_relu(self.first(x.reshape(len(x), -1)), 0.2)))


class Upsampling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense, self.norm = nn.Linear(16, 8 * 7 * 7), nn.BatchNorm2d(8)
        self.convolutions = nn.ModuleList([nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 1, 3, padding=1)])

    def forward(self, z: Tensor) -> Tensor:
        x = F.relu(self.norm(self.dense(z).view(-1, 8, 7, 7)))
        for layer in self.convolutions:
            x = layer(F.interpolate(x, scale_factor=2))
        return torch.sigmoid(x)


class InAList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(16, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))]

    def forward(self, z: Tensor) -> Tensor:
        for layer in self.layers:
            z = layer(z)
        return z


G: Function = lambda: dense_generator(nn.Sigmoid())  # noqa: E731
D: Function = lambda: dense_critic(nn.Flatten(0))  # noqa: E731
to_pictures: Function = lambda x: x.sigmoid().view(-1, 1, 28, 28)  # noqa: E731


@pytest.mark.parametrize(
    "right",
    [
        lambda: (G(), D()),
        lambda: [ByClass(16, 784, to_pictures), ByClass(784, 1, lambda x: x[:, 0])],
        lambda: (ByClass(16, 784, lambda x: ((x.tanh() + 1) / 2).unflatten(1, (1, 28, 28))), D()),
        lambda: (Upsampling(), ByClass(784, 1, lambda x: x.squeeze(1))),
        lambda: (nn.Sequential(nn.LazyLinear(784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))), D()),
        lambda: (G(), nn.Sequential(nn.Conv2d(1, 8, 4, 2), nn.LeakyReLU(), nn.LazyConv2d(1, 13), nn.Flatten(0))),
        lambda: (G(), nn.Sequential(nn.Flatten(), nn.LayerNorm(784), nn.Linear(784, 1), nn.Flatten(0))),
        lambda: (G(), nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(784, 1), nn.Flatten(0))),
        lambda: (G(), nn.Sequential(nn.Flatten(), nn.utils.spectral_norm(nn.Linear(784, 1)), nn.Flatten(0))),
        lambda: (G(), ByClass(784, 1, lambda x: torch.einsum("bi->b", x))),
    ],
)
def test_players_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.players(right)
    assert capsys.readouterr().out == "✓ players: two networks that can play\n"


def test_players_are_left_as_they_are_and_batch_normalisation_is_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(3)
    pair = (
        Upsampling(),
        nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.BatchNorm1d(8), nn.Linear(8, 1), nn.Flatten(0)),
    )
    before = [value.clone() for network in pair for value in network.state_dict().values()]
    expected = torch.get_rng_state()
    checks.players(lambda: pair)
    assert "but the score of a picture depends on the others" in capsys.readouterr().out
    assert torch.equal(torch.get_rng_state(), expected)
    after = [value for network in pair for value in network.state_dict().values()]
    assert all(map(torch.equal, before, after)) and all(
        p.grad is None for network in pair for p in network.parameters()
    )


@pytest.mark.parametrize(
    ("generator", "message"),
    [
        (lambda: dense_generator(nn.Tanh()), "reach from -1 to 1, as a tanh"),
        (dense_generator, "is free: no function keeps it"),
        (lambda: dense_generator(nn.ReLU()), "has no upper bound"),
        (lambda: ByClass(16, 784, lambda x: 255 * to_pictures(x)), "has no upper bound"),
        (lambda: dense_generator(nn.Softmax(1)), "a softmax"),
        (lambda: nn.Sequential(nn.Linear(16, 784), nn.Sigmoid()), "they are flat"),
        (lambda: ByClass(16, 784, lambda x: x.sigmoid().view(-1, 28, 28)), "the channel is missing"),
        (lambda: ByClass(16, 784, lambda x: x.sigmoid().view(-1, 28, 28, 1)), "the channel comes first"),
        (lambda: ByClass(16, 784, lambda x: to_pictures(x.mean(0))), "one picture for every row of z"),
        (lambda: ByClass(16, 784, lambda x: to_pictures(0 * x)), "ignores z"),
        (lambda: ByClass(16, 784, lambda x: to_pictures(0 * x + torch.randn_like(x))), "ignores z"),
        (lambda: ByClass(16, 784, lambda x: to_pictures(x.mean(0).expand_as(x))), "one picture for a whole batch"),
        (lambda: ByClass(16, 784, lambda x: to_pictures(x).detach()), "no gradient reaches your critic's|generator's"),
        (lambda: ByClass(16, 784, lambda x: to_pictures(x).round()), "no gradient reaches your generator's"),
        (lambda: ByClass(16, 784, lambda x: x.sigmoid().view(64, 1, 28, 28)), "size of a batch written into it"),
        (lambda: ByClass(16, 784, lambda x: None), "is `return` missing"),
        (InAList, "in a Python list"),
        (lambda: nn.Sequential(nn.Linear(64, 784), nn.Sigmoid()), "stops at .6, 16."),
        (lambda: ByClass, "is the class ByClass; make one of it"),
        (lambda: to_pictures, "no nn.Module"),
        (lambda: G().requires_grad_(False), "weights are frozen"),
    ],
)
def test_players_wrong_generator(generator: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.players(lambda: (generator(), D()))


@pytest.mark.parametrize(
    ("critic", "message"),
    [
        (lambda: dense_critic(nn.Sigmoid(), nn.Flatten(0)), "a sigmoid at its end"),
        (lambda: ByClass(784, 1, lambda x: x[:, 0].clamp(0, 1)), "a sigmoid at its end"),
        (lambda: dense_critic(nn.Flatten(0), nn.Softmax(0)), "softmax"),
        (lambda: dense_critic(nn.Tanh(), nn.Flatten(0)), "a tanh at its end"),
        (lambda: dense_critic(nn.ReLU(), nn.Flatten(0)), "a ReLU"),
        (lambda: dense_critic(nn.LogSigmoid(), nn.Flatten(0)), "a log-sigmoid"),
        (dense_critic, r"your critic gives \(6, 1\): end it with nn.Flatten\(0\)"),
        (lambda: ByClass(784, 2, lambda x: x), "one number a picture is enough"),
        (lambda: ByClass(784, 1, lambda x: x.mean()), "one number for a batch of 6"),
        (lambda: nn.Sequential(nn.Linear(28, 1)), r"gives \(6, 1, 28, 1\)|one number a picture"),
        (lambda: nn.Sequential(nn.Linear(784, 1), nn.Flatten(0)), "A critic opens with nn.Flatten"),
        (lambda: ByClass(784, 1, lambda x: 0 * x[:, 0]), "the same score"),
        (lambda: ByClass(784, 1, lambda x: x.view(6)), "any size|size of a batch written into it"),
        (lambda: ByClass(784, 1, lambda x: x[:, 0].detach()), "no gradient reaches"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 1), nn.Flatten(0)).double(), "Build it in float32"),
    ],
)
def test_players_wrong_critic(critic: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.players(lambda: (G(), critic()))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: (D(), G()), "the wrong way round"),
        (G, "return two networks"),
        (lambda: {"G": G(), "D": D()}, "two networks"),
    ],
)
def test_players_wrong_pair(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.players(wrong)


# --- 05.4: an experiment -----------------------------------------------------------------------------


def all_found(games: Any) -> float:
    return float((games.covered().covered == 8).double().mean())


def experiment_right(counts: Sequence[int], game: Function = PlanarGAN) -> Any:
    return {n: all_found(game(range(20), generator_steps=n).play(800)) for n in counts}


def experiment_one_by_one(counts: Sequence[int], game: Function = PlanarGAN) -> Any:
    shares = {}
    for n in counts:
        found = [int(game([seed], generator_steps=n).play(700).play(100).covered().covered[0]) for seed in range(12)]
        shares[n] = sum(modes == 8 for modes in found) / len(found)
    return shares


@pytest.mark.parametrize("right", [experiment_right, experiment_one_by_one])
def test_steps_experiment_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.steps_experiment(right)
    assert "conclusion is not done yet" in capsys.readouterr().out
    result = {1: 0.9, 2: 0.45, 5: 0.0}
    checks.steps_experiment(right, result, "With two steps 45 % of the games still find all modes.")
    assert "✓" in capsys.readouterr().out


def with_slip(**slip: Any) -> Function:
    def experiment(counts: Sequence[int], game: Function = PlanarGAN) -> Any:
        shares: dict[int, Any] = {}
        for n in counts:
            seeds = slip.get("seeds", lambda n: range(20))(n)
            settings = {"generator_steps": slip.get("steps", lambda n: n)(n)} | slip.get("more", lambda n: {})(n)
            games = game(seeds, **settings)
            rounds = slip.get("rounds", lambda n: 800)(n)
            early = games.covered() if slip.get("early") else None
            games.play(rounds)
            shares[n] = slip.get("share", lambda modes: float((modes == 8).double().mean()))(
                (early or games.covered()).covered
            )
        return slip.get("form", lambda shares: shares)(shares)

    return experiment


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda counts, game=None: {n: 0.5 for n in counts}, "no game was played"),
        (with_slip(steps=lambda n: 1), "hand each count over"),
        (with_slip(steps=lambda n: n + 1), "asked for 1, 2 and 5"),
        (with_slip(rounds=lambda n: 0), "was not played"),
        (with_slip(seeds=lambda n: [0]), "1 games say little"),
        (with_slip(seeds=lambda n: [0] * 20), "same seed"),
        (with_slip(seeds=lambda n: range(20 * n, 20 * n + 20)), "seeds differ"),
        (with_slip(more=lambda n: {"momentum": 0.5 if n == 1 else 0.9}), "differ in more than"),
        (with_slip(rounds=lambda n: 1200 // n), "rounds differ"),
        (with_slip(rounds=lambda n: 100), "after 100 rounds"),
        (with_slip(early=True), "at the end"),
        (with_slip(share=lambda modes: float((modes == 8).sum())), "numbers of games"),
        (with_slip(share=lambda modes: 100 * float((modes == 8).double().mean())), "percentages"),
        (with_slip(share=lambda modes: float((modes < 8).double().mean())), "shares that fail"),
        (with_slip(share=lambda modes: float(modes.double().mean())), "mean numbers of modes"),
        (with_slip(share=lambda modes: float((modes > 0).double().mean())), "every game counts"),
        (with_slip(share=lambda modes: float((modes == 8).double().mean()) / 2), "not those of the games"),
        (with_slip(form=lambda shares: list(shares.values())), "return a dictionary"),
        (with_slip(form=lambda shares: {1: shares[1]}), "return a dictionary"),
        (lambda counts, game: game(range(20)).train(5), "stops with AttributeError"),
    ],
)
def test_steps_experiment_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.steps_experiment(wrong)


@pytest.mark.parametrize(
    ("result", "conclusion", "message"),
    [
        ({1: 0.9, 2: 0.45, 3: 0.0}, "Fewer.", "as a sentence"),
        ({1: 0.9, 2: 0.45, 3: 0.0}, "More steps of the generator clearly harm the game.", "names its figure"),
        ({2: 0.45, 3: 0.0, 4: 0.0}, "With two steps 45 % of the games still find all modes.", "1 among them"),
        ([0.9, 0.4, 0.0], "With two steps 45 % of the games still find all modes.", "at least three counts"),
    ],
)
def test_steps_experiment_wants_a_conclusion_with_its_figure(result: Any, conclusion: str, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.steps_experiment(experiment_right, result, conclusion)


def test_the_stand_in_is_played_like_the_real_game() -> None:
    """What the check's spy offers, PlanarGAN has, with the same meaning."""
    real = PlanarGAN(range(2), generator_steps=2, hidden=4)
    assert real.play(2) is real and real.rounds == 2 and real.covered().covered.shape == (2,)


# --- what the notebook stores ------------------------------------------------------------------------


def test_the_stored_map_of_notebook_05_is_that_of_the_evidence() -> None:
    """Its figures stand in the notebook, which is read where the rows are not at hand."""
    source = (ROOT / "notebooks" / "source" / "05_generative_adversarial_network.py").read_text(encoding="utf-8")
    named = {
        target.id: ast.literal_eval(node.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
        and (target.id, type(node.value)) in {("rates", ast.Tuple), ("stored", ast.Dict)}
    }
    rows = (ROOT / "evidence" / "results" / "C34.jsonl").read_text(encoding="utf-8").splitlines()
    figures = [json.loads(row)["figures"] for row in rows]
    keys = {
        "batches of 64": "plain",
        "batches of 8": "small",
        "a penalty, γ = 0.1": "steep",
        "twice the rounds": "longer",
    }
    assert named["stored"].keys() == keys.keys() and len(figures) == 5
    for name, entries in named["stored"].items():
        for rate, (mean, sd) in zip(named["rates"], entries, strict=True):
            shares = [row[f"{keys[name]}_{rate:g}"] for row in figures]
            assert mean == pytest.approx(statistics.mean(shares), abs=0.006)
            assert sd == pytest.approx(statistics.stdev(shares), abs=0.006)
