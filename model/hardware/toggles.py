"""Assumptions about the hardware that more than one system makes.  Each can flip a verdict, so each has a name."""

from flushproof.model.language.declare import Knob

FORCE_BROADCAST = Knob(
    bool,
    True,
    "HCR_EL2.FB: a TLB or I-cache invalidation that a guest executes for its own PE is broadcast to the Inner Shareable domain "
    "(Arm ARM DDI 0487, HCR_EL2, field FB)",
    toggle=True,
)

STALE_CONTEXT = Knob(
    bool,
    False,
    "after a guest exit its context stays in the EL1 registers and is still walked speculatively, though it is out of context "
    "(the speculative-AT errata 1165522, 1319367 and 1530923, without their workaround)",
    toggle=True,
)

BARRIER_UPGRADE = Knob(
    bool,
    True,
    "HCR_EL2.BSU: a barrier that a guest executes for its own PE (DSB NSH) waits for the whole Inner Shareable domain "
    "(Arm ARM DDI 0487, HCR_EL2, field BSU)",
    toggle=True,
)
