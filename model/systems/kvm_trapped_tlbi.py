"""Emulating TLB invalidations that a guest executes and KVM/arm64 traps, next to KVM's own stage-2 invalidations.

**The story.**  With HCR_EL2.TTLB a TLBI at EL1 traps, and the hypervisor has to do on the guest's behalf what the
instruction would have done.  The RFC of 2016 switched the VMID and passed the guest's operand on as it was.  The discussion
asked what else of the guest's context a TLBI depends on (top-byte-ignore, granule, future fields), found that "TLBI
VMALLE1IS for everything" needs the VMID only, and measured what that costs.

**Two layers.**  This system is the first: who does what when.  The second, what a TLBI does with the 64 bits of its
operand, is not a transition system: `flushproof operands` asks Z3 about all operands at once
(`properties/operands/encodings.py`).  The toggle `misread` joins them: it says that an operand, read under the host's
TCR_EL1, may name another page, which the second layer shows by example.

**What is modelled.**  One page of one guest, with its stage-1 descriptor and its stage-2 descriptor, and TLBs that hold
combined entries and stage-2 entries.  Per vcpu: change the descriptor, DSB ISHST, TLBI (of its own PE, or broadcast), DSB,
ISB; one vcpu at a time, under the guest's page-table lock.  Per CPU, the host: run vcpus, with migration at any exit;
emulate a trapped TLBI, one register write or instruction a step; and, in any thread, change the stage-2 descriptor under
`mmu_lock` and invalidate it, one instruction a step.  Interrupts in the window in which the host has the guest's context
loaded, if the policy leaves them unmasked.

**What is atomic, and why.**  Entering and leaving the guest's context (VTTBR_EL2, HCR_EL2.TGE, ISB) are one step each:
between the register writes and the ISB nothing is executed that depends on them.  A trap is one step: it is an exception.

**What is left out.**  More VMIDs than the guest's and the host's (`kvm-vmid-generation` is about them); intermediate walk
entries; nested guests' own stage 2; the local variants of KVM's stage-2 invalidations, which follow a relaxed permission only,
where an old entry causes a fault and no more; completion of accesses (CVE-2025-10263); the repeated TLBI of some errata.

**Sources.**  "[RFC PATCH 6/7] arm64: KVM: Handle trappable TLB instructions", linux-kernel, 16 to 26 August 2016;
__kvm_tlb_flush_vmid_ipa and __kvm_tlbi_s1e2 in arch/arm64/kvm/hyp/vhe/tlb.c, and the former in hyp/nvhe/tlb.c; commit
c987876a80e7 (interrupts are masked while TGE is 0); __switch_to in arch/arm64/kernel/process.c; Arm ARM DDI 0487, D8, and
HCR_EL2.{TTLB, TGE, FB, BSU}.

**What the verdicts mean.**  `no-stale-hit`: after the guest's TLBI and DSB, no vcpu that they concern uses the old stage-1
descriptor. `no-hit-after-unmap`: after the host's invalidation, no vcpu reaches the page that was unmapped.
`host-keeps-its-regime`: host code runs in the host's translation regime.
"""

import enum
from typing import Annotated, Optional

from flushproof.model.hardware.costs import BC_TAG, BC_VA, BY_ADDRESS, BY_TAG, DSB_WAIT, GUEST_EXITS, count_invalidation
from flushproof.model.hardware.events import EXIT, TRAP, UNMAP
from flushproof.model.hardware.guest_context import RunningVcpus, VmidContext
from flushproof.model.hardware.locks import Lock
from flushproof.model.hardware.sorts import Cpu, Vcpu
from flushproof.model.hardware.tlbi import Scope
from flushproof.model.hardware.toggles import BARRIER_UPGRADE, STALE_CONTEXT
from flushproof.model.hardware.two_stage import Age, Kind, TwoStageTlb
from flushproof.model.language.declare import (
    Expect,
    Ghost,
    Knob,
    Map,
    Policy,
    System,
    View,
    action,
    at,
    check,
    choose,
    cost,
    event,
    occurs,
    process,
    reachable,
    require,
)


class Tlbi(enum.Enum):
    """TLBIs of stage 1, of an address or of all, on this PE or (IS) on all of them."""

    VAE1 = 0
    VAE1IS = 1
    VMALLE1 = 2
    VMALLE1IS = 3


class Thread(enum.Enum):
    """What a CPU runs next."""

    MMU_NOTIFIER = "a thread that unmaps the page from stage 2"
    VCPU = "a vcpu's thread"


class Context(enum.Enum):
    """What the emulation loads of the guest's context before the TLBI."""

    HOST = "nothing: the TLBI acts on the host's regime"
    VMID = "the guest's VMID (VTTBR_EL2, and TGE=0 with VHE); TCR_EL1 is the host's"
    FULL = "the guest's VMID and TCR_EL1"


class Operand(enum.Enum):
    """Which TLBI the emulation executes."""

    RAW = "the guest's, with the value of its register as it is"
    SANITISED = "the guest's, with the value reduced to what it means under the guest's TCR_EL1"
    VMALL = "VMALLE1: everything of the VMID"


class Reach(enum.Enum):
    """On which PEs the emulation invalidates."""

    AS_ISSUED = "a local operation on this PE, a broadcast one on all"
    LOCAL = "on this PE"
    BROADCAST = "on all"


REACH = ((Reach.LOCAL, Reach.AS_ISSUED), (Reach.AS_ISSUED, Reach.BROADCAST))
"""Which reach what another one reaches."""


class Order(enum.Enum):
    """How a stage-2 change is invalidated."""

    STAGE2_THEN_STAGE1 = "TLBI IPAS2E1IS, DSB, TLBI VMALLE1IS"
    STAGE1_THEN_STAGE2 = "TLBI VMALLE1IS, DSB, TLBI IPAS2E1IS"
    STAGE2_ONLY = "TLBI IPAS2E1IS"
    BOTH_AT_ONCE = "TLBI VMALLS12E1IS"


ORDER = (
    (Order.STAGE2_ONLY, Order.STAGE2_THEN_STAGE1),
    (Order.STAGE2_ONLY, Order.STAGE1_THEN_STAGE2),
    (Order.STAGE2_THEN_STAGE1, Order.BOTH_AT_ONCE),
    (Order.STAGE1_THEN_STAGE2, Order.BOTH_AT_ONCE),
)
"""Which invalidate what another one does: two stages in turn more than one, at once more than in turn."""


class TrappedTlbi(RunningVcpus, VmidContext, System):
    """A trapped TLBI is emulated, while other vcpus run and the host invalidates stage 2."""

    name = "kvm-trapped-tlbi"

    context = Knob(Context, Context.FULL, "what of the guest's context is loaded for an emulated TLBI")
    operand = Knob(Operand, Operand.RAW, "what is executed", order="rising")
    reach = Knob(Reach, Reach.BROADCAST, "on which PEs", order=REACH)
    masked = Knob(bool, True, "interrupts are masked while the guest's context is loaded", order="rising")
    order = Knob(Order, Order.STAGE2_THEN_STAGE1, "how a stage-2 change is invalidated", order=ORDER)

    vhe = Knob(bool, True, "the host runs at EL2, and HCR_EL2.TGE says whose EL1&0 regime it is", toggle=True)
    bsu = BARRIER_UPGRADE
    misread = Knob(
        bool,
        True,
        "an operand that is read under the host's TCR_EL1 may name another page (see `flushproof operands`)",
        toggle=True,
    )
    stale_context = STALE_CONTEXT

    trapped: Map[Vcpu, bool]
    broadcast: Map[Vcpu, bool]
    page_table_lock: Annotated[Optional[Vcpu], View("lock", "page_table_lock")]
    mmu_lock = Lock()
    stage1_is_gone: Ghost[Map[Vcpu, bool]]
    stage2_is_gone: Ghost[bool]

    def live(self, cpu):
        """With `stale_context` always, on every CPU: no other VM takes VTTBR_EL2, and the worst is that it is never restored."""
        return self.guest[cpu] is not None or self.stale_context

    tlb = TwoStageTlb(walks=live)

    # -------------------------------------------------------------------------------------------------------------- guest

    @process(Vcpu)
    def remap(self, vcpu):
        """{vcpu} changes a mapping and invalidates the old one"""
        yield "STR the descriptor; entries made of what was there are OLD"
        cpu = self.pe(vcpu)
        require(self.page_table_lock is None)
        self.page_table_lock = vcpu
        self.tlb.store_stage1(cpu)
        self.stage1_is_gone[:] = False
        yield "DSB ISHST"
        self.tlb.store_barrier(self.pe(vcpu))
        yield "TLBI {tlbi} traps"
        cpu = self.pe(vcpu)
        tlbi = choose(Tlbi, where=lambda t: t in (Tlbi.VAE1, Tlbi.VAE1IS))
        self.broadcast[vcpu] = tlbi == Tlbi.VAE1IS
        occurs(TRAP)
        self.trapped[vcpu] = True
        self.exit_guest(cpu)
        yield "DSB"
        cpu = self.pe(vcpu)
        if self.broadcast[vcpu] or self.bsu:
            self.tlb.barrier(cpu)
        else:
            self.tlb.barrier_nsh(cpu)
        if self.broadcast[vcpu]:
            self.stage1_is_gone[:] = True
        else:
            self.stage1_is_gone[vcpu] = True
        self.broadcast[vcpu] = False
        self.page_table_lock = None

    # --------------------------------------------------------------------------------------------------------------- host

    @process(Cpu)
    def host(self, cpu):
        """{cpu} runs vcpus and host threads"""
        yield "schedule {thread}"
        thread = choose(Thread)
        if thread == Thread.VCPU:
            yield from self.run_vcpu(cpu)
        else:
            yield from self.unmap(cpu)

    def run_vcpu(self, cpu):
        """vcpu_load, then in and out of the guest, then vcpu_put.  Between an exit and its handling the thread may be preempted
        and go on on another CPU."""
        vcpu = self.vcpus.load(cpu)
        again = True
        while again:
            if self.trapped[vcpu]:
                yield from self.emulate(cpu, vcpu)
            yield from self.run(cpu)
            again = choose(bool)
        yield "vcpu_put: DSB ISH in __switch_to"
        cost(DSB_WAIT)
        self.tlb.barrier(cpu)
        self.vcpus.put(cpu)

    def run(self, cpu):
        """Into the guest and back, which a TLBI that traps has left already."""
        yield "enters the guest"
        self.enter_guest(cpu)
        yield "is back from the guest"
        occurs(EXIT)
        cost(GUEST_EXITS)
        self.exit_guest(cpu)

    def emulate(self, cpu, vcpu):
        """Does what the trapped TLBI would have done."""
        if self.context != Context.HOST:
            yield "load the guest's context"
            self.enter_vmid_context(cpu)
        if self.operand == Operand.VMALL:
            yield "TLBI {tlbi}"
        elif self.operand == Operand.RAW:
            if self.is_misread():
                yield "TLBI {tlbi}, the guest's operand: another page under the host's TCR_EL1"
            else:
                yield "TLBI {tlbi}, the guest's operand"
        elif self.is_misread():
            yield "TLBI {tlbi}, sanitised operand: another page under the host's TCR_EL1"
        else:
            yield "TLBI {tlbi}, sanitised operand"
        tlbi = self.executed(vcpu)
        if self.operand == Operand.VMALL:
            count_invalidation(self.scope_of(tlbi), BY_TAG)
        else:
            count_invalidation(self.scope_of(tlbi), BY_ADDRESS)
        self.tlb.tlbi.issue(cpu, self.reached(cpu, tlbi), Kind.STAGE1)
        yield "DSB ISH"
        cost(DSB_WAIT)
        self.tlb.barrier(cpu)
        if self.context != Context.HOST:
            yield "load the host's context; advance the PC"
            self.exit_vmid_context(cpu)
        self.trapped[vcpu] = False

    def executed(self, vcpu):
        """The TLBI that the hypervisor executes."""
        local = self.reach == Reach.LOCAL or (self.reach == Reach.AS_ISSUED and not self.broadcast[vcpu])
        if self.operand == Operand.VMALL:
            return Tlbi.VMALLE1 if local else Tlbi.VMALLE1IS
        return Tlbi.VAE1 if local else Tlbi.VAE1IS

    def scope_of(self, tlbi):
        return Scope.BROADCAST if tlbi in (Tlbi.VAE1IS, Tlbi.VMALLE1IS) else Scope.LOCAL

    def reached(self, cpu, tlbi):
        """The PEs on which it removes the guest's entries for the page."""
        missed = self.is_misread() and self.operand != Operand.VMALL
        return Scope.NONE if missed or not self.in_guest_context[cpu] else self.scope_of(tlbi)

    def is_misread(self):
        """Whether an operand is read under the host's TCR_EL1 and names another page there."""
        return self.misread and self.context == Context.VMID

    def unmap(self, cpu):
        """A stage-2 descriptor changes (an MMU notifier, a migration): __kvm_tlb_flush_vmid_ipa and its caller."""
        with self.mmu_lock(cpu):
            occurs(UNMAP)
            self.tlb.store_stage2(cpu)
            self.stage2_is_gone = False
            yield "stage 2: DSB ISHST"
            cost(DSB_WAIT)
            self.tlb.store_barrier(cpu)
            yield "stage 2: load the guest's context"
            self.enter_vmid_context(cpu)
            if self.order == Order.STAGE1_THEN_STAGE2:
                yield "stage 2: TLBI VMALLE1IS"
                cost(BC_TAG)
                self.tlb.tlbi.issue(cpu, self.applied(cpu, Scope.BROADCAST), Kind.STAGE1)
                yield "stage 2: DSB ISH"
                cost(DSB_WAIT)
                self.tlb.barrier(cpu)
            if self.order == Order.BOTH_AT_ONCE:
                yield "stage 2: TLBI VMALLS12E1IS"
                cost(BC_TAG)
                self.tlb.tlbi.issue(cpu, self.applied(cpu, Scope.BROADCAST), Kind.STAGE12)
            else:
                yield "stage 2: TLBI IPAS2E1IS"
                cost(BC_VA)
                self.tlb.tlbi.issue(cpu, self.applied(cpu, Scope.BROADCAST), Kind.STAGE2)
            yield "stage 2: DSB ISH"
            cost(DSB_WAIT)
            self.tlb.barrier(cpu)
            if self.order == Order.STAGE2_THEN_STAGE1:
                yield "stage 2: TLBI VMALLE1IS"
                cost(BC_TAG)
                self.tlb.tlbi.issue(cpu, self.applied(cpu, Scope.BROADCAST), Kind.STAGE1)
                yield "stage 2: DSB ISH"
                cost(DSB_WAIT)
                self.tlb.barrier(cpu)
            yield "stage 2: load the host's context"
            self.exit_vmid_context(cpu)
            self.stage2_is_gone = True

    # --------------------------------------------------------------------------------------------------------- interrupts

    def interruptible(self, cpu):
        """With VHE the window is host code, which may leave interrupts on; without, it is EL2 code, which never does."""
        return self.vhe and not self.masked and self.in_guest_context[cpu]

    @action
    def preempts(self, cpu: Cpu):
        """an interrupt on {cpu} lets another thread run, and the context that the thread returns to is the host's"""
        require(self.interruptible(cpu))
        self.in_guest_context[cpu] = False

    @event
    def takes_interrupt(self, cpu: Cpu):
        """{cpu} takes an interrupt"""
        require(self.in_guest_context[cpu])
        check(
            "host-keeps-its-regime",
            not self.interruptible(cpu),
            "{cpu} handles the interrupt while HCR_EL2.TGE is 0: host code runs in the guest's translation regime.",
        )

    @event
    def runs_host_code(self, cpu: Cpu):
        """{cpu} goes on in the host"""
        require(at(self.host, cpu, "schedule {thread}", "enters the guest", "vcpu_put: DSB ISH in __switch_to"))
        check(
            "host-keeps-its-regime",
            not self.in_guest_context[cpu],
            "{cpu} is back in the host's code with the guest's VTTBR_EL2, or with HCR_EL2.TGE at 0.",
        )

    # --------------------------------------------------------------------------------------------------------- properties

    @event
    def tlb_hit(self, cpu: Cpu, vcpu: Vcpu, age1: Age, age2: Age):
        """{vcpu} on {cpu} uses a TLB entry: stage 1 {age1}, stage 2 {age2}"""
        require(self.guest[cpu] == vcpu and self.tlb.combined[cpu, age1, age2])
        check(
            "no-stale-hit",
            age1 == Age.CURRENT or not self.stage1_is_gone[vcpu],
            "{vcpu} uses the old mapping on {cpu}, though the guest's TLBI and DSB are complete.",
        )
        check(
            "no-hit-after-unmap",
            age2 == Age.CURRENT or not self.stage2_is_gone,
            "{vcpu} reaches on {cpu} a page that the host has unmapped and may have given to somebody else.",
        )

    @reachable
    def emulates_while_another_runs(self):
        """A TLBI is emulated while another vcpu is in the guest, whose TLB holds the old mapping."""
        return any(
            self.trapped[vcpu]
            and self.guest[cpu] is not None
            and self.guest[cpu] != vcpu
            and self.tlb.combined[cpu, Age.OLD, Age.CURRENT]
            for cpu in Cpu
            for vcpu in Vcpu
        )

    @reachable
    def both_at_once(self):
        """A TLBI is emulated while the host invalidates stage 2."""
        return any(
            self.trapped[vcpu] and self.mmu_lock.holder is not None and self.page_table_lock == vcpu for vcpu in Vcpu
        )

    @reachable
    def a_guests_invalidation_is_complete(self):
        """A vcpu runs after the DSB behind its TLBI: what it must not hit from then on is in question."""
        return any(self.guest[cpu] == vcpu and self.stage1_is_gone[vcpu] for cpu in Cpu for vcpu in Vcpu)

    @reachable
    def the_hosts_invalidation_is_complete(self):
        """A vcpu runs after the host has unmapped the page, and may have given it away."""
        return any(self.guest[cpu] is not None and self.stage2_is_gone for cpu in Cpu)

    policies = {
        "raw": Policy(
            "the RFC of 2016: the guest's operand as it is, with the guest's VMID and the host's TCR_EL1",
            {"context": Context.VMID, "operand": Operand.RAW},
            "no-stale-hit",
            also=(Expect("holds", {"misread": False}),),
        ),
        "nuke": Policy(
            "VMALLE1IS for everything, with the guest's VMID: what the discussion settled on",
            {"context": Context.VMID, "operand": Operand.VMALL},
            "holds",
            also=(
                Expect("holds", {"vhe": False}),
                Expect("holds", {"bsu": False}),
                Expect("holds", {"stale_context": True}),
            ),
        ),
        "sanitised": Policy(
            "the operand reduced to what it means under the guest's TCR_EL1, but executed under the host's",
            {"context": Context.VMID, "operand": Operand.SANITISED},
            "no-stale-hit",
            also=(Expect("holds", {"misread": False}),),
        ),
        "exact": Policy(
            "the operand reduced to what it means under the guest's TCR_EL1, and executed under that",
            {"context": Context.FULL, "operand": Operand.SANITISED},
            "holds",
        ),
        "nested": Policy(
            "today's code for a nested hypervisor's own regime: the raw operand, with its whole EL1 context loaded",
            {"context": Context.FULL, "operand": Operand.RAW},
            "holds",
        ),
        "wrong-vmid": Policy(
            "VMALLE1IS without loading the guest's VMID",
            {"context": Context.HOST, "operand": Operand.VMALL},
            "no-stale-hit",
        ),
        "as-issued": Policy(
            "a local TLBI of the guest is executed for this PE alone",
            {"context": Context.VMID, "operand": Operand.VMALL, "reach": Reach.AS_ISSUED},
            "no-stale-hit",
        ),
        "local-only": Policy(
            "every TLBI of the guest is executed for this PE alone",
            {"context": Context.VMID, "operand": Operand.VMALL, "reach": Reach.LOCAL},
            "no-stale-hit",
        ),
        "interruptible": Policy(
            "before commit c987876a80e7: interrupts stay on while the guest's context is loaded",
            {"context": Context.VMID, "operand": Operand.VMALL, "masked": False},
            "host-keeps-its-regime",
            also=(Expect("holds", {"vhe": False}),),
        ),
        "stage1-first": Policy(
            "stage 2 is invalidated after stage 1",
            {"context": Context.VMID, "operand": Operand.VMALL, "order": Order.STAGE1_THEN_STAGE2},
            "no-hit-after-unmap",
        ),
        "stage2-only": Policy(
            "TLBI IPAS2E1IS alone: combined entries stay",
            {"context": Context.VMID, "operand": Operand.VMALL, "order": Order.STAGE2_ONLY},
            "no-hit-after-unmap",
        ),
        "vmalls12": Policy(
            "TLBI VMALLS12E1IS for a stage-2 change: more than is needed",
            {"context": Context.VMID, "operand": Operand.VMALL, "order": Order.BOTH_AT_ONCE},
            "holds",
        ),
    }
