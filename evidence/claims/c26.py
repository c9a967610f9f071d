"""C26: evenly spaced codes between two images decode to plausible intermediates.

300 pairs of different test digits; 10 numbers, 2,000 digits, 400 steps of 64, width 8, hidden 64. The image half
way between their codes, on the straight and on the spherical way, of a plain autoencoder and of a VAE, against the mean
of the two images' pixels. Plausible: a nearest-neighbour judge does not tell it from other test digits more surely than
the decoded ends of the way. Beside it: how sure a classifier is, the distance to the nearest training digit, of the
half-way images and of the ends, their sharpness, and whether a trained critic tells half-way images from the ends.
"""

import torch
from torch import Tensor

from autoencoder_lab import metrics
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    WRONG,
    Figures,
    Rows,
    Verdict,
    confidence,
    difference,
    digits,
    digits_ae,
    digits_vae,
    over_seeds,
    pairs_of_digits,
)

SLIDE = "002"
CLAIM = "Evenly spaced codes between two images decode to plausible intermediate images"
NOTEBOOK, SECTION = "04b", "2"
EXPECTED = CONDITION


def half_way_round(a: Tensor, b: Tensor) -> Tensor:
    """The middle of the spherical way between rows of a and b (N, d) (White, 2016): its length is theirs."""
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(min=-0.99)[:, None]
    return (a + b) / (2 * (1 + cosine)).sqrt()  # sin(θ/2) / sin θ = 1 / (2 cos(θ/2))


def experiment(seed: int) -> Figures:
    """Two-sample accuracy, critic, confidence, sharpness and distance to training digits, half way and at the ends."""
    data = digits(2000)
    first, second = pairs_of_digits(data)
    views = {"pixels": (first + second) / 2, "ends_pixels": first}
    for name, model in {"ae": digits_ae(10, seed), "vae": digits_vae(10, seed)}.items():
        a, b = (metrics.in_batches(model.encode, x) for x in (first, second))
        codes = {f"ends_{name}": a, name: (a + b) / 2, f"{name}_round": half_way_round(a, b)}
        views |= {kind: metrics.in_batches(model.decode, z) for kind, z in codes.items()}
    others, figures = data.test.images[500 : 500 + len(first)], {}
    for kind, x in views.items():
        if not kind.startswith("ends"):
            ends = views["ends_" + kind.removesuffix("_round")]
            figures[f"critic_{kind}"] = metrics.critic_accuracy(x, ends, seed=seed).value
        figures[f"sharp_{kind}"] = metrics.sharpness(x).value
        figures[f"told_{kind}"] = metrics.two_sample_accuracy(x, others).value
        figures[f"sure_{kind}"] = confidence(x)
        figures[f"near_{kind}"] = float(metrics.nearest_training(x, data.train)[0].mean())
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where the VAE's half-way images are told from digits less surely than blended pixels, and no more surely (5
    points) than its own ends; conditional where more surely than these; wrong where blending does better."""
    gains = [difference(rows, "told_pixels", way) for way in ("told_vae", "told_vae_round")]
    loss = difference(rows, "told_vae", "told_ends_vae")
    against_ae = difference(rows, "told_vae", "told_ae")
    ways = ("ends_vae", "vae", "vae_round", "ends_ae", "ae", "ae_round", "pixels")
    told, sure = ({way: over_seeds(rows, f"{word}_{way}").percent for way in ways} for word in ("told", "sure"))
    near = {way: over_seeds(rows, f"near_{way}") for way in ways}
    critic = {way: over_seeds(rows, f"critic_{way}").percent for way in ("vae", "ae")}
    sharp = {way: over_seeds(rows, f"sharp_{way}") for way in ("vae", "ends_vae", "ae", "ends_ae")}
    plain = "better than" if against_ae.above() else "worse than" if against_ae.below() else "as well as"
    sentence = (
        "Half way between two different digits, a nearest-neighbour judge (50 % is the ideal) tells a VAE's images "
        f"from real digits in {told['vae']} (spherical way {told['vae_round']}), blended pixels in {told['pixels']}; "
        f"the decoded ends of the way in {told['ends_vae']}. A plain autoencoder does {plain} the VAE: {told['ae']} "
        f"(spherical {told['ae_round']}), ends {told['ends_ae']}. A classifier is sure of the half-way images to "
        f"{sure['vae']} (VAE), {sure['ae']} (autoencoder) and {sure['pixels']} (pixels), of decoded ends to "
        f"{sure['ends_vae']}: between two classes lies a border, and what is on it is often no digit. Distance to the "
        f"nearest training digit: {near['vae']}, {near['ae']}, {near['pixels']}; of decoded ends {near['ends_vae']} "
        f"and {near['ends_ae']}. Sharpness half way and at the ends: {sharp['vae']} and {sharp['ends_vae']} (VAE), "
        f"{sharp['ae']} and {sharp['ends_ae']}; a trained critic tells half way from the ends in {critic['vae']} and "
        f"{critic['ae']}."
    )
    if not all(gain.above() for gain in gains):
        return Verdict(WRONG if all(gain.below() for gain in gains) else UNDECIDED, sentence)
    return Verdict(RIGHT if loss.below(0.05) else CONDITION if loss.above() else UNDECIDED, sentence)
