"""A customer connects an account in a real browser: from the link to the last page, and all that may go wrong."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
from playwright.async_api import Browser, Page, expect

from bridge.app.oauth import linking
from bridge.sandbox.copper import Fault
from tests.integration.bridge.consenting import CONNECTED, TOKEN, deed, form_of, link, oauth, sent, title
from tests.integration.bridge.stage import Stage, stage
from tests.integration.web.conftest import PATIENCE_MS
from tests.integration.web.test_page import CONTRASTS, LEAST_CONTRAST, SCHEMES

FIXED, GLOBEX, INITECH = "acme", "globex", "initech"
NOBODY = "Nobody is waiting for this answer"
AWAY = "Copper does not answer at present"
CALLBACK = "/oauth/callback"
Opened = Callable[..., AbstractAsyncContextManager[Page]]


@pytest.fixture(scope="module")
async def play(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A bridge, and a double that asks like Copper does and knows one redirect address."""
    async with stage(
        bootstrap_servers,
        tmp_path_factory.mktemp("connecting"),
        [FIXED],
        strangers=[GLOBEX, INITECH],
        webhooks=True,
        oauth=oauth,
        events={"poll_every": "10s"},
        server={"token": TOKEN},
    ) as play:
        play.copper.set_knobs(asks_consent=True, redirect_uri=f"{play.settings.webhooks.public_url}{CALLBACK}")
        yield play


@pytest.fixture
def customer(play: Stage, chromium: Browser) -> Opened:
    """A customer's browser. What it asks for and complains of is judged when it is closed."""

    @asynccontextmanager
    async def browse(**context: Any) -> AsyncGenerator[Page]:
        ours, coppers = str(play.settings.webhooks.public_url), play.copper.url
        asked: list[str] = []
        complaints: list[str] = []
        opened = await chromium.new_context(**context)
        opened.set_default_timeout(PATIENCE_MS)
        page = await opened.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        assert await opened.cookies() == []
        await opened.close()
        assert [url for url in asked if not url.startswith((ours, coppers))] == []
        # Chromium tells of every page whose status is an error
        assert [each for each in complaints if "Failed to load resource: the server responded" not in each] == []

    return browse


async def answer(page: Page, link: str, account: str, button: str = "Allow") -> None:
    """Open the link, choose the account at Copper's page, and press the button."""
    await page.goto(link)
    await page.get_by_label("Account").select_option(account)
    await page.get_by_role("button", name=button).click()


async def reads(page: Page, heading: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(heading, timeout=PATIENCE_MS)


@pytest.mark.figures
async def test_a_customer_connects_an_account_in_the_browser_and_it_is_served(play: Stage, customer: Opened) -> None:
    (known,) = play.account(GLOBEX).load("lead", [{"name": "Known Before"}])
    seen = {}
    for scheme in SCHEMES:
        async with customer(color_scheme=scheme, viewport={"width": 400, "height": 800}) as page:
            async with page.expect_response(lambda response: response.url.endswith(CALLBACK)) as came:
                await answer(page, await link(play, GLOBEX), GLOBEX)
            await reads(page, CONNECTED.format(GLOBEX))
            began = time.monotonic()
            headers = await (await came.value).all_headers()
            contrasts = await page.evaluate(CONTRASTS)
            assert len(contrasts) >= 2
            assert {what: ratio for what, ratio in contrasts.items() if ratio < LEAST_CONTRAST} == {}
            assert await page.evaluate("document.documentElement.scrollWidth") <= 400
            assert await page.locator("html").get_attribute("lang") == "en"
            assert await page.locator("form, script, a").count() == 0
            assert page.url.endswith(CALLBACK)
            seen[scheme] = await page.screenshot()
    assert seen["light"] != seen["dark"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in headers
    assert "default-src 'none'" in headers["content-security-policy"]
    await play.log.wait(play.names.state("lead"), lambda each: each.key == f"{GLOBEX}/{known}".encode())
    made = await play.made(GLOBEX, "company", {"name": "By Command"})
    await play.event("company", "created", made, GLOBEX)
    lead = play.account(GLOBEX).create("lead", {"name": "By Hand"})["id"]
    await play.event("lead", "created", lead, GLOBEX)
    print(f"served, with a command and an event, {time.monotonic() - began:.1f} s after the page")


async def test_a_page_that_is_loaded_again_sends_its_form_twice_and_changes_nothing(
    play: Stage, customer: Opened
) -> None:
    async with customer() as page:
        await answer(page, await link(play, INITECH), INITECH)
        await reads(page, CONNECTED.format(INITECH))
        await page.reload()
        await reads(page, NOBODY)


async def test_who_denies_reads_that_nothing_was_changed_and_may_open_the_link_again(
    play: Stage, customer: Opened
) -> None:
    opened = await link(play, INITECH)
    async with customer() as page:
        await answer(page, opened, INITECH, "Deny")
        await reads(page, "Not connected")
        await answer(page, opened, INITECH)
        await reads(page, CONNECTED.format(INITECH))


async def test_a_link_opened_once_more_makes_the_first_answer_void_and_its_own_counts(
    play: Stage, customer: Opened
) -> None:
    opened = await link(play, INITECH)
    async with customer() as first, customer() as second:
        await first.goto(opened)
        await second.goto(await link(play, INITECH))
        await first.get_by_role("button", name="Allow").click()
        await reads(first, NOBODY)
        await second.get_by_label("Account").select_option(INITECH)
        await second.get_by_role("button", name="Allow").click()
        await reads(second, CONNECTED.format(INITECH))


@pytest.mark.parametrize(
    ("fault", "heading"),
    [
        (Fault("status", status=500, path="/oauth/token"), AWAY),
        (Fault("status", status=429, path="/oauth/token"), AWAY),
        (Fault("reset", path="/oauth/token"), AWAY),
        (Fault("hang", path="/oauth/token"), AWAY),
        (Fault("status", when="after", status=502, body="html", path="/oauth/token"), AWAY),
        (Fault("status", status=400, path="/oauth/token"), "Copper did not accept the answer"),
    ],
    ids=["500", "429", "reset", "hang", "502 after", "400"],
)
async def test_a_token_endpoint_that_fails_is_told_and_the_same_link_works_again(
    play: Stage, customer: Opened, fault: Fault, heading: str
) -> None:
    opened = await link(play, INITECH)
    play.copper.fault(fault)
    async with customer() as page:
        await answer(page, opened, INITECH)
        await reads(page, heading)
        await answer(page, opened, INITECH)
        await reads(page, CONNECTED.format(INITECH))


async def test_links_that_are_none_of_ours_or_too_old_lead_nowhere(play: Stage, customer: Opened) -> None:
    links = linking(play.settings)
    assert links is not None
    good = await link(play, INITECH)
    async with customer() as page:
        for wrong in (
            good[:-1],
            good.replace(INITECH, GLOBEX),
            good.partition("?")[0],
            good.replace("expires=1", "expires=2"),
        ):
            await page.goto(wrong)
            await reads(page, "This link is not complete")
        await page.goto(links.link(INITECH, time.time() - links.seconds - 60).url)
        await reads(page, "This link has expired")
        await page.goto(links.link(FIXED, time.time()).url)  # an account of the settings
        await reads(page, "This link is not complete")


async def test_copper_sends_nobody_to_an_address_that_is_not_registered(play: Stage, customer: Opened) -> None:
    registered = play.copper.knobs.redirect_uri
    play.copper.set_knobs(redirect_uri=f"{registered}/")
    try:
        async with customer() as page:
            came = await page.goto(await link(play, INITECH))
            assert came is not None
            assert came.status == 400
            assert "invalid_request" in await page.content()
    finally:
        play.copper.set_knobs(redirect_uri=registered)


async def test_an_answer_that_comes_by_hand_is_read_by_nobody(play: Stage, customer: Opened) -> None:
    async with customer() as page:
        came = await page.goto(f"{play.settings.webhooks.public_url}{CALLBACK}?code=c&state=s")
        assert came is not None
        assert (came.status, (await came.all_headers())["allow"]) == (405, "POST")
        await reads(page, "There is nothing to see here")


@pytest.mark.figures
async def test_forged_wrong_and_doubled_answers_connect_nothing_and_a_doubled_one_connects_once(play: Stage) -> None:
    async with aiohttp.ClientSession() as session:
        play.copper.set_knobs(asks_consent=False)
        try:
            action, form = await form_of(session, await link(play, INITECH), INITECH)
        finally:
            play.copper.set_knobs(asks_consent=True)
        state = form["state"]
        wrong = ["", "x", f"{INITECH}.x", state[:-1], f"{state}x", state.replace(INITECH, GLOBEX), "ä", state + "\0"]
        began = time.monotonic()
        pages = [await sent(session, action, {**form, "state": each}) for each in wrong]
        slowest = (time.monotonic() - began) / len(wrong)
        assert set(pages[1:]) == {NOBODY}
        before = len(play.copper.oauth.spent)
        twice = await asyncio.gather(sent(session, action, form), sent(session, action, form))
        assert sorted(twice) == sorted([CONNECTED.format(INITECH), NOBODY])
        assert await sent(session, action, form) == NOBODY
        assert len(play.copper.oauth.spent) == before + 1
    print(f"\na state that is none of ours is turned down within {slowest * 1000:.0f} ms")
    assert slowest < 1.0


async def test_what_is_no_form_is_refused_whatever_it_is(play: Stage) -> None:
    url = f"{play.settings.webhooks.public_url}{CALLBACK}"
    form = "application/x-www-form-urlencoded"
    bodies: list[tuple[bytes, str]] = [
        (b"", form),
        (b"\xff\xfe=\x00", form),
        (b"state=" + b"x" * 20_000, form),
        (b"&".join(b"a%d=1" % number for number in range(100)), form),
        (b'{"state": "s"}', "application/json"),
        (
            b'--b\r\nContent-Disposition: form-data; name="state"\r\n\r\ns\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
        ),
        (b"state=s", f"{form}; charset=nonsense"),
    ]
    answers = []
    async with aiohttp.ClientSession() as session:
        for body, kind in bodies:
            async with session.post(url, data=body, headers={"Content-Type": kind}) as answer:
                answers.append((answer.status, title(await answer.text())))
    assert answers[:-1] == [(400, "This is not an answer of Copper's")] * (len(bodies) - 1)
    assert answers[-1] == (400, NOBODY)


async def test_no_code_and_no_state_is_left_in_what_the_bridge_tells(
    play: Stage, customer: Opened, capfd: pytest.CaptureFixture[str]
) -> None:
    posted: list[str] = []
    async with customer() as page:
        page.on("request", lambda request: posted.append(request.post_data or "") if CALLBACK in request.url else None)
        await answer(page, await link(play, INITECH), INITECH)
        await reads(page, CONNECTED.format(INITECH))
        shown = await page.content()
        await answer(page, (await deed(play, INITECH, "connect"))["url"], INITECH, "Deny")
        await reads(page, "Not connected")
        shown += await page.content()
    words = [part.partition("=")[2] for body in posted for part in body.split("&") if not part.startswith("error")]
    assert [len(each) > 20 for each in words] == [True] * 3
    told = shown + "".join(capfd.readouterr())
    told += "".join(
        [(await play.page(path))[1] for path in ("/metrics", "/api/status", "/api/accounts", "/api/history", "/")]
    )
    told += "".join(str((each.key, each.raw, each.pairs)) for topic in play.log.messages.values() for each in topic)
    assert [word for word in words if word in told] == []
    assert orjson.loads((await play.page("/api/accounts"))[1])["accounts"]
