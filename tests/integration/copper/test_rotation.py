"""The webhook secret is changed while notifications come in: none is refused, none is lost.

Two receivers stand for the replicas behind one address, each with the settings it was last started with.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus

import orjson
import pytest

from bridge.app.hooks import Hooks
from bridge.app.webhooks import digests, secret
from bridge.contract.records import Outgoing
from bridge.contract.topics import TopicNames
from bridge.copper.client import CopperAccount
from bridge.copper.notifications import TOKEN_HEADER
from bridge.copper.subscriptions import reconcile
from bridge.kafka.inbox import Inbox
from bridge.policy.subscribing import Synced, Wanted
from bridge.sandbox.copper import CopperDouble
from bridge.settings import Settings, load
from bridge.web.ports import listening
from bridge.web.public import public

FIRST, SECOND = "the first secret of ours", "the second secret of ours"
STEPS: tuple[dict[str, str], ...] = (
    {},
    {"BRIDGE_WEBHOOKS__ACCEPT": FIRST},
    {"BRIDGE_WEBHOOKS__SECRET": FIRST},
    {"BRIDGE_WEBHOOKS__SECRET": FIRST, "BRIDGE_WEBHOOKS__ACCEPT": SECOND},
    {"BRIDGE_WEBHOOKS__SECRET": SECOND, "BRIDGE_WEBHOOKS__ACCEPT": FIRST},
    {"BRIDGE_WEBHOOKS__SECRET": SECOND},
)
"""From the derived secret to one of ours and on to another, as docs/how-to/receive-webhooks.md says."""
EACH = 30
"""Records that people make between any two restarts; Copper sends 600 notifications a minute at most."""
WANTED = [Wanted("company", "new")]


def settings(step: Mapping[str, str]) -> Settings:
    account = {"BRIDGE_ACCOUNTS__ACME__API_KEY": "canary-key", "BRIDGE_ACCOUNTS__ACME__USER_EMAIL": "ops@acme.example"}
    return load(None, {**account, **step}, {})


class InboxInMemory(Inbox):
    """Keeps everything."""

    def __init__(self) -> None:
        self.ids: set[int] = set()

    async def put(self, record: Outgoing) -> bool:
        self.ids.update(orjson.loads(record.value or b"")["ids"])
        return True


class Replicas:
    """Two receivers that take turns."""

    def __init__(self) -> None:
        self.inbox = InboxInMemory()
        self.outcomes: list[str] = []
        self.late: list[tuple[Mapping[str, str], bytes]] = []
        """Requests as they came, to be sent once more as late ones."""
        self._hooks = [self._started(STEPS[0]), self._started(STEPS[0])]
        self._turns = itertools.cycle([0, 1])

    def restart(self, number: int, step: Mapping[str, str]) -> None:
        self._hooks[number] = self._started(step)

    async def receive(self, account: str, headers: Mapping[str, str], body: bytes) -> HTTPStatus:
        self.late.append((dict(headers), body))
        return await self._hooks[next(self._turns)].receive(account, headers, body)

    def _started(self, step: Mapping[str, str]) -> Hooks:
        known = settings(step)
        return Hooks(
            lambda account: digests(known, account),
            TopicNames(),
            4,
            self.inbox,
            self.outcomes.append,
            window=1800.0,
            clock=time.time,
        )


@pytest.fixture
async def replicas() -> AsyncGenerator[tuple[Replicas, str]]:
    """The two, and the address for notifications."""
    both = Replicas()
    async with listening(public(both.receive), "127.0.0.1", 0) as port:
        yield both, f"http://127.0.0.1:{port}/webhooks/copper/acme"


async def synced(acme: CopperAccount, target: str, step: Mapping[str, str]) -> Synced:
    headers = {TOKEN_HEADER: secret(settings(step), "acme")}
    outcome = await reconcile(acme, WANTED, target=target, headers=headers)
    assert isinstance(outcome, Synced)
    return outcome


@pytest.mark.figures
async def test_a_secret_is_changed_under_load_and_nothing_is_refused_or_lost(
    acme: CopperAccount, copper: CopperDouble, replicas: tuple[Replicas, str]
) -> None:
    both, target = replicas
    people, made = copper.account("acme"), set[int]()

    async def work() -> None:
        for _ in range(EACH):
            made.add(int(people.create("company", {"name": "Tideglass"})["id"]))
            await asyncio.sleep(0)

    await synced(acme, target, STEPS[0])
    for last, step in itertools.pairwise(STEPS):
        before = len(both.late)
        await work()
        if step == STEPS[-1]:
            await copper.notified()  # the wait of fifteen minutes before the old one is dropped
            before = len(both.late)
        for number in (0, 1):
            both.restart(number, step)
            working = asyncio.create_task(work())
            await synced(acme, target, step if number else last)  # whichever replica owns the account
            await working
        await copper.notified()
        for headers, body in both.late[before:]:  # sent before the change, and late
            assert await both.receive("acme", headers, body) == HTTPStatus.OK
    refused = [outcome for outcome in both.outcomes if outcome != "accepted"]
    print(f"notifications: {len(both.outcomes)}, rejected: {len(refused)}, lost: {len(made - both.inbox.ids)}")
    assert refused == []
    assert made == both.inbox.ids
    assert {row.fate for row in people.webhooks.deliveries} == {"delivered"}
    first = both.late[0]
    await both.receive("acme", {TOKEN_HEADER: FIRST}, first[1])
    assert both.outcomes[-1] == "unauthorized"
