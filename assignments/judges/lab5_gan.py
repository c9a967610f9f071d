"""The judge of lab 5. Never released."""

import inspect
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from autoencoder_lab import load, losses, own_collection
from autoencoder_lab.checks import lab5
from autoencoder_lab.data.augmentations import affine
from autoencoder_lab.grading.first_weights import seed_of
from autoencoder_lab.grading.judge import (
    CALL,
    Ask,
    Figures,
    Judge,
    Mark,
    Part,
    StagedPart,
    Trained,
    function_part,
    reading_part,
)
from autoencoder_lab.grading.sandbox import Arrays

# distance and coverage of 500 pictures beside 500 real ones, and how near they come to real ones: what passes. The rows
# in tests/labs/reckoned hold what right and wrong rounds reach; docs/instructors.md has the reckoning.
BOUNDS = {"distance": 4.2, "coverage": 0.8, "nearness": lab5.BOUNDS["nearness"]}
LEAST_PENALTY = 0.5  # of the critic's own, in its step
SHARES = {"almost": 0.5, "collapsed": 0.25}

# The game is played here as in the lab, with first weights and batches of its own, on pictures that nobody has: digits,
# warped and halved, their pixels in an order of this one game. To dense layers any order is as good as another; a
# generator trained elsewhere is of no use. What comes back are the weights and no pictures: the judge draws by itself.
WEIGHTS = """
import copy
import torch
from torch import nn

def probe(names, pictures, seed):
    torch.set_num_threads(1)
    torch.manual_seed(int(seed))
    pictures = torch.from_numpy(pictures).float() / 255
    generator = nn.Sequential(
        *(nn.Linear(16, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2)),
        *(nn.Linear(128, 196), nn.Sigmoid(), nn.Unflatten(1, (1, 14, 14))),
    )
    critic = nn.Sequential(
        *(nn.Flatten(), nn.Linear(196, 128), nn.LeakyReLU(0.2)),
        *(nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)),
    )
    teach_generator, teach_critic = (
        torch.optim.Adam(network.parameters(), 3e-3, betas=(0.0, 0.99), fused=True) for network in (generator, critic)
    )
    random = torch.Generator().manual_seed(int(seed) + 1)
    averaged = copy.deepcopy(generator)
    for rounds in range(1, 601):
        batch = pictures[torch.randint(len(pictures), (64,), generator=random)]
        noise = torch.randn(64, 16, generator=random)
        if names["game_round"](generator, critic, teach_generator, teach_critic, batch, noise) is None:
            raise NotImplementedError("no round was played")
        with torch.no_grad():
            for average, now in zip(averaged.parameters(), generator.parameters(), strict=True):
                average.lerp_(now, max(0.01, 1 / rounds))
    return {str(i): weights.detach() for i, weights in enumerate(averaged.parameters())}
"""
# One round against the judge's own critic, with a generator that draws one grey whatever the noise: which way the
# critic moves then shows whether its penalty is there.
PENALTY = """
import torch
from torch import nn

def probe(names, real, grey, **weights):
    critic = nn.Sequential(
        *(nn.Flatten(), nn.Linear(196, 128), nn.LeakyReLU(0.2)),
        *(nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)),
    )
    generator = nn.Sequential(nn.Linear(16, 196), nn.Sigmoid(), nn.Unflatten(1, (1, 14, 14)))
    with torch.no_grad():
        for one, given in zip(critic.parameters(), (weights[name] for name in sorted(weights))):
            one.copy_(torch.from_numpy(given))
        generator[0].weight.zero_()
        generator[0].bias.copy_(torch.from_numpy(grey))
    teachers = [torch.optim.SGD(network.parameters(), 0.01) for network in (generator, critic)]
    if names["game_round"](generator, critic, *teachers, torch.from_numpy(real), torch.randn(len(real), 16)) is None:
        raise NotImplementedError("no round was played")
    return {name: one.detach() for name, one in zip(sorted(weights), critic.parameters())}
"""
SHAPES = [(128, 16), (128,), (128, 128), (128,), (196, 128), (196,)]


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


def drawn_pictures(generator: np.random.Generator) -> torch.Tensor:
    """All stored digits, in another order, warped and at half their size, their pixels in an order of this draw."""
    data = load("mnist-5k")
    images = torch.cat([split.images for split in (data.train, data.test)])
    seed = torch.Generator().manual_seed(int(generator.integers(2**31)))
    warped = affine(rotation=10, scale=0.1, shear=0.2)(
        images[torch.from_numpy(generator.permutation(len(images)))], seed
    )
    small = F.avg_pool2d(warped, 2)
    return small.flatten(1)[:, torch.from_numpy(generator.permutation(196))].view_as(small)


def measure_pictures(ask: Ask, generator: np.random.Generator) -> dict[str, float] | Mark:
    known, real, others = drawn_pictures(generator).split((2000, 500, 2000))
    weights = ask(WEIGHTS, pictures=(255 * known).byte().numpy(), seed=seed_of(generator))
    if [weights[name].shape for name in sorted(weights)] != SHAPES:
        return Mark(0.0, "the generator is not the one of the lab any more", "another network")
    drawn = draw(weights, generator.standard_normal((500, 16)))
    if not drawn.isfinite().all():
        return Mark(0.0, "the pictures hold nan: the game has blown up", "not finite", measured=True)
    found = lab5.quality(drawn, real, torch.cat([known, others]))
    return found | {"penalty": _penalty(ask, known[:64], generator)}


def _penalty(ask: Ask, real: torch.Tensor, random: np.random.Generator) -> float:
    """How much of the penalty there is in the critic's step, beside the other term: 1 for all of it, 0 for none."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(random.integers(2**62)))
        layers = [torch.nn.Linear(196, 128), torch.nn.Linear(128, 128), torch.nn.Linear(128, 1)]
        grey, leaky = torch.randn(196), torch.nn.LeakyReLU(0.2)
    critic = torch.nn.Sequential(torch.nn.Flatten(), layers[0], leaky, layers[1], leaky, layers[2])
    before = {f"{i}": weights.detach().numpy().copy() for i, weights in enumerate(critic.parameters())}
    after = ask(PENALTY, real=real.numpy(), grey=grey.numpy(), **before)
    if any(after[name].shape != weights.shape for name, weights in before.items()):
        return 0.0
    step = torch.from_numpy(np.concatenate([(after[name] - before[name]).ravel() for name in before]).astype("f8"))
    shown, made = real.clone().requires_grad_(), grey.sigmoid().view(1, 1, 14, 14).expand(len(real), -1, -1, -1)
    scores, others = critic(shown), critic(made)
    game = (scores - others.mean() - 1).square().mean() + (others - scores.mean() + 1).square().mean()
    terms = [game, 0.5 * losses.squared_gradient(scores, shown)]
    slopes = [
        torch.autograd.grad(term, list(critic.parameters()), retain_graph=True, allow_unused=True) for term in terms
    ]
    whole = [
        torch.cat([torch.zeros_like(one).ravel() if slope is None else slope.ravel() for one, slope in pairs])
        for pairs in (list(zip(critic.parameters(), each, strict=True)) for each in slopes)
    ]
    of_game, of_penalty = torch.linalg.lstsq(torch.stack(whole, dim=1).double(), step[:, None]).solution[:, 0].tolist()
    return float(np.clip(of_penalty / of_game, -9, 9)) if of_game < 0 and step.isfinite().all() else 0.0


def pictures_verdict(found: Figures) -> Mark:
    measured = ", ".join(f"{name} {found[name]:.2f}" for name in BOUNDS)
    shortcoming = lab5.short_of(dict(found), BOUNDS)
    if shortcoming is None:
        if found["penalty"] >= LEAST_PENALTY:
            return Mark(1.0, measured)
        said = "the pictures come near to real ones, but not as near as this game can; where is the critic's penalty?"
        return Mark(SHARES["almost"], f"{said} ({measured})", "no penalty")
    return Mark(SHARES.get(shortcoming[0], 0.0), f"{shortcoming[1]} ({measured})", shortcoming[0])


def judge_reading(student: str, given: Arrays) -> Mark:
    rare = [int(digit) for digit in given["rare_B"].flatten() if abs(digit) < 100]  # nan is none of them
    data = own_collection(student)
    wrong = lab5.reading_mistakes(data, float(given["nearness_A"]), float(given["coverage_B"]), rare)
    guessed = "coverage_B" in wrong and "rare_B" not in wrong  # the digits alone can be guessed: they earn nothing
    return Mark(
        1 - (len(wrong) + guessed) / 3,
        "; ".join(wrong.values()),
        " and ".join(wrong) and "misread: " + ", ".join(wrong),
    )


JUDGE = Judge(
    parts=[
        function_part("test_best_logit", 4, ("best_logit",), lab5.best_logit),
        function_part("test_divergence", 4, ("divergence",), lab5.divergence),
        round_part(),
        function_part("test_support_size", 3, ("support_size",), lab5.support_size),
        StagedPart("test_pictures", 4, ("student", "data", "game_round"), Trained(measure_pictures, pictures_verdict)),
        reading_part(
            "test_reading",
            3,
            ("student", "data", "collection", "suspects", "reading"),
            ("nearness_A", "coverage_B", "rare_B"),
            judge_reading,
        ),
    ],
    replaced=["train"],  # by WEIGHTS
)
