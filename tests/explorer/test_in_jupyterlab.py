"""Explorer and game in a real JupyterLab: they draw, answer keys and drags, and survive what is done to a kernel."""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from explorer import probe
from explorer.browser import Watch
from explorer.jupyterlab import JupyterLab, Notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

SETUP = """
import ipywidgets
import torch
import autoencoder_lab as lab
torch.set_num_threads(1)
data = lab.load("mnist-5k")
model = lab.DenseAutoencoder(2)
history = lab.fit(model, data, steps=100, progress=False)

def pixels(*code):
    with torch.inference_mode():
        picture = model.decode(torch.tensor([code]))
    return (255 * picture.clamp(0, 1)).round().int().flatten().tolist()

def live():
    return len(ipywidgets.widgets.widget._instances)
"""
EXPLORE = "lab.explore(model, data, count=200, engine={!r})"
BUSY = """
from pathlib import Path
print("running")
while not Path("stop").exists():
    sum(range(10_000))
Path("stop").unlink()
"""
AGAIN = """
import autoencoder_lab as lab
data = lab.load("digits")
lab.explore(lab.PCA(2).fit(data.train), data, engine="kernel")
"""
DIE = "import os; os._exit(1)"
TRAIN = "interrupted = lab.fit(model, data, epochs=500, callbacks=[explorer])"
GAME = [
    """
import torch
import autoencoder_lab as lab
from autoencoder_lab.models.planar_game import PlanarGAN
torch.set_num_threads(1)
""",
    "lab.show_game(PlanarGAN([0], hidden=8), rounds=30, kept=8, title='In the notebook')",
]
CELLS = [SETUP, EXPLORE.format("browser"), EXPLORE.format("kernel"), BUSY, EXPLORE.format("plain")]
_, IN_BROWSER, IN_KERNEL, RUNNING, PLAIN = range(len(CELLS))
ENGINES = [pytest.param(IN_BROWSER, id="browser"), pytest.param(IN_KERNEL, id="kernel")]
PIXELS = """(canvas) => {
  const { width, height } = canvas;
  return Array.from(canvas.getContext("2d").getImageData(0, 0, width, height).data).filter((_, i) => i % 4 === 0);
}"""
COLOURS = """(canvas) => {
  const { width, height } = canvas;
  return [...new Set(new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer))];
}"""


class Explorer:
    """The explorer that the output of a cell shows."""

    def __init__(self, notebook: Notebook, cell: int) -> None:
        self.page, self.notebook, self.cell = notebook.page, notebook, cell
        self.place = f'[data-windowed-list-index="{cell}"]'
        self.root: Locator = notebook.show(cell).locator(".autoencoder-lab-explorer")
        self.root.and_(notebook.page.locator('[data-ready="true"]')).wait_for(timeout=20_000)
        self.map, self.picture = self.root.locator("canvas.map"), self.root.locator("canvas.decoded")

    def pixels(self) -> list[int]:
        """The bytes of the first channel of the decoded picture, row by row."""
        shown: list[int] = self.picture.evaluate(PIXELS)
        return shown

    def code(self) -> list[float]:
        stands: list[float] = self.root.evaluate("(root) => Array.from(root.explorer.models[0].code)")
        return stands

    def counters(self) -> dict[str, int]:
        counted: dict[str, int] = self.root.evaluate("(root) => ({ ...root.explorer.counters })")
        return counted

    def press(self, key: str) -> None:
        """Press a key on the map and wait for the picture that follows."""
        self.map.focus()
        probe.clear(self.page, f"{self.place} canvas.decoded")
        self.page.keyboard.press(key)
        self.page.wait_for_function("probe.paints.length > 0")
        probe.record(self.page, quiet=200)

    def drag(self, turns: float = 2, points: int = 120) -> probe.Record:
        """A drag in a circle, 2 s by default; what the page showed until all was quiet."""
        self.notebook.show(self.cell)  # running another cell scrolled to that
        self.map.scroll_into_view_if_needed()
        path = probe.circle(self.map, turns, points)
        probe.clear(self.page, f"{self.place} canvas.decoded")
        probe.drag(self.page, path)
        return probe.record(self.page)

    def difference_from_torch(self) -> int:
        """The largest difference of a shown pixel from what the model decodes in the kernel, of 255."""
        expected = self.notebook.evaluate(f"pixels(*{self.code()})")
        shown = self.pixels()
        assert len(expected) == len(shown)
        return max(abs(a - b) for a, b in zip(expected, shown, strict=True))


@pytest.fixture(scope="module")
def jupyterlab(browser: "Browser") -> Iterator[JupyterLab]:
    with JupyterLab() as server:
        yield server


@contextmanager
def opened(browser: "Browser", server: JupyterLab, name: str, cells: list[str]) -> Iterator[tuple[Notebook, Watch]]:
    """A notebook in a page of its own, its first cell run."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    watch = Watch(context)
    context.add_init_script(probe.SCRIPT)
    notebook = server.open(context.new_page(), cells, name)
    notebook.run(0)
    yield notebook, watch
    notebook.close()
    context.close()


@pytest.fixture(scope="module")
def shared(browser: "Browser", jupyterlab: JupyterLab) -> Iterator[tuple[Notebook, Watch]]:
    with opened(browser, jupyterlab, "shared", CELLS) as both:
        yield both


@pytest.fixture
def notebook(shared: tuple[Notebook, Watch]) -> Iterator[Notebook]:
    """A notebook that several tests use, each running the cells it needs; no test may cause a problem in its page."""
    notebook, watch = shared
    watch.problems.clear()
    yield notebook
    assert not watch.problems, "\n".join(watch.problems)


@pytest.fixture
def busy(notebook: Notebook, jupyterlab: JupyterLab) -> Iterator[Callable[[], None]]:
    """Call it to have a cell running until the end of the test."""
    started = False

    def start() -> None:
        nonlocal started
        notebook.start(RUNNING)
        notebook.page.wait_for_function(f"notebook.content.widgets[{RUNNING}].model.outputs.length > 0")
        started = True

    yield start
    if started:
        (jupyterlab.notebooks / "stop").touch()
        notebook.wait()


@pytest.mark.parametrize("cell", ENGINES)
def test_pictures_follow_the_keys_and_equal_what_torch_decodes(notebook: Notebook, cell: int) -> None:
    notebook.run(cell)
    explorer = Explorer(notebook, cell)
    assert explorer.root.get_attribute("data-engine") == ("browser" if cell == IN_BROWSER else "kernel")
    seen, differences = [explorer.pixels()], [explorer.difference_from_torch()]
    assert len(set(seen[0])) > 10, "the picture is blank"
    for key in ["ArrowRight", "Shift+ArrowUp", "Shift+ArrowLeft", "n", "Home"]:
        explorer.press(key)
        seen.append(explorer.pixels())
        differences.append(explorer.difference_from_torch())
    assert all(before != after for before, after in pairwise(seen))
    assert seen[0] == seen[-1], "Home does not return to the middle"
    assert max(differences) <= (1 if cell == IN_BROWSER else 0)


@pytest.mark.parametrize("cell", ENGINES)
def test_a_drag_is_painted_as_it_goes_and_ends_where_the_hand_ends(notebook: Notebook, cell: int) -> None:
    notebook.run(cell)
    explorer = Explorer(notebook, cell)
    before = explorer.counters()
    seen = explorer.drag()
    after = explorer.counters()
    assert len(seen.inputs) >= 60 and seen.share >= (0.9 if cell == IN_BROWSER else 0.5)
    assert len(seen.changes) >= 0.9 * len(seen.paints), "it paints pictures that do not change"
    assert after["inputs"] - before["inputs"] == pytest.approx(len(seen.inputs), abs=2)
    assert after["draws"] - before["draws"] >= len(seen.paints) - 2  # two answers may come in one frame
    assert explorer.difference_from_torch() <= (1 if cell == IN_BROWSER else 0)
    ends = explorer.code()
    explorer.press("Shift+ArrowLeft")
    explorer.drag(turns=0.25, points=20)  # the circle's last place lies on another side now
    assert math.dist(explorer.code(), ends) > 0
    explorer.drag(turns=1, points=20)  # another way to the same place
    assert explorer.code() == pytest.approx(ends, abs=1e-5)


def test_the_browser_engine_goes_on_while_a_cell_is_running(notebook: Notebook, busy: Callable[[], None]) -> None:
    notebook.run(IN_BROWSER)
    explorer = Explorer(notebook, IN_BROWSER)
    busy()
    seen = explorer.drag()
    assert notebook.running
    assert len(seen.inputs) >= 60 and seen.share >= 0.9


def test_the_kernel_engine_draws_or_says_busy_while_a_cell_is_running(
    notebook: Notebook, busy: Callable[[], None]
) -> None:
    notebook.run(IN_KERNEL)
    explorer = Explorer(notebook, IN_KERNEL)
    busy()
    explorer.drag(turns=1, points=60)
    notebook.page.wait_for_function(
        "(root) => probe.paints.at(-1)?.time > probe.inputs.at(-1).time || /kernel is busy/i.test(root.innerText)",
        arg=explorer.root.element_handle(),
    )
    assert notebook.running


def test_after_a_busy_cell_the_kernel_engine_shows_the_last_input(notebook: Notebook, jupyterlab: JupyterLab) -> None:
    notebook.run(IN_KERNEL)
    explorer = Explorer(notebook, IN_KERNEL)
    notebook.start(RUNNING)
    explorer.drag(turns=0.5, points=30)
    (jupyterlab.notebooks / "stop").touch()
    notebook.wait()
    probe.record(notebook.page)
    assert explorer.difference_from_torch() == 0
    assert not explorer.root.get_by_text(re.compile(r"kernel is busy", re.IGNORECASE)).is_visible()


def test_running_a_cell_again_leaves_no_widgets_behind(notebook: Notebook) -> None:
    for cell in (IN_BROWSER, IN_KERNEL):
        notebook.run(cell)
        live = notebook.evaluate("live()")
        notebook.run(cell, times=3)
        Explorer(notebook, cell)
        assert notebook.evaluate("live()") == live
    in_page = (
        "(cell) => document.querySelectorAll(`[data-windowed-list-index='${cell}'] .autoencoder-lab-explorer`).length"
    )
    assert notebook.page.evaluate(in_page, IN_KERNEL) == 1


def test_no_axe_violations_in_either_theme(notebook: Notebook, axe: Callable[..., list[str]]) -> None:
    notebook.run(IN_BROWSER)
    explorer = Explorer(notebook, IN_BROWSER)
    root = f"{explorer.place} .autoencoder-lab-explorer"
    assert axe(notebook.page, root) == []
    notebook.set_theme("JupyterLab Dark")
    try:
        assert axe(notebook.page, root) == []
    finally:
        notebook.set_theme("JupyterLab Light")


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2) of a CSS colour as the browser computes it."""
    red, green, blue, *alpha = (float(part) for part in re.findall(r"[\d.]+", colour))
    assert not alpha or alpha[0] > 0.8, f"{colour} is almost transparent"
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red / 255, green / 255, blue / 255)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_theme_of_jupyterlab_is_honoured(notebook: Notebook) -> None:
    notebook.run(IN_BROWSER)
    explorer = Explorer(notebook, IN_BROWSER)

    def look() -> tuple[float, float]:
        """Luminance of the text, and of the map's corner."""
        ink = explorer.root.locator(".readout").first.evaluate("(node) => getComputedStyle(node).color")
        corner = "(map) => `rgb(${Array.from(map.getContext('2d').getImageData(1, 1, 1, 1).data).slice(0, 3)})`"
        return luminance(ink), luminance(explorer.map.evaluate(corner))

    light = look()
    notebook.set_theme("JupyterLab Dark")
    try:
        notebook.page.wait_for_function("() => new Promise(requestAnimationFrame).then(() => true)")
        dark = look()
    finally:
        notebook.set_theme("JupyterLab Light")
    assert light[0] < 0.2 < 0.5 < light[1]
    assert dark[1] < 0.1 < 0.5 < dark[0]


def test_without_our_script_plain_sliders_change_the_picture(notebook: Notebook) -> None:
    notebook.run(PLAIN)
    cell = notebook.show(PLAIN)
    handle, picture = cell.locator(".noUi-handle").first, cell.locator("img").first
    picture.wait_for()
    before = picture.get_attribute("src")
    assert before is not None
    handle.focus()
    notebook.page.keyboard.press("ArrowRight")
    notebook.page.wait_for_function(
        "([cell, before]) => document.querySelector(`[data-windowed-list-index='${cell}'] img`).src !== before",
        arg=[PLAIN, before],
    )


def says_that_the_kernel_is_gone(notebook: Notebook, cell: int) -> None:
    """Asserts it of the explorer that a cell shows after an attempt to drag."""
    explorer = Explorer(notebook, cell)
    said = explorer.root.get_by_text(re.compile(r"kernel (was restarted|has stopped|is gone)", re.IGNORECASE))
    explorer.drag(points=20)
    said.wait_for(timeout=10_000)


def test_training_interrupted_then_a_restart_then_a_kernel_that_dies(
    browser: "Browser", jupyterlab: JupyterLab
) -> None:
    cells = [SETUP, f"explorer = {EXPLORE.format('browser')}\nexplorer", EXPLORE.format("kernel"), TRAIN, AGAIN, DIE]
    with opened(browser, jupyterlab, "restarted", cells) as (notebook, watch):
        notebook.run(1)
        explorer = Explorer(notebook, 1)
        notebook.start(3)
        more = "(root) => root.explorer.models[0].snapshots.length > 2"
        notebook.page.wait_for_function(more, arg=explorer.root.element_handle())
        before = explorer.pixels()
        notebook.interrupt()
        notebook.wait()
        assert notebook.evaluate("interrupted.interrupted and len(interrupted.step) >= 2")
        assert explorer.drag(points=30).share >= 0.9 and explorer.pixels() != before

        notebook.run(2)
        Explorer(notebook, 2)
        notebook.restart()
        assert Explorer(notebook, 1).drag(points=60).share >= 0.9
        says_that_the_kernel_is_gone(notebook, 2)

        notebook.run(4)
        assert Explorer(notebook, 4).drag(points=30).share >= 0.5
        notebook.start(5)
        notebook.page.get_by_role("button", name="Ok").click()  # JupyterLab says so too
        says_that_the_kernel_is_gone(notebook, 4)
        assert not watch.problems, "\n".join(watch.problems)


def test_the_game_plays(browser: "Browser", jupyterlab: JupyterLab) -> None:
    with opened(browser, jupyterlab, "game", GAME) as (notebook, watch):
        notebook.run(1)
        root = notebook.show(1).locator(".autoencoder-lab-game")
        root.and_(notebook.page.locator('[data-ready="true"]')).wait_for(timeout=20_000)
        root.get_by_role("button", name="Forward").click()
        assert "D was trained" in root.locator("dl").inner_text()
        root.get_by_label("Moment").press("End")
        assert "30 of 30" in root.locator("dl").inner_text()
        assert len(root.locator("canvas.plane").evaluate(COLOURS)) > 50, "the picture is blank"
        assert not watch.problems, "\n".join(watch.problems)
