"""The questions of lab 2, the convolutional autoencoder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from autoencoder_lab import arguments
from autoencoder_lab.checks.compare import CheckFailed, unfinished
from autoencoder_lab.checks.question import Inputs, Question, Wrong, numbers_read

IMPORTS = """import torch
import torch.nn.functional as F
from torch import nn

import autoencoder_lab as lab
"""
"""The cell of imports, which `autoencoder-lab check` puts back where a notebook lost it."""
PARTS = {
    "output_paddings": (3, "output_paddings.check(output_paddings)"),
    "window": (3, "window.check(window)"),
    "stamp_kernel": (4, "stamp_kernel.check(stamp_kernel)"),
    "mirrored_decoder": (4, "mirrored_decoder.check(mirrored_decoder)"),
    "map_autoencoder": (4, "map_autoencoder(model, data.val.images)"),
    "reading": (3, "reading(mine.train.images, block_error, times)"),
    "words": (4, ""),
}
"""The points of each part, and the check under it: what `autoencoder-lab check` asks where a notebook lost it."""

# --- sizes there and back --------------------------------------------------------------------------------------------


def _paddings(
    size: int,
    layers: Tensor,
    left: Callable[[int, int, int, int], int] = lambda size, kernel, stride, padding: (
        (size + 2 * padding - kernel) % stride
    ),
    following: Callable[[int, int, int, int], int] = lambda size, kernel, stride, padding: (
        (size + 2 * padding - kernel) // stride + 1
    ),
) -> tuple[int, ...]:
    """The output paddings, the decoder's first layer first. left, following: of one layer, what mistakes get wrong."""
    found = []
    for kernel, stride, padding in layers.tolist():
        found.append(left(size, kernel, stride, padding))
        size = following(size, kernel, stride, padding)
    return tuple(reversed(found))


def _sizes(size: int, layers: Tensor) -> tuple[int, ...]:
    sizes = [size]
    for kernel, stride, padding in layers.tolist():
        sizes.append((sizes[-1] + 2 * padding - kernel) // stride + 1)
    return tuple(reversed(sizes[:-1]))


OUTPUT_PADDING_MISTAKES: Mapping[str, Wrong] = {
    "encoder's order": Wrong(
        "these are the right numbers in the encoder's order; the decoder's first layer mirrors the encoder's last",
        lambda size, layers: _paddings(size, layers)[::-1],
        0.75,
    ),
    "one size for all": Wrong(
        "every layer is given the size of the image; from the second on, a layer sees what the one before it left",
        lambda size, layers: _paddings(size, layers, following=lambda size, kernel, stride, padding: size),
        0.25,
    ),
    "rounded up": Wrong(
        "the sizes on the way are rounded up; a window that no longer fits is left out, so a convolution rounds down",
        lambda size, layers: _paddings(
            size, layers, following=lambda size, kernel, stride, padding: -((kernel - size - 2 * padding) // stride) + 1
        ),
        0.5,
    ),
    "one place too few": Wrong(
        "the sizes on the way are one too small: a window that cannot move at all still stands at one place",
        lambda size, layers: _paddings(
            size, layers, following=lambda size, kernel, stride, padding: (size + 2 * padding - kernel) // stride
        ),
        0.5,
    ),
    "padding once": Wrong(
        "the padding counts once; it is put on both sides",
        lambda size, layers: _paddings(
            size,
            layers,
            lambda size, kernel, stride, padding: (size + padding - kernel) % stride,
            lambda size, kernel, stride, padding: (size + padding - kernel) // stride + 1,
        ),
        0.5,
    ),
    "always one less than the stride": Wrong(
        "stride − 1 at every layer is a habit, right only where the convolution left so many pixels over; what is left "
        "over hangs on the size",
        lambda size, layers: _paddings(size, layers, lambda size, kernel, stride, padding: stride - 1),
    ),
    "remainder of the size": Wrong(
        "you take the remainder of the size itself; the window's first place uses up a kernel of the padded size "
        "before any stride is made",
        lambda size, layers: _paddings(size, layers, lambda size, kernel, stride, padding: size % stride),
        0.25,
    ),
    "missing for one more": Wrong(
        "that is how many pixels are missing for one more step; the transposed convolution falls short by those that "
        "were left over",
        lambda size, layers: _paddings(
            size, layers, lambda size, kernel, stride, padding: -(size + 2 * padding - kernel) % stride
        ),
        0.25,
    ),
    "none": Wrong(
        "without output padding the sizes come back only where every convolution came out even",
        lambda size, layers: _paddings(size, layers, lambda size, kernel, stride, padding: 0),
    ),
    "the sizes": Wrong(
        "these are the sizes the decoder should reach; asked is what its layers need to reach them",
        _sizes,
        0.25,
    ),
}


def _telling(draw: Callable[[], list[Inputs]], functions: Sequence[Callable[..., Any]]) -> list[Inputs]:
    """Calls to which no two of the functions give the same answers, so that every mistake can be named."""
    while True:
        calls = draw()
        answers = [tuple(function(*inputs) for inputs in calls) for function in functions]
        if len(set(answers)) == len(answers):
            return calls


def _layers(generator: Generator, count: int, strides: tuple[int, int], paddings: tuple[int, int]) -> Tensor:
    """Kernels from 3 to 5, strides and paddings from the given ranges, both ends included: (count, 3)."""
    ranges = ((3, 5), strides, paddings)
    columns = [torch.randint(low, high + 1, (count,), generator=generator) for low, high in ranges]
    return torch.stack(columns, dim=1)


def _number(generator: Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, (), generator=generator))


def _sizes_and_layers(generator: Generator) -> Sequence[Inputs]:
    def draw() -> list[Inputs]:
        return [
            (_number(generator, 90, 130), _layers(generator, 3, (2, 3), (0, 1))),
            (_number(generator, 60, 90), _layers(generator, 3, (2, 3), (1, 2))),
            (_number(generator, 20, 40), _layers(generator, 2, (1, 3), (0, 2))),
        ]

    return _telling(draw, [_paddings, *(wrong.function for wrong in OUTPUT_PADDING_MISTAKES.values())])


output_paddings = Question("output_paddings", _paddings, OUTPUT_PADDING_MISTAKES, _sizes_and_layers)

# --- what one number of a feature map has seen -----------------------------------------------------------------------


def _spread(layers: Tensor) -> Iterator[tuple[int, int, int, int]]:
    """(kernel, stride, padding, how many image pixels two neighbours of this layer's input stand apart)."""
    apart = 1
    for kernel, stride, padding in layers.tolist():
        yield kernel, stride, padding, apart
        apart *= stride


Share = Callable[[int, int, int, int], int]


def _window(
    layers: Tensor,
    place: int,
    reach: Share = lambda kernel, stride, padding, apart: (kernel - 1) * apart,
    shift: Share = lambda kernel, stride, padding, apart: padding * apart,
    moved: bool = True,
) -> tuple[int, int]:
    """(first, last) pixel. reach and shift: what a layer adds to the window's width, and how far it moves it left."""
    step = 1
    for _, stride, _, _ in _spread(layers):
        step *= stride
    first = place * (step if moved else 1) - sum(shift(*layer) for layer in _spread(layers))
    return first, first + sum(reach(*layer) for layer in _spread(layers))


def _product_of_kernels(layers: Tensor, place: int) -> tuple[int, int]:
    first, _ = _window(layers, place)
    return first, first + int(layers[:, 0].prod()) - 1


def _cut_off(layers: Tensor, place: int) -> tuple[int, int]:
    first, last = _window(layers, place)
    return max(first, 0), last


def _as_width(layers: Tensor, place: int) -> tuple[int, int]:
    first, last = _window(layers, place)
    return first, last - first + 1


WINDOW_MISTAKES: Mapping[str, Wrong] = {
    "the other order": Wrong(
        "the layers are gone through in the wrong order; the first layer alone sees pixels, the last one sees the "
        "windows of all before it",
        lambda layers, place: _window(layers.flip(0), place),
        0.5,
    ),
    "no padding": Wrong(
        "the padding is not used; with padding the first window begins before the image does",
        lambda layers, place: _window(layers, place, shift=lambda kernel, stride, padding, apart: 0),
        0.5,
    ),
    "padding in pixels": Wrong(
        "the paddings are added up as they are; padding of a later layer is put round a map whose places stand "
        "several pixels apart",
        lambda layers, place: _window(layers, place, shift=lambda kernel, stride, padding, apart: padding),
        0.5,
    ),
    "kernels in pixels": Wrong(
        "the kernels are added up as they are; a later kernel joins places that stand several pixels apart",
        lambda layers, place: _window(layers, place, reach=lambda kernel, stride, padding, apart: kernel - 1),
        0.5,
    ),
    "its own stride": Wrong(
        "each kernel is spread by its own stride as well; the stride says how far the window moves, not how far its "
        "entries stand apart, so only the layers before it count",
        lambda layers, place: _window(
            layers, place, reach=lambda kernel, stride, padding, apart: (kernel - 1) * apart * stride
        ),
        0.5,
    ),
    "whole kernels": Wrong(
        "each layer adds a whole kernel to the window's width; one of its entries falls on a place that counts already",
        lambda layers, place: _window(layers, place, reach=lambda kernel, stride, padding, apart: kernel * apart),
        0.5,
    ),
    "kernels multiplied": Wrong(
        "the width is the product of the kernels; windows of neighbours overlap, so widths add up",
        _product_of_kernels,
        0.25,
    ),
    "place not moved": Wrong(
        "the place is used as if it were a pixel; from one place to the next the window moves by all strides together",
        lambda layers, place: _window(layers, place, moved=False),
        0.5,
    ),
    "one too many": Wrong(
        "the second value is one too large: asked is the last pixel that is seen, not the first that is not",
        lambda layers, place: (_window(layers, place)[0], _window(layers, place)[1] + 1),
        0.75,
    ),
    "the width": Wrong(
        "the second value is the window's width; asked is its last pixel",
        _as_width,
        0.75,
    ),
    "cut off": Wrong(
        "the window is cut off at the edge of the image; count the padding too, so a first pixel may be negative",
        _cut_off,
        0.75,
    ),
}


def _layers_and_places(generator: Generator) -> Sequence[Inputs]:
    def draw() -> list[Inputs]:
        return [
            (_layers(generator, 3, (1, 3), (0, 2)), _number(generator, 3, 9)),
            (_layers(generator, 3, (2, 3), (1, 2)), 0),
            (_layers(generator, 2, (2, 2), (0, 1)), _number(generator, 1, 5)),
        ]

    return _telling(draw, [_window, *(wrong.function for wrong in WINDOW_MISTAKES.values())])


window = Question("window", _window, WINDOW_MISTAKES, _layers_and_places)

# --- resize and convolve, as one transposed convolution --------------------------------------------------------------


def _stamp_kernel(kernel: Tensor, turned: bool = True, enlarged: bool = True, exchanged: bool = True) -> Tensor:
    channels_out, channels_in, height, width = kernel.shape
    stamp = (kernel.flip(2, 3) if turned else kernel).reshape(-1, 1, height, width)
    # pixel i of the enlarged map is pixel ⌊i/2⌋ of the small one, so entries two by two fall on the same pixel
    stamp = F.conv2d(stamp, stamp.new_ones(1, 1, 2, 2), padding=1) if enlarged else F.pad(stamp, (0, 1, 0, 1))
    stamp = stamp.view(channels_out, channels_in, height + 1, width + 1)
    return stamp.transpose(0, 1) if exchanged else stamp


def _kernels(generator: Generator) -> Sequence[Inputs]:
    return [(torch.randn(shape, generator=generator),) for shape in ((2, 3, 3, 3), (1, 1, 3, 3), (3, 2, 5, 5))]


stamp_kernel = Question(
    "stamp_kernel",
    _stamp_kernel,
    {
        "not turned": Wrong(
            "the kernel is not turned round: a convolution gathers from its right neighbour with its last entry, a "
            "transposed one stamps onto its right neighbour with its last entry",
            lambda kernel: _stamp_kernel(kernel, turned=False),
            0.5,
        ),
        "not enlarged": Wrong(
            "the kernel is turned round but the enlargement is not in it: each small pixel stands for 2×2 pixels of "
            "the enlarged map, and all four leave their mark",
            lambda kernel: _stamp_kernel(kernel, enlarged=False),
            0.25,
        ),
        "averaged": Wrong(
            "your stamp is four times too weak: the enlargement repeats a pixel 2×2 times, it does not share it out",
            lambda kernel: _stamp_kernel(kernel) / 4,
            0.75,
        ),
        "channels": Wrong(
            "the two channel dimensions are not exchanged: Conv2d keeps its kernel as (out, in, …), ConvTranspose2d as "
            "(in, out, …)",
            lambda kernel: _stamp_kernel(kernel, exchanged=False),
            0.75,
        ),
        "rows and columns": Wrong(
            "rows and columns of the stamp are exchanged",
            lambda kernel: _stamp_kernel(kernel).transpose(2, 3),
            0.75,
        ),
        "not turned, channels": Wrong(
            "two things: the kernel has to be turned round, and ConvTranspose2d keeps its kernel as (in, out, …)",
            lambda kernel: _stamp_kernel(kernel, turned=False, exchanged=False),
            0.25,
        ),
        "every entry repeated": Wrong(
            "every entry of the kernel is repeated 2×2 times; it is the picture that is enlarged, the kernel keeps its "
            "size, and together they reach one pixel further",
            lambda kernel: kernel.flip(2, 3).repeat_interleave(2, 2).repeat_interleave(2, 3).transpose(0, 1),
        ),
    },
    _kernels,
)

# --- a bug found: the decoder that is no mirror ----------------------------------------------------------------------


def _mirrored(
    codes: Tensor, dense: Tensor, second: Tensor, first: Tensor, maps_first: bool = True, size: str = "output padding"
) -> Tensor:
    flat = codes @ dense.T
    maps = flat.unflatten(1, (-1, 7, 7)) if maps_first else flat.unflatten(1, (7, 7, -1)).permute(0, 3, 1, 2)
    for kernel in (second, first):
        maps = F.conv_transpose2d(maps, kernel, stride=2, padding=1, output_padding=int(size == "output padding"))
        maps = F.pad(maps, (0, 1, 0, 1)) if size == "zeros at each" else maps
    if size == "stretched":
        return F.interpolate(maps, size=(28, 28))
    return F.pad(maps, (0, 3, 0, 3)) if size == "zeros at the end" else maps


def _codes_and_weights(generator: Generator) -> Sequence[Inputs]:
    calls = []
    for width, k in ((2, 5), (4, 3)):
        shapes = ((3, k), (2 * width * 49, k), (2 * width, width, 3, 3), (width, 1, 3, 3))
        calls.append(tuple(torch.randn(shape, generator=generator) for shape in shapes))
    return calls


mirrored_decoder = Question(
    "mirrored_decoder",
    _mirrored,
    {
        "both bugs": Wrong(
            "the decoder still is the colleague's: both of its bugs are there",
            lambda codes, dense, second, first: _mirrored(
                codes, dense, second, first, maps_first=False, size="stretched"
            ),
        ),
        "stretched": Wrong(
            "the picture is still stretched to 28 pixels at the end: the sizes have to come out by themselves",
            lambda codes, dense, second, first: _mirrored(codes, dense, second, first, size="stretched"),
            0.5,
        ),
        "channels last": Wrong(
            "the numbers are still dealt out with the channels last; flatten wrote one map after the other",
            lambda codes, dense, second, first: _mirrored(codes, dense, second, first, maps_first=False),
            0.5,
        ),
        "zeros at the end": Wrong(
            "the missing rows and columns are filled with zeros at the end: these pixels do reach the code, and a "
            "mirror has to draw them",
            lambda codes, dense, second, first: _mirrored(codes, dense, second, first, size="zeros at the end"),
            0.5,
        ),
        "zeros at each layer": Wrong(
            "at each layer the missing row and column are filled with zeros: these places do reach the code, and a "
            "mirror has to draw them",
            lambda codes, dense, second, first: _mirrored(codes, dense, second, first, size="zeros at each"),
            0.5,
        ),
        "kernels turned": Wrong(
            "the kernels are turned round; conv_transpose2d takes a convolution's kernel as it is and does the rest",
            lambda codes, dense, second, first: _mirrored(codes, dense, second.flip(2, 3), first.flip(2, 3)),
            0.5,
        ),
        "sigmoid": Wrong(
            "the picture went through a sigmoid; the encoder has no nonlinearity, so its mirror has none",
            lambda *given: _mirrored(*given).sigmoid(),
            0.5,
        ),
        "relu at the end": Wrong(
            "the picture has no negative values; the encoder has no nonlinearity, so its mirror has none",
            lambda *given: _mirrored(*given).relu(),
            0.5,
        ),
    },
    _codes_and_weights,
    1e-3,
)

# --- the trained model -----------------------------------------------------------------------------------------------

CODE = (2, 4, 4)
# The squared error as a share of the pictures' own squares, on images of 28×28 and on canvases of 60×60 with four
# digits each: mean and standard deviation of ten reference runs on the validation images
VALIDATION = {28: (0.195, 0.013), 60: (0.244, 0.013)}


def limits(reference: Mapping[int, tuple[float, float]]) -> dict[int, float]:
    """The largest share that still counts: three standard deviations above the mean."""
    return {side: mean + 3 * spread for side, (mean, spread) in reference.items()}


def canvases(images: Tensor, shifts: Tensor) -> Tensor:
    """Black canvases of 60×60, each with four of the images in its four quarters: (N // 4, 1, 60, 60).

    shifts: (N, 2), how many rows and columns, 0 to 2, an image is moved within its quarter.
    """
    large = images.new_zeros(len(images) // 4, 1, 60, 60)
    for i, (row, column) in enumerate(shifts[: 4 * len(large)].tolist()):
        top, left = 30 * (i % 4 // 2) + row, 30 * (i % 2) + column
        large[i // 4, :, top : top + 28, left : left + 28] = images[i]
    return large


def share_lost(shown: Tensor, images: Tensor) -> float:
    """The squared error of all pixels, as a share of the sum of all squares: 1 for a black picture."""
    return float((shown - images).double().square().sum() / images.double().square().sum())


def map_autoencoder(model: Any, images: Tensor) -> None:
    """Whether a model whose code is a small map does well on images of its own size and on larger ones."""
    name, most, images = "map_autoencoder", limits(VALIDATION), arguments.images(images)
    with torch.no_grad():
        codes = arguments.model(model, "encode").encode(images)
        if unfinished(name, codes) or unfinished(name, model.decode(codes)):
            return
        if codes.shape != (len(images), *CODE):
            raise CheckFailed(f"{name}: encode must return maps {(len(images), *CODE)}, got {tuple(codes.shape)}")
        shown = model.decode(codes)
        if shown.shape != images.shape:
            raise CheckFailed(f"{name}: decode must return {tuple(images.shape)}, got {tuple(shown.shape)}")
        lost = share_lost(shown, images)
        if lost > most[28]:
            raise CheckFailed(
                f"{name}: the error is {lost:.3f} of the images' squares, at most {most[28]:.3f} is asked for"
            )
        large = canvases(images, torch.arange(2 * len(images)).view(-1, 2) % 3)
        try:
            shown = model.decode(model.encode(large))
        except Exception as error:
            raise CheckFailed(
                f"{name}: well done at 28×28, but on a canvas of 60×60 it stops ({type(error).__name__}: {error}); "
                "something in it is made for one size"
            ) from error
    if shown.shape != large.shape:
        raise CheckFailed(f"{name}: of {tuple(large.shape)} decode must make as much again, got {tuple(shown.shape)}")
    lost_large = share_lost(shown, large)
    if lost_large > most[60]:
        raise CheckFailed(
            f"{name}: well done at 28×28, but on a canvas of 60×60 the error is {lost_large:.3f} of the squares, at "
            f"most {most[60]:.3f} is asked for; does a layer look at the whole picture?"
        )
    per_pixel, numbers = lost * float(images.square().mean()), CODE[0] * CODE[1] * CODE[2]
    print(f"✓ {name}: of the squares {lost:.3f} is lost, on large canvases {lost_large:.3f}")
    print(f"  28×28 pixels from {numbers} numbers: a mean squared error of {per_pixel:.5f} per pixel")


# --- the numbers read ------------------------------------------------------------------------------------------------


def _left_over(rows: Tensor, pixels: int) -> Tensor:
    """Entry k: the squared error per pixel of the best k numbers for each row, all `pixels` pixels together."""
    rows = rows.double()
    values = torch.linalg.svdvals(rows - rows.mean(dim=0)).square()
    return torch.cat([values.flip(0).cumsum(0).flip(0), values.new_zeros(1)]) / pixels


def _blocks(images: Tensor) -> Tensor:
    """(16 N, 49): every 7×7 block of every image, row by row."""
    return images.unfold(2, 7, 7).unfold(3, 7, 7).reshape(-1, 49)


def numbers_to_read(images: Tensor) -> tuple[float, float]:
    """The error of blocks with 2 numbers each, and how many times that of whole images with 32 it is."""
    blocks, whole = _left_over(_blocks(images), images.numel()), _left_over(images.flatten(1), images.numel())
    return float(blocks[2]), float(blocks[2] / whole[32])


def block_error_mistake(images: Tensor, given: float) -> str:
    """Which mistake gives this error of blocks with 2 numbers each."""
    blocks = _left_over(_blocks(images), images.numel())
    known = {
        "your blocks are runs of 49 pixels; a block is 7 rows of 7 pixels, which view(-1, 49) does not cut": (
            _left_over(images.reshape(-1, 49), images.numel())[2]
        ),
        "that is the error of a block, summed over its pixels; divide by 49": 49 * blocks[2],
        "that is the error of an image, summed over its pixels; divide by 784": 784 * blocks[2],
        "that is the share of the variance that is lost; asked for is the mean squared error per pixel": (
            blocks[2] / blocks[0]
        ),
        "that is what two numbers keep; the error is what the others hold": blocks[0] - blocks[2],
        "that is the error with one number a block": blocks[1],
        "that is the error with three numbers a block": blocks[3],
    }
    return next((said for said, value in known.items() if close(given, float(value))), "that is not the error")


def times_mistake(images: Tensor, given: float) -> str:
    """Which mistake gives this ratio."""
    blocks, whole = _left_over(_blocks(images), images.numel()), _left_over(images.flatten(1), images.numel())
    known = {
        "the ratio is upside down: the blocks do worse": whole[32] / blocks[2],
        "that compares with PCA of whole images that has 2 numbers an image; give it 32": blocks[2] / whole[2],
        "that compares with PCA of whole images with 31 numbers": blocks[2] / whole[31],
        "that compares with PCA of whole images with 33 numbers": blocks[2] / whole[33],
        "that is the ratio of the roots; compare the mean squared errors": (blocks[2] / whole[32]).sqrt(),
        "that is by how much larger the error is; asked for is the ratio": blocks[2] / whole[32] - 1,
    }
    return next((said for said, value in known.items() if close(given, float(value))), "that is not the ratio")


def close(given: float, wanted: float) -> bool:
    """Equal to three parts in two thousand."""
    return abs(given - wanted) <= 0.0015 * abs(wanted)


def misread(images: Tensor, block_error: float, times: float) -> dict[str, str]:
    """{which of the two is wrong: what is wrong with it}."""
    wanted_error, wanted_times = numbers_to_read(images)
    wrong = {}
    if not close(block_error, wanted_error):
        wrong["block_error"] = f"block_error: {block_error_mistake(images, block_error)}"
    if not close(times, wanted_times):
        wrong["times"] = f"times: {times_mistake(images, times)}"
    return wrong


def reading(images: Tensor, block_error: Any, times: Any) -> None:
    """Whether the two numbers are those of these images."""
    if (given := numbers_read(block_error=block_error, times=times)) is None:
        return
    if wrong := misread(arguments.images(images), *given[0]):
        raise CheckFailed(f"reading: {given[1]}{'. '.join(wrong.values())}")
    print("✓ reading: both numbers are right")
