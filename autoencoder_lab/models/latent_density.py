"""Models on codes: a density over the codes of an autoencoder, put together with its decoder, can sample."""

import time
from typing import Any

import torch
from torch import Generator, Tensor

from autoencoder_lab import arguments
from autoencoder_lab.data.batches import in_batches
from autoencoder_lab.data.split import ImageData
from autoencoder_lab.models.base import Model


def codes(model: Any, data: ImageData) -> ImageData:
    """The codes of a data set as a data set: images (N, latent, 1, 1) without a value range; labels stay.

    What is trained on it is a model like any other: `lab.fit(density, lab.codes(ae, data))`.
    """
    arguments.model(model, "encode")
    encoded = arguments.data_set(data).map(
        lambda images: in_batches(model.encode, images)[:, :, None, None], value_range=None
    )
    return ImageData(f"codes of {data.name}", encoded.train, encoded.val, encoded.test, data.licence, data.source)


class OnCodes(Model):
    """An autoencoder that samples: codes drawn from a density over its codes, decoded.

    What a plain autoencoder lacks for generating is a place to draw codes from (Ghosh et al., 2020, "ex-post density").
    model: encodes and decodes; density: samples codes (n, latent, 1, 1), such as a model trained on
    `lab.codes(model, data)`. Raises TypeError for models that cannot, ValueError for a density of other codes.
    """

    encodes = decodes = reconstructs = samples = True

    def __init__(self, model: Model, density: Any) -> None:
        super().__init__(arguments.model(model, "decode").image_shape)
        if not (model.encodes and model.decodes):
            raise TypeError(f"{model.label} cannot decode a code alone, so a density over its codes generates nothing")
        if density is not None and not arguments.model(density, "sample").samples:
            raise TypeError(f"{density.label} does not sample, so it gives no codes to decode")
        self.model, self.density = model, density
        self.latent: int = model.latent
        if density is not None and density.image_shape != (self.latent, 1, 1):
            raise ValueError(f"needs a density of codes {(self.latent, 1, 1)}, got one of {density.image_shape}")
        self.label = f"{model.label} + {'density' if density is None else density.label}"

    def encode(self, x: Tensor) -> Tensor:
        """The codes (B, latent) that the autoencoder gives images x."""
        encoded: Tensor = self.model.encode(x)
        return encoded

    def decode(self, z: Tensor) -> Tensor:
        """What the autoencoder draws from codes z: (B, latent)."""
        decoded: Tensor = self.model.decode(z)
        return decoded

    def reconstruct(self, x: Tensor) -> Tensor:
        """What the autoencoder makes of x."""
        restored: Tensor = self.model.reconstruct(x)
        return restored

    @torch.no_grad()
    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """n new images (n, C, H, W): codes from the density, decoded."""
        return self.decode(self.sample_codes(n, generator))

    def sample_codes(self, n: int, generator: Generator | None = None) -> Tensor:
        """n codes (n, latent), float32."""
        drawn: Tensor = self.density.sample(n, generator)
        return drawn.flatten(1).float()


class LatentMixture(OnCodes):
    """A mixture of Gaussians over the codes of a trained model; draws from it decode to new images.

    model: a model that encodes and decodes; components: Gaussians, each with a full covariance, fitted by EM
    (scikit-learn). After `fit`: weights (k,), means (k, d), factors (k, d, d), the Cholesky factors of the covariances.
    """

    solved = True

    weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, model: Model, components: int = 10) -> None:
        super().__init__(model, None)
        if arguments.is_split(components) or arguments.is_data(components):
            given = arguments.shown(components)
            raise TypeError(
                f"components is the number of Gaussians, got {given}; make it, then fit it: "
                "lab.LatentMixture(model, 10).fit(data.train)"
            )
        self.components = components = arguments.whole("components", components, 1, what="of Gaussians")
        self.label = f"{model.label} + mixture of {components}"
        for name, shape in {"weights": (), "means": (self.latent,), "factors": (self.latent, self.latent)}.items():
            self.register_buffer(name, torch.full((components, *shape), torch.nan, dtype=torch.double))

    def fit(self, split: Any, seed: int = 0) -> "LatentMixture":
        """Fit to the codes of one split (`data.train`); returns self. Raises ValueError for too few images."""
        from sklearn.mixture import GaussianMixture

        arguments.split(split, "data.train")
        seed = arguments.whole("seed", seed, 0)
        started = time.perf_counter()
        codes = in_batches(self.model.encode, split.images).double()
        if len(codes) < self.components:
            raise ValueError(f"{self.components} Gaussians need at least as many images, got {len(codes)}")
        # a floor relative to the codes' own size: constant codes have a density too, if a narrow one
        floor = 1e-6 * max(float(codes.var(dim=0).mean()) if len(codes) > 1 else 0.0, 1e-6)
        mixture = GaussianMixture(self.components, reg_covar=floor, random_state=seed).fit(codes.numpy())
        self.weights, self.means = torch.from_numpy(mixture.weights_), torch.from_numpy(mixture.means_)
        self.factors = torch.linalg.cholesky(torch.from_numpy(mixture.covariances_))
        self.fit_seconds = time.perf_counter() - started
        return self

    def log_density(self, z: Tensor) -> Tensor:
        """log p(z) of codes z (B, d) in nats: (B,), double precision. TypeError or ValueError for what is no codes."""
        self._check_fitted()
        z = arguments.tensor("codes", z, f"(B, {self.latent})")
        if z.ndim != 2 or z.shape[1] != self.latent:
            advice = "; z[None] makes a batch of one code" if tuple(z.shape) == (self.latent,) else ""
            raise ValueError(f"the density is of codes of shape (B, {self.latent}), got {tuple(z.shape)}{advice}")
        gaussians = torch.distributions.MultivariateNormal(self.means, scale_tril=self.factors)
        each: Tensor = gaussians.log_prob(z.double()[:, None])
        return torch.logsumexp(self.weights.log() + each, dim=1)

    def sample_codes(self, n: int, generator: Generator | None = None) -> Tensor:
        """n codes (n, d) from the mixture, float32."""
        self._check_fitted()
        n, generator = arguments.whole("n", n, 0), arguments.generator(generator)
        which = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], 1, generator=generator, dtype=torch.double, device=which.device)
        codes: Tensor = self.means[which] + (self.factors[which] @ noise)[..., 0]
        return codes.float()

    def learned_numbers(self) -> int:
        """Those of the model, and of the weights, means and covariances."""
        k, d = self.means.shape
        return self.model.learned_numbers() + k + k * d + k * d * (d + 1) // 2

    def _check_fitted(self) -> None:
        if self.weights.isnan().any():
            raise RuntimeError("the density is not fitted yet: call fit(data.train) first")
