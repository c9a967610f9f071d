"""What a model computes, as a list of plain operations that network.js can run, and its weights as bytes.

`record` runs the model once (recording.py), says what each step comes to (aten.py) and joins what can be joined.
"""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencoder_lab.explorer.aten import HANDLERS
from autoencoder_lab.explorer.recording import Floats, Operation, Recorder, UnsupportedLayer
from autoencoder_lab.explorer.scene_keys import SceneProgram

__all__ = ["Program", "UnsupportedLayer", "origins", "pack", "record", "with_header"]


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

    def to_json(self) -> SceneProgram:
        """What the browser needs beside the weights."""
        return {"operations": self.operations, "inputShape": list(self.input_shape)}


def record(function: Callable[[Tensor], Tensor], example: Tensor) -> Program:
    """What `function` does to a batch of one, `example`: (1, …) → (1, …).

    Chains of affine steps are folded into one layer where that makes it no larger. Raises UnsupportedLayer where the
    browser cannot do the same: an operation it does not know, randomness, or a course that depends on values.
    """
    if example.ndim < 1 or example.shape[0] != 1:
        raise ValueError(f"record needs a batch of one item, (1, …), got an example of shape {tuple(example.shape)}")
    operations, output_shape = _recorded(function, example)
    # values that leave torch (numpy, tolist) and come back look like constants: a second input tells
    again, _ = _recorded(function, 0.5 * example.detach() + 0.25)
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
    if id(output) not in recorder.recording.values:
        raise UnsupportedLayer("the output does not depend on the input through torch's operations")
    recording = recorder.recording
    return _needed(recording.operations, recording.finish(output)), tuple(output.shape)


def _run(function: Callable[[Tensor], Tensor], example: Tensor) -> tuple[Recorder, Any]:
    example = example.detach().clone()  # a model may work in place
    recorder = Recorder(example, HANDLERS)
    with torch.no_grad(), recorder:
        return recorder, function(example)


def origins(function: Callable[[Tensor], Tensor], example: Tensor) -> dict[int, tuple[int, int]]:
    """Which result of which ATen call a recorded value is: {id: (number of the call, number of the result)}."""
    return _run(function, example)[0].origins


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
        if operation.kind == "conv":
            del settings["places"]  # which only the count of multiplications needs
        for name, array in operation.arrays.items():
            settings[name] = [offset, array.size]
            arrays.append(array.astype(np.float32).ravel())
            offset += array.size
        header = {"op": operation.kind, "in": operation.inputs, "out": operation.out, "size": operation.size}
        written.append(header | settings)
    return written, np.concatenate([*arrays, np.zeros(0, np.float32)])


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
