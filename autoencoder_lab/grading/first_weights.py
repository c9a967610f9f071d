"""What judges put before a probe that trains a student's model: first weights of the judge's own, and two controls.

A student can train elsewhere and hand in the weights. What was learnt elsewhere is no use here: every array of weights
has its numbers put into another order before training, which leaves them as large as their author wants them, and
takes away all that they know. Two controls go with it, asked for the same as the trained model: the model as it was
before training, and the trained one with its weights put into another order once more. A model that does well in one
of these has what it knows from somewhere else than from its training.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from autoencoder_lab.grading.judge import Figures, Mark

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
ELSEWHERE = "your model does as well {} What it knows must come from the training that it gets here"
STATES = {"before": "before it has been trained.", "disorder": "with its weights in disorder."}


def seed_of(generator: np.random.Generator) -> np.ndarray[Any, Any]:
    """A private seed for a training, as a probe takes it."""
    return np.array(generator.integers(2**62))


def learnt_elsewhere(figures: Figures, name: str, good: Callable[[float], bool]) -> Mark | None:
    """No points for a model that is good in a control, figures["before_NAME"] or figures["disorder_NAME"]."""
    for state, words in STATES.items():
        if good(figures[f"{state}_{name}"]):
            return Mark(0.0, ELSEWHERE.format(words), "learnt elsewhere")
    return None
