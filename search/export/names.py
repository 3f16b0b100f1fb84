"""Names in exported models: one for each thing, that no other thing has, and that no language and no exporter keeps for itself.

Names that differ in a system may be one as identifiers ("flush (TLB)" and "flush [TLB]", a part's `entry` beside `tlb_entry`);
a model in which they were one would be another system's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from flushproof.model.ir import EnumSort
from flushproof.model.ir.instance import Instance


class ExportError(Exception):
    """A model that was written does not declare what its instance has: a bug in flushproof."""


@dataclass(frozen=True)
class Names:
    """What the parts of an instance are called in another language, all of them different.

    model: the model itself, and its file; variables, sorts, properties: by their own names; members: by sort and name.
    """

    model: str
    variables: Mapping[str, str]
    sorts: Mapping[str, str]
    members: Mapping[tuple[EnumSort, str], str]
    properties: Mapping[str, str]

    @property
    def taken(self) -> frozenset[str]:
        """Names that nothing else may have."""
        return frozenset((self.model, *self.variables.values(), *self.sorts.values(), *self.members.values()))


def names_of(instance: Instance, enumerations: Sequence[EnumSort], properties: Sequence[str]) -> Names:
    """Names for an instance with these enumerations and properties."""
    system = instance.system
    members = [(enum, name) for enum in enumerations for name in enum.members]
    parts = [
        system.name,
        *(v.name for v in system.variables),
        *(s.name for s in system.sorts),
        *(f"{enum.name}_{name}" for enum, name in members),
    ]
    names = iter(distinct(map(identifier, parts)))

    def some(keys: Iterable[str]) -> dict[str, str]:
        return dict(zip(keys, names))  # noqa: B905 - the rest of the names is for others

    return Names(
        next(names),
        some([v.name for v in system.variables]),
        some([s.name for s in system.sorts]),
        dict(zip(members, names, strict=True)),
        dict(zip(properties, distinct(map(identifier, properties)), strict=True)),
    )


def identifier(name: str) -> str:
    """A name that any of the languages takes, and that no exporter makes."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    if not plain or plain[0].isdigit():
        plain = f"n{plain}"
    if _MADE.fullmatch(plain):
        return f"its_{plain}"
    # What is in capitals alone may be a macro of C's.
    return f"{plain}_" if plain.lower() in _RESERVED or plain.isupper() else plain


def distinct(names: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """The names, numbered where they are equal to one before them, or to one that is `taken`."""
    known = set(taken)
    result = []
    for name in names:
        unique, count = name, 2
        while unique in known:
            unique = f"{name}_{count}"
            count += 1
        known.add(unique)
        result.append(unique)
    return result


def quoted(text: str) -> str:
    """A text that may stand between double quotes, and in a comment, in each of the languages."""
    return re.sub(r"[^ -~]", " ", text).replace('"', "'").replace("\\", "/").replace("*/", "* /").replace("*)", "* )")


def declared(text: str, wanted: Mapping[str, tuple[str, int]]) -> str:
    """The text of a model, once what it declares was counted.

    wanted: kind of things -> what finds the name of each in the text (one group), and how many there must be.

    Raises:
        ExportError: there are more or fewer, or two of one name.
    """
    for kind, (pattern, count) in wanted.items():
        found = re.findall(pattern, text, re.MULTILINE)
        if len(found) != count:
            raise ExportError(f"the instance has {count} {kind}, and the model that was written {len(found)}")
        twice = [name for name, times in Counter(found).items() if times > 1]
        if twice:
            raise ExportError(f"the model that was written has one name for two {kind}: {twice[0]}")
    return text


# What the exporters make: prefixes of a part's name, numbered names, and names of their own.
_MADE = re.compile(
    r"(old|nth|passed|highest|rename|wrong|reached|may|do|reach|start|default|rank|new|used|property)_.*"
    r"|(holds|value|at|arg|i)_?\d+"
    r"|all|any|the|holds|code|start|steps|is_final|used|rank|next|highest|i|v|below_zero|vars|init|begin|spec|option|held"
    r"|all_used|highest_used|each_used|ranked|index|its_.*",
    re.IGNORECASE,
)

# Murphi, Promela, C with SPIN's own macros, and TLA+ keep these for themselves.
_WORDS = """
    alias array assert assume assumption begin boolean bool by case clear const cover do else elsif end endalias endexists
    endfor endforall endfunction endif endprocedure endrecord endrule endruleset endstartstate endswitch endwhile enum error
    exists false for forall from function if in interface invariant ismember isundefined liveness multiset multisetadd
    multisetcount multisetremove of procedure process program property put record return rule ruleset scalarset startstate
    switch then to traceuntil true type undefine union var while with
    active atomic always bit break byte c_code c_decl c_expr c_state c_track chan d_step d_proctype empty enabled eval
    eventually fi full get_priority goto hidden implies init inline int len local ltl mtype nempty never nfull notrace np_ od
    pc_value pid printf printm priority proctype provided release run select set_priority short show skip timeout trace
    typedef unless unsigned until weakuntil xr xs
    auto char continue default double extern float inline long main memcpy now register restrict signed sizeof static
    struct typeof void volatile asm null errno eof stdin stdout stderr
    addproc air0 air1 cas final g_int g_long getframe grab_state ifnotblocked max mix offsetof pansource pclaim pptr psteps
    q_sz qptr rand rot spinversion stacksize targetq_full targetq_notfull uchar uint ulong unblock ushort wasnew wrap
    action assumption axiom cardinality choose constant constants corollary def define defs div domain enabled except extends
    finitesets have hide instance int integers isfiniteset lambda lemma let module nat naturals new obvious omitted only
    other pick proof proposition prove qed recursive sany state string subset suffices take temporal theorem tlc unchanged
    use variable variables witness
    step
"""
_RESERVED = frozenset(_WORDS.split())
