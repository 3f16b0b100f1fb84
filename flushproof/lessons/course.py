"""The course: its lessons in order, each read from its Markdown, and all of them written as pages."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from flushproof.lessons.asking import Asked, own_systems, read
from flushproof.lessons.puzzles import Lemmas, Puzzle, Spot
from flushproof.lessons.showing import Drawing, Explore, Picture, Proof, TracePage, Verdict
from flushproof.model.errors import FlushproofError
from flushproof.processes import DIED, each
from flushproof.report.page import rendered

DIRECTIVES: dict[str, type[Asked]] = {
    "explore": Explore,
    "trace": TracePage,
    "picture": Picture,
    "drawing": Drawing,
    "verdict": Verdict,
    "proof": Proof,
    "puzzle": Puzzle,
    "spot": Spot,
    "lemmas": Lemmas,
}
"""The languages of fenced blocks that are not shown but carried out."""

TEACHER = "For the teacher"
"""The heading of a lesson's last section."""


@dataclass(frozen=True)
class Lesson:
    """One lesson: `name`, of its file and its page; its title, its first sentence, and its text as Markdown."""

    name: str
    title: str
    about: str
    text: str

    @property
    def page(self) -> str:
        """The name of its page."""
        return f"{self.name}.html"

    def directives(self) -> Iterator[Asked]:
        """What it asks of the tool, in order."""
        for token in _markdown().parse(self.text):
            if (found := self._directive(token)) is not None:
                yield found

    def _directive(self, token: Token) -> Asked | None:
        if token.type != "fence" or token.info not in DIRECTIVES:
            return None
        place = f"{self.name}.md:{(token.map or [0])[0] + 1}"
        try:
            said = tomllib.loads(token.content)
        except tomllib.TOMLDecodeError as error:
            raise FlushproofError(f"{place}: {error}") from None
        return read(DIRECTIVES[token.info], said, place)

    def html(self) -> tuple[Markup, Markup]:
        """The lesson, and the notes for the teacher.

        Raises:
            FlushproofError: a directive cannot be carried out.
        """
        lesson, _, teacher = self.text.partition(f"\n## {TEACHER}\n")
        return self._rendered(lesson), self._rendered(teacher)

    def _rendered(self, text: str) -> Markup:
        tokens = _markdown().parse(text)
        for token in tokens:
            if (found := self._directive(token)) is not None:
                token.type, token.content = "html_block", found.html()
            elif token.type == "fence":  # it scrolls by itself, with keys too
                block = Markup('<pre tabindex="0" role="group" aria-label="{}"><code>{}</code></pre>\n')
                token.type, token.content = "html_block", block.format(token.info, token.content)
        return Markup(_markdown().renderer.render(tokens, _markdown().options, {}))


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def lessons() -> tuple[Lesson, ...]:
    """All lessons, in the order of the course."""
    return tuple(_lesson(f.name.removesuffix(".md"), f.read_text(encoding="utf-8")) for f in _texts())


def _texts() -> list[Any]:
    return sorted((f for f in files("flushproof.lessons").iterdir() if f.name.endswith(".md")), key=lambda f: f.name)


def _lesson(name: str, text: str) -> Lesson:
    first, _, rest = text.partition("\n")
    about = rest.strip().partition("\n\n")[0].replace("\n", " ")
    if not first.startswith("# ") or f"\n## {TEACHER}\n" not in text:
        raise FlushproofError(f"{name}.md: a lesson begins with its title (# …) and ends with a section “{TEACHER}” (## …)")
    return Lesson(name, first.removeprefix("# "), about, text)


def course(jobs: int) -> Iterator[tuple[str, str]]:
    """All files of the course, by name: a first page, the systems that it asks of, and a page for each lesson.

    jobs: so many lessons are made at once.

    Raises:
        FlushproofError: a lesson asks what cannot be answered.
    """
    found = lessons()
    systems = own_systems()
    names = [path.name for path in systems]
    yield "index.html", rendered("lessons.html", title="A course in TLB coherence", lessons=found, systems=names)
    for path in systems:
        yield path.name, path.read_text(encoding="utf-8")
    for lesson, made in zip(found, each(page_of, range(len(found)), jobs), strict=True):
        if made == DIED:
            raise FlushproofError(f"{lesson.name}.md: {made}")
        yield lesson.page, made


def page_of(number: int) -> str:
    """The page of one lesson, by its number from 0."""
    found = lessons()
    lesson = found[number]
    before, after = found[number - 1] if number else None, found[number + 1] if number + 1 < len(found) else None
    text, teacher = lesson.html()
    return rendered("lesson.html", title=lesson.title, text=text, teacher=teacher, before=before, after=after)
