# %% [markdown]
# # 04b · The latent space of a VAE
#
# *Gaps and overlap, measured; walks between digits; β as an exchange rate; posterior collapse, the kind that heals and
# the kind that does not*
#
# Large promises are made about the latent space of a variational autoencoder: continuous, overlapping, smooth, no gaps,
# every path a walk through plausible pictures. Promises about a space can be measured. In this notebook you put a ruler
# to the maps of an autoencoder and a VAE, walk between digits, turn the one knob that trades reconstruction against
# order, and push it to both ends until the model breaks.
#
# **You will be able to**
#
# - measure gaps and overlap in a latent space, instead of judging them by the look of a scatter plot (section 1, quiz);
# - say what an interpolation owes to the VAE and what any good decoder would give (section 2, Exercise 1);
# - read β as the exchange rate of a rate–distortion curve, and count the dimensions a model really uses (section 3,
#   Exercise 2);
# - tell a collapse that more training heals from one that it does not, and test a cure with a control (section 4,
#   Exercise 3).
#
# **Before you start** Notebook 04: μ and σ, the KL divergence, nats, the ELBO.
#
# **Time** {{minutes}} minutes with the exercises; the computer itself needs about {{seconds}} s of them.
#
# **Slides covered** 002 *Convolutional Variational Autoencoders* (continuous encodings, evenly spaced vectors, more
# than 20 dimensions); 003 on the VAE (β, the latent space beside that of an AE, interpretable dimensions, priors).

# %% tags=["setup"]
from dataclasses import replace

import pandas as pd
import torch
from IPython.display import display

import autoencoder_lab as lab

lab.setup(seed=0)
data = lab.load("mnist-5k")  # 3,500 digits to train on
small = lab.load("mnist-5k", n=1500)  # fewer of them, for short experiments; the test images are the same
small = replace(small, val=small.val[:100])  # looked at after every epoch


def chance(n, latent, seed=0):
    """n codes drawn from N(0, I): (n, latent), always the same for a seed."""
    return torch.randn(n, latent, generator=torch.Generator().manual_seed(seed))


# %% [markdown]
# ## 1 · Two maps of the same digits
#
# The latent spaces of the two models are often drawn side by side (slide 003). On the left the
# [autoencoder]({{glossary}}#autoencoder)'s: codes scattered, clusters apart, gaps between them. On the right the VAE's:
# clusters that touch, with smooth transitions. The KL term is said to do it, for it makes encodings *follow a continuous
# unit Gaussian distribution* (slide 002). We train both with codes of two numbers, so that the whole space fits on
# paper.

# %%
ae = lab.ConvAutoencoder(latent=2, width=8, hidden=256)
vae = lab.VAE(latent=2, width=8, hidden=256)
for model, steps in ((ae, 400), (vae, 500)):
    lab.fit(model, data, steps=steps, batch_size=64, progress=False)
lab.plot.codes(ae, data.test, name="autoencoder")

# %%
lab.plot.codes(vae, data.test, name="VAE")

# %% [markdown]
# Look at the axes first: the two maps have quite different scales. Nothing tells an autoencoder how large its codes
# should be, so "scattered" on a plot may mean no more than "large". A fair ruler has to be free of scale. Here is one.
#
# 1. **Where would you draw a code blindly?** For the VAE that is the [prior]({{glossary}}#prior), $\mathcal N(0, I)$.
#    An autoencoder has none; we give it the best single Gaussian there is, with the mean and covariance of its own
#    codes.
# 2. **A gap** is a place far from every code. Far compared with what? With how far a *new* image's code lies from
#    its nearest training code. The ratio of the two distances is 1 where a blind draw lands as close to known
#    codes as a new image would, and grows with the gaps.

# %%
lab.predict(
    "Gaps: how far from the next code does a blind draw land, compared with a new image's code?",
    options=[
        "about as far in both models",
        "twice as far or more, but only in the autoencoder",
        "twice as far or more, in both models",
    ],
    key="04b-1-gaps",
)


# %% tags=["folded"]
def blind_draws(model, n=1000):
    """n codes drawn without looking at an image: from the prior where there is one, else from a fitted Gaussian."""
    draws = chance(n, model.latent)
    if model.has_prior:
        return draws
    codes = lab.metrics.encode(model, data.train)
    return codes.mean(dim=0) + draws @ torch.linalg.cholesky(codes.T.cov()).T


def codes_of(model, split, drawn=False):
    """The codes of a split: μ, or with drawn one z each from q(z|x)."""
    if not drawn:
        return lab.metrics.encode(model, split)
    with torch.inference_mode():
        mu, log_var = model.posterior(split.images)
    return mu + torch.exp(0.5 * log_var) * chance(*mu.shape, seed=len(mu))


# %%
def gap_ratio(model, drawn=False):
    """Median distance of blind draws to the nearest training code, over that of the test images' codes."""
    train, test = (codes_of(model, split, drawn) for split in (data.train, data.test))
    to_nearest = [torch.cdist(codes, train).min(dim=1).values.median() for codes in (blind_draws(model), test)]
    return float(to_nearest[0] / to_nearest[1])


ruler, gaps, accuracy = {}, {}, {}
for name, model in {"autoencoder": ae, "VAE": vae}.items():
    codes = lab.metrics.encode(model, data.test)
    standardised = (codes - codes.mean(dim=0)) / codes.std(dim=0)
    gaps[name], accuracy[name] = gap_ratio(model), lab.metrics.knn(model, data)
    ruler[name] = {"mean": f"{codes.mean():.2f}", "standard deviation": f"{codes.std():.2f}"}
    ruler[name] |= {"MMD² to N(0, I), standardised": str(lab.metrics.mmd(standardised, chance(1000, 2)))}
    ruler[name] |= {"gap ratio": f"{gaps[name]:.2f}", "5-NN accuracy": str(accuracy[name])}
pd.DataFrame(ruler)

# %% tags=["nbval-check-output"]
lab.holds(
    ("two numbers: the VAE's gap ratio, over the autoencoder's", gaps["VAE"] / gaps["autoencoder"], "<", 0.75),
    ("the VAE's gap ratio", gaps["VAE"], "<", 1.5),
    (
        "5-NN accuracy, the autoencoder's less the VAE's",
        accuracy["autoencoder"].value - accuracy["VAE"].value,
        ">",
        0.05,
    ),
)

# %%
wide = sum(ratio >= 2 for ratio in gaps.values())
levels = {"about as far in both models": 0.5, "twice as far or more, but only in the autoencoder": 1.5}
lab.outcome("04b-1-gaps", wide, below=levels, otherwise="twice as far or more, in both models")

# %% [markdown]
# **What you should see.** The gaps are real, and they do not hang on the scale. A blind draw in the autoencoder's space
# lands {{gaps["autoencoder"]:.1f}} times as far from everything it knows as a new image does; in the VAE's
# {{gaps["VAE"]:.1f}} times, where a new image would. **The slides are right about these gaps.** Three details they leave
# out:
#
# - The VAE's codes do *not* follow a unit Gaussian. Their standard deviation is above 1, and the
#   [MMD]({{glossary}}#mmd) (a distance between distributions, 0 if they are equal) is smaller than the autoencoder's
#   but not 0. With two dimensions the digits need all the room there is, and they pay the KL for more.
# - Order has its price. The 5-NN accuracy falls from {{accuracy["autoencoder"].value:.2f}} to
#   {{accuracy["VAE"].value:.2f}}: where clouds must overlap, the centres of two classes lie closer together.
# - This was with two numbers. Ask again with 20.

# %%
larger = {"autoencoder": lab.ConvAutoencoder(20, width=8, hidden=128), "VAE": lab.VAE(20, width=8, hidden=128)}
for model in larger.values():
    lab.fit(model, data, steps=250, batch_size=64, progress=False)
with_20 = {f"{name}, 20 numbers": gap_ratio(model) for name, model in larger.items()}
with_20["VAE, 20 numbers, draws from q"] = gap_ratio(larger["VAE"], drawn=True)
with_2 = {f"{name}, 2 numbers": ratio for name, ratio in gaps.items()}
lab.plot.bars(with_2 | with_20, "gap ratio", baselines={"as close as a new image": 1.0})

# %% tags=["nbval-check-output"]
lab.holds(
    ("20 numbers: the VAE's gap ratio", with_20["VAE, 20 numbers"], ">", 1.5),
    (
        "and with draws from q in place of μ, over that",
        with_20["VAE, 20 numbers, draws from q"] / with_20["VAE, 20 numbers"],
        "<",
        0.9,
    ),
)

# %% [markdown]
# **What you should see.** With 20 numbers the VAE has gaps too: {{with_20["VAE, 20 numbers"]:.1f}}, the autoencoder
# {{with_20["autoencoder, 20 numbers"]:.1f}}. The reason is that the prior is not matched by the *means*. What comes near
# $\mathcal N(0, I)$ is the crowd of draws from all $q(z|x)$ (notebook 04, section 2); take one draw from each in place
# of μ, and the ratio is {{with_20["VAE, 20 numbers, draws from q"]:.1f}}. So "no gaps" is a statement about two
# dimensions, and about clouds, not points.
#
# ### Do the codes overlap?
#
# An autoencoder's code is a point; points do not overlap. A VAE's code is a cloud, the approximate posterior
# $q(z|x) = \mathcal N(\mu, \sigma^2)$. Clouds overlap if they are wider than their distance. So compare σ with the
# distance to the nearest other μ.

# %%
lab.plot.posteriors(vae, data.test)

# %% tags=["nbval-check-output"]
with torch.inference_mode():
    mu, log_var = vae.posterior(data.test.images)
sigma = torch.exp(0.5 * log_var).mean(dim=1)
apart = torch.cdist(mu, mu).fill_diagonal_(torch.inf).min(dim=1).values
overlapping = (sigma > apart).float().mean()
lab.holds(("share of clouds wider than the distance to the nearest other centre", overlapping, ">", 0.5))

# %% [markdown]
# Of all clouds {{float(overlapping):.0%}} overlap with their neighbour's. That is what closes the gaps: a decoder that
# sees every image at many nearby codes, overlapping with those of other images, has to draw something between them.
#
# ### Drag through both
#
# The same image in both models, side by side.

# %%
lab.explore({"autoencoder": ae, "VAE": vae}, data)

# %% [markdown]
# **Try it.**
# - **Map**: tick *Pictures on the map* in both. Drag from cluster to cluster. In which model do you cross places where
#   the picture is no digit?
# - Drag to the rim, then beyond it. Which of the two goes on drawing digits, and which one draws something else?
# - **Sample**: draw codes. From which distribution do they come in each model?
#
# **What you should see.** Between the VAE's clusters the picture changes over a short way from one digit to another;
# in the autoencoder you find wide grounds where it draws strokes nobody writes.

# %% [markdown]
# ### The manifold: a sheet of what the prior draws
#
# With two dimensions we can lay out pictures over the plane. The prior tells which codes count: a grid evenly spaced in
# *probability*, not in distance, so that every picture stands for an equal share of the samples. The Gaussian's
# [quantile]({{glossary}}#quantile) function does that: $z_i = \Phi^{-1}\big((i + ½)/n\big)$.

# %%
n = 12
quantiles = torch.special.ndtri((torch.arange(n) + 0.5) / n)
grid = torch.stack([quantiles.repeat(n), quantiles.flip(0).repeat_interleave(n)], dim=1)  # z₂ grows upwards
with torch.inference_mode():
    manifold = vae.decode(grid)
sheet = manifold.view(n, n, 28, 28).transpose(1, 2).reshape(1, 1, 28 * n, 28 * n)  # the pictures side by side
outside = (lab.metrics.encode(vae, data.test).abs() > quantiles.max()).any(dim=1).float().mean()
lab.plot.images(
    sheet,
    scale=5.5,
    alt="A sheet of 12 by 12 pictures decoded from evenly spaced quantiles of the prior: digits that turn into one "
    "another from place to place; some pictures between two digits are blurred.",
)

# %% [markdown]
# **What you should see.** One sheet of rubber, printed with digits: a piece of the [manifold]({{glossary}}#manifold) that
# the model has learned. Which digits are neighbours? Which ones share a border that passes through something blurred?
# A 4 and a 9 differ by one stroke; a 0 and a 1 share nothing, and there is no clean way from one to the other.
#
# It is a piece, not all that the model can draw. The sheet ends at ±{{float(quantiles.max()):.2f}}, and
# {{float(outside):.0%}} of the test digits have their code outside it: whole classes live near the rim, where the prior
# seldom draws.

# %% [markdown]
# ## 2 · From one digit to another
#
# Encode two images, take codes that are evenly spaced between the two, decode them, and look at the intermediate images
# (slide 002). That is [interpolation]({{glossary}}#interpolation):
#
# $$z(t) = (1 - t)\, z_a + t\, z_b, \qquad t = 0, \tfrac{1}{n-1}, \dots, 1$$

# %% [markdown]
# ### Exercise 1 · Evenly spaced
#
# Write it for two codes of shape $(d,)$. Both ends belong to the path.


# %% tags=["exercise"]
def interpolate(a, b, steps):
    """a, b: (d,) codes; steps ≥ 2. Return (steps, d): evenly spaced codes from a to b, both included."""
    # solution-begin
    t = torch.linspace(0, 1, steps)[:, None]
    return (1 - t) * a + t * b
    # solution-end


# %% tags=["check"]
lab.checks.interpolate(interpolate)

# %% [markdown] tags=["help"]
# 1. A point on the way from a to b is (1 − t)·a + t·b, with t from 0 to 1. You need `steps` values of t.
# 2. `torch.linspace(0, 1, steps)` gives the values of t, both ends included. `[:, None]` makes them a column, so that
#    each t meets all d numbers of a code.
#
# **Why.** Each point of a straight path is a weighted average of its two ends. A column of weights times a row of
# numbers gives all points at once, by broadcasting.

# %% [markdown]
# Is the result the VAE's merit? An experiment needs its controls: a plain autoencoder with the same code size and the
# plainest way of all, blending the pixels, $(1-t)\,x_a + t\,x_b$.

# %%
ae = lab.ConvAutoencoder(latent=16, width=8, hidden=128)
vae = lab.VAE(latent=16, width=8, hidden=128)
for model in (ae, vae):
    lab.fit(model, data, steps=250, batch_size=64, progress=False)

# %%
t = torch.linspace(0, 1, 9)[:, None]
a, b = data.test.images[3:4], data.test.images[8:9]
with torch.inference_mode():
    paths = {
        "pixels": (1 - t[..., None, None]) * a + t[..., None, None] * b,
        "autoencoder": ae.decode((1 - t) * ae.encode(a) + t * ae.encode(b)),
        "VAE": vae.decode((1 - t) * vae.encode(a) + t * vae.encode(b)),
    }
lab.plot.image_rows(
    paths,
    alt="Three ways from a 3 to an 8 in nine steps. Pixels: both digits shine through each other. Autoencoder and VAE: "
    "strokes that bend and close.",
    scale=0.6,
)

# %% [markdown]
# One path proves nothing. We take 300 pairs of *different* digits and judge the midpoint by four rulers. Each midpoint
# has its own yardstick: the decoded *ends* of its way, which came through the same decoder.
#
# - **half-tones**: the share of pixels between ¼ and ¾, neither ink nor paper. Digits have few, at the edges of
#   strokes;
# - **distance to the nearest training image**: how far from anything that was ever written?
# - **sharpness**: how much fine detail is left?
# - **a trained critic**: can it tell midpoints from the decoded ends of the same ways? At ½ it cannot.

# %%
lab.predict(
    "The midpoints' distance to the nearest training image: who comes closest to real digits?",
    options=["the VAE, by more than a tenth", "the autoencoder, by more than a tenth", "they tie, within a tenth"],
    key="04b-2-midpoints",
)


# %% tags=["folded"]
def halfway(p, q, kind="linear"):
    """The middle of the way between codes p and q: (N, d) each."""
    if kind == "linear":
        return (p + q) / 2
    # along the great circle: sin(θ/2) / sin θ of each, θ the angle between the two
    angle = torch.acos(torch.nn.functional.cosine_similarity(p, q))[:, None]
    return torch.sin(angle / 2) / torch.sin(angle) * (p + q)


def scores_of(images, ends):
    """What the rulers say of images; ends: the images that the critic is to tell them from, as many."""
    return {
        "half-tones": float(((images > 0.25) & (images < 0.75)).float().mean()),
        "nearest training image": float(lab.metrics.nearest_training(images, data.train)[0].mean()),
        "sharpness": lab.metrics.sharpness(images).value,
        "critic: from the ends": lab.metrics.critic_accuracy(images, ends, steps=150).value,
    }


# %%
draw = torch.Generator().manual_seed(0)
left, right = torch.randint(len(data.test), (2, 400), generator=draw)
differ = data.test.labels[left] != data.test.labels[right]
x_a, x_b = data.test.images[left[differ][:300]], data.test.images[right[differ][:300]]
scores = {"real digits": scores_of(x_b, x_a), "pixels blended": scores_of((x_a + x_b) / 2, x_a)}
with torch.no_grad():
    for name, model in {"autoencoder": ae, "VAE": vae}.items():
        p, q = model.encode(x_a), model.encode(x_b)
        ends = model.decode(p), model.decode(q)
        scores[f"{name}, decoded ends"] = scores_of(ends[1], ends[0])
        for kind in ("linear", "spherical"):
            scores[f"{name}, {kind}"] = scores_of(model.decode(halfway(p, q, kind)), ends[0])
scores = pd.DataFrame(scores).transpose()
scores.round(3)

# %% tags=["folded"]
near, half, sharp = (scores[column] for column in ("nearest training image", "half-tones", "sharpness"))
critic, lead = scores["critic: from the ends"], near["VAE, linear"] / near["autoencoder, linear"]
half_of_codes = half[[name for name in scores.index if "linear" in name or "spherical" in name]].max()


def beside_ends(column, name):
    """A figure of the straight midpoints, over that of the decoded ends."""
    return column[f"{name}, linear"] / column[f"{name}, decoded ends"]


# %% tags=["nbval-check-output"]
lab.holds(
    ("blended pixels are the farthest from training images", near.idxmax() == "pixels blended"),
    ("half-tones of blended pixels, over anybody else's", half["pixels blended"] / half_of_codes, ">", 1.4),
    ("VAE and autoencoder: their distances differ by", abs(lead - 1), "<", 0.1),
    ("distance of the VAE's midpoints, over its ends", beside_ends(near, "VAE"), ">", 1.05),
    ("the same of the autoencoder", beside_ends(near, "autoencoder"), ">", 1.05),
    ("sharpness of the VAE's midpoints, over its ends", beside_ends(sharp, "VAE"), "<", 0.95),
)

# %%
levels = {"the VAE, by more than a tenth": 0.9, "they tie, within a tenth": 1.1}
lab.outcome("04b-2-midpoints", lead, below=levels, otherwise="the autoencoder, by more than a tenth")

# %% [markdown]
# **What you should see.** Midpoints of a VAE are far more like digits than blended pixels, and so *intermediates are
# plausible* is **right under a condition**: if *plausible* means *better than blended pixels* (slide 002). Two remarks:
#
# - With 16 dimensions the plain autoencoder's midpoints lie as near to training images: {{near["autoencoder, linear"]:.2f}}
#   and {{near["VAE, linear"]:.2f}}. A good decoder draws strokes wherever you ask it, and between two codes of real images
#   it is not far from what it knows.
# - Midpoints are not as good as the ends. Decoded ends stand at {{near["autoencoder, decoded ends"]:.2f}} and
#   {{near["VAE, decoded ends"]:.2f}}. The midpoints are softer, the VAE's most of all (sharpness
#   {{sharp["VAE, linear"]:.3f}} against {{sharp["VAE, decoded ends"]:.3f}}; real digits {{sharp["real digits"]:.3f}}). And the
#   critic tells them from the ends: {{critic["autoencoder, linear"]:.2f}} for the autoencoder,
#   {{critic["VAE, linear"]:.2f}} for the VAE, where the ends among themselves stand at
#   {{critic["VAE, decoded ends"]:.2f}}. Between two classes lies a border, and what is on it is often no digit.
#
# What the VAE changes is *where else* you may ask: anywhere under the prior (section 1). The spherical way, which many
# recommend because the middle of a straight line lies nearer to the origin than either end, changes little here.
#
# **Try it.** `lab.explore([ae, vae], data)`, tab **Morph**: images 0 to 9 show the digits 0 to 9. Find a pair where the
# two models take different ways.

# %% [markdown]
# ## 3 · β: what a nat is worth
#
# The loss is $J = \text{reconstruction} + \beta \cdot \mathrm{KL}$, and the two terms compete (slide 003). They do, and
# in a currency. The KL is the **rate**: the nats that the code costs. No code can say more about its image, on average,
# than its rate, so the rate is an upper bound of the information that it carries. The reconstruction term is the
# **distortion**: the nats it still takes to name the pixels once the code is known. β is the exchange rate: the model
# buys a nat of rate only if it saves β nats of distortion (Alemi et al., 2018).

# %%
lab.show_source(lab.VAE.loss)

# %%
lab.predict(
    "Five models, β from 0.03 to 30. Which has the lowest rate + distortion, the lowest −ELBO, on test images?",
    options=["the smallest β: it reconstructs best", "β = 1, or next to it", "the largest β: it is the most regular"],
    key="04b-3-best-beta",
)

# %%
betas = (0.03, 0.3, 1.0, 4.0, 30.0)
models, rows, per_dimension = {}, {}, {}
for beta in betas:
    model = models[beta] = lab.VAE(latent=10, beta=beta, width=8, hidden=64)
    lab.fit(model, small, steps=200, batch_size=64, progress=False)
    per_dimension[beta] = lab.metrics.kl_per_dimension(model, data.test)
    bound, rate = -lab.metrics.elbo(model, data.test).value, float(per_dimension[beta].sum())
    rows[beta] = {"rate (KL)": rate, "distortion": bound - rate, "−ELBO, test": bound}
    rows[beta]["−ELBO, train"] = -lab.metrics.elbo(model, small.train).value
    rows[beta]["active units"] = lab.metrics.active_units(model, data.test)
    rows[beta]["mse"] = lab.metrics.mse(model, data.test).value
curve = pd.DataFrame(rows).T.rename_axis("β")
curve.round(4)

# %%
lab.plot.rate_distortion({beta: (row["rate (KL)"], row["distortion"]) for beta, row in rows.items()})

# %% tags=["nbval-check-output"]
best = curve["−ELBO, test"].idxmin()
alive = curve[curve["active units"] > 0]
lab.holds(
    ("the rate falls as β grows", bool(curve["rate (KL)"].is_monotonic_decreasing)),
    ("the distortion rises as β grows, up to where no unit is left", bool(alive["distortion"].is_monotonic_increasing)),
    ("the β of the lowest −ELBO", best, "≥", 0.3),
    ("the same", best, "≤", 4),
)

# %%
levels = {"the smallest β: it reconstructs best": 0.2, "β = 1, or next to it": 5}
lab.outcome("04b-3-best-beta", best, below=levels, otherwise="the largest β: it is the most regular")

# %% [markdown]
# **What you should see.** The two compete, and this is the picture of it: each β takes another point of one curve. The
# short line through each point has the slope −β. Along it, distortion + β · rate stays the same, and that sum is what
# this model made small. Trained to the end, the curve would just touch the line there.
#
# At β = 1 the sum of the two *is* $-\text{ELBO}$, so one would expect the lowest −ELBO there. After these 200 steps it is
# lowest at β = {{best:g}}: {{rows[best]["−ELBO, test"]:.1f}} nats on test images and {{rows[best]["−ELBO, train"]:.1f}} on
# training images, where β = 1 has {{rows[1.0]["−ELBO, test"]:.1f}} and {{rows[1.0]["−ELBO, train"]:.1f}}. With so little time
# a cheap code is learned sooner. (C27 in `docs/claims.md` trains twice as long, over five seeds: there β = 1 has the lowest.)
# And the curve belongs to this network
# and these steps: a larger one, or more steps, moves all of it down.
#
# ### Drag β
#
# What happens to the codes meanwhile? Six small VAEs with two code values, one for each β. Drag β and watch μ of 60
# digits with their ellipses of 1 σ.

# %%
dragged = {beta: lab.VAE(latent=2, beta=beta, width=8, hidden=64) for beta in (0.03, 0.3, 1.0, 3.0, 10.0, 30.0)}
for model in dragged.values():
    lab.fit(model, small, steps=150, batch_size=64, progress=False)
player = lab.show_posteriors(dragged, data, title="β from 0.03 to 30: μ with ellipses of 1 σ")
display(player)

# %% [markdown]
# **Try it.** Drag from left to right. Click an ellipse to choose its image; its reconstruction stands beside the map.
# `player.to_html("beta.html")` writes a page that works without a kernel.
#
# **What you should see.** At the smallest β the ellipses are dots far apart, well beyond the dashed circles: codes cost
# next to nothing. As β grows they move together and widen, until neighbours overlap and all of them fill the circles. At
# the largest β all means sit in the middle, and every ellipse *is* the dashed circle: each image has the prior for its
# code.
#
# ### Who carries the information?
#
# The KL is a sum over dimensions, so we can ask each of them what it costs.

# %%
lab.plot.curves(
    list(range(1, 11)),
    {f"β = {beta:g}": sorted(per_dimension[beta].tolist(), reverse=True) for beta in betas},
    "dimension, the busiest first",
    "KL in nats",
    alt="Nats carried by each of ten dimensions, for five values of β: large and even for small β, smaller as β grows, "
    "and none at all for β = 30.",
)

# %% [markdown]
# A dimension with a KL of 0 says the same about every image: $\mu_j = 0,\ \sigma_j = 1$. It is **inactive**. Counting
# the [active units]({{glossary}}#active-units) needs a definition. The usual one looks at how much the *mean* moves
# from image to image: unit $j$ is active if $\mathrm{Var}_x[\mu_j(x)] > 0.01$ (Burda et al., 2016).

# %% [markdown]
# Here is a count that a colleague wrote.


# %%
def count_active_wrongly(mu, log_var):
    """mu, log_var: (N, d), one row an image. Return the number of active units."""
    z = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
    return int((z.var(dim=0) > 0.01).sum())


with torch.inference_mode():
    print({beta: count_active_wrongly(*model.posterior(data.test.images)) for beta, model in models.items()})


# %% [markdown]
# ### Exercise 2 · Find the bug
#
# It reports ten active units for *every* model above, the dead one included. Why? Write it correctly.


# %% tags=["exercise"]
def count_active(mu, log_var):
    """mu, log_var: (N, d), one row an image. Return the number of active units."""
    # solution-begin
    return int((mu.var(dim=0) > 0.01).sum())
    # solution-end


# %% tags=["check"]
lab.checks.active_units(count_active)

# %% [markdown] tags=["help"]
# 1. What is the variance of z where a unit is dead, that is, where μ = 0 and σ = 1 for every image? And what is it
#    that the definition in the text looks at?
# 2. The definition asks how much the mean moves from image to image. Take the variance of `mu` alone, over the images
#    (`var(dim=0)`), and leave the noise out.
#
# **Why.** A dead unit is pure noise of variance 1, so its z varies although it says nothing about the image. Only the
# mean tells what an image has to do with it.

# %% [markdown]
# ### Both ends of the curve
#
# With *β too low* the model *memorizes the training data (like a standard Autoencoder)*; with *β too high* it has *poor
# reconstruction quality* (slide 003). The upper end first, in pictures.

# %%
shown = {"original": data.test.images[:10]}
for beta in (0.03, 1.0, 30.0):
    shown[f"β = {beta:g}"] = lab.metrics.in_batches(models[beta].reconstruct, data.test.images[:10])
for beta in (0.03, 1.0, 30.0):
    shown[f"samples, β = {beta:g}"] = models[beta].sample(10, torch.Generator().manual_seed(1))
lab.plot.image_rows(
    shown,
    alt="Ten digits reconstructed with β = 0.03, 1 and 30, then samples of each: the first reconstructs best but its "
    "samples are the least like digits, the last draws one blurred picture for every image and every sample.",
    scale=0.55,
)

# %%
samples_told = {}
for beta in (0.03, 1.0):
    samples = models[beta].sample(500, torch.Generator().manual_seed(1))
    decoded = lab.metrics.in_batches(models[beta].reconstruct, data.test.images[:500])
    samples_told[f"β = {beta:g}"] = lab.metrics.critic_accuracy(samples, decoded, steps=150)
lab.plot.bars(samples_told, "critic: samples told from own reconstructions", baselines={"cannot be told apart": 0.5})

# %% tags=["nbval-check-output"]
with torch.inference_mode():
    varies = {beta: float(model.reconstruct(data.test.images).std(dim=0).max()) for beta, model in models.items()}
lab.holds(
    ("β = 30 draws one picture for all: how much it varies, over β = 1", varies[30.0] / varies[1.0], "<", 0.1),
    ("dimensions that β = 30 uses", rows[30.0]["active units"], "≤", 0),
    ("dimensions that β = 0.03 uses, of ten", rows[0.03]["active units"], "≥", 10),
    ("samples at β = 0.03 are told more surely than at β = 1",
     samples_told["β = 0.03"].value, ">", samples_told["β = 1"].value),
)  # fmt: skip

# %% [markdown]
# **What you should see.** At β = 30 no nat is worth its price: the code is dead, and the decoder draws the same blur
# for everyone. **Right.** At the lower end reconstruction is the best of the five and *generation* breaks: the codes no
# longer lie where the prior draws. But has anything been memorised? The columns train and test of the table hardly
# differ. Memorising takes few images and long training, so let us give it both: 200 digits.
#
# A VAE differs from an autoencoder in two ways at once. Noise is added to its code; and its pixels are drawn black or
# white anew each time, which is a kind of augmentation. To tell which of them matters, we need all four combinations.

# %%
few = lab.load("mnist-5k", n=200)
few = replace(few, val=few.val[:20])  # looked at after every epoch, and these are short
sizes = {"latent": 10, "width": 8, "hidden": 64}
learnt = {
    "VAE, β = 0.03": lab.VAE(beta=0.03, **sizes),
    "VAE, β = 0.03, grey pixels": lab.VAE(beta=0.03, binarise=False, **sizes),
    "autoencoder, black-and-white pixels": lab.ConvAutoencoder(loss="cross_entropy", **sizes),
    "autoencoder": lab.ConvAutoencoder(loss="cross_entropy", **sizes),
    "VAE, β = 0": lab.VAE(beta=0.0, **sizes),
    "VAE, β = 4": lab.VAE(beta=4.0, **sizes),
}

# %%
fresh = {"autoencoder, black-and-white pixels": lambda x, generator=None: torch.bernoulli(x, generator=generator)}
memory = {}
for name, model in learnt.items():
    lab.fit(model, few, steps=400, batch_size=64, learning_rate=3e-3, progress=False, corrupt=fresh.get(name))
    train, test = (lab.metrics.mse(model, split).value for split in (few.train, data.test))
    memory[name] = {"mse, its 200 images": train, "mse, new images": test, "new / its own": test / train}
pd.DataFrame(memory).T.round(4)

# %% tags=["nbval-check-output"]
times = {name: row["new / its own"] for name, row in memory.items()}
lab.holds(
    ("a low β memorises: new images cost, times its own", times["VAE, β = 0.03"], ">", 2),
    ("a high β does so less: its ratio, over that", times["VAE, β = 4"] / times["VAE, β = 0.03"], "<", 0.75),
    (
        "grey pixels in place of fresh black-and-white ones: over that",
        times["VAE, β = 0.03, grey pixels"] / times["VAE, β = 0.03"],
        ">",
        1.1,
    ),
    ("the autoencoder memorises most", max(times, key=times.get) == "autoencoder"),
)

# %% [markdown]
# **What you should see.** Now it comes true: with few images a low β learns them by heart, and a high β much less. Read
# the first four rows as a square (new / its own):
#
# | | pixels drawn anew | grey pixels |
# |---|---|---|
# | noise on the code (VAE, $\beta = 0.03$) | {{times["VAE, β = 0.03"]:.1f}} | {{times["VAE, β = 0.03, grey pixels"]:.1f}} |
# | no noise (autoencoder) | {{times["autoencoder, black-and-white pixels"]:.1f}} | {{times["autoencoder"]:.1f}} |
#
# Each of the two keeps the model from its images, and the KL has little part in it at this end: without any, at β = 0,
# the ratio is {{times["VAE, β = 0"]:.1f}}. So *like a standard autoencoder* is too strong, and "β too low memorises" is
# **right under a condition**: that there is little to learn from. With 1,500 digits and a short run the price of a low β
# was paid in samples, not in memory.

# %% [markdown]
# ## 4 · Posterior collapse
#
# At β = 30 the whole code died, and rightly so: it was too expensive. [Posterior
# collapse]({{glossary}}#posterior-collapse), $q(z|x) = p(z)$ for all $x$, becomes a *fault* where the code would have
# paid and training missed it. Early on the decoder cannot use the code yet, while the KL can be saved at once, by
# giving up. Two remedies:
#
# - **warm-up**: let β rise from 0 during the first steps, so that the decoder learns to listen first;
# - **free bits**: charge the KL of a dimension only above a floor λ, $\sum_j \max(\lambda, \mathrm{KL}_j)$, so that
#   nothing is gained by going below it (Kingma et al., 2016).
#
# How to tell a fault from thrift? By the objective itself. At β = 8, train with each remedy and with none, and measure
# $J = \text{reconstruction} + 8\,\mathrm{KL}$, the plain objective, without any remedy in it. If a remedy reaches a
# lower $J$, the run without it has missed something. Whether it is *stuck*, or only late, is told by training longer.

# %%
lab.predict(
    "After 200 steps the run with warm-up has a clearly lower J than the run without. And after 1,000 steps?",
    options=["the lead is as large or larger: the plain run is stuck", "the lead has shrunk below half, or is gone"],
    key="04b-4-heals",
)

# %%
remedies = {"none": {"warm_up": 0.0}, "warm-up": {"warm_up": 0.5}, "free bits": {"warm_up": 0.0, "free_bits": 0.2}}
trials, objective = {}, {}
for steps in (200, 1000):
    for name, settings in remedies.items():
        model = lab.VAE(latent=10, beta=8.0, width=8, hidden=64, **settings)
        lab.fit(model, small, steps=steps, batch_size=64, progress=False)
        each = lab.metrics.kl_per_dimension(model, data.test)
        bound = -lab.metrics.elbo(model, data.test).value
        objective[name, steps] = bound + 7 * float(each.sum())  # −ELBO holds the KL once already
        row = {"J at β = 8": objective[name, steps], "rate (KL)": float(each.sum())}
        trials[f"{name}, {steps} steps"] = row | {"busiest": float(each.max()), "idlest": float(each.min())}
pd.DataFrame(trials).T.round(2)

# %% tags=["nbval-check-output"]
early, late = (objective["none", steps] - objective["warm-up", steps] for steps in (200, 1000))
lab.holds(
    ("200 steps: J without a remedy less J with warm-up, in nats", early, ">", 1),
    ("1,000 steps: the same", late, "<", early / 2),
    ("J without a remedy falls meanwhile by", objective["none", 200] - objective["none", 1000], ">", 10),
)

# %%
stuck = "the lead is as large or larger: the plain run is stuck"
lab.outcome("04b-4-heals", late / early, below={"the lead has shrunk below half, or is gone": 0.5}, otherwise=stuck)

# %% [markdown]
# **What you should see.** After 200 steps the plain run is {{early:.1f}} nats behind: it had given up dimensions that
# would have paid. That looks like a collapse. But train on, and it **heals**: after 1,000 steps the difference is
# {{late:.1f}}. What warm-up saved was time. Free bits keep all ten dimensions at work and a little above their floor; they
# optimise something else, for their floor is rate that the objective would not have bought.
#
# ### A collapse that training does not heal
#
# So is there none? There is, where a *small* step towards the code does not pay and a *large* one would. Take pictures
# of 4 × 4 pixels that are empty but for a little noise, and in three of a hundred there is a bright bar. To say "bar"
# saves many nats when there is one, and costs some. On average it pays. But a code that says it *faintly* saves less
# than it costs: the pixels vary less than the noise that the decoder assumes (*How many dimensions does a noise level
# allow?* in notebook 04). So the dead code lies in a valley of its own, a [local minimum]({{glossary}}#local-minimum).


# %% tags=["folded"]
def with_a_rare_bar(n, seed, share=0.03):
    """A split of n pictures (1, 4, 4): noise of 0.1, and in this share of them a bright bar of eight pixels."""
    draw = torch.Generator().manual_seed(seed)
    x = 0.1 * torch.randn(n, 1, 4, 4, generator=draw)
    there = torch.rand(n, generator=draw) < share
    x[there, :, 1:3, :] += 1
    return lab.Split(x, there.long(), ("empty", "bar"), None)


rare = lab.ImageData("a rare bar", with_a_rare_bar(4000, 1), with_a_rare_bar(1000, 2), with_a_rare_bar(4000, 3))


# %%
histories, bars = {}, {}
for name, warm_up in {"none": 0.0, "warm-up": 0.5}.items():
    model = lab.VAE(
        2, rare.shape, likelihood="gaussian", sigma=0.3**0.5, output="linear", warm_up=warm_up, width=4, hidden=16
    )
    history = lab.fit(model, rare, steps=1500, batch_size=128, learning_rate=5e-3, progress=False)
    histories[name] = [a + b for a, b in zip(history.val["reconstruction"], history.val["kl"], strict=True)]
    bars[name] = {"−ELBO": -lab.metrics.elbo(model, rare.test).value}
    bars[name]["rate (KL)"] = float(lab.metrics.kl_per_dimension(model, rare.test).sum())
lab.plot.curves(
    history.step[1::3], {name: values[1::3] for name, values in histories.items()}, "training step", "−ELBO in nats"
)

# %%
pd.DataFrame(bars).T.round(3)

# %% tags=["nbval-check-output"]
lab.holds(
    ("rate without a remedy, in nats", bars["none"]["rate (KL)"], "<", 0.01),
    ("rate with warm-up", bars["warm-up"]["rate (KL)"], ">", 0.05),
    ("−ELBO without a remedy less with warm-up, in nats", bars["none"]["−ELBO"] - bars["warm-up"]["−ELBO"], ">", 0.03),
)

# %% [markdown]
# **What you should see.** The plain run is on its plateau after a hundred steps and never leaves it. Its rate is
# {{bars["none"]["rate (KL)"]:.3f}} nats. With warm-up the code was learned while it was free, and it stays when β has
# reached 1: {{bars["warm-up"]["rate (KL)"]:.2f}} nats, and a −ELBO lower by
# {{bars["none"]["−ELBO"] - bars["warm-up"]["−ELBO"]:.2f}}. The same objective, a lower value that training missed: **that is
# a collapse**. More steps do not heal it, for from there every small step towards the code costs more than it saves. The
# stored runs over five seeds stand with C28 in `docs/claims.md`.
#
# So do not count active units to judge a model. Count them to understand it; judge by the objective, or by the
# likelihood.

# %% [markdown]
# ### Exercise 3 · How much β can a code stand?
#
# Find out from which β on the code dies. Write an experiment that trains a VAE at each of several values of β, all
# else equal, and returns the number of active units of each on the test images. When the check calls it fair, run it
# and write your conclusion with its figure.


# %% tags=["exercise"]
def collapse_experiment(data, betas, fit=lab.fit, active=lab.metrics.active_units):
    """Train with `fit(model, data, steps=…, seed=…)`, count with `active(model, split)`. Return {β: active units}."""
    # solution-begin
    counts = {}
    for beta in betas:
        vae = lab.VAE(10, beta=beta, width=8, hidden=64)
        fit(vae, data, steps=300, seed=0)
        counts[beta] = active(vae, data.test)
    return counts
    # solution-end


result = None  # what your run gives, collapse_experiment(small, betas) for five values of β or so (ten seconds)
conclusion = None  # one sentence: from which of your β on is no unit active?
# solution-begin
result = collapse_experiment(small, (1.0, 4.0, 10.0, 20.0, 40.0))
dead = [beta for beta, units in result.items() if units == 0]
conclusion = f"Ten dimensions, 300 steps: from β = {min(dead, default=40):g} on no unit is active."
# solution-end

# %% tags=["check"]
lab.checks.collapse_experiment(collapse_experiment, result, conclusion)

# %% [markdown] tags=["help"]
# 1. Make a new VAE for each β and keep everything else equal: code size, number of steps, seed. Count on images that
#    no model was trained on.
# 2. In a loop over `betas`, make a `lab.VAE` with this `beta`, train it with `fit`, and count with `active` on
#    `data.test`. A dictionary collects the counts. The conclusion names the smallest β whose count is 0.
#
# **Why.** β is the price of a nat. Where a unit costs more than it saves in the reconstruction, leaving it unused is
# the cheaper answer, so a large enough β switches off every unit.

# %% [markdown]
# Do the units die one by one, or all at once?

# %% [markdown]
# ## Take-aways
#
# - With two numbers an autoencoder's latent space has gaps and a VAE's hardly any, measured free of scale. With 20 both
#   have them, if one looks at means. The VAE's clouds overlap, which is what closes gaps; they do not follow N(0, I)
#   exactly.
# - Interpolation works in both, and midpoints are not as good as the ends. What the prior adds is that you may ask
#   *anywhere*, not only between two images.
# - β is an exchange rate: each β takes another point of one curve. β = 1 is the ELBO. The rate is an upper bound of what
#   the code tells.
# - An idle dimension may be thrift. It may be late, and more training heals it. It is a collapse where the same objective
#   has a lower value that training cannot reach from there.

# %% [markdown]
# ## Quiz

# %%
lab.quiz(
    "04b",
    [
        {
            "ask": "A scatter plot shows an autoencoder's codes from −20 to 20 and a VAE's from −3 to 3. What follows?",
            "right": (
                "nothing about gaps: the scale of an autoencoder's codes is arbitrary",
                "Divide the codes by ten and multiply the decoder's first weights: same model, other plot.",
            ),
            "wrong": {
                "the autoencoder has larger gaps": "Larger in which unit? Compare with the codes' own spacing.",
                "the VAE stores less information": "That is the KL's business, and the plot does not show σ.",
            },
        },
        {
            "ask": "What closes the gaps in a VAE's latent space?",
            "right": (
                "each image is decoded from a cloud, and the clouds overlap",
                "The decoder sees all codes near μ, so it must draw something sensible there.",
            ),
            "wrong": {
                "the decoder is larger": "In section 1 both decoders are of one kind.",
                "the codes are evenly spaced": "They are not; the map shows dense and thin places.",
            },
        },
        {
            "ask": "The model with β = 4 has fewer active units than the one with β = 1. Which generates better?",
            "right": (
                "the count does not tell; compare likelihoods or samples",
                "An inactive unit may be thrift. The number of units is not a quality.",
            ),
            "wrong": {
                "the one with more active units": "Free bits keep every unit busy by decree; that is no merit.",
                "the one with fewer: it is more disentangled": "Fewer units do not mean clearer ones.",
            },
        },
        {
            "ask": "At β = 0.03 the reconstructions are the best of five models and the samples poor. Why?",
            "right": (
                "codes of real images no longer lie where the prior draws",
                "A cheap KL lets the codes spread out; N(0, I) then misses them.",
            ),
            "wrong": {
                "the decoder has too few parameters": "It reconstructs better than the others: the decoder is able.",
                "sampling uses too few dimensions": "All ten are drawn, and all ten are active.",
            },
        },
        {
            "ask": "A run without warm-up has a higher J than one with it. Is its code stuck?",
            "right": (
                "train on: on digits the difference closes, with a rare bar it stays",
                "Late and stuck look alike after few steps. Only the second is a collapse.",
            ),
            "wrong": {
                "yes: a lower J was possible": "It may only be late. After 1,000 steps the digits' run had made up more than half of it.",
                "no: training always finds it": "Not where a small step towards the code costs more than it saves.",
            },
        },
    ],
)

# %% [markdown]
# ## From slide to cell
#
# | slide | it says | here | verdict |
# |---|---|---|---|
# | 003 AE beside VAE | AE codes leave gaps, VAE codes overlap (C29) | section 1 | right under a condition: about gaps in two dimensions |
# | 002 *Convolutional Variational …* | encodings follow a unit Gaussian (C24) | section 1 | right under a condition: the draws together, and only roughly |
# | 002 *… evenly spaced* | intermediates are plausible (C26) | section 2 | right under a condition: a plain AE's are as good, and the ends are better |
# | 003 | $J$ = reconstruction + β·KL compete (C27) | section 3 | right |
# | 003 | β too low memorises, too high reconstructs poorly (C28) | section 3 | right under a condition: low, with few images; high always |
# | 002 | μ and σ may be large (>20) (C25) | Deeper · More than 20 dimensions | right; it need not pay |
# | 003 | interpretable dimensions; complex priors (C30) | Deeper · Dimensions one can read | right under a condition: no better than PCA's; priors, yes |
# | 002 against 003 | similar codes, or pushed apart? (C52) | Deeper · Do similar images … | right, both |
#
# Five seeds of each stand in `docs/claims.md`.

# %% [markdown]
# ## Further reading
#
# - I. Higgins et al. (2017), *beta-VAE: learning basic visual concepts with a constrained variational framework*, ICLR.
# - A. Alemi et al. (2018), *Fixing a broken ELBO*, arXiv 1711.00464: rate and distortion.
# - Y. Burda, R. Grosse, R. Salakhutdinov (2016), *Importance weighted autoencoders*, arXiv 1509.00519: active units.
# - D. Kingma et al. (2016), *Improved variational inference with inverse autoregressive flow*, arXiv 1606.04934: free
#   bits.
# - R. Chen et al. (2018), *Isolating sources of disentanglement in VAEs*, arXiv 1802.04942: the information gap.
# - F. Locatello et al. (2019), *Challenging common assumptions in the unsupervised learning of disentangled
#   representations*, arXiv 1811.12359.
# - J. Tomczak, M. Welling (2018), *VAE with a VampPrior*, arXiv 1705.07120.

# %% [markdown]
# ## Deeper · Watch β rise
#
# All values of β in one training: with `warm_up=1.0` it rises from 0 to 100 over *all* the steps, and the explorer
# keeps the model at moments on the way. Two numbers, so that you see the whole space.

# %%
rising = lab.VAE(latent=2, beta=100.0, warm_up=1.0, width=8, hidden=64)
explorer = lab.explore(rising, data, title="β from 0 to 100")
lab.fit(rising, small, steps=300, batch_size=64, progress=False, callbacks=[explorer])
display(explorer)

# %% [markdown]
# **Try it.** In **Time**, go from the last moment back to the first, or press *Play*. At step $s$ of 300, β is $s/3$.
# Keep an eye on the scale of the map and on the picture of your image.
#
# **What you should see.** At first the codes spread: they are cheap. As β grows the cloud is drawn together, in one
# direction sooner than in the other, and the pictures grow softer. Before the end all codes sit in one point and every
# place decodes to the same blur: the collapse, one dimension after the other.

# %% [markdown]
# ## Deeper · More than 20 dimensions
#
# The dimensionality of μ and σ *can be large (>20)* (slide 002). It can; is it used? The same small network with more
# and more dimensions.

# %%
sizes = (2, 20, 80)
table = {}
for latent in sizes:
    model = lab.VAE(latent=latent, width=8, hidden=64)
    lab.fit(model, small, steps=180, batch_size=64, progress=False)
    table[latent] = {
        "active units": lab.metrics.active_units(model, data.test),
        "rate (KL)": float(lab.metrics.kl_per_dimension(model, data.test).sum()),
        "−ELBO": -lab.metrics.elbo(model, data.test).value,
    }
table = pd.DataFrame(table).T.rename_axis("dimensions")
table.round(2)

# %% tags=["nbval-check-output"]
bound, rates = table["−ELBO"], table["rate (KL)"]
lab.holds(
    ("20 dimensions instead of 2 gain, in nats", bound[2] - bound[20], ">", 20),
    ("80 instead of 20 gain", bound[20] - bound[80], "<", 1),
    ("and cost more rate by", rates[80] - rates[20], "<", 3),
)

# %% [markdown]
# **What you should see.** Going from 2 to 20 dimensions is worth {{bound[2] - bound[20]:.0f}} nats. Beyond that nothing is
# gained: 80 dimensions have a rate of {{rates[80]:.1f}} nats where 20 have {{rates[20]:.1f}}, spread thinner. **Right,
# then, that there can be more than 20; that they pay is another matter.** The stored runs (C25 in `docs/claims.md`) train
# longer and count how many of 40 are really used.

# %% [markdown]
# ## Deeper · Dimensions one can read
#
# VAEs are said to *learn interpretable dimensions* (slide 003). To test this we need pictures whose causes are known: the
# set `shapes`, drawn from six factors. The **mutual information gap** asks of each factor: does *one* dimension
# tell it, or do several share it? 1 is perfect, 0 is a thorough mixture (Chen et al., 2018).

# %%
shapes = lab.load("shapes", n=2000).map(lambda x: torch.nn.functional.avg_pool2d(x, 2))  # 16×16 pixels, in colour
readers = {"PCA(8)": lab.PCA(8).fit(shapes.train)}
for beta in (1.0, 4.0):
    model = lab.VAE(8, image_shape=shapes.shape, beta=beta, likelihood="gaussian", sigma=0.1, width=8, hidden=64)
    lab.fit(model, shapes, steps=250, batch_size=64, learning_rate=4e-3, progress=False)
    readers[f"VAE(8), β = {beta:g}"] = model
gaps = {name: lab.metrics.disentanglement(model, shapes.test) for name, model in readers.items()}
lab.plot.bars(gaps, "mutual information gap", baselines={"perfect": 1.0})

# %%
reader = readers["VAE(8), β = 4"]
order = lab.metrics.kl_per_dimension(reader, shapes.test).argsort(descending=True)
with torch.inference_mode():
    start = reader.encode(shapes.test.images[:1])
    rows = {}
    for j in order.tolist():
        codes = start.repeat(9, 1)
        codes[:, j] = torch.linspace(-2, 2, 9)
        rows[f"z{j + 1}"] = reader.decode(codes)
lab.plot.image_rows(
    rows,
    alt="One shape decoded with each of eight dimensions moved from −2 to 2: some move it or change its colour or "
    "size, several change more than one thing at a time, and some change nothing.",
    scale=0.55,
)

# %% tags=["nbval-check-output"]
lab.holds(
    ("the largest gap of all; one dimension a factor would be 1", max(gap.value for gap in gaps.values()), "<", 0.5)
)

# %% [markdown]
# **What you should see.** Read the rows: there is one that sweeps the colour, one that moves the shape, one for its
# size. But most of them change a second thing on the way, and some change nothing. The gap says the same: PCA, which
# promises nothing, has {{gaps["PCA(8)"].value:.2f}}, the VAE {{gaps["VAE(8), β = 1"].value:.2f}} at β = 1 and
# {{gaps["VAE(8), β = 4"].value:.2f}} at β = 4. The stored runs (C30 in `docs/claims.md`) say how it depends on β. Without
# further assumptions no method can be sure to find the true factors (Locatello et al., 2019). *Interpretable* is a
# hope, not a property.
#
# ### A richer prior
#
# *Complex priors can be set* as well (slide 003). Section 1 found that two dimensions are too tight for N(0, I). So let the
# prior learn: a mixture of twenty Gaussians, trained along with the rest.

# %%
lab.show_source(lab.MixturePriorVAE.log_prior, lab.MixturePriorVAE.kl)

# %%
priors = {"N(0, I)": lab.VAE(2, width=8, hidden=128), "mixture of 20": lab.MixturePriorVAE(2, width=8, hidden=128)}
for model in priors.values():
    lab.fit(model, data, steps=200, batch_size=64, progress=False)
bounds = {name: lab.metrics.nll(model, data.test, samples=20) for name, model in priors.items()}
lab.plot.bars(bounds, "NLL in nats, 20 importance samples; lower is better")

# %% [markdown]
# **What you should see.** Two bars and their standard errors; whether the mixture is ahead in so short a run is for you
# to read off. The stored runs over five seeds decide it.

# %% [markdown]
# ## Deeper · Do similar images get similar codes?
#
# Two statements seem to disagree. The reconstruction term *encourages similar images to output similar encodings*, and
# the KL holds them together in one Gaussian (slide 002). Reconstruction pushes points *apart*, so that they decode well,
# and the KL pulls them together (slide 003). Both can be measured: **neighbours kept**, the share of an image's ten
# nearest images that are among its ten nearest codes; and **spread**, the distance between codes in units of their σ. As
# a control stands an encoder that nobody trained.


# %% tags=["folded"]
def kept_and_spread(model, images, nearest):
    """The share of `nearest` (N, 10) found among the ten nearest codes, and the median distance of codes in σ."""
    with torch.inference_mode():
        mu, log_var = model.posterior(images)
    apart = torch.cdist(mu, mu).fill_diagonal_(torch.inf)
    found = apart.topk(10, largest=False).indices
    kept = float((nearest[:, :, None] == found[:, None, :]).any(dim=2).float().mean())
    return kept, float(apart[apart.isfinite()].median() / torch.exp(0.5 * log_var).mean())


# %%
x = data.test.images
nearest = torch.cdist(x.flatten(1), x.flatten(1)).fill_diagonal_(torch.inf).topk(10, largest=False).indices
rows = {"nobody trained it": kept_and_spread(lab.VAE(latent=10, width=8, hidden=64).eval(), x, nearest)}
for beta in (0.1, 1.0, 10.0):
    model = lab.VAE(latent=10, beta=beta, width=8, hidden=64)
    lab.fit(model, small, steps=150, batch_size=64, progress=False)
    rows[f"β = {beta:g}"] = kept_and_spread(model, x, nearest)
pd.DataFrame(rows, index=["neighbours kept", "spread in σ"]).T.round(3)

# %% tags=["nbval-check-output"]
kept, spread = ({name: row[k] for name, row in rows.items()} for k in (0, 1))
lab.holds(
    ("the spread falls from β = 0.1 to 1 to 10", spread["β = 0.1"] > spread["β = 1"] > spread["β = 10"]),
    ("neighbours kept at β = 0.1; chance is a hundredth", kept["β = 0.1"], ">", 0.1),
    ("neighbours kept at β = 0.1, over the untrained encoder", kept["β = 0.1"] / kept["nobody trained it"], ">", 1.2),
)

# %% [markdown]
# **What you should see.** Both are right, about different things. The less the KL counts, the farther codes move apart,
# measured in what the decoder can resolve ({{spread["β = 10"]:.1f}} σ at β = 10, {{spread["β = 0.1"]:.0f}} σ at β = ⅒:
# slide 003). And neighbours stay neighbours (slide 002). A part of that is no merit of the loss: encoder and decoder are
# smooth, and an encoder that nobody trained already keeps {{kept["nobody trained it"]:.0%}}. The rest is learnt:
# {{kept["β = 0.1"]:.0%}} after training. The stored runs say the same (C52 in `docs/claims.md`).
