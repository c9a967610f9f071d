"""The judge of lab 3. Never released."""

import numpy as np
import torch

from autoencoder_lab import own_images
from autoencoder_lab.checks import lab3
from autoencoder_lab.grading.drawings import scribbles
from autoencoder_lab.grading.judge import Ask, Judge, Mark, Part, StagedPart, function_part
from autoencoder_lab.grading.sandbox import Arrays

# The squared error in the lost rows and in the seen ones, each as a share of the squares that stand there: mean and
# standard deviation of ten reference runs, other scribbles, lost rows and first weights each time
REFERENCE = {"lost": (0.280, 0.0090), "seen": (0.0040, 0.0008)}

# The class is trained here as in the lab, but on scribbles that exist nowhere: whatever a submission has kept of other
# pictures is of no use. Of those it is asked about only the damaged ones go in; the clean ones stay out here.
RESTORE = """
import torch

def lose_rows(images):
    lost = (torch.rand(len(images), 14) < 0.4).repeat_interleave(2, dim=1)
    return torch.where(lost[:, None, :, None], 0.5, images)

def probe(names, pictures, damaged):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, pictures = names["RowRestorer"](), torch.from_numpy(pictures).float() / 255
    if model.loss(lose_rows(pictures[:8]), pictures[:8]) is None:
        raise NotImplementedError("loss returns None")
    optimiser = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=500)
    for _ in range(500):
        clean = pictures[torch.randint(len(pictures), (16,))]
        loss = model.loss(lose_rows(clean), clean)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    model.eval()
    restored = model.restore(torch.from_numpy(damaged))
    if restored is None:
        raise NotImplementedError("restore returns None")
    return {"restored": restored.detach()}
"""
READING = """
def probe(names):
    import numpy as np
    if names["hardest_row"] is None or names["share_left"] is None:
        raise NotImplementedError("the numbers are still None")
    return {
        "student": np.array(str(names["STUDENT"])),
        "row": float(names["hardest_row"]),
        "share": float(names["share_left"]),
    }
"""


def judge_restorer(ask: Ask, generator: np.random.Generator) -> Mark:
    pictures = (255 * scribbles(generator, 2000)).byte().numpy()
    images = scribbles(generator, 300)
    lost = lab3.pairs_lost(torch.from_numpy(generator.random((len(images), 14))))
    damaged = lab3.lose_rows(images, lost)
    restored = ask(RESTORE, pictures=pictures, damaged=damaged.numpy())["restored"]
    if restored.shape != tuple(images.shape) or restored.dtype.kind != "f" or not np.isfinite(restored).all():
        said = f"restore must return images (N, 1, 28, 28) of finite numbers, got {restored.dtype} {restored.shape}"
        return Mark(0.0, said, "wrong shape")
    shown = torch.from_numpy(restored.astype("f4"))
    if complaint := lab3.restorer_mistake(shown, damaged, images, lost, lab3.limits(REFERENCE)):
        name, said, share = complaint
        return Mark(share, said, name)
    found = lab3.shares(shown, images, lost)
    return Mark(1.0, f"of the squares {found['lost']:.3f} is lost in the lost rows, {found['seen']:.4f} in the others")


def judge_reading(given: Arrays, _: Arrays) -> Mark:
    images = own_images(str(given["student"])).train.images
    row, share = float(given["row"]), float(given["share"])
    wanted_row, wanted_share = lab3.numbers_to_read(images)
    right = [row == wanted_row, lab3.close(share, wanted_share)]
    if all(right):
        return Mark(1.0)
    said = "" if right[0] else f"hardest_row: {lab3.row_mistake(images, row)}. "
    said += "" if right[1] else f"share_left: {lab3.share_mistake(images, share)}"
    return Mark(sum(right) / 2, said, "misread")


JUDGE = Judge(
    parts=[
        function_part("test_pooled_psnr", 3, ("pooled_psnr",), lab3.pooled_psnr),
        function_part("test_best_linear", 4, ("best_linear",), lab3.best_linear),
        function_part("test_scratched_pair", 4, ("scratched_pair",), lab3.scratched_pair),
        function_part("test_hole_error", 3, ("hole_error",), lab3.hole_error),
        StagedPart("test_row_restorer", 4, ("row_restorer",), judge_restorer),
        Part("test_reading", 3, ("student", "data", "reading"), READING, judge_reading),
    ],
    replaced=["train"],  # by RESTORE
)
