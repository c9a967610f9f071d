"""The blocks that models are put together from: dense, convolutional, residual, and what unpooling needs."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autoencoder_lab import arguments

Activation = Literal["silu", "relu", "sigmoid", "tanh", "identity"]
Enlarge = Literal["transposed", "resize"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "silu": nn.SiLU,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
}


def check_choice(name: str, given: str, known: Sequence[str] | Mapping[str, object]) -> None:
    if not isinstance(given, str) or given not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {given!r}")


def check_counts(**given: int) -> None:
    """ValueError for a count, of channels or units, that is no whole number above 0."""
    for name, count in given.items():
        arguments.whole(name, count, 1)


def activation(name: Activation) -> nn.Module:
    """A fresh activation layer by name."""
    check_choice("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()


def dense_layers(widths: Sequence[int], activation_name: Activation) -> list[nn.Module]:
    """Linear layers of these widths with an activation between them, none after the last."""
    layers: list[nn.Module] = []
    for i, (width_in, width_out) in enumerate(itertools.pairwise(widths)):
        if i > 0:
            layers.append(activation(activation_name))
        layers.append(nn.Linear(width_in, width_out))
    return layers


def code_layer(name: Activation) -> list[nn.Module]:
    """The activation on the code, or nothing where it is the identity."""
    return [] if name == "identity" else [activation(name)]


# GroupNorm rather than BatchNorm: an image's code then does not depend on the other images of its batch.


def norm(channels: int) -> nn.GroupNorm:
    """Group normalisation with groups of at least four channels, or fewer groups where they would not come out even."""
    groups = next(count for count in range(max(1, channels // 4), 0, -1) if channels % count == 0)
    return nn.GroupNorm(groups, channels)


def halve(channels_in: int, channels_out: int) -> list[nn.Module]:
    """(H, W) → (H/2, W/2) by a strided convolution."""
    return [nn.Conv2d(channels_in, channels_out, 4, stride=2, padding=1), norm(channels_out), nn.SiLU()]


class ToPixels(nn.ConvTranspose2d):
    """nn.ConvTranspose2d where few channels come out: on a CPU by PyTorch's own kernel instead of oneDNN's.

    For 16 channels to 1 that is three times as fast, and a step of the course's networks 5 to 10 % shorter
    (docs/performance.md); the sums are the same, rounded otherwise.
    """

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        plain = x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu") and output_size is None
        if x.device.type != "cpu" or not plain or torch.compiler.is_compiling():
            return super().forward(x, output_size)
        shape = self.kernel_size, self.bias, self.stride, self.padding, self.output_padding, self.dilation
        drawn: Tensor = torch.ops.aten.slow_conv_transpose2d(x, self.weight, *shape)
        return drawn

    def _get_name(self) -> str:
        return "ConvTranspose2d"  # that is what it is, for whoever prints a model


def enlarge(channels_in: int, channels_out: int, how: Enlarge, last: bool = False) -> list[nn.Module]:
    """(H, W) → (2H, 2W); the last one ends in pixels, without normalisation or activation."""
    layers: list[nn.Module]
    if how == "transposed":
        kind = ToPixels if last else nn.ConvTranspose2d
        layers = [kind(channels_in, channels_out, 4, stride=2, padding=1)]
    else:
        layers = [nn.Upsample(scale_factor=2), nn.Conv2d(channels_in, channels_out, 3, padding=1)]
    return layers if last else [*layers, norm(channels_out), nn.SiLU()]


def merge(channels_in: int, channels_out: int) -> list[nn.Module]:
    """Bring joined feature maps back to `channels_out` by a 1×1 convolution; nothing where they already are."""
    return [] if channels_in == channels_out else [nn.Conv2d(channels_in, channels_out, 1), nn.SiLU()]


def to_code(inner: tuple[int, int, int], hidden: int, latent: int) -> list[nn.Module]:
    """Feature maps of shape `inner` → code."""
    size = inner[0] * inner[1] * inner[2]
    return [nn.Flatten(), nn.Linear(size, hidden), nn.SiLU(), nn.Linear(hidden, latent)]


def from_code(latent: int, hidden: int, inner: tuple[int, int, int]) -> list[nn.Module]:
    """Code → feature maps of shape `inner`."""
    size = inner[0] * inner[1] * inner[2]
    return [nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, size), nn.SiLU(), nn.Unflatten(1, inner)]


def pad_to_multiple_of_4(height: int, width: int) -> nn.Module:
    """Zeros at the right and the bottom where two halvings would not come out even."""
    bottom, right = -height % 4, -width % 4
    return nn.ZeroPad2d((0, right, 0, bottom)) if bottom or right else nn.Identity()


class Crop(nn.Module):
    """Take the padding off again: the upper left (height, width) pixels."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ≥height, ≥width) → (B, C, height, width)."""
        return x[..., : self.height, : self.width]


class ResidualBlock(nn.Module):
    """x + F(x), with F two 3×3 convolutions (He et al., 2016, pre-activation form)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            norm(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            norm(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        y: Tensor = x + self.change(x)
        return y


class PoolingEncoder(nn.Module):
    """Convolution and max-pooling, which can also tell where each maximum stood."""

    def __init__(self, channels: int, width: int, inner: tuple[int, int, int], hidden: int, latent: int) -> None:
        super().__init__()
        self.conv_1 = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), norm(width), nn.SiLU())
        self.conv_2 = nn.Sequential(nn.Conv2d(width, 2 * width, 3, padding=1), norm(2 * width), nn.SiLU())
        self.to_code = nn.Sequential(*to_code(inner, hidden, latent))

    def with_positions(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The code (B, latent) and, for each pooling, the flat indices of its maxima."""
        x = F.pad(x, (0, -x.shape[3] % 4, 0, -x.shape[2] % 4))
        half, where_1 = F.max_pool2d(self.conv_1(x), 2, return_indices=True)
        quarter, where_2 = F.max_pool2d(self.conv_2(half), 2, return_indices=True)
        return self.to_code(quarter), [where_1, where_2]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, latent)."""
        return self.with_positions(x)[0]


class UnpoolingDecoder(nn.Module):
    """Max-unpooling back to the remembered positions, each followed by a convolution."""

    def __init__(self, channels: int, width: int, inner: tuple[int, int, int], hidden: int, latent: int) -> None:
        super().__init__()
        self.from_code = nn.Sequential(*from_code(latent, hidden, inner))
        self.conv_2 = nn.Sequential(nn.Conv2d(2 * width, width, 3, padding=1), norm(width), nn.SiLU())
        self.conv_1 = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, z: Tensor, positions: list[Tensor]) -> Tensor:
        """(B, latent) and the encoder's positions → (B, C, H, W), padded size, before the output function."""
        up = self.conv_2(F.max_unpool2d(self.from_code(z), positions[1], (2, 2)))
        restored: Tensor = self.conv_1(F.max_unpool2d(up, positions[0], (2, 2)))
        return restored


# --- an encoder and a decoder of these blocks ------------------------------------------------------


def encoder_layers(image_shape: tuple[int, int, int], width: int, hidden: int, latent: int) -> nn.Sequential:
    """f: (B, C, H, W) → (B, latent). Group normalisation, so an image's code never depends on its batch."""
    channels, height, width_px = image_shape
    inner = (2 * width, -(-height // 4), -(-width_px // 4))
    return nn.Sequential(
        pad_to_multiple_of_4(height, width_px),
        *halve(channels, width),
        *halve(width, 2 * width),
        *to_code(inner, hidden, latent),
    )


def decoder_layers(image_shape: tuple[int, int, int], width: int, hidden: int, latent: int) -> nn.Sequential:
    """(B, latent) → (B, C, H, W) before the output function: the mirror image of `encoder_layers`."""
    channels, height, width_px = image_shape
    inner = (2 * width, -(-height // 4), -(-width_px // 4))
    return nn.Sequential(
        *from_code(latent, hidden, inner),
        *enlarge(2 * width, width, "transposed"),
        *enlarge(width, channels, "transposed", last=True),
        Crop(height, width_px),
    )
