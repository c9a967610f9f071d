"""The watcher of designed experiments: what a student's experiment does is judged, not what comes out of it.

A notebook asks for an experiment as a function that is handed a data set and the functions that train and measure. The
check hands it small images that can be told apart, and stand-ins that train nothing: they write every training and
every measurement down with the Watcher and give back figures of its own. Then the rules of the experiment are asked in
turn, each a function that names a flaw or returns None; the first flaw fails the check.
"""

from collections.abc import Callable, Sequence
from numbers import Real
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencoder_lab.checks.compare import CheckFailed, answer_of, show
from autoencoder_lab.data.split import ImageData, Split
from autoencoder_lab.protocol import NOT_DONE

Record = SimpleNamespace
"""What is known of one training or measurement: the attributes that the rules of this experiment ask for."""


class Watcher:
    """Writes down what one experiment does. trained, measured: a record each, in the order of the calls.

    data: the ImageData that the experiment is handed, where it is handed one.
    """

    def __init__(self, name: str, data: Any = None) -> None:
        self.name, self.data = name, data
        self.trained: list[Any] = []
        self.measured: list[Any] = []

    def answer(self, experiment: Callable[..., Any], *arguments: Any, **stand_ins: Any) -> Any:
        """What the experiment returns; None, and "not done yet" printed, for a stub; CheckFailed where it stops."""
        return answer_of(self.name, experiment, *arguments, **stand_ins)

    def refuse(self, flaw: str | None) -> None:
        """CheckFailed for a flaw, nothing for None."""
        if flaw:
            raise CheckFailed(f"{self.name}: {flaw}")

    # models that are trained and measured: for stand-ins of fit(model, data, …) and of a measure of (model, split, …)

    def training_of(self, model: Any, missing: str = "a model is measured before it was trained") -> Any:
        """The record of a model's training; missing: what to say where there is none."""
        record = next((record for record in self.trained if record.model is model), None)
        self.refuse(missing if record is None else None)
        return record

    def wants_new_model(self, model: Any, again: str) -> None:
        """CheckFailed, which says `again`, for a model that was trained before."""
        if any(record.model is model for record in self.trained):
            self.refuse(again)

    def wants_whole_data(self, given: Any) -> None:
        """CheckFailed where fit is not handed a whole data set."""
        if not isinstance(given, ImageData):
            self.refuse(f"fit(model, data) takes the whole data set, got {type(given).__name__}")

    def wants_test_split(self, measure: str, given: Any, reason: str) -> None:
        """CheckFailed where `measure` is not handed all of data.test; reason: why it should be."""
        if not isinstance(given, Split):
            self.refuse(f"{measure}(model, split) takes a split, data.test; got {type(given).__name__}")
        if not torch.equal(given.images, self.data.test.images):
            known = {"training": self.data.train, "validation": self.data.val}
            kinds = (kind for kind, split in known.items() if torch.equal(given.images, split.images))
            self.refuse(f"you measure on {next(kinds, 'other')} images; {reason}")

    # numbered images that are trained on and measured: for stand-ins of train(images) and error(model, images)

    def train_on(self, images: Tensor, **facts: Any) -> int:
        """Write down a training on images; gives the number of the model, which is its place in `trained`."""
        split, numbers = whose(self.data, images)
        self.trained.append(Record(split=split, numbers=numbers, size=len(images), **facts))
        return len(self.trained) - 1

    def error_on(self, model: int, images: Tensor, unknown: str) -> float:
        """Write down a measurement; gives a figure of its own. ValueError(unknown) for what is no model's number."""
        if isinstance(model, bool) or model not in range(len(self.trained)):
            raise ValueError(unknown)
        split, numbers = whose(self.data, images)
        figure = round(0.02 * 1.037 ** len(self.measured), 6)  # no mean of some of them is another
        self.measured.append(Record(model=model, split=split, numbers=numbers, figure=figure))
        return figure

    def model_of(self, figure: Any) -> int | None:
        """The number of the model whose measurement gave this figure, None where none did."""
        given = mean_of(figure)
        return next((one.model for one in self.measured if given is not None and one.figure == round(given, 6)), None)


def alike_but_for(argument: str, one: Any, other: Any) -> bool:
    """Whether two models of the course are of one kind and made with the same arguments, but for this one."""
    made = [{name: value for name, value in model.arguments.items() if name != argument} for model in (one, other)]
    return type(one) is type(other) and made[0] == made[1]


def seeds_flaw(runs: Sequence[Any], kind: Callable[[Any], Any]) -> str | None:
    """Whether runs of different kinds have different seeds, or one kind a seed twice; as many seeds as one likes.

    runs: records with `settings`; kind: of a record, what may differ between runs that are compared.
    """
    seeds: dict[Any, list[Any]] = {}
    for run in runs:
        seeds.setdefault(kind(run), []).append(run.settings.get("seed", 0))
    if any(len(set(some)) < len(some) for some in seeds.values()):
        return "one model is trained twice with the same seed, which is the same run again"
    first, *others = [sorted(some) for some in seeds.values()]
    return next((f"{first} and {other}" for other in others if other != first), None)


# --- the conclusion ------------------------------------------------------------------------------------------------


def concluded(name: str, result: Any, conclusion: Any) -> bool:
    """Whether there are a result and a conclusion to judge; if not, it is said that the conclusion is not done yet."""
    blank = isinstance(conclusion, str) and not conclusion.strip()
    if any(given is None or given is Ellipsis for given in (result, conclusion)) or blank:
        print(f"{name}: the experiment is sound; its conclusion is {NOT_DONE}")
        return False
    return True


def measured_numbers(name: str, result: Any, count: int) -> list[float]:
    """The numbers of a real run; of several seeds their mean. CheckFailed for what is no such result."""
    try:
        numbers = [mean_of(value) for value in result]
    except TypeError:
        numbers = []
    if len(numbers) != count or None in numbers or not all(number and number > 0 for number in numbers):
        raise CheckFailed(f"{name}: result is what your function returned, {count} errors above 0; got {show(result)}")
    return [float(number) for number in numbers if number is not None]


def mean_of(value: Any) -> float | None:
    """A number, an Estimate's value, or the mean of several; None for anything else."""
    value = getattr(value, "value", value)
    if isinstance(value, Tensor | np.ndarray):
        value = value.tolist()
    if isinstance(value, tuple | list) and value:
        numbers = [mean_of(one) for one in value]
        return None if None in numbers else sum(number for number in numbers if number is not None) / len(numbers)
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None


# --- images that can be told apart ---------------------------------------------------------------------------------


def numbered_images() -> ImageData:
    """A small data set of four digits whose every image is known by its grey: image i holds i / 1000 everywhere."""

    def split(first: int, count: int) -> Split:
        grey = torch.arange(first, first + count).float() / 1000
        return Split(grey.view(-1, 1, 1, 1).expand(-1, 1, 4, 4).clone(), torch.arange(count) % 4, tuple("0123"))

    return ImageData("numbered", split(0, 80), split(100, 20), split(200, 40))


def noise_images(train: int = 6, val: int = 3, test: int = 4) -> ImageData:
    """A small data set of noise, so many images in each split, for experiments that build models of 28 × 28 pixels."""
    generator = torch.Generator().manual_seed(0)

    def split(count: int) -> Split:
        return Split(torch.rand(count, 1, 28, 28, generator=generator), torch.arange(count) % 2, ("a", "b"))

    return ImageData("check", split(train), split(val), split(test))


def numbers_in(images: Tensor) -> frozenset[int]:
    """The numbers of numbered images, by their first pixels."""
    return frozenset((images.flatten(1)[:, 0] * 1000).round().int().tolist())


def numbers_of(data: ImageData, split: str, digit: int) -> frozenset[int]:
    """The numbers of all images of a digit in a split, "train", "val" or "test"."""
    part = getattr(data, split)
    return numbers_in(part.images[part.labels == digit])


def whose(data: ImageData, images: Tensor) -> tuple[str, frozenset[int]]:
    """(the split these images come from, their numbers); "several splits or none" for others."""
    if not isinstance(images, Tensor) or images.ndim != 4 or not len(images):
        raise ValueError(f"expected images (N, 1, H, W), at least one, got {show(images)}")
    numbers = numbers_in(images)
    for split in ("train", "val", "test"):
        if numbers <= numbers_in(getattr(data, split).images):
            return split, numbers
    return "several splits or none", numbers
