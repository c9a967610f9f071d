"""An autoencoder and a training loop of a student's own, judged by what passes through and what the weights do.

It is written as one likes: layers of any kind and width, any optimiser, the loss by hand or from PyTorch.
"""

import copy
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from autoencoder_lab.checks.compare import CheckFailed, is_function, returned, show
from autoencoder_lab.data.batches import evaluating
from autoencoder_lab.data.datasets import load
from autoencoder_lab.data.split import ImageData
from autoencoder_lab.models.own import KEPT

NAME = "own_autoencoder"
SHAPE, PIXELS, CODE = (1, 28, 28), 784, 16

NO_FORWARD = 'missing the required "forward"'
SYMPTOMS = {  # Python's and PyTorch's words: what they mean here
    "before Module.__init__": "call super().__init__() in the first line of __init__, before any layer is made",
    NO_FORWARD: "forward is missing: def forward(self, x): return self.decode(self.encode(x))",
    "modified by an inplace operation": "step() comes before backward(), and changes the weights that backward() "
    "still needs: the order is zero_grad(), backward(), step()",
    "does not require grad": "the loss has lost its connection to the weights; compute it without torch.no_grad(), "
    "detach() or item()",
    "through the graph a second time": "the loss is computed once and used again; compute it anew for every batch",
    "only for scalar outputs": "the loss must be one number: end it with .sum() or .mean()",
    "empty parameter list": "the network has no weights that PyTorch knows of. Layers must be attributes "
    "(self.encoder = …); in a plain list nobody finds them, nn.Sequential or nn.ModuleList holds them",
}


def judge(made: Any, train: Any) -> None:
    """Pass, print "not done yet", or raise CheckFailed with what is likely wrong.

    made: a class, a function that makes the network, or the network itself; train: (model, data) → the trained model.
    """
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
            torch.manual_seed(0)
            network = _network(made)
            if network is None or not _passes_a_code(network) or not is_function("train", train):
                return
            _trains(network, train)
    finally:
        torch.set_default_dtype(usual)


@contextmanager
def _explaining(part: str) -> Iterator[None]:
    """CheckFailed that names the cause, in place of an error that shows it."""
    try:
        yield
    except CheckFailed:
        raise
    except NotImplementedError as error:
        if NO_FORWARD not in str(error):
            raise  # a stub's
        raise CheckFailed(f"{NAME}: {SYMPTOMS[NO_FORWARD]}") from error
    except Exception as error:
        said = next((cause for symptom, cause in SYMPTOMS.items() if symptom in str(error)), None) or _misfit(error)
        if said is None:
            raise CheckFailed(f"{NAME}: {part} stops with {type(error).__name__}: {error}") from error
        raise CheckFailed(f"{NAME}: {part}: {said}") from error


def _misfit(error: Exception) -> str | None:
    """What to say of layers that do not fit."""
    sizes = re.search(r"\((\d+)x(\d+) and (\d+)x(\d+)\)", str(error))
    if "cannot be multiplied" not in str(error) or sizes is None:
        return None
    given, wanted = int(sizes[2]), int(sizes[3])
    if given == SHAPE[2]:
        return (
            f"a linear layer sees the rows of a picture, {given} numbers each. Make one row of its {PIXELS} pixels "
            "first: nn.Flatten(), or x.flatten(1)"
        )
    if given % PIXELS == 0 and given > PIXELS:
        return "flatten() joins all pictures into one row; nn.Flatten(), or x.flatten(1), gives each a row of its own"
    return f"a layer made for {wanted} numbers gets {given}; it must take as many as the layer before it gives"


# --- the network -----------------------------------------------------------------------------------


def _network(made: Any) -> Any:
    """The network, made if it has to be, of a given one a copy; None, and "not done yet" printed, for a stub."""
    if isinstance(made, nn.Module):
        network = copy.deepcopy(made)  # it is trained here, and the student's own stays as it is
        vars(network).pop(KEPT, None)
        return network
    if not is_function(NAME, made):
        return None
    try:
        required = [
            one
            for one in inspect.signature(made).parameters.values()
            if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        required = []

    def make() -> Any:
        with _explaining("making the network"):
            return made(*[CODE] * len(required))

    network = returned(NAME, made, make)
    if network is not None and not isinstance(network, nn.Module):
        raise CheckFailed(
            f"{NAME}: the network must be an nn.Module, class MyAutoencoder(nn.Module); got {show(network)}"
        )
    return network


def _half(network: nn.Module, *names: str) -> Any:
    return next((found for name in names if callable(found := getattr(network, name, None))), None)


def _passes_a_code(network: nn.Module) -> bool:
    """Whether something is written; CheckFailed where pictures do not come back through a code of 16 numbers."""
    encode, decode = _half(network, "encode", "encoder"), _half(network, "decode", "decoder")
    x = load("mnist-5k", 20).train.images[:5]
    with evaluating(network):
        if encode is None or decode is None:
            _narrow_somewhere(network, x)
            return True
        code = returned("encode", encode, lambda: _asked("encode", encode, x))
        if code is None:
            return False
        _check_code(network, code, encode, x)
        picture = returned("decode", decode, lambda: _asked("decode", decode, encode(x)))
        if picture is None:
            return False
        _check_picture("decode(code)", picture, x)
        _check_memory(encode, decode, x, code, picture)
        whole = returned("forward", network.forward, lambda: _asked("forward", network, x))
        if whole is None:
            return False
        _check_whole(whole, decode(encode(x)), x)
    return True


def _asked(part: str, function: Callable[[Tensor], Any], x: Tensor) -> Any:
    with _explaining(part):
        return function(x)


def _check_code(network: nn.Module, code: Any, encode: Callable[[Tensor], Any], x: Tensor) -> None:
    if not isinstance(code, Tensor):
        raise CheckFailed(f"{NAME}: encode must return a tensor of codes ({len(x)}, {CODE}), got {show(code)}")
    width = code.numel() // len(x)
    if code.ndim == 0 or len(code) != len(x):
        raise CheckFailed(
            f"{NAME}: {len(x)} pictures must give {len(x)} codes, one row each, got shape {tuple(code.shape)}; flatten "
            "each picture, x.flatten(1), not all of them together"
        )
    _check_width(width)
    if code.ndim != 2:
        raise CheckFailed(
            f"{NAME}: a code must be one row of {CODE} numbers, got shape {tuple(code.shape)}; end the encoder with "
            "nn.Flatten()"
        )
    if not list(network.parameters()):
        raise CheckFailed(f"{NAME}: {SYMPTOMS['empty parameter list']}")
    if not code.requires_grad:
        raise CheckFailed(
            f"{NAME}: the code has lost its connection to the encoder's weights, so no gradient will reach them. Is "
            "there a detach(), .data, torch.no_grad() or NumPy in encode?"
        )
    if not torch.allclose(code, encode(x), atol=1e-5):
        raise CheckFailed(f"{NAME}: the same picture gets another code each time; is something random in encode?")
    if not torch.allclose(code[:2], encode(x[:2]), atol=1e-4):
        raise CheckFailed(f"{NAME}: a picture's code depends on the other pictures of the batch; each has its own")


def _check_width(width: int) -> None:
    if width >= PIXELS:
        raise CheckFailed(
            f"{NAME}: there is no bottleneck: the code has {width} numbers, and a picture has {PIXELS}, so it could "
            f"simply be copied. Let the encoder end with {CODE} numbers"
        )
    if width != CODE:
        size = "wide" if width > CODE else "narrow"
        raise CheckFailed(
            f"{NAME}: the code is too {size}: {width} numbers. {CODE} are asked for, as many as the library's has, so "
            "that the two can be compared"
        )


def _check_picture(what: str, picture: Any, x: Tensor) -> None:
    if not isinstance(picture, Tensor) or picture.shape != x.shape:
        got = tuple(picture.shape) if isinstance(picture, Tensor) else show(picture)
        raise CheckFailed(
            f"{NAME}: {what} must be pictures {tuple(x.shape)}, as they came, got {got}; end the decoder with {PIXELS} "
            f"numbers and nn.Unflatten(1, {SHAPE}), or .view(-1, 1, 28, 28)"
        )


def _check_memory(encode: Any, decode: Any, x: Tensor, code: Tensor, picture: Tensor) -> None:
    """CheckFailed where decode draws from less than the code, or from more."""
    z = code.detach().clone().requires_grad_()
    if torch.autograd.grad(decode(z).sum(), z, allow_unused=True)[0] is None:
        raise CheckFailed(f"{NAME}: decode makes no use of the code it is given: it draws the same whatever comes")
    encode(x.flip(0))  # other pictures
    if not torch.allclose(decode(code), picture, atol=1e-5):
        raise CheckFailed(
            f"{NAME}: decode draws something else once other pictures were encoded, so it remembers what encode saw. "
            "It must draw from the code alone"
        )


def _check_whole(whole: Any, through: Tensor, x: Tensor) -> None:
    """CheckFailed where something goes from a picture to its reconstruction round the code."""
    _check_picture("model(x)", whole, x)
    if torch.equal(whole, x):
        raise CheckFailed(f"{NAME}: model(x) is x itself: it copies, and nothing passes through the code")
    if not torch.allclose(whole, through, atol=1e-4):
        raise CheckFailed(
            f"{NAME}: model(x) is not decode(encode(x)): something goes from x to the result round the code. forward "
            "is return self.decode(self.encode(x))"
        )


def _narrow_somewhere(network: nn.Module, x: Tensor) -> None:
    """The same of a network that does not say which of its layers encode: somewhere all must pass 16 numbers."""
    sizes: list[int] = []

    def look(layer: nn.Module, given: Any, out: Any) -> None:
        if isinstance(out, Tensor):
            sizes.append(out.numel() // len(x))

    leaves = [module for module in network.modules() if not list(module.children())]
    hooks = [leaf.register_forward_hook(look) for leaf in leaves]
    try:
        whole = _asked("forward", network, x)
    finally:
        for hook in hooks:
            hook.remove()
    _check_picture("model(x)", whole, x)
    _check_width(min(sizes, default=PIXELS))


# --- the loop --------------------------------------------------------------------------------------


@dataclass
class _Seen:
    """What is seen of a training. last: of which split the pictures are that went in last."""

    last: str = ""
    backwards: int = 0
    piled_up: int = 0
    splits: tuple[str, ...] = ()
    weight: Tensor | None = None  # as it was at the last gradient


@contextmanager
def _watching(network: nn.Module, data: ImageData) -> Iterator[_Seen]:
    """Which pictures gradients come from, and whether they are added to those of an earlier step."""
    seen, probe = _Seen(), torch.linspace(-1, 1, PIXELS).double().sin()

    def prints(images: Tensor) -> set[int]:
        return set((images.flatten(1).double() @ probe * 1e6).round().long().tolist())

    known = {split: prints(getattr(data, split).images) for split in ("train", "val", "test")}

    def look(layer: nn.Module, given: tuple[Any, ...]) -> None:
        x = given[0] if given else None
        if torch.is_grad_enabled() and isinstance(x, Tensor) and x.ndim > 1 and x[0].numel() == PIXELS:
            of = prints(x.detach())
            seen.last = next((split for split, its in known.items() if of & its), seen.last)

    *_, weight = network.parameters()

    def gradient(_: Tensor) -> None:
        moved = seen.weight is not None and not torch.equal(weight.detach(), seen.weight)
        seen.piled_up += bool(moved and weight.grad is not None and weight.grad.any())
        seen.backwards, seen.weight = seen.backwards + 1, weight.detach().clone()
        seen.splits += (seen.last,) * (seen.last not in seen.splits)

    with ExitStack() as hooks:
        for module in network.modules():
            hooks.callback(module.register_forward_pre_hook(look).remove)
        if weight.requires_grad:
            hooks.callback(weight.register_hook(gradient).remove)
        yield seen


def _trains(network: nn.Module, train: Callable[..., Any]) -> None:
    """CheckFailed where the loop does not do what a training does; ✓ otherwise."""
    whole = load("mnist-5k", 1000)
    data = replace(whole, val=whole.val[:200], test=whole.test[:200])
    (before, _), weights = _drawn(network, data), {name: w.detach().clone() for name, w in network.named_parameters()}

    def run() -> Any:
        with _explaining("train"):
            return train(network, data)

    with _watching(network, data) as seen:
        trained = returned("train", train, run)
    if trained is None:
        return
    if not isinstance(trained, nn.Module):
        raise CheckFailed(f"{NAME}: train must return the trained model, got {show(trained)}")
    still = {name for name, weight in trained.named_parameters() if torch.equal(weight, weights.get(name, weight))}
    (after, differ), mean = (
        _drawn(trained, data),
        float((data.train.images - data.train.images.mean(dim=0)).square().mean()),
    )
    if flaw := _loop_flaw(trained, seen, still, before, after, differ):
        raise CheckFailed(f"{NAME}: {flaw}")
    short = "; it is still above the mean image's, so more passes would pay" if after > mean else ""
    print(
        f"✓ {NAME}: correct. On 1,000 training digits the squared error per pixel fell from {before:.4f} to "
        f"{after:.4f} (mean image: {mean:.4f}){short}"
    )


def _drawn(network: nn.Module, data: ImageData) -> tuple[float, float]:
    """The squared error per pixel on the training images, and by how much their drawings differ at most."""
    with evaluating(network), torch.no_grad():
        drawn = network(data.train.images)
    return float((drawn - data.train.images).square().mean()), float((drawn - drawn[:1]).abs().max())


def _loop_flaw(
    network: nn.Module, seen: _Seen, still: set[str], before: float, after: float, differ: float
) -> str | None:
    """What is wrong with a loop, or None."""
    if getattr(vars(network).get(KEPT), "fit_seconds", None) is not None:
        return "lab.fit is the library's own loop; here, write one of yours: zero_grad(), backward(), step()"
    for split, purpose in (("test", "for the final judgement"), ("val", "for choosing between models")):
        if split in seen.splits:
            return f"the network is trained on data.{split}, which is kept {purpose}; train on data.train.images"
    if len(still) == len(list(network.parameters())):
        if not seen.backwards:
            return "no gradient was computed, and no weight has changed: call loss.backward(), then optimiser.step()"
        return (
            "no weight has changed. Either step() is missing, or it runs where there is no gradient: the order is "
            "zero_grad(), backward(), step()"
        )
    if seen.piled_up:
        return (
            "the gradients pile up: backward() adds to what is there, so each step also repeats all earlier ones. Call "
            "optimiser.zero_grad() before every backward()"
        )
    if not after < float("inf"):
        return "the training ran away: the error is no number any more. Take a smaller learning rate"
    if part := _untouched(network, still):
        return (
            f"no weight of the {part} has changed. Does the optimiser know all weights, model.parameters()? Or is the "
            "code cut off, by detach() or torch.no_grad()?"
        )
    if after > before:
        return (
            f"the error grew, from {before:.4f} to {after:.4f}. Is there a minus sign too many? Does the loss compare "
            "with x? Or is the learning rate too large?"
        )
    if differ < 1e-3:
        return (
            "after the training every digit gets the same drawing, so the code says nothing. Is the learning rate too "
            "large? Then the layers get stuck where they have no slope"
        )
    if after > 0.9 * before:
        return (
            f"the loss hardly falls: the squared error per pixel was {before:.4f} and is {after:.4f}. Go through the "
            "images several times, and take a larger learning rate (Adam: 1e-3; SGD on a mean over pixels: 1 or more)"
        )
    return None


def _untouched(network: nn.Module, still: set[str]) -> str | None:
    """The half of which all weights are as before: "encoder" or "decoder"."""
    encode = _half(network, "encode", "encoder")
    if encode is None:
        return None
    named = dict(network.named_parameters())
    slopes = torch.autograd.grad(encode(torch.rand(2, *SHAPE)).sum(), list(named.values()), allow_unused=True)
    encoder = {name for name, slope in zip(named, slopes, strict=True) if slope is not None}
    halves = {"encoder": encoder, "decoder": set(named) - encoder}
    return next((part for part, names in halves.items() if names and names <= still), None)
