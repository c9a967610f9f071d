"""What can be meant is done: numbers of NumPy's, images in every form in which people have them, several of a thing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import autoencoder_lab as lab
from autoencoder_lab import arguments


@pytest.fixture(scope="module")
def data() -> lab.ImageData:
    return lab.load("digits", 60)


NUMBERS = [np.int64(3), np.int32(3), np.uint8(3), np.array(3), torch.tensor(3)]
IDS = ["int64", "int32", "uint8", "array", "tensor"]


@pytest.mark.parametrize("three", NUMBERS, ids=IDS)
def test_a_whole_number_is_one_whoever_made_it(data: lab.ImageData, three: Any) -> None:
    pca = lab.PCA(three).fit(data.train)
    assert pca.latent == 3 and torch.equal(pca.components, lab.PCA(3).fit(data.train).components)
    assert len(data.train.take(three)) == len(lab.load("digits", three).train) == 3
    assert len(lab.own_images("ada42", "digits", three).train) == 3
    assert lab.metrics.knn(pca, data, three) == lab.metrics.knn(pca, data, 3)
    assert lab.metrics.retrieval_precision(pca, data, three) == lab.metrics.retrieval_precision(pca, data, 3)
    assert lab.corrupt.box_mask(three) == lab.corrupt.box_mask(3) and "np." not in repr(lab.corrupt.box_mask(three))
    assert lab.corrupt.downsample(three) == lab.corrupt.downsample(3)
    assert lab.plot.images(data.test.images[:6], columns=three).alt == lab.plot.images(data.test.images[:6]).alt
    assert lab.plot.reconstructions(pca, data.test, three, start=three).alt.startswith("3 test images")
    mixture = lab.LatentMixture(pca, three).fit(data.train, seed=three)
    assert torch.equal(mixture.means, lab.LatentMixture(pca, 3).fit(data.train, seed=3).means)
    assert mixture.sample(three).shape == (3, *data.shape)
    assert lab.PlanarGAN(three).play(three).rounds == 3
    assert str(lab.DenseAutoencoder(three, hidden=(three,))) == str(lab.DenseAutoencoder(3, hidden=(3,)))


def test_a_number_is_one_whoever_made_it() -> None:
    half = lab.corrupt.gaussian(np.float64(0.5))
    assert half == lab.corrupt.gaussian(0.5) and repr(half) == "gaussian(sigma=0.5)"
    assert repr(lab.corrupt.gaussian(1)) == "gaussian(sigma=1)"  # as a checkpoint from before has it
    assert str(lab.VAE(2, beta=np.float64(4.0))) == str(lab.VAE(2, beta=4.0))


@pytest.mark.parametrize("make", [np.array, list, torch.Size], ids=["array", "list", "size"])
def test_a_shape_is_one_whatever_it_stands_in(make: Callable[[Any], Any]) -> None:
    assert lab.VAE(2, make((3, 8, 12))).image_shape == (3, 8, 12)


def grey(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (grey(2, 1, 8, 6), grey(2, 1, 8, 6)),
        (grey(2, 8, 6), grey(2, 8, 6)[:, None]),
        (grey(8, 6), grey(8, 6)[None, None]),
        (grey(1, 8, 6), grey(1, 8, 6)[None]),
        (grey(3, 8, 6), grey(3, 8, 6)[None]),
        (grey(8, 6, 3), grey(8, 6, 3).permute(2, 0, 1)[None]),
        (grey(2, 8, 6, 3), grey(2, 8, 6, 3).permute(0, 3, 1, 2)),
        (grey(2, 8, 6, 1), grey(2, 8, 6, 1).permute(0, 3, 1, 2)),
        (list(grey(2, 3, 8, 6)), grey(2, 3, 8, 6)),
        (list(grey(2, 8, 6)), grey(2, 8, 6)[:, None]),
        (list(grey(2, 8, 6, 3).numpy()), grey(2, 8, 6, 3).permute(0, 3, 1, 2)),
        (tuple(grey(2, 1, 8, 6)), grey(2, 1, 8, 6)),
        (grey(2, 1, 8, 6).numpy(), grey(2, 1, 8, 6)),
        (grey(2, 1, 8, 6).double().numpy()[::-1], grey(2, 1, 8, 6).flip(0)),
        (grey(2, 1, 8, 6).requires_grad_(), grey(2, 1, 8, 6)),
        (torch.tensor([[[[0, 255], [51, 102]]]], dtype=torch.uint8), torch.tensor([[[[0, 1], [0.2, 0.4]]]])),
        (np.array([[0, 255], [51, 102]], np.uint8), torch.tensor([[[[0, 1], [0.2, 0.4]]]])),
        (Image.new("RGB", (6, 8), (255, 51, 0)), torch.tensor([1, 0.2, 0]).view(1, 3, 1, 1).expand(1, 3, 8, 6)),
        ([Image.new("L", (6, 8), 51)] * 2, torch.full((2, 1, 8, 6), 0.2)),
        (grey(2, 1, 8, 6) > 0.5, (grey(2, 1, 8, 6) > 0.5).float()),
    ],
)
def test_images_are_drawn_in_every_form_in_which_people_have_them(given: Any, expected: torch.Tensor) -> None:
    assert torch.allclose(arguments.drawable(given), expected)
    height, width = expected.shape[2:]
    assert lab.plot.images(given).alt == f"{len(expected)} images of {height}×{width} pixels."
    lab.plot.image_rows({"row": given}, "A row.")


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_every_format_of_numbers_is_drawn_and_measured(data: lab.ImageData, kind: torch.dtype) -> None:
    x = data.test.images[:8].to(kind)
    assert lab.plot.images(x).alt.startswith("8 images")
    assert torch.allclose(arguments.drawable(x), x.float())
    assert lab.controls.Median().reconstruct(x).shape == x.shape
    with pytest.raises(ValueError, match=r"takes images of float32, as its weights are, got (bf|f)loat"):
        lab.DenseAutoencoder(2, data.shape).reconstruct(x)
    model = lab.DenseAutoencoder(2, data.shape).to(kind)
    assert model.reconstruct(x).dtype == kind


def test_titles_may_be_labels_and_a_split_is_its_images(data: lab.ImageData) -> None:
    figure = lab.plot.images(data.test[:3], titles=data.test.labels[:3])
    assert figure.alt == f"3 images of 8×8 pixels: {', '.join(map(str, data.test.labels[:3].tolist()))}."


def test_several_histories_may_stand_in_a_list() -> None:
    histories = []
    for error in (0.2, 0.1):
        histories.append(lab.History("VAE(2)", {}))
        histories[-1].record(10, 1.0, {"total": 5.0}, {"total": 4.0, "mse": error}, 1.0)
    alt = lab.plot.history(histories).alt
    assert "VAE(2) goes from 0.2 to 0.2; VAE(2) #2 goes from 0.1 to 0.1" in alt


def test_measures_take_arrays_and_lists_of_images(data: lab.ImageData) -> None:
    x = data.test.images[:10]
    assert lab.metrics.sharpness(x.numpy()) == lab.metrics.sharpness(list(x)) == lab.metrics.sharpness(x)
    assert lab.metrics.two_sample_accuracy(x.numpy(), list(x)).value == lab.metrics.two_sample_accuracy(x, x).value
    pca = lab.PCA(2).fit(data.train)
    assert torch.equal(pca.reconstruct(x.numpy()), pca.reconstruct(x))  # type: ignore[arg-type]


def test_codes_are_no_images_with_channels_last() -> None:
    """(N, d, 1, 1), as lab.codes makes them, and points of the plane."""
    for shape in ((4, 16, 1, 1), (4, 1, 1, 2), (4, 3, 5, 1), (4, 1, 28, 3)):
        lab.Split(torch.zeros(shape), torch.zeros(4, dtype=torch.int64), ("a",))
