# %% [markdown]
# # 03 · The denoising autoencoder
#
# *Noise as a teacher; filters it must beat; filling holes; what skips round the code can and cannot restore; real
# photos*
#
# Damage a picture, and ask for the picture back. That one change, **damaged in, clean out**, turns an autoencoder from
# a copying machine into something useful. It also lets us ask sharp questions: *what is the best possible answer? what
# can no network know?* In this notebook you remove noise and fill holes, beat the classical methods by measured
# margins, and find out what skip connections can restore and what they cannot.
#
# **You will be able to**
#
# - train a denoiser and an inpainter, and judge them against filters that need no training (sections 2 and 5,
#   Exercise 1);
# - explain why squared error makes a network answer with an average, compute that average where it can be computed, and
#   say where a denoiser's arrows point (section 3, Exercise 2);
# - tell apart what a wrong noise level costs and what too little training costs (section 4, quiz);
# - measure separately what a skip connection carries and what has to be guessed (section 5, Exercise 3);
# - test on photographs in a way that an image can be told from its own neighbour (section 6, quiz).
#
# **Before you start** Notebooks 01 and 02: PCA, convolutional autoencoder, skip connections round the code.
#
# **Time** {{minutes}} minutes with the exercises; the computer itself needs about {{seconds}} s of them.
#
# **Slides covered** 001 *Denoising Autoencoder*, *Autoencoder Application* 1 and 3; 002 *Convolutional Autoencoders*
# and *… Using Residual Networks* (filled-in features, skips); 004 *What do Autoencoders do?* (denoising, audio,
# inpainting).

# %% tags=["setup"]
import math
from dataclasses import dataclass

import pandas as pd
import torch
import torch.nn.functional as F
from skimage.data import astronaut  # a photo by NASA, in the public domain

import autoencoder_lab as lab

lab.setup(seed=0)
data = lab.load("mnist-5k")
noise = lab.corrupt.gaussian(0.5)
hole = lab.corrupt.box_mask(10, fill=0.5)  # grey, so that a network can see where it is
untouched = lab.controls.Gaussian(sigma=0)  # a blur of no width: the damaged image as it is


# %% tags=["setup", "folded"]
def best_on_validation(candidates, split, corrupt):
    """The candidate with the highest PSNR on the first 150 images of a validation split."""
    return max(candidates, key=lambda method: lab.metrics.psnr(method, split[:150], corrupt).value)


@dataclass(frozen=True)
class Noise:
    """Gaussian noise that is not clipped to [0, 1]: what the mathematics speaks of."""

    sigma: float

    def __call__(self, x, generator=None):
        return x + self.sigma * torch.randn(x.shape, generator=generator)


@dataclass(frozen=True)
class OneOf:
    """Clipped Gaussian noise, for every image at one of several levels."""

    levels: tuple

    def __call__(self, x, generator=None):
        which = torch.randint(len(self.levels), (len(x), 1, 1, 1), generator=generator)
        return (x + torch.tensor(self.levels)[which] * torch.randn(x.shape, generator=generator)).clamp(0, 1)


# %% [markdown]
# ## 1 · Damage
#
# A [corruption]({{glossary}}#corruption) is a rule, with chance in it, that turns an image $x$ into a damaged one,
# $\tilde x$:
#
# $$\tilde x = \mathrm{clip}_{[0,1]}(x + \sigma\varepsilon),\quad \varepsilon \sim \mathcal N(0, I)
# \;\;\text{(Gaussian)} \qquad\qquad \tilde x_i = x_i \text{ or } 0 \text{ or } 1 \qquad\text{(salt and pepper)}$$
#
# Pixels may also be erased, or a whole box of them. The first kind touches every pixel a little. The others leave most
# pixels alone and take the rest away for good.

# %%
damages = {
    "Gaussian, σ = 0.25": lab.corrupt.gaussian(0.25),
    "Gaussian, σ = 0.5": noise,
    "salt and pepper, 20 %": lab.corrupt.salt_pepper(0.2),
    "half of the pixels erased": lab.corrupt.pixel_mask(0.5),
    "10×10 hole": hole,
}
digits = data.test.images[:8]
rows = {name: corrupt(digits, torch.Generator().manual_seed(0)) for name, corrupt in damages.items()}
lab.plot.image_rows({"clean": digits} | rows, alt="Eight digits, clean and under five kinds of damage.", scale=0.45)

# %%
lab.plot.bars(
    {name: lab.metrics.psnr(untouched, data.test, corrupt) for name, corrupt in damages.items()},
    "PSNR of the input, dB",
)

# %% [markdown]
# [PSNR]({{glossary}}#psnr) is squared error on a logarithmic scale, $-10\log_{10}\mathrm{MSE}$: 10 dB more is a tenth
# of the error, 3 dB about half. Higher is better. Now a first attempt to remove noise: take *many* noisy copies of the
# same digit, and average them.

# %%
lab.predict(
    "The average of 2,000 noisy copies of one digit (σ = 0.5, clipped). What is it?",
    options=["the clean digit", "the digit, paler, on a grey ground", "an even grey"],
    key="03-1-average-of-copies",
)

# %%
copies = noise(data.test.images[:1].expand(2000, -1, -1, -1), torch.Generator().manual_seed(0))
average = copies.mean(dim=0, keepdim=True)
lab.plot.images(
    torch.cat([data.test.images[:1], copies[:1], average]),
    ["clean", "one copy", "average of 2,000"],
    scale=1.6,
    alt="A digit, one noisy copy, and the average of 2,000 copies: the digit, paler, on a dark grey ground.",
)

# %% tags=["nbval-check-output"]
clean = data.test.images[:1]
ground, stroke = float(average[clean == 0].mean()), float(average[clean > 0.9].mean())
lab.holds(("black pixels average to σ/√(2π), off by", abs(ground - 0.5 / math.sqrt(2 * math.pi)), "<", 0.01))
pale = "the digit, paler, on a grey ground" if stroke - ground > 0.3 else "an even grey"
lab.outcome("03-1-average-of-copies", "the clean digit" if ground < 0.05 else pale)

# %% [markdown]
# **What you should see.** Noise that is *clipped* does not average out. A black pixel can only become brighter, by
# $\mathbb E\max(0, \sigma\varepsilon) = \sigma/\sqrt{2\pi}$ on average (a little less, for the brightest are clipped as
# well). So a method built for noise with mean zero is off from the start. And in practice there is only one copy. What
# else could tell us the clean pixel? Its neighbours, and everything we know about digits.
#
# **Try it.** Which of the five damages could be undone by averaging many copies?

# %% [markdown]
# ## 2 · Denoising, and what it has to beat
#
# A [denoising autoencoder]({{glossary}}#denoising-autoencoder) sees $\tilde x$ and is scored against the clean $x$:
#
# $$J = \mathbb E_{x,\tilde x}\;\lVert x - d(e(\tilde x)) \rVert^2$$
#
# Here that takes one argument, `lab.fit(model, data, corrupt=noise)`. In training, the noise is drawn anew for every
# batch. When we *measure*, it is the same for every method.
#
# Autoencoders *can remove noise* (slide 001). So can a blur. The fair question is whether training is worth it. Here
# are the methods that need none, each with its setting **chosen on validation images**:
#
# | control | idea |
# |---|---|
# | Gaussian, [median]({{glossary}}#median-filter) | the pixel's neighbours |
# | [non-local means]({{glossary}}#non-local-means) | pixels anywhere in the image whose surroundings look alike |
# | PCA | keep the strongest directions; noise has most of its power in the others |
# | best linear map ([Wiener]({{glossary}}#wiener-filter)) | no other matrix has a lower error |
#
# The last one is
# $\hat x = \bar x + \mathrm{Cov}(x, \tilde x)\,\mathrm{Cov}(\tilde x)^{-1} (\tilde x - \mathbb E\tilde x)$, with
# covariances measured on damaged training images.

# %%
lab.predict(
    "Which of these controls removes σ = 0.5 best from digits?",
    options=["Gaussian", "median", "non-local means", "PCA", "best linear map"],
    key="03-2-best-control",
)

# %%
chosen = {
    "Gaussian": best_on_validation([lab.controls.Gaussian(s) for s in (0.6, 0.8, 1.0, 1.5)], data.val, noise),
    "median": best_on_validation([lab.controls.Median(size) for size in (3, 5, 7)], data.val, noise),
    "non-local means": best_on_validation([lab.controls.NonLocalMeans(s) for s in (0.15, 0.2, 0.25)], data.val, noise),
    "PCA": best_on_validation([lab.PCA(k).fit(data.train) for k in (16, 32, 64, 128)], data.val, noise),
    "best linear map": lab.controls.LinearDenoiser(noise).fit(data.train),
}
test = data.test[:400]  # non-local means takes its time
figures = {name: lab.metrics.psnr(one, test, noise) for name, one in ({"nothing": untouched} | chosen).items()}
print("chosen:", ", ".join(one.label for name, one in chosen.items() if name != "best linear map"))
lab.plot.bars(figures, "PSNR, dB")

# %% tags=["nbval-check-output"]
best_control = max(chosen, key=lambda name: figures[name].value)
lab.outcome("03-2-best-control", best_control)

# %% [markdown]
# **What you should see.** Filters that only know about neighbouring pixels gain a few dB. Those that have *seen other
# digits* gain more. A single matrix, with 784² numbers and no training to speak of, gains most:
# {{figures["best linear map"].value - figures["nothing"].value:.1f}} dB. It also knows that the noise is clipped. This
# is the bar. Now two autoencoders, both trained for a few seconds: a plain one with a code of 64 numbers, and one whose
# skips go round the code, so that the pixels need not squeeze through it.

# %%
plain = lab.ConvAutoencoder(latent=64, hidden=256)
lab.fit(plain, data, corrupt=noise, steps=380, progress=False)
around = lab.ResidualAutoencoder(latent=64, skips="around")
lab.fit(around, data, corrupt=noise, steps=220, batch_size=64, learning_rate=5e-3, progress=False)
denoisers = {"best linear map": chosen["best linear map"], "plain, code of 64": plain, "skips around": around}
table = lab.compare(denoisers, data, columns=["mse", "psnr"], corrupt=noise)
damaged = noise(data.test.images, torch.Generator().manual_seed(0))
cleaned = {name: lab.metrics.in_batches(method.reconstruct, damaged) for name, method in denoisers.items()}
original = lab.metrics.sharpness(data.test.images).value
table["sharpness"] = {name: lab.metrics.sharpness(images).value / original for name, images in cleaned.items()}
table[["psnr", "psnr_se", "sharpness", "seconds"]].round(2)  # sharpness: 1 is as sharp as the originals

# %%
lab.plot.reconstructions({"median": chosen["median"]} | denoisers, data.test, count=5, corrupt=noise)

# %%
lab.diagram.denoising(data.test.images[0], noise(data.test.images[:1]), plain)

# %% tags=["nbval-check-output"]
bar = max(figure.value for figure in figures.values())
beyond = {name: lab.metrics.psnr(denoisers[name], test, noise).value - bar for name in list(denoisers)[1:]}
sharper = table["sharpness"]["skips around"] - table["sharpness"]["plain, code of 64"]
lab.holds(
    ("plain: dB beyond the best control", beyond["plain, code of 64"], ">", 0),
    ("skips around: dB beyond the best control", beyond["skips around"], ">", 1),
    ("skips around: sharpness beyond plain", sharper, ">", 0),
)

# %% [markdown]
# **What you should see.** At the level they were trained on, autoencoders remove noise, and better than all our
# controls. But the credit is shared. Of the {{beyond["skips around"] + bar - figures["nothing"].value:.1f}} dB that the
# better one gains over the noisy input, *one matrix that has seen digits* brings
# {{bar - figures["nothing"].value:.1f}}; the skips and the training add {{beyond["skips around"]:.1f}}. (More steps add
# more; `python -m benchmarks figures` measures it with three seeds.) *Sharper* (slide 002) holds here too: a code of 64
# numbers has to drop detail that was perfectly visible in $\tilde x$, and round the code it gets through. What happens
# at other levels is the question of section 4.
#
# ### See it for yourself

# %%
lab.explore({"plain, code of 64": plain, "skips around": around}, data)

# %% [markdown]
# **Try it.** In **Draw**, write a digit. Choose the *Damage* Gaussian noise and pull *Strength* slowly from 0 to 1;
# press *New noise* a few times where it is strong. Then draw something that is no digit, a house or your initials, and
# do it again. At last choose a hole.
#
# **What you should see.** In the middle both give back your digit. Far above it, *New noise* changes *what* they draw:
# there is less and less picture in the input, and more and more guess. A house with noise comes back as a house only
# from the model with skips; the plain one has codes for digits. And the hole? Neither fills it: nobody ever showed them
# one. A denoiser removes **the damage it was trained on**.

# %% [markdown]
# ### Exercise 1 · Find the bug
#
# A colleague writes the training loop by hand. It trains beautifully: on the training pairs the PSNR rises far above
# ours. On new noise it is poor, **even for the very same images**.


# %%
def denoising_epochs_of_a_colleague(images, corrupt, step, epochs, batch_size):
    noisy = corrupt(images)
    steps = 0
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(batch_size):
            step(noisy[batch], images[batch])
            steps += 1
    return steps, noisy


# %%
few, model = data.train.images[:300], lab.DenseAutoencoder(latent=64)
optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)


def step(x, target):
    optimiser.zero_grad()
    model.loss(x, target).total.backward()
    optimiser.step()


_, noisy = denoising_epochs_of_a_colleague(few, noise, step, epochs=100, batch_size=50)
for name, given in (("the noise of the training", noisy), ("new noise, same images", noise(few))):
    error = (model.reconstruct(given) - few).square().mean()
    print(f"{name}: {-10 * error.log10():.1f} dB")

# %% [markdown]
# What has the network learnt there? Now write the loop correctly.


# %% tags=["exercise"]
def denoising_epochs(images, corrupt, step, epochs, batch_size):
    """images: (N, C, H, W), clean; corrupt: x → x̃; step(input, target) trains on one batch.

    Go `epochs` times through all images, each time in a new order, in batches. Return the number of steps.
    """
    # solution-begin
    count = 0
    for _epoch in range(epochs):
        shuffled = images[torch.randperm(len(images))]
        for clean in shuffled.split(batch_size):
            step(corrupt(clean), clean)  # drawn here: no noise is ever seen twice
            count += 1
    return count
    # solution-end


# %% tags=["check"]
lab.checks.denoising_epochs(denoising_epochs)

# %% [markdown] tags=["help"]
# 1. Look for the line that calls `corrupt`. How many different noises does the network see on one image in 100
#    epochs?
# 2. Call `corrupt` inside the inner loop, on one batch. `step` gets the result as its input and the clean batch as
#    its target. Return the number of steps alone.
#
# **Why.** A noise that is drawn once can be learnt by heart. If it is drawn anew at every step, the only thing left
# to learn is what the images look like.

# %% [markdown]
# ## 3 · The best answer is an average
#
# Which answer $f$ to a damaged image has the lowest expected squared error? For one given $\tilde x$, many clean images
# are possible, each with its probability. Call their mean $m = \mathbb E[x \mid \tilde x]$. Then, in two lines,
#
# $$\mathbb E\big[\lVert x - f\rVert^2 \,\big|\, \tilde x\big]
# = \mathbb E\big[\lVert x - m\rVert^2 \,\big|\, \tilde x\big]
# + 2\,\underbrace{\mathbb E[x - m \mid \tilde x]}_{=\,0}{}^{\!\top}(m - f) + \lVert m - f\rVert^2,$$
#
# $$\text{so the best answer is } f = m = \mathbb E[x \mid \tilde x] = \sum_n w_n\, x_n, \qquad
# w_n \propto p(x_n)\, \exp\!\Big(-\frac{\lVert \tilde x - x_n\rVert^2}{2\sigma^2}\Big).$$
#
# The first term is there whatever we answer; the last is 0 at $f = m$. And if the world holds only the images $x_n$,
# Bayes' rule gives their weights. This average is the [posterior mean]({{glossary}}#posterior-mean). Take a world in
# which only *two* images exist, a 3 and an 8, equally likely, and noise so strong that one cannot be sure. Then $w$ can
# be computed. We train a network that is told nothing of this formula, and compare.

# %%
lab.predict(
    "An image so noisy that it might be either. What does the trained network draw?",
    options=["the likelier of the two", "both, mixed by their probability", "one of the two, at random"],
    key="03-3-two-images",
)

# %%
three, eight = (data.train.images[data.train.labels == digit][0] for digit in (3, 8))
both = lab.Split(torch.stack([three, eight]).repeat(500, 1, 1, 1), torch.arange(1000) % 2, ("3", "8"))
two_images = lab.ImageData("two images", both, both[:100], both)
strong = Noise(sigma=4.0)
network = lab.DenseAutoencoder(latent=8, hidden=(64,))
lab.fit(network, two_images, corrupt=strong, steps=400, batch_size=64, learning_rate=2e-3, progress=False)

noisy = strong(both.images, torch.Generator().manual_seed(1))
drawn = lab.metrics.in_batches(network.reconstruct, noisy)
apart = (eight - three).square().sum()
share_drawn = ((drawn - three) * (eight - three)).sum(dim=(1, 2, 3)) / apart  # 0: the 3, 1: the 8
distance_3, distance_8 = ((noisy - image).square().sum(dim=(1, 2, 3)) for image in (three, eight))
share_formula = torch.sigmoid((distance_3 - distance_8) / (2 * strong.sigma**2))  # w of the 8

# %%
tenths = [(share_formula * 10).floor() == k for k in range(10)]
averages = {
    "network": [float(share_drawn[tenth].mean()) for tenth in tenths],
    "formula": [float(share_formula[tenth].mean()) for tenth in tenths],
}
lab.plot.curves(averages["formula"], averages, "probability of the 8, by the formula", "share of the 8 in the picture")

# %%
order = share_formula.argsort()[[20, 250, 400, 500, 600, 750, 980]]
posterior = share_formula[:, None, None, None] * (eight - three) + three
lab.plot.image_rows(
    {"input": (noisy[order] / 8 + 0.5), "network": drawn[order], "formula": posterior[order]},
    alt="Seven very noisy inputs; from left to right network and formula both draw a 3, mixtures of 3 and 8, and an 8.",
    scale=0.5,
)

# %% tags=["nbval-check-output"]
unsure = (share_formula > 0.3) & (share_formula < 0.7)
off = float((share_drawn - share_formula).abs().mean())
from_half = float(share_drawn[unsure].sub(0.5).abs().mean())
lab.holds(
    ("share of the 8, network and formula, apart by", off, "<", 0.1),
    ("where it is unsure, the network's share is away from a half by", from_half, "<", 0.25),
)
mixed = {"both, mixed by their probability": 0.25}
lab.outcome("03-3-two-images", from_half, below=mixed, otherwise="the likelier of the two")

# %% [markdown]
# **What you should see.** Nobody told the network about probabilities; squared error taught it to compute them. Where
# the input leaves open which image it was, it draws **both at once, weighted**: not because it is a bad network, but
# because it is a good one for this loss. That is where the softness of denoised and filled-in pictures comes from, and
# no longer training removes it.
#
# **Try it.** Set `sigma=1.0`. How many mixtures are left?
#
# ### Arrows back to the curve
#
# Here are the points on a bent curve of notebook 01, as tiny images of two numbers. We add noise, and train a denoiser.
# The arrows lead from what it sees to where it draws it.

# %%
curve, jitter = lab.bent_curve(), Noise(sigma=0.3)
denoiser = lab.DenseAutoencoder(8, image_shape=curve.shape, hidden=(64, 64), output="linear")
lab.fit(denoiser, curve, corrupt=jitter, steps=1000, batch_size=64, learning_rate=2e-3, progress=False)
lab.plot.plane(curve.test[:80], {"denoiser": denoiser}, corrupt=jitter, arrows=True)

# %% [markdown]
# The arrows point back to the curve, uphill to where points are dense. That is no accident. Call $p_\sigma$ the density
# of the *noisy* points: one Gaussian round every example. Its slope, with the same weights $w_n$ as above, is
#
# $$\nabla \log p_\sigma(\tilde x) = \sum_n w_n\, \frac{x_n - \tilde x}{\sigma^2}
# = \frac{\mathbb E[x \mid \tilde x] - \tilde x}{\sigma^2}.$$
#
# So a denoiser's arrow, divided by $\sigma^2$, **is** the slope of the log density, called the
# [score]({{glossary}}#score). This is Tweedie's formula. It says more than it seems to. Whoever can remove noise knows which
# way images become more likely, and can walk there from pure noise. That walk is how diffusion models draw, and a later
# notebook takes it. Does our little network know the slope? We compute it from all 600 examples, and compare.

# %% tags=["nbval-check-output"]
seen = jitter(curve.test.images, torch.Generator().manual_seed(0)).view(-1, 2).requires_grad_()
examples = curve.train.images.view(-1, 2)
log_p = (-(seen[:, None] - examples).square().sum(dim=2) / (2 * jitter.sigma**2)).logsumexp(dim=1)  # + a constant
(slope,) = torch.autograd.grad(log_p.sum(), seen)
with torch.no_grad():
    arrow = (denoiser.reconstruct(seen.view(-1, 1, 1, 2)).view(-1, 2) - seen) / jitter.sigma**2
lab.holds(
    ("arrow/σ² and slope: cosine of their angle, median", F.cosine_similarity(arrow, slope).median(), ">", 0.95),
    ("difference, in lengths of the slope", (arrow - slope).norm() / slope.norm(), "<", 0.3),
)

# %% [markdown]
# ### Exercise 2 · The posterior mean
#
# Complete the formula for any number of candidates, all equally likely a priori. *784 squared differences make large
# exponents.*


# %% tags=["exercise"]
def posterior_mean(noisy, candidates, sigma):
    """noisy: (B, D); candidates: (N, D), the only images there are. Return (B, D): E[x | x̃] for noise of std sigma."""
    # solution-begin
    squared = (noisy[:, None] - candidates).square().sum(dim=2)  # (B, N)
    return (-squared / (2 * sigma**2)).softmax(dim=1) @ candidates
    # solution-end


# %% tags=["check"]
lab.checks.posterior_mean(posterior_mean)

# %% [markdown] tags=["help"]
# 1. All candidates are equally likely before you look. So the weight of a candidate is proportional to its
#    likelihood, exp(−‖x̃ − x‖² / 2σ²), and the weights for each noisy image add up to 1.
# 2. `softmax(dim=1)` of a table (B, N) of exponents takes the exponential and divides by the sum, without overflow.
#    `noisy[:, None] - candidates` is the way to the table; with `@` the weights meet the candidates.
#
# **Why.** Under squared error the best guess is the average of all images that may lie behind the noise, each
# weighted by its probability. The softmax subtracts the largest exponent of each row first, so no weight overflows
# and no sum is 0.

# %% [markdown]
# Once it is right, take the 3,500 training digits as candidates and denoise test digits with it ($\sigma = 0.5$,
# `Noise`, not clipped). How often is its answer, to the eye, *one training digit*? How many dB does it reach, and how many do the
# networks of section 2? The formula is best in a world of these 3,500 images and no other. A network knows less about
# each of them, and more about digits.

# %% [markdown]
# ## 4 · Noise levels never trained on
#
# Both denoisers of section 2 knew the noise: the same level in training and in the test. In life one rarely does. What
# happens to an almost clean image?

# %%
lab.predict(
    "The network trained at σ = 0.5 is given σ = 0.05, an almost clean image. The result is …",
    options=["better than its input", "worse than its input", "as good as its input, within 1 dB"],
    key="03-4-almost-clean",
)

# %% [markdown]
# If it is worse, **two things may be to blame**: the wrong level, or too little training. To tell them apart we change
# one at a time. All networks are alike:
#
# - three *specialists*, each for one level, each trained for 150 steps. At a level that is not its own, a specialist
#   differs from that level's by the level alone. At its own, it shows what 150 steps are worth;
# - two *generalists* for all three levels: one has 150 steps **in total**, the other 450, which is 150 **for each
#   level**.


# %%
def trained_on(corrupt, steps):
    network = lab.ResidualAutoencoder(latent=64, skips="around", width=8, hidden=64)
    lab.fit(network, data, corrupt=corrupt, steps=steps, batch_size=64, learning_rate=5e-3, progress=False)
    return network


# %%
levels = (0.05, 0.5, 1.0)
noises = {sigma: lab.corrupt.gaussian(sigma) for sigma in levels}
networks = {f"only σ = {sigma:g}": trained_on(corrupt, 150) for sigma, corrupt in noises.items()}
networks["all three, 150 steps in total"] = trained_on(OneOf(levels), 150)
networks["all three, 150 steps for each"] = trained_on(OneOf(levels), 450)
psnr = {name: {s: lab.metrics.psnr(network, data.test[:500], corrupt).value for s, corrupt in noises.items()}
        for name, network in networks.items()}  # fmt: skip
psnr["the input"] = {s: lab.metrics.psnr(untouched, data.test[:500], corrupt).value for s, corrupt in noises.items()}
linear = {s: lab.controls.LinearDenoiser(corrupt).fit(data.train) for s, corrupt in noises.items()}
psnr["linear map for that level"] = {s: lab.metrics.psnr(linear[s], data.test[:500], noises[s]).value for s in levels}
pd.DataFrame(psnr).T.rename(columns=lambda sigma: f"tested at σ = {sigma:g}").round(1)  # PSNR in dB

# %% tags=["nbval-check-output"]
clean_end = {name: row[0.05] for name, row in psnr.items()}
lost = clean_end["the input"] - clean_end["only σ = 0.5"]
by_level = clean_end["only σ = 0.05"] - clean_end["only σ = 0.5"]
by_training = clean_end["the input"] - clean_end["only σ = 0.05"]
total, each = ({s: psnr[f"all three, 150 steps {how}"][s] - psnr[f"only σ = {s:g}"][s] for s in levels}
               for how in ("in total", "for each"))  # fmt: skip
lab.holds(
    ("σ = 0.05: dB lost because of the wrong level", by_level, ">", 1),
    ("σ = 0.05: dB lost for want of training, at the right level too", by_training, ">", 1),
    ("150 steps in total: dB behind the specialist of 0.05", -total[0.05], ">", 1),
    ("the share of this that steps for each level make up", 1 - each[0.05] / total[0.05], ">", 0.5),
    ("150 steps for each level: dB beyond the specialist of 0.5", each[0.5], ">", 0),
)

# %%
lab.outcome("03-4-almost-clean", -lost, above={"better than its input": 1, "as good as its input, within 1 dB": -1},
            otherwise="worse than its input")  # fmt: skip

# %% [markdown]
# **What you should see.** The network trained at $\sigma = 0.5$ makes an almost clean image {{lost:.1f}} dB *worse*.
# Of these, {{by_level:.1f}} dB are the level's fault: the specialist of $0.05$, trained just as long, is so much better. It takes
# off noise that is not there, and detail with it. But the other {{by_training:.1f}} dB are lost by the specialist as
# well. They are not the level's fault; a network that has seen so little is not yet exact enough for an image that was
# almost right. (How far more steps bring it is measured over five seeds: C103 in `docs/claims.md`.) And a *matrix made
# for that level* has {{clean_end["linear map for that level"]:.1f}} dB, more than all of them.
#
# Then train on all levels? Beside the three specialists the generalist with 150 steps in total stands at
# {{total[0.05]:+.1f}}, {{total[0.5]:+.1f}} and {{total[1.0]:+.1f}} dB. At the clean end most of that is again want of
# training: with as many steps *for each level* it stands at {{each[0.05]:+.1f}}, {{each[0.5]:+.1f}} and
# {{each[1.0]:+.1f}} dB. Where there is much noise, what it has learnt at one level serves it at the other, for it can
# *see* how noisy an image is. So *can remove noise* (slide 001) is **right under a condition**: noise and images like
# those of the training, enough noise that there is something to gain, and enough training.
#
# **Try it.** Give the networks salt-and-pepper noise, `lab.corrupt.salt_pepper(0.2)`. Is a `lab.controls.Median(3)`
# better?

# %% [markdown]
# ## 5 · Holes
#
# In noise every pixel keeps a trace of the truth. In a hole nothing is left: the network has to *continue* the picture
# from its surroundings, which is called [inpainting]({{glossary}}#inpainting). Autoencoders *can fill in missing parts*
# (slide 001), *based on neighboring context* (slide 002). We take a hole of 10×10 grey pixels, at a random place in
# every image, and look at the error **inside** it. The controls are told where the hole is, the networks are not:
#
# - *mean fill*: the mean training image; *biharmonic*: the smoothest surface that meets the edge of the hole;
# - *PCA fill*: the code of $k$ numbers that fits the known pixels best, by least squares (with a small ridge), and its
#   reconstruction in the hole.
#
# And residual networks? *Since the skip connections can only channel the low-level features that are present in the
# source layer, [they] cannot relay information about features lost from corruption* (slide 002). To test that we need
# two networks with the same parts that differ only in the skips: **inside** the encoder and decoder, or **around** the
# code. And two errors, one inside the hole and one outside.

# %%
lab.show_source(lab.metrics.hole_errors)

# %%
lab.predict(
    "Skips around the code instead of inside it. Which error falls by more than a third?",
    options=["inside the hole and outside", "only outside the hole", "only inside the hole", "neither"],
    key="03-5-skips-and-holes",
)

# %%
inpainters = {f"skips {where}": lab.ResidualAutoencoder(latent=64, skips=where) for where in ("inside", "around")}
for model in inpainters.values():
    lab.fit(model, data, corrupt=hole, steps=190, batch_size=64, learning_rate=4e-3, progress=False)
by_size = [lab.controls.PCAFill(k).fit(data.train) for k in (64, 128, 200)]
pca_fill = min(by_size, key=lambda method: lab.metrics.hole_errors(method, data.val[:100], hole)[0].value)
fills = {"mean fill": lab.controls.MeanFill().fit(data.train), "biharmonic": lab.controls.Biharmonic()}
fills[pca_fill.label] = pca_fill
test = data.test[:300]
errors = {name: lab.metrics.hole_errors(method, test, hole) for name, method in (fills | inpainters).items()}
lab.plot.bars({name: inside for name, (inside, _) in errors.items()}, "squared error per pixel, inside the hole")

# %%
lab.plot.bars({name: errors[name][1] for name in inpainters}, "squared error per pixel, outside the hole")

# %%
ten = data.test.images[:10]
damaged, lost = (draw(ten, torch.Generator().manual_seed(0)) for draw in (hole, hole.mask))  # the same holes
rows = {"clean": ten, "given": damaged}
rows |= {name: method.fill(damaged, lost) for name, method in fills.items()}
rows |= {name: lab.metrics.in_batches(model.reconstruct, damaged) for name, model in inpainters.items()}
lab.plot.image_rows(
    rows,
    alt="Ten digits with a grey hole. Mean fill puts a grey cloud there, biharmonic a smooth smear, PCA fill a guess. "
    "Both networks continue most strokes, softly; here and there a piece of the grey hole is left. Outside the hole the "
    "network with skips around is the more exact one.",
    scale=0.5,
)

# %% tags=["nbval-check-output"]
inside, outside = ({name: pair[side].value for name, pair in errors.items()} for side in (0, 1))
best = min(inside[name] for name in fills)
ratio = {where: side["skips around"] / side["skips inside"] for where, side in (("in", inside), ("out", outside))}
overall = {name: (100 * inside[name] + 684 * outside[name]) / 784 for name in inpainters}
lab.holds(
    (
        "inside: the worse network's error, in the best control's",
        max(inside[name] for name in inpainters) / best,
        "<",
        1,
    ),
    ("outside: error with skips around, in that with skips inside", ratio["out"], "<", 0.5),
)

# %%
falls = {(1, 1): "inside the hole and outside", (0, 1): "only outside the hole", (1, 0): "only inside the hole"}
lab.outcome("03-5-skips-and-holes", falls.get(tuple(int(share < 2 / 3) for share in ratio.values()), "neither"))

# %% [markdown]
# **What you should see.** **Slides 001 and 002 are right that the gap is filled from context**, and the networks do it
# better than all three controls, without being told where the hole is. **And slide 002 is right about skips.** Round
# the code they carry what is still there, and the error outside falls to {{ratio["out"]:.2f}} of what it was. Inside the
# hole they have nothing to carry, and the error is {{ratio["in"]:.2f}} of what it was. No wiring can change that: two
# digits that differ only inside the hole give the same $\tilde x$, hence the same output. What stands there is
# $\mathbb E[x\mid\tilde x]$ again, the average of all continuations, which is why it is soft.
#
# Two corrections, though. *Relay* is one thing, *restore* another: the network with skips does fill the hole, only not
# through them. And where there is a hole, report two errors, inside and outside. Over whole images the model with skips
# has {{overall["skips around"] / overall["skips inside"]:.2f}} of the other's error, and it is no better at what we wanted it for.


# %% tags=["folded"]
def sharpness_inside(images):
    """Sharpness of the hole alone, 10×10 pixels; the same places in all images."""
    places = hole.mask(data.test.images, torch.Generator().manual_seed(0))[:, 0]
    corners = places.flatten(1).float().argmax(dim=1)
    windows = [image[:, i // 28 : i // 28 + 10, i % 28 : i % 28 + 10] for image, i in zip(images, corners, strict=True)]
    return lab.metrics.sharpness(torch.stack(windows))


damaged = hole(data.test.images, torch.Generator().manual_seed(0))
filled = {name: lab.metrics.in_batches(model.reconstruct, damaged) for name, model in inpainters.items()}
whole, truth = lab.metrics.sharpness(data.test.images).value, sharpness_inside(data.test.images).value
kept = {name: (lab.metrics.sharpness(images).value / whole, sharpness_inside(images).value / truth)
        for name, images in filled.items()}  # fmt: skip
pd.DataFrame(kept, index=["whole image", "inside the hole"]).T.round(2)  # sharpness, as a share of the originals'

# %% tags=["nbval-check-output"]
lag = {name: everywhere - within for name, (everywhere, within) in kept.items()}
lab.holds(*((f"{name}: sharpness, whole image beyond the hole", gap, ">", 0.05) for name, gap in lag.items()))

# %% [markdown]
# Sharp where it was seen, soft where it was guessed. The contrast is {{lag["skips around"]:.2f}} with skips around, and
# {{lag["skips inside"]:.2f}} with skips inside. *Reconstructed features still appear blurry* (slide 002) is **right** as
# well.
#
# **Try it.** Train and test with `box_mask(4, fill=0.5)`. Does the error inside fall? Why?
#
# ### A hole in a face
#
# Slide 002 shows a face with a hole. We have 100 small pictures of faces, 70 of them to train on, which is very little.
# Their licence is not stated, so we measure on them and show the one face that is in the public domain: the astronaut
# Eileen Collins.

# %%
faces = lab.load("faces")  # 70 to train on, 10 to choose by, 20 to test on
of_faces = lab.ResidualAutoencoder(latent=64, skips="around", width=8, hidden=64)
wobble = lab.augment.affine(padding="border")
lab.fit(of_faces, faces, corrupt=hole, augment=wobble, steps=300, batch_size=32, learning_rate=4e-3, progress=False)
by_size = [lab.controls.PCAFill(k).fit(faces.train) for k in (8, 16, 32, 64)]
fill = min(by_size, key=lambda method: lab.metrics.hole_errors(method, faces.val, hole)[0].value)
methods = {"mean fill": lab.controls.MeanFill().fit(faces.train), "biharmonic": lab.controls.Biharmonic()}
methods |= {fill.label: fill, "network": of_faces}
in_faces = {name: lab.metrics.hole_errors(method, faces.test, hole)[0] for name, method in methods.items()}
lab.plot.bars(in_faces, "squared error per pixel, inside the hole, 20 test faces")

# %% tags=["folded"]
colours = torch.from_numpy(astronaut()[70:180, 170:280]).permute(2, 0, 1)[None] / 255
face = F.interpolate(
    (colours * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True), 28, mode="area"
)
lost = torch.zeros(3, 1, 28, 28, dtype=torch.bool)
for i, (top, left) in enumerate([(5, 5), (16, 9), (3, 17)]):  # an eye, the mouth, the edge of the face
    lost[i, :, top : top + 10, left : left + 10] = True
given = face.expand(3, -1, -1, -1).masked_fill(lost, 0.5)
rows = {"given": given} | {name: method.fill(given, lost) for name, method in list(methods.items())[:-1]}
rows |= {"network": lab.metrics.in_batches(of_faces.reconstruct, given), "clean": face.expand(3, -1, -1, -1)}
lab.plot.image_rows(
    rows,
    alt="The astronaut's face with a hole over an eye, over the mouth and at its edge. Mean fill puts a grey blur there, "
    "biharmonic a smooth patch; PCA fill and the network draw a soft guess that fits its surroundings.",
    scale=1.0,
)

# %% tags=["nbval-check-output"]
lowest = min(in_faces, key=lambda name: in_faces[name].value)
lab.holds(("the mean fill's error, in PCA fill's", in_faces["mean fill"].value / in_faces[fill.label].value, ">", 1.2))

# %% [markdown]
# **What you should see.** Inside the hole the network has an error of {{in_faces["network"].value:.4f}}, PCA fill
# {{in_faces[fill.label].value:.4f}}, biharmonic {{in_faces["biharmonic"].value:.4f}} and mean fill
# {{in_faces["mean fill"].value:.4f}}. The lowest is that of *{{lowest}}*; but look at the standard errors before you
# rank any two. A face is smooth, so a smooth surface goes far, yet no surface knows of eyes. Whoever has seen seventy
# faces knows that eyes are dark, and where they sit. They do not know *this* eye, and nothing else in the picture says
# what it looked like. So what slide 002 shows is possible, in a soft way. More faces would make the guess better, not
# certain.

# %% [markdown]
# ### Exercise 3 · Where should the loss look?
#
# A hole is 100 of 784 pixels. Trained on all of them, the network spends most of its effort on pixels that are plain to
# see. An idea: **take the loss inside the hole alone.** This function can do both:


# %%
def fit_inpainter(model, data, loss_on="everywhere", **settings):
    """lab.fit, with the squared error of all pixels ("everywhere") or of the damaged ones ("hole")."""

    def on_the_hole(x, target):
        total = ((model.reconstruct(x) - target).square() * (x != target)).flatten(1).sum(dim=1).mean()
        return lab.Loss(total, {"reconstruction": total})

    if loss_on == "hole":
        model.loss = on_the_hole
    return lab.fit(model, data, **settings)


# %% [markdown]
# Design the experiment: `experiment` trains two models that differ in nothing but `loss_on`, and returns their errors
# inside and outside the hole. Then say in `recommend` which one you would give to someone who **knows** where the hole
# is (and puts the known pixels back afterwards), and which to someone who does not (and takes the output as it is).


# %% tags=["exercise"]
def experiment(data, fit=fit_inpainter, score=lab.metrics.hole_errors):
    """Return {"everywhere": (inside, outside), "hole": (inside, outside)}, test errors as floats.

    Train with `fit(model, data, loss_on=…, …)`; `score(model, split, corrupt)` gives two Estimates.
    """
    # solution-begin
    hole = lab.corrupt.box_mask(10, fill=0.5)
    errors = {}
    for where in ("everywhere", "hole"):
        model = lab.ConvAutoencoder(latent=64)
        fit(model, data, loss_on=where, corrupt=hole, steps=400, seed=0, progress=False)
        inside, outside = score(model, data.test, hole)
        errors[where] = (inside.value, outside.value)
    return errors
    # solution-end


def recommend(errors, knows_the_hole):
    """errors: such a dictionary, for holes of 10×10 in 28×28. Return "everywhere" or "hole", by the expected error."""

    # solution-begin
    def error(inside, outside):
        return inside if knows_the_hole else (100 * inside + 684 * outside) / 784

    return min(errors, key=lambda where: error(*errors[where]))
    # solution-end


# %% tags=["check"]
lab.checks.loss_on_the_hole(experiment, recommend)

# %% [markdown] tags=["help"]
# 1. Two models, each newly made, with the same code, corruption, steps and seed: only `loss_on` differs. For
#    `recommend`, ask which pixels of the output end up in the picture. Whoever knows the hole puts the known pixels
#    back.
# 2. Give `fit` and `score` the same `lab.corrupt.box_mask(10, fill=0.5)`, and score on `data.test`. Where the hole is
#    not known, weigh the two errors by their pixels: 100 of 784 inside, 684 outside.
#
# **Why.** Judge a model by those of its pixels that are used: inside the hole alone if the rest is put back,
# otherwise all 784, each part with its share.

# %% [markdown]
# Once the check is content, run `errors = experiment(data)` in a cell of your own (a quarter of a minute), and
# `recommend` for both. Which error differs clearly, and which by so little that another seed might turn it round? Try a
# second seed before you write your sentence.

# %% [markdown]
# ## 6 · Real photographs
#
# Digits are kind: black ground, one stroke. Are the networks as good on photographs? We have ten, cut into grey patches
# of 32×32. Patches of *one* photo look alike and even overlap, so a random split puts near-copies of training patches
# into the test set. Therefore **leave one photo out**: train on the patches of the others, test on the one left out, and
# repeat. The spread over photos says what the *next* photo may bring; a standard error over patches of one photo does
# not.

# %%
lab.predict(
    "A network trained for seconds against the best linear map, on photos left out: who is ahead, on average?",
    options=[
        "the network, by more than 1 dB",
        "neither: they lie within 1 dB",
        "the linear map, by more than 1 dB",
    ],
    key="03-6-photos",
)

# %% tags=["folded"]
photos = lab.load("photos")
splits = (photos.train, photos.val, photos.test)
patches = torch.cat([split.images for split in splits]).mean(dim=1, keepdim=True)  # grey, (3542, 1, 32, 32)
photo = torch.cat([split.labels for split in splits])
names = photos.train.classes
grain = lab.corrupt.gaussian(0.3)


def photos_without(name):
    """All photos but one to train on, "coffee" to choose the controls by, the one left out to test on."""
    test, val = photo == names.index(name), photo == names.index("coffee")
    parts = {"train": ~test & ~val, "val": val, "test": test}
    return lab.ImageData(
        f"without {name}", **{part: lab.Split(patches[rows], photo[rows], names) for part, rows in parts.items()}
    )


filters = [lab.controls.Gaussian(s) for s in (1.0, 1.5, 2.0)]
filters += [lab.controls.Median(5), lab.controls.NonLocalMeans(0.25)]
best_filter = best_on_validation(filters, photos_without("cat").val, grain)  # the same "coffee" for all

# %%
gains, methods = {}, {}
for name in ("cat", "temple", "tissue"):
    part = photos_without(name)
    candidates = [best_filter, *(lab.PCA(k).fit(part.train) for k in (8, 16, 32))]
    network = lab.ResidualAutoencoder(64, image_shape=part.shape, skips="around", width=8, output="linear")
    lab.fit(network, part, corrupt=grain, steps=250, batch_size=32, learning_rate=8e-3, progress=False)
    by_filter, linear = best_on_validation(candidates, part.val, grain), lab.controls.LinearDenoiser(grain)
    methods[name] = {"filter or PCA": by_filter, "best linear map": linear.fit(part.train), "network": network}
    before = lab.metrics.psnr(untouched, part.test, grain).value
    gains[name] = {kind: lab.metrics.psnr(one, part.test, grain).value - before for kind, one in methods[name].items()}
    print(f"{name}: the best filter or PCA is {by_filter.label}")
gain = pd.DataFrame(gains).T
gain.round(2)  # in dB of PSNR, over the noisy patch

# %%
differences = {f"network − {other}": gain["network"] - gain[other] for other in ("filter or PCA", "best linear map")}
ahead = {name: lab.metrics.Estimate(row.mean(), row.std() / 3**0.5) for name, row in differences.items()}
lab.plot.bars(ahead, "difference in gain, dB: mean and standard error over three photos")

# %% tags=["folded"]
rows = {kind: [] for kind in ("photo left out", "given", "filter or PCA", "best linear map", "network")}
for name, of_photo in methods.items():
    clean = photos_without(name).test.images[20:22]
    noisy = grain(clean, torch.Generator().manual_seed(0))
    made = [clean, noisy, *(lab.metrics.in_batches(one.reconstruct, noisy) for one in of_photo.values())]
    for row, pictures in zip(rows.values(), made, strict=True):
        row.append(pictures)
lab.plot.image_rows(
    {kind: torch.cat(row) for kind, row in rows.items()},
    alt="Two patches each of a cat, a temple and a tissue: clean, noisy, cleaned by filter, best linear map and the "
    "network. All remove the grain, and most of the fine texture with it.",
    scale=0.9,
)

# %% tags=["nbval-check-output"]
behind = abs(ahead["network − best linear map"].value)
spread = gain["network"].max() - gain["network"].min()
lab.holds(
    ("dB by which the network beats filters and PCA, on average", ahead["network − filter or PCA"].value, ">", 0),
    ("dB between network and best linear map", behind, "<", 1),
    ("dB between the photos, for one and the same method", spread, ">", 1),
)

# %%
lab.outcome(
    "03-6-photos",
    ahead["network − best linear map"],
    above={"the network, by more than 1 dB": 1, "neither: they lie within 1 dB": -1},
    otherwise="the linear map, by more than 1 dB",
)

# %% [markdown]
# **What you should see.** On average over the photos the network gains {{gain["network"].mean():.1f}} dB, filters and
# PCA {{gain["filter or PCA"].mean():.1f}}, the best linear map {{gain["best linear map"].mean():.1f}}. The network was
# trained for seconds; with more steps it catches up on some photos. Photographs are full of smooth ground, for which a
# linear map is made, and eight photos hold few examples of anything else. The easy victory on digits does **not** carry
# over: *can remove noise* (slide 001) does not say *better than what*.
#
# And mind the spread: the same method gains {{gain["network"].min():.0f}} dB on one photo and
# {{gain["network"].max():.0f}} on another. Three photos therefore say little about the *size* of a gain, and more about
# the *difference* between two methods, if it is taken photo by photo, as in the bars.
#
# **Try it.** Deal the patches at random to training and test instead. How much of the "gain" was neighbourhood?

# %% [markdown]
# ## Take-aways
#
# - A denoising autoencoder is an autoencoder with another *input*: damaged in, clean out, the damage drawn anew each
#   time.
# - Judge it against filters that are tuned, and against the best linear map. What it gains over *those* is its own
#   merit.
# - Squared error teaches $\mathbb E[x\mid\tilde x]$: where several pictures are possible, their average. The way from
#   $\tilde x$ to that average, over $\sigma^2$, is the slope of the log density.
# - An almost clean image is harmed by a network for another level, and by one that is trained too little. Change one at
#   a time to see which. Trained on many levels, a network needs about as many steps for each.
# - Skips round the code carry what is still there. What is lost has to be guessed, with or without them: measure inside
#   and outside the hole separately.
# - Leave out whole photos, not patches, and show the spread over photos.

# %% [markdown]
# ## Quiz

# %%
lab.quiz(
    "03",
    [
        {
            "ask": "A denoiser is trained with noise that is drawn once, before training. What does it learn?",
            "right": (
                "to recognise each noise pattern, and the image that goes with it",
                "Training error falls, the error on new noise does not: exercise 1.",
            ),
            "wrong": {
                "the same, only faster": "It sees every pair again and again, and learns the pairs by heart.",
                "to copy its input": "That is clean → clean. Here input and target differ.",
            },
        },
        {
            "ask": "Half the digits that fit a noisy input are 4s, half are 9s. What does squared error ask for?",
            "right": (
                "a picture half 4, half 9",
                "$\\mathbb E[x \\mid \\tilde x]$ is an average of pictures, and need not look like any of them.",
            ),
            "wrong": {
                "a clean 4 or 9": "A guess is wrong half of the time, then costs four times the average's error.",
                "the noisy input": "That is far from both.",
            },
        },
        {
            "ask": "One network is for σ = 0.5, one for 0.05, trained equally long. On almost clean images both do harm, "
            "the first far more. What is the difference between the two due to?",
            "right": (
                "the noise level they were trained at",
                "It is all they differ in. The first takes off noise that is not there, and detail with it.",
            ),
            "wrong": {
                "too little training": "Both were trained equally long. What that costs, the second pays as well.",
                "too few parameters": "They are the same network.",
            },
        },
        {
            "ask": "Skips round the code cut an inpainter's error over whole images to a third. And inside the hole?",
            "right": (
                "one cannot tell from that number",
                "684 of 784 pixels lie outside, where copying is enough. Measure the two apart.",
            ),
            "wrong": {
                "it falls to a third as well": "Outside and inside are different tasks: copying and guessing.",
                "it rises": "Nothing makes it rise; it has nothing to gain from a wire without information.",
            },
        },
        {
            "ask": "Why is a photo left out as a whole, rather than some of its patches?",
            "right": (
                "patches of one photo resemble each other",
                "With its neighbours in the training set, a patch is no new picture.",
            ),
            "wrong": {
                "to have more patches to train on": "It leaves fewer.",
                "because patches are too small": "Their size is the same either way.",
            },
        },
    ],
)


# %% [markdown]
# ## From slide to cell
#
# | slide | it says | here | verdict |
# |---|---|---|---|
# | 001 *Application* 1, 004 | remove noise (C15) | sections 2, 4, 6 | right under a condition: noise and images like the training's, and enough training |
# | the course's own question | harm to cleaner images is the noise level's fault (C103) | section 4 | right under a condition: too little training has its share |
# | 001 *Application* 3, 004 | fill in missing parts (C16) | section 5 | right; as an average, hence soft |
# | 002 *Convolutional Autoencoders* | filled in from neighbouring context (C16) | section 5 | right |
# | 002 *… Using Residual Networks* | skips make outputs sharper (C20) | sections 2, 5 | right under a condition: the input shows it |
# | 002 *… Using Residual Networks* | skips cannot relay what was lost (C21) | section 5 | right; the rest of it guesses |
# | 004 *What do Autoencoders do?* | denoising even of audio (C42) | Deeper · Sound | right under a condition: sounds like those it learned |

# %% [markdown]
# ## Further reading
#
# - P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol (2008), *Extracting and composing robust features with
#   denoising autoencoders*, ICML.
# - A. Buades, B. Coll, J.-M. Morel (2005), *A non-local algorithm for image denoising*, CVPR.
# - K. Zhang, W. Zuo, Y. Chen, D. Meng, L. Zhang (2017), *Beyond a Gaussian denoiser*, arXiv 1608.03981: one network
#   for many levels.
# - D. Pathak et al. (2016), *Context encoders: feature learning by inpainting*, arXiv 1604.07379.
# - J. Lehtinen et al. (2018), *Noise2Noise*, arXiv 1803.04189: what squared error learns when even the target is
#   noisy.
# - P. Milanfar, M. Delbracio (2024), *Denoising: a powerful building block for imaging, inverse
#   problems, and machine learning*, arXiv 2409.06219.

# %% [markdown]
# ## Deeper · Sound
#
# *Denoising (images, even audio)*, says slide 004. A sound is an image of height 1. We make plucked strings: a tone of
# random pitch $f$, whose overtones die away the faster the higher they are. Where the string is plucked, $p$, decides
# how strong each is:
#
# $$x(t) = \tfrac12 + a \sum_{m=1}^{8} \tfrac1m \sin(m\pi p)\; e^{-\gamma\sqrt m\,t} \cos(2\pi f m\,t)$$
#
# shifted into [0, 1] so that all our tools take them. The classical method is the Wiener filter, the best linear map,
# given all covariances. It has *one* matrix for all pitches. A network can listen first.

# %%
lab.predict(
    "Best linear map against an autoencoder with a code of 16: which removes the noise from the strings better?",
    options=["the best linear map", "the autoencoder", "equal, within 0.1 dB"],
    key="03-d-sound",
)


# %% tags=["folded"]
def strings(count, seed, length=128):
    """`count` plucked strings as a Split of images (1, 1, length)."""
    generator = torch.Generator().manual_seed(seed)
    pitch, decay, pluck = (
        low + width * torch.rand(count, 1, 1, generator=generator) for low, width in ((3, 5), (1, 3), (0.1, 0.4))
    )
    t, m = torch.arange(length) / length, torch.arange(1.0, 9)[:, None]
    overtones = (m * math.pi * pluck).sin() / m * (-decay * m.sqrt() * t).exp() * (2 * math.pi * pitch * m * t).cos()
    tone = overtones.sum(dim=1)
    sound = 0.5 + 0.4 * tone / tone.abs().amax(dim=1, keepdim=True)
    return lab.Split(sound.view(count, 1, 1, length), torch.zeros(count, dtype=torch.long), ("string",))


# %%
sounds = lab.ImageData("strings", strings(4000, seed=0), strings(200, seed=1), strings(500, seed=2))
hiss = lab.corrupt.gaussian(0.2)
dense = lab.DenseAutoencoder(16, image_shape=sounds.shape, hidden=(256,))
lab.fit(dense, sounds, corrupt=hiss, steps=700, learning_rate=2e-3, progress=False)
blurs = [lab.controls.Gaussian(s) for s in (0.5, 1, 2)]
methods = {"nothing": untouched, "blur": best_on_validation(blurs, sounds.val, hiss)}
methods["PCA"] = best_on_validation([lab.PCA(k).fit(sounds.train) for k in (8, 16, 32)], sounds.val, hiss)
methods |= {"best linear map": lab.controls.LinearDenoiser(hiss).fit(sounds.train), "autoencoder": dense}
power = -10 * math.log10(float((sounds.test.images - 0.5).square().mean()))
snr = {name: lab.metrics.psnr(method, sounds.test, hiss) for name, method in methods.items()}
snr = {name: lab.metrics.Estimate(figure.value - power, figure.error) for name, figure in snr.items()}
lab.plot.bars(snr, "signal-to-noise ratio, dB")

# %%
one = sounds.test.images[:1]
heard = hiss(one, torch.Generator().manual_seed(0))
waves = {"clean": one, "heard": heard} | {
    name: methods[name].reconstruct(heard).detach() for name in ("best linear map", "autoencoder")
}
lab.plot.curves(range(64), {name: wave.flatten()[:64].tolist() for name, wave in waves.items()}, "time step", "x")

# %%
# 128 samples are over in 16 milliseconds. Plucked 63 times, with new noise each time, the string sounds for a second
plucked = one.expand(63, -1, -1, -1)
hissing = hiss(plucked, torch.Generator().manual_seed(1))
second = {"clean": plucked, "heard": hissing} | {
    name: methods[name].reconstruct(hissing) for name in ("best linear map", "autoencoder")
}
lab.listen(second, rate=8000)  # lab.listen(second).save() writes the waves beside this notebook

# %% tags=["nbval-check-output"]
ahead = snr["autoencoder"].value - snr["best linear map"].value
lab.holds(
    ("dB that the autoencoder gains", snr["autoencoder"].value - snr["nothing"].value, ">", 10),
    ("dB by which it is ahead of the best linear map", ahead, ">", 1),
)
lab.outcome(
    "03-d-sound",
    ahead,
    above={"the autoencoder": 0.1, "equal, within 0.1 dB": -0.1},
    otherwise="the best linear map",
)

# %% [markdown]
# **What you should see.** The noise is stronger than the tone: {{snr["nothing"].value:.1f}} dB. The best linear map
# brings that to {{snr["best linear map"].value:.1f}} dB, the autoencoder to {{snr["autoencoder"].value:.1f}}. The
# strings are *made of three numbers*, pitch, decay and plucking point, so a code of 16 has room to spare. But they
# depend on pitch in a way that no matrix can follow: the average of a high and a low tone is no tone. **The slide is
# right under a condition**: it has learnt *these* sounds. On gliding tones, which it never heard, the linear map beats
# it (C42, over five seeds).
#
# **Try it.** Give all strings the same pitch (`pitch = 8`). What is left of the network's lead?
