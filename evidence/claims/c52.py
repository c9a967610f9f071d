"""C52: slide 002 says the reconstruction term gives similar images similar codes, slide 003 that it pushes codes apart.

10 numbers, 2,000 digits, 400 steps of 64, width 8, hidden 64: a plain autoencoder before and after training, VAEs with
β from 0.1 to 10. Similar codes: the share of a test digit's 10 nearest test digits, by pixels, that are among its 10
nearest by code. Apart: the mean distance of two codes in units of the posteriors' σ (root mean square).
"""

import itertools
from typing import Any

import torch

from autoencoder_lab import metrics
from autoencoder_lab.models import ConvAutoencoder
from autoencoder_lab.training.first_weights import draw_weights
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    WRONG,
    Figures,
    Pixels,
    Rows,
    Verdict,
    difference,
    digits,
    digits_ae,
    digits_vae,
    over_seeds,
)

SLIDE = "002, 003"
CLAIM = "The reconstruction term gives similar images similar codes (002); it pushes codes apart (003)"
NOTEBOOK, SECTION = "04b", "Deeper · Do similar images get similar codes?"
EXPECTED = RIGHT
BETAS = (0.1, 1, 4, 10)
K = 10


def neighbours(codes: torch.Tensor) -> torch.Tensor:
    """(N, N), true where the column is among the K nearest of the row."""
    distances = torch.cdist(codes.double(), codes.double()).fill_diagonal_(torch.inf)
    near = torch.zeros_like(distances, dtype=torch.bool)
    return near.scatter_(1, distances.topk(K, largest=False).indices, True)


def experiment(seed: int) -> Figures:
    """Neighbours kept and labels among neighbours by model, and the spread of codes of the VAEs."""
    test = digits(2000).test
    untrained = ConvAutoencoder(10, width=8, hidden=64)
    draw_weights(untrained, seed)
    models: dict[str, Any] = {"untrained": untrained.eval(), "ae": digits_ae(10, seed)}
    models |= {f"{beta:g}": digits_vae(10, seed, beta) for beta in BETAS}
    by_pixels, figures = neighbours(metrics.encode(Pixels(), test)), {}
    for name, model in models.items():
        codes = metrics.encode(model, test)
        figures[f"kept_{name}"] = float((neighbours(codes) & by_pixels).sum() / (K * len(test)))
        if name in ("untrained", "ae"):
            continue
        with torch.no_grad():
            sigma = torch.exp(0.5 * model.posterior(test.images)[1])
        # a difference of codes in each dimension's own σ, averaged over dimensions
        figures[f"apart_{name}"] = float(
            torch.pdist(codes / sigma.square().mean(dim=0).sqrt()).mean() / codes.shape[1] ** 0.5
        )
    return figures


def verdict(rows: Rows) -> Verdict:
    """Both slides right where training keeps more neighbours than the untrained network and less β pushes codes apart;
    conditional where codes are pushed apart and neighbours kept, but no more than before training; wrong where one of
    the two goes the other way."""
    apart = [difference(rows, f"apart_{low:g}", f"apart_{high:g}") for low, high in itertools.pairwise(BETAS)]
    pushes, chance = all(step.above() for step in apart), K / 999
    kept = {name: over_seeds(rows, f"kept_{name}") for name in ("untrained", "ae", *(f"{beta:g}" for beta in BETAS))}
    near = kept["ae"].above(10 * chance) and kept["0.1"].above(10 * chance)
    learnt = all(difference(rows, f"kept_{name}", "kept_untrained").above() for name in ("ae", "0.1"))
    by_beta = ", ".join(f"{kept[f'{beta:g}'].percent} at β = {beta:g}" for beta in BETAS)
    spread = ", ".join(f"{over_seeds(rows, f'apart_{beta:g}')}" for beta in BETAS)
    sentence = (
        f"Both, and no contradiction. Of the ten nearest digits by pixels {kept['ae'].percent} are among the ten "
        f"nearest by a plain autoencoder's code, {by_beta} of a VAE (chance {100 * chance:.0f} %). The mean distance "
        f"of two codes, in σ of the posteriors, is {spread} for the same β: the more the reconstruction weighs, the "
        "farther apart, and the more neighbours stay neighbours. That is learnt: the same encoder untrained keeps "
        f"{kept['untrained'].percent} of them."
    )
    word = UNDECIDED if not (pushes and near) else RIGHT if learnt else CONDITION
    return Verdict(WRONG if all(step.below() for step in apart) else word, sentence)
