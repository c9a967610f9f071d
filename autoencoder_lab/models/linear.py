"""PCA and the autoencoders made of matrices: linear and dense."""

import math
import time
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autoencoder_lab import arguments
from autoencoder_lab.models.base import Autoencoder, Model, Output, ReconstructionLoss, check_codes, check_latent
from autoencoder_lab.models.layers import Activation, code_layer, dense_layers


class PCA(Model):
    """Principal component analysis by linear algebra alone, with the methods of an autoencoder.

    h = V_kᵀ (x − x̄),  x̂ = V_k h + x̄. On the images it was fitted to, no rank-k map has a lower squared error
    (Eckart and Young, 1936). `mean`: (pixels,); `components`: (pixels, k), orthonormal, strongest first;
    `variances`: (k,), the eigenvalues of the covariance.
    """

    encodes = decodes = reconstructs = solved = True

    mean: Tensor
    components: Tensor
    variances: Tensor

    def __init__(self, latent: int, image_shape: Sequence[int] = (1, 28, 28)) -> None:
        super().__init__(image_shape)
        self.latent = latent = check_latent(latent)
        self.label = f"PCA({latent})"
        pixels = math.prod(self.image_shape)
        self.register_buffer("mean", torch.full((pixels,), torch.nan))
        self.register_buffer("components", torch.full((pixels, self.latent), torch.nan))
        self.register_buffer("variances", torch.full((self.latent,), torch.nan))

    def fit(self, split: Any) -> "PCA":
        """Fit to the images of one split (`data.train`); returns self. The shape is taken from the images.

        Raises TypeError for anything but a split, ValueError where `latent` is larger than the number of images or
        pixels.
        """
        started = time.perf_counter()
        images = arguments.split(split, "data.train").images.flatten(1)
        count, pixels = images.shape
        if self.latent > min(count, pixels):
            raise ValueError(
                f"PCA({self.latent}) needs at least {self.latent} images and pixels, got {count} and {pixels}"
            )
        self.image_shape = tuple(split.images.shape[1:])
        self.mean = images.mean(dim=0)
        # in double precision, for neighbouring eigenvalues differ by a few per cent only
        if count <= pixels:
            # X − 1x̄ᵀ = U S Vᵀ
            _, singular, rows = torch.linalg.svd((images - self.mean).double(), full_matrices=False)
            components, scatter = rows.T, singular.square()
        else:
            # the same V from (X − 1x̄ᵀ)ᵀ(X − 1x̄ᵀ) = V S² Vᵀ, which never holds 60,000 images in double precision at once
            product = sum((batch := (part - self.mean).double()).T @ batch for part in images.split(5000))
            scatter, components = (ascending.flip(-1) for ascending in torch.linalg.eigh(product))
        self.components = components[:, : self.latent].to(images.dtype).contiguous()
        self.variances = (scatter[: self.latent].clamp(min=0) / max(count - 1, 1)).to(images.dtype)
        self.fit_seconds = time.perf_counter() - started
        return self

    def encode(self, x: Tensor) -> Tensor:
        """h = V_kᵀ (x − x̄): (B, k)."""
        self._check_fitted()
        return (self.check_images(x).flatten(1) - self.mean) @ self.components

    def decode(self, z: Tensor) -> Tensor:
        """x̂ = V_k h + x̄: (B, C, H, W). Not clipped: a straight line leaves [0, 1] where it must."""
        self._check_fitted()
        return (check_codes(self, z) @ self.components.T + self.mean).view(-1, *self.image_shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        """V_k V_kᵀ (x − x̄) + x̄: (B, C, H, W)."""
        return self.decode(self.encode(x))

    def learned_numbers(self) -> int:
        """Those of the mean and the components, which were solved for."""
        return self.mean.numel() + self.components.numel()

    def decoder_matrix(self) -> Tensor:
        """V_k: (pixels, k), the columns a code weighs."""
        self._check_fitted()
        return self.components

    def _check_fitted(self) -> None:
        if self.mean.isnan().any():
            raise RuntimeError("PCA is not fitted yet: call pca.fit(data.train) first")

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        # the mean and the components have as many pixels as they were fitted to, whatever image_shape said
        for name in ("mean", "components"):
            if prefix + name in state_dict:
                own, stored = getattr(self, name), state_dict[prefix + name]
                setattr(self, name, own.new_empty((len(stored), *own.shape[1:])))
        super()._load_from_state_dict(state_dict, prefix, *args)


class LinearAutoencoder(Autoencoder):
    """h = Wx + b, x̂ = W*h + c: the autoencoder that can at best tie with PCA.

    tied: W* = Wᵀ, one matrix used twice. Any latent size is allowed: latent ≥ pixels is "overcomplete".
    Slide 001, "Introduction to Autoencoder"; Baldi and Hornik (1989): every minimum is global, the rest are saddles.
    """

    learning_rate = 1e-2
    suggested_steps = 4000

    def __init__(
        self,
        latent: int,
        image_shape: Sequence[int] = (1, 28, 28),
        tied: bool = False,
        output: Output = "linear",
        loss: ReconstructionLoss = "squared_error",
    ) -> None:
        super().__init__(latent, image_shape, output, loss)
        pixels = math.prod(self.image_shape)
        self.tied = tied
        self.weight = nn.Parameter(torch.empty(latent, pixels))  # W
        self.bias = nn.Parameter(torch.empty(latent))  # b
        if not tied:
            self.decoder_weight = nn.Parameter(torch.empty(pixels, latent))  # W*
        self.decoder_bias = nn.Parameter(torch.empty(pixels))  # c
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw small random matrices; biases start at 0."""
        nn.init.normal_(self.weight, std=1 / math.sqrt(self.weight.shape[1]))
        if not self.tied:
            nn.init.normal_(self.decoder_weight, std=1 / math.sqrt(self.decoder_weight.shape[0]))
        nn.init.zeros_(self.bias)
        nn.init.zeros_(self.decoder_bias)

    def encoder(self, x: Tensor) -> Tensor:
        """h = Wx + b."""
        return F.linear(x.flatten(1), self.weight, self.bias)

    def decoder(self, z: Tensor) -> Tensor:
        """W*h + c, as an image."""
        return F.linear(z, self.decoder_matrix(), self.decoder_bias).view(-1, *self.image_shape)

    def decoder_matrix(self) -> Tensor:
        """W*: (pixels, latent); Wᵀ where the weights are tied."""
        return self.weight.T if self.tied else self.decoder_weight


class DenseAutoencoder(Autoencoder):
    """Fully connected layers with an activation g between them: pixels → hidden → code → hidden → pixels.

    hidden: widths of the hidden layers of the encoder; the decoder mirrors them. hidden=() with
    code_activation="sigmoid" is the slide's single layer h = g(Wx + b).
    activation: between layers; code_activation: on the code itself ("identity" leaves it free).
    """

    learning_rate = 2e-3
    suggested_steps = 6000

    def __init__(
        self,
        latent: int,
        image_shape: Sequence[int] = (1, 28, 28),
        hidden: Sequence[int] = (512,),
        activation: Activation = "silu",
        code_activation: Activation = "identity",
        output: Output = "sigmoid",
        loss: ReconstructionLoss = "squared_error",
    ) -> None:
        super().__init__(latent, image_shape, output, loss)
        pixels = math.prod(self.image_shape)
        inward = [pixels, *check_hidden(hidden), self.latent]
        outward = inward[::-1]
        self.encoder = nn.Sequential(nn.Flatten(), *dense_layers(inward, activation), *code_layer(code_activation))
        self.decoder = nn.Sequential(*dense_layers(outward, activation), nn.Unflatten(1, self.image_shape))


def check_hidden(given: Sequence[int]) -> tuple[int, ...]:
    """The widths of hidden layers, none or more; ValueError for anything else, such as one number."""
    return arguments.sizes("hidden", given, "is the widths of the hidden layers, whole numbers above 0: hidden=(512,)")
