# %% [markdown]
# # Lab 2 · The convolutional autoencoder
#
# *Sizes that come back; what one number has seen; two enlargements with one stamp; a mirrored decoder; a code that is a
# map*
#
# To build a convolutional autoencoder is mostly a matter of making two halves fit: sizes that come back, windows that
# are wide enough, a decoder that is the mirror of its encoder. In this lab you work these out once for good, mend a
# colleague's decoder, and build an autoencoder whose code is itself a small map, so that it takes pictures of any size.
#
# | part | points | how it is marked |
# |---|---|---|
# | 1 · Sizes that come back | 3 | by tests on other layers |
# | 2 · What one number has seen | 3 | by tests on other layers |
# | 3 · Two enlargements, one stamp | 4 | by tests on other kernels |
# | 4 · A colleague's decoder | 4 | by tests on other weights |
# | 5 · A code that is a map | 4 | your model is trained anew, and measured on pictures it never saw |
# | 6 · Reading your numbers | 3 | they are worked out again |
# | 7 · In your own words | 4 | by a person |
#
# **Before you start**: notebook 02. **Time**: 85 minutes. Everything runs on two cores, without the internet.
#
# **How to work.** Write where it says `# your code here`. The cell under each part tells you at once what is wrong;
# `autoencoder-lab check lab2_conv.ipynb` does so for the whole notebook. Those cells check with numbers of their own,
# the marking with others: an answer that only fits the check earns nothing. Wrong in a usual way still earns a part of
# the points, and the feedback says which way that was.

# %% given="imports"
import torch
import torch.nn.functional as F
from torch import nn

import autoencoder_lab as lab

# %% [markdown]
# **Your images.** Put in your id: it draws 2,000 training images of your own out of 3,500 real digits, so your numbers
# differ a little from your neighbour's.

# %% answer="student"
STUDENT = "your-id"
### BEGIN SOLUTION
STUDENT = "solution"
### END SOLUTION

# %% given="data"
data = lab.own_images(STUDENT)

# %% [markdown]
# ## 1 · Sizes that come back (3 points)
# A convolution with kernel $k$, stride $s$ and padding $p$ makes of $n$ pixels a side
#
# $$m = \left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1 ,
# \qquad\text{and a transposed one makes of } m \text{ again}\qquad (m - 1)\,s - 2p + k + o .$$
#
# Because of the $\lfloor\cdot\rfloor$ several $n$ lead to the same $m$; the *output padding* $o$ says which of them is
# meant. The decoder mirrors the encoder: its first layer has kernel, stride and padding of the encoder's last, and so
# on. Derive the $o$ of every layer such that all sizes come back.


# %% answer="output_paddings"
def output_paddings(size, layers):
    """size: of the image, pixels a side; layers: (L, 3), kernel, stride and padding of the encoder's layers in order.

    Return a tuple of L whole numbers: the output paddings of the decoder's layers, the decoder's first layer first.
    """
    ### BEGIN SOLUTION
    paddings = []
    for kernel, stride, padding in layers.tolist():
        steps, left_over = divmod(size + 2 * padding - kernel, stride)
        paddings.append(left_over)
        size = steps + 1
    return tuple(reversed(paddings))
    ### END SOLUTION


# %% test="test_output_paddings" points=3
lab.checks.lab2.output_paddings.check(output_paddings)

# %% [markdown]
# ## 2 · What one number has seen (3 points)
# A number deep in an encoder depends on a window of the image, its *receptive field*. Which? Count the pixels of a row
# from 0, those of the padding too: left of the image they are $-1, -2, \dots$ Start at the number and go down layer by
# layer: which places of the layer below does it see, and which do these see?


# %% answer="window"
def window(layers, place):
    """layers: (L, 3), kernel, stride and padding of each, the first one sees the image; place: in the last layer's map.

    Return a tuple (first, last): the first and the last pixel of a row that the number at this place depends on.
    """
    ### BEGIN SOLUTION
    first = last = place
    for kernel, stride, padding in reversed(layers.tolist()):
        first = first * stride - padding
        last = last * stride - padding + kernel - 1
    return first, last
    ### END SOLUTION


# %% test="test_window" points=3
lab.checks.lab2.window.check(window)

# %% [markdown]
# ## 3 · Two enlargements, one stamp (4 points)
# Against checkerboards one enlarges by `nn.Upsample(scale_factor=2)`, which repeats every pixel 2×2 times, and
# convolves afterwards. Together the two are linear, and they treat all places alike, two output pixels for one input
# pixel. So they *are* a transposed convolution of stride 2, with a kernel of its own. Which? For a kernel of odd size
# $k$ find the kernel of size $k + 1$ with which both lines give the same:
#
# ```python
# F.conv2d(F.interpolate(x, scale_factor=2), kernel, padding=k // 2)
# F.conv_transpose2d(x, stamp_kernel(kernel), stride=2, padding=k // 2)
# ```
#
# Begin with a row: which entries of the kernel does one small pixel meet, and where does each of them leave its mark?


# %% answer="stamp_kernel"
def stamp_kernel(kernel):
    """kernel: (out, in, k, k) of a Conv2d, k odd. Return (in, out, k + 1, k + 1) of the ConvTranspose2d."""
    ### BEGIN SOLUTION
    turned = kernel.flip(2, 3).transpose(0, 1)
    wide = F.pad(turned, (1, 1, 1, 1))
    return wide[..., 1:, 1:] + wide[..., 1:, :-1] + wide[..., :-1, 1:] + wide[..., :-1, :-1]
    ### END SOLUTION


# %% test="test_stamp_kernel" points=4
lab.checks.lab2.stamp_kernel.check(stamp_kernel)

# %% [markdown]
# ## 4 · A colleague's decoder (4 points)
# A colleague leaves all nonlinearities out, to see what the wiring alone does. Her encoder is right. Her decoder uses
# the same weights and is meant to be its mirror in the strict sense, the transposed matrix:
#
# $$\langle \text{encoder}(x),\, z \rangle = \langle x,\, \text{decoder}(z) \rangle
# \qquad\text{for all } x \text{ and } z .$$
#
# It runs, the shapes are right, it even learns something. It is wrong in two places.


# %%
def colleagues_encoder(images, first, second, dense):
    maps = F.conv2d(images, first, stride=2, padding=1)  # 28 → 14
    maps = F.conv2d(maps, second, stride=2, padding=1)  # 14 → 7
    return maps.flatten(1) @ dense


def colleagues_decoder(codes, dense, second, first):
    maps = (codes @ dense.T).view(len(codes), 7, 7, -1).permute(0, 3, 1, 2)
    maps = F.conv_transpose2d(maps, second, stride=2, padding=1)
    images = F.conv_transpose2d(maps, first, stride=2, padding=1)
    return F.interpolate(images, size=(28, 28))


# %% [markdown]
# Find both mistakes, and write the decoder as it should be. The equation above is a test you can run yourself.


# %% answer="mirrored_decoder"
def mirrored_decoder(codes, dense, second, first):
    """codes: (N, k); dense: (channels · 49, k); second: (channels, width, 3, 3); first: (width, 1, 3, 3).

    Return images (N, 1, 28, 28): the mirror of colleagues_encoder.
    """
    ### BEGIN SOLUTION
    maps = (codes @ dense.T).view(len(codes), -1, 7, 7)
    maps = F.conv_transpose2d(maps, second, stride=2, padding=1, output_padding=1)
    return F.conv_transpose2d(maps, first, stride=2, padding=1, output_padding=1)
    ### END SOLUTION


# %% test="test_mirrored_decoder" points=4
lab.checks.lab2.mirrored_decoder.check(mirrored_decoder)

# %% [markdown]
# ## 5 · A code that is a map (4 points)
# Most convolutional autoencoders end in a dense layer, and there the convolution's promise ends: the dense layer knows
# 28×28 pixels and nothing else. Build one **without any dense layer**. Three convolutions of kernel 3, stride 2 and
# padding 1 lead from 28 pixels to 14, 7 and 4; let the last have 2 channels, and the code is a map of 2 × 4 × 4 = 32
# numbers. The decoder is the mirror. Take 16 channels after the first convolution and 32 after the second, and a ReLU
# where there ought to be one.
#
# It has some 10,000 parameters. A code of 32 numbers by a dense layer from 32 × 7 × 7 values would cost 50,000 more.
# And since no layer knows the size, the same weights have to serve a canvas of 60×60 with four digits, which they have
# never seen: 60 → 30 → 15 → 8. (Do your output paddings suit both sizes?)
#
# It is trained below for 500 steps on the mean squared error. While marking, your class is trained for as many steps
# from new first weights, on scribbles of a pen that nobody has seen before, and shown others: what it can do must lie
# in its layers. Its maps then travel to the decoder with a little noise on them.


# %% answer="map_autoencoder"
class MapAutoencoder(nn.Module):
    """Convolutions alone: an image (N, 1, H, W) becomes a map (N, 2, about H/8, about W/8), and an image again."""

    def __init__(self):
        super().__init__()
        ### BEGIN SOLUTION
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 2, 3, stride=2, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(2, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 3, stride=2, padding=1, output_padding=1),
        )
        ### END SOLUTION

    def encode(self, images):
        """images: (N, 1, H, W). Return maps, (N, 2, h, w); (N, 2, 4, 4) for images of 28×28."""
        ### BEGIN SOLUTION
        return self.encoder(images)
        ### END SOLUTION

    def decode(self, maps):
        """maps: (N, 2, h, w). Return images, (N, 1, H, W)."""
        ### BEGIN SOLUTION
        return self.decoder(maps)
        ### END SOLUTION


# %% given="train"
torch.set_num_threads(1)  # as while marking; so small a model gains next to nothing from a second one
torch.manual_seed(0)
model = MapAutoencoder()
first_images = data.train.images[:8]
if model.encode(first_images) is not None and model.decode(model.encode(first_images)) is not None:
    optimiser = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-2, total_steps=500)
    for _ in range(500):
        images = data.train.images[torch.randint(len(data.train), (32,))]
        loss = (model.decode(model.encode(images)) - images).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
model.eval()  # for those who put in a layer that minds

# %% test="test_map_autoencoder" points=4
lab.checks.lab2.map_autoencoder(model, data.val.images)

# %% [markdown]
# ## 6 · Reading your numbers (3 points)
# Everybody has a collection of their own for this: some hundred digits, of some many and of others few, in a brighter
# or a fainter hand. Its numbers are yours alone.

# %% given="collection"
mine = lab.own_collection(STUDENT)

# %% [markdown]
# What does it cost to code every place in the same way, whatever stands elsewhere? For linear models this can be worked
# out. Cut the images of **your** collection, `mine.train.images`, into 4×4 blocks of 7×7 pixels. The best that a
# convolution of kernel 7 and stride 7 with $c$ channels can do, once the mean block is subtracted, is PCA with $c$
# components on *all blocks of all images together*: $16\,c$ numbers an image.
#
# - `block_error`: what mean squared error per pixel does it have with $c = 2$, that is, with 32 numbers an image?
# - `times`: PCA of whole images with 32 components has an error, too. How many times as large is that of the blocks?

# %% answer="reading"
block_error = None  # mean squared error per pixel, to four digits at least
times = None  # a ratio, to four digits at least
### BEGIN SOLUTION
images = mine.train.images
blocks = images.unfold(2, 7, 7).unfold(3, 7, 7).reshape(-1, 49)
energy_of_blocks = torch.linalg.svdvals(blocks - blocks.mean(dim=0)).square()
flat = images.flatten(1)
whole_error = torch.linalg.svdvals(flat - flat.mean(dim=0)).square()[32:].sum() / images.numel()
errors = [float(energy_of_blocks[c:].sum() / images.numel()) for c in range(50)]
block_error = errors[2]
times = block_error / float(whole_error)
### END SOLUTION

# %% test="test_reading" points=3
lab.checks.lab2.reading(mine.train.images, block_error, times)

# %% [markdown]
# ## 7 · In your own words (4 points)
# You have three codes of 32 numbers: PCA of whole images, PCA of blocks, and your map from part 5, whose error the
# check printed. In at most 150 words: why do the blocks do so much worse than whole images? Name two things that the
# map can do and the blocks cannot (part 2 tells you one of them). And what can blocks and map do that PCA of whole
# images cannot?

# %% [markdown] manual="words" points=4
# PCA of whole images knows where each pixel lies and what stands at the other end of the picture; blocks spend the same
# two numbers on an empty corner as on the middle, and cannot use that distant strokes belong together (1 point). The
# map's windows overlap: one number sees 15×15 pixels and neighbouring numbers share a stroke between them (1 point). It
# is not linear: ReLUs let two numbers stand for many more shapes than sums of two pictures (1 point). Blocks and map
# work at every place alike, hence on pictures of any size and wherever the digit stands, with a fraction of the
# parameters (1 point).
