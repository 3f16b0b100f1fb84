"""Guests on a PE: when one executes, and whose context the registers hold meanwhile, the host's or a guest's.

Rules followed (Arm ARM DDI 0487, D1 "Exception levels", D8 "Address translation", "Use of out-of-context translation regimes"):

- A guest runs from one exception return of the hypervisor to the next exception that is routed to it.
- A walker walks, speculatively too, with the registers of the translation regime that is current.  While the host runs, the
  guest's regime is out of context, and is not walked, but for the speculative-AT errata (`STALE_CONTEXT`).
- A TLBI that the hypervisor executes for a guest acts on the VMID in VTTBR_EL2, and with VHE on the EL1&0 regime that
  HCR_EL2.TGE selects; the guest's context must be loaded around it.

These are kinds of systems rather than parts of one: a system inherits them, and their state is its own.
"""

from typing import Annotated, Optional

from flushproof.model.language.declare import Map, View, choose, cost, occurs

from .costs import GUEST_EXITS
from .events import EXIT
from .sorts import Cpu, Vcpu
from .tlbi import Scope
from .vcpus import Vcpus


class Guests:
    """A system whose CPUs enter and leave guests: `enter_guest(cpu)` and `exit_guest(cpu)` are what that does to registers."""

    def run(self, cpu, *context):
        """Into the guest and out of it.

        context: what `enter_guest` is given besides the CPU.
        """
        yield "enters the guest"
        self.enter_guest(cpu, *context)
        yield "exits the guest"
        occurs(EXIT)
        cost(GUEST_EXITS)
        self.exit_guest(cpu)


class GuestMode(Guests):
    """A system of which it matters whether a guest executes: it has the state `in_guest` and the knob `stale_context`."""

    def enter_guest(self, cpu):
        """The exception return to the guest."""
        self.in_guest[cpu] = True

    def exit_guest(self, cpu):
        """An exception that is routed to the host."""
        self.in_guest[cpu] = False

    def in_context(self, cpu):
        """Whether the guest's translation regime may be walked, as far as it depends on who executes."""
        return self.in_guest[cpu] or self.stale_context


class RunningVcpus(Guests):
    """A system of which it matters which vcpu executes: the vcpus that threads have loaded, and those that are in the guest."""

    guest: Annotated[Map[Cpu, Optional[Vcpu]], View("context", "in the guest")]
    vcpus = Vcpus()

    def enter_guest(self, cpu):
        """The exception return to the guest."""
        self.guest[cpu] = self.vcpus.loaded[cpu]

    def exit_guest(self, cpu):
        """An exception that is routed to the host."""
        self.guest[cpu] = None

    def pe(self, vcpu):
        """The PE on which the vcpu executes; it may have migrated at any step."""
        return choose(Cpu, where=lambda c: self.guest[c] == vcpu)


class VmidContext:
    """A system whose host loads the guest's context, VTTBR_EL2 and HCR_EL2, around the TLBIs that it executes for the guest.

    Follows enter_vmid_context and exit_vmid_context in arch/arm64/kvm/hyp/vhe/tlb.c.  Each is one step: between the register
    writes and the ISB nothing is executed that depends on them.
    """

    in_guest_context: Annotated[Map[Cpu, bool], View("context", "guest's VTTBR_EL2 and HCR_EL2")]

    def enter_vmid_context(self, cpu):
        """VTTBR_EL2 is the guest's; TGE is 0; ISB."""
        self.in_guest_context[cpu] = True

    def exit_vmid_context(self, cpu):
        """VTTBR_EL2 and TGE are the host's again; ISB."""
        self.in_guest_context[cpu] = False

    def applied(self, cpu, scope):
        """The scope on which a TLBI for the guest acts: none, while the host's context is loaded."""
        return scope if self.in_guest_context[cpu] else Scope.NONE
