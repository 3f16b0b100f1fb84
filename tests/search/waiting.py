"""Three systems in which somebody waits for ever while others go on: small ones, after real bugs; each with its mend."""

from typing import Optional

from flushproof.model.hardware import Cpu
from flushproof.model.language.declare import Knob, Map, Policy, Sort, System, action, process, require


class TlbFlush(System):
    """OSv's flush of all TLBs while CPUs come up (OSv issue 102): it counts the CPUs, interrupts all others, and waits for as many
    acknowledgements, though a CPU without an interrupt descriptor table gives none."""

    asks = ("no-stuck",)

    counts_all = Knob(bool, True, "count every CPU of the list, also one that cannot take interrupts yet")

    has_idt: Map[Cpu, bool]
    pending: Map[Cpu, Cpu, bool]
    missing: Map[Cpu, Cpu, bool]
    flushing: Optional[Cpu]

    policies = {
        "as-filed": Policy("every CPU is counted", {}, "no-stuck"),
        "after-idt": Policy("a CPU is counted once it has its table", {"counts_all": False}, "holds"),
    }

    @process(Cpu)
    def smp_main(self, cpu):
        require(not self.has_idt[cpu])
        yield "installs its IDT"
        self.has_idt[cpu] = True

    @process(Cpu)
    def tlb_flush(self, cpu):
        yield "sends the IPI"
        require(self.has_idt[cpu] and self.flushing is None)
        self.flushing = cpu
        for other in Cpu:
            if other != cpu and (self.counts_all or self.has_idt[other]):
                self.missing[cpu, other] = True
                self.pending[other, cpu] = self.has_idt[other]
        yield "waits for every ack"
        require(all(not self.missing[cpu, other] for other in Cpu))
        self.flushing = None

    @action
    def takes_ipi(self, cpu: Cpu, sender: Cpu):
        """{cpu} flushes, and acknowledges {sender}'s IPI"""
        require(self.pending[cpu, sender])
        self.pending[cpu, sender] = False
        self.missing[sender, cpu] = False


class Timer(Sort, size=1):
    """Something else that goes on for ever."""


class RemoteFence(System):
    """Remote fences between harts, made by firmware (as in OpenSBI issue 402): whoever sends one waits until the other hart has
    processed it.  A hart takes the interrupt only outside of the firmware; unless it looks at its own queue while it waits, two
    that fence each other wait for ever, and timers tick on elsewhere."""

    asks = ("no-stuck",)

    processes_own = Knob(bool, True, "while it waits, a hart processes what was sent to itself")

    firmware: Map[Cpu, bool]
    queued: Map[Cpu, Cpu, bool]
    ticked: Map[Timer, bool]

    policies = {
        "waits-alone": Policy("", {"processes_own": False}, "no-stuck"),
        "processes-own": Policy("", {}, "holds"),
    }

    @process(Cpu)
    def sbi_remote_fence(self, cpu):
        yield "ecall: into M-mode"
        self.firmware[cpu] = True
        yield "sends to all other harts"
        for other in Cpu:
            if other != cpu:
                self.queued[other, cpu] = True
        yield "waits until they are done"
        require(all(not self.queued[other, cpu] for other in Cpu))
        yield "returns to S-mode"
        self.firmware[cpu] = False

    @action
    def processes(self, cpu: Cpu, sender: Cpu):
        """{cpu} processes what {sender} has queued"""
        require(self.queued[cpu, sender] and (self.processes_own or not self.firmware[cpu]))
        self.queued[cpu, sender] = False

    @process(Timer)
    def tick(self, timer):
        yield "ticks"
        self.ticked[timer] = not self.ticked[timer]


class Vcpu(Sort, size=2):
    """A virtual CPU."""


class RequestAndWait(System):
    """Whoever changes a memory map makes a request of each vcpu and waits until it is acknowledged, as KVM does with
    KVM_REQUEST_WAIT.  A vcpu that was never run acknowledges nothing: only those in guest mode may be waited for."""

    asks = ("no-stuck",)

    only_in_guest = Knob(bool, True, "wait only for vcpus that are in guest mode")

    in_guest: Map[Vcpu, bool]
    halted: Map[Vcpu, bool]
    requested: Map[Vcpu, bool]
    waited: Map[Vcpu, bool]
    busy: bool

    policies = {
        "everyone": Policy("", {"only_in_guest": False}, "no-stuck"),
        "in-guest": Policy("", {}, "holds"),
    }

    @process(Vcpu)
    def vcpu_run(self, vcpu):
        yield "enters the guest"
        require(not self.halted[vcpu])
        self.in_guest[vcpu] = True
        self.requested[vcpu] = False
        yield "exits, and acknowledges"
        self.in_guest[vcpu] = False
        self.requested[vcpu] = False
        self.waited[vcpu] = False

    @action
    def halt(self, vcpu: Vcpu):
        """{vcpu} is offlined by its guest, for good"""
        require(not self.in_guest[vcpu])
        self.halted[vcpu] = True

    @process()
    def memslot_update(self):
        yield "makes the request"
        for vcpu in Vcpu:
            self.requested[vcpu] = True
            self.waited[vcpu] = self.in_guest[vcpu] or not self.only_in_guest
        yield "waits for the acknowledgements"
        require(all(not self.waited[vcpu] for vcpu in Vcpu))
