"""asidalloc.tla: the TLA+ model of arm64's ASID allocator, by its maintainer, at the labels of its PlusCal.

arm64's ASID allocator is what KVM's VMID allocator was made from, and its model is the kernel's own: kernel-tla.git says on top
which C file it is about, and keeps that file's names.  Two things are in it that `tla-vmidalloc` does not have: each CPU flushes
its own TLB when it next takes the lock, and page table entries that are unmapped meanwhile, by anybody.

What is modelled
    Each label of the PlusCal is one step, in its order, and each of its variables is one here, less locals that no later step
    reads.  A task is an address space (mm).  Number 0 of an ASID, generation 0 of a word and task 0 are there, as in the spec,
    and mean "none"; the last two are None here.  CHOOSE takes the lowest free number, and CPUs in their order.  The spec bounds
    the generations; here they are renamed by rank, so that any number of rollovers is covered (`--rename off --bound 2` is
    GENERATIONS = 3).  Each task has one page table entry, which is unmapped once, by the process TTU (try_to_unmap).
    The constant CnP is taken apart, since it decides three things: what is asked (`cnp`), whether TTBR0 is the reserved one while
    active_asids is changed (`reserved_ttbr0`), and which TLBs a CPU flushes that has one pending (`flush`).
What is left out
    All that the spec leaves out: an entry appears when TTBR0 is set, and again behind a flush of all TLBs, at no other time; the
    reads of one label are one step; no memory order (which arm64's fix 5e10f9887ed8, of unmapping against a rollover, is about).

What the verdicts mean
    TypeInv, UniqueASIDAllCPUs, UniqueASIDPerCPU, SameASIDActiveTask, UniqueASIDActiveTask and TLBEmptyInvalPTE are those of
    asidalloc.cfg; EmptySlots is the comment that a number is free behind a rollover.  With 2 CPUs `spec-cnp` breaks
    TLBEmptyInvalPTE: flush_tlb_all fills in an entry for each CPU that has a task in TTBR0, whether or not the task's page table
    entry is mapped.  That is a fault of the spec and not of the kernel: a walk of an unmapped entry finds nothing to cache.
    `cnp-walks-ptes` is the spec with the question that cpu_switch_mm asks there too, and does not break it.

Sources: kernel-tla.git of Catalin Marinas, asidalloc.tla at 5f139826c76e, asidalloc.cfg; arch/arm64/mm/context.c.
"""

import enum
from typing import Annotated, Optional

from flushproof.model.hardware.bitmaps import Bitmap
from flushproof.model.hardware.locks import Lock
from flushproof.model.hardware.vmid_words import Generation, VmidWords
from flushproof.model.language.declare import (
    Expect,
    Knob,
    Map,
    OrderedEnum,
    Policy,
    Sort,
    System,
    View,
    at,
    choose,
    each,
    fresh,
    initially,
    invariant,
    process,
    reachable,
    require,
)


class Cpu(Sort, ordered=True, size=1):
    """A CPU; the spec's CHOOSE takes them in one order."""


class Task(Sort, size=3):
    """A context id: an address space."""


class Asid(Sort, ordered=True, size=3):
    """An ASID, from 0, which is nobody's."""


class Ttu(Sort, size=1):
    """The process TTU, which unmaps."""


class Pte(enum.Enum):
    """A page table entry: mapped; unmapped, but maybe cached; unmapped, and its TLBI is over."""

    MAPPED = 0
    UNMAPPED = 1
    INVAL = 2


class Flush(OrderedEnum):
    """What a CPU with a pending flush does: local_flush_tlb_all, or flush_tlb_all for all CPUs."""

    LOCAL = 0
    ALL = 1


NULL_ASID = (None, 0)
"""MakeAsid(0, 0): the spec's first generation is 1, here it is 0, and its generation 0 is None."""


class TlaAsidalloc(System):
    """arm64's ASID allocator as its maintainer wrote it down for TLC: no TLB is left with two address spaces under one ASID."""

    name = "tla-asidalloc"
    sizes = {Cpu: 1, Task: 3, Asid: 3}

    reserved_ttbr0 = Knob(bool, False, "TTBR0 is the reserved one while active_asids is changed")
    flush = Knob(Flush, Flush.LOCAL, "what a CPU with a pending flush does")
    walks_ptes = Knob(bool, False, "flush_tlb_all fills in an entry only for what is mapped, as cpu_switch_mm does")
    unmapping = Knob(bool, True, "page table entries are unmapped (the process TTU)", toggle=True)
    cnp = Knob(bool, False, "CPUs use each other's TLB entries (TTBR0_EL1.CnP)", toggle=True)

    tlb: Annotated[Map[Cpu, Asid, Task, bool], View("cache", "TLB", tag=1, by=(2,))]
    pte: Annotated[Map[Task, Pte], View("table", "pte")]
    active_task: Annotated[Map[Cpu, Optional[Task]], View("context", "active_mm.task")]
    active_asid: Annotated[Map[Cpu, Asid], View("context", "active_mm.asid")]
    asid_generation: Generation
    tlb_flush_pending: Annotated[Map[Cpu, bool], View("pending", "flush")]
    cur_idx: Asid

    cpu_asid_lock = Lock(by=Cpu)
    asid_map = Bitmap(Asid, "asid_map")
    cpus = Bitmap(Cpu, "cpus")
    active_asids = VmidWords(Cpu, Asid)
    reserved_asids = VmidWords(Cpu, Asid)
    mm_context_id = VmidWords(Task, Asid)

    @initially
    def number_0_is_nobodys(self):
        self.cur_idx = 1

    # ---------------------------------------------------------------------------------------------------------- processes

    @process(Cpu)
    def sched(self, cpu):
        yield "sched_loop"
        task = choose(Task)
        if task != self.active_task[cpu]:
            yield from self.check_and_switch_context(cpu, task)

    @process(Ttu)
    def ttu(self, ttu):
        """Unmaps any task's page, at any time."""
        yield "ttu"
        require(self.unmapping)
        task = choose(Task)
        yield "pte_clear"
        self.pte[task] = Pte.UNMAPPED
        yield "read_asid"
        number = self.mm_context_id.number[task]
        yield "tlbi"
        self.flush_tlb_asid(number)
        yield "after_tlbi"
        self.pte[task] = Pte.INVAL

    # -------------------------------------------------------------------------------------------------- the TLB, and TTBR0

    def flush_tlb_all(self):
        """Entries of what is in a TTBR0 can be loaded again at once."""
        for c, number, task in each(Cpu, Asid, Task):
            walked = self.active_task[c] == task and self.active_asid[c] == number
            self.tlb[c, number, task] = walked and (self.pte[task] == Pte.MAPPED or not self.walks_ptes)

    def local_flush_tlb_all(self, cpu):
        for number, task in each(Asid, Task):
            self.tlb[cpu, number, task] = self.tlb[cpu, number, task] and self.active_task[cpu] == task

    def flush_tlb_asid(self, number):
        self.tlb[:, number, :] = False

    def cpu_switch_mm(self, cpu, task, number):
        self.active_task[cpu] = task
        self.active_asid[cpu] = number
        if self.pte[task] == Pte.MAPPED:
            self.tlb[cpu, self.mm_context_id.number[task], task] = True

    def cpu_set_reserved_ttbr0(self, cpu):
        self.active_task[cpu] = None

    # ------------------------------------------------------------------------------------------- check_and_switch_context

    def check_and_switch_context(self, cpu, task):
        yield "check_and_switch_context"
        if self.reserved_ttbr0:
            self.cpu_set_reserved_ttbr0(cpu)
        generation, number = self.mm_context_id.get(task)
        old_generation, old_number = self.active_asids.get(cpu)
        yield "check_current_generation"
        fast = (old_generation, old_number) != NULL_ASID and generation == self.asid_generation
        if fast:
            yield "cmpxchg_active_asids"
            active = self.active_asids.get(cpu)
            if active == (old_generation, old_number):
                self.active_asids.set(cpu, generation, number)
            else:
                old_generation, old_number = active
            yield "check_roll_over"
            fast = (old_generation, old_number) != NULL_ASID
        if not fast:
            yield "slow_path"
            self.cpu_asid_lock.acquire(cpu)
            generation, number = self.mm_context_id.get(task)
            if generation != self.asid_generation:
                generation, number = yield from self.new_context(task)
                yield "check_and_switch_context_ret_new_context"
                self.mm_context_id.set(task, generation, number)
            yield "tlb_flush_pending"
            if self.tlb_flush_pending[cpu]:
                self.tlb_flush_pending[cpu] = False
                if self.flush == Flush.ALL:
                    self.flush_tlb_all()
                else:
                    self.local_flush_tlb_all(cpu)
            yield "set_active_asids"
            self.active_asids.set(cpu, generation, number)
            self.cpu_asid_lock.release(cpu)
        yield "fast_path"
        self.cpu_switch_mm(cpu, task, number)

    def new_context(self, task):
        yield "new_context"
        old_generation, number = self.mm_context_id.get(task)
        generation = self.asid_generation
        if (old_generation, number) != NULL_ASID:
            reserved = yield from self.check_update_reserved_asid(old_generation, number, generation)
            yield "new_context_ret_from_check_update_reserved_asid"
            if reserved:
                return generation, number
            yield "new_context_ret_from_check_update_reserved_asid_end"
            old = self.asid_map.bit[number]
            self.asid_map.bit[number] = True
            if not old:
                yield "new_context_return"
                return generation, number
        yield "new_context_allocate_free_asid"
        if self.asid_map.has_zero_bit(self.cur_idx):
            number = self.asid_map.find_next_zero_bit(self.cur_idx)
        else:
            yield "new_context_out_of_asids"
            self.asid_generation = fresh(Generation)
            generation = self.asid_generation
            yield from self.flush_context()
            yield "new_context_ret_flush_context"
            number = self.asid_map.find_next_zero_bit(1)
        yield "set_asid"
        self.asid_map.bit[number] = True
        self.cur_idx = number
        return generation, number

    def check_update_reserved_asid(self, old_generation, number, generation):
        """Whether a CPU has the task's ASID reserved, which then gets the new generation there."""
        yield "check_update_reserved_asid"
        found = False
        self.cpus.fill(True)
        while True:
            yield "check_update_reserved_asid_for_each_cpu"
            if self.cpus.is_empty():
                return found
            c = self.cpus.find_first_bit()
            if self.reserved_asids.get(c) == (old_generation, number):
                found = True
                self.reserved_asids.set(c, generation, number)
            self.cpus.bit[c] = False

    def flush_context(self):
        """What CPUs have active is reserved for them, all other numbers are free."""
        yield "flush_context"
        self.asid_map.fill(False)
        self.cpus.fill(True)
        while True:
            yield "flush_context_for_each_cpu"
            if self.cpus.is_empty():
                break
            c = self.cpus.find_first_bit()
            generation, number = self.active_asids.get(c)
            self.active_asids.set(c, *NULL_ASID)
            yield "flush_context_asid0_check"
            if (generation, number) == NULL_ASID:
                generation, number = self.reserved_asids.get(c)
            self.asid_map.bit[number] = True
            self.reserved_asids.set(c, generation, number)
            self.cpus.bit[c] = False
        self.tlb_flush_pending[...] = True

    # --------------------------------------------------------------------------------------------------------- properties

    @invariant(because="A TLB entry has ASID 0, or the search for a free ASID begins at 0.")
    def TypeInv(self):
        return self.cur_idx != 0 and all(not self.tlb[c, 0, t] for c in Cpu for t in Task)

    @invariant(because="There are entries of {a} under {m} and of {b} under {n}, and each CPU may use the other's.")
    def UniqueASIDAllCPUs(self):
        return all(
            (a != b) == (m != n)
            for m in Asid
            for n in Asid
            for a in Task
            for b in Task
            if self.cnp and self.somebody_has(m, a) and self.somebody_has(n, b)
        )

    def somebody_has(self, number, task):
        return any(self.tlb[c, number, task] for c in Cpu)

    @invariant(because="The TLB of {c} has entries of {a} and of {b} under {number}.")
    def UniqueASIDPerCPU(self):
        return all(
            not (self.tlb[c, number, a] and self.tlb[c, number, b])
            for c in Cpu
            for number in Asid
            for a in Task
            for b in Task
            if a != b
        )

    @invariant(because="{a} and {b} run one address space under different ASIDs.")
    def SameASIDActiveTask(self):
        return all(
            self.active_asid[a] == self.active_asid[b]
            for a in Cpu
            for b in Cpu
            if at(self.sched, a, "sched_loop")
            and at(self.sched, b, "sched_loop")
            and self.active_task[a] is not None
            and self.active_task[a] == self.active_task[b]
        )

    @invariant(
        because="{c} and {d} have different tasks under one ASID in TTBR0, and each may use the other's entries."
    )
    def UniqueASIDActiveTask(self):
        return all(
            self.active_asid[c] != self.active_asid[d]
            for c in Cpu
            for d in Cpu
            if self.cnp
            and c != d
            and self.active_task[c] is not None
            and self.active_task[d] is not None
            and self.active_task[c] != self.active_task[d]
        )

    @invariant(because="{c} runs {t}, whose page was unmapped and invalidated, and {d} has an entry for it.")
    def TLBEmptyInvalPTE(self):
        return all(
            not self.tlb[d, self.mm_context_id.number[t], t]
            for c in Cpu
            for t in Task
            for d in Cpu
            if self.active_task[c] == t and self.pte[t] == Pte.INVAL
        )

    @invariant(because="{cpu} has rolled over, and yet all numbers are taken.")
    def EmptySlots(self):
        """ "We have more ASIDs than CPUs, so this will always succeed"."""
        return all(self.asid_map.has_zero_bit(1) for cpu in Cpu if at(self.sched, cpu, "new_context_ret_flush_context"))

    @reachable
    def a_rollover(self):
        """A rollover is over: a task has an ASID of this generation, and another one of an earlier one."""
        of = self.mm_context_id.generation
        now = self.asid_generation
        return any(of[a] == now and of[b] not in (None, now) for a in Task for b in Task)

    @reachable
    def a_reserved_asid_is_kept(self):
        """A task has come back behind a rollover, to the number that is reserved for a CPU."""
        return any(
            self.reserved_asids.get(c) == self.mm_context_id.get(t)
            and self.mm_context_id.generation[t] == self.asid_generation
            for c in Cpu
            for t in Task
        )

    @reachable
    def an_entry_survives_a_switch(self):
        """A task runs under its number where another task's entry has survived."""
        return any(
            self.tlb[c, n, t] and self.active_task[c] == u and self.active_asid[c] == self.mm_context_id.number[u]
            for c in Cpu
            for n in Asid
            for t in Task
            for u in Task
            if t != u
        )

    @reachable
    def an_unmapped_task_runs(self):
        """A task runs whose page was unmapped and invalidated."""
        return not self.unmapping or any(
            self.active_task[c] == t and self.pte[t] == Pte.INVAL for c in Cpu for t in Task
        )

    policies = {
        "spec": Policy("asidalloc.cfg: CnP = FALSE", {}, "holds", also=(Expect("EmptySlots", {}, {"cpu": 2}),)),
        "spec-cnp": Policy(
            "CnP = TRUE; with one CPU nobody's flush meets another's TTBR0",
            {"cnp": True, "reserved_ttbr0": True, "flush": Flush.ALL},
            "holds",
            also=(Expect("TLBEmptyInvalPTE", {}, {"cpu": 2}),),
        ),
        "cnp-walks-ptes": Policy(
            "CnP = TRUE, and flush_tlb_all looks at the page table entry",
            {"cnp": True, "reserved_ttbr0": True, "flush": Flush.ALL, "walks_ptes": True},
            "holds",
        ),
        "cnp-local-flush": Policy(
            "CnP, and each CPU flushes its own TLB alone",
            {"cnp": True, "reserved_ttbr0": True},
            "holds",
            also=(Expect("UniqueASIDAllCPUs", {}, {"cpu": 2}),),
        ),
        "cnp-keeps-ttbr0": Policy(
            "CnP, and the old TTBR0 stays while active_asids is changed",
            {"cnp": True, "flush": Flush.ALL, "walks_ptes": True},
            "holds",
            also=(Expect("UniqueASIDAllCPUs", {}, {"cpu": 2}),),
        ),
    }
