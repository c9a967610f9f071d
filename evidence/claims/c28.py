"""C28: with β too low a VAE memorises like a plain autoencoder, with β too high it reconstructs poorly.

10 numbers, width 8, hidden 64, 400 steps of 64: a plain autoencoder and VAEs with β = 0.01, 1 and 100 on 2,000 digits,
and the first three again on 200. Memorising: the error of test digits over that of the digits trained on. What keeps a
VAE of 200 digits from it: the four combinations of noise on the code or none (a plain autoencoder), and pixels drawn
black or white anew each time or grey; and β = 0. 500 samples of each VAE against 500 test digits by neighbours, and
against its own reconstructions of them by a trained critic.

A dead code, thrift or fault: J at β = 8 with and without warm-up after 200 and 1,200 steps on 1,500 digits; and −ELBO
with and without on 4,000 pictures of 4 × 4 pixels, three in a hundred of which show a bar, after 1,500 steps
(σ² = 0.3).
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from autoencoder_lab import metrics
from autoencoder_lab.data.split import ImageData, Split
from autoencoder_lab.models import VAE, ConvAutoencoder
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    WRONG,
    Figures,
    Rows,
    Verdict,
    difference,
    digits,
    digits_ae,
    digits_vae,
    mean_image_mse,
    over_seeds,
    ratio,
    reconstructions,
    test_mse,
    train,
    unwatched,
)

SLIDE = "003"
CLAIM = "Too low a β memorises the training data like a plain autoencoder; too high a β gives poor reconstructions"
NOTEBOOK, SECTION = "04b", "3"
EXPECTED = CONDITION


def black_or_white(x: Tensor, generator: Generator | None = None) -> Tensor:
    """Pixels drawn anew from their grey values."""
    return torch.bernoulli(x, generator=generator)


def memory_without_one_difference(seed: int) -> Figures:
    """Test error over training error on 200 digits: grey pixels for the VAE, drawn ones for the autoencoder, no KL."""
    data, figures = digits(200), {}
    models: dict[str, Any] = {
        "grey": VAE(10, beta=0.01, binarise=False, warm_up=0.2, width=8, hidden=64),
        "ae_drawn": ConvAutoencoder(10, width=8, hidden=64, loss="cross_entropy"),
        "no_kl": VAE(10, beta=0.0, warm_up=0.2, width=8, hidden=64),
    }
    for name, model in models.items():
        corrupt = {"corrupt": black_or_white} if name == "ae_drawn" else {}
        train(model, unwatched(data), seed, steps=400, learning_rate=3e-3, **corrupt)
        figures[f"gap_{name}_200"] = test_mse(model, data) / metrics.mse(model, data.train).value
    return figures


def rare_bar(n: int, seed: int) -> Split:
    """n pictures (1, 4, 4): noise of 0.1, and in three of a hundred a bright bar of eight pixels."""
    draw = Generator().manual_seed(seed)
    x = 0.1 * torch.randn(n, 1, 4, 4, generator=draw)
    there = torch.rand(n, generator=draw) < 0.03
    x[there, :, 1:3, :] += 1
    return Split(x, there.long(), ("empty", "bar"), None)


def given_up(seed: int) -> Figures:
    """J of digits at β = 8 by number of steps, −ELBO and rate of rare bars; with warm-up and without."""
    many = replace(digits(1500), val=digits(1500).val.take(10))
    rare = ImageData("a rare bar", rare_bar(4000, 1), rare_bar(50, 2), rare_bar(4000, 3))
    figures: Figures = {}
    for name, warm_up in {"none": 0.0, "warm": 0.5}.items():
        for steps in (200, 1200):
            model = VAE(10, beta=8.0, warm_up=warm_up, width=8, hidden=64)
            train(model, many, seed, steps=steps, learning_rate=2e-3)
            rate = float(metrics.kl_per_dimension(model, many.test).sum())
            figures[f"objective_{name}_{steps}"] = 7 * rate - metrics.elbo(model, many.test).value
        bar = VAE(
            2, rare.shape, likelihood="gaussian", sigma=0.3**0.5, output="linear", warm_up=warm_up, width=4, hidden=16
        )
        train(bar, rare, seed, steps=1500, learning_rate=5e-3, batch_size=128)
        figures[f"bar_{name}"] = -metrics.elbo(bar, rare.test).value
        figures[f"bar_rate_{name}"] = float(metrics.kl_per_dimension(bar, rare.test).sum())
    return figures


def experiment(seed: int) -> Figures:
    """Errors on training and test digits, active units, and how samples fare, by β and number of digits."""
    figures: Figures = {"mean_image": mean_image_mse(digits(2000))}
    figures |= memory_without_one_difference(seed) | given_up(seed)
    for count in (2000, 200):
        data = digits(count)
        models: dict[str, Any] = {
            "ae": digits_ae(10, seed, count),
            "0.01": digits_vae(10, seed, 0.01, count),
            "1": digits_vae(10, seed, 1.0, count),
        }
        if count == 2000:
            models["100"] = digits_vae(10, seed, 100.0)
        for name, model in models.items():
            figures[f"test_{name}_{count}"] = test_mse(model, data)
            figures[f"gap_{name}_{count}"] = test_mse(model, data) / metrics.mse(model, data.train).value
            if name == "ae":
                continue
            figures[f"active_{name}_{count}"] = float(metrics.active_units(model, data.test))
            samples = model.sample(500, torch.Generator().manual_seed(seed))
            test = data.test.images[:500]
            figures[f"told_{name}_{count}"] = metrics.two_sample_accuracy(samples, test).value
            fair = metrics.critic_accuracy(samples, reconstructions(model, test), seed=seed)
            figures[f"critic_{name}_{count}"] = fair.value
    return figures


def verdict(rows: Rows) -> Verdict:
    """Low: like the autoencoder, β = 0.01 has a wider gap than β = 1 and its samples are worse by both rulers. High: at
    β = 100 no unit is active and the error is the mean image's (90 % or more). Right where both hold, and it memorises
    (twice the error on test digits) from 2,000 digits; conditional where it does from 200 only; wrong where neither end
    holds."""
    like_ae = all(
        difference(rows, f"gap_{name}_{count}", f"gap_1_{count}").above()
        for name in ("ae", "0.01")
        for count in (2000, 200)
    )
    worse_samples = all(
        difference(rows, f"{ruler}_0.01_2000", f"{ruler}_1_2000").above() for ruler in ("told", "critic")
    )
    poor = ratio(rows, "test_100_2000", "mean_image").above(0.9) and over_seeds(rows, "active_100_2000").below(0.5)
    fine = (
        ratio(rows, "test_100_2000", "test_1_2000").below(1) and difference(rows, "gap_0.01_200", "gap_1_200").below()
    )
    memorises = {count: over_seeds(rows, f"gap_0.01_{count}").above(2) for count in (2000, 200)}
    gap = {
        key: over_seeds(rows, f"gap_{key}") for key in ("ae_2000", "0.01_2000", "1_2000", "ae_200", "0.01_200", "1_200")
    }
    extra = {name: over_seeds(rows, f"gap_{name}_200") for name in ("grey", "ae_drawn", "no_kl")}
    late = {steps: difference(rows, f"objective_none_{steps}", f"objective_warm_{steps}") for steps in (200, 1200)}
    bar = {name: over_seeds(rows, f"bar_rate_{name}") for name in ("none", "warm")}
    heals = "comes back" if late[200].above() and late[1200].below(late[200].mean / 2) else "need not come back"
    stuck = "does not" if bar["none"].below(0.01) and difference(rows, "bar_none", "bar_warm").above() else "may"
    sentence = (
        f"Trained on 2,000 digits, the error of test digits is {gap['ae_2000']} times that of training digits for a "
        f"plain autoencoder, {gap['0.01_2000']} at β = 0.01 and {gap['1_2000']} at β = 1; on 200 digits "
        f"{gap['ae_200']}, {gap['0.01_200']} and {gap['1_200']}. So it behaves like an autoencoder, but memorises "
        "only where images are few. Its samples are worse: a nearest-neighbour judge (50 % is the ideal) tells them "
        f"from test digits in {over_seeds(rows, 'told_0.01_2000').percent}, at β = 1 in "
        f"{over_seeds(rows, 'told_1_2000').percent}; a trained critic tells them from the same model's reconstructions "
        f"in {over_seeds(rows, 'critic_0.01_2000').percent} and {over_seeds(rows, 'critic_1_2000').percent}. One "
        "difference to an autoencoder at a time, on 200 digits: with grey pixels in place of drawn ones the VAE of "
        f"β = 0.01 is at {extra['grey']}, with drawn ones the autoencoder at {extra['ae_drawn']}; without any KL the "
        f"VAE is at {extra['no_kl']}. At β = 100 "
        f"{over_seeds(rows, 'active_100_2000')} units are active and the error is {over_seeds(rows, 'test_100_2000')}, "
        f"the mean image's ({over_seeds(rows, 'mean_image')}), against {over_seeds(rows, 'test_1_2000')} at β = 1 and "
        f"{over_seeds(rows, 'test_0.01_2000')} at 0.01. A code given up early {heals}: at β = 8, J without "
        f"warm-up exceeds J with it by {late[200]} nats after 200 steps and by {late[1200]} after 1,200. Where only a "
        f"large step towards the code pays it {stuck}: of pictures with a rare bar the rate is {bar['none']} nats "
        f"without warm-up and {bar['warm']} with it, −ELBO higher by {difference(rows, 'bar_none', 'bar_warm')}."
    )
    if not (like_ae and worse_samples and poor):
        return Verdict(WRONG if fine else UNDECIDED, sentence)
    return Verdict(RIGHT if memorises[2000] else CONDITION if memorises[200] else UNDECIDED, sentence)
