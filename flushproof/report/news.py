"""What a step read and changed, in short lines: comparisons as they came out, and assignments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flushproof.model.ir import (
    BOOL,
    TAKEN_OVER,
    Lit,
    OptionSort,
    Place,
    Scalarset,
    Sort,
    StateVar,
    default_value,
)
from flushproof.model.ir.instance import Instance, Slot, State
from flushproof.report.actors import Actor
from flushproof.report.caches import is_real_cache
from flushproof.report.locations import location, locations
from flushproof.report.reads import Fact, Kind, Side
from flushproof.report.waiting import fill

IN_FORCE = Slot(TAKEN_OVER, (), BOOL)
"""Whether the policy has taken over from the one that reaches its initial states: the words of the step say that it does."""


@dataclass(frozen=True)
class Change:
    """One location that a step changed, with its value before and after."""

    slot: Slot
    before: int
    after: int


@dataclass(frozen=True)
class Row:
    """One step of a trace for people.

    number: counted from 1; words: what happens; actor: who acts; process, label: of a process, its name and where in it the step
    starts; runs: the element whose process it is, where that is not the actor; place: where it stands in the source.
    reads: what decided it; changes: what it changed; state: the state after it; event: it only shows the violation; costs:
    operations, and how often.
    """

    number: int
    words: str
    actor: Actor
    process: str | None
    changes: tuple[Change, ...]
    state: State
    event: bool
    costs: Mapping[str, int]
    label: str | None = None
    runs: str | None = None
    place: Place | None = None
    reads: tuple[Fact, ...] = ()


def changes(instance: Instance, before: State, after: State) -> Iterator[Change]:
    """All locations in which two states differ."""
    for slot, old, new in zip(instance.slots, before, after, strict=True):
        if old != new:
            yield Change(slot, old, new)


def in_order(changed: Iterable[Change], written: Sequence[str]) -> tuple[Change, ...]:
    """The changes in the order in which the step's code writes; what hardware does by itself comes last."""
    return tuple(sorted(changed, key=lambda c: written.index(c.slot.var) if c.slot.var in written else len(written)))


def comparison(instance: Instance, fact: Fact, row: Row | None) -> str:
    """What a step read, and how it came out: `refs[page0] = 1`, `vmid_gen[vm0] 1 ≠ kvm_vmid_gen 2`.

    row: the step, whose process's own locals are called as they are there.
    """

    def side(of: Side, with_value: bool) -> str:
        if of.slot is None:
            return of.value
        own = row is not None and _is_own(row, of.slot.var)
        name = _local(instance, row, of.slot, _before(instance, row)) if row is not None and own else location(instance, of.slot)
        sum_ = f" {'+' if of.plus > 0 else '-'} {abs(of.plus)}" if of.plus else ""
        return name + (f" {of.value}" if with_value else "") + sum_

    alone = fact.sign == "=" and fact.right.slot is None
    return f"{side(fact.left, not alone)} {fact.sign} {side(fact.right, True)}"


def reads(instance: Instance, row: Row, kind: Kind) -> list[str]:
    """What a step read of what can change, where that decided it; a location that is compared with a constant shows its value.

    That what a step takes was free is no news: without that it would not be possible, and what it changes shows who took it; of a
    lock both sides, readers and writer, are free then.
    """
    taken = {c.slot for c in row.changes}
    free = {
        (f.left, f.right)
        for f in row.reads
        if f.kind == "guard" and f.left.slot is not None and (f.left.slot in taken or _is_lock(instance, f.left.slot))
    }
    values: dict[tuple[str, str], list[Slot]] = {}
    lines: dict[str, None] = {}
    compared = {slot for f in row.reads if f.kind == kind and f.right.slot is not None for slot in f.values}
    for fact in row.reads:
        if fact.kind != kind or all(instance.system.variable[slot.var].kind == "rigid" for slot in fact.values):
            continue
        if fact.left.slot == IN_FORCE or (row.process and all(_is_inside(instance.system.variable[s.var]) for s in fact.values)):
            continue
        if kind == "branch" and (fact.left, fact.right) in free:
            continue
        slot = fact.left.slot
        if fact.right.slot is None and slot in compared:  # its value is told already
            continue
        if slot is not None and process_at(instance, slot) is not None:
            lines[_stands(instance, slot, fact.left.value)] = None
        elif fact.sign == "=" and fact.right.slot is None and slot is not None and not _is_own(row, slot.var):
            values.setdefault((slot.var, fact.left.value), []).append(slot)
            lines[f"{slot.var}\0{fact.left.value}"] = None
        else:
            lines[comparison(instance, fact, row)] = None
    told: list[str] = []
    for line in lines:
        name, _, value = line.partition("\0")
        slots = values.get((name, value))
        if slots is None:
            told.append(line)
        else:
            indices = [slot.index for slot in slots]
            told += [f"{place} = {value}" for place in locations(instance, instance.system.variable[name], indices, indices)]
    return told


def assignments(instance: Instance, row: Row, ghosts: bool = False) -> list[str]:
    """What a step changed, as short assignments, where locations of one map that get one value are written as few.

    A process's own locals are shown by their bare names.  Left out are program counters (the row itself says which step is
    taken), locals that a process has no more use for or that a helper has as another one's copy, or whose element the row names as
    it is, the content of caches, and without `ghosts` what only properties see and where the kernel is entered and left.
    """
    shown = [
        c
        for c in row.changes
        if c.slot != IN_FORCE
        and not _is_bookkeeping(instance, c)
        and not is_real_cache(instance.system.variable[c.slot.var])
        and not _is_copy(instance, row, c)
        and (ghosts or not is_aside(instance.system.variable[c.slot.var]))
    ]
    named = _named_in(instance, row, shown)
    groups: dict[tuple[str, str], list[Slot]] = {}
    for change in (c for c in shown if c not in named):
        groups.setdefault((change.slot.var, instance.show(change.slot.sort, change.after)), []).append(change.slot)
    lines: list[str] = []
    for (name, value), slots in groups.items():
        if _is_own(row, name):
            lines.append(f"{_local(instance, row, slots[0], row.state)} = {value}")
            continue
        var = instance.system.variable[name]
        alike = [
            slot.index
            for slot, code in zip(instance.slots, row.state, strict=True)
            if slot.var == name and instance.show(slot.sort, code) == value
        ]
        lines += [f"{place} = {value}" for place in locations(instance, var, [s.index for s in slots], alike)]
    return lines


def _is_lock(instance: Instance, slot: Slot) -> bool:
    view = instance.system.variable[slot.var].view
    return view is not None and view.what == "lock"


def _is_own(row: Row, var: str) -> bool:
    """Whether a variable is a local of the process whose step this is."""
    return row.process is not None and var.startswith(f"{row.process}.")


def bare(var: str) -> str:
    """What a process calls one of its locals, which may be kept in several variables: `p.helper.generation~2`."""
    return var.rpartition(".")[2].partition("~")[0]


def _local(instance: Instance, row: Row, slot: Slot, state: State) -> str:
    """What a local of the process whose step this is is called: `generation`; where a function that it is in, or calls, has one of
    that name with another value, with its function: `flush_context.generation`."""

    def value(var: StateVar) -> str:
        return instance.show(var.sort, state[instance.slot(var.name, slot.index)])

    name, mine = bare(slot.var), instance.system.variable[slot.var]
    alike = [v for v in instance.system.variable.values() if _is_own(row, v.name) and bare(v.name) == name]
    live = [v for v in alike if state[instance.slot(v.name, slot.index)] != default_code(instance, v.sort)]
    if all(_function(v.name) == _function(mine.name) or value(v) == value(mine) for v in live):
        return name
    return f"{_function(slot.var).rpartition('.')[2]}.{name}"


def _before(instance: Instance, row: Row) -> State:
    """The state before a step."""
    old = {instance.slot(c.slot.var, c.slot.index): c.before for c in row.changes}
    return tuple(old.get(number, code) for number, code in enumerate(row.state))


def _function(var: str) -> str:
    """The process or helper whose local a variable is, by the way on which it is called."""
    return var.rpartition(".")[0]


def process_at(instance: Instance, slot: Slot) -> str | None:
    """The process of which a location says where it is, if it does."""
    process, _, last = slot.var.rpartition(".")
    return process if last == "pc" and any(a.process == process for a in instance.system.actions) else None


def _stands(instance: Instance, slot: Slot, label: str) -> str:
    """`hypercall of cpu1 is at "write the L1 entry"`"""
    index = zip(instance.system.variable[slot.var].index, slot.index, strict=True)
    of = ", ".join(instance.show(sort, code) for sort, code in index)
    return f'{process_at(instance, slot)}{of and f" of {of}"} is at "{fill(label, {})}"'


def valued(instance: Instance, slot: Slot, code: int) -> str:
    """A location and its value: `on[cpu0] = True`, or where a process is, or whether the policy has taken over."""
    if slot == IN_FORCE:
        return f"the policy is {'in force' if code else 'not in force yet'}"
    text = instance.show(slot.sort, code)
    return f"{location(instance, slot)} = {text}" if process_at(instance, slot) is None else _stands(instance, slot, text)


def shown(instance: Instance, slot: Slot, code: int) -> str:
    """The value of a location for people: where a process is, without the braces of what its words name."""
    text = instance.show(slot.sort, code)
    return fill(text, {}) if process_at(instance, slot) else text


def is_aside(var: StateVar) -> bool:
    """Whether only properties see a variable, or steps show what it says."""
    return var.kind == "ghost" or _is_inside(var)


def _is_inside(var: StateVar) -> bool:
    """Whether steps show what a variable says: in which code somebody is, and how far that has come."""
    return var.view is not None and var.view.what == "inside"


def _is_bookkeeping(instance: Instance, change: Change) -> bool:
    var = change.slot.var
    process = next((a.process for a in instance.system.actions if a.process and var.startswith(f"{a.process}.")), None)
    forgotten = change.after == default_code(instance, change.slot.sort)
    return process is not None and (forgotten or var == f"{process}.pc")


def _named_in(instance: Instance, row: Row, shown: Sequence[Change]) -> list[Change]:
    """Those locals that get an element which the words of the row name, or the only one of its sort in what else changes."""
    said = set(re.findall(r"\w+", row.words))
    others = {
        (sort, code)
        for c in shown
        if not _is_own(row, c.slot.var)
        for sort, code in (*zip(instance.system.variable[c.slot.var].index, c.slot.index, strict=True), *_element(c))
    }

    def is_known(change: Change) -> bool:
        return any(
            instance.show(sort, code) in said or [c for s, c in others if s == sort] == [code]
            for sort, code in _element(change)
        )

    return [c for c in shown if _is_own(row, c.slot.var) and is_known(c)]


def _element(change: Change) -> Iterator[tuple[Sort, int]]:
    """The element that a location gets, if it is one."""
    match change.slot.sort:
        case Scalarset() as sort:
            yield sort, change.after
        case OptionSort(Scalarset() as sort) if change.after > 0:
            yield sort, change.after - 1


def _is_copy(instance: Instance, row: Row, change: Change) -> bool:
    """Whether a helper's local is called as one of a caller's, and has its value: the helper was given it."""
    if not _is_own(row, change.slot.var):
        return False
    *path, _ = change.slot.var.split(".")
    callers = (".".join([*path[:depth], bare(change.slot.var)]) for depth in range(1, len(path)))
    return any(
        instance.show(instance.system.variable[caller].sort, row.state[instance.slot(caller, change.slot.index)])
        == instance.show(change.slot.sort, change.after)
        for caller in callers
        if caller in instance.system.variable
    )


def default_code(instance: Instance, sort: Sort) -> int:
    """The code of a sort's default; -1 where there is none."""
    try:
        return instance.code(Lit(default_value(sort), sort))
    except ValueError:
        return -1
