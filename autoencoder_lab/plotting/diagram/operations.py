"""Operations, each at one place and with its numbers: convolution, transposed convolution, pooling, a weighted sum."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from autoencoder_lab import arguments
from autoencoder_lab.plotting.diagram.sheet import Sheet, written
from autoencoder_lab.plotting.figure import Figure
from autoencoder_lab.plotting.palette import DECODER, ENCODER, GRADIENT

READABLE = 7  # numbers a side that a table still shows; larger pictures are drawn as pictures


def sliding_window(image: Any, kernel: Any, at: tuple[int, int] = (0, 0), stride: int = 1, padding: int = 0) -> Figure:
    """Convolution at one place: window times kernel, product by product, and their sum in the feature map.

    image: one image, (C, H, W) or (H, W); kernel: (k, k), the same for all channels, or (C, k, k), k at most 5;
    at: row and column of the result in the feature map. What is called convolution in networks: no flip, as in
    `torch.nn.functional.conv2d`. Raises ValueError for a kernel that does not fit, or a place outside the map.
    """
    x = _picture(image)
    k = _table("kernel", kernel, 5)
    k = k.expand(len(x), *k.shape[-2:]) if k.ndim == 2 or len(k) == 1 else k
    stride, padding = arguments.whole("stride", stride, 1), arguments.whole("padding", padding, 0)
    seen = F.pad(x, (padding,) * 4)
    if len(k) != len(x) or k.shape[-2] > seen.shape[-2] or k.shape[-1] > seen.shape[-1]:
        raise ValueError(f"a kernel {tuple(k.shape)} does not fit on an image {tuple(x.shape)} with padding {padding}")
    result = F.conv2d(x[None], k[None], stride=stride, padding=padding)[0, 0]
    row, column = _place(at, result)
    top, left = row * stride, column * stride
    window = seen[:, top : top + k.shape[1], left : left + k.shape[2]]
    title = f"picture {x.shape[1]}×{x.shape[2]}" + (f", {padding} of padding" if padding else "")
    cell, gap, tall, wide = 0.34, 0.37, *k.shape[1:]
    height = max(2.35, 0.2 + len(x) * (tall * cell + 0.35))
    sheet = Sheet(2.0 + 1.6 + 3 * wide * cell + 4 * gap + 0.2, height + 0.35)
    middle = 0.15 + height / 2
    _values(sheet, 0.1, middle, 2.0, seen, title, (top, left, tall, wide))
    names = ("window", "kernel", "products")
    for channel, parts in enumerate(zip(window, k, window * k, strict=True)):
        y = middle + (channel - len(x) / 2) * (tall * cell + 0.35) + 0.17
        for i, (part, name) in enumerate(zip(parts, names, strict=True)):
            px = 2.1 + gap + i * (wide * cell + gap)
            sheet.grid(px, y, cell, part, grey=i == 0)
            sheet.label(px - gap / 2, y + tall * cell / 2, ("→", "×", "=")[i], 13)
            sheet.label(px + wide * cell / 2, y - 0.13, name + (f", {'RGB'[channel]}" if len(x) == 3 else ""))
    end = 2.1 + 3 * (wide * cell + gap)
    sheet.label(end + gap / 2, middle, "→", 13)
    _values(sheet, end + gap, middle, 1.6, result[None], "sums: the feature map", (row, column, 1, 1), count=True)
    total = written(float(result[row, column]))
    sheet.label(
        1.8 + gap + 1.5 * wide * cell + gap, height + 0.18, f"all products added up: {total}", 10, weight="bold"
    )
    return sheet.done(
        f"Convolution at one place. A window of {tall}×{wide} pixels of a picture, at row {top} and column {left}, is "
        f"multiplied number by number with the kernel; the products add up to {total}, which stands at row {row}, "
        f"column {column} of the feature map. The same kernel is used at every place."
    )


def stamp(x: Any, kernel: Any, stride: int = 2, at: tuple[int, int] = (0, 0)) -> Figure:
    """A transposed convolution without padding: each input number times the kernel, laid into the output.

    x: a row (n,), of which every stamp is drawn, or a small picture (h, w), of which the one at row and column `at` is;
    kernel: (k,) or (k, k). Where stamps overlap they add up; such places are marked. Raises ValueError for sizes that
    do not go together, or for an output that is too long to be read.
    """
    x, k = _table("x", x, 8, 1), _table("kernel", kernel, 5, 1)
    stride = arguments.whole("stride", stride, 1)
    if x.ndim != k.ndim or x.ndim > 2:
        raise ValueError(f"x and kernel are both rows, (n,) and (k,), or both tables, got {x.ndim} and {k.ndim} axes")
    grid, stamped = (x, k) if x.ndim == 2 else (x[None], k[None])
    step = (stride, stride) if x.ndim == 2 else (1, stride)
    result = F.conv_transpose2d(grid[None, None], stamped[None, None], stride=step)[0, 0]
    often = F.conv_transpose2d(torch.ones_like(grid)[None, None], torch.ones_like(stamped)[None, None], stride=step)
    most = 12 if x.ndim == 1 else 9
    if max(result.shape) > most:
        raise ValueError(
            f"the output has {max(result.shape)} numbers a side, at most {most} can be read: give a smaller x"
        )
    overlap = often[0, 0] > 1.5
    if x.ndim == 1:
        return _stamps_of_a_row(x, k, stride, result[0], overlap[0])
    return _stamp_of_a_table(x, k, stride, result, overlap, _place(at, x))


def _stamps_of_a_row(x: Tensor, k: Tensor, stride: int, result: Tensor, overlap: Tensor) -> Figure:
    cell, left, first = 0.46, 2.5, 0.95
    sheet = Sheet(left + len(result) * cell + 0.25, first + (len(x) + 1) * (cell + 0.12) + 0.5)
    sheet.label(0.1, 0.35, "kernel", ha="left")
    sheet.grid(0.75, 0.35 - cell / 2, cell, k[None])
    sheet.label(left, 0.72, f"each stamp starts {stride} further on", ha="left")
    for i, value in enumerate(x):
        y = first + i * (cell + 0.12)
        sheet.grid(0.6, y, cell, value.view(1, 1))
        sheet.label(0.55, y + cell / 2, f"$x_{{{i + 1}}}$", ha="right")
        sheet.label(1.15, y + cell / 2, "× kernel", ha="left")
        sheet.arrow((1.85, y + cell / 2), (left - 0.1, y + cell / 2))
        sheet.grid(left + i * stride * cell, y, cell, (value * k)[None])
        sheet.frame(left + i * stride * cell, y, len(k) * cell, cell, DECODER)
    y = first + len(x) * (cell + 0.12) + 0.08
    sheet.arrow((0.1, y - 0.07), (left + len(result) * cell, y - 0.07), head=False)
    sheet.label(left - 0.15, y + cell / 2, "added up: the output", ha="right", weight="bold")
    sheet.grid(left, y, cell, result[None], marked=overlap[None])
    sheet.label(left, y + cell + 0.2, "coloured and bold: stamps overlap", 8.5, ha="left")
    shown, inputs = (", ".join(map(written, row.tolist())) for row in (result, x))
    return sheet.done(
        f"A transposed convolution of a row with stride {stride}. Each input number, {inputs}, is multiplied by the "
        f"kernel {', '.join(map(written, k.tolist()))} and stamped into the output, {stride} places after the one "
        f"before. Added up they give {shown}; {int(overlap.sum())} places receive more than one stamp."
    )


def _stamp_of_a_table(
    x: Tensor, k: Tensor, stride: int, result: Tensor, overlap: Tensor, at: tuple[int, int]
) -> Figure:
    cell, gap = 0.36, 0.4
    width = (x.shape[1] + 2 * k.shape[1] + result.shape[1]) * cell + 3 * gap + 0.3
    sheet = Sheet(width, result.shape[0] * cell + 1.0)
    middle, left = 0.45 + result.shape[0] * cell / 2, 0.15
    chosen = torch.zeros_like(x, dtype=torch.bool)
    chosen[at] = True
    parts = {"input": x, "kernel": k, "stamp": x[at] * k, "output: all stamps added up": result}
    for (name, part), sign in zip(parts.items(), ("", "×", "=", "→"), strict=True):
        top = middle - part.shape[0] * cell / 2
        last = part is result
        sheet.grid(left, top, cell, part, marked=chosen if name == "input" else overlap if last else None)
        sheet.label(left + part.shape[1] * cell / 2, top - 0.18, name)
        sheet.label(left - gap / 2, middle, sign, 13)
        if name == "stamp":
            sheet.frame(left, top, part.shape[1] * cell, part.shape[0] * cell, DECODER)
        if last:
            corner = (left + at[1] * stride * cell, top + at[0] * stride * cell)
            sheet.frame(*corner, k.shape[1] * cell, k.shape[0] * cell, DECODER)
        left += part.shape[1] * cell + gap
    sheet.label(width - 0.15, result.shape[0] * cell + 0.7, "coloured and bold: stamps overlap", 8.5, ha="right")
    return sheet.done(
        f"A transposed convolution with stride {stride}. The input number {written(float(x[at]))} at row {at[0]}, "
        f"column {at[1]} is multiplied by the kernel; the stamp of {k.shape[0]}×{k.shape[1]} numbers is laid into the "
        f"output at row {at[0] * stride}, column {at[1] * stride}. Where stamps overlap, at {int(overlap.sum())} of "
        f"{overlap.numel()} places, they add up."
    )


def pooling(image: Any) -> Figure:
    """Max-pooling 2×2, the places it remembers, and max-unpooling, which puts the values back there.

    image: one image, (C, H, W) or (H, W), whose sides are even; up to 7×7 and in one channel its numbers are shown.
    Places are numbered as in torch, row by row from 0. Raises ValueError for odd sides.
    """
    x = _picture(image)
    if x.shape[1] % 2 or x.shape[2] % 2:
        raise ValueError(f"2×2 blocks need an even height and width, got {x.shape[1]}×{x.shape[2]}")
    pooled, places = F.max_pool2d(x[None], 2, return_indices=True)
    unpooled = F.max_unpool2d(pooled, places, (2, 2))[0]
    kept = torch.zeros_like(x).flatten(1).scatter(1, places[0].flatten(1), 1.0).view_as(x)
    sheet = Sheet(8.0, 3.75)
    _values(sheet, 0.15, 1.25, 1.8, x, "picture in 2×2 blocks", marked=kept[0] > 0)
    _values(sheet, 3.35, 1.25, 1.1, pooled[0], "largest of each block")
    _values(sheet, 5.9, 1.25, 1.8, unpooled, "unpooled: back in place", marked=kept[0] > 0)
    if readable := _readable(x):
        for i in range(places.numel()):
            row, column = divmod(i, places.shape[-1])
            block = 3.6 / max(x.shape[1:])
            corner = 1.05 + (column - x.shape[2] / 4) * block, 1.25 + (row - x.shape[1] / 4) * block
            sheet.frame(*corner, block, block, ENCODER)
        _values(sheet, 3.35, 2.95, 1.1, places[0].float(), "", count=True)
    else:
        sheet.box(3.35, 2.55, 1.1, 0.8, "×".join(map(str, places.shape[1:])) + "\nplaces", GRADIENT)
    sheet.label(3.9, 2.2, "where they stood")
    sheet.arrow((2.05, 1.25), (3.25, 1.25))
    sheet.label(2.65, 1.05, "max-pooling")
    sheet.arrow((4.55, 1.25), (5.8, 1.25))
    sheet.label(5.17, 1.05, "unpooling")
    sheet.arrow((1.05, 2.3), (1.05, 2.95), (3.25, 2.95))
    sheet.arrow((4.55, 2.95), (6.8, 2.95), (6.8, 2.3))
    sheet.label(5.2, 3.4, "the places travel beside the values", ha="left")
    if readable:
        sheet.label(0.15, 3.4, "counted row by row, from 0", ha="left")
    return sheet.done(
        f"Max-pooling keeps the largest value of each 2×2 block of a {x.shape[1]}×{x.shape[2]} picture, "
        f"{places.numel()} values in all, and remembers where each one stood. Unpooling puts them back at those places "
        "and fills the rest with zeros."
    )


def weighted_sum(image: Any, model: Any, count: int = 4) -> Figure:
    """What a linear decoder does: the picture of the code 0, plus each code value times a pattern of its own.

    model: fitted, with `encode`, `decode` and `decoder_matrix()`: lab.PCA, lab.LinearAutoencoder; count: so many terms
    are drawn, the ones that change most, and the others as one. Raises TypeError for other models.
    """
    if not hasattr(arguments.model(model, "decode"), "decoder_matrix"):
        raise TypeError(f"{arguments.shown(model)} has no decoder_matrix(): this draws linear decoders, of PCA, say")
    x = arguments.drawable(image, "image")[:1]
    with torch.no_grad():
        h = model.encode(x)
        start, result = model.decode(torch.zeros_like(h))[0], model.decode(h)[0]
        terms = (h[0] * model.decoder_matrix()).T.reshape(-1, *x.shape[1:])
    count = min(arguments.whole("count", count, 1), len(terms))
    order = terms.flatten(1).norm(dim=1).argsort(descending=True).tolist()
    rest = len(terms) - count
    side, gap = 0.89, 0.25
    sheet = Sheet((count + 2 + bool(rest)) * (side + gap), 1.65)
    drawn = [(start, "code of zeros", "")] + [
        (terms[i], f"{written(float(h[0, i]))} × pattern {i + 1}", "+") for i in order[:count]
    ]
    if rest:
        drawn.append((terms[order[count:]].sum(dim=0), f"{rest} more", "+"))
    drawn.append((result, r"$\hat{x}$, what it draws", "="))
    limit = float(terms.abs().max()) or 1.0
    for i, (picture, words, sign) in enumerate(drawn):
        left = gap / 2 + i * (side + gap)
        if sign == "+":
            _signed(sheet, left, 0.15, side, picture.mean(dim=0) / limit)
        else:
            sheet.picture(left, 0.15, side, picture)
        sheet.label(left + side / 2, 1.2, words, 8)
        sheet.label(left - gap / 2, 0.15 + side / 2, sign, 13)
    sheet.label(gap / 2, 1.48, "red adds ink, blue takes it away", 8.5, ha="left")
    parts = "; ".join(f"{written(float(h[0, i]))} times pattern {i + 1}" for i in order[:count])
    return sheet.done(
        f"A linear decoder draws by adding pictures: that of the code 0, then {parts}"
        + (f"; and {rest} more" if rest else "") + ". The sum is the reconstruction."
    )  # fmt: skip


def _signed(sheet: Sheet, x: float, y: float, side: float, values: Tensor) -> None:
    """A table of numbers in [−1, 1] as a picture, red above 0 and blue below."""
    x, y, side = x + 0.03 * side, y + 0.03 * side, 0.94 * side  # the margin that pictures have
    extent = (x, x + side, y + side, y)
    sheet.axes.imshow(values.numpy(), cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", extent=extent)
    sheet.frame(x, y, side, side, None, 0.8)


def _readable(picture: Tensor) -> bool:
    return len(picture) == 1 and max(picture.shape[1:]) <= READABLE


def _values(
    sheet: Sheet,
    x: float,
    middle: float,
    side: float,
    picture: Tensor,
    title: str,
    framed: tuple[int, int, int, int] | None = None,
    marked: Tensor | None = None,
    count: bool = False,
) -> None:
    """An image (C, H, W) within a square, with its numbers where they can be read; framed: row, column, height, width.

    count: they are other numbers than pixels, places or sums: drawn on plain cells.
    """
    height, width = picture.shape[1:]
    cell = side / max(height, width)
    left, top = x + (side - width * cell) / 2, middle - height * cell / 2
    if _readable(picture):
        plain = bool(picture.min() >= 0 and picture.max() <= 1) and not count
        sheet.grid(left, top, cell, picture[0], marked, grey=plain)
    else:
        scaled = picture if picture.min() >= 0 and picture.max() <= 1 else picture / picture.abs().max() / 2 + 0.5
        extent = (left, left + width * cell, top + height * cell, top)
        sheet.axes.imshow(
            scaled.permute(1, 2, 0).expand(-1, -1, 3).numpy(), aspect="auto", extent=extent, interpolation="nearest"
        )
        sheet.frame(left, top, width * cell, height * cell, None, 0.8)
    if framed:
        row, column, tall, wide = framed
        sheet.frame(left + column * cell, top + row * cell, wide * cell, tall * cell)
    sheet.label(x + side / 2, top - 0.16, title)


def _table(name: str, given: Any, most: int, fewest_axes: int = 2) -> Tensor:
    """Numbers as a tensor of at most three axes, each at most `most` long; ValueError otherwise."""
    try:
        table = torch.as_tensor(given, dtype=torch.float32).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(
            f"{name} must be numbers, in a tensor, an array or lists, got {arguments.shown(given)}"
        ) from None
    if not fewest_axes <= table.ndim <= 3 or 0 in table.shape or max(table.shape) > most:
        raise ValueError(
            f"{name} must be a small table of numbers, at most {most} a side, got shape {tuple(table.shape)}"
        )
    return table


def _picture(given: Any) -> Tensor:
    """One image (C, H, W), of several the first; a table of numbers in lists, or of whole numbers, is one as well."""
    if isinstance(given, list | tuple) and given and isinstance(given[0], list | tuple):
        given = _table("image", given, 100)
    if isinstance(given, Tensor) and not given.is_floating_point() and given.dtype != torch.uint8:
        given = given.float()
    return arguments.drawable(given, "image")[0]


def _place(at: Any, table: Tensor) -> tuple[int, int]:
    """(row, column) within a table; ValueError otherwise."""
    rows, columns = table.shape
    try:
        row, column = (arguments.whole("at", one, 0) for one in at)
    except (TypeError, ValueError):
        raise ValueError(f"at is a row and a column, (0, 0), got {arguments.shown(at)}") from None
    if row >= rows or column >= columns:
        raise ValueError(f"at is a row below {rows} and a column below {columns}, got ({row}, {column})")
    return row, column
