"""A Chromium that reaches this machine only, the problems a page reports, and axe-core."""

import os
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Playwright

ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "msedge")
ON_MAC = ("Google Chrome", "Chromium", "Microsoft Edge")
ON_WINDOWS = ("Google/Chrome/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe")
WINDOWS_FOLDERS = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
# Nothing listens on the discard port: every address but this machine's own, which bypasses a proxy, is unreachable
OFFLINE = ("--proxy-server=http://127.0.0.1:9", "--disable-background-networking", "--disable-component-update")
ARGUMENTS = (*OFFLINE, "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage")
HERE = re.compile(r"(file|data|blob|about|chrome):|(https?|wss?)://(127\.0\.0\.1|localhost)[:/]")
OURS = re.compile(r"(file|data|blob|about):")  # an exported page, or a module that came as text; no script of a test
AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
RUN_AXE = """([root, tags]) => axe.run(root, {
    runOnly: { type: "tag", values: tags }, rules: { "target-size": { enabled: true } }, resultTypes: ["violations"],
  }).then((result) => result.violations)"""


def find_chromium(playwright: "Playwright") -> Path | None:
    """Playwright's own Chromium, or one on the PATH or where macOS and Windows keep it; None if there is none."""
    found = [Path(playwright.chromium.executable_path)]
    found += [Path(path) for name in ON_PATH if (path := shutil.which(name))]
    if sys.platform == "darwin":
        found += [Path(f"/Applications/{name}.app/Contents/MacOS/{name}") for name in ON_MAC]
    if sys.platform == "win32":
        folders = [os.environ[name] for name in WINDOWS_FOLDERS if name in os.environ]
        found += [Path(folder, name) for folder in folders for name in ON_WINDOWS]
    return next((path for path in found if path.is_file()), None)


def launch(playwright: "Playwright", executable: Path) -> "Browser":
    """A headless Chromium without a network."""
    return playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))


class Watch:
    """Everything that goes wrong in a browser context's pages, as text in `problems`.

    Errors and warnings on the console, uncaught exceptions, failed requests, HTTP status 400 and above, and requests
    that leave this machine. Of warnings only our own code's count: JupyterLab has some as well.
    """

    def __init__(self, context: "BrowserContext") -> None:
        self.problems: list[str] = []
        context.on("console", self._console)
        context.on("weberror", lambda error: self.problems.append(f"uncaught: {error.error}"))
        context.on("requestfailed", lambda request: self.problems.append(f"failed: {request.url} ({request.failure})"))
        context.on("request", self._request)
        context.on("response", self._response)

    def _console(self, message: Any) -> None:
        url = message.location.get("url", "")
        if message.type == "error" or (message.type == "warning" and OURS.match(url)):
            self.problems.append(f"console {message.type}: {message.text} [{url[:200]}]")

    def _request(self, request: Any) -> None:
        if not HERE.match(request.url):
            self.problems.append(f"network: {request.url}")

    def _response(self, response: Any) -> None:
        if response.status >= 400:
            self.problems.append(f"HTTP {response.status}: {response.url}")

    def unexpected(self, allowed: list[str]) -> list[str]:
        """The problems that match none of the regular expressions in `allowed`."""
        return [problem for problem in self.problems if not any(re.search(pattern, problem) for pattern in allowed)]


def axe_violations(page: "Page", root: str) -> list[str]:
    """What axe-core finds wrong below the selector `root`: one text a violation, with the elements it concerns."""
    spec = find_spec("axe_playwright_python")
    assert spec is not None and spec.origin is not None, "pip install axe-playwright-python"
    page.evaluate(Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8"))
    lines = []
    for violation in page.evaluate(RUN_AXE, [root, AXE_TAGS]):
        nodes = "".join(f"\n  {node['html'][:200]}\n    {node.get('failureSummary')}" for node in violation["nodes"])
        lines.append(f"{violation['id']} ({violation['impact']}): {violation['help']}{nodes}")
    return lines
