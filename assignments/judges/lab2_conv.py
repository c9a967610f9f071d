"""The judge of lab 2. Never released."""

import numpy as np
import torch

from autoencoder_lab import own_images
from autoencoder_lab.augmentations import affine
from autoencoder_lab.checks import lab2
from autoencoder_lab.grading.judge import Ask, Mark, Part, StagedPart, function_part
from autoencoder_lab.grading.sandbox import Arrays

# The squared error as a share of the pictures' own squares, on images of 28×28 and on canvases of 60×60 with four
# digits each: mean and standard deviation of ten reference runs: other students, probes and first weights
REFERENCE = {28: (0.186, 0.0145), 60: (0.214, 0.0127)}
MOST = lab2.limits(REFERENCE)
HARDLY = 0.5  # of the squares; the mean image alone loses 0.6
ONE_SIZE = "canvases of 60×60 do not come back: a layer is made for one size"

# images of two sizes; where the larger ones stop the model, there is no answer for them
ENCODE = """
def probe(names, images, canvases):
    import torch
    found = {}
    for key, given in (("images", images), ("canvases", canvases)):
        try:
            codes = names["model"].encode(torch.from_numpy(given))
        except Exception:
            if key == "images":
                raise
            continue
        if codes is None:
            raise NotImplementedError("encode returns None")
        found[key] = codes.detach().half()
    return found
"""
DECODE = """
def probe(names, **codes):
    import torch
    found = {}
    for key in ("images", "canvases"):
        try:
            shown = names["model"].decode(torch.from_numpy(codes[key]).float())
        except Exception:
            if key == "images":
                raise
            continue
        if shown is None:
            raise NotImplementedError("decode returns None")
        found[key] = shown.detach()
    return found
"""
READING = """
def probe(names):
    import numpy as np
    if names["block_error"] is None or names["numbers"] is None:
        raise NotImplementedError("the numbers are still None")
    return {
        "student": np.array(str(names["STUDENT"])),
        "error": float(names["block_error"]),
        "numbers": float(names["numbers"]),
    }
"""


def probe_images(generator: np.random.Generator, count: int = 300) -> torch.Tensor:
    """Test images, turned, slanted, stretched, moved and dimmed: no stored image comes near enough to pass for one."""
    test = own_images("judge").test.images
    chosen = test[torch.from_numpy(generator.permutation(len(test))[:count])]
    warped = affine(rotation=20, scale=0.15, shear=0.3)(
        chosen, torch.Generator().manual_seed(int(generator.integers(2**31)))
    )
    return warped * torch.from_numpy(generator.uniform(0.9, 1, (count, 1, 1, 1)).astype("f4"))


def judge_map(ask: Ask, generator: np.random.Generator) -> Mark:
    images = probe_images(generator)
    canvases = lab2.canvases(probe_images(generator), torch.from_numpy(generator.integers(0, 3, (300, 2))))
    codes = ask(ENCODE, images=images.numpy(), canvases=canvases.numpy())
    if codes["images"].shape != (len(images), *lab2.CODE) or codes["images"].dtype != np.float16:
        said = f"encode must return maps (N, 2, 4, 4) for images of 28×28, got {codes['images'].shape}"
        return Mark(0.0, said, "wrong shape")
    # 8 × 8 places for 60 × 60 pixels, and no more: what does not keep to that is not decoded
    large = codes.get("canvases", np.zeros(0, np.float16))
    fits = large.shape == (len(canvases), 2, 8, 8) and large.dtype == np.float16
    shown = ask(DECODE, images=codes["images"], **({"canvases": large} if fits else {}))
    if shown["images"].shape != tuple(images.shape):
        said = f"decode must return images of 28×28 for maps of 4×4, got {shown['images'].shape}; which output paddings"
        return Mark(0.0, f"{said} lead from 4 back to 7, 14 and 28?", "wrong shape")
    lost = lab2.share_lost(torch.from_numpy(shown["images"].astype("f4")), images)
    comes_back = "canvases" in shown and shown["canvases"].shape == tuple(canvases.shape)
    if not lost <= MOST[28]:
        return _too_large(lost, codes["images"], comes_back)
    if not comes_back:
        return Mark(0.5, f"well done on images of 28×28, but {ONE_SIZE}", "one size")
    lost_large = lab2.share_lost(torch.from_numpy(shown["canvases"].astype("f4")), canvases)
    told = f"of the squares {lost:.3f} is lost, on canvases of 60×60 {lost_large:.3f}"
    if not lost_large <= MOST[60]:
        said = f"well done on images of 28×28, not on canvases ({told}, allowed are {MOST[60]:.3f})"
        return Mark(0.75, f"{said}: a layer looks at the whole picture", "whole picture")
    return Mark(1.0, told)


def _too_large(lost: float, codes: np.ndarray, comes_back: bool) -> Mark:
    said = f"of the images' squares {lost:.3f} is lost, at most {MOST[28]:.3f} is asked for"
    if not lost <= HARDLY:
        return Mark(0.0, f"{said}: it has hardly learnt anything", "not trained")
    if not comes_back:
        return Mark(0.25, f"{said}; and {ONE_SIZE}", "one size")
    if codes.min() >= 0:
        said += ": your codes have no negative numbers, an activation stands after the last convolution"
        return Mark(0.5, said, "activation on the code")
    return Mark(0.25, f"{said}: it has learnt, but less than this code can hold", "not as good")


def judge_reading(given: Arrays, _: Arrays) -> Mark:
    images = own_images(str(given["student"])).train.images
    error, numbers = float(given["error"]), float(given["numbers"])
    wanted_error, wanted_numbers = lab2.numbers_to_read(images)
    right = [lab2.close(error, wanted_error), numbers == wanted_numbers]
    if all(right):
        return Mark(1.0)
    said = "" if right[0] else f"block_error: {lab2.block_error_mistake(images, error)}. "
    said += "" if right[1] else f"numbers: {lab2.numbers_mistake(images, numbers)}"
    return Mark(sum(right) / 2, said, "misread")


PARTS = [
    function_part("test_output_paddings", 3, ("output_paddings",), lab2.output_paddings),
    function_part("test_window", 3, ("window",), lab2.window),
    function_part("test_stamp_kernel", 4, ("stamp_kernel",), lab2.stamp_kernel),
    function_part("test_mirrored_decoder", 4, ("mirrored_decoder",), lab2.mirrored_decoder),
    StagedPart("test_map_autoencoder", 4, ("student", "data", "map_autoencoder", "train"), judge_map),
    Part("test_reading", 3, ("student", "data", "reading"), READING, judge_reading),
]
