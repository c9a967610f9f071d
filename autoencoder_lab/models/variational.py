"""The variational autoencoder: the code is a distribution, and codes drawn from the prior decode to new images."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn

from autoencoder_lab import arguments, losses
from autoencoder_lab.models.base import OUTPUTS, Autoencoder, Loss, Output
from autoencoder_lab.models.convolutional import begin_at_mean_brightness, pixel_layer
from autoencoder_lab.models.layers import (
    check_choice,
    check_counts,
    decoder_layers,
    encoder_layers,
)

Likelihood = Literal["bernoulli", "gaussian"]


class LatentVariableModel(Autoencoder):
    """A code and an image as two random variables: a prior p(z) = N(0, I), and p(x|z), given by the decoder.

    likelihood, sigma, binarise: what p(x|z) is, see VAE.
    """

    samples = has_prior = loss_draws = True

    decoder: nn.Module
    log_sigma: Tensor

    def __init__(
        self,
        latent: int,
        image_shape: Sequence[int],
        output: Output,
        likelihood: Likelihood,
        sigma: float | None,
        binarise: bool,
    ) -> None:
        check_choice("likelihood", likelihood, ("bernoulli", "gaussian"))
        super().__init__(latent, image_shape, output, "cross_entropy" if likelihood == "bernoulli" else "squared_error")
        if sigma is not None:
            said = 'is the standard deviation of likelihood="gaussian", above 0'
            arguments.number("sigma", sigma, said, lambda value: likelihood == "gaussian" and 0 < value < math.inf)
        self.likelihood, self.binarise = likelihood, binarise and likelihood == "bernoulli"
        log_sigma = torch.tensor(0.0 if sigma is None else math.log(sigma))
        if likelihood == "gaussian" and sigma is None:
            self.log_sigma = nn.Parameter(log_sigma)
        else:
            self.register_buffer("log_sigma", log_sigma)

    def observe(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """What p(x|z) is about: x itself, or black-and-white images drawn from grey values x in [0, 1].

        Raises ValueError where the likelihood is Bernoulli and x leaves [0, 1] or holds NaN.
        """
        x = arguments.batch(x, "images")
        if self.likelihood == "bernoulli" and not (x.min() >= 0 and x.max() <= 1):
            raise ValueError(
                f'likelihood="bernoulli" takes images in [0, 1], got [{x.min():.3g}, {x.max():.3g}]; rescale them, '
                'or use likelihood="gaussian"'
            )
        return torch.bernoulli(x, generator=generator) if self.binarise else x

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats: (B,)."""
        x, z = arguments.batch(x), self.check_codes(z)
        logits = self.decoder(z)
        if self.likelihood == "bernoulli":
            return losses.bernoulli_log_density(x, logits).flatten(1).sum(dim=1)
        return losses.gaussian_log_density(x, OUTPUTS[self.output](logits), 2 * self.log_sigma).flatten(1).sum(dim=1)

    def log_prior(self, z: Tensor) -> Tensor:
        """log p(z) in nats: (B,), here of N(0, I)."""
        z = self.check_codes(z)
        return losses.gaussian_log_density(z, torch.zeros_like(z), z.new_zeros(())).sum(dim=1)

    @torch.no_grad()
    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """n new images (n, C, H, W): codes from the prior, decoded; pixels are means, not draws."""
        return self.decode(self.sample_prior(n, generator))

    def sample_prior(self, n: int, generator: Generator | None = None) -> Tensor:
        """n codes from p(z): (n, latent)."""
        n, generator = arguments.whole("n", n, 0), arguments.generator(generator)
        return torch.randn(n, self.latent, generator=generator, device=self.trained_steps.device)

    def reset_parameters(self) -> None:
        """A learned σ begins at 1 again; the layers reset themselves."""
        if isinstance(self.log_sigma, nn.Parameter):
            nn.init.zeros_(self.log_sigma)


class VAE(LatentVariableModel):
    """An autoencoder whose encoder names a distribution of codes, q(z|x) = N(μ(x), σ²(x)), pulled to N(0, I).

    Minimises −ELBO = −E_q[log p(x|z)] + β KL[q(z|x) ‖ p(z)] in nats per image (Kingma and Welling, 2014; β: Higgins
    et al., 2017; slides 002 and 003). `encoder` gives μ and log σ² side by side, (B, 2·latent).

    likelihood: p(x|z). "bernoulli": black or white pixels, drawn anew from the grey values each time the loss is taken
      (dynamic binarisation); binarise=False scores grey values as they are, which is no likelihood. "gaussian":
      N(x̂, sigma² I); sigma=None learns it, one number for all pixels (Rybkin et al., 2021). Slide 003's
      ‖x − x̂‖² + KL is sigma = √½.
    beta ≥ 0; warm_up: the share of the steps in which β rises from 0; free_bits: nats of each dimension's mean KL that
    cost nothing (Kingma et al., 2016). In evaluation β is whole; the parts of the loss hold the true KL.
    """

    has_density = has_posterior = True
    learning_rate = 2e-3
    batch_size = 64
    suggested_steps = 3000

    warmth: Tensor

    def __init__(
        self,
        latent: int,
        image_shape: Sequence[int] = (1, 28, 28),
        beta: float = 1.0,
        likelihood: Likelihood = "bernoulli",
        sigma: float | None = None,
        binarise: bool = True,
        free_bits: float = 0.0,
        warm_up: float = 0.2,
        width: int = 16,
        hidden: int = 256,
        output: Output = "sigmoid",
    ) -> None:
        super().__init__(latent, image_shape, output, likelihood, sigma, binarise)
        _check_objective(beta, free_bits, warm_up)
        check_counts(width=width, hidden=hidden)
        self.beta, self.free_bits, self.warm_up = beta, free_bits, warm_up
        self.images_apart = not free_bits  # what is free is a mean over the batch
        self.label = f"{type(self).__name__}({latent})" + (f", β={beta:g}" if beta != 1 else "")
        self.register_buffer("warmth", torch.ones(()))
        self.encoder = encoder_layers(self.image_shape, width, hidden, 2 * latent)
        self.decoder = decoder_layers(self.image_shape, width, hidden, latent)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ² of q(z|x), (B, latent) each, for x: (B, C, H, W). log σ² is kept within ±12."""
        mu, log_var = self.encoder(self.check_images(x)).chunk(2, dim=1)
        return mu, log_var.clamp(-12, 12)

    def encode(self, x: Tensor) -> Tensor:
        """μ: (B, latent). Slide 002: at test time the mean is the code."""
        return self.encoder(self.check_images(x))[:, : self.latent]

    def log_prob(self, x: Tensor) -> Tensor:
        """A lower bound of log p(x) in nats, (B,): log p(x|z) + log p(z) − log q(z|x) at one z drawn from q(z|x).

        Its mean over draws is the ELBO; x is what the model observes, see `observe`.
        """
        mu, log_var = self.posterior(x)
        z = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        posterior = losses.gaussian_log_density(z, mu, log_var).sum(dim=1)
        return self.log_likelihood(x, z) + self.log_prior(z) - posterior

    def kl(self, mu: Tensor, log_var: Tensor, z: Tensor) -> Tensor:
        """KL[q(z|x) ‖ p(z)] in nats, (B, latent), a column a dimension; a subclass may estimate it from the draw z."""
        return losses.gaussian_kl(mu, log_var)

    def loss(self, x: Tensor, target: Tensor | None = None, generator: Generator | None = None) -> Loss:
        """−ELBO with β: parts "reconstruction" = −log p(x|z) at one z drawn from q(z|x), and "kl"; nats per image."""
        target = x if target is None else target
        observed = self.observe(target, generator)
        mu, log_var = self.posterior(observed if x is target else self.observe(x, generator))
        # the reparameterisation: z = μ + σ·ε with ε ~ N(0, I), so that gradients reach μ and σ
        z = mu + torch.exp(0.5 * log_var) * torch.randn(mu.shape, generator=generator, dtype=mu.dtype, device=mu.device)
        reconstruction = -self.log_likelihood(observed, z).mean()
        kl = self.kl(mu, log_var, z).mean(dim=0)
        charged = kl.clamp(min=self.free_bits).sum() if self.free_bits else kl.sum()
        beta = self.beta * self.warmth if self.training else self.beta
        return Loss(reconstruction + beta * charged, {"reconstruction": reconstruction, "kl": kl.sum()})

    def start_from(self, images: Tensor) -> None:
        """Begin at the images' mean brightness, a learned σ at the error of the mean image, and β at 0 to warm up."""
        if any(n.startswith("decoder") and isinstance(m, nn.ConvTranspose2d) for n, m in self.named_modules()):
            # a decoder of one's own may have none
            begin_at_mean_brightness(pixel_layer(self.decoder), self.output, images)
        self.warmth.fill_(0.0 if self.warm_up else 1.0)
        if isinstance(self.log_sigma, nn.Parameter):
            with torch.no_grad():  # from σ = 1 the first thousand steps would go into this one number
                self.log_sigma.fill_(0.5 * (images - images.mean(dim=0)).square().mean().clamp(min=1e-4).log())

    def after_step(self, step: int, total: int) -> None:
        """Let β rise from 0 over the first `warm_up` of the steps."""
        self.warmth.fill_(min(1.0, step / (self.warm_up * total)) if self.warm_up else 1.0)


def _check_objective(beta: float, free_bits: float, warm_up: float) -> None:
    for name, given in {"beta": beta, "free_bits": free_bits}.items():
        arguments.number(name, given, "must be a number ≥ 0", lambda value: 0 <= value < math.inf)
    arguments.number("warm_up", warm_up, "is a share of the training steps in [0, 1]", lambda value: 0 <= value <= 1)


class MixturePriorVAE(VAE):
    """A VAE that learns its prior along with the rest: p(z) = Σ_k w_k N(m_k, diag s_k²), with `components` Gaussians.

    Its KL has no closed form and is estimated at the one z the loss draws: log q(z|x) − log p(z), (B, 1). A simple
    relative of the VampPrior (Tomczak and Welling, 2018).
    """

    has_prior = False  # none that is N(0, I)

    def __init__(self, latent: int, image_shape: Sequence[int] = (1, 28, 28), components: int = 20, **settings: Any):
        super().__init__(latent, image_shape, **settings)
        components = arguments.whole("components", components, 1, what="of Gaussians in the prior")
        self.prior_means = nn.Parameter(torch.empty(components, latent))
        self.prior_log_vars = nn.Parameter(torch.empty(components, latent))
        self.prior_logits = nn.Parameter(torch.empty(components))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the centres from N(0, I); equal weights, unit variances."""
        super().reset_parameters()
        nn.init.normal_(self.prior_means)
        nn.init.zeros_(self.prior_log_vars)
        nn.init.zeros_(self.prior_logits)

    def log_prior(self, z: Tensor) -> Tensor:
        """log Σ_k w_k N(z; m_k, s_k²) in nats: (B,)."""
        each = losses.gaussian_log_density(z[:, None], self.prior_means, self.prior_log_vars).sum(dim=2)
        return torch.logsumexp(self.prior_logits.log_softmax(dim=0) + each, dim=1)

    def kl(self, mu: Tensor, log_var: Tensor, z: Tensor) -> Tensor:
        """log q(z|x) − log p(z) in nats: (B, 1), the KL at one draw z."""
        return (losses.gaussian_log_density(z, mu, log_var).sum(dim=1) - self.log_prior(z))[:, None]

    @torch.no_grad()
    def sample_prior(self, n: int, generator: Generator | None = None) -> Tensor:
        """n codes from the mixture: (n, latent)."""
        n, generator = arguments.whole("n", n, 0), arguments.generator(generator)
        which = torch.multinomial(self.prior_logits.softmax(dim=0), n, replacement=True, generator=generator)
        noise = torch.randn(n, self.latent, generator=generator, device=which.device)
        return self.prior_means[which] + torch.exp(0.5 * self.prior_log_vars[which]) * noise
