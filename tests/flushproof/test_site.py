"""The documents as a site: every link and anchor leads somewhere, and it is read from the disk, on a phone too, with its search."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from flushproof.cli import main
from flushproof.lessons.course import lessons

from .browser import Opened

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, made as CONTRIBUTING.md says; `--strict` refuses links and anchors that lead nowhere."""
    made = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(made)]
    env = {**os.environ, "FLUSHPROOF_LESSONS": "off"}  # they take a minute, and have tests of their own
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return made


def test_every_document_is_a_page(site: Path) -> None:
    for document in (ROOT / "docs").rglob("*.md"):
        assert (site / document.relative_to(ROOT / "docs")).with_suffix(".html").exists(), document
    assert all((site / "lessons" / lesson.page).exists() for lesson in lessons())
    commands = (site / "commands.html").read_text()
    assert all(f'<h2 id="{name}">' in commands for name in main.commands)


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("page", ["index", "tutorial", "commands", "systems/kvm-icache", "performance"])
def test_it_is_read_from_the_disk_at_any_width(browser: Browser, site: Path, page: str, width: int) -> None:
    opened = Opened(browser, site / f"{page}.html", width)
    assert opened.said == [] and all(address.startswith(("file:", "data:")) for address in opened.asked)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_its_search_finds_without_a_server(browser: Browser, site: Path) -> None:
    opened = Opened(browser, site / "systems/kvm-icache.html", 1280)
    box, found = opened.page.locator("input.md-search__input"), opened.page.locator(".md-search-result__item").first
    box.fill("inconclusive")
    for _ in range(20):  # a key that is pressed before the page listens to keys is not looked for
        box.press("End")
        with contextlib.suppress(AssertionError):
            expect(found).to_be_visible(timeout=5_000)
            break
    expect(found).to_be_visible()
    found.locator("a").first.click()
    opened.page.wait_for_url(lambda url: "kvm-icache" not in url)
    assert "inconclusive" in opened.text("article").lower()
    assert opened.said == [] and all(a.startswith(("file:", "data:", "about:")) for a in opened.asked)
