"""What is counted: the operations that a policy pays for, and the entries that they take away.

The host's code counts where it executes an operation; what guests do for themselves is the same under every policy and is not
counted.  An invalidation is *local*, for the PE that executes it, or *broadcast*, for all PEs of the inner-shareable domain; it
takes away one address (VA or IPA), all that carries one tag (a VMID), or everything.
"""

from flushproof.model.language.declare import cost

from .tlbi import Scope

LOCAL_VA, BC_VA = BY_ADDRESS = ("local_va", "bc_va")
"""TLBI VAE1, IPAS2E1; INVLPG."""
LOCAL_TAG, BC_TAG = BY_TAG = ("local_tag", "bc_tag")
"""TLBI VMALLE1, VMALLS12E1."""
LOCAL_ALL, BC_ALL = OF_ALL = ("local_all", "bc_all")
"""TLBI ALLE1; a write to CR3."""
ICACHE_LOCAL, ICACHE_BC = OF_ICACHE = ("icache_local", "icache_bc")
"""IC IALLU; IC IALLUIS, IC IVAU."""

IPI = "ipi"
"""An interrupt to another CPU; one for each CPU that it is sent to."""
DSB_WAIT = "dsb_wait"
"""A barrier that waits for stores, invalidations or cleans to complete: a DSB of the host."""
GUEST_EXITS = "guest_exits"
"""A guest left for the hypervisor: by a trap, an interrupt or a hypercall."""


def count_invalidation(scope, names):
    """One instruction of this scope is executed; `names` is what it is called when local and when broadcast."""
    local, broadcast = names
    if scope == Scope.LOCAL:
        cost(local)
    if scope == Scope.BROADCAST:
        cost(broadcast)
