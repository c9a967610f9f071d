"""The figures the models must reach on mnist-5k, mean over training seeds 0–2: python -m benchmarks figures

Prints one line a figure with its limit and whether it holds; exit status 1 if an error is above its limit. Seconds are
shown beside their budget on two quiet cores but decide nothing, for the machine may be busy.
"""

import statistics
import sys
import time

import torch

import autoencoder_lab as lab

SEEDS = (0, 1, 2)
data = lab.load("mnist-5k")
failed = False


def report(what: str, values: list[float], limit: float, seconds: list[float], budget: float, low: bool = True) -> None:
    """One line; `low`: whether the figure must stay below its limit or above it."""
    global failed
    mean = statistics.mean(values)
    holds = mean <= limit if low else mean >= limit
    failed = failed or not holds
    spread = statistics.stdev(values)
    print(
        f"{'ok  ' if holds else 'FAIL'} {what}: {mean:.5f} ± {spread:.5f} over seeds, {'≤' if low else '≥'} {limit:g}; "
        f"{statistics.median(seconds):.0f} s (budget {budget:.0f} s)",
        flush=True,
    )


def train(make: type, seed: int, **settings: object) -> tuple[lab.Autoencoder, float]:
    """A model trained for its own suggested steps, and the seconds that took."""
    model, started = make(), time.perf_counter()
    lab.fit(model, data, seed=seed, **settings)  # type: ignore[arg-type]
    return model, time.perf_counter() - started


for name, make, limit, budget in (
    ("ConvAutoencoder(32), augmented, test mse", lambda: lab.ConvAutoencoder(latent=32), 0.0045, 60),
    ("DenseAutoencoder(32), augmented, test mse", lambda: lab.DenseAutoencoder(latent=32), 0.0060, 30),
):
    runs = [train(make, seed, augment=lab.augment.affine()) for seed in SEEDS]
    report(name, [lab.metrics.mse(m, data.test).value for m, _ in runs], limit, [s for _, s in runs], budget)

for k in (2, 8, 32):
    pca = lab.PCA(k).fit(data.train)
    best = lab.metrics.mse(pca, data.train).value
    runs = [train(lambda k=k: lab.LinearAutoencoder(latent=k), seed) for seed in SEEDS]
    seconds = [s for _, s in runs]
    gaps = [lab.metrics.mse(m, data.train).value / best - 1 for m, _ in runs]
    report(f"LinearAutoencoder({k}), gap to PCA on training images", gaps, 0.01, seconds, 20)
    angles = [lab.metrics.principal_angles(pca, m) for m, _ in runs]
    if k < 32:
        report(
            f"LinearAutoencoder({k}), largest principal angle in degrees",
            [float(a.max()) for a in angles],
            1,
            seconds,
            20,
        )
    else:
        cosines = [float(torch.deg2rad(a).cos().square().mean()) for a in angles]
        report(f"LinearAutoencoder({k}), mean squared cosine", cosines, 0.99, seconds, 20, low=False)

# --- denoising and inpainting, ahead of every control, whose settings are chosen on validation images
noise, hole = lab.corrupt.gaussian(0.5), lab.corrupt.box_mask(10, fill=0.5)
filters = [lab.controls.Gaussian(s) for s in (0.6, 0.8, 1.0)] + [lab.controls.Median(size) for size in (3, 5)]
filters += [lab.controls.NonLocalMeans(s) for s in (0.15, 0.2, 0.25)] + [lab.PCA(k).fit(data.train) for k in (32, 64)]
filters += [lab.controls.LinearDenoiser(noise).fit(data.train)]
best_filter = max(filters, key=lambda method: lab.metrics.psnr(method, data.val, noise).value)
best_psnr = lab.metrics.psnr(best_filter, data.test, noise).value
fills = [lab.controls.MeanFill().fit(data.train), lab.controls.Biharmonic()]
fills += [lab.controls.PCAFill(k).fit(data.train) for k in (64, 128, 200)]
best_fill = min(fills, key=lambda method: lab.metrics.hole_errors(method, data.val, hole)[0].value)
best_inside = lab.metrics.hole_errors(best_fill, data.test, hole)[0].value

for name, corrupt, measure, limit, low in (
    (
        f"denoising σ = 0.5, test PSNR in dB ({best_filter.label}: {best_psnr:.2f})",
        noise,
        lambda m: lab.metrics.psnr(m, data.test, noise).value,
        max(20.0, best_psnr),
        False,
    ),
    (
        f"inpainting a 10×10 hole, test mse inside ({best_fill.label}: {best_inside:.4f})",
        hole,
        lambda m: lab.metrics.hole_errors(m, data.test, hole)[0].value,
        best_inside,
        True,
    ),
):
    runs = [
        train(
            lambda: lab.ResidualAutoencoder(latent=64, skips="around"),
            seed,
            corrupt=corrupt,
            steps=800,
            batch_size=64,
            learning_rate=5e-3,
        )
        for seed in SEEDS
    ]
    report(name, [measure(m) for m, _ in runs], limit, [s for _, s in runs], 40, low)

# --- variational: what new digits cost in nats, black and white drawn from their grey values, by 100 importance samples


def nudge(images: torch.Tensor) -> torch.Tensor:
    """Half of the images, each by up to one pixel in both directions; margins are wide enough to roll over.

    By whole pixels: turning or scaling interpolates, and grey edges raise the digits' entropy from 46 to 73 nats.
    """
    moves = torch.randint(-1, 2, (len(images), 2)) * (torch.rand(len(images), 1) < 0.5)
    return torch.stack([x.roll(move, dims=(1, 2)) for x, move in zip(images, moves.tolist(), strict=True)])


runs = [train(lambda: lab.VAE(latent=20, hidden=512), seed, augment=nudge, steps=4000) for seed in SEEDS]
costs = [lab.metrics.nll(m, data.test) for m, _ in runs]
over_images = statistics.mean(cost.error for cost in costs)
what = f"VAE(20), test NLL in nats (± {over_images:.2f} over images)"
report(what, [cost.value for cost in costs], 93.5, [s for _, s in runs], 60)

sys.exit(failed)
