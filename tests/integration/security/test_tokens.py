"""Tokens over real HTTP, on a clock of the test's: kept, renewed in time, fetched once, refused without a secret."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pydantic import SecretStr

from bridge.access import NoToken
from bridge.access.tokens import AGAIN_SECONDS, Tokens
from bridge.settings import KafkaSecurity
from tests.integration.security.giver import Giver

CLIENT, SECRET = "bridge", "canary-secret"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def giver() -> AsyncGenerator[Giver]:
    async with Giver({CLIENT: SECRET}).serving() as giver:
        yield giver


def tokens(giver: Giver, clock: Clock, **said: Any) -> Tokens:
    named = {"token_url": giver.token_url, "client_id": CLIENT, "client_secret": SecretStr(SECRET)}
    return Tokens(KafkaSecurity.model_validate(named | said), clock)


async def test_a_token_is_kept_for_four_fifths_of_its_life(giver: Giver, clock: Clock) -> None:
    giver.lifetime = 100
    mine = tokens(giver, clock)
    first = await mine.token()
    clock.now += 79
    assert (await mine.token(), giver.given) == (first, 1)
    clock.now += 1
    await mine.token()
    assert giver.given == 2


async def test_all_connections_at_once_fetch_one_token(giver: Giver, clock: Clock) -> None:
    mine = tokens(giver, clock)
    given = await asyncio.gather(*(mine.token() for _ in range(20)))
    assert (len(set(given)), giver.given) == (1, 1)


async def test_a_token_that_a_broker_refuses_is_not_shown_again_but_not_fetched_over_and_over(
    giver: Giver, clock: Clock
) -> None:
    mine = tokens(giver, clock)
    await mine.token()
    mine.refused()
    await mine.token()
    assert giver.given == 1
    clock.now += AGAIN_SECONDS
    await mine.token()
    assert giver.given == 2


async def test_a_refusal_is_told_without_a_secret_and_asked_for_again_after_a_while(giver: Giver, clock: Clock) -> None:
    giver.refuse = "invalid_scope"
    mine = tokens(giver, clock, scope="canary-scope")
    for _ in range(3):
        with pytest.raises(NoToken) as caught:
            await mine.token()
        assert str(caught.value) == f"no token from {giver.token_url}: it answers 401 invalid_scope; check kafka.scope"
        giver.refuse = None
    clock.now += AGAIN_SECONDS
    assert await mine.token()


async def test_a_secret_that_no_header_can_hold_is_told_without_it(giver: Giver, clock: Clock) -> None:
    with pytest.raises(NoToken, match="characters that no header can hold") as caught:
        await tokens(giver, clock, client_secret="canary-\N{SNOWMAN}").token()
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("keys", "it answers 405"),
        ("nothing", "its answer holds none; is kafka.token_url the token endpoint?"),
        ("elsewhere", "it answers 302"),
    ],
)
async def test_what_gives_no_token_is_told_by_its_address(giver: Giver, clock: Clock, url: str, words: str) -> None:
    with pytest.raises(NoToken) as caught:
        await tokens(giver, clock, token_url=f"{giver.url}/{url}").token()
    assert str(caught.value) == f"no token from {giver.url}/{url}: {words}"
