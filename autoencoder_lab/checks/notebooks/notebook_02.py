"""The checks of notebook 02, convolutional autoencoders: right functions beside the commonest wrong ones."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Generator, Tensor

from autoencoder_lab.checks.compare import show
from autoencoder_lab.checks.experiment import Record, Watcher, noise_images, seeds_flaw
from autoencoder_lab.checks.question import Inputs, Question, by_sentence
from autoencoder_lab.metrics import Estimate

# --- 1: a transposed convolution -----------------------------------------------------------------------------------


def stamp(student: Callable[[Tensor, Tensor, int], Any]) -> None:
    """Exercise 02.1: student(x, kernel, stride), (n,) and (k,), gives y with y_{s·i+u} += x_i w_u. Slide 003."""
    STAMP.check(student)


Stamping = Callable[[Tensor, Tensor, int], Tensor]


def _stamped(put: Callable[[Tensor, slice, Tensor, Tensor], Any]) -> Stamping:
    """A loop over the inputs; put(out, place, value, kernel) says what happens at each."""

    def run(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
        out = torch.zeros((len(x) - 1) * stride + len(kernel))
        for i, value in enumerate(x):
            put(out, slice(i * stride, i * stride + len(kernel)), value, kernel)
        return out

    return run


def _add(out: Tensor, place: slice, values: Tensor) -> None:
    out[place] += values


_stamp = _stamped(lambda out, place, value, kernel: _add(out, place, value * kernel))


def _averaged(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    counts = _stamp(torch.ones_like(x), torch.ones_like(kernel), stride)
    return _stamp(x, kernel, stride) / counts.clamp(min=1)


def _one_place_apart(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    out = torch.zeros((len(x) - 1) * stride + len(kernel))
    for i, value in enumerate(x):
        out[i : i + len(kernel)] += value * kernel
    return out


def _side_by_side(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    out = torch.zeros(len(x) * len(kernel))
    for i, value in enumerate(x):
        out[i * len(kernel) : (i + 1) * len(kernel)] = value * kernel
    length = (len(x) - 1) * stride + len(kernel)
    return torch.nn.functional.pad(out, (0, max(0, length - len(out))))[:length]


STAMP_MISTAKES: dict[str, Stamping] = {
    "a later stamp overwrites an earlier one; where stamps overlap they add up: use += instead of =": _stamped(
        lambda out, place, value, kernel: out.__setitem__(place, value * kernel)
    ),
    "the kernel is turned round: in y_{s·i+u} the index u of the kernel grows with the output's": _stamped(
        lambda out, place, value, kernel: _add(out, place, value * kernel.flip(0))
    ),
    "overlapping stamps are averaged; a transposed convolution adds them, hence its checkerboards": _averaged,
    "your stamps stand one place apart; stamp i begins at i·stride": _one_place_apart,
    "your stamps stand a kernel's length apart; stamp i begins at i·stride, so that they may overlap": _side_by_side,
    "the kernel is not used: each input adds its value times the kernel": _stamped(
        lambda out, place, value, kernel: _add(out, place, value)
    ),
    "the input's value is not used: each input adds the kernel times its value": _stamped(
        lambda out, place, value, kernel: _add(out, place, kernel)
    ),
    "only the first entry of the kernel is used; each input adds the whole kernel times its value": _stamped(
        lambda out, place, value, kernel: _add(out, slice(place.start, place.start + 1), value * kernel[:1])
    ),
    "the last stamp is missing: there is one for every input, range(len(x))": lambda x, kernel, stride: _stamp(
        torch.cat([x[:-1], x.new_zeros(1)]), kernel, stride
    ),
    "the first stamp is missing: there is one for every input, from 0 on": lambda x, kernel, stride: _stamp(
        torch.cat([x.new_zeros(1), x[1:]]), kernel, stride
    ),
    "the last entry of the kernel is missing in every stamp: slice i·stride : i·stride + k": lambda x, kernel, stride: (
        _stamp(x, torch.cat([kernel[:-1], kernel.new_zeros(1)]), stride)
    ),
    "the input is read backwards: stamp i takes x[i]": lambda x, kernel, stride: _stamp(x.flip(0), kernel, stride),
    "only the first input is stamped: does your loop return after one turn?": lambda x, kernel, stride: _stamp(
        torch.cat([x[:1], torch.zeros_like(x[1:])]), kernel, stride
    ),
    "the stamps are there, but with the sign turned round": lambda x, kernel, stride: -_stamp(x, kernel, stride),
    "the kernel is added to the value; multiply the two": _stamped(
        lambda out, place, value, kernel: _add(out, place, value + kernel)
    ),
}


def _rows_and_kernels(_: Generator) -> Sequence[Inputs]:
    row, kernel = torch.tensor([1.0, -2.0, 3.0, 0.5]), torch.tensor([2.0, 1.0, -1.0])
    four = torch.tensor([1.0, 3.0, -2.0, 0.25])
    return [(row, kernel, 2), (row[:3], four, 2), (row[1:], kernel[:2], 3)]


STAMP = Question("stamp", _stamp, by_sentence(STAMP_MISTAKES), _rows_and_kernels)

# --- 3: an experiment ----------------------------------------------------------------------------------------------


def shuffled_pixels(experiment: Callable[..., Any], hurt: Callable[[dict[str, float]], Any]) -> None:
    """Exercise 02.3: a conv and a dense autoencoder, each on images as they are and with all pixels in one new order.

    Nothing is trained: experiment(data, fit, score) is handed a fit and a score that only write down what was asked.
    """
    watcher = Watcher("shuffled_pixels", noise_images())

    def fit(model: Any, trained_on: Any, **settings: Any) -> None:
        _write_down_training(watcher, model, trained_on, settings)

    def score(model: Any, split: Any, *args: Any, **kwargs: Any) -> Estimate:
        return _write_down_score(watcher, model, split)

    answer = watcher.answer(experiment, watcher.data, fit=fit, score=score)
    if answer is None:
        return
    watcher.refuse(_missing_run(watcher) or _difference(watcher) or _wrong_errors(watcher, answer))
    print("✓ shuffled_pixels: a fair design")
    HURT.check(hurt)


def _write_down_training(watcher: Watcher, model: Any, trained_on: Any, settings: dict[str, Any]) -> None:
    watcher.wants_whole_data(trained_on)
    again = "one model is trained twice; the second run would go on from the first: build a new model for each"
    watcher.wants_new_model(model, again)
    order = _order_of_all(watcher, trained_on)
    shuffled = not torch.equal(order, torch.arange(len(order)))
    kind = "conv" if any(isinstance(layer, torch.nn.Conv2d) for layer in model.modules()) else "dense"
    watcher.trained.append(Record(model=model, kind=kind, shuffled=shuffled, order=order, settings=settings))


def _write_down_score(watcher: Watcher, model: Any, split: Any) -> Estimate:
    run, data = watcher.training_of(model), watcher.data
    if len(split) != len(data.test):
        which = "training" if len(split) == len(data.train) else "validation"
        watcher.refuse(f"you measure on the {which} images; what counts is the error on the test images, data.test")
    if not torch.equal(_order_of(watcher, data.test.images, split.images), run.order):
        watcher.refuse("a model is measured on images in another pixel order than it was trained on")
    run.error = {"conv": 0.011, "dense": 0.023}[run.kind] * (1.5 if run.shuffled else 1.0)
    watcher.measured.append(run)
    return Estimate(run.error, 0.0001)


def _order_of_all(watcher: Watcher, given: Any) -> Tensor:
    """The one pixel order that all splits of a data set are in; CheckFailed where there is none."""
    splits = [(getattr(watcher.data, name), getattr(given, name)) for name in ("train", "val", "test")]
    orders = [_order_of(watcher, original.images, split.images) for original, split in splits]
    if any(not torch.equal(orders[0], order) for order in orders):
        watcher.refuse("training, validation and test images are in different orders; draw the order only once")
    return orders[0]


def _order_of(watcher: Watcher, original: Tensor, given: Tensor) -> Tensor:
    """The pixel order that leads from one batch to the other; CheckFailed where there is no single one."""
    before, after = original.flatten(1), given.flatten(1)
    if before.shape != after.shape or not torch.equal(before.sort(dim=1).values, after.sort(dim=1).values):
        watcher.refuse("the shuffled images must hold the same pixels as before, image by image, in another order")
    order = torch.empty(before.shape[1], dtype=torch.long)
    order[after[0].argsort()] = before[0].argsort()
    if not torch.equal(before[:, order], after):
        watcher.refuse("every image has got an order of its own; draw one order and use it for all images")
    return order


def _runs(watcher: Watcher) -> dict[tuple[str, bool], Any]:
    """{(kind, shuffled or not): the last run of it}."""
    return {(run.kind, run.shuffled): run for run in watcher.trained}


def _missing_run(watcher: Watcher) -> str | None:
    """Which of the four runs was not made, or how two that belong together differ, or None."""
    if not watcher.trained:
        return "nothing was trained with the fit handed to your function; call fit(model, data, …), not lab.fit"
    runs = _runs(watcher)
    for kind in ("conv", "dense"):
        for shuffled in (False, True):
            if (kind, shuffled) not in runs:
                what = "in the new order" if shuffled else "as they are"
                return f"there is no run of a {kind} autoencoder on the images {what}: a control is missing"
        plain, new = runs[kind, False].settings, runs[kind, True].settings
        of_kind = [run for run in watcher.trained if run.kind == kind]
        if flaw := seeds_flaw(of_kind, lambda run: run.shuffled):
            return f"the two {kind} runs have different seeds ({flaw}); let the pixel order be the only difference"
        if any(run.settings | {"seed": 0} != plain | {"seed": 0} for run in of_kind):
            return (
                f"the two {kind} runs are trained differently, {plain} against {new}; only the pixel order may differ"
            )
        if plain.get("augment") is not None:
            return "turning or shifting a shuffled image mixes pixels that are no neighbours; leave augment out here"
    return None


def _difference(watcher: Watcher) -> str | None:
    """How the two kinds of model differ in more than their kind, or None."""
    if len({run.model.latent for run in watcher.trained}) > 1:
        return "the code sizes differ; use one latent for all four models"
    runs = _runs(watcher)
    if not torch.equal(runs["conv", True].order, runs["dense", True].order):
        return "the two kinds get different pixel orders; draw the order once and use it for both"
    return None


def _wrong_errors(watcher: Watcher, answer: Any) -> str | None:
    """What is wrong with the errors returned, or None."""
    wanted = {run.kind + (", shuffled" if run.shuffled else ""): run.error for run in watcher.measured}
    if len(wanted) < 4:
        return "not every model was measured with the score handed to your function: score(model, data.test).value"
    expected_keys = ["conv", "conv, shuffled", "dense", "dense, shuffled"]
    if not isinstance(answer, Mapping) or sorted(answer) != expected_keys:
        return f"return a dictionary with the keys {expected_keys}, got {show(answer)}"
    if any(isinstance(value, Estimate) or not isinstance(value, Real) for value in answer.values()):
        return "the errors must be plain numbers: score(…) gives an Estimate, take its .value"
    if mixed := [repr(key) for key, value in wanted.items() if abs(answer[key] - value) > 1e-9]:
        return f"the numbers under {', '.join(mixed)} belong to other runs; are two of them exchanged?"
    return None


def _verdict(conv: bool, dense: bool) -> str:
    return "both" if conv and dense else "conv" if conv else "dense" if dense else "neither"


# of four errors: conv, conv with shuffled pixels, dense, dense with shuffled pixels
HURT_MISTAKES: dict[str, Callable[[float, float, float, float], str]] = {
    "you compare the two kinds with each other; compare each with itself, not shuffled": lambda a, b, c, d: _verdict(
        b > 1.2 * d, d > 1.2 * b
    ),
    "any rise counts for you, even one by chance; ask for more than 20 %": lambda a, b, c, d: _verdict(b > a, d > c),
    "the comparison is the wrong way round: hurt means the error rises when shuffled": lambda a, b, c, d: _verdict(
        b < a / 1.2, d < c / 1.2
    ),
    "you compare the rise itself with 0.2; relative to the error it must be more than 20 %": lambda a, b, c, d: (
        _verdict(b - a > 0.2, d - c > 0.2)
    ),
    "20 % more is a factor of 1.2": lambda a, b, c, d: _verdict(b > 0.2 * a, d > 0.2 * c),
    "you name the kind that does not suffer": lambda a, b, c, d: _verdict(b <= 1.2 * a, d <= 1.2 * c),
    "you name the kind that suffers most; where both suffer, or neither, say so": lambda a, b, c, d: (
        "conv" if b / a > d / c else "dense"
    ),
}

HURT = Question(
    "hurt",
    lambda a, b, c, d: _verdict(b > 1.2 * a, d > 1.2 * c),
    by_sentence(HURT_MISTAKES),
    lambda _: [
        (0.01, 0.015, 0.02, 0.0203),
        (0.02, 0.0201, 0.01, 0.02),
        (0.01, 0.02, 0.01, 0.03),
        (0.02, 0.021, 0.01, 0.011),
        (5.0, 5.5, 1.0, 1.5),
        (0.02, 0.019, 0.01, 0.015),
    ],
    adapt=lambda hurt: lambda a, b, c, d: hurt({"conv": a, "conv, shuffled": b, "dense": c, "dense, shuffled": d}),
)

# --- 4: the share of fast waves ------------------------------------------------------------------------------------


def fast_share(student: Callable[[Tensor, float], Any]) -> None:
    """Exercise 02.4: student(images, cutoff) gives the share of power above `cutoff` waves per image."""
    FAST_SHARE.check(student)


def _frequencies(images: Tensor) -> tuple[Tensor, Tensor]:
    """Waves per image along rows (H, 1) and columns (1, W)."""
    height, width = images.shape[2:]
    return torch.fft.fftfreq(height)[:, None] * height, torch.fft.fftfreq(width)[None, :] * width


def _waves(images: Tensor) -> Tensor:
    """Waves per image of every entry of a spectrum, (H, W)."""
    row, column = _frequencies(images)
    return (row.square() + column.square()).sqrt()


def _waves_per_pixel(images: Tensor) -> Tensor:
    row, column = (torch.fft.fftfreq(size) for size in images.shape[2:])
    frequency: Tensor = (row[:, None].square() + column.square()).sqrt()
    return frequency


def _powers(images: Tensor) -> Tensor:
    power: Tensor = torch.fft.fft2(images).abs().square().sum(dim=1)  # (N, H, W)
    return power


def _share(power: Tensor, cutoff: float, frequency: Tensor) -> Tensor:
    return power[..., frequency > cutoff].sum() / power[..., frequency > 0].sum()


def _fast_share(images: Tensor, cutoff: float) -> Tensor:
    return _share(_powers(images), cutoff, _waves(images))


def _of_the_wrong_axes(images: Tensor, cutoff: float) -> Tensor:
    power = torch.fft.fft2(images, dim=(0, 1)).abs().square().sum(dim=(0, 1))
    return _share(power, cutoff, _waves(images))


def _of_the_larger_frequency(images: Tensor, cutoff: float) -> Tensor:
    row, column = _frequencies(images)
    return _share(_powers(images), cutoff, torch.maximum(row.abs(), column.abs()))


def _of_rows_only(images: Tensor, cutoff: float) -> Tensor:
    row, column = _frequencies(images)
    return _share(_powers(images), cutoff, (row + 0 * column).abs())


def _with_index_for_frequency(images: Tensor, cutoff: float) -> Tensor:
    rows, columns = torch.arange(images.shape[2])[:, None], torch.arange(images.shape[3])[None, :]
    return _share(_powers(images), cutoff, (rows**2 + columns**2).float().sqrt())


def _mean_of_shares(images: Tensor, cutoff: float) -> Tensor:
    return torch.stack([_share(power, cutoff, _waves(images)) for power in _powers(images)]).mean()


FAST_SHARE_MISTAKES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "you average the images before the transform: their fine detail stands at different places and cancels. "
    "Transform each image, then add up the power": lambda images, cutoff: _fast_share(
        images.mean(0, keepdim=True), cutoff
    ),
    "power is the squared magnitude |FFT|²; you left out the square": lambda images, cutoff: _share(
        torch.fft.fft2(images).abs().sum(dim=1), cutoff, _waves(images)
    ),
    "the constant part (frequency 0) is in your denominator; it is the mean brightness, not a wave": (
        lambda images, cutoff: _powers(images)[..., _waves(images) > cutoff].sum() / _powers(images).sum()
    ),
    "that is the share of the slow waves; the fast ones lie above the cutoff": lambda images, cutoff: (
        1 - _fast_share(images, cutoff)
    ),
    "you divide by the power below the cutoff; a share is divided by the whole": lambda images, cutoff: (
        _powers(images)[..., _waves(images) > cutoff].sum()
        / _powers(images)[..., (_waves(images) > 0) & (_waves(images) <= cutoff)].sum()
    ),
    "waves of exactly the cutoff count as slow: use > instead of >=": lambda images, cutoff: (
        _powers(images)[..., _waves(images) >= cutoff].sum() / _powers(images)[..., _waves(images) > 0].sum()
    ),
    "you use the index as the frequency: the second half of an FFT holds the negative frequencies; "
    "torch.fft.fftfreq(n) * n gives them": _with_index_for_frequency,
    "fftfreq counts in waves per pixel; multiply by the height and the width for waves per image": (
        lambda images, cutoff: _share(_powers(images), cutoff, _waves_per_pixel(images))
    ),
    "you take the larger of the two frequencies; a slanted wave has √(row² + column²)": _of_the_larger_frequency,
    "only the frequency along the rows counts; take √(row² + column²)": _of_rows_only,
    "you transform over images and channels; fft2 belongs to the last two dimensions, height and width": (
        _of_the_wrong_axes
    ),
    "you average the shares of single images; add up the power of all images first, then divide": _mean_of_shares,
}


def _images_and_cutoffs(generator: Generator) -> Sequence[Inputs]:
    images = torch.rand(5, 1, 8, 8, generator=generator) * torch.linspace(0.1, 1, 5)[:, None, None, None]
    return [(images, 2), (images, 3)]


FAST_SHARE = Question("fast_share", _fast_share, by_sentence(FAST_SHARE_MISTAKES), _images_and_cutoffs)
