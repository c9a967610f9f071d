"""What each ATen operation comes to in the browser; one handler each: (recording, arguments, result) → value."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencoder_lab.explorer.recording import (
    Floats,
    Handler,
    Recording,
    UnsupportedLayer,
    constant,
    shortened,
    unsupported,
)

HANDLERS: dict[str, Handler] = {}


def _handles(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, handler))
        return handler

    return register


@_handles("clone", "_to_copy", "_unsafe_view", "lift_fresh")
def _same(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    (source,) = [value for value in call.values() if r.known(value)]
    return r.value(source)


# elementwise functions and the arguments that shape them
MAPS: dict[str, tuple[str, ...]] = {
    "relu": (), "silu": (), "sigmoid": (), "tanh": (), "exp": (), "log": (), "sqrt": (), "abs": (), "sin": (),
    "cos": (), "reciprocal": (),
    "leaky_relu": ("negative_slope",), "elu": ("alpha", "scale", "input_scale"), "softplus": ("beta", "threshold"),
}  # fmt: skip


def _map(name: str, parameters: tuple[str, ...]) -> Handler:
    def handler(r: Recording, call: dict[str, Any], out: Tensor) -> int:
        return _mapped(r, call["self"], name, [float(call[p]) for p in parameters])

    return handler


def _mapped(r: Recording, source: Tensor, name: str, parameters: Sequence[float] = ()) -> int:
    return r.add("map", [r.value(source)], source.numel(), f=name, p=list(parameters))


HANDLERS.update({name: _map(name, parameters) for name, parameters in MAPS.items()})


@_handles("gelu")
def _gelu(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    return _mapped(r, call["self"], "gelu" if call["approximate"] == "none" else "gelu_tanh")


@_handles("clamp", "clamp_min", "clamp_max", "hardtanh")
def _clamp(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    low, high = call.get("min", call.get("min_val")), call.get("max", call.get("max_val"))
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        raise unsupported("clamp", "its limits are tensors")
    # JSON has no infinity
    return _mapped(r, call["self"], "clamp", [-1e38 if low is None else low, 1e38 if high is None else high])


@_handles("pow")
def _power(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    if isinstance(call["exponent"], Tensor) or not r.known(call["self"]):
        raise unsupported("pow", "its exponent is a tensor")
    return _mapped(r, call["self"], "pow", [float(call["exponent"])])


@_handles("_softmax")
def _softmax(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    last = call["dim"] % max(out.ndim, 1)
    if math.prod(out.shape[last + 1 :]) != 1:
        raise unsupported("_softmax", "it does not run along the last dimension")
    return r.add("softmax", [r.value(call["self"])], out.numel(), length=out.shape[last])


# --- arithmetic: x · scale + shift with constants, or two values that both depend on the input


def _affine(r: Recording, source: int, shape: Sequence[int], scale: Floats | float, shift: Floats | float = 0.0) -> int:
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
def _sum(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    one, other, alpha = call["self"], call["other"], float(call["alpha"])
    p, q = {"add": (1.0, alpha), "sub": (1.0, -alpha), "rsub": (-alpha, 1.0)}[call["name"]]
    if r.known(one) and r.known(other):
        return r.add("pair", [r.broadcast(t, out.shape) for t in (one, other)], out.numel(), f="sum", p=[p, q])
    if r.known(other):
        one, other, p, q = other, one, q, p
    return _affine(r, r.broadcast(one, out.shape), out.shape, p, q * constant(other))


@_handles("mul", "div", "neg")
def _product(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    one, other, divides = call["self"], call.get("other", -1.0), call["name"] == "div"
    if call.get("rounding_mode"):
        raise unsupported("div", "it rounds")
    if r.known(one) and r.known(other):
        kind = "quotient" if divides else "product"
        return r.add("pair", [r.broadcast(t, out.shape) for t in (one, other)], out.numel(), f=kind, p=[1, 1])
    if not r.known(one):
        one, other = other, one
        source = _mapped(r, one, "reciprocal") if divides else r.value(one)
        source = r.moved(source, one.numel(), torch.empty(one.shape, device="meta").expand(out.shape))
        return _affine(r, source, out.shape, constant(other))
    with np.errstate(divide="ignore"):
        scale = 1 / constant(other) if divides else constant(other)
    return _affine(r, r.broadcast(one, out.shape), out.shape, scale)


# --- matrices


def _dense(r: Recording, source: int, matrix: Floats, places: int, bias: Floats | None = None) -> int:
    """matrix (out, in) applied to `places` vectors on end; bias: (out,)."""
    units = len(matrix)
    return r.add("dense", [source], places * units, places=places, units=units, weight=matrix, bias=bias)


@_handles("mm", "mv")
def _matrix_product(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    one, other = call["self"], call["mat2" if "mat2" in call else "vec"]
    if r.known(one) and r.known(other):
        raise unsupported("mm", "both matrices depend on the input")
    if r.known(one):
        return _dense(r, r.value(one), constant(other).reshape(len(other), -1).T, len(one))
    columns = other.numel() // len(other)  # A x = (xᵀ Aᵀ)ᵀ
    turned = r.moved(r.value(other), other.numel(), torch.empty((len(other), columns), device="meta").T)
    product = _dense(r, turned, constant(one), columns)
    return r.moved(product, out.numel(), torch.empty((columns, len(one)), device="meta").T)


@_handles("addmm")
def _add_matrix_product(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    bias, x, matrix = call["self"], call["mat1"], call["mat2"]
    if not r.known(x) or r.known(matrix) or r.known(bias):
        raise unsupported("addmm", "more than the vectors depends on the input")
    bias = np.broadcast_to(float(call["beta"]) * constant(bias), out.shape)
    matrix = float(call["alpha"]) * constant(matrix).T
    if (bias == bias[0]).all():
        return _dense(r, r.value(x), matrix, len(x), bias[0])
    return _affine(r, _dense(r, r.value(x), matrix, len(x)), out.shape, 1.0, bias)


@_handles("linear")
def _linear(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    x, weight, bias = call["input"], call["weight"], call["bias"]
    if r.known(weight) or r.known(bias):
        raise unsupported("linear", "its weights depend on the input")
    return _dense(
        r, r.value(x), constant(weight), x.numel() // weight.shape[1], None if bias is None else constant(bias)
    )


@_handles("convolution")
def _convolution(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    x, weight, bias, groups = call["input"], call["weight"], call["bias"], call["groups"]
    if weight.ndim not in (3, 4):
        raise unsupported("convolution", "it runs over three dimensions")
    if x.shape[0] != 1:
        raise unsupported("convolution", "it runs over several pictures made from one")
    if not r.known(x) or r.known(weight) or r.known(bias):
        raise unsupported("convolution", "its weights depend on the input")
    weight = constant(weight)
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
        units=out.shape[1], outWidth=out_width, border=[*_border(axes[0], height), *_border(axes[1], width)],
        phases=phases, places=height * width if call["transposed"] else out_height * out_width,
        weight=weight, bias=None if bias is None else constant(bias),
    )  # fmt: skip


@_handles("slow_conv_transpose2d")  # by PyTorch's own kernel
def _transposed(r: Recording, call: dict[str, Any], out: Tensor) -> int | list[int | UnsupportedLayer]:
    return _convolution(r, call | {"input": call["self"], "transposed": True, "groups": 1}, out)


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
    r: Recording, source: int, shape: Sequence[int], scale: Floats | None, shift: Floats | None, trailing: int
) -> int:
    """source · scale + shift with one constant for each index before `trailing` dimensions; None leaves one out."""
    if scale is None and shift is None:
        return source
    ones = [1] * trailing
    scale = np.ones(1) if scale is None else scale.reshape(*scale.shape, *ones)
    shift = np.zeros(1) if shift is None else shift.reshape(*shift.shape, *ones)
    return _affine(r, source, shape, scale, shift)


def _optional(tensor: Tensor | None) -> Floats | None:
    return None if tensor is None else constant(tensor)


@_handles("native_group_norm")
def _group_norm(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    length = call["C"] * call["HxW"] // call["group"]
    done = r.add("normalise", [r.value(call["input"])], out.numel(), length=length, eps=call["eps"])
    return _per_channel(r, done, out.shape, _optional(call["weight"]), _optional(call["bias"]), out.ndim - 2)


@_handles("native_layer_norm")
def _layer_norm(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    length = math.prod(call["normalized_shape"])
    done = r.add("normalise", [r.value(call["input"])], out.numel(), length=length, eps=call["eps"])
    return _per_channel(r, done, out.shape, _optional(call["weight"]), _optional(call["bias"]), 0)


@_handles(
    "native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "_batch_norm_no_update",
    "_batch_norm_with_update", "cudnn_batch_norm", "miopen_batch_norm", "batch_norm",
)  # fmt: skip
def _batch_norm(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    if call.get("training", call["name"] == "_batch_norm_with_update") or call.get("running_mean") is None:
        raise unsupported(call["name"], "it normalises by the statistics of the batch; call model.eval() first")
    eps = call.get("eps", call.get("epsilon"))
    scale = (constant(call["running_var"]) + eps) ** -0.5
    scale = scale if call["weight"] is None else scale * constant(call["weight"])
    shift = -constant(call["running_mean"]) * scale
    shift = shift if call["bias"] is None else shift + constant(call["bias"])
    return _per_channel(r, r.value(call["input"]), out.shape, scale, shift, out.ndim - 2)


# --- moving numbers


@_handles("cat", "stack")
def _cat(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    strides = torch.empty(out.shape, device="meta").stride()
    dimension, inputs, parts, offset = call["dim"] % out.ndim, [], [], 0
    for tensor in call["tensors"]:
        if tensor.numel() == 0:
            continue
        if r.known(tensor):
            inputs.append(r.value(tensor))
        else:
            inputs.append(r.add("constant", [], tensor.numel(), value=constant(tensor)))
        view = torch.empty(tensor.shape, device="meta")
        view = view.unsqueeze(dimension) if call["name"] == "stack" else view
        part = {"shape": list(view.shape), "read": [0, *view.stride()]}
        parts.append(shortened(part | {"write": [offset * strides[dimension], *strides]}))
        offset += view.shape[dimension]
    return r.add("copy", inputs, out.numel(), parts=parts)


@_handles("constant_pad_nd")
def _pad(r: Recording, call: dict[str, Any], out: Tensor) -> int:
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
    return r.add("copy", [r.value(x)], out.numel(), parts=[shortened(part)], fill=float(call["value"]))


@_handles("repeat")
def _repeat(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    x, repeats = call["self"], call["repeats"]
    lengths = [*[1] * (len(repeats) - x.ndim), *x.shape]
    imagined = torch.empty([n for length in lengths for n in (1, length)], device="meta")
    pairs = [n for pair in zip(repeats, lengths, strict=True) for n in pair]
    return r.moved(r.value(x), x.numel(), imagined.expand(pairs))


@_handles("pixel_shuffle")
def _pixel_shuffle(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    factor = call["upscale_factor"]
    height, width = out.shape[-2:]
    planes = out.numel() // (height * width)
    apart = torch.empty((planes, factor, factor, height // factor, width // factor), device="meta")
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


def _pool(r: Recording, x: Tensor, out: Tensor, how: str, windows: list[Any], positions: int | None = None) -> int:
    height, width = x.shape[-2:]
    planes = x.numel() // (height * width)
    rows, columns = windows
    return r.add(
        "pool", [r.value(x)], out.numel(), how=how, planes=planes, height=height, width=width, rows=rows,
        columns=columns, positions=positions,
    )  # fmt: skip


@_handles("max_pool2d_with_indices")
def _max_pool(r: Recording, call: dict[str, Any], out: Tensor) -> list[int | UnsupportedLayer]:
    x = call["self"]
    if set(call["dilation"]) != {1}:
        raise unsupported("max_pool2d_with_indices", "it is dilated")
    r.count += 1
    positions = r.count - 1
    windows = _windows(call, x.shape[-2:], out.shape[-2:], counted=False)
    return [_pool(r, x, out, "max", windows, positions), positions]


@_handles("avg_pool2d")
def _average_pool(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    rows, columns = _windows(call, call["self"].shape[-2:], out.shape[-2:], call["count_include_pad"])
    if call["divisor_override"]:
        rows = [[start, end, call["divisor_override"]] for start, end, _ in rows]
        columns = [[start, end, 1] for start, end, _ in columns]
    return _pool(r, call["self"], out, "mean", [rows, columns])


@_handles("_adaptive_avg_pool2d")
def _adaptive_average_pool(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    windows = []
    for size, out_size in zip(call["self"].shape[-2:], out.shape[-2:], strict=True):
        edges = [(i * size // out_size, -(-(i + 1) * size // out_size)) for i in range(out_size)]
        windows.append([[start, end, end - start] for start, end in edges])
    return _pool(r, call["self"], out, "mean", windows)


@_handles("max_unpool2d")
def _max_unpool(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    x, positions = call["self"], call["indices"]
    if not r.known(x) or not r.known(positions):
        raise unsupported("max_unpool2d", "its positions are constants")
    planes = x.numel() // (x.shape[-1] * x.shape[-2])
    return r.add("unpool", [r.value(x), r.value(positions)], out.numel(), planes=planes)


@_handles("mean", "sum")
def _mean(r: Recording, call: dict[str, Any], out: Tensor) -> int:
    x = call["self"]
    reduced = sorted(d % x.ndim for d in call.get("dim") or range(x.ndim))
    kept = [d for d in range(x.ndim) if d not in reduced]
    length = math.prod(x.shape[d] for d in reduced)
    source = r.moved(r.value(x), x.numel(), torch.empty(x.shape, device="meta").permute(*kept, *reduced))
    mean = r.add(
        "pool", [source], out.numel(), how="mean", planes=out.numel(), height=1, width=length, rows=[[0, 1, 1]],
        columns=[[0, length, length]],
    )  # fmt: skip
    return mean if call["name"] == "mean" else _affine(r, mean, out.shape, float(length))


@_handles("upsample_nearest2d", "_upsample_nearest_exact2d", "upsample_bilinear2d")
def _resize(r: Recording, call: dict[str, Any], out: Tensor) -> int:
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
