"""The parts bin: hardware, and the host mechanisms next to it, from which systems are put together.

Each part is a class with state, steps and helpers of its own.  A system makes one with the sorts that it needs and hands it
callbacks for what a part cannot know, such as which translations the walker may now cache.

| of what | files |
| --- | --- |
| what a machine has | `sorts`, `toggles`, `costs` |
| translation | `tlb`, `two_stage`, `private` |
| invalidation | `tlbi`, `flush_ipi` |
| caches | `icache` |
| what a CPU executes | `execution`, `tasks`, `sections`, `vcpus`, `guest_context`, `hotplug` |
| between CPUs | `cross_calls`, `locks`, `store_buffers` |
| numbers of VMs | `vmid_words`, `bitmaps`, `vmid_tlbs`, `stage2_context`, `kvm_run_loop` |
| a PV guest's tables, in Xen | `xen_pages`, `xen_linear_map`, `xen_root_copy`, `xen_dirty_cpumask` |

`guest_context`, `hotplug`, `store_buffers`, `vmid_tlbs`, `stage2_context`, `kvm_run_loop`, those of Xen, and in `vcpus` all but
`Vcpus` are bases: a system inherits from them, and their state is its own.
"""

from .cross_calls import CrossCalls
from .execution import Execution
from .flush_ipi import FlushIpi
from .icache import InstructionSide
from .locks import BitLock, Lock, RwLock
from .private import PrivateMachine
from .sorts import Cpu, Page, Thread, Vcpu, Vm, Vmid
from .tasks import Tasks
from .tlb import Fill, Tlb
from .tlbi import Invalidations, Scope
from .toggles import FORCE_BROADCAST, STALE_CONTEXT
from .two_stage import TwoStageTlb
from .vcpus import Vcpus

__all__ = [
    "FORCE_BROADCAST",
    "STALE_CONTEXT",
    "BitLock",
    "Cpu",
    "CrossCalls",
    "Execution",
    "Fill",
    "FlushIpi",
    "InstructionSide",
    "Invalidations",
    "Lock",
    "Page",
    "PrivateMachine",
    "RwLock",
    "Scope",
    "Tasks",
    "Thread",
    "Tlb",
    "TwoStageTlb",
    "Vcpu",
    "Vcpus",
    "Vm",
    "Vmid",
]
