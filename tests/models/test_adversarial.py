"""The GAN: each loss against its formula, each network moved by its own loss alone, and clear refusals."""

import copy
import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import seeded
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab import losses
from autoencoder_lab.models.adversarial import GAMES, PENALTY_EVERY
from autoencoder_lab.training.evaluation import evaluate
from autoencoder_lab.training.history import TrainingDiverged

SHAPE = (1, 8, 8)
SMALL: dict[str, Any] = {"image_shape": SHAPE, "width": 4, "hidden": 16}
QUIET: dict[str, Any] = {"progress": False, "batch_size": 50}


def small(**settings: Any) -> lab.GAN:
    """A GAN with three latent dimensions, always with the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return lab.GAN(3, **SMALL | settings)


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.double)


def images(count: int = 6, seed: int = 0) -> Tensor:
    return torch.rand((count, *SHAPE), generator=seeded(seed))


def digits_asked(count: int) -> Tensor:
    return torch.arange(count) % 10


def repeatably(function: Any, *arguments: Any) -> Any:
    """function(…) with the same noise every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return function(*arguments)


def state(network: nn.Module) -> list[Tensor]:
    return [value.clone() for value in network.state_dict().values()]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


# --- losses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_losses_are_their_formulas(shape: tuple[int, ...]) -> None:
    real, fake = 3 * values(*shape), 3 * values(*shape, seed=1)
    d_real, d_fake = torch.sigmoid(real), torch.sigmoid(fake)
    formulas = [
        (losses.critic_cross_entropy, -(d_real.log() + (1 - d_fake).log()).mean()),
        (losses.generator_non_saturating, -d_fake.log().mean()),
        (losses.generator_saturating, (1 - d_fake).log().mean()),
        (losses.critic_hinge, ((1 - real).clamp(min=0) + (1 + fake).clamp(min=0)).mean()),
        (losses.generator_hinge, -fake.mean()),
        (losses.relativistic, -torch.sigmoid(real - fake).log().mean()),
    ]
    for loss, expected in formulas:
        assert torch.allclose(loss(real, fake), expected, rtol=1e-12), loss.__name__


def test_the_cross_entropy_is_binary_cross_entropy_with_real_as_one() -> None:
    real, fake = values(7), values(7, seed=1)
    ones, zeros = torch.ones_like(real), torch.zeros_like(fake)
    expected = F.binary_cross_entropy_with_logits(real, ones) + F.binary_cross_entropy_with_logits(fake, zeros)
    assert torch.allclose(losses.critic_cross_entropy(real, fake), expected, rtol=1e-12)
    assert torch.allclose(
        losses.generator_non_saturating(real, fake), F.binary_cross_entropy_with_logits(fake, ones), rtol=1e-12
    )


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("game", GAMES)
def test_losses_have_the_right_gradient(game: str, side: int) -> None:
    scores = (values(6).requires_grad_(), values(6, seed=1).requires_grad_())
    assert torch.autograd.gradcheck(GAMES[game][side], scores)


def test_where_the_critic_cannot_tell_it_pays_log_4_and_the_generator_log_2() -> None:
    nothing = torch.zeros(5).double()
    assert math.isclose(losses.critic_cross_entropy(nothing, nothing).item(), math.log(4), rel_tol=1e-12)
    assert math.isclose(losses.generator_non_saturating(nothing, nothing).item(), math.log(2), rel_tol=1e-12)
    assert math.isclose(losses.generator_saturating(nothing, nothing).item(), -math.log(2), rel_tol=1e-12)
    assert math.isclose(losses.relativistic(nothing, nothing).item(), math.log(2), rel_tol=1e-12)
    assert losses.critic_hinge(nothing, nothing) == 2 and losses.generator_hinge(nothing, nothing) == 0


def test_against_a_sure_critic_the_saturating_loss_is_flat_and_the_other_steep() -> None:
    for score in (-10.0, 0.0, 10.0):
        fake, d = torch.tensor([score], dtype=torch.double, requires_grad=True), 1 / (1 + math.exp(-score))
        (steep,) = torch.autograd.grad(losses.generator_non_saturating(fake, fake), fake)
        (flat,) = torch.autograd.grad(losses.generator_saturating(fake, fake), fake)
        # d/ds log(1 − D) = −D, d/ds −log D = −(1 − D)
        assert math.isclose(flat.item(), -d, rel_tol=1e-9) and math.isclose(steep.item(), -(1 - d), rel_tol=1e-9)


def test_losses_stay_finite_for_scores_no_sigmoid_can_hold() -> None:
    far = torch.tensor([1e4, -1e4])
    for critic, generator in GAMES.values():
        for loss in (critic(far, -far), generator(far, -far), critic(-far, far), generator(-far, far)):
            assert loss.isfinite()


def test_the_relativistic_game_pays_for_the_difference_within_a_pair_alone() -> None:
    real, fake = values(6), values(6, seed=1)
    critic, generator = GAMES["relativistic"]
    assert torch.allclose(critic(real + 5, fake + 5), critic(real, fake), rtol=1e-12)
    # softplus(−s) − softplus(s) = −s
    assert torch.allclose(critic(real, fake) - generator(real, fake), (fake - real).mean(), rtol=1e-9)


def test_squared_gradient_of_a_linear_and_of_a_quadratic_critic() -> None:
    x, w = values(5, 1, 3, 4).requires_grad_(), values(12, seed=1)
    assert torch.allclose(losses.squared_gradient(x.flatten(1) @ w, x), w.square().sum(), rtol=1e-12)  # ‖w‖²
    quadratic = x.flatten(1).square().sum(dim=1)
    assert torch.allclose(losses.squared_gradient(quadratic, x), 4 * x.square().sum() / 5, rtol=1e-12)  # E ‖2x‖²


def test_squared_gradient_is_differentiable_in_the_critics_weights() -> None:
    x = values(5, 4).requires_grad_()

    def penalty(w: Tensor) -> Tensor:
        return losses.squared_gradient(torch.tanh(x @ w), x)

    assert torch.autograd.gradcheck(penalty, values(4, seed=1).requires_grad_())


# --- who moves whom --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"game": "non_saturating", "batch_norm": True, "penalty": 0.0}])
def test_each_step_moves_its_own_network_and_leaves_the_other_bit_for_bit(settings: dict[str, Any]) -> None:
    gan = small(**settings)
    networks = [gan.critic, gan.generator]
    for (parameters, loss), own, other in zip(gan.steps(), networks, reversed(networks), strict=True):
        assert {id(p) for p in parameters} == {id(p) for p in own.parameters()}
        before, others = state(own), [p.clone() for p in other.parameters()]
        gradients = torch.autograd.grad(loss(images()).total, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= 0.1 * gradient
        assert not same(state(own), before) and same(list(other.parameters()), others)
        assert all(p.grad is None for p in gan.parameters())


def test_the_critics_loss_has_no_way_to_the_generator() -> None:
    gan = small()
    parameters = list(gan.generator.parameters())
    gradients = torch.autograd.grad(gan.critic_loss(images()).total, parameters, allow_unused=True)
    assert all(gradient is None for gradient in gradients)


def test_the_generators_gradient_goes_through_the_critic_as_it_is() -> None:
    gan, x = small(game="non_saturating"), images()
    fake = repeatably(gan.fake, len(x))
    expected = torch.autograd.grad(F.softplus(-gan.critic(fake)).mean(), list(gan.generator.parameters()))
    loss = repeatably(gan.generator_loss, x)
    found = torch.autograd.grad(loss.total, list(gan.generator.parameters()))
    assert all(torch.allclose(a, b) for a, b in zip(found, expected, strict=True))


def test_fit_moves_critic_and_generator_and_only_what_it_differentiates(tiny: lab.ImageData) -> None:
    gan = small()
    before = [state(network) for network in (gan.critic, gan.generator, gan.decoder)]
    lab.fit(gan, tiny, steps=3, initialise=False, **QUIET)
    after = [state(network) for network in (gan.critic, gan.generator, gan.decoder)]
    assert not any(same(a, b) for a, b in zip(before, after, strict=True))
    assert not any(p.requires_grad for p in gan.decoder.parameters())


def test_a_frozen_critic_scores_as_before_while_the_generator_learns_to_please_it(tiny: lab.ImageData) -> None:
    gan = small(game="hinge")
    critic, fakes = state(gan.critic), repeatably(gan.fake, 200)
    parameters = list(gan.generator.parameters())
    optimiser = torch.optim.Adam(parameters, 1e-2)
    for _ in range(20):
        gradients = torch.autograd.grad(gan.generator_loss(tiny.train.images[:50]).total, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
    assert same(state(gan.critic), critic)
    assert gan.critic(repeatably(gan.fake, 200)).mean() > gan.critic(fakes).mean()


def test_a_critic_that_only_looks_on_loses_to_no_generator_and_learns_to_tell(tiny: lab.ImageData) -> None:
    gan = small(penalty=0.01)
    parameters = list(gan.critic.parameters())
    optimiser = torch.optim.Adam(parameters, 3e-3)
    for _ in range(60):
        gradients = torch.autograd.grad(gan.critic_loss(tiny.train.images[:50]).total, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
    assert gan.critic_loss(tiny.val.images).parts["told_apart"] > 0.95


# --- the penalty -----------------------------------------------------------------------------------------------------


def test_the_penalty_comes_every_few_steps_and_is_that_much_heavier() -> None:
    gan, x, gamma = small(penalty=0.7), images(), 0.7
    parts = []
    for step in range(2 * PENALTY_EVERY):
        gan.load_state_dict(gan.state_dict() | {"trained_steps": torch.tensor(step)})
        loss = repeatably(gan.critic_loss, x)
        parts.append((loss.total - loss.parts["critic"]).item())
    real, fake = x.clone().requires_grad_(), repeatably(gan.fake, len(x)).detach().requires_grad_()
    slope = losses.squared_gradient(gan.critic(real), real) + losses.squared_gradient(gan.critic(fake), fake)
    expected = [PENALTY_EVERY * gamma / 2 * slope.item() if step % PENALTY_EVERY == 0 else 0.0 for step in range(8)]
    assert expected[0] > 0 and parts == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_evaluation_has_no_penalty_and_needs_no_gradient(tiny: lab.ImageData) -> None:
    light, heavy = small(penalty=0.0), small(penalty=100.0)
    assert evaluate(light, tiny.val) == evaluate(heavy, tiny.val)
    with torch.no_grad():
        loss = light.loss(images())
    assert not loss.total.requires_grad and set(loss.parts) == {"critic", "told_apart", "generator"}
    assert torch.isclose(loss.total, loss.parts["critic"] + loss.parts["generator"])


def test_told_apart_counts_the_pairs_in_which_the_real_image_scores_higher() -> None:
    class Brightness(nn.Module):
        def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
            return x.flatten(1).mean(dim=1)

    gan = small()
    gan.critic = Brightness()  # type: ignore[assignment]
    with torch.no_grad():
        assert gan.critic_loss(torch.ones(6, *SHAPE)).parts["told_apart"] == 1
        assert gan.critic_loss(torch.zeros(6, *SHAPE)).parts["told_apart"] == 0


# --- the critic and the rest of its batch ----------------------------------------------------------------------------


def test_a_score_does_not_depend_on_the_batch_unless_batch_normalisation_makes_it() -> None:
    x, others = images(1), images(9, seed=1)
    differs = {}
    for batch_norm in (False, True):
        gan = small(batch_norm=batch_norm).train()
        with_bright, with_dark = (gan.critic(torch.cat([x, brightness * others]))[0] for brightness in (1.0, 0.1))
        differs[batch_norm] = abs((with_bright - with_dark).item())
    assert differs[False] < 1e-6 and differs[True] > 1e-3  # the trap: a fake is scored by its company


def test_batch_normalisation_stands_where_dcgan_has_it() -> None:
    def count(network: nn.Module) -> int:
        return sum(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())

    assert count(small().critic) == 0
    dcgan = small(batch_norm=True)
    assert count(dcgan.critic) == 1 and count(dcgan.generator) == 1
    assert all(layer.eps < 1e-3 for layer in dcgan.modules() if isinstance(layer, nn.BatchNorm2d))


def test_what_batch_normalisation_remembers_reaches_the_average(tiny: lab.ImageData) -> None:
    gan = small(batch_norm=True, penalty=0.0, game="non_saturating")
    lab.fit(gan, tiny, steps=5, **QUIET)
    assert same([*gan.decoder.buffers()], [*gan.generator.buffers()])
    z = torch.randn(4, 3, generator=seeded())
    assert torch.allclose(gan.decode(z)[:1], gan.decode(z[:1]), atol=1e-6)  # an image alone is the same image


# --- the average -----------------------------------------------------------------------------------------------------


def test_the_average_of_one_and_of_two_steps_by_hand() -> None:
    gan = small(average=0.99)
    first = [p.clone() for p in gan.generator.parameters()]
    gan.start_from(images())
    start = [p.clone() for p in gan.generator.parameters()]
    assert len(first) == len(start) and same(start, list(gan.decoder.parameters()))
    average = start
    for step in (1, 2):
        with torch.no_grad():
            for parameter in gan.generator.parameters():
                parameter += step
        gan.after_step(step, 10)
        # quick at first: decay 1/10, then 2/11
        decay = step / (step + 9)
        now = list(gan.generator.parameters())
        average = [decay * a + (1 - decay) * p for a, p in zip(average, now, strict=True)]
        assert all(torch.allclose(a, b) for a, b in zip(gan.decoder.parameters(), average, strict=True))
    gan.after_step(10**6, 10**6)  # later: the decay given
    now = list(gan.generator.parameters())
    average = [0.99 * a + 0.01 * p for a, p in zip(average, now, strict=True)]
    assert all(torch.allclose(a, b) for a, b in zip(gan.decoder.parameters(), average, strict=True))


def test_images_come_from_the_average_or_with_none_from_the_last_weights(tiny: lab.ImageData) -> None:
    z = torch.randn(4, 3, generator=seeded())
    for average, alike in ((0.0, True), (0.99, False)):
        gan = small(average=average)
        lab.fit(gan, tiny, steps=4, **QUIET)
        assert torch.equal(gan.decode(z), torch.sigmoid(gan.decoder(z)))
        assert torch.allclose(gan.decode(z), torch.sigmoid(gan.generator(z)), atol=1e-6) == alike


def test_it_starts_at_the_images_brightness_with_weights_that_pass_a_signal_on() -> None:
    gan, bright = small(), 0.3 * images(50)
    gan.start_from(bright)
    assert same(state(gan.generator), state(gan.decoder))
    last = [layer for layer in gan.generator.modules() if isinstance(layer, nn.ConvTranspose2d)][-1]
    assert last.bias is not None and torch.allclose(last.bias.sigmoid(), bright.mean().expand(1))
    for layer in gan.modules():
        if isinstance(layer, nn.Linear) and layer.weight.numel() > 100:
            widest = math.sqrt(6 / layer.in_features)  # uniform with variance 2 / fan-in
            assert 0.9 * widest < layer.weight.abs().max() <= widest


# --- classes ---------------------------------------------------------------------------------------------------------


def test_labels_reach_both_networks() -> None:
    gan, x, labels = small(classes=10), images(), digits_asked(6)
    others = (labels + 1) % 10
    assert not torch.allclose(repeatably(gan.fake, 6, labels), repeatably(gan.fake, 6, others))
    scores = [gan.critic(x, gan.one_hot(which, 6)) for which in (labels, others)]
    assert not torch.allclose(*scores)
    assert torch.equal(gan.one_hot(labels, 6), torch.eye(10)[labels])


def test_fit_passes_each_image_its_own_label(tiny: lab.ImageData) -> None:
    both = zip(tiny.train.images, tiny.train.labels, strict=True)
    label_of = {image.numpy().tobytes(): int(label) for image, label in both}
    seen: list[bool] = []

    class Spy(lab.GAN):
        def critic_loss(self, x: Tensor, target: Tensor | None = None, condition: Tensor | None = None) -> Any:
            assert condition is not None
            if torch.is_grad_enabled():
                seen.extend(label_of[image.numpy().tobytes()] == int(n) for image, n in zip(x, condition, strict=True))
            return super().critic_loss(x, target, condition)

    lab.fit(Spy(3, classes=10, **SMALL), tiny, steps=4, **QUIET)
    assert len(seen) == 200 and all(seen)


def test_a_conditional_gan_draws_what_is_asked_for_and_asks_for_labels() -> None:
    gan = small(classes=10)
    assert gan.sample(5, condition=torch.full((5,), 3)).shape == (5, *SHAPE) and not gan.decodes
    for labels in (None, torch.tensor([3]), torch.tensor([0, 1, 2, 3, 10]), torch.tensor([-1, 0, 0, 0, 0])):
        with pytest.raises(ValueError, match=r"needs condition= of shape \(5,\).*torch\.full"):
            gan.sample(5, condition=labels)
    with pytest.raises(ValueError, match="condition="):
        gan.loss(images())
    with pytest.raises(ValueError, match="whole numbers"):
        gan.sample(2, condition=torch.tensor([0.5, 1.0]))


# --- a generator is no autoencoder -----------------------------------------------------------------------------------


def test_it_says_that_it_has_no_encoder(tiny: lab.ImageData) -> None:
    gan = small()
    for verb in ("encode", "reconstruct"):
        with pytest.raises(AttributeError, match=rf"GAN\(3\) has no {verb}; it has decode\(z\) and sample\(n\)"):
            getattr(gan, verb)
    with pytest.raises(AttributeError, match="has no reconstruct"):
        lab.metrics.mse(gan, tiny.test)


def test_samples_are_images_that_depend_on_the_generator_given() -> None:
    gan = small()
    a, b, c = (gan.sample(7, seeded(seed)) for seed in (0, 0, 1))
    assert a.shape == (7, *SHAPE) and a.min() >= 0 and a.max() <= 1 and not a.requires_grad
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert gan.sample(0).shape == (0, *SHAPE)
    with pytest.raises(ValueError, match=r"codes of shape \(B, 3\)"):
        gan.decode(torch.zeros(2, 4))


def test_the_explorer_shows_it_without_a_map(tiny: lab.ImageData) -> None:
    gan = small()
    lab.fit(gan, tiny, steps=4, **QUIET)
    (model,) = lab.explore(gan, tiny, count=20).scene["models"]
    assert model["decodes"] and not model["encodes"] and model["prior"]


# --- training --------------------------------------------------------------------------------------------------------


def test_a_seed_makes_the_same_gan_again_and_another_another(tiny: lab.ImageData) -> None:
    runs = []
    for seed in (0, 0, 1):
        gan = small(classes=10)
        runs.append((lab.fit(gan, tiny, steps=6, seed=seed, **QUIET), state(gan)))
    assert runs[0][0] == runs[1][0] and same(runs[0][1], runs[1][1])
    assert runs[0][0] != runs[2][0] and not same(runs[0][1], runs[2][1])


def test_a_killed_run_goes_on_along_the_same_curve(tiny: lab.ImageData, tmp_path: Path) -> None:
    whole = small()
    expected = lab.fit(whole, tiny, steps=14, **QUIET)
    first, file = small(), tmp_path / "gan.pt"
    lab.fit(first, tiny, steps=14, checkpoint=file, callbacks=[lambda model, history: True], **QUIET)
    again = small()
    history = lab.fit(again, tiny, steps=14, checkpoint=file, **QUIET)
    assert history == expected and same(state(again), state(whole))
    with pytest.raises(ValueError, match="another run"):
        lab.fit(small(game="hinge"), tiny, steps=14, checkpoint=file, **QUIET)


def test_history_has_both_sides_and_no_squared_error(tiny: lab.ImageData) -> None:
    history = lab.fit(small(), tiny, steps=8, **QUIET)
    assert set(history.val) == {"total", "critic", "told_apart", "generator"} == set(history.train)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (1, 9, 14), (1, 28, 28)])
def test_any_image_shape_comes_out_as_it_went_in(shape: tuple[int, int, int]) -> None:
    gan = lab.GAN(3, image_shape=shape, width=4, hidden=16)
    assert gan.sample(2).shape == (2, *shape)
    x = torch.rand(2, *shape)
    for parameters, loss in gan.steps():
        gradients = torch.autograd.grad(loss(x).total, parameters)
        assert all(gradient.isfinite().all() for gradient in gradients)
    with pytest.raises(ValueError, match=r"image_shape=data\.shape"):
        gan.loss(torch.rand(2, 2, *shape[1:]))


# --- wrong input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_batch_of_one_is_a_batch(batch_norm: bool) -> None:
    gan = small(batch_norm=batch_norm)  # normalised over the pixels, where there is one image
    for parameters, loss in gan.train().steps():
        gradients = torch.autograd.grad(loss(images(1)).total, parameters)
        assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("settings", [{}, {"batch_norm": True, "penalty": 0.0, "game": "non_saturating"}])
@pytest.mark.parametrize("brightness", [0.0, 0.5, 1.0])
def test_constant_images_train_to_something_finite(
    tiny: lab.ImageData, settings: dict[str, Any], brightness: float
) -> None:
    gan = small(**settings)
    history = lab.fit(gan, tiny.map(lambda x: torch.full_like(x, brightness)), steps=12, **QUIET)
    assert all(map(math.isfinite, itertools.chain(*history.train.values(), *history.val.values())))
    assert gan.sample(4).isfinite().all()


def test_images_it_cannot_draw_are_refused() -> None:
    gan = small()
    with pytest.raises(ValueError, match="divide by 255"):
        gan.loss((255 * images()).byte())
    for wrong in (255 * images(), images() - 0.5):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            gan.loss(wrong)
    assert small(output="tanh").loss(2 * images() - 1).total.isfinite()
    assert small(output="linear").loss(9 * images()).total.isfinite()


def test_a_learning_rate_too_large_stops_with_the_cause_and_the_old_weights(tiny: lab.ImageData) -> None:
    gan = small()
    before = state(gan)
    with pytest.raises(TrainingDiverged, match="learning rate"):
        lab.fit(gan, tiny, steps=60, learning_rate=1e20, **QUIET)
    assert same(state(gan), before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"game": "zero_sum"}, "game must be one of 'relativistic'"),
        ({"penalty": -1.0}, "penalty must be a number ≥ 0"),
        ({"penalty": math.nan}, "penalty must be a number ≥ 0"),
        ({"average": 1.0}, r"decay in \[0, 1\)"),
        ({"classes": 1}, "at least 2, or 0"),
        ({"latent": 0}, "at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lab.GAN(**{"latent": 3} | settings)


def test_print_names_what_was_set() -> None:
    assert "game='hinge', penalty=0.5" in str(small(game="hinge", penalty=0.5))
    assert copy.deepcopy(small()).label == "GAN(3)"
