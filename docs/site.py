"""What the site has besides the files in this folder: README.md and CONTRIBUTING.md, every command's `--help`, and the lessons.

MkDocs calls the functions here, as `mkdocs.yml` says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from flushproof.cli import main
from flushproof.lessons import course as lessons

ROOT = Path(__file__).resolve().parents[1]

PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md"}
"""Documents that stand outside of this folder, and the pages that they are."""


def commands() -> str:
    """Every command's `--help`, in one page."""
    top = click.Context(main, info_name="flushproof")
    parts = [("flushproof", main.get_help(top))]
    for name, command in main.commands.items():
        parts.append((name, command.get_help(click.Context(command, top, name))))
    return "# Commands\n\n" + "\n\n".join(f"## {name}\n\n```text\n{text}\n```" for name, text in parts) + "\n"


def course() -> Iterator[tuple[str, str]]:
    """The files of the lessons, by name; with FLUSHPROOF_LESSONS=off their names alone, for who only checks links."""
    if os.environ.get("FLUSHPROOF_LESSONS") != "off":
        return lessons.course(os.cpu_count() or 1)
    return iter([("index.html", ""), *((lesson.page, "") for lesson in lessons.lessons())])


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts every page in `systems/` under its heading."""
    pages = sorted(path.name for path in (ROOT / "docs" / "systems").glob("*.md"))
    for section in config.nav or []:
        if isinstance(section, dict) and "Systems" in section:
            section["Systems"] = [f"systems/{name}" for name in pages]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that no file in this folder is."""
    for document, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / document).read_text(encoding="utf-8")))
    files.append(File.generated(config, "commands.md", content=commands()))
    for name, text in course():
        files.append(File.generated(config, f"lessons/{name}", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as they are within the site: documents outside of this folder are pages in it, and `docs/` is its root."""
    for document, name in PAGES.items():
        markdown = re.sub(rf"\]\((?:\.\./)*{re.escape(document)}", f"]({name}", markdown)
    return re.sub(r"\]\(docs/", "](", markdown) if page.file.src_uri in PAGES.values() else markdown
