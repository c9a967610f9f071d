# %% [markdown]
# # Lab 3 · Denoising and inpainting
#
# *Decibels put together rightly; the best linear answer; figures that are too good; what no linear map can know; lost
# rows*
#
# Whoever removes damage has to be able to say three things: how good the result is, how good it could be at best, and
# whether the training was what it seemed to be. In this lab you put decibels together rightly, derive the best linear
# answer to a damage the course has not treated, find out why a colleague's figures are too good, train a network that
# fills in lost rows, and read off your own images what no linear map can know.
#
# | part | points | how it is marked |
# |---|---|---|
# | 1 · Decibels do not add up | 3 | by tests on other figures |
# | 2 · Lost pixels and noise | 4 | by tests on other covariances |
# | 3 · A colleague's pair | 4 | by tests on other pictures |
# | 4 · What no linear map can know | 3 | by tests on other covariances |
# | 5 · Lost rows | 4 | your model is trained anew, and restores pictures it never saw |
# | 6 · Reading your numbers | 3 | they are worked out again |
# | 7 · In your own words | 4 | by a person |
#
# **Before you start**: notebook 03. **Time**: 85 minutes. Everything runs on two cores, without the internet.
#
# **How to work.** Write where it says `# your code here`. The cell under each part tells you at once what is wrong;
# `autoencoder-lab check lab3_denoising.ipynb` does so for the whole notebook. Those cells check with numbers of their
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
# ## 1 · Decibels do not add up (3 points)
# A paper lists for each of its test images the PSNR, $-10\log_{10}\mathrm{MSE}$ with pixel values in $[0, 1]$, and
# averages the list. One image that came out almost perfect lifts such an average as far as it likes. The *pooled* PSNR,
# which this course uses, is that of all pixels of all images together. It can be had from the list, if one knows how
# many pixels each image has.


# %% answer="pooled_psnr"
def pooled_psnr(psnrs, pixels):
    """psnrs: (N,), one for each image, in dB; pixels: (N,), how many it has. Return the PSNR of all pixels together."""
    ### BEGIN SOLUTION
    errors = 10 ** (-psnrs / 10)
    return -10 * ((errors * pixels).sum() / pixels.sum()).log10()
    ### END SOLUTION


# %% test="test_pooled_psnr" points=3
lab.checks.lab3.pooled_psnr.check(pooled_psnr)

# %% [markdown]
# ## 2 · Lost pixels and noise (4 points)
# A cheap camera: every pixel, by itself, is lost with probability $q$ and shows 0; after that, noise of standard
# deviation $\sigma$ is added to all of them, and nothing is clipped:
#
# $$\tilde x_i = m_i x_i + \sigma \varepsilon_i, \qquad m_i = 0 \text{ with probability } q, \text{ else } 1 .$$
#
# The best linear map has the form you know from notebook 03,
#
# $$\hat x = K\tilde x + b, \qquad K = \mathrm{Cov}(x, \tilde x)\,\mathrm{Cov}(\tilde x)^{-1}, \qquad
# b = \mathbb E x - K\, \mathbb E \tilde x .$$
#
# Derive the two covariances and the mean of $\tilde x$ from the mean and the covariance of the clean images alone. No
# sampling: it would not be exact enough for the tests. (What is the variance of a product $m_i x_i$? Of what is
# $\mathbb E\,x_i^2$ made?)


# %% answer="best_linear"
def best_linear(mean, covariance, lost, sigma):
    """mean: (D,), covariance: (D, D), of the clean images; lost: the probability q; sigma: of the noise.

    Return K, (D, D), and b, (D,).
    """
    ### BEGIN SOLUTION
    kept = 1 - lost
    dropped = lost * kept * (covariance.diagonal() + mean.square())
    of_seen = kept**2 * covariance + torch.diag(dropped + sigma**2)
    matrix = kept * covariance @ torch.linalg.inv(of_seen)
    return matrix, mean - matrix @ (kept * mean)
    ### END SOLUTION


# %% test="test_best_linear" points=4
lab.checks.lab3.best_linear.check(best_linear)

# %% [markdown]
# ## 3 · A colleague's pair (4 points)
# Old film has scratches: in image $i$ the columns from `starts[i]` on, `width` of them, are grey (0.5). A colleague
# writes the function that makes a training pair, the damaged images and the clean ones as the target. With it her
# network comes down to a training error of nearly nothing within minutes. On real scratched film it does nothing at
# all. Her function is wrong in two places.


# %%
def colleagues_pair(images, starts, width):
    damaged = images
    for start in starts.tolist():
        damaged[..., start : start + width] = 0.5
    return damaged, images


# %% [markdown]
# Look at what comes out, find both mistakes, and write the function as it should be.


# %% answer="scratched_pair"
def scratched_pair(images, starts, width):
    """images: (N, C, H, W), clean; starts: (N,), whole numbers. Return (damaged, clean)."""
    ### BEGIN SOLUTION
    damaged = images.clone()
    for image, first_column in zip(damaged, starts.tolist(), strict=True):
        image[..., first_column : first_column + width] = 0.5
    return damaged, images
    ### END SOLUTION


# %% test="test_scratched_pair" points=4
lab.checks.lab3.scratched_pair.check(scratched_pair)

# %% [markdown]
# ## 4 · What no linear map can know (3 points)
# Now some pixels are lost for good, always the same ones, and the others are seen with noise of standard deviation
# $\sigma$. The best linear map fills in the lost ones from the seen ones. Which mean squared error per *lost* pixel is
# left, against the clean values? It needs neither the map nor an image: only the covariance.


# %% answer="hole_error"
def hole_error(covariance, hole, sigma):
    """covariance: (D, D), of the clean images; hole: (D,), True where a pixel is lost; sigma: of the noise elsewhere.

    Return the smallest mean squared error per lost pixel of a linear map.
    """
    ### BEGIN SOLUTION
    cross = covariance[hole][:, ~hole]
    seen = covariance[~hole][:, ~hole] + sigma**2 * torch.eye(int((~hole).sum()))
    explained = (cross * torch.linalg.solve(seen, cross.T).T).sum(dim=1)
    return (covariance.diagonal()[hole] - explained).mean()
    ### END SOLUTION


# %% test="test_hole_error" points=3
lab.checks.lab3.hole_error.check(hole_error)

# %% [markdown]
# ## 5 · Lost rows (4 points)
# A scanner reads two rows at a time, 14 pairs, and drops each pair with probability 0.4; it then shows grey (0.5).
# Restore them. Most of the picture is there already, so let the network work out the **correction** alone,
#
# $$\hat x = \tilde x + f(\tilde x),$$
#
# as denoisers have done since Zhang et al. (2017): to leave a pixel alone it need not learn anything. Take for $f$ two
# convolutions of kernel 4, stride 2 and padding 1 with 32 channels each, and two transposed ones of the same kind back,
# with a ReLU after each but the last. The rows that can be seen are to stay as they are: think about which pixels the
# loss looks at. It is trained below for 500 steps; new rows are lost in every step. While marking, your class is
# trained as long from new first weights, on scribbles of a pen that nobody has seen before, and measured on others.
#
# There is something to beat: to draw a straight line from the seen row above to the seen row below.


# %% answer="row_restorer"
class RowRestorer(nn.Module):
    """Fills in lost rows of images (N, 1, 28, 28), by adding a correction."""

    def __init__(self):
        super().__init__()
        ### BEGIN SOLUTION
        self.correction = nn.Sequential(
            nn.Conv2d(1, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1),
        )
        ### END SOLUTION

    def restore(self, damaged):
        """damaged: (N, 1, 28, 28), lost rows grey. Return the restored images, (N, 1, 28, 28)."""
        ### BEGIN SOLUTION
        return damaged + self.correction(damaged)
        ### END SOLUTION

    def loss(self, damaged, clean):
        """damaged, clean: (N, 1, 28, 28). Return the loss, one number."""
        ### BEGIN SOLUTION
        return (self.restore(damaged) - clean).square().mean()
        ### END SOLUTION


# %% given="train"
def lose_rows(images):
    lost = (torch.rand(len(images), 14) < 0.4).repeat_interleave(2, dim=1)
    return torch.where(lost[:, None, :, None], 0.5, images)


torch.set_num_threads(1)  # as while marking; so small a model gains next to nothing from a second one
torch.manual_seed(0)
model = RowRestorer()
if model.loss(lose_rows(data.train.images[:8]), data.train.images[:8]) is not None:
    optimiser = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=500)
    for _ in range(500):
        clean = data.train.images[torch.randint(len(data.train), (16,))]
        loss = model.loss(lose_rows(clean), clean)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()

# %% test="test_row_restorer" points=4
lab.checks.lab3.row_restorer(model, data.val.images)

# %% [markdown]
# ## 6 · Reading your numbers (3 points)
# Everybody has a collection of their own for this: some hundred digits, of some many and of others few, in a brighter
# or a fainter hand. Its numbers are yours alone.

# %% given="collection"
mine = lab.own_collection(STUDENT)

# %% [markdown]
# Let one row be lost, the same in all images, and let all other pixels be seen with noise of $\sigma = 0.1$. Your
# `hole_error`, with the covariance of the images of **your** collection, `mine.train.images` (28 × 28 pixels, divided
# by $n$), says how well any linear map can fill it in.
#
# - `hardest_row`: for which of the rows 0 … 27 is the error largest?
# - `share_left`: what share of *that* row's variance (the mean variance of its pixels) is the error?
#
# The share is worth half of the points and the row adds the rest: alone it earns nothing, since one can guess it.

# %% answer="reading"
hardest_row = None  # a whole number, counted from 0
share_left = None  # between 0 and 1, to four decimals at least
### BEGIN SOLUTION
covariance = torch.cov(mine.train.images.flatten(1).double().T, correction=0)
errors_of_rows = []
for row in range(28):
    lost_row = torch.zeros(28, 28, dtype=torch.bool)
    lost_row[row] = True
    lost_row = lost_row.flatten()
    cross = covariance[lost_row][:, ~lost_row]
    noisy = covariance[~lost_row][:, ~lost_row] + 0.01 * torch.eye(27 * 28, dtype=torch.double)
    remaining = covariance[lost_row][:, lost_row] - cross @ torch.linalg.solve(noisy, cross.T)
    errors_of_rows.append(float(remaining.diagonal().mean()))
hardest_row = max(range(28), key=lambda row: errors_of_rows[row])
share_left = errors_of_rows[hardest_row] / float(covariance.diagonal().view(28, 28)[hardest_row].mean())
### END SOLUTION

# %% test="test_reading" points=3
lab.checks.lab3.reading(mine.train.images, hardest_row, share_left)

# %% [markdown]
# ## 7 · In your own words (4 points)
# Two digits differ in their lost rows alone. In at most 150 words: what does your restorer of part 5 draw there, and
# why does no longer training make it sharp? Why may it still do better than the limit of part 4 (for the same lost
# rows)? And the colleague of part 3: what does her network learn from her pairs? She reports one PSNR, over all pixels
# of the restored images: why does that hide how well the lost pixels are filled in?

# %% [markdown] manual="words" points=4
# Both give the same input, so the same output: the average of all digits that fit, weighted by how likely they are,
# which is what squared error asks for and no training changes (1 point). Part 4 bounds linear maps; a network may fit
# the shape it recognises, and only the conditional mean bounds it (1 point). Her targets are as damaged as her inputs,
# in all images alike, so the best she can learn is to copy; the training error goes to 0 (1 point). Most pixels are
# seen and nearly free of error, so they dilute the error of the lost ones; report it on the lost pixels alone, pooled
# (1 point).
