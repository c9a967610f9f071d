"""Convolutional autoencoders: three ways to enlarge a feature map, and two kinds of skip connection."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from autoencoder_lab import arguments
from autoencoder_lab.models.base import Autoencoder, Output, ReconstructionLoss
from autoencoder_lab.models.layers import (
    Crop,
    PoolingEncoder,
    ResidualBlock,
    UnpoolingDecoder,
    check_choice,
    check_counts,
    enlarge,
    from_code,
    halve,
    merge,
    pad_to_multiple_of_4,
    to_code,
)


class ConvAutoencoder(Autoencoder):
    """Two strided convolutions, a dense layer to the code, and the mirror image back.

    decoder: how feature maps grow again (slide 003).
      "transposed"  transposed convolution, kernel 4, stride 2: the kernel is a multiple of the stride, so every output
                    pixel receives the same number of contributions and no checkerboard is built in;
      "resize"      nearest-neighbour enlargement, then a 3×3 convolution;
      "unpool"      max-pooling remembers where each maximum stood and max-unpooling puts it back there. The decoder
                    then needs more than the code: `decodes` is False and `decode` raises.
    width: channels after the first convolution, doubled by the second; hidden: units between feature maps and code.
    image_shape: any from (1, 8, 8) up.
    """

    learning_rate = 4e-3
    batch_size = 64

    decoder: nn.Module

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
        check_choice("decoder", decoder, ("transposed", "resize", "unpool"))
        check_counts(width=width, hidden=hidden)
        channels, height, width_px = self.image_shape
        inner = (2 * width, -(-height // 4), -(-width_px // 4))  # rounded up: other sizes are padded, then cropped
        self.decodes = decoder != "unpool"
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
        last = self.decoder.conv_1 if isinstance(self.decoder, UnpoolingDecoder) else pixel_layer(self.decoder)
        begin_at_mean_brightness(last, self.output, images)

    def decode(self, z: Tensor) -> Tensor:
        """Images (B, C, H, W) from codes alone; raises TypeError for decoder="unpool"."""
        if not self.decodes:
            raise TypeError(
                f'{self.label} with decoder="unpool" cannot decode a code alone: it also needs the positions of the '
                "encoder's maxima; call reconstruct(x)"
            )
        return super().decode(z)

    def logits(self, x: Tensor) -> Tensor:
        """The reconstruction before the output function; with "unpool" the positions travel beside the code."""
        if self.decodes:
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
    U-Net; slide 002). That goes *round* the code: `decodes` is False and `decode` raises.
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
        check_choice("skips", skips, ("inside", "around"))
        check_counts(width=width, hidden=hidden)
        channels, height, width_px = self.image_shape
        inner = (2 * width, -(-height // 4), -(-width_px // 4))
        self.decodes = skips == "inside"
        from_encoder = 1 if self.decodes else 2  # a decoder stage sees twice the channels if a skip joins it
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
        begin_at_mean_brightness(pixel_layer(self.up_1), self.output, images)

    def encoder(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, latent)."""
        code: Tensor = self.to_code(self.down_2(self.down_1(self.pad(x))))
        return code

    def decoder(self, z: Tensor) -> Tensor:
        """(B, latent) → (B, C, H, W) before the output function; for skips="inside"."""
        if not self.decodes:
            raise TypeError(
                f'{self.label} with skips="around" cannot decode a code alone: its decoder also needs the encoder\'s '
                "feature maps; call reconstruct(x)"
            )
        restored: Tensor = self.up_1(self.up_2(self.from_code(z)))
        return restored

    def logits(self, x: Tensor) -> Tensor:
        """The reconstruction before the output function; with "around" the feature maps travel beside the code."""
        if self.decodes:
            return super().logits(x)
        half = self.down_1(self.pad(self.check_images(x)))
        quarter = self.down_2(half)
        up = self.from_code(self.to_code(quarter))
        up = self.up_2(torch.cat([up, quarter], dim=1))
        restored: Tensor = self.up_1(torch.cat([up, half], dim=1))
        return restored


def pixel_layer(decoder: nn.Module) -> nn.Module:
    """The convolution that draws the pixels: the last one of a decoder whose layers stand in the order they compute."""
    return [layer for layer in decoder.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)][-1]


@torch.no_grad()
def begin_at_mean_brightness(layer: nn.Module, output: Output, images: Tensor) -> None:
    """Set the bias of the convolution that draws the pixels so that the untrained model draws each channel's mean.

    layer: a model's last one, before the output function `output`. Without this the first thing that every weight
    learns is to make all pictures darker. The dense layers then run away in that one direction, group normalisation
    scales all else down beside it, and about one seed in eight stays at the mean image for good (measured with width 8
    on digits).
    """
    mean = arguments.batch(images, "images").mean(dim=(0, 2, 3))
    # the inverse of the output function; clamped, for an all-black channel would ask for −∞
    inverse = {"sigmoid": lambda: mean.clamp(0.01, 0.99).logit(), "tanh": lambda: mean.clamp(-0.99, 0.99).atanh()}
    layer.get_parameter("bias").copy_(inverse.get(output, lambda: mean)())
