"""A trace as a picture: a Mermaid sequence diagram, for wherever Markdown is shown, and a page of HTML that needs nothing else."""

from __future__ import annotations

import html

from flushproof.model.ir.instance import Instance
from flushproof.model.ir.trace import Trace
from flushproof.report.words import Row, Story, assignments, location, many


def mermaid(trace: Trace) -> str:
    """A sequence diagram: one lifeline for each element that acts, a note for each step, and a last one that says what is wrong."""
    story = Story(trace)
    lanes = story.lanes
    lines = ["sequenceDiagram", *(f"    participant {lane}" for lane in lanes)]
    for row in story.rows:
        text = "<br/>".join(map(_safe, [f"{row.number}. {row.words}", *_changes(story, row)]))
        lines.append(f"    Note over {row.actor.name}: {text}")
    over = lanes[0] if len(lanes) == 1 else f"{lanes[0]},{lanes[-1]}"
    lines.append(f"    Note over {over}: ✗ {_safe(story.sentence)}")
    return "\n".join(lines)


def page(trace: Trace) -> str:
    """One HTML page, as wide as it needs to be, light or dark as the reader's browser is."""
    story = Story(trace)
    instance = trace.instance
    lanes = story.lanes
    title = html.escape(f"{instance.system.name}: {trace.property} is violated in {many(len(trace.steps), 'step')}")
    knobs = html.escape(", ".join(f"{k}={v}" for k, v in instance.knobs.items()))
    start = html.escape(
        ", ".join(f"{location(instance, c.slot)} = {instance.show(c.slot.sort, c.after)}" for c in story.start)
    )
    head = "".join(f"<th>{html.escape(t)}</th>" for t in ("", *lanes, "what changes", "in the TLBs"))
    body = "\n".join(_html_row(story, row, lanes) for row in story.rows)
    return _PAGE.format(
        title=title,
        policy=html.escape(instance.policy or "no named policy"),
        knobs=knobs,
        start=start,
        head=head,
        body=body,
        columns=len(lanes) + 3,
        sentence=html.escape(story.sentence),
    )


def mermaid_verdict(instance: Instance, verdict: str) -> str:
    """Where there is no trace: a diagram with nothing but what was checked and the verdict, in words."""
    text = "<br/>".join(map(_safe, [_checked(instance), *verdict.splitlines()])).replace('"', "'")
    return f'flowchart LR\n    verdict["{text}"]'


def page_verdict(instance: Instance, verdict: str) -> str:
    """Where there is no trace: one HTML page that says what was checked, and the verdict in words."""
    lines = "".join(f"<p>{html.escape(line)}</p>\n" for line in verdict.splitlines())
    return _HEAD.format(title=html.escape(instance.system.name)) + (
        f"<h1>{html.escape(instance.system.name)}</h1>\n<p>{html.escape(_checked(instance))}</p>\n{lines}</body></html>\n"
    )


def _checked(instance: Instance) -> str:
    knobs = ", ".join(f"{k}={v}" for k, v in instance.knobs.items())
    return f"{instance.system.name}, policy: {instance.policy or 'no named policy'}" + (f". {knobs}" if knobs else "")


def _changes(story: Story, row: Row) -> list[str]:
    return [*assignments(story.instance, row), *_tlb_changes(story, row)]


def _tlb_changes(story: Story, row: Row) -> list[str]:
    now, before = story.tlbs(row.state), story.tlbs(story.trace.states[row.number - 1])
    return [f"TLB of {cpu}: {', '.join(now[cpu]) or 'empty'}" for cpu in now if now[cpu] != before[cpu]]


def _safe(text: str) -> str:
    """Mermaid reads `;` as the end of a statement, `#` as the start of an entity, `<` as HTML."""
    for char in "#;<>":
        text = text.replace(char, {"#": "\0", ";": "#59;", "<": "#lt;", ">": "#gt;"}[char])
    return text.replace("\0", "#35;")


def _html_row(story: Story, row: Row, lanes: tuple[str, ...]) -> str:
    words = [row.words if lane == row.actor.name else "" for lane in lanes]
    tlbs = story.tlbs(row.state) if row.number == len(story.rows) else {}
    at_end = [f"TLB of {cpu}: {', '.join(entries)}" for cpu, entries in tlbs.items() if entries]
    cells = [
        str(row.number),
        *map(html.escape, words),
        "<br>".join(map(html.escape, assignments(story.instance, row))),
        "<br>".join(map(html.escape, at_end or _tlb_changes(story, row))),
    ]
    return f"<tr{' class=bad' if row.event else ''}>{''.join(f'<td>{c}</td>' for c in cells)}</tr>"


_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2rem; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem .8rem; border-top: 1px solid #8884; }}
td:first-child, td:nth-last-child(-n+2) {{ opacity: .7; font-size: 13px; }}
.bad, .wrong {{ color: #d33; font-weight: 600; }}
</style></head><body>
"""

_PAGE = (
    _HEAD
    + """<h1>{title}</h1>
<p>Policy: {policy}. {knobs}</p>
<p>At the start: {start}</p>
<table><thead><tr>{head}</tr></thead><tbody>
{body}
<tr class="wrong"><td>✗</td><td colspan="{columns}">{sentence}</td></tr>
</tbody></table></body></html>
"""
)
