"""Z3's confirmation of what traces say of many policies: by a process of its own, where there are many, while deciding goes on.

What is said is the same with and without that process; and what it leaves undone when it dies is done here.
"""

from __future__ import annotations

import heapq
import pickle
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

from flushproof.model.ir.instance import Instance
from flushproof.model.ir.trace import Open, Trace
from flushproof.processes import DIED, Worker
from flushproof.properties.confirmation.certify import View, certify
from flushproof.result import CertificateError
from flushproof.search.family import Shared

MANY = 48
"""So many traces that wait for Z3 are worth the second that a process takes to begin."""

AT_ONCE = 8
"""So many traces it is given at a time: less than a second's work, so that it can be left off where nobody needs it."""

_Sent: TypeAlias = tuple[bytes, list[tuple[tuple[Any, ...], Open]]]
"""An instance, as bytes, and traces of it without it."""


@dataclass
class Confirming:
    """Has Z3 confirm traces of one instance, each under all policies that share it.

    beside: whether a process may do so while this one goes on.
    """

    instance: Instance
    beside: bool = False
    _waiting: list[tuple[int, int, Shared]] = field(default_factory=list)
    _given: list[Shared] = field(default_factory=list)
    _confirmed: dict[int, Shared] = field(default_factory=dict)
    _number: int = 0
    _worker: Worker[_Sent, list[str]] | None = None

    @cached_property
    def view(self) -> View:
        """Z3's view of the instance, in this process."""
        return View(self.instance)

    @property
    def goes_on(self) -> bool:
        """Whether another process confirms traces while this one does something else."""
        return self._worker is not None

    def add(self, shared: Shared, policies: int) -> None:
        """A trace that so many policies share is to be confirmed: those of many come first, and are likely to be needed.

        Raises:
            CertificateError: Z3 did not confirm an earlier one.
        """
        self._number += 1
        heapq.heappush(self._waiting, (-policies, self._number, shared))
        self.go_on()

    def go_on(self) -> None:
        """Takes what the process beside this one has done, and gives it more.

        Raises:
            CertificateError: Z3 did not confirm a trace.
        """
        if self.beside and self._worker is None and len(self._waiting) >= MANY:
            self._worker = Worker.started(_confirmed_all)
        if self._worker is None or (self._given and not self._worker.ready):
            return
        self._take()
        if self._worker is not None and self._waiting:
            self._given = [heapq.heappop(self._waiting)[2] for _ in range(min(AT_ONCE, len(self._waiting)))]
            self._worker.ask(0, (self._written, [(_without_instance(s.trace), s.open) for s in self._given]))

    def finish(self, needed: Iterable[Shared]) -> None:
        """These are confirmed when it returns; what waits besides is not needed any more.

        Raises:
            CertificateError: Z3 did not confirm a trace.
        """
        wanted = {id(s): s for s in needed if id(s) not in self._confirmed}
        self._waiting = [w for w in self._waiting if id(w[2]) in wanted]
        heapq.heapify(self._waiting)
        given = {id(s) for s in (*self._given, *(w[2] for w in self._waiting))}
        for shared in (s for number, s in wanted.items() if number not in given):
            self.add(shared, 0)
        while self._waiting or self._given:
            self.go_on()
            if self._waiting:
                last = self._waiting.pop()  # of a heap: one of the last ones to be given to the other process
                self._keep([last[2]], confirmed_all(self.view, [(last[2].trace, last[2].open)]))
            else:
                self._take()

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        if self._worker is not None:
            self._worker.kill()
        self._worker, self._given = None, []

    def _take(self) -> None:
        """Waits for the process, if it was given something."""
        if self._worker is None or not self._given:
            return
        given, answer = self._given, self._worker.answer()
        self._given = []
        if isinstance(answer, BaseException):
            raise answer
        if answer == DIED:
            self.close()
            self.beside = False
            self._waiting += [(0, -number, shared) for number, shared in enumerate(given)]
            heapq.heapify(self._waiting)
        else:
            assert isinstance(answer, list)
            self._keep(given, answer)

    def _keep(self, done: Sequence[Shared], refused: Sequence[str]) -> None:
        if refused:
            raise CertificateError(refused[0])
        self._confirmed.update((id(shared), shared) for shared in done)

    @cached_property
    def _written(self) -> bytes:
        return pickle.dumps(self.instance)


def confirmed_all(view: View, traces: Iterable[tuple[Trace, Open]]) -> list[str]:
    """What Z3 does not confirm of these traces, each under all policies that share it, in words; nothing, if it confirms all."""
    refused = []
    for trace, policies in traces:
        certificate = certify(trace, policies, view)
        if not certificate.ok:
            refused.append(certificate.refusal(f"the trace to '{trace.property}' for all that share it"))
    return refused


def _without_instance(trace: Trace) -> tuple[Any, ...]:
    return trace.initial, trace.steps, trace.property, trace.clause, trace.witness


def _confirmed_all(sent: _Sent) -> list[str]:
    written, traces = sent
    view = _view(written)
    return confirmed_all(view, ((Trace(view.instance, *parts), policies) for parts, policies in traces))


@lru_cache(maxsize=1)
def _view(written: bytes) -> View:
    return View(pickle.loads(written))
