"""VMID rollover with a generation number (KVM/ARM, 2012 to 2022).

TLB entries of a guest carry the VMID of its VM, and VMIDs are few (255 at first).  When all are handed out, a new *generation*
begins: everyone is forced out of the guest, all guest entries are flushed, and numbers are handed out afresh.  A VM whose
generation is not the current one must get a new number before it runs again.  The check for that is made without a lock on the
way into the guest, and each version of this code has had a race around it.

What is modelled
    On each CPU the host's thread of any vcpu: update_vttbr (check; under the lock perhaps check again; at the end of the numbers
    raise the generation, call the other CPUs and wait for them, flush; take a number; publish number and generation), then
    local_irq_disable, perhaps another check, enter the guest with the VM's VTTBR of that moment, exit.  Each access to
    kvm_vmid_gen, vmid_gen and vttbr that another CPU can see is a step of its own, IPIs are acknowledged CPU by CPU where
    interrupts are on, and a TLBI is performed CPU by CPU before the DSB behind it ends.  `kvm->arch.vmid` is used under the lock
    only, so `vttbr`, which holds the same number, stands for both.  VTTBR_EL2 is written at each entry and exit.
    VMs are destroyed and created (`churn`), so that there is no end of rollovers; the generation is never bounded.
    Numbers are handed out in any order.  The real counter's order is one of these, so what holds here holds there.  A shortest
    violation here has at most one rollover before its numbers matter, and then renaming the VMIDs makes it the counter's order.
    Weak memory order, as far as the code leaves an order open: `publish` says in which order others see the two stores, which
    smp_wmb makes the program's order, and `loads` in which order the way in makes its three loads.  smp_rmb lies between those of
    the two generations, and nothing orders that of vmid_gen before that of vttbr.
What is left out
    Other orders of loads and stores: the lock and the IPIs are fully ordered.  Preemption inside update_vttbr (a preempted thread
    is like one on a slow CPU).  Guest page tables: an entry stands for any entry of its VM.  So `no-stale-hit` and `transparent`
    have no meaning of their own here, and `no-foreign-hit` is about VMs instead of vcpus.  Unmapping the stage 2 of a VM that is
    destroyed is one step with its flush (`unmap_flushes`); without it, the entries stay behind as `orphans`.

What the verdicts mean
    one-vmid-per-vm: vcpus of one VM never run at once under different VMIDs; if they did, an invalidation by one would miss the
    other's entries.  no-shared-vmid: two VMs never run at once under one VMID.  no-foreign-hit: no VM hits another VM's entry.
    vmid0-never-live: no guest runs with the host's VMID.
    `fixed` holds by three orders: that of its stores (smp_wmb, `publish`), that vttbr is loaded behind vmid_gen, which no barrier
    of the code asks for, and on nVHE the exception to EL2 gives (`loads=vttbr-early` breaks it), and that a TLBI is over before
    a number is handed out (DSB).  It needs no order of the loads of the two generations (`loads=generations-swapped` holds):
    smp_rmb there, paired with smp_wmb, orders the generation before whatever is loaded later, vttbr too.
    `stale_context=on` asks what if VTTBR_EL2 stayed the guest's behind an exit, and was walked.  Without VHE it does not stay: each
    exit writes 0 there (__deactivate_vm, today __load_host_stage2), with interrupts off, so before the IPI of a rollover is
    taken.  With VHE it stays since v4.17, behind HCR_EL2.TGE: so the question is about `v4.17` and `fixed` with VHE alone.

Sources: linux-arm-kernel, 30 November 2012, "[PATCH v4 08/14] KVM: ARM: World-switch implementation" (`thread`); arch/arm/kvm/arm.c
of v3.9 (`merged`); commits f0cf47d939d0 (`v4.17`) and fb544d1ca65a (`fixed`); Arm ARM DDI 0487, chapter D8 (VMID, TLBI ALLE1IS).
"""

import enum
from typing import Annotated, Optional

from flushproof.model.hardware import (
    STALE_CONTEXT,
    Cpu,
    CrossCalls,
    Execution,
    Invalidations,
    Lock,
    Scope,
    Tlb,
    Vcpu,
    Vcpus,
    Vm,
    Vmid,
)
from flushproof.model.hardware.costs import BC_TAG, DSB_WAIT, LOCAL_ALL, OF_ALL, count_invalidation
from flushproof.model.hardware.events import NEW_VM, ROLLOVER
from flushproof.model.hardware.vmid_tlbs import VmidRules, VmidTlbs
from flushproof.model.language.declare import (
    Counter,
    Expect,
    Knob,
    Map,
    OrderedEnum,
    Policy,
    Rigid,
    System,
    View,
    action,
    choose,
    cost,
    fresh,
    initially,
    invariant,
    occurs,
    process,
    reachable,
    require,
)


class Generation(Counter):
    """A generation of VMIDs; 0 is that of a VM which never had one."""


class Publish(OrderedEnum):
    """In which order update_vttbr stores the VM's new generation and its new VTTBR."""

    GENERATION_FIRST = 0
    GENERATION_LAST = 1


class Loads(enum.Enum):
    """In which order a check without the lock, and the entry behind it, load what others store without waiting for them.

    IN_ORDER: kvm_vmid_gen, vmid_gen, vttbr.  GENERATIONS_SWAPPED: vmid_gen first, as a CPU might without the smp_rmb between
    them.  VTTBR_EARLY: vttbr between them, as a CPU may even with it.
    """

    IN_ORDER = 0
    GENERATIONS_SWAPPED = 1
    VTTBR_EARLY = 2


class Call(OrderedEnum):
    """What the IPI at a rollover makes the other CPUs do, apart from exiting the guest."""

    NONE = 0
    EXIT = 1
    FLUSH = 2


class Start(enum.Enum):
    """What has happened before.

    THREAD: one VM has a number of the current generation, others have one vcpu and are new, and no number is left;
    BOOT: no VM ever had a number, and all are left.
    """

    THREAD = 0
    BOOT = 1


class VmidGeneration(VmidTlbs, System):
    """A VM gets a new VMID when its generation is over, and all its vcpus must agree on it, without a lock on the way in."""

    name = "kvm-vmid-generation"
    sizes = {Cpu: 3, Vm: 2, Vcpu: 3, Vmid: 3}

    locked_check = Knob(bool, False, "make the first check under the lock (its read side), rather than without", order="rising")
    recheck_locked = Knob(
        bool, True, "check again after taking the lock: another vcpu of the VM may have got a number meanwhile", order="rising"
    )
    recheck_entry = Knob(bool, True, "check again with interrupts off, right before the guest is entered", order="rising")
    publish = Knob(Publish, Publish.GENERATION_LAST, "whether others see the new generation before or after the new VTTBR")
    call = Knob(
        Call,
        Call.EXIT,
        "the IPI to the other CPUs at a rollover: none, one that makes them exit, or exit and flush",
        order="rising",
    )
    wait_for_call = Knob(bool, True, "wait until every other CPU has acknowledged the IPI", order="rising")
    flush = Knob(Scope, Scope.BROADCAST, "what TLBI ALLE1 at a rollover reaches: nothing, this CPU, or every CPU", order="rising")
    wait_for_flush = Knob(bool, True, "DSB behind that TLBI, before a number is handed out", order="rising")
    start = Knob(
        Start, Start.THREAD, "thread: at first all numbers are handed out, to VMs long gone but for one; boot: none is", toggle=True
    )
    churn = Knob(bool, True, "VMs are destroyed and others created, which is how numbers run out time and again", toggle=True)
    vttbr_twice = Knob(bool, False, "vttbr is stored without a VMID first, which is or-ed to it then (v3.9 to v3.16)")
    unmap_flushes = Knob(bool, True, "unmapping the stage 2 of a VM that is destroyed flushes its VMID", order="rising")
    loads = Knob(Loads, Loads.IN_ORDER, "in which order the way into the guest makes its loads", toggle=True)
    stale_context = STALE_CONTEXT

    vm_of: Rigid[Map[Vcpu, Vm]]
    kvm_vmid_gen: Generation
    handed_out: Annotated[Map[Vmid, bool], View("slots", "handed out")]
    vmid_gen: Annotated[Map[Vm, Generation], View("slots", "vmid_gen")]
    vttbr: Annotated[Map[Vm, Optional[Vmid]], View("slots", "VMID")]
    in_guest: Annotated[Map[Cpu, bool], View("context", "in the guest")]
    live_vm: Annotated[Map[Cpu, Optional[Vm]], View("context", "VTTBR_EL2, tables of")]
    live_vmid: Annotated[Map[Cpu, Optional[Vmid]], View("context", "VTTBR_EL2, VMID")]

    def walkable(self, cpu, vmid, vm):
        """VTTBR_EL2 holds this VM's tables and this VMID, and EL1 is in context."""
        return self.in_context(cpu) and self.live_vm[cpu] == vm and self.live_vmid[cpu] == vmid

    def no_tables(self, cpu, vmid):
        """The tables of a VM that is gone are loaded nowhere."""
        return False

    def vm_in_vttbr(self, cpu):
        return self.live_vm[cpu]

    def vmid_in_vttbr(self, cpu):
        return self.live_vmid[cpu]

    def called(self, cpu, call):
        if call == Call.FLUSH:
            cost(LOCAL_ALL)
            self.flush_guests(cpu)

    vcpus = Vcpus()
    kvm_vmid_lock = Lock()
    cpus = Execution()
    calls = CrossCalls(cpus)
    tlb = Tlb(tag=(Vmid,), holds=(Vm,), by=(Vm,), walk=walkable)
    orphans = Tlb(tag=(Vmid,), holds=(), walk=no_tables, title="TLB entries of VMs that are gone")
    tlbi = Invalidations(perform=VmidTlbs.flush_guests)

    @initially
    def history(self):
        self.kvm_vmid_gen = fresh(Generation)
        if self.start == Start.THREAD:
            vm = choose(Vm)
            require(all(self.vm_of[a] == vm or self.vm_of[a] != self.vm_of[b] or a == b for a in Vcpu for b in Vcpu))
            self.vmid_gen[vm] = self.kvm_vmid_gen
            self.vttbr[vm] = choose(Vmid)
            self.handed_out[...] = True

    @action
    def vm_is_replaced(self, vm: Vm):
        """{vm} is destroyed, its stage 2 is unmapped, and another VM is created in its place"""
        require(self.churn and self.vttbr[vm] is not None)
        require(all(self.vcpus.loaded[cpu] != vcpu for cpu in Cpu for vcpu in Vcpu if self.vm_of[vcpu] == vm))
        require(all(self.live_vm[cpu] != vm for cpu in Cpu))
        occurs(NEW_VM)
        if self.unmap_flushes:
            cost(BC_TAG)
            for cpu in Cpu:
                self.tlb.drop_tagged(cpu, self.vttbr[vm])
                self.orphans.drop_tagged(cpu, self.vttbr[vm])
        else:
            for cpu in Cpu:
                self.leave_orphans(cpu, vm)
        self.vmid_gen[vm] = 0
        self.vttbr[vm] = None

    # --------------------------------------------------------------------------------------------------------- the run loop

    @process(Cpu)
    def vcpu_thread(self, cpu):
        """One turn of the run loop; the next one may be any vcpu's, so also the same one's."""
        yield "vcpu_load({vcpu}); need_new_vmid_gen"
        self.vcpus.load(cpu)
        yield from self.update_vttbr(cpu)
        early = None
        if self.recheck_entry and self.loads == Loads.GENERATIONS_SWAPPED:
            yield "local_irq_disable; reads vmid_gen"
            self.cpus.local_irq_disable(cpu)
            own_vmid_gen = self.vmid_gen[self.vm_on(cpu)]
            yield "compares it with kvm_vmid_gen again"
            stale = own_vmid_gen != self.kvm_vmid_gen
        elif self.recheck_entry:
            yield "local_irq_disable; reads kvm_vmid_gen"
            self.cpus.local_irq_disable(cpu)
            current_vmid_gen = self.kvm_vmid_gen
            if self.loads == Loads.VTTBR_EARLY:
                yield "loads vttbr, early"
                early = self.vttbr[self.vm_on(cpu)]
            yield "compares it with vmid_gen again"
            stale = self.vmid_gen[self.vm_on(cpu)] != current_vmid_gen
        else:
            yield "local_irq_disable"
            self.cpus.local_irq_disable(cpu)
            stale = False
        if not stale:
            yield from self.run(cpu, lambda: self.vmid_loaded(cpu, early))
        self.cpus.local_irq_enable(cpu)
        self.vcpus.put(cpu)

    def vmid_loaded(self, cpu, early):
        """What the CPU has loaded of vttbr early, or else loads now."""
        is_early = self.recheck_entry and self.loads == Loads.VTTBR_EARLY
        return early if is_early else self.vttbr[self.vm_on(cpu)]

    def enter_guest(self, cpu, vmid):
        self.live_vm[cpu] = self.vm_on(cpu)
        self.live_vmid[cpu] = vmid()
        super().enter_guest(cpu)

    def exit_guest(self, cpu):
        super().exit_guest(cpu)
        # Out of context, the registers matter only to a walker with the erratum; forget them otherwise.
        if not self.stale_context:
            self.live_vm[cpu] = None
            self.live_vmid[cpu] = None

    def vm_on(self, cpu):
        """The VM of the vcpu that this CPU runs."""
        return self.vm_of[self.vcpus.loaded[cpu]]

    # --------------------------------------------------------------------------------------------------------- update_vttbr

    def is_old(self, cpu):
        return self.vmid_gen[self.vm_on(cpu)] != self.kvm_vmid_gen

    def update_vttbr(self, cpu):
        if self.locked_check:
            self.kvm_vmid_lock.acquire_and_release()
            need = self.is_old(cpu)
        elif self.loads == Loads.GENERATIONS_SWAPPED:
            own_vmid_gen = self.vmid_gen[self.vm_on(cpu)]
            yield "compares it with kvm_vmid_gen"
            need = own_vmid_gen != self.kvm_vmid_gen
        else:
            current_vmid_gen = self.kvm_vmid_gen
            yield "compares it with vmid_gen"
            need = self.vmid_gen[self.vm_on(cpu)] != current_vmid_gen
        if need:
            if self.recheck_locked:
                yield "takes kvm_vmid_lock; compares vmid_gen again"
            else:
                yield "takes kvm_vmid_lock"
            if self.recheck_locked and not self.is_old(cpu):
                self.kvm_vmid_lock.acquire_and_release()
            else:
                yield from self.new_vmid(cpu)

    def new_vmid(self, cpu):
        with self.kvm_vmid_lock(cpu):
            if all(self.handed_out[number] for number in Vmid):
                yield from self.roll_over(cpu)
            if self.publish == Publish.GENERATION_FIRST:
                yield "stores vmid_gen"
                self.vmid_gen[self.vm_on(cpu)] = self.kvm_vmid_gen
            if self.vttbr_twice:
                yield "stores vttbr without a VMID"
                self.vttbr[self.vm_on(cpu)] = None
            if self.publish == Publish.GENERATION_FIRST:
                yield "stores vttbr; releases kvm_vmid_lock"
                self.take_number(cpu)
            else:
                yield "stores vttbr"
                self.take_number(cpu)
                yield "stores vmid_gen; releases kvm_vmid_lock"
                self.vmid_gen[self.vm_on(cpu)] = self.kvm_vmid_gen

    def take_number(self, cpu):
        number = choose(Vmid, where=lambda n: not self.handed_out[n])
        self.handed_out[number] = True
        self.vttbr[self.vm_on(cpu)] = number

    def roll_over(self, cpu):
        yield "kvm_vmid_gen++; calls the other CPUs"
        occurs(ROLLOVER)
        self.kvm_vmid_gen = fresh(Generation)
        self.handed_out[...] = False
        if self.call != Call.NONE:
            self.calls.call(cpu)
        self.called(cpu, self.call)
        if self.wait_for_call:
            yield "the other CPUs have acknowledged"
            self.calls.wait(cpu)
        if self.flush != Scope.NONE:
            if self.flush == Scope.LOCAL:
                yield "TLBI ALLE1"
            else:
                yield "TLBI ALLE1IS"
            count_invalidation(self.flush, OF_ALL)
            self.tlbi.issue(cpu, self.flush)
            if self.wait_for_flush:
                yield "DSB ISH"
                cost(DSB_WAIT)
                self.tlbi.barrier(cpu)

    @action
    def takes_ipi(self, cpu: Cpu, caller: Cpu):
        """{cpu} takes the IPI of {caller} ({call}) and acknowledges it"""
        call = self.call
        with self.calls(cpu, caller):
            self.called(cpu, call)

    # ----------------------------------------------------------------------------------------------------------- properties

    @invariant(
        because="{a} and {b} run vcpus of one VM at once under different VMIDs: an invalidation by one misses the other's entries."
    )
    def one_vmid_per_vm(self):
        return all(
            self.live_vmid[a] == self.live_vmid[b]
            for a in Cpu
            for b in Cpu
            if self.in_guest[a] and self.in_guest[b] and self.live_vm[a] == self.live_vm[b]
        )

    no_shared_vmid = VmidRules.no_shared_vmid
    vmid0_never_live = VmidRules.vmid0_never_live
    tlb_hit = VmidRules.tlb_hit
    orphan_hit = VmidRules.orphan_hit

    @reachable
    def a_second_rollover(self):
        """Two VMs have numbers of different past generations."""
        return any(
            self.vmid_gen[a] < self.vmid_gen[b] < self.kvm_vmid_gen and self.vttbr[a] is not None
            for a in Vm
            for b in Vm
        )

    @reachable
    def a_rollover_finds_others_in_the_guest(self):
        """A guest runs on although its generation is over, because its CPU has not taken the IPI yet."""
        return any(
            self.in_guest[cpu] and self.live_vm[cpu] == vm and self.vmid_gen[vm] < self.kvm_vmid_gen
            for cpu in Cpu
            for vm in Vm
        )

    @reachable
    def two_vcpus_of_a_vm_run_at_once(self):
        """Two vcpus of one VM run at once, in a generation that is not the first."""
        return any(
            self.in_guest[a] and self.in_guest[b] and self.live_vm[a] == vm and self.live_vm[b] == vm and a != b
            for a in Cpu
            for b in Cpu
            for vm in Vm
        )

    an_entry_survives_a_switch = VmidRules.an_entry_survives_a_switch

    policies = {
        "thread": Policy(
            "the version under discussion in 2012: no second check under the lock; each CPU flushes for itself in the IPI",
            {"recheck_locked": False, "call": Call.FLUSH, "flush": Scope.NONE, "churn": False},
            "one-vmid-per-vm",
            also=(
                Expect("one-vmid-per-vm", {"start": Start.BOOT}),
                Expect("one-vmid-per-vm", sizes={"vmid": 2}),
                Expect("no-shared-vmid", {"recheck_entry": False}),
            ),
        ),
        "merged": Policy(
            "Linux v3.9: checked again under the lock, one broadcast flush; the generation is stored first, vttbr twice",
            {"publish": Publish.GENERATION_FIRST, "vttbr_twice": True},
            "no-shared-vmid",
            also=(Expect("one-vmid-per-vm"), Expect("vmid0-never-live"), Expect("no-shared-vmid", sizes={"vmid": 2})),
        ),
        "v4.17": Policy(
            "commit f0cf47d939d0: the first check is made under a reader-writer lock, the one before entry is not",
            {"publish": Publish.GENERATION_FIRST, "locked_check": True},
            "no-shared-vmid",
            also=(Expect("one-vmid-per-vm"),),
        ),
        "fixed": Policy(
            "commit fb544d1ca65a (v5.0): no lock, and the generation is stored last",
            {},
            "holds",
            also=(
                Expect("holds", sizes={"vmid": 2}),
                Expect("holds", {"start": Start.BOOT}, {"cpu": 2}),
                Expect("no-foreign-hit", {"stale_context": True}),
                Expect("holds", {"loads": Loads.GENERATIONS_SWAPPED}),
                Expect("one-vmid-per-vm", {"loads": Loads.VTTBR_EARLY}),
                Expect("vmid0-never-live", {"publish": Publish.GENERATION_FIRST}),
                Expect("no-foreign-hit", {"wait_for_flush": False}),
                Expect("holds", {"unmap_flushes": False}),
                Expect("holds", {"vttbr_twice": True}),
            ),
        ),
    }
