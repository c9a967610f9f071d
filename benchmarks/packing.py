"""What the rounding of weights saves in an exported page, and what it costs in pixels, measured in Chromium.

    python -m benchmarks packing

Each model is trained for two epochs of mnist-5k and exported twice, its weights in float16 and rounded by
`explorer/packing.py`; then both pages reconstruct 200 test images, and torch does. A second page holds ten moments.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import autoencoder_lab as lab
from autoencoder_lab.explorer import page as exported
from autoencoder_lab.explorer.program import pack
from autoencoder_lab.explorer.scene import pixel_bytes

if TYPE_CHECKING:
    from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # the browser of the tests
from explorer.browser import find_chromium, launch

IMAGES = 200
RECONSTRUCT = """async ([rows, moment]) => {
  const app = document.querySelector(".autoencoder-lab-explorer").explorer;
  await app.showMoment(moment);
  const run = (row) => new Promise((done) => app.models[0].reconstruct(Float32Array.from(row), "bench", done));
  const pictures = [];
  for (const row of rows) pictures.push([...(await run(row))]);
  return pictures;
}"""


def float16_weights(moments: list[Any]) -> list[dict[str, bytes]]:
    """In place of `packed_weights`: two bytes a weight, every moment on its own."""
    return [{name: pack(one) for name, one in moment.programs().items()} for moment in moments]


@contextmanager
def weights_by(how: Callable[[list[Any]], list[dict[str, bytes]]]) -> Iterator[None]:
    """Pages that are written meanwhile hold their weights like this."""
    usual, exported.packed_weights = exported.packed_weights, how
    try:
        yield
    finally:
        exported.packed_weights = usual


def differences(browser: "Browser", path: Path, moments: list[Any], images: Any) -> list[np.ndarray]:
    """|page − torch| in steps of 255 for every pixel of the images' reconstructions, by moment of the page."""
    context = browser.new_context()
    context.set_default_timeout(600_000)  # large pages, and the machine may be busy
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector(".autoencoder-lab-explorer[data-ready=true]")
    found = []
    for number, moment in enumerate(exported.thinned(moments)):
        shown = np.array(page.evaluate(RECONSTRUCT, [images.flatten(1).tolist(), number]))
        right = pixel_bytes(moment.reconstruct(images)).reshape(len(images), -1)
        found.append(np.abs(shown - right.astype(int)))
    context.close()
    return found


def row(browser: "Browser", model: Any, moments: int, folder: Path) -> list[str]:
    """A line for each way to keep the weights of a model at so many moments of its training."""
    data = lab.load("mnist-5k")
    explorer = lab.explore(model, data)
    lab.fit(model, data, epochs=max(2, moments - 1), progress=False, callbacks=[explorer] if moments > 1 else [])
    if moments == 1:
        explorer = lab.explore(model, data)
    lines = []
    for name, how in (("float16", float16_weights), ("rounded", exported.packed_weights)):
        with weights_by(how):
            path = explorer.to_html(folder / f"{name}.html")
        *earlier, last = differences(browser, path, explorer.moments[0], data.test.images[:IMAGES])
        line = f"{model.label:<22}{len(earlier) + 1:>3} {name:<8} {path.stat().st_size / 1e6:6.2f} MB   "
        line += f"last: mean {last.mean():.3f}, {(last > 1).mean():.3%} of pixels off by 2 or more, most {last.max()}"
        if earlier:
            line += f"   before: mean {statistics.fmean(map(np.mean, earlier)):.3f}, most {max(map(np.max, earlier))}"
        lines.append(line)
    explorer.close()
    return lines


def main() -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        executable = find_chromium(playwright)
        if executable is None:
            sys.exit("no Chromium, Chrome or Edge found; docs/developing.md says how to get one")
        browser = launch(playwright, executable)
        print("page of (moments)          weights    size      differences from torch, in steps of 255")
        for make, latent, moments in (
            (lab.DenseAutoencoder, 32, 1),
            (lab.ConvAutoencoder, 32, 1),
            (lab.DenseAutoencoder, 2, 10),
            (lab.ConvAutoencoder, 2, 10),
        ):
            print("\n".join(row(browser, make(latent), moments, Path(folder))), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
