"""The browser fixtures themselves: they see what goes wrong, and nothing gets out of this machine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from explorer.browser import Watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGE = "<!doctype html><html lang='en'><title>t</title><main><h1>Title</h1>{}</main></html>"


@pytest.fixture
def watched(browser: "Browser") -> Iterator[tuple["Page", Watch]]:
    """A page whose problems are looked at here and fail no test by themselves."""
    context = browser.new_context()
    watch = Watch(context)
    yield context.new_page(), watch
    context.close()


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("console.error('alas')", "console error: alas"),
        ("console.warn('beware')", "console warning: beware"),
        ("setTimeout(() => { throw new Error('thrown'); })", "uncaught: "),
        ("Promise.reject(new Error('rejected'))", "uncaught: "),
        ("new Image().src = 'nowhere.png'", "failed: file:"),
        ("fetch('http://192.0.2.1/x')", "network: http://192.0.2.1/x"),
    ],
)
def test_a_problem_in_a_page_is_seen(watched: tuple["Page", Watch], tmp_path: Path, script: str, problem: str) -> None:
    page, watch = watched
    (tmp_path / "page.html").write_text(PAGE.format(f"<script>{script}</script>"), encoding="utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    page.evaluate("() => new Promise((done) => setTimeout(done))")
    page.wait_for_load_state("networkidle")
    assert any(seen.startswith(problem) for seen in watch.problems), watch.problems
    assert watch.unexpected([".*"]) == []


def test_a_quiet_page_has_no_problems_and_no_network(page: "Page") -> None:
    page.set_content(PAGE.format("<p>Quiet.</p><script>console.log('fine'); console.info('fine');</script>"))
    assert page.evaluate("navigator.userAgent.includes('Chrome')")


def test_nothing_outside_this_machine_can_be_reached(page: "Page", allowed: list[str]) -> None:
    allowed += ["192.0.2.1", "console error: Failed to load resource"]
    page.goto("data:text/html,<title>t</title>")
    said = page.evaluate("fetch('http://192.0.2.1/', {mode: 'no-cors'}).then(() => 'reached', (e) => e.name)")
    assert said == "TypeError"


def test_axe_names_what_is_wrong_and_only_below_the_root(page: "Page", axe: Callable[..., list[str]]) -> None:
    tiny = "<button style='width: 12px; height: 12px; padding: 0; border: 0'>a</button>"
    page.set_content(
        PAGE.format(
            f"<div id=good><button style='min-width: 30px; min-height: 30px'>Go</button></div><img src='data:,'>"
            f"<div id=bad><input><p style='color: #aaa; background: #fff'>Pale</p>{tiny}{tiny}</div>"
        )
    )
    assert axe(page, "#good") == []
    found = {line.split()[0] for line in axe(page, "#bad")}
    assert found == {"label", "color-contrast", "target-size"}
