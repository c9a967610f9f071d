"""Every kind of widget of the course in JupyterLab and Notebook 7: it keeps its keys, and a saved notebook shows it.

The kinds are found in the package; a new one fails a test here until `SHOWN` makes it.
"""

import ast
import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import autoencoder_lab
from explorer.browser import Watch
from explorer.jupyterlab import JupyterLab, Notebook, ask

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

SETUP = """
import gc, weakref
import torch
import autoencoder_lab as lab
from IPython.display import display
from autoencoder_lab.models.planar_game import PlanarGAN
torch.set_num_threads(1)
data = lab.load("digits")
vae = lab.VAE(2, data.shape, width=4, hidden=8)
pca, other = lab.PCA(2).fit(data.train), lab.PCA(3).fit(data.train)
"""
SHOWN = {  # the code of a cell -> the kind of widget that it shows
    "lab.explore({'two': pca, 'three': other}, data, count=20)": "Explorer",
    "lab.predict('Which one?', ['one', 'two', 'three'], 'first')": "PredictionForm",
    "lab.show_game(PlanarGAN([0], hidden=8), rounds=4, kept=2)": "GamePlayer",
    "lab.show_posteriors({1.0: vae, 2.0: vae}, data, count=9)": "PosteriorPlayer",
    "lab.explore(pca, data, count=20, engine='plain')": "PlainExplorer",
    "lab.explore(pca, data, count=20, engine='kernel')": "Explorer",
}
TWICE = ["lab.explore(pca, data, count=20)", "lab.predict('Which one?', ['one', 'two', 'three'], {!r})"]
# what makes much, and what IPython keeps in Out and _: the moments of a training, a scene, a game
AGAIN = """
model = lab.DenseAutoencoder(2, data.shape, hidden=(8,))
explorer = lab.explore({'trained': model}, data, count=20)
display(explorer)
history = lab.fit(model, data, steps=60, progress=False, callbacks=[explorer])
parts = [explorer, *explorer.moments[0], *(moment.model for moment in explorer.moments[0])]
player = lab.show_game(PlanarGAN([0], hidden=8), rounds=4, kept=2)
display(player)
lab.predict('Which one?', ['one', 'two', 'three'], 'again')
runs.append([weakref.ref(part) for part in parts[1:]])
del parts
explorer
"""
ALIVE = "(gc.collect(), [sum(one() is not None for one in run) for run in runs])[1]"
SCENES = "sum(isinstance(one, dict) and 'labelBytes' in one for one in gc.get_objects())"
ROOT = ".autoencoder-lab-explorer, .autoencoder-lab-prediction, .autoencoder-lab-plain"
FRONT_ENDS = [
    "lab",
    pytest.param(
        "notebooks",
        marks=[
            pytest.mark.skipif(find_spec("notebook") is None, reason="Notebook 7 is missing: pip install notebook"),
            pytest.mark.long,
        ],
    ),
]
NOT_OURS = ["'schema'", "woff2", "403"]  # Notebook 7 asks for a setting and a font that it does not have
FOCUSABLE = "input:not([disabled]), select, button:not([disabled]), [tabindex='0']"
LISTEN = """() => {
  window.executed = [];
  jupyterapp.commands.commandExecuted.connect((_, { id }) => window.executed.push(id));
}"""
BOUND = "() => jupyterapp.commands.keyBindings.map(({ keys, command }) => ({ keys: [...keys], command }))"
STATE = """() => {
  const { content, sessionContext: { session: { kernel } } } = notebook;
  const cells = Array.from(content.widgets, ({ model }) => [model.id, model.type, model.sharedModel.getSource()]);
  const selected = Array.from(content.widgets, (cell) => content.isSelectedOrActive(cell));
  return JSON.stringify({ cells, selected, active: content.activeCellIndex, mode: content.mode, kernel: kernel.id,
    dialogs: document.querySelectorAll(".jp-Dialog").length });
}"""
CELLS = "() => Array.from(notebook.content.widgets, ({ model }) => [model.id, model.sharedModel.getSource()])"
ELEMENTS = "document.querySelectorAll('.jp-Notebook *').length"  # what is around comes and goes by itself
WITHIN = "(root) => root.contains(document.activeElement)"
NAMES = """(roots) => {
  const wrong = [];
  const named = document.querySelectorAll("[id]");
  const ids = Array.from(named, ({ id }) => id);
  for (const root of roots) {
    for (const { id } of root.querySelectorAll("[id]")) if (ids.filter((one) => one === id).length > 1) wrong.push(id);
    for (const name of ["aria-labelledby", "aria-controls", "aria-describedby", "for"]) {
      for (const one of root.querySelectorAll(`[${name}]`)) {
        if (!root.contains(document.getElementById(one.getAttribute(name)))) wrong.push(`${name} leaves its widget`);
      }
    }
  }
  return wrong;
}"""


def kinds() -> set[str]:
    """The widgets of the package that have a view: what brings a script, or is one of ipywidgets' own."""
    found = set()
    for path in Path(autoencoder_lab.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                script = any(isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "_esm" for one in node.body)
                if script or any(ast.unparse(base).startswith("ipywidgets.") for base in node.bases):
                    found.add(node.name)
    return found - {"_Rest"}


def test_every_kind_of_widget_is_shown_here() -> None:
    assert kinds() == set(SHOWN.values())


@pytest.fixture(scope="module")
def jupyterlab(browser: "Browser") -> Iterator[JupyterLab]:
    with JupyterLab() as server:
        yield server


@contextmanager
def opened(browser: "Browser", server: JupyterLab, cells: list[str], name: str, front_end: str) -> Iterator[Notebook]:
    """A notebook in a page of its own, all its cells run; nothing may go wrong in the page."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    watch = Watch(context)
    notebook = server.open(context.new_page(), cells, name, front_end)
    notebook.run_all()
    yield notebook
    notebook.close()
    context.close()
    assert not watch.unexpected(NOT_OURS if front_end == "notebooks" else []), watch.problems


def shown(notebook: Notebook, cell: int) -> "Locator":
    """The widget below a cell, once it can be used."""
    root = notebook.show(cell).locator(ROOT).first
    root.wait_for()
    if "explorer" in (root.get_attribute("class") or ""):
        root.and_(notebook.page.locator('[data-ready="true"]')).wait_for()
    return root


def as_typed(stroke: str) -> str:
    """Playwright's name of a key of a binding: "Ctrl Shift M" is "Control+Shift+M", "M" is "m"."""
    *modifiers, key = stroke.split(" ")
    names = {"Ctrl": "Control", "Cmd": "Meta", "Accel": "ControlOrMeta"}
    return "+".join(
        [*(names.get(one, one) for one in modifiers), key if modifiers else key.lower() if len(key) == 1 else key]
    )


def strokes(notebook: Notebook, modified: bool) -> dict[str, set[str]]:
    """key as Playwright presses it -> the commands that the front end binds to it, alone or in a sequence."""
    found: dict[str, set[str]] = {}
    for binding in notebook.page.evaluate(BOUND):
        for stroke in binding["keys"]:
            if bool({"Ctrl", "Alt", "Cmd", "Accel"}.intersection(stroke.split(" "))) == modified:
                found.setdefault(as_typed(stroke), set()).add(binding["command"])
    return {key: commands for key, commands in found.items() if key != "Shift+Enter"}


def press_all(notebook: Notebook, root: "Locator", element: "Locator", keys: dict[str, set[str]]) -> list[str]:
    """Press the keys in an element of a widget: those after which cells, kernel or focus are not as they were."""
    page, wrong = notebook.page, []
    page.evaluate("() => { window.executed.length = 0; }")
    for key, commands in keys.items():
        if not element.is_visible() or element.is_disabled():
            break
        element.focus()
        before = json.loads(page.evaluate(STATE))
        page.keyboard.press(key)
        after, executed = json.loads(page.evaluate(STATE)), commands.intersection(page.evaluate("window.executed"))
        if "Tab" in key and not root.evaluate(WITHIN):  # gone on to the next control: that one's cell is active then
            before |= {name: after[name] for name in ("selected", "active", "mode")}
        if after != before or executed:  # what follows would be pressed in another notebook
            return [*wrong, f"{key}: {executed}, {before} became {after}"]
        if "Tab" not in key and not root.evaluate(WITHIN):
            wrong.append(f"{key} takes the focus")
    return wrong


def elements(root: "Locator") -> Iterator["Locator"]:
    """One focusable element of each sort, in each tab of the widget."""
    seen = set()
    tabs = root.get_by_role("tab").all()
    for tab in tabs or [None]:
        if tab is not None:
            tab.click()
        for element in root.locator(FOCUSABLE).all():
            sort = element.evaluate("(e) => [e.tagName, e.type, e.getAttribute('role'), e.className].join()")
            if element.is_visible() and sort not in seen:
                seen.add(sort)
                yield element


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_a_key_without_a_modifier_is_the_widgets(browser: "Browser", jupyterlab: JupyterLab, front_end: str) -> None:
    with opened(browser, jupyterlab, [SETUP, *SHOWN], f"keys-{front_end}", front_end) as notebook:
        notebook.page.evaluate(LISTEN)
        keys = strokes(notebook, modified=False)
        assert {"x", "m", "b", "d", "0", "ArrowDown", "Shift+M"} <= set(keys)  # cut, change, insert, delete, restart, …
        for cell, code in enumerate(SHOWN, start=1):
            root = shown(notebook, cell)
            element = root.locator(FOCUSABLE).first
            assert press_all(notebook, root, element, keys) == [], f"{code}: {element}"

        # what each does everywhere
        form = shown(notebook, 2)
        form.get_by_label("one").focus()
        for key, chosen in [("ArrowDown", "two"), ("ArrowDown", "three"), ("ArrowDown", "one"), ("ArrowUp", "three")]:
            notebook.page.keyboard.press(key)
            assert form.locator("fieldset").first.locator("input:checked").get_attribute("value") == chosen
        notebook.page.keyboard.press("Tab")
        assert notebook.page.evaluate("document.activeElement.value") in ("guess", "sure")
        slider = shown(notebook, 3).get_by_label("Moment")
        for key, end in [("End", "max"), ("Home", "min")]:
            slider.press(key)
            assert slider.input_value() == slider.get_attribute(end)
        tabs = shown(notebook, 1).get_by_role("tab")
        for key, name in [("ArrowRight", "Morph"), ("End", "Time"), ("Home", "Sliders"), ("ArrowLeft", "Time")]:
            tabs.and_(notebook.page.locator("[aria-selected=true]")).press(key)
            assert notebook.page.evaluate("document.activeElement.textContent") == name


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_a_key_with_a_modifier_saves_but_touches_no_cell(
    browser: "Browser", jupyterlab: JupyterLab, front_end: str
) -> None:
    with opened(browser, jupyterlab, [SETUP, *SHOWN], f"modified-{front_end}", front_end) as notebook:
        page = notebook.page
        keys = strokes(notebook, modified=True)
        of_notebooks = [
            key for key, commands in keys.items() if any(c.startswith(("notebook:", "editmenu:")) for c in commands)
        ]
        assert "Control+Shift+ArrowUp" in of_notebooks
        before = page.evaluate(CELLS)
        for cell in range(1, len(SHOWN) + 1):
            root = shown(notebook, cell)
            for key in of_notebooks:
                if key not in ("Alt+Enter", "Control+Enter"):
                    root.locator(FOCUSABLE).first.focus()
                    page.keyboard.press(key)
                    assert page.evaluate(CELLS) == before, key
            page.evaluate("() => { notebook.context.model.dirty = true; }")
            root.locator(FOCUSABLE).first.press("Control+s")
            page.wait_for_function("() => !notebook.context.model.dirty")


@pytest.mark.long
@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_every_sort_of_control_keeps_every_key(browser: "Browser", jupyterlab: JupyterLab, front_end: str) -> None:
    with opened(browser, jupyterlab, [SETUP, *SHOWN, TWICE[0]], f"all-{front_end}", front_end) as notebook:
        notebook.page.evaluate(LISTEN)
        keys = strokes(notebook, modified=False)
        for cell in range(1, len(SHOWN) + 2):
            root = shown(notebook, cell)
            for element in elements(root):
                assert press_all(notebook, root, element, keys) == [], element


def test_two_of_everything_in_one_notebook(browser: "Browser", jupyterlab: JupyterLab) -> None:
    cells = [SETUP, TWICE[0], TWICE[0], TWICE[1].format("a"), TWICE[1].format("b"), list(SHOWN)[2], list(SHOWN)[2]]
    with opened(browser, jupyterlab, cells, "twice", "lab") as notebook:
        for cell in range(1, len(cells)):
            shown(notebook, cell)
        assert notebook.page.locator(ROOT).evaluate_all(NAMES) == []
        forms = [shown(notebook, cell) for cell in (3, 4)]
        for form, guess in zip(forms, ("one", "two"), strict=True):
            form.get_by_label(guess).check()
            form.get_by_label("sure", exact=True).check()
        chosen = [form.locator("input:checked").evaluate_all("(all) => all.map((e) => e.value)") for form in forms]
        assert chosen == [["one", "sure"], ["two", "sure"]]


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_opened_the_next_day_it_shows_its_picture_or_the_guess(
    browser: "Browser", jupyterlab: JupyterLab, front_end: str
) -> None:
    name = f"next-day-{front_end}"
    with opened(browser, jupyterlab, [SETUP, *SHOWN], name, front_end) as notebook:
        form = shown(notebook, 2)
        form.get_by_label("two").check()
        form.get_by_text("Recorded: two").wait_for()
        notebook.page.wait_for_function("JSON.stringify(notebook.context.model.toJSON()).includes('(your guess)')")
        ask(notebook.page, "() => notebook.context.save()")
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    later = jupyterlab.reopen(context.new_page(), name, front_end)
    for cell, code in enumerate(SHOWN, start=1):
        output = later.show(cell).locator(".jp-OutputArea")
        output.get_by_text("run the cells above and then this one").or_(output.get_by_text("not found")).wait_for()
        assert "not found" not in output.inner_text(), code
        if "predict" in code:
            assert "two (your guess)" in output.inner_text() and output.locator("input").count() == 0
        else:
            assert output.locator("img").evaluate("(image) => image.naturalWidth") > 100
    later.run(0)
    later.run(2)  # and then it is alive again
    assert shown(later, 2).locator("input:checked").get_attribute("value") == "two"
    later.close()
    context.close()


def test_fifteen_runs_of_a_cell_leave_nothing_of_the_first_fourteen(browser: "Browser", jupyterlab: JupyterLab) -> None:
    with opened(browser, jupyterlab, [f"{SETUP}\nruns = []", AGAIN], "again", "lab") as notebook:
        page = notebook.page
        protocol = page.context.new_cdp_session(page)

        def counted() -> dict[str, Any]:
            shown(notebook, 1)
            protocol.send("HeapProfiler.collectGarbage")
            return protocol.send("Memory.getDOMCounters")

        notebook.run(1)
        first, elements_before = counted(), page.evaluate(ELEMENTS)
        notebook.run(1, times=14)
        *earlier, last = notebook.evaluate(ALIVE)
        assert len(earlier) == 15 and set(earlier) == {0} and last > 4
        assert notebook.evaluate(SCENES) <= 3  # of the last explorer and player; IPython's own of what it shows
        last_counts = counted()
        assert page.evaluate(ELEMENTS) == elements_before
        assert last_counts["nodes"] - first["nodes"] < 600, "the views of many runs are kept"  # one view has more
        assert last_counts["jsEventListeners"] - first["jsEventListeners"] < 100
