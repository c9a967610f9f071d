# %% [markdown]
# # 00 · Start here
#
# *What an autoencoder is; a first one, trained and looked at within a minute; how the course works*
#
# Teach a small network to squeeze a picture through a few numbers and draw it again: that is an
# [autoencoder]({{glossary}}#autoencoder). Within a minute you will have trained one on real handwriting. Then you draw,
# it draws after you, and you see what it keeps, what it drops, and what it makes of things it was never told about.
#
# **You will be able to**
# - say what encoder, code and decoder do, and what the loss asks of them (sections 1 and 2, Exercise 1);
# - train an autoencoder and judge it against two answers that need no training (section 2, Exercise 2);
# - measure what a short code keeps: the picture, and the class of the picture (section 3, quiz);
# - say why an autoencoder of digits fails on everything else, and show it with a control (section 4, Exercise 3).
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

import autoencoder_lab as lab

lab.setup(seed=0)
data = lab.load("mnist-5k")

# %% [markdown]
# ## 1 · Predict, run, look
#
# Every section of this course goes the same way. It asks you to **predict**, you **run** the experiment, and the
# **outcome** is laid beside your guess. A wrong guess is worth more than a right one: it marks a spot where your
# picture of the matter can be improved. Guesses stay on this computer, in `predictions.json`; nobody sees them.
#
# | if you want to | do this |
# |---|---|
# | run a cell | select it, then Shift + Enter |
# | start with a clean slate | menu *Kernel* → *Restart Kernel and Run All Cells…* |
# | change anything | just do: these notebooks are your own copy in `my-course/`, which no update overwrites |
# | solve an exercise | fill in the stub, run the check below it; it says what is likely wrong |
# | get help with an exercise | ask with the name of its check: `lab.hint("training_step")`, later `lab.solution(…)` |
# | begin in the middle | run the set-up cell, then any section: each stands alone |
# | know why something fails to run | type `autoencoder-lab doctor` in a terminal |
#
# Now the data: 5,000 handwritten digits, 28×28 pixels each, black is 0 and white is 1. Of these, 3,500 are for
# training, 500 for choosing between models, and 1,000 are kept for the final judgement.

# %%
lab.plot.images(data.train.images[:20], alt="Twenty training images of handwritten digits, white on black.")

# %% [markdown]
# Before any model learns, ask what *no* model can do. Suppose you must answer every picture with one and the same
# image. The best choice is the average of the training images, the mean image $\bar x$. Its
# [squared error]({{glossary}}#squared-error) per pixel is the first line under every loss curve in this course:
# who is not below it has learned nothing about single pictures.

# %%
lab.predict(
    "Every test digit is answered with the mean image. How large is the squared error per pixel, on average?",
    options=["below 0.1", "between 0.1 and 0.3", "above 0.3"],
    key="00-1-mean-image",
)

# %%
mean_image = data.train.images.mean(dim=0, keepdim=True)
mean_error = float((data.test.images - mean_image).square().mean())
lab.outcome(
    "00-1-mean-image",
    "below 0.1" if mean_error < 0.1 else "between 0.1 and 0.3" if mean_error < 0.3 else "above 0.3",
)
lab.plot.images(
    torch.cat([mean_image, data.test.images[:3], (data.test.images[:3] - mean_image).abs()]),
    titles=["mean image", "digit", "digit", "digit", "difference", "difference", "difference"],
    alt="The mean image, a pale blur; three test digits; and how far each of them is from the mean image.",
)

# %% tags=["nbval-check-output"]
black_error = float(data.test.images.square().mean())
print(f"squared error per pixel of the mean image: {mean_error:.3f}")
print(f"the mean image beats an all-black one: {mean_error < black_error}")

# %% [markdown]
# **What you should see.** A pale blur that is no digit at all, and yet a small error. Two reasons: most pixels of
# most digits are black, and a difference below 1 becomes smaller still when it is squared. So an error means nothing
# on its own. *Always ask: small compared with what?*
#
# **Try it.** Answer every picture with the mean image *of its own class* instead. How far does the error fall?

# %% [markdown]
# ### Exercise 1 · The loss of slide 001
#
# The slide sums over the $n$ pixels of a picture and averages over the $m$ pictures:
#
# $$L = \frac1m \sum_{i=1}^m \sum_{j=1}^n (\hat x_{ij} - x_{ij})^2$$
#
# Write it down for tensors. (Divide it by the number of pixels and you have the error per pixel from above.)
# *Hint: `x.pow(2)` squares, `.sum()` adds up everything, `len(x)` counts the images.*


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
# ## 2 · Your first autoencoder
#
# An autoencoder is two functions. The [encoder]({{glossary}}#encoder) turns a picture $x$ of 784 numbers into a
# [code]({{glossary}}#code) $h$ of, here, 16. The [decoder]({{glossary}}#decoder) makes a picture $\hat x$ from the
# code, and never sees $x$ itself. Slide 001 writes
#
# $$h = g(Wx + b) \qquad\qquad \hat x = f(W^* h + c)$$
#
# and asks for weights that bring $\hat x$ close to $x$. The picture is its own answer: no labels are needed.
# The narrow place in the middle, the [bottleneck]({{glossary}}#bottleneck), is what makes it interesting. Copying is
# impossible, so the network has to find out what digits have in common.
#
# Ours has one layer more on each side than the slide's. This is all of it; `Autoencoder`, which it builds on, puts
# the two halves together.

# %%
lab.show_source(lab.DenseAutoencoder)

# %% [markdown]
# Two answers to beat. The mean image you know. [PCA]({{glossary}}#pca) is the best that straight lines can do with 16
# numbers, computed in one go; notebook 01 takes it apart.

# %%
lab.predict(
    "16 numbers a picture, a few seconds of training. Where does the autoencoder's error on new digits end up?",
    options=["above the mean image's", "between the mean image's and PCA's", "below PCA's"],
    key="00-2-first-autoencoder",
)

# %%
pca = lab.PCA(16).fit(data.train)
autoencoder = lab.DenseAutoencoder(latent=16)
history = lab.fit(autoencoder, data, epochs=20, seed=0)
lab.plot.history(history, baselines=[pca], data=data)

# %%
errors = {name: lab.metrics.mse(model, data.test).value for name, model in [("pca", pca), ("ae", autoencoder)]}
errors["mean"] = float((data.test.images - data.train.images.mean(dim=0)).square().mean())
lab.outcome(
    "00-2-first-autoencoder",
    "above the mean image's"
    if errors["ae"] > errors["mean"]
    else "between the mean image's and PCA's"
    if errors["ae"] > errors["pca"]
    else "below PCA's",
)
lab.plot.reconstructions([pca, autoencoder], data.test, count=12)

# %%
lab.diagram.hourglass(data.test.images[0], autoencoder)

# %% tags=["nbval-check-output"]
print(f"less than half of the mean image's error: {errors['ae'] < errors['mean'] / 2}")
print(f"at least a tenth below PCA's error: {errors['ae'] < 0.9 * errors['pca']}")

# %% [markdown]
# **What you should see.** The curve drops through the mean image's line almost at once: that is easy. PCA's line
# takes longer. In the pictures PCA leaves grey shadows round the strokes, for it can only add and subtract fixed
# patterns; the autoencoder's digits are cleaner. Look for the column in which both fail: it is handwriting of a kind
# that few training images share. Sixteen numbers are spent on what is common.

# %% [markdown]
# ### You draw, it draws after you
#
# Will 16 numbers do for *your* handwriting? Run the cell and choose **Draw**. With every stroke your drawing is brought
# to 28×28 pixels, squeezed into a code, and drawn again from the code alone; beside it you see where it went wrong.
#
# (Without a running kernel you see a contact sheet in its place: a map of codes, and test digits above their
# reconstructions. `lab.explore(autoencoder, data).to_html("my-explorer.html")` writes a page to keep that needs no
# kernel.)

# %%
lab.explore(autoencoder, data)

# %% [markdown]
# **Try it.**
# - Write a 3. Then close its two gaps, a little at a time, until it is an 8. Who is first to close a gap, you or the
#   model? And the class named below the answer is that of the nearest code: when does it change from 3 to 8?
# - Write a 4 with an open top, then join its two tips by a straight line. What becomes of the corners?
# - Draw what is no digit: a letter, a house, a smiley. Or load a photo and untick *Centre the drawing*. What comes
#   back?
#
# **What you should see.** A small gap comes back closed before you close it, and square corners come back round. A
# house turns into something like an 8, a smiley into a ring without a face. Whatever you draw, the answer is made of
# digit strokes: the decoder has never learnt to draw anything else. Section 4 measures it.

# %% [markdown]
# ### Turn one number
#
# *Go there*, in Draw, leads to your drawing's place on the **map**. Every mark is the code of a test digit; the
# [space of all codes]({{glossary}}#latent-space) has 16 dimensions, and the map shows the two directions in which
# these codes vary most. Drag the ring slowly: those two change, the rest of the code stays, and the decoder draws
# whatever code it is given. Drag it on into the hatched parts, where no code lies. Then open **Sliders**, move along
# *single code values*, and turn one number at a time, beginning from several digits.
#
# All of it works from the keyboard. On the map the arrow keys move the ring (with Shift, further), N and P choose the
# next and the previous digit, Enter the nearest one; on the pad the arrow keys move the pen and Space lowers it.
#
# **What you should see.** Neighbouring codes give similar pictures. One number changes several things at once, and
# other things for other digits: it is not "the slant" or "the thickness". Near the ends of the sliders and in the
# hatched parts many drawings are no digits any more, for no training picture had such a code. Notebooks 01 and 02 come
# back to both points.

# %% [markdown]
# ### Exercise 2 · Find the bug
#
# `lab.fit` repeats one step many times: compute the loss, ask for its gradient, move every weight a little downhill.
# Here is that step, written by somebody in a hurry. It runs, and the loss even falls at first. Then it goes astray.


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
# Slide 001 calls an autoencoder [undercomplete]({{glossary}}#undercomplete) if $\dim(h) < \dim(x)$, and says that its
# code "captures all the important characteristics" of the picture. That is a claim, so let us measure it, twice:
#
# - **Is the picture still there?** The reconstruction error on test digits.
# - **Is the meaning still there?** A [linear probe]({{glossary}}#linear-probe): can a simple classifier, one that
#   only draws straight lines, read off the code which digit it was? The labels are used for this test alone.
#
# A figure needs something to stand beside it. For the picture that is PCA with as many numbers; for the meaning it is
# the same probe on all 784 pixels, and on a code that *nobody learned*: the pixels mixed by a random matrix.


# %%
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
nothing = float((data.test.images - data.train.images.mean(dim=0)).square().mean())
lab.plot.curves(
    sizes, error_of, "numbers in the code", "squared error per pixel", baselines={"mean image": nothing}, log="x"
)

# %%
probe_of = {
    "autoencoder": [lab.metrics.probe(learned[k], data) for k in sizes],
    "PCA": [lab.metrics.probe(straight[k], data) for k in sizes],
    "random mix": [lab.metrics.probe(RandomMix(k), data) for k in sizes],
}
from_pixels = lab.metrics.probe(Pixels(), data).value
share = probe_of["autoencoder"][-1].value / from_pixels
lab.outcome(
    "00-3-probe-32",
    "less than half of it"
    if share < 0.5
    else "clearly less, but more than half"
    if share < 0.94
    else "about as many as from the pixels",
)
lab.plot.curves(
    sizes,
    probe_of,
    "numbers in the code",
    "digits named by the probe",
    baselines={"784 pixels": from_pixels, "guessing": 0.1},
    log="x",
)

# %% tags=["nbval-check-output"]
probe = {name: dict(zip(sizes, [p.value for p in values], strict=True)) for name, values in probe_of.items()}
error = {name: dict(zip(sizes, [e.value for e in values], strict=True)) for name, values in error_of.items()}
print(f"2 numbers: probe below four fifths of what pixels give: {probe['autoencoder'][2] < from_pixels * 0.8}")
print(f"8 numbers: at least 15 points above a random mix: {probe['autoencoder'][8] > probe['random mix'][8] + 0.15}")
lead = {k: error["PCA"][k] / error["autoencoder"][k] for k in sizes}
print(f"the autoencoder's lead over PCA is smaller with 32 numbers than with 8: {lead[32] < lead[8]}")
print(f"32 numbers: within 6 points of the pixels: {abs(probe['autoencoder'][32] - from_pixels) < 0.06}")
print(f"32 numbers: the picture is still not perfect, error above 0.005: {error['autoencoder'][32] > 0.005}")

# %% [markdown]
# **What you should see.** The meaning arrives before the picture does. With 32 numbers the probe names about as many
# digits as from all 784 pixels, while the reconstructions still lose detail. The random mix shows that this is no
# matter of course: with as few numbers as 8 it is far behind, and catches up only as the code grows.
#
# And be fair to PCA. The autoencoder is far ahead with 8 numbers; with 32 most of its lead is gone, for PCA has then
# many patterns to combine, and a few seconds of training do not exhaust what a network could do with 32 numbers.
# Notebook 02 gives it more time and a better shape.

# %% [markdown]
# ### Important to whom?
#
# "Important" is a big word. The network was told one thing only: get the pixels right. So put a small mark into the
# corner of half of the pictures, four dim pixels, and let a probe look for it: in the pixels, and in the code of an
# autoencoder that was trained on exactly these marked pictures.

# %%
lab.predict(
    "Marked or not? You can see the mark. Can a probe on the 16-number code of the marked pictures tell?",
    options=["yes, nearly always", "mostly", "hardly better than tossing a coin"],
    key="00-3-mark",
)


# %%
def with_marks(split, seed):
    """The split with four dim pixels added to a random half of the images; the label says whether it is marked."""
    marked = torch.rand(len(split), generator=torch.Generator().manual_seed(seed)) < 0.5
    images = split.images.clone()
    images[:, :, 1:3, 1:3] = 0.3 * marked[:, None, None, None].float()
    return lab.Split(images, marked.long(), ("plain", "marked"))


marked_data = lab.ImageData("marked", *(with_marks(s, i) for i, s in enumerate([data.train, data.val, data.test])))
marked_autoencoder = lab.DenseAutoencoder(latent=16)
lab.fit(marked_autoencoder, marked_data, epochs=12, seed=0)
mark_read = {
    "from the pixels": lab.metrics.probe(Pixels(), marked_data),
    "from the code": lab.metrics.probe(marked_autoencoder, marked_data),
}
on_code = mark_read["from the code"].value
drawn_corners = lab.metrics.in_batches(marked_autoencoder.reconstruct, marked_data.test.images)[:, 0, 1:3, 1:3]
drawn_mark = [float(drawn_corners[marked_data.test.labels == label].mean()) for label in (0, 1)]
lab.outcome(
    "00-3-mark",
    "yes, nearly always" if on_code > 0.9 else "mostly" if on_code > 0.7 else "hardly better than tossing a coin",
)
three_each = torch.cat([(marked_data.test.labels == label).nonzero().flatten()[:3] for label in (0, 1)])
originals = marked_data.test.images[three_each]
lab.plot.image_rows(
    {"original": originals, "drawn from the code": lab.metrics.in_batches(marked_autoencoder.reconstruct, originals)},
    alt="Three plain and three marked digits above their reconstructions. The marked ones have a dim square in the "
    f"upper left corner. Of the reconstructions' corners the plain digits' have a mean brightness of "
    f"{drawn_mark[0]:.2f} and the marked ones' of {drawn_mark[1]:.2f}.",
    scale=1.3,
)

# %%
lab.plot.bars(mark_read, "share of pictures whose mark the probe reads", baselines={"tossing a coin": 0.5})

# %% tags=["nbval-check-output"]
print(f"the pixels give the mark away in over 95 of 100 pictures: {mark_read['from the pixels'].value > 0.95}")
print(f"the code does so in fewer than 75 of 100: {on_code < 0.75}")
print(
    f"drawn marks of plain and marked pictures differ by less than a third of the mark: "
    f"{abs(drawn_mark[1] - drawn_mark[0]) < 0.1}"
)

# %% [markdown]
# **What you should see.** The left three originals are plain, the right three marked, and their drawings cannot be told
# apart: *every* one has half a mark in its corner. That is the mean image again, in one corner: not knowing which
# pictures are marked, the network draws the average on all. Four dim pixels cost the loss next to nothing, so a short
# code has no room for them. Had the mark meant "send this patient to hospital", the one thing that counts would be
# gone.
#
# **So is the slide right?** *Under a condition.* A short code keeps what the **loss** finds important, as much of it
# as fits. With digits and the squared error that happens to include the class. "All the important characteristics"
# is too much: 2 numbers were not enough, and the mark was lost with 16.
#
# **Try it.** Make the mark brighter (1.0 instead of 0.3), or the code longer. When does the code begin to notice?

# %% [markdown]
# ## 4 · Strangers: digits in, digits out
#
# Slide 004 lists a limitation: autoencoders are [data-specific]({{glossary}}#data-specific). Nobody told the decoder
# what a picture is; it has only ever drawn digits. You have seen what it made of your drawings; now we measure it. What
# will it make of a face?
#
# We invite four kinds of strangers: digits turned **upside down**, white **shapes** (boxes, ovals, triangles),
# **faces**, and the very same digits as **negatives**, black on white.

# %%
shapes = lab.load("shapes", n=5000)


def white_on_black(split):
    """The shapes' masks, 28×28: white shapes on black, one channel, like digits."""
    images = F.interpolate(split.masks, size=(28, 28), mode="bilinear", antialias=True).clamp(0, 1)
    return lab.Split(images, split.labels, split.classes)


worlds = {
    "digits": data,
    "upside down": data.map(lambda images: images.flip(2)),
    "shapes": lab.ImageData("white shapes", *map(white_on_black, (shapes.train, shapes.val, shapes.test))),
    "faces": lab.load("faces"),
    "negatives": data.map(lambda images: 1 - images),
}

# %% [markdown]
# How bad is bad? Bright pictures make large errors and dim ones small errors, so we divide by what is needed to know
# *nothing* about single pictures: the error of that world's own mean image,
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
def share_lost(model, world):
    mean = world.train.images.mean(dim=0)
    return lab.metrics.mse(model, world.test).value / float((world.test.images - mean).square().mean())


trained = {f"{home} autoencoder": lab.DenseAutoencoder(latent=16) for home in ("digits", "shapes")}
for home in ("digits", "shapes"):
    lab.fit(trained[f"{home} autoencoder"], worlds[home], epochs=16, seed=0)
trained["digits PCA"] = lab.PCA(16).fit(worlds["digits"].train)

lost = pd.DataFrame(
    {name: {w: share_lost(model, world) for w, world in worlds.items()} for name, model in trained.items()}
)
on_faces = lost.loc["faces", "digits autoencoder"]
lab.outcome(
    "00-4-faces",
    "less than half"
    if on_faces < 0.5
    else "between a half and all"
    if on_faces < 1
    else "more than all: worse than the mean face",
)
lost.round(2)

# %%
strangers = torch.cat([world.test.images[:3] for world in worlds.values()])
with torch.inference_mode():
    drawn = {name: model.reconstruct(strangers) for name, model in trained.items()}
lab.plot.image_rows(
    {"original": strangers} | drawn,
    alt="Three images each of digits, digits upside down, shapes, faces and negatives, above what three models make of "
    "them. "
    + " ".join(f"{name}: share lost {', '.join(f'{w} {v:.2f}' for w, v in lost[name].items())}." for name in drawn),
)

# %% tags=["nbval-check-output"]
digits_ae, shapes_ae, digits_pca = (lost[name] for name in trained)
at_home = 2 * digits_ae["digits"] < shapes_ae["digits"] and 2 * shapes_ae["shapes"] < digits_ae["shapes"]
print(f"each network loses less than half as much at home as the other one does there: {bool(at_home)}")
print(
    f"the autoencoder loses more than all of faces and negatives: {bool(digits_ae[['faces', 'negatives']].min() > 1)}"
)
print(f"so does PCA: {bool(digits_pca[['faces', 'negatives']].min() > 1)}")

# %% [markdown]
# **What you should see.** Digits come out as digits. A face comes out as a scrawl made of digit strokes, and nearly
# the same scrawl whoever it was. The cruellest case is the negative: to you it shows the same digit; to the network it
# is further from home than a face.
#
# **So is the slide right?** *Yes*, with two remarks. It comes by degrees: upside-down digits are strokes too, and
# white shapes on black are half understood. And it is no vice of neural networks, for PCA fails on the same strangers.
# Any short code is a bet on what the pictures will be like. The second network is the proof that the shapes
# themselves are not hard: trained on them, it draws them well, and pays with the digits.
#
# **Try it.** With a network connection, add `"clothes": lab.load("fashion-mnist", n=5000)` to the worlds. Does an
# autoencoder of clothes do better on digits than the other way round? Why might it?

# %% [markdown]
# ### Exercise 3 · Design an experiment
#
# Strangers can also come from next door. An autoencoder is trained without a single 0. **How much worse does it draw
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
# the error is. *Hint: `data.train.labels != digit` chooses images: `data.train.images[data.train.labels != digit]`.*


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
# - An error means something beside other errors: the mean image, PCA, a control that differs in one thing.
# - A short code keeps what the loss rewards. For digits that includes most of the class; a faint mark is lost.
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
            "ask": "Why was the mark in the corner lost?",
            "right": (
                "leaving it out hardly changes the loss",
                "A short code has to choose, and the squared error weighs four dim pixels very lightly.",
            ),
            "wrong": {
                "it was too rare": "It was in half of the pictures, more often than any digit.",
                "the network cannot see the corner": "Every pixel is connected to every unit of the first layer.",
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
                "a scrawl made of digit strokes",
                "The decoder can only draw what its training taught it to draw.",
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
# | 001 "Introduction to Autoencoder" | encode, decode, be close to the picture | section 2 | it is |
# | the same | a short code captures all the important characteristics (C01) | section 3 | right under a condition: the loss finds them important |
# | 001 "Choice of loss function" | sum over pixels, mean over pictures | Exercise 1 | used throughout |
# | 004 "Bottleneck" | the narrow layer forces a compressed representation | sections 2, 3 | it does |
# | 004 "Training an Autoencoder" | the targets are the training images | Exercise 2 | it is so |
# | 004 "Autoencoder Limitations" | lossy | section 3 | right at every size tried |
# | the same | data-specific (C36) | section 2 (*Draw*), section 4, Exercise 3 | right under a condition: by degrees, and so is PCA |

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
# ## Deeper · Does a longer code help with strangers?
#
# If a code of 16 numbers is a bet, a code of several hundred hardly is: there is room for almost anything. PCA makes
# this quick to try, since its error can only fall as the code grows. Same digits to learn from, same strangers.

# %%
shapes_masks = lab.load("shapes", n=5000).test.masks
strange = {
    "digits": data.test.images,
    "shapes": F.interpolate(shapes_masks, size=(28, 28), mode="bilinear", antialias=True).clamp(0, 1),
    "faces": lab.load("faces").test.images,
    "negatives": 1 - data.test.images,
}
code_sizes = [16, 64, 256, 512]
by_size = {name: [] for name in strange}
for k in code_sizes:
    model = lab.PCA(k).fit(data.train)
    for name, images in strange.items():
        remaining = (lab.metrics.in_batches(model.reconstruct, images) - images).square().mean()
        by_size[name].append(float(remaining / (images - images.mean(dim=0)).square().mean()))
lab.plot.curves(
    code_sizes, by_size, "numbers in the code", "share lost", baselines={"their own mean image": 1.0}, log="x"
)

# %% tags=["nbval-check-output"]
print(f"512 numbers: less than a tenth of the shapes is lost: {by_size['shapes'][-1] < 0.1}")
print(f"512 numbers: negatives still lose more than all: {by_size['negatives'][-1] > 1}")

# %% [markdown]
# **What you should see.** The shapes become perfectly drawable: with many patterns to combine, white on black is
# white on black. Negatives and faces do not. No training digit ever lit a pixel at the border, so no pattern reaches
# there, however many one takes: a code can be nearly as large as the picture and still be bound to its data.
