"""The judge of lab 5. Never released."""

import inspect
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from autoencoder_lab import load, own_images
from autoencoder_lab.checks import lab5
from autoencoder_lab.grading.judge import CALL, Ask, Judge, Mark, Part, StagedPart, function_part
from autoencoder_lab.grading.sandbox import Arrays

# distance and coverage of 500 pictures beside 500 test digits: means and standard deviations of twice ten reference
# runs (other students' images, other noise)
REFERENCE = {"distance": (2.60, 0.155), "coverage": (0.847, 0.023)}
BOUNDS = {
    "distance": REFERENCE["distance"][0] + 3 * REFERENCE["distance"][1],
    "coverage": REFERENCE["coverage"][0] - 3 * REFERENCE["coverage"][1],
    "nearness": lab5.BOUNDS["nearness"],
}
SHARES = {"almost": 0.5, "collapsed": 0.25}

# the weights, and no pictures: the judge draws by itself, so nothing but the trained network can answer
WEIGHTS = """
def probe(names):
    if not names["rounds"]:
        raise NotImplementedError("no round was played")
    return {str(i): weights.detach() for i, weights in enumerate(names["averaged"].parameters())}
"""
SHAPES = [(128, 16), (128,), (128, 128), (128,), (196, 128), (196,)]
READING = """
def probe(names):
    import numpy as np
    answers = [names[name] for name in ("nearness_A", "coverage_B", "rare_B")]
    if any(answer is None for answer in answers):
        raise NotImplementedError("the answers are still None")
    return {
        "student": np.array(str(names["STUDENT"])),
        "nearness": float(answers[0]),
        "coverage": float(answers[1]),
        "rare": np.array([int(digit) for digit in answers[2]], dtype="i8"),
    }
"""


def round_part() -> Part:
    """The student's function gets networks, which the probe builds from the arrays."""
    part = function_part("test_mended_round", 4, ("watch", "mended_round"), lab5.mended_round)
    called = CALL.replace("names[FUNCTION](", 'after_rounds(names["mended_round"], ')
    built = inspect.getsource(lab5.after_rounds)
    return replace(part, probe=f"from __future__ import annotations\n\n{built}\n{called}")


def draw(weights: Arrays, noise: np.ndarray) -> torch.Tensor:
    """The pictures (N, 1, 14, 14) of the lab's generator with these weights."""
    x = torch.from_numpy(noise).float()
    for i in (0, 2, 4):
        weight, bias = (torch.from_numpy(weights[str(j)].astype("f4")) for j in (i, i + 1))
        x = F.linear(F.leaky_relu(x, 0.2) if i else x, weight, bias)
    return x.sigmoid().view(-1, 1, 14, 14)


def judge_pictures(ask: Ask, generator: np.random.Generator) -> Mark:
    weights = ask(WEIGHTS)
    if [weights[name].shape for name in sorted(weights)] != SHAPES:
        return Mark(0.0, "the generator is not the one of the lab any more", "another network")
    drawn = draw(weights, generator.standard_normal((500, 16)))
    if not drawn.isfinite().all():
        return Mark(0.0, "the pictures hold nan: the game has blown up", "not finite")
    data = load("mnist-5k")
    # copies of any digit count, whosever it is, those held back too
    real, *known = (F.avg_pool2d(split.images, 2) for split in (data.test, data.train, data.val))
    order = torch.from_numpy(generator.permutation(len(real)))
    found = lab5.quality(drawn, real[order[:500]], torch.cat([*known, real[order[500:]]]))
    measured = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
    shortcoming = lab5.short_of(found, BOUNDS)
    if shortcoming is None:
        return Mark(1.0, measured)
    return Mark(SHARES.get(shortcoming[0], 0.0), f"{shortcoming[1]} ({measured})", shortcoming[0])


def judge_reading(given: Arrays, _: Arrays) -> Mark:
    data = own_images(str(given["student"]))
    wrong = lab5.reading_mistakes(data, float(given["nearness"]), float(given["coverage"]), given["rare"].tolist())
    return Mark(1 - len(wrong) / 3, "; ".join(wrong.values()), " and ".join(wrong) and "misread: " + ", ".join(wrong))


JUDGE = Judge(
    parts=[
        function_part("test_best_logit", 4, ("best_logit",), lab5.best_logit),
        function_part("test_divergence", 4, ("divergence",), lab5.divergence),
        round_part(),
        function_part("test_support_size", 3, ("support_size",), lab5.support_size),
        StagedPart("test_pictures", 4, ("student", "data", "game_round", "train"), judge_pictures),
        Part("test_reading", 3, ("student", "data", "suspects", "reading"), READING, judge_reading),
    ],
)
