# %% [markdown]
# # Lab 4 · The variational autoencoder
#
# *The prior that costs least; a loss found in the wild; a bound, mended; a VAE that is told the label, and what that is
# worth*
#
# A VAE counts in nats: what the code costs, what the picture costs, and how they trade. In this lab you choose the
# prior that costs least, translate a loss found in the wild, mend a colleague's bound, train a VAE that is told the
# label, and work out what a label is worth.
#
# | part | points | how it is marked |
# |---|---|---|
# | 1 · The prior that costs least | 4 | by tests on other codes |
# | 2 · A loss in the wild | 4 | by tests on other numbers |
# | 3 · A colleague's bound | 4 | by tests on other pictures |
# | 4 · A VAE that is told the label | 4 | your model is trained anew, and measured on pictures it never saw |
# | 5 · What a label is worth | 3 | your numbers are worked out again |
# | 6 · In your own words | 4 | by a person |
#
# **Before you start**: notebook 04. **Time**: 80 minutes. Everything runs on two cores, without the internet.
#
# **How to work.** Write where it says `# your code here`. The cell under each part tells you at once what is wrong;
# `autoencoder-lab check lab4_vae.ipynb` does so for the whole notebook. Those cells check with numbers of their own,
# the marking with others: an answer that only fits the check earns nothing. Wrong in a usual way still earns a part of
# the points, and the feedback says which way that was.

# %% given="imports"
import math

import torch
import torch.nn.functional as F
from torch import nn

import autoencoder_lab as lab

# %% [markdown]
# **Your images.** Put in your id: it draws 2,000 training images of your own out of 3,500 real digits, so your numbers
# differ a little from your neighbour's.

# %% answer="student"
STUDENT = "your-id"
### BEGIN SOLUTION
STUDENT = "solution"
### END SOLUTION

# %% given="data"
data = lab.own_images(STUDENT)

# %% [markdown]
# ## 1 · The prior that costs least (4 points)
# The encoder names a Gaussian for each image, $q(z \mid x_i) = \mathcal N(\mu_i, \operatorname{diag} \sigma_i^2)$, and
# each pays its KL to the prior. The prior has been $\mathcal N(0, I)$ so far. Now let the encoder stand as it is and
# choose the prior: **one** Gaussian for all images, $p(z) = \mathcal N(m, \operatorname{diag} s^2)$. For one number of
# the code,
#
# $$KL\big[\mathcal N(\mu_i, \sigma_i^2),\, \mathcal N(m, s^2)\big]
#   = \tfrac12 \Big( \log \frac{s^2}{\sigma_i^2} + \frac{\sigma_i^2 + (\mu_i - m)^2}{s^2} - 1 \Big).$$
#
# Average over the images, set the derivatives by $m$ and by $s^2$ to zero, and return the best prior.


# %% answer="best_prior"
def best_prior(mu, log_var):
    """mu, log_var: (N, d), log_var is log σ². Return m and log s² of the prior with the least mean KL, (d,) each."""
    ### BEGIN SOLUTION
    mean = mu.mean(dim=0)
    return mean, (log_var.exp() + (mu - mean).square()).mean(dim=0).log()
    ### END SOLUTION


# %% test="test_best_prior" points=4
lab.checks.lab4.best_prior.check(best_prior)

# %% [markdown]
# ## 2 · A loss in the wild (4 points)
# You find this in a repository. Its pixels are rescaled from $[0, 1]$ to $[\text{low}, \text{high}]$ first, and
# `torch.mean` averages over *everything* it is given:
#
# ```python
# def loss(x, x_hat, mu, log_var, weight):   # x, x_hat: (B, pixels) in [low, high]; mu, log_var: (B, latent)
#     kl = -0.5 * (1 + log_var - mu**2 - log_var.exp())
#     return torch.mean((x - x_hat) ** 2) + weight * torch.mean(kl)
# ```
#
# You would rather write `lab.VAE(latent, likelihood="gaussian", sigma=sigma, beta=beta)`, whose loss on pixels in
# $[0, 1]$ is, but for a constant,
#
# $$\frac{1}{2\sigma^2} \lVert x - \hat x \rVert^2 + \beta \sum_{j=1}^{d} KL_j \quad \text{nats per image.}$$
#
# You have settled on a σ. Which β makes the two losses equal but for a constant and a factor, so that they train the
# same model?


# %% answer="equivalent_beta"
def equivalent_beta(weight, pixels, latent, low, high, sigma):
    """All plain numbers; sigma is the noise on the scale of pixels in [0, 1]. Return β."""
    ### BEGIN SOLUTION
    squared_error = (high - low) ** 2 / pixels  # what stands before ‖x − x̂‖² once the pixels are back in [0, 1]
    nats = weight / latent  # … and before the sum of the KL
    return nats / (2 * sigma**2 * squared_error)
    ### END SOLUTION


# %% test="test_equivalent_beta" points=4
lab.checks.lab4.equivalent_beta.check(equivalent_beta)

# %% [markdown]
# ## 3 · A colleague's bound (4 points)
# With $K$ codes drawn from $q(z \mid x)$ the importance-weighted bound is closer to $\log p(x)$ than the ELBO:
#
# $$\log p(x) \;\ge\; \log \frac1K \sum_{k=1}^{K} \frac{p(x \mid z_k)\, p(z_k)}{q(z_k \mid x)}
#   \quad\text{(on average)}, \qquad p(z) = \mathcal N(0, I).$$
#
# A colleague wrote it as below. She tried it with four pixels and $q = \mathcal N(0, I)$, where every weight is
# $p(x \mid z)$ itself, and it was right. On real digits it is wrong, in two places. ("I left the $\log 2\pi$ out of
# both densities on purpose," she says.)


# %%
def colleagues_bound(images, logits, codes, mu, log_var):
    log_p = -F.binary_cross_entropy_with_logits(logits, images.expand_as(logits), reduction="none").sum(dim=2)
    log_prior = -0.5 * codes.square().sum(dim=2)
    log_q = -0.5 * ((codes - mu).square() / log_var.exp()).sum(dim=2)
    weights = (log_p + log_prior - log_q).exp()
    return weights.mean(dim=0).log()


# %% [markdown]
# Try her function on what her test left out: another $q$, and as many pixels as a digit has. Find both mistakes, and
# write the function as it should be.


# %% answer="importance_bound"
def importance_bound(images, logits, codes, mu, log_var):
    """images: (N, pixels) of 0 and 1; logits: (K, N, pixels); codes: (K, N, d); mu, log_var: (N, d), log_var is log σ².

    Return the bound on log p(x) of each image, in nats: (N,).
    """
    ### BEGIN SOLUTION
    log_p = -F.binary_cross_entropy_with_logits(logits, images.expand_as(logits), reduction="none").sum(dim=2)
    log_prior = -0.5 * codes.square().sum(dim=2)
    log_q = -0.5 * ((codes - mu).square() / log_var.exp() + log_var).sum(dim=2)
    return torch.logsumexp(log_p + log_prior - log_q, dim=0) - math.log(len(codes))
    ### END SOLUTION


# %% test="test_importance_bound" points=4
lab.checks.lab4.importance_bound.check(importance_bound)

# %% [markdown]
# ## 4 · A VAE that is told the label (4 points)
# Whoever draws a digit first decides which one. Tell the model the label $y$, and it only has to say *how* the digit is
# drawn. This is the conditional VAE (Sohn, Lee and Yan, 2015): encoder and decoder both see $y$, the prior stays
# $\mathcal N(0, I)$ whatever $y$ is, and
#
# $$\log p(x \mid y) \;\ge\; \mathbb E_{q(z \mid x, y)}\big[\log p(x \mid z, y)\big]
#   - KL\big[q(z \mid x, y),\, p(z)\big].$$
#
# The layers are there; ten inputs of each network wait for the label. The pixels are black or white (the cell below
# draws them anew for each batch), and the decoder's outputs are *logits*. Write what flows where, and the loss: minus
# this bound, in nats per image, averaged over the batch, with one draw of $z$ for each image. It is trained below for
# 600 steps. While marking, your class is trained as long from new first weights, on an alphabet of ten letters that
# nobody has seen before: what it can do must lie in its layers.


# %% answer="conditional"
class ConditionalVAE(nn.Module):
    """784 black-or-white pixels, one of ten labels, a code of 4 numbers."""

    def __init__(self, latent=4, hidden=128):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784 + 10, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent + 10, hidden), nn.ReLU(), nn.Linear(hidden, 784))

    def posterior(self, images, labels):
        """images: (N, 1, 28, 28) of 0 and 1; labels: (N,), whole numbers 0 … 9. Return μ and log σ², (N, 4) each."""
        ### BEGIN SOLUTION
        seen = torch.cat([images.flatten(1), F.one_hot(labels, 10).float()], dim=1)
        return self.encoder(seen).chunk(2, dim=1)
        ### END SOLUTION

    def logits(self, codes, labels):
        """codes: (N, 4); labels: (N,). Return the pixels' logits, (N, 1, 28, 28)."""
        ### BEGIN SOLUTION
        told = torch.cat([codes, F.one_hot(labels, 10).float()], dim=1)
        return self.decoder(told).view(-1, 1, 28, 28)
        ### END SOLUTION

    def loss(self, images, labels):
        """Return one number: minus the bound on log p(image | label), in nats per image, averaged over the batch."""
        ### BEGIN SOLUTION
        mu, log_var = self.posterior(images, labels)
        codes = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        logits = self.logits(codes, labels)
        reconstruction = F.binary_cross_entropy_with_logits(logits, images, reduction="sum")
        kl = 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum()
        return (reconstruction + kl) / len(images)
        ### END SOLUTION


# %% given="train"
torch.manual_seed(0)
model = ConditionalVAE()
if model.loss(data.train.images[:8].round(), data.train.labels[:8]) is not None:
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 600)
    for _ in range(600):
        rows = torch.randint(len(data.train), (64,))
        loss = model.loss(torch.bernoulli(data.train.images[rows]), data.train.labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()

# %% test="test_conditional" points=4
lab.checks.lab4.conditional(model, data.val)

# %% [markdown]
# Then look, in a cell of your own: four codes from the prior, each with all ten labels. What stays the same in a row?
#
# ```python
# with torch.no_grad():
#     codes, labels = torch.randn(4, 4).repeat_interleave(10, dim=0), torch.arange(10).repeat(4)
#     rows = model.logits(codes, labels).sigmoid().split(10)
# lab.plot.image_rows({f"code {i}": row for i, row in enumerate(rows)}, alt="Four codes, each with all ten labels.")
# ```

# %% [markdown]
# ## 5 · What a label is worth (3 points)
# Everybody has a collection of their own for this: some hundred digits, of some many and of others few, in a brighter
# or a fainter hand. Its numbers are yours alone.

# %% given="collection"
mine = lab.own_collection(STUDENT)

# %% [markdown]
# Part 4's model need not guess the digit. How many nats does that save? Ask the simplest model of all, on the images of
# **your** collection, `mine.train`. It knows one number for each pixel, $p_j$, its mean grey value over the images, and
# takes the pixels for independent: pixel $j$ is white with probability $p_j$. (Pixels are drawn black or white from the
# grey values, as in part 4, so on average pixel $j$ costs exactly the entropy of $p_j$ in nats; one that is never white
# costs nothing.)
#
# 1. How many nats does such a model pay for an image, on average?
# 2. Tell it the label: it now has ten mean images, one for each class. How many nats does it **save** for an image, on
#    average over your images?
# 3. Now think of a *perfect* model, one that knows the true $p(x)$ and the true $p(x \mid y)$. How many nats can the
#    label save it at most, on average over digits as frequent as yours?

# %% answer="reading"
nats_of_mean_image = None  # each to three decimals at least
nats_saved = None
most_for_a_perfect_model = None


### BEGIN SOLUTION
def price(images):
    p = images.double().mean(dim=0)
    return float(-(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p)).sum())


images, labels = mine.train.images, mine.train.labels
counts = torch.bincount(labels, minlength=10)
nats_of_mean_image = price(images)
nats_told = sum(float(counts[y]) * price(images[labels == y]) for y in range(10)) / len(images)
nats_saved = nats_of_mean_image - nats_told
shares = counts / len(images)
most_for_a_perfect_model = float(-(shares * shares.log()).sum())  # I(x; y) ≤ H(y)
### END SOLUTION

# %% test="test_reading" points=3
lab.checks.lab4.reading(mine.train, nats_of_mean_image, nats_saved, most_for_a_perfect_model)

# %% [markdown]
# ## 6 · In your own words (4 points)
# In at most 150 words: why can a label save the mean image far more nats than it can ever save a perfect model? What
# does the code of a conditional VAE no longer have to say? And why does one code, decoded with ten labels, keep its
# handwriting, where nobody told the model what handwriting is?

# %% [markdown] manual="words" points=4
# For a perfect model the saving is, on average, log p(x|y) − log p(x), the information that image and label share, and
# that cannot exceed the entropy of the label, log 10 (1 point). The mean image is a bad model: it takes the pixels for
# independent, and the label repairs a part of that mistake, so the saving counts the model's own error, not only what
# the label tells (1 point). The code no longer has to say which digit it is; these up to 2.3 nats of KL are free for
# how it is drawn (1 point). The KL pulls the codes of every class to the same prior, so a code that told the label
# again would pay twice: what is left in it is what is common to all digits, such as slant and thickness, and the
# decoder learns to apply it to each label (1 point).
