---------------------------- MODULE asidalloc_view ----------------------------
\* What tells states of kernel-tla's asidalloc.tla apart: all but locals, and parts of them, that no later step reads.
EXTENDS asidalloc

Live(c) ==
  CASE pc[c] = "sched_loop" -> << >>
    [] pc[c] \in {"check_and_switch_context_", "slow_path", "new_context_", "new_context_allocate_free_asid",
                  "new_context_out_of_asids", "flush_context_", "new_context_ret_flush_context"} -> << task_c[c] >>
    [] pc[c] \in {"check_current_generation", "cmpxchg_active_asids"} -> << task_c[c], asid_c[c], old_active_asid[c] >>
    [] pc[c] = "check_roll_over" -> << task_c[c], asid_c[c].asid, old_active_asid[c] >>
    [] pc[c] \in {"tlb_flush_pending_", "set_active_asids"} -> << task_c[c], asid_c[c] >>
    [] pc[c] = "fast_path" -> << task_c[c], asid_c[c].asid >>
    [] pc[c] \in {"new_context_return", "check_and_switch_context_ret_new_context"} -> << task_c[c], ret_new_context[c] >>
    [] pc[c] \in {"check_update_reserved_asid_", "new_context_ret_from_check_update_reserved_asid_end"} ->
         << task_c[c], asid_n[c] >>
    [] pc[c] = "check_update_reserved_asid_for_each_cpu" ->
         << task_c[c], asid_n[c], cpus[c], ret_check_update_reserved_asid[c] >>
    [] pc[c] = "new_context_ret_from_check_update_reserved_asid" ->
         << task_c[c], asid_n[c], ret_check_update_reserved_asid[c] >>
    [] pc[c] = "flush_context_for_each_cpu" -> << task_c[c], cpus_[c] >>
    [] pc[c] = "flush_context_asid0_check" -> << task_c[c], cpus_[c], asid_[c] >>
    [] pc[c] = "set_asid" -> << task_c[c], asid_n[c].asid >>

Unmapping ==
  CASE pc[TTU] = "ttu_" -> << >>
    [] pc[TTU] \in {"pte_clear", "read_asid", "after_tlbi"} -> << task[TTU] >>
    [] pc[TTU] = "tlbi" -> << task[TTU], asid_t[TTU] >>

View == << tlb, pte, active_mm, cpu_asid_lock, asid_generation, asid_map, active_asids, reserved_asids, tlb_flush_pending,
           cur_idx, mm_context_id, pc, [c \in CPUS |-> Live(c)], Unmapping >>
===============================================================================
