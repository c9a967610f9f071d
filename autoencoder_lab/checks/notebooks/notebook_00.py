"""The checks of notebook 00, start here: right functions beside the commonest wrong ones."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab.checks.compare import (
    CheckFailed,
    answer_of,
    compare_with,
    conclusion_names,
    numbered_images,
    numbers_of,
    pair,
    show,
    whose,
)


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
    compare_with("squared_error_per_image", student, right, mistakes, [pair(3, 1, 4, 5), pair(2, 3, 4, 4)])


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
    data, digit = numbered_images(), 2
    trained: list[tuple[str, frozenset[int]]] = []
    measured: list[tuple[int, str, frozenset[int]]] = []

    def train(images: Tensor) -> int:
        trained.append(whose(data, images))
        return len(trained) - 1

    def error(model: int, images: Tensor) -> float:
        if isinstance(model, bool) or model not in range(len(trained)):
            raise ValueError("error(model, images) takes a model that train(images) returned")
        measured.append((model, *whose(data, images)))
        return 0.02 + 0.005 * model + 0.001 * len(measured)

    answer = answer_of(name, experiment, data, digit, train, error)
    if answer is None:
        return
    if complaint := _flaw(data, digit, trained, measured, answer):
        raise CheckFailed(f"{name}: {complaint}")
    if result is None or conclusion is None:
        print(f"{name}: the experiment is sound; its conclusion is not done yet")
        return
    with_digit, without_digit = (float(value) for value in result)
    conclusion_names(
        name,
        conclusion,
        without_digit / with_digit,
        "how many times larger is the error without the digit? "
        f"Divide your second number by your first ({without_digit:.4f} / {with_digit:.4f})",
    )


def _flaw(
    data: Any,
    digit: int,
    trained: Sequence[tuple[str, frozenset[int]]],
    measured: Sequence[tuple[int, str, frozenset[int]]],
    answer: Any,
) -> str | None:
    """What is wrong with an experiment that trained and measured so, or None."""
    of_digit = {split: numbers_of(data, split, digit) for split in ("train", "val", "test")}
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
        return f"return the two errors, (with the digit, without it), not {show(answer)}"
    values = {round(0.02 + 0.005 * model + 0.001 * (i + 1), 6): seen[model] for i, (model, _, _) in enumerate(measured)}
    given = [values.get(round(float(value), 6)) for value in answer]
    if given == [False, True]:
        return "the two errors are the wrong way round: first the model that has seen the digit, then the other"
    if given != [True, False]:
        return "return the two errors as error(…) gave them, first with the digit, then without it"
    return None
