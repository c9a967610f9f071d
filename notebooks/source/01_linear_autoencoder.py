# %% [markdown]
# # 01 · The linear autoencoder, and what bends it
#
# *Encoder and decoder as formulas; under- and overcomplete; PCA against autoencoders, point by point, measured*
#
# Two matrices and a loss: that is the smallest [autoencoder]({{glossary}}#autoencoder) there is. It is small enough
# to be solved exactly, so here every question has an answer to compare with. You will see gradient descent arrive at
# a result from 1936, find out what a non-linearity buys, and put rules about codes, output functions and losses to the
# test.
#
# **You will be able to**
# - write an autoencoder's two formulas as code, and find two pictures that share one code (section 1, quiz);
# - show that a linear autoencoder finds PCA's subspace, but not its axes, and recover the axes (sections 2 and 3,
#   Exercise 1);
# - measure what non-linearity is worth, with a control that differs in nothing else (section 4, Exercise 2);
# - choose an output function and a loss for given data, and know the lowest value a loss can reach (sections 5 and 6,
#   Exercise 3);
# - say when a code wider than its input is worthless, and what mends it (section 7, quiz).
#
# **Before you start** Notebook 00. You should know what a matrix is and how two are multiplied. What a singular value
# decomposition (SVD) is, section 2 says.
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

import autoencoder_lab as lab

lab.setup(seed=0)
data = lab.load("mnist-5k")
pca32 = lab.PCA(32).fit(data.train)  # the baseline under most curves below

# %% [markdown]
# ## 1 · Two formulas and a code
#
# Two lines define the whole machine (slide 001). For an image $x$ of 784 pixels,
#
# $$h = g(Wx + b) \qquad\qquad \hat x = f(W^* h + c)$$
#
# $W$ has one row for every number of the [code]({{glossary}}#code) $h$, and $W^*$ has one column for each. $g$ and $f$ are
# [non-linear]({{glossary}}#non-linearity) functions that act on each entry separately: they bend what the matrices leave
# straight. Where $h$ has fewer entries than $x$, the autoencoder is called [undercomplete]({{glossary}}#undercomplete).
#
# The puzzle is from 1985: Ackley, Hinton and Sejnowski asked a network to pass patterns through fewer units than there are
# patterns. In 1986 Rumelhart, Hinton and Williams trained one for it by backpropagation: eight patterns, three units. Deep ones
# could hardly be trained until 2006, when Hinton and Salakhutdinov trained them layer by layer first (*pretraining*). In 2008
# Vincent and others made a method of damaging the input, which section 7 tries and notebook 03 is about.
#
# In the library the two formulas are a dense autoencoder without hidden layers. For $f$ we take the sigmoid, and for $g$
# the SiLU, $g(a) = a \cdot \text{sigmoid}(a)$. (*Deeper · Which g?* compares it with others.)

# %%
flat = lab.DenseAutoencoder(latent=32, hidden=(), code_activation="silu")
history = lab.fit(flat, data, steps=500, learning_rate=1e-2)
lab.plot.history(history, baselines=[pca32], data=data)

# %%
lab.diagram.hourglass(data.test.images[0], flat)

# %% [markdown]
# Two baselines stand under the curve: the mean image, and [PCA]({{glossary}}#pca) with a code of the same size, which
# section 2 introduces. This network ends above PCA's line: with 32 numbers PCA is hard to beat in so short a training.
# (Section 6 gets below it, with the same layers but without $g$.)
#
# Is that network really no more than the two formulas? Write them out and compare.

# %% tags=["nbval-check-output"]
W, b = flat.encoder[1].weight, flat.encoder[1].bias  # (32, 784), (32,)
W_star, c = flat.decoder[0].weight, flat.decoder[0].bias  # (784, 32), (784,)

x = data.test.images[:100].flatten(1)
h = F.silu(x @ W.T + b)
x_hat = torch.sigmoid(h @ W_star.T + c)

same = torch.allclose(x_hat, flat.reconstruct(data.test.images[:100]).flatten(1), atol=1e-5)
lab.holds(("the two formulas give the network's own pictures", same))

# %% [markdown]
# ### Is the code lossless?
#
# "h is a loss-free encoding", which "captures all the important characteristics" (slide 001). Lossless would mean that $x$
# can be had back from $h$ exactly. Then two different pictures may never share a code.

# %%
lab.predict(
    "Take two test digits x and y. Can x be changed into a picture that looks like y, but still has x's code?",
    options=["yes, always", "only for a badly trained network", "no, different pictures have different codes"],
    key="01-1-two-pictures-one-code",
)

# %% [markdown]
# Only $Wx$ enters the code. So look for a $v$ with $Wv = 0$: the code of $x + v$ is that of $x$, for $W(x + v) = Wx$.
# There are plenty of these, since $W$ takes 784 numbers to 32, which leaves at least 752 directions that it does not see.
# Take the difference $y - x$ apart, into what $W$ sees of it and a rest $v$ that it does not see. Then add $v$ to $x$.

# %%
W64 = flat.encoder[1].weight.detach().double()
x, y = data.test.images[0].flatten().double(), data.test.images[1].flatten().double()
seen = torch.linalg.pinv(W64) @ (W64 @ (y - x))  # the smallest vector with the same W·(y − x)
v = (y - x) - seen
twin = x + v

# %% tags=["folded"]
trio = torch.stack([x, y, twin]).float().view(3, 1, 28, 28)
lab.plot.image_rows(
    {"picture: x, y, twin": trio, "reconstruction": flat.reconstruct(trio).detach()},
    alt="Three pictures above their reconstructions: digit x, digit y, and x's twin. The twin shows y under some grain, "
    "but its reconstruction is that of x.",
    scale=1.1,
)

# %% tags=["nbval-check-output"]
code_gap = float((W64 @ v).abs().max())
lab.holds(
    ("the largest entry of Wv, which is 0 but for rounding", code_gap, "<", 1e-6),
    ("the twin's distance from y, per distance from x", float((twin - y).norm() / (twin - x).norm()), "<", 1),
)

# %%
lab.outcome(
    "01-1-two-pictures-one-code", code_gap, below={"yes, always": 1e-6}, otherwise="only for a badly trained network"
)

# %% [markdown]
# **What you should see.** Two pictures that differ, one code, hence one reconstruction: at least one of the two must
# be wrong. No training can help, because the argument is about the *sizes* of the matrices.
#
# **So the claim is wrong as it stands.** How much of it could be saved? The twin is no handwritten digit, and some of its
# pixels lie outside [0, 1]. A code may well be lossless for *some* pictures: if these lie on a curve, as the points in
# section 4 do, one number says where. Digits come near to such a set, but over five seeds not one of 1,000 test digits
# came back exactly, with up to 128 numbers (C02 in the table at the end). And "important" is decided by the squared
# error: large strokes first, fine ones last.
#
# **Try it.** Take another pair of digits for x and y. Then make the code 256 numbers long: what happens to the twin,
# and why is the answer in the number of directions left?

# %% [markdown]
# ## 2 · Gradient descent meets an exact solution
#
# Leave the functions $g$ and $f$ out: $h = Wx + b$, $\hat x = W^* h + c$. What remains can be solved without any training.
# Let $X$ hold one image a row, and $\bar x$ be the mean image. The [singular value
# decomposition]({{glossary}}#singular-value-decomposition) takes what each image has beyond it apart:
#
# $$X - \bar x = U\,S\,V^\top.$$
#
# The columns $v_1, v_2, \dots$ of $V$ are directions at right angles to each other, that is, patterns of 784 pixels. They
# are sorted by how much the images vary along them; the diagonal matrix $S$ says how much. $U$ says how much of each
# pattern every image contains. [PCA]({{glossary}}#pca) keeps the first $k$ patterns:
#
# $$h = V_k^\top (x - \bar x) \qquad\qquad \hat x = V_k h + \bar x.$$

# %% tags=["nbval-check-output"]
X = data.train.images.flatten(1)
U, S, Vt = torch.linalg.svd(X - X.mean(dim=0), full_matrices=False)
components = Vt[:8].T  # (784, 8)

pca = lab.PCA(8).fit(data.train)
agree = (components * pca.components).sum(dim=0).abs()  # cosine of each pair; the sign is arbitrary
lab.holds(("these columns are those of lab.PCA(8): the smallest cosine", agree.min(), ">", 0.999))

# %%
lab.diagram.weighted_sum(data.test.images[0], pca)

# %% [markdown]
# Eckart and Young showed in 1936 that, on the images it was fitted to, no linear map through $k$ numbers has a smaller
# squared error. A [linear autoencoder]({{glossary}}#linear-autoencoder) therefore cannot win there. Can it tie? It begins
# with random matrices, and all it ever learns is the slope of its loss.

# %%
lab.show_source(lab.LinearAutoencoder.encoder, lab.LinearAutoencoder.decoder, docstrings=False)

# %%
lab.predict(
    "Code of 8 numbers. How far above PCA's error on the training images will the trained linear autoencoder end?",
    options=["more than 10 %", "1 to 10 %", "less than 1 %"],
    key="01-2-how-close-to-pca",
)

# %%
linear = lab.LinearAutoencoder(latent=8)
history = lab.fit(linear, data, steps=2500, learning_rate=2e-2)
lab.plot.history(history, baselines=[pca], data=data)

# %%
gap = lab.metrics.mse(linear, data.train).value / lab.metrics.mse(pca, data.train).value - 1
lab.outcome("01-2-how-close-to-pca", gap, below={"less than 1 %": 0.01, "1 to 10 %": 0.1}, otherwise="more than 10 %")
lab.compare([pca, linear], data, columns=["mse"])[["mse", "mse_se"]]

# %% tags=["nbval-check-output"]
angles = lab.metrics.principal_angles(pca, linear)  # (8,), degrees, smallest first
lab.holds(
    ("how far the training error is from PCA's, as a share of it", abs(gap), "<", 0.01),
    ("largest angle between the two subspaces, degrees", angles.max(), "<", 2),
)

# %% [markdown]
# **What you should see.** A steep fall, then a slow approach to PCA's dashed line. The strong directions have steep slopes
# and are learned first; then only the weak ones are wrong, and their slopes are small. (The table is of test images, where
# either may be ahead by a hair; `mse_se` is the standard error.)
#
# [Principal angles]({{glossary}}#principal-angles) compare the planes that two sets of columns span, whatever the columns
# themselves look like: 0° everywhere means the same subspace. So PCA is solved, the autoencoder is optimised, and where
# both are linear, both arrive at the same place. **The slide is right** (001, "PCA vs AE", 3: learning).
#
# **Try it.** Train for 300 steps only. How many directions are missing? `lab.metrics.principal_angles(pca, linear)` tells:
# each angle near 90° is one.

# %% [markdown]
# ## 3 · The same space on other axes
#
# Equal error, equal subspace. Do the two models also have the same *code*? PCA has an explicit transformation matrix, while
# the autoencoder's embedding is learned implicitly in its hidden layer (slide 001, "PCA vs AE", 4).
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
lab.holds(
    ("largest correlation between two of PCA's code values", largest[0], "<", 0.01),
    ("and between two of the autoencoder's", largest[1], ">", 0.1),
)

# %% [markdown]
# **What you should see.** PCA's columns have an order: first the broad outline of a 0, then ever finer patterns. The
# autoencoder's have none. Each is a blend of all, and so its code values move together. (Red adds ink and blue takes
# it away. If one turns all signs of a column, and of its code value, nothing changes.)

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


# %% tags=["folded"]
def explained(source, target):
    """The share of the variance of target's codes that the best affine map of source's codes gives, on test images."""
    h, wanted = (lab.metrics.encode(model, data.test).double() for model in (source, target))
    h = torch.cat([h, torch.ones(len(h), 1)], dim=1)  # a column of ones: the offset
    left = wanted - h @ torch.linalg.lstsq(h, wanted).solution
    return 1 - float(left.square().sum() / (wanted - wanted.mean(dim=0)).square().sum())


# %% tags=["nbval-check-output"]
share, back = explained(pca2, linear2), explained(linear2, pca2)
lab.holds(("share that an affine map gives", share, ">", 0.99), ("and back again", back, ">", 0.99))

# %%
limits = {"all but 1 % of it": 0.99, "about half of their variance": 0.2}
lab.outcome("01-3-from-one-code-to-the-other", share, above=limits, otherwise="hardly anything")
lab.explore([pca2, linear2], data)

# %% [markdown]
# **Try it.** Find the 1s (orange squares) on both maps. Drag the ring on one of them: on the other it goes as many
# standard deviations along *that* model's axes, and the pictures differ. Now tick *Align*, which lays the second code
# on the first by the affine map, and drag again.
#
# **What you should see.** The same cloud, turned, stretched, perhaps mirrored. Aligned, every mark falls on its twin,
# and wherever you drag, both models draw the same picture: same subspace, other axes. **The slide is right under a
# condition.** PCA gives a matrix with ordered, orthogonal columns; a linear autoencoder gives a matrix as well, $W$, just as
# explicit. What it lacks is the order and the axes, and those can be computed afterwards. Only with non-linear functions
# between the layers is there no single matrix any more.

# %% [markdown]
# ### Exercise 1 · Give the decoder its axes back
#
# *Align* used PCA's codes to find its map. It can be done without: the autoencoder's own decoder matrix and the images
# are enough. Three steps, each a line, and each has its own check. (`torch.linalg.svd(A, full_matrices=False)` returns
# $U$, the diagonal of $S$, and $V^\top$.)
#
# 1. The SVD of $W^*$ gives orthonormal columns $Q$ that span the right subspace, still on arbitrary axes.
# 2. In that basis, the coordinates of the centred images are $Z = (X - \bar x)\,Q$.
# 3. The SVD of $Z$ tells how to rotate $Q$ so that the coordinates are uncorrelated, the strongest first.


# %% tags=["exercise"]
def orthonormal_basis(weight):
    """weight: (pixels, k), the decoder's matrix W*. Return Q (pixels, k): orthonormal columns, the same subspace."""
    # solution-begin
    return torch.linalg.svd(weight, full_matrices=False)[0]
    # solution-end


def coordinates(images, Q):
    """images: (n, pixels). Return Z (n, k): where the centred images lie in the basis Q."""
    # solution-begin
    return (images - images.mean(dim=0)) @ Q
    # solution-end


def components_from_decoder(weight, images):
    """Return (pixels, k): orthonormal columns that span W*'s subspace, along PCA's axes, strongest first."""
    # solution-begin
    Q = orthonormal_basis(weight)
    rotation = torch.linalg.svd(coordinates(images, Q), full_matrices=False)[2]  # rows: the new axes
    return Q @ rotation.T
    # solution-end


# %% tags=["check"]
lab.checks.orthonormal_basis(orthonormal_basis)
lab.checks.coordinates(coordinates)
lab.checks.components_from_decoder(components_from_decoder)

# %% [markdown] tags=["help"]
# 1. Ask, for each of the two SVDs, which of its three parts you need. In the first one you want columns of 784 pixels, in
#    the second one you want the axes of the cloud of coordinates.
# 2. Of the SVD of `weight` you need U: that is Q. Of the SVD of Z you need Vᵀ: its rows are the new axes, written in
#    the basis Q, so Q is multiplied by its transpose. The centred images are `images - images.mean(dim=0)`.
#
# **Why.** Q spans the right subspace already. PCA's axes are the directions in it along which the images vary most,
# and the SVD of the coordinates finds exactly these.

# %% [markdown]
# ## 4 · What non-linearity is worth
#
# PCA is "limited to linear transformations", the autoencoder can be non-linear (slide 001, "PCA vs AE", 2). When does that
# matter? First on data one can see: points in the plane, along a bent curve. They will come back in other notebooks. One
# number is enough to say where on the curve a point lies, but no straight line passes near all of them.
#
# A claim about non-linearity needs a control that differs in nothing else. Ours is the same network with the same
# layers, widths and training, with the identity in place of every activation.

# %%
lab.predict(
    "One code value for points on a bent curve. Which draws them back best?",
    options=["PCA", "the linear network", "the non-linear network"],
    key="01-4-bent-curve",
)

# %%
curve = lab.bent_curve()
plane = {"image_shape": (1, 1, 2), "hidden": (32, 32), "output": "linear"}
on_curve = {
    "PCA": lab.PCA(1).fit(curve.train),
    "linear network": lab.DenseAutoencoder(1, activation="identity", **plane),
    "non-linear network": lab.DenseAutoencoder(1, activation="silu", **plane),
}
for name in ("linear network", "non-linear network"):
    lab.fit(on_curve[name], curve, steps=800, learning_rate=1e-2)
lab.plot.plane(curve.test, on_curve, colour="code")

# %%
error = {name: lab.metrics.mse(model, curve.test).value for name, model in on_curve.items()}
lab.outcome("01-4-bent-curve", {name if name == "PCA" else f"the {name}": value for name, value in error.items()})

# %% tags=["nbval-check-output"]
lab.holds(
    ("the linear network's error, per error of PCA", error["linear network"] / error["PCA"], "<", 1.1),
    ("the non-linear network's", error["non-linear network"] / error["PCA"], "<", 0.5),
)

# %% [markdown]
# **What you should see.** Each colour is one value of the code. PCA draws every point back onto one line, and its colours
# run straight across: two points far apart on the curve, but one above the other, get the same colour and are drawn at the
# same place. The non-linear network's line is bent, and its colours run *along* the curve. Three linear layers in a row make
# one linear map: however deep, the linear network does what PCA does. The non-linearity alone makes the difference.
#
# ### And on digits?
#
# The same three, at equal code size. Digits lie on no curve that one could draw, so only the measurement can tell.

# %%
on_digits = {
    "PCA": lab.PCA(8).fit(data.train),
    "linear network": lab.DenseAutoencoder(8, activation="identity", output="linear"),
    "non-linear network": lab.DenseAutoencoder(8, activation="silu", output="sigmoid"),
}
for name in ("linear network", "non-linear network"):
    lab.fit(on_digits[name], data, steps=600)
lab.compare(on_digits, data, columns=["mse", "knn"])[["mse", "mse_se", "knn", "knn_se", "parameters"]]

# %%
lab.plot.reconstructions(on_digits, data.test, count=8)

# %% tags=["nbval-check-output"]
error = {name: lab.metrics.mse(model, data.test) for name, model in on_digits.items()}
tied, ahead = (error[f"{kind} network"].value / error["PCA"].value for kind in ("linear", "non-linear"))
lab.holds(
    ("the linear network's error, per error of PCA", tied, "<", 1.1), ("the non-linear network's", ahead, "<", 0.85)
)

# %% [markdown]
# **What you should see.** The control ties with PCA again. Non-linearity lowers the error on new digits by
# {{error["PCA"].value - error["non-linear network"].value:.4f}}, and the standard error of PCA's (`mse_se`) is only
# {{error["PCA"].error:.4f}}. (What another seed would change is not in it; claim C04 has five.) **The slide is right**, and "can" is well chosen: being a neural network is not enough, it is
# the activation that does it. The price is a training run and {{on_digits["non-linear network"].learned_numbers():,}} learned
# numbers, where PCA has {{on_digits["PCA"].learned_numbers():,}}. And being non-linear does not guarantee the win: with 32
# numbers and a short training, the network of section 1 stayed above PCA.
#
# **Try it.** Change the code size to 2, then to 64. Where is non-linearity worth most?

# %% [markdown]
# ### Exercise 2 · Does non-linearity still pay with few images?
#
# A flexible model can learn its few training images by heart. Design an experiment: does the advantage over PCA hold
# with only `few` training images, a hundred, say? The cell below gives you three tools. Return four errors: PCA's and the
# autoencoder's with *all* training images, then PCA's and the autoencoder's with the *few*. What must be equal in all
# four? Where do you measure? Then run it and write down what came out.


# %%
def fit_pca(images):
    """PCA with a code of 16 numbers, fitted to images (n, 1, 28, 28)."""
    return lab.PCA(16).fit(lab.Split(images, torch.zeros(len(images), dtype=torch.int64), ("digit",)))


def fit_autoencoder(images):
    """A dense autoencoder with a code of 16 numbers and SiLU between its layers, trained for 500 steps on images (n, 1, 28, 28)."""
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
# Whatever the network computes, $f$ has the last word. Which function suits the decoder best? $\text{sigmoid}(a)$ stays in
# $[0, 1]$, $\tanh(a)$ in $[-1, 1]$, and $a$ itself has no bounds. The advice is: the sigmoid for binary inputs, the straight
# line for real ones (slide 001).
#
# ### Binary images
#
# Make every pixel black or white, and train three copies of the flat autoencoder that differ in $f$ alone: same squared
# error, same steps, same initial weights.

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

# %% tags=["folded"]
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
first = {f: curve.val["mse"][0] for f, curve in curves.items()}
at_the_end, at_first = error["sigmoid"] / min(error["linear"], error["tanh"]), first["linear"] / first["sigmoid"]
lab.holds(
    ("at the end: the sigmoid's error, per error of the next best", at_the_end, "<", 0.9),
    ("after the first epoch: the linear output's error, per error of the sigmoid", at_first, "<", 1),
)

# %%
order = ", ".join(sorted(error, key=error.get))
foreseen = ("sigmoid, linear, tanh", "linear, sigmoid, tanh", "sigmoid, tanh, linear")
lab.outcome("01-5-output-binary", order if order in foreseen else "some other order")

# %% [markdown]
# **What you should see.** The sigmoid ends clearly lowest and never leaves [0, 1]. Look at the left edge of the curves,
# though: early on it is the *worst*. It starts at grey ½ everywhere and must first learn that most pixels are black. With
# too few steps the opposite conclusion comes out. (Its lead is in the squared error; by the last column of the table, pixels
# on the wrong side of ½, the three are close.)
#
# Is tanh a bad function? It is a sigmoid on another scale: $\tanh(a) = 2\,\text{sigmoid}(2a) - 1$. What hurts is that
# black, 0, lies in the *middle* of its range, where small changes of $a$ move the output most. With black recoded as −1 the
# two are the same function of $2a$ and can draw the same pictures.
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

# %%
by_output = {f: lab.DenseAutoencoder(32, standardised.shape, hidden=(), output=f) for f in outputs}
curves = {f: lab.fit(model, standardised, steps=500, learning_rate=1e-2) for f, model in by_output.items()}
lab.plot.history(curves, baselines=[lab.PCA(32).fit(standardised.train)], data=standardised)


# %%
def floors_of(x):
    """The lowest squared error that outputs in [0, 1] and in [−1, 1] can reach on images x."""
    return {f: float((x - x.clamp(low, 1)).square().mean()) for f, low in (("sigmoid", 0), ("tanh", -1))}


floor, floor_val = floors_of(standardised.test.images), floors_of(standardised.val.images)
lab.plot.bars(
    {f"output {f}": lab.metrics.mse(model, standardised.test) for f, model in by_output.items()},
    "squared error per test pixel",
    baselines={f"lowest possible with {f}": level for f, level in floor.items()},
)

# %% tags=["nbval-check-output"]
error = {f: lab.metrics.mse(model, standardised.test).value for f, model in by_output.items()}
share = error["linear"] / min(error["sigmoid"], error["tanh"])
lab.holds(
    ("linear: the error, per error of the better bounded output", share, "<", 0.5),
    ("sigmoid: the test error, per lowest possible (never below 1)", error["sigmoid"] / floor["sigmoid"], "<", 1.3),
    ("tanh: the same", error["tanh"] / floor["tanh"], "<", 1.3),
)

# %% [markdown]
# **What you should see.** The two bounded outputs come to rest just above their floors, many times above the linear one.
# (The bars and their floors are of test images. The curves are of validation images, other photographs, whose floors are
# {{floor_val["sigmoid"]:.3f}} and {{floor_val["tanh"]:.3f}}.) **The slide is right:** sigmoid and tanh clip. It is the
# *range* that matters, not that the values are real: before standardising, with values in [0, 1], the sigmoid can draw all
# of them.
#
# **Try it.** Give the three networks `photos` in place of `standardised`. Which output wins now?

# %% [markdown]
# ## 6 · The loss, and how low it can go
#
# Two losses are usual: for real inputs the [squared error]({{glossary}}#squared-error), for binary ones the
# [cross-entropy]({{glossary}}#cross-entropy) of the pixels, which reads each output as the probability of white (slide 001):
#
# $$L = \sum_j (\hat x_j - x_j)^2 \qquad
# L = -\sum_j \big( x_j \log \hat x_j + (1 - x_j) \log (1 - \hat x_j) \big)$$
#
# A loss is a number to push down, so the first question is how far down there is. The squared error can reach 0. The
# cross-entropy can reach 0 only if every pixel is black or white; for a grey pixel the best answer is $\hat x_j =
# x_j$, and that costs the pixel's own [entropy]({{glossary}}#entropy-floor), $-x \log x - (1-x) \log (1-x)$. (With natural
# logarithms the unit is called *nat*.)

# %%
lab.show_source(lab.losses.squared_error, lab.losses.cross_entropy, lab.losses.entropy, docstrings=False)

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


# %% tags=["folded"]
def cross_entropy_per_pixel(model, split):
    """Cross-entropy of each image, per pixel: its mean over the split and the standard error of that mean."""
    logits = lab.metrics.in_batches(model.logits, split.images)
    each = F.binary_cross_entropy_with_logits(logits, split.images, reduction="none").flatten(1).mean(dim=1)
    return lab.metrics.Estimate(float(each.mean()), float(each.std() / math.sqrt(len(each))))


# %%
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

# %% tags=["folded"]
ratio = {}  # (kind of images, judged by): what training on cross-entropy gives, per what training on squares gives
for kind in floors:
    trained_on = (scores[kind, "cross_entropy"], scores[kind, "squared_error"])
    for i, judge in enumerate(("squares", "cross-entropy")):
        ratio[kind, judge] = trained_on[0][i].value / trained_on[1][i].value

# %% tags=["nbval-check-output"]
lowest = min(scores[key][1].value - floors[key[0]] for key in scores)
beside_pca = scores["grey", "cross_entropy"][0].value / lab.metrics.mse(pca32, data.test).value
lab.holds(
    ("by cross-entropy, training on it gives, per training on squares: grey", ratio["grey", "cross-entropy"], "<", 1),
    ("binary", ratio["binary", "cross-entropy"], "<", 1),
    ("and by squares: grey", ratio["grey", "squares"], "<", 1.1),
    ("how far the best network is above the floor of its images, as arithmetic wants", lowest, ">", 0),
    ("grey: the best network's squared error, per that of PCA with 32 numbers", beside_pca, "<", 1),
)

# %% [markdown]
# **What you should see.** On binary digits training on cross-entropy is better, as the slide says. On *grey* ones too, and
# not only by its own measure: its network is level or slightly ahead even in squared error. Behind a sigmoid, the slope of
# the squared error carries a factor $\hat x (1 - \hat x)$, which all but vanishes where the output is confidently wrong.
# Cross-entropy cancels that factor, so it learns faster. (In a longer training the two come close by squares: C07.) With it
# even this flat network gets below PCA with as many numbers.
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
# What if $h$ is *larger* than $x$? Such an autoencoder is called [overcomplete]({{glossary}}#overcomplete). It could copy
# $x$ into $h$ and $h$ into $\hat x$, which tells us nothing about the data, and it is said to be useless (slide 001). That it
# *could* is quickly shown. We take digits of 14×14 = 196 pixels, small enough to train long, and a code of 256 numbers; the
# matrices are set by hand.

# %% tags=["nbval-check-output"]
small = data.map(lambda images: F.avg_pool2d(images, 2))  # 14×14
copier = lab.LinearAutoencoder(latent=256, image_shape=small.shape)
with torch.no_grad():
    for parameter in copier.parameters():
        parameter.zero_()
    copier.weight[:196] = torch.eye(196)  # h = (x, 0)
    copier.decoder_weight[:, :196] = torch.eye(196)  # x̂ = the first 196 values of h
lab.holds(("error of the copier on test images", lab.metrics.mse(copier, small.test).value, "≤", 0))

# %% [markdown]
# How would one notice that such a code is useless? Not by its error, which is perfect. Ask what the code is good
# *for*: a linear [probe]({{glossary}}#linear-probe) tries to read off the digit's class. Pixels themselves are the
# yardstick. A second yardstick keeps us honest: the same layer *before training*.
#
# | model, 256 code values for 196 pixels | loss |
# |---|---|
# | linear | $\lVert \hat x - x \rVert^2$ |
# | plain, $h = \max(0, Wx + b)$ | $\lVert \hat x - x \rVert^2$ |
# | denoising, the same $h$ | the same, but it sees $x$ with noise and must draw $x$ without |
# | sparse, the same $h$ | $\lVert \hat x - x \rVert^2 + \lambda \sum_i \lvert h_i \rvert$ |
#
# The last two are the classical repairs. With noise in the input, a copy is a bad answer; and in the last one every number
# of the code that is not 0 costs something.

# %%
lab.predict(
    "The linear network is trained until it copies almost perfectly. How many points does a probe of its code gain over "
    "the same probe of the pixels?",
    options=["less than 2 points", "2 to 5 points", "more than 5 points"],
    key="01-7-linear-overcomplete",
)


# %%
class SparseAutoencoder(lab.DenseAutoencoder):
    """A dense autoencoder that pays for every active code value: L = ‖x̂ − x‖² + λ Σ_i |h_i|, with λ = 0.1."""

    def loss(self, x, target=None):
        reconstruction = super().loss(x, target).total
        activity = self.encode(x).abs().sum() / len(x)
        return lab.Loss(reconstruction + 0.1 * activity, {"reconstruction": reconstruction, "activity": activity})


one_layer = {"latent": 256, "image_shape": small.shape, "hidden": (), "code_activation": "relu", "output": "linear"}
models = {
    "linear": lab.LinearAutoencoder(256, image_shape=small.shape),
    "plain": lab.DenseAutoencoder(**one_layer),
    "denoising": lab.DenseAutoencoder(**one_layer),
    "sparse": SparseAutoencoder(**one_layer),
}

# %%
curves = {}
for name, model in models.items():
    noise = lab.corrupt.gaussian(0.5) if name == "denoising" else None
    curves[name] = lab.fit(model, small, steps=1000, learning_rate=5e-3, batch_size=64, corrupt=noise)
lab.plot.history(curves, baselines=[lab.PCA(32).fit(small.train)], data=small)

# %%
compared = {"pixels": copier, "untrained": lab.DenseAutoencoder(**one_layer)} | models
probe = {name: lab.metrics.probe(model, small) for name, model in compared.items()}
lab.plot.bars(probe, "digits that a probe of the code names")

# %%
gain = 100 * (probe["linear"].value - probe["pixels"].value)
limits = {"less than 2 points": 2, "2 to 5 points": 5}
lab.outcome("01-7-linear-overcomplete", gain, below=limits, otherwise="more than 5 points")

# %% [markdown]
# And what do noise and the penalty do to the code and to the copying? Look at the codes of four digits, 256 numbers as
# 16×16 squares, white where the number is largest. Then give the networks digits with noise: how much of the noise comes
# out again?

# %% tags=["folded"]
four = small.test.images[:4]
rows = {"digit": four}
for name in ("plain", "denoising", "sparse"):
    codes = models[name].encode(four).detach()
    rows[f"code, {name}"] = (codes / codes.amax()).view(4, 1, 16, 16)
active = {name: float((lab.metrics.encode(models[name], small.test) > 0).double().mean()) for name in models}
told = ", ".join(f"{name} {share:.2f}" for name, share in active.items())
lab.plot.image_rows(rows, alt=f"Four digits above their codes. Share of code values above 0: {told}.", scale=1.0)

# %%
noise = lab.corrupt.gaussian(0.5)
with_noise = {name: lab.metrics.mse(model, small.test, corrupt=noise) for name, model in compared.items()}
lab.plot.bars(with_noise, "squared error per pixel on digits with noise, against the clean digit")

# %% tags=["nbval-check-output"]
per_copy = {name: error.value / with_noise["pixels"].value for name, error in with_noise.items()}
over_untrained = {name: 100 * (probe[name].value - probe["untrained"].value) for name in models}
lab.holds(
    ("linear: points that the probe gains over pixels", gain, "<", 2),
    ("plain: points that it gains over the untrained layer", over_untrained["plain"], "<", 2),
    ("denoising: the same", over_untrained["denoising"], ">", 0),
    ("linear: error with noise, per error of a copy", per_copy["linear"], ">", 0.8),
    ("denoising: the same", per_copy["denoising"], "<", 0.5),
    ("sparse: share of code values above 0, per share of the plain one", active["sparse"] / active["plain"], "<", 0.8),
)

# %% [markdown]
# **What you should see.** The linear one learns to copy, noise included, and its code serves the probe no better than raw
# pixels do. That had to be: a linear probe of a linear code is one of the pixels, too. **There the slide is right.** A wide layer with a non-linearity serves a little better even *untrained*
# ({{probe["untrained"].value:.3f}} against {{probe["pixels"].value:.3f}}), because random features give a linear probe more to
# work with. So a gain over pixels is no proof of learning. Only a gain over the untrained layer is. Plain training ends at
# {{probe["plain"].value:.3f}}, the penalty at {{probe["sparse"].value:.3f}}, noise at {{probe["denoising"].value:.3f}}, each
# ± {{probe["denoising"].error:.3f}}. The penalty does what it is for: {{100 * active["sparse"]:.0f}} % of the code values are
# above 0, against {{100 * active["plain"]:.0f}} % without it. But a sparse code need not be easier to read.
#
# **The slide is right about copying, and too strong with "useless".** The copy is useless; not every code of that size is.
# Noise keeps the network from copying, and its code serves better than that of plain training. Whether it serves better than
# the *untrained* layer's, these few digits hardly tell: over five seeds it is less than a point (C03).
#
# **Try it.** Replace the noise by `lab.corrupt.pixel_mask(0.5)`, or try λ = 1. What does too strong a penalty do to
# both the error and the probe?

# %% [markdown]
# ## Take-aways
#
# - $h = g(Wx+b)$, $\hat x = f(W^*h + c)$ is all there is. With fewer numbers than pixels, some pictures must share a code.
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
                "On the training images only PCA's subspace has that error, where the images vary more along pattern 8 than along 9.",
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
                "Follow a bent curve.": "Only a non-linearity can: a chain of linear maps is one linear map.",
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
                "Random non-linear features alone can give such a gain; the control separates training from width.",
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
# | PCA vs AE, 1 | projection on directions, against encoder and decoder | sections 1, 2 | both map to $k$ numbers and back |
# | PCA vs AE, 2 | PCA linear, autoencoder non-linear (C08) | section 4 | right |
# | PCA vs AE, 3 | analytic against gradients (C09) | section 2 | right |
# | PCA vs AE, 4 | explicit transformation matrix (C10) | section 3 | right under a condition: a linear one is explicit too |
# | PCA vs AE, 6 | components are more interpretable (C11) | *Deeper · Whose axes can be read?* | right, relatively |
# | PCA vs AE, 7 | the autoencoder scales better (C12) | *Deeper · Time and memory* | right under a condition: against the full SVD |

# %% [markdown]
# ## Further reading
#
# - D. E. Rumelhart, G. E. Hinton and R. J. Williams, "Learning internal representations by error propagation", in *Parallel
#   Distributed Processing* 1, 1986: the encoder problem, an autoencoder of eight patterns through three units.
# - C. Eckart and G. Young, "The approximation of one matrix by another of lower rank", *Psychometrika* 1, 1936.
# - P. Baldi and K. Hornik, "Neural networks and principal component analysis: learning from examples without local
#   minima", *Neural Networks* 2, 1989.
# - D. Kunin, J. Bloom, A. Goeva and C. Seed, "Loss landscapes of regularized linear autoencoders", 2019,
#   arXiv 1901.08168: with weight decay, the axes come back as well.
# - G. E. Hinton and R. R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", *Science* 313, 2006:
#   pretraining, and deep autoencoders against PCA.
# - P. Vincent and others, "Extracting and composing robust features with denoising autoencoders", 2008.

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
    """(loss, slope) with components 1 … 7 and 9, the last turned by this angle towards component 8."""
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


# %%
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
lab.holds(
    ("slope at the saddle, per slope at 40°", slope[0] / slope[4], "<", 0.01),
    ("the loss falls all the way from 0° to 90°", all(a > b for a, b in pairwise(loss))),
)

# %% [markdown]
# **What you should see.** A flat start, no rise anywhere, and PCA's loss at the end. At 0° gradient descent would
# stay for ever, but the slightest push sets it off. The noise of the batches is such a push. Near a saddle progress
# is *slow*, however.

# %% [markdown]
# ## Deeper · Which g?
#
# $g$ is typically a sigmoid (slide 001). A sigmoid's slope is at most ¼, and almost 0 where its unit is
# [saturated]({{glossary}}#saturation), stuck near 0 or near 1; a chain of layers multiplies such slopes. Two
# measurements: the flat network with its code through $g$, and one with two more layers on either side and $g$ between
# them. Three functions $g$ each, the same steps.

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

# %% tags=["nbval-check-output"]
stuck = float(((codes["sigmoid"] < 0.05) | (codes["sigmoid"] > 0.95)).double().mean())
worse = {depth: final[f"{depth}, sigmoid"].value / final[f"{depth}, silu"].value for depth in ("flat", "deep")}
lab.holds(
    ("flat: the sigmoid's error, per error of SiLU", worse["flat"], ">", 1.5),
    ("deep: the same", worse["deep"], ">", 1.5),
    ("flat: share of the sigmoid's code values within 0.05 of 0 or 1", stuck, ">", 0.5),
)

# %% [markdown]
# **What you should see.** Both sigmoid networks linger near the mean image while the others are done. In the first
# steps every picture is too bright, and the quickest way to darken them all is to push all code values to one end;
# there the slope is almost 0 and they stay: {{100 * stuck:.0f}} % of the flat network's code values lie within a twentieth
# of 0 or 1. More steps bring the sigmoid down in the end. **But "typically" is history:** with equally few steps a sigmoid
# $g$ is the worst of the three, for one layer and for several. (As the output $f$ it is another matter: there the ends are
# where the pixels are.)

# %% [markdown]
# ## Deeper · Whose axes can be read?
#
# Principal components are "relatively interpretable", learned features less so (slide 001). To test that, one needs images
# whose causes are *known*. The set `shapes` is drawn from six factors: shape, scale, rotation, x, y and hue. The score: for
# each factor, the largest |correlation| with any *single* code value. 1 would mean that one axis is this factor. Beside it,
# $R$ of a linear regression from *all* code values: what the code holds at all, on whatever axes.

# %%
shapes = lab.load("shapes", n=3500).map(lambda images: F.avg_pool2d(images, 2))  # 16×16, in colour
readers = {"PCA": lab.PCA(8).fit(shapes.train), "autoencoder": lab.DenseAutoencoder(8, shapes.shape)}
history = lab.fit(readers["autoencoder"], shapes, steps=800)
lab.compare(readers, shapes, columns=["mse"])[["mse", "mse_se", "parameters"]]


# %% tags=["folded"]
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


# %%
scores = {name: readable(model) for name, model in readers.items()}
kinds = ("best single value", "all 8 values")
rows = {f"{name}, {kinds[i]}": score[i].tolist() for name, score in scores.items() for i in (0, 1)}
table = pd.DataFrame.from_dict(rows, orient="index", columns=shapes.test.factor_names)
table.assign(mean=table.mean(axis=1)).round(2)

# %% tags=["nbval-check-output"]
single = {name: score[0].mean() for name, score in scores.items()}
lab.holds(
    ("averaged over the factors, PCA's best single value correlates by", single["PCA"], ">", single["autoencoder"])
)

# %%
rows = {}
for name, model in readers.items():
    codes = lab.metrics.encode(model, shapes.train)
    middle, spread = codes.mean(dim=0), codes.std(dim=0)
    for value in range(3):
        steps = middle.repeat(7, 1)
        steps[:, value] += torch.linspace(-2, 2, 7) * spread[value]
        drawn = model.decode(steps).detach()
        rows[f"{name}, value {value + 1}"] = (drawn / drawn.amax()).clamp(0, 1)  # averages are dim: each row brightened
lab.plot.image_rows(
    rows,
    alt="Six rows of seven pictures. In each row one code value moves from two standard deviations below its mean "
    "to two above, the others stay at their mean: three values of PCA, three of the autoencoder. Each row is brightened.",
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

# %% tags=["folded"]
torch.manual_seed(0)
deform = lab.augment.affine()
many = torch.cat([deform(data.train.images) for _ in range(3)]).flatten(1)
counts, latent, batch, pixels = (1000, 4000, 8000), 32, 500, 784


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


# %%
seconds = {}
for method in (full_svd, from_covariance, incremental, one_epoch):
    method(many[: counts[0]])  # once untimed: the first call of anything is slow
    seconds[method.__name__.replace("_", " ")] = []
    for count in counts:
        started = time.perf_counter()
        method(many[:count])
        seconds[method.__name__.replace("_", " ")].append(time.perf_counter() - started)
growth = {name: [value / times[0] for value in times] for name, times in seconds.items()}
lab.plot.curves(counts, growth, xlabel="images", ylabel="time / its own at 1,000 images", log="xy", baselines={})

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
    # weights, their slopes and Adam's two averages, and one batch
    "autoencoder, one epoch": [4 * (2 * latent * pixels + latent + pixels) + 128 * pixels for _ in counts],
}
pd.DataFrame.from_dict(held, orient="index", columns=[f"{n:,} images" for n in counts]).map("{:,}".format)

# %% [markdown]
# **What you should see.** From {{counts[0]:,}} to {{counts[-1]:,}} images the full SVD takes
# {{growth["full svd"][-1]:.1f}} times as long, `IncrementalPCA` {{growth["incremental"][-1]:.1f}} times, the epoch
# {{growth["one epoch"][-1]:.1f}} times, and the covariance {{growth["from covariance"][-1]:.1f}} times: its decomposition
# costs the same whatever $n$ is. In memory only the full SVD grows. So **the slide is right for the full SVD and wrong for PCA
# as such**: by way of the covariance PCA needs *one* pass over the data, batch by batch, where the autoencoder needs many;
# and GPUs multiply matrices for either. What the way by the covariance cannot escape is the number of *pixels*: 784² entries
# here, and 150,528² for a photograph of 224×224 in colour. There one takes `IncrementalPCA` or a randomised SVD, which hold
# about as many numbers as an autoencoder's two matrices do.
