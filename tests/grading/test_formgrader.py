"""nbgrader's formgrader in a real browser, on a submission that our engine graded and that tries to act."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="formgrader comes with nbgrader: pip install 'autoencoder_lab[grading]'")

from explorer.browser import find_chromium, launch

from autoencoder_lab.grading.feedback import write_feedback
from autoencoder_lab.grading.folders import Course
from autoencoder_lab.grading.gradebook import record
from grading.test_course import course, empty_book, grades
from grading.test_pages import TEXTS, handed_on

__all__ = ["course", "empty_book"]  # fixtures
ON_TOP = """(control) => {
  control.scrollIntoView({ block: "center" });
  const { x, y, width, height } = control.getBoundingClientRect();
  return document.elementFromPoint(x + width / 2, y + height / 2) === control;
}"""
CONFIG = Path(__file__).parents[2] / "assignments" / "nbgrader_config.py"


@pytest.fixture
def server(course: Course) -> Iterator[str]:
    """Jupyter with formgrader in the course's folder; its address."""
    (course.root / "nbgrader_config.py").write_text(CONFIG.read_text(encoding="utf-8"), encoding="utf-8")
    one = handed_on(course, *TEXTS, "§end§")
    record([one], course, "small")
    write_feedback([one], course, "small")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "server", "--no-browser", f"--port={port}", "--ip=127.0.0.1"]
    command += ["--IdentityProvider.token=", "--allow-root"]
    places = {"JUPYTER_CONFIG_DIR": str(course.root / "jupyter"), "IPYTHONDIR": str(course.root / "ipython")}
    with (course.root / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=course.root, env=os.environ | places, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/api", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)  # until the server listens: there is nothing to be told by
    raise RuntimeError(f"the server did not start, exit status {process.poll()}")


@pytest.mark.slow
def test_formgrader_shows_marks_and_keeps_those_of_a_person(server: str, course: Course) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is missing: pip install playwright")
    for rows in grades(course):
        address = f"{server}/formgrader/submissions/{rows['paper'].id}"
    with api.sync_playwright() as playwright:
        executable = find_chromium(playwright)
        if executable is None:
            pytest.skip("no Chromium, Chrome or Edge found: install one, or run `playwright install chromium`")
        browser = launch(playwright, executable)
        page = browser.new_page()
        acted: list[str] = []
        page.on("dialog", lambda dialog: (acted.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: acted.append(request.url) if "example.org" in request.url else None)
        page.goto(address)
        scores = page.locator("input.score")
        assert scores.count() == 2, "a field of the student's"
        api.expect(scores.nth(0)).to_have_attribute("placeholder", "1")
        shown = page.inner_text("body")
        assert "1 of 2 points: your code stops with" in shown and "§end§" in shown
        assert TEXTS[0] in shown, "what was written is shown as it was typed"
        for control in scores.all():
            assert control.evaluate(ON_TOP), "something lies over it"
        with page.expect_response(lambda answer: "/api/grade/" in answer.url and answer.request.method == "PUT"):
            scores.nth(1).fill("3")
            scores.nth(1).press("Tab")
        links = page.locator(".nbgrader_cell a, .rendered_html a").evaluate_all("all => all.map(a => a.href)")
        assert not [link for link in links if link.startswith("javascript") or "example.org" in link]
        page.goto(f"{server}/formgrader/manage_assignments")
        page.goto(course.feedback("small", "ada").as_uri())
        assert "§end§" in page.inner_text("body") and page.locator("script, iframe, form, input").count() == 0
        browser.close()
    assert acted == []
    for rows in grades(course):
        assert (rows["words"].manual_score, rows["words"].needs_manual_grade) == (3, False)
        assert rows["paper"].score == 4
