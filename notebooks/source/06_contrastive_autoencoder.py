# %% [markdown]
# # 06 · The contrastive autoencoder
#
# *Learning from views without labels; VICReg, term by term; why eight equations taken literally draw nothing, and what
# they lack, one change at a time; the same picture again and again*
#
# So far somebody always told the network what was right: the pixels of the picture. In this notebook nobody does. An
# encoder learns from *two views of the same thing*, without labels and without drawing. Then a decoder learns to draw
# from *what that encoder sees*. The whole is called a contrastive convolutional autoencoder, CCAE for short, and eight
# equations describe it (slide 000). You will build it line by line and find that the equations, taken literally, do not
# give back a single digit. Then you will find out what they lack.
#
# **You will be able to**
#
# - explain self-supervised learning, and why its simplest form always collapses (section 1, quiz);
# - write VICReg's three terms, and say what breaks when each is left out (section 2, Exercise 1);
# - tell agreement in code space from a good reconstruction, and never report the first for the second (section 4,
#   quiz);
# - set up an [ablation]({{glossary}}#ablation): equal data, equal steps, one change a row (section 5, Exercise 3);
# - say what a code is good for when its pictures are poor (section 6).
#
# **Before you start** Notebook 02: the convolutional autoencoder. Mean, variance and covariance of a batch.
#
# **Time** {{minutes}} minutes with the exercises; the computer itself needs about {{seconds}} s of them.
#
# **Slides covered** 000 *Contrastive Convolutional Auto-Encoder (CCAE)*: all of it but the survey of other models.

# %% tags=["setup"]
from dataclasses import replace
from functools import cache

import pandas as pd
import torch
from IPython.display import display

import autoencoder_lab as lab
from autoencoder_lab import losses

lab.setup(seed=0)
data = lab.load("mnist-5k")  # 3,500 digits to train on
to_choose_by = data.val  # 500 digits
data = replace(data, val=data.val[:100])  # looked at after every epoch, and these runs are short
SMALL = {"width": 8, "projector": (64, 64)}  # what all networks of this notebook are built with
BUDGET = {"steps": 160, "batch_size": 128, "learning_rate": 5e-3, "progress": False}  # and trained with

# %% tags=["setup", "folded"]
NETWORKS = {  # those that several sections look at
    "conv AE": lambda: lab.ConvAutoencoder(32, width=8, hidden=128),
    "VICReg": lambda: lab.VICReg(32, **SMALL),
    "literal CCAE": lambda: lab.CCAE(32, views="none", judge="live", **SMALL),
    "CCAE": lambda: lab.CCAE(32, views="crop", judge="frozen", **SMALL),
}


@cache
def trained(name):
    """One of these networks and its history, trained with the budget: once, however many sections ask for it."""
    model = NETWORKS[name]()
    return model, lab.fit(model, data, **BUDGET)


class Pixels:
    """The raw pixels as a "code": what every code has to be compared with."""

    def encode(self, x):
        return x.flatten(1)


class Embeddings:
    """The embeddings Z = p(f(x)) of a model with an encoder f and a projector p."""

    def __init__(self, model):
        self.model = model

    def encode(self, x):
        return self.model.projector(self.model.encode(x))


# %% [markdown]
# ## 1 · Learning from views, and the trap in it
#
# What is the same about two photographs of one mug? Not the pixels: the angle differs, the light, the part in the
# picture. If a network gives both the same code, it must have found something that belongs to the mug, and nobody had
# to say "mug". This is [self-supervised
# learning]({{glossary}}#self-supervised-learning): the task is made from the data themselves.
#
# Our [views]({{glossary}}#view) of a digit are random crops, between 60 and 95 % of its side, enlarged to the whole.

# %%
view = lab.augment.crop()
torch.manual_seed(0)
eight = data.test.images[:8]
lab.plot.image_rows(
    {"image": eight, "view 1": view(eight), "view 2": view(eight)},
    alt="Eight digits, and below each of them two random parts of it, enlarged: shifted, larger, sometimes cut off.",
    scale=0.5,
)

# %% [markdown]
# The plainest wish is [invariance]({{glossary}}#invariance): two views $x_1, x_2$ of an image should embed alike. Let
# $f$ be the encoder and $p$ a small network behind it, and write $Z = p(f(x_1))$ and $Z' = p(f(x_2))$. For $B$ images
# and $D$ embedding dimensions make this small:
#
# $$s(Z, Z') = \frac{1}{B\,D} \sum_{i=1}^{B} \lVert z_i - z'_i \rVert^2$$
#
# Here are a few steps by hand. Beside the loss we write down two things that the loss does not see. How far are the
# embeddings of *different* images apart (the standard deviation of a dimension over the batch)? And how much do two
# views disagree *measured by that spread*?

# %%
lab.predict(
    "Trained for invariance alone, an encoder will give …",
    options=["images of one digit similar codes", "all images the same code", "all images very different codes"],
    key="06-1-invariance-alone",
)

# %%
torch.manual_seed(0)
alone = lab.VICReg(32, **SMALL)  # an encoder f and a projector p, not trained yet
before = lab.metrics.probe(alone, data)
optimiser, record = torch.optim.Adam(alone.parameters(), 1e-3), []
for _ in range(60):
    x = data.train.images[torch.randint(len(data.train), (128,))]
    z, other = (alone.projector(alone.encode(view(x))) for _ in range(2))
    loss = losses.vicreg_invariance(z, other)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    with torch.no_grad():
        spread = z.std(dim=0).mean()
        record.append((loss.item(), spread.item(), (loss / (2 * spread.square())).item()))

# %% tags=["folded"]
names = ("the loss s(Z, Z')", "spread of Z", "disagreement of two views, by their spread")
lab.plot.curves(
    range(1, 61, 3),
    {name: values[::3] for name, values in zip(names, zip(*record, strict=True), strict=True)},
    "training step",
    "value",
    log="y",
)

# %%
accuracy = {
    "raw pixels": lab.metrics.probe(Pixels(), data),
    "code, untrained": before,
    "code, invariance alone": lab.metrics.probe(alone, data),
}
lab.plot.bars(accuracy, "accuracy of a probe")

# %% tags=["nbval-check-output"]
(loss_first, spread_first, by_spread_first), (loss_last, spread_last, by_spread_last) = record[0], record[-1]
lab.holds(
    ("the loss, last step over first", loss_last / loss_first, "<", 0.01),
    ("the spread, last step over first", spread_last / spread_first, "<", 0.2),
    ("disagreement by spread, last step over first", by_spread_last / by_spread_first, ">", 0.8),
    ("what the probe gains by the training", accuracy["code, invariance alone"].value - before.value, "<", 0.02),
)

# %%
same = spread_last < 0.2 * spread_first
lab.outcome("06-1-invariance-alone", "all images the same code" if same else "images of one digit similar codes")

# %% [markdown]
# **What you should see.** The loss falls to nothing. By the numbers that is a triumph, and it falls because *everything
# shrinks to one point*. Measured by their spread, two views agree no better than at the start. Somebody who says the
# same about everything never contradicts himself: a constant code has $s = 0$ exactly, for every pair of views. This is
# [collapse]({{glossary}}#collapse). And a [probe]({{glossary}}#linear-probe), a linear classifier on the frozen code,
# reads no more digits from it than from a network that was never trained.
#
# Four kinds of remedy are in use:
#
# - [contrastive]({{glossary}}#contrastive-learning) methods (SimCLR, MoCo) take *other* images, the negatives, and push
#   their codes away;
# - methods like **VICReg** and Barlow Twins take no negatives. They ask the batch as a whole to keep spread out;
# - in **distillation** (BYOL, SimSiam, DINO) one branch learns to follow the other, and the other does not follow back:
#   no gradient runs into it, and often it is a slow average of the first;
# - in **clustering** (DeepCluster, SwAV) two views must fall into the same group, and the groups must be of like size.
#
# This notebook takes VICReg, as slide 000 does. The slide calls its autoencoder *contrastive*. That is the slide's
# word: VICReg has no negatives to contrast with.
#
# **Try it.** Divide `z` and `other` by their standard deviation before the loss, `z / z.std(dim=0)`. What can the
# network no longer do?

# %% [markdown]
# ## 2 · Variance, invariance, covariance
#
# [VICReg]({{glossary}}#vicreg) is named after its three terms (Bardes, Ponce and LeCun, 2022; slide 000, *VICReg
# Loss*). For a batch $Z$ of shape $(B, D)$, with column $z_{\cdot j}$ and the covariance matrix $C$ of its columns:
#
# | term | formula | in words |
# |---|---|---|
# | variance | $v(Z) = \frac1D \sum_j \max(0, 1 - \sqrt{\text{Var}(z_{\cdot j}) + \varepsilon})$ | columns spread |
# | invariance | $s(Z, Z') = \frac{1}{BD} \sum_i \lVert z_i - z'_i \rVert^2$ | two views agree |
# | covariance | $c(Z) = \frac1D \sum_{i \ne j} C_{ij}^2$ | no column repeats another |
#
# $$\ell = 25\,\big[v(Z) + v(Z')\big] + 25\; s(Z, Z') + 1\,\big[c(Z) + c(Z')\big]$$
#
# Var and $C$ divide by $B - 1$, and $\varepsilon = 10^{-4}$ keeps the root's slope finite where a dimension is
# constant. (Beware when you compare: the authors' program halves $v$, and their paper sums $s$ over $D$.)

# %% [markdown]
# ### Exercise 1 · Three terms
#
# Write them. $v$ and $c$ are added up for both batches; the weights come later. You may do one term at a time: return
# `None` for those not done yet.


# %% tags=["exercise"]
def vicreg_terms(z, other):
    """z, other: (B, D). Return (v(z) + v(other), s(z, other), c(z) + c(other)), three scalars."""
    # solution-begin
    variance = covariance = 0
    for batch in (z, other):
        variance = variance + torch.relu(1 - torch.sqrt(batch.var(dim=0) + 1e-4)).mean()
        centred = batch - batch.mean(dim=0)
        c = centred.T @ centred / (len(batch) - 1)
        covariance = covariance + (c.square().sum() - c.diagonal().square().sum()) / batch.shape[1]
    return variance, (z - other).square().mean(), covariance
    # solution-end


# %% tags=["check"]
lab.checks.vicreg_terms(vicreg_terms)

# %% [markdown] tags=["help"]
# 1. Take one term at a time, from the table of the section. v looks at the spread of every column and is 0 where that
#    is at least 1; s compares the two batches; c looks at the covariance matrix beside its diagonal.
# 2. `batch.var(dim=0)` is the variance of each column, and `torch.relu` is the hinge, max(0, …). With the mean taken
#    off, `centred.T @ centred` divided by B − 1 is the covariance matrix: take all its squares, without those of its
#    `diagonal()`, and divide their sum by D.
#
# **Why.** s pulls the two views together. v keeps that from ending in one point for all images, and c keeps the
# columns from all saying the same.

# %% [markdown]
# ### Remove each in turn
#
# Four encoders, equal in all but one weight, and four rulers, on test images:
#
# - **spread**: standard deviation of an embedding dimension, on average. 1 is what $v$ asks for;
# - **[effective rank]({{glossary}}#effective-rank)** of $Z$: how many directions it really uses, of 64;
# - **twin found**: of 500 images, embed two views each. How often is a view's nearest neighbour its own twin?
# - **probe** on the code $Y$: which digit is it? Raw pixels stand in the last row.

# %%
HAPPENS = ["all embeddings shrink to one point", "dimensions repeat one another", "two views of an image drift apart"]
lab.predict("Without the variance term …", options=HAPPENS, key="06-2-no-variance")

# %%
lab.predict("Without the invariance term …", options=HAPPENS, key="06-2-no-invariance")

# %%
lab.predict("Without the covariance term …", options=HAPPENS, key="06-2-no-covariance")


# %% tags=["folded"]
def rulers(model):
    """spread, effective rank, twin found, probe: of one encoder with its projector, on test images."""
    embeddings = Embeddings(model)
    view, generator = lab.augment.crop(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        one, two = (embeddings.encode(view(data.test.images[:500], generator)) for _ in range(2))
    return {
        "spread": lab.metrics.encode(embeddings, data.test).std(dim=0).mean().item(),
        "effective rank": lab.metrics.effective_rank(embeddings, data.test).value,
        "twin found": (torch.cdist(one, two).argmin(dim=1) == torch.arange(500)).float().mean().item(),
        "probe": lab.metrics.probe(model, data).value,
    }


# %%
weights = {"all three": (25, 25, 1), "variance": (0, 25, 1), "invariance": (25, 0, 1), "covariance": (25, 25, 0)}
without = {}
for removed, chosen in weights.items():
    model = lab.VICReg(32, weights=chosen, **SMALL)
    lab.fit(model, data, **BUDGET)
    without[removed] = rulers(model)
table = pd.DataFrame(without).T.rename(index=lambda term: term if term == "all three" else f"without {term}")
table.loc["raw pixels", "probe"] = lab.metrics.probe(Pixels(), data).value
table.round(3).astype(object).where(table.notna(), "")

# %% tags=["nbval-check-output"]
full = without["all three"]
others = max(without[term]["probe"] for term in ("variance", "covariance"))
lab.holds(
    ("without variance: the spread", without["variance"]["spread"], "<", 0.1),
    ("without covariance: the rank", without["covariance"]["effective rank"], "<", 0.5 * full["effective rank"]),
    ("without invariance: twins found", without["invariance"]["twin found"], "<", 0.5 * full["twin found"]),
    ("without variance or covariance: the better probe", others, "<", full["probe"] - 0.02),
)


# %%
def what_happened(row):
    """Which of the predictions came true, the most thorough first."""
    if row["spread"] < 0.1:
        return HAPPENS[0]
    return HAPPENS[1 if row["effective rank"] < 0.5 * full["effective rank"] else 2]


lab.outcome("06-2-no-variance", what_happened(without["variance"]))
lab.outcome("06-2-no-invariance", what_happened(without["invariance"]))
lab.outcome("06-2-no-covariance", what_happened(without["covariance"]))

# %% [markdown]
# **What you should see.** Each term guards against a failure of its own.
#
# - Without **variance** everything shrinks to a point, as in section 1: invariance gets its way.
# - Without **covariance** the spread is fine, but all 64 dimensions say *the same one thing*: the rank is
#   {{without["covariance"]["effective rank"]:.1f}}. One number copied into 64 columns satisfies $v$; only $c$ detects it.
# - Without **invariance** the embeddings are spread and varied, but two views of an image no longer find one another.
#   The probe suffers least: a spread-out random map keeps much of what is in the pixels.
#
# So each of the three matters (slide 000's three headings are **right**). And look at the first row: after 160 steps
# without a single label a linear probe reads the digit from 32 numbers in {{full["probe"]:.0%}} of the cases, from 784
# pixels in {{table.loc["raw pixels", "probe"]:.0%}}.
#
# **Try it.** `projector=(512,)` in place of `(64, 64)`. Which ruler moves most?

# %% [markdown]
# ## 3 · Eight equations
#
# Now comes a decoder: three networks and five steps, here with the slide's own sizes.
#
# | | slide 000 | in code | |
# |---|---|---|---|
# | (1) | $f_{enc}: \mathbb R^{c \times h \times w} \to \mathbb R^{2048}$ | `ccae.encoder` | |
# | (2) | $f_{dec}: \mathbb R^{2048} \to \mathbb R^{c \times h \times w}$ | `ccae.decoder` | |
# | (3) | $f_{proj}: \mathbb R^{2048} \to \mathbb R^{8192}$ | `ccae.projector` | [projector]({{glossary}}#projector) |
# | (4) | $Y = f_{enc}(X)$ | `Y = ccae.encode(X)` | code of the image |
# | (5) | $Z = f_{proj}(Y)$ | `Z = ccae.projector(Y)` | its embedding |
# | (6) | $X' = f_{dec}(Y)$ | `X_ = ccae.decode(Y)` | the reconstruction |
# | (7) | $Y' = f_{enc}(X')$ | `Y_ = ccae.encode(X_)` | code of the reconstruction |
# | (8) | $Z' = f_{proj}(Y')$ | `Z_ = ccae.projector(Y_)` | its embedding |
#
# The loss is VICReg between $Z$ and $Z'$. Look at what is *not* there: nowhere is $X'$ compared with $X$. The two views
# of section 1 have become **the image and its reconstruction**.
#
# The slide's own size is one line away: `latent=2048, projector=(8192,)`, one layer from 2,048 to 8,192 numbers. What
# it takes to train it stands under *Deeper*.

# %%
lab.predict(
    "At the slide's size, which of the three networks has the most parameters?",
    options=["the encoder", "the decoder", "the projector", "encoder and decoder, about equally"],
    key="06-3-where-the-parameters-are",
)

# %%
slide = lab.CCAE(latent=2048, projector=(8192,))
ours = lab.CCAE(latent=32, **SMALL)
X = data.test.images[:64]
with torch.no_grad():
    Y = slide.encode(X)  # (4)
    Z = slide.projector(Y)  # (5)
    X_ = slide.decode(Y)  # (6)
    Y_ = slide.encode(X_)  # (7)
    Z_ = slide.projector(Y_)  # (8)
named = {"X": X, "Y": Y, "Z": Z, "X'": X_, "Y'": Y_, "Z'": Z_}
pd.DataFrame({name: str(tuple(value.shape)) for name, value in named.items()}, index=["shape"])


# %% tags=["folded"]
def parameters(network):
    """How many numbers a network learns."""
    return sum(weight.numel() for weight in network.parameters())


sizes = {
    name: {part: parameters(getattr(model, part)) for part in ("encoder", "decoder", "projector")}
    for name, model in {"slide 000": slide, "this notebook": ours}.items()
}
table = pd.DataFrame(sizes).T
table["all"] = table.sum(axis=1)
table["MB to train (Adam)"] = table["all"] * 4 * 4 / 1e6  # weight, gradient and two averages, 4 bytes each
table.round(1)

# %%
lab.diagram.ccae(X, ours)

# %% tags=["nbval-check-output"]
largest = max(sizes["slide 000"], key=sizes["slide 000"].get)
share = table.loc["slide 000", largest] / table.loc["slide 000", "all"]
lab.holds((f"largest at the slide's size: the {largest}; its share of all parameters", share, ">", 0.8))

# %%
lab.outcome("06-3-where-the-parameters-are", f"the {largest}")

# %% [markdown]
# **What you should see.** Nearly all of it is the projector, a network that serves the loss and is *thrown away
# afterwards*. What one keeps is $Y$. This is common practice: the projector takes the pressure of the loss, so the code
# before it need not be as uniform as $v$ and $c$ want it.

# %% [markdown]
# ## 4 · Taken literally
#
# Equations (4) to (8), VICReg between $Z$ and $Z'$, and all three networks learn together. In the library that is
# `views="none"`, for whole images are compared, and `judge="live"`, for the encoder that looks at $X'$ learns as well.

# %%
lab.show_source(lab.CCAE.loss, docstrings=False)

# %%
lab.predict(
    "Its error per pixel on test images, against the mean image's (the same picture for everyone)?",
    options=["less than half of it", "better than it, but more than half of it", "as bad or worse"],
    key="06-4-literal",
)

# %%
literal, _ = trained("literal CCAE")  # lab.CCAE(32, views="none", judge="live", **SMALL)
x = data.test.images
with torch.no_grad():
    z, x_hat = Embeddings(literal).encode(x), literal.reconstruct(x)
    z_hat = Embeddings(literal).encode(x_hat)
mean_image = data.train.images.mean(dim=0, keepdim=True)
figures = {
    "Z' explains of Z's variance": 1 - ((z - z_hat).square().mean() / (z - z.mean(dim=0)).square().mean()).item(),
    "own Z is the nearest to Z', of 1,000": (torch.cdist(z_hat, z).argmin(dim=1) == torch.arange(1000)).float().mean(),
    "error per pixel": lab.metrics.mse(literal, data.test).value,
    "error per pixel of the mean image": (x - mean_image).square().mean(),
}
pd.Series({name: float(value) for name, value in figures.items()}).round(3)

# %% tags=["folded"]
lab.plot.image_rows(
    {"x": x[:8], "x'": x_hat[:8], "mean image": mean_image.expand(8, -1, -1, -1)},
    alt="Eight digits; what the literal CCAE draws of them: textures in which no digit can be made out; and the mean "
    "image, a soft blob.",
    scale=0.5,
)

# %% tags=["nbval-check-output"]
explained, error, baseline = (float(list(figures.values())[i]) for i in (0, 2, 3))
lab.holds(
    ("Z' explains of Z's variance", explained, ">", 0.9),
    ("yet the error per pixel is above the mean image's", error, ">", baseline),
)

# %%
limits = {"less than half of it": 0.5, "better than it, but more than half of it": 0.98}
lab.outcome("06-4-literal", error / baseline, below=limits, otherwise="as bad or worse")

# %% [markdown]
# **What you should see.** By the loss this autoencoder is excellent: from $X'$ the encoder recovers $Z$ almost
# perfectly. And its pictures are worse than *the same blob for everyone*. Encoder and decoder have agreed on **a
# private code**: any pattern will do, as long as both know what it stands for.
#
# Nothing in the equations forbids it. $X'$ has to be *recognised*; it need not be *like* $X$. So here is this
# notebook's rule: **never report agreement in code space without the error per pixel beside it, and the mean image's
# beside that.**

# %% [markdown]
# ### Exercise 2 · Find the bug
#
# A colleague wants to mend it. The encoder is to stay as it is, and only the decoder is to learn. The judge is to see
# *crops* of $x$ and $x'$, so that every part of the picture has to be recognised on its own. The loss falls faster than
# ever.


# %%
def loss_of_a_colleague(f, p, d, x, view):
    x_hat = d(f(x))
    z, z_hat = p(f(view(x))), p(f(view(x_hat)))
    return (z - z_hat).square().mean()


# %% tags=["folded"]
encoder = lab.VICReg(32, **SMALL)
lab.fit(encoder, data, **BUDGET | {"steps": 100})
ccae = lab.CCAE(32, encoder=encoder, **SMALL)
ccae.start_from(data.train.images)  # the trained encoder, and a new decoder
ccae.requires_grad_(True)  # CCAE freezes an encoder it is given; the colleague did without
f, p, d = ccae.encoder, ccae.projector, ccae.decode
optimiser, generator = torch.optim.Adam(ccae.parameters(), 5e-3), torch.Generator().manual_seed(0)
for step in range(61):
    x = data.train.images[torch.randint(len(data.train), (128,), generator=generator)]
    loss = loss_of_a_colleague(f, p, d, x, lab.augment.crop())
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    if step % 20 == 0:
        print(f"step {step:2}: loss {loss.item():.4f}, spread of Z {p(f(x)).std(dim=0).mean().item():.3f}")

# %% [markdown]
# There are *two* mistakes. Whom does `backward()` reach? And which two pictures are compared? Write a loss that teaches
# the decoder alone when somebody calls `backward()` on it. Leave the networks as you found them.


# %% tags=["exercise"]
def decoder_loss(f, p, d, x, view):
    """f: encoder, p: projector, d: decoder; x: (B, C, H, W); view crops each image of a batch at random, all of its
    channels alike. Return mean (Z − Z')², a scalar, between the same crop of x and of x' = d(f(x))."""
    # solution-begin
    learning = [weight for judge in (f, p) for weight in judge.parameters() if weight.requires_grad]
    for weight in learning:
        weight.requires_grad_(False)  # constants while the loss is made; the gradient passes through them, to x' and d
    x_hat = d(f(x))
    seen, seen_hat = view(torch.cat([x, x_hat], dim=1)).chunk(2, dim=1)  # as channels of one image: one crop for both
    loss = (p(f(seen)) - p(f(seen_hat))).square().mean()
    for weight in learning:
        weight.requires_grad_(True)  # left as they came
    return loss
    # solution-end


# %% tags=["check"]
lab.checks.decoder_loss(decoder_loss)

# %% [markdown] tags=["help"]
# 1. The first mistake: a distance also becomes small if encoder and projector give up telling pictures apart, and
#    nothing keeps them from it. The second: `view` is called twice. Does it cut out the same place both times?
# 2. `requires_grad_(False)` makes the weights of a network constants, and the gradient still passes through it to x'
#    and d. For one crop of both pictures, put them together as channels of one image, `torch.cat([…], dim=1)`, crop
#    that, and take it apart with `chunk`.
#
# **Why.** A decoder can be taught only by a judge that holds still, and only where the judge compares the same piece
# of both pictures.

# %% [markdown]
# ## 5 · What do the equations lack?
#
# What would stop the two from making up a language of their own? The slide does not say how it trains its networks.
# Here are four things that it leaves open, each a switch, and beside them what the library's `lab.CCAE` does:
#
# | question | taken literally | `lab.CCAE` |
# |---|---|---|
# | What is compared? | the whole image and its reconstruction | one **crop** of both, another at every step |
# | Who learns from the comparison? | all three networks | decoder and encoder, as those who draw; the [judge]({{glossary}}#judge) is **frozen** |
# | Of which images are $v$ and $c$ asked? | of $X$ and $X'$ | of **real** ones alone: two crops of $X$ |
# | Shall two crops of a real image embed alike? | that is not asked | a little: **agreement**, 0.2 of the weight of $s$ |
#
# A frozen judge is no second network. It is the encoder as it stands at this step, its weights taken for constants:
# $x'$ is seen through it, the gradient passes back through it, and it takes none of it *as a judge*. The encoder that wrote
# the code $Y$ for $x'$ does: the gradient goes on through the decoder to it. And it learns from real images. *Agreement* is section 2's invariance. Plain VICReg asks for it with all its weight, `agreement=1.0`.
#
# We turn them **one at a time**. First the upper two, from the literal reading: one of them, the other, both. From there
# the lower two; then all four are as in the CCAE, and we turn the upper two back. So any two neighbours in the tables
# below differ in one thing.

# %% tags=["folded"]
view = lab.augment.crop()


def embedding(model, x):
    """Z of images x."""
    return model.projector(model.encoder(x))


def spread_out(z):
    """VICReg's variance and covariance terms, weighted as in section 2."""
    return 25 * losses.vicreg_variance(z) + losses.vicreg_covariance(z)


# %%
class Reading(lab.CCAE):
    """The CCAE's loss, with the switches `crop`, `judge`, `alone` (v and c of real images alone) and `agreement`."""

    def loss(self, x, target=None):
        x_hat = self.reconstruct(x)  # (4), (6)
        both = torch.cat([x, x_hat], dim=1)  # as channels of one image: a crop is the same for both
        seen, seen_hat = (view(both) if self.crop else both).chunk(2, dim=1)
        z, z_hat = embedding(self, seen), self.judged(seen_hat)  # (5); (7) and (8)
        another = embedding(self, view(x)) if self.agreement else z
        s = losses.vicreg_invariance(z.detach() if self.judge == "frozen" else z, z_hat)
        spread = spread_out(z) + spread_out(another if self.alone else z_hat)
        alike = losses.vicreg_invariance(z, another)
        pixels = (x_hat - x).square().mean()
        return lab.Loss(25 * s + spread + 25 * self.agreement * alike + self.pixel * pixels, {"invariance": s})


# %% tags=["folded"]
def reading(crop=False, frozen=False, alone=False, agreement=0.0, pixel=0.0):
    """A new one; all switches off it is the literal CCAE, all on `lab.CCAE(32)`."""
    model = Reading(32, judge="frozen" if frozen else "live", agreement=agreement, pixel=pixel, **SMALL)
    model.crop, model.alone = crop, alone
    return model


# %%
lab.predict(
    "From the literal reading: which change brings the error per pixel clearly below the mean image's?",
    options=["the shared crop alone", "the frozen judge alone", "only both together", "not even both together"],
    key="06-5-crop-and-freeze",
)

# %%
both = {"crop": True, "frozen": True}
ours = both | {"alone": True, "agreement": 0.2}
switches = {
    "literal": {},
    "+ crop": {"crop": True},
    "+ frozen judge": {"frozen": True},
    "+ both": both,
    "both, agreement 0.2": both | {"agreement": 0.2},
    "both, agreement 1": both | {"agreement": 1.0},
    "both, v and c real": both | {"alone": True},
    "CCAE": ours,
    "CCAE, agreement 1": ours | {"agreement": 1.0},
    "CCAE, whole image": ours | {"crop": False},
    "CCAE, judge live": ours | {"frozen": False},
}

# %%
readings = {name: reading(**chosen) for name, chosen in switches.items()}
for model in readings.values():
    lab.fit(model, data, **BUDGET)
baseline = (data.test.images - data.train.images.mean(dim=0)).square().mean().item()
errors = {name: lab.metrics.mse(model, data.test) for name, model in readings.items()}
mse = {name: error.value for name, error in errors.items()}

# %%
first, second = list(mse.values())[:4], list(mse.values())[3:9]
table = [first[0::2], first[1::2]]
display(pd.DataFrame(table, ["whole image", "shared crop"], ["judge live", "judge frozen"]).round(4))
rows, columns = ["v and c of X and X'", "v and c real"], ["agreement 0", "agreement 0.2", "agreement 1"]
display(pd.DataFrame([second[:3], second[3:]], rows, columns).round(4))
of_ours = {name: errors[name] for name in ("CCAE", "CCAE, whole image", "CCAE, judge live")}
lab.plot.bars(of_ours, "squared error per pixel", baselines={"mean image": baseline})

# %% tags=["folded"]
eight = data.test.images[:8]
lab.plot.image_rows(
    {"original": eight} | {name: lab.metrics.in_batches(model.reconstruct, eight) for name, model in readings.items()},
    alt="Eight digits and what each reading draws of them: textures or blots for the literal one and with the crop or "
    "the frozen judge alone; coarse but clear digits with both; worse ones again with all the agreement of VICReg.",
    scale=0.45,
)

# %% tags=["nbval-check-output"]
lab.holds(
    ("literal: error per pixel against the mean image's", mse["literal"], ">", baseline),
    ("the shared crop alone", mse["+ crop"], ">", baseline),
    ("the frozen judge alone", mse["+ frozen judge"], ">", baseline),
    ("both", mse["+ both"], "<", 0.8 * baseline),
    ("both, and all the agreement of VICReg", mse["both, agreement 1"], ">", 1.5 * mse["+ both"]),
    ("the CCAE, and all the agreement of VICReg", mse["CCAE, agreement 1"], ">", 1.3 * mse["CCAE"]),
    ("the CCAE with whole images", mse["CCAE, whole image"], ">", baseline),
    ("the CCAE with a live judge", mse["CCAE, judge live"], ">", mse["CCAE"]),
)

# %%
options = ("the shared crop alone", "the frozen judge alone", "only both together")
reached = [option for option, error in zip(options, first[1:], strict=True) if error < 0.9 * baseline]
lab.outcome("06-5-crop-and-freeze", reached[0] if reached else "not even both together")

# %% [markdown]
# **What you should see.** Read the first table from its upper left corner. The mean image's error is {{baseline:.3f}}.
# The literal reading is worse, and so is each change alone. A *live* judge comes to terms with the decoder, whatever is
# compared. A *frozen* one that sees whole images can be pleased by many pictures that are no digits. With **both** the
# error falls to {{mse["+ both"]:.3f}} and digits appear, without a single comparison of pixels: only where strokes are in
# their places do *all* crops look right. (These are short trainings. With 500 steps, in C39, the crop alone gets a little
# below the mean image, both together far below it.)
#
# The second table starts in that corner. **Agreement** costs pictures there, {{mse["+ both"]:.3f}} without and
# {{mse["both, agreement 0.2"]:.3f}} with a little of it; C39 says so over five seeds. It is kept for the code: a probe reads
# more digits off it (C39). Where $v$ and $c$ are asked of real images alone the two are
# {{mse["both, v and c real"]:.3f}} and {{mse["CCAE"]:.3f}}. But *all* of VICReg's agreement spoils the pictures in both
# rows: {{mse["both, agreement 1"]:.3f}} and {{mse["CCAE, agreement 1"]:.3f}}. The likely reason: two crops of an image
# differ in where things are and how large. An encoder that must embed them alike looks past both, and as a judge it lets
# very different pictures pass.
#
# And from the CCAE back again? Without the crop it fails as well. With a *live* judge it does worse than with a frozen
# one, {{mse["CCAE, judge live"]:.3f}}, but it does not break down as the literal reading with a crop does: here the
# encoder has real images to learn from, and cannot follow the decoder everywhere.
#
# So the equations draw digits **under a condition** (slide 000). The judge has to see the same crop of both images. It
# must not follow the decoder: frozen, it cannot. And it must not have been trained to look past what crops change. One
# run of 160 steps is short; five seeds of 500 steps of the same rows stand under C39 in `docs/claims.md`.
# `lab.CCAE(32)` with its own 1,100 steps draws much better than any of these.

# %% [markdown]
# ### And the obvious way: pixels
#
# Leave the equations as they are and add a squared error per pixel, `pixel=` its weight. How large must it be?

# %%
amounts = (100, 300, 1000, 5000)
with_pixels = [reading(pixel=amount) for amount in amounts]
for model in with_pixels:
    lab.fit(model, data, **BUDGET)
lab.plot.curves(
    amounts,
    {"literal + pixels": [lab.metrics.mse(model, data.test) for model in with_pixels]},
    "weight of the squared error per pixel",
    "squared error per pixel",
    baselines={"mean image": baseline, "CCAE, no pixels": mse["CCAE"]},
    log="xy",
)

# %% tags=["nbval-check-output"]
of_pixels = {
    amount: lab.metrics.mse(model, data.test).value for amount, model in zip(amounts, with_pixels, strict=True)
}
lab.holds(
    ("pixels with weight 100: the error", of_pixels[100], ">", mse["CCAE"]),
    ("pixels with weight 5,000: the error", of_pixels[5000], "<", mse["CCAE"]),
)

# %% [markdown]
# **What you should see.** With a small weight the pictures hardly improve, for $Z$ and $Z'$ still adapt to each other, and
# their terms are larger. With a large one the pictures are better than the CCAE's: {{of_pixels[5000]:.3f}} against
# {{mse["CCAE"]:.3f}}. So there is no miracle in the CCAE. If you want the picture and may compare pixels, compare pixels.
# The CCAE shows how far one comes *without*.
#
# **Try it.** Both at once, `reading(**ours, pixel=1000)`: does the judge add anything to the pixels?

# %% [markdown]
# ### Exercise 3 · Which term does the decoder need?
#
# In section 2 you removed terms from an encoder. What do they do to the *pictures*? Write an experiment that removes
# one term from a CCAE and keeps all else equal, and returns the error per pixel with and without. When the check calls
# it fair, choose a term, guess, run it, and write your conclusion with its figure.


# %% tags=["exercise"]
def term_experiment(data, term, fit=lab.fit, measure=lab.metrics.mse):
    """term: "variance", "invariance" or "covariance". Train two CCAEs with fit(model, data, steps=…, seed=…), one with
    all three terms and one without `term`; measure(model, split) both. Return (full, without)."""
    # solution-begin
    weights = dict(zip(("variance", "invariance", "covariance"), lab.CCAE(32).weights, strict=True))
    errors = []
    for chosen in (weights, weights | {term: 0.0}):
        model = lab.CCAE(32, weights=tuple(chosen.values()), width=8, projector=(64, 64))
        fit(model, data, steps=150, batch_size=128, learning_rate=5e-3, seed=0, progress=False)
        errors.append(measure(model, data.test))
    return tuple(errors)
    # solution-end


result = None  # what your run gives: term_experiment(data, "…"), ten seconds
conclusion = None  # one sentence: how many times as large is the error without the term?
# solution-begin
result = term_experiment(data, "covariance")
full, without = (error.value for error in result)
conclusion = f"Without the covariance term the error per pixel is {without / full:.2f} times as large, at 150 steps."
# solution-end

# %% tags=["check"]
lab.checks.term_experiment(term_experiment, result, conclusion)

# %% [markdown] tags=["help"]
# 1. A term is gone when its weight is 0. All else is equal in the two models: sizes, steps, seed, images.
# 2. `lab.CCAE(32).weights` are the three weights, in the order variance, invariance, covariance; `lab.CCAE(…,
#    weights=…)` takes your own. Train both models with the same `fit` and measure both on `data.test`. In the
#    conclusion, divide the second error by the first.
#
# **Why.** The two models differ in one weight alone, so whatever differs between their errors, beyond what another
# seed would change as well, belongs to that term.

# %% [markdown]
# Then draw the evidence: `lab.plot.bars({"full": result[0], "without": result[1]}, "squared error per pixel")`. Are the
# two apart by more than their error bars? Would another seed say the same?

# %% [markdown]
# ## 6 · All architectures side by side
#
# Which architecture is best? A figure that is often shown compares the losses (slide 000 ends with one: *Comparing the
# losses for the different architectures*). Here is ours, equal steps for all, twice. First as on the slide, every
# model's own loss.
#
# Two **inversions** are among them. An inversion takes an encoder that is ready and teaches a decoder alone to draw what
# it sees, by a shared crop and a frozen judge. They differ in the encoder: one was trained by plain VICReg, where two
# crops agree with all the weight, the other in our CCAE, with a fifth of it.

# %%
given, of_vicreg = trained("VICReg")
models = {name: trained(name)[0] for name in ("conv AE", "literal CCAE", "CCAE")}
models["VAE"] = lab.VAE(32, width=8, hidden=128)
models["VICReg inversion"] = lab.CCAE(32, views="crop", encoder=given, **SMALL)
models["CCAE inversion"] = lab.CCAE(32, views="crop", encoder=models["CCAE"], **SMALL)
histories = {"VICReg": of_vicreg}
for name, model in models.items():
    histories[name] = trained(name)[1] if name in NETWORKS else lab.fit(model, data, **BUDGET)
lab.plot.curves(
    histories["conv AE"].step,
    {name: history.val["total"] for name, history in histories.items()},
    "training step",
    "each model's own loss",
    log="y",
)

# %% [markdown]
# All curves fall, so all is well? The conv AE's numbers are squared errors, the VAE's are nats, the others' are VICReg's
# weighted sum: three units on one axis. **Such a figure says that each model trains. It does not say which is better.**
# For that they need one ruler, the squared error per pixel.

# %%
lab.predict(
    "A probe reads the digit off 32 numbers. Whose?",
    options=["the conv AE's, clearly", "the CCAE's, clearly", "they tie, within 2 points"],
    key="06-6-whose-code",
)

# %%
pca = lab.PCA(32).fit(data.train)
drawing = {name: history for name, history in histories.items() if "mse" in history.val}
lab.plot.history(drawing, baselines=[pca], data=data)


# %% tags=["folded"]
def probe_with_100_labels(model):
    """The probe's accuracy with 100 labels in place of 3,500, on average over five sets of them."""
    hundreds = [replace(data, train=data.train[first : first + 100]) for first in range(0, 500, 100)]
    return sum(lab.metrics.probe(model, few).value for few in hundreds) / len(hundreds)


# %%
table = lab.compare(models | {"PCA": pca}, data, columns=("mse", "probe", "knn"))
table["probe, 100 labels"] = [probe_with_100_labels(model) for model in (*models.values(), pca)]
table.loc["raw pixels", "probe"] = lab.metrics.probe(Pixels(), data).value
table.loc["raw pixels", "knn"] = lab.metrics.knn(Pixels(), data).value
table.loc["raw pixels", "probe, 100 labels"] = probe_with_100_labels(Pixels())
table[["mse", "probe", "probe, 100 labels", "knn"]].round(4)

# %% tags=["folded"]
eight = data.test.images[:8]
rows = {
    name: lab.metrics.in_batches(models[name].reconstruct, eight)
    for name in ("conv AE", "VICReg inversion", "CCAE inversion", "CCAE")
}
lab.plot.image_rows(
    {"original": eight} | rows,
    alt="Eight digits, their reconstructions by the convolutional autoencoder, clear, by VICReg inversion, hardly "
    "digits, by CCAE inversion and by the CCAE, coarse digits.",
    scale=0.5,
)

# %% tags=["nbval-check-output"]
mse, with_100 = table["mse"], table["probe, 100 labels"]
lab.holds(
    ("VICReg inversion: the error", mse["VICReg inversion"], ">", 2 * mse["conv AE"]),
    ("CCAE inversion: the error", mse["CCAE inversion"], "<", mse["VICReg inversion"]),
    ("CCAE: the error", mse["CCAE"], ">", mse["conv AE"]),
    ("100 labels: the CCAE's probe", with_100["CCAE"], ">", with_100["raw pixels"]),
    ("100 labels: PCA's probe", with_100["PCA"], "<", with_100["raw pixels"] + 0.01),
    ("five neighbours: the CCAE's code", table.loc["CCAE", "knn"], "<", table.loc["raw pixels", "knn"]),
)

# %%
gap = table.loc["CCAE", "probe"] - table.loc["conv AE", "probe"]
limits = {"the conv AE's, clearly": -0.02, "they tie, within 2 points": 0.02}
lab.outcome("06-6-whose-code", gap, below=limits, otherwise="the CCAE's, clearly")

# %% [markdown]
# **What you should see.** Compare the two figures. The literal CCAE ends with the *lowest* loss of all and the
# *highest* error per pixel. Had we drawn the first figure alone, it would have won.
#
# On the common ruler an inversion of VICReg reconstructs far worse than a convolutional autoencoder (slide 000 says so,
# and is **right**): {{mse["VICReg inversion"]:.3f}} against {{mse["conv AE"]:.3f}}. So does the CCAE, readable though it
# is, with {{mse["CCAE"]:.3f}}. If you want the picture back, ask for the picture back. And compare the two inversions.
# Both have the crop and the frozen judge, and the one whose encoder was asked for a little agreement draws better,
# {{mse["CCAE inversion"]:.3f}}. That is section 5's last switch once more. (Five seeds of
# 500 steps: C40 in `docs/claims.md`.)
#
# And the code? With all labels the probes stand close together, but for the literal CCAE's. With **100 labels** the raw
# pixels reach {{with_100["raw pixels"]:.0%}} and PCA {{with_100["PCA"]:.0%}}, so a short code as such gains nothing; the
# conv AE reaches {{with_100["conv AE"]:.0%}}, the CCAE {{with_100["CCAE"]:.0%}}. At standard errors of about one point
# the learned codes cannot be put in order. Learning without labels is for this: labels are dear.
#
# The last column is a warning. Ask the five nearest neighbours in place of a probe, and PCA leads with
# {{table.loc["PCA", "knn"]:.0%}}. The CCAE's code ({{table.loc["CCAE", "knn"]:.0%}}) falls behind the pixels
# ({{table.loc["raw pixels", "knn"]:.0%}}), and VICReg's far behind ({{table.loc["VICReg inversion", "knn"]:.0%}}). A
# probe may weigh every number of the code as it needs; neighbours take distances as they are. Which code is better
# depends on who is to use it.

# %% [markdown]
# ### Drag through both

# %%
pair = {name: models[name] for name in ("conv AE", "CCAE")}
lab.explore(pair, data)

# %% [markdown]
# **Try it.**
# - **Map**: drag in the one and watch the other. Where do both draw a digit, and where only one of them?
# - **Draw** a digit. Draw what came out, as well as you can, and look what comes out of that.
# - **Morph** between two images. Whose intermediates are digits?
# - Press **Again: z → z′** five times: each arrow leads from a code to that of its own picture. Where does it end? (The
#   end of this notebook has more of that.)

# %% [markdown]
# ## Take-aways
#
# - Views without labels teach an encoder what stays the same. Asked for that alone, it says the same about everything.
# - VICReg's terms guard one failure each: variance against shrinking, covariance against repetition, invariance against
#   forgetting what the views were for. It has no negatives, so strictly it is not contrastive.
# - A model may agree with itself perfectly and draw nothing anyone can read. Latent agreement is no reconstruction.
# - Who learns from a loss is as much a part of the method as the loss. A frozen judge passes gradients on and takes
#   none.
# - Two changes may do little alone and much together. So change one thing at a time, and from more than one side.
# - Loss curves of different architectures have different units. Compare on one ruler.
# - Which code is better depends on who uses it: a probe and nearest neighbours disagree.

# %% [markdown]
# ## Quiz

# %%
lab.quiz(
    "06",
    [
        {
            "ask": "A self-supervised loss falls to 0 within a hundred steps. What do you look at first?",
            "right": (
                "how far the embeddings of different images still are apart",
                "A constant embedding satisfies any demand for agreement. The spread over the batch shows it.",
            ),
            "wrong": {
                "the learning rate: it must be too low": "A rate that is too low makes the loss fall slowly, not to 0.",
                "nothing: 0 is what one hopes for": "It is also what a network gets that ignores its input.",
            },
        },
        {
            "ask": "All 64 columns of Z are copies of one with variance 1. What does VICReg's variance term say?",
            "right": (
                "0: it looks at each column alone",
                "Every column spreads enough. Only the covariance term, 63 a batch, notices the repetition.",
            ),
            "wrong": {
                "63, one for each copy": "That is the covariance term: Σ over 64 · 63 pairs of 1², divided by 64.",
                "0.99, as for a constant batch": "The columns are equal to one another, not constant over the images.",
            },
        },
        {
            "ask": 'Why is "contrastive" not quite the word for a model trained with VICReg?',
            "right": (
                "no image is ever compared with another image's embedding",
                "Spread is asked of the batch's statistics. Contrastive losses push single negatives away.",
            ),
            "wrong": {
                "its two views are too much alike": "How different views are has nothing to do with negatives.",
                "it has a decoder": "A decoder could be added to a contrastive method just as well.",
            },
        },
        {
            "ask": "p(f(x')) equals p(f(x)) on every test image. What do you know about x'?",
            "right": (
                "that this encoder cannot tell it from x, and nothing about its pixels",
                "An encoder maps many images to one code; the decoder may draw any of them.",
            ),
            "wrong": {
                "x' = x": "It would, if f and p could be inverted. 784 numbers go in and few come out.",
                "that x' is at least a digit": "Section 4 showed textures that the encoder knew perfectly well.",
            },
        },
        {
            "ask": "You freeze the judge with `with torch.no_grad(): z_hat = p(f(x_hat))`. What happens?",
            "right": (
                "the decoder learns nothing",
                "The way to the decoder leads through the judge: make its weights constant, do not cut it off.",
            ),
            "wrong": {
                "just what was wanted: only the decoder learns": "The gradient ends at z_hat and never reaches x_hat.",
                "the decoder learns, only more slowly": "No gradient reaches x_hat, so none reaches the decoder.",
            },
        },
    ],
)

# %% [markdown]
# ## From slide to cell
#
# | slide | it says | here | verdict |
# |---|---|---|---|
# | 000, title | *contrastive* | section 1 | the slide's word: VICReg has no negatives |
# | 000 *VICReg Loss* | variance, invariance, covariance (C38) | section 2 | right: each guards against a failure of its own |
# | 000 (1)–(3) | 2,048 code values, 8,192 embedding values | section 3 | one line away; it wants large batches |
# | 000 (4)–(8) | VICReg between Z and Z' | sections 3, 4 | to the letter: no reconstruction |
# | 000 *Architecture I* | it draws images (C39) | section 5 | right under a condition: a shared crop, a frozen judge that did not learn to look past it |
# | 000 *Results* | VICReg inversion reconstructs worse than a conv AE (C40) | section 6 | right |
# | 000 *Loss* | losses of the architectures compared | section 6 | their units differ |

# %% [markdown]
# ## Further reading
#
# - A. Bardes, J. Ponce, Y. LeCun (2022), *VICReg: variance-invariance-covariance regularization for self-supervised
#   learning*, arXiv 2105.04906.
# - T. Chen, S. Kornblith, M. Norouzi, G. Hinton (2020), *A simple framework for contrastive learning of visual
#   representations*, arXiv 2002.05709: SimCLR, with negatives and a projector.
# - F. Bordes, R. Balestriero, P. Vincent (2022), *High fidelity visualization of what your self-supervised
#   representation knows about*, arXiv 2112.09164: drawing from a frozen encoder's code.
# - A. Radhakrishnan, M. Belkin, C. Uhler (2020), *Overparameterized neural networks implement associative memory*,
#   PNAS: fixed points of autoencoders.

# %% [markdown]
# ## Deeper · Again and again
#
# An autoencoder's output is an image, so we can put it in again: $x \to x' \to x'' \to \dots$, and the code goes $z \to
# z' \to z'' \to \dots$ Where that comes to rest is a [fixed point]({{glossary}}#fixed-point): an image that the model
# gives back unchanged. ($z$ is the code here, section 3's $Y$.) The CCAE's loss asks for something near $z' = z$, that
# crops of $x$ and $x'$ embed alike. The plain autoencoder's asks for pixels only.

# %%
lab.predict(
    "Put a reconstruction back in, a hundred times. Where does it end?",
    options=["where it was after the first time", "at rest, but at another picture", "it never comes to rest"],
    key="06-d-again",
)

# %%
pair = {name: trained(name)[0] for name in ("conv AE", "CCAE")}
x, ways, errors, shown = data.test.images[:200], {}, {}, {"original": data.test.images[:8]}
for name, model in pair.items():
    codes, pictures = [], [x]
    with torch.no_grad():
        for _ in range(100):
            codes.append(model.encode(pictures[-1]))
            pictures.append(model.decode(codes[-1]))
    ways[name] = torch.stack(codes)  # (100, 200, 32): z, z', z'', …
    errors[name] = [(picture - x).square().mean().item() for picture in pictures]
    shown |= {f"{name}, {times} ×": pictures[times][:8] for times in (1, 5, 20, 100)}

# %%
lab.plot.image_rows(
    shown,
    alt="Eight digits after 1, 5, 20 and 100 passes through the convolutional autoencoder and through the CCAE. The "
    "first passes change little; then digits turn into other digits or into blobs that are none.",
    scale=0.42,
)


# %%
def moved(z):
    """How far codes move in each pass: the median over images, as a share of the spread of all codes."""
    return ((z[1:] - z[:-1]).norm(dim=2).median(dim=1).values / z[0].std(dim=0).norm()).tolist()


passes = [1, 2, 5, 10, 20, 50, 99]
lab.plot.curves(
    passes,
    {name: [moved(z)[number - 1] for number in passes] for name, z in ways.items()},
    "pass",
    "way of a code, in spreads",
    log="xy",
)

# %% [markdown]
# Where do the codes go? An arrow from each $z$ to its $z'$, in the plane in which the codes spread most (the
# explorer's map shows such a plane too), and crosses where they are after a hundred passes.

# %%
figure = lab.plot.Figure(
    "Two maps of codes, an arrow from each code z to z', the code of its reconstruction, and crosses where the codes "
    "are after a hundred passes: most crosses lie away from where the arrows begin.",
    figsize=(8, 3.8),
)
for axes, (name, z) in zip(figure.subplots(1, 2), ways.items(), strict=True):
    centre = z[0].mean(dim=0)
    plane = torch.linalg.svd(z[0] - centre, full_matrices=False).Vh[:2].T
    start, step, end = (z[0] - centre) @ plane, (z[1] - z[0]) @ plane, (z[-1] - centre) @ plane
    axes.quiver(*start.T, *step.T, color=lab.plot.COLOURS[0], angles="xy", scale_units="xy", scale=1, width=0.005)
    axes.plot(*end.T, "x", color="black", markersize=4, alpha=0.5, label="after 100 passes")
    axes.set(title=name, xlabel="first direction", ylabel="second direction")
figure.legend_below()
display(figure)

# %% tags=["nbval-check-output"]
lead = {passes: errors["CCAE"][passes] / errors["conv AE"][passes] for passes in (1, 100)}
lab.holds(
    *((f"{name}: way of a code in the last pass", moved(z)[-1], "<", 0.2 * moved(z)[0]) for name, z in ways.items()),
    *((f"{name}: error after 100 passes", error[100], ">", 1.5 * error[1]) for name, error in errors.items()),
    ("error after one pass, the CCAE's over the conv AE's", lead[1], ">", 1.3),
    ("the same after a hundred", lead[100], "<", 1.1),
    (
        "first step of a code, the CCAE's over the conv AE's",
        moved(ways["CCAE"])[0] / moved(ways["conv AE"])[0],
        ">",
        0.9,
    ),
)

# %%
rest = all(moved(z)[-1] < 0.2 * moved(z)[0] for z in ways.values())
away = all(error[100] > 1.5 * error[1] for error in errors.values())
ends = "at rest, but at another picture" if away else "where it was after the first time"
lab.outcome("06-d-again", ends if rest else "it never comes to rest")

# %% [markdown]
# **What you should see.** After one pass nothing seems to have happened. But every pass leaves a small error, and these
# errors point *somewhere*: the codes run along the arrows until they come to rest, far from where they began. The
# picture at the end is a fixed point. It says more about the model than about $x$.
#
# The conv AE copies best. Look where it ends: in shapes that are often no digits. It was never asked to give back what
# it draws. The CCAE copies worse at first and loses less later. Its loss asks for something like $z' = z$, and yet its
# first step is no shorter: what it asks is of *embeddings of crops*, and 160 steps do not fulfil it.
#
# A warning for practice: "the reconstruction looks right" is a statement about *one* pass.

# %% [markdown]
# ## Deeper · What 8,192 dimensions ask of a batch
#
# Something to know before you rent a computer. Suppose the embeddings were *perfect*: independent dimensions,
# each of variance 1. Then $C_{ij} = 0$ for $i \ne j$, but a batch gives only an *estimate* of it, with variance
# $1/(B-1)$. So even then
#
# $$\mathbb E\, c(Z) = \frac{1}{D} \sum_{i \ne j} \mathbb E\, \hat C_{ij}^2 = \frac{D - 1}{B - 1}$$

# %% tags=["nbval-check-output"]
generator = torch.Generator().manual_seed(0)
for B, D in ((128, 64), (256, 8192), (2048, 8192)):
    covariance = losses.vicreg_covariance(torch.randn(B, D, generator=generator)).item()
    print(f"B = {B:4}, D = {D:4}: formula {(D - 1) / (B - 1):5.1f}, a perfect batch {covariance:5.1f}")

# %% [markdown]
# With batches of 256 the slide's projector would pay 32 on each side for nothing but chance. That is more than the whole
# loss of a trained encoder of ours. The authors trained with batches of 2,048. **A projector wants a batch to match.** We
# stay at 64 dimensions and 128 images. (Ten steps of the slide's size, 128 images each, took about a minute of one busy
# processor and not quite 3 GB of memory. The loss was finite, but ten steps teach nothing.)

# %% [markdown]
# ## Deeper · Does it generate?
#
# The CCAE is meant to draw new images (slide 000: *We are interested in image generation*). But nothing in the equations
# says where codes lie. So it is in the plain autoencoder's place (notebook 04, section 1): it generates as soon as a
# density is fitted to its codes, and no sooner. We take a mixture of as many Gaussians as make the codes of 500 new
# digits most likely.
#
# Two rulers. Put 500 drawn and 500 real digits on one pile: how often does an image's *nearest neighbour*, over pixels,
# tell which kind it is? And how often does a small *critic* tell, which is trained to (notebook 05, section 1)? One half
# is not at all. Nearest neighbours are blind to much that a critic sees.

# %%
lab.predict(
    "Codes drawn from a mixture of Gaussians. Whose pictures do nearest neighbours tell from real digits less often?",
    options=["the conv AE's", "the CCAE's", "equally often, within 0.05"],
    key="06-d-generation",
)


# %% tags=["folded"]
def laws_of_codes(model):
    """500 codes of each kind: each value from a Gaussian of its own, from a mixture, and those of real digits."""
    codes, new = (lab.metrics.encode(model, split) for split in (data.train, to_choose_by))
    mixtures = [lab.LatentMixture(model, components=count).fit(data.train) for count in (5, 10, 20, 30)]
    best = max(mixtures, key=lambda mixture: float(mixture.log_density(new).mean()))
    noise = torch.randn(500, 32, generator=torch.Generator().manual_seed(0))
    return {
        "one Gaussian each": codes.mean(dim=0) + codes.std(dim=0) * noise,
        "mixture": best.sample_codes(500, torch.Generator().manual_seed(0)),
        "real codes": codes[:500],
    }


# %%
real = data.test.images[:500]
drawn = {
    f"{name}, {law}": lab.metrics.in_batches(trained(name)[0].decode, z)
    for name in ("conv AE", "CCAE")
    for law, z in laws_of_codes(trained(name)[0]).items()
}
told = {
    name: {
        "nearest neighbours": lab.metrics.two_sample_accuracy(images, real).value,
        "a trained critic": lab.metrics.critic_accuracy(images, real, steps=150).value,
    }
    for name, images in drawn.items()
}
pd.DataFrame(told).T.rename_axis(columns="how often told from real digits").round(2)

# %% tags=["folded"]
lab.plot.image_rows(
    {name: images[:7] for name, images in drawn.items()},
    alt="Seven pictures each from codes drawn value by value, from a mixture and from real codes, by the convolutional "
    "autoencoder and by the CCAE: with the mixture more of them are digits; the CCAE's are coarser.",
    scale=0.42,
)

# %% tags=["nbval-check-output"]
near = {name: of["nearest neighbours"] for name, of in told.items()}
lab.holds(
    ("conv AE: the mixture's pictures", near["conv AE, mixture"], "<", near["conv AE, one Gaussian each"]),
    ("CCAE: the mixture's pictures", near["CCAE, mixture"], "<", near["CCAE, one Gaussian each"]),
)

# %%
apart = near["CCAE, mixture"] - near["conv AE, mixture"]
limits = {"the CCAE's": -0.05, "equally often, within 0.05": 0.05}
lab.outcome("06-d-generation", apart, below=limits, otherwise="the conv AE's")

# %% [markdown]
# **What you should see.** Codes drawn value by value give few digits, in either model. With the mixture most pictures are
# digits. So the CCAE generates as an autoencoder does: **right under a condition**, that a density is fitted afterwards.
# Compare its row of *real codes* with the conv AE's. These pictures are reconstructions, no code was drawn, and
# neighbours tell them from digits in {{near["CCAE, real codes"]:.0%}} and {{near["conv AE, real codes"]:.0%}} of the
# cases. What sets the CCAE's samples apart is for a good part its decoder, which draws coarsely.
#
# And the critic is taken in by nobody: it is right about the conv AE's mixture in
# {{told["conv AE, mixture"]["a trained critic"]:.0%}} of the cases, where neighbours are in
# {{near["conv AE, mixture"]:.0%}}.
