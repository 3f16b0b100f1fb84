"""What the commands ask besides `check` and `prove`, as functions of one line: random walks, a system's policies, what they cost.

Each result has a short `repr`, its JSON, and the report of the command as text; in a notebook it shows itself.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

from flushproof.checking import Request, certified, source_of
from flushproof.costing import Bill, bills
from flushproof.laboratory.judging import LARGER_STATES, Answer, Question, answer
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.trace import Trace
from flushproof.model.language.declare import System
from flushproof.model.language.instantiate import given_system, instantiate
from flushproof.objects import framed_page
from flushproof.report.costs import costs_json, costs_text
from flushproof.report.page import simulation_page
from flushproof.report.policies import policies_json, policies_text
from flushproof.report.simulation import simulation_json, simulation_text
from flushproof.report.trace import Look
from flushproof.report.words import many
from flushproof.search import simulate as walks_of
from flushproof.search.simulate import Simulation
from flushproof.search.task import Limits

WIDTH = 100
"""Of a report as text, in characters."""


@dataclass(frozen=True)
class Walked:
    """What random walks met.

    instance: the system at its sizes, under the policy; found: the walks in numbers; source: how to load the system; given: the
    knobs that were set besides the policy's.
    """

    instance: Instance
    found: Simulation
    source: str
    given: tuple[str, ...] = field(default=(), repr=False)

    @property
    def verdict(self) -> Literal["violated", "inconclusive"]:
        """Walks that meet no violation prove nothing."""
        return "violated" if self.found.violations else "inconclusive"

    @property
    def violated(self) -> str | None:
        """The violated property that the trace leads to, if one is."""
        return self.found.violations[0].property if self.found.violations else None

    @property
    def trace(self) -> Trace | None:
        """The shortest trace to a violation among the walks, confirmed by Z3; a shorter one may exist."""
        return self.found.violations[0].trace if self.found.violations else None

    def __repr__(self) -> str:
        """`<Walked: kvm-vcpu-switch none: violated (no-foreign-hit), 100 walks>`."""
        verdict = self.verdict + (f" ({self.violated})" if self.violated else "")
        what = " ".join(filter(None, [self.instance.system.name, self.instance.policy]))
        return f"<Walked: {what}: {verdict}, {many(self.found.walks, 'walk')}>"

    def __str__(self) -> str:
        return simulation_text(self.instance, self.found, Look(WIDTH))

    def to_json(self) -> dict[str, Any]:
        """What `flushproof simulate --format json` prints; `docs/json.md` has the fields."""
        return simulation_json(self.instance, self.source, self.given, self.found)

    def _repr_html_(self) -> str:
        return framed_page(simulation_page(self.instance, self.source, self.found))


@dataclass(frozen=True)
class Policies:
    """Which of a system's policies are safe.

    answer: all that was found: `answer.weakest`, `answer.judged`, `answer.decided`.
    """

    answer: Answer

    @property
    def complete(self) -> bool:
        """Whether every policy was decided."""
        return self.answer.complete

    @property
    def weakest(self) -> tuple[dict[str, str], ...]:
        """The weakest safe policies: each with a value for each open knob."""
        return tuple(self.answer.lattice.text(one.point) for one in self.answer.weakest)

    @property
    def needed(self) -> dict[str, str]:
        """Of the policy that was asked about: what each open knob is for, `necessary`, `redundant` and so on; empty without one."""
        judged = self.answer.judged
        return {} if judged is None else {one.knob: one.need for one in judged.needed}

    def __repr__(self) -> str:
        """`<Policies: kvm-vcpu-switch: 48 policies, 12 safe, 2 weakest>`."""
        safe, decided = int(self.answer.decided.holds.sum()), "" if self.complete else ", not all decided"
        count = many(self.answer.lattice.count, "policy").replace("policys", "policies")
        return f"<Policies: {self.answer.lattice}: {count}, {safe} safe, {len(self.answer.weakest)} weakest{decided}>"

    def __str__(self) -> str:
        return policies_text(self.answer, Look(WIDTH))

    def to_json(self) -> dict[str, Any]:
        """What `flushproof policies --format json` prints."""
        return policies_json(self.answer)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


@dataclass(frozen=True)
class Bills(Sequence[Bill]):
    """What policies cost, side by side: a `Bill` for each, with its `result` and its `costs`."""

    bills: tuple[Bill, ...]

    def __len__(self) -> int:
        return len(self.bills)

    @overload
    def __getitem__(self, number: int) -> Bill: ...

    @overload
    def __getitem__(self, number: slice) -> tuple[Bill, ...]: ...

    def __getitem__(self, number: int | slice) -> Bill | tuple[Bill, ...]:
        return self.bills[number]

    def __repr__(self) -> str:
        """`<Bills: kvm-vcpu-switch: none, last-ran, always>`."""
        system = self.bills[0].result.instance.system.name
        return f"<Bills: {system}: {', '.join(b.result.instance.policy or 'defaults' for b in self.bills)}>"

    def __str__(self) -> str:
        return costs_text(self.bills, Look(WIDTH))

    def to_json(self) -> dict[str, Any]:
        """What `flushproof costs --format json` prints."""
        return costs_json(self.bills)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def simulate(
    system: str | type[System],
    policy: str | None = None,
    *,
    knobs: Mapping[str, Any] | None = None,
    sizes: Mapping[Any, str | int] | None = None,
    properties: Sequence[str] = (),
    seed: int = 0,
    walks: int = 100,
    steps: int = 1000,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Walked:
    """Walks through a system at random; the same seed makes the same walks. What they meet is real, and confirmed by Z3.

    system, policy, knobs, sizes, properties: as in `check`; walks, steps: how many walks, and how long each may be.

    Raises:
        FlushproofError: a name or value that does not exist, a system that does not compile.
        CertificateError: Z3 did not confirm a trace that was found.
    """
    cls = given_system(system)
    instance = instantiate(cls, policy, knobs, sizes)
    found = walks_of.simulate(
        instance, seed=seed, walks=walks, steps=steps, properties=tuple(properties) or None, limits=limits
    )
    for violated in found.violations:
        certified(violated.trace)
    return Walked(instance, found, source_of(cls), tuple(knobs or ()))


def policies(
    system: str | type[System],
    policy: str | None = None,
    *,
    knobs: Mapping[str, Any] | None = None,
    sizes: Mapping[Any, str | int] | None = None,
    free: Sequence[str] = (),
    properties: Sequence[str] = (),
    limits: Limits = Limits(),  # noqa: B008 - frozen
    any_size: bool = False,
    larger: int = LARGER_STATES,
) -> Policies:
    """Decides every policy that a system's open knobs make; and of a named one what is needed.

    free: the knobs that are open, all that are no toggles if none is named; any_size, larger: as `--any-size` and `--larger`.

    Raises:
        FlushproofError: there is no such knob, policy or property; no open knob changes anything.
        AuditError, CertificateError: two readings of the system differ.
    """
    cls = given_system(system)
    asked = Question(cls, policy, knobs or {}, sizes or {}, tuple(free), tuple(properties), limits, any_size, larger)
    return Policies(answer(asked))


def costs(
    system: str | type[System],
    policy: str | None = None,
    *,
    knobs: Mapping[str, Any] | None = None,
    sizes: Mapping[Any, str | int] | None = None,
    limits: Limits = Limits(seconds=60.0),  # noqa: B008 - frozen
) -> Bills:
    """Counts what one policy of a system costs, or each of them: operations, entries dropped, and how many of those for nothing.

    limits: for each policy, of exploring, and their seconds once more of counting.

    Raises:
        FlushproofError: as in `check`.
    """
    cls = given_system(system)
    return Bills(tuple(bills(Request(cls, policy, knobs or {}, sizes or {}, limits=limits))))
