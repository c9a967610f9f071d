"""What a model computes, as a list of plain operations that network.js can run.

`record` runs the model once and notes every ATen call that depends on its input (ATen is the small language that all of
torch is written in, so any module comes down to it). Whatever depends on weights alone becomes a constant.
"""

import json
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Floats = NDArray[Any]


class UnsupportedLayer(Exception):
    """A layer that cannot run in the browser; the message names it in words and by its ATen name."""


@dataclass(frozen=True)
class Program:
    """A recorded function of one item.

    operations: JSON values, in order. Each has "op" (its kind), "in" (ids of the values it reads; 0 is the input),
    "out" (id of the value it computes) and "size" (numbers in that value); the last one computes the result. Arrays
    stand as [offset, count] into `weights` (float32). Shapes are without the batch dimension; macs:
    multiply-accumulates of one run.
    """

    operations: list[dict[str, Any]]
    weights: Floats
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    macs: int

    def to_json(self) -> dict[str, Any]:
        """All but the weights."""
        return {
            "operations": self.operations,
            "input_shape": list(self.input_shape),
            "output_shape": list(self.output_shape),
            "macs": self.macs,
        }


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


def record(function: Callable[[Tensor], Tensor], example: Tensor) -> Program:
    """What `function` does to a batch of one, `example`: (1, …) → (1, …).

    Chains of affine steps are folded into one layer where that makes it no larger. Raises UnsupportedLayer where the
    browser cannot do the same: an operation it does not know, randomness, or a course that depends on values.
    """
    if example.ndim < 1 or example.shape[0] != 1:
        raise ValueError(f"record needs a batch of one item, (1, …), got an example of shape {tuple(example.shape)}")
    example = example.detach()
    operations, output_shape = _recorded(function, example)
    # values that leave torch (numpy, tolist) and come back look like constants: a second input tells
    again, _ = _recorded(function, 0.5 * example + 0.25)
    if not _equal(operations, again):
        raise UnsupportedLayer(
            "what the model computes depends on values outside torch's operations (numpy, lists or random numbers of "
            "Python's own); it cannot run in the browser"
        )
    operations = _folded(operations)
    written, weights = _written(operations)
    macs = sum(operation.macs for operation in operations)
    return Program(written, weights, tuple(example.shape[1:]), output_shape[1:], macs)


def _recorded(function: Callable[[Tensor], Tensor], example: Tensor) -> tuple[list[Operation], tuple[int, ...]]:
    recorder, output = _run(function, example)
    if not isinstance(output, Tensor) or output.ndim < 1 or output.shape[0] != 1:
        given = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(f"the recorded function must return one tensor (1, …), got {given}")
    if id(output) not in recorder.values:
        raise UnsupportedLayer("the output does not depend on the input through torch's operations")
    return _needed(recorder.operations, recorder.finish(output)), tuple(output.shape)


def _run(function: Callable[[Tensor], Tensor], example: Tensor) -> tuple["_Recorder", Any]:
    recorder = _Recorder(example)
    with torch.no_grad(), recorder:
        return recorder, function(example)


def origins(function: Callable[[Tensor], Tensor], example: Tensor) -> dict[int, tuple[int, int]]:
    """Which result of which ATen call a recorded value is: {id: (number of the call, number of the result)}."""
    return _run(function, example.detach())[0].origins


def _equal(one: list[Operation], other: list[Operation]) -> bool:
    return len(one) == len(other) and all(
        (a.kind, a.inputs, a.out, a.settings) == (b.kind, b.inputs, b.out, b.settings)
        and a.arrays.keys() == b.arrays.keys()
        and all(np.array_equal(a.arrays[name], b.arrays[name], equal_nan=True) for name in a.arrays)
        for a, b in zip(one, other, strict=True)
    )


def _needed(operations: list[Operation], output: int) -> list[Operation]:
    """Only the operations whose result reaches `output`."""
    wanted, kept = {output}, []
    for operation in reversed(operations):
        if operation.out in wanted or operation.settings.get("positions") in wanted:
            wanted.update(operation.inputs)
            kept.append(operation)
    return kept[::-1]


def _written(operations: list[Operation]) -> tuple[list[dict[str, Any]], Floats]:
    """JSON values and the float32 weights they refer to."""
    arrays: list[Floats] = []
    written: list[dict[str, Any]] = []
    offset = 0
    for operation in operations:
        settings = dict(operation.settings)
        for name, array in operation.arrays.items():
            settings[name] = [offset, array.size]
            arrays.append(array.astype(np.float32).ravel())
            offset += array.size
        header = {"op": operation.kind, "in": operation.inputs, "out": operation.out, "size": operation.size}
        written.append(header | settings)
    return written, np.concatenate([*arrays, np.zeros(0, np.float32)])


# --- recording -------------------------------------------------------------------------------------
# A value is the row-major contents of one tensor; views that leave the order alone share it.

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


def _unsupported(name: str, why: str = "") -> UnsupportedLayer:
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


class _Recorder(AtenMode):
    """Notes each ATen call on something that depends on `example` as operations on numbered values."""

    def __init__(self, example: Tensor) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self.count = 1
        self.values: dict[int, int | UnsupportedLayer] = {
            id(example): 0
        }  # by id(tensor): a value, or why there is none
        self.tensors = [example]  # kept, or another tensor could get the same id
        self.origins: dict[int, tuple[int, int]] = {}  # value: (number of the call, number of the result)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.split("::")[1]
        if RANDOM in func.tags:
            raise _unsupported(name, "it is random")
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
            raise _unsupported(name, "it writes into a tensor that was made elsewhere")
        made: Sequence[int | UnsupportedLayer]
        try:
            if any(t.dtype not in (torch.float32, torch.float64, torch.int64) for t in results):
                raise _unsupported(name, f"it gives {results[0].dtype}")
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
        known = [t for t in tree_leaves(call) if self.known(t)]
        if name not in ON_POSITIONS and not all(t.is_floating_point() for t in [*known, *results]):
            raise _unsupported(name, "it works on whole numbers")
        handler = HANDLERS.get(name) or HANDLERS.get(name.removesuffix("_"))
        if handler is None:
            raise _unsupported(name)
        made = handler(self, call, results[0])
        rest = [_unsupported(name, "only its first result can be used")] * (len(results) - 1)
        return [made, *rest] if isinstance(made, int) else made

    def _views(self, func: Any, call: dict[str, Any], results: list[Tensor]) -> list[int]:
        """Let torch view an imagined row-major tensor: its strides say which numbers are meant."""
        first, *others = func._schema.arguments
        source = call[first.name]
        imagined = torch.empty(source.shape, dtype=source.dtype, device="meta")
        positional = [call[a.name] for a in others if not a.kwarg_only]
        views = func(imagined, *positional, **{a.name: call[a.name] for a in others if a.kwarg_only})
        if any(t.dtype != source.dtype for t in results):
            raise _unsupported(func._schema.name.split("::")[1], "it changes the type of numbers")
        return [self.moved(self.value(source), source.numel(), view) for view in tree_leaves(views)]

    def _forget_views_of(self, tensor: Tensor) -> None:
        """After `tensor` was written to in place, what shares its memory has changed too."""
        address = tensor.untyped_storage().data_ptr()
        for other in self.tensors:
            if other.untyped_storage().data_ptr() == address:
                self.values[id(other)] = UnsupportedLayer(
                    "a view of a tensor that was changed in place cannot run in the browser"
                )

    # --- what handlers use ---

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
        return self.add("copy", [source], view.numel(), parts=[_short(part)])

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


def _bound(func: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """Every argument of a call by its name, defaults included."""
    bound: dict[str, Any] = {"name": func._schema.name.split("::")[1].removesuffix("_")}
    for i, argument in enumerate(func._schema.arguments):
        given = args[i] if i < len(args) else kwargs.get(argument.name, argument.default_value)
        bound[argument.name] = given
    return bound


def _short(part: dict[str, list[int]]) -> dict[str, list[int]]:
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


def _constant(tensor: Any) -> Floats:
    """A tensor or number as float64."""
    return tensor.detach().cpu().double().numpy() if isinstance(tensor, Tensor) else np.array(float(tensor))


# --- one handler an ATen operation: (recorder, arguments by name, first result) → value id, or one for each result

Handler = Callable[[_Recorder, dict[str, Any], Tensor], "int | list[int | UnsupportedLayer]"]
HANDLERS: dict[str, Handler] = {}


def _handles(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, handler))
        return handler

    return register


@_handles("clone", "_to_copy", "_unsafe_view", "contiguous", "lift_fresh", "_reshape_copy", "reshape")
def _same(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    (source,) = [value for value in call.values() if r.known(value)]
    return r.value(source)


# elementwise functions and the arguments that shape them
MAPS: dict[str, tuple[str, ...]] = {
    "relu": (), "silu": (), "sigmoid": (), "tanh": (), "exp": (), "log": (), "sqrt": (), "abs": (), "sin": (),
    "cos": (), "reciprocal": (),
    "leaky_relu": ("negative_slope",), "elu": ("alpha", "scale", "input_scale"), "softplus": ("beta", "threshold"),
}  # fmt: skip


def _map(name: str, parameters: tuple[str, ...]) -> Handler:
    def handler(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
        return _mapped(r, call["self"], name, [float(call[p]) for p in parameters])

    return handler


def _mapped(r: _Recorder, source: Tensor, name: str, parameters: Sequence[float] = ()) -> int:
    return r.add("map", [r.value(source)], source.numel(), f=name, p=list(parameters))


HANDLERS.update({name: _map(name, parameters) for name, parameters in MAPS.items()})


@_handles("gelu")
def _gelu(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    return _mapped(r, call["self"], "gelu" if call["approximate"] == "none" else "gelu_tanh")


@_handles("clamp", "clamp_min", "clamp_max", "hardtanh")
def _clamp(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    low, high = call.get("min", call.get("min_val")), call.get("max", call.get("max_val"))
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        raise _unsupported("clamp", "its limits are tensors")
    # JSON has no infinity
    return _mapped(r, call["self"], "clamp", [-1e38 if low is None else low, 1e38 if high is None else high])


@_handles("pow")
def _power(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    if isinstance(call["exponent"], Tensor) or not r.known(call["self"]):
        raise _unsupported("pow", "its exponent is a tensor")
    return _mapped(r, call["self"], "pow", [float(call["exponent"])])


@_handles("_softmax")
def _softmax(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    last = call["dim"] % max(out.ndim, 1)
    if math.prod(out.shape[last + 1 :]) != 1:
        raise _unsupported("_softmax", "it does not run along the last dimension")
    return r.add("softmax", [r.value(call["self"])], out.numel(), length=out.shape[last])


# --- arithmetic: x · scale + shift with constants, or two values that both depend on the input


def _affine(r: _Recorder, source: int, shape: Sequence[int], scale: Floats | float, shift: Floats | float = 0.0) -> int:
    """source · scale + shift, both broadcast to `shape`; constant j belongs to `inner` numbers on end, cyclically."""
    given = np.broadcast_shapes(np.shape(scale), np.shape(shift))
    varying = [len(shape) - len(given) + i for i, length in enumerate(given) if length != 1]
    first, after = (varying[0], varying[-1] + 1) if varying else (0, 0)
    block: Any = (*[0] * first, *[slice(None)] * (after - first), *[0] * (len(shape) - after))
    scale, shift = (np.atleast_1d(np.broadcast_to(a, shape)[block]).ravel() for a in (scale, shift))
    return r.add(
        "affine", [source], math.prod(shape), inner=math.prod(shape[after:]) if varying else math.prod(shape),
        scale=scale.astype(np.float64), shift=shift.astype(np.float64),
    )  # fmt: skip


@_handles("add", "sub", "rsub")
def _sum(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    one, other, alpha = call["self"], call["other"], float(call["alpha"])
    p, q = {"add": (1.0, alpha), "sub": (1.0, -alpha), "rsub": (-alpha, 1.0)}[call["name"]]
    if r.known(one) and r.known(other):
        return r.add("pair", [r.broadcast(t, out.shape) for t in (one, other)], out.numel(), f="sum", p=[p, q])
    if r.known(other):
        one, other, p, q = other, one, q, p
    return _affine(r, r.broadcast(one, out.shape), out.shape, p, q * _constant(other))


@_handles("mul", "div", "neg")
def _product(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    one, other, divides = call["self"], call.get("other", -1.0), call["name"] == "div"
    if call.get("rounding_mode"):
        raise _unsupported("div", "it rounds")
    if r.known(one) and r.known(other):
        kind = "quotient" if divides else "product"
        return r.add("pair", [r.broadcast(t, out.shape) for t in (one, other)], out.numel(), f=kind, p=[1, 1])
    if not r.known(one):
        one, other = other, one
        source = _mapped(r, one, "reciprocal") if divides else r.value(one)
        source = r.moved(source, one.numel(), torch.empty(one.shape, device="meta").expand(out.shape))
        return _affine(r, source, out.shape, _constant(other))
    with np.errstate(divide="ignore"):
        scale = 1 / _constant(other) if divides else _constant(other)
    return _affine(r, r.broadcast(one, out.shape), out.shape, scale)


# --- matrices


def _dense(r: _Recorder, source: int, matrix: Floats, places: int, bias: Floats | None = None) -> int:
    """matrix (out, in) applied to `places` vectors on end; bias: (out,)."""
    units = len(matrix)
    return r.add("dense", [source], places * units, places=places, units=units, weight=matrix, bias=bias)


@_handles("mm", "mv")
def _matrix_product(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    one, other = call["self"], call["mat2" if "mat2" in call else "vec"]
    if r.known(one) and r.known(other):
        raise _unsupported("mm", "both matrices depend on the input")
    if r.known(one):
        return _dense(r, r.value(one), _constant(other).reshape(len(other), -1).T, len(one))
    columns = other.numel() // len(other)  # A x = (xᵀ Aᵀ)ᵀ
    turned = r.moved(r.value(other), other.numel(), torch.empty((len(other), columns), device="meta").T)
    product = _dense(r, turned, _constant(one), columns)
    return r.moved(product, out.numel(), torch.empty((columns, len(one)), device="meta").T)


@_handles("addmm")
def _add_matrix_product(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    bias, x, matrix = call["self"], call["mat1"], call["mat2"]
    if not r.known(x) or r.known(matrix) or r.known(bias):
        raise _unsupported("addmm", "more than the vectors depends on the input")
    bias = np.broadcast_to(float(call["beta"]) * _constant(bias), out.shape)
    matrix = float(call["alpha"]) * _constant(matrix).T
    if (bias == bias[0]).all():
        return _dense(r, r.value(x), matrix, len(x), bias[0])
    return _affine(r, _dense(r, r.value(x), matrix, len(x)), out.shape, 1.0, bias)


@_handles("linear")
def _linear(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    x, weight, bias = call["input"], call["weight"], call["bias"]
    if r.known(weight) or r.known(bias):
        raise _unsupported("linear", "its weights depend on the input")
    return _dense(
        r, r.value(x), _constant(weight), x.numel() // weight.shape[1], None if bias is None else _constant(bias)
    )


@_handles("convolution")
def _convolution(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    x, weight, bias, groups = call["input"], call["weight"], call["bias"], call["groups"]
    if weight.ndim not in (3, 4):
        raise _unsupported("convolution", "it runs over three dimensions")
    if not r.known(x) or r.known(weight) or r.known(bias):
        raise _unsupported("convolution", "its weights depend on the input")
    weight = _constant(weight)
    if call["transposed"]:  # (in, out / groups, …) → (out, in / groups, …), as in an ordinary convolution
        weight = weight.reshape(groups, len(weight) // groups, *weight.shape[1:]).swapaxes(1, 2)
        weight = weight.reshape(-1, *weight.shape[2:])
    line = weight.ndim == 3  # a signal is an image of one line
    height, width = (1, *x.shape[2:])[-2:]
    out_height, out_width = (1, *out.shape[2:])[-2:]
    kernel = (1, *weight.shape[2:])[-2:]
    stride, padding, dilation = (
        [*[default] * line, *call[name]] for name, default in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    axes = [
        _axis(call["transposed"], *one)
        for one in zip((out_height, out_width), kernel, stride, padding, dilation, strict=True)
    ]
    phases = [
        {
            "down": down,
            "along": along,
            "taps": [[ky * kernel[1] + kx, y, dx] for ky, y in rows for kx, dx in columns],
        }
        for down, rows in axes[0]
        for along, columns in axes[1]
    ]
    return r.add(
        "conv", [r.value(x)], out.numel(), groups=groups, channels=x.shape[1], height=height, width=width,
        units=out.shape[1], out_width=out_width, border=[*_border(axes[0], height), *_border(axes[1], width)],
        phases=phases, places=height * width if call["transposed"] else out_height * out_width,
        weight=weight, bias=None if bias is None else _constant(bias),
    )  # fmt: skip


Phase = tuple[dict[str, int], list[tuple[int, int]]]


def _axis(transposed: bool, size: int, kernel: int, stride: int, padding: int, dilation: int) -> list[Phase]:
    """Along one axis, output places that meet the same kernel taps: all of them, or every stride-th where transposed.

    Places first, first + step, … (`count` of them); the i-th reads input i · read + offset for each (tap, offset).
    """
    taps = [(k, k * dilation - padding) for k in range(kernel)]
    if not transposed:
        return [({"first": 0, "step": 1, "count": size, "read": stride}, taps)]
    phases: list[Phase] = []
    for first in range(min(stride, size)):
        met = [(k, (first - offset) // stride) for k, offset in taps if (first - offset) % stride == 0]
        phases.append(({"first": first, "step": stride, "count": -(-(size - first) // stride), "read": 1}, met))
    return phases


def _border(axis: list[Phase], size: int) -> list[int]:
    """How far taps reach out before and behind `size` numbers."""
    first = [offset for _, taps in axis for _, offset in taps]
    last = [offset + (places["count"] - 1) * places["read"] for places, taps in axis for _, offset in taps]
    return [max(0, -min(first, default=0)), max(0, max(last, default=0) - size + 1)]


# --- normalisation: over groups of neighbours, or with fixed statistics


def _per_channel(
    r: _Recorder, source: int, shape: Sequence[int], scale: Floats | None, shift: Floats | None, trailing: int
) -> int:
    """source · scale + shift with one constant for each index before `trailing` dimensions; None leaves one out."""
    if scale is None and shift is None:
        return source
    ones = [1] * trailing
    scale = np.ones(1) if scale is None else scale.reshape(*scale.shape, *ones)
    shift = np.zeros(1) if shift is None else shift.reshape(*shift.shape, *ones)
    return _affine(r, source, shape, scale, shift)


def _optional(tensor: Tensor | None) -> Floats | None:
    return None if tensor is None else _constant(tensor)


@_handles("native_group_norm")
def _group_norm(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    length = call["C"] * call["HxW"] // call["group"]
    done = r.add("normalise", [r.value(call["input"])], out.numel(), length=length, eps=call["eps"])
    return _per_channel(r, done, out.shape, _optional(call["weight"]), _optional(call["bias"]), out.ndim - 2)


@_handles("native_layer_norm")
def _layer_norm(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    length = math.prod(call["normalized_shape"])
    done = r.add("normalise", [r.value(call["input"])], out.numel(), length=length, eps=call["eps"])
    return _per_channel(r, done, out.shape, _optional(call["weight"]), _optional(call["bias"]), 0)


@_handles(
    "native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "_batch_norm_no_update",
    "_batch_norm_with_update", "cudnn_batch_norm", "miopen_batch_norm", "batch_norm",
)  # fmt: skip
def _batch_norm(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    if call.get("training", call["name"] == "_batch_norm_with_update") or call.get("running_mean") is None:
        raise _unsupported(call["name"], "it normalises by the statistics of the batch; call model.eval() first")
    eps = call.get("eps", call.get("epsilon"))
    scale = (_constant(call["running_var"]) + eps) ** -0.5
    scale = scale if call["weight"] is None else scale * _constant(call["weight"])
    shift = -_constant(call["running_mean"]) * scale
    shift = shift if call["bias"] is None else shift + _constant(call["bias"])
    return _per_channel(r, r.value(call["input"]), out.shape, scale, shift, out.ndim - 2)


# --- moving numbers


@_handles("cat", "stack")
def _cat(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    strides = torch.empty(out.shape, device="meta").stride()
    dimension, inputs, parts, offset = call["dim"] % out.ndim, [], [], 0
    for tensor in call["tensors"]:
        if tensor.numel() == 0:
            continue
        if r.known(tensor):
            inputs.append(r.value(tensor))
        else:
            inputs.append(r.add("constant", [], tensor.numel(), value=_constant(tensor)))
        view = torch.empty(tensor.shape, device="meta")
        view = view.unsqueeze(dimension) if call["name"] == "stack" else view
        part = {"shape": list(view.shape), "read": [0, *view.stride()]}
        parts.append(_short(part | {"write": [offset * strides[dimension], *strides]}))
        offset += view.shape[dimension]
    return r.add("copy", inputs, out.numel(), parts=parts)


@_handles("constant_pad_nd")
def _pad(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    x, pad = call["self"], call["pad"]
    before = [*[0] * (x.ndim - len(pad) // 2), *pad[-2::-2]]  # `pad` begins with the last dimension
    read_strides, write_strides = (torch.empty(t.shape, device="meta").stride() for t in (x, out))
    start = [max(0, -b) for b in before]  # a negative padding crops
    to = [max(0, b) for b in before]
    shape = [min(n - s, m - t) for n, s, m, t in zip(x.shape, start, out.shape, to, strict=True)]
    part = {
        "shape": shape,
        "read": [sum(a * b for a, b in zip(start, read_strides, strict=True)), *read_strides],
        "write": [sum(a * b for a, b in zip(to, write_strides, strict=True)), *write_strides],
    }
    return r.add("copy", [r.value(x)], out.numel(), parts=[_short(part)], fill=float(call["value"]))


@_handles("repeat")
def _repeat(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    x, repeats = call["self"], call["repeats"]
    lengths = [*[1] * (len(repeats) - x.ndim), *x.shape]
    imagined = torch.empty([n for length in lengths for n in (1, length)], device="meta")
    pairs = [n for pair in zip(repeats, lengths, strict=True) for n in pair]
    return r.moved(r.value(x), x.numel(), imagined.expand(pairs))


@_handles("pixel_shuffle")
def _pixel_shuffle(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    (_, channels, height, width), factor = out.shape, call["upscale_factor"]
    apart = torch.empty((channels, factor, factor, height // factor, width // factor), device="meta")
    return r.moved(r.value(call["self"]), out.numel(), apart.permute(0, 3, 1, 4, 2))


# --- pooling and enlarging: windows and taps are worked out here, one list for rows and one for columns


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return (values[0], values[-1])


def _windows(call: dict[str, Any], sizes: Sequence[int], out_sizes: Sequence[int], counted: bool) -> list[Any]:
    """For rows, then columns: [first, behind the last, numbers to divide by] of each window."""
    kernel = _pair(call["kernel_size"])
    strides, padding = _pair(call["stride"] or kernel), _pair(call["padding"])
    both = []
    for size, out_size, k, s, p in zip(sizes, out_sizes, kernel, strides, padding, strict=True):
        starts = [i * s - p for i in range(out_size)]
        ends = [min(start + k, size + p) for start in starts]
        inside = [(max(start, 0), min(end, size)) for start, end in zip(starts, ends, strict=True)]
        counts = [e - s for s, e in (zip(starts, ends, strict=True) if counted else inside)]
        both.append([[s, e, n] for (s, e), n in zip(inside, counts, strict=True)])
    return both


def _pool(r: _Recorder, x: Tensor, out: Tensor, how: str, windows: list[Any], positions: int | None = None) -> int:
    height, width = x.shape[-2:]
    planes = x.numel() // (height * width)
    rows, columns = windows
    return r.add(
        "pool", [r.value(x)], out.numel(), how=how, planes=planes, height=height, width=width, rows=rows,
        columns=columns, positions=positions,
    )  # fmt: skip


@_handles("max_pool2d_with_indices")
def _max_pool(r: _Recorder, call: dict[str, Any], out: Tensor) -> list[int | UnsupportedLayer]:
    x = call["self"]
    if set(call["dilation"]) != {1}:
        raise _unsupported("max_pool2d_with_indices", "it is dilated")
    r.count += 1
    positions = r.count - 1
    windows = _windows(call, x.shape[-2:], out.shape[-2:], counted=False)
    return [_pool(r, x, out, "max", windows, positions), positions]


@_handles("avg_pool2d")
def _average_pool(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    rows, columns = _windows(call, call["self"].shape[-2:], out.shape[-2:], call["count_include_pad"])
    if call["divisor_override"]:
        rows = [[start, end, call["divisor_override"]] for start, end, _ in rows]
        columns = [[start, end, 1] for start, end, _ in columns]
    return _pool(r, call["self"], out, "mean", [rows, columns])


@_handles("_adaptive_avg_pool2d")
def _adaptive_average_pool(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    windows = []
    for size, out_size in zip(call["self"].shape[-2:], out.shape[-2:], strict=True):
        edges = [(i * size // out_size, -(-(i + 1) * size // out_size)) for i in range(out_size)]
        windows.append([[start, end, end - start] for start, end in edges])
    return _pool(r, call["self"], out, "mean", windows)


@_handles("max_unpool2d")
def _max_unpool(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    x, positions = call["self"], call["indices"]
    if not r.known(x) or not r.known(positions):
        raise _unsupported("max_unpool2d", "its positions are constants")
    planes = x.numel() // (x.shape[-1] * x.shape[-2])
    return r.add("unpool", [r.value(x), r.value(positions)], out.numel(), planes=planes)


@_handles("mean", "sum")
def _mean(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    x = call["self"]
    reduced = sorted(d % x.ndim for d in call.get("dim") or range(x.ndim))
    kept = [d for d in range(x.ndim) if d not in reduced]
    length = math.prod(x.shape[d] for d in reduced)
    source = r.moved(r.value(x), x.numel(), torch.empty(x.shape, device="meta").permute(*kept, *reduced))
    line = [[0, length, length]]
    mean = r.add(
        "pool",
        [source],
        out.numel(),
        how="mean",
        planes=out.numel(),
        height=1,
        width=length,
        rows=[[0, 1, 1]],
        columns=line,
    )
    return mean if call["name"] == "mean" else _affine(r, mean, out.shape, float(length))


@_handles("upsample_nearest2d", "_upsample_nearest_exact2d", "upsample_bilinear2d")
def _resize(r: _Recorder, call: dict[str, Any], out: Tensor) -> int:
    x = call["self"]
    others = {name: value for name, value in call.items() if name not in ("self", "name")}
    height, width = x.shape[-2:]
    run = getattr(torch.ops.aten, call["name"]).default
    # torch itself says what each input row, then column, adds to which output row: it is asked about one at a time
    rows = run(torch.eye(height).reshape(1, height, height, 1), **others)[0, :, :, 0]
    columns = run(torch.eye(width).reshape(1, width, 1, width), **others)[0, :, 0, :]
    return r.add(
        "resize", [r.value(x)], out.numel(), planes=x.numel() // (height * width), height=height, width=width,
        rows=_taps(rows), columns=_taps(columns),
    )  # fmt: skip


def _taps(matrix: Tensor) -> list[list[float]]:
    """[i, j, w] for each column of `matrix` (in, out): out = (1 − w) · in[i] + w · in[j]."""
    taps = []
    for column in matrix.T:
        used = column.nonzero().flatten().tolist()
        taps.append([used[0], used[-1], float(column[used[-1]]) if len(used) > 1 else 0.0])
    return taps


# --- folding ---------------------------------------------------------------------------------------


def _folded(operations: list[Operation]) -> list[Operation]:
    """Join affine neighbours, in float64, wherever that makes the program no larger."""
    operations = list(operations)
    i = 0
    while i < len(operations):
        second = operations[i]
        users = [o for o in operations if second.inputs and second.inputs[0] in o.inputs]
        first = next((o for o in operations[:i] if second.inputs[:1] == [o.out]), None)
        joined = _joined(first, second) if first and len(users) == 1 else None
        if first and joined:
            operations[i] = joined
            operations.remove(first)
            i -= 1  # what was joined may be joined again
        else:
            i += 1
    return operations


def _joined(first: Operation, second: Operation) -> Operation | None:
    """One operation that does both, or None."""
    join = JOINS.get((first.kind, second.kind))
    arrays = join(first, second) if join else None
    if arrays is None:
        return None
    model = second if first.kind == "affine" else first
    settings = dict(model.settings)
    if "inner" in settings:  # of the one with more constants
        settings["inner"] = min(first.settings["inner"], second.settings["inner"])
    if "units" in settings:
        settings["units"] = len(arrays["weight"])
    return Operation(model.kind, first.inputs, second.out, second.size, settings, arrays)


def _spread(operation: Operation) -> tuple[Floats, Floats]:
    """Scale and shift of an affine operation, for every number."""
    both = []
    for name in ("scale", "shift"):
        block = np.repeat(operation.arrays[name], operation.settings["inner"])
        both.append(np.tile(block, operation.size // block.size))
    return both[0], both[1]


def _bias(operation: Operation) -> Floats:
    return operation.arrays.get("bias", np.zeros(operation.settings["units"]))


def _dense_dense(first: Operation, second: Operation) -> dict[str, Floats] | None:
    one, two = first.arrays["weight"], second.arrays["weight"]
    if first.settings["places"] != 1 or second.settings["places"] != 1:
        return None
    if len(two) * one.shape[1] > one.size + two.size:
        return None
    return {"weight": two @ one, "bias": two @ _bias(first) + _bias(second)}


def _affine_dense(first: Operation, second: Operation) -> dict[str, Floats] | None:
    if second.settings["places"] != 1:
        return None
    scale, shift = _spread(first)
    weight = second.arrays["weight"]
    return {"weight": weight * scale, "bias": weight @ shift + _bias(second)}


def _dense_affine(first: Operation, second: Operation) -> dict[str, Floats] | None:
    if first.settings["places"] != 1:
        return None
    scale, shift = _spread(second)
    return {"weight": scale[:, None] * first.arrays["weight"], "bias": scale * _bias(first) + shift}


def _affine_affine(first: Operation, second: Operation) -> dict[str, Floats] | None:
    one_constant = 1 in (first.arrays["scale"].size, second.arrays["scale"].size)
    alike = first.arrays["scale"].size == second.arrays["scale"].size
    if not one_constant and not (alike and first.settings["inner"] == second.settings["inner"]):
        return None
    scale, shift = second.arrays["scale"], second.arrays["shift"]
    return {"scale": scale * first.arrays["scale"], "shift": scale * first.arrays["shift"] + shift}


def _conv_affine(first: Operation, second: Operation) -> dict[str, Floats] | None:
    units = first.settings["units"]
    scale, shift = (a.reshape(units, -1) for a in _spread(second))
    if (scale != scale[:, :1]).any() or (shift != shift[:, :1]).any():
        return None
    weight = scale[:, 0].reshape(units, 1, 1, 1) * first.arrays["weight"].reshape(units, -1, 1, 1)
    return {"weight": weight.reshape(first.arrays["weight"].shape), "bias": scale[:, 0] * _bias(first) + shift[:, 0]}


JOINS: dict[tuple[str, str], Callable[[Operation, Operation], dict[str, Floats] | None]] = {
    ("dense", "dense"): _dense_dense,
    ("affine", "dense"): _affine_dense,
    ("dense", "affine"): _dense_affine,
    ("affine", "affine"): _affine_affine,
    ("conv", "affine"): _conv_affine,
}


# --- packing ---------------------------------------------------------------------------------------


def pack(program: Program, precision: str = "float16") -> bytes:
    """The weights as bytes for `unpackWeights` in network.js: the length of a JSON header, the header, the numbers.

    precision: "float16" or "float32"; weights that float16 cannot hold are packed as float32.
    """
    kinds = {"float16": "<f2", "float32": "<f4"}
    if precision not in kinds:
        raise ValueError(f'precision must be "float16" or "float32", got {precision!r}')
    if not np.abs(program.weights).max(initial=0) <= np.finfo(np.float16).max:  # too large, or not a number
        precision = "float32"
    return with_header({"precision": precision}, program.weights.astype(kinds[precision]).tobytes())


def with_header(header: dict[str, Any], content: bytes) -> bytes:
    """The length of the header, the header as JSON, the content."""
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)  # numbers begin at a multiple of four
    return struct.pack("<I", len(text)) + text + content
