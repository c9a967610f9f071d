"""Whatever measures a model measures it in evaluation mode, and puts each module's mode back."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab.data.batches import modes

SHAPE = (1, 8, 8)


class Mine(lab.VAE):
    """Dropout and batch normalisation, in front of a VAE."""

    def __init__(self) -> None:
        super().__init__(2, SHAPE, width=4, hidden=8)
        self.encoder = nn.Sequential(nn.Dropout(0.5), nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 4))

    def fill(self, x: Tensor, mask: Tensor) -> Tensor:
        return torch.where(mask, self.reconstruct(x), x)


class Filling(Mine):
    fills = True


hole = lab.corrupt.box_mask(3, fill=0.5)
MEASURES: dict[str, Callable[[Any, lab.ImageData], Any]] = {
    "mse": lambda model, data: lab.metrics.mse(model, data.val),
    "psnr": lambda model, data: lab.metrics.psnr(model, data.val),
    "ssim": lambda model, data: lab.metrics.ssim(model, data.val),
    "hole errors": lambda model, data: lab.metrics.hole_errors(model, data.val, hole),
    "encode": lambda model, data: lab.metrics.encode(model, data.val).tolist(),
    "probe": lab.metrics.probe,
    "knn": lab.metrics.knn,
    "effective rank": lambda model, data: lab.metrics.effective_rank(model, data.val),
    "active units": lambda model, data: lab.metrics.active_units(model, data.val),
    "elbo": lambda model, data: lab.metrics.elbo(model, data.val),
    "nll": lambda model, data: lab.metrics.nll(model, data.val, samples=2),
    "kl": lambda model, data: lab.metrics.kl_per_dimension(model, data.val).tolist(),
    "in batches": lambda model, data: lab.metrics.in_batches(model.reconstruct, data.val.images).tolist(),
    "codes": lambda model, data: lab.codes(model, data).val.images.tolist(),
    "compare": lambda model, data: lab.compare([model], data, ["mse", "knn"]).to_dict(),
}


@pytest.mark.parametrize("measure", MEASURES)
def test_a_measure_in_training_is_the_measure_afterwards(measure: str, tiny: lab.ImageData) -> None:
    model = Filling()
    lab.fit(model, tiny, steps=4, progress=False)
    expected = MEASURES[measure](model, tiny)
    model.train()
    model.decoder.eval()  # a part may be in another mode
    before, statistics = modes(model), [buffer.clone() for buffer in model.buffers()]
    assert MEASURES[measure](model, tiny) == expected
    assert modes(model) == before
    assert all(torch.equal(a, b) for a, b in zip(model.buffers(), statistics, strict=True))


def test_a_measure_that_fails_puts_the_mode_back_too(tiny: lab.ImageData) -> None:
    model = Mine().train()
    with pytest.raises(ValueError, match="built for images"):
        lab.metrics.in_batches(model.reconstruct, torch.rand(2, 3, 8, 8))
    assert model.training


def test_a_callback_measures_what_fit_records(tiny: lab.ImageData) -> None:
    class Plain(lab.Autoencoder):
        def __init__(self) -> None:
            super().__init__(4, SHAPE)
            self.encoder = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.BatchNorm1d(64), nn.Linear(64, 4))
            self.decoder = nn.Sequential(nn.Linear(4, 64), nn.Unflatten(1, SHAPE))

    found: list[float] = []

    def measure(model: Any, history: lab.History) -> None:
        found.append(lab.metrics.mse(model, tiny.val).value)

    history = lab.fit(Plain(), tiny, epochs=2, progress=False, callbacks=[measure])
    assert found == pytest.approx(history.val["mse"], rel=1e-5)
