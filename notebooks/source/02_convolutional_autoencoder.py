# %% [markdown]
# # 02 · The convolutional autoencoder
#
# *Convolution, pooling and the ways back; checkerboards; what a small code loses; searching by code*
#
# A dense autoencoder treats an image as a list of numbers: shuffle the pixels and it would not notice. A convolutional
# one knows that neighbours belong together. In this notebook you build one from its parts, race it fairly against a
# dense one, and then ask an uncomfortable question of every design: **does the picture still pass through the code?**
#
# **You will be able to**
#
# - work out by hand what convolution, pooling, transposed convolution and unpooling do to a feature map, and why some
#   decoders draw checkerboards (sections 1 to 3, Exercise 1);
# - set up a fair race between two architectures: equal parameters, equal time, the same augmentation (section 4,
#   Exercise 2);
# - find out by experiment whether a decoder uses the code or a way round it (sections 3 and 5, quiz);
# - measure what an autoencoder loses, frequency by frequency, instead of calling it "a bit blurry" (section 6,
#   Exercise 3).
#
# **Before you start** Notebook 01: code size, PCA, reading a loss curve with its baselines.
#
# **Time** {{minutes}} minutes with the exercises; the computer itself needs about {{seconds}} s of them.
#
# **Slides covered** 001 *Convolution AutoEncoder*; 002 *Convolutional Autoencoders* and *… Using Residual Networks*;
# 003 *Transposed convolution* and *Unpooling*; 004 *CNN Autoencoder*, *Information Retrieval* and *Autoencoders
# Architecture* (correlated features).

# %% tags=["setup"]
import torch
import torch.nn.functional as F
from torch import nn

import autoencoder_lab as lab

lab.setup(seed=0)
data = lab.load("mnist-5k")  # 3,500 digits to train on
small = lab.load("mnist-5k", n=1500)  # fewer of them, for short experiments; validation and test images are the same


def with_changed_code(model, entrance, images, change):
    """Reconstruct `images`, but change the codes just before the layer `entrance` of the decoder reads them.

    Everything else that travels from encoder to decoder stays as it was. change: (B, d) -> (B, d).
    """
    hook = entrance.register_forward_pre_hook(lambda layer, inputs: (change(inputs[0]), *inputs[1:]))
    try:
        return lab.metrics.in_batches(model.reconstruct, images)
    finally:
        hook.remove()


def three_ways(channels_in, channels_out):
    """Three layers that double the height and width of a feature map."""
    return {
        "transposed, kernel 3": nn.ConvTranspose2d(channels_in, channels_out, 3, stride=2, padding=1, output_padding=1),
        "transposed, kernel 4": nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1),
        "resize + convolution": nn.Sequential(
            nn.Upsample(scale_factor=2), nn.Conv2d(channels_in, channels_out, 3, padding=1)
        ),
    }


def middle(images):
    """Leave out the border, where every method runs out of neighbours; (…, H, W) -> (…, H−8, W−8)."""
    return images[..., 4:-4, 4:-4]


# %% [markdown]
# ## 1 · A small window that slides
#
# A dense layer joins every pixel to every hidden unit. A [convolution]({{glossary}}#convolution) looks through a small
# window, the *kernel* $k$, and uses the same numbers at every place:
#
# $$y_{i,j} = \sum_{u,v} k_{u,v}\; x_{s\,i+u-p,\; s\,j+v-p}$$
#
# with [stride]({{glossary}}#stride) $s$ (how far the window moves) and padding $p$ (zeros round the border). An input
# of $n$ pixels a side gives $\lfloor (n + 2p - k)/s \rfloor + 1$ outputs a side. Here are three kernels that nobody
# had to learn, on one digit.

# %%
sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])  # left edge dark, right edge bright
edges = torch.stack([sobel, sobel.T, torch.ones(3, 3)])[:, None]  # the same from top to bottom, a blur; (3, 1, 3, 3)
digit = data.train.images[2:3]
maps = F.conv2d(digit, edges, padding=1)[0]  # (3, 28, 28)
pictures = torch.cat([digit[0], maps / maps.abs().amax(dim=(1, 2), keepdim=True) / 2 + 0.5])[:, None]
lab.plot.images(
    pictures,
    ["input", "vertical edges", "horizontal edges", "blur"],
    scale=1.6,
    alt="A digit and its three feature maps: one bright and dark along vertical strokes, one along horizontal strokes, "
    "one a blurred copy. Mid-grey is zero.",
)

# %%
lab.diagram.sliding_window(digit[0, :, 8:15, 12:19], sobel, at=(1, 1))

# %% [markdown]
# A convolution *is* a linear layer, only a very restricted one: most of its matrix is zero, and the rest repeats. We
# can have PyTorch write the matrix out and count.

# %%
conv = nn.Conv2d(1, 1, kernel_size=4, stride=2, padding=1, bias=False)
unit_images = torch.eye(28 * 28).view(-1, 1, 28, 28)  # one pixel on in each
with torch.inference_mode():
    matrix = conv(unit_images).flatten(1).T  # column j: what pixel j does to the outputs
print(f"matrix of this convolution: {matrix.shape[0]} × {matrix.shape[1]}")
print(f"entries that are not zero:  {(matrix != 0).float().mean():.1%}")
print(f"different values among them: {len(matrix[matrix != 0].unique())}")

# %% [markdown]
# **What you should see.** A dense layer of this size would learn 153,664 numbers. The convolution learns the 16 of
# its kernel. What it buys with this poverty is a promise: *what is learnt at one place holds at all places.* Shift
# the input and the feature map shifts along (it is [equivariant]({{glossary}}#equivariance)). But how exact is that
# promise once the stride is 2?

# %%
lab.predict(
    "A digit moves one pixel to the right. What happens to the feature map of a convolution with stride 2?",
    options=["it moves along, by half a place", "it stays as it was", "it changes into another map"],
    key="02-1-stride-and-shift",
)


# %%
def broken_promise(layer, stride, shift):
    """How far layer(shifted image) is from shifted layer(image), relative; 0 means the map just moves along."""
    with torch.inference_mode():
        images = F.pad(data.test.images[:100], (8, 8, 8, 8))  # room to move, so that nothing falls off the edge
        before, after = layer(images), layer(images.roll(shift, dims=3))
        # half a place cannot be shown: a shift that the stride does not divide is compared with the unmoved map
        expected = before.roll(shift // stride, dims=3)
        return float((after - expected).norm() / before.norm())


layers = {
    "convolution, stride 1": (nn.Conv2d(1, 8, 5, padding=2, bias=False), 1),
    "convolution, stride 2": (nn.Conv2d(1, 8, 4, stride=2, padding=1, bias=False), 2),
    "max-pooling 2×2": (nn.MaxPool2d(2), 2),
}
for name, (layer, stride) in layers.items():
    by_one, by_two = (broken_promise(layer, stride, shift) for shift in (1, 2))
    print(f"{name:22} shift 1: {by_one:.3f}   shift 2: {by_two:.3f}")

# %% tags=["nbval-check-output"]
for name, (layer, stride) in layers.items():
    kept = [broken_promise(layer, stride, shift) < 0.05 for shift in (1, 2)]
    print(f"{name:22} moves along with one pixel: {kept[0]}, with two: {kept[1]}")


# %%
layer, _ = layers["convolution, stride 2"]
with torch.inference_mode():
    images = F.pad(data.test.images[:100], (8, 8, 8, 8))
    before, after = layer(images), layer(images.roll(1, dims=3))
    half_a_place = (before + before.roll(1, dims=3)) / 2  # midway between unmoved and moved by one place
    foreseen = {"it stays as it was": before, "it moves along, by half a place": half_a_place}
    distance = {name: float((after - expected).norm() / before.norm()) for name, expected in foreseen.items()}
nearest = min(distance, key=distance.get)
lab.outcome("02-1-stride-and-shift", nearest if distance[nearest] < 0.05 else "it changes into another map")

# %% [markdown]
# **What you should see.** With stride 1 the promise is kept to rounding. With stride 2, or after
# [pooling]({{glossary}}#pooling) (the largest value of each 2×2 block), an even shift still moves the map, but an odd
# one gives another map: the window now lands *between* the places it used before. Pooling does not make a network
# "shift-invariant", as one often reads. Keep this in mind for the whole notebook: **a stride of 2 tells even pixels
# from odd ones**, on the way in and, as we are about to see, on the way out.
#
# **Try it.** Which shifts would three layers of stride 2, one after the other, treat alike?

# %% [markdown]
# ## 2 · Growing again: transposed convolution and its checkerboards
#
# The decoder has to go from 7×7 back to 28×28. Slide 003 says of the [transposed
# convolution]({{glossary}}#transposed-convolution) only that it *increases the size of a feature map*. Here is how.
# Each input value **stamps** a copy of the kernel, multiplied by itself, into the output; the stamps stand $s$ pixels
# apart, and **where they overlap they add up**:
#
# $$y_{s\,i+u} \mathrel{+}= x_i\, k_u \qquad\text{which is}\qquad y = C^\top x$$
#
# where $C$ is the matrix of the strided convolution with the same kernel: hence the name. It is *not* the inverse
# ("deconvolution"): it undoes the sizes, not the values.

# %% tags=["nbval-check-output"]
down = nn.Conv2d(1, 1, 4, stride=2, padding=1, bias=False)
up = nn.ConvTranspose2d(1, 1, 4, stride=2, padding=1, bias=False)
up.weight = down.weight  # one kernel, shared
with torch.inference_mode():
    x, y = torch.randn(1, 1, 28, 28), torch.randn(1, 1, 14, 14)
    # ⟨C x, y⟩ = ⟨x, Cᵀ y⟩ for all x and y: the definition of a transpose
    gap = float((down(x) * y).sum() - (x * up(y)).sum())
    print("it is the transpose:", abs(gap) < 1e-2)
    print("it is the inverse:  ", bool((up(down(x)) - x).abs().max() < 0.1))

# %%
lab.diagram.stamp([2, 1, -1], [1, 2, 1, 0.5], stride=2)

# %% [markdown]
# ### Exercise 1 · Stamp it yourself
#
# Complete the transposed convolution of a row of numbers, without padding. With an input of $n$ values, a kernel of $k$
# and stride $s$ the output has $(n-1)\,s + k$ values. *Hint: one loop over the inputs is enough.*


# %% tags=["exercise"]
def stamp(x, kernel, stride):
    """x: (n,); kernel: (k,); stride: a whole number ≥ 1. Return ((n − 1)·stride + k,): the transposed convolution."""
    # solution-begin
    out = torch.zeros((len(x) - 1) * stride + len(kernel))
    for i, value in enumerate(x):
        out[i * stride : i * stride + len(kernel)] += value * kernel
    return out
    # solution-end


# %% tags=["check"]
lab.checks.stamp(stamp)

# %% [markdown] tags=["help"]
# 1. Begin with zeros, as many as the output has values. Each input value then adds one copy of the kernel, multiplied
#    by that value. Where copies overlap, they add up.
# 2. The copy of input number `i` begins at place `i * stride` and is as long as the kernel. Write it with a slice of
#    the output, and with `+=` rather than `=`.
#
# **Why.** A transposed convolution is a stamp: every input value prints the kernel, scaled by that value, and
# overlapping prints add up.

# %% [markdown]
# ### Where the checkerboard comes from
#
# Stamps add up where they overlap. If the kernel is not a multiple of the stride, some pixels receive more stamps than
# their neighbours (Odena, Dumoulin and Olah, 2016). The plainest test there is: a **constant** feature map and a
# **constant** kernel. A good enlargement returns a constant picture. Three candidates, all doubling the size:
#
# - transposed convolution, kernel 3, stride 2;
# - transposed convolution, kernel 4, stride 2, which is what `ConvAutoencoder` uses;
# - *resize*: repeat every pixel 2×2, then an ordinary 3×3 convolution.

# %%
lab.predict(
    "Constant input, constant kernel. Which of the three draw a pattern?",
    options=["all three", "only kernel 3", "kernel 3 and kernel 4", "none: constant in, constant out"],
    key="02-2-checkerboard",
)

# %%
constant = torch.ones(1, 1, 12, 12)
patterns, energies = {}, {}
with torch.inference_mode():
    for name, layer in three_ways(1, 1).items():
        for parameter in layer.parameters():
            parameter.fill_(1.0 if parameter.ndim == 4 else 0.0)
        picture = layer(constant)
        patterns[name] = 0.7 * middle(picture) / middle(picture).max()
        energies[name] = float(patterns[name].std())
lab.plot.images(
    torch.cat(list(patterns.values())),
    [f"{name}\nspread {energies[name]:.2f}" for name in patterns],
    scale=1.9,
    alt="A constant feature map enlarged with a constant kernel: kernel 3 draws a checkerboard, kernel 4 and "
    "resize + convolution give an even grey.",
)

# %% tags=["nbval-check-output"]
for name, energy in energies.items():
    print(f"{name}: {'a pattern' if energy > 0.01 else 'even'}")

# %%
kernel_3, kernel_4, resize = (energy > 0.01 for energy in energies.values())
some = "kernel 3 and kernel 4" if kernel_4 else "only kernel 3" if kernel_3 else "none: constant in, constant out"
lab.outcome("02-2-checkerboard", "all three" if resize else some)

# %%
lab.diagram.stamp(torch.ones(3, 3), torch.ones(3, 3), stride=2, at=(1, 1))

# %% [markdown]
# **What you should see.** With kernel 3 the pixels receive 1, 2 or 4 stamps in turn; with kernel 4 every pixel
# receives 4.
#
# So kernel 4 is safe? Not quite: every pixel receives the same *number* of stamps, but even and odd pixels read
# *different entries* of the kernel. How much of a checkerboard that leaves, before training and after, is measured in
# *Deeper · What training does to the checkerboard*. Slide 003 is **right**: a transposed convolution does enlarge. What
# it leaves out is that kernel and stride have to go together.
#
# **Try it.** Give `three_ways` a kernel 6 in place of kernel 4 (`padding=2` keeps the size). How many stamps does each
# pixel receive?

# %% [markdown]
# ## 3 · Unpooling, and what the indices carry
#
# Slide 003's other way to grow is [unpooling]({{glossary}}#unpooling). Max-pooling keeps the largest value of each
# 2×2 block and *remembers where it stood*; max-unpooling puts a value back at that place and fills the rest with
# zeros. It is elegant, and it comes with a catch: the places travel from encoder to decoder **beside** the code.

# %%
lab.diagram.pooling(data.train.images[2, :, 8:14, 12:18])

# %%
lab.show_source(lab.layers.UnpoolingDecoder.forward)

# %% [markdown]
# How much is that? Two poolings of 8 and 16 maps, 14×14 and 7×7 blocks, each with four possible places, 2 bits:
# $2\,(8 \cdot 14^2 + 16 \cdot 7^2) = 4704$ bits next to a code of 16 numbers. So here is the question of this
# notebook: *does the picture come from the code?* We can ask the network itself. Train it, then give every image
# **the code of another image**, but leave the indices alone.

# %%
lab.predict(
    "An unpooling autoencoder gets a 7's indices and a 2's code. What does it draw?",
    options=["the 2 of the code", "the 7 of the indices", "noise"],
    key="02-3-code-or-indices",
)

# %%
unpool = lab.ConvAutoencoder(latent=16, decoder="unpool", width=8, hidden=128)
transposed = lab.ConvAutoencoder(latent=16, decoder="transposed", width=8, hidden=128)
for model in (unpool, transposed):
    lab.fit(model, small, steps=150, batch_size=64, progress=False)

x = data.test.images
other, mean = lambda z: z.roll(1, dims=0), lambda z: z.mean(dim=0).expand_as(z)
drawn = {
    "original": x,
    "unpool, own code": lab.metrics.in_batches(unpool.reconstruct, x),
    "unpool, another's code": with_changed_code(unpool, unpool.decoder, x, other),
    "unpool, one code for all": with_changed_code(unpool, unpool.decoder, x, mean),
    "transposed, own code": lab.metrics.in_batches(transposed.reconstruct, x),
    "transposed, another's code": with_changed_code(transposed, transposed.decoder, x, other),
}
lab.plot.image_rows(
    {name: pictures[1:11] for name, pictures in drawn.items()},
    alt="Ten digits; the unpooling autoencoder redraws each of them even when it is given the code of another image or "
    "one and the same code for all; the transposed one draws the other image's digit.",
    scale=0.5,
)

# %%
error = {name: float((pictures - x).square().mean()) for name, pictures in drawn.items() if name != "original"}
mean_image = float((x - small.train.images.mean(dim=0)).square().mean())
rounded = {name: round(value, 4) for name, value in error.items()}
lab.plot.bars(rounded, "squared error per pixel", baselines={"mean image": mean_image})

# %% tags=["nbval-check-output"]
one_for_all = error["unpool, one code for all"]
print("unpool with one code for all images still beats the mean image:", one_for_all < 0.7 * mean_image)
print("a wrong code ruins the transposed decoder:", error["transposed, another's code"] > mean_image)
print("a wrong code hurts unpooling less:", error["unpool, another's code"] < 0.7 * error["transposed, another's code"])

# %%
# each drawing is compared with the image its indices came from, and with the image its code came from
mixed = drawn["unpool, another's code"]
to_indices, to_code = (float((mixed - images).square().mean()) for images in (x, x.roll(1, dims=0)))
nearer = "the 7 of the indices" if to_indices < to_code else "the 2 of the code"
lab.outcome("02-3-code-or-indices", "noise" if min(to_indices, to_code) > mean_image else nearer)

# %% [markdown]
# **What you should see.** With a *constant* code, which holds no information at all, the unpooling network still
# redraws each digit, only a little rougher. Its low error is not a good compression, it is a leak. The
# transposed decoder has nothing but the code, and draws the other image's digit. (Do you see the fine grid in the
# unpooled pictures? Unpooling fills one place in four, and so short a training has not yet learnt to paint over the
# rest.)
#
# **The slide presents the two as alternatives for the same job. They are not:** an unpooling decoder needs the
# input's indices, so it can neither decode a stored code nor generate. For segmentation, where the input is at hand
# anyway, that is no defect but the whole point. The library refuses what cannot work and says why:

# %% tags=["nbval-check-output"]
print("the code alone is enough:", {"transposed": transposed.decodes, "unpool": unpool.decodes})
try:
    unpool.decode(torch.zeros(1, 16))
except TypeError as refusal:
    print(refusal)

# %% [markdown]
# **Try it.** Train with `latent=1` in place of 16. By how much does each of the two errors rise? What does that say?

# %% [markdown]
# ## 4 · A fair race: convolutional against dense
#
# Slide 001: a convolutional autoencoder *generates a compact representation*. Slide 004: *using conv layers provides
# much better performance*. Better than what, at which price? A race is fair only if the runners differ in one thing.
# Ours have the same code size (32), **the same number of parameters** (within 5 %), the same images and batches, and
# **about the same time**: on two cores a dense step costs about a quarter, so the dense model gets 1,300 steps
# for 300 (the column `seconds` tells how near that comes on your machine). And since
# augmentation may help one of them more than the other, we run the race twice, with and without small random
# rotations, shifts and stretches.

# %%
lab.show_source(lab.ConvAutoencoder.__init__, lab.layers.halve, lab.layers.enlarge)

# %%
lab.predict(
    "Equal parameters, equal time, a few seconds each. Where does the convolutional one have the lower test error?",
    options=["in both races", "only without augmentation", "only with augmentation", "in neither"],
    key="02-4-conv-against-dense",
)

# %%
race, histories = {}, {}
for augment in (None, lab.augment.affine()):
    for kind, steps in (("conv", 300), ("dense", 1300)):
        model = lab.ConvAutoencoder(32, hidden=128) if kind == "conv" else lab.DenseAutoencoder(32, hidden=(256,))
        name = f"{kind}, {'augmented' if augment else 'as they are'}"
        histories[name] = lab.fit(model, data, steps=steps, batch_size=64, augment=augment, progress=False)
        race[name] = model
pca = lab.PCA(32).fit(data.train)
table = lab.compare(race | {"PCA(32)": pca}, data, columns=["mse", "psnr"])
table["train mse"] = {
    name: lab.metrics.mse(model, data.train).value for name, model in (race | {"PCA(32)": pca}).items()
}
table[["mse", "mse_se", "train mse", "psnr", "parameters", "seconds"]].round(5)

# %%
lab.plot.history(histories, baselines=[pca], data=data)

# %% tags=["nbval-check-output"]
mse = table["mse"]
plain, augmented = (mse[f"conv, {how}"] < mse[f"dense, {how}"] for how in ("as they are", "augmented"))
parameters = table["parameters"]
print("parameters equal within 5 %:", abs(parameters["conv, augmented"] / parameters["dense, augmented"] - 1) < 0.05)
print("conv ahead without augmentation:", plain)
print("conv ahead with augmentation:   ", augmented)
widest = (table["mse"] - table["train mse"]).drop("PCA(32)").idxmax()
print("the gap from training to test is widest for dense, without augmentation:", widest == "dense, as they are")

# %%
one = "only without augmentation" if plain else "only with augmentation" if augmented else "in neither"
lab.outcome("02-4-conv-against-dense", "in both races" if plain and augmented else one)

# %% [markdown]
# **What you should see.** Both pass PCA's line, and the convolutional one is ahead in both races. **On images the
# slides are right under a condition**, and the condition is the clock. At equal *steps* convolution wins by far. At
# equal *time* its lead shrinks, most of all with augmentation, and it hangs on what a convolution costs: on one
# processor thread it is dearer, the dense model then gets more steps, and in the stored runs over five seeds (C13 in
# `docs/claims.md`) it comes out ahead with augmentation. "Much better" needs a price tag.

# %% [markdown]
# ### Augmentation, and a long run
#
# Now compare the columns of training and test error. Without augmentation the models do better on the images they
# know: they begin to learn them by heart, the dense one most. With augmentation the two errors are nearly equal, yet
# in such a short run the test error is hardly lower, or even higher: who never sees the same image twice learns more
# slowly at first. Augmentation is an investment, and investments need time. Here is a longer run, of 1,200
# steps. (`lab.ConvAutoencoder(32)` as it is, four times as wide inside, suggests 4,300 steps itself, which `fit` takes
# if `steps` is left out. It comes out better still.)

# %%
conv = lab.ConvAutoencoder(latent=32, hidden=128)
history = lab.fit(conv, data, steps=1200, augment=lab.augment.affine(), seed=0)
lab.plot.history(history, baselines=[pca], data=data)

# %%
lab.plot.reconstructions([pca, conv], data.test)

# %% tags=["nbval-check-output"]
full = lab.metrics.mse(conv, data.test).value
print("the long run beats all four short ones:", full < min(mse.drop("PCA(32)")))
print("its error is less than half of PCA's at the same code size:", full < 0.5 * mse["PCA(32)"])

# %% [markdown]
# **What you should see.** Thirty-two numbers for 784 pixels, and it takes a second look to find the differences. (This
# last run has no control: it is longer *and* augmented. Which of the two did it? Run it without `augment`.)

# %% [markdown]
# ### Inside the bottleneck
#
# What do the 32 numbers mean? Walk among them.

# %%
lab.explore(conv, data)

# %% [markdown]
# **Try it.**
# - **Sliders**: move one direction at a time, within its typical range. Which digit stands at either end? Then choose
#   another digit (N takes the next) and move the same direction. Does it do the same?
# - **Map**: tick *Pictures on the map*. What lies in the hatched parts, where no code is?
# - **Morph** ([interpolation]({{glossary}}#interpolation)): images 0 to 9 show the digits 0 to 9. Go from 4 to 9, then
#   from 0 to 1. Where is it no digit?
#
# **What you should see.** A direction leads from one digit to another, and what it changes depends on where you start;
# with PCA it would add the same picture everywhere. In the hatched parts the decoder goes on drawing, in firm strokes,
# and much of it nobody ever wrote: nothing warns you. From 4 to 9 the open top closes evenly. But between a ring and a
# bar there is no digit: nothing much happens at first, then the 0 falls apart within two or three steps. A straight
# line through the [latent space]({{glossary}}#latent-space) leads through whatever lies there.

# %% [markdown]
# ### Exercise 2 · Is it really the neighbourhood?
#
# The race was won by "convolution". *Why?* The story goes: because neighbouring pixels belong together. A good
# experiment could prove that story wrong. Here is one: **put the pixels of all images in one and the same new random
# order.** A dense layer cannot tell (its weights are just sorted differently). To a convolution the neighbours are
# strangers now.
#
# Write `experiment` so that it returns the test errors of four runs, then say in `hurt` which kind of model suffers.
# Think about: one order for all images and splits; the same code size and seed everywhere; for each kind the same
# budget on both data sets; the right images to score on. `data.map(function)` gives the data with `function(images)`
# in place of the images.


# %% tags=["exercise"]
def experiment(data, fit=lab.fit, score=lab.metrics.mse):
    """Return {"conv": …, "conv, shuffled": …, "dense": …, "dense, shuffled": …}, test errors as floats.

    Train with `fit(model, data, steps=…)`, measure with `score(model, split).value`.
    """
    # solution-begin
    order = torch.randperm(28 * 28, generator=torch.Generator().manual_seed(0))
    shuffled = data.map(lambda images: images.flatten(1)[:, order].view_as(images))
    errors = {}
    for kind, steps in (("conv", 250), ("dense", 750)):
        for ending, images in (("", data), (", shuffled", shuffled)):
            model = lab.ConvAutoencoder(32, hidden=128) if kind == "conv" else lab.DenseAutoencoder(32)
            fit(model, images, steps=steps, batch_size=64, seed=0)
            errors[kind + ending] = score(model, images.test).value
    return errors
    # solution-end


def hurt(errors):
    """errors: such a dictionary. Return "conv", "dense", "both" or "neither": whose error rises by more than 20 %?"""
    # solution-begin
    risen = [kind for kind in ("conv", "dense") if errors[f"{kind}, shuffled"] > 1.2 * errors[kind]]
    return {0: "neither", 1: risen[0] if risen else "", 2: "both"}[len(risen)]
    # solution-end


# %% tags=["check"]
lab.checks.shuffled_pixels(experiment, hurt)

# %% [markdown] tags=["help"]
# 1. Draw one order of the 784 places before any training, and use it for every image of every split. Then ask what
#    else could differ between the four runs, and keep it equal: code size, seed, number of steps, the images you
#    score on.
# 2. `torch.randperm(28 * 28)` is an order. Inside `data.map`, make each image one row with `flatten(1)`, take its
#    columns in this order, and restore the shape with `view_as`. In `hurt`, compare each shuffled error with 1.2
#    times the plain one.
#
# **Why.** One order for all images takes away the neighbourhood and nothing else. A dense layer can make up for it by
# sorting its weights; a convolution cannot.

# %% [markdown]
# Once the check is content, run `errors = experiment(data)` and `hurt(errors)` in a cell of your own (half a minute),
# and write down one sentence: what does the result say about slide 004's *"makes total sense"*?

# %% [markdown]
# ## 5 · Skip connections: inside, or round the code?
#
# Slide 002: residual networks *channel a layer's output farther down the network*, they *reintroduce low-level
# features*, and outputs are *sharper than those of the plain convolutional autoencoder*. Two quite different things
# go by this name:
#
# | | `skips="inside"` | `skips="around"` |
# |---|---|---|
# | what | $x + F(x)$ within encoder and decoder | encoder maps handed to the decoder stage of their size |
# | from | [residual block]({{glossary}}#residual-block), He et al. 2016 | U-Net, Ronneberger et al. 2015 |
# | aim | gradients reach deep layers | detail reaches the output |
# | everything passes the code | yes | **no** |
#
# Slide 002's words, *as the image grows back into the original size*, describe the second kind.

# %%
lab.show_source(lab.layers.ResidualBlock, lab.ResidualAutoencoder.logits)

# %%
lab.predict(
    "Same code size and steps. Whose reconstructions are clearly sharper than the plain ones, by more than 15 %?",
    options=["inside and around", "only around", "only inside", "neither"],
    key="02-5-sharper-with-skips",
)

# %%
three = {
    "plain": lab.ConvAutoencoder(latent=16, hidden=128),
    "skips inside": lab.ResidualAutoencoder(latent=16, skips="inside"),
    "skips around": lab.ResidualAutoencoder(latent=16, skips="around"),
}
for model in three.values():
    # one learning rate and one number of steps for all three
    lab.fit(model, small, steps=150, batch_size=64, learning_rate=3e-3, progress=False)
table = lab.compare(three, data, columns=["mse", "psnr"])
rebuilt = {name: lab.metrics.in_batches(model.reconstruct, data.test.images) for name, model in three.items()}
original = lab.metrics.sharpness(data.test.images).value
table["sharpness"] = {name: lab.metrics.sharpness(pictures).value / original for name, pictures in rebuilt.items()}
table[["mse", "mse_se", "sharpness", "parameters", "seconds"]].round(4)  # sharpness: 1 is as sharp as the originals

# %%
lab.plot.reconstructions(three, data.test, count=8)

# %% tags=["nbval-check-output"]
sharp = table["sharpness"]
print("skips around the code, sharper than plain:", sharp["skips around"] > 1.15 * sharp["plain"])
print(
    "skips around have less than half the error of either other:",
    table["mse"]["skips around"] < 0.5 * table["mse"].drop("skips around").min(),
)

# %%
inside, around = (sharp[f"skips {where}"] > 1.15 * sharp["plain"] for where in ("inside", "around"))
one = "only around" if around else "only inside" if inside else "neither"
lab.outcome("02-5-sharper-with-skips", "inside and around" if inside and around else one)

# %% [markdown]
# A triumph for skips around the code, it seems. Now let us ask as in section 3: give each image the code of
# another one.

# %% tags=["nbval-check-output"]
x = data.test.images
entrances = {"plain": three["plain"].decoder} | {
    name: three[name].from_code for name in ("skips inside", "skips around")
}
swapped = {
    name: with_changed_code(model, entrances[name], x, lambda z: z.roll(1, dims=0)) for name, model in three.items()
}
off = {name: float((pictures - x).square().mean()) for name, pictures in swapped.items()}
print("with the wrong code, plain and inside draw another digit:", min(off["plain"], off["skips inside"]) > 0.06)
print("with the wrong code, around draws the original:          ", off["skips around"] < 0.03)

# %%
lab.diagram.skips(data.test.images[0], {name: three[name] for name in ("skips inside", "skips around")})

# %% [markdown]
# And now you may give them what you like.

# %%
lab.explore({"plain": three["plain"], "skips around": three["skips around"]}, data)

# %% [markdown]
# **Try it.** In **Draw**, give them a digit, a house, a smiley, your initials. Then choose a *Damage*, first Gaussian
# noise, then a hole. And why does only one of the two have a map?
#
# **What you should see.** The plain one bends whatever you draw towards digits, and wipes the noise off a digit. The
# U-Net kind gives back a smiley, though it was trained on none, and much of the damage with it: 16 numbers cannot do
# that. It copies the picture through the skip, at 14×14 with many channels, far more numbers than the image has
# pixels, and hardly looks at its code. So a place in its latent space stands for no picture. Ask it for a
# representation, for compression or for new images and there is nothing in the code to use. The slide is **right under
# a condition**: skips around the code do make reconstructions sharper, but what is being reconstructed is not what the
# code remembers. Skips inside keep the bottleneck honest; they ease the training of *deep* networks, and ours is not
# deep, so look at the table before you pay their price in time.
#
# **Try it.** Change `latent=16` to `latent=1` for all three. Which error hardly moves?

# %% [markdown]
# ## 6 · What is lost
#
# Slide 002: *since data must be lost through compression, low-level information is discarded and the output is
# blurrier than the original.* "Blurry" can be measured. A picture is a sum of waves; the Fourier transform tells how
# much power each [spatial frequency]({{glossary}}#spatial-frequency) holds. Slow waves are the large shapes, fast
# ones are edges and texture. We compare reconstructions with originals, frequency by frequency, for three code sizes.
# PCA stands beside them: it needs no training, so nobody can say that it merely wants more time.

# %%
lab.show_source(lab.metrics.power_spectrum, lab.metrics.sharpness)

# %%
lab.predict(
    "Which waves does an autoencoder with a code of only 2 numbers lose?",
    options=["fast ones more than slow ones", "slow ones more than fast ones", "all alike"],
    key="02-6-which-waves",
)

# %%
sizes = [2, 8, 32]
originals = data.test.images
kept, sharp = {}, {"conv": [], "PCA": []}
for d in sizes:
    conv = lab.ConvAutoencoder(latent=d, width=8, hidden=128)
    lab.fit(conv, data, steps=300, batch_size=64, progress=False)
    for name, model in (("conv", conv), ("PCA", lab.PCA(d).fit(data.train))):
        rebuilt = lab.metrics.in_batches(model.reconstruct, originals)
        kept[name, d] = lab.metrics.power_spectrum(rebuilt) / lab.metrics.power_spectrum(originals)
        sharp[name].append(lab.metrics.sharpness(rebuilt))
shares = {f"code size {d}": kept["conv", d][1:].tolist() for d in sizes}
lab.plot.curves(range(1, 15), shares, "waves per image", "share of the power kept", baselines={"the original": 1.0})

# %%
original = lab.metrics.sharpness(originals).value
lab.plot.curves(sizes, sharp, "code size", "sharpness", log="x", baselines={"the original": original})

# %% tags=["nbval-check-output"]
slow, fast = slice(1, 4), slice(8, 15)
lost = all(kept["conv", d][fast].mean() < kept["conv", d][slow].mean() for d in sizes)
print("fast waves lose more than slow ones at every size:", lost)
print("less sharp than the originals at every size:", all(s.value < original for s in sharp["conv"]))
more = bool(kept["conv", 32][fast].mean() > kept["conv", 2][fast].mean())
print("a larger code keeps more of the fast waves, 2 against 32:", more)

# %%
kept_fast, kept_slow = float(kept["conv", 2][fast].mean()), float(kept["conv", 2][slow].mean())
which = "fast ones more than slow ones" if kept_fast < kept_slow else "slow ones more than fast ones"
lab.outcome("02-6-which-waves", "all alike" if abs(kept_fast - kept_slow) < 0.05 else which)

# %% [markdown]
# **What you should see.** Slow waves survive best, fast ones are cut down to a fraction, and the smaller the code the
# earlier it begins. **The slide is right**, and we can say why. Where an edge lies to the pixel is not in the
# code; squared error then asks for the *average* over all places where it might lie:
#
# $$\arg\min_{\hat x}\ \mathbb E\,\lVert x - \hat x\rVert^2 \;=\; \mathbb E[x \mid h]$$
#
# and an average of shifted edges is a soft edge. Blur is therefore not a fault of the network: it is the best answer
# to the question that the loss asks. Two corrections to the slide, though: not *low-level information* in general is
# discarded but what costs few squared errors; and part of the blur in a short run is simply unfinished training.
#
# **Try it.** Train the code of 32 for 1,500 steps. How much of the blur was impatience?

# %% [markdown]
# ### Exercise 3 · Find the bug
#
# A colleague wants one number for blur: the share of a set's power in waves faster than `cutoff`, the constant part
# left out. Their function says that a thousand real digits have hardly any fast waves, while a single one of them has
# plenty. That cannot be.


# %%
def waves_per_image(images):
    """(H, W): the frequency that each place of an image's Fourier transform stands for. This part is right."""
    row, column = (torch.fft.fftfreq(size) * size for size in images.shape[2:])
    return (row[:, None].square() + column[None, :].square()).sqrt()


def fast_share_of_a_colleague(images, cutoff):
    power = torch.fft.fft2(images.mean(dim=0)).abs().square().sum(dim=0)
    frequency = waves_per_image(images)
    return power[frequency > cutoff].sum() / power[frequency > 0].sum()


print(f"real digits: {fast_share_of_a_colleague(data.test.images, cutoff=6):.3f}")
print(f"one single digit: {fast_share_of_a_colleague(data.test.images[:1], cutoff=6):.3f}")

# %% [markdown]
# Where do the fast waves of a thousand digits go? Write it rightly.


# %% tags=["exercise"]
def fast_share(images, cutoff):
    """images: (N, C, H, W). Return a number in [0, 1]: the power above `cutoff` waves per image, of all power but the
    constant part (frequency 0), summed over all images and channels."""
    # solution-begin
    of_all = torch.fft.fft2(images).abs().square().sum(dim=(0, 1))  # first the power of each image, then the sum
    waves = waves_per_image(images)
    return of_all[waves > cutoff].sum() / of_all[waves > 0].sum()
    # solution-end


# %% tags=["check"]
lab.checks.fast_share(fast_share)

# %% [markdown] tags=["help"]
# 1. What does the colleague's function do first: average the images, or take the power? Think of two images with the
#    same wave, once upside down.
# 2. The power must be taken of every image before anything is added up. `torch.fft.fft2(images)` transforms all of
#    them at once; the sum over images and channels, `dim=(0, 1)`, comes after the squares.
#
# **Why.** The power of an average is not the average of the powers. In the mean image the fast waves cancel, because
# they go up in one digit where they go down in another.

# %% [markdown]
# ## Take-aways
#
# - A convolution is a dense layer with nearly all weights zero and the rest shared. On images that is not a loss
#   but knowledge: with equal parameters and a few seconds it beats a dense autoencoder; by how much hangs on the clock.
# - A stride of 2 treats even and odd pixels differently. Going in, that breaks equivariance for odd shifts; going out,
#   it draws checkerboards, which a kernel that is a multiple of the stride reduces and resize + convolution avoids.
# - Unpooling indices and U-Net skips go *round* the code. Low error then says nothing about the code. **Swap the
#   codes and look.**
# - Reconstructions lose fast waves first, because squared error asks for the average of all images that share a code.
# - Compare like with like: same code size, same augmentation, same budget, test images, standard errors.

# %% [markdown]
# ## Quiz

# %%
lab.quiz(
    "02",
    [
        {
            "ask": "A transposed convolution with kernel 5 and stride 2: how many inputs reach a pixel, per axis?",
            "right": (
                "2 for some pixels, 3 for others",
                "5 is no multiple of 2: stamps overlap unevenly, a checkerboard is built in.",
            ),
            "wrong": {
                "always 2": "That would be kernel 4. The fifth entry reaches every other pixel.",
                "always 5": "Stamps stand 2 apart; only every second entry of the kernel can reach a given pixel.",
            },
        },
        {
            "ask": "What has a transposed convolution to do with the convolution of the same kernel?",
            "right": ("their matrices are each other's transpose", "Hence the name: $y = C^\\top x$."),
            "wrong": {
                "each undoes the other": "It restores the size, not the values: $C^\\top C$ is not the identity.",
                "nothing but the name": "Write both as matrices: rows and columns are exchanged.",
            },
        },
        {
            "ask": "An autoencoder of 4 numbers reconstructs unseen photos almost perfectly. What do you check first?",
            "right": (
                "whether it does so with another image's code",
                "If swapping the codes changes nothing, the picture travels another way: skips or indices.",
            ),
            "wrong": {
                "whether it has enough parameters": "It reconstructs perfectly: capacity is not what it lacks.",
                "whether the learning rate is too low": "Nothing here suggests unfinished training.",
            },
        },
        {
            "ask": "The pixels of all images are put in the same random order. Which autoencoder does not mind?",
            "right": (
                "the dense one",
                "Sort the columns of its first matrix and the rows of its last one, and nothing else changes.",
            ),
            "wrong": {
                "the convolutional one": "Its windows now look at pixels from all over the image.",
                "neither minds": "A convolution relies on neighbours; its windows have lost theirs.",
            },
        },
        {
            "ask": "Why does squared error blur edges that the code does not locate exactly?",
            "right": (
                "because the average of all possible edges has the lowest expected error",
                "$\\mathbb E[x \\mid h]$ minimises squared error, and an average of shifted edges is soft.",
            ),
            "wrong": {
                "because convolutions can only draw smooth pictures": "It draws sharp ones when the code says where.",
                "because transposed convolutions blur": "PCA has none and blurs as well.",
            },
        },
    ],
)

# %% [markdown]
# ## Deeper · What training does to the checkerboard
#
# A transposed convolution with kernel 4 and stride 2 gives every pixel the same number of stamps, but even and odd
# pixels read *different entries* of the kernel. So draw the kernels at random, as at the start of training, and measure
# the share of the picture's variance that sits at the alternating frequencies, by Fourier transform.

# %%
lab.show_source(lab.metrics.checkerboard_energy)

# %%
energies = {}
with torch.inference_mode():
    for name in three_ways(16, 1):
        pictures = []
        for seed in range(200):
            torch.manual_seed(seed)
            layer = three_ways(16, 1)[name]
            # a constant map, with a faint smooth slope so that there is something else than a checkerboard to find
            slope = torch.linspace(0, 0.5, 12).expand(1, 16, 12, 12)
            pictures.append(middle(layer(1 + slope)))
        energies[name] = lab.metrics.checkerboard_energy(torch.cat(pictures))
lab.plot.bars({name: round(energy.value, 3) for name, energy in energies.items()}, "alternating share of the variance")

# %% tags=["nbval-check-output"]
k3, k4, resize = (energy.value for energy in energies.values())
print("untrained, resize + convolution alternates far less than either transposed one:", resize < 0.3 * min(k3, k4))
print("untrained, kernel 4 alone is enough to have no checkerboard:", k4 < 0.05)

# %% [markdown]
# **What you should see.** Both transposed convolutions start out with a strong checkerboard; only resize +
# convolution is almost free of it, by construction. "Use a kernel that is a multiple of the stride" evens out the
# *number* of stamps, not their weights; the rest is left to training. Does training do it? We train three small
# autoencoders for the same number of steps and look at what is wrong with their pictures, the error image $\hat x -
# x$.

# %%
trained, errors = {}, {}
for name in three_ways(1, 1):
    model = lab.ConvAutoencoder(16, width=8, hidden=128, decoder="resize" if "resize" in name else "transposed")
    if "kernel 3" in name:
        for i, layer in enumerate(model.decoder):
            if isinstance(layer, nn.ConvTranspose2d):
                model.decoder[i] = three_ways(layer.in_channels, layer.out_channels)[name]
    lab.fit(model, small, steps=150, batch_size=64, initialise=True, progress=False)  # also the layers put in by hand
    trained[name] = model
    errors[name] = lab.metrics.in_batches(model.reconstruct, data.test.images) - data.test.images
after = {name: lab.metrics.checkerboard_energy(error) for name, error in errors.items()}
lab.plot.bars(
    {name: round(energy.value, 5) for name, energy in after.items()},
    "alternating share of the error's variance, after training",
)

# %% tags=["nbval-check-output"]
print(
    "kernel 3 leaves a stronger checkerboard than either other, by more than half:",
    after["transposed, kernel 3"].value
    > 1.5 * max(after["transposed, kernel 4"].value, after["resize + convolution"].value),
)
print("the pattern is a small part of every model's error:", max(energy.value for energy in after.values()) < 0.1)

# %%
lab.compare(trained, data, columns=["mse", "psnr"])[["mse", "mse_se", "psnr", "parameters"]].round(5)

# %% [markdown]
# **What you should see.** Training removes nearly all of the pattern, yet kernel 3 leaves its mark: its error
# alternates several times as strongly as that of the other two, which have little left. It is a small part of the
# error on clean 28×28 digits, and the table shows no price for it: which decoder has the lowest error *in all* has no
# firm answer after so short a run.
#
# **Try it.** Set `steps=20` and look at the two results again; then `width=16`.

# %% [markdown]
# ## Deeper · Retrieval
#
# Slide 004 lists *information retrieval*: find the images most like this one. With codes, "like" is the distance
# between 32 numbers instead of 784. A search is judged by **precision at 10**: of the ten nearest training images,
# how many show the same digit as the query? As always there must be baselines: the pixels themselves, and PCA.

# %%
lab.predict(
    "Ten nearest neighbours by 32 code values: how does the precision compare with that of all 784 pixels?",
    options=[
        "clearly lower (by more than 5 points)",
        "about the same (within 5 points)",
        "clearly higher (by more than 5 points)",
    ],
    key="02-d-retrieval",
)


# %%
class Pixels:
    """No model at all: the image is its own code."""

    def encode(self, x):
        return x.flatten(1)


conv = lab.ConvAutoencoder(latent=32, hidden=128)
lab.fit(conv, data, steps=300, batch_size=64, progress=False)
pca = lab.PCA(32).fit(data.train)
precision = {
    "784 pixels": lab.metrics.retrieval_precision(Pixels(), data),
    "32 components (PCA)": lab.metrics.retrieval_precision(pca, data),
    "32 codes (conv)": lab.metrics.retrieval_precision(conv, data),
}
lab.plot.bars(precision, "precision at 10", baselines={"guessing": 0.1})

# %% tags=["nbval-check-output"]
difference = precision["32 codes (conv)"].value - precision["784 pixels"].value
print("32 codes retrieve as well as 784 pixels, within 5 points:", abs(difference) < 0.05)
lab.outcome(
    "02-d-retrieval",
    "about the same (within 5 points)"
    if abs(difference) < 0.05
    else "clearly higher (by more than 5 points)"
    if difference > 0
    else "clearly lower (by more than 5 points)",
)

# %%
queries = torch.arange(4)
with torch.inference_mode():
    distance = torch.cdist(conv.encode(data.test.images[queries]), lab.metrics.encode(conv, data.train))
found = distance.topk(9, largest=False).indices
lab.plot.image_rows(
    {
        f"query {i + 1}": torch.cat([data.test.images[q : q + 1], data.train.images[found[i]]])
        for i, q in enumerate(queries)
    },
    alt="Four test digits, each followed by its nine nearest training images by code; nearly all show the same "
    "digit in a similar hand.",
    scale=0.5,
)

# %% [markdown]
# **What you should see.** Twenty-five times fewer numbers, and the search is about as good: **the slide is right**.
# But PCA, solved in a second, does just as well. Nothing in the training ever asked that images of one class be
# neighbours; it came along because similar pictures need similar codes.

# %% [markdown]
# ## Deeper · Correlated features
#
# Slide 004: autoencoders *work very well with data that has correlated input features (i.e. not independent)*. This
# can be put to the test: keep every pixel's own distribution, and destroy **only** the correlations. For each pixel
# separately, deal its values out to the images at random. Each pixel is then as often black and as often white as
# before, but knows nothing of the others.

# %%
generator = torch.Generator().manual_seed(0)


def independent_pixels(images):
    """Permute each pixel's values across the images; every pixel keeps its mean and its variance."""
    values = images.flatten(1)
    order = torch.rand(values.shape, generator=generator).argsort(dim=0)
    return values.gather(0, order).view_as(images)


scrambled = data.map(independent_pixels)
lab.plot.image_rows(
    {"real": data.train.images[:10], "independent pixels": scrambled.train.images[:10]},
    alt="Ten digits, and ten images of the same pixel values dealt out at random: clouds of dots.",
    scale=0.5,
)

# %%
lab.predict(
    "An autoencoder is trained on the clouds. Its test error, compared with always answering the mean image?",
    options=["less than half of it", "5 to 50 % lower", "the same within 5 %, or higher"],
    key="02-d-independent-pixels",
)

# %%
relative = {}
for name, images in (("real", data), ("independent", scrambled)):
    mean_image = float((images.test.images - images.train.images.mean(dim=0)).square().mean())
    conv = lab.ConvAutoencoder(latent=32, hidden=128)
    lab.fit(conv, images, steps=200, batch_size=64, progress=False)
    for kind, model in (("conv", conv), ("PCA", lab.PCA(32).fit(images.train))):
        relative[f"{kind}, {name} pixels"] = lab.metrics.mse(model, images.test).value / mean_image
variances = scrambled.test.images.flatten(1).var(dim=0).sort(descending=True).values
lab.plot.bars(
    {name: round(value, 3) for name, value in relative.items()},
    "test error, as a share of the mean image's",
    baselines={"mean image": 1.0, "remembering 32 pixels": 1 - float(variances[:32].sum() / variances.sum())},
)

# %% tags=["nbval-check-output"]
print("real digits: less than a third of the mean image's error:", relative["conv, real pixels"] < 1 / 3)
print("independent pixels: more than 80 % of it:                ", relative["conv, independent pixels"] > 0.8)

# %%
share = relative["conv, independent pixels"]
lab.outcome(
    "02-d-independent-pixels",
    "less than half of it" if share < 0.5 else "5 to 50 % lower" if share < 0.95 else "the same within 5 %, or higher",
)

# %% [markdown]
# **What you should see.** Same pixels one by one, same network, same training; and hardly anything is left to learn.
# The best that a linear code of 32 numbers can do is to remember the 32 pixels that vary most and to answer the mean
# for all others: the dash-dotted line, which PCA nearly reaches. **The slide is right, and even too mild:** without
# correlations an undercomplete autoencoder does not work less well, it has nothing to compress *with*. All that it
# does, it does with redundancy.
#
# **Try it.** Permute blocks of 4×4 pixels instead of single ones. How much of the real digits' advantage comes back?

# %% [markdown]
# ## From slide to cell
#
# | slide | it says | here | verdict |
# |---|---|---|---|
# | 001 *Convolution AutoEncoder*, 004 *CNN Autoencoder* | better than dense (C13) | section 4 | right under a condition: see the table there |
# | 003 *Transposed convolution* | enlarges a feature map (C14) | section 2 | right under a condition: mind kernel and stride |
# | 003 *Unpooling* | an alternative (C14) | section 3 | right under a condition: the input is at hand |
# | 002 *Convolutional Autoencoders* | output blurrier than input (C19) | section 6 | right: fast waves go first |
# | 002 *… Using Residual Networks* | skips make outputs sharper (C20) | section 5 | right under a condition: skips round the code |
# | 004 *Information Retrieval* | codes find similar images (C41) | Deeper · Retrieval | right under a condition: so do PCA and pixels |
# | 004 *Autoencoders Architecture* | needs correlated features (C51) | Deeper · Correlated features | right |

# %% [markdown]
# ## Further reading
#
# - A. Odena, V. Dumoulin, C. Olah (2016), *Deconvolution and checkerboard artifacts*, Distill.
# - V. Dumoulin, F. Visin (2016), *A guide to convolution arithmetic for deep learning*, arXiv 1603.07285: all the
#   sizes, drawn.
# - K. He, X. Zhang, S. Ren, J. Sun (2016), *Identity mappings in deep residual networks*, arXiv 1603.05027.
# - O. Ronneberger, P. Fischer, T. Brox (2015), *U-Net*, arXiv 1505.04597.
# - R. Zhang (2019), *Making convolutional networks shift-invariant again*, arXiv 1904.11486.
# - M. Zeiler, R. Fergus (2014), *Visualizing and understanding convolutional networks*, arXiv 1311.2901: unpooling.
