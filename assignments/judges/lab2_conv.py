"""The judge of lab 2. Never released."""

from typing import Any

import numpy as np
import torch

from autoencoder_lab import own_collection
from autoencoder_lab.checks import lab2
from autoencoder_lab.grading.drawings import scribbles
from autoencoder_lab.grading.first_weights import FIRST_WEIGHTS, learnt_elsewhere, seed_of
from autoencoder_lab.grading.judge import Ask, Figures, Judge, Mark, StagedPart, Trained, function_part, reading_part
from autoencoder_lab.grading.sandbox import Arrays

# The squared error as a share of the pictures' own squares, on scribbles of 28×28 and on canvases of 60×60 with four
# of them each: the largest that pass. The rows in tests/labs/reckoned hold what right and wrong models reach;
# docs/instructors.md has the reckoning.
MOST = {28: 0.30, 60: 0.31}
HARDLY = 0.47  # of the squares; the nearest of the pictures trained on loses 0.59, a model without nonlinearity 0.40
CONTROL = 0.4  # what a control must not come down to; a black picture loses 1, stored weights of scribbles 0.25
ONE_SIZE = "canvases of 60×60 do not come back: a layer is made for one size"
# On their way from encoder to decoder the codes get noise, as a share of their own spread: what hides in a number's
# last digits does not arrive, while a decoder that draws hardly minds.
NOISE = 0.05

# The class is trained here as in the lab, from first weights and on batches of this one training, and on scribbles that
# exist nowhere: whatever a submission has kept of other pictures is of no use. At a third of the lab's rate, at which a
# model without nonlinearity diverges on them. Encoder and decoder are asked in two forks, each of which trains; one
# thread, one seed, so both have the same weights.
TRAINED = f"""{FIRST_WEIGHTS}
def trained(names, pictures, seed, answer):
    pictures = torch.from_numpy(pictures).float() / 255
    model = made(names["MapAutoencoder"], seed)
    for stage, given in (("encode", pictures[:8]), ("decode", torch.zeros(8, 2, 4, 4))):
        if getattr(model, stage)(given) is None:
            raise NotImplementedError(f"{{stage}} returns None")

    def train():
        if model.decode(torch.zeros(8, 2, 4, 4)).shape != pictures[:8].shape:
            return  # the judge sees its shape; it cannot be trained
        random = torch.Generator().manual_seed(int(seed) + 3)
        optimiser = torch.optim.Adam(model.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=500)
        for _ in range(500):
            images = pictures[torch.randint(len(pictures), (32,), generator=random)]
            loss = (model.decode(model.encode(images)) - images).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()

    return in_three_states(model, seed, train, lambda state: answer(model, state))

def shown(stage, given):
    # what a stage makes of either size; where the larger one stops the model, there is no answer for it
    found = {{}}
    for key in sorted(given, reverse=True):
        try:
            found[key] = stage(torch.from_numpy(given[key]).float())
        except Exception:
            if key == "images":
                raise
    return found
"""
ENCODE = f"""{TRAINED}
def probe(names, pictures, seed, **given):
    def answer(model, state):
        return {{key: codes.half() for key, codes in shown(model.encode, given).items()}}
    return trained(names, pictures, seed, answer)
"""
DECODE = f"""{TRAINED}
def probe(names, pictures, seed, **codes):
    def answer(model, state):
        given = {{key.split("_")[1]: value for key, value in codes.items() if key.startswith(state)}}
        return shown(model.decode, given)
    return trained(names, pictures, seed, answer)
"""


def with_noise(codes: np.ndarray[Any, Any], generator: np.random.Generator) -> np.ndarray[Any, Any]:
    """codes: (N, 2, h, w); each of the two maps gets noise of its own size."""
    spread = codes.astype("f4").std(axis=(0, 2, 3), keepdims=True)
    return (codes + NOISE * spread * generator.standard_normal(codes.shape)).astype(np.float16)


def measure_map(ask: Ask, generator: np.random.Generator) -> dict[str, float] | Mark:
    given = {"pictures": (255 * scribbles(generator, 2000)).byte().numpy(), "seed": seed_of(generator)}
    images = scribbles(generator, 300)
    canvases = lab2.canvases(scribbles(generator, 300), torch.from_numpy(generator.integers(0, 3, (300, 2))))
    codes = ask(ENCODE, **given, images=images.numpy(), canvases=canvases.numpy())
    wanted = {"images": (len(images), *lab2.CODE), "canvases": (len(canvases), 2, 8, 8)}
    # 8 × 8 places for 60 × 60 pixels, and no more: what does not keep to that is not decoded
    whole = {
        key: one for key, one in codes.items() if one.shape == wanted[key.split("_")[1]] and one.dtype == np.float16
    }
    if not {f"{state}_images" for state in ("before", "trained", "disorder")} <= whole.keys():
        said = f"encode must return maps (N, 2, 4, 4) for images of 28×28, got {codes['trained_images'].shape}"
        return Mark(0.0, said, "wrong shape")
    shown = ask(DECODE, **given, **{key: with_noise(maps, generator) for key, maps in whole.items()})
    if shown["trained_images"].shape != tuple(images.shape):
        said = f"decode must return images of 28×28 for maps of 4×4, got {shown['trained_images'].shape}; which output"
        return Mark(0.0, f"{said} paddings lead from 4 back to 7, 14 and 28?", "wrong shape")
    lost = {key: _lost(shown.get(f"{key}_images"), images) for key in ("before", "trained", "disorder")}
    signs = {"negative": float(codes["trained_images"].min() < 0)}
    figures = {"28": lost["trained"], "before_28": lost["before"], "disorder_28": lost["disorder"]} | signs
    return figures | {"60": _lost(shown.get("trained_canvases"), canvases)}


def _lost(shown: np.ndarray | None, images: torch.Tensor) -> float:
    """The share of the squares that is lost; 9 where the size does not come back, or the numbers are none."""
    if shown is None or shown.shape != tuple(images.shape):
        return 9.0
    return min(8.0, lab2.share_lost(torch.from_numpy(shown.astype("f4")).nan_to_num(9, 9, 9), images))


def map_verdict(found: Figures) -> Mark:
    comes_back = found["60"] < 9
    if not found["28"] <= MOST[28]:
        return _too_large(found, comes_back)
    if elsewhere := learnt_elsewhere(found, "28", lambda lost: lost <= CONTROL):
        return elsewhere
    if not comes_back:
        return Mark(0.25, f"well done on images of 28×28, but {ONE_SIZE}", "one size")
    measured = f"of the squares {found['28']:.3f} is lost, on canvases of 60×60 {found['60']:.3f}"
    if not found["60"] <= MOST[60]:
        said = f"well done on images of 28×28, not on canvases ({measured}, allowed are {MOST[60]:.3f})"
        return Mark(0.75, f"{said}: a layer looks at the whole picture", "whole picture")
    return Mark(1.0, measured)


def _too_large(found: Figures, comes_back: bool) -> Mark:
    said = f"of the images' squares {found['28']:.3f} is lost, at most {MOST[28]:.3f} is asked for"
    if not found["28"] <= HARDLY:
        return Mark(0.0, f"{said}: it has hardly learnt anything", "not trained")
    if elsewhere := learnt_elsewhere(found, "28", lambda lost: lost <= CONTROL):
        return elsewhere
    if not comes_back:
        return Mark(0.25, f"{said}; and {ONE_SIZE}", "one size")
    if not found["negative"]:
        said += ": your codes have no negative numbers, an activation stands after the last convolution"
        return Mark(0.5, said, "activation on the code")
    return Mark(0.25, f"{said}: it has learnt, but less than this code can hold", "not as good")


def judge_reading(student: str, given: Arrays) -> Mark:
    wrong = lab2.misread(own_collection(student).train.images, float(given["block_error"]), float(given["times"]))
    return Mark(1 - len(wrong) / 2, ". ".join(wrong.values()), " and ".join(wrong) and "misread: " + ", ".join(wrong))


JUDGE = Judge(
    parts=[
        function_part("test_output_paddings", 3, ("output_paddings",), lab2.output_paddings),
        function_part("test_window", 3, ("window",), lab2.window),
        function_part("test_stamp_kernel", 4, ("stamp_kernel",), lab2.stamp_kernel),
        function_part("test_mirrored_decoder", 4, ("mirrored_decoder",), lab2.mirrored_decoder),
        StagedPart("test_map_autoencoder", 4, ("map_autoencoder",), Trained(measure_map, map_verdict)),
        reading_part(
            "test_reading", 3, ("student", "data", "collection", "reading"), ("block_error", "times"), judge_reading
        ),
    ],
    replaced=["train"],  # by TRAINED
)
