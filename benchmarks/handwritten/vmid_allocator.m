-- The VMID allocator of arch/arm64/kvm/vmid.c with its rollover, as one would write it for Rumur by hand: the fixed policy of
-- kvm-vmid-allocator, step by step, and nothing that this policy does not need.  A word is a generation and a number: generation 0
-- is the word 0, else it is one more than the generation; number 0 is none.  What a step leaves dead is cleared.

const CPUS : 2;
const VMS : 2;
const VMIDS : 3;
const TOP : 12; -- generations in use at once, and one

type Cpu : 1 .. CPUS;
type Vm : 1 .. VMS;
type Number : 0 .. VMIDS;
type Vmid : 1 .. VMIDS;
type Generation : 0 .. TOP;
type Word : record generation : 0 .. TOP + 1; number : Number; end;
type Step : enum {
  load, reads_id, reads_active, gen_match, cmpxchg, takes_lock, raises, xchg, tlbi, dsb, find_bit, sets_active, writes_vttbr,
  enters, exits, puts
};

var vmid_generation : Generation;
var vmid_map : array [Vmid] of boolean;
var active_vmids : array [Cpu] of Word;
var reserved_vmids : array [Cpu] of Word;
var id : array [Vm] of Word;
var locked : boolean;
var swept : array [Cpu] of boolean;
var step : array [Cpu] of Step;
var loaded : array [Cpu] of 0 .. VMS;
var read_id : array [Cpu] of Word;
var read_active : array [Cpu] of Word;
var vttbr_vm : array [Cpu] of 0 .. VMS;
var vttbr_vmid : array [Cpu] of Number;
var tlb : array [Cpu] of array [Vmid] of array [Vm] of boolean;
var orphan : array [Cpu] of array [Vmid] of boolean;
var pending : array [Cpu] of array [Cpu] of boolean; -- whose TLBI, on which CPU

function equal(a : Word; b : Word) : boolean;
begin
  return a.generation = b.generation & a.number = b.number;
end;

procedure zero(var w : Word);
begin
  w.generation := 0;
  w.number := 0;
end;

-- What a CPU in a guest may walk, its TLB holds.
procedure walk(cpu : Cpu);
begin
  if step[cpu] = exits then tlb[cpu][vttbr_vmid[cpu]][vttbr_vm[cpu]] := true; end;
end;

-- Only the order of generations matters.
procedure renumber();
  var used : array [Generation] of boolean;
  var rank : array [Generation] of Generation;
  var next : Generation;
begin
  for g : Generation do used[g] := false; end;
  used[vmid_generation] := true;
  for c : Cpu do
    if active_vmids[c].generation != 0 then used[active_vmids[c].generation - 1] := true; end;
    if reserved_vmids[c].generation != 0 then used[reserved_vmids[c].generation - 1] := true; end;
    if read_id[c].generation != 0 then used[read_id[c].generation - 1] := true; end;
    if read_active[c].generation != 0 then used[read_active[c].generation - 1] := true; end;
  end;
  for v : Vm do if id[v].generation != 0 then used[id[v].generation - 1] := true; end; end;
  next := 0;
  rank[0] := 0;
  for g := 1 to TOP do
    if used[g] then next := next + 1; end;
    rank[g] := next;
  end;
  vmid_generation := rank[vmid_generation];
  for c : Cpu do
    if active_vmids[c].generation != 0 then active_vmids[c].generation := rank[active_vmids[c].generation - 1] + 1; end;
    if reserved_vmids[c].generation != 0 then reserved_vmids[c].generation := rank[reserved_vmids[c].generation - 1] + 1; end;
    if read_id[c].generation != 0 then read_id[c].generation := rank[read_id[c].generation - 1] + 1; end;
    if read_active[c].generation != 0 then read_active[c].generation := rank[read_active[c].generation - 1] + 1; end;
  end;
  for v : Vm do if id[v].generation != 0 then id[v].generation := rank[id[v].generation - 1] + 1; end; end;
end;

startstate
begin
  vmid_generation := 0;
  locked := false;
  for n : Vmid do vmid_map[n] := false; end;
  for v : Vm do zero(id[v]); end;
  for c : Cpu do
    zero(active_vmids[c]); zero(reserved_vmids[c]); zero(read_id[c]); zero(read_active[c]);
    swept[c] := true;
    step[c] := load;
    loaded[c] := 0; vttbr_vm[c] := 0; vttbr_vmid[c] := 0;
    for n : Vmid do
      orphan[c][n] := false;
      for v : Vm do tlb[c][n][v] := false; end;
    end;
    for t : Cpu do pending[c][t] := false; end;
  end;
end;

ruleset cpu : Cpu do
  ruleset vm : Vm do
    rule "vcpu_load" step[cpu] = load ==>
    begin
      loaded[cpu] := vm;
      step[cpu] := reads_id;
    end;
  end;

  rule "reads vmid->id" step[cpu] = reads_id ==>
  begin
    read_id[cpu] := id[loaded[cpu]];
    step[cpu] := reads_active;
  end;

  rule "reads active_vmids" step[cpu] = reads_active ==>
  begin
    if active_vmids[cpu].generation != 0 then
      read_active[cpu] := active_vmids[cpu];
      step[cpu] := gen_match;
    else
      zero(read_id[cpu]);
      step[cpu] := takes_lock;
      renumber();
    end;
  end;

  rule "vmid_gen_match" step[cpu] = gen_match ==>
  begin
    if read_id[cpu].generation = vmid_generation + 1 then
      step[cpu] := cmpxchg;
    else
      zero(read_id[cpu]); zero(read_active[cpu]);
      step[cpu] := takes_lock;
      renumber();
    end;
  end;

  rule "cmpxchg active_vmids" step[cpu] = cmpxchg ==>
    var was_zero : boolean;
  begin
    was_zero := active_vmids[cpu].generation = 0;
    if equal(active_vmids[cpu], read_active[cpu]) then active_vmids[cpu] := read_id[cpu]; end;
    zero(read_id[cpu]); zero(read_active[cpu]);
    if was_zero then step[cpu] := takes_lock; else step[cpu] := writes_vttbr; end;
    renumber();
  end;

  rule "takes cpu_vmid_lock" step[cpu] = takes_lock & !locked ==>
    var word : Word;
    var kept : boolean;
  begin
    locked := true;
    word := id[loaded[cpu]];
    if word.generation = vmid_generation + 1 then
      step[cpu] := sets_active;
    else
      kept := false;
      if word.number != 0 then
        kept := !vmid_map[word.number];
        for c : Cpu do
          if equal(reserved_vmids[c], word) then
            reserved_vmids[c].generation := vmid_generation + 1;
            kept := true;
          end;
        end;
      end;
      if kept then
        vmid_map[word.number] := true;
        id[loaded[cpu]].generation := vmid_generation + 1;
        step[cpu] := sets_active;
        renumber();
      elsif forall n : Vmid do vmid_map[n] end then
        step[cpu] := raises;
      else
        step[cpu] := find_bit;
      end;
    end;
  end;

  rule "raises vmid_generation" step[cpu] = raises ==>
    var highest : Generation;
  begin
    highest := vmid_generation;
    vmid_generation := highest + 1;
    for n : Vmid do vmid_map[n] := false; end;
    for c : Cpu do swept[c] := false; end;
    step[cpu] := xchg;
    renumber();
  end;

  ruleset c : Cpu do
    rule "xchg active_vmids" step[cpu] = xchg & !swept[c] ==>
    begin
      if active_vmids[c].generation != 0 then reserved_vmids[c] := active_vmids[c]; end;
      if reserved_vmids[c].number = 0 then
        zero(reserved_vmids[c]);
      else
        vmid_map[reserved_vmids[c].number] := true;
      end;
      zero(active_vmids[c]);
      swept[c] := true;
      if forall o : Cpu do swept[o] end then step[cpu] := tlbi; end;
      renumber();
    end;
  end;

  rule "TLBI ALLE1IS" step[cpu] = tlbi ==>
  begin
    for t : Cpu do pending[cpu][t] := true; end;
    step[cpu] := dsb;
  end;

  rule "DSB ISH" step[cpu] = dsb & forall t : Cpu do !pending[cpu][t] end ==>
  begin
    step[cpu] := find_bit;
  end;

  ruleset number : Vmid do
    rule "find_next_zero_bit" step[cpu] = find_bit & !vmid_map[number] ==>
    begin
      vmid_map[number] := true;
      id[loaded[cpu]].generation := vmid_generation + 1;
      id[loaded[cpu]].number := number;
      step[cpu] := sets_active;
      renumber();
    end;
  end;

  rule "sets active_vmids, releases the lock" step[cpu] = sets_active ==>
  begin
    active_vmids[cpu] := id[loaded[cpu]];
    locked := false;
    step[cpu] := writes_vttbr;
    renumber();
  end;

  rule "writes VTTBR" step[cpu] = writes_vttbr ==>
  begin
    vttbr_vm[cpu] := loaded[cpu];
    vttbr_vmid[cpu] := id[loaded[cpu]].number;
    step[cpu] := enters;
  end;

  rule "enters the guest" step[cpu] = enters ==>
  begin
    step[cpu] := exits;
    walk(cpu);
  end;

  ruleset stay : boolean do
    rule "exits the guest" step[cpu] = exits ==>
    begin
      if stay then step[cpu] := enters; else step[cpu] := puts; end;
    end;
  end;

  rule "vcpu_put" step[cpu] = puts ==>
  begin
    loaded[cpu] := 0; vttbr_vm[cpu] := 0; vttbr_vmid[cpu] := 0;
    active_vmids[cpu].generation := 1; active_vmids[cpu].number := 0;
    step[cpu] := load;
    renumber();
  end;

  ruleset issuer : Cpu do
    rule "a CPU performs a TLBI" pending[issuer][cpu] ==>
    begin
      pending[issuer][cpu] := false;
      for n : Vmid do
        orphan[cpu][n] := false;
        for v : Vm do tlb[cpu][n][v] := false; end;
      end;
      walk(cpu);
    end;
  end;
end;

ruleset vm : Vm do
  rule "a VM is replaced" id[vm].generation != 0 & forall c : Cpu do loaded[c] != vm end ==>
  begin
    zero(id[vm]);
    for c : Cpu do
      for n : Vmid do
        if tlb[c][n][vm] then tlb[c][n][vm] := false; orphan[c][n] := true; end;
      end;
    end;
    renumber();
  end;
end;

invariant "no-foreign-hit" forall c : Cpu do
  step[c] = exits & vttbr_vmid[c] != 0 ->
    !orphan[c][vttbr_vmid[c]] & forall v : Vm do v != vttbr_vm[c] -> !tlb[c][vttbr_vmid[c]][v] end
end;

invariant "no-shared-vmid" forall a : Cpu do forall b : Cpu do
  step[a] = exits & step[b] = exits & vttbr_vm[a] != vttbr_vm[b] -> vttbr_vmid[a] != vttbr_vmid[b]
end end;

invariant "one-vmid-per-vm" forall a : Cpu do forall b : Cpu do
  step[a] = exits & step[b] = exits & vttbr_vm[a] = vttbr_vm[b] -> vttbr_vmid[a] = vttbr_vmid[b]
end end;

invariant "vmid0-never-live" forall c : Cpu do step[c] = exits -> vttbr_vmid[c] != 0 end;

invariant "a-vmid-is-free" forall c : Cpu do step[c] = find_bit -> exists n : Vmid do !vmid_map[n] end end;
