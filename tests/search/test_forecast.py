"""What is said of the rest of a search, held against real searches: states of each level, at default sizes with symmetry."""

import re
from contextlib import closing

import pytest
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import explore
from flushproof.search.forecast import most_left
from flushproof.search.native import engine
from flushproof.search.native.engine import NativeEngine
from flushproof.search.native.library import Library
from flushproof.search.native.store import Store
from flushproof.search.task import Limits, Progress, Task

from flushproof.commands.progress import in_words

RECORDED = {
    "kvm-icache both": """
        1 1 2 2 3 3 4 5 8 14 22 26 32 41 51 62 81 108 148 176 207 251 324 392 478 592 763 947 1144 1302 1517
        1788 2011 2143 2281 2389 2361 2315 2451 2560 2536 2481 2384 2212 1992 1889 1881 1760 1574 1310 1129 951
        763 660 528 430 347 264 205 139 97 87 77 78 67 49 33 23 16 13 9 9 10 9 8 4 2 1
    """,
    "kvm-icache write-xor-execute": """
        1 1 2 2 3 5 11 21 37 55 75 100 147 218 319 422 521 616 774 1012 1309 1647 2077 2598 3255 4001 4617 5219
        5985 6803 7583 8333 8961 9297 9537 9751 9683 9145 8299 7291 6593 6208 5603 4604 3584 2861 2296 1817 1329
        891 584 405 287 178 98 43 12
    """,
    "kvm-trapped-tlbi exact": """
        1 2 4 7 17 31 55 91 139 215 310 414 546 675 770 878 1015 1113 1125 1146 1123 1045 969 948 939 990 1024
        961 900 802 677 498 382 238 152 112 80 55 41 22 7 6 2
    """,
    "kvm-vcpu-switch last-ran": """
        1 1 2 2 3 3 4 5 7 11 15 22 31 36 42 49 61 76 97 117 146 172 209 241 276 309 372 424 468 474 475 466 482
        488 498 490 488 464 437 387 347 305 266 215 174 131 94 58 32 13 5 1
    """,
    "kvm-vmid-allocator fixed": """
        1 1 3 3 5 5 7 8 8 9 12 17 20 26 31 36 40 45 50 54 60 69 82 91 108 120 136 150 160 170 193 214 240 244
        240 222 208 207 223 253 295 336 364 386 421 446 486 525 572 615 679 735 787 857 916 994 1078 1132 1215
        1273 1302 1296 1232 1188 1121 1046 964 947 926 933 891 771 684 629 606 607 592 577 593 594 602 563 535
        469 403 355 360 388 422 440 379 306 245 203 177 150 129 117 114 102 84 69 62 61 63 63 58 56 50 36 30 33
        29 22 16 9 4 1
    """,
    "kvm-vmid-generation fixed": """
        2 5 9 15 22 31 50 79 102 111 122 151 197 218 220 215 222 228 244 262 298 336 379 412 437 450 456 462 481
        522 581 651 719 776 802 813 817 819 838 882 937 997 1046 1103 1213 1337 1420 1423 1403 1378 1335 1238
        1095 950 830 724 644 589 543 510 470 426 386 353 340 347 354 369 370 370 366 359 346 327 314 323 343 363
        376 394 438 487 532 546 550 530 500 444 398 352 301 236 183 141 123 113 105 83 66 53 45 38 37 33 36 34
        37 35 36 34 31 25 27 21 23 21 24 22 24 20 17 13 12 7 7 7 7 3 3 2 2 2 2 2 2 2 2 2 2
    """,
    "xen-pv-paging all-cpus": """
        6 12 29 40 62 72 89 111 139 180 202 280 328 396 402 400 340 236 262 316 391 410 427 370 198 156 197 261
        279 304 257 110 56 75 104 111 122 100 34 2 1
    """,
    "xen-pv-paging root-everywhere": """
        6 12 29 52 95 132 175 207 280 365 504 678 905 1161 1315 1456 1569 1755 2029 2757 3346 4147 4340 4315
        3680 3076 2839 2912 3497 3730 3899 3281 2375 1704 1289 1367 1504 1683 1457 1036 669 329 220 210 235 206
        158 96 32 4
    """,
    "xen-tlbflush-clock invalidate-first": """
        1 3 7 10 16 24 36 46 62 82 109 148 207 273 357 428 525 606 748 855 876 929 985 995 838 771 607 485 353
        330 322 309 294 307 290 256 240 248 240 187 149 100 81 51 44 31 13 2
    """,
}
LEVELS = {name: [int(n) for n in text.split()] for name, text in RECORDED.items()}


def said_and_true(levels: list[int]) -> list[tuple[int, int]]:
    """At each level at which an estimate is given: what is said to be left at most, and what is."""
    told = [(most_left(levels[:n]), sum(levels[n - 1 :])) for n in range(1, len(levels) + 1)]
    return [(said, true) for said, true in told if said is not None]


def test_estimates_hold_nearly_always() -> None:
    told = [pair for levels in LEVELS.values() for pair in said_and_true(levels)]
    assert sum(said >= true for said, true in told) >= 0.95 * len(told)
    assert all(1.2 * said >= true for said, true in told)


@pytest.mark.parametrize("name", LEVELS)
def test_an_estimate_is_given_for_the_last_part_and_is_of_use(name: str) -> None:
    levels = LEVELS[name]
    told = said_and_true(levels)
    assert len(told) >= len(levels) / 8
    assert any(said < 20 * true for said, true in told)


@pytest.mark.parametrize("levels", [[], [1], [5, 4], [2**n for n in range(40)], [7] * 30, [5, 4, 3, 2]])
def test_nothing_is_said_of_what_grows(levels: list[int]) -> None:
    assert most_left(levels) is None


def test_nothing_is_said_that_nobody_can_plan_with() -> None:
    hardly = [10_000 - n for n in range(100)]
    assert most_left(hardly) is None and most_left([*hardly, *(9000 // 2**n for n in range(25))]) is not None
    for levels in LEVELS.values():
        for n in range(1, len(levels)):
            assert (most_left(levels[:n]) or 0) <= sum(levels[:n])


def test_seconds_left() -> None:
    levels = tuple([1000] * 10 + [500] * 4 + [100])
    told = Progress(sum(levels), 0, 14, 40, 6.0, 0, levels)
    low, high = told.seconds_left or (0, 0)
    assert low == pytest.approx(6.0 * 40 / (sum(levels) - 40))
    assert low < high < 1
    assert Progress(100, 0, 1, 90, 1.0, 0, (10, 90)).seconds_left is None


def test_what_a_checkpoint_brought_took_no_time() -> None:
    levels = tuple([1000] * 10 + [500] * 4 + [100])
    fresh = Progress(12_100, 0, 14, 40, 6.0, 0, levels)
    resumed = Progress(12_100, 0, 14, 40, 6.0, 0, levels, restored=(6_070, 6_030))
    assert resumed.rate == pytest.approx(6_030 / 6)
    assert [2 * t for t in fresh.seconds_left or ()] == pytest.approx(resumed.seconds_left)


def test_in_words() -> None:
    growing = Progress(1_204_330, 0, 31, 20_114, 2.0, 310 << 20, (10, 90))
    assert in_words(growing) == ("1,204,330 states, 0.60 M/s, depth 31, 20,114 waiting, 310 MiB, 2 s, no end in sight")
    shrinking = Progress(10_300_000, 0, 13, 200_000, 10.0, 0, tuple([10**6] * 10 + [10**5] * 3))
    assert in_words(shrinking).endswith(", 10 s, 0 to 0 s more if it shrinks on")


def test_in_words_while_initial_states_are_made() -> None:
    beginning = Progress(12, 0, 0, 12, 2.0, 310 << 20, beginning="3 of 14 free values chosen")
    assert in_words(beginning) == "initial states: 12, 3 of 14 free values chosen, 310 MiB, 2 s"


@pytest.mark.parametrize("symmetry", [False, True])
def test_progress_while_initial_states_are_made(symmetry: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It moves on from the first to the last choice, and a limit that stops it says how far it was."""
    monkeypatch.setattr(engine, "_INTERVAL", 0.0)
    sizes = {"vcpu": "5", "vm": "3", "page": "3"}
    inst = instantiate(load_system("kvm-vcpu-switch"), "both", {}, sizes)
    told: list[Progress] = []
    stopped = explore(inst, engine=NativeEngine(), progress=told.append, symmetry=symmetry, limits=Limits(depth=0))
    said = [p.beginning for p in told if p.beginning is not None]
    parts = [tuple(int(n) for n in re.findall(r"\d+", text.replace(",", ""))) for text in said]
    assert len(set(parts)) > 3 and parts == sorted(parts) and parts[0][0] == 0
    whole = parts[0][1]
    assert all(done < total == whole for done, total, *_ in parts)
    assert said[0] in in_words(told[0]) and stopped.states > 0
    early = explore(inst, engine=NativeEngine(), symmetry=symmetry, limits=Limits(seconds=1e-9))
    assert re.search(r"seconds while initial states were made \(\S+ of \S+ (choices|free values)", early.reason or "")


def test_code_that_initial_states_need_is_not_exploring() -> None:
    inst = instantiate(load_system("kvm-vcpu-switch"), "both", {}, {"vcpu": "5", "vm": "3", "page": "3"})
    task = Task(inst, (), deadlock=False, limits=Limits(depth=0))
    with closing(Store(Library(inst, (), symmetry=True), None)) as store:
        search = engine.Search(task, store)
        found = search.run()
        assert 0 < store.compile_seconds < found.compile_seconds
        assert found.compile_seconds == search.compile_seconds + store.compile_seconds
        assert search._seconds(search.began + 10) == pytest.approx(10 - store.compile_seconds)


def test_levels_of_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_INTERVAL", 0.0)
    inst = instantiate(load_system("kvm-vcpu-switch"), "last-ran")
    told: list[Progress] = []
    explore(inst, engine=NativeEngine(), progress=told.append)
    assert list(told[-1].levels) == LEVELS["kvm-vcpu-switch last-ran"]
    assert told[0].seconds_left is None and any(p.seconds_left for p in told)
