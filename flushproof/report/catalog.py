"""What systems there are, and what one of them is: the tables of `list` and `show`."""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import MIN_PADDING, tabulate

from flushproof.model import ir
from flushproof.model.ir import Property, Scalarset
from flushproof.model.language.compile import compile_system
from flushproof.model.language.declare import Expect, Knob, Policy, System, system_name
from flushproof.model.language.instantiate import knob_values, settings
from flushproof.model.language.policies import knobs_of
from flushproof.report.jsonform import VERSION
from flushproof.report.trace import NARROWEST, Look


def list_text(systems: Mapping[str, type[System]], look: Look) -> str:
    """One row for each system."""
    rows = [[name, first_line(cls), ", ".join(cls.policies)] for name, cls in systems.items()]
    return table(["system", "what it models", "policies"], rows, look)


def show_text(cls: type[System], look: Look) -> str:
    """Everything that a user needs to know before checking a system."""
    compiled = compile_system(cls, knobs=knob_values(cls, None, {}))
    sizes = [[s.name.lower(), str(compiled.sizes[s.name])] for s in compiled.sorts if isinstance(s, Scalarset)]
    sections = [
        ("", inspect.getdoc(cls) or ""),
        ("", inspect.getdoc(sys.modules[cls.__module__]) or ""),
        ("Sizes (--size SORT=N)", table(["sort", "default"], sizes, look)),
        ("Knobs (--set KNOB=VALUE)", _knobs(cls, look)),
        ("Policies (--policy NAME)", _policies(cls, look)),
        ("Properties (--property NAME)", _properties(compiled, look)),
    ]
    head = look.strong(system_name(cls))
    return "\n\n".join(
        [head, *(f"{look.strong(title)}\n{body}" if title else body for title, body in sections if body)]
    )


def list_json(systems: Mapping[str, type[System]]) -> dict[str, Any]:
    """The systems for machines."""
    rows = [{"system": n, "about": first_line(cls), "policies": list(cls.policies)} for n, cls in systems.items()]
    return {"version": VERSION, "systems": rows}


def show_json(cls: type[System], source: str) -> dict[str, Any]:
    """What `show_text` says for machines; source: how to load the system."""
    compiled = compile_system(cls, knobs=knob_values(cls, None, {}))

    def texts(knobs: Mapping[str, Any]) -> dict[str, str]:
        return {name: Knob.text(value) for name, value in knobs.items()}

    def sizes(expect: Expect) -> dict[str, int]:
        return {name: int(size) for name, size in expect.sizes.items()}

    return {
        "version": VERSION,
        "system": system_name(cls),
        "source": source,
        "about": inspect.getdoc(cls) or "",
        "sizes": {s.name: compiled.sizes[s.name] for s in compiled.sorts if isinstance(s, Scalarset)},
        "knobs": {
            name: {
                "values": [Knob.text(value) for value in knob.values()],
                "default": Knob.text(knob.default),
                "toggle": knob.toggle,
                "about": knob.doc,
            }
            for name, knob in knobs_of(cls).items()
        },
        "policies": {
            name: {
                "about": policy.doc,
                "knobs": texts(policy.knobs),
                "expected": policy.expect,
                "also": [{"expected": e.verdict, "knobs": texts(e.knobs), "sizes": sizes(e)} for e in policy.also],
            }
            for name, policy in cls.policies.items()
        },
        "properties": {name: {"kind": kind, "about": says} for name, kind, says in properties(compiled)},
    }


def _knobs(cls: type[System], look: Look) -> str:
    rows = [
        [
            name,
            " ".join(map(Knob.text, knob.values())),
            Knob.text(knob.default),
            ("Assumption: " if knob.toggle else "") + knob.doc,
        ]
        for name, knob in knobs_of(cls).items()
    ]
    return table(["knob", "values", "default", "what it is"], rows, look) if rows else ""


def _policies(cls: type[System], look: Look) -> str:
    rows = []
    for name, policy in cls.policies.items():
        rows.append([name, policy.expect, settings(policy.knobs), policy.doc])
        rows += [["", also.verdict, "with " + settings(also.knobs, also.sizes), ""] for also in policy.also]
    return table(["policy", "expected", "knobs", "what it is"], rows, look) if rows else ""


def _properties(system: ir.System, look: Look) -> str:
    return table(["property", "", "what it says"], properties(system), look)


def properties(system: ir.System) -> list[list[str]]:
    """Of each property, the built-in ones too: its name, whether it must hold or what else, and what it says."""
    rows = [[p.name, "must be reached" if p.kind == "reachable" else "must hold", _says(p)] for p in system.properties]
    rows += [[p.name, "again and again", p.doc or f"One of: {', '.join(p.actions)}."] for p in system.progress]
    rows += [
        ["no-deadlock", "must hold", "Some step is always possible, or the state is declared final."],
        ["no-stuck", "must hold if asked", "Whoever waits can still come to go on, whatever has happened (--property no-stuck)."],
        [
            "well-defined",
            "must hold",
            "The model itself makes sense: no None is dereferenced, no number leaves its range.",
        ],
    ]
    return rows


def _says(prop: Property) -> str:
    """A property's own sentence; of one that events check, the sentences that explain its violations."""
    messages = dict.fromkeys(c.message for c in prop.clauses)
    return prop.doc or " ".join(f"Broken when: {m}" for m in messages if m)


def cases(cls: type[System]) -> list[tuple[str, Policy, Expect]]:
    """Every expectation that a system declares: its policies as they are, and each under its further settings."""
    return [
        (name, policy, expect)
        for name, policy in cls.policies.items()
        for expect in (Expect(policy.expect), *policy.also)
    ]


def first_line(cls: type[System]) -> str:
    """The first sentence of a system's docstring."""
    doc = (inspect.getdoc(cls) or "").split("\n\n")[0]
    return " ".join(doc.split())


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], look: Look) -> str:
    """A table as wide as the report, as far as that goes: the widest columns give way first."""
    columns = len(headers)
    natural = [max(len(headers[i]) + MIN_PADDING, *(len(row[i]) for row in rows), 0) for i in range(columns)]
    space = look.width - 2 * (columns - 1)
    while sum(natural) > space and max(natural) > NARROWEST:
        natural[natural.index(max(natural))] -= 1
    cells = [["\n".join(_wrapped(cell, natural[i])) for i, cell in enumerate(row)] for row in rows]
    made: str = tabulate(cells, headers, tablefmt="simple", disable_numparse=True)
    return made


def _wrapped(cell: str, width: int) -> list[str]:
    """Lines that break between words, and behind hyphens only where a word does not fit."""
    return textwrap.wrap(cell, width, break_on_hyphens=any(len(word) > width for word in cell.split()))
