"""Why a trace ends badly: which step made the entry that the last one hits, which invalidations missed it and why.

Which state is a cache, and what of it is a tag, the parts of the machine say (`View`); nothing here goes by names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from flushproof.model.ir import DROPPED, Action
from flushproof.model.ir.evaluate import costs, environment, updated
from flushproof.model.ir.instance import Instance, Slot, State
from flushproof.model.ir.trace import Step
from flushproof.report.caches import Entry, entry, is_cache, is_set
from flushproof.report.locations import location
from flushproof.report.news import process_at
from flushproof.report.words import Story, action_of, by_whom

Part = Literal["made", "early", "missed", "pending", "untouched", "wrote", "used", "hit"]


@dataclass(frozen=True)
class Link:
    """What one step has to do with a location that the violation rests on.

    step: its number, 0 for the initial state; part: "made" the entry, removed such entries too "early", "missed" it, issued what
        is still "pending", "used" it to make another entry, "hit" it; "untouched": nothing was done about it; "wrote" a location
        that is no cache's.
    text: a sentence for people.
    """

    step: int
    part: Part
    slot: Slot
    text: str


def links(story: Story) -> tuple[Link, ...]:
    """The story of every entry that the violation rests on, step by step, and which other steps wrote since then what it rests on
    too; of a violation without any entry, what it read."""
    instance = story.instance
    slots = list(dict.fromkeys(slot for fact in story.wrong for slot in fact.values))
    last = story.states[-1]
    hit = [s for s in slots if is_cache(instance.system.variable[s.var]) and is_set(s, _code(instance, s, last))]
    actual = [s for s in hit if instance.system.variable[s.var].kind != "ghost"] or hit
    if not actual:
        return tuple(_of_locations(story, slots))
    told: dict[Slot, tuple[Link, ...]] = {}
    waiting = [(slot, len(story.rows)) for slot in actual]
    while waiting:
        slot, until = waiting.pop(0)
        if slot not in told:
            told[slot] = tuple(_of_entry(story, slot, until))
            made = _made(story, slot, until)
            waiting += [(source, made - 1) for source in _sources(story, slot, made)]
    *others, final = sorted(told.values(), key=_since)
    known = {link.step for link in final}
    written = _of_locations(story, [s for s in slots if _was_written(story, s, _since(final))])
    whole = sorted((*final, *(link for link in written if link.step not in known)), key=lambda link: link.step)
    return (*(link for found in others for link in found), *whole)


def _was_written(story: Story, slot: Slot, since: int) -> bool:
    """Whether something was written behind a step that is no entry, no register, no program counter and not a property's own."""
    var = story.instance.system.variable[slot.var]
    plain = var.kind == "state" and (var.view is None or var.view.what == "table")
    return plain and process_at(story.instance, slot) is None and _last_change(story, slot) > since


def _since(found: tuple[Link, ...]) -> int:
    """When the story of an entry begins: in the step that made it."""
    return next(link.step for link in found if link.part == "made")


def _of_locations(story: Story, slots: list[Slot]) -> Iterator[Link]:
    """Which step gave each location the value that it has at the end."""
    instance, last = story.instance, story.states[-1]
    by_step: dict[int, list[Slot]] = {}
    for slot in slots:
        by_step.setdefault(_last_change(story, slot), []).append(slot)
    for number, written in sorted(by_step.items()):
        values = [f"{location(instance, s)} = {instance.show(s.sort, _code(instance, s, last))}" for s in written]
        who = f"{_step(story, number)} wrote" if number else "From the start on,"
        yield Link(number, "wrote", written[0], f"{who} {', '.join(values)}.")


def _of_entry(story: Story, slot: Slot, until: int) -> Iterator[Link]:
    """What became of one entry from its making to its being hit in the last step, or used in the one behind `until`."""
    instance, count = story.instance, len(story.rows)
    shown = entry(instance, slot, _code(instance, slot, story.states[until]))
    made = _made(story, slot, until)
    named = f"{shown}," if shown.by else f"{shown}"
    early = next((n for n in range(made - 1, 0, -1) if _was_there(story, slot, n) and slot in removed(story, n)), None)
    if early is not None:
        text = f"{_step(story, early)} removed {named} from {shown.place}, before step {made} brought it back."
        yield Link(early, "early", slot, text)
    again = " again in the same step as it was removed" if slot in removed(story, made) else ""
    brought = f"{_step(story, made)} brought {named} into {shown.place}{again}."
    yield Link(made, "made", slot, brought if made else f"{named} is in {shown.place} from the start on.")
    missed = [link for n in range(made + 1, until + 1) if (link := _missed(story, slot, shown, n))]
    pending = list(_pending(story, slot, shown)) if until == count else []
    yield from missed
    yield from pending
    if not missed and not pending and _is_invalidated(instance, slot.var):
        used = min(until + 1, count)
        between = f"between steps {made} and {used}" if made else f"before step {used}"
        yield Link(made, "untouched", slot, f"Nothing invalidated {shown.place} {between}.")
    if until == count and story.rows[-1].event:
        yield Link(count, "hit", slot, f"{_step(story, count)} hits it.")
    elif until < count:
        yield Link(until + 1, "used", slot, f"{_step(story, until + 1)} goes on from it.")
    else:
        yield Link(count, "hit", slot, f"After step {count} it is still there.")


def _made(story: Story, slot: Slot, until: int) -> int:
    """The last step, up to one of this number, that brought an entry in: it was not there before, or the step removed it and it
    came back at once."""
    number = story.instance.slot(slot.var, slot.index)
    for n in range(until, 0, -1):
        if is_set(slot, story.states[n][number]) and (
            not is_set(slot, story.states[n - 1][number]) or slot in removed(story, n)
        ):
            return n
    return 0


def _sources(story: Story, slot: Slot, number: int) -> list[Slot]:
    """Entries of caches without which the step of this number, which made an entry, would not have made it."""
    instance = story.instance
    action = action_of(instance, story.trace.steps[number - 1].action) if number else None
    if action is None:
        return []
    before, step = story.states[number - 1], story.trace.steps[number - 1]
    codes = [step.binding[p.name] for p in action.params]
    found = []
    for other, code in zip(instance.slots, before, strict=True):
        var = instance.system.variable[other.var]
        if other != slot and is_cache(var) and var.kind != "ghost" and code and is_set(other, code):
            place = instance.slot(other.var, other.index)
            without = (*before[:place], 0, *before[place + 1 :])
            after = updated(action, environment(action, codes, without, instance), without, instance)
            if not is_set(slot, _code(instance, slot, after)):
                found.append(other)
    return found


def _is_invalidated(instance: Instance, var: str) -> bool:
    """Whether some step of the system is said to drop entries of a cache; of the others nobody knows who empties them."""
    return any(c.entry is not None and c.entry.name == var for a in instance.system.actions for c in a.costs)


def _was_there(story: Story, slot: Slot, number: int) -> bool:
    """Whether an entry was there before a step."""
    return is_set(slot, _code(story.instance, slot, story.states[number - 1]))


def removed(story: Story, number: int) -> frozenset[Slot]:
    """The locations whose entries a step removes or would, if they were there; `number` counts from 1."""
    if number == 0:
        return frozenset()
    step, before = story.trace.steps[number - 1], story.states[number - 1]
    action = None if step.event else action_of(story.instance, step.action)
    return _targets(story.instance, action, step, before) if action is not None else frozenset()


def _targets(instance: Instance, action: Action, step: Step, before: State) -> frozenset[Slot]:
    """What a step's invalidations reach: the entries that it would drop from caches that are full."""
    emptied = tuple(c for c in action.costs if c.name == DROPPED and c.entry is not None)
    if not emptied:
        return frozenset()
    caches = {c.entry.name for c in emptied if c.entry is not None}
    full = tuple(
        max(code, 1) if slot.var in caches else code for slot, code in zip(instance.slots, before, strict=True)
    )
    codes = [step.binding[p.name] for p in action.params]
    found = costs(replace(action, costs=emptied), codes, full, instance)
    return frozenset(instance.slots[number] for _, number in found if number is not None)


def _missed(story: Story, slot: Slot, shown: Entry, number: int) -> Link | None:
    """A step that invalidates entries of this cache, and not this one; None where it does not."""
    reached = [target for target in removed(story, number) if target.var == slot.var]
    if not reached or slot in reached:
        return None
    var = story.instance.system.variable[slot.var]
    assert var.view is not None
    why = "which leaves this entry out"
    for position, sort in enumerate(var.index):
        others = sorted({target.index[position] for target in reached})
        if slot.index[position] not in others:
            names = ", ".join(story.instance.show(sort, i) for i in others)
            mine = story.instance.show(sort, slot.index[position])
            if position == 0:
                why = f"in the {shown.cache} of {names}; the entry is in that of {mine}"
            elif position <= var.view.tag:
                why = f"with the tag {names}; the entry has {mine}"
            else:
                why = f"of {names}; the entry is of {mine}"
            break
    return Link(number, "missed", slot, f"{_step(story, number)} removes what is {why}{_issued(story, number)}.")


def _issued(story: Story, number: int) -> str:
    """Where the operation began that a step performs, if it performs one: `; issued in step 13 (cpu1: TLBI VMALLE1)`."""
    instance = story.instance
    for change in story.rows[number - 1].changes:
        var = instance.system.variable[change.slot.var]
        done = is_set(change.slot, change.before) and not is_set(change.slot, change.after)
        if var.view is not None and var.view.what == "pending" and done:
            issued = _last_change(story, change.slot, number - 1)
            return f"; issued in {_step(story, issued, capital=False)}"
    return ""


def _pending(story: Story, slot: Slot, shown: Entry) -> Iterator[Link]:
    """What was issued and is, at the end, still to be performed by whom the entry's cache belongs to."""
    instance, last = story.instance, story.states[-1]
    owner = (instance.system.variable[slot.var].index[0], slot.index[0])
    for other, code in zip(instance.slots, last, strict=True):
        var = instance.system.variable[other.var]
        if var.view is None or var.view.what != "pending" or not var.index or not is_set(other, code):
            continue
        if (var.index[var.view.of], other.index[var.view.of]) == owner:
            number = _last_change(story, other)
            text = f"What {_step(story, number, capital=False)} issued ({var.view.title}) is not performed on {shown.owner} yet."
            yield Link(number, "pending", slot, text)


def _last_change(story: Story, slot: Slot, until: int | None = None) -> int:
    """The last step, up to one of this number, that changed a location; 0 where none did."""
    number = story.instance.slot(slot.var, slot.index)
    steps = range(len(story.rows) if until is None else until, 0, -1)
    changed = (n for n in steps if story.states[n][number] != story.states[n - 1][number])
    return next(changed, 0)


def _code(instance: Instance, slot: Slot, state: State) -> int:
    return state[instance.slot(slot.var, slot.index)]


def _step(story: Story, number: int, capital: bool = True) -> str:
    """`Step 3 (cpu0: enters the guest)`."""
    if number == 0:
        return "The initial state" if capital else "the initial state"
    row = story.rows[number - 1]
    word = "Step" if capital else "step"
    return f"{word} {number} ({by_whom(row.actor, row.words)})"
