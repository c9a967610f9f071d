"""C22: a plain autoencoder does not generate; only the codes of real images decode well.

Codes of 10 numbers, 2,000 digits, 400 steps of 64, width 8, hidden 64: a plain autoencoder given random codes (from
N(0, I); from a Gaussian with the mean and spread of its own codes), given codes of validation digits, and given codes
from a mixture of Gaussians fitted to its codes, as many as make validation codes likeliest; a VAE. 500 images of each
kind by two rulers: nearest neighbours against 500 test digits; and a trained critic, against test digits, which sees
that decoded images are soft, and against the same decoder's images of other real codes, which are as soft.
"""

import torch

from autoencoder_lab import metrics
from autoencoder_lab.models import ConvAutoencoder, LatentMixture
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


SIZES = (1, 5, 10, 20, 40)


def chosen_mixture(ae: ConvAutoencoder, seed: int) -> LatentMixture:
    """The mixture on training codes under which validation codes are likeliest."""
    data = digits(2000)
    held_out = metrics.encode(ae, data.val)
    mixtures = [LatentMixture(ae, size).fit(data.train, seed=seed) for size in SIZES]
    return max(mixtures, key=lambda mixture: float(mixture.log_density(held_out).mean()))


def experiment(seed: int) -> Figures:
    """How surely neighbours and a trained critic tell each kind, and how sure a classifier is of it."""
    data = digits(2000)
    ae, vae = digits_ae(10, seed), digits_vae(10, seed)
    codes, generator = metrics.encode(ae, data.train), torch.Generator().manual_seed(seed)
    noise, mixture = torch.randn(N, 10, generator=generator), chosen_mixture(ae, seed)
    images = {
        "normal": metrics.in_batches(ae.decode, noise),
        "own": metrics.in_batches(ae.decode, codes.mean(dim=0) + codes.std(dim=0) * noise),
        "mixture": mixture.sample(N, generator),
        "vae": vae.sample(N, generator),
        "real": reconstructions(ae, data.val.images[:N]),
        "vae_real": reconstructions(vae, data.val.images[:N]),
        "floor": data.val.images[:N],
    }
    test = data.test.images[:N]
    decoded = {True: reconstructions(vae, test), False: reconstructions(ae, test)}
    figures = {f"told_{kind}": metrics.two_sample_accuracy(x, test).value for kind, x in images.items()}
    figures |= {f"critic_{kind}": metrics.critic_accuracy(x, test, seed=seed).value for kind, x in images.items()}
    for kind, x in images.items():  # the same decoder on both sides
        if kind != "floor":
            figures[f"fair_{kind}"] = metrics.critic_accuracy(x, decoded["vae" in kind], seed=seed).value
    figures["components"] = float(mixture.components)
    return figures | {f"sure_{kind}": confidence(x) for kind, x in images.items()}


def verdict(rows: Rows) -> Verdict:
    """Right where random codes do worse than the VAE, and codes from a fitted density do too (by 5 points), or the
    critic tells them from decoded real codes no less than it tells a fitted Gaussian's; conditional where they do no
    worse and the critic tells them less; wrong where random codes do no worse than the VAE."""
    worse = [difference(rows, f"told_{kind}", "told_vae") for kind in ("normal", "own", "mixture")]
    does_not = worse[0].above() and worse[1].above()
    seen = difference(rows, "fair_own", "fair_mixture")
    fitted = difference(rows, "told_own", "told_mixture").above() and worse[2].below(0.05) and seen.above()
    kinds = ("normal", "own", "mixture", "vae", "real", "vae_real", "floor")
    told, critic = ({k: over_seeds(rows, f"{word}_{k}").percent for k in kinds} for word in ("told", "critic"))
    fair, sure = (
        {k: over_seeds(rows, f"{word}_{k}").percent for k in kinds if k != "floor"} for word in ("fair", "sure")
    )
    sentence = (
        "A nearest-neighbour judge (50 % is the ideal) tells decoded random codes from test digits in "
        f"{told['normal']} (codes from N(0, I)) and {told['own']} (a Gaussian with the codes' own mean and spread), "
        f"decoded codes of other real digits in {told['real']}. But fit a mixture of Gaussians to the codes afterwards "
        f"({over_seeds(rows, 'components')} of them, chosen on validation codes), and the same decoder is at "
        f"{told['mixture']}, a VAE at {told['vae']}. Pixel neighbours are blind to softness: a trained critic tells "
        f"even decoded real codes from digits in {critic['real']} (mixture {critic['mixture']}, VAE {critic['vae']}, "
        f"real digits {critic['floor']}): nothing that these decoders draw passes for real. Asked to tell images from "
        f"the same decoder's images of real codes, it is right in {fair['normal']} for N(0, I), {fair['own']} for the "
        f"Gaussian, {fair['mixture']} for the mixture, {fair['vae']} for the VAE; other real codes {fair['real']} and "
        f"{fair['vae_real']}. A classifier is sure of these images to {sure['normal']}, {sure['own']}, "
        f"{sure['mixture']} and {sure['vae']}, of decoded real codes to {sure['real']}. What a plain autoencoder lacks "
        "is not a decoder that generates but a place to draw codes from."
    )
    apart = worse[2].above(0.05) or seen.below()
    word = RIGHT if does_not and apart else CONDITION if does_not and fitted else UNDECIDED
    return Verdict(WRONG if worse[0].below() and worse[1].below() else word, sentence)
