"""What becomes of a dead letter that is to be put back, and which letters are meant."""

from dataclasses import replace

import pytest

from bridge.contract.announcements import Told
from bridge.contract.dead_letters import Letter, dead_letter, read_letter
from bridge.contract.failures import Code, Failure
from bridge.contract.records import Headers, Incoming, Position
from bridge.contract.topics import TopicNames
from bridge.policy.redriving import Kept, Search, State, Step, decide, states

NAMES = TopicNames()
PARTITIONS = 3
FAILURE = Failure(Code.INVALID, "The command breaks its schema", "data.nmae: unknown field")
BROKEN = b'{"action": "create", "account": "acme", "data": {"nmae": "x"}}'


def letter(value: bytes = BROKEN, headers: Headers = (), topic: str | None = None) -> Letter:
    command = Incoming(Position(NAMES.commands("company"), 1, 41), b"acme", value, headers, 1790000402123)
    buried = dead_letter(command, FAILURE, 0, NAMES, "company", 1)
    place = Position(topic or buried.topic, 1, 7)
    read = read_letter(Incoming(place, buried.key, buried.value, buried.headers, 1790000500000), NAMES)
    assert read is not None
    return read


def came_back(times: int) -> Headers:
    return (("copper-bridge-redrives", str(times).encode()),)


def test_a_letter_goes_back_until_the_limit_and_is_parked_from_then_on() -> None:
    for times in range(5):
        step = decide(letter(headers=came_back(times)), State.WAITING, NAMES, partitions=PARTITIONS, park_after=3)
        assert isinstance(step, Step)
        expected = (Told.LETTER_REDRIVEN, "copper.company.commands") if times < 3 else (
            Told.LETTER_PARKED, "copper.bridge.parked")  # fmt: skip
        assert (step.told, step.record.topic) == expected


def test_what_a_person_takes_from_the_parked_or_mends_goes_back_whatever_its_count() -> None:
    fetched = decide(letter(headers=came_back(9), topic=NAMES.parked), State.WAITING, NAMES, partitions=PARTITIONS)
    value = b'{"action": "get", "id": 7}'
    mended = decide(letter(headers=came_back(9)), State.WAITING, NAMES, partitions=PARTITIONS, value=value)
    for step in (fetched, mended):
        assert isinstance(step, Step)
        assert (step.told, dict(step.record.headers)["copper-bridge-redrives"]) == (Told.LETTER_REDRIVEN, b"10")


@pytest.mark.parametrize("state", [State.REDRIVEN, State.PARKED])
def test_what_was_put_back_or_parked_stays(state: State) -> None:
    kept = decide(letter(), state, NAMES, partitions=PARTITIONS)
    assert isinstance(kept, Kept)
    assert kept.reason == f"it has been {state} already"


def test_a_letter_of_a_partition_that_there_is_not_is_kept_as_a_forgery() -> None:
    kept = decide(letter(), State.WAITING, NAMES, partitions=1)
    assert isinstance(kept, Kept)
    assert kept.reason == "it is forged: copper.company.commands has no such partition as it names"


def test_a_mended_command_that_would_be_refused_again_stays_and_the_reason_is_told() -> None:
    kept = decide(letter(), State.WAITING, NAMES, partitions=PARTITIONS, value=BROKEN)
    assert isinstance(kept, Kept)
    assert "data.nmae" in kept.reason


@pytest.mark.parametrize("size", [1_000_000, 2_000_000])
def test_what_is_too_large_for_its_topic_stays(size: int) -> None:
    kept = decide(letter(bytes(size)), State.WAITING, NAMES, partitions=PARTITIONS)
    assert isinstance(kept, Kept)
    assert "too large" in kept.reason


def test_what_is_told_of_a_step_holds_nothing_of_the_command_but_its_account() -> None:
    step = decide(letter(headers=came_back(1)), State.WAITING, NAMES, partitions=PARTITIONS)
    assert isinstance(step, Step)
    said = step.announcement(1790000600000)
    assert (said.told, said.account, said.entity) == (Told.LETTER_REDRIVEN, "acme", "company")
    place = "copper.company.commands-dlt-1-7"
    assert said.data == {"letter": place, "error": "invalid", "redrives": 2, "to": "copper.company.commands"}
    assert states({place: said.told, "other": Told.SWEEP_VOID}) == {place: State.REDRIVEN}


def test_a_search_means_the_letters_that_agree_with_all_it_says() -> None:
    one = letter(headers=(("idempotency-key", b"order-7"),))
    right = Search(one.position, "company", "invalid", "order-7", b"acme", 1790000500000, 1790000500001)
    assert Search().wants(one)
    assert right.wants(one)
    assert not replace(right, position=Position("copper.company.commands-dlt", 1, 8)).wants(one)
    assert not replace(right, entity="lead").wants(one)
    assert not replace(right, code="malformed").wants(one)
    assert not replace(right, command_id="order-8").wants(one)
    assert not replace(right, key=b"other").wants(one)
    assert not replace(right, since_ms=1790000500001).wants(one)
    assert not replace(right, until_ms=1790000500000).wants(one)
