"""Sets that are fetched once, tried without a network: nothing altered is used, and two kernels may fetch at once."""

import gzip
import hashlib
import http.server
import io
import multiprocessing
import os
import pickle
import socket
import sys
import tarfile
import threading
import tracemalloc
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from autoencoder_lab.data import datasets, downloads
from autoencoder_lab.data.datasets import IDX, load
from autoencoder_lab.data.downloads import AlteredFileError, RemoteFile, cache_folder

TRAIN, TEST = 240, 50


def made_idx() -> dict[str, bytes]:
    """Four small files in MNIST's format; each image is filled with its own number, its label is that mod 10."""
    files = {}
    for prefix, first, count in (("train", 0, TRAIN), ("t10k", 200, TEST)):
        values = np.arange(first, first + count, dtype=np.uint8)
        images = np.repeat(values, 784).tobytes()
        header = np.array([2051, count, 28, 28], ">i4").tobytes()
        files[f"{prefix}-images-idx3-ubyte.gz"] = gzip.compress(header + images, mtime=0)
        labels = (values % 10).astype(np.uint8).tobytes()
        files[f"{prefix}-labels-idx1-ubyte.gz"] = gzip.compress(
            np.array([2049, count], ">i4").tobytes() + labels, mtime=0
        )
    return files


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class FakeNetwork:
    """Stands in for the downloader: serves `content` at http://fake/…, and counts what was asked for."""

    def __init__(self, content: dict[str, bytes]) -> None:
        self.content, self.asked = dict(content), []

    def __call__(self, url: str, path: Path) -> None:
        self.asked.append(url)
        if url not in self.content:
            raise OSError("<urlopen error [Errno -2] Name or service not known>")
        path.write_bytes(self.content[url])


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
    """A network with the made files, an empty cache, no Debian package, and the made files' checksums for every set."""
    files = made_idx()
    fake = FakeNetwork({f"http://fake/{name}": content for name, content in files.items()})
    monkeypatch.setenv("AUTOENCODER_LAB_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "download", fake)
    remote = tuple(RemoteFile(name, (f"http://fake/{name}",), md5(files[name])) for name in IDX)
    monkeypatch.setattr(datasets, "published_files", lambda name: remote)
    bare = {name: entry._replace(packaged=()) for name, entry in datasets.SETS.items()}
    monkeypatch.setattr(datasets, "SETS", bare)
    return fake


def folder() -> Path:
    return cache_folder() / "KMNIST" / "raw"


def test_files_are_fetched_once_and_decoded(network: FakeNetwork) -> None:
    data = load("kmnist")
    assert len(network.asked) == 4
    assert (len(data.train), len(data.val), len(data.test)) == (220, 20, 50)
    for part in (data.train, data.val, data.test):
        value = part.images.mul(255).round()[:, 0, 0, 0].long()
        assert torch.equal(part.images, (value.float() / 255).view(-1, 1, 1, 1).expand(-1, 1, 28, 28))
        assert torch.equal(value % 10, part.labels)
    assert data.val.labels.bincount().tolist() == [2] * 10 and data.test.images.min() == 200 / 255
    again = load("kmnist", n=30)
    assert len(network.asked) == 4 and torch.equal(again.train.images, data.train.images[:30])
    assert sorted(path.name for path in folder().iterdir()) == sorted(IDX)


@pytest.mark.parametrize("damage", ["truncated", "one byte", "empty", "a web page"])
def test_a_damaged_file_is_named_never_used_and_fetched_again_on_request(network: FakeNetwork, damage: str) -> None:
    load("kmnist")
    path = folder() / IDX[2]
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    path.write_bytes(
        {"truncated": whole[:-10], "one byte": bytes(changed), "empty": b"", "a web page": b"<html>"}[damage]
    )
    with pytest.raises(AlteredFileError, match=r"t10k-images-idx3-ubyte\.gz is truncated or altered .*refetch=True"):
        load("kmnist")
    assert len(network.asked) == 4  # nothing was fetched behind the user's back
    assert load("kmnist", refetch=True).test.images.min() == 200 / 255
    assert network.asked[4:] == [f"http://fake/{IDX[2]}"]  # the whole files stay
    assert path.read_bytes() == whole and len(load("kmnist").test) == TEST


def test_without_a_network_the_message_says_what_works(network: FakeNetwork) -> None:
    network.content.clear()
    with pytest.raises(ConnectionError) as error:
        load("kmnist")
    message = str(error.value)
    assert "Name or service not known" in message and str(folder()) in message
    assert "mnist-5k, digits, faces, photos, shapes." in message and all(name in message for name in IDX)
    assert list(folder().iterdir()) == []


def test_files_put_there_by_hand_are_taken(network: FakeNetwork) -> None:
    network.content.clear()
    folder().mkdir(parents=True)
    for name, content in made_idx().items():
        (folder() / name).write_bytes(content)
    assert len(load("kmnist").test) == TEST and network.asked == []


def test_what_a_login_page_sends_is_not_kept(network: FakeNetwork) -> None:
    network.content[f"http://fake/{IDX[1]}"] = b"<html>Please log in</html>"
    with pytest.raises(ConnectionError, match=r"what came \(26 bytes\) does not match the checksum"):
        load("kmnist")
    assert [path.name for path in folder().iterdir()] == [IDX[0]]


def test_the_next_mirror_is_tried(network: FakeNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    files = made_idx()
    network.content["http://bad/" + IDX[0]] = files[IDX[0]][:-1]
    remote = tuple(
        RemoteFile(name, (f"http://gone/{name}", f"http://bad/{name}", f"http://fake/{name}"), md5(files[name]))
        for name in IDX
    )
    monkeypatch.setattr(datasets, "published_files", lambda name: remote)
    assert len(load("kmnist").test) == TEST and len(network.asked) == 12


class OddMirrors(http.server.BaseHTTPRequestHandler):
    """A server whose first folders each answer in a wrong way of their own; /whole/ alone has the file."""

    content = b""
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:  # the name that http.server asks for
        way = self.path.split("/")[1]
        self.asked.append(way)
        if way == "silent":
            self.rfile.read(1)  # nothing more comes: until the other side gives up
            return
        if way == "no-http":
            self.wfile.write(b"SSH-2.0\r\n\r\n")
            return
        status = {"gone": 404, "down": 503, "circle": 302}.get(way, 200)
        page = {"whole": self.content, "other": self.content[::-1], "cut": self.content[:-9]}.get(
            way, b"<html>Sorry</html>"
        )
        self.send_response(status)
        if way == "circle":
            self.send_header("Location", self.path)
        self.send_header("Content-Length", str(len(self.content) if way == "cut" else len(page)))
        self.end_headers()
        if way != "empty":
            self.wfile.write(page)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_whatever_a_mirror_answers_the_next_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real downloader, which takes a file that lies there already for the one it was to fetch."""
    content, ways = (
        b"the whole file" * 9,
        ["page", "other", "gone", "cut", "down", "no-http", "circle", "empty", "silent", "whole"],
    )
    monkeypatch.setattr(OddMirrors, "content", content)
    monkeypatch.setattr(OddMirrors, "asked", [])
    monkeypatch.setattr(downloads, "SILENCE", 1.0)
    monkeypatch.setenv("no_proxy", "*")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OddMirrors)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        port = server.server_address[1]
        urls = ("nonsense", *(f"http://127.0.0.1:{port}/{way}/a.bin" for way in ways))
        file = RemoteFile("a.bin", urls, hashlib.sha256(content).hexdigest())
        assert downloads.obtain("set", (file,), (tmp_path,), False, "hint") == {"a.bin": content}
    finally:
        server.shutdown()
        server.server_close()
    assert list(dict.fromkeys(OddMirrors.asked)) == ways and socket.getdefaulttimeout() is None
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"] and (tmp_path / "a.bin").read_bytes() == content


def test_an_interrupted_download_leaves_nothing_half_done(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(url: str, path: Path) -> None:
        network(url, path)
        if url.endswith(IDX[1]):
            path.write_bytes(path.read_bytes()[:10])
            raise KeyboardInterrupt

    monkeypatch.setattr(downloads, "download", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load("kmnist")
    assert [path.name for path in folder().iterdir()] == [IDX[0]]
    monkeypatch.setattr(downloads, "download", network)
    assert len(load("kmnist").test) == TEST and len(network.asked) == 2 + 3


def test_a_cache_that_cannot_be_written_says_which_setting_helps(
    network: FakeNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    monkeypatch.setenv("AUTOENCODER_LAB_DATA", str(tmp_path / "file"))
    with pytest.raises(PermissionError, match="set AUTOENCODER_LAB_DATA to a folder that can be written to"):
        load("kmnist")


# --- files that a system package brings ------------------------------------------------------------


@pytest.fixture
def packaged(network: FakeNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fashion-MNIST as Debian has it: the same content, packed with another header; checksums are of the content."""
    place = tmp_path / "usr"
    place.mkdir()
    remote = []
    for name, content in made_idx().items():
        inside = gzip.decompress(content)
        (place / name).write_bytes(gzip.compress(inside, mtime=1234))
        remote.append(RemoteFile(name, (f"http://fake/{name}",), hashlib.sha256(inside).hexdigest()))
    monkeypatch.setattr(datasets, "published_files", lambda name: tuple(remote))
    entry = datasets.SETS["fashion-mnist"]._replace(packaged=(str(place),))
    monkeypatch.setitem(datasets.SETS, "fashion-mnist", entry)
    return place


def test_a_system_package_is_found_and_nothing_is_fetched(packaged: Path, network: FakeNetwork) -> None:
    assert datasets.table().loc["fashion-mnist", "offline"] == "yes, fetched"
    assert len(load("fashion-mnist").test) == TEST and network.asked == [] and not cache_folder().exists()


def test_a_damaged_system_file_is_replaced_in_the_cache_alone(packaged: Path, network: FakeNetwork) -> None:
    damaged = packaged / IDX[0]
    damaged.write_bytes(damaged.read_bytes()[:-20])
    before = damaged.read_bytes()
    with pytest.raises(AlteredFileError, match="train-images"):
        load("fashion-mnist")
    assert len(load("fashion-mnist", refetch=True).test) == TEST
    assert len(load("fashion-mnist").test) == TEST  # the whole copy is found before the damaged one stops anything
    assert network.asked == [f"http://fake/{IDX[0]}"] and damaged.read_bytes() == before


def test_a_damaged_gzip_file_is_not_whole_whatever_breaks_in_it() -> None:
    content = bytes(range(256)) * 40
    packed = gzip.compress(content, mtime=0)
    file = RemoteFile("a.gz", (), hashlib.sha256(content).hexdigest())
    assert file.matches(packed) and file.matches(gzip.compress(content, 1, mtime=7))
    for i in range(10, len(packed)):  # past the header, every single byte counts
        assert not file.matches(packed[:i] + bytes([packed[i] ^ 255]) + packed[i + 1 :])
        assert not file.matches(packed[:i])


def test_a_truncated_file_is_not_believed_about_its_size() -> None:
    """Its last four bytes are any: here 4 GB, which must not be asked of the machine."""
    content = np.random.default_rng(0).bytes(400_000)
    file = RemoteFile("a.gz", (), hashlib.sha256(content).hexdigest())
    tracemalloc.start()
    try:
        assert not file.matches(gzip.compress(content)[:300_000] + b"\xff" * 4)
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()


def test_a_file_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "LARGEST", 2**20)
    content = bytes(2**22)
    assert not RemoteFile("a.gz", (), hashlib.sha256(content).hexdigest()).matches(gzip.compress(content))


def test_the_real_package_if_installed() -> None:
    if not Path("/usr/share/datasets/fashion-mnist").is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    data = load("fashion-mnist", n=1000)
    assert (len(data.train), len(data.val), len(data.test)) == (1000, 5000, 10000)
    assert data.val.labels.bincount().tolist() == [500] * 10 and data.train.labels.bincount().tolist() == [100] * 10


# --- two kernels at once ---------------------------------------------------------------------------


def fetch_beside_another(cache: str, barrier: Any, results: Any) -> None:
    """One of two processes: its fake download waits until the other is downloading the same file too."""
    os.environ["AUTOENCODER_LAB_DATA"] = cache
    files = made_idx()

    def meet(url: str, path: Path) -> None:
        name = url.rsplit("/", 1)[1]
        path.write_bytes(files[name][:5])
        barrier.wait(timeout=60)  # both have half a file now
        path.write_bytes(files[name])

    downloads.download = meet
    datasets.published_files = lambda name: tuple(  # type: ignore[assignment]
        RemoteFile(file, (f"http://fake/{file}",), md5(files[file])) for file in IDX
    )
    data = load("kmnist")
    results.put((len(data.train), data.test.images.sum().item()))


@pytest.mark.slow
def test_two_kernels_fetching_at_once_both_succeed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    processes = [context.Process(target=fetch_beside_another, args=(str(tmp_path), barrier, results)) for _ in range(2)]
    for process in processes:
        process.start()
    answers = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert answers[0] == answers[1] and answers[0][0] == 220
    raw = tmp_path / "KMNIST" / "raw"
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == made_idx()


# --- the other formats -----------------------------------------------------------------------------


def test_cifar_is_read_in_its_channel_order(network: FakeNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.RandomState(0)
    packed, expected = io.BytesIO(), {}
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
            rows = random.randint(0, 256, (20, 3072), dtype=np.uint8)
            labels = [i % 10 for i in range(20)]
            expected.update({row.tobytes(): (name, label) for row, label in zip(rows, labels, strict=True)})
            content = pickle.dumps({b"data": rows, b"labels": labels})
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    content = packed.getvalue()
    network.content["http://fake/cifar"] = content
    remote = (RemoteFile("cifar-10-python.tar.gz", ("http://fake/cifar",), md5(content)),)
    monkeypatch.setattr(datasets, "published_files", lambda name: remote)
    data = load("cifar10")
    assert data.shape == (3, 32, 32) and (len(data.train), len(data.val), len(data.test)) == (90, 10, 20)
    for part in (data.train, data.val, data.test):
        for image, label in zip(
            part.images.mul(255).round().to(torch.uint8).numpy(), part.labels.tolist(), strict=True
        ):
            batch, truth = expected.pop(image.tobytes())  # red plane, green plane, blue plane, as in the file
            assert label == truth and (batch == "test_batch") == (part is data.test)
    assert expected == {}


def test_olivetti_faces_stand_upright(network: FakeNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.io import savemat

    faces = np.random.RandomState(0).randint(0, 256, (400, 64, 64), dtype=np.uint8)
    faces[0, 0, :2] = 0, 255
    packed = io.BytesIO()
    savemat(packed, {"faces": faces.transpose(0, 2, 1).reshape(400, 4096).T})  # each a column, read down the picture
    content = packed.getvalue()
    network.content["http://fake/faces"] = content
    remote = RemoteFile("olivettifaces.mat", ("http://fake/faces",), hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(datasets, "OLIVETTI", remote)
    monkeypatch.setattr(datasets, "published_files", lambda name: (remote,))
    data = load("olivetti")
    assert (len(data.train), len(data.val), len(data.test)) == (280, 40, 80)
    owner = {face.tobytes(): i // 10 for i, face in enumerate(faces)}
    for part, each in ((data.train, 7), (data.val, 1), (data.test, 2)):
        assert part.labels.bincount().tolist() == [each] * 40
        pixels = part.images.mul(255).round().to(torch.uint8).numpy()
        assert [owner[face.tobytes()] for face in pixels] == part.labels.tolist()


def test_scikit_learn_fetches_the_same_olivetti_file() -> None:
    from sklearn.datasets import _olivetti_faces

    theirs = _olivetti_faces.FACES
    assert (downloads.OLIVETTI.urls, downloads.OLIVETTI.checksum) == ((theirs.url,), theirs.checksum)


def test_addresses_and_checksums_are_torchvision_s_own() -> None:
    from torchvision import datasets as theirs

    for name, their in (("mnist", theirs.MNIST), ("fashion-mnist", theirs.FashionMNIST), ("kmnist", theirs.KMNIST)):
        files = downloads.published_files(name)
        assert [file.name for file in files] == [file for file, _ in their.resources]
        assert [file.urls for file in files] == [tuple(m + file for m in their.mirrors) for file, _ in their.resources]
        if name != "fashion-mnist":  # whose checksums are of the content: test_the_real_package_if_installed
            assert [file.checksum for file in files] == [md5 for _, md5 in their.resources]
    cifar = theirs.CIFAR10
    assert RemoteFile(cifar.filename, (cifar.url,), cifar.tgz_md5) == downloads.CIFAR10


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kmnist", "cifar10"])
def test_every_remote_file_has_addresses_and_a_checksum(name: str) -> None:
    files = datasets.published_files(name)
    assert tuple(file.name for file in files) == datasets.SETS[name].files
    for file in files:
        assert len(file.checksum) in (32, 64) and file.urls
        assert all(url.startswith("http") and url.endswith(file.name) for url in file.urls)


# --- asking for a set ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("mnist5k", "mnist-5k"),
        ("FashionMNIST", "fashion-mnist"),
        ("fashion", "fashion-mnist"),
        ("CIFAR-10", "cifar10"),
        ("kminst", "kmnist"),
        ("olivetti faces", "olivetti"),
        ("shape", "shapes"),
    ],
)
def test_an_unknown_name_lists_all_names_the_nearest_first(asked: str, nearest: str) -> None:
    with pytest.raises(ValueError, match=f"no data set is called '{asked}'; there are {nearest},") as error:
        load(asked)
    assert all(name in str(error.value) for name in datasets.SETS)


def test_what_comes_with_a_package_is_not_fetched() -> None:
    with pytest.raises(ValueError, match="mnist-5k is not downloaded but comes with"):
        load("mnist-5k", refetch=True)


def test_the_table_needs_no_network_and_follows_what_is_there(network: FakeNetwork) -> None:
    table = datasets.table()
    assert list(table.index) == list(datasets.SETS) and network.asked == []
    assert (table.loc[["mnist-5k", "digits", "faces", "photos", "shapes"], "offline"] == "yes").all()
    assert table.loc["kmnist", "offline"] == "after one download of 21 MB"
    assert table.loc["mnist-5k", "images"] == "3,500 / 500 / 1,000" and (table["licence"].str.len() > 0).all()
    load("kmnist")
    assert datasets.table().loc["kmnist", "offline"] == "yes, fetched"


def test_the_cache_is_where_the_platform_keeps_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTOENCODER_LAB_DATA", raising=False)
    for platform, variable in (("linux", "XDG_CACHE_HOME"), ("win32", "LOCALAPPDATA")):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setenv(variable, str(tmp_path / platform))
        assert cache_folder() == tmp_path / platform / "autoencoder_lab"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "autoencoder_lab"
    monkeypatch.setenv("AUTOENCODER_LAB_DATA", "~/my data")
    assert cache_folder() == Path.home() / "my data"
