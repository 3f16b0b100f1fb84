"""flushproof: a model checker for TLB coherence.

    >>> from flushproof import check
    >>> result = check("kvm-vcpu-switch", policy="none")
    >>> print(result.verdict, result.violated, len(result.trace.steps))
    violated no-foreign-hit 9

The words for writing a system of one's own are in `flushproof.model.language`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

# In a checkout the subpackages lie beside this folder (pyproject.toml maps them into the package), and Python started there
# finds this folder before the installed package.
_checkout = Path(__file__).resolve().parent.parent
if (_checkout / "model" / "language").is_dir():
    __path__.append(str(_checkout))

if TYPE_CHECKING:
    from flushproof.asking import Bills, Policies, Walked, costs, policies, simulate
    from flushproof.checking import Request, check
    from flushproof.costing import Bill
    from flushproof.model.errors import FlushproofError, ModelError
    from flushproof.model.ir.trace import Step, Trace
    from flushproof.model.language.load import shipped
    from flushproof.objects import Told, ToldStep, framed, told
    from flushproof.proving import ProofResult, prove
    from flushproof.report.jsonform import check_json, read_trace
    from flushproof.result import CertificateError, Result
    from flushproof.search.task import Limits, Progress

_HOMES = {
    "flushproof.asking": ("Bills", "Policies", "Walked", "costs", "policies", "simulate"),
    "flushproof.costing": ("Bill",),
    "flushproof.checking": ("Request", "check"),
    "flushproof.model.errors": ("FlushproofError", "ModelError"),
    "flushproof.model.ir.trace": ("Step", "Trace"),
    "flushproof.model.language.load": ("shipped",),
    "flushproof.proving": ("ProofResult", "prove"),
    "flushproof.report.jsonform": ("check_json", "read_trace"),
    "flushproof.result": ("CertificateError", "Result"),
    "flushproof.search.task": ("Limits", "Progress"),
    "flushproof.objects": ("Told", "ToldStep", "framed", "told"),
}

__all__ = [
    "Bill",
    "Bills",
    "CertificateError",
    "FlushproofError",
    "Limits",
    "ModelError",
    "Policies",
    "Progress",
    "ProofResult",
    "Request",
    "Result",
    "Step",
    "Told",
    "ToldStep",
    "Trace",
    "Walked",
    "check",
    "check_json",
    "costs",
    "framed",
    "policies",
    "prove",
    "read_trace",
    "shipped",
    "simulate",
    "told",
]


def __getattr__(name: str) -> Any:
    """Loads a name when it is first asked for: a part of the package does not cost what the whole does."""
    from importlib import import_module

    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'flushproof' has no attribute '{name}'")
