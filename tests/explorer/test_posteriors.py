"""The player of posteriors: what it sends, and what a user sees of it in a browser."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab.explorer.posteriors import PosteriorPlayer

if TYPE_CHECKING:
    from playwright.sync_api import Page

DATA = lab.load("digits", 60)


class Known(nn.Module):
    """A network of one's own that names what it is told: σ, and means that its sign and order turn."""

    def __init__(self, sigma: tuple[float, float], order: tuple[int, int] = (0, 1), sign: float = 1.0) -> None:
        super().__init__()
        self.log_var, self.order, self.sign = 2 * torch.tensor(sigma).log(), order, sign

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows = x.flatten(1).double()
        mu = torch.stack([rows[:, :32].sum(dim=1) / 8 - 1, rows[:, 32:].sum(dim=1) / 20 - 0.7], dim=1).float()
        return self.sign * mu[:, self.order], self.log_var[list(self.order)].expand(len(x), 2)

    def decode(self, z: Tensor) -> Tensor:
        return z.sum(dim=1).sigmoid().view(-1, 1, 1, 1).expand(-1, 1, 8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.posterior(x)[0])


@pytest.fixture(scope="module")
def player() -> PosteriorPlayer:
    models = {0.1: Known((0.1, 0.2)), 1.0: Known((0.5, 0.8), order=(1, 0), sign=-1.0)}
    return lab.show_posteriors(models, DATA, count=9)


def test_the_scene_says_what_the_models_name_and_keeps_the_axes(player: PosteriorPlayer) -> None:
    first, second = player.scene["settings"]
    assert (first["value"], second["value"]) == ("0.1", "1")
    np.testing.assert_allclose(first["means"], second["means"], atol=2e-3)  # exchanged and turned: turned back
    np.testing.assert_allclose(first["sigmas"], [[0.1, 0.2]] * 9, atol=2e-3)
    np.testing.assert_allclose(second["sigmas"], [[0.5, 0.8]] * 9, atol=2e-3)
    mu = torch.tensor(first["means"])
    sigma = torch.tensor([0.1, 0.2])
    kl = 0.5 * (mu**2 + sigma**2 - 1 - 2 * sigma.log()).sum(dim=1).mean()
    assert first["rate"] == pytest.approx(float(kl), abs=0.02)
    originals = np.frombuffer(base64.b64decode(player.scene["originals"]), np.uint8).reshape(9, 64)
    np.testing.assert_allclose(originals / 255, DATA.test.images[:9].flatten(1), atol=0.51 / 255)


def test_what_a_notebook_stores(player: PosteriorPlayer) -> None:
    data, metadata = player._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG") and len(data["image/png"]) < 150_000
    assert "β = 0.1: σ of an image 0.15" in metadata["image/png"]["alt"]
    assert data["text/plain"] == "PosteriorPlayer(β dragged: means and ellipses of one σ; β = 0.1, 1)"


@pytest.fixture
def page_of_it(page: "Page", player: PosteriorPlayer, tmp_path: Path) -> "Page":
    page.goto(player.to_html(tmp_path / "posteriors.html").as_uri())
    page.wait_for_selector(".autoencoder-lab-posteriors[data-ready=true]")
    return page


STATE = "document.querySelector('.autoencoder-lab-posteriors').posteriors"


def test_dragging_changes_the_ellipses_and_a_click_chooses(page_of_it: "Page", player: PosteriorPlayer) -> None:
    facts, slider = page_of_it.locator("dl"), page_of_it.get_by_role("slider")
    assert "0.15" in facts.inner_text() and slider.get_attribute("aria-valuetext") == "0.1"
    before = page_of_it.locator("canvas.plane").evaluate("c => c.toDataURL()")
    slider.focus()
    page_of_it.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "1" and "0.65" in facts.inner_text()
    assert page_of_it.locator("canvas.plane").evaluate("c => c.toDataURL()") != before
    page_of_it.get_by_role("button", name="Previous image").click()
    assert page_of_it.evaluate(f"{STATE}.selected") == 8
    second = player.scene["settings"][1]
    values = [np.abs(one["means"]) + np.asarray(one["sigmas"]) for one in player.scene["settings"]]
    reach = max(2.2, float(np.max(values))) * 1.03
    x, y = second["means"][4]
    canvas = page_of_it.locator("canvas.plane")
    box = canvas.bounding_box()
    assert box is not None
    canvas.click(
        position={"x": box["width"] * (x + reach) / (2 * reach), "y": box["height"] * (reach - y) / (2 * reach)}
    )
    assert page_of_it.evaluate(f"{STATE}.selected") == 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(page_of_it: "Page", axe: Callable[..., list[str]], scheme: Any) -> None:
    page_of_it.emulate_media(color_scheme=scheme)
    assert axe(page_of_it, ".autoencoder-lab-posteriors") == []
    page_of_it.set_viewport_size({"width": 320, "height": 640})
    assert page_of_it.evaluate("document.documentElement.scrollWidth") <= 320
