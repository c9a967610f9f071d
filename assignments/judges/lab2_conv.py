"""The judge of lab 2. Never released."""

from typing import Any

import numpy as np
import torch

from autoencoder_lab import own_collection
from autoencoder_lab.checks import lab2
from autoencoder_lab.grading.drawings import scribbles
from autoencoder_lab.grading.first_weights import HANDED_OVER, learnt_elsewhere, seed_of, states_of
from autoencoder_lab.grading.judge import (
    Ask,
    Figures,
    Judge,
    Mark,
    ProbeFailed,
    StagedPart,
    Trained,
    exactly,
    function_part,
    reading_part,
)
from autoencoder_lab.grading.running import OutOfTime
from autoencoder_lab.grading.sandbox import Arrays, Limits

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
# model without nonlinearity diverges on them. One process trains; encoder and decoder are asked in others, which get
# its weights and no picture that it saw.
TRAIN = f"""{HANDED_OVER}
def probe(names, pictures, seed):
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

    return before_and_after(model, seed, train)
"""
ASKED = f"""{HANDED_OVER}
def first_call(model):
    model.decode(model.encode(torch.zeros(8, 1, 28, 28)))

def probe(names, seed, given, **numbers):
    model = with_numbers(names["MapAutoencoder"], seed, numbers, first_call)
    with torch.no_grad():
        return {{"answer": model.STAGE(torch.from_numpy(given).float())HALF}}
"""
ENCODE, DECODE = (
    ASKED.replace("STAGE", stage).replace("HALF", half) for stage, half in (("encode", ".half()"), ("decode", ""))
)


def with_noise(codes: np.ndarray[Any, Any], generator: np.random.Generator) -> np.ndarray[Any, Any]:
    """codes: (N, 2, h, w); each of the two maps gets noise of its own size."""
    spread = codes.astype("f4").std(axis=(0, 2, 3), keepdims=True)
    return (codes + NOISE * spread * generator.standard_normal(codes.shape)).astype(np.float16)


def measure_map(ask: Ask, generator: np.random.Generator) -> dict[str, float] | Mark:
    given = {"pictures": (255 * scribbles(generator, 2000)).byte().numpy(), "seed": seed_of(generator)}
    images = scribbles(generator, 300)
    canvases = lab2.canvases(scribbles(generator, 300), torch.from_numpy(generator.integers(0, 3, (300, 2))))
    states = states_of(ask(TRAIN, **given), given["seed"])
    seed = given["seed"]
    codes = {state: ask(ENCODE, seed=seed, given=images.numpy(), **numbers) for state, numbers in states.items()}
    # what is not of that size, or not alone, is not decoded
    wrong = [said for one in codes.values() if (said := exactly(one, answer=((len(images), *lab2.CODE), "f2")))]
    if wrong:
        return Mark(0.0, f"encode must return maps (N, 2, 4, 4) for images of 28×28: {wrong[0]}", "wrong shape")
    wide = _answer(ask, ENCODE, seed, canvases.numpy(), states["trained"])
    # 8 × 8 places for 60 × 60 pixels, and no more
    fits = not exactly(wide, answer=((len(canvases), 2, 8, 8), "f2"))
    noisy = {state: with_noise(one["answer"], generator) for state, one in codes.items()}
    wide_codes = with_noise(wide["answer"], generator) if fits else None
    # each process draws from one set of codes, and is shown no other
    shown = {
        state: ask(DECODE, seed=seed, given=noisy[state], **numbers)["answer"] for state, numbers in states.items()
    }
    if shown["trained"].shape != tuple(images.shape):
        said = f"decode must return images of 28×28 for maps of 4×4, got {shown['trained'].shape}; which output"
        return Mark(0.0, f"{said} paddings lead from 4 back to 7, 14 and 28?", "wrong shape")
    lost = {state: _lost(one, images) for state, one in shown.items()}
    signs = {"negative": float(codes["trained"]["answer"].min() < 0)}
    figures = {"28": lost["trained"], "before_28": lost["before"], "disorder_28": lost["disorder"]} | signs
    drawn = {} if wide_codes is None else _answer(ask, DECODE, seed, wide_codes, states["trained"])
    return figures | {"60": _lost(drawn.get("answer"), canvases)}


def _answer(ask: Ask, probe: str, seed: np.ndarray, given: np.ndarray, numbers: Arrays) -> Arrays:
    """Of the larger size; nothing where that stops the model."""
    try:
        return ask(probe, seed=seed, given=given, **numbers)
    except OutOfTime:
        raise
    except ProbeFailed:
        return {}


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
    replaced=["train"],  # by TRAIN
    limits=Limits(result=96 << 20),  # a model's weights, before training and after it
)
