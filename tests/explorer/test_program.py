"""What network.js computes, against torch: every model of the course, every operation, folding and packing."""

import base64
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import autoencoder_lab as lab
import autoencoder_lab.explorer
from autoencoder_lab.explorer.packing import COARSE, FINE, compress, unpacked
from autoencoder_lab.explorer.program import Program, UnsupportedLayer, pack, record
from explorer.browser import Watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Function = Callable[[Tensor], Tensor]
RunJS = Callable[..., np.ndarray]

NETWORK = Path(autoencoder_lab.explorer.__file__).with_name("network.js")
IN_THE_BROWSER = """
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const floats = (text) => new Float32Array(bytes(text).buffer);
const text = (array) => btoa(Array.from(new Uint8Array(array.buffer), (b) => String.fromCharCode(b)).join(""));
window.unpack = async (packed, base) => text(await unpackWeights(bytes(packed), base && bytes(base)));
window.unpackAs = (packed, wrapping) => {
  const wrapped = wrapping === "DataView" ? new DataView(bytes("AAAA" + packed).buffer, 3) : bytes(packed).buffer;
  const weights = unpackWeights(wrapped);
  return weights instanceof Float32Array && text(weights);
};
window.run = async (program, packed, inputs, base) => {
  const run = makeNetwork(program, await unpackWeights(bytes(packed), base && bytes(base)));
  return inputs.map((input) => text(run(floats(input)).slice()));
};
"""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """A browser and several threads of torch wait for each other on two cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def page(browser: "Browser") -> Iterator[Any]:
    """One page for all tests of this file, with network.js loaded; nothing may go wrong in it."""
    context = browser.new_context()
    watch = Watch(context)
    page = context.new_page()
    page.add_script_tag(content=NETWORK.read_text(encoding="utf-8") + IN_THE_BROWSER, type="module")
    page.wait_for_function("() => window.run !== undefined")
    yield page
    context.close()
    assert watch.unexpected([]) == []


@pytest.fixture(scope="module")
def run_js(page: Any) -> RunJS:
    """run_js(program, inputs (B, …)) → (B, …) as network.js computes it, one input after the other."""

    def run(program: Program, inputs: Tensor, packed: bytes | None = None, base: bytes | None = None) -> np.ndarray:
        packed = pack(program, "float32") if packed is None else packed
        each = [as_text(one.detach().numpy().astype("<f4").tobytes()) for one in inputs]
        results = page.evaluate(
            "([program, packed, inputs, base]) => run(program, packed, inputs, base)",
            [program.to_json(), as_text(packed), each, base and as_text(base)],
        )
        return np.stack([np.frombuffer(base64.b64decode(result), "<f4") for result in results])

    return run


def as_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed))


def wave(*shape: int) -> Tensor:
    """Constants that a recorded function may make itself: nothing random."""
    return torch.sin(1.7 * torch.arange(math.prod(shape)) + 0.5).reshape(shape)


def scrambled(module: Any) -> Any:
    """Every parameter and every statistic moved away from its initial value."""
    generator = seeded(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
        for name, buffer in module.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer += torch.rand(buffer.shape, generator=generator)
    return module.eval()


def same(run_js: RunJS, function: Function, *shape: int, inputs: Tensor | None = None) -> Program:
    """Record `function` on one input and compare three others with torch; returns the program."""
    inputs = noise(3, *shape, seed=2) if inputs is None else inputs
    program = record(function, noise(1, *inputs.shape[1:], seed=3))
    with torch.no_grad():
        wanted = [function(one[None]) for one in inputs]
    assert program.input_shape == tuple(inputs.shape[1:]) and program.output_shape == tuple(wanted[0].shape[1:])
    expected = torch.stack([one.flatten() for one in wanted]).numpy()
    np.testing.assert_allclose(run_js(program, inputs), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    return program


def kinds(program: Program) -> list[str]:
    return [operation["op"] for operation in program.operations]


# --- the models of the course ----------------------------------------------------------------------

SMALL = {"width": 4, "hidden": 24}
MODELS: dict[str, Callable[[tuple[int, int, int]], Any]] = {
    "pca": lambda shape: pca(shape),
    "linear": lambda shape: lab.LinearAutoencoder(5, shape),
    "tied": lambda shape: lab.LinearAutoencoder(5, shape, tied=True, output="tanh"),
    "dense": lambda shape: lab.DenseAutoencoder(5, shape, hidden=(20, 12)),
    "single layer": lambda shape: lab.DenseAutoencoder(5, shape, hidden=(), code_activation="sigmoid"),
    "relu": lambda shape: lab.DenseAutoencoder(5, shape, hidden=(20,), activation="relu", output="linear"),
    "transposed": lambda shape: lab.ConvAutoencoder(5, shape, decoder="transposed", **SMALL),
    "resize": lambda shape: lab.ConvAutoencoder(5, shape, decoder="resize", **SMALL),
    "unpool": lambda shape: lab.ConvAutoencoder(5, shape, decoder="unpool", **SMALL),
    "inside": lambda shape: lab.ResidualAutoencoder(5, shape, skips="inside", **SMALL),
    "around": lambda shape: lab.ResidualAutoencoder(5, shape, skips="around", **SMALL),
    "vae": lambda shape: lab.VAE(5, shape, **SMALL),
    "gaussian": lambda shape: lab.VAE(5, shape, likelihood="gaussian", output="linear", **SMALL),
}
SHAPES = [(1, 28, 28), (3, 30, 26), (1, 8, 8), (2, 9, 21)]


def pca(shape: tuple[int, int, int]) -> lab.PCA:
    few = SimpleNamespace(images=torch.rand((30, *shape), generator=seeded(4)))
    return lab.PCA(5, shape).fit(few)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", MODELS)
def test_a_model_computes_the_same_in_the_browser(run_js: RunJS, name: str, shape: tuple[int, int, int]) -> None:
    model = scrambled(MODELS[name](shape))
    x = torch.rand((3, *shape), generator=seeded(5))
    same(run_js, model.encode, inputs=x)
    if model.decodes:
        same(run_js, model.decode, inputs=model.encode(x).detach() + noise(3, 5))
    program = same(run_js, model.reconstruct, inputs=x)
    with torch.no_grad():
        wanted = (255 * model.reconstruct(x).clamp(0, 1)).round().flatten(1).numpy()
    got = np.round(255 * run_js(program, x).clip(0, 1))
    assert np.abs(got - wanted).max() <= 1


def test_multiplications_are_counted() -> None:
    dense = lab.DenseAutoencoder(7, (1, 8, 8), hidden=(20,))
    assert record(dense.decode, torch.zeros(1, 7)).macs == 7 * 20 + 20 * 64
    convolution = nn.Conv2d(3, 8, 5, stride=2, padding=2)
    assert record(convolution, torch.zeros(1, 3, 12, 10)).macs == (3 * 5 * 5) * 8 * (6 * 5)
    enlarging = nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)
    assert record(enlarging, torch.zeros(1, 8, 6, 5)).macs == (8 * 4 * 4) * 3 * (6 * 5)


def test_a_program_is_plain_json_and_independent_of_the_weights() -> None:
    one, two = (record(scrambled(MODELS["inside"]((1, 9, 9))).decode, torch.zeros(1, 5)).to_json() for _ in range(2))
    trained = lab.ResidualAutoencoder(5, (1, 9, 9), **SMALL)
    assert one == two == record(trained.decode, torch.ones(1, 5)).to_json()


# --- every operation -------------------------------------------------------------------------------

C = noise(1, 4, 1, 1, seed=7)
FUNCTIONS: dict[str, Function] = {
    # elementwise
    "relu": F.relu,
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "elu": lambda x: F.elu(x, 0.7),
    "selu": F.selu,
    "leaky relu": lambda x: F.leaky_relu(x, 0.2),
    "softplus": lambda x: F.softplus(x, 1.3, 0.5),
    "exp": torch.exp,
    "log": lambda x: torch.log(x.exp() + 1),
    "sqrt": lambda x: (x * x + 1).sqrt(),
    "abs": torch.abs,
    "sin": torch.sin,
    "cos": torch.cos,
    "reciprocal": lambda x: 1 / (x * x + 1),
    "cube": lambda x: x**3,
    "clamp": lambda x: x.clamp(-0.5, 0.3),
    "clamp above": lambda x: x.clamp(max=0.3),
    "hardtanh": F.hardtanh,
    "relu6": lambda x: F.relu6(6 * x),
    "negative": lambda x: -x,
    # arithmetic with constants: scalars, one a channel, one a pixel, one each
    "plus": lambda x: x + 2,
    "minus": lambda x: 3 - x,
    "alpha": lambda x: torch.sub(x, C, alpha=3),
    "times": lambda x: C * x,
    "over": lambda x: x / C,
    "constant over": lambda x: C / (x * x + 1),
    "a pixel": lambda x: x * wave(6, 5) + wave(1, 1, 6, 1),
    "each": lambda x: x - wave(1, 4, 6, 5),
    "two and three": lambda x: x * wave(4, 6, 1),
    # two values
    "sum": lambda x: x + x.exp(),
    "difference": lambda x: torch.sub(x, x.exp(), alpha=0.5),
    "product": lambda x: x * x.sigmoid(),
    "quotient": lambda x: x / x.exp(),
    "broadcast": lambda x: x * x.mean((2, 3), keepdim=True),
    "outwards": lambda x: x[:, :1] + x[:, :, :1],
    "grown": lambda x: x[:, :1, :1, :1] + C,
    # moving
    "permute": lambda x: x.permute(0, 2, 3, 1).contiguous(),
    "transpose": lambda x: x.transpose(1, 3).reshape(1, -1),
    "flatten": lambda x: x.flatten(1),
    "unsqueeze": lambda x: x[:, None].squeeze(1),
    "slice": lambda x: x[:, 1:3, ::2, -4:-1],
    "select": lambda x: x[:, 2],
    "expand": lambda x: x[:, :1].expand(1, 3, 6, 5),
    "chunk": lambda x: gate(*x.chunk(2, 1)),
    "split": lambda x: torch.cat(x.split([1, 2, 1], 1)[::-1], 1),
    "unbind": lambda x: torch.stack(x.unbind(2), -1),
    "cat": lambda x: torch.cat([x, C.expand(1, 4, 6, 5), x.exp()], -3),
    "stack": lambda x: torch.stack([x, -x], 2),
    "pad": lambda x: F.pad(x, (1, 2, 0, 3), value=0.5),
    "crop": lambda x: F.pad(x, (-1, 2, 1, -2, 0, 1)),
    "repeat": lambda x: x.repeat(2, 1, 1, 2).reshape(1, -1),
    "shuffle": lambda x: F.pixel_shuffle(x, 2),
    "detach": lambda x: x.detach().clone(),
    "batch": lambda x: x[0][None] + x[0:1],
    "nothing": lambda x: x,
    "unfold": lambda x: x.unfold(2, 3, 1).contiguous(),
    # reductions and normalisation
    "mean": lambda x: x.mean((2, 3)),
    "mean of all": lambda x: x.mean(dim=(1, 2, 3)),
    "over channels": lambda x: x.mean(1),
    "sum over": lambda x: x.sum((1, 3), keepdim=True),
    "softmax": lambda x: x.softmax(-1),
    "group norm": scrambled(nn.GroupNorm(2, 4)),
    "plain group norm": nn.GroupNorm(4, 4, affine=False),
    "batch norm": scrambled(nn.BatchNorm2d(4)),
    "plain batch norm": scrambled(nn.BatchNorm2d(4, affine=False)),
    "layer norm": scrambled(nn.LayerNorm([6, 5])),
    "last": scrambled(nn.LayerNorm(5)),
    "bare": lambda x: F.layer_norm(x, (5,)),
    # pooling and enlarging
    "max pool": nn.MaxPool2d(2),
    "max pool, padded": nn.MaxPool2d(3, 2, 1),
    "max pool, ceil": nn.MaxPool2d(2, 2, ceil_mode=True),
    "average": nn.AvgPool2d(2),
    "average, padded": nn.AvgPool2d(3, 2, 1),
    "not counted": nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    "average, ceil": nn.AvgPool2d((2, 3), ceil_mode=True),
    "divisor": nn.AvgPool2d(2, divisor_override=3),
    "average, padded, ceil": nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    "adaptive": nn.AdaptiveAvgPool2d((4, 3)),
    "global": nn.AdaptiveAvgPool2d(1),
    "unpool": lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2, output_size=(6, 5)),
    "unpool, ties": lambda x: F.max_unpool2d(
        *F.max_pool2d(x.clamp(-0.3, 0.1), 2, return_indices=True), 2, output_size=(6, 5)
    ),
    "nearest": nn.Upsample(scale_factor=2),
    "nearest, odd": nn.Upsample((9, 13)),
    "exact": nn.Upsample((9, 7), mode="nearest-exact"),
    "bilinear": nn.Upsample(scale_factor=(2, 3), mode="bilinear"),
    "smaller": nn.Upsample((4, 3), mode="bilinear"),
    "corners": nn.Upsample((9, 11), mode="bilinear", align_corners=True),
    # matrices
    "linear": scrambled(nn.Linear(5, 9)),
    "no bias": nn.Linear(5, 3, bias=False),
    "matmul": lambda x: x @ wave(5, 9),
    "mm from the left": lambda x: (wave(7, 120) @ x.reshape(1, -1).T).T,
    "mv": lambda x: (wave(7, 120) @ x.flatten())[None],
    "many from the left": lambda x: (wave(7, 4) @ x.reshape(4, 30))[None],
    "functional": lambda x: F.linear(x.flatten(1), wave(3, 120), wave(3)),
    "addmm": lambda x: torch.addmm(wave(4, 3), x.reshape(4, 30), wave(30, 3), beta=0.5, alpha=2)[None],
    "signal": lambda x: F.conv1d(x.flatten(2), wave(3, 4, 5), wave(3), stride=2, padding=2),
    "signal back": lambda x: F.conv_transpose1d(x.flatten(2), wave(4, 3, 4), stride=2, padding=1),
    # in place
    "in place": lambda x: F.silu((2 * x).relu_().add_(1).mul_(C), inplace=True),
}


def gate(values: Tensor, gates: Tensor) -> Tensor:
    return values * gates.sigmoid()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_operation_computes_the_same(run_js: RunJS, name: str) -> None:
    same(run_js, FUNCTIONS[name], 4, 6, 5)


@given(data=st.data())
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_convolutions_of_all_kinds(run_js: RunJS, data: st.DataObject) -> None:
    def pair(low: int, high: int) -> tuple[int, int]:
        return data.draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    transposed, bias = data.draw(st.booleans()), data.draw(st.booleans())
    groups = data.draw(st.sampled_from([1, 1, 2, 3]))
    channels = (groups * data.draw(st.integers(1, 3)), groups * data.draw(st.integers(1, 3)))
    kernel, stride, dilation, size = pair(1, 5), pair(1, 3), pair(1, 2), pair(1, 9)
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    options: dict[str, Any] = {"stride": stride, "dilation": dilation, "groups": groups, "bias": bias}
    if transposed:
        options["padding"] = pair(0, 2)
        options["output_padding"] = tuple(min(data.draw(st.integers(0, 2)), s - 1) for s in stride)
        lengths = zip(size, stride, options["padding"], reach, options["output_padding"], strict=True)
        assume(all((n - 1) * s - 2 * p + r + extra + 1 > 0 for n, s, p, r, extra in lengths))
        layer: nn.Module = nn.ConvTranspose2d(*channels, kernel, **options)
    else:
        options["padding"] = tuple(
            -(-max(0, r + 1 - n) // 2) + data.draw(st.integers(0, 2)) for r, n in zip(reach, size, strict=True)
        )
        layer = nn.Conv2d(*channels, kernel, **options)
    same(run_js, scrambled(layer), channels[0], *size)


def test_a_second_run_does_not_see_the_first(run_js: RunJS) -> None:
    x = noise(2, 2, 8, 8)
    program = record(lambda x: F.max_unpool2d(*F.max_pool2d(F.pad(x, (1, 1)), 2, return_indices=True), 2), x[:1])
    assert np.array_equal(run_js(program, torch.cat([x, x]))[2:], run_js(program, x))


# --- folding ---------------------------------------------------------------------------------------


def test_directions_are_folded_into_the_first_layer_of_a_large_code(run_js: RunJS) -> None:
    model = scrambled(lab.DenseAutoencoder(2048, (1, 8, 8), hidden=(40,)))
    mean, directions = noise(2048, seed=8), torch.linalg.qr(noise(2048, 8, seed=9))[0].T
    program = same(run_js, lambda a: model.decode(mean + a @ directions), 8)
    first = program.operations[0]
    assert (first["op"], first["units"], first["weight"][1]) == ("dense", 40, 8 * 40)
    assert program.weights.size == 8 * 40 + 40 + 40 * 64 + 64
    assert program.macs == 8 * 40 + 40 * 64


def test_directions_are_folded_into_the_last_layer_of_an_encoder(run_js: RunJS) -> None:
    model = scrambled(lab.DenseAutoencoder(2048, (1, 8, 8), hidden=(40,)))
    mean, directions = noise(2048, seed=8), torch.linalg.qr(noise(2048, 8, seed=9))[0].T
    program = same(run_js, lambda x: (model.encode(x) - mean) @ directions.T, 1, 8, 8)
    last = program.operations[-1]
    assert (last["op"], last["units"], last["weight"][1]) == ("dense", 8, 40 * 8)


def test_folding_is_done_in_double_precision() -> None:
    model, x = lab.LinearAutoencoder(300, (1, 8, 8)), noise(1, 1, 8, 8)
    mean, directions = 100 * noise(300, seed=8), torch.linalg.qr(noise(300, 4, seed=9))[0].T
    program = record(lambda x: (model.encode(x) - mean) @ directions.T, x)
    weight, bias = program.weights[: 4 * 64].reshape(4, 64), program.weights[4 * 64 :]
    exact_weight = (directions.double() @ model.weight.detach().double()).numpy()
    exact_bias = (directions.double() @ (model.bias.detach().double() - mean.double())).numpy()
    assert np.array_equal(weight, exact_weight.astype(np.float32))
    np.testing.assert_allclose(bias, exact_bias, rtol=1e-6)


def test_pca_is_one_matrix_each_way() -> None:
    model = pca((1, 8, 8))
    encode, decode = record(model.encode, torch.zeros(1, 1, 8, 8)), record(model.decode, torch.zeros(1, 5))
    assert kinds(encode) == kinds(decode) == ["dense"]
    assert (encode.weights.size, decode.weights.size) == (5 * 64 + 5, 5 * 64 + 64)
    assert kinds(record(model.reconstruct, torch.zeros(1, 1, 8, 8))) == ["dense", "dense"], "one would be larger"


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: (x * 2 + 1) / 3 - x.new_ones(6), ["affine"]),
        (lambda x: (x * wave(6)) @ wave(6, 4) * wave(4) + 1, ["dense"]),
        (lambda x: (x @ wave(6, 4)).relu() @ wave(4, 3) @ wave(3, 2), ["dense", "map", "dense"]),
        (lambda x: (x @ wave(6, 2)) @ wave(2, 6), ["dense", "dense"]),
        (lambda x: (y := x @ wave(6, 6)) + y @ wave(6, 6), ["dense", "dense", "pair"]),
    ],
    ids=["affine", "round a matrix", "not across a nonlinearity", "not if larger", "not if used twice"],
)
def test_what_is_folded(run_js: RunJS, function: Function, expected: list[str]) -> None:
    assert kinds(same(run_js, function, 6)) == expected


def test_batch_norm_goes_into_the_convolution_before_it(run_js: RunJS) -> None:
    layers = nn.Sequential(nn.Conv2d(2, 6, 3, bias=False, groups=2), nn.BatchNorm2d(6), nn.ReLU())
    assert kinds(same(run_js, scrambled(layers), 2, 7, 7)) == ["conv", "map"]
    back = nn.Sequential(nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), nn.BatchNorm2d(6))
    assert kinds(same(run_js, scrambled(back), 4, 5, 5)) == ["conv"]


# --- what cannot be run ----------------------------------------------------------------------------


def changed_below(x: Tensor) -> Tensor:
    y = x * 2
    view = y[:, :2]
    y.relu_()
    return view + 1


def collected(x: Tensor) -> Tensor:
    result = torch.zeros(1, 4, 6, 5)
    result[:, :2] = x[:, 2:]
    return result


def through_numpy(x: Tensor) -> Tensor:
    return x + torch.from_numpy(np.abs(x.numpy()))


def through_a_list(x: Tensor) -> Tensor:
    return x * max(x.flatten().tolist())


REFUSED: dict[str, tuple[Function, str]] = {
    "three dimensions": (
        lambda x: F.avg_pool3d(x, 2),
        r"average pooling \(aten.avg_pool3d\) cannot run in the browser",
    ),
    "convolution in three": (
        lambda x: F.conv3d(x[None], wave(2, 1, 2, 2, 2)),
        r"convolution \(aten.convolution\).*three",
    ),
    "several pictures": (
        lambda x: F.conv2d(x.reshape(4, 1, 6, 5), wave(2, 1, 3, 3)).reshape(1, -1),
        "several pictures made from one",
    ),
    "bicubic": (nn.Upsample(scale_factor=2, mode="bicubic"), "bicubic enlargement"),
    "maximum": (lambda x: x.amax(1), r"amax \(aten.amax\)"),
    "sorting": (lambda x: x.sort().values, r"sort \(aten.sort\)"),
    "attention": (lambda x: F.scaled_dot_product_attention(x, x, x), "cannot run in the browser"),
    "two matrices": (lambda x: x[:, 0] @ x[:, 1].transpose(1, 2), r"product of two computed matrices \(aten.bmm\)"),
    "batch statistics": (nn.BatchNorm2d(4).train(), r"statistics of the batch; call model.eval\(\)"),
    "softmax over channels": (lambda x: x.softmax(1), "last dimension"),
    "dilated pooling": (lambda x: F.max_pool2d(x, 2, dilation=2), "dilated"),
    "limits from the input": (lambda x: x.clamp(min=x.mean(1, keepdim=True)), "limits are tensors"),
    "dropout": (nn.Dropout().train(), "random"),
    "noise": (lambda x: x + torch.randn_like(x), "random"),
    "noise by itself": (lambda x: x + torch.rand(5), "random"),
    "a branch": (lambda x: x if x.sum() > 0 else -x, "branch on computed values"),
    "an item": (lambda x: x * float(x[0, 0, 0, 0]), "branch on computed values"),
    "numpy": (through_numpy, "outside torch's operations"),
    "a list": (through_a_list, "outside torch's operations"),
    "writing": (collected, r"writing into a tensor \(aten.copy_\)"),
    "a view changed in place": (changed_below, "changed in place"),
    "half precision": (lambda x: x.half() * 2, "torch.float16"),
    "whole numbers": (lambda x: x * F.max_pool2d(x, 1, return_indices=True)[1], "whole numbers"),
    "no dependence": (lambda x: torch.ones(1, 3), "does not depend on the input"),
    "a comparison": (lambda x: (x > 0).float(), "gt"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_browser_cannot_do_is_named(name: str) -> None:
    function, message = REFUSED[name]
    with pytest.raises(UnsupportedLayer, match=message):
        record(function, noise(1, 4, 6, 5))


def test_a_model_that_works_in_place_leaves_the_example_alone(run_js: RunJS) -> None:
    x = noise(1, 6)
    before = x.clone()
    assert kinds(record(lambda x: x.relu_() + 1, x)) == ["map", "affine"]
    assert torch.equal(x, before)


def test_constants_are_those_of_the_moment(run_js: RunJS) -> None:
    def stepwise(x: Tensor) -> Tensor:
        offset = torch.ones(6, dtype=torch.float64)
        y = x + offset
        offset += 1
        return y.relu() + offset

    same(run_js, stepwise, 6)


def test_a_check_that_nothing_hangs_on_does_no_harm(run_js: RunJS) -> None:
    def checked(x: Tensor) -> Tensor:
        x.isnan().any()
        x.sort()
        return x * 2

    same(run_js, checked, 6)


@pytest.mark.parametrize(
    ("function", "example"),
    [(lambda x: x, noise(2, 3)), (lambda x: x[0], noise(1, 3)), (lambda x: (x, x), noise(1, 3))],
    ids=["a batch of two", "no batch", "two results"],
)
def test_record_wants_a_batch_of_one(function: Function, example: Tensor) -> None:
    with pytest.raises(ValueError, match=r"\(1, …\)"):
        record(function, example)


# --- packing ---------------------------------------------------------------------------------------


def test_float16_and_float32_round_trip(page: Any) -> None:
    special = [0, -0.0, 1, -2.5, 65504, -65504, 6e-8, 6.1e-5, -3e-6, 1 / 3]
    weights = np.concatenate([special, np.random.default_rng(0).normal(size=1001)]).astype(np.float32)
    for precision, dtype in (("float16", np.float16), ("float32", np.float32)):
        packed = pack(Program([], weights, (1,), (1,), 0), precision)
        for wrapping in ("DataView", "ArrayBuffer"):  # what a widget gets, and what a page may make
            text = page.evaluate("([packed, wrapping]) => unpackAs(packed, wrapping)", [as_text(packed), wrapping])
            assert np.array_equal(np.frombuffer(base64.b64decode(text), "<f4"), weights.astype(dtype))
        assert np.array_equal(unpacked(packed), weights.astype(dtype))
        assert len(packed) - weights.size * np.dtype(dtype).itemsize < 64


@pytest.mark.parametrize("odd", [1e5, math.nan, math.inf])
def test_weights_that_float16_cannot_hold_stay_float32(odd: float) -> None:
    program = Program([], np.array([1, odd, -3], np.float32), (1,), (1,), 0)
    assert np.array_equal(unpacked(pack(program)), program.weights, equal_nan=True)
    assert compress(program, lambda x: x, torch.zeros(2, 1)) == pack(program, "float32")


def test_an_unknown_precision_is_named() -> None:
    with pytest.raises(ValueError, match="float8"):
        pack(Program([], np.zeros(3, np.float32), (1,), (1,), 0), "float8")


def correlated(count: int, columns: int) -> Tensor:
    """Inputs as of a hidden layer: a few causes, a little noise, and a mean."""
    return noise(count, 12, seed=3) @ noise(12, columns, seed=4) + 0.1 * noise(count, columns, seed=5) + 2


@pytest.mark.parametrize("error", [FINE, COARSE])
@pytest.mark.parametrize("bias", [True, False])
def test_a_rounded_layer_is_off_by_what_was_asked_for(error: float, bias: bool) -> None:
    x = correlated(800, 400)
    layer = nn.Linear(400, 300, bias=bias)
    program = record(layer, x[:1])
    packed = compress(program, layer, x[:600], error)
    weights = unpacked(packed)
    matrix, rest = weights[: 400 * 300].reshape(300, 400), weights[400 * 300 :]
    with torch.no_grad():
        wanted = layer(x).numpy()
    off = x.numpy() @ matrix.T + (rest if bias else 0) - wanted
    spread = (wanted - wanted.mean(axis=0) * bias).std() if bias else np.sqrt(np.square(wanted).mean())
    relative = np.sqrt(np.square(off).mean()) / spread
    assert relative < 1.1 * error
    # rounding each weight by itself to the same steps: the mean step tells how many bits that is
    by_itself = program.weights[: matrix.size].reshape(300, 400)
    step = np.abs(by_itself).max() / 127
    alone = x.numpy() @ (np.round(by_itself / step) * step - by_itself).T
    if error == FINE:
        assert len(packed) < 1.1 * matrix.size, "about a byte a weight"
        assert np.square(off).mean() < np.square(alone).mean() / 4, "and far better than a byte each"


def test_compressed_weights_arrive_in_the_browser(page: Any) -> None:
    model = nn.Sequential(nn.Linear(300, 280), nn.SiLU(), nn.Linear(280, 20), nn.SiLU(), nn.Linear(20, 3))
    x = correlated(400, 300) / 10
    program = record(model, x[:1])
    base = compress(program, model, x)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=seeded(2)) * parameter.std()
    later = record(model, x[:1])
    change, whole = (compress(later, model, x, COARSE, base=b) for b in (base, None))
    assert len(change) < 0.7 * len(whole) < len(base), "only the change is stored"
    for packed, needed in ((base, None), (change, base), (whole, None)):
        text = page.evaluate("([a, b]) => unpack(a, b)", [as_text(packed), needed and as_text(needed)])
        there = np.frombuffer(base64.b64decode(text), "<f4")
        np.testing.assert_allclose(there, unpacked(packed, needed), rtol=1e-6, atol=1e-7)
    # the float16 rest is not a change of anything
    assert np.array_equal(unpacked(change, base)[-63:], unpacked(pack(later))[-63:])
    other = record(nn.Linear(300, 20), x[:1])
    assert unpacked(compress(other, nn.Linear(300, 20), x, base=base)).size == other.weights.size, (
        "a base of another size"
    )


def test_weights_whose_inputs_are_not_found_are_still_rounded_well() -> None:
    matrix = noise(5000, 24, seed=6) / 5
    turned = lambda x: matrix @ x.reshape(2, 12).T.reshape(24, 1)  # noqa: E731

    def function(x: Tensor) -> Tensor:
        return turned(x).T

    x = noise(1, 24)
    program = record(function, x)
    rounded = unpacked(compress(program, function, x))
    spread = program.weights.std()
    assert 0 < np.abs(rounded - program.weights).max() < 4 * FINE * spread * math.sqrt(12)


@pytest.fixture(scope="module")
def enlarged(digits: lab.ImageData) -> lab.ImageData:
    """Real digits of 28×28 pixels."""
    train, val, test = (
        replace(split[:count], images=F.interpolate(split.images[:count], (28, 28), mode="bilinear"))
        for split, count in ((digits.train, 1000), (digits.val, 50), (digits.test, 100))
    )
    return lab.ImageData("enlarged", train, val, test)


def trained(model: Any, data: lab.ImageData, steps: int) -> Any:
    lab.fit(model, data, steps=steps, progress=False)
    return model.eval()


def examples(model: Any, images: Tensor) -> dict[str, Tensor]:
    """Inputs for `compress`: pictures and their codes, noisy pictures, and codes further out."""
    codes = model.encode(images).detach()
    spread = codes.std(dim=0) * noise(len(images) // 4, codes.shape[1])
    noisy = (images[: len(images) // 4] + 0.4 * noise(len(images) // 4, *images.shape[1:])).clamp(0, 1)
    return {"encode": torch.cat([images, noisy]), "decode": torch.cat([codes, codes.mean(dim=0) + 1.5 * spread])}


@pytest.mark.parametrize("how", ["float16", "compressed"])
def test_pixels_of_a_packed_model_are_those_of_torch(run_js: RunJS, enlarged: lab.ImageData, how: str) -> None:
    model = trained(lab.DenseAutoencoder(32), enlarged, steps=60)
    x, known = enlarged.test.images, examples(model, enlarged.train.images[:400])
    programs = {"encode": record(model.encode, x[:1]), "decode": record(model.decode, torch.zeros(1, 32))}
    packed = {
        name: pack(one) if how == "float16" else compress(one, getattr(model, name), known[name])
        for name, one in programs.items()
    }
    codes = torch.from_numpy(run_js(programs["encode"], x, packed["encode"]))
    pictures = run_js(programs["decode"], codes, packed["decode"])
    with torch.no_grad():
        wanted = (255 * model.reconstruct(x)).round().flatten(1).numpy()
    off = np.abs(np.round(255 * pictures) - wanted)
    assert off.max() <= 2 and (off > 1).mean() <= 0.001
    size = sum(map(len, packed.values()))
    weights = sum(one.weights.size for one in programs.values())
    assert size < (2.01 if how == "float16" else 1.0) * weights


def test_a_convolutional_model_fits_into_a_page(enlarged: lab.ImageData) -> None:
    model = trained(lab.ConvAutoencoder(32), enlarged, steps=10)
    known = examples(model, enlarged.train.images[:400])
    size = sum(
        len(compress(record(getattr(model, name), known[name][:1]), getattr(model, name), known[name]))
        for name in ("encode", "decode")
    )
    assert size * 4 / 3 < 2_500_000 - 250_000, "in base64, beside pictures and code"
