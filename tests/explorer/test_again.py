"""Again: z → z′ = encode(decode(z)) on the map, each model by its own decoder and encoder, compared with torch."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import autoencoder_lab as lab
from autoencoder_lab.explorer.scene import pixel_bytes
from explorer.test_page import MODEL, painted, same_pixels, value, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Array = np.ndarray[Any, Any]
Opened = Callable[..., "Page"]
MAP = "canvas.map"


@pytest.fixture
def opened(page: "Page", tmp_path: Path) -> Opened:
    """`opened(models, data)`: their exported page, with the first picture drawn."""

    def open_it(models: Any, data: lab.ImageData, **media: Any) -> "Page":
        page.emulate_media(**media)
        page.goto(lab.explore(models, data).to_html(tmp_path / "page.html").as_uri())
        page.wait_for_selector(".autoencoder-lab-explorer[data-ready=true]")
        return page

    return open_it


def button(page: "Page") -> "Locator":
    return page.get_by_role("button", name="Again: z → z′")


def code(page: "Page", index: int = 0) -> Array:
    return np.array(value(page, f"models[{index}].code"))


def trail(page: "Page", index: int = 0) -> Array:
    """(points, size): what the map draws its arrows through."""
    return np.array(page.evaluate(f"(i) => {MODEL}.models[i].trail?.map((code) => [...code]) ?? []", index))


def again(model: Any, z: Array) -> Array:
    """encode(decode(z)) by torch."""
    with torch.no_grad():
        found: Array = model.encode(model.decode(torch.tensor(z, dtype=torch.float32)[None]))[0].numpy()
    return found


def dense(data: lab.ImageData, latent: int, seed: int) -> lab.DenseAutoencoder:
    """A network trained a little: its z′ is near z, and is not z."""
    model = lab.DenseAutoencoder(latent, data.shape, hidden=(16,))
    lab.fit(model, data, steps=200, seed=seed, progress=False)
    return model


def moved(page: "Page", z: Array, index: int = 0) -> None:
    with painted(page):
        page.evaluate(f"([i, z]) => {MODEL}.move(i, z)", [index, z.tolist()])


def ink(page: "Page", index: int = 0) -> Array:
    """The map as it is painted."""
    return np.frombuffer(page.locator(MAP).nth(index).screenshot(), dtype=np.uint8)


def test_two_models_go_each_by_their_own_decoder_and_encoder_and_on_from_there(
    opened: Opened, tiny: lab.ImageData
) -> None:
    models = {"first": dense(tiny, 2, 0), "second": dense(tiny, 3, 1)}
    page = opened(models, tiny)
    codes = lab.metrics.encode(models["first"], tiny.test)
    moved(page, (codes.mean(dim=0) + 2 * codes.std(dim=0)).numpy())  # out there the steps are long
    expected = [[code(page, i)] for i in range(2)]
    for press in (lambda: button(page).click(), lambda: page.locator(MAP).last.press("a")):
        with painted(page):
            press()
        for i, model in enumerate(models.values()):
            expected[i].append(again(model, expected[i][-1]))
            assert np.allclose(code(page, i), expected[i][-1], atol=1e-3)
            assert np.linalg.norm(expected[i][-1] - expected[i][-2]) > 0.02  # a step that can be told from none
            assert np.allclose(trail(page, i), expected[i], atol=1e-3)
            same_pixels(page, model, i)


def test_the_step_is_told_in_standard_deviations_of_the_codes(opened: Opened, tiny: lab.ImageData) -> None:
    model = dense(tiny, 3, 0)
    page = opened(model, tiny)
    with painted(page):
        page.locator(MAP).press("n")
    assert "z′" not in page.locator(".readout").inner_text()
    with painted(page):
        button(page).click()
    z = trail(page)[0]
    codes = lab.metrics.encode(model, tiny.test)
    deviation = float(codes.var(dim=0).sum().sqrt())
    step = float(np.linalg.norm(again(model, z) - z)) / deviation
    text = page.locator(".readout").inner_text()
    said = re.match(r"z → z′: (\d+\.\d{3}) standard deviations\. Image 0", text)
    assert said and float(said[1]) == pytest.approx(step, abs=2e-3) and step > 0.01
    wait_for(page, "document.querySelector('.spoken').textContent.includes('z′')")


def test_pca_stands_still(opened: Opened, tiny: lab.ImageData) -> None:
    """encode(decode(z)) = VᵀV z = z, also where the picture leaves [0, 1] and what is shown of it is clipped."""
    pca = lab.PCA(2).fit(tiny.train)
    page = opened(pca, tiny)
    z = np.array([3 * float(pca.variances[0].sqrt()), 0.0])
    with torch.no_grad():
        picture = pca.decode(torch.tensor(z, dtype=torch.float32)[None])
        clipped = pca.encode(picture.clamp(0, 1))[0].numpy()
    assert np.linalg.norm(clipped - z) > 0.1  # the shown bytes would not do
    moved(page, z)
    with painted(page):
        button(page).click()
    assert np.allclose(code(page), z, atol=2e-3)  # the weights of a page are rounded
    assert page.locator(".readout").inner_text().startswith("z → z′: 0.00")


def test_any_other_move_clears_the_trail(opened: Opened, tiny: lab.ImageData) -> None:
    page = opened(dense(tiny, 2, 0), tiny)
    pad = page.locator(MAP)
    moves = {
        "drag": lambda: pad.click(position={"x": 40, "y": 60}),
        "arrow key": lambda: pad.press("ArrowLeft"),
        "Home": lambda: pad.press("Home"),
        "n": lambda: pad.press("n"),
        "slider": lambda: page.get_by_role("slider").first.press("ArrowRight"),
        "moment": lambda: page.evaluate(f"{MODEL}.showMoment(0)"),
    }
    for how, move in moves.items():
        moved(page, np.array(value(page, "models[0].snapshot.codes")[:2]))
        before = ink(page)
        with painted(page):
            button(page).click()
        assert not np.array_equal(ink(page), before) and "z′" in page.locator(".readout").inner_text(), how
        with painted(page):
            move()
        assert "z′" not in page.locator(".readout").inner_text(), how
        if how in ("arrow key", "slider", "moment"):  # come to by another way, the same place looks the same: no arrow
            pad.blur()
            seen, stands = ink(page), code(page)
            moved(page, stands + 1)
            moved(page, stands)
            assert np.array_equal(ink(page), seen), how
        with painted(page):
            button(page).click()
        assert len(trail(page)) == 2, f"{how}: a new one begins"


def test_aligned_maps_draw_the_second_trail_in_the_first_models_axes(opened: Opened, tiny: lab.ImageData) -> None:
    """The second code is M times PCA's, its decoder halves: z′ = z/2. PCA's z′ is z."""
    pca = lab.PCA(2).fit(tiny.train)
    shrinking = lab.LinearAutoencoder(2, tiny.shape)
    mixing = torch.tensor([[0.5, 2.0], [-1.0, 0.3]])
    with torch.no_grad():
        shrinking.weight.copy_(mixing @ pca.components.T)
        shrinking.bias.copy_(-mixing @ pca.components.T @ pca.mean)
        shrinking.decoder_weight.copy_(0.5 * pca.components @ mixing.inverse())
        shrinking.decoder_bias.copy_(pca.mean)
    page = opened({"PCA": pca, "shrinking": shrinking}, tiny)
    page.get_by_label("Align", exact=False).check()
    start = pca.variances.sqrt().numpy()
    moved(page, start)
    before = ink(page, 1)
    with painted(page):
        button(page).click()
    assert np.allclose(code(page, 0), start, atol=1e-3)
    assert np.allclose(code(page, 1), 0.5 * mixing.numpy() @ start, atol=3e-3)
    assert not np.array_equal(ink(page, 1), before)
    # the keys go on from where the second map's ring is now: at half of `start` in the first model's axes
    with painted(page):
        page.locator(MAP).nth(1).press("ArrowRight")
    here = code(page)
    assert 0.5 * start[0] < here[0] < 0.7 * start[0] and here[1] == pytest.approx(0.5 * start[1], abs=5e-3)


def test_a_worker_does_the_same(opened: Opened, tiny: lab.ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoencoder_lab.explorer.page.BROWSER_MACS", 100)
    model = dense(tiny, 2, 0)
    page = opened(model, tiny)
    assert page.locator(".autoencoder-lab-explorer").get_attribute("data-engine") == "worker"
    z = code(page)
    button(page).click()
    wait_for(page, f"{MODEL}.models[0].trail?.length === 2")
    assert np.allclose(code(page), again(model, z), atol=1e-3)


def test_an_answer_after_the_point_was_moved_moves_nothing(opened: Opened, tiny: lab.ImageData) -> None:
    page = opened(dense(tiny, 2, 0), tiny)
    with painted(page):  # the answer is held back until the point has been moved
        page.evaluate(f"""() => {{
            const app = {MODEL};
            const [model, decode] = [app.models[0], app.models[0].decode];
            let answer;
            model.decode = (rows, slot, done) => (answer = () => decode(rows, slot, done));
            app.again();
            model.decode = decode;
            app.move(0, [1, 1]);
            answer();
        }}""")
    assert np.array_equal(code(page), [1, 1]) and len(trail(page)) == 0


def test_an_engine_that_sends_bytes_alone_encodes_the_picture_as_shown(opened: Opened, tiny: lab.ImageData) -> None:
    """As the kernel does."""
    pca = lab.PCA(2).fit(tiny.train)
    page = opened(pca, tiny)
    moved(page, 3 * np.array([float(pca.variances[0].sqrt()), 0]))
    z = code(page)
    with painted(page):
        page.evaluate(f"""() => {{
            const model = {MODEL}.models[0];
            const {{ decode }} = model;
            model.decode = (rows, slot, done) => decode(rows, slot, (bytes) => done(bytes, null));
            {MODEL}.again();
            model.decode = decode;
        }}""")
    with torch.no_grad():
        picture = pca.decode(torch.tensor(z, dtype=torch.float32)[None])
        shown = torch.from_numpy(pixel_bytes(picture)).float() / 255
        expected = pca.encode(shown)[0].numpy()
    assert np.allclose(code(page), expected, atol=5e-3) and np.linalg.norm(expected - z) > 0.1


def test_a_model_without_an_encoder_has_no_such_button_and_says_why(opened: Opened, tiny: lab.ImageData) -> None:
    gan = lab.GAN(2, tiny.shape, width=4, hidden=16)
    page = opened(gan, tiny)
    assert button(page).count() == 0 and page.get_by_text("has no encoder").first.is_visible()
    stands = code(page)
    page.locator(MAP).press("a")
    wait_for(page, f"!{MODEL}.frame")
    assert np.array_equal(code(page), stands)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_again_is_accessible(opened: Opened, axe: Callable[..., list[str]], tiny: lab.ImageData, scheme: str) -> None:
    page = opened({"PCA": lab.PCA(2).fit(tiny.train), "dense": dense(tiny, 2, 0)}, tiny, color_scheme=scheme)
    with painted(page):
        button(page).click()
    assert axe(page, "html") == []
    box = button(page).bounding_box()
    assert box is not None and min(box["width"], box["height"]) >= 44
    assert "Encode the picture again" in (button(page).get_attribute("title") or "")
