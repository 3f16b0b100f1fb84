"""How much address space this process may have: too little of it kills libraries at their start, with statuses like verdicts."""

from __future__ import annotations

import resource

LEAST = 1 << 30
"""With fewer bytes of addresses than this, numpy, LLVM or Z3 may end the process when they are loaded, or soon after."""


def address_space() -> int | None:
    """The limit in bytes (`ulimit -v`), None where there is none."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit
