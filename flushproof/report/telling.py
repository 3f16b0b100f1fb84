"""A trace as it is told: what each step read, changed and did to caches; several steps in one row where nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flushproof.model.ir.instance import Slot, State
from flushproof.report.caches import Caches, cached, entry, is_real_cache, is_set, owner_of
from flushproof.report.cause import removed
from flushproof.report.locations import locations
from flushproof.report.news import Row, assignments, reads
from flushproof.report.words import Story, says_who

ALL = "all"

FIXED = "\N{NO-BREAK SPACE}"
"""A space at which no line ends."""


@dataclass(frozen=True)
class Act:
    """Who does what, in words; by: what tells it from what others do on the same actor (a thread, a process), or nothing; said: the
    words say who acts."""

    actor: str
    by: str
    words: str
    said: bool = False

    def __str__(self) -> str:
        return f"{self.by}: {self.words}" if self.by else self.words


@dataclass(frozen=True)
class Entries:
    """Entries that came into caches (`+`), went (`−`), were dropped and refilled at once (`±`) or are there: whose caches (`all`),
    what they are called, the entries."""

    whose: str
    title: str
    texts: tuple[str, ...]

    @property
    def place(self) -> str:
        """`cpu0 TLB`, or `every TLB`."""
        return f"{'every' if self.whose == ALL else self.whose} {self.title}"

    def __str__(self) -> str:
        return f"{self.place}: {'; '.join(self.texts)}"


@dataclass(frozen=True)
class Told:
    """One row: the numbers of its steps, who does what in them, what they read, change and do to caches; event: it only shows the
    violation."""

    first: int
    last: int
    acts: tuple[Act, ...]
    reads: tuple[str, ...]
    changes: tuple[str, ...]
    caches: tuple[Entries, ...]
    event: bool = False

    @property
    def number(self) -> str:
        """`7`, or `7–9`."""
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"

    @property
    def news(self) -> tuple[str, ...]:
        """What it read, in one paragraph, and what it changed, but for caches."""
        return (f"reads {'; '.join(self.reads)}", *self.changes) if self.reads else self.changes


def tell(story: Story, every_step: bool = False) -> list[Told]:
    """The rows of a trace, in order.

    Steps in a row that are told as one: a process's of which at most one has news; and the same step of several actors.  The last
    one stands alone, and a cycle begins with a row of its own.  every_step: so does each step, with all that made it possible and
    with what only properties see.
    """
    groups: list[list[Row]] = []
    for row in story.rows:
        if not every_step and groups and _joins(story, groups[-1], row):
            groups[-1].append(row)
        else:
            groups.append([row])
    return [_told(story, group, every_step) for group in groups]


def _joins(story: Story, group: Sequence[Row], row: Row) -> bool:
    """Whether a step is told together with those before it."""
    if row.number == len(story.rows) or row.number - 1 == story.trace.cycle:
        return False
    mine = (row.actor, row.process, row.runs)
    if row.process is not None and all((r.actor, r.process, r.runs) == mine for r in group):
        return not (_has_news(story, row) and any(_has_news(story, r) for r in group))
    steps = story.trace.steps
    alike = all(steps[r.number - 1].action == steps[row.number - 1].action for r in group)
    others = row.actor not in {r.actor for r in group}
    if not alike or not others or any(_is_personal(story, r) for r in (*group, row)):
        return False
    alone, together = _told(story, [row], False), _told(story, [*group, row], False)
    return len(together.changes) <= len(alone.changes) and len(together.caches) <= len(alone.caches)


def _read(story: Story, row: Row) -> list[str]:
    """What decided a step; but for what the step directly before it, of the same process, wrote: that stands there."""
    found = reads(story.instance, row, "branch")
    if row.number == 1 or row.event or row.process is None or row.number - 1 == story.trace.cycle:
        return found
    last = story.rows[row.number - 2]
    if (last.actor, last.process, last.runs) != (row.actor, row.process, row.runs):
        return found
    known = assignments(story.instance, last)
    return [line for line in found if line not in known]


def _has_news(story: Story, row: Row) -> bool:
    told = _told(story, [row], every_step=False)
    return bool(told.news or told.caches)


def _is_personal(story: Story, row: Row) -> bool:
    """Whether what is told of a step is about locals, or about what decided it: then it is told of this actor alone."""
    own = f"{row.process}."
    branches = any(fact.kind == "branch" for fact in row.reads)
    return branches or any(
        c.slot.var.startswith(own) and c.slot.var != f"{own}pc" and assignments(story.instance, replace(row, changes=(c,)))
        for c in row.changes
    )


def _told(story: Story, group: Sequence[Row], every_step: bool) -> Told:
    first, last = group[0], group[-1]
    before = story.states[first.number - 1]
    words, news = " ".join(row.words for row in group), tuple(c for row in group for c in row.changes)
    together = replace(first, words=words, changes=news, state=last.state)
    instance = story.instance
    if every_step:
        read = [*reads(instance, first, "guard"), *reads(instance, first, "branch")]
    else:
        read = [line for row in group for line in _read(story, row)]
    caches = _differences(story, before, last.state) + _refilled(story, group)
    if last.number == len(story.rows):
        caches += _content(story, last)
    return Told(
        first.number,
        last.number,
        tuple(Act(row.actor.name, by(story, row), row.words, says_who(row.actor, row.words)) for row in group),
        tuple(dict.fromkeys(read)),
        tuple(assignments(instance, together, ghosts=every_step)),
        tuple(caches),
        last.event,
    )


def by(story: Story, row: Row) -> str:
    """What tells a step from those of other processes on the same actor: nothing, `vcpu0`, `softirq`, or `vcpu0 patch`.

    A process is not named before words that begin with its name.
    """
    if row.process is None:
        return ""
    others = {r.process for r in story.rows if r.process and r.actor == row.actor and (r.runs is None) == (row.runs is None)}
    said = re.match(rf"{re.escape(row.process)}\b", row.words, re.IGNORECASE)
    named = ([row.runs] if row.runs else []) + ([row.process] if len(others) > 1 and not said else [])
    return " ".join(named)


# ---------------------------------------------------------------------------------------------------- the start, and caches


def beginning(story: Story) -> list[str]:
    """The initial values that matter, and what caches hold already."""
    instance = story.instance
    groups: dict[tuple[str, str], list[Slot]] = {}
    for change in story.start:
        if not is_real_cache(instance.system.variable[change.slot.var]):
            groups.setdefault((change.slot.var, instance.show(change.slot.sort, change.after)), []).append(change.slot)
    values = [
        f"{place} = {value}"
        for (name, value), slots in groups.items()
        for place in locations(instance, instance.system.variable[name], [s.index for s in slots], [s.index for s in slots])
    ]
    held = cached(instance, story.trace.initial)
    return values + list(map(str, _owned(held, {key: [("", e) for e in entries] for key, entries in held.items()})))


def _differences(story: Story, before: State, after: State) -> list[Entries]:
    """The entries that came into caches (`+`) and those that went (`−`)."""
    old, new = cached(story.instance, before), cached(story.instance, after)
    found = {
        key: [
            *(("− ", entry) for entry in old[key] if entry not in new[key]),
            *(("+ ", entry) for entry in new[key] if entry not in old[key]),
        ]
        for key in new
    }
    return _owned(new, found)


def _refilled(story: Story, group: Sequence[Row]) -> list[Entries]:
    """The entries that these steps dropped and that were there before and are there behind them all the same (`±`)."""
    instance = story.instance
    slots = {s for row in group for s in removed(story, row.number) if is_real_cache(instance.system.variable[s.var])}
    if not slots:
        return []
    old, new = cached(instance, story.states[group[0].number - 1]), cached(instance, group[-1].state)
    dropped: dict[tuple[str, str], dict[tuple[str, str], None]] = {}
    for slot in sorted(slots, key=lambda s: instance.slot(s.var, s.index)):
        made = entry(instance, slot, group[-1].state[instance.slot(slot.var, slot.index)])
        key, text = (made.owner, made.cache), str(made)
        if text in old[key] and text in new[key]:
            dropped.setdefault(key, {})["± ", text] = None
    told = _owned(new, {key: list(found) for key, found in dropped.items()})
    return [replace(e, texts=(*e.texts[:-1], f"{e.texts[-1]}, refilled at once".replace(" ", FIXED))) for e in told]


def _content(story: Story, row: Row) -> list[Entries]:
    """What was there before the step in the caches of who acts and of those whose entries a check asks for, or in all where those
    hold nothing."""
    new, old = cached(story.instance, row.state), cached(story.instance, story.states[row.number - 1])
    held = {key: [entry for entry in entries if entry in old[key]] for key, entries in new.items()}
    whose = {row.actor.name, *_asked_for(story)}
    mine = {key: [("", e) for e in entries] for key, entries in held.items() if key[0] in whose and entries}
    return _owned(held, mine or {key: [("", e) for e in entries] for key, entries in held.items()})


def _asked_for(story: Story) -> Iterator[str]:
    """Whose entries the condition that is violated at the end rests on."""
    for fact in story.wrong:
        for slot, code in fact.values.items():
            if fact.kind == "branch" and is_real_cache(story.instance.system.variable[slot.var]) and is_set(slot, code):
                yield owner_of(story.instance, slot)


def _owned(caches: Caches, entries: Mapping[tuple[str, str], list[tuple[str, str]]]) -> list[Entries]:
    """Each entry once, with all in whose caches it is."""
    owners: dict[tuple[str, str, str], list[str]] = {}
    for (owner, title), found in entries.items():
        for sign, text in found:
            owners.setdefault((title, sign, text), []).append(owner)
    told: dict[tuple[str, str], list[str]] = {}
    for (title, sign, text), found_in in owners.items():
        everyone = [owner for owner, other in caches if other == title]
        whose = ALL if len(found_in) > 1 and found_in == everyone else ", ".join(found_in)
        told.setdefault((whose, title), []).append(f"{sign}{text}".replace(" ", FIXED))
    return [Entries(whose, title, tuple(texts)) for (whose, title), texts in told.items()]


def cache_titles(story: Story) -> set[str]:
    """What the caches of this system are called."""
    return {title for _, title in cached(story.instance, story.trace.initial)}
