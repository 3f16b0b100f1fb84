"""I-cache isolation between the vcpus of one VM (KVM/arm64, March 2021).

**The story.**  A vcpu that patches code does what the architecture prescribes: store, DC CVAU, DSB, IC IVAU, DSB, ISB: the new
bytes are visible to every PE that fetches from the point of unification.  A vcpu of the same VM that runs with its stage-1
MMU off may fetch from the point of coherency, where the old bytes may still be, and its PE may keep them in its I-cache,
*after* the patching vcpu's invalidation.  On bare metal that is the PE's own business.  Under a hypervisor the two vcpus may
share a PE, one after the other, and the patching vcpu then executes bytes that it has replaced.

**What is modelled.**  One VM and one line of its code.  Per vcpu: the guest's patching, one instruction a step; switching
the MMU on as arm64 Linux does (SCTLR.M, then IC IALLU, DSB NSH, ISB, to be rid of what was fetched from the PoC); off at
any time.  Guest code patches under a mutex of its own (Linux: text_mutex).  Per PE: KVM's vcpu_load with the comparison of
`last_vcpu_ran`, the flush one instruction a step, guest entry and exit, and vcpu_put with the DSB of the host's
__switch_to; preemption and migration of vcpus at every step of the guest.

**What is atomic, and why.**  `last_vcpu_ran` of a PE is compared and written in one step: only this PE uses it, in
vcpu_load, with preemption off.  Guest entry and exit are single steps: nothing of the world switch touches what is
modelled.  A stage-2 exec fault and a write fault are one step each: under `mmu_lock`, with the line neither writable nor
executable in between.

**Moved pages.**  With `moves_page` the host, on a PE that no guest is on, also gives the line another page, which the guest
executed before with other bytes.  A host at EL1 cannot invalidate by VA what a guest fetched into a VPIPT I-cache.  Lines have
physical tags: those of the page that goes are not hit through the new one.  Where the host's IC misses them, they stand for those
of the page that comes, as if the guest had executed both on the same PEs; elsewhere neither page has any.

**The VMM** has copied guest text into the line before any vcpu runs; no I-cache has anything of it, and `vmm_cleans` says how far
it is cleaned.  A page that is mapped later (`stage2=on-first-fetch`) KVM cleans to the PoC itself, unless there is FWB.

**What is left out.**  The TLB: a TLBI leaves the I-cache alone, so the step `TLBI VMALLE1` is there to be counted and no more.
Stores by a vcpu with its MMU off, which go past the caches, and of the VMM while vcpus run.  VIPT I-caches with aliases.  VMs
that hand a page to each other, VMID rollover, a VM's reboot.  The page says more.

**Sources.**  Commit 01dc9262ff57 "KVM: arm64: Ensure I-cache isolation between vcpus of a same VM" (v5.12) and its thread
on the linux-arm-kernel list, 5 to 9 March 2021; set_sctlr_el1 in arch/arm64/include/asm/assembler.h; __switch_to in
arch/arm64/kernel/process.c; __kvm_tlb_flush_vmid_ipa in arch/arm64/kvm/hyp/nvhe/tlb.c (VPIPT, while Linux supported it);
user_mem_abort in arch/arm64/kvm/mmu.c; Arm ARM DDI 0487, "Concurrent modification and execution of instructions" and
"Instruction caches"; CTR_EL0.{IDC, DIC}, FEAT_S2FWB, HCR_EL2.{FB, BSU, TPU}.

**What the verdicts mean.**  `no-stale-fetch` is what the commit is for: who has patched by the book, and has not fetched
with the MMU off since, executes new bytes only.  `transparent` asks more: no vcpu at all executes bytes that it could not
have executed on a machine of its own.  `vmm-text`: nobody executes what was there before the VMM's copy, while nobody has
stored since.  A policy that holds gives all three; under which assumptions about the hardware, the toggles say.
"""

from __future__ import annotations

import enum
from typing import Annotated, Optional

from flushproof.model.hardware.costs import DSB_WAIT, GUEST_EXITS, ICACHE_BC, LOCAL_TAG, OF_ICACHE, count_invalidation
from flushproof.model.hardware.events import FAULT, MMU_SWITCH, PATCH, UNMAP
from flushproof.model.hardware.guest_context import RunningVcpus
from flushproof.model.hardware.icache import Bytes, Cleaned, InstructionSide, Mmu, Point
from flushproof.model.hardware.sorts import Cpu, Vcpu
from flushproof.model.hardware.tlbi import Scope
from flushproof.model.hardware.toggles import BARRIER_UPGRADE, FORCE_BROADCAST
from flushproof.model.hardware.vcpus import LastRan, VcpuThreads
from flushproof.model.language.declare import (
    Expect,
    Ghost,
    Knob,
    Map,
    Policy,
    System,
    View,
    action,
    check,
    choose,
    cost,
    event,
    initially,
    occurs,
    process,
    reachable,
    require,
)


class When(enum.Enum):
    """When vcpu_load flushes."""

    NEVER = "never"
    MIGRATION = "the vcpu was loaded on another PE before"
    LAST_RAN = "another vcpu of the VM was loaded on this PE before"
    EITHER = "the one or the other"
    ALWAYS = "at each load"


WHEN = (
    (When.NEVER, When.MIGRATION),
    (When.NEVER, When.LAST_RAN),
    (When.MIGRATION, When.EITHER),
    (When.LAST_RAN, When.EITHER),
    (When.EITHER, When.ALWAYS),
)
"""Which of them flush whenever another one does."""


class Stage2(enum.Enum):
    """How stage 2 maps the line for execution."""

    EXECUTABLE = "always executable"
    ON_FIRST_FETCH = "XN until a vcpu first wants to execute it, executable from then on"
    WRITE_XOR_EXECUTE = "never writable and executable at a time"


class IcacheIsolation(LastRan, VcpuThreads, RunningVcpus, System):
    """I-cache isolation between vcpus of one VM: what vcpu_load must do besides flushing the TLB."""

    name = "kvm-icache"

    when = Knob(When, When.LAST_RAN, "when vcpu_load flushes", order=WHEN)
    flush = Knob(Scope, Scope.LOCAL, "none: TLBI alone; local: and IC IALLU; broadcast: and IC IALLUIS", order="rising")
    only_after_mmu_off = Knob(
        bool, False, "skip the IC if no vcpu ran with its MMU off on this PE since the last one", order="falling"
    )
    clean_to_poc = Knob(
        bool, False, "trap the guest's IC IVAU (HCR_EL2.TPU) and clean the line to the PoC before it", order="rising"
    )
    stage2 = Knob(Stage2, Stage2.EXECUTABLE, "how stage 2 maps the line for execution")

    moves_page = Knob(
        bool, False, "the host moves the line to another page that the guest executed before (KSM breaks a sharing)", toggle=True
    )
    ic_at_unmap = Knob(bool, True, "with VPIPT and the host at EL1, unmapping a page executes IC IALLUIS at EL2", order="rising")

    vmm_cleans = Knob(Cleaned, Cleaned.TO_POC, "how far the VMM has cleaned the guest text that it copied", toggle=True)

    fb = FORCE_BROADCAST
    vhe = Knob(bool, True, "the host runs at EL2", toggle=True)
    bsu = BARRIER_UPGRADE
    fwb_reaches_fetch = Knob(bool, False, "with FWB a fetch with the MMU off is cacheable too (Catalin's reading)", toggle=True)
    dic_reaches_poc = Knob(bool, False, "with DIC the I-side follows the D-side with the MMU off too (Marc's reading)", toggle=True)
    off_is_cacheable = Knob(bool, False, "with SCTLR.I=1 a fetch with the MMU off is cacheable (Alexandru's reading)", toggle=True)

    last_vcpu_ran: Map[Cpu, Optional[Vcpu]]
    last_cpu: Map[Vcpu, Optional[Cpu]]
    ran_with_mmu_off: Map[Cpu, bool]
    mmu: Annotated[Map[Vcpu, Mmu], View("context", "stage-1 MMU")]
    text_mutex: Annotated[Optional[Vcpu], View("lock", "text_mutex")]
    executable: Annotated[bool, View("table", "stage 2: executable")]
    has_patched: Ghost[Map[Vcpu, bool]]
    vmm_text: Annotated[Ghost[bool], View("table", "as the VMM copied it")]

    # ------------------------------------------------------------------------------------------------- instruction fetch

    def live_context(self, cpu):
        return self.guest[cpu]

    def off_looks_at_poc(self):
        """Whether a fetch with the MMU off may come from the PoC: unless one of the disputed readings holds."""
        cacheable = self.off_is_cacheable or (self.icache.fwb and self.fwb_reaches_fetch)
        return not (cacheable or (self.icache.dic and self.dic_reaches_poc))

    def fetches_from(self, vcpu):
        return Point.POC if self.mmu[vcpu] == Mmu.OFF and self.off_looks_at_poc() else Point.POU

    def stage2_executable(self):
        return self.executable

    icache = InstructionSide(context=live_context, sees=fetches_from, executable=stage2_executable)

    @initially
    def boot(self):
        self.executable = self.stage2 == Stage2.EXECUTABLE
        self.icache.copied(self.vmm_cleans)
        self.vmm_text = self.vmm_cleans != Cleaned.TO_POC

    # -------------------------------------------------------------------------------------------------------- KVM, per PE

    def vm_index(self, vcpu):
        return ()

    def must_flush(self, cpu, vcpu):
        other_ran = self.ran_last(cpu, vcpu) != vcpu
        moved = self.moved(cpu, vcpu)
        if self.when == When.LAST_RAN:
            return other_ran
        if self.when == When.MIGRATION:
            return moved
        if self.when == When.EITHER:
            return other_ran or moved
        return self.when == When.ALWAYS

    def must_flush_icache(self, cpu):
        return self.flush != Scope.NONE and (self.ran_with_mmu_off[cpu] or not self.only_after_mmu_off)

    def vcpu_load(self, cpu):
        yield "vcpu_load({vcpu})"
        vcpu = self.load(cpu)
        flush = self.must_flush(cpu, vcpu)
        self.note(cpu, vcpu)
        if flush:
            yield "TLBI VMALLE1"
            cost(LOCAL_TAG)
            if self.must_flush_icache(cpu):
                if self.flush == Scope.BROADCAST:
                    yield "IC IALLUIS"
                else:
                    yield "IC IALLU"
                count_invalidation(self.flush, OF_ICACHE)
                self.ran_with_mmu_off[cpu] = False
                self.icache.ic(cpu, self.flush)
            yield "DSB; ISB"
            cost(DSB_WAIT)
            self.icache.dsb(cpu)

    def enter_guest(self, cpu):
        self.icache.synchronize(cpu)
        super().enter_guest(cpu)
        self.note_mmu_off(cpu, self.vcpus.loaded[cpu])

    def exit_guest(self, cpu):
        self.icache.synchronize(cpu)
        super().exit_guest(cpu)

    def vcpu_put(self, cpu):
        yield "vcpu_put: DSB ISH in __switch_to"
        cost(DSB_WAIT)
        self.icache.dsb(cpu)

    def note_mmu_off(self, cpu, vcpu):
        """KVM would have to trap SCTLR_EL1 writes (HCR_EL2.TVM) to know."""
        if self.only_after_mmu_off and self.mmu[vcpu] == Mmu.OFF:
            self.ran_with_mmu_off[cpu] = True

    # ------------------------------------------------------------------------------------------------- stage-2 permissions

    def host_ic_reaches_guests(self):
        """Whether an IC by VA that the host executes concerns the lines that guests fetched."""
        return not self.icache.vpipt or self.vhe

    @action
    def exec_fault(self, cpu: Cpu):
        """stage-2 exec fault on {cpu}: user_mem_abort maps the line executable"""
        require(self.guest[cpu] is not None and not self.executable)
        occurs(FAULT)
        cost(GUEST_EXITS)
        if not self.icache.fwb:
            self.icache.older[:] = False
        cost(ICACHE_BC)
        if self.host_ic_reaches_guests():
            for pe in Cpu:
                self.icache.drop_line(pe)
        self.executable = True

    @action
    def move_page(self, cpu: Cpu):
        """the host unmaps the line on {cpu} and moves it to a page with other bytes, which the guest executed before"""
        require(self.moves_page and self.executable and self.text_mutex is None and self.guest[cpu] is None)
        occurs(UNMAP)
        self.executable = False
        self.icache.replace(self.host_ic_reaches_guests() or self.ic_at_unmap)
        self.vmm_text = False
        self.has_patched[:] = False

    @action
    def write_fault(self, cpu: Cpu):
        """stage-2 write fault on {cpu}: the line is mapped XN and writable, once the old mapping has left all TLBs"""
        require(self.stage2 == Stage2.WRITE_XOR_EXECUTE and self.guest[cpu] is not None and self.executable)
        occurs(FAULT)
        cost(GUEST_EXITS)
        self.executable = False

    def writable(self):
        """Whether a store needs no stage-2 fault first."""
        if self.stage2 == Stage2.EXECUTABLE:
            return self.executable
        return self.stage2 == Stage2.ON_FIRST_FETCH or not self.executable

    # ----------------------------------------------------------------------------------------------------- guest, per vcpu

    @process(Vcpu)
    def patch(self, vcpu):
        """{vcpu} patches code"""
        yield "STR the new bytes: what was fetched is OLDER now"
        cpu = choose(Cpu, where=lambda c: self.guest[c] == vcpu)
        require(self.mmu[vcpu] == Mmu.ON and self.text_mutex is None and self.writable())
        occurs(PATCH)
        self.text_mutex = vcpu
        self.icache.store(cpu)
        self.has_patched[:] = self.vmm_text = False
        if self.icache.needs_dc():
            yield "DC CVAU"
            self.icache.dc_cvau(self.pe(vcpu))
        yield "first DSB ISH"
        self.icache.dsb(self.pe(vcpu))
        if not self.icache.dic:
            if self.clean_to_poc:
                yield "trapped IC IVAU: DC CVAC"
                cost(GUEST_EXITS)
                self.icache.dc_cvac(self.pe(vcpu))
                yield "trapped IC IVAU: DSB ISH"
                cost(DSB_WAIT)
                self.icache.dsb(self.pe(vcpu))
            yield "IC IVAU"
            self.icache.ic(self.pe(vcpu), Scope.BROADCAST)
            self.icache.own_invalidate(vcpu, True)
            yield "DSB ISH after IC IVAU"
            self.icache.dsb(self.pe(vcpu))
            self.icache.own_dsb(vcpu)
        yield "ISB"
        self.icache.synchronize(self.pe(vcpu))
        self.icache.own_synchronize(vcpu)
        self.has_patched[vcpu] = True
        self.text_mutex = None

    @process(Vcpu)
    def enable_mmu(self, vcpu):
        """{vcpu} switches its MMU on"""
        yield "SCTLR_EL1.M := 1; ISB"
        cpu = choose(Cpu, where=lambda c: self.guest[c] == vcpu)
        require(self.mmu[vcpu] == Mmu.OFF)
        occurs(MMU_SWITCH)
        self.mmu[vcpu] = Mmu.ENABLING
        yield "IC IALLU"
        cpu = choose(Cpu, where=lambda c: self.guest[c] == vcpu)
        self.icache.ic(cpu, Scope.BROADCAST if self.fb else Scope.LOCAL)
        self.icache.own_invalidate(vcpu, False)
        yield "DSB NSH"
        cpu = choose(Cpu, where=lambda c: self.guest[c] == vcpu)
        if self.bsu:
            self.icache.dsb(cpu)
        else:
            self.icache.dsb_nsh(cpu)
        self.icache.own_dsb(vcpu)
        yield "ISB"
        cpu = choose(Cpu, where=lambda c: self.guest[c] == vcpu)
        self.icache.synchronize(cpu)
        self.icache.own_synchronize(vcpu)
        self.mmu[vcpu] = Mmu.ON

    @action
    def disable_mmu(self, cpu: Cpu, vcpu: Vcpu):
        """{vcpu} on {cpu} switches its MMU off"""
        require(self.guest[cpu] == vcpu and self.mmu[vcpu] == Mmu.ON and self.text_mutex != vcpu)
        occurs(MMU_SWITCH)
        self.mmu[vcpu] = Mmu.OFF
        self.note_mmu_off(cpu, vcpu)
        self.has_patched[vcpu] = False

    # ---------------------------------------------------------------------------------------------------------- properties

    @event
    def execute(self, cpu: Cpu, vcpu: Vcpu):
        """{vcpu} executes the older bytes on {cpu}"""
        require(self.guest[cpu] == vcpu and self.icache.pipeline[cpu, Bytes.OLDER] and self.executable)
        check(
            "no-stale-fetch",
            not self.has_patched[vcpu],
            "{vcpu} has patched this code by the book and not fetched with its MMU off since, and executes the old bytes on {cpu}.",
        )
        check(
            "transparent",
            self.icache.own_pipeline[vcpu],
            "{vcpu} executes on {cpu} old bytes that it could not have executed on a machine of its own.",
        )
        check("vmm-text", not self.vmm_text, "{vcpu} executes on {cpu} what was there before the VMM copied the guest's text.")

    @reachable
    def executes_where_another_vcpu_did(self):
        """A vcpu that has patched is back on a PE on which another vcpu was in the meantime."""
        return any(
            self.guest[cpu] == vcpu
            and self.has_patched[vcpu]
            and any(self.last_cpu[v] == cpu for v in Vcpu if v != vcpu)
            for cpu in Cpu
            for vcpu in Vcpu
        )

    @reachable
    def patches_while_another_runs(self):
        """A vcpu patches while another one, with its MMU off, is in the guest."""
        return any(
            self.text_mutex is not None
            and self.text_mutex != vcpu
            and self.guest[cpu] == vcpu
            and self.mmu[vcpu] == Mmu.OFF
            for cpu in Cpu
            for vcpu in Vcpu
        )

    policies = {
        "tlb-only": Policy(
            "before the fix: vcpu_load flushes the TLB, and the I-cache keeps what the last vcpu fetched",
            {"flush": Scope.NONE}, "no-stale-fetch",
            also=(
                Expect("no-stale-fetch", {"icache.vpipt": True}),
                Expect("no-stale-fetch", {"icache.idc": True}),
                Expect("no-stale-fetch", {"icache.dic": True}),
                Expect("holds", {"icache.dic": True, "dic_reaches_poc": True}),
                Expect("no-stale-fetch", {"icache.fwb": True}),
                Expect("holds", {"icache.fwb": True, "fwb_reaches_fetch": True}),
                Expect("holds", {"off_is_cacheable": True}),
            ),
        ),
        "ic-iallu": Policy(
            "commit 01dc9262ff57: IC IALLU whenever another vcpu of the VM was loaded here before",
            {"flush": Scope.LOCAL, "when": When.LAST_RAN}, "holds",
            also=(
                Expect("holds", {"icache.dic": True}),
                Expect("holds", {"icache.fwb": True}),
                Expect("holds", {"icache.vpipt": True}),
                Expect("holds", {"bsu": False}),
                Expect("transparent", {"fb": False}),
                Expect("vmm-text", {"vmm_cleans": Cleaned.TO_POU, "icache.fwb": True}),
                Expect("holds", {"vmm_cleans": Cleaned.NOT, "icache.fwb": True, "fwb_reaches_fetch": True}),
                Expect("holds", {"vmm_cleans": Cleaned.TO_POU, "off_is_cacheable": True}),
                Expect("vmm-text", {"vmm_cleans": Cleaned.NOT, "off_is_cacheable": True}),
            ),
        ),
        "on-migration": Policy(
            "the same flush, but when the vcpu comes from another PE",
            {"flush": Scope.LOCAL, "when": When.MIGRATION}, "no-stale-fetch",
        ),
        "both": Policy(
            "the same flush in both cases: what FB=0 would need",
            {"flush": Scope.LOCAL, "when": When.EITHER}, "holds", also=(Expect("holds", {"fb": False}),),
        ),
        "always": Policy("the same flush at each load", {"flush": Scope.LOCAL, "when": When.ALWAYS}, "holds"),
        "broadcast": Policy(
            "IC IALLUIS in place of IC IALLU: more than is needed",
            {"flush": Scope.BROADCAST, "when": When.LAST_RAN}, "holds",
        ),
        "tracked": Policy(
            "IC IALLU only if a vcpu ran here with its MMU off since the last one; KVM would have to trap SCTLR_EL1 writes",
            {"flush": Scope.LOCAL, "when": When.LAST_RAN, "only_after_mmu_off": True}, "holds",
            also=(Expect("holds", {"icache.dic": True}), Expect("transparent", {"fb": False})),
        ),
        "xn-until-fetched": Policy(
            "no IC IALLU; stage 2 maps a page XN until it is first executed, as KVM does",
            {"flush": Scope.NONE, "stage2": Stage2.ON_FIRST_FETCH}, "no-stale-fetch",
        ),
        "write-xor-execute": Policy(
            "no IC IALLU; stage 2 never maps a page writable and executable, and an exec fault cleans it to the PoC",
            {"flush": Scope.NONE, "stage2": Stage2.WRITE_XOR_EXECUTE}, "holds",
            also=(Expect("holds", {"icache.dic": True}), Expect("no-stale-fetch", {"icache.fwb": True})),
        ),
        "clean-to-poc": Policy(
            "no IC IALLU; the guest's IC IVAU is trapped, and the line is cleaned to the PoC before it: not enough for three vcpus",
            {"flush": Scope.NONE, "clean_to_poc": True}, "holds",
            also=(Expect("transparent", sizes={"cpu": 1, "vcpu": 3}), Expect("no-stale-fetch", {"icache.dic": True})),
        ),
        "move-page": Policy(
            "as ic-iallu, while the host moves pages: an IC by VA where the page is mapped again, and no more",
            {"flush": Scope.LOCAL, "moves_page": True, "ic_at_unmap": False}, "holds",
            also=(Expect("holds", {"icache.vpipt": True}), Expect("transparent", {"icache.vpipt": True, "vhe": False})),
        ),
        "move-page-ic": Policy(
            "the same, with IC IALLUIS at EL2 where a page is unmapped (while Linux supported VPIPT)",
            {"flush": Scope.LOCAL, "moves_page": True, "ic_at_unmap": True}, "holds",
            also=(Expect("holds", {"icache.vpipt": True, "vhe": False}),),
        ),
    }
