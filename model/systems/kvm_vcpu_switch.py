"""Local TLB invalidation when several vcpus of one VM share a CPU (KVM/arm64, 2016).

A guest may assume that each of its vcpus has a TLB of its own: on real hardware two PEs may map one virtual page differently,
under one ASID, without ever invalidating anything, since their TLBs are private.  KVM runs several vcpus of a VM on one CPU,
and the TLB tells VMs apart (by VMID) but not vcpus.  Something must be flushed when another vcpu of the VM is loaded: what, and
when?

What is modelled
    The host's thread on each CPU, one step for each access that another CPU could see: vcpu_load reads `last_vcpu_ran` and
    `last_cpu`, flushes (write VTTBR, TLBI VMALLE1, DSB NSH, restore VTTBR), stores `last_vcpu_ran`, enters the guest or is
    preempted before it does, exits, and is switched out behind the DSB ISH of __switch_to.  `last_cpu` is a field of the
    model's own: `vcpu->cpu` is set to -1 by kvm_arch_vcpu_put, and tells nobody where the vcpu ran before.  vcpu_put and
    __switch_to are one step, since a vcpu whose thread is its own is run elsewhere only by that thread, once it is switched
    out; user space may hand a vcpu to another thread between two calls of KVM_RUN (`handover=on`), and then nothing is
    switched.  In the guest, each vcpu has its own mapping of one virtual page and changes it by the book: store an invalid
    descriptor, TLBI, DSB, store another page.  HCR_EL2.FB makes that TLBI a broadcast.  TLB entries carry the VM (a VM keeps
    its VMID for ever here; `kvm-vmid-generation` is about when it does not), the page, and, for the properties alone, which
    vcpu's tables they came from.
What is left out
    Stage 2 (it never changes here), ASIDs and global entries (all vcpus use one ASID, the worst case), more than one virtual page
    (entries for different pages do not interact), walk caches, the I-cache (`kvm-icache`), CnP: with TTBR.CnP a guest
    itself declares its tables shared between vcpus.  The order in which registers are switched, and the workaround for
    speculative-AT errata (`kvm-world-switch`).  Reordering of the host's plain accesses, all of which are to data of the CPU
    or of the vcpu that it is about to run.

What the verdicts mean
    no-foreign-hit: no vcpu hits an entry that another vcpu created.  no-stale-hit: once a vcpu's TLBI is complete it never hits
    the mapping that it removed.  transparent: no vcpu hits what it could not have hit with a TLB of its own.
    `last-ran` is right only because of HCR_EL2.FB: with `--set fb=off`, a vcpu that left a CPU, removed a mapping elsewhere and
    came back, with nobody of its VM in between, finds its own old entry.

Sources: Linux commit 94d0e5980d67 and its discussion, linux-arm-kernel, October 2016 (threads of 24 and 27 October); Xen commit
607ad85d85; the RFC of October 2020 to restrict broadcasts, which clears FB and also flushes on migration; arm64 __switch_to for the
DSB; Arm ARM DDI 0487, chapter D8 and HCR_EL2.
"""

import enum
from typing import Annotated, Optional

from flushproof.model.hardware import (
    FORCE_BROADCAST,
    STALE_CONTEXT,
    Cpu,
    Invalidations,
    Page,
    PrivateMachine,
    Scope,
    Tlb,
    Vcpu,
    Vm,
)
from flushproof.model.hardware.costs import BY_TAG, DSB_WAIT, count_invalidation
from flushproof.model.hardware.events import UNMAP
from flushproof.model.hardware.guest_context import GuestMode
from flushproof.model.hardware.vcpus import LastRan, VcpuThreads
from flushproof.model.language.declare import (
    Expect,
    Knob,
    Map,
    Policy,
    Rigid,
    System,
    View,
    action,
    check,
    choose,
    cost,
    event,
    initially,
    occurs,
    reachable,
    require,
)


class Remap(enum.Enum):
    """How far a vcpu has come with removing its mapping."""

    IDLE = 0
    STORED = 1
    INVALIDATING = 2


class VcpuSwitch(LastRan, VcpuThreads, GuestMode, System):
    """Several vcpus of one VM on one CPU share its TLB, though each believes that its own is private."""

    name = "kvm-vcpu-switch"
    sizes = {Cpu: 2, Vm: 1, Vcpu: 2, Page: 2}

    if_other_ran = Knob(
        bool, True, "flush if another vcpu of the VM ran on this CPU last (last_vcpu_ran)", order="rising"
    )
    if_first = Knob(
        bool,
        True,
        "flush also if no vcpu of the VM ran on this CPU before; matters with `if_other_ran` alone",
        order="rising",
    )
    if_moved = Knob(bool, False, "flush if this vcpu ran on another CPU last, or never (last_cpu)", order="rising")
    always = Knob(bool, False, "flush at each vcpu_load", order="rising")
    flush = Knob(Scope, Scope.LOCAL, "what the flush reaches: nothing, this CPU, or every CPU", order="rising")
    switch_vttbr = Knob(
        bool, True, "load the VM's VTTBR before the TLBI, which acts on the VMID in there", order="rising"
    )
    wait_for_flush = Knob(bool, True, "DSB behind the TLBI of vcpu_load", order="rising")
    switch_barrier = Knob(
        bool, True, "DSB ISH in __switch_to, which completes a TLBI that the guest has not waited for", order="rising"
    )
    exit_barrier = Knob(
        bool,
        False,
        "DSB SY in __guest_exit, which only CPUs without the RAS extension execute there (the others an ESB)",
        order="rising",
    )
    handover = Knob(
        bool, False, "KVM_RUN returns, and another thread runs the vcpu before this one is switched out", toggle=True
    )
    guest_barrier = Knob(
        bool, True, "the guest waits for its TLBI with a DSB, as the architecture demands of it", toggle=True
    )
    fb = FORCE_BROADCAST
    stale_context = STALE_CONTEXT

    vm_of: Rigid[Map[Vcpu, Vm]]
    last_vcpu_ran: Map[Vm, Cpu, Optional[Vcpu]]
    last_cpu: Map[Vcpu, Optional[Cpu]]
    vttbr: Annotated[Map[Cpu, Optional[Vm]], View("context", "VTTBR_EL2")]
    el1: Annotated[Map[Cpu, Optional[Vcpu]], View("context", "EL1 registers")]
    in_guest: Annotated[Map[Cpu, bool], View("context", "in the guest")]
    page_of: Annotated[Map[Vcpu, Page], View("table", "page table")]
    invalid: Annotated[Map[Vcpu, bool], View("table", "invalid descriptor")]
    remap: Map[Vcpu, Remap]

    def walkable(self, cpu, vm, vcpu, page):
        """The context in the registers is the vcpu's, it is current, and the vcpu's tables hold this translation."""
        return self.vttbr[cpu] == vm and self.walks_for(cpu, vcpu) and self.mapped(vcpu, page)

    def walks_for(self, cpu, vcpu):
        return self.in_context(cpu) and self.el1[cpu] == vcpu

    def mapped(self, vcpu, page):
        return not self.invalid[vcpu] and self.page_of[vcpu] == page

    def flush_vmid(self, cpu, vm):
        self.tlb.drop_tagged(cpu, vm)

    @initially
    def two_vcpus_differ(self):
        """As in the discussion: "vcpu-0 maps PA to VA, vcpu-1 maps PA' to VA"."""
        require(any(self.page_of[a] != self.page_of[b] for a in Vcpu for b in Vcpu))

    tlb = Tlb(tag=(Vm,), holds=(Vcpu, Page), by=(Vcpu,), walk=walkable)
    tlbi = Invalidations(Vm, perform=flush_vmid)
    private = PrivateMachine(holds=(Page,), walk=mapped)

    # ------------------------------------------------------------------------------------------------------------- the host

    def vcpu_load(self, cpu):
        yield "vcpu_load({vcpu})"
        vcpu = self.load(cpu)
        if self.must_flush(cpu, vcpu):
            if self.switch_vttbr:
                yield from self.enter_vmid_context(cpu)
            if self.flush == Scope.BROADCAST:
                yield "TLBI VMALLE1IS"
            else:
                yield "TLBI VMALLE1"
            count_invalidation(self.flush, BY_TAG)
            if self.vttbr[cpu] is not None:
                self.tlbi.issue(cpu, self.flush, self.vttbr[cpu])
            if self.wait_for_flush:
                yield "DSB, ISB"
                self.dsb(cpu)
            yield from self.exit_vmid_context(cpu)
        yield "stores last_vcpu_ran"
        self.note(cpu, vcpu)

    def enters(self, cpu):
        return choose(bool)

    def vcpu_put(self, cpu):
        if self.handover and choose(bool):
            yield "vcpu_put; KVM_RUN returns to user space"
        else:
            yield "vcpu_put, __switch_to"
            if self.switch_barrier:
                self.dsb(cpu)

    def dsb(self, cpu):
        """One that the host executes."""
        cost(DSB_WAIT)
        self.tlbi.barrier(cpu)

    def vm_index(self, vcpu):
        return (self.vm_of[vcpu],)

    def must_flush(self, cpu, vcpu):
        last = self.ran_last(cpu, vcpu)
        other_ran = last != vcpu and (last is not None or self.if_first)
        return self.always or (self.if_other_ran and other_ran) or (self.if_moved and self.moved(cpu, vcpu))

    def enter_vmid_context(self, cpu):
        yield "writes the VM's VTTBR, ISB"
        self.vttbr[cpu] = self.vm_of[self.vcpus.loaded[cpu]]

    def exit_vmid_context(self, cpu):
        yield "restores the host's VTTBR"
        self.vttbr[cpu] = None

    def enter_guest(self, cpu):
        """Out of context nothing is walked, so that all registers are switched in one step; see `kvm-world-switch`."""
        self.vttbr[cpu] = self.vm_of[self.vcpus.loaded[cpu]]
        self.el1[cpu] = self.vcpus.loaded[cpu]
        super().enter_guest(cpu)

    def exit_guest(self, cpu):
        self.leave(cpu)
        self.vttbr[cpu] = None
        # Out of context, the EL1 registers matter only to a walker with the erratum; forget them otherwise.
        if not self.stale_context:
            self.el1[cpu] = None

    def leave(self, cpu):
        """The exception, and __guest_exit."""
        if self.exit_barrier:
            self.dsb(cpu)
        super().exit_guest(cpu)

    # ------------------------------------------------------------------------------------------------------------ the guest

    def runs(self, cpu, vcpu):
        return self.in_guest[cpu] and self.el1[cpu] == vcpu

    @action
    def guest_unmaps(self, cpu: Cpu, vcpu: Vcpu):
        """{vcpu} stores an invalid descriptor"""
        require(self.runs(cpu, vcpu) and not self.invalid[vcpu])
        occurs(UNMAP)
        self.invalid[vcpu] = True
        self.remap[vcpu] = Remap.STORED

    @action
    def guest_invalidates(self, cpu: Cpu, vcpu: Vcpu):
        """{vcpu} executes TLBI VAE1 for its old mapping"""
        require(self.runs(cpu, vcpu) and self.remap[vcpu] == Remap.STORED)
        self.tlbi.issue(cpu, Scope.BROADCAST if self.fb else Scope.LOCAL, self.vm_of[vcpu])
        self.remap[vcpu] = Remap.INVALIDATING

    @action
    def guest_waits(self, cpu: Cpu, vcpu: Vcpu):
        """{vcpu} executes DSB, and takes its old mapping for gone"""
        require(self.runs(cpu, vcpu) and self.remap[vcpu] == Remap.INVALIDATING)
        if self.guest_barrier:
            self.tlbi.barrier(cpu)
        self.remap[vcpu] = Remap.IDLE
        self.private.invalidate(vcpu)

    @action
    def guest_maps(self, cpu: Cpu, vcpu: Vcpu, page: Page):
        """{vcpu} maps its virtual page to {page}"""
        require(self.runs(cpu, vcpu) and self.invalid[vcpu] and self.remap[vcpu] == Remap.IDLE)
        self.page_of[vcpu] = page
        self.invalid[vcpu] = False

    # ------------------------------------------------------------------------------------------------------------ properties

    @event
    def tlb_hit(self, cpu: Cpu, vcpu: Vcpu, vm: Vm, owner: Vcpu, page: Page):
        """{vcpu} uses the entry that {owner} created"""
        require(self.runs(cpu, vcpu) and self.vttbr[cpu] == vm and self.tlb.entry[cpu, vm, owner, page])
        check(
            "no-foreign-hit",
            owner == vcpu,
            "On {cpu}, {vcpu} hits the entry for {page} that {owner} created: both have the VMID of {vm}, and the guest was "
            "promised a TLB for each of its vcpus.",
        )
        stale = owner == vcpu and not self.mapped(vcpu, page) and self.remap[vcpu] == Remap.IDLE
        awaited = all(not self.tlbi.pending[issuer, cpu, vm] for issuer in Cpu)
        check(
            "no-stale-hit",
            not (stale and awaited),
            "On {cpu}, {vcpu} hits its own old entry for {page}, though it has removed that mapping and its TLBI and DSB are done.",
        )
        check(
            "no-stale-hit",
            not stale or awaited,
            "On {cpu}, {vcpu} hits its own old entry for {page}, though it has removed that mapping and takes it for gone: "
            "{cpu} has yet to perform a TLBI, and a DSB waits only for those of the CPU that executes it.",
        )
        check(
            "transparent",
            self.private.could_hit(vcpu, page),
            "On {cpu}, {vcpu} translates to {page}, which it could not have done with a TLB of its own; {owner} created the entry.",
        )

    @reachable
    def two_vcpus_have_shared_a_cpu(self):
        """One vcpu is loaded where another one of its VM ran last."""
        return any(
            self.vcpus.loaded[cpu] == vcpu and self.last_vcpu_ran[self.vm_of[vcpu], cpu] == other and other != vcpu
            for cpu in Cpu
            for vcpu in Vcpu
            for other in Vcpu
        )

    @reachable
    def an_entry_survives_a_switch(self):
        """A TLB holds an entry of a vcpu that is not loaded there."""
        return any(
            self.tlb.entry[cpu, vm, vcpu, page] and self.vcpus.loaded[cpu] is None
            for cpu in Cpu
            for vm in Vm
            for vcpu in Vcpu
            for page in Page
        )

    @reachable
    def a_vcpu_hits_its_own_entry(self):
        """A vcpu uses an entry, as it should."""
        return any(
            self.runs(cpu, vcpu) and self.vttbr[cpu] == vm and self.tlb.entry[cpu, vm, vcpu, page]
            for cpu in Cpu
            for vm in Vm
            for vcpu in Vcpu
            for page in Page
        )

    @reachable
    def a_vcpu_migrates(self):
        """A vcpu runs on one CPU while another still holds an entry that it created."""
        return any(
            self.runs(cpu, vcpu) and other != cpu and self.tlb.entry[other, self.vm_of[vcpu], vcpu, page]
            for cpu in Cpu
            for other in Cpu
            for vcpu in Vcpu
            for page in Page
        )

    @reachable
    def two_vcpus_run_at_once(self):
        """Two vcpus are in their guests at the same time."""
        return any(self.in_guest[a] and self.in_guest[b] and a != b for a in Cpu for b in Cpu)

    policies = {
        "none": Policy(
            "flush nothing (Linux up to v4.8)",
            {"if_other_ran": False},
            "no-foreign-hit",
            also=(Expect("no-foreign-hit", {"fb": False}),),
        ),
        "on-migration": Policy(
            "flush when the vcpu comes from another CPU",
            {"if_other_ran": False, "if_moved": True},
            "no-foreign-hit",
            also=(Expect("no-foreign-hit", {"fb": False}),),
        ),
        "last-ran": Policy(
            "flush when another vcpu of the VM ran here last (commit 94d0e5980d67)",
            {"if_other_ran": True},
            "holds",
            also=(
                Expect("no-stale-hit", {"fb": False}),
                Expect("no-foreign-hit", {"stale_context": True}),
                Expect("no-stale-hit", {"handover": True}),
                Expect("holds", {"handover": True, "exit_barrier": True}),
            ),
        ),
        "last-ran-xen": Policy(
            "the same, but not when the VM is new to the CPU (Xen commit 607ad85d85)",
            {"if_other_ran": True, "if_first": False},
            "holds",
            also=(Expect("no-stale-hit", {"fb": False}),),
        ),
        "both": Policy(
            "flush when another vcpu ran here last or the vcpu comes from another CPU (the RFC of 2020)",
            {"if_other_ran": True, "if_moved": True},
            "holds",
            also=(Expect("holds", {"fb": False}), Expect("holds", {"handover": True})),
        ),
        "always": Policy(
            "flush whenever a vcpu is loaded",
            {"always": True},
            "holds",
            also=(Expect("holds", {"fb": False}),),
        ),
    }
