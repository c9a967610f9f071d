"""Weights in few bytes, for pages that carry a whole model, or ten moments of one.

Rounding a weight matters only through what it does to the layer's outputs. So columns are rounded one after the other,
the later ones first, and each makes up for the errors made so far as far as its input resembles theirs (the LDLQ
rounding of Chee et al., 2023, "QuIP"); an input that others foretell gets a coarse step, or no bits at all.

What it is worth (`python -m benchmarks packing`, in steps of 255 from torch's pixels): a page of DenseAutoencoder(32)
has 1.24 MB in place of 2.36 with float16, of ConvAutoencoder(32) 2.29 in place of 4.40; no pixel is more than one step
off either way, on average 0.006 and 0.014 (float16: 0.004 and 0.011). With ten moments of a training, a page of
DenseAutoencoder(2) has 2.0 MB in place of 20.0, of ConvAutoencoder(2) 4.2 in place of 40.2; the last moment is as
exact, those before it are off by 0.58 and 0.53 of a step on average, by at most 47 and 17.
"""

import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor, from_numpy, linalg, no_grad
from torch.utils._pytree import tree_leaves

from autoencoder_lab.explorer.program import Program, origins, pack, with_header
from autoencoder_lab.explorer.recording import AtenMode, Floats

FINE = 0.002  # pixels as with float32, but for one step of 255 here and there
COARSE = 0.07  # for moments before the last: on average less than one step of 255 off, ten of them in 8 MB
SMALLEST = 4096  # matrices with fewer weights stay float16
SMALL = 65536  # matrices up to this size cost little, and often make the code: a tenth of the error
RIDGE = 0.1  # how far inputs may stray from the examples; more is safer and larger
BLOCK = 2048  # inputs rounded together, which bounds time and memory


def compress(
    program: Program,
    function: Callable[[Tensor], Tensor],
    examples: Tensor,
    error: float = FINE,
    base: bytes | None = None,
) -> bytes:
    """The weights of `program`, recorded from `function`, in as few bytes as an error allows; for `unpackWeights` too.

    examples: (B, …) inputs like those to come, odd ones among them: what they never use is rounded most.
    error: of the outputs of each dense layer, relative to their spread over the examples (root mean square).
    base: what this function gave for a later moment of the same training: only the change is stored then, and
      `unpackWeights` needs `base` too.
    """
    weights = program.weights.astype(np.float64)
    if not np.abs(weights).max(initial=0) <= np.finfo(np.float16).max:
        return pack(program)
    known = np.zeros(weights.size) if base is None else unpacked(base).astype(np.float64)
    if known.size != weights.size:
        return compress(program, function, examples, error)
    matrices = [
        operation
        for operation in program.operations
        if operation["op"] == "dense" and operation["places"] == 1 and operation["weight"][1] >= SMALLEST
    ]
    inputs = _inputs(function, examples, {operation["in"][0] for operation in matrices})
    coded: list[_Coded] = []
    for operation in matrices:
        start, count = operation["weight"]
        shape = (operation["units"], count // operation["units"])
        x = inputs.get(operation["in"][0], np.eye(shape[1]))
        matrix, before = (a[start : start + count].reshape(shape) for a in (weights, known))
        share = float((before * matrix).sum()) / max(float((before**2).sum()), 1e-30)  # how much is there already
        one = _rounded(matrix, share * before, x, error if count > SMALL else error / 10, "bias" in operation)
        if np.abs(one.numbers).max(initial=0) < 2**15 - 128:  # the numbers have two bytes
            coded.append(replace(one, start=start, share=share))
            if "bias" in operation:
                first, length = operation["bias"]
                weights[first : first + length] += one.missed
    return _written(weights, coded, base is not None)


@dataclass(frozen=True)
class _Coded:
    """A matrix as whole numbers (rows, columns) times the step of each column, added to a share of what is known.

    missed: what a bias must make up for; start: where the matrix begins among the weights.
    """

    numbers: Floats
    steps: Floats
    missed: Floats
    start: int = 0
    share: float = 0.0


def _written(weights: Floats, coded: list[_Coded], relative: bool) -> bytes:
    """Deflated: the steps (float32), all other weights (float16), the low, then the high bytes of the numbers."""
    rest = np.ones(weights.size, dtype=bool)
    for one in coded:
        rest[one.start : one.start + one.numbers.size] = False
    numbers = np.concatenate([*(one.numbers.T.ravel() for one in coded), np.zeros(0)]).astype(np.int16) + 128
    content = [
        np.concatenate([*(one.steps for one in coded), np.zeros(0)]).astype("<f4"),
        weights[rest].astype("<f2"),
        (numbers & 255).astype(np.uint8),
        (numbers >> 8).astype(np.int8),
    ]
    header = {
        "precision": "deflated",
        "count": weights.size,
        "matrices": [[one.start, *one.numbers.shape, one.share] for one in coded],
        "relative": relative,
    }
    return with_header(header, zlib.compress(b"".join(part.tobytes() for part in content), 9))


def unpacked(packed: bytes, base: bytes | None = None) -> Floats:
    """The float32 weights in what `pack` or `compress` made, as `unpackWeights` in network.js sees them."""
    (behind,) = struct.unpack_from("<I", packed)
    header, content = json.loads(packed[4 : 4 + behind]), packed[4 + behind :]
    if header["precision"] != "deflated":
        return np.frombuffer(content, {"float16": "<f2", "float32": "<f4"}[header["precision"]]).astype(np.float32)
    content = zlib.decompress(content)
    coded = sum(rows * columns for _, rows, columns, _ in header["matrices"])
    columns = sum(columns for *_, columns, _ in header["matrices"])
    sizes = [(columns, "<f4"), (header["count"] - coded, "<f2"), (coded, "u1"), (coded, "i1")]
    offsets = np.cumsum([0, *(count * np.dtype(kind).itemsize for count, kind in sizes)])
    steps, rest, low, high = (
        np.frombuffer(content, kind, count, offset) for (count, kind), offset in zip(sizes, offsets[:-1], strict=True)
    )
    numbers = low.astype(np.int32) + 256 * high.astype(np.int32) - 128
    weights = np.zeros(header["count"], np.float32)
    others = np.ones(header["count"], dtype=bool)
    known = unpacked(base) if header["relative"] and base is not None else weights.copy()
    for start, rows, width, share in header["matrices"]:
        place = slice(start, start + rows * width)
        change = numbers[: rows * width].reshape(width, rows).T * steps[:width]
        weights[place], others[place] = share * known[place] + change.ravel(), False
        numbers, steps = numbers[rows * width :], steps[width:]
    weights[others] = rest
    return weights


def _inputs(function: Callable[[Tensor], Tensor], examples: Tensor, values: set[int]) -> dict[int, Floats]:
    """(B, n) for each of those values of the program that can be found again in a run with all examples at once."""
    wanted = {place: value for value, place in origins(function, examples[:1]).items() if value in values}
    watch = _Watch(set(wanted))
    with no_grad(), watch:
        function(examples)
    found = {wanted[place]: tensor for place, tensor in watch.seen.items()} | {0: examples}
    return {
        value: tensor.reshape(len(examples), -1).cpu().double().numpy()
        for value, tensor in found.items()
        if value in values and tensor.shape[0] == len(examples)
    }


class _Watch(AtenMode):
    """Keeps the results of some ATen calls: `places` are (number of the call, number of the result)."""

    def __init__(self, places: set[tuple[int, int]]) -> None:
        super().__init__()
        self.places, self.seen = places, dict[tuple[int, int], Tensor]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls += 1
        for i, tensor in enumerate(t for t in tree_leaves(result) if isinstance(t, Tensor)):
            if (self.calls, i) in self.places:
                self.seen[self.calls, i] = tensor.detach().clone()
        return result


def _rounded(matrix: Floats, known: Floats, x: Floats, error: float, centred: bool) -> _Coded:
    """matrix − known, (rows, columns), in whole numbers.

    error: relative to what `matrix` makes of x, (B, columns). With a bias to make up for it (`centred`) the mean of x
    needs no accuracy.
    """
    columns = matrix.shape[1]
    mean = x.mean(axis=0) if centred else np.zeros(columns)
    blocks = [slice(start, min(start + BLOCK, columns)) for start in range(0, columns, BLOCK)]
    factors = [_factor(x[:, block] - mean[block]) for block in blocks]
    spread = sum(np.square(matrix[:, block] @ factor).sum() for block, factor in zip(blocks, factors, strict=True))
    step = error * np.sqrt(12 * max(spread, 1e-30) / matrix.size)  # n uniform errors add up to n · step² / 12
    steps = np.concatenate([step / factor.diagonal() for factor in factors]).astype(np.float32).astype(np.float64)
    change = matrix - known
    numbers = np.concatenate(
        [
            _fed_back(change[:, block] / steps[block], factor * steps[block][:, None])
            for block, factor in zip(blocks, factors, strict=True)
        ],
        axis=1,
    )
    return _Coded(numbers, steps, (change - numbers * steps) @ mean)


def _factor(x: Floats) -> Floats:
    """The Cholesky factor of the inputs' second moments, with a ridge for inputs unlike the examples."""
    moments = x.T @ x / len(x)
    ridge = RIDGE * moments.diagonal().mean() + 1e-12
    moments[np.diag_indices_from(moments)] += ridge
    lower: Floats = linalg.cholesky(from_numpy(moments)).numpy()  # NumPy's own is twenty times slower
    return lower


def _fed_back(matrix: Floats, factor: Floats, strip: int = 64) -> Floats:
    """Whole numbers near `matrix` (rows, n), the last column first; `factor` says which errors make up for which."""
    columns = matrix.shape[1]
    passed_on = factor / factor.diagonal()
    numbers, errors = np.zeros_like(matrix), np.zeros_like(matrix)
    for stop in range(columns, 0, -strip):
        start = max(0, stop - strip)
        target = matrix[:, start:stop] + errors[:, stop:] @ passed_on[stop:, start:stop]
        for k in reversed(range(start, stop)):
            goal = target[:, k - start] + errors[:, k + 1 : stop] @ passed_on[k + 1 : stop, k]
            numbers[:, k] = np.round(goal)
            errors[:, k] = matrix[:, k] - numbers[:, k]
    return numbers
