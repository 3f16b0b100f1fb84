"""KVM/arm64's VMID allocator since 2022."""

from __future__ import annotations

import enum
from typing import Optional

from flushproof.model.language.declare import (
    Counter,
    Knob,
    Map,
    Part,
    Sort,
    System,
    action,
    check,
    choose,
    closure,
    event,
    fresh,
    invariant,
    process,
    reachable,
    require,
)


class Cpu(Sort):
    """A physical CPU."""


class Vm(Sort):
    """A place for a VM."""


class Vmid(Sort, first=1):
    """A VMID other than 0."""


class Generation(Counter):
    """vmid_generation"""


class Spinlock(Part):
    holder: Optional[Cpu]

    def acquire(self, cpu):
        require(self.holder is None)
        self.holder = cpu

    def release(self, cpu):
        self.holder = None


class Update(enum.Enum):
    """When kvm_arm_vmid_update is called."""

    EACH_RUN = 0
    AT_LOAD = 1


class Vttbr(enum.Enum):
    """When VTTBR_EL2 is written."""

    AT_RUN = 0
    AT_LOAD = 1


class Flush(enum.Enum):
    """What a rollover flushes."""

    NONE = 0
    LOCAL = 1
    DEFERRED = 2
    BROADCAST = 3


class FastPath(enum.Enum):
    """How the fast path writes the active slot."""

    STORE = 0
    XCHG = 1
    CMPXCHG = 2


class Copies(enum.Enum):
    """Which reserved copies of an id get the new generation."""

    NONE = 0
    FIRST = 1
    ALL = 2


class Preserve(enum.Enum):
    """What a rollover preserves."""

    NOTHING = 0
    ACTIVE = 1
    ACTIVE_OR_RESERVED = 2


class VmidWords(Part):
    """Atomic 64-bit words, generation | number."""

    def __init__(self, sort):
        self.generation = Map(sort, Optional[Generation])
        self.number = Map(sort, Optional[Vmid])

    def is_zero(self, at):
        return self.generation[at] is None

    def same(self, at, generation, number):
        return self.generation[at] == generation and self.number[at] == number

    def set(self, at, generation, number):
        self.generation[at] = generation
        self.number[at] = number


class VmidAllocator(System):
    """The allocator of 2022."""

    name = "kvm-vmid-allocator"
    sizes = {Cpu: 2, Vm: 2, Vmid: 2}

    generation: Generation
    marked: Map[Vmid, bool]
    active = VmidWords(Cpu)
    reserved = VmidWords(Cpu)
    id = VmidWords(Vm)
    swept: Map[Cpu, bool]
    pending: Map[Cpu, bool]
    lock = Spinlock()

    vcpu: Map[Cpu, Optional[Vm]]
    in_guest: Map[Cpu, bool]
    vttbr_vm: Map[Cpu, Optional[Vm]]
    vttbr_vmid: Map[Cpu, Optional[Vmid]]

    entry: Map[Cpu, Vmid, Vm, bool]
    dead_entry: Map[Cpu, Vmid, bool]

    update = Knob(Update, Update.AT_LOAD, doc="when kvm_arm_vmid_update is called")
    vttbr = Knob(Vttbr, Vttbr.AT_LOAD, doc="when VTTBR_EL2 is written")
    flush = Knob(Flush, Flush.BROADCAST, doc="what is flushed at rollover")
    fast_path = Knob(FastPath, FastPath.CMPXCHG, doc="fast path")
    zero_check = Knob(bool, True, doc="active slot zero check")
    recheck = Knob(bool, True, doc="recheck")
    copies = Knob(Copies, Copies.ALL, doc="copies")
    preserve = Knob(Preserve, Preserve.ACTIVE_OR_RESERVED, doc="preserve")
    invalid_on_put = Knob(bool, True, doc="invalid marker")
    sweep_first = Knob(bool, True, doc="sweep before flush")
    t2 = Knob(bool, False, doc="walkable", toggle=True)

    # ---- hardware
    def walkable(self, cpu):
        return self.in_guest[cpu] or self.t2

    @closure
    def speculate(self):
        for cpu in Cpu:
            for vmid in Vmid:
                if self.walkable(cpu) and self.vttbr_vmid[cpu] == vmid:
                    for vm in Vm:
                        if self.vttbr_vm[cpu] == vm:
                            self.entry[cpu, vmid, vm] = True
                    if self.vttbr_vm[cpu] is None:
                        self.dead_entry[cpu, vmid] = True

    def tlbi_alle1(self, cpu):
        self.entry[cpu, ...] = False
        self.dead_entry[cpu, :] = False

    def tlbi_alle1is(self):
        self.entry[...] = False
        self.dead_entry[...] = False

    # ---- the allocator
    def gen_match(self, vm):
        return self.id.generation[vm] == self.generation

    def new_rollover_needed(self):
        return all(self.marked[n] for n in Vmid)

    def write_vttbr(self, cpu):
        self.vttbr_vm[cpu] = self.vcpu[cpu]
        self.vttbr_vmid[cpu] = self.id.number[self.vcpu[cpu]]

    @process(Cpu)
    def vcpu_thread(self, cpu):
        """a vcpu thread on {cpu}"""
        yield "kvm_arch_vcpu_load"
        self.vcpu[cpu] = choose(Vm)
        if self.update == Update.EACH_RUN and self.vttbr == Vttbr.AT_LOAD:
            self.write_vttbr(cpu)
        loaded = True
        while loaded:
            changed = yield from self.kvm_arm_vmid_update(cpu)
            if self.vttbr == Vttbr.AT_LOAD and (changed or self.update == Update.AT_LOAD):
                yield "__load_stage2"
                self.write_vttbr(cpu)
            running = True
            while running:
                if self.vttbr == Vttbr.AT_RUN:
                    yield "__load_stage2 at entry"
                    self.write_vttbr(cpu)
                yield "guest entry"
                self.in_guest[cpu] = True
                yield "guest exit"
                self.in_guest[cpu] = False
                loaded = choose(bool)
                running = loaded and self.update == Update.AT_LOAD
        yield "kvm_arch_vcpu_put"
        if self.invalid_on_put:
            self.active.set(cpu, 0, None)
        self.vcpu[cpu] = None
        if not self.t2:
            self.vttbr_vm[cpu] = None
            self.vttbr_vmid[cpu] = None

    def kvm_arm_vmid_update(self, cpu):
        yield "read vmid id"
        vm = self.vcpu[cpu]
        generation, number = self.id.generation[vm], self.id.number[vm]
        yield "read active_vmids"
        old_generation, old_number = self.active.generation[cpu], self.active.number[cpu]
        if old_generation is not None or not self.zero_check:
            yield "vmid_gen_match"
            if generation == self.generation:
                yield "cmpxchg active_vmids"
                was_zero = self.active.is_zero(cpu)
                if self.fast_path != FastPath.CMPXCHG or self.active.same(cpu, old_generation, old_number):
                    self.active.set(cpu, generation, number)
                if self.fast_path == FastPath.STORE or not was_zero:
                    return False
        yield "raw_spin_lock"
        vm = self.vcpu[cpu]
        changed = False
        self.lock.acquire(cpu)
        if not (self.gen_match(vm) if self.recheck else False):
            changed = True
            number = self.id.number[vm]
            mine = number is not None and any(self.holds_reserved(c, vm) for c in Cpu)
            if mine and self.copies != Copies.NONE:
                self.update_reserved(vm)
                self.id.generation[vm] = self.generation
            elif number is not None and not self.marked[number]:
                self.marked[number] = True
                self.id.generation[vm] = self.generation
            else:
                if all(self.marked[n] for n in Vmid):
                    yield from self.roll_over(cpu)
                yield "find_next_zero_bit"
                vm = self.vcpu[cpu]
                number = choose(Vmid, where=lambda n: not self.marked[n])
                self.marked[number] = True
                self.id.set(vm, self.generation, number)
        yield "set active_vmids"
        vm = self.vcpu[cpu]
        if self.pending[cpu]:
            self.tlbi_alle1(cpu)
            self.pending[cpu] = False
        self.active.set(cpu, self.id.generation[vm], self.id.number[vm])
        self.lock.release(cpu)
        return changed

    def holds_reserved(self, cpu, vm):
        return self.reserved.same(cpu, self.id.generation[vm], self.id.number[vm])

    def update_reserved(self, vm):
        if self.copies == Copies.FIRST:
            first = choose(Cpu, where=lambda c: self.holds_reserved(c, vm))
            self.reserved.generation[first] = self.generation
        else:
            for c in Cpu:
                if self.holds_reserved(c, vm):
                    self.reserved.generation[c] = self.generation

    def roll_over(self, cpu):
        if not self.sweep_first:
            yield "flush before the sweep"
            self.flush_vm_context(cpu)
        yield "atomic64_add_return"
        self.generation = fresh(Generation)
        self.marked[...] = False
        while any(not self.swept[c] for c in Cpu):
            yield "xchg active_vmids"
            other = choose(Cpu, where=lambda c: not self.swept[c])
            self.sweep(other)
        yield "__kvm_flush_vm_context"
        self.swept[...] = False
        if self.sweep_first:
            self.flush_vm_context(cpu)

    def sweep(self, other):
        keep_reserved = self.active.is_zero(other) and self.preserve == Preserve.ACTIVE_OR_RESERVED
        generation = self.reserved.generation[other] if keep_reserved else self.active.generation[other]
        number = self.reserved.number[other] if keep_reserved else self.active.number[other]
        if self.preserve != Preserve.NOTHING:
            if number is not None:
                self.marked[number] = True
            self.reserved.set(other, generation, number)
        self.active.set(other, None, None)
        self.swept[other] = True

    def flush_vm_context(self, cpu):
        if self.flush == Flush.LOCAL:
            self.tlbi_alle1(cpu)
        if self.flush == Flush.BROADCAST:
            self.tlbi_alle1is()
        if self.flush == Flush.DEFERRED:
            self.pending[...] = True

    @action
    def reborn(self, vm: Vm):
        """VM {vm} is destroyed, and a new one takes its place"""
        require(self.id.number[vm] is not None)
        require(all(self.vcpu[c] != vm for c in Cpu))
        self.id.set(vm, None, None)
        for c in Cpu:
            if self.vttbr_vm[c] == vm:
                self.vttbr_vm[c] = None
            for n in Vmid:
                if self.entry[c, n, vm]:
                    self.dead_entry[c, n] = True
        self.entry[:, :, vm] = False

    # ---- properties
    @event
    def tlb_hit(self, cpu: Cpu, vmid: Vmid, owner: Vm):
        """the guest on {cpu} hits an entry"""
        require(self.in_guest[cpu] and self.vttbr_vmid[cpu] == vmid and self.entry[cpu, vmid, owner])
        check("no-foreign-hit", self.vcpu[cpu] == owner, "{cpu} hits an entry of {owner} under VMID {vmid}")

    @event
    def dead_hit(self, cpu: Cpu, vmid: Vmid):
        """the guest on {cpu} hits an entry of a VM that is gone"""
        require(self.in_guest[cpu] and self.vttbr_vmid[cpu] == vmid)
        check(
            "no-foreign-hit",
            not self.dead_entry[cpu, vmid],
            "{cpu} hits an entry of a VM that is gone, under VMID {vmid}",
        )

    @invariant(because="{a} and {b} run different VMs with one VMID")
    def no_shared_vmid(self):
        return all(
            not (
                self.in_guest[a]
                and self.in_guest[b]
                and self.vcpu[a] != self.vcpu[b]
                and self.vttbr_vmid[a] == self.vttbr_vmid[b]
            )
            for a in Cpu
            for b in Cpu
            if a != b
        )

    @invariant(because="{a} and {b} run one VM with two VMIDs")
    def one_vmid_per_vm(self):
        return all(
            not (
                self.in_guest[a]
                and self.in_guest[b]
                and self.vcpu[a] == self.vcpu[b]
                and self.vttbr_vmid[a] != self.vttbr_vmid[b]
            )
            for a in Cpu
            for b in Cpu
            if a != b
        )

    @invariant(because="{cpu} runs a guest with VMID 0")
    def vmid0_never_live(self):
        return all(not (self.in_guest[cpu] and self.vttbr_vmid[cpu] is None) for cpu in Cpu)

    @reachable
    def a_rollover(self):
        return self.generation != 0
