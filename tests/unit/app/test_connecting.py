"""Links, consents and deeds over records in memory: two replicas may each take a step."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from cryptography.fernet import Fernet

from bridge.app.accounts import UNREADABLE, Accounts
from bridge.app.administering import Administering, Impossible
from bridge.app.connecting import Connecting, Linking, OAuth, Place
from bridge.app.sealing import Opened, Sealing
from bridge.contract.accounts import Connected, Sealed, Standing, entry_record, forgotten
from bridge.contract.control import Control, decode_control
from bridge.contract.records import Incoming, Outgoing, Position
from bridge.contract.topics import TopicNames
from bridge.copper.budgeting import Allowance
from bridge.copper.client import CopperAccount, CopperConnection
from bridge.copper.oauth import Application
from bridge.copper.wire import BearerToken, Credentials
from bridge.policy.budget import Budget
from bridge.policy.linking import Refused
from bridge.web.ports import listening

NAMES, PARTITIONS, NOW = TopicNames(), 3, 1_800_000_000.0
KEYS = {name: Fernet.generate_key().decode() for name in ("2026-11", "2026-12")}
OLD, NEW = ({name: KEYS[name]} for name in KEYS)


def incoming(record: Outgoing, offset: int) -> Incoming:
    position = Position(record.topic, record.partition or 0, offset)
    return Incoming(position, record.key, record.value, record.headers, round(NOW * 1000))


@dataclass
class Kafka:
    """Records, and the replicas that read them after a while."""

    records: list[Incoming] = field(default_factory=list)
    replicas: list[Accounts] = field(default_factory=list)
    away: bool = False
    lag: float = 0.1

    async def keep(self, record: Outgoing) -> bool:
        await asyncio.sleep(0.01)
        if self.away:
            return False
        read = incoming(record, len(self.records))
        self.records.append(read)
        if record.topic == NAMES.accounts:
            for each in self.replicas:
                asyncio.get_running_loop().call_later(self.lag, each.learn, [read])
        return True

    def asked(self) -> list[Incoming]:
        return [each for each in self.records if each.position.topic == NAMES.control]


class Replica:
    """One process, its clock and its keys."""

    def __init__(self, kafka: Kafka, copper: CopperConnection, token_url: str) -> None:
        def account(name: str, credentials: Callable[[], Credentials]) -> CopperAccount:
            return copper.account(name, credentials, Allowance(Budget(180, 0.0), lambda _lane, _seconds: None))

        self.now, self.keys = NOW, OLD
        self._sealing: dict[str, Sealing] = {}
        self.linking = Linking("https://bridge.example", [b"a key"], 3600.0)
        application = Application(
            "client", "secret", "https://copper.example/authorize", token_url, "https://b.example"
        )
        self.accounts = Accounts({"acme": account("acme", lambda: BearerToken("t"))}, account, self.sealing)
        kafka.replicas.append(self.accounts)
        place, numbers = Place(NAMES, PARTITIONS, kafka.keep), count()
        self.connecting = Connecting(
            lambda: OAuth(application, self.linking, self.sealing(), 2.0),
            self.accounts,
            place,
            chance=lambda: f"chance{id(self)}{next(numbers)}",
            clock=lambda: self.now,
        )
        self.administering = Administering(
            self.accounts, lambda: self.linking, place, lambda: frozenset({0}), lambda: self.now
        )

    def sealing(self) -> Sealing:
        """The same object while the keys are the same."""
        return self._sealing.setdefault(repr(sorted(self.keys)), Sealing(self.keys))

    async def opened(self, account: str = "globex") -> str | Refused:
        """The state that a link leads to."""
        query = parse_qs(urlsplit(self.linking.link(account, self.now).url).query)
        where = await self.connecting.begin(account, query["expires"][0], query["signature"][0])
        return where if isinstance(where, Refused) else parse_qs(urlsplit(where).query)["state"][0]


@dataclass
class Play:
    kafka: Kafka
    one: Replica
    other: Replica
    redeemed: list[str]


@asynccontextmanager
async def _copper(redeemed: list[str]) -> AsyncGenerator[str]:
    """A token endpoint at which every code is good once."""

    async def token(request: web.Request) -> web.Response:
        code = str((await request.post())["code"])
        good = code not in redeemed
        redeemed.append(code)
        return web.json_response({"access_token": f"token of {code}"} if good else {}, status=200 if good else 400)

    app = web.Application()
    app.router.add_post("/token", token)
    async with listening(app, "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}/token"


@pytest.fixture
async def play() -> AsyncGenerator[Play]:
    kafka, redeemed = Kafka(), list[str]()
    async with _copper(redeemed) as url, CopperConnection(url, timeout=2.0) as copper:
        yield Play(kafka, Replica(kafka, copper, url), Replica(kafka, copper, url), redeemed)


async def test_a_link_opened_at_one_replica_is_answered_at_another_before_that_has_read_of_it(play: Play) -> None:
    state = await play.one.opened()
    assert "globex" not in play.other.accounts.pending
    assert await play.other.connecting.finish(state, "code") == "globex"
    (asked,) = play.kafka.asked()
    control = decode_control(asked, ["acme"])
    assert isinstance(control, Control)
    assert control.sealed is not None
    opened = play.one.sealing().opened(control.account, control.sealed)
    assert opened is not None
    assert opened.token == "token of code"
    assert b"token of code" not in (asked.value or b"")


async def test_an_answer_counts_once_however_often_and_wherever_it_comes(play: Play) -> None:
    state = await play.one.opened()
    await asyncio.sleep(1)
    answers = await asyncio.gather(*(play.one.connecting.finish(state, "code") for _ in range(3)))
    assert sorted(answers) == sorted(["globex", Refused.UNKNOWN_STATE, Refused.UNKNOWN_STATE])
    assert [await each.connecting.finish(state, "code") for each in (play.one, play.other)] == [
        Refused.UNKNOWN_STATE
    ] * 2
    assert (len(play.kafka.asked()), play.redeemed) == (1, ["code"])


async def test_a_newer_link_makes_the_answer_to_the_older_void(play: Play) -> None:
    older, newer = await play.one.opened(), await play.other.opened()
    await asyncio.sleep(1)
    assert await play.one.connecting.finish(older, "code") is Refused.UNKNOWN_STATE
    assert await play.one.connecting.finish(newer, "code") == "globex"


async def test_a_state_that_was_never_signed_is_not_waited_for(play: Play) -> None:
    began = asyncio.get_running_loop().time()
    for state in ("", "globex", "globex.x.y", f"{await play.one.opened()}0"):
        assert await play.one.connecting.finish(state, "code") is Refused.UNKNOWN_STATE
    assert asyncio.get_running_loop().time() - began < 0.5


async def test_a_no_connects_nothing_and_the_state_is_spent(play: Play) -> None:
    state = await play.one.opened()
    assert await play.one.connecting.finish(state, None) is Refused.DENIED
    assert await play.one.connecting.finish(state, "code") is Refused.UNKNOWN_STATE
    assert play.kafka.asked() == []


async def test_who_thinks_about_it_too_long_is_told_so(play: Play) -> None:
    state = await play.one.opened()
    await asyncio.sleep(1)
    play.one.now += 601
    assert await play.one.connecting.finish(state, "code") is Refused.TOO_LATE


async def test_without_kafka_nothing_is_begun_and_no_code_is_spent(play: Play) -> None:
    state = await play.one.opened()
    await asyncio.sleep(1)
    play.kafka.away = True
    assert await play.one.opened() is Refused.KAFKA_AWAY
    assert await play.one.connecting.finish(state, "code") is Refused.KAFKA_AWAY
    assert play.redeemed == []
    play.kafka.away = False
    assert await play.one.connecting.finish(state, "code") == "globex"


async def test_an_account_of_the_settings_is_connected_by_nobody(play: Play) -> None:
    assert await play.one.opened("acme") is Refused.FORGED
    assert isinstance(await play.one.administering.connect("acme"), Impossible)


# ---------------------------------------------------------------------------------------------------- accounts


def entry(keys: dict[str, str], standing: Standing = Standing.CONNECTED) -> Connected:
    return Connected("globex", Sealing(keys).seal("globex", Opened("token", "secret")), standing, 1_000, 1_500)


def learn(replica: Replica, entry: Connected | None) -> None:
    record = (
        forgotten("globex", NAMES, PARTITIONS, pending=False)
        if entry is None
        else entry_record(entry, NAMES, PARTITIONS)
    )
    replica.accounts.learn([incoming(record, 0)])


def hosted(replica: Replica) -> Standing | None:
    everywhere = [replica.accounts.hosted(shard, PARTITIONS) for shard in range(PARTITIONS)]
    return next((each["globex"] for each in everywhere if "globex" in each), None)


async def test_an_account_is_served_as_its_record_says_and_no_more_when_that_is_gone(play: Play) -> None:
    accounts = play.one.accounts
    learn(play.one, entry(OLD))
    assert (hosted(play.one), accounts.secret("globex"), "globex" in accounts.commanded) == (
        "connected",
        "secret",
        True,
    )
    learn(play.one, entry(OLD, Standing.LEAVING))
    assert (hosted(play.one), "globex" in accounts.commanded) == ("leaving", False)
    learn(play.one, None)
    assert (hosted(play.one), accounts.secret("globex"), [*accounts.served]) == (None, None, ["acme"])


async def test_an_account_whose_key_is_missing_waits_says_so_and_goes_on_when_the_key_is_back(play: Play) -> None:
    learn(play.one, entry(NEW))
    (row,) = [each for each in play.one.administering.accounts() if each["account"] == "globex"]
    assert (hosted(play.one), row["trouble"], row["key"]) == ("paused", UNREADABLE, None)
    assert "globex" in play.one.accounts.commanded
    changed = play.one.accounts.watched()
    play.one.keys = KEYS
    play.one.accounts.rekeyed()
    (row,) = [each for each in play.one.administering.accounts() if each["account"] == "globex"]
    assert (hosted(play.one), row["trouble"], row["key"]) == ("connected", None, "2026-12")
    assert changed.is_set()


async def test_an_account_keeps_the_token_it_has_when_a_newer_one_cannot_be_read(play: Play) -> None:
    learn(play.one, entry(OLD))
    learn(play.one, entry(NEW))
    assert (hosted(play.one), play.one.accounts.unreadable) == ("connected", {"globex": UNREADABLE})


async def test_what_is_to_be_sealed_anew_is_told_by_the_keys(play: Play) -> None:
    learn(play.one, entry(OLD))
    assert play.one.accounts.resealed(entry(OLD)) is None
    play.one.keys = KEYS
    play.one.accounts.rekeyed()
    renewed = play.one.accounts.resealed(entry(OLD))
    assert renewed is not None
    assert Sealing(NEW).opened("globex", renewed.sealed) == Opened("token", "secret")
    assert play.one.accounts.resealed(renewed) is None


async def test_a_record_about_an_account_of_the_settings_changes_nothing(play: Play) -> None:
    stranger = Connected("acme", Sealed("t", "s"), Standing.LEAVING, 1, 1)
    play.one.accounts.learn([incoming(entry_record(stranger, NAMES, PARTITIONS), 0)])
    assert (play.one.accounts.connected, play.one.accounts.unreadable) == ({}, {})


# ---------------------------------------------------------------------------------------------------- deeds


async def test_a_deed_is_asked_of_the_owner_and_done_once_every_replica_may_know(play: Play) -> None:
    learn(play.one, entry(OLD))
    asking = asyncio.ensure_future(play.one.administering.deeds["pause"]("globex"))
    await asyncio.sleep(1)
    assert len(play.kafka.asked()) == 1
    learn(play.one, entry(OLD, Standing.PAUSED))
    said = await asking
    assert isinstance(said, dict)
    assert (said["standing"], said["done"]) == ("paused", True)


async def test_a_deed_that_no_owner_answers_is_not_called_done(play: Play) -> None:
    learn(play.one, entry(OLD))
    said = await play.one.administering.deeds["disconnect"]("globex")
    assert isinstance(said, dict)
    assert not said["done"]


@pytest.mark.parametrize(("account", "known"), [("acme", True), ("nobody", False)])
async def test_what_cannot_be_done_with_an_account_is_said_before_anybody_is_asked(
    play: Play, account: str, known: bool
) -> None:
    said = await play.one.administering.deeds["pause"](account)
    assert isinstance(said, Impossible)
    assert said.known is known
    assert play.kafka.asked() == []


async def test_a_consent_that_never_came_back_is_shown_while_it_may_and_then_no_more(play: Play) -> None:
    await play.one.opened()
    await asyncio.sleep(1)
    shown = {each["account"]: each["standing"] for each in play.one.administering.accounts()}
    assert shown == {"acme": "settings", "globex": "pending"}
    play.one.now += 601
    assert [each["account"] for each in play.one.administering.accounts()] == ["acme"]
