"""The parts bin: hardware, and the host mechanisms next to it, from which systems are put together.

Each part is a class with state, steps and helpers of its own.  A system makes one with the sorts that it needs and hands it
callbacks for what a part cannot know, such as which translations the walker may now cache.

| of what | files |
| --- | --- |
| what a machine has | `sorts`, `toggles`, `costs` |
| translation | `tlb`, `two_stage`, `private` |
| invalidation | `tlbi`, `flush_ipi` |
| caches | `icache` |
| CPUs | `execution`, `vcpus`, `interrupts`, `locks` |
| numbers of VMs | `vmid_words` |
| page types, in Xen | `xen_pages`, `xen_root_copy` |

`execution`, `xen_pages` and `xen_root_copy` are bases: a system inherits from them, and their state is its own.
"""

from .flush_ipi import FlushIpi
from .icache import InstructionSide
from .interrupts import Interrupts
from .locks import Lock
from .private import PrivateMachine
from .sorts import Cpu, Page, Vcpu, Vm, Vmid
from .tlb import Fill, Tlb
from .tlbi import Invalidations, Scope
from .toggles import FORCE_BROADCAST, STALE_CONTEXT
from .two_stage import TwoStageTlb
from .vcpus import Vcpus

__all__ = [
    "FORCE_BROADCAST",
    "STALE_CONTEXT",
    "Cpu",
    "Fill",
    "FlushIpi",
    "InstructionSide",
    "Interrupts",
    "Invalidations",
    "Lock",
    "Page",
    "PrivateMachine",
    "Scope",
    "Tlb",
    "TwoStageTlb",
    "Vcpu",
    "Vcpus",
    "Vm",
    "Vmid",
]
