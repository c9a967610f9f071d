"""An autoencoder and a loop of one's own: right ones in many styles pass, each common mistake is named."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab import checks
from autoencoder_lab.checks.notebooks import first_network

Function = Callable[..., Any]


@pytest.fixture(autouse=True, scope="module")
def few_digits() -> Any:
    """A fifth of the digits that students are judged on: the mistakes show as well, and time is short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_network, "load", lambda name, n: lab.load(name, min(n, 200)))
        yield


# --- networks --------------------------------------------------------------------------------------


class Solved(nn.Module):
    """As in the solution; a subclass makes one mistake."""

    code = 16

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, self.code))
        self.decoder = nn.Sequential(nn.Linear(self.code, 64), nn.ReLU(), nn.Linear(64, 784), nn.Sigmoid())

    def encode(self, x: Tensor) -> Any:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Any:
        return self.decoder(z).view(-1, 1, 28, 28)

    def forward(self, x: Tensor) -> Any:
        return self.decode(self.encode(x))


class OneLayer(nn.Module):
    """The slide's two formulas, with matrices by hand and a linear output; the width is an argument."""

    def __init__(self, latent: int, bias: bool = True) -> None:
        super().__init__()
        self.W, self.V = (nn.Parameter(0.05 * torch.randn(*size)) for size in ((latent, 784), (784, latent)))
        self.c = nn.Parameter(torch.zeros(784))

    def encode(self, x: Tensor) -> Tensor:
        return torch.tanh(torch.einsum("kp,bp->bk", self.W, x.reshape(len(x), -1)))

    def decode(self, z: Tensor) -> Tensor:
        return (z @ self.V.T + self.c).reshape(-1, 1, 28, 28)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class Convolutional(nn.Module):
    """With batch normalisation and dropout; its halves are modules called encode and decode."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=4, padding=1), nn.BatchNorm2d(4), nn.GELU(), nn.Dropout(0.1), nn.Flatten(),
            nn.Linear(196, 16),
        )  # fmt: skip
        self.decode = nn.Sequential(nn.Linear(16, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


def one_sequence() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.Linear(16, 784), nn.Unflatten(1, (1, 28, 28)))


class HalvesAlone(nn.Module):
    """encoder and decoder, without methods of other names."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.SiLU())
        self.decoder = nn.Sequential(nn.Linear(16, 784), nn.Unflatten(1, (1, 28, 28)))

    def forward(self, x: Tensor) -> Any:
        return self.decoder(self.encoder(x))


# --- loops -----------------------------------------------------------------------------------------


def loop(
    order: str = "ZBS",
    split: str = "train",
    loss: Function = lambda model, x: (model(x) - x).pow(2).sum() / len(x),
    optimiser: Function = lambda model: torch.optim.Adam(model.parameters(), lr=3e-3),
    epochs: int = 4,
    give: Function = lambda model: model,
) -> Function:
    """A training loop that does Zero, Backward and Step in the order of these letters."""

    def train(model: Any, data: Any) -> Any:
        moves = optimiser(model)
        for _ in range(epochs):
            for x in getattr(data, split).images.split(20):
                value = loss(model, x)
                for letter in order:
                    {"Z": moves.zero_grad, "B": value.backward, "S": moves.step}[letter]()
        return give(model)

    return train


def sgd_by_hand(model: Any, data: Any) -> Any:
    for _ in range(6):
        for x in data.train.images.split(20):
            slopes = torch.autograd.grad((model(x) - x).square().sum(dim=(1, 2, 3)).mean(), list(model.parameters()))
            with torch.no_grad():
                for weight, slope in zip(model.parameters(), slopes, strict=True):
                    weight -= 5e-3 * slope
    return model


def with_a_loader_and_a_look_at_test(model: Any, data: Any) -> Any:
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(4):
        model.train()
        for (x,) in torch.utils.data.DataLoader(torch.utils.data.TensorDataset(data.train.images), 20, shuffle=True):
            F.mse_loss(model(x), x).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            model.zero_grad()
        F.mse_loss(model(data.test.images), data.test.images)  # measured, not trained on
        lab.metrics.mse(model, data.val)
    return model


def denoising(model: Any, data: Any) -> Any:
    def loss(model: Any, x: Tensor) -> Any:
        return F.mse_loss(model((x + 0.3 * torch.randn_like(x)).clamp(0, 1)), x, reduction="sum") / len(x)

    return loop(loss=loss)(model, data)


sgd_on_means = loop(
    loss=lambda model, x: F.mse_loss(model(x), x), optimiser=lambda model: torch.optim.SGD(model.parameters(), lr=0.5)
)
accumulating = loop(loss=lambda model, x: 784 * F.mse_loss(model.decode(model.encode(x)), x), order="BSZ")

RIGHT: dict[str, tuple[Any, Function]] = {
    "the solution": (Solved, loop()),
    "an instance": (Solved(), loop("BSZ")),
    "one layer, the code's size as argument, SGD by hand": (OneLayer, sgd_by_hand),
    "convolutions, a loader, clipped gradients, tests on the way": (Convolutional, with_a_loader_and_a_look_at_test),
    "a function that makes a Sequential, SGD on means": (one_sequence, sgd_on_means),
    "halves alone, denoising": (HalvesAlone, denoising),
    "partial, cleared afterwards": (functools.partial(OneLayer, 16), accumulating),
    "binary cross-entropy": (Solved, loop(loss=lambda model, x: F.binary_cross_entropy(model(x), x))),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_ones_pass(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(3)
    checks.own_autoencoder(*RIGHT[name])
    assert capsys.readouterr().out.startswith("✓ own_autoencoder: correct. On 1,000 training digits")


# --- wrong networks --------------------------------------------------------------------------------


def changed(**methods: Any) -> type[Solved]:
    return type("Changed", (Solved,), methods)


def layers(encoder: list[nn.Module] | None = None, decoder: list[nn.Module] | None = None) -> type[Solved]:
    def start(self: Any) -> None:
        Solved.__init__(self)
        self.encoder = self.encoder if encoder is None else nn.Sequential(*encoder)
        self.decoder = self.decoder if decoder is None else nn.Sequential(*decoder)

    return changed(__init__=start)


def remembering(self: Any, x: Tensor) -> Any:
    self.seen = x
    return self.encoder(x)


def without_super(self: Any) -> None:
    self.encoder = nn.Linear(784, 16)


def plain_list(self: Any) -> None:
    nn.Module.__init__(self)
    self.layers = [nn.Linear(784, 16), nn.Linear(16, 784)]


NETWORKS: dict[str, tuple[Any, str]] = {
    "no flattening": (layers([nn.Linear(784, 64), nn.Linear(64, 16)]), "rows of a picture, 28 numbers.*flatten"),
    "all pictures in one row": (changed(encode=lambda s, x: s.encoder[1:](x.flatten())), "joins all pictures"),
    "rows as pictures": (
        layers([nn.Flatten(0, 2), nn.Linear(28, 16)]),
        r"5 pictures must give 5 codes, one row each, got shape \(140, 16\)",
    ),
    "no bottleneck": (type("Wide", (Solved,), {"code": 784}), "no bottleneck: the code has 784 numbers"),
    "even wider": (type("Wider", (Solved,), {"code": 1000}), "no bottleneck"),
    "a wide code": (type("Wide", (Solved,), {"code": 64}), "too wide: 64 numbers"),
    "a narrow code": (type("Narrow", (Solved,), {"code": 2}), "too narrow: 2 numbers"),
    "a map for a code": (layers([nn.Conv2d(1, 1, 7, 7)]), r"\(5, 1, 4, 4\); end the encoder with nn.Flatten"),
    "flat pictures": (changed(decode=lambda s, z: s.decoder(z)), r"must be pictures .*got \(5, 784\).*Unflatten"),
    "layers that do not fit": (layers(decoder=[nn.Linear(32, 784)]), "made for 32 numbers gets 16"),
    "it copies": (changed(forward=lambda s, x: x), "copies"),
    "round the code": (changed(forward=lambda s, x: s.decode(s.encode(x)) + x), "round the code"),
    "it remembers": (
        changed(encode=remembering, decode=lambda s, z: s.seen + 0 * s.decoder(z).view(-1, 1, 28, 28)),
        "remembers what encode saw",
    ),
    "it ignores the code": (
        changed(decode=lambda s, z: s.decoder(torch.zeros_like(z.detach())).view(-1, 1, 28, 28)),
        "makes no use of the code",
    ),
    "detached": (changed(encode=lambda s, x: s.encoder(x).detach()), "lost its connection"),
    "super is missing": (changed(__init__=without_super), "super"),
    "layers in a list": (
        changed(
            __init__=plain_list,
            encode=lambda s, x: s.layers[0](x.flatten(1)),
            decode=lambda s, z: s.layers[1](z).view(-1, 1, 28, 28),
        ),
        "plain list",
    ),
    "return is missing": (changed(encode=lambda s, x: [s.encoder(x), None][1]), "return"),
    "no module": (lambda: "an autoencoder", "must be an nn.Module"),
    "a network, not one": (3, "function itself"),
    "a sequence without a bottleneck": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 784), nn.Unflatten(1, (1, 28, 28))),
        "no bottleneck",
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_wrong_networks_are_named(name: str) -> None:
    made, message = NETWORKS[name]
    with pytest.raises(checks.CheckFailed, match=message):
        checks.own_autoencoder(made, loop())


def test_a_network_without_forward_is_told_so() -> None:
    class Mute(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.halves = Solved()

        def encode(self, x: Tensor) -> Any:
            return self.halves.encode(x)

        def decode(self, z: Tensor) -> Any:
            return self.halves.decode(z)

    with pytest.raises(checks.CheckFailed, match="forward is missing"):
        checks.own_autoencoder(Mute, loop())


# --- wrong loops -----------------------------------------------------------------------------------


def with_lab_fit(model: Any, data: Any) -> Any:
    lab.fit(model, data, steps=3, progress=False)
    return model


def once(model: Any, data: Any) -> Any:
    optimiser = torch.optim.Adam(model.parameters())
    loss = (model(data.train.images) - data.train.images).pow(2).mean()
    for _ in range(3):
        loss.backward()
        optimiser.step()
    return model


def cleared_once_an_epoch(model: Any, data: Any) -> Any:
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(2):
        optimiser.zero_grad()
        for x in data.train.images.split(20):
            F.mse_loss(model(x), x).backward()
            optimiser.step()
    return model


def without_a_gradient(model: Any, data: Any) -> Any:
    with torch.no_grad():
        return loop()(model, data)


LOOPS: dict[str, tuple[Function, str]] = {
    "no zero_grad": (loop("BS"), "pile up"),
    "zero_grad once an epoch": (cleared_once_an_epoch, "pile up"),
    "no step": (loop("ZB"), "no weight has changed.*step"),
    "cleared before the step": (loop("BZS"), "no weight has changed"),
    "no backward": (loop("ZS"), "no gradient was computed"),
    "step before backward": (loop("SZB"), "before backward|no weight has changed"),
    "test images": (loop(split="test"), "trained on data.test"),
    "validation images": (loop(split="val"), "trained on data.val"),
    "uphill": (loop(loss=lambda model, x: -(model(x) - x).pow(2).mean()), "the error grew.*minus"),
    "black as the target": (loop(loss=lambda model, x: (1 - model(x)).pow(2).sum()), "grew|hardly falls"),
    "a tiny rate": (loop(optimiser=lambda m: torch.optim.SGD(m.parameters(), lr=1e-7)), "hardly falls"),
    "a huge rate": (loop(optimiser=lambda m: torch.optim.SGD(m.parameters(), lr=1e12)), "grew|ran away|same drawing"),
    "half of the weights": (loop(optimiser=lambda m: torch.optim.Adam(m.decoder.parameters())), "of the encoder"),
    "the other half": (loop(optimiser=lambda m: torch.optim.Adam(m.encoder.parameters())), "of the decoder"),
    "code cut off": (
        loop(loss=lambda model, x: (model.decode(model.encode(x).detach()) - x).pow(2).mean()),
        "of the encoder",
    ),
    "loss not a number": (loop(loss=lambda model, x: (model(x) - x).pow(2)), r"must be one number"),
    "no gradient": (without_a_gradient, "lost its connection"),
    "one loss for all": (once, "anew for every batch"),
    "the library's": (with_lab_fit, "library's own loop"),
    "gives the loss": (loop(give=lambda model: 0.02), "must return the trained model"),
    "gives nothing": (loop(give=lambda model: None), "returned nothing"),
    "misspelt": (lambda model, data: data.training, "AttributeError"),
}


@pytest.mark.parametrize("name", LOOPS)
def test_wrong_loops_are_named(name: str) -> None:
    train, message = LOOPS[name]
    with pytest.raises(checks.CheckFailed, match=message):
        checks.own_autoencoder(Solved, train)


# --- stubs, and what is left as it was -------------------------------------------------------------


class Stub(nn.Module):
    def __init__(self) -> None:
        super().__init__()

    def encode(self, x: Tensor) -> Any: ...

    def decode(self, z: Tensor) -> Any: ...

    def forward(self, x: Tensor) -> Any:
        return self.decode(self.encode(x))


def stub(model: Any, data: Any) -> Any: ...


@pytest.mark.parametrize("given", [(Stub, stub), (None, None), (Solved, stub), (Solved, None), (Stub, loop())])
def test_a_stub_is_not_done_yet(given: tuple[Any, Any], capsys: pytest.CaptureFixture[str]) -> None:
    checks.own_autoencoder(*given)
    assert "not done yet" in capsys.readouterr().out


def test_the_students_random_numbers_and_network_stay_as_they_were() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    checks.own_autoencoder(Solved, loop())
    assert torch.equal(torch.rand(3), expected)
    network = Solved()
    lab.metrics.mse(network, lab.load("mnist-5k", 20).val)
    before = [weight.clone() for weight in network.parameters()]
    checks.own_autoencoder(network, loop())
    assert not network._forward_pre_hooks and network.training
    assert all(map(torch.equal, before, network.parameters())), "the check trains a copy"
