"""From vcpu_load to vcpu_put: with which number a guest runs, and what is left of it in VTTBR_EL2."""

from typing import Optional

import pytest
from flushproof.model.hardware import STALE_CONTEXT, Cpu, Invalidations, Tlb, Vm, Vmid
from flushproof.model.hardware.hotplug import Hotplug
from flushproof.model.hardware.kvm_run_loop import Restore, RunLoop, Update, Vttbr
from flushproof.model.hardware.vmid_tlbs import VmidRules
from flushproof.model.hardware.vmid_words import VmidWords
from flushproof.model.language.declare import Knob, Map, System, action, at, choose, invariant, reachable

from .explored import named, violated


class Host(RunLoop, System):
    """A VM with two vcpus: the first update gives it a number, which it keeps."""

    sizes = {Cpu: 2, Vm: 1, Vmid: 1}

    update = Knob(Update, Update.AT_LOAD, "when kvm_arm_vmid_update is called")
    vttbr = Knob(Vttbr, Vttbr.AT_LOAD, "when VTTBR_EL2 is written")
    restore = Knob(Restore, Restore.NEVER, "when VTTBR_EL2 is replaced by the host's")
    stage2_flush = Knob(bool, True, "the host flushes stage 2")
    epd = Knob(bool, False, "nothing is walked in the flush")
    hotplug = Knob(Hotplug, Hotplug.KEPT, "CPUs go offline")
    late_walks = Knob(bool, False, "walks go on until a DSB waits for them")
    put_barrier = Knob(bool, False, "such a DSB in vcpu_put")
    stale_context = STALE_CONTEXT

    loaded: Map[Cpu, Optional[Vm]]
    vttbr_vm: Map[Cpu, Optional[Vm]]
    vttbr_vmid: Map[Cpu, Optional[Vmid]]
    in_guest: Map[Cpu, bool]
    flushing: Map[Cpu, bool]
    offline: Map[Cpu, bool]
    active: Map[Cpu, bool]

    id = VmidWords(Vm)
    tlb = Tlb(tag=(Vmid,), holds=(Vm,), by=(Vm,), walk=RunLoop.walkable)
    orphans = Tlb(tag=(Vmid,), holds=(), walk=RunLoop.walkable_orphan)
    tlbi = Invalidations(perform=RunLoop.flush_guests)

    def kvm_arm_vmid_update(self, cpu):
        yield "update"
        vm = self.loaded[cpu]
        changed = self.id.number[vm] is None
        if changed:
            self.id.number[vm] = choose(Vmid)
        self.active[cpu] = True
        return changed

    def kvm_arm_vmid_clear_active(self, cpu):
        self.active[cpu] = False

    @action
    def goes_offline(self, cpu: Cpu):
        self.go_offline(cpu, stopped=all(at(self.vcpu_thread, c, "vcpu_load") and not self.flushing[c] for c in Cpu))

    @action
    def comes_online(self, cpu: Cpu):
        self.come_online(cpu)

    vmid0_never_live = VmidRules.vmid0_never_live

    @invariant(because="{cpu} runs a guest whose number is not active, or keeps one active without a vcpu")
    def the_active_number_is_that_of_the_guest(self):
        return all(
            (self.active[cpu] or not self.in_guest[cpu]) and (self.loaded[cpu] is not None or not self.active[cpu])
            for cpu in Cpu
        )

    @invariant(because="{cpu} is offline, and yet runs a vcpu or flushes")
    def who_is_offline_does_nothing(self):
        return all(self.loaded[cpu] is None and not self.flushing[cpu] for cpu in Cpu if self.offline[cpu])

    @invariant(because="{cpu} has the VM's tables in VTTBR_EL2, for nobody")
    def nothing_is_left_in_vttbr(self):
        return all(
            self.vttbr_vm[cpu] is None for cpu in Cpu if self.loaded[cpu] is None and not self.flushing[cpu]
        )

    @reachable
    def one_runs_while_the_other_flushes(self):
        return any(self.in_guest[a] and self.flushing[b] for a in Cpu for b in Cpu)


ZERO, LEFT = "vmid0-never-live", "nothing-is-left-in-vttbr"


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, set()),
        ({"update": Update.EACH_RUN}, {ZERO}),
        ({"update": Update.EACH_RUN, "vttbr": Vttbr.AT_RUN}, set()),
        ({"stale_context": True}, {LEFT}),
        ({"stale_context": True, "restore": Restore.AT_PUT}, set()),
        ({"stale_context": True, "vttbr": Vttbr.AT_RUN, "restore": Restore.AT_EXIT}, set()),
        ({"stage2_flush": False}, {"one-runs-while-the-other-flushes"}),
    ],
    ids=named,
)
def test_each_version(knobs: dict[str, object], expected: set[str]) -> None:
    assert violated(Host, knobs) == expected
