"""The checks of notebooks 04 and 04b, the variational autoencoder: right functions beside the commonest wrong ones."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab.checks.compare import CheckFailed, answer_of, compare_with, conclusion_names, noise_images


def gaussian_kl(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 04.1: student(mu, log_var), (B, d) each, gives KL[N(μ, σ²) ‖ N(0, I)] of each image in nats, (B,)."""
    name = "gaussian_kl"

    def each_image(mu: Tensor, log_var: Tensor) -> Any:
        answer = student(mu, log_var)
        if isinstance(answer, Tensor) and answer.shape == mu.shape:
            raise CheckFailed(f"{name}: that is one KL for each dimension; sum over the dimensions, dim=1")
        if isinstance(answer, Tensor) and answer.ndim == 0:
            raise CheckFailed(f"{name}: that is one number for the whole batch; sum over the dimensions only, dim=1")
        if isinstance(answer, Tensor) and answer.shape == mu.shape[1:]:
            raise CheckFailed(f"{name}: you sum over the images (dim=0); sum over the dimensions of the code, dim=1")
        return answer

    def kl(mu: Tensor, variance: Tensor) -> Tensor:
        return 0.5 * (mu.square() + variance - 1 - variance.log()).sum(dim=1)

    mistakes: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "log_var is taken for σ; it is log σ², so σ² = exp(log_var)": lambda m, s: kl(m, s.square()),
        "log_var is taken for σ²; it is log σ², so σ² = exp(log_var)": kl,
        "log_var is taken for log σ; it is log σ², so σ² = exp(log_var), without a 2": lambda m, s: kl(
            m, (2 * s).exp()
        ),
        "exp(log_var / 2) is σ; the formula adds the variance σ²": lambda m, s: (
            0.5 * (m.square() + (0.5 * s).exp() - 1 - s).sum(dim=1)
        ),
        "log σ² is halved in the last term; with the ½ before the bracket it stands there whole": lambda m, s: (
            0.5 * (m.square() + s.exp() - 1 - 0.5 * s).sum(dim=1)
        ),
        "the factor ½ is missing": lambda m, s: 2 * kl(m, s.exp()),
        "you average over the dimensions; a KL of independent dimensions is their sum": lambda m, s: (
            kl(m, s.exp()) / m.shape[1]
        ),
        "the sign is the wrong way round: a KL is never negative": lambda m, s: -kl(m, s.exp()),
        "the −1 is missing: at μ = 0 and σ = 1 the KL must be 0": lambda m, s: kl(m, s.exp()) + 0.5 * m.shape[1],
        "the −1 counts once for each dimension, not once for an image": lambda m, s: (
            kl(m, s.exp()) + 0.5 * (m.shape[1] - 1)
        ),
        "that is the KL the other way round, KL[N(0, I) ‖ N(μ, σ²)]": lambda m, s: (
            0.5 * ((1 + m.square()) / s.exp() - 1 + s).sum(dim=1)
        ),
        "μ is not squared": lambda m, s: 0.5 * (m + s.exp() - 1 - s).sum(dim=1),
        "the term μ² is missing": lambda m, s: kl(0 * m, s.exp()),
        "the term log σ² is missing; without it the cheapest σ would be 0": lambda m, s: (
            0.5 * (m.square() + s.exp() - 1).sum(dim=1)
        ),
        "log σ² has the wrong sign; it is subtracted": lambda m, s: 0.5 * (m.square() + s.exp() - 1 + s).sum(dim=1),
        "the term σ² is missing; without it the cheapest σ would be infinite": lambda m, s: (
            0.5 * (m.square() - 1 - s).sum(dim=1)
        ),
        "these are bits; nats take the natural logarithm": lambda m, s: kl(m, s.exp()) / math.log(2),
        "you divide by the number of images; the result is one KL for each of them": lambda m, s: (
            kl(m, s.exp()) / len(m)
        ),
    }
    generator = torch.Generator().manual_seed(0)
    # log-variances above 0, so that taking them for variances gives numbers to compare, not nan
    cases = [
        (torch.randn(size, generator=generator), 0.2 + 1.5 * torch.rand(size, generator=generator))
        for size in ((3, 2), (4, 5))
    ]
    compare_with(name, each_image, lambda m, s: kl(m, s.exp()), mistakes, cases)


def reparameterise(student: Callable[[Tensor, Tensor, Tensor], Any]) -> None:
    """Exercise 04.2: student(mu, log_var, noise), (B, d) each, gives z = μ + σ·ε, differentiable in μ and log σ²."""
    name = "reparameterise"

    def right(mu: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
        return mu + torch.exp(0.5 * log_var) * noise

    def watched(mu: Tensor, log_var: Tensor, noise: Tensor) -> Any:
        """The student's z, after a look at what z alone does not show."""
        leaves = mu.requires_grad_(), log_var.requires_grad_()
        inputs = (mu * 1, log_var * 1, noise)  # no leaves: those may not be changed in place, and PyTorch says so oddly
        z = student(*inputs)
        if not isinstance(z, Tensor) or z.shape != mu.shape:
            return z
        if any(not torch.equal(given, kept) for given, kept in zip(inputs, (mu, log_var, noise), strict=True)):
            raise CheckFailed(f"{name}: your function changes its input in place; use z = mu + … instead")
        again = student(mu * 1, log_var * 1, noise.clone())
        if not torch.equal(z.detach(), torch.as_tensor(again).detach()):
            raise CheckFailed(f"{name}: two calls differ, so you draw noise of your own; use the noise you are given")
        if torch.allclose(z, right(mu, log_var, noise), atol=1e-4):
            reached = torch.autograd.grad(z.sum(), leaves, allow_unused=True) if z.requires_grad else (None, None)
            for what, gradient in zip(("mu", "log_var"), reached, strict=True):
                if gradient is None:
                    raise CheckFailed(
                        f"{name}: the values are right, but no gradient reaches {what}, which could not learn; compute "
                        "z without detach(), item(), .data or torch.no_grad()"
                    )
        return z.detach()

    mistakes: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
        "log_var is taken for σ; it is log σ², so σ = exp(log_var / 2)": lambda m, s, e: m + s * e,
        "log_var is taken for σ²; it is log σ², so σ = exp(log_var / 2)": lambda m, s, e: m + s.sqrt() * e,
        "the noise is multiplied by the variance σ²; its square root σ = exp(log_var / 2) is needed": lambda m, s, e: (
            m + s.exp() * e
        ),
        "σ = exp(log_var / 2); a factor of 2 in place of the ½ makes it σ⁴": lambda m, s, e: m + (2 * s).exp() * e,
        "the noise is divided by σ": lambda m, s, e: m + (-0.5 * s).exp() * e,
        "there is no noise in z: that is μ, the code at test time; in training z is drawn": lambda m, s, e: m,
        "there is no μ in z": lambda m, s, e: (0.5 * s).exp() * e,
        "the noise is not scaled by σ": lambda m, s, e: m + e,
        "you add the noise first and scale by σ then, which scales μ as well": lambda m, s, e: (
            (0.5 * s).exp() * (m + e)
        ),
        "σ is added; the noise is multiplied by σ": lambda m, s, e: m + (0.5 * s).exp() + e,
        "there is no noise in z: μ + σ is one fixed code": lambda m, s, e: m + (0.5 * s).exp(),
        "μ is multiplied by the noise; it is σ that belongs there": lambda m, s, e: m * e + (0.5 * s).exp(),
        "every image gets the noise of the first one": lambda m, s, e: right(m, s, e[:1]),
        "every dimension gets the noise of the first one": lambda m, s, e: right(m, s, e[:, :1]),
        "the noise is squared, so that z is never below μ": lambda m, s, e: right(m, s, e.square()),
        "μ − σ·ε has the right distribution too, but the check cannot tell it from a slip: write μ + σ·ε": (
            lambda m, s, e: right(m, s, -e)
        ),
    }
    generator = torch.Generator().manual_seed(0)
    cases = []
    for size in ((3, 2), (4, 5)):
        mu, noise = (torch.randn(size, generator=generator) for _ in range(2))
        cases.append((mu, 0.2 + 1.5 * torch.rand(size, generator=generator), noise))
    compare_with(name, watched, right, mistakes, cases)


def vae_loss(student: Callable[[Tensor, Tensor, float], Any]) -> None:
    """student(reconstruction, kl, beta) gives the loss per image, a scalar: Σ over pixels + β Σ over dimensions.

    reconstruction: (B, pixels), −log p of each pixel; kl: (B, d); both in nats, averaged over the B images. Slide 003.
    """

    def loss(pixels: Tensor, dimensions: Tensor) -> Tensor:
        return pixels.flatten(1).sum(dim=1).mean() + dimensions.sum(dim=1).mean()

    mistakes: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
        "the reconstruction is averaged over pixels and the KL summed over dimensions: the KL then weighs too much, as "
        "many times as there are pixels. Sum both": lambda r, k, b: r.mean() + b * k.sum(dim=1).mean(),
        "the KL is averaged over the dimensions and the reconstruction summed over pixels; sum both": lambda r, k, b: (
            r.sum(dim=1).mean() + b * k.mean()
        ),
        "both terms are averaged, over pixels and over dimensions: these are different numbers, and β no longer means "
        "what it says. Sum over both": lambda r, k, b: r.mean() + b * k.mean(),
        "the KL is averaged over pixels: it has been divided by the number of pixels": lambda r, k, b: loss(
            r, b * k / r.shape[1]
        ),
        "β stands before the reconstruction; it weighs the KL": lambda r, k, b: loss(b * r, k),
        "β is missing": lambda r, k, b: loss(r, k),
        "β weighs the KL alone, not the whole": lambda r, k, b: loss(b * r, b * k),
        "β counts twice (β²)": lambda r, k, b: loss(r, b * b * k),
        "the KL is divided by β; multiply": lambda r, k, b: loss(r, k / b),
        "β is added to the KL; multiply": lambda r, k, b: loss(r, k) + b,
        "the weights are 1 − β and β; slide 003 has 1 and β": lambda r, k, b: loss((1 - b) * r, b * k),
        "the loss is summed over the images; average over the batch, or its size depends on it": lambda r, k, b: (
            len(r) * loss(r, b * k)
        ),
        "the KL is summed over the images; average both terms over the batch": lambda r, k, b: loss(r, len(r) * b * k),
        "the reconstruction is summed over the images; average both terms over the batch": lambda r, k, b: loss(
            len(r) * r, b * k
        ),
        "the KL is subtracted: the loss is −ELBO, and the KL costs": lambda r, k, b: loss(r, -b * k),
        "that is the ELBO; the loss to be made small is its negative": lambda r, k, b: -loss(r, b * k),
        "the KL is missing": lambda r, k, b: loss(r, 0 * k),
        "the reconstruction is missing": lambda r, k, b: loss(0 * r, b * k),
        "only the first image counts": lambda r, k, b: loss(r[:1], b * k[:1]),
    }
    generator = torch.Generator().manual_seed(0)
    cases = [
        (torch.rand(3, 7, generator=generator), torch.rand(3, 2, generator=generator), 4.0),
        (torch.rand(4, 9, generator=generator), torch.rand(4, 5, generator=generator), 0.3),
    ]
    compare_with("vae_loss", student, lambda r, k, b: loss(r, b * k), mistakes, cases)


def interpolate(student: Callable[[Tensor, Tensor, int], Any]) -> None:
    """Exercise 04b.1: student(a, b, steps) gives codes (steps, d), evenly spaced from a to b, both included.

    Slide 002, on paths between two images.
    """
    name = "interpolate"

    def upright(a: Tensor, b: Tensor, steps: int) -> Any:
        answer = student(a, b, steps)
        if isinstance(answer, list | tuple) and len(answer) and all(isinstance(z, Tensor) for z in answer):
            raise CheckFailed(f"{name}: that is a list of codes; torch.stack(list) makes one tensor of it")
        if isinstance(answer, Tensor) and answer.shape == (len(a), steps):
            raise CheckFailed(f"{name}: return one code a row, (steps, d); yours is (d, steps), transpose it")
        return answer

    def along(shares: Callable[[int], Tensor]) -> Callable[[Tensor, Tensor, int], Tensor]:
        """The straight line from a to b at these shares of the way."""
        return lambda a, b, steps: a + shares(steps)[:, None] * (b - a)

    def even(steps: int) -> Tensor:
        return torch.linspace(0, 1, steps)

    def spherical(a: Tensor, b: Tensor, steps: int) -> Tensor:
        angle = torch.acos(torch.dot(a, b) / (a.norm() * b.norm()))
        t = even(steps)[:, None]
        arc: Tensor = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
        return arc

    def kept_length(a: Tensor, b: Tensor, steps: int) -> Tensor:
        codes, t = along(even)(a, b, steps), even(steps)[:, None]
        scaled: Tensor = codes / codes.norm(dim=1, keepdim=True) * ((1 - t) * a.norm() + t * b.norm())
        return scaled

    mistakes: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {
        "both ends are missing; the first code is a, the last is b": along(lambda n: torch.arange(1, n + 1) / (n + 1)),
        "the path stops one step short of b: with `steps` codes there are steps − 1 gaps": along(
            lambda n: torch.arange(n) / n
        ),
        "the path begins one step after a; the first code is a itself": along(lambda n: torch.arange(1, n + 1) / n),
        "the path begins one step after a and goes one step beyond b; begin to count at 0": along(
            lambda n: torch.arange(1, n + 1) / (n - 1)
        ),
        "the order is reversed: from a to b": along(lambda n: even(n).flip(0)),
        "this is spherical interpolation, along an arc; here the path is a straight line": spherical,
        "the codes are scaled to keep their length; here the path is a straight line": kept_length,
        "the codes are not evenly spaced: they go slowly at first (t²)": along(lambda n: even(n).square()),
        "the codes are not evenly spaced: they go slowly at both ends": along(
            lambda n: (1 - torch.cos(math.pi * even(n))) / 2
        ),
        "you add a share of b to a; the way from a to b is b − a": lambda a, b, n: a + even(n)[:, None] * b,
        "a is missing: these are steps of b − a from 0": lambda a, b, n: even(n)[:, None] * (b - a),
        "every code is the one halfway": along(lambda n: torch.full((n,), 0.5)),
        "every code is a": along(lambda n: torch.zeros(n)),
        "the codes jump from a to b; those between are what is wanted": along(lambda n: (even(n) > 0.5).float()),
        "the path goes from a away from b; the way from a to b is b − a": along(lambda n: -even(n)),
    }
    generator = torch.Generator().manual_seed(0)
    cases = [(torch.randn(d, generator=generator), torch.randn(d, generator=generator), n) for d, n in ((3, 5), (4, 9))]
    compare_with(name, upright, along(even), mistakes, [*cases, (*cases[0][:2], 2)])


# --- an experiment ---------------------------------------------------------------------------------------------------

PLANTED = {0.5: 7, 2.0: 5, 8.0: 2, 32.0: 0}  # β: how many units the stand-in calls active


def collapse_experiment(experiment: Callable[..., Any], result: Any = None, conclusion: str | None = None) -> None:
    """Exercise 04b.3: experiment(data, betas, fit, active) gives {β: active units on the test images}. Slide 003.

    One VAE at each β, all else equal. Judged, as in 02.2, by what it fits and measures, with stand-ins that write down
    what they are given: fit(model, data, …), active(model, split). result: what the real run returned; conclusion: a
    sentence that names the β from which on no unit is active, or the largest β where some still are.
    """
    name = "collapse_experiment"
    answer = _watch_collapse(name, experiment)
    if answer is None:
        return
    if result is None and conclusion is None:
        print(f"✓ {name}: a fair design")
        return
    if result is None or not isinstance(conclusion, str) or not conclusion.strip():
        print(f"{name}: the experiment is sound; its conclusion is not done yet")
        return
    if not isinstance(result, Mapping) or len(result) < 3:
        raise CheckFailed(f"{name}: run it with three values of β at least, got {result!r}")
    alive = [beta for beta, units in result.items() if units > 0]
    dead = [beta for beta, units in result.items() if units == 0 and all(beta > other for other in alive)]
    hint = "from which β on was no unit active?" if dead else "name the largest β you tried, at which units were active"
    conclusion_names(name, conclusion, min(dead) if dead else max(result), f"{hint} You measured {dict(result)}")


def _watch_collapse(name: str, experiment: Callable[..., Any]) -> Any:
    """The answer of a fair experiment, None for a stub; CheckFailed names the first flaw of the design."""
    from autoencoder_lab.data.split import ImageData, Split

    def fail(flaw: str) -> CheckFailed:
        return CheckFailed(f"{name}: {flaw}")

    data = noise_images()
    runs: list[dict[str, Any]] = []

    def fit(model: Any, trained_on: Any, **settings: Any) -> None:
        if not isinstance(trained_on, ImageData):
            raise fail(f"fit(model, data) takes the whole data set, got {type(trained_on).__name__}")
        if not hasattr(model, "posterior"):
            raise fail(f"{type(model).__name__} has no KL for β to weigh; build lab.VAE(latent, beta=beta)")
        if any(run["model"] is model for run in runs):
            raise fail("one model is trained twice; the second run goes on from the first: build a new VAE for each β")
        settings = {"seed": 0} | {key: value for key, value in settings.items() if key != "progress"}
        runs.append({"model": model, "beta": model.beta, "settings": settings, "images": trained_on.train.images})

    def active(model: Any, split: Any, *args: Any, **kwargs: Any) -> int:
        run = next((run for run in runs if run["model"] is model), None)
        if run is None:
            raise fail("a model is measured before it was trained")
        if not isinstance(split, Split):
            raise fail(f"active(model, split) takes a split, data.test; got {type(split).__name__}")
        if not torch.equal(split.images, data.test.images):
            known = {"training": data.train, "validation": data.val}
            which = next((kind for kind, part in known.items() if torch.equal(split.images, part.images)), "other")
            raise fail(f"you measure on {which} images; what counts is the code of new ones, all of data.test")
        if args or kwargs:
            raise fail("leave active's threshold as it is, or the counts cannot be compared with anyone's")
        run["units"] = PLANTED.get(run["beta"], 9)
        return int(run["units"])

    answer = answer_of(name, lambda: experiment(data, list(PLANTED), fit=fit, active=active))
    if answer is None:
        return None
    if flaw := _collapse_flaw(data, runs) or _wrong_counts(runs, answer):
        raise fail(flaw)
    return answer


def _collapse_flaw(data: Any, runs: list[dict[str, Any]]) -> str | None:
    """What is wrong with the design of these runs, or None."""
    if not runs:
        return "nothing was trained with the fit handed to your function; call fit(model, data, …), not lab.fit"
    trained = [run["beta"] for run in runs]
    if len(runs) > 1 and len(set(trained)) == 1:
        return f"all your models have β = {trained[0]:g}; give each its own: lab.VAE(latent, beta=beta)"
    if missing := [beta for beta in PLANTED if beta not in trained]:
        return f"there is no run with β = {missing[0]:g}; train one VAE for each of the `betas` you are given"
    if len(trained) > len(set(trained)) or set(trained) - set(PLANTED):
        return (
            f"train one VAE for each of the `betas` you are given, {list(PLANTED)}, and no other; yours have {trained}"
        )
    first = runs[0]
    for run in runs[1:]:
        for what, kept, given in (
            ("code sizes", first["model"].latent, run["model"].latent),
            ("seeds", first["settings"]["seed"], run["settings"]["seed"]),
        ):
            if kept != given:
                return f"the runs have different {what}, {kept} and {given}; let β be the only difference"
        if first["settings"] != run["settings"]:
            return f"the runs are trained differently, {first['settings']} against {run['settings']}; only β may differ"
        if not torch.equal(first["images"], run["images"]):
            return "the runs learn from different images; only β may differ"
        models = [_objective(one["model"]) for one in (first, run)]
        if models[0] != models[1]:
            return "the models differ in more than β: give all the same width, likelihood, sigma, warm_up and free_bits"
    if not torch.equal(first["images"], data.train.images):
        return "train on data.train as it is; its images were changed, or some left out"
    if any("units" not in run for run in runs):
        return "not every model was measured with the `active` handed to your function: active(model, data.test)"
    return None


def _objective(model: Any) -> tuple[Any, ...]:
    """All that a VAE is made with, but for β."""
    names = ("likelihood", "binarise", "free_bits", "warm_up", "output")
    shapes = [tuple(value.shape) for value in model.state_dict().values()]
    sigma = None if model.log_sigma.requires_grad else float(model.log_sigma)
    return (type(model), sigma, shapes, *(getattr(model, name) for name in names))


def _wrong_counts(runs: list[dict[str, Any]], answer: Any) -> str | None:
    """What is wrong with the numbers returned, or None."""
    counts = {run["beta"]: run["units"] for run in runs}
    if not isinstance(answer, Mapping) or set(answer) != set(counts):
        return f"return a dictionary {{β: active units}} with the keys {sorted(counts)}, got {answer!r}"
    if dict(answer) == counts:
        return None
    if sorted(answer.values(), key=str) == sorted(counts.values(), key=str):
        return "the counts stand under the wrong β; are some of them exchanged?"
    return f"the counts returned, {dict(answer)}, are not those that `active` gave, {counts}"
