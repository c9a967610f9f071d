"""What the explorer makes of models by what they say they can do: a map, the drawing pad alone, or a sentence."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab.explorer.scene import pixel_bytes
from autoencoder_lab.models.base import Loss, Model
from autoencoder_lab.models.controls import LinearDenoiser, Median
from explorer.test_page import MODEL, Open, open_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["open_page"]


class Toy(Model):
    """A model of 8×8 images with one weight."""

    def __init__(self) -> None:
        super().__init__((1, 8, 8))
        self.weight = nn.Parameter(torch.tensor(0.5))

    def loss(self, x: Tensor, target: Tensor | None = None, condition: Tensor | None = None) -> Loss:
        return Loss(self.weight.square())


class NoCode(Toy):
    reconstructs = True

    def reconstruct(self, x: Tensor) -> Tensor:
        return 1 - self.weight * x


class Invertible(Toy):
    encodes = decodes = reconstructs = samples = has_density = exact_inverse = has_prior = True
    latent = 64

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1) / self.weight

    def decode(self, z: Tensor) -> Tensor:
        return (self.weight * z).view(-1, 1, 8, 8)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class Captioned(Toy):
    samples = conditional = True
    latent = 2

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return torch.zeros(len(z), 1, 8, 8)


class EncoderAlone(Toy):
    encodes = True
    latent = 2

    def encode(self, x: Tensor) -> Tensor:
        return self.weight * x.flatten(1)[:, :2]


class OtherShape(NoCode):
    def reconstruct(self, x: Tensor) -> Tensor:
        return torch.cat([x, x, x], dim=1)


def entry(model: Any, data: Any) -> dict[str, Any]:
    """The model in its scene."""
    found: dict[str, Any] = lab.explore(model, data).scene["models"][0]
    return found


def test_a_model_without_a_code_can_be_drawn_for(open_page: Open, tiny: lab.ImageData) -> None:
    model = NoCode()
    explorer = lab.explore(model, tiny)
    shown = explorer.scene["models"][0]
    assert shown["noMap"] == "NoCode has no code, so a place on a map of codes stands for no picture. " + (
        "Draw works: it runs the whole model."
    )
    assert not shown["decodes"] and shown["reconstructs"] and set(shown["programs"]) == {"reconstruct"}
    page: Page = open_page(explorer)
    assert page.locator("canvas.map").count() == 0 and page.get_by_text("has no code").first.is_visible()
    assert page.get_by_role("tab", name="Draw").get_attribute("aria-selected") == "true"
    image = tiny.test.images[:1]
    drawn = page.evaluate(
        f"""row => new Promise(done => {MODEL}.models[0].reconstruct(
            Float32Array.from(row), "test", (bytes, codes) => done([[...bytes], codes])))""",
        image.flatten().tolist(),
    )
    expected = pixel_bytes(model.reconstruct(image).detach()).flatten().astype(int)
    assert np.abs(np.array(drawn[0]) - expected).max() <= 1 and drawn[1] is None


def test_an_exact_inverse_has_a_map_and_no_error(tiny: lab.ImageData) -> None:
    shown = entry(Invertible(), tiny)
    assert shown["decodes"] and shown["encodes"] and shown["prior"] and shown["noMap"] == ""
    assert shown["snapshots"][0]["mse"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("engine", ["auto", "plain"])
@pytest.mark.parametrize(
    ("model", "instead"),
    [
        (EncoderAlone(), "lab.plot.codes shows its codes, and lab.compare measures them by probe and knn"),
        (Captioned(), "model.sample(n, condition=…) draws pictures of what is asked for"),
        (lab.VICReg(2, (1, 8, 8), width=4, hidden=8), "lab.plot.codes shows its codes"),
        (lab.GAN(2, (1, 8, 8), classes=10, width=4, hidden=8), "model.sample(n, condition=…)"),
    ],
    ids=lambda value: getattr(value, "label", ""),
)
def test_what_makes_no_picture_is_refused_with_what_it_can_do(
    tiny: lab.ImageData, model: Any, instead: str, engine: Any
) -> None:
    with pytest.raises(TypeError) as refused:
        lab.explore({"mine": model, "pca": lab.PCA(2).fit(tiny.train)}, tiny, engine=engine)
    said = str(refused.value)
    assert said.startswith("mine makes no picture from a code alone nor from an image") and instead in said


def test_a_generator_alone_has_a_map_of_its_prior(tiny: lab.ImageData) -> None:
    shown = entry(lab.GAN(2, tiny.shape, width=4, hidden=8), tiny)
    assert shown["decodes"] and not shown["reconstructs"] and "has no encoder" in shown["noMap"]


def test_images_with_targets_are_refused_and_explored_without(tiny: lab.ImageData) -> None:
    split = replace(tiny.test, targets=1 - tiny.test.images)
    with pytest.raises(TypeError, match=r"have targets.*lab\.plot\.reconstructions.*targets=None"):
        lab.explore(NoCode(), split)
    assert entry(NoCode(), replace(split, targets=None))["problem"] == ""


def test_pictures_of_another_shape_cannot_be_shown_beside_the_images(tiny: lab.ImageData) -> None:
    shown = entry(OtherShape(), tiny)
    assert shown["problem"].startswith("OtherShape makes pictures (3, 8, 8) and these images are (1, 8, 8)")


def test_a_filter_is_drawn_for_by_the_kernel_and_an_unfitted_one_says_so(tiny: lab.ImageData) -> None:
    explorer = lab.explore({"median": Median(3), "linear": LinearDenoiser(0.5)}, tiny)
    assert explorer.engine == "kernel"
    image = tiny.test.images[:1]
    pixels, codes = explorer.run(0, 0, "reconstruct", image.numpy())
    assert pixels == pixel_bytes(Median(3).reconstruct(image)).tobytes() and codes == b""
    assert "LinearDenoiser is not fitted yet" in explorer.scene["models"][1]["problem"]
    assert explorer.to_png().startswith(b"\x89PNG")
