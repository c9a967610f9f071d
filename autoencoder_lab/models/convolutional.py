"""Convolutional autoencoders: three ways to enlarge a feature map, and two kinds of skip connection."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autoencoder_lab.models.base import Autoencoder, Output, ReconstructionLoss

Enlarge = Literal["transposed", "resize"]


class ConvAutoencoder(Autoencoder):
    """Two strided convolutions, a dense layer to the code, and the mirror image back.

    decoder: how feature maps grow again (slide 003).
      "transposed"  transposed convolution, kernel 4, stride 2: the kernel is a multiple of the stride, so every output
                    pixel receives the same number of contributions and no checkerboard is built in;
      "resize"      nearest-neighbour enlargement, then a 3×3 convolution;
      "unpool"      max-pooling remembers where each maximum stood and max-unpooling puts it back there. The decoder
                    then needs more than the code: `code_only` is False and `decode` raises.
    width: channels after the first convolution, doubled by the second; hidden: units between feature maps and code.
    image_shape: any from (1, 8, 8) up.
    """

    learning_rate = 4e-3
    batch_size = 64

    def __init__(
        self,
        latent: int,
        image_shape: Sequence[int] = (1, 28, 28),
        decoder: Literal["transposed", "resize", "unpool"] = "transposed",
        width: int = 16,
        hidden: int = 512,
        output: Output = "sigmoid",
        loss: ReconstructionLoss = "squared_error",
    ) -> None:
        super().__init__(latent, image_shape, output, loss)
        if decoder not in ("transposed", "resize", "unpool"):
            raise ValueError(f'decoder must be "transposed", "resize" or "unpool", got {decoder!r}')
        channels, height, width_px = self.image_shape
        inner = (2 * width, -(-height // 4), -(-width_px // 4))  # rounded up: other sizes are padded, then cropped
        self.code_only = decoder != "unpool"
        # the other two compute at full resolution: fewer steps for the same time
        self.suggested_steps = {"transposed": 4300, "resize": 3000, "unpool": 2300}[decoder]
        if decoder == "unpool":
            self.encoder = PoolingEncoder(channels, width, inner, hidden, latent)
            self.decoder = UnpoolingDecoder(channels, width, inner, hidden, latent)
            return
        self.encoder = nn.Sequential(
            pad_to_multiple_of_4(height, width_px),
            *halve(channels, width),
            *halve(width, 2 * width),
            *to_code(inner, hidden, latent),
        )
        self.decoder = nn.Sequential(
            *from_code(latent, hidden, inner),
            *enlarge(2 * width, width, decoder),
            *enlarge(width, channels, decoder, last=True),
            Crop(height, width_px),
        )

    def start_from(self, images: Tensor) -> None:
        """Begin at the images' mean brightness, see `begin_at_mean_brightness`."""
        begin_at_mean_brightness(self, images)

    def decode(self, z: Tensor) -> Tensor:
        """Images (B, C, H, W) from codes alone; raises TypeError for decoder="unpool"."""
        if not self.code_only:
            raise TypeError(
                f'{self.label} with decoder="unpool" cannot decode a code alone: it also needs the positions of the '
                "encoder's maxima; call reconstruct(x)"
            )
        return super().decode(z)

    def logits(self, x: Tensor) -> Tensor:
        """The reconstruction before the output function; with "unpool" the positions travel beside the code."""
        if self.code_only:
            return super().logits(x)
        assert isinstance(self.encoder, PoolingEncoder)
        code, positions = self.encoder.with_positions(self.check_images(x))
        restored: Tensor = self.decoder(code, positions)
        return restored[..., : self.image_shape[1], : self.image_shape[2]]


class ResidualAutoencoder(Autoencoder):
    """A convolutional autoencoder with skip connections, of one of two kinds that are easily confused.

    skips="inside": residual blocks, x + F(x), within encoder and within decoder (He et al., 2016). Everything still
    passes through the code.
    skips="around": each encoder feature map is also handed to the decoder stage of its size (Ronneberger et al., 2015,
    U-Net; slide 002). That goes *round* the code: `code_only` is False and `decode` raises.
    """

    learning_rate = 2e-3
    suggested_steps = 1200

    def __init__(
        self,
        latent: int,
        image_shape: Sequence[int] = (1, 28, 28),
        skips: Literal["inside", "around"] = "inside",
        width: int = 16,
        hidden: int = 128,
        output: Output = "sigmoid",
        loss: ReconstructionLoss = "squared_error",
    ) -> None:
        super().__init__(latent, image_shape, output, loss)
        if skips not in ("inside", "around"):
            raise ValueError(f'skips must be "inside" or "around", got {skips!r}')
        channels, height, width_px = self.image_shape
        inner = (2 * width, -(-height // 4), -(-width_px // 4))
        self.code_only = skips == "inside"
        from_encoder = 1 if self.code_only else 2  # a decoder stage sees twice the channels if a skip joins it
        self.pad = pad_to_multiple_of_4(height, width_px)
        self.down_1 = nn.Sequential(*halve(channels, width), ResidualBlock(width))
        self.down_2 = nn.Sequential(*halve(width, 2 * width), ResidualBlock(2 * width))
        self.to_code = nn.Sequential(*to_code(inner, hidden, latent))
        self.from_code = nn.Sequential(*from_code(latent, hidden, inner))
        self.up_2 = nn.Sequential(
            *merge(2 * width * from_encoder, 2 * width),
            ResidualBlock(2 * width),
            *enlarge(2 * width, width, "transposed"),
        )
        self.up_1 = nn.Sequential(
            *merge(width * from_encoder, width),
            ResidualBlock(width),
            *enlarge(width, channels, "transposed", last=True),
            Crop(height, width_px),
        )

    def start_from(self, images: Tensor) -> None:
        """Begin at the images' mean brightness, see `begin_at_mean_brightness`."""
        begin_at_mean_brightness(self, images)

    def encoder(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, latent)."""
        code: Tensor = self.to_code(self.down_2(self.down_1(self.pad(x))))
        return code

    def decoder(self, z: Tensor) -> Tensor:
        """(B, latent) → (B, C, H, W) before the output function; for skips="inside"."""
        if not self.code_only:
            raise TypeError(
                f'{self.label} with skips="around" cannot decode a code alone: its decoder also needs the encoder\'s '
                "feature maps; call reconstruct(x)"
            )
        restored: Tensor = self.up_1(self.up_2(self.from_code(z)))
        return restored

    def logits(self, x: Tensor) -> Tensor:
        """The reconstruction before the output function; with "around" the feature maps travel beside the code."""
        if self.code_only:
            return super().logits(x)
        half = self.down_1(self.pad(self.check_images(x)))
        quarter = self.down_2(half)
        up = self.from_code(self.to_code(quarter))
        up = self.up_2(torch.cat([up, quarter], dim=1))
        restored: Tensor = self.up_1(torch.cat([up, half], dim=1))
        return restored


# --- parts -----------------------------------------------------------------------------------------
# GroupNorm rather than BatchNorm: an image's code then does not depend on the other images of its batch.


def norm(channels: int) -> nn.GroupNorm:
    """Group normalisation with groups of at least four channels, or fewer groups where they would not come out even."""
    groups = next(count for count in range(max(1, channels // 4), 0, -1) if channels % count == 0)
    return nn.GroupNorm(groups, channels)


def halve(channels_in: int, channels_out: int) -> list[nn.Module]:
    """(H, W) → (H/2, W/2) by a strided convolution."""
    return [nn.Conv2d(channels_in, channels_out, 4, stride=2, padding=1), norm(channels_out), nn.SiLU()]


def enlarge(channels_in: int, channels_out: int, how: Enlarge, last: bool = False) -> list[nn.Module]:
    """(H, W) → (2H, 2W); the last one ends in pixels, without normalisation or activation."""
    layers: list[nn.Module]
    if how == "transposed":
        layers = [nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1)]
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


@torch.no_grad()
def begin_at_mean_brightness(model: Autoencoder, images: Tensor) -> None:
    """Set the bias of the last convolution so that the untrained model draws each channel's mean value.

    Otherwise the first thing that every weight learns is to make all pictures darker. The dense layers then run away
    in that one direction, group normalisation scales all else down beside it, and about one seed in eight stays
    at the mean image for good (measured with width 8 on digits).
    """
    last = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)][-1]
    mean = images.mean(dim=(0, 2, 3))
    # the inverse of the output function; clamped, for an all-black channel would ask for −∞
    inverse = {"sigmoid": lambda: mean.clamp(0.01, 0.99).logit(), "tanh": lambda: mean.clamp(-0.99, 0.99).atanh()}
    assert last.bias is not None
    last.bias.copy_(inverse.get(model.output, lambda: mean)())


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
