"""The VAE and its relatives: densities against torch.distributions, known optima, and the usual mistakes."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import seeded
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

import autoencoder_lab as lab
from autoencoder_lab import losses
from autoencoder_lab.models.construction import fingerprint

SHAPE = (1, 8, 8)
SMALL: dict[str, Any] = {"image_shape": SHAPE, "width": 4, "hidden": 16}
QUIET: dict[str, Any] = {"progress": False}
KINDS: dict[str, dict[str, Any]] = {
    "bernoulli": {},
    "grey": {"binarise": False},
    "gaussian": {"likelihood": "gaussian", "sigma": 0.3},
    "learned": {"likelihood": "gaussian"},
}


def small(**settings: Any) -> lab.VAE:
    """A VAE with three latent dimensions in double precision, always with the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return lab.VAE(3, **SMALL | settings).double()


def black_and_white(count: int = 5) -> Tensor:
    """Images that binarising leaves as they are."""
    return (torch.rand((count, *SHAPE), generator=seeded(), dtype=torch.double) > 0.5).double()


def taken(model: lab.VAE, x: Tensor, seed: int = 0) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return model.loss(x)


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> Any:
    """noise(ε): from now on the loss draws this ε."""

    def fix(epsilon: Tensor) -> None:
        monkeypatch.setattr(torch, "randn", lambda *shape, **settings: epsilon)
        monkeypatch.setattr(torch, "randn_like", lambda mu: epsilon)

    return fix


class Says(nn.Module):
    """An encoder that answers (μ, log σ²) whatever it sees, or a decoder that draws one picture whatever the code."""

    def __init__(self, answer: Tensor, learns: bool = True) -> None:
        super().__init__()
        self.answer = nn.Parameter(answer, requires_grad=learns)

    def forward(self, x: Tensor) -> Tensor:
        return self.answer.expand(len(x), *self.answer.shape)


# --- densities -------------------------------------------------------------------------------------------------------


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.double)


def test_densities_are_those_of_torch_distributions() -> None:
    x, mean, log_var = values(7, 4), values(7, 4, seed=1), values(7, 4, seed=2)
    scale = torch.exp(log_var / 2)
    assert torch.allclose(losses.gaussian_log_density(x, mean, log_var), Normal(mean, scale).log_prob(x), rtol=1e-12)
    standard = Normal(torch.zeros(4).double(), 1.0)
    closed = kl_divergence(Normal(mean, scale), standard)
    assert torch.allclose(losses.gaussian_kl(mean, log_var), closed, rtol=1e-12)
    coin = (x > 0).double()
    assert torch.allclose(losses.bernoulli_log_density(coin, mean), Bernoulli(logits=mean).log_prob(coin), rtol=1e-12)


def test_kl_is_the_mean_of_log_q_minus_log_p() -> None:
    mu, log_var = torch.tensor([0.7, -2.0]).double(), torch.tensor([-1.0, 0.8]).double()
    z = mu + torch.exp(log_var / 2) * values(200_000, 2)
    draws = losses.gaussian_log_density(z, mu, log_var) - losses.gaussian_log_density(z, 0 * mu, 0 * mu)
    error = draws.std(dim=0) / len(z) ** 0.5
    assert ((draws.mean(dim=0) - losses.gaussian_kl(mu, log_var)).abs() < 4 * error).all()
    nothing = torch.zeros(3)
    assert (losses.gaussian_kl(nothing, nothing) == 0).all() and (losses.gaussian_kl(values(99), values(99)) > 0).all()


@pytest.mark.parametrize(
    ("density", "inputs"),
    [
        (losses.gaussian_kl, 2),
        (losses.gaussian_log_density, 3),
        (lambda logits: losses.bernoulli_log_density((values(3, 2, seed=9) > 0).double(), logits), 1),
    ],
)
def test_densities_have_the_right_gradient(density: Any, inputs: int) -> None:
    arguments = tuple(values(3, 2, seed=i).requires_grad_() for i in range(inputs))
    assert torch.autograd.gradcheck(density, arguments) and torch.autograd.gradgradcheck(density, arguments)


def test_extreme_logits_stay_finite() -> None:
    logits, coin = torch.tensor([-1e4, 1e4, -1e4, 1e4]), torch.tensor([0.0, 1.0, 1.0, 0.0])
    assert losses.bernoulli_log_density(coin, logits).tolist() == [0, 0, -1e4, -1e4]


# --- the loss --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_loss_is_minus_elbo_by_torch_distributions(kind: str, noise: Any) -> None:
    model, x, epsilon = small(**KINDS[kind]), black_and_white(), values(5, 3)
    if kind == "learned":
        nn.init.constant_(model.log_sigma, -0.4)
    noise(epsilon)
    loss = model.loss(x)
    mu, log_var = model.encoder(x).chunk(2, dim=1)
    q = Normal(mu, log_var.exp().sqrt())
    logits = model.decoder(mu + q.scale * epsilon)
    p = Normal(torch.sigmoid(logits), model.log_sigma.exp()) if "sigma" in KINDS[kind] or kind == "learned" else None
    log_p = (Bernoulli(logits=logits) if p is None else p).log_prob(x).sum(dim=(1, 2, 3))
    kl = kl_divergence(q, Normal(torch.zeros_like(mu), 1.0)).sum(dim=1)
    assert torch.isclose(loss.total, -(log_p - kl).mean(), rtol=1e-10)
    assert torch.isclose(loss.parts["reconstruction"], -log_p.mean(), rtol=1e-10)
    assert torch.isclose(loss.parts["kl"], kl.mean(), rtol=1e-10)


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("model", [lab.VAE, lab.MixturePriorVAE])
def test_duplicating_the_batch_changes_nothing(model: Any, kind: str, noise: Any) -> None:
    vae, x, epsilon = model(3, **SMALL, free_bits=0.01, **KINDS[kind]).double(), black_and_white(), values(5, 3)
    noise(epsilon)
    once = vae.loss(x)
    noise(epsilon.repeat(4, 1))
    again = vae.loss(x.repeat(4, 1, 1, 1))
    for a, b in ((once.total, again.total), *zip(once.parts.values(), again.parts.values(), strict=True)):
        assert torch.isclose(a, b, rtol=1e-10)


@pytest.mark.parametrize("training", [True, False])
def test_beta_weighs_the_kl_and_nothing_else(training: bool) -> None:
    x = torch.rand((6, *SHAPE), generator=seeded(1), dtype=torch.double)
    one, two, none = (taken(small(beta=beta).train(training), x) for beta in (1.0, 2.0, 0.0))
    assert torch.isclose(two.total - one.total, one.parts["kl"], rtol=1e-9)
    assert torch.isclose(none.total, one.parts["reconstruction"], rtol=1e-12)
    assert one.parts == two.parts == none.parts  # the parts hold the KL itself, whatever β


def test_the_slides_loss_is_a_gaussian_of_variance_one_half(noise: Any) -> None:
    """Slide 003: loss = ‖x − x̂‖² + KL; −log N(x; x̂, ½I) = ‖x − x̂‖² + D/2 · log π."""
    model, x, epsilon = small(likelihood="gaussian", sigma=math.sqrt(0.5)), values(5, *SHAPE).abs(), values(5, 3)
    noise(epsilon)
    mu, log_var = model.posterior(x)
    x_hat = model.decode(mu + torch.exp(log_var / 2) * epsilon)
    slide = (x - x_hat).square().sum() / 5 + losses.gaussian_kl(mu, log_var).sum() / 5
    constant = 64 / 2 * math.log(math.pi)
    assert math.isclose((model.loss(x).total - slide).item(), constant, rel_tol=1e-6)  # √½ is kept in single precision


def test_beta_and_sigma_are_one_choice() -> None:
    """At a fixed σ, scaling the loss by 2σ² gives ‖x − x̂‖² + 2σ²β KL: (β, σ) and (β σ²/s², s) have one gradient."""
    x = torch.rand((4, *SHAPE), generator=seeded(1), dtype=torch.double)
    gradients = []
    for beta, sigma in ((1.0, 0.5), (4.0, 0.25)):
        model = small(likelihood="gaussian", beta=beta, sigma=sigma)
        total = taken(model, x).total * 2 * sigma**2
        gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(total, list(model.parameters()))]))
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-5)


@pytest.mark.parametrize("kind", ["grey", "gaussian"])
def test_encoding_is_deterministic_and_the_loss_is_not(kind: str) -> None:
    model, x = small(**KINDS[kind]), black_and_white()
    for mode in (True, False):
        model.train(mode)
        torch.manual_seed(1)
        state = torch.get_rng_state()
        code, x_hat = model.encode(x), model.reconstruct(x)
        assert torch.equal(torch.get_rng_state(), state)  # nothing was drawn
        assert torch.equal(model.encode(x), code) and torch.equal(model.reconstruct(x), x_hat)
        assert torch.equal(code, model.posterior(x)[0]) and torch.equal(model.decode(code), x_hat)
        assert model.loss(x).total != model.loss(x).total
        assert taken(model, x).total == taken(model, x).total


def test_binarisation_draws_anew_with_the_grey_values_as_probabilities() -> None:
    grey = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0]).view(5, 1, 1, 1).expand(5, 1, 40, 50)
    model = lab.VAE(2, (1, 40, 50))
    first, second = model.observe(grey, seeded()), model.observe(grey, seeded(1))
    assert set(first.unique().tolist()) == {0.0, 1.0} and not torch.equal(first, second)
    assert torch.equal(first, model.observe(grey, seeded()))
    # 2,000 pixels: standard deviation at most 0.011; margin four
    assert torch.allclose(first.mean(dim=(1, 2, 3)), grey[:, 0, 0, 0], atol=0.045)
    for other in (lab.VAE(2, binarise=False), lab.VAE(2, likelihood="gaussian")):
        assert other.observe(grey) is grey


def test_a_denoiser_sees_the_damaged_image_and_is_scored_against_the_clean_one() -> None:
    class Spy(lab.VAE):
        def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
            self.seen = x
            return super().posterior(x)

        def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
            self.scored = x
            return super().log_likelihood(x, z)

    clean, damaged = black_and_white(3).float(), 1 - black_and_white(3).float()
    spy = Spy(3, **SMALL)
    spy.loss(damaged, clean)
    assert torch.equal(spy.seen, damaged) and torch.equal(spy.scored, clean)
    grey = torch.full((3, *SHAPE), 0.5)
    spy.loss(grey)
    assert torch.equal(spy.seen, spy.scored)  # one draw of the image: what is encoded is what is scored


# --- the reparameterisation ------------------------------------------------------------------------------------------


def test_reparameterised_gradient_is_that_of_the_expectation() -> None:
    """E_q‖x − Wz‖² = ‖x − Wμ‖² + Σ_j σ_j²‖w_j‖² gives, with the KL, the gradients of μ and log σ² in closed form."""
    sigma, w, x = 0.7, values(4, 2, seed=1), values(4, seed=2)
    answer = torch.tensor([0.8, -0.3, -1.0, 0.5], dtype=torch.double)  # μ and log σ²
    model = lab.VAE(2, (1, 2, 2), likelihood="gaussian", sigma=sigma, output="linear").double()
    model.encoder, layer = Says(answer), nn.Linear(2, 4, bias=False)
    layer.weight.data = w
    model.decoder = nn.Sequential(layer, nn.Unflatten(1, (1, 2, 2)))
    mu, variance = answer[:2], answer[2:].exp()
    expected = torch.cat(
        [w.T @ (w @ mu - x) / sigma**2 + mu, 0.5 * variance * w.square().sum(dim=0) / sigma**2 + 0.5 * (variance - 1)]
    )
    torch.manual_seed(0)
    batch = x.view(1, 1, 2, 2).expand(2000, -1, -1, -1)
    found = torch.stack([torch.autograd.grad(model.loss(batch).total, [model.encoder.answer])[0] for _ in range(30)])
    error = found.std(dim=0) / 30**0.5
    assert ((found.mean(dim=0) - expected).abs() < 4 * error).all() and (error < 0.05).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [lab.VAE, lab.MixturePriorVAE])
def test_gradient_of_the_loss_matches_finite_differences(model: Any, kind: str) -> None:
    class Asked(nn.Module):
        answer: Tensor

        def forward(self, x: Tensor) -> Tensor:
            return self.answer.expand(len(x), -1)

    vae, x = model(3, **SMALL, beta=1.3, **KINDS[kind]).double(), black_and_white(2)
    vae.encoder = Asked()

    def loss(answer: Tensor) -> Tensor:
        vae.encoder.answer = answer
        return taken(vae, x).total

    assert torch.autograd.gradcheck(loss, (values(6).requires_grad_(),))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 30, 33), (1, 28, 28)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [lab.VAE, lab.MixturePriorVAE])
def test_every_parameter_takes_part_at_any_shape_and_in_a_batch_of_one(model: Any, kind: str, shape: Any) -> None:
    vae = model(4, shape, width=4, hidden=16, **KINDS[kind])
    x = torch.rand((3, *shape), generator=seeded())
    assert vae.encode(x).shape == (3, 4) and vae.reconstruct(x).shape == x.shape and vae.sample(2).shape == (2, *shape)
    assert torch.allclose(vae.reconstruct(x[1:2]), vae.reconstruct(x)[1:2], atol=1e-5)  # no batch statistics
    loss = vae.loss(x[:1]).total
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in vae.parameters())


# --- β over time -----------------------------------------------------------------------------------------------------


def test_warm_up_acts_in_training_only() -> None:
    x, model = black_and_white(), small(beta=3.0)
    model.after_step(10, 200)  # a quarter of the first fifth
    assert model.warmth == 0.25
    parts = taken(model, x).parts
    for mode, beta in ((True, 0.75), (False, 3.0)):
        total = taken(model.train(mode), x).total
        assert torch.isclose(total, parts["reconstruction"] + beta * parts["kl"], rtol=1e-6)


@pytest.mark.parametrize(
    ("warm_up", "expected"),
    [(0.5, [0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1]), (0.0, [1] * 10), (1.0, [step / 10 for step in range(10)])],
)
def test_beta_rises_from_0_over_its_share_of_the_steps(
    warm_up: float, expected: list[float], tiny: lab.ImageData
) -> None:
    charged: list[float] = []

    class Spy(lab.VAE):
        def loss(self, x: Tensor, target: Tensor | None = None) -> Any:
            loss = super().loss(x, target)
            if self.training:
                charged.append(((loss.total - loss.parts["reconstruction"]) / loss.parts["kl"]).item())
            return loss

    spy = Spy(
        3, **SMALL, warm_up=warm_up, likelihood="gaussian", sigma=10.0
    )  # a small loss, so the difference is exact
    lab.fit(spy, tiny, steps=10, **QUIET)
    assert charged == pytest.approx(expected, abs=0.02)
    again = len(charged)
    lab.fit(spy, tiny, steps=10, initialise=True, **QUIET)
    assert charged[again:] == charged[:again]


def test_a_run_stopped_in_its_warm_up_resumes_on_the_same_curve(tiny: lab.ImageData, tmp_path: Path) -> None:
    def stop(model: nn.Module, history: lab.History) -> None:
        if len(history.step) == 2:
            raise KeyboardInterrupt

    recipe: dict[str, Any] = {"epochs": 5, "seed": 3, "checkpoint": tmp_path / "run.pt", **QUIET}
    for model in (lab.VAE, lab.MixturePriorVAE):
        stopped, resumed, straight = (model(3, **SMALL, warm_up=0.9) for _ in range(3))
        lab.fit(stopped, tiny, **recipe, callbacks=[stop])
        history = lab.fit(resumed, tiny, **recipe)
        recipe["checkpoint"] = None
        assert history == lab.fit(straight, tiny, **recipe)
        assert fingerprint(resumed) == fingerprint(straight) and resumed.warmth == straight.warmth == 1
        recipe["checkpoint"] = tmp_path / "other.pt"


@pytest.mark.parametrize(
    "other",
    [
        {"beta": 2.0},
        {"free_bits": 0.1},
        {"warm_up": 0.5},
        {"binarise": False},
        {"likelihood": "gaussian", "sigma": 0.1},
    ],
    ids=str,
)
def test_the_checkpoint_of_another_objective_is_refused(
    other: dict[str, Any], tiny: lab.ImageData, tmp_path: Path
) -> None:
    path = tmp_path / "run.pt"
    lab.fit(lab.VAE(3, **SMALL), tiny, steps=3, checkpoint=path, **QUIET)
    with pytest.raises(ValueError, match="belongs to another run"):
        lab.fit(lab.VAE(3, **SMALL, **other), tiny, steps=3, checkpoint=path, **QUIET)


def test_free_bits_cost_nothing_and_push_nowhere_below_the_floor() -> None:
    x = black_and_white()
    answer = torch.tensor([2.0, 0.1, 0.1, 0.0, 0.0, 0.1], dtype=torch.double)  # KL 2, 0.005 and about 0.01 nats
    model, plain = small(free_bits=0.5), small()
    model.encoder, plain.encoder = Says(answer), Says(answer.clone())
    loss = taken(model, x)
    kl = losses.gaussian_kl(answer[:3], answer[3:])
    assert torch.isclose(loss.parts["kl"], kl.sum()) and kl[1:].max() < 0.5 < kl[0]
    assert torch.isclose(loss.total - loss.parts["reconstruction"], kl[0] + 2 * 0.5)
    pushed = torch.autograd.grad(loss.total, model.encoder.answer, retain_graph=True)[0]
    pushed = pushed - torch.autograd.grad(loss.parts["reconstruction"], model.encoder.answer)[0]
    assert torch.allclose(
        pushed, torch.tensor([2.0, 0, 0, 0, 0, 0]).double(), atol=1e-12
    )  # d KL/dμ = μ, d/d log σ² = 0


# --- what training arrives at ----------------------------------------------------------------------------------------


def test_learned_sigma_arrives_at_the_mean_squared_error(tiny: lab.ImageData) -> None:
    """−log N(x; x̂, σ²) is smallest at σ² = MSE (Rybkin et al., 2021): here with a decoder that draws one grey."""
    model = lab.VAE(3, **SMALL, likelihood="gaussian", beta=0.0)
    model.encoder, model.decoder = Says(torch.zeros(6), learns=False), Says(torch.zeros(SHAPE), learns=False)
    mse = (tiny.train.images - 0.5).square().mean().item()
    lab.fit(model, tiny, steps=300, batch_size=200, learning_rate=0.05, initialise=False, **QUIET)
    assert math.isclose((2 * model.log_sigma).exp().item(), mse, rel_tol=1e-3)
    loss = model.loss(tiny.train.images).total
    assert math.isclose(loss.item(), 64 / 2 * (math.log(2 * math.pi * mse) + 1), rel_tol=1e-4)


def test_learned_sigma_begins_at_the_error_of_the_mean_image(tiny: lab.ImageData) -> None:
    x = tiny.train.images
    model = lab.VAE(3, **SMALL, likelihood="gaussian")
    model.start_from(x)
    assert math.isclose((2 * model.log_sigma).exp().item(), (x - x.mean(dim=0)).square().mean().item(), rel_tol=1e-5)
    model.start_from(torch.full_like(x, 0.3))
    assert math.isclose((2 * model.log_sigma).exp().item(), 1e-4, rel_tol=1e-3)


@pytest.mark.slow
def test_a_linear_vae_arrives_at_probabilistic_pca() -> None:
    """Its maximum likelihood is known (Tipping and Bishop, 1999), reached by a linear VAE (Lucas et al., 2019), and
    its ELBO is the likelihood itself where W's columns are orthogonal; σ² is the mean of the discarded eigenvalues."""
    from sklearn.decomposition import PCA

    spectrum = torch.tensor([4.0, 2.0, 0.3, 0.2, 0.2, 0.1])
    flat = torch.randn(2000, 6, generator=seeded()) * spectrum.sqrt()
    flat = flat @ torch.linalg.qr(torch.randn(6, 6, generator=seeded(1))).Q + 3
    images = flat.view(-1, 1, 2, 3)
    one = lab.ImageData("gaussian", *(lab.Split(images, torch.zeros(2000).long(), ("a",), None) for _ in range(3)))
    model = lab.VAE(2, (1, 2, 3), likelihood="gaussian", output="linear")
    model.encoder = nn.Sequential(nn.Flatten(), nn.Linear(6, 4))
    model.decoder = nn.Sequential(nn.Linear(2, 6), nn.Unflatten(1, (1, 2, 3)))
    lab.fit(model, one, steps=2000, batch_size=250, learning_rate=0.02, initialise=True, **QUIET)
    reference = PCA(2).fit(flat.numpy())
    best = reference.score(flat.numpy())
    found = lab.metrics.nll(model, one.test, 50)
    assert abs(found.value + best) < 0.02 and abs(lab.metrics.elbo(model, one.test).value - best) < 0.03
    assert math.isclose((2 * model.log_sigma).exp().item(), reference.noise_variance_, rel_tol=0.05)
    assert lab.metrics.principal_angles(model.decoder[0].weight, torch.tensor(reference.components_.T)).max() < 3


def test_samples_are_decoded_draws_from_the_prior() -> None:
    model = lab.VAE(3, **SMALL)
    drawn = model.sample(7, seeded(4))
    assert torch.equal(drawn, model.decode(model.sample_prior(7, seeded(4)))) and not drawn.requires_grad
    assert drawn.min() >= 0 and drawn.max() <= 1 and not torch.equal(drawn, model.sample(7, seeded(5)))
    z = model.sample_prior(20_000, seeded())
    assert z.mean(dim=0).abs().max() < 0.03 and (z.std(dim=0) - 1).abs().max() < 0.02  # four standard errors
    assert torch.allclose(model.log_prior(z), Normal(0.0, 1.0).log_prob(z).sum(dim=1), atol=1e-4)


# --- a learned prior -------------------------------------------------------------------------------------------------


def mixture_vae(components: int = 4) -> lab.MixturePriorVAE:
    model = lab.MixturePriorVAE(3, **SMALL, components=components).double()
    with torch.no_grad():
        model.prior_means.copy_(2 * values(components, 3, seed=5))
        model.prior_log_vars.copy_(values(components, 3, seed=6))
        model.prior_logits.copy_(values(components, seed=7))
    return model


def test_mixture_prior_is_that_of_torch_distributions() -> None:
    model, z = mixture_vae(), 3 * values(50, 3)
    each = Independent(Normal(model.prior_means, (model.prior_log_vars / 2).exp()), 1)
    theirs = MixtureSameFamily(Categorical(logits=model.prior_logits), each)
    assert torch.allclose(model.log_prior(z), theirs.log_prob(z), rtol=1e-10)
    drawn = model.sample_prior(40_000, seeded())
    assert not drawn.requires_grad
    error = theirs.variance.sqrt() / 40_000**0.5
    assert ((drawn.mean(dim=0) - theirs.mean).abs() < 4 * error).all()
    assert torch.allclose(drawn.var(dim=0), theirs.variance, rtol=0.06)


def test_one_component_at_n01_is_the_plain_vae_in_expectation() -> None:
    plain, mixture = small(), lab.MixturePriorVAE(3, **SMALL, components=1).double()
    with torch.no_grad():
        mixture.prior_means.zero_()
    mixture.load_state_dict(plain.state_dict(), strict=False)
    x = black_and_white(4).repeat(1000, 1, 1, 1)
    with torch.no_grad():
        one, other = taken(plain, x), taken(mixture, x)
        mu, log_var = plain.posterior(x)
        z = mu + torch.exp(log_var / 2) * values(4000, 3, seed=8)
        single = mixture.kl(mu, log_var, z)
    assert torch.isclose(one.parts["reconstruction"], other.parts["reconstruction"], rtol=1e-10)
    error = single.std().item() / 4000**0.5
    assert single.shape == (4000, 1) and abs(one.parts["kl"] - other.parts["kl"]).item() < 4 * error
    assert abs(single.mean() - one.parts["kl"]).item() < 4 * error


def test_the_prior_moves_to_where_the_codes_are(tiny: lab.ImageData) -> None:
    """Codes held in two places: a prior of two components goes there, and the KL falls to the entropy of the
    two places."""
    model = lab.MixturePriorVAE(1, **SMALL, components=2, warm_up=0)

    class TwoPlaces(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            place = (x[:, 0, 4, 4] > 0.5).float() * 6 - 3
            return torch.stack([place, torch.zeros_like(place)], dim=1)

    model.encoder, model.decoder = TwoPlaces(), Says(torch.zeros(SHAPE), learns=False)
    model.binarise = False  # or the pixel that decides would be drawn anew
    with torch.no_grad():
        model.prior_means.copy_(torch.tensor([[-0.5], [0.5]]))
    lab.fit(model, tiny, steps=600, learning_rate=0.05, initialise=False, **QUIET)
    share = (tiny.train.images[:, 0, 4, 4] > 0.5).double().mean().item()
    assert model.prior_means.flatten().tolist() == pytest.approx([-3, 3], abs=0.2)
    assert model.prior_logits.softmax(dim=0)[1].item() == pytest.approx(share, abs=0.05)
    assert model.prior_log_vars.abs().max() < 0.2
    coin = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert abs(lab.metrics.kl_per_dimension(model, tiny.train).item() - coin) < 0.1


def test_a_mixture_prior_is_drawn_anew_with_the_seed(tiny: lab.ImageData) -> None:
    a, b = (lab.MixturePriorVAE(2, **SMALL) for _ in range(2))
    assert not torch.equal(a.prior_means, b.prior_means)
    for model in (a, b):
        lab.fit(model, tiny, steps=2, seed=3, **QUIET)
    assert fingerprint(a) == fingerprint(b)


# --- a density fitted afterwards -------------------------------------------------------------------------------------


class Codes(lab.Model):
    """A stand-in autoencoder: the code is the image, flattened, and back."""

    encodes = decodes = reconstructs = True
    latent = 3

    def __init__(self) -> None:
        super().__init__(image_shape=None)

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        return z.view(len(z), 1, 1, -1)


def split_of(codes: Tensor) -> SimpleNamespace:
    return SimpleNamespace(images=codes[:, None, None])


def clusters(count: int = 1500) -> Tensor:
    """A third of the codes about (−4, 0, 0), the rest about (4, 0, 1), each cloud stretched its own way."""
    codes = torch.randn(count, 3, generator=seeded()) @ torch.tensor([[1.0, 0.5, 0], [0, 0.5, 0], [0, 0, 0.2]])
    where = (torch.arange(count) % 3 == 0)[:, None]
    return torch.where(where, codes + torch.tensor([-4.0, 0, 0]), codes.flip(1) + torch.tensor([4.0, 0, 1]))


def test_log_density_is_scikit_learn_s_score() -> None:
    from sklearn.mixture import GaussianMixture

    found = lab.LatentMixture(Codes(), 3).fit(split_of(clusters()))
    theirs = GaussianMixture(3)
    theirs.weights_, theirs.means_ = found.weights.numpy(), found.means.numpy()
    theirs.covariances_ = (found.factors @ found.factors.mT).numpy()
    theirs.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(theirs.covariances_))
    z = clusters(200) * 1.3
    density = found.log_density(z)
    assert density.dtype == torch.double and np.allclose(density.numpy(), theirs.score_samples(z.double()), rtol=1e-8)
    refit = GaussianMixture(3, random_state=0).fit(clusters().double())
    assert np.allclose(density.numpy(), refit.score_samples(z.double()), rtol=1e-3)  # up to the floor of the variances


def test_samples_have_the_mean_and_covariance_of_the_codes() -> None:
    """EM leaves a mixture whose mean and covariance are those of the data."""
    codes = clusters()
    found = lab.LatentMixture(Codes(), 2).fit(split_of(codes))
    drawn = found.sample_codes(60_000, seeded())
    assert drawn.dtype == torch.float32 and drawn.shape == (60_000, 3)
    error = codes.std(dim=0) / 60_000**0.5
    assert ((drawn.mean(dim=0) - codes.mean(dim=0)).abs() < 4 * error).all()
    assert torch.allclose(drawn.T.cov(), codes.T.cov(correction=0), atol=0.15)  # the largest entry is 15, error 0.09
    assert sorted(found.weights.tolist()) == pytest.approx([1 / 3, 2 / 3], abs=0.01)
    left = drawn[:, 0] < 0
    assert abs(left.double().mean() - 1 / 3) < 0.01
    assert torch.allclose(drawn[left].T.cov(), codes[codes[:, 0] < 0].T.cov(), atol=0.06)


def test_any_autoencoder_draws_new_images(tiny: lab.ImageData) -> None:
    for model in (lab.PCA(3).fit(tiny.train), lab.DenseAutoencoder(3, SHAPE), lab.VAE(3, **SMALL)):
        density = lab.LatentMixture(model, 4).fit(tiny.train)
        drawn = density.sample(9, seeded(2))
        assert drawn.shape == (9, *SHAPE) and not drawn.requires_grad
        assert torch.equal(drawn, density.sample(9, seeded(2))) and not torch.equal(drawn, density.sample(9, seeded(3)))
        assert torch.equal(drawn, model.decode(density.sample_codes(9, seeded(2))))


@pytest.mark.parametrize("constant", [0.0, 1.0, 1e4])
def test_constant_codes_have_a_narrow_density(constant: float) -> None:
    from sklearn.exceptions import ConvergenceWarning

    with pytest.warns(ConvergenceWarning):
        density = lab.LatentMixture(Codes(), 3).fit(split_of(torch.full((40, 2), constant)))
    drawn = density.sample_codes(50, seeded())
    assert (drawn - constant).abs().max() <= 1e-3 and density.log_density(drawn).isfinite().all()


def test_what_latent_mixture_refuses(tiny: lab.ImageData) -> None:
    with pytest.raises(TypeError, match="cannot decode a code alone"):
        lab.LatentMixture(lab.ConvAutoencoder(3, SHAPE, decoder="unpool", width=4, hidden=16))
    with pytest.raises(ValueError, match="at least 1, got 0"):
        lab.LatentMixture(Codes(), 0)
    with pytest.raises(ValueError, match="10 Gaussians need at least as many images, got 4"):
        lab.LatentMixture(Codes(), 10).fit(tiny.train[:4])
    for use in (lambda d: d.sample(3), lambda d: d.log_density(torch.zeros(1, 3))):
        with pytest.raises(RuntimeError, match=r"not fitted yet: call fit\(data.train\)"):
            use(lab.LatentMixture(Codes()))


# --- wrong input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta": -1.0}, "beta must be a number ≥ 0, got -1"),
        ({"beta": math.nan}, "beta must be a number ≥ 0, got nan"),
        ({"beta": math.inf}, "beta must be"),
        ({"free_bits": -0.1}, "free_bits must be"),
        ({"latent": 0}, "at least 1, got 0"),
        ({"likelihood": "gaussian", "sigma": 0.0}, "above 0, got 0"),
        ({"likelihood": "gaussian", "sigma": -1.0}, "above 0, got -1"),
        ({"likelihood": "gaussian", "sigma": math.nan}, "above 0, got nan"),
        ({"sigma": 0.5}, 'deviation of likelihood="gaussian"'),
        ({"warm_up": -0.1}, r"warm_up is a share of the training steps in \[0, 1\], got -0.1"),
        ({"warm_up": 20}, "got 20"),
        ({"likelihood": "poisson"}, "must be one of 'bernoulli', 'gaussian', got 'poisson'"),
        ({"output": "linear"}, 'needs output="sigmoid"'),
        ({"image_shape": (28, 28)}, r"must be \(C, H, W\)"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lab.VAE(**{"latent": 3} | settings)


@pytest.mark.parametrize("components", [0, -2])
def test_a_mixture_of_nothing_is_refused(components: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1, got {components}"):
        lab.MixturePriorVAE(3, SHAPE, components=components)


def test_images_no_bernoulli_could_have_drawn_are_named_with_their_range() -> None:
    model, x = lab.VAE(3, **SMALL), torch.rand((4, *SHAPE), generator=seeded())
    for wrong, given in ((2 * x - 1, r"\[-0\.9"), (255 * x, r"\[\d.*25\d\]")):
        with pytest.raises(ValueError, match=rf"images in \[0, 1\], got .*{given}"):
            model.loss(wrong)
    with pytest.raises(ValueError, match=r"images must be float32 .*divide by 255"):
        model.loss((255 * x).byte())
    x[1, 0, 2, 3] = math.nan
    with pytest.raises(ValueError, match=r"takes images in \[0, 1\], got \[nan, nan\]"):
        model.loss(x)
    with pytest.raises(ValueError, match=r"built for images \(B, 1, 8, 8\), got \(4, 1, 9, 9\)"):
        model.loss(torch.rand(4, 1, 9, 9))
    gaussian = lab.VAE(3, **SMALL, likelihood="gaussian")
    assert gaussian.loss(2 * torch.rand(4, *SHAPE) - 1).total.isfinite()
    with pytest.raises(ValueError, match="divide by 255"):
        gaussian.loss((255 * torch.rand(4, *SHAPE)).byte())


def like(tiny: lab.ImageData, images: Tensor) -> Any:
    labels = torch.zeros(len(images), dtype=torch.long)  # no Split, which would refuse some of these images
    part = SimpleNamespace(images=images, wanted=images, targets=None, labels=labels, condition=labels)
    return SimpleNamespace(name="other", train=part, val=part, test=part, shape=SHAPE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("model", "grey"), [(lab.VAE, 0.0), (lab.VAE, 1.0), (lab.MixturePriorVAE, 0.4)])
def test_constant_images_train_to_finite_weights(model: Any, kind: str, grey: float, tiny: lab.ImageData) -> None:
    vae = model(3, **SMALL, **KINDS[kind])
    history = lab.fit(vae, like(tiny, torch.full((20, *SHAPE), grey)), steps=12, **QUIET)
    assert all(math.isfinite(value) for values in history.train.values() for value in values)
    assert all(p.isfinite().all() for p in vae.parameters())


def test_nan_in_the_images_stops_the_training(tiny: lab.ImageData) -> None:
    images = tiny.train.images.clone()
    images[3, 0, 1, 1] = math.nan
    with pytest.raises(lab.TrainingDiverged, match="not finite at step 1 "):
        lab.fit(
            lab.VAE(3, **SMALL, likelihood="gaussian", sigma=0.1), like(tiny, images), steps=5, batch_size=200, **QUIET
        )
    with pytest.raises(ValueError, match="nan"):
        lab.fit(lab.VAE(3, **SMALL), like(tiny, images), steps=5, batch_size=200, **QUIET)


@pytest.mark.parametrize("rate", [1e3, 1e19])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [lab.VAE, lab.MixturePriorVAE])
def test_too_large_a_learning_rate_ends_in_a_clear_error_or_a_finite_loss(
    model: Any, kind: str, rate: float, tiny: lab.ImageData
) -> None:
    vae = model(3, **SMALL, **KINDS[kind])
    before = fingerprint(vae)
    try:
        history = lab.fit(vae, tiny, steps=12, learning_rate=rate, **QUIET)
    except lab.TrainingDiverged as error:
        assert "try learning_rate=" in str(error) and fingerprint(vae) == before
    else:
        assert math.isfinite(history.train["total"][-1]) and math.isfinite(history.val["total"][-1])
