"""Notebook 02's checks: the right functions pass, each common mistake is named, a stub is "not done yet"."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import autoencoder_lab as lab
from autoencoder_lab import checks

Function = Callable[..., Any]


def stub(*args: Any, **kwargs: Any) -> None:
    return None


# --- 1: the transposed convolution -----------------------------------------------------------------


def by_loop(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    out = torch.zeros((len(x) - 1) * stride + len(kernel))
    for i, value in enumerate(x):
        for u, weight in enumerate(kernel):
            out[i * stride + u] += value * weight
    return out


def by_torch(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    return F.conv_transpose1d(x[None, None], kernel[None, None], stride=stride)[0, 0]


def by_matrix(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """y = Cᵀx, with C the matrix of the strided convolution."""
    length = (len(x) - 1) * stride + len(kernel)
    matrix = F.conv1d(torch.eye(length)[:, None], kernel[None, None], stride=stride)[:, 0].T
    return matrix.T @ x


def scales_kernel_in_place(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    kernel *= x[0]
    return by_loop(x / x[0], kernel, stride)


@pytest.mark.parametrize("right", [by_loop, by_torch, by_matrix, scales_kernel_in_place])
def test_stamp_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.stamp(right)
    assert "✓" in capsys.readouterr().out


def overwrites(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    out = torch.zeros((len(x) - 1) * stride + len(kernel))
    for i, value in enumerate(x):
        out[i * stride : i * stride + len(kernel)] = value * kernel
    return out


def one_place_apart(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    out = torch.zeros((len(x) - 1) * stride + len(kernel))
    for i, value in enumerate(x):
        out[i : i + len(kernel)] += value * kernel
    return out


def kernel_turned(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Zeros between the inputs, then PyTorch's conv1d, which does not turn the kernel."""
    spread = torch.zeros((len(x) - 1) * stride + 1)
    spread[::stride] = x
    return F.conv1d(spread[None, None], kernel[None, None], padding=len(kernel) - 1)[0, 0]


def averages(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    count = by_loop(torch.ones_like(x), torch.ones_like(kernel), stride)
    return by_loop(x, kernel, stride) / count.clamp(min=1)


def kernel_apart(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    length = (len(x) - 1) * stride + len(kernel)
    side_by_side = (x[:, None] * kernel).flatten()
    return torch.cat([side_by_side, torch.zeros(length)])[:length]


def first_entry_only(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    out = torch.zeros((len(x) - 1) * stride + len(kernel))
    out[: (len(x) - 1) * stride + 1 : stride] = x * kernel[0]
    return out


def value_plus_kernel(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    return by_loop(x, torch.ones_like(kernel), stride) + by_loop(torch.ones_like(x), kernel, stride)


def one_short(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    return by_loop(x, kernel, stride)[:-1]


def convolves(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    return F.conv1d(x[None, None], kernel[None, None], stride=stride, padding=len(kernel))[0, 0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (overwrites, "overwrites an earlier one"),
        (one_place_apart, "one place apart"),
        (kernel_turned, "turned round"),
        (averages, "averaged"),
        (kernel_apart, "a kernel's length apart"),
        (first_entry_only, "only the first entry"),
        (value_plus_kernel, "added to the value"),
        (lambda x, k, s: by_loop(x, torch.ones_like(k), s), "kernel is not used"),
        (lambda x, k, s: by_loop(torch.ones_like(x), k, s), "input's value is not used"),
        (one_short, r"must have shape \(9,\), got \(8,\)"),
        (convolves, "must have shape"),
        (lambda x, k, s: x.upsample(s), "stops with AttributeError"),
    ],
)
def test_stamp_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.stamp(wrong)


# --- 4: the share of fast waves --------------------------------------------------------------------


def ring(x: Tensor, cutoff: float = 0.0) -> Tensor:
    row, column = (torch.fft.fftfreq(n) * n for n in x.shape[2:])
    return (row[:, None] ** 2 + column[None, :] ** 2).sqrt() > cutoff


def power(x: Tensor) -> Tensor:
    return torch.fft.fft2(x).abs() ** 2


def by_fft(x: Tensor, cutoff: float) -> float:
    total = power(x).sum(dim=(0, 1))
    return float(total[ring(x, cutoff)].sum() / total[ring(x)].sum())


def by_filtering(x: Tensor, cutoff: float) -> Tensor:
    """Parseval: keep the fast waves, transform back, and compare variances."""
    fast = torch.fft.ifft2(torch.fft.fft2(x) * ring(x, cutoff)).real
    return fast.square().sum() / (x - x.mean(dim=(2, 3), keepdim=True)).square().sum()


@pytest.mark.parametrize("right", [by_fft, by_filtering])
def test_fast_share_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.fast_share(right)
    assert "✓" in capsys.readouterr().out


def with_frequencies(frequency: Tensor) -> Function:
    def share(x: Tensor, cutoff: float) -> Tensor:
        total = power(x).sum(dim=(0, 1))
        return total[frequency > cutoff].sum() / total[frequency > 0].sum()

    return share


ROW = (torch.fft.fftfreq(8) * 8)[:, None].expand(8, 8)
INDEX = torch.arange(8.0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x, c: by_fft(x.mean(dim=0, keepdim=True), c), "average the images before the transform"),
        (
            lambda x, c: (torch.fft.fft2(x).abs() * ring(x, c)).sum() / (torch.fft.fft2(x).abs() * ring(x)).sum(),
            "left out the square",
        ),
        (lambda x, c: (power(x) * ring(x, c)).sum() / power(x).sum(), "frequency 0.* is in your denominator"),
        (lambda x, c: 1 - by_fft(x, c), "share of the slow waves"),
        (lambda x, c: by_fft(x, c) / (1 - by_fft(x, c)), "below the cutoff"),
        (lambda x, c: by_fft(x, c - 1e-4), "use > instead of >="),
        (with_frequencies((INDEX[:, None] ** 2 + INDEX**2).sqrt()), "negative frequencies"),
        (with_frequencies((ROW**2 + ROW.T**2).sqrt() / 8), "waves per pixel"),
        (with_frequencies(torch.maximum(ROW.abs(), ROW.T.abs())), "larger of the two"),
        (with_frequencies(ROW.abs()), "along the rows"),
        (lambda x, c: torch.tensor([by_fft(one[None], c) for one in x]).mean(), "shares of single images"),
        (
            lambda x, c: with_frequencies((ROW**2 + ROW.T**2).sqrt())(
                torch.fft.ifft2(torch.fft.fft2(x, dim=(0, 1))), c
            ),
            "images and channels",
        ),
        (lambda x, c: torch.tensor([by_fft(one[None], c) for one in x]), "must have shape"),
    ],
)
def test_fast_share_wrong(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.fast_share(wrong)


# --- 3: the experiment with shuffled pixels --------------------------------------------------------


def shuffle(data: Any, order: Tensor) -> Any:
    return data.map(lambda images: images.flatten(1)[:, order].view_as(images))


def order_of_seed(seed: int) -> Tensor:
    return torch.randperm(28 * 28, generator=torch.Generator().manual_seed(seed))


def design(
    shuffled: Callable[[Any, str], Any] = lambda data, kind: shuffle(data, order_of_seed(0)),
    kinds: tuple[str, ...] = ("conv", "dense"),
    endings: tuple[str, ...] = ("", ", shuffled"),
    settings: Callable[[str, str], dict[str, Any]] = lambda kind, ending: {"steps": 100},
    latent: Callable[[str, str], int] = lambda kind, ending: 8,
    judged_on: Callable[[Any, Any], Any] = lambda plain, trained_on: trained_on.test,
    answer: Callable[[dict[str, Any]], Any] = lambda errors: errors,
    value: Callable[[Any], Any] = lambda estimate: estimate.value,
) -> Function:
    """An experiment that is right but for what is given."""

    def experiment(data: Any, fit: Function, score: Function) -> Any:
        errors = {}
        for kind in kinds:
            for ending in endings:
                images = shuffled(data, kind) if ending else data
                build = lab.ConvAutoencoder if kind == "conv" else lab.DenseAutoencoder
                model = build(latent(kind, ending))
                fit(model, images, **settings(kind, ending))
                errors[kind + ending] = value(score(model, judged_on(data, images)))
        return answer(errors)

    return experiment


def one_by_one(data: Any, fit: Function, score: Function) -> dict[str, float]:
    """Another right way: all trained first, measured afterwards; an own budget for each kind."""
    mixed = shuffle(data, torch.arange(28 * 28).flip(0))
    pairs = {"conv": (data, lab.ConvAutoencoder(4)), "conv, shuffled": (mixed, lab.ConvAutoencoder(4))}
    pairs |= {"dense": (data, lab.DenseAutoencoder(4)), "dense, shuffled": (mixed, lab.DenseAutoencoder(4))}
    for name, (images, model) in pairs.items():
        fit(model, images, epochs=3 if "conv" in name else 9, seed=2)
    return {name: score(model, images.test).value for name, (images, model) in pairs.items()}


def risen(errors: dict[str, float]) -> str:
    conv, dense = (errors[f"{kind}, shuffled"] / errors[kind] > 1.2 for kind in ("conv", "dense"))
    return "both" if conv and dense else "conv" if conv else "dense" if dense else "neither"


@pytest.mark.parametrize("right", [design(), one_by_one])
def test_shuffled_pixels_right(right: Function, capsys: pytest.CaptureFixture[str]) -> None:
    checks.shuffled_pixels(right, risen)
    assert capsys.readouterr().out.count("✓") == 2


def each_its_own(data: Any, kind: str) -> Any:
    generator = torch.Generator().manual_seed(0)
    return data.map(
        lambda x: x.flatten(1).gather(1, torch.rand(len(x), 784, generator=generator).argsort(dim=1)).view_as(x)
    )


def across_images(data: Any, kind: str) -> Any:
    generator = torch.Generator().manual_seed(0)
    return data.map(
        lambda x: x.flatten(1).gather(0, torch.rand(len(x), 784, generator=generator).argsort(dim=0)).view_as(x)
    )


def new_order_each_split(data: Any, kind: str) -> Any:
    generator = torch.Generator().manual_seed(0)
    return data.map(lambda x: x.flatten(1)[:, torch.randperm(784, generator=generator)].view_as(x))


def trained_twice(data: Any, fit: Function, score: Function) -> Any:
    model = lab.ConvAutoencoder(4)
    fit(model, data)
    fit(model, shuffle(data, order_of_seed(0)))


def untrained(data: Any, fit: Function, score: Function) -> Any:
    return score(lab.ConvAutoencoder(4), data.test)


def swap(errors: dict[str, Any]) -> dict[str, Any]:
    return {**errors, "conv": errors["dense"], "dense": errors["conv"]}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (design(each_its_own), "an order of its own"),
        (design(across_images), "same pixels as before"),
        (design(new_order_each_split), "different orders"),
        (design(lambda data, kind: shuffle(data, order_of_seed(len(kind)))), "two kinds get different pixel orders"),
        (design(kinds=("conv",)), "no run of a dense autoencoder on the images as they are"),
        (design(endings=(", shuffled",)), "no run of a conv autoencoder on the images as they are"),
        (design(shuffled=lambda data, kind: data), "no run of a conv autoencoder on the images in the new order"),
        (design(settings=lambda kind, ending: {"steps": 100 + len(ending)}), "trained differently"),
        (design(settings=lambda kind, ending: {"seed": len(ending)}), "different seeds"),
        (design(settings=lambda kind, ending: {"augment": lab.augment.affine()}), "leave augment out"),
        (design(latent=lambda kind, ending: len(kind)), "code sizes differ"),
        (design(judged_on=lambda plain, trained_on: trained_on.train), "on the training images"),
        (design(judged_on=lambda plain, trained_on: trained_on.val), "on the validation images"),
        (design(judged_on=lambda plain, trained_on: plain.test), "another pixel order than it was trained on"),
        (design(answer=swap), "exchanged"),
        (design(answer=lambda errors: list(errors.values())), "return a dictionary"),
        (design(value=lambda estimate: estimate), "take its .value"),
        (design(value=lambda estimate: 0.01), "belong to other runs"),
        (trained_twice, "trained twice"),
        (untrained, "before it was trained"),
        (lambda data, fit, score: {}, "nothing was trained"),
        (lambda data, fit, score: data.shuffled, "stops with AttributeError"),
    ],
)
def test_shuffled_pixels_wrong_design(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.shuffled_pixels(wrong, risen)


def judge(rule: Callable[[float, float, float, float], tuple[bool, bool]]) -> Function:
    """`hurt` with rule(conv, conv shuffled, dense, dense shuffled) -> (conv hurt, dense hurt)."""

    def hurt(errors: dict[str, float]) -> str:
        names = ("conv", "conv, shuffled", "dense", "dense, shuffled")
        return {(1, 1): "both", (1, 0): "conv", (0, 1): "dense", (0, 0): "neither"}[rule(*(errors[n] for n in names))]

    return hurt


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (judge(lambda a, b, c, d: (b > 1.2 * d, d > 1.2 * b)), "two kinds with each other"),
        (judge(lambda a, b, c, d: (b > a, d > c)), "any rise counts"),
        (judge(lambda a, b, c, d: (a > 1.2 * b, c > 1.2 * d)), "wrong way round"),
        (judge(lambda a, b, c, d: (b - a > 0.2, d - c > 0.2)), "rise itself"),
        (judge(lambda a, b, c, d: (b > 0.2 * a, d > 0.2 * c)), "factor of 1.2"),
        (judge(lambda a, b, c, d: (b <= 1.2 * a, d <= 1.2 * c)), "does not suffer"),
        (lambda e: "conv" if e["conv, shuffled"] / e["conv"] > e["dense, shuffled"] / e["dense"] else "dense", "most"),
        (lambda e: "conv", "expected"),
        (lambda e: True, "return a string"),
        (lambda e: e["conv shuffled"], "stops with KeyError"),
    ],
)
def test_shuffled_pixels_wrong_verdict(wrong: Function, message: str) -> None:
    with pytest.raises(checks.CheckFailed, match=message):
        checks.shuffled_pixels(design(), wrong)


# --- stubs -----------------------------------------------------------------------------------------


def test_stubs_are_not_done_yet(capsys: pytest.CaptureFixture[str]) -> None:
    checks.stamp(stub)
    checks.fast_share(stub)
    checks.shuffled_pixels(stub, stub)
    checks.shuffled_pixels(design(), stub)
    assert capsys.readouterr().out.count("not done yet") == 4
