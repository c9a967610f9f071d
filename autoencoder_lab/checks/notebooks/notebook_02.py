"""The checks of notebook 02, convolutional autoencoders: right functions beside the commonest wrong ones."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab.checks.compare import CheckFailed, compare_with, noise_images


def stamp(student: Callable[[Tensor, Tensor, int], Any]) -> None:
    """Exercise 02.1: student(x, kernel, stride), (n,) and (k,), gives y with y_{s·i+u} += x_i k_u. Slide 003."""

    def stamped(put: Callable[[Tensor, slice, Tensor, Tensor], Any]) -> Callable[[Tensor, Tensor, int], Tensor]:
        """A loop over the inputs; put(out, place, value, kernel) says what happens at each."""

        def run(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
            out = torch.zeros((len(x) - 1) * stride + len(kernel))
            for i, value in enumerate(x):
                put(out, slice(i * stride, i * stride + len(kernel)), value, kernel)
            return out

        return run

    def add(out: Tensor, place: slice, values: Tensor) -> None:
        out[place] += values

    right = stamped(lambda out, place, value, kernel: add(out, place, value * kernel))

    def averaged(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
        counts = right(torch.ones_like(x), torch.ones_like(kernel), stride)
        return right(x, kernel, stride) / counts.clamp(min=1)

    def stride_1(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
        out = torch.zeros((len(x) - 1) * stride + len(kernel))
        for i, value in enumerate(x):
            out[i : i + len(kernel)] += value * kernel
        return out

    def side_by_side(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
        out = torch.zeros(len(x) * len(kernel))
        for i, value in enumerate(x):
            out[i * len(kernel) : (i + 1) * len(kernel)] = value * kernel
        length = (len(x) - 1) * stride + len(kernel)
        return torch.nn.functional.pad(out, (0, max(0, length - len(out))))[:length]

    mistakes = {
        "a later stamp overwrites an earlier one; where stamps overlap they add up: use += instead of =": stamped(
            lambda out, place, value, kernel: out.__setitem__(place, value * kernel)
        ),
        "the kernel is turned round: in y_{s·i+u} the index u of the kernel grows with the output's": stamped(
            lambda out, place, value, kernel: add(out, place, value * kernel.flip(0))
        ),
        "overlapping stamps are averaged; a transposed convolution adds them, hence its checkerboards": averaged,
        "your stamps stand one place apart; stamp i begins at i·stride": stride_1,
        "your stamps stand a kernel's length apart; stamp i begins at i·stride, so that they may overlap": side_by_side,
        "the kernel is not used: each input adds its value times the kernel": stamped(
            lambda out, place, value, kernel: add(out, place, value)
        ),
        "the input's value is not used: each input adds the kernel times its value": stamped(
            lambda out, place, value, kernel: add(out, place, kernel)
        ),
        "only the first entry of the kernel is used; each input adds the whole kernel times its value": stamped(
            lambda out, place, value, kernel: add(out, slice(place.start, place.start + 1), value * kernel[:1])
        ),
        "the kernel is added to the value; multiply the two": stamped(
            lambda out, place, value, kernel: add(out, place, value + kernel)
        ),
    }
    row, kernel = torch.tensor([1.0, -2.0, 3.0, 0.5]), torch.tensor([2.0, 1.0, -1.0])
    four = torch.tensor([1.0, 3.0, -2.0, 0.25])
    compare_with("stamp", student, right, mistakes, [(row, kernel, 2), (row[:3], four, 2), (row[1:], kernel[:2], 3)])


def fast_share(student: Callable[[Tensor, float], Any]) -> None:
    """Exercise 02.3: student(images, cutoff) gives the share of power above `cutoff` waves per image."""

    def frequencies(height: int, width: int) -> tuple[Tensor, Tensor]:
        return torch.fft.fftfreq(height)[:, None] * height, torch.fft.fftfreq(width)[None, :] * width

    def radius(height: int, width: int) -> Tensor:
        row, column = frequencies(height, width)
        return (row.square() + column.square()).sqrt()

    def powers(images: Tensor) -> Tensor:
        power: Tensor = torch.fft.fft2(images).abs().square().sum(dim=1)  # (N, H, W)
        return power

    def share(power: Tensor, cutoff: float, frequency: Tensor) -> Tensor:
        return power[..., frequency > cutoff].sum() / power[..., frequency > 0].sum()

    def of(images: Tensor) -> Tensor:
        return radius(images.shape[2], images.shape[3])

    def wrong_axis(x: Tensor, cutoff: float) -> Tensor:
        power = torch.fft.fft2(x, dim=(0, 1)).abs().square().sum(dim=(0, 1))
        return share(power, cutoff, of(x))

    def square_ring(x: Tensor, cutoff: float) -> Tensor:
        row, column = frequencies(x.shape[2], x.shape[3])
        return share(powers(x), cutoff, torch.maximum(row.abs(), column.abs()))

    def rows_only(x: Tensor, cutoff: float) -> Tensor:
        row, column = frequencies(x.shape[2], x.shape[3])
        return share(powers(x), cutoff, (row + 0 * column).abs())

    def index_as_frequency(x: Tensor, cutoff: float) -> Tensor:
        rows, columns = torch.arange(x.shape[2])[:, None], torch.arange(x.shape[3])[None, :]
        return share(powers(x), cutoff, (rows**2 + columns**2).float().sqrt())

    def each_image(x: Tensor, cutoff: float) -> Tensor:
        return torch.stack([share(power, cutoff, of(x)) for power in powers(x)]).mean()

    mistakes: dict[str, Callable[[Tensor, float], Tensor]] = {
        "you average the images before the transform: their fine detail stands at different places and cancels. "
        "Transform each image, then add up the power": lambda x, c: share(powers(x.mean(0, keepdim=True)), c, of(x)),
        "power is the squared magnitude |FFT|²; you left out the square": lambda x, c: share(
            torch.fft.fft2(x).abs().sum(dim=1), c, of(x)
        ),
        "the constant part (frequency 0) is in your denominator; it is the mean brightness, not a wave": lambda x, c: (
            powers(x)[..., of(x) > c].sum() / powers(x).sum()
        ),
        "that is the share of the slow waves; the fast ones lie above the cutoff": lambda x, c: (
            1 - share(powers(x), c, of(x))
        ),
        "you divide by the power below the cutoff; a share is divided by the whole": lambda x, c: (
            powers(x)[..., of(x) > c].sum() / powers(x)[..., (of(x) > 0) & (of(x) <= c)].sum()
        ),
        "waves of exactly the cutoff count as slow: use > instead of >=": lambda x, c: (
            powers(x)[..., of(x) >= c].sum() / powers(x)[..., of(x) > 0].sum()
        ),
        "you use the index as the frequency: the second half of an FFT holds the negative frequencies; "
        "torch.fft.fftfreq(n) * n gives them": index_as_frequency,
        "fftfreq counts in waves per pixel; multiply by the height and the width for waves per image": lambda x, c: (
            powers(x)[..., _per_pixel(x) > c].sum() / powers(x)[..., _per_pixel(x) > 0].sum()
        ),
        "you take the larger of the two frequencies; a slanted wave has √(row² + column²)": square_ring,
        "only the frequency along the rows counts; take √(row² + column²)": rows_only,
        "you transform over images and channels; fft2 belongs to the last two dimensions, height and width": wrong_axis,
        "you average the shares of single images; add up the power of all images first, then divide": each_image,
    }
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(5, 1, 8, 8, generator=generator) * torch.linspace(0.1, 1, 5)[:, None, None, None]
    compare_with("fast_share", student, lambda x, c: share(powers(x), c, of(x)), mistakes, [(images, 2), (images, 3)])


def _per_pixel(x: Tensor) -> Tensor:
    row, column = torch.fft.fftfreq(x.shape[2])[:, None], torch.fft.fftfreq(x.shape[3])[None, :]
    frequency: Tensor = (row.square() + column.square()).sqrt()
    return frequency


def shuffled_pixels(experiment: Callable[..., Any], hurt: Callable[[dict[str, float]], Any]) -> None:
    """Exercise 02.2: a conv and a dense autoencoder, each on images as they are and with all pixels in one new order.

    Nothing is trained: experiment(data, fit, score) is handed a fit and a score that only write down what was asked.
    """
    name = "shuffled_pixels"
    runs = _watch_shuffled_pixels(name, experiment)
    if runs is None:
        print(f"{name}: not done yet")
        return
    print(f"✓ {name}: a fair design")

    def of(conv: float, conv_shuffled: float, dense: float, dense_shuffled: float) -> dict[str, float]:
        return {"conv": conv, "conv, shuffled": conv_shuffled, "dense": dense, "dense, shuffled": dense_shuffled}

    def verdict(conv: bool, dense: bool) -> str:
        return "both" if conv and dense else "conv" if conv else "dense" if dense else "neither"

    Four = Callable[[float, float, float, float], str]
    mistakes: dict[str, Four] = {
        "you compare the two kinds with each other; compare each with itself, not shuffled": lambda a, b, c, d: verdict(
            b > 1.2 * d, d > 1.2 * b
        ),
        "any rise counts for you, even one by chance; ask for more than 20 %": lambda a, b, c, d: verdict(b > a, d > c),
        "the comparison is the wrong way round: hurt means the error rises when shuffled": lambda a, b, c, d: verdict(
            b < a / 1.2, d < c / 1.2
        ),
        "you compare the rise itself with 0.2; relative to the error it must be more than 20 %": lambda a, b, c, d: (
            verdict(b - a > 0.2, d - c > 0.2)
        ),
        "20 % more is a factor of 1.2": lambda a, b, c, d: verdict(b > 0.2 * a, d > 0.2 * c),
        "you name the kind that does not suffer": lambda a, b, c, d: verdict(b <= 1.2 * a, d <= 1.2 * c),
        "you name the kind that suffers most; where both suffer, or neither, say so": lambda a, b, c, d: (
            "conv" if b / a > d / c else "dense"
        ),
    }
    cases = [
        (0.01, 0.015, 0.02, 0.0203),
        (0.02, 0.0201, 0.01, 0.02),
        (0.01, 0.02, 0.01, 0.03),
        (0.02, 0.021, 0.01, 0.011),
        (5.0, 5.5, 1.0, 1.5),
        (0.02, 0.019, 0.01, 0.015),
    ]
    compare_with(
        "hurt",
        lambda a, b, c, d: hurt(of(a, b, c, d)),
        lambda a, b, c, d: verdict(b > 1.2 * a, d > 1.2 * c),
        mistakes,
        cases,
    )


def _watch_shuffled_pixels(name: str, experiment: Callable[..., Any]) -> Any:
    """The answer of a fair experiment, None for a stub; CheckFailed names the first flaw of the design."""
    from autoencoder_lab.data.split import ImageData
    from autoencoder_lab.metrics.estimate import Estimate

    def fail(flaw: str) -> CheckFailed:
        return CheckFailed(f"{name}: {flaw}")

    data = noise_images()
    fits: list[dict[str, Any]] = []
    scores: dict[tuple[str, str], float] = {}

    def kind_of(model: Any) -> str:
        return "conv" if any(isinstance(layer, torch.nn.Conv2d) for layer in model.modules()) else "dense"

    def order_of(original: Tensor, given: Tensor) -> Tensor:
        """The pixel order that leads from one batch to the other; fails where there is no single one."""
        before, after = original.flatten(1), given.flatten(1)
        if before.shape != after.shape or not torch.equal(before.sort(dim=1).values, after.sort(dim=1).values):
            raise fail("the shuffled images must hold the same pixels as before, image by image, in another order")
        order = torch.empty(before.shape[1], dtype=torch.long)
        order[after[0].argsort()] = before[0].argsort()
        if not torch.equal(before[:, order], after):
            raise fail("every image has got an order of its own; draw one order and use it for all images")
        return order

    def fit(model: Any, trained_on: Any, **settings: Any) -> None:
        if not isinstance(trained_on, ImageData):
            raise fail(f"fit(model, data) takes the whole data set, got {type(trained_on).__name__}")
        if any(run["model"] is model for run in fits):
            raise fail(
                "one model is trained twice; the second run would go on from the first: build a new model for each"
            )
        orders = [
            order_of(a.images, b.images)
            for a, b in ((getattr(data, s), getattr(trained_on, s)) for s in ("train", "val", "test"))
        ]
        if any(not torch.equal(orders[0], order) for order in orders):
            raise fail("training, validation and test images are in different orders; draw the order only once")
        shuffled = not torch.equal(orders[0], torch.arange(len(orders[0])))
        fits.append(
            {"model": model, "kind": kind_of(model), "shuffled": shuffled, "order": orders[0], "settings": settings}
        )

    def score(model: Any, split: Any, *args: Any, **kwargs: Any) -> Estimate:
        run = next((run for run in fits if run["model"] is model), None)
        if run is None:
            raise fail("a model is measured before it was trained")
        if len(split) != len(data.test):
            which = "training" if len(split) == len(data.train) else "validation"
            raise fail(f"you measure on the {which} images; what counts is the error on the test images, data.test")
        if not torch.equal(order_of(data.test.images, split.images), run["order"]):
            raise fail("a model is measured on images in another pixel order than it was trained on")
        key = (run["kind"], ", shuffled" if run["shuffled"] else "")
        scores[key] = {"conv": 0.011, "dense": 0.023}[key[0]] * (1.5 if key[1] else 1.0)
        return Estimate(scores[key], 0.0001)

    try:
        answer = experiment(data, fit=fit, score=score)
    except (CheckFailed, NotImplementedError) as error:
        if isinstance(error, NotImplementedError):
            return None
        raise
    except Exception as error:
        raise fail(f"your function stops with {type(error).__name__}: {error}") from error
    if answer is None or answer is Ellipsis:
        return None
    if not fits:
        raise fail("nothing was trained with the fit handed to your function; call fit(model, data, …), not lab.fit")
    done = {(run["kind"], run["shuffled"]): run for run in fits}
    for kind in ("conv", "dense"):
        for shuffled in (False, True):
            if (kind, shuffled) not in done:
                what = "in the new order" if shuffled else "as they are"
                raise fail(f"there is no run of a {kind} autoencoder on the images {what}: a control is missing")
        plain, new = done[kind, False]["settings"], done[kind, True]["settings"]
        if plain.get("seed", 0) != new.get("seed", 0):
            raise fail(f"the two {kind} runs have different seeds; let the pixel order be the only difference")
        if plain != new:
            raise fail(
                f"the two {kind} runs are trained differently, {plain} against {new}; only the pixel order may differ"
            )
        if plain.get("augment") is not None:
            raise fail(
                "turning or shifting a shuffled image mixes pixels that are no neighbours; leave augment out here"
            )
    if len({run["model"].latent for run in fits}) > 1:
        raise fail("the code sizes differ; use one latent for all four models")
    if not torch.equal(done["conv", True]["order"], done["dense", True]["order"]):
        raise fail("the two kinds get different pixel orders; draw the order once and use it for both")
    wanted = {kind + ending: value for (kind, ending), value in scores.items()}
    if len(wanted) < 4:
        raise fail("not every model was measured with the score handed to your function: score(model, data.test).value")
    expected_keys = ["conv", "conv, shuffled", "dense", "dense, shuffled"]
    if not isinstance(answer, Mapping) or sorted(answer) != expected_keys:
        raise fail(f"return a dictionary with the keys {expected_keys}, got {answer!r}")
    if any(isinstance(value, Estimate) or not isinstance(value, float | int) for value in answer.values()):
        raise fail("the errors must be plain numbers: score(…) gives an Estimate, take its .value")
    if any(abs(answer[key] - value) > 1e-9 for key, value in wanted.items()):
        mixed = ", ".join(repr(key) for key, value in wanted.items() if abs(answer[key] - value) > 1e-9)
        raise fail(f"the numbers under {mixed} belong to other runs; are two of them exchanged?")
    return answer
