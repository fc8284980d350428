"""Announcements and watermarks: read back as they were written, and nothing else taken for one."""

import orjson

from bridge.contract.announcements import Announcement, Told, announcement_record, read_announcement
from bridge.contract.records import Incoming, Outgoing, Position
from bridge.contract.topics import TopicNames
from bridge.contract.watermarks import Watermark, read_watermark, watermark_record

NAMES = TopicNames()


def consumed(record: Outgoing) -> Incoming:
    return Incoming(Position(record.topic, record.partition or 0, 3), record.key, record.value, record.headers, 0)


def test_an_announcement_is_read_as_it_was_written() -> None:
    for told in Told:
        announcement = Announcement(told, "acme", 1790000702123, "lead", "c-1", {"records": 7})
        assert read_announcement(consumed(announcement_record(announcement, NAMES, 2))) == announcement


def test_an_announcement_names_the_control_message_that_caused_it_in_a_header() -> None:
    record = announcement_record(Announcement(Told.SWEEP_COMPLETED, "acme", 1790000702123, None, "c-1"), NAMES, 2)
    headers = dict(record.headers)
    assert headers["ce_causationid"] == b"c-1"
    assert headers["ce_type"] == b"copper.bridge.sweep.completed.v1"
    assert headers["ce_time"] == b"2026-09-21T14:25:02.123Z"


def test_a_watermark_is_read_as_it_was_written() -> None:
    mark = Watermark("acme", "lead", 1790000000, 1790000121, 7, 6, {"poll": 2}, 1790000100, None)
    assert read_watermark(consumed(watermark_record(mark, NAMES, 0))) == mark


def test_what_is_no_announcement_or_watermark_is_none() -> None:
    for value in (None, b"", b"7", b"{}", orjson.dumps({"type": "unheard-of", "account": "acme", "at_ms": 1})):
        record = Incoming(Position("t", 0, 0), b"acme", value, (), 0)
        assert read_announcement(record) is None
        assert read_watermark(record) is None
