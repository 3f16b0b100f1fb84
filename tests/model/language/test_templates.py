"""What labels and docstrings may name in braces, and what a trace then says."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from flushproof.model.errors import ModelError
from flushproof.model.language.compile import compile_system
from flushproof.model.language.load import load_system

from flushproof import check
from flushproof.cli import main
from flushproof.report.words import Story

HEAD = '''
from typing import Annotated, Optional

from flushproof.model.language import *


class Cpu(Sort):
    "A CPU."


class Page(Sort, size=2):
    "A page."


class Generation(Counter):
    "Of tables."


class Mine(System):
    "Labels."

    sizes = {Cpu: 1}
    owner: Map[Page, Optional[Cpu]]
    tlb_gen: Generation
    seen: Map[Cpu, Generation]
    refs: Annotated[int, Range(0, 3)]
    over: bool
'''

SAYS = '''
    def put(self, target):
        yield "puts {target}"
        self.owner[target] = None

    @process(Cpu)
    def run(self, cpu):
        yield "{cpu} takes {page}"
        page = choose(Page)
        self.owner[page] = cpu
        count = 2
        yield "counts {count} of {page} for {cpu}"
        self.refs = count
        yield "advances {gen}, for {page} and {{others}}"
        gen = self.tlb_gen
        self.tlb_gen = fresh(Generation)
        yield "compares {gen} with {now}: {newer}"
        now = self.tlb_gen
        newer = gen < now
        if newer:
            count = 3
        yield from self.put(page)
        yield "ends with {count}"
        self.refs = count
        self.over = True

    @action
    def looks(self, cpu: Cpu):
        """{cpu} sees {more} than {cpu}'s {what}"""
        require(not self.over)
        more = self.refs
        what = self.owner[choose(Page)]

    @invariant("over")
    def never(self):
        return not self.over or self.refs != 3 or any(self.owner[page] is not None for page in Page)
'''

PLAIN = SAYS.replace("{target}", "it").replace("{more}", "more").replace("{what}", "what")
for name in ("page", "count", "gen", "now", "newer"):
    PLAIN = PLAIN.replace(f"{{{name}}}", name)


def system(tmp_path: Path, body: str) -> str:
    file = tmp_path / "mine.py"
    file.write_text(HEAD + body)
    return f"{file}:Mine"


def test_a_label_says_what_its_names_are(tmp_path: Path) -> None:
    found = check(system(tmp_path, SAYS), properties=["never"]).trace
    assert found is not None
    story = Story(found)
    page = found.instance.show(next(s for s in found.instance.system.sorts if s.name == "Page"), found.steps[0].binding["page"])
    assert [row.words for row in story.rows if row.process] == [
        f"cpu0 takes {page}",
        f"counts 2 of {page} for cpu0",
        f"advances 0, for {page} and {{others}}",
        "compares 0 with 1: True",
        f"puts {page}",
        "ends with 3",
    ]
    assert story.rows[0].label == "{cpu} takes {page}", "its name stays as it is written"


def test_a_docstring_names_variables_of_its_step(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["check", system(tmp_path, SAYS), "--property", "never", "--format", "json"])
    assert '"cpu0 sees 0 than cpu0\'s None"' in done.stdout


def test_what_is_named_changes_no_state(tmp_path: Path) -> None:
    with_names = check(system(tmp_path, SAYS))
    (tmp_path / "plain").mkdir()
    without = check(system(tmp_path / "plain", PLAIN))
    assert (with_names.states, with_names.transitions, with_names.depth) == (
        without.states,
        without.transitions,
        without.depth,
    )


def test_what_no_property_needs_is_not_known_and_called_by_its_name(tmp_path: Path) -> None:
    text = '''
    @process(Cpu)
    def run(self, cpu):
        yield "takes {page}"
        page = choose(Page)
        yield "gives {page} up"
        self.owner[page] = None
        self.over = True

    @invariant("over")
    def never(self):
        return not self.over
'''
    found = check(system(tmp_path, text)).trace
    assert found is not None
    assert [row.words for row in Story(found).rows] == ["takes page0", "gives page up"]


@pytest.mark.parametrize("language", ["murphi", "promela", "tla"])
def test_exported_models_have_names_of_their_own_for_such_labels(tmp_path: Path, language: str) -> None:
    done = CliRunner().invoke(main, ["export", system(tmp_path, SAYS), "--to", language])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ('yield "takes {pgae}"\n        page = choose(Page)\n        self.owner[page] = cpu', 'yield "takes', "'page'"),
        ('page = choose(Page)\n        yield "takes {page}"\n        self.over = True', 'yield "takes', "nothing reads"),
        (
            'pair = self.refs, self.over\n        yield "takes {pair}"\n        self.refs, self.over = pair',
            'yield "takes',
            "no single value",
        ),
        ('yield "takes {self}"\n        self.over = True', 'yield "takes', "no single value"),
        (
            'yield "takes {x}"\n        if self.over:\n            x = 1\n            self.refs = x',
            'yield "takes',
            "set on some ways",
        ),
        ('yield "takes {page!r}"\n        page = choose(Page)\n        self.owner[page] = cpu', 'yield "takes', "Write {page}."),
        ('yield "takes {page:>5}"\n        page = choose(Page)\n        self.owner[page] = cpu', 'yield "takes', "Write {page}."),
        ('yield "takes {page"\n        page = choose(Page)\n        self.owner[page] = cpu', 'yield "takes', "cannot be read"),
    ],
)
def test_a_name_that_means_nothing_is_refused_where_it_stands(tmp_path: Path, body: str, line: str, says: str) -> None:
    text = f"""
    @process(Cpu)
    def run(self, cpu):
        {body}
"""
    with pytest.raises(ModelError) as caught:
        compile_system(load_system(system(tmp_path, text)))
    number = next(i for i, written in enumerate((HEAD + text).splitlines(), 1) if line in written)
    assert says in str(caught.value) and caught.value.place is not None and caught.value.place.line == number


def test_a_label_of_a_helper_speaks_of_the_helper_s_variables(tmp_path: Path) -> None:
    text = '''
    def put(self, target):
        yield "puts {page}"
        self.owner[target] = None

    @process(Cpu)
    def run(self, cpu):
        yield "takes {page}"
        page = choose(Page)
        yield from self.put(page)
'''
    with pytest.raises(ModelError, match=r"\{page\}(.|\n)*cpu, target"):
        compile_system(load_system(system(tmp_path, text)))


def test_a_check_on_the_way_speaks_of_the_step_s_variables(tmp_path: Path) -> None:
    text = '''
    @process(Cpu)
    def run(self, cpu):
        yield "takes {page}, number {count}"
        page = choose(Page)
        count = 2
        check("free", self.owner[page] is None, "{page} is taken")
        self.owner[page] = cpu
'''
    found = check(system(tmp_path, text), properties=["free"]).trace
    assert found is not None
    assert [row.words for row in Story(found).rows] == ["takes page0, number 2"] * 2
