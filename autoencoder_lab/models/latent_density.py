"""A density fitted afterwards to the codes of any autoencoder, so that it can sample."""

from typing import Any

import torch
from torch import Generator, Tensor


class LatentMixture:
    """A mixture of Gaussians over the codes of a trained model; draws from it decode to new images.

    What a plain autoencoder lacks for generating is a place to draw codes from (Ghosh et al., 2020, "ex-post density").
    model: anything with `encode` and `decode`; components: Gaussians, each with a full covariance, fitted by EM
    (scikit-learn). After `fit`: weights (k,), means (k, d), factors (k, d, d), the Cholesky factors of the covariances.
    """

    def __init__(self, model: Any, components: int = 10) -> None:
        if not getattr(model, "code_only", True):
            raise TypeError(f"{model.label} cannot decode a code alone, so a density over its codes generates nothing")
        if components < 1:
            raise ValueError(f"components is the number of Gaussians and must be at least 1, got {components}")
        self.model, self.components = model, components
        self.label = f"{model.label} + mixture of {components}"
        self.weights: Tensor | None = None

    def fit(self, split: Any, seed: int = 0) -> "LatentMixture":
        """Fit to the codes of one split (`data.train`); returns self. Raises ValueError for too few images."""
        from sklearn.mixture import GaussianMixture

        codes = torch.cat([self.model.encode(batch).detach() for batch in split.images.split(500)]).double()
        if len(codes) < self.components:
            raise ValueError(f"{self.components} Gaussians need at least as many images, got {len(codes)}")
        # a floor relative to the codes' own size: constant codes have a density too, if a narrow one
        floor = 1e-6 * max(float(codes.var(dim=0).mean()) if len(codes) > 1 else 0.0, 1e-6)
        mixture = GaussianMixture(self.components, reg_covar=floor, random_state=seed).fit(codes.numpy())
        self.weights, self.means, covariances = map(
            torch.from_numpy, (mixture.weights_, mixture.means_, mixture.covariances_)
        )
        self.factors = torch.linalg.cholesky(covariances)
        return self

    def log_density(self, z: Tensor) -> Tensor:
        """log p(z) in nats: (B,), double precision."""
        weights = self._fitted()
        gaussians = torch.distributions.MultivariateNormal(self.means, scale_tril=self.factors)
        each: Tensor = gaussians.log_prob(z.double()[:, None])
        return torch.logsumexp(weights.log() + each, dim=1)

    @torch.no_grad()
    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """n new images (n, C, H, W): codes from the mixture, decoded."""
        codes = self.sample_codes(n, generator)
        images: Tensor = self.model.decode(codes)
        return images

    def sample_codes(self, n: int, generator: Generator | None = None) -> Tensor:
        """n codes (n, d), float32."""
        which = torch.multinomial(self._fitted(), n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], 1, generator=generator, dtype=torch.double)
        codes: Tensor = self.means[which] + (self.factors[which] @ noise)[..., 0]
        return codes.float()

    def _fitted(self) -> Tensor:
        if self.weights is None:
            raise RuntimeError("the density is not fitted yet: call fit(data.train) first")
        return self.weights
