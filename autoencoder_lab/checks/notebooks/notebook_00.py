"""The checks of notebook 00, start here: right functions beside the commonest wrong ones."""

from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab.checks.compare import CheckFailed, explaining, show
from autoencoder_lab.checks.conclusion import conclusion_compares
from autoencoder_lab.checks.experiment import Watcher, concluded, measured_numbers, numbered_images, numbers_of
from autoencoder_lab.checks.notebooks.first_network import judge
from autoencoder_lab.checks.question import Question, by_sentence, random_pair

# --- 1: the squared error ------------------------------------------------------------------------------------------


def squared_error_per_image(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 00.1: student(x_hat, x), both (m, C, H, W), gives L = 1/m Σ_i Σ_j (x̂_ij − x_ij)². Slide 001."""
    SQUARED_ERROR.check(student)


SQUARED_ERROR_MISTAKES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "you average over the pixels too; the slide sums over the pixels j of an image and averages over the m images "
    "only": lambda x_hat, x: (x_hat - x).pow(2).mean(),
    "you sum over the images too; divide by their number m, len(x)": lambda x_hat, x: (x_hat - x).pow(2).sum(),
    "you divide by the number of pixels instead of the number of images m": lambda x_hat, x: (
        (x_hat - x).pow(2).sum() / x_hat[0].numel()
    ),
    "you divide by shape[1], the number of channels; the images are counted by shape[0]": lambda x_hat, x: (
        (x_hat - x).pow(2).sum() / x_hat.shape[1]
    ),
    "the differences are not squared: positive and negative ones cancel": lambda x_hat, x: (
        (x_hat - x).sum() / len(x_hat)
    ),
    "you take absolute values; the slide squares the differences": lambda x_hat, x: (
        (x_hat - x).abs().sum() / len(x_hat)
    ),
    "you square the sum; square each difference first, then sum": lambda x_hat, x: (
        (x_hat - x).flatten(1).sum(dim=1).pow(2).sum() / len(x_hat)
    ),
    "there is no root in the slide's formula": lambda x_hat, x: (x_hat - x).flatten(1).norm(dim=1).mean(),
    "there is no factor ½ in the slide's formula": lambda x_hat, x: (x_hat - x).pow(2).sum() / len(x_hat) / 2,
    "the sign is the wrong way round: an error is never negative": lambda x_hat, x: (
        -(x_hat - x).pow(2).sum() / len(x_hat)
    ),
    "there is no root in the slide's formula, not around the whole either": lambda x_hat, x: (
        (x_hat - x).pow(2).sum() / len(x)
    ).sqrt(),
    "you compare x with 0; compare the reconstruction x_hat with x": lambda x_hat, x: x.pow(2).sum() / len(x),
    "you compare x_hat with 0; compare it with x": lambda x_hat, x: x_hat.pow(2).sum() / len(x),
    "you add x and x_hat; take their difference": lambda x_hat, x: (x_hat + x).pow(2).sum() / len(x),
    "you square x_hat and x before you subtract; square the differences": lambda x_hat, x: (
        (x_hat.pow(2) - x.pow(2)).sum() / len(x)
    ),
    "you multiply by the number of images; divide by it": lambda x_hat, x: (x_hat - x).pow(2).sum() * len(x),
    "only the first image counts; sum over all of them": lambda x_hat, x: (x_hat - x)[0].pow(2).sum(),
    "the differences are averaged over the images before they are squared; square first": lambda x_hat, x: (
        (x_hat - x).mean(dim=0).pow(2).sum()
    ),
}

SQUARED_ERROR = Question(
    "squared_error_per_image",
    lambda x_hat, x: (x_hat - x).pow(2).sum() / len(x),
    by_sentence(SQUARED_ERROR_MISTAKES),
    lambda _: [random_pair(3, 1, 4, 5), random_pair(2, 3, 4, 4)],
)

# --- 2: an autoencoder of one's own --------------------------------------------------------------------------------


def own_autoencoder(made: Any, train: Any) -> None:
    """Exercise 00.2: MyAutoencoder(), an nn.Module with encode, decode and forward, and train(model, data).

    Judged by its shapes, by what passes through the code, and by what a training on 1,000 digits does to the weights.
    """
    judge(made, train)


# --- 3: a step of gradient descent ---------------------------------------------------------------------------------


def training_step(student: Callable[[Any, torch.optim.Optimizer, Tensor], Any]) -> None:
    """Exercise 00.3: student(model, optimiser, x) makes one step of gradient descent on model.loss(x).total.

    It returns the loss before the step. Judged by the losses and the weights of three steps from the same start.
    """
    TRAINING_STEP.check(student)


Step = Callable[[Any, torch.optim.Optimizer, Tensor], Any]

SYMPTOMS = {  # PyTorch's words: what they mean here
    "modified by an inplace operation": "step() comes before backward(), and changes the weights that backward() "
    "still needs: the order is zero_grad(), backward(), step()",
    "does not require grad": "the loss has lost its connection to the weights; compute it without torch.no_grad(), "
    "detach() or item()",
}


def _three_steps(step: Step) -> Callable[[Tensor], Any]:
    """What three steps from a fixed start come to: x → (the losses, the weights)."""

    def losses_and_weights(x: Tensor) -> Any:
        from autoencoder_lab.models import LinearAutoencoder

        model = LinearAutoencoder(2, image_shape=(1, 3, 3))
        start = torch.linspace(-0.5, 0.5, 2 * 9)
        with torch.no_grad():
            model.weight.copy_(start.view(2, 9))
            model.decoder_weight.copy_(start.flip(0).view(9, 2))
        optimiser = torch.optim.SGD(model.parameters(), lr=0.02)
        with explaining("training_step", SYMPTOMS):
            losses = [step(model, optimiser, x) for _ in range(3)]
        weights = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
        if losses[0] is None or losses[0] is Ellipsis:
            if not torch.equal(model.decoder_weight.detach().flatten(), start.flip(0)):
                raise CheckFailed("training_step: your function trains but returns nothing; return the loss")
            return None
        if not all(isinstance(loss, Tensor | Real) and torch.as_tensor(loss).numel() == 1 for loss in losses):
            raise CheckFailed(
                f"training_step: return the loss, one number such as model.loss(x).total; got {show(losses[0])}"
            )
        return torch.stack([torch.as_tensor(loss).detach().float().reshape(()) for loss in losses]), weights

    return losses_and_weights


def _step(
    loss: Callable[[Any, Tensor], Tensor] = lambda model, x: model.loss(x).total,
    clear: bool = True,
    sign: int = 1,
    moves: int = 1,
) -> Step:
    """A step that minimises `loss` of (model, images), with or without a slip."""

    def step(model: Any, optimiser: torch.optim.Optimizer, x: Tensor) -> Tensor:
        value = loss(model, x)
        if clear:
            optimiser.zero_grad()
        (sign * value).backward()
        for _ in range(moves):
            optimiser.step()
        return value

    return step


def _loss_after(model: Any, optimiser: torch.optim.Optimizer, x: Tensor) -> Tensor:
    _step()(model, optimiser, x)
    loss: Tensor = model.loss(x).total
    return loss


TRAINING_STEP_MISTAKES: dict[str, Step] = {
    "the gradients pile up: backward() adds to what is there, so each step also repeats all earlier ones. Call "
    "optimiser.zero_grad() before backward()": _step(clear=False),
    "the weights never change. Either step() is missing, or it runs where there is no gradient: the order is "
    "zero_grad(), backward(), step()": _step(moves=0),
    "you climb: the loss grows. Call backward() on the loss itself, without a minus sign": _step(sign=-1),
    "step() is called twice for one gradient": _step(moves=2),
    "you use another loss than the model's own, averaged over pixels; take model.loss(x).total": _step(
        lambda model, x: (model.reconstruct(x) - x).pow(2).mean()
    ),
    "you use the squared error summed over the images; take model.loss(x).total, which is their mean": _step(
        lambda model, x: (model.reconstruct(x) - x).pow(2).sum()
    ),
    "the model is to give x back: its loss compares with x, not with black images": _step(
        lambda model, x: model.loss(x, torch.zeros_like(x)).total
    ),
    "the training is right, but you return the loss after the step; return the one you called backward() on": (
        _loss_after
    ),
    "the training is right, but you return the loss per pixel; return the one you called backward() on": (
        lambda model, optimiser, x: _step()(model, optimiser, x) / x[0].numel()
    ),
    "the training is right, but you return the loss with a minus sign": lambda model, optimiser, x: (
        -_step()(model, optimiser, x)
    ),
}

TRAINING_STEP = Question(
    "training_step",
    _three_steps(_step()),
    by_sentence({said: _three_steps(step) for said, step in TRAINING_STEP_MISTAKES.items()}),
    lambda _: [((torch.arange(4 * 9).remainder(7) / 7).view(4, 1, 3, 3),)],
    adapt=_three_steps,
)

# --- 4: an experiment ----------------------------------------------------------------------------------------------


def unseen_digit(experiment: Callable[..., Any], result: Any = None, conclusion: str | None = None) -> None:
    """Exercise 00.4: experiment(data, digit, train, error) gives (error with the digit, error without it).

    The experiment is run with a small data set and with stand-ins for train(images) and error(model, images) that
    write down what they are given: what it trains on and what it measures on is judged, not how small its errors are.
    result: what the real run returned; conclusion: a sentence that names how many times larger the error is.
    """
    name, digit = "unseen_digit", 2
    watcher = Watcher(name, numbered_images())

    def train(images: Tensor) -> int:
        return watcher.train_on(images)

    def error(model: int, images: Tensor) -> float:
        return watcher.error_on(model, images, "error(model, images) takes a model that train(images) returned")

    answer = watcher.answer(experiment, watcher.data, digit, train, error)
    if answer is None:
        return
    watcher.refuse(_training_flaw(watcher) or _other_digit(watcher, digit) or _measuring_flaw(watcher, digit))
    watcher.refuse(_digit_flaw(watcher, digit, answer))
    if not concluded(name, result, conclusion):
        return
    with_digit, without_digit = measured_numbers(name, result, 2)
    hint = (
        "how many times larger is the error without the digit? "
        f"Divide your second number by your first ({without_digit:.4f} / {with_digit:.4f})"
    )
    conclusion_compares(name, conclusion, without_digit / with_digit, hint, WITHOUT, WITH)


# of whom a sentence speaks: of the model that has not seen the digit, or of the other
WITHOUT = (
    r"\b(?:without|unseen|none|no (?:such|zeros?|digit|\d)|(?:never|not|n't)(?: \w+)? "
    r"(?:seen|see|saw|met|had|have|been|shown|train)\w*|(?:has|have|had|did) not|missing|left out|leaving out|lack\w*)"
)
WITH = (
    r"\b(?:with (?:the|it|them|its|all|an?|zeros?|that|this|\ds?|digit)\b(?! (?:error|factor|squared))|"
    r"(?:has|have|had|having|that) seen|saw|all (?:10 )?(?:digits|images)|in training|included)\b"
)


def _other_digit(watcher: Watcher, digit: int) -> str | None:
    """Whether another digit than the one asked for was left out or measured: a number written into the function."""
    held = [
        {one for one in range(4) if run.numbers & numbers_of(watcher.data, "train", one)} for run in watcher.trained
    ]
    for other in {0, 1, 2, 3} - {digit}:
        of_other = numbers_of(watcher.data, "test", other)
        measured = watcher.measured and all(one.numbers <= of_other for one in watcher.measured)
        if measured or (({0, 1, 2, 3} - {other}) in held and {0, 1, 2, 3} in held):
            return (
                f"your function takes the digit {other}, but the check asks it about {digit}. Is {other} written into "
                "it? Use the argument `digit`"
            )
    return None


def _training_flaw(watcher: Watcher) -> str | None:
    """What is wrong with what was trained on, whatever it holds, or None."""
    if not watcher.trained:
        return "no model was trained; call train(images), once with the digit among the images and once without"
    if any(run.split != "train" for run in watcher.trained):
        return "a model was trained on images that are not in data.train; those of val and test are for judging"
    if len(watcher.trained) == 1:
        return "there is no control: only one model was trained, so you cannot tell whether the digit is hard anyway"
    return None


def _measuring_flaw(watcher: Watcher, digit: int) -> str | None:
    """What is wrong with what was measured, or None."""
    if not watcher.measured:
        return "nothing was measured; call error(model, images) for both models"
    if any(one.split == "train" for one in watcher.measured):
        return "you measure on training images, which a model may know by heart; take data.test"
    if any(one.split != "test" for one in watcher.measured):
        return "you measure on images outside data.test; val is for choosing, test for judging"
    if any(not one.numbers <= numbers_of(watcher.data, "test", digit) for one in watcher.measured):
        return "you measure on other digits as well, which dilutes the effect; take data.test.labels == digit"
    if len({one.model for one in watcher.measured}) < 2:
        return "you measure one model only; the control needs its error on the same images"
    if len({one.numbers for one in watcher.measured}) > 1:
        return "the two models are measured on different images; only on the same ones can they be compared"
    return None


def _digit_flaw(watcher: Watcher, digit: int, answer: Any) -> str | None:
    """What is wrong with who has seen the digit, or with the errors returned, or None."""
    of_digit = numbers_of(watcher.data, "train", digit)
    seen = [bool(run.numbers & of_digit) for run in watcher.trained]
    if all(seen):
        return "both models have seen the digit in training; leave it out for one: data.train.labels != digit"
    if not any(seen):
        return "neither model has seen the digit, so there is no control; train one on all digits"
    if any(run.numbers <= of_digit for run in watcher.trained):
        return "one model was trained on the digit alone, so the two differ in more than the digit; train on all digits"
    for other in {0, 1, 2, 3} - {digit}:
        if not all(run.numbers & numbers_of(watcher.data, "train", other) for run in watcher.trained):
            return "one model has not seen other digits either, which is a second difference; leave out `digit` alone"
    sizes = [len(run.numbers) for run in watcher.trained]
    if min(sizes) < 0.75 * max(sizes):
        return f"the budgets differ: {max(sizes)} training images against {min(sizes)}; train on about as many"
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return f"return the two errors, (with the digit, without it), not {show(answer)}"
    models = [watcher.model_of(figure) for figure in answer]
    given = [None if model is None else seen[model] for model in models]
    if given == [False, True]:
        return "the two errors are the wrong way round: first the model that has seen the digit, then the other"
    if given != [True, False]:
        return "return the two errors as error(…) gave them, first with the digit, then without it"
    return None
