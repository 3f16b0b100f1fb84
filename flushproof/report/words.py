"""A trace as a story: its steps in words, who takes each, and the sentence that says what is wrong at its end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from flushproof.model.ir import (
    DROPPED,
    UNNAMED,
    Action,
    Clause,
    Property,
    Var,
)
from flushproof.model.ir.evaluate import Env, costs, decode, encode, environment, evaluate, renamed, updated
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.terms import well_defined
from flushproof.model.ir.trace import WALK, Step, Trace
from flushproof.model.ir.waits import NO_STUCK, waits
from flushproof.report.actors import CPU, NOBODY, Actor, actor_of, own_elements, runs_as
from flushproof.report.caches import is_real_cache
from flushproof.report.news import (
    Change,
    Row,
    assignments,
    bare,
    changes,
    default_code,
    in_order,
    is_aside,
    reads,
    shown,
)
from flushproof.report.reads import Fact, Reader
from flushproof.report.waiting import Waiting, fill, sentences, waiting, who_waits
from flushproof.search.reference.interpreter import Reference
from flushproof.search.replay import binding
from flushproof.search.task import WELL_DEFINED


class Story:
    """A trace, told: its rows, and the sentence that says what is wrong at the end."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.instance = trace.instance

    @cached_property
    def lanes(self) -> tuple[str, ...]:
        """Who acts in this trace, by name: CPUs first, then each other sort's elements, then what is no element; never nothing."""
        actors = {row.actor for row in self.rows}
        order = {s.name: i for i, s in enumerate(self.instance.system.sorts)}

        def place(actor: Actor) -> tuple[bool, bool, int, int, str]:
            return actor.sort != CPU, actor.sort is None, order.get(actor.sort or "", -1), len(actor.name), actor.name

        return tuple(actor.name for actor in sorted(actors, key=place)) or (NOBODY,)

    @cached_property
    def states(self) -> tuple[State, ...]:
        """The states with each counter's values as they were given, never renamed: a generation keeps its number."""
        found = [self.trace.initial]
        for step in self.trace.steps:
            found.append(found[-1] if step.event else _after(self.instance, found[-1], step))
        ranks = tuple(renamed(state, self.instance) for state in found)
        return tuple(found) if ranks == self.trace.states else self.trace.states

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        return tuple(self._row(number, step) for number, step in enumerate(self.trace.steps, start=1))

    def _row(self, number: int, step: Step) -> Row:
        instance, before, after = self.instance, self.states[number - 1], self.states[number]
        acts, env = self._acting(step, before)
        process = process_of(instance, step)
        reader = Reader(instance, before)
        reads = reader.facts_of(acts, env, process)
        taken = action_of(instance, step.action) or acts  # an event may be a check in the middle of a step
        actor = actor_of(instance, taken, step.binding, reads, before)
        return Row(
            number,
            self.words(step, before),
            actor,
            process,
            in_order(changes(instance, before, after), reader.written(acts, env)),
            after,
            step.event,
            _costs(instance, before, step),
            taken.label if isinstance(taken, Action) else None,
            runs_as(instance, taken, step.binding, actor),
            acts.place,
            reads,
        )

    def _acting(self, step: Step, before: State) -> tuple[Action | Clause, Env]:
        """The action or the event's clause, and the values of its parameters."""
        acts = clause_of(self.trace) if step.event else action_of(self.instance, step.action)
        if acts is None:
            raise ValueError(f"it has no step '{step.action}'")
        codes = [step.binding[p.name] for p in acts.params]
        if isinstance(acts, Action):
            return acts, environment(acts, codes, before, self.instance)
        return acts, {p: decode(p.of, code) for p, code in zip(acts.params, codes, strict=True)}

    def actor(self, number: int, step: Step) -> Actor:
        """Who takes a step that is possible before the one of this number, counted from 0."""
        acts, env = self._acting(step, self.states[number])
        guard = Reader(self.instance, self.states[number]).guard(acts, env, process_of(self.instance, step))
        return actor_of(self.instance, acts, step.binding, guard, self.states[number])

    def told(self, steps: Sequence[Step], number: int) -> list[str]:
        """Who does what in steps that are possible before the one of this number, counted from 0: no two in the same words."""
        texts = [by_whom(self.actor(number, step), self.words(step, self.states[number])) for step in steps]
        return told_apart(self.instance, steps, texts)

    @cached_property
    def enabled(self) -> tuple[tuple[Step, ...], ...]:
        """For each step what else was possible instead of it, in order of declaration."""
        reference = Reference(self.instance)
        found = []
        for before, step in self.trace.transitions():
            possible = [Step(a.name, binding(a.params, codes), s) for a, codes, s in reference.successors(before)]
            found.append(tuple(p for p in possible if (p.action, p.binding) != (step.action, step.binding)))
        return tuple(found)

    @cached_property
    def wrong(self) -> tuple[Fact, ...]:
        """The comparisons on which the violation rests: what makes an event possible ("guard"), what is wrong ("branch")."""
        clause = clause_of(self.trace)
        if clause is None:
            return ()
        codes = {**(self.trace.witness or {}), **(self.trace.steps[-1].binding if clause.event else {})}
        if any(p.name not in codes for p in clause.params):
            return ()
        env = {p: decode(p.of, codes[p.name]) for p in clause.params}
        reader = Reader(self.instance, self.states[-1])
        return (*reader.guard(clause, env), *reader.facts("branch", reader.deciding(clause.expr, env)))

    @cached_property
    def rests_on(self) -> tuple[str, ...]:
        """What an invariant that does not hold in the last state reads there; entries of caches, which are shown, and what the last
        step read or changed are left out, and of an event its step says it."""
        if self.rows and self.rows[-1].event:
            return ()
        instance, variable = self.instance, self.instance.system.variable
        facts = tuple(f for f in self.wrong if not any(is_real_cache(variable[s.var]) for s in f.values))
        end = Row(len(self.rows), "", Actor(None, NOBODY), None, (), self.states[-1], False, {}, reads=facts)
        known = [line for row in self.rows[-1:] for line in (*reads(instance, row, "branch"), *assignments(instance, row))]
        return tuple(line for line in reads(instance, end, "branch") if line not in known)

    @cached_property
    def costs(self) -> Mapping[str, int]:
        """What all steps together cost."""
        return sum((Counter(row.costs) for row in self.rows), Counter())

    @cached_property
    def start(self) -> tuple[Change, ...]:
        """The initial values that belong to the story: no ghosts, no knobs, no defaults, and not the only value that there is."""
        instance = self.instance
        return tuple(
            Change(slot, -1, code)
            for slot, code in zip(instance.slots, self.trace.initial, strict=True)
            if code != default_code(instance, slot.sort)
            and instance.cardinality(slot.sort) > 1
            and instance.system.variable[slot.var].kind != "knob"
            and not is_aside(instance.system.variable[slot.var])
        )

    @cached_property
    def violates(self) -> bool:
        """Whether something is wrong at the end; of a walk nothing is said."""
        return self.trace.property != WALK

    @cached_property
    def mark(self) -> str:
        """What stands in front of the sentence."""
        return "✗" if self.violates else "·"

    @cached_property
    def sentence(self) -> str:
        """What is wrong in the last state, for whom, and why: with a full stop, also where its author wrote none."""
        text = self._says
        return text if text.endswith((".", "!", "?")) else f"{text}."

    @property
    def _says(self) -> str:
        match self.trace.property:
            case name if name == WALK:
                return "A walk: of where it ends nothing is claimed."
            case "no-deadlock":
                nothing = "Nothing more can happen here: no step is possible, and the system does not declare this state final."
                return " ".join([nothing, *sentences(self.waiting)])
            case name if self.trace.cycle is not None:
                return self._repeated(name)
            case "no-stuck":
                (mine,) = self.waiting
                never = f"{mine.text}, and that never comes, whatever else happens."
                others = [w for w in who_waits(self.instance, self.trace.states[-1]) if w != mine and not w.begins]
                return " ".join([never, *(f"Beside it, {text}" for text in sentences(others))])
            case name:
                clause = clause_of(self.trace)
                if clause is None:
                    return f"{name} does not hold here."
                text = explained(self.instance, clause, self.trace.witness or {}, self.states[-1])
                if name == WELL_DEFINED and clause.place is not None:
                    text += f" ({Path(clause.place.file).name}:{clause.place.line})"
                return text or f"{name} does not hold here."

    def _repeated(self, name: str) -> str:
        """That the steps of the cycle repeat, and what never gets done."""
        progress = next(p for p in self.instance.system.progress if p.name == name)
        first, last = (self.trace.cycle or 0) + 1, len(self.trace.steps)
        steps = f"Step {last} repeats" if first == last else f"Steps {first} to {last} repeat"
        done = f' ("{progress.doc}")' if progress.doc else ""
        fair = "That is fair: whoever takes none of these steps has at some point no step that is possible."
        return f"{steps} for ever, and {name}{done} never comes. {fair}"

    @cached_property
    def waiting(self) -> tuple[Waiting, ...]:
        """Who waits for what at the end of a trace to a deadlock or to a wait without an end."""
        trace = self.trace
        if trace.property == NO_STUCK and trace.clause is not None:
            wait, witness = waits(self.instance.system)[trace.clause], trace.witness or {}
            codes = tuple(witness[v.name] for v in wait.who)
            return (waiting(self.instance, trace.states[-1], wait, codes),)
        return tuple(who_waits(self.instance, trace.states[-1])) if trace.property == "no-deadlock" else ()

    def words(self, step: Step, before: State) -> str:
        """What happens in a step that is taken in the state `before`."""
        action = action_of(self.instance, step.action)
        if step.event:
            clause = clause_of(self.trace)
            says = (clause and clause.doc) or (action and action.doc) or step.action.replace("_", " ")
            values = self._values(action, step, before) if action else {}  # of a step that checks something on its way
            return fill(says, {**self._named(clause.params if clause else (), step.binding), **values})
        if action is None:
            return step.action
        if action.doc:
            return fill(action.doc, {**self._named(action.params, step.binding), **self._values(action, step, before)})
        others = tuple(p for p in action.params if p is not action.cpu)
        called = ", ".join(f"{name} {value}" for name, value in self._named(others, step.binding).items())
        words = action.name.replace("_", " ")
        return f"{words} ({called})" if called and action.process is None else words

    def _values(self, action: Action, step: Step, before: State) -> dict[str, str]:
        """What a step's words name besides its parameters."""
        instance = self.instance
        env = environment(action, [step.binding[p.name] for p in action.params], before, instance) if action.named else {}
        values = ((name, e.sort, evaluate(e, env, before, instance)) for name, e in action.named)
        return {name: instance.show(sort, encode(sort, value)) for name, sort, value in values}

    def _named(self, params: tuple[Var, ...], codes: Mapping[str, int]) -> dict[str, str]:
        return {p.name: self.instance.show(p.of, codes[p.name]) for p in params if p.name in codes}


def _after(instance: Instance, state: State, step: Step) -> State:
    action = action_of(instance, step.action)
    if action is None or any(p.name not in step.binding for p in action.params):
        return step.state
    codes = [step.binding[p.name] for p in action.params]
    return updated(action, environment(action, codes, state, instance), state, instance)


def _costs(instance: Instance, before: State, step: Step) -> Mapping[str, int]:
    action = None if step.event else action_of(instance, step.action)
    if action is None:
        return {}
    return Counter(name for name, _ in costs(action, [step.binding[p.name] for p in action.params], before, instance))


def explained(instance: Instance, clause: Clause, witness: Mapping[str, int], state: State) -> str:
    """The sentence of a clause that these values of its parameters violate in a state."""
    named = [p for p in clause.params if p.name in witness]
    env: Env = {p: decode(p.of, witness[p.name]) for p in named}
    values = {p.name: instance.show(p.of, witness[p.name]) for p in named}
    for name, expr in clause.named:
        values[name] = instance.show(expr.sort, encode(expr.sort, evaluate(expr, env, state, instance)))
    return fill(clause.message, values)


def many(count: int, noun: str, nouns: str | None = None) -> str:
    """`1 state`, `1,204 states`; nouns: of more than one, where it takes more than an s."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def by_whom(actor: Actor, words: str) -> str:
    """`cpu0: enters the guest`; the words alone where they say that themselves."""
    return words if says_who(actor, words) else f"{actor.name}: {words}"


def says_who(actor: Actor, words: str) -> bool:
    """Whether words begin with who acts, or say on which CPU it is done; of what is no CPU, and may only be what something is done
    to, whether they name it."""
    place = r"(^|\bon )" if actor.sort in (CPU, None) else r"\b"
    return re.search(rf"{place}{re.escape(actor.name)}\b", words) is not None


def told_apart(instance: Instance, steps: Sequence[Step], texts: Sequence[str]) -> list[str]:
    """The words of steps that are possible in one state: where several have the same, with what tells them apart."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for number, (step, text) in enumerate(zip(steps, texts, strict=True)):
        numbers.setdefault((text, step.action), []).append(number)
    times, found = Counter(text for text, _ in numbers), list(texts)
    for (text, name), same in numbers.items():
        action = action_of(instance, name)
        if action is None:
            continue
        process = [action.process] if action.process is not None and times[text] > 1 else []
        ways = _differences(instance, action, [steps[n] for n in same]) if len(same) > 1 else [[]]
        for number, way in zip(same, ways, strict=True):
            if more := [*process, *way]:
                found[number] = f"{text} ({', '.join(more)})"
    return found


def _differences(instance: Instance, action: Action, steps: Sequence[Step]) -> list[list[str]]:
    """Of ways to take one action what tells them apart: the elements that are chosen, or else where the process goes on.

    What else is chosen (a truth value, or None where nothing is chosen this way) is said only where it takes that.
    """
    differ = [p for p in action.params if len({step.binding[p.name] for step in steps}) > 1]
    chosen = [[(bare(p.name), instance.show(p.of, step.binding[p.name])) for p in differ] for step in steps]
    elements = [[_called(name, value) for name, value in of if value not in ("False", "True", "None")] for of in chosen]
    if all(elements) and len({*map(tuple, elements)}) == len(steps):
        return elements
    goes_on = [_goes_on(instance, action, step) for step in steps]
    then = [[f"then: {at}"] if len({*goes_on}) > 1 else [] for at in goes_on]
    found = [[*at, *values] for at, values in zip(then, elements, strict=True)]
    if len({*map(tuple, found)}) == len(steps):
        return found
    return [[*at, *(_called(name, value) for name, value in of)] for at, of in zip(then, chosen, strict=True)]


def _called(name: str, value: str) -> str:
    """`table frame0`; without a name where there is none, or where it says nothing."""
    return value if name in (UNNAMED, value.rstrip("0123456789")) else f"{name} {value}"


def _goes_on(instance: Instance, action: Action, step: Step) -> str:
    """Where the process goes on whose step it is."""
    if action.process is None:
        return ""
    whose = tuple(step.binding[p.name] for p in own_elements(instance, action))
    at = instance.slot(f"{action.process}.pc", whose)
    return shown(instance, instance.slots[at], step.state[at])


def title_of(instance: Instance) -> str:
    """`kvm-vcpu-switch, policy none`; where another policy reaches its initial states, with that one as well."""
    policy = f", policy {instance.policy}" if instance.policy else ""
    return f"{instance.system.name}{policy}" + (f", after {instance.begun}" if instance.begun else "")


def headline(trace: Trace) -> str:
    """`kvm-vcpu-switch, policy none: no-foreign-hit is violated in 9 steps`, or `…: a walk of 3 steps`."""
    steps = many(len(trace.steps), "step")
    what = f"a walk of {steps}" if trace.property == WALK else f"{trace.property} is violated in {steps}"
    return f"{title_of(trace.instance)}: {what}"


def cost_words(counts: Mapping[str, int]) -> str:
    """`2 local_tag, 1 dsb_wait; 3 entries dropped`, or nothing."""
    operations = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if name != DROPPED)
    gone = counts.get(DROPPED, 0)
    entries = f"{gone} {'entry' if gone == 1 else 'entries'} dropped" if gone else ""
    return "; ".join(filter(None, [operations, entries]))


def action_of(instance: Instance, name: str) -> Action | None:
    """The action of this name, if it is one (an event is none)."""
    return next((a for a in instance.system.actions if a.name == name), None)


def property_of(instance: Instance, name: str) -> Property | None:
    """The property of this name, built-in ones included, if it is made of clauses."""
    if name == WELL_DEFINED:
        return well_defined(instance.system)
    return next((p for p in instance.system.properties if p.name == name), None)


def clause_of(trace: Trace) -> Clause | None:
    """The clause that the last state of a trace violates."""
    prop = property_of(trace.instance, trace.property)
    return prop.clauses[trace.clause] if prop is not None and trace.clause is not None else None


def process_of(instance: Instance, step: Step) -> str | None:
    """The process whose step this is, if it is one."""
    action = action_of(instance, step.action)
    return None if action is None else action.process
