"""Makes explorer.png, the first picture in the README: python docs/images/explorer.py (some minutes).

Needs Playwright and a Chromium, as the tests of the explorer do.
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import autoencoder_lab as lab

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests"))
from explorer.browser import find_chromium, launch  # noqa: E402 - found by the line above

data = lab.load("mnist-5k")
vae = lab.VAE(latent=2)
lab.fit(vae, data, steps=900, seed=0)

with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
    page_file = Path(folder) / "explorer.html"
    lab.explore({"VAE, 2 numbers a digit": vae}, data).to_html(page_file)
    executable = find_chromium(playwright)
    assert executable, "no Chromium, Chrome or Edge found"
    browser = launch(playwright, executable)
    page = browser.new_page(viewport={"width": 1000, "height": 700}, color_scheme="light", device_scale_factor=1.5)
    page.goto(page_file.as_uri())
    page.get_by_label("Pictures on the map").check()
    chart = page.get_by_role("application").first.bounding_box()
    page.mouse.click(chart["x"] + 0.86 * chart["width"], chart["y"] + 0.66 * chart["height"])  # among the sevens
    page.wait_for_timeout(3000)  # until the pictures are drawn
    below = page.get_by_label("Pictures on the map").bounding_box()
    page.screenshot(path=HERE / "explorer.png", clip={"x": 12, "y": 112, "width": 552, "height": below["y"] - 72})
    browser.close()

picture = Image.open(HERE / "explorer.png").convert("RGB")
picture = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
picture.save(HERE / "explorer.png", optimize=True)
