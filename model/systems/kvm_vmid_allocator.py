"""The VMID allocator with active and reserved numbers (KVM/arm64, since 2022).

The generation allocator before it (`kvm-vmid-generation`) forced every guest out at a rollover.  This one, taken over from
arm64's ASID allocator, lets them run on.  Each CPU has an *active* slot with the VMID that it uses.  A rollover sweeps the slots:
what it finds there becomes the CPU's *reserved* VMID and keeps its number, and everything else is free again after one broadcast
flush.  A VM's VMID is one word, generation and number, and on the usual way into a guest it is checked without the lock: one
cmpxchg on the CPU's own slot decides whether the CPU or the rollover came first.

What is modelled
    arch/arm64/kvm/vmid.c and its callers (`kvm_run_loop`), on each CPU the thread of any vcpu: vcpu_load, kvm_arm_vmid_update,
    VTTBR_EL2 written, guest entered and left, vcpu_put.  Any number of rollovers, of vcpus, and of VMs: a VM that runs nowhere
    may be destroyed, and its place taken by a new one; entries of VMs that are gone (`orphans`) stay in the TLBs.  With
    `stage2_flush=on`, threads that have no vcpu loaded flush a VM's stage 2, with interrupts off from enter_vmid_context to
    exit_vmid_context.  With `hotplug`, a CPU goes offline, where no TLBI reaches it, and comes back: it goes in stop_machine, which
    no CPU joins that has interrupts off (cpu_vmid_lock, a flush of stage 2), and for which each puts the vcpu that it runs.
    Each access outside of the lock to a word that another CPU writes is a step of its own, and so is, under it, each write that
    others read without it; what else happens under the lock happens together with one of these.  The TLBI is performed CPU by CPU
    before its DSB ends.  Entry and exit are one step each.  Any clear number is handed out, and CPUs are swept in any order.
What is left out
    Weak memory order.  The slots are accessed by atomic operations on one word each, which are totally ordered; a stale read of
    vmid->id or the generation is one that was made earlier, and the cmpxchg finds out.  The I-cache flush that a VPIPT cache needs
    with the TLBI.  Page tables: an entry stands for any entry of its VM.  Preemption after the update and before the guest ran
    (the marker is then stored over the same slot without entries).  Nested and protected guests.

What the verdicts mean
    no-foreign-hit: no guest hits an entry of another VM, dead or alive.  no-shared-vmid: two VMs never run at once under one VMID.
    one-vmid-per-vm: vcpus of one VM never run at once under two.  vmid0-never-live: no guest runs under the host's VMID.
    a-vmid-is-free: after a rollover there is a number to hand out; if not, the kernel would hand out one that does not exist.
    `fixed` and `merged` rest on one assumption, `stale_context=off`: that the walker leaves a guest's tables alone once the guest
    is left.  Otherwise it refills, between exit and the next write of VTTBR, an entry under a number that the marker has released.
    With `restore=at-put` or `at-exit` (VTTBR replaced before the marker is stored) vcpus do not need the assumption, but the
    host's own flushes of stage 2 do (`stage2_flush=on`): they load VTTBR with a number of any generation that no slot holds.
    What covers those is `epd=on`, the workaround for speculative-AT errata in enter_vmid_context.
    Without any erratum, a walk that began in the guest may end later, until a DSB waits for it.  Without VHE that is in
    __kvm_vcpu_run; with VHE it is that of __switch_to, which comes behind the marker.  So `fixed` needs that the broadcast of a
    rollover, once complete, has ended such walks; `late_walks=on`, where it has not, breaks it.
    The broadcast of a rollover reaches CPUs that are online.  `hotplug=kept` breaks no-foreign-hit, `emptied` does not: KVM relies
    on the reset, or on firmware, to empty the TLB of guests' entries.

Sources: Linux commits f8051e960922, 3248136b3637, 417838392f2e, 100b4f092f87 (`merged`, v5.18), 38ce26bf2666, 4288ff7ba195,
5eba523e1e5e, 27cde4c0fe28, 934bf871f011 (`vmid0`, v6.7), fa808ed4e199 (`fixed`, v6.14); arm64's ASID allocator in
arch/arm64/mm/context.c and commit a8ffaaa060b8 (`xchg`); asidalloc.tla of kernel-tla (`tla-asidalloc`) and the branch
private-vmidalloc-v1 that followed it (`tla-vmidalloc`); Arm ARM DDI 0487, chapter D8.
"""

from typing import Annotated, Optional

from flushproof.model.hardware import STALE_CONTEXT, Cpu, Invalidations, Lock, Scope, Tlb, Vm, Vmid
from flushproof.model.hardware.costs import DSB_WAIT, LOCAL_ALL, OF_ALL, count_invalidation
from flushproof.model.hardware.events import NEW_VM, ROLLOVER
from flushproof.model.hardware.hotplug import Hotplug
from flushproof.model.hardware.kvm_run_loop import Restore, RunLoop, Update, Vttbr
from flushproof.model.hardware.vmid_tlbs import VmidRules
from flushproof.model.hardware.vmid_words import Generation, VmidWords
from flushproof.model.language.declare import (
    Expect,
    Knob,
    Map,
    OrderedEnum,
    Policy,
    System,
    View,
    action,
    at,
    choose,
    cost,
    fresh,
    initially,
    invariant,
    occurs,
    reachable,
    require,
)


class FastPath(OrderedEnum):
    """How the fast path puts the VM's id into the active slot: by a store, an exchange, or a compare and exchange."""

    STORE = 0
    XCHG = 1
    CMPXCHG = 2


class Copies(OrderedEnum):
    """Which of the reserved slots that hold a VM's id get its new generation (check_update_reserved_vmid)."""

    NONE = 0
    FIRST = 1
    ALL = 2


class Reserve(OrderedEnum):
    """Of what the sweep makes a CPU's reserved VMID: of its active slot, or, if that is 0, of what was reserved before."""

    NOTHING = 0
    ACTIVE = 1
    ACTIVE_OR_RESERVED = 2


class Keep(OrderedEnum):
    """When a VM keeps its number in a new generation, though no CPU has it reserved."""

    NEVER = 0
    IF_CLEAR = 1
    ALWAYS = 2


class VmidAllocator(RunLoop, System):
    """CPUs that run through a rollover keep their VMIDs, all others get a new one before they run, without a lock on the way in."""

    name = "kvm-vmid-allocator"
    sizes = {Cpu: 2, Vm: 2, Vmid: 2}

    update = Knob(Update, Update.AT_LOAD, "when kvm_arm_vmid_update is called")
    vttbr = Knob(Vttbr, Vttbr.AT_LOAD, "when VTTBR_EL2 is written")
    restore = Knob(Restore, Restore.NEVER, "when VTTBR_EL2 is replaced by the host's")
    invalid_on_put = Knob(bool, True, "vcpu_put stores VMID_ACTIVE_INVALID into the active slot", order="rising")
    zero_check = Knob(bool, True, "the fast path is not taken if the active slot was 0", order="rising")
    generation_check = Knob(bool, True, "the fast path is not taken if the VM's generation is over", order="rising")
    fast_path = Knob(FastPath, FastPath.CMPXCHG, "how the fast path writes the active slot", order="rising")
    recheck_locked = Knob(bool, True, "check the generation again after taking the lock", order="rising")
    copies = Knob(Copies, Copies.ALL, "which reserved copies of a VMID get the new generation", order="rising")
    keep = Knob(Keep, Keep.IF_CLEAR, "when a VM keeps a number that is not reserved", order="falling")
    zero_slots = Knob(bool, True, "the sweep sets each active slot to 0 (xchg) instead of just reading it", order="rising")
    reserve = Knob(Reserve, Reserve.ACTIVE_OR_RESERVED, "what the sweep reserves for a CPU", order="rising")
    mark_reserved = Knob(bool, True, "the sweep marks the reserved numbers in the bitmap", order="rising")
    sweep_first = Knob(bool, True, "the sweep comes before the flush")
    flush = Knob(Scope, Scope.BROADCAST, "what TLBI ALLE1 at a rollover reaches: nothing, this CPU, or every CPU", order="rising")
    wait_for_flush = Knob(bool, True, "DSB behind that TLBI, before a number is handed out", order="rising")
    defer = Knob(bool, False, "each CPU flushes for itself instead, when it next takes the lock (as for ASIDs)")
    stage2_flush = Knob(
        bool, False, "the host flushes VMs' stage 2 (mmu notifiers, unmapping), with their numbers in VTTBR", toggle=True
    )
    epd = Knob(
        bool, False, "enter_vmid_context sets TCR_EL1.EPD0 and EPD1: nothing is walked (speculative-AT workaround)", order="rising"
    )
    late_walks = Knob(
        bool,
        False,
        "with VHE, a walk that began in the guest may end behind vcpu_put, until the DSB of __switch_to; no TLBI ends it",
        toggle=True,
    )
    put_barrier = Knob(bool, False, "DSB in vcpu_put, before the marker is stored", order="rising")
    hotplug = Knob(Hotplug, Hotplug.NEVER, "CPUs go offline, and what their TLBs hold behind the reset", toggle=True)
    stale_context = STALE_CONTEXT

    vmid_generation: Generation
    vmid_map: Annotated[Map[Vmid, bool], View("slots", "vmid_map")]
    swept: Annotated[Map[Cpu, bool], View("inside", "flush_context")]
    flush_pending: Annotated[Map[Cpu, bool], View("pending", "flush")]
    loaded: Annotated[Map[Cpu, Optional[Vm]], View("context", "loaded")]
    vttbr_vm: Annotated[Map[Cpu, Optional[Vm]], View("context", "VTTBR_EL2, tables of")]
    vttbr_vmid: Annotated[Map[Cpu, Optional[Vmid]], View("context", "VTTBR_EL2, VMID")]
    in_guest: Annotated[Map[Cpu, bool], View("context", "in the guest")]
    flushing: Map[Cpu, bool]
    offline: Map[Cpu, bool]

    @initially
    def nothing_to_sweep(self):
        self.swept[...] = True

    active_vmids = VmidWords(Cpu)
    reserved_vmids = VmidWords(Cpu)
    id = VmidWords(Vm)
    cpu_vmid_lock = Lock()
    tlb = Tlb(tag=(Vmid,), holds=(Vm,), by=(Vm,), walk=RunLoop.walkable)
    orphans = Tlb(tag=(Vmid,), holds=(), walk=RunLoop.walkable_orphan, title="TLB entries of VMs that are gone")
    tlbi = Invalidations(perform=RunLoop.flush_guests)

    # -------------------------------------------------------------------------------------------------- kvm_arm_vmid_update

    def kvm_arm_vmid_update(self, cpu):
        """Whether the VM got a new VMID."""
        yield "reads vmid->id"
        generation, number = self.id.get(self.loaded[cpu])
        yield "reads active_vmids"
        old_generation, old_number = self.active_vmids.get(cpu)
        if old_generation is not None or not self.zero_check:
            yield "vmid_gen_match"
            if generation == self.vmid_generation or not self.generation_check:
                yield "fast path: active_vmids"
                was_zero = self.active_vmids.is_zero(cpu)
                unchanged = self.active_vmids.get(cpu) == (old_generation, old_number)
                if unchanged or self.fast_path != FastPath.CMPXCHG:
                    self.active_vmids.set(cpu, generation, number)
                if not was_zero or self.fast_path == FastPath.STORE:
                    return False
        yield "takes cpu_vmid_lock"
        self.cpu_vmid_lock.acquire(cpu)
        updated = not self.is_current(cpu) or not self.recheck_locked
        if updated:
            yield from self.new_vmid(cpu)
        yield "sets active_vmids, releases the lock"
        if self.flush_pending[cpu]:
            cost(LOCAL_ALL)
            self.flush_pending[cpu] = False
            self.flush_guests(cpu)
        generation, number = self.id.get(self.loaded[cpu])
        self.active_vmids.set(cpu, generation, number)
        self.cpu_vmid_lock.release(cpu)
        return updated

    def kvm_arm_vmid_clear_active(self, cpu):
        """The marker: VMID_ACTIVE_INVALID."""
        if self.invalid_on_put:
            self.active_vmids.set(cpu, 0, None)

    def is_current(self, cpu):
        return self.id.generation[self.loaded[cpu]] == self.vmid_generation

    def new_vmid(self, cpu):
        """The VM keeps its number if that is reserved for it, or if nobody has it yet; otherwise it gets a clear one."""
        kept = self.keep_number(cpu)
        if not kept:
            if all(self.vmid_map[n] for n in Vmid):
                yield from self.roll_over(cpu)
            yield "find_next_zero_bit"
            number = choose(Vmid, where=lambda n: not self.vmid_map[n])
            self.vmid_map[number] = True
            self.id.set(self.loaded[cpu], self.vmid_generation, number)

    def keep_number(self, cpu):
        vm = self.loaded[cpu]
        number = self.id.number[vm]
        if number is None:
            return False
        reserved = any(self.is_reserved(c, vm) for c in Cpu) and self.copies != Copies.NONE
        clear = not self.vmid_map[number] and self.keep == Keep.IF_CLEAR
        kept = reserved or clear or self.keep == Keep.ALWAYS
        if reserved:
            self.update_reserved(vm)
        if kept:
            self.vmid_map[number] = True
            self.id.generation[vm] = self.vmid_generation
        return kept

    def is_reserved(self, cpu, vm):
        return self.reserved_vmids.get(cpu) == self.id.get(vm)

    def update_reserved(self, vm):
        """check_update_reserved_vmid"""
        if self.copies == Copies.ALL:
            for c in Cpu:
                if self.is_reserved(c, vm):
                    self.reserved_vmids.generation[c] = self.vmid_generation
        else:
            first = choose(Cpu, where=lambda c: self.is_reserved(c, vm))
            self.reserved_vmids.generation[first] = self.vmid_generation

    # ------------------------------------------------------------------------------------------------------- flush_context

    def roll_over(self, cpu):
        """A new generation.  `swept` says how far the sweep has come."""
        if not self.sweep_first:
            if self.flush == Scope.LOCAL:
                yield "TLBI ALLE1, before the sweep"
            else:
                yield "TLBI ALLE1IS, before the sweep"
            count_invalidation(self.flush, OF_ALL)
            self.issue_to_online(cpu, self.flush)
            yield "DSB ISH, before the sweep"
            cost(DSB_WAIT)
            self.tlbi.barrier(cpu)
        yield "raises vmid_generation"
        occurs(ROLLOVER)
        self.vmid_generation = fresh(Generation)
        self.vmid_map[...] = False
        self.swept[...] = False
        while any(not self.swept[c] for c in Cpu):
            yield from self.sweep()
        if self.sweep_first:
            yield from self.flush_vm_context(cpu)

    def sweep(self):
        """Take one CPU's active VMID and reserve it.  A reserved VMID without number (the marker) is as good as none."""
        yield "xchg active_vmids of {swept}"
        swept = choose(Cpu, where=lambda c: not self.swept[c])
        still = self.active_vmids.is_zero(swept) and self.reserve == Reserve.ACTIVE_OR_RESERVED
        generation, number = self.reserved_vmids.get(swept) if still else self.active_vmids.get(swept)
        if self.reserve == Reserve.NOTHING:
            number = None
        if number is None:
            self.reserved_vmids.set(swept, None, None)
        else:
            self.reserved_vmids.set(swept, generation, number)
            if self.mark_reserved:
                self.vmid_map[number] = True
        if self.zero_slots:
            self.active_vmids.set(swept, None, None)
        self.swept[swept] = True

    def flush_vm_context(self, cpu):
        """__kvm_flush_vm_context"""
        if self.defer:
            self.flush_pending[...] = True
        elif self.flush != Scope.NONE:
            if self.flush == Scope.LOCAL:
                yield "TLBI ALLE1"
            else:
                yield "TLBI ALLE1IS"
            count_invalidation(self.flush, OF_ALL)
            self.issue_to_online(cpu, self.flush)
            if self.wait_for_flush:
                yield "DSB ISH"
                cost(DSB_WAIT)
                self.tlbi.barrier(cpu)

    # ---------------------------------------------------------------------------------------------- VMs, and CPUs, come and go

    @action
    def vm_is_replaced(self, vm: Vm):
        """{vm} is destroyed, and a new VM takes its place; what TLBs and VTTBR_EL2 have of the old one stays there"""
        require(all(self.loaded[cpu] != vm for cpu in Cpu) and not self.id.is_zero(vm))
        require(all(self.vttbr_vm[cpu] != vm for cpu in Cpu if self.flushing[cpu]))
        occurs(NEW_VM)
        self.id.set(vm, None, None)
        for cpu in Cpu:
            if self.vttbr_vm[cpu] == vm:
                self.vttbr_vm[cpu] = None
            self.leave_orphans(cpu, vm)

    @action
    def goes_offline(self, cpu: Cpu):
        """stop_machine, no CPU has a vcpu loaded, and {cpu} goes offline"""
        self.go_offline(cpu, stopped=all(at(self.vcpu_thread, c, "vcpu_load") and not self.flushing[c] for c in Cpu))
        self.forget_stage2(cpu)
        self.reset(cpu)

    @action
    def comes_online(self, cpu: Cpu):
        """{cpu} is back from its reset"""
        self.come_online(cpu)

    # ----------------------------------------------------------------------------------------------------------- properties

    tlb_hit = VmidRules.tlb_hit
    orphan_hit = VmidRules.orphan_hit
    no_shared_vmid = VmidRules.no_shared_vmid

    @invariant(
        because="{a} and {b} run one VM at once under different VMIDs: an invalidation by one misses the other's entries."
    )
    def one_vmid_per_vm(self):
        return all(
            self.vttbr_vmid[a] == self.vttbr_vmid[b]
            for a in Cpu
            for b in Cpu
            if self.in_guest[a] and self.in_guest[b] and self.vttbr_vm[a] == self.vttbr_vm[b]
        )

    vmid0_never_live = VmidRules.vmid0_never_live

    @invariant(because="{cpu} has rolled over, and yet all numbers are taken.")
    def a_vmid_is_free(self):
        return all(
            any(not self.vmid_map[n] for n in Vmid) for cpu in Cpu if at(self.vcpu_thread, cpu, "find_next_zero_bit")
        )

    @reachable
    def a_guest_runs_through_a_rollover(self):
        """A guest runs while the number that it uses is from an earlier generation."""
        return any(
            self.runs(cpu, vm, vmid) and self.id.generation[vm] != self.vmid_generation
            for cpu in Cpu
            for vm in Vm
            for vmid in Vmid
        )

    @reachable
    def a_second_rollover_finds_the_slot_empty(self):
        """A guest has run through two rollovers: its reserved VMID is older than the generation before this one."""
        return any(
            self.in_guest[cpu]
            and self.active_vmids.is_zero(cpu)
            and self.reserved_vmids.generation[cpu] == self.id.generation[old]
            and self.id.generation[old] != self.id.generation[newer]
            and self.id.generation[newer] != self.vmid_generation
            and not self.id.is_zero(newer)
            and self.swept[cpu]
            for cpu in Cpu
            for old in Vm
            for newer in Vm
        )

    @reachable
    def the_cmpxchg_loses(self):
        """A CPU is about to do its cmpxchg, and its slot has been swept."""
        return any(at(self.vcpu_thread, cpu, "fast path: active_vmids") and self.active_vmids.is_zero(cpu) for cpu in Cpu)

    @reachable
    def two_vcpus_of_a_vm_run_at_once(self):
        """Two vcpus of one VM run at once, in a generation that is not the first."""
        return any(
            self.in_guest[a] and self.in_guest[b] and self.vttbr_vm[a] == self.vttbr_vm[b] and a != b
            for a in Cpu
            for b in Cpu
            if self.vmid_generation != 0
        )

    an_entry_survives_a_switch = VmidRules.an_entry_survives_a_switch

    @reachable
    def an_entry_survives_its_vm(self):
        """A VM runs where the entry of a VM that is gone has survived."""
        return any(self.in_guest[cpu] and self.orphans.entry[cpu, vmid] for cpu in Cpu for vmid in Vmid)

    policies = {
        "merged": Policy(
            "Linux v5.18: update and VTTBR before each entry",
            {"update": Update.EACH_RUN, "vttbr": Vttbr.AT_RUN}, "holds", also=(Expect("no-foreign-hit", {"stale_context": True}),),
        ),
        "vmid0": Policy(
            "Linux v6.7 with VHE: VTTBR at vcpu_load, and again if the update before entry changed the VMID",
            {"update": Update.EACH_RUN}, "vmid0-never-live",
        ),
        "fixed": Policy(
            "commit fa808ed4e199 (v6.14): at vcpu_load first the update, then VTTBR",
            {}, "holds",
            also=(
                Expect("no-foreign-hit", {"stale_context": True}),
                Expect("holds", {"stage2_flush": True}),
                Expect("no-foreign-hit", {"late_walks": True}),
                Expect("holds", {"late_walks": True, "put_barrier": True}),
                Expect("holds", {"hotplug": Hotplug.EMPTIED}),
                Expect("no-foreign-hit", {"hotplug": Hotplug.KEPT}),
            ),
        ),
        "fixed-nvhe": Policy(
            "the same without VHE: VTTBR is written at each entry and replaced at each exit",
            {"vttbr": Vttbr.AT_RUN, "restore": Restore.AT_EXIT}, "holds",
            also=(
                Expect("holds", {"stale_context": True}),
                Expect("no-foreign-hit", {"stale_context": True, "stage2_flush": True}),
                Expect("holds", {"stale_context": True, "stage2_flush": True, "epd": True}),
            ),
        ),
        "restored-at-put": Policy(
            "a remedy for walkers that use a stale context: vcpu_put replaces VTTBR before it stores the marker",
            {"restore": Restore.AT_PUT}, "holds",
            also=(
                Expect("holds", {"stale_context": True}),
                Expect("no-foreign-hit", {"stale_context": True, "stage2_flush": True}),
                Expect("holds", {"stale_context": True, "stage2_flush": True, "epd": True}),
            ),
        ),
        "no-flush": Policy("no flush at a rollover", {"flush": Scope.NONE}, "no-foreign-hit"),
        "local-flush": Policy("a rollover flushes its own CPU alone", {"flush": Scope.LOCAL}, "no-foreign-hit"),
        "deferred": Policy(
            "each CPU flushes for itself when it next takes the lock; the marker of vcpu_put lets it pass without",
            {"defer": True}, "no-foreign-hit",
        ),
        "no-invalid-on-put": Policy(
            "no marker: what ran last stays active, and more VMIDs than CPUs are needed",
            {"invalid_on_put": False}, "a-vmid-is-free",
            also=(Expect("holds", {}, {"vmid": 3}), Expect("no-foreign-hit", {"stale_context": True}, {"vmid": 3})),
        ),
        "asid-like": Policy(
            "deferred flushes and no marker, as in arm64's ASID allocator",
            {"defer": True, "invalid_on_put": False}, "a-vmid-is-free",
            also=(
                Expect("holds", {}, {"vmid": 3}),
                Expect("holds", {"stale_context": True}, {"vmid": 3}),
                Expect("holds", {"hotplug": Hotplug.KEPT}, {"vmid": 3}),
            ),
        ),
        "xchg": Policy(
            "the fast path exchanges without comparing, as the ASID allocator did before commit a8ffaaa060b8",
            {"fast_path": FastPath.XCHG}, "a-vmid-is-free",
        ),
    }
