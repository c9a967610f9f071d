# %% [markdown]
# # Lab 5 · The generative adversarial network
#
# *What the best critic knows; a divergence read off its scores; a spoilt round, mended; how many pictures a generator
# holds; two suspects*
#
# A critic is a loss that is learned. In this lab you derive what the best critic knows, read a divergence off its
# scores, mend a round of a game that two silent bugs have spoilt, find out how many different pictures a generator
# holds, train one with a loss that the course has not shown you, and examine two suspects.
#
# | part | points | how it is marked |
# |---|---|---|
# | 1 · The best critic when fakes are rare | 4 | by tests on other Gaussians |
# | 2 · What its scores are worth | 4 | by tests on other scores |
# | 3 · A colleague's round | 4 | by tests on other networks |
# | 4 · How many pictures can it draw? | 3 | by tests on other pictures |
# | 5 · A game of your own | 4 | your game is played anew, and its generator draws from noise it never saw |
# | 6 · Two suspects | 3 | the figures are worked out again |
# | 7 · In your own words | 3 | by a person |
#
# **Before you start**: notebook 05. **Time**: 90 minutes. Everything runs on two cores, without the internet.
#
# **How to work.** Write where it says `# your code here`. The cell under each part tells you at once what is wrong;
# `autoencoder-lab check lab5_gan.ipynb` does so for the whole notebook. Those cells check with inputs of their own, the
# marking with others: an answer that only fits the check earns nothing. Wrong in a usual way still earns a part of the
# points, and the feedback says which way that was.

# %% given="imports"
import copy
import math

import torch
import torch.nn.functional as F
from IPython.display import display
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
# ## 1 · The best critic when fakes are rare (4 points)
# In the notebook half of what the critic saw was real, and both Gaussians had the same spread. Now a share $\pi$ is
# real, the rest is made up. Real pictures $x \in \mathbb R^d$ have the density $p = \mathcal N(\mu_p, \sigma_p^2 I)$,
# made-up ones $q = \mathcal N(\mu_q, \sigma_q^2 I)$. The critic lowers its cross-entropy on this mixture. Set the
# derivative by $D(x)$ to zero once more, and write the logit of the best critic $D^*$.


# %% answer="best_logit"
def best_logit(x, share, mean_p, sd_p, mean_q, sd_q):
    """x: (N, d); share: of real ones, in (0, 1); means: (d,); sds: numbers. Return the logits of D*, (N,)."""
    ### BEGIN SOLUTION
    log_p = -(x - mean_p).square().sum(dim=1) / (2 * sd_p**2) - x.shape[1] * math.log(sd_p)
    log_q = -(x - mean_q).square().sum(dim=1) / (2 * sd_q**2) - x.shape[1] * math.log(sd_q)
    return math.log(share) + log_p - math.log(1 - share) - log_q
    ### END SOLUTION


# %% test="test_best_logit" points=4
lab.checks.lab5.best_logit.check(best_logit)

# %% [markdown]
# ## 2 · What its scores are worth (4 points)
# Nobody can write down the densities of pictures. But a critic that has learned all there is to learn has compared
# them, and its loss tells how different they are. With a share $\pi$ of real pictures the loss is
#
# $$L(D) = -\pi\, \mathbb E_p \log D(x) - (1 - \pi)\, \mathbb E_q \log\big(1 - D(x)\big)$$
#
# and the distance one wants to know is the Jensen-Shannon divergence with shares: how far both are from the mixture
# $m = \pi p + (1 - \pi) q$,
#
# $$J = \pi\, \mathrm{KL}(p \,\Vert\, m) + (1 - \pi)\, \mathrm{KL}(q \,\Vert\, m).$$
#
# Put the best critic of part 1 into $L$, find how $J$ hangs together with it, and estimate $J$ from nothing but the
# best critic's logits. Two things to test your result with: it should be 0 where the critic knows nothing but the
# share, and never above $-\pi\log\pi - (1 - \pi)\log(1 - \pi)$.


# %% answer="divergence"
def divergence(real, fake, share):
    """real: (N,), fake: (M,), logits of the best critic on pictures of either kind. Return J in nats, one number.

    share: π, the share of real pictures while the critic learned; N and M say nothing about it.
    """
    ### BEGIN SOLUTION
    loss = -share * F.logsigmoid(real).mean() - (1 - share) * F.logsigmoid(-fake).mean()
    return -share * math.log(share) - (1 - share) * math.log(1 - share) - loss
    ### END SOLUTION


# %% test="test_divergence" points=4
lab.checks.lab5.divergence.check(divergence)

# %% [markdown]
# ## 3 · A colleague's round (4 points)
# A colleague plays the *least-squares* game (Mao et al., 2017). There is no sigmoid: the critic should score real
# pictures 1 and made-up ones 0, the generator wants a 1 for its own, and whoever is off pays the square:
#
# $$L_G = \mathbb E\,\big(D(G(z)) - 1\big)^2 \qquad L_D = \tfrac12\, \mathbb E\,\big(D(x) - 1\big)^2 + \tfrac12\,
# \mathbb E\, D(G(z))^2$$
#
# Each round the generator moves first and the critic second, on the same made-up pictures. Her critic is a network that
# ends in `nn.Linear(…, 1)`. The function runs, and is wrong in two places; neither is one that you know from the
# notebook.


# %% given="watch"
def colleagues_round(generator, critic, teach_generator, teach_critic, real, noise):
    teach_generator.zero_grad()
    teach_critic.zero_grad()
    made = generator(noise)
    generators_loss = (critic(made) - 1).square().mean()
    generators_loss.backward()
    teach_generator.step()

    mixed = torch.cat([real, made.detach()])
    labels = torch.cat([torch.ones(len(real)), torch.zeros(len(made))])
    critics_loss = (critic(mixed) - labels).square().mean()
    critics_loss.backward()
    teach_critic.step()
    return generators_loss, critics_loss


def watch(play, rounds=400):
    """Numbers for pictures: real ones lie around 2, made-up ones begin around 0. Where do they go?"""
    torch.manual_seed(0)
    generator = nn.Linear(1, 1)
    critic = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    teachers = [torch.optim.SGD(network.parameters(), 0.1) for network in (generator, critic)]
    for _ in range(rounds):
        play(generator, critic, *teachers, 2 + 0.5 * torch.randn(32, 1), torch.randn(32, 1))
    with torch.no_grad():
        real, made = 2 + 0.5 * torch.randn(500, 1), generator(torch.randn(500, 1))
        scores = critic(real).mean(), critic(made).mean()
    print(f"real: around {real.mean():.1f}, score {scores[0]:.2f}; made up: {made.mean():.1f}, {scores[1]:.2f}")


watch(colleagues_round)

# %% [markdown]
# Look at the shape and at the gradient of everything in her function, find both mistakes, and write it as it should be.
# (`watch(mended_round)` shows what becomes of it.)


# %% answer="mended_round"
def mended_round(generator, critic, teach_generator, teach_critic, real, noise):
    """critic gives scores (B, 1); teach_…: an optimiser each. Return the generator's loss and the critic's."""
    ### BEGIN SOLUTION
    made = generator(noise)
    generators_loss = (critic(made) - 1).square().mean()
    teach_generator.zero_grad()
    generators_loss.backward()
    teach_generator.step()

    scores = critic(torch.cat([real, made.detach()]))[:, 0]
    labels = torch.cat([torch.ones(len(real)), torch.zeros(len(made))])
    critics_loss = (scores - labels).square().mean()
    teach_critic.zero_grad()  # the generator's loss went through the critic and left gradients there
    critics_loss.backward()
    teach_critic.step()
    return generators_loss, critics_loss
    ### END SOLUTION


# %% test="test_mended_round" points=4
lab.checks.lab5.mended_round.check(mended_round)

# %% [markdown]
# ## 4 · How many pictures can it draw? (3 points)
# In a class of 23 two probably share a birthday. Turn that round: if among $N$ samples of a generator some are equal,
# it cannot hold many different pictures (Arora and Zhang, 2017). Suppose it holds $S$ pictures and draws each equally
# often. How many of the *pairs* among $N$ samples do you expect to be equal? Solve for $S$.


# %% answer="support_size"
def support_size(samples, near):
    """samples: (N, C, H, W), N >= 2; two are equal if their Euclidean distance is below `near`.

    Return the estimate of S, one number; infinity if no two are equal.
    """
    ### BEGIN SOLUTION
    n, pairs = len(samples), int((torch.pdist(samples.flatten(1)) < near).sum())
    return n * (n - 1) / 2 / pairs if pairs else math.inf
    ### END SOLUTION


# %% test="test_support_size" points=3
lab.checks.lab5.support_size.check(support_size)

# %% [markdown]
# ## 5 · A game of your own (4 points)
# The least-squares critic of part 3 wants every real picture to score 1, however good the fakes are. A *relativistic*
# critic (Jolicoeur-Martineau, 2019) only wants it to score 1 **more than the average fake**, and every fake 1 less than
# the average real picture. With $\bar D_x$ and $\bar D_{G(z)}$ the means over the batch:
#
# $$L_D = \mathbb E\,\big(D(x) - \bar D_{G(z)} - 1\big)^2 + \mathbb E\,\big(D(G(z)) - \bar D_x + 1\big)^2
# + \frac{\gamma}{2}\, \mathbb E\,\lVert \nabla_{\!x} D(x) \rVert^2, \qquad \gamma = 1.$$
#
# The last term, the penalty R1, is taken at real pictures; `lab.losses.squared_gradient` may help. The generator plays
# the same game with the roles of real and made-up exchanged, and without the penalty: write $L_G$ down first.
#
# Write a whole round: the critic's step, then the generator's, on noise of its own if you like. Below it is played
# 600 times, on your digits at half their size. The pictures are drawn by a running average of the generator's weights,
# as in the notebook. While marking, your round is played as often by new networks, on digits whose pixels stand in an
# order that nobody knows (to dense layers one order is as good as another).


# %% answer="game_round"
def game_round(generator, critic, teach_generator, teach_critic, real, noise):
    """real: (B, 1, 14, 14); noise: (B, 16); critic gives scores (B, 1). Return both losses, the generator's first."""
    ### BEGIN SOLUTION
    real = real.clone().requires_grad_()
    scores, made_up = critic(real), critic(generator(noise).detach())
    critics_loss = (scores - made_up.mean() - 1).square().mean() + (made_up - scores.mean() + 1).square().mean()
    critics_loss = critics_loss + 0.5 * lab.losses.squared_gradient(scores, real)
    teach_critic.zero_grad()
    critics_loss.backward()
    teach_critic.step()

    scores, made_up = critic(real).detach(), critic(generator(noise))
    generators_loss = (made_up - scores.mean() - 1).square().mean() + (scores - made_up.mean() + 1).square().mean()
    teach_generator.zero_grad()
    generators_loss.backward()
    teach_generator.step()
    return generators_loss, critics_loss
    ### END SOLUTION


# %% given="train"
torch.manual_seed(0)
small = F.avg_pool2d(data.train.images, 2)
generator = nn.Sequential(
    *(nn.Linear(16, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2)),
    *(nn.Linear(128, 196), nn.Sigmoid(), nn.Unflatten(1, (1, 14, 14))),
)
critic = nn.Sequential(
    *(nn.Flatten(), nn.Linear(196, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)),
)
teach_generator, teach_critic = (
    torch.optim.Adam(network.parameters(), 3e-3, betas=(0.0, 0.99), fused=True) for network in (generator, critic)
)
averaged, rounds = copy.deepcopy(generator), 0
while rounds < 600:
    batch = small[torch.randint(len(small), (64,))]
    if game_round(generator, critic, teach_generator, teach_critic, batch, torch.randn(64, 16)) is None:
        break
    rounds += 1
    with torch.no_grad():
        for average, now in zip(averaged.parameters(), generator.parameters(), strict=True):
            average.lerp_(now, max(0.01, 1 / rounds))

# %% test="test_pictures" points=4
if rounds:
    display(lab.plot.images(averaged(torch.randn(20, 16)).detach(), alt="Twenty digits drawn by the generator."))
lab.checks.lab5.pictures(averaged if rounds else None, F.avg_pool2d(data.val.images, 2), small)

# %% [markdown]
# ## 6 · Two suspects (3 points)
# Everybody has a collection of their own for this: some hundred digits, of some many and of others few, in a brighter
# or a fainter hand. Its numbers are yours alone.

# %% given="collection"
mine = lab.own_collection(STUDENT)

# %% [markdown]
# Here are the pictures of two generators, and both are frauds: one knows your collection by heart and shakes its
# hand a little, the other has collapsed around a single picture, though every one it draws is new.

# %% given="suspects"
random = torch.Generator().manual_seed(0)
chosen = mine.train.images[torch.randperm(len(mine.train), generator=random)[:500]]
closest = (mine.test.images - mine.train.images[0]).flatten(1).norm(dim=1).argsort()[:150]
A = (chosen + 0.05 * torch.randn(chosen.shape, generator=random)).clamp(0, 1)
B = mine.test.images[closest]
lab.plot.image_rows({"A": A[:14], "B": B[:14]}, alt="Fourteen digits drawn by A, fourteen drawn by B.", scale=0.5)

# %% [markdown]
# To look at them is not enough. With what `lab.metrics` has to offer, and `mine.val` for *new real digits*, read off
#
# - `nearness_A`: the median distance of A's pictures to the nearest image of **your** collection, `mine.train`,
#   divided by that of new real digits;
# - `coverage_B`: how much of the new real digits B covers, as `density_coverage` measures it with its defaults;
# - `rare_B`: which digits make up less than one in a hundred of B's pictures, in the eyes of the course's classifier.
#   These count beside a right `coverage_B`: alone they earn nothing, since one can guess them.

# %% answer="reading"
nearness_A = None  # a ratio, to four decimals at least
coverage_B = None  # between 0 and 1, to three decimals
rare_B = None  # a list of digits, such as [2, 5]
### BEGIN SOLUTION
near, usual = (lab.metrics.nearest_training(images, mine.train)[0].median() for images in (A, mine.val.images))
nearness_A = float(near / usual)
coverage_B = lab.metrics.density_coverage(mine.val.images, B).coverage.value
rare_B = [digit for digit, share in enumerate(lab.metrics.class_histogram(B).tolist()) if share < 0.01]
### END SOLUTION

# %% test="test_reading" points=3
lab.checks.lab5.reading(mine, nearness_A, coverage_B, rare_B)

# %% [markdown]
# ## 7 · In your own words (3 points)
# A friend trains a GAN with the notebook's losses. After a hundred rounds the critic's loss is 1.39 and stays there.
# “It has converged”, says he. In at most 150 words: name **two** quite different states of the game in which this is
# seen, and say how you would find out which one it is. Would a loss near 0 have been better news?

# %% [markdown] manual="words" points=3
# log 4 = 1.39 is the loss of a critic that cannot tell. Either there is nothing to tell: p = q, the equilibrium; or
# there is, and this critic does not see it: too weak, not learning (frozen, a rate too small, scores compared with
# labels of another shape, as in part 3) (1 point for both states). To find out: train a fresh, stronger critic on both
# kinds of pictures and try it on new ones, or compare the sets of pictures by a measure that does not come from the
# game, with its floor on real ones (1 point). A loss near 0 means that the fakes are easily told: the critic is far
# ahead, and with the saturating loss the generator hardly learns. Neither value says that the pictures are good
# (1 point).
