"""The checks of notebook 06, VICReg and the CCAE: right functions beside the commonest wrong ones."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor, nn

from autoencoder_lab.checks.compare import CheckFailed, answer_of, show
from autoencoder_lab.checks.conclusion import conclusion_compares
from autoencoder_lab.checks.experiment import (
    Record,
    Watcher,
    alike_but_for,
    concluded,
    mean_of,
    measured_numbers,
    noise_images,
    seeds_flaw,
)
from autoencoder_lab.checks.question import Question, by_sentence

TERMS = ("variance", "invariance", "covariance")
EPS = 1e-4  # under VICReg's square root
Term = Callable[[Tensor, Tensor], Tensor]

# --- 1: the three terms of VICReg ------------------------------------------------------------------------------------


def vicreg_terms(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 06.1: student(z, other), (B, D) each, gives VICReg's variance, invariance and covariance, three scalars.

    variance and covariance of both batches added up, invariance averaged over B and D. Bardes, Ponce and LeCun (2022).
    """
    name = "vicreg_terms"
    pairs = _embeddings(torch.Generator().manual_seed(0))
    first = answer_of(name, student, *(batch.clone() for batch in pairs[0]))
    if first is None:
        return
    if isinstance(first, Mapping):
        first = tuple(first.values())
    if not isinstance(first, tuple | list) or len(first) != 3:
        raise CheckFailed(f"{name}: return three numbers, (variance, invariance, covariance), got {show(first)}")
    _complain_of_order(name, first, [question.right(*pairs[0]) for question in VICREG_TERMS])
    for question in VICREG_TERMS:
        question.check(student)
    if not any(term is None or term is Ellipsis for term in first):
        _check_gradients(name, student, pairs[0])


def _one_term(student: Callable[[Tensor, Tensor], Any], place: int) -> Callable[[Tensor, Tensor], Any]:
    """One of the student's three terms."""

    def watched(z: Tensor, other: Tensor) -> Any:
        answer = student(z, other)
        value = list(answer.values() if isinstance(answer, Mapping) else answer)[place]
        if value is None:
            return ...  # one term at a time is allowed
        return value.detach() if isinstance(value, Tensor) else value

    return watched


def _embeddings(generator: Generator) -> list[tuple[Tensor, Tensor]]:
    """Pairs of batches whose dimensions spread by less and by more than 1, hang together, and are not centred."""
    cases = []
    for rows, columns, wide in ((6, 3, 1.6), (5, 4, 1.6), (6, 3, 3.2)):  # in the last the mean spread is above 1
        mix = torch.randn(columns, columns, generator=generator)
        z, other = (torch.randn(rows, columns, generator=generator) @ mix for _ in range(2))
        spread = torch.linspace(0.1, wide, columns)
        z, other = z / z.std(dim=0) * spread + 0.4, other / other.std(dim=0) * spread.flip(0) * 0.9 - 0.3
        z[:, 1] = 0.7  # a dimension that says nothing: only ε is under its root
        cases.append((z, other))
    return cases


def _both(of_one: Callable[[Tensor], Tensor]) -> Term:
    return lambda z, other: of_one(z) + of_one(other)


def _hinge(deviation: Callable[[Tensor], Tensor]) -> Term:
    return _both(lambda z: (1 - deviation(z)).clamp(min=0).mean())


def _deviation(z: Tensor) -> Tensor:
    return (z.var(dim=0) + EPS).sqrt()


def _variance(z: Tensor, other: Tensor) -> Tensor:
    return _hinge(_deviation)(z, other)


def _invariance(z: Tensor, other: Tensor) -> Tensor:
    return (z - other).square().mean()


def _off_diagonal(c: Tensor) -> Tensor:
    return c - torch.diag(torch.diagonal(c))


def _of_covariance(measure: Callable[[Tensor], Tensor]) -> Term:
    return _both(lambda z: measure(torch.cov(z.T)) / z.shape[1])


def _covariance(z: Tensor, other: Tensor) -> Tensor:
    return _of_covariance(lambda c: _off_diagonal(c).square().sum())(z, other)


def _variance_of_both_together(z: Tensor, other: Tensor) -> Tensor:
    return 2 * (1 - _deviation(torch.cat([z, other]))).clamp(min=0).mean()


def _with_eps(eps: float) -> Term:
    return _hinge(lambda z: (z.var(dim=0) + eps).sqrt())


VARIANCE_MISTAKES: dict[str, Term] = {
    "the hinge is on the mean of the spreads, max(0, 1 − mean of √…), where wide dimensions pay for those that "
    "collapse; take max(0, 1 − √…) of each dimension, then the mean": _both(
        lambda z: (1 - _deviation(z).mean()).clamp(min=0)
    ),
    **{
        f"ε is there, but it is {eps:g}; take 1e-4, or the term and its slope at a collapse are others": _with_eps(eps)
        for eps in (1e-2, 1e-3, 1e-5, 1e-6, 1e-7, 1e-8)
    },
    "ε is missing under the root, or far too small, √(Var + ε): at a constant batch the root has an infinite "
    "slope, and torch.sqrt a gradient of nan": _hinge(lambda z: z.std(dim=0)),
    "ε stands outside the root, where it cannot save the gradient: √(Var + ε)": _hinge(lambda z: z.std(dim=0) + EPS),
    "you take the spread within each image (dim=1); what must not collapse is a dimension over the batch, dim=0": (
        _hinge(lambda z: (z.var(dim=1) + EPS).sqrt())
    ),
    "that is one spread of all numbers together; a constant dimension could hide behind the others. Take it for "
    "each dimension, dim=0": _hinge(lambda z: (z.var() + EPS).sqrt()),
    "you take the variance; the hinge is on the standard deviation, its root. Near a collapse the variance has "
    "hardly a slope": _hinge(lambda z: z.var(dim=0) + EPS),
    "you take the variance, z.var(0), without its root: the hinge is on the standard deviation √(Var + ε). Near a "
    "collapse the variance has hardly a slope": _hinge(lambda z: z.var(dim=0)),
    "the hinge is missing, and so is the root: max(0, 1 − √(Var + ε))": _both(lambda z: (1 - z.var(dim=0)).mean()),
    "the hinge is missing, and the spread lacks its ε: max(0, 1 − √(Var + ε))": _both(
        lambda z: (1 - z.std(dim=0)).mean()
    ),
    "the hinge is squared; VICReg takes it as it is": _both(lambda z: (1 - _deviation(z)).clamp(min=0).square().mean()),
    "the hinge max(0, ·) is missing: dimensions that spread by more than 1 are rewarded and pay for those that "
    "collapse": _both(lambda z: (1 - _deviation(z)).mean()),
    "the hinge is missing, and the square pulls large spreads down to 1 as well": _both(
        lambda z: (1 - _deviation(z)).square().mean()
    ),
    "the hinge is the wrong way round: it must cost to spread by less than 1, max(0, 1 − √…)": _both(
        lambda z: (_deviation(z) - 1).clamp(min=0).mean()
    ),
    "the variance is divided by B; here by B − 1, as torch.var does unless told otherwise": _hinge(
        lambda z: (z.var(dim=0, correction=0) + EPS).sqrt()
    ),
    "the mean is not taken off: that is √(mean of z²), and a constant far from 0 would look spread out": _hinge(
        lambda z: (z.square().mean(dim=0) + EPS).sqrt()
    ),
    "you sum over the dimensions; average, or the term grows with D": lambda z, other: _variance(z, other) * z.shape[1],
    "you average the two batches' terms, as the authors' program does; here, as in their paper, v(Z) + v(Z')": (
        lambda z, other: _variance(z, other) / 2
    ),
    "only v(Z) counts; add v(Z')": lambda z, other: _variance(z, z) / 2,
    "only v(Z') counts; add v(Z)": lambda z, other: _variance(other, other) / 2,
    "Z and Z' are put into one batch; take each by itself and add up": _variance_of_both_together,
    "you take the spread of Z − Z'; it is Z and Z' that must stay spread": lambda z, other: (
        _variance(z - other, z - other) / 2
    ),
    "that is the mean of the spreads; VICReg asks by how much they fall short of 1": _both(
        lambda z: _deviation(z).mean()
    ),
    "the sign is the wrong way round": lambda z, other: -_variance(z, other),
    "that is the term times 25; the weights come later": lambda z, other: 25 * _variance(z, other),
}


def _squares(z: Tensor, other: Tensor) -> Tensor:
    return (z - other).square()


INVARIANCE_MISTAKES: dict[str, Term] = {
    "you sum over the dimensions; here the mean is taken over B and D": lambda z, other: (
        _squares(z, other).sum(dim=1).mean()
    ),
    "you sum over the images; take the mean": lambda z, other: _squares(z, other).mean(dim=1).sum(),
    "you sum over everything; take the mean over B and D": lambda z, other: _squares(z, other).sum(),
    "that is the distance; its square is wanted": lambda z, other: _squares(z, other).sum(dim=1).sqrt().mean(),
    "the root of the mean is taken; VICReg takes none": lambda z, other: _squares(z, other).mean().sqrt(),
    "absolute differences; square them": lambda z, other: (z - other).abs().mean(),
    "the differences are not squared: positive and negative ones cancel": lambda z, other: (z - other).mean(),
    "there is no factor ½": lambda z, other: _squares(z, other).mean() / 2,
    "you compare the mean embeddings of the two batches; compare image by image, then average": lambda z, other: (
        _squares(z.mean(dim=0), other.mean(dim=0)).mean()
    ),
    "you compare every image with every other: that would bring all of them to one point. Row i of Z goes with "
    "row i of Z'": lambda z, other: _squares(z[:, None], other[None]).mean(),
    "the embeddings are scaled to length 1 first, as in contrastive methods; VICReg does not scale": lambda z, other: (
        _squares(nn.functional.normalize(z), nn.functional.normalize(other)).mean()
    ),
    "that is the cosine similarity; VICReg takes the squared difference": lambda z, other: (
        nn.functional.cosine_similarity(z, other).mean()
    ),
    "that is one minus the cosine similarity; VICReg takes the squared difference": lambda z, other: (
        1 - nn.functional.cosine_similarity(z, other).mean()
    ),
    "you take the means off before comparing; then a shift between the two would cost nothing": lambda z, other: (
        _squares(z - z.mean(dim=0), other - other.mean(dim=0)).mean()
    ),
    "the sign is the wrong way round: it would drive the two views apart": lambda z, other: -_squares(z, other).mean(),
    "that is the term times 25; the weights come later": lambda z, other: 25 * _squares(z, other).mean(),
    "you divide by B − 1; here by B": lambda z, other: _squares(z, other).mean() * len(z) / (len(z) - 1),
}


def _not_centred(z: Tensor) -> Tensor:
    return _off_diagonal(z.T @ z / (len(z) - 1)).square().sum() / z.shape[1]


def _centred_by_rows(z: Tensor) -> Tensor:
    centred = z - z.mean(dim=1, keepdim=True)
    return _off_diagonal(centred.T @ centred / (len(z) - 1)).square().sum() / z.shape[1]


def _across(z: Tensor, other: Tensor) -> Tensor:
    a, b = z - z.mean(dim=0), other - other.mean(dim=0)
    return _off_diagonal(a.T @ b / (len(z) - 1)).square().sum() / z.shape[1]


def _correlation(z: Tensor) -> Tensor:
    spread = _deviation(z)
    return _off_diagonal(torch.cov(z.T) / spread[:, None] / spread).square().sum() / z.shape[1]


def _divided_by_number(z: Tensor) -> Tensor:
    return _off_diagonal(z.T.cov(correction=0)).square().sum() / z.shape[1]


COVARIANCE_MISTAKES: dict[str, Term] = {
    "the diagonal is included: that punishes the variance of each dimension, which the variance term asks for. "
    "Leave i = j out": _of_covariance(lambda c: c.square().sum()),
    "only the diagonal counts; that is the one part to leave out": _of_covariance(
        lambda c: c.diagonal().square().sum()
    ),
    "C is divided by B; the covariance divides by B − 1": _both(_divided_by_number),
    "the sum is divided by D²; by D": lambda z, other: _covariance(z, other) / z.shape[1],
    "the sum is divided by D (D − 1); by D": lambda z, other: _covariance(z, other) / (z.shape[1] - 1),
    "the sum is not divided by D": lambda z, other: _covariance(z, other) * z.shape[1],
    "the embeddings are not centred: take the mean over the batch off first, z − z.mean(dim=0)": _both(_not_centred),
    "each image is centred by itself (dim=1); take off the mean over the batch, dim=0": _both(_centred_by_rows),
    "the entries of C are not squared: positive and negative ones cancel": _of_covariance(
        lambda c: _off_diagonal(c).sum()
    ),
    "absolute values; square the entries of C": _of_covariance(lambda c: _off_diagonal(c).abs().sum()),
    "the sum is squared; square each entry, then sum": _of_covariance(lambda c: _off_diagonal(c).sum().square()),
    "a root is taken of the sum of squares; VICReg takes none": _of_covariance(lambda c: _off_diagonal(c).norm()),
    "each pair (i, j) is counted once; the sum over i ≠ j has (i, j) and (j, i)": lambda z, other: (
        _covariance(z, other) / 2
    ),
    "only c(Z) counts; add c(Z')": lambda z, other: _covariance(z, z) / 2,
    "only c(Z') counts; add c(Z)": lambda z, other: _covariance(other, other) / 2,
    "that is the covariance between Z and Z'; each batch has its own": _across,
    "that is the correlation; VICReg takes the covariance": _both(_correlation),
    "C is the covariance between images, (B, B): transpose, it is between dimensions, (D, D)": _both(
        lambda z: _off_diagonal(torch.cov(z)).square().sum() / z.shape[1]
    ),
    "the sign is the wrong way round": lambda z, other: -_covariance(z, other),
}

VICREG_TERMS = [
    Question(
        f"vicreg_terms, {TERMS[place]}",
        right,
        by_sentence(mistakes),
        _embeddings,
        tolerance=2e-5 if place else 5e-6,  # in the variance it tells ε = 1e-8 from 0
        adapt=partial(_one_term, place=place),
    )
    for place, (right, mistakes) in enumerate(
        [(_variance, VARIANCE_MISTAKES), (_invariance, INVARIANCE_MISTAKES), (_covariance, COVARIANCE_MISTAKES)]
    )
]


def _complain_of_order(name: str, given: Sequence[Any], wanted: Sequence[Tensor]) -> None:
    """CheckFailed where the three are right but in another order."""
    try:
        values = [float(value) for value in given]
    except (TypeError, ValueError, RuntimeError):
        return
    right = [float(value) for value in wanted]
    close = [abs(v - r) < 1e-4 * (1 + abs(r)) for v, r in zip(values, right, strict=True)]
    shuffled = [abs(v - r) < 1e-4 * (1 + abs(r)) for v, r in zip(sorted(values), sorted(right), strict=True)]
    if all(shuffled) and not all(close):
        raise CheckFailed(f"{name}: the three terms are right, but the order is {', '.join(TERMS)}")


def _check_gradients(name: str, student: Callable[[Tensor, Tensor], Any], pair: tuple[Tensor, Tensor]) -> None:
    """CheckFailed where a right value would not train: no gradient, or none that is finite for a constant batch."""
    for z, other in (pair, (torch.full((5, 3), 0.3), torch.full((5, 3), 0.4))):
        leaves = z.clone().requires_grad_(), other.clone().requires_grad_()
        answer = student(leaves[0] * 1, leaves[1] * 1)
        values = answer.values() if isinstance(answer, Mapping) else answer
        for term, value in zip(TERMS, values, strict=True):
            if not isinstance(value, Tensor) or not value.requires_grad:
                raise CheckFailed(
                    f"{name}: the {term} has the right value but no gradient; compute it without item(), detach(), "
                    "numpy or torch.no_grad()"
                )
            reached = torch.autograd.grad(value, leaves, retain_graph=True, allow_unused=True)
            if any(gradient is None for gradient in reached):
                raise CheckFailed(f"{name}: the {term} passes no gradient to one of the two batches; detach neither")
            if not all(torch.isfinite(gradient).all() for gradient in reached):
                raise CheckFailed(
                    f"{name}: the {term} has the right value, but for a constant batch its gradient is nan. The root "
                    "of a variance of 0 has no slope, and squaring it afterwards comes too late: √(z.var(dim=0) + ε)"
                )


# --- 2: a loss that teaches the decoder alone ------------------------------------------------------------------------

Networks = tuple[nn.Module, nn.Module, nn.Module]


def decoder_loss(student: Callable[..., Any]) -> None:
    """Exercise 06.2: student(f, p, d, x, view) gives mean (Z − Z')², on one crop of x and x', for the decoder d alone.

    Z = p(f(crop of x)), X' = d(f(x)), Z' = p(f(the same crop of X')): a scalar whose backward() reaches d and neither
    the encoder f nor the projector p. Slide 000, equations (4)–(8), with a frozen judge.
    """
    name = "decoder_loss"
    x = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    networks = _small_networks()
    before = [parameter.detach().clone() for network in networks for parameter in network.parameters()]
    answer = answer_of(name, student, *networks, x.clone(), _fixed_view)
    if answer is None:
        return
    if not isinstance(answer, Tensor) or answer.ndim:
        raise CheckFailed(f"{name}: return the loss, one number as a tensor, got {show(answer)}")
    after = [parameter.detach() for network in networks for parameter in network.parameters()]
    if not all(torch.equal(a, b) for a, b in zip(before, after, strict=True)):
        raise CheckFailed(f"{name}: your function changes weights; return the loss, the step is taken by the caller")
    frozen = [
        what
        for what, network in zip(("encoder f", "projector p", "decoder d"), networks, strict=True)
        if not all(parameter.requires_grad for parameter in network.parameters())
    ]
    if flaw := _value_flaw(answer, x) or _gradient_flaw(answer, networks, x) or _crop_flaw(student):
        raise CheckFailed(f"{name}: {flaw}")
    if frozen:
        raise CheckFailed(
            f"{name}: the loss is right, but it leaves the {' and the '.join(frozen)} frozen, and whoever trains the "
            "network next finds that it learns nothing. Call requires_grad_(True) before you return: what was frozen "
            "while the loss was computed stays out of its backward()"
        )
    print(f"✓ {name}: correct, the decoder learns and the judge does not")


def _small_networks(exact: bool = False) -> Networks:
    """f: (B, 1, 4, 4) → (B, 3), p: → (B, 5), d: back; exact: d gives f's input back. Weights are always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        code = 16 if exact else 3
        f = nn.Sequential(nn.Flatten(), nn.Linear(16, code), nn.Identity() if exact else nn.Tanh())
        p = nn.Sequential(nn.Linear(code, 5), nn.Tanh())
        d = nn.Sequential(nn.Linear(code, 16), nn.Unflatten(1, (1, 4, 4)))
    if exact:
        for layer in (f[1], d[0]):
            assert isinstance(layer, nn.Linear)
            nn.init.eye_(layer.weight)
            nn.init.zeros_(layer.bias)
    return f.double(), p.double(), d.double()


def _fixed_view(x: Tensor, generator: Any = None) -> Tensor:
    return 0.8 * x.roll((1, 1), (2, 3))


def _random_view(x: Tensor, generator: Any = None) -> Tensor:
    """Another part of each image at every call; images stacked as channels get the same."""
    parts = torch.randint(16, (len(x),), generator=generator).tolist()
    return torch.stack([image.roll((part // 4, part % 4), (1, 2)) for image, part in zip(x, parts, strict=True)])


def _value_flaw(answer: Tensor, x: Tensor) -> str | None:
    """What is wrong with the loss's value, or None."""
    f, p, d = _small_networks()
    with torch.no_grad():
        x_hat = d(f(x))
        seen, seen_hat = _fixed_view(x), _fixed_view(x_hat)
        z, z_hat = p(f(seen)), p(f(seen_hat))
        square = (z - z_hat).square()
        wrong = {
            "you compare pixels; what the decoder is to be judged by is how the judge sees x and x'": (
                (x - x_hat).square().mean(),
                (seen - seen_hat).square().mean(),
                (x - x_hat).square().sum() / len(x),
            ),
            "there is no crop in it: the judge sees the whole images. Use the view you are given": (
                (p(f(x)) - p(f(x_hat))).square().mean(),
            ),
            "only x is cropped; x' needs the same crop": ((z - p(f(x_hat))).square().mean(),),
            "only x' is cropped; x needs the same crop": ((p(f(x)) - z_hat).square().mean(),),
            "the decoder gets the code of a crop and draws the crop; it is to draw the whole image, x' = d(f(x))": (
                (z - p(f(d(f(seen))))).square().mean(),
                (z - p(f(_fixed_view(d(f(seen)))))).square().mean(),
            ),
            "you compare the codes Y and Y'; the projector is missing: Z = p(Y)": (
                (f(seen) - f(seen_hat)).square().mean(),
            ),
            "the squares are summed; take the mean over images and dimensions": (
                square.sum(),
                square.sum(dim=1).mean(),
                square.sum() / 2,
            ),
            "that is a distance, or absolute differences; take the mean of squares": (
                square.sqrt().mean(),
                square.mean().sqrt(),
                square.sum(dim=1).sqrt().mean(),
            ),
            "the sign is the wrong way round": (-square.mean(),),
            "the loss is 0: you compare the judge's view of one image with itself": (torch.zeros(()).double(),),
        }
    if torch.allclose(answer.detach().double(), square.mean(), rtol=1e-5, atol=1e-9):
        return None
    for flaw, values in wrong.items():
        if any(torch.allclose(answer.detach().double(), value, rtol=1e-5, atol=1e-9) for value in values):
            return flaw
    return f"on a fixed crop the loss should be {float(square.mean()):.5g}, got {answer.item():.5g}"


def _gradient_flaw(answer: Tensor, networks: Networks, x: Tensor) -> str | None:
    """Whom the loss teaches, where its value is right: what is wrong with that, or None."""
    f, p, d = networks
    if not answer.requires_grad:
        return (
            "the value is right, but no gradient reaches the decoder. Frozen means that the judge's weights are "
            "constants, requires_grad_(False); with no_grad() or detach() on Z' you cut the way through it as well"
        )
    for network in networks:  # so that a network that was frozen only while the loss was computed is not mistaken
        network.requires_grad_(True)
    of_f, of_p, of_d = (_gradient(answer, network) for network in (f, p, d))
    if of_d is None or not of_d.any():
        return (
            "the value is right, but no gradient reaches the decoder: x' (or Z') is detached, or the decoder frozen. "
            "The gradient must pass *through* the judge into x'"
        )
    if of_f is not None and of_f.any():
        ways = _ways_into_the_encoder(x)
        way = next((how for how, gradient in ways.items() if torch.allclose(of_f, gradient, atol=1e-9)), "")
        return f"the value is right, but the encoder is not frozen: the gradient reaches it {way or 'as well'}"
    if of_p is not None and of_p.any():
        return "the encoder is frozen but the projector is not: it can learn to make Z and Z' alike by itself"
    wanted = _gradient(_reference(*(networks := _small_networks()), x), networks[2])
    assert wanted is not None
    return None if torch.allclose(of_d, wanted, atol=1e-9) else "the decoder's gradient is not that of mean (Z − Z')²"


def _gradient(loss: Tensor, network: nn.Module) -> Tensor | None:
    gradients = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True, allow_unused=True)
    present = [gradient.flatten() for gradient in gradients if gradient is not None]
    return torch.cat(present) if present else None


def _reference(
    f: nn.Module, p: nn.Module, d: nn.Module, x: Tensor, view: Callable[[Tensor], Tensor] = _fixed_view
) -> Tensor:
    seen, seen_hat = view(torch.cat([x, d(f(x))], dim=1)).chunk(2, dim=1)
    loss: Tensor = (p(f(seen)) - p(f(seen_hat))).square().mean()
    return loss


def _ways_into_the_encoder(x: Tensor) -> dict[str, Tensor]:
    """{by which ways: the encoder's gradient}: through Y into the decoder, through Z, and as judge of x'."""
    ways = {"through_y": "through Y = f(x), the decoder's input", "through_z": "through Z", "judge": "through Z'"}
    found = {}
    for chosen in range(1, 8):
        f, p, d = _small_networks()
        through_y, through_z, judge = (bool(chosen >> bit & 1) for bit in range(3))
        y = f(x) if through_y else f(x).detach()
        x_hat = d(y)
        z = p(f(_fixed_view(x)))
        weights = {name: value if judge else value.detach() for name, value in f.state_dict(keep_vars=True).items()}
        z_hat = p(torch.func.functional_call(f, weights, _fixed_view(x_hat)))
        gradient = _gradient(((z if through_z else z.detach()) - z_hat).square().mean(), f)
        named = [text for bit, text in enumerate(ways.values()) if chosen >> bit & 1]
        assert gradient is not None
        found[" and ".join(named)] = gradient
    return found


def _crop_flaw(student: Callable[..., Any]) -> str | None:
    """With a decoder that gives x back exactly, the same crop of x and x' gives a loss of 0, whatever the crop."""
    x = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(1)).double()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        loss = student(*_small_networks(exact=True), x, _random_view)
    if loss.item() < 1e-9:
        return None
    return (
        "x and x' get two different crops: with a decoder that gives x back exactly the loss should be 0, and it is "
        f"{loss.item():.3g}. view draws anew at every call and for every image; stack the two as channels, "
        "view(torch.cat([x, x_hat], dim=1)), and take them apart again with chunk(2, dim=1)"
    )


# --- 3: an experiment ------------------------------------------------------------------------------------------------


def term_experiment(experiment: Callable[..., Any], result: Any = None, conclusion: str | None = None) -> None:
    """Exercise 06.3: experiment(data, term, fit, measure) trains two CCAEs, one without `term`; gives (full, without).

    Watched, not trained: CCAEs are built but stand-ins for fit(model, data, …) and measure(model, split) write down
    what they are given. result: what the real run returned; conclusion: a sentence that names the factor
    without / full. Slide 000, "VICReg Loss".
    """
    name = "term_experiment"
    for term in TERMS:
        watcher = Watcher(name, noise_images(8, 3, 5))
        answer = _watched_answer(watcher, experiment, term)
        if answer is None:
            return
        watcher.refuse(_design_flaw(watcher, term) or _wrong_errors(watcher.trained, answer))
    if result is None and conclusion is None:
        print(f"✓ {name}: a fair design")
        return
    if not concluded(name, result, conclusion):
        return
    full, without = measured_numbers(name, result, 2)
    hint = f"how many times as large is the error without the term? You measured {full:.4g} and {without:.4g}"
    conclusion_compares(name, conclusion, without / full, hint, WITHOUT, FULL)


WITHOUT = (
    r"\b(?:without|remov\w*|dropp\w*|leav\w* (?:it |\w+ )?out|left out|missing|lack\w*|ablat\w*|taken? (?:out|away))\b"
)
FULL = r"\b(?:with (?:all|it|the|every|both|3)|full|complete|all 3)\b(?! (?:error|factor))"


def _watched_answer(watcher: Watcher, experiment: Callable[..., Any], term: str) -> Any:
    """What the experiment returns, None for a stub, with everything that it trains and measures written down."""

    def fit(model: Any, trained_on: Any, **settings: Any) -> None:
        watcher.wants_whole_data(trained_on)
        if type(model).__name__ != "CCAE":
            watcher.refuse(f"{type(model).__name__} has no decoder that VICReg teaches; build lab.CCAE(latent, …)")
        again = "one model is trained twice; the second run goes on from the first: build two CCAEs"
        watcher.wants_new_model(model, again)
        settings = {"seed": 0} | {key: value for key, value in settings.items() if key != "progress"}
        weights, images = tuple(model.weights), trained_on.train.images
        watcher.trained.append(Record(model=model, weights=weights, settings=settings, images=images))

    def measure(model: Any, split: Any, *args: Any, **kwargs: Any) -> float:
        run = watcher.training_of(
            model, "a model is measured before it was trained with the `fit` handed to your function"
        )
        watcher.wants_test_split("measure", split, "new ones decide, all of data.test")
        if tuple(model.weights) != run.weights:
            watcher.refuse("the weights were changed after the training; that changes nothing the model has learned")
        run.error = 0.02 if all(run.weights) else 0.05
        return float(run.error)

    return watcher.answer(experiment, watcher.data, term, fit=fit, measure=measure)


def _design_flaw(watcher: Watcher, term: str) -> str | None:
    """What is wrong with the design of these runs, or None."""
    runs = watcher.trained
    if not runs:
        return "nothing was trained with the fit handed to your function; call fit(model, data, …), not lab.fit"
    if len(runs) == 1:
        return "there is no control: train two CCAEs, one with all three terms and one without"
    kinds = list(dict.fromkeys(run.weights for run in runs))
    if len(kinds) > 2:
        return (
            "train two CCAEs, one with all three terms and one without `term`, with one seed or several; you train "
            f"{len(kinds)} different ones"
        )
    if flaw := _weight_flaw(kinds if len(kinds) == 2 else kinds * 2, term):
        return flaw
    if flaw := seeds_flaw(runs, lambda run: run.weights):
        return f"the runs have different seeds ({flaw}); then chance is a second difference"
    one = runs[0]
    for two in runs[1:]:
        if one.settings | {"seed": 0} != two.settings | {"seed": 0}:
            kept, given = show(one.settings), show(two.settings)
            return f"the runs are trained differently, {kept} and {given}; only the term may differ"
        if not torch.equal(one.images, two.images):
            return "the runs learn from different images; only the term may differ"
    if not all(alike_but_for("weights", one.model, two.model) for two in runs[1:]):
        return "the models differ in more than the term: give both the same code, views, judge, pixel and projector"
    if one.model.pixel:
        return f"pixel={one.model.pixel:g}: a pixel error does the decoder's teaching here; leave it at 0"
    if not torch.equal(one.images, watcher.data.train.images):
        return "train on data.train as it is; its images were changed, or some left out"
    if any(not hasattr(run, "error") for run in runs):
        return "measure both models with the `measure` handed to your function: measure(model, data.test)"
    return None


def _weight_flaw(weights: Sequence[tuple[float, ...]], term: str) -> str | None:
    """What is wrong with the weights of the two models, or None."""
    place, names = TERMS.index(term), ", ".join(TERMS)
    if weights[0] == weights[1]:
        if not all(weights[0]):
            return "both models miss a term, so there is no control; give one of them all three"
        return f"both models have the weights {weights[0]}: nothing is removed. CCAE(…, weights=({names}))"
    complete = [each for each in weights if all(each)]
    if not complete:
        return "neither model has all three terms, so there is no control"
    if len(complete) == 2:
        return f"a weight is changed, {weights[0]} and {weights[1]}, but none is 0: then the term is not removed"
    lacking = next(each for each in weights if not all(each))
    zeros = [TERMS[i] for i, weight in enumerate(lacking) if weight == 0]
    if zeros != [term]:
        what = " and ".join(zeros)
        return f"asked to remove the {term}, you remove the {what}; weights stand in the order ({names})"
    if any(a != b for i, (a, b) in enumerate(zip(complete[0], lacking, strict=True)) if i != place):
        return f"the other weights differ as well, {complete[0]} and {lacking}; change that of the {term} alone"
    return None


def _wrong_errors(runs: Sequence[Record], answer: Any) -> str | None:
    """What is wrong with the numbers returned, or None."""
    by_completeness = {all(run.weights): run.error for run in runs}
    wanted = [by_completeness[True], by_completeness[False]]
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return f"return two numbers, (full, without), got {show(answer)}"
    given = [mean_of(value) for value in answer]  # of several seeds a mean, or a list
    if None in given:
        return f"return two numbers, (full, without), got {show(answer)}"
    if _close(given, wanted):
        return None
    if _close(given, wanted[::-1]):
        return "the two are the wrong way round: first with all three terms, then without"
    return f"the numbers returned, {given}, are not those that `measure` gave, {wanted}"


def _close(given: Sequence[float | None], wanted: Sequence[float]) -> bool:
    return all(one is not None and abs(one - other) < 1e-6 for one, other in zip(given, wanted, strict=True))
