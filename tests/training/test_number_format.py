"""Which number format `fit` computes in: decided from the layers and the processor, named in the history, harmless."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab.models import Loss
from autoencoder_lab.training.number_format import number_format
from benchmarks.rivals import LinkedAutoencoder

CPU = torch.device("cpu")
PLAIN = (torch.float32, False)


@pytest.fixture(params=[True, False], ids=["bfloat16 in hardware", "without"])
def processor(request, monkeypatch) -> bool:
    """Either kind of processor; PyTorch imitates what this one lacks."""
    monkeypatch.setattr("autoencoder_lab.training.number_format._multiplies_bfloat16", lambda: request.param)
    return request.param


def image(model: Any) -> Tensor:
    return torch.zeros(1, *model.image_shape)


def test_wide_convolutions_at_full_resolution_run_channels_last(processor: bool) -> None:
    model = LinkedAutoencoder()
    expected = torch.bfloat16 if processor else torch.float32
    assert number_format(model, image(model), CPU) == (expected, True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: lab.LinearAutoencoder(8),
        lambda: lab.DenseAutoencoder(32),
        lambda: lab.ConvAutoencoder(32),
        lambda: lab.ConvAutoencoder(32, decoder="resize"),
        lambda: lab.ConvAutoencoder(32, decoder="unpool"),
        lambda: lab.ResidualAutoencoder(64),
        lambda: lab.ResidualAutoencoder(64, skips="around"),
        lambda: lab.VAE(20),
        lambda: lab.VAE(20, width=64),
        lambda: lab.GAN(64),
        lambda: lab.GAN(64, width=64),
        lambda: lab.CCAE(32),
    ],
)
def test_the_course_s_models_stay_as_they_were(make) -> None:
    """Their figures do not depend on the processor, and they would gain nothing: docs/performance.md."""
    model = make()
    assert number_format(model, image(model), CPU) == PLAIN


def test_other_devices_and_other_losses_stay_in_float32() -> None:
    class Penalised(LinkedAutoencoder):
        def loss(self, x: Tensor, target: Tensor | None = None) -> Loss:
            return super().loss(x, target)

    model = LinkedAutoencoder()
    assert number_format(model, image(model), torch.device("cuda")) == PLAIN
    assert number_format(Penalised(), image(model), CPU) == PLAIN


def test_the_share_is_counted_in_multiplications_not_in_weights() -> None:
    """By hand, for a wide convolution and a dense code: 9·32·32·P² products against 2·k·32·P² of the dense layers."""

    def model(code: int) -> lab.Autoencoder:
        made = lab.DenseAutoencoder(code, (32, 8, 8))
        made.encoder = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.Flatten(), nn.Linear(32 * 64, code))
        made.decoder = nn.Sequential(nn.Linear(code, 32 * 64), nn.Unflatten(1, (32, 8, 8)))
        return made

    threshold = 9 * 32 * 32 * 64 // (2 * 32 * 64)  # = 144
    assert number_format(model(threshold), image(model(1)), CPU).channels_last
    assert not number_format(model(threshold + 1), image(model(1)), CPU).channels_last


def test_deciding_leaves_the_model_and_the_random_numbers_alone() -> None:
    model = LinkedAutoencoder().train()
    before, state = [p.clone() for p in model.parameters()], torch.get_rng_state()
    number_format(model, image(model), CPU)
    assert model.training and torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert not any(layer._forward_hooks for layer in model.modules())


def test_the_history_names_the_format_and_the_model_comes_back_as_it_was(processor: bool, tiny28) -> None:
    model = LinkedAutoencoder()
    history = lab.fit(model, tiny28, steps=2, progress=False)
    assert history.settings["precision"] == ("bfloat16" if processor else "float32")
    assert history.settings["memory_format"] == "channels_last"
    for parameter in model.parameters():
        assert parameter.dtype == torch.float32 and parameter.is_contiguous()
    history = lab.fit(lab.DenseAutoencoder(4), tiny28, steps=2, progress=False)
    assert (history.settings["precision"], history.settings["memory_format"]) == ("float32", "contiguous")


@pytest.mark.slow
def test_a_seed_repeats_itself_in_either_format(processor: bool, tiny28) -> None:
    models = [LinkedAutoencoder(), LinkedAutoencoder()]
    first, second = (lab.fit(model, tiny28, steps=3, seed=1, progress=False) for model in models)
    assert first == second
    assert all(torch.equal(a, b) for a, b in zip(*(model.parameters() for model in models), strict=True))


def test_bfloat16_layers_give_float32_s_loss_and_gradient_but_for_rounding(tiny28) -> None:
    """bfloat16 has 8 significant bits: a value is off by up to 0.4 %, a sum over many pixels by far less."""
    torch.manual_seed(0)
    model, x = LinkedAutoencoder(), tiny28.train.images[:32]
    exact = model.loss(x, x).total
    exact_gradient = torch.autograd.grad(exact, list(model.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model.loss(x, x).total
    rounded_gradient = torch.autograd.grad(rounded, list(model.parameters()))
    assert rounded.dtype == torch.float32
    assert rounded.item() == pytest.approx(exact.item(), rel=1e-3)
    flat, other = (torch.cat([g.flatten() for g in gs]) for gs in (exact_gradient, rounded_gradient))
    assert torch.cosine_similarity(flat, other, dim=0) > 0.99


def test_a_reconstruction_is_computed_once_and_is_the_same(tiny28) -> None:
    """evaluate takes x̂ from the loss where the loss was taken from reconstruct(x)."""
    for model in (lab.ConvAutoencoder(4), lab.DenseAutoencoder(4, loss="cross_entropy")):
        lab.fit(model, tiny28, steps=2, progress=False)
        x = tiny28.val.images
        with torch.no_grad():
            assert torch.equal(model.loss(x, x).reconstructed, model.reconstruct(x))
    with torch.no_grad():
        assert lab.VAE(2).loss(x).reconstructed is None  # its loss looks at a draw, reconstruct at the mean
