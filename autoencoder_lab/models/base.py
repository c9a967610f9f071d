"""What a model can do, and what models that have a code, and autoencoders, share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from autoencoder_lab import arguments, losses
from autoencoder_lab.models.construction import Remembering
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

    def __post_init__(self) -> None:
        if not isinstance(self.total, Tensor) or not isinstance(self.parts, Mapping):
            given = ", ".join(map(arguments.shown, (self.total, self.parts)))
            raise TypeError(
                f"a Loss is made of a tensor, the total, and its parts by name, {{name: tensor}}; got {given}"
            )


Step = tuple[list[nn.Parameter], Callable[..., Loss]]


# a verb, the flag that says whether a model has it, and how it is called
VERBS = {
    "encode": ("encodes", "encode(x)"),
    "decode": ("decodes", "decode(z)"),
    "reconstruct": ("reconstructs", "reconstruct(x)"),
    "sample": ("samples", "sample(n)"),
    "log_prob": ("has_density", "log_prob(x)"),
    "fill": ("fills", "fill(x, mask)"),
}


class Model(nn.Module, metaclass=Remembering):
    """What can be asked of any model of the course: flags say what it can do, and a verb it lacks is not there.

    A subclass sets the flags and defines their verbs:
      encodes        encode(x) → (B, latent), deterministic
      decodes        decode(z) → (B, C, H, W); the code z (B, latent) suffices
      reconstructs   reconstruct(x) → (B, C, H, W), which `model(x)` is too
      samples        sample(n, generator=None) → (n, C, H, W)
      has_density    log_prob(x) → (B,) in nats, exact or a lower bound
      exact_inverse  decode(encode(x)) is x to rounding
      fills          fill(x, mask) → x with its hole filled; mask (B, 1, H, W), True where lost
      has_prior      codes are meant to be N(0, I)
      has_posterior  posterior(x) → the mean and log variance of q(z|x), (B, latent) each: a VAE
      conditional    loss, sample and decode take condition=: classes (B,) or words (B, L), as in `split.condition`
      solved         trained by its own fit(split), not by `lab.fit`
      images_apart   the loss of a batch is the mean over its images, each by itself: `fit` may take it in halves
      loss_draws     loss takes generator=, from which it draws all that it draws
    A model that `lab.fit` trains has a loss as well, and steps where it has more than one.

    image_shape: (C, H, W) of the images it takes or draws; None: any. arguments: what it was made with;
    first_weights: a checksum of its weights then, own_weights: which of them `fit` keeps, see `draw_weights`;
    fit_seconds: how long it was trained, None before.
    """

    encodes = decodes = reconstructs = samples = has_density = exact_inverse = fills = has_prior = False
    has_posterior = conditional = solved = images_apart = loss_draws = False
    learning_rate = 3e-3
    betas = (0.9, 0.999)  # of Adam
    batch_size = 128
    suggested_steps = 2000  # what `fit` trains for when told neither epochs nor steps

    arguments: dict[str, Any]
    made_with: tuple[tuple[Any, ...], dict[str, Any]] | None = None  # the arguments as they were given
    first_weights: tuple[int, ...]
    first_buffers: dict[str, int]
    own_weights: dict[str, str]
    trained_steps: Tensor

    def __init__(self, image_shape: Sequence[int] | None = (1, 28, 28)) -> None:
        super().__init__()
        self.image_shape: Any = None if image_shape is None else check_image_shape(image_shape)
        self.label = type(self).__name__
        self.register_buffer("trained_steps", torch.zeros((), dtype=torch.long))  # kept in checkpoints
        self.fit_seconds: float | None = None

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of x."""
        restored: Tensor = self.reconstruct(x)
        return restored

    def steps(self) -> list[Step]:
        """(parameters, loss function) pairs; `fit` differentiates each loss with respect to its own parameters.

        One pair for most models. Frozen parameters (`requires_grad_(False)`) are left out.
        """
        return [([parameter for parameter in self.parameters() if parameter.requires_grad], self.loss)]

    def start_from(self, images: Tensor) -> None:
        """Called by `fit` with the training images (N, C, H, W) after drawing fresh weights; most models ignore it."""

    def after_step(self, step: int, total: int) -> None:
        """Called by `fit` after step 1 … total; a model may keep a schedule or an average here."""

    def learned_numbers(self) -> int:
        """How many numbers the model has learned."""
        return sum(parameter.numel() for parameter in self.parameters())

    def check_images(self, x: Tensor) -> Tensor:
        """x itself if it is a batch this model was built for; ValueError otherwise."""
        x = arguments.tensor("images", x, "(B, C, H, W)")
        if x.ndim != 4 or (self.image_shape is not None and tuple(x.shape[1:]) != self.image_shape):
            expected = ", ".join(map(str, self.image_shape or ("C", "H", "W")))
            raise ValueError(
                f"{self.label} was built for images (B, {expected}), got {tuple(x.shape)}; {self._other_shape(x)}"
            )
        return arguments.alike("images", x, self)

    def _other_shape(self, x: Tensor) -> str:
        """What to do about images of another shape."""
        if self.image_shape is not None and tuple(x.shape) == self.image_shape:
            return "images[None] makes a batch of one image"
        if self.image_shape is not None and tuple(x.shape[1:]) == (*self.image_shape[1:], self.image_shape[0]):
            return "images.permute(0, 3, 1, 2) brings the channels to their place"
        return "build it with image_shape=data.shape"

    def extra_repr(self) -> str:
        """What it was made with, shown by print(model); it also tells a checkpoint of another model apart."""
        return ", ".join(f"{name}={_shown(value)}" for name, value in self.arguments.items())

    def __getattr__(self, name: str) -> Any:
        if name in VERBS:
            can = [call for flag, call in VERBS.values() if getattr(self, flag)]
            raise AttributeError(f"{self.label} has no {name}; it has {' and '.join(can) or 'no other verb either'}")
        return super().__getattr__(name)


def _shown(value: Any) -> str:
    value = _plain(value)
    return value.label if isinstance(value, Model) else repr(value)


def _plain(value: Any) -> Any:
    """Numbers of NumPy's, small arrays of them and one in a tensor as Python's: they make the same model."""
    if isinstance(value, np.generic | np.ndarray | Tensor) and value.ndim == 0:
        return value.item()
    if isinstance(value, np.ndarray) and value.size < 10:
        value = tuple(value.tolist())
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


class LatentModel(Model):
    """What has a code of `latent` numbers and a decoder from it to an image: autoencoders, and generators alone.

    A subclass sets `self.decoder`: (B, latent) → (B, C, H, W), the values before the output function f.
    latent: size of the code; image_shape: (C, H, W), take it from `data.shape`; output: the function f.
    """

    decodes = True

    decoder: Callable[..., Tensor]

    def __init__(self, latent: int, image_shape: Sequence[int] = (1, 28, 28), output: Output = "sigmoid") -> None:
        super().__init__(image_shape)
        check_choice("output", output, OUTPUTS)
        self.latent = check_latent(latent)
        self.output = output
        self.label = f"{type(self).__name__}({latent})"

    def decode(self, z: Tensor) -> Tensor:
        """Images (B, C, H, W) from codes z: (B, latent); in [0, 1] unless output is "linear" or "tanh"."""
        return OUTPUTS[self.output](self.decoder(self.check_codes(z)))

    def check_codes(self, z: Tensor) -> Tensor:
        """z itself if it is a batch of codes of this model; ValueError otherwise."""
        return check_codes(self, z)


def check_codes(model: Any, z: Tensor) -> Tensor:
    """z itself if it is a batch of codes (B, model.latent); TypeError or ValueError otherwise."""
    z = arguments.tensor("codes", z, f"(B, {model.latent})")
    if z.ndim != 2 or z.shape[1] != model.latent:
        advice = "; z[None] makes a batch of one code" if tuple(z.shape) == (model.latent,) else ""
        raise ValueError(f"{model.label} decodes codes of shape (B, {model.latent}), got {tuple(z.shape)}{advice}")
    return arguments.alike("codes", z, model)


def check_latent(latent: int) -> int:
    """latent as Python's int if a code can have so many values; TypeError for data, ValueError for other values."""
    if arguments.is_data(latent) or arguments.is_split(latent):
        raise TypeError(
            f"latent is the number of values in the code, got {arguments.shown(latent)}; pass image_shape=data.shape"
        )
    return arguments.whole("latent (the number of values in the code)", latent, 1)


def check_image_shape(given: Any) -> tuple[int, int, int]:
    """(C, H, W) as whole numbers, from a tuple, a list, an array; TypeError for data, ValueError for other shapes."""
    if arguments.is_data(given) or arguments.is_split(given):
        raise TypeError(f"image_shape is (C, H, W), got {arguments.shown(given)}; pass image_shape=data.shape")
    try:
        channels, height, width = arguments.sizes("image_shape", given, "must be (C, H, W)")
    except ValueError:
        said = f"image_shape must be (C, H, W), got {arguments.shown(given)}; pass image_shape=data.shape"
        raise ValueError(said) from None
    return channels, height, width


class Autoencoder(LatentModel):
    """An encoder to `latent` numbers and a decoder back to an image.

    A subclass sets `self.encoder`: (B, C, H, W) → (B, latent) and `self.decoder`: (B, latent) → (B, C, H, W), the
    values before the output function f. Slide 001: h = g(Wx + b), x̂ = f(W*h + c).

    latent: size of the code; image_shape: (C, H, W), take it from `data.shape`; output: the function f;
    loss: "squared_error", or "cross_entropy" (needs output="sigmoid").
    """

    encodes = reconstructs = images_apart = True

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
