"""Finding systems, shipped ones and anyone's."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from flushproof.model import systems
from flushproof.model.errors import FlushproofError, ModelError
from flushproof.model.language.load import load_file, load_system, shipped

from flushproof.asking import simulate
from flushproof.checking import check, source_of
from flushproof.proving import prove

GOOD = '''
from flushproof.model.language.declare import Map, Sort, System, action


class Cpu(Sort):
    """A CPU."""


class _Base(System):
    """A building block."""

    on: Map[Cpu, bool]


class Light(_Base):
    """A light for each CPU."""

    @action
    def switch(self, cpu: Cpu) -> None:
        """{cpu} switches its light on"""
        self.on[cpu] = True
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "light.py"
    path.write_text(GOOD)
    return path


def message(spec: str) -> str:
    with pytest.raises(FlushproofError) as caught:
        load_system(spec)
    return str(caught.value)


def test_a_class_in_a_file(file: Path) -> None:
    assert load_system(f"{file}:Light").__name__ == "Light"
    assert load_system(f"{file}:_Base").__name__ == "_Base"


def test_the_only_system_of_a_file_needs_no_name(file: Path) -> None:
    assert load_system(str(file)).__name__ == "Light"


def test_files_of_one_name_do_not_hide_each_other(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "light.py").write_text(GOOD.replace("Light", "Lamp"))
    assert load_system(f"{file}:Light").__name__ == "Light"
    assert load_system(f"{other / 'light.py'}:Lamp").__name__ == "Lamp"
    assert load_system(f"{file}:Light").__name__ == "Light"
    assert "light" not in sys.modules


def test_a_file_imports_its_neighbours_and_leaves_the_path_alone(file: Path) -> None:
    (file.parent / "neighbour_of_light.py").write_text("ANSWER = 42\n")
    file.write_text("from neighbour_of_light import ANSWER\n" + GOOD)
    before = list(sys.path)
    assert load_system(str(file)).__name__ == "Light"
    assert sys.path == before


BOUNDED = """
from flushproof.model.language.declare import *
from common import LIMIT, Cpu, Lamp


class Light(System):
    lamp = Lamp()
    on: Map[Cpu, bool]

    @action
    def switch(self, cpu: Cpu) -> None:
        self.on[cpu] = self.lamp.lit = True

    @invariant("too many")
    def few(self):
        return count(self.on[c] for c in Cpu) < LIMIT
"""
COMMON = """
from __future__ import annotations
from flushproof.model.language.declare import *

class Cpu(Sort):
    pass

class Bulb(Sort):
    pass

class Lamp(Part):
    lit: bool
    of: Bulb

LIMIT = {}
"""


def test_each_folder_has_neighbours_of_its_own(tmp_path: Path) -> None:
    for limit in (2, 3):
        folder = tmp_path / str(limit)
        folder.mkdir()
        (folder / "light.py").write_text(BOUNDED)
        (folder / "common.py").write_text(COMMON.format(limit))
    first, second = (load_system(f"{tmp_path}/{limit}/light.py") for limit in (2, 3))
    assert check(second).verdict == "holds"
    assert check(first).verdict == "violated"  # compiled only now that the other folder's module goes by that name
    assert load_system(f"{tmp_path}/2/light.py") is first


def test_a_neighbour_that_was_edited_is_read_again(tmp_path: Path) -> None:
    light, common = tmp_path / "light.py", tmp_path / "common.py"
    light.write_text(BOUNDED)
    for limit, verdict in ((2, "violated"), (3, "holds"), (1, "violated"), (3, "holds")):
        common.write_text(COMMON.format(limit))
        assert check(str(light)).verdict == verdict
        assert load_system(str(light)) is load_system(str(light))


def test_a_module_of_a_package_whose_init_is_the_system_is_read_again(tmp_path: Path) -> None:
    light, common = tmp_path / "__init__.py", tmp_path / "common.py"
    light.write_text(BOUNDED.replace("from common", "from .common"))
    for limit, verdict in ((2, "violated"), (3, "holds"), (1, "violated")):
        common.write_text(COMMON.format(limit))
        assert check(f"{light}:Light").verdict == verdict


def test_a_class_counts_as_it_is_when_it_is_asked_about(tmp_path: Path) -> None:
    """As in a notebook: a later cell gives a name another value, the class another method, or more state."""
    light = tmp_path / "light.py"
    light.write_text(BOUNDED)
    (tmp_path / "common.py").write_text(COMMON.format(2))
    cls = load_system(str(light))
    names, module = vars(sys.modules[cls.__module__]), load_file(light)
    for limit, verdict in ((2, "violated"), (3, "holds"), (1, "violated")):
        names["LIMIT"] = limit
        assert check(cls).verdict == verdict
        assert (prove(cls, audit=None).verdict == "violated") == (verdict == "violated")
        assert (simulate(cls, walks=5, steps=20).violated is None) == (verdict == "holds")
    other = tmp_path / "other.py"
    other.write_text(BOUNDED.replace("self.on[cpu] = ", "self.more[cpu] = "))
    cls.switch = load_file(other).Light.switch  # type: ignore[attr-defined]
    cls.__annotations__["more"] = module.Map[module.Cpu, bool]
    assert check(cls).verdict == "holds"


def test_a_file_that_was_edited_after_python_imported_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python runs the text of before: what stands in the file now is another system."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path, text = tmp_path / "imported_light.py", BOUNDED.replace("LIMIT\n", "3\n").replace("import LIMIT, ", "import ")
    (tmp_path / "common.py").write_text(COMMON.format(3))
    path.write_text(text)
    module = importlib.import_module("imported_light")
    path.write_text(text.replace("< 3", "< 2"))
    with pytest.raises(ModelError, match=r"the source text of Light.few is not what Python runs\n.*edited"):
        check(module.Light)
    assert check(importlib.reload(module).Light).verdict == "violated"
    assert check(f"{path}:Light").verdict == "violated"


def test_a_neighbour_hides_no_module_of_python(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "string.py").write_text("raise RuntimeError('this is not the module that was asked for')\n")
    monkeypatch.delitem(sys.modules, "string")
    file.write_text("import string\nassert string.digits\n" + GOOD)
    assert load_system(str(file)).__name__ == "Light"


def test_every_file_of_model_systems_is_found() -> None:
    files = {p.stem for p in Path(systems.__path__[0]).glob("*.py")} - {"__init__"}
    modules = {cls.__module__.rpartition(".")[2] for cls in shipped().values()}
    assert modules == files
    assert all(load_system(name) is cls for name, cls in shipped().items())


def test_a_shipped_name_that_does_not_exist() -> None:
    text = message("kvm-vcpu-swich")
    assert "there is no system 'kvm-vcpu-swich'" in text and "path/to/file.py:Class" in text
    assert not shipped() or "Did you mean 'kvm-vcpu-switch'?" in text


def test_no_such_file(tmp_path: Path) -> None:
    assert message(f"{tmp_path}/nowhere.py:Light") == f"there is no file {tmp_path}/nowhere.py"


def test_no_such_class(file: Path) -> None:
    assert "'Ligth' is not defined in it. Did you mean 'Light'?" in message(f"{file}:Ligth")


def test_a_class_that_is_no_system(file: Path) -> None:
    assert "'Cpu' is not a subclass of System. The systems are: Light." in message(f"{file}:Cpu")


@pytest.mark.parametrize("name", ["", ":Light"])
def test_a_file_without_a_system(file: Path, name: str) -> None:
    file.write_text("class Light: ...\n")
    assert "A system is a class that inherits from System." in message(f"{file}{name}")


def test_which_of_several(file: Path) -> None:
    file.write_text(GOOD + "\n\nclass Lamp(Light):\n    '''Another.'''\n")
    assert "which class? The systems are: Lamp, Light." in message(str(file))


MADE = """

def made(start):
    class Lamp(Light):
        number = start

    return Lamp


First = made(1)
"""


def test_a_class_that_a_function_makes(file: Path) -> None:
    file.write_text(GOOD + MADE)
    found = load_system(f"{file}:First")
    assert (found.__name__, vars(found)["number"]) == ("Lamp", 1)
    assert load_system(source_of(found)) is found


@pytest.mark.parametrize("name", ["First", "Second", "Lamp"])
def test_two_classes_of_one_name(file: Path, name: str) -> None:
    file.write_text(f"{GOOD}{MADE}Second = made(2)\n{'Lamp = First' * (name == 'Lamp')}\n")
    assert "two of its systems are classes called 'Lamp'" in message(f"{file}:{name}")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("x = 1\nclass Broken(:\n", 2, "not valid Python"),
        ("import flushproof\n\nraise ValueError('no')\n", 3, "ValueError: no"),
        ("import no_such_module_anywhere\n", 1, "No module named 'no_such_module_anywhere'"),
        ("import sys\nsys.exit(1)\n", 2, "SystemExit: 1"),
        ("class Light(System): ...\n", 1, "Import it: from flushproof.model.language import System"),
        ("def f():\n    return 1 / 0\n\nf()\n", 2, "ZeroDivisionError"),
        ("\nfrom .sorts import Cpu\n", 2, "by their own names, as in `from sorts import Cpu`"),
        ("from . import sorts\n", 1, "A system's file belongs to no package"),
        ("from ..sorts import Cpu\n", 1, "A system's file belongs to no package"),
        ("x = Cpu\nclass Cpu:\n    pass\n", 1, "It is defined further down"),
        ("from flushproof.model.language import *\nhalf = size(bool) // 2\n", 2, "may be added, subtracted and multiplied"),
    ],
)
def test_a_file_that_does_not_import(file: Path, text: str, line: int, reason: str) -> None:
    file.write_text(text)
    said = message(f"{file}:Light")
    assert said.startswith(f"{file}:{line}: ") and reason in said and "Traceback" not in said


def test_the_name_of_its_own_folder_is_no_package(file: Path) -> None:
    file.write_text(f"import {file.parent.name}.sorts\n")
    assert "That is the file's own folder: modules beside" in message(str(file))


def test_bytes_that_are_no_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00class")
    assert str(file) in message(f"{file}:Light")


def test_a_file_that_did_not_change_is_loaded_once(tmp_path: Path) -> None:
    file = tmp_path / "kept.py"
    text = "from flushproof.model.language import System\n\n\nclass Kept(System):\n    on: bool\n"
    file.write_text(text)
    first = load_system(f"{file}:Kept")
    assert load_system(f"{file}:Kept") is first, "else its annotations would mean the second one's sorts"
    file.write_text(text.replace("bool", "Optional[bool]").replace("System\n\n", "System\nfrom typing import Optional\n\n", 1))
    assert load_system(f"{file}:Kept") is not first


def test_a_file_that_is_mended_is_read_again(file: Path) -> None:
    """What a broken version left behind is not taken for the one before it, whose text is the same as now."""
    before = load_system(f"{file}:Light")
    assert load_system(f"{file}:Light") is before
    file.write_text(GOOD.replace("class Light", "1 / 0\n\n\nclass Light"))
    assert "ZeroDivisionError" in message(f"{file}:Light")
    file.write_text(GOOD)
    assert load_system(f"{file}:Light").__name__ == "Light"
