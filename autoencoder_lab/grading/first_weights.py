"""What judges put before a probe that trains a student's model: first weights of the judge's own, and two controls.

A student can train elsewhere and hand in the weights. What was learnt elsewhere is no use here: every array of weights
has its numbers put into another order before training, which leaves them as large as their author wants them, and
takes away all that they know. Two controls go with it, asked for the same as the trained model: the model as it was
before training, and the trained one with its weights put into another order once more. A model that does well in one
of these has what it knows from somewhere else than from its training.

What has been learnt lies in the weights. So (labs 1, 2, 4, 6) one process trains and hands the weights over, the judge
makes the controls of them, and each question goes to a fresh process that gets one set of weights and none of the
pictures trained on: what a class has kept of these elsewhere than in its weights is of no use.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from autoencoder_lab.grading.judge import Figures, Mark, ProbeFailed
from autoencoder_lab.grading.sandbox import Arrays

FIRST_WEIGHTS = """
import torch

def in_another_order(model, seed):
    random = torch.Generator().manual_seed(int(seed))
    with torch.no_grad():
        for weights in model.parameters():
            if weights.requires_grad and weights.numel() > 1:
                order = torch.randperm(weights.numel(), generator=random)
                weights.copy_(weights.flatten()[order].view_as(weights))

def made(kind, seed):
    torch.set_num_threads(1)
    torch.manual_seed(int(seed))
    return kind()

def in_three_states(model, seed, train, answer):
    # what answer() gives before training, after it, and with the trained weights in another order
    in_another_order(model, seed)
    torch.manual_seed(int(seed) + 1)
    found, training = {}, model.training
    for state in ("before", "trained", "disorder"):
        if state == "trained":
            model.train(training)
            train()
        if state == "disorder":
            in_another_order(model, int(seed) + 2)
        model.eval()
        with torch.no_grad():
            found |= {f"{state}_{key}": value for key, value in answer(state).items()}
    return found
"""
HANDED_OVER = f"""{FIRST_WEIGHTS}
def numbers_of(model):
    # all that a model carries with it: w…, what training moves; x…, other weights, buffers, tensors as attributes
    weights, others = [], [one for one in model.buffers() if one.is_floating_point()]
    for one in model.parameters():
        (weights if one.requires_grad else others).append(one)
    known = {{one.untyped_storage().data_ptr() for one in weights + others}}
    for module in model.modules():
        for one in vars(module).values():
            if isinstance(one, torch.Tensor) and one.is_floating_point() and not one.requires_grad:
                if one.untyped_storage().data_ptr() not in known:  # a view of a weight is no number of its own
                    others.append(one)
    found = {{f"w{{i:04}}": one.detach() for i, one in enumerate(weights)}}
    return found | {{f"x{{i:04}}": one.detach() for i, one in enumerate(others)}}

def before_and_after(model, seed, train):
    # what the model carries with it before training, and after it
    in_another_order(model, seed)
    torch.manual_seed(int(seed) + 1)
    before = {{f"before_{{key}}": one.clone() for key, one in numbers_of(model).items()}}
    train()
    return before | {{f"trained_{{key}}": one for key, one in numbers_of(model).items()}}

def with_numbers(kind, seed, given, first_call):
    # the model with these numbers, ready to be asked; first_call: what makes layers that wait for their first input
    model = made(kind, seed)
    if any(torch.nn.parameter.is_lazy(one) for one in model.parameters()):
        first_call(model)
    with torch.no_grad():
        for key, one in numbers_of(model).items():
            if key in given and given[key].shape == tuple(one.shape):
                one.copy_(torch.from_numpy(given[key]))
    return model.eval()
"""
# One small step against the gradient of the loss: by how much that changes what the model answers, as a share of it
STEP = """
def changed(model, loss, answers):
    weights = [one for one in model.parameters() if one.requires_grad]
    before, value = answers(), loss()
    slopes = torch.autograd.grad(value, weights, allow_unused=True) if value.requires_grad else [None for _ in weights]
    slopes = [torch.zeros_like(one) if slope is None else slope for one, slope in zip(weights, slopes)]
    size, steep = (sum(one.square().sum() for one in some) ** 0.5 for some in (weights, slopes))
    with torch.no_grad():
        for one, slope in zip(weights, slopes):
            one -= 0.01 * size * slope / (steep + 1e-30)
    return [(two - one).norm() / (one.norm() + 1e-30) for one, two in zip(before, answers())]
"""
MOST_NUMBERS = 20_000_000  # that a model may carry with it
LEAST_CHANGE = 1e-5  # by such a step; right models change by a hundredth and more
UNHEARD = "your loss does not reach the weights by which your model answers: no step down its slope changes an answer."
ELSEWHERE = "your model does as well {} What it knows must come from the training that it gets here"
STATES = {"before": "before it has been trained.", "disorder": "with its weights in disorder."}


def seed_of(generator: np.random.Generator) -> np.ndarray[Any, Any]:
    """A private seed for a training, as a probe takes it."""
    return np.array(generator.integers(2**62))


def states_of(given: Arrays, seed: np.ndarray[Any, Any]) -> dict[str, Arrays]:
    """{"before", "trained", "disorder": {name: numbers}}, made from what a training handed over.

    The weights in disorder are those learnt, put into another order here. Raises ProbeFailed for anything else than a
    model's numbers, the same ones before training and after it.
    """
    states: dict[str, Arrays] = {"before": {}, "trained": {}}
    for key, numbers in given.items():
        if not (found := re.fullmatch(r"(before|trained)_([wx]\d{4})", key)) or numbers.dtype.kind != "f":
            raise ProbeFailed("the training hands over something else than a model's weights")
        states[found[1]][found[2]] = numbers
    shapes = [{key: one.shape for key, one in state.items() if key[0] == "w"} for state in states.values()]
    if shapes[0] != shapes[1]:
        raise ProbeFailed("the model has other weights after training than before it")
    if sum(numbers.size for numbers in given.values()) > 2 * MOST_NUMBERS:
        raise ProbeFailed(f"the model has more than {MOST_NUMBERS:,} weights")
    random = torch.Generator().manual_seed(int(seed) + 2)
    mixed = dict(states["trained"])
    for key in sorted(mixed):
        if key[0] == "w" and mixed[key].size > 1:
            order = torch.randperm(mixed[key].size, generator=random).numpy()
            mixed[key] = mixed[key].ravel()[order].reshape(mixed[key].shape)
    return states | {"disorder": mixed}


def learnt_elsewhere(figures: Figures, name: str, good: Callable[[float], bool]) -> Mark | None:
    """No points for a model that is good in a control, figures["before_NAME"] or figures["disorder_NAME"]."""
    for state, words in STATES.items():
        if good(figures[f"{state}_{name}"]):
            return Mark(0.0, ELSEWHERE.format(words), "learnt elsewhere")
    return None
