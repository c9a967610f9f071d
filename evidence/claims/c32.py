"""C32: the five training steps: noise, generate, mix with real, train D, train G with D frozen.

A GAN of digits (width 4, hidden 32, cross-entropy, no penalty) after 20 rounds of 64 images. Then one step of either
network by `steps()`, as in `fit`; and the same critic's step once more by two usual mistakes: the fakes not detached,
with one optimiser for both networks, and detached, with one optimiser.
"""

import copy

import torch
from torch import Tensor, nn

from autoencoder_lab import losses
from autoencoder_lab.models import GAN
from evidence.common import (
    RIGHT,
    UNDECIDED,
    WRONG,
    Figures,
    Rows,
    Verdict,
    digits,
    over_seeds,
    train,
    unwatched,
)

SLIDE = "004"
CLAIM = "Five steps a round: noise, generate, mix with real images, train D, train G with D frozen"
NOTEBOOK, SECTION = "05", "2"
EXPECTED = RIGHT


def weights(network: nn.Module) -> Tensor:
    """All weights in one row."""
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def moved(model: GAN, way: str, x: Tensor) -> tuple[float, float]:
    """How far G and D move, as a share of their weights' length, by one step of 1e-3 made this `way`."""
    model = copy.deepcopy(model)
    before = weights(model.generator), weights(model.critic)
    if way in ("critic", "generator"):
        parameters, loss_function = model.steps()[way == "generator"]
        loss = loss_function(x).total
    else:
        parameters = [*model.generator.parameters(), *model.critic.parameters()]
        fake = model.fake(len(x))
        fake = fake.detach() if way == "detached" else fake
        loss = losses.critic_cross_entropy(model.critic(x), model.critic(fake))
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    torch.optim.Adam(parameters, 1e-3).step()
    g, d = (
        float((weights(network) - old).norm() / old.norm())
        for network, old in zip((model.generator, model.critic), before, strict=True)
    )
    return g, d


def experiment(seed: int) -> Figures:
    """How far either network moves in each kind of step; whether the leaking step is against the generator's own."""
    data, figures = digits(), {}
    model = GAN(16, game="non_saturating", penalty=0.0, average=0.0, width=4, hidden=32)
    train(model, unwatched(data), seed, 20, learning_rate=2e-3)
    torch.manual_seed(seed)
    x = data.train.images[64 * seed : 64 * (seed + 1)]
    for way in ("critic", "generator", "leaking", "detached"):
        figures[f"g_{way}"], figures[f"d_{way}"] = moved(model, way, x)
    parameters, fake = list(model.generator.parameters()), model.fake(64)
    both = (
        torch.autograd.grad(loss(model.critic(x), model.critic(fake)), parameters, retain_graph=True)
        for loss in (losses.critic_cross_entropy, losses.generator_non_saturating)
    )
    leak, own = (torch.cat([gradient.flatten() for gradient in gradients]) for gradients in both)
    return figures | {"against": float(torch.cosine_similarity(leak, own, dim=0))}


def verdict(rows: Rows) -> Verdict:
    """Right where D's step leaves every weight of G as it was, G's step every weight of D, each moves its own, and the
    leak that this prevents would move G and against its own aim; wrong where a step moves the other network."""
    found = {key: over_seeds(rows, key) for key in rows[0]}
    apart = [found["g_critic"], found["d_generator"], found["g_detached"]]
    still = all(abs(one.mean) + one.sd == 0 for one in apart)
    own = found["d_critic"].above() and found["g_generator"].above() and found["d_detached"].above()
    leaks = found["g_leaking"].above() and found["against"].below(-0.5)
    sentence = (
        "Bit for bit, D's step leaves G as it was, and G's step D; they move their own network by "
        f"{found['d_critic'].percent} and {found['g_generator'].percent} of its weights' length. With one optimiser "
        f"for both and the fakes not detached, D's step moves G as well, by {found['g_leaking'].percent}, and in the "
        f"wrong direction: that gradient and the one G wants have a cosine of {found['against']}. Detached, one "
        "optimiser for both moves D alone."
    )
    word = RIGHT if still and own and leaks else UNDECIDED
    return Verdict(WRONG if any(one.above() for one in apart) else word, sentence)
