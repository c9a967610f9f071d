"""C10: PCA gives an explicit transformation matrix (and the autoencoder only an implicit one).

A linear autoencoder, k = 8, 3,500 steps of 128 digits at rate 1e-2; its decoder compared with PCA's components.
"""

import torch

from autoencoder_lab import metrics
from autoencoder_lab.models import PCA, LinearAutoencoder
from evidence.common import CONDITION, UNDECIDED, Figures, Rows, Verdict, digits, over_seeds, train

SLIDE = "001"
CLAIM = "PCA gives an explicit transformation matrix (principal components); the autoencoder's is implicit"
NOTEBOOK, SECTION = "01", "3"
EXPECTED = CONDITION


def experiment(seed: int) -> Figures:
    """|cosine| of each raw decoder column with its nearest component, and of each recovered direction with its own."""
    data = digits()
    pca, model = PCA(8).fit(data.train), LinearAutoencoder(8)
    train(model, data, seed, steps=3500, learning_rate=1e-2, batch_size=128)
    with torch.inference_mode():
        decoder = model.decoder_matrix()
        codes = metrics.encode(model, data.train)
        raw = (torch.nn.functional.normalize(decoder, dim=0).T @ pca.components).abs().max(dim=1).values
        # the reconstructions' own principal axes: W*(h − h̄) = U S Vᵀ, from the small factors alone
        basis, mixing = torch.linalg.qr(decoder)
        axes = basis @ torch.linalg.svd(mixing @ (codes - codes.mean(dim=0)).T, full_matrices=False).U
        recovered = (axes * pca.components).sum(dim=0).abs()
    return {
        "raw_cosine": float(raw.mean()),
        "recovered_cosine": float(recovered.mean()),
        "recovered_worst": float(recovered.min()),
        "angle": float(metrics.principal_angles(model, pca).max()),
    }


def verdict(rows: Rows) -> Verdict:
    """Conditional where the raw columns are no components, but an SVD of the decoder's output gives them back."""
    other_basis = over_seeds(rows, "raw_cosine").below(0.9)
    recovered = over_seeds(rows, "recovered_worst").above(0.98) and over_seeds(rows, "angle").below(1.0)
    sentence = (
        "A linear autoencoder has an explicit matrix too: its decoder spans PCA's subspace to within "
        f"{over_seeds(rows, 'angle')}°, only in another basis. Its columns match their nearest component with a cosine "
        f"of {over_seeds(rows, 'raw_cosine')}; one SVD of the decoded codes gives the components back, with cosines of "
        f"{over_seeds(rows, 'recovered_cosine')} on average and {over_seeds(rows, 'recovered_worst')} at worst. Only a "
        "non-linear autoencoder has no such matrix."
    )
    return Verdict(CONDITION if other_basis and recovered else UNDECIDED, sentence)
