"""`flushproof operands`, as a user gives it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from flushproof.properties.operands.encodings import Emulation, Op

from flushproof.cli import main


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["operands", *arguments], catch_exceptions=False)
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("policy", "facts", "status"),
    [("nuke", [], 0), ("exact", [], 0), ("raw", [], 1), ("nested", [], 1), ("nested", ["--assume", "guest-ttl"], 0)],
)
def test_status_is_the_verdict(policy: str, facts: list[str], status: int) -> None:
    assert run("--policy", policy, "--op", "vae1", *facts)[0] == status


def test_a_failure_names_its_registers() -> None:
    _, text = run("--policy", "raw", "--op", "VAE1")
    assert "0x0001000000000401" in text and "64K granule, level 3 page" in text
    assert "TG0 64K" in text and "TG0 4K" in text


def test_excess_is_counted() -> None:
    _, text = run("--policy", "nuke", "--op", "VAE1", "--op", "ASIDE1")
    assert "2^60 - 1" in text and "2^60 - 2^4" in text and "2^60 - 2^44" in text


def test_json_has_every_case() -> None:
    status, text = run("--policy", "raw", "--policy", "nuke", "--op", "VAE1", "--format", "json")
    raw, nuke = json.loads(text)["policies"]
    assert status == 1
    assert (raw["policy"], raw["verdict"], nuke["policy"], nuke["verdict"]) == ("raw", "violated", "nuke", "holds")
    assert int(raw["operations"][0]["case"]["xt"], 16) < 2**64
    assert set(raw["causes"]) == {"alike", "granule", "top_byte", "asid_width", "hint"}
    assert nuke["operations"][0]["superfluous"] == {"4K": 2**60 - 1, "16K": 2**60 - 4, "64K": 2**60 - 16}


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [(["--policy", "nuk"], "nuke"), (["--op", "VAE"], "VAE1"), (["--assume", "no-tll"], "no-ttl")],
)
def test_an_unknown_name(arguments: list[str], nearest: str) -> None:
    status, text = run(*arguments)
    assert status == 2 and nearest in text


def test_without_a_policy_all_are_compared() -> None:
    status, text = run("--op", "ASIDE1")
    assert status == 0
    assert all(e.name.lower() in text for e in Emulation) and len(Op) == 6
