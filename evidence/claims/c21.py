"""C21: skips cannot restore features lost to corruption; what is reconstructed still looks blurry.

Inpainting a visible 10×10 hole with a code of 64 numbers, width 8, hidden 64, 3,500 digits, 300 steps of 64 at rate
3e-3: a plain convolutional autoencoder, residual blocks inside encoder and decoder, and U-Net skips around the code.
Error and sharpness (mean absolute Laplacian, as a share of the clean images' own) inside and outside the hole.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from autoencoder_lab import metrics
from autoencoder_lab.data.corruptions import box_mask
from autoencoder_lab.models import ConvAutoencoder, ResidualAutoencoder
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    WRONG,
    Figures,
    Rows,
    Verdict,
    difference,
    digits,
    over_seeds,
    ratio,
    reconstructions,
    shuffled_rows,
    train,
    with_other_codes,
)

SLIDE = "002"
CLAIM = "Skip connections cannot restore features lost to corruption; reconstructed features still look blurry"
NOTEBOOK, SECTION = "03", "5"
EXPECTED = RIGHT
HOLE = box_mask(10, fill=0.5)
SAVES, BLURS = 0.9, 0.05  # what counts: an error cut by more than a tenth; 5 points of sharpness


def sharpness_by_side(images: Tensor, hole: Tensor) -> tuple[float, float]:
    """Mean absolute Laplacian inside and outside the hole, where the 3×3 pixels all lie on the same side."""
    kernel = images.new_tensor([[0, -1, 0], [-1, 4, -1], [0, -1, 0]]).view(1, 1, 3, 3)
    laplacian = F.conv2d(images, kernel).abs()
    inside = -F.max_pool2d(-hole.float(), 3, stride=1) > 0
    outside = F.max_pool2d(hole.float(), 3, stride=1) == 0
    return float(laplacian[inside].mean()), float(laplacian[outside].mean())


def experiment(seed: int) -> Figures:
    """Error and share of sharpness, inside and outside the hole, by kind of skip; and with exchanged codes."""
    data, figures = digits(), {}
    models: dict[str, Any] = {
        "plain": ConvAutoencoder(64, width=8, hidden=64),
        "inside": ResidualAutoencoder(64, width=8, hidden=64, skips="inside"),
        "around": ResidualAutoencoder(64, width=8, hidden=64, skips="around"),
    }
    x = data.test.images
    hole = HOLE.mask(x, torch.Generator().manual_seed(metrics.CORRUPTION_SEED))
    damaged, clean = x.masked_fill(hole, HOLE.fill), sharpness_by_side(x, hole)
    figures["mean_image"] = float((x - data.train.images.mean(dim=0))[hole].square().mean())
    for name, model in models.items():
        train(model, data, seed, 300, 3e-3, corrupt=HOLE)
        kept = sharpness_by_side(reconstructions(model, damaged), hole)
        for side, error, sharp, own in zip(("in", "out"), metrics.hole_errors(model, data.test, HOLE), kept, clean,
                                           strict=True):  # fmt: skip
            figures[f"error_{side}_{name}"] = error.value
            figures[f"sharpness_{side}_{name}"] = sharp / own
    exchanged = with_other_codes(models["around"], damaged, shuffled_rows(len(x))) - x
    figures["exchanged_in"] = float(exchanged[hole].square().mean())
    figures["exchanged_out"] = float(exchanged[~hole].square().mean())
    return figures


def verdict(rows: Rows) -> Verdict:
    """Two halves, judged on the network with skips around the code beside the same one without them: the skips cut the
    error inside the hole by less than a tenth; and there the picture keeps less of its sharpness than outside. Right
    where both hold, wrong where both are refuted, else conditional."""
    inside, outside = (ratio(rows, f"error_{side}_around", f"error_{side}_inside") for side in ("in", "out"))
    lag = difference(rows, "sharpness_out_around", "sharpness_in_around")
    lost, restored = inside.above(SAVES), inside.below(SAVES)
    blurry, crisp = lag.above(BLURS), lag.below(BLURS)
    sentence = (
        f"Outside the hole skips around the code bring the error to {over_seeds(rows, 'error_out_around')} from "
        f"{over_seeds(rows, 'error_out_inside')} of the same network without them, {outside} of it; inside, to "
        f"{over_seeds(rows, 'error_in_around')} from {over_seeds(rows, 'error_in_inside')}, {inside} of it (mean image "
        f"{over_seeds(rows, 'mean_image')}; a plain autoencoder {over_seeds(rows, 'error_out_plain')} and "
        f"{over_seeds(rows, 'error_in_plain')}). Sharpness kept with skips around the code: "
        f"{over_seeds(rows, 'sharpness_out_around').percent} outside and "
        f"{over_seeds(rows, 'sharpness_in_around').percent} inside; without: "
        f"{over_seeds(rows, 'sharpness_out_inside').percent} and {over_seeds(rows, 'sharpness_in_inside').percent}. "
        f"The code then serves the hole and little else: with all codes exchanged the error rises to "
        f"{over_seeds(rows, 'exchanged_in')} inside and {over_seeds(rows, 'exchanged_out')} outside."
    )
    if lost and blurry:
        return Verdict(RIGHT, sentence)
    if restored and crisp:
        return Verdict(WRONG, sentence)
    return Verdict(CONDITION if (lost and crisp) or (restored and blurry) else UNDECIDED, sentence)
