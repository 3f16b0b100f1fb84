"""Results as JSON, and traces read back from it.  `docs/json.md` says what each field means; `schema.json` is the schema."""

from __future__ import annotations

import json
import linecache
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import flushproof.model
from flushproof.model.errors import FlushproofError, ModelError
from flushproof.model.ir import Place, Sort, Var
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.reading import read_json
from flushproof.model.ir.trace import WALK, Step, Trace
from flushproof.model.ir.waits import NO_STUCK, waits
from flushproof.model.language.declare import System
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.model.language.policies import plain
from flushproof.report.actors import CPU
from flushproof.report.audit import audit_json
from flushproof.report.locations import location
from flushproof.report.news import changes, comparison
from flushproof.report.reads import Fact
from flushproof.report.words import Story, action_of, clause_of, property_of
from flushproof.result import INCONCLUSIVE, VIOLATED, Followed, Result

VERSION = 1
"""Of the format: raised when a field changes its meaning or goes away; new fields do not raise it."""

SINCE = frozenset({"actor", "process", "runs", "label", "source", "reads", "enabled"})
"""What files that were saved before lack in every step: they are still read."""

SINCE_OF_VIOLATION = frozenset({"waiting", "repeats_from"})
"""What they lack of the violation."""


def check_json(result: Result) -> dict[str, Any]:
    """One check."""
    return {
        "version": VERSION,
        "system": result.instance.system.name,
        "source": result.source,
        "policy": result.instance.policy,
        "knobs": dict(result.instance.knobs),
        "reached_by": begun_json(result.instance),
        "set": set_besides(result.instance, [text.partition("=")[0] for text in result.settings.split()]),
        "sizes": dict(result.instance.sizes),
        "verdict": result.verdict,
        "property": result.violated,
        "properties": list(result.checked),
        "also_violated": list(result.also_violated),
        "not_reached": list(result.not_reached),
        "vacuous": list(result.vacuous),
        "never_possible": list(result.never_possible),
        "never_came": list(result.never_came),
        "unwatched": result.unwatched,
        "switched_off": list(result.switched_off),
        "warnings": list(result.warnings),
        "hints": list(result.hints),
        "reason": result.reason,
        "expected": result.expected,
        "states": result.states,
        "transitions": result.transitions,
        "depth": result.depth,
        "seconds": round(result.seconds, 6),
        "compile_seconds": round(result.compile_seconds, 6),
        "symmetry": result.symmetry,
        "permutations": result.permutations,
        "unreduced_states": result.unreduced,
        "not_permuted": dict(result.not_permuted),
        "omission": result.omission,
        "bound": result.bound,
        "shortest": result.shortest if result.trace else None,
        "fused": list(result.fused),
        "engine": result.engine,
        "decided_with_z3": result.decided,
        "audit": audit_json(result.audit),
        "certified": result.certified,
        "waits": dict(result.waits),
        "followed": asdict(result.followed) if result.followed else None,
        **trace_json(result.trace),
    }


def begun_json(instance: Instance) -> dict[str, Any] | None:
    """The policy that reaches the initial states, its knobs that differ, and the step with which the one under check takes over."""
    return asdict(instance.begun) if instance.begun else None


def set_besides(instance: Instance, given: Collection[str]) -> dict[str, str]:
    """The knobs that were set besides the policy's, however they were spelled, with their values."""
    asked = set(map(plain, given))
    return {n: text for n, text in instance.knobs.items() if plain(n) in asked}


def saved_json(trace: Trace, source: str, given: Collection[str] = ()) -> dict[str, Any]:
    """A trace that is no search's, for a file that `view`, `trace` and `step` read: of a random walk, of a proof's search, or one
    that somebody took step by step, which may end where nothing is violated.

    source: how to load the system; given: the knobs that were set besides the policy's.
    """
    walk = trace.property == WALK
    return {
        "version": VERSION,
        "system": trace.instance.system.name,
        "source": source,
        "policy": trace.instance.policy,
        "knobs": dict(trace.instance.knobs),
        "reached_by": begun_json(trace.instance),
        "set": set_besides(trace.instance, given),
        "sizes": dict(trace.instance.sizes),
        "verdict": INCONCLUSIVE if walk else VIOLATED,
        "property": None if walk else trace.property,
        "shortest": False,
        "certified": True,
        **trace_json(trace),
    }


def trace_json(trace: Trace | None) -> dict[str, Any]:
    """The fields of a trace: where it starts, its steps, and what it violates (null of a walk); each null where there is none."""
    if trace is None:
        return {"initial": None, "trace": None, "violation": None, "costs": None}
    story = Story(trace)
    return {
        "initial": state_json(trace.instance, trace.initial),
        "trace": [_step_json(story, number) for number in range(len(story.rows))],
        "violation": _violation_json(story) if story.violates else None,
        "costs": dict(story.costs),
    }


def all_json(results: Iterable[Result], seconds: float) -> dict[str, Any]:
    """Several checks, as `check --all` makes them; seconds: how long all of it took."""
    return {"version": VERSION, "seconds": round(seconds, 3), "checks": [check_json(r) for r in results]}


def schema() -> dict[str, Any]:
    """The JSON Schema of what `check_json` makes, and of `check --all`."""
    text = files("flushproof.report").joinpath("schema.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


def state_json(instance: Instance, state: State) -> dict[str, Any]:
    """Every location with its value, in declaration order."""
    return {
        location(instance, slot): instance.json(slot.sort, code)
        for slot, code in zip(instance.slots, state, strict=True)
    }


def _step_json(story: Story, number: int) -> dict[str, Any]:
    trace, instance = story.trace, story.instance
    step = trace.steps[number]
    row = story.rows[number]
    params = _params(trace, step)
    return {
        "action": step.action,
        "args": {name: instance.json(params[name], code) for name, code in step.binding.items()},
        "actor": {"sort": row.actor.sort, "name": row.actor.name},
        "cpu": row.actor.name if row.actor.sort == CPU else None,
        "process": row.process,
        "runs": row.runs,
        "label": row.label,
        "source": source_json(row.place),
        "event": step.event,
        "text": row.words,
        "reads": [_read_json(story, number, fact) for fact in row.reads],
        "changes": {
            location(instance, c.slot): {
                "from": instance.json(c.slot.sort, c.before),
                "to": instance.json(c.slot.sort, c.after),
            }
            for c in changes(instance, trace.states[number], step.state)
        },
        "costs": dict(row.costs),
        "enabled": [_enabled_json(story, number, other) for other in story.enabled[number]],
        "state": state_json(instance, step.state),
    }


def _enabled_json(story: Story, number: int, step: Step) -> dict[str, Any]:
    params = _params(story.trace, step)
    args = {name: story.instance.json(params[name], code) for name, code in step.binding.items()}
    text = story.words(step, story.states[number])
    return {"action": step.action, "args": args, "actor": story.actor(number, step).name, "text": text}


def _read_json(story: Story, number: int, fact: Fact) -> dict[str, Any]:
    """A comparison; its values are those of the state before, in which counters are ranks."""
    instance, state = story.instance, story.trace.states[number]
    slots = {slot: instance.slot(slot.var, slot.index) for slot in fact.values}
    return {
        "kind": fact.kind,
        "text": comparison(instance, fact, story.rows[number]),
        "values": {location(instance, slot): instance.json(slot.sort, state[at]) for slot, at in slots.items()},
    }


def source_json(place: Place | None) -> dict[str, Any] | None:
    """Where something stands, wherever the file is: a shipped one by its name in the package, any other by its bare name."""
    if place is None:
        return None
    path = Path(place.file).resolve()
    package = Path(flushproof.model.__file__).resolve().parent
    file = f"flushproof/model/{path.relative_to(package).as_posix()}" if path.is_relative_to(package) else path.name
    return {"file": file, "line": place.line, "code": linecache.getline(place.file, place.line).strip()}


def _violation_json(story: Story) -> dict[str, Any]:
    trace = story.trace
    sorts = {p.name: p.of for p in _claimed(trace.instance, trace.property, trace.clause)}
    witness = {name: trace.instance.json(sorts[name], code) for name, code in (trace.witness or {}).items()}
    return {
        "clause": trace.clause,
        "witness": witness,
        "text": story.sentence,
        "reads": list(story.rests_on),
        "waiting": [
            {"process": w.process, "of": dict(w.who), "label": w.label, "until": list(w.conditions)}
            for w in story.waiting
        ],
        "repeats_from": None if trace.cycle is None else trace.cycle + 1,
    }


def _claimed(instance: Instance, name: str, number: int | None) -> tuple[Var, ...]:
    """The parameters of what is violated: of a clause, or of the label at which a process waits for ever."""
    if number is None:
        return ()
    if name == NO_STUCK:
        return waits(instance.system)[number].who
    prop = property_of(instance, name)
    return prop.clauses[number].params if prop is not None else ()


def _params(trace: Trace, step: Step) -> Mapping[str, Sort]:
    clause, action = clause_of(trace), action_of(trace.instance, step.action)
    acts = clause if step.event else action
    return {p.name: p.of for p in acts.params} if acts else {}


# -------------------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True)
class SavedTrace:
    """A trace from a file, with the system that it was loaded from; followed: as in a `Result`, once it was confirmed."""

    trace: Trace
    source: str
    followed: Followed | None = None


def read_trace(path: Path, source: str | None = None) -> SavedTrace:
    """The trace in a file that `check`, `simulate`, `prove` or `step` wrote, in terms of the system as it is now.

    source: where the system is, if not where the file says.

    Nothing in the file is believed: what it says of the policy, of each step and of the violation must be what the system says of
    such a trace, and whoever shows the trace certifies it first.

    Raises:
        FlushproofError: the file does not hold a trace of a system as it is now.
    """
    data = read_json(path)
    reason = _unlike_a_trace(data)
    if reason:
        raise FlushproofError(f"{path} is not a flushproof trace: {reason}")
    source = source or data["source"]
    instance = instantiate(_present(source, path), data["policy"], data.get("set", {}), data["sizes"])
    try:
        trace = _decoded(instance, data)
        what = _untrue(trace, data)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    if what is not None:
        raise FlushproofError(f"{path} does not fit {instance.system.name} as it is now: {what}")
    return SavedTrace(trace, source)


def _untrue(trace: Trace, data: Mapping[str, Any]) -> str | None:
    """What the file says otherwise than the system does, of this trace and of how it came about.

    Where the steps stand in the source is not compared: a comment that was added moves them, and changes nothing; nor are the words
    of an older file, and on which CPU it has a step.  What is shown of either is told anew.
    """
    instance = trace.instance
    older = _is_older(data)
    of_step = SINCE | {"text", "cpu"} if older else frozenset({"source"})
    of_violation = SINCE_OF_VIOLATION | {"text"} if older else frozenset()
    data, told = (
        {
            **d,
            "trace": [_without(of_step, step) for step in d["trace"]],
            "violation": _without(of_violation, d["violation"]),
        }
        for d in (data, trace_json(trace))
    )
    says = {
        "system": instance.system.name,
        "knobs": dict(instance.knobs),
        "reached_by": begun_json(instance),
        **({"set": set_besides(instance, data["set"])} if "set" in data else {}),
        "sizes": dict(instance.sizes),
        "verdict": INCONCLUSIVE if trace.property == WALK else VIOLATED,
        "certified": True,
        **told,
    }
    for key, value in says.items():
        if _text(data.get(key)) != _text(value):
            place = _difference(key, data.get(key), value)
            if key == "knobs":
                return f"its policy '{instance.policy}' and what is set besides do not give these values: {place}"
            return f"what it says of {place} is not so"
    # What a trace leaves out or says twice shows in no step by itself.
    clause = clause_of(trace)
    events = [number for number, step in enumerate(trace.steps) if step.event]
    if events != ([len(trace.steps) - 1] if clause is not None and clause.event is not None else []):
        return "the access that shows the violation is its last step, and no other"
    moves = [step.state for step in trace.steps if not step.event]
    if data.get("shortest") and len({trace.initial, *moves}) <= len(moves):
        return "it is said to be a shortest trace, and passes through one state twice"
    return None


def _without(keys: Collection[str], step: Any) -> Any:
    return {k: v for k, v in step.items() if k not in keys} if isinstance(step, dict) else step


def _is_older(data: Mapping[str, Any]) -> bool:
    """Whether a file was written before it told these: it says none of them of any step, nor of the violation."""
    told = any(not isinstance(step, dict) or SINCE & step.keys() for step in data["trace"])
    return not told and data["violation"] is not None and not SINCE_OF_VIOLATION & data["violation"].keys()


def _text(value: Any) -> str:
    """The value as JSON has it, in which `true` and `1` differ."""
    return json.dumps(value, sort_keys=True)


def _difference(place: str, one: Any, other: Any) -> str:
    """Where two values differ first: a short path into them."""
    match one, other:
        case dict(), dict() if one.keys() == other.keys():
            key = next(key for key in other if _text(one[key]) != _text(other[key]))
            return _difference(f"{place}, {key}", one[key], other[key])
        case list(), list() if len(one) == len(other):
            number = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if _text(a) != _text(b))
            return _difference(f"{place} {number + 1}", one[number], other[number])
    return place


def _present(source: str, path: Path) -> type[System]:
    try:
        return load_system(source)
    except ModelError:
        raise
    except FlushproofError as error:
        hint = "If the system is elsewhere now, add --system path/to/file.py:Class."
        raise FlushproofError(f"{path}: {error}\n  {hint}") from None


def _unlike_a_trace(data: Any) -> str | None:
    if not isinstance(data, dict) or "trace" not in data:
        return "not the JSON of a check"
    if data.get("version") != VERSION:
        return f"its version is {data.get('version')!r}, and this program reads version {VERSION}"
    if data["trace"] == [] and data.get("property", 0) is None:
        return "it is a walk without a step"
    if not data["trace"]:
        return "it has no violation"
    if data["version"] is True or not isinstance(data.get("policy"), str | None):
        return "'version' or 'policy' is malformed"
    if not isinstance(data.get("shortest"), bool):
        return "'shortest' is missing or malformed"
    given = data.get("set", {})
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        return "'set' is malformed"
    if not isinstance(data.get("sizes"), dict) or not all(type(size) is int for size in data["sizes"].values()):
        return "'sizes' is missing or malformed"
    walk = data.get("property", 0) is None and data.get("violation", 0) is None
    shapes = {
        "source": str,
        "property": type(None) if walk else str,
        "knobs": dict,
        "sizes": dict,
        "initial": dict,
        "trace": list,
        "violation": type(None) if walk else dict,
    }
    return next(
        (f"'{key}' is missing or malformed" for key, of in shapes.items() if not isinstance(data.get(key), of)), None
    )


def _decoded(instance: Instance, data: Mapping[str, Any]) -> Trace:
    violation = data["violation"] or {"clause": None}
    name = data["property"] or WALK
    prop = property_of(instance, name)
    number = violation["clause"]
    if number is not None and (type(number) is not int or number < 0):
        raise ValueError(f"{number!r:.60} is no clause")
    clause = prop.clauses[number] if prop and number is not None else None
    steps = []
    for step in data["trace"]:
        if type(step["event"]) is not bool or type(step["action"]) is not str:
            raise ValueError("a step's 'event' or 'action' is malformed")
        action = action_of(instance, step["action"])
        if not step["event"] and action is None:
            raise ValueError(f"it has no action '{step['action']}'")
        acts = clause if step["event"] else action
        steps.append(
            Step(
                step["action"],
                _codes(instance, acts.params if acts else (), step["args"]),
                _state(instance, step["state"]),
                step["event"],
            )
        )
    return Trace(
        instance,
        _state(instance, data["initial"]),
        tuple(steps),
        name,
        violation["clause"],
        None if number is None else _codes(instance, _claimed(instance, name, number), violation["witness"]),
        _cycle(instance, name, violation.get("repeats_from"), len(steps)),
    )


def _cycle(instance: Instance, name: str, first: Any, steps: int) -> int | None:
    """After how many steps the others repeat: of progress, and of nothing else."""
    if any(p.name == name for p in instance.system.progress):
        if type(first) is not int or not 1 <= first <= steps:
            raise ValueError(f"{first!r:.60} is no step from which the others repeat")
        return first - 1
    if first is not None:
        raise ValueError(f"no steps repeat in a trace to '{name}'")
    return None


def _codes(instance: Instance, params: tuple[Var, ...], values: Mapping[str, Any]) -> dict[str, int]:
    return {p.name: _code(instance, p.of, values[p.name]) for p in params if p.name in values}


def _state(instance: Instance, values: Mapping[str, Any]) -> State:
    names = [location(instance, slot) for slot in instance.slots]
    if unknown := values.keys() - set(names):
        raise ValueError(f"it has no {', '.join(sorted(unknown))}")
    return tuple(_code(instance, slot.sort, values[name]) for slot, name in zip(instance.slots, names, strict=True))


def _code(instance: Instance, sort: Sort, value: Any) -> int:
    for code in instance.codes(sort):
        shown = instance.json(sort, code)
        if type(shown) is type(value) and shown == value:
            return code
    raise ValueError(f"{value!r:.60} is no {sort.name} at these sizes")
