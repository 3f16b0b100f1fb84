"""The audit of a proof: what holds for any size is explored at sizes beyond those asked for, and its certificate is verified
by a process that knows nothing but the file and the system's source.

Neither proves anything.  Each would notice a proof of something false: then there is no verdict, but a bug of flushproof.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flushproof.engines import engine_of
from flushproof.model.ir.instance import Instance
from flushproof.model.language.instantiate import settings
from flushproof.properties.formulas.conjuncts import named_elements
from flushproof.result import CertificateError
from flushproof.search.explore import explore
from flushproof.search.task import Limits

STATES, SECONDS = 20_000, 10.0
"""Of one size.  It is the states that are meant to stop it: then the same is explored on any machine."""

PATIENCE = 120.0
"""Seconds for the process that verifies the certificate."""


@dataclass(frozen=True)
class Explored:
    """One size that was explored: so many states, which are all of them or those up to a depth."""

    sizes: Mapping[str, int]
    states: int
    depth: int
    complete: bool


@dataclass(frozen=True)
class Audited:
    """What was looked at again.

    verified: the certificate was, by a process of its own; why_not: why it was not.
    """

    explored: tuple[Explored, ...]
    verified: bool
    why_not: str
    seconds: float


def audit(instance: Instance, proved: Sequence[str], certificate: Mapping[str, object], source: str) -> Audited:
    """Looks again at properties that are said to be proved for any size.

    source: how to load the system, for the other process.

    Raises:
        CertificateError: one of them does not hold, or the certificate does not show it.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="flushproof-") as folder:
        file = Path(folder) / "proof.json"
        file.write_text(json.dumps(certificate))
        command = [sys.executable, "-m", "flushproof", "verify", str(file), "--system", source, "--cvc5", "off"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as other:
            try:
                explored = tuple(_explored(instance, proved))
                said = other.communicate(timeout=PATIENCE)[0]
            except subprocess.TimeoutExpired:
                said = f"it took more than {PATIENCE:.0f} seconds"
            finally:
                other.kill()
    if other.returncode == 1:
        raise CertificateError(f"{instance.system.name} is proved for any size, and its certificate is not verified:\n{said}")
    verified = other.returncode == 0
    why_not = "" if verified else said.strip().removeprefix("flushproof: ")
    return Audited(explored, verified, why_not, time.monotonic() - started)


def _explored(instance: Instance, proved: Sequence[str]) -> Iterator[Explored]:
    """Larger sizes one after another; four of each sort where three of each were few enough to be explored to the end."""
    properties = tuple(p for p in instance.system.properties if p.name in proved)
    system = replace(instance.system, properties=properties, lemmas=(), hints=())
    found = None
    for sizes in larger(instance):
        found = _at(replace(instance, system=system, sizes=sizes))
        yield found
    if found is not None and found.complete:
        most = {name: max(size, 4) for name, size in found.sizes.items()}
        if most != found.sizes:
            yield _at(replace(instance, system=system, sizes=most))


def _at(instance: Instance) -> Explored:
    """One size, at which no property may be violated."""
    system, sizes = instance.system, instance.sizes
    found = explore(
        instance,
        properties=[p.name for p in system.properties],
        limits=Limits(states=STATES, seconds=SECONDS),
        engine=engine_of(),
    )
    if "an interrupt" in (found.reason or ""):
        raise KeyboardInterrupt
    if found.property is not None:
        at = settings({}, sizes)
        raise CertificateError(f"{system.name} is proved for any size, and with {at} '{found.property}' does not hold")
    return Explored(sizes, found.states, found.depth, found.complete)


def larger(instance: Instance) -> Iterator[Mapping[str, int]]:
    """Sizes beyond the instance's: one more of one sort at a time, and at last three of each sort (four, where there are three);
    never fewer than literals name."""
    least = {name: max(size, named_elements(instance.system).get(name, 1)) for name, size in instance.sizes.items()}
    seen = {tuple(instance.sizes.values())}
    more = [
        *({**least, name: size + 1} for name, size in least.items()),
        {name: max(size, 4 if min(least.values()) > 2 else 3) for name, size in least.items()},
    ]
    for sizes in more:
        if tuple(sizes.values()) not in seen:
            seen.add(tuple(sizes.values()))
            yield sizes
