"""vmidalloc.tla: the TLA+ model of KVM/arm64's VMID allocator, by one of its authors, at the labels of its PlusCal.

The allocator of `kvm-vmid-allocator` was merged with a model beside it (kernel-tla, branch private-vmidalloc-v1), and a question:
UniqueVMIDPerCPU, that no TLB holds entries of two VMs under one VMID, was violated and was taken out of the model ("needs further
analysis").  This system is that model, so that its counts can be compared and the question be settled in its own terms.

What is modelled
    Each label of the PlusCal is one step, in its order, and each of its variables is one here, less locals that no later step
    reads.  A task is a VM (a context id).  Number 0 of a VMID, generation 0 of a word and task 0 are there, as in the spec, and
    mean "none"; the last two are None here.  CHOOSE takes the lowest free number, and CPUs in their order.  The spec bounds
    the generations; here they are renamed by rank, so that any number of rollovers is covered (`--rename off --bound 2` is
    GENERATIONS = 3).  active_kvm is VTTBR_EL2 and what runs in one: which task's tables a CPU may walk, and under which VMID.
    An entry appears when VTTBR is set, and again behind each flush while it is.
What is left out
    All that the spec leaves out: the allocator's reads of one word are one step for two words (kvm_context_id and active_vmids,
    then the generation with the check), so that fewer interleavings are there than in `kvm-vmid-allocator`; entries appear
    at fixed points, under the number that kvm_context_id has then; a flush is one step for all CPUs.

What the verdicts mean
    TypeInv and SameVMIDActiveTask are the invariants of vmidalloc.cfg.  UniqueVMIDPerCPU is the one that was taken out.
    UniqueVMIDAllCPUs and UniqueVMIDActiveTask are asidalloc.tla's for CnP (CPUs use each other's entries), and are asked
    under `cnp=on`.  SameVMIDPerTask does not hold by intention, and is a state that must be reached.
    `tip` breaks UniqueVMIDPerCPU, because a CPU there may go from VM to VM without vcpu_put: the new id is active while active_kvm
    still names the old VM, whose number a rollover frees, and whose entry the rollover's own flush fills in again.  That is no
    interleaving of KVM, which calls vcpu_put in between: `put`, the same with that obligatory.

Sources: kernel-tla.git of Catalin Marinas, branch private-vmidalloc-v1, commits 62beb55ef959 (`first`) and 27c7a11b21ab (`tip`),
asidalloc.tla at 5f139826c76e; arch/arm64/kvm/vmid.c.
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


class Cpu(Sort, ordered=True, size=2):
    """A CPU; the spec's CHOOSE takes them in one order."""


class Task(Sort, size=3):
    """A context id: a VM."""


class Vmid(Sort, ordered=True, size=3):
    """A VMID, from 0, which is nobody's."""


class Sched(Sort, size=1):
    """The process SCHED_OUT of the first commit."""


class Put(enum.Enum):
    """How a task is scheduled out (vcpu_put).

    NEVER: as in 62beb55, whose process SCHED_OUT means itself where it should mean a CPU, and changes nothing.
    ANY_TIME: as that was meant: for any CPU, whatever the CPU is doing.
    OPTIONAL: as in 27c7a11: a CPU either schedules its task out or goes on to another one.
    OBLIGATORY: a CPU schedules its task out before it goes on to another one, as KVM does.
    """

    NEVER = 0
    ANY_TIME = 1
    OPTIONAL = 2
    OBLIGATORY = 3


NULL_VMID = (None, 0)
INVALID_VMID = (0, 0)
"""MakeVmid(0, 1): the spec's first generation is 1, here it is 0, and its generation 0 is None."""


class TlaVmidalloc(System):
    """KVM/arm64's VMID allocator as its authors wrote it down for TLC: is one TLB ever left with two VMs under one VMID?"""

    name = "tla-vmidalloc"
    sizes = {Cpu: 2, Task: 3, Vmid: 3}

    put = Knob(Put, Put.OBLIGATORY, "how a task is scheduled out (vcpu_put)")
    defer = Knob(bool, False, "each CPU flushes its own TLB when it next takes the lock, as in asidalloc.tla")
    walkable = Knob(bool, False, "a CPU walks on with its VTTBR when its task is scheduled out", toggle=True)
    cnp = Knob(bool, False, "CPUs use each other's TLB entries (VTTBR_EL2.CnP)", toggle=True)

    tlb: Annotated[Map[Cpu, Vmid, Task, bool], View("cache", "TLB", tag=1, by=(2,))]
    active_task: Annotated[Map[Cpu, Optional[Task]], View("context", "active_kvm.task")]
    active_vmid: Annotated[Map[Cpu, Vmid], View("context", "active_kvm.vmid")]
    scheduled_out: Map[Cpu, bool]
    vmid_generation: Generation
    cur_idx: Vmid
    tlb_flush_pending: Annotated[Map[Cpu, bool], View("pending", "flush")]

    vmid_map = Bitmap(Vmid, "vmid_map")
    cpus = Bitmap(Cpu, "cpus")
    cpu_vmid_lock = Lock(by=Cpu)
    active_vmids = VmidWords(Cpu, Vmid)
    reserved_vmids = VmidWords(Cpu, Vmid)
    kvm_context_id = VmidWords(Task, Vmid)

    @initially
    def number_0_is_nobodys(self):
        self.cur_idx = 1

    # ---------------------------------------------------------------------------------------------------------- processes

    @process(Cpu)
    def sched(self, cpu):
        """About to run a guest VM."""
        yield "sched_loop"
        running = self.running_task(cpu)
        task = choose(Task)
        require(self.put != Put.OBLIGATORY or running is None or task == running)
        if task != running:
            yield from self.kvm_arm_vmid_update(cpu, task)
        elif self.put == Put.OPTIONAL or self.put == Put.OBLIGATORY:
            self.vcpu_sched_out(cpu)

    @process(Sched)
    def sched_out(self, process):
        """The process SCHED_OUT of 62beb55."""
        yield "sched_out"
        require(self.put == Put.NEVER or self.put == Put.ANY_TIME)
        yield "clear_active_vmid"
        if self.put == Put.ANY_TIME:
            self.vcpu_sched_out(choose(Cpu))

    def running_task(self, cpu):
        return None if self.scheduled_out[cpu] else self.active_task[cpu]

    # ------------------------------------------------------------------------------------------------- the TLB, and VTTBR

    def flush_tlb_all(self):
        """Entries of what is in a VTTBR can be loaded again at once."""
        for c, number, task in each(Cpu, Vmid, Task):
            self.tlb[c, number, task] = self.active_task[c] == task and self.active_vmid[c] == number

    def local_flush_tlb_all(self, cpu):
        for number, task in each(Vmid, Task):
            self.tlb[cpu, number, task] = self.tlb[cpu, number, task] and self.active_task[cpu] == task

    def cpu_switch_kvm(self, cpu, task, number):
        self.active_task[cpu] = task
        self.active_vmid[cpu] = number
        self.scheduled_out[cpu] = False
        self.tlb[cpu, self.kvm_context_id.number[task], task] = True

    def vcpu_sched_out(self, cpu):
        if self.walkable:
            self.scheduled_out[cpu] = True
        else:
            self.active_task[cpu] = None
        self.active_vmids.set(cpu, *INVALID_VMID)

    # ------------------------------------------------------------------------------------------------ kvm_arm_vmid_update

    def kvm_arm_vmid_update(self, cpu, task):
        yield "kvm_arm_vmid_update"
        generation, number = self.kvm_context_id.get(task)
        old_generation, old_number = self.active_vmids.get(cpu)
        yield "check_current_generation"
        fast = (old_generation, old_number) != NULL_VMID and generation == self.vmid_generation
        if fast:
            yield "cmpxchg_active_vmids"
            active = self.active_vmids.get(cpu)
            if active == (old_generation, old_number):
                self.active_vmids.set(cpu, generation, number)
            else:
                old_generation, old_number = active
            yield "check_roll_over"
            fast = (old_generation, old_number) != NULL_VMID
        if not fast:
            yield "slow_path"
            self.cpu_vmid_lock.acquire(cpu)
            generation, number = self.kvm_context_id.get(task)
            if generation != self.vmid_generation:
                generation, number = yield from self.new_vmid(task)
                yield "kvm_arm_vmid_update_ret_new_vmid"
                self.kvm_context_id.set(task, generation, number)
            if self.defer:
                yield "tlb_flush_pending"
                if self.tlb_flush_pending[cpu]:
                    self.tlb_flush_pending[cpu] = False
                    self.local_flush_tlb_all(cpu)
            yield "set_active_vmids"
            self.active_vmids.set(cpu, generation, number)
            self.cpu_vmid_lock.release(cpu)
        yield "fast_path"
        self.cpu_switch_kvm(cpu, task, number)

    def new_vmid(self, task):
        yield "new_vmid"
        old_generation, number = self.kvm_context_id.get(task)
        generation = self.vmid_generation
        if (old_generation, number) != NULL_VMID:
            reserved = yield from self.check_update_reserved_vmid(old_generation, number, generation)
            yield "new_vmid_ret_from_check_update_reserved_vmid"
            if reserved:
                return generation, number
            yield "new_vmid_ret_from_check_update_reserved_vmid_end"
            old = self.vmid_map.bit[number]
            self.vmid_map.bit[number] = True
            if not old:
                yield "new_vmid_return"
                return generation, number
        yield "new_vmid_allocate_free_vmid"
        if self.vmid_map.has_zero_bit(self.cur_idx):
            number = self.vmid_map.find_next_zero_bit(self.cur_idx)
        else:
            yield "new_vmid_out_of_vmids"
            self.vmid_generation = fresh(Generation)
            generation = self.vmid_generation
            yield from self.flush_context()
            yield "new_vmid_ret_flush_context"
            number = self.vmid_map.find_next_zero_bit(1)
        yield "set_vmid"
        self.vmid_map.bit[number] = True
        self.cur_idx = number
        return generation, number

    def check_update_reserved_vmid(self, old_generation, number, generation):
        """Whether a CPU has the VM's VMID reserved, which then gets the new generation there."""
        yield "check_update_reserved_vmid"
        found = False
        self.cpus.fill(True)
        while True:
            yield "check_update_reserved_vmid_for_each_cpu"
            if self.cpus.is_empty():
                return found
            c = self.cpus.find_first_bit()
            if self.reserved_vmids.get(c) == (old_generation, number):
                found = True
                self.reserved_vmids.set(c, generation, number)
            self.cpus.bit[c] = False

    def flush_context(self):
        """What CPUs have active is reserved for them, all other numbers are free."""
        yield "flush_context"
        self.vmid_map.fill(False)
        self.cpus.fill(True)
        while True:
            yield "flush_context_for_each_cpu"
            if self.cpus.is_empty():
                break
            c = self.cpus.find_first_bit()
            generation, number = self.active_vmids.get(c)
            self.active_vmids.set(c, *NULL_VMID)
            yield "flush_context_vmid0_check"
            if (generation, number) == NULL_VMID:
                generation, number = self.reserved_vmids.get(c)
            self.vmid_map.bit[number] = True
            self.reserved_vmids.set(c, generation, number)
            self.cpus.bit[c] = False
        if self.defer:
            self.tlb_flush_pending[...] = True
        else:
            self.flush_tlb_all()

    # --------------------------------------------------------------------------------------------------------- properties

    @invariant(because="A TLB entry has VMID 0, or the search for a free VMID begins at 0.")
    def TypeInv(self):
        return self.cur_idx != 0 and all(not self.tlb[c, 0, t] for c in Cpu for t in Task)

    @invariant(because="{a} and {b} run one VM under different VMIDs.")
    def SameVMIDActiveTask(self):
        return all(
            self.active_vmid[a] == self.active_vmid[b]
            for a in Cpu
            for b in Cpu
            if at(self.sched, a, "sched_loop")
            and at(self.sched, b, "sched_loop")
            and self.running_task(a) is not None
            and self.running_task(a) == self.running_task(b)
        )

    @invariant(because="The TLB of {c} has entries of {a} and of {b} under {number}.")
    def UniqueVMIDPerCPU(self):
        return all(
            not (self.tlb[c, number, a] and self.tlb[c, number, b])
            for c in Cpu
            for number in Vmid
            for a in Task
            for b in Task
            if a != b
        )

    @invariant(because="There are entries of {a} under {m} and of {b} under {n}, and each CPU may use the other's.")
    def UniqueVMIDAllCPUs(self):
        return all(
            (a != b) == (m != n)
            for m in Vmid
            for n in Vmid
            for a in Task
            for b in Task
            if self.cnp and self.somebody_has(m, a) and self.somebody_has(n, b)
        )

    def somebody_has(self, number, task):
        return any(self.tlb[c, number, task] for c in Cpu)

    @invariant(because="{c} and {d} have different VMs under one VMID in VTTBR, and each may use the other's entries.")
    def UniqueVMIDActiveTask(self):
        return all(
            self.active_vmid[c] != self.active_vmid[d]
            for c in Cpu
            for d in Cpu
            if self.cnp
            and c != d
            and self.active_task[c] is not None
            and self.active_task[d] is not None
            and self.active_task[c] != self.active_task[d]
        )

    @invariant(because="{cpu} has rolled over, and yet all numbers are taken.")
    def EmptySlots(self):
        """ "We have more VMIDs than CPUs, so this will always succeed"."""
        return all(self.vmid_map.has_zero_bit(1) for cpu in Cpu if at(self.sched, cpu, "new_vmid_ret_flush_context"))

    @reachable
    def a_task_runs_through_a_rollover(self):
        """A VM runs under a number of an earlier generation, which is reserved for its CPU."""
        return any(
            self.running_task(c) == t and self.kvm_context_id.generation[t] != self.vmid_generation
            for c in Cpu
            for t in Task
        )

    @reachable
    def a_reserved_number_is_kept(self):
        """A VM has its number in a later generation, and the CPU that it was reserved for knows."""
        return any(
            self.kvm_context_id.get(t) == self.reserved_vmids.get(c)
            and self.kvm_context_id.generation[t] == self.vmid_generation
            and self.reserved_vmids.number[c] != 0
            for c in Cpu
            for t in Task
        )

    @reachable
    def the_cmpxchg_loses(self):
        """A CPU is about to do its cmpxchg, and a rollover has swept its slot."""
        return any(at(self.sched, c, "cmpxchg_active_vmids") and self.active_vmids.is_zero(c) for c in Cpu)

    @reachable
    def an_entry_survives_a_switch(self):
        """A VM runs where another VM's entry has survived."""
        return any(
            self.tlb[c, n, t] and self.running_task(c) == u and t != u
            for c in Cpu
            for n in Vmid
            for t in Task
            for u in Task
        )

    policies = {
        "put": Policy(
            "27c7a11, and a CPU schedules its task out before it goes on to another one",
            {},
            "holds",
            also=(Expect("holds", {"cnp": True}), Expect("UniqueVMIDPerCPU", {"walkable": True})),
        ),
        "put-deferred": Policy(
            "the same, and each CPU flushes its own TLB when it next takes the lock",
            {"defer": True},
            "UniqueVMIDPerCPU",
        ),
        "tip": Policy(
            "27c7a11 as it is",
            {"put": Put.OPTIONAL},
            "UniqueVMIDPerCPU",
            also=(Expect("UniqueVMIDPerCPU", {}, {"task": 4, "vmid": 4}),),
        ),
        "first": Policy(
            "62beb55 as it is: its process SCHED_OUT changes nothing",
            {"put": Put.NEVER},
            "UniqueVMIDPerCPU",
            also=(Expect("UniqueVMIDPerCPU", {}, {"task": 4, "vmid": 4}),),
        ),
        "first-meant": Policy(
            "62beb55 as it was meant: a CPU's task is scheduled out whatever the CPU is doing",
            {"put": Put.ANY_TIME},
            "SameVMIDActiveTask",
        ),
        "first-deferred": Policy(
            "62beb55 with deferred flushes, which its message calls fine: it needs more VMIDs than CPUs have active",
            {"put": Put.NEVER, "defer": True},
            "EmptySlots",
        ),
    }
