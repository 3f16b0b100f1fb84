"""Proofs as files: what is claimed, every question as SMT-LIB 2, and the answer that each must have.

`save` writes a proof; `verify` asks all of its questions again, without any search, and sees to it that none is
missing: the initial state and each action, for each conjunct.  Where an action writes nothing that a conjunct reads
there is nothing to ask; the file says what is written and what is read.  `verify(..., system)` also makes the
questions anew from the system as it is now, and compares.  Each script is complete, so that any solver can answer it;
cvc5 is asked too where it is installed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flushproof.model.errors import FlushproofError
from flushproof.model.ir import System
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.terms import reads

from ..formulas.conjuncts import Conjunct, conjuncts
from ..formulas.printing import show
from ..formulas.solver import Outcome, Question, answer_script, same_script, second_opinion
from .induction import INITIALLY, AnyNumber, Proof, Result

FORMAT = "flushproof-proof"
VERSION = 1


def certificate(proof: Proof, instance: Instance) -> dict[str, Any]:
    """The proof's certificate, as JSON has it: its proved properties and the lemmas that they rest on.

    instance: names the policy and knobs under which the system was proved; its sizes play no role.

    Raises:
        FlushproofError: nothing is proved.
    """
    used = proof.used()
    if not used:
        raise FlushproofError(f"{proof.system.name}: no property is proved, so there is nothing to certify.")
    parts = [c for c in proof.inductive if c.name in used]
    return {
        "format": FORMAT,
        "version": VERSION,
        "system": proof.system.name,
        "policy": instance.policy,
        "knobs": dict(instance.knobs),
        "properties": [name for name, proved in proof.properties.items() if proved],
        "conjuncts": [
            {"name": c.name, "role": c.role, "formula": show(c.formula), "reads": sorted(reads(c.formula))}
            for c in parts
        ],
        "actions": [{"name": a.name, "writes": sorted({u.var for u in a.updates})} for a in proof.system.actions],
        "questions": list(_questions(proof.system, parts, proof.results)),
    }


def save(proof: Proof, instance: Instance, path: Path) -> None:
    """Writes the proof's certificate."""
    path.write_text(json.dumps(certificate(proof, instance), indent=1) + "\n")


def _questions(system: System, parts: list[Conjunct], results: tuple[Result, ...]) -> Iterator[dict[str, Any]]:
    by_name = {c.name: c for c in parts}
    asked = AnyNumber(system, parts)
    for result in results:
        if result.conjunct in by_name and result.verdict == "proved":
            script = _script(asked, system, result, by_name[result.conjunct])
            yield {
                "action": result.action,
                "conjunct": result.conjunct,
                "needs": list(result.core),
                "expected": "unsat",
                "smt2": script,
            }


def _script(asked: AnyNumber, system: System, result: Result, conjunct: Conjunct) -> str:
    if result.action == INITIALLY:
        return asked.initiation(conjunct).smtlib()
    action = next(a for a in system.actions if a.name == result.action)
    question = asked.consecution(action, conjunct)
    needed = {name: question.hypotheses[name] for name in result.core}
    return Question(question.domain, needed, question.facts).smtlib()


# ----------------------------------------------------------------------------------------------------------------
# verify


@dataclass(frozen=True)
class Checked:
    """One question that was asked again: the answers of Z3, and of cvc5 where it is installed."""

    action: str
    conjunct: str
    z3: Outcome
    cvc5: Outcome | None
    seconds: float

    @property
    def ok(self) -> bool:
        return self.z3 == "unsatisfiable" and self.cvc5 in (None, "unsatisfiable", "unknown")


@dataclass(frozen=True)
class Verification:
    """What became of a certificate: its questions, and whatever is wrong with the file itself."""

    content: Mapping[str, Any]
    checked: tuple[Checked, ...]
    complaints: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.complaints and all(c.ok for c in self.checked)

    @property
    def seconds(self) -> float:
        return sum(c.seconds for c in self.checked)

    @property
    def confirmed_by_cvc5(self) -> int:
        return sum(c.cvc5 == "unsatisfiable" for c in self.checked)


def verify(path: Path, system: System | None = None, *, limit: float = 10.0, cvc5: bool = True) -> Verification:
    """Checks a certificate.

    system: the present system under the certificate's policy and knobs, if the certificate is to be compared with it.
    limit: seconds for each question and solver.

    Raises:
        FlushproofError: the file is no certificate.
    """
    content = _load(path)
    complaints = [*_missing(content), *(_differences(content, system) if system is not None else ())]
    checked = tuple(_check(q, limit, cvc5) for q in content["questions"])
    return Verification(content, checked, tuple(complaints))


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise FlushproofError(f"{path}: {error.strerror}.") from None
    except ValueError as error:
        raise FlushproofError(f"{path} is not JSON: {error}.") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FlushproofError(f"{path} is not a certificate of flushproof: its `format` is not '{FORMAT}'.")
    if content.get("version") != VERSION:
        raise FlushproofError(f"{path} has version {content.get('version')}; this flushproof reads version {VERSION}.")
    wanted = {"properties": str, "conjuncts": dict, "actions": dict, "questions": dict}
    for key, kind in wanted.items():
        if not isinstance(content.get(key), list) or not all(isinstance(x, kind) for x in content[key]):
            raise FlushproofError(f"{path}: `{key}` is missing or not a list of {kind.__name__}s.")
    fields = {
        "conjuncts": ("name", "reads"),
        "actions": ("name", "writes"),
        "questions": ("action", "conjunct", "smt2"),
    }
    for key, names in fields.items():
        for entry in content[key]:
            for name in names:
                if name not in entry:
                    raise FlushproofError(f"{path}: an entry of `{key}` has no `{name}`.")
    return content


def _missing(content: Mapping[str, Any]) -> Iterator[str]:
    """Questions that a whole induction asks and this file does not."""
    asked = {(q["action"], q["conjunct"]) for q in content["questions"]}
    names = {c["name"] for c in content["conjuncts"]}
    for conjunct in content["conjuncts"]:
        if (INITIALLY, conjunct["name"]) not in asked:
            yield f"nothing shows that '{conjunct['name']}' holds initially"
        for action in content["actions"]:
            touched = not set(action["writes"]).isdisjoint(conjunct["reads"])
            if touched and (action["name"], conjunct["name"]) not in asked:
                yield f"nothing shows that '{action['name']}' keeps '{conjunct['name']}'"
    for question in content["questions"]:
        for name in set(question.get("needs", ())) - names:
            yield f"'{question['action']}' keeps '{question['conjunct']}' by '{name}', which nothing shows"
    shown = {n.partition("#")[0] for n in names}
    for name in content["properties"]:
        if name not in shown:
            yield f"the property '{name}' has no conjunct"


def _differences(content: Mapping[str, Any], system: System) -> Iterator[str]:
    """Where the file does not speak of the system as it is now."""
    claimed = {a["name"]: a["writes"] for a in content["actions"]}
    present = {a.name: sorted({u.var for u in a.updates}) for a in system.actions}
    if claimed != present:
        changed = sorted(n for n in {*claimed, *present} if claimed.get(n) != present.get(n))
        yield f"the system has changed in the actions {', '.join(changed)}"
        return
    parts = {c.name: c for c in (*conjuncts(system.properties, "property"), *conjuncts(system.lemmas, "lemma"))}
    known = [parts[c["name"]] for c in content["conjuncts"] if c["name"] in parts]
    lacking = [c["name"] for c in content["conjuncts"] if c["name"] not in parts and c.get("role") == "lemma"]
    if lacking:
        yield (
            f"the system lacks lemmas that the proof uses ({', '.join(lacking)}): if the search found them, paste them into "
            "the system first, or verify without --system"
        )
    for conjunct in content["conjuncts"]:
        if conjunct["name"] in lacking:
            continue
        if conjunct["name"] not in parts:
            yield f"the system has no property '{conjunct['name']}'"
        elif show(parts[conjunct["name"]].formula) != conjunct.get("formula"):
            yield f"the system's '{conjunct['name']}' says something else"
    if len(known) < len(content["conjuncts"]):
        return
    asked = AnyNumber(system, known)
    for question in content["questions"]:
        result = Result(question["action"], question["conjunct"], "proved", core=tuple(question.get("needs", ())))
        if not same_script(_script(asked, system, result, parts[question["conjunct"]]), question["smt2"]):
            yield f"the question whether '{question['action']}' keeps '{question['conjunct']}' is another one now"


def _check(question: Mapping[str, Any], limit: float, cvc5: bool) -> Checked:
    start = time.perf_counter()
    first = answer_script(question["smt2"], limit)
    second = second_opinion(question["smt2"], limit) if cvc5 else None
    seconds = time.perf_counter() - start
    return Checked(question["action"], question["conjunct"], first, second, seconds)
