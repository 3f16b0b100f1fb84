"""A result for reviewers: text for mail, in lines of 72 columns, and Markdown for a pull request or an issue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flushproof.checking import is_wrong
from flushproof.model.ir.trace import Trace
from flushproof.report.cause import links
from flushproof.report.pictures import mermaid
from flushproof.report.telling import Told, tell
from flushproof.report.trace import Look, trace_text
from flushproof.report.verdict import check_text, confirmed_text, explored_text, heading, mark, verdict_text, warnings
from flushproof.report.words import Story, many
from flushproof.result import NoVerdict, Result

COLUMNS = 72
"""Of a line in a mail: what is left of 80 once it was quoted a few times."""

MAIL = Look(COLUMNS)
WHOLE = Look(10_000)
"""Paragraphs that whoever shows them wraps."""


def mail(result: Result) -> str:
    """One check as text for a mail: the verdict, the trace, how it came to that."""
    parts = [check_text(result, MAIL)]
    return "\n\n".join([*parts, *([_story(result.trace)] if result.trace is not None else [])])


def mail_trace(trace: Trace) -> str:
    """A trace alone as text for a mail."""
    return "\n\n".join([heading(trace.instance, MAIL), trace_text(trace, MAIL), _story(trace)])


def _story(trace: Trace) -> str:
    """How it came to that, as a list."""
    lines = [MAIL.wrapped(link.text, indent="    ", first="  - ") for link in links(Story(trace))]
    return "\n".join(["How it came to that:", *lines]) if lines else ""


def markdown(result: Result) -> str:
    """One check in Markdown: the verdict, the steps as a table, how it came to that, a diagram, and what was explored."""
    parts = [f"## {result.asked}", "\n\n".join(verdict_text(result, WHOLE).splitlines())]
    if result.trace is not None:
        parts.append(markdown_trace(result.trace))
        parts.append(confirmed_text(result.followed))
    parts += [*warnings(result), explored_text(result)]
    return "\n\n".join(parts)


def markdown_trace(trace: Trace) -> str:
    """A trace in Markdown."""
    story = Story(trace)
    head = ["", *story.lanes, "what changes"]
    rows = [_cells(story, row) for row in tell(story, every_step=True)]
    table = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    told = [f"1. {_safe(link.text)}" for link in links(story)]
    parts = [f"**{story.mark} {_safe(story.sentence)}**", *(["\n".join(told)] if told else []), "\n".join(table)]
    diagram = f"```mermaid\n{mermaid(trace)}\n```"
    return "\n\n".join([*parts, f"<details><summary>As a diagram</summary>\n\n{diagram}\n\n</details>"])


def markdown_all(results: Sequence[Result], missing: Mapping[str, NoVerdict]) -> str:
    """Several checks in Markdown: one row for each, and each one that is not as expected in full.

    missing: why there is no verdict, by what was asked.
    """
    head = ["", "system", "policy", "with", "expected", "found", "steps", "states"]
    rows = [
        [
            mark(r),
            r.instance.system.name,
            r.instance.policy or "",
            r.settings,
            r.expected or "",
            r.found,
            str(len(r.trace.steps)) if r.trace else "",
            f"{r.states:,}",
        ]
        for r in results
    ]
    wrong = [r for r in results if is_wrong(r)]
    total = f"{many(len(results), 'verdict')}, {len(wrong)} not as expected."
    lacking = [f"**No verdict** on {_safe(what)}:\n\n```\n{why}\n```" for what, why in missing.items()]
    table = "\n".join([_row(head), _row(["---"] * len(head)), *map(_row, rows)])
    return "\n\n".join([total, *lacking, table, *map(markdown, wrong)])


def _cells(story: Story, row: Told) -> list[str]:
    (act,) = row.acts
    acts = [str(act) if lane == act.actor else "" for lane in story.lanes]
    return [row.number, *acts, "\n".join([*row.changes, *map(str, row.caches)])]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_safe(cell).replace(chr(10), '<br>') for cell in cells)} |"


def _safe(text: str) -> str:
    """Text that Markdown leaves as it is."""
    for char in "\\`*_<>|[]#":
        text = text.replace(char, f"\\{char}")
    return text
