"""What every model of the course shares: encode, decode, reconstruct, loss, steps."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from autoencoder_lab import losses
from autoencoder_lab.models.layers import check_choice

Output = Literal["sigmoid", "linear", "tanh"]
ReconstructionLoss = Literal["squared_error", "cross_entropy"]

OUTPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "linear": lambda logits: logits,
    "tanh": torch.tanh,
}


@dataclass(frozen=True)
class Loss:
    """A differentiable total and the named parts it is made of, each a scalar per image.

    reconstructed: x̂ where the loss was taken from `reconstruct(x)`: whoever wants both need not compute it twice.
    """

    total: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)
    reconstructed: Tensor | None = None


Step = tuple[list[nn.Parameter], Callable[..., Loss]]


def fingerprint(model: nn.Module) -> tuple[int, ...]:
    """A checksum of every parameter: two equal fingerprints mean equal weights, for all practical purposes."""
    return tuple(zlib.crc32(p.detach().cpu().contiguous().numpy().tobytes()) for p in model.parameters())


class _RemembersFirstWeights(type):
    """Notes the weights a model is made with, once its whole `__init__` has run: `fit` overwrites no others."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        model = super().__call__(*args, **kwargs)
        model.first_weights = fingerprint(model)
        return model


class LatentModel(nn.Module, metaclass=_RemembersFirstWeights):
    """What has a code of `latent` numbers and a decoder from it to an image: autoencoders, and generators alone.

    A subclass sets `self.decoder`: (B, latent) → (B, C, H, W), the values before the output function f.
    latent: size of the code; image_shape: (C, H, W), take it from `data.shape`; output: the function f.
    """

    code_only = True  # False where the decoder needs more than the code
    reconstructs = True  # False where there is no way from an image to its code
    conditional = False  # True where loss takes labels=, which `fit` then passes
    learning_rate = 3e-3
    batch_size = 128
    suggested_steps = 2000  # what `fit` trains for when told neither epochs nor steps

    decoder: Callable[..., Tensor]
    trained_steps: Tensor

    def __init__(self, latent: int, image_shape: Sequence[int] = (1, 28, 28), output: Output = "sigmoid") -> None:
        super().__init__()
        if latent < 1:
            raise ValueError(f"latent is the number of values in the code and must be at least 1, got {latent}")
        if len(image_shape) != 3 or min(image_shape) < 1:
            raise ValueError(f"image_shape must be (C, H, W), got {tuple(image_shape)}; pass image_shape=data.shape")
        check_choice("output", output, OUTPUTS)
        self.latent = latent
        self.image_shape = (image_shape[0], image_shape[1], image_shape[2])
        self.output = output
        self.label = f"{type(self).__name__}({latent})"
        self.register_buffer("trained_steps", torch.zeros((), dtype=torch.long))  # kept in checkpoints
        self.fit_seconds: float | None = None

    def decode(self, z: Tensor) -> Tensor:
        """Images (B, C, H, W) from codes z: (B, latent); in [0, 1] unless output is "linear" or "tanh"."""
        return OUTPUTS[self.output](self.decoder(self.check_codes(z)))

    def start_from(self, images: Tensor) -> None:
        """Called by `fit` with the training images (N, C, H, W) after drawing fresh weights; most models ignore it."""

    def after_step(self, step: int, total: int) -> None:
        """Called by `fit` after step 1 … total; a model may keep a schedule or an average here."""

    def check_codes(self, z: Tensor) -> Tensor:
        """z itself if it is a batch of codes of this model; ValueError otherwise."""
        if z.ndim != 2 or z.shape[1] != self.latent:
            raise ValueError(f"{self.label} decodes codes of shape (B, {self.latent}), got {tuple(z.shape)}")
        return z

    def check_images(self, x: Tensor) -> Tensor:
        """x itself if it is a batch this model was built for; ValueError otherwise."""
        if x.ndim != 4 or tuple(x.shape[1:]) != self.image_shape:
            expected = ", ".join(map(str, self.image_shape))
            raise ValueError(
                f"{self.label} was built for images (B, {expected}), got {tuple(x.shape)}; "
                "build it with image_shape=data.shape"
            )
        if not x.is_floating_point():
            raise ValueError(f"images must be float32 in [0, 1], got {x.dtype}; divide by 255 if they are 0 … 255")
        return x


class Autoencoder(LatentModel):
    """An encoder to `latent` numbers and a decoder back to an image.

    A subclass sets `self.encoder`: (B, C, H, W) → (B, latent) and `self.decoder`: (B, latent) → (B, C, H, W), the
    values before the output function f. Slide 001: h = g(Wx + b), x̂ = f(W*h + c).

    latent: size of the code; image_shape: (C, H, W), take it from `data.shape`; output: the function f;
    loss: "squared_error", or "cross_entropy" (needs output="sigmoid").
    """

    encoder: Callable[..., Tensor]

    def __init__(
        self,
        latent: int,
        image_shape: Sequence[int] = (1, 28, 28),
        output: Output = "sigmoid",
        loss: ReconstructionLoss = "squared_error",
    ) -> None:
        super().__init__(latent, image_shape, output)
        check_choice("loss", loss, ("squared_error", "cross_entropy"))
        if loss == "cross_entropy" and output != "sigmoid":
            raise ValueError(f'loss="cross_entropy" scores probabilities and needs output="sigmoid", got {output!r}')
        self.loss_name = loss

    def encode(self, x: Tensor) -> Tensor:
        """The codes (B, latent) of images x: (B, C, H, W)."""
        return self.encoder(self.check_images(x))

    def reconstruct(self, x: Tensor) -> Tensor:
        """x̂: (B, C, H, W), what metrics and plots call."""
        return OUTPUTS[self.output](self.logits(x))

    def logits(self, x: Tensor) -> Tensor:
        """The reconstruction of x before the output function; (B, C, H, W)."""
        return self.decoder(self.encode(x))

    def loss(self, x: Tensor, target: Tensor | None = None) -> Loss:
        """Reconstruction loss of `target` (x itself when None) from x: summed over pixels, averaged over the batch.

        A denoising autoencoder is trained with x damaged and target clean. Unit: squared error, or nats, per image.
        """
        target = x if target is None else target
        logits = self.logits(x).to(target.dtype)  # sums of squares want more digits than layers in bfloat16 have
        restored = OUTPUTS[self.output](logits)
        if self.loss_name == "cross_entropy":
            reconstruction = losses.cross_entropy(logits, target)
        else:
            reconstruction = losses.squared_error(restored, target)
        return Loss(reconstruction, {"reconstruction": reconstruction}, restored)

    def steps(self) -> list[Step]:
        """(parameters, loss function) pairs; `fit` differentiates each loss with respect to its own parameters.

        Frozen parameters (`requires_grad_(False)`) are left out.
        """
        return [([parameter for parameter in self.parameters() if parameter.requires_grad], self.loss)]
