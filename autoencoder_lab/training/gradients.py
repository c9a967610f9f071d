"""How the gradient of a batch is computed on a processor: in two halves side by side, or whole.

PyTorch shares every single operation out among threads, which spin while they wait for each other at its end. Beside
busy processes the one that waits keeps the core from the one it waits for, and a step takes several times as long as
its share of the machine explains (docs/performance.md). Two halves of a batch meet once a step. What comes out rests on
how the batch is cut, which is fixed: the same bits whatever else runs, and on any number of cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Generator, Tensor, nn

from autoencoder_lab.machine import processors
from autoencoder_lab.models.base import Loss
from autoencoder_lab.training.number_format import multiplications
from autoencoder_lab.training.optimiser import Adam

SMALL = 300_000  # multiplications an image, below which a second thread gains nothing
REACHES_NOTHING = (
    "the loss reaches none of the weights to train, so nothing could be learnt: compute it from what the model's "
    "layers give, by torch's own functions, without detach(), no_grad(), item() or NumPy in between"
)
Way = Literal["two halves", "one thread", "two threads", "as set"]
Condition = Mapping[str, Tensor]
# layers that look at every image by itself and draw no random numbers
APART = (
    *(nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.GroupNorm, nn.MaxPool2d, nn.Upsample, nn.ZeroPad2d),
    *(nn.SiLU, nn.ReLU, nn.Sigmoid, nn.Tanh, nn.Identity, nn.Flatten, nn.Unflatten),
)


def way_of(model: Any, image: Tensor, device: torch.device) -> Way:
    """How `fit` takes this model's gradients; decided from the model and the kind of device alone.

    image: (1, C, H, W), only its shape counts. "two halves" or, for what is small, "one thread" where the loss of a
    batch is the mean over its images, each by itself; "two threads" for whatever else trains on a processor. A class
    of one's own, or a layer that may mix images or draw (batch normalisation, dropout), is of that kind.
    """
    if device.type != "cpu":
        return "as set"
    leaves = [module for module in model.modules() if not list(module.children())]
    ours = all(type(leaf) in APART or _of_the_course(leaf) for leaf in leaves)
    if not (model.images_apart and _of_the_course(model) and ours):
        return "two threads"
    products = max(sum(multiplications(model, image).values()), model.learned_numbers())
    return "one thread" if products < SMALL else "two halves"


def _of_the_course(module: nn.Module) -> bool:
    return type(module).__module__.partition(".")[0] == __name__.partition(".")[0]


class _Piece(NamedTuple):
    """A part of a batch, its share of the images, and where its loss draws from."""

    x: Tensor
    target: Tensor
    given: dict[str, Any]
    share: float


class Gradients:
    """Takes the gradients of a batch's loss in one way, with the threads that this needs, until it is closed.

    precision: what the layers compute in. draws: whether the loss takes generator=. Operations are given one thread
    each, or two, never as many as there are cores: sums over another number of threads are rounded otherwise.
    """

    def __init__(self, way: Way, precision: torch.dtype = torch.float32, draws: bool = False) -> None:
        self.precision, self.before = precision, torch.get_num_threads()
        self.pieces = 2 if way == "two halves" else 1
        self.generators = [Generator() for _ in range(self.pieces)] if draws and self.pieces > 1 else []
        self.second: ThreadPoolExecutor | None = None
        asked_for_one = self.before == 1 and processors() > 1  # where there is one core, PyTorch comes to one by itself
        if way != "as set":
            torch.set_num_threads(2 if way == "two threads" and not asked_for_one else 1)
        if self.pieces > 1 and not asked_for_one:  # else one half comes after the other
            self.second = ThreadPoolExecutor(1, "second half of a batch", partial(torch.set_num_threads, 1))

    def close(self) -> None:
        """Wait for the second half, if it is still on its way, and set as many threads as there were."""
        if self.second is not None:
            self.second.shutdown()
        if torch.get_num_threads() != self.before:  # when it is set, PyTorch forgets the convolutions it has prepared
            torch.set_num_threads(self.before)

    def seed(self) -> None:
        """Let each half draw from a generator of its own, seeded by the global one: no order of threads matters."""
        for generator in self.generators:
            generator.manual_seed(int(torch.randint(2**62, ())))

    def __call__(
        self, loss: Callable[..., Loss], parameters: Sequence[Tensor], x: Tensor, target: Tensor, condition: Condition
    ) -> tuple[dict[str, float], list[Tensor | None]]:
        """The loss and its parts, and the gradient of its total for each parameter; None where it does not use one.

        x: (B, C, H, W); target: of B images; condition: {} or {"condition": (B, …)}. Of two halves these are the
        means, weighted by how many images each has.
        """
        values, found = self._of_the_pieces(loss, parameters, x, target, condition)
        return values, _added(found, range(len(parameters)))

    def step(
        self, loss: Callable[..., Loss], optimiser: Adam, x: Tensor, target: Tensor, condition: Condition, rate: float
    ) -> dict[str, float]:
        """Move the optimiser's parameters along that gradient; returns the loss and its parts.

        Each thread adds up and moves half of the weights: a weight moves by itself, so the bits are the same.
        """
        values, found = self._of_the_pieces(loss, optimiser.parameters, x, target, condition)
        self._side_by_side(
            [partial(_move, optimiser, found, which, rate) for which in _portions(optimiser.parameters, self.pieces)]
        )
        return values

    def _of_the_pieces(
        self, loss: Callable[..., Loss], parameters: Sequence[Tensor], x: Tensor, target: Tensor, condition: Condition
    ) -> tuple[dict[str, float], list[list[Tensor | None]]]:
        """The values of the whole batch, and the gradients of each piece, whose sum is that of the batch."""
        pieces = self._cut(x, target, condition)
        found = self._side_by_side([partial(self._differentiate, loss, parameters, piece) for piece in pieces])
        values, *more = (values for values, _ in found)
        summed = {name: sum((other[name] for other in more), value).item() for name, value in values.items()}
        return summed, [gradients for _, gradients in found]

    def _side_by_side(self, tasks: Sequence[Callable[[], Any]]) -> list[Any]:
        """What the tasks give, in their order: the first done here, the other one meanwhile by the second thread."""
        if self.second is None:
            return [task() for task in tasks]
        later = [self.second.submit(task) for task in tasks[1:]]
        return [tasks[0](), *(one.result() for one in later)]

    def _cut(self, x: Tensor, target: Tensor, condition: Condition) -> list[_Piece]:
        """The batch in as many pieces as are taken side by side, and no more than it has images."""
        count = min(self.pieces, len(x))
        if count == 1:
            return [_Piece(x, target, dict(condition), 1.0)]
        columns = {name: value.tensor_split(count) for name, value in condition.items()}
        pieces = []
        for i, (own, wanted) in enumerate(zip(x.tensor_split(count), target.tensor_split(count), strict=True)):
            given: dict[str, Any] = {name: column[i] for name, column in columns.items()}
            given |= {"generator": self.generators[i]} if self.generators else {}
            # one and the same tensor, where it was one: a loss may draw once for both
            pieces.append(_Piece(own, own if target is x else wanted, given, len(own) / len(x)))
        return pieces

    def _differentiate(
        self, loss_function: Callable[..., Loss], parameters: Sequence[Tensor], piece: _Piece
    ) -> tuple[dict[str, Tensor], list[Tensor | None]]:
        """The values and gradients of a piece, times its share of the images."""
        x, target, given, share = piece
        with torch.autocast(x.device.type, self.precision, enabled=self.precision != torch.float32):
            loss = loss_function(x, target, **given)
        if not loss.total.requires_grad:
            raise ValueError(REACHES_NOTHING)
        # only these parameters: a generator's step cannot leak a gradient into its discriminator
        gradients = torch.autograd.grad(loss.total if share == 1 else share * loss.total, parameters, allow_unused=True)
        if all(gradient is None for gradient in gradients):
            raise ValueError(REACHES_NOTHING)
        values = {"total": loss.total} | loss.parts
        return {name: value if share == 1 else share * value.detach() for name, value in values.items()}, list(
            gradients
        )


def _portions(parameters: Sequence[Tensor], count: int) -> list[list[int]]:
    """The parameters' numbers in so many portions, about as many weights in each: always the same ones."""
    portions: list[list[int]] = [[] for _ in range(count)]
    sizes = [0] * count
    for i in sorted(range(len(parameters)), key=lambda i: -parameters[i].numel()):
        lightest = sizes.index(min(sizes))
        portions[lightest].append(i)
        sizes[lightest] += parameters[i].numel()
    return portions


def _added(found: Sequence[Sequence[Tensor | None]], which: Iterable[int]) -> list[Tensor | None]:
    """The sum over pieces for these parameters; None for all others, and for one that a piece does not use."""
    first, *others = found
    total: list[Tensor | None] = [None] * len(first)
    for i in which:
        own = first[i]
        for more in others:
            other = more[i]
            own = None if own is None or other is None else own + other
        total[i] = own
    return total


def _move(optimiser: Adam, found: Sequence[Sequence[Tensor | None]], which: Sequence[int], rate: float) -> None:
    optimiser.step(_added(found, which), rate)
