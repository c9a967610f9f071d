"""The checks of notebook 05, the generative adversarial network: losses, two steps, two networks, an experiment."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from autoencoder_lab.checks.compare import CheckFailed, answer_of, explaining, show
from autoencoder_lab.checks.conclusion import Figure, clause_of, figures, sentence
from autoencoder_lab.checks.experiment import Watcher, concluded, mean_of
from autoencoder_lab.checks.notebooks.two_networks import flaw_of_players
from autoencoder_lab.checks.question import Inputs, Question, by_sentence
from autoencoder_lab.data.plane import Modes

# --- 1: the two losses ---------------------------------------------------------------------------------------------


def adversarial_losses(student: Callable[[Tensor, Tensor], Any]) -> None:
    """Exercise 05.1: student(real, fake), logits (B,) each, gives the critic's loss and the generator's, scalars.

    −E log D(x) − E log(1 − D(G(z))), and −E log D(G(z)), with D = sigmoid(logit). Goodfellow et al. (2014).
    """

    ADVERSARIAL_LOSSES.check(student)


Pair = tuple[Tensor, Tensor]
Losses = Callable[[Tensor, Tensor], Pair]


def _critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def _generator_loss(fake: Tensor) -> Tensor:
    return F.softplus(-fake).mean()


def _both_losses(real: Tensor, fake: Tensor) -> Pair:
    return _critic_loss(real, fake), _generator_loss(fake)


def _as_logits(losses: Losses) -> Losses:
    """Losses that take the probabilities D for logits."""
    return lambda r, f: losses(r.sigmoid(), f.sigmoid())


def _stable(student: Callable[[Tensor, Tensor], Any]) -> Callable[[Tensor, Tensor], Any]:
    """The student's losses, with complaints of a missing mean and of losses that are infinite at far logits."""

    def watched(real: Tensor, fake: Tensor) -> Any:
        answer = student(real, fake)
        parts = answer if isinstance(answer, tuple | list) else ()
        if len(parts) == 2 and all(isinstance(part, Tensor) and part.shape == real.shape for part in parts):
            raise CheckFailed("adversarial_losses: that is a loss for each image; average over the batch")
        if real.abs().max() < 100 or not _one_number_each(parts):
            return answer
        if not all(math.isfinite(float(part)) for part in parts):
            raise CheckFailed(
                "adversarial_losses: right for small logits, but at ±150 the result is infinite or nan: sigmoid rounds "
                "to 0 or 1 there. Use softplus, logsigmoid or binary_cross_entropy_with_logits"
            )
        near = torch.tensor([0.5, -1.0]), torch.tensor([1.5, 0.3])
        if _close(student(*near), _both_losses(*near), 0.01) and not _close(parts, _both_losses(real, fake), 1e-3):
            raise CheckFailed(
                "adversarial_losses: right for small logits, but at ±150 the losses stop growing: an ε inside the "
                "logarithm, a clamp, or BCELoss, which cuts off at 100, bounds log(sigmoid), and where it is flat "
                "nothing is learned. Use softplus, logsigmoid or binary_cross_entropy_with_logits on the logits"
            )
        return answer

    return watched


def _one_number_each(parts: Any) -> bool:
    return len(parts) == 2 and all(
        isinstance(part, Tensor | Real) and torch.as_tensor(part).numel() == 1 for part in parts
    )


def _close(given: Any, wanted: Pair, tolerance: float) -> bool:
    pairs = zip(given, wanted, strict=True)
    return all(abs(float(one) - float(other)) <= tolerance * (1 + abs(float(other))) for one, other in pairs)


ADVERSARIAL_MISTAKES: dict[str, Callable[[Tensor, Tensor], Pair]] = {
    "the labels are swapped in the critic's loss: real images should get D = 1, fakes 0": lambda real, fake: (
        _critic_loss(-real, -fake),
        _generator_loss(fake),
    ),
    "the labels are swapped in both losses: the critic wants D = 1 for real images and 0 for fakes, the generator "
    "wants 1 for its fakes": lambda real, fake: (_critic_loss(-real, -fake), _generator_loss(-fake)),
    "the two losses are returned in the wrong order: first the critic's, then the generator's": lambda real, fake: (
        _both_losses(real, fake)[::-1]
    ),
    "a sigmoid and a loss that expects logits (…_with_logits, softplus): the sigmoid is taken twice. D = sigmoid("
    "logit) stands in the formula once": _as_logits(_both_losses),
    "the generator's loss is the saturating one, log(1 − D): it is flat where the critic sees through the fake. "
    "The formula asked for is −log D": lambda real, fake: (_critic_loss(real, fake), -F.softplus(fake).mean()),
    "the generator's sign is the wrong way round: it wants D(G(z)) near 1, so its loss is −log D": lambda real, fake: (
        _critic_loss(real, fake),
        -_generator_loss(fake),
    ),
    "the generator labels its fakes 0: that is what the critic wants. Its own target is 1": lambda real, fake: (
        _critic_loss(real, fake),
        _generator_loss(-fake),
    ),
    "the generator's loss is taken on real images; they do not depend on the generator": lambda real, fake: (
        _critic_loss(real, fake),
        _generator_loss(real),
    ),
    "the generator's loss is minus the critic's: the same game, but it saturates. Take −log D(G(z))": (
        lambda real, fake: (_critic_loss(real, fake), -_critic_loss(real, fake))
    ),
    "that is the value V, which the critic makes large; the loss to be made small is −V": lambda real, fake: (
        -_critic_loss(real, fake),
        _generator_loss(fake),
    ),
    "the minus is missing in both losses: log D is negative, and a loss of −log D is what falls as D rises": (
        lambda real, fake: (-_critic_loss(real, fake), -_generator_loss(fake))
    ),
    "a minus is missing: the critic's second term is −E log(1 − D(G(z))) as well": lambda real, fake: (
        F.softplus(-real).mean() - F.softplus(fake).mean(),
        _generator_loss(fake),
    ),
    "a minus is missing: the critic's first term is −E log D(x) as well": lambda real, fake: (
        F.softplus(fake).mean() - F.softplus(-real).mean(),
        _generator_loss(fake),
    ),
    "minuses are missing: the critic's second term and the generator's loss both need one": lambda real, fake: (
        F.softplus(-real).mean() - F.softplus(fake).mean(),
        -_generator_loss(fake),
    ),
    "both losses are halved; nothing is averaged over real and fake together": lambda real, fake: (
        0.5 * _critic_loss(real, fake),
        0.5 * _generator_loss(fake),
    ),
    "the generator's loss is doubled": lambda real, fake: (_critic_loss(real, fake), 2 * _generator_loss(fake)),
    "the logarithm is missing: these are means of D itself": lambda real, fake: (
        -real.sigmoid().mean() - (1 - fake.sigmoid()).mean(),
        -fake.sigmoid().mean(),
    ),
    "the mean is taken before the logarithm: average log D, not D": lambda real, fake: (
        -real.sigmoid().mean().log() - (1 - fake.sigmoid().mean()).log(),
        -fake.sigmoid().mean().log(),
    ),
    "the critic's loss is halved: V adds the two means. (One mean over all 2B logits halves it.)": lambda real, fake: (
        0.5 * _critic_loss(real, fake),
        _generator_loss(fake),
    ),
    "the critic's loss lacks the fakes: a critic that always says real would be perfect": lambda real, fake: (
        F.softplus(-real).mean(),
        _generator_loss(fake),
    ),
    "the critic's loss lacks the real images: a critic that never says real would be perfect": lambda real, fake: (
        F.softplus(fake).mean(),
        _generator_loss(fake),
    ),
    "you sum over the batch; take means, or the losses depend on its size": lambda real, fake: (
        len(real) * _critic_loss(real, fake),
        len(fake) * _generator_loss(fake),
    ),
    "these are squared errors of D, as in a least-squares GAN; the formula has logarithms": _as_logits(
        lambda real, fake: ((real - 1).square().mean() + fake.square().mean(), (fake - 1).square().mean())
    ),
    "these are means of logits, as in a Wasserstein GAN; the formula has log D": lambda real, fake: (
        fake.mean() - real.mean(),
        -fake.mean(),
    ),
    "these are bits; nats take the natural logarithm": lambda real, fake: (
        _critic_loss(real, fake) / math.log(2),
        _generator_loss(fake) / math.log(2),
    ),
    "the fake images' term is −log D(G(z)) in both losses; the critic's is −log(1 − D(G(z)))": lambda real, fake: (
        _critic_loss(real, -fake),
        _generator_loss(fake),
    ),
}


def _logits(generator: Generator) -> Sequence[Inputs]:
    """Near logits, and far ones: by a sigmoid and a logarithm of it these give infinity."""
    near = [(torch.randn(n, generator=generator) + 1, torch.randn(n, generator=generator) - 0.5) for n in (5, 8)]
    return [*near, (torch.tensor([-150.0, 3.0]), torch.tensor([160.0, -2.0]))]


ADVERSARIAL_LOSSES = Question(
    "adversarial_losses", _both_losses, by_sentence(ADVERSARIAL_MISTAKES), _logits, adapt=_stable
)

# --- 2: the two steps ----------------------------------------------------------------------------------------------


def critic_step(student: Callable[..., Any]) -> None:
    """Exercise 05.2: student(generator, critic, optimiser, real, noise) trains the critic alone and returns its loss.

    The optimiser holds the weights of both networks; the critic gives logits (B,). Slide 004, steps 2 to 4.
    """
    CRITIC_STEP.check(student)


def generator_step(student: Callable[..., Any]) -> None:
    """student(generator, critic, optimiser, noise) trains the generator alone and returns −E log D(G(z)).

    The optimiser holds the weights of both networks; the critic gives logits (B,). Slide 004, step 5.
    """
    GENERATOR_STEP.check(student)


Step = Callable[..., Any]


def _players() -> tuple[nn.Module, nn.Module]:
    """A small generator, 3 → 4, and critic, 4 → (B,), always the same ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4))
        return generator, nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1), nn.Flatten(0))


def _weights(network: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()]).clone()


def _two_steps(name: str, step: Step, trained: int, guarded: bool = False) -> Callable[[Tensor, Tensor], Any]:
    """Two steps from the same start → (the losses, the weights of the network that should move).

    trained: 0 for the generator's step, 1 for the critic's. guarded: complain of what only a student's step can do
    wrong: move the other network, leave something frozen, return nothing.
    """

    def two_steps(real: Tensor, noise: Tensor) -> Any:
        players = _players()
        both = [parameter for player in players for parameter in player.parameters()]
        optimiser = torch.optim.SGD(both, lr=0.5)  # it holds both networks: what has a gradient moves
        mover, other = players[trained], players[1 - trained]
        before, start = _weights(other), _weights(mover)
        arguments = (real, noise) if trained else (noise,)
        losses = [step(*players, optimiser, *(value[i] for value in arguments)) for i in range(2)]
        if guarded and (losses[0] is None or losses[0] is Ellipsis):
            if torch.equal(start, _weights(mover)):
                return None
            raise CheckFailed(f"{name}: your function trains but returns nothing; return the loss")
        if guarded:
            _complain_of_the_other(name, trained, other, mover, before)
        if not all(isinstance(loss, Tensor | Real) and torch.as_tensor(loss).numel() == 1 for loss in losses):
            raise CheckFailed(f"{name}: return the loss, one number; got {show(losses[0])}")
        return torch.stack([torch.as_tensor(loss).detach().float().reshape(()) for loss in losses]), _weights(mover)

    return two_steps


def _complain_of_the_other(name: str, trained: int, other: nn.Module, mover: nn.Module, before: Tensor) -> None:
    """CheckFailed where the network that should stand still did not, or was left frozen."""
    moved = not torch.equal(before, _weights(other))
    if trained and moved:
        raise CheckFailed(
            f"{name}: the generator moved in the critic's step, towards fakes that are easier to tell. A gradient "
            "reaches it through the fakes: detach them, or make them under torch.no_grad()"
        )
    if moved:
        raise CheckFailed(
            f"{name}: the critic moved in the generator's step, towards holding fakes for real. Freeze it: "
            "critic.requires_grad_(False) before, True again afterwards"
        )
    # a frozen network has no gradients; left-over ones would go into its own next step
    if any(p.grad is not None and p.grad.abs().sum() > 0 for p in other.parameters()):
        what = ("critic", "freeze it while the generator learns") if not trained else ("generator", "detach the fakes")
        raise CheckFailed(f"{name}: gradients have piled up in the {what[0]}, which this step is not about; {what[1]}")
    if not (mover.training and other.training):
        raise CheckFailed(f"{name}: a network is left in evaluation mode after your step; train() sets it back")
    if not all(p.requires_grad for network in (mover, other) for p in network.parameters()):
        raise CheckFailed(
            f"{name}: a network is still frozen after your step; requires_grad_(True) lets it learn again"
        )


def _repeated(name: str, trained: int) -> Callable[[Step], Step]:
    """The student's two steps, and a look whether they repeat: noise of one's own would not."""
    symptoms = {  # PyTorch's words: what they mean here
        "does not require grad": "no gradient reaches the network that should learn: it, or the fakes it needs a "
        "gradient through, is frozen, detached or under torch.no_grad()",
    }

    def adapt(student: Step) -> Step:
        steps = _two_steps(name, student, trained, guarded=True)

        def watched(real: Tensor, noise: Tensor) -> Any:
            with explaining(name, symptoms):
                first = steps(real, noise)
                if first is not None:
                    torch.rand(1)  # moves on what an own draw would come from
                    if not torch.equal(first[1], steps(real, noise)[1]):
                        raise CheckFailed(f"{name}: two calls with the same noise differ; use the noise you are given")
            return first

        return watched

    return adapt


def _step_question(name: str, right: Step, mistakes: Mapping[str, Step], trained: int) -> Question:
    """Right and wrong steps compared by what two of them make of the network that is trained: 0 generator, 1 critic."""
    return Question(
        name,
        _two_steps(name, right, trained),
        by_sentence({said: _two_steps(name, step, trained) for said, step in mistakes.items()}),
        lambda generator: [
            (torch.randn(2, 7, 4, generator=generator) + 1, torch.randn(2, 7, 3, generator=generator)),
        ],
        adapt=_repeated(name, trained),
    )


def _descend(
    loss: Tensor, optimiser: Any, clear: bool = True, climb: bool = False, move: bool = True, again: bool = False
) -> Tensor:
    """A step down `loss`, with or without a slip; gives the loss."""
    if clear:
        optimiser.zero_grad()
    (-loss if climb else loss).backward()
    for _ in range(int(move) + int(again)):
        optimiser.step()
    return loss


def _critic_step(loss: Callable[[Tensor, Tensor], Tensor] = _critic_loss, **slips: bool) -> Step:
    """A critic's step that minimises `loss` of (real logits, fake logits)."""

    def step(generator: nn.Module, critic: nn.Module, optimiser: Any, real: Tensor, noise: Tensor) -> Tensor:
        return _descend(loss(critic(real), critic(generator(noise).detach())), optimiser, **slips)

    return step


def _generator_step(loss: Callable[[Tensor], Tensor] = _generator_loss, **slips: bool) -> Step:
    """A generator's step that minimises `loss` of the fakes' logits."""

    def step(generator: nn.Module, critic: nn.Module, optimiser: Any, noise: Tensor) -> Tensor:
        critic.requires_grad_(False)
        value = _descend(loss(critic(generator(noise))), optimiser, **slips)
        critic.requires_grad_(True)
        return value

    return step


CRITIC_STEP_MISTAKES: dict[str, Step] = {
    "the labels are swapped: the critic learns to hold fakes for real": _critic_step(
        lambda real, fake: _critic_loss(-real, -fake)
    ),
    "the sigmoid is taken twice: the critic gives logits, and a loss …_with_logits takes the sigmoid itself": (
        _critic_step(lambda real, fake: _critic_loss(real.sigmoid(), fake.sigmoid()))
    ),
    "the gradients pile up: call optimiser.zero_grad() before backward()": _critic_step(clear=False),
    "the weights never change: zero_grad(), backward(), step(), in this order": _critic_step(move=False),
    "you climb: the critic gets worse. Call backward() on the loss itself": _critic_step(climb=True),
    "the fakes are missing in the loss": _critic_step(lambda real, fake: F.softplus(-real).mean()),
    "the real images are missing in the loss": _critic_step(lambda real, fake: F.softplus(fake).mean()),
    "the loss is halved: add the two means; one mean over all 2B logits is half of it": _critic_step(
        lambda real, fake: 0.5 * _critic_loss(real, fake)
    ),
    "the scores of the fakes are detached, so the critic learns from the real images alone; detach the fakes, "
    "generator(noise).detach(), not what the critic says of them": _critic_step(
        lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean().detach()
    ),
    "the scores of the real images are detached, so the critic learns from the fakes alone": _critic_step(
        lambda real, fake: F.softplus(-real).mean().detach() + F.softplus(fake).mean()
    ),
    "both players' losses are added up; the critic's step lowers the critic's alone": _critic_step(
        lambda real, fake: _critic_loss(real, fake) + _generator_loss(fake)
    ),
    "step() is called twice for one gradient": _critic_step(again=True),
    "these are squared errors, as in a least-squares GAN; take the two logarithms": _critic_step(
        lambda real, fake: (real.sigmoid() - 1).square().mean() + fake.sigmoid().square().mean()
    ),
    "these are means of logits, as in a Wasserstein GAN; take the two logarithms": _critic_step(
        lambda real, fake: fake.mean() - real.mean()
    ),
    "the loss is returned with a minus sign, or is the value V; the critic is trained rightly": (
        lambda *arguments: -_critic_step()(*arguments)
    ),
    "you sum over the batch; take means": _critic_step(lambda real, fake: len(real) * _critic_loss(real, fake)),
    "that is the generator's loss: the critic learns to be fooled": _critic_step(
        lambda real, fake: _generator_loss(fake)
    ),
    "the labels of the fakes are 1, as in the generator's step; for the critic they are 0": _critic_step(
        lambda real, fake: _critic_loss(real, -fake)
    ),
}

GENERATOR_STEP_MISTAKES: dict[str, Step] = {
    "the generator labels its fakes 0, so it learns to be caught; its target is 1": _generator_step(
        lambda fake: _generator_loss(-fake)
    ),
    "the loss is the saturating one, log(1 − D): take −log D": _generator_step(lambda fake: -F.softplus(fake).mean()),
    "the sigmoid is taken twice: the critic gives logits, and a loss …_with_logits takes the sigmoid itself": (
        _generator_step(lambda fake: _generator_loss(fake.sigmoid()))
    ),
    "the gradients pile up: call optimiser.zero_grad() before backward()": _generator_step(clear=False),
    "the weights never change. Are the fakes detached, or is step() missing?": _generator_step(move=False),
    "you climb: call backward() on the loss itself": _generator_step(climb=True),
    "step() is called twice for one gradient": _generator_step(again=True),
    "you sum over the batch; take the mean": _generator_step(lambda fake: len(fake) * _generator_loss(fake)),
    "that is the mean logit of a hinge or Wasserstein GAN; take −log D": _generator_step(lambda fake: -fake.mean()),
    "that is the squared error of a least-squares GAN; take −log D": _generator_step(
        lambda fake: (fake.sigmoid() - 1).square().mean()
    ),
}

CRITIC_STEP = _step_question("critic_step", _critic_step(), CRITIC_STEP_MISTAKES, trained=1)
GENERATOR_STEP = _step_question("generator_step", _generator_step(), GENERATOR_STEP_MISTAKES, trained=0)


def critic_network(critic: Callable[[Tensor], Any]) -> None:
    """critic(images), in training as in use, gives a logit an image, (B,), that no other image in the batch changes."""
    name = "critic_network"
    images = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    scores = answer_of(name, critic, images)
    if scores is None:
        return
    if not isinstance(scores, Tensor) or scores.shape != (8,):
        got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise CheckFailed(
            f"{name}: one score an image has shape (8,) for eight images, got {got}; is a [:, 0] missing?"
        )
    if not torch.allclose(scores, critic(images), atol=1e-5):
        raise CheckFailed(f"{name}: two looks at the same images differ; leave dropout and other noise out")
    if not torch.allclose(scores[:4], critic(torch.cat([images[:4], 0.1 * images[4:]]))[:4], atol=1e-4):
        raise CheckFailed(
            f"{name}: the score of an image depends on the others in its batch, as batch normalisation makes it: the "
            "critic then judges batches, and a penalty on its slope means something else. Leave the normalisation out"
        )
    extreme = torch.cat([critic(images * scale) for scale in (1.0, 300.0, -300.0)])
    if extreme.min() >= 0 and extreme.max() <= 1:
        raise CheckFailed(
            f"{name}: all scores lie in [0, 1]: there is a sigmoid at the end. Return logits; the sigmoid is the loss's"
        )
    print(f"✓ {name}: correct")


# --- 3: two networks -----------------------------------------------------------------------------------------------


def players(student: Callable[[], Any]) -> None:
    """Exercise 05.3: student() gives (G, D), two nn.Modules that can meet in a game.

    G: z (B, 16) → pictures (B, 1, 28, 28) in [0, 1]; D: pictures → logits (B,). Judged by shapes, by what their outputs
    can be under any weights, and by whether the critic's opinion reaches the weights of both; not by what they draw.
    """
    name = "players"
    answer = answer_of(name, student)
    if answer is None:
        return
    with torch.inference_mode(False), torch.enable_grad():
        try:
            flaw, advice = flaw_of_players(answer)
        except CheckFailed as error:
            raise CheckFailed(f"{name}: {error}") from None
    if flaw:
        raise CheckFailed(f"{name}: {flaw}")
    print(f"✓ {name}: two networks that can play{advice and f'; but {advice}'}")


# --- 4: an experiment ----------------------------------------------------------------------------------------------

COUNTS, FEWEST_GAMES, FEWEST_ROUNDS = (1, 2, 5), 10, 500


def steps_experiment(
    experiment: Callable[..., Any], result: Mapping[int, float] | None = None, conclusion: str | None = None
) -> None:
    """Exercise 05.4: experiment(counts, game) gives, for each number of generator steps a round, the share of games
    that end with all eight modes covered: {count: share}.

    The experiment is run with a stand-in for PlanarGAN that writes down how it is made and played; its design is
    judged, not its figures. result: what the real run gave; conclusion: a sentence that names a share in per cent.
    """
    name = "steps_experiment"
    watcher = Watcher(name)

    def game(seeds: Sequence[int] = (0,), **settings: Any) -> _StandInGames:
        games = _StandInGames(seeds, settings)
        watcher.trained.append(games)
        return games

    answer = watcher.answer(experiment, COUNTS, game)
    if answer is None:
        return
    watcher.refuse(
        _steps_flaw(watcher.trained) or _second_difference(watcher.trained) or _flaw_of_answer(watcher.trained, answer)
    )
    if not concluded(name, result, conclusion):
        return
    if not isinstance(result, Mapping) or len(result) < 3 or 1 not in result:
        raise CheckFailed(
            f"{name}: run it for at least three counts, 1 among them, and keep what it returns; {show(result)}"
        )
    shares = {count: mean_of(share) for count, share in result.items()}
    if not all(isinstance(count, int) and share is not None and 0 <= share <= 1 for count, share in shares.items()):
        raise CheckFailed(f"{name}: result is what your function returned, {{count: share}}, got {show(result)}")
    _judge_conclusion(name, conclusion, {count: share or 0.0 for count, share in shares.items()})


# a share of all games or of none, in words, and games that miss it
NONE_OF_THEM = r"\b(?:no (?:single )?games?|none|not (?:a single|1|one) game|never)\b"
ALL_OF_THEM = r"\b(?:(?:all|every)(?: of)?(?: the)?(?: \d+)? games?|always)\b"
FAILS = r"\b(?:fail\w*|los[et]\w*|miss\w*|collaps\w*|incomplete|not all|without all|do(?:es)? not|cannot|never)\b"
UNFAILING = (
    r"\b(?:no|not|never|none|without|nothing|0)(?: \w+){0,2} (?:is |are )?(?:fail\w*|los[et]\w*|miss\w*|collaps\w*)"
)


def _judge_conclusion(name: str, conclusion: Any, shares: Mapping[int, float]) -> None:
    """Pass if the sentence names a share that was measured, of the number of steps that it stands beside."""
    text = sentence(name, conclusion)
    text = re.sub(r"\b(\d+)\s*(?:/|(?:out )?of(?: the| all)?|in)\s*(?:the )?(\d+)\b(?!\s*%)", _fraction, text)
    text = re.sub(NONE_OF_THEM, " 0 % of the games ", re.sub(ALL_OF_THEM, " 100 % of the games ", text))
    counts = [
        (int(found[1]), found.start(1))
        for found in re.finditer(
            r"\b(\d+)(?= ?(?:generator |training )?steps?\b|(?:, \d+)*(?: and|,| or)+ \d+ steps)", text
        )
        if int(found[1]) in shares
    ]
    said = [
        figure
        for figure in figures(text)
        if figure.start not in [place for _, place in counts] and (figure.unit == "%" or figure.value < 1)
    ]
    values = [_successes(text, figure) for figure in said]
    in_order = len(counts) == len(values) and all(
        _near(value, shares[count]) for value, (count, _) in zip(values, counts, strict=True)
    )
    known = [value for value in values if any(_near(value, share) for share in shares.values())]
    beside = [_beside(figure, counts) for figure in said]
    right = all(
        not counts or any(_near(value, shares[count]) for count in near)
        for value, near in zip(values, beside, strict=True)
        if value in known
    )
    worst = min(shares, key=lambda count: shares[count])
    if not known:
        hint = f"in how many per cent of the games are all modes found at {worst} steps, or at 1?"
        raise CheckFailed(f"{name}: a conclusion names its figure: {hint} ({show(dict(shares))})")
    if not (right or in_order):
        raise CheckFailed(f"{name}: your sentence gives a share to another number of steps: {show(dict(shares))}")
    print(f"✓ {name}: a sound experiment, and a conclusion with its figure")


def _fraction(found: re.Match[str]) -> str:
    return f"{int(found[1]) / int(found[2]):.4g}" if 0 < int(found[2]) >= int(found[1]) else found[0]


def _successes(text: str, figure: Figure) -> float:
    """The share of games that succeed, by a figure that may be of those that fail."""
    share = figure.value / 100 if figure.unit == "%" else figure.value
    start, end = clause_of(text, figure.start)
    clause = re.sub(UNFAILING, " ", text[start:end])
    return 1 - share if re.search(FAILS, clause) else share


def _near(value: float, share: float) -> bool:
    return abs(value - share) <= max(0.1 * share, 0.005)


def _beside(figure: Figure, counts: Sequence[tuple[int, int]]) -> list[int]:
    """The numbers of steps that stand next to a figure, before it and after it."""
    before = [count for count, place in counts if place < figure.start]
    after = [count for count, place in counts if place > figure.start]
    return [*before[-1:], *after[:1]]


class _StandInGames:
    """Games of which 3, 5, 7, … of every ten end with eight modes, told apart by their steps; some with seven."""

    def __init__(self, seeds: Sequence[int], settings: dict[str, Any]) -> None:
        self.seeds, self.settings, self.rounds, self.asked_at = tuple(seeds), settings, 0, -1
        self.steps = settings.get("generator_steps", 1)

    def play(self, rounds: int) -> "_StandInGames":
        """As PlanarGAN's."""
        self.rounds += rounds
        return self

    def covered(self) -> Modes:
        """As PlanarGAN's."""
        self.asked_at = self.rounds
        return Modes(self._modes(), torch.full((len(self.seeds),), 0.5))

    def _modes(self) -> Tensor:
        found = {1: 0.7, 2: 0.5, 5: 0.3}.get(self.steps, 0.1)
        game = torch.arange(len(self.seeds))
        fewer = torch.where(game % 2 == 0, 7, 3)
        return torch.where(game < found * len(self.seeds), 8, fewer)

    def with_at_least(self, modes: int) -> int:
        """How many of the games end with so many modes."""
        return int((self._modes() >= modes).sum())

    @property
    def modes_in_all(self) -> int:
        """The modes of all games together."""
        return int(self._modes().sum())


def _steps_flaw(games: Sequence[_StandInGames]) -> str | None:
    """What is wrong with the numbers of steps that were played, or None."""
    if not games:
        return "no game was played: game(seeds, generator_steps=…).play(rounds)"
    counts = {each.steps for each in games}
    if counts == {1}:
        return "every game has one generator step; hand each count over: game(seeds, generator_steps=count)"
    if counts != set(COUNTS):
        return f"you were asked for 1, 2 and 5 generator steps a round and played {sorted(counts)}"
    if any(each.rounds == 0 for each in games):
        return "a game was not played: call .play(rounds)"
    return None


def _second_difference(games: Sequence[_StandInGames]) -> str | None:
    """In what the games differ besides their steps, or whether they are too few or too short, or None."""
    seeds = {count: [seed for each in games if each.steps == count for seed in each.seeds] for count in COUNTS}
    fewest = min(map(len, seeds.values()))
    if fewest < FEWEST_GAMES:
        return f"{fewest} games say little about a share; play at least {FEWEST_GAMES} seeds"
    if any(len(set(some)) < len(some) for some in seeds.values()):
        return "the same seed is played twice: that is the same game again, not another one"
    if any(some != seeds[1] for some in seeds.values()):
        return "the seeds differ between the counts; play the same ones, so that only the steps differ"
    others = [{key: value for key, value in each.settings.items() if key != "generator_steps"} for each in games]
    if any(other != others[0] for other in others):
        return "the games differ in more than the generator steps; change one thing at a time"
    if len({each.rounds for each in games}) > 1:
        return "the rounds differ between the counts; play all of them equally long"
    if games[0].rounds < FEWEST_ROUNDS:
        return f"after {games[0].rounds} rounds hardly any game has found its modes; play at least {FEWEST_ROUNDS}"
    if any(each.asked_at != each.rounds for each in games):
        return "count the modes with .covered() at the end of the game"
    return None


def _flaw_of_answer(games: Sequence[_StandInGames], answer: Any) -> str | None:
    """What is wrong with the numbers that a well-played experiment returns, or None."""
    if not isinstance(answer, Mapping) or sorted(answer) != list(COUNTS):
        return f"return a dictionary {{count: share}} for the counts you are given, got {show(answer)}"
    numbers = {count: mean_of(share) for count, share in answer.items()}
    if None in numbers.values():
        return f"return a dictionary {{count: share}} with one number for each count, got {show(answer)}"

    def of(take: Callable[[_StandInGames], float]) -> dict[int, float]:
        return {count: sum(take(each) for each in games if each.steps == count) for count in COUNTS}

    def given(values: Mapping[int, float]) -> bool:
        return all(abs((numbers[n] or 0.0) - values[n]) < 1e-6 for n in COUNTS)

    total, found = of(lambda each: len(each.seeds)), of(lambda each: each.with_at_least(8))
    share = {n: found[n] / total[n] for n in COUNTS}
    if given(share):
        return None
    wrong = {
        "these are numbers of games; divide by how many were played": found,
        "these are percentages; return shares between 0 and 1": {n: 100 * share[n] for n in COUNTS},
        "these are the shares that fail; return those that cover all eight modes": {n: 1 - share[n] for n in COUNTS},
        "these are mean numbers of modes; asked is the share of games with all eight: (covered == 8)": {
            n: modes / total[n] for n, modes in of(lambda each: each.modes_in_all).items()
        },
        "these are shares of the modes; asked is the share of games with all eight of them: (covered == 8)": {
            n: modes / total[n] / 8 for n, modes in of(lambda each: each.modes_in_all).items()
        },
        "every game counts for you; count those whose number of modes is 8, (covered == 8)": dict.fromkeys(COUNTS, 1.0),
    }
    seven, most = of(lambda each: each.with_at_least(7)), of(lambda each: each.with_at_least(4))
    wrong["you count games with seven modes as well; all eight are asked for: (covered == 8)"] = {
        n: seven[n] / total[n] for n in COUNTS
    }
    wrong["you count games that have most of their modes; all eight are asked for: (covered == 8)"] = {
        n: most[n] / total[n] for n in COUNTS
    }
    for said, values in wrong.items():
        if given(values):
            return said
    return "the shares are not those of the games you played: (game.covered().covered == 8).double().mean()"
