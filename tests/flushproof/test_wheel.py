"""The wheel has everything: it is built, installed outside the tree, and used there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"flushproof": "flushproof", **{name: f"flushproof/{name}" for name in ("model", "properties", "search")}}


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the tree as it is, built from a copy, so that nothing is left behind in it."""
    source = tmp_path_factory.mktemp("source") / "flushproof"
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "dist", "typed", "*.egg-info", "__pycache__")
    )
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", out, source, cwd=source)
    return next(out.glob("*.whl"))


def test_no_file_is_left_out(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    for folder, target in FOLDERS.items():
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in (".py", ".json", ".typed", ".html", ".css", ".js", ".md") and "__pycache__" not in file.parts:
                assert f"{target}/{file.relative_to(ROOT / folder)}" in packed


def test_a_clean_environment_can_check_with_it(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "env", cwd=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", wheel, cwd=tmp_path)
    home = run(python, "-c", "import flushproof.model.ir.system as m; print(m.__file__)", cwd=tmp_path)
    assert home.startswith(str(tmp_path / "env"))
    command = tmp_path / "env" / "bin" / "flushproof"
    assert "kvm-vcpu-switch" in run(command, "list", cwd=tmp_path)
    found = json.loads(run(command, "check", "kvm-vcpu-switch", "--policy", "both", "--format", "json", cwd=tmp_path))
    assert found["verdict"] == "holds" and found["states"] > 1
    said = run("sh", "-c", f"{command} check kvm-vcpu-switch --policy none; test $? = 1", cwd=tmp_path)
    assert "Z3 confirmed this trace" in said
    run("sh", "-c", f"{command} check kvm-vcpu-switch --policy none --html page.html; test $? = 1", cwd=tmp_path)
    assert "<script" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_every_folder_of_code_is_a_package_of_the_project() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    for folder, target in FOLDERS.items():
        for file in (ROOT / folder).rglob("*.py"):
            package = ".".join((*Path(target).parts, *file.parent.relative_to(ROOT / folder).parts))
            assert package in listed, f"{package} is missing in pyproject.toml"
