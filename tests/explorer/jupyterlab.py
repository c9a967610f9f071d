"""A real JupyterLab in a folder of its own, and notebooks in it driven through a browser."""

import ast
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import psutil

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

TOKEN = "only-on-this-machine"
SECONDS = 180  # how long anything may take, on a busy machine too, before a test fails
# a student's JupyterLab: without what nbgrader brings for instructors, which stumbles over a kernel's restart
STUDENTS = {"disabledExtensions": {"@jupyter/nbgrader": True, "@jupyter-notebook/lab-extension": True}}
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
SPLASH = "#jupyterlab-splash"  # covers the page while it starts and while a theme loads
OPEN = """async (path) => {
  const app = window.jupyterapp;
  await app.restored;
  const panel = await app.commands.execute("docmanager:open", { path, factory: "Notebook" });
  await panel.context.ready;
  await panel.revealed;
  await panel.sessionContext.ready;
  window.notebook = panel;
}"""
FOUND = """async () => {
  const app = window.jupyterapp;
  await app.restored;
  const panel = app.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  window.notebook = panel;
}"""
SHOW = """async (index) => {
  notebook.content.activeCellIndex = index;
  await notebook.content.scrollToItem(index, "start");
}"""
START = """(index) => {
  notebook.content.deselectAll();
  notebook.content.activeCellIndex = index;
  const model = notebook.content.widgets[index].model;
  window.running = true;
  window.ran = window.jupyterapp.commands.execute("notebook:run-cell").then(() => {
    window.running = false;
    return model.outputs.toJSON();
  });
}"""
EVALUATE = """async (code) => {
  const kernel = notebook.sessionContext.session.kernel;
  const content = { code: "", silent: true, store_history: false, user_expressions: { value: code } };
  return (await kernel.requestExecute(content).done).content.user_expressions.value;
}"""


WITHIN = """(argument) => Promise.race([
  ({script})(argument),
  new Promise((_, fail) => setTimeout(() => fail(new Error("no answer in {seconds} s")), 1000 * {seconds})),
])"""


class CellFailed(AssertionError):
    """A cell's output is an error."""


class JupyterLab:
    """A JupyterLab server with settings, kernels and notebooks of its own; use it as a context manager.

    It listens on 127.0.0.1 alone. In the end every process that it started is gone.
    """

    def __enter__(self) -> Self:
        self._temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)  # Windows holds open files
        self.folder = Path(self._temporary.name)
        self.notebooks = self.folder / "notebooks"
        self.notebooks.mkdir()
        settings = self.folder / "config" / "labconfig"
        settings.mkdir(parents=True)
        (settings / "default_setting_overrides.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
        (settings / "page_config.json").write_text(json.dumps(STUDENTS), encoding="utf-8")
        for attempt in range(3):  # another program may take the free port between finding and using it
            self._start()
            if self._answers():
                return self
            self._stop()
            log = (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")
            if "is already in use" not in log or attempt == 2:
                break
        self._temporary.cleanup()
        raise RuntimeError(f"JupyterLab does not answer at {self.url}:\n{log[-3000:]}")

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()
        self._temporary.cleanup()

    def _start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTER_DATA_DIR": "data",
            "IPYTHONDIR": "ipython",
        }
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": self.notebooks,
            "IdentityProvider.token": TOKEN,
            "LabApp.expose_app_in_browser": True,
            "JupyterNotebookApp.expose_app_in_browser": True,
            "LabApp.extension_manager": "readonly",
        }
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        command += [f"--{name}={value}" for name, value in options.items()]
        environment = os.environ | {name: str(self.folder / path) for name, path in folders.items()}
        with (self.folder / "log.txt").open("w", encoding="utf-8") as log:
            self._server = subprocess.Popen(
                command, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _answers(self) -> bool:
        """Wait for the first answer; False if the server ends, or says nothing in `SECONDS`."""
        deadline = time.monotonic() + SECONDS
        while self._server.poll() is None and time.monotonic() < deadline:
            try:
                with urlopen(f"{self.url}/api/status?token={TOKEN}", timeout=5):
                    return True
            except (URLError, OSError):
                time.sleep(0.05)
        return False

    def _stop(self) -> None:
        """End the server, which ends its kernels, and then whatever is left of them."""
        try:
            processes = [psutil.Process(self._server.pid)]
            processes += processes[0].children(recursive=True)
        except psutil.NoSuchProcess:
            return
        self._server.terminate()
        _, alive = psutil.wait_procs(processes, timeout=10)
        for process in alive:
            process.kill()
        self._server.wait()

    def open(self, page: "Page", cells: Sequence[str], name: str = "notebook", front_end: str = "lab") -> "Notebook":
        """A new notebook of these code cells, shown in `page`, its kernel ready; nothing has run yet."""
        path = self.notebooks / f"{name}.ipynb"
        content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        content.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(content, path)
        return self.reopen(page, name, front_end)

    def reopen(self, page: "Page", name: str, front_end: str = "lab") -> "Notebook":
        """A notebook that is there already, in JupyterLab ("lab") or Notebook 7 ("notebooks"), its kernel ready."""
        page.set_default_timeout(SECONDS * 1000)
        place = {"lab": f"lab/workspaces/{name}?reset&", "notebooks": f"notebooks/{name}.ipynb?"}[front_end]
        page.goto(f"{self.url}/{place}token={TOKEN}")
        page.wait_for_function("window.jupyterapp !== undefined")
        if front_end == "lab":
            ask(page, OPEN, f"{name}.ipynb")
            page.wait_for_selector(SPLASH, state="detached")
        else:
            page.wait_for_function("window.jupyterapp.shell.currentWidget?.context !== undefined")
            ask(page, FOUND)
        return Notebook(page)


def ask(page: "Page", script: str, argument: Any = None) -> Any:
    """What a JavaScript function returns or its promise resolves to. Raises after `SECONDS`; Playwright would not."""
    return page.evaluate(WITHIN.replace("{script}", script).replace("{seconds}", str(SECONDS)), argument)


class Notebook:
    """The notebook shown in a page. Cells are counted from 0."""

    def __init__(self, page: "Page") -> None:
        self.page = page

    def show(self, index: int) -> "Locator":
        """Scroll to a cell and give it: JupyterLab keeps only the cells near the visible ones in the page."""
        ask(self.page, SHOW, index)
        return self.page.locator(f'.jp-Notebook [data-windowed-list-index="{index}"]')

    def start(self, index: int) -> None:
        """Run a cell without waiting for its end; `wait` for that."""
        self.page.evaluate(START, index)

    @property
    def running(self) -> bool:
        """Whether the cell that `start` ran has not ended. A busy kernel's status would not tell: a widget's message
        that is answered meanwhile ends in "idle"."""
        return bool(self.page.evaluate("window.running"))

    def wait(self) -> list[dict[str, Any]]:
        """Wait for the cell that `start` ran; its outputs. Raises CellFailed for an error among them."""
        outputs: list[dict[str, Any]] = ask(self.page, "() => window.ran")
        for output in outputs:
            if output["output_type"] == "error":
                raise CellFailed(re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output["traceback"])))
        return outputs

    def run(self, index: int, times: int = 1) -> list[dict[str, Any]]:
        """Run a cell, once or several times, each to its end; the last outputs."""
        for _ in range(times):
            self.start(index)
            outputs = self.wait()
        return outputs

    def run_all(self) -> None:
        """Run every cell from top to bottom."""
        for index in range(self.page.evaluate("notebook.content.widgets.length")):
            self.run(index)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the kernel; it must be a literal. Waits while a cell is running."""
        answer = ask(self.page, EVALUATE, expression)
        if answer["status"] != "ok":
            raise CellFailed(f"{answer['ename']}: {answer['evalue']}")
        return ast.literal_eval(answer["data"]["text/plain"])

    def interrupt(self) -> None:
        """What the stop button does."""
        ask(self.page, "() => notebook.sessionContext.session.kernel.interrupt()")

    def restart(self) -> None:
        """A fresh kernel; returns when it answers."""
        ask(self.page, "() => notebook.sessionContext.restartKernel()")
        assert self.evaluate("1 + 1") == 2

    def set_theme(self, name: str) -> None:
        """For instance "JupyterLab Dark"; returns when it is shown."""
        ask(self.page, "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })", name)
        self.page.wait_for_function("(name) => document.body.dataset.jpThemeName === name", arg=name)
        self.page.wait_for_selector(SPLASH, state="detached")

    def close(self) -> None:
        """End the kernel."""
        ask(self.page, "() => notebook.sessionContext.shutdown()")
