"""flushproof: a model checker for TLB coherence."""

from pathlib import Path

# In a checkout the subpackages lie beside this folder (pyproject.toml maps them into the package), and Python started there
# finds this folder before the installed package.
_checkout = Path(__file__).resolve().parent.parent
if (_checkout / "model" / "language").is_dir():
    __path__.append(str(_checkout))
