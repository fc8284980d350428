from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from bridge.contract.commands import Command, decode
from bridge.contract.dead_letters import LARGEST_LETTER, Letter, dead_letter, parked, read_letter, redriven
from bridge.contract.failures import Code, Failure
from bridge.contract.headers import FORWARDED
from bridge.contract.records import Headers, Incoming, Outgoing, Position
from bridge.contract.topics import TopicNames

FAILURE = Failure(Code.MALFORMED, "The command cannot be read", "the value is not JSON")


def test_a_dead_letter_can_be_read_by_the_tools_of_both_families(
    incoming: Callable[..., Incoming], names: TopicNames
) -> None:
    letter = dead_letter(incoming(b"{", ("mine", b"\xff")), FAILURE, 2, names, "company", 3)
    assert (letter.topic, letter.partition, letter.key, letter.value) == (
        "copper.company.commands-dlt",
        3,
        b"acme",
        b"{",
    )
    assert dict(letter.headers) == {
        "mine": b"\xff",
        "__connect.errors.topic": b"copper.company.commands",
        "__connect.errors.partition": b"1",
        "__connect.errors.offset": b"41",
        "__connect.errors.exception.message": b"The command cannot be read: the value is not JSON",
        "kafka_dlt-original-topic": b"copper.company.commands",
        "kafka_dlt-original-partition": b"\0\0\0\1",
        "kafka_dlt-original-offset": b"\0\0\0\0\0\0\0\x29",
        "kafka_dlt-original-timestamp": (1790000402123).to_bytes(8, "big"),
        "kafka_dlt-exception-message": b"The command cannot be read: the value is not JSON",
        "copper-bridge-error": b"malformed",
        "copper-bridge-attempts": b"2",
        "copper-bridge-redrives": b"0",
    }


def test_how_often_a_letter_was_redriven_is_kept(incoming: Callable[..., Incoming], names: TopicNames) -> None:
    letter = dead_letter(incoming(b"{", ("copper-bridge-redrives", b"2")), FAILURE, 0, names, "company", 3)
    assert [value for name, value in letter.headers if name == "copper-bridge-redrives"] == [b"2"]


@given(
    st.none() | st.binary(),
    st.none() | st.binary(),
    st.lists(st.tuples(st.text(), st.binary())),
    st.integers(-1, 2**60),
)
def test_key_value_and_headers_of_any_record_stay_untouched(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]], timestamp_ms: int
) -> None:
    record = Incoming(Position("copper.task.commands", 0, 0), key, value, tuple(headers), timestamp_ms)
    letter = dead_letter(record, FAILURE, 0, TopicNames(), "task", 0)
    assert (letter.key, letter.value, letter.headers[: len(headers)]) == (key, value, tuple(headers))


def consumed(record: Outgoing, offset: int = 7) -> Incoming:
    return Incoming(
        Position(record.topic, record.partition or 0, offset), record.key, record.value, record.headers, 1790000500000
    )


def letter_of(record: Incoming, names: TopicNames) -> Letter:
    letter = read_letter(consumed(dead_letter(record, FAILURE, 0, names, "company", 3)), names)
    assert letter is not None
    return letter


@given(
    st.none() | st.binary(),
    st.none() | st.binary(),
    st.lists(
        st.tuples(
            st.text() | st.sampled_from(["copper-bridge-redrives", "copper-bridge-error", "kafka_dlt-original-topic"]),
            st.binary(),
        )
    ),
)
def test_a_letter_gives_back_the_command_as_it_lay_whatever_headers_it_came_with(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    record = Incoming(Position("copper.company.commands", 2, 2**40), key, value, tuple(headers), 1790000402123)
    letter = letter_of(record, TopicNames())
    assert letter.command == record
    assert (letter.entity, letter.code, letter.position) == (
        "company",
        "malformed",
        Position("copper.company.commands-dlt", 3, 7),
    )
    assert letter.message == "The command cannot be read: the value is not JSON"


def test_a_command_that_is_put_back_keeps_its_place_key_value_and_headers_and_is_counted(
    incoming: Callable[..., Incoming], names: TopicNames
) -> None:
    back = redriven(letter_of(incoming(b"{", ("mine", b"\xff")), names))
    assert back == Outgoing(
        "copper.company.commands",
        1,
        b"acme",
        b"{",
        (("mine", b"\xff"), (FORWARDED, b"copper.company.commands-1-41"), ("copper-bridge-redrives", b"1")),
    )


def test_a_command_without_an_id_keeps_its_first_position_as_its_id_however_often_it_is_put_back(
    incoming: Callable[..., Incoming], names: TopicNames
) -> None:
    letter = letter_of(incoming(b"{"), names)
    for times in (1, 2):
        back = consumed(redriven(letter), offset=100 * times)
        letter = letter_of(back, names)
        assert letter.command_id == str(letter.first) == "copper.company.commands-1-41"
        assert letter.redrives == times
        assert letter.command.position.offset == 100 * times
    mended = consumed(redriven(letter, b'{"action": "get", "id": 7}'), offset=300)
    command = decode(mended, entity="company", names=names, accounts=["acme"], allowed_replies=())
    assert isinstance(command, Command)
    assert (command.id, command.record_id) == ("copper.company.commands-1-41", 7)


def test_a_count_that_is_none_begins_anew(incoming: Callable[..., Incoming], names: TopicNames) -> None:
    back = redriven(letter_of(incoming(b"{", ("copper-bridge-redrives", b"many")), names))
    assert [value for name, value in back.headers if name == "copper-bridge-redrives"] == [b"1"]


def test_a_letter_is_parked_as_it_is(incoming: Callable[..., Incoming], names: TopicNames) -> None:
    letter = letter_of(incoming(b"{"), names)
    record = letter.record
    moved = parked(letter, names)
    assert moved == Outgoing("copper.bridge.parked", 3, record.key, record.value, record.headers)
    again = read_letter(consumed(moved), names)
    assert again is not None
    assert again.command == letter.command


def test_what_is_too_large_to_be_kept_keeps_all_that_was_added_and_its_count(
    incoming: Callable[..., Incoming], names: TopicNames
) -> None:
    huge = bytes(LARGEST_LETTER)
    headers: Headers = (("mine", b"1"), ("copper-bridge-redrives", b"2"))
    for record in (incoming(huge), incoming(huge, *headers)):
        letter = letter_of(record, names)
        assert (letter.truncated, letter.record.value, letter.command.position) == (True, b"", record.position)
        assert letter.redrives == (2 if record.headers else 0)
        assert letter.record.header("mine") is None


def test_what_the_bridge_did_not_bury_is_no_letter(incoming: Callable[..., Incoming], names: TopicNames) -> None:
    whole = dead_letter(incoming(b"{"), FAILURE, 0, names, "company", 3)
    elsewhere = dead_letter(Incoming(Position("shop.orders", 0, 1), None, None, (), 0), FAILURE, 0, names, "company", 3)
    less = [Outgoing(whole.topic, 3, None, None, whole.headers[:at]) for at in range(11)]
    for record in (*less, elsewhere):
        assert read_letter(consumed(record), names) is None


@given(st.lists(st.tuples(st.sampled_from(sorted(name for name, _ in dead_letter(
    Incoming(Position("copper.task.commands", 0, 0), None, None, (), 0), FAILURE, 0, TopicNames(), "task", 0
).headers)), st.binary() | st.just(b"copper.task.commands"))))  # fmt: skip
def test_any_bytes_in_the_headers_of_a_letter_give_a_letter_or_none(headers: list[tuple[str, bytes]]) -> None:
    record = Incoming(Position("copper.task.commands-dlt", 0, 0), None, None, tuple(headers), 0)
    letter = read_letter(record, TopicNames())
    assert letter is None or redriven(letter).topic == "copper.task.commands"
