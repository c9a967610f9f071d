"""Lab 1: what students write."""

from labs.answers import Mistake, changed
from labs.sources import answers_of

RIGHT = answers_of("lab1_linear")

MISTAKES = {
    "not centred": Mistake(
        {"best_error": changed(RIGHT["best_error"], (" - flat.mean(dim=0)", ""))},
        {"test_best_error": 2},
        "mean image is not subtracted",
    ),
    "singular values not squared": Mistake(
        {"best_error": changed(RIGHT["best_error"], (".square()", ""))},
        {"test_best_error": 1},
        "sum of their squares",
    ),
    "the kept for the lost": Mistake(
        {"best_error": changed(RIGHT["best_error"], ("values[k:]", "values[:k]"))},
        {"test_best_error": 2},
        "the error is what all the others hold",
    ),
    "off by one": Mistake(
        {"best_error": changed(RIGHT["best_error"], ("values[k:]", "values[k + 1 :]"))},
        {"test_best_error": 2},
        "one direction too many is kept",
    ),
    "transposed for inverse": Mistake(
        {"best_code": "def best_code(images, weight, bias):\n    return (images.flatten(1) - bias) @ weight"},
        {"test_best_code": 1},
        "orthonormal",
    ),
    "bias forgotten": Mistake(
        {"best_code": changed(RIGHT["best_code"], (" - bias", ""))},
        {"test_best_code": 2},
        "the decoder adds its bias",
    ),
    "one bug found of two": Mistake(
        {
            "whitened_codes": changed(
                RIGHT["whitened_codes"], ("values[:k] / len(images) ** 0.5", "values[:k].square() / len(images)")
            )
        },
        {"test_whitened_codes": 2},
        "divide by the standard deviation",
    ),
    "the other bug found": Mistake(
        {"whitened_codes": changed(RIGHT["whitened_codes"], ("flat.mean(dim=0)", "flat.mean(dim=1, keepdim=True)"))},
        {"test_whitened_codes": 2},
        "image's own mean is still subtracted",
    ),
    "a plain loss": Mistake(
        {"nested": changed(RIGHT["nested"], ("torch.ones(codes.shape[1], codes.shape[1]).tril()", "torch.ones(8, 8)"))},
        {"test_nested": 1},
        "the first ones alone do not",
    ),
    "stopped by an error": Mistake(
        {"nested": changed(RIGHT["nested"], ("images.flatten(1)", "images"))},
        {"test_nested": 0},
        "RuntimeError",
    ),
    "counted from zero": Mistake(
        {"reading": changed(RIGHT["reading"], (".sum()) + 1", ".sum())"))},
        {"test_reading": 2},
        "index i of a cumulative sum",
    ),
    "variance of pictures that are not centred": Mistake(
        {"reading": changed(RIGHT["reading"], ("flat - flat.mean(dim=0)", "flat"))},
        {"test_reading": 0},
        "the mean image is not subtracted",
    ),
}

OTHER_TRAINED = {
    "matrices of one's own, and a sum for a loss": {
        "nested": """
class NestedAutoencoder(nn.Module):
    def __init__(self, k=8):
        super().__init__()
        self.down = nn.Parameter((torch.rand(784, k) - 0.5) / 14)
        self.up = nn.Parameter((torch.rand(k, 784) - 0.5) / 1.5)
        self.mean_in, self.mean_out = nn.Parameter(torch.zeros(784)), nn.Parameter(torch.zeros(784))

    def encode(self, images):
        return (images.reshape(len(images), -1) - self.mean_in) @ self.down

    def decode(self, codes):
        return (codes @ self.up + self.mean_out).reshape(-1, 1, 28, 28)

    def loss(self, images):
        codes, total = self.encode(images), 0
        shown = self.mean_out
        for j in range(codes.shape[1]):
            shown = shown + codes[:, j : j + 1] * self.up[j]
            total = total + (shown - images.reshape(len(images), -1)).pow(2).sum()
        return total / images.numel()
""",
    },
}

OTHER_WAYS = {
    "by eigenvalues, lstsq and loops": {
        "best_error": """
import numpy as np

def best_error(images, k):
    flat = images.flatten(1).numpy().astype("f8")
    eigenvalues = np.linalg.eigvalsh(np.cov(flat.T, bias=True))[::-1]
    return eigenvalues[k:].sum() / flat.shape[1]
""",
        "best_code": """
def best_code(images, weight, bias):
    return torch.stack([torch.linalg.lstsq(weight, (x.flatten() - bias)[:, None]).solution[:, 0] for x in images])
""",
        "whitened_codes": """
def whitened_codes(images, k):
    x = images.flatten(1)
    x = x - x.mean(0)
    u = torch.linalg.svd(x, full_matrices=False).U[:, :k]
    return u * len(x) ** 0.5 * u[0].sign()
""",
        "nested": changed(
            RIGHT["nested"],
            (
                "        return (self.decode(shown) - images.repeat(len(first), 1, 1, 1)).square().mean()",
                "        parts = [self.decode(codes * row).sub(images).square().mean() for row in first]\n"
                "        return sum(parts) / len(parts)",
            ),
        ),
    },
    "by the library's PCA, as numbers of other kinds": {
        "reading": """
import numpy as np

pixels = mine.train.images.flatten(1).numpy()
shares = np.linalg.svd(pixels - pixels.mean(0), compute_uv=False) ** 2
shares = shares / shares.sum()
smallest_k = np.int64(np.searchsorted(np.cumsum(shares), 0.9) + 1)
share_of_two = round(float(shares[:2].sum()), 4)
""",
        "best_error": """
def best_error(images, k):
    pca = lab.PCA(k).fit(lab.Split(images, torch.zeros(len(images), dtype=torch.long), ("all",)))
    x = images.flatten(1)
    axes = torch.linalg.svd(x - x.mean(0), full_matrices=False).Vh[:k]
    restored = (x - x.mean(0)) @ axes.T @ axes + x.mean(0)
    return float((restored - x).square().mean())
""",
    },
}
