"""The TLB: what it may hold, and that holding all of it at once is exact."""

from typing import Optional

import pytest
from flushproof.model.hardware import Cpu, Page, Tlb, Vm
from flushproof.model.language.declare import Knob, Map, System, action, invariant, reachable, require
from flushproof.model.language.instantiate import instantiate
from flushproof.search.reference.interpreter import Reference

from .explored import contents, states, violated


class Walks(System):
    """VMs come and go on CPUs.  Each maps one page, or none, and may be flushed where it does not run."""

    flush_on_entry = Knob(bool, False, "empty the TLB before a VM enters")

    live: Map[Cpu, Optional[Vm]]
    maps: Map[Vm, Optional[Page]]

    def walkable(self, cpu, vm, page):
        return self.live[cpu] == vm and self.maps[vm] == page

    tlb = Tlb(tag=(Vm,), holds=(Page,), walk=walkable)

    @action
    def enter(self, cpu: Cpu, vm: Vm):
        require(self.live[cpu] is None)
        if self.flush_on_entry:
            self.tlb.drop_all(cpu)
        self.live[cpu] = vm

    @action
    def leave(self, cpu: Cpu):
        require(self.live[cpu] is not None)
        self.live[cpu] = None

    @action
    def remap(self, vm: Vm, page: Optional[Page]):
        require(self.maps[vm] != page)
        self.maps[vm] = page

    @action
    def flush(self, cpu: Cpu, vm: Vm):
        require(self.live[cpu] != vm)
        self.tlb.drop_tagged(cpu, vm)

    @invariant(because="{cpu} runs and holds an entry of {vm}, which does not run there")
    def holds_the_live_vm_alone(self):
        return all(
            self.live[cpu] == vm or self.live[cpu] is None or not self.tlb.entry[cpu, vm, page]
            for cpu in Cpu
            for vm in Vm
            for page in Page
        )

    @invariant(because="{cpu} holds an entry for {page}, which {vm} does not map")
    def holds_what_is_mapped(self):
        return all(
            self.maps[vm] == page or not self.tlb.entry[cpu, vm, page] for cpu in Cpu for vm in Vm for page in Page
        )

    @reachable
    def two_pages_under_one_tag(self):
        return any(
            self.tlb.entry[cpu, vm, a] and self.tlb.entry[cpu, vm, b] and a != b
            for cpu in Cpu
            for vm in Vm
            for a in Page
            for b in Page
        )


@pytest.mark.parametrize("fill", ["eager", "lazy", "literal"])
def test_entries_outlive_what_they_were_made_of(fill: str) -> None:
    assert violated(Walks, {"tlb.fill": fill}, cpu=1) == {"holds-the-live-vm-alone", "holds-what-is-mapped"}


@pytest.mark.parametrize("fill", ["eager", "lazy", "literal"])
def test_a_flush_on_entry_leaves_one_vm(fill: str) -> None:
    assert violated(Walks, {"tlb.fill": fill, "flush_on_entry": True}, cpu=1) == {"holds-what-is-mapped"}


@pytest.mark.parametrize("flush", [False, True])
def test_eager_holds_exactly_what_a_literal_tlb_may_hold(flush: bool) -> None:
    found = {
        fill: contents(instantiate(Walks, None, {"tlb.fill": fill, "flush_on_entry": flush}, {"cpu": 1}), "tlb.entry")
        for fill in ("eager", "lazy", "literal")
    }
    assert found["eager"] == found["lazy"] == found["literal"]
    assert len(found["eager"]) > 20


def test_a_flush_spares_other_tags_and_other_cpus() -> None:
    """Dropping one tag on one CPU changes nothing else."""
    instance = instantiate(Walks, None, {"tlb.fill": "lazy"}, {"page": 1})
    reference = Reference(instance)
    flushes = 0
    for before in states(instance):
        for taken, codes, after in reference.successors(before):
            if taken.name == "flush":
                cpu, vm = codes
                kept = {instance.slot("tlb.entry", (cpu, vm, 0))}
                assert all(after[i] == before[i] for i in range(len(before)) if i not in kept)
                assert all(after[i] == 0 for i in kept)
                flushes += before != after
    assert flushes
