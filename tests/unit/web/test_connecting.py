"""The way of a customer on the public port: what is sent where, what is read at the end, what a stranger may not."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from aiohttp import ClientSession

from bridge.policy.linking import Refused
from bridge.web.connecting import AT_ONCE, FORM_BYTES, PAGES
from bridge.web.ports import listening
from bridge.web.public import public
from tests.unit.web.test_public import Receiver

CALLBACK = "/oauth/callback"


class Steps:
    """Answers as it is told to, and notes what it is asked."""

    def __init__(self) -> None:
        self.outcome: str | Refused = "acme"
        self.asked: list[tuple[str | None, ...]] = []
        self.go = asyncio.Event()
        self.go.set()

    async def begin(self, account: str, expires: str, signature: str) -> str | Refused:
        self.asked.append((account, expires, signature))
        await self.go.wait()
        return self.outcome

    async def finish(self, state: str, code: str | None) -> str | Refused:
        self.asked.append((state, code))
        await self.go.wait()
        return self.outcome


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
async def customer(steps: Steps) -> AsyncGenerator[ClientSession]:
    async with (
        listening(public(Receiver(), consent=steps), "127.0.0.1", 0) as port,
        ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        yield session


async def test_a_link_sends_its_customer_on_and_tells_copper_nothing_of_it(
    steps: Steps, customer: ClientSession
) -> None:
    steps.outcome = "https://copper.example/authorize?state=s"
    async with customer.get("/connect/acme?expires=1&signature=s", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, steps.outcome)
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
    assert steps.asked == [("acme", "1", "s")]


@pytest.mark.parametrize("refused", [*Refused])
async def test_every_refusal_has_a_page_that_says_what_to_do(
    steps: Steps, customer: ClientSession, refused: Refused
) -> None:
    steps.outcome = refused
    async with customer.post(CALLBACK, data={"state": "s", "code": "c"}) as answer:
        text = await answer.text()
        assert answer.status == PAGES[refused].status
        assert PAGES[refused].title in text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_a_denial_is_an_answer_without_a_code(steps: Steps, customer: ClientSession) -> None:
    async with customer.post(CALLBACK, data={"state": "s", "error": "access_denied", "code": "c"}):
        pass
    assert steps.asked == [("s", None)]


@pytest.mark.parametrize(
    "path", ["/connect/ACME", "/connect/a%20b", "/connect/", f"/connect/{'a' * 65}", "/connect/a/b"]
)
async def test_what_cannot_be_an_accounts_name_is_not_found(steps: Steps, customer: ClientSession, path: str) -> None:
    async with customer.get(path) as answer:
        assert answer.status == 404
    assert steps.asked == []


async def test_a_look_at_a_link_without_reading_it_begins_nothing(steps: Steps, customer: ClientSession) -> None:
    async with customer.head("/connect/acme") as answer:
        assert answer.status == 405
    assert steps.asked == []


async def test_a_form_that_is_too_large_or_none_asks_nobody(steps: Steps, customer: ClientSession) -> None:
    for body in (b"state=" + b"s" * FORM_BYTES, b"", b"\xff=1", b"&".join([b"a=1"] * 17)):
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        async with customer.post(CALLBACK, data=body, headers=kind) as answer:
            assert answer.status == 400
    async with customer.post(CALLBACK, json={"state": "s"}) as answer:
        assert answer.status == 400
    assert steps.asked == []


async def test_no_more_steps_are_taken_at_once_than_agreed(steps: Steps, customer: ClientSession) -> None:
    steps.go.clear()

    async def post() -> int:
        async with customer.post(CALLBACK, data={"state": "s", "code": "c"}) as answer:
            return answer.status

    taken = [asyncio.create_task(post()) for _ in range(AT_ONCE)]
    while len(steps.asked) < AT_ONCE:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    assert await post() == 503
    steps.go.set()
    assert await asyncio.gather(*taken) == [200] * AT_ONCE
    assert await post() == 200
