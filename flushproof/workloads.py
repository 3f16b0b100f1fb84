"""Workloads: how often what happens in the world, as three that are shipped and as a user writes them (TOML).

The rates are relative to each other; those shipped are round numbers that show what differs, and were measured nowhere.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from flushproof.model.errors import FlushproofError, nearest
from flushproof.model.hardware import events
from flushproof.model.ir.instance import Instance
from flushproof.search.chances import PACE, Workload

KNOWN = frozenset(value for name, value in vars(events).items() if name.isupper())
"""The events that shipped parts and systems speak of."""

SHIPPED = {
    w.name: w
    for w in (
        Workload(
            "pinned",
            "each vcpu stays where it is and seldom leaves its guest: a server that its host leaves alone",
            {"vcpu_load": 100, "migration": 0.5, "exit": 300, "fault": 50, "unmap": 20, "map": 20, "trap": 20, "patch": 1,
             "mmu_switch": 1, "retype": 5, "flush_request": 1, "new_vm": 0.1, "rollover": 0.1},
            PACE * 100,
        ),
        Workload(
            "build",
            "processes begin and end all the time: a guest that compiles a kernel, its page tables in motion",
            {"vcpu_load": 300, "migration": 30, "exit": 500, "fault": 1000, "unmap": 1000, "map": 1000, "trap": 1000, "patch": 10,
             "mmu_switch": 1, "retype": 300, "flush_request": 30, "new_vm": 0.1, "rollover": 0.1},
            PACE * 100,
        ),
        Workload(
            "overcommitted",
            "more vcpus than CPUs, and VMs that come and go: switches, migrations and rollovers prevail",
            {"vcpu_load": 1000, "migration": 1000, "exit": 1000, "fault": 200, "unmap": 100, "map": 100, "trap": 100, "patch": 10,
             "mmu_switch": 50, "retype": 50, "flush_request": 100, "new_vm": 200, "rollover": 200},
            PACE * 100,
        ),
    )
}  # fmt: skip
"""By their names."""


def workload_of(text: str) -> Workload:
    """The shipped workload of this name, or the one in this file.

    Raises:
        FlushproofError: there is neither; the file is no workload.
    """
    if text in SHIPPED:
        return SHIPPED[text]
    path = Path(text)
    if path.suffix != ".toml":
        raise FlushproofError(
            f"There is no workload '{text}', and a file of one ends in .toml. {nearest(text, SHIPPED, 'workloads')}"
        )
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FlushproofError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise FlushproofError(f"{path} is no TOML: {error}") from None
    return _read(path, found)


def _read(path: Path, found: Mapping[str, Any]) -> Workload:
    fields = ("doc", "pace", "rates")
    for name in found:
        if name not in fields:
            raise FlushproofError(f"{path}: a workload has no '{name}'. {nearest(name, fields, 'fields')}")
    rates = found.get("rates")
    if not isinstance(rates, dict) or not rates:
        raise FlushproofError(f"{path}: a workload has rates. Write [rates], and below it lines such as vcpu_load = 100")
    numbers = {name: _number(path, f"the rate of {name}", value) for name, value in rates.items()}
    if not any(numbers.values()):
        raise FlushproofError(f"{path}: every rate is 0, and so nothing ever happens. Give one event a rate above 0")
    pace = _number(path, "the pace", found.get("pace", PACE * max(numbers.values())))
    if not pace:
        raise FlushproofError(f"{path}: the pace is 0, and so nobody goes on with anything. Leave it out, or give a number above 0")
    doc = found.get("doc", "")
    if not isinstance(doc, str):
        raise FlushproofError(f'{path}: the doc is no text. Write doc = "what happens here"')
    return Workload(path.stem, doc, numbers, pace)


def _number(path: Path, what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        raise FlushproofError(f"{path}: {what} is {value!r}. Write a number, 0 or more")
    return float(value)


def refuse_strange(workload: Workload, instances: Collection[Instance]) -> None:
    """Refuses a workload that speaks of what never happens in these systems: nothing of it would be obeyed.

    Raises:
        FlushproofError: no rate is of an event that there is; or a rate is of what no system knows.
    """
    system = next(iter(instances)).system
    events = {c.name for i in instances for a in i.system.actions for c in a.costs if c.event}
    costs = {c.name for i in instances for a in i.system.actions for c in a.costs}
    for name in workload.rates:
        if name not in costs | KNOWN:
            hint = nearest(name, sorted(events | KNOWN), "events")
            raise FlushproofError(f"The workload '{workload.name}' has a rate of '{name}', which is no event. {hint}")
    if not any(rate and name in costs for name, rate in workload.rates.items()):
        hint = f"Its events are: {', '.join(sorted(events))}." if events else "It has none: see `occurs` in docs/language.md."
        raise FlushproofError(f"Nothing of the workload '{workload.name}' happens in {system.name}. {hint}")
