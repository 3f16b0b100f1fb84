"""Finding systems: the shipped ones by name, anyone's by `path/to/file.py:Class`.

A file in `model/systems` is a shipped system without further ado: every class in it that has policies is found here.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import itertools
import linecache
import pkgutil
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from flushproof.model.errors import FlushproofError, ModelError, nearest
from flushproof.model.ir import Place

from .declare import System, system_name
from .policies import check_declared
from .source import import_hint

SHIPPED = "flushproof.model.systems"
PROOFS = "flushproof.model.proofs"
"""The packages of the shipped systems and of their proofs, looked up by name: no floor of `model` imports one above it."""

_USERS = "flushproof_user_"
"""How the names of modules begin that come from users' files."""


def load_system(spec: str) -> type[System]:
    """The class that a command line names: a shipped system's name, or `path/to/file.py:Class`.

    Raises:
        FlushproofError: there is no such system, file or class, or the file does not import.
    """
    found = _found(spec)
    check_declared(found)
    return found


def _found(spec: str) -> type[System]:
    path, colon, name = spec.rpartition(":")
    if colon and path.endswith(".py"):
        return _named(load_file(Path(path)), name, path)
    if spec.endswith(".py"):
        return _named(load_file(Path(spec)), "", spec)
    usual = f"{SHIPPED}.{spec.replace('-', '_')}"
    found = _systems_of(usual) if usual in _modules() else {}
    if spec not in found:
        found = shipped()
    if spec not in found:
        raise FlushproofError(
            f"there is no system '{spec}'. {nearest(spec, found, 'systems')} "
            "A system of your own is given as path/to/file.py:Class."
        )
    return found[spec]


@cache
def shipped() -> dict[str, type[System]]:
    """All systems in `model/systems`, by name."""
    found = {name: cls for module in _modules() for name, cls in _systems_of(module).items()}
    return dict(sorted(found.items()))


def is_shipped(cls: type[System]) -> bool:
    """Whether a system is found by its name."""
    return cls.__module__ in _modules() and bool(cls.policies)


def _modules() -> list[str]:
    return [info.name for info in pkgutil.walk_packages(importlib.import_module(SHIPPED).__path__, SHIPPED + ".")]


def _systems_of(module: str) -> dict[str, type[System]]:
    return {system_name(cls): cls for cls in systems_in(importlib.import_module(module)) if cls.policies}


def proof_of(cls: type[System]) -> type[System]:
    """The proof of a system: of a shipped one in `model/proofs`, under the name of the system's own file, else beside it; the
    system itself if it has none, and may have lemmas of its own."""
    if cls.proves is not None:
        return cls
    homes = [sys.modules.get(cls.__module__)]
    if is_shipped(cls):
        name = cls.__module__.replace(SHIPPED, PROOFS, 1)
        if importlib.util.find_spec(name) is not None:
            homes.insert(0, importlib.import_module(name))
    for home in homes:
        for found in vars(home).values() if home is not None else ():
            if isinstance(found, type) and issubclass(found, System) and found.proves is cls:
                return found
    return cls


def systems_in(module: ModuleType) -> list[type[System]]:
    """The systems that a module itself defines, in order; a name with a leading underscore is a building block."""
    return [
        cls
        for name, cls in vars(module).items()
        if isinstance(cls, type)
        and issubclass(cls, System)
        and cls.__module__ == module.__name__
        and cls.proves is None
        and not name.startswith("_")
    ]


def load_file(path: Path) -> ModuleType:
    """The module in a file, imported under a name of its own, so that it can neither hide another nor be hidden.

    It is the same one as long as the file is: a second one under its name would give the first one's annotations other sorts.

    Raises:
        FlushproofError: there is no such file, or importing it failed; the message names the place.
    """
    path = path.expanduser().resolve()
    if not path.is_file():
        raise FlushproofError(f"there is no file {path}")
    stem = path.stem.replace(".", "_")  # a dot would make it a part of a package
    name = f"{_USERS}{stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    text = path.read_bytes()
    _set_aside_what_changed(path.parent)
    if name in sys.modules and _loaded.get(name) == text:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path, loader=_AsRead(name, str(path), text))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _loaded.pop(name, None)  # until this one is there as a whole
    _set_aside_what_is_elsewhere(path.parent)
    known = set(sys.modules)
    sys.path.append(str(path.parent))  # behind the rest: a neighbour called string.py hides nothing
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # of neighbours: it is not told apart within a second
    try:
        spec.loader.exec_module(module)
    except FlushproofError:
        raise
    except SyntaxError as error:
        place = Place(error.filename or str(path), error.lineno or 1, error.offset or 1)
        raise ModelError(f"not valid Python: {error.msg}", place, _line(place)) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a user's module raises, SystemExit too
        place = place_of(error, path)
        hint = _why_not(error, path, text)
        raise ModelError(f"importing it failed: {type(error).__name__}: {error}", place, _line(place), hint) from error
    finally:
        sys.dont_write_bytecode = writes
        sys.path.remove(str(path.parent))
        _note_neighbours(path.parent, sys.modules.keys() - known)
    _loaded[name] = text
    return module


def _why_not(error: BaseException, path: Path, text: bytes) -> str:
    """What to write instead of that which does not import."""
    beside = "modules beside a system's file are imported by their own names, as in `from sorts import Cpu`."
    match error:
        case NameError():
            later = any(isinstance(n, ast.ClassDef) and n.name == error.name for n in ast.parse(text).body)
            below = f"It is defined further down: move it up, or write '{error.name}' in quotation marks in an annotation."
            return below if later else import_hint(error.name)
        case ModuleNotFoundError() if (error.name or "").partition(".")[0] == path.parent.name:
            return f"That is the file's own folder: {beside}"
        case ImportError() if "relative import" in str(error):
            return f"A system's file belongs to no package: {beside}"
        case TypeError() if "'Size'" in str(error):
            return "What size(...) gives may be added, subtracted and multiplied; inside of methods it is a number."
    return ""


@dataclass(frozen=True)
class _Neighbour:
    """A module that a user's file imported from its own folder: `name` is what Python calls it, `text` what was in its file."""

    folder: Path
    name: str
    module: ModuleType
    file: Path
    text: bytes

    @property
    def changed(self) -> bool:
        return not self.file.is_file() or self.file.read_bytes() != self.text

    @property
    def elsewhere(self) -> bool:
        """Whether another folder's module goes by its name now, or none."""
        return sys.modules.get(self.name) is not self.module

    def set_aside(self) -> None:
        """Let the name be another module's; what was made of this one still finds it, under a name that cannot be imported."""
        if not self.elsewhere:
            aside = f"{self.name}#{next(_asides)}"
            sys.modules[aside] = sys.modules.pop(self.name)
            for value in vars(self.module).values():
                if isinstance(value, type) and value.__module__ == self.name:
                    value.__module__ = aside


_neighbours: dict[tuple[Path, str], _Neighbour] = {}
_asides = itertools.count()


def _note_neighbours(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        module = sys.modules[name]
        file = Path(getattr(module, "__file__", None) or "")
        loaded = name.startswith(_USERS) and "." not in name  # what is behind a dot, a user's `__init__.py` imported
        if file.is_relative_to(folder) and file.suffix == ".py" and not loaded:
            _neighbours[folder, name] = _Neighbour(folder, name, module, file, file.read_bytes())


def _set_aside_what_changed(folder: Path) -> None:
    """Forget the modules of a folder of which one was edited, and the systems that were read with them."""
    mine = [n for n in _neighbours.values() if n.folder == folder]
    if any(n.changed for n in mine):
        for neighbour in mine:
            neighbour.set_aside()
            del _neighbours[folder, neighbour.name]
        for name in [n for n in _loaded if Path(sys.modules[n].__file__ or "").parent == folder]:
            del _loaded[name]


def _set_aside_what_is_elsewhere(folder: Path) -> None:
    """See to it that a module of another folder is not taken for one of this folder that has its name."""
    importlib.invalidate_caches()
    for neighbour in _neighbours.values():
        top = folder / neighbour.name.partition(".")[0]
        if neighbour.folder != folder and (top.is_dir() or top.with_suffix(".py").is_file()):
            neighbour.set_aside()


class _AsRead(SourceFileLoader):
    """Runs the text that was read, which is the one that is compiled: no bytecode, which is as old as its second, and no other text
    if the file changes meanwhile."""

    def __init__(self, name: str, path: str, text: bytes) -> None:
        super().__init__(name, path)
        self.text = text

    def get_code(self, fullname: str) -> CodeType:
        linecache.cache.pop(self.path, None)
        lines = importlib.util.decode_source(self.text).splitlines(keepends=True)
        linecache.cache[self.path] = len(self.text), None, lines, self.path
        return self.source_to_code(self.text, self.path)


_loaded: dict[str, bytes] = {}
"""What was in the users' files whose modules were imported, by the modules' names."""


def place_of(error: BaseException, path: Path | None = None) -> Place:
    """The innermost place of an exception's traceback, in `path` if it passed there."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [f for f in frames if path is not None and Path(f.filename) == path] or frames
    last = inside[-1]
    return Place(last.filename, last.lineno or 1, (last.colno or 0) + 1)


def is_users(path: Path) -> bool:
    """Whether a file was loaded as a user's system."""
    return path in {Path(m.__file__) for name, m in sys.modules.items() if name.startswith(_USERS) and m.__file__}


def _line(place: Place) -> str:
    return linecache.getline(place.file, place.line).rstrip()


def _named(module: ModuleType, name: str, path: str) -> type[System]:
    """The system that a file's variable of this name is, else the one whose class is called so; without a name the only one."""
    systems = list(dict.fromkeys(systems_in(module)))
    called = getattr(module, name, None) if name else None
    if not (isinstance(called, type) and issubclass(called, System) and called is not System):
        mine = [cls for cls in systems if not name or cls.__name__ == name]
        if len(mine) != 1:
            found = {cls.__name__: cls for cls in systems}
            known = nearest(name, found, "systems") if found else "A system is a class that inherits from System."
            if not name:
                raise FlushproofError(f"{path}: {'which class?' if found else 'there is no system in it.'} {known}")
            what = "is not a subclass of System" if called is not None else "is not defined in it"
            raise FlushproofError(f"{path}: '{name}' {what}. {known}")
        called = mine[0]
    if called in systems and any(cls is not called and cls.__name__ == called.__name__ for cls in systems):
        hint = "Write a class statement for each, with a name of its own."
        raise FlushproofError(f"{path}: two of its systems are classes called '{called.__name__}'. {hint}")
    return called
