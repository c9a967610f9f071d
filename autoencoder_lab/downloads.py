"""Files that must be fetched once: where they lie, that they are whole, and that two kernels may fetch at once."""

import gzip
import hashlib
import os
import sys
import tempfile
import zlib
from pathlib import Path
from typing import NamedTuple


class RemoteFile(NamedTuple):
    """One file: its name, the addresses it comes from (tried in order), and the checksum of its content.

    checksum: 32 hexadecimal digits are an MD5 of the file; 64 a SHA-256, of what is inside if the name ends in .gz,
    for the same data packed by somebody else differ in the header alone.
    """

    name: str
    urls: tuple[str, ...]
    checksum: str

    def matches(self, content: bytes) -> bool:
        if len(self.checksum) == 32:  # the publisher's own checksum; it guards against damage, not against malice
            return hashlib.md5(content, usedforsecurity=False).hexdigest() == self.checksum
        try:
            inside = gzip.decompress(content) if self.name.endswith(".gz") else content
        except (OSError, EOFError, zlib.error):  # not a gzip file, or a truncated or damaged one
            return False
        return hashlib.sha256(inside).hexdigest() == self.checksum


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
) -> dict[str, bytes]:
    """The content of each file by its name, from the first of the places that has it whole, else fetched to places[0].

    Every load checks every file: content that does not match its checksum is never returned. refetch: fetch a file
    again that is there but does not match. hint: what a reader without a network can do.
    Raises AlteredFileError where a file does not match, ConnectionError where a download fails.
    """
    contents: dict[str, bytes] = {}
    for file in files:
        present = [path for place in places if (path := place / file.name).is_file()]
        whole = next((content for path in present if file.matches(content := path.read_bytes())), None)
        if whole is None and present and not refetch:
            raise AlteredFileError(
                f"{present[0]} is truncated or altered ({present[0].stat().st_size:,} bytes, wrong checksum); "
                f"not used. load({data!r}, refetch=True) downloads it again"
            )
        contents[file.name] = _fetch(data, file, places[0], hint) if whole is None else whole
    return contents


def _fetch(data: str, file: RemoteFile, folder: Path, hint: str) -> bytes:
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
            try:
                download(url, arrival)
                content = arrival.read_bytes()
            except (OSError, RuntimeError) as error:  # no network, no such address, disk full; torchvision's own
                failures.append(f"{url}: {error}")
                continue
            if not file.matches(content):
                failures.append(f"{url}: what came ({len(content):,} bytes) does not match the checksum")
                continue
            try:
                arrival.replace(folder / file.name)
            except PermissionError:  # Windows, while another kernel reads the file it has just put there
                if not file.matches((folder / file.name).read_bytes()):
                    raise
            return content
    raise ConnectionError(f"could not download {data}. {' | '.join(failures)}\n{hint}")


def download(url: str, path: Path) -> None:
    """Fetch one address into one new file, with torchvision's downloader and its progress bar."""
    from torchvision.datasets.utils import download_url

    download_url(url, str(path.parent), filename=path.name)
