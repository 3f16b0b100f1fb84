"""What a check found out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Literal, TypeVar

from flushproof.auditing import Audit, AuditError
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.trace import Trace

Verdict = Literal["holds", "violated", "inconclusive"]

HOLDS: Verdict = "holds"
VIOLATED: Verdict = "violated"
INCONCLUSIVE: Verdict = "inconclusive"

MOST_STATES = (1 << 64) - 1
"""Further than this the states that symmetry saves are not counted."""


class CertificateError(Exception):
    """Z3 did not confirm a trace or a proof: a bug in flushproof, and no verdict about the system."""


@dataclass(frozen=True)
class NoVerdict:
    """Why one request of many has no result.

    internal: two readings of the system differ, or Z3 does not confirm what was found: a bug of flushproof, not of the input.
    """

    reason: str
    internal: bool = False

    def __str__(self) -> str:
        return f"INTERNAL ERROR, no verdict: {self.reason}. Please report it." if self.internal else self.reason


Asked = TypeVar("Asked")
Found = TypeVar("Found")


def result_or_reason(run: Callable[[Asked], Found], request: Asked) -> Found | NoVerdict:
    """What becomes of one request of many: what is wrong with one leaves the others' results as they are."""
    try:
        return run(request)
    except FlushproofError as error:
        return NoVerdict(str(error))
    except (AuditError, CertificateError) as error:
        return NoVerdict(str(error), internal=True)


@dataclass(frozen=True)
class Followed:
    """What was looked at again of the claim that a wait never ends: in so many of the states that can follow, whether these are all
    of them, and in how many Z3 confirmed it."""

    states: int
    everything: bool
    by_z3: int


@dataclass(frozen=True)
class Result:
    """The verdict on one system, under one policy, at one size.

    source: how to load the system again: its name, or `path/to/file.py:Class`.
    verdict: "holds" is only said of a search that saw every reachable state; a limit or an interruption makes it "inconclusive".
    violated: the property to whose violation the trace leads; also_violated: others that were violated on the way.
    checked: the properties that the verdict is about.
    states, transitions: how many distinct states and how many transitions were explored, after symmetry where that is on.
    permutations: how many the symmetry has; unreduced: how many states it makes of `states`; `MOST_STATES` is that many or more.
    not_permuted: of each sort that is too large for all of its elements to be permuted, how many keep their names.
    depth: the number of steps to the farthest state; seconds: exploring time; compile_seconds: the time to get ready for it.
    trace: a way to the violation, a shortest one if `shortest`; certified: Z3 confirmed the trace (None where there is none).
    followed: where the violation is a wait without an end, how far that was looked at again.
    waits: where such waits were looked for, how many states were stored for each process that may have to wait.
    omission: with `compact`, something was missed with at most this probability, whatever the verdict; None without.
    bound: how many values of counters were explored, where they were not renamed; None where any number of them is covered.
    not_reached: states that the system says must be reachable, and that a complete search did not find.
    vacuous: properties that hold only because nothing could have violated them: no event ever came to a check of them, in any
        reachable state; and states that must be reachable and are not.  What the knobs switch off is not among them.
    never_possible: actions that are possible in no reachable state; never_came: events that come to none of their checks in any;
        unwatched: of how many of both that is not known, for want of room.  Known of complete searches alone.
    unread: knobs on which nothing depends.
    switched_off: steps and properties that the system has under other knobs only.
    warnings: what chooses nothing, though it looks like a choice; hints: what these sizes leave out.
    reason: why the search is inconclusive.
    fused: the steps that were taken together with the one before them; a trace need then not be a shortest one.
    expected: the verdict that the policy declares ("holds" or a property), where it declares one for these settings.
    decided: how many projected states Z3 decided, where it was asked to.
    settings: what was asked for besides the policy, as on the command line: `fb=off cpu=3`.
    audit: what was read again by another way, and agreed; None where nothing was to be.
    """

    instance: Instance
    source: str
    verdict: Verdict
    checked: tuple[str, ...]
    states: int
    transitions: int
    depth: int
    seconds: float
    violated: str | None = None
    trace: Trace | None = None
    certified: bool | None = None
    followed: Followed | None = None
    waits: Mapping[str, int] = field(default_factory=dict)
    also_violated: tuple[str, ...] = ()
    not_reached: tuple[str, ...] = ()
    vacuous: tuple[str, ...] = ()
    never_possible: tuple[str, ...] = ()
    never_came: tuple[str, ...] = ()
    unwatched: int = 0
    unread: tuple[str, ...] = ()
    switched_off: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    reason: str | None = None
    expected: str | None = None
    symmetry: bool = True
    permutations: int = 1
    unreduced: int = 0
    omission: float | None = None
    bound: int | None = None
    shortest: bool = True
    compile_seconds: float = 0.0
    fused: tuple[str, ...] = ()
    engine: str = "reference"
    decided: int | None = None
    settings: str = ""
    audit: Audit | None = None
    not_permuted: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        """`<Result: kvm-vcpu-switch none: violated (no-foreign-hit), 139 states>`; a trace in full is what reports are for."""
        verdict = self.verdict + (f" ({self.violated})" if self.violated else "")
        return f"<Result: {self.asked}: {verdict}, {self.states} state{'' if self.states == 1 else 's'}>"

    @property
    def asked(self) -> str:
        """What was checked: `kvm-vcpu-switch last-ran fb=off`."""
        return " ".join(filter(None, [self.instance.system.name, self.instance.policy, self.settings]))

    def _repr_html_(self) -> str:
        """The page of the check, for a notebook."""
        # Reports stand above what they report: the page is found by name, once a notebook asks for it.
        return str(import_module("flushproof.objects").framed(self))

    @property
    def complete(self) -> bool:
        """Whether every reachable state was explored."""
        return self.verdict == HOLDS or (self.violated is not None and self.trace is None)

    @property
    def interrupted(self) -> bool:
        """Whether it was the user who stopped the search."""
        return self.reason is not None and "an interrupt" in self.reason

    @property
    def found(self) -> str:
        """The verdict in one word, to be compared with `expected`: "holds", "inconclusive", or the violated property."""
        return self.violated or self.verdict

    @property
    def as_expected(self) -> bool | None:
        """Whether the policy's own expectation is met; None where there is none, or where the search was cut short.

        What holds vacuously is not what anyone expects.
        """
        if self.expected is None or self.verdict == INCONCLUSIVE:
            return None
        return self.found == self.expected and not self.vacuous
