"""What exercise 05.3 looks at: a generator and a critic that a student has built, before they meet in a game."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from autoencoder_lab.checks.compare import CheckFailed, show

LATENT, SHAPE, COUNT = 16, (1, 28, 28), 6
SHAKES = 6  # draws of other weights: what an output function allows shows over all of them
STATES = {  # PyTorch's words: what they mean for a network that a student builds
    "is invalid for input of size": " Is the size of a batch written into it? It is asked about 6 at once, and about 2",
    "cannot be multiplied": " Do the sizes of two layers in a row fit? A critic opens with nn.Flatten(), or ends its "
    "convolutions with it",
    "must have the same dtype": " Build it in float32, as the pictures are",
    "missing the required": " Give it a forward(self, x), or build it of nn.Sequential",
}


def flaw_of_players(answer: Any) -> tuple[str, str]:
    """(what is wrong with the two networks of an answer, or ""; what to mention besides, or "").

    Copies are looked at, and the stream of random numbers is where it was.
    """
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return f"return two networks, (generator, critic), got {show(answer)}", ""
    for what, network in zip(("generator", "critic"), answer, strict=True):
        if isinstance(network, type):
            return f"your {what} is the class {network.__name__}; make one of it: {network.__name__}()", ""
        if not isinstance(network, nn.Module):
            return f"your {what} is no nn.Module, so no optimiser finds its weights; got {show(network)}", ""
    try:
        generator, critic = copy.deepcopy(list(answer))  # the student's own stay as they are
    except RuntimeError:  # some normalisations of weights cannot be copied once they have been used
        generator, critic = answer
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        z, x = torch.randn(COUNT, LATENT), torch.rand(COUNT, *SHAPE)
        if _are_exchanged(generator, critic, z, x):
            return "the two are the wrong way round: return (generator, critic)", ""
        flaw = _flaw_of_generator(generator, z) or _flaw_of_critic(critic, x) or _flaw_of_gradient(generator, critic, z)
        return flaw, "" if flaw else _advice(critic, x)


def _are_exchanged(generator: nn.Module, critic: nn.Module, z: Tensor, x: Tensor) -> bool:
    try:
        with torch.no_grad():
            return bool(critic(z).numel() == x.numel() and generator(x).numel() == len(x))
    except Exception:
        return False


def _call(what: str, network: nn.Module, x: Tensor) -> Tensor:
    """network(x), always by the same random numbers; CheckFailed where it stops or gives no tensor."""
    torch.manual_seed(1)
    try:
        made = network(x)
    except Exception as error:
        first = str(error).partition("\n")[0]
        hint = next((meaning for said, meaning in STATES.items() if said in first), "")
        raise CheckFailed(
            f"your {what} stops at {tuple(x.shape)} with {type(error).__name__}: {first}.{hint}"
        ) from error
    if not isinstance(made, Tensor):
        said = "returns nothing; is `return` missing in its forward?" if made is None else f"gives {show(made)}"
        raise CheckFailed(f"your {what} {said}")
    return made


def _flaw_of_generator(generator: nn.Module, z: Tensor) -> str:
    made = _call("generator", generator, z)
    if flaw := _flaw_of_weights("generator", generator) or _flaw_of_pictures(made):
        return flaw
    few = _call("generator", generator, z[:2])
    if few.shape != (2, *SHAPE):
        return f"of 2 noise vectors your generator makes {tuple(few.shape)}; one picture each is (2, 1, 28, 28)"
    if torch.equal(made, _call("generator", generator, z.flip(0) + 1)):
        return "your generator ignores z: other noise, the same pictures. Everything it draws has to come from z"
    if torch.equal(made[1:], made[:-1]):
        return "your generator draws one picture for a whole batch; every row of z should have its own"
    low, high = _reach("generator", generator, z)
    if low >= -1e-6 and high <= 1 + 1e-6:
        sums = made.detach().flatten(1).sum(dim=1)
        together = torch.allclose(sums, torch.ones_like(sums), atol=1e-3)
        return (
            "the pixels of a picture add up to 1: that is a softmax. Let each be on its own, by nn.Sigmoid()" * together
        )
    if low >= -1 - 1e-6 and high <= 1 + 1e-6:
        return (
            "your generator's pixels reach from -1 to 1, as a tanh makes them, and those of digits from 0 to 1: end it "
            "with nn.Sigmoid(), or take (tanh + 1) / 2"
        )
    bound = "has no upper bound: a ReLU, or a factor" if low >= -1e-6 else "is free: no function keeps it in [0, 1]"
    return f"your generator's output {bound}, its pixels reach from {low:.3g} to {high:.3g}; end it with nn.Sigmoid()"


def _flaw_of_pictures(made: Tensor) -> str:
    """What is wrong with the shape of COUNT pictures, or ""."""
    wanted, got = (COUNT, *SHAPE), tuple(made.shape)
    if got == wanted:
        return "" if made.isfinite().all() else "your generator's pictures hold nan or infinity"
    hints = {
        (COUNT, 784): "they are flat; end with nn.Unflatten(1, (1, 28, 28))",
        (COUNT, 28, 28): "the channel is missing; nn.Unflatten(1, (1, 28, 28)), or unsqueeze(1)",
        (COUNT, 28, 28, 1): "the channel comes first, behind the batch",
    }
    hint = hints.get(got, "one picture for every row of z: the batch comes first" * (got[:1] != (COUNT,)))
    return f"your generator makes {got} of noise {(COUNT, LATENT)}; pictures are {wanted}{hint and f': {hint}'}"


def _flaw_of_critic(critic: nn.Module, x: Tensor) -> str:
    scores = _call("critic", critic, x)
    if flaw := _flaw_of_weights("critic", critic) or _flaw_of_scores(scores):
        return flaw
    if _call("critic", critic, x[:2]).shape != (2,):
        return "of 2 pictures your critic does not give 2 scores; it should take a batch of any size"
    if torch.equal(scores, scores[:1].expand_as(scores)):
        return "your critic gives every picture the same score; is it looking at x?"
    with _kept(critic), torch.no_grad():
        draws = [_call("critic", critic, x) for _ in _shaken(critic)]
    low, high = float(min(one.min() for one in draws)), float(max(one.max() for one in draws))
    if all(abs(float(one.sum()) - 1) < 1e-3 for one in draws):
        return (
            "your critic's scores add up to 1 over the batch: that is a softmax. Return logits, one picture by itself"
        )
    if low >= 0 and high <= 1:
        return (
            "your critic's scores all lie in [0, 1], whatever its weights: there is a sigmoid at its end. The loss "
            "takes the sigmoid itself; return logits"
        )
    bounds = {
        "from -1 to 1: a tanh at its end? A logit may be any number": low >= -1 and high <= 1,
        "above 0 only: a ReLU or softplus at its end? A logit below 0 says 'made up'": low >= 0,
        "below 0 only: a log-sigmoid at its end? The loss takes it itself; return logits": high <= 0,
    }
    return next((f"your critic's scores reach {said}" for said, so in bounds.items() if so), "")


def _flaw_of_scores(scores: Tensor) -> str:
    """What is wrong with the shape of the scores of COUNT pictures, or ""."""
    got = tuple(scores.shape)
    if got == (COUNT,):
        return "" if scores.isfinite().all() else "your critic's scores hold nan or infinity"
    if scores.numel() == 1:
        return f"your critic gives one number for a batch of {COUNT} pictures; each needs its own: keep the batch apart"
    if scores.numel() == COUNT:
        return (
            f"one score a picture has shape ({COUNT},), your critic gives {got}: end it with nn.Flatten(0), or [:, 0]"
        )
    if got[:1] == (COUNT,):
        return f"your critic gives {got}; one number a picture is enough, high for real: shape ({COUNT},)"
    return f"your critic gives {got} for {COUNT} pictures; nn.Flatten() keeps them apart: shape ({COUNT},)"


def _flaw_of_weights(what: str, network: nn.Module) -> str:
    if any(parameter.requires_grad for parameter in network.parameters()):
        return ""
    if any(True for _ in network.parameters()):
        return f"your {what}'s weights are frozen; requires_grad_(True) lets them learn"
    return (
        f"your {what} has no weights that an optimiser could find. Layers are made in __init__, as self.…, not in "
        "forward; and those in a Python list need nn.ModuleList or nn.Sequential around them"
    )


def _flaw_of_gradient(generator: nn.Module, critic: nn.Module, z: Tensor) -> str:
    """Whether the critic's opinion reaches the weights of both."""
    verdict = _call("critic", critic, _call("generator", generator, z)).sum()
    for what, network in (("critic", critic), ("generator", generator)):
        weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
        slopes = (
            torch.autograd.grad(verdict, weights, retain_graph=True, allow_unused=True) if verdict.requires_grad else ()
        )
        if not any(slope is not None and slope.any() for slope in slopes):
            return (
                f"no gradient reaches your {what}'s weights: look for detach(), torch.no_grad(), rounding or a "
                "comparison, in either network"
            )
    return ""


def _advice(critic: nn.Module, x: Tensor) -> str:
    """What is no mistake, and matters in section 6."""
    with _kept(critic), torch.no_grad():
        scores, beside_others = (_call("critic", critic, batch)[:3] for batch in (x, torch.cat([x[:3], 0.1 * x[3:]])))
    if torch.allclose(scores, beside_others, rtol=1e-3, atol=1e-5):
        return ""
    return (
        "the score of a picture depends on the others in its batch, as batch normalisation makes it; section 6 says "
        "why one leaves it out of a critic"
    )


def _reach(what: str, network: nn.Module, x: Tensor) -> tuple[float, float]:
    """The lowest and the highest value that a network gives, by its own weights and by others."""
    with _kept(network), torch.no_grad():
        made = [_call(what, network, x), *(_call(what, network, x) for _ in _shaken(network))]
    return float(min(one.min() for one in made)), float(max(one.max() for one in made))


def _shaken(network: nn.Module) -> Iterator[None]:
    """Each time round the network has other weights, so that its output function shows, not where it happens to be."""
    for seed in range(SHAKES):
        generator = torch.Generator().manual_seed(seed)
        for parameter in network.parameters():
            parameter.copy_(3 * torch.randn(parameter.shape, generator=generator))
        yield


@contextmanager
def _kept(network: nn.Module) -> Iterator[None]:
    """Afterwards weights and buffers are what they were."""
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    try:
        yield
    finally:
        network.load_state_dict(kept)
