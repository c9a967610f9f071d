"""C54: sampling gives images that are not in the training set.

10 numbers, 400 steps of 64, width 8, hidden 64. 500 samples of a VAE trained on 2,000 digits, and of one trained on
200; as a contrast a plain autoencoder of 200 digits with a narrow density (a training code, and noise of a twentieth of
the codes' spread). Distance to the nearest training digit against that of test digits, and of their reconstructions,
which are as smooth as samples are. A copy: nearer to a training digit than this model's reconstruction of a training
digit is to its original, on average.
"""

from typing import Any

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
    difference,
    digits,
    digits_ae,
    digits_vae,
    over_seeds,
    ratio,
    reconstructions,
)

SLIDE = "003"
CLAIM = "Sampling gives new images that are not in the training set"
NOTEBOOK, SECTION = "04", "Deeper · Are they copies?"
EXPECTED = RIGHT
N = 500


def compared(model: Any, samples: Tensor, data: Any) -> Figures:
    """Mean distances to the nearest training digit, and shares nearer than a reconstruction is to its original."""
    x = data.train.images
    copy = float((reconstructions(model, x) - x).flatten(1).norm(dim=1).mean())
    views = {
        "samples": samples,
        "test": data.test.images[:N],
        "rebuilt": reconstructions(model, data.test.images[:N]),
        "trained": reconstructions(model, x[:N]),
    }
    near = {name: metrics.nearest_training(view, data.train)[0] for name, view in views.items()}
    figures = {f"near_{name}": float(distance.mean()) for name, distance in near.items()}
    return figures | {f"copies_{name}": float((distance < copy).float().mean()) for name, distance in near.items()}


def experiment(seed: int) -> Figures:
    """The comparison for the VAE, the VAE of few digits, and the autoencoder with a narrow density."""
    generator = torch.Generator().manual_seed(seed)
    many, few = digits(2000), digits(200)
    vae, small, ae = digits_vae(10, seed), digits_vae(10, seed, 1.0, 200), digits_ae(10, seed, 200)
    codes = metrics.encode(ae, few.train)
    chosen = codes[torch.randint(len(codes), (N,), generator=generator)]
    narrow = chosen + 0.05 * codes.std(dim=0) * torch.randn(N, 10, generator=generator)
    found = {
        "vae": compared(vae, vae.sample(N, generator), many),
        "few": compared(small, small.sample(N, generator), few),
        "narrow": compared(ae, metrics.in_batches(ae.decode, narrow), few),
    }
    return {f"{key}_{name}": value for name, figures in found.items() for key, value in figures.items()}


def verdict(rows: Rows) -> Verdict:
    """Right where neither VAE's samples are copies more often (by 2 points) than reconstructions of test digits are,
    and the measure finds the contrast's copies (10 points more); conditional where the VAE of few digits copies; wrong
    where the VAE of 2,000 digits does."""
    excess = {
        name: difference(rows, f"copies_samples_{name}", f"copies_rebuilt_{name}") for name in ("vae", "few", "narrow")
    }
    copied = {name: over_seeds(rows, f"copies_samples_{name}").percent for name in excess}
    usual = {name: over_seeds(rows, f"copies_rebuilt_{name}").percent for name in excess}
    away = {name: ratio(rows, f"near_samples_{name}", f"near_rebuilt_{name}") for name in excess}
    sentence = (
        f"Samples of a VAE are {ratio(rows, 'near_samples_vae', 'near_test_vae')} times as far from the nearest of its "
        f"2,000 training digits as test digits are, {away['vae']} times as far as reconstructions of test digits, "
        f"which are as smooth as samples; {copied['vae']} come as near as a reconstruction does to its own original, "
        f"{usual['vae']} of the reconstructed test digits do. A VAE trained on 200 digits does not copy either: "
        f"{copied['few']}, of reconstructed test digits {usual['few']}. The measure does find copies: a plain "
        f"autoencoder of 200 digits with a narrow density around their codes makes {copied['narrow']} "
        f"({usual['narrow']}). That a density is sampled rules out nothing; how narrow it is decides."
    )
    finds = excess["narrow"].above(0.1)
    if excess["vae"].below(0.02) and finds:
        few = excess["few"]
        return Verdict(RIGHT if few.below(0.02) else CONDITION if few.above(0.02) else UNDECIDED, sentence)
    return Verdict(WRONG if excess["vae"].above(0.02) and finds else UNDECIDED, sentence)
