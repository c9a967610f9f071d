"""What codes tell: about the class, about neighbours, and how many directions they use.

Figures about codes take the whole data set, fit on data.train and score on data.test.
"""

import math
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab import arguments
from autoencoder_lab.data.batches import in_batches
from autoencoder_lab.metrics.estimate import Estimate, mean_of


def probe(model: Any, data: Any) -> Estimate:
    """Accuracy on data.test of a linear classifier (logistic regression on standardised codes) fitted on data.train.

    In [0, 1]; it tells how much of the class can be read off the code by straight lines. nan where data.train shows
    one class only (faces): there is nothing to tell apart.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    arguments.model(model, "encode")
    if len(arguments.data_set(data).train.labels.unique()) < 2:
        return Estimate(math.nan, math.nan)
    train, test = encode(model, data.train).numpy(), encode(model, data.test).numpy()
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, tol=1e-3))
    classifier.fit(train, data.train.labels.numpy())
    return mean_of(torch.from_numpy(classifier.predict(test) == data.test.labels.numpy()))


def knn(model: Any, data: Any, neighbours: int = 5) -> Estimate:
    """Accuracy on data.test of a vote among the nearest codes of data.train (Euclidean distance)."""
    found = _nearest(model, data, neighbours)
    nearest = data.train.labels[found]
    return mean_of(nearest.mode(dim=1).values == data.test.labels)


def retrieval_precision(model: Any, data: Any, k: int = 10) -> Estimate:
    """The share of the k nearest training images, by code, that show the query's class; queries are data.test.

    The images of one query count as one observation.
    """
    found = _nearest(model, data, k)
    return mean_of((data.train.labels[found] == data.test.labels[:, None]).float().mean(dim=1))


def principal_angles(a: Any, b: Any) -> Tensor:
    """Angles in degrees, smallest first, between the subspaces that two linear decoders span: (k,).

    a, b: models with `decoder_matrix()` of shape (pixels, k), or such matrices. 0 everywhere: the same subspace.
    cos θ_i are the singular values of Q_aᵀ Q_b (Björck and Golub, 1973). A property of the models, hence no
    standard error.
    """
    bases = []
    for model in (a, b):
        matrix = _decoder_matrix(model)
        bases.append(torch.linalg.qr(matrix.detach().double()).Q)
    bases.sort(key=lambda basis: basis.shape[1])  # the smaller subspace against the larger, min(k_a, k_b) angles
    # the sines are exact for small angles, where the arccosine loses half the digits
    residual = bases[0] - bases[1] @ (bases[1].T @ bases[0])
    sines = torch.linalg.svdvals(residual).clamp(0, 1).flip(0)
    cosines = torch.linalg.svdvals(bases[0].T @ bases[1]).clamp(0, 1)
    angles = torch.where(cosines**2 > 0.5, torch.asin(sines), torch.acos(cosines))
    return torch.rad2deg(angles)


def _decoder_matrix(model: Any) -> Tensor:
    """The matrix (pixels, k) of a linear decoder, or given as it is; TypeError for anything that has none."""
    given = arguments.stacked(model)
    if isinstance(given, Tensor):
        matrix = given
    else:
        if not callable(getattr(arguments.model(model), "decoder_matrix", None)):
            label = getattr(model, "label", type(model).__name__)
            raise TypeError(
                f"principal angles are those of linear decoders, and {label} has no decoder_matrix(); "
                "take PCA, a LinearAutoencoder, or a matrix (pixels, k)"
            )
        matrix = model.decoder_matrix()
    if matrix.ndim != 2:
        raise ValueError(f"a decoder's matrix is (pixels, k), got shape {tuple(matrix.shape)}")
    return matrix


def effective_rank(model: Any, split: Any, resamples: int = 20) -> Estimate:
    """How many directions the codes really use, between 1 and their dimension.

    exp of the entropy of the covariance's eigenvalue shares, exp(−Σ p_i log p_i) (after Roy and Vetterli, 2007);
    0 where all codes are equal. Error by bootstrap over images.
    """
    codes, resamples = encode(model, split).double(), arguments.whole("resamples", resamples, 2)

    def rank(sample: Tensor) -> float:
        centred = sample - sample.mean(dim=0)
        eigenvalues = torch.linalg.eigvalsh(centred.T @ centred).clamp(min=0)
        if eigenvalues.sum() <= 1e-12 * sample.square().sum():  # all that float32 codes can resolve
            return 0.0
        share = eigenvalues / eigenvalues.sum()
        return float(torch.exp(-torch.xlogy(share, share).sum()))

    generator = torch.Generator().manual_seed(0)
    again = [rank(codes[torch.randint(len(codes), (len(codes),), generator=generator)]) for _ in range(resamples)]
    return Estimate(rank(codes), float(torch.tensor(again).std()))


def encode(model: Any, split: Any) -> Tensor:
    """The codes of a whole split, (N, d), computed in batches without gradients.

    Raises TypeError for what is no model or no split, AttributeError for a model without a code.
    """
    return in_batches(arguments.model(model, "encode").encode, arguments.split(split).images)


def _nearest(model: Any, data: Any, k: int) -> Tensor:
    """Indices into data.train of the k nearest codes to each code of data.test: (N, k), nearest first."""
    train, test = encode(model, arguments.data_set(data).train).double(), encode(model, data.test).double()
    k = arguments.whole("neighbours", k, 1, len(train), many=f"the {len(train)} training images")
    # in double, for ‖a‖² − 2aᵀb + ‖b‖² loses the digits of codes far from 0; in batches, for 10,000 × 54,000 is 4 GB
    return in_batches(lambda batch: torch.cdist(batch, train).topk(k, largest=False).indices, test)
