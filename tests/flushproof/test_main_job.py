"""The main job on the shipped systems, as a user gives it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from flushproof import cli
from flushproof.checking import expectations


def check(*args: str) -> tuple[int, Any]:
    called = CliRunner().invoke(cli.main, ["check", *args, "--format", "json"])
    return called.exit_code, json.loads(called.stdout)


@pytest.mark.parametrize(
    ("args", "violated"),
    [
        (["--policy", "none"], "no-foreign-hit"),
        (["--policy", "on-migration"], "no-foreign-hit"),
        (["--policy", "last-ran"], None),
        (["--policy", "last-ran", "--set", "fb=off"], "no-stale-hit"),
        (["--policy", "both"], None),
        (["--policy", "both", "--set", "fb=off"], None),
        (["--policy", "always"], None),
    ],
)
def test_vcpu_switch(args: list[str], violated: str | None) -> None:
    status, found = check("kvm-vcpu-switch", *args)
    assert (status, found["property"]) == (1 if violated else 0, violated)
    assert found["certified"] is (True if violated else None)
    assert found["not_reached"] == []


def test_the_last_step_is_a_hit_on_the_other_vcpus_entry() -> None:
    _, found = check("kvm-vcpu-switch", "--policy", "none")
    last = found["trace"][-1]
    assert last["event"] and last["args"]["vcpu"] != last["args"]["owner"]
    assert f"{last['args']['vcpu']} hits the entry" in found["violation"]["text"]


@pytest.mark.parametrize(("policy", "violated"), [("thread", "one-vmid-per-vm"), ("merged", "no-shared-vmid")])
def test_vmid_generation(policy: str, violated: str) -> None:
    status, found = check("kvm-vmid-generation", "--policy", policy)
    assert (status, found["property"], found["certified"]) == (1, violated, True)


def test_every_expectation_is_about_a_policy_and_a_property_that_exist() -> None:
    from flushproof.model.language.instantiate import instantiate
    from flushproof.search.explore import property_names

    from flushproof.checking import expected

    for case in expectations():
        instance = instantiate(case.system, case.policy, case.knobs, case.sizes)
        assert expected(case) in ("holds", *property_names(instance)), str(case)
