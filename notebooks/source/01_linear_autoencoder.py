# %% [markdown]
# # 01 · The linear autoencoder, and what bends it
#
# *Encoder and decoder as formulas; under- and overcomplete; PCA against autoencoders, point by point, measured*
#
# Two matrices and a loss: that is the smallest [autoencoder]({{glossary}}#autoencoder) there is. It is small enough
# to be solved exactly, so here every question has an answer to compare with. You will see gradient descent arrive at
# a result from 1936, find out what the bends of a non-linear network buy, and put the slides' rules about codes,
# output functions and losses to the test.
#
# **You will be able to**
# - write an autoencoder's two formulas as code, and say what an undercomplete code must lose (section 1, quiz);
# - show that a linear autoencoder finds PCA's subspace, but not its axes, and recover the axes (sections 2 and 3,
#   Exercise 1);
# - measure what non-linearity is worth, with a control that differs in nothing else (section 4, Exercise 2);
# - choose an output function and a loss for given data, and know the lowest value a loss can reach (sections 5 and 6,
#   Exercise 3);
# - say when a code wider than its input is worthless, and what mends it (section 7, quiz).
#
# **Before you start** Notebook 00. Matrices, their products and the singular value decomposition (SVD) should not be
# strangers.
#
# **Time** {{minutes}} minutes with the exercises; the computer itself needs about {{seconds}} s of them.
#
# **Slides covered** 001 from "Introduction to linear-Autoencoder" to "PCA vs AE". The table at the end says which
# slide is tried in which cell.

# %% tags=["setup"]
import math
import time
from itertools import pairwise

import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.decomposition import IncrementalPCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import autoencoder_lab as lab

lab.setup(seed=0)
data = lab.load("mnist-5k")
pca32 = lab.PCA(32).fit(data.train)  # the baseline under most curves below


def explained(source, target):
    """The share of the variance of target's codes that the best affine map of source's codes gives, on test images."""
    h, wanted = (lab.metrics.encode(model, data.test).double() for model in (source, target))
    h = torch.cat([h, torch.ones(len(h), 1)], dim=1)  # a column of ones: the offset
    left = wanted - h @ torch.linalg.lstsq(h, wanted).solution
    return 1 - float(left.square().sum() / (wanted - wanted.mean(dim=0)).square().sum())


# %% [markdown]
# ## 1 · Two formulas and a code
#
# Slide 001 defines the whole machine in two lines. For an image $x$ of 784 pixels,
#
# $$h = g(Wx + b) \qquad\qquad \hat x = f(W^* h + c)$$
#
# $W$ has one row for every number of the [code]({{glossary}}#code) $h$, and $W^*$ has one column for each. The bent
# functions $g$ and $f$ work on every entry by itself. Where $h$ has fewer entries than $x$, the slide calls the
# autoencoder [undercomplete]({{glossary}}#undercomplete). In the library it is a dense autoencoder without hidden
# layers. For $f$ we take the sigmoid, and for $g$ the SiLU, $g(a) = a \cdot \text{sigmoid}(a)$; the slide's own
# choice of $g$ is tried in *Deeper · Which g?*.

# %%
slide = lab.DenseAutoencoder(latent=32, hidden=(), code_activation="silu")
history = lab.fit(slide, data, steps=500, learning_rate=1e-2)
lab.plot.history(history, baselines=[pca32], data=data)

# %%
lab.diagram.hourglass(data.test.images[0], slide)

# %% [markdown]
# Two baselines stand under the curve: the mean image, which everyone can draw without looking, and
# [PCA]({{glossary}}#pca) with a code of the same size, which section 2 introduces.
#
# Is that network really no more than the two formulas? Write them out and compare.

# %% tags=["nbval-check-output"]
W, b = slide.encoder[1].weight, slide.encoder[1].bias  # (32, 784), (32,)
W_star, c = slide.decoder[0].weight, slide.decoder[0].bias  # (784, 32), (784,)

x = data.test.images[:100].flatten(1)
h = F.silu(x @ W.T + b)
x_hat = torch.sigmoid(h @ W_star.T + c)

same = torch.allclose(x_hat, slide.reconstruct(data.test.images[:100]).flatten(1), atol=1e-5)
print(f"The two formulas give the network's own pictures: {same}")

# %% [markdown]
# ### Is the code free of loss?
#
# The slide says so: "h is a loss-free encoding", it "captures all the important characteristics". Loss-free would
# mean that $x$ can be had back from $h$ exactly, so two different pictures may never share a code.

# %%
lab.predict(
    "Take two test digits x and y. Can y be changed into a picture that looks like y, but has exactly x's code?",
    options=["yes, always", "only for a badly trained network", "no, different pictures have different codes"],
    key="01-1-two-pictures-one-code",
)

# %% [markdown]
# Only $Wx$ enters the code, and $W$ takes 784 numbers to 32. So there are at least 752 directions in which a picture
# can move without its code noticing. Start at $y$ and make the smallest change that turns $Wy$ into $Wx$:
#
# $$\tilde y = y + W^{+}(Wx - Wy), \qquad W^{+}\ \text{the pseudo-inverse}$$

# %%
W64 = slide.encoder[1].weight.detach().double()
x, y = data.test.images[0].flatten().double(), data.test.images[1].flatten().double()
twin = y + torch.linalg.pinv(W64) @ (W64 @ (x - y))

trio = torch.stack([x, y, twin]).float().view(3, 1, 28, 28)
lab.plot.image_rows(
    {"picture: x, y, twin": trio, "reconstruction": slide.reconstruct(trio).detach()},
    alt="Three pictures above their reconstructions: digit x, digit y, and y's twin. The twin still shows y under some "
    "grain, but its reconstruction is that of x.",
    scale=1.1,
)

# %% tags=["nbval-check-output"]
code_gap = float((W64 @ (twin - x)).abs().max())
print(f"the twin has x's code, to rounding: {code_gap < 1e-6}")
print(f"as a picture it is nearer to y than to x: {bool((twin - y).norm() < (twin - x).norm())}")

# %%
lab.outcome("01-1-two-pictures-one-code", "yes, always" if code_gap < 1e-6 else "only for a badly trained network")

# %% [markdown]
# **What you should see.** Two pictures that differ, one code, hence one reconstruction: at least one of the two must
# be wrong. No training can help, because the argument is about the *sizes* of the matrices. (The twin is no
# handwritten digit, and some of its pixels lie outside [0, 1]. A code might still be loss-free *for digits alone*; it
# is not, up to 512 numbers: *Deeper · How much a longer code keeps*.)
#
# **The slide's claim** is wrong as it stands. An undercomplete code loses something of every image that is not
# confined to a subspace of its size. Its second half is a matter of *importance*, and here the squared error decides
# what counts as important: large strokes first, fine ones last.
#
# **Try it.** Take another pair of digits for x and y. Then make the code 256 numbers long: what happens to the twin,
# and why is the answer in the number of directions left?

# %% [markdown]
# ## 2 · Gradient descent meets an exact solution
#
# Take the bends away: $h = Wx + b$, $\hat x = W^* h + c$. What remains can be solved without any training. Let
# $\bar x$ be the mean image and $v_1, v_2, \dots$ the directions in which the centred images vary most. The slide's
# first point about PCA, its *methodology*, reads in our notation
#
# $$h = V_k^\top (x - \bar x) \qquad\qquad \hat x = V_k h + \bar x,$$
#
# and the columns of $V_k$ come from one [SVD]({{glossary}}#singular-value-decomposition) of the centred images.
# Eckart and Young showed in 1936 that, on the images it was fitted to, no linear map through $k$ numbers has a
# smaller squared error. A [linear autoencoder]({{glossary}}#linear-autoencoder) therefore cannot win there. Can it
# tie? It begins with random matrices, and all it ever learns is the slope of its loss. The slide's third point,
# *learning*, is this contrast.

# %%
lab.show_source(lab.LinearAutoencoder.encoder, lab.LinearAutoencoder.decoder, lab.PCA.fit)

# %%
lab.predict(
    "Code of 8 numbers. How far above PCA's error on the training images will the trained linear autoencoder end?",
    options=["more than 10 %", "1 to 10 %", "less than 1 %"],
    key="01-2-how-close-to-pca",
)

# %%
pca = lab.PCA(8).fit(data.train)
linear = lab.LinearAutoencoder(latent=8)
history = lab.fit(linear, data, steps=2500, learning_rate=2e-2)
lab.plot.history(history, baselines=[pca], data=data)

# %%
gap = lab.metrics.mse(linear, data.train).value / lab.metrics.mse(pca, data.train).value - 1
answer = "less than 1 %" if gap < 0.01 else "1 to 10 %" if gap < 0.1 else "more than 10 %"
lab.outcome("01-2-how-close-to-pca", answer)

# %%
lab.compare([pca, linear], data, columns=["mse", "psnr"])

# %%
lab.diagram.weighted_sum(data.test.images[0], pca)

# %% tags=["nbval-check-output"]
angles = lab.metrics.principal_angles(pca, linear)  # (8,), degrees, smallest first
print(f"training error within 1 % of PCA's: {bool(abs(gap) < 0.01)}")
print(f"largest angle between the two subspaces below 2°: {bool(angles.max() < 2)}")

# %%
print(f"gap to PCA on the training images: {100 * gap:.4f} %; largest angle: {angles.max():.2f}°")

# %% [markdown]
# **What you should see.** A steep fall, then a slow approach to PCA's dashed line. The strong directions pull hard
# and are learned first. Then only the weak ones are wrong, and they pull weakly. [Principal
# angles]({{glossary}}#principal-angles) compare the planes that two sets of columns span, whatever the columns
# themselves look like: 0° everywhere means the same subspace. So **the slide is right**: PCA is solved, the
# autoencoder is optimised; and where both are linear, both arrive at the same place.
#
# Eckart and Young speak of the training images alone. On test images either may be ahead by a hair.
# (With 32 numbers one angle stays open at PCA's error: *Deeper · Thirty-two numbers*.)
#
# **Try it.** Train the one with $k = 8$ for 300 steps only. Which direction is missing: the strongest or the weakest?
# Draw `lab.plot.basis([pca, linear])` to see it.

# %% [markdown]
# ## 3 · The same space on other axes
#
# Equal error, equal subspace. Do the two models also have the same *code*? The slide's fourth point says that PCA has
# an explicit transformation matrix, while the autoencoder's embedding is learned implicitly in its hidden layer.
#
# Take any invertible matrix $A$. The pair $(A W,\ W^* A^{-1})$ draws exactly the same pictures as $(W,\ W^*)$, since
# $W^* A^{-1} A W = W^* W$. The squared error cannot tell them apart, so nothing makes gradient descent choose PCA's
# axes.

# %%
pca = lab.PCA(8).fit(data.train)
linear = lab.LinearAutoencoder(latent=8)
history = lab.fit(linear, data, steps=2000, learning_rate=2e-2)
lab.plot.basis({"PCA": pca, "linear AE": linear}, count=8)


# %% tags=["nbval-check-output"]
correlations = [torch.corrcoef(lab.metrics.encode(model, data.train).double().T) for model in (pca, linear)]
largest = [float((matrix - torch.eye(8)).abs().max()) for matrix in correlations]  # between two different values
print(f"PCA's code values are uncorrelated: {largest[0] < 0.01}")
print(f"the autoencoder's are clearly correlated: {largest[1] > 0.1}")

# %% [markdown]
# **What you should see.** PCA's columns have an order: first the broad outline of a 0, then ever finer patterns. The
# autoencoder's have none. Each is a blend of all, and so its code values move together. (Red adds ink and blue takes
# it away; turning all signs of a column, with those of its code value, changes nothing.)

# %% [markdown]
# ### One drag, two maps
#
# Is the order *lost*, or only hidden? If both codes know the same, either can be computed from the other, here by an
# [affine map]({{glossary}}#affine-map). A code of two numbers fits on a map, so lay two such maps side by side.

# %%
lab.predict(
    "An affine map, h ↦ A h + t, from PCA's two numbers to the linear autoencoder's: how much of them can it give?",
    options=["hardly anything", "about half of their variance", "all but 1 % of it"],
    key="01-3-from-one-code-to-the-other",
)

# %%
pca2 = lab.PCA(2).fit(data.train)
linear2 = lab.LinearAutoencoder(latent=2)
history = lab.fit(linear2, data, steps=1500, learning_rate=2e-2)
share = explained(pca2, linear2)
answer = "all but 1 % of it" if share > 0.99 else "about half of their variance" if share > 0.2 else "hardly anything"
lab.outcome("01-3-from-one-code-to-the-other", answer)

# %% tags=["nbval-check-output"]
print(f"an affine map gives more than 99 % of it: {share > 0.99}, and back again: {explained(linear2, pca2) > 0.99}")

# %%
lab.explore([pca2, linear2], data)

# %% [markdown]
# **Try it.** Find the 1s (orange squares) on both maps. Drag the ring on one of them: on the other it goes as many
# standard deviations along *that* model's axes, and the pictures differ. Now tick *Align*, which lays the second code
# on the first by the affine map, and drag again.
#
# **What you should see.** The same cloud, turned, stretched, perhaps mirrored. Aligned, every mark falls on its twin,
# and wherever you drag, both models draw the same picture: same subspace, other axes, the theorem of section 2 under
# your hands. **The slide is right under a condition:** PCA gives a matrix with ordered, orthogonal columns; a linear
# autoencoder gives a matrix as well, $W$, just as explicit. What it lacks is the order and the axes, and those can be
# computed afterwards. Only with bends between the layers is there no single matrix any more: *Deeper · A code that no
# matrix straightens*.

# %% [markdown]
# ### Exercise 1 · Give the decoder its axes back
#
# *Align* used PCA's codes to find its map. It can be done without: the autoencoder's own decoder matrix and the images
# are enough.
#
# 1. The SVD of $W^*$ gives orthonormal columns $Q$ that span the right subspace, still on arbitrary axes.
# 2. In that basis, the coordinates of the centred images are $Z = (X - \bar X)\,Q$.
# 3. The SVD of $Z$ tells how to rotate $Q$ so that the coordinates are uncorrelated, the strongest first.


# %% tags=["exercise"]
def components_from_decoder(weight, images):
    """weight: (pixels, k), the decoder's matrix W*; images: (n, pixels).

    Return (pixels, k): orthonormal columns that span the same subspace, along PCA's axes, strongest first.
    """
    # solution-begin
    Q, _, _ = torch.linalg.svd(weight, full_matrices=False)
    Z = (images - images.mean(dim=0)) @ Q
    _, _, rotation = torch.linalg.svd(Z, full_matrices=False)  # rows: the new axes
    return Q @ rotation.T
    # solution-end


# %% tags=["check"]
lab.checks.components_from_decoder(components_from_decoder)

# %% [markdown] tags=["help"]
# 1. Follow the three steps of the text, about a line each. `torch.linalg.svd(A, full_matrices=False)` returns three
#    things, U, S and Vᵀ. Ask, for each of the two SVDs, which of them you need.
# 2. Of the SVD of `weight` you need U: that is Q. Of the SVD of Z you need Vᵀ: its rows are the new axes, written in
#    the basis Q, so Q is multiplied by its transpose.
#
# **Why.** Q spans the right subspace already. PCA's axes are the directions in it along which the images vary most,
# and the SVD of the coordinates finds exactly these.

# %% [markdown]
# ## 4 · What the bends are worth
#
# The slide's second point: PCA is "limited to linear transformations", the autoencoder can be non-linear. When does
# that matter? First on data one can see: points in the plane, strewn along an arc. One number is enough to say where
# on the arc a point lies, but no straight line passes near all of them.
#
# A claim about non-linearity needs a control that differs in nothing else. Ours is the same network with the same
# layers, widths and training, with the identity in place of every activation.

# %%
lab.predict(
    "One code value for points on an arc. Which draws them back best?",
    options=["PCA", "the network without bends", "the network with bends"],
    key="01-4-arc",
)


# %%
def points_on_an_arc(count, seed):
    """Points with a little noise, as images of one row and two pixels, (count, 1, 1, 2)."""
    generator = torch.Generator().manual_seed(seed)
    angle = torch.deg2rad(220 * torch.rand(count, generator=generator) - 20)
    points = torch.stack([angle.cos(), angle.sin()], dim=1) + 0.04 * torch.randn(count, 2, generator=generator)
    return lab.Split(points.view(count, 1, 1, 2), torch.zeros(count, dtype=torch.int64), ("arc",), value_range=None)


arc = lab.ImageData("arc", points_on_an_arc(600, 1), points_on_an_arc(100, 2), points_on_an_arc(200, 3))
plane = {"image_shape": (1, 1, 2), "hidden": (32, 32), "output": "linear"}
on_arc = {
    "PCA": lab.PCA(1).fit(arc.train),
    "without bends": lab.DenseAutoencoder(1, activation="identity", **plane),
    "with bends": lab.DenseAutoencoder(1, activation="silu", **plane),
}
curves = {name: lab.fit(on_arc[name], arc, steps=800, learning_rate=1e-2) for name in ("without bends", "with bends")}
lab.plot.history(curves, baselines=[on_arc["PCA"]], data=arc)


# %%
def draw_points(models, images):
    """Each model in a panel of its own: the points, and where the model draws them back."""
    alt = "Points on an arc. PCA and the network without bends draw them all back onto a line, the third onto the arc."
    figure = lab.plot.Figure(alt, figsize=(8.4, 3.1))
    for axes, (name, model) in zip(figure.subplots(1, 3, sharey=True), models.items(), strict=True):
        drawn = lab.metrics.in_batches(model.reconstruct, images)
        axes.plot(*images.view(-1, 2).T, "o", color="#999999", markersize=3, label="test point")
        axes.plot(*drawn.view(-1, 2).T, "x", color=lab.plot.COLOURS[1], markersize=4, label="drawn back")
        axes.set_title(name, fontsize=10)
        axes.set_aspect("equal")
    figure.legend_below()
    return figure


draw_points(on_arc, arc.test.images)

# %% tags=["nbval-check-output"]
error = {name: lab.metrics.mse(model, arc.test).value for name, model in on_arc.items()}
print(f"without bends within 10 % of PCA: {abs(error['without bends'] / error['PCA'] - 1) < 0.1}")
print(f"with bends less than half of PCA's error: {error['with bends'] < 0.5 * error['PCA']}")

# %%
best = min(error, key=error.get)
lab.outcome("01-4-arc", best if best == "PCA" else f"the network {best}")

# %% [markdown]
# **What you should see.** Three linear layers in a row make one linear map: however deep, the network without bends
# does what PCA does. The bends alone make the difference.
#
# ### And on digits?
#
# The same three, at equal code size. Digits lie on no arc that one could draw, so only the measurement can tell.

# %%
on_digits = {
    "PCA": lab.PCA(8).fit(data.train),
    "without bends": lab.DenseAutoencoder(8, activation="identity", output="linear"),
    "with bends": lab.DenseAutoencoder(8, activation="silu", output="sigmoid"),
}
curves = {name: lab.fit(on_digits[name], data, steps=600) for name in ("without bends", "with bends")}
lab.plot.history(curves, baselines=[on_digits["PCA"]], data=data)

# %%
lab.compare(on_digits, data, columns=["mse", "psnr", "knn"])

# %%
lab.plot.reconstructions(on_digits, data.test, count=5)

# %% tags=["nbval-check-output"]
error = {name: lab.metrics.mse(model, data.test) for name, model in on_digits.items()}
print(f"without bends within 10 % of PCA: {abs(error['without bends'].value / error['PCA'].value - 1) < 0.1}")
print(f"with bends at least 15 % below PCA: {error['with bends'].value < 0.85 * error['PCA'].value}")

# %% [markdown]
# **What you should see.** The control ties with PCA again; bends lower the error on new digits by far more than its
# standard error (`mse_se` in the table). **The slide is right**, and "can" is well chosen: being a neural network is
# not enough, it is the activation that does it. The price: thousands of parameters more, and a training run.
#
# **Try it.** Change the code size to 2, then to 64. Where are the bends worth most?

# %% [markdown]
# ### Exercise 2 · Does the bend still pay with few images?
#
# A flexible model can learn its few training images by heart. Design an experiment: does the advantage over PCA hold
# with only `few` training images? The cell below gives you three tools. Return four errors: PCA's and the
# autoencoder's with *all* training images, then PCA's and the autoencoder's with the *few*. Think of what must be
# equal in all four, and of where to measure. Then run it and write down what came out.


# %%
def fit_pca(images):
    """PCA with a code of 16 numbers, fitted to images (n, 1, 28, 28)."""
    return lab.PCA(16).fit(lab.Split(images, torch.zeros(len(images), dtype=torch.int64), ("digit",)))


def fit_autoencoder(images):
    """A dense autoencoder with a code of 16 numbers and bends, trained for 500 steps on images (n, 1, 28, 28)."""
    split = lab.Split(images, torch.zeros(len(images), dtype=torch.int64), ("digit",))
    model = lab.DenseAutoencoder(16)
    lab.fit(model, lab.ImageData("digits", split, data.val, data.test), steps=500, progress=False)
    return model


def error_on(model, images):
    """Squared error per pixel of model on images (n, 1, 28, 28)."""
    return float((lab.metrics.in_batches(model.reconstruct, images) - images).square().mean())


# %% tags=["exercise"]
def experiment(data, few, fit_pca, fit_autoencoder, error_on):
    """Return (PCA with all, autoencoder with all, PCA with few, autoencoder with few): four errors."""
    # solution-begin
    everything, handful = data.train.images, data.train.images[:few]
    return tuple(
        error_on(fit(images), data.test.images)
        for images in (everything, handful)
        for fit in (fit_pca, fit_autoencoder)
    )
    # solution-end


result = None  # your measured run
conclusion = None  # one sentence: the autoencoder's error as a multiple of PCA's, with few images
# solution-begin
result = experiment(data, 100, fit_pca, fit_autoencoder, error_on)
conclusion = (
    f"With 100 training images the autoencoder's error on test digits is {result[3] / result[2]:.2f} times PCA's."
)
# solution-end

# %% tags=["check"]
lab.checks.few_images_experiment(experiment, result, conclusion)

# %% [markdown] tags=["help"]
# 1. In each pair, both models must get the same training images. All four errors must be measured on the same images,
#    and no model may have been trained on these.
# 2. `data.train.images[:few]` are the few. Fit both models to all images and to the few, and call `error_on` with
#    `data.test.images` each time. In the conclusion, divide the fourth error by the third.
#
# **Why.** Between the two pairs only the number of training images changes, so only that can explain what changes in
# the result. Test images show what a model can do; training images may be known by heart.

# %% [markdown]
# ## 5 · The output function decides which pictures can be drawn
#
# Whatever the network computes, $f$ has the last word. Slide 001 asks which is most apt for the decoder:
# $\text{sigmoid}(a)$, which stays in $[0, 1]$; $\tanh(a)$, in $[-1, 1]$; or $a$ itself, unbounded. Its answers: the
# sigmoid for binary inputs, the straight line for real ones.
#
# ### Binary images
#
# Make every pixel black or white, and train three copies of the slide's autoencoder that differ in $f$ alone: same
# squared error, same steps, same initial weights.

# %%
lab.predict(
    "Black-and-white digits, squared error. In which order do the three outputs end, lowest error first?",
    options=["sigmoid, linear, tanh", "linear, sigmoid, tanh", "sigmoid, tanh, linear", "some other order"],
    key="01-5-output-binary",
)

# %%
binary = data.map(lambda images: (images > 0.5).float())
outputs = ("sigmoid", "linear", "tanh")
by_output = {f: lab.DenseAutoencoder(32, hidden=(), output=f) for f in outputs}
curves = {f: lab.fit(model, binary, steps=800, learning_rate=1e-2) for f, model in by_output.items()}
lab.plot.history(curves, baselines=[lab.PCA(32).fit(binary.train)], data=binary)

# %%
rows = {}
for f, model in by_output.items():
    drawn = lab.metrics.in_batches(model.reconstruct, binary.test.images)
    rows[f] = {
        "squared error": lab.metrics.mse(model, binary.test).value,
        "pixels drawn outside [0, 1], %": 100 * ((drawn < 0) | (drawn > 1)).double().mean().item(),
        "pixels on the wrong side of ½, %": 100 * ((drawn > 0.5) != (binary.test.images > 0.5)).double().mean().item(),
    }
pd.DataFrame.from_dict(rows, orient="index").round(4)

# %% tags=["nbval-check-output"]
error = {f: lab.metrics.mse(model, binary.test).value for f, model in by_output.items()}
lowest = error["sigmoid"] < 0.9 * min(error["linear"], error["tanh"])
print(f"the sigmoid's error is the lowest, by at least 10 %: {lowest}")
first = {f: curve.val["mse"][0] for f, curve in curves.items()}
print(f"the linear output still leads after the first epoch: {first['linear'] < first['sigmoid']}")

# %%
order = ", ".join(sorted(error, key=error.get))
foreseen = ("sigmoid, linear, tanh", "linear, sigmoid, tanh", "sigmoid, tanh, linear")
lab.outcome("01-5-output-binary", order if order in foreseen else "some other order")

# %% [markdown]
# **What you should see.** The sigmoid ends clearly lowest and never leaves [0, 1]. Look at the left edge of the
# curves, though: early on it is the *worst*, for it starts at grey ½ everywhere and must first learn that most pixels
# are black. With too few steps the opposite conclusion comes out.
#
# Is tanh a bad function? It is a sigmoid on another scale: $\tanh(a) = 2\,\text{sigmoid}(2a) - 1$. What hurts is that
# black, 0, lies in the *middle* of its range, where it cannot hold still. With black recoded as −1 the two are the same
# function of $2a$ and can draw the same pictures.
#
# **The slide is right for inputs in {0, 1}, given enough steps.** The rule behind it: let the ends of $f$'s range be
# the ends of the data's.
#
# **Try it.** Train the tanh network on `binary.map(lambda images: 2 * images - 1, value_range=(-1, 1))`. Before you
# compare its error with the sigmoid's, divide it by 4. Why by 4?
#
# ### Real-valued images
#
# Now grey photographs of 16×16 pixels, *standardised*: mean 0, standard deviation 1. Many of their values lie below
# −1 or above 1. For a bounded $f$ there is a floor that needs no training to compute: even a perfect network can only
# draw the nearest value in the range, so its error is at least $\overline{(x - \text{clip}(x))^2}$.

# %%
photos = lab.load("photos").map(lambda images: F.avg_pool2d(images.mean(dim=1, keepdim=True), 2))  # grey, 16×16
mean, std = photos.train.images.mean(), photos.train.images.std()
standardised = photos.map(lambda images: (images - mean) / std, value_range=None)

x = standardised.test.images
floor = {"sigmoid": float((x - x.clamp(0, 1)).square().mean()), "tanh": float((x - x.clamp(-1, 1)).square().mean())}
by_output = {f: lab.DenseAutoencoder(32, standardised.shape, hidden=(), output=f) for f in outputs}
curves = {f: lab.fit(model, standardised, steps=500, learning_rate=1e-2) for f, model in by_output.items()}
lab.plot.history(curves, baselines=[lab.PCA(32).fit(standardised.train)], data=standardised)

# %%
lab.plot.bars(
    {f"output {f}": lab.metrics.mse(model, standardised.test) for f, model in by_output.items()},
    "squared error per test pixel",
    baselines={f"lowest possible with {f}": level for f, level in floor.items()},
)

# %% tags=["nbval-check-output"]
error = {f: lab.metrics.mse(model, standardised.test).value for f, model in by_output.items()}
half = error["linear"] < 0.5 * min(error["sigmoid"], error["tanh"])
print(f"linear less than half the error of either bounded output: {half}")
print(f"sigmoid and tanh are above their floors: {all(error[f] >= floor[f] for f in floor)}")

# %% [markdown]
# **What you should see.** The two bounded outputs come to rest just above their floors, many times above the linear
# one. **The slide is right:** sigmoid and tanh clip. It is the *range* that matters, not being real: the same
# photographs before standardising, with values in [0, 1], suit the sigmoid well.
#
# **Try it.** Give the three networks `photos` in place of `standardised`. Which output wins now?

# %% [markdown]
# ## 6 · The loss, and how low it can go
#
# Slide 001 has two losses. For real inputs the [squared error]({{glossary}}#squared-error), for binary ones the
# [cross-entropy]({{glossary}}#cross-entropy) of the pixels, each output being read as the probability of white:
#
# $$L = \sum_j (\hat x_j - x_j)^2 \qquad
# L = -\sum_j \big( x_j \log \hat x_j + (1 - x_j) \log (1 - \hat x_j) \big)$$
#
# A loss is a number to push down, so the first question is how far down there is. The squared error can reach 0. The
# cross-entropy can reach 0 only if every pixel is black or white; for a grey pixel the best answer is $\hat x_j =
# x_j$, and that costs the pixel's own [entropy]({{glossary}}#entropy-floor), $-x \log x - (1-x) \log (1-x)$.

# %%
lab.show_source(lab.losses.squared_error, lab.losses.cross_entropy, lab.losses.entropy)

# %%
binary = data.map(lambda images: (images > 0.5).float())
pixels = math.prod(data.shape)
floors = {
    name: max(0.0, lab.losses.entropy(d.test.images).item() / pixels)  # no "−0"
    for name, d in {"grey": data, "binary": binary}.items()
}
pd.Series(floors, name="lowest possible cross-entropy per test pixel, nats").round(4).to_frame()

# %% [markdown]
# **What you should see.** Exactly 0 for the binary digits, and clearly more for the grey ones. A grey-digit network
# at twice that floor is far better than its loss suggests, and one *below* it is broken (exercise 3).
#
# Now train with both losses on both kinds of images, and let both losses judge both networks.

# %%
lab.predict(
    "GREY digits: which training gives the lower SQUARED error on test images?",
    options=["training on squared error", "training on cross-entropy"],
    key="01-6-loss-on-grey",
)


# %%
def cross_entropy_per_pixel(model, split):
    """Cross-entropy of each image, per pixel: its mean over the split and the standard error of that mean."""
    logits = lab.metrics.in_batches(model.logits, split.images)
    each = F.binary_cross_entropy_with_logits(logits, split.images, reduction="none").flatten(1).mean(dim=1)
    return lab.metrics.Estimate(float(each.mean()), float(each.std() / math.sqrt(len(each))))


scores = {}
for kind, images in {"grey": data, "binary": binary}.items():
    for loss in ("squared_error", "cross_entropy"):
        model = lab.DenseAutoencoder(32, hidden=(), loss=loss)
        lab.fit(model, images, steps=600, learning_rate=1e-2)
        scores[kind, loss] = lab.metrics.mse(model, images.test), cross_entropy_per_pixel(model, images.test)

table = pd.DataFrame.from_dict(scores, orient="index", columns=["squared error", "cross-entropy"]).map(str)
table.set_axis([f"{kind} digits, trained on {loss.replace('_', ' ')}" for kind, loss in scores])

# %%
by_squares, by_entropy = scores["grey", "squared_error"][0].value, scores["grey", "cross_entropy"][0].value
winner = "training on squared error" if by_squares < by_entropy else "training on cross-entropy"
lab.outcome("01-6-loss-on-grey", winner)

# %% tags=["nbval-check-output"]
better = {kind: scores[kind, "cross_entropy"][1].value < scores[kind, "squared_error"][1].value for kind in floors}
print(f"scored by cross-entropy, training on it is better: grey {better['grey']}, binary {better['binary']}")
close = {kind: scores[kind, "squared_error"][0].value > 0.9 * scores[kind, "cross_entropy"][0].value for kind in floors}
print(f"scored by squares, training on them leads by less than 10 %, if at all: {close['grey'] and close['binary']}")
above = all(scores[key][1].value > floors[key[0]] for key in scores)
print(f"no network is below the floor of its images: {above}")

# %% [markdown]
# **What you should see.** On binary digits cross-entropy is the better training, as the slide says. On *grey* ones
# too, and not only by its own measure: its network tends to be level or slightly ahead even in squared error. Behind
# a sigmoid, the slope of the squared error carries a factor $\hat x (1 - \hat x)$, which all but vanishes where the
# output is confidently wrong; cross-entropy cancels that factor, so it learns faster.
#
# **The slide is right for binary inputs, and too narrow for real ones.** Cross-entropy also suits grey values, as
# long as they lie in [0, 1] and one remembers its floor. Outside [0, 1] it has no lower bound at all, and there the
# squared error is the one to take; `lab.losses.cross_entropy` refuses such targets.
#
# **Try it.** Train for 200 steps instead of 600. Does the gap between the two losses grow or shrink?

# %% [markdown]
# ### Exercise 3 · A loss that is too good
#
# A colleague's cross-entropy falls far below the floor you have just computed, almost to 0. A record! The pictures
# tell another story. Run the cell, look, and find the bug.


# %%
def cross_entropy_of_a_colleague(x_hat, x):
    """x_hat, x: (m, C, H, W) in (0, 1) and [0, 1]. Cross-entropy in nats per image, averaged over the m images."""
    return -(x * torch.log(x_hat)).sum() / len(x)


class Colleague(lab.DenseAutoencoder):
    """An autoencoder trained on that loss; the clamp keeps the logarithm finite."""

    def loss(self, x, target=None):
        return lab.Loss(cross_entropy_of_a_colleague(self.reconstruct(x).clamp(1e-6, 1 - 1e-6), x))


suspicious = Colleague(32, hidden=())
lab.fit(suspicious, data, steps=150, progress=False)
loss = suspicious.loss(data.test.images).total.item()
print(f"loss {loss:.1f} nats per test image, floor {float(lab.losses.entropy(data.test.images)):.1f}")
lab.plot.reconstructions({"the colleague's": suspicious}, data.test, count=5)


# %% tags=["exercise"]
def cross_entropy(x_hat, x):
    """x_hat, x: (m, C, H, W), x_hat in (0, 1), x in [0, 1]. Return the cross-entropy in nats per image: sum over the
    pixels of an image, average over the m images."""
    # solution-begin
    return -(x * torch.log(x_hat) + (1 - x) * torch.log(1 - x_hat)).sum() / len(x)
    # solution-end


# %% tags=["check"]
lab.checks.cross_entropy(cross_entropy)

# %% [markdown] tags=["help"]
# 1. Think of one black pixel, x = 0. What does the colleague's formula add for it, whatever x̂ is? Then look at the
#    formula of the cross-entropy again.
# 2. A second term is missing, with `torch.log(1 - x_hat)` in it. By what must you multiply it, so that it counts
#    where x is black?
#
# **Why.** A loss must punish both mistakes: a pixel too dark and a pixel too bright. Without the second term the best
# answer to every picture is plain white.

# %% [markdown]
# ## 7 · A code wider than its input
#
# What if $h$ is *larger* than $x$? The slide calls this [overcomplete]({{glossary}}#overcomplete) and warns that the
# network could then copy $x$ into $h$ and $h$ into $\hat x$, which tells us nothing about the data. That it *could*
# is quickly shown: 800 code values for 784 pixels, the matrices set by hand, no training at all.

# %% tags=["nbval-check-output"]
copier = lab.LinearAutoencoder(latent=800)
with torch.no_grad():
    for parameter in copier.parameters():
        parameter.zero_()
    copier.weight[:784] = torch.eye(784)  # h = (x, 0)
    copier.decoder_weight[:, :784] = torch.eye(784)  # x̂ = the first 784 values of h
print(f"error of the copier on test images is 0: {lab.metrics.mse(copier, data.test).value == 0}")

# %% [markdown]
# How would one notice that such a code is useless? Not by its error, which is perfect. Ask what the code is good
# *for*: a linear [probe]({{glossary}}#linear-probe) tries to read off the digit's class, and so does a vote among the
# 5 nearest codes. Pixels themselves are the yardstick. A second yardstick keeps us honest: the same layers *before
# training*.
#
# | model, 800 code values | loss |
# |---|---|
# | linear | $\lVert \hat x - x \rVert^2$ |
# | bent, $h = \max(0, Wx + b)$ | $\lVert \hat x - x \rVert^2$ |
# | the same, denoising | the same, but it sees $x$ with noise and must draw $x$ without |
# | the same, sparse | $\lVert \hat x - x \rVert^2 + \lambda \sum_i \lvert h_i \rvert$ |
#
# Noise makes copying wrong, and the last term makes it expensive: the two classical repairs.

# %%
lab.predict(
    "Whose code will a linear probe read best?",
    options=["pixels", "linear, overcomplete", "bent, plain", "bent, denoising", "bent, sparse"],
    key="01-7-overcomplete-probe",
)


# %%
class SparseAutoencoder(lab.DenseAutoencoder):
    """A dense autoencoder that pays for every active code value: L = ‖x̂ − x‖² + λ Σ_i |h_i|, with λ = 0.1."""

    def loss(self, x, target=None):
        reconstruction = super().loss(x, target).total
        activity = self.encode(x).abs().sum() / len(x)
        return lab.Loss(reconstruction + 0.1 * activity, {"reconstruction": reconstruction, "activity": activity})


bent = {"latent": 800, "hidden": (), "code_activation": "relu"}
models = {
    "pixels": copier,
    "bent, untrained": lab.DenseAutoencoder(**bent),
    "linear, overcomplete": lab.LinearAutoencoder(latent=800),
    "bent, plain": lab.DenseAutoencoder(**bent),
    "bent, denoising": lab.DenseAutoencoder(**bent),
    "bent, sparse": SparseAutoencoder(**bent),
}
curves = {
    "linear, overcomplete": lab.fit(models["linear, overcomplete"], data, steps=200, learning_rate=3e-3),
    "bent, plain": lab.fit(models["bent, plain"], data, steps=200),
    "bent, denoising": lab.fit(models["bent, denoising"], data, steps=200, corrupt=lab.corrupt.gaussian(0.5)),
    "bent, sparse": lab.fit(models["bent, sparse"], data, steps=200),
}
lab.plot.history(curves, baselines=[pca32], data=data)


# %%
def read_by_probe(model):
    """For each test image whether a linear probe on this model's codes names its class: (1000,) of 0 and 1."""
    train, test = (lab.metrics.encode(model, split).numpy() for split in (data.train, data.test))
    scale = StandardScaler().fit(train)
    probe = LogisticRegression(max_iter=300, tol=1e-3).fit(scale.transform(train), data.train.labels.numpy())
    return torch.from_numpy(probe.predict(scale.transform(test)) == data.test.labels.numpy()).double()


reads = {name: read_by_probe(model) for name, model in models.items()}
table = lab.compare(models, data, columns=["mse", "knn"])
table.insert(0, "probe", [float(read.mean()) for read in reads.values()])
table[["mse", "probe", "knn", "knn_se"]].round(4)

# %% [markdown]
# (The denoising one is measured on clean images here, which it never saw: hence its error. Its curve above is on
# noisy ones.) The standard error of an accuracy overstates the doubt about a *difference*, when both are measured on
# the same 1,000 images. So count, image by image, how often one probe is right where the other is wrong:


# %%
def lead(a, b):
    """How many points (1 in 100) more the probe reads from a than from b, with that difference's standard error."""
    difference = 100 * (reads[a] - reads[b])
    return lab.metrics.Estimate(float(difference.mean()), float(difference.std() / math.sqrt(len(difference))))


pairs = [("linear, overcomplete", "pixels"), ("bent, untrained", "pixels"), ("bent, plain", "bent, untrained")]
pairs += [("bent, denoising", "bent, untrained"), ("bent, sparse", "bent, untrained"), ("bent, denoising", "pixels")]
lab.plot.bars(
    {f"{a}\nminus {b}": lead(a, b) for a, b in pairs},
    "difference in probe accuracy, points",
)

# %% tags=["nbval-check-output"]
copying = lead("linear, overcomplete", "pixels").value
repaired = lead("bent, denoising", "pixels").value
by_training = lead("bent, plain", "bent, untrained").value
print(f"linear, overcomplete: the probe gains less than 2 points over pixels: {copying < 2}")
print(f"bent and denoising: it gains at least 2 points over pixels: {repaired > 2}")
print(f"bent and plain: training adds less than 3 points to the untrained: {by_training < 3}")

# %%
trained = [name for name in models if name != "bent, untrained"]
lab.outcome("01-7-overcomplete-probe", max(trained, key=lambda name: float(reads[name].mean())))

# %% [markdown]
# **What you should see.** The linear one, overcomplete, has a low error, and a code that serves the probe no better
# than raw pixels do: **there the slide is right.** With bends, the code is better than pixels even *without*
# training, since 800 random bent features give a linear probe more to work with; plain training adds next to nothing.
# So a gain over *pixels* is no proof of learning. Only a gain over the *untrained* control would be one, and there
# the repairs earn a point at most, which the error bars of one run can explain.
#
# **The slide is right about copying, and too strong with "useless".** Noise and sparsity do stop the copying. How
# much better the code becomes by that is modest on these digits, and only a control can tell.
#
# **Try it.** Replace the noise by `lab.corrupt.pixel_mask(0.5)`, or try λ = 1. What does too strong a penalty do to
# both the error and the probe?

# %% [markdown]
# ## Take-aways
#
# - $h = g(Wx+b)$, $\hat x = f(W^*h + c)$ is all there is. An undercomplete code is never loss-free for all pictures.
# - A linear autoencoder trained by gradient descent finds PCA's subspace, on arbitrary axes; an SVD restores them.
# - Non-linearity, not depth and not training, is what lets an autoencoder beat PCA at equal code size.
# - $f$ must be able to draw the data's range; the ends of its range should be the ends of the data's.
# - Know the floor of your loss. Cross-entropy on grey images does not end at 0, and a loss below its floor is a bug.
# - An overcomplete code can copy. Judge codes by what they are good for, beside a yardstick and an untrained control.

# %% [markdown]
# ## Quiz

# %%
lab.quiz(
    "01",
    [
        {
            "ask": "A linear autoencoder with k = 8 has reached PCA's training error to 0.01 %. What is certain?",
            "right": (
                "Its decoder's columns nearly span PCA's subspace.",
                "On the training images only PCA's subspace has that error, wherever the eigenvalues 8 and 9 differ.",
            ),
            "wrong": {
                "Its decoder's columns are the principal components.": "Any invertible change of the code's axes gives "
                "the same error; the columns are a blend of the components.",
                "It is better than PCA on test images.": "The theorem is about the training images; on others "
                "either may be slightly ahead.",
                "Its code values are uncorrelated.": "That is a property of PCA's axes; the loss does not ask for it.",
            },
        },
        {
            "ask": "A dense autoencoder has four layers, all without activation. What can it do that PCA cannot?",
            "right": (
                "Nothing, in reconstruction error on its training images.",
                "A product of matrices is a matrix: the whole is one linear map through k numbers.",
            ),
            "wrong": {
                "Follow a curved manifold.": "Only bends can: a chain of linear maps is one linear map.",
                "Reach a lower training error, as it has more parameters.": "They all multiply out to one matrix of "
                "rank k, and PCA's is the best of those.",
                "Find more than k directions.": "The code has k values, so the rank is at most k.",
            },
        },
        {
            "ask": "Images standardised to mean 0 and standard deviation 1. Which output function?",
            "right": ("linear", "It is the only one of the three that can draw values beyond ±1."),
            "wrong": {
                "sigmoid": "It cannot draw anything below 0, which is about half of the values.",
                "tanh": "It covers negative values, but clips everything beyond ±1: a floor no training removes.",
            },
        },
        {
            "ask": "On grey digits cross-entropy settles at 0.10 nats per pixel; their entropy is 0.06. What follows?",
            "right": (
                "0.04 of it can be improved upon; the rest is a floor.",
                "The entropy of the grey values is the cost of a perfect reconstruction.",
            ),
            "wrong": {
                "The network has failed: the loss should be 0.": "0 can be reached only where all pixels are 0 or 1.",
                "The loss can fall to 0 with longer training.": "A perfect reconstruction costs the entropy, 0.06.",
                "The network is 10 % wrong.": "A cross-entropy in nats is not a share of anything.",
            },
        },
        {
            "ask": "A probe reads an overcomplete code 4 points better than pixels. Did the network learn something?",
            "right": (
                "Unknown: compare with the same layers untrained.",
                "Random bent features alone can give such a gain; the control separates training from width.",
            ),
            "wrong": {
                "Yes: copying could not give that gain.": "Copying could not, but random non-linear features can.",
                "No: overcomplete codes are useless.": "A linear copy is. With noise or sparsity a code can be better.",
                "Yes, if the reconstruction error is near 0.": "A low error is what a copier has, too.",
            },
        },
    ],
)

# %% [markdown]
# ## Deeper · How much a longer code keeps
#
# Could an undercomplete code be loss-free for digits alone? Let the code grow and watch the error on images that were
# not trained on.

# %%
sizes = (2, 8, 32, 128, 512)
solved, learned = [], []
for k in sizes:
    solved.append(lab.metrics.mse(lab.PCA(k).fit(data.train), data.test))
    network = lab.DenseAutoencoder(latent=k, hidden=(), code_activation="silu")
    lab.fit(network, data, steps=400, learning_rate=1e-2)
    learned.append(lab.metrics.mse(network, data.test))
lab.plot.curves(
    sizes,
    {"PCA": solved, "one layer each way, trained briefly": learned},
    xlabel="size of the code (784 pixels would be no compression)",
    ylabel="squared error per test pixel",
    log="xy",
)

# %% tags=["nbval-check-output"]
print(f"a larger code always keeps more (PCA): {all(a.value > b.value for a, b in pairwise(solved))}")
print(f"an undercomplete code without error, among these: {any(e.value < 1e-7 for e in solved + learned)}")

# %% [markdown]
# **What you should see.** PCA's line falls without ever touching 0; at 512 its error is invisible to the eye, and
# still there. The network, trained briefly, stops improving sooner: a larger code *allows* a lower error, it does not
# train it.

# %% [markdown]
# ## Deeper · Flat places that are no valleys
#
# Why does gradient descent not get stuck? Baldi and Hornik (1989): a linear autoencoder's loss has no local minimum
# besides the global ones. There *are* other places where its slope is 0, one for every choice of $k$ components that
# are not the first $k$. They are [saddle points]({{glossary}}#saddle-point). Build one with components 1 to 7 and 9,
# skipping the eighth. Then turn the wrong column a little towards the right one, $v_9 \cos\theta + v_8 \sin\theta$,
# and watch the loss.

# %%
nine = lab.PCA(9).fit(data.train)
saddle = lab.LinearAutoencoder(latent=8)


def turn(degrees):
    """Set the weights to components 1 … 7 and 9, the last turned by this angle towards component 8."""
    theta = math.radians(degrees)
    last = nine.components[:, 8] * math.cos(theta) + nine.components[:, 7] * math.sin(theta)
    columns = torch.cat([nine.components[:, :7], last[:, None]], dim=1)
    with torch.no_grad():
        saddle.weight.copy_(columns.T)
        saddle.bias.copy_(-columns.T @ nine.mean)
        saddle.decoder_weight.copy_(columns)
        saddle.decoder_bias.copy_(nine.mean)
    loss = saddle.loss(data.train.images).total
    slopes = torch.autograd.grad(loss, list(saddle.parameters()))
    return loss.item(), math.sqrt(sum(slope.square().sum().item() for slope in slopes))


degrees = list(range(0, 91, 10))
loss, slope = zip(*(turn(angle) for angle in degrees), strict=True)
lab.plot.curves(
    degrees,
    {"loss on the way down": loss},
    xlabel="degrees turned from component 9 towards component 8",
    ylabel="squared error per training image",
    baselines={"PCA(8)": lab.metrics.mse(lab.PCA(8).fit(data.train), data.train).value * 784},
)

# %% tags=["nbval-check-output"]
print(f"slope at the saddle less than a hundredth of that at 40°: {slope[0] < 0.01 * slope[4]}")
print(f"the loss falls all the way from 0° to 90°: {all(a > b for a, b in pairwise(loss))}")

# %% [markdown]
# **What you should see.** A flat start, no rise anywhere, and PCA's loss at the end. At 0° gradient descent would
# stay for ever, but the slightest push sets it off. The noise of the batches is such a push. Near a saddle progress
# is *slow*, however: this is why the curve in section 2 has a long tail.

# %% [markdown]
# ## Deeper · Thirty-two numbers: right, and yet at an angle
#
# Repeat section 2 with $k = 32$, stopping at 1,000 steps, and look at the principal angles again.

# %%
linear32 = lab.LinearAutoencoder(latent=32)
lab.fit(linear32, data, steps=1000, learning_rate=2e-2)
gap32 = lab.metrics.mse(linear32, data.train).value / lab.metrics.mse(pca32, data.train).value - 1
angles32 = lab.metrics.principal_angles(pca32, linear32)
print(f"gap on the training images: {100 * gap32:.3f} %")
print("largest three angles:", ", ".join(f"{angle:.1f}°" for angle in angles32[-3:]))

# %% tags=["nbval-check-output"]
strength = lab.PCA(33).fit(data.train).variances
nearly_tied = float(1 - strength[32] / strength[31])
overlap = float(torch.deg2rad(angles32).cos().square().mean())
print(f"training error within 1 % of PCA's: {abs(gap32) < 0.01}")
print(f"the variances along components 32 and 33 differ by less than 10 %: {nearly_tied < 0.1}")
print(f"mean squared cosine of the angles at least 0.99: {overlap >= 0.99}")

# %% [markdown]
# **What you should see.** The error is PCA's, to a fraction of a per cent, and 31 of the 32 angles are small. The
# last may still be many degrees. Components 32 and 33 carry nearly the same variance, so exchanging one
# for the other costs next to nothing: the loss is almost flat along that rotation, and gradient descent has almost no
# slope to follow. The right summary is then the mean squared cosine, the share of PCA's subspace that was found.

# %% [markdown]
# ## Deeper · A code that no matrix straightens
#
# Section 3 laid a linear autoencoder's code on PCA's by one affine map. Now the same with bends: two numbers again,
# but hidden layers with SiLU between them and the picture.

# %%
lab.predict(
    "How much of the variance of a bent code of 2 numbers can an affine map of PCA's 2 numbers give?",
    options=["less than 40 %", "40 to 90 %", "90 to 99 %", "all but 1 % of it"],
    key="01-d-bent-code",
)

# %%
pca2 = lab.PCA(2).fit(data.train)
bent2 = lab.DenseAutoencoder(latent=2)
history = lab.fit(bent2, data, steps=400)
share = explained(pca2, bent2)
high = "90 to 99 %" if share < 0.99 else "all but 1 % of it"
lab.outcome("01-d-bent-code", "less than 40 %" if share < 0.4 else "40 to 90 %" if share < 0.9 else high)
lab.compare([pca2, bent2], data, columns=["mse", "psnr", "knn"])

# %% tags=["nbval-check-output"]
print(f"an affine map gives more than 40 % of the bent code, and less than 90 %: {0.4 < share < 0.9}")

# %%
lab.explore([pca2, bent2], data, align=True)

# %% [markdown]
# **Try it.** *Align* is ticked already. Drag from the 0s (blue discs) to the 1s (orange squares) and watch both
# pictures. Then untick it, tick *Pictures on the map*, and compare the two as a whole.
#
# **What you should see.** The clouds agree roughly, 0s on one side and 1s on the other, but no mark meets its twin; the
# share beside *Align* says how far the agreement goes. An affine map moves every part of a cloud alike: it turns,
# stretches and shears. It cannot press one class together and spread another, and that is what the bends have done:
# most classes lie closer together than on PCA's map. The pictures differ for the same reason. PCA adds so much of one
# basis image and so much of another to the mean, the same two everywhere, hence the grey ghosts. A bent decoder draws
# differently in every region, and its error in the table is lower. In the hatched corners it may do anything.

# %% [markdown]
# ## Deeper · Which g?
#
# The slide says that $g$ is typically a sigmoid. A sigmoid's slope is at most ¼, and almost 0 where its unit is
# [saturated]({{glossary}}#saturation), stuck near 0 or near 1; a chain of layers multiplies such slopes. Two
# measurements: the slide's flat network with its code through $g$, and one with two more layers on either side and
# $g$ between them. Three functions $g$ each, the same steps.

# %%
curves, final, codes = {}, {}, {}
for g in ("sigmoid", "relu", "silu"):
    flat = lab.DenseAutoencoder(32, hidden=(), code_activation=g)
    deep = lab.DenseAutoencoder(32, hidden=(256, 64), activation=g)
    curves[f"flat, {g}"] = lab.fit(flat, data, steps=300, learning_rate=1e-2)
    curves[f"deep, {g}"] = lab.fit(deep, data, steps=400)
    final |= {f"flat, {g}": lab.metrics.mse(flat, data.test), f"deep, {g}": lab.metrics.mse(deep, data.test)}
    codes[g] = lab.metrics.encode(flat, data.test)
lab.plot.history({name: curve for name, curve in curves.items() if "flat" in name}, baselines=[pca32], data=data)

# %%
lab.plot.history({name: curve for name, curve in curves.items() if "deep" in name}, baselines=[pca32], data=data)

# %%
stuck = float(((codes["sigmoid"] < 0.05) | (codes["sigmoid"] > 0.95)).double().mean())
print(f"flat: {100 * stuck:.0f} % of the sigmoid's code values on test images lie within 0.05 of 0 or 1")

# %% tags=["nbval-check-output"]
for depth in ("flat", "deep"):
    worse = final[f"{depth}, sigmoid"].value > 1.5 * final[f"{depth}, silu"].value
    print(f"{depth}: the sigmoid's error is more than 1.5 times SiLU's: {worse}")
print(f"flat: more than half of the sigmoid's code values are saturated: {stuck > 0.5}")

# %% [markdown]
# **What you should see.** Both sigmoid networks linger near the mean image while the others are done. In the first
# steps every picture is too bright, and the quickest way to darken them all is to push all code values to one end;
# there the slope is almost 0 and they stay. **The slide's "typically" is history:** at this budget a sigmoid $g$ is
# the worst of the three, for one layer and for several. (Its output $f$ is another matter: there the ends are where
# the pixels are.)

# %% [markdown]
# ## Deeper · Whose axes can be read?
#
# Slide 001 holds principal components to be "relatively interpretable" and learned features less so. To test that,
# one needs images whose causes are *known*. The set `shapes` is drawn from six factors: shape, scale, rotation, x, y
# and hue. The score: for each factor, the largest |correlation| with any *single* code value. 1 would mean that one
# axis is this factor. Beside it, $R$ of a linear regression from *all* code values: what the code holds at all, on
# whatever axes.

# %%
shapes = lab.load("shapes", n=3500).map(lambda images: F.avg_pool2d(images, 2))  # 16×16, in colour
readers = {"PCA": lab.PCA(8).fit(shapes.train), "autoencoder": lab.DenseAutoencoder(8, shapes.shape)}
history = lab.fit(readers["autoencoder"], shapes, steps=800)
lab.compare(readers, shapes, columns=["mse", "psnr"])


# %%
def readable(model):
    """(2, 6), a column a factor: the best single code value's |correlation|, and all values' multiple correlation."""
    codes, factors = lab.metrics.encode(model, shapes.test).double(), shapes.test.factors.double()
    k = codes.shape[1]
    single = torch.corrcoef(torch.cat([codes, factors], dim=1).T)[:k, k:].abs().amax(dim=0)
    centred = factors - factors.mean(dim=0)
    inputs = codes - codes.mean(dim=0)
    fitted = inputs @ torch.linalg.lstsq(inputs, centred).solution
    together = (fitted.square().sum(dim=0) / centred.square().sum(dim=0)).sqrt()
    return torch.stack([single, together])


scores = {name: readable(model) for name, model in readers.items()}
kinds = ("best single value", "all 8 values")
rows = {f"{name}, {kinds[i]}": score[i].tolist() for name, score in scores.items() for i in (0, 1)}
table = pd.DataFrame.from_dict(rows, orient="index", columns=shapes.test.factor_names)
table.assign(mean=table.mean(axis=1)).round(2)

# %% tags=["nbval-check-output"]
ahead = scores["PCA"][0].mean() > scores["autoencoder"][0].mean()
print(f"averaged over the factors, PCA's best single value follows a factor more closely: {bool(ahead)}")

# %%
rows = {}
for name, model in readers.items():
    codes = lab.metrics.encode(model, shapes.train)
    middle, spread = codes.mean(dim=0), codes.std(dim=0)
    for value in range(3):
        steps = middle.repeat(7, 1)
        steps[:, value] += torch.linspace(-2, 2, 7) * spread[value]
        rows[f"{name}, value {value + 1}"] = model.decode(steps).detach()
lab.plot.image_rows(
    rows,
    alt="Six rows of seven pictures. In each row one code value moves from two standard deviations below its mean "
    "to two above, the others stay at their mean: three values of PCA, three of the autoencoder.",
)

# %% [markdown]
# **What you should see.** Along a principal component, blurred blobs of light and colour swell and fade; along the
# autoencoder's values, shapes move and change colour together. In the table, PCA's single values come closer to a
# factor on average, above all to the two positions: they act on the picture almost linearly, and a component can
# follow. Shape and rotation are nobody's axis. **The slide is right, as far as it goes:** components are the easier
# ones to read, here. But *relatively*: most of them mean nothing that has a name, and neither method was asked for
# it.

# %% [markdown]
# ## Deeper · Time and memory
#
# "PCA: efficient for small to moderate-sized datasets. Autoencoder: scales better" (slide 001). Which PCA? One can
# (a) decompose all $n$ images at once; (b) sum up the 784×784 covariance matrix batch by batch, and decompose that;
# (c) use scikit-learn's `IncrementalPCA`. All are timed on more and more digits (slightly deformed copies, to have
# enough), and beside them one epoch of the linear autoencoder. Only *ratios* within this run mean anything.

# %%
torch.manual_seed(0)
deform = lab.augment.affine()
many = torch.cat([deform(data.train.images) for _ in range(3)]).flatten(1)
counts, latent, batch, pixels = (500, 2000, 8000), 32, 500, 784


def full_svd(x):
    torch.linalg.svd((x - x.mean(dim=0)).double(), full_matrices=False)


def from_covariance(x):
    mean, outer = torch.zeros(pixels).double(), torch.zeros(pixels, pixels).double()
    for part in x.split(batch):
        mean += part.double().sum(dim=0) / len(x)
        outer += part.double().T @ part.double() / len(x)
    torch.linalg.eigh(outer - torch.outer(mean, mean))


def incremental(x):
    IncrementalPCA(latent, batch_size=batch).fit(x.numpy())


def one_epoch(x):
    images = lab.Split(x.view(-1, 1, 28, 28), torch.zeros(len(x), dtype=torch.int64), ("digit",))
    lab.fit(lab.LinearAutoencoder(latent), lab.ImageData("many", images, data.val, data.test), epochs=1, progress=False)


seconds = {}
for method in (full_svd, from_covariance, incremental, one_epoch):
    seconds[method.__name__.replace("_", " ")] = []
    for count in counts:
        started = time.perf_counter()
        method(many[:count])
        seconds[method.__name__.replace("_", " ")].append(time.perf_counter() - started)
growth = {name: [value / times[0] for value in times] for name, times in seconds.items()}
lab.plot.curves(counts, growth, xlabel="images", ylabel="time / its own at 500 images", log="xy", baselines={})

# %% [markdown]
# The curves compare each method with itself. Beside one another, at 8,000 images:

# %%
ratios = {name: times[-1] / seconds["full svd"][-1] for name, times in seconds.items()}
pd.Series(ratios, name="time, as a multiple of the full SVD's").round(2).to_frame()

# %% [markdown]
# Memory can be counted instead of timed: the numbers each method must hold at once, besides the images themselves.

# %% tags=["nbval-check-output"]
held = {
    "full svd": [2 * n * pixels + pixels * pixels for n in counts],  # centred X and U, n × 784 each, and V
    "from covariance": [pixels * pixels + batch * pixels for _ in counts],
    "incremental": [2 * (latent + batch) * pixels for _ in counts],  # the components, one batch, and their SVD
    "autoencoder, one epoch": [
        3 * (2 * latent * pixels + latent + pixels) + 128 * pixels for _ in counts
    ],  # weights, Adam
}
pd.DataFrame.from_dict(held, orient="index", columns=[f"{n:,} images" for n in counts]).map("{:,}".format)

# %% [markdown]
# **What you should see.** The full SVD, `IncrementalPCA` and the epoch grow with the number of images; the covariance
# grows more slowly, because its decomposition costs the same whatever $n$ is. In memory only the full SVD grows at
# all, though `IncrementalPCA` pays for that in time. So **the slide is right for the full SVD and wrong for PCA as
# such**: by way of the covariance PCA needs *one* pass over the data, batch by batch, where the autoencoder needs
# many; and GPUs multiply matrices for either. What PCA cannot escape is the number of *pixels*: its covariance has
# 784² entries here, and 150,528² for a photograph of 224×224 in colour. There the autoencoder, or a randomised SVD,
# is the better choice.

# %% [markdown]
# ## From slide to cell
#
# | slide 001 | claim | where | verdict |
# |---|---|---|---|
# | Introduction to Autoencoder | h is a loss-free encoding (C02) | section 1 | wrong for an undercomplete code |
# | Introduction to Autoencoder | an overcomplete code copies, useless (C03) | section 7 | right under a condition: a linear one |
# | Choice of f and g | sigmoid decoder for binary inputs (C04) | section 5 | right under a condition: enough steps |
# | Choice of f and g | linear decoder for real inputs (C05) | section 5 | right; the range decides |
# | Choice of f and g | g is typically a sigmoid (C06) | *Deeper · Which g?* | wrong: no longer, it saturates |
# | Choice of loss function | squared error: real; cross-entropy: binary (C07) | section 6 | right under a condition: too narrow for real ones |
# | PCA vs AE, 2 | PCA linear, autoencoder non-linear (C08) | section 4 | right |
# | PCA vs AE, 3 | analytic against gradients (C09) | section 2 | right |
# | PCA vs AE, 4 | explicit transformation matrix (C10) | section 3 | right under a condition: a linear one is explicit too |
# | PCA vs AE, 6 | components are more interpretable (C11) | *Deeper · Whose axes can be read?* | right, relatively |
# | PCA vs AE, 7 | the autoencoder scales better (C12) | *Deeper · Time and memory* | right under a condition: against the full SVD |
#
# PCA and autoencoder, point by point, with what was measured:
#
# | the slide's point | what the slide says | what came out (section) |
# |---|---|---|
# | methodology | projection on directions, against encoder and decoder | both map to $k$ numbers and back (1, 2) |
# | linearity | PCA linear, autoencoder also non-linear | right; without activations they tie (4) |
# | learning | SVD against gradient descent | right; a gap below 1 % for $k = 8$ and $32$ (2, *Deeper*) |
# | reduction | explicit matrix against implicit embedding | a linear one is explicit too, on other axes (3) |
# | interpretability | components are easier to read | right, relatively (*Deeper · Whose axes*) |
# | scalability | PCA for small sets, autoencoder for large | for the full SVD only (*Deeper · Time*) |

# %% [markdown]
# ## Further reading
#
# - C. Eckart and G. Young, "The approximation of one matrix by another of lower rank", *Psychometrika* 1, 1936.
# - P. Baldi and K. Hornik, "Neural networks and principal component analysis: learning from examples without local
#   minima", *Neural Networks* 2, 1989.
# - D. Kunin, J. Bloom, A. Goeva and C. Seed, "Loss landscapes of regularized linear autoencoders", 2019,
#   arXiv 1901.08168: with weight decay, the axes come back as well.
# - P. Vincent and others, "Extracting and composing robust features with denoising autoencoders", 2008.
#
# Words: [autoencoder]({{glossary}}#autoencoder) · [code]({{glossary}}#code) ·
# [cross-entropy]({{glossary}}#cross-entropy) · [entropy floor]({{glossary}}#entropy-floor) · [linear
# autoencoder]({{glossary}}#linear-autoencoder) · [linear probe]({{glossary}}#linear-probe) ·
# [overcomplete]({{glossary}}#overcomplete) · [PCA]({{glossary}}#pca) · [principal
# angles]({{glossary}}#principal-angles) · [saddle point]({{glossary}}#saddle-point) ·
# [undercomplete]({{glossary}}#undercomplete)
