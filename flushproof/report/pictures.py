"""A trace as a picture: a Mermaid sequence diagram, for wherever Markdown is shown."""

from __future__ import annotations

from flushproof.model.ir.instance import Instance
from flushproof.model.ir.trace import Trace
from flushproof.report.telling import tell
from flushproof.report.words import Story


def mermaid(trace: Trace) -> str:
    """A sequence diagram: one lifeline for each element that acts, a note for each step, and a last one that says what is wrong."""
    story = Story(trace)
    lanes = story.lanes
    lines = ["sequenceDiagram", *(f"    participant {lane}" for lane in lanes)]
    for row in tell(story):
        facts = [*row.news, *map(str, row.caches)]
        for act, more in zip(row.acts, [[]] * (len(row.acts) - 1) + [facts], strict=True):
            text = "<br/>".join(map(_safe, [f"{row.number}. {act}", *more]))
            lines.append(f"    Note over {act.actor}: {text}")
    over = lanes[0] if len(lanes) == 1 else f"{lanes[0]},{lanes[-1]}"
    lines.append(f"    Note over {over}: {story.mark} {_safe(story.sentence)}")
    return "\n".join(lines)


def mermaid_verdict(instance: Instance, verdict: str) -> str:
    """Where there is no trace: a diagram with nothing but what was checked and the verdict, in words."""
    text = "<br/>".join(map(_safe, [_checked(instance), *verdict.splitlines()])).replace('"', "'")
    return f'flowchart LR\n    verdict["{text}"]'


def _checked(instance: Instance) -> str:
    knobs = ", ".join(f"{k}={v}" for k, v in instance.knobs.items())
    return f"{instance.system.name}, policy: {instance.policy or 'no named policy'}" + (f". {knobs}" if knobs else "")


def _safe(text: str) -> str:
    """Mermaid reads `;` as the end of a statement, `#` as the start of an entity, `<` as HTML."""
    for char in "#;<>":
        text = text.replace(char, {"#": "\0", ";": "#59;", "<": "#lt;", ">": "#gt;"}[char])
    return text.replace("\0", "#35;")
