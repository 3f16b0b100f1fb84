"""The core as Python: to be read, and to be run beside the source."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from types import CellType, FunctionType
from typing import Any, assert_never

from flushproof.model.errors import ModelError

from . import core
from .core import Atom, Constant, Function, Local, Star
from .declarations import Declarations
from .declare import Part, System, system_name
from .normalise import core_of

OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Mod: "%", ast.FloorDiv: "//", ast.Div: "/", ast.Pow: "**",
    ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>", ast.MatMult: "@",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
    ast.Not: "not ", ast.USub: "-", ast.UAdd: "+", ast.Invert: "~",
}  # fmt: skip


def core_text(function: Function) -> str:
    """The function as Python source."""
    return "\n".join(lines_of(function)) + "\n"


def lines_of(function: Function, defaults: dict[Local, Atom] | None = None) -> Iterator[str]:
    yield f"def {function.name}({', '.join(parameters(function, defaults))}):"
    yield from indented(function.body)


def parameters(function: Function, defaults: dict[Local, Atom] | None) -> Iterator[str]:
    """The parameters as they are declared.  A method keeps its defaults: they are not in the text (see `run_by_python`)."""
    before = None
    kinds = [p.kind for _, p in function.parameters]
    for local, parameter in function.parameters:
        if before == parameter.POSITIONAL_ONLY and parameter.kind != parameter.POSITIONAL_ONLY:
            yield "/"
        if (
            parameter.kind == parameter.KEYWORD_ONLY
            and before != parameter.KEYWORD_ONLY
            and parameter.VAR_POSITIONAL not in kinds
        ):
            yield "*"
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        given = f"={atom(defaults[local])}" if defaults and local in defaults else ""
        yield f"{star}{local.name}{given}"
        before = parameter.kind
    if before == inspect.Parameter.POSITIONAL_ONLY:
        yield "/"


def indented(block: core.Block) -> Iterator[str]:
    lines = [line for statement in block for line in statement_lines(statement)]
    yield from ("    " + line for line in lines or ["pass"])


def statement_lines(s: core.Statement) -> Iterator[str]:
    match s:
        case core.Set():
            yield f"{s.target.name} = {operation(s.operation)}"
        case core.Declare():
            yield f"{s.target.name}: {ast.unparse(s.annotation)}"
        case core.Unpack():
            yield f"({''.join(t.name + ', ' for t in s.targets)}) = {atom(s.value)}"
        case core.SetAttribute():
            yield f"{atom(s.owner)}.{s.mangled} = {atom(s.value)}"
        case core.SetItem():
            yield f"{atom(s.owner)}[{index(s.index, s.single)}] = {atom(s.value)}"
        case core.Do():
            yield operation(s.operation)
        case core.If():
            yield f"if {atom(s.test)}:"
            yield from indented(s.body)
            if s.other:
                yield "else:"
                yield from indented(s.other)
        case core.Loop():
            yield "while True:"
            yield from indented(s.body)
        case core.For():
            yield f"for {s.target.name} in {atom(s.iterable)}:"
            yield from indented(s.body)
        case core.With():
            yield f"with {atom(s.manager)}:"
            yield from indented(s.body)
        case core.Break():
            yield "break"
        case core.Continue():
            yield "continue"
        case core.Return():
            yield f"return {atom(s.value)}" if s.value is not None else "return"
        case core.Stop():
            yield f"yield {ast.unparse(s.value)}" if s.value is not None else "yield"
        case core.Delegate():
            yield f"{s.target.name} = yield from {operation(s.call)}"
        case core.Emit():
            yield f"yield {atom(s.value)}"
        case core.Define():
            lines = lines_of(s.function, dict(s.defaults))
            yield next(lines).replace(f"def {s.function.name}(", f"def {s.target.name}(", 1)
            yield from lines
        case _:
            assert_never(s)


def operation(o: core.Operation) -> str:
    match o:
        case core.Use():
            return atom(o.atom)
        case core.Attribute():
            return f"{atom(o.owner)}.{o.mangled}"
        case core.Subscript():
            return f"{atom(o.owner)}[{index(o.index, o.single)}]"
        case core.Slice():
            lower, upper, step = ("" if b is None else atom(b) for b in o.bounds)
            return f"{atom(o.owner)}[{lower}:{upper}{':' + step if step else ''}]"
        case core.Call():
            given = [item(i) for i in o.args]
            given += [f"**{atom(a)}" if name is None else f"{name}={atom(a)}" for name, a in o.keywords]
            return f"{atom(o.function)}({', '.join(given)})"
        case core.Binary() | core.Compare():
            return f"{atom(o.left)} {OPERATORS[type(o.operator)]} {atom(o.right)}"
        case core.Unary():
            return f"{OPERATORS[type(o.operator)]}{atom(o.operand)}"
        case core.Pack():
            return f"({''.join(item(i) + ', ' for i in o.items)})"
        case core.Super():
            return "super()"
        case _:
            assert_never(o)


def index(parts: tuple[core.Item | core.Open, ...], single: bool) -> str:
    texts = [p.text if isinstance(p, core.Open) else item(p) for p in parts]
    return texts[0] if single else ", ".join(texts) + ("," if len(texts) == 1 else "")


def item(i: core.Item) -> str:
    return f"*{atom(i.atom)}" if isinstance(i, Star) else atom(i)


def atom(a: Atom) -> str:
    match a.of:
        case Local() | core.Unknown():
            return a.of.name
        case Constant(_, text):
            return text
        case _:
            assert_never(a.of)


def run_by_python(function: Function) -> Callable[..., Any]:
    """The core as a Python function, with the globals, the enclosing variables and the defaults of the original."""
    original = function.python
    assert original is not None
    free = original.__code__.co_freevars
    body = "\n".join("    " + line for line in lines_of(function))
    text = f"def factory({', '.join(free)}):\n{body}\n    return {function.name}\n"
    space: dict[str, Any] = {}
    exec(compile(text, f"<core of {original.__qualname__}>", "exec"), original.__globals__, space)
    made: Any = space["factory"](*[None] * len(free))
    cells = dict(zip(free, original.__closure__ or (), strict=True))
    closure = tuple(cells.get(name, CellType()) for name in made.__code__.co_freevars)
    same = FunctionType(made.__code__, original.__globals__, original.__name__, original.__defaults__, closure or None)
    same.__kwdefaults__ = original.__kwdefaults__
    same.__annotations__ = original.__annotations__
    same.__doc__ = original.__doc__
    same.__qualname__ = original.__qualname__
    same.__dict__.update(original.__dict__)
    return same


def core_of_system(cls: type[System]) -> str:
    """All that is compiled of a system: the methods of its class and of its parts' classes, in the core."""
    declared = Declarations(cls)
    sections = []
    for owner in declared.objects.values():
        made = owner.python if isinstance(owner.python, type) else type(owner.python)
        functions = {
            name: value
            for c in reversed(made.__mro__)
            for name, value in vars(c).items()
            if c not in (object, System, Part) and not name.startswith("__")
        }
        if not isinstance(owner.python, type):
            functions.update(vars(owner.python))
        texts = []
        for function in functions.values():
            plain = function.fget if isinstance(function, property) else getattr(function, "__func__", function)
            if inspect.isfunction(plain):
                texts.append(_text_or_reason(plain))
        title = f"{owner.path[:-1]}: {made.__name__}" if owner.path else made.__name__
        sections.append("\n".join([f"# {title}", "", *texts]))
    return "\n\n".join(sections)


def _text_or_reason(function: Callable[..., Any]) -> str:
    try:
        return core_text(core_of(function))
    except ModelError as error:  # a helper that nothing calls is never compiled
        return f"# {function.__name__}: {error.message}\n"


def core_class(cls: type[System]) -> type[System]:
    """The system as Python runs its core: a class like this one, whose methods, and its parts', are those of the core.

    A method that a subclass calls by `super()` stays as it was written.
    """
    known: dict[int, Any] = {}

    def methods(of: type) -> dict[str, Any]:
        space: dict[str, Any] = {}
        for name in dict.fromkeys(n for c in of.__mro__ if c not in (object, System, Part) for n in vars(c)):
            if not name.startswith("__"):
                space[name] = changed(inspect.getattr_static(of, name))
        return space

    def changed(value: Any) -> Any:
        match value:
            case FunctionType():
                return in_core(value)
            case staticmethod():
                return staticmethod(in_core(value.__func__))
            case property():
                return property(in_core(value.fget)) if value.fget is not None else value
            case Part():
                return part(value)
        return value

    def part(value: Part) -> Part:
        """The same part under every name stays one part."""
        if id(value) not in known:
            made = known[id(value)] = object.__new__(type(value))
            of = type(value)
            made.__class__ = type(of.__name__, (of,), {**methods(of), "__module__": of.__module__})
            made.__dict__.update({name: changed(v) for name, v in vars(value).items()})
        found: Part = known[id(value)]
        return found

    made = type(cls.__name__, (cls,), {**methods(cls), "name": system_name(cls), "__module__": cls.__module__})
    return made


def in_core(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return run_by_python(core_of(function))
    except ModelError:  # a helper that nothing calls is never compiled
        return function
