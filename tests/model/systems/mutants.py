"""Systems with one thing left out: a conjunct of a guard, or what one step writes to one variable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from flushproof.model import ir
from flushproof.model.ir import terms
from flushproof.model.ir.instance import Instance
from flushproof.search.explore import explore
from flushproof.search.replay import ReplayError
from flushproof.search.task import Limits

UNDETECTED = "holds"


@dataclass(frozen=True)
class Mutant:
    """A system with one thing left out; `name` says which."""

    name: str
    instance: Instance

    def verdict(self, states: int = 100_000) -> str:
        """What gives it away: the property that is violated first, or a state that is no longer reached; else "holds".

        Raises:
            AssertionError: it cannot be told within this number of states.
        """
        try:
            outcome = explore(self.instance, limits=Limits(states=states))
        except ReplayError:  # it reads a local that was never written: the first element of a sort, which symmetry does not know
            return "no verdict"
        if outcome.property is not None:
            return outcome.property
        assert outcome.complete, f"{self.name}: {outcome.reason}"
        return f"unreached: {outcome.not_reached[0]}" if outcome.not_reached else UNDETECTED


def mutants(instance: Instance, environment: str = "") -> Iterator[Mutant]:
    """All of them, step by step.

    Left alone are actions whose names start with `environment`; program counters, without which there are no steps; what
    closures add; and the default values that process locals get back when they are not needed any more.
    """
    names: Counter[str] = Counter()
    for number, action in enumerate(instance.system.actions):
        if environment and action.name.startswith(environment):
            continue
        for what, changed in (*_weaker_guards(action), *_fewer_writes(action)):
            name = f"{action.label or action.name} / {what}"
            names[name] += 1
            actions = (*instance.system.actions[:number], changed, *instance.system.actions[number + 1 :])
            system = replace(instance.system, actions=actions)
            yield Mutant(name if names[name] == 1 else f"{name} ({names[name]})", replace(instance, system=system))


def undetected(instance: Instance, environment: str = "") -> set[str]:
    """The names of the mutants that nothing gives away."""
    return {m.name for m in mutants(instance, environment) if m.verdict() == UNDETECTED}


def _weaker_guards(action: ir.Action) -> Iterator[tuple[str, ir.Action]]:
    parts = action.guard.args if isinstance(action.guard, ir.And) else (action.guard,)
    for part in parts:
        names = sorted(terms.reads(part))
        if names and not any(name.endswith(".pc") for name in names):
            rest = terms.and_(*(p for p in parts if p is not part))
            yield f"requires {', '.join(names)}", replace(action, guard=rest)


def _fewer_writes(action: ir.Action) -> Iterator[tuple[str, ir.Action]]:
    names = dict.fromkeys(u.var for u in action.updates if not _is_kept(action, u))
    for name in names:
        kept = tuple(u for u in action.updates if u.var != name or _is_kept(action, u))
        yield f"writes {name}", replace(action, updates=kept)


def _is_kept(action: ir.Action, update: ir.Update) -> bool:
    counter = update.var.endswith(".pc")
    fill = update.var.endswith(".entry") and update.value is ir.TRUE
    own = action.process is not None and update.var.startswith(f"{action.process}.")
    return counter or fill or (own and isinstance(update.value, ir.Lit))
