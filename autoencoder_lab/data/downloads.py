"""Files that must be fetched once: where they lie, that they are whole, and that two kernels may fetch at once."""

import hashlib
import http.client
import os
import socket
import sys
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from autoencoder_lab.files import FULL, whole

Content = bytes | bytearray
SILENCE = 30.0  # seconds in which a mirror says nothing at all, after which the next one is asked
PIECE, LARGEST = 2**18, 2**28  # bytes: packed, unpacked at once; unpacked, all of a file (CIFAR-10 has 186 million)


class RemoteFile(NamedTuple):
    """One file: its name, the addresses it comes from (tried in order), and the checksum of its content.

    checksum: 32 hexadecimal digits are an MD5 of the file; 64 a SHA-256, of what is inside if the name ends in .gz,
    for the same data packed by somebody else differ in the header alone.
    """

    name: str
    urls: tuple[str, ...]
    checksum: str

    def inside(self, content: bytes) -> Content | None:
        """What the file holds, unpacked if its name ends in .gz; None where it is not the file it should be."""
        by_md5 = len(self.checksum) == 32  # the publisher's own checksum; it guards against damage, not against malice
        if by_md5 and hashlib.md5(content, usedforsecurity=False).hexdigest() != self.checksum:
            return None
        digest = None if by_md5 else hashlib.sha256()
        try:
            unpacked = _gunzip(content, digest) if self.name.endswith(".gz") else content
        except zlib.error:  # not a gzip file, or a truncated or damaged one
            return None
        if digest is None:
            return unpacked
        if unpacked is content:
            digest.update(content)
        return unpacked if digest.hexdigest() == self.checksum else None

    def matches(self, content: bytes) -> bool:
        """Whether this is the file, whole."""
        return self.inside(content) is not None


def _gunzip(content: bytes, digest: "hashlib._Hash | None") -> bytearray:
    """Unpack a gzip file of one member, and feed what is inside to `digest`; raises zlib.error where it is not whole.

    Piece by piece: another thread takes the checksum of one while the next is unpacked. The last four bytes tell the
    size, which spares the copies of a growing buffer; those of a truncated file tell anything, so no more than what
    images pack to is believed, and none of our files is as large as LARGEST.
    """
    size = min(int.from_bytes(content[-4:], "little"), 8 * len(content), LARGEST)
    unpacked, end, reader = bytearray(size), 0, zlib.decompressobj(wbits=31)
    with ThreadPoolExecutor(1) as hashing:
        for start in range(0, len(content), PIECE):
            piece = reader.decompress(content[start : start + PIECE])
            if digest is not None:
                hashing.submit(digest.update, piece)
            unpacked[end : end + len(piece)] = piece
            end += len(piece)
            if end > LARGEST:
                raise zlib.error(f"more than {LARGEST:,} bytes")
    if not reader.eof:
        raise zlib.error("the file is truncated")
    del unpacked[end:]
    return unpacked


IDX = (  # MNIST's four files, which its successors call alike
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
# As torchvision has them, whose import would take longer than reading the files; a test compares. Fashion-MNIST's are
# SHA-256 of what is inside, for Debian packs the same bytes anew
PUBLISHED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "mnist": (
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
        (
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    ),
    "fashion-mnist": (
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    "kmnist": (
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        (
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
    ),
}
CIFAR10 = RemoteFile(
    "cifar-10-python.tar.gz",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
    "c58f30108f718f92721af3b95e74349a",
)
OLIVETTI = RemoteFile(  # as scikit-learn's fetch_olivetti_faces has it
    "olivettifaces.mat",
    ("https://ndownloader.figshare.com/files/5976027",),
    "b612fb967f2dc77c9c62d3e1266e0c73d5fca46a4b8906c18e454d41af987794",
)


def published_files(name: str) -> tuple[RemoteFile, ...]:
    """The files of a data set, with their addresses and checksums."""
    if name in PUBLISHED:
        mirrors, checksums = PUBLISHED[name]
        return tuple(RemoteFile(f, tuple(m + f for m in mirrors), c) for f, c in zip(IDX, checksums, strict=True))
    return ({"cifar10": CIFAR10, "olivetti": OLIVETTI}[name],)


class AlteredFileError(ValueError):
    """A data file is truncated or altered. The message names it and says how to get it again."""


def cache_folder() -> Path:
    """Where downloads are kept: $AUTOENCODER_LAB_DATA, or autoencoder_lab in the platform's own cache folder."""
    if chosen := os.environ.get("AUTOENCODER_LAB_DATA"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "autoencoder_lab"


def obtain(
    data: str, files: tuple[RemoteFile, ...], places: tuple[Path, ...], refetch: bool, hint: str
) -> dict[str, Content]:
    """The content of each file by its name, unpacked, from the first of the places that has it whole; else it is
    fetched to places[0].

    Every load checks every file: content that does not match its checksum is never returned. refetch: fetch a file
    again that is there but does not match. hint: what a reader without a network can do.
    Raises AlteredFileError where a file does not match, ConnectionError where a download fails.
    """
    contents: dict[str, Content] = {}
    present = {file: [path for place in places if (path := place / file.name).is_file()] for file in files}
    with ThreadPoolExecutor(len(files)) as pool:  # unpacking and hashing let other threads run
        found = pool.map(lambda file: _first_whole(file, present[file]), files)
    for file, content in zip(files, found, strict=True):
        if content is None and present[file] and not refetch:
            path = present[file][0]
            raise AlteredFileError(
                f"{path} is truncated or altered ({path.stat().st_size:,} bytes, wrong checksum); "
                f"not used. load({data!r}, refetch=True) downloads it again"
            )
        contents[file.name] = _fetch(data, file, places[0], hint) if content is None else content
    return contents


def _first_whole(file: RemoteFile, paths: list[Path]) -> Content | None:
    return next((inside for path in paths if (inside := file.inside(path.read_bytes())) is not None), None)


def _fetch(data: str, file: RemoteFile, folder: Path, hint: str) -> Content:
    """Download into a folder of our own, check, then move into place in one step: nobody ever sees half a file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        workplace = tempfile.TemporaryDirectory(dir=folder, prefix=".incoming-", ignore_cleanup_errors=True)
    except OSError as error:
        raise PermissionError(
            f"cannot write to {folder} ({error}); set AUTOENCODER_LAB_DATA to a folder that can be written to"
        ) from error
    failures: list[str] = []
    with workplace as name:
        arrival = Path(name) / file.name
        for url in file.urls:
            arrival.unlink(missing_ok=True)  # what a mirror before sent: torchvision would take it for the file
            try:
                download(url, arrival)
                content = arrival.read_bytes()
            except (OSError, RuntimeError, ValueError, http.client.HTTPException) as error:
                # no network, no such address; torchvision's own; an answer that is cut short or no HTTP
                if isinstance(error, OSError) and error.errno in FULL:
                    raise _no_room(error, folder) from None
                failures.append(f"{url}: {error or type(error).__name__}")
                continue
            if (inside := file.inside(content)) is None:
                failures.append(f"{url}: what came ({len(content):,} bytes) does not match the checksum")
                continue
            try:
                with whole(folder / file.name) as part:
                    arrival.replace(part)
            except PermissionError:  # Windows, while another kernel reads the file it has just put there
                if not file.matches((folder / file.name).read_bytes()):
                    raise
            except OSError as error:
                raise (_no_room(error, folder) if error.errno in FULL else error) from None
            return inside
    raise ConnectionError(f"could not download {data}. {' | '.join(failures)}\n{hint}")


def _no_room(error: OSError, folder: Path) -> OSError:
    """The error of a full disk, with what to do."""
    said = "the disk is full and this file not kept: free some space, or set AUTOENCODER_LAB_DATA to a folder elsewhere"
    return OSError(error.errno, said, str(folder))


def download(url: str, path: Path) -> None:
    """Fetch one address into one new file, with torchvision's downloader and its progress bar.

    Raises TimeoutError where nothing comes for `SILENCE` seconds; torchvision takes no limit of its own and would wait.
    """
    from torchvision.datasets.utils import download_url

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE)
    try:
        download_url(url, str(path.parent), filename=path.name)
    finally:
        socket.setdefaulttimeout(before)
