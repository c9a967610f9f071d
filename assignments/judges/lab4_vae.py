"""The judge of lab 4. Never released."""

import numpy as np
import torch

from autoencoder_lab import losses, own_images
from autoencoder_lab.checks import lab4
from autoencoder_lab.grading.drawings import alphabet, handwritten
from autoencoder_lab.grading.judge import Ask, Judge, Mark, Part, StagedPart, function_part
from autoencoder_lab.grading.sandbox import Arrays

# −ELBO as a share of what a model pays that knows each letter's mean picture and nothing else, and the share of new
# pictures that show the letter asked for: mean and standard deviation of ten reference runs, each with an alphabet,
# first weights and noise of its own
REFERENCE = {"nats": (0.872, 0.0081), "heeded": (0.916, 0.048)}
MOST = REFERENCE["nats"][0] + 3 * REFERENCE["nats"][1]
LEAST_HEEDED = REFERENCE["heeded"][0] - 3 * REFERENCE["heeded"][1]
UNTRAINED = 1.1  # decoded from its means, what has learnt anything pays less than this share
UNSTEADY = 0.08  # of the hand that writes the letters

# The class is trained here as in the lab, but on an alphabet that exists nowhere: whatever a submission has kept of
# other pictures is of no use. Encoder and decoder are asked in two forks, each of which trains; one thread, one
# seed, so both have the same weights.
TRAINED = """
import torch

def trained(names, letters, classes):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, letters = names["ConditionalVAE"](), torch.from_numpy(letters).float() / 255
    classes = torch.from_numpy(classes)
    if model.loss(letters[:8].round(), classes[:8]) is None:
        raise NotImplementedError("loss returns None")
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 600)
    for _ in range(600):
        rows = torch.randint(len(letters), (64,))
        loss = model.loss(torch.bernoulli(letters[rows]), classes[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.eval()
"""
ENCODE = f"""{TRAINED}
def probe(names, letters, classes, images, labels):
    model = trained(names, letters, classes)
    with torch.no_grad():
        named = model.posterior(torch.from_numpy(images), torch.from_numpy(labels))
    if named is None:
        raise NotImplementedError("posterior returns None")
    mu, log_var = named
    return {{"codes": torch.cat([mu, log_var], dim=1).half()}}
"""
DECODE = f"""{TRAINED}
def probe(names, letters, classes, codes, labels):
    model = trained(names, letters, classes)
    with torch.no_grad():
        logits = model.logits(torch.from_numpy(codes).float(), torch.from_numpy(labels))
    if logits is None:
        raise NotImplementedError("logits returns None")
    return {{"logits": logits.half()}}
"""
READING = """
def probe(names):
    import numpy as np
    given = [names[name] for name in ("nats_of_mean_image", "nats_saved", "most_for_a_perfect_model")]
    if any(value is None for value in given):
        raise NotImplementedError("the numbers are still None")
    return {"student": np.array(str(names["STUDENT"])), "given": np.array([float(value) for value in given])}
"""


def judge_conditional(ask: Ask, random: np.random.Generator) -> Mark:
    generator = torch.Generator().manual_seed(int(random.integers(2**31)))
    letters = alphabet(random, 10)
    classes, labels = torch.from_numpy(random.integers(0, 10, 3000)).split((2000, 1000))
    pictures, new = (handwritten(letters[which], random, UNSTEADY) for which in (classes, labels))
    images = torch.bernoulli(new, generator=generator)
    given = {"letters": (255 * pictures).byte().numpy(), "classes": classes.numpy()}
    named = ask(ENCODE, **given, images=images.numpy(), labels=labels.numpy())["codes"]
    if named.shape != (len(images), 8) or named.dtype != np.float16:
        return Mark(0.0, "posterior must return μ and log σ², a row of 4 numbers each for every image", "wrong shape")
    mu, log_var = torch.from_numpy(named.astype("f4")).chunk(2, dim=1)
    codes, wanted = lab4.codes_to_decode(mu, log_var, labels, generator)
    logits = ask(DECODE, **given, codes=codes.half().numpy(), labels=wanted.numpy())["logits"]
    if logits.shape != (len(codes), 1, 28, 28):
        return Mark(0.0, f"logits must return (N, 1, 28, 28), got {logits.shape}", "wrong shape")
    if not (np.isfinite(named).all() and np.isfinite(logits).all()):
        return Mark(0.0, "the trained model gives nan or infinity", "not finite")

    means = torch.stack([pictures[classes == letter].mean(dim=0) for letter in range(10)])

    def nearest(shown: torch.Tensor) -> torch.Tensor:
        return torch.cdist(shown.flatten(1), means.flatten(1)).argmin(dim=1)

    found = lab4.measure(images, mu, log_var, torch.from_numpy(logits.astype("f4")), wanted, nearest)
    alone = float(losses.cross_entropy(means[labels].clamp(0.001, 0.999).logit(), images))
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


def judge_reading(given: Arrays, _: Arrays) -> Mark:
    train = own_images(str(given["student"])).train
    said = lab4.reading_mistakes(train, *(float(value) for value in given["given"].reshape(3)))
    wrong = [sentence for sentence in said if sentence]
    return Mark(1 - len(wrong) / 3, "; ".join(wrong), "misread" if wrong else "")


JUDGE = Judge(
    parts=[
        function_part("test_best_prior", 4, ("best_prior",), lab4.best_prior),
        function_part("test_equivalent_beta", 4, ("equivalent_beta",), lab4.equivalent_beta),
        function_part("test_importance_bound", 4, ("importance_bound",), lab4.importance_bound),
        StagedPart("test_conditional", 4, ("conditional",), judge_conditional),
        Part("test_reading", 3, ("student", "data", "reading"), READING, judge_reading),
    ],
    replaced=["train"],  # by TRAINED
)
