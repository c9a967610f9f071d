"""The first line of every notebook: seeds, threads, versions."""

import importlib.util
import random

import numpy as np
import torch

from autoencoder_lab import arguments, machine


def setup(seed: int = 0) -> None:
    """Seed Python, NumPy and PyTorch, choose a thread count, and say in one line what this notebook runs on.

    seed: a whole number from 0 to 2**32 - 1, which is what NumPy takes.
    Threads: never more than the processors this process may use, nor more than 8; small models only wait on more.
    """
    seed = arguments.whole("seed", seed, 0, 2**32 - 1)
    random.seed(seed)
    np.random.seed(seed)  # the global generator, which scikit-learn and others draw from
    torch.manual_seed(seed)
    torch.set_num_threads(max(1, min(torch.get_num_threads(), machine.processors(), 8)))
    print(_summary())


def _summary() -> str:
    from autoencoder_lab import __version__
    from autoencoder_lab.training.device import pick_device

    threads = torch.get_num_threads()
    others, usable = machine.others(), machine.processors()
    busy = [f"busy: other programs use {others:.1f} of {usable} processors, so training takes longer"]
    ready = "ready" if importlib.util.find_spec("mlxtend") else "missing; pip install mlxtend"
    return " · ".join(
        [
            f"autoencoder_lab {__version__}",
            f"torch {torch.__version__.partition('+')[0]}",
            f"{pick_device().type}, {threads} thread{'s' * (threads > 1)}",
            f"mnist-5k offline: {ready}",
            *busy * (others > machine.BUSY),
        ]
    )
