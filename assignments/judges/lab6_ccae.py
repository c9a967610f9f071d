"""The judge of lab 6. Never released."""

import math
from dataclasses import replace

import numpy as np
import torch

from autoencoder_lab import augment, own_images
from autoencoder_lab.checks import lab6
from autoencoder_lab.grading.judge import CALL, Ask, Judge, Mark, Part, StagedPart, function_part
from autoencoder_lab.grading.sandbox import Arrays

# Means and standard deviations of ten reference runs (other students' images, other probes) over what the text
# suggests: temperatures from 0.1 to 0.3, hidden layers of 128, 192 and 256, ReLU and GELU. Asked for: three deviations
# below. For comparison, one run each: a linear model 0.21, 7.9, 0.39; VICReg as it is 0.16, 3.5, 0.44; untrained 0.03,
# 9.9, 0.33. Without learning: test images looked up by their pixels, with codes of their own, 0.09, 14.7, 0.42; with
# their labels for codes 0.12 (perfect labels would find 0.25: ten of the forty of a class).
REFERENCE = {"twins": (0.436, 0.036), "rank": (9.51, 0.53), "probe": (0.560, 0.022)}
WORTH = {"twins": 0.5, "rank": 0.25, "probe": 0.25}

# --- the covariance term: the small batches of its question, and one so wide that D × D numbers do not fit -----------

WIDE = (6, 24_000)  # D² numbers are 2.3 GB; a job may have 2
SMALL_SIDE = (
    CALL.replace("FUNCTION", "'covariance_term'").replace("def probe", "def small")
    + """
def probe(names, wide, **inputs):
    results = small(names, **inputs)
    try:
        results["wide"] = float(names["covariance_term"](torch_of(wide)))
    except (RuntimeError, MemoryError):
        results["wide"] = float("nan")
    return results

def torch_of(array):
    import torch
    return torch.from_numpy(array)
"""
)
small = function_part("test_covariance_term", 4, ("covariance_term",), lab6.covariance_term)


def wide_inputs(generator: np.random.Generator) -> Arrays:
    return {**small.inputs(generator), "wide": generator.normal(0.3, 1.0, WIDE).astype("f4")}


def judge_covariance(given: Arrays, inputs: Arrays) -> Mark:
    without = [{key: value for key, value in arrays.items() if key != "wide"} for arrays in (given, inputs)]
    mark = small.judge(*without)
    wide = float(given["wide"])
    if math.isnan(wide) and mark.share:
        said = lab6.TOO_LARGE if mark.share == 1 else f"{mark.said}; and somewhere a D × D matrix is built"
        return replace(mark, share=mark.share / 2, said=said, mistake=mark.mistake or "D × D")
    wanted = lab6.covariance_from_gram(torch.from_numpy(inputs["wide"]))
    if mark.share == 1 and not math.isclose(wide, wanted, rel_tol=1e-3):
        return Mark(
            0.5, "right for few dimensions; at D = 24,000 the values are not the expected ones", "wrong when wide"
        )
    return mark


# --- the diagnosis ---------------------------------------------------------------------------------------------------


def draw_pairs(generator: np.random.Generator) -> Arrays:
    pairs = lab6.diagnosis_batches(torch.Generator().manual_seed(int(generator.integers(2**31))))
    return {f"{i:02}{j:02}": batch.numpy() for i, pair in enumerate(pairs) for j, batch in enumerate(pair)}


def judge_diagnosis(given: Arrays, inputs: Arrays) -> Mark:
    calls = sorted({key[:2] for key in inputs})
    pairs = [(torch.from_numpy(inputs[f"{call}00"]), torch.from_numpy(inputs[f"{call}01"])) for call in calls]
    return Mark(*lab6.diagnosed(pairs, [given.get(f"{call}00") for call in calls]))


# --- the trained model: each encoder in a fork of its own, its halves in an order of its own -------------------------

ENCODE = """
def probe(names, halves):
    import torch
    model = names["model"].eval()
    with torch.no_grad():
        codes = model.encode_SIDE(torch.from_numpy(halves))
    if codes is None:
        raise NotImplementedError("encode_SIDE returns None")
    return {"codes": codes.half()}
"""


def judge_halves(ask: Ask, generator: np.random.Generator) -> Mark:
    images, labels = probe_images(generator)
    order = torch.from_numpy(generator.permutation(len(images)))
    codes = {}
    for side, halves in (("left", images[..., :12]), ("right", images[order][..., 16:])):
        given = ask(ENCODE.replace("SIDE", side), halves=halves.contiguous().numpy())["codes"]
        if given.shape != (len(images), lab6.CODE) or given.dtype != np.float16:
            said = f"encode_{side} must return {lab6.CODE} numbers for each image, got an array {given.shape}"
            return Mark(0.0, said, "wrong shape")
        if not np.isfinite(given).all():
            return Mark(0.0, f"the codes of {side} halves must be finite numbers below 65,000", "not finite")
        codes[side] = torch.from_numpy(given.astype("f4"))
    found = lab6.measures(codes["left"], codes["right"][order.argsort()], labels)
    missed = [name for name, (mean, spread) in REFERENCE.items() if not found[name] >= mean - 3 * spread]
    if not missed:
        return Mark(1.0, lab6.in_words(found))
    share = 0.0 if "twins" in missed else 1 - sum(WORTH[name] for name in missed)
    expected = "; ".join(f"{lab6.MISSED[name]}" for name in missed)
    return Mark(share, f"{expected} ({lab6.in_words(found)})", missed[0])


def probe_images(generator: np.random.Generator, count: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    """Test images turned, slanted, shifted, scaled and dimmed, with their labels: none of them lies in any file."""
    test = own_images("judge").test
    chosen = torch.from_numpy(generator.permutation(len(test))[:count])
    change = augment.affine(rotation=12, scale=0.15, shear=0.25, shift=0.06)
    moved = change(test.images[chosen], torch.Generator().manual_seed(int(generator.integers(2**31))))
    return moved * torch.from_numpy(generator.uniform(0.8, 1, (count, 1, 1, 1)).astype("f4")), test.labels[chosen]


# --- the numbers read ------------------------------------------------------------------------------------------------

READING = """
def probe(names):
    import numpy as np
    numbers = {name: names[name] for name in ("false_negatives", "left_tells", "right_tells")}
    if any(value is None for value in numbers.values()):
        raise NotImplementedError("the numbers are still None")
    return {"student": np.array(str(names["STUDENT"])), **{name: float(value) for name, value in numbers.items()}}
"""


def judge_reading(given: Arrays, _: Arrays) -> Mark:
    train = own_images(str(given["student"])).train
    wrong = lab6.reading_mistakes(train.images, train.labels, {name: float(given[name]) for name in lab6.READ})
    said = ". ".join(f"{name}: {sentence}" for name, sentence in wrong.items())
    return Mark(1 - len(wrong) / 3, said, "misread" if wrong else "")


JUDGE = Judge(
    parts=[
        function_part("test_info_nce", 4, ("info_nce",), lab6.info_nce),
        Part("test_covariance_term", 4, ("covariance_term",), SMALL_SIDE, judge_covariance, wide_inputs),
        function_part("test_barlow_twins", 3, ("barlow_twins",), lab6.barlow_twins),
        Part("test_diagnosis", 4, ("diagnosis",), CALL.replace("FUNCTION", "'diagnosis'"), judge_diagnosis, draw_pairs),
        StagedPart("test_halves", 4, ("student", "data", "info_nce", "halves", "train"), judge_halves),
        Part("test_reading", 3, ("student", "data", "reading"), READING, judge_reading),
    ],
)
