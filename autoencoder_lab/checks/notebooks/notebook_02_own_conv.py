"""The check of notebook 02's exercise 2, a convolutional autoencoder that the student writes.

It is judged by what passes through it and which convolutions it computes, not by how it is written: layers of any width
and kernel, in a Sequential or one by one, called as modules or as functions.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from autoencoder_lab.checks.compare import CheckFailed, is_function, returned, show
from autoencoder_lab.data.batches import evaluating

NAME = "own_conv_autoencoder"
CODE, SIDE, PIXELS = 16, 28, 784
COUNT = 6  # pictures that are passed through

SYMPTOMS = {  # Python's and PyTorch's words: what they mean here
    "before Module.__init__": "call super().__init__() in the first line of __init__, before any layer is made",
    'missing the required "forward"': "forward is missing: def forward(self, x): return self.decode(self.encode(x))",
    "output padding must be smaller": "output_padding must be smaller than the stride: 0 or 1 where the stride is 2",
    "to conv2d, but got input": "a convolution needs feature maps (B, C, H, W), and gets rows; nn.Flatten() comes "
    "after the last convolution",
    "to conv_transpose2d, but got input": "a transposed convolution needs feature maps (B, C, H, W), and gets rows; "
    "put nn.Unflatten(1, (C, 7, 7)) before it, with your own number of channels C",
    "Kernel size can't be greater": "a kernel is larger than the feature map that it slides over; the map has shrunk "
    "too far",
    "must match the size of tensor": "two tensors are joined whose sizes do not fit. Nothing may go round the code, so "
    "nothing of the encoder's has to be added in the decoder",
}


def own_conv_autoencoder(made: Any) -> None:
    """Exercise 02.2: MyConvAutoencoder(), an nn.Module with encode, (B, 1, 28, 28) → (B, 16), and decode, the way back.

    made: the class, a function that makes the network, or the network itself. It need not be trained.
    """
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
            torch.manual_seed(0)
            network = _network(made)
            if network is not None:
                with evaluating(network):
                    _judge(network)
    finally:
        torch.set_default_dtype(usual)


def _network(made: Any) -> Any:
    """The network, made if it has to be; None, and "not done yet" printed, for a stub."""
    if isinstance(made, nn.Module):
        return made
    if not is_function(NAME, made):
        return None
    try:
        parameters = list(inspect.signature(made).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [one for one in parameters if one.default is one.empty and one.kind in positional]

    def make() -> Any:
        with _explaining("making the network", []):
            return made(*[CODE] * len(needed))

    network = returned(NAME, made, make)
    if network is not None and not isinstance(network, nn.Module):
        raise CheckFailed(f"{NAME}: it must be an nn.Module, class MyConvAutoencoder(nn.Module); got {show(network)}")
    return network


def _borrowed(network: nn.Module) -> str | None:
    if any(hasattr(type(layer), "reconstructs") for layer in network.modules()):
        return "that is the library's own; here, put the layers together yourself"
    return None


def _judge(network: Any) -> None:
    """Print ✓ or "not done yet", or raise CheckFailed with what is likely wrong."""
    _refuse(_borrowed(network))
    encode, decode = (_half(network, *names) for names in (("encode", "encoder"), ("decode", "decoder")))
    x = torch.rand(COUNT, 1, SIDE, SIDE)
    code, down = _passed("encode", encode, x)
    if code is None:
        return
    _refuse(_code_flaw(code, down))
    picture, up = _passed("decode", decode, code)
    if picture is None:
        return
    _refuse(_picture_flaw("decode(code)", picture, up))
    drawn = _far_out(decode)
    _refuse(
        _convolution_flaw(down, up)
        or _linear_flaw(encode, decode, x)
        or _range_flaw(drawn)
        or _way_flaw(network, encode, decode, x)
        or _gradient_flaw(network, x)
    )
    inwards, outwards = (", ".join(str(one.after) for one in half) for half in (down, up))
    count = sum(weight.numel() for weight in network.parameters())
    beyond = drawn.min() < 0 or drawn.max() > 1
    advice = "; but it can draw values outside [0, 1], which nn.Sigmoid() at the end keeps inside" if beyond else ""
    print(
        f"✓ {NAME}: correct. Its maps have {inwards} pixels a side on the way in and {outwards} on the way out, "
        f"{CODE} numbers between, {count:,} weights{advice}"
    )


def _half(network: nn.Module, *names: str) -> Any:
    found = next((half for name in names if callable(half := getattr(network, name, None))), None)
    if found is None:
        raise CheckFailed(f"{NAME}: the network has no {names[0]}; write def {names[0]}(self, …) in the class")
    return found


def _refuse(flaw: str | None) -> None:
    if flaw:
        raise CheckFailed(f"{NAME}: {flaw}")


# --- what is computed ----------------------------------------------------------------------------------------------


class Convolution(NamedTuple):
    """One that was computed: pixels a side before and after it, channels after it, and how it was set."""

    before: int
    after: int
    channels: int
    kernel: int
    stride: int
    padding: int
    output_padding: int
    transposed: bool


class _Convolutions(TorchDispatchMode):
    """Writes down every convolution that is computed inside, by modules and by functions alike."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[Convolution] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or torch would load its compiler first

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.convolution.default:
            x, weight, _, stride, padding, _, transposed, output_padding, _ = args
            settings = (weight.shape[-1], stride[-1], padding[-1], output_padding[-1], transposed)
            self.seen.append(Convolution(x.shape[-1], result.shape[-1], result.shape[1], *settings))
        return result


def _passed(part: str, function: Callable[[Tensor], Any], x: Tensor) -> tuple[Any, list[Convolution]]:
    """(what comes out; None, and "not done yet" printed, for a stub; the convolutions on the way)."""
    with _Convolutions() as mode:

        def call() -> Any:
            with _explaining(part, mode.seen):
                return function(x)

        return returned(NAME, function, call), mode.seen


@contextmanager
def _explaining(part: str, seen: list[Convolution]) -> Iterator[None]:
    """CheckFailed that names the cause, in place of an error that shows it."""
    try:
        yield
    except CheckFailed:
        raise
    except Exception as error:
        known = next((cause for symptom, cause in SYMPTOMS.items() if symptom in str(error)), None)
        said = known or _misfit(str(error), seen)
        if isinstance(error, NotImplementedError) and said is None:
            raise  # a stub's
        said = said or f"it stops with {type(error).__name__}: {str(error).splitlines()[0]}"
        raise CheckFailed(f"{NAME}: {part}: {said}") from error


def _misfit(error: str, seen: list[Convolution]) -> str | None:
    """What to say of layers that do not fit, from PyTorch's words and the convolutions before it stopped."""
    last = f"{seen[-1].channels} × {seen[-1].after} × {seen[-1].after}" if seen else ""
    if found := re.search(r"\(\d+x(\d+) and (\d+)x\d+\)", error):
        given, wanted = int(found[1]), int(found[2])
        from_maps = f", {last} from the feature maps before it" if seen and given == _numbers(seen[-1]) else ""
        return f"a linear layer made for {wanted} numbers gets {given}{from_maps}{_growth_advice(seen)}"
    if found := re.search(r"to have (\d+) channels, but got (\d+) channels", error):
        return (
            f"a convolution made for {found[1]} channels gets {found[2]}; its in_channels must be the out_channels of "
            "the layer before"
        )
    if "unflatten" in error or "is invalid for input of size" in error:
        if seen and not seen[-1].transposed:
            return (
                f"the feature maps, {last}, hold {_numbers(seen[-1]):,} numbers a picture; the row you make of them, "
                f"by view or reshape, asks for another number{_growth_advice(seen)}. flatten(1) takes as many as there "
                "are"
            )
        return (
            "the row of numbers cannot be folded into feature maps of this size. nn.Unflatten(1, (C, 7, 7)) needs "
            "C · 7 · 7 numbers, so the linear layer before it must give that many"
        )
    return None


def _numbers(one: Convolution) -> int:
    return one.channels * one.after**2


# --- what may be wrong -----------------------------------------------------------------------------------------------


def _code_flaw(code: Any, down: list[Convolution]) -> str | None:
    """What is wrong with the codes of COUNT pictures, or None."""
    if not isinstance(code, Tensor):
        return f"encode must return a tensor of codes ({COUNT}, {CODE}), got {show(code)}"
    if code.ndim == 0 or len(code) != COUNT:
        return (
            f"{COUNT} pictures must give {COUNT} codes, a row each, got shape {tuple(code.shape)}; flatten(1) keeps "
            "the pictures apart, flatten() joins them"
        )
    width = code[0].numel()
    if width >= PIXELS:
        return (
            f"nothing is narrowed: the code has {width:,} numbers, a picture {PIXELS}. Feature maps that shrink in "
            f"size grow in number; flatten them and let a linear layer bring them to {CODE}"
        )
    if width != CODE:
        return f"the code has {width} numbers; let the last layer of the encoder give {CODE}, as the library's does"
    if code.ndim != 2:
        return f"a code must be one row of {CODE} numbers, got shape {tuple(code.shape)}; end with nn.Flatten()"
    return None


def _picture_flaw(what: str, picture: Any, up: list[Convolution]) -> str | None:
    """What is wrong with the pictures drawn, or None."""
    wanted = (COUNT, 1, SIDE, SIDE)
    if not isinstance(picture, Tensor):
        return f"{what} must be a tensor of pictures {wanted}, got {show(picture)}"
    if picture.shape == wanted:
        return None
    if picture.ndim == 4 and picture.shape[2:] == wanted[2:]:
        return f"{what} has {picture.shape[1]} channels; a grey picture has one: let the last layer have out_channels=1"
    if picture.ndim != 4:
        return f"{what} must be pictures {wanted}, got shape {tuple(picture.shape)}"
    return f"{what} is {picture.shape[2]}×{picture.shape[3]}, not {SIDE}×{SIDE}{_growth_advice(up)}"


def _growth_advice(seen: list[Convolution]) -> str:
    """What to do about the first layer that does not halve or double the map, "" where every one does."""
    for one in seen:
        if one.transposed and one.stride > 1 and one.after != one.stride * one.before:
            asked = f"({one.before} − 1)·{one.stride} − 2·{one.padding} + {one.kernel} + {one.output_padding}"
            missing = one.stride * one.before - one.after + one.output_padding
            cure = (
                f"output_padding={missing} makes it {one.stride * one.before}"
                if 0 <= missing < one.stride
                else "kernel 4, padding 1 and no output_padding doubles it exactly"
            )
            return (
                f". A transposed convolution made {one.after} of {one.before}: {asked} = {one.after}; {cure}, where "
                f"{one.stride * one.before} is wanted"
            )
        if not one.transposed and one.stride > 1 and one.after * one.stride != one.before:
            return (
                f". A convolution made {one.after} of {one.before} pixels a side, by "
                f"⌊(n + 2p − k)/s⌋ + 1 with k = {one.kernel}, p = {one.padding}, s = {one.stride}; kernel 4 with "
                "padding 1, or kernel 3 with padding 1, halves an even number exactly"
            )
        if not one.transposed and one.stride == 1 and one.after != one.before:
            return (
                f". A convolution of stride 1 made {one.after} of {one.before} pixels a side; padding (k − 1)/2 keeps "
                f"the size, here {(one.kernel - 1) / 2:g}"
            )
    return ""


def _convolution_flaw(down: list[Convolution], up: list[Convolution]) -> str | None:
    for half, seen in (("encoder", down), ("decoder", up)):
        if not seen:
            return (
                f"there is no convolution in the {half}: that is a dense one. nn.Conv2d shrinks a feature map, "
                "nn.ConvTranspose2d enlarges it"
            )
    return None


def _linear_flaw(encode: Any, decode: Any, x: Tensor) -> str | None:
    """Whether a half is a linear map, but for its last function."""
    with torch.no_grad():
        if _is_affine(encode, 5 * x):  # far from 0, where every activation looks straight
            return (
                "no non-linearity stands between the encoder's layers, so together they are one matrix. Put nn.SiLU() "
                "or nn.ReLU() behind each but the last"
            )
        z = 3 * torch.randn(COUNT, CODE)
        before_sigmoid = lambda one: decode(one).double().logit(eps=1e-6)  # noqa: E731
        if any(_is_affine(half, z) for half in (decode, before_sigmoid)):
            return (
                "no non-linearity stands between the decoder's layers, so together they are one matrix (a sigmoid at "
                "the very end does not change that). Put nn.SiLU() or nn.ReLU() behind each but the last"
            )
    return None


def _is_affine(function: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Whether f(a + b) − f(a) − f(b) + f(0) is nothing but rounding."""
    a, b = x, x.flip(0)
    zero, one, other, both = (function(part).double() for part in (0 * a, a, b, a + b))
    bent, moved = (both - one - other + zero).norm(), (one - zero).norm()
    return bool(bent < 1e-4 * moved)


@torch.no_grad()
def _far_out(decode: Any) -> Tensor:
    """What is drawn of codes far from 0, (200, 784): the ends of what the decoder can draw."""
    drawn: Tensor = decode(100 * torch.randn(200, CODE)).flatten(1)
    return drawn


def _range_flaw(drawn: Tensor) -> str | None:
    """Whether the decoder can draw black, and pixels of their own."""
    darkest = float(drawn.min())
    if darkest >= 0.4 and drawn.max() <= 1:
        return (
            f"no pixel can be darker than {darkest:.2f}: an activation stands before the sigmoid, and lets little or "
            "nothing below 0 through. None belongs between the last convolution and the sigmoid"
        )
    if torch.allclose(drawn.sum(dim=1), torch.ones(len(drawn)), atol=1e-3):
        return "the pixels of a picture add up to 1, as after a softmax; each has a brightness of its own: nn.Sigmoid()"
    return None


def _way_flaw(network: Any, encode: Any, decode: Any, x: Tensor) -> str | None:
    """Whether something goes from the picture to its reconstruction round the code."""
    code = encode(x)
    if not torch.allclose(code, encode(x), atol=1e-5) or not torch.allclose(code[:2], encode(x[:2]), atol=1e-4):
        return "a picture's code changes from call to call, or with the other pictures of the batch; each has one code"
    picture = decode(code)
    if picture.shape == x.shape and torch.allclose(picture, decode(code.flip(0)), atol=1e-7):
        return "decode draws the same whatever code it gets"
    encode(x.flip(0))  # other pictures: a decoder that remembers what was seen now draws those
    if not torch.allclose(decode(code), picture, atol=1e-5):
        return "decode draws something else once other pictures were encoded: it remembers what encode saw, a way round"
    whole, _ = _passed("forward", network, x)
    if whole is None:
        return "forward returns nothing; it is return self.decode(self.encode(x))"
    if not isinstance(whole, Tensor) or whole.shape != x.shape or not torch.allclose(whole, decode(code), atol=1e-4):
        return (
            "model(x) is not decode(encode(x)), so something goes round the code. forward is return "
            "self.decode(self.encode(x))"
        )
    return None


def _gradient_flaw(network: Any, x: Tensor) -> str | None:
    """Whether a gradient reaches every weight."""
    named = dict(network.named_parameters())
    if not named:
        return (
            "PyTorch knows of no weights in it. Layers must be attributes (self.encoder = …); in a plain list nobody "
            "finds them, nn.Sequential or nn.ModuleList holds them"
        )
    loss: Tensor = (network(x) - x).square().mean()
    slopes: list[Any] = [None]
    if loss.requires_grad:
        slopes = list(torch.autograd.grad(loss, list(named.values()), allow_unused=True))
    lost = [name for name, slope in zip(named, slopes, strict=False) if slope is None]
    if len(lost) == len(slopes):
        return "no gradient reaches the weights: is there a detach(), .data or torch.no_grad() on the way?"
    if lost:
        return f"no gradient reaches {', '.join(lost[:3])}: is that layer left out, or is there a detach() on the way?"
    return None
