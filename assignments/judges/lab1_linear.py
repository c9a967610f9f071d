"""The judge of lab 1. Never released."""

import numpy as np
import torch

from autoencoder_lab import own_images
from autoencoder_lab.checks import lab1
from autoencoder_lab.data.augmentations import affine
from autoencoder_lab.grading.judge import Ask, Judge, Mark, Part, StagedPart, function_part
from autoencoder_lab.grading.sandbox import Arrays

# Error against the best possible with so many numbers, on the same images: mean and standard deviation over ten
# reference runs, each with another student's images and another private seed. A model passes at 3 standard deviations.
REFERENCE = {1: (1.051, 0.013), 2: (1.056, 0.011), 4: (1.119, 0.024), 8: (1.304, 0.034)}

ENCODE = """
def probe(names, images):
    import torch
    codes = names["model"].encode(torch.from_numpy(images))
    if codes is None:
        raise NotImplementedError("encode returns None")
    return {"codes": codes.detach().half()}
"""
DECODE = """
def probe(names, codes):
    import torch
    images = names["model"].decode(torch.from_numpy(codes).float())
    if images is None:
        raise NotImplementedError("decode returns None")
    return {"images": images.detach()}
"""
READING = """
def probe(names):
    import numpy as np
    if names["smallest_k"] is None or names["share_of_two"] is None:
        raise NotImplementedError("the numbers are still None")
    read = {"k": int(names["smallest_k"]), "share": float(names["share_of_two"])}
    return {"student": np.array(str(names["STUDENT"])), **read}
"""


def probe_images(generator: np.random.Generator, count: int = 300) -> torch.Tensor:
    """Test images, turned, slanted, stretched, moved and dimmed: no stored image comes near enough to pass for one."""
    test = own_images("judge").test.images
    chosen = test[torch.from_numpy(generator.permutation(len(test))[:count])]
    seed = int(generator.integers(2**31))
    warped = affine(rotation=10, scale=0.1, shear=0.2)(chosen, torch.Generator().manual_seed(seed))
    return warped * torch.from_numpy(generator.uniform(0.9, 1, (count, 1, 1, 1)).astype("f4"))


def judge_nested(ask: Ask, generator: np.random.Generator) -> Mark:
    images = probe_images(generator)
    codes = ask(ENCODE, images=images.numpy())["codes"]
    if codes.shape != (len(images), 8) or codes.dtype != np.float16:
        return Mark(0.0, f"encode must return one row of 8 numbers for each image, got {codes.shape}", "wrong shape")
    beginnings = np.concatenate([codes * (np.arange(8) < j) for j in REFERENCE])
    shown = ask(DECODE, codes=beginnings.astype(np.float16))["images"]
    if shown.shape != (4 * len(images), 1, 28, 28):
        return Mark(0.0, f"decode must return images (N, 1, 28, 28), got {shown.shape}", "wrong shape")
    parts = torch.from_numpy(shown.astype("f4")).split(len(images))
    if not all(_within(part, j) for j, part in zip(REFERENCE, parts, strict=True)):
        return Mark(0.0, "what j numbers decode to must fill j directions; this decoder is not linear", "not linear")
    best = {j: float(lab1.best_error.right(images, j)) for j in REFERENCE}
    ratios = {j: float((part - images).square().mean()) / best[j] for j, part in zip(REFERENCE, parts, strict=True)}
    passed = {j: ratios[j] <= mean + 3 * spread for j, (mean, spread) in REFERENCE.items()}
    measured = ", ".join(f"{j}: {ratio:.2f}" for j, ratio in ratios.items())
    if all(passed.values()):
        return Mark(1.0, f"error against the best possible with so many numbers: {measured}")
    if not ratios[8] <= 1.6:  # a plain loss at the same steps comes out at 1.4
        return Mark(0.0, f"with all 8 numbers the error is {ratios[8]:.2f} times the best possible", "not trained")
    return Mark(0.25, f"all 8 numbers do well together, the first ones alone do not ({measured})", "not nested")


def _within(images: torch.Tensor, j: int) -> bool:
    """Whether all but a thousandth of the images' variance lies in j directions: of stored images it does not."""
    flat = images.flatten(1).double()
    if not flat.isfinite().all():
        return False
    energy = torch.linalg.svdvals(flat - flat.mean(dim=0)).square()
    return bool(energy[j:].sum() <= 1e-3 * energy.sum())


def judge_reading(given: Arrays, _: Arrays) -> Mark:
    images = own_images(str(given["student"])).train.images
    wanted_k, wanted_share = lab1.numbers_to_read(images)
    right = [int(given["k"]) == wanted_k, abs(float(given["share"]) - wanted_share) <= 0.006]
    if all(right):
        return Mark(1.0)
    said = "" if right[0] else f"smallest_k: {lab1.reading_mistake(images, int(given['k']))}. "
    said += "" if right[1] else "share_of_two is not the share that the first two components keep"
    return Mark(2 / 3 if right[0] else 1 / 3 if right[1] else 0.0, said, "misread")


JUDGE = Judge(
    parts=[
        function_part("test_best_error", 4, ("best_error",), lab1.best_error),
        function_part("test_best_code", 4, ("best_code",), lab1.best_code),
        function_part("test_whitened_codes", 4, ("whitened_codes",), lab1.whitened_codes),
        StagedPart("test_nested", 4, ("student", "data", "nested", "train"), judge_nested),
        Part("test_reading", 3, ("student", "data", "reading"), READING, judge_reading),
    ],
)
