"""The checks of notebook 04b, the latent space: right functions beside the commonest wrong ones."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Generator, Tensor

from autoencoder_lab.checks.compare import CheckFailed, show
from autoencoder_lab.checks.conclusion import Figure, clause_of, figures, sentence
from autoencoder_lab.checks.experiment import (
    Record,
    Watcher,
    alike_but_for,
    concluded,
    mean_of,
    noise_images,
    seeds_flaw,
)
from autoencoder_lab.checks.question import Inputs, Question, by_sentence

# --- 1: a path between two codes -----------------------------------------------------------------------------------


def interpolate(student: Callable[[Tensor, Tensor, int], Any]) -> None:
    """Exercise 04b.1: student(a, b, steps) gives codes (steps, d), evenly spaced from a to b, both included.

    Slide 002, on paths between two images.
    """
    INTERPOLATE.check(student)


Path = Callable[[Tensor, Tensor, int], Tensor]


def _one_code_a_row(student: Callable[[Tensor, Tensor, int], Any]) -> Callable[[Tensor, Tensor, int], Any]:
    """The student's path, with complaints of a list of codes and of codes in columns."""

    def watched(a: Tensor, b: Tensor, steps: int) -> Any:
        answer = student(a, b, steps)
        if isinstance(answer, list | tuple) and len(answer) and all(isinstance(z, Tensor) for z in answer):
            raise CheckFailed("interpolate: that is a list of codes; torch.stack(list) makes one tensor of it")
        if isinstance(answer, Tensor) and answer.shape == (len(a), steps):
            raise CheckFailed("interpolate: return one code a row, (steps, d); yours is (d, steps), transpose it")
        return answer

    return watched


def _along(shares: Callable[[int], Tensor]) -> Path:
    """The straight line from a to b at these shares of the way."""
    return lambda a, b, steps: a + shares(steps)[:, None] * (b - a)


def _even(steps: int) -> Tensor:
    return torch.linspace(0, 1, steps)


def _spherical(a: Tensor, b: Tensor, steps: int) -> Tensor:
    angle = torch.acos(torch.dot(a, b) / (a.norm() * b.norm()))
    t = _even(steps)[:, None]
    arc: Tensor = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    return arc


def _of_kept_length(a: Tensor, b: Tensor, steps: int) -> Tensor:
    codes, t = _along(_even)(a, b, steps), _even(steps)[:, None]
    scaled: Tensor = codes / codes.norm(dim=1, keepdim=True) * ((1 - t) * a.norm() + t * b.norm())
    return scaled


INTERPOLATE_MISTAKES: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {
    "both ends are missing; the first code is a, the last is b": _along(lambda n: torch.arange(1, n + 1) / (n + 1)),
    "the path stops one step short of b: with `steps` codes there are steps − 1 gaps": _along(
        lambda n: torch.arange(n) / n
    ),
    "the path begins one step after a; the first code is a itself": _along(lambda n: torch.arange(1, n + 1) / n),
    "the path begins one step after a and goes one step beyond b; begin to count at 0": _along(
        lambda n: torch.arange(1, n + 1) / (n - 1)
    ),
    "the order is reversed: from a to b": _along(lambda n: _even(n).flip(0)),
    "this is spherical interpolation, along an arc; here the path is a straight line": _spherical,
    "the codes are scaled to keep their length; here the path is a straight line": _of_kept_length,
    "the codes are not evenly spaced: they go slowly at first (t²)": _along(lambda n: _even(n).square()),
    "the codes are not evenly spaced: they go slowly at both ends": _along(
        lambda n: (1 - torch.cos(math.pi * _even(n))) / 2
    ),
    "you add a share of b to a; the way from a to b is b − a": lambda a, b, n: a + _even(n)[:, None] * b,
    "a is missing: these are steps of b − a from 0": lambda a, b, n: _even(n)[:, None] * (b - a),
    "every code is the one halfway": _along(lambda n: torch.full((n,), 0.5)),
    "every code is a": _along(lambda n: torch.zeros(n)),
    "the codes jump from a to b; those between are what is wanted": _along(lambda n: (_even(n) > 0.5).float()),
    "the path goes from a away from b; the way from a to b is b − a": _along(lambda n: -_even(n)),
}


def _ends(generator: Generator) -> Sequence[Inputs]:
    cases = [(torch.randn(d, generator=generator), torch.randn(d, generator=generator), n) for d, n in ((3, 5), (4, 9))]
    return [*cases, (*cases[0][:2], 2)]


INTERPOLATE = Question("interpolate", _along(_even), by_sentence(INTERPOLATE_MISTAKES), _ends, adapt=_one_code_a_row)

# --- 2: active units -----------------------------------------------------------------------------------------------


def active_units(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 04b.2: student(mu, log_var), (N, d) each, gives how many dimensions j have Var_x[μ_j(x)] > 0.01."""
    ACTIVE_UNITS.check(student)


def _kl(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL[q ‖ N(0, 1)] of each dimension, averaged over the images, in nats."""
    return 0.5 * (mu.square() + log_var.exp() - 1 - log_var).mean(dim=0)


def _varying_draws(mu: Tensor, log_var: Tensor) -> int:
    # Var[z] = Var[μ] + E[σ²], what the variance of many draws comes to
    return int((mu.var(dim=0) + log_var.exp().mean(dim=0) > 0.01).sum())


ACTIVE_UNITS_MISTAKES: dict[str, Callable[[Tensor, Tensor], float]] = {
    "you measure how much drawn codes z vary. A dead dimension has σ = 1, so its draws vary a lot and say nothing; "
    "measure how much the mean μ varies": _varying_draws,
    "you take the variance over the dimensions; it is to be taken over the images, dim=0": lambda mu, log_var: int(
        (mu.var(dim=1) > 0.01).sum()
    ),
    "you look at the standard deviation of μ; the threshold 0.01 is one for the variance": lambda mu, log_var: int(
        (mu.std(dim=0) > 0.01).sum()
    ),
    "you look at the size of μ, not at how much it varies: a dimension whose μ is the same for every image says "
    "nothing, however far from 0 it lies": lambda mu, log_var: int((mu.square().mean(dim=0) > 0.01).sum()),
    "you look at the mean of μ over the images; what counts is how much μ varies": lambda mu, log_var: int(
        (mu.mean(dim=0).abs() > 0.01).sum()
    ),
    "you count by σ alone: that σ differs from 1 does not say that μ moves": lambda mu, log_var: int(
        (log_var.exp().mean(dim=0) < 0.99).sum()
    ),
    "you look at how much log σ² varies; what counts is the mean μ": lambda mu, log_var: int(
        (log_var.var(dim=0) > 0.01).sum()
    ),
    "you count the dimensions whose KL is above 0.1, as notebook 04 does: a μ that stays where it is, far from 0, "
    "costs KL and says nothing. Here the variance of μ over the images counts": lambda mu, log_var: int(
        (_kl(mu, log_var) > 0.1).sum()
    ),
    "you count the dimensions whose KL is above 0.01; what counts is how much μ varies over the images": (
        lambda mu, log_var: int((_kl(mu, log_var) > 0.01).sum())
    ),
    "you count the inactive dimensions": lambda mu, log_var: int((mu.var(dim=0) <= 0.01).sum()),
    "the threshold is 0.01, not 0.1": lambda mu, log_var: int((mu.var(dim=0) > 0.1).sum()),
    "the threshold is 0.01; with 0 every dimension counts, for no μ is ever exactly constant": lambda mu, log_var: int(
        (mu.var(dim=0) > 0).sum()
    ),
    "you count images with |μ| > 0.01, not dimensions": lambda mu, log_var: int((mu.abs() > 0.01).any(dim=1).sum()),
    "you give the share of active dimensions; give their number": lambda mu, log_var: float(
        (mu.var(dim=0) > 0.01).float().mean()
    ),
}


def _posteriors(seed: int, size: float = 1.0) -> tuple[Tensor, Tensor]:
    """200 images; so many dimensions of each kind that every mistake arrives at another number. size: of all means."""
    kinds = [  # how many, standard deviation of μ, mean of μ, log σ²
        (3, 1.0, 0.0, -3.0),  # active
        (1, 1.0, 0.5, -3.0),  # active, off centre
        (2, 0.2, 0.0, -0.1),  # active, faintly
        (5, 0.0, 0.0, 0.0),  # dead
        (4, 0.0, 2.0, 0.0),  # far from 0, but still
        (2, 0.0, 0.0, -1.5),  # only σ changes from image to image, see below
        (1, 0.03, 0.0, 0.0),  # moves too little
        (1, 0.0, 0.0, -8.0),  # narrow, but still
    ]
    sd, mean, log_var = torch.tensor([kind[1:] for kind in kinds for _ in range(kind[0])]).T
    draw = torch.Generator().manual_seed(seed)
    mu = size * (mean + (sd + 1e-4) * torch.randn(200, len(sd), generator=draw))
    varies = (log_var == -1.5).float()
    return mu, log_var + varies * torch.randn(200, 1, generator=draw)


ACTIVE_UNITS = Question(
    "active_units",
    lambda mu, log_var: int((mu.var(dim=0) > 0.01).sum()),
    by_sentence(ACTIVE_UNITS_MISTAKES),
    # in the third, who counts images by the variance of their codes finds none, by their size all of them
    lambda _: [_posteriors(0), _posteriors(1), _posteriors(2, size=0.05)],
)

# --- 3: an experiment ----------------------------------------------------------------------------------------------

PLANTED = {0.5: 7, 2.0: 5, 8.0: 2, 32.0: 0}  # β: how many units the stand-in calls active


def collapse_experiment(experiment: Callable[..., Any], result: Any = None, conclusion: str | None = None) -> None:
    """Exercise 04b.3: experiment(data, betas, fit, active) gives {β: active units on the test images}. Slide 003.

    One VAE at each β, all else equal. Judged, as in 02.3, by what it fits and measures, with stand-ins that write down
    what they are given: fit(model, data, …), active(model, split). Several seeds are as good as one; then a mean, or a
    list, is returned for each β. result: what the real run returned; conclusion: a sentence that names the β from which
    on no unit is active, or the largest β where some still are.
    """
    name = "collapse_experiment"
    watcher = Watcher(name, noise_images())

    def fit(model: Any, trained_on: Any, **settings: Any) -> None:
        _write_down_training(watcher, model, trained_on, settings)

    def active(model: Any, split: Any, *args: Any, **kwargs: Any) -> int:
        run = watcher.training_of(model)
        watcher.wants_test_split("active", split, "what counts is the code of new ones, all of data.test")
        if args or kwargs:
            watcher.refuse("leave active's threshold as it is, or the counts cannot be compared with anyone's")
        run.units = PLANTED.get(run.beta, 9)
        return int(run.units)

    answer = watcher.answer(experiment, watcher.data, list(PLANTED), fit=fit, active=active)
    if answer is None:
        return
    watcher.refuse(_beta_flaw(watcher) or _second_difference(watcher) or _wrong_counts(watcher, answer))
    if result is None and conclusion is None:
        print(f"✓ {name}: a fair design")
        return
    if not concluded(name, result, conclusion):
        return
    counts = {beta: mean_of(units) for beta, units in result.items()} if isinstance(result, Mapping) else {}
    if len(counts) < 3 or None in counts.values() or not all(isinstance(beta, Real) for beta in counts):
        raise CheckFailed(f"{name}: run it with three values of β at least, got {show(result)}")
    _judge_conclusion(name, conclusion, {float(beta): float(units or 0) for beta, units in counts.items()})


DEAD = (
    r"\b(?:no (?:single )?(?:active )?(?:units?|dimensions?|one)|none|0 (?:active )?(?:units?|dimensions?)|nothing|"
    r"dead|dies?|died|dying|collaps\w*|inactive|not (?:a single|1|any)|(?:no longer|not) (?:active|alive)|extinct)\b"
)
ALIVE = r"\b(?:active|alive|lives?|living|survives?|surviving|awake|remain\w*|still|works?)\b"
BEYOND, SHORT_OF = r"(?:above|beyond|past|over|after|larger than|more than)", r"(?:below|before|smaller than|less than)"
FEWER = r"\b(?:fewer|less|some|half)\b"


def _judge_conclusion(name: str, conclusion: Any, counts: Mapping[float, float]) -> None:
    """Pass if the sentence names a border between life and death, and says nothing else than what was counted."""
    text = sentence(name, conclusion)
    alive = [beta for beta, units in counts.items() if units > 0]
    dead = [beta for beta, units in counts.items() if units == 0 and all(beta > other for other in alive)]
    border = {min(dead), *([max(alive)] if alive else [])} if dead else {max(counts)}
    named = [(number, float(number.value)) for number in figures(text) if number.value in counts]
    for number, beta in named:
        if flaw := _contradiction(text, number, beta, counts):
            raise CheckFailed(f"{name}: {flaw}. You measured {show(dict(counts))}")
    hint = "from which β on was no unit active?" if dead else "name the largest β you tried, at which units were active"
    told = [beta for number, beta in named if not re.search(r"\bfewer\b", text[slice(*clause_of(text, number.start))])]
    if not border & set(told):
        raise CheckFailed(f"{name}: a conclusion names its figure: {hint} You measured {show(dict(counts))}")
    print(f"✓ {name}: a sound experiment, and a conclusion with its figure")


def _contradiction(text: str, number: Figure, beta: float, counts: Mapping[float, float]) -> str | None:
    """What the clause round a β says that was not counted, or None."""
    start, end = clause_of(text, number.start)
    clause, before = text[start:end], text[start : number.start]
    betas = sorted(counts)
    if re.search(rf"\b{BEYOND} (?:a |the )?(?:β|beta)?\s*(?:=|of)?\s*$", before):
        beta = next((other for other in betas if other > beta), beta)
    if re.search(rf"\b{SHORT_OF} (?:a |the )?(?:β|beta)?\s*(?:=|of)?\s*$", before):
        beta = next((other for other in reversed(betas) if other < beta), beta)
    if re.search(r"\b(?:between|until|till)\b", clause) or len({f.value for f in figures(clause)} & set(betas)) > 1:
        return None  # of several β in one clause none is said alone
    units = counts[beta]
    says_dead = re.search(DEAD, clause) is not None and not re.search(rf"{FEWER}|not (?:all )?(?:dead|die)", clause)
    says_alive = re.search(ALIVE, re.sub(DEAD + r"[^,;]*", " ", clause)) is not None
    if says_dead and not says_alive and units > 0:
        return f"you say that at β = {beta:g} no unit is active, but {units:g} were"
    if says_alive and not says_dead and units == 0:
        return f"you say that at β = {beta:g} units are active, but none was"
    told = re.search(r"(?<![\d.])(\d+)(?: of (?:the |all )?\d+)?(?= (?:[a-z]+ )?(?:units?|dimensions?)\b)", clause)
    if told and not says_dead and told.start() != number.start - start and abs(float(told[1]) - units) >= 1:
        return f"you say {told[1]} units at β = {beta:g}, but {units:g} were active"
    if re.search(r"\b(?:all|every)\b", clause) and says_alive and not says_dead and units < max(counts.values()):
        return f"you say that at β = {beta:g} all units are active, but {units:g} were"
    return None


def _write_down_training(watcher: Watcher, model: Any, trained_on: Any, settings: dict[str, Any]) -> None:
    watcher.wants_whole_data(trained_on)
    if not getattr(model, "has_posterior", False):
        watcher.refuse(f"{type(model).__name__} has no KL for β to weigh; build lab.VAE(latent, beta=beta)")
    again = "one model is trained twice; the second run goes on from the first: build a new VAE for each β"
    watcher.wants_new_model(model, again)
    settings = {"seed": 0} | {key: value for key, value in settings.items() if key != "progress"}
    watcher.trained.append(Record(model=model, beta=model.beta, settings=settings, images=trained_on.train.images))


def _beta_flaw(watcher: Watcher) -> str | None:
    """Which β were not trained as they should be, or None."""
    if not watcher.trained:
        return "nothing was trained with the fit handed to your function; call fit(model, data, …), not lab.fit"
    trained = [run.beta for run in watcher.trained]
    if len(trained) > 1 and len(set(trained)) == 1:
        return f"all your models have β = {trained[0]:g}; give each its own: lab.VAE(latent, beta=beta)"
    if missing := [beta for beta in PLANTED if beta not in trained]:
        return f"there is no run with β = {missing[0]:g}; train one VAE for each of the `betas` you are given"
    if set(trained) - set(PLANTED):
        return (
            f"train one VAE for each of the `betas` you are given, {list(PLANTED)}, and no other; yours have {trained}"
        )
    return None


def _second_difference(watcher: Watcher) -> str | None:
    """In what the runs differ besides β, or what was not measured, or None."""
    first = watcher.trained[0]
    if flaw := seeds_flaw(watcher.trained, lambda run: run.beta):
        return f"the runs have different seeds ({flaw}); let β be the only difference"
    for run in watcher.trained[1:]:
        for what, kept, given in (("code sizes", first.model.latent, run.model.latent),):
            if kept != given:
                return f"the runs have different {what}, {kept} and {given}; let β be the only difference"
        if first.settings | {"seed": 0} != run.settings | {"seed": 0}:
            kept, given = show(first.settings), show(run.settings)
            return f"the runs are trained differently, {kept} against {given}; only β may differ"
        if not torch.equal(first.images, run.images):
            return "the runs learn from different images; only β may differ"
        if not alike_but_for("beta", first.model, run.model):
            return "the models differ in more than β: give all the same width, likelihood, sigma, warm_up and free_bits"
    if not torch.equal(first.images, watcher.data.train.images):
        return "train on data.train as it is; its images were changed, or some left out"
    if any(not hasattr(run, "units") for run in watcher.trained):
        return "not every model was measured with the `active` handed to your function: active(model, data.test)"
    return None


def _wrong_counts(watcher: Watcher, answer: Any) -> str | None:
    """What is wrong with the numbers returned, or None."""
    counts = {run.beta: run.units for run in watcher.trained}
    if not isinstance(answer, Mapping) or set(answer) != set(counts):
        return f"return a dictionary {{β: active units}} with the keys {sorted(counts)}, got {show(answer)}"
    given = {beta: mean_of(units) for beta, units in answer.items()}  # of several seeds a mean, or a list
    if given == counts:
        return None
    if sorted(given.values(), key=str) == sorted(map(float, counts.values()), key=str):
        return "the counts stand under the wrong β; are some of them exchanged?"
    return f"the counts returned, {show(dict(answer))}, are not those that `active` gave, {show(counts)}"
