"""Pictures that students paste into their text: read in the sandbox, drawn anew, and shown to whoever marks.

A file that says it is a picture is the student's, and so are its faults: it is opened where their code runs. What comes
back is an array of pixels, from which we write a JPEG of our own.
"""

import base64
import binascii
import io
import json
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from autoencoder_lab.grading.notebook_file import without_outputs
from autoencoder_lab.grading.sandbox import Answer, Job, Limits, Probe

MOST, LARGEST, SIDE = 12, 10 << 20, 1200  # pictures a submission, bytes of one, pixels of what is shown
READ = """
def probe(names, data):
    import io
    import numpy as np
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data.tobytes()), formats=("PNG", "JPEG", "GIF", "WEBP", "BMP")) as image:
        if image.width * image.height > 50_000_000:
            raise ValueError("it has more than 50 million pixels")
        image.draft("RGB", (1200, 1200))
        image = ImageOps.exif_transpose(image).convert("RGBA")
    image.thumbnail((1200, 1200))
    flat = Image.new("RGB", image.size, "white")
    flat.paste(image, mask=image.getchannel("A"))
    return {"picture": np.asarray(flat)}
"""


class Runs(Protocol):
    """A sandbox, as far as it matters here."""

    def run(self, job: Job) -> Answer: ...


def pasted(content: bytes, sandbox: Runs) -> tuple[dict[tuple[str, str], list[str]], list[str]]:
    """The pictures in a notebook file that `cells_of` accepted: {(kind, source of the cell): JPEGs in base64}.

    Also what to look at: an attachment that cannot be shown.
    """
    found: dict[tuple[str, str], list[str]] = {}
    unshown = 0
    for taken, (kind, source, data) in enumerate(_attachments(content), 1):
        picture = _drawn_anew(data, sandbox) if taken <= MOST and data else ""
        if picture:
            found.setdefault((kind, source), []).append(picture)
        unshown += not picture
    several = "a file was pasted in that is" if unshown == 1 else f"{unshown} files were pasted in that are"
    return found, [f"{several} not shown as a picture; look at what was handed in"] if unshown else []


def _attachments(content: bytes) -> Iterator[tuple[str, str, bytes]]:
    """(kind, source, bytes) of every attachment; no bytes where it is none that could be a picture."""
    from autoencoder_lab.grading.notebook_file import _cell

    if b'"attachments"' not in content:
        return
    for number, cell in enumerate(json.loads(without_outputs(content).decode("utf-8-sig"))["cells"]):
        attached = cell.get("attachments")
        for kinds in attached.values() if isinstance(attached, dict) else ():
            read = _cell(number, cell)
            text = next(iter(kinds.values()), "") if isinstance(kinds, dict) else ""
            yield read.kind, read.source, _decoded(text)


def _decoded(text: Any) -> bytes:
    text = "".join(text) if isinstance(text, list) and all(isinstance(line, str) for line in text) else text
    if not isinstance(text, str) or len(text) > 2 * LARGEST:
        return b""
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return data if len(data) <= LARGEST else b""


def _drawn_anew(data: bytes, sandbox: Runs) -> str:
    """A JPEG in base64 of what the sandbox saw in a file; "" where it saw nothing."""
    from PIL import Image

    probe = Probe(READ, {"data": np.frombuffer(data, dtype=np.uint8)})
    answer = sandbox.run(Job([], {"": probe}, {}, Limits()))
    probed = answer.probes.get("")
    pixels = probed.arrays.get("picture") if probed and not answer.failed else None
    if pixels is None or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        return ""
    if not 0 < min(pixels.shape) <= max(pixels.shape) <= SIDE:
        return ""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=88)
    return base64.b64encode(file.getvalue()).decode()
