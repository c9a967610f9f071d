"""The game in the plane: closed forms, and the batched games against one network at a time."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from autoencoder_lab import losses
from autoencoder_lab.data.plane import ring_centres, ring_points
from autoencoder_lab.models.adversarial import GAMES
from autoencoder_lab.models.planar_game import Networks, PlanarGAN

RECIPES: tuple[dict[str, Any], ...] = (
    {},
    {"penalty": 0.5},
    {"game": "relativistic", "generator_steps": 2, "momentum": 0.9},
)


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    """Everything here in double precision, so that only rounding separates what should be equal."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def state(gan: PlanarGAN, which: int) -> list[Tensor]:
    """All weights of one of the games, the critic's first."""
    networks = (gan.critic, gan.generator)
    return [weight.detach()[which].clone() for network in networks for weight in network.parameters()]


def single(networks: Networks, which: int) -> nn.Sequential:
    """One of the batched networks as ordinary layers with the same weights."""
    layers: list[nn.Module] = []
    for weight, bias in zip(networks.weights, networks.biases, strict=True):
        linear = nn.Linear(weight.shape[1], weight.shape[2])
        linear.weight.data, linear.bias.data = weight.data[which].T.clone(), bias.data[which, 0].clone()
        layers += [linear, nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])


# --- the ring ----------------------------------------------------------------------------------------


def test_centres_lie_on_the_circle_evenly() -> None:
    where = ring_centres(6, 1.5)
    torch.testing.assert_close(where.norm(dim=1), torch.full((6,), 1.5))
    torch.testing.assert_close((where - where.roll(1, 0)).norm(dim=1), torch.full((6,), 1.5))  # a hexagon's side
    torch.testing.assert_close(where[0], torch.tensor([1.5, 0.0]))


def test_ring_has_the_moments_of_its_mixture() -> None:
    n, radius, sigma = 200_000, 2.0, 0.3
    x = ring_points(n, 8, radius, sigma, Generator().manual_seed(0))
    # covariance (r²/2 + σ²) I, mean 0; five standard errors
    variance = radius**2 / 2 + sigma**2
    assert (x.mean(dim=0).abs() < 5 * (variance / n) ** 0.5).all()
    torch.testing.assert_close(x.T.cov(), variance * torch.eye(2), atol=5 * variance * (2 / n) ** 0.5, rtol=0)
    nearest = torch.cdist(x, ring_centres(8, radius)).argmin(dim=1)
    shares = torch.bincount(nearest, minlength=8) / n
    assert (shares - 1 / 8).abs().max() < 5 * (7 / 64 / n) ** 0.5 + 0.002  # a few stray over to the next heap
    within = (x - ring_centres(8, radius)[nearest]).square().sum(dim=1).mean()
    assert abs(within / (2 * sigma**2) - 1) < 0.03


# --- many games are many single games ----------------------------------------------------------------


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_game_does_not_depend_on_the_others_in_its_batch(recipe: dict[str, Any]) -> None:
    together = PlanarGAN(range(20), hidden=8, **recipe).play(15)
    for seed in (0, 7, 19):
        alone = PlanarGAN([seed], hidden=8, **recipe).play(15)
        for a, b in zip(state(together, seed), state(alone, 0), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_games_of_different_seeds_differ_and_the_same_seed_repeats() -> None:
    a, b = PlanarGAN([3, 4], hidden=8).play(3), PlanarGAN([3, 4], hidden=8).play(3)
    assert all(torch.equal(x, y) for x, y in zip(state(a, 1), state(b, 1), strict=True))
    assert not any(torch.equal(x, y) for x, y in zip(state(a, 0), state(a, 1), strict=True))


@pytest.mark.parametrize("recipe", RECIPES)
def test_both_steps_are_those_of_ordinary_modules(recipe: dict[str, Any]) -> None:
    gan = PlanarGAN(range(3), hidden=8, learning_rate=1e-2, **recipe)
    critic, generator = single(gan.critic, 1), single(gan.generator, 1)
    adam = [
        torch.optim.Adam(net.parameters(), 1e-2, betas=(recipe.get("momentum", 0.5), 0.99))
        for net in (critic, generator)
    ]
    lose_critic, lose_generator = GAMES[recipe.get("game", "non_saturating")]
    for _ in range(3):
        real, noise, more = gan.real(16), gan.noise(16), gan.noise(16)
        gan.train_critic(torch.cat([real, gan.generate(noise)], dim=1))
        x, made = real[1].requires_grad_(), generator(noise[1]).detach().requires_grad_()
        scores, fake_scores = critic(x)[:, 0], critic(made)[:, 0]
        loss = lose_critic(scores, fake_scores)
        if gan.penalty:
            r1_r2 = losses.squared_gradient(scores, x) + losses.squared_gradient(fake_scores, made)
            loss = loss + gan.penalty / 2 * r1_r2
        adam[0].zero_grad()
        loss.backward()
        adam[0].step()
        gan.train_generator(more, real)
        loss = lose_generator(critic(real[1])[:, 0].detach(), critic(generator(more[1]))[:, 0])
        adam[1].zero_grad()
        loss.backward()
        adam[1].step()
    for ours, theirs in ((gan.critic, critic), (gan.generator, generator)):
        for mine, other in zip(single(ours, 1).parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine.data, other.data, rtol=1e-7, atol=1e-9)


# --- who moves when ----------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", RECIPES)
def test_neither_step_moves_the_other_network(recipe: dict[str, Any]) -> None:
    gan = PlanarGAN(range(2), hidden=8, **recipe)
    weights = {name: [w.detach().clone() for w in getattr(gan, name).parameters()] for name in ("critic", "generator")}

    def moved(name: str) -> bool:
        now = list(getattr(gan, name).parameters())
        return any(not torch.equal(a, b) for a, b in zip(weights[name], now, strict=True))

    real = gan.real(8)
    gan.train_critic(torch.cat([real, gan.generate(gan.noise(8))], dim=1))
    assert moved("critic") and not moved("generator")
    assert all(w.grad is None for w in gan.generator.parameters())
    weights["critic"] = [w.detach().clone() for w in gan.critic.parameters()]
    before = [w.grad.clone() for w in gan.critic.parameters() if w.grad is not None]
    gan.train_generator(gan.noise(8), real)
    assert moved("generator") and not moved("critic")
    after = [w.grad for w in gan.critic.parameters() if w.grad is not None]
    assert len(before) == 6 and all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(w.requires_grad for w in gan.critic.parameters())


def test_the_generator_moves_as_often_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    gan, calls = PlanarGAN(generator_steps=3, hidden=8), list[object]()
    monkeypatch.setattr(gan, "train_critic", lambda mixed: calls.append(tuple(mixed.shape)))
    monkeypatch.setattr(gan, "train_generator", lambda noise, real: calls.append("G"))
    gan.play(2)
    assert calls == [(1, 128, 2), "G", "G", "G"] * 2 and gan.rounds == 2


# --- known densities ---------------------------------------------------------------------------------


def test_the_critic_finds_the_log_ratio_of_two_gaussians() -> None:
    """For p = N((0, 0), I) and q = N((1, 0), I) the best logit is log p/q = ½ − x₁, and V = 2 JSD − log 4."""
    torch.set_default_dtype(torch.float32)
    gan = PlanarGAN(range(4), learning_rate=2e-2)
    random = Generator().manual_seed(0)
    for step in range(400):
        real, made = (torch.randn(4, 512, 2, generator=random) + torch.tensor([at, 0.0]) for at in (0.0, 1.0))
        for group in gan.optimisers[gan.critic].param_groups:
            group["lr"] = 2e-2 * (1 - step / 400)
        gan.train_critic(torch.cat([real, made], dim=1))
    x = torch.cartesian_prod(torch.linspace(-1, 2, 13), torch.linspace(-1, 1, 9))
    with torch.no_grad():
        scores = gan.score(x.expand(4, -1, 2))
    # over eight seeds 0.012 to 0.036 when this was written
    assert (scores - (0.5 - x[:, 0])).square().mean(dim=1).sqrt().max() < 0.1


# --- what it is for ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_ingredient_decides_how_many_modes_are_found() -> None:
    """Six games of each recipe; the stored evidence (C35) has a hundred."""
    torch.set_default_dtype(torch.float32)
    cured, eager, heavy = (
        PlanarGAN(range(6), **recipe).play(1000).covered().covered
        for recipe in ({}, {"generator_steps": 3}, {"momentum": 0.9})
    )
    assert (cured >= 7).sum() >= 5
    assert (eager <= 4).sum() >= 5 and (heavy <= 4).sum() >= 5


def test_an_unknown_game_is_named() -> None:
    with pytest.raises(ValueError, match="'wasserstein'"):
        PlanarGAN(game="wasserstein")  # type: ignore[arg-type]


def test_layers_start_as_in_torch() -> None:
    network = Networks((64, 64), [Generator().manual_seed(0)])
    drawn = network.weights[0].detach()
    assert drawn.abs().max() <= 1 / 8
    assert float(drawn.std()) == pytest.approx(1 / 8 / 3**0.5, rel=0.05)
    x = torch.randn(1, 5, 64)
    torch.testing.assert_close(network(x)[0], F.linear(x[0], network.weights[0][0].T, network.biases[0][0, 0]))
