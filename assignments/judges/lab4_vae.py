"""The judge of lab 4. Never released."""

import numpy as np
import torch
import torch.nn.functional as F

from autoencoder_lab import augment, own_images
from autoencoder_lab.checks import lab4
from autoencoder_lab.grading.judge import Ask, Mark, Part, StagedPart, function_part
from autoencoder_lab.grading.sandbox import Arrays

# −ELBO in nats on the images below, and the share of new images that show the digit asked for: mean and standard
# deviation over ten reference runs, each with another student's images, and four private seeds for each; the share
# with ten more runs, whose spread was larger.
REFERENCE = {"nats": (155.5, 0.63), "heeded": (0.85, 0.027)}
MOST_NATS = REFERENCE["nats"][0] + 3 * REFERENCE["nats"][1]
LEAST_HEEDED = REFERENCE["heeded"][0] - 3 * REFERENCE["heeded"][1]

UNTRAINED = 220.0  # nats; a decoder that knows the mean image of each class alone pays less
IMPLAUSIBLE = REFERENCE["nats"][0] - 12  # more than these layers can learn in these steps; kept test images reach −40

ENCODE = """
def probe(names, images, labels):
    import torch
    with torch.no_grad():
        named = names["model"].posterior(torch.from_numpy(images), torch.from_numpy(labels))
    if named is None:
        raise NotImplementedError("posterior returns None")
    mu, log_var = named
    return {"codes": torch.cat([mu, log_var], dim=1).half()}
"""
DECODE = """
def probe(names, codes, labels):
    import torch
    with torch.no_grad():
        logits = names["model"].logits(torch.from_numpy(codes).float(), torch.from_numpy(labels))
    if logits is None:
        raise NotImplementedError("logits returns None")
    return {"logits": logits.half()}
"""
READING = """
def probe(names):
    import numpy as np
    given = [names[name] for name in ("nats_of_mean_image", "nats_saved", "most_for_a_perfect_model")]
    if any(value is None for value in given):
        raise NotImplementedError("the numbers are still None")
    return {"student": np.array(str(names["STUDENT"])), "given": np.array([float(value) for value in given])}
"""


def probe_images(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Test images and labels; each image bent in its own way and drawn in black and white: none lies in any file."""
    test = own_images("judge").test
    turned = augment.affine(rotation=3, scale=0.03, shear=0.05, shift=0.01)(test.images, generator)
    height, width = turned.shape[2:]
    # where each pixel is taken from: a third of a pixel away or so, differently in each quarter of the image
    bends = 0.03 * torch.randn(len(turned), 2, 4, 4, generator=generator)
    bends = F.interpolate(bends, (height, width), mode="bicubic")
    straight = F.affine_grid(torch.eye(2, 3).expand(len(turned), 2, 3), list(turned.shape), align_corners=False)
    bent = F.grid_sample(turned, straight + bends.permute(0, 2, 3, 1), align_corners=False).clamp(0, 1)
    return torch.bernoulli(bent, generator=generator), test.labels


def judge_conditional(ask: Ask, random: np.random.Generator) -> Mark:
    generator = torch.Generator().manual_seed(int(random.integers(2**31)))
    images, labels = probe_images(generator)
    named = ask(ENCODE, images=images.numpy(), labels=labels.numpy())["codes"]
    if named.shape != (len(images), 8) or named.dtype != np.float16:
        return Mark(0.0, "posterior must return μ and log σ², a row of 4 numbers each for every image", "wrong shape")
    mu, log_var = torch.from_numpy(named.astype("f4")).chunk(2, dim=1)
    codes, wanted = lab4.codes_to_decode(mu, log_var, labels, generator)
    logits = ask(DECODE, codes=codes.half().numpy(), labels=wanted.numpy())["logits"]
    if logits.shape != (len(codes), 1, 28, 28):
        return Mark(0.0, f"logits must return (N, 1, 28, 28), got {logits.shape}", "wrong shape")
    if not (np.isfinite(named).all() and np.isfinite(logits).all()):
        return Mark(0.0, "the trained model gives nan or infinity", "not finite")
    it = lab4.told(images, mu, log_var, torch.from_numpy(logits.astype("f4")), wanted)
    name, said = lab4.told_amiss(it, MOST_NATS, LEAST_HEEDED)
    if it.nats < IMPLAUSIBLE:
        return Mark(0.0, f"−ELBO is {it.nats:.1f} nats, less than this network can learn to pay", "implausible")
    if not name:
        return Mark(1.0, f"−ELBO {it.nats:.1f} nats per image; the digit asked for in {it.heeded:.0%} of new images")
    if it.at_mean > UNTRAINED:
        return Mark(0.0, said, name)
    half = name in ("price", "label not heeded") and it.nats < MOST_NATS + 10
    return Mark(0.5 if half else 0.25, said, name)


def judge_reading(given: Arrays, _: Arrays) -> Mark:
    train = own_images(str(given["student"])).train
    said = lab4.reading_mistakes(train, *(float(value) for value in given["given"].reshape(3)))
    wrong = [sentence for sentence in said if sentence]
    return Mark(1 - len(wrong) / 3, "; ".join(wrong), "misread" if wrong else "")


PARTS = [
    function_part("test_best_prior", 4, ("best_prior",), lab4.best_prior),
    function_part("test_equivalent_beta", 4, ("equivalent_beta",), lab4.equivalent_beta),
    function_part("test_importance_bound", 4, ("importance_bound",), lab4.importance_bound),
    StagedPart("test_conditional", 4, ("student", "data", "conditional", "train"), judge_conditional),
    Part("test_reading", 3, ("student", "data", "reading"), READING, judge_reading),
]
