"""What the page shows is what the run is; and what one can do with it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from exchange.runs import eventful_counterexample
from helpers import ROOT

from pages.conftest import Opened
from pages.runs import NETWORKS, counterexample, eventful, reconfigured, searched, simulated
from pmmc_check.protocol.values import host_of
from pmmc_check.report.page.sheets import lines_sheet, run_sheet, search_sheet, trace_sheet
from pmmc_check.report.runs.of_trace import run_of_trace
from pmmc_check.report.runs.run import EventKind, EventMark, Fate, Run
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import judge

Open = Callable[..., Opened]
TALL = {"viewport": {"width": 1600, "height": 2600}}
"""High enough that all events of a short run are in sight."""


def _shows(opened: Opened, run: Run) -> None:
    """Each event is a line and a mark, each delivery an arrow, each loss a cross, each message that never arrives an open end."""
    events = opened.texts(".event .label")
    assert events == [each.label for each in run.events]
    received = [each for each in run.messages if each.received_at]
    assert opened.count("g.arrow.received") == len(received)
    assert opened.count("g.arrow.again") == sum(len(each.received_at) - 1 for each in received)
    assert opened.count("g.arrow.lost .cross") == sum(each.fate is Fate.DROPPED for each in run.messages)
    assert opened.count("g.arrow.pending .open") == sum(each.fate is Fate.PENDING for each in run.messages)
    assert opened.count("g.arrow.unrecorded") == sum(each.fate is Fate.UNRECORDED for each in run.messages)
    assert opened.count("path.crash") == sum(each.kind is EventKind.CRASH for each in run.events)
    assert opened.count("path.restart") == sum(each.kind is EventKind.RESTART for each in run.events)
    for mark in (EventMark.FAILING, EventMark.DECISION, EventMark.DEVIATION, EventMark.RECONFIGURATION):
        assert opened.count(f".event .badge.{mark}") == sum(mark in each.marks for each in run.events)
    assert opened.count(".event.past") == sum(EventMark.PAST in each.marks for each in run.events)
    assert opened.count(".event.inferred") == sum(each.inferred for each in run.events)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_counterexample_is_shown_as_it_is(opened: Open, network: str) -> None:
    run = counterexample(network)
    page = opened([run_sheet("counterexample", run)], **TALL)
    _shows(page, run)
    assert page.step == len(run.events) - 1, "it opens where the run goes wrong"
    assert page.texts(".why p") == ["".join(span.text for span in paragraph) for paragraph in run.explanation]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_counterexample_with_crash_restart_loss_and_reconfiguration_is_shown_as_it_is(opened: Open, network: str) -> None:
    run = eventful_counterexample(network).run
    kinds = {each.kind for each in run.events}
    assert {EventKind.CRASH, EventKind.RESTART} <= kinds and (EventKind.DROP in kinds) == (network == "lossy")
    assert any(EventMark.RECONFIGURATION in each.marks for each in run.events)
    page = opened([run_sheet("counterexample", run)], **TALL)
    _shows(page, run)
    _arrows_lead_from_sender_to_recipient(page, run)
    assert page.step == len(run.events) - 1 and page.count(".failing-frame") == 1


def _arrows_lead_from_sender_to_recipient(opened: Opened, run: Run) -> None:
    """From the lifeline and the row of the send to those of the receipt; scouts and commanders are on their leader's lifeline."""
    x_of: dict[str, float] = opened.page.evaluate(_LIFELINES)
    ends = {number: ends for number, *ends in opened.page.evaluate(_ARROW_ENDS)}
    checked = 0
    for message in run.messages:
        if not message.received_at or message.sent_at is None or message.sender is None:
            continue
        x1, y1, x2, y2 = ends[message.id]
        assert (x1, y1) == pytest.approx((x_of[str(host_of(message.sender))], _row(message.sent_at)), abs=0.6)
        assert (x2, y2) == pytest.approx((x_of[str(host_of(message.to))], _row(message.received_at[0])), abs=8)
        checked += 1
    assert checked > 3


def _row(event: int) -> float:
    return (event + 0.5) * 30


_LIFELINES = """() => Object.fromEntries([...document.querySelectorAll('.lifeline-names .name')].map(
    name => [name.querySelector('span').textContent, parseFloat(name.style.left) + parseFloat(name.style.width) / 2]))"""
_ARROW_ENDS = """() => [...document.querySelectorAll('g.arrow.received')].map(group => {
    const line = group.querySelector('.line'), length = line.getTotalLength();
    const [start, end] = [line.getPointAtLength(0), line.getPointAtLength(length)];
    return [Number(group.dataset.message), start.x, start.y, end.x, end.y];
})"""


@pytest.mark.parametrize("network", ["lossy", *(pytest.param(each, marks=pytest.mark.slow) for each in NETWORKS if each != "lossy")])
def test_crashes_restarts_and_drops_are_shown(opened: Open, network: str) -> None:
    run = eventful(network)
    kinds = {each.kind for each in run.events}
    assert {EventKind.CRASH, EventKind.RESTART} <= kinds and (EventKind.DROP in kinds) == (network == "lossy")
    _shows(opened([run_sheet("walk", run)], **TALL), run)


def test_a_reconfiguration_is_shown(opened: Open) -> None:
    run = reconfigured()
    assert any(EventMark.RECONFIGURATION in each.marks for each in run.events)
    _shows(opened([run_sheet("walk", run)], **TALL), run)


@pytest.mark.parametrize("name", ["bad-pmax-ignored", "bad-decision-without-majority", "partial-acceptor-only", "good-duplicate"])
def test_a_trace_is_shown_as_it_is(opened: Open, name: str) -> None:
    source = Source(ROOT / "traces" / f"{name}.pmmc")
    verdict = judge(source)
    run = run_of_trace(source, verdict)
    page = opened([trace_sheet(verdict, run)], **TALL)
    _shows(page, run)
    assert page.texts(".page-head .verdict") == [verdict.verdict.upper()]
    failing = [each for each in run.events if EventMark.FAILING in each.marks]
    if failing and failing[0].place:
        assert f"{failing[0].place[0]}:{failing[0].place[1]}" in page.page.locator(".event-card").inner_text()


def test_a_simulated_run_with_losses_and_crashes_is_shown_as_it_is(opened: Open, tmp_path: Path) -> None:
    run = simulated(tmp_path, events=80, network=["lossy"], loss_rate=0.3, crash_rate=0.05)
    assert any(each.fate is Fate.DROPPED for each in run.messages)
    _shows(opened([run_sheet("simulated", run)], "#step=3", **TALL), run)


def test_the_panel_shows_the_state_after_each_step_forwards_and_backwards(opened: Open) -> None:
    run = counterexample()
    page = opened([run_sheet("counterexample", run)], "#step=0")
    last = len(run.events) - 1
    for step in itertools.chain(range(1, last + 1), range(last - 1, -1, -1)):
        page.page.keyboard.press("ArrowRight" if step > page.step else "ArrowLeft")
        assert page.step == step
        shown = {_name(box): box for box in page.page.locator(".process").all_inner_texts()}
        for process, fields in run.state_after(step).items():
            text = shown.get(run.names[process], "")
            if process.role == "acceptor":
                assert fields["ballot"] in text
                assert all(member in text for member in fields["accepted"])
            elif process.role == "replica":
                assert f"slot_out\n{fields['slot_out']}" in text.replace("\n\n", "\n") or "→" in text


def _name(box: str) -> str:
    return box.split("\n", 1)[0].strip()


def test_keys_slider_list_links_and_the_address_all_step(opened: Open) -> None:
    run = counterexample()
    page = opened([run_sheet("counterexample", run)], "#step=5")
    keyboard = page.page.keyboard
    assert page.step == 5
    visited = {"ArrowDown": 6, "j": 7, "ArrowUp": 6, "k": 5, "PageDown": 14, "PageUp": 4, "Home": 0, "End": 14, "ArrowRight": 14}
    for key, step in visited.items():
        keyboard.press(key)
        assert page.step == step, key
    page.page.locator(".slider").fill("3")
    assert page.step == 3 and page.page.url.endswith("#step=3")
    page.page.locator('.event[data-event="7"]').click()
    assert page.step == 7 and page.texts(".position") == ["7 / 14"]
    page.page.get_by_role("button", name="Step forward").click()
    assert page.step == 8
    page.page.locator(".why .link").first.click()
    assert page.step == next(span.event for span in run.explanation[0] if span.event is not None)
    page.page.evaluate("location.hash = '#step=2'")
    page.page.wait_for_selector('.event.current[data-event="2"]')
    keyboard.press("f")
    assert page.step == 14


def test_filters_leave_events_and_arrows_out_and_give_them_back(opened: Open) -> None:
    run = counterexample()
    page = opened([run_sheet("counterexample", run)], **TALL)
    everything = page.count(".event")
    page.page.get_by_text("Messages", exact=True).click()
    page.page.locator(".choice", has_text="p2a").get_by_role("button", name="only").click()
    wanted = [each.index for each in run.events if _has_kind(run, each.index, "p2a") or not (each.sends or each.message is not None)]
    assert page.page.locator(".event").evaluate_all("all => all.map(each => Number(each.dataset.event))") == sorted({0, *wanted})
    assert page.count("g.arrow") == sum(each.kind == "p2a" for each in run.messages)
    page.page.get_by_role("button", name="Show all").click()
    assert page.count(".event") == everything
    page.page.get_by_text("Processes", exact=True).click()
    page.page.locator(".choice", has_text="A1").get_by_role("checkbox").uncheck()
    assert not any("A1" in name for name in page.texts(".name"))
    assert page.count(".event") == sum(each.process is None or run.names[each.process] != "A1" for each in run.events)
    page.page.get_by_role("button", name="Show all").click()
    page.page.get_by_text("Ballots", exact=True).click()
    page.page.locator(".choice", has_text="0.L2").get_by_role("checkbox").uncheck()
    assert page.count("g.arrow.b1") == 0 and page.count("g.arrow.b0") > 0
    page.page.get_by_role("button", name="Show all").click()
    page.page.get_by_label("only the causal past").check()
    past = sum(bool(each.marks & {EventMark.PAST, EventMark.FAILING, EventMark.CITED}) or not each.index for each in run.events)
    assert page.count(".event") == past


def _has_kind(run: Run, index: int, kind: str) -> bool:
    event = run.events[index]
    numbers = [*event.sends, *([event.message] if event.message is not None else [])]
    return any(run.messages[number].kind == kind for number in numbers)


def test_search_marks_and_visits_the_events_that_match(opened: Open) -> None:
    run = counterexample()
    page = opened([run_sheet("counterexample", run)], "#step=0")
    page.page.keyboard.press("/")
    page.page.keyboard.type("p2b(A1")
    hits = [each.index for each in run.events if "p2b(A1" in each.label or any("p2b(A1" in run.messages[n].text for n in each.sends)]
    assert page.step == hits[0] and page.texts(".found") == [f"1 of {len(hits)}"]
    page.page.keyboard.press("Enter")
    assert page.step == hits[1]
    page.page.keyboard.press("Escape")
    assert page.count(".event.hit") == 0
    page.page.keyboard.press("ArrowLeft")
    assert page.step == hits[1] - 1, "after Escape keys step again"


def test_scouts_and_commanders_are_folded_under_their_leader_until_asked_for(opened: Open) -> None:
    page = opened([run_sheet("counterexample", counterexample())])
    folded = page.texts(".name > span")
    assert folded == ["C1", "C2", "R1", "R2", "L1", "L2", "A1"]
    page.page.get_by_role("button", name="+2 unfold the scouts and commanders of L1").click()
    assert page.texts(".name > span") == ["C1", "C2", "R1", "R2", "L1", "S 0.L1", "C 0.L1,1", "L2", "A1"]
    page.page.get_by_role("button", name="− fold the scouts and commanders of L1").click()
    assert page.texts(".name > span") == folded


def test_light_and_dark_follow_the_system_and_the_button(opened: Open) -> None:
    sheets = [run_sheet("counterexample", counterexample())]
    grounds = []
    for scheme in ("light", "dark"):
        page = opened(sheets, color_scheme=scheme)
        colour = "getComputedStyle(document.body).backgroundColor"
        before = page.page.evaluate(colour)
        page.page.get_by_role("button", name="Light or dark").click()
        grounds.append((before, page.page.evaluate(colour)))
    assert grounds[0] == grounds[1][::-1] and grounds[0][0] != grounds[0][1]


def test_on_paper_all_events_are_there_and_the_controls_are_not(opened: Open) -> None:
    run = counterexample()
    page = opened([run_sheet("counterexample", run)], viewport={"width": 1200, "height": 300})
    assert page.count(".event") < len(run.events) + 1
    page.page.emulate_media(media="print")
    page.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.count(".event") == len(run.events)
    assert not page.page.locator(".toolbar").is_visible()


def test_a_search_without_counterexample_shows_its_growth_its_steps_and_its_bounds(opened: Open) -> None:
    result, _ = searched(None, "reliable")
    page = opened([search_sheet(result)])
    assert page.count(".levels rect.bar") == len(result.level_sizes) == result.depth
    assert sum(result.level_sizes) == result.distinct_states
    assert f"{result.level_sizes[0]:,}" in page.page.locator(".levels table").text_content()
    assert page.texts(".invariants li") and all("holds" in each for each in page.texts(".invariants li"))
    facts = page.page.locator(".facts").inner_text()
    assert "WINDOW 1" in facts and "reductions" in facts and f"{result.distinct_states:,} distinct" in facts
    taken = {(action.role, action.message): count for action, count in result.coverage.items()}
    cells = "all => all.map(row => [...row.cells].slice(0, 3).map(cell => cell.textContent))"
    rows = page.page.locator(".coverage tbody tr").evaluate_all(cells)
    assert {(role, message): int(count.replace(",", "")) for role, message, count in rows if count != "0"} == taken


def test_several_sheets_begin_with_a_table_and_each_has_an_address(opened: Open) -> None:
    sheets = [run_sheet("first", counterexample()), lines_sheet("second", "bad input", ["line 1", "line 2"])]
    page = opened(sheets, index=True)
    assert page.texts("tbody a") == ["first", "second"]
    page.page.get_by_role("link", name="second").click()
    assert page.texts("pre") == ["line 1\nline 2"]
    page.page.get_by_role("link", name="All").click()
    page.page.get_by_role("link", name="first").click()
    page.page.wait_for_selector(".event")
    assert "#sheet=0&step=14" in page.page.url
    again = opened(sheets, "#sheet=0&step=3", index=True)
    assert again.step == 3


def test_large_data_is_packed_and_unpacked_by_the_browser(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = simulated(tmp_path, events=500, network=["reliable"])
    monkeypatch.setattr("pmmc_check.report.page.page.PACKED_FROM_BYTES", 1)
    page = opened([run_sheet("packed", run)], "#step=250")
    page.page.wait_for_selector(".event.current")
    assert page.page.locator("#data").get_attribute("data-packed") == "gzip"
    assert page.page.locator(".event.current .label").inner_text() == run.events[250].label


HOSTILE = [
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<!--<script>",
    "]]><svg onload=alert(1)>",
    "\u2028document.title='owned'\u2029//",
    "'\"><b>bold</b>",
    "javascript:document.title='owned'",
    "{{constructor.constructor('return 1')()}}",
    "\u202eright to left\u202c \x00\x07\U0001f600",
    "&lt;i&gt; &#60;u&#62; %3Cs%3E",
]


def test_hostile_text_stays_text(opened: Open) -> None:
    run = counterexample()
    texts = itertools.cycle(HOSTILE)
    sheets = [_everywhere(run_sheet("counterexample", run), texts), lines_sheet(HOSTILE[0], HOSTILE[1], HOSTILE, HOSTILE[2])]
    page = opened(sheets, "#step=0", **TALL)
    shown = page.page.locator(".event .label").evaluate_all("all => all.map(each => each.textContent)")
    assert set(shown) == set(HOSTILE) and shown == [each[2] for each in sheets[0]["run"]["events"]]
    for step in range(len(run.events)):
        page.page.keyboard.press("ArrowRight")
        _is_harmless(page, step)
    page.page.get_by_role("navigation").get_by_role("link", name=HOSTILE[0]).click()
    assert page.page.locator("pre").text_content() == "\n".join(HOSTILE)
    _is_harmless(page, "lines")


def _is_harmless(page: Opened, where: object) -> None:
    """No text has become an element, and no script of it has run."""
    assert page.count("script") == 2 and page.count("img, b, i, u, iframe, object, embed, [onerror], [onload]") == 0, where
    assert page.page.evaluate("document.title") != "owned", where


def _everywhere(data: dict[str, Any], texts: Iterator[str]) -> dict[str, Any]:
    """The sheet with every text of the run replaced."""
    run = data["run"]
    changed = {
        **run,
        "events": [[*each[:2], next(texts), *each[3:]] for each in run["events"]],
        "messages": [[each[0], next(texts), *each[2:]] for each in run["messages"]],
        "title": next(texts),
        "explanation": [[[text, None], [text, 3]] for text in HOSTILE],
        "processes": [[next(texts), *each[1:]] for each in run["processes"]],
        "facts": [[text, text] for text in HOSTILE],
        "ballots": [next(texts) for _ in run["ballots"]],
        "fields": ["status", *(f"{next(texts)}{number}" for number in range(len(run["fields"]) - 1))],
        "files": [next(texts) for _ in run["files"]],
    }
    return {**data, "name": next(texts), "summary": next(texts), "run": changed}


@pytest.mark.parametrize("width", [1400, 1200, 400])
def test_titles_the_headline_and_the_selected_event_are_in_sight_at_any_width(opened: Open, width: int) -> None:
    sheet = {**run_sheet("counterexample", counterexample()), "summary": "Agreement is violated: " + "one slot has two decisions " * 4}
    page = opened([sheet], viewport={"width": width, "height": 800}).page
    title = page.locator(".page-head h1")
    assert title.get_attribute("title") == sheet["summary"] and title.evaluate(
        "e => e.clientWidth >= e.scrollWidth && e.clientHeight >= 18"
    )
    columns = "e => e.getBoundingClientRect().right <= e.parentElement.getBoundingClientRect().right && e.scrollWidth <= e.clientWidth"
    assert all(each.evaluate(columns) for each in page.locator(".group").all())
    halo, timeline, events = (page.locator(each).bounding_box() for each in (".halo", ".timeline", ".events"))
    assert events["x"] + events["width"] <= halo["x"] + 1 and halo["x"] + halo["width"] <= timeline["x"] + timeline["width"] + 1
    if width >= 1200:
        assert all(
            each.bounding_box()["x"] + each.bounding_box()["width"] <= timeline["x"] + timeline["width"]
            for each in page.locator(".group").all()
        )
    assert page.locator(".toolbar").bounding_box()["height"] <= 130, "three rows at most"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
