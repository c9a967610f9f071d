"""VICReg, and the contrastive convolutional autoencoder (CCAE) that is trained by it.

"Contrastive" is slide 000's word: VICReg compares no image with another, it has no negatives.
"""

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from autoencoder_lab import arguments, losses
from autoencoder_lab.data.augmentations import crop
from autoencoder_lab.models.base import Autoencoder, Loss, Model, Output, check_latent
from autoencoder_lab.models.convolutional import begin_at_mean_brightness, pixel_layer
from autoencoder_lab.models.layers import (
    check_choice,
    check_counts,
    decoder_layers,
    encoder_layers,
)

VICREG_WEIGHTS = (25.0, 25.0, 1.0)  # variance, invariance, covariance: Bardes, Ponce and LeCun (2022), section 4.2


def vicreg(z: Tensor, other: Tensor, weights: Sequence[float] = VICREG_WEIGHTS) -> Loss:
    """The VICReg loss of two batches of embeddings (B, D): parts variance, invariance, covariance, before weighting.

    ℓ = μ [v(Z) + v(Z')] + λ s(Z, Z') + ν [c(Z) + c(Z')]. Bardes, Ponce and LeCun (2022), equation 6; the authors'
    program halves v, ours does not. Raises ValueError for B < 2. No unit.
    """
    parts = {
        "variance": losses.vicreg_variance(z) + losses.vicreg_variance(other),
        "invariance": losses.vicreg_invariance(z, other),
        "covariance": losses.vicreg_covariance(z) + losses.vicreg_covariance(other),
    }
    total = sum((weight * part for weight, part in zip(weights, parts.values(), strict=True)), start=z.new_zeros(()))
    return Loss(total, parts)


class VICReg(Model):
    """An encoder f and a projector p, trained so that two crops of an image embed alike and the batch keeps spread out.

    No decoder and no labels: self-supervised. weights: of variance, invariance and covariance; set one to 0 to see what
    it was for. projector: the sizes of p's layers; view: image → changed image, called twice.
    Bardes, Ponce and LeCun (2022), "VICReg"; slide 000, "VICReg Architecture".
    """

    encodes = True
    learning_rate = 2e-3
    batch_size = 256
    suggested_steps = 700

    def __init__(
        self,
        latent: int,
        image_shape: Sequence[int] = (1, 28, 28),
        weights: Sequence[float] = VICREG_WEIGHTS,
        projector: Sequence[int] = (128, 128),
        view: Callable[[Tensor], Tensor] | None = None,
        width: int = 16,
        hidden: int = 128,
    ) -> None:
        super().__init__(image_shape)
        check_counts(width=width, hidden=hidden)
        self.latent, self.label = check_latent(latent), f"VICReg({latent})"
        self.weights = check_weights(weights)
        self.view = crop() if view is None else arguments.function("view", view, "lab.augment.crop()")
        self.encoder = encoder_layers(self.image_shape, width, hidden, latent)
        self.projector = projector_layers(latent, projector)

    def encode(self, x: Tensor) -> Tensor:
        """The codes Y: (B, latent) of images x: (B, C, H, W)."""
        codes: Tensor = self.encoder(self.check_images(x))
        return codes

    def loss(self, x: Tensor, target: Tensor | None = None) -> Loss:
        """VICReg between two views of x."""
        z, other = (self.projector(self.encode(self.view(x))) for _ in range(2))
        return vicreg(z, other, self.weights)


class CCAE(Autoencoder):
    """The contrastive convolutional autoencoder: a decoder taught by what the encoder sees, not by pixels. Slide 000.

    Y = f(X), Z = p(Y), X' = d(Y), Y' = f(X'), Z' = p(Y')      (4)–(8), and VICReg between Z and Z'.

    views: "none", the slide to the letter: the whole image and its reconstruction are compared; "crop": Z and Z' come
      from the same random crop of both.
    judge: what tells X and X' apart. "live": the encoder as it learns, which can then agree with the decoder on a code
      of their own; "frozen": its present weights as constants. Then Z is the mark at which Z' aims, not the reverse,
      and the encoder learns to see from real images alone: from two crops of each, by VICReg.
    agreement: how much two crops of a real image should embed alike, as a share of the weight of invariance; "frozen"
      with "crop" only. With all of it, 1, as VICReg asks, the judge looks past place and size and the pictures suffer.
    encoder: a trained VICReg (or CCAE) whose encoder and projector are taken over for good: inversion, the other
      reading of the slide.
    pixel: weight of the squared error per pixel beside VICReg; 0: no pixel is ever compared.
    The slide's own size is latent=2048, projector=(8192,).
    """

    images_apart = False  # VICReg compares the images of a batch with one another
    learning_rate = 3e-3
    batch_size = 128
    suggested_steps = 1100

    encoder: nn.Sequential
    decoder: nn.Sequential

    def __init__(
        self,
        latent: int,
        image_shape: Sequence[int] = (1, 28, 28),
        views: Literal["none", "crop"] = "crop",
        judge: Literal["live", "frozen"] = "frozen",
        encoder: "VICReg | CCAE | None" = None,
        pixel: float = 0.0,
        weights: Sequence[float] = VICREG_WEIGHTS,
        agreement: float = 0.2,
        projector: Sequence[int] = (128, 128),
        width: int = 16,
        hidden: int = 128,
        output: Output = "sigmoid",
    ) -> None:
        super().__init__(latent, image_shape, output)
        check_choice("views", views, ("none", "crop"))
        check_choice("judge", judge, ("live", "frozen"))
        for name, weight in (("pixel", pixel), ("agreement", agreement)):
            arguments.number(
                name, weight, "is the weight of a part of the loss, a number ≥ 0", lambda v: 0 <= v < math.inf
            )
        check_counts(width=width, hidden=hidden)
        self.views, self.judge, self.pixel, self.agreement = views, judge, pixel, agreement
        self.weights = check_weights(weights)
        self.encoder = encoder_layers(self.image_shape, width, hidden, latent)
        self.projector = projector_layers(latent, projector)
        self.decoder = decoder_layers(self.image_shape, width, hidden, latent)
        self._given = _copies(encoder)
        _take_over(self, self._given)
        if self._given:
            self.encoder.requires_grad_(False)
            self.projector.requires_grad_(False)

    def loss(self, x: Tensor, target: Tensor | None = None) -> Loss:
        """VICReg between Z and Z', plus `pixel` times the squared error; parts "variance", … before weighting."""
        target = x if target is None else target
        y = self.encode(x)  # (4)
        x_hat = self.decode(y)  # (6)
        seen, seen_hat = target, x_hat
        if self.views == "crop":  # the two as channels of one image: the same crop for both
            seen, seen_hat = crop()(torch.cat([target, x_hat], dim=1)).chunk(2, dim=1)
        z = self.projector(self.encoder(seen))  # (5)
        z_hat = self.judged(seen_hat)  # (7), (8)
        loss = vicreg(z, z_hat, self.weights) if self.judge == "live" else self.follow(z, z_hat, target)
        if not self.pixel:
            return loss
        error = (x_hat - target).square().mean()
        return Loss(loss.total + self.pixel * error, loss.parts | {"pixel": error})

    def judged(self, x: Tensor) -> Tensor:
        """p(f(x)): (B, D). A frozen judge hands the gradient on to x but takes none into its own weights."""
        if self.judge == "live":
            z: Tensor = self.projector(self.encoder(x))
            return z
        for network in (self.encoder, self.projector):
            constants = {name: value.detach() for name, value in network.state_dict(keep_vars=True).items()}
            x = torch.func.functional_call(network, constants, x)
        return x

    def follow(self, z: Tensor, z_hat: Tensor, x: Tensor) -> Loss:
        """The loss with a frozen judge: VICReg between two views of x, of which z is one, and z_hat follows z.

        Z' gets no variance term: a decoder meets it soonest with any texture that differs from image to image.
        """
        other = self.projector(self.encoder(crop()(x))) if self.views == "crop" and self.agreement else z
        variance, invariance, covariance = self.weights
        real = vicreg(z, other, (variance, self.agreement * invariance, covariance))
        follows = losses.vicreg_invariance(z.detach(), z_hat)
        parts = real.parts | {"agreement": real.parts["invariance"], "invariance": follows}
        return Loss(real.total + invariance * follows, parts)

    def start_from(self, images: Tensor) -> None:
        """Begin at the images' mean brightness and with standardised embeddings; an encoder taken over stays as it is.

        Raises ValueError for images of another shape or type.
        """
        standardise([*self.encoder, *self.projector], self.check_images(images[:500]))
        begin_at_mean_brightness(pixel_layer(self.decoder), self.output, images)
        _take_over(self, self._given)


def _copies(model: "VICReg | CCAE | None") -> list[dict[str, Tensor]] | None:
    """The weights of a model's encoder and projector: copies, for the model may be trained on."""
    if model is None:
        return None
    if not isinstance(model, VICReg | CCAE):
        raise TypeError(f"encoder is a trained VICReg or CCAE to take over, got {arguments.shown(model)}")
    return [copy.deepcopy(network.state_dict()) for network in (model.encoder, model.projector)]


def _take_over(model: CCAE, given: list[dict[str, Tensor]] | None) -> None:
    """Load what was given of an encoder and a projector; ValueError where they are of other sizes."""
    if not given:
        return
    try:
        model.encoder.load_state_dict(given[0])
        model.projector.load_state_dict(given[1])
    except RuntimeError as error:
        raise ValueError(
            f"{model.label} cannot take over an encoder and projector of other sizes: give it the same latent, "
            f"image_shape, width, hidden and projector as the model they come from ({str(error).split(chr(9))[1]})"
        ) from error


def projector_layers(latent: int, sizes: Sequence[int]) -> nn.Sequential:
    """p: (B, latent) → (B, sizes[-1]): dense layers with SiLU between them; one size is one linear map."""
    said = "is the sizes of its layers, at least one, each at least 1: projector=(128, 128)"
    sizes = arguments.sizes("projector", sizes, said)
    if not sizes:
        raise ValueError(f"projector {said}, got ()")
    layers: list[nn.Module] = []
    for size_in, size_out in zip((latent, *sizes), sizes, strict=False):
        layers += [nn.Linear(size_in, size_out), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def check_weights(weights: Sequence[float]) -> tuple[float, float, float]:
    """(variance, invariance, covariance), each a number ≥ 0; ValueError otherwise."""
    try:
        variance, invariance, covariance = (
            arguments.number("weights", weight, "are numbers ≥ 0", lambda value: 0 <= value < math.inf)
            for weight in weights
        )
    except (TypeError, ValueError):
        said = f"weights are three numbers ≥ 0: of variance, invariance and covariance; got {weights!r}"
        raise ValueError(said) from None
    return float(variance), float(invariance), float(covariance)


@torch.no_grad()
def standardise(layers: Iterable[nn.Module], x: Tensor) -> Tensor:
    """Scale the dense layers so that each number that leaves one has mean 0 and deviation 1 over images x.

    layers: in the order they compute; a Sequential counts as its layers. Returns what leaves the last one.
    Drawn as usual, a few small layers shrink embeddings to a deviation of about 0.01. The variance term then blows up
    the direction in which they differ most, many times faster than all others: a code of one number.
    Raises ValueError for a dense layer within a module of another kind, whose order is not known.
    """
    for layer in layers:
        if isinstance(layer, nn.Sequential):
            x = standardise(layer, x)
            continue
        if isinstance(layer, nn.Linear):
            y = layer(x)
            deviation = y.std(dim=0, correction=0)
            deviation = torch.where(deviation > 1e-6, deviation, torch.ones_like(deviation))  # images all alike
            layer.weight.div_(deviation[:, None])
            layer.bias.sub_(y.mean(dim=0)).div_(deviation)
        elif any(isinstance(inner, nn.Linear) for inner in layer.modules()):
            raise ValueError(
                f"dense layers are standardised one after the other, and {type(layer).__name__} hides some: "
                "build the encoder and the projector of layers and Sequentials"
            )
        x = layer(x)
    return x
