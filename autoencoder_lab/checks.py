"""Diagnoses of a student's function: not only that it is wrong, but what is likely wrong with it.

Every check runs the student's function on small inputs beside a right one. Where they differ, it compares with the
commonest wrong functions and, if one of them gives the student's numbers, names that mistake. A stub that still
returns None prints "not done yet" and raises nothing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class CheckFailed(AssertionError):
    """The function is not right yet; the message says what is likely wrong. Notebooks show the message alone."""

    def _render_traceback_(self) -> list[str]:
        return [f"✗ {self}"]


Inputs = tuple[Any, ...]


def compare_with(
    name: str,
    student: Callable[..., Any],
    right: Callable[..., Any],
    mistakes: Mapping[str, Callable[..., Any]],
    cases: Sequence[Inputs],
    tolerance: float = 1e-4,
) -> None:
    """Run `student` on every case beside `right`; pass, print "not done yet", or raise CheckFailed naming the mistake.

    mistakes: {what is likely wrong, a sentence: a function that makes this mistake}; the first that reproduces the
    student's output on all cases is named. Outputs are numbers, tensors or tuples of them, compared to `tolerance`,
    relative and absolute. Inputs are copied for each call, and a function that changes them is told so.
    """
    answers = []
    for case in cases:
        mine = tuple(_copy(value) for value in case)
        try:
            answer = student(*mine)
        except NotImplementedError:
            answer = None
        except CheckFailed:
            raise
        except Exception as error:
            raise CheckFailed(f"{name}: your function stops with {type(error).__name__}: {error}") from error
        if answer is None or answer is Ellipsis:
            print(f"{name}: not done yet")
            return
        if any(_differs(given, kept, 0.0) for given, kept in zip(mine, case, strict=True)):
            raise CheckFailed(
                f"{name}: your function changes its input in place; work on a copy, or use x = x + … instead"
            )
        answers.append(answer)
    expected = [right(*map(_copy, case)) for case in cases]
    for answer, wanted in zip(answers, expected, strict=True):
        if complaint := _wrong_form(answer, wanted):
            raise CheckFailed(f"{name}: {complaint}")
    if not any(_differs(answer, wanted, tolerance) for answer, wanted in zip(answers, expected, strict=True)):
        print(f"✓ {name}: correct")
        return
    for sentence, wrong in mistakes.items():
        theirs = [wrong(*map(_copy, case)) for case in cases]
        if not any(_differs(answer, value, tolerance) for answer, value in zip(answers, theirs, strict=True)):
            raise CheckFailed(f"{name}: {sentence}")
    answer, wanted = next((a, w) for a, w in zip(answers, expected, strict=True) if _differs(a, w, tolerance))
    raise CheckFailed(f"{name}: expected {_show(wanted)}, got {_show(answer)}")


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def _differs(given: Any, wanted: Any, tolerance: float) -> bool:
    if isinstance(wanted, tuple):
        return not isinstance(given, tuple) or any(
            _differs(g, w, tolerance) for g, w in zip(given, wanted, strict=True)
        )
    if isinstance(wanted, str | bool | type(None)) or callable(wanted):
        return bool(given != wanted)
    a, b = torch.as_tensor(given).detach().double(), torch.as_tensor(wanted).detach().double()
    return a.shape != b.shape or not torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)


def _wrong_form(answer: Any, wanted: Any) -> str | None:
    """A complaint about type or shape, or None."""
    if isinstance(wanted, tuple):
        if not isinstance(answer, tuple | list) or len(answer) != len(wanted):
            return f"return {len(wanted)} values, got {_show(answer)}"
        return next((c for c in map(_wrong_form, answer, wanted) if c), None)
    if isinstance(wanted, str):
        return None if isinstance(answer, str) else f"return a string, got {type(answer).__name__}"
    try:
        shape = tuple(torch.as_tensor(answer).shape)
    except (TypeError, ValueError, RuntimeError):
        return f"return a tensor or a number, got {type(answer).__name__}"
    expected = tuple(torch.as_tensor(wanted).shape)
    if shape != expected:
        hint = " Did you forget to sum or average over a dimension?" if len(shape) > len(expected) else ""
        return f"the result must have shape {expected}, got {shape}.{hint}"
    if (
        not torch.isfinite(torch.as_tensor(answer).double()).all()
        and torch.isfinite(torch.as_tensor(wanted).double()).all()
    ):
        return "the result holds nan or infinity; look for a division by 0, or the log or root of a number ≤ 0"
    return None


def _show(value: Any) -> str:
    if isinstance(value, Tensor) and value.numel() > 6:
        return f"values like {', '.join(f'{v:.4g}' for v in value.detach().flatten()[:4].tolist())}, …"
    if isinstance(value, Tensor):
        return ", ".join(f"{v:.4g}" for v in value.detach().flatten().tolist())
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


# --- notebook 00 -----------------------------------------------------------------------------------


def squared_error_per_image(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 00.1: student(x_hat, x), both (m, C, H, W), gives L = 1/m Σ_i Σ_j (x̂_ij − x_ij)². Slide 001."""

    def right(x_hat: Tensor, x: Tensor) -> Tensor:
        return (x_hat - x).pow(2).sum() / len(x)

    mistakes: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "you average over the pixels too; the slide sums over the pixels j of an image and averages over the m images "
        "only": lambda a, b: (a - b).pow(2).mean(),
        "you sum over the images too; divide by their number m, len(x)": lambda a, b: (a - b).pow(2).sum(),
        "you divide by the number of pixels instead of the number of images m": lambda a, b: (
            (a - b).pow(2).sum() / a[0].numel()
        ),
        "you divide by shape[1], the number of channels; the images are counted by shape[0]": lambda a, b: (
            (a - b).pow(2).sum() / a.shape[1]
        ),
        "the differences are not squared: positive and negative ones cancel": lambda a, b: (a - b).sum() / len(a),
        "you take absolute values; the slide squares the differences": lambda a, b: (a - b).abs().sum() / len(a),
        "you square the sum; square each difference first, then sum": lambda a, b: (
            (a - b).flatten(1).sum(dim=1).pow(2).sum() / len(a)
        ),
        "there is no root in the slide's formula": lambda a, b: (a - b).flatten(1).norm(dim=1).mean(),
        "there is no factor ½ in the slide's formula": lambda a, b: (a - b).pow(2).sum() / len(a) / 2,
        "the sign is the wrong way round: an error is never negative": lambda a, b: -(a - b).pow(2).sum() / len(a),
        "you compare x with 0; compare the reconstruction x_hat with x": lambda a, b: b.pow(2).sum() / len(b),
    }
    compare_with("squared_error_per_image", student, right, mistakes, [_pair(3, 1, 4, 5), _pair(2, 3, 4, 4)])


def training_step(student: Callable[[Any, torch.optim.Optimizer, Tensor], Any]) -> None:
    """Exercise 00.2: student(model, optimiser, x) makes one step of gradient descent on model.loss(x).total.

    It returns the loss before the step. Judged by the losses and the weights of three steps from the same start.
    """
    Step = Callable[[Any, torch.optim.Optimizer, Tensor], Any]
    symptoms = {  # PyTorch's words: what they mean here
        "modified by an inplace operation": "step() comes before backward(), and changes the weights that backward() "
        "still needs: the order is zero_grad(), backward(), step()",
        "does not require grad": "the loss has lost its connection to the weights; compute it without torch.no_grad(), "
        "detach() or item()",
    }

    def trace(step: Step) -> Callable[[Tensor], Any]:
        def three_steps(x: Tensor) -> Any:
            from autoencoder_lab.models import LinearAutoencoder

            model = LinearAutoencoder(2, image_shape=(1, 3, 3))
            start = torch.linspace(-0.5, 0.5, 2 * 9)
            with torch.no_grad():
                model.weight.copy_(start.view(2, 9))
                model.decoder_weight.copy_(start.flip(0).view(9, 2))
            optimiser = torch.optim.SGD(model.parameters(), lr=0.02)
            try:
                losses = [step(model, optimiser, x) for _ in range(3)]
            except RuntimeError as error:
                for symptom, cause in symptoms.items():
                    if symptom in str(error):
                        raise CheckFailed(f"training_step: {cause}") from error
                raise
            weights = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
            if losses[0] is None:
                if not torch.equal(model.decoder_weight.detach().flatten(), start.flip(0)):
                    raise CheckFailed("training_step: your function trains but returns nothing; return the loss")
                return None
            return torch.stack([torch.as_tensor(loss).detach().float() for loss in losses]), weights

        return three_steps

    def right(model: Any, optimiser: torch.optim.Optimizer, x: Tensor) -> Tensor:
        loss: Tensor = model.loss(x).total
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    def piling_up(model: Any, optimiser: torch.optim.Optimizer, x: Tensor) -> Tensor:
        loss: Tensor = model.loss(x).total
        loss.backward()
        optimiser.step()
        return loss

    def never_moving(model: Any, optimiser: torch.optim.Optimizer, x: Tensor) -> Tensor:
        loss: Tensor = model.loss(x).total
        return loss

    def uphill(model: Any, optimiser: torch.optim.Optimizer, x: Tensor) -> Tensor:
        loss: Tensor = model.loss(x).total
        optimiser.zero_grad()
        (-loss).backward()
        optimiser.step()
        return loss

    def twice(model: Any, optimiser: torch.optim.Optimizer, x: Tensor) -> Tensor:
        loss = right(model, optimiser, x)
        optimiser.step()
        return loss

    def per_pixel(model: Any, optimiser: torch.optim.Optimizer, x: Tensor) -> Tensor:
        loss: Tensor = (model.reconstruct(x) - x).pow(2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    def after(model: Any, optimiser: torch.optim.Optimizer, x: Tensor) -> Tensor:
        right(model, optimiser, x)
        return never_moving(model, optimiser, x)

    def negative(model: Any, optimiser: torch.optim.Optimizer, x: Tensor) -> Tensor:
        return -right(model, optimiser, x)

    mistakes = {
        "the gradients pile up: backward() adds to what is there, so each step also repeats all earlier ones. Call "
        "optimiser.zero_grad() before backward()": piling_up,
        "the weights never change. Either step() is missing, or it runs where there is no gradient: the order is "
        "zero_grad(), backward(), step()": never_moving,
        "you climb: the loss grows. Call backward() on the loss itself, without a minus sign": uphill,
        "step() is called twice for one gradient": twice,
        "you use another loss than the model's own, averaged over pixels; take model.loss(x).total": per_pixel,
        "the training is right, but you return the loss after the step; return the one you called backward() on": after,
        "the training is right, but you return the loss with a minus sign": negative,
    }
    images = (torch.arange(4 * 9).remainder(7) / 7).view(4, 1, 3, 3)
    compare_with("training_step", trace(student), trace(right), {s: trace(f) for s, f in mistakes.items()}, [(images,)])


def unseen_digit(experiment: Callable[..., Any], result: Any = None, conclusion: str | None = None) -> None:
    """Exercise 00.3: experiment(data, digit, train, error) gives (error with the digit, error without it).

    The experiment is run with a small data set and with stand-ins for train(images) and error(model, images) that
    write down what they are given: what it trains on and what it measures on is judged, not how small its errors are.
    result: what the real run returned; conclusion: a sentence that names how many times larger the error is.
    """
    name = "unseen_digit"
    data, digit = _numbered_images(), 2
    trained: list[tuple[str, frozenset[int]]] = []
    measured: list[tuple[int, str, frozenset[int]]] = []

    def train(images: Tensor) -> int:
        trained.append(_whose(data, images))
        return len(trained) - 1

    def error(model: int, images: Tensor) -> float:
        if isinstance(model, bool) or model not in range(len(trained)):
            raise ValueError("error(model, images) takes a model that train(images) returned")
        measured.append((model, *_whose(data, images)))
        return 0.02 + 0.005 * model + 0.001 * len(measured)

    try:
        answer = experiment(data, digit, train, error)
    except NotImplementedError:
        answer = None
    except Exception as problem:
        raise CheckFailed(f"{name}: your function stops with {type(problem).__name__}: {problem}") from problem
    if answer is None or answer is Ellipsis:
        print(f"{name}: not done yet")
        return
    if complaint := _flaw(data, digit, trained, measured, answer):
        raise CheckFailed(f"{name}: {complaint}")
    if result is None or conclusion is None:
        print(f"{name}: the experiment is sound; its conclusion is not done yet")
        return
    with_digit, without_digit = (float(value) for value in result)
    if not isinstance(conclusion, str) or len(conclusion.split()) < 6:
        raise CheckFailed(f"{name}: write the conclusion as a sentence, got {conclusion!r}")
    times = without_digit / with_digit
    figures = [float(figure) for figure in re.findall(r"\d+(?:\.\d+)?", conclusion)]
    if not any(abs(figure - times) <= 0.1 * times for figure in figures):
        raise CheckFailed(
            f"{name}: a conclusion names its figure: how many times larger is the error without the digit? "
            f"Divide your second number by your first ({without_digit:.4f} / {with_digit:.4f})"
        )
    print(f"✓ {name}: a sound experiment, and a conclusion with its figure")


def _flaw(
    data: Any,
    digit: int,
    trained: Sequence[tuple[str, frozenset[int]]],
    measured: Sequence[tuple[int, str, frozenset[int]]],
    answer: Any,
) -> str | None:
    """What is wrong with an experiment that trained and measured so, or None."""
    of_digit = {split: _numbers_of(data, split, digit) for split in ("train", "val", "test")}
    if not trained:
        return "no model was trained; call train(images), once with the digit among the images and once without"
    if any(split != "train" for split, _ in trained):
        return "a model was trained on images that are not in data.train; those of val and test are for judging"
    if len(trained) == 1:
        return "there is no control: only one model was trained, so you cannot tell whether the digit is hard anyway"
    if not measured:
        return "nothing was measured; call error(model, images) for both models"
    if any(split == "train" for _, split, _ in measured):
        return "you measure on training images, which a model may know by heart; take data.test"
    if any(split != "test" for _, split, _ in measured):
        return "you measure on images outside data.test; val is for choosing, test for judging"
    if any(not shown <= of_digit["test"] for _, _, shown in measured):
        return "you measure on other digits as well, which dilutes the effect; take data.test.labels == digit"
    if len({model for model, _, _ in measured}) < 2:
        return "you measure one model only; the control needs its error on the same images"
    if len({shown for _, _, shown in measured}) > 1:
        return "the two models are measured on different images; only on the same ones can they be compared"
    seen = [bool(numbers & of_digit["train"]) for _, numbers in trained]
    if all(seen):
        return "both models have seen the digit in training; leave it out for one: data.train.labels != digit"
    if not any(seen):
        return "neither model has seen the digit, so there is no control; train one on all digits"
    if any(numbers <= of_digit["train"] for _, numbers in trained):
        return "one model was trained on the digit alone, so the two differ in more than the digit; train on all digits"
    sizes = [len(numbers) for _, numbers in trained]
    if min(sizes) < 0.75 * max(sizes):
        return f"the budgets differ: {max(sizes)} training images against {min(sizes)}; train on about as many"
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return f"return the two errors, (with the digit, without it), not {_show(answer)}"
    values = {round(0.02 + 0.005 * model + 0.001 * (i + 1), 6): seen[model] for i, (model, _, _) in enumerate(measured)}
    given = [values.get(round(float(value), 6)) for value in answer]
    if given == [False, True]:
        return "the two errors are the wrong way round: first the model that has seen the digit, then the other"
    if given != [True, False]:
        return "return the two errors as error(…) gave them, first with the digit, then without it"
    return None


def _numbered_images() -> Any:
    """A small ImageData of four digits whose every image is known by its grey: image i holds i / 1000 everywhere."""
    from autoencoder_lab.images import ImageData, Split

    def split(first: int, count: int) -> Split:
        grey = torch.arange(first, first + count).float() / 1000
        return Split(grey.view(-1, 1, 1, 1).expand(-1, 1, 4, 4).clone(), torch.arange(count) % 4, tuple("0123"))

    return ImageData("numbered", split(0, 80), split(100, 20), split(200, 40))


def _numbers(images: Tensor) -> frozenset[int]:
    return frozenset((images.flatten(1)[:, 0] * 1000).round().int().tolist())


def _numbers_of(data: Any, split: str, digit: int) -> frozenset[int]:
    part = getattr(data, split)
    return _numbers(part.images[part.labels == digit])


def _whose(data: Any, images: Tensor) -> tuple[str, frozenset[int]]:
    """(the split these images come from, their numbers); "several splits" or "nowhere" otherwise."""
    if not isinstance(images, Tensor) or images.ndim != 4 or not len(images):
        raise ValueError(f"expected images (N, 1, H, W), at least one, got {_show(images)}")
    numbers = _numbers(images)
    for split in ("train", "val", "test"):
        if numbers <= _numbers(getattr(data, split).images):
            return split, numbers
    return "several splits or none", numbers


def _pair(*shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.rand(shape, generator=generator), torch.rand(shape, generator=generator)


# --- notebook 01 -----------------------------------------------------------------------------------


def components_from_decoder(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 01.1: student(weight, images) gives W*'s subspace on PCA's axes, (pixels, k). Slide 001, "PCA vs AE", 4.

    A column's sign is a matter of taste: columns are compared after turning their largest entry positive.
    """
    name = "components_from_decoder"
    Function = Callable[[Tensor, Tensor], Any]

    def up_to_sign(function: Function) -> Function:
        def turned(weight: Tensor, images: Tensor) -> Any:
            columns = function(weight, images)
            if not isinstance(columns, Tensor) or columns.ndim != 2:
                return columns
            if columns.shape == weight.T.shape:
                raise CheckFailed(f"{name}: return the components as columns, (pixels, k); transpose your result")
            largest = columns.gather(0, columns.abs().argmax(dim=0, keepdim=True))
            return columns * torch.where(largest < 0, -1.0, 1.0)

        return turned

    def basis(weight: Tensor) -> Tensor:
        left: Tensor = torch.linalg.svd(weight, full_matrices=False).U
        return left

    def axes(codes: Tensor) -> Tensor:
        rows: Tensor = torch.linalg.svd(codes, full_matrices=False).Vh
        return rows

    def centred(images: Tensor) -> Tensor:
        return images - images.mean(dim=0)

    def right(weight: Tensor, images: Tensor) -> Tensor:
        return basis(weight) @ axes(centred(images) @ basis(weight)).T

    mistakes: dict[str, Function] = {
        "these are the left singular vectors of W*: the right subspace, but ordered by the size of the weights and not "
        "by the variance of the images; steps 2 and 3 are missing": lambda w, x: basis(w),
        "the columns are orthonormal (a QR decomposition), but not along PCA's axes; steps 2 and 3 are missing": (
            lambda w, x: torch.linalg.qr(w).Q
        ),
        "the columns come weakest first, as torch.linalg.eigh sorts them; turn their order round": (
            lambda w, x: right(w, x).flip(1)
        ),
        "svd returns Vh, whose rows are the new axes; you need them as columns: Q @ rotation.T": (
            lambda w, x: basis(w) @ axes(centred(x) @ basis(w))
        ),
        "the images are not centred; subtract images.mean(dim=0) before you project them": (
            lambda w, x: basis(w) @ axes(x @ basis(w)).T
        ),
        "each image is centred by its own mean; subtract the mean image, images.mean(dim=0)": (
            lambda w, x: basis(w) @ axes((x - x.mean(dim=1, keepdim=True)) @ basis(w)).T
        ),
        "this is PCA of the images themselves; the decoder's weight plays no part": (
            lambda w, x: axes(centred(x))[: w.shape[1]].T
        ),
        "you rotate W* itself, whose columns are not orthonormal; take Q from its SVD": (
            lambda w, x: w @ axes(centred(x) @ w).T
        ),
        "the coordinates are taken along W* itself, whose columns are not orthonormal; project on Q": (
            lambda w, x: basis(w) @ axes(centred(x) @ w).T
        ),
        "the columns of W* are scaled to length 1, which leaves their directions as they are": (
            lambda w, x: w / w.norm(dim=0)
        ),
        "this is W* as it came; nothing was recovered": lambda w, x: w,
        "the right subspace on the right axes, but each column is stretched by its variance; return Q @ rotation.T": (
            lambda w, x: right(w, x) * torch.linalg.svdvals(centred(x) @ basis(w))
        ),
    }
    generator = torch.Generator().manual_seed(1)
    cases = []
    for pixels, k in ((7, 3), (9, 4)):
        weight = torch.randn(pixels, k, generator=generator)
        spread = torch.linspace(0.3, 3, pixels)[torch.randperm(pixels, generator=generator)]
        cases.append((weight, torch.randn(60, pixels, generator=generator) * spread + 2 * spread))
    named = {sentence: up_to_sign(wrong) for sentence, wrong in mistakes.items()}
    compare_with(name, up_to_sign(student), up_to_sign(right), named, cases, tolerance=1e-3)


def few_images_experiment(experiment: Callable[..., Any], result: Any = None, conclusion: str | None = None) -> None:
    """Exercise 01.2: experiment(data, few, fit_pca, fit_autoencoder, error_on) gives four test errors.

    (PCA with all training images, autoencoder with all, PCA with few, autoencoder with few). Judged, as in 00.3, by
    what it fits and measures, with stand-ins that write down what they are given. result: what the real run returned;
    conclusion: a sentence with the autoencoder's error as a multiple of PCA's, with few images.
    """
    name = "few_images_experiment"
    data, few = _numbered_images(), 24
    fitted: list[tuple[str, str, frozenset[int], int]] = []  # kind, split, which images, how many
    measured: dict[float, tuple[int, str, frozenset[int]]] = {}  # error → model, split, which images

    def fit(kind: str) -> Callable[[Tensor], int]:
        def note(images: Tensor) -> int:
            fitted.append((kind, *_whose(data, images), len(images)))
            return len(fitted) - 1

        return note

    def error_on(model: int, images: Tensor) -> float:
        if isinstance(model, bool) or model not in range(len(fitted)):
            raise ValueError("error_on(model, images) takes a model that fit_pca or fit_autoencoder returned")
        value = round(0.02 + 0.001 * len(measured), 6)
        measured[value] = (model, *_whose(data, images))
        return value

    try:
        answer = experiment(data, few, fit("PCA"), fit("the autoencoder"), error_on)
    except NotImplementedError:
        answer = None
    except Exception as problem:
        raise CheckFailed(f"{name}: your function stops with {type(problem).__name__}: {problem}") from problem
    if answer is None or answer is Ellipsis:
        print(f"{name}: not done yet")
        return
    if complaint := _few_images_flaw(data, few, fitted, measured, answer):
        raise CheckFailed(f"{name}: {complaint}")
    if result is None or conclusion is None:
        print(f"{name}: the experiment is sound; its conclusion is not done yet")
        return
    if not isinstance(conclusion, str) or len(conclusion.split()) < 6:
        raise CheckFailed(f"{name}: write the conclusion as a sentence, got {conclusion!r}")
    times = float(result[3]) / float(result[2])
    figures = [float(figure) for figure in re.findall(r"\d+(?:\.\d+)?", conclusion)]
    if not any(abs(figure - times) <= 0.1 * times for figure in figures):
        raise CheckFailed(
            f"{name}: a conclusion names its figure: with few images, how many times PCA's error is the autoencoder's? "
            f"Divide your fourth number by your third ({float(result[3]):.4f} / {float(result[2]):.4f})"
        )
    print(f"✓ {name}: a sound experiment, and a conclusion with its figure")


def _few_images_flaw(
    data: Any,
    few: int,
    fitted: Sequence[tuple[str, str, frozenset[int], int]],
    measured: Mapping[float, tuple[int, str, frozenset[int]]],
    answer: Any,
) -> str | None:
    """What is wrong with an experiment that fitted and measured so, or None."""
    kinds = {kind for kind, *_ in fitted}
    if len(kinds) < 2:
        missing = {"PCA", "the autoencoder"} - kinds
        return f"{' and '.join(sorted(missing))} was never fitted; the question compares the two"
    if any(split != "train" for _, split, _, _ in fitted):
        return "a model was fitted to images that are not in data.train; those of val and test are for judging"
    sizes = {kind: sorted({size for other, _, _, size in fitted if other == kind}) for kind in sorted(kinds)}
    everything = len(data.train)
    if any(everything not in of_kind for of_kind in sizes.values()):
        return "there is no control: fit both models to all training images as well, or you cannot see what few change"
    if any(few not in of_kind for of_kind in sizes.values()):
        return f"fit both models to exactly `few` training images, here {few}; sizes were {sizes}"
    if len({shown for _, _, shown, size in fitted if size == few}) > 1:
        return "the two models learn from different few images, which is a second difference; give both the same ones"
    if not measured:
        return "nothing was measured; call error_on(model, images)"
    splits = {split for _, split, _ in measured.values()}
    if "train" in splits:
        return "you measure on training images, which a model may know by heart; take data.test.images"
    if splits != {"test"}:
        return "you measure on images outside data.test; val is for choosing, test for judging"
    if len({shown for _, _, shown in measured.values()}) > 1:
        return "the models are measured on different images; only on the same ones can they be compared"
    if not isinstance(answer, tuple | list) or len(answer) != 4:
        return f"return four errors: PCA and autoencoder with all, PCA and autoencoder with few; got {_show(answer)}"
    models = [measured.get(round(float(value), 6), (-1,))[0] for value in answer]
    if -1 in models:
        return "return the four errors as error_on gave them"
    got = [(fitted[model][0], fitted[model][3]) for model in models]
    wanted = [("PCA", everything), ("the autoencoder", everything), ("PCA", few), ("the autoencoder", few)]
    if got != wanted:
        order = ", ".join(f"{kind} with {size}" for kind, size in got)
        return f"the order is PCA and autoencoder with all, then PCA and autoencoder with few; yours is {order}"
    return None


def cross_entropy(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 01.3: student(x_hat, x), both (m, C, H, W), gives the cross-entropy in nats per image. Slide 001."""
    log = torch.log

    def total(a: Tensor, b: Tensor) -> Tensor:
        return -(b * log(a) + (1 - b) * log(1 - a)).sum()

    mistakes: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "the second half is still missing: without (1 − x) log(1 − x_hat) nothing punishes white where x is black, so "
        "an all-white picture wins": lambda a, b: -(b * log(a)).sum() / len(b),
        "the first half is missing: x log(x_hat)": lambda a, b: -((1 - b) * log(1 - a)).sum() / len(b),
        "the sign is the wrong way round: a cross-entropy is never negative": lambda a, b: -total(a, b) / len(b),
        "x and x_hat are swapped: the logarithm is taken of the prediction x_hat": lambda a, b: (
            -(a * log(b) + (1 - a) * log(1 - b)).sum() / len(b)
        ),
        "you average over the pixels too; sum over the pixels of an image, average over the images": lambda a, b: (
            total(a, b) / b.numel()
        ),
        "you sum over the images too; divide by their number, len(x)": total,
        "you divide by the number of pixels instead of the number of images": lambda a, b: total(a, b) / b[0].numel(),
        "these are bits (log2); nats take the natural logarithm, torch.log": lambda a, b: (
            total(a, b) / len(b) / log(torch.tensor(2.0))
        ),
        "the two halves have opposite signs; the minus stands before both": lambda a, b: (
            (-(b * log(a)) + (1 - b) * log(1 - a)).sum() / len(b)
        ),
        "x_hat has been through a sigmoid already; do not apply another": lambda a, b: (
            total(torch.sigmoid(a), b) / len(b)
        ),
        "the second half takes the logarithm of x_hat; there it is that of 1 − x_hat": lambda a, b: (
            -(b * log(a) + (1 - b) * log(a)).sum() / len(b)
        ),
        "the second half weighs with x; there the weight is 1 − x": lambda a, b: (
            -(b * log(a) + b * log(1 - a)).sum() / len(b)
        ),
        "this is the squared error": lambda a, b: (a - b).pow(2).sum() / len(b),
        "the entropy of x is taken off; the slide's loss does not do that": lambda a, b: (
            (total(a, b) - total(b, b)) / len(b)
        ),
    }
    cases = []
    for shape in ((3, 1, 4, 5), (2, 3, 4, 4)):
        x_hat, x = _pair(*shape)
        cases.append((0.05 + 0.9 * x_hat, 0.05 + 0.9 * x))
    compare_with("cross_entropy", student, lambda a, b: total(a, b) / len(b), mistakes, cases)


# --- notebook 02 -----------------------------------------------------------------------------------


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
    from autoencoder_lab.images import ImageData, Split
    from autoencoder_lab.metrics import Estimate

    def fail(flaw: str) -> CheckFailed:
        return CheckFailed(f"{name}: {flaw}")

    generator = torch.Generator().manual_seed(0)
    train, val, test = (
        Split(torch.rand(n, 1, 28, 28, generator=generator), torch.arange(n) % 2, ("a", "b")) for n in (6, 3, 4)
    )
    data = ImageData("check", train, val, test)
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
