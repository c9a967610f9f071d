"""The check of an experiment of notebook 04: does a model copy its training images?"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab.checks.compare import CheckFailed, answer_of, compare_with, numbered_images, numbers_in

DECODED = 1000  # what the watched model adds to the number of an image that passes through it
SAMPLED = 5000  # the number of its first sample
FEWEST = 20


def copying_experiment(experiment: Callable[..., Any], verdict: Callable[[dict[str, float]], Any]) -> None:
    """Exercise 04.3: experiment(model, data, nearest) gives median distances to the nearest training image of "samples"
    and of a "control" of decoded images that cannot be copies; verdict(distances) says "copies" or "new". Slide 003."""
    answer = _watch("copying_experiment", experiment)
    if answer is None:
        return
    print("✓ copying_experiment: a control that can convict")

    def of(samples: float, control: float) -> Any:
        return verdict({"samples": samples, "control": control})

    def rule(copied: Callable[[float, float], bool]) -> Callable[[float, float], str]:
        return lambda samples, control: "copies" if copied(samples, control) else "new"

    mistakes = {
        "copies lie nearer to the training images than the control does, not farther": rule(lambda s, c: s > c / 0.8),
        "the two words are exchanged: nearer than 0.8 times the control means copies": rule(lambda s, c: s >= 0.8 * c),
        "any sample distance below the control's convicts for you, even one by chance; ask for less than 0.8 times": (
            rule(lambda s, c: s < c)
        ),
        "you compare the difference with 0.8; distances have no natural size, take the ratio": rule(
            lambda s, c: c - s > 0.8
        ),
        "you compare the sample distance itself with 0.8; a distance alone says nothing, compare it with the control": (
            rule(lambda s, c: s < 0.8)
        ),
        "the factor stands on the wrong side: samples below 0.8 times the control": rule(lambda s, c: 0.8 * s < c),
        "only a distance of 0 is a copy for you; one grey level would be enough to get away": rule(lambda s, c: s == 0),
    }
    cases = [(2.0, 10.0), (10.0, 10.0), (9.0, 10.0), (11.0, 10.0), (13.0, 10.0), (0.5, 0.55), (0.3, 0.9), (0.7, 5.0)]
    compare_with("verdict", of, rule(lambda s, c: s < 0.8 * c), mistakes, cases)


class _Model:
    """Marks what passes through it: sample i holds (5000 + i) / 1000 everywhere, x comes back as x + 1."""

    latent, label, image_shape = 3, "VAE(3)", (1, 4, 4)

    def sample(self, n: int, generator: Any = None) -> Tensor:
        return (SAMPLED + torch.arange(n).float()).div(1000).view(-1, 1, 1, 1).expand(-1, 1, 4, 4).clone()

    def sample_prior(self, n: int, generator: Any = None) -> Tensor:
        return self.encode(self.sample(n) - DECODED / 1000)

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :3]

    def decode(self, z: Tensor) -> Tensor:
        if z.ndim != 2 or z.shape[1] != 3:
            raise ValueError(f"{self.label} decodes codes of shape (B, 3), got {tuple(z.shape)}")
        drawn = (z - z[:, :1]).abs().sum(dim=1) > 0  # codes drawn by the student's own randn: three different numbers
        images = z[:, :1, None, None].expand(-1, 1, 4, 4) + DECODED / 1000
        return torch.where(drawn[:, None, None, None], self.sample(len(z)), images)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


def _watch(name: str, experiment: Callable[..., Any]) -> Any:
    """The answer of a sound experiment, None for a stub; CheckFailed names the first flaw of the design."""
    data = numbered_images()
    measured: dict[str, Tensor] = {}

    def fail(flaw: str) -> CheckFailed:
        return CheckFailed(f"{name}: {flaw}")

    def nearest(images: Any, split: Any, *rest: Any) -> tuple[Tensor, Tensor]:
        if not isinstance(images, Tensor) or images.ndim != 4 or not hasattr(split, "images"):
            raise fail("nearest(images, split) takes images (N, C, H, W) and a split such as data.train")
        if numbers_in(split.images) != numbers_in(data.train.images):
            raise fail("search among data.train, all of it: only training images can have been copied")
        if len(images) < FEWEST:
            raise fail(f"a median of {len(images)} distances says little; take at least {FEWEST} images, better 200")
        distances = 4.0 + torch.arange(len(images)).float().square() / len(images) + len(measured)
        measured[_kind(data, images)] = distances
        return distances, torch.zeros(len(images), dtype=torch.long)

    answer = answer_of(name, lambda: experiment(_Model(), data, nearest=nearest))
    if answer is None:
        return None
    if flaw := _flaw(measured, answer):
        raise fail(flaw)
    return answer


def _kind(data: Any, images: Tensor) -> str:
    """What these images are, by their numbers: "samples", "test decoded", "train", …, or "a mixture"."""
    numbers = numbers_in(images)
    if min(numbers) >= SAMPLED:
        return "samples"
    decoded = min(numbers) >= DECODED
    plain = frozenset(number - DECODED for number in numbers) if decoded else numbers
    for split in ("train", "val", "test"):
        if plain <= numbers_in(getattr(data, split).images):
            return f"{split} decoded" if decoded else split
    return "a mixture"


def _flaw(measured: Mapping[str, Tensor], answer: Any) -> str | None:
    """What is wrong with the design or with the numbers, or None."""
    if not measured:
        return "nothing was measured with the `nearest` handed to your function: nearest(images, data.train)[0]"
    if "samples" not in measured:
        return "the samples were never measured: nearest(model.sample(n), data.train)[0]"
    control = next((kind for kind in ("test decoded", "val decoded") if kind in measured), None)
    if control is None:
        others = [kind for kind in measured if kind != "samples"]
        return {
            "": "there is no control: which distance would you expect of images that are certainly new?",
            "test": "the control is sharp, the samples are smooth as all decoded images; send it through "
            "model.reconstruct, or smoothness alone brings the samples nearer",
            "train": "the control is the training images themselves: their distance is 0, and nothing can be nearer",
            "train decoded": "the control was trained on, hence its small distance. Take new images",
            "a mixture": "the control mixes images of several kinds; take those of data.test",
        }[others[0].replace("val", "test") if others else ""]
    if not isinstance(answer, Mapping) or sorted(answer) != ["control", "samples"]:
        return f'return a dictionary with the keys "samples" and "control", got {answer!r}'
    if any(isinstance(value, bool) or not isinstance(value, float | int) for value in answer.values()):
        return "the two values must be plain numbers; .item() makes one of a tensor"
    kinds = {"samples": "samples", "control": control}

    def given(take: Callable[[Tensor], Tensor], kinds: Mapping[str, str] = kinds) -> bool:
        return all(abs(answer[key] - float(take(measured[kind]))) < 1e-3 for key, kind in kinds.items())

    if given(torch.median) or given(lambda d: d.quantile(0.5)):
        return None
    if given(torch.median, {"samples": control, "control": "samples"}):
        return "the two numbers are exchanged"
    if given(torch.mean):
        return "these are means; a few ruined samples far from everything would cover up the copies. Take the median"
    if given(torch.min):
        return "these are the smallest distances: one lucky image each decides. Take the median"
    return "the numbers returned are not the medians of the distances that were measured"
