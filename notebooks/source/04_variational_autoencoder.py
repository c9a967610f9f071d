# %% [markdown]
# # 04 · The variational autoencoder
#
# *Why an autoencoder does not generate; μ and σ; the ELBO, derived and checked against the exact likelihood; the units
# of a loss*
#
# An autoencoder draws what it is shown. Ask it for something *new*, and it needs a code, but which? The variational
# autoencoder (VAE) makes one change with large consequences: **a code is no longer a point but a distribution**, and
# all of them together are kept where a random generator can find them. In this notebook you build one from its formula,
# check the formula against an exact answer, and learn to tell what a loss you find in the wild stands for.
#
# **You will be able to**
#
# - show by measurement why a plain autoencoder draws badly from random codes, and what mends it (section 1, quiz);
# - explain what μ and σ are for, and pass a gradient through a random draw (sections 2 and 3, Exercises 1 and 2);
# - derive the ELBO in three lines and check it against an exact likelihood (section 4, quiz);
# - find out whether generated images are copies of training images (section 5, Exercise 3);
# - convert any "reconstruction + weight · KL" into a noise level σ and a β (section 6, quiz).
#
# **Before you start** Notebook 01: PCA, the two losses. Notebook 02: the convolutional autoencoder. What a Gaussian is.
#
# **Time** {{minutes}} minutes with the exercises; the computer itself needs about {{seconds}} s of them.
#
# **Slides covered** 002 *Convolutional Variational Autoencoders*; 003 *Variational autoencoder*, its losses and its β.

# %% tags=["setup"]
import math
from itertools import pairwise

import pandas as pd
import torch
from torch import nn
from torch.distributions import MultivariateNormal

import autoencoder_lab as lab
from autoencoder_lab import losses

lab.setup(seed=0)
data = lab.load("mnist-5k")  # 3,500 digits to train on
small = lab.load("mnist-5k", n=1500)  # fewer of them, for short experiments


def noise(*shape, seed=0):
    """ε ~ N(0, I), the same each time it is asked for."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def black_and_white(images):
    """One fixed draw of black or white pixels from grey values, for comparisons on equal images."""
    return torch.bernoulli(images, generator=torch.Generator().manual_seed(0))


# %% [markdown]
# ## 1 · Why an autoencoder does not generate
#
# A decoder turns 20 numbers into a picture. So throw in 20 random numbers, and out comes a new digit? Slide 002 says
# no: *the only way to generate meaningful encodings would be to pass an image through the encoder*. Let us try four
# ways of finding codes, from ignorant to well-informed:
#
# | codes from | what it knows about real codes |
# |---|---|
# | $\mathcal N(0, I)$ | nothing |
# | $\mathcal N(m_j, s_j^2)$, each value alone | mean and spread of each code value |
# | $\mathcal N(m, C)$ | and how they vary together |
# | a mixture of ten Gaussians, `lab.LatentMixture` | and roughly in which regions they lie |
#
# Looking is not enough; we also measure. Put 500 drawn and 500 real images on one pile, and let every image's nearest
# neighbour guess which kind it is: the [two-sample accuracy]({{glossary}}#two-sample-test). At 0.5 the two kinds cannot
# be told apart, at 1 they have nothing in common. Two yardsticks: other *real* digits, and *reconstructions* of other
# real digits, the best this decoder can do.

# %%
lab.predict(
    "Which random codes decode to images whose accuracy is below 0.7?",
    options=["all of them", "only the mixture's", "the mixture's and N(m, C)'s", "none"],
    key="04-1-random-codes",
)

# %%
ae = lab.ConvAutoencoder(20, width=8, hidden=128)
lab.fit(ae, data, steps=300, batch_size=64, progress=False)
codes = lab.metrics.encode(ae, data.train)
centre, spread, covariance = codes.mean(dim=0), codes.std(dim=0), torch.cov(codes.T)
mixture = lab.LatentMixture(ae, components=10).fit(small.train)

real, others, eps = data.test.images[:500], data.test.images[500:], noise(500, 20)
found = {
    "N(0, I)": eps,
    "N(m, s²) each": centre + spread * eps,
    "N(m, C)": centre + eps @ torch.linalg.cholesky(covariance).T,
    "mixture of ten": mixture.sample_codes(500, torch.Generator().manual_seed(0)),
}
drawn = {name: lab.metrics.in_batches(ae.decode, z) for name, z in found.items()}
drawn |= {"reconstructions": lab.metrics.in_batches(ae.reconstruct, others), "real digits": others}
lab.plot.image_rows(
    {name: images[:12] for name, images in drawn.items()},
    alt="Twelve pictures decoded from each kind of code. From N(0, I) to N(m, C) they are mostly strokes that form no "
    "digit; from the mixture many are digits; reconstructions of real digits look right.",
    scale=0.5,
)

# %%
told_apart = {name: lab.metrics.two_sample_accuracy(images, real) for name, images in drawn.items()}
lab.plot.bars(told_apart, "accuracy of telling them from real digits", baselines={"cannot be told apart": 0.5})

# %% tags=["nbval-check-output"]
apart = {name: accuracy.value for name, accuracy in told_apart.items()}
print("real codes decode to images that pass for real:", apart["reconstructions"] < 0.6)
print("N(0, I) decodes to images that do not:         ", apart["N(0, I)"] > 0.75)
print("a mixture fitted afterwards beats both Gaussians:", apart["mixture of ten"] < apart["N(m, C)"] - 0.05)

# %%
within = [name for name in found if apart[name] < 0.7]
known = {("mixture of ten",): "only the mixture's", ("N(m, C)", "mixture of ten"): "the mixture's and N(m, C)'s"}
lab.outcome("04-1-random-codes", "all of them" if len(within) == 4 else known.get(tuple(within), "none"))

# %% [markdown]
# **What you should see.** Real codes decode well; codes from $\mathcal N(0, I)$ give strokes without a digit. Mean,
# spread and covariance help a little each, but real codes do not fill one ellipsoid: it holds regions where no digit
# lives. A mixture that knows the regions comes close.
#
# The slide is **right under a condition**. Nothing in the loss tells an autoencoder *where* to put its codes, so one
# has to find out afterwards; but with a density fitted to the codes a plain autoencoder does generate, no image needed
# (Ghosh et al., 2020). A VAE turns the order round: **first say where codes shall lie, then train.**
#
# **Try it.** `components=1`, then 40. Which bar does 1 repeat?

# %% [markdown]
# ## 2 · An encoder that names a distribution
#
# Slide 002: *design the encoder to output two values, σ and μ*. Two *vectors*, to be exact: for a code of $d$ numbers
# the encoder gives $2d$, and names with them a Gaussian for each code value, the [posterior]({{glossary}}#posterior)
#
# $$q(z \mid x) = \mathcal N\big(\mu(x),\ \operatorname{diag} \sigma^2(x)\big)$$
#
# The network gives $\log \sigma^2$, which may be any number, where σ must be positive. How far such a Gaussian is from
# the *unit Gaussian* is measured by the [KL divergence]({{glossary}}#kl-divergence), which has a closed form here:
#
# $$KL\big[\mathcal N(\mu, \sigma^2),\, \mathcal N(0, I)\big]
#   = \tfrac12 \sum_{j=1}^{d} \big(\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2\big)$$

# %%
lab.show_source(lab.VAE.posterior, lab.VAE.encode, lab.VAE.loss, docstrings=False)

# %% [markdown]
# ### Exercise 1 · The divergence
#
# Write the formula in code. Mind what the encoder hands you: *log-variances*.


# %% tags=["exercise"]
def gaussian_kl(mu, log_var):
    """mu, log_var: (B, d), log_var is log σ². Return (B,): KL[N(μ, σ²), N(0, I)] of each image, in nats."""
    # solution-begin
    return 0.5 * (mu.pow(2) + log_var.exp() - 1 - log_var).sum(dim=1)
    # solution-end


# %% tags=["check"]
lab.checks.gaussian_kl(gaussian_kl)

# %% [markdown] tags=["help"]
# 1. Take the formula for one dimension and put in what you are given: `log_var` is log σ², so σ² is its exponential.
#    Then add up the d dimensions of each image, but not the images.
# 2. σ² is `log_var.exp()`. The sum over the dimensions is `.sum(dim=1)`, which leaves one number for each image. Mind
#    the ½ in front.
#
# **Why.** The dimensions are independent, so their divergences add up. Each one is ½ (μ² + σ² − 1 − log σ²): it is 0
# only for μ = 0 and σ = 1, that is, where q is the prior itself.

# %% [markdown]
# ### Does every image become a unit Gaussian?
#
# Slide 002: *try to get σ and μ to be as close to the unit Gaussian as possible*. Suppose that succeeded: every image
# gets μ = 0 and σ = 1, KL is 0, and every image has *the same* code distribution: nothing is left to tell a 3 from an
# 8. So what does the unit Gaussian describe, if not a single image? Train a small VAE and look at its dimensions one by
# one.

# %%
lab.predict(
    "A dimension that tells images apart: what is its σ² for a single image, on average?",
    options=["close to 1, as the KL asks", "well below 1", "well above 1"],
    key="04-2-sigma-of-one-image",
)

# %%
vae = lab.VAE(20, width=8, hidden=128)
lab.fit(vae, small, steps=150, progress=False)
with torch.no_grad():
    mu, log_var = vae.posterior(black_and_white(data.test.images))
of_mu, of_one_image = mu.var(dim=0), log_var.exp().mean(dim=0)
order = of_one_image.argsort()
lab.plot.curves(
    range(1, 21),
    {
        "variance of μ from image to image": of_mu[order].tolist(),
        "mean σ² of one image": of_one_image[order].tolist(),
        "the two together": (of_mu + of_one_image)[order].tolist(),
    },
    "code dimension, most informative first",
    "variance",
    baselines={"unit Gaussian": 1.0},
)

# %% tags=["nbval-check-output"]
together = (of_mu + of_one_image).mean()
print("variance over images plus variance of one image is 1, within 15 %:", bool(abs(together - 1) < 0.15))
print("five most informative dimensions, σ² of one image below 0.2:", bool(of_one_image[order[:5]].max() < 0.2))

# %%
typical = float(of_one_image[order[:5]].mean())
choices = ("well below 1", "well above 1", "close to 1, as the KL asks")
lab.outcome("04-2-sigma-of-one-image", choices[0 if typical < 0.5 else 1 if typical > 2 else 2])

# %% [markdown]
# **What you should see.** A single image keeps a *narrow* Gaussian, σ² around 0.1: enough to be found again. What
# approaches the unit Gaussian is **all images together**: the variance from image to image and that of one image add up
# to about 1. Towards the right a dimension tells less, and its σ² climbs. The slide's *as close as possible* is
# therefore **only half of it**: the KL pulls each image there, the reconstruction pulls back, and the crowd as a whole
# ends up near $\mathcal N(0, I)$. That is why one may later draw codes from it.

# %% [markdown]
# ### Sampling in training, μ at test
#
# Slide 002: *random sampling happens only during training; during testing, the mean (μ) is used.* For codes and
# reconstructions that is so. For the *loss* it must not be.

# %%
lab.diagram.vae(black_and_white(data.test.images[:1]), vae)

# %% tags=["nbval-check-output"]
x = black_and_white(data.test.images)
with torch.no_grad():
    print("two reconstructions agree:", torch.equal(vae.reconstruct(x), vae.reconstruct(x)))
    print("two losses agree:         ", vae.loss(x).total.item() == vae.loss(x).total.item())
    at_mean = -vae.log_likelihood(x, mu).mean()
    at_draw = -vae.log_likelihood(x, mu + torch.exp(0.5 * log_var) * noise(*mu.shape)).mean()
print("reconstruction term at μ flatters by more than 4 nats:", bool(at_draw - at_mean > 4))

# %% [markdown]
# **What you should see.** The reconstruction term is an *average over draws from* $q(z \mid x)$. Taken at μ it looks
# several nats better, for a code more exact than the KL has paid for. Reported that way, results are not comparable.
# The slide is **right for codes, wrong for the loss**: `lab.metrics.elbo` always draws.

# %% [markdown]
# ## 3 · A gradient through a random draw
#
# The loss depends on μ and σ only through a *random* $z$. How does one differentiate a throw of dice? There are two
# ways to write $\nabla_{\!\mu}\, \mathbb E_{q}[f(z)]$ as an average over draws:
#
# $$\underbrace{\mathbb E\big[f(z)\, \nabla_{\!\mu} \log q(z)\big]
#   = \mathbb E\big[f(z)\, (z - \mu) / \sigma^2\big]}_{\text{score function}}
# \qquad
# \underbrace{\mathbb E\big[\nabla_{\!z} f(z)\big], \quad z = \mu + \sigma\, \varepsilon,\ \
#   \varepsilon \sim \mathcal N(0, I)}_{\text{reparameterisation}}$$
#
# The left one needs only the *values* of $f$; it says: go where good draws came from. The right one is the
# [reparameterisation]({{glossary}}#reparameterisation): move the dice out of the way. ε is drawn without asking the
# network, μ and σ enter by plain arithmetic, and backpropagation asks $f$ for its *slope*. Both are right on average.
# An example with a known answer: $f(z) = z^2$, so $\mathbb E f = \mu^2 + \sigma^2$ and the gradient is $2\mu = 3$.

# %% tags=["nbval-check-output"]
mu, sigma = 1.5, 0.5
z = mu + sigma * noise(100_000).double()
estimates = {"score function": z.square() * (z - mu) / sigma**2, "reparameterised": 2 * z}
for name, each in estimates.items():
    off = abs(each.mean() - 2 * mu) / (each.std() / math.sqrt(len(z)))
    print(f"{name:16} agrees with 2μ within 4 standard errors: {bool(off < 4)}")
ratio = estimates["score function"].var() / estimates["reparameterised"].var()
print("variance of a single draw, more than 20 times as large:", bool(ratio > 20))

# %% [markdown]
# One dimension is harmless. Now the real thing: $f(z) = -\log p(x \mid z)$ of a trained decoder, 20 dimensions. To be
# fair to the score function we also give it its standard remedy, a *baseline*: subtract the mean of the other draws'
# $f$ from each $f(z)$, which changes nothing on average.

# %%
lab.predict(
    "How many draws must the score function average to be as exact as one reparameterised draw?",
    options=["about as many", "ten or so", "some hundreds", "more than a thousand"],
    key="04-3-score-function",
)

# %%
vae = lab.VAE(20, width=8, hidden=128)
lab.fit(vae, small, steps=150, progress=False)
draws, variances = 500, {"reparameterised": [], "score function with baseline": [], "score function": []}
for x in black_and_white(data.test.images[:10]).split(1):  # one digit at a time
    with torch.no_grad():
        mu, log_var = vae.posterior(x)
    z = (mu + torch.exp(0.5 * log_var) * noise(draws, 20)).requires_grad_()
    f = -vae.log_likelihood(x.expand(draws, -1, -1, -1), z)
    (slope,) = torch.autograd.grad(f.sum(), z)  # row k: ∇f at draw k
    f, score = f.detach()[:, None], (z.detach() - mu) / log_var.exp()
    without_mean = (f - f.mean()) * draws / (draws - 1)  # f_k less the mean of the other draws
    for name, each in zip(variances, (slope, without_mean * score, f * score), strict=True):
        variances[name].append(float(each.var(dim=0).sum()))
needed = {name: sum(v) / sum(variances["reparameterised"]) for name, v in variances.items()}
lab.plot.bars({name: round(math.log10(n), 1) for name, n in needed.items()}, "draws needed, as a power of ten")

# %% tags=["nbval-check-output"]
print("score function needs more than 1,000 times the draws:", needed["score function"] > 1000)
print("with a baseline still more than 5 times:             ", needed["score function with baseline"] > 5)

# %%
n = needed["score function"]
levels = {3: "about as many", 30: "ten or so", 1000: "some hundreds", math.inf: "more than a thousand"}
lab.outcome("04-3-score-function", next(option for limit, option in levels.items() if n < limit))

# %% [markdown]
# **What you should see.** Both estimators are unbiased, and yet one of them needs about ten thousand draws where the
# other needs one. The plain score function carries the *size* of $f$, a hundred nats or more, into every gradient; a
# baseline removes most of that, but it still learns about a slope only from scattered heights. So VAEs are trained with
# a single draw an image. The score function is for where $f$ has no slope: discrete codes, or a black box.

# %% [markdown]
# ### Exercise 2 · Find the bug
#
# A colleague wrote the draw below. Training runs without complaint, and the record is even *better* than ours: the loss
# falls lower in the same number of steps. But look at their σ.


# %%
def draw_of_a_colleague(mu, log_var, eps):
    return mu + log_var * eps


class Colleague(lab.VAE):
    """A VAE that draws z this way."""

    def loss(self, x, target=None):
        observed = self.observe(x)
        mu, log_var = self.posterior(observed)
        z = draw_of_a_colleague(mu, log_var, torch.randn_like(mu))
        parts = {"reconstruction": -self.log_likelihood(observed, z).mean()}
        parts["kl"] = losses.gaussian_kl(mu, log_var).sum(dim=1).mean()
        return lab.Loss(parts["reconstruction"] + self.beta * parts["kl"], parts)


pair = {"ours": lab.VAE(20, width=8, hidden=128), "the colleague's": Colleague(20, width=8, hidden=128)}
for name, model in pair.items():
    history = lab.fit(model, small, steps=120, progress=False)
    with torch.no_grad():
        sigma = (0.5 * model.posterior(black_and_white(data.test.images))[1]).exp()
    print(f"{name:16} loss {history.val['total'][-1]:4.0f}   σ between {sigma.min():.2f} and {sigma.max():.2f}")

# %% [markdown]
# How much noise reaches $z$ when the encoder says $\sigma = 1$? What does KL then cost? Write it rightly.


# %% tags=["exercise"]
def reparameterise(mu, log_var, eps):
    """mu, log_var, eps: (B, d), eps ~ N(0, I). Return z: (B, d), distributed as N(μ, σ²), log_var being log σ²."""
    # solution-begin
    return mu + torch.exp(0.5 * log_var) * eps
    # solution-end


# %% tags=["check"]
lab.checks.reparameterise(reparameterise)

# %% [markdown] tags=["help"]
# 1. `eps` has a spread of 1, so it must be multiplied by the standard deviation σ. What does the encoder give you in
#    place of σ? Try σ = 1: what is log σ² then?
# 2. log σ² is 2 log σ. So σ is the exponential, `torch.exp`, of one half of `log_var`.
#
# **Why.** μ + σ·ε has mean μ and spread σ. All chance sits in ε, which depends on no weight, so the gradient finds
# its way to μ and σ.

# %% [markdown]
# ## 4 · The ELBO, and an exact answer to check it by
#
# Where does *reconstruction plus KL* come from? From wanting a model under which the data are **likely**. Codes come
# from the [prior]({{glossary}}#prior) $p(z) = \mathcal N(0, I)$, images from $p(x \mid z)$, and an image is as likely
# as all codes together make it,
#
# $$p(x) = \int p(x \mid z)\, p(z)\, dz,$$
#
# an integral that nobody can do for a network. Three honest lines lead round it. For *every* $z$, Bayes' rule says
# $p(x) = p(x \mid z)\, p(z) / p(z \mid x)$. Take logarithms, and add and subtract $\log q(z \mid x)$:
#
# $$\log p(x) = \log \frac{p(x \mid z)\, p(z)}{q(z \mid x)} + \log \frac{q(z \mid x)}{p(z \mid x)}$$
#
# The left side does not depend on $z$. Average both sides over $z \sim q(z \mid x)$, for any $q$ you like:
#
# $$\log p(x) = \underbrace{\mathbb E_q \big[\log p(x \mid z)\big] - KL\big[q(z \mid x),\, p(z)\big]}_{\text{ELBO}}
# \;+\; \underbrace{KL\big[q(z \mid x),\, p(z \mid x)\big]}_{\ge\, 0}$$
#
# So $-$[ELBO]({{glossary}}#elbo), the *evidence lower bound*, is slide 003's $J_{VAE}$ with β = 1. It is never above
# $\log p(x)$, and what is missing is exactly how far $q$ is from the true posterior.
#
# Never trust a derivation you have not checked. There is a case where all of it is known: a **linear** decoder with
# Gaussian noise, $p(x \mid z) = \mathcal N(Wz + b, \sigma^2 I)$, probabilistic PCA. Then
#
# $$p(x) = \mathcal N\big(b,\ W W^\top + \sigma^2 I\big), \qquad
# p(z \mid x) = \mathcal N\big(S W^\top (x - b)/\sigma^2,\ S\big), \quad S = \big(I + W^\top W / \sigma^2\big)^{-1}$$
#
# We put $W$ and $b$ into the course's own VAE. With orthogonal columns $S$ is diagonal, and $q$ *can* be exact.

# %%
torch.manual_seed(0)
vae = lab.VAE(2, (1, 2, 3), likelihood="gaussian", sigma=1.0, output="linear").double()  # images of six pixels
W = torch.linalg.qr(torch.randn(6, 2).double()).Q * torch.tensor([4.0, 2.0]).double()
b = torch.randn(6).double()
linear = nn.Linear(2, 6).double()
linear.load_state_dict({"weight": W, "bias": b})
vae.decoder = nn.Sequential(linear, nn.Unflatten(1, (1, 2, 3)))

evidence = MultivariateNormal(b, W @ W.T + torch.eye(6).double())  # p(x), with σ = 1
x = evidence.sample((1000,))
log_p = evidence.log_prob(x)
S = torch.linalg.inv(torch.eye(2).double() + W.T @ W)
exact = (x - b) @ W @ S, S.diagonal().log().expand(1000, 2)  # mean and log-variance of the true posterior
wrong = 0.7 * exact[0], exact[1] + math.log(4)  # pulled towards 0, and σ twice as large


def log_weights(q, k):
    """log p(x|z) p(z) / q(z|x) at k draws from q for each image: (k, 1000). Its mean is the ELBO."""
    mu, log_var = q
    rows = []
    for eps in noise(k, *mu.shape).double():
        z = mu + torch.exp(0.5 * log_var) * eps
        log_q = losses.gaussian_log_density(z, mu, log_var).sum(dim=1)
        rows.append(vae.log_likelihood(x.view(-1, 1, 2, 3), z) + vae.log_prior(z) - log_q)
    return torch.stack(rows).detach()


def kl_to_exact(q):
    """KL[q(z|x), p(z|x)] for each image, by torch.distributions."""
    a, b = (torch.distributions.Normal(mu, torch.exp(0.5 * log_var)) for mu, log_var in (q, exact))
    return torch.distributions.kl_divergence(a, b).sum(dim=1)


# %% [markdown]
# The ELBO needs one draw an image. A better bound averages several *inside* the logarithm, the importance-weighted
# bound (Burda et al., 2016), $\log \frac1K \sum_k p(x \mid z_k)\, p(z_k) / q(z_k \mid x)$.

# %%
lab.predict(
    "q is wrong on purpose. What does the bound do as K grows from 1 to 1,000?",
    options=["it stays at the ELBO", "it rises to log p(x)", "it rises above log p(x)", "it falls"],
    key="04-4-importance-weights",
)

# %% tags=["nbval-check-output"]
gap = (log_weights(exact, 3) - log_p).abs().max()
print("exact q: the ELBO equals log p(x) to 1e-10, at every single draw:", bool(gap < 1e-10))
each = log_weights(wrong, 200).mean(dim=0)
missing = log_p.mean() - each.mean()
print(f"wrong q: the ELBO is below by {missing:.1f} nats, KL[q, p(z|x)] is {kl_to_exact(wrong).mean():.1f}")

# %%
ks = [1, 10, 100, 1000]
weights = log_weights(wrong, 1000)
bounds = [weights[:k].logsumexp(dim=0).mean().item() - math.log(k) for k in ks]
level = {"exact log p(x)": log_p.mean().item(), "exact ELBO": (log_p - kl_to_exact(wrong)).mean().item()}
lab.plot.curves(ks, {"bound with the wrong q": bounds}, "draws K", "nats an image", baselines=level, log="x")

# %% tags=["nbval-check-output"]
print("the bounds rise:", all(low < high for low, high in pairwise(bounds)))
print("with 1,000 draws the bound is within 0.01 nats of log p(x):", abs(bounds[-1] - level["exact log p(x)"]) < 0.01)

# %%
at_last = bounds[-1] - level["exact log p(x)"]
rises = "it rises to log p(x)" if at_last < 0.05 else "it rises above log p(x)"
lab.outcome("04-4-importance-weights", rises if bounds[-1] > bounds[0] + 0.1 else "it stays at the ELBO")

# %% [markdown]
# **What you should see.** With the exact posterior *every draw* gives log p(x), to ten digits: no noise at all. With a
# wrong $q$ the ELBO lies below, by the very KL that the derivation promised. And many draws make up for a poor $q$:
# $-\log \frac1K \sum \dots$ with 100 draws is what `lab.metrics.nll` reports, and what papers call NLL.
#
# **Try it.** Multiply `W` by a random rotation from the right, so that the code axes are no longer those of $S$. Can a
# *diagonal* $q$ still reach log p(x)?

# %% [markdown]
# ## 5 · Train one
#
# The whole thing now, on digits. Pixels are black or white, drawn anew from their grey value each time, and the decoder
# gives the probability of white: a Bernoulli likelihood, in honest [nats]({{glossary}}#nat). On slide 003 the two
# losses **compete**:
#
# $$J_{VAE} = J_{\text{reconstruction}} + \beta\, J_{KL}$$
#
# Three small VAEs with three prices β for a nat in the code. The ELBO is always taken at β = 1: β is how one trains,
# not how one is judged.

# %%
lab.predict(
    "β = 0.1 in place of 1. Which figures get better on test images?",
    options=["the reconstruction alone", "the reconstruction and the ELBO", "the KL alone", "the ELBO alone"],
    key="04-5-cheap-code",
)

# %%
rows = {}
for beta in (0.1, 1.0, 10.0):
    vae = lab.VAE(20, beta=beta, width=8, hidden=128)
    lab.fit(vae, small, steps=150, progress=False)
    kl, elbo = float(lab.metrics.kl_per_dimension(vae, data.test).sum()), lab.metrics.elbo(vae, data.test)
    rows[f"β = {beta:g}"] = {"reconstruction": -elbo.value - kl, "KL": kl, "−ELBO": -elbo.value, "±": elbo.error}
pd.DataFrame(rows).T.round(1)  # nats an image; lower is better

# %% tags=["nbval-check-output"]
cheap, fair, dear = rows.values()
print("reconstruction worsens with β:", cheap["reconstruction"] < fair["reconstruction"] < dear["reconstruction"])
print("KL improves with β:           ", cheap["KL"] > fair["KL"] > dear["KL"])
print("their sum is best at β = 1:   ", fair["−ELBO"] < min(cheap["−ELBO"], dear["−ELBO"]))

# %%
better = {name: cheap[name] < fair[name] for name in ("reconstruction", "KL", "−ELBO")}
names = {
    (True, False, False): "the reconstruction alone",
    (True, False, True): "the reconstruction and the ELBO",
    (False, True, False): "the KL alone",
}
lab.outcome("04-5-cheap-code", names.get(tuple(better.values()), "the ELBO alone"))

# %% [markdown]
# **What you should see.** The slide is **right**: what one term gains the other loses. A cheap code (β = 0.1) tells
# nearly three times as much, and reconstructs better; yet on images it has not seen it pays more for the code than it
# saves. The ELBO itself prefers β = 1, because at β = 1 both terms are in the same unit: one nat for one nat. Notebook
# 04b draws the whole curve.

# %% [markdown]
# ### A longer run
#
# Now the default network. Its β rises from 0 to 1 in the first fifth of the steps (*warm-up*), so that it first learns
# to use the code.

# %%
vae = lab.VAE(latent=20)
history = lab.fit(vae, data, steps=500, seed=0)
mean_image = data.train.images.mean(dim=0, keepdim=True).clamp(1e-3, 1 - 1e-3)
bits = black_and_white(data.test.images)
ignorant = -float(losses.bernoulli_log_density(bits, mean_image.logit().expand_as(bits)).flatten(1).sum(dim=1).mean())
val = history.val
lab.plot.curves(
    history.step,
    {"−ELBO": val["total"], "reconstruction": val["reconstruction"], "KL": val["kl"]},
    "training step",
    "nats per validation image",
    baselines={"mean image": ignorant},
)

# %%
elbo, nll = lab.metrics.elbo(vae, data.test), lab.metrics.nll(vae, data.test, samples=50)
told = float(lab.metrics.kl_per_dimension(vae, data.test).sum())
terms = {"−ELBO": lab.metrics.Estimate(-elbo.value, elbo.error), "of which KL": round(told, 1), "NLL, 50 draws": nll}
lab.plot.bars(terms, "nats per test image", baselines={"mean image": ignorant})

# %% tags=["nbval-check-output"]
print("−ELBO is less than 60 % of the mean image's:", -elbo.value < 0.6 * ignorant)
print("NLL is below −ELBO by 2 to 10 nats:         ", 2 < -elbo.value - nll.value < 10)

# %% [markdown]
# **What you should see.** The KL settles after the warm-up, while the reconstruction goes on improving: the same number
# of nats is spent ever better. The NLL, closer to the true $-\log p(x)$, lies some nats below $-$ELBO: about that much
# $q$ misses of the true posterior. Whenever you compare figures, ask which of the two they are.

# %% [markdown]
# ### What it draws
#
# Codes from $\mathcal N(0, I)$, nothing fitted afterwards. Slide 003 promises *a new image not in the training set*.
# Below each sample stands the training image nearest to it.

# %%
samples = vae.sample(500, torch.Generator().manual_seed(1))
distances, nearest = lab.metrics.nearest_training(samples, data.train)
lab.plot.image_rows(
    {"samples": samples[:14], "nearest in training": data.train.images[nearest[:14]]},
    alt="Fourteen samples, some of them digits, the others strokes that form none, above the nearest training "
    "images, which are sharper and differ in slant, thickness and shape.",
    scale=0.5,
)

# %%
real, others = data.test.images[:500], data.test.images[500:]
afterwards = lab.LatentMixture(vae, components=10).fit(small.train)
told_apart = {
    "VAE, codes from N(0, I)": lab.metrics.two_sample_accuracy(samples, real),
    "VAE, mixture of ten": lab.metrics.two_sample_accuracy(afterwards.sample(500), real),
    "reconstructions": lab.metrics.two_sample_accuracy(lab.metrics.in_batches(vae.reconstruct, others), real),
}
lab.plot.bars(told_apart, "accuracy of telling them from real digits", baselines={"cannot be told apart": 0.5})

# %% tags=["nbval-check-output"]
print("no sample equals a training image:", bool(distances.min() > 1))
apart = {name: accuracy.value for name, accuracy in told_apart.items()}
print(
    "N(0, I) is clearly behind the reconstructions:", apart["VAE, codes from N(0, I)"] > apart["reconstructions"] + 0.1
)
print("a mixture fitted afterwards helps by 0.05 or more:", apart["VAE, mixture of ten"] < max(apart.values()) - 0.05)

# %% [markdown]
# **What you should see.** A good third would pass for digits, and no image went in; the rest are strokes that are none.
# The same lottery gave section 1's plain autoencoder 0.87, so this is better, but far from the reconstructions. Why?
# Each code value alone has about the right mean and variance, yet all codes *together* do not quite fill $\mathcal N(0,
# I)$: there are holes in which no digit lives. A mixture fitted afterwards avoids them, and with it VAE and plain
# autoencoder are level, near 0.6. So slide 003's *sample points from the distribution and pass to the decoder* is
# **right, with a loss** that notebook 04b measures.

# %% [markdown]
# ### Exercise 3 · Are they copies?
#
# "No sample equals a training image" is cheap: one grey level is enough to differ. Design the experiment that could
# *convict* a model of copying. The quantity: the median distance to the nearest training image. But a distance says
# nothing alone. Which images, **certainly not copied**, do you measure beside the samples? And mind that decoded
# pictures are smoother than real ones, and smooth pictures are near to everything.


# %% tags=["exercise"]
def copying_experiment(model, data, nearest=lab.metrics.nearest_training):
    """Return {"samples": …, "control": …}: median distances, as floats, of at least 200 images each.

    Draw with `model.sample(n)`, reconstruct with `model.reconstruct(x)`, measure with `nearest(images, split)[0]`.
    """
    # solution-begin
    control = model.reconstruct(data.test.images)  # new images, through the same decoder
    samples = model.sample(len(control))
    return {name: nearest(x, data.train)[0].median().item() for name, x in (("samples", samples), ("control", control))}
    # solution-end


def verdict(distances):
    """distances: such a dictionary. Return "copies" if samples lie nearer than 0.8 times the control, else "new"."""
    # solution-begin
    return "copies" if distances["samples"] < 0.8 * distances["control"] else "new"
    # solution-end


# %% tags=["check"]
lab.checks.copying_experiment(copying_experiment, verdict)

# %% [markdown] tags=["help"]
# 1. The control must be images that the model has never seen, and they must be as smooth as the samples: let them go
#    through the same decoder.
# 2. `model.reconstruct(data.test.images)` is such a control. Draw as many samples as it has images, and take the
#    median of `nearest(…, data.train)[0]` for both. `verdict` compares the samples' distance with 0.8 times the
#    control's.
#
# **Why.** A distance says something only beside another one. Reconstructions of unseen images are smooth like samples
# and are no copies, so copies would have to lie clearly nearer than they do.

# %% [markdown]
# Then run it on `vae` in a cell of your own (`with torch.no_grad():`), and write one sentence: is slide 003's *not in
# the training set* right?

# %% [markdown]
# ## 6 · Loss units
#
# Slide 003 writes $\text{loss} = \lVert x - \hat x \rVert^2 + KL$. Code on the internet averages over pixels, sums over
# the batch, multiplies by 0.00025. Which model is being trained? Write out a Gaussian decoder with $D$ pixels:
#
# $$-\log \mathcal N(x;\, \hat x,\, \sigma^2 I)
#   = \frac{1}{2\sigma^2} \lVert x - \hat x \rVert^2 + \frac D2 \log 2\pi\sigma^2$$
#
# For fixed σ the second term is a constant. So a loss $a\, \lVert x - \hat x\rVert^2 + b\, KL$, divided by $b$, is
# $-\log p(x \mid z) + KL$ with
#
# $$\frac{1}{2\sigma^2} = \frac ab \qquad\Longleftrightarrow\qquad \sigma^2 = \frac{b}{2a}$$
#
# at β = 1, no more and no less: **a weight on the KL is a statement about the noise.** One may as well hold σ² at
# another value $s^2$ and read it as $\beta = \sigma^2 / s^2$. The slide's loss has $a = b = 1$: σ² = ½. Now the table.
#
# | what they write (per image) | $a$ | $b$ | σ at $D = 784$ |
# |---|---|---|---|
# | $\lVert x - \hat x\rVert^2 + KL$ (slide 003) | 1 | 1 | 0.71 |
# | the same, summed over a batch of $B$ | $B$ | $B$ | 0.71; only the step size changes |
# | mean over pixels $+\ KL$ | $1/D$ | 1 | 19.8 |
# | mean over pixels $+\ 0.00025\, KL$ (PyTorch-VAE) | $1/D$ | 0.00025 | 0.31 |
# | sum over pixels $+$ KL *averaged* over $d = 20$ dimensions | 1 | $1/d$ | 0.16 |
# | $\tfrac{D}{2}\log\text{mean}(x - \hat x)^2 + KL$ (optimal σ) | | | learned: $\sigma^2 = $ mean squared error |
#
# With *cross-entropy* there is no σ to move: summed over pixels it is a likelihood of black-or-white pixels at β = 1,
# averaged it is β = $D$. On grey targets it is no likelihood at all, and never falls below their
# [entropy]({{glossary}}#entropy-floor). The size of the images matters too: on its own 3 × 64 × 64 photographs
# PyTorch-VAE's 0.00025 stands for σ = 1.24.
#
# Trust, but verify: a loss *is* another one, up to a constant and a factor $b$, if all gradients agree up to that
# factor.

# %% tags=["nbval-check-output"]
x, D = data.train.images[:64], 784


def gradient(loss, model):
    """The gradient of loss() with respect to all of the model's weights, as one vector; always the same ε."""
    torch.manual_seed(0)
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss(), list(model.parameters()))])


wild = {"slide 003": (1, 1), "mean": (1 / D, 1), "mean, 0.00025": (1 / D, 0.00025), "KL mean": (1, 1 / 20)}
for name, (a, b) in wild.items():
    sigma = math.sqrt(b / (2 * a))
    vae = lab.VAE(20, likelihood="gaussian", sigma=sigma, width=8, hidden=128)

    def theirs(vae=vae, a=a, b=b):
        mu, log_var = vae.posterior(x)
        x_hat = vae.decode(mu + torch.exp(0.5 * log_var) * torch.randn_like(mu))
        return a * (x - x_hat).square().sum() / len(x) + b * losses.gaussian_kl(mu, log_var).sum() / len(x)

    one, other = gradient(theirs, vae), b * gradient(lambda vae=vae: vae.loss(x).total, vae)
    print(f"{name:13} is a VAE with σ = {sigma:5.2f}: {bool((one - other).norm() < 1e-3 * one.norm())}")

# %% [markdown]
# Now to what it means. A noise of σ = 0.71 on pixels between 0 and 1 says: *a digit looks like a digit under heavy
# snow*. Who believes in so much snow need not tell fine strokes apart. Or let the model find its own σ (`sigma=None`).

# %%
lab.predict(
    "Slide 003's loss, a code of 20 numbers. How many of them tell anything (KL above 0.1 nats)?",
    options=["all 20", "about half", "none: the code is ignored"],
    key="04-6-units-of-the-slide",
)

# %%
settings = {"slide 003": math.sqrt(0.5), "0.00025, mean": math.sqrt(0.00025 * D / 2), "σ learned": None}
rows, means, believed, real = {}, {}, {}, data.test.images[:500]
for name, sigma in settings.items():
    vae = lab.VAE(20, likelihood="gaussian", sigma=sigma, width=8, hidden=128)
    lab.fit(vae, data, steps=300, learning_rate=5e-3, progress=False)
    kl, sigma = lab.metrics.kl_per_dimension(vae, data.test), vae.log_sigma.exp().item()
    told = int((kl > 0.1).sum())
    samples = vae.sample(500, torch.Generator().manual_seed(0))
    figures = (
        lab.metrics.mse(vae, data.test),
        lab.metrics.elbo(vae, data.test),
        lab.metrics.two_sample_accuracy(samples, real),
    )
    rows[name] = {"σ": sigma, "KL": float(kl.sum()), "telling": told}
    rows[name] |= {key: x.value for key, x in zip(("mse", "ELBO", "samples told apart"), figures, strict=True)}
    means[name] = lab.metrics.in_batches(vae.reconstruct, data.test.images[:10])
    believed[name] = means[name] + sigma * noise(10, 1, 28, 28)  # a draw from p(x|z), not its mean
pd.DataFrame(rows).T.round({"σ": 2, "KL": 1, "mse": 4, "ELBO": 0, "samples told apart": 2})

# %%
shown = {"original": data.test.images[:10]}
for name in settings:
    shown |= {f"{name}: x̂": means[name], f"{name}: drawn": believed[name]}
lab.plot.image_rows(
    shown,
    alt="Ten digits, and for each of three losses their reconstructions and draws from p(x|z). Slide 003's "
    "reconstructions are blurred and its draws are snow in which a digit can hardly be seen; with σ learned "
    "reconstructions are sharper and draws are grainy digits.",
    scale=0.5,
)

# %% tags=["nbval-check-output"]
slide, learned = rows["slide 003"], rows["σ learned"]
print("the slide's loss silences at least 4 of 20 numbers:", slide["telling"] <= 16)
print("with σ learned none is silent:", learned["telling"] == 20)
print("its error is at least 1.5 times that with σ learned:", slide["mse"] > 1.5 * learned["mse"])
print("it stands for a β of more than 10, seen from the learned σ:", 0.5 / learned["σ"] ** 2 > 10)

# %%
told = slide["telling"]
lab.outcome(
    "04-6-units-of-the-slide",
    "none: the code is ignored" if told < 3 else "all 20" if told > 17 else "about half",
)

# %% [markdown]
# **What you should see.** Slide 003's loss does not switch the code off, but a good third of the 20 numbers tell
# nothing to speak of, strokes are soft, and an image *drawn* from this model is snow. Told to find σ itself, the same
# network settles near 0.14; seen from there the slide's loss is one with β = 0.5/0.14², about 25. As descriptions of
# digits the three are hundreds of nats apart.
#
# There is another side, in the last column: with so few nats in the code the slide's random codes are *easier to hit*,
# and its samples, soft as they are, are harder to tell from digits. To regularise that hard is a choice one may make.
# But then make it by name, with β; do not let it slip in with the unit of the pixels. The slide's formula is **right
# only for one noise level**, σ² = ½, far from what digits in [0, 1] suggest. On pixels from 0 to 255 the *same formula*
# would mean a σ of 0.003 of their range.
#
# **Try it.** Train on `data.map(lambda x: 4 * x)` with `output="linear"` and σ = √½. How many dimensions tell something
# now?

# %% [markdown]
# ## Take-aways
#
# - A plain autoencoder does not generate from codes it has never met. A density fitted to its codes afterwards mends
#   much of that; a VAE says beforehand where codes shall lie.
# - Each image keeps a narrow Gaussian of its own; it is the crowd of all images that comes near $\mathcal N(0, I)$.
# - $z = \mu + \sigma\varepsilon$ lets gradients through a random draw, with thousands of times less variance than the
#   score function.
# - log p(x) = ELBO + KL[q, p(z|x)]. Checked where everything is known, to ten digits.
# - Never compare losses before you know their σ and β: $a\lVert x - \hat x\rVert^2 + b\,KL$ means $\sigma^2 = b/2a$.

# %% [markdown]
# ## Quiz

# %%
lab.quiz(
    "04",
    [
        {
            "ask": "After training, the KL of one code dimension is 0 for every image. What does it tell the decoder?",
            "right": (
                "nothing: it is noise, the same for all images",
                "μ = 0 and σ = 1 whatever the image; the decoder learns to ignore it.",
            ),
            "wrong": {
                "as much as any other: KL 0 is the aim": "KL 0 is the price of telling nothing.",
                "the mean of all images": "The mean image is in the decoder's weights; this dimension only adds noise.",
            },
        },
        {
            "ask": "Why does one write $z = \\mu + \\sigma\\varepsilon$ instead of just drawing $z$ from $q$?",
            "right": (
                "the distribution is the same, but now μ and σ have gradients",
                "The randomness moves into ε, which no weight touches; the rest is arithmetic.",
            ),
            "wrong": {
                "the draws become more accurate": "They have exactly the same distribution.",
                "otherwise the gradient would be biased": "The score function has no bias either, only large variance.",
            },
        },
        {
            "ask": "A paper reports reconstruction error and KL, both computed at z = μ. What is wrong?",
            "right": (
                "the reconstruction term looks better than it is",
                "The KL pays for a noisy code; at μ the decoder gets an exact one. The sum is no bound.",
            ),
            "wrong": {
                "nothing: at test time μ is the code": "True for codes. The ELBO is an average over draws from $q$.",
                "the KL is too small": "The KL has no z in it: it is the same closed form.",
            },
        },
        {
            "ask": "The ELBO of one model is −100, its NLL by 1,000 draws 94. What are the 6 nats?",
            "right": (
                "about KL[q(z|x), p(z|x)]: how far q misses the true posterior",
                "log p(x) = ELBO + that KL, and many draws come near log p(x).",
            ),
            "wrong": {
                "overfitting": "Both figures are of the same images.",
                "KL[q(z|x), p(z)]": "That one is a part of the ELBO, and usually far larger.",
            },
        },
        {
            "ask": "You change a loss from the sum over 784 pixels to their mean and keep + KL. What happens?",
            "right": (
                "β becomes 784 times as large: the code is given up",
                "σ² = 784/2: under so much noise nothing about an image is worth a nat.",
            ),
            "wrong": {
                "nothing, only the learning rate has to grow": "So it would be if *both* terms were divided.",
                "reconstructions get better": "Their term now weighs 784 times less.",
            },
        },
    ],
)

# %% [markdown]
# ## Deeper · How many dimensions does a noise level allow?
#
# Why did the slide's σ silence some dimensions and not others? For a *linear* decoder the answer is known (Tipping and
# Bishop, 1999; Lucas et al., 2019). Let $\lambda_j$ be the variance of the images along principal direction $j$. The
# best decoder uses the directions with $\lambda_j > \sigma^2$ and no others, and on average spends on each of them
#
# $$KL_j = \tfrac12 \log \frac{\lambda_j}{\sigma^2} \ \text{nats}$$
#
# What varies less than the noise is not worth telling.

# %%
lab.predict(
    "A linear VAE on digits (784 pixels), σ² = ½ as on slide 003. How many directions does it use?",
    options=["fewer than 5", "5 to 50", "51 to 200", "more than 200"],
    key="04-d-directions",
)

# %%
variances = torch.linalg.eigvalsh(torch.cov(data.train.images.flatten(1).double().T)).clamp(min=0)
sigmas = [0.05, 0.14, 0.31, 0.71, 1.5, 2.5]
used = [int((variances > sigma**2).sum()) for sigma in sigmas]
nats = [float(0.5 * (variances / sigma**2).clamp(min=1).log().sum()) for sigma in sigmas]
above_zero = {"directions used": used[:-1], "KL in nats": nats[:-1]}  # at σ = 2.5 both are 0
lab.plot.curves(sigmas[:-1], above_zero, "σ of the decoder", "number", log="xy")

# %% tags=["nbval-check-output"]
for sigma, count, told in zip(sigmas, used, nats, strict=True):
    print(f"σ = {sigma:4}: {count:3} directions, {told:5.1f} nats")

# %%
count = used[sigmas.index(0.71)]
levels = {5: "fewer than 5", 51: "5 to 50", 201: "51 to 200", math.inf: "more than 200"}
lab.outcome("04-d-directions", next(option for limit, option in levels.items() if count < limit))

# %% [markdown]
# **What you should see.** At the slide's σ a linear model uses 22 of 784 directions and spends about 10 nats, which is
# what the network of section 6 spent too; it packs them into fewer dimensions because it may bend. At a σ of 2.5 there
# is nothing left: that is posterior collapse, and here it is no accident of training but the *best* answer under so
# much noise.

# %% [markdown]
# ## Deeper · The code at test time
#
# Slide 002: *random sampling happens only during training; during testing, the mean (μ) is used.* Section 2 says what
# that is good for (codes and reconstructions) and what not (the loss). Two mistakes are common: sampling at test time
# as well, so that the same image gets another code each time it is shown, and drawing ε once, outside the loop.

# %% [markdown]
# ### Exercise 4 · Drawn, or not
#
# Write the code of a VAE for both cases. The check draws a few thousand times and looks at mean, spread and
# correlations.


# %% tags=["exercise"]
def code(mu, log_var, training):
    """mu, log_var: (B, d). Return z: (B, d): a fresh draw from N(μ, σ²) if training is True, else μ."""
    # solution-begin
    if training:
        return mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
    return mu
    # solution-end


# %% tags=["check"]
lab.checks.code(code)

# %% [markdown] tags=["help"]
# 1. The two cases differ in one thing: whether noise is added to μ. While training, the draw is that of Exercise 2,
#    but here you make the noise yourself.
# 2. `torch.randn_like(mu)` is fresh noise of the right shape. An `if training:` decides whether you use it.
#
# **Why.** While training, the decoder must learn to live with every z that the encoder thinks possible. Afterwards
# one answer is wanted, and the best single one is the mean.

# %% [markdown]
# ## From slide to cell
#
# | slide | it says | here | verdict |
# |---|---|---|---|
# | 002 *… Variational Autoencoders* | only real images give good codes (C22) | section 1 | right under a condition: no density is fitted |
# | 002 | the encoder gives σ and μ, two values | section 2 | right: two vectors |
# | 002 | as close to the unit Gaussian as possible | section 2 | half: true of all images together, not of each |
# | 002 | sampling in training, μ at test (C23) | sections 2, 3 | right under a condition: for codes, not for the loss |
# | 003 *Variational autoencoder* | J = reconstruction + β KL, they compete (C27) | sections 4, 5 | right under a condition: not at the lowest β |
# | 003 | samples are not in the training set (C54) | section 5, Exercise 3 | right |
# | 003 | loss = ‖x − x̂‖² + KL (C53) | section 6 | right under a condition: σ² = ½, far from the digits' own |
#
# What the slides say of the latent *space* is the matter of notebook 04b.

# %% [markdown]
# ## Further reading
#
# - D. Kingma, M. Welling (2014), *Auto-encoding variational Bayes*, arXiv 1312.6114: the source, ten pages.
# - C. Doersch (2016), *Tutorial on variational autoencoders*, arXiv 1606.05908.
# - Y. Burda, R. Grosse, R. Salakhutdinov (2016), *Importance weighted autoencoders*, arXiv 1509.00519.
# - O. Rybkin, K. Daniilidis, S. Levine (2021), *Simple and effective VAE training with calibrated decoders*, arXiv
#   2006.13202: learn σ.
# - P. Ghosh and others (2020), *From variational to deterministic autoencoders*, arXiv 1903.12436: densities fitted
#   afterwards.
# - J. Lucas and others (2019), *Don't blame the ELBO!*, arXiv 1911.02469: what σ does in the linear case.
