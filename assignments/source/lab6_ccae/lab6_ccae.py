# %% [markdown]
# # Lab 6 · Contrast and collapse
#
# *A loss that contrasts, and two that do not; what went wrong, told from embeddings alone; two halves of a digit,
# matched without a label*
#
# Slide 000 calls its autoencoder *contrastive*, and its loss contrasts nothing. In this lab you write a loss that does,
# take apart two that do not, learn to tell from the embeddings alone what went wrong, and train two encoders which find
# out, without a single label, which two halves belong to one digit.
#
# | part | points | how it is marked |
# |---|---|---|
# | 1 · A loss that contrasts | 4 | by tests on other embeddings |
# | 2 · The covariance term from the small side | 4 | by tests on other embeddings, among them very wide ones |
# | 3 · A colleague's Barlow Twins | 3 | by tests on other embeddings |
# | 4 · A diagnosis | 4 | by batches of all four kinds |
# | 5 · Two halves of a digit | 4 | your model is trained anew, and measured on images it never saw |
# | 6 · Reading your numbers | 3 | they are worked out again |
# | 7 · In your own words | 3 | by a person |
#
# **Before you start**: notebook 06, sections 1 and 2. **Time**: 85 minutes. Everything runs on two cores, without the
# internet.
#
# **How to work.** Write where it says `# your code here`. The cell under each part tells you at once what is wrong;
# `autoencoder-lab check lab6_ccae.ipynb` does so for the whole notebook. Those cells check with numbers of their own,
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
# ## 1 · A loss that contrasts (4 points)
# Every image $i$ of a batch has two embeddings, $z_i$ and $z'_i$: it was seen twice. Ask $z_i$ *which of all the $z'_j$
# is your twin?* That is a question with $B$ answers, and the usual loss for such a question is the negative logarithm
# of the probability given to the right one. The same is asked the other way round:
#
# $$\ell = -\frac{1}{2B} \sum_{i=1}^{B} \left[ \log \frac{e^{s_{ii}/\tau}}{\sum_{j=1}^{B} e^{s_{ij}/\tau}} + \log
# \frac{e^{s_{ii}/\tau}}{\sum_{j=1}^{B} e^{s_{ji}/\tau}} \right], \qquad s_{ij} = \cos \angle (z_i, z'_j)$$
#
# The other images are the **negatives**, $\tau$ is the temperature. This is InfoNCE (van den Oord, Li and Vinyals,
# 2018), taken both ways as in CLIP (Radford et al., 2021). Write it.


# %% answer="info_nce"
def info_nce(z, other, temperature):
    """z, other: (B, D), row i of both from one image; temperature: a number > 0. Return the loss, one number."""
    ### BEGIN SOLUTION
    similar = F.normalize(z, dim=1) @ F.normalize(other, dim=1).T / temperature
    twin = torch.arange(len(z))
    return (F.cross_entropy(similar, twin) + F.cross_entropy(similar.T, twin)) / 2
    ### END SOLUTION


# %% test="test_info_nce" points=4
lab.checks.lab6.info_nce.check(info_nce)

# %% [markdown]
# ## 2 · The covariance term from the small side (4 points)
# VICReg's covariance term (notebook 06) is
#
# $$c(Z) = \frac1D \sum_{j \ne k} C_{jk}^2, \qquad C = \frac{1}{B-1}\,\bar Z^{\mathsf T} \bar Z, \qquad \bar Z = Z
# \text{ less the mean of each column.}$$
#
# Slide 000's projector has $D = 8192$, so $C$ holds 67 million numbers, made from a batch of perhaps 256 embeddings.
# Most of that work is for nothing: *all* squares of $C$ together can be had from a matrix of $B \times B$, and those on
# its diagonal from the columns one by one. Find out how (write $\sum_{jk} C_{jk}^2$ as the trace of $C^{\mathsf T} C$,
# and turn the factors round), and return $c(Z)$ without a matrix of $D \times D$. The marking tries $D = 24{,}000$.


# %% answer="covariance_term"
def covariance_term(z):
    """z: (B, D), D possibly very large. Return VICReg's covariance term, one number, without any D × D matrix."""
    ### BEGIN SOLUTION
    centred = (z - z.mean(dim=0)) / (len(z) - 1) ** 0.5
    gram = centred @ centred.T  # tr(CᵀC) = tr(Z̄ᵀZ̄ Z̄ᵀZ̄) = tr(Z̄Z̄ᵀ Z̄Z̄ᵀ), up to (B − 1)²
    variances = centred.square().sum(dim=0)
    return (gram.square().sum() - variances.square().sum()) / z.shape[1]
    ### END SOLUTION


# %% test="test_covariance_term" points=4
lab.checks.lab6.small_side(covariance_term)

# %% [markdown]
# ## 3 · A colleague's Barlow Twins (3 points)
# A relative of VICReg (Zbontar et al., 2021) looks at one matrix only, the *cross-correlation* of the two views. Let
# $R_{jk}$ be the correlation, over the batch, of column $j$ of $Z$ with column $k$ of $Z'$. $R$ should be the unit
# matrix:
#
# $$\ell = \sum_j (1 - R_{jj})^2 + \lambda \sum_{j \ne k} R_{jk}^2$$
#
# A colleague wrote it, with variances and correlations that divide by $B$. Trained with her function, an encoder gets
# embeddings with which no view finds its twin; and even where two views agree in every number and no column repeats
# another, she never sees a loss of 0. The function is wrong in two places.


# %%
def colleagues_loss(z, other, weight):
    z = (z - z.mean(dim=0)) / z.std(dim=0, correction=0)
    other = (other - other.mean(dim=0)) / other.std(dim=0, correction=0)
    correlation = z.T @ z / len(z)
    agreement = (1 - correlation.diagonal()).square().sum()
    repetition = correlation.square().sum()
    return agreement + weight * repetition


# %% [markdown]
# Find both mistakes, and write the function as it should be.


# %% answer="barlow_twins"
def barlow_twins(z, other, weight):
    """z, other: (B, D), row i of both from one image; weight: λ. Return the loss, one number."""
    ### BEGIN SOLUTION
    z = (z - z.mean(dim=0)) / z.std(dim=0, correction=0)
    other = (other - other.mean(dim=0)) / other.std(dim=0, correction=0)
    correlation = z.T @ other / len(z)
    agreement = (1 - correlation.diagonal()).square().sum()
    repetition = correlation.square().sum() - correlation.diagonal().square().sum()
    return agreement + weight * repetition
    ### END SOLUTION


# %% test="test_barlow_twins" points=3
lab.checks.lab6.barlow_twins.check(barlow_twins)

# %% [markdown]
# ## 4 · A diagnosis (4 points)
# Somebody sends you the embeddings of 120 images, each seen twice, and no word about how they were trained. Say what
# happened; where two kinds fit, the first in this order:
#
# | return | what happened |
# |---|---|
# | 1 | **one point**: all images have practically the same embedding |
# | 2 | **few directions**: the embeddings differ, but only along one or two directions of the $D \ge 12$ there are |
# | 3 | **twins parted**: the embeddings fill their space, but $z_i$ and $z'_i$ have nothing to do with each other |
# | 0 | **healthy**: none of these |
#
# Columns vary with a standard deviation of 0.5 or more, those of a batch at one point with less than 0.01. Nothing is
# near a borderline, so which limits you choose does not matter much. *What* you measure does: embeddings may lie far
# from the origin, and some batches spread ten times as much as others. Neither is a fault.


# %% answer="diagnosis"
def diagnosis(z, other):
    """z, other: (120, D), row i of both from one image. Return 0, 1, 2 or 3."""
    ### BEGIN SOLUTION
    if z.std(dim=0).mean() < 0.1:
        return 1
    strength = torch.linalg.eigvalsh(torch.cov(z.T)).clamp(min=0)
    if strength.sum().square() / strength.square().sum() < z.shape[1] / 3:  # the participation ratio
        return 2
    found = torch.cdist(z, other).argmin(dim=1) == torch.arange(len(z))
    return 0 if found.float().mean() > 0.5 else 3
    ### END SOLUTION


# %% test="test_diagnosis" points=4
lab.checks.lab6.diagnosis(diagnosis)

# %% [markdown]
# ## 5 · Two halves of a digit (4 points)
# Crops of one image look alike, so part of the work is done by the pixels. Here are views that do not share one pixel:
# the left and the right part of a digit, with four columns cut out between them. What both know of is *which digit it
# is, how it leans, how thick the pen was*; and nobody says so.


# %% given="cut"
def cut(images):
    """images: (N, 1, 28, 28). Return their left and their right part, (N, 1, 28, 12) each."""
    return images[..., :12], images[..., 16:]


# %% [markdown]
# Write two encoders, one for left halves and one for right ones, which give both halves of an image codes of 16 numbers
# that point the same way, and different images different ones. Dense layers are enough: one hidden layer of 128 to 256
# numbers trains in seconds. Use your loss of part 1, with a temperature between 0.1 and 0.3, or one of your own. The
# model is trained below for 400 steps. While marking, your class is trained as long from new first weights, on an
# alphabet of twenty letters that nobody has seen before: what it can do must lie in its layers.
#
# Three things are measured, on images that it has not seen: how often a left half's own right half is among the ten
# nearest (by angle) of 400, the effective rank of the codes, and how well a linear probe reads the digit (while
# marking, the letter). The first decides and is worth half of the points, the others add a quarter each. What an
# ordinary model of this kind reaches is enough; chance would find 2.5 % of the halves.


# %% answer="halves"
class TwoHalves(nn.Module):
    """Two encoders into one space, 16 numbers a code."""

    def __init__(self):
        super().__init__()
        ### BEGIN SOLUTION
        self.left, self.right = (
            nn.Sequential(nn.Flatten(), nn.Linear(28 * 12, 256), nn.ReLU(), nn.Linear(256, 16)) for _ in range(2)
        )
        ### END SOLUTION

    def encode_left(self, halves):
        """halves: (N, 1, 28, 12), left ones. Return codes, (N, 16)."""
        ### BEGIN SOLUTION
        return self.left(halves)
        ### END SOLUTION

    def encode_right(self, halves):
        """halves: (N, 1, 28, 12), right ones. Return codes, (N, 16)."""
        ### BEGIN SOLUTION
        return self.right(halves)
        ### END SOLUTION

    def loss(self, left, right):
        """left, right: (B, 1, 28, 12), row i of both from one image. Return what training makes small, one number."""
        ### BEGIN SOLUTION
        return info_nce(self.encode_left(left), self.encode_right(right), 0.2)
        ### END SOLUTION


# %% given="train"
torch.manual_seed(0)
model = TwoHalves()
if model.loss(*cut(data.train.images[:8])) is not None:
    change = lab.augment.affine()
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 400)
    for _ in range(400):
        batch = change(data.train.images[torch.randperm(len(data.train))[:128]])
        loss = model.loss(*cut(batch))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()

# %% test="test_halves" points=4
lab.checks.lab6.halves(model, *cut(data.val.images), data.val.labels)

# %% [markdown]
# ## 6 · Reading your numbers (3 points)
# Everybody has a collection of their own for this: some hundred digits, of some many and of others few, in a brighter
# or a fainter hand. Its numbers are yours alone.

# %% given="collection"
mine = lab.own_collection(STUDENT)

# %% [markdown]
# In part 5 every other image of the batch was a negative, also those that show the *same digit*. How many would these
# be with a batch from your collection? And how much does one half tell at all? On the images of **your** collection,
# `mine.train`, exactly, not by drawing:
#
# - `false_negatives`: take an image of the digit you have most images of, and 127 more at random, all 128 different.
#   How many of the 127 show its digit, on average? Two decimals at least.
# - `left_tells`: for every left half (as `cut` gives it) take the nearest *other* left half, by the squared error of
#   the pixels. How often does it show the same digit? A share, four decimals at least. `right_tells`: the same for
#   right halves.

# %% answer="reading"
false_negatives = None  # a number of images
left_tells = None  # between 0 and 1
right_tells = None  # between 0 and 1
### BEGIN SOLUTION
most = mine.train.labels.bincount().max().item()
false_negatives = 127 * (most - 1) / (len(mine.train) - 1)


def nearest_tells(images):
    apart = torch.cdist(images.flatten(1), images.flatten(1)).fill_diagonal_(torch.inf)
    return (mine.train.labels[apart.argmin(dim=1)] == mine.train.labels).float().mean().item()


left_tells, right_tells = map(nearest_tells, cut(mine.train.images))
### END SOLUTION

# %% test="test_reading" points=3
lab.checks.lab6.reading(mine.train, false_negatives, left_tells, right_tells)

# %% [markdown]
# ## 7 · In your own words (3 points)
# In at most 150 words: both InfoNCE and VICReg keep embeddings from collapsing. What does each of them push apart, and
# which of them deserves the word *contrastive*? In part 5 an image was pushed away from as many images of its own digit
# as you counted in part 6: why can a probe still read the digit?

# %% [markdown] manual="words" points=3
# InfoNCE pushes each embedding away from single other images, the negatives; VICReg asks each column of the batch to
# spread and columns not to repeat each other, and compares no image with another (1 point). So InfoNCE is contrastive
# and VICReg, and with it slide 000's CCAE, is not; either excludes the constant embedding, by paying log B or by the
# variance term (1 point). An image's pull towards its twin goes through what both halves share, above all the digit;
# same-digit negatives are about a tenth, the other nine tenths push digits apart, and within a digit a small distance
# is enough to tell images apart (1 point; any two of these reasons).
