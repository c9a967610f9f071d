"""C20: skip connections make reconstructions sharper.

Equal code (8), width 8, hidden 64, 1,500 digits, 300 steps of 64: a plain convolutional autoencoder, residual blocks
inside encoder and decoder, and U-Net skips around the code.
"""

from typing import Any

from autoencoder_lab import metrics
from autoencoder_lab.models import ConvAutoencoder, ResidualAutoencoder
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
    with_other_codes,
)  # fmt: skip

SLIDE = "002"
CLAIM = "Skip connections make reconstructions sharper"
NOTEBOOK, SECTION = "02", "5"
EXPECTED = CONDITION


def experiment(seed: int) -> Figures:
    """Test error and share of the images' sharpness by kind of skip, and the error with exchanged codes."""
    data = digits(1500)
    x, other = data.test.images, shuffled_rows(len(data.test))
    models: dict[str, Any] = {
        "plain": ConvAutoencoder(8, width=8, hidden=64),
        "inside": ResidualAutoencoder(8, width=8, hidden=64, skips="inside"),
        "around": ResidualAutoencoder(8, width=8, hidden=64, skips="around"),
    }
    figures = {"mean_image": mean_image_mse(data)}
    for name, model in models.items():
        train(model, data, seed, steps=300)
        figures[f"mse_{name}"] = test_mse(model, data)
        figures[f"sharpness_{name}"] = metrics.sharpness(reconstructions(model, x)).value / metrics.sharpness(x).value
    for name in ("inside", "around"):
        figures[f"exchanged_{name}"] = float((with_other_codes(models[name], x, other) - x).square().mean())
    return figures


def verdict(rows: Rows) -> Verdict:
    """Conditional where skips around the code sharpen, and do so by passing it by."""
    sharper = difference(rows, "sharpness_around", "sharpness_plain").above()
    passes_by = difference(rows, "mse_plain", "exchanged_around").above()
    inside = difference(rows, "sharpness_inside", "sharpness_plain")
    what_inside = "sharpen" if inside.above() else "blur" if inside.below() else "change little"
    sentence = (
        "Of the images' sharpness a plain autoencoder with 8 numbers keeps "
        f"{over_seeds(rows, 'sharpness_plain').percent}, one with skips around the code "
        f"{over_seeds(rows, 'sharpness_around').percent} (error {over_seeds(rows, 'mse_around')} against "
        f"{over_seeds(rows, 'mse_plain')}). It does so by passing the code by: with every code exchanged for another "
        f"image's its error is {over_seeds(rows, 'exchanged_around')}, still below the plain one's. Skips inside "
        f"encoder and decoder, where everything passes the code, {what_inside}: "
        f"{over_seeds(rows, 'sharpness_inside').percent}, error {over_seeds(rows, 'mse_inside')}."
    )
    return Verdict(CONDITION if sharper and passes_by else UNDECIDED, sentence)
