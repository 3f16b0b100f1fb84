---------------------------- MODULE vmidalloc_view ----------------------------
\* What tells states of kernel-tla's vmidalloc.tla apart: all but locals, and parts of them, that no later step reads.
EXTENDS vmidalloc

Live(c) ==
  CASE pc[c] = "sched_loop" -> << >>
    [] pc[c] \in {"kvm_arm_vmid_update_", "slow_path", "new_vmid_", "new_vmid_allocate_free_vmid",
                  "new_vmid_out_of_vmids", "flush_context_", "new_vmid_ret_flush_context"} -> << task[c] >>
    [] pc[c] \in {"check_current_generation", "cmpxchg_active_vmids"} -> << task[c], vmid_k[c], old_active_vmid[c] >>
    [] pc[c] = "check_roll_over" -> << task[c], vmid_k[c].vmid, old_active_vmid[c] >>
    [] pc[c] = "set_active_vmids" -> << task[c], vmid_k[c] >>
    [] pc[c] = "fast_path" -> << task[c], vmid_k[c].vmid >>
    [] pc[c] \in {"new_vmid_return", "kvm_arm_vmid_update_ret_new_vmid"} -> << task[c], ret_new_vmid[c] >>
    [] pc[c] \in {"check_update_reserved_vmid_", "new_vmid_ret_from_check_update_reserved_vmid_end"} ->
         << task[c], vmid_n[c] >>
    [] pc[c] = "check_update_reserved_vmid_for_each_cpu" ->
         << task[c], vmid_n[c], cpus[c], ret_check_update_reserved_vmid[c] >>
    [] pc[c] = "new_vmid_ret_from_check_update_reserved_vmid" ->
         << task[c], vmid_n[c], ret_check_update_reserved_vmid[c] >>
    [] pc[c] = "flush_context_for_each_cpu" -> << task[c], cpus_[c] >>
    [] pc[c] = "flush_context_vmid0_check" -> << task[c], cpus_[c], vmid_[c] >>
    [] pc[c] = "set_vmid" -> << task[c], vmid_n[c].vmid >>

View == << tlb, active_kvm, cpu_vmid_lock, vmid_generation, vmid_map, active_vmids, reserved_vmids, cur_idx, kvm_context_id,
           pc, [c \in CPUS |-> Live(c)] >>

UniqueVMIDPerCPU ==
  \A t1, t2 \in tlb : (t1.task # t2.task /\ t1.cpu = t2.cpu) => t1.vmid # t2.vmid
===============================================================================
