"""Every kind of widget of the course, in JupyterLab and in Notebook 7: it keeps its keys, and a saved notebook shows it.

The kinds are found: every class of the package that is a widget with a view. A new one fails until `SHOWN` makes it.
"""

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import autoencoder_lab
from explorer.browser import Watch
from explorer.jupyterlab import JupyterLab, Notebook, ask

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

SETUP = """
import torch
import autoencoder_lab as lab
from autoencoder_lab.models.planar_game import PlanarGAN
torch.set_num_threads(1)
data = lab.load("digits")
pca, other = lab.PCA(2).fit(data.train), lab.PCA(3).fit(data.train)
"""
# the code of a cell -> the classes of widgets that it shows
SHOWN = {
    "lab.explore(pca, data, count=20)": {"Explorer"},
    "lab.explore({'two': pca, 'three': other}, data, count=20)": {"Explorer"},
    "lab.explore(pca, data, count=20, engine='kernel')": {"Explorer"},
    "lab.predict('Which one?', ['one', 'two', 'three'], 'first')": {"PredictionForm"},
    "lab.predict('Which one?', ['one', 'two', 'three'], 'second')": {"PredictionForm"},
    "lab.show_game(PlanarGAN([0], hidden=8), rounds=4, kept=2)": {"GamePlayer"},
}
ROOT = ".autoencoder-lab-explorer, .autoencoder-lab-prediction"
FRONT_ENDS = [
    "lab",
    pytest.param(
        "notebooks", marks=pytest.mark.skipif(find_spec("notebook") is None, reason="Notebook 7 is missing: pip install notebook")
    ),
]
NOT_OURS = ["reading 'schema'", "woff2", "403"]  # Notebook 7 asks for a font and a setting that it does not have
FOCUSABLE = "input:not([disabled]), select, button:not([disabled]), [tabindex='0']"
# what a key must leave as it was; `runs` counts what was run
STATE = """() => {
  const { content, context, sessionContext } = notebook;
  const cells = [...content.widgets].map(({ model }) => [model.id, model.type, model.sharedModel.getSource()]);
  return JSON.stringify({ cells, mode: content.mode, active: content.activeCellIndex,
    selected: [...content.widgets].map((cell) => content.isSelected(cell)), kernel: sessionContext.session.kernel.id,
    status: sessionContext.session.kernel.status, dialogs: document.querySelectorAll(".jp-Dialog").length });
}"""
# dispatch every key at the element in one go: what the front end does, it does before the answer, or to `STATE` later
PRESS = """([element, keys]) => {
  const changed = [];
  for (const { key, shiftKey, ctrlKey } of keys) {
    element.focus();
    const before = (%s)();
    const event = new KeyboardEvent("keydown", { key, code: codeOf(key), keyCode: numberOf(key), shiftKey, ctrlKey,
      bubbles: true, cancelable: true, composed: true });
    element.dispatchEvent(event);
    if ((%s)() !== before || (document.activeElement !== element && element.isConnected)) changed.push(key);
  }
  return changed;
}"""
BINDINGS = "() => jupyterapp.commands.keyBindings.map(({ keys, selector, command }) => ({ keys: [...keys], selector, command }))"
