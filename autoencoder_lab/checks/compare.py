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
        answer = answer_of(name, student, *mine)
        if answer is None:
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
    raise CheckFailed(f"{name}: expected {show(wanted)}, got {show(answer)}")


def answer_of(name: str, student: Callable[..., Any], *arguments: Any) -> Any:
    """What the student's function returns; None, and "not done yet" printed, for a stub; CheckFailed where it stops."""
    try:
        answer = student(*arguments)
    except NotImplementedError:
        answer = None
    except CheckFailed:
        raise
    except Exception as error:
        raise CheckFailed(f"{name}: your function stops with {type(error).__name__}: {error}") from error
    if answer is None or answer is Ellipsis:
        print(f"{name}: not done yet")
        return None
    return answer


def conclusion_names(name: str, conclusion: Any, times: float, hint: str) -> None:
    """Pass if `conclusion` is a sentence that names the factor `times` to within a tenth; else CheckFailed."""
    if not isinstance(conclusion, str) or len(conclusion.split()) < 6:
        raise CheckFailed(f"{name}: write the conclusion as a sentence, got {conclusion!r}")
    figures = [float(figure) for figure in re.findall(r"\d+(?:\.\d+)?", conclusion)]
    if not any(abs(figure - times) <= 0.1 * times for figure in figures):
        raise CheckFailed(f"{name}: a conclusion names its figure: {hint}")
    print(f"✓ {name}: a sound experiment, and a conclusion with its figure")


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def _differs(given: Any, wanted: Any, tolerance: float) -> bool:
    if isinstance(wanted, tuple):
        return not isinstance(given, tuple | list) or any(
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
            return f"return {len(wanted)} values, got {show(answer)}"
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


def show(value: Any) -> str:
    if isinstance(value, Tensor) and value.numel() > 6:
        return f"values like {', '.join(f'{v:.4g}' for v in value.detach().flatten()[:4].tolist())}, …"
    if isinstance(value, Tensor):
        return ", ".join(f"{v:.4g}" for v in value.detach().flatten().tolist())
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


# --- images that can be told apart, to watch what an experiment does with them ---------------------


def numbered_images() -> Any:
    """A small ImageData of four digits whose every image is known by its grey: image i holds i / 1000 everywhere."""
    from autoencoder_lab.data.split import ImageData, Split

    def split(first: int, count: int) -> Split:
        grey = torch.arange(first, first + count).float() / 1000
        return Split(grey.view(-1, 1, 1, 1).expand(-1, 1, 4, 4).clone(), torch.arange(count) % 4, tuple("0123"))

    return ImageData("numbered", split(0, 80), split(100, 20), split(200, 40))


def noise_images() -> Any:
    """A small ImageData of noise, to watch what an experiment does with its splits: 6, 3 and 4 images."""
    from autoencoder_lab.data.split import ImageData, Split

    generator = torch.Generator().manual_seed(0)
    train, val, test = (
        Split(torch.rand(n, 1, 28, 28, generator=generator), torch.arange(n) % 2, ("a", "b")) for n in (6, 3, 4)
    )
    return ImageData("check", train, val, test)


def numbers_in(images: Tensor) -> frozenset[int]:
    return frozenset((images.flatten(1)[:, 0] * 1000).round().int().tolist())


def numbers_of(data: Any, split: str, digit: int) -> frozenset[int]:
    part = getattr(data, split)
    return numbers_in(part.images[part.labels == digit])


def whose(data: Any, images: Tensor) -> tuple[str, frozenset[int]]:
    """(the split these images come from, their numbers); "several splits" or "nowhere" otherwise."""
    if not isinstance(images, Tensor) or images.ndim != 4 or not len(images):
        raise ValueError(f"expected images (N, 1, H, W), at least one, got {show(images)}")
    numbers = numbers_in(images)
    for split in ("train", "val", "test"):
        if numbers <= numbers_in(getattr(data, split).images):
            return split, numbers
    return "several splits or none", numbers


def pair(*shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.rand(shape, generator=generator), torch.rand(shape, generator=generator)
