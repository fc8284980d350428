from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from bridge.contract.dead_letters import dead_letter
from bridge.contract.failures import Code, Failure
from bridge.contract.records import Incoming, Position
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
