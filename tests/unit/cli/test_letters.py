"""Dead letters as text: whatever bytes lie there, a terminal is shown nothing but letters."""

import json

import pytest

from bridge.cli.letters import letter_object, of_letter, page_of
from bridge.contract.dead_letters import Letter, dead_letter, read_letter
from bridge.contract.failures import Code, Failure
from bridge.contract.records import Headers, Incoming, Position
from bridge.contract.topics import TopicNames
from bridge.policy.redriving import State

WRITTEN_S = 1790000500


def letter(value: bytes | None, *, key: bytes | None = b"acme", headers: Headers = (), detail: str = "no") -> Letter:
    names = TopicNames()
    command = Incoming(Position(names.commands("lead"), 1, 41), key, value, headers, 1790000402123)
    buried = dead_letter(command, Failure(Code.MALFORMED, "Unreadable", detail), 0, names, "lead", 1)
    place = Position(buried.topic, 1, 7)
    read = read_letter(Incoming(place, buried.key, buried.value, buried.headers, WRITTEN_S * 1000), names)
    assert read is not None
    return read


@pytest.mark.parametrize(("after", "age"), [(0, "0s"), (59, "59s"), (60, "1m"), (7300, "2h"), (200_000, "2d")])
def test_a_letter_is_one_line_with_its_age(after: int, age: str) -> None:
    line = of_letter(letter(b"{"), State.WAITING, WRITTEN_S + after)
    assert line == f"copper.lead.commands-dlt-1-7  {age}  malformed  0 redrives  waiting  Unreadable: no"


def test_nothing_that_a_terminal_would_obey_gets_there() -> None:
    evil = letter(b"\x1b[2J\n", key=b"\x1b]0;", headers=(("\x1b[1m", b"\x07"),), detail="two\nlines \x1b[0m")
    text = "".join([of_letter(evil, State.WAITING, WRITTEN_S), *page_of(evil, State.WAITING, value=True)])
    assert text.isprintable()
    assert "two\\nlines" in text


def test_a_page_has_the_headers_and_the_value_as_text_or_in_hexadecimal_or_not_at_all() -> None:
    lines = list(page_of(letter(b"\xff{", headers=(("mine", b"1"),)), State.PARKED, value=True))
    assert lines[-2:] == ["header    mine: 1", "value     0xff7b"]
    assert "state     parked" in lines
    assert "command   copper.lead.commands-1-41" in lines
    assert not any("0xff7b" in line for line in page_of(letter(b"\xff{"), State.WAITING, value=False))
    assert list(page_of(letter(None), State.WAITING, value=True))[-1] == "value     -"
    assert list(page_of(letter(bytes(2_000_000)), State.WAITING, value=True))[-1] == "value     too large to be kept"


def test_a_program_gets_the_same_without_the_value() -> None:
    told = json.loads(letter_object(letter(b"secret"), State.WAITING))
    assert told["position"] == "copper.lead.commands-dlt-1-7"
    assert (told["command_id"], told["redrives"], told["written"]) == (
        "copper.lead.commands-1-41",
        0,
        "2026-09-21T14:21:40Z",
    )
    assert "secret" not in str(told)
