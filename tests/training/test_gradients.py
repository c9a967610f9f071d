"""Gradients in two halves: the same gradient, the same bits on any number of threads, and nothing left behind."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab.training import gradients as module
from autoencoder_lab.training.gradients import Gradients, way_of

CPU = torch.device("cpu")
IMAGE = torch.zeros(1, 1, 28, 28)


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def taken(
    model: Any, x: Tensor, way: module.Way, target: Tensor | None = None
) -> tuple[dict[str, float], list[Tensor]]:
    with closing(Gradients(way)) as gradients:
        return gradients(model.loss, list(model.parameters()), x, x if target is None else target, {})


# --- which way -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "way"),
    [
        (lambda: lab.DenseAutoencoder(32), "two halves"),
        (lambda: lab.ConvAutoencoder(32), "two halves"),
        (lambda: lab.ConvAutoencoder(32, decoder="unpool"), "two halves"),
        (lambda: lab.ResidualAutoencoder(32), "two halves"),
        (lambda: lab.VAE(8), "two halves"),
        (lambda: lab.MixturePriorVAE(8), "two halves"),
        (lambda: lab.LinearAutoencoder(32), "one thread"),
        (lambda: lab.VAE(8, free_bits=0.5), "two threads"),  # a mean over the batch decides what is free
        (lambda: lab.GAN(8), "two threads"),
        (lambda: lab.VICReg(8), "two threads"),
        (lambda: lab.CCAE(8), "two threads"),
    ],
)
def test_a_loss_of_each_image_by_itself_is_taken_in_halves(make: Callable[[], Any], way: str) -> None:
    assert way_of(make(), IMAGE, CPU) == way


def test_what_may_mix_images_or_draw_is_not_cut() -> None:
    class Own(lab.DenseAutoencoder):
        """Perhaps it overrides something."""

    mixing, drawing = lab.DenseAutoencoder(32), lab.ConvAutoencoder(32)
    mixing.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.BatchNorm1d(32))
    drawing.encoder.append(nn.Dropout(0.1))
    for model in (Own(32), mixing, drawing):
        assert way_of(model, IMAGE, CPU) == "two threads"
    assert way_of(lab.ConvAutoencoder(32), IMAGE, torch.device("cuda")) == "as set"


# --- the gradient ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 7, 8])
@pytest.mark.parametrize("make", [lambda: lab.DenseAutoencoder(8), lambda: lab.ConvAutoencoder(8)])
def test_two_halves_have_the_gradient_of_the_whole(make: Callable[[], Any], count: int) -> None:
    """∇ of the mean over a batch = Σ over halves of (their share of the images) · ∇ of the half's mean."""
    torch.manual_seed(0)
    model, x, target = make().double(), torch.rand(count, 1, 28, 28).double(), torch.rand(count, 1, 28, 28).double()
    whole, halves = (taken(model, x, way, target) for way in ("one thread", "two halves"))
    assert whole[0] == pytest.approx(halves[0], rel=1e-12)
    for one, other in zip(whole[1], halves[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_a_condition_is_cut_with_its_images() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def loss(x: Tensor, target: Tensor, condition: Tensor) -> Any:
        seen.append((x.flatten(), condition))
        return lab.Loss((weight * x).mean())

    weight, x = nn.Parameter(torch.ones(())), torch.arange(5.0).view(5, 1, 1, 1)
    with closing(Gradients("two halves")) as gradients:
        values, found = gradients(loss, [weight], x, x, {"condition": torch.arange(5)})
    assert values["total"] == found[0].item() == 2.0  # the mean of 0 … 4, not the mean of the halves' means
    assert sorted(len(images) for images, _ in seen) == [2, 3]
    assert all(torch.equal(images, condition.float()) for images, condition in seen)


def test_an_error_in_the_second_half_is_raised_and_threads_are_put_back() -> None:
    def loss(x: Tensor, target: Tensor) -> Any:
        if x.flatten()[0] > 0:
            raise ArithmeticError("the second half")
        return lab.Loss((weight * x).mean())

    weight, x = nn.Parameter(torch.ones(())), torch.arange(4.0).view(4, 1, 1, 1)
    with threads(2):
        with pytest.raises(ArithmeticError, match="second half"), closing(Gradients("two halves")) as gradients:
            gradients(loss, [weight], x, x, {})
        assert torch.get_num_threads() == 2
    assert not [thread for thread in threading.enumerate() if "second half" in thread.name]


# --- the same bits ---------------------------------------------------------------------------------------------------

MODELS: dict[str, Callable[[], Any]] = {
    "dense": lambda: lab.DenseAutoencoder(32),
    "conv": lambda: lab.ConvAutoencoder(16),
    "linear": lambda: lab.LinearAutoencoder(32),
    "VAE": lambda: lab.VAE(8),
}


@pytest.fixture(scope="module")
def digits() -> Any:
    return lab.load("mnist-5k", 300)


def weights(name: str, data: Any, **settings: Any) -> dict[str, Tensor]:
    model = MODELS[name]()
    lab.fit(model, data, steps=6, batch_size=50, seed=3, progress=False, **settings)
    return model.state_dict()


@pytest.mark.parametrize("name", MODELS)
def test_the_number_of_threads_changes_no_bit(name: str, digits: Any) -> None:
    found = []
    for count in (1, 2, 3):
        with threads(count):
            found.append(weights(name, digits))
            assert torch.get_num_threads() == count
    for other in found[1:]:
        assert all(torch.equal(value, other[key]) for key, value in found[0].items())


def test_what_mixes_images_has_the_same_bits_on_more_threads(digits: Any) -> None:
    found = []
    for count in (2, 4):
        with threads(count):
            model = lab.VICReg(8)
            lab.fit(model, digits, steps=4, batch_size=50, progress=False)
            found.append(model.state_dict())
    assert all(torch.equal(value, found[1][key]) for key, value in found[0].items())


def test_one_core_computes_as_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """There PyTorch comes to one thread by itself; somebody who asks for one on a larger machine gets one."""
    with threads(1):
        for cores, used in ((1, 2), (2, 1)):
            monkeypatch.setattr(module, "processors", lambda cores=cores: cores)
            with closing(Gradients("two threads")):
                assert torch.get_num_threads() == used


def test_the_halves_of_a_vae_draw_from_generators_of_their_own(digits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever thread is first, the draws are the same; and no image has another one's noise."""
    drawn: list[Tensor] = []
    randn = torch.randn

    def remembering(*size: Any, **settings: Any) -> Tensor:
        made = randn(*size, **settings)
        drawn.append(made)
        return made

    model, x = lab.VAE(8), digits.train.images[:20]
    monkeypatch.setattr(torch, "randn", remembering)
    found = []
    for asked in (1, 2):
        drawn.clear()
        with threads(asked), closing(Gradients("two halves", draws=True)) as gradients:
            torch.manual_seed(5)
            gradients.seed()
            found.append(gradients(model.loss, list(model.parameters()), x, x, {}))
        assert sorted(map(len, drawn)) == [10, 10] and not torch.equal(drawn[0], drawn[1])
    assert found[0][0] == found[1][0]
    assert all(torch.equal(one, other) for one, other in zip(found[0][1], found[1][1], strict=True))


def test_ctrl_c_waits_for_the_second_half(digits: Any) -> None:
    model = lab.DenseAutoencoder(8)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with threads(2):
        history = lab.fit(model, digits, epochs=2, batch_size=50, progress=False, callbacks=[stop])
        assert history.interrupted and torch.get_num_threads() == 2
    assert not [thread for thread in threading.enumerate() if "second half" in thread.name]
