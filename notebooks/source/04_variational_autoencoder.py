# %% [markdown]
# # 04 · The variational autoencoder
#
# *Why an autoencoder does not generate; μ and σ; a VAE of your own; the ELBO, derived and checked against the exact
# likelihood; the units of a loss*
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
# - write a VAE in plain PyTorch, draw from it and look at its code (section 5, Exercise 3);
# - find out whether generated images are copies of training images (section 5, Exercise 4);
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

# %% tags=["setup", "folded"]


def noise(*shape, seed=0):
    """ε ~ N(0, I), the same each time it is asked for."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def black_and_white(images):
    """One fixed draw of black or white pixels from grey values, for comparisons on equal images."""
    return torch.bernoulli(images, generator=torch.Generator().manual_seed(0))


def mixtures_on(model, sizes=(1, 5, 10, 20, 40)):
    """{number of Gaussians: a mixture fitted to the model's training codes}, and how likely they find new codes.

    The second: {number: mean log density of the validation codes, in nats}. Choose by it, never on test images.
    """
    fitted = {k: lab.LatentMixture(model, components=k).fit(data.train) for k in sizes}
    held_out = lab.metrics.encode(model, data.val)
    return fitted, {k: float(one.log_density(held_out).mean()) for k, one in fitted.items()}


# %% [markdown]
# ## 1 · Why an autoencoder does not generate
#
# A decoder turns 20 numbers into a picture. So throw in 20 random numbers, and out comes a new digit? The usual answer
# is no: only an encoder that has seen a picture gives a code worth decoding (slide 002). Let us try three ways of
# finding codes, from ignorant to well-informed:
#
# | codes from | what it knows about real codes |
# |---|---|
# | $\mathcal N(0, I)$ | nothing |
# | $\mathcal N(m, C)$ | the mean, the spread, and how the code values vary together |
# | a mixture of Gaussians, `lab.LatentMixture` | and roughly in which regions the codes lie |
#
# How many Gaussians? We do not guess. We fit 1, 5, 10, 20 and 40 to the training codes, and take the number that finds
# the codes of *validation* images likeliest.

# %%
ae = lab.ConvAutoencoder(20, width=8, hidden=128)
lab.fit(ae, data, steps=300, batch_size=64, progress=False)
fitted, likely = mixtures_on(ae)
best = max(likely, key=likely.get)
ylabel = "log density of a validation code, in nats"
lab.plot.curves(list(likely), {"mixture": list(likely.values())}, "number of Gaussians", ylabel, log="x")

# %% [markdown]
# The choice is {{best}} Gaussians. Now draw 500 codes of each kind and decode them. In the last two rows stand
# *reconstructions* of real digits, the best that this decoder can do, and real digits.

# %%
codes, real, others = lab.metrics.encode(ae, data.train), data.test.images[:500], data.test.images[500:]
spread = torch.linalg.cholesky(torch.cov(codes.T))
found = {
    "N(0, I)": noise(500, 20),
    "N(m, C)": codes.mean(dim=0) + noise(500, 20) @ spread.T,
    "mixture": fitted[best].sample_codes(500, torch.Generator().manual_seed(0)),
}
drawn = {name: lab.metrics.in_batches(ae.decode, z) for name, z in found.items()}
drawn |= {"reconstructions": lab.metrics.in_batches(ae.reconstruct, others), "real digits": others}
lab.plot.image_rows(
    {name: images[:12] for name, images in drawn.items()},
    alt="Twelve pictures decoded from each kind of code. From N(0, I) and N(m, C) they are mostly strokes that form no "
    "digit; from the mixture many are digits; reconstructions of real digits look right, and softer than real digits.",
    scale=0.5,
)

# %% [markdown]
# Looking is not enough; we also measure, with **two rulers**. Both put 500 drawn and 500 real images on one pile and ask
# which kind an image is. At ½ the two kinds cannot be told apart, at 1 they have nothing in common.
#
# - **Neighbours**: an image's nearest neighbour, pixel by pixel, makes the guess. This is the plain
#   [two-sample test]({{glossary}}#two-sample-test). It weighs all pixels alike, so it hardly sees that a picture is soft.
# - **A trained critic**: a small network learns to tell the two kinds apart, on half of the images, and is asked about
#   the other half. It sees blur at once.
#
# The critic needs a fair question, for everything that this decoder draws is soft. So the third column asks it something
# else: can it tell decoded random codes from decoded *real* codes? Both came through the same decoder.

# %%
lab.predict(
    "The critic against real digits: which of the four kinds does it tell apart in more than nine cases of ten?",
    options=[
        "codes from N(0, I) only",
        "codes from N(0, I) and from N(m, C)",
        "all random codes, but not the reconstructions",
        "all four: even reconstructions of real digits",
    ],
    key="04-1-critic",
)

# %%
decoded = lab.metrics.in_batches(ae.reconstruct, real)
rulers = {}
for name, images in drawn.items():
    rulers[name] = {
        "neighbours: from digits": lab.metrics.two_sample_accuracy(images, real),
        "critic: from digits": lab.metrics.critic_accuracy(images, real, steps=150),
        "critic: from reconstructions": lab.metrics.critic_accuracy(images, decoded, steps=150),
    }
pd.DataFrame(rulers).transpose()

# %% tags=["nbval-check-output"]
near, critic, fair = ({name: row[column] for name, row in rulers.items()} for column in rulers["N(0, I)"])
lab.holds(
    ("neighbours tell N(0, I) from digits", near["N(0, I)"], ">", 0.75),
    ("neighbours hardly tell reconstructions from digits", near["reconstructions"], "<", 0.65),
    ("neighbours tell the mixture less often than N(m, C)", near["mixture"].value, "<", near["N(m, C)"].value),
    ("the critic tells even reconstructions from digits", critic["reconstructions"], ">", 0.9),
    ("the same decoder: the critic tells N(0, I) from real codes", fair["N(0, I)"], ">", 0.75),
    ("and the mixture less often than N(m, C)", fair["mixture"].value, "<", fair["N(m, C)"].value),
)

# %%
told = sum(critic[name].value > 0.9 for name in drawn if name != "real digits")
lab.outcome(
    "04-1-critic",
    told,
    below={
        "codes from N(0, I) only": 1.5,
        "codes from N(0, I) and from N(m, C)": 2.5,
        "all random codes, but not the reconstructions": 3.5,
    },
    otherwise="all four: even reconstructions of real digits",
)

# %% [markdown]
# **What you should see.** Two real sets of digits stand at {{near["real digits"].value:.2f}} and
# {{critic["real digits"].value:.2f}}: that is the floor of the two rulers. To pixel neighbours the mixture's pictures,
# at {{near["mixture"].value:.2f}}, are almost digits, and reconstructions, at {{near["reconstructions"].value:.2f}},
# still nearer. The critic is not fooled for a moment: it tells *reconstructions* from digits in
# {{critic["reconstructions"].value:.1%}}, because they are soft. So **nothing that this decoder draws passes for real**,
# whatever the code. One ruler alone would have told you the opposite.
#
# What the code can be blamed for stands in the third column. Codes from $\mathcal N(0, I)$ give strokes without a
# digit, and the critic sees it ({{fair["N(0, I)"].value:.2f}}). Mean and covariance help
# ({{fair["N(m, C)"].value:.2f}}), the mixture helps more ({{fair["mixture"].value:.2f}}); the floor of this question is
# {{fair["reconstructions"].value:.2f}}. Real codes do not fill one ellipsoid: it holds regions where no digit lives.
#
# So *only real images give good codes* is **right under a condition** (slide 002). Nothing in the loss tells an
# autoencoder *where* to put its codes, so one has to find out afterwards. But with a density fitted to the codes a
# plain autoencoder does generate, no image needed (Ghosh et al., 2020). A VAE turns the order round: **first say where
# codes shall lie, then train.**
#
# **Try it.** Compare the mixture of one Gaussian, `fitted[1]`, with $\mathcal N(m, C)$. Should they differ?

# %% [markdown]
# ## 2 · An encoder that gives a distribution
#
# The encoder of a VAE gives two things, μ and σ (slide 002). To be exact, these are two *vectors*. For a code of $d$
# numbers the encoder gives $2d$: one mean and one log-variance for each code value. Together they are a Gaussian,
#
# $$q(z \mid x) = \mathcal N\big(\mu(x),\ \operatorname{diag} \sigma^2(x)\big)$$
#
# It is called the *approximate* [posterior]({{glossary}}#posterior): it says which codes the encoder thinks possible
# for this picture. (Why approximate? In section 4 you meet the true one.) The network gives $\log \sigma^2$ because that
# may be any number, where σ must be positive.
#
# ### What a nat is
#
# How much does a code tell about its picture? Information has a unit. To be told how a fair coin fell is worth one *bit*.
# Mathematicians like the natural logarithm, and then the same message is worth $\log 2 \approx 0.69$
# [nats]({{glossary}}#nat): 1 nat is $1 / \log 2 \approx 1.44$ bits. To be told one of ten equally likely digits is worth
# $\log 10 \approx 2.3$ nats. From here on, every loss in this notebook is in nats.
#
# ### The price of a code
#
# How far is one of these Gaussians from the *unit Gaussian* $\mathcal N(0, I)$? The
# [KL divergence]({{glossary}}#kl-divergence) measures it, in nats. For two Gaussians it has a closed form:
#
# $$KL\big[\mathcal N(\mu, \sigma^2),\, \mathcal N(0, I)\big]
#   = \tfrac12 \sum_{j=1}^{d} \big(\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2\big)$$
#
# Read it as a price. A code value with μ = 0 and σ = 1 costs nothing, and tells nothing. A narrow one, with a small σ,
# says precisely where it is, and costs nats.

# %%
lab.show_source(lab.VAE.posterior, lab.VAE.encode, docstrings=False)

# %% [markdown]
# ### Exercise 1 · The divergence
#
# Write the formula in code. Mind what the encoder gives you: *log-variances*.


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
# ### In the plane
#
# Pictures have too many dimensions to look at. So take points on a bent curve, as in notebook 01, and give a VAE two
# code values for them. One is enough to say where on the curve a point lies. What will it do with the second?

# %%
curve = lab.bent_curve()
planar = lab.VAE(2, curve.shape, likelihood="gaussian", sigma=0.1, output="linear", width=4, hidden=64)
lab.fit(planar, curve, steps=400, learning_rate=5e-3, progress=False)
lab.plot.posteriors(planar, curve.test)

# %%
lab.plot.plane(curve.test, planar, colour="position")

# %% [markdown]
# **What you should see.** Every point of the curve has become an ellipse: μ in the middle, 1 σ to each side. Along one
# axis the ellipses are narrow and stand in a row, in the order of the curve. Along the other they are as wide as the
# dashed circle, all the same: σ near 1, μ near 0. That code value costs nothing and says nothing; the VAE does not use
# it. The grey dots are one draw from each ellipse. *Together* they fill the dashed circles: the crowd looks like
# $\mathcal N(0, I)$, though no single ellipse does. Below, the points drawn back from μ lie on the curve.
#
# ### Does every image become a unit Gaussian?
#
# *Try to get σ and μ to be as close to the unit Gaussian as possible* (slide 002). Suppose that succeeded. Every image
# gets μ = 0 and σ = 1, the KL is 0, and every image has *the same* code distribution: nothing is left to tell a 3 from
# an 8. So what does the unit Gaussian describe, if not a single image? Train a small VAE on digits and look at its
# dimensions one by one.

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
shown = {
    "variance of μ from image to image": of_mu[order].tolist(),
    "mean σ² of one image": of_one_image[order].tolist(),
    "the two together": (of_mu + of_one_image)[order].tolist(),
}
xlabel = "code dimension, most informative first"
lab.plot.curves(range(1, 21), shown, xlabel, "variance", baselines={"unit Gaussian": 1.0})

# %% tags=["nbval-check-output"]
typical, together = of_one_image[order[:5]].mean(), (of_mu + of_one_image).mean()
lab.holds(
    ("the two variances together, how far from 1", abs(together - 1), "<", 0.15),
    ("σ² of one image, the five most informative dimensions", of_one_image[order[:5]].max(), "<", 0.2),
)

# %%
levels = {"well below 1": 0.5, "close to 1, as the KL asks": 2.0}
lab.outcome("04-2-sigma-of-one-image", float(typical), below=levels, otherwise="well above 1")

# %% [markdown]
# **What you should see.** A single image keeps a *narrow* Gaussian, with a σ² of about {{float(typical):.2f}} where it
# tells most: enough to be found again. What approaches the unit Gaussian is **all images together**: the variance from
# image to image and that of one image add up to {{float(together):.2f}} on average. Towards the right a dimension tells
# less, and its σ² climbs. So *as close as possible* is **only half of it**: the KL pulls each image there, the
# reconstruction pulls back, and the crowd as a whole ends up near $\mathcal N(0, I)$. That is why one may later draw
# codes from it.

# %% [markdown]
# ### Sampling in training, μ at test
#
# *Random sampling happens only during training; during testing, the mean (μ) is used* (slide 002). For codes and
# reconstructions that is so. For the *loss* it must not be. The diagram shows where the draw stands.

# %%
lab.diagram.vae(black_and_white(data.test.images[:1]), vae)

# %% tags=["nbval-check-output"]
x = black_and_white(data.test.images)
with torch.no_grad():
    again = vae.reconstruct(x), vae.reconstruct(x)
    two_losses = vae.loss(x).total, vae.loss(x).total
    at_mean = -vae.log_likelihood(x, mu).mean()
    at_draw = -vae.log_likelihood(x, mu + torch.exp(0.5 * log_var) * noise(*mu.shape)).mean()
lab.holds(
    ("two reconstructions of one image agree", torch.equal(*again)),
    ("two losses of one batch differ", not torch.equal(*two_losses)),
    ("reconstruction term, at a draw less at μ, in nats", at_draw - at_mean, ">", 4),
)

# %% [markdown]
# **What you should see.** The reconstruction term is an *average over draws from* $q(z \mid x)$. Taken at μ it looks
# {{float(at_draw - at_mean):.1f}} nats better, for a code more exact than the KL has paid for. Reported that way,
# results cannot be compared. The rule is **right for codes, wrong for the loss**: `lab.metrics.elbo` always draws.

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
# The left one needs only the *values* of $f$. It says: go where good draws came from. The right one is the
# [reparameterisation]({{glossary}}#reparameterisation): move the dice out of the way. ε is drawn without asking the
# network, μ and σ enter by plain arithmetic, and backpropagation asks $f$ for its *slope*. Both are right on average.
# An example with a known answer: for $f(z) = z^2$ the mean is $\mathbb E f = \mu^2 + \sigma^2$ and the gradient $2\mu$. With
# μ = 1.5 that is 3. (The *score* here is a slope by the parameter μ. Notebook 03's was one by x.)

# %%
lab.predict(
    "A single draw of each kind: whose estimate of this gradient scatters more, and by how much (its variance)?",
    options=[
        "the reparameterised one's",
        "the score function's, less than ten times as much",
        "the score function's, more than ten times as much",
    ],
    key="04-3-scatter",
)

# %% tags=["nbval-check-output"]
mu, sigma = 1.5, 0.5
z = mu + sigma * noise(100_000).double()
estimates = {"score function": z.square() * (z - mu) / sigma**2, "reparameterised": 2 * z}
off = {name: abs(each.mean() - 2 * mu) / (each.std() / math.sqrt(len(z))) for name, each in estimates.items()}
ratio = float(estimates["score function"].var() / estimates["reparameterised"].var())
lab.holds(
    ("score function: standard errors away from 2μ", off["score function"], "<", 4),
    ("reparameterised: standard errors away from 2μ", off["reparameterised"], "<", 4),
    ("variance of a single draw, one over the other", ratio, ">", 20),
)

# %%
levels = {"the reparameterised one's": 1.0, "the score function's, less than ten times as much": 10.0}
lab.outcome("04-3-scatter", ratio, below=levels, otherwise="the score function's, more than ten times as much")

# %% [markdown]
# **What you should see.** Both estimators are right on average. But a single draw of the score function has
# {{ratio:.0f}} times the variance, even in one dimension. *Deeper · Two gradients on digits* repeats this with a trained
# decoder and 20 dimensions, and gives the score function its usual remedy, a baseline. VAEs are trained with a single
# draw an image. The score function is for where $f$ has no slope: discrete codes, or a black box.

# %% [markdown]
# ### Exercise 2 · Find the bug
#
# A colleague wrote the draw below. Training runs without complaint, and the record is even *better* than ours: the loss
# falls lower in the same number of steps. But look at their σ.


# %%
def draw_of_a_colleague(mu, log_var, eps):
    return mu + log_var * eps


# %% tags=["folded"]
class Colleague(lab.VAE):
    """A VAE that draws z this way."""

    def loss(self, x, target=None):
        observed = self.observe(x)
        mu, log_var = self.posterior(observed)
        z = draw_of_a_colleague(mu, log_var, torch.randn_like(mu))
        parts = {"reconstruction": -self.log_likelihood(observed, z).mean()}
        parts["kl"] = losses.gaussian_kl(mu, log_var).sum(dim=1).mean()
        return lab.Loss(parts["reconstruction"] + self.beta * parts["kl"], parts)


# %%
pair = {"ours": lab.VAE(20, width=8, hidden=128), "the colleague's": Colleague(20, width=8, hidden=128)}
for name, model in pair.items():
    history = lab.fit(model, small, steps=120, progress=False)
    with torch.no_grad():
        sigma = (0.5 * model.posterior(black_and_white(data.test.images))[1]).exp()
    print(f"{name:16} loss {history.val['total'][-1]:4.0f}   σ between {sigma.min():.2f} and {sigma.max():.2f}")

# %% [markdown]
# How much noise reaches $z$ when the encoder says $\sigma = 1$? What does the KL then cost? Write it correctly.


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
# $p(x) = p(x \mid z)\, p(z) / p(z \mid x)$. Here $p(z \mid x)$ is the **true posterior**: which codes explain this
# picture, by the decoder's own account. The encoder's $q(z \mid x)$ only approximates it, hence its name. Take
# logarithms, and add and subtract $\log q(z \mid x)$:
#
# $$\log p(x) = \log \frac{p(x \mid z)\, p(z)}{q(z \mid x)} + \log \frac{q(z \mid x)}{p(z \mid x)}$$
#
# The left side does not depend on $z$. Average both sides over $z \sim q(z \mid x)$, for any $q$ you like:
#
# $$\log p(x) = \underbrace{\mathbb E_q \big[\log p(x \mid z)\big] - KL\big[q(z \mid x),\, p(z)\big]}_{\text{ELBO}}
# \;+\; \underbrace{KL\big[q(z \mid x),\, p(z \mid x)\big]}_{\ge\, 0}$$
#
# The first part is the [ELBO]({{glossary}}#elbo), the *evidence lower bound*. Its negative is *reconstruction + KL*,
# if the reconstruction term is $-\log p(x \mid z)$ (slide 003; section 6 says when it is). It is never above $\log p(x)$, and what is missing is exactly how far $q$ is from the true posterior.
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

# %%
evidence = MultivariateNormal(b, W @ W.T + torch.eye(6).double())  # p(x), with σ = 1
x = evidence.sample((1000,))
log_p = evidence.log_prob(x)
S = torch.linalg.inv(torch.eye(2).double() + W.T @ W)
exact = (x - b) @ W @ S, S.diagonal().log().expand(1000, 2)  # mean and log-variance of the true posterior
wrong = 0.7 * exact[0], exact[1] + math.log(4)  # pulled towards 0, and σ twice as large


# %% tags=["folded"]
def terms(q, k):
    """Of k draws from q for each image: log p(x|z), and log q(z|x) − log p(z), (k, 1000) each."""
    mu, log_var = q
    likelihood, price = [], []
    for eps in noise(k, *mu.shape).double():
        z = mu + torch.exp(0.5 * log_var) * eps
        likelihood.append(vae.log_likelihood(x.view(-1, 1, 2, 3), z))
        price.append(losses.gaussian_log_density(z, mu, log_var).sum(dim=1) - vae.log_prior(z))
    return torch.stack(likelihood).detach(), torch.stack(price).detach()


def log_weights(q, k):
    """log p(x|z) p(z) / q(z|x) at k draws from q for each image: (k, 1000). Its mean is the ELBO."""
    likelihood, price = terms(q, k)
    return likelihood - price


def kl_to_exact(q):
    """KL[q(z|x), p(z|x)] for each image, by torch.distributions."""
    a, b = (torch.distributions.Normal(mu, torch.exp(0.5 * log_var)) for mu, log_var in (q, exact))
    return torch.distributions.kl_divergence(a, b).sum(dim=1)


# %% [markdown]
# First the gap. The −ELBO of a wrong $q$ can be cut in two ways: into what it consists of, reconstruction and KL; or
# into what nobody can avoid, $-\log p(x)$, and what the wrong $q$ costs.

# %%
likelihood, price = (values.mean().item() for values in terms(wrong, 200))
lab.plot.stacked(
    {
        "−ELBO, as it is computed": {"reconstruction": -likelihood, "KL[q, p(z)]": price},
        "the same bar": {"−log p(x)": -log_p.mean(), "the gap: KL[q, p(z|x)]": kl_to_exact(wrong).mean()},
    },
    "nats an image",
)

# %% tags=["nbval-check-output"]
off = (log_weights(exact, 3) - log_p).abs().max()
gap = log_p.mean() - (likelihood - price)
lab.holds(
    ("exact q: the ELBO misses log p(x), at every single draw, by at most", off, "<", 1e-10),
    ("wrong q: the gap less KL[q, p(z|x)], in nats", abs(gap - kl_to_exact(wrong).mean()), "<", 0.05),
)

# %% [markdown]
# With the exact $q$ there is no gap, and no noise either: *every draw* gives log p(x), to ten digits. With the wrong one
# the ELBO lies {{float(gap):.1f}} nats below, and the KL that the derivation promised is
# {{float(kl_to_exact(wrong).mean()):.1f}}.
#
# The ELBO needs one draw an image. A better bound averages several *inside* the logarithm, the importance-weighted
# bound (Burda et al., 2016), $\log \frac1K \sum_k p(x \mid z_k)\, p(z_k) / q(z_k \mid x)$.

# %%
lab.predict(
    "q is wrong on purpose. What does the bound do as K grows from 1 to 1,000?",
    options=["it stays at the ELBO", "it rises to log p(x)", "it rises above log p(x)", "it falls"],
    key="04-4-importance-weights",
)

# %%
ks = [1, 10, 100, 1000]
weights = log_weights(wrong, 1000)
bounds = [weights[:k].logsumexp(dim=0).mean().item() - math.log(k) for k in ks]
level = {"exact log p(x)": log_p.mean().item(), "exact ELBO": (log_p - kl_to_exact(wrong)).mean().item()}
lab.plot.curves(ks, {"bound with the wrong q": bounds}, "draws K", "nats an image", baselines=level, log="x")

# %% tags=["nbval-check-output"]
at_last = bounds[-1] - level["exact log p(x)"]
lab.holds(
    ("the bound rises from each K to the next", all(low < high for low, high in pairwise(bounds))),
    ("with 1,000 draws: nats away from log p(x)", abs(at_last), "<", 0.01),
)

# %%
came = "it rises to log p(x)" if at_last < 0.05 else "it rises above log p(x)"
lab.outcome("04-4-importance-weights", came if bounds[-1] > bounds[0] + 0.1 else "it stays at the ELBO")

# %% [markdown]
# **What you should see.** Many draws make up for a poor $q$. The bound climbs from the ELBO to log p(x), and no
# higher. The first point, {{bounds[0]:.2f}}, is not exactly on the line of the ELBO at {{level["exact ELBO"]:.2f}}:
# K = 1 *is* the ELBO, but estimated from one draw an image, so chance moves it a little. $-\log \frac1K \sum \dots$
# with 100 draws is what `lab.metrics.nll` reports, and what papers call NLL.
#
# **Try it.** Multiply `W` by a random rotation from the right, so that the code axes are no longer those of $S$. Can a
# *diagonal* $q$ still reach log p(x)?

# %% [markdown]
# ## 5 · Train one
#
# First your own, in plain PyTorch: no class of the course in it. You have all the parts by now: the KL, the draw, and a
# loss in two parts that **compete** (slide 003),
#
# $$J_{VAE} = J_{\text{reconstruction}} + \beta\, J_{KL}, \qquad J_{\text{reconstruction}} = \lVert x - \hat x \rVert^2,$$
#
# with β = 1.

# %% [markdown]
# ### Exercise 3 · A VAE of your own
#
# Encoder, decoder and the call are there. Write `draw` and `loss`. The check looks at many draws and at what the loss
# comes to, not at how you write it. If your encoder is to give σ in another way, say by a softplus, let `posterior`
# return log σ² of it all the same: that is what the figures read.


# %% tags=["exercise"]
class MyVAE(nn.Module):
    """A VAE for digits: a code of two numbers."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 4))
        self.decoder = nn.Sequential(
            nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))
        )

    def posterior(self, x):
        """μ and log σ² of q(z|x), (B, 2) each."""
        return self.encoder(x).chunk(2, dim=1)

    def draw(self, mu, log_var):
        """A code z for each image, (B, 2), drawn from N(μ, σ²); gradients reach mu and log_var."""
        # solution-begin
        return mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        # solution-end

    def loss(self, x):
        """‖x − x̂‖² + KL, each summed over the pixels or code values of an image, averaged over the images: one number."""
        # solution-begin
        mu, log_var = self.posterior(x)
        x_hat = self.decode(self.draw(mu, log_var))
        error = (x - x_hat).square().sum(dim=(1, 2, 3))
        kl = 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(dim=1)
        return (error + kl).mean()
        # solution-end

    def encode(self, x):
        return self.posterior(x)[0]  # at test time the mean is the code

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


mine = None  # the check hands you a new network of this class, once it is right

# %% tags=["check"]
mine = lab.checks.own_vae(MyVAE)

# %% [markdown] tags=["help"]
# 1. The draw is that of Exercise 2, with one difference: nobody hands you ε, you make fresh noise of the right shape. The
#    loss needs three things: μ and log σ², a picture decoded from one *drawn* code, and the two sums.
# 2. Noise like `mu`: `torch.randn_like(mu)`. In `loss`, call `self.posterior(x)`, then `self.draw`, then `self.decode`.
#    Sum the squares over the three picture dimensions, `sum(dim=(1, 2, 3))`, add the KL of Exercise 1, and take the mean
#    over the images.
#
# **Why.** The decoder has to live with every code that the encoder thinks possible, so the loss decodes a draw, not μ.
# Both terms are sums over one image, so that they are in one unit and β = 1 means what it says.

# %% [markdown]
# ### Yours beside the library's
#
# `lab.fit` trains your network as it is: it makes small what your `loss` gives. Beside it stands `lab.VAE` with
# convolutions and the same loss. (Without your solution the library's stands alone.)

# %%
models = {"the library's": lab.VAE(2, likelihood="gaussian", sigma=math.sqrt(0.5), width=8, hidden=128)}
if mine is not None:
    models = {"yours": mine} | models
for model in models.values():
    lab.fit(model, data, steps=400, batch_size=64, learning_rate=4e-3, progress=False)
lab.plot.reconstructions(models, data.test, count=8)

# %%
lab.plot.posteriors(models, data.test[:300])

# %%
lab.explore(models, data)

# %% [markdown]
# **Try it.**
# - **Map**: tick *Pictures on the map*, and drag from class to class. Where does yours blur?
# - **Sample**: draw codes from N(0, I). How many are digits?
# - `lab.diagram.vae(data.test.images[:1], mine)` draws the diagram of section 2 for your network.
#
# **What you should see.** Two numbers are few: the pictures are soft, and some digits share a place. But where the
# ellipses lie, pictures come out. Each picture has an ellipse of its own; together they cover the dashed circles.

# %% [markdown]
# ### A longer run
#
# Now the default network with 20 code values. Pixels are black or white, drawn anew from their grey value each time, and
# the decoder gives the probability of white: a Bernoulli likelihood, in honest nats. β rises from 0 to 1 in the first
# fifth of the steps ([warm-up]({{glossary}}#warm-up)), so that the decoder first learns to use the code.

# %%
vae = lab.VAE(latent=20)
history = lab.fit(vae, data, steps=500, seed=0)
mean_image = data.train.images.mean(dim=0, keepdim=True).clamp(1e-3, 1 - 1e-3)
bits = black_and_white(data.test.images)
ignorant = -float(losses.bernoulli_log_density(bits, mean_image.logit().expand_as(bits)).flatten(1).sum(dim=1).mean())
val = history.val
shown = {"−ELBO": val["total"], "reconstruction": val["reconstruction"], "KL": val["kl"]}
ylabel = "nats per validation image"
lab.plot.curves(history.step, shown, "training step", ylabel, baselines={"mean image": ignorant})

# %%
elbo, nll = lab.metrics.elbo(vae, data.test), lab.metrics.nll(vae, data.test, samples=50)
told = float(lab.metrics.kl_per_dimension(vae, data.test).sum())
terms = {"−ELBO": lab.metrics.Estimate(-elbo.value, elbo.error), "of which KL": round(told, 1), "NLL, 50 draws": nll}
lab.plot.bars(terms, "nats per test image", baselines={"mean image": ignorant})

# %% tags=["nbval-check-output"]
lab.holds(
    ("−ELBO, as a share of the mean image's", -elbo.value / ignorant, "<", 0.6),
    ("−ELBO less NLL, in nats", -elbo.value - nll.value, ">", 2),
)

# %% [markdown]
# **What you should see.** The KL settles after the warm-up, while the reconstruction goes on improving: the same number
# of nats is spent ever better. The NLL, closer to the true $-\log p(x)$, lies {{-elbo.value - nll.value:.1f}} nats below
# $-$ELBO. At least that much $q$ misses of the true posterior. Whenever you compare figures, ask which of the two they are.

# %% [markdown]
# ### What it draws
#
# Codes from $\mathcal N(0, I)$, nothing fitted afterwards. The promise is *a new image not in the training set* (slide
# 003). Below each sample stands the training image nearest to it; whether samples may be copies is asked in *Deeper*.

# %%
samples = vae.sample(500, torch.Generator().manual_seed(1))
distances, nearest = lab.metrics.nearest_training(samples, data.train)
lab.plot.image_rows(
    {"samples": samples[:14], "nearest in training": data.train.images[nearest[:14]]},
    alt="Fourteen samples, some of them digits, the others strokes that form none, above the nearest training "
    "images, which are sharper and differ in slant, thickness and shape.",
    scale=0.5,
)

# %% [markdown]
# The two rulers again, now for the VAE: its samples from $\mathcal N(0, I)$, and samples from a mixture fitted to its
# codes afterwards, with the number of Gaussians chosen on validation images as before.

# %%
fitted, likely = mixtures_on(vae)
best = max(likely, key=likely.get)
real, others = data.test.images[:500], data.test.images[500:]
decoded, elsewhere = (lab.metrics.in_batches(vae.reconstruct, x) for x in (real, others))
kinds = {"codes from N(0, I)": samples, "mixture": fitted[best].sample(500), "reconstructions": elsewhere}
rulers = {}
for name, images in kinds.items():
    rulers[name] = {
        "neighbours: from digits": lab.metrics.two_sample_accuracy(images, real),
        "critic: from digits": lab.metrics.critic_accuracy(images, real, steps=150),
        "critic: from reconstructions": lab.metrics.critic_accuracy(images, decoded, steps=150),
    }
pd.DataFrame(rulers).transpose()

# %% tags=["nbval-check-output"]
near, critic, fair = ({name: row[column] for name, row in rulers.items()} for column in rulers["mixture"])
behind = near["codes from N(0, I)"].value - near["reconstructions"].value
lab.holds(
    ("no sample equals a training image: the smallest distance", distances.min(), ">", 1),
    ("neighbours: N(0, I) is behind the reconstructions by", behind, ">", 0.1),
    ("the critic tells the reconstructions from digits", critic["reconstructions"], ">", 0.9),
    ("a mixture fitted afterwards: fewer are told apart by neighbours",
     near["mixture"].value, "<", near["codes from N(0, I)"].value),
)  # fmt: skip

# %% [markdown]
# **What you should see.** No image went in, and digits come out, among strokes that are none. To pixel neighbours the
# samples stand at {{near["codes from N(0, I)"].value:.2f}}, reconstructions at {{near["reconstructions"].value:.2f}}.
# The critic tells all of them from digits, for this decoder is soft too ({{critic["reconstructions"].value:.2f}} for
# reconstructions). Its fair question, samples against reconstructions, gives
# {{fair["codes from N(0, I)"].value:.2f}} for $\mathcal N(0, I)$ and {{fair["mixture"].value:.2f}} for the mixture of
# {{best}}.
#
# Why does $\mathcal N(0, I)$ not do as well as real codes? Each code value alone has about the right mean and variance,
# yet all codes *together* do not quite fill $\mathcal N(0, I)$: there are holes in which no digit lives. A mixture fitted
# afterwards avoids them, here as for the plain autoencoder of section 1. So *sample points from the distribution and
# pass them to the decoder* is **right**, but some draws fall into the gaps that notebook 04b measures (slide 003).

# %% [markdown]
# ## 6 · Loss units
#
# Your VAE has the loss $\lVert x - \hat x \rVert^2 + KL$ (slide 003). Code on the internet averages over pixels, sums
# over the batch, multiplies by 0.00025. Which model is being trained? Write out a Gaussian decoder with $D$ pixels:
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
# another value $s^2$ and read it as $\beta = \sigma^2 / s^2$. Your loss has $a = b = 1$: σ² = ½. Now the table.
#
# | what they write (per image) | $a$ | $b$ | σ at $D = 784$ |
# |---|---|---|---|
# | $\lVert x - \hat x\rVert^2 + KL$ (slide 003, and yours) | 1 | 1 | 0.71 |
# | the same, summed over a batch of $B$ | $B$ | $B$ | 0.71; only the step size changes |
# | mean over pixels $+\ KL$ | $1/D$ | 1 | 19.8 |
# | mean over pixels $+\ 0.00025\, KL$ (PyTorch-VAE) | $1/D$ | 0.00025 | 0.31 |
# | sum over pixels $+$ KL *averaged* over $d = 20$ dimensions | 1 | $1/d$ | 0.16 |
# | $\tfrac{D}{2}\log\text{mean}(x - \hat x)^2 + KL$ (optimal σ) | | | learned |
#
# With *cross-entropy* there is no σ to move: summed over pixels it is a likelihood of black-or-white pixels at β = 1,
# averaged it is β = $D$. On grey targets it is no likelihood at all, and never falls below their
# [entropy]({{glossary}}#entropy-floor). The size of the images matters too: on its own 3 × 64 × 64 photographs
# PyTorch-VAE's 0.00025 stands for σ = 1.24.
#
# Trust, but verify: a loss *is* another one, up to a constant and a factor $b$, if all gradients agree up to that
# factor.


# %% tags=["folded"]
def gradient(loss, model):
    """The gradient of loss() with respect to all of the model's weights, as one vector; always the same ε."""
    torch.manual_seed(0)
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss(), list(model.parameters()))])


# %% tags=["nbval-check-output"]
x, D = data.train.images[:64], 784


def theirs(vae, a, b):
    mu, log_var = vae.posterior(x)
    x_hat = vae.decode(mu + torch.exp(0.5 * log_var) * torch.randn_like(mu))
    return a * (x - x_hat).square().sum() / len(x) + b * losses.gaussian_kl(mu, log_var).sum() / len(x)


wild = {"slide 003": (1, 1), "mean": (1 / D, 1), "mean, 0.00025": (1 / D, 0.00025), "KL mean": (1, 1 / 20)}
for name, (a, b) in wild.items():
    sigma = math.sqrt(b / (2 * a))
    vae = lab.VAE(20, likelihood="gaussian", sigma=sigma, width=8, hidden=128)
    one = gradient(lambda vae=vae, a=a, b=b: theirs(vae, a, b), vae)
    other = b * gradient(lambda vae=vae: vae.loss(x).total, vae)
    lab.holds(
        (f"{name} is a VAE with σ = {sigma:.2f}: the gradients differ by", (one - other).norm() / one.norm(), "<", 1e-3)
    )

# %% [markdown]
# Now to what it means. A noise of σ = √½ on pixels between 0 and 1 says: *a digit looks like a digit under heavy snow*.
# With so much assumed noise, fine strokes are not worth encoding. Or let the model find its own σ (`sigma=None`).

# %%
lab.predict(
    "The loss of slide 003, a code of 20 numbers. How many of them tell anything (KL above 0.1 nats)?",
    options=["all 20", "about half", "none: the code is ignored"],
    key="04-6-units-of-the-slide",
)


# %% tags=["folded"]
def measured(vae):
    """What section 6 asks of a trained VAE."""
    kl, x = lab.metrics.kl_per_dimension(vae, data.test), data.test.images
    with torch.no_grad():
        mu, log_var = vae.posterior(x)
        of_draws = (vae.decode(mu + torch.exp(0.5 * log_var) * noise(*mu.shape)) - x).square().mean()
        samples, decoded = vae.sample(500, torch.Generator().manual_seed(0)), vae.reconstruct(x[:500])
    return {
        "σ": vae.log_sigma.exp().item(),
        "σ²": vae.log_sigma.exp().item() ** 2,
        "mse of draws": float(of_draws),
        "mse at μ": lab.metrics.mse(vae, data.test).value,
        "KL": float(kl.sum()),
        "telling": int((kl > 0.1).sum()),
        "ELBO": lab.metrics.elbo(vae, data.test).value,
        "samples: critic": lab.metrics.critic_accuracy(samples, decoded, steps=150).value,
    }


# %%
settings = {"slide 003": math.sqrt(0.5), "0.00025, mean": math.sqrt(0.00025 * D / 2), "σ learned": None}
rows, means, believed = {}, {}, {}
for name, sigma in settings.items():
    vae = lab.VAE(20, likelihood="gaussian", sigma=sigma, width=8, hidden=128)
    lab.fit(vae, data, steps=300, learning_rate=5e-3, progress=False)
    rows[name] = measured(vae)
    means[name] = lab.metrics.in_batches(vae.reconstruct, data.test.images[:10])
    believed[name] = means[name] + rows[name]["σ"] * noise(10, 1, 28, 28)  # a draw from p(x|z), not its mean
digits = {"σ": 2, "σ²": 4, "mse of draws": 4, "mse at μ": 4, "KL": 1, "ELBO": 0, "samples: critic": 2}
pd.DataFrame(rows).T.round(digits)

# %% [markdown]
# *telling* counts the dimensions with a KL above a tenth of a nat. The last column asks the trained critic whether it can
# tell samples from the same model's own reconstructions; at ½ it cannot.

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
lab.holds(
    ("the loss of slide 003: dimensions that tell anything, of 20", slide["telling"], "≤", 14),
    ("with σ learned", learned["telling"], "≥", 20),
    ("its error, over that with σ learned", slide["mse at μ"] / learned["mse at μ"], ">", 1.5),
    ("the β it stands for, seen from the learned σ²", 0.5 / learned["σ²"], ">", 10),
    ("learned σ², over the squared error of draws", learned["σ²"] / learned["mse of draws"], "<", 1.25),
    ("the critic tells its samples less often", slide["samples: critic"], "<", learned["samples: critic"]),
)

# %%
levels = {"none: the code is ignored": 3, "about half": 18}
lab.outcome("04-6-units-of-the-slide", slide["telling"], below=levels, otherwise="all 20")

# %% [markdown]
# **What you should see.** The loss of slide 003 does not switch the code off, but of the 20 numbers only
# {{slide["telling"]}} tell anything to speak of, strokes are soft, and an image *drawn* from this model is snow. Told to
# find σ itself, the same network settles at {{learned["σ"]:.2f}}. Seen from there the loss of slide 003 is one with
# β = ½ / σ², which is {{0.5 / learned["σ²"]:.0f}}. As descriptions of digits the three are hundreds of nats apart
# (column ELBO).
#
# **Learned σ² is a mean squared error, but which?** The loss decodes *draws*, so σ² comes out as the error of decoded
# draws: {{learned["σ²"]:.4f}} beside {{learned["mse of draws"]:.4f}}. The usual figure decodes μ and is smaller,
# {{learned["mse at μ"]:.4f}}. (What is left between the first two is what the last steps of a short run still change.)
#
# There is another side, in the last column. With so few nats in the code the random codes of slide 003 are easier to
# hit, so the critic tells its samples from its own reconstructions in {{slide["samples: critic"]:.2f}}, with σ learned in
# {{learned["samples: critic"]:.2f}}. To regularise that hard is a choice one may make. But then make it by name, with β;
# do not let it slip in with the unit of the pixels. The formula is **right only for one noise level**, σ² = ½, far from
# what digits in [0, 1] suggest (slide 003). On pixels from 0 to 255 the *same formula* would mean a σ of less than a
# hundredth of their range.
#
# **Try it.** Train on `data.map(lambda x: 4 * x, value_range=None)` with `output="linear"` and σ = √½. How many dimensions tell something
# now?

# %% [markdown]
# ## Take-aways
#
# - A plain autoencoder does not generate from codes it has never met. A density fitted to its codes afterwards mends
#   much of that; a VAE says beforehand where codes shall lie. Neither makes the decoder sharp.
# - Pixel neighbours do not see blur, a trained critic does. Ask two rulers, each beside its floor.
# - Each image keeps a narrow Gaussian of its own; it is the crowd of all images that comes near $\mathcal N(0, I)$.
# - $z = \mu + \sigma\varepsilon$ lets gradients through a random draw, with far less variance than the score function.
# - log p(x) = ELBO + KL[q, p(z|x)], with q the approximate and p(z|x) the true posterior. Checked where all is known.
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
                "about KL[q(z|x), p(z|x)]: how far q, the approximate posterior, misses the true one",
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
# ## From slide to cell
#
# | slide | it says | here | verdict |
# |---|---|---|---|
# | 002 *… Variational Autoencoders* | only real images give good codes (C22) | section 1 | right under a condition: no density is fitted to the codes |
# | 002 | the encoder gives σ and μ, two values | section 2 | right: two vectors |
# | 002 | as close to the unit Gaussian as possible | section 2 | half: true of all images together, not of each |
# | 002 | sampling in training, μ at test (C23) | sections 2, 3 | right under a condition: for codes, not for the loss |
# | 003 *Variational autoencoder* | J = reconstruction + β KL, they compete (C27) | sections 4, 5; 04b, section 3 | right |
# | 003 | samples are not in the training set (C54) | section 5; Deeper, Exercise 4 | right |
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

# %% [markdown]
# ## Deeper · Are they copies?
#
# Section 5 found that no sample equals a training image. That is cheap: one grey level is enough to differ. And sampling
# from a density rules nothing out: a very narrow density round the training codes would draw the training images again.

# %% [markdown]
# ### Exercise 4 · A control that can convict
#
# Design the experiment that could *convict* a model of copying. The quantity: the median distance to the nearest training image. But a distance says
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
#    median of `nearest(…, data.train)[0]` for both. `verdict` compares the samples' distance with `0.8` times the
#    control's.
#
# **Why.** A distance says something only beside another one. Reconstructions of unseen images are smooth like samples
# and are no copies, so copies would have to lie clearly nearer than they do.

# %% [markdown]
# Then train a `lab.VAE(20)` and run it in a cell of your own (`with torch.no_grad():`). Write one sentence: is *not in
# the training set* right (slide 003)?

# %% [markdown]
# ## Deeper · Two gradients on digits
#
# Section 3 compared two gradients in one dimension. Now the real thing: $f(z) = -\log p(x \mid z)$ of a trained decoder,
# 20 dimensions. To be fair to the score function we also give it its standard remedy, a *baseline*: subtract the mean of
# the other draws' $f$ from each $f(z)$, which changes nothing on average.

# %%
lab.predict(
    "How many draws must the plain score function average to be as exact as one reparameterised draw?",
    options=["about as many", "ten or so", "some hundreds", "more than a thousand"],
    key="04-d-score-function",
)


# %% tags=["folded"]
def three_gradients(vae, x, draws=500):
    """Estimates of the gradient of E_q[−log p(x|z)] by μ, for one image x: {name: (draws, d)}."""
    with torch.no_grad():
        mu, log_var = vae.posterior(x)
    z = (mu + torch.exp(0.5 * log_var) * noise(draws, mu.shape[1])).requires_grad_()
    f = -vae.log_likelihood(x.expand(draws, -1, -1, -1), z)
    (slope,) = torch.autograd.grad(f.sum(), z)  # row k: ∇f at draw k
    f, score = f.detach()[:, None], (z.detach() - mu) / log_var.exp()
    without_mean = (f - f.mean()) * draws / (draws - 1)  # f_k less the mean of the other draws
    return {"reparameterised": slope, "score function with baseline": without_mean * score, "score function": f * score}


# %%
vae = lab.VAE(20, width=8, hidden=128)
lab.fit(vae, small, steps=150, progress=False)
variances = {}
for x in black_and_white(data.test.images[:10]).split(1):  # one digit at a time
    for name, each in three_gradients(vae, x).items():
        variances[name] = variances.get(name, 0.0) + float(each.var(dim=0).sum())
needed = {name: value / variances["reparameterised"] for name, value in variances.items()}
lab.plot.bars(needed, "draws needed to be as exact as one reparameterised draw", log=True)

# %% tags=["nbval-check-output"]
lab.holds(
    ("draws that the plain score function needs", needed["score function"], ">", 1000),
    ("draws that it needs with a baseline", needed["score function with baseline"], ">", 5),
)

# %%
levels = {"about as many": 3, "ten or so": 30, "some hundreds": 1000}
lab.outcome("04-d-score-function", needed["score function"], below=levels, otherwise="more than a thousand")

# %% [markdown]
# **What you should see.** Both are right on average, and yet the plain score function needs
# {{needed["score function"]:,.0f}} draws where the other needs one. It carries the *size* of $f$, a hundred nats or more,
# into every gradient. A baseline removes most of that, and leaves
# {{needed["score function with baseline"]:.0f}} draws: it still learns about a slope only from scattered heights.

# %% [markdown]
# ## Deeper · How many dimensions does a noise level allow?
#
# Why did σ² = ½ silence some dimensions and not others? For a *linear* decoder the answer is known (Tipping and Bishop,
# 1999; Lucas et al., 2019). Let $\lambda_j$ be the variance of the images along principal direction $j$. The
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
of_slide = sigmas.index(0.71)
levels = {"fewer than 5": 5, "5 to 50": 51, "51 to 200": 201}
lab.outcome("04-d-directions", used[of_slide], below=levels, otherwise="more than 200")

# %% [markdown]
# **What you should see.** At σ² = ½ a linear model uses {{used[of_slide]}} of 784 directions and spends
# {{nats[of_slide]:.1f}} nats, about what the network of section 6 spent; that one spends them on fewer
# dimensions, for it has 20 at most. At the largest σ of the list there is nothing left. That is [posterior
# collapse]({{glossary}}#posterior-collapse), and here it is no accident of training but the *best* answer under so much
# noise. Notebook 04b meets two other kinds.

# %% [markdown]
# ## Deeper · The code at test time
#
# *Random sampling happens only during training; during testing, the mean (μ) is used* (slide 002). Section 2 says what
# that is good for (codes and reconstructions) and what not (the loss). Two mistakes are common: sampling at test time
# as well, so that the same image gets another code each time it is shown, and drawing ε once, outside the loop.

# %% [markdown]
# ### Exercise 5 · Drawn, or not
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
