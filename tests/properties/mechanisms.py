"""Two mechanisms in few words, with and without their mistakes, for tests of the proofs."""

from __future__ import annotations

import enum

from flushproof.model.language.declare import (
    Counter,
    Ghost,
    Knob,
    Map,
    Policy,
    Rigid,
    Sort,
    System,
    action,
    check,
    each,
    event,
    fresh,
    initially,
    invariant,
    lemma,
    require,
)


class Cpu(Sort):
    """A CPU."""


class Vm(Sort):
    """A virtual machine."""


class Vcpu(Sort):
    """A virtual CPU."""


class Vmid(Sort, first=1):
    """A number that tags TLB entries."""


class Gen(Counter):
    """A generation of numbers."""


class VcpuSwitch(System):
    """Several vcpus of one VM on one CPU share its TLB, though each believes that its own is private."""

    vm_of: Rigid[Map[Vcpu, Vm]]
    running: Map[Cpu, Vcpu | None]
    last_ran: Map[Vm, Cpu, Vcpu | None]
    last_cpu: Map[Vcpu, Cpu | None]
    entry: Map[Cpu, Vcpu, bool]
    stale: Ghost[Map[Cpu, Vcpu, bool]]

    on_switch = Knob(bool, True, "flush when another vcpu of the VM ran here last")
    on_migration = Knob(bool, False, "flush when the vcpu last ran elsewhere")
    fb = Knob(bool, True, "local invalidations are broadcast", toggle=True)

    policies = {
        "none": Policy("no flush", {"on_switch": False}, "no-foreign-hit"),
        "on-migration": Policy("wrong", {"on_switch": False, "on_migration": True}, "no-foreign-hit"),
        "last-ran": Policy("upstream", {"on_switch": True}, "holds"),
        "both": Policy("needs no broadcast", {"on_switch": True, "on_migration": True}, "holds"),
    }

    @action
    def load(self, cpu: Cpu, vcpu: Vcpu):
        """{vcpu} is loaded on {cpu}."""
        require(self.running[cpu] is None and all(self.running[c] != vcpu for c in Cpu))
        vm = self.vm_of[vcpu]
        other = self.last_ran[vm, cpu] != vcpu
        moved = self.last_cpu[vcpu] != cpu
        if (self.on_switch and other) or (self.on_migration and moved):
            for v in Vcpu:
                if self.vm_of[v] == vm:
                    self.entry[cpu, v] = False
                    self.stale[cpu, v] = False
        self.running[cpu] = vcpu
        self.last_ran[vm, cpu] = vcpu
        self.last_cpu[vcpu] = cpu

    @action
    def put(self, cpu: Cpu):
        """The vcpu leaves {cpu}."""
        require(self.running[cpu] is not None)
        self.running[cpu] = None

    @action
    def fill(self, cpu: Cpu, vcpu: Vcpu):
        """The walker fills an entry for {vcpu}."""
        require(self.running[cpu] == vcpu)
        self.entry[cpu, vcpu] = True

    @action
    def unmap(self, cpu: Cpu, vcpu: Vcpu):
        """{vcpu} changes a mapping, and invalidates what it believes to be its own TLB."""
        require(self.running[cpu] == vcpu)
        for c, v in each(Cpu, Vcpu):
            if self.vm_of[v] == self.vm_of[vcpu] and (self.fb or c == cpu):
                self.entry[c, v] = False
                self.stale[c, v] = False
        for c in Cpu:
            if not self.fb and c != cpu and self.entry[c, vcpu]:
                self.stale[c, vcpu] = True

    @event
    def hit(self, cpu: Cpu, vcpu: Vcpu, owner: Vcpu):
        """{vcpu} hits an entry on {cpu}."""
        require(self.running[cpu] == vcpu and self.entry[cpu, owner] and self.vm_of[owner] == self.vm_of[vcpu])
        check("no-foreign-hit", owner == vcpu, "{owner} made the entry that {vcpu} hits on {cpu}")

    @event
    def use(self, cpu: Cpu, vcpu: Vcpu):
        """{vcpu} uses its entry on {cpu}."""
        require(self.running[cpu] == vcpu)
        check("no-stale-hit", not self.stale[cpu, vcpu], "{vcpu} had invalidated this entry on {cpu}")

    @lemma
    def entries_are_of_the_last_that_ran(self):
        return all(not self.entry[c, v] or self.last_ran[self.vm_of[v], c] == v for c in Cpu for v in Vcpu)

    @lemma
    def who_runs_ran_last(self):
        return all(self.running[c] != v or self.last_ran[self.vm_of[v], c] == v for c in Cpu for v in Vcpu)

    @lemma
    def a_vcpu_runs_on_one_cpu(self):
        return all(self.running[c] != v or self.running[d] != v or c == d for c in Cpu for d in Cpu for v in Vcpu)

    @lemma
    def who_runs_is_where_it_was_loaded(self):
        return all(self.running[c] != v or self.last_cpu[v] == c for c in Cpu for v in Vcpu)

    @lemma
    def stale_entries_are_elsewhere(self):
        return self.fb or all(not self.stale[c, v] or self.last_cpu[v] != c for c in Cpu for v in Vcpu)

    @lemma
    def with_broadcast_nothing_is_stale(self):
        return not self.fb or all(not self.stale[c, v] for c in Cpu for v in Vcpu)


class Pc(enum.Enum):
    """Where a CPU is in its run loop; interrupts are off at `CHECK_OFF` and `ENTER`."""

    OUT = 0
    CHECK = 1
    LOCK = 2
    RECHECK = 3
    ALLOCATE = 4
    WAIT = 5
    SET_VTTBR = 6
    PUBLISH = 7
    UNLOCK = 8
    CHECK_OFF = 9
    ENTER = 10
    GUEST = 11


class Generations(System):
    """KVM/ARM's VMID allocator of 2018: numbers belong to a generation, and a rollover starts a new one."""

    generation: Gen
    lock: Cpu | None
    used: Map[Vmid, bool]
    vm_gen: Map[Vm, Gen]
    vmid: Map[Vm, Vmid]
    vttbr: Map[Vm, Vmid]
    pc: Map[Cpu, Pc]
    vm: Map[Cpu, Vm]
    loaded: Map[Cpu, Vmid]
    pending: Map[Cpu, bool]
    entry: Map[Cpu, Vmid, Vm, bool]

    recheck = Knob(bool, True, "look at the generation again under the lock")
    recheck_off = Knob(bool, True, "look at the generation again with interrupts off")
    wait = Knob(bool, True, "wait for the acknowledgements")
    flush = Knob(bool, True, "flush all TLBs at a rollover")
    generation_last = Knob(bool, True, "store a VM's generation after its VTTBR")

    @initially
    def start(self):
        self.generation = fresh(Gen)

    @action
    def pick(self, cpu: Cpu, vm: Vm):
        """{cpu} is to run {vm}."""
        require(self.pc[cpu] == Pc.OUT)
        self.vm[cpu] = vm
        self.pc[cpu] = Pc.CHECK

    @action
    def look(self, cpu: Cpu):
        """{cpu} compares generations without the lock."""
        require(self.pc[cpu] == Pc.CHECK)
        self.pc[cpu] = Pc.CHECK_OFF if self.current(self.vm[cpu]) else Pc.LOCK

    @action
    def acquire(self, cpu: Cpu):
        """{cpu} takes the lock."""
        require(self.pc[cpu] == Pc.LOCK and self.lock is None)
        self.lock = cpu
        self.pc[cpu] = Pc.RECHECK

    @action
    def look_again(self, cpu: Cpu):
        """{cpu} compares generations under the lock."""
        require(self.pc[cpu] == Pc.RECHECK)
        self.pc[cpu] = Pc.UNLOCK if self.recheck and self.current(self.vm[cpu]) else Pc.ALLOCATE

    @action
    def roll_over(self, cpu: Cpu):
        """{cpu} starts a new generation, and interrupts the others."""
        require(self.pc[cpu] == Pc.ALLOCATE and all(self.used[n] for n in Vmid))
        self.generation = fresh(Gen)
        self.used[...] = False
        for c in Cpu:
            if c != cpu:
                self.pending[c] = True
        self.pc[cpu] = Pc.WAIT

    @action
    def flush_all(self, cpu: Cpu):
        """All have acknowledged; {cpu} flushes."""
        require(self.pc[cpu] == Pc.WAIT)
        require(not self.wait or all(not self.pending[c] for c in Cpu))
        if self.flush:
            self.entry[...] = False
        self.pc[cpu] = Pc.ALLOCATE

    @action
    def take(self, cpu: Cpu, number: Vmid):
        """{cpu} takes {number}."""
        require(self.pc[cpu] == Pc.ALLOCATE and not self.used[number])
        self.used[number] = True
        self.vmid[self.vm[cpu]] = number
        if not self.generation_last:
            self.vm_gen[self.vm[cpu]] = self.generation
        self.pc[cpu] = Pc.SET_VTTBR

    @action
    def set_vttbr(self, cpu: Cpu):
        """{cpu} stores the VM's VTTBR."""
        require(self.pc[cpu] == Pc.SET_VTTBR)
        self.vttbr[self.vm[cpu]] = self.vmid[self.vm[cpu]]
        self.pc[cpu] = Pc.PUBLISH

    @action
    def publish(self, cpu: Cpu):
        """{cpu} stores the VM's generation."""
        require(self.pc[cpu] == Pc.PUBLISH)
        self.vm_gen[self.vm[cpu]] = self.generation
        self.pc[cpu] = Pc.UNLOCK

    @action
    def release(self, cpu: Cpu):
        """{cpu} releases the lock."""
        require(self.pc[cpu] == Pc.UNLOCK)
        self.lock = None
        self.pc[cpu] = Pc.CHECK_OFF

    @action
    def look_with_interrupts_off(self, cpu: Cpu):
        """{cpu} disables interrupts and compares generations."""
        require(self.pc[cpu] == Pc.CHECK_OFF)
        self.pc[cpu] = Pc.ENTER if not self.recheck_off or self.current(self.vm[cpu]) else Pc.CHECK

    @action
    def enter(self, cpu: Cpu):
        """{cpu} loads VTTBR and enters the guest."""
        require(self.pc[cpu] == Pc.ENTER)
        self.loaded[cpu] = self.vttbr[self.vm[cpu]]
        self.pc[cpu] = Pc.GUEST

    @action
    def leave(self, cpu: Cpu):
        """{cpu} leaves the guest."""
        require(self.pc[cpu] == Pc.GUEST)
        self.pc[cpu] = Pc.OUT

    @action
    def acknowledge(self, cpu: Cpu):
        """{cpu} takes the interrupt."""
        require(self.pending[cpu] and self.pc[cpu] != Pc.ENTER)
        self.pending[cpu] = False
        if self.pc[cpu] == Pc.GUEST:
            self.pc[cpu] = Pc.CHECK

    @action
    def fill(self, cpu: Cpu):
        """The walker of {cpu} fills an entry."""
        require(self.pc[cpu] == Pc.GUEST)
        self.entry[cpu, self.loaded[cpu], self.vm[cpu]] = True

    def current(self, vm):
        return self.vm_gen[vm] == self.generation

    def rolling(self):
        return self.lock is not None and self.pc[self.lock] == Pc.WAIT

    def locked(self, cpu):
        return self.pc[cpu] in (Pc.RECHECK, Pc.ALLOCATE, Pc.WAIT, Pc.SET_VTTBR, Pc.PUBLISH, Pc.UNLOCK)

    def inside(self, cpu):
        return self.pc[cpu] == Pc.GUEST

    @event
    def hit(self, cpu: Cpu, owner: Vm):
        """{cpu} hits an entry."""
        require(self.inside(cpu) and self.entry[cpu, self.loaded[cpu], owner])
        check("no-foreign-hit", owner == self.vm[cpu], "{cpu} hits an entry of {owner}")

    @invariant(because="{c} and {d} run one VM under two numbers")
    def one_vmid_per_vm(self):
        return all(
            not (self.inside(c) and self.inside(d) and self.vm[c] == self.vm[d]) or self.loaded[c] == self.loaded[d]
            for c in Cpu
            for d in Cpu
        )

    @invariant(because="{c} and {d} run two VMs under one number")
    def no_shared_vmid(self):
        return all(
            not (self.inside(c) and self.inside(d) and self.loaded[c] == self.loaded[d]) or self.vm[c] == self.vm[d]
            for c in Cpu
            for d in Cpu
        )

    @lemma
    def who_is_locked_holds_the_lock(self):
        return all(self.locked(c) == (self.lock == c) for c in Cpu)

    @lemma
    def no_vm_is_ahead(self):
        return all(self.vm_gen[v] <= self.generation for v in Vm)

    @lemma
    def none_is_current_during_a_rollover(self):
        return all(not self.rolling() or not self.current(v) for v in Vm)

    @lemma
    def current_numbers_are_used(self):
        return all(not self.current(v) or self.used[self.vttbr[v]] for v in Vm)

    @lemma
    def current_numbers_differ(self):
        return all(
            not (self.current(v) and self.current(w) and self.vttbr[v] == self.vttbr[w]) or v == w
            for v in Vm
            for w in Vm
        )

    @lemma
    def who_allocates_is_not_current(self):
        return all(
            self.pc[c] not in (Pc.ALLOCATE, Pc.WAIT, Pc.SET_VTTBR, Pc.PUBLISH) or not self.current(self.vm[c])
            for c in Cpu
        )

    @lemma
    def a_new_number_is_used(self):
        return all(self.pc[c] not in (Pc.SET_VTTBR, Pc.PUBLISH) or self.used[self.vmid[self.vm[c]]] for c in Cpu)

    @lemma
    def a_new_number_is_no_other_current_vms(self):
        return all(
            self.pc[c] not in (Pc.SET_VTTBR, Pc.PUBLISH)
            or not (self.current(v) and self.vttbr[v] == self.vmid[self.vm[c]])
            for c in Cpu
            for v in Vm
        )

    @lemma
    def what_is_published_is_stored(self):
        return all(self.pc[c] != Pc.PUBLISH or self.vttbr[self.vm[c]] == self.vmid[self.vm[c]] for c in Cpu)

    @lemma
    def who_enters_is_current_or_interrupted(self):
        return all(
            self.pc[c] not in (Pc.ENTER, Pc.GUEST) or self.current(self.vm[c]) or (self.rolling() and self.pending[c])
            for c in Cpu
        )

    @lemma
    def what_is_loaded_is_the_vttbr(self):
        return all(not self.inside(c) or self.loaded[c] == self.vttbr[self.vm[c]] for c in Cpu)

    @lemma
    def entries_have_their_vms_number(self):
        return all(
            not self.entry[c, n, v] or (self.vttbr[v] == n and (self.current(v) or self.rolling()))
            for c in Cpu
            for n in Vmid
            for v in Vm
        )

    @lemma
    def live_vms_have_distinct_numbers(self):
        return all(
            not (self.live(c) and self.live(d) and self.vttbr[self.vm[c]] == self.vttbr[self.vm[d]])
            or self.vm[c] == self.vm[d]
            for c in Cpu
            for d in Cpu
        )

    def live(self, cpu):
        return self.pc[cpu] in (Pc.ENTER, Pc.GUEST)

    @lemma
    def entries_under_a_live_number_are_the_live_vms(self):
        return all(
            not (self.live(c) and self.entry[d, self.vttbr[self.vm[c]], v]) or v == self.vm[c]
            for c in Cpu
            for d in Cpu
            for v in Vm
        )
