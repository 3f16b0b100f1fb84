"""All readings of one system, given as source text: each must say the same, or the system must be refused.

Python runs the source; Python runs the core; the interpreter explores; the native engine explores with each of its options; Z3
certifies what they find; other checkers count the same states; and nothing is proved that exploring refutes.
"""

from __future__ import annotations

import math
import os
import pickle
import re
import resource
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from flushproof.model.errors import FlushproofError, ModelError
from flushproof.model.ir.instance import Instance
from flushproof.model.language.core_text import core_class
from flushproof.model.language.declare import System
from flushproof.model.language.instantiate import instantiate, knob_values
from flushproof.properties.confirmation.certify import certify
from flushproof.search.explore import explore, property_names
from flushproof.search.outcome import Outcome
from flushproof.search.task import WELL_DEFINED, Engine, Limits

from flushproof.agreement import Agreement, Disagreement
from flushproof.checking import Collected

from .grammar import load

Kind = Literal["agrees", "refused", "differs", "crashes", "hangs", "python fails"]


@dataclass(frozen=True)
class Told:
    """What became of one text.

    reading: which of the readings did not agree; said: in what, or why the text was refused; done: which readings were compared.
    """

    kind: Kind
    reading: str = ""
    said: str = ""
    steps: int = 0
    states: int = 0
    done: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        return self.kind not in ("agrees", "refused")

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two findings the same one, as far as can be told: without names and numbers."""
        said = re.sub(r"'[^']*'|\d+", "_", self.said.split("\n")[0])
        if self.kind == "differs":
            said = re.sub(r"\(.*?\)|\{.*?\}", "", said)
            said = next((w for w in WAYS_TO_DIFFER if w in said), said[:40])
        return self.kind, self.reading, said[:90]


WAYS_TO_DIFFER = (
    "is undefined in Python, and compiled it is not",
    "is judged otherwise",
    "is possible in Python, and not in the compiled",
    "is possible in the compiled system, and not in Python",
    "the local",
    "costs",
    "leads somewhere in the compiled system",
    "leads somewhere in Python",
    "waits at",
    "is given",
    "gives _ a value",
    "initial state",
    "compiled",
)


@dataclass(frozen=True)
class Effort:
    """How much is compared: steps of Python's walks, states, and which of the slow readings.

    slow: of other checkers (`Rumur`, `SPIN`) and `prove` those that are asked.
    seconds: of the processor, after which a text is said to hang.
    searches: whether anything is explored, or Python's walks are all.
    optimised: native code as users have it, which takes LLVM ten times as long.
    only: one reading, to be compared with the interpreter alone.
    """

    steps: int = 60
    states: int = 1500
    slow: tuple[str, ...] = ()
    seconds: float = 60.0
    native: bool = True
    searches: bool = True
    optimised: bool = False
    only: str = ""
    size: Mapping[str, int] = field(default_factory=dict)


MOST_WAYS = 2000
"""A system in which a step can choose in more ways than so many is walked, and not explored; in twenty times as many, neither."""

BUSY = 20
"""On a machine with other work, so many times as long as the processor takes."""


class Finding(Exception):
    """Two readings differ."""

    def __init__(self, reading: str, said: str, kind: Kind = "differs") -> None:
        super().__init__(said)
        self.told = Told(kind, reading, said)


def examine(text: str, folder: Path, effort: Effort = Effort(), name: str = "generated") -> Told:
    """Compares all readings of the text in a process of its own, which may crash or hang.  The folder gets the modules."""
    into, out = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(into)
        code = 1
        try:
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
                os.dup2(nowhere.fileno(), 2)
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(effort.seconds), math.ceil(effort.seconds) + 5))
            warnings.simplefilter("ignore")
            told = readings(text, folder, effort, name)
            with os.fdopen(out, "wb") as pipe:
                pickle.dump(told, pipe)
            code = 0
        finally:
            os._exit(code)
    os.close(out)
    received = b""
    end = time.monotonic() + BUSY * effort.seconds
    while True:
        ready, _, _ = select.select([into], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(into)
            return Told("hangs", said=f"no answer in {BUSY * effort.seconds:g} seconds")
        more = os.read(into, 1 << 16)
        if not more:
            break
        received += more
    os.close(into)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return Told("hangs", said=f"no answer in {effort.seconds:g} seconds of the processor")
    if status or not received:
        return Told("crashes", said=f"the process ended with status {status}")
    told = pickle.loads(received)
    assert isinstance(told, Told)
    return told


def readings(text: str, folder: Path, effort: Effort, name: str) -> Told:
    """The same in this process."""
    reading = "compile"
    done: list[str] = []
    steps = states = 0
    try:
        cls = load(text, folder, name)
        instance = instantiate(cls, sizes=dict(effort.size))
        for reading, work in every_reading(cls, instance, effort):
            if effort.only in ("", reading):
                count = work()
                done.append(reading)
                if reading == "source":
                    steps = count
                else:
                    states = max(states, count)
            if reading == effort.only:
                break
    except ModelError as error:
        if reading == "compile":
            if error.place is None:
                return Told("crashes", reading, f"refused without a place: {error.message}")
            return Told("refused", reading, error.message)
        return Told("crashes", reading, f"ModelError: {error.message}", steps, states, tuple(done))
    except FlushproofError as error:
        if reading == "compile":
            return Told("refused", reading, str(error))
        if "choose smaller sizes" in str(error) or "nothing to prove" in str(error):
            return Told("agrees", reading, str(error), steps, states, tuple(done))
        return Told("crashes", reading, f"{type(error).__name__}: {error}", steps, states, tuple(done))
    except Finding as finding:
        return replace(finding.told, steps=steps, states=states, done=tuple(done))
    except SyntaxError as error:
        return Told("refused", "python", f"SyntaxError: {error.msg}")
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        at = next(
            (f for f in reversed(frames) if "/tests/" not in f.filename and ".pyenv" not in f.filename), frames[-1]
        )
        where = f"{Path(at.filename).name} in {at.name}"
        return Told("crashes", reading, f"{type(error).__name__} at {where}: {error}", steps, states, tuple(done))
    return Told("agrees", steps=steps, states=states, done=tuple(done))


def every_reading(cls: type[System], instance: Instance, effort: Effort) -> Iterator[tuple[str, Callable[[], int]]]:
    """The readings by name, each of which raises a `Finding` where it differs."""
    if ways_of(instance) > 20 * MOST_WAYS:
        return
    yield "source", lambda: walked(cls, instance, effort, "source")

    def core() -> int:
        walked(core_class(cls), instance, effort, "core")
        return 0

    yield "core", core
    if effort.searches:
        yield from searches(cls, instance, effort)


def walked(cls: type[System], instance: Instance, effort: Effort, reading: str) -> int:
    """Python runs the class beside the compiled system."""
    agreement = Agreement(cls, instance, knob_values(cls, None, {}))
    try:
        found = agreement.compare(effort.steps, time.thread_time() + effort.seconds / 6)
    except Disagreement as error:
        raise Finding(reading, error.said) from None
    failed = [f for f in found.could_not_run if "no initial state" not in f]
    if failed:
        raise Finding(reading, failed[0], "python fails")
    return found.steps


def ways_of(instance: Instance) -> int:
    """In how many ways the step with most of them can choose."""
    steps = (*instance.system.actions, instance.system.init)
    return max(math.prod(instance.cardinality(p.of) for p in a.params) for a in steps)


# ----------------------------------------------------------------------------------------------------------- the engines


def searches(cls: type[System], instance: Instance, effort: Effort) -> Iterator[tuple[str, Callable[[], int]]]:
    """The explorers and provers by name, each of which raises a `Finding` where it says otherwise than the interpreter."""
    if ways_of(instance) > MOST_WAYS:
        return
    limits = Limits(states=effort.states, seconds=effort.seconds / 20)
    collected = Collected(instance, property_names(instance))
    plain = explore(instance, symmetry=False, limits=limits)
    # Until something is read that is not there, all states are the same for everyone, whatever properties say.
    every = explore(instance, symmetry=False, limits=limits, focus=WELL_DEFINED, on_state=collected.add)
    yield "reference", lambda: every.states

    def traces() -> int:
        for violation in (*plain.violations, *every.violations):
            certificate = certify(violation.trace)
            if not certificate.ok:
                raise Finding("Z3 certifies", f"Z3 does not confirm '{violation.property}': {certificate.reason}")
        return 0

    yield "Z3 certifies", traces

    def decided() -> int:
        collected.decide({v.property for v in every.violations}, every.reached)
        return 0

    if every.complete and every.states < 500:
        yield "Z3 decides", decided

    def same(way: Way) -> Callable[[], int]:
        def search(its: Outcome, asked: Mapping[str, Any]) -> None:
            if stopped(its):
                return
            limits = Limits(states=50 * effort.states, seconds=effort.seconds / 20)
            found = explore(instance, limits=limits, symmetry=way.symmetry, engine=way.engine, fuse=way.fuse, **asked)
            if not stopped(found):
                compare(way, found, its)

        def both() -> int:
            search(plain, {})
            if way.fuse:  # more is hidden from one property than from all
                search(only, {"properties": [WELL_DEFINED]})
            elif plain.violations:  # or else it went on as well
                search(every, {"focus": WELL_DEFINED})
            return 0

        return both

    undefined = any(v.property == WELL_DEFINED for v in every.violations)
    only = replace(every, verdict="violated" if undefined else "holds" if every.complete else "inconclusive")
    for way in other_ways(effort):
        yield way.name, same(way)
    for name in effort.slow:
        yield name, elsewhere(name, cls, instance)


def stopped(outcome: Outcome) -> bool:
    """Whether a limit ended a search, whatever it had found by then: others end elsewhere."""
    return outcome.reason is not None and outcome.states > 0


@dataclass(frozen=True)
class Way:
    """Another way to explore; engine: the interpreter if None."""

    name: str
    engine: Engine | None = None
    symmetry: bool = False
    fuse: bool = False


def compare(way: Way, found: Outcome, its: Outcome) -> None:
    """That a search found what the interpreter found."""
    if found.verdict != its.verdict:
        raise Finding(way.name, f"the verdict is {found.verdict}, and the interpreter's is {its.verdict}")
    if not way.fuse:
        if {v.property: v.depth for v in found.violations} != {v.property: v.depth for v in its.violations}:
            raise Finding(way.name, "other violations than the interpreter's, or at other depths")
        mine, theirs = (found.states, found.transitions), (its.states, its.transitions)
        if not way.symmetry and mine != theirs:
            raise Finding(way.name, f"{mine} states and transitions, and the interpreter has {theirs}")
        if way.symmetry and found.unreduced not in (None, its.states) and its.complete:
            raise Finding(way.name, f"{found.unreduced} states without symmetry, and the interpreter has {its.states}")
    for violation in found.violations[:1]:
        if not certify(violation.trace).ok:
            raise Finding(way.name, f"Z3 does not confirm '{violation.property}'")


def other_ways(effort: Effort) -> Iterator[Way]:
    yield Way("reference, symmetry", symmetry=True)
    yield Way("reference, fusion", fuse=True)
    if effort.native:
        from flushproof.search.native.engine import NativeEngine  # only now: it loads a compiler

        made = partial(NativeEngine, optimised=effort.optimised)
        yield Way("native", made())
        yield Way("native, symmetry", made(), symmetry=True)
        yield Way("native, fusion", made(), symmetry=True, fuse=True)
        yield Way("native, two workers", made(workers=2))
        yield Way("native, compact", made(compact=True))


def elsewhere(name: str, cls: type[System], instance: Instance) -> Callable[[], int]:
    """Another checker counts the states; or `prove` proves nothing that exploring refutes, at any size up to 3."""

    def count() -> int:
        from benchmarks.checkers import rumur, spin

        actions = tuple(replace(a, obligations=()) for a in instance.system.actions)
        bare = replace(instance, system=replace(instance.system, properties=(), actions=actions, undefined=()))
        ours = explore(bare, symmetry=False, properties=[], limits=Limits(states=20_000))
        if not ours.complete:
            return 0
        folder = Path(sys.modules[cls.__module__].__file__ or "").parent / f"{cls.__module__}_{name}"
        folder.mkdir(exist_ok=True)
        if name == "Rumur":
            theirs = rumur(bare, folder, timeout=60, optimise="-O0", deadlock=False).states
        else:
            theirs = spin(bare, folder, timeout=60, optimise="-O0", table_bits=16).states
        if theirs != ours.states:
            raise Finding(name, f"{theirs} states, and the interpreter has {ours.states}")
        return 0

    def proved() -> int:
        from flushproof.proving import prove

        found = prove(cls, by="induction", limits=Limits(states=2000, seconds=10))
        for size in (1, 2, 3):
            try:
                larger = instantiate(cls, sizes=dict.fromkeys(instance.sizes, size))
            except ModelError:  # it names an element that so few do not have
                continue
            seen = explore(larger, symmetry=True, limits=Limits(states=3000, seconds=10))
            wrong = {v.property for v in seen.violations} & set(found.proved)
            if wrong:
                raise Finding("prove", f"{sorted(wrong)} is proved, and violated at size {size}")
        return 0

    return proved if name == "prove" else count
