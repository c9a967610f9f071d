"""The judge of lab 4. Never released."""

import numpy as np
import torch

from autoencoder_lab import losses, own_collection
from autoencoder_lab.checks import lab4
from autoencoder_lab.grading.drawings import alphabet, handwritten
from autoencoder_lab.grading.first_weights import HANDED_OVER, LEAST_CHANGE, STEP, UNHEARD, seed_of, states_of
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

# −ELBO as a share of what a model pays that knows each letter's mean picture and nothing else, and the share of new
# pictures that show the letter asked for: what passes. The rows in tests/labs/reckoned hold what right and wrong models
# reach; docs/instructors.md has the reckoning.
MOST, LEAST_HEEDED = 0.91, 0.7
UNTRAINED = 0.95  # decoded from its means, what has learnt anything pays less than this share: right ones 0.84 or less
IN_NATS = ("reconstruction", "at_mean", "kl")
UNSTEADY = 0.08  # of the hand that writes the letters

# The class is trained here as in the lab, from first weights and on batches of this one training, and on an alphabet
# that exists nowhere: whatever a submission has kept of other pictures is of no use. One process trains; encoder and
# decoder are asked in others, which get its weights and no letter that it saw.
TRAIN = f"""{HANDED_OVER}
def probe(names, letters, classes, seed):
    letters, classes = torch.from_numpy(letters).float() / 255, torch.from_numpy(classes)
    model = made(names["ConditionalVAE"], seed)
    if model.loss(letters[:8].round(), classes[:8]) is None:
        raise NotImplementedError("loss returns None")

    def train():
        random = torch.Generator().manual_seed(int(seed) + 3)
        optimiser = torch.optim.Adam(model.parameters(), 1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 600)
        for _ in range(600):
            rows = torch.randint(len(letters), (64,), generator=random)
            loss = model.loss(torch.bernoulli(letters[rows], generator=random), classes[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()

    return before_and_after(model, seed, train)
"""
ASKED = f"""{HANDED_OVER}{STEP}
def first_call(model):
    model.loss(torch.rand(8, 1, 28, 28).round(), torch.arange(8))
"""
ENCODE = f"""{ASKED}
def probe(names, seed, images, labels, **numbers):
    model = with_numbers(names["ConditionalVAE"], seed, numbers, first_call)
    with torch.no_grad():
        named = model.posterior(torch.from_numpy(images), torch.from_numpy(labels))
    if named is None:
        raise NotImplementedError("posterior returns None")
    mu, log_var = named
    return {{"codes": torch.cat([mu, log_var], dim=1).half()}}
"""
DECODE = f"""{ASKED}
def probe(names, seed, codes, labels, sizes, **numbers):
    model = with_numbers(names["ConditionalVAE"], seed, numbers, first_call)
    codes, labels, found = torch.from_numpy(codes).float(), torch.from_numpy(labels), []
    with torch.no_grad():
        for some, told in zip(codes.split(sizes.tolist()), labels.split(sizes.tolist())):
            found.append(model.logits(some, told))
    if found[0] is None:
        raise NotImplementedError("logits returns None")
    return {{"logits": torch.cat(found).half()}}
"""
# a step down the slope of the loss, with the first weights: it must change what the decoder draws
LOSS = f"""{ASKED}
def probe(names, seed, images, labels, codes, **numbers):
    model = with_numbers(names["ConditionalVAE"], seed, numbers, first_call)
    images, labels, codes = torch.from_numpy(images), torch.from_numpy(labels), torch.from_numpy(codes)

    def drawn():
        with torch.no_grad():
            return [model.logits(codes, labels)]

    return {{"changes": torch.stack(changed(model, lambda: model.loss(images, labels), drawn))}}
"""


def measure_conditional(ask: Ask, random: np.random.Generator) -> dict[str, float] | Mark:
    generator = torch.Generator().manual_seed(int(random.integers(2**62)))
    letters = alphabet(random, 10)
    classes, labels = torch.from_numpy(random.integers(0, 10, 4000)).split((2000, 2000))
    pictures, new = (handwritten(letters[which], random, UNSTEADY) for which in (classes, labels))
    images = torch.bernoulli(new, generator=generator)
    given = {"letters": (255 * pictures).byte().numpy(), "classes": classes.numpy(), "seed": seed_of(random)}
    states = states_of(ask(TRAIN, **given), given["seed"])
    numbers = {"seed": given["seed"]} | states["trained"]
    answer = ask(ENCODE, images=images.numpy(), labels=labels.numpy(), **numbers)
    if said := exactly(answer, codes=((len(images), 8), "f2")):
        said = f"posterior must return μ and log σ², a row of 4 numbers each for every image: {said}"
        return Mark(0.0, said, "wrong shape")
    named = answer["codes"]
    mu, log_var = torch.from_numpy(named.astype("f4")).chunk(2, dim=1)
    codes, wanted = lab4.codes_to_decode(mu, log_var, labels, generator)
    decoded = _decoded(ask, numbers, codes, wanted, random)
    if decoded is None:
        return Mark(0.0, "logits must return (N, 1, 28, 28), one image for each code", "wrong shape")
    if not (np.isfinite(named).all() and all(logits.isfinite().all() for _, logits in decoded.values())):
        return Mark(0.0, "the trained model gives nan or infinity", "not finite", measured=True)
    some = {"images": images[:64].numpy(), "labels": labels[:64].numpy(), "codes": mu[:64].numpy()}
    change = ask(LOSS, seed=given["seed"], **some, **states["before"])
    if exactly(change, changes=((1,), "f")) or not change["changes"][0] > LEAST_CHANGE:
        return Mark(0.0, UNHEARD, "another loss", measured=True)
    means = torch.stack([pictures[classes == letter].mean(dim=0) for letter in range(10)])

    def nearest(shown: torch.Tensor) -> torch.Tensor:
        return torch.cdist(shown.flatten(1), means.flatten(1)).argmin(dim=1)

    found = lab4.measure(images, mu, log_var, decoded, wanted[-len(images) :], nearest)
    drawn = decoded["drawn"][0]
    alone = float(losses.cross_entropy(means[labels[drawn]].clamp(0.001, 0.999).logit(), images[drawn]))
    nats = {name: getattr(found, name) / alone for name in IN_NATS}  # shares, which do not hang on the alphabet
    return {**found._asdict(), **nats, "alone": alone}


def _decoded(
    ask: Ask, numbers: Arrays, codes: torch.Tensor, labels: torch.Tensor, random: np.random.Generator
) -> lab4.Decoded | None:
    """What the decoder makes of codes that cannot tell it which kind they are of; None for another shape.

    Two processes decode. Of one image each gets one code alone, among others in an order and in batches of its own:
    for 1,200 images one has the code with the smaller σ and the other that with the larger one, for 800 one has a draw
    and the other the mean; either has 500 draws from the prior.
    """
    images = len(codes) // 5
    kinds = random.permuted(np.where(np.arange(images)[:, None] < 1200, [[1, 2]], [[0, 3]]), axis=1)
    logits, shown = torch.zeros(len(codes), 1, 28, 28), torch.zeros(len(codes), dtype=torch.bool)
    for process in range(2):
        from_prior = 4 * images + 500 * process + np.arange(500)
        rows = random.permutation(np.concatenate([kinds[:, process] * images + np.arange(images), from_prior]))
        ends = np.sort(random.choice(np.arange(1, len(rows)), 30, replace=False))
        sizes = np.diff(np.concatenate([[0], ends, [len(rows)]]))
        asked = {"codes": codes[rows].half().numpy(), "labels": labels[rows].numpy(), "sizes": sizes}
        answer = ask(DECODE, **numbers, **asked)
        if exactly(answer, logits=((len(rows), 1, 28, 28), "f2")):
            return None
        part = answer["logits"]
        logits[rows], shown[rows] = torch.from_numpy(part.astype("f4")), True
    which = {kind: there.nonzero()[:, 0] for kind, there in zip(lab4.KINDS, shown.split(images), strict=True)}
    return {kind: (which[kind], part[which[kind]]) for kind, part in zip(lab4.KINDS, logits.split(images), strict=True)}


def conditional_verdict(figures: Figures) -> Mark:
    alone = figures["alone"]
    nats = {name: figures[name] * alone for name in IN_NATS}
    found = lab4.Measurement(**nats, price=figures["price"], heeded=figures["heeded"])
    name, said = lab4.shortcoming(found, MOST * alone, LEAST_HEEDED)
    if not name:
        return Mark(
            1.0, f"−ELBO {found.nats:.1f} nats per image; the letter asked for in {found.heeded:.0%} of new images"
        )
    if found.at_mean > UNTRAINED * alone:
        return Mark(0.0, f"{said}; the mean picture of each letter would pay {alone:.0f}", name)
    if name == "price" and found.price > 4:  # stored pictures, each with a cell of its own among the codes: 13
        return Mark(0.0, f"{said} Beside the codes of the images it was trained on it knows nothing", name)
    half = name in ("price", "label not heeded") and found.nats < MOST * alone + 10
    return Mark(0.5 if half else 0.25, said, name)


def judge_reading(student: str, given: Arrays) -> Mark:
    said = lab4.reading_mistakes(own_collection(student).train, *(float(given[name]) for name in lab4.READ))
    wrong = [sentence for sentence in said if sentence]
    return Mark(1 - len(wrong) / 3, "; ".join(wrong), "misread" if wrong else "")


JUDGE = Judge(
    parts=[
        function_part("test_best_prior", 4, ("best_prior",), lab4.best_prior),
        function_part("test_equivalent_beta", 4, ("equivalent_beta",), lab4.equivalent_beta),
        function_part("test_importance_bound", 4, ("importance_bound",), lab4.importance_bound),
        StagedPart("test_conditional", 4, ("conditional",), Trained(measure_conditional, conditional_verdict)),
        reading_part(
            "test_reading",
            3,
            ("student", "data", "collection", "reading"),
            ("nats_of_mean_image", "nats_saved", "most_for_a_perfect_model"),
            judge_reading,
        ),
    ],
    replaced=["train"],  # by TRAIN
    limits=Limits(result=96 << 20),  # a model's weights, before training and after it
)
