"""The figures the models must reach on mnist-5k, mean over training seeds 0–2.

    python -m benchmarks figures [NAME …]     all of them, or those whose name begins so: denoising, VAE(20), GAN …

Prints one line a figure with its limit and whether it holds; exit status 1 if an error is above its limit. Seconds are
shown beside their budget on two quiet cores but decide nothing, for the machine may be busy.
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import nn

import autoencoder_lab as lab
from evidence.common import Pixels

SEEDS = (0, 1, 2)
data: lab.ImageData  # mnist-5k, from main on
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


def asked_for(name: str) -> bool:
    """Whether this figure is wanted: all are if none was named."""
    return len(sys.argv) == 1 or any(name.lower().startswith(wanted.lower()) for wanted in sys.argv[1:])


def train(make: type, seed: int, **settings: object) -> tuple[lab.Autoencoder, float]:
    """A model trained for its own suggested steps, and the seconds that took."""
    model, started = make(), time.perf_counter()
    lab.fit(model, data, seed=seed, **settings)  # type: ignore[arg-type]
    return model, time.perf_counter() - started


def autoencoders() -> None:
    """Convolutional and dense ones, by test error."""
    for name, make, limit, budget in (
        ("ConvAutoencoder(32), augmented, test mse", lambda: lab.ConvAutoencoder(latent=32), 0.0045, 60),
        ("DenseAutoencoder(32), augmented, test mse", lambda: lab.DenseAutoencoder(latent=32), 0.0060, 30),
    ):
        if not asked_for(name):
            continue
        runs = [train(make, seed, augment=lab.augment.affine()) for seed in SEEDS]
        report(name, [lab.metrics.mse(m, data.test).value for m, _ in runs], limit, [s for _, s in runs], budget)


def linear_autoencoders() -> None:
    """How near gradients come to PCA."""
    for k in (2, 8, 32) if asked_for("LinearAutoencoder") else ():
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


def denoising_and_inpainting() -> None:
    """Ahead of every control, whose settings are chosen on validation images."""
    noise, hole = lab.corrupt.gaussian(0.5), lab.corrupt.box_mask(10, fill=0.5)
    filters = [lab.controls.Gaussian(s) for s in (0.6, 0.8, 1.0)] + [lab.controls.Median(size) for size in (3, 5)]
    filters += [lab.controls.NonLocalMeans(s) for s in (0.15, 0.2, 0.25)] + [
        lab.PCA(k).fit(data.train) for k in (32, 64)
    ]
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
        if not asked_for(name):
            continue
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


def warp(images: torch.Tensor) -> torch.Tensor:
    """Turned, scaled and slanted a little; the contrast takes the entropy that interpolation adds back to 46 nats."""
    warped = lab.augment.affine(rotation=5, scale=0.06, shear=0.1, shift=0)(images)
    return ((warped - 0.5) * 1.3 + 0.5).clamp(0, 1)


def deeper_vae() -> lab.VAE:
    """VAE(2) with a dense layer more on either side: two numbers are a sheet that has to be folded many times."""
    vae = lab.VAE(latent=2, warm_up=0.5)
    *to_hidden, to_code = vae.get_submodule("encoder").children()
    vae.encoder = nn.Sequential(*to_hidden, nn.Linear(256, 256), nn.SiLU(), to_code)
    from_code, silu, *to_image = vae.get_submodule("decoder").children()
    vae.decoder = nn.Sequential(from_code, silu, nn.LayerNorm(256), nn.Linear(256, 256), nn.SiLU(), *to_image)
    return vae


def variational() -> None:
    """What new digits cost in nats, black and white drawn from their grey values, by 100 importance samples."""
    vaes: list[tuple[str, Callable[[], lab.VAE], float, dict[str, object]]] = [
        (
            "VAE(20)",
            lambda: lab.VAE(latent=20, hidden=384),
            93.5,
            {"steps": 2600, "learning_rate": 8e-3, "augment": lab.augment.nudge()},
        ),
        ("VAE(2), deeper", deeper_vae, 147.0, {"steps": 3000, "learning_rate": 4e-3, "augment": warp}),
    ]
    for name, make_vae, limit, settings in vaes:
        if not asked_for(name):
            continue
        runs = [train(make_vae, seed, initialise=True, **settings) for seed in SEEDS]
        seconds = [s for _, s in runs]
        costs = [lab.metrics.nll(m, data.test) for m, _ in runs]
        over_images = statistics.mean(cost.error for cost in costs)
        report(
            f"{name}, test NLL in nats (± {over_images:.2f} over images)", [c.value for c in costs], limit, seconds, 60
        )
        if runs[0][0].latent == 2:
            votes = [lab.metrics.knn(m, data) for m, _ in runs]
            over_images = statistics.mean(vote.error for vote in votes)
            what = f"{name}, accuracy of 5 nearest codes (± {over_images:.3f} over images)"
            report(what, [vote.value for vote in votes], 0.72, seconds, 60, low=False)


def contrastive() -> None:
    """A decoder that no pixel ever taught: VICReg between the same crop of an image and of its reconstruction."""
    if asked_for("CCAE"):
        runs = [train(lambda: lab.CCAE(latent=32), seed) for seed in SEEDS]
        seconds = [s for _, s in runs]
        report(
            "CCAE(32), no pixel term, test mse",
            [lab.metrics.mse(m, data.test).value for m, _ in runs],
            0.014,
            seconds,
            90,
        )
        name = f"CCAE(32), no pixel term, probe (raw pixels {lab.metrics.probe(Pixels, data).value:.3f})"
        report(name, [lab.metrics.probe(m, data).value for m, _ in runs], 0.90, seconds, 90, low=False)


def adversarial() -> None:
    """How much further than other real digits 1,000 samples are from the 1,000 test images.

    As a share of the same for a mixture of ten Gaussians on 32 principal components; five seeds, for one that fails is
    the point.
    """
    if asked_for("GAN"):
        test = data.test.images
        mixture = lab.LatentMixture(lab.PCA(32).fit(data.train), 10).fit(data.train)
        mixed = mixture.sample(1000, torch.Generator().manual_seed(0)).clamp(0, 1)
        floor, mixed_fcd = (lab.metrics.fcd(x, test).value for x in (data.train.images[:1000], mixed))
        runs = [train(lab.GAN, seed) for seed in range(5)]
        seconds = [s for _, s in runs]
        drawn = [gan.sample(1000, torch.Generator().manual_seed(seed)) for seed, (gan, _) in enumerate(runs)]
        distances = [lab.metrics.fcd(x, test).value for x in drawn]
        excess = [(distance - floor) / (mixed_fcd - floor) for distance in distances]
        what = f"GAN(64), excess FCD over that of a mixture (FCD {mixed_fcd:.1f}, floor {floor:.1f})"
        report(what, excess, 0.45, seconds, 90)
        kids = [lab.metrics.kid(x, test).value - lab.metrics.kid(mixed, test).value for x in drawn]
        report("GAN(64), KID less the mixture's", kids, 0, seconds, 90)
        rare = [float(lab.metrics.class_histogram(x).min()) for x in drawn]
        lost = [float(r < 0.03 or d >= mixed_fcd or k >= 0) for r, d, k in zip(rare, distances, kids, strict=True)]
        report(
            "GAN(64), share of failed seeds (a class below 3 %, or by FCD or KID no better than the mixture)",
            lost,
            0,
            seconds,
            90,
        )


def main() -> int:
    """All figures, or those asked for; 1 where one misses its limit."""
    global data
    data = lab.load("mnist-5k")
    for measure in (
        autoencoders,
        linear_autoencoders,
        denoising_and_inpainting,
        variational,
        contrastive,
        adversarial,
    ):
        measure()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
