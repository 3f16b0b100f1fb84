"""What is compiled wrongly, or left out of a search, is noticed; and what is right passes."""

import enum
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Optional

import jsonschema
import pytest
from click.testing import CliRunner
from flushproof.model import ir
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import terms
from flushproof.model.ir.instance import Instance, State
from flushproof.model.language import (
    Counter,
    Map,
    Range,
    Rigid,
    Sort,
    System,
    action,
    axiom,
    choose,
    closure,
    cost,
    event,
    final,
    fresh,
    initially,
    invariant,
    process,
    reachable,
    require,
)
from flushproof.model.language import (
    check as checks,
)
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.closed import Again, Omission, Sample
from flushproof.search.explore import Searched, explore
from flushproof.search.native import library
from flushproof.search.native.engine import NativeEngine
from flushproof.search.reductions.symmetry import Symmetry
from flushproof.search.reference.interpreter import Reference
from flushproof.search.task import Limits

from flushproof import auditing, proving
from flushproof.agreement import Agreement, Difference, Disagreement
from flushproof.auditing import DEFAULT, Amount, Audit, AuditError, Auditor
from flushproof.checking import check
from flushproof.cli import main
from flushproof.report.audit import audit_text
from flushproof.report.jsonform import schema
from flushproof.result import CertificateError, NoVerdict

from .small import Switch


class Cpu(Sort):
    """A CPU."""


class Page(Sort):
    """A page."""


class Generation(Counter):
    """A generation."""


class Color(enum.Enum):
    RED = 0
    GREEN = 1


class Small(System):
    """One of each thing that can be compiled wrongly."""

    home: Rigid[Map[Page, Cpu]]
    held: Map[Page, Optional[Cpu]]
    cached: Map[Cpu, Page, bool]
    count: Annotated[int, Range(0, 2)]
    color: Color
    first: Page
    now: Generation
    seen: Map[Cpu, Generation]
    late: Map[Cpu, bool]
    policies = {}

    @axiom
    def not_all_at_one(self) -> bool:
        return any(self.home[a] is not self.home[b] for a in Page for b in Page)

    @initially
    def begin(self) -> None:
        self.color = choose(Color)

    @action
    def take(self, cpu: Cpu, page: Page) -> None:
        """{cpu} takes {page}"""
        require(self.held[page] is None)
        self.held[page] = cpu
        cost("taken")

    @action
    def count_up(self) -> None:
        """counts"""
        if self.count < 2:
            self.count += 1
        else:
            self.count = 0

    @action
    def roll(self, cpu: Cpu) -> None:
        """a new generation"""
        require(self.seen[cpu] == self.now)
        self.now = fresh(Generation)

    @process(Cpu)
    def run(self, cpu: Cpu) -> Any:
        """reads"""
        old = self.now
        page = choose(Page, where=lambda p: self.held[p] is cpu)
        yield "drops it"
        self.held[page] = None
        if page is self.first:
            yield "looks"
        self.seen[cpu] = old
        self.late[cpu] = old != self.now

    @closure
    def fill(self) -> None:
        for page in Page:
            if self.held[page] is not None:
                self.cached[self.home[page], page] = True

    @event
    def hit(self, cpu: Cpu, page: Page) -> None:
        """hits"""
        require(self.cached[cpu, page])
        checks("home", self.home[page] is cpu, because="{cpu} has {page}")

    @invariant("{cpu} has what is newer than new")
    def not_newer(self) -> bool:
        return all(self.seen[cpu] <= self.now for cpu in Cpu)

    @reachable
    def late_once(self) -> bool:
        """someone is late"""
        return any(self.late[cpu] for cpu in Cpu)

    @final
    def all_held(self) -> bool:
        return all(self.held[page] is not None for page in Page) and self.count == 2 and self.color is Color.RED


def compared(instance: Instance, cls: type[System] = Small, steps: int = 1500) -> Agreement:
    agreement = Agreement(cls, instance, {})
    agreement.compare(steps, None)
    return agreement


def changed(name: str, change: Callable[[ir.Action], ir.Action]) -> Instance:
    """The instance with one action changed."""
    instance = instantiate(Small)
    system = instance.system
    assert any(a.name == name for a in system.actions), [a.name for a in system.actions]
    return replace(
        instance, system=replace(system, actions=tuple(change(a) if a.name == name else a for a in system.actions))
    )


def without_update(at: int) -> Callable[[ir.Action], ir.Action]:
    return lambda a: replace(a, updates=a.updates[:at] + a.updates[at + 1 :])


def every_update() -> Iterator[tuple[str, int]]:
    """Each update of each action that makes a difference: without those that give a local that is not needed any more its default,
    that write once more what another one writes, or that a closure adds though it is there."""
    for act in instantiate(Small).system.actions:
        local = (f"{act.process}.old", f"{act.process}.page")
        for number, update in enumerate(act.updates):
            idle = update.var in local and isinstance(update.value, ir.Lit)
            twice = any(
                (u.var, u.args, u.value) == (update.var, update.args, update.value)
                for i, u in enumerate(act.updates)
                if i != number
            )
            if not idle and not twice and not (act.process and update.var == "cached"):
                yield act.name, number


class BelowZero(System):
    """A local whose default is not the lowest of its values, which nobody needs any more while Python's frame still has it."""

    done: bool
    policies = {}

    @process(Cpu)
    def run(self, cpu: Cpu) -> Iterator[str]:
        """{cpu} runs"""
        less = choose(Annotated[int, Range(0, 3)]) - 1
        yield "looks"
        if less >= 2:
            self.done = not self.done
        yield "ends"
        self.done = False

    @reachable
    def all_done(self) -> bool:
        return self.done


def test_honest_systems_pass() -> None:
    walked = compared(instantiate(Small)).walked
    assert walked.steps >= 1500 and walked.walks > 10 and walked.denied > 100 and not walked.could_not_run


def test_a_local_that_nobody_needs_any_more_may_be_what_it_was_in_python() -> None:
    walked = compared(instantiate(BelowZero), BelowZero).walked
    assert walked.steps >= 1500 and not walked.could_not_run


@pytest.mark.parametrize(("name", "number"), list(every_update()))
def test_a_dropped_update_is_noticed(name: str, number: int) -> None:
    with pytest.raises(Disagreement):
        compared(changed(name, without_update(number)), steps=4000)


@pytest.mark.parametrize("name", [a.name for a in instantiate(Small).system.actions])
def test_a_guard_is_noticed(name: str) -> None:
    with pytest.raises(Disagreement):
        compared(changed(name, lambda a: replace(a, guard=ir.TRUE)) if name != "count_up" else changed(name, never))
    with pytest.raises(Disagreement):
        compared(changed(name, never), steps=3000)


def never(act: ir.Action) -> ir.Action:
    return replace(act, guard=ir.FALSE)


def system_with(**changes: Any) -> Instance:
    instance = instantiate(Small)
    return replace(instance, system=replace(instance.system, **changes))


def test_another_default_is_noticed() -> None:
    init = instantiate(Small).system.init
    color = instantiate(Small).system.variable["count"]
    more = ir.Update("count", (), (), ir.TRUE, ir.Lit(1, color.sort))
    with pytest.raises(Disagreement, match="initial state"):
        compared(system_with(init=replace(init, updates=(*init.updates, more))))


def test_a_dropped_initial_state_is_noticed() -> None:
    init = instantiate(Small).system.init
    red = terms.eq(init.params[0], ir.Lit("RED", init.params[0].of))
    with pytest.raises(Disagreement, match="initial state"):
        compared(system_with(init=replace(init, guard=terms.and_(init.guard, red))))


def test_a_dropped_axiom_is_noticed() -> None:
    with pytest.raises(Disagreement, match="initial state"):
        compared(system_with(init=replace(instantiate(Small).system.init, guard=ir.TRUE)))


def test_what_starts_with_any_value_is_noticed() -> None:
    system = instantiate(Small).system
    for name in ("first", "count"):
        variables = tuple(replace(v, free=not v.free) if v.name == name else v for v in system.variables)
        if name == "first":
            continue  # it has no default: an instance without it cannot be made
        with pytest.raises((Disagreement, Difference), match="any value"):
            compared(system_with(variables=variables))


def test_a_value_beyond_its_sort_is_noticed() -> None:
    count = ir.IntSort(0, 2)
    wide = ir.Update("count", (), (), ir.TRUE, ir.Lit(3, count))
    with pytest.raises(Disagreement, match="number 3 of 3"):
        compared(changed("count_up", lambda a: replace(a, updates=(*a.updates, wide))))


def test_another_cost_is_noticed() -> None:
    with pytest.raises(Disagreement, match="costs"):
        compared(changed("take", lambda a: replace(a, costs=())))


@pytest.mark.parametrize("name", ["home", "not-newer", "late-once"])
def test_another_property_is_noticed(name: str) -> None:
    system = instantiate(Small).system

    def turned(prop: ir.Property) -> ir.Property:
        return replace(prop, clauses=tuple(replace(c, expr=terms.not_(c.expr)) for c in prop.clauses))

    properties = tuple(turned(p) if p.name == name else p for p in system.properties)
    with pytest.raises(Disagreement, match=name):
        compared(system_with(properties=properties))


def test_another_final_state_is_noticed() -> None:
    with pytest.raises(Disagreement, match="final"):
        compared(system_with(final=ir.FALSE))


def test_what_is_remembered_is_told_by_walks_alone() -> None:
    """Reads the counter anew where the source remembers it: the same labels and the same state after each step taken alone."""

    def forgets(act: ir.Action) -> ir.Action:
        now = ir.Read("now", (), ir.CounterSort("Generation"))
        old = next(e for u in act.updates for e in ir.walk(u.value) if isinstance(e, ir.Read) and e.name == "run.old")
        return replace(act, updates=tuple(replace(u, value=now) if u.value is old else u for u in act.updates))

    with pytest.raises(Disagreement):
        compared(changed("run: looks", forgets), steps=4000)


def test_a_reproduction_is_small() -> None:
    agreement = Agreement(Small, changed("run: drops it", without_update(1)), {})
    with pytest.raises(Disagreement) as caught:
        agreement.compare(2000, None)
    walk, said = agreement.smaller(caught.value.walk, caught.value.said, 600.0)
    assert len(walk.steps) <= 3 and "seen[cpu" in said and agreement.differs(walk) is not None


class Odd(System):
    """Something that Python cannot run."""

    on: Map[Cpu, bool]

    @action
    def fails(self, cpu: Cpu) -> None:
        """fails"""
        self.on[cpu] = True

    @action
    def turn(self, cpu: Cpu) -> None:
        """turns"""
        self.on[cpu] = not self.on[cpu]


def test_what_cannot_be_run_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = instantiate(Odd)

    def fails(self: Any, cpu: Cpu) -> None:
        raise TypeError("of no use")

    fails.__flushproof__ = Odd.fails.__flushproof__  # type: ignore[attr-defined]
    monkeypatch.setattr(Odd, "fails", fails)
    walked = compared(instance, Odd, steps=200).walked
    assert list(walked.could_not_run) == ["'fails' (TypeError: of no use)"] and walked.steps > 0
    text = audit_text(Audit(1, 2, 3, could_not_run=tuple(walked.could_not_run)))
    assert text == "Audited: 2 steps run by Python itself. The audit could not run: 'fails' (TypeError: of no use)."


# ------------------------------------------------------------------------------------------------------- what is stored

HOW: list[dict[str, Any]] = [
    {},
    {"symmetry": False},
    {"engine": "reference"},
    {"fuse": True},
    {"fuse": True, "symmetry": False},
    {"bound": 2},
]


class Bounded(System):
    """Small, and with few generations."""

    held: Map[Page, Optional[Cpu]]
    now: Generation
    seen: Map[Cpu, Generation]

    @action
    def roll(self, cpu: Cpu) -> None:
        """a new generation"""
        require(self.now == 0)
        self.now = fresh(Generation)

    @process(Cpu)
    def run(self, cpu: Cpu) -> Any:
        """chooses"""
        page = choose(Page)
        yield "waits"
        yield "takes it"
        require(self.held[page] is None)
        self.held[page] = cpu
        self.seen[cpu] = self.now
        yield "drops it"
        self.held[page] = None

    @invariant("no")
    def not_newer(self) -> bool:
        return all(self.seen[cpu] <= self.now for cpu in Cpu)


@pytest.mark.parametrize("how", HOW)
def test_what_was_stored_is_found_again(how: dict[str, Any]) -> None:
    result = check(Bounded, audit=Amount(200, None, False), **how)
    assert result.verdict == "holds" and result.audit is not None and result.audit.again is not None
    again = result.audit.again
    assert again.states == again.of == result.states and again.missed == 0 and again.successors > 0
    assert again.sampled and not again.left_out and again.evaluated > 0
    if not how.get("bound"):
        assert result.audit.by_z3 == result.states


def test_workers_and_fingerprints_are_audited() -> None:
    from flushproof.engines import Resources

    many = check(Bounded, audit=Amount(200, 50, False), resources=Resources(workers=2)).audit
    assert many is not None and many.again is not None and many.again.states == 50
    assert many.again.missed is not None and 0 < many.again.missed < 1
    compact = check("kvm-vmid-allocator", "fixed", audit=Amount(200, 50, False), compact=True).audit
    assert compact is not None and compact.again is not None and compact.again.states > 0
    assert compact.again.missed is None and "fingerprints" in audit_text(compact)


def searched(cls: type[System] = Bounded, **how: Any) -> Searched:
    """What a search by the interpreter shows to its audit."""
    seen: list[Searched] = []
    explore(instantiate(cls), audit=seen.append, **how)
    return seen[0]


class Tampered:
    """A visited set that misses some states, or has others in their place."""

    kept = True

    def __init__(self, states: list[State], symmetry: Callable[[State], State]) -> None:
        self.all, self.canonical = states, symmetry

    @property
    def count(self) -> int:
        return len(self.all)

    def states(self, numbers: Any) -> list[State]:
        return [self.all[n] for n in numbers]

    def missing(self, states: Any) -> list[State]:
        return [s for s in states if self.canonical(s) not in self.all]

    def representatives(self, states: Any) -> set[State]:
        return {self.canonical(s) for s in states}


def tampered(change: Callable[[list[State]], list[State]], canonical: Any = None, symmetry: bool = True) -> Again:
    found = searched(symmetry=symmetry)
    honest = Symmetry(found.instance).canonical if symmetry else lambda s: s
    states = change(found.visited.states(range(found.visited.count)))
    return Sample(replace(found, visited=Tampered(states, canonical or honest))).look(None, None)


def test_a_missing_state_is_noticed() -> None:
    assert tampered(lambda states: states).states == 69
    for at in (0, 17, 68):
        with pytest.raises(Omission, match="not among those"):
            tampered(lambda states, at=at: states[:at] + states[at + 1 :])  # type: ignore[misc]


def test_states_that_are_taken_for_one_are_noticed() -> None:
    with pytest.raises(Omission, match="takes states for one"):
        tampered(lambda states: states, canonical=lambda s: tuple(sorted(s)), symmetry=False)


def test_a_value_that_does_not_fit_is_noticed() -> None:
    with pytest.raises(Omission, match="its sort has"):
        tampered(lambda states: [*states, (*states[0][:-1], 99)], symmetry=False)


def test_a_stored_violation_is_noticed() -> None:
    instance = instantiate(Bounded)
    slot = next(i for i, s in enumerate(instance.slots) if s.var == "seen")

    def newer(states: list[State]) -> list[State]:
        return [*states, (*states[0][:slot], 1, *states[0][slot + 1 :])]

    with pytest.raises(Omission, match="not-newer"):
        tampered(newer, symmetry=False)


def test_an_engine_that_leaves_out_a_step_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = library.step_function

    def lazy(layout: Any, name: str, actions: Any, budget: Any) -> str:
        return honest(layout, name, actions[:-1] if name == "step" else actions, budget)

    monkeypatch.setattr(library, "step_function", lazy)
    with pytest.raises(Omission, match="not among those"):
        explore(
            instantiate(Bounded),
            properties=["not-newer"],
            engine=NativeEngine(),
            audit=lambda found: Sample(found).look(None, None),
        )


def test_z3_notices_a_successor_that_the_interpreter_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Reference.successors

    def lazy(self: Reference, state: State) -> Iterator[Any]:
        return (s for s in honest(self, state) if s[0].name != "roll")

    monkeypatch.setattr(Reference, "successors", lazy)
    auditor = Auditor(Bounded, instantiate(Bounded), None, {}, Amount(1, None, False))
    monkeypatch.chdir("/tmp")
    with pytest.raises(AuditError, match="Z3 finds a successor"):
        explore(instantiate(Bounded), audit=auditor.stored)
    Path("flushproof-audit-bounded.json").unlink()


def test_the_chance_of_missing_something_is_exact() -> None:
    assert Again(500, 1_000_000).missed == pytest.approx(0.999**500, rel=1e-2)
    assert Again(10, 10).missed == 0.0
    assert Again(1, 2).missed == pytest.approx(0.5)
    assert Again(5, 10, sampled=False).missed is None


# ------------------------------------------------------------------------------------------------------- the command line

WRONG = '''
from flushproof.model.language import Knob, Map, Policy, Sort, System, action, invariant


class Cpu(Sort):
    """A CPU."""


class Wrong(System):
    """A system."""

    on: Map[Cpu, bool]
    flush = Knob(bool, True, doc="flushes")
    policies = {"one": Policy("", {"flush": True}, "holds")}

    @action
    def turn(self, cpu: Cpu):
        """turns"""
        if self.flush:
            self.on[cpu] = not self.on[cpu]

    @invariant("some are on and off")
    def fine(self):
        return any(self.on[cpu] for cpu in Cpu) or all(not self.on[cpu] for cpu in Cpu)
'''


@pytest.fixture
def miscompiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a system, and a compiler that forgets its updates."""
    from flushproof import checking, proving
    from flushproof.commands import simulate

    path = tmp_path / "wrong.py"
    path.write_text(WRONG)
    monkeypatch.chdir(tmp_path)

    def forgetful(*args: Any, **kwargs: Any) -> Instance:
        instance = instantiate(*args, **kwargs)
        actions = tuple(replace(a, updates=()) for a in instance.system.actions)
        return replace(instance, system=replace(instance.system, actions=actions))

    for module in (checking, proving, simulate):
        monkeypatch.setattr(module, "instantiate", forgetful)
    return path


@pytest.mark.parametrize("command", ["check", "prove", "simulate"])
def test_a_disagreement_is_no_verdict_and_leaves_a_reproduction(command: str, miscompiled: Path) -> None:
    done = CliRunner().invoke(main, [command, f"{miscompiled}:Wrong", "--policy", "one"])
    assert done.exit_code == 70 and "no verdict" in done.output and "Traceback" not in done.output
    assert not any(word in done.output for word in ("HOLDS", "PROVED", "INCONCLUSIVE"))
    found = json.loads((miscompiled.parent / "flushproof-audit-wrong.json").read_text())
    assert found["policy"] == "one" and found["sizes"] == {"Cpu": 2} and "on[cpu" in found["differs"]
    assert found["walk"]["steps"] == [] and found["walk"]["tried_at_the_end"]["step"] == "turn"
    assert found["knobs"] == {"flush": "on"}
    off = CliRunner().invoke(main, [command, f"{miscompiled}:Wrong", "--policy", "one", "--audit", "off"])
    assert off.exit_code in (0, 3) and "Audited" not in off.output


def test_how_much_is_audited_is_said_in_text_and_json() -> None:
    name = f"{Path(__file__).with_name('small.py')}:Switch"
    done = CliRunner().invoke(main, ["check", name, "--policy", "always", "--audit", "300"])
    text = " ".join(done.output.split())
    assert done.exit_code == 0 and "steps run by Python itself" in text and "These are all states." in text
    assert "successors found again" in text and "of them by Z3" in text
    shown = json.loads(
        CliRunner().invoke(main, ["check", name, "--policy", "always", "--audit", "300", "--format", "json"]).stdout
    )
    jsonschema.validate(shown, schema())
    assert shown["audit"]["steps"] >= 300 and shown["audit"]["states"] == shown["states"] == shown["audit"]["of"]
    off = CliRunner().invoke(main, ["check", name, "--policy", "always", "--audit", "off", "--format", "json"])
    jsonschema.validate(json.loads(off.stdout), schema())
    assert json.loads(off.stdout)["audit"] is None


def test_an_amount_that_is_none_is_refused() -> None:
    for text in ("some", "-1", "0", "1.5", "²"):
        with pytest.raises(FlushproofError, match="as in 5000"):
            Amount.of(text)
    assert Amount.of("off") is None and Amount.of("ALL") == Amount(None, None, False)
    assert CliRunner().invoke(main, ["check", "kvm-vcpu-switch", "--audit", "some"]).exit_code == 2


def test_it_takes_its_share_of_the_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("flushproof.auditing.time.monotonic", lambda: clock[0])
    auditor = Auditor(Switch, instantiate(Switch, "always"), "always", {}, DEFAULT)
    assert auditor._left() == 0.5
    clock[0] += 50
    assert auditor._left() == pytest.approx(5.0)
    auditor.spent = 4.0
    assert auditor._left() == pytest.approx(0.6)  # a tenth of the 46 seconds that were not the audit's, less what it took
    auditor.spent = 5.0
    assert auditor._left() == 0


@pytest.mark.parametrize(("left", "by_z3"), [(auditing.Z3_BYTES - 1, False), (auditing.Z3_BYTES, True)])
def test_it_takes_no_memory_that_the_limit_does_not_leave(
    left: int, by_z3: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "SECONDS", 1000.0)  # there is time enough
    monkeypatch.setattr(auditing, "resident", lambda: (1 << 40) - left)
    found = check(Switch, "always", limits=Limits(memory_bytes=1 << 40)).audit
    assert found is not None and found.again is not None and found.again.states > 0
    assert (found.by_z3 > 0) == by_z3
    assert (auditing.NO_ROOM in audit_text(found)) != by_z3


def test_where_the_limit_leaves_nothing_the_last_walk_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[float] = []
    monkeypatch.setattr(Auditor, "walk", lambda self, share=0.5: walks.append(share))
    instance = instantiate(Switch, "always")
    for left, more in ((auditing.WALK_BYTES, [1.0]), (auditing.WALK_BYTES - 1, [])):
        monkeypatch.setattr(auditing, "resident", lambda left=left: 1000 - left)
        auditor = Auditor(Switch, instance, "always", {}, DEFAULT, 1000)
        auditor._agreement = Agreement(Switch, instance, auditor.knobs)
        auditor._agreement.walked.steps = 1
        auditor.done()
        assert walks == more
        walks.clear()


def test_one_disagreement_among_many_leaves_the_others_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    walk = Auditor.walk

    def one_differs(self: Auditor, share: float = 0.5) -> None:
        if self.policy == "both":
            raise AuditError("kvm-vcpu-switch is read in two ways that differ")
        walk(self, share)

    monkeypatch.setattr(Auditor, "walk", one_differs)
    done = CliRunner().invoke(main, ["check", "kvm-vcpu-switch", "--all", "--jobs", "1"])
    assert done.exit_code == 70, done.output
    assert "kvm-vcpu-switch both" in done.stderr and "INTERNAL ERROR, no verdict" in done.stderr
    assert "last-ran" in done.stdout and " could not be checked." in done.stdout


@pytest.mark.parametrize("error", [AuditError, CertificateError])
def test_one_disagreement_among_many_proofs_is_told(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    prove = proving.run

    def one_differs(request: proving.ProofRequest) -> proving.ProofResult:
        if request.policy == "both":
            raise error("read in two ways that differ")
        return prove(request)

    monkeypatch.setattr(proving, "run", one_differs)
    cls = load_system("kvm-vcpu-switch")
    requests = [proving.ProofRequest(cls, policy, by="bounded", depth=0) for policy in ("both", "last-ran")]
    differs, other = proving.run_all(requests)
    assert isinstance(differs, NoVerdict) and differs.internal and "no verdict" in str(differs)
    assert isinstance(other, proving.ProofResult)
