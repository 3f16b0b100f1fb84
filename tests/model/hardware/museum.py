"""Real bugs, written with the parts in about as many lines as the kernel has: each as it was, and as it was mended."""

from typing import Optional

from flushproof.model.hardware import Cpu, CrossCalls, Execution, Lock, Page, RwLock, Tasks, Thread, Vm, Vmid
from flushproof.model.language.declare import (
    Knob,
    Map,
    Policy,
    Sort,
    System,
    action,
    check,
    choose,
    event,
    final,
    initially,
    invariant,
    process,
    reachable,
    require,
)


class InterruptibleTlbi(System):
    """KVM/arm64 with VHE, c987876a80e7: the host clears HCR_EL2.TGE around a TLBI for a guest, and takes an interrupt in between.

    Follows __tlb_switch_to_guest_vhe and __tlb_switch_to_host_vhe in arch/arm64/kvm/hyp/tlb.c.
    """

    irqs_off = Knob(bool, True, "local_irq_save before TGE is cleared, and local_irq_restore when it is set again")
    policies = {
        "v5.0": Policy("Interrupts are on.", {"irqs_off": False}, "no-host-code-without-tge"),
        "v5.1": Policy("Interrupts are off (c987876a80e7).", {"irqs_off": True}, "holds"),
    }

    cpus = Execution()
    tge_clear: Map[Cpu, bool]

    @process(Cpu)
    def tlb_flush_vmid(self, cpu):
        """__kvm_tlb_flush_vmid"""
        with self.cpus.task(cpu):
            flags = self.cpus.local_irq_save(cpu) if self.irqs_off else False
            yield "writes VTTBR_EL2, clears TGE"
            self.tge_clear[cpu] = True
            yield "TLBI VMALLS12E1IS, DSB ISH; sets TGE"
            self.tge_clear[cpu] = False
            if self.irqs_off:
                yield "local_irq_restore"
                self.cpus.local_irq_restore(cpu, flags)

    @process(Cpu)
    def interrupt(self, cpu):
        """takes an interrupt"""
        with self.cpus.hardirq(cpu):
            yield "returns from it"

    @invariant("{cpu} handles an interrupt with TGE clear: the host's code runs in the guest's translation regime.")
    def no_host_code_without_tge(self):
        return all(not (self.tge_clear[cpu] and self.cpus.hardirq.inside[cpu]) for cpu in Cpu)

    @reachable
    def an_interrupt_is_handled(self):
        return any(self.cpus.hardirq.inside[cpu] for cpu in Cpu)


class RemoteFenceRollover(System):
    """KVM/RISC-V, v5.16 to v5.18: at a VMID rollover the other harts' firmware fences, and no guest exits.

    Follows kvm_riscv_stage2_vmid_update in arch/riscv/kvm/vmid.c, and the run loop, which checks the version again.
    """

    exits = Knob(bool, True, "the others take an IPI (on_each_cpu_mask), rather than a fence of their firmware's")
    policies = {
        "v5.16": Policy("The firmware fences.", {"exits": False}, "no-foreign-hit"),
        "v5.19": Policy("Everyone exits and fences (13acfec2dbcc).", {"exits": True}, "holds"),
    }
    sizes = {Cpu: 2, Vm: 2, Vmid: 1}

    cpus = Execution()
    ipi = CrossCalls(cpus)
    sbi = CrossCalls(cpus, maskable=False)
    vmid_lock = Lock()
    vmid: Map[Vm, Optional[Vmid]]
    """None: of an earlier version."""
    hgatp: Map[Cpu, Optional[Vm]]
    cached: Map[Cpu, Vmid, Vm, bool]
    runs: Map[Cpu, Optional[Vmid]]

    @action
    def fill(self, cpu: Cpu, vm: Vm, vmid: Vmid):
        """the walker caches a translation of {vm} under {vmid}"""
        require(self.cpus.in_guest(cpu) and self.hgatp[cpu] == vm and self.runs[cpu] == vmid)
        self.cached[cpu, vmid, vm] = True

    @action
    def takes_ipi(self, cpu: Cpu, caller: Cpu):
        """HFENCE.GVMA, in the interrupt"""
        with self.ipi(cpu, caller):
            self.cached[cpu, :, :] = False

    @action
    def firmware_fences(self, cpu: Cpu, caller: Cpu):
        """HFENCE.GVMA, in M-mode"""
        with self.sbi(cpu, caller):
            self.cached[cpu, :, :] = False

    @process(Cpu)
    def vcpu_run(self, cpu):
        """kvm_arch_vcpu_ioctl_run"""
        with self.cpus.task(cpu):
            vm = choose(Vm)
            if self.vmid[vm] is None:
                yield from self.vmid_update(cpu, vm)
            yield "local_irq_disable; checks the version again"
            with self.cpus.irqs_disabled(cpu):
                if self.vmid[vm] is None:
                    return
                with self.cpus.guest(cpu):
                    self.hgatp[cpu] = vm
                    self.runs[cpu] = self.vmid[vm]
                    yield "exits the guest"
                    self.hgatp[cpu] = None
                    self.runs[cpu] = None

    def vmid_update(self, cpu, vm):
        yield "spin_lock(&vmid_lock)"
        with self.vmid_lock(cpu):
            if self.vmid[vm] is not None:
                return
            if all(any(self.vmid[other] == number for other in Vm) for number in Vmid):
                for other in Vm:
                    self.vmid[other] = None
                if self.exits:
                    self.ipi.call(cpu)
                else:
                    self.sbi.call(cpu)
                self.cached[cpu, :, :] = False
                yield "all harts have fenced"
                self.ipi.wait(cpu)
                self.sbi.wait(cpu)
            yield "takes a VMID; spin_unlock"
            self.vmid[vm] = choose(Vmid, where=lambda n: all(self.vmid[other] != n for other in Vm))

    @event
    def tlb_hit(self, cpu: Cpu, vm: Vm, owner: Vm, vmid: Vmid):
        """{vm} hits an entry under {vmid}"""
        require(
            self.cpus.in_guest(cpu)
            and self.hgatp[cpu] == vm
            and self.runs[cpu] == vmid
            and self.cached[cpu, vmid, owner]
        )
        check("no-foreign-hit", owner is vm, because="{vm} hits an entry of {owner} on {cpu}: both had {vmid}.")

    @reachable
    def both_vms_have_run(self):
        return any(self.cached[a, number, vm] and self.vmid[vm] is None for a in Cpu for number in Vmid for vm in Vm)


class Va(Sort):
    """A virtual page, whose entry is in a page table of its own."""


class MremapUnlocks(System):
    """Linux, eb66ae030829 (CVE-2018-18281): mremap() drops the page table locks before it flushes what it has moved.

    Follows move_ptes in mm/mremap.c, and truncation, which finds a mapping by its page, unmaps it under its lock, and frees it.
    """

    flush_first = Knob(bool, True, "flush the old range before the page table locks are dropped")
    policies = {
        "v4.18": Policy("Unlock, then flush.", {"flush_first": False}, "no-use-after-free"),
        "v4.19": Policy("Flush, then unlock (eb66ae030829).", {"flush_first": True}, "holds"),
    }

    cpus = Execution()
    calls = CrossCalls(cpus)
    mmap_lock = RwLock()
    ptl = Lock(per=Va)
    mapped_at: Optional[Va]
    cached: Map[Cpu, Va, bool]
    freed: bool

    @initially
    def somewhere(self):
        self.mapped_at = choose(Va)

    @action
    def fill(self, cpu: Cpu, va: Va):
        """the walker caches the entry of {va}"""
        require(self.mapped_at == va)
        self.cached[cpu, va] = True

    @action
    def flush_tlb_func(self, cpu: Cpu, caller: Cpu):
        """flushes the TLB, in the IPI"""
        with self.calls(cpu, caller):
            self.cached[cpu, :] = False

    def flush_tlb_range(self, cpu):
        yield "flush_tlb_range: sends the IPIs"
        self.cached[cpu, :] = False
        self.calls.call(cpu)
        yield "flush_tlb_range: waits for them"
        self.calls.wait(cpu)

    @process(Cpu)
    def mremap(self, cpu):
        """move_ptes takes both page table locks"""
        with self.cpus.task(cpu), self.mmap_lock.write(cpu):
            old, new = choose(Va), choose(Va)
            with self.ptl(cpu, old), self.ptl(cpu, new):
                require(self.mapped_at == old)
                self.mapped_at = new
                if self.flush_first:
                    yield from self.flush_tlb_range(cpu)
                else:
                    yield "drops the page table locks"
            if not self.flush_first:
                yield from self.flush_tlb_range(cpu)

    @process(Cpu)
    def ftruncate(self, cpu):
        """zap_pte_range takes the page table lock"""
        with self.cpus.task(cpu):
            va = choose(Va)
            with self.ptl(cpu, va):
                require(self.mapped_at == va)
                self.mapped_at = None
                yield from self.flush_tlb_of(cpu, va)
            yield "frees the page"
            self.freed = True

    def flush_tlb_of(self, cpu, va):
        """Truncation flushes the one address at which it has found the page, and nothing else."""
        yield "flush_tlb_page"
        self.cached[:, va] = False

    @event
    def access(self, cpu: Cpu, va: Va):
        """user space hits the entry of {va}"""
        require(self.cpus.in_user(cpu) and self.cached[cpu, va])
        check("no-use-after-free", not self.freed, because="{cpu} reaches the page at {va}, though it was freed.")

    @final
    def it_is_gone(self):
        return self.freed

    @reachable
    def the_page_is_freed(self):
        return self.freed


class AsidFootprints(System):
    """Linux/RISC-V, 82dd33fde026: a hart that switches away from an address space leaves its mm_cpumask, and keeps its entries.

    Follows set_mm in arch/riscv/mm/context.c and __flush_tlb_range in arch/riscv/mm/tlbflush.c, with ASIDs; each thread has
    an address space of its own.
    """

    keeps = Knob(bool, True, "a hart stays in mm_cpumask when it switches away")
    policies = {
        "v6.2": Policy("The hart leaves the mask.", {"keeps": False}, "no-stale-hit"),
        "v6.3": Policy("It stays (82dd33fde026).", {"keeps": True}, "holds"),
    }

    def set_mm(self, cpu, thread):
        if not self.keeps:
            self.mm_cpumask[:, cpu] = False
        self.mm_cpumask[thread, cpu] = True

    cpus = Execution()
    tasks = Tasks(cpus, switch=set_mm)
    sbi = CrossCalls(cpus, Thread, maskable=False)
    mm_cpumask: Map[Thread, Cpu, bool]
    pte: Map[Thread, Page]
    cached: Map[Cpu, Thread, Page, bool]

    @action
    def fill(self, cpu: Cpu, thread: Thread):
        """the walker caches the page of {thread}"""
        require(self.tasks.on[thread] == cpu)
        self.cached[cpu, thread, self.pte[thread]] = True

    @action
    def sfence_vma_asid(self, cpu: Cpu, caller: Cpu, thread: Thread):
        """the firmware of {cpu} fences the ASID of {thread}"""
        with self.sbi(cpu, caller, thread):
            self.cached[cpu, thread, :] = False

    @process(Thread)
    def copy_on_write(self, thread):
        """do_wp_page maps another page"""
        with self.tasks(thread):
            old = self.pte[thread]
            self.pte[thread] = choose(Page, where=lambda page: page != old)
            yield "flush_tlb_page: get_cpu, sbi_remote_sfence_vma_asid(mm_cpumask)"
            with self.tasks.preempt_disabled(thread):
                cpu = self.tasks.smp_processor_id(thread)
                self.cached[cpu, thread, :] = False
                self.sbi.call(cpu, thread, to=lambda c: self.mm_cpumask[thread, c])
                yield "the others have fenced; put_cpu"
                self.sbi.wait(cpu)

    @event
    def tlb_hit(self, cpu: Cpu, thread: Thread, page: Page):
        """{thread} uses the entry for {page}"""
        require(self.tasks.on[thread] == cpu and self.tasks.in_user(thread) and self.cached[cpu, thread, page])
        check(
            "no-stale-hit",
            self.pte[thread] == page,
            because="{thread} still hits {page} on {cpu}, and has another page.",
        )

    @reachable
    def a_thread_comes_back_to_its_entries(self):
        return any(
            self.cached[cpu, thread, page]
            and self.tasks.on[thread] == other
            and self.pte[thread] == page
            and cpu != other
            for cpu in Cpu
            for other in Cpu
            for thread in Thread
            for page in Page
        )
