"""What the documents show is what happens: every code block is run, and every output is compared.

- a `python` block whose first line is `# file: name.py` is written to that file; another one is run;
- a `console` block is a list of commands behind `$`, each followed by what it prints;
- an `sh` block sets up a machine; `.ci/run` runs those of the README.

`FLUSHPROOF_UPDATE_DOCS=1 pytest tests/flushproof/test_docs.py` writes the outputs of today into the documents.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import MethodType

import pytest
from click.testing import CliRunner
from flushproof.model import language
from flushproof.model.hardware import BitLock, CrossCalls, Execution, Lock, RwLock, Tasks
from flushproof.model.hardware.execution import Context
from flushproof.model.hardware.sections import Section
from flushproof.model.language.declare import Part
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system

import flushproof
from flushproof.cli import main
from flushproof.report.jsonform import schema

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md")))


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line where it begins."""

    language: str
    text: str
    line: int


def blocks(document: str) -> list[Block]:
    """All fenced blocks of a document, in order."""
    text = (ROOT / document).read_text()
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(m[1], m[2], text.count("\n", 0, m.start()) + 1) for m in found]


def shell(command: str, folder: Path) -> str:
    """What a command prints."""
    program = folder / "bin" / "flushproof"
    if not program.exists():
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m flushproof "$@"\n')
        program.chmod(0o755)
    env = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-c", f"exec 2>&1; {command}"],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout


def session(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output that is shown."""
    parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)
    assert parts[0] == "", "a console block starts with a command"
    return list(zip(parts[1::2], parts[2::2], strict=True))


def lasting(text: str) -> str:
    """An output without what differs from run to run: times, rates, folders and line breaks."""
    text = re.sub(r"/\S*/(\w+\.py)", r"\1", text)
    text = re.sub(r",\s+[\d,]+\s+states/s", "", text)
    # Which other lemmas one needs is Z3's choice among several cores, and no two runs need make the same.
    text = re.sub(r"^lemma \(holds for any size\).*?\n\n", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"slowest \d+\s+ms", "slowest T ms", text)
    # How many policies a declared order alone has decided in the end is a matter of time.
    text = re.sub(r"^Safe: \d.*?(\n\n|\Z)", "Safe.\n\n", text, flags=re.MULTILINE | re.DOTALL)
    # How much is audited is a matter of time.
    text = re.sub(r"^Audited: .*?(\n\n|\Z)", "Audited.\n\n", text, flags=re.MULTILINE | re.DOTALL)
    return " ".join(re.sub(r"\d+\.\d+(\s+s\b|\s*$)", r"T\1", text, flags=re.MULTILINE).split())


LONG = (
    "docs/policies.md",
    "docs/ci.md",
    "docs/costs.md",
    "docs/pages.md",
    "docs/python.md",
    "docs/systems/kvm-trapped-tlbi.md",
    "docs/systems/kvm-vcpu-switch.md",
    "docs/systems/kvm-vmid-generation.md",
    "docs/systems/kvm-world-switch.md",
    "docs/systems/tla-asidalloc.md",
    "docs/systems/tla-vmidalloc.md",
    "docs/systems/xen-tlbflush-clock.md",
)
"""Documents whose commands take long: `pytest --whole`; a page of each architecture is read always."""


@pytest.mark.parametrize("document", LONG)
def test_every_block_of_a_long_document_does_what_it_says(document: str, tmp_path: Path) -> None:
    test_every_block_of_a_document_does_what_it_says(document, tmp_path)


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if d not in LONG])
def test_every_block_of_a_document_does_what_it_says(document: str, tmp_path: Path) -> None:
    path = ROOT / document
    for block in blocks(document):
        where = f"{document}:{block.line}"
        match block.language:
            case "python" if name := re.match(r"# file: (\S+)\n", block.text):
                (tmp_path / name[1]).parent.mkdir(exist_ok=True)
                (tmp_path / name[1]).write_text(block.text)
            case "python":
                done = subprocess.run(
                    [sys.executable, "-c", block.text], cwd=tmp_path, capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, f"{where}: {done.stderr}"
            case "console":
                made = ""
                for command, shown in session(block.text):
                    printed = re.sub(rf"{re.escape(str(tmp_path))}/", "", shell(command, tmp_path))
                    made += f"$ {command}\n{printed}"
                    if not os.environ.get("FLUSHPROOF_UPDATE_DOCS"):
                        assert lasting(printed) == lasting(shown), f"{where}: {command}"
                if os.environ.get("FLUSHPROOF_UPDATE_DOCS"):
                    path.write_text(path.read_text().replace(block.text, made))
            case "yaml":  # what a build runs
                for command in re.findall(r"(?:run: |- )(flushproof .*)", block.text):
                    printed = shell(f"GITHUB_STEP_SUMMARY=summary.md; {command}; exit $?", tmp_path)
                    assert "flushproof:" not in printed and "Usage" not in printed, f"{where}: {printed}"
                    assert "Traceback" not in printed, f"{where}: {printed}"
            case "sh" | "text" | "mermaid":
                pass
            case other:
                raise AssertionError(f"{where}: what is a block of '{other}'?")


def docstring(path: Path) -> str:
    """The first sentence of a file's docstring, in one line."""
    first = " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s+(?=[A-Z])", first)[0]


def test_the_list_of_files_is_complete() -> None:
    made = []
    folders = {p.parent for top in ("flushproof", "model", "properties", "search") for p in (ROOT / top).rglob("*.py")}
    for folder in sorted(folders):
        files = sorted(folder.glob("*.py"), key=lambda p: (p.name != "__init__.py", p.name))
        assert files[0].name == "__init__.py", f"{folder} needs one"
        for path in files:
            says = docstring(path)
            assert says, f"{path} needs a docstring"
            named = path.parent if path.name == "__init__.py" else path
            made.append(f"{'' if path == files[0] else '  '}- `{named.relative_to(ROOT)}`: {says}")
    text = (ROOT / "CONTRIBUTING.md").read_text()
    wanted = re.sub(
        r"(<!-- files -->\n).*(<!-- /files -->)", lambda m: m[1] + "\n".join(made) + "\n" + m[2], text, flags=re.DOTALL
    )
    if os.environ.get("FLUSHPROOF_UPDATE_DOCS"):
        (ROOT / "CONTRIBUTING.md").write_text(wanted)
    else:
        assert text == wanted, "FLUSHPROOF_UPDATE_DOCS=1 pytest tests/flushproof/test_docs.py writes it anew"


def test_the_readme_sets_up_and_runs_with_two_commands() -> None:
    setup = [b.text for b in blocks("README.md") if b.language == "sh"]
    assert len(setup) == 2
    assert "flushproof check --all" in setup[0] and "pytest" in setup[1]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_within_the_project_lead_somewhere(document: str) -> None:
    text = re.sub(r"^```.*?^```$", "", (ROOT / document).read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in link:
            assert ((ROOT / document).parent / link).exists(), f"{document}: {link}"


@pytest.mark.parametrize(("command", "title"), [("simulate", "Walks"), ("costs", "Costs")])
def test_every_field_of_walks_and_costs_is_documented_where_they_are(command: str, title: str) -> None:
    small = f"{Path(__file__).with_name('small.py')}:Switch"
    made = json.loads(CliRunner().invoke(main, [command, small, "--policy", "always", "--format", "json"]).stdout)
    section = (ROOT / "docs/json.md").read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    for name in made["costs"][0] if command == "costs" else made:
        assert f"`{name}`" in section, name


def test_every_field_of_the_json_is_documented() -> None:
    fields = schema()["$defs"]
    text = (ROOT / "docs/json.md").read_text()
    parts = ("check", "all", "audit", "step", "proof", "proofs", "shown", "lemma", "question")
    parts += ("saved", "walks", "system", "systems", "operands")
    found = (fields[part] for part in parts)
    for name in (name for part in found for name in part.get("properties") or part["oneOf"][1]["properties"]):
        assert f"`{name}`" in text or f'"{name}"' in text, name


def test_every_public_name_stands_in_an_example_that_is_run() -> None:
    examples = "\n".join(block.text for block in blocks("docs/python.md") if block.language == "python")
    for name in flushproof.__all__:
        assert re.search(rf"^from flushproof import .*\b{name}\b", examples, re.MULTILINE), f"{name} is imported in no example"
        assert len(re.findall(rf"\b{name}\b", examples)) > 1, f"{name} is used in no example"


def test_the_language_page_has_every_word_and_an_example_of_it() -> None:
    example = next(b.text for b in blocks("docs/language.md") if b.text.startswith("# file: every.py"))
    rows = [line for line in (ROOT / "docs/language.md").read_text().split("\n") if line.startswith("| `")]
    for word in language.__all__:
        assert re.search(rf"\b{word}\b", example), f"{word} is not in the example"
        assert any(re.search(rf"\b{word}\b", row.split("|")[1]) for row in rows), f"{word} is in no row"
    assert all(row.split("|")[3].strip() for row in rows if row.count("|") == 4), "a word without an example"


def test_the_language_page_has_every_word_of_the_parts_and_examples_that_compile(tmp_path: Path) -> None:
    text = (ROOT / "docs/language.md").read_text()
    section = text.split("## Every word of three parts")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.split("\n") if line.startswith("| `")]
    words = " ".join(row[0] for row in rows)
    for part in (Execution(), Tasks(Execution()), CrossCalls(Execution()), Lock(), BitLock(), RwLock()):
        own = {name for name in dir(part) if isinstance(getattr(part, name), (MethodType, Section, Context))}
        for word in own - {"acquire", "release", "resume", "switch_in", "switch_out"} - set(dir(Part)):
            assert re.search(rf"\b{word}\b", words), f"{word} of {type(part).__name__} is in no row"
    system = next(b.text for b in blocks("docs/language.md") if b.text.startswith("# file: parts.py"))
    choices = "        thread, caller, page = choose(Thread), choose(Cpu), choose(Page)\n"
    for number, (_, _, example) in enumerate(rows):
        code = example.strip("`") + " pass" * example.endswith(":`")
        system += f'\n    @process(Cpu)\n    def example{number}(self, cpu):\n        yield "one"\n{choices}        {code}\n'
    (tmp_path / "parts.py").write_text(system)
    compiled = instantiate(load_system(f"{tmp_path / 'parts.py'}:Parts")).system
    assert {a.process for a in compiled.actions if a.process} == {f"example{n}" for n in range(len(rows))}
