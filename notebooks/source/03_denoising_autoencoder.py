# %% [markdown]
# # 03 · The denoising autoencoder
#
# *Noise as a teacher; filters it must beat; filling holes; what skips round the code can and cannot restore; real
# photos*
#
# Damage a picture, and ask for the picture back. That one change, **damaged in, clean out**, turns an autoencoder
# from a copying machine into something useful, and it lets us ask sharp questions: *what is the best possible answer?
# what can no network know?* In this notebook you remove noise and fill holes, beat the classical methods by measured
# margins, and find out what skip connections can restore and what they cannot.
#
# **You will be able to**
#
# - train a denoiser and an inpainter, and judge them against filters that need no training (sections 2 and 5,
#   Exercise 1);
# - explain why squared error makes a network answer with an average, and compute that average where it can be computed
#   (section 3, Exercise 2);
# - say what happens at noise levels that were never trained on (section 4, quiz);
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

import torch

import autoencoder_lab as lab

lab.setup(seed=0)
data = lab.load("mnist-5k")
noise = lab.corrupt.gaussian(0.5)
hole = lab.corrupt.box_mask(10, fill=0.5)  # grey, so that a network can see where it is
untouched = lab.controls.Gaussian(sigma=0)  # a blur of no width: the damaged image as it is


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
class AnyLevel:
    """Clipped Gaussian noise, for every image at a level of its own between 0 and `highest`."""

    highest: float

    def __call__(self, x, generator=None):
        sigma = self.highest * torch.rand((len(x), 1, 1, 1), generator=generator)
        return (x + sigma * torch.randn(x.shape, generator=generator)).clamp(0, 1)


# %% [markdown]
# ## 1 · Damage
#
# A [corruption]({{glossary}}#corruption) is a rule, with chance in it, that turns an image $x$ into a damaged one,
# $\tilde x$:
#
# $$\tilde x = \mathrm{clip}_{[0,1]}(x + \sigma\varepsilon),\quad \varepsilon \sim \mathcal N(0, I)
# \;\;\text{(Gaussian)} \qquad\qquad \tilde x_i = x_i \text{ or } 0 \text{ or } 1 \qquad\text{(salt and pepper)}$$
#
# or pixels, or a whole box of them, simply erased. The first kind touches every pixel a little; the others leave most
# of them alone and take the rest away for good.

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
# of the error, 3 dB about half. Higher is better. Now a first attempt to remove noise: take *many* noisy copies of
# the same digit, and average them.

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
black = data.test.images[:1] == 0
ground = float(average[black].mean())
print("black pixels average to σ/√(2π), within 0.01:", abs(ground - 0.5 / math.sqrt(2 * math.pi)) < 0.01)
kept = (average[data.test.images[:1] > 0.9].mean() - ground) > 0.3
pale = "the digit, paler, on a grey ground" if kept else "an even grey"
lab.outcome("03-1-average-of-copies", "the clean digit" if ground < 0.05 else pale)

# %% [markdown]
# **What you should see.** Noise that is *clipped* does not average out: a black pixel can only become brighter, by
# $\mathbb E\max(0, \sigma\varepsilon) = \sigma/\sqrt{2\pi}$ on average (a little less, for the brightest are clipped
# as well). A method built for noise with mean zero is off here from the start. And in earnest there is only one copy.
# What else could tell us the clean pixel? Its neighbours, and everything we know about digits.
#
# **Try it.** Which of the five damages could be undone by averaging many copies?

# %% [markdown]
# ## 2 · Denoising, and what it has to beat
#
# A [denoising autoencoder]({{glossary}}#denoising-autoencoder) sees $\tilde x$ and is scored against the clean $x$:
#
# $$J = \mathbb E_{x,\tilde x}\;\lVert x - d(e(\tilde x)) \rVert^2$$
#
# Here that takes one argument, `lab.fit(model, data, corrupt=noise)`. The noise is drawn anew for every batch; when
# we *measure*, it is the same for every method.
#
# Slide 001 says that autoencoders *can remove noise*. So can a blur. The fair question is whether training is worth
# it. So here are the methods that need none, each with its setting **chosen on validation images**:
#
# | control | idea |
# |---|---|
# | Gaussian, [median]({{glossary}}#median-filter) | the pixel's neighbours |
# | [non-local means]({{glossary}}#non-local-means) | pixels anywhere in the image whose surroundings look alike |
# | PCA | keep the strongest directions, noise has most of its power in the others |
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
figures = {"nothing": lab.metrics.psnr(untouched, test, noise)}
figures |= {method.label: lab.metrics.psnr(method, test, noise) for method in chosen.values()}
lab.plot.bars(figures, "PSNR, dB")

# %% tags=["nbval-check-output"]
best_control = max(chosen, key=lambda name: figures[chosen[name].label].value)
lab.outcome("03-2-best-control", best_control)

# %% [markdown]
# **What you should see.** Filters that only know about neighbouring pixels gain a few dB. Those that have *seen other
# digits* gain more; and a single matrix, with 784² numbers and no training to speak of, gains most. It also knows
# that the noise is clipped. This is the bar. Now two autoencoders, both trained for a few seconds: a plain one with a
# code of 64 numbers, and one whose skips go round the code, so that the pixels need not squeeze through it.

# %%
plain = lab.ConvAutoencoder(latent=64, hidden=256)
lab.fit(plain, data, corrupt=noise, steps=380, progress=False)
around = lab.ResidualAutoencoder(latent=64, skips="around")
lab.fit(around, data, corrupt=noise, steps=220, batch_size=64, learning_rate=5e-3, progress=False)
denoisers = {"best linear map": chosen["best linear map"], "plain, code of 64": plain, "skips around": around}
table = lab.compare(denoisers, data, columns=["mse", "psnr"], corrupt=noise)
cleaned = {
    name: lab.metrics.in_batches(method.reconstruct, noise(data.test.images)) for name, method in denoisers.items()
}
original = lab.metrics.sharpness(data.test.images).value
table["sharpness"] = {name: lab.metrics.sharpness(images).value / original for name, images in cleaned.items()}
table[["psnr", "psnr_se", "sharpness", "seconds"]].round(2)  # sharpness: 1 is as sharp as the originals

# %%
lab.plot.reconstructions({"median": chosen["median"]} | denoisers, data.test, count=5, corrupt=noise)

# %%
lab.diagram.denoising(data.test.images[0], noise(data.test.images[:1]), plain)

# %% tags=["nbval-check-output"]
psnr = {name: lab.metrics.psnr(model, test, noise).value for name, model in (("plain", plain), ("around", around))}
best = max(figure.value for figure in figures.values())
print("both autoencoders beat every control:", min(psnr.values()) > best)
print("skips around beat the best control by more than 1 dB:", psnr["around"] > best + 1)
print(
    "skips around give sharper pictures than plain:",
    table["sharpness"]["skips around"] > table["sharpness"]["plain, code of 64"],
)

# %% [markdown]
# **What you should see.** **Slide 001 is right**: autoencoders denoise, and better than all our controls. But the
# credit is shared: most of the gain over the noisy input comes already from *one matrix that has seen digits*. The
# skips add the rest. (With 800 steps, half a minute, the last model passes 20 dB; three seeds of that are measured by
# `python -m benchmarks figures`.) Slide 002's *sharper* holds here too: a code of 64 numbers has to drop detail that
# was perfectly visible in $\tilde x$; round the code it gets through.
#
# ### See it for yourself

# %%
lab.explore({"plain, code of 64": plain, "skips around": around}, data)

# %% [markdown]
# **Try it.** In **Draw**, write a digit. Choose the *Damage* Gaussian noise and pull *Strength* slowly from 0 to 1;
# press *New noise* a few times where it is strong. Then draw something that is no digit, a house or your initials,
# and do it again. At last choose a hole.
#
# **What you should see.** At 0.5 both give back your digit. Far above it, *New noise* changes *what* they draw: there
# is less and less picture in the input, and more and more guess. A house with noise comes back as a house only from
# the model with skips; the plain one has codes for digits. And the hole? Neither fills it: nobody ever showed them
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


few = data.train.images[:300]
model = lab.DenseAutoencoder(latent=64)
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
# What has the network learnt there? Write the loop rightly.


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
# Which function $f$ of the damaged image has the lowest expected squared error? For one given $\tilde x$, many clean
# images are possible, each with its probability. The best single answer is their mean:
#
# $$\arg\min_f\; \mathbb E\,\lVert x - f(\tilde x)\rVert^2 \;=\; \mathbb E[x \mid \tilde x] \;=\; \sum_n w_n\, x_n,
# \qquad w_n \propto p(x_n)\, \exp\!\Big(-\frac{\lVert \tilde x - x_n\rVert^2}{2\sigma^2}\Big)$$
#
# the [posterior mean]({{glossary}}#posterior-mean). Take a world in which only *two* images exist, a 3 and an 8,
# equally likely, and noise so strong that one cannot be sure. Then $w$ can be computed. We train a network that is
# told nothing of this formula, and compare.

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
mixed = float(share_drawn[unsure].sub(0.5).abs().mean())
print("the network follows the formula, within 0.1 on average:", off < 0.1)
both_mixed = "both, mixed by their probability" if mixed < 0.25 else "the likelier of the two"
lab.outcome("03-3-two-images", both_mixed)

# %% [markdown]
# **What you should see.** Nobody told the network about probabilities; squared error taught it to compute them. Where
# the input leaves open which image it was, it draws **both at once, weighted**: not because it is a bad network, but
# because it is a good one for this loss. That is where the softness of denoised and filled-in pictures comes from,
# and no longer training removes it.
#
# **Try it.** Set `sigma=1.0`. How many mixtures are left?

# %% [markdown]
# ### Exercise 2 · The posterior mean
#
# Complete the formula for any number of candidates, all equally likely a priori. *Hint: 784 squared differences make
# large exponents.*


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
# Once it is right: take the 3,500 training digits as candidates and denoise test digits with it (σ = 0.5, `Noise`,
# not clipped). It nearly always answers with *one training digit*, and stays below 15 dB, where the networks of
# section 2 reach 18 dB and more on noise that is clipped on top. The formula is best in a world of these 3,500 images
# and no other. A network knows less about each of them, and more about digits.

# %% [markdown]
# ## 4 · Noise levels never trained on
#
# Both denoisers of section 2 knew the noise: σ = 0.5 in training and in the test. In life one rarely does. Two
# networks, alike in all but one thing: one is trained at σ = 0.5, the other at a level drawn anew for every image
# between 0 and 1. The control is the best linear map, once for 0.5, once *made anew for every level*.

# %%
lab.predict(
    "The network trained at σ = 0.5 is given σ = 0.05, an almost clean image. The result is …",
    options=["better than its input", "worse than its input", "as good as its input, within 1 dB"],
    key="03-4-almost-clean",
)

# %%
levels = [0.05, 0.1, 0.25, 0.5, 1.0]
trained = {"trained at 0.5": noise, "trained at 0 to 1": AnyLevel(1.0)}
by_level = {name: [] for name in [*trained, "linear, for 0.5", "linear, for each level", "the input"]}
networks = {name: lab.ResidualAutoencoder(latent=64, skips="around") for name in trained}
for name, corrupt in trained.items():
    lab.fit(networks[name], data, corrupt=corrupt, steps=100, batch_size=64, learning_rate=5e-3, progress=False)
linear = lab.controls.LinearDenoiser(noise).fit(data.train)
for sigma in levels:
    corrupt = lab.corrupt.gaussian(sigma)
    methods = networks | {"linear, for 0.5": linear, "the input": untouched}
    methods["linear, for each level"] = lab.controls.LinearDenoiser(corrupt).fit(data.train)
    for name, method in methods.items():
        by_level[name].append(lab.metrics.psnr(method, data.test[:500], corrupt))
lab.plot.curves(levels, by_level, "σ in the test", "PSNR, dB", log="x")

# %% tags=["nbval-check-output"]
at = {name: dict(zip(levels, (figure.value for figure in row), strict=True)) for name, row in by_level.items()}
one, many = at["trained at 0.5"], at["trained at 0 to 1"]
print("at 1.0 the one trained at all levels is ahead:", many[1.0] > one[1.0])
print("at 0.05 it is ahead as well:", many[0.05] > one[0.05])
print("at 0.5 it costs less than half a decibel:", many[0.5] > one[0.5] - 0.5)
difference = one[0.05] - at["the input"][0.05]
worse = "worse than its input" if difference < 0 else "better than its input"
lab.outcome("03-4-almost-clean", "as good as its input, within 1 dB" if abs(difference) < 1 else worse)

# %% [markdown]
# **What you should see.** Trained at one level, the network expects that noise everywhere: it "cleans" an almost
# clean image into something some 5 dB *worse* than what it was given. Above its level it falls behind as well.
# Trained at all levels it loses hardly anything at 0.5 and wins at both ends, for it can *see* how noisy an image is.
# But look at the left end again: at σ = 0.05 a *matrix made for that level* is far ahead of both. Slide 001's *remove
# noise* holds **under a condition**: for noise like that of the training, and only where there is enough of it.
#
# **Try it.** Give both networks salt-and-pepper noise, `lab.corrupt.salt_pepper(0.2)`. Is a `lab.controls.Median(3)`
# better?

# %% [markdown]
# ## 5 · Holes
#
# In noise every pixel keeps a trace of the truth. In a hole nothing is left: the network has to *continue* the
# picture from its surroundings, which is called [inpainting]({{glossary}}#inpainting). Slide 001: autoencoders *can
# fill in missing parts*; slide 002: *based on neighboring context*. We take a hole of 10×10 grey pixels, at a random
# place in every image, and look only at the error **inside** it. The controls are told where the hole is, the
# networks are not:
#
# - *mean fill*: the mean training image; *biharmonic*: the smoothest surface that meets the edge of the hole;
# - *PCA fill*: the code of $k$ numbers that fits the known pixels best, by least squares (with a small ridge), its
#   reconstruction in the hole.
#
# Slide 002 also says of residual networks: *since the skip connections can only channel the low-level features that
# are present in the source layer, [they] cannot relay information about features lost from corruption.* To test that
# we need two networks with the same parts that differ only in the skips: **inside** the encoder and decoder, or
# **around** the code. And two errors, one inside the hole and one outside.

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
fills = {
    "mean fill": lab.controls.MeanFill().fit(data.train),
    "biharmonic": lab.controls.Biharmonic(),
    pca_fill.label: pca_fill,
}
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
    alt="Ten digits with a grey hole. Mean fill puts a grey cloud there, biharmonic a smooth smear, PCA fill a guess; "
    "both networks continue the strokes, softly. Outside the hole the network with skips around is the more exact one.",
    scale=0.5,
)

# %% tags=["nbval-check-output"]
inside, outside = ({name: pair[side].value for name, pair in errors.items()} for side in (0, 1))
best = min(inside[name] for name in fills)
print("both networks beat every control inside the hole:", max(inside[name] for name in inpainters) < best)
falls = [side["skips around"] < 2 / 3 * side["skips inside"] for side in (inside, outside)]
print(
    "skips around cut the error outside the hole by more than half:",
    outside["skips around"] < outside["skips inside"] / 2,
)
one = "only inside the hole" if falls[0] else "only outside the hole" if falls[1] else "neither"
lab.outcome("03-5-skips-and-holes", "inside the hole and outside" if all(falls) else one)

# %% [markdown]
# **What you should see.** **Slides 001 and 002 are right that the gap is filled from context**, and the networks do
# it better than all three controls, without being told where the hole is. **And slide 002 is right about skips**:
# round the code they carry what is still there, and the error outside falls to a fraction; inside the hole they have
# nothing to carry, and the error hardly moves. No wiring can change that: two digits that differ only inside the hole
# give the same $\tilde x$, hence the same output. What stands there is $\mathbb E[x\mid\tilde x]$ again, the average
# of all continuations, which is why it is soft.
#
# Two corrections, though. *Relay* is one thing, *restore* another: the network with skips does fill the hole, only
# not through them. And of "the reconstruction error" one should never speak where there is a hole. In all images
# together the model with skips looks many times better, and it is no better at what we wanted it for.


# %%
def sharpness_inside(images):
    """Sharpness of the middle of the hole alone, 8×8 pixels; the same places in all images."""
    places = hole.mask(data.test.images, torch.Generator().manual_seed(0))[:, 0]
    corners = places.flatten(1).float().argmax(dim=1)
    windows = [image[:, i // 28 : i // 28 + 10, i % 28 : i % 28 + 10] for image, i in zip(images, corners, strict=True)]
    return lab.metrics.sharpness(torch.stack(windows))


damaged = hole(data.test.images, torch.Generator().manual_seed(0))
filled = {name: lab.metrics.in_batches(model.reconstruct, damaged) for name, model in inpainters.items()}
whole = lab.metrics.sharpness(data.test.images).value
truth = sharpness_inside(data.test.images).value
for name, images in filled.items():
    everywhere, within = lab.metrics.sharpness(images).value / whole, sharpness_inside(images).value / truth
    print(f"{name}: as sharp as the originals to {everywhere:.0%} in the whole image, {within:.0%} inside the hole")

# %% [markdown]
# Sharp where it was seen, soft where it was guessed; with skips around, the contrast is greatest. Slide 002's last
# sentence, *reconstructed features still appear blurry*, is **right** as well.
#
# **Try it.** Train and test with `box_mask(4, fill=0.5)`. Does the error inside fall? Why?

# %% [markdown]
# ### Exercise 3 · Where should the loss look?
#
# A hole is 100 of 784 pixels. Trained on all of them, the network spends most of its effort on pixels that are plain
# to see. A tempting idea: **take the loss inside the hole alone.** This function can do both:


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
# Design the experiment: `experiment` trains two models that differ in nothing but `loss_on` and returns their errors
# inside and outside the hole. Then say in `recommend` which one you would give to someone who **knows** where the
# hole is (and puts the known pixels back afterwards), and which to someone who does not (and takes the output as it
# is).


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
# `recommend` for both. Is the tempting idea a good one? Write one sentence on what you found, and one on why it might
# be so: what does a network learn from the 684 pixels that are plain to see?

# %% [markdown]
# ## 6 · Real photographs
#
# Digits are kind: black ground, one stroke. Are the networks as good on photographs? We have ten, cut into grey
# patches of 32×32. Patches of *one* photo look alike and even overlap; whoever deals them at random to training and
# test, tests on pictures that the network has all but seen. Hence **leave one photo out**: train on the patches of
# the others, test on the one left out, and repeat. The spread over photos says what the *next* photo may bring; a
# standard error over patches of one photo does not.

# %%
lab.predict(
    "A network trained for seconds, on a photo left out. What does it beat, on average over photos?",
    options=["all controls", "filters and PCA, not the best linear map", "not even filters and PCA"],
    key="03-6-photos",
)

# %%
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


filters = [lab.controls.Gaussian(s) for s in (1.0, 1.5, 2.0)] + [
    lab.controls.Median(5),
    lab.controls.NonLocalMeans(0.25),
]
best_filter = best_on_validation(filters, photos_without("cat").val, grain)  # the same "coffee" for all
left_out = ["cat", "temple", "tissue"]
gains, pictures = {"best filter or PCA": [], "best linear map": [], "network": []}, []
for name in left_out:
    part = photos_without(name)
    candidates = [best_filter, *(lab.PCA(k).fit(part.train) for k in (8, 16, 32))]
    network = lab.ResidualAutoencoder(64, image_shape=part.shape, skips="around", width=8, output="linear")
    lab.fit(network, part, corrupt=grain, steps=250, batch_size=32, learning_rate=8e-3, progress=False)
    methods = {"best filter or PCA": best_on_validation(candidates, part.val, grain)}
    methods |= {"best linear map": lab.controls.LinearDenoiser(grain).fit(part.train), "network": network}
    before = lab.metrics.psnr(untouched, part.test, grain).value
    for kind, method in methods.items():
        gains[kind].append(lab.metrics.psnr(method, part.test, grain).value - before)
    clean = part.test.images[20:23]
    noisy = grain(clean, torch.Generator().manual_seed(0))
    pictures += [clean, noisy, *(lab.metrics.in_batches(method.reconstruct, noisy) for method in methods.values())]
    print(f"{name}: the best filter or PCA is {methods['best filter or PCA'].label}")

# %%
bars = {
    f"{kind}, {name}": round(gain, 2) for kind, row in gains.items() for name, gain in zip(left_out, row, strict=True)
}
for kind, row in gains.items():  # the spread over photos
    bars[f"{kind}, mean"] = lab.metrics.Estimate(sum(row) / 3, float(torch.tensor(row).std() / 3**0.5))
lab.plot.bars(bars, "gain in PSNR, dB")

# %%
kinds = ("photo left out", "given", *gains)
lab.plot.image_rows(
    {kind: torch.cat(pictures[row :: len(kinds)]) for row, kind in enumerate(kinds)},
    alt="Three patches each of a cat, a temple and a tissue: clean, noisy, cleaned by filter, best linear map "
    "and the network. All remove the grain, and most of the fine texture with it.",
    scale=0.45,
)

# %% tags=["nbval-check-output"]
by_filter, by_matrix, by_network = gains.values()
print("averaged over photos, the network beats filters and PCA:", sum(by_network) > sum(by_filter))
close = abs(sum(by_network) - sum(by_matrix)) / 3 < 1
print("network and best linear map lie within 1 dB of each other:", close)
print("the photos differ by more than that:", max(by_network) - min(by_network) > 1)

# %%
beats = "all controls" if sum(by_network) > sum(by_matrix) else "filters and PCA, not the best linear map"
lab.outcome("03-6-photos", beats if sum(by_network) > sum(by_filter) else "not even filters and PCA")

# %% [markdown]
# **What you should see.** On average over the photos the network is ahead of the filters and of PCA by about half a
# decibel (on the cat hardly at all), and the best linear map is ahead of the network: almost eleven against ten and a
# half. The network was trained for seconds; on the cat, 400 steps instead of 250 put it ahead, by 0.2 dB. Photographs
# are full of smooth ground, for which a linear map is made, and eight photos hold few examples of anything else. The
# easy victory on digits does **not** carry over: slide 001's *can remove noise* does not say *better than what*.
#
# And mind the spread: the same method gains 8 dB on one photo and 13 on another. Three photos therefore say little
# about the *size* of a gain, more about the *difference* between two methods, if it is taken photo by photo.
#
# **Try it.** Deal the patches at random to training and test instead. How much of the "gain" was neighbourhood?

# %% [markdown]
# ## Take-aways
#
# - A denoising autoencoder is an autoencoder with another *input*: damaged in, clean out, the damage drawn anew each
#   time.
# - Judge it against filters that are tuned, and against the best linear map. What it gains over *those* is its own
#   merit.
# - Squared error teaches $\mathbb E[x\mid\tilde x]$: where several pictures are possible, their average.
# - Trained at one noise level it is an expert for that level, and harms an image that is cleaner. Train on many.
# - Skips round the code carry what is still there. What is lost has to be guessed, with or without them: measure
#   inside and outside the hole separately.
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
            "ask": "A network for σ = 0.5 is given an almost clean image. Why is the result worse than the input?",
            "right": (
                "it takes off noise that is not there, and detail with it",
                "All it knows is how images look under σ = 0.5, and there fine detail cannot be trusted.",
            ),
            "wrong": {
                "it has too few parameters": "The same network trained at all levels does better there.",
                "clean images are harder": "A matrix made for that level improves them.",
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
# ## Deeper · Sound
#
# Slide 004: *denoising (images, even audio)*. A sound is an image of height 1. We make plucked strings: a tone of
# random pitch $f$ whose overtones die away the faster the higher they are; where the string is plucked, $p$, decides
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


# %%
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


sounds = lab.ImageData("strings", strings(4000, seed=0), strings(200, seed=1), strings(500, seed=2))
hiss = lab.corrupt.gaussian(0.2)
dense = lab.DenseAutoencoder(16, image_shape=sounds.shape, hidden=(256,))
lab.fit(dense, sounds, corrupt=hiss, steps=700, learning_rate=2e-3, progress=False)
methods = {
    "nothing": untouched,
    "blur": best_on_validation([lab.controls.Gaussian(s) for s in (0.5, 1, 2)], sounds.val, hiss),
}
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
print("the autoencoder gains more than 10 dB:", snr["autoencoder"].value > snr["nothing"].value + 10)
print("it is ahead of the best linear map by more than 1 dB:", ahead > 1)
winner = "the autoencoder" if ahead > 0 else "the best linear map"
lab.outcome("03-d-sound", "equal, within 0.1 dB" if abs(ahead) < 0.1 else winner)

# %% [markdown]
# **What you should see.** The noise is stronger than the tone, −4.5 dB; the best linear map brings that to almost 7
# dB, the autoencoder to between 8 and 9. **The slide is right.** The reason is that the strings are *made of three
# numbers*, pitch, decay and plucking point, so a code of 16 has room to spare. But they depend on pitch in a way that
# no matrix can follow: the average of a high and a low tone is no tone.
#
# **Try it.** Give all strings the same pitch (`pitch = 8`). What is left of the network's lead?

# %% [markdown]
# ## From slide to cell
#
# | slide | it says | here | verdict |
# |---|---|---|---|
# | 001 *Application* 1, 004 | remove noise (C15) | sections 2, 4, 6 | right under a condition: noise and images like the training's |
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
