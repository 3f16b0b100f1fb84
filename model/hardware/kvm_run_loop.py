"""The threads of a KVM/arm64 host, as far as VTTBR_EL2 goes: the run loop of vcpus, and flushes of a VM's stage 2.

Follows arch/arm64/kvm: kvm_arch_vcpu_load, kvm_arch_vcpu_ioctl_run and kvm_arch_vcpu_put in arm.c, __kvm_vcpu_run in
hyp/vhe/switch.c and hyp/nvhe/switch.c, __kvm_tlb_flush_vmid_ipa in hyp/vhe/tlb.c and hyp/nvhe/tlb.c.  Versions differ in where
the VMID is updated and where VTTBR_EL2 is written.  A guest may be entered and left any number of times before its vcpu is put;
entry and exit are one step each.

This is a kind of system rather than a part of one: a system inherits it, and its state is its own.
"""

from flushproof.model.language.declare import OrderedEnum, at, choose, cost, occurs, process, require

from .costs import DSB_WAIT
from .events import UNMAP, VCPU_LOAD
from .hotplug import HotpluggedCpus
from .sorts import Cpu, Vm
from .stage2_context import Stage2Context


class Update(OrderedEnum):
    """When kvm_arm_vmid_update is called.

    EACH_RUN: in the run loop, each time before the guest is entered; AT_LOAD: in vcpu_load, before VTTBR is written.
    """

    EACH_RUN = 0
    AT_LOAD = 1


class Vttbr(OrderedEnum):
    """When VTTBR_EL2 is written.

    AT_LOAD: in vcpu_load, and again where the update changed the VMID (VHE since v6.7); AT_RUN: each time the guest is entered.
    """

    AT_LOAD = 0
    AT_RUN = 1


class Restore(OrderedEnum):
    """When VTTBR_EL2 is replaced by the host's: never (VHE), in vcpu_put before the marker is stored, at guest exit (nVHE)."""

    NEVER = 0
    AT_PUT = 1
    AT_EXIT = 2


class RunLoop(HotpluggedCpus, Stage2Context):
    """A system with the state `loaded`, the VM of the vcpu whose thread each CPU runs, and the knobs `update`, `vttbr`, `restore`,
    `stage2_flush`, `late_walks` and `put_barrier`.

    kvm_arm_vmid_update(cpu) is the steps that give the VM a VMID, and returns whether that is a new one;
    kvm_arm_vmid_clear_active(cpu) is what vcpu_put does to it.
    """

    @process(Cpu)
    def vcpu_thread(self, cpu):
        """From vcpu_load to vcpu_put, for any vcpu of any VM."""
        yield "vcpu_load"
        require(not self.flushing[cpu] and not self.offline[cpu])
        occurs(VCPU_LOAD)
        self.loaded[cpu] = choose(Vm)
        if self.vttbr == Vttbr.AT_LOAD and self.update == Update.EACH_RUN:
            self.load_stage2(cpu, self.loaded[cpu])
        stay = True
        while stay:
            updated = yield from self.kvm_arm_vmid_update(cpu)
            if self.vttbr == Vttbr.AT_LOAD and (updated or self.update == Update.AT_LOAD):
                yield "writes VTTBR"
                self.load_stage2(cpu, self.loaded[cpu])
            enter = True
            while enter:
                if self.vttbr == Vttbr.AT_RUN:
                    yield "writes VTTBR for this entry"
                    self.load_stage2(cpu, self.loaded[cpu])
                yield from self.run(cpu)
                stay = choose(bool)
                enter = stay and self.update == Update.AT_LOAD
        if self.restore == Restore.AT_PUT:
            yield "replaces VTTBR by the host's"
            self.forget_stage2(cpu)
        yield "vcpu_put"
        if self.put_barrier:
            cost(DSB_WAIT)
        self.loaded[cpu] = None
        self.kvm_arm_vmid_clear_active(cpu)
        if self.walks_end_late():
            yield "__switch_to: DSB ISH"
        # Out of context, VTTBR matters only to a walker with the erratum; forget it otherwise.
        if self.restore == Restore.NEVER and not self.stale_context:
            self.forget_stage2(cpu)

    def walks_end_late(self):
        """Whether a walk that began in the guest may be under way when the marker is stored; __kvm_vcpu_run waits without VHE."""
        return self.late_walks and self.restore == Restore.NEVER and not self.put_barrier

    def in_context(self, cpu):
        late = self.walks_end_late() and at(self.vcpu_thread, cpu, "vcpu_put", "__switch_to: DSB ISH")
        return super().in_context(cpu) or late

    def exit_guest(self, cpu):
        super().exit_guest(cpu)
        if self.restore == Restore.AT_EXIT:
            self.forget_stage2(cpu)

    @process(Cpu)
    def mmu_notifier(self, cpu):
        """A flush of a VM's stage 2, by a thread of the host that has no vcpu loaded."""
        yield "enter_vmid_context: loads the VM's VTTBR"
        require(self.stage2_flush and self.loaded[cpu] is None and not self.offline[cpu])
        occurs(UNMAP)
        self.enter_vmid_context(cpu, choose(Vm))
        yield "TLBI IPAS2E1IS, DSB, exit_vmid_context"
        self.exit_vmid_context(cpu)

    def enter_vmid_context(self, cpu, vm):
        self.load_stage2(cpu, vm)
        self.flushing[cpu] = True

    def exit_vmid_context(self, cpu):
        self.flushing[cpu] = False
        # With VHE, exit_vmid_context loads the VTTBR of the vcpu that is loaded: none is.
        if self.restore != Restore.NEVER or not self.stale_context:
            self.forget_stage2(cpu)
