"""The judge of lab 1. Never released."""

import numpy as np
import torch

from autoencoder_lab import load, own_collection
from autoencoder_lab.checks import lab1
from autoencoder_lab.data.augmentations import affine
from autoencoder_lab.grading.first_weights import FIRST_WEIGHTS, learnt_elsewhere, seed_of
from autoencoder_lab.grading.judge import Ask, Figures, Judge, Mark, StagedPart, Trained, function_part, reading_part
from autoencoder_lab.grading.sandbox import Arrays

# Error against the best possible with so many numbers, on the same images: the largest that passes. The rows in
# tests/labs/reckoned hold what right and wrong models reach; docs/instructors.md has the reckoning.
SIZES = (1, 2, 4, 8)
MOST = {1: 1.13, 2: 1.18, 4: 1.29, 8: 1.52}
UNLIKE, ANOTHER_LOSS = 0.1, 0.6  # how far the loss is from a multiple of the nested one; a plain loss comes to 0.3
UNTRAINED = 1.6  # with all 8 numbers; a plain loss at the same steps comes out at 1.4, the mean image at 1.8

# Trained here as in the lab, on images that nobody has: stored digits, warped, their pixels in an order of this one
# training. To a linear model any order is as good as another; what it kept of digits elsewhere is of no use. Encoder
# and decoder are asked in two forks, each of which trains from one seed, so both have the same weights.
TRAINED = f"""{FIRST_WEIGHTS}
def trained(names, pictures, seed, answer):
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

    return in_three_states(model, seed, train, lambda state: answer(model, state))
"""
ENCODE = f"""{TRAINED}
def probe(names, pictures, seed, images):
    def answer(model, state):
        codes = model.encode(torch.from_numpy(images))
        if codes is None:
            raise NotImplementedError("encode returns None")
        return {{"codes": codes.half()}}
    return trained(names, pictures, seed, answer)
"""
DECODE = f"""{TRAINED}
def probe(names, pictures, seed, **codes):
    def answer(model, state):
        images = model.decode(torch.from_numpy(codes[state]).float())
        if images is None:
            raise NotImplementedError("decode returns None")
        return {{"images": images}}
    return trained(names, pictures, seed, answer)
"""
# the loss at weights of the judge's: it has to follow what the model then makes of its codes' beginnings
LOSS = f"""{FIRST_WEIGHTS}
def probe(names, images, sizes, beginnings, seed):
    model, images, losses, shown = made(names["NestedAutoencoder"], seed), torch.from_numpy(images), [], []
    random = torch.Generator().manual_seed(int(seed))
    with torch.no_grad():
        for size in sizes.tolist():
            for weights in model.parameters():
                weights.copy_(size * torch.randn(weights.shape, generator=random) / max(weights.shape[-1], 1) ** 0.5)
            losses.append(torch.stack([model.loss(images).double() for _ in range(16)]).mean())
            codes = model.encode(images)
            shown.append(torch.stack([model.decode(codes * row) for row in torch.from_numpy(beginnings)]))
    return {{"losses": torch.stack(losses), "shown": torch.stack(shown)}}
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
    codes = ask(ENCODE, **given, images=images.numpy())
    if {(values.shape, values.dtype) for values in codes.values()} != {((len(images), 8), np.dtype("f2"))}:
        shape = codes["trained_codes"].shape
        return Mark(0.0, f"encode must return one row of 8 numbers for each image, got {shape}", "wrong shape")
    beginnings = {
        state: np.concatenate(
            [codes[f"{state}_codes"] * (np.arange(8) < j) for j in (SIZES if state == "trained" else [8])]
        )
        for state in ("before", "trained", "disorder")
    }
    shown = ask(DECODE, **given, **{state: values.astype(np.float16) for state, values in beginnings.items()})
    if shown["trained_images"].shape != (4 * len(images), 1, 28, 28):
        return Mark(
            0.0, f"decode must return images (N, 1, 28, 28), got {shown['trained_images'].shape}", "wrong shape"
        )
    parts = torch.from_numpy(shown["trained_images"].astype("f4")).split(len(images))
    if not all(_within(part, j) for j, part in zip(SIZES, parts, strict=True)):
        return Mark(0.0, "what j numbers decode to must fill j directions; this decoder is not linear", "not linear")
    best = {j: float(lab1.best_error.right(images, j)) for j in SIZES}
    found = {f"{j}": float((part - images).square().mean()) / best[j] for j, part in zip(SIZES, parts, strict=True)}
    for state in ("before", "disorder"):
        control = torch.from_numpy(shown[f"{state}_images"].astype("f4"))
        found[f"{state}_8"] = float((control - images).square().mean()) / best[8]
    return found | {"unlike": _unlike_its_loss(ask, images[:8], generator)}


def _unlike_its_loss(ask: Ask, images: torch.Tensor, generator: np.random.Generator) -> float:
    """How far the loss is from a multiple of the nested one, at weights of several sizes: 0 for not at all."""
    beginnings = np.tril(np.ones((8, 8), "f4"))
    sizes = generator.permutation(np.geomspace(0.3, 30, 10))
    given = ask(LOSS, images=images.numpy(), sizes=sizes, beginnings=beginnings, seed=seed_of(generator))
    shown = torch.from_numpy(given["shown"].astype("f4"))
    wanted = (shown - images).double().square().mean(dim=(1, 2, 3, 4, 5)).numpy()
    ratios = given["losses"].astype("f8") / wanted
    return float(ratios.std() / abs(ratios.mean())) if np.isfinite(ratios).all() and ratios.mean() > 0 else 9.0


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
    replaced=["train"],  # by TRAINED
)
