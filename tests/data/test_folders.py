"""Folders of pictures as people have them: hidden folders, links, every ending, more than eight bits."""

import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import autoencoder_lab as lab
from autoencoder_lab.data import pictures

RANDOM = np.random.RandomState(0)


def noise(side: int = 20) -> Image.Image:
    return Image.fromarray(RANDOM.randint(0, 256, (side, side, 3), dtype=np.uint8))


def put(path: Path, image: Image.Image | None = None, **settings: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (noise() if image is None else image).save(path, **settings)


def two_classes(folder: Path, each: int = 4) -> Path:
    for i in range(each):
        put(folder / "cat" / f"{i}.png")
        put(folder / "dog" / f"{i}.png")
    return folder


def count(data: lab.ImageData) -> int:
    return len(data.train) + len(data.val) + len(data.test)


def silently(folder: Path, **settings: object) -> lab.ImageData:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return lab.load_folder(folder, **{"size": 16} | settings)  # type: ignore[arg-type]


def test_hidden_and_system_folders_are_no_classes_and_join_none(tmp_path: Path) -> None:
    two_classes(tmp_path / ".hidden" / "course")
    folder = tmp_path / ".hidden" / "course"  # that the folder itself lies in a hidden one does not matter
    for name in (".ipynb_checkpoints", ".thumbnails", ".Trash-1000", ".git", "__MACOSX", "@eaDir", "$RECYCLE.BIN"):
        put(folder / name / "1.png")
        put(folder / "cat" / name / "deeper" / "1.png")
    put(folder / "cat" / "._0.png", format="PNG")
    (folder / "Thumbs.db").write_bytes(b"\0\1")
    data = silently(folder)
    assert data.train.classes == ("cat", "dog") and count(data) == 8


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_linked_folders_are_followed_once_and_never_in_a_circle(tmp_path: Path) -> None:
    folder = two_classes(tmp_path / "here")
    for i in range(3):
        put(tmp_path / "elsewhere" / f"{i}.png")
        put(tmp_path / "here" / ".store" / f"{i}.png")
    (folder / "bird").symlink_to(tmp_path / "elsewhere")
    (folder / "fish").symlink_to(folder / ".store")  # as programs that keep versions of data do
    put(tmp_path / "file" / "one.png")
    (folder / "dog" / "linked.png").symlink_to(tmp_path / "file" / "one.png")
    assert (data := silently(folder)).train.classes == ("bird", "cat", "dog", "fish") and count(data) == 15
    (folder / "aaa").symlink_to(folder / "dog")  # first in the alphabet, and yet the pictures stay with the dogs
    (folder / "cat" / "up").symlink_to(folder)
    (folder / "cat" / "above").symlink_to(tmp_path)
    (folder / "cat" / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.warns(UserWarning, match="4 of 19 pictures left out") as warned:
        data = lab.load_folder(folder, 16)
    assert data.train.classes == ("bird", "cat", "dog", "fish") and count(data) == 15
    report = str(warned[0].message)
    for name in ("aaa", Path("cat", "up"), Path("cat", "above")):
        assert f"\n  {name}: a link to a folder that is looked into already" in report
    assert "gone: a link to what is not there" in report


def test_every_ending_that_pillow_writes_is_read_again(tmp_path: Path) -> None:
    Image.init()
    kinds = {
        end: kind for end, kind in Image.registered_extensions().items() if kind in Image.OPEN and kind in Image.SAVE
    }
    written = 0
    for end, kind in kinds.items():
        if kind in pictures.NOT_OPENED:
            continue
        for mode in ("RGB", "L", "1"):
            try:
                put(tmp_path / f"{end[1:]}{end.upper()}", noise(64).convert(mode))
            except (
                OSError,
                KeyError,
                ValueError,
                NotImplementedError,
            ):  # a kind that has no colours, or no writer here
                (tmp_path / f"{end[1:]}{end.upper()}").unlink(missing_ok=True)
                continue
            written += 1
            break
    put(tmp_path / "no_ending", format="JPEG")
    put(tmp_path / "photo.jpg_large", format="JPEG")
    assert written > 25 and count(silently(tmp_path)) == written + 2


def test_what_may_be_a_picture_and_is_not_read_is_named_and_notes_are_not(tmp_path: Path) -> None:
    two_classes(tmp_path)
    (tmp_path / "cat" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    (tmp_path / "raw.CR2").write_bytes(b"II*\0\x10\0\0\0CR\2\0")
    (tmp_path / "drawing.svg").write_text("<svg/>", encoding="utf-8")
    (tmp_path / "labels.csv").write_text("file,label\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="3 of 11 pictures left out") as warned:
        assert count(lab.load_folder(tmp_path, 16)) == 8
    report = "".join(str(one.message) for one in warned)  # Pillow may have its own to say of one
    assert all(name in report for name in ("phone.heic", "raw.CR2", "drawing.svg")) and "labels" not in report


# --- more than eight bits --------------------------------------------------------------------------------------------


def png(values: np.ndarray) -> bytes:
    """A PNG of 16 bits a value: grey (H, W), grey and opacity (H, W, 2), colour (H, W, 3) or with opacity (H, W, 4)."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    kind = {1: 0, 2: 4, 3: 2, 4: 6}[1 if values.ndim == 2 else values.shape[2]]
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def pixels(data: lab.ImageData) -> dict[int, np.ndarray]:
    """{the place of the picture's dark corner: its pixels}"""
    images = np.concatenate([part.images.numpy() for part in (data.train, data.val, data.test)])
    return {int(image[0, 0].argmin()): image for image in images}


def marked(bits: int, channels: int = 1) -> list[np.ndarray]:
    """Three pictures (16, 16) of so many bits, from dark to white; each is black at its own place of the first row."""
    made = []
    for i in range(3):
        values = RANDOM.randint(2 ** (bits - 2), 2**bits, (16, 16, channels))
        values[0, i], values[5, 5] = 0, 2**bits - 1
        made.append((values[..., 0] if channels == 1 else values).astype(np.uint16))
    return made


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_are_scaled_by_those_that_are_used(tmp_path: Path, bits: int, channels: int) -> None:
    made = marked(bits, channels)
    for i, values in enumerate(made):
        if channels in (2, 4):
            values[..., -1] = 65535
        (tmp_path / f"{i}.png").write_bytes(png(values))
    if bits == 16:
        data = silently(tmp_path)
    else:
        with pytest.warns(UserWarning, match=f"use {bits} of them, and {2**bits - 1:,} is taken for white"):
            data = lab.load_folder(tmp_path, 16)
    for place, image in pixels(data).items():
        colours = made[place][..., : (1 if channels == 2 else 3)] if channels > 1 else made[place][..., None]
        expected = np.broadcast_to(colours.transpose(2, 0, 1) / (2**bits - 1), (3, 16, 16))
        assert np.abs(image - expected).max() < 0.6 / 255, (bits, channels)


def test_one_scale_for_all_and_what_the_file_says_comes_first(tmp_path: Path) -> None:
    bright, dark = np.full((16, 16), 4000, np.uint16), np.full((16, 16), 1000, np.uint16)
    Image.fromarray(bright).save(tmp_path / "bright.png")
    Image.fromarray(dark).save(tmp_path / "dark.tif")
    (tmp_path / "said.pgm").write_bytes(b"P5 16 16 1023\n" + np.full((16, 16), 512, ">u2").tobytes())
    Image.new("L", (16, 16), 51).save(tmp_path / "eight.png")
    with pytest.warns(UserWarning, match="12 of them"):
        data = lab.load_folder(tmp_path, 16)
    means = sorted(round(image.mean().item(), 2) for part in (data.train, data.val, data.test) for image in part.images)
    assert means == [0.2, 0.24, 0.5, 0.98]


def test_colours_of_sixteen_bits_in_tiff_and_numbers_without_a_range(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    made = marked(12, 3)
    for i, (order, packed) in enumerate((("<", None), (">", None), ("<", "zlib"))):
        tifffile.imwrite(tmp_path / f"{i}.tif", made[i], photometric="rgb", byteorder=order, compression=packed)
    tifffile.imwrite(tmp_path / "planes.tif", made[0].transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    tifffile.imwrite(tmp_path / "signed.tif", np.full((16, 16), -5, np.int16))
    tifffile.imwrite(tmp_path / "long.tif", np.full((16, 16), 70_000, np.uint32))
    tifffile.imwrite(tmp_path / "real.tif", np.full((16, 16), 0.5, np.float32))
    tifffile.imwrite(tmp_path / "wide.tif", np.full((16, 16), 255, np.float32))
    with pytest.warns(UserWarning) as warned:
        data = lab.load_folder(tmp_path, 16)
    report = "".join(str(one.message) for one in warned)
    for name in ("planes.tif", "signed.tif", "long.tif", "wide.tif"):
        assert f"\n  {name}: " in report
    assert "4 of 8 pictures left out" in report and "12 of them" in report
    found = pixels(data)
    for i, values in enumerate(made):
        if i:  # the picture of one grey is darkest at its first place, too
            assert np.abs(found[i] - values.transpose(2, 0, 1) / 4095).max() < 0.6 / 255


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_every_way_to_write_a_colour_is_read(tmp_path: Path, mode: str) -> None:
    for i in range(3):
        picture = noise().convert("RGB").convert("P").convert("PA") if mode == "PA" else noise().convert(mode)
        put(tmp_path / f"{i}.tif", picture.convert("RGB") if mode in ("HSV", "YCbCr", "PA") else picture)
    assert count(silently(tmp_path)) == 3


def test_numbers_of_numpy_and_paths_that_are_none(tmp_path: Path) -> None:
    two_classes(tmp_path)
    assert lab.load_folder(tmp_path, np.int64(16)).shape == (3, 16, 16)
    with pytest.raises(TypeError, match="takes the path of a folder of pictures, got None"):
        lab.load_folder(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes the path of a folder of pictures, got a tensor"):
        lab.load_folder(lab.load("digits", 10).train.images)  # type: ignore[arg-type]
