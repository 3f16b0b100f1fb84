"""A small system written directly in the intermediate representation, and a trace through it, for tests of the reports."""

from __future__ import annotations

from flushproof.model.ir import (
    BOOL,
    TRUE,
    Action,
    Clause,
    Lit,
    OptionSort,
    Property,
    Read,
    Scalarset,
    StateVar,
    System,
    Update,
    Var,
    View,
)
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.terms import and_, eq, implies, is_none, not_, some
from flushproof.model.ir.trace import Step, Trace

CPU, VCPU, VMID = Scalarset("Cpu"), Scalarset("Vcpu"), Scalarset("Vmid", first=1)
cpu, vcpu, owner, vmid = Var("cpu", CPU), Var("vcpu", VCPU), Var("owner", VCPU), Var("vmid", VMID)
RUNNING = Read("running", (cpu,), OptionSort(VCPU))
ENTRY = Read("tlb.entry", (cpu, vmid, owner), BOOL)

LOAD = Action(
    "load",
    (cpu, vcpu, vmid),
    is_none(RUNNING),
    (
        Update("running", (), (cpu,), TRUE, some(vcpu)),
        Update("tlb.entry", (), (cpu, vmid, vcpu), TRUE, TRUE),
    ),
    cpu=cpu,
    doc="{vcpu} is loaded with {vmid}, and the walker fills its TLB entry at once",
)
PUT = Action(
    "put", (cpu,), not_(is_none(RUNNING)), (Update("running", (), (cpu,), TRUE, Lit(None, OptionSort(VCPU))),), cpu=cpu
)
RENUMBER = Action("renumber", (vmid,), TRUE, (), doc="the administrator looks at {vmid}")
NO_FOREIGN_HIT = Property(
    "no-foreign-hit",
    (
        Clause(
            (cpu, vcpu, vmid, owner),
            and_(eq(RUNNING, some(vcpu)), ENTRY),
            implies(TRUE, eq(vcpu, owner)),
            event="hit",
            doc="{vcpu} hits under {vmid}",
            cpu=cpu,
            message="{vcpu} on {cpu} hits an entry tagged {vmid} that {owner} created: its own tables say something else.",
        ),
    ),
)


def system() -> System:
    """Two vcpus that share a CPU, with no flush at all."""
    return System(
        name="handmade",
        title="Handmade",
        doc="Two vcpus share a TLB.",
        sorts=(CPU, VCPU, VMID),
        sizes={"Cpu": 2, "Vcpu": 2, "Vmid": 1},
        variables=(
            StateVar("running", (CPU,), OptionSort(VCPU)),
            StateVar("tlb.entry", (CPU, VMID, VCPU), BOOL, view=View("cache", "TLB", tag=1, by=(2,))),
        ),
        init=Action("initially", (), TRUE, ()),
        actions=(LOAD, PUT, RENUMBER),
        properties=(NO_FOREIGN_HIT,),
    )


def instance(**sizes: int) -> Instance:
    made = system()
    return Instance(made, {**made.sizes, **sizes}, {"flush": "none", "fb": "on"}, "none")


def trace(made: Instance | None = None) -> Trace:
    """Load, put, load the other, hit."""
    made = made or instance()
    states = [tuple([0] * len(made.slots))]

    def after(**writes: int) -> State:
        state = list(states[-1])
        for key, value in writes.items():
            state[int(key[1:])] = value
        states.append(tuple(state))
        return states[-1]

    entry = [made.slot("tlb.entry", (0, 0, i)) for i in (0, 1)]
    steps = (
        Step("load", {"cpu": 0, "vcpu": 0, "vmid": 0}, after(s0=1, **{f"s{entry[0]}": 1})),
        Step("put", {"cpu": 0}, after(s0=0)),
        Step("renumber", {"vmid": 0}, after()),
        Step("load", {"cpu": 0, "vcpu": 1, "vmid": 0}, after(s0=2, **{f"s{entry[1]}": 1})),
        Step("hit", {"cpu": 0, "vcpu": 1, "vmid": 0, "owner": 0}, after(), event=True),
    )
    return Trace(made, states[0], steps, "no-foreign-hit", 0, {"cpu": 0, "vcpu": 1, "vmid": 0, "owner": 0})
