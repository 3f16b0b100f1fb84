"""Every verdict audited: a part of what is claimed is read again by another way, and how much of it is said.

- The source against its compiled form: random walks through the user's own system, each step taken by Python itself (`agreement`).
- What a search stored: a random sample, whose successors and properties the interpreter finds again (`search.closed`), some of
  them by Z3.

Whatever differs is an internal disagreement: there is no verdict then, and a small reproduction is written to a file.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from flushproof.agreement import Agreement, Difference, Disagreement, Walk, written
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.instance import Instance, State
from flushproof.model.language.declare import System, system_name
from flushproof.model.language.instantiate import knob_values
from flushproof.properties.confirmation.decide import decide, reads_slots
from flushproof.properties.formulas.solver import OutOfTime
from flushproof.properties.formulas.steps import Steps
from flushproof.search.closed import Again, Omission, Sample
from flushproof.search.explore import Searched

STEPS, STATES, BY_Z3 = 2000, 500, 40
"""How much is looked at where there is time for it."""

SECONDS, SHARE = 0.5, 0.1
"""An audit takes no more processor time than this, or than this share of the time of what it audits."""

Z3_BYTES, WALK_BYTES = 16 << 20, 4 << 20
"""Where memory is limited, Z3 is asked, and Python walks on, while there is so much left of it."""

NO_ROOM = "successors by Z3: the limit of memory has no room for its questions"

MOST_SLOTS = 5000
"""Python's own state is copied for each step that is tried: where it has more locations, half a second is nothing."""

_SHRINKING = 3.0
"""Seconds for making a reproduction small."""

ALL = "all"
OFF = "off"


@dataclass(frozen=True)
class Amount:
    """How much is audited.

    steps, states: at most so many, None for all that there are; timed: within half a second or a tenth of the run's time.
    """

    steps: int | None = STEPS
    states: int | None = STATES
    timed: bool = True

    @staticmethod
    def of(text: str) -> Amount | None:
        """`all`, `off` (None), or a number of steps and of states.

        Raises:
            FlushproofError: it is none of these.
        """
        match text.strip().lower():
            case "off":
                return None
            case "all":
                return Amount(None, None, False)
            case digits if digits.isascii() and digits.isdigit() and int(digits):
                return Amount(int(digits), int(digits), False)
        raise FlushproofError(f"--audit {text}: write a number of steps and states, as in 5000, or all, or off")


DEFAULT = Amount()


@dataclass(frozen=True)
class Audit:
    """What was read again, and agreed.

    walks, steps: by Python itself, and by the compiled system; denied: steps that were tried, and that neither allows.
    again: of what the search stored, None where it did not see everything; by_z3: of its states, those whose successors Z3 found
        again.
    went_on: from how many states the interpreter found a way to where whoever waits goes on (`no-stuck`).
    could_not_run: what Python could not run, in words.
    seconds: of processor time that it took.
    """

    walks: int
    steps: int
    denied: int
    again: Again | None = None
    by_z3: int = 0
    could_not_run: tuple[str, ...] = ()
    seconds: float = 0.0
    went_on: int = 0


class AuditError(Exception):
    """Two readings of one system differ: a bug of flushproof, or something in the system that it reads wrongly; no verdict."""


class Auditor:
    """The audit of one run.  `walk` first, `stored` as the search's audit, `done` at its end.

    memory: the limit in bytes, if there is one: what is stored lies within it, and what looks again must not exceed it.
    Each raises AuditError where two readings differ, after it has written a reproduction.
    """

    def __init__(
        self,
        cls: type[System],
        instance: Instance,
        policy: str | None,
        knobs: Mapping[str, Any],
        amount: Amount = DEFAULT,
        memory: int | None = None,
    ) -> None:
        self.memory = memory
        self.cls, self.instance, self.policy, self.amount = cls, instance, policy, amount
        self.knobs = knob_values(cls, policy, knobs)
        self.begun = time.monotonic()
        self.spent = 0.0
        self.again: Again | None = None
        self.by_z3 = self.went_on = 0
        self._agreement: Agreement | None = None
        self._steps: Steps | None = None

    def walk(self, share: float = 0.5) -> None:
        """Walks through the system, for this part of the time."""
        started = time.thread_time()
        if self.amount.timed and len(self.instance.slots) > MOST_SLOTS:
            return
        try:
            if self._agreement is None:
                self._agreement = Agreement(self.cls, self.instance, self.knobs)
            self._agreement.compare(*self._limits(started, share))
        except Difference as difference:
            self._fail(str(difference), None)
        except Disagreement as disagreement:
            assert self._agreement is not None
            walk, said = self._agreement.smaller(disagreement.walk, disagreement.said, _SHRINKING)
            self._fail(said, walk)
        finally:
            self.spent += time.thread_time() - started

    def _limits(self, started: float, share: float) -> tuple[int | None, float | None]:
        if self.amount.timed:
            return self.amount.steps, started + share * self._left()
        # all steps that there are is without end: as many as find something new, and a good deal more
        return (10 * STEPS if self.amount.steps is None else self.amount.steps), None

    def _left(self) -> float:
        """Seconds that the audit may still take."""
        run = time.monotonic() - self.begun - self.spent
        return max(0.0, max(SECONDS, SHARE * run) - self.spent)

    def _room(self, size: int) -> bool:
        """Whether so many bytes more are within the limit of memory, if there is one."""
        return self.memory is None or resident() + size <= self.memory

    def stored(self, searched: Searched) -> None:
        """Looks again at a part of what the search stored."""
        started = time.thread_time()
        until = started + self._left() if self.amount.timed else None
        try:
            sample = Sample(searched)
            if searched.possible is not None:
                self.went_on += sample.come_back(self.amount.states, until)
                return
            self.again = sample.look(self.amount.states, until and started + 0.7 * (until - started))
            self._by_z3(searched, sample, until)
        except Omission as omission:
            self._fail(omission.said, None, omission.state, searched.instance)
        finally:
            self.spent += time.thread_time() - started

    def _by_z3(self, searched: Searched, sample: Sample, until: float | None) -> None:
        """Z3 finds no other successors than the interpreter, and decides the properties alike."""
        states = sample.looked[: BY_Z3 if self.amount.states is not None else None]
        steps = self._steps if self._steps is not None and self._steps.instance is searched.instance else None
        # Translating the steps takes Z3 about so long; where there is no time for it, it is left out, and the count says so.
        long = 0.0 if steps else 0.0015 * len(searched.instance.slots)
        if not states or (until is not None and until - time.thread_time() < long):
            return
        if not self._room(Z3_BYTES):
            assert self.again is not None
            self.again = replace(self.again, left_out=(*self.again.left_out, NO_ROOM))
            return
        steps = self._steps = steps or Steps(searched.instance)
        for state, known in states:
            if (until is not None and time.thread_time() > until) or not self._room(Z3_BYTES // 4):
                break
            with contextlib.suppress(LookupError, OutOfTime):
                other = steps.other(state, known)
                if other is not None:
                    raise Omission("Z3 finds a successor of a stored state that the interpreter does not find", state)
                self.by_z3 += 1
        for prop in searched.instance.system.properties:
            if (until is not None and time.thread_time() > until) or not self._room(Z3_BYTES // 4):
                break
            if prop.kind == "invariant" and prop.name in sample.checks:
                slots = reads_slots(searched.instance, prop)
                found = decide(searched.instance, prop, {tuple(s[i] for i in slots) for s, _ in states})
                if not found.holds:
                    raise Omission(f"Z3 decides that '{prop.name}' does not hold in a stored state", states[0][0])

    def done(self) -> Audit:
        """The end of the audit: the time that is left goes to more walks."""
        if self._agreement is None:
            why = f"walks by Python itself: a state has {len(self.instance.slots):,} locations (see --audit all)"
            return Audit(0, 0, 0, self.again, self.by_z3, (why,), self.spent, self.went_on)
        walked = self._agreement.walked
        timed = self.amount.timed and walked.steps and walked.steps < STEPS
        if timed and self._left() > 0.02 and self._room(WALK_BYTES):
            self.walk(share=1.0)
        return Audit(
            walked.walks,
            walked.steps,
            walked.denied,
            self.again,
            self.by_z3,
            tuple(walked.could_not_run),
            self.spent,
            self.went_on,
        )

    def _fail(self, said: str, walk: Walk | None, state: State | None = None, searched: Instance | None = None) -> None:
        """Writes what differs into a file.

        Raises:
            AuditError: always.
        """
        report: dict[str, Any] = {
            "differs": said,
            "system": system_name(self.cls),
            "source": f"{inspect.getsourcefile(self.cls)}:{self.cls.__name__}",
            "policy": self.policy,
            "knobs": dict(self.instance.knobs),
            "sizes": dict(self.instance.sizes),
        }
        if walk is not None and self._agreement is not None:
            report["walk"] = written(walk, self._agreement.machine.free)
        if state is not None:
            instance = searched or self.instance
            report["state"] = {
                f"{slot.var}{list(slot.index) if slot.index else ''}": _shown(instance, slot.sort, code)
                for slot, code in zip(instance.slots, state, strict=True)
            }
        where = _write(f"flushproof-audit-{system_name(self.cls)}.json", json.dumps(report, indent=1))
        raise AuditError(f"{system_name(self.cls)} is read in two ways that differ: {said}. {where}") from None


def resident() -> int:
    """How many bytes of memory this process has."""
    return int(psutil.Process().memory_info().rss)


def _shown(instance: Instance, sort: Any, code: int) -> str:
    try:
        return instance.show(sort, code)
    except IndexError:
        return f"number {code}"


def _write(name: str, text: str) -> str:
    """Writes a file here, or else where temporary ones go; says where."""
    for folder in (Path.cwd(), Path(tempfile.gettempdir())):
        with contextlib.suppress(OSError):
            (folder / name).write_text(text + "\n", encoding="utf-8")
            return f"How to come there is in {folder / name}"
    return "How to come there could not be written to any file"
