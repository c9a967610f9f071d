"""First weights: from the seed for any network, and what a model set itself is kept."""

import copy
import cProfile
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import autoencoder_lab as lab
from autoencoder_lab.models.construction import fingerprint
from autoencoder_lab.training.first_weights import draw_weights, is_fresh

SHAPE = (1, 8, 8)
STILL: dict[str, Any] = {"steps": 1, "learning_rate": 1e-12, "progress": False}


class Mine(lab.Autoencoder):
    """A network of one's own: whatever layers are given in front, or made by `front`."""

    def __init__(self, *given: nn.Module) -> None:
        super().__init__(4, SHAPE)
        self.encoder = nn.Sequential(nn.Flatten(), *(given or self.front()))
        self.decoder = nn.Sequential(nn.Linear(4, 64), nn.Unflatten(1, SHAPE))

    def front(self) -> list[nn.Module]:
        return [nn.Linear(64, 4)]


def attention() -> list[nn.Module]:
    layer = nn.TransformerEncoderLayer(64, 2, 64, batch_first=True)
    return [nn.Unflatten(1, (1, 64)), layer, nn.Flatten(), nn.Linear(64, 4)]


LAYERS: dict[str, Callable[[], list[nn.Module]]] = {
    "attention": attention,
    "weight norm": lambda: [parametrizations.weight_norm(nn.Linear(64, 4))],
    "spectral norm": lambda: [parametrizations.spectral_norm(nn.Linear(64, 4))],
    "orthogonal": lambda: [parametrizations.orthogonal(nn.Linear(64, 4))],
    "batch norm": lambda: [nn.BatchNorm1d(64), nn.Linear(64, 4)],
    "lazy": lambda: [nn.LazyLinear(9), nn.SiLU(), nn.LazyLinear(4)],
}


class Scaled(Mine):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.randn(64))
        self.offset = nn.Parameter(torch.from_numpy(np.random.randn(64).astype(np.float32)))
        self.register_buffer("directions", torch.randn(64, 64))

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder((x.flatten(1) * self.scale + self.offset) @ self.get_buffer("directions"))


class OldNorm(Mine):
    def front(self) -> list[nn.Module]:
        return [nn.utils.spectral_norm(nn.Linear(64, 4))]


def inside(layers: Callable[[], list[nn.Module]]) -> type[Mine]:
    class Inside(Mine):
        def front(self) -> list[nn.Module]:
            return layers()

    return Inside


MAKERS: dict[str, Callable[[], Mine]] = {
    "parameters and a random buffer": Scaled,
    "spectral norm by a hook": OldNorm,
    **{f"{name}, inside": inside(layers) for name, layers in LAYERS.items()},
    **{f"{name}, given": lambda layers=layers: Mine(*layers()) for name, layers in LAYERS.items()},
}


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_seed_gives_the_same_model_whatever_it_is_made_of(name: str, tiny: lab.ImageData) -> None:
    ends = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for junk, seed in ((1, 0), (2, 0), (3, 5)):
            torch.manual_seed(junk)
            np.random.seed(junk)
            model = MAKERS[name]()
            before = torch.get_rng_state(), np.random.get_state()[1].copy()
            lab.fit(model, tiny, steps=3, seed=seed, progress=False)
            assert torch.equal(before[0], torch.get_rng_state()) and (before[1] == np.random.get_state()[1]).all()
            ends.append(state(model))
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])
    assert all(value.isfinite().all() for value in ends[0].values())


def test_what_is_drawn_is_drawn_as_when_the_model_is_made() -> None:
    """Attention's output bias starts at 0, though its layer by itself would draw one."""
    for model in (MAKERS["attention, inside"](), MAKERS["attention, given"]()):
        made = {name: float(value.std()) for name, value in state(model).items() if value.ndim}
        draw_weights(model, 3)
        for name in made:
            now = float(state(model)[name].std())
            assert (made[name] == 0) == (now == 0), name
            assert made[name] == 0 or state(model)[name].numel() < 60 or 0.7 < now / made[name] < 1.4, name


# --- an own initialisation -------------------------------------------------------------------------


ELSEWHERE = nn.Linear(64, 4)


def by_hand(layer: nn.Linear) -> None:
    layer.weight = nn.Parameter(torch.arange(256.0).view(4, 64) / 256)


SETTINGS: dict[str, Callable[[nn.Linear], Any]] = {
    "orthogonal": lambda layer: nn.init.orthogonal_(layer.weight),
    "normal by data, as DCGAN": lambda layer: layer.weight.data.normal_(0.0, 0.02),
    "as the layer itself, once more": lambda layer: nn.init.kaiming_uniform_(layer.weight, a=5**0.5),
    "zeros in the bias": lambda layer: nn.init.zeros_(layer.bias),
    "another parameter": by_hand,
    "loaded": lambda layer: layer.load_state_dict(ELSEWHERE.state_dict()),
}


@pytest.mark.filterwarnings("ignore:.*set encoder.1")
@pytest.mark.parametrize("early", [False, True], ids=["in its place", "before it has one"])
@pytest.mark.parametrize("name", SETTINGS)
def test_weights_that_init_set_itself_are_kept(name: str, early: bool, tiny: lab.ImageData) -> None:
    class Own(Mine):
        def __init__(self) -> None:
            super().__init__()
            if not early:
                SETTINGS[name](self.encoder[1])

        def front(self) -> list[nn.Module]:
            layer = nn.Linear(64, 4)
            if early:
                SETTINGS[name](layer)
            return [layer]

    model = Own()
    before = state(model)
    lab.fit(model, tiny, **STILL)
    which = "encoder.1.bias" if name == "zeros in the bias" else "encoder.1.weight"
    torch.testing.assert_close(state(model)[which], before[which], rtol=0, atol=1e-6)
    assert not torch.equal(state(model)["decoder.0.weight"], before["decoder.0.weight"])  # that is the seed's


def test_a_random_setting_of_one_s_own_is_said_not_to_come_from_the_seed(tiny: lab.ImageData) -> None:
    class Random(Mine):
        def __init__(self) -> None:
            super().__init__()
            nn.init.orthogonal_(self.encoder[1].weight)

    class Fixed(Mine):
        def __init__(self) -> None:
            super().__init__()
            nn.init.eye_(self.encoder[1].weight)

    with pytest.warns(UserWarning, match=r"set encoder\.1\.weight at random .* seed=7 does not fix it; call torch\."):
        lab.fit(Random(), tiny, seed=7, **STILL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab.fit(Fixed(), tiny, seed=7, **STILL)


def test_a_model_s_own_reset_has_the_last_word_on_its_layers_and_is_seeded(tiny: lab.ImageData) -> None:
    class Resetting(Mine):
        def __init__(self) -> None:
            super().__init__()
            self.reset_parameters()

        def reset_parameters(self) -> None:
            nn.init.normal_(self.encoder[1].weight, std=3.0)

    one, two = Resetting(), Resetting()
    for model in (one, two):
        lab.fit(model, tiny, **STILL)
    assert float(one.encoder[1].weight.detach().std()) > 2 and same(state(one), state(two))


def test_a_profiler_is_not_in_the_way(tiny: lab.ImageData) -> None:
    class Own(Mine):
        def __init__(self) -> None:
            super().__init__()
            nn.init.eye_(self.encoder[1].weight)

    def listen(frame: Any, event: str, argument: Any) -> None:
        heard.add(frame.f_code.co_name)

    heard: set[str] = set()
    sys.setprofile(listen)
    try:
        listened = Own()
        assert sys.getprofile() is listen
    finally:
        sys.setprofile(None)
    with cProfile.Profile() as profile:
        profiled = Own()
        fingerprint(profiled)
    assert "reset_parameters" in heard
    assert "fingerprint" in {getattr(entry.code, "co_name", "") for entry in profile.getstats()}
    assert listened.own_weights == profiled.own_weights == {"encoder.1.weight": "set"}


# --- networks given to a model -----------------------------------------------------------------------


def test_a_trained_or_frozen_network_given_to_a_model_is_kept(tiny: lab.ImageData) -> None:
    source = Mine()
    lab.fit(source, tiny, steps=30, progress=False)
    for given in (source.encoder, copy.deepcopy(source.encoder), nn.Linear(64, 4).requires_grad_(False)):
        model = Mine(given)
        before = state(given)
        lab.fit(model, tiny, **STILL)
        for name, value in state(model.encoder[1]).items():
            torch.testing.assert_close(value, before[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(64), nn.BatchNorm1d(64, affine=False)], ids=["affine", "plain"])
def test_a_kept_network_keeps_what_its_normalisation_has_seen(norm: nn.Module, tiny: lab.ImageData) -> None:
    source = Mine(copy.deepcopy(norm), parametrizations.spectral_norm(nn.Linear(64, 4)))
    lab.fit(source, tiny, steps=40, progress=False)
    before = state(source.encoder)
    model = Mine(source.encoder)
    draw_weights(model, 0)
    assert same(state(source.encoder), before) and float(before["1.running_mean"].max()) > 0.1


def test_what_nobody_can_tell_is_kept_and_said(tiny: lab.ImageData) -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.places = nn.Parameter(torch.randn(64))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.places

    with pytest.warns(UserWarning, match=r"cannot draw encoder\.1\.places .* seed=0 does not fix it; make it within"):
        lab.fit(Mine(Positions(), nn.Linear(64, 4)), tiny, **STILL)
    small = nn.Linear(4, 4)
    with pytest.warns(UserWarning, match="of which nobody can tell whether it has learnt"):
        lab.fit(Mine(nn.Sequential(nn.AdaptiveAvgPool1d(4), small)), tiny, **STILL)


def test_an_init_that_cannot_run_twice_is_said(tiny: lab.ImageData) -> None:
    class Once(Mine):
        ready = True

        def __init__(self) -> None:
            super().__init__()
            assert Once.ready
            Once.ready = False
            self.extra = nn.Parameter(torch.randn(4))

    model = Once()
    before = model.extra.detach().clone()
    with pytest.warns(UserWarning, match=r"cannot draw extra of Once\(4\) again"):
        lab.fit(model, tiny, **STILL)
    torch.testing.assert_close(model.extra.detach(), before)


def test_starting_over_draws_anew_what_is_trained(tiny: lab.ImageData) -> None:
    model = Scaled()
    first = lab.fit(model, tiny, steps=5, progress=False)
    assert not is_fresh(model)
    assert lab.fit(model, tiny, steps=5, initialise=True, progress=False) == first


# --- the course's own ------------------------------------------------------------------------------


def test_the_course_s_models_are_made_once_and_their_layers_draw_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """So each weight has the bits that it always had; `python -m evidence.same_weights` compares them all."""
    made = {
        lab.LinearAutoencoder: {}, lab.DenseAutoencoder: {"hidden": (16,)}, lab.ConvAutoencoder: {"width": 4},
        lab.VAE: {"width": 4}, lab.MixturePriorVAE: {"width": 4}, lab.GAN: {"batch_norm": True}, lab.VICReg: {},
    }  # fmt: skip
    models = [kind(4, SHAPE, **settings) for kind, settings in made.items()]
    for kind in made:
        monkeypatch.setattr(kind, "__init__", None)
    for model in models:
        if not isinstance(model, lab.VAE):  # a learnt σ begins at 1
            assert model.own_weights == {}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            draw_weights(model, 0)
