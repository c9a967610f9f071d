"""A model says what it can do: flags and verbs agree, and everything that takes a model reads the flags.

Five models of ten lines, unlike any of the course's, go through fit, resume, evaluate, compare, the figure of their
history and the explorer. Then every model of the course is asked for every verb.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import seeded
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab.models.base import VERBS
from autoencoder_lab.training import evaluate

SHAPE = (1, 8, 8)
QUIET: dict[str, Any] = {"progress": False, "batch_size": 50, "device": "cpu", "learning_rate": 0.05}


# --- five toys ---------------------------------------------------------------------------------------


class WithoutCode(lab.Model):
    """A filter learned from damaged images: it reconstructs and has no code."""

    reconstructs = True

    def __init__(self) -> None:
        super().__init__(SHAPE)
        self.filter = nn.Conv2d(1, 1, 3, padding=1)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.filter(self.check_images(x))

    def loss(self, x: Tensor, target: Tensor | None = None) -> lab.Loss:
        return lab.Loss((self.reconstruct(x) - (x if target is None else target)).square().sum() / len(x))


class Flow(lab.Model):
    """z = (x − b) · eˢ, pixel by pixel: an exact inverse, and log p(x) = log N(z; 0, I) + Σ s."""

    encodes = decodes = reconstructs = samples = has_density = exact_inverse = has_prior = True

    def __init__(self) -> None:
        super().__init__(SHAPE)
        self.latent, (self.shift, self.scale) = 64, (nn.Parameter(torch.zeros(64)), nn.Parameter(torch.zeros(64)))

    def encode(self, x: Tensor) -> Tensor:
        return (self.check_images(x).flatten(1) - self.shift) * self.scale.exp()

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return (z * (-self.scale).exp() + self.shift).view(-1, *SHAPE)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return self.decode(torch.randn(n, 64, generator=generator))

    def log_prob(self, x: Tensor) -> Tensor:
        return -0.5 * (self.encode(x).square() + math.log(2 * math.pi)).sum(dim=1) + self.scale.sum()

    def loss(self, x: Tensor, target: Tensor | None = None) -> lab.Loss:
        return lab.Loss(-self.log_prob(x).mean())


class CodeGaussian(Flow):
    """The same for codes (N, size, 1, 1): a Gaussian with a variance for each number."""

    def __init__(self, size: int) -> None:
        lab.Model.__init__(self, (size, 1, 1))
        self.latent, self.shift, self.scale = size, *(nn.Parameter(torch.zeros(size)) for _ in range(2))

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return (z * (-self.scale).exp() + self.shift)[:, :, None, None]

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return self.decode(torch.randn(n, self.latent, generator=generator))


class Marker(lab.Autoencoder):
    """Draws what the split wants, two channels, and not what it sees."""

    def __init__(self) -> None:
        super().__init__(4, SHAPE)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
        self.decoder = nn.Sequential(nn.Linear(4, 128), nn.Unflatten(1, (2, 8, 8)))


class Illustrator(lab.Model):
    """Draws an image for two words: the sum of what each of them brings along."""

    samples = conditional = True

    def __init__(self) -> None:
        super().__init__(SHAPE)
        self.words = nn.EmbeddingBag(12, 64, mode="sum")

    def sample(self, n: int, generator: torch.Generator | None = None, condition: Tensor | None = None) -> Tensor:
        return self.words(condition).view(-1, *SHAPE)

    def loss(self, x: Tensor, target: Tensor | None = None, condition: Tensor | None = None) -> lab.Loss:
        return lab.Loss((self.sample(len(x), condition=condition) - x).square().sum() / len(x))


class EncoderAlone(lab.Model):
    """A code whose numbers should be uncorrelated over the batch; nothing draws."""

    encodes = True

    def __init__(self) -> None:
        super().__init__(SHAPE)
        self.latent, self.network = 3, nn.Linear(64, 3)

    def encode(self, x: Tensor) -> Tensor:
        return self.network(self.check_images(x).flatten(1))

    def loss(self, x: Tensor, target: Tensor | None = None) -> lab.Loss:
        return lab.Loss((self.encode(x).T.cov() - torch.eye(3)).square().sum())


TOYS: dict[str, Callable[[], lab.Model]] = {
    "no code": WithoutCode,
    "exact inverse with a density": Flow,
    "target from the split": Marker,
    "condition of words": Illustrator,
    "encoder alone": EncoderAlone,
}


def with_more(split: lab.Split, targets: bool) -> lab.Split:
    """The split with two words an image (its class, and 10 or 11 for a dark or a bright one), and perhaps targets."""
    bright = (split.images.mean(dim=(1, 2, 3)) > 0.3).long()
    words = torch.stack([split.labels, 10 + bright], dim=1)
    ink = torch.cat([(split.images > 0.5).float(), 1 - split.images], dim=1)
    return replace(split, captions=words, targets=ink if targets else None)


def data_for(model: lab.Model, tiny: lab.ImageData) -> lab.ImageData:
    """tiny, with captions; with targets where the model is to draw them."""
    parts = (with_more(part, isinstance(model, Marker)) for part in (tiny.train, tiny.val, tiny.test))
    return lab.ImageData("tiny", *parts)


@pytest.mark.parametrize("toy", TOYS)
def test_a_toy_is_trained_resumed_and_evaluated(toy: str, tiny: lab.ImageData, tmp_path: Path) -> None:
    model, other, path = TOYS[toy](), TOYS[toy](), tmp_path / "run.pt"
    data = data_for(model, tiny)
    whole = lab.fit(model, data, epochs=6, **QUIET)
    assert whole.train["total"][-1] < whole.train["total"][0]

    def stop(_: Any, history: lab.History) -> bool:
        return len(history.step) == 2

    lab.fit(other, data, epochs=6, checkpoint=path, callbacks=[stop], **QUIET)
    again = lab.fit(TOYS[toy](), data, epochs=6, checkpoint=path, **QUIET)
    assert again == whole
    figures = evaluate(model, data.val)
    assert figures["total"] == whole.val["total"][-1] and ("mse" in figures) == model.reconstructs


@pytest.mark.parametrize("toy", TOYS)
def test_a_toy_is_compared_drawn_and_explored(toy: str, tiny: lab.ImageData) -> None:
    model = TOYS[toy]()
    data = data_for(model, tiny)
    history = lab.fit(model, data, epochs=2, **QUIET)
    row = lab.compare([model], data, ["mse", "psnr", "knn"]).iloc[0]
    assert row["mse"] == row["mse"] or not model.reconstructs
    assert row["knn"] == row["knn"] or not model.encodes
    lacks = [] if model.reconstructs else ["reconstructs nothing"]
    lacks += [] if model.encodes else ["has no code"]
    assert row.get("lacks", "") == ", ".join(lacks)
    assert row["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    figure = lab.plot.history(history, data=data)
    assert figure.alt and ("squared error" in figure.axes[0].get_ylabel()) == model.reconstructs
    if model.reconstructs and (model.decodes or not model.encodes) and toy != "target from the split":
        assert lab.explore(model, data.test, engine="kernel").to_png()
    else:
        with pytest.raises((ValueError, TypeError), match=model.label.split("(")[0]):
            lab.explore(model, data.test)


def test_targets_are_what_errors_are_measured_against(tiny: lab.ImageData) -> None:
    model = Marker()
    data = data_for(model, tiny)
    lab.fit(model, data, epochs=2, **QUIET)
    wanted = data.val.targets
    assert wanted is not None and data.val.wanted is wanted and tiny.val.wanted is tiny.val.images
    with torch.no_grad():
        error = float((model.reconstruct(data.val.images) - wanted).square().mean())
    assert evaluate(model, data.val)["mse"] == pytest.approx(error, rel=1e-5)
    assert lab.metrics.mse(model, data.val).value == pytest.approx(error, rel=1e-5)


def test_a_pair_is_augmented_alike(tiny: lab.ImageData) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    class Watching(Marker):
        def loss(self, x: Tensor, target: Tensor | None = None) -> lab.Loss:
            assert target is not None
            seen.append((x.detach(), target.detach()))
            return super().loss(x, target)

    data = data_for(Watching(), tiny)
    lab.fit(Watching(), data, steps=4, augment=lab.augment.horizontal_flip(), **QUIET)
    x, target = map(torch.cat, zip(*seen[:4], strict=True))
    # the second channel of a target is the negative of its image, whichever way round both of them are
    assert torch.equal(target[:, 1:], 1 - x)
    originals = {image.numpy().tobytes() for image in data.train.images}
    assert 0.3 < sum(image.numpy().tobytes() in originals for image in x) / len(x) < 0.7
    small = replace(data.train, targets=torch.rand(len(data.train), 1, 4, 4))
    with pytest.raises(ValueError, match=r"one height and width, got .8, 8. and .4, 4."):
        lab.fit(Watching(), replace(data, train=small), augment=lab.augment.horizontal_flip(), **QUIET)


def test_words_reach_the_model_and_labels_where_there_are_none(tiny: lab.ImageData) -> None:
    data = data_for(Illustrator(), tiny)
    assert data.train.condition is data.train.captions and tiny.train.condition is tiny.train.labels
    model = Illustrator()
    lab.fit(model, data, epochs=60, **QUIET)
    eight = model.sample(1, condition=torch.tensor([[8, 10]]))
    mean = tiny.train.images[tiny.train.labels == 8].mean(dim=0)
    others = torch.stack([tiny.train.images[tiny.train.labels == k].mean(dim=0) for k in range(10)])
    assert (others - eight).square().mean(dim=(1, 2, 3)).argmin() == 8 and (eight - mean).abs().mean() < 0.1


def test_a_density_over_codes_makes_an_autoencoder_sample(tiny: lab.ImageData) -> None:
    pca = lab.PCA(6, SHAPE).fit(tiny.train)
    codes = lab.codes(pca, tiny)
    assert codes.train.images.shape == (200, 6, 1, 1) and torch.equal(codes.test.labels, tiny.test.labels)
    density = CodeGaussian(6)
    lab.fit(density, codes, epochs=200, **QUIET)
    both = lab.OnCodes(pca, density)
    drawn = both.sample_codes(4000, seeded())
    # principal components are uncorrelated: N(0, λ) in each, which is what a diagonal Gaussian learns
    assert torch.allclose(drawn.var(dim=0), pca.variances, rtol=0.15)
    assert both.sample(3).shape == (3, *SHAPE)
    assert list(lab.compare([both, pca], tiny, ["mse"])["mse"]) == [lab.metrics.mse(pca, tiny.test).value] * 2
    with pytest.raises(ValueError, match=r"density of codes \(6, 1, 1\), got one of \(3, 1, 1\)"):
        lab.OnCodes(pca, CodeGaussian(3))
    with pytest.raises(TypeError, match="does not sample"):
        lab.OnCodes(pca, EncoderAlone())
    with pytest.raises(TypeError, match="cannot decode a code alone"):
        lab.OnCodes(lab.ConvAutoencoder(3, SHAPE, decoder="unpool", width=4, hidden=8), density)


# --- every model of the course, asked for every verb ---------------------------------------------------


def course(tiny: lab.ImageData) -> dict[str, Any]:
    """Every model of the course, and every way of building one that changes what it can do."""
    small: dict[str, Any] = {"width": 4, "hidden": 8}
    pca, controls = lab.PCA(3, SHAPE).fit(tiny.train), lab.controls
    return {
        "PCA": pca,
        "linear": lab.LinearAutoencoder(3, SHAPE),
        "dense": lab.DenseAutoencoder(3, SHAPE),
        "conv": lab.ConvAutoencoder(3, SHAPE, **small),
        "unpool": lab.ConvAutoencoder(3, SHAPE, decoder="unpool", **small),
        "inside": lab.ResidualAutoencoder(3, SHAPE, **small),
        "around": lab.ResidualAutoencoder(3, SHAPE, skips="around", **small),
        "VAE": lab.VAE(3, SHAPE, **small),
        "Gaussian VAE": lab.VAE(3, SHAPE, likelihood="gaussian", **small),
        "mixture prior": lab.MixturePriorVAE(3, SHAPE, components=4, **small),
        "GAN": lab.GAN(3, SHAPE, **small),
        "conditional GAN": lab.GAN(3, SHAPE, classes=10, **small),
        "VICReg": lab.VICReg(3, SHAPE, projector=(8,), **small),
        "CCAE": lab.CCAE(3, SHAPE, projector=(8,), **small),
        "mixture on codes": lab.LatentMixture(pca, 2).fit(tiny.train),
        "on codes": lab.OnCodes(pca, CodeGaussian(3)),
        "median": controls.Median(),
        "Gaussian": controls.Gaussian(),
        "non-local means": controls.NonLocalMeans(0.2),
        "linear denoiser": controls.LinearDenoiser(0.2).fit(tiny.train),
        "mean fill": controls.MeanFill().fit(tiny.train),
        "PCA fill": controls.PCAFill(3).fit(tiny.train),
        "biharmonic": controls.Biharmonic(),
    }


def ask(model: Any, verb: str, x: Tensor) -> Tensor:
    """What the verb gives, with the condition that a conditional model asks for."""
    told = {"condition": torch.arange(len(x))} if model.conditional else {}
    mask = torch.zeros(len(x), 1, 8, 8, dtype=torch.bool)
    mask[..., 2:5, 2:5] = True
    arguments = {"sample": (len(x), seeded()), "fill": (x, mask), "decode": (torch.zeros(len(x), model_size(model)),)}
    with torch.no_grad():
        return getattr(model, verb)(*arguments.get(verb, (x,)), **(told if verb in ("sample", "decode") else {}))


def model_size(model: Any) -> int:
    return model.latent if model.encodes or model.decodes or model.has_prior else 0


def test_every_model_has_the_verbs_it_says_and_no_others(tiny: lab.ImageData) -> None:
    x = tiny.test.images[:4]
    shapes = {"reconstruct": (4, *SHAPE), "sample": (4, *SHAPE), "log_prob": (4,), "fill": (4, *SHAPE)}
    for name, model in course(tiny).items():
        model.eval()
        for verb, (flag, _) in VERBS.items():
            expected = shapes.get(verb, (4, model_size(model)) if verb == "encode" else (4, *SHAPE))
            built_otherwise = verb == "decode" and name in ("unpool", "around")
            if getattr(model, flag) or (verb == "decode" and model.conditional):
                answer = ask(model, verb, x)
                assert answer.shape == expected and answer.isfinite().all(), (name, verb)
            elif built_otherwise:
                with pytest.raises(TypeError, match="cannot decode a code alone"):
                    ask(model, verb, x)
            else:
                with pytest.raises(AttributeError, match=rf"has no {verb}; it has \w+\("):
                    getattr(model, verb)


def test_deterministic_exact_and_prior_are_what_they_say(tiny: lab.ImageData) -> None:
    x = tiny.test.images[:4]
    flow = Flow()
    lab.fit(flow, tiny, epochs=2, **QUIET)
    assert torch.allclose(flow.decode(flow.encode(x)), x, atol=1e-5) and torch.equal(flow(x), flow.reconstruct(x))
    for name, model in course(tiny).items():
        if model.encodes:
            assert torch.equal(ask(model, "encode", x), ask(model, "encode", x)), name
        if model.exact_inverse:
            assert torch.allclose(model.decode(model.encode(x)), x, atol=1e-4), name
        assert not model.exact_inverse or (model.encodes and model.decodes), name
        assert not model.has_posterior or len(model.posterior(x)) == 2, name


def test_a_bound_lies_below_the_likelihood_of_a_linear_gaussian_vae() -> None:
    vae = lab.VAE(2, SHAPE, likelihood="gaussian", sigma=0.7)
    vae.encoder, vae.decoder = nn.Linear(64, 4), nn.Sequential(nn.Linear(2, 64), nn.Unflatten(1, SHAPE))
    vae.encoder, vae.output = nn.Sequential(nn.Flatten(), vae.encoder), "linear"
    torch.manual_seed(0)
    x = torch.randn(500, *SHAPE)
    weight, bias = vae.decoder[0].weight, vae.decoder[0].bias
    with torch.no_grad():
        exact = torch.distributions.MultivariateNormal(bias, weight @ weight.T + 0.49 * torch.eye(64))
        bound, truth = vae.log_prob(x), exact.log_prob(x.flatten(1))
    assert bound.mean() < truth.mean()


def test_a_model_keeps_its_constructor_s_arguments(tiny: lab.ImageData) -> None:
    vae = lab.MixturePriorVAE(3, SHAPE, components=4, beta=2.0)
    assert vae.arguments == {"latent": 3, "image_shape": SHAPE, "components": 4, "beta": 2.0}
    assert "latent=3, image_shape=(1, 8, 8), components=4, beta=2.0" in repr(vae)
    ccae = lab.CCAE(3, SHAPE, encoder=lab.VICReg(3, SHAPE))
    assert "encoder=VICReg(3)" in repr(ccae)
    settings = lab.fit(lab.VAE(3, SHAPE, beta=0.5), tiny, steps=1, **QUIET).settings
    assert settings["beta"] == 0.5 and settings["likelihood"] == "bernoulli"
