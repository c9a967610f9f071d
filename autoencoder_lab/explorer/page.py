"""One self-contained page of an explorer or a player: no network, no kernel."""

from __future__ import annotations

import base64
import html as markup
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from autoencoder_lab.explorer import bundle
from autoencoder_lab.explorer.explored import ExploredModel
from autoencoder_lab.explorer.packing import COARSE, FINE, compress
from autoencoder_lab.explorer.scene import BROWSER_MACS
from autoencoder_lab.explorer.scene_keys import Scene
from autoencoder_lab.files import write_whole

if TYPE_CHECKING:
    from autoencoder_lab.explorer.standalone import StandaloneWidget
    from autoencoder_lab.explorer.widget import Explorer

BEGINNING = b"<!doctype html>\n<!-- autoencoder_lab explorer -->"
# nothing may be fetched, from wherever the page is opened
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' blob:; worker-src blob:; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)
PAGE = """{beginning}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
{style}
body {{ margin: 0 auto; max-width: 72rem; padding: 1rem; font: 100%/1.5 system-ui, sans-serif; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #111; color: #eee; }} }}
body img {{ max-width: 100%; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<div id="explorer"><img alt="{alt}" src="data:image/png;base64,{sheet}"></div>
<noscript><p>This page needs JavaScript to be dragged; the picture above is what it shows.</p></noscript>
<p>{about}</p>
</main>
<script type="application/json" id="scene">{scene}</script>
<script type="text/plain" id="data">{data}</script>
<script type="text/plain" id="code">{code}</script>
<script type="module">{start}</script>
</body>
</html>
"""
MOST_MOMENTS = 10  # of a training that a page keeps: each costs up to a megabyte
START = """
const code = document.getElementById("code").textContent;
const address = (text) => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
const { default: explorer } = await import(address(code));
const [scene, data] = ["scene", "data"].map((id) => document.getElementById(id).textContent);
// a worker of a page without an origin, as a file is, cannot be a module: the same code without its export
const worker = address(code.replace(/^export default.*/m, ""));
await explorer.openPage(scene, data, document.getElementById("explorer"), worker);
"""


def filled(
    widget: StandaloneWidget, scene: str, code: str, style: str, start: str, data: bytes = b"", about: str = ""
) -> str:
    """The page of a widget with a `title`. scene: JSON; data: what it refers to; code and `start`: JavaScript."""
    return PAGE.format(
        beginning=BEGINNING.decode(),
        policy=POLICY,
        style=style,
        title=markup.escape(widget.title),
        alt=markup.escape(widget.alt, quote=True),
        sheet=base64.b64encode(widget.to_png()).decode(),
        about=f"Made with autoencoder_lab. {about}: it asks no server for anything.",
        scene=scene.replace("<", "\\u003c"),
        data=base64.b64encode(zlib.compress(data, 9)).decode() if data else "",
        code=code.replace("</", "<\\/"),
        start=start,
    )


def html(explorer: Explorer) -> str:
    """The page of an explorer. Raises ValueError for a model with a layer that no browser can run."""
    if any(
        not programs and not moments[0].problem
        for programs, moments in zip(explorer.programs, explorer.moments, strict=True)
    ):
        raise ValueError(f"this explorer cannot become a page. {explorer.why} Use to_png for a picture")
    parts: list[bytes] = []

    def place(data: Any) -> dict[str, list[int]]:
        """Bytes stand one after the other behind the scene's JSON, which says where."""
        if not isinstance(data, bytes):
            raise TypeError(f"a scene holds JSON values and bytes, got {type(data).__name__}")
        padding = b"\0" * (-sum(map(len, parts)) % 4)
        parts.extend([padding, data])
        return {"bytes": [sum(map(len, parts)) - len(data), len(data)]}

    described = json.dumps(_scene(explorer), default=place, separators=(",", ":"))
    code, style, data = bundle.javascript(), bundle.stylesheet(), b"".join(parts)
    return filled(explorer, described, code, style, START, data, about="Everything is computed in this page")


def _scene(explorer: Explorer) -> Scene:
    """The explorer's, for a browser alone: programs and packed weights, and fewer moments."""
    scene: Scene = {**explorer.scene}  # type: ignore[typeddict-item]  # a trait is a plain dict
    heaviest = max((one.macs for programs in explorer.programs for one in programs.values()), default=0)
    scene["engine"] = "worker" if heaviest > BROWSER_MACS else "browser"
    scene["why"] = (
        f"{heaviest / 1e6:.0f} million multiplications for one picture: they are done beside the page, fewer than 60 "
        "times a second."
        if heaviest > BROWSER_MACS
        else ""
    )
    if any(len(moments) > 1 for moments in explorer.moments):
        scene["untrained"] = []
    scene["models"] = [
        {
            **model,
            "programs": {name: one.to_json() for name, one in programs.items()},
            "snapshots": [
                {**taken, "weights": weights}  # type: ignore[typeddict-item]  # thinned() hands on what it gets
                for taken, weights in zip(thinned(snapshots), packed_weights(thinned(moments)), strict=True)
            ],
        }
        for model, programs, moments, snapshots in zip(
            scene["models"], explorer.programs, explorer.moments, explorer.snapshots, strict=True
        )
    ]
    return scene


def thinned(moments: list[Any]) -> list[Any]:
    """At most MOST_MOMENTS of them, evenly spaced, the first and the last among them."""
    if len(moments) <= MOST_MOMENTS:
        return moments
    return [moments[round(i * (len(moments) - 1) / (MOST_MOMENTS - 1))] for i in range(MOST_MOMENTS)]


def packed_weights(moments: list[ExploredModel]) -> list[dict[str, bytes]]:
    """For each moment {program name: bytes}; the last one finely, those before as their difference from it."""
    last = moments[-1]
    if last.problem:
        return [{} for _ in moments]
    examples = _examples(last)
    final = {name: compress(one, getattr(last, name), examples[name], FINE) for name, one in last.programs().items()}
    earlier = [
        {
            name: compress(one, getattr(moment, name), examples[name], COARSE, base=final[name])
            for name, one in moment.programs().items()
        }
        for moment in moments[:-1]
    ]
    return [*earlier, final]


def _examples(model: ExploredModel) -> dict[str, Tensor]:
    """Inputs as they will come: codes of images and places round them, images and noisy ones, as somebody draws."""
    noise = torch.Generator().manual_seed(0)
    codes = torch.randn(len(model.images), model.size, generator=noise)
    if model.codes is not None:
        spread = model.codes.std(dim=0, correction=0)
        codes = torch.cat([model.codes, model.codes + spread * codes])
    rough = (model.images + 0.5 * torch.randn(model.images.shape, generator=noise)).clamp(0, 1)
    images = torch.cat([model.images, rough])
    return {"decode": codes, "encode": images, "reconstruct": images}


def write(path: Path, content: bytes, beginning: bytes) -> Path:
    """Write a file, over an earlier one only if that began the same way; raises FileExistsError otherwise."""
    if path.exists():
        with path.open("rb") as file:
            if not file.read(len(beginning)) == beginning:
                raise FileExistsError(f"{path} exists and was not made by this function; choose another name")
    write_whole(path, content)
    return path
