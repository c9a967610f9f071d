"""Pictures as people have them: which files of a folder are some, and each as a square of bytes.

Endings are those that the installed Pillow opens; a file with another ending counts where it begins as a common format
does. What may hold a picture and cannot be read is named with its reason, by whoever asks.
"""

import stat
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# what systems and file servers leave beside one's own folders; names that begin with a dot count as hidden anyway
SYSTEM = {
    "__macosx", "__pycache__", "@eadir", "@recycle", "@recently-snapshot", "@sharebin", "@tmp", "#recycle", "#snapshot",
    "$recycle.bin", "recycler", "recycled", "system volume information", "lost+found", "network trash folder",
    "temporary items", "thumbs.db", "desktop.ini", "icon\r",
}  # fmt: skip
BY_CONTENT = ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "AVIF", "JPEG2000")  # whatever their files are called
NOT_OPENED = {"EPS", "MPEG"}  # Pillow would start another program; a film


class Found(NamedTuple):
    """pictures: files to be read, in order; left_out: "name: why" of folders and files that may hold some."""

    pictures: list[Path]
    left_out: list[str]


def find(folder: Path) -> Found:
    """The pictures in a folder and the folders inside it, links followed: each folder once, none that leads back.

    Hidden and system files and folders are passed over. A picture that lies in a folder and can be reached by a link as
    well is found where it lies.
    """
    known, found = _endings(), Found([], [])
    seen: set[Path] = {folder.resolve()}
    links: list[Path] = []

    def look_into(inside: Path) -> None:
        try:
            entries = sorted(entry for entry in inside.iterdir() if not _hidden(entry))
        except OSError as error:
            found.left_out.append(f"{inside.relative_to(folder)}: {error.strerror}")
            return
        for entry in entries:
            try:
                look_at(entry, inside.resolve() / entry.name)
            except OSError as error:  # what may be listed and not be read
                found.left_out.append(f"{entry.relative_to(folder)}: {error.strerror}")

    def look_at(entry: Path, place: Path) -> None:
        if entry.is_dir() and entry.resolve() != place:
            links.append(entry)  # later: what lies here comes first
        elif entry.is_dir():
            seen.add(place)
            look_into(entry)
        elif entry.is_file():
            _sort_in(entry, entry.relative_to(folder), known, found)
        elif entry.is_symlink():
            found.left_out.append(f"{entry.relative_to(folder)}: a link to what is not there")

    look_into(folder)
    while links:
        link = links.pop(0)
        place = link.resolve()
        if any(other.is_relative_to(place) for other in seen):
            found.left_out.append(f"{link.relative_to(folder)}: a link to a folder that is looked into already")
            continue
        seen.add(place)
        look_into(link)
    found.pictures.sort()
    return found


def _hidden(entry: Path) -> bool:
    """Whether people do not see it: by its name, or by a mark that Windows or macOS keeps of it."""
    if entry.name.startswith(".") or entry.name.casefold() in SYSTEM:
        return True
    try:
        marks: Any = entry.lstat()
    except OSError:
        return False
    on_windows = getattr(marks, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN
    return bool(on_windows or getattr(marks, "st_flags", 0) & stat.UF_HIDDEN)


def _endings() -> set[str]:
    from PIL import Image

    return {end for end, kind in Image.registered_extensions().items() if kind in Image.OPEN and kind not in NOT_OPENED}


def _sort_in(file: Path, name: Path, known: set[str], found: Found) -> None:
    """Put a file among the pictures, or among those left out; notes and tables beside pictures are nothing of both."""
    from PIL import Image

    if file.suffix.lower() in known:
        found.pictures.append(file)
        return
    try:
        with Image.open(file, formats=BY_CONTENT):
            found.pictures.append(file)
    except Exception:  # decoders raise all manner of things
        if _may_be_a_picture(file):
            found.left_out.append(f"{name}: not a kind of picture that Pillow reads; save it as PNG or JPEG")


def _may_be_a_picture(file: Path) -> bool:
    """Whether a file that Pillow does not know is more than text."""
    if file.suffix.lower() in (".svg", ".eps", ".ps", ".pdf"):
        return True
    try:
        with file.open("rb") as opened:
            return b"\0" in opened.read(4096)
    except OSError:
        return True


# --- one picture -----------------------------------------------------------------------------------------------------


def full_scale(files: list[Path]) -> int:
    """White for pictures of 16 bits that do not say it: the largest number of as many bits as all of them need.

    8, 10, 12, 14 or 16 bits, as cameras and scanners have them. One number for all, so that a dark picture stays darker
    than a bright one. 65,535 where there are none.
    """
    largest = -1
    for file in files:
        try:
            pixels = _deep(file)
        except Exception:  # it is named where it is read
            continue
        if pixels is not None and pixels.white is None:
            largest = max(largest, int(pixels.colours.max()))
    return next((2**bits - 1 for bits in (8, 10, 12, 14) if 0 <= largest < 2**bits), 65535)


def square(file: Path, size: int, grey: bool, white: int) -> Array:
    """One file → uint8 (C, size, size): its central square, upright, on white where it is transparent.

    white: see `full_scale`. Raises ValueError, or whatever the decoder does, for a file that cannot be shown.
    """
    from PIL import Image, ImageOps

    deep = _deep(file)
    if deep is not None:
        image: Any = deep.in_bytes(deep.white or white)
    else:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
    image = image.convert("RGBA")
    ground = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(ground, image).convert("L" if grey else "RGB")
    fitted = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(fitted).reshape(size, size, -1).transpose(2, 0, 1)


class _Deep(NamedTuple):
    """More than 8 bits a value: colours (H, W) or (H, W, 3); opacity (H, W) in [0, 65535] or None; white, if known."""

    colours: Array
    opacity: Array | None
    white: float | None

    def in_bytes(self, white: float) -> Any:
        """As a picture of 8 bits, `white` at 255."""
        from PIL import Image

        colours = Image.fromarray((self.colours / white * 255).round().clip(0, 255).astype(np.uint8))
        if self.opacity is not None:
            colours = colours.convert("RGB")
            colours.putalpha(Image.fromarray((self.opacity / 257).round().astype(np.uint8)))
        return colours


def _deep(file: Path) -> _Deep | None:
    """A picture's values where they have more than 8 bits, upright; None for any other."""
    from PIL import Image

    with Image.open(file) as opened:
        mode, packing, said = opened.mode, _packing(opened), _said(opened)
    if mode == "F" or mode.startswith("I"):
        values = _decoded(file).astype(np.float64)
        return _Deep(values, None, said or _white(values, real=mode == "F"))
    if ";16" not in packing:
        if said == 65535:  # Pillow takes the planes of such a TIFF for bytes
            raise ValueError(
                "its colours are stored as separate planes of 16 bits, which Pillow misreads; save it as PNG"
            )
        return None
    if packing.startswith("LA"):
        values = _decoded(file, "RGBA").astype(np.float64)  # four bytes a pixel, just as they come
        values = 256 * values[..., ::2] + values[..., 1::2]
    else:  # Pillow gives one byte of two, the higher one; read in the other order, it gives the lower one
        values = 256.0 * _decoded(file) + _decoded(file, _other_order(packing))
    if values.ndim == 2:
        return _Deep(values, None, None)
    opaque = values.shape[-1] % 2 == 1
    colours = values if opaque else values[..., :-1]
    return _Deep(colours[..., 0] if colours.shape[-1] == 1 else colours, None if opaque else values[..., -1], None)


def _decoded(file: Path, packing: str | None = None) -> Array:
    """The pixels, upright; packing: read as if the file packed them that way."""
    from PIL import Image, ImageOps

    with Image.open(file) as opened:
        if packing is not None:
            opened.tile = [_packed_as(packing, tile) for tile in opened.tile]
        return np.asarray(ImageOps.exif_transpose(opened))


def _packed_as(packing: str, tile: Any) -> Any:
    """A piece of the file, to be decoded as if it were packed that way."""
    arguments = packing if isinstance(tile[3], str) else (packing, *tile[3][1:])
    return tile._replace(args=arguments) if hasattr(tile, "_replace") else (*tile[:3], arguments)  # before Pillow 11.1


def _packing(opened: Any) -> str:
    """How the file packs a pixel, in Pillow's words: "RGB;16B" are three times two bytes."""
    arguments = opened.tile[0][3] if opened.tile else ""
    return str(arguments if isinstance(arguments, str) else arguments[0] if arguments else "")


def _other_order(packing: str) -> str:
    kind, order = packing[:-1], packing[-1]
    native = "L" if sys.byteorder == "little" else "B"
    return kind + {"L": "B", "B": "L"}[native if order == "N" else order]


def _said(opened: Any) -> float | None:
    """White, where the file says it: by its bits (TIFF), or because Pillow has scaled by them (PPM, JPEG 2000)."""
    if opened.format in ("PPM", "JPEG2000") and opened.mode.startswith("I"):
        return 65535
    bits = opened.tag_v2.get(258, (8,)) if opened.format == "TIFF" else (8,)
    bits = bits[0] if isinstance(bits, tuple) else bits
    if 8 < bits < 16 or (bits == 16 and opened.mode in ("RGB", "RGBA")):
        return float(2**bits - 1)
    return None


def _white(values: Array, real: bool) -> float | None:
    """1 for real numbers in [0, 1], None (not known) for whole ones that 16 bits hold; ValueError for all others."""
    low, high = values.min(), values.max()
    if real and low >= 0 and high <= 1:
        return 1.0
    if real or low < 0 or high > 65535:
        kind = "real" if real else "whole"
        raise ValueError(
            f"its pixels are {kind} numbers from {low:g} to {high:g}, and what is white is not known; save it as PNG"
        )
    return None
