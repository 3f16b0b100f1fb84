/* The VMID allocator of arch/arm64/kvm/vmid.c with its rollover, as one would write it for SPIN by hand: the fixed policy of
   kvm-vmid-allocator, a process for each CPU, and nothing that this policy does not need.  A word is a generation and a number, in one
   byte as the kernel has them in one word; generation 0 is the word 0, else it is one more than the generation.  Sets are bits of a
   byte, and what a step leaves dead is cleared.  For two or three CPUs, two VMs, and two to four VMIDs. */

#ifndef CPUS
#define CPUS 2
#endif
#ifndef VMIDS
#define VMIDS 3
#endif
#define VMS 2
#define ALL ((1 << CPUS) - 1)
#define FULL ((1 << VMIDS) - 1)

#define G(w) ((w) >> 3)
#define N(w) ((w) & 7)
#define W(g, n) ((g) << 3 | (n))
#define BIT(n) (1 << ((n) - 1))
#define ENTRY(n, v) (1 << (((n) - 1) * VMS + (v) - 1))

byte vmid_generation;
byte vmid_map;                /* VMIDs */
byte active_vmids[CPUS];
byte reserved_vmids[CPUS];
byte id[VMS + 1];
bit locked;
byte swept = ALL;             /* CPUs */
byte in_guest;                /* CPUs */
byte loaded[CPUS];
byte read_id[CPUS];
byte read_active[CPUS];
byte vttbr_vm[CPUS];
byte vttbr_vmid[CPUS];
byte tlb[CPUS];               /* numbers and VMs */
byte orphan[CPUS];            /* numbers */
byte tlbi[CPUS];              /* CPUs that have to perform it, by issuer */

c_code {
  static int ranked(const unsigned char *rank, int word) { return word ? (rank[(word >> 3) - 1] + 1) << 3 | (word & 7) : 0; }

  static int noted(int word) { return word ? 1 << ((word >> 3) - 1) : 0; }

  /* Only the order of generations matters: they are renumbered where one between others is gone. */
  static void renumber(void) {
    unsigned char rank[32];
    int c, g, next = 0, used = 1 | 1 << now.vmid_generation | noted(now.id[1]) | noted(now.id[2]);
    for (c = 0; c < CPUS; c++)
      used |= noted(now.active_vmids[c]) | noted(now.reserved_vmids[c]) | noted(now.read_id[c]) | noted(now.read_active[c]);
    if (!(used & (used + 1))) return;
    for (g = 0; used >> g; g++) { rank[g] = next; next += used >> g & 1; }
    now.vmid_generation = rank[now.vmid_generation];
    now.id[1] = ranked(rank, now.id[1]);
    now.id[2] = ranked(rank, now.id[2]);
    for (c = 0; c < CPUS; c++) {
      now.active_vmids[c] = ranked(rank, now.active_vmids[c]);
      now.reserved_vmids[c] = ranked(rank, now.reserved_vmids[c]);
      now.read_id[c] = ranked(rank, now.read_id[c]);
      now.read_active[c] = ranked(rank, now.read_active[c]);
    }
  }

  /* The VM keeps its number in the new generation, and every reserved copy of it is brought up to date. */
  static void keeps(int vm) {
    int c, old = now.id[vm], word = (now.vmid_generation + 1) << 3 | (old & 7);
    for (c = 0; c < CPUS; c++) if (now.reserved_vmids[c] == old) now.reserved_vmids[c] = word;
    now.vmid_map |= 1 << ((old & 7) - 1);
    now.id[vm] = word;
  }

  /* What a VM that is gone left in the TLBs is nobody's. */
  static void replaced(int vm) {
    int c, n;
    now.id[vm] = 0;
    for (c = 0; c < CPUS; c++)
      for (n = 0; n < VMIDS; n++)
        if (now.tlb[c] >> (n * VMS + vm - 1) & 1) {
          now.tlb[c] &= ~(1 << (n * VMS + vm - 1));
          now.orphan[c] |= 1 << n;
        }
  }

  /* No foreign hit, no orphan hit, no shared VMID, one VMID for each VM, none without. */
  static int right(void) {
    int a, b;
    for (a = 0; a < CPUS; a++) {
      if (!(now.in_guest >> a & 1)) continue;
      if (!now.vttbr_vmid[a]) return 0;
      if (now.orphan[a] >> (now.vttbr_vmid[a] - 1) & 1) return 0;
      if (now.tlb[a] >> ((now.vttbr_vmid[a] - 1) * VMS + 2 - now.vttbr_vm[a]) & 1) return 0;
      for (b = 0; b < a; b++)
        if (now.in_guest >> b & 1 && (now.vttbr_vm[a] == now.vttbr_vm[b]) != (now.vttbr_vmid[a] == now.vttbr_vmid[b])) return 0;
    }
    return 1;
  }
}

/* What a CPU in a guest may walk, its TLB holds. */
inline walk(c) {
  if
  :: in_guest >> c & 1 -> tlb[c] = tlb[c] | ENTRY(vttbr_vmid[c], vttbr_vm[c])
  :: else
  fi
}

#define MINE id[loaded[_pid]]
#define CURRENT (G(MINE) == vmid_generation + 1)
#if CPUS > 2
#define RESERVED (reserved_vmids[0] == MINE || reserved_vmids[1] == MINE || reserved_vmids[2] == MINE)
#else
#define RESERVED (reserved_vmids[0] == MINE || reserved_vmids[1] == MINE)
#endif
#define KEPT (N(MINE) != 0 && (RESERVED || (vmid_map & BIT(N(MINE))) == 0))

inline sweep(c) {
  if
  :: active_vmids[c] != 0 -> reserved_vmids[c] = active_vmids[c]
  :: else
  fi;
  if
  :: N(reserved_vmids[c]) == 0 -> reserved_vmids[c] = 0
  :: else -> vmid_map = vmid_map | BIT(N(reserved_vmids[c]))
  fi;
  active_vmids[c] = 0;
  swept = swept | 1 << c;
  c_code { renumber(); }
}

#define SWEEPS(c) \
  :: d_step { !(swept >> c & 1) && (swept | 1 << c) != ALL -> sweep(c) }; goto xchg \
  :: d_step { !(swept >> c & 1) && (swept | 1 << c) == ALL -> sweep(c) }; goto flush

#define TAKES(n) \
  :: d_step { (vmid_map & BIT(n)) == 0 -> vmid_map = vmid_map | BIT(n); MINE = W(vmid_generation + 1, n); c_code { renumber(); } }

active [CPUS] proctype cpu() {
load:
  if
  :: loaded[_pid] = 1
  :: loaded[_pid] = 2
  fi;
reads_id:
  read_id[_pid] = MINE;
  if /* active_vmids */
  :: d_step { active_vmids[_pid] != 0 -> read_active[_pid] = active_vmids[_pid] }
  :: d_step { active_vmids[_pid] == 0 -> read_id[_pid] = 0; c_code { renumber(); } }; goto takes_lock
  fi;
  if /* vmid_gen_match */
  :: G(read_id[_pid]) == vmid_generation + 1
  :: d_step {
      G(read_id[_pid]) != vmid_generation + 1 -> read_id[_pid] = 0; read_active[_pid] = 0; c_code { renumber(); }
    };
    goto takes_lock
  fi;
  if /* cmpxchg */
  :: d_step { active_vmids[_pid] == 0 -> read_id[_pid] = 0; read_active[_pid] = 0; c_code { renumber(); } }; goto takes_lock
  :: d_step {
      active_vmids[_pid] != 0 ->
      if
      :: active_vmids[_pid] == read_active[_pid] -> active_vmids[_pid] = read_id[_pid]
      :: else
      fi;
      read_id[_pid] = 0; read_active[_pid] = 0; c_code { renumber(); }
    };
    goto writes_vttbr
  fi;
takes_lock:
  if
  :: d_step { !locked && CURRENT -> locked = 1 }; goto sets_active
  :: d_step {
      !locked && !CURRENT && KEPT ->
      locked = 1;
      c_code { keeps(now.loaded[((P0 *)_this)->_pid]); renumber(); }
    };
    goto sets_active
  :: d_step { !locked && !CURRENT && !KEPT && vmid_map == FULL -> locked = 1 }
  :: d_step { !locked && !CURRENT && !KEPT && vmid_map != FULL -> locked = 1 }; goto find_bit
  fi;
  d_step { vmid_generation++; vmid_map = 0; swept = 0; c_code { renumber(); } };
xchg:
  if
  SWEEPS(0)
  SWEEPS(1)
#if CPUS > 2
  SWEEPS(2)
#endif
  fi;
flush:
  tlbi[_pid] = ALL;
  d_step { tlbi[_pid] == 0 -> assert(vmid_map != FULL) };
find_bit:
  if
  TAKES(1)
  TAKES(2)
#if VMIDS > 2
  TAKES(3)
#endif
#if VMIDS > 3
  TAKES(4)
#endif
  fi;
sets_active:
  if :: d_step { active_vmids[_pid] = MINE; locked = 0; c_code { renumber(); } } fi;
writes_vttbr:
  if :: d_step { vttbr_vm[_pid] = loaded[_pid]; vttbr_vmid[_pid] = N(MINE) } fi;
enters:
  if :: d_step { in_guest = in_guest | 1 << _pid; walk(_pid); c_code [right()] { ; } } fi;
  if
  :: d_step { in_guest = in_guest & ~(1 << _pid) }; goto enters
  :: d_step { in_guest = in_guest & ~(1 << _pid) }
  fi;
  d_step {
    loaded[_pid] = 0; vttbr_vm[_pid] = 0; vttbr_vmid[_pid] = 0; active_vmids[_pid] = W(1, 0); c_code { renumber(); }
  };
  goto load
}

#define PERFORMS(issuer) \
  :: d_step { \
      tlbi[issuer] >> (_pid - CPUS) & 1 -> \
      tlbi[issuer] = tlbi[issuer] & ~(1 << (_pid - CPUS)); \
      tlb[_pid - CPUS] = 0; orphan[_pid - CPUS] = 0; walk((_pid - CPUS)); c_code [right()] { ; } \
    }

active [CPUS] proctype mmu() {
  do
  PERFORMS(0)
  PERFORMS(1)
#if CPUS > 2
  PERFORMS(2)
#endif
  od
}

#if CPUS > 2
#define NOWHERE(v) (loaded[0] != v && loaded[1] != v && loaded[2] != v)
#else
#define NOWHERE(v) (loaded[0] != v && loaded[1] != v)
#endif
#define REPLACED(v) \
  :: d_step { \
      id[v] != 0 && NOWHERE(v) -> \
      c_code { replaced(v); renumber(); }; \
      c_code [right()] { ; } \
    }

active proctype host() {
  do
  REPLACED(1)
  REPLACED(2)
  od
}
