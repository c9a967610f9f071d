# %% [markdown]
# # Lab 1 · The linear autoencoder
#
# *The best error there is, written down; the best code for a given decoder; whitening, mended; axes that come out in
# order*
#
# A linear autoencoder is the one model of this course whose best possible result can be written down. In this lab you
# write it down, mend a colleague's function, train a model whose axes come out in order, and read your own numbers.
#
# | part | points | how it is marked |
# |---|---|---|
# | 1 · The best error | 4 | by tests on other pictures |
# | 2 · The best code for a given decoder | 4 | by tests on other pictures |
# | 3 · A colleague's function | 4 | by tests on other pictures |
# | 4 · Axes in order | 4 | your model is trained anew, and measured on images it never saw |
# | 5 · Reading your numbers | 3 | they are worked out again |
# | 6 · In your own words | 4 | by a person |
#
# **Before you start**: notebook 01. **Time**: 75 minutes. Everything runs on two cores, without the internet.
#
# **How to work.** Write where it says `# your code here`. The cell under each part tells you at once what is wrong;
# `autoencoder-lab check lab1_linear.ipynb` does so for the whole notebook. Those cells check with pictures of their
# own, the marking with others: an answer that only fits the check earns nothing. Wrong in a usual way still earns a
# part of the points, and the feedback says which way that was.

# %% given="imports"
import torch
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
# ## 1 · The best error (4 points)
# The best that any linear autoencoder with $k$ numbers can do is known (Eckart and Young, 1936). With $\sigma_1 \ge
# \sigma_2 \ge \dots$ the singular values of the matrix of images, *after a step you have to think of yourself*, the
# squared errors of all images and pixels together are a sum of some $\sigma_i^2$.
#
# Derive which, and return the mean squared error per pixel. Reconstruct nothing.


# %% answer="best_error"
def best_error(images, k):
    """images: (N, C, H, W); 1 <= k. Return the smallest mean squared error per pixel of a linear autoencoder."""
    ### BEGIN SOLUTION
    flat = images.flatten(1)
    values = torch.linalg.svdvals(flat - flat.mean(dim=0))
    return values[k:].square().sum() / images.numel()
    ### END SOLUTION


# %% test="test_best_error" points=4
lab.checks.lab1.best_error.check(best_error)

# %% [markdown]
# ## 2 · The best code for a given decoder (4 points)
# A decoder is given: $\hat x = Wz + b$, with a matrix $W$ of shape (pixels, k) whose columns are neither of length 1
# nor at right angles to each other. Which code $z$ makes $\lVert x - \hat x\rVert^2$ smallest? Set the gradient to zero
# and solve.


# %% answer="best_code"
def best_code(images, weight, bias):
    """images: (N, C, H, W); weight: (pixels, k); bias: (pixels,). Return the best codes, (N, k)."""
    ### BEGIN SOLUTION
    centred = images.flatten(1) - bias
    return torch.linalg.solve(weight.T @ weight, weight.T @ centred.T).T
    ### END SOLUTION


# %% test="test_best_code" points=4
lab.checks.lab1.best_code.check(best_code)

# %% [markdown]
# ## 3 · A colleague's function (4 points)
# A colleague wants codes that are *white*: every one of the $k$ numbers has mean 0 and mean square 1 over the images,
# and no two are correlated. An axis may point either way, so the function makes the first image's numbers positive.
# Her function runs, and is wrong in two places.


# %%
def colleagues_codes(images, k):
    flat = images.flatten(1)
    centred = flat - flat.mean(dim=1, keepdim=True)
    _, values, axes = torch.linalg.svd(centred, full_matrices=False)
    codes = centred @ axes[:k].T
    codes = codes / (values[:k].square() / len(images))
    return codes * torch.where(codes[:1] < 0, -1.0, 1.0)


# %% [markdown]
# Look at what her codes are, find both mistakes, and write the function as it should be.


# %% answer="whitened_codes"
def whitened_codes(images, k):
    """images: (N, C, H, W). Return (N, k): mean 0, mean square 1, uncorrelated; strongest axis first."""
    ### BEGIN SOLUTION
    flat = images.flatten(1)
    centred = flat - flat.mean(dim=0)
    _, values, axes = torch.linalg.svd(centred, full_matrices=False)
    codes = centred @ axes[:k].T / (values[:k] / len(images) ** 0.5)
    return codes * torch.where(codes[:1] < 0, -1.0, 1.0)
    ### END SOLUTION


# %% test="test_whitened_codes" points=4
lab.checks.lab1.whitened_codes.check(whitened_codes)

# %% [markdown]
# ## 4 · Axes in order (4 points)
# A linear autoencoder finds the space of the principal components, and not their axes: any rotation of the code does as
# well. One change of the loss takes that freedom away. Let $\hat x_j$ be the reconstruction from the first $j$ numbers
# of the code alone, the others set to 0, and make **all** of these good at once:
#
# $$\text{loss} = \frac1k \sum_{j=1}^{k} \lVert x - \hat x_j \rVert^2 \text{, averaged over pixels and images.}$$
#
# Now the first number has to do as much as one number can, the second as much as is left. (Rippel, Gelbart and Adams,
# 2014, call it nested.) Write the model with its loss. It is trained below for 400 steps. While marking, your class is
# trained as long from new first weights, on digits whose pixels stand in an order that nobody knows (to a linear model
# one order is as good as another), and your loss is compared with the formula.


# %% answer="nested"
class NestedAutoencoder(nn.Module):
    """A linear encoder and decoder, 784 pixels and k = 8 numbers, whose every beginning of a code is useful."""

    def __init__(self, k=8):
        super().__init__()
        ### BEGIN SOLUTION
        self.encoder, self.decoder = nn.Linear(784, k), nn.Linear(k, 784)
        ### END SOLUTION

    def encode(self, images):
        """images: (N, 1, 28, 28). Return codes, (N, k)."""
        ### BEGIN SOLUTION
        return self.encoder(images.flatten(1))
        ### END SOLUTION

    def decode(self, codes):
        """codes: (N, k). Return images, (N, 1, 28, 28)."""
        ### BEGIN SOLUTION
        return self.decoder(codes).view(-1, 1, 28, 28)
        ### END SOLUTION

    def loss(self, images):
        """images: (N, 1, 28, 28). Return the nested loss, one number."""
        ### BEGIN SOLUTION
        codes = self.encode(images)
        first = torch.ones(codes.shape[1], codes.shape[1]).tril()  # row j: the first j + 1 numbers count
        shown = (codes[None] * first[:, None]).flatten(0, 1)
        return (self.decode(shown) - images.repeat(len(first), 1, 1, 1)).square().mean()
        ### END SOLUTION


# %% given="train"
torch.set_num_threads(1)  # as while marking; so small a model gains next to nothing from a second one
torch.manual_seed(0)
model = NestedAutoencoder()
if model.loss(data.train.images[:8]) is not None:
    optimiser = torch.optim.Adam(model.parameters(), 2e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 400)
    for _ in range(400):
        loss = model.loss(data.train.images[torch.randint(len(data.train), (64,))])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()

# %% test="test_nested" points=4
lab.checks.lab1.nested(model, data.val.images)

# %% [markdown]
# ## 5 · Reading your numbers (3 points)
# Everybody has a collection of their own for this: some hundred digits, of some many and of others few, in a brighter
# or a fainter hand. Its numbers are yours alone.

# %% given="collection"
mine = lab.own_collection(STUDENT)

# %% [markdown]
# On the images of **your** collection, `mine.train.images`: what share of the variance do the first two numbers of the
# best linear autoencoder keep? And what is the smallest $k$ with which it loses at most a tenth of the variance? Work
# it out with anything you like. The share is worth two points. The whole number adds the third: alone it earns nothing,
# since one can guess it.

# %% answer="reading"
smallest_k = None  # a whole number
share_of_two = None  # between 0 and 1, to four decimals at least
### BEGIN SOLUTION
flat = mine.train.images.flatten(1)
energy = torch.linalg.svdvals(flat - flat.mean(dim=0)).square()
kept = energy.cumsum(0) / energy.sum()
smallest_k = int((kept < 0.9).sum()) + 1
share_of_two = float(kept[1])
### END SOLUTION

# %% test="test_reading" points=3
lab.checks.lab1.reading(mine.train.images, smallest_k, share_of_two)

# %% [markdown]
# ## 6 · In your own words (4 points)
# The nested loss pins the axes down; the plain squared error does not. In at most 150 words: why does the plain loss
# not care about a rotation of the code, and what exactly in the nested loss does? Would a nonlinear decoder change
# your answer?

# %% [markdown] manual="words" points=4
# Any invertible matrix put behind the encoder can be undone before the decoder, so the plain loss sees only the space
# (1 point). Setting the later numbers to 0 treats the numbers differently: a rotation mixes what is kept with what is
# dropped (1 point). By induction the first number must take the strongest direction, the second the strongest of what
# is left (1 point). A nonlinear decoder can undo any invertible change of the code, so the plain loss is even less
# particular; the nested one still orders the numbers by their use (1 point).
