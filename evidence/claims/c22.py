"""C22: a plain autoencoder does not generate; only the codes of real images decode well.

Codes of 10 numbers, 2,000 digits, 400 steps of 64, width 8, hidden 64: a plain autoencoder given random codes (from
N(0, I); from a Gaussian with the mean and spread of its own codes), given codes of validation digits, and given codes
from a mixture of 10 Gaussians fitted to its codes; a VAE. 500 images of each kind against 500 test digits.
"""

import torch

from autoencoder_lab import metrics
from autoencoder_lab.models import LatentMixture
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
    reconstructions,
)

SLIDE = "002, 003"
CLAIM = "A plain autoencoder does not generate: only codes that come from real images decode well"
NOTEBOOK, SECTION = "04", "1"
EXPECTED = CONDITION
N = 500


def experiment(seed: int) -> Figures:
    """How surely a nearest-neighbour judge tells each kind from test digits, and how sure a classifier is of them."""
    data = digits(2000)
    ae, vae = digits_ae(10, seed), digits_vae(10, seed)
    codes, generator = metrics.encode(ae, data.train), torch.Generator().manual_seed(seed)
    noise = torch.randn(N, 10, generator=generator)
    images = {
        "normal": metrics.in_batches(ae.decode, noise),
        "own": metrics.in_batches(ae.decode, codes.mean(dim=0) + codes.std(dim=0) * noise),
        "mixture": LatentMixture(ae, 10).fit(data.train, seed=seed).sample(N, generator),
        "vae": vae.sample(N, generator),
        "real": reconstructions(ae, data.val.images[:N]),
        "vae_real": reconstructions(vae, data.val.images[:N]),
        "floor": data.val.images[:N],
    }
    test = data.test.images[:N]
    figures = {f"told_{kind}": metrics.two_sample_accuracy(x, test).value for kind, x in images.items()}
    return figures | {f"sure_{kind}": confidence(x) for kind, x in images.items()}


def verdict(rows: Rows) -> Verdict:
    """Right where no code but a real image's does well; conditional where random codes do worse than the VAE, but
    codes from a fitted density no worse (within 5 points); wrong where random codes do no worse than the VAE."""
    worse = [difference(rows, f"told_{kind}", "told_vae") for kind in ("normal", "own", "mixture")]
    does_not = worse[0].above() and worse[1].above()
    fitted = difference(rows, "told_own", "told_mixture").above() and worse[2].below(0.05)
    told, sure = (
        {kind: over_seeds(rows, f"{word}_{kind}").percent for kind in ("normal", "own", "mixture", "vae", "real")}
        for word in ("told", "sure")
    )
    sentence = (
        "A nearest-neighbour judge (50 % is the ideal) tells decoded random codes from test digits in "
        f"{told['normal']} (codes from N(0, I)) and {told['own']} (a Gaussian with the codes' own mean and spread), "
        f"decoded codes of other real digits in {told['real']}. But fit a mixture of ten Gaussians to the codes "
        f"afterwards, and the same decoder is at {told['mixture']}, a VAE at {told['vae']}. A classifier is sure of "
        f"these images to {sure['normal']}, {sure['own']}, {sure['real']}, {sure['mixture']} and {sure['vae']}. What a "
        "plain autoencoder lacks is not a decoder that generates but a place to draw codes from."
    )
    word = RIGHT if does_not and worse[2].above(0.05) else CONDITION if does_not and fitted else UNDECIDED
    return Verdict(WRONG if worse[0].below() and worse[1].below() else word, sentence)
