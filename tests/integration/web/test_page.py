"""The status page in a real browser: alive, honest about its age, legible to everybody, and asking nobody else."""

import socket
import time

import pytest
from playwright.async_api import Page, expect

from bridge.sandbox.copper import Fault
from tests.integration.bridge.stage import Stage, eventually
from tests.integration.web.conftest import PATIENCE_MS, Looking

SCHEMES = ("light", "dark")
LEAST_CONTRAST = 4.5
"""Of text against what is behind it (WCAG 2.2 AA)."""

CONTRASTS = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = rgb(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = {};
  for (const node of document.querySelectorAll("body *")) {
    if (![...node.childNodes].some(each => each.nodeType === 3 && each.data.trim())) continue;
    const [one, two] = [light(rgb(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
    found[node.tagName + "." + node.className] = (one + 0.05) / (two + 0.05);
  }
  return found;
}"""

NAMELESS = """() => [...document.querySelectorAll("section, nav, table, svg, meter, progress, [role=region], a")]
  .filter(node => {
    const by = node.getAttribute("aria-labelledby");
    const text = by ? document.getElementById(by)?.textContent : node.getAttribute("aria-label");
    return !(text || (node.tagName === "A" && node.textContent)).trim();
  }).map(node => node.outerHTML.slice(0, 80))"""


async def live(page: Page) -> None:
    await expect(page.locator("#live")).to_have_text("Live", timeout=PATIENCE_MS)


async def marked(page: Page) -> None:
    """Leave something in the page that a reload would take away."""
    await page.evaluate("window.here = true")


async def still_there(page: Page) -> bool:
    return bool(await page.evaluate("window.here === true"))


@pytest.mark.figures
async def test_a_command_shows_without_a_reload_and_the_readers_place_is_kept(play: Stage, looking: Looking) -> None:
    await play.ask("acme", "lead", "create", data={"name": "Ivo Brand"})
    async with looking() as page:
        await live(page)
        await marked(page)
        frame = page.locator("#commands .frame")
        await frame.focus()
        rows = page.locator("#commands tbody tr")
        before = await rows.count()
        reply = await play.ask("acme", "company", "create", data={"name": "Tideglass Ltd"}, command_id="order-4711")
        assert reply.value["status"] == "succeeded"
        began = time.monotonic()
        await expect(rows).to_have_count(before + 1, timeout=PATIENCE_MS)
        print(f"a command's row is on the page {time.monotonic() - began:.1f} s after its reply was read")
        first = rows.first
        await expect(first).to_contain_text("company.create")
        await expect(first).to_contain_text("succeeded")
        await expect(first).to_contain_text("order-4711")
        await expect(first).to_contain_text("s ago")
        assert await frame.evaluate("node => node === document.activeElement")
        assert await still_there(page)
        assert "Tideglass" not in await page.content()


async def test_an_entity_that_copper_fails_is_delayed_then_in_error_and_well_again(
    play: Stage, looking: Looking
) -> None:
    async with looking() as page:
        row = page.locator("#events tbody tr", has=page.get_by_role("rowheader", name="lead", exact=True))
        await expect(row.locator(".state")).to_contain_text("On time", timeout=PATIENCE_MS)
        fault = Fault("status", status=503, path="/leads/search", times=2)
        play.copper.fault(fault)
        await expect(row.locator(".state")).to_contain_text("Error", timeout=PATIENCE_MS)
        await expect(row).to_contain_text("in-doubt")
        await expect(page.locator("#head .overall")).to_contain_text("Error", timeout=PATIENCE_MS)
        await expect(page.locator("#attention")).to_contain_text("acme lead")
        await eventually(lambda: fault.hits >= 2)
        await expect(page.locator("#head .overall")).to_contain_text("On time", timeout=PATIENCE_MS)
        await expect(page.locator("#attention")).to_contain_text("Nothing")


async def test_the_page_connects_again_when_the_bridge_has_been_restarted(play: Stage, looking: Looking) -> None:
    async with looking() as page:
        await live(page)
        await marked(page)
        await page.locator("#commands tbody tr").first.wait_for()
        await play.stop()
        await expect(page.locator("#live")).to_have_text("Not connected, trying again", timeout=PATIENCE_MS)
        await play.start()
        await live(page)
        await expect(page.locator("#commands")).to_contain_text("No command yet", timeout=PATIENCE_MS)
        assert await still_there(page)


async def test_a_page_that_hears_nothing_says_since_when(looking: Looking) -> None:
    async with looking(alone=True) as page:
        await expect(page.locator("#live")).to_have_text("Not connected, trying again")
        await page.clock.run_for(31_000)
        await expect(page.locator("#live")).to_contain_text("Stale since")
        assert await page.evaluate("document.body.classList.contains('stale')")


async def test_without_javascript_the_same_is_there_to_read(play: Stage, looking: Looking) -> None:
    await play.ask("acme", "company", "create", data={"name": "Tideglass Ltd"})
    async with looking(java_script_enabled=False) as page:
        await expect(page.locator("#live")).to_contain_text("As of")
        await expect(page.locator("#events tbody tr")).to_have_count(7)
        await expect(page.locator("#events")).to_contain_text("On time")
        await expect(page.locator("#commands")).to_contain_text("company.create")
        await expect(page.locator("#budget")).to_contain_text("of 170")
        await expect(page.locator("#replicas tbody tr")).to_have_count(1)
        await expect(page.locator("#replicas")).to_contain_text(f"{socket.gethostname()} (this one)0-2")
        await expect(page.locator("#replicas")).to_contain_text("1: acme")
        await expect(page.locator("#timeline")).to_contain_text("session.opened")


async def test_dark_and_light_differ_and_both_can_be_read(play: Stage, looking: Looking) -> None:
    await play.ask("acme", "company", "create", data={"nmae": "x"})
    seen = {}
    for scheme in SCHEMES:
        async with looking(color_scheme=scheme) as page:
            await live(page)
            contrasts = await page.evaluate(CONTRASTS)
            assert len(contrasts) > 10
            assert {what: ratio for what, ratio in contrasts.items() if ratio < LEAST_CONTRAST} == {}
            seen[scheme] = await page.screenshot()
    assert seen["light"] != seen["dark"]


async def test_whoever_does_not_see_the_page_finds_the_way_through_it(looking: Looking) -> None:
    async with looking() as page:
        await live(page)
        for landmark in ("header", "main", "footer", "nav"):
            assert await page.locator(landmark).count() == 1
        assert await page.locator("html").get_attribute("lang") == "en"
        assert await page.locator("h1").count() == 1
        assert await page.locator("h3").count() == 0
        assert await page.locator("section > h2:first-child").count() == await page.locator("section").count()
        assert await page.locator("th:not([scope])").count() == 0
        assert await page.locator("tbody tr:not(:has(th))").count() == 0
        assert await page.evaluate(NAMELESS) == []
        ids = await page.locator("[id]").evaluate_all("nodes => nodes.map(node => node.id)")
        assert len(ids) == len(set(ids))
        spoken = page.locator("[aria-live=polite], [role=status]")
        assert await spoken.count() == 2
        assert await spoken.locator("time").count() == 0  # an age would be read out every second


async def test_the_keyboard_reaches_what_scrolls_and_nothing_moves_for_those_who_do_not_want_it(
    looking: Looking,
) -> None:
    async with looking(reduced_motion="reduce") as page:
        await live(page)
        await page.keyboard.press("Tab")
        focused = page.locator(":focus")
        assert await focused.get_attribute("class") == "frame"
        assert await focused.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
        moving = "node => getComputedStyle(node).transitionDuration"
        assert await page.locator("main").evaluate(moving) == "0s"
        await page.emulate_media(reduced_motion="no-preference")
        assert await page.locator("main").evaluate(moving) != "0s"


async def test_a_telephone_is_wide_enough(looking: Looking) -> None:
    async with looking() as page:
        await page.set_viewport_size({"width": 400, "height": 800})
        await live(page)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 400
        assert await page.locator("#events td .state").first.is_visible()
