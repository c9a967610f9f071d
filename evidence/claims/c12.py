"""C12: PCA is cheap for small data; the autoencoder scales better to large data and uses GPUs.

n = 1,000 and 8,000 digits (affine copies of 3,500), 784 pixels, k = 32: full SVD, incremental PCA in batches of 500,
and a dense autoencoder 784-128-32-128-784 trained for 500 steps of 64 whatever n is. One thread.
Times are processor time, which other programs on the machine disturb little; memory is the peak of what the two PCAs
allocate, and for the autoencoder weights, gradients, Adam's moments and one batch, counted.
"""

import time
import tracemalloc
from typing import Any

import numpy as np
import sklearn.base
import torch

from autoencoder_lab.data.augmentations import affine
from autoencoder_lab.data.split import ImageData, Split
from benchmarks.table import measured_on_gpu
from evidence.common import CONDITION, UNDECIDED, Figures, Rows, Verdict, dense, digits, over_seeds, ratio, test_mse

SLIDE = "001"
CLAIM = "PCA is cheap for small data; the autoencoder scales better to large data and uses GPUs"
NOTEBOOK, SECTION = "01", "Deeper · Time and memory"
EXPECTED = CONDITION
SIZES, STEPS, K = (1000, 8000), 500, 32


def fit_pca(pca: Any, x: Any) -> None:
    """Fit on all of x at once, or, where the method can, in batches of 500."""
    if hasattr(pca, "partial_fit"):
        for start in range(0, len(x), 500):
            pca.partial_fit(x[start : start + 500])
    else:
        pca.fit(x)


def cost(pca: Any, x: Any) -> tuple[float, float]:
    """Processor seconds of one fit, and the peak of what NumPy allocated in a second one, in megabytes."""
    started = time.process_time()
    fit_pca(sklearn.base.clone(pca), x)
    seconds = time.process_time() - started
    tracemalloc.start()
    fit_pca(pca, x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return seconds, peak / 1e6


def experiment(seed: int) -> Figures:
    """Seconds and megabytes by method and n, and each method's test error."""
    from sklearn.decomposition import PCA, IncrementalPCA

    base, figures = digits(), {}
    x_test = base.test.images.flatten(1).numpy()
    generator = torch.Generator().manual_seed(seed)
    for n in SIZES:
        pick = torch.arange(n) % len(base.train)
        images = affine()(base.train.images[pick], generator)
        x = images.flatten(1).numpy()
        methods = {"svd": PCA(K, svd_solver="full"), "incremental": IncrementalPCA(K)}
        for name, pca in methods.items():
            figures[f"{name}_{n}_seconds"], figures[f"{name}_{n}_megabytes"] = cost(pca, x)
            error = pca.inverse_transform(pca.transform(x_test)) - x_test
            figures[f"{name}_{n}_mse"] = float(np.square(error).mean())
        data = ImageData("copies", Split(images, base.train.labels[pick], base.train.classes), base.val, base.test)
        started = time.process_time()
        model = dense(data, K, seed, STEPS)
        figures[f"autoencoder_{n}_seconds"] = time.process_time() - started
        figures[f"autoencoder_{n}_mse"] = test_mse(model, data)
        weights = sum(parameter.numel() for parameter in model.parameters())
        figures["autoencoder_megabytes"] = 4 * (4 * weights + 64 * 2 * (784 + 128 + 32)) / 1e6
    return figures


def verdict(rows: Rows) -> Verdict:
    """Conditional where the SVD is cheaper at 1,000, the autoencoder's cost does not grow, and incremental PCA is
    cheap too."""
    small, large = SIZES
    cheap = ratio(rows, f"autoencoder_{small}_seconds", f"svd_{small}_seconds").above(1)
    memory = ratio(rows, f"svd_{large}_megabytes", f"svd_{small}_megabytes").above(3)
    flat = ratio(rows, f"autoencoder_{large}_seconds", f"autoencoder_{small}_seconds").below(2)
    also_cheap = ratio(rows, f"incremental_{large}_megabytes", f"incremental_{small}_megabytes").below(2)
    sentence = (
        f"From {small:,} to {large:,} images the full SVD's time grows "
        f"{ratio(rows, f'svd_{large}_seconds', f'svd_{small}_seconds')} times and its memory from "
        f"{over_seeds(rows, f'svd_{small}_megabytes')} to {over_seeds(rows, f'svd_{large}_megabytes')} MB, while an "
        f"autoencoder trained for a fixed number of steps stays at {over_seeds(rows, 'autoencoder_megabytes')} MB and "
        f"takes {ratio(rows, f'autoencoder_{large}_seconds', f'autoencoder_{small}_seconds')} times as long. But "
        f"incremental PCA needs no more memory either ({over_seeds(rows, f'incremental_{large}_megabytes')} MB), and "
        f"the autoencoder costs {ratio(rows, f'autoencoder_{small}_seconds', f'svd_{small}_seconds')} times the SVD at "
        f"{small:,} images and {ratio(rows, f'autoencoder_{large}_seconds', f'svd_{large}_seconds')} times at "
        f"{large:,}. Processor time on one thread of a machine that was busy with other work. As for GPUs: "
        f"{measured_on_gpu() or 'not measured'}."
    )
    return Verdict(CONDITION if cheap and memory and flat and also_cheap else UNDECIDED, sentence)
