"""The exported page in a browser: what it shows is what torch computes, and every way of moving works."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import autoencoder_lab as lab
from autoencoder_lab.explorer import Explorer
from autoencoder_lab.explorer.scene import pixel_bytes

if TYPE_CHECKING:
    from playwright.sync_api import Page

MODEL = "document.querySelector('.autoencoder-lab-explorer').explorer"
Open = Callable[..., "Page"]


@pytest.fixture
def open_page(page: "Page", tmp_path: Path) -> Open:
    """`open_page(explorer)`: its page, loaded from a file, with the first picture drawn."""

    def open_it(explorer: Explorer, **media: Any) -> "Page":
        page.emulate_media(**media)
        page.goto(explorer.to_html(tmp_path / "page.html").as_uri())
        page.wait_for_selector(".autoencoder-lab-explorer[data-ready=true]")
        return page

    return open_it


def value(page: "Page", expression: str) -> Any:
    """A value of the explorer's state, arrays as lists."""
    return page.evaluate(
        f"(() => {{ const v = {MODEL}.{expression}; return v?.length >= 0 && v.map ? [...v] : v; }})()"
    )


def wait_for(page: "Page", condition: str) -> None:
    """Until a condition holds in the page; `wait_for_function` would need an eval, which the page's policy forbids."""
    page.evaluate(f"new Promise(done => {{ const look = () => {condition} ? done() : setTimeout(look, 10); look(); }})")


@contextmanager
def painted(page: "Page") -> Iterator[None]:
    """Waits, after the block, until a picture was drawn for what happened in it and nothing is left to paint."""
    before = value(page, "counters.draws")
    yield
    wait_for(page, f"{MODEL}.counters.draws > {before} && !{MODEL}.frame")


def canvas_bytes(page: "Page", selector: str, index: int = 0) -> np.ndarray:
    """(C, H, W) bytes of a canvas, red, green and blue; its backing store has the image's size."""
    pixels = (
        page.locator(selector)
        .nth(index)
        .evaluate("c => [c.width, c.height, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]")
    )
    width, height, *data = pixels
    return np.array(data, dtype=np.uint8).reshape(height, width, 4)[..., :3].transpose(2, 0, 1)


def differences(page: "Page", model: Any, code: Any, index: int = 0) -> np.ndarray:
    """|canvas − torch| in bytes at the code."""
    with torch.no_grad():
        expected = pixel_bytes(model.decode(torch.tensor([code], dtype=torch.float32)))[0].astype(int)
    shown = canvas_bytes(page, "canvas.decoded", index).astype(int)
    return np.abs(shown - (expected if len(expected) == 3 else expected.mean(axis=0)))


def same_pixels(page: "Page", model: Any, index: int = 0) -> None:
    """At most one step of 255; with weights in float16 two in a thousandth of the pixels."""
    apart = differences(page, model, value(page, f"models[{index}].code"), index)
    assert apart.max() <= 2 and (apart > 1).mean() <= 0.001


@pytest.fixture(scope="module")
def dense(mnist: lab.ImageData) -> lab.DenseAutoencoder:
    model = lab.DenseAutoencoder(2, hidden=(64,))
    lab.fit(model, mnist, steps=150, progress=False)
    return model


def build(name: str, data: lab.ImageData) -> Any:
    """Every kind of model of the course, small."""
    shape = data.shape
    small: dict[str, Any] = {"image_shape": shape, "width": 4, "hidden": 16}
    models: dict[str, Callable[[], Any]] = {
        "pca": lambda: lab.PCA(2).fit(data.train),
        "linear": lambda: lab.LinearAutoencoder(3, shape),
        "tied": lambda: lab.LinearAutoencoder(2, shape, tied=True),
        "dense": lambda: lab.DenseAutoencoder(2, shape, hidden=(16,), code_activation="sigmoid"),
        "one": lambda: lab.DenseAutoencoder(1, shape, hidden=(16,)),
        "long": lambda: lab.DenseAutoencoder(2048, shape, hidden=(16,)),
        "transposed": lambda: lab.ConvAutoencoder(2, **small),
        "resize": lambda: lab.ConvAutoencoder(2, decoder="resize", **small),
        "inside": lambda: lab.ResidualAutoencoder(5, **small),
        "vae": lambda: lab.VAE(2, **small),
    }
    model = models[name]()
    if name != "pca":
        lab.fit(model, data, steps=30, progress=False)
    return model


KINDS = ("pca", "linear", "tied", "dense", "one", "long", "transposed", "resize", "inside", "vae")
SHAPES = ((3, 11, 14), (1, 8, 8))
# how a page paints grey does not hang on the model, and test_program.py runs every model on grey images
SHOWN = [
    pytest.param(name, shape, id=f"{name} {shape}", marks=pytest.mark.long if shape[0] == 1 and name != "dense" else ())
    for shape in SHAPES
    for name in KINDS
]


@pytest.mark.parametrize(("name", "shape"), SHOWN)
def test_pixels_are_those_of_torch_for_every_model(
    open_page: Open, tiny: lab.ImageData, name: str, shape: tuple[int, int, int]
) -> None:
    if shape != (1, 8, 8):

        def enlarged(images: torch.Tensor) -> torch.Tensor:
            larger = torch.nn.functional.interpolate(images, shape[1:])
            return torch.cat([larger, 1 - larger, larger.flip(2)], dim=1)

        tiny = tiny.map(enlarged)
    model = build(name, tiny)
    explorer = lab.explore(model, tiny, engine="browser")
    page = open_page(explorer)
    shown = explorer.moments[0][0]
    same_pixels(page, shown)
    for key in ("ArrowRight", "Shift+ArrowUp", "n"):
        with painted(page):
            page.locator("canvas.map").press(key)
        same_pixels(page, shown)


def test_keys_move_by_steps_and_come_back(open_page: Open, dense: Any, mnist: lab.ImageData) -> None:
    page = open_page(lab.explore(dense, mnist, count=100))
    start = value(page, "models[0].code")
    pad = page.locator("canvas.map")
    places = []
    for key in ("ArrowRight", "Shift+ArrowRight", "Shift+ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowDown"):
        with painted(page):
            pad.press(key)
        places.append(np.array(value(page, "models[0].code")) - start)
    right, far_right = places[0], places[1]
    assert right[0] > 0 and abs(right[1]) < 1e-5 and far_right[0] == pytest.approx(7 * right[0], rel=1e-3)
    assert np.allclose(places[3], 0, atol=1e-4) and places[4][1] > 0 and np.allclose(places[5], 0, atol=1e-4)
    with painted(page):
        pad.press("Home")
    codes = lab.metrics.encode(dense, mnist.test[:100])
    assert np.allclose(value(page, "models[0].code"), codes.mean(dim=0), atol=1e-4)


def test_a_click_on_a_point_chooses_the_image_and_shows_its_error(
    open_page: Open, dense: Any, mnist: lab.ImageData
) -> None:
    page = open_page(lab.explore(dense, mnist, count=30))
    box = page.locator("canvas.map").bounding_box()
    assert box is not None
    places = page.evaluate("""() => {
        const pad = document.querySelector("canvas.map");
        return [...document.querySelector(".autoencoder-lab-explorer").explorer.models[0].snapshot.codes];
    }""")
    codes = np.array(places).reshape(-1, 2)
    # the image that lies farthest from all others, so that there is no doubt which one is meant
    apart = np.linalg.norm(codes[:, None] - codes[None], axis=2) + 1e9 * np.eye(len(codes))
    lonely = int(apart.min(axis=1).argmax())
    with painted(page):
        page.evaluate(f"{MODEL}.move(0, {codes[lonely].tolist()})")
    # go there by the pointer: the ring stands on the point now; read its place back from the keyboard's own geometry
    with painted(page):
        page.locator("canvas.map").press("Enter")
    assert value(page, "selected") == lonely
    assert np.array_equal(canvas_bytes(page, ".chosen canvas", 0)[0], pixel_bytes(mnist.test.images[lonely, 0]))
    with torch.no_grad():
        restored = dense.reconstruct(mnist.test.images[lonely : lonely + 1])
    mse = float((restored - mnist.test.images[lonely]).square().mean())
    assert f"Image {lonely}: {int(mnist.test.labels[lonely])}, squared error per pixel {mse:.4f}"[:-1] in (
        page.locator(".readout").inner_text()
    )


def test_a_drag_paints_for_nearly_every_input_and_ends_where_the_pointer_does(
    open_page: Open, dense: Any, mnist: lab.ImageData
) -> None:
    page = open_page(lab.explore(dense, mnist, count=200))
    box = page.locator("canvas.map").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    before = page.evaluate(f"({{...{MODEL}.counters}})")
    for i in range(120):
        angle = i / 119 * 2 * np.pi
        page.mouse.move(box["x"] + 160 - 100 * np.cos(angle), box["y"] + 160 + 100 * np.sin(angle))
    with painted(page):
        page.mouse.move(box["x"] + 200, box["y"] + 120)
    after = page.evaluate(f"({{...{MODEL}.counters}})")
    drawn, frames = after["draws"] - before["draws"], after["frames"] - before["frames"]
    assert drawn == frames  # every animation frame after an input paints
    same_pixels(page, dense)
    end = value(page, "models[0].code")
    page.mouse.up()
    with painted(page):
        page.mouse.move(box["x"] + 60, box["y"] + 60)
        page.evaluate(f"{MODEL}.changed()")
    assert value(page, "models[0].code") == end  # the button is up: moving means nothing any more


def test_sliders_move_along_values_and_principal_directions(open_page: Open, tiny: lab.ImageData) -> None:
    model = build("linear", tiny)
    page = open_page(lab.explore(model, tiny))
    page.get_by_label("Move along").select_option("values")
    before = np.array(value(page, "models[0].code"))
    with painted(page):
        page.get_by_role("slider", name="value 2").press("ArrowRight")
    moved = np.array(value(page, "models[0].code")) - before
    assert moved[1] > 0 and moved[0] == moved[2] == 0
    page.get_by_label("Move along").select_option("directions")
    before = np.array(value(page, "models[0].code"))
    with painted(page):
        page.get_by_role("slider", name="direction 1").press("ArrowRight")
    moved = np.array(value(page, "models[0].code")) - before
    direction = np.array(value(page, "models[0].snapshot.directions")[:3])
    assert abs(moved @ direction) == pytest.approx(np.linalg.norm(moved), rel=1e-3)
    with painted(page):
        page.get_by_role("button", name="Back to the mean").click()
    assert np.allclose(value(page, "models[0].code"), lab.metrics.encode(model, tiny.test).mean(dim=0), atol=1e-4)


def test_two_models_follow_one_drag_and_align_lays_one_code_on_the_other(open_page: Open, tiny: lab.ImageData) -> None:
    pca = lab.PCA(2).fit(tiny.train)
    turned = lab.LinearAutoencoder(2, tiny.shape)
    mixing = torch.tensor([[0.5, 2.0], [-1.0, 0.3]])
    with torch.no_grad():
        turned.weight.copy_(mixing @ pca.components.T)
        turned.bias.copy_(-mixing @ pca.components.T @ pca.mean)
        turned.decoder_weight.copy_(pca.components @ mixing.inverse())
        turned.decoder_bias.copy_(pca.mean)
    page = open_page(lab.explore({"PCA": pca, "turned": turned}, tiny))
    first = page.locator("canvas.map").first
    with painted(page):
        first.press("Shift+ArrowRight")
    assert not np.array_equal(canvas_bytes(page, "canvas.decoded", 0), canvas_bytes(page, "canvas.decoded", 1))
    with painted(page):
        page.get_by_label("Align", exact=False).check()
    with painted(page):
        first.press("Shift+ArrowUp")
    a, b = (np.array(value(page, f"models[{i}].code")) for i in (0, 1))
    assert np.allclose(mixing.numpy() @ a, b, atol=1e-3)
    pictures = [canvas_bytes(page, "canvas.decoded", i).astype(int) for i in (0, 1)]
    assert np.abs(pictures[0] - pictures[1]).max() <= 1
    same_pixels(page, pca, 0)
    same_pixels(page, turned, 1)
    with painted(page):  # a drag on the second map moves the first as well
        page.locator("canvas.map").nth(1).press("ArrowLeft")
    a, b = (np.array(value(page, f"models[{i}].code")) for i in (0, 1))
    assert np.allclose(mixing.numpy() @ a, b, atol=1e-3)


def test_time_scrubs_through_the_training(open_page: Open, tiny: lab.ImageData) -> None:
    model = lab.DenseAutoencoder(2, tiny.shape, hidden=(16,))
    explorer = lab.explore(model, tiny)
    lab.fit(model, tiny, epochs=30, progress=False, callbacks=[explorer])
    page = open_page(explorer)
    assert page.locator(".untrained").count() == 0
    assert len(explorer.moments[0]) > 10 == len(value(page, "scene.models[0].snapshots"))  # a page keeps ten
    assert value(page, "moment") == 9
    same_pixels(page, explorer.moments[0][-1])
    page.get_by_role("tab", name="Time").click()
    with painted(page):
        page.get_by_label("Moment").press("Home")
    first = explorer.moments[0][0]
    assert first.codes is not None and np.allclose(
        value(page, "models[0].snapshot.codes"), first.codes.flatten(), atol=1e-5
    )
    same_pixels(page, first)
    with painted(page):
        page.get_by_label("Moment").press("ArrowRight")
    assert value(page, "moment") == 1


def test_a_model_that_needs_more_than_the_code_draws_but_has_no_map(open_page: Open, tiny: lab.ImageData) -> None:
    model = lab.ConvAutoencoder(4, tiny.shape, decoder="unpool", width=4, hidden=16)
    lab.fit(model, tiny, steps=20, progress=False)
    page = open_page(lab.explore(model, tiny))
    assert page.locator("canvas.map").count() == 0
    assert page.get_by_text("more than the code").first.is_visible()
    assert page.get_by_role("tab", name="Draw").get_attribute("aria-selected") == "true"
    images = tiny.test.images[:2]
    result = page.evaluate(
        f"""rows => new Promise(done => {MODEL}.models[0].reconstruct(
            Float32Array.from(rows), "test", (bytes, codes) => done([[...bytes], codes])))""",
        images.flatten().tolist(),
    )
    with torch.no_grad():
        expected = pixel_bytes(model.reconstruct(images)).flatten().astype(int)
    assert np.abs(np.array(result[0]) - expected).max() <= 1 and result[1] is None


def test_a_large_model_runs_in_a_worker_and_says_so(open_page: Open, tiny: lab.ImageData, monkeypatch: Any) -> None:
    model = build("transposed", tiny)
    explorer = lab.explore(model, tiny)
    monkeypatch.setattr("autoencoder_lab.explorer.page.BROWSER_MACS", 100)
    page = open_page(explorer)
    assert page.locator(".autoencoder-lab-explorer").get_attribute("data-engine") == "worker"
    assert page.locator(".notice", has_text="million multiplications").is_visible()
    with painted(page):
        page.locator("canvas.map").press("Shift+ArrowRight")
    wait_for(page, f"{MODEL}.counters.draws >= {MODEL}.counters.frames")
    same_pixels(page, model)


def nan_model(data: lab.ImageData) -> Any:
    model = build("dense", data)
    with torch.no_grad():
        next(model.parameters())[0, 0] = torch.nan
    return model


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda data: lab.DenseAutoencoder(2, data.shape, hidden=(8,)), "has not been trained"),
        (nan_model, "NaN or infinite"),
        (lambda data: lab.PCA(2, data.shape), "call pca.fit"),
    ],
    ids=["untrained", "nan", "unfitted"],
)
def test_what_is_wrong_with_a_model_stands_in_the_page(
    open_page: Open, tiny: lab.ImageData, make: Callable[[Any], Any], said: str
) -> None:
    page = open_page(lab.explore(make(tiny), tiny))
    assert page.get_by_text(said).first.is_visible()


@pytest.mark.parametrize("which", ["one image", "one class"])
def test_few_images_and_one_class(open_page: Open, tiny: lab.ImageData, which: str) -> None:
    model = build("dense", tiny)
    same = tiny.test.labels == tiny.test.labels[0]
    split = lab.Split(tiny.test.images[same], tiny.test.labels[same], tiny.test.classes)
    page = open_page(lab.explore(model, split[:1] if which == "one image" else split))
    with painted(page):
        page.locator("canvas.map").press("n")
    same_pixels(page, model)
    assert page.locator(".legend button").count() == 1


def test_classes_can_be_hidden_and_are_told_apart_by_their_markers(open_page: Open, tiny: lab.ImageData) -> None:
    page = open_page(lab.explore(build("dense", tiny), tiny))
    samples = [canvas_bytes(page, ".legend canvas", k) for k in range(10)]
    alpha = [
        page.locator(".legend canvas")
        .nth(k)
        .evaluate("c => [...c.getContext('2d').getImageData(0, 0, 32, 32).data].filter((_, i) => i % 4 === 3)")
        for k in range(10)
    ]
    assert len(samples) == 10
    for i in range(10):  # the shapes alone differ, whatever the colours: clearly, not by a pixel
        for j in range(i):
            assert np.mean((np.array(alpha[i]) > 127) != (np.array(alpha[j]) > 127)) > 0.03, (i, j)
    before = page.locator("canvas.map").screenshot()
    page.get_by_role("button", name="3", exact=True).click()
    wait_for(page, f"!{MODEL}.frame")
    assert page.get_by_role("button", name="3", exact=True).get_attribute("aria-pressed") == "false"
    assert page.locator("canvas.map").screenshot() != before


def test_the_read_out_is_announced_politely_and_once(open_page: Open, tiny: lab.ImageData) -> None:
    page = open_page(lab.explore(build("dense", tiny), tiny))
    assert page.locator(".spoken").get_attribute("role") == "status"
    page.evaluate("""() => {
        window.said = [];
        new MutationObserver(() => said.push(document.querySelector(".spoken").textContent)).observe(
            document.querySelector(".spoken"), { childList: true });
    }""")
    for _ in range(10):
        page.locator("canvas.map").press("ArrowRight")
    wait_for(page, "said.at(-1) === document.querySelector('.readout').innerText")
    said = page.evaluate("said")
    assert "Nearest image" in said[-1]
    assert len(said) < 10


def test_reduced_motion_is_known_and_dark_and_forced_colours_are_honoured(open_page: Open, tiny: lab.ImageData) -> None:
    explorer = lab.explore(build("dense", tiny), tiny)
    colours = {}
    for scheme in ("light", "dark"):
        page = open_page(explorer, color_scheme=scheme, reduced_motion="reduce")
        assert value(page, "reducedMotion") is True
        root = page.locator(".autoencoder-lab-explorer")
        colours[scheme] = root.evaluate("e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]")
        corner = canvas_bytes(page, "canvas.map")[:, 5, -5].mean()
        assert (corner > 128) == (scheme == "light")
    assert colours["light"] != colours["dark"]
    page = open_page(explorer, forced_colors="active")
    selected = page.locator("[role=tab][aria-selected=true]")
    assert selected.evaluate("e => getComputedStyle(e).borderTopWidth") == "3px"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_tab(
    open_page: Open, axe: Callable[..., list[str]], tiny: lab.ImageData, scheme: str
) -> None:
    model = lab.DenseAutoencoder(3, tiny.shape, hidden=(16,))
    explorer = lab.explore({"trained": model, "PCA": lab.PCA(3).fit(tiny.train)}, tiny)
    lab.fit(model, tiny, epochs=3, progress=False, callbacks=[explorer])
    page = open_page(explorer, color_scheme=scheme)
    tabs = page.get_by_role("tab").all_inner_texts()
    assert tabs == ["Sliders", "Morph", "Sample", "Draw", "Time"]
    for tab in tabs:
        page.get_by_role("tab", name=tab).click()
        assert axe(page, "html") == [], tab


def test_tabs_are_reached_by_arrow_keys_and_every_control_is_large_enough(open_page: Open, tiny: lab.ImageData) -> None:
    page = open_page(lab.explore(build("dense", tiny), tiny))
    page.get_by_role("tab", name="Sliders").focus()
    seen = []
    for _ in range(5):
        focused = page.locator(":focus")
        seen.append(focused.inner_text())
        panel = page.locator(f"#{focused.get_attribute('aria-controls')}")
        assert panel.is_visible()
        small = panel.locator("button, select, input").evaluate_all(
            "all => all.filter(e => e.offsetParent && Math.min(e.offsetWidth, e.offsetHeight) < 24).map(e => e.type)"
        )
        assert small == []
        page.keyboard.press("ArrowRight")
    assert seen == ["Sliders", "Morph", "Sample", "Draw", "Time"]
    assert page.locator(":focus").evaluate("e => getComputedStyle(e).outlineWidth") == "3px"


def test_without_javascript_a_picture_and_its_words_are_left(browser: Any, tiny: lab.ImageData, tmp_path: Path) -> None:
    explorer = lab.explore(build("dense", tiny), tiny)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(explorer.to_html(tmp_path / "page.html").as_uri())
    assert page.get_by_role("img").get_attribute("alt") == explorer.alt
    assert page.get_by_role("img").bounding_box()["width"] > 300
    context.close()


@pytest.mark.slow
def test_the_size_of_a_page(mnist: lab.ImageData, tmp_path: Path) -> None:
    """≤ 2.5 MB for one 28×28 model, encoder and decoder at their full default sizes."""
    few = lab.ImageData("few", mnist.train[:320], mnist.val[:50], mnist.test)
    for model in (lab.DenseAutoencoder(32), lab.ConvAutoencoder(32), lab.PCA(32).fit(mnist.train)):
        if not isinstance(model, lab.PCA):
            lab.fit(model, few, steps=20, progress=False)
        page = lab.explore(model, mnist).to_html(tmp_path / f"{model.label}.html")
        assert page.stat().st_size <= 2_500_000, model.label


@pytest.mark.long
def test_the_size_of_a_page_after_a_whole_training(mnist: lab.ImageData, tmp_path: Path) -> None:
    """≤ 8 MB with ten moments of a convolutional model."""
    few = lab.ImageData("few", mnist.train[:320], mnist.val[:50], mnist.test)
    model = lab.ConvAutoencoder(2)
    explorer = lab.explore(model, mnist)
    lab.fit(model, few, epochs=30, progress=False, callbacks=[explorer])
    assert len(explorer.moments[0]) > 10
    assert explorer.to_html(tmp_path / "ten.html").stat().st_size <= 8_000_000
