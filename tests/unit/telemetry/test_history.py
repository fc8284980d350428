"""What happened lately is remembered, within bounds, and nothing that came from people is."""

from collections.abc import Callable

import orjson
import pytest

from bridge.contract.commands import Command, Malformed, decode
from bridge.contract.events import Change, Kind
from bridge.contract.failures import Code, Failure
from bridge.contract.records import Incoming, Position
from bridge.contract.replies import Reply, Status
from bridge.contract.topics import TopicNames
from bridge.telemetry import logs
from bridge.telemetry.history import COMMANDS, HAPPENINGS, MINUTES, PASSING, History
from bridge.telemetry.logs import Event

NAMES = TopicNames()
MINUTE = 1_790_000_040
"""A full one, in Unix seconds."""
CANARY = "canary-5d1e"


class Clock:
    """Unix seconds, set by hand."""

    def __init__(self) -> None:
        self.now = float(MINUTE)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(clock: Callable[[], float]) -> History:
    return History(clock)


def _change(kind: Kind = Kind.UPDATED) -> Change:
    record = {"name": CANARY}
    return Change(kind, "acme", "company", 7, record, record, ("name",), "poll", 0, "", 0.0)


def _command(value: bytes, stamp: float = MINUTE) -> Command | Malformed:
    record = Incoming(Position(NAMES.commands("company"), 0, 1), None, value, (), int(stamp * 1000))
    return decode(record, entity="company", names=NAMES, accounts=("acme",), allowed_replies=())


def test_counts_are_by_minute_for_an_hour_with_the_empty_ones_between(history: History, clock: Clock) -> None:
    history.published(_change())
    clock.now += 59.9
    history.called()
    clock.now += 0.1
    history.called()
    clock.now += 120
    minutes = history.shown()["minutes"]
    assert len(minutes) == MINUTES
    assert minutes[-4:] == [
        {"at": MINUTE, "events": 1, "commands": 0, "calls": 1},
        {"at": MINUTE + 60, "events": 0, "commands": 0, "calls": 1},
        {"at": MINUTE + 120, "events": 0, "commands": 0, "calls": 0},
        {"at": MINUTE + 180, "events": 0, "commands": 0, "calls": 0},
    ]
    clock.now += 60 * (MINUTES - 3)
    assert sum(minute["calls"] for minute in history.shown()["minutes"]) == 1


def test_a_clock_that_is_set_back_loses_no_count(history: History, clock: Clock) -> None:
    history.called()
    clock.now -= 3600
    history.called()
    clock.now += 3600
    assert history.shown()["minutes"][-1]["calls"] == 2


def test_events_are_counted_by_entity_and_what_was_there_already_is_none(history: History, clock: Clock) -> None:
    for kind in Kind:
        clock.now += 1
        history.published(_change(kind))
    seen = history.events["acme", "company"]
    assert (seen.count, seen.at) == (len(Kind) - 1, MINUTE + 1 + [*Kind].index(Kind.DELETED))
    assert len(history.events) == 1


def test_a_command_is_kept_with_its_answer_and_what_it_took(history: History, clock: Clock) -> None:
    command = _command(b'{"action": "create", "data": {"name": "%s"}}' % CANARY.encode())
    clock.now += 0.5
    history.answered(command, Reply(Status.UNKNOWN, failure=Failure(Code.UNAVAILABLE, "t", CANARY), attempts=3))
    assert history.shown()["commands"] == [
        {
            "at": MINUTE + 0.5,
            "id": "copper.company.commands-0-1",
            "account": "acme",
            "action": "company.create",
            "status": "unknown",
            "code": "unavailable",
            "attempts": 3,
            "duplicate": False,
            "took": 0.5,
        }
    ]


def test_of_a_command_that_cannot_be_read_only_our_own_words_are_kept(history: History) -> None:
    for value in (b"%s", b'{"action": "%s"}', b'{"account": "%s", "action": "get", "id": 7}', b'{"%s": 1}'):
        malformed = _command(value % CANARY.encode())
        assert isinstance(malformed, Malformed)
        history.answered(malformed, Reply(Status.FAILED, failure=malformed.failure))
    history.published(_change())
    assert CANARY not in str(history.shown())
    assert all(each["took"] is None for each in history.shown()["commands"])


def test_every_line_is_heard_but_those_that_pass_whatever_is_written(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("error", "json")
    with logs.heard(history.happened):
        for event in Event:
            logs.warning(event, account="acme", shards=[1])
    logs.error(Event.UNEXPECTED)
    happened = history.shown()["happenings"]
    assert {each["event"] for each in happened} == {*Event} - PASSING
    assert happened[0] == {
        "at": MINUTE,
        "level": "warning",
        "event": [event for event in Event if event not in PASSING][-1],
        "fields": {"account": "acme", "shards": [1]},
    }
    assert capsys.readouterr().err.count("\n") == 1


def test_it_never_grows_beyond_its_bounds_and_keeps_the_newest(history: History, clock: Clock) -> None:
    command = _command(b'{"action": "get", "id": 7}')
    for number in range(3 * max(COMMANDS, HAPPENINGS, MINUTES)):
        clock.now = MINUTE + 60.0 * number
        history.answered(command, Reply(Status.SUCCEEDED, attempts=number))
        history.happened("info", Event.SESSION_OPENED, {"shard": number})
    shown = history.shown()
    assert [len(shown[part]) for part in ("commands", "happenings", "minutes")] == [COMMANDS, HAPPENINGS, MINUTES]
    assert (shown["commands"][0]["attempts"], shown["happenings"][0]["fields"]["shard"]) == (number, number)
    assert all(minute["commands"] == 1 for minute in shown["minutes"])
    assert len(orjson.dumps(shown)) < 50_000


def test_dead_letters_are_counted_by_their_code(history: History) -> None:
    for code in (Code.INVALID, Code.INVALID, Code.MALFORMED):
        history.buried(code)
    assert history.shown()["dead_letters"] == {"invalid": 2, "malformed": 1}
