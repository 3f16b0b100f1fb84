"""The pages of results, in a browser: by keyboard and by mouse, narrow and dark, alone with a screen reader, and printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from flushproof.model.ir.trace import Trace
from flushproof.model.language.load import load_system
from playwright.sync_api import Browser, expect

from flushproof.checking import check
from flushproof.proving import ProofRequest
from flushproof.proving import run as prove
from flushproof.report.locations import location
from flushproof.report.page import breakable, check_page, proof_page
from flushproof.report.words import Story

from .browser import Opened

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def trace() -> Trace:
    """A trace with an entry that two invalidations miss."""
    found = check("kvm-vcpu-switch", "last-ran", knobs={"fb": "off"}, audit=None).trace
    assert found is not None
    return found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of a trace, of what holds, and of a proof."""
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "trace": check_page(check("kvm-vcpu-switch", "last-ran", knobs={"fb": "off"}, audit=None)),
        "holds": check_page(check("kvm-vcpu-switch", "last-ran")),
        "waits": check_page(check(f"{HERE.parent / 'search' / 'waiting.py'}:TlbFlush", "as-filed", audit=None)),
        "long": check_page(check(f"{HERE / 'long.py'}:Count", sizes={"cpu": 1}, audit=None)),
    }
    proof = prove(ProofRequest(load_system(f"{HERE / 'small.py'}:Switch"), policy="always", audit=None))
    made["proof"] = proof_page(proof)
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


def shown(trace: Trace, number: int) -> dict[str, str]:
    """The state after so many steps, as it must be shown."""
    story = Story(trace)
    instance = trace.instance
    return {
        location(instance, slot): instance.show(slot.sort, code).replace("{", "").replace("}", "")
        for slot, code in zip(instance.slots, story.states[number], strict=True)
    }


def test_the_verdict_is_a_sentence_on_top_and_nothing_else_is_loaded(
    browser: Browser,
    pages: dict[str, Path],
    trace: Trace,
) -> None:
    opened = Opened(browser, pages["trace"])
    assert Story(trace).sentence in opened.text("h1")
    assert opened.page.evaluate("scrollY") == 0
    assert opened.asked == [pages["trace"].as_uri()]
    assert opened.said == []


def test_every_state_is_shown_forwards_and_backwards_by_keys(
    browser: Browser,
    pages: dict[str, Path],
    trace: Trace,
) -> None:
    opened = Opened(browser, pages["trace"])
    opened.page.locator("#state summary").click()
    opened.press("Home")
    assert opened.text("#when").strip() == "at the start"
    count = len(trace.steps)
    for number in range(1, count + 1):
        opened.press("ArrowRight")
        assert opened.state() == shown(trace, number)
        assert opened.page.locator("tr.now").get_attribute("data-step") == str(number)
    for number in range(count - 1, -1, -1):
        opened.press("ArrowLeft")
        assert opened.state() == shown(trace, number)
    opened.press("End")
    assert opened.state() == shown(trace, count)


def test_mouse_buttons_and_slider_go_to_steps(browser: Browser, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["trace"])
    opened.page.locator("tr[data-step='12'] td.acts").click()
    assert opened.text("#when") == "after step 12 of 28"
    opened.page.get_by_role("button", name="back", exact=False).first.click()
    assert opened.text("#when") == "after step 11 of 28"
    opened.page.get_by_role("button", name="end").click()
    expect(opened.page.locator("#forth")).to_be_disabled()
    opened.page.locator("#slider").fill("5")
    assert opened.text("#when") == "after step 5 of 28"
    opened.page.locator(".story a").first.click()
    assert opened.text("#when") == "after step 8 of 28"
    assert opened.page.url.endswith("#step-8")


def test_a_link_leads_to_a_step(browser: Browser, pages: dict[str, Path]) -> None:
    assert Opened(browser, pages["trace"], at="#step-5").text("#when") == "after step 5 of 28"


def test_the_machine_shows_who_runs_where_what_is_cached_and_what_is_pending(
    browser: Browser,
    pages: dict[str, Path],
) -> None:
    opened = Opened(browser, pages["trace"], at="#step-14")
    cpu0, cpu1 = opened.texts(".card")[:2]
    assert "vm0 → page0, by vcpu0" in cpu0 and "loaded\nNone" in cpu0
    assert "loaded\nvcpu0" in cpu1 and "TLB\nempty" in cpu1 and "TLBI to be performed\nvm0 from cpu1" in cpu1
    assert "acting" in (opened.page.locator(".card").nth(1).get_attribute("class") or "")
    assert opened.texts(".card .hot") == ["vm0 → page0, by vcpu0"]
    opened.press("ArrowLeft")
    assert "to be performed" not in opened.texts(".card")[1]
    new = Opened(browser, pages["trace"], at="#step-8").page.locator(".card .hot.changed")
    assert "(new)" in (new.text_content() or "")


def test_what_else_could_have_happened_is_told(
    browser: Browser,
    pages: dict[str, Path],
    trace: Trace,
) -> None:
    opened = Opened(browser, pages["trace"], at="#step-8")
    opened.page.locator("#others summary").click()
    story = Story(trace)
    told = [f"{story.actor(8, s).name}: {story.words(s, story.states[8])}" for s in story.enabled[8]]
    assert all(text.startswith(plain) for text, plain in zip(opened.texts("#others li"), told, strict=True))
    assert len(set(opened.texts("#others li"))) == len(told), "each is told apart from the others"
    assert len(opened.texts("#others li")) > 1


def test_the_state_is_filtered_by_name(browser: Browser, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["trace"])
    opened.press("/")
    opened.page.keyboard.type("VTTBR")
    assert opened.state() == {"vttbr[cpu0]": "vm0", "vttbr[cpu1]": "None"}
    opened.press("Home")
    assert opened.text("#when") == "after step 28 of 28", "keys in the field are the field's"


def test_the_story_is_drawn_as_arrows(browser: Browser, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["trace"])
    opened.page.wait_for_selector(".arrows .head")
    assert opened.page.locator(".arrows path.missed").count() == 2
    row = opened.page.locator("tr[data-step='28']").bounding_box()
    head = opened.page.locator(".arrows .head").bounding_box()
    assert row is not None and head is not None
    assert row["y"] <= head["y"] + head["height"] <= row["y"] + row["height"]
    lane = opened.page.locator(".steps thead th[data-lane='0']").bounding_box()
    assert lane is not None and lane["x"] <= head["x"] <= lane["x"] + lane["width"]


@pytest.mark.parametrize("width", [360, 768])
def test_where_the_machine_stands_above_the_steps_its_buttons_stay_in_sight(
    browser: Browser, pages: dict[str, Path], width: int
) -> None:
    opened = Opened(browser, pages["trace"], width)
    opened.page.locator("#back").scroll_into_view_if_needed()
    before = opened.page.evaluate("scrollY")
    for _ in range(3):
        opened.page.locator("#back").click()
    opened.press("ArrowLeft")
    assert opened.text("#when") == "after step 24 of 28"
    assert opened.page.evaluate("scrollY") == before
    opened.page.locator(".story a").first.click()
    expect(opened.page.locator("tr.now")).to_be_in_viewport()


def test_who_waits_is_told_where_they_stand(browser: Browser, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["waits"])
    opened.press("Home")
    assert opened.page.locator(".card .wait").count() == 0
    opened.press("End")
    assert "next in tlb_flush\nwaits for every ack\nwaits\nuntil not missing[cpu0, cpu1]" in opened.texts(".card")[0]
    expect(opened.page.locator("#others")).to_be_hidden()
    opened.press("ArrowLeft")
    expect(opened.page.locator("#others")).to_be_visible()


def test_what_made_a_step_possible_is_told_beside_the_machine_and_on_paper(browser: Browser, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["waits"])
    opened.page.locator("tr[data-step]:has-text('sends the IPI') td.acts").first.click()
    assert opened.text("#why") == "Possible since has_idt[cpu0] = True; flushing = None."
    made = opened.page.locator("tr.now .possible")
    expect(made).to_be_hidden()
    opened.page.emulate_media(media="print")
    expect(made).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("name", ["trace", "holds", "proof"])
def test_no_barrier_and_no_overflow(
    browser: Browser,
    pages: dict[str, Path],
    name: str,
    width: int,
    scheme: str,
) -> None:
    opened = Opened(browser, pages[name], width, scheme)
    if name == "trace":
        opened.press("ArrowLeft")
        opened.page.locator("#state summary").click()
        opened.page.locator("#others summary").click()
    assert opened.violations() == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_prints_its_steps_and_not_its_buttons_in_dark_ink(browser: Browser, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["trace"], scheme="dark")
    opened.page.emulate_media(media="print")
    expect(opened.page.locator(".controls")).to_be_hidden()
    expect(opened.page.locator("tr[data-step='28']")).to_be_visible()
    assert opened.page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
    assert opened.page.pdf()[:5] == b"%PDF-"


def test_the_steps_can_be_read_without_scripts(browser: Browser, pages: dict[str, Path]) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(pages["trace"].as_uri())
    assert page.locator("tr[data-step]").count() == 28
    expect(page.locator(".story")).to_contain_text("removes what is in the TLB of cpu1")
    expect(page.locator(".machine")).to_be_hidden()


def test_a_thousand_steps_and_words_that_look_like_tags(browser: Browser, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["long"])
    assert opened.text("#when") == "after step 1000 of 1000"
    assert "<i>1000</i>" in opened.text("h1")
    assert "</script><b>cpu0</b> counts & goes on" in opened.text("tr[data-step='7']")
    opened.press("Home", "ArrowRight", "ArrowRight")
    opened.page.locator("#state summary").click()
    assert opened.state()["count"] == "2"
    assert opened.said == []


def test_what_holds_says_what_was_explored_and_assumed(browser: Browser, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["holds"])
    assert opened.text("h1").startswith("HOLDS at vcpu=2 vm=1 cpu=2 page=2: no-foreign-hit")
    facts = opened.text(".facts")
    assert "Every reachable state was explored" in facts and "HCR_EL2.FB" in facts and "Audited\n" in facts
    assert ["an-entry-survives-a-switch", "reached"] in [row.split("\t")[:2] for row in opened.texts("tbody tr")]


def test_what_is_proved_shows_its_lemmas_and_their_graph(browser: Browser, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["proof"])
    assert opened.text("h1").startswith("PROVED for any size: no-foreign-hit")
    assert opened.page.locator("svg:visible text", has_text="no-foreign-hit").count() == 1
    narrow = Opened(browser, pages["proof"], 360)
    drawn = narrow.page.locator("section[aria-labelledby=graph] svg:visible")
    assert drawn.evaluate("s => s.getBoundingClientRect().right") <= 360
    drawn.locator(".part").first.click()
    assert drawn.evaluate("s => s.classList.contains('asked')")


def test_only_long_names_break_within() -> None:
    assert str(breakable("need_new_vmid_gen reads vttbr.vmid[cpu0]")) == "need_new_vmid_gen reads vttbr.<wbr>vmid[<wbr>cpu0]"
    assert str(breakable("kvm_arm_vmid_update_ret_new_vmid")) == "<wbr>".join(
        ["kvm_", "arm_", "vmid_", "update_", "ret_", "new_", "vmid"]
    )
