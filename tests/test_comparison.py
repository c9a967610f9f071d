"""The scoreboard: the figures are those of metrics, in their places."""

import math

import pandas as pd
import pytest
import torch

import autoencoder_lab as lab
from autoencoder_lab.comparison import named


@pytest.fixture
def models(tiny: lab.ImageData) -> dict[str, object]:
    trained = lab.DenseAutoencoder(4, (1, 8, 8), hidden=(16,))
    lab.fit(trained, tiny, steps=20, progress=False)
    untrained = lab.ConvAutoencoder(4, (1, 8, 8), width=4, hidden=8)
    return {"pca": lab.PCA(4).fit(tiny.train), "dense": trained, "untrained": untrained}


def test_every_figure_is_the_metric_s_on_the_test_images(models, tiny: lab.ImageData) -> None:
    table = lab.compare(models, tiny)
    assert list(table.index) == list(models)
    expected = ["mse", "psnr", "ssim", "probe", "knn", "parameters", "seconds"]
    assert list(table.columns) == expected + [f"{name}_se" for name in expected[:5]]
    for name, model in models.items():
        for column in ("mse", "psnr", "ssim"):
            estimate = getattr(lab.metrics, column)(model, tiny.test)
            assert (table.loc[name, column], table.loc[name, f"{column}_se"]) == estimate
        for column in ("probe", "knn"):
            assert table.loc[name, column] == getattr(lab.metrics, column)(model, tiny).value
    assert table.loc["pca", "mse"] < table.loc["untrained", "mse"]


def test_the_clean_image_is_the_standard_when_inputs_are_corrupted(models, tiny: lab.ImageData) -> None:
    noise = lab.corrupt.gaussian(0.5)
    table = lab.compare(models, tiny, columns=["mse", "psnr"], corrupt=noise)
    for name, model in models.items():
        assert table.loc[name, "mse"] == lab.metrics.mse(model, tiny.test, noise).value
        assert table.loc[name, "psnr"] == lab.metrics.psnr(model, tiny.test, noise).value
    assert table.loc["pca", "mse"] > lab.compare(models, tiny, columns=["mse"]).loc["pca", "mse"]


def test_columns_are_chosen_and_unknown_ones_named(models, tiny: lab.ImageData) -> None:
    assert list(lab.compare(models, tiny, columns=["knn"]).columns) == ["knn", "parameters", "seconds", "knn_se"]
    with pytest.raises(ValueError, match=r"unknown columns \['speed'\]; there are mse, psnr, ssim, probe, knn"):
        lab.compare(models, tiny, columns=["mse", "speed"])


def test_parameters_and_seconds(models, tiny: lab.ImageData) -> None:
    table = lab.compare(models, tiny, columns=["mse"])
    assert table.loc["pca", "parameters"] == 64 * 4 + 64
    # in and out: 64·16 + 16 + 16·4 + 4 and 4·16 + 16 + 16·64 + 64
    assert table.loc["dense", "parameters"] == 64 * 16 + 16 + 16 * 4 + 4 + 4 * 16 + 16 + 16 * 64 + 64
    assert table.loc["pca", "seconds"] > 0 and table.loc["dense", "seconds"] > 0
    assert math.isnan(table.loc["untrained", "seconds"])


def test_tied_weights_count_once() -> None:
    free, tied = (lab.LinearAutoencoder(4, (1, 8, 8), tied=tied) for tied in (False, True))
    assert free.learned_numbers() - tied.learned_numbers() == 4 * 64


def test_names_are_distinct_labels_or_the_user_s_keys() -> None:
    a, b, c = lab.DenseAutoencoder(4), lab.DenseAutoencoder(4), lab.LinearAutoencoder(4)
    expected = {"DenseAutoencoder(4)": a, "DenseAutoencoder(4) #2": b, "LinearAutoencoder(4)": c}
    assert named([a, b, c]) == expected and list(named((a, b, c))) == list(expected)
    assert named({"mine": a}) == {"mine": a} and named(c) == {"LinearAutoencoder(4)": c}


def test_a_set_of_one_class_is_compared_without_a_probe(models, tiny: lab.ImageData) -> None:
    one = [lab.Split(s.images, torch.zeros_like(s.labels), ("face",)) for s in (tiny.train, tiny.val, tiny.test)]
    table = lab.compare(models, lab.ImageData("one class", *one))
    assert isinstance(table, pd.DataFrame) and table["probe"].isna().all() and table["mse"].notna().all()


def test_comparing_leaves_models_and_random_numbers_alone(models, tiny: lab.ImageData) -> None:
    state, before = torch.get_rng_state(), {k: v.clone() for k, v in models["dense"].state_dict().items()}
    lab.compare(models, tiny, corrupt=lab.corrupt.gaussian(0.5))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in models["dense"].state_dict().items())


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([], "compare needs at least one model, got none"),
        ({}, "compare needs at least one model, got none"),
        ([lab.PCA], "is needed, got the class PCA itself, not one made of it"),
        ("pca", "is needed, got str"),
        (None, "is needed, got NoneType"),
    ],
)
def test_what_is_no_model_is_named(models, message: str, tiny: lab.ImageData) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        lab.compare(models, tiny)


def test_a_split_is_no_data_set_and_a_number_no_corruption(models, tiny: lab.ImageData) -> None:
    with pytest.raises(TypeError, match=r"on data\.test of a whole data set, got one split"):
        lab.compare(models, tiny.test)
    with pytest.raises(TypeError, match="got a Tensor"):
        lab.compare(models, tiny.test.images)
    for wrong in (0.5, lab.corrupt.gaussian):
        with pytest.raises(
            TypeError, match=r"corrupt must be a corruption such as lab\.corrupt\.gaussian\(0\.5\), got"
        ):
            lab.compare(models, tiny, corrupt=wrong)


def test_one_column_and_several_models_in_any_order_are_understood(models, tiny: lab.ImageData) -> None:
    expected = lab.compare(list(models.values()), tiny, columns=["mse"])
    pd.testing.assert_frame_equal(lab.compare((m for m in models.values()), tiny, columns="mse"), expected)
