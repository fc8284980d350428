"""Webhooks at the public side: authentic, readable, kept, and only then a 2xx."""

import json
from collections.abc import Callable, Mapping

import pytest

from bridge.app.hooks import Hooks
from bridge.app.webhooks import WANTED, digests, secret
from bridge.contract.notices import read_notice
from bridge.contract.records import Incoming, Outgoing, Position
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames
from bridge.copper import notifications
from bridge.kafka.inbox import Inbox
from bridge.settings import Settings, load

NAMES = TopicNames()
BODY = {
    "ids": [7, 8, 7], "type": "company", "event": "delete", "subscription_id": 3,
    "timestamp": "2026-09-21T14:20:02.123Z",
}  # fmt: skip
SENT = 1_790_000_402.123
"""When that was, Unix seconds."""
TOKEN = {"X-Bridge-Token": "the secret"}
SECRETS = {"acme": (notifications.digest("the secret"), notifications.digest("the old one")), "bare": ()}


class InboxInMemory(Inbox):
    """Keeps, or does not."""

    def __init__(self, *, keeps: bool = True) -> None:
        self.records: list[Outgoing] = []
        self._keeps = keeps

    async def put(self, record: Outgoing) -> bool:
        if self._keeps:
            self.records.append(record)
        return self._keeps


def _hooks(inbox: Inbox, received: Callable[[str], None], *, since: float = 60.0) -> Hooks:
    """A receiver so many seconds after the notification was sent."""
    return Hooks(
        lambda account: SECRETS.get(account, ()), NAMES, 4, inbox, received, window=1800.0, clock=lambda: SENT + since
    )


@pytest.mark.parametrize(
    ("account", "headers", "body", "keeps", "outcome", "status"),
    [
        ("acme", TOKEN, BODY, True, "accepted", 200),
        ("acme", {"x-bridge-token": "the old one"}, BODY, True, "accepted", 200),
        ("acme", TOKEN, BODY, False, "unavailable", 503),
        ("acme", {}, BODY, True, "unauthorized", 401),
        ("acme", {"X-Bridge-Token": ""}, BODY, True, "unauthorized", 401),
        ("acme", {"X-Bridge-Token": "the secret "}, BODY, True, "unauthorized", 401),
        ("nobody", TOKEN, BODY, True, "unauthorized", 401),
        ("bare", {"X-Bridge-Token": ""}, BODY, True, "unauthorized", 401),
        ("acme", {}, "nonsense", True, "unauthorized", 401),
        ("acme", TOKEN, "nonsense", True, "invalid", 400),
        ("acme", TOKEN, {**BODY, "type": "activity"}, True, "invalid", 400),
        ("acme", TOKEN, {**BODY, "ids": []}, True, "invalid", 400),
        ("acme", TOKEN, {**BODY, "ids": list(range(1, 500))}, True, "invalid", 400),
        ("acme", TOKEN, {**BODY, "timestamp": "yesterday"}, True, "invalid", 400),
    ],
)
async def test_a_request_ends_so(
    account: str, headers: Mapping[str, str], body: object, keeps: bool, outcome: str, status: int
) -> None:
    inbox, told = InboxInMemory(keeps=keeps), list[str]()
    hooks = _hooks(inbox, told.append)
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    assert await hooks.receive(account, headers, raw) == status
    assert told == [outcome]
    assert len(inbox.records) == (outcome == "accepted")


async def test_what_is_kept_is_a_notice_in_the_accounts_shard_without_the_secret() -> None:
    inbox = InboxInMemory()
    await _hooks(inbox, lambda _outcome: None).receive("acme", TOKEN, json.dumps(BODY).encode())
    (record,) = inbox.records
    assert (record.topic, record.partition, record.key) == (NAMES.inbox, shard_of("acme", 4), b"acme")
    kept = Incoming(Position(record.topic, 0, 0), record.key, record.value, record.headers, 0)
    notice = read_notice(kept)
    assert notice is not None
    assert (notice.account, notice.entity, notice.event, notice.ids) == ("acme", "company", "deleted", (7, 8))
    assert notice.happened_ms == 1_790_000_402_123
    assert b"secret" not in (record.value or b"")


@pytest.mark.parametrize(
    ("since", "outcome"),
    [(0.0, "accepted"), (900.0, "accepted"), (1800.0, "accepted"), (1801.0, "stale"), (-300.0, "accepted"),
     (-301.0, "stale"), (86_400.0, "stale")],
)  # fmt: skip
async def test_a_repetition_of_an_old_notification_is_not_kept(since: float, outcome: str) -> None:
    inbox, told = InboxInMemory(), list[str]()
    status = await _hooks(inbox, told.append, since=since).receive("acme", TOKEN, json.dumps(BODY).encode())
    assert (told, status) == ([outcome], 200 if outcome == "accepted" else 400)
    assert len(inbox.records) == (outcome == "accepted")


# --------------------------------------------------------------------------------------------------------- settings


def _settings(**environ: str) -> Settings:
    accounts = {"BRIDGE_ACCOUNTS__ACME__API_KEY": "key-1", "BRIDGE_ACCOUNTS__ACME__USER_EMAIL": "ops@acme.example"}
    return load(None, {**accounts, **environ}, {})


def test_secrets_are_derived_from_the_credentials_unless_one_is_given() -> None:
    derived = _settings()
    assert secret(derived, "acme") == notifications.webhook_secret("key-1", "acme")
    assert digests(derived, "acme") == (notifications.digest(secret(derived, "acme")),)
    given = _settings(BRIDGE_WEBHOOKS__SECRET="a long and secret word")
    assert secret(given, "acme") == "a long and secret word"


def test_while_a_secret_is_changed_the_next_the_last_and_the_derived_one_are_taken() -> None:
    given = _settings(
        BRIDGE_WEBHOOKS__SECRET="the present secret", BRIDGE_WEBHOOKS__ACCEPT="the secret to come, the secret before"
    )
    derived = notifications.webhook_secret("key-1", "acme")
    assert digests(given, "acme") == tuple(
        map(notifications.digest, ("the present secret", "the secret to come", "the secret before", derived))
    )
    assert "some length" not in repr(given)


def test_all_three_events_of_all_followed_entities_are_wanted() -> None:
    assert len(WANTED) == 18
    assert {each.event for each in WANTED} == {"new", "update", "delete"}
    assert "activity" not in {each.entity for each in WANTED}
