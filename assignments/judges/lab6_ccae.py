"""The judge of lab 6. Never released."""

import math
from dataclasses import replace

import numpy as np
import torch

from autoencoder_lab import own_collection
from autoencoder_lab.checks import lab6
from autoencoder_lab.grading.drawings import alphabet, handwritten
from autoencoder_lab.grading.first_weights import (
    HANDED_OVER,
    LEAST_CHANGE,
    STEP,
    UNHEARD,
    learnt_elsewhere,
    seed_of,
    states_of,
)
from autoencoder_lab.grading.judge import (
    CALL,
    Ask,
    Figures,
    Judge,
    Mark,
    Part,
    StagedPart,
    Trained,
    exactly,
    function_part,
    reading_part,
)
from autoencoder_lab.grading.sandbox import Arrays, Limits

# Twins found, effective rank, letters read: the least that passes. The rows in tests/labs/reckoned hold what right and
# wrong models reach; docs/instructors.md has the reckoning.
LEAST = {"twins": 0.25, "rank": 5.8, "probe": 0.4}
UNTRAINED = 0.15  # of the twins, before training and with weights in disorder; chance finds 0.025
LETTERS = 20
UNSTEADY = 0.08  # of the hand that writes the letters
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


# --- the trained model: each encoder in a process of its own, its halves in an order of its own ----------------------

# The class is trained here as in the lab, from first weights and on batches of this one training, and on the halves of
# an alphabet that exists nowhere: which right half goes with which left one can be learnt here alone. One process
# trains; the encoders are asked in others, which get its weights and no letter that it saw.
TRAIN = f"""{HANDED_OVER}
import autoencoder_lab as lab

def parted(images):
    return images[..., :12], images[..., 16:]

def probe(names, letters, seed):
    letters = torch.from_numpy(letters).float() / 255
    model = made(names["TwoHalves"], seed)
    if model.loss(*parted(letters[:8])) is None:
        raise NotImplementedError("loss returns None")

    def train():
        random = torch.Generator().manual_seed(int(seed) + 3)
        change = lab.augment.affine()
        optimiser = torch.optim.Adam(model.parameters(), 2e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 400)
        for _ in range(400):
            batch = change(letters[torch.randperm(len(letters), generator=random)[:128]], random)
            loss = model.loss(*parted(batch))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()

    return before_and_after(model, seed, train)
"""
ENCODE = f"""{HANDED_OVER}
def first_call(model):
    model.loss(torch.rand(8, 1, 28, 12), torch.rand(8, 1, 28, 12))

def probe(names, seed, halves, **numbers):
    model = with_numbers(names["TwoHalves"], seed, numbers, first_call)
    with torch.no_grad():
        codes = model.encode_SIDE(torch.from_numpy(halves))
    if codes is None:
        raise NotImplementedError("encode_SIDE returns None")
    return {{"codes": codes.half()}}
"""
# What the loss asks for, with the weights that were learnt: it must tell which halves belong together, and a step down
# its slope must change the codes.
LOSS = f"""{HANDED_OVER}{STEP}
def first_call(model):
    model.loss(torch.rand(8, 1, 28, 12), torch.rand(8, 1, 28, 12))

def probe(names, seed, left, right, **numbers):
    model = with_numbers(names["TwoHalves"], seed, numbers, first_call)
    left, right = torch.from_numpy(left), torch.from_numpy(right)
    with torch.no_grad():
        values = [float(model.loss(left, one)) for one in (right, right.roll(1, dims=0))]

    def codes():
        with torch.no_grad():
            return [model.encode_left(left), model.encode_right(right)]

    changes = changed(model, lambda: model.loss(left, right), codes)
    return {{"values": torch.tensor(values), "changes": torch.stack(changes)}}
"""


def measure_halves(ask: Ask, generator: np.random.Generator) -> dict[str, float] | Mark:
    letters = alphabet(generator, LETTERS)
    labels, shown = torch.from_numpy(generator.integers(0, LETTERS, 2400)).split((2000, 400))
    pictures, images = (handwritten(letters[which], generator, UNSTEADY) for which in (labels, shown))
    given = {"letters": (255 * pictures).byte().numpy(), "seed": seed_of(generator)}
    order = torch.from_numpy(generator.permutation(len(images)))
    seed, states = given["seed"], states_of(ask(TRAIN, **given), given["seed"])
    codes: dict[str, dict[str, torch.Tensor]] = {state: {} for state in states}
    for side, halves in (("left", images[..., :12]), ("right", images[order][..., 16:])):
        for state, kept in codes.items():
            asked = {"seed": seed, "halves": halves.contiguous().numpy()} | states[state]
            answer = ask(ENCODE.replace("SIDE", side), **asked)
            if said := exactly(answer, codes=((len(images), lab6.CODE), "f2")):
                said = f"encode_{side} must return {lab6.CODE} numbers for each image: {said}"
                return Mark(0.0, said, "wrong shape")
            found = answer["codes"]
            if not np.isfinite(found).all():
                said = f"the codes of {side} halves must be finite numbers below 65,000"
                return Mark(0.0, said, "not finite", measured=True)
            kept[side] = torch.from_numpy(found.astype("f4"))
            kept[side] = kept[side][order.argsort()] if side == "right" else kept[side]
    if said := _deaf(ask, images, seed, states["trained"]):
        return Mark(0.0, said, "another loss", measured=True)
    by_state = {state: lab6.measures(kept["left"], kept["right"], shown) for state, kept in codes.items()}
    return by_state["trained"] | {f"{state}_twins": by_state[state]["twins"] for state in ("before", "disorder")}


def _deaf(ask: Ask, images: torch.Tensor, seed: np.ndarray, numbers: Arrays) -> str:
    """What is wrong with the loss where it has nothing to do with the codes; "" for any that has, whatever its form."""
    left, right = (images[:128, ..., some].contiguous().numpy() for some in (slice(0, 12), slice(16, 28)))
    given = ask(LOSS, seed=seed, left=left, right=right, **numbers)
    if exactly(given, values=((2,), "f"), changes=((2,), "f")):
        return UNHEARD
    if not (given["changes"] > LEAST_CHANGE).all():
        return UNHEARD
    same = abs(given["values"][0] - given["values"][1]) <= 1e-6 * abs(given["values"]).max()
    return "your loss does not tell which halves belong together: with other twins it is as large" if same else ""


def halves_verdict(found: Figures) -> Mark:
    missed = [name for name, least in LEAST.items() if not found[name] >= least]
    if not missed:
        return learnt_elsewhere(found, "twins", lambda twins: twins > UNTRAINED) or Mark(1.0, lab6.in_words(found))
    share = 0.0 if "twins" in missed else 1 - sum(WORTH[name] for name in missed)
    expected = "; ".join(f"{lab6.MISSED[name]}" for name in missed)
    return Mark(share, f"{expected} ({lab6.in_words(found)})", missed[0])


# --- the numbers read ------------------------------------------------------------------------------------------------


def judge_reading(student: str, given: Arrays) -> Mark:
    train = own_collection(student).train
    wrong = lab6.reading_mistakes(train.images, train.labels, {name: float(given[name]) for name in lab6.READ})
    said = ". ".join(f"{name}: {sentence}" for name, sentence in wrong.items())
    return Mark(1 - len(wrong) / 3, said, "misread" if wrong else "")


JUDGE = Judge(
    parts=[
        function_part("test_info_nce", 4, ("info_nce",), lab6.info_nce),
        Part("test_covariance_term", 4, ("covariance_term",), SMALL_SIDE, judge_covariance, wide_inputs),
        function_part("test_barlow_twins", 3, ("barlow_twins",), lab6.barlow_twins),
        Part("test_diagnosis", 4, ("diagnosis",), CALL.replace("FUNCTION", "'diagnosis'"), judge_diagnosis, draw_pairs),
        StagedPart(
            "test_halves", 4, ("student", "data", "info_nce", "halves"), Trained(measure_halves, halves_verdict)
        ),
        reading_part(
            "test_reading",
            3,
            ("student", "data", "collection", "reading"),
            ("false_negatives", "left_tells", "right_tells"),
            judge_reading,
        ),
    ],
    replaced=["train"],  # by TRAIN
    limits=Limits(result=96 << 20),  # a model's weights, before training and after it
)
