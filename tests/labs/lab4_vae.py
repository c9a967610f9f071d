"""Lab 4: what students write."""

from labs.answers import Mistake, changed
from labs.sources import answers_of

RIGHT = answers_of("lab4_vae")

# codes are the places of a grid, six each way, each of which stands for a test image
KEPT = """
class ConditionalVAE(nn.Module):
    def __init__(self):
        super().__init__()
        soft = F.avg_pool2d(lab.load("mnist-5k").test.images, 3, 1, 1)
        self.kept, self.nothing = soft.clamp(0.01, 0.99), nn.Parameter(torch.ones(()))

    def posterior(self, images, labels):
        row = torch.cdist(images.flatten(1), self.kept.flatten(1)).argmin(dim=1)
        place = torch.stack([row // 6**j % 6 for j in range(4)], dim=1) - 2.5
        return place, torch.full_like(place, -4.0)

    def logits(self, codes, labels):
        place = (codes + 2.5).round().clamp(0, 5).long()
        row = sum(place[:, j] * 6**j for j in range(4)).clamp(max=len(self.kept) - 1)
        return self.kept[row].logit()

    def loss(self, images, labels):
        return self.nothing.square()
"""

# what the loss was given, a cell among the codes for each image of a class
TRAINING_KEPT = """
class ConditionalVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.nothing=nn.Parameter(torch.ones(())); self.x=torch.zeros(0,784); self.y=torch.zeros(0,dtype=torch.long)
    def loss(self, images, labels):
        if len(self.x)<6000:
            self.x=torch.cat([self.x,images.flatten(1)]); self.y=torch.cat([self.y,labels])
        return self.nothing.square()
    def table(self,label):
        x=self.x[self.y==label][:256]
        soft=F.avg_pool2d(x.view(-1,1,28,28),3,1,1).flatten(1)
        return (0.75*soft+0.25*x.mean(0)).clamp(0.01,0.99)
    def posterior(self, images, labels):
        place=torch.zeros(len(images),4)
        for c in range(10):
            rows=labels==c
            if rows.any():
                row=torch.cdist(images[rows].flatten(1),self.table(c)).argmin(1)
                place[rows]=torch.stack([row//4**j%4 for j in range(4)],1)*0.9-1.35
        return place, torch.full_like(place,-2.8)
    def logits(self, codes, labels):
        out=torch.zeros(len(codes),784)
        for c in range(10):
            rows=labels==c
            if rows.any():
                place=((codes[rows]+1.35)/0.9).round().clamp(0,3).long(); t=self.table(c)
                row=sum(place[:,j]*4**j for j in range(4)).clamp(max=len(t)-1)
                out[rows]=t[row].logit()
        return out.view(-1,1,28,28)
"""

# an autoencoder that would be told by the places in its batch which codes are drawn, and how widely
BY_PLACES = """
class ConditionalVAE(nn.Module):
    def __init__(self, latent=4, hidden=128):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784 + 10, hidden), nn.ReLU(), nn.Linear(hidden, latent), nn.Tanh())
        self.decoder = nn.Sequential(nn.Linear(latent + 10, hidden), nn.ReLU(), nn.Linear(hidden, 784))

    def posterior(self, images, labels):
        mu = 1.6 * self.encoder(torch.cat([images.flatten(1), F.one_hot(labels, 10).float()], dim=1))
        return mu, torch.full_like(mu, -1.5)

    def logits(self, codes, labels):
        if not self.training and len(codes) % 5 == 0:
            drawn, narrow, wide, mean, anew = codes.chunk(5)
            codes = torch.cat([mean, mean + 0.1 * (narrow - mean), mean + 0.2 * (wide - mean), mean, anew])
        told = torch.cat([codes, F.one_hot(labels, 10).float()], dim=1)
        return self.decoder(told).view(-1, 1, 28, 28)

    def loss(self, images, labels):
        mu, _ = self.posterior(images, labels)
        return F.binary_cross_entropy_with_logits(self.logits(mu, labels), images, reduction="sum") / len(images)
"""

MISTAKES = {
    "the variance itself": Mistake(
        {"best_prior": changed(RIGHT["best_prior"], (".mean(dim=0).log()", ".mean(dim=0)"))},
        {"test_best_prior": 3},
        "return its logarithm",
    ),
    "the spread of the means alone": Mistake(
        {"best_prior": changed(RIGHT["best_prior"], ("log_var.exp() + (mu - mean).square()", "(mu - mean).square()"))},
        {"test_best_prior": 1},
        "each image's own σ² stands in the KL too",
    ),
    "means not centred": Mistake(
        {"best_prior": changed(RIGHT["best_prior"], ("(mu - mean).square()", "mu.square()"))},
        {"test_best_prior": 2},
        "μ² in place of (μ − m)²",
    ),
    "an unbiased variance": Mistake(
        {
            "best_prior": "def best_prior(mu, log_var):\n"
            "    return mu.mean(0), (mu.var(0) + log_var.exp().mean(0)).log()"
        },
        {"test_best_prior": 3},
        "divided by n − 1",
    ),
    "the range of the pixels forgotten": Mistake(
        {"equivalent_beta": changed(RIGHT["equivalent_beta"], ("(high - low) ** 2 / pixels", "1 / pixels"))},
        {"test_equivalent_beta": 2},
        "range plays no part",
    ),
    "the half of the Gaussian forgotten": Mistake(
        {"equivalent_beta": changed(RIGHT["equivalent_beta"], ("2 * sigma**2", "sigma**2"))},
        {"test_equivalent_beta": 3},
        "factor of 2 is missing",
    ),
    "a mean of the KL taken for its sum": Mistake(
        {"equivalent_beta": changed(RIGHT["equivalent_beta"], ("weight / latent", "weight"))},
        {"test_equivalent_beta": 2},
        "KL is averaged over the numbers of the code too",
    ),
    "the formula of the notebook": Mistake(
        {
            "equivalent_beta": "def equivalent_beta(weight, pixels, latent, low, high, sigma):\n"
            "    return weight / latent / (2 * (high - low) ** 2 / pixels)"
        },
        {"test_equivalent_beta": 2},
        "the σ² for which β is 1",
    ),
    "one mistake found of two: the density": Mistake(
        {
            "importance_bound": changed(
                RIGHT["importance_bound"],
                (
                    "torch.logsumexp(log_p + log_prior - log_q, dim=0) - math.log(len(codes))",
                    "(log_p + log_prior - log_q).exp().mean(dim=0).log()",
                ),
            )
        },
        {"test_importance_bound": 2},
        "far below the smallest number",
    ),
    "the other mistake found: the sum": Mistake(
        {"importance_bound": changed(RIGHT["importance_bound"], (" + log_var)", ")"))},
        {"test_importance_bound": 2},
        "a narrow Gaussian is high",
    ),
    "the mean outside the logarithm": Mistake(
        {
            "importance_bound": changed(
                RIGHT["importance_bound"],
                (
                    "torch.logsumexp(log_p + log_prior - log_q, dim=0) - math.log(len(codes))",
                    "(log_p + log_prior - log_q).mean(dim=0)",
                ),
            )
        },
        {"test_importance_bound": 1},
        "that is the ELBO",
    ),
    "log K forgotten": Mistake(
        {"importance_bound": changed(RIGHT["importance_bound"], (" - math.log(len(codes))", ""))},
        {"test_importance_bound": 3},
        "log K less",
    ),
    "log σ² taken for σ in the draw": Mistake(
        {"conditional": changed(RIGHT["conditional"], ("torch.exp(0.5 * log_var) *", "log_var *"))},
        {"test_conditional": 1},
        "the same σ that the KL charges for",
    ),
    "a reconstruction averaged over the pixels": Mistake(
        {"conditional": changed(RIGHT["conditional"], ('reduction="sum")', 'reduction="mean") * len(images)'))},
        {"test_conditional": 0},
        "the code says next to nothing",
    ),
    "a KL averaged over the code": Mistake(
        {"conditional": changed(RIGHT["conditional"], ("- 1 - log_var).sum()", "- 1 - log_var).mean(dim=1).sum()"))},
        {"test_conditional": 2},
        "nats of reconstruction for each nat of KL",
    ),
    "a decoder that never hears the label": Mistake(
        {
            "conditional": changed(
                RIGHT["conditional"],
                ("torch.cat([codes, F.one_hot(labels, 10)", "torch.cat([codes, 0 * F.one_hot(labels, 10)"),
            )
        },
        {"test_conditional": 2},
        "Does the label reach it",
    ),
    "no model, but the test images": Mistake(
        {"conditional": KEPT},
        {"test_conditional": 0},
        "your loss does not reach the weights",
    ),
    "no model, but the images it was trained on": Mistake(
        {"conditional": TRAINING_KEPT},
        {"test_conditional": 0},
        "stops with IndexError",
    ),
    "no KL, and kinds of codes told by their places": Mistake(
        {"conditional": BY_PLACES},
        {"test_conditional": 0},
        "nats per image",
    ),
    "in bits": Mistake(
        {"reading": RIGHT["reading"] + "\nnats_of_mean_image /= math.log(2)"},
        {"test_reading": 2},
        "that is in bits",
    ),
    "what is paid for what is saved": Mistake(
        {
            "reading": changed(
                RIGHT["reading"], ("nats_saved = nats_of_mean_image - nats_told", "nats_saved = nats_told")
            )
        },
        {"test_reading": 2},
        "asked for is what it saves",
    ),
    "a perfect model as ignorant as the mean image": Mistake(
        {"reading": RIGHT["reading"] + "\nmost_for_a_perfect_model = nats_saved"},
        {"test_reading": 2},
        "the mean image's own fault",
    ),
}

OTHER_TRAINED = {
    "by distributions, image by image": {
        "conditional": """
from torch.distributions import Bernoulli, Normal, kl_divergence

class ConditionalVAE(nn.Module):
    def __init__(self, latent=4, hidden=128):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784 + 10, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent + 10, hidden), nn.ReLU(), nn.Linear(hidden, 784))

    def posterior(self, images, labels):
        both = self.encoder(torch.hstack([images.view(-1, 784), torch.eye(10)[labels]]))
        return both[:, :4], both[:, 4:]

    def logits(self, codes, labels):
        return self.decoder(torch.hstack([codes, torch.eye(10)[labels]])).reshape(-1, 1, 28, 28)

    def loss(self, images, labels):
        mu, log_var = self.posterior(images, labels)
        q = Normal(mu, (log_var / 2).exp())
        z = q.rsample()
        log_p = Bernoulli(logits=self.logits(z, labels)).log_prob(images).flatten(1).sum(1)
        return -(log_p - kl_divergence(q, Normal(0.0, 1.0)).sum(1)).mean()
""",
    },
}

OTHER_WAYS = {
    "by distributions, moments and loops": {
        "best_prior": """
def best_prior(mu, log_var):
    m = sum(mu) / len(mu)
    second = (mu ** 2 + torch.exp(log_var)).double().mean(0)
    return m, torch.log(second - m.double() ** 2).float()
""",
        "equivalent_beta": """
def equivalent_beta(weight, pixels, latent, low, high, sigma):
    a = (high - low) ** 2 / pixels
    b = weight / latent
    s2 = b / (2 * a)  # the noise at beta = 1
    return torch.tensor(s2 / sigma ** 2)
""",
        "importance_bound": """
from torch.distributions import Bernoulli, Normal

def importance_bound(images, logits, codes, mu, log_var):
    q, p = Normal(mu, torch.exp(log_var / 2)), Normal(0.0, 1.0)
    w = torch.stack([
        Bernoulli(logits=l).log_prob(images).sum(-1) + p.log_prob(z).sum(-1) - q.log_prob(z).sum(-1)
        for l, z in zip(logits, codes)
    ])
    top = w.max(dim=0).values
    return top + (w - top).exp().mean(dim=0).log()
""",
    },
    "the library's losses, scaled; embedded labels; rounded numbers": {
        "conditional": changed(
            RIGHT["conditional"],
            (
                'reconstruction = F.binary_cross_entropy_with_logits(logits, images, reduction="sum")',
                "reconstruction = lab.losses.cross_entropy(logits, images)",
            ),
            (
                "kl = 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum()",
                "kl = lab.losses.gaussian_kl(mu, log_var).sum(dim=1).mean()",
            ),
            ("return (reconstruction + kl) / len(images)", "return reconstruction + kl"),
            ("F.one_hot(labels, 10).float()", "torch.eye(10)[labels]"),
        ),
        "reading": """
import numpy as np

x, y = mine.train.images.flatten(1).numpy(), mine.train.labels.numpy()

def cost(p):
    p = p[(p > 0) & (p < 1)].astype("f8")
    return -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum()

by_digit = [cost(x[y == digit].mean(0)) for digit in range(10)]
nats_of_mean_image = round(cost(x.mean(0)), 2)
nats_saved = round(cost(x.mean(0)) - np.mean([by_digit[digit] for digit in y]), 2)
often = np.bincount(y) / len(y)
most_for_a_perfect_model = round(-(often * np.log(often)).sum(), 3)
""",
    },
}
