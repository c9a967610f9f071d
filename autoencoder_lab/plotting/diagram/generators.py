"""Models that draw at random, and the one that no pixel teaches: what is drawn, who learns from whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab import arguments, losses
from autoencoder_lab.models.adversarial import GAMES
from autoencoder_lab.models.base import OUTPUTS
from autoencoder_lab.models.layers import check_choice
from autoencoder_lab.plotting.diagram.asking import asked, check_verbs, first_image, numbers
from autoencoder_lab.plotting.diagram.sheet import Sheet
from autoencoder_lab.plotting.figure import Figure
from autoencoder_lab.plotting.palette import CODE, DECODER, ENCODER, OTHER


def vae(
    image: Any, model: Any = None, mu: Any = None, log_var: Any = None,
    decode: Callable[[Tensor], Tensor] | None = None, seed: int = 0,
) -> Figure:  # fmt: skip
    """A variational autoencoder on one picture: μ and σ, the ε that is drawn, z = μ + σε, and where a gradient runs.

    model: with `posterior(x)` → (μ, log σ²) and `decode`; or what it gives: mu and log_var (d,), and decode, a function
    from codes (1, d) to images. seed: of the one draw of ε. Raises TypeError for a model without a posterior.
    """
    x = first_image(image)
    if model is not None or mu is None or log_var is None or decode is None:
        check_verbs(model, "posterior", "decode", instead=", or takes mu=, log_var= and decode=")
        mu, log_var = (one[0] for one in asked(model.posterior, x[None]))
        decode = model.decode
    mu, log_var = numbers(mu), numbers(log_var)
    sigma = (0.5 * log_var).exp()
    epsilon = torch.randn(len(mu), generator=torch.Generator().manual_seed(arguments.whole("seed", seed, 0)))
    z = mu + sigma * epsilon
    x_hat, kl = asked(decode, z[None])[0], float(losses.gaussian_kl(mu, log_var).sum())
    largest = float(torch.cat([mu, sigma, epsilon, z]).abs().max())  # one scale: the bars can be added by eye
    sheet = Sheet(8.1, 3.75)
    sheet.picture(0.1, 0.95, 1.1, x)
    sheet.layer(1.45, 1.5, 0.9, 1.1, 1.7, "encoder", ENCODER)
    for bars, (left, top), name in (
        (mu, (2.95, 0.5), r"$\mu$"), (sigma, (2.95, 1.75), r"$\sigma$"), (z, (5.1, 0.5), "$z$"),
        (epsilon, (3.85, 2.75), ""),
    ):  # fmt: skip
        sheet.bars(left, top, 0.55, 0.7, bars, CODE, largest)
        sheet.label(left + 0.27, top + 0.83, name, 11)
    sheet.layer(5.95, 0.85, 0.85, 0.7, 1.1, "decoder", DECODER)
    sheet.picture(7.0, 0.35, 1.0, x_hat)
    for x_place, y_place, sign in ((4.12, 2.1, "×"), (4.7, 0.85, "+")):
        sheet.box(x_place - 0.12, y_place - 0.12, 0.24, 0.24, sign)
    for points in (
        [(1.22, 1.5), (1.43, 1.5)], [(2.37, 0.85), (2.9, 0.85)], [(2.37, 2.1), (2.9, 2.1)], [(3.55, 2.1), (3.98, 2.1)],
        [(3.55, 0.85), (4.56, 0.85)], [(4.12, 2.72), (4.12, 2.25)], [(4.26, 2.1), (4.7, 2.1), (4.7, 1.0)],
        [(4.84, 0.85), (5.08, 0.85)], [(5.7, 0.85), (5.93, 0.85)], [(6.82, 0.85), (6.99, 0.85)],
    ):  # fmt: skip
        sheet.arrow(*points)
    sheet.arrow((5.37, 0.45), (5.37, 0.28), (3.22, 0.28), (3.22, 0.47), way="gradient")
    sheet.arrow((4.55, 1.0), (4.55, 1.87), (3.55, 1.87), way="gradient")
    sheet.label(4.5, 2.95, r"$\varepsilon$: drawn at random from N(0, 1),", ha="left")
    sheet.label(4.5, 3.17, "whatever the picture is", ha="left")
    sheet.label(4.95, 1.75, "dashed: the way of the gradient,", ha="left")
    sheet.label(4.95, 1.97, r"to $\mu$ and $\sigma$ and never to $\varepsilon$", ha="left")
    sheet.label(0.15, 3.35, f"KL {kl:.1f} nats: pulls every", 9, ha="left")
    sheet.label(0.15, 3.57, r"$\mu$ to 0 and every $\sigma$ to 1", 9, ha="left")
    return sheet.done(
        f"A variational autoencoder. The encoder gives two rows of {len(mu)} numbers, μ and σ. ε is drawn at random; "
        f"z = μ + σ·ε goes into the decoder. Dashed arrows show that the gradient runs from z back to μ and to σ, and "
        f"not to ε. For this picture KL = {kl:.1f} nats."
    )


def gan(real: Any, generator: Any, critic: Any = None, noise: Any = None, game: str = "non_saturating") -> Figure:
    """The two players: noise becomes a made picture, the critic scores it and a real one, each player has a loss.

    real: images (B, C, H, W). generator: a lab.GAN alone; or a function from noise (B, d) to images, with critic, a
    function from images to scores (B,), logits, and noise. game: names the two losses, as lab.GAN's. The losses are
    those of all B pairs; the first of each is drawn. Raises TypeError where one of the three is missing.
    """
    x = arguments.drawable(real, "real")
    if isinstance(generator, type):
        arguments.model(generator)  # says that it is a class
    if critic is None and hasattr(generator, "critic"):
        model, game, critic = generator, generator.game, generator.critic
        noise = (
            torch.randn(len(x), model.latent, generator=torch.Generator().manual_seed(0)) if noise is None else noise
        )
        made = asked(lambda z: OUTPUTS[model.output](model.generator(z, None)), torch.as_tensor(noise), of=model)
    elif critic is None or noise is None:
        raise TypeError("give real images and a lab.GAN, or real images, generator, critic and noise")
    else:
        arguments.function("generator", generator, "an nn.Module")
        arguments.function("critic", critic, "an nn.Module")
        made = asked(generator, torch.as_tensor(noise))
    check_choice("game", game, GAMES)
    if len(made) != len(x):
        raise ValueError(f"noise must be one vector a real image, {len(x)} in all, got {len(made)}")
    scores, made_scores = (asked(critic, images).flatten() for images in (x, made))
    of_critic, of_generator = (float(loss(scores, made_scores)) for loss in GAMES[game])
    sheet = Sheet(8.1, 3.9)
    sheet.bars(0.2, 0.75, 0.5, 0.9, numbers(noise[0]), CODE)
    sheet.label(0.45, 0.55, "noise $z$")
    sheet.layer(1.0, 1.2, 1.05, 0.6, 1.2, "generator\n$G$", DECODER)
    sheet.picture(2.4, 0.7, 1.0, made[0])
    sheet.label(2.9, 1.83, "made picture")
    sheet.picture(2.4, 2.25, 1.0, x[0])
    sheet.label(2.9, 3.38, "real picture")
    sheet.layer(4.05, 1.95, 1.05, 1.5, 0.7, "critic\n$D$", OTHER)
    for points in (
        [(0.78, 1.2), (0.98, 1.2)], [(2.07, 1.2), (2.38, 1.2)], [(3.42, 1.5), (4.03, 1.5)], [(3.42, 2.6), (4.03, 2.4)],
        [(5.12, 1.88), (5.55, 1.88), (5.55, 1.4), (5.78, 1.4)], [(5.12, 2.1), (5.55, 2.1), (5.55, 2.75), (5.78, 2.75)],
    ):  # fmt: skip
        sheet.arrow(*points)
    ends = ((0.85, f"loss of the generator: {of_generator:.2f}\nlower if the made picture\npasses for real"),
            (2.4, f"loss of the critic: {of_critic:.2f}\nlower if it tells\nreal from made"))  # fmt: skip
    for top, words in ends:
        sheet.box(5.8, top, 2.15, 0.75, words)
    for points in (
        [(5.78, 1.02), (5.3, 1.02), (5.3, 1.7), (5.12, 1.7)], [(4.03, 1.3), (3.42, 1.3)], [(2.38, 1.0), (2.07, 1.0)],
        [(6.9, 3.18), (6.9, 3.6), (4.6, 3.6), (4.6, 2.54)],
    ):  # fmt: skip
        sheet.arrow(*points, way="gradient")
    sheet.label(8.0, 0.25, "dashed: the generator's gradient runs through the critic, which stays as it is", ha="right")
    sheet.label(5.75, 3.77, "the critic's gradient, and no further")
    pair = [float(score[0]) for score in (made_scores, scores)]
    sheet.label(5.6, 1.95, f"score: made {pair[0]:.2f}, real {pair[1]:.2f}", 8.5, ha="left")
    return sheet.done(
        f"The two players of a GAN. The generator makes a picture of noise; the critic scores it, {pair[0]:.2f}, and a "
        f"real one, {pair[1]:.2f}. The critic's loss, {of_critic:.2f}, sends its gradient to the critic alone; the "
        f"generator's, {of_generator:.2f}, through the critic, which stays as it is, to the generator."
    )


def ccae(image: Any, model: Any) -> Figure:
    """The eight equations of slide 000 as a path: X → Y → Z, Y → X′, X′ → Y′ → Z′, and VICReg between Z and Z′.

    image: one image, or a batch (B, C, H, W): with B ≥ 2 the three terms of VICReg are those of the batch. model: with
    `encode`, `decode` and `projector`: lab.CCAE. Raises TypeError for a model that lacks one.
    """
    x = arguments.drawable(image, "image")
    check_verbs(model, "encode", "decode", "projector")
    y = asked(model.encode, x)
    z, x_hat = asked(model.projector, y), asked(model.decode, y)
    y_hat = asked(model.encode, x_hat)
    z_hat = asked(model.projector, y_hat)
    largest = [float(torch.stack(pair).abs().max()) for pair in ((y[0], y_hat[0]), (z[0], z_hat[0]))]
    sheet = Sheet(8.1, 4.35)
    for top, picture, code, embedding, marks in (
        (0.75, x, y, z, ("$X$", "$Y$  (4)", "$Z$  (5)")),
        (3.2, x_hat, y_hat, z_hat, ("$X'$  (6)", "$Y'$  (7)", "$Z'$  (8)")),
    ):
        sheet.picture(0.3, top - 0.5, 1.0, picture[0])
        sheet.layer(1.75, top, 0.95, 1.0, 0.6, "encoder\n(1)", ENCODER)
        sheet.bars(3.1, top - 0.4, 0.45, 0.8, code[0], CODE, largest[0])
        sheet.layer(3.95, top, 0.95, 0.6, 1.0, "projector\n(3)", OTHER)
        sheet.bars(5.3, top - 0.4, 0.45, 0.8, embedding[0], CODE, largest[1])
        for start, end in ((1.32, 1.73), (2.72, 3.05), (3.6, 3.93), (4.92, 5.25)):
            sheet.arrow((start, top), (end, top))
        for place, mark in zip((0.8, 3.32, 5.52), marks, strict=True):
            sheet.label(place, top + (0.65 if top < 1 else -0.62), mark, 9.5)
    sheet.layer(1.75, 2.0, 0.95, 0.9, 0.6, "decoder\n(2)", DECODER)
    sheet.arrow((3.32, 1.55), (3.32, 2.0), (2.72, 2.0))
    sheet.arrow((1.73, 2.0), (1.1, 2.0), (1.1, 2.43))
    sheet.label(4.42, 1.98, "the same encoder\nand projector twice", 8.5)
    s, error = float((z - z_hat).square().mean()), float((x - x_hat).square().mean())
    sheet.arrow((5.8, 0.75), (6.9, 0.75), (6.9, 1.33), way="compare", head=False)
    sheet.arrow((5.8, 3.2), (6.9, 3.2), (6.9, 2.57), way="compare", head=False)
    parts = {"spread $v$": "", "agree $s$": f": {s:.3g}", "no repeats $c$": ""}
    if len(x) > 1:
        parts["spread $v$"] = f": {losses.vicreg_variance(z) + losses.vicreg_variance(z_hat):.3g}"
        parts["no repeats $c$"] = f": {losses.vicreg_covariance(z) + losses.vicreg_covariance(z_hat):.3g}"
    words = "\n".join(name + value for name, value in parts.items())
    sheet.box(5.8, 1.35, 2.15, 1.2, f"VICReg of $Z$ and $Z'$\n{words}")
    sheet.label(
        0.1, 4.1, f"No arrow compares the pictures $X$ and $X'$: squared error per pixel {error:.4f}", ha="left"
    )
    return sheet.done(
        "The eight equations of the CCAE. The encoder (1) turns the picture X into the code Y (4), the projector (3) "
        "turns Y into the embedding Z (5). The decoder (2) draws X' (6) from Y. The same encoder and projector turn "
        f"X' into Y' (7) and Z' (8). The loss, VICReg, compares Z and Z', which differ by s = {s:.3g}; nothing "
        f"compares X and X', whose squared error per pixel is {error:.4f}."
    )
