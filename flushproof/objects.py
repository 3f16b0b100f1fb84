"""A trace as objects in the system's own names, and results that show themselves in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Union, overload

from flushproof.model.errors import FlushproofError
from flushproof.model.ir import Sort
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.instance import State as Codes
from flushproof.model.ir.trace import Trace
from flushproof.proving import ProofResult
from flushproof.report.actors import CPU
from flushproof.report.cause import links
from flushproof.report.jsonform import trace_json
from flushproof.report.locations import location
from flushproof.report.machine import read_words
from flushproof.report.news import Row
from flushproof.report.page import check_page, proof_page, trace_page
from flushproof.report.words import Story, many
from flushproof.result import Result

if TYPE_CHECKING:
    import pandas

Value = Union[bool, int, str, None]
"""A truth value, a number, the name of an element or of a member, or None."""

State = Mapping[str, Any]
"""A value, or a mapping from the first index's names to the rest, by variable: `state["vttbr"]["cpu0"]`."""

HEIGHT = 640
"""Of a page within a notebook, in pixels."""


@dataclass(frozen=True)
class ToldStep:
    """One step of a trace.

    number: counted from 1; text: what happens; actor: who acts; cpu: the same, if that is a CPU; process, label: of a process, its
    name and where the step starts; reads: what decided it, as comparisons; changes: location -> the value before and after; costs:
    operations, and how often; source: file and line; event: it only shows the violation; state: the state after it.
    """

    number: int
    text: str
    actor: str
    cpu: str | None
    process: str | None
    label: str | None
    reads: tuple[str, ...]
    changes: Mapping[str, tuple[Value, Value]]
    costs: Mapping[str, int]
    source: tuple[str, int] | None
    event: bool
    state: State = field(repr=False)

    def __repr__(self) -> str:
        """`<3 cpu0: enters the guest>`."""
        return f"<{self.number} {self.actor}: {self.text}>"


@dataclass(frozen=True)
class Told(Sequence[ToldStep]):
    """A trace in the system's own names: iterable by steps, comparable with another one.

    system, policy, property: what was violated where; sentence: what is wrong at the end; story: how the entry that is hit came to
    be there, a sentence each; initial: the state at the start.
    """

    system: str
    policy: str | None
    property: str
    sentence: str
    story: tuple[str, ...]
    initial: State = field(repr=False)
    steps: tuple[ToldStep, ...] = field(repr=False)
    trace: Trace = field(repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, number: int) -> ToldStep: ...

    @overload
    def __getitem__(self, number: slice) -> tuple[ToldStep, ...]: ...

    def __getitem__(self, number: int | slice) -> ToldStep | tuple[ToldStep, ...]:
        """Of the steps, counted from 0 as in any sequence."""
        return self.steps[number]

    def __iter__(self) -> Iterator[ToldStep]:
        return iter(self.steps)

    def __repr__(self) -> str:
        """`<Told: kvm-vcpu-switch none: no-foreign-hit violated in 9 steps>`; of a walk `<Told: …: a walk of 3 steps>`."""
        what, steps = " ".join(filter(None, [self.system, self.policy])), many(len(self.steps), "step")
        return f"<Told: {what}: {f'{self.property} violated in {steps}' if self.property else f'a walk of {steps}'}>"

    def to_json(self) -> dict[str, Any]:
        """What the JSON of a check says of the trace; `docs/json.md` has the fields."""
        return trace_json(self.trace)

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each step, by its number: who acts, what happens, and the value after it of each location that ever changes.

        Raises:
            FlushproofError: pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError:
            raise FlushproofError("a table of a trace needs pandas: pip install pandas") from None
        changing = dict.fromkeys(name for step in self.steps for name in step.changes)
        values = _values(self.trace.instance, Story(self.trace).states[1:])
        rows = [
            {"actor": s.actor, "process": s.process, "text": s.text, **{name: after[name] for name in changing}}
            for s, after in zip(self.steps, values, strict=True)
        ]
        return DataFrame(rows, index=[s.number for s in self.steps], dtype=object).rename_axis("step")

    def _repr_html_(self) -> str:
        return framed(self.trace)


def told(shown: Trace | Result | ProofResult) -> Told:
    """A trace, or that of a result, as objects.

    Raises:
        FlushproofError: the result has no trace.
    """
    trace = shown if isinstance(shown, Trace) else _trace_of(shown)
    story = Story(trace)
    instance = trace.instance
    return Told(
        instance.system.name,
        instance.policy,
        trace.property,
        story.sentence,
        tuple(link.text for link in links(story)),
        _named(instance, story.states[0]),
        tuple(_step(story, row) for row in story.rows),
        trace,
    )


def _trace_of(result: Result | ProofResult) -> Trace:
    violated = result.violated
    found = result.trace if isinstance(result, Result) else getattr(violated, "trace", None)
    if found is None:
        raise FlushproofError(f"{result!r} has no trace: nothing is violated in so many steps")
    return found


def _step(story: Story, row: Row) -> ToldStep:
    instance = story.instance
    return ToldStep(
        row.number,
        row.words,
        row.actor.name,
        row.actor.name if row.actor.sort == CPU else None,
        row.process,
        row.label,
        tuple(read_words(instance, row)),
        MappingProxyType(
            {
                location(instance, c.slot): (instance.json(c.slot.sort, c.before), instance.json(c.slot.sort, c.after))
                for c in row.changes
            }
        ),
        MappingProxyType(dict(row.costs)),
        None if row.place is None else (row.place.file, row.place.line),
        row.event,
        _named(instance, row.state),
    )


def _named(instance: Instance, state: Codes) -> State:
    """A state by the names of variables and elements."""
    found: dict[str, Any] = {}
    for var in instance.system.variables:
        at = instance.offsets[var.name]
        found[var.name] = _nested(instance, var.index, iter(state[at : at + instance.locations(var)]), var.sort)
    return MappingProxyType(found)


def _nested(instance: Instance, index: tuple[Sort, ...], codes: Iterator[int], sort: Sort) -> Any:
    """A map's values, row by row, as mappings within mappings."""
    if not index:
        return instance.json(sort, next(codes))
    first, *rest = index
    return MappingProxyType(
        {instance.show(first, code): _nested(instance, tuple(rest), codes, sort) for code in instance.codes(first)}
    )


def _values(instance: Instance, states: Sequence[Codes]) -> list[dict[str, Value]]:
    """Each state with every location by its name."""
    names = [location(instance, slot) for slot in instance.slots]
    return [
        {name: instance.json(slot.sort, code) for name, slot, code in zip(names, instance.slots, state, strict=True)}
        for state in states
    ]


def framed(shown: Trace | Result | ProofResult) -> str:
    """A result's page in a frame of its own, as a notebook shows it."""
    match shown:
        case Trace():
            page = trace_page(shown, [])
        case Result():
            page = check_page(shown)
        case ProofResult():
            page = proof_page(shown)
    return framed_page(page)


def framed_page(page: str) -> str:
    """A page in a frame of its own."""
    style = f"width:100%;height:{HEIGHT}px;border:1px solid #8888;border-radius:6px"
    return f'<iframe title="flushproof" sandbox="allow-scripts" style="{style}" srcdoc="{html.escape(page)}"></iframe>'
