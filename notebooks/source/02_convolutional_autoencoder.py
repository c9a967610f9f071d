# %% [markdown]
# # 02 · The convolutional autoencoder
#
# *Convolution, pooling and the ways back; checkerboards; one of your own; what a small code loses; searching by code*
#
# A dense autoencoder treats an image as a list of numbers: shuffle the pixels and it would not notice. A convolutional
# one knows that neighbours belong together. In this notebook you learn its parts, build one of your own, and race one
# fairly against a dense autoencoder. Then you put an uncomfortable question to every design: **does the picture still
# pass through the code?**
#
# **You will be able to**
#
# - work out by hand what convolution, pooling, transposed convolution and unpooling do to a feature map, and why some
#   decoders draw checkerboards (sections 1 to 3, Exercise 1);
# - write a convolutional autoencoder of your own, in which all sizes fit (section 4, Exercise 2);
# - set up a fair race between two architectures: equal parameters, equal time, the same augmentation (section 4,
#   Exercise 3);
# - find out by experiment whether a decoder uses the code or a way round it (sections 3 and 5, quiz);
# - measure what an autoencoder loses, frequency by frequency, instead of calling it "a bit blurry" (section 6,
#   Exercise 4).
#
# **Before you start** Notebook 01: code size, PCA, reading a loss curve with its baselines.
#
# **Time** {{minutes}} minutes with the exercises; the computer itself needs about {{seconds}} s of them.
#
# **Slides covered** 001 *Convolution AutoEncoder*; 002 *Convolutional Autoencoders* and *… Using Residual Networks*;
# 003 *Transposed convolution* and *Unpooling*; 004 *CNN Autoencoder* (filters), *Information Retrieval* and
# *Autoencoders Architecture* (correlated features).

# %% tags=["setup"]
import copy

import torch
import torch.nn.functional as F
from torch import nn

import autoencoder_lab as lab

lab.setup(seed=0)
data = lab.load("mnist-5k")  # 3,500 digits to train on
small = lab.load("mnist-5k", n=1500)  # fewer of them, for short experiments; validation and test images are the same


# %% tags=["setup", "folded"]
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
# window, the *kernel* $w$, and uses the same numbers at every place:
#
# $$y_{i,j} = \sum_{u,v} w_{u,v}\; x_{s\,i+u-p,\; s\,j+v-p}$$
#
# with [stride]({{glossary}}#stride) $s$ (how far the window moves) and padding $p$ (zeros round the border). The
# result $y$ is a picture again: a [feature map]({{glossary}}#feature-map), bright wherever the kernel finds what it
# looks for. A layer has many kernels, so it makes many maps. They lie on top of each other like the red, green and
# blue of a photo, and are called [channels]({{glossary}}#channel). From $n$ pixels a side, a kernel of $k \times k$
# makes a map of $\lfloor (n + 2p - k)/s \rfloor + 1$ a side. Here are three kernels that nobody had to learn, on one
# digit.

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
# **What you should see.** A dense layer of this size would learn {{matrix.numel():,}} numbers. The convolution learns
# the 16 of its kernel. In return it gives a guarantee: *what is learnt at one place holds at all places.* Shift the
# input, and the feature map shifts along (it is [equivariant]({{glossary}}#equivariance)). But is that still true when
# the stride is 2?

# %%
lab.predict(
    "A digit moves one pixel to the right. What happens to the feature map of a convolution with stride 2?",
    options=["it moves along, by half a place", "it stays as it was", "it changes into another map"],
    key="02-1-stride-and-shift",
)


# %%
def broken_promise(layer, stride, shift):
    """How far layer(shifted image) is from shifted layer(image), relative; 0 means the map just moves along."""
    images = F.pad(data.test.images[:100], (8, 8, 8, 8))  # room to move, so that nothing falls off the edge
    with torch.inference_mode():
        before, after = layer(images), layer(images.roll(shift, dims=3))
        # half a place cannot be shown: a shift that the stride does not divide is compared with the unmoved map
        expected = before.roll(shift // stride, dims=3)
        return float((after - expected).norm() / before.norm())


# %%
layers = {
    "convolution, stride 1": (nn.Conv2d(1, 8, 5, padding=2, bias=False), 1),
    "convolution, stride 2": (nn.Conv2d(1, 8, 4, stride=2, padding=1, bias=False), 2),
    "max-pooling 2×2": (nn.MaxPool2d(2), 2),
}
gap = {name: [broken_promise(layer, stride, shift) for shift in (1, 2)] for name, (layer, stride) in layers.items()}
for name, (by_one, by_two) in gap.items():
    print(f"{name:22} shift 1: {by_one:.3f}   shift 2: {by_two:.3f}")

# %% tags=["nbval-check-output"]
lab.holds(
    *((f"{name}: moves along with two pixels", two, "<", 0.05) for name, (_, two) in gap.items()),
    ("convolution, stride 1: moves along with one pixel", gap["convolution, stride 1"][0], "<", 0.05),
    ("convolution, stride 2: another map after one pixel", gap["convolution, stride 2"][0], ">", 0.05),
    ("max-pooling 2×2: another map after one pixel", gap["max-pooling 2×2"][0], ">", 0.05),
)

# %% tags=["folded"]
layer, _ = layers["convolution, stride 2"]
with torch.inference_mode():
    images = F.pad(data.test.images[:100], (8, 8, 8, 8))
    before, after = layer(images), layer(images.roll(1, dims=3))
half_a_place = (before + before.roll(1, dims=3)) / 2  # midway between unmoved and moved by one place
foreseen = {"it stays as it was": before, "it moves along, by half a place": half_a_place}
off = {name: float((after - expected).norm() / before.norm()) for name, expected in foreseen.items()}
lab.outcome("02-1-stride-and-shift", off | {"it changes into another map": 0.05})  # the nearest, if within 0.05

# %% [markdown]
# **What you should see.** With stride 1 the guarantee holds to rounding. With stride 2, or after
# [pooling]({{glossary}}#pooling) (the largest value of each 2×2 block), an even shift still moves the map, but an odd
# one gives another map: the window now lands *between* the places it used before. One often reads that pooling makes a
# network "shift-invariant". It does not. Keep this in mind for the whole notebook: **a stride of 2 tells even pixels
# from odd ones**, on the way in and, as you will see next, on the way out.
#
# **Try it.** Put three layers of stride 2 one after the other. Which shifts do they treat alike?

# %% [markdown]
# ## 2 · Growing again: transposed convolution and its checkerboards
#
# The decoder has to go from 7×7 back to 28×28. A [transposed convolution]({{glossary}}#transposed-convolution)
# *increases the size of a feature map* (slide 003, which says no more). Here is how. Each input value **stamps** a copy
# of the kernel, multiplied by itself, into the output. The stamps stand $s$ pixels apart, and **where they overlap they
# add up**:
#
# $$y_{s\,i+u} \mathrel{+}= x_i\, w_u \qquad\text{which is}\qquad y = C^\top x$$
#
# where $C$ is the matrix of the strided convolution with the same kernel. Hence the name. It is *not* the inverse
# ("deconvolution"): it restores the sizes, not the values.

# %% tags=["nbval-check-output"]
down = nn.Conv2d(1, 1, 4, stride=2, padding=1, bias=False)
up = nn.ConvTranspose2d(1, 1, 4, stride=2, padding=1, bias=False)
up.weight = down.weight  # one kernel, shared
with torch.inference_mode():
    x, y = torch.randn(1, 1, 28, 28), torch.randn(1, 1, 14, 14)
    # ⟨C x, y⟩ = ⟨x, Cᵀ y⟩ for all x and y: the definition of a transpose
    difference = abs(float((down(x) * y).sum() - (x * up(y)).sum()))
    off = float((up(down(x)) - x).abs().max())
lab.holds(("it is the transpose", difference, "<", 1e-2), ("it is no inverse: Cᵀ C x is away from x by", off, ">", 0.1))

# %%
lab.diagram.stamp([2, 1, -1], [1, 2, 1, 0.5], stride=2)

# %% [markdown]
# ### Exercise 1 · Stamp it yourself
#
# Complete the transposed convolution of a row of numbers, without padding. From $n$ values, a kernel of $k$ values and
# stride $s$ it makes $(n-1)\,s + k$ values. (A padding of $p$ cuts off $p$ of them at each end.) *One loop over the inputs
# is enough.*


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
# Stamps add up where they overlap. If the kernel's size is not a multiple of the stride, some pixels receive more
# stamps than their neighbours (Odena, Dumoulin and Olah, 2016). The plainest test is a **constant** feature map and a
# **constant** kernel. A good enlargement then returns a constant picture. Here are three candidates; all of them double
# the size:
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

# %% tags=["folded"]
constant = torch.ones(1, 1, 12, 12)
patterns = {}
with torch.inference_mode():
    for name, layer in three_ways(1, 1).items():
        for parameter in layer.parameters():
            parameter.fill_(1.0 if parameter.ndim == 4 else 0.0)
        picture = middle(layer(constant))
        patterns[name] = 0.7 * picture / picture.max()
spread = {name: float(pattern.std()) for name, pattern in patterns.items()}
lab.plot.images(
    torch.cat(list(patterns.values())),
    [f"{name}\nspread {spread[name]:.2f}" for name in patterns],
    scale=1.9,
    alt="A constant map enlarged with a constant kernel: kernel 3 draws a checkerboard, the other two an even grey.",
)

# %% tags=["nbval-check-output"]
lab.holds(
    ("kernel 3 draws a pattern, spread", spread["transposed, kernel 3"], ">", 0.01),
    ("kernel 4 draws none", spread["transposed, kernel 4"], "<", 0.01),
    ("resize + convolution draws none", spread["resize + convolution"], "<", 0.01),
)

# %%
so_many = {0: "none: constant in, constant out", 1: "only kernel 3", 2: "kernel 3 and kernel 4", 3: "all three"}
lab.outcome("02-2-checkerboard", so_many[sum(value > 0.01 for value in spread.values())])

# %%
lab.diagram.stamp(torch.ones(3, 3), torch.ones(3, 3), stride=2, at=(1, 1))

# %% [markdown]
# **What you should see.** With kernel 3 the pixels receive 1, 2 or 4 stamps in turn; with kernel 4 every pixel
# receives 4.
#
# So kernel 4 is safe? Not quite. Every pixel receives the same *number* of stamps, but even and odd pixels read
# *different entries* of the kernel. How much of a checkerboard that leaves, before and after training, is measured in
# *Deeper · What training does to the checkerboard*. Slide 003 is **right under a condition**: a transposed convolution
# does enlarge, but its kernel and stride have to go together.
#
# **Try it.** Give `three_ways` a kernel of 6 in place of 4 (`padding=2` keeps the size). How many stamps does each pixel
# receive?

# %% [markdown]
# ## 3 · Unpooling, and what the indices carry
#
# There is another way to grow: [unpooling]({{glossary}}#unpooling) (slide 003). Max-pooling keeps the largest value of
# each 2×2 block and *remembers where it stood*. Max-unpooling puts a value back at that place and fills the rest with
# zeros. It is elegant, and it has a catch: the places travel from encoder to decoder **beside** the code.

# %%
lab.diagram.pooling(data.train.images[2, :, 8:14, 12:18])

# %%
lab.show_source(lab.layers.UnpoolingDecoder.forward)

# %% [markdown]
# How much is that? There are two poolings, of 8 and of 16 maps, with 14×14 and 7×7 blocks. Each block has four possible
# places, 2 bits. Together that is up to $2\,(8 \cdot 14^2 + 16 \cdot 7^2) = 4704$ bits, beside a code of 16 numbers. So
# here is the question of this notebook: *does the picture come from the code?* We can ask the network itself. Train it,
# then give every image **the code of another image**, but leave the indices alone.

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

labels = data.test.labels.tolist()
shown = [labels.index(digit) for digit in (7, 2, 1, 0, 4, 9, 5, 3, 8)]  # to begin with: a 7, then a 2
x = data.test.images[shown + [i for i in range(len(labels)) if i not in shown]]
others, mean = lambda z: z.roll(-1, dims=0), lambda z: z.mean(dim=0).expand_as(z)  # the 7 gets the code of the 2

# %% tags=["folded"]
drawn = {
    "indices from": x,
    "code from": others(x),
    "unpool, own code": lab.metrics.in_batches(unpool.reconstruct, x),
    "unpool, the other's code": with_changed_code(unpool, unpool.decoder, x, others),
    "unpool, one code for all": with_changed_code(unpool, unpool.decoder, x, mean),
    "transposed, own code": lab.metrics.in_batches(transposed.reconstruct, x),
    "transposed, the other's code": with_changed_code(transposed, transposed.decoder, x, others),
}
lab.plot.image_rows(
    {name: pictures[:8] for name, pictures in drawn.items()},
    alt="Eight digits, and below each the one whose code it is given. The unpooling autoencoder redraws the first, even "
    "with one and the same code for all; the transposed one draws the digit of the code.",
    scale=0.55,
)

# %%
error = {name: (pictures - x).square().mean().item() for name, pictures in list(drawn.items())[2:]}
mean_image = (x - small.train.images.mean(dim=0)).square().mean().item()
rounded = {name: round(value, 4) for name, value in error.items()}
lab.plot.bars(rounded, "squared error per pixel", baselines={"mean image": mean_image})

# %% tags=["nbval-check-output"]
other = {kind: error[f"{kind}, the other's code"] for kind in ("unpool", "transposed")}
lab.holds(
    ("one code for all: unpooling's error, in mean images", error["unpool, one code for all"] / mean_image, "<", 0.7),
    ("a wrong code ruins the transposed decoder: error, in mean images", other["transposed"] / mean_image, ">", 1),
    ("a wrong code hurts unpooling less: its error, in the other's", other["unpool"] / other["transposed"], "<", 0.7),
)

# %%
mixed = drawn["unpool, the other's code"]  # nearer to the image its indices came from, or to the code's?
to_indices, to_code = ((mixed - images).square().mean() for images in (x, others(x)))
lab.outcome(
    "02-3-code-or-indices", {"the 7 of the indices": to_indices, "the 2 of the code": to_code, "noise": mean_image}
)

# %% [markdown]
# **What you should see.** With a *constant* code, which holds no information at all, the unpooling network still
# redraws each digit, only a little rougher. Its low error is no good compression; it is a leak. The transposed decoder
# has nothing but the code, and draws the digit that the code came from. (Do you see the fine grid in the unpooled
# pictures? Unpooling fills one place in four, and in so short a training the network has not yet learnt to paint over
# the rest.)
#
# The slide offers the two as alternatives for one job. **They are not.** An unpooling decoder needs the input's
# indices, so it can neither decode a stored code nor generate. For segmentation, where the input is at hand anyway,
# that is no defect but the whole point. The library refuses what cannot work, and says why:

# %% tags=["nbval-check-output"]
lab.holds(("transposed: the code alone is enough", transposed.decodes), ("unpool: it is not", not unpool.decodes))
try:
    unpool.decode(torch.zeros(1, 16))
except TypeError as refusal:
    print(refusal)

# %% [markdown]
# **Try it.** Train with `latent=1` in place of 16. By how much does each of the two errors rise? What does that say?

# %% [markdown]
# ## 4 · One of your own, and a fair race
#
# You know all the parts now. Put them together: two convolutions that halve the map, a dense layer to the code, and the
# same way back.
#
# $$28 \times 28 \;\to\; 14 \times 14 \;\to\; 7 \times 7 \;\to\; 16 \text{ numbers} \;\to\; 7 \times 7 \;\to\;
# 14 \times 14 \;\to\; 28 \times 28$$


# %% [markdown]
# ### Exercise 2 · A convolutional autoencoder of your own
#
# Fill in the three parts. What you write is up to you, as long as a code has 16 numbers and a picture comes out as
# large as it went in. Three things to think of:
#
# - **Sizes.** By the formulas of sections 1 and 2, which kernel, stride and padding halve a map exactly, and which
#   double it? If a transposed convolution makes one row too few, `output_padding=1` adds it.
# - **A bottleneck.** 32 maps of 7×7 are 1,568 numbers, *more* than the 784 pixels. `nn.Flatten()` and `nn.Linear` bring
#   them down to 16; `nn.Linear` and `nn.Unflatten(1, (channels, 7, 7))` bring them back.
# - **Non-linearity.** Without `nn.SiLU()` or `nn.ReLU()` between the layers, all of them together are one matrix.


# %% tags=["exercise"]
class MyConvAutoencoder(nn.Module):
    """encode: (B, 1, 28, 28) → (B, 16); decode: (B, 16) → (B, 1, 28, 28), values in [0, 1]."""

    def __init__(self):
        super().__init__()
        # solution-begin
        shrink = [nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.SiLU(), nn.Conv2d(16, 32, 4, stride=2, padding=1)]
        self.down = nn.Sequential(*shrink, nn.SiLU(), nn.Flatten(), nn.Linear(32 * 7 * 7, 16))
        self.unfold = nn.Sequential(nn.Linear(16, 32 * 7 * 7), nn.SiLU(), nn.Unflatten(1, (32, 7, 7)))
        grow = [nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.SiLU(), nn.ConvTranspose2d(16, 1, 4, 2, 1)]
        self.up = nn.Sequential(*grow, nn.Sigmoid())
        # solution-end

    def encode(self, x):
        # solution-begin
        return self.down(x)
        # solution-end

    def decode(self, z):
        # solution-begin
        return self.up(self.unfold(z))
        # solution-end

    def forward(self, x):
        return self.decode(self.encode(x))


# %% tags=["check"]
lab.checks.own_conv_autoencoder(MyConvAutoencoder)

# %% [markdown] tags=["help"]
# 1. Go through the sizes on paper first. A convolution with kernel 4, stride 2 and padding 1 makes 14 of 28, and 7 of
#    14; the transposed one with the same three numbers makes 14 of 7, and 28 of 14. Only then choose the channels.
# 2. Make the layers in `__init__`, as `nn.Sequential` of convolution, `nn.SiLU()`, convolution, `nn.SiLU()`, then
#    flatten and a linear layer. The decoder is its mirror image, with `nn.Unflatten` in the middle and `nn.Sigmoid()`
#    at the end. `encode` and `decode` only call what you have made.
#
# **Why.** Strided convolutions make the map smaller, but with many channels it still holds more numbers than the
# picture. It is the linear layer in the middle that makes the network choose what to keep.

# %% [markdown]
# Once the check is content, train yours beside the library's, in a cell of your own. It goes into `lab.fit`,
# `lab.compare` and the figures as it is:
#
# ```python
# models = [MyConvAutoencoder(), lab.ConvAutoencoder(16, hidden=128)]
# for model in models:
#     lab.fit(model, small, steps=300, batch_size=64, learning_rate=4e-3)
# lab.compare(models, data, columns=["mse", "psnr"])
# ```
#
# and `lab.plot.reconstructions(models, data.test)` in the next. Which is ahead? And here is the library's. It has the
# same layers, with more care; look for what yours lacks.

# %%
lab.show_source(lab.ConvAutoencoder.__init__, lab.layers.halve, lab.layers.enlarge)

# %% [markdown]
# The line `norm(channels_out)` is a [normalisation]({{glossary}}#normalisation): it shifts and scales a group of
# feature maps so that their values have mean 0 and spread 1, whatever the layers before them do. Training then goes
# faster and minds the learning rate less. (Does it? Put `nn.GroupNorm(4, 16)` behind your own first convolution, and
# train both.)
#
# ### The race
#
# A convolutional autoencoder *generates a compact representation* (slide 001); *using conv layers provides much better
# performance* (slide 004). Better than what, and at which price? A race is fair only if the runners differ in one
# thing. Ours have the same code size (32), **nearly the same number of parameters**, the same images and batches,
# and **about the same time**. A dense step is the cheaper one, so the dense model gets 1,000 steps for the other's 300;
# the column `seconds` says how near that comes on your machine. And since augmentation may help one more than the
# other, we run the race twice: with and without small random rotations, shifts and stretches.

# %%
lab.predict(
    "Equal parameters, equal time, a few seconds each. Where does the convolutional one have the lower test error?",
    options=["in both races", "only without augmentation", "only with augmentation", "in neither"],
    key="02-4-conv-against-dense",
)

# %%
race, histories = {}, {}
for augment in (None, lab.augment.affine()):
    for kind, steps in (("conv", 300), ("dense", 1000)):
        model = lab.ConvAutoencoder(32, hidden=128) if kind == "conv" else lab.DenseAutoencoder(32, hidden=(256,))
        name = f"{kind}, {'augmented' if augment else 'as they are'}"
        histories[name] = lab.fit(model, data, steps=steps, batch_size=64, augment=augment, progress=False)
        race[name] = model
pca = lab.PCA(32).fit(data.train)
table = lab.compare(race | {"PCA(32)": pca}, data, columns=["mse", "psnr"])
table["train mse"] = [lab.metrics.mse(model, data.train).value for model in (*race.values(), pca)]
table[["mse", "mse_se", "train mse", "psnr", "parameters", "seconds"]].round(5)

# %%
lab.plot.history(histories, baselines=[pca], data=data)

# %% tags=["nbval-check-output"]
mse, parameters, seconds = table["mse"], table["parameters"], table["seconds"]
share = {how: mse[f"conv, {how}"] / mse[f"dense, {how}"] for how in ("as they are", "augmented")}
gap = (mse - table["train mse"]).drop("PCA(32)")
lab.holds(
    ("parameters, dense over conv, away from equal by", abs(parameters.iloc[1] / parameters.iloc[0] - 1), "<", 0.05),
    ("conv's error, in the dense one's, on the images as they are", share["as they are"], "<", 1),
    ("conv's error, in the dense one's, augmented", share["augmented"], "<", 1),
    ("the gap from training to test is widest for dense, as they are", gap.idxmax() == "dense, as they are"),
)

# %%
won = {(1, 1): "in both races", (1, 0): "only without augmentation", (0, 1): "only with augmentation"}
lab.outcome("02-4-conv-against-dense", won.get(tuple(int(part < 1) for part in share.values()), "in neither"))

# %% [markdown]
# **What you should see.** In this run the convolutional one has {{share["as they are"]:.2f}} times the dense one's
# error on the images as they are, and {{share["augmented"]:.2f}} times with augmentation; the dense ones took
# {{seconds["dense, as they are"] / seconds["conv, as they are"]:.2f}} and
# {{seconds["dense, augmented"] / seconds["conv, augmented"]:.2f}} times as long. **On images the slides are right under
# a condition**, and the condition is the clock. At equal *time* it hangs on
# what a convolution costs. In the stored runs (C13 in `docs/claims.md`: five seeds, longer, on one processor thread)
# the dense model gets more steps for the same time, and with augmentation it *wins*. So not only the size of the lead
# hangs on the clock, but who leads. "Much better" needs a price tag.
#
# Now compare the columns of training and test error. Without augmentation the models do better on the images they
# know: they begin to learn them by heart, the dense one most. With augmentation the two errors lie close together. In
# so short a run that need not lower the test error, for a model that never sees the same image twice learns more slowly
# at first. Augmentation is an investment, and investments need time: *Deeper · A long run* gives it some.

# %% [markdown]
# ### Exercise 3 · Is it really the neighbourhood?
#
# The race was about "convolution". *Why* should that help? The story goes: because neighbouring pixels belong together.
# A good experiment could prove that story wrong. Here is one: **put the pixels of all images in one and the same new
# random order.** A dense layer cannot tell (its weights are just sorted differently). To a convolution the neighbours
# are strangers now.
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
#    columns in this order, and restore the shape with `view_as`. In `hurt`, compare each shuffled error with `1.2`
#    times the plain one.
#
# **Why.** One order for all images takes away the neighbourhood and nothing else. A dense layer can make up for it by
# sorting its weights; a convolution cannot.

# %% [markdown]
# Once the check is content, run `errors = experiment(data)` and `hurt(errors)` in a cell of your own (half a minute).
# Then write down one sentence: *using conv layers makes total sense*, says slide 004. What does your result say?

# %% [markdown]
# ## 5 · Skip connections: inside, or round the code?
#
# Residual networks *channel a layer's output farther down the network*, they *reintroduce low-level features*, and
# outputs are *sharper than those of the plain convolutional autoencoder* (slide 002). Two quite different things go by
# this name:
#
# | | `skips="inside"` | `skips="around"` |
# |---|---|---|
# | what | $x + F(x)$ within encoder and decoder | encoder maps handed to the decoder stage of their size |
# | from | [residual block]({{glossary}}#residual-block), He et al. 2016 | U-Net, Ronneberger et al. 2015 |
# | aim | gradients reach deep layers | detail reaches the output |
# | everything passes the code | yes | **no** |
#
# The slide's words, *as the image grows back into the original size*, describe the second kind.

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
sharper = (table["sharpness"] / table["sharpness"]["plain"]).drop("plain")
lowest = table["mse"].drop("skips around").min()
lab.holds(
    ("skips around: sharpness, in the plain one's", sharper["skips around"], ">", 1.15),
    ("skips around: error, in that of the better of the others", table["mse"]["skips around"] / lowest, "<", 0.5),
)

# %%
which = {(1, 1): "inside and around", (0, 1): "only around", (1, 0): "only inside", (0, 0): "neither"}
lab.outcome("02-5-sharper-with-skips", which[tuple(int(times > 1.15) for times in sharper)])

# %% [markdown]
# A triumph for skips around the code, it seems. Now ask as in section 3: give each image the code of another one. If
# the code is used, another digit comes out, and the error is that of a wrong digit.

# %% tags=["folded"]
x, off = data.test.images, {}
for name, model in three.items():
    entrance = model.decoder if name == "plain" else model.from_code  # where the decoder reads the code
    swapped = with_changed_code(model, entrance, x, lambda z: z.roll(1, dims=0))
    off[name] = float((swapped - x).square().mean())

# %% tags=["nbval-check-output"]
lab.holds(
    ("plain, with another image's code: error", off["plain"], ">", 0.06),
    ("skips inside, with another image's code: error", off["skips inside"], ">", 0.06),
    ("skips around, with another image's code: error", off["skips around"], "<", 0.03),
)

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
# other gives back a smiley, though it was trained on none, and much of the damage with it. Sixteen numbers cannot do
# that. The picture goes through the skip, at 14×14 with many channels, which is far more numbers than the image has
# pixels; the code is hardly looked at. So a place in its latent space stands for no picture. If you want a
# representation, a compression or new images, there is nothing in the code to use. The slide is **right under a
# condition**: skips around the code do make reconstructions sharper, but what is reconstructed is not what the code
# remembers. Skips inside keep the bottleneck honest. They ease the training of *deep* networks, and ours is not deep,
# so look at the table before you pay their price in time.
#
# **Try it.** Change `latent=16` to `latent=1` for all three. Which error hardly moves?

# %% [markdown]
# ## 6 · What is lost
#
# *Since data must be lost through compression, low-level information is discarded and the output is blurrier than the
# original* (slide 002). "Blurry" can be measured. A picture is a sum of waves, and the Fourier transform tells how much
# power each [spatial frequency]({{glossary}}#spatial-frequency) holds. Slow waves are the large shapes; fast ones are
# edges and texture.
#
# But *what* do we measure? The power of $\hat x$ over that of $x$ seems natural: the share that is kept. It is blind. A
# reconstruction that shows **another digit** keeps all of it, and has lost everything. So take the power of the *error*,
# and divide by the error of the answer that knows nothing, the mean image $\bar x$:
#
# $$\text{lost}(f) = \frac{|\mathrm{FFT}(x - \hat x)|^2}{|\mathrm{FFT}(x - \bar x)|^2} \quad\text{at frequency } f$$
#
# 0 says that all of this wave came back, and 1 that the code knows no more of it than the mean image does.

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
originals, power = data.test.images, lab.metrics.power_spectrum
knowing_nothing = power(originals - data.train.images.mean(dim=0))
lost, sharp = {}, {"conv": [], "PCA": []}
for d in sizes:
    conv = lab.ConvAutoencoder(latent=d, width=8, hidden=128)
    lab.fit(conv, data, steps=300, batch_size=64, progress=False)
    for name, model in (("conv", conv), ("PCA", lab.PCA(d).fit(data.train))):
        rebuilt = lab.metrics.in_batches(model.reconstruct, originals)
        lost[f"{name}, {d}"] = (power(originals - rebuilt) / knowing_nothing)[1:]  # without the constant part
        sharp[name].append(lab.metrics.sharpness(rebuilt))
shares = {name: share.tolist() for name, share in lost.items()}
lab.plot.curves(range(1, 15), shares, "waves per image", "share of the power lost", baselines={"mean image": 1.0})

# %%
original = lab.metrics.sharpness(originals).value
lab.plot.curves(sizes, sharp, "code size", "sharpness", log="x", baselines={"the original": original})

# %% tags=["nbval-check-output"]
slow, fast = ({name: float(share[part].mean()) for name, share in lost.items()} for part in (slice(3), slice(7, 14)))
others = data.train.images[: len(originals)]  # none of the originals is among them
kept = power(others)[1:] / power(originals)[1:]
lab.holds(
    ("the first, blind measure: what other digits keep, at least", kept.min(), ">", 0.9),
    *((f"{name}: lost of fast waves beyond slow ones", fast[name] - slow[name], ">", 0.05) for name in lost),
    ("fast waves lost at code size 2, beyond those at 32 (conv)", fast["conv, 2"] - fast["conv, 32"], ">", 0.05),
    ("sharpest reconstruction, in originals", max(one.value for one in sharp["conv"]) / original, "<", 1),
)

# %%
lab.outcome(
    "02-6-which-waves",
    fast["conv, 2"] - slow["conv, 2"],
    above={"fast ones more than slow ones": 0.05, "all alike": -0.05},
    otherwise="slow ones more than fast ones",
)

# %% [markdown]
# **What you should see.** With 2 numbers, {{100 * slow["conv, 2"]:.0f}} % of the power of slow waves (1 to 3 per image)
# is lost, and {{100 * fast["conv, 2"]:.0f}} % of that of fast ones (8 to 14). With 32 it is
# {{100 * slow["conv, 32"]:.0f}} % and {{100 * fast["conv, 32"]:.0f}} %. PCA stands beside the networks because it needs
# no training, so nobody can say that it merely wants more time: with 32 components it loses
# {{100 * slow["PCA, 32"]:.0f}} % and {{100 * fast["PCA, 32"]:.0f}} %. Fast waves go first, with and without a network.
# **The slide is right**, and we can say why. Where an edge lies to the pixel is not in the code. Squared error then asks
# for the *average* over all places where it might lie:
#
# $$\arg\min_{\hat x}\ \mathbb E\,\lVert x - \hat x\rVert^2 \;=\; \mathbb E[x \mid h]$$
#
# and an average of shifted edges is a soft edge. So blur is not only a fault of the network: even the best one would blur,
# for that is the best answer to the question that the loss asks. One correction to the slide, though. It is not *low-level information* in general that is
# discarded, but whatever costs few squared errors.
#
# **Try it.** Train the code of 32 for 1,500 steps. How much of the blur was impatience?

# %% [markdown]
# ### Exercise 4 · Find the bug
#
# A colleague wants one number for how much fine detail a set of pictures has: the share of its power in waves faster
# than `cutoff`, without the constant part. Their function says that a thousand real digits have hardly any fast waves,
# while a single one of them has plenty. That cannot be.


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
# Where do the fast waves of a thousand digits go? Now write it correctly.


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
# - A convolution is a dense layer with nearly all weights zero and the rest shared. On images that is not a loss but
#   knowledge. Whether it beats a dense autoencoder in equal time hangs on what a convolution costs.
# - Halve and double exactly, flatten and narrow, and put a non-linearity between the layers: that is a convolutional
#   autoencoder, in some ten lines.
# - A stride of 2 treats even and odd pixels differently. Going in, that breaks equivariance for odd shifts. Going out,
#   it draws checkerboards; a kernel that is a multiple of the stride makes them weaker, resize + convolution weaker
#   still.
# - Unpooling indices and U-Net skips go *round* the code. A low error then says nothing about the code. **Swap the
#   codes and look.**
# - Reconstructions lose fast waves first, because squared error asks for the average of all images that share a code.
#   Measure what is lost on the *error*, not on what is drawn: a wrong digit is as sharp as a right one.
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
# ## From slide to cell
#
# | slide | it says | here | verdict |
# |---|---|---|---|
# | 001 *Convolution AutoEncoder*, 004 *CNN Autoencoder* | better than dense (C13) | section 4 | right under a condition: see the table there |
# | 003 *Transposed convolution* | enlarges a feature map (C14) | section 2 | right under a condition: mind kernel and stride |
# | 003 *Unpooling* | an alternative (C14) | section 3 | right under a condition: the input is at hand |
# | 002 *Convolutional Autoencoders* | output blurrier than input (C19) | section 6 | right: fast waves go first |
# | 002 *… Using Residual Networks* | skips make outputs sharper (C20) | section 5 | right under a condition: skips round the code |
# | 004 *CNN Autoencoder* | filters are feature detectors (C56) | Deeper · Filters | right under a condition: see the controls there |
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


# %% [markdown]
# ## Deeper · Filters as feature detectors
#
# *CNN filters act as feature detectors: high level such as patterns, low level such as edges or blobs* (slide 004). It
# is easy to agree: one looks at a few kernels, and sees edges. But an *untrained* kernel has a bright side and a dark
# side as well. So we need controls, and measures that can fail. Beside the trained encoder we put **the same encoder
# before training**, and sixteen filters **made by hand**. And we ask three things:
#
# 1. How much of a first-layer kernel is edge or blob? A kernel of 4×4 has 16 numbers, so there are 16 directions. Four
#    of them are plain: even brightness, an edge across, an edge down, a round blob. A kernel that points anywhere has,
#    on average, a quarter of its power in these four.
# 2. How selective is a unit? Take the nine digits that excite it most. How many of them show the same digit?
# 3. What can be read off? A linear classifier gets the feature maps, each averaged over its four quarters.

# %%
torch.manual_seed(0)
trained = lab.ConvAutoencoder(32, hidden=128)
untrained = copy.deepcopy(trained)  # the same weights to begin with
lab.fit(trained, data, steps=300, batch_size=64, initialise=False, progress=False)


def maps(model, layer):
    """The function that gives the feature maps behind the first or second convolution."""
    return model.encoder[: 1 + 3 * layer]  # each is followed by its normalisation and its SiLU


# %% tags=["folded"]
def made_by_hand():
    """Sixteen kernels (16, 1, 4, 4): edges in eight directions, bright and dark blobs, bars in four directions."""
    place = torch.linspace(-1.5, 1.5, 4)
    y, x = place[:, None].expand(4, 4), place[None, :].expand(4, 4)
    window = (-(x**2 + y**2) / 4).exp()
    edges = [x * angle.cos() + y * angle.sin() for angle in torch.arange(8) * torch.pi / 4]
    blobs = [sign * (-(x**2 + y**2) / width).exp() for width in (1, 3) for sign in (1, -1)]
    bars = [window * (2 * (x * a.cos() + y * a.sin())).cos() for a in torch.arange(4) * torch.pi / 4]
    kernels = torch.stack([*edges, *blobs, *(bar - bar.mean() for bar in bars)])
    return (kernels / kernels.flatten(1).norm(dim=1)[:, None, None])[:, None]


def by_hand(images):
    """Their feature maps, (B, 16, 14, 14)."""
    return F.relu(F.conv2d(images, made_by_hand(), stride=2, padding=1))


kernels = {"untrained": untrained.encoder[1].weight, "trained": trained.encoder[1].weight, "by hand": made_by_hand()}
lab.plot.image_rows(
    {name: 0.5 + 0.5 * w.detach() / w.detach().abs().amax(dim=(1, 2, 3), keepdim=True) for name, w in kernels.items()},
    alt="Sixteen kernels of 4×4 in each row, mid-grey is zero: untrained and trained ones are speckled and look alike, "
    "those made by hand are clean edges, blobs and bars.",
    scale=0.5,
)

# %%
place = torch.linspace(-1.5, 1.5, 4)
y, x = place[:, None].expand(4, 4), place[None, :].expand(4, 4)
plain = torch.linalg.qr(torch.stack([torch.ones(4, 4), x, y, x**2 + y**2]).flatten(1).T).Q  # (16, 4), orthonormal
share = {}
for name, weight in kernels.items():
    w = weight.detach().flatten(1)
    share[name] = float(((w @ plain).square().sum(dim=1) / w.square().sum(dim=1)).mean())
rounded = {name: round(value, 3) for name, value in share.items()}
lab.plot.bars(rounded, "share of a kernel that is edge or blob", baselines={"any direction": 0.25})

# %% [markdown]
# Now the units at work. Each square below shows the nine places in the test digits that excite one unit most: 4×4
# pixels for a unit of the first layer, 10×10 for one of the second, which sees the first layer's maps.


# %% tags=["folded"]
def nine_places(responses, layer):
    """The nine places that excite a unit most, each from another test digit, as one picture; responses: (N, h, w)."""
    size, step, start = ((4, 2, -1), (10, 4, -3))[layer - 1]
    strongest, where = responses.flatten(1).max(dim=1)
    wide, tiles = F.pad(data.test.images, (8, 8, 8, 8)), []
    for i in strongest.topk(9).indices.tolist():
        top, left = (start + 8 + step * place for place in divmod(int(where[i]), responses.shape[-1]))
        tiles.append(F.pad(wide[i, :, top : top + size, left : left + size], (1, 1, 1, 1), value=0.4))
    return torch.cat([torch.cat(tiles[k : k + 3], dim=2) for k in (0, 3, 6)], dim=1)


rows = {}
for number, layer in ((1, "first"), (2, "second")):
    for name, model in (("untrained", untrained), ("trained", trained)):
        responses = lab.metrics.in_batches(maps(model, number), data.test.images)
        rows[f"{layer} layer, {name}"] = torch.stack([nine_places(responses[:, unit], number) for unit in range(6)])
lab.plot.image_rows(
    rows,
    alt="For six units of each layer, untrained and trained, the nine places that excite them most. In the first layer "
    "they are pieces and edges of strokes, trained or not. In the second, untrained units take all kinds of strokes; of "
    "the trained ones, one takes upright bars, one the slants of sevens, one the turns at the top.",
    scale=1.0,
)

# %%
lab.predict(
    "A linear classifier reads the digit off the first layer's maps. Trained maps against untrained ones?",
    options=[
        "trained ones are better by more than 5 points",
        "the two are equal within 5 points",
        "untrained ones are better by more than 5 points",
    ],
    key="02-d-filters",
)


# %%
class Quarters:
    """The maps of a function as a code: each averaged over its four quarters."""

    def __init__(self, function):
        self.function = function

    def encode(self, x):
        return F.adaptive_avg_pool2d(self.function(x), 2).flatten(1)


layers = {"by hand": by_hand}
for name, model in (("untrained", untrained), ("trained", trained)):
    layers |= {f"first, {name}": maps(model, 1), f"second, {name}": maps(model, 2)}
read = {name: lab.metrics.probe(Quarters(function), data) for name, function in layers.items()}
lab.plot.bars(read, "digits read off by a linear classifier", baselines={"guessing": 0.1})

# %%
same = {}
for name, function in layers.items():
    strongest = lab.metrics.in_batches(function, data.test.images).amax(dim=(2, 3))  # (1000, units)
    nine = data.test.labels[strongest.topk(9, dim=0).indices]  # (9, units)
    same[name] = [int(unit.bincount().max()) for unit in nine.T]
nine_at_random = data.test.labels[torch.rand(2000, 1000).topk(9, dim=1).indices]
chance = sum(int(nine.bincount().max()) for nine in nine_at_random) / 2000
means = {name: round(sum(counts) / len(counts), 2) for name, counts in same.items()}
lab.plot.bars(means, "of the nine, how many show the same digit", baselines={"nine at random": chance})

# %%
ahead = read["first, trained"].value - read["first, untrained"].value
by_hand_ahead = read["by hand"].value - read["first, trained"].value
by_training = means["second, trained"] - means["second, untrained"]
lab.outcome(
    "02-d-filters",
    ahead,
    above={"trained ones are better by more than 5 points": 0.05, "the two are equal within 5 points": -0.05},
    otherwise="untrained ones are better by more than 5 points",
)

# %% tags=["nbval-check-output"]
lab.holds(
    ("edges and blobs: share in trained kernels, beyond untrained", share["trained"] - share["untrained"], ">", 0.02),
    ("second layer: same digit of nine, trained beyond untrained", by_training, ">", 0.2),
    ("by hand: digits read off, beyond the trained first layer", by_hand_ahead, ">", -0.02),
)

# %% [markdown]
# **What you should see.** Training turns the kernels towards edges and blobs, though by eye one hardly sees it after so
# short a run: {{100 * share["trained"]:.0f}} % of their power instead of {{100 * share["untrained"]:.0f}} %. It makes units of the second layer selective: of the nine digits
# that excite one most, {{means["second, trained"]:.1f}} show the same digit, untrained {{means["second, untrained"]:.1f}},
# and nine digits at random {{chance:.1f}}. But the first layer does so, too ({{means["first, trained"]:.1f}}). So far the
# slide: low levels, edges and blobs. That *high* levels detect more, two layers do not show.
#
# But now the controls. The digit can be read off the *untrained* first layer to
# {{100 * read["first, untrained"].value:.0f}} %, off the trained one to {{100 * read["first, trained"].value:.0f}} %, and
# off sixteen filters made by hand to {{100 * read["by hand"].value:.0f}} %. Any sixteen filters detect *something*, and
# pictures consist of edges and blobs whoever looks at them. That a kernel looks like an edge shows little; that it does
# so *more than before training* shows something. **The slide is right under a condition**: it is training that makes
# them detectors of features, and most of a first-layer kernel is neither edge nor blob (C56, over five seeds).
#
# **Try it.** Train for 3,000 steps. Do the kernels become cleaner? Does the classifier read more?

# %% [markdown]
# ## Deeper · What training does to the checkerboard
#
# A transposed convolution with kernel 4 and stride 2 gives every pixel the same number of stamps, but even and odd
# pixels read *different entries* of the kernel. So draw the kernels at random, as at the start of training. Then measure
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
lab.holds(
    ("untrained, resize + convolution: its share, in the smaller of the others", resize / min(k3, k4), "<", 0.3),
    ("untrained, kernel 4 alternates nevertheless", k4, ">", 0.05),
)

# %% [markdown]
# **What you should see.** Both transposed convolutions start out with a strong checkerboard. Resize + convolution has a
# share of {{resize:.2f}}: far less, but not nothing. On a *constant* map it has none, whatever its kernel. On a slope,
# the repeated pixels make stairs two pixels wide, and stairs alternate. "Use a kernel that is a multiple of the stride"
# evens out the *number* of stamps, not their weights; the rest is left to training. Does training do it? We train three
# small autoencoders for the same number of steps, and look at what is wrong with their pictures, the error image
# $\hat x - x$.

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
in_thousandths = {name: round(1000 * energy.value, 2) for name, energy in after.items()}
lab.plot.bars(in_thousandths, "alternating share of the error's variance, after training, in thousandths")

# %% tags=["nbval-check-output"]
k3, k4, resize = (energy.value for energy in after.values())
lab.holds(
    ("after training, kernel 3 over the larger of the other two", k3 / max(k4, resize), ">", 1.5),
    ("the pattern is a small part of every model's error: at most", max(k3, k4, resize), "<", 0.1),
)

# %%
lab.compare(trained, data, columns=["mse", "psnr"])[["mse", "mse_se", "psnr", "parameters"]].round(5)

# %% [markdown]
# **What you should see.** After training little is left of the pattern, yet kernel 3 leaves its mark: its error alternates
# {{k3 / max(k4, resize):.1f}} times as strongly as that of either other. It is a small part of
# the error on clean 28×28 digits, and the table shows no price for it. Which decoder has the lowest error *in all* has
# no firm answer after so short a run.
#
# **Try it.** Set `steps=20` and look at the two results again; then `width=16`.

# %% [markdown]
# ## Deeper · A long run
#
# The race of section 4 was short. Here is one of its runners, the convolutional one with augmentation, for 1,200 steps
# in place of 300: nothing else is changed. (`lab.ConvAutoencoder(32)` as it is, four times as wide inside, suggests
# 4,300 steps itself, which `fit` takes if `steps` is left out. It comes out better still.)

# %%
conv, pca = lab.ConvAutoencoder(latent=32, hidden=128), lab.PCA(32).fit(data.train)
history = lab.fit(conv, data, steps=1200, batch_size=64, augment=lab.augment.affine(), seed=0)
lab.plot.history(history, baselines=[pca], data=data)

# %%
lab.plot.reconstructions([pca, conv], data.test)

# %% tags=["nbval-check-output"]
full, of_pca = lab.metrics.mse(conv, data.test).value, lab.metrics.mse(pca, data.test).value
quarter = history.val["mse"][next(i for i, step in enumerate(history.step) if step >= 300)]
lab.holds(
    ("validation error at the end, in that after a quarter of the run", history.val["mse"][-1] / quarter, "<", 0.8),
    ("test error, in PCA's at the same code size", full / of_pca, "<", 0.5),
)

# %% [markdown]
# **What you should see.** Thirty-two numbers for 784 pixels, and it takes a second look to find the differences.
#
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
# much that nobody ever wrote, and nothing warns you. From 4 to 9 the open top closes evenly. But between a ring and a
# bar there is no digit: nothing much happens at first, then the 0 falls apart within two or three steps. A straight
# line through the [latent space]({{glossary}}#latent-space) leads through whatever lies there.

# %% [markdown]
# ## Deeper · Retrieval
#
# *Information retrieval* (slide 004): find the images most like this one. With codes, "like" is the distance between 32
# numbers instead of 784. A search is judged by **precision at 10**: of the ten nearest training images, how many show
# the same digit as the query? As always there must be baselines: the pixels themselves, and PCA.

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


# %%
conv = lab.ConvAutoencoder(latent=32, hidden=128)
lab.fit(conv, data, steps=300, batch_size=64, progress=False)
by = {"784 pixels": Pixels(), "32 components (PCA)": lab.PCA(32).fit(data.train), "32 codes (conv)": conv}
precision = {name: lab.metrics.retrieval_precision(model, data) for name, model in by.items()}
lab.plot.bars(precision, "precision at 10", baselines={"guessing": 0.1})

# %% tags=["nbval-check-output"]
difference = precision["32 codes (conv)"].value - precision["784 pixels"].value
lab.holds(("precision by 32 codes and by 784 pixels, apart by", abs(difference), "<", 0.05))
lab.outcome(
    "02-d-retrieval",
    difference,
    above={"clearly higher (by more than 5 points)": 0.05, "about the same (within 5 points)": -0.05},
    otherwise="clearly lower (by more than 5 points)",
)

# %%
queries = data.test.images[:4]
with torch.inference_mode():
    distance = torch.cdist(conv.encode(queries), lab.metrics.encode(conv, data.train))
found = data.train.images[distance.topk(9, largest=False).indices]  # (4, 9, 1, 28, 28)
lab.plot.image_rows(
    {f"query {i + 1}": torch.cat([queries[i : i + 1], found[i]]) for i in range(4)},
    alt="Four test digits, each followed by its nine nearest training images by code; nearly all show the same "
    "digit in a similar hand.",
    scale=0.5,
)

# %% [markdown]
# **What you should see.** Twenty-four times fewer numbers, and the search is about as good:
# {{precision["32 codes (conv)"].value:.3f}} against {{precision["784 pixels"].value:.3f}}. But PCA, solved in a second,
# has {{precision["32 components (PCA)"].value:.3f}}. **The slide is right under a condition**: codes serve retrieval,
# as projections do that nobody trained. Nothing in the training asked that images of one class be neighbours. It came
# along because similar pictures need similar codes.

# %% [markdown]
# ## Deeper · Correlated features
#
# Autoencoders *work very well with data that has correlated input features (i.e. not independent)*, says slide 004. This
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
ten = {"real": data.train.images[:10], "independent pixels": scrambled.train.images[:10]}
lab.plot.image_rows(
    ten, scale=0.5, alt="Ten digits, and ten clouds of dots: the same pixel values dealt out at random."
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
        relative[f"{kind}, {name} pixels"] = round(lab.metrics.mse(model, images.test).value / mean_image, 3)
variances = scrambled.test.images.flatten(1).var(dim=0).sort(descending=True).values
levels = {"mean image": 1.0, "remembering 32 pixels": 1 - float(variances[:32].sum() / variances.sum())}
lab.plot.bars(relative, "test error, as a share of the mean image's", baselines=levels)

# %% tags=["nbval-check-output"]
share = relative["conv, independent pixels"]
lab.holds(
    ("real digits: error, in the mean image's", relative["conv, real pixels"], "<", 1 / 3),
    ("independent pixels: error, in the mean image's", share, ">", 0.8),
)
lab.outcome(
    "02-d-independent-pixels",
    share,
    below={"less than half of it": 0.5, "5 to 50 % lower": 0.95},
    otherwise="the same within 5 %, or higher",
)

# %% [markdown]
# **What you should see.** Same pixels one by one, same network, same training; and hardly anything is left to learn.
# The best that a linear code of 32 numbers can do is to remember the 32 pixels that vary most and to answer the mean
# for all others: the dash-dotted line, which PCA nearly reaches. **The slide is right, and even too mild:** without
# correlations an undercomplete autoencoder does not work less well, it has nothing to compress *with*. All that it
# does, it does with redundancy.
#
# **Try it.** Permute blocks of 4×4 pixels instead of single ones. How much of the real digits' advantage comes back?
