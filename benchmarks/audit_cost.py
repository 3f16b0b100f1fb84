"""What the audit of a check costs: the same checks with and without it, in turn, in one process.

    python -m benchmarks.audit_cost                      every shipped policy, and larger searches
    python -m benchmarks.audit_cost kvm-vcpu-switch both Cpu=3

Seconds are of the processor.  Allowed is half a second, or a tenth of what the check takes without it where that is more.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from statistics import mean

from flushproof.model.language.load import load_system, shipped
from tabulate import tabulate

from flushproof.auditing import DEFAULT, SECONDS, SHARE, Amount
from flushproof.checking import check

from .subject import Subject

LARGER = (
    "kvm-vmid-generation fixed Cpu=3 Vcpu=3 Vm=2 Vmid=3",
    "kvm-vmid-allocator fixed Vmid=4",
    "xen-pv-paging per-batch",
    "xen-tlbflush-clock invalidate-first Page=2",
)
"""Searches of seconds, of which a tenth is more than half a second or nearly so."""


def subjects() -> Iterator[Subject]:
    """Every shipped policy at its default sizes, and the larger searches."""
    for name, cls in shipped().items():
        for policy in cls.policies:
            yield Subject(name, policy, {})
    yield from (Subject.parse(words.split()) for words in LARGER)


def seconds(subject: Subject, audit: Amount | None) -> tuple[float, float, int]:
    """Of the processor: the whole check, and what the audit says that it took; and how many steps it ran again."""
    before = time.process_time()
    result = check(load_system(subject.system), subject.policy, sizes=subject.sizes, audit=audit)
    taken = time.process_time() - before
    return taken, result.audit.seconds if result.audit else 0.0, result.audit.steps if result.audit else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("subject", nargs="*", metavar="SYSTEM [POLICY] [SORT=N ...]")
    asked = parser.parse_args()
    rows, excess = [], []
    for subject in [Subject.parse(asked.subject)] if asked.subject else subjects():
        seconds(subject, None)  # what is compiled once is compiled here
        without, _, _ = seconds(subject, None)
        whole, said, steps = seconds(subject, DEFAULT)
        allowed = max(SECONDS, SHARE * without)
        excess.append(said / allowed)
        rows.append(
            [" ".join(subject.words()), f"{without:.2f}", f"{whole:.2f}", f"{said:.2f}", f"{allowed:.2f}", f"{steps:,}"]
        )
        print(rows[-1], flush=True)
    print(tabulate(rows, ["", "without", "with", "audit", "allowed", "steps"], tablefmt="github", disable_numparse=True))
    print(f"the audit takes {mean(excess):.2f} of what is allowed on average, {max(excess):.2f} at most")


if __name__ == "__main__":
    main()
