"""C38: VICReg's variance, invariance and covariance each matter.

Four encoders of 3,500 digits (codes of 32, width 8, projector 64-64, 300 steps of 128 at 5e-3), equal but for one
weight. On test images: how far the embeddings Z spread, how many directions they use (of 64: effective rank, from
singular values as Roy and Vetterli have it, and from their squares), how often the nearest embedding to one crop of an
image is another crop of the same one (of 500), and a linear probe of the codes. Stated before the run: without variance
the mean deviation is below 0.1; without covariance both ranks are below half of the full objective's; without
invariance the twin is found less than half as often, and the probe is lower.
"""

import torch

from autoencoder_lab import metrics
from autoencoder_lab.data.augmentations import crop
from autoencoder_lab.models import VICReg
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
    train,
    unwatched,
)

SLIDE = "000"
CLAIM = "VICReg: its variance, invariance and covariance terms each matter"
NOTEBOOK, SECTION = "06", "2"
EXPECTED = RIGHT
WEIGHTS = {
    "full": (25.0, 25.0, 1.0),
    "no_variance": (0.0, 25.0, 1.0),
    "no_invariance": (25.0, 0.0, 1.0),
    "no_covariance": (25.0, 25.0, 0.0),
}
# a figure, and the term without which it comes to less than half
RULES = (("rank", "covariance"), ("squares", "covariance"), ("twin", "invariance"))


class Embeddings:
    """Z = p(f(x)) as a code, for the measures."""

    def __init__(self, model: VICReg) -> None:
        self.model = model

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) → (B, D)."""
        z: torch.Tensor = self.model.projector(self.model.encode(x))
        return z


def effective_rank(z: torch.Tensor) -> float:
    """exp of the entropy of the singular values' shares of centred z: (N, D). Roy and Vetterli (2007)."""
    singular = torch.linalg.svdvals((z - z.mean(dim=0)).double())
    share = singular / singular.sum().clamp(min=1e-30)
    return float(torch.exp(-torch.xlogy(share, share).sum()))


def experiment(seed: int) -> Figures:
    """Deviation and effective rank of Z, how often the twin is found, and the probe of Y: by the term removed."""
    figures: Figures = {}
    data = digits()
    for name, weights in WEIGHTS.items():
        model = VICReg(32, weights=weights, width=8, hidden=128, projector=(64, 64), view=crop(0.6, 0.95))
        train(model, unwatched(data), seed, 300, batch_size=128)
        embeddings, generator = Embeddings(model), torch.Generator().manual_seed(seed)
        views = [crop(0.6, 0.95)(data.test.images[:500], generator) for _ in range(2)]
        one, other = (metrics.in_batches(embeddings.encode, view) for view in views)
        z = metrics.encode(embeddings, data.test)
        figures |= {
            f"deviation_{name}": float(z.std(dim=0).mean()),
            f"rank_{name}": effective_rank(z),
            f"squares_{name}": metrics.effective_rank(embeddings, data.test).value,
            f"twin_{name}": float((torch.cdist(one, other).argmin(dim=1) == torch.arange(500)).float().mean()),
            f"probe_{name}": metrics.probe(model, data).value,
        }
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where each removal does what was stated above; conditional where one or two do; wrong where none does,
    and each does the opposite."""
    shrinks = over_seeds(rows, "deviation_no_variance")
    shares = [ratio(rows, f"{key}_no_{term}", f"{key}_full") for key, term in RULES]
    probe = difference(rows, "probe_full", "probe_no_invariance")
    rank, squares, twin = (share.below(0.5) for share in shares)
    stated = [shrinks.below(0.1), rank and squares, twin and probe.above()]
    opposite = shrinks.above(0.1) and all(share.above(0.5) for share in shares) and probe.below()
    deviation, ranks, others, twins = (
        f"{over_seeds(rows, f'{key}_no_{term}')} instead of {over_seeds(rows, f'{key}_full')}"
        for key, term in (("deviation", "variance"), *RULES)
    )
    probes = {name: over_seeds(rows, f"probe_{name}").percent for name in WEIGHTS}
    sentence = (
        f"Without variance the embeddings' mean deviation is {deviation}: one point. Without covariance their "
        f"effective rank is {ranks}, of 64 (from squared singular values {others}). Without invariance the nearest to "
        f"a crop's embedding is its twin in a share of {twins}. A linear probe of the code is right in "
        f"{probes['full']}; without variance {probes['no_variance']}, without covariance {probes['no_covariance']}, "
        f"without invariance {probes['no_invariance']}."
    )
    word = RIGHT if all(stated) else CONDITION if any(stated) else UNDECIDED
    return Verdict(WRONG if opposite else word, sentence)
