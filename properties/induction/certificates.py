"""Proofs as files: what is claimed, what it rests on, and every question as SMT-LIB 2.

`save` writes a proof; `verify` takes from the file what is claimed, the lemmas that the search found, and for each
question the conjuncts that suffice.  All else it makes anew, from the system under the policy and knobs that the file
names: the properties with all of their clauses, the system's own lemmas, and a question for the initial state and each
action and for each conjunct.  These are what it asks; of the file's own scripts, which are there for other solvers,
it only sees that they are the same.  Each script is complete; cvc5 is asked too where it is installed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from flushproof.model.errors import FlushproofError
from flushproof.model.ir import Action, Property, System
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.reading import read_json

from ..formulas.conjuncts import Conjunct, conjuncts, named_elements
from ..formulas.printing import show
from ..formulas.reading import clause_json, read_clause
from ..formulas.solver import Outcome, Question, answer_script, same_script, second_opinion
from .counterexample import where_it_begins
from .induction import INITIALLY, AnyNumber, Proof, sizes_to_begin_with, touches

FORMAT = "flushproof-proof"
VERSION = 2

FOUND = "found"
"""The role, in a file, of a lemma that the system lacks; the file says what it is."""

Key: TypeAlias = tuple[str, str, int]
"""A conjunct's role, name of its property or lemma, and number of its clause."""

Cores: TypeAlias = Mapping[tuple[str | None, Key], Sequence[Key]]
"""For each action (None: the initial state) and conjunct, the conjuncts that suffice before the step."""


def certificate(proof: Proof, instance: Instance, given: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The proof's certificate, as JSON has it: its proved properties and the lemmas that they rest on.

    instance: names the policy and knobs under which the system was proved; its sizes play no role.
    given: the knobs that were set besides the policy's.

    Raises:
        FlushproofError: nothing is proved.
    """
    used, system = proof.used(), proof.system
    if not used:
        raise FlushproofError(f"{system.name}: no property is proved, so there is nothing to certify.")
    own = set(_own(system).values())
    parts = {_key(c, own): c for c in proof.inductive if c in used}
    keys = {c: key for key, c in parts.items()}
    cores = {
        (None if r.action is None else r.action.name, keys[r.conjunct]): [keys[c] for c in proof.inductive if c in r.core]
        for r in proof.results
        if r.conjunct in keys
    }
    return {
        "format": FORMAT,
        "version": VERSION,
        "system": system.name,
        "policy": instance.policy,
        "set": dict(given or {}),
        "knobs": dict(instance.knobs),
        "elements": named_elements(system, parts.values()),
        "properties": [name for name, proved in proof.properties.items() if proved],
        "conjuncts": [
            {
                **dict(zip(("role", "of", "number"), key, strict=True)),
                "formula": show(c.formula),
                **({"clause": clause_json(c.clause)} if key[0] == FOUND else {}),
            }
            for key, c in parts.items()
        ],
        "questions": [
            {
                "action": None if asked.action is None else asked.action.name,
                "conjunct": list(asked.key),
                "needs": [list(key) for key in asked.needs],
                "expected": "unsat",
                "smt2": asked.script,
            }
            for asked in _obligations(system, parts, cores)
        ],
    }


def save(proof: Proof, instance: Instance, path: Path) -> None:
    """Writes the proof's certificate."""
    import json

    path.write_text(json.dumps(certificate(proof, instance), indent=1) + "\n")


def _own(system: System) -> dict[Key, Conjunct]:
    """The conjuncts that the system itself has."""
    parts = (*conjuncts(system.properties, "property"), *conjuncts(system.lemmas, "lemma"))
    return {(c.role, c.of, c.number): c for c in parts}


def _key(part: Conjunct, own: set[Conjunct]) -> Key:
    return (part.role if part in own else FOUND, part.of, part.number)


@dataclass(frozen=True)
class _Obligation:
    action: Action | None
    key: Key
    needs: tuple[Key, ...]
    script: str


def _obligations(system: System, parts: Mapping[Key, Conjunct], cores: Cores) -> Iterator[_Obligation]:
    """Every question of the induction: the initial state and each action that writes what a conjunct reads.

    Where nobody says what suffices, everything is assumed.
    """
    asked = AnyNumber(system, list(parts.values()))
    for key, part in parts.items():
        for action in (None, *(a for a in system.actions if touches(a, part))):
            if action is None:
                yield _Obligation(None, key, (), asked.initiation(part).smtlib())
                continue
            wanted = set(cores.get((action.name, key), parts))
            needs = tuple(k for k in parts if k in wanted)
            question = asked.consecution(action, part)
            hypotheses = {k: question.hypotheses[parts[k]] for k in needs}
            yield _Obligation(action, key, needs, Question(question.domain, hypotheses, question.facts).smtlib())


# ----------------------------------------------------------------------------------------------------------------
# verify


@dataclass(frozen=True)
class Certificate:
    """What a file claims, well-formed and not believed.

    given: the knobs that were set besides the policy's; elements: how many there must be of each ordered sort.
    parts: the conjuncts, with what the file says of each: its formula, and its clause if the search found it.
    """

    path: Path
    system: str
    policy: str | None
    given: Mapping[str, str]
    knobs: Mapping[str, str]
    elements: Mapping[str, int]
    properties: tuple[str, ...]
    parts: Mapping[Key, Mapping[str, Any]]
    cores: Cores
    scripts: Mapping[tuple[str | None, Key], str]


@dataclass(frozen=True)
class Checked:
    """One question that was asked: the answers of Z3, and of cvc5 where it is installed."""

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
    """What became of a certificate: the questions, and whatever is wrong with the file itself.

    compared: there was a system to make the questions from; without one nothing is verified.
    """

    certificate: Certificate
    checked: tuple[Checked, ...]
    complaints: tuple[str, ...]
    compared: bool = True

    @property
    def ok(self) -> bool:
        return self.compared and bool(self.checked) and not self.complaints and all(c.ok for c in self.checked)

    @property
    def seconds(self) -> float:
        return sum(c.seconds for c in self.checked)

    @property
    def confirmed_by_cvc5(self) -> int:
        return sum(c.cvc5 == "unsatisfiable" for c in self.checked)


def verify(
    claimed: Certificate, instance: Instance | None = None, *, limit: float = 10.0, cvc5: bool = True
) -> Verification:
    """Checks a certificate against the system as it is now.

    instance: of that system, under the certificate's policy and the knobs that it sets, with its lemmas.
    limit: seconds for each question and solver.
    """
    if instance is None:
        return Verification(claimed, (), (), compared=False)
    parts: dict[Key, Conjunct] = {}
    complaints = [*_other_system(claimed, instance), *_gather(claimed, instance.system, parts)]
    if complaints:
        return Verification(claimed, (), tuple(complaints))
    checked = []
    asked: set[tuple[str | None, Key]] = set()
    for question in _obligations(instance.system, parts, claimed.cores):
        name = None if question.action is None else question.action.name
        asked.add((name, question.key))
        complaints += _other_script(claimed, name, question)
        checked.append(_check(question, parts[question.key], limit, cvc5))
    complaints += (f"it asks whether {_said(*q)}, and there is no such question" for q in claimed.scripts if q not in asked)
    return Verification(claimed, tuple(checked), tuple(complaints))


def _other_system(claimed: Certificate, instance: Instance) -> Iterator[str]:
    """Where the file does not speak of this system, under this policy."""
    system = instance.system
    if claimed.system != system.name:
        yield f"it is about {claimed.system}, and this is {system.name}"
    if claimed.policy != instance.policy:
        yield f"it is about the policy {claimed.policy}, and this is {instance.policy}"
    if dict(claimed.knobs) != dict(instance.knobs):
        names = sorted({*claimed.knobs, *instance.knobs})
        other = [n for n in names if claimed.knobs.get(n) != instance.knobs.get(n)]
        yield f"its policy and settings give other values than it says to the knobs {', '.join(other)}"
    if where_it_begins(system, sizes_to_begin_with(system), 10.0) is None:
        yield "no initial state was found, at any small size: of nothing at all everything is true"


def _gather(claimed: Certificate, system: System, parts: dict[Key, Conjunct]) -> Iterator[str]:
    """The conjuncts that the file speaks of, as the system has them now."""
    own = _own(system)
    for key, said in claimed.parts.items():
        role, of, number = key
        if role != FOUND:
            part = own.get(key)
            if part is None:
                yield f"the system has no {role} '{of}' with a clause {number + 1}"
                continue
        else:
            try:
                (part,) = conjuncts([Property(of, (read_clause(said["clause"], system),))], "lemma")
            except FlushproofError as error:
                yield f"its lemma '{of}' is none of this system: {error}"
                continue
        if show(part.formula) != said["formula"]:
            yield f"'{of}' says something else than the file says: {show(part.formula)}"
        parts[key] = part
    for name in claimed.properties:
        clauses = [key for key in own if key[:2] == ("property", name)]
        if not clauses:
            yield f"the system has no property '{name}' that can be proved"
        for key in clauses:
            if key not in parts:
                yield f"the property '{name}' has {len(clauses)} clauses, and nothing shows number {key[2] + 1}"
    elements = named_elements(system, parts.values())
    if dict(claimed.elements) != elements:
        yield f"it is said of {_elements(claimed.elements)}, and holds of {_elements(elements)}"


def _elements(elements: Mapping[str, int]) -> str:
    return ", ".join(f"at least {n} {name}" for name, n in elements.items()) or "any number of elements"


def _other_script(claimed: Certificate, name: str | None, question: _Obligation) -> Iterator[str]:
    here = (name, question.key)
    if here not in claimed.scripts:
        yield f"nothing shows that {_said(*here)}"
    elif not same_script(claimed.scripts[here], question.script):
        yield f"its script does not ask whether {_said(*here)}, as the system is now"


def _said(action: str | None, key: Key) -> str:
    conjunct = f"clause {key[2] + 1} of the {key[0]} '{key[1]}'"
    return f"{conjunct} holds initially" if action is None else f"'{action}' keeps {conjunct}"


def _check(question: _Obligation, part: Conjunct, limit: float, cvc5: bool) -> Checked:
    start = time.perf_counter()
    first = answer_script(question.script, limit)
    second = second_opinion(question.script, limit) if cvc5 else None
    name = INITIALLY if question.action is None else question.action.name
    return Checked(name, part.name, first, second, time.perf_counter() - start)


# ----------------------------------------------------------------------------------------------------------------
# reading


def read(path: Path) -> Certificate:
    """The certificate in a file.

    Raises:
        FlushproofError: the file is no certificate.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FlushproofError(f"{path} is no proof: its `format` is not '{FORMAT}'.")
    if content.get("version") != VERSION or isinstance(content["version"], bool):
        raise FlushproofError(f"{path} has version {content.get('version')!r:.60}; this flushproof reads version {VERSION}.")
    try:
        return _certificate(path, content)
    except _Malformed as error:
        raise FlushproofError(f"{path} is no proof: {error}.") from None


class _Malformed(Exception):
    """What is wrong with a file's form."""


def _certificate(path: Path, content: dict[str, Any]) -> Certificate:
    fields = ("format", "version", "system", "policy", "set", "knobs", "elements", "properties", "conjuncts", "questions")
    _fields(content, fields, "it")
    if content["policy"] is not None:
        _text(content["policy"], "policy")
    parts: dict[Key, Mapping[str, Any]] = {}
    for number, part in enumerate(_list(content["conjuncts"], "conjuncts"), 1):
        where = f"conjunct {number}"
        found = isinstance(part, dict) and part.get("role") == FOUND
        _fields(part, ("role", "of", "number", "formula", *(["clause"] if found else [])), where)
        _text(part["formula"], f"{where}: formula")
        key = _read_key([part["role"], part["of"], part["number"]], where)
        if key in parts:
            raise _Malformed(f"{where} stands there twice")
        parts[key] = part
    cores: dict[tuple[str | None, Key], Sequence[Key]] = {}
    scripts: dict[tuple[str | None, Key], str] = {}
    for number, question in enumerate(_list(content["questions"], "questions"), 1):
        where = f"question {number}"
        _fields(question, ("action", "conjunct", "needs", "expected", "smt2"), where)
        action = None if question["action"] is None else _text(question["action"], f"{where}: action")
        here = (action, _read_key(question["conjunct"], where))
        if here in scripts:
            raise _Malformed(f"{where} is asked twice")
        if question["expected"] != "unsat":
            raise _Malformed(f"{where}: `expected` is not 'unsat'")
        needs = [_read_key(key, f"{where}: needs") for key in _list(question["needs"], f"{where}: needs")]
        for key in (here[1], *needs):
            if key not in parts:
                raise _Malformed(f"{where} speaks of a conjunct that is not among the conjuncts")
        cores[here], scripts[here] = needs, _text(question["smt2"], f"{where}: smt2")
    properties = [_text(name, "properties") for name in _list(content["properties"], "properties")]
    if not properties or len(set(properties)) < len(properties):
        raise _Malformed("`properties` names none, or one of them twice")
    elements = content["elements"]
    if not isinstance(elements, dict) or not all(type(n) is int and n > 1 for n in elements.values()):
        raise _Malformed("`elements` is no object of numbers above 1")
    return Certificate(
        path,
        _text(content["system"], "system"),
        content["policy"],
        _texts(content["set"], "set"),
        _texts(content["knobs"], "knobs"),
        elements,
        tuple(properties),
        parts,
        cores,
        scripts,
    )


def _fields(entry: Any, names: Iterable[str], where: str) -> None:
    if not isinstance(entry, dict):
        raise _Malformed(f"{where} is no object")
    for name in names:
        if name not in entry:
            raise _Malformed(f"{where} has no `{name}`")
    for name in entry.keys() - set(names):
        raise _Malformed(f"{where} has `{name:.60}`, which is no field of a proof")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise _Malformed(f"`{where}` is no text")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _Malformed(f"`{where}` is no list")
    return value


def _texts(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise _Malformed(f"`{where}` is no object of texts")
    return value


def _read_key(data: Any, where: str) -> Key:
    match data:
        case ["property" | "lemma" | "found" as role, str(of), int(number)] if not isinstance(number, bool) and number >= 0:
            return role, of, number
    raise _Malformed(f"{where} names no conjunct: a role, a name and the number of a clause")
