"""Results as JSON, and traces read back from it.  `docs/json.md` says what each field means; `schema.json` is the schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from flushproof.model.errors import FlushproofError, ModelError
from flushproof.model.ir import Sort, Var
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.trace import Step, Trace
from flushproof.model.language.declare import System
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.report.words import Story, action_of, changes, clause_of, location, property_of
from flushproof.result import Result

VERSION = 1
"""Of the format: raised when a field changes its meaning or goes away; new fields do not raise it."""


def check_json(result: Result) -> dict[str, Any]:
    """One check."""
    return {
        "version": VERSION,
        "system": result.instance.system.name,
        "source": result.source,
        "policy": result.instance.policy,
        "knobs": dict(result.instance.knobs),
        "sizes": dict(result.instance.sizes),
        "verdict": result.verdict,
        "property": result.violated,
        "properties": list(result.checked),
        "also_violated": list(result.also_violated),
        "not_reached": list(result.not_reached),
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
        "certified": result.certified,
        **trace_json(result.trace),
    }


def trace_json(trace: Trace | None) -> dict[str, Any]:
    """The fields of a trace: where it starts, its steps, and what it violates; each null where there is none."""
    if trace is None:
        return {"initial": None, "trace": None, "violation": None, "costs": None}
    story = Story(trace)
    return {
        "initial": state_json(trace.instance, trace.initial),
        "trace": [_step_json(story, number) for number in range(len(story.rows))],
        "violation": _violation_json(story),
        "costs": dict(story.costs),
    }


def all_json(results: Iterable[Result]) -> dict[str, Any]:
    """Several checks, as `check --all` makes them."""
    return {"version": VERSION, "checks": [check_json(r) for r in results]}


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
        "cpu": None if row.cpu is None else story.cpus[row.cpu],
        "event": step.event,
        "text": row.words,
        "changes": {
            location(instance, c.slot): {
                "from": instance.json(c.slot.sort, c.before),
                "to": instance.json(c.slot.sort, c.after),
            }
            for c in changes(instance, trace.states[number], step.state)
        },
        "costs": dict(row.costs),
        "state": state_json(instance, step.state),
    }


def _violation_json(story: Story) -> dict[str, Any]:
    trace = story.trace
    clause = clause_of(trace)
    sorts = {p.name: p.of for p in clause.params} if clause else {}
    witness = {name: trace.instance.json(sorts[name], code) for name, code in (trace.witness or {}).items()}
    return {"clause": trace.clause, "witness": witness, "text": story.sentence}


def _params(trace: Trace, step: Step) -> Mapping[str, Sort]:
    clause, action = clause_of(trace), action_of(trace.instance, step.action)
    acts = clause if step.event else action
    return {p.name: p.of for p in acts.params} if acts else {}


# -------------------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True)
class SavedTrace:
    """A trace from a file, with the system that it was loaded from."""

    trace: Trace
    source: str


def read_trace(path: Path, source: str | None = None) -> SavedTrace:
    """The trace in a file that `check --save` or `check --format json` wrote, in terms of the system as it is now.

    source: where the system is, if not where the file says.

    Nothing in the file is believed beyond its form: whoever shows the trace certifies it first.

    Raises:
        FlushproofError: the file does not hold a trace of a system as it is now.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FlushproofError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise FlushproofError(f"{path} is not a flushproof trace: not JSON ({error})") from None
    reason = _unlike_a_trace(data)
    if reason:
        raise FlushproofError(f"{path} is not a flushproof trace: {reason}")
    source = source or data["source"]
    instance = instantiate(_present(source, path), data["policy"], data["knobs"], data["sizes"])
    try:
        return SavedTrace(_decoded(instance, data), source)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise FlushproofError(f"{path} does not fit {instance.system.name} as it is now: {what}") from None


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
    if not data["trace"]:
        return "this check found no violation"
    shapes = {
        "source": str,
        "property": str,
        "knobs": dict,
        "sizes": dict,
        "initial": dict,
        "trace": list,
        "violation": dict,
    }
    return next(
        (f"'{key}' is missing or malformed" for key, of in shapes.items() if not isinstance(data.get(key), of)), None
    )


def _decoded(instance: Instance, data: Mapping[str, Any]) -> Trace:
    violation = data["violation"]
    prop = property_of(instance, data["property"])
    clause = prop.clauses[violation["clause"]] if prop and violation["clause"] is not None else None
    steps = []
    for step in data["trace"]:
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
        data["property"],
        violation["clause"],
        _codes(instance, clause.params, violation["witness"]) if clause else None,
    )


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
    raise ValueError(f"{value!r} is no {sort.name} at these sizes")
