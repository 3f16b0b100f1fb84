"""The EL1&0 registers of a PE one by one, and what a walker with a speculative-AT erratum makes of them while they are switched.

Rules followed (Arm ARM DDI 0487, D8 "Address translation", TCR_EL1.EPD0 and EPD1, SCTLR_EL1.M, HCR_EL2.{VM, TGE}):

- A stage-1 walk uses the tables in TTBR0_EL1 and TTBR1_EL1, unless SCTLR_EL1.M is 0 (then addresses are IPAs as they are) or
  TCR_EL1.EPD0 and EPD1 forbid it.  EPD forbids nothing while SCTLR_EL1.M is 0.
- What it finds is translated by stage 2 if HCR_EL2.VM is 1, and is cached under the VMID in VTTBR_EL2 whatever VM is.
- The architecture has none of this happen while the regime is out of context.  PEs with errata 1165522, 1319367, 1319537 or
  1530923 may do so, by an AT instruction that is executed speculatively: without VHE whenever the hypervisor executes, with VHE
  while HCR_EL2.TGE is 0 (else AT S1E1 is about the host's own regime).
- Without any erratum, a walk that began before an exception to EL2 may end there, by whatever the registers hold then, unless a
  DSB has waited for it ("Out-of-context translation regimes").  EPD forbids walks to begin, and ends none.  Who began it is kept:
  the tables are those of TTBR0_EL1 and TTBR1_EL1 as they were, the VMID and stage 2 are those of the end.

Writes between which no ISB stands take effect in any order; here they do in the order of the code.
"""

import enum
from typing import Annotated, Optional

from flushproof.model.language.declare import Knob, Map, View, initially

from .sorts import Cpu, Vcpu


class Stray(enum.Enum):
    """Entries under a VM's VMID that come from no vcpu's tables.

    FLAT_MAPPED: made with stage 1 off, as a vcpu makes them whose MMU is off.
    MIXED_CONTEXTS: made of registers that do not belong together: the host's tables; tables that mean nothing, since the vcpu's
        MMU is off; no stage 2.
    """

    FLAT_MAPPED = 0
    MIXED_CONTEXTS = 1


class El1Context:
    """A system that writes the registers of the EL1&0 regime one after the other, beside `vttbr` and `el1`, whose tables
    TTBR0_EL1 and TTBR1_EL1 hold (None: the host's).

    `runs_flat(vcpu)` is whether a vcpu has its MMU off.
    """

    vhe = Knob(bool, False, "the host runs at EL2 (VHE), and HCR_EL2.TGE keeps the guest's regime out of use", toggle=True)

    s1_off: Annotated[Map[Cpu, bool], View("context", "SCTLR_EL1.M is 0")]
    epd: Annotated[Map[Cpu, bool], View("context", "TCR_EL1.EPD0, EPD1")]
    s2_off: Annotated[Map[Cpu, bool], View("context", "HCR_EL2.VM is 0")]
    tge_clear: Annotated[Map[Cpu, bool], View("context", "HCR_EL2.TGE is 0")]
    hosts_walk: Annotated[Map[Cpu, bool], View("context", "a walk that the host began")]
    guests_walk: Annotated[Map[Cpu, Optional[Vcpu]], View("context", "a walk that a guest began")]

    @initially
    def the_host_runs(self):
        """Without stage 2."""
        self.s2_off[...] = not self.vhe

    def may_walk(self, cpu):
        """Whether the regime may be walked, as far as it depends on who executes."""
        return self.in_guest[cpu] or (self.stale_context and (not self.vhe or self.tge_clear[cpu]))

    def walks_tables(self, cpu):
        """Those in TTBR0_EL1 and TTBR1_EL1."""
        return self.may_walk(cpu) and not self.s1_off[cpu] and not self.epd[cpu]

    def walks_flat(self, cpu):
        """Without tables: stage 1 is off."""
        return self.may_walk(cpu) and self.s1_off[cpu]

    def walks_end(self, cpu):
        """A DSB: those that have begun are over."""
        self.hosts_walk[cpu] = False
        self.guests_walk[cpu] = None

    def walks_for_a_vm(self, cpu, vm, stray):
        """What is cached under a VM's VMID, and comes from no vcpu's tables."""
        no_ones = self.el1[cpu] is None or self.runs_flat(self.el1[cpu])
        tables = self.walks_tables(cpu) and (no_ones or self.s2_off[cpu])
        began = self.guests_walk[cpu]
        begun_flat = began is not None and self.runs_flat(began)
        late = self.hosts_walk[cpu] or (began is not None and self.s2_off[cpu])
        mixed = tables or late or (self.walks_flat(cpu) and self.s2_off[cpu])
        flat = (self.walks_flat(cpu) or begun_flat) and not self.s2_off[cpu]
        return self.vttbr[cpu] == vm and (flat if stray == Stray.FLAT_MAPPED else mixed)

    def walks_for_the_host(self, cpu):
        """What is cached under the host's VMID, which without VHE its own regime has, and is not the host's."""
        guests = self.walks_tables(cpu) and self.el1[cpu] is not None
        late = self.guests_walk[cpu] is not None
        return not self.vhe and self.vttbr[cpu] is None and (guests or late or self.walks_flat(cpu))
