"""What the page of a long trace costs whoever reads it: processor time of the browser's main thread, to open it and for each step.

    python -m benchmarks.pages kvm-vmid-allocator fixed --steps 1000

The trace is a random walk.  The browser counts in ticks of its thread, not on the clock, so that other load does not matter.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from pathlib import Path
from statistics import median

from flushproof.model.ir.instance import Instance
from flushproof.model.ir.trace import Step, Trace, walked
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.walk import Walks
from playwright.sync_api import CDPSession, Page, sync_playwright

from flushproof.report.page import trace_page

PARTS = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
"""Seconds of the main thread as Chromium counts them: all, and what of it are scripts, layout and styles."""

VIEWS = {"wide": 1400, "phone": 360}


def walk(instance: Instance, steps: int, seed: int) -> Trace:
    """So many steps, each picked at random."""
    walks, pick = Walks(instance), random.Random(seed)
    start = state = walks.starts(1)[0]
    taken: list[Step] = []
    for _ in range(steps):
        taken.append(pick.choice(walks.possible(state)))
        state = taken[-1].state
    return walked(instance, start, tuple(taken))


def spent(session: CDPSession) -> dict[str, float]:
    """What the page has cost so far, in milliseconds."""
    found = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    return {name: 1000 * found[name] for name in PARTS}


def told(cost: dict[str, float]) -> str:
    return ", ".join(f"{name.removesuffix('Duration').lower()} {value:.1f}" for name, value in cost.items()) + " ms"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("system")
    asked.add_argument("policy")
    asked.add_argument("--steps", type=int, default=1000)
    asked.add_argument("--keys", type=int, default=30)
    asked.add_argument("--html", type=Path, help="keep the page here")
    args = asked.parse_args()
    instance = instantiate(load_system(args.system), args.policy)
    file = args.html or Path(tempfile.mkdtemp()) / "page.html"
    file.write_text(trace_page(walk(instance, args.steps, 1), []), encoding="utf-8")
    print(f"{args.system} {args.policy}, {args.steps:,} steps, {len(instance.slots)} locations, {file.stat().st_size / 1e6:.1f} MB")
    measure(file, args.keys)


def measure(file: Path, keys: int) -> None:
    """Opens the page in each view, and presses keys in the middle of it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for view, width in VIEWS.items():
            page = browser.new_page(viewport={"width": width, "height": 900})
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
            page.goto(file.as_uri())
            drawn(page)
            print(f"{view}, opened: {told(spent(session))}", flush=True)
            page.locator("#slider").fill("500")
            for key in ("ArrowRight", "ArrowLeft", "End"):
                each = []
                for _ in range(keys if key != "End" else 1):
                    before = spent(session)
                    page.keyboard.press(key)
                    drawn(page)
                    each.append({name: value - before[name] for name, value in spent(session).items()})
                middle = {name: median(one[name] for one in each) for name in PARTS}
                print(f"{view}, {key}: {told(middle)}; at most {max(one['TaskDuration'] for one in each):.1f}", flush=True)
        browser.close()


def drawn(page: Page) -> None:
    """Waits until what was asked for is on the screen."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


if __name__ == "__main__":
    main()
