"""Diagrams: the numbers in them are torch's, every word can be read, light and dark, and the alt text says it all."""

import math
import re
from collections.abc import Callable
from typing import Any

import matplotlib.style
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab.plotting import diagram
from autoencoder_lab.plotting.diagram.sheet import contrast

THEMES = {"black": "dark_background", "dark": {"figure.facecolor": "#1e1e1e"}}
KERNEL = torch.tensor([[-1.0, 0.5, 1], [-2, 0, 2], [-1, 0.25, 1]])


UNPOOL = lab.ConvAutoencoder(2, (1, 12, 12), "unpool", width=4, hidden=8)


def pictures(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


class Own(nn.Module):
    """A student's own autoencoder: a plain module that knows nothing of the course."""

    def __init__(self, pixels: int = 144) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(pixels, 60), nn.Linear(60, pixels)

    def encode(self, x: Tensor) -> Tensor:
        return self.down(x.flatten(1))

    def decode(self, h: Tensor) -> Tensor:
        return self.up(h).sigmoid().view(-1, 1, 12, 12)


class OwnUNet(nn.Module):
    skips = "around"

    def __init__(self) -> None:
        super().__init__()
        self.down_1, self.down_2 = nn.Conv2d(1, 3, 4, 2, 1), nn.Conv2d(3, 5, 4, 2, 1)
        self.to_code, self.from_code = nn.Linear(45, 7), nn.Linear(7, 45)
        self.up_1, self.up_2 = nn.ConvTranspose2d(10, 3, 4, 2, 1), nn.ConvTranspose2d(6, 1, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        half = self.down_1(x)
        quarter = self.down_2(half)
        up = self.from_code(self.to_code(quarter.flatten(1))).view_as(quarter)
        return self.up_2(torch.cat([self.up_1(torch.cat([up, quarter], 1)), half], 1)).sigmoid()


def every_diagram(shape: tuple[int, int, int]) -> dict[str, Callable[[], Any]]:
    """All of them, for images of one shape, with models that nobody trained."""
    torch.manual_seed(0)
    x = pictures(4, *shape)
    small = {"image_shape": shape, "width": 4, "hidden": 8}
    split = lab.Split(x, torch.zeros(4, dtype=torch.long), ("any",))
    networks = {
        "inside": lab.ResidualAutoencoder(6, skips="inside", **small),
        "around": lab.ResidualAutoencoder(6, skips="around", **small),
        "plain": lab.ConvAutoencoder(6, **small),
    }
    gan, ccae = lab.GAN(8, **small), lab.CCAE(6, projector=(12,), **small)
    return {
        "hourglass": lambda: diagram.hourglass(x[0], lab.DenseAutoencoder(300, image_shape=shape)),
        "denoising": lambda: diagram.denoising(x[0], 1 - x[0], lab.DenseAutoencoder(1, image_shape=shape)),
        "window": lambda: diagram.sliding_window(x[0, :, :7, :6], KERNEL * 4.13, at=(1, 2), padding=1),
        "window on a large picture": lambda: diagram.sliding_window(x[0], KERNEL, at=(4, 2), stride=2),
        "stamps of a row": lambda: diagram.stamp([2, -1.25, 3], [1, -22.5, 0.125]),
        "stamp of a table": lambda: diagram.stamp(x[0, 0, :3, :3], KERNEL, at=(1, 2)),
        "pooling": lambda: diagram.pooling(x[0, :, :8, :8]),
        "pooling of a large picture": lambda: diagram.pooling(x[0]),
        "weighted sum": lambda: diagram.weighted_sum(x[0], lab.PCA(4).fit(split), 2),
        "skips": lambda: diagram.skips(x[0], networks),
        "vae": lambda: diagram.vae(x[0], lab.VAE(5, **small)),
        "gan": lambda: diagram.gan(x, gan),
        "ccae": lambda: diagram.ccae(x, ccae),
    }


def words(figure: Any) -> list[Text]:
    return [text for text in figure.axes[0].texts if text.get_text()]


def table(figure: Any) -> list[str]:
    return [text.get_text() for text in words(figure)]


def unreadable(figure: Any) -> list[str]:
    """Words whose colour does not differ by 4.5 : 1 from all that lies behind them, measured on the picture itself."""
    texts = words(figure)
    canvas = FigureCanvasAgg(figure)
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in texts]
    for text in texts:
        text.set_visible(False)
    canvas.draw()
    seen = np.asarray(canvas.buffer_rgba())[..., :3] / 255
    found = []
    for text, box in zip(texts, boxes, strict=True):
        rows = slice(math.ceil(len(seen) - box.y1), math.floor(len(seen) - box.y0))
        behind = seen[rows, math.ceil(box.x0) : math.floor(box.x1)].reshape(-1, 3)
        if min(contrast(text.get_color(), colour) for colour in np.unique(behind, axis=0)) < 4.5:
            found.append(text.get_text())
        text.set_visible(True)
    return found


@pytest.mark.parametrize("shape", [(1, 12, 12), (3, 12, 16)], ids=["grey", "colour"])
def test_every_word_can_be_read(shape: tuple[int, int, int]) -> None:
    for name, draw in every_diagram(shape).items():
        if shape[0] == 3 and not name.startswith(("hourglass", "window", "pooling", "weighted")):
            continue  # colour changes nothing of their layout
        figure = draw()
        assert figure.alt.endswith(".") and len(figure.alt) > 100, name
        boxes = [(text.get_text(), text.get_window_extent()) for text in words(figure)]
        width, height = figure.canvas.get_width_height()
        for i, (text, box) in enumerate(boxes):
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, (name, text)
            assert [other for other, place in boxes[i + 1 :] if box.overlaps(place)] == [], (name, text)
        assert unreadable(figure) == [], name


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_lines_and_words_stand_out_on_a_dark_ground(theme: Any) -> None:
    with matplotlib.style.context(theme):
        for name, draw in every_diagram((1, 12, 12)).items():
            if name not in ("window", "skips", "gan"):  # between them they have all parts
                continue
            figure = draw()
            ground = figure.get_facecolor()[:3]
            for patch in figure.axes[0].patches if name != "window" else ():  # cells lie on one another
                edge = patch.get_edgecolor()
                line = edge if edge[3] else patch.get_facecolor()  # bars have no edge
                assert contrast(line[:3], ground) >= 3, (name, patch)
            assert unreadable(figure) == [], name


def test_a_dark_theme_gives_dark_diagrams() -> None:
    with matplotlib.style.context("dark_background"):
        dark = diagram.stamp([1, 2], [1, 1])
    assert dark.get_facecolor()[:3] == (0, 0, 0)
    assert diagram.stamp([1, 2], [1, 1]).get_facecolor()[:3] == (1, 1, 1)


# --- the numbers are torch's -------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_the_windows_sum_is_the_convolution_there(channels: int) -> None:
    image, at = pictures(channels, 6, 5), (2, 1)
    kernel = KERNEL.expand(channels, 3, 3)
    expected = F.conv2d(image[None], kernel[None], stride=2, padding=1)[0, 0]
    figure = diagram.sliding_window(image, KERNEL, at=at, stride=2, padding=1)
    total = written(float(expected[at]))
    assert (
        f"all products added up: {total}" in table(figure) and f"add up to {total}, which stands at row 2" in figure.alt
    )
    cells = table(figure)
    assert cells[-2 - expected.numel() : -2] == [written(float(value)) for value in expected.flatten()]
    for product in (image[:, 3:6, 1:4] * kernel).flatten():
        assert written(float(product)) in cells


def written(value: float) -> str:
    return f"{round(value, 2) + 0.0:.3g}".replace("-", "−")


def test_stamps_add_up_to_the_transposed_convolution() -> None:
    x, kernel = torch.tensor([2.0, -1, 0.5]), torch.tensor([1.0, 2, 4, 0.25])
    expected = F.conv_transpose1d(x[None, None], kernel[None, None], stride=2)[0, 0]
    figure = diagram.stamp(x, kernel, stride=2)
    cells = [text for text in table(figure) if re.fullmatch(r"−?[\d.]+", text)]
    assert cells[-len(expected) :] == [written(float(value)) for value in expected]
    for value in x:
        assert " ".join(written(float(part)) for part in value * kernel) in " ".join(cells)
    assert f"{2 * (len(kernel) - 2)} places receive more than one stamp" in figure.alt


def test_a_stamp_is_laid_where_it_belongs() -> None:
    x, kernel = pictures(3, 2), KERNEL
    expected = F.conv_transpose2d(x[None, None], kernel[None, None], stride=2)[0, 0]
    figure = diagram.stamp(x, kernel, stride=2, at=(2, 1))
    cells = [text for text in table(figure) if re.fullmatch(r"−?[\d.]+", text)]
    assert cells[-expected.numel() :] == [written(float(value)) for value in expected.flatten()]
    assert cells[6 + 9 : 6 + 18] == [written(float(value)) for value in (x[2, 1] * kernel).flatten()]
    assert "laid into the output at row 4, column 2" in figure.alt


def test_pooling_shows_torchs_maxima_places_and_zeros() -> None:
    image = pictures(1, 4, 4)
    pooled, places = F.max_pool2d(image[None], 2, return_indices=True)
    unpooled = F.max_unpool2d(pooled, places, 2)
    cells = [text for text in table(diagram.pooling(image)) if re.fullmatch(r"−?[\d.]+", text)]
    expected = [*image.flatten().tolist(), *pooled.flatten().tolist(), *unpooled.flatten().tolist()]
    assert cells == [written(value) for value in expected] + [str(int(place)) for place in places.flatten()]


def drawn_bars(figure: Any) -> list[Tensor]:
    """Each set of bars, as multiples of its longest."""
    sets = [torch.tensor([bar.get_width() for bar in bars.patches]).float() for bars in figure.axes[0].containers]
    return [bars / bars.abs().max() for bars in sets]


def alike(bars: Tensor, values: Tensor) -> bool:
    values = values.detach().flatten()
    return torch.allclose(bars, values / values.abs().max(), atol=1e-5)


def test_the_hourglass_shows_the_models_code_and_picture() -> None:
    torch.manual_seed(0)
    image, model = pictures(1, 12, 12), Own()
    code = model.encode(image[None])
    drawn = model.decode(code)[0]
    for figure in (diagram.hourglass(image, model), diagram.hourglass(image.numpy(), code=code, reconstruction=drawn)):
        assert alike(drawn_bars(figure)[0], code[0, :40])
        first, last = (torch.tensor(picture.get_array()) for picture in figure.axes[0].get_images())
        assert torch.equal(first, image[0]) and torch.allclose(last, drawn[0])
        assert f"squared error per pixel {(image - drawn).square().mean():.4f}" in figure.alt
        assert "$h$: 60 numbers, first 40 drawn" in table(figure)
    damaged = 1 - image
    alt = diagram.denoising(image, damaged, model).alt
    error = (model.decode(model.encode(damaged[None]))[0] - image).square().mean()
    assert (
        f"squared error per pixel {error:.4f}" in alt
        and f"damaged one is {(damaged - image).square().mean():.4f}" in alt
    )


def test_a_model_is_left_as_it_was() -> None:
    model = Own()
    model.up.eval()
    diagram.hourglass(pictures(1, 12, 12), model)
    assert model.training and model.down.training and not model.up.training
    assert all(weight.grad is None and weight.requires_grad for weight in model.parameters())


def test_the_terms_of_a_linear_decoder_add_up() -> None:
    x = pictures(20, 1, 6, 6)
    pca = lab.PCA(5).fit(lab.Split(x, torch.zeros(20, dtype=torch.long), ("any",)))
    start, *terms, last = (torch.tensor(p.get_array()) for p in diagram.weighted_sum(x[0], pca, 3).axes[0].get_images())
    code = pca.encode(x[:1])
    sizes = code[0] * pca.decoder_matrix()
    total = start + sum(terms) * float(sizes.abs().max())
    assert torch.allclose(total, pca.decode(code)[0, 0], atol=1e-5) and len(terms) == 4
    assert torch.allclose(last, pca.decode(code)[0, 0].clamp(0, 1), atol=1e-6)


def test_skips_are_counted() -> None:
    torch.manual_seed(0)
    image = pictures(1, 12, 12)
    own = table(diagram.skips(image, {"mine": OwnUNet()}))
    assert f"{3 * 36 + 5 * 9} numbers go round a code of 7 numbers" in own and "code: 7" in own
    assert [own.count(size) for size in ("3×6×6", "5×3×3", "10×3×3", "6×6×6")] == [1, 1, 1, 1]
    inside = diagram.skips(image, {"res": lab.ResidualAutoencoder(6, (1, 12, 12), width=4, hidden=8)})
    assert "everything passes a code of 6 numbers" in table(inside) and "everything passes a code of 6" in inside.alt


def test_the_vae_adds_the_drawn_noise() -> None:
    torch.manual_seed(0)
    image, model = pictures(1, 12, 12), lab.VAE(5, (1, 12, 12), width=4, hidden=8)
    mu, log_var = (one[0] for one in model.posterior(image[None]))
    mean, sigma, z, epsilon = drawn_bars(figure := diagram.vae(image, model, seed=3))
    noise = torch.randn(5, generator=torch.Generator().manual_seed(3))
    assert alike(epsilon, noise) and alike(mean, mu) and alike(sigma, (log_var / 2).exp())
    assert alike(z, mu + (log_var / 2).exp() * noise)
    of_mu, of_sigma, of_z, of_epsilon = (
        torch.tensor([bar.get_width() for bar in bars.patches]).float() for bars in figure.axes[0].containers
    )
    inch = float(of_epsilon[0] / noise[0])
    assert torch.allclose(of_z, of_mu + of_sigma * of_epsilon / inch, atol=1e-5), "one scale for all four"
    given = diagram.vae(image, mu=mu, log_var=log_var, decode=model.decode, seed=3)
    assert given.alt == figure.alt and f"KL = {lab.losses.gaussian_kl(mu, log_var).sum():.1f} nats" in figure.alt


def test_the_players_losses_are_those_of_the_game() -> None:
    torch.manual_seed(0)
    real, noise = pictures(6, 1, 12, 12), torch.randn(6, 8)
    generator = nn.Sequential(nn.Linear(8, 144), nn.Sigmoid(), nn.Unflatten(1, (1, 12, 12)))
    critic = nn.Sequential(nn.Flatten(), nn.Linear(144, 1))
    figure = diagram.gan(real, generator, critic, noise)
    scores, made = critic(real)[:, 0], critic(generator(noise))[:, 0]
    assert f"critic's loss, {lab.losses.critic_cross_entropy(scores, made):.2f}," in figure.alt
    assert f"generator's, {lab.losses.generator_non_saturating(scores, made):.2f}," in figure.alt
    assert f"score: made {made[0]:.2f}, real {scores[0]:.2f}" in table(figure)


def test_the_ccaes_terms_are_those_of_vicreg() -> None:
    torch.manual_seed(0)
    x, model = pictures(6, 1, 12, 12), lab.CCAE(6, (1, 12, 12), projector=(12,), width=4, hidden=8)
    with torch.no_grad():
        z, z_hat = (model.projector(model.encode(seen)) for seen in (x, model(x)))
    figure = diagram.ccae(x, model)
    said = " ".join(table(figure))
    for name, term in (("$v$", lab.losses.vicreg_variance), ("$c$", lab.losses.vicreg_covariance)):
        assert f"{name}: {term(z) + term(z_hat):.3g}" in said
    assert f"$s$: {lab.losses.vicreg_invariance(z, z_hat):.3g}" in said
    assert f"squared error per pixel is {(x - model(x)).square().mean():.4f}." in figure.alt


# --- what cannot be drawn is refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: diagram.hourglass(x), TypeError, "encode, decode, or takes code= and reconstruction=; got none"),
        (lambda x: diagram.hourglass(x, nn.Identity()), TypeError, "Identity.* lacks encode"),
        (lambda x: diagram.hourglass(x, UNPOOL), ValueError, "more than its code"),
        (lambda x: diagram.skips(x, {"a": UNPOOL}), ValueError, "places of maxima"),
        (lambda x: diagram.skips(x, Own()), TypeError, "{name: model}"),
        (lambda x: diagram.sliding_window(x, torch.ones(6, 6)), ValueError, "at most 5 a side"),
        (lambda x: diagram.sliding_window(x, KERNEL, at=(10, 0)), ValueError, "row below 10"),
        (lambda x: diagram.sliding_window(x[:, :2, :2], KERNEL), ValueError, "does not fit"),
        (lambda x: diagram.sliding_window(x, "sobel"), TypeError, "must be numbers"),
        (lambda x: diagram.stamp([1, 2], KERNEL), ValueError, "both rows"),
        (lambda x: diagram.stamp([1] * 8, [1, 2], stride=3), ValueError, "at most 12"),
        (lambda x: diagram.pooling(x[:, :5]), ValueError, "even height and width, got 5×12"),
        (lambda x: diagram.weighted_sum(x, lab.DenseAutoencoder(2, (1, 12, 12))), TypeError, "no decoder_matrix"),
        (lambda x: diagram.vae(x, Own()), TypeError, "lacks posterior"),
        (lambda x: diagram.gan(x[None], Own()), TypeError, "generator, critic and noise"),
        (lambda x: diagram.ccae(x, Own()), TypeError, "lacks projector"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(call: Callable[[Tensor], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(pictures(1, 12, 12))
