"""The check of a VAE of one's own: right ones in many styles pass, wrong draws and losses are named."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

import autoencoder_lab as lab
from autoencoder_lab import checks

Function = Callable[..., Any]
SHAPE = (1, 28, 28)


def gaussian_kl(mu: Tensor, log_var: Tensor) -> Tensor:
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(dim=1)


class Right(nn.Module):
    """The network of the notebook, filled in."""

    def __init__(self, latent: int = 2) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 2 * latent))
        self.decoder = nn.Sequential(
            nn.Linear(latent, 32), nn.ReLU(), nn.Linear(32, 784), nn.Sigmoid(), nn.Unflatten(1, SHAPE)
        )

    def posterior(self, x: Tensor) -> Any:
        return self.encoder(x).chunk(2, dim=1)

    def draw(self, mu: Tensor, log_var: Tensor) -> Any:
        return mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)

    def loss(self, x: Tensor) -> Any:
        mu, log_var = self.posterior(x)
        x_hat = self.decode(self.draw(mu, log_var))
        return ((x - x_hat).square().sum(dim=(1, 2, 3)) + gaussian_kl(mu, log_var)).mean()

    def encode(self, x: Tensor) -> Tensor:
        mu: Tensor = self.posterior(x)[0]
        return mu

    def decode(self, z: Tensor) -> Any:
        return self.decoder(z)

    def forward(self, x: Tensor) -> Any:
        return self.decode(self.encode(x))


def drawing(draw: Function, **more: Any) -> type:
    return type("Mine", (Right,), {"draw": lambda self, mu, log_var: draw(mu, log_var)} | more)


def losing(loss: Callable[[Tensor, Tensor, Tensor, Tensor], Any], **more: Any) -> type:
    """With this loss of (x, x̂, μ, log σ²)."""

    def own(self: Any, x: Tensor) -> Any:
        mu, log_var = self.posterior(x)
        return loss(x, self.decode(self.draw(mu, log_var)), mu, log_var)

    return type("Mine", (Right,), {"loss": own} | more)


def squared(x: Tensor, x_hat: Tensor) -> Tensor:
    return (x - x_hat).pow(2).sum() / len(x)


class TwoHeads(Right):
    """Another style: a head each, log σ² clamped, a distribution that draws and knows its KL; no draw of its own."""

    def __init__(self, latent: int = 3) -> None:
        super().__init__(latent)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.Tanh())
        self.to_mu, self.to_log_var = nn.Linear(16, latent), nn.Linear(16, latent)

    def posterior(self, x: Tensor) -> Any:
        h = self.encoder(x)
        return self.to_mu(h), self.to_log_var(h).clamp(-8, 8)

    def loss(self, x: Tensor) -> Any:
        mu, log_var = self.posterior(x)
        q = Normal(mu, log_var.exp().sqrt())
        error = F.mse_loss(self.decoder(q.rsample()), x, reduction="sum")
        return (error + kl_divergence(q, Normal(0.0, 1.0)).sum()) / x.shape[0]


class Softplus(Right):
    """σ by softplus; posterior says log σ², as it is asked to."""

    def posterior(self, x: Tensor) -> Any:
        mu, raw = self.encoder(x).chunk(2, dim=1)
        return mu, 2 * (F.softplus(raw) + 1e-6).log()


class SigmaItself(Softplus):
    """σ by softplus, and posterior gives σ."""

    def posterior(self, x: Tensor) -> Any:
        mu, raw = self.encoder(x).chunk(2, dim=1)
        return mu, F.softplus(raw)

    def draw(self, mu: Tensor, sigma: Tensor) -> Any:
        return torch.addcmul(mu, sigma, torch.randn(mu.shape))

    def loss(self, x: Tensor) -> Any:
        mu, sigma = self.posterior(x)
        kl = (0.5 * (mu**2 + sigma**2 - 1) - torch.log(sigma)).sum(1)
        return ((self.decode(self.draw(mu, sigma)) - x) ** 2).flatten(1).sum(1).add(kl).mean()


class ByOneDraw(Right):
    """The KL estimated at the draw, and three draws an image."""

    def loss(self, x: Tensor) -> Any:
        mu, log_var = self.posterior(x)
        q, total = Normal(mu, torch.exp(log_var / 2)), torch.zeros(())
        for _ in range(3):
            z = q.rsample()
            total = total + squared(x, self.decode(z))
            total = total + (q.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum() / len(x)
        return total / 3


class InTheCall(Right):
    """The call draws while training, and reconstructs from μ at test; the loss goes through it."""

    def forward(self, x: Tensor) -> Any:
        mu, log_var = self.posterior(x)
        return self.decode(self.draw(mu, log_var) if self.training else mu)

    def loss(self, x: Tensor) -> Any:
        return squared(x, self(x)) + gaussian_kl(*self.posterior(x)).mean()


@pytest.mark.parametrize(
    "right",
    [
        Right,
        Right(),
        lambda: Right(5),
        drawing(lambda mu, log_var: torch.normal(mu * 0, log_var.exp().sqrt() * 0 + 1) * log_var.exp() ** 0.5 + mu),
        drawing(lambda mu, log_var: mu + log_var.exp().sqrt() * torch.normal(0.0, 1.0, mu.shape)),
        drawing(lambda mu, log_var: Normal(mu, (log_var / 2).exp()).rsample()),
        losing(lambda x, y, m, s: F.binary_cross_entropy(y, x, reduction="sum") / len(x) + gaussian_kl(m, s).mean()),
        losing(lambda x, y, m, s: squared(x, y) - 0.5 * (1 + s - m.square() - s.exp()).sum() / len(x)),
        TwoHeads,
        Softplus,
        ByOneDraw,
        InTheCall,
    ],
)
def test_right(right: Any, capsys: pytest.CaptureFixture[str]) -> None:
    network = right() if not isinstance(right, type | nn.Module) else right
    before = torch.random.get_rng_state()
    made = checks.own_vae(network)
    shown = capsys.readouterr().out
    assert shown.startswith("✓ own_vae") and "though" not in shown and isinstance(made, nn.Module)
    assert torch.equal(torch.random.get_rng_state(), before), "a check draws nothing from the notebook's stream"


def test_sigma_in_place_of_its_logarithm_is_right_and_told_what_the_figures_read(capsys) -> None:
    assert checks.own_vae(SigmaItself) is not None
    assert "Your posterior gives σ, though" in capsys.readouterr().out


SHARED = torch.randn(1, 2, generator=torch.Generator().manual_seed(3))


def seeded(mu: Tensor, log_var: Tensor) -> Tensor:
    torch.manual_seed(1)
    return mu + (log_var / 2).exp() * torch.randn_like(mu)


def frozen(mu: Tensor, log_var: Tensor) -> Tensor:
    with torch.no_grad():
        return mu + (log_var / 2).exp() * torch.randn_like(mu)


def in_numpy(mu: Tensor, log_var: Tensor) -> Tensor:
    return torch.as_tensor(mu.numpy() + torch.randn_like(mu).numpy())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (drawing(lambda m, s: m + s.exp() * torch.randn_like(m)), "the variance σ².*The KL has it right"),
        (drawing(lambda m, s: m + s * torch.randn_like(m)), "log_var is taken for σ"),
        (drawing(lambda m, s: m + 0.5 * s * torch.randn_like(m)), "its exp is missing"),
        (drawing(lambda m, s: m + 0.5 * s.exp() * torch.randn_like(m)), "σ² halved"),
        (drawing(lambda m, s: m + (2 * s).exp() * torch.randn_like(m)), "σ⁴"),
        (drawing(lambda m, s: m + torch.randn_like(m)), "not scaled by σ"),
        (drawing(lambda m, s: m + (s / 2).exp() * torch.randn(1, m.shape[1])), "images of a batch share one ε"),
        (drawing(lambda m, s: m + (s / 2).exp() * torch.randn(len(m), 1)), "numbers of one code share"),
        (drawing(lambda m, s: m + (s / 2).exp() * SHARED), "same noise"),
        (drawing(seeded), "same noise"),
        (drawing(lambda m, s: m), "no noise in z"),
        (drawing(lambda m, s: m + (s / 2).exp()), "same noise"),
        (drawing(lambda m, s: (s / 2).exp() * torch.randn_like(m)), "centred on 0"),
        (drawing(lambda m, s: m + (s / 2).exp() * torch.rand_like(m)), "mean of many draws"),
        (drawing(lambda m, s: m + (s / 2).exp() * (torch.rand_like(m) - 0.5) * 12**0.5), "not Gaussian"),
        (drawing(lambda m, s: Normal(m, (s / 2).exp()).sample()), "A distribution's sample() and"),
        (drawing(lambda m, s: torch.normal(m, (s / 2).exp())), "torch.normal(mu, sigma) let none"),
        (drawing(frozen), "passes through the draw"),
        (drawing(lambda m, s: m + (s.detach() / 2).exp() * torch.randn_like(m)), "draw to log_var"),
        (drawing(lambda m, s: m.detach() + (s / 2).exp() * torch.randn_like(m)), "draw to mu"),
        (drawing(in_numpy), "NumPy lets no gradient through"),
        (losing(lambda x, y, m, s: squared(x, y)), "KL is missing"),
        (losing(lambda x, y, m, s: gaussian_kl(m, s).mean()), "reconstruction is missing"),
        (losing(lambda x, y, m, s: F.mse_loss(x, y) + gaussian_kl(m, s).mean()), "averaged over pixels"),
        (losing(lambda x, y, m, s: squared(x, y) + gaussian_kl(m, s).mean() / 2), "half as much|averaged over the dim"),
        (losing(lambda x, y, m, s: squared(x, y) - gaussian_kl(m, s).mean()), "subtracted"),
        (losing(lambda x, y, m, s: squared(x, y) + 2 * gaussian_kl(m, s).mean()), "½ of the KL is missing"),
        (losing(lambda x, y, m, s: squared(x, y) + gaussian_kl(m, s).sum()), "KL is summed over the images"),
        (losing(lambda x, y, m, s: len(x) * squared(x, y) + gaussian_kl(m, s).sum()), "summed over the images"),
        (losing(lambda x, y, m, s: squared(x, y) / 2 + gaussian_kl(m, s).mean()), "is halved"),
        (losing(lambda x, y, m, s: squared(x, y) + gaussian_kl(m, 2 * s).mean()), "log σ²; .*|mixed|draw takes"),
        (losing(lambda x, y, m, s: squared(x, y) + gaussian_kl(m, s).mean().detach()), "sends no gradient back"),
        (losing(lambda x, y, m, s: squared(x, y) + gaussian_kl(m, s.log()).mean()), "logarithm of a negative"),
        (losing(lambda x, y, m, s: (x - y).square().flatten(1).sum(1) + gaussian_kl(m, s)), "one number for each"),
        (losing(lambda x, y, m, s: float(squared(x, y) + gaussian_kl(m, s).mean())), "tensor of one number"),
        (losing(lambda x, y, m, s: (squared(x, y) + gaussian_kl(m, s).mean()).detach()), "no gradient comes back"),
        (losing(lambda x, y, m, s: squared(x, y) + gaussian_kl(m, s).mean() + 3), "your loss is"),
        (type("Mine", (Right,), {"forward": lambda self, x: self.decode(self.draw(*self.posterior(x)))}), "test time"),
        (type("Mine", (Right,), {"posterior": lambda self, x: self.encoder(x)}), "two tensors"),
        (type("Mine", (Right,), {"loss": lambda self, x: self.encoder(x).sum()}), "decodes no code"),
        (nn.Linear, "stops when it is made"),
        (nn.Identity, "has no posterior"),
        (3, "derived from nn.Module"),
        (type("Mine", (Right,), {"loss": lambda self, x: x.total()}), "stops with AttributeError"),
    ],
)
def test_wrong(wrong: Any, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=re.escape(message) if "(" in message else message):
        checks.own_vae(wrong)


@pytest.mark.parametrize(
    "stub",
    [
        None,
        ...,
        type("Mine", (Right,), {"draw": lambda self, mu, log_var: ...}),
        type("Mine", (Right,), {"draw": lambda self, mu, log_var: None, "loss": lambda self, x: None}),
        type("Mine", (Right,), {"loss": lambda self, x: ...}),
    ],
)
def test_not_done_yet(stub: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert checks.own_vae(stub) is None
    shown = capsys.readouterr().out
    assert "not done yet" in shown and "✓" not in shown


def test_what_passes_is_trained_by_its_own_loss() -> None:
    torch.manual_seed(0)
    data, mine = lab.load("mnist-5k", n=200), checks.own_vae(Right)
    history = lab.fit(mine, data, steps=40, progress=False)
    assert history.train["total"][-1] < 0.8 * history.train["total"][0] and "mse" in history.val
    with torch.no_grad():
        mu, log_var = mine.posterior(data.val.images)
        told = float((mu.var(dim=0) / log_var.exp().mean(dim=0)).max())
    assert told > 0.1, "its code tells pictures apart"
