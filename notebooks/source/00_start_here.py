# %% [markdown]
# # 00 · Start here
#
# *What an autoencoder is; a first one, trained in a minute, and one that you build yourself; how the course works*
#
# Teach a small network to squeeze a picture into a few numbers, and to draw the picture again from these numbers
# alone: that is an [autoencoder]({{glossary}}#autoencoder). Run the two cells below (Shift + Enter). The second one
# trains an autoencoder on real handwriting, and shows you digits that it has never seen above what it draws of them.
# Then you will see what it is made of, build one with your own hands, and find out what it keeps and what it drops.
#
# **You will be able to**
# - say what encoder, code and decoder do, and what the loss asks of them (section 1, Exercise 1);
# - build an autoencoder and its training loop in PyTorch (section 2, Exercise 2);
# - judge an autoencoder against two answers that need no training (sections 1 and 2, Exercise 3);
# - measure what a short code keeps: the picture, and the class of the picture (section 3, quiz);
# - say why an autoencoder of digits fails on everything else, and show it with a control (section 4, Exercise 4).
#
# **Before you start** A little Python. If tensors, gradients or training loops are new to you, read the one-page
# refresher in the [syllabus]({{repository}}/blob/main/docs/syllabus.md) first; nothing more is needed.
#
# **Time** {{minutes}} minutes with the exercises; the computer itself needs about {{seconds}} s of them.
#
# **Slides covered** 001 "Introduction to Autoencoder" and "Choice of loss function"; 004 "What do Autoencoders do?",
# "Bottleneck", "Training an Autoencoder" and "Autoencoder Limitations". The table at the end says which slide is
# tried in which cell.
#
# (001 and 004? This course grew from five slide decks by other people, numbered 000 to 004, and it tests what they
# claim. You do not need them: what a slide says is said here first, and the number only tells where it comes from.
# [Sources]({{sources}}) has the decks, their authors and the papers behind them.)

# %% tags=["setup"]
from dataclasses import replace

import pandas as pd
import torch
import torch.nn.functional as F
from skimage.data import astronaut  # a photo by NASA, in the public domain
from torch import nn

import autoencoder_lab as lab

lab.setup(seed=0)
data = lab.load("mnist-5k")

# %% tags=["setup"]
autoencoder = lab.DenseAutoencoder(latent=16)
history = lab.fit(autoencoder, data, epochs=20, seed=0)
lab.plot.reconstructions(autoencoder, data.test, count=12)

# %% [markdown]
# ## 1 · What you have just trained
#
# An autoencoder is two functions. The [encoder]({{glossary}}#encoder) turns a picture $x$ of 784 pixels into a
# [code]({{glossary}}#code) $h$ of, here, 16 numbers. The [decoder]({{glossary}}#decoder) makes a picture $\hat x$ from
# the code, and never sees $x$ itself. Here is one digit on its way through the network that you have just trained:

# %%
lab.diagram.hourglass(data.test.images[0], autoencoder)

# %% [markdown]
# Training makes $\hat x$ like $x$. The picture is its own answer, so no labels are needed. Why is that not trivial? Because
# of the narrow place in the middle, the [bottleneck]({{glossary}}#bottleneck). 784 numbers do not fit through 16, so the
# network cannot simply copy. It has to find out what digits have in common.
#
# ### How the course works
#
# Every section goes the same way. It asks you to **predict**, you **run** the experiment, and it puts the **outcome**
# beside your guess. A wrong guess is worth more than a right one: it shows you where your picture of the matter can be
# improved. Guesses stay on this computer, in `predictions.json`; nobody sees them.
#
# | if you want to | do this |
# |---|---|
# | run a cell | select it, then Shift + Enter |
# | start with a clean slate | menu *Kernel* → *Restart Kernel and Run All Cells…* |
# | change anything | just do it: these notebooks are your own copy in `my-course/`, which no update overwrites |
# | see a folded cell | click on the bar, or the three dots, in its place: it holds details that you may skip |
# | solve an exercise | fill in the stub, run the check below it; it says what is likely wrong |
# | get help with an exercise | ask with the name of its check: `lab.hint("own_autoencoder")`, later `lab.solution(…)` |
# | begin in the middle | run the two cells at the top, then any section: each stands alone |
# | find out why something does not run | type `autoencoder-lab doctor` in a terminal |
#
# The data are 5,000 handwritten digits of 28×28 pixels; black is 0 and white is 1. Of these, 3,500 are for training, 500
# for choosing between models, and 1,000 are kept for the final judgement.
#
# ### What is a small error?
#
# How good are the drawings? Compare them with the pixels that came in: take the difference of every pixel, square it,
# and average. That is the [squared error]({{glossary}}#squared-error) per pixel. Before you can call an error small,
# you need to know what an answer costs that takes no trouble at all: *one* picture for every digit.

# %%
lab.predict(
    "Every test digit is answered with one and the same picture. Which picture has the lowest squared error?",
    options=["an all-black one", "the most typical training digit", "the average of all training digits"],
    key="00-1-one-picture",
)

# %%
train, test = data.train.images, data.test.images
average = train.mean(dim=0)
distances = torch.cdist(train[:500].flatten(1), train.flatten(1))  # of 500 candidates from all training digits
typical = train[distances.square().mean(dim=1).argmin()]

answers = {"an all-black one": 0 * average, "the most typical training digit": typical}
answers["the average of all training digits"] = average
one_picture = {name: float((test - answer).square().mean()) for name, answer in answers.items()}
lab.outcome("00-1-one-picture", one_picture)

# %% tags=["folded"]
lab.plot.images(
    torch.stack([*answers.values()]),
    titles=[
        f"{name}: {one_picture[key]:.3f}" for name, key in zip(("black", "typical", "average"), answers, strict=True)
    ],
    alt="Three pictures and their squared error as the answer to every test digit: black, the most typical training "
    f"digit, and a pale blur, the average: {', '.join(f'{error:.3f}' for error in one_picture.values())}.",
    scale=1.3,
)

# %% tags=["nbval-check-output"]
black, digit, mean_image = one_picture.values()
lab.holds(
    ("the average image's squared error per pixel", mean_image, "<", 0.07),
    ("it is lower than the most typical digit's", mean_image, "<", digit),
    ("and than black's", mean_image, "<", black),
)

# %% [markdown]
# **What you should see.** The average wins, a pale blur that is no digit at all. It is the [mean
# image]({{glossary}}#mean-image), and nothing else has so low a squared error: a clear digit is badly wrong wherever the
# other digits have no ink. Its error, {{mean_image:.3f}}, looks small. Most pixels of most digits are black, and a
# difference below 1 becomes smaller still when it is squared. So an error alone means nothing. *Always ask: small
# compared with what?* The mean image's error stands as a line beside most of the loss curves in this course. A model above
# that line does worse than one that ignores the picture.
#
# **Try it.** Answer every picture with the mean image *of its own class*. How far does the error fall?

# %% [markdown]
# ### Exercise 1 · The loss
#
# In training one does not average over everything. The usual loss adds up the $n$ pixels of a picture, and averages
# over the $m$ pictures only (slide 001):
#
# $$L = \frac1m \sum_{i=1}^m \sum_{j=1}^n (\hat x_{ij} - x_{ij})^2$$
#
# Write it down for tensors. (Divide it by the number of pixels and you have the error per pixel from above.)


# %% tags=["exercise"]
def squared_error_per_image(x_hat, x):
    """x_hat, x: (m, C, H, W), reconstructions and originals. Return L, one number."""
    # solution-begin
    return (x_hat - x).pow(2).sum() / len(x)
    # solution-end


# %% tags=["check"]
lab.checks.squared_error_per_image(squared_error_per_image)

# %% [markdown] tags=["help"]
# 1. Work from the inside out, as the formula does: first the difference, then its square, then the sum, and the
#    division at the very end. Pixels are added up; only over the images do you average.
# 2. `.pow(2)` squares every entry, and `.sum()` without an argument adds up all pixels of all images. Then divide by
#    m, the number of images: that is `len(x)`, not the number of pixels.
#
# **Why.** A loss is many small errors added up: every pixel gives the square of its own. Dividing by the number of
# images makes batches of different sizes comparable.

# %% [markdown]
# ## 2 · Build one yourself
#
# No library yet: about ten lines of PyTorch are enough. As formulas, with one layer on each side, they read (slide 001)
#
# $$h = g(Wx + b) \qquad\qquad \hat x = f(W^* h + c).$$
#
# $W$ and $W^*$ are matrices of weights, $b$ and $c$ rows of numbers that are added. $g$ and $f$ are simple functions that
# bend what comes out of the matrices: `ReLU` sets negative numbers to 0, `Sigmoid` brings every number between 0 and 1.
# You may put more such layers in between.
#
# | piece | in PyTorch |
# |---|---|
# | a picture (1, 28, 28) becomes a row of 784 numbers | `nn.Flatten()` |
# | a matrix and an offset, from `a` numbers to `b` | `nn.Linear(a, b)` |
# | a bend | `nn.ReLU()`, `nn.SiLU()`; at the very end `nn.Sigmoid()`, since pixels lie between 0 and 1 |
# | a row of 784 numbers becomes a picture | `nn.Unflatten(1, (1, 28, 28))` |
# | several layers, one after the other | `nn.Sequential(first, second, …)` |

# %% [markdown]
# ### Exercise 2 · An autoencoder of your own
#
# Write the two halves, with a code of 16 numbers. Then write the training loop. For one [batch]({{glossary}}#batch) of
# images `x`, such as `data.train.images.split(128)` gives one after the other, it goes: draw them with `model(x)`; compute
# the loss of Exercise 1; `optimiser.zero_grad()` clears the old [gradients]({{glossary}}#gradient), `loss.backward()`
# computes the new ones, `optimiser.step()` moves all weights a little downhill. Do this for every batch, and go through all
# of them several times. (`torch.optim.Adam(model.parameters())` is such an optimiser.) There are many right answers.


# %% tags=["exercise"]
class MyAutoencoder(nn.Module):
    """Pictures (B, 1, 28, 28) → codes (B, 16) → pictures (B, 1, 28, 28); B is the number of pictures in a batch."""

    def __init__(self):
        super().__init__()
        # solution-begin
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 16))
        self.decoder = nn.Sequential(nn.Linear(16, 256), nn.ReLU(), nn.Linear(256, 784), nn.Sigmoid())
        # solution-end

    def encode(self, x):
        """Codes (B, 16) of pictures x."""
        # solution-begin
        return self.encoder(x)
        # solution-end

    def decode(self, z):
        """Pictures (B, 1, 28, 28) from codes z, and from nothing else."""
        # solution-begin
        return self.decoder(z).view(-1, 1, 28, 28)
        # solution-end

    def forward(self, x):  # what model(x) does
        return self.decode(self.encode(x))


# %% tags=["exercise"]
def train_by_hand(model, data):
    """Train the model to draw data.train.images (N, 1, 28, 28) again. Return the model."""
    # solution-begin
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(20):  # times through all images
        for x in data.train.images.split(128):
            loss = (model(x) - x).pow(2).sum() / len(x)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model
    # solution-end


mine = None  # your model, trained
# solution-begin
mine = train_by_hand(MyAutoencoder(), data)
# solution-end

# %% tags=["check"]
lab.checks.own_autoencoder(MyAutoencoder, train_by_hand)

# %% [markdown] tags=["help"]
# 1. Encoder and decoder are mirror images: what the first does last, the second does first. Begin with one
#    `nn.Linear` on each side; everything else can come later. Which two numbers does each of them take?
# 2. The encoder flattens, and ends with 16 numbers. The decoder starts with 16 and ends with 784 numbers and a sigmoid,
#    which become a picture again. The loop is two `for`s: times through the data, and batches, as
#    `data.train.images.split(128)` gives them. Make the optimiser before both, for example
#    `torch.optim.Adam(model.parameters())`.
#
# **Why.** The code has fewer numbers than the picture, and the decoder sees the code alone. So the only way to a small
# loss is to put into the code what matters most for drawing the picture.

# %% [markdown]
# ### Beside the library's
#
# What you have built is a model of the course. `lab.compare`, all measures and figures, the explorer below, and `lab.fit`,
# which trains it further, take a plain `nn.Module` as it is. The next cells take yours along as soon as you have one.
# (Until then they show the library's alone. *Deeper · Any nn.Module will do* has another one.)

# %%
models = {"the library's": autoencoder}
if mine is not None:
    models["yours"] = mine
lab.compare(models, data, columns=["mse", "knn"])

# %% [markdown]
# `mse` is the squared error per pixel on test digits. `knn` asks for the class: how often do the five training digits
# with the most similar codes vote for the right one? The columns with `_se` are standard errors: how much the number
# would vary with other test digits. `parameters` counts the learned numbers.
#
# The library's classes are the same two halves, with more care: they check what they are given and take other sizes and
# losses. This is the one that you trained at the very beginning. `dense_layers` makes linear layers with a bend after
# each but the last; `Autoencoder`, from which it is derived, puts the halves together.

# %%
lab.show_source(lab.DenseAutoencoder, docstrings=False)

# %% [markdown]
# How good is it? Two answers to beat. The mean image you know. [PCA]({{glossary}}#pca) is the best that can be done with
# 16 numbers and straight lines, computed in one go; notebook 01 takes it apart.

# %%
lab.predict(
    "16 numbers a picture, a few seconds of training. Where does the autoencoder's error on new digits end up?",
    options=["above the mean image's", "between the mean image's and PCA's", "below PCA's"],
    key="00-2-first-autoencoder",
)

# %%
pca = lab.PCA(16).fit(data.train)
lab.plot.history(history, baselines=[pca], data=data)

# %%
errors = {name: lab.metrics.mse(model, data.test).value for name, model in [("pca", pca), ("ae", autoencoder)]}
errors["mean"] = float((data.test.images - data.train.images.mean(dim=0)).square().mean())
limits = {"below PCA's": errors["pca"], "between the mean image's and PCA's": errors["mean"]}
lab.outcome("00-2-first-autoencoder", errors["ae"], below=limits, otherwise="above the mean image's")
lab.plot.reconstructions({"PCA": pca} | models, data.test, count=12)

# %% tags=["nbval-check-output"]
lab.holds(
    ("the autoencoder's error, as a share of the mean image's", errors["ae"] / errors["mean"], "<", 0.5),
    ("the autoencoder's error, as a share of PCA's", errors["ae"] / errors["pca"], "<", 0.9),
)

# %% [markdown]
# **What you should see.** The curve drops through the mean image's line almost at once: that is easy. It takes longer to
# reach PCA's line. In the pictures PCA leaves grey shadows round the strokes, for it can only add and subtract fixed
# patterns; the autoencoder's digits are cleaner. Look for a column in which both fail: that is a way of writing which few
# training images share. Sixteen numbers are spent on what is common.

# %% [markdown]
# ### You draw, it draws again
#
# Will 16 numbers do for *your* handwriting? Run the cell and choose **Draw**. With every stroke it brings your drawing to
# 28×28 pixels, squeezes it into a code, and redraws it from the code alone.

# %%
lab.explore(models, data)

# %% [markdown]
# **Try it.**
# - Write a 3. Then close its two gaps, a little at a time, until it is an 8. Does the model close a gap before you do?
#   The class named below the answer is that of the nearest code: when does it change from 3 to 8?
# - Draw what is no digit: a letter, a house, a smiley. Or load a photo and untick *Centre the drawing*. What comes
#   back?
# - Press *Go there*: it leads to your drawing's place on the **map**. Every mark is the code of a test digit; the
#   [space of all codes]({{glossary}}#latent-space) has 16 dimensions, and the map shows the two directions in which
#   these codes vary most. Drag the ring, slowly, also into the hatched parts, where no code lies.
# - Open **Sliders**, and move along *single code values*: turn one number at a time, beginning from several digits.
#
# **What you should see.** The drawing comes back as if it were a digit: small gaps closed, corners rounded. The decoder
# has only ever been asked for digits; section 4 measures what that does to other pictures. Neighbouring codes give
# similar pictures. One number changes several things at once, and other things for other digits: it is not "the slant" or
# "the thickness". Far from all codes many drawings are no digits any more. Notebooks 01 and 02 come back to both.

# %% [markdown]
# ### Exercise 3 · Find the bug
#
# Here is the step of a loop, written by somebody in a hurry. The loss even falls at first. Then it goes astray.


# %%
def training_step_in_a_hurry(model, optimiser, x):
    loss = model.loss(x).total  # squared error of the reconstruction, as in Exercise 1
    loss.backward()  # the gradient of the loss goes to p.grad of every weight p
    optimiser.step()  # every weight moves against its p.grad
    return loss.item()


rushed = lab.DenseAutoencoder(latent=16)
optimiser = torch.optim.SGD(rushed.parameters(), lr=1e-3)
losses = [training_step_in_a_hurry(rushed, optimiser, data.train.images[:128]) for _ in range(60)]
lab.plot.curves(range(1, 61), {"in a hurry": losses}, xlabel="step", ylabel="squared error per image")

# %% [markdown]
# Write the step as it should be. *Hint: `backward()` **adds** to what `p.grad` already holds.*


# %% tags=["exercise"]
def training_step(model, optimiser, x):
    """One step of gradient descent on images x: (B, C, H, W). Return the loss before the step."""
    # solution-begin
    loss = model.loss(x).total
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()
    # solution-end


# %% tags=["check"]
lab.checks.training_step(training_step)

# %% [markdown] tags=["help"]
# 1. Nothing that stands there is wrong; something is missing. Ask what `p.grad` holds already when the function is
#    called for the second time.
# 2. `optimiser.zero_grad()` empties every `p.grad`. It must run before `backward()` fills them again.
#
# **Why.** `backward()` adds to the gradients that are there. Without clearing them, each step repeats all the steps
# before it.

# %% [markdown]
# ## 3 · How many numbers does a digit need?
#
# A code is called [undercomplete]({{glossary}}#undercomplete) if it has fewer numbers than the picture,
# $\dim(h) < \dim(x)$. It is said to capture "all the important characteristics" of the picture (slide 001). That is a
# claim, so let us measure it, twice:
#
# - **Is the picture still there?** The reconstruction error on test digits.
# - **Is the meaning still there?** A [linear probe]({{glossary}}#linear-probe): can a simple classifier, one that
#   only draws straight lines, read off the code which digit it was? The labels are used for this test alone.
#
# A figure needs something to stand beside it. For the picture that is PCA with as many numbers. For the meaning it is
# the same probe on all 784 pixels, and on a code that *nobody learned*: the pixels mixed by a random matrix.


# %% tags=["folded"]
class Pixels:
    """No code at all: the 784 pixels as they are."""

    def encode(self, x):
        return x.flatten(1)


class RandomMix:
    """A code nobody learned: 784 pixels times a random matrix."""

    def __init__(self, latent):
        self.matrix = torch.randn(784, latent, generator=torch.Generator().manual_seed(latent))

    def encode(self, x):
        return x.flatten(1) @ self.matrix


# %%
lab.predict(
    "32 numbers a digit instead of 784. What share of the digits can a linear probe still name, compared with pixels?",
    options=["less than half of it", "clearly less, but more than half", "about as many as from the pixels"],
    key="00-3-probe-32",
)

# %%
sizes = [2, 8, 32]
learned = {k: lab.DenseAutoencoder(latent=k) for k in sizes}
for k in sizes:
    lab.fit(learned[k], data, epochs=18, seed=0)

straight = {k: lab.PCA(k).fit(data.train) for k in sizes}
error_of = {
    "autoencoder": [lab.metrics.mse(learned[k], data.test) for k in sizes],
    "PCA": [lab.metrics.mse(straight[k], data.test) for k in sizes],
}
mean_image = float((data.test.images - data.train.images.mean(dim=0)).square().mean())
lab.plot.curves(
    sizes, error_of, "numbers in the code", "squared error per pixel", baselines={"mean image": mean_image}, log="x"
)

# %%
probe_of = {
    "autoencoder": [lab.metrics.probe(learned[k], data) for k in sizes],
    "PCA": [lab.metrics.probe(straight[k], data) for k in sizes],
    "random mix": [lab.metrics.probe(RandomMix(k), data) for k in sizes],
}
from_pixels = lab.metrics.probe(Pixels(), data)
share = probe_of["autoencoder"][-1].value / from_pixels.value
limits = {"less than half of it": 0.5, "clearly less, but more than half": 0.94}
lab.outcome("00-3-probe-32", share, below=limits, otherwise="about as many as from the pixels")

# %%
known = {"784 pixels": from_pixels.value, "guessing": 0.1}
lab.plot.curves(sizes, probe_of, "numbers in the code", "digits named by the probe", baselines=known, log="x")

# %% tags=["nbval-check-output"]
probe = {name: dict(zip(sizes, [p.value for p in values], strict=True)) for name, values in probe_of.items()}
error = {name: dict(zip(sizes, [e.value for e in values], strict=True)) for name, values in error_of.items()}
lead = {k: 1 - error["autoencoder"][k] / error["PCA"][k] for k in sizes}
lab.holds(
    ("2 numbers: the probe, as a share of what pixels give", probe["autoencoder"][2] / from_pixels.value, "<", 0.8),
    ("8 numbers: its lead over a random mix", probe["autoencoder"][8] - probe["random mix"][8], ">", 0.15),
    ("32 numbers: how far it is from the pixels", abs(probe["autoencoder"][32] - from_pixels.value), "<", 0.06),
    ("32 numbers: the picture's error is still", error["autoencoder"][32], ">", 0.005),
    ("32 numbers: PCA's probe is this far from the pixels'", abs(probe["PCA"][32] - from_pixels.value), "<", 0.03),
    ("the autoencoder's lead over PCA with 32 numbers", lead[32], "<", lead[8]),
)

# %% [markdown]
# **What you should see.** The meaning arrives before the picture does. With 32 numbers the probe names about as many
# digits as from all 784 pixels, while the reconstructions still lose detail. This does not happen by itself: a random
# mix of 8 numbers is far behind, and catches up only as the code grows.
#
# A probe on 32 numbers can even do a little better than the same probe on all pixels. The code cannot know more: it was
# computed from the pixels. A likely reason is that a probe with 784 inputs and 3,500 examples also learns accidents of the
# training digits by heart, for which 32 inputs leave less room. (One standard error is ± {{from_pixels.error:.3f}} here, so
# trust only differences of twice that.)
#
# The autoencoder's lead over PCA is large with 8 numbers and small with 32: PCA has then many patterns to combine, and
# the network had only a few seconds of training. Notebook 02 gives it more time and a better shape.
#
# **So is the claim right?** *Under a condition.* A short code keeps what the **loss** finds important, as much of it as
# fits. With digits and the squared error that happens to include the class, from a certain size on; 2 numbers were not
# enough. What the loss finds unimportant can be lost completely. *Deeper · Important to whom?* hides a mark in half of
# the pictures, and the code does not notice.
#
# **Try it.** Add 4 and 16 to `sizes`. Where does the probe stop gaining, and where does the error?

# %% [markdown]
# ## 4 · Only what it was trained on
#
# Autoencoders are said to be [data-specific]({{glossary}}#data-specific) (slide 004). Nobody told the decoder what a picture
# is; it has only ever drawn digits. What will it make of other kinds of images? We take four:
# digits turned **upside down**, white **shapes** (boxes, ovals, triangles), **faces**, and the very same digits as
# **negatives**, black on white.

# %% tags=["folded"]
shapes = lab.load("shapes", n=5000)


def white_on_black(split):
    """The shapes' masks, 28×28: white shapes on black, one channel, like digits."""
    images = F.interpolate(split.masks, size=(28, 28), mode="bilinear", antialias=True).clamp(0, 1)
    return lab.Split(images, split.labels, split.classes)


kinds = {
    "digits": data,
    "upside down": data.map(lambda images: images.flip(2)),
    "shapes": lab.ImageData("white shapes", *map(white_on_black, (shapes.train, shapes.val, shapes.test))),
    "faces": lab.load("faces"),
    "negatives": data.map(lambda images: 1 - images),
}

# %% [markdown]
# How bad is bad? Bright pictures make large errors and dim ones small errors. So we divide by the error of an answer that
# knows *nothing* about the single picture, the mean image of that kind:
#
# $$\text{share lost} = \frac{\sum_i \lVert x_i - \hat x_i \rVert^2}{\sum_i \lVert x_i - \bar x \rVert^2}.$$
#
# 0 is perfect, 1 is no better than always answering with the mean, and above 1 it would have been better not to look.
# Two controls: PCA fitted to the same digits, and the *same* network trained for as long on as many **shapes**.

# %%
lab.predict(
    "The digits' autoencoder is shown faces. Which share is lost?",
    options=["less than half", "between a half and all", "more than all: worse than the mean face"],
    key="00-4-faces",
)


# %%
def share_lost(model, images):
    mean = images.train.images.mean(dim=0)
    return lab.metrics.mse(model, images.test).value / float((images.test.images - mean).square().mean())


trained = {f"{kind} autoencoder": lab.DenseAutoencoder(latent=16) for kind in ("digits", "shapes")}
for kind in ("digits", "shapes"):
    lab.fit(trained[f"{kind} autoencoder"], kinds[kind], epochs=16, seed=0)
trained["digits PCA"] = lab.PCA(16).fit(kinds["digits"].train)

lost = pd.DataFrame({name: {k: share_lost(model, kinds[k]) for k in kinds} for name, model in trained.items()})
limits = {"less than half": 0.5, "between a half and all": 1.0}
on_faces = lost.loc["faces", "digits autoencoder"]
lab.outcome("00-4-faces", on_faces, below=limits, otherwise="more than all: worse than the mean face")
lost.round(2)

# %% [markdown]
# Images of each kind, and what the three models make of them. (The licence of the 20 faces behind the numbers is not
# stated, so we show one that is in the public domain: the astronaut Eileen Collins.)

# %% tags=["folded"]
colours = torch.from_numpy(astronaut()[70:180, 170:280]).permute(2, 0, 1)[None] / 255
face = F.interpolate(colours.mean(dim=1, keepdim=True), size=(28, 28), mode="bilinear", antialias=True).clamp(0, 1)
some = {kind: face if kind == "faces" else images.test.images[:3] for kind, images in kinds.items()}
originals = torch.cat([*some.values()])
drawn = {name: lab.metrics.in_batches(model.reconstruct, originals) for name, model in trained.items()}
told = "; ".join(f"{name}: {', '.join(f'{k} {v:.2f}' for k, v in lost[name].items())}" for name in trained)
lab.plot.image_rows(
    {"original": originals} | drawn,
    headers={"a face" if kind == "faces" else kind: len(images) for kind, images in some.items()},
    alt=f"Images of five kinds, a face among them, above what three models make of them. Share lost by the {told}.",
)

# %% tags=["nbval-check-output"]
digits_ae, shapes_ae, digits_pca = (lost[name] for name in trained)
own = {"digits": digits_ae["digits"] / shapes_ae["digits"], "shapes": shapes_ae["shapes"] / digits_ae["shapes"]}
lab.holds(
    ("digits: lost by their own network, per share lost by the other", own["digits"], "<", 0.5),
    ("shapes: the same", own["shapes"], "<", 0.5),
    ("faces: the share that the digits' autoencoder loses", digits_ae["faces"], ">", 1),
    ("negatives: the share that it loses", digits_ae["negatives"], ">", 1),
    ("faces and negatives: the smaller share that PCA loses", digits_pca[["faces", "negatives"]].min(), ">", 1),
)

# %% [markdown]
# **What you should see.** Digits come out as digits. The face comes out as a scrawl of digit strokes and blots. The worst
# case is the negative. To you it shows the same digit. For the network all its pixels have changed.
#
# **So is the claim right?** *Yes*, and two remarks belong to it. It comes by degrees: upside-down digits are strokes too, and
# white shapes on black are half understood. And it is no vice of neural networks, for PCA fails on the same pictures.
# The second network shows that shapes as such are not hard. Trained on them, it loses only a share of
# {{shapes_ae["shapes"]:.2f}} of them, although their corners still come out round, and a share of
# {{shapes_ae["digits"]:.2f}} of the digits. Each does well on the kind that it was trained on.
#
# **Try it.** With a network connection, add `"clothes": lab.load("fashion-mnist", n=5000)` to the kinds, and `"clothes"` to
# the names that the training cell goes through. Does an autoencoder of clothes do better on digits than the other way round? Why might it?

# %% [markdown]
# ### Exercise 4 · Design an experiment
#
# Other kinds of images can be very near. An autoencoder is trained without a single 0. **How much worse does it draw
# zeros, because it has never seen one?** The last half-sentence is the difficult part: zeros may be hard anyway.
#
# Two tools are given. Decide *what to train on* and *what to measure on*, and return two errors.


# %%
def train(images):
    """A model with a 16-number code, trained on these images (N, 1, 28, 28): always 540 steps, always seed 0."""
    split = lab.Split(images, torch.zeros(len(images), dtype=torch.int64), ("any",))
    model = lab.DenseAutoencoder(latent=16)
    lab.fit(model, replace(data, train=split), steps=540, seed=0)
    return model


def error(model, images):
    """The squared error per pixel of the model's reconstructions of these images (N, 1, 28, 28)."""
    return float((lab.metrics.in_batches(model.reconstruct, images) - images).square().mean())


# %% [markdown]
# Then write your conclusion as one sentence. It says what was measured, on which images, and *how many times* larger
# the error is. (Images are chosen by a condition: `data.train.images[data.train.labels != digit]`.)


# %% tags=["exercise"]
def experiment(data, digit, train, error):
    """Return (error with the digit in training, error without it)."""
    # solution-begin
    without_it = data.train.images[data.train.labels != digit]
    asked = data.test.images[data.test.labels == digit]
    return error(train(data.train.images), asked), error(train(without_it), asked)
    # solution-end


result = experiment(data, 0, train, error)

conclusion = None
# solution-begin
times = result[1] / result[0]
conclusion = f"On test zeros the squared error is {times:.1f} times as large if the training images held none."
# solution-end
print("errors with and without the digit in training:", result)

# %% tags=["check"]
lab.checks.unseen_digit(experiment, result, conclusion)

# %% [markdown] tags=["help"]
# 1. You need two models that differ in one thing alone: whether the digit was among the training images. Test both on
#    the same images. Which images answer the question?
# 2. Call `train` twice: with all of `data.train.images`, and with those whose label is not `digit`. Measure both with
#    `error` on the test images of that digit, which `data.test.labels == digit` chooses. In the conclusion, divide
#    one error by the other.
#
# **Why.** The model that has seen the digit is the control: it shows how hard the digit is anyway. Only what comes on
# top of that is due to never having seen it.

# %% [markdown]
# ## Take-aways
#
# - An autoencoder is an encoder to a short code and a decoder back. The picture is its own target; it needs no labels.
# - Ten lines of PyTorch make one. Each training step clears the gradients, computes them, and moves the weights.
# - An error means nothing alone: compare it with the mean image, with PCA, with a control that differs in one thing.
# - A short code keeps what the loss rewards. For digits that includes most of the class.
# - An autoencoder knows the kind of picture it was trained on. So does PCA.
# - Judge on pictures that took no part in training.
#
# The words used here are explained in the [glossary]({{glossary}}).

# %% [markdown]
# ## Quiz

# %%
lab.quiz(
    "00",
    [
        {
            "ask": "What does the decoder get to see of the picture?",
            "right": ("only the code h", "That is the whole point: what is not in the code cannot be drawn."),
            "wrong": {
                "the picture and its code": "Then it could copy the picture and the code would carry nothing.",
                "the picture's label": "Labels play no part in training; the probe alone uses them, afterwards.",
            },
        },
        {
            "ask": "A model's squared error per pixel on new digits is 0.06. Is that good?",
            "right": (
                "no: the mean image alone comes close to that",
                "Section 1: one image for all of them already has an error of about 0.07.",
            ),
            "wrong": {
                "yes: 94 % of the pixels are right": "A squared error is no share of pixels, and most are black.",
                "one cannot say without the training loss": "The training loss says nothing about new digits. "
                "What is missing is a baseline, and section 1 has one.",
            },
        },
        {
            "ask": "Somebody's autoencoder has a code of 784 numbers and an error of almost 0. What does that show?",
            "right": (
                "little: with as many numbers as pixels it may have learned to copy",
                "Something has to keep it from copying. A bottleneck is one way, and notebook 01 meets others.",
            ),
            "wrong": {
                "that it has understood digits": "A copier that has understood nothing has an error of 0, too.",
                "that its code is the best one can have": "Ask what the code is good for: the pixels themselves would "
                "be such a code.",
            },
        },
        {
            "ask": "A friend trained one model without zeros and says: that makes zeros hard to draw. What is missing?",
            "right": (
                "a model trained with zeros, measured on the same test zeros",
                "Without this control, zeros might just be hard to draw.",
            ),
            "wrong": {
                "more training steps": "More steps change both models; they do not tell what the missing zeros did.",
                "the error on the training images": "A model may know those by heart; they tell little about new ones.",
            },
        },
        {
            "ask": "An autoencoder trained on digits is shown a face. What comes out?",
            "right": (
                "a scrawl of digit strokes and blots",
                "Training asked the decoder for digits only, so that is what its codes stand for.",
            ),
            "wrong": {
                "the face, a little blurred": "Blur is what happens to new digits; a face is far outside.",
                "an error message": "The numbers fit, so it computes happily. Nothing warns you: you have to measure.",
            },
        },
    ],
)

# %% [markdown]
# ## From slide to cell
#
# | slide | what it says | where | what came out |
# |---|---|---|---|
# | 001 "Introduction to Autoencoder" | encode, decode, be close to the picture | sections 1 and 2, Exercise 2 | it is |
# | the same | a short code captures all the important characteristics (C01) | section 3, *Deeper · Important to whom?* | right under a condition: the code must not be too small, nor the loss blind to them |
# | 001 "Choice of loss function" | sum over pixels, mean over pictures | Exercise 1 | used throughout |
# | 004 "Bottleneck" | the narrow layer forces a compressed representation | sections 1 to 3 | it does |
# | 004 "Training an Autoencoder" | the targets are the training images | Exercises 2 and 3 | it is so |
# | 004 "Autoencoder Limitations" | lossy | section 3 | right at every size tried |
# | the same | data-specific (C36) | section 4, Exercise 4 | right under a condition: by degrees, and so is PCA |

# %% [markdown]
# ## Further reading
#
# - G. E. Hinton and R. R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", *Science* 313
#   (2006): deep autoencoders against PCA, on digits and faces.
# - I. Goodfellow, Y. Bengio and A. Courville, *Deep Learning* (2016), chapter 14: autoencoders, free to read at
#   deeplearningbook.org.
# - G. Alain and Y. Bengio, "Understanding intermediate layers using linear classifier probes" (2016), arXiv 1610.01644.
#
# Next: **01 · The linear autoencoder**, where the network and PCA turn out to be the same thing in disguise.

# %% [markdown]
# ## Deeper · Important to whom?
#
# Section 3 found that a short code keeps what is important. Important to whom? The network was told one thing only: get
# the pixels right. So put a small mark into the corner of half of the pictures, four dim pixels, and let a probe look for
# it: in the pixels, and in the code of an autoencoder that was trained on exactly these marked pictures.

# %%
lab.predict(
    "Marked or not? You can see the mark. Can a probe on the 16-number code of the marked pictures tell?",
    options=["yes, nearly always", "mostly", "hardly better than tossing a coin"],
    key="00-3-mark",
)


# %%
class AllPixels:
    """No code at all: the 784 pixels as they are."""

    def encode(self, x):
        return x.flatten(1)


def with_marks(split, seed):
    """The split with four dim pixels added to a random half of the images; the label says whether it is marked."""
    marked = torch.rand(len(split), generator=torch.Generator().manual_seed(seed)) < 0.5
    images = split.images.clone()
    images[:, :, 1:3, 1:3] = 0.3 * marked[:, None, None, None].float()
    return lab.Split(images, marked.long(), ("plain", "marked"))


marked_data = lab.ImageData("marked", *(with_marks(s, i) for i, s in enumerate([data.train, data.val, data.test])))

# %%
marked_autoencoder = lab.DenseAutoencoder(latent=16)
lab.fit(marked_autoencoder, marked_data, epochs=12, seed=0)
mark_read = {
    "from the pixels": lab.metrics.probe(AllPixels(), marked_data),
    "from the code": lab.metrics.probe(marked_autoencoder, marked_data),
}
limits = {"hardly better than tossing a coin": 0.7, "mostly": 0.9}
lab.outcome("00-3-mark", mark_read["from the code"], below=limits, otherwise="yes, nearly always")
lab.plot.bars(mark_read, "share of pictures whose mark the probe reads", baselines={"tossing a coin": 0.5})

# %% tags=["folded"]
corners = lab.metrics.in_batches(marked_autoencoder.reconstruct, marked_data.test.images)[:, 0, 1:3, 1:3]
drawn_mark = [float(corners[marked_data.test.labels == label].mean()) for label in (0, 1)]
three_each = torch.cat([(marked_data.test.labels == label).nonzero().flatten()[:3] for label in (0, 1)])
originals = marked_data.test.images[three_each]
lab.plot.image_rows(
    {"original": originals, "drawn from the code": lab.metrics.in_batches(marked_autoencoder.reconstruct, originals)},
    alt="Three plain and three marked digits above their reconstructions. The marked ones have a dim square in the "
    f"upper left corner. Of the reconstructions' corners the plain digits' have a mean brightness of "
    f"{drawn_mark[0]:.2f} and the marked ones' of {drawn_mark[1]:.2f}.",
    scale=1.3,
)

# %% tags=["nbval-check-output"]
lab.holds(
    ("share of the marks that the pixels give away", mark_read["from the pixels"], ">", 0.95),
    ("share that the code gives away", mark_read["from the code"], "<", 0.65),
    (
        "drawn corners, marked minus plain (the mark is three times this limit)",
        abs(drawn_mark[1] - drawn_mark[0]),
        "<",
        0.1,
    ),
)

# %% [markdown]
# **What you should see.** The left three originals are plain, the right three marked, and their drawings cannot be told
# apart. *Every* one has half a mark in its corner: a brightness of {{drawn_mark[0]:.2f}} on average where nothing was, and
# of {{drawn_mark[1]:.2f}} where the mark was. That is the mean image again, in one corner. The network does not know which
# pictures are marked, so it draws the average on all. Four dim pixels cost the loss next to nothing, and a short code has
# no room for them. Had the mark meant "send this patient to hospital", the one thing that counts would be gone.
#
# **Try it.** Make the mark as bright as the digits (1 instead of `0.3`), or the code longer. When does the code begin to
# notice?

# %% [markdown]
# ## Deeper · Any nn.Module will do
#
# A plain `nn.Module` whose call gives the picture back is a model of the course; with `encode` and `decode` it has a
# code as well. Here is one that no class of the library covers: a single matrix, used forwards to squeeze and turned
# round to draw.


# %%
class OneMatrix(nn.Module):
    """h = SiLU(W x), x̂ = sigmoid(Wᵀ h + c)."""

    def __init__(self, latent):
        super().__init__()
        self.W = nn.Parameter(torch.randn(latent, 784) / 28)
        self.c = nn.Parameter(torch.zeros(784))

    def encode(self, x):
        return F.silu(x.flatten(1) @ self.W.T)

    def decode(self, z):
        return torch.sigmoid(z @ self.W + self.c).unflatten(1, (1, 28, 28))

    def forward(self, x):
        return self.decode(self.encode(x))


# %%
one_matrix = OneMatrix(latent=16)
curve = lab.fit(one_matrix, data, epochs=20)
lab.plot.history(curve, baselines=[lab.PCA(16).fit(data.train)], data=data)

# %%
lab.compare({"one matrix": one_matrix, "the library's": autoencoder}, data, columns=["mse", "knn"])

# %%
lab.explore({"one matrix": one_matrix, "the library's": autoencoder}, data)

# %% [markdown]
# **What you should see.** It learns, it is measured, it is drawn, and it can be explored beside the library's: the same
# digit on two maps.

# %% [markdown]
# ## Deeper · Does a longer code help with other kinds of images?
#
# Section 4 blamed the short code. A code of several hundred numbers has room for almost anything. PCA makes this quick to
# try, for it needs no training. The same digits to learn from, the same other kinds of images.

# %%
shapes_masks = lab.load("shapes", n=5000).test.masks
others = {
    "digits": data.test.images,
    "shapes": F.interpolate(shapes_masks, size=(28, 28), mode="bilinear", antialias=True).clamp(0, 1),
    "faces": lab.load("faces").test.images,
    "negatives": 1 - data.test.images,
}
code_sizes = [16, 64, 256, 512]
by_size = {name: [] for name in others}
for k in code_sizes:
    model = lab.PCA(k).fit(data.train)
    for name, images in others.items():
        remaining = (lab.metrics.in_batches(model.reconstruct, images) - images).square()
        by_size[name].append(float(remaining.mean() / (images - images.mean(dim=0)).square().mean()))

# %%
lab.plot.curves(
    code_sizes, by_size, "numbers in the code", "share lost", baselines={"their own mean image": 1.0}, log="x"
)

# %% [markdown]
# Where do the negatives lose, even with 512 numbers? Look at the pixels in which no training digit has any ink:

# %% tags=["nbval-check-output"]
never_lit = (data.train.images.amax(dim=0) == 0)[0]  # (28, 28)
share_there = float(remaining[:, 0, never_lit].sum() / remaining.sum())  # of the negatives, the last ones in the loop
lab.holds(
    ("512 numbers: share lost of the shapes", by_size["shapes"][-1], "<", 0.1),
    ("512 numbers: share lost of the negatives", by_size["negatives"][-1], ">", 1),
    ("of their error, the share in pixels that no training digit lights", share_there, ">", 0.5),
)

# %% [markdown]
# **What you should see.** Shapes become drawable: with many patterns to combine, white on black is white on black.
# Negatives do not. In {{int(never_lit.sum())}} of the 784 pixels, most of them near the border, no training
# digit has any ink. PCA's patterns are 0 there, however many one takes, and a negative is white there. A code can be
# nearly as large as the picture and still be bound to its data.
