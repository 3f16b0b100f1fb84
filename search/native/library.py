"""An instance compiled: machine code in this process, callable from Python."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import llvmlite.binding as llvm  # type: ignore[import-untyped]
from flushproof.model.ir import FALSE, Action, Expr, Property, System
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.terms import map_action, map_property

from ..reductions.labels import held, simplifier
from .canonical import Group, canonical_function
from .checks import check_function, final_function, watch_function
from .layout import Layout
from .loop import DECLARATIONS, LoopFunctions
from .steps import Budget, rename_functions, step_function, within
from .sweep import SweepFunctions

Function = Callable[[int], int]
"""A compiled function: takes the address of a context."""

MOST_PROPERTIES = 64

PRINT_BYTES = 10
"""What a fingerprint takes in memory, with the origin beside it."""

# How much code is compiled before loops are preferred: some 30 microseconds for each line.
STEP_LINES, _CHECK_LINES = 6000, 3000
# From so many states for each line on, optimised code wins back the time that LLVM takes for it: some 30 microseconds a line,
# against a tenth of a microsecond a state.
_STATES_A_LINE = 100
# Of code that runs once.
_SMALL = Budget(0, 0, 0)
# Of code that soon has nothing to do, mostly.
_WATCH = Budget(100, 0, 60)


class Library:
    """The functions of `loop`, for one instance and the given properties.

    shared: for several workers; compact: with fingerprints, if those are smaller than states.
    watched: what is looked for besides, in the bits after those of the properties; sweeping: with the functions of `sweep`.
    optimised: the code is made fast, or made soon; None: soon, and fast once that pays.
    layout: of the states; group: of the symmetry, None without; permutations: how many it has; meaning: the source that
    depends on the system; seconds: what compiling took.
    """

    def __init__(
        self,
        instance: Instance,
        properties: Sequence[Property],
        symmetry: bool = False,
        budget: Budget = Budget(),  # noqa: B008 - frozen
        shared: bool = False,
        compact: bool = False,
        watched: Sequence[Property] = (),
        sweeping: bool = False,
        optimised: bool | None = None,
    ) -> None:
        started = time.monotonic()
        self.layout = Layout(instance)
        group = Group(self.layout)
        self.group = group if symmetry and group.order > 1 else None
        self.sweeping, self.optimised, self.budget = sweeping, bool(optimised), budget
        self.compact = compact and self.layout.state_bytes > PRINT_BYTES
        self.permutations = self.group.order if self.group else 1
        self.meaning = meaning(self.layout, properties, self.group, budget, watched)
        watching = (1 << len(watched)) - 1 << len(properties)
        loop = LoopFunctions(self.layout, self.permutations, shared, self.compact, watching)
        sweep = SweepFunctions(self.layout, self.permutations, shared, self.compact, watching).text() if sweeping else ""
        self.source = "\n".join((DECLARATIONS, self.meaning, loop.text(), sweep))
        self._states_to_wait = None if optimised is not None else _STATES_A_LINE * self.source.count("\n")
        self._compile()
        self.seconds = time.monotonic() - started

    def _compile(self) -> None:
        self._compiled = Compiled(self.source, self.optimised)
        function = self._compiled.function
        self.begin = function("begin")
        self.expand = function("expand")
        self.insert = function("insert")
        self.rehash = function("rehash")
        self.predecessor = function("predecessor")
        self.judge = function("judge")
        self.mark = function("mark")
        self.follow = function("follow")
        self.back = function("back")
        if self.sweeping:
            self.collect = function("collect")
            self.arrange = function("arrange")
            self.probe = function("probe")
            self.compare = function("compare")
            self.enter = function("enter")

    def worked(self, states: int) -> float:
        """Takes note that its code, none of which runs now, went through so many states, and makes it fast once that pays.

        Returns:
            The seconds that took.
        """
        if self._states_to_wait is None:
            return 0.0
        self._states_to_wait -= states
        if self._states_to_wait > 0:
            return 0.0
        started = time.monotonic()
        self._states_to_wait, self.optimised = None, True
        self._compile()
        seconds = time.monotonic() - started
        self.seconds += seconds
        return seconds


class Compiled:
    """Machine code in this process; its functions are callable for as long as it is there.

    optimised: see `Library`.
    """

    def __init__(self, text: str, optimised: bool) -> None:
        self._machine, self._engine = _compile(text, optimised)

    def function(self, name: str) -> Function:
        prototype = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
        function: Function = prototype(self._engine.get_function_address(name))
        return function


def meaning(
    layout: Layout,
    properties: Sequence[Property],
    group: Group | None,
    budget: Budget,
    watched: Sequence[Property] = (),
) -> str:
    """The system itself in LLVM's language: its steps, properties and symmetry."""
    system = layout.instance.system
    simplified = simplifier(held(system))
    actions = possible(system, simplified)
    claims = [map_property(prop, simplified) for prop in properties]
    looked_for = [map_property(prop, simplified) for prop in watched]
    parts = (
        canonical_function(layout, group) if group else "",
        rename_functions(layout),
        step_function(layout, "start", [system.init], _SMALL),
        within(STEP_LINES, budget, lambda b: step_function(layout, "step", actions, b)),
        within(_CHECK_LINES, budget, lambda b: check_function(layout, claims, b)),
        watch_function(layout, looked_for, len(claims), _WATCH) if looked_for else "",
        final_function(layout, system.final, budget),
    )
    return "\n".join(parts).replace("define ", "define internal ")


def possible(system: System, simplified: Callable[[Expr], Expr]) -> list[Action]:
    """The actions, simplified, that may be possible."""
    return [a for a in (map_action(a, simplified) for a in system.actions) if a.guard is not FALSE]


@cache
def target() -> llvm.Target:
    """The machine that code is made for; it is prepared once for this process, and those that are forked from it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple()


def _compile(text: str, optimised: bool) -> tuple[Any, Any]:
    """Machine code; both results must be kept while it is in use.

    Without `optimised` LLVM makes it in a fifth of the time, and it takes up to twice as long for a state.
    """
    machine = target().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=2 if optimised else 0,
        jit=True,
    )
    module = llvm.parse_assembly(text)
    module.verify()
    if optimised:
        _optimise(module, machine)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return machine, engine


def _optimise(module: Any, machine: Any) -> None:
    """The passes that pay: code of a usual pipeline is hardly faster, and takes three times as long to make."""
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_sroa_pass()
    passes.add_simplify_cfg_pass()
    passes.add_global_dead_code_eliminate_pass()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
    passes.run(module, builder)
    combining = llvm.create_new_function_pass_manager()
    combining.add_instruction_combine_pass()
    combining.add_simplify_cfg_pass()
    for function in module.functions:
        if not function.is_declaration:
            combining.run(function, builder)
