"""Importing the package must not import what only some of its functions need."""

import json
import os
import subprocess
import sys

import autoencoder_lab as lab

HEAVY = ("sklearn", "skimage", "pandas", "matplotlib", "scipy", "IPython", "ipywidgets", "torchvision", "mlxtend")

FRESH = f"""
import json, sys
import torch
with_torch = set(sys.modules)
import autoencoder_lab as lab
for name in lab.__all__:  # they load on first use; drawing alone may bring matplotlib
    name in ("plot", "diagram") or getattr(lab, name)
assert "autoencoder_lab.training" in sys.modules
after_import = sorted(name for name in {HEAVY!r} if name in sys.modules and name not in with_torch)
lab.plot.images
print(json.dumps([after_import, "matplotlib" in sys.modules, "matplotlib.pyplot" in sys.modules]))
"""


def test_heavy_modules_come_only_when_used() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    fresh = subprocess.run(
        [sys.executable, "-c", FRESH], env=environment, capture_output=True, encoding="utf-8", check=True, timeout=300
    )
    too_early, matplotlib_when_drawing, pyplot_ever = json.loads(fresh.stdout)
    assert too_early == []
    assert matplotlib_when_drawing and not pyplot_ever


def test_plot_is_found_by_name_by_import_and_by_completion() -> None:
    from autoencoder_lab import plot, plotting

    assert lab.plot is plot is plotting
    assert "plot" in dir(lab) and set(lab.__all__) <= set(dir(lab))
    assert all(hasattr(lab, name) for name in lab.__all__)
    assert not hasattr(lab, "plots")
