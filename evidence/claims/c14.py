"""C14: transposed convolution enlarges a feature map; unpooling is the alternative.

Convolutional autoencoders (width 8, hidden 64, code 16), 1,500 digits, 300 steps of 64, with each of the three
decoders; and untrained layers on a constant input, where any pattern in the output is the layer's own.
"""

from typing import Any

import torch
from torch import nn

from autoencoder_lab import metrics
from autoencoder_lab.models import ConvAutoencoder
from evidence.common import (
    CONDITION,
    UNDECIDED,
    Figures,
    Rows,
    Verdict,
    difference,
    digits,
    mean_image_mse,
    over_seeds,
    reconstructions,
    shuffled_rows,
    test_mse,
    train,
)  # fmt: skip

SLIDE = "003"
CLAIM = "Transposed convolution enlarges a feature map; unpooling is the alternative"
NOTEBOOK, SECTION = "02", "2"
EXPECTED = CONDITION


def pattern_on_constant_input(layer: nn.Module) -> float:
    """Checkerboard share of the output's interior for an input that is 1 everywhere, averaged over the channels."""
    with torch.inference_mode():
        out = layer(torch.ones(1, 8, 20, 20))[..., 6:30, 6:30]
    ripple = out - out.mean(dim=(2, 3), keepdim=True)
    return float((ripple.square().mean(dim=(2, 3)) / out.square().mean(dim=(2, 3))).mean())


def experiment(seed: int) -> Figures:
    """Error and checkerboard energy by decoder, error with codes exchanged between images, ripple of untrained
    layers."""
    data = digits(1500)
    x, other = data.test.images, shuffled_rows(len(data.test))
    figures = {"mean_image": mean_image_mse(data), "board_images": metrics.checkerboard_energy(x).value}
    for decoder in ("transposed", "resize", "unpool"):
        model = ConvAutoencoder(16, decoder=decoder, width=8, hidden=64)
        train(model, data, seed, steps=300)
        figures[f"mse_{decoder}"] = test_mse(model, data)
        figures[f"board_{decoder}"] = metrics.checkerboard_energy(reconstructions(model, x)).value
        with torch.inference_mode():
            if decoder == "unpool":
                encoder: Any = model.encoder
                codes, positions = encoder.with_positions(x)
                exchanged = torch.sigmoid(model.decoder(codes[other], positions))
            else:
                exchanged = model.decode(model.encode(x)[other])
        figures[f"exchanged_{decoder}"] = float((exchanged - x).square().mean())
    torch.manual_seed(seed)
    layers = {
        "ripple_k3": nn.ConvTranspose2d(8, 8, 3, stride=2, bias=False),
        "ripple_k4": nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1, bias=False),
        "ripple_resize": nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(8, 8, 3, padding=1, bias=False)),
    }
    with torch.no_grad():  # all weights alike: what is left is the number of contributions to each pixel
        for name, layer in layers.items():
            figures[f"random_{name}"] = pattern_on_constant_input(layer)
            for parameter in layer.parameters():
                parameter.fill_(1.0)
            figures[name] = pattern_on_constant_input(layer)
    return figures


def verdict(rows: Rows) -> Verdict:
    """Conditional where unpooling reconstructs best, but with the wrong code still better than the others' own errors
    do."""
    leaks = difference(rows, "mean_image", "exchanged_unpool").above()
    through_code = all(difference(rows, f"exchanged_{d}", "mean_image").above() for d in ("transposed", "resize"))
    geometry = over_seeds(rows, "ripple_k3").above(0.01) and over_seeds(rows, "ripple_k4").below(1e-6)
    sentence = (
        f"All three enlarge; errors after one budget: transposed {over_seeds(rows, 'mse_transposed')}, resize and "
        f"convolve {over_seeds(rows, 'mse_resize')}, max-unpooling {over_seeds(rows, 'mse_unpool')}. But unpooling is "
        "no alternative where the code must carry the image: given another image's code it still reconstructs to "
        f"{over_seeds(rows, 'exchanged_unpool')}, better than the mean image ({over_seeds(rows, 'mean_image')}), for "
        "the positions of the maxima travel past the code; the other two then fail "
        f"({over_seeds(rows, 'exchanged_transposed')}, {over_seeds(rows, 'exchanged_resize')}). A transposed "
        "convolution with equal weights prints a checkerboard on a constant input at kernel 3, stride 2 "
        f"({over_seeds(rows, 'ripple_k3').percent} of the power), none at kernel 4 or after resizing; with random "
        f"weights kernel 4 ripples too ({over_seeds(rows, 'random_ripple_k4').percent})."
    )
    return Verdict(CONDITION if leaks and through_code and geometry else UNDECIDED, sentence)
