"""CPUs that go offline, out of reach of broadcasts, and what their TLBs hold when they are back from the reset.

A CPU that is offline is no PE of the inner-shareable domain: no TLBI reaches it.  Whether its reset empties the TLB is up to the
implementation (Arm ARM DDI 0487, D1 "Reset"), or to firmware behind it; nobody can tell whether that happens now or later.

Linux takes a CPU down in stop_machine (take_cpu_down in kernel/cpu.c): each CPU that is online runs its stopper thread, so none is
in a section with interrupts or preemption off, and vcpus have been put on the way.  The CPU leaves the domain there, or later, when
the others run again; then TLBIs reach it that it would have missed, and it has no more in its TLB than if it had left at once.  So
that it leaves at once is all there is to model.

This is a kind of system rather than a part of one: a system inherits it, and its state is its own.
"""

from flushproof.model.language.declare import OrderedEnum, require

from .sorts import Cpu


class Hotplug(OrderedEnum):
    """Whether CPUs go offline, out of reach of broadcasts, and what their TLBs hold when they are back from the reset.

    NEVER: they stay online; EMPTIED: nothing; KEPT: what they held before.
    """

    NEVER = 0
    EMPTIED = 1
    KEPT = 2


class HotpluggedCpus:
    """A system with the state `offline`, the TLBIs `tlbi` of everything, the knob `hotplug`, and `flush_guests(cpu)`."""

    def go_offline(self, cpu, stopped):
        """Once the CPU has performed what others have issued.

        stopped: whether all CPUs may be in stop_machine.
        """
        require(self.hotplug != Hotplug.NEVER and not self.offline[cpu])
        require(stopped)
        require(all(not self.tlbi.pending[issuer, cpu] for issuer in Cpu))
        self.offline[cpu] = True

    def reset(self, cpu):
        """What the reset does to the TLB, while the CPU is offline."""
        if self.hotplug == Hotplug.EMPTIED:
            self.flush_guests(cpu)

    def come_online(self, cpu):
        require(self.hotplug != Hotplug.NEVER and self.offline[cpu])
        self.offline[cpu] = False

    def issue_to_online(self, cpu, scope):
        """TLBI, executed by `cpu`."""
        self.tlbi.issue(cpu, scope)
        for target in Cpu:
            if self.offline[target]:
                self.tlbi.pending[cpu, target] = False
