"""How much of the tests runs: a sample of each large family by default, everything with `pytest --whole`.

The families are generated inputs by seed, and every policy or ingredient of a system once more by another way.  The whole takes
more than half an hour on two cores; the sample, a few minutes.  Each family keeps its first member and every n-th after it.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

# Hundreds of tests start a command; without files of bytecode each of them would compile all of flushproof's source.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

ONE_OF = {
    # generated inputs
    "test_interpreter_agrees_with_evaluator": 6,
    "test_native_agrees_with_interpreter": 8,
    "test_symmetry_agrees_with_interpreter": 8,
    "test_one_canonical_form_for_each_orbit": 6,
    "test_options_as_indices": 6,
    "test_large_sorts_have_one_form": 3,
    "test_counts_are_those_of_the_average_walk": 4,
    "test_keeping_an_entry_is_judged_as_a_search_from_there_judges": 4,
    "test_both_engines_agree_with_brute_force": 6,
    "test_it_is_two_searches_one_after_the_other": 8,
    "test_generated_systems": 4,
    "test_initial_states_are_made_one_of_each_class": 4,
    "test_sweeps_find_the_same": 4,
    "test_cycles_agree_with_fixpoints": 6,
    "test_whoever_waits_in_a_shipped_system_goes_on": 8,
    "test_workers_find_the_same": 6,
    "test_traces_are_those_of_one_worker": 5,
    "test_explorer_agrees_with_brute_force": 5,
    "test_hidden_steps_are_hidden": 8,
    "test_fusion_changes_no_verdict": 8,
    "test_fused_steps_are_one_step_and_hidden_ones": 8,
    "test_columns_agree_with_the_interpreter": 8,
    "test_walks_of_the_interpreter_are_certified_and_their_corruptions_are_not": 4,
    "test_the_decision_agrees_with_the_interpreter": 4,
    "test_walks_meet_only_what_exists": 4,
    "test_python_and_ir_take_the_same_steps": 2,
    "test_every_engine_reads_it_alike": 4,
    "test_what_leaves_its_range_is_undefined_elsewhere_too": 3,
    "test_resumed_search_finishes_alike": 4,
    "test_compact_search_agrees": 10,
    "test_renaming_changes_no_verdict": 20,
    "test_interpreter_agrees_on_bounded_systems": 10,
    "test_rumur_counts_the_same": 4,
    "test_spin_counts_the_same": 4,
    "test_tlc_counts_the_same": 4,
    # shipped systems, once more by another way; `flushproof check --all` gives every promised verdict
    "test_python_and_ir_take_the_same_steps_in_shipped_systems": 9,
    "test_promised_verdict": 8,
    "test_shipped_systems_elsewhere": 11,
    "test_shipped_systems_up_to_symmetry_elsewhere": 5,
    "test_what_a_table_says": 4,
    "test_each_instruction_of_the_sequence": 3,
    "test_what_each_tlbi_removes": 3,
    "test_each_rule_of_the_scheduler": 4,
    "test_at_a_limit_of_states_nothing_is_lost": 3,
    "test_hashes_collide": 3,
    "test_policies_begin_in_what_another_one_reaches": 2,
    "test_traces_of_real_systems_are_those_of_one_worker": 3,
    "test_the_laboratory_agrees_with_one_check_for_each_policy": 3,
    "test_all_states_of_a_broken_policy": 7,
    "test_an_l3_changes_no_verdict": 28,
    "test_literal_fetches_agree": 10,
    "test_literal_walks_agree": 8,
    "test_the_literal_tlb_agrees": 6,
    "test_a_literal_tlb_and_all_states_agree": 6,
    "test_symmetry_changes_no_verdict": 5,
    "test_each_ingredient_is_needed": 5,
    "test_an_ingredient_is_for_nothing_else": 5,
    "test_each_ingredient": 4,
    "test_what_makes_a_setting_interesting_is_reached": 5,
    "test_what_makes_it_interesting_is_reached": 4,
    "test_the_lemmas_are_inductive_for_three_of_each": 5,
    "test_each_lemma_is_needed": 8,
    "test_without_an_ingredient_the_induction_fails_where_it_is_missing": 4,
    "test_each_instruction_is_needed": 5,
    "test_each_step_is_needed": 5,
    "test_what_the_source_cannot_do_without": 5,
    "test_what_holds_is_proved_for_any_size": 12,
    "test_is_proved_for_any_size": 28,
    "test_proved_for_any_size": 6,
    "test_both_holds_on_larger_machines": 2,
    "test_it_is_read_from_the_disk_at_any_width": 3,
    "test_all_policies_of_a_file": 2,
    "test_what_is_broken_is_not_proved": 8,
    "test_the_answers_of_a_puzzle_are_those_that_the_teacher_expects": 5,
    "test_a_lesson_is_read_at_any_width_and_without_a_mouse": 36,
    "test_a_sample_is_judged_as_the_page_says": 3,
    "test_ctrl_c_shows_what_all_had_found": 2,
    "test_all_checks_that_are_told_to_end": 2,
    "test_an_output_that_fails": 3,
}

WHOLE_ONLY = {
    "test_every_block_of_a_long_document_does_what_it_says": ("docs",),
    "test_generated_systems_are_worth_it": ("cycles", "stuck"),
    "test_the_course_is_written_by_one_command": ("lessons",),
    "test_what_is_broken_is_not_proved_by_a_search": ("found_lemmas",),
    "test_what_rests_on_no_flush_is_proved_with_retyping_too": ("xen",),
    "test_a_method_of_the_system_means_the_same_when_it_is_typed": ("questions",),
    "test_with_hints_the_generation_allocator_needs_no_lemma": ("found_lemmas",),
    "test_found_lemmas_are_pasted_back_and_prove": ("found_lemmas",),
    "test_all_at_once_is_the_same": ("cli",),
    "test_all_with_settings": ("silence",),
    "test_the_generated_systems_say_something": ("handover",),
    "test_the_laboratory_judges_policies_from_there": ("handover",),
    "test_the_world_is_the_same_under_every_policy": ("costs",),
    "test_each_verdict_occurs": ("bounded",),
    "test_something_is_fused": ("fusion",),
    "test_fixed_is_proved_for_any_size": ("vmid_generation",),
    "test_marks_are_what_the_reference_says": ("lessons",),
    "test_a_deleted_lemma_is_suggested_again": ("search",),
    "test_lemmas_that_were_found_are_counted": ("prove",),
    "test_each_repair_has_its_cost": ("measuring",),
    "test_the_safe_policies_by_what_they_cost": ("measuring",),
    "test_models_written_by_hand_are_of_the_same_system": ("benchmarks",),
}
"""Tests that take long for what they add to others, left to `--whole` in these files."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="run every member of every family of tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--whole") or any("::" in arg for arg in config.args):
        return
    seen: Counter[tuple[str, str]] = Counter()
    kept, left = [], []
    for item in items:
        name = getattr(item, "originalname", item.name)
        family = (str(item.path), name)
        long = any(part in item.path.name for part in WHOLE_ONLY.get(name, ()))
        (left if long or seen[family] % ONE_OF.get(name, 1) else kept).append(item)
        seen[family] += 1
    config.hook.pytest_deselected(items=left)
    items[:] = kept
