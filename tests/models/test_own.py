"""A plain nn.Module is taken as it is: trained, compared, drawn and explored as the course's own models are."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab.models.own import OwnNetwork, as_model

SHAPE = (1, 8, 8)


class Mine(nn.Module):
    """What a student writes in notebook 00."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))
        self.decoder = nn.Sequential(
            nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 64), nn.Sigmoid(), nn.Unflatten(1, SHAPE)
        )

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class Same(lab.Autoencoder):
    """The same network as a model of the course."""

    def __init__(self) -> None:
        super().__init__(4, SHAPE)
        network = Mine()
        self.encoder, self.decoder = network.encoder, network.decoder[:3] + network.decoder[4:]


@pytest.fixture
def digits() -> lab.ImageData:
    return lab.load("digits", 200)


def test_it_is_trained_as_a_model_of_the_course_is(digits: lab.ImageData) -> None:
    torch.manual_seed(0)
    mine, same = Mine(), Same()
    same.encoder.load_state_dict(mine.encoder.state_dict())
    same.decoder.load_state_dict({n.replace("4.", "3."): v for n, v in mine.decoder.state_dict().items()})
    keys = list(mine.state_dict())
    settings: dict[str, Any] = {"steps": 12, "seed": 3, "progress": False, "initialise": False}
    ours, theirs = lab.fit(mine, digits, **settings), lab.fit(same, digits, **settings)
    assert ours.train["total"] == pytest.approx(theirs.train["total"], rel=1e-5) and ours.model == "Mine"
    torch.testing.assert_close(mine.encoder.state_dict(), same.encoder.state_dict(), rtol=1e-4, atol=1e-5)
    assert list(mine.state_dict()) == keys, "the student's own state_dict has no new entries"


def test_what_its_owner_trained_is_where_fit_begins(digits: lab.ImageData) -> None:
    mine = Mine()
    optimiser = torch.optim.Adam(mine.parameters(), 1e-3)
    for _ in range(20):
        (mine(digits.train.images) - digits.train.images).square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()
    before = copy.deepcopy(mine.state_dict())
    lab.fit(mine, digits, steps=1, learning_rate=1e-12, progress=False)
    torch.testing.assert_close(mine.state_dict(), before, rtol=0, atol=1e-6)
    untouched = copy.deepcopy(fresh := Mine())
    lab.fit(fresh, digits, steps=1, learning_rate=1e-12, progress=False)
    torch.testing.assert_close(fresh.state_dict(), untouched.state_dict(), rtol=0, atol=1e-6)


def test_it_is_compared_and_measured_beside_the_course_s_models(digits: lab.ImageData) -> None:
    mine, pca = Mine(), lab.PCA(4).fit(digits.train)
    lab.fit(mine, digits, steps=5, progress=False)
    with torch.no_grad():
        error = (mine(digits.test.images) - digits.test.images).square().mean()
    table = lab.compare([pca, mine], digits)
    assert table.loc["Mine", "mse"] == pytest.approx(float(error)) and "lacks" not in table
    assert table.loc["Mine", "parameters"] == sum(value.numel() for value in mine.parameters())
    assert table.loc["Mine", "seconds"] > 0 and table.loc["Mine", "probe"] == lab.metrics.probe(mine, digits).value
    assert lab.metrics.mse(mine, digits.test).value == pytest.approx(float(error))
    assert "Mine" in lab.plot.reconstructions([pca, mine], digits.test).alt
    assert list(lab.compare({"ours": mine}, digits).index) == ["ours"]


def test_without_a_code_it_is_measured_by_what_it_gives_back(digits: lab.ImageData) -> None:
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Unflatten(1, SHAPE))
    lab.fit(plain, digits, steps=3, progress=False)
    table = lab.compare(plain, digits)
    assert table.loc["Sequential", "mse"] > 0 and table.loc["Sequential", "lacks"] == "has no code"
    with pytest.raises(AttributeError, match="Sequential has no encode; it has reconstruct"):
        as_model(plain).encode(digits.test.images)
    with pytest.raises(TypeError, match="got Sequential, a plain torch module; give it a method encode"):
        lab.metrics.probe(plain, digits)


def test_with_a_code_it_can_be_explored(digits: lab.ImageData) -> None:
    explorer = lab.explore(Mine(), digits)
    assert explorer is not None and as_model(Mine(), digits.train.images).latent == 4


def test_it_is_the_same_model_each_time_and_a_copy_has_its_own() -> None:
    mine = Mine()
    model = as_model(mine)
    assert as_model(mine) is model and as_model(model) is model and isinstance(model, OwnNetwork)
    other = copy.deepcopy(mine)
    assert as_model(other) is not model and as_model(other).network is other
    for given in (lab.PCA(2), lab.PCA, 3, None, nn.DataParallel(lab.PCA(2))):
        assert as_model(given) is given


def test_what_gives_no_pictures_back_is_told_what_to_do(digits: lab.ImageData) -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 64))
    message = (
        r"must give back pictures .* got a tensor, float32 of shape \(\d+, 64\); end it with nn\.Unflatten\(1, \(1, 8"
    )
    for use in (lambda: lab.fit(flat, digits, steps=1, progress=False), lambda: lab.compare(flat, digits)):
        with pytest.raises(ValueError, match=message):
            use()

    class Maps(Mine):
        def encode(self, x: Tensor) -> Tensor:
            return x

    with pytest.raises(ValueError, match=r"Maps\.encode\(x\) must give codes \(B, d\).*end it with nn\.Flatten\(\)"):
        lab.fit(Maps(), digits, steps=1, progress=False)
    with pytest.raises(
        ValueError, match=r"Linear stops at pictures \(500, 1, 8, 8\)|Linear stops at pictures .*: mat1"
    ):
        lab.metrics.mse(nn.Linear(3, 3), digits.test)


class WithItsLoss(Mine):
    """A network that says itself what is to be made small."""

    def loss(self, x: Tensor) -> Any:
        return 3 * (self(x) - x).square().flatten(1).sum(dim=1).mean()


def test_a_loss_of_its_own_is_what_is_made_small(digits: lab.ImageData) -> None:
    torch.manual_seed(0)
    plain, own = Mine(), WithItsLoss()
    own.load_state_dict(plain.state_dict())
    settings: dict[str, Any] = {"steps": 6, "progress": False}
    ours, theirs = lab.fit(own, digits, **settings), lab.fit(plain, digits, **settings)
    assert ours.val["total"] == pytest.approx([3 * value for value in theirs.val["total"]], rel=1e-2)
    assert ours.val["mse"] == pytest.approx(theirs.val["mse"], rel=1e-2)
    with pytest.raises(ValueError, match="train it without corrupt="):
        lab.fit(own, digits, steps=1, progress=False, corrupt=lab.corrupt.gaussian(0.1))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda x: x.flatten(1).sum(dim=1), "must return one number, the mean over the images"),
        (lambda x: float(x.sum()), "must return a tensor of one number, got"),
        (lambda x: None, "must return a tensor of one number, got None"),
    ],
)
def test_a_loss_that_is_no_number_is_refused(digits: lab.ImageData, loss: Any, message: str) -> None:
    own = WithItsLoss()
    own.loss = loss  # type: ignore[method-assign]
    with pytest.raises((TypeError, ValueError), match=message):
        lab.fit(own, digits, steps=1, progress=False)


def test_encode_and_decode_may_be_layers_themselves(digits: lab.ImageData) -> None:
    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encode = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
            self.decode = nn.Sequential(nn.Linear(4, 64), nn.Unflatten(1, SHAPE))

        def forward(self, x: Tensor) -> Any:
            return self.decode(self.encode(x))

    network = Layers()
    lab.fit(network, digits, steps=3, progress=False)
    model, x = as_model(network), digits.test.images
    assert (model.encodes, model.decodes, model.latent) == (True, True, 4)
    assert torch.equal(model.decode(model.encode(x)), network(x)) and model.learned_numbers() == 64 * 4 * 2 + 4 + 64
    assert lab.compare(network, digits, columns=["mse", "knn"]).notna().all(axis=None)
    assert as_model(copy.deepcopy(network)).encode.__self__ is not network.encode
