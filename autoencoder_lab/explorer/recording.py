"""Notes what a function computes: every ATen call that depends on its input, as operations on numbered values.

ATen is the small language that all of torch is written in, so any module comes down to it. Whatever depends on weights
alone becomes a constant.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Floats = NDArray[Any]

RANDOM = torch.Tag.nondeterministic_seeded
BRANCHES = ("_local_scalar_dense", "is_nonzero", "equal", "nonzero")
OF_A_SHAPE = ("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty")
ON_POSITIONS = ("max_pool2d_with_indices", "max_unpool2d", "clone")
WORDS = {
    "_scaled_dot_product_flash_attention_for_cpu": "attention",
    "_adaptive_avg_pool3d": "adaptive average pooling",
    "_log_softmax": "log-softmax",
    "_thnn_fused_lstm_cell": "a recurrent layer",
    "avg_pool3d": "average pooling",
    "bmm": "a product of two computed matrices",
    "copy_": "writing into a tensor",
    "embedding": "an embedding",
    "fft_fft2": "a Fourier transform",
    "max_pool3d_with_indices": "max-pooling",
    "mkldnn_rnn_layer": "a recurrent layer",
    "upsample_bicubic2d": "bicubic enlargement",
}


class UnsupportedLayer(Exception):
    """A layer that cannot run in the browser; the message names it in words and by its ATen name."""


@dataclass
class Operation:
    """One step while it is still being rearranged: `arrays` hold float64 constants, `settings` JSON values."""

    kind: str
    inputs: list[int]
    out: int
    size: int
    settings: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Floats] = field(default_factory=dict)

    @property
    def macs(self) -> int:
        """Multiply-accumulates: one for each weight of a matrix and place where it is applied."""
        if self.kind not in ("dense", "conv"):
            return 0
        return self.arrays["weight"].size * int(self.settings["places"])


def unsupported(name: str, why: str = "") -> UnsupportedLayer:
    """The error for an ATen operation: its name in words, its own name, the reason."""
    words = WORDS.get(name, name.strip("_").replace("_", " "))
    return UnsupportedLayer(f"{words} (aten.{name}) cannot run in the browser" + (f": {why}" if why else ""))


class AtenMode(TorchDispatchMode):
    """Sees every ATen call that is made within it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or torch would load its compiler first, which takes longer than all else here


class Recording:
    """The operations noted so far, on numbered values; the handlers of aten.py add to it.

    A value is the row-major contents of one tensor; views that leave the order alone share it.
    """

    def __init__(self, example: Tensor) -> None:
        self.operations: list[Operation] = []
        self.count = 1
        # by id(tensor): a value, or why there is none
        self.values: dict[int, int | UnsupportedLayer] = {id(example): 0}

    def known(self, tensor: Any) -> bool:
        """Whether it depends on the input."""
        return isinstance(tensor, Tensor) and id(tensor) in self.values

    def value(self, tensor: Tensor) -> int:
        """The id of a value that depends on the input."""
        value = self.values[id(tensor)]
        if isinstance(value, UnsupportedLayer):
            raise value
        return value

    def add(self, kind: str, inputs: list[int], size: int, **settings: Any) -> int:
        """Append an operation; numpy arrays among the settings become weights. The id of what it computes."""
        arrays = {name: value for name, value in settings.items() if isinstance(value, np.ndarray)}
        rest = {name: value for name, value in settings.items() if name not in arrays and value is not None}
        self.count += 1
        self.operations.append(Operation(kind, inputs, self.count - 1, size, rest, arrays))
        return self.count - 1

    def moved(self, source: int, size: int, view: Tensor) -> int:
        """The numbers of value `source` (of `size`) that `view`, a strided view of it, shows."""
        if view.numel() == size and view.is_contiguous():
            return source
        write = [0, *torch.empty(view.shape, device="meta").stride()]
        read = [int(n) for n in (view.storage_offset(), *view.stride())]
        part = {"shape": list(view.shape), "read": read, "write": write}
        return self.add("copy", [source], view.numel(), parts=[shortened(part)])

    def broadcast(self, tensor: Tensor, shape: Sequence[int]) -> int:
        """`tensor` expanded to `shape`."""
        imagined = torch.empty(tensor.shape, device="meta")
        return self.moved(self.value(tensor), tensor.numel(), imagined.expand(tuple(shape)))

    def finish(self, output: Tensor) -> int:
        """The id of the result, computed by an operation of its own."""
        value = self.value(output)
        if output.dtype not in (torch.float32, torch.float64):
            raise UnsupportedLayer(f"the output is {output.dtype}, not floating point; it cannot run in the browser")
        if value == 0:
            part = {"shape": [output.numel()], "read": [0, 1], "write": [0, 1]}
            return self.add("copy", [0], output.numel(), parts=[part])
        return value


class Recorder(AtenMode):
    """Notes each ATen call on something that depends on `example` in a `recording`."""

    def __init__(self, example: Tensor, handlers: Mapping[str, "Handler"]) -> None:
        super().__init__()
        self.handlers = handlers
        self.recording = Recording(example)
        self.values = self.recording.values
        self.tensors = [example]  # kept, or another tensor could get the same id
        self.origins: dict[int, tuple[int, int]] = {}  # value: (number of the call, number of the result)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.split("::")[1]
        if RANDOM in func.tags:
            raise unsupported(name, "it is random")
        result = func(*args, **kwargs)
        self.calls += 1
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor) and id(t) in self.values]
        if given and name not in OF_A_SHAPE:
            if name in BRANCHES:
                raise UnsupportedLayer(
                    f"a branch on computed values (aten.{name}) cannot run in the browser: its course depends on them"
                )
            self._note(func, name, _bound(func, args, kwargs), result)
        return result

    def _note(self, func: Any, name: str, call: dict[str, Any], result: Any) -> None:
        results = [t for t in tree_leaves(result) if isinstance(t, Tensor)]
        changed = [call[a.name] for a in func._schema.arguments if a.alias_info and a.alias_info.is_write]
        if any(id(t) not in self.values for t in tree_leaves(changed) if isinstance(t, Tensor)):
            raise unsupported(name, "it writes into a tensor that was made elsewhere")
        made: Sequence[int | UnsupportedLayer]
        try:
            if any(t.dtype not in (torch.float32, torch.float64, torch.int64) for t in results):
                raise unsupported(name, f"it gives {results[0].dtype}")
            made = self._made(func, name, call, results)
        except UnsupportedLayer as error:  # told when the result is used: a check that nothing hangs on does no harm
            made = [error] * len(results)
        for tensor in tree_leaves(changed):
            self._forget_views_of(tensor)
        for i, (tensor, value) in enumerate(zip(results, made, strict=True)):
            self.values[id(tensor)] = value
            if isinstance(value, int):
                self.origins.setdefault(value, (self.calls, i))
            self.tensors.append(tensor)

    def _made(
        self, func: Any, name: str, call: dict[str, Any], results: list[Tensor]
    ) -> Sequence[int | UnsupportedLayer]:
        for tensor in tree_leaves(call):
            if isinstance(tensor, Tensor) and isinstance(error := self.values.get(id(tensor)), UnsupportedLayer):
                raise error
        if func.is_view and name != "as_strided":
            return self._views(func, call, results)
        known = [t for t in tree_leaves(call) if self.recording.known(t)]
        if name not in ON_POSITIONS and not all(t.is_floating_point() for t in [*known, *results]):
            raise unsupported(name, "it works on whole numbers")
        handler = self.handlers.get(name) or self.handlers.get(name.removesuffix("_"))
        if handler is None:
            raise unsupported(name)
        made = handler(self.recording, call, results[0])
        rest = [unsupported(name, "only its first result can be used")] * (len(results) - 1)
        return [made, *rest] if isinstance(made, int) else made

    def _views(self, func: Any, call: dict[str, Any], results: list[Tensor]) -> list[int]:
        """Let torch view an imagined row-major tensor: its strides say which numbers are meant."""
        first, *others = func._schema.arguments
        source = call[first.name]
        imagined = torch.empty(source.shape, dtype=source.dtype, device="meta")
        positional = [call[a.name] for a in others if not a.kwarg_only]
        views = func(imagined, *positional, **{a.name: call[a.name] for a in others if a.kwarg_only})
        if any(t.dtype != source.dtype for t in results):
            raise unsupported(func._schema.name.split("::")[1], "it changes the type of numbers")
        recording = self.recording
        return [recording.moved(recording.value(source), source.numel(), view) for view in tree_leaves(views)]

    def _forget_views_of(self, tensor: Tensor) -> None:
        """After `tensor` was written to in place, what shares its memory has changed too."""
        address = tensor.untyped_storage().data_ptr()
        for other in self.tensors:
            if other.untyped_storage().data_ptr() == address:
                self.values[id(other)] = UnsupportedLayer(
                    "a view of a tensor that was changed in place cannot run in the browser"
                )


def _bound(func: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """Every argument of a call by its name, defaults included."""
    bound: dict[str, Any] = {"name": func._schema.name.split("::")[1].removesuffix("_")}
    for i, argument in enumerate(func._schema.arguments):
        given = args[i] if i < len(args) else kwargs.get(argument.name, argument.default_value)
        bound[argument.name] = given
    return bound


def shortened(part: dict[str, list[int]]) -> dict[str, list[int]]:
    """The same copy in as few loops as will do: no dimensions of one, neighbours joined where they run on."""
    joined: list[list[int]] = []
    for length, read, write in zip(part["shape"], part["read"][1:], part["write"][1:], strict=True):
        if length == 1:
            continue
        if joined and joined[-1][1] == length * read and joined[-1][2] == length * write:
            joined[-1] = [joined[-1][0] * length, read, write]
        else:
            joined.append([length, read, write])
    lengths, reads, writes = (list(column) for column in zip(*joined or [[1, 0, 0]], strict=True))
    return {"shape": lengths, "read": [part["read"][0], *reads], "write": [part["write"][0], *writes]}


def constant(tensor: Any) -> Floats:
    """A tensor or number as float64."""
    if not isinstance(tensor, Tensor):
        return np.array(float(tensor))
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float64)  # a copy: the tensor may yet be changed in place


# (recording, arguments by name and the operation's own, first result) → value id, or one for each result
Handler = Callable[[Recording, dict[str, Any], Tensor], int | list[int | UnsupportedLayer]]
