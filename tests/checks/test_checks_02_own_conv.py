"""Exercise 02.2: a convolutional autoencoder in any style passes, and what is wrong with one is named."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab import checks


class Halves(nn.Module):
    """encode and decode made of two lists of layers; forward as in the notebook."""

    def __init__(self, down: Any, up: Any) -> None:
        super().__init__()
        self.down, self.up = nn.Sequential(*down), nn.Sequential(*up)

    def encode(self, x: Tensor) -> Tensor:
        return self.down(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.up(z)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


def down(code: int = 16, kernel: int = 4, act: Callable[[], nn.Module] = nn.SiLU, inner: int = 8 * 49) -> list[Any]:
    convs = nn.Conv2d(1, 4, kernel, 2, 1), nn.Conv2d(4, 8, kernel, 2, 1)
    return [convs[0], act(), convs[1], act(), nn.Flatten(), nn.Linear(inner, code)]


def up(first: Any = (4, 2, 1), last: Any = (4, 2, 1), act: Any = nn.SiLU, end: Any = (nn.Sigmoid,)) -> list[Any]:
    convs = nn.ConvTranspose2d(8, 4, *first), nn.ConvTranspose2d(4, 1, *last)
    return [nn.Linear(16, 8 * 49), act(), nn.Unflatten(1, (8, 7, 7)), convs[0], act(), convs[1], *(f() for f in end)]


class OneByOne(nn.Module):
    """Pooling on the way in, resize + convolution on the way out, functions for the rest; a code size of its own."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 12, 5, padding=2)
        self.norm, self.to_code = nn.BatchNorm2d(12), nn.Linear(12 * 49, latent)
        self.from_code, self.conv3, self.conv4 = nn.Linear(latent, 12 * 49), nn.Conv2d(12, 6, 3, padding=1), None
        self.kernel = nn.Parameter(0.1 * torch.randn(1, 6, 3, 3))

    def encode(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.norm(self.conv2(x))), 2)
        return self.to_code(x.view(len(x), -1))

    def decode(self, z: Tensor) -> Tensor:
        x = F.relu(self.from_code(z)).reshape(-1, 12, 7, 7)
        x = F.relu(self.conv3(F.interpolate(x, scale_factor=2)))
        return torch.sigmoid(F.conv2d(F.interpolate(x, scale_factor=2), self.kernel, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class AsAttributes(nn.Module):
    """encoder and decoder are networks themselves, called in forward; the output is not squashed."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*down(kernel=3))
        self.decoder = nn.Sequential(*up((3, 2, 1, 1), (2, 2, 0), nn.LeakyReLU, end=()))

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


@pytest.mark.parametrize(
    "right",
    [lambda: Halves(down(), up()), Halves(down(kernel=3, act=nn.ReLU), up((3, 2, 1, 1))), OneByOne, AsAttributes],
)
def test_right_in_any_style(right: Any, capsys: pytest.CaptureFixture[str]) -> None:
    checks.own_conv_autoencoder(right)
    said = capsys.readouterr().out
    assert "✓ own_conv_autoencoder: correct. Its maps have " in said and " 28 on the way out" in said
    assert ("outside [0, 1]" in said) == (right is AsAttributes)


def test_what_passes_goes_into_fit_and_compare_as_it_is() -> None:
    torch.manual_seed(0)
    mine, data = AsAttributes(), lab.load("mnist-5k", n=200)
    checks.own_conv_autoencoder(mine)
    lab.fit(mine, data, steps=3, batch_size=16, progress=False)
    assert list(lab.compare([mine], data, columns=["mse"]).index) == ["AsAttributes"]


class Around(Halves):
    """A skip round the code."""

    def forward(self, x: Tensor) -> Tensor:
        return (self.decode(self.encode(x)) + x) / 2


class Remembers(Halves):
    def encode(self, x: Tensor) -> Tensor:
        self.seen = x
        return self.down(x)

    def decode(self, z: Tensor) -> Tensor:
        return (self.up(z) + self.seen.mean()) / 2


class InAList(Halves):
    def __init__(self) -> None:
        super().__init__([], [])
        self.layers = down(), up()

    def encode(self, x: Tensor) -> Tensor:
        return self._through(0, x)

    def decode(self, z: Tensor) -> Tensor:
        return self._through(1, z)

    def _through(self, half: int, x: Tensor) -> Tensor:
        for layer in self.layers[half]:
            x = layer(x)
        return x


class CutOff(Halves):
    def encode(self, x: Tensor) -> Tensor:
        return self.down(x).detach()


class NoReturn(Halves):
    def decode(self, z: Tensor) -> Tensor:  # type: ignore[return]
        z = self.up(z)


class NoSuper(nn.Module):
    def __init__(self) -> None:
        self.encoder = nn.Sequential(*down())


class NoForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Sequential(*down()), nn.Sequential(*up())


class ByView(Halves):
    def __init__(self) -> None:
        super().__init__(down(), up())

    def encode(self, x: Tensor) -> Tensor:
        return self.down[5](self.down[:4](x).view(-1, 500))


none = nn.Identity
dense = [nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 16)]
WRONG = [
    (Halves(down(), up((3, 2, 1), (3, 2, 1))), r"25×25.*made 13 of 7.*output_padding=1 makes it 14"),
    (Halves(down(), up((3, 2, 1), (3, 2, 1, 1))), r"26×26.*made 13 of 7: \(7 − 1\)·2 − 2·1 \+ 3 \+ 0 = 13"),
    (Halves(down(), up((3, 2, 1, 1), (3, 2, 1))), r"27×27.*made 27 of 14.*output_padding=1 makes it 28"),
    (Halves(down(), up((4, 2, 1, 1), (4, 2, 1))), r"made 15 of 7.*output_padding=0 makes it 14"),
    (Halves(down(), up((5, 2, 1), (4, 2, 1))), r"made 15 of 7.*kernel 4, padding 1 and no output_padding"),
    (Halves(down(), up((3, 2, 1, 2))), r"output_padding must be smaller than the stride"),
    (Halves([nn.Conv2d(1, 4, 3, 2), *down()[1:]], up()), r"made for 392 numbers gets 288, 8 × 6 × 6.*made 13 of 28"),
    (Halves(down(inner=784), up()), r"made for 784 numbers gets 392, 8 × 7 × 7 from the feature maps"),
    (Halves(down()[:-2], up()), r"nothing is narrowed: .*|the code has 392 numbers"),
    (Halves([nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 32, 4, 2, 1)], up()), r"narrowed: .* 1,568 numbers"),
    (Halves(down(code=32), up()), r"the code has 32 numbers"),
    (Halves([*down(), nn.Unflatten(1, (16, 1, 1))], up()), r"one row of 16 numbers, got shape \(6, 16, 1, 1\)"),
    (Halves(down(act=none), up()), r"no non-linearity stands between the encoder's layers"),
    (Halves(down(), up(act=none)), r"no non-linearity stands between the decoder's layers"),
    (Halves(down(), up(act=none, end=())), r"no non-linearity stands between the decoder's layers"),
    (Halves(dense, up()), r"no convolution in the encoder: that is a dense one"),
    (Halves(down(), [nn.Linear(16, 99), nn.ReLU(), nn.Linear(99, 784), nn.Unflatten(1, (1, 28, 28))]), r"the decoder"),
    (Halves(down(), up(end=(nn.ReLU, nn.Sigmoid))), r"darker than 0.50: an activation stands before"),
    (Halves(down(), up(end=(nn.SiLU, nn.Sigmoid))), r"darker than 0.43: an activation stands before"),
    (
        Halves(down(), up(end=(nn.Flatten, lambda: nn.Softmax(1), lambda: nn.Unflatten(1, (1, 28, 28))))),
        r"add up to 1, as after a softmax",
    ),
    (Halves(down(), [*up()[:5], nn.ConvTranspose2d(4, 3, 4, 2, 1)]), r"has 3 channels; a grey picture has one"),
    (Halves(down(), [up()[0], *up()[3:]]), r"gets rows; put nn.Unflatten"),
    (Halves([nn.Flatten(), *down()], up()), r"needs feature maps .* and gets rows"),
    (Halves([nn.Conv2d(1, 4, 4, 2, 1), nn.ReLU(), *down()[2:3], nn.Conv2d(4, 8, 3)], up()), r"made for 4 channels"),
    (Around(down(), up()), r"not decode\(encode\(x\)\), so something goes round"),
    (Remembers(down(), up()), r"remembers what encode saw"),
    (InAList(), r"knows of no weights"),
    (CutOff(down(), up()), r"no gradient reaches down"),
    (NoReturn(down(), up()), r"its `return` is missing"),
    (NoSuper, r"call super\(\).__init__\(\) in the first line"),
    (NoForward, r"forward is missing"),
    (nn.Sequential(*down(), *up()), r"has no encode"),
    (lab.ConvAutoencoder(16), r"the library's own"),
    (ByView(), r"8 × 7 × 7, hold 392 numbers a picture; the row .* asks for another number"),
    (Halves(down(), [*up()[:3], nn.Upsample(scale_factor=4), nn.ReLU(), nn.Conv2d(8, 1, 5)]), r"24×24.*of 28 .*here 2"),
    (lambda: [nn.Flatten()], r"must be an nn.Module"),
    (3, r"hand over the function itself"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG, ids=[said[:40] for _, said in WRONG])
def test_what_is_wrong_is_named(wrong: Any, said: str) -> None:
    with pytest.raises(checks.CheckFailed, match=said):
        checks.own_conv_autoencoder(wrong)


class Stub(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        ...  # your code here

    def encode(self, x: Tensor) -> Any: ...

    def decode(self, z: Tensor) -> Any: ...

    def forward(self, x: Tensor) -> Any:
        return self.decode(self.encode(x))


class HalfDone(Stub):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(*down())

    def encode(self, x: Tensor) -> Any:
        return self.down(x)


@pytest.mark.parametrize("stub", [Stub, HalfDone, None, ...])
def test_a_stub_is_not_done_yet(stub: Any, capsys: pytest.CaptureFixture[str]) -> None:
    checks.own_conv_autoencoder(stub)
    assert capsys.readouterr().out == "own_conv_autoencoder: not done yet\n"
