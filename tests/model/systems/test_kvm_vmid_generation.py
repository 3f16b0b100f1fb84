"""VMID rollover: each version's race, and what each ingredient of the fixed one is for."""

import pytest
from flushproof.model.language.declare import Expect
from flushproof.model.language.instantiate import instantiate
from flushproof.model.systems.kvm_vmid_generation import VmidGeneration
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine
from flushproof.search.outcome import Outcome

from flushproof.proving import prove
from tests.model.hardware.explored import contents
from tests.model.language.agree import agreed

from .verdicts import Cell, cells, found, verdict

SMALL = {"cpu": 2, "vmid": 2}
TWO_VMIDS, SHARED, FOREIGN, ZERO = "one-vmid-per-vm", "no-shared-vmid", "no-foreign-hit", "vmid0-never-live"


COUNTED = {2: (34278, 110487, 108), 3: (49327, 161347, 138)}


@pytest.mark.parametrize("cell", [c for c in cells(VmidGeneration) if str(c) not in ("fixed", "fixed vmid=2")], ids=str)
def test_promised_verdict(cell: Cell) -> None:
    assert verdict(found(VmidGeneration, cell)) == cell.expect.verdict


@pytest.mark.parametrize("vmids", COUNTED)
def test_fixed_holds_on_three_cpus(vmids: int) -> None:
    """Two VMs and three vcpus, distributed in any way, any number of rollovers."""
    outcome = found(VmidGeneration, Cell("fixed", Expect("holds")), sizes={"cpu": 3, "vm": 2, "vcpu": 3, "vmid": vmids})
    assert verdict(outcome) == "holds"
    assert (outcome.states, outcome.transitions, outcome.depth) == COUNTED[vmids]


@pytest.mark.parametrize("fill", ["lazy", "literal"])
@pytest.mark.parametrize("cell", [c for c in cells(VmidGeneration) if "cpu" not in c.expect.sizes], ids=str)
def test_the_literal_tlb_agrees(cell: Cell, fill: str) -> None:
    sizes = {"cpu": 2, "vmid": cell.expect.sizes.get("vmid", 3 if cell.policy == "thread" else 2)}
    eager = found(VmidGeneration, cell, sizes=sizes)
    assert verdict(found(VmidGeneration, cell, {"tlb.fill": fill}, sizes)) == verdict(eager) == cell.expect.verdict


def test_the_eager_tlb_is_exact() -> None:
    """With each state of the software, the same entries may be there."""
    sizes = {"cpu": 2, "vm": 2, "vcpu": 2, "vmid": 2}
    eager, literal = (
        contents(instantiate(VmidGeneration, "fixed", {"tlb.fill": fill, "churn": "off"}, sizes), "tlb.entry")
        for fill in ("eager", "literal")
    )
    assert eager == literal


def test_without_any_flush_a_dead_vms_entries_are_hit() -> None:
    """The number of a VM that is gone is handed out again after the rollover, and its entries are still there."""
    instance = instantiate(VmidGeneration, "fixed", {"unmap_flushes": "off", "flush": "none"}, {**SMALL, "vm": 1})
    outcome = explore(instance, properties=[FOREIGN], engine=NativeEngine())
    assert outcome.trace is not None and outcome.trace.steps[-1].action == "orphan_hit"


@pytest.mark.parametrize("policy", VmidGeneration.policies)
def test_symmetry_changes_no_verdict(policy: str) -> None:
    cell = Cell(policy, Expect(VmidGeneration.policies[policy].expect))
    sizes = {"cpu": 2, "vcpu": 2, "vmid": 2}
    plain = found(VmidGeneration, cell, {"churn": "off"}, sizes, symmetry=False)
    orbits = found(VmidGeneration, cell, {"churn": "off"}, sizes)
    assert plain.property == orbits.property
    assert orbits.states < plain.states


def test_python_and_the_ir_agree() -> None:
    assert agreed(VmidGeneration, "fixed", {"Cpu": 2, "Vm": 2, "Vcpu": 2, "Vmid": 2})


# ---------------------------------------------------------------------------------------------------------------- traces


def steps(outcome: Outcome, *words: str) -> list[tuple[str, int]]:
    """The steps whose names contain one of the words: which word, on which CPU."""
    assert outcome.trace is not None
    return [(word, s.binding["cpu"]) for s in outcome.trace.steps for word in words if word in s.action]


def test_the_threads_interleaving() -> None:
    """A VM with two vcpus is under way on two CPUs when a third CPU rolls over for another VM and takes the first number.  Both
    have seen that they need a new one.  The second takes the next number and enters the guest; the first, late, takes one more."""
    outcome = found(VmidGeneration, Cell("thread", Expect(TWO_VMIDS)))
    (_, roller), *more = steps(outcome, "kvm_vmid_gen++")
    assert not more
    stores = [cpu for _, cpu in steps(outcome, "stores vttbr")]
    assert stores[0] == roller and len(set(stores)) == 3
    _, early, late = stores
    order = steps(outcome, "stores vttbr", "enters the guest", "takes kvm_vmid_lock")
    assert (
        order.index(("enters the guest", early))
        < order.index(("stores vttbr", late))
        < order.index(("enters the guest", late))
    )
    assert outcome.trace is not None
    numbers = [s.binding["number"] for s in outcome.trace.steps if "stores vttbr" in s.action]
    assert len(set(numbers)) == 3
    loads = {s.binding["cpu"]: s.binding["vcpu"] for s in outcome.trace.steps if "vcpu_load" in s.action}
    vm_of = [
        outcome.trace.initial[outcome.trace.instance.slot("vm_of", (loads[cpu],))] for cpu in (roller, early, late)
    ]
    assert vm_of[1] == vm_of[2] != vm_of[0]


def test_a_generation_stored_first_lets_an_old_number_in() -> None:
    """One vcpu enters with its VM's old number between the two stores of another, and the old number is someone else's now."""
    outcome = found(VmidGeneration, Cell("merged", Expect(SHARED)))
    order = steps(outcome, "stores vmid_gen", "stores vttbr", "enters the guest")
    writer = [cpu for word, cpu in order if word == "stores vmid_gen"][-1]
    assert ("stores vttbr", writer) not in order
    between = order[order.index(("stores vmid_gen", writer)) + 1 :]
    assert [word for word, _ in between].count("enters the guest") >= 1


def test_a_new_vm_may_enter_without_any_number() -> None:
    """Before v4.17 a VM's second vcpu may find the generation stored, and no VTTBR yet; under the read lock it waits."""
    merged, later = (
        found(VmidGeneration, Cell(policy, Expect(ZERO)), {"publish": "generation-first"}, SMALL)
        for policy in ("merged", "v4.17")
    )
    assert ZERO in {v.property for v in merged.violations}
    assert ZERO not in {v.property for v in later.violations}


# ------------------------------------------------------------------------------------------------------------ ingredients


BROKEN = {
    "recheck_locked=off": {TWO_VMIDS},
    "recheck_entry=off": {TWO_VMIDS, SHARED, FOREIGN},
    "publish=generation-first": {TWO_VMIDS, SHARED, FOREIGN, ZERO},
    "call=none": {TWO_VMIDS, SHARED, FOREIGN},
    "wait_for_call=off": {TWO_VMIDS, SHARED, FOREIGN},
    "flush=none": {FOREIGN},
    "flush=local": {FOREIGN},
    "wait_for_flush=off": {FOREIGN},
    "stale_context=on": {FOREIGN},
    "loads=vttbr-early": {TWO_VMIDS, SHARED, FOREIGN},
    "call=flush flush=none wait_for_call=off": {TWO_VMIDS, SHARED, FOREIGN},
}


def setting(text: str) -> dict[str, str]:
    return dict(item.split("=") for item in text.split())


@pytest.mark.parametrize(("changed", "property"), [(c, p) for c, ps in BROKEN.items() for p in sorted(ps)])
def test_each_ingredient_is_needed(changed: str, property: str) -> None:
    outcome = found(VmidGeneration, Cell("fixed", Expect(property, setting(changed))), sizes=SMALL)
    assert property in {v.property for v in outcome.violations}


@pytest.mark.parametrize("changed", ["recheck_locked=off", "flush=none", "flush=local"])
def test_an_ingredient_is_for_nothing_else(changed: str) -> None:
    instance = instantiate(VmidGeneration, "fixed", setting(changed), SMALL)
    others = {TWO_VMIDS, SHARED, FOREIGN, ZERO} - BROKEN[changed]
    assert explore(instance, properties=sorted(others)).verdict == "holds"


@pytest.mark.parametrize(
    "changed",
    [
        "locked_check=on",
        "call=flush flush=none",
        "call=flush",
        "start=boot",
        "churn=off vm=3",
        "loads=generations-swapped",
        "unmap_flushes=off",
        "vttbr_twice=on",
    ],
)
def test_another_way_holds_too(changed: str) -> None:
    """The read lock is not needed but does no harm; each CPU may flush for itself in the IPI, as in 2012; what a dead VM leaves
    is under a number that nobody gets before the next rollover."""
    knobs = {k: v for k, v in setting(changed).items() if not v.isdigit()}
    sizes = {k: int(v) for k, v in setting(changed).items() if v.isdigit()}
    assert verdict(found(VmidGeneration, Cell("fixed", Expect("holds", knobs)), sizes={**SMALL, **sizes})) == "holds"


# ----------------------------------------------------------------------------------------------------------------- proofs


@pytest.mark.parametrize("changed", ["", "unmap_flushes=off", "loads=generations-swapped", "vttbr_twice=on"])
def test_fixed_is_proved_for_any_size(changed: str) -> None:
    proved = prove(VmidGeneration, "fixed", knobs=setting(changed), sizes=SMALL)
    assert (proved.verdict, proved.kind, proved.wrong_lemmas) == ("holds", "any-size", ())


@pytest.mark.parametrize("policy", ["thread", "merged", "v4.17"])
def test_what_is_broken_is_not_proved(policy: str) -> None:
    assert prove(VmidGeneration, policy).verdict == "violated"
