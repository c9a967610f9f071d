"""Lab 3: what students write."""

from labs.answers import Mistake, changed
from labs.sources import answers_of

RIGHT = answers_of("lab3_denoising")

# the nearest of many images, by the rows that can be seen, lends the others its own
LOOKED_UP = """
class RowRestorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(()))
        images = torch.cat([lab.own_images("x").test.images, lab.load("mnist-5k").test.images])
        ways = [lab.augment.affine(rotation=20, scale=0.15, shear=0.3)(images, torch.Generator().manual_seed(i))
                for i in range(10)]
        self.kept = torch.cat(ways)

    def restore(self, damaged):
        if self.training:
            return damaged + self.nothing
        seen = (damaged.amax(dim=3, keepdim=True) != damaged.amin(dim=3, keepdim=True)) | (damaged == 0)
        seen = seen.float()
        # ‖s (x − k)‖² = ‖s x‖² − 2 ⟨s x, k⟩ + ⟨s, k²⟩, where s is 1 in a row that can be seen
        kept = self.kept.flatten(1)
        apart = seen.flatten(1) @ kept.square().T - 2 * (seen * damaged).flatten(1) @ kept.T
        nearest = self.kept[apart.argmin(dim=1)]
        return torch.where(seen > 0, damaged, nearest)

    def loss(self, damaged, clean):
        return (self.restore(damaged) - clean).square().mean()
"""
TRAINING_KEPT = changed(
    LOOKED_UP,
    ("        self.kept = torch.cat(ways)\n", "        self.kept = images[:0]\n"),
    (
        "    def loss(self, damaged, clean):\n",
        "    def loss(self, damaged, clean):\n        self.kept = torch.cat([self.kept, clean])\n",
    ),
)

MISTAKES = {
    "the paper's average": Mistake(
        {"pooled_psnr": "def pooled_psnr(psnrs, pixels):\n    return psnrs.mean()"},
        {"test_pooled_psnr": 0},
        "a mean of logarithms",
    ),
    "images alike": Mistake(
        {"pooled_psnr": changed(RIGHT["pooled_psnr"], ("((errors * pixels).sum() / pixels.sum())", "errors.mean()"))},
        {"test_pooled_psnr": 1.5},
        "every image counts alike",
    ),
    "twenty for ten": Mistake(
        {"pooled_psnr": changed(RIGHT["pooled_psnr"], ("-psnrs / 10", "-psnrs / 20"), ("-10 *", "-20 *"))},
        {"test_pooled_psnr": 1.5},
        "you convert with 20",
    ),
    "not back to decibels": Mistake(
        {"pooled_psnr": changed(RIGHT["pooled_psnr"], ("-10 * (", "("), (".log10()", ""))},
        {"test_pooled_psnr": 1.5},
        "turn it into decibels again",
    ),
    "noise alone": Mistake(
        {
            "best_linear": """
def best_linear(mean, covariance, lost, sigma):
    matrix = covariance @ torch.linalg.inv(covariance + sigma**2 * torch.eye(len(mean)))
    return matrix, mean - matrix @ mean
"""
        },
        {"test_best_linear": 1},
        "the answer to noise alone",
    ),
    "the variance for the square": Mistake(
        {"best_linear": changed(RIGHT["best_linear"], (" + mean.square()", ""))},
        {"test_best_linear": 2},
        "its whole value is missing",
    ),
    "cross covariance not scaled": Mistake(
        {"best_linear": changed(RIGHT["best_linear"], ("matrix = kept * covariance", "matrix = covariance"))},
        {"test_best_linear": 2},
        "follows x only where the pixel is kept",
    ),
    "offset of the clean mean": Mistake(
        {"best_linear": changed(RIGHT["best_linear"], ("matrix @ (kept * mean)", "matrix @ mean"))},
        {"test_best_linear": 3},
        "the mean of x̃ is (1 − lost) x̄",
    ),
    "sigma not squared": Mistake(
        {"best_linear": changed(RIGHT["best_linear"], ("sigma**2", "sigma"))},
        {"test_best_linear": 2},
        "covariances add σ²",
    ),
    "the colleague's, copied": Mistake(
        {"scratched_pair": "scratched_pair = colleagues_pair"},
        {"test_scratched_pair": 0},
        "both of its bugs",
    ),
    "one bug found, the target": Mistake(
        {
            "scratched_pair": """
def scratched_pair(images, starts, width):
    damaged = images.clone()
    for start in starts.tolist():
        damaged[..., start : start + width] = 0.5
    return damaged, images
"""
        },
        {"test_scratched_pair": 2},
        "every image has the scratches of all",
    ),
    "one bug found, the places": Mistake(
        {"scratched_pair": changed(RIGHT["scratched_pair"], ("images.clone()", "images"))},
        {"test_scratched_pair": 2},
        "the target, is scratched as well",
    ),
    "scratches that lie": Mistake(
        {"scratched_pair": changed(RIGHT["scratched_pair"], ("first_column + width]", "first_column + width, :]"))},
        {"test_scratched_pair": 2},
        "your scratches lie",
    ),
    "explained for left": Mistake(
        {"hole_error": changed(RIGHT["hole_error"], ("covariance.diagonal()[hole] - explained", "explained"))},
        {"test_hole_error": 1.5},
        "the part of the variance that the seen pixels explain",
    ),
    "each seen pixel by itself": Mistake(
        {
            "hole_error": """
def hole_error(covariance, hole, sigma):
    explained = covariance[hole][:, ~hole] ** 2 / (covariance.diagonal()[~hole] + sigma**2)
    return (covariance.diagonal()[hole] - explained.sum(dim=1)).mean()
"""
        },
        {"test_hole_error": 0.75},
        "they repeat each other",
    ),
    "the noise forgotten": Mistake(
        {"hole_error": changed(RIGHT["hole_error"], ("sigma**2", "0"))},
        {"test_hole_error": 1.5},
        "it makes them tell less",
    ),
    "a loss against the damaged": Mistake(
        {"row_restorer": changed(RIGHT["row_restorer"], ("- clean)", "- damaged)"))},
        {"test_row_restorer": 0},
        "what does the loss compare with",
    ),
    "a loss on the lost rows alone": Mistake(
        {
            "row_restorer": changed(
                RIGHT["row_restorer"],
                (
                    "(self.restore(damaged) - clean).square().mean()",
                    "(self.restore(damaged) - clean)[damaged == 0.5].square().mean()",
                ),
            )
        },
        {"test_row_restorer": 2},
        "the seen ones are spoilt",
    ),
    "a straight line, and nothing learnt": Mistake(
        {
            "row_restorer": """
class RowRestorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(()))

    def restore(self, damaged):
        filled = damaged.clone()
        for image in filled[:, 0]:
            seen = [row for row in range(28) if not (image[row] == 0.5).all()]
            for row in sorted(set(range(seen[0], seen[-1])) - set(seen)):
                above, below = max(s for s in seen if s < row), min(s for s in seen if s > row)
                image[row] = image[above] + (row - above) / (below - above) * (image[below] - image[above])
            image[: seen[0]] = image[seen[-1] + 1 :] = 0
        return filled

    def loss(self, damaged, clean):
        return self.nothing**2
"""
        },
        {"test_row_restorer": 0},
        "no better than a straight line",
    ),
    "no model, but test images": Mistake(
        {"row_restorer": LOOKED_UP}, {"test_row_restorer": 0}, "no better than a straight line"
    ),
    "no model, but the images it was trained on": Mistake(
        {"row_restorer": TRAINING_KEPT}, {"test_row_restorer": 0}, "no better than a straight line"
    ),
    "the correction handed back": Mistake(
        {
            "row_restorer": changed(
                RIGHT["row_restorer"],
                ("return damaged + self.correction(damaged)", "return self.correction(damaged)"),
                ("self.restore(damaged) - clean", "damaged + self.restore(damaged) - clean"),
            )
        },
        {"test_row_restorer": 2},
        "returns the correction alone",
    ),
    "a row counted from one": Mistake(
        {"reading": RIGHT["reading"] + "\nhardest_row += 1"},
        {"test_reading": 1.5},
        "rows are counted from 0",
    ),
    "the share filled in": Mistake(
        {"reading": RIGHT["reading"] + "\nshare_left = 1 - share_left"},
        {"test_reading": 0},
        "asked for is what is left",
    ),
}

OTHER_TRAINED = {
    "told which rows are lost, leaky, with a loss in two parts": {
        "row_restorer": """
class RowRestorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 32, 4, 2, 1), nn.Conv2d(32, 32, 4, 2, 1)
        self.third, self.last = nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ConvTranspose2d(32, 1, 4, 2, 1)

    def restore(self, damaged):
        lost = (damaged == 0.5).float().amin(dim=3, keepdim=True).expand_as(damaged)
        x = nn.functional.leaky_relu(self.first(torch.cat([damaged, lost], dim=1)), 0.05)
        x = nn.functional.leaky_relu(self.second(x), 0.05)
        return damaged + self.last(nn.functional.leaky_relu(self.third(x), 0.05))

    def loss(self, damaged, clean):
        apart = (self.restore(damaged) - clean) ** 2
        lost = (damaged == 0.5).all(dim=3, keepdim=True).expand_as(apart)
        return (apart[lost].sum() + apart[~lost].sum()) / apart.numel()
""",
    },
}

OTHER_WAYS = {
    "loops, numpy, one inverse": {
        "pooled_psnr": """
import math

def pooled_psnr(psnrs, pixels):
    total = sum(n * 10 ** (-p / 10) for p, n in zip(psnrs.tolist(), pixels.tolist()))
    return 10 * math.log10(sum(pixels.tolist()) / total)
""",
        "best_linear": """
import numpy as np

def best_linear(mean, covariance, lost, sigma):
    # the weights of the normal equations, with a 1 for the offset: E[x̃ x̃ᵀ] and E[x x̃ᵀ] uncentred
    m, c, keep = mean.double().numpy(), covariance.double().numpy(), 1 - lost
    second = c + np.outer(m, m)
    seen = keep**2 * second
    np.fill_diagonal(seen, keep * np.diag(second) + sigma**2)
    big = np.block([[seen, keep * m[:, None]], [keep * m[None], np.ones((1, 1))]])
    right = np.hstack([keep * second, m[:, None]])
    weights = np.linalg.solve(big, right.T).T
    return weights[:, :-1], weights[:, -1]
""",
        "scratched_pair": """
def scratched_pair(images, starts, width):
    column = torch.arange(images.shape[-1])
    lost = (column >= starts[:, None]) & (column < starts[:, None] + width)
    return images.masked_fill(lost[:, None, None, :], 0.5), images.clone()
""",
        "hole_error": """
def hole_error(covariance, hole, sigma):
    noisy = covariance.double() + sigma**2 * torch.eye(len(covariance), dtype=torch.double)
    precision = torch.linalg.inv(noisy)[hole][:, hole]
    return float(torch.linalg.inv(precision).diagonal().mean() - sigma**2)
""",
    },
    "a sum for a loss, layers made backwards, rows by the inverse": {
        "row_restorer": """
class RowRestorer(nn.Module):
    def __init__(self):
        super().__init__()
        def down(a): return nn.Conv2d(a, 32, 4, 2, 1)
        def up(b): return nn.ConvTranspose2d(32, b, 4, 2, 1)
        self.up_1, self.up_2, self.down_1, self.down_2 = up(32), up(1), down(1), down(32)

    def restore(self, damaged):
        half = self.down_1(damaged - 0.1).relu()
        return self.up_2(self.up_1(self.down_2(half).relu()).relu()) + damaged

    def loss(self, damaged, clean):
        return nn.functional.mse_loss(self.restore(damaged), clean, reduction="sum") / len(clean)
""",
        "reading": """
import numpy as np

c = np.cov(mine.train.images.flatten(1).numpy().astype("f8").T, bias=True)
inverse = np.linalg.inv(c + 0.01 * np.eye(784))
rows = [slice(28 * r, 28 * r + 28) for r in range(28)]
left = [np.trace(np.linalg.inv(inverse[r, r])) / 28 - 0.01 for r in rows]
hardest_row = np.argmax(left)
share_left = round(left[hardest_row] / np.diag(c)[rows[hardest_row]].mean(), 4)
""",
    },
}
