"""The judge of lab 1. Never released."""

import numpy as np
import torch

from autoencoder_lab import load, own_collection
from autoencoder_lab.checks import lab1
from autoencoder_lab.data.augmentations import affine
from autoencoder_lab.grading.first_weights import HANDED_OVER, learnt_elsewhere, seed_of, states_of
from autoencoder_lab.grading.judge import (
    Ask,
    Figures,
    Judge,
    Mark,
    StagedPart,
    Trained,
    exactly,
    function_part,
    reading_part,
)
from autoencoder_lab.grading.sandbox import Arrays, Limits

# Error against the best possible with so many numbers, on the same images: the largest that passes. The rows in
# tests/labs/reckoned hold what right and wrong models reach; docs/instructors.md has the reckoning.
SIZES = (1, 2, 4, 8)
MOST = {1: 1.13, 2: 1.18, 4: 1.29, 8: 1.52}
UNLIKE, ANOTHER_LOSS = 0.1, 0.6  # how far the loss is from a multiple of the nested one; a plain loss comes to 0.3
UNTRAINED = 1.6  # with all 8 numbers; a plain loss at the same steps comes out at 1.4, the mean image at 1.8

# Trained here as in the lab, on images that nobody has: stored digits, warped, their pixels in an order of this one
# training. To a linear model any order is as good as another; what it kept of digits is of no use here. One process
# trains; encoder and decoder are asked in others, which get its weights and no picture that it saw.
TRAIN = f"""{HANDED_OVER}
def probe(names, pictures, seed):
    pictures = torch.from_numpy(pictures).float() / 255
    model = made(names["NestedAutoencoder"], seed)
    if model.loss(pictures[:8]) is None:
        raise NotImplementedError("loss returns None")

    def train():
        random = torch.Generator().manual_seed(int(seed) + 3)
        optimiser = torch.optim.Adam(model.parameters(), 2e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 400)
        for _ in range(400):
            loss = model.loss(pictures[torch.randint(len(pictures), (64,), generator=random)])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()

    return before_and_after(model, seed, train)
"""
ASKED = f"""{HANDED_OVER}
def first_call(model):
    model.loss(torch.rand(8, 1, 28, 28))

def probe(names, seed, given, **numbers):
    model = with_numbers(names["NestedAutoencoder"], seed, numbers, first_call)
    with torch.no_grad():
        answer = model.STAGE(torch.from_numpy(given).float())
    if answer is None:
        raise NotImplementedError("STAGE returns None")
    return {{"answer": answerHALF}}
"""
ENCODE, DECODE = (
    ASKED.replace("STAGE", stage).replace("HALF", half) for stage, half in (("encode", ".half()"), ("decode", ""))
)
# The loss at weights of the judge's: it has to follow what the model then makes of its codes' beginnings, which is
# better after a small step down the loss's slope.
LOSS = f"""{HANDED_OVER}
def probe(names, images, sizes, beginnings, seed):
    model, images = made(names["NestedAutoencoder"], seed), torch.from_numpy(images)
    model.loss(images)
    weights, losses, shown, after = [one for one in model.parameters() if one.requires_grad], [], [], []
    others = [one for key, one in numbers_of(model).items() if key[0] == "x"]
    random = torch.Generator().manual_seed(int(seed))

    def drawn():
        codes = model.encode(images)
        return torch.stack([model.decode(codes * row) for row in torch.from_numpy(beginnings)])

    for size in sizes.tolist():
        with torch.no_grad():
            for one in [*model.parameters(), *others]:
                wide = max(one.shape[-1], 1) if one.ndim else 1
                one.copy_(size * torch.randn(one.shape, generator=random) / wide**0.5)
        loss = torch.stack([model.loss(images).double() for _ in range(16)]).mean()
        slopes = torch.autograd.grad(loss, weights, allow_unused=True) if loss.requires_grad else []
        with torch.no_grad():
            losses.append(loss.detach())
            shown.append(drawn())
            steep = sum(one.square().sum() for one in slopes if one is not None) ** 0.5 + 1e-30
            length = 1e-3 * sum(one.square().sum() for one in weights) ** 0.5
            for one, slope in zip(weights, slopes):
                one -= 0 if slope is None else length * slope / steep
            after.append(drawn())
    return {{"losses": torch.stack(losses), "shown": torch.stack(shown), "after": torch.stack(after)}}
"""


def drawn_images(generator: np.random.Generator, count: int) -> torch.Tensor:
    """Digits, turned, slanted, stretched, moved and dimmed, their pixels in an order of this draw: in no file."""
    splits = (load("mnist-5k").train, load("mnist-5k").test)
    images = torch.cat([split.images for split in splits])
    chosen = images[torch.from_numpy(generator.permutation(len(images))[:count])]
    seed = int(generator.integers(2**31))
    warped = affine(rotation=10, scale=0.1, shear=0.2)(chosen, torch.Generator().manual_seed(seed))
    dimmed = warped * torch.from_numpy(generator.uniform(0.9, 1, (count, 1, 1, 1)).astype("f4"))
    return dimmed.flatten(1)[:, torch.from_numpy(generator.permutation(784))].view_as(dimmed)


def measure_nested(ask: Ask, generator: np.random.Generator) -> dict[str, float] | Mark:
    pictures, images = drawn_images(generator, 2300).split((2000, 300))
    given = {"pictures": (255 * pictures).byte().numpy(), "seed": seed_of(generator)}
    seed, states = given["seed"], states_of(ask(TRAIN, **given), given["seed"])
    codes = {state: ask(ENCODE, seed=seed, given=images.numpy(), **numbers) for state, numbers in states.items()}
    for one in codes.values():
        if said := exactly(one, answer=((len(images), 8), "f2")):
            return Mark(0.0, f"encode must return one row of 8 numbers for each image: {said}", "wrong shape")
    # Each process decodes one set of codes. That of the trained model has all beginnings of one code: with j numbers
    # it may fill j directions alone, and in these nothing is better than what the first j numbers say.
    shown = {}
    for state, numbers in states.items():
        beginnings = [codes[state]["answer"] * (np.arange(8) < j) for j in (SIZES if state == "trained" else [8])]
        drawn = ask(DECODE, seed=seed, given=np.concatenate(beginnings).astype(np.float16), **numbers)
        if said := exactly(drawn, answer=((len(beginnings) * len(images), 1, 28, 28), "f")):
            return Mark(0.0, f"decode must return images (N, 1, 28, 28): {said}", "wrong shape")
        shown[state] = drawn["answer"]
    parts = torch.from_numpy(shown["trained"].astype("f4")).split(len(images))
    if not all(_within(part, j) for j, part in zip(SIZES, parts, strict=True)):
        return Mark(0.0, "what j numbers decode to must fill j directions; this decoder is not linear", "not linear")
    best = {j: float(lab1.best_error.right(images, j)) for j in SIZES}
    found = {f"{j}": float((part - images).square().mean()) / best[j] for j, part in zip(SIZES, parts, strict=True)}
    for state in ("before", "disorder"):
        control = torch.from_numpy(shown[state].astype("f4"))
        found[f"{state}_8"] = float((control - images).square().mean()) / best[8]
    return found | {"unlike": _unlike_its_loss(ask, images[:8], generator)}


def _unlike_its_loss(ask: Ask, images: torch.Tensor, generator: np.random.Generator) -> float:
    """How far the loss is from a multiple of the nested one, at weights of several sizes: 0 for not at all."""
    beginnings = np.tril(np.ones((8, 8), "f4"))
    sizes = generator.permutation(np.geomspace(0.3, 30, 10))
    given = ask(LOSS, images=images.numpy(), sizes=sizes, beginnings=beginnings, seed=seed_of(generator))
    form = ((len(sizes), 8, len(images), 1, 28, 28), "f")
    if exactly(given, losses=((len(sizes),), "f"), shown=form, after=form):
        return 9.0
    wanted, after = (
        (torch.from_numpy(given[name].astype("f4")) - images).double().square().mean(dim=(1, 2, 3, 4, 5)).numpy()
        for name in ("shown", "after")
    )
    ratios = given["losses"].astype("f8") / wanted
    if not (np.isfinite(ratios).all() and ratios.mean() > 0):
        return 9.0
    # what hangs on no weight is followed by any constant: the errors must differ much, and the slopes lead down
    if wanted.max() < 3 * wanted.min() or (after < wanted).mean() < 0.5:
        return 9.0
    return float(ratios.std() / abs(ratios.mean()))


def nested_verdict(found: Figures) -> Mark:
    measured = ", ".join(f"{j}: {found[str(j)]:.2f}" for j in MOST)
    if not found["8"] <= UNTRAINED:
        return Mark(0.0, f"with all 8 numbers the error is {found['8']:.2f} times the best possible", "not trained")
    if elsewhere := learnt_elsewhere(found, "8", lambda error: error <= UNTRAINED):
        return elsewhere
    if not found["unlike"] <= ANOTHER_LOSS:
        said = (
            "loss does not return the nested loss: whatever the weights are, it must rise and fall with the errors of"
        )
        return Mark(0.0, f"{said} all beginnings", "another loss")
    if not (found["unlike"] <= UNLIKE and all(found[str(j)] <= most for j, most in MOST.items())):
        return Mark(0.25, f"all 8 numbers do well together, the first ones alone do not ({measured})", "not nested")
    return Mark(1.0, f"error against the best possible with so many numbers: {measured}")


def _within(images: torch.Tensor, j: int) -> bool:
    """Whether all but a thousandth of the images' variance lies in j directions: of stored images it does not."""
    flat = images.flatten(1).double()
    if not flat.isfinite().all():
        return False
    energy = torch.linalg.svdvals(flat - flat.mean(dim=0)).square()
    return bool(energy[j:].sum() <= 1e-3 * energy.sum())


def judge_reading(student: str, given: Arrays) -> Mark:
    images = own_collection(student).train.images
    name, said = lab1.misread(images, float(given["smallest_k"]), float(given["share_of_two"]))
    return Mark({"": 1.0, "smallest_k": 2 / 3}.get(name, 0.0), said, name and f"misread: {name}")


JUDGE = Judge(
    parts=[
        function_part("test_best_error", 4, ("best_error",), lab1.best_error),
        function_part("test_best_code", 4, ("best_code",), lab1.best_code),
        function_part("test_whitened_codes", 4, ("whitened_codes",), lab1.whitened_codes),
        StagedPart("test_nested", 4, ("student", "data", "nested"), Trained(measure_nested, nested_verdict)),
        reading_part(
            "test_reading",
            3,
            ("student", "data", "collection", "reading"),
            ("smallest_k", "share_of_two"),
            judge_reading,
        ),
    ],
    replaced=["train"],  # by TRAIN
    limits=Limits(result=96 << 20),  # a model's weights, before training and after it
)
