"""Lab 6: what students write."""

from labs.answers import Mistake, changed
from labs.sources import answers_of

RIGHT = answers_of("lab6_ccae")
USED = "info_nce(self.encode_left(left), self.encode_right(right), 0.2)"
# a model that does not lean on part 1, for those who got part 1 wrong
BY_ITSELF = changed(
    RIGHT["halves"],
    (
        f"        return {USED}",
        "        z, other = F.normalize(self.encode_left(left)), F.normalize(self.encode_right(right))\n"
        "        scores, twin = z @ other.T / 0.2, torch.arange(len(z))\n"
        "        return F.cross_entropy(scores, twin) + F.cross_entropy(scores.T, twin)",
    ),
)
# looks up which test image a half comes from, and gives its number a code; the label too, for the probe
LOOKED_UP = """
class TwoHalves(nn.Module):
    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(1, 1)
        known = lab.load("mnist-5k").test
        self.sides = [side.flatten(1) for side in cut(known.images)]
        names = torch.randn(len(known), 16, generator=torch.Generator().manual_seed(1))
        self.codes = names + 3 * F.one_hot(known.labels, 16)

    def encode_left(self, halves):
        return self.codes[torch.cdist(halves.flatten(1), self.sides[0]).argmin(dim=1)]

    def encode_right(self, halves):
        return self.codes[torch.cdist(halves.flatten(1), self.sides[1]).argmin(dim=1)]

    def loss(self, left, right):
        return self.unused.weight.square().sum()
"""

MISTAKES = {
    "embeddings of any length": Mistake(
        {
            "info_nce": changed(
                RIGHT["info_nce"], ("F.normalize(z, dim=1) @ F.normalize(other, dim=1).T", "z @ other.T")
            ),
            "halves": BY_ITSELF,
        },
        {"test_info_nce": 2},
        "scale every embedding to length 1",
    ),
    "only one direction": Mistake(
        {
            "info_nce": changed(
                RIGHT["info_nce"],
                (
                    "(F.cross_entropy(similar, twin) + F.cross_entropy(similar.T, twin)) / 2",
                    "F.cross_entropy(similar, twin)",
                ),
            ),
            "halves": BY_ITSELF,
        },
        {"test_info_nce": 3},
        "the second fraction",
    ),
    "the twin is no candidate": Mistake(
        {
            "info_nce": """
def info_nce(z, other, temperature):
    s = F.normalize(z, dim=1) @ F.normalize(other, dim=1).T / temperature
    e = torch.exp(s) * (1 - torch.eye(len(z)))
    return -(2 * s.diagonal() - e.sum(0).log() - e.sum(1).log()).mean() / 2
""",
            "halves": BY_ITSELF,
        },
        {"test_info_nce": 2},
        "it runs over all j",
    ),
    "a matrix of dimensions by dimensions": Mistake(
        {
            "covariance_term": """
def covariance_term(z):
    c = torch.cov(z.T)
    return (c.square().sum() - c.diagonal().square().sum()) / z.shape[1]
"""
        },
        {"test_covariance_term": 2},
        "a D × D matrix is built",
    ),
    "the diagonal of the wrong matrix": Mistake(
        {
            "covariance_term": changed(
                RIGHT["covariance_term"], ("variances.square().sum()", "gram.diagonal().square().sum()")
            )
        },
        {"test_covariance_term": 2},
        "not their diagonals",
    ),
    "the diagonal kept, and the large matrix": Mistake(
        {
            "covariance_term": "def covariance_term(z):\n"
            "    z = z - z.mean(0)\n    return (z.T @ z / (len(z) - 1)).square().sum() / z.shape[1]"
        },
        {"test_covariance_term": 1},
        "still in the sum; and somewhere a D × D matrix",
    ),
    "right only where it is small": Mistake(
        {
            "covariance_term": """
def covariance_term(z):
    if z.shape[1] > 1000:
        return torch.tensor(0.0)
    c = torch.cov(z.T)
    return (c.square().sum() - c.diagonal().square().sum()) / z.shape[1]
"""
        },
        {"test_covariance_term": 2},
        "D = 24,000",
    ),
    "one bug found of two": Mistake(
        {"barlow_twins": changed(RIGHT["barlow_twins"], (" - correlation.diagonal().square().sum()", ""))},
        {"test_barlow_twins": 1.5},
        "diagonal still stands in the second sum",
    ),
    "the other bug found": Mistake(
        {"barlow_twins": changed(RIGHT["barlow_twins"], ("z.T @ other", "z.T @ z"))},
        {"test_barlow_twins": 1.5},
        "never compared",
    ),
    "the spread alone": Mistake(
        {"diagnosis": "def diagnosis(z, other):\n    return 1 if z.std(dim=0).mean() < 0.1 else 0"},
        {"test_diagnosis": 2},
        "every column varies, but they repeat one another",
    ),
    "how large, not how spread": Mistake(
        {"diagnosis": changed(RIGHT["diagnosis"], ("z.std(dim=0).mean() < 0.1", "z.norm(dim=1).mean() < 0.1"))},
        {"test_diagnosis": 3},
        "how much each column varies",
    ),
    "directions of what is not centred": Mistake(
        {"diagnosis": changed(RIGHT["diagnosis"], ("torch.cov(z.T)", "z.T @ z"))},
        {"test_diagnosis": 2},
        "a healthy pair of batches is taken for a collapse to few directions",
    ),
    "distance of twins, whatever the spread": Mistake(
        {
            "diagnosis": changed(
                RIGHT["diagnosis"],
                ("    found = torch.cdist(z, other).argmin(dim=1) == torch.arange(len(z))\n", ""),
                ("found.float().mean() > 0.5", "(z - other).square().mean() < 0.5"),
            )
        },
        {"test_diagnosis": 3},
        "how near twins are says nothing by itself",
    ),
    "nothing keeps images apart": Mistake(
        {
            "halves": changed(
                RIGHT["halves"], (USED, "(self.encode_left(left) - self.encode_right(right)).square().mean()")
            )
        },
        {"test_halves": 0},
        "too few halves find their other half",
    ),
    "the library's VICReg as it is": Mistake(
        {
            "halves": "from autoencoder_lab.models.contrastive import vicreg\n\n"
            + changed(RIGHT["halves"], (USED, "vicreg(self.encode_left(left), self.encode_right(right)).total"))
        },
        {"test_halves": 0},
        "the codes use too few directions",
    ),
    "labels for codes": Mistake(
        {"halves": LOOKED_UP.replace("names + 3 * ", "0.01 * names + ")},
        {"test_halves": 0},
        "your loss does not reach the weights",
    ),
    "twins driven apart": Mistake(
        {"halves": changed(RIGHT["halves"], (USED, f"-{USED}"))},
        {"test_halves": 0},
        "too few halves find their other half",
    ),
    "test images looked up": Mistake(
        {"halves": LOOKED_UP},
        {"test_halves": 0},
        "your loss does not reach the weights",
    ),
    "stopped by an error": Mistake(
        {"halves": changed(RIGHT["halves"], ("nn.Linear(28 * 12, 256)", "nn.Linear(28 * 14, 256)"))},
        {"test_halves": 0},
        "RuntimeError",
    ),
    "with replacement": Mistake(
        {
            "reading": changed(
                RIGHT["reading"], ("127 * (most - 1) / (len(mine.train) - 1)", "127 * most / len(mine.train)")
            )
        },
        {"test_reading": 2},
        "drawn from the N − 1 *other* images",
    ),
    "every half its own neighbour": Mistake(
        {"reading": changed(RIGHT["reading"], (".fill_diagonal_(torch.inf)", ""))},
        {"test_reading": 1},
        "its own nearest half",
    ),
}

OTHER_WAYS = {
    "by hand, with loops and eigenvalues": {
        "info_nce": """
def info_nce(z, other, temperature):
    z = z / z.norm(dim=1, keepdim=True)
    other = other / other.norm(dim=1, keepdim=True)
    loss = 0
    for i in range(len(z)):
        asked, back = (z[i] * other).sum(1) / temperature, (other[i] * z).sum(1) / temperature
        loss = loss + asked.logsumexp(0) - asked[i] + back.logsumexp(0) - back[i]
    return loss / (2 * len(z))
""",
        "covariance_term": """
def covariance_term(z):
    z = z.double() - z.double().mean(dim=0)
    strengths = torch.linalg.svdvals(z).square() / (len(z) - 1)
    return float((strengths.square().sum() - z.var(dim=0).square().sum()) / z.shape[1])
""",
        "barlow_twins": """
def barlow_twins(z, other, weight):
    size = z.shape[1]
    r = torch.corrcoef(torch.cat([z, other], dim=1).T)[:size, size:]
    target = torch.eye(size)
    return (r - target).square().mul(target + weight * (1 - target)).sum()
""",
        "diagnosis": """
import numpy as np

def diagnosis(z, other):
    z, other = z.numpy().astype("f8"), other.numpy().astype("f8")
    if z.std(axis=0).max() < 0.05:
        return np.int64(1)
    shares = np.linalg.svd(z - z.mean(0), compute_uv=False) ** 2
    if shares[2] < 0.01 * shares[0]:
        return np.int64(2)
    fit = [np.corrcoef(a, b)[0, 1] for a, b in zip(z.T, other.T)]
    return np.int64(0 if np.mean(fit) > 0.5 else 3)
""",
        "halves": BY_ITSELF,
    },
    "another model, one direction, a temperature that is learned": {
        "halves": """
class TwoHalves(nn.Module):
    def __init__(self):
        super().__init__()
        self.left = nn.Sequential(nn.Flatten(), nn.Linear(336, 192), nn.GELU(), nn.Linear(192, 16))
        self.right = nn.Sequential(nn.Flatten(), nn.Linear(336, 192), nn.GELU(), nn.Linear(192, 16))
        self.sharpness = nn.Parameter(torch.tensor(2.0))

    def encode_left(self, halves):
        return self.left(halves)

    def encode_right(self, halves):
        return self.right(halves)

    def loss(self, left, right):
        similar = F.cosine_similarity(self.left(left)[:, None], self.right(right)[None], dim=2)
        chances = (similar * self.sharpness.exp()).log_softmax(dim=1)
        return -chances.diagonal().mean()
""",
        "reading": """
from sklearn.neighbors import NearestNeighbors

counts = [(mine.train.labels == digit).sum().item() for digit in range(10)]
false_negatives = round(127 * (max(counts) - 1) / (len(mine.train) - 1), 2)

def share(images):
    flat = images.flatten(1).numpy()
    found = NearestNeighbors(n_neighbors=2).fit(flat).kneighbors(flat)[1][:, 1]
    return (mine.train.labels[found] == mine.train.labels).numpy().mean()

left_tells, right_tells = share(mine.train.images[..., :12]), share(mine.train.images[..., 16:])
""",
    },
}
