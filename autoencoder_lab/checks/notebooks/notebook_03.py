"""The checks of notebook 03, denoising: right functions beside the commonest wrong ones."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Generator, Tensor

from autoencoder_lab.checks.compare import CheckFailed, show
from autoencoder_lab.checks.experiment import Record, Watcher, noise_images, numbered_images, numbers_in, seeds_flaw
from autoencoder_lab.checks.question import Inputs, Question, by_sentence
from autoencoder_lab.metrics import Estimate

# --- 1: the loop that draws the noise ------------------------------------------------------------------------------


def denoising_epochs(student: Callable[..., Any]) -> None:
    """Exercise 03.1: student(images, corrupt, step, epochs, batch_size) calls step(damaged, clean), with fresh noise.

    Nothing is trained: `step` writes down what it is handed. Every image is known by its grey, i / 1000.
    """
    watcher, epochs, batch_size = Watcher("denoising_epochs", numbered_images()), 3, 16
    images, handed = watcher.data.train.images, watcher.trained
    kept = images.clone()
    generator = torch.Generator().manual_seed(0)

    def corrupt(x: Tensor, generator_given: Any = None) -> Tensor:
        # between 0.0001 and 0.0002: the image can still be told, and noise put on twice shows
        return x + 1e-4 * (1 + torch.rand(x.shape, generator=generator_given or generator))

    def step(x: Tensor, target: Tensor) -> None:
        handed.append(Record(x=x.clone(), target=target.clone()))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        answer = watcher.answer(student, images, corrupt, step, epochs, batch_size)
    if answer is None and not handed:
        return
    if not torch.equal(images, kept):
        watcher.refuse("your function changes the images in place; x̃ = corrupt(x) leaves x as it is")
    if not handed:
        watcher.refuse("step was never called; hand it every batch: step(damaged, clean)")
    watcher.refuse(_pair_flaw(handed) or _order_flaw(handed, len(images), epochs, batch_size))
    watcher.refuse(_noise_flaw(handed, epochs))
    if answer != len(handed):
        watcher.refuse(f"return the number of steps, {len(handed)}, got {show(answer)}")
    print("✓ denoising_epochs: correct, every image comes with new noise in every epoch")


def _is_clean(x: Tensor) -> bool:
    grey = x.flatten(1)[:, :1]
    return bool(
        ((x.flatten(1) - grey).abs() < 1e-6).all() and ((grey * 1000 - (grey * 1000).round()).abs() < 1e-3).all()
    )


def _pair_flaw(handed: list[Record]) -> str | None:
    """What is wrong with a single pair (input, target)."""
    for pair in handed:
        x, target = pair.x, pair.target
        if x.shape != target.shape or x.shape[1:] != (1, 4, 4):
            return f"step takes images (B, 1, H, W), as many clean as damaged, got {(*x.shape,)} and {(*target.shape,)}"
        if _is_clean(x) and _is_clean(target):
            return "clean → clean: the input has no noise, so the model learns to copy; hand it corrupt(x)"
        if _is_clean(x):
            return "clean → noisy: the two are exchanged; the damaged images are the input, the clean ones the target"
        if not _is_clean(target):
            return "noisy → noisy: the target must be the clean image, or the model learns to give the noise back"
        if numbers_in(x) != numbers_in(target) or not torch.equal(_number(x), _number(target)):
            return "input and target show different images; take both by the same indices"
        noise = (x - target).flatten(1).mean(dim=1)
        if (noise > 2e-4).any():
            return "the noise is put on more than once; call corrupt on clean images only"
        if (noise < 1e-4 - 1e-6).any():
            return "this is not the noise of the corruption handed to your function; use corrupt(x)"
    return None


def _number(x: Tensor) -> Tensor:
    number: Tensor = (x.flatten(1).mean(dim=1) * 1000).round()
    return number


def _order_flaw(handed: list[Record], count: int, epochs: int, batch_size: int) -> str | None:
    """Whether every epoch shows every image once, in batches, in an order of its own."""
    largest = max(len(pair.x) for pair in handed)
    if largest > batch_size:
        return f"a batch holds up to {largest} images, asked for were {batch_size}"
    order = torch.cat([_number(pair.target) for pair in handed])
    if len(order) != epochs * count:
        return f"{len(order)} images were shown; {count} images and {epochs} epochs make {epochs * count}"
    by_epoch = order.view(epochs, count)
    if any(len(row.unique()) < count for row in by_epoch):
        return "some images come twice in an epoch and others never; go once through all of them, torch.randperm(n)"
    if all(torch.equal(row, by_epoch[0]) for row in by_epoch):
        return "every epoch has the same order; shuffle anew at the start of each"
    return None


def _noise_flaw(handed: list[Record], epochs: int) -> str | None:
    """Whether the noise is new for every image and every epoch."""
    noise = torch.cat([pair.x - pair.target for pair in handed]).flatten(1)
    order = torch.cat([_number(pair.target) for pair in handed])
    count = len(noise) // epochs
    first, second = (noise[k * count : (k + 1) * count][order[k * count : (k + 1) * count].argsort()] for k in (0, 1))
    if torch.allclose(first, second, atol=1e-6):
        return (
            "the noise is drawn once: every epoch shows an image with the same noise, which can be learnt by heart; "
            "call corrupt in every epoch, on every batch"
        )
    sizes = [len(pair.x) for pair in handed]
    starts = torch.tensor([0, *sizes[:-1]]).cumsum(0)
    if torch.allclose(noise[starts], noise[0].expand(len(starts), -1), atol=1e-6):
        return "every batch gets the same noise: the generator is set back before each; let it run on"
    if torch.allclose(noise[: sizes[0]], noise[0].expand(sizes[0], -1), atol=1e-6):
        return "all images of a batch get the same noise; corrupt the whole batch, not one image"
    return None


# --- 2: the best answer to squared error ---------------------------------------------------------------------------


def posterior_mean(student: Callable[[Tensor, Tensor, float], Any]) -> None:
    """Exercise 03.2: student(noisy, candidates, sigma), (B, D) and (N, D), gives E[x | x̃], (B, D)."""
    POSTERIOR_MEAN.check(student)


Mean = Callable[[Tensor, Tensor, float], Tensor]


def _squared_distances(noisy: Tensor, candidates: Tensor) -> Tensor:
    distance: Tensor = (noisy[:, None] - candidates).square().sum(dim=2)  # (B, N)
    return distance


def _weighed(exponent: Callable[[Tensor, float], Tensor]) -> Mean:
    """The mean of the candidates, weighed by exp of `exponent`, which is made from squared distances and σ."""
    return lambda noisy, candidates, sigma: (
        exponent(_squared_distances(noisy, candidates), sigma).softmax(dim=1) @ candidates
    )


_posterior_mean = _weighed(lambda squares, sigma: -squares / (2 * sigma**2))


def _without_underflow(student: Callable[[Tensor, Tensor, float], Any]) -> Callable[[Tensor, Tensor, float], Any]:
    """The student's function, with a complaint of nan where whole images come in."""

    def watched(noisy: Tensor, candidates: Tensor, sigma: float) -> Any:
        answer = student(noisy, candidates, sigma)
        if noisy.shape[1] != 784 or not isinstance(answer, Tensor) or answer.shape != noisy.shape:
            return answer
        lost = answer.isnan().any(dim=1)
        if lost.any() and not lost.all():
            raise CheckFailed(
                f"posterior_mean: row {int(lost.nonzero()[0])} of {len(lost)} is nan, the others are not: the largest "
                "exponent that you take off is that of all rows together, and in a row far below it every weight is "
                "rounded to 0. Each noisy image needs its own: exponent.amax(dim=1, keepdim=True), or softmax(dim=1)"
            )
        if lost.any():
            raise CheckFailed(
                "posterior_mean: for 784 pixels exp(−‖x̃ − x‖² / (2σ²)) is e⁻⁶⁰⁰ or so, which PyTorch rounds to 0, and "
                "0 / 0 is nan; softmax(dim=1) of the exponents gives the same weights and cannot underflow"
            )
        return answer

    return watched


POSTERIOR_MEAN_MISTAKES: dict[str, Mean] = {
    "the 2 is missing: a Gaussian's exponent is −‖x̃ − x‖² / (2σ²)": _weighed(
        lambda squares, sigma: -squares / sigma**2
    ),
    "σ is not squared: a Gaussian's exponent is −‖x̃ − x‖² / (2σ²)": _weighed(
        lambda squares, sigma: -squares / (2 * sigma)
    ),
    "you multiply by σ² instead of dividing: more noise must make the weights more equal": _weighed(
        lambda squares, sigma: -squares * sigma**2 / 2
    ),
    "σ is not used": _weighed(lambda squares, sigma: -squares / 2),
    "the distance is not squared": _weighed(lambda squares, sigma: -squares.sqrt() / (2 * sigma**2)),
    "the sign is wrong: a candidate far from x̃ must weigh less": _weighed(
        lambda squares, sigma: squares / (2 * sigma**2)
    ),
    "you average the squared differences over pixels; the exponent needs their sum": lambda noisy, candidates, sigma: (
        _weighed(lambda squares, sigma: -squares / candidates.shape[1] / (2 * sigma**2))(noisy, candidates, sigma)
    ),
    "that is the likeliest candidate; the mean mixes all of them by their weights": lambda noisy, candidates, sigma: (
        candidates[_squared_distances(noisy, candidates).argmin(dim=1)]
    ),
    "all candidates weigh the same; weigh each by how likely it makes x̃": lambda noisy, candidates, sigma: (
        candidates.mean(dim=0).expand_as(noisy)
    ),
    "the weights are normalised over the noisy images; for each x̃ those of the candidates add up to 1": (
        lambda noisy, candidates, sigma: (
            (-_squared_distances(noisy, candidates) / (2 * sigma**2)).softmax(dim=0) @ candidates
        )
    ),
    "the weights are not normalised; for each x̃ they must add up to 1": lambda noisy, candidates, sigma: (
        (-_squared_distances(noisy, candidates) / (2 * sigma**2)).exp() @ candidates
    ),
    "you weigh by 1/distance; Gaussian noise asks for exp(−‖x̃ − x‖² / (2σ²))": lambda noisy, candidates, sigma: (
        (
            (1 / _squared_distances(noisy, candidates))
            / (1 / _squared_distances(noisy, candidates)).sum(dim=1, keepdim=True)
        )
        @ candidates
    ),
    "the weights are divided by the largest of each row, not by their sum; for each x̃ they must add up to 1": (
        lambda noisy, candidates, sigma: (
            (
                -_squared_distances(noisy, candidates) / (2 * sigma**2)
                + (_squared_distances(noisy, candidates) / (2 * sigma**2)).min(dim=1, keepdim=True).values
            ).exp()
            @ candidates
        )
    ),
    "that is x̃ as it came; return the weighed mean of the candidates": lambda noisy, candidates, sigma: noisy,
    "the distance has a root, and σ no square: the exponent is −‖x̃ − x‖² / (2σ²)": _weighed(
        lambda squares, sigma: -squares.sqrt() / (2 * sigma)
    ),
    "the answer is x̃ itself mixed in; the mean is over the candidates alone": lambda noisy, candidates, sigma: (
        (_posterior_mean(noisy, candidates, sigma) + noisy) / 2
    ),
}


def _noisy_and_candidates(generator: Generator) -> Sequence[Inputs]:
    candidates = torch.rand(5, 6, generator=generator)
    noisy = candidates[[0, 2, 4]] + 0.3 * torch.randn(3, 6, generator=generator)
    many = torch.rand(4, 784, generator=generator)
    # of the last two rows one lies near, one far: a maximum of both together is no help to the far one
    near_and_far = many[:2] + torch.tensor([[0.05], [1.2]])
    whole = [(many[:2] + 0.9, many, 0.5), (near_and_far, many, 0.5)]
    return [(noisy, candidates, 0.6), (noisy[:2], candidates[1:], 0.4), *whole]


POSTERIOR_MEAN = Question(
    "posterior_mean",
    _posterior_mean,
    by_sentence(POSTERIOR_MEAN_MISTAKES),
    _noisy_and_candidates,
    adapt=_without_underflow,
)

# --- 3: where the loss looks ---------------------------------------------------------------------------------------


def loss_on_the_hole(experiment: Callable[..., Any], recommend: Callable[[dict[str, Any], bool], Any]) -> None:
    """Exercise 03.3: two inpainters that differ in where the loss looks, then which to recommend to whom.

    Nothing is trained: experiment(data, fit, score) is handed a fit and a score that only write down what was asked.
    """
    watcher = Watcher("loss_on_the_hole", noise_images())

    def fit(model: Any, trained_on: Any, loss_on: Any = "everywhere", corrupt: Any = None, **settings: Any) -> None:
        _write_down_training(watcher, model, trained_on, loss_on, corrupt, settings)

    def score(model: Any, split: Any, corrupt: Any = None) -> tuple[Estimate, Estimate]:
        return _write_down_score(watcher, model, split, corrupt)

    answer = watcher.answer(experiment, watcher.data, fit=fit, score=score)
    if answer is None:
        return
    watcher.refuse(_unfair(watcher.trained) or _wrong_errors(watcher.measured, answer))
    print("✓ loss_on_the_hole: a fair design")
    RECOMMEND.check(recommend)


def _write_down_training(
    watcher: Watcher, model: Any, trained_on: Any, loss_on: Any, corrupt: Any, settings: dict[str, Any]
) -> None:
    if loss_on not in ("everywhere", "hole"):
        watcher.refuse(f'loss_on must be "everywhere" or "hole", got {loss_on!r}')
    if trained_on is not watcher.data:
        watcher.refuse("train on the data handed to your function, data; fit takes its training images by itself")
    again = "one model is trained twice; the second run would go on from the first: build a new one for each"
    watcher.wants_new_model(model, again)
    if corrupt is None:
        watcher.refuse("clean → clean: without corrupt the model never sees a hole; fit(…, corrupt=hole)")
    if not hasattr(corrupt, "mask"):
        watcher.refuse(f"{corrupt!r} makes no holes; corrupt=lab.corrupt.box_mask(10, fill=0.5)")
    images = watcher.data.train.images
    if torch.equal(corrupt.mask(images), corrupt.mask(images)):
        watcher.refuse("the holes are drawn once and stay where they are; every batch needs new ones")
    watcher.trained.append(Record(model=model, loss_on=loss_on, corrupt=corrupt, settings=settings))


def _write_down_score(watcher: Watcher, model: Any, split: Any, corrupt: Any) -> tuple[Estimate, Estimate]:
    run, data = watcher.training_of(model), watcher.data
    if split is not data.test:
        which = "training" if split is data.train else "validation" if split is data.val else "other"
        watcher.refuse(f"you measure on the {which} images; what counts is the error on data.test")
    if corrupt is None or corrupt != run.corrupt:
        watcher.refuse(f"trained with {run.corrupt!r} but measured with {corrupt!r}; use the same hole")
    run.errors = {"everywhere": (0.063, 0.014), "hole": (0.052, 0.24)}[run.loss_on]
    watcher.measured.append(run)
    return Estimate(run.errors[0], 0.001), Estimate(run.errors[1], 0.001)


def _unfair(runs: list[Record]) -> str | None:
    """The first respect in which two runs differ besides where the loss looks."""
    if not runs:
        return "nothing was trained with the fit handed to your function; call fit(model, data, …), not lab.fit"
    of = {run.loss_on: run for run in runs}
    if missing := {"everywhere", "hole"} - set(of):
        return f'there is no run with loss_on="{missing.pop()}": with one run alone nothing is compared'
    one, other = of["everywhere"], of["hole"]
    if any(run.corrupt != one.corrupt for run in runs):
        return f"the two are trained with different holes, {one.corrupt!r} and {other.corrupt!r}"
    if flaw := seeds_flaw(runs, lambda run: run.loss_on):
        return f"the two runs have different seeds ({flaw}); let the loss be the only difference"
    if different := [run.settings for run in runs if run.settings | {"seed": 0} != one.settings | {"seed": 0}]:
        return f"the two runs are trained differently, {show(one.settings)} against {show(different[0])}"
    if any(type(run.model) is not type(one.model) or str(run.model) != str(one.model) for run in runs):
        return "the two models differ in size or kind; let the loss be the only difference"
    return None


def _wrong_errors(runs: list[Record], answer: Any) -> str | None:
    """What is wrong with the errors returned, or None."""
    measured = {run.loss_on: run.errors for run in runs}
    if len(measured) < 2:
        return "not both models were measured with the score handed to your function: score(model, data.test, hole)"
    if not isinstance(answer, Mapping) or sorted(answer) != ["everywhere", "hole"]:
        return f'return {{"everywhere": (inside, outside), "hole": (inside, outside)}}, got {show(answer)}'
    for key, wanted in measured.items():
        given = answer[key]
        if not isinstance(given, tuple | list) or len(given) != 2:
            return f"{key!r} needs two numbers, (inside, outside), got {show(given)}"
        if any(isinstance(value, Estimate) or not isinstance(value, Real) for value in given):
            return "the errors must be plain numbers: score(…) gives two Estimates, take the .value of each"
        if tuple(given) == wanted[::-1]:
            return "inside and outside are exchanged; score(…) gives the error inside first"
        if any(abs(value - right) > 1e-9 for value, right in zip(given, wanted, strict=True)):
            return f"the numbers under {key!r} belong to another run; are the two exchanged?"
    return None


Choice = Callable[[float, float, float, float, bool], str]


def _smaller(error: Callable[[float, float, bool], float]) -> Choice:
    """The choice of the smaller error, which is made of (inside, outside, whether the user knows the hole)."""

    def choose(a: float, b: float, c: float, d: float, knows: bool) -> str:
        return "everywhere" if error(a, b, knows) < error(c, d, knows) else "hole"

    return choose


def _error(inside: float, outside: float, knows: bool) -> float:
    return inside if knows else (100 * inside + 684 * outside) / 784


RECOMMEND_MISTAKES: dict[str, Choice] = {
    "the hole is 100 of 784 pixels: weigh the two errors by their areas, do not just add them": _smaller(
        lambda inside, outside, knows: inside if knows else inside + outside
    ),
    "only the error inside counts for you; who does not know the hole must take the whole output": _smaller(
        lambda inside, outside, knows: inside
    ),
    "who knows the hole puts the known pixels back: the error outside is then 0 and does not count": _smaller(
        lambda inside, outside, knows: _error(inside, outside, False)
    ),
    "the two cases are exchanged: the known pixels can be put back by who knows the hole": _smaller(
        lambda inside, outside, knows: _error(inside, outside, not knows)
    ),
    "you choose the larger error": _smaller(lambda inside, outside, knows: -_error(inside, outside, knows)),
    "the error outside is judged where the one inside should be; each pair is (inside, outside)": _smaller(
        lambda inside, outside, knows: _error(outside, inside, knows)
    ),
    "who does not know the hole needs the inside as well, not the outside alone": _smaller(
        lambda inside, outside, knows: inside if knows else outside
    ),
    "the areas are exchanged: 100 pixels inside, 684 outside": _smaller(
        lambda inside, outside, knows: inside if knows else (684 * inside + 100 * outside) / 784
    ),
}

RECOMMEND = Question(
    "recommend",
    _smaller(_error),
    by_sentence(RECOMMEND_MISTAKES),
    lambda _: [
        (0.06, 0.0148, 0.05, 0.24, False),
        (0.06, 0.0148, 0.05, 0.24, True),
        (0.06, 0.012, 0.05, 0.0128, False),
        (0.06, 0.010, 0.05, 0.012, False),
        (0.05, 0.020, 0.06, 0.0150, True),
        (0.05, 0.015, 0.08, 0.0120, False),
        (0.02, 0.080, 0.09, 0.0730, False),
        (0.05, 0.030, 0.06, 0.0100, False),
    ],
    adapt=lambda recommend: lambda a, b, c, d, knows: recommend({"everywhere": (a, b), "hole": (c, d)}, knows),
)
