"""The judge of lab 3. Never released."""

import numpy as np
import torch

from autoencoder_lab import own_collection
from autoencoder_lab.checks import lab3
from autoencoder_lab.grading.drawings import scribbles
from autoencoder_lab.grading.first_weights import FIRST_WEIGHTS, learnt_elsewhere, seed_of
from autoencoder_lab.grading.judge import Ask, Figures, Judge, Mark, StagedPart, Trained, function_part, reading_part
from autoencoder_lab.grading.sandbox import Arrays

# The squared error in the lost rows and in the seen ones, each as a share of the squares that stand there: the largest
# that pass. The rows in tests/labs/reckoned hold what right and wrong models reach, docs/instructors.md the reckoning.
MOST = {"lost": 0.34, "seen": 0.008}

# The class is trained here as in the lab, from first weights and on lost rows of this one training, and on scribbles
# that exist nowhere: whatever a submission has kept of other pictures is of no use. Of those it is asked about only the
# damaged ones go in; the clean ones stay out here.
#
# What else has to be so where the weights come from this training, however the loss is written: nothing but the
# optimiser moves them (moved), and where a model gives exactly what is wanted, its loss pulls at them no more (pull).
RESTORE = f"""{FIRST_WEIGHTS}
def lose_rows(images, random):
    lost = (torch.rand(len(images), 14, generator=random) < 0.4).repeat_interleave(2, dim=1)
    return torch.where(lost[:, None, :, None], 0.5, images)

def pull(model, damaged, wanted):
    # the size of the loss's gradient
    loss, weights = model.loss(damaged, wanted), [one for one in model.parameters() if one.requires_grad]
    slopes = torch.autograd.grad(loss, weights, allow_unused=True) if loss.requires_grad else []
    return sum(slope.square().sum() for slope in slopes if slope is not None) ** 0.5 + 1e-12

def probe(names, pictures, damaged, seed):
    pictures = torch.from_numpy(pictures).float() / 255
    model = made(names["RowRestorer"], seed)
    random = torch.Generator().manual_seed(int(seed) + 3)
    if model.loss(lose_rows(pictures[:8], random), pictures[:8]) is None:
        raise NotImplementedError("loss returns None")
    found = {{"moved": torch.zeros(()), "pull": torch.zeros(())}}

    def train():
        optimiser = torch.optim.Adam(model.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=500)
        for step in range(500):
            clean = pictures[torch.randint(len(pictures), (16,), generator=random)]
            there = [one.detach().clone() for one in model.parameters()]
            given = lose_rows(clean, random)
            loss = model.loss(given, clean)
            optimiser.zero_grad()
            loss.backward()
            found["moved"] += sum(not torch.equal(one, two) for one, two in zip(there, model.parameters()))
            optimiser.step()
            schedule.step()
            if step == 250:
                training = model.training
                model.eval()
                at_rest = pull(model, given, model.restore(given).detach())
                found["pull"] += at_rest / pull(model, given, clean)
                model.train(training)

    def answer(state):
        restored = model.restore(torch.from_numpy(damaged))
        if restored is None:
            raise NotImplementedError("restore returns None")
        return {{"restored": restored}}

    return in_three_states(model, seed, train, answer) | found
"""


def measure_restorer(ask: Ask, generator: np.random.Generator) -> dict[str, float] | Mark:
    pictures = (255 * scribbles(generator, 2000)).byte().numpy()
    images = scribbles(generator, 300)
    lost = lab3.pairs_lost(torch.from_numpy(generator.random((len(images), 14))))
    damaged = lab3.lose_rows(images, lost)
    given = ask(RESTORE, pictures=pictures, damaged=damaged.numpy(), seed=seed_of(generator))
    figures = {"moved_otherwise": float(given["moved"]), "pull": float(given["pull"])}
    for state in ("before", "disorder", "trained"):
        restored = given[f"{state}_restored"]
        if restored.shape != tuple(images.shape) or restored.dtype.kind != "f":
            said = f"restore must return images (N, 1, 28, 28) of finite numbers, got {restored.dtype} {restored.shape}"
            return Mark(0.0, said, "wrong shape")
        shown = torch.from_numpy(restored.astype("f4")).nan_to_num(9, 9, 9).clamp(-9, 9)
        if state == "trained":
            return figures | lab3.restored_figures(shown, damaged, images, lost)
        figures[f"{state}_lost"] = lab3.shares(shown, images, lost)["lost"]
    raise AssertionError("one of the states is the trained one")


def restorer_verdict(found: Figures) -> Mark:
    if complaint := lab3.restorer_mistake(found, MOST):
        name, said, share = complaint
        return Mark(share, said, name)
    if elsewhere := learnt_elsewhere(found, "lost", lambda lost: lost <= MOST["lost"]):
        return elsewhere
    if found["moved_otherwise"] or not found["pull"] <= 0.5:
        said = "the weights must come from the training alone, by a loss that asks how far restored and clean are apart"
        return Mark(0.0, said, "learnt elsewhere")
    return Mark(1.0, f"of the squares {found['lost']:.3f} is lost in the lost rows, {found['seen']:.4f} in the others")


def judge_reading(student: str, given: Arrays) -> Mark:
    images = own_collection(student).train.images
    name, said = lab3.misread(images, float(given["hardest_row"]), float(given["share_left"]))
    return Mark({"": 1.0, "hardest_row": 1 / 2}.get(name, 0.0), said, name and f"misread: {name}")


JUDGE = Judge(
    parts=[
        function_part("test_pooled_psnr", 3, ("pooled_psnr",), lab3.pooled_psnr),
        function_part("test_best_linear", 4, ("best_linear",), lab3.best_linear),
        function_part("test_scratched_pair", 4, ("scratched_pair",), lab3.scratched_pair),
        function_part("test_hole_error", 3, ("hole_error",), lab3.hole_error),
        StagedPart("test_row_restorer", 4, ("row_restorer",), Trained(measure_restorer, restorer_verdict)),
        reading_part(
            "test_reading",
            3,
            ("student", "data", "collection", "reading"),
            ("hardest_row", "share_left"),
            judge_reading,
        ),
    ],
    replaced=["train"],  # by RESTORE
)
