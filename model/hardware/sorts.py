"""What a machine is made of.  All of these are interchangeable: nothing depends on which CPU or page it is."""

from flushproof.model.language.declare import Sort


class Cpu(Sort, size=2):
    """A processing element (PE), with a TLB of its own."""


class Thread(Sort, size=2):
    """A thread of the host kernel, or of a process that is in the kernel."""


class Vm(Sort, size=2):
    """A virtual machine."""


class Vcpu(Sort, size=2):
    """A virtual CPU; the host runs it as a thread."""


class Vmid(Sort, size=2, first=1):
    """A VMID that a guest may have, the tag of its TLB entries.  VMID 0 is the host's and is not among them: where it can
    be loaded, an `Optional[Vmid]` is None."""


class Page(Sort, size=2):
    """A page of physical memory, the output of a translation."""
