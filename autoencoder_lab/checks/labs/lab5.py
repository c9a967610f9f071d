"""The questions of lab 5, the generative adversarial network."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from autoencoder_lab import arguments, metrics
from autoencoder_lab.checks.compare import CheckFailed, unfinished
from autoencoder_lab.checks.question import Inputs, Question, Wrong, numbers_read

IMPORTS = """import copy
import math

import torch
import torch.nn.functional as F
from IPython.display import display
from torch import nn

import autoencoder_lab as lab
"""
"""The cell of imports, which `autoencoder-lab check` puts back where a notebook lost it."""
PARTS = {
    "best_logit": (4, "best_logit.check(best_logit)"),
    "divergence": (4, "divergence.check(divergence)"),
    "mended_round": (4, "mended_round.check(mended_round)"),
    "support_size": (3, "support_size.check(support_size)"),
    "pictures": (4, "pictures(averaged if rounds else None, F.avg_pool2d(data.val.images, 2), small)"),
    "reading": (3, "reading(mine, nearness_A, coverage_B, rare_B)"),
    "words": (3, ""),
}
"""The points of each part, and the check under it: what `autoencoder-lab check` asks where a notebook lost it."""

# --- the best critic, for two Gaussians and a share -------------------------------------------------------------------


def _logit(odds: float = 1.0, scale: float = 1.0, distance: float = 1.0) -> Callable[..., Tensor]:
    """The logit's three terms, each with a weight: all 1 is right."""

    def logit(x: Tensor, share: float, mean_p: Tensor, sd_p: float, mean_q: Tensor, sd_q: float) -> Tensor:
        far_p = (x - mean_p).square().sum(dim=1) / (2 * sd_p**2)
        far_q = (x - mean_q).square().sum(dim=1) / (2 * sd_q**2)
        # log π/(1 − π) + d log(σ_q/σ_p) + ‖x − μ_q‖²/2σ_q² − ‖x − μ_p‖²/2σ_p²
        constant = odds * math.log(share / (1 - share)) + scale * x.shape[1] * math.log(sd_q / sd_p)
        return constant + distance * (far_q - far_p)

    return logit


def _scale_once(x: Tensor, share: float, mean_p: Tensor, sd_p: float, mean_q: Tensor, sd_q: float) -> Tensor:
    return _logit(scale=1 / x.shape[1])(x, share, mean_p, sd_p, mean_q, sd_q)


def _roots_for_spreads(x: Tensor, share: float, mean_p: Tensor, sd_p: float, mean_q: Tensor, sd_q: float) -> Tensor:
    return _logit(scale=2)(x, share, mean_p, sd_p**0.5, mean_q, sd_q**0.5)


def _two_gaussians(generator: Generator) -> Sequence[Inputs]:
    """Points, and two Gaussians of unlike spread, in three, two and one dimensions."""
    calls = []
    for count, d, share in ((6, 3, 0.3), (4, 2, 0.85), (5, 1, 0.6)):
        mean_p, mean_q = torch.randn(2, d, generator=generator)
        narrow, wide = (torch.rand(2, generator=generator) * 0.4 + torch.tensor([0.6, 1.3])).tolist()
        sds = (narrow, wide) if d != 2 else (wide, narrow)
        x = 1.5 * torch.randn(count, d, generator=generator)
        calls.append((x, share, mean_p, sds[0], mean_q, sds[1]))
    return calls


best_logit = Question(
    "best_logit",
    _logit(),
    {
        "share forgotten": Wrong(
            "the densities are right, but the share is not in it: a critic that seldom meets a real picture should be "
            "harder to convince",
            _logit(odds=0),
            0.5,
        ),
        "share turned round": Wrong(
            "the share enters the wrong way round: the more real pictures, the higher the logit",
            _logit(odds=-1),
            0.5,
        ),
        "share, no odds": Wrong(
            "you add log π alone; the made-up pictures have their share 1 − π as well",
            lambda x, share, *rest: _logit(odds=0)(x, share, *rest) + math.log(share),
            0.5,
        ),
        "scale forgotten": Wrong(
            "the densities' factors in front of the exponential are missing; with unlike spreads they do not cancel",
            _logit(scale=0),
            0.5,
        ),
        "scale and share forgotten": Wrong(
            "only the exponents are there: the share is missing, and the densities' factors, which do not cancel where "
            "the spreads differ",
            _logit(odds=0, scale=0),
            0.25,
        ),
        "scale once": Wrong(
            "the factor in front of the exponential is that of one dimension; the pictures have d",
            _scale_once,
            0.75,
        ),
        "scale doubled": Wrong(
            "the factors in front of the exponential count twice: a density in d dimensions has σᵈ in it, not σ²ᵈ",
            _logit(scale=2),
            0.75,
        ),
        "no half": Wrong("the ½ in the exponents is missing", _logit(distance=2), 0.5),
        "spread for variance": Wrong(
            "the squared distances are divided by 2σ; a Gaussian's exponent has 2σ²", _roots_for_spreads, 0.5
        ),
        "densities swapped": Wrong(
            "the densities stand the wrong way round: the logit is high where real pictures are dense",
            _logit(scale=-1, distance=-1),
            0.5,
        ),
        "all swapped": Wrong(
            "the sign is wrong: this is the logit for made up; asked for is the one for real", _logit(-1, -1, -1), 0.5
        ),
        "the probability": Wrong(
            "that is the probability D*; return its logit, before the sigmoid",
            lambda *case: _logit()(*case).sigmoid(),
            0.75,
        ),
        "one spread": Wrong(
            "you give both Gaussians one spread, as in the notebook; with two the squares of x do not cancel",
            lambda x, share, mean_p, sd_p, mean_q, _: _logit()(x, share, mean_p, sd_p, mean_q, sd_p),
            0.25,
        ),
    },
    _two_gaussians,
)

# --- a divergence from the critic's scores ----------------------------------------------------------------------------


def _entropy(share: float) -> float:
    return -share * math.log(share) - (1 - share) * math.log(1 - share)


def _loss(real: Tensor, fake: Tensor, share: float) -> Tensor:
    """The critic's cross-entropy, a share of real pictures: −π E log D(x) − (1 − π) E log(1 − D(G(z)))."""
    return share * F.softplus(-real).mean() + (1 - share) * F.softplus(fake).mean()


def _divergence(real: Tensor, fake: Tensor, share: float) -> Tensor:
    return _entropy(share) - _loss(real, fake, share)  # J = H(π) − L(D*)


def _scores(generator: Generator) -> Sequence[Inputs]:
    """Logits of a critic, as many of either kind as there happen to be: their numbers say nothing about the share."""
    return [
        (torch.randn(n, generator=generator) + 1.5, torch.randn(m, generator=generator) - 1, share)
        for n, m, share in ((9, 6, 0.3), (5, 11, 0.8))
    ]


divergence = Question(
    "divergence",
    _divergence,
    {
        "the loss": Wrong(
            "that is the critic's loss; it falls as the divergence grows. What is the loss where p = q, and J is 0?",
            _loss,
            0.25,
        ),
        "sign": Wrong(
            "the sign is wrong: J is at least 0, and the better the critic can tell, the larger it is",
            lambda *case: -_divergence(*case),
            0.75,
        ),
        "for a half": Wrong(
            "that is right for a share of one half, as in the notebook; here it is π",
            lambda real, fake, _: _divergence(real, fake, 0.5),
            0.25,
        ),
        "entropy of a half": Wrong(
            "the loss has its shares, but a critic who knows nothing but the share loses H(π), which is log 2 only at "
            "one half",
            lambda real, fake, share: math.log(2) - _loss(real, fake, share),
            0.5,
        ),
        "shares forgotten in the loss": Wrong(
            "H(π) is there, but the two means of the loss count alike; they count π and 1 − π",
            lambda real, fake, share: _entropy(share) - _loss(real, fake, 0.5),
            0.5,
        ),
        "no shares at all in the loss": Wrong(
            "H(π) is there, but both means of the loss count in full; they count π and 1 − π",
            lambda real, fake, share: _entropy(share) - 2 * _loss(real, fake, 0.5),
            0.5,
        ),
        "shares swapped": Wrong(
            "the shares are swapped: real pictures count π",
            lambda real, fake, share: _divergence(real, fake, 1 - share),
            0.5,
        ),
        "one mean": Wrong(
            "you average over all scores together, so their numbers decide; take a mean of either kind and count "
            "these π and 1 − π",
            lambda real, fake, share: _entropy(share) - F.softplus(torch.cat([-real, fake])).mean(),
            0.5,
        ),
        "labels swapped": Wrong(
            "log D and log(1 − D) have changed places: real pictures should get D = 1",
            lambda real, fake, share: _divergence(-real, -fake, share),
            0.5,
        ),
        "bits": Wrong(
            "these are bits; nats take the natural logarithm",
            lambda *case: _divergence(*case) / math.log(2),
            0.75,
        ),
        "entropy in bits": Wrong(
            "H(π) is in bits and the loss in nats; take the natural logarithm in both",
            lambda real, fake, share: _entropy(share) / math.log(2) - _loss(real, fake, share),
            0.5,
        ),
        "sums": Wrong(
            "you sum over the scores; the loss holds expectations, so take means",
            lambda real, fake, share: (
                _entropy(share) - share * F.softplus(-real).sum() - (1 - share) * F.softplus(fake).sum()
            ),
            0.5,
        ),
        "entropy forgotten": Wrong(
            "H(π) is missing: this is never above 0, and J never below",
            lambda *case: -_loss(*case),
            0.5,
        ),
    },
    _scores,
)

# --- a bug found: one round of a least-squares game -------------------------------------------------------------------


def after_rounds(play: Callable[..., Any], generator: Tensor, critic: Tensor, real: Tensor, noise: Tensor) -> Any:
    """What rounds of `play` make of two small networks: both networks' weights after each, (R, …), and losses (R, 2).

    generator, critic: all weights in one row; real: (R, B, 4); noise: (R, B, 3). It travels to the sandbox as text, and
    so brings all it needs.
    """
    import torch
    from torch import nn

    networks = [nn.Sequential(nn.Linear(i, h), nn.Tanh(), nn.Linear(h, o)) for i, h, o in ((3, 5, 4), (4, 6, 1))]
    for network, weights in zip(networks, (generator, critic), strict=True):
        nn.utils.vector_to_parameters(weights.clone(), network.parameters())
    optimisers = [torch.optim.SGD(network.parameters(), 0.2) for network in networks]
    seen = []
    for x, z in zip(real, noise, strict=True):
        losses = play(*networks, *optimisers, x.clone(), z.clone())
        if losses is None or losses is ...:
            raise NotImplementedError("the function returns None")
        generators, critics = losses
        rows = [nn.utils.parameters_to_vector(network.parameters()).detach().clone() for network in networks]
        seen.append([*rows, torch.stack([torch.as_tensor(generators).detach(), torch.as_tensor(critics).detach()])])
    return tuple(torch.stack(column) for column in zip(*seen, strict=True))


def _round(
    clears: str = "between",  # when the critic's gradients are cleared: between the steps, at the beginning, never
    across: bool = False,  # whether scores (2B, 1) meet labels (2B,)
    wanted: float = 1.0,  # what the generator wants its fakes to score
    real_label: float = 1.0,
    times: float = 1.0,  # the critic's loss
    again: bool = False,  # whether the critic's fakes are drawn after the generator has moved
    still: bool = False,  # whether the generator stands still
    critic_first: bool = False,
) -> Callable[..., Any]:
    """One round of the least-squares game, as it should be or with mistakes."""

    def play(generator: nn.Module, critic: nn.Module, teach_g: Any, teach_c: Any, real: Tensor, noise: Tensor) -> Any:
        made = generator(noise)
        if clears == "beginning":
            teach_c.zero_grad()

        def generators_step() -> Tensor:
            teach_g.zero_grad()
            loss: Tensor = (critic(made) - wanted).square().mean()
            loss.backward()
            if not still:
                teach_g.step()
            return loss

        def critics_step() -> Tensor:
            if clears == "between":
                teach_c.zero_grad()
            shown = generator(noise) if again else made
            labels = torch.cat([torch.full((len(real),), real_label), torch.full((len(made),), 1 - real_label)])
            scores = critic(torch.cat([real, shown.detach()]))
            loss: Tensor = times * (scores - (labels if across else labels[:, None])).square().mean()
            loss.backward()
            teach_c.step()
            return loss

        if critic_first:
            second, first = critics_step(), generators_step()
            return first, second
        return generators_step(), critics_step()

    return play


def _played(**mistakes: Any) -> Callable[..., Any]:
    return lambda *arrays: after_rounds(_round(**mistakes), *arrays)


def _weights_and_points(generator: Generator) -> Sequence[Inputs]:
    """The weights of two small networks, and points and noise for two rounds."""
    generator_weights, critic_weights = 3 * 5 + 5 + 5 * 4 + 4, 4 * 6 + 6 + 6 + 1
    return [
        (
            0.6 * torch.randn(generator_weights, generator=generator),
            0.6 * torch.randn(critic_weights, generator=generator),
            torch.randn(2, 6, 4, generator=generator) + 1,
            torch.randn(2, 6, 3, generator=generator),
        )
    ]


mended_round = Question(
    "mended_round",
    _played(),
    {
        "both bugs": Wrong(
            "the function still is the colleague's: both of its bugs are there",
            _played(clears="beginning", across=True),
        ),
        "the generator's gradient stays": Wrong(
            "one bug is left: what is in the critic's gradients when its step comes? The generator's loss went through "
            "the critic as well and has left its trace there",
            _played(clears="beginning"),
            0.5,
        ),
        "all against all": Wrong(
            "one bug is left: compare the shapes of scores and labels. Every score is pulled to every label, and so "
            "to their mean",
            _played(across=True),
            0.5,
        ),
        "never cleared": Wrong(
            "the critic's gradients are never cleared, so they pile up from round to round",
            _played(clears="never"),
            0.5,
        ),
        "critic first": Wrong(
            "each step is right, but the critic moves first, so the generator asks another critic; keep the order",
            _played(critic_first=True),
            0.5,
        ),
        "fakes drawn again": Wrong(
            "the critic is shown pictures drawn after the generator's step; show it those that were made before",
            _played(again=True),
            0.75,
        ),
        "the critic's loss twice": Wrong(
            "the critic's loss is twice what it was: it is one mean over both kinds together", _played(times=2), 0.75
        ),
        "the generator stands still": Wrong(
            "the generator never moves: no gradient reaches it. Is it detached where it should learn?",
            _played(still=True),
            0.25,
        ),
        "labels swapped": Wrong(
            "the critic's labels are swapped: 1 is real, 0 is made up", _played(real_label=0.0), 0.25
        ),
        "the generator wants 0": Wrong(
            "the generator wants its pictures to score 0, so it learns to be caught", _played(wanted=0.0), 0.25
        ),
    },
    _weights_and_points,
    # the function gets networks: they are built from the case's arrays, here and in the sandbox
    adapt=lambda student: lambda *arrays: after_rounds(student, *arrays),
)

# --- how many different pictures can it draw? -------------------------------------------------------------------------


def _equal_pairs(samples: Tensor, near: float) -> Tensor:
    return (torch.pdist(samples.flatten(1)) < near).sum()


def _pictures(count: Callable[[int, Tensor], Any]) -> Callable[..., Any]:
    """count: (number of samples, number of equal pairs) → the number of pictures."""
    return lambda samples, near: count(len(samples), _equal_pairs(samples, near))


def _by_squares(samples: Tensor, near: float) -> Any:
    n, pairs = len(samples), (torch.pdist(samples.flatten(1)).square() < near).sum()
    return n * (n - 1) / 2 / pairs


def _different_ones(samples: Tensor, near: float) -> Any:
    """How many samples are like none that came before."""
    alike = (torch.cdist(samples.flatten(1), samples.flatten(1)) < near).tril(-1)
    return float((~alike.any(dim=1)).sum())


def _draws(generator: Generator) -> Sequence[Inputs]:
    """Draws with small differences from a stock of pictures, some of them rather alike; and a few without a pair."""
    calls = []
    for count, stock in ((40, 12), (60, 30), (5, 5)):
        pictures = torch.rand(stock, 1, 5, 5, generator=generator)
        drawn = torch.arange(count)
        if count > stock:
            alike = pictures[:4].clone()
            alike[:, :, 2, 2] += 0.6  # alike, and not equal: the square of 0.6 would be
            pictures = torch.cat([pictures, alike])
            drawn = torch.randint(len(pictures), (count,), generator=generator)
        samples = pictures[drawn]
        calls.append((samples + 0.004 * torch.randn(samples.shape, generator=generator), 0.5))
    return calls


support_size = Question(
    "support_size",
    _pictures(lambda n, pairs: n * (n - 1) / 2 / pairs),
    {
        "pairs twice": Wrong(
            "every pair is counted twice, as (i, j) and as (j, i)",
            _pictures(lambda n, pairs: n * (n - 1) / 2 / (2 * pairs)),
            0.5,
        ),
        "half the pairs": Wrong(
            "there are N(N − 1)/2 pairs among N samples, not N(N − 1)",
            _pictures(lambda n, pairs: n * (n - 1) / pairs),
            0.5,
        ),
        "with itself": Wrong(
            "every sample is paired with itself as well, and is of course equal to itself",
            _pictures(lambda n, pairs: n * (n - 1) / 2 / (pairs + n)),
            0.5,
        ),
        "with itself, and twice": Wrong(
            "the whole table of distances is counted: every pair stands there twice, and every sample beside itself",
            _pictures(lambda n, pairs: n * (n - 1) / 2 / (2 * pairs + n)),
            0.25,
        ),
        "table over table": Wrong(
            "every sample is paired with itself as well, above and below the line; that is no draw of two",
            _pictures(lambda n, pairs: n * n / (2 * pairs + n)),
            0.5,
        ),
        "n squared": Wrong(
            "there are N(N − 1)/2 pairs among N samples, not N²/2",
            _pictures(lambda n, pairs: n * n / 2 / pairs),
            0.75,
        ),
        "n squared, pairs once": Wrong(
            "there are N(N − 1)/2 pairs among N samples, not N²",
            _pictures(lambda n, pairs: n * n / pairs),
            0.5,
        ),
        "the pairs": Wrong(
            "that is the number of equal pairs; how many would there be if every one of S pictures came equally often?",
            _pictures(lambda n, pairs: pairs),
            0.25,
        ),
        "the share of pairs": Wrong(
            "that is the share of pairs that are equal; its expectation is 1/S",
            _pictures(lambda n, pairs: pairs / (n * (n - 1) / 2)),
            0.75,
        ),
        "those that came": Wrong(
            "that is how many different pictures came up; the generator may hold many more that did not",
            _different_ones,
            0.25,
        ),
        "squared distance": Wrong(
            "`near` is a Euclidean distance; you compare the squared distance with it", _by_squares, 0.5
        ),
    },
    _draws,
)

# --- the trained generator --------------------------------------------------------------------------------------------

# what the notebook's check lets pass: the longest distance, the least coverage and nearness. Real digits beside real
# ones have 0.5, 0.97 and 1.0, copies with a little noise a nearness of 0.3
BOUNDS = {"distance": 3.05, "coverage": 0.78, "nearness": 0.7}


def quality(drawn: Tensor, real: Tensor, known: Tensor) -> dict[str, float]:
    """How drawn pictures compare with real ones, all by their pixels.

    distance: Fréchet's, of Gaussians fitted to both; coverage: how much of the real ones they cover; nearness: the
    median distance to the nearest picture that could have been copied, over that of real ones to known ones.
    """
    made, wanted, others = (images.flatten(1).double() for images in (drawn, real, known))
    near = torch.cdist(made, torch.cat([others, wanted])).amin(dim=1).median()
    usual = torch.cdist(wanted, others).amin(dim=1).median()
    covered = metrics.density_coverage(real, drawn, features=lambda images: images.flatten(1)).coverage
    distance = metrics.frechet(made.mean(dim=0), made.T.cov(), wanted.mean(dim=0), wanted.T.cov())
    return {"distance": distance, "coverage": covered.value, "nearness": float(near / usual)}


def pictures(generator: nn.Module | None, real: Tensor, train: Tensor) -> None:
    """Whether a trained generator's 500 pictures are like real ones, as varied, and no copies."""
    if unfinished("pictures", generator) or generator is None:
        return
    arguments.function("generator", generator, "your trained generator")
    real, train = arguments.images(real), arguments.images(train)
    with torch.no_grad():
        drawn = generator(torch.randn(500, 16, generator=Generator().manual_seed(1)))
    if not drawn.isfinite().all():
        raise CheckFailed("pictures: they hold nan or infinity: the game has blown up. Does each player lower its own?")
    found = quality(drawn, real, train)
    figures = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
    if shortcoming := short_of(found, BOUNDS):
        raise CheckFailed(f"pictures: {shortcoming[1]} ({figures})")
    print(f"✓ pictures: {figures}")


def short_of(found: dict[str, float], bounds: dict[str, float]) -> tuple[str, str] | None:
    """(short name, sentence) of what a generator with these figures lacks, or None."""
    if found["nearness"] < bounds["nearness"] and found["coverage"] >= 0.6:
        return "copies", "the pictures lie much closer to digits that exist than new digits do: they are copies"
    if found["coverage"] < 0.1:
        return "unlike", (
            "hardly any picture is like a real one: does the generator move at all, and towards what the critic likes?"
        )
    if found["coverage"] < 0.6:
        return "collapsed", "the pictures leave out much of what is real: the generator has collapsed"
    if found["distance"] > bounds["distance"] or found["coverage"] < bounds["coverage"]:
        return "almost", (
            "the pictures come near to real ones, but not as near as this game can; are all terms there, for either "
            "player, and the penalty?"
        )
    return None


# --- two suspects -----------------------------------------------------------------------------------------------------


def suspects(data: Any) -> dict[str, Tensor]:
    """The pictures of the two generators under suspicion, as the lab's own cell draws them."""
    random = Generator().manual_seed(0)
    chosen = data.train.images[torch.randperm(len(data.train), generator=random)[:500]]
    closest = (data.test.images - data.train.images[0]).flatten(1).norm(dim=1).argsort()[:150]
    return {
        "A": (chosen + 0.05 * torch.randn(chosen.shape, generator=random)).clamp(0, 1),
        "B": data.test.images[closest],
    }


def numbers_to_read(data: Any) -> tuple[float, float, list[int]]:
    """nearness of A, coverage of B, and the digits that fewer than one in a hundred of B's pictures show."""
    shown = suspects(data)
    near, usual = (metrics.nearest_training(x, data.train)[0].median() for x in (shown["A"], data.val.images))
    coverage = metrics.density_coverage(data.val.images, shown["B"]).coverage.value
    rare = (metrics.class_histogram(shown["B"]) < 0.01).nonzero()[:, 0].tolist()
    return float(near / usual), coverage, rare


def reading(data: Any, nearness_a: Any, coverage_b: Any, rare_b: Any) -> None:
    """Whether the three answers are those of these images."""
    digits = [digit for digit in _digits(rare_b) if math.isfinite(digit)]
    rare = None if rare_b is None or rare_b is ... else 0 if isinstance(rare_b, Iterable) else rare_b
    if (given := numbers_read(nearness_A=nearness_a, coverage_B=coverage_b, rare_B=rare)) is None:
        return
    (near, covered, _), missing = given
    if mistakes := reading_mistakes(arguments.data_set(data), near, covered, [int(digit) for digit in digits]):
        raise CheckFailed(f"reading: {missing}" + "; ".join(mistakes.values()))
    print("✓ reading: all three are right")


def _digits(given: Any) -> list[float]:
    """The digits of a list, a set, an array or a single one; none for anything else."""
    try:
        listed = sorted(given) if isinstance(given, set | frozenset) else given
        return [] if isinstance(given, str) else torch.as_tensor(listed).double().flatten().tolist()
    except (TypeError, ValueError, RuntimeError):
        return []


def reading_mistakes(data: Any, nearness_a: float, coverage_b: float, rare_b: Iterable[int]) -> dict[str, str]:
    """{which answer is wrong: what is wrong with it}."""
    wanted_nearness, wanted_coverage, wanted_rare = numbers_to_read(data)
    wrong = {}
    if not abs(nearness_a - wanted_nearness) <= 0.0004:
        wrong["nearness_A"] = "nearness_A: " + _nearness_mistake(data, nearness_a, wanted_nearness)
    if not abs(coverage_b - wanted_coverage) <= 0.0012:
        wrong["coverage_B"] = "coverage_B: " + _coverage_mistake(data, coverage_b)
    if sorted(set(rare_b)) != wanted_rare:
        wrong["rare_B"] = "rare_B: " + (
            "these are the digits that it does draw"
            if sorted(set(rare_b)) == [digit for digit in range(10) if digit not in wanted_rare]
            else "these are not the digits that make up less than one in a hundred of its pictures"
        )
    return wrong


def _nearness_mistake(data: Any, given: float, wanted: float) -> str:
    near = metrics.nearest_training(suspects(data)["A"], data.train)[0].median()
    if abs(given - float(near)) < 0.002:
        return "that is the distance itself; divide it by that of new real digits"
    if wanted > 0 and abs(given - 1 / wanted) < 0.02:
        return "the ratio is upside down: copies should come near 0"
    return "this is not A's median distance to your training images over that of the new real digits"


def _coverage_mistake(data: Any, given: float) -> str:
    drawn, real = suspects(data)["B"], data.val.images
    if abs(given - metrics.density_coverage(drawn, real).coverage.value) < 0.003:
        return "real and drawn have changed places: coverage asks how many of the real pictures are covered"
    if abs(given - metrics.density_coverage(real, drawn).density.value) < 0.003:
        return "that is the density; the coverage is the other one"
    if abs(given - metrics.density_coverage(data.train.images[: len(real)], drawn).coverage.value) < 0.003:
        return "you took training images for the real ones; the text asks for new ones, data.val"
    return "this is not the coverage of data.val.images by B's pictures"
