"""Notebook 01's checks: the right functions pass, each common mistake is named, a stub is "not done yet"."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from autoencoder_lab import checks

Function = Callable[..., Any]
CHECKS = [checks.orthonormal_basis, checks.coordinates]
CHECKS += [checks.components_from_decoder, checks.few_images_experiment, checks.cross_entropy]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("empty", [None, ...])
def test_stub_is_not_done_yet(check: Function, empty: Any, capsys: pytest.CaptureFixture[str]) -> None:
    check(lambda *args: empty)
    assert "not done yet" in capsys.readouterr().out


# --- 1: the components from the decoder ------------------------------------------------------------


def centred(images: Tensor) -> Tensor:
    return images - images.mean(dim=0)


def by_two_svds(weight: Tensor, images: Tensor) -> Tensor:
    q = torch.linalg.svd(weight, full_matrices=False)[0]
    return q @ torch.linalg.svd(centred(images) @ q, full_matrices=False)[2].T


def by_projection_and_eigenvectors(weight: Tensor, images: Tensor) -> Tensor:
    """Project the images on the subspace, then take the strongest eigenvectors of their covariance."""
    projected = centred(images).double() @ (weight @ torch.linalg.pinv(weight)).double()
    vectors = torch.linalg.eigh(projected.T @ projected).eigenvectors
    return vectors.flip(1)[:, : weight.shape[1]].float()


def with_other_signs(weight: Tensor, images: Tensor) -> Tensor:
    columns = by_two_svds(weight, images)
    return columns * torch.tensor([(-1.0) ** i for i in range(columns.shape[1])])


def turned(weight: Tensor) -> Tensor:
    """Another orthonormal basis of the same subspace."""
    return torch.linalg.qr(weight).Q @ torch.linalg.qr(torch.randn(weight.shape[1], weight.shape[1])).Q


@pytest.mark.parametrize(
    "right",
    [
        lambda weight: torch.linalg.svd(weight, full_matrices=False).U,
        lambda weight: torch.linalg.qr(weight)[0].double(),
        lambda weight: np.linalg.svd(weight.numpy(), full_matrices=False)[0],
        turned,
    ],
)
def test_any_orthonormal_basis_is_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.orthonormal_basis(right)
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda weight: weight, "not orthonormal"),
        (lambda weight: weight / weight.norm(dim=0), "not orthonormal"),
        (lambda weight: torch.linalg.svd(weight, full_matrices=False), "return the one that is Q"),
        (lambda weight: torch.linalg.svd(weight, full_matrices=False).Vh, "must have the shape of W"),
        (lambda weight: torch.linalg.svd(weight).U, "must have the shape of W"),
        (lambda weight: torch.linalg.svd(weight.T, full_matrices=False)[2], "must have the shape of W"),
        (lambda weight: torch.eye(*weight.shape), "another subspace"),
    ],
)
def test_what_is_no_orthonormal_basis_is_named(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.orthonormal_basis(wrong)


@pytest.mark.parametrize(
    "right",
    [
        lambda images, Q: centred(images) @ Q,
        lambda images, Q: images @ Q - images.mean(dim=0) @ Q,
        lambda images, Q: torch.einsum("np,pk->nk", (images - images.mean(0, keepdim=True)).double(), Q.double()),
        lambda images, Q: (images.numpy() - images.numpy().mean(axis=0)) @ Q.numpy(),
    ],
)
def test_coordinates_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.coordinates(right)
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda images, Q: images @ Q, "not centred"),
        (lambda images, Q: (images - images.mean(dim=1, keepdim=True)) @ Q, "own mean"),
        (lambda images, Q: (images - images.mean()) @ Q, "one number"),
        (lambda images, Q: centred(images) @ Q @ Q.T, "must have shape"),
        (lambda images, Q: (centred(images) @ Q).T, "must have shape"),
        (lambda images, Q: centred(images) / images.std(dim=0) @ Q, "standard deviation"),
        (lambda images, Q: images @ Q.T, "RuntimeError"),
    ],
)
def test_coordinates_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.coordinates(wrong)


@pytest.mark.parametrize("right", [by_two_svds, by_projection_and_eigenvectors, with_other_signs])
def test_components_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.components_from_decoder(right)
    assert "✓" in capsys.readouterr().out


def q_of(weight: Tensor) -> Tensor:
    return torch.linalg.svd(weight, full_matrices=False)[0]


def rotated(q: Tensor, codes: Tensor) -> Tensor:
    return q @ torch.linalg.svd(codes, full_matrices=False)[2].T


def by_eigh_unsorted(w: Tensor, x: Tensor) -> Tensor:
    z = centred(x) @ q_of(w)
    return q_of(w) @ torch.linalg.eigh(z.T @ z).eigenvectors


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda w, x: q_of(w), "left singular vectors"),
        (lambda w, x: torch.linalg.qr(w)[0], "QR"),
        (by_eigh_unsorted, "weakest first"),
        (lambda w, x: q_of(w) @ torch.linalg.svd(centred(x) @ q_of(w))[2], "Vh"),
        (lambda w, x: rotated(q_of(w), x @ q_of(w)), "not centred"),
        (lambda w, x: rotated(q_of(w), (x - x.mean(1, keepdim=True)) @ q_of(w)), "own mean"),
        (lambda w, x: torch.linalg.svd(centred(x))[2][: w.shape[1]].T, "PCA of the images"),
        (lambda w, x: rotated(w, centred(x) @ w), "rotate W"),
        (lambda w, x: rotated(q_of(w), centred(x) @ w), "coordinates are taken along W"),
        (lambda w, x: F.normalize(w, dim=0), "scaled to length 1"),
        (lambda w, x: w, "nothing was recovered"),
        (lambda w, x: by_two_svds(w, x).T, "as columns"),
        (lambda w, x: by_two_svds(w, x) * (centred(x) @ by_two_svds(w, x)).norm(dim=0), "stretched"),
        (lambda w, x: w.unknown, "stops with AttributeError"),
        (lambda w, x: by_two_svds(w, x)[:, :1], "must have shape"),
    ],
)
def test_components_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.components_from_decoder(wrong)


# --- 2: the experiment with few images -------------------------------------------------------------


def in_a_row(data: Any, few: int, pca: Function, ae: Function, error: Function) -> Any:
    train, test = data.train.images, data.test.images
    models = pca(train), ae(train), pca(train[:few]), ae(train[:few])
    return tuple(error(model, test) for model in models)


def drawn_at_random(data: Any, few: int, pca: Function, ae: Function, error: Function) -> Any:
    """Other few images, the models in another order, a list instead of a tuple."""
    chosen = data.train.images[torch.randperm(len(data.train))[:few]]
    few_ae, few_pca = ae(chosen), pca(chosen)
    all_ae, all_pca = ae(data.train.images), pca(data.train.images)
    ae_errors = [error(few_ae, data.test.images), error(all_ae, data.test.images)]
    return [error(all_pca, data.test.images), ae_errors[1], error(few_pca, data.test.images), ae_errors[0]]


@pytest.mark.parametrize("right", [in_a_row, drawn_at_random])
def test_experiment_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.few_images_experiment(right)
    assert "conclusion is not done yet" in capsys.readouterr().out
    checks.few_images_experiment(
        right, (0.03, 0.02, 0.04, 0.05), "With few images its error is 1.25 times PCA's error."
    )
    assert "✓" in capsys.readouterr().out


def experiment_with(**other: Any) -> Function:
    """The right experiment, with some of the images replaced by a function of data and few."""

    def run(data: Any, few: int, pca: Function, ae: Function, error: Function) -> Any:
        used = {
            "pca_all": data.train.images,
            "ae_all": data.train.images,
            "pca_few": data.train.images[:few],
            "ae_few": data.train.images[:few],
            "test": data.test.images,
        }
        used |= {key: choose(data, few) for key, choose in other.items()}
        test_few = used.get("test_few", used["test"])
        return (
            error(pca(used["pca_all"]), used["test"]),
            error(ae(used["ae_all"]), used["test"]),
            error(pca(used["pca_few"]), test_few),
            error(ae(used["ae_few"]), test_few),
        )

    return run


def only_few(data: Any, few: int, pca: Function, ae: Function, error: Function) -> Any:
    images = data.train.images[:few]
    return error(pca(images), data.test.images), error(ae(images), data.test.images)


def only_autoencoder(data: Any, few: int, pca: Function, ae: Function, error: Function) -> Any:
    return error(ae(data.train.images), data.test.images), error(ae(data.train.images[:few]), data.test.images)


def wrong_order(*tools: Any) -> Any:
    a, b, c, d = in_a_row(*tools)
    return c, d, a, b


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (only_few, "no control"),
        (only_autoencoder, "PCA was never fitted"),
        (experiment_with(pca_few=lambda data, few: data.test.images[:few]), "not in data.train"),
        (experiment_with(pca_few=lambda data, few: data.train.images[-few:]), "different few images"),
        (experiment_with(ae_few=lambda data, few: data.train.images[: few // 2]), "exactly `few`"),
        (experiment_with(ae_all=lambda data, few: data.train.images[:few]), "no control"),
        (experiment_with(test=lambda data, few: data.train.images), "measure on training images"),
        (experiment_with(test=lambda data, few: data.val.images), "outside data.test"),
        (experiment_with(test_few=lambda data, few: data.test.images[:few]), "measured on different images"),
        (wrong_order, "the order is"),
        (lambda *tools: in_a_row(*tools)[:2], "return four errors"),
        (lambda *tools: tuple(round(value, 2) for value in in_a_row(*tools)), "the order is|as error_on gave them"),
        (lambda *tools: [value + 1 for value in in_a_row(*tools)], "as error_on gave them"),
        (lambda data, *tools: data.unknown, "stops with AttributeError"),
    ],
)
def test_experiment_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.few_images_experiment(wrong)


@pytest.mark.parametrize(
    ("conclusion", "message"), [("worse", "as a sentence"), ("It is worse with few images.", "figure")]
)
def test_experiment_conclusion(conclusion: str, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.few_images_experiment(in_a_row, (0.03, 0.02, 0.04, 0.05), conclusion)


# --- 3: the cross-entropy --------------------------------------------------------------------------


def by_torch(x_hat: Tensor, x: Tensor) -> Tensor:
    return F.binary_cross_entropy(x_hat, x, reduction="sum") / len(x)


def by_loops(x_hat: Tensor, x: Tensor) -> float:
    total = 0.0
    for p, t in zip(x_hat.flatten().tolist(), x.flatten().tolist(), strict=True):
        total -= float(t * torch.tensor(p).log() + (1 - t) * torch.tensor(1 - p).log())
    return total / x.shape[0]


@pytest.mark.parametrize("right", [by_torch, by_loops])
def test_cross_entropy_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.cross_entropy(right)
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda p, x: -(x * p.log()).sum() / len(x), "second half is still missing"),
        (lambda p, x: -((1 - x) * (1 - p).log()).sum() / len(x), "first half is missing"),
        (lambda p, x: -by_torch(p, x), "sign is the wrong way"),
        (lambda p, x: by_torch(x, p), "swapped"),
        (lambda p, x: F.binary_cross_entropy(p, x), "average over the pixels"),
        (lambda p, x: F.binary_cross_entropy(p, x, reduction="sum"), "sum over the images"),
        (lambda p, x: -(x * p.log2() + (1 - x) * (1 - p).log2()).sum() / len(x), "bits"),
        (lambda p, x: -(x * p.log() - (1 - x) * (1 - p).log()).sum() / len(x), "opposite signs"),
        (lambda p, x: F.binary_cross_entropy_with_logits(p, x, reduction="sum") / len(x), "do not apply another"),
        (lambda p, x: -(x * p.log() + (1 - x) * p.log()).sum() / len(x), "that of 1 − x_hat"),
        (lambda p, x: -(x * p.log() + x * (1 - p).log()).sum() / len(x), "weight is 1 − x"),
        (lambda p, x: (p - x).pow(2).sum() / len(x), "squared error"),
        (lambda p, x: F.binary_cross_entropy(p, x, reduction="none"), "must have shape"),
    ],
)
def test_cross_entropy_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.cross_entropy(wrong)
