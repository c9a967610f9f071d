"""A browser for the tests of the explorer, and a page that no test may leave with an error on its console."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from explorer.browser import Watch, axe_violations, find_chromium, launch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = ".autoencoder-lab-explorer"


# While Playwright runs, its event loop counts as running in this thread: that must not last beyond these tests
@pytest.fixture(scope="package")
def browser() -> Iterator["Browser"]:
    """A headless Chromium without a network; skips, with the reason, where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is missing: pip install playwright")
    with api.sync_playwright() as playwright:
        executable = find_chromium(playwright)
        if executable is None:
            pytest.skip("no Chromium, Chrome or Edge found: install one, or run `playwright install chromium`")
        chromium = launch(playwright, executable)
        yield chromium
        chromium.close()


@pytest.fixture
def allowed() -> list[str]:
    """Regular expressions for problems that a test means to cause; it appends them here."""
    return []


@pytest.fixture
def page(browser: "Browser", allowed: list[str]) -> Iterator["Page"]:
    """An empty page of 1280×900; the test fails in the end if anything went wrong in it (see `Watch`)."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    watch = Watch(context)
    yield context.new_page()
    context.close()
    problems = watch.unexpected(allowed)
    assert not problems, "\n".join(problems)


@pytest.fixture
def axe() -> Callable[..., list[str]]:
    """`axe(page, root=…)`: what breaks WCAG 2.2 AA or axe's best practice below `root`, as readable text."""

    def check(page: "Page", root: str = ROOT) -> list[str]:
        return axe_violations(page, root)

    return check
