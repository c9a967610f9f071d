"""The latent explorer beside ipywidgets.interact with matplotlib, in a real JupyterLab under a real mouse.

    python -m benchmarks explorer [--json PATH]

Takes about two minutes; needs the `test` extra and a Chromium (docs/developing.md). Prints what the browser engine,
the kernel engine and `interact` reach in the same run, and the sizes of exported pages. A mark (!) stands beside every
figure that misses its limit. Exit status 1 if one misses it that does not depend on how busy the machine is: a size, a
pixel, a page whose picture never comes.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import autoencoder_lab as lab
from autoencoder_lab.explorer import bundle
from autoencoder_lab.files import write_whole

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from explorer import probe
from explorer.browser import find_chromium, launch
from explorer.jupyterlab import JupyterLab, Notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PRESSES, POINTS = 40, 240  # key presses one by one; places of a drag at 60 Hz
SETUP = """
import ipywidgets, matplotlib.pyplot as plt, torch
from pathlib import Path
import autoencoder_lab as lab
data = lab.load("mnist-5k")
model, other = lab.DenseAutoencoder(2), lab.DenseAutoencoder(2)
history = lab.fit(model, data, steps=100, progress=False)

def pixels(*code):
    with torch.inference_mode():
        picture = model.decode(torch.tensor([code]))
    return (255 * picture.clamp(0, 1)).round().int().flatten().tolist()
"""
INTERACT = """
slider = lambda: ipywidgets.FloatSlider(value=0, min=-3, max=3, step=0.01)
@ipywidgets.interact(x=slider(), y=slider())
def show(x, y):
    with torch.inference_mode():
        picture = model.decode(torch.tensor([[x, y]]))[0, 0]
    plt.figure(figsize=(2.5, 2.5))
    plt.imshow(picture, cmap="gray", vmin=0, vmax=1)
    plt.axis("off")
    plt.show()
"""
TRAIN = """
print("training")
stop = Path("stop")
lab.fit(other, data, epochs=100_000, progress=False, callbacks=[lambda model, history: stop.exists()])
stop.unlink()
"""
CELLS = [SETUP, INTERACT, *(f"lab.explore(model, data, engine={engine!r})" for engine in ("kernel", "browser")), TRAIN]
SHOWN = """(root) => {
  const canvas = root.querySelector("canvas.decoded");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return [Array.from(root.explorer.models[0].code), Array.from(data).filter((_, i) => i % 4 === 0)];
}"""

# polled in the page: its security policy forbids what Playwright's own waiting needs
FIRST_PAINT = """async () => {
  while (!probe.paints.length) await new Promise((later) => setTimeout(later, 5));
  return probe.paints[0].time;
}"""


class Row(NamedTuple):
    """One line of the table; a limit is (bound, whether it is an upper one)."""

    text: str
    digits: int
    kernel: tuple[float, bool] | None
    browser: tuple[float, bool] | None


ROWS = {
    "p50": Row("input → painted, median, ms", 0, None, None),
    "p95": Row("input → painted, p95, ms", 0, (100, True), (33, True)),
    "inputs": Row("inputs a second that the page got in a 60 Hz drag", 0, None, None),
    "rate": Row("updates a second in a 60 Hz drag", 0, (25, False), (50, False)),
    "share": Row("paints / inputs", 2, (0.5, False), (0.9, False)),
    "settled": Row("last input → last paint, ms", 0, (150, True), (50, True)),
    "pixels": Row("largest difference from torch, of 255", 0, (0, True), (1, True)),
    "rate_busy": Row("updates a second while a model trains", 0, (10, False), (50, False)),
    "share_busy": Row("paints / inputs while a model trains", 2, None, (0.9, False)),
    "says_busy": Row("says so when the kernel is busy (1: yes)", 0, None, None),
}
VARIANTS = ("interact", "kernel", "browser")
Figures = dict[str, float]


# --- in JupyterLab ---------------------------------------------------------------------------------


def latencies(page: "Page", pictures: str) -> list[float]:
    """Milliseconds from a key press to the picture that follows it; the next press comes after a varying pause."""
    pause = random.Random(0)
    taken = []
    for i in range(PRESSES):
        probe.clear(page, pictures)
        page.keyboard.press("ArrowRight" if i // 10 % 2 == 0 else "ArrowLeft")
        page.wait_for_function("probe.paints.length > 0")
        taken.append(page.evaluate("probe.paints[0].time - probe.inputs[0].time"))
        time.sleep(pause.uniform(0.03, 0.08))  # out of step with the frames
    return taken


def dragged(page: "Page", pictures: str, points: list[probe.Point]) -> probe.Record:
    probe.clear(page, pictures)
    probe.drag(page, points)
    return probe.record(page, quiet=1000)


@contextmanager
def training(notebook: Notebook, server: JupyterLab) -> Iterator[None]:
    """A cell that trains, from before the block to its end."""
    cell = len(CELLS) - 1
    notebook.start(cell)
    notebook.page.wait_for_function(f"notebook.content.widgets[{cell}].model.outputs.length > 0")
    yield
    (server.notebooks / "stop").touch()
    notebook.wait()


def measure(notebook: Notebook, server: JupyterLab, cell: int) -> Figures:
    """All figures of the variant that a cell shows."""
    page, ours = notebook.page, CELLS[cell] != INTERACT
    notebook.run(cell)
    pictures = f'[data-windowed-list-index="{cell}"] {"canvas.decoded" if ours else "img"}'
    shown = notebook.show(cell)
    if ours:
        shown.locator('.autoencoder-lab-explorer[data-ready="true"]').wait_for()
    else:
        shown.locator("img").wait_for()
    handle = shown.locator("canvas.map" if ours else ".noUi-handle").first

    def path() -> list[probe.Point]:
        """Where to drag, from where the handle is now."""
        handle.scroll_into_view_if_needed()
        return probe.circle(handle, points=POINTS) if ours else along_track(notebook, cell)

    dragged(page, pictures, path()[:60])  # the first messages to a kernel are slower
    handle.focus()
    waits = latencies(page, pictures)
    quiet = dragged(page, pictures, path())
    figures = {
        "p50": statistics.median(waits),
        "p95": statistics.quantiles(waits, n=20)[-1],
        "inputs": quiet.input_rate,
        "rate": quiet.rate,
        "share": quiet.share,
        "settled": quiet.settled,
    }
    if ours:
        code, pixels = shown.locator(".autoencoder-lab-explorer").evaluate(SHOWN)
        expected = notebook.evaluate(f"pixels(*{code})")
        figures["pixels"] = max(abs(a - b) for a, b in zip(pixels, expected, strict=True))
    with training(notebook, server):
        notebook.show(cell)
        probe.clear(page, pictures)
        probe.drag(page, path())
        figures["says_busy"] = float(shown.get_by_text("kernel is busy").first.is_visible())
        busy = probe.record(page, quiet=1000)
        figures |= {"rate_busy": busy.rate, "share_busy": busy.share}
    return figures


def along_track(notebook: Notebook, cell: int) -> list[probe.Point]:
    """To and fro along the first slider of a cell."""
    track = notebook.show(cell).locator(".noUi-target").first.bounding_box()
    handle = notebook.show(cell).locator(".noUi-handle").first.bounding_box()
    assert track is not None and handle is not None
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    half = POINTS // 4
    places = [abs((i + half) % (4 * half) - 2 * half) / half - 1 for i in range(POINTS)]  # 0 → −1 → 1 → 0
    middle = track["x"] + track["width"] / 2
    return [(x, y)] + [(middle + 0.48 * track["width"] * place, y) for place in places]


def in_jupyterlab(browser: "Browser") -> dict[str, Figures]:
    """Variant → figures."""
    with JupyterLab() as server:
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        context.add_init_script(probe.SCRIPT)
        notebook = server.open(context.new_page(), CELLS)
        notebook.run(0)
        found = {}
        for cell, variant in enumerate(VARIANTS, start=1):
            print(f"measuring {variant} …", file=sys.stderr, flush=True)
            found[variant] = measure(notebook, server, cell)
        notebook.close()
        context.close()
    return found


# --- exported pages --------------------------------------------------------------------------------


def exported(make: Callable[[], lab.Autoencoder], data: lab.ImageData, path: Path, snapshots: int) -> Path:
    """The page of a model with this many snapshots of its weights, each an epoch of training after the last."""
    model = make()
    lab.fit(model, data, epochs=1, progress=False)
    explorer = lab.explore(model, data)
    if snapshots > 1:
        lab.fit(model, data, epochs=snapshots - 1, callbacks=[explorer], progress=False)
    assert len(explorer.snapshots[0]) == snapshots, f"{len(explorer.snapshots[0])} snapshots, wanted {snapshots}"
    explorer.to_html(path)
    explorer.close()
    return path


def first_picture(browser: "Browser", path: Path) -> float:
    """Milliseconds from opening a page to the first picture that it decoded: median of three."""
    taken = []
    for _ in range(3):
        context = browser.new_context()
        context.add_init_script(probe.SCRIPT)
        context.add_init_script("probe.counts = 'canvas.decoded'")  # not the contact sheet that stands there before
        page = context.new_page()
        page.goto(path.as_uri())
        taken.append(page.evaluate(FIRST_PAINT))
        context.close()
    return statistics.median(taken)


def of_pages(browser: "Browser") -> list[tuple[str, float, float, bool]]:
    """(what, value, limit, whether a busy machine may miss it)."""
    data = lab.load("mnist-5k")
    lines = [("JavaScript, KB", len(bundle.javascript().encode()) / 1e3, 60.0, False)]
    with tempfile.TemporaryDirectory() as folder:
        for make in (lab.ConvAutoencoder, lab.DenseAutoencoder):
            for snapshots, limit in ((1, 2.5), (10, 8.0)):
                what = f"page of {make.__name__}(2)" + (f" with {snapshots} snapshots" if snapshots > 1 else "")
                print(f"writing the {what} …", file=sys.stderr, flush=True)
                path = exported(lambda make=make: make(2), data, Path(folder) / "page.html", snapshots)
                lines.append((f"{what}, MB", path.stat().st_size / 1e6, limit, False))
                lines.append((f"{what}, first picture after ms", first_picture(browser, path), 1000.0, True))
    return lines


# --- the table -------------------------------------------------------------------------------------


def holds(value: float, limit: tuple[float, bool] | None) -> bool:
    return limit is None or (value <= limit[0] if limit[1] else value >= limit[0])


def cell_text(value: float | None, digits: int, limit: tuple[float, bool] | None) -> str:
    """A figure with its limit, and a mark where it misses it."""
    if value is None:
        return "–"
    bound = f" ({'≤' if limit[1] else '≥'} {limit[0]:g})" if limit else ""
    return f"{'' if holds(value, limit) else '! '}{value:.{digits}f}{bound}"


def report(variants: dict[str, Figures], pages: list[tuple[str, float, float, bool]]) -> int:
    """Print both tables; 1 if a figure misses its limit that no busy machine could excuse."""
    print(f"{'':<52}{'interact':>12}{'kernel engine':>18}{'browser engine':>18}")
    for key, row in ROWS.items():
        limits = (None, row.kernel, row.browser)
        texts = [cell_text(variants[v].get(key), row.digits, limit) for v, limit in zip(VARIANTS, limits, strict=True)]
        print(f"{row.text:<52}{texts[0]:>12}{texts[1]:>18}{texts[2]:>18}")
    print()
    for what, value, limit, _ in pages:
        print(f"{what:<66}{cell_text(value, 0 if value > 50 else 2, (limit, True)):>24}")
    missed = [what for what, value, limit, excused in pages if value > limit and not excused]
    missed += [v for v in ("kernel", "browser") if not holds(variants[v]["pixels"], getattr(ROWS["pixels"], v))]
    return int(bool(missed))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks explorer", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures here too")
    path: Path | None = parser.parse_args().json
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        executable = find_chromium(playwright)
        if executable is None:
            sys.exit("no Chromium, Chrome or Edge found; docs/developing.md says how to get one")
        browser = launch(playwright, executable)
        pages = of_pages(browser)
        variants = in_jupyterlab(browser)
        browser.close()
    if path is not None:
        content = {"variants": variants, "pages": {what: value for what, value, _, _ in pages}}
        write_whole(path, json.dumps(content, indent=2) + "\n")
    return report(variants, pages)


if __name__ == "__main__":
    sys.exit(main())
