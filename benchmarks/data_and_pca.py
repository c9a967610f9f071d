"""Reading Fashion-MNIST beside torchvision, and PCA beside scikit-learn.

    python -m benchmarks data_and_pca [--short]

Both readers begin with the four packed files and end with float32 tensors of all images; ours checks every file's
SHA-256 on the way and splits. Both PCAs take 60,000 images and 64 components.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

import autoencoder_lab as lab
from autoencoder_lab.data.split import Split
from benchmarks import rivals
from benchmarks.rivals import timed
from benchmarks.table import Row

FIRST_LOAD = """
import time
import autoencoder_lab as lab
lab.PCA  # torch and the library are there
started = time.perf_counter()
lab.load("fashion-mnist")
print(time.perf_counter() - started)
"""


def measure(short: bool = False) -> list[Row]:
    """Both comparisons."""
    return _reading(5 if short else 7) + _components(2 if short else 7)


def _reading(rounds: int) -> list[Row]:
    def theirs(folder: Path) -> object:
        return [rivals.torchvision_set(folder, train).data[:, None].float().div_(255) for train in (True, False)]

    ours, packed, unpacked = [], [], []
    for _ in range(rounds):
        folder = Path(tempfile.mkdtemp())
        packed.append(timed(lambda folder=folder: theirs(folder)))
        unpacked.append(timed(lambda folder=folder: theirs(folder)))
        ours.append(timed(lambda: lab.load("fashion-mnist")))
        shutil.rmtree(folder)
    first = [
        float(
            subprocess.run([sys.executable, "-c", FIRST_LOAD], capture_output=True, encoding="utf-8", check=True).stdout
        )
        for _ in range(rounds)
    ]
    ratio = statistics.median(b / a for a, b in zip(ours, packed, strict=True))
    text = (
        f"{statistics.median(ours):.2f} and {statistics.median(packed):.2f} s from the packed files; from its own "
        f"unpacked copy torchvision takes {statistics.median(unpacked):.2f} s"
    )
    return [
        Row("load Fashion-MNIST: torchvision's time / ours", ratio, limit=1, beside=text),
        Row("load Fashion-MNIST: first call of a process", statistics.median(first), "s", 1.0, False),
    ]


def _components(rounds: int) -> list[Row]:
    from sklearn.decomposition import PCA as TheirPCA

    data = lab.load("fashion-mnist")
    images = torch.cat([data.train.images, data.val.images])
    labels = torch.cat([data.train.labels, data.val.labels])
    everything, flat = Split(images, labels, data.train.classes), images.flatten(1).numpy()
    ours, theirs = [], []
    pca: Any = None
    their: Any = None
    for turn in range(rounds + 1):
        pca, their = lab.PCA(64), TheirPCA(64, svd_solver="randomized", random_state=0)
        seconds = timed(lambda pca=pca: pca.fit(everything)), timed(lambda their=their: their.fit(flat))
        if turn:  # the first only warms up
            ours.append(seconds[0])
            theirs.append(seconds[1])
    cosines = torch.linalg.svdvals(pca.components.T.double() @ torch.from_numpy(their.components_).T.double())
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    text = f"{statistics.median(ours):.2f} and {statistics.median(theirs):.2f} s"
    gap = _variance_left(flat, pca.components.T.numpy(), pca.mean.numpy()) / _variance_left(
        flat, their.components_, their.mean_
    )
    return [
        Row("PCA, 60,000 × 784, 64 components: scikit-learn's time / ours", ratio, limit=1, beside=text),
        Row("… mean squared cosine between the subspaces", float(cosines.square().mean()), "", 0.99),
        Row("… variance left, ours / scikit-learn's randomized", gap, "", 1.0001, False),
    ]


def _variance_left(x: Any, components: Any, mean: Any) -> float:
    centred = x[:10_000] - mean
    return float((centred**2).sum() - ((centred @ components.T) ** 2).sum())
