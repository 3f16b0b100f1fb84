"""A headless Chromium for the tests of pages: Debian's, which `.ci/run` installs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

REQUIRED = "FLUSHPROOF_BROWSER"
"""Where this is set, as `.ci/run` does, a missing browser is an error and no reason to skip."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser; tests are skipped only where there is none to be found."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        assert REQUIRED not in os.environ, "there must be a browser here: apt-get install chromium"
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


class Opened:
    """A page in a window of its own, with all that it said to the console and all that it asked of the network."""

    def __init__(self, browser: Browser, file: Path, width: int = 1400, scheme: str = "light", at: str = "") -> None:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        self.page: Page = context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url.partition("#")[0]))
        self.page.goto(file.as_uri() + at)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def state(self) -> dict[str, str]:
        """The table of all state, as it is shown."""
        rows = self.page.eval_on_selector_all(
            "#state tbody tr", "rows => rows.map(r => [r.querySelector('code').textContent, r.lastChild.textContent])"
        )
        return dict(rows)

    def violations(self) -> list[str]:
        """What axe-core finds wrong for people who use a screen reader, a keyboard, or little contrast."""
        found = Axe().run(self.page).response["violations"]
        return [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in found]
