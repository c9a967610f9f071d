"""Draw, Morph and Sample on their own, with models whose pictures are a known affine function of the code."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import autoencoder_lab as lab
from autoencoder_lab.explorer import bundle

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

Array = NDArray[Any]
SIDE = 28
NAMES = "codePath, drawCodes, usualPlace, inkToBytes, damages, views"
# An app after the contract of explorer.js. Its models decode base + Σ z_d · basis_d and encode by the same basis
APP = """
const views = { Morph: morphView, Sample: sampleView, Draw: drawView };
window.lab = { NAMES };
const floats = (values) => values && Float32Array.from(values);
const rowsOf = (rows, width) =>
  Array.from({ length: rows.length / width }, (_, i) => rows.subarray(i * width, (i + 1) * width));
const sum = (list, term) => list.reduce((total, value, i) => total + term(value, i), 0);

const affine = ({ size, base, basis, decodes }, calls) => {
  const n = base.length;
  const picture = (z) => base.map((b, p) => b + sum(z, (x, d) => x * basis[d * n + p]));
  const code = (x) => Array.from({ length: size }, (_, d) => sum(x, (v, p) => (v - base[p]) * basis[d * n + p]));
  const decode = (rows) => Uint8ClampedArray.from(rowsOf(rows, size).flatMap(picture), (v) => 255 * v);
  const encode = (rows) => floats(rowsOf(rows, n).flatMap(code));
  const noted = (what, run) => (rows, slot, done) => {
    calls.push({ what, slot, rows: [...rows] });
    done(...run(rows));
  };
  return {
    decode: noted("decode", (rows) => [decode(rows)]),
    encode: noted("encode", (rows) => [encode(rows)]),
    reconstruct: noted("reconstruct", (rows) => [decode(encode(rows)), decodes ? encode(rows) : null]),
  };
};

const makeApp = (scene) => {
  const [listeners, draws] = [[], []];
  const app = {
    ...scene,
    scene,
    images: Uint8Array.from(scene.images),
    count: scene.labels.length,
    pixels: scene.shape.reduce((a, b) => a * b),
    selected: -1,
    aligned: false,
    counters: { inputs: 0, draws: 0 },
    calls: [],
    moves: [],
    said: "",
    onChange: (listener) => listeners.push(listener),
    onRefresh: (listener) => draws.push(listener),
    changed: () => listeners.forEach((listener) => listener(app)),
    refresh: () => { draws.forEach((draw) => draw()); app.changed(); },
    announce: (speaker, text = speaker) => { app.said = text; },
    move: (index, code) => {
      app.moves.push({ index, code: [...code] });
      app.models[index].code = floats(code);
      app.selected = -1;
      app.changed();
    },
  };
  app.models = scene.models.map((model, index) => {
    const { codes, mean, cholesky } = model;
    const snapshot = { step: 0, codes: floats(codes), mean: floats(mean), cholesky: floats(cholesky) };
    return { ...model, index, snapshot, code: floats(mean), ...affine(model, app.calls) };
  });
  return app;
};

// As tabs do: a view that is closed is hidden
window.openView = (scene, title, shown = true) => {
  window.app = makeApp(scene);
  window.view = views[title](app);
  const panel = document.createElement("div");
  panel.append(view.element);
  document.querySelector(".autoencoder-lab-explorer").replaceChildren(panel);
  window.setShown = (shown) => {
    panel.hidden = !shown;
    view[shown ? "show" : "hide"]?.();
  };
  setShown(shown);
};
window.reds = (canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]);
};
"""
HTML = """<!doctype html>
<html lang="en">
<head><title>View</title><style>{css} body {{ margin: 0 }}</style></head>
<body><main><h1>View</h1><div class="autoencoder-lab-explorer"></div></main></body>
<script type="module">{js}</script>
</html>"""
FRAME = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def opened(page: "Page") -> "Page":
    """The page with the three views and what they are made of, as `lab` and `openView(scene, title)`."""
    script = bundle.joined("morph", "sample", "draw") + APP.replace("NAMES", NAMES)
    page.set_content(HTML.format(css=bundle.stylesheet(), js=script))
    page.wait_for_function("Boolean(window.openView)")
    return page


@pytest.fixture
def lab_page(page: "Page") -> "Page":
    return opened(page)


@pytest.fixture(scope="module")
def functions(browser: "Browser") -> Iterator["Page"]:
    """One page for all tests of functions that leave nothing behind."""
    context = browser.new_context()
    yield opened(context.new_page())
    context.close()


def call(page: "Page", expression: str, *arguments: Any) -> Any:
    """The value of a JavaScript expression in which `a[0]`, `a[1]`, … are the arguments; arrays go as lists."""
    plain = [one.tolist() if isinstance(one, np.ndarray) else one for one in arguments]
    return page.evaluate(f"(a) => {{ const {{ {NAMES} }} = lab; return {expression}; }}", plain)


def show(page: "Page", title: str, scene: dict[str, Any]) -> None:
    page.evaluate("([scene, title]) => openView(scene, title)", [scene, title])
    settle(page)


def settle(page: "Page") -> None:
    """Two animation frames: what was asked for in the first is painted."""
    page.evaluate(FRAME)


def affine_model(name: str, size: int, images: Array, seed: int = 0, **more: Any) -> dict[str, Any]:
    """A model with an orthonormal basis (size, P); its codes are those of the images (n, P) in [0, 1]."""
    rng = np.random.default_rng(seed)
    base = images.mean(axis=0)
    basis = np.linalg.qr(rng.normal(size=(images.shape[1], size)))[0].T
    codes = (images - base) @ basis.T + rng.normal(size=size)  # not centred: their mean is no special place
    factor = np.tril(rng.normal(size=(size, size)) + 2 * np.eye(size))
    model = {
        "name": name,
        "size": size,
        "base": base.tolist(),
        "basis": basis.ravel().tolist(),
        "decodes": True,
        "encodes": True,
        "reconstructs": True,
        "prior": False,
        "noMap": "",
        "codes": codes.astype("f4").ravel().tolist(),
        "mean": codes.mean(axis=0).tolist(),
        "cholesky": factor.ravel().tolist(),
    }
    return model | more


def blobs(count: int, shape: Sequence[int] = (1, SIDE, SIDE), seed: int = 0) -> Array:
    """Smooth pictures (count, P) in [0, 1], rounded to bytes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[1], : shape[2]]
    cx, cy = (
        rng.uniform(0.3, 0.7, (2, count, shape[0], 1, 1)) * np.array([shape[2], shape[1]])[:, None, None, None, None]
    )
    pictures = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (0.04 * shape[1] * shape[2]))
    return np.round(255 * pictures).reshape(count, -1) / 255


def scene_of(models: list[dict[str, Any]], images: Array, shape: Sequence[int] = (1, SIDE, SIDE)) -> dict[str, Any]:
    return {
        "shape": list(shape),
        "classes": ["zero", "one", "two"],
        "labels": [j % 3 for j in range(len(images))],
        "images": np.round(255 * images).astype(int).ravel().tolist(),
        "models": models,
        "reducedMotion": False,
    }


def decoded(model: dict[str, Any], codes: Array) -> Array:
    """Bytes (m, P) of what the model makes of codes (m, k): round(255 · clamp), half to even."""
    basis = np.reshape(model["basis"], (model["size"], -1))
    return np.round(255 * np.clip(model["base"] + np.atleast_2d(codes) @ basis, 0, 1))


def codes_of(model: dict[str, Any]) -> Array:
    return np.reshape(model["codes"], (-1, model["size"]))


def pixels(canvas: "Locator") -> Array:
    return np.array(canvas.evaluate("(canvas) => reds(canvas)"))


def group(page: "Page", name: str) -> "Locator":
    return page.get_by_role("group", name=name, exact=True)


# --- Morph ---------------------------------------------------------------------------------------------


def slerp(a: Array, b: Array, t: float) -> Array:
    angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


PATH = """(({ arc, at }) => ({ arc, at: a[3].map((t) => [...at(t)]) }))(
  codePath(Float32Array.from(a[0]), Float32Array.from(a[1]), a[2]))"""
TIMES = [0.0, 0.125, 0.3, 0.5, 0.875, 1.0]


@pytest.mark.parametrize("size", [2, 5, 64])
def test_spherical_path_is_slerp_round_the_centre(functions: "Page", size: int) -> None:
    rng = np.random.default_rng(size)
    a, b, centre = rng.normal(size=(3, size)).astype("f4").astype(float)
    path = call(functions, PATH, a, b, centre, TIMES)
    assert path["arc"]
    expected = [centre + slerp(a - centre, b - centre, t) for t in TIMES]
    assert np.allclose(path["at"], expected, atol=2e-6)
    assert path["at"][0] == a.tolist() and path["at"][-1] == b.tolist()


def test_spherical_path_keeps_the_norm_where_both_ends_have_it(functions: "Page") -> None:
    rng = np.random.default_rng(1)
    a, b, centre = rng.normal(size=(3, 8))
    b = centre + (b - centre) * np.linalg.norm(a - centre) / np.linalg.norm(b - centre)
    path = call(functions, PATH, a, b, centre, TIMES)
    norms = np.linalg.norm(np.array(path["at"]) - centre, axis=1)
    assert np.allclose(norms, norms[0], atol=1e-5)
    middle = np.linalg.norm((a + b) / 2 - centre)
    assert middle < 0.9 * norms[0]  # the straight way would have come nearer to the centre


@pytest.mark.parametrize(
    ("a", "b", "centre"),
    [
        ([1.0, 2.0], [2.0, 4.0], [0.0, 0.0]),
        ([1.0, 2.0], [-2.0, -4.0], [0.0, 0.0]),
        ([1.0, 2.0], [1.0, 2.0], [3.0, 3.0]),
        ([3.0, 3.0], [1.0, 2.0], [3.0, 3.0]),
        ([0.5], [-1.5], [0.25]),
        ([1.0, 2.0], [4.0, -1.0], None),
    ],
)
def test_the_path_is_straight_where_there_is_no_arc(functions: "Page", a: Any, b: Any, centre: Any) -> None:
    path = call(functions, PATH, a, b, centre, TIMES)
    assert not path["arc"]
    assert np.allclose(path["at"], [(1 - t) * np.array(a) + t * np.array(b) for t in TIMES], atol=1e-6)


@pytest.fixture
def two_models() -> dict[str, Any]:
    images = blobs(9)
    return scene_of([affine_model("first", 3, images), affine_model("second", 2, images, 1, prior=True)], images)


@pytest.mark.parametrize("path", ["straight", "spherical"])
def test_filmstrips_show_what_each_model_decodes_on_its_path(
    lab_page: "Page", two_models: dict[str, Any], path: str
) -> None:
    show(lab_page, "Morph", two_models)
    lab_page.get_by_role("spinbutton", name="Image B").fill("5")
    lab_page.get_by_role("spinbutton", name="Image B").press("Enter")
    lab_page.get_by_label("Path").select_option(path)
    settle(lab_page)
    times = np.arange(9) / 8
    for model in two_models["models"]:
        a, b = codes_of(model)[[0, 5]]
        centre = np.zeros(len(a)) if model["prior"] else np.array(model["mean"])
        way = {
            "straight": lambda t, a=a, b=b: a + t * (b - a),
            "spherical": lambda t, a=a, b=b, c=centre: c + slerp(a - c, b - c, t),
        }[path]
        expected = decoded(model, np.array([way(t) for t in times]))
        strip = group(lab_page, model["name"])
        shown = np.array([pixels(canvas) for canvas in strip.locator("canvas").all()])
        assert shown.shape == expected.shape and np.abs(shown - expected).max() <= 1
        round_ = "An arc round the " + ("prior's mean." if model["prior"] else "mean of the codes.")
        assert ({"straight": "A straight line.", "spherical": round_}[path]) in strip.inner_text()


def test_t_moves_every_model_along_its_own_path(lab_page: "Page", two_models: dict[str, Any]) -> None:
    show(lab_page, "Morph", two_models)
    slider = lab_page.get_by_label("From A to B")
    ends = {"Home": 0.0, "End": 1.0}
    for key in ("End", "Home"):
        slider.press(key)
        for i, model in enumerate(two_models["models"]):
            now = lab_page.evaluate("(i) => [...app.models[i].code]", i)
            a, b = codes_of(model)[[0, 1]]
            assert np.array_equal(np.array(now, dtype="f4"), (b if ends[key] else a).astype("f4"))
    assert lab_page.evaluate("app.moves.every((move) => move.index === 0)")
    frame = group(lab_page, "second").get_by_role("button", name="0.25")
    frame.focus()
    lab_page.keyboard.press("Enter")
    assert slider.get_attribute("aria-valuetext") == "t = 0.25"
    last = lab_page.evaluate("app.moves.at(-1)")
    a, b = codes_of(two_models["models"][1])[[0, 1]]
    assert last["index"] == 1 and np.allclose(last["code"], 0.75 * a + 0.25 * b, atol=1e-6)


def test_aligned_models_follow_one_another(lab_page: "Page", two_models: dict[str, Any]) -> None:
    show(lab_page, "Morph", two_models)
    lab_page.evaluate("app.aligned = true; app.models[1].code = Float32Array.of(7, 7)")
    lab_page.get_by_label("From A to B").press("End")
    assert lab_page.evaluate("[...app.models[1].code]") == [7, 7]


def test_ends_are_chosen_and_kept_inside(lab_page: "Page", two_models: dict[str, Any]) -> None:
    show(lab_page, "Morph", two_models)
    a, b, chosen = (
        lab_page.get_by_role("spinbutton", name="Image A"),
        lab_page.get_by_role("spinbutton", name="Image B"),
        lab_page.get_by_role("button", name="Image A = chosen image"),
    )
    assert chosen.is_disabled() and b.input_value() == "1"
    lab_page.evaluate("app.selected = 4; app.changed()")
    chosen.click()
    assert a.input_value() == "4"
    b.fill("99")
    b.press("Enter")
    assert b.input_value() == "8"
    b.fill("")
    b.press("Enter")
    assert b.input_value() == "0"
    settle(lab_page)
    for model in two_models["models"]:
        last = pixels(group(lab_page, model["name"]).locator("canvas").last)
        assert np.abs(last - decoded(model, codes_of(model)[0])[0]).max() <= 1


def test_morph_with_a_code_of_one_number_and_equal_ends(lab_page: "Page") -> None:
    images = blobs(3)
    model = affine_model("line", 1, images)
    show(lab_page, "Morph", scene_of([model], images))
    lab_page.get_by_label("Path").select_option("spherical")
    settle(lab_page)
    assert "A straight line." in group(lab_page, "line").inner_text()  # there is no arc
    lab_page.get_by_role("spinbutton", name="Image B").fill("0")
    lab_page.get_by_role("spinbutton", name="Image B").press("Enter")
    settle(lab_page)
    shown = np.array([pixels(canvas) for canvas in group(lab_page, "line").locator("canvas").all()])
    assert len(shown) == 9 and np.abs(shown - decoded(model, codes_of(model)[0])).max() <= 1


# --- Sample --------------------------------------------------------------------------------------------


def drawn(page: "Page", count: int, seed: int, mean: Array, cholesky: Array | None) -> Array:
    factor = None if cholesky is None else cholesky.ravel()
    call_ = "[...drawCodes(a[0], a[1], Float32Array.from(a[2]), a[3])]"
    return np.reshape(call(page, call_, count, seed, mean, factor), (count, -1))


def test_drawn_codes_have_the_mean_and_the_covariance_asked_for(functions: "Page") -> None:
    n = 20_000
    mean = np.array([1.0, -2.0, 0.5])
    factor = np.array([[2.0, 0, 0], [-1.0, 0.5, 0], [0.3, 0.7, 1.5]])
    covariance = factor @ factor.T
    z = drawn(functions, n, 3, mean, factor)
    # standard errors: sqrt(C_ii / n) of a mean, sqrt((C_ii·C_jj + C_ij²) / n) of a covariance; five of them
    spread = np.sqrt(np.diag(covariance))
    assert (np.abs(z.mean(axis=0) - mean) < 5 * spread / n**0.5).all()
    error = np.sqrt((np.outer(spread, spread) ** 2 + covariance**2) / n)
    assert (np.abs(np.cov(z.T) - covariance) < 5 * error).all()


def test_seed_and_count_of_drawn_codes(functions: "Page") -> None:
    mean, factor = np.array([1.0, -2.0]), np.array([[2.0, 0], [-1.0, 0.5]])
    z = drawn(functions, 12, 5, mean, factor)
    assert np.array_equal(z, drawn(functions, 12, 5, mean, factor))
    assert not np.array_equal(z, drawn(functions, 12, 6, mean, factor))
    assert np.array_equal(z, drawn(functions, 24, 5, mean, factor)[:12])
    prior = drawn(functions, 12, 5, np.zeros(2), None)
    assert np.allclose(prior @ factor.T + mean, z, atol=1e-6)  # the same noise under both laws


def test_samples_are_decoded_labelled_and_moved_to(lab_page: "Page") -> None:
    images = blobs(9)
    models = [affine_model("fitted", 2, images), affine_model("prior", 2, images, 1, prior=True)]
    show(lab_page, "Sample", scene_of(models, images))
    lab_page.get_by_label("Seed", exact=True).fill("4")
    lab_page.get_by_label("Seed", exact=True).press("Enter")
    settle(lab_page)
    noise = drawn(lab_page, 12, 4, np.zeros(2), None)
    for index, model in enumerate(models):
        part = group(lab_page, model["name"])
        factor = np.reshape(model["cholesky"], (2, 2))
        codes = noise if model["prior"] else np.array(model["mean"]) + noise @ factor.T
        shown = np.array([pixels(canvas) for canvas in part.locator("canvas").all()])
        assert np.abs(shown - decoded(model, codes)).max() <= 1
        nearest = ((codes[:, None] - codes_of(model)[None]) ** 2).sum(axis=2).argmin(axis=1)
        assert part.locator("span").all_text_contents() == [f"near {['zero', 'one', 'two'][j % 3]}" for j in nearest]
        part.get_by_role("button").nth(7).click()
        last = lab_page.evaluate("app.moves.at(-1)")
        assert last["index"] == index and np.allclose(last["code"], codes[7], atol=1e-5)
    for name, law in (("fitted", "Gaussian fitted"), ("prior", "prior, N(0, I)")):
        assert law in group(lab_page, name).inner_text()
    lab_page.get_by_label("Codes from").select_option("a Gaussian fitted to the codes")
    settle(lab_page)
    assert "Gaussian fitted" in group(lab_page, "prior").inner_text()


def test_a_generator_samples_from_its_prior_and_names_no_class(lab_page: "Page") -> None:
    images = blobs(4)
    gan = affine_model("GAN", 3, images, prior=True, encodes=False, codes=[], noMap="GAN has no encoder.")
    show(lab_page, "Sample", scene_of([gan], images))
    lab_page.get_by_label("Codes from").select_option("a Gaussian fitted to the codes")
    lab_page.get_by_text("Next seed").click()
    settle(lab_page)
    part = group(lab_page, "GAN")
    shown = np.array([pixels(canvas) for canvas in part.locator("canvas").all()])
    assert np.abs(shown - decoded(gan, drawn(lab_page, 12, 1, np.zeros(3), None))).max() <= 1
    assert "N(0, I)" in part.inner_text() and "near zero" not in part.inner_text()


# --- Draw: the functions -------------------------------------------------------------------------------


def lopsided(size: float) -> Array:
    """Ink far from the middle of 280 by 280: a thick stroke down and a thin one across, 8·size by 12·size pixels."""
    ink = np.zeros((280, 280))
    top, left, unit = 15, 8, round(10 * size)
    ink[top : top + 12 * unit, left : left + 3 * unit] = 255
    ink[top + 10 * unit : top + 12 * unit, left : left + 8 * unit] = 255
    return ink


RGBA = "a[0].flatMap((point) => (point.length ? [...point, 255] : [point, point, point, 255]))"
INK = f"[...inkToBytes({{ data: {RGBA}, width: a[1], height: a[2] }}, a[3], a[4])]"


def to_image(page: "Page", ink: Array, shape: Sequence[int], place: dict[str, Any] | None) -> Array:
    """(C, H, W) bytes of ink (height, width) or (height, width, 3)."""
    points = ink.reshape(-1, *ink.shape[2:]).astype(int)
    found = call(page, INK, points, ink.shape[1], ink.shape[0], list(shape), place)
    return np.reshape(found, shape)


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 5, 7), (2, 4, 4)])
def test_a_pixel_is_the_mean_of_the_ink_under_it(functions: "Page", shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    zoom, (channels, height, width) = 6, shape
    ink = rng.integers(0, 256, (height * zoom, width * zoom, 3))
    means = ink.reshape(height, zoom, width, zoom, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
    grey = np.tensordot([0.299, 0.587, 0.114], means, axes=1)  # ITU-R BT.601, as lab.corrupt.grayscale
    found = to_image(functions, ink, shape, None)
    assert np.abs(found - (means if channels == 3 else np.broadcast_to(grey, shape))).max() <= 0.51


def middle_of(image: Array) -> tuple[float, float]:
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    return (image * columns).sum() / image.sum(), (image * rows).sum() / image.sum()


def box_of(image: Array) -> tuple[int, int]:
    inked = image >= 64
    return np.ptp(np.flatnonzero(inked.any(axis=0))) + 1, np.ptp(np.flatnonzero(inked.any(axis=1))) + 1


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("size", [0.5, 1.0, 2.0])
def test_centring_places_ink_as_mnist_was_placed(functions: "Page", turns: int, size: float) -> None:
    ink = np.rot90(lopsided(size), turns)
    image = to_image(functions, ink, (1, SIDE, SIDE), {"side": 20, "centre": [14, 14]})[0]
    assert np.allclose(middle_of(image), 14, atol=0.15)
    width, height = box_of(image)
    assert max(width, height) in (20, 21)  # a box of 20 pixels may lie across 21
    assert abs(min(width, height) - 20 * 8 / 12) <= 1  # the form stays: 8 by 12


def test_centring_loses_no_ink_where_the_box_fills_the_image(functions: "Page") -> None:
    ink = lopsided(1)
    image = to_image(functions, ink, (1, SIDE, SIDE), {"side": SIDE, "centre": [14, 14]})[0]
    assert image.sum() == pytest.approx(ink.sum() / 100 * (SIDE / 12) ** 2, rel=0.02)
    assert max(box_of(image)) == SIDE


def test_ink_is_placed_as_the_shown_images_are(functions: "Page", mnist: lab.ImageData) -> None:
    images = (mnist.test.images[:200] * 255).round().int().flatten().numpy()
    app = "({ images: Uint8Array.from(a[0]), pixels: 784, count: 200, shape: [1, 28, 28] })"
    place = call(functions, f"usualPlace({app})", images)
    assert place["side"] == pytest.approx(20, abs=0.1)  # LeCun et al. (1998): fitted into 20 by 20 pixels …
    assert all(14 <= at <= 15 for at in place["centre"])  # … and moved by whole pixels until the middle is there


def test_paper_without_ink_stays_black(functions: "Page") -> None:
    assert not to_image(functions, np.zeros((280, 280)), (1, SIDE, SIDE), {"side": 20, "centre": [14, 14]}).any()


DAMAGE = "[...Float32Array.from(a[1]).map(damages(a[2], a[3], a[4])[a[0]])]"


def damaged(page: "Page", kind: str, x: Array, amount: float, seed: int = 1) -> Array:
    found = call(page, DAMAGE, kind, x.ravel(), list(x.shape), amount, seed)
    return np.reshape(found, x.shape).astype("f4")


COLOUR = (3, 60, 80)  # 4,800 positions: a share has a binomial standard deviation of at most 0.72 %; margin five
MARGIN = 0.036


def test_gaussian_noise_has_its_standard_deviation_and_is_clipped(functions: "Page") -> None:
    noise = damaged(functions, "Gaussian noise", np.full(COLOUR, 0.5), 0.05) - 0.5
    # of n = 14,400 draws the standard deviation is known to σ/√(2n), the mean to σ/√n; five of each
    assert abs(noise.std() / 0.05 - 1) < 5 / (2 * noise.size) ** 0.5
    assert abs(noise.mean()) < 5 * 0.05 / noise.size**0.5
    assert abs(np.corrcoef(noise.reshape(3, -1)) - np.eye(3)).max() < 5 / 4800**0.5  # every channel its own
    wild = damaged(functions, "Gaussian noise", np.full(COLOUR, 0.5), 100)
    assert set(np.unique(wild)) >= {0, 1} and wild.min() >= 0 and wild.max() <= 1


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 1])
def test_salt_and_pepper_in_equal_shares_all_channels_alike(functions: "Page", share: float) -> None:
    x = damaged(functions, "salt and pepper", np.full(COLOUR, 0.4), share)
    pepper, salt, kept = ((x == np.float32(value)).all(axis=0) for value in (0, 1, 0.4))
    assert (pepper | salt | kept).all()
    assert abs(pepper.mean() - share / 2) <= MARGIN and abs(salt.mean() - share / 2) <= MARGIN


@pytest.mark.parametrize("share", [0, 0.25, 1])
def test_missing_pixels_are_the_share_asked_for(functions: "Page", share: float) -> None:
    clean = np.random.default_rng(0).uniform(0.1, 1, COLOUR).astype("f4")
    x = damaged(functions, "missing pixels", clean, share)
    lost = (x == 0).all(axis=0)
    assert (lost | (x == clean).all(axis=0)).all()
    assert abs(lost.mean() - share) <= MARGIN


def test_more_of_a_damage_is_the_same_damage_and_more(functions: "Page") -> None:
    clean = np.full(COLOUR, 0.4)
    less, more = (damaged(functions, "missing pixels", clean, share, seed=3) == 0 for share in (0.2, 0.3))
    assert (more | ~less).all() and more.sum() > less.sum()
    assert np.array_equal(less, damaged(functions, "missing pixels", clean, 0.2, seed=3) == 0)
    assert not np.array_equal(less, damaged(functions, "missing pixels", clean, 0.2, seed=4) == 0)


@pytest.mark.parametrize(("amount", "side"), [(0.1, 1), (0.5, 5), (0.3, 3), (1, 9)])
def test_a_hole_is_one_box_that_lies_anywhere(functions: "Page", amount: float, side: int) -> None:
    clean = np.random.default_rng(0).uniform(0.1, 1, (3, 9, 12)).astype("f4")
    places = set()
    for seed in range(30):
        x = damaged(functions, "a hole", clean, amount, seed)
        lost = (x == 0).all(axis=0)
        rows, columns = np.flatnonzero(lost.any(axis=1)), np.flatnonzero(lost.any(axis=0))
        expected = clean.copy()
        expected[:, rows[0] : rows[0] + side, columns[0] : columns[0] + side] = 0
        assert (len(rows), len(columns)) == (side, side) and np.array_equal(x, expected)
        places.add((rows[0], columns[0]))
    ways = (9 - side + 1) * (12 - side + 1)
    assert len(places) > min(ways / 2, 10)  # with every seed another place, as far as there are others


def test_no_damage_is_none(functions: "Page") -> None:
    clean = np.random.default_rng(0).uniform(0, 1, (1, 4, 4)).astype("f4")
    assert np.array_equal(damaged(functions, "none", clean, 0.5), clean)


# --- Draw: the view ------------------------------------------------------------------------------------


@pytest.fixture
def pad(lab_page: "Page") -> "Locator":
    """The pad of a Draw view with one model of 2 code values and one that only reconstructs."""
    images = blobs(6)
    whole = affine_model("whole", 4, images, 2, decodes=False, codes=[], noMap="whole has no map.")
    show(lab_page, "Draw", scene_of([affine_model("model", 2, images), whole], images))
    return lab_page.get_by_role("application")


def stroke(pad: "Locator", *points: tuple[float, float]) -> None:
    """Through points in pixels of the image, with the mouse."""
    box = pad.bounding_box()
    assert box is not None
    scale = box["width"] / SIDE
    at = [(box["x"] + x * scale, box["y"] + y * scale) for x, y in points]
    pad.page.mouse.move(*at[0])
    pad.page.mouse.down()
    for x, y in at[1:]:
        pad.page.mouse.move(x, y)
    pad.page.mouse.up()
    settle(pad.page)


def picture_named(page: "Page", name: str) -> "Locator":
    return page.get_by_role("img", name=name, exact=True)


def last_call(page: "Page", index: int = -1) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("(i) => app.calls.at(i)", index)
    return found


def test_nothing_is_reconstructed_before_something_is_drawn(lab_page: "Page", pad: "Locator") -> None:
    assert lab_page.get_by_text("Draw something.").is_visible() and not lab_page.evaluate("app.calls.length")
    assert not group(lab_page, "model").is_visible()
    stroke(pad, (5, 5), (20, 20))
    assert not lab_page.get_by_text("Draw something.").is_visible() and group(lab_page, "model").is_visible()
    lab_page.get_by_text("Clear").click()
    settle(lab_page)
    assert lab_page.get_by_text("Draw something.").is_visible() and not group(lab_page, "model").is_visible()


def test_a_drawing_is_reconstructed_measured_named_and_moved_to(lab_page: "Page", pad: "Locator") -> None:
    stroke(pad, (6, 8), (14, 20), (22, 8))
    clean = pixels(picture_named(lab_page, "Drawn"))
    assert clean.max() == 255 and 20 <= (clean > 0).sum() <= 200
    scene = lab_page.evaluate("app.scene")
    model, whole = scene["models"]
    for one in (model, whole):
        basis = np.reshape(one["basis"], (one["size"], -1))
        code = (clean / 255 - one["base"]) @ basis.T
        expected = decoded(one, code)[0]
        part = group(lab_page, one["name"])
        assert np.abs(pixels(part.get_by_role("img", name="Reconstruction")) - expected).max() <= 1
        error = ((clean - expected) ** 2).mean() / 255**2
        assert f"Squared error per pixel {error:.4f}." in part.inner_text()
        where = part.get_by_role("button", name="Go there")
        assert where.is_visible() == one["decodes"]
        if one["decodes"]:
            apart = np.linalg.norm(codes_of(one) - code, axis=1)
            nearest = scene["classes"][scene["labels"][apart.argmin()]]
            assert f"Nearest code: {nearest}." in part.inner_text()
            where.click()
            move = lab_page.evaluate("app.moves.at(-1)")
            assert move["index"] == 0 and np.allclose(move["code"], code, atol=1e-4)
    assert lab_page.evaluate("app.said").startswith("whole: Squared error")


def test_keys_draw_what_the_pointer_draws(lab_page: "Page", pad: "Locator") -> None:
    path = [(14.0, 14.0 - i) for i in range(6)] + [(14.0 + i, 9.0) for i in range(1, 5)]
    stroke(pad, *path)
    by_pointer = pixels(pad)
    lab_page.get_by_text("Undo").click()
    assert not pixels(pad).any()
    show(lab_page, "Draw", lab_page.evaluate("app.scene"))  # the keys' pen begins in the middle
    pad.focus()
    for key in ["Space", *["ArrowUp"] * 5, *["ArrowRight"] * 4, "Space"]:
        lab_page.keyboard.press(key)
    assert by_pointer.sum() > 0 and np.array_equal(pixels(pad), by_pointer)
    settle(lab_page)
    lab_page.keyboard.press("ArrowDown")
    assert lab_page.evaluate("app.said") == "Pen up at 18, 10"


def test_undo_restores_the_pixels(lab_page: "Page", pad: "Locator") -> None:
    def ink() -> str:
        return str(pad.evaluate("(canvas) => canvas.toDataURL()"))  # PNG: nothing is lost

    blank = ink()
    stroke(pad, (5, 5), (9, 20), (20, 22))
    first = ink()
    stroke(pad, (20, 4), (6, 18))
    second, before = ink(), pixels(pad)
    assert len({blank, first, second}) == 3
    lab_page.get_by_text("Invert").click()
    assert np.array_equal(pixels(pad), 255 - before)
    lab_page.get_by_text("Undo").click()
    assert ink() == second
    pad.press("Delete")
    assert ink() == blank
    lab_page.get_by_text("Undo").click()
    assert ink() == second
    for expected in (first, blank, blank):
        lab_page.get_by_text("Undo").click()
        assert ink() == expected


def test_a_real_image_begins_exactly_as_it_is(lab_page: "Page", pad: "Locator") -> None:
    images = np.reshape(lab_page.evaluate("app.scene.images"), (6, -1))
    number = lab_page.get_by_role("spinbutton", name="Start image")
    lab_page.evaluate("app.selected = 4; app.changed()")
    lab_page.get_by_text("Start image = chosen image").click()
    settle(lab_page)
    assert np.array_equal(pixels(picture_named(lab_page, "Drawn")), images[4])
    assert number.input_value() == "4"
    assert not lab_page.get_by_label("Centre the drawing").is_checked()
    number.fill("2")
    number.press("Enter")
    settle(lab_page)
    assert np.array_equal(pixels(picture_named(lab_page, "Drawn")), images[2])


def test_noise_stands_still_until_new_noise_is_asked_for(lab_page: "Page", pad: "Locator") -> None:
    lab_page.get_by_label("Centre the drawing").uncheck()
    lab_page.get_by_label("Damage").select_option("missing pixels")
    stroke(pad, (3, 3), (25, 3))
    one = last_call(lab_page)["rows"]
    assert np.allclose(np.round(255 * np.array(one)), pixels(picture_named(lab_page, "Given to the models")))
    stroke(pad, (3, 25), (25, 25))
    two = last_call(lab_page)["rows"]
    assert two[: 14 * SIDE] == one[: 14 * SIDE] and two != one
    lab_page.get_by_text("New noise").click()
    settle(lab_page)
    assert last_call(lab_page)["rows"][: 14 * SIDE] != one[: 14 * SIDE]
    clean = pixels(picture_named(lab_page, "Drawn")) / 255
    lost = (np.array(last_call(lab_page)["rows"]) == 0) & (clean > 0)
    assert 0 < lost.sum() < (clean > 0).sum()


def test_new_noise_moves_the_hole(lab_page: "Page", pad: "Locator") -> None:
    lab_page.get_by_label("Centre the drawing").uncheck()
    lab_page.get_by_label("Damage").select_option("a hole")
    lab_page.get_by_text("Invert").click()
    holes = []
    for _ in range(2):
        settle(lab_page)
        holes.append(np.array(last_call(lab_page)["rows"]) == 0)
        lab_page.get_by_text("New noise").click()
    assert all(hole.sum() == 81 for hole in holes)  # 0.3 of 28 pixels, rounded up, both ways
    assert not np.array_equal(*holes)


def test_a_loaded_picture_is_cropped_scaled_and_inverted(lab_page: "Page", pad: "Locator", tmp_path: Path) -> None:
    colours = np.zeros((300, 500, 3), dtype=np.uint8)
    colours[:, :100], colours[:, 400:] = 255, 255  # cropped away
    colours[:, 250:400] = [200, 100, 50]
    Image.fromarray(colours).save(tmp_path / "wide.png")
    lab_page.get_by_label("Centre the drawing").uncheck()
    lab_page.get_by_label("Load a picture").set_input_files(tmp_path / "wide.png")
    lab_page.wait_for_function("app.calls.length > 0")
    grey = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    image = pixels(picture_named(lab_page, "Drawn")).reshape(SIDE, SIDE)
    assert np.abs(image[:, :13]).max() <= 1 and np.abs(image[:, 15:] - grey).max() <= 1
    lab_page.get_by_text("Invert").click()
    settle(lab_page)
    assert np.abs(pixels(picture_named(lab_page, "Drawn")) - (255 - image.ravel())).max() <= 1
    (tmp_path / "words.txt").write_text("no picture", encoding="utf-8")
    lab_page.get_by_label("Load a picture").set_input_files(tmp_path / "words.txt")
    lab_page.get_by_text("no picture that the browser can read").wait_for()


def test_colour_pictures_keep_their_colours(lab_page: "Page", tmp_path: Path) -> None:
    shape = (3, 10, 10)
    images = blobs(3, shape)
    show(lab_page, "Draw", scene_of([affine_model("model", 2, images)], images, shape))
    Image.new("RGB", (40, 60), (10, 120, 230)).save(tmp_path / "flat.png")
    lab_page.get_by_label("Load a picture").set_input_files(tmp_path / "flat.png")
    lab_page.wait_for_function("app.calls.length > 0")
    found = np.reshape(last_call(lab_page)["rows"], shape) * 255
    assert np.abs(found - np.array([10, 120, 230])[:, None, None]).max() <= 1


# --- all views -----------------------------------------------------------------------------------------

TITLES = ("Draw", "Morph", "Sample")


@pytest.mark.parametrize("title", TITLES)
def test_nothing_is_computed_while_hidden(lab_page: "Page", two_models: dict[str, Any], title: str) -> None:
    count = "app.calls.length"
    lab_page.evaluate("([scene, title]) => { openView(scene, title, false); app.refresh(); }", [two_models, title])
    settle(lab_page)
    assert lab_page.evaluate(count) == 0
    show(lab_page, title, two_models)
    if title == "Draw":
        stroke(lab_page.get_by_role("application"), (5, 5), (20, 20))
    shown = lab_page.evaluate(count)
    assert shown >= 2
    settle(lab_page)
    assert lab_page.evaluate(count) == shown  # nothing new: nothing done again
    new = "for (const model of app.models) model.snapshot = { ...model.snapshot }; app.refresh()"
    lab_page.evaluate(f"setShown(false); {new}")
    settle(lab_page)
    assert lab_page.evaluate(count) == shown
    lab_page.evaluate("setShown(true)")
    settle(lab_page)
    assert lab_page.evaluate(count) == shown + 2
    lab_page.evaluate(new)
    settle(lab_page)
    assert lab_page.evaluate(count) == shown + 4


@pytest.mark.parametrize("title", TITLES)
def test_a_view_says_which_models_it_cannot_use(lab_page: "Page", title: str) -> None:
    images = blobs(4)
    only_decodes = {"encodes": False, "reconstructs": False, "noMap": "GAN has no encoder: no map."}
    gan = affine_model("GAN", 2, images, prior=True, codes=[], **only_decodes)
    whole = affine_model("U-Net", 2, images, decodes=False, codes=[], noMap="U-Net has no map.")
    show(lab_page, title, scene_of([gan, whole], images))
    text = lab_page.locator(".autoencoder-lab-explorer").inner_text()
    said = {
        "Draw": ["GAN has no encoder: no map."],
        "Morph": ["GAN has no encoder: no map.", "U-Net has no map."],
        "Sample": ["U-Net has no map."],
    }[title]
    assert all(sentence in text for sentence in said)
    show(lab_page, title, scene_of([whole if title == "Sample" else gan], images))
    assert lab_page.locator("button, input, canvas").count() == 0
    nothing = dict.fromkeys(("decodes", "encodes", "reconstructs"), False)
    broken = affine_model("broken", 2, images, codes=[], problem="broken gives NaN.", **nothing)
    show(lab_page, title, scene_of([broken], images))
    assert lab_page.locator(".autoencoder-lab-explorer").inner_text() == "broken gives NaN."


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_views_are_accessible(
    lab_page: "Page", axe: Callable[..., list[str]], two_models: dict[str, Any], title: str, scheme: Any
) -> None:
    lab_page.emulate_media(color_scheme=scheme)
    show(lab_page, title, two_models)
    if title == "Draw":
        stroke(lab_page.get_by_role("application"), (5, 5), (20, 20))
        lab_page.get_by_label("Damage").select_option("a hole")
    assert axe(lab_page) == []
    tall = lab_page.evaluate(
        "[...document.querySelectorAll('button, input, select')].filter((node) => node.offsetParent)"
        ".map((node) => Math.min(node.offsetWidth, node.offsetHeight))"
    )
    assert min(tall) >= 24
